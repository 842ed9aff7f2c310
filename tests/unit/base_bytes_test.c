/* Goal: bytes are read and written as the Kafka protocol has them, and every short, overlong or
 * failed case ends in the sticky mark and nothing worse.
 * Method: fixed vectors for each type (those of varints were printed by another implementation),
 * round trips over edge values, inputs cut at every length, allocation failures at every place. */
#include "support.h"

#include "base/bytes.h"
#include "base/rng.h"

/* ---- varints ---- */

static const struct {
    int64_t value;
    const char *hex;
} varint_vectors[] = {
    {0, "00"},
    {-1, "01"},
    {1, "02"},
    {63, "7e"},
    {-64, "7f"},
    {64, "8001"},
    {-65, "8101"},
    {127, "fe01"},
    {128, "8002"},
    {300, "d804"},
    {8191, "fe7f"},
    {8192, "808001"},
    {INT32_MAX, "feffffff0f"},
    {INT32_MIN, "ffffffff0f"},
    {INT64_MAX, "feffffffffffffffff01"},
    {INT64_MIN, "ffffffffffffffffff01"},
};

static const struct {
    uint32_t value;
    const char *hex;
} uvarint_vectors[] = {
    {0, "00"},       {127, "7f"},       {128, "8001"},       {300, "ac02"},
    {16383, "ff7f"}, {16384, "808001"}, {2097151, "ffff7f"}, {UINT32_MAX, "ffffffff0f"},
};

static void test_varint_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof varint_vectors / sizeof *varint_vectors; i++) {
        int64_t value = varint_vectors[i].value;
        bool is_short = value >= INT32_MIN && value <= INT32_MAX;
        uint8_t buf[2 * SL_VARLONG_MAX];
        struct sl_writer w;
        struct sl_reader r;

        sl_writer_init_fixed(&w, buf, sizeof buf);
        sl_writer_varlong(&w, value);
        test_hex_equal(buf, w.size, varint_vectors[i].hex);
        sl_reader_init(&r, buf, w.size);
        assert_true(sl_reader_varlong(&r) == value);
        assert_false(r.failed);
        assert_int_equal(sl_reader_left(&r), 0);

        sl_reader_init(&r, buf, w.size);
        int32_t narrow = sl_reader_varint(&r);
        assert_int_equal(r.failed, !is_short);
        if (!is_short) continue;
        assert_int_equal(narrow, value);
        sl_writer_init_fixed(&w, buf, sizeof buf);
        sl_writer_varint(&w, (int32_t)value);
        test_hex_equal(buf, w.size, varint_vectors[i].hex);
    }
}

static void test_uvarint_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof uvarint_vectors / sizeof *uvarint_vectors; i++) {
        uint8_t buf[SL_VARLONG_MAX];
        struct sl_writer w;
        struct sl_reader r;
        sl_writer_init_fixed(&w, buf, sizeof buf);
        sl_writer_uvarint(&w, uvarint_vectors[i].value);
        test_hex_equal(buf, w.size, uvarint_vectors[i].hex);
        assert_int_equal(w.size, sl_bytes_uvarint_len(uvarint_vectors[i].value));
        sl_reader_init(&r, buf, w.size);
        assert_int_equal(sl_reader_uvarint(&r), uvarint_vectors[i].value);
        assert_false(r.failed);
        assert_int_equal(sl_reader_left(&r), 0);
    }
}

/* Every length changes at a power of 2^7: both sides of each, in all three forms. */
static void test_varint_round_trips_at_the_borders(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t v = ((uint64_t)1 << bits) + (uint64_t)(int64_t)delta;
            uint8_t buf[SL_VARLONG_MAX];
            uint64_t back;
            size_t len = sl_bytes_put_uvarint(buf, v);
            assert_int_equal(len, sl_bytes_uvarint_len(v));
            assert_int_equal(sl_bytes_read_uvarint(buf, buf + len, SL_VARLONG_MAX, &back), len);
            assert_true(back == v);
            for (size_t cut = 0; cut < len; cut++)
                assert_int_equal(sl_bytes_read_uvarint(buf, buf + cut, SL_VARLONG_MAX, &back), 0);
            size_t narrow = sl_bytes_read_uvarint(buf, buf + len, SL_VARINT_MAX, &back);
            assert_int_equal(narrow, v <= UINT32_MAX ? len : 0);

            int64_t s = (int64_t)v;
            assert_true(sl_bytes_unzigzag64(sl_bytes_zigzag64(s)) == s);
            int32_t t = (int32_t)(uint32_t)v;
            assert_true(sl_bytes_unzigzag32(sl_bytes_zigzag32(t)) == t);
        }
    }
}

