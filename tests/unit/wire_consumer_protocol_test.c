/* Goal: subscriptions, assignments and user data have the bytes that the Java client writes, and
 * whatever another member sends is read as far as it makes sense, or refused, at a bounded cost.
 * Method: bytes from Java's serializers both ways; versions to come, versions that lie, inputs cut
 * at every byte, counts beyond the bytes there are; every allocation failed once. */
#include "support.h"

#include "base/arena.h"
#include "sluice/error.h"
#include "wire/consumer_protocol.h"

enum { BYTES_CAP = 256 };

/* Topic t, owned t-0 and t-1, generation 5, rack "rackA", as Java writes them. */
#define OWNED_HEX "00000001 0001 74 00000002 00000000 00000001"
static const char *const subscription_hex[] = {
    "0000 00000001 0001 74 ffffffff",
    "0001 00000001 0001 74 ffffffff " OWNED_HEX,
    "0002 00000001 0001 74 ffffffff " OWNED_HEX " 00000005",
    "0003 00000001 0001 74 ffffffff " OWNED_HEX " 00000005 0005 7261636b41",
};
static const char assignment_hex[] = "0000 " OWNED_HEX " ffffffff";
static const char sticky_hex[] = OWNED_HEX " 00000005";

/* Bytes from hex, and an arena to decode them into. */
struct input {
    uint8_t data[BYTES_CAP];
    struct sl_bytes bytes;
    struct test_memory memory;
    struct sl_arena arena;
};

static void open_input(struct input *in, const char *hex) {
    in->bytes.size = (int32_t)test_hex(hex, in->data, sizeof in->data);
    in->bytes.data = in->data;
    test_memory_init(&in->memory);
    sl_arena_init(&in->arena, &in->memory.alloc, 0);
}

static void close_input(struct input *in) {
    sl_arena_deinit(&in->arena);
    test_memory_check(&in->memory);
}

static void check_owned(const struct sl_array *owned) {
    assert_int_equal(owned->count, 1);
    const struct sl_consumer_partitions *t = owned->items;
    assert_true(sl_bytes_str_equal(t->topic, SL_STR("t")));
    assert_int_equal(t->partitions.count, 2);
    assert_int_equal(((const int32_t *)t->partitions.items)[0], 0);
    assert_int_equal(((const int32_t *)t->partitions.items)[1], 1);
}

/* What version 0 to 3 of the subscription above holds. */
static void check_subscription(const struct sl_consumer_subscription *s, int version) {
    assert_int_equal(s->topics.count, 1);
    assert_true(sl_bytes_str_equal(*(const struct sl_str *)s->topics.items, SL_STR("t")));
    assert_int_equal(s->user_data.size, -1);
    if (version >= 1) check_owned(&s->owned);
    if (version < 1) assert_int_equal(s->owned.count, 0);
    assert_int_equal(s->generation, version >= 2 ? 5 : -1);
    if (version >= 3) assert_true(sl_bytes_str_equal(s->rack_id, SL_STR("rackA")));
    if (version < 3) assert_int_equal(s->rack_id.size, -1);
}

static void test_subscriptions(void **state) {
    (void)state;
    for (int version = 0; version <= 3; version++) {
        struct input in;
        struct sl_consumer_subscription s;
        open_input(&in, subscription_hex[version]);
        assert_int_equal(sl_consumer_protocol_decode_subscription(in.bytes, &in.arena, &s), 0);
        check_subscription(&s, version);
        if (version == 3) {
            struct sl_writer out;
            sl_writer_init(&out, sl_alloc_default());
            assert_int_equal(sl_consumer_protocol_encode_subscription(&out, &s), 0);
            test_hex_equal(out.data, out.size, subscription_hex[3]);
            sl_writer_deinit(&out);
        }
        close_input(&in);
    }
}

/* What a later version adds at the end is passed over, and so is junk behind a known one. */
static void test_versions_to_come(void **state) {
    (void)state;
    static const char *const versions[] = {"0009", "7fff", "0003"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        char hex[BYTES_CAP];
        struct input in;
        struct sl_consumer_subscription s;
        struct sl_consumer_assignment a;
        snprintf(hex, sizeof hex, "%s%s 00ff 01020304", versions[i], subscription_hex[3] + 4);
        open_input(&in, hex);
        assert_int_equal(sl_consumer_protocol_decode_subscription(in.bytes, &in.arena, &s), 0);
        check_subscription(&s, 3);
        close_input(&in);
        snprintf(hex, sizeof hex, "%s%s 00ff 01020304", versions[i], assignment_hex + 4);
        open_input(&in, hex);
        assert_int_equal(sl_consumer_protocol_decode_assignment(in.bytes, &in.arena, &a), 0);
        check_owned(&a.partitions);
        close_input(&in);
    }
}

