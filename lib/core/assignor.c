/* The assignors by name, what their members tell each other, and the way through one assignment.
 *
 * Eager members have given back everything before they join, so for them only the user data of
 * sticky says what there was. Cooperative members keep what they have, and say so in the
 * subscription; the generation is there too from version 2 on, and in the user data before. */
#include "core/assignor.h"

#include <string.h>

#include "core/assignor_board.h"
#include "sluice/error.h"

enum assignor_kind { ASSIGNOR_RANGE, ASSIGNOR_RING, ASSIGNOR_STICKY, ASSIGNOR_COOPERATIVE };

struct sl_assignor {
    enum assignor_kind kind;
    const char *name;
    const char *java_name; /* of the class in org.apache.kafka.clients.consumer */
};

static const struct sl_assignor assignors[] = {
    {ASSIGNOR_RANGE, "range", "RangeAssignor"},
    {ASSIGNOR_RING, "roundrobin", "RoundRobinAssignor"},
    {ASSIGNOR_STICKY, "sticky", "StickyAssignor"},
    {ASSIGNOR_COOPERATIVE, "cooperative-sticky", "CooperativeStickyAssignor"},
};
enum { ASSIGNOR_COUNT = sizeof assignors / sizeof assignors[0] };

static const char assignor_java_package[] = "org.apache.kafka.clients.consumer.";

/* ---- by name ---- */

const struct sl_assignor *sl_assignor_at(int number) {
    return number >= 1 && number <= ASSIGNOR_COUNT ? &assignors[number - 1] : NULL;
}

const struct sl_assignor *sl_assignor_find(struct sl_str name) {
    const int32_t package_size = (int32_t)sizeof assignor_java_package - 1;
    struct sl_str of_class = SL_STR_NULL;
    if (name.size > package_size &&
        memcmp(name.data, assignor_java_package, sizeof assignor_java_package - 1) == 0)
        of_class = (struct sl_str){name.data + package_size, name.size - package_size};
    for (int i = 0; i < ASSIGNOR_COUNT; i++) {
        if (sl_bytes_str_equal(name, sl_bytes_str(assignors[i].name))) return &assignors[i];
        if (sl_bytes_str_equal(of_class, sl_bytes_str(assignors[i].java_name)))
            return &assignors[i];
    }
    return NULL;
}

const char *sl_assignor_name(const struct sl_assignor *a) { return a->name; }

bool sl_assignor_goes_by_racks(const struct sl_assignor *a) { return a->kind == ASSIGNOR_RANGE; }

bool sl_assignor_is_cooperative(const struct sl_assignor *a) {
    return a->kind == ASSIGNOR_COOPERATIVE;
}

/* ---- what members tell ---- */

/* What there was, by the user data of sticky. Data that makes no sense is nothing. */
static int read_sticky(struct sl_bytes user_data, struct sl_arena *arena,
                       struct sl_assignor_member *out) {
    struct sl_consumer_sticky_data data;
    int rv = sl_consumer_protocol_decode_sticky(user_data, arena, &data);
    if (rv == SLUICE_ERR_MALFORMED) return 0;
    if (rv != 0) return rv;
    out->owned = data.partitions;
    out->generation = data.generation;
    return 0;
}

int sl_assignor_read_member(const struct sl_assignor *a, struct sl_bytes metadata,
                            struct sl_arena *arena, struct sl_assignor_member *out) {
    struct sl_consumer_subscription s;
    int rv = sl_consumer_protocol_decode_subscription(metadata, arena, &s);
    if (rv != 0) return rv;
    out->topics = s.topics;
    out->rack_id = s.rack_id;
    out->owned = (struct sl_array){NULL, 0};
    out->generation = SL_CONSUMER_PROTOCOL_NO_GENERATION;
    if (a->kind == ASSIGNOR_STICKY) return read_sticky(s.user_data, arena, out);
    if (a->kind != ASSIGNOR_COOPERATIVE) return 0;
    out->owned = s.owned;
    out->generation =
        s.generation >= 0 ? s.generation : sl_consumer_protocol_decode_generation(s.user_data);
    return 0;
}

int sl_assignor_write_member(const struct sl_assignor *a, const struct sl_assignor_member *member,
                             struct sl_arena *arena, struct sl_writer *out) {
    struct sl_writer user_data;
    struct sl_consumer_sticky_data had = {member->owned, member->generation};
    struct sl_consumer_subscription s = {
        .topics = member->topics,
        .user_data = SL_BYTES_NULL,
        .generation = member->generation,
        .rack_id = member->rack_id.size > 0 ? member->rack_id : SL_STR_NULL,
    };
    int rv = 0;
    if (a->kind == ASSIGNOR_COOPERATIVE) s.owned = member->owned;
    sl_writer_init(&user_data, arena->alloc);
    if (a->kind == ASSIGNOR_COOPERATIVE)
        rv = sl_consumer_protocol_encode_generation(&user_data, member->generation);
    if (a->kind == ASSIGNOR_STICKY && member->generation >= 0)
        rv = sl_consumer_protocol_encode_sticky(&user_data, &had);
    if (user_data.size > 0)
        s.user_data = (struct sl_bytes){user_data.data, (int32_t)user_data.size};
    if (rv == 0) rv = sl_consumer_protocol_encode_subscription(out, &s);
    sl_writer_deinit(&user_data);
    return rv;
}

/* ---- assigning ---- */

/* What another member may still be reading is nobody's until that one has let go of it, which its
 * next subscription tells. */
static void withhold_claimed(struct sl_board *b, const struct sl_board_claims *claims) {
    for (int32_t p = 0; p < b->partition_count; p++)
        if (claims->member[p] != SL_BOARD_NOBODY && claims->member[p] != b->owner[p])
            b->owner[p] = SL_BOARD_NOBODY;
}

static int assign_sticky(struct sl_board *b, bool is_cooperative) {
    struct sl_board_claims claims;
    int rv = sl_assignor_board_claims(b, &claims);
    if (rv != 0) return rv;
    rv = sl_assignor_board_is_even(b) ? sl_assignor_sticky_even(b, &claims)
                                      : sl_assignor_sticky_uneven(b, &claims);
    if (rv == 0 && is_cooperative) withhold_claimed(b, &claims);
    return rv;
}

static int run_assignor(const struct sl_assignor *a, struct sl_board *b) {
    switch (a->kind) {
    case ASSIGNOR_RANGE:
        return sl_assignor_range(b);
    case ASSIGNOR_RING:
        return sl_assignor_ring(b);
    default:
        return assign_sticky(b, a->kind == ASSIGNOR_COOPERATIVE);
    }
}

int sl_assignor_assign(const struct sl_assignor *a, const struct sl_assignor_group *group,
                       struct sl_arena *arena, struct sl_array *out) {
    struct sl_board b;
    bool static_first = a->kind == ASSIGNOR_RANGE || a->kind == ASSIGNOR_RING;
    int rv = sl_assignor_board_init(&b, group, static_first, arena);
    if (rv == 0) rv = run_assignor(a, &b);
    if (rv == 0) rv = sl_assignor_board_finish(&b, out);
    sl_assignor_board_deinit(&b);
    return rv;
}