static void test_bad_varints_fail(void **state) {
    (void)state;
    static const char *const narrow[] = {
        "",           "80",           "ffffffff",     /* cut short */
        "8080808080", "808080808000", "ffffffff8f00", /* longer than five bytes */
        "ffffffff10", "808080801f",   "ffffffff7f",   /* bits beyond 32 */
    };
    static const char *const wide[] = {
        "80",
        "ffffffffffffffffff",
        "8080808080808080808000",
        "ffffffffffffffffff02",
        "ffffffffffffffffff7f",
    };
    uint8_t buf[16];
    struct sl_reader r;
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++) {
        sl_reader_init(&r, buf, test_hex(narrow[i], buf, sizeof buf));
        assert_int_equal(sl_reader_uvarint(&r), 0);
        assert_true(r.failed);
        sl_reader_init(&r, buf, test_hex(narrow[i], buf, sizeof buf));
        assert_int_equal(sl_reader_varint(&r), 0);
        assert_true(r.failed);
    }
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        sl_reader_init(&r, buf, test_hex(wide[i], buf, sizeof buf));
        assert_int_equal(sl_reader_varlong(&r), 0);
        assert_true(r.failed);
        assert_int_equal(sl_reader_left(&r), 0);
    }
    /* Padding within the length is odd but legal. */
    sl_reader_init(&r, buf, test_hex("8180808000", buf, sizeof buf));
    assert_int_equal(sl_reader_uvarint(&r), 1);
    assert_false(r.failed);
}

/* ---- fixed widths ---- */

static void test_integers_are_big_endian(void **state) {
    (void)state;
    static const char hex[] = "fe 8001 80000002 8000000000000003 3ff8000000000000";
    uint8_t buf[64];
    struct sl_writer w;
    sl_writer_init_fixed(&w, buf, sizeof buf);
    sl_writer_i8(&w, -2);
    sl_writer_i16(&w, -32767);
    sl_writer_i32(&w, INT32_MIN + 2);
    sl_writer_i64(&w, INT64_MIN + 3);
    sl_writer_f64(&w, 1.5);
    assert_false(w.failed);
    test_hex_equal(buf, w.size, hex);

    struct sl_reader r;
    sl_reader_init(&r, buf, w.size);
    assert_int_equal(sl_reader_i8(&r), -2);
    assert_int_equal(sl_reader_i16(&r), -32767);
    assert_int_equal(sl_reader_i32(&r), INT32_MIN + 2);
    assert_true(sl_reader_i64(&r) == INT64_MIN + 3);
    assert_true(sl_reader_f64(&r) == 1.5);
    assert_false(r.failed);
    assert_int_equal(sl_reader_left(&r), 0);
}

static void test_loads_and_stores_at_any_alignment(void **state) {
    (void)state;
    uint8_t buf[16];
    for (size_t shift = 0; shift < 8; shift++) {
        sl_bytes_put16(buf + shift, 0x1234);
        assert_int_equal(buf[shift], 0x12);
        assert_int_equal(sl_bytes_get16(buf + shift), 0x1234);
        sl_bytes_put32(buf + shift, 0x89abcdef);
        assert_int_equal(buf[shift], 0x89);
        assert_int_equal(sl_bytes_get32(buf + shift), 0x89abcdef);
        sl_bytes_put64(buf + shift, UINT64_C(0xfedcba9876543210));
        assert_int_equal(buf[shift], 0xfe);
        assert_true(sl_bytes_get64(buf + shift) == UINT64_C(0xfedcba9876543210));
    }
}

/* ---- the sticky mark ---- */

/* Reads one of everything and returns the sum of all, so that zeros can be told. */
static int64_t read_everything(struct sl_reader *r) {
    int64_t sum = sl_reader_i8(r);
    sum += sl_reader_i16(r);
    sum += sl_reader_i32(r);
    sum += sl_reader_i64(r);
    sum += (int64_t)sl_reader_f64(r);
    sum += sl_reader_uvarint(r);
    sum += sl_reader_varint(r);
    sum += sl_reader_varlong(r);
    const uint8_t *p = sl_reader_take(r, 3);
    return sum + (p == NULL ? 0 : p[2]);
}