/* A version that promises more than there is counts as 0, if that is exactly what there is. */
static void test_version_without_its_fields(void **state) {
    (void)state;
    for (int version = 1; version <= 4; version++) {
        char hex[BYTES_CAP];
        struct input in;
        struct sl_consumer_subscription s;
        snprintf(hex, sizeof hex, "%04x%s", (unsigned)version, subscription_hex[0] + 4);
        open_input(&in, hex);
        assert_int_equal(sl_consumer_protocol_decode_subscription(in.bytes, &in.arena, &s), 0);
        check_subscription(&s, 0);
        close_input(&in);
        snprintf(hex, sizeof hex, "%04x%s 00", (unsigned)version, subscription_hex[0] + 4);
        open_input(&in, hex);
        assert_int_equal(sl_consumer_protocol_decode_subscription(in.bytes, &in.arena, &s),
                         SLUICE_ERR_MALFORMED);
        close_input(&in);
    }
}

static void test_assignments(void **state) {
    (void)state;
    struct input in;
    struct sl_consumer_assignment a;
    struct sl_writer out;
    open_input(&in, assignment_hex);
    assert_int_equal(sl_consumer_protocol_decode_assignment(in.bytes, &in.arena, &a), 0);
    check_owned(&a.partitions);
    assert_int_equal(a.user_data.size, -1);
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_consumer_protocol_encode_assignment(&out, &a), 0);
    test_hex_equal(out.data, out.size, assignment_hex);
    sl_writer_deinit(&out);
    /* A member that the leader left out gets no bytes, or null. */
    in.bytes.size = 0;
    assert_int_equal(sl_consumer_protocol_decode_assignment(in.bytes, &in.arena, &a), 0);
    assert_int_equal(a.partitions.count, 0);
    assert_int_equal(sl_consumer_protocol_decode_assignment(SL_BYTES_NULL, &in.arena, &a), 0);
    close_input(&in);
}

static void test_user_data(void **state) {
    (void)state;
    struct input in;
    struct sl_consumer_sticky_data data;
    struct sl_writer out;
    open_input(&in, sticky_hex);
    assert_int_equal(sl_consumer_protocol_decode_sticky(in.bytes, &in.arena, &data), 0);
    check_owned(&data.partitions);
    assert_int_equal(data.generation, 5);
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_consumer_protocol_encode_sticky(&out, &data), 0);
    test_hex_equal(out.data, out.size, sticky_hex);
    sl_writer_deinit(&out);
    close_input(&in);

    open_input(&in, OWNED_HEX); /* of before Kafka 2.3 */
    assert_int_equal(sl_consumer_protocol_decode_sticky(in.bytes, &in.arena, &data), 0);
    check_owned(&data.partitions);
    assert_int_equal(data.generation, -1);
    close_input(&in);

    open_input(&in, "00000005");
    assert_int_equal(sl_consumer_protocol_decode_generation(in.bytes), 5);
    in.bytes.size = 3;
    assert_int_equal(sl_consumer_protocol_decode_generation(in.bytes), -1);
    assert_int_equal(sl_consumer_protocol_decode_generation(SL_BYTES_NULL), -1);
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_consumer_protocol_encode_generation(&out, 5), 0);
    test_hex_equal(out.data, out.size, "00000005");
    sl_writer_deinit(&out);
    close_input(&in);
}

