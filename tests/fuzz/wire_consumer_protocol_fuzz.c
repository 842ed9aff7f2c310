/* What members of a group send each other: whatever is read can be written, and is read again as
 * the same; reading takes no more memory than a fixed multiple of the input.
 *
 * Input: a byte that picks subscription, assignment or user data, then the bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "sluice/error.h"
#include "wire/consumer_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_FACTOR = 64, MEMORY_SLACK = 8192 }; /* blocks of an arena grow by doubling */

static void require(bool condition) {
    if (!condition) abort();
}

static void require_same(struct sl_writer *first, struct sl_writer *second) {
    require(!first->failed && !second->failed && first->size == second->size);
    require(first->size == 0 || memcmp(first->data, second->data, first->size) == 0);
}

static struct sl_bytes written(const struct sl_writer *out) {
    return (struct sl_bytes){out->data, (int32_t)out->size};
}

static bool check_subscription(struct sl_bytes bytes, struct sl_arena *arena,
                               struct sl_writer *first, struct sl_writer *second) {
    struct sl_consumer_subscription s;
    if (sl_consumer_protocol_decode_subscription(bytes, arena, &s) != 0) return false;
    require(sl_consumer_protocol_encode_subscription(first, &s) == 0);
    require(sl_consumer_protocol_decode_subscription(written(first), arena, &s) == 0);
    require(sl_consumer_protocol_encode_subscription(second, &s) == 0);
    return true;
}

static bool check_assignment(struct sl_bytes bytes, struct sl_arena *arena, struct sl_writer *first,
                             struct sl_writer *second) {
    struct sl_consumer_assignment a;
    if (sl_consumer_protocol_decode_assignment(bytes, arena, &a) != 0) return false;
    require(sl_consumer_protocol_encode_assignment(first, &a) == 0);
    require(sl_consumer_protocol_decode_assignment(written(first), arena, &a) == 0);
    require(sl_consumer_protocol_encode_assignment(second, &a) == 0);
    return true;
}

static bool check_user_data(struct sl_bytes bytes, struct sl_arena *arena, struct sl_writer *first,
                            struct sl_writer *second) {
    struct sl_consumer_sticky_data d;
    (void)sl_consumer_protocol_decode_generation(bytes);
    if (sl_consumer_protocol_decode_sticky(bytes, arena, &d) != 0) return false;
    require(sl_consumer_protocol_encode_sticky(first, &d) == 0);
    require(sl_consumer_protocol_decode_sticky(written(first), arena, &d) == 0);
    require(sl_consumer_protocol_encode_sticky(second, &d) == 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    struct sl_arena arena;
    struct sl_writer first;
    struct sl_writer second;
    struct sl_bytes bytes = {data + 1, (int32_t)(size - 1)};
    sl_arena_init(&arena, sl_alloc_default(), 0);
    sl_writer_init(&first, sl_alloc_default());
    sl_writer_init(&second, sl_alloc_default());
    bool is_read = data[0] % 3 == 0   ? check_subscription(bytes, &arena, &first, &second)
                   : data[0] % 3 == 1 ? check_assignment(bytes, &arena, &first, &second)
                                      : check_user_data(bytes, &arena, &first, &second);
    if (is_read) require_same(&first, &second);
    require(arena.taken <= 2 * (size * MEMORY_FACTOR + MEMORY_SLACK)); /* it was read twice */
    sl_writer_deinit(&first);
    sl_writer_deinit(&second);
    sl_arena_deinit(&arena);
    return 0;
}