static void test_reader_fails_at_every_cut(void **state) {
    (void)state;
    uint8_t whole[64];
    size_t size = test_hex("01 0001 00000001 0000000000000001 3ff0000000000000"
                           "8101 8101 8101 010101",
                           whole, sizeof whole);
    struct sl_reader r;
    sl_reader_init(&r, whole, size);
    assert_int_equal(read_everything(&r), 5 + 129 - 65 - 65 + 1);
    assert_false(r.failed);
    assert_int_equal(sl_reader_left(&r), 0);

    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut + 1); /* heap, so that a sanitizer sees an overrun */
        assert_non_null(exact);
        memcpy(exact + 1, whole, cut);
        sl_reader_init(&r, exact + 1, cut);
        (void)read_everything(&r);
        assert_true(r.failed);
        assert_int_equal(sl_reader_left(&r), 0);
        assert_int_equal(read_everything(&r), 0);
        assert_null(sl_reader_take(&r, 0));
        free(exact);
    }
}

static void test_take_borrows(void **state) {
    (void)state;
    struct sl_reader r;
    sl_reader_init(&r, "abcdef", 6);
    const uint8_t *first = sl_reader_take(&r, 2);
    const uint8_t *none = sl_reader_take(&r, 0);
    const uint8_t *rest = sl_reader_take(&r, 4);
    assert_memory_equal(first, "ab", 2);
    assert_ptr_equal(none, first + 2);
    assert_memory_equal(rest, "cdef", 4);
    assert_non_null(sl_reader_take(&r, 0));
    assert_false(r.failed);
    assert_null(sl_reader_take(&r, SIZE_MAX));
    assert_true(r.failed);

    /* No input is not a failure until something is read. */
    sl_reader_init(&r, NULL, 0);
    assert_non_null(sl_reader_take(&r, 0));
    assert_false(r.failed);
    assert_int_equal(sl_reader_i8(&r), 0);
    assert_true(r.failed);
}

/* ---- writer ---- */

static void test_fixed_writer_stops_at_its_end(void **state) {
    (void)state;
    uint8_t buf[6] = {0, 0, 0, 0, 0xee, 0xee};
    struct sl_writer w;
    sl_writer_init_fixed(&w, buf, 4);
    sl_writer_i16(&w, 0x0102);
    sl_writer_i32(&w, 0x03040506);
    assert_true(w.failed);
    assert_int_equal(w.size, 2);
    sl_writer_i8(&w, 1); /* would fit, but the mark is sticky */
    assert_int_equal(w.size, 2);
    assert_null(sl_writer_room(&w, 0));
    test_hex_equal(buf, sizeof buf, "01020000eeee");
    sl_writer_patch32(&w, 0, 0);
    test_hex_equal(buf, 2, "0102");
    sl_writer_deinit(&w);

    sl_writer_init_fixed(&w, buf, 4);
    sl_writer_raw(&w, "abcd", 4);
    sl_writer_raw(&w, NULL, 0);
    assert_false(w.failed);
    assert_int_equal(w.size, 4);
    sl_writer_uvarint(&w, 0);
    assert_true(w.failed);
    assert_int_equal(buf[4], 0xee);
}

static void test_growing_writer_keeps_everything(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_writer w;
    sl_writer_init(&w, &memory.alloc);
    assert_non_null(sl_writer_room(&w, 0)); /* nothing to write is no failure */
    sl_writer_i32(&w, 0);
    for (int32_t i = 0; i < 10000; i++) sl_writer_varint(&w, i);
    uint8_t *room = sl_writer_room(&w, 100000);
    assert_non_null(room);
    memset(room, 7, 100000);
    sl_writer_patch32(&w, 0, (int32_t)w.size);
    assert_false(w.failed);
    assert_true(memory.calls < 20); /* doubling */

    struct sl_reader r;
    sl_reader_init(&r, w.data, w.size);
    assert_int_equal(sl_reader_i32(&r), w.size);
    for (int32_t i = 0; i < 10000; i++) assert_int_equal(sl_reader_varint(&r), i);
    const uint8_t *rest = sl_reader_take(&r, 100000);
    assert_non_null(rest);
    assert_int_equal(rest[99999], 7);
    assert_int_equal(sl_reader_left(&r), 0);
    sl_writer_deinit(&w);
    test_memory_check(&memory);
}

static void test_writer_refuses_impossible_sizes(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_writer w;
    sl_writer_init(&w, &memory.alloc);
    sl_writer_i8(&w, 1);
    assert_null(sl_writer_room(&w, SIZE_MAX));
    assert_true(w.failed);
    assert_int_equal(w.size, 1);
    sl_writer_deinit(&w);
    sl_writer_init(&w, &memory.alloc);
    sl_writer_i8(&w, 1);
    assert_null(sl_writer_room(&w, SIZE_MAX - 1)); /* the sum fits, the memory does not exist */
    assert_true(w.failed);
    sl_writer_deinit(&w);
    test_memory_check(&memory);
}