static void test_malformed(void **state) {
    (void)state;
    static const char *const subscriptions[] = {
        "",                                        /* no version */
        "00",                                      /* half of one */
        "ffff 00000000 ffffffff",                  /* version -1 */
        "8000 00000000 ffffffff",                  /* the least version */
        "0000 ffffffff ffffffff",                  /* null topics */
        "0000 7fffffff ffffffff",                  /* more topics than bytes */
        "0000 00000001 ffff ffffffff",             /* a null topic */
        "0000 00000000 7fffffff 00",               /* more user data than bytes */
        "0000 00000000 fffffffe",                  /* user data of -2 bytes */
        "0001 00000000 ffffffff 10000000 0001 74", /* more owned topics than bytes */
        "0001 00000000 ffffffff 00000001 0001 74 7fffffff 00000000", /* and partitions */
        "0003 00000000 ffffffff 00000000 00000001 0009 61",          /* a rack cut short */
    };
    for (size_t i = 0; i < sizeof subscriptions / sizeof *subscriptions; i++) {
        struct input in;
        struct sl_consumer_subscription s;
        open_input(&in, subscriptions[i]);
        assert_int_equal(sl_consumer_protocol_decode_subscription(in.bytes, &in.arena, &s),
                         SLUICE_ERR_MALFORMED);
        assert_true(in.memory.peak_bytes < 4096);
        close_input(&in);
    }
    struct input in;
    struct sl_consumer_subscription s;
    struct sl_consumer_assignment a;
    struct sl_consumer_sticky_data data;
    open_input(&in, "ffff 00000000 ffffffff");
    assert_int_equal(sl_consumer_protocol_decode_subscription(SL_BYTES_NULL, &in.arena, &s),
                     SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_consumer_protocol_decode_assignment(in.bytes, &in.arena, &a),
                     SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_consumer_protocol_decode_sticky(in.bytes, &in.arena, &data),
                     SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_consumer_protocol_decode_sticky(SL_BYTES_NULL, &in.arena, &data),
                     SLUICE_ERR_MALFORMED);
    close_input(&in);
}

/* Cut anywhere, an assignment is malformed; a subscription is one of version 0 in one place. */
static void test_cut_at_every_byte(void **state) {
    (void)state;
    struct input in;
    struct sl_consumer_subscription s;
    struct sl_consumer_assignment a;
    open_input(&in, subscription_hex[3]);
    int32_t whole = in.bytes.size;
    for (in.bytes.size = 0; in.bytes.size < whole; in.bytes.size++) {
        int rv = sl_consumer_protocol_decode_subscription(in.bytes, &in.arena, &s);
        bool is_version_0 = in.bytes.size == 2 + 4 + 3 + 4;
        assert_int_equal(rv, is_version_0 ? 0 : SLUICE_ERR_MALFORMED);
    }
    close_input(&in);
    open_input(&in, assignment_hex);
    whole = in.bytes.size;
    for (in.bytes.size = 1; in.bytes.size < whole; in.bytes.size++)
        assert_int_equal(sl_consumer_protocol_decode_assignment(in.bytes, &in.arena, &a),
                         SLUICE_ERR_MALFORMED);
    close_input(&in);
}

static void test_what_cannot_be_written(void **state) {
    (void)state;
    struct sl_str no_topic = SL_STR_NULL;
    struct sl_consumer_subscription s = {{&no_topic, 1}, SL_BYTES_NULL, {NULL, 0}, -1, SL_STR_NULL};
    struct sl_consumer_assignment a = {{NULL, 1}, SL_BYTES_NULL};
    struct sl_writer out;
    uint8_t small[3];
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_consumer_protocol_encode_subscription(&out, &s), SLUICE_ERR_USAGE);
    assert_int_equal(sl_consumer_protocol_encode_assignment(&out, &a), SLUICE_ERR_USAGE);
    sl_writer_deinit(&out);
    s.topics.count = a.partitions.count = 0;
    sl_writer_init_fixed(&out, small, sizeof small);
    assert_int_equal(sl_consumer_protocol_encode_subscription(&out, &s), SLUICE_ERR_NOMEM);
    sl_writer_init_fixed(&out, small, sizeof small);
    assert_int_equal(sl_consumer_protocol_encode_assignment(&out, &a), SLUICE_ERR_NOMEM);
    sl_writer_init_fixed(&out, small, sizeof small);
    assert_int_equal(sl_consumer_protocol_encode_generation(&out, 1), SLUICE_ERR_NOMEM);
}

static void test_allocation_failures(void **state) {
    (void)state;
    struct input in;
    struct sl_consumer_subscription s;
    open_input(&in, subscription_hex[3]);
    test_memory_fail_at(&in.memory, 1);
    assert_int_equal(sl_consumer_protocol_decode_subscription(in.bytes, &in.arena, &s),
                     SLUICE_ERR_NOMEM);
    close_input(&in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subscriptions),
        cmocka_unit_test(test_versions_to_come),
        cmocka_unit_test(test_version_without_its_fields),
        cmocka_unit_test(test_assignments),
        cmocka_unit_test(test_user_data),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_what_cannot_be_written),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
