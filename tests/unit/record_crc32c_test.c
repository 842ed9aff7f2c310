/* Goal: every form of CRC-32C gives the published sums, for any length, alignment and split.
 * Method: the vectors of RFC 3720; a bit-by-bit sum as the reference for all lengths up to a few
 * blocks of the interleaved form and around its block limits; sums continued at every point. */
#include "record/crc32c.h"

#include "base/rng.h"
#include "support.h"

enum { DATA_SIZE = 16 * 1024 };
static uint8_t data[DATA_SIZE + 16];

static uint32_t sum_bit_by_bit(uint32_t crc, const uint8_t *p, size_t size) {
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78U : 0);
    }
    return ~crc;
}

static int fill_data(void **state) {
    (void)state;
    struct sl_rng rng;
    sl_rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)sl_rng_next(&rng);
    return 0;
}

static void check_vector(const char *hex, uint32_t want) {
    uint8_t bytes[64];
    size_t size = test_hex(hex, bytes, sizeof bytes);
    assert_int_equal(sl_crc32c(0, bytes, size), want);
    assert_int_equal(sl_crc32c_table(0, bytes, size), want);
}

static void test_published_vectors(void **state) {
    (void)state;
    check_vector("", 0);
    check_vector("313233343536373839", 0xe3069283);
    check_vector("0000000000000000000000000000000000000000000000000000000000000000", 0x8a9136aa);
    check_vector("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x62a8ab43);
    check_vector("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd794e);
    check_vector("1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113fdb5c);
    check_vector("01c00000000000000000000000000000140000000000040000000014000000182800000000000000"
                 "0200000000000000",
                 0xd9963a56);
}

static void check_all_forms(uint32_t crc, const uint8_t *p, size_t size) {
    uint32_t want = sum_bit_by_bit(crc, p, size);
    assert_int_equal(sl_crc32c_table(crc, p, size), want);
    assert_int_equal(sl_crc32c_narrow(crc, p, size), want);
    assert_int_equal(sl_crc32c(crc, p, size), want);
}

static void test_every_length_and_alignment(void **state) {
    (void)state;
    for (size_t size = 0; size < 1300; size++)
        check_all_forms((uint32_t)size * 77, data + size % 16, size);
    for (size_t shift = 0; shift < 16; shift++) check_all_forms(0, data + shift, 1000);
}

static void test_lengths_around_block_limits(void **state) {
    (void)state;
    static const size_t limits[] = {384,  512,  1024,  768,   2048, 4096,
                                    6144, 6528, 12288, 12672, 16000};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (size_t size = limits[i] - 9; size <= limits[i] + 9; size++)
            check_all_forms(0x12345678, data + i, size);
    }
}

static void test_continued_at_every_point(void **state) {
    (void)state;
    enum { SIZE = 7000 };
    uint32_t want = sum_bit_by_bit(0, data, SIZE);
    for (size_t cut = 0; cut <= SIZE; cut += cut < 500 ? 1 : 113) {
        assert_int_equal(sl_crc32c(sl_crc32c(0, data, cut), data + cut, SIZE - cut), want);
        assert_int_equal(sl_crc32c_table(sl_crc32c(0, data, cut), data + cut, SIZE - cut), want);
    }
}

/* Two parts summed apart and joined are the whole, for every short cut and for long ones. */
static void test_parts_are_joined(void **state) {
    (void)state;
    for (size_t size = 0; size < 5000; size = size < 300 ? size + 1 : size * 3 / 2) {
        for (size_t cut = 0; cut <= size; cut += cut < 70 ? 1 : 61) {
            uint32_t first = sl_crc32c(0, data, cut);
            uint32_t second = sl_crc32c(0, data + cut, size - cut);
            uint32_t whole = sl_crc32c(0, data, size);
            assert_int_equal(sl_crc32c_join(first, second, size - cut), whole);
            assert_int_equal(sl_crc32c_join_table(first, second, size - cut), whole);
        }
    }
    /* Long ones: joining zeros that nobody has to read. */
    uint32_t crc = sl_crc32c(0, data, 100);
    for (size_t size = 1; size <= INT32_MAX / 2; size = size * 2 + 1)
        assert_int_equal(sl_crc32c_join(crc, 7, size), sl_crc32c_join_table(crc, 7, size));
}

static void test_notices_every_flipped_bit(void **state) {
    (void)state;
    uint32_t want = sl_crc32c(0, data, 900);
    for (size_t bit = 0; bit < 900 * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(sl_crc32c(0, data, 900), want);
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_every_length_and_alignment),
        cmocka_unit_test(test_lengths_around_block_limits),
        cmocka_unit_test(test_continued_at_every_point),
        cmocka_unit_test(test_parts_are_joined),
        cmocka_unit_test(test_notices_every_flipped_bit),
    };
    return cmocka_run_group_tests(tests, fill_data, NULL);
}