static void test_writer_survives_every_failing_allocation(void **state) {
    (void)state;
    long n = 1;
    for (;; n++) {
        struct test_memory memory;
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        struct sl_writer w;
        sl_writer_init(&w, &memory.alloc);
        for (int32_t i = 0; i < 1000; i++) {
            sl_writer_i32(&w, i);
            sl_writer_raw(&w, "0123456789", 10);
        }
        assert_int_equal(w.failed, test_memory_has_failed(&memory));
        /* What was written before the failure is whole; nothing was written after it. */
        assert_int_equal(w.failed, w.size < 14000);
        for (size_t i = 0; i + 14 <= w.size; i += 14)
            assert_int_equal(sl_bytes_get32(w.data + i), i / 14);
        bool failed = w.failed;
        sl_writer_deinit(&w);
        test_memory_check(&memory);
        if (!failed) break;
    }
    assert_true(n > 5);
}

/* ---- texts and ids ---- */

static void test_texts(void **state) {
    (void)state;
    struct sl_str null = sl_bytes_str(NULL);
    struct sl_str empty = sl_bytes_str("");
    struct sl_str a = sl_bytes_str("topic");
    assert_int_equal(null.size, -1);
    assert_null(null.data);
    assert_int_equal(empty.size, 0);
    assert_int_equal(a.size, 5);
    assert_true(sl_bytes_str_equal(a, SL_STR("topic")));
    assert_false(sl_bytes_str_equal(a, SL_STR("topik")));
    assert_false(sl_bytes_str_equal(a, SL_STR("topics")));
    assert_true(sl_bytes_str_equal(null, SL_STR_NULL));
    assert_true(sl_bytes_str_equal(empty, SL_STR("")));
    assert_false(sl_bytes_str_equal(null, empty));
    assert_true(sl_bytes_str_is_text(a) && sl_bytes_str_is_text(empty));
    assert_false(sl_bytes_str_is_text(null));
    assert_false(sl_bytes_str_is_text(SL_STR("to\0pic")));
}

static void test_uuids(void **state) {
    (void)state;
    struct sl_uuid a = {{0}};
    struct sl_uuid b = {{0}};
    assert_true(sl_bytes_uuid_is_zero(&a));
    for (int i = 0; i < 16; i++) {
        b.bytes[i] = 1;
        assert_false(sl_bytes_uuid_is_zero(&b));
        assert_false(sl_bytes_uuid_equal(&a, &b));
        a.bytes[i] = 1;
        assert_true(sl_bytes_uuid_equal(&a, &b));
        a.bytes[i] = b.bytes[i] = 0;
    }
}

/* Random bytes: readers stay inside and never read a number from behind a failure. */
static void test_random_input(void **state) {
    (void)state;
    struct sl_rng rng;
    sl_rng_init(&rng, 20);
    for (int round = 0; round < 2000; round++) {
        size_t size = (size_t)sl_rng_below(&rng, 40);
        uint8_t *buf = malloc(size + 1);
        assert_non_null(buf);
        for (size_t i = 0; i < size; i++) buf[i] = (uint8_t)(sl_rng_next(&rng) | 0x80);
        struct sl_reader r;
        sl_reader_init(&r, size == 0 ? NULL : buf, size);
        while (!r.failed) {
            size_t left = sl_reader_left(&r);
            if (sl_rng_chance(&rng, 1, 2))
                (void)sl_reader_varlong(&r);
            else
                (void)sl_reader_i8(&r);
            assert_true(sl_reader_left(&r) < left || r.failed);
        }
        assert_int_equal(sl_reader_left(&r), 0);
        free(buf);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varint_vectors),
        cmocka_unit_test(test_uvarint_vectors),
        cmocka_unit_test(test_varint_round_trips_at_the_borders),
        cmocka_unit_test(test_bad_varints_fail),
        cmocka_unit_test(test_integers_are_big_endian),
        cmocka_unit_test(test_loads_and_stores_at_any_alignment),
        cmocka_unit_test(test_reader_fails_at_every_cut),
        cmocka_unit_test(test_take_borrows),
        cmocka_unit_test(test_fixed_writer_stops_at_its_end),
        cmocka_unit_test(test_growing_writer_keeps_everything),
        cmocka_unit_test(test_writer_refuses_impossible_sizes),
        cmocka_unit_test(test_writer_survives_every_failing_allocation),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_uuids),
        cmocka_unit_test(test_random_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
