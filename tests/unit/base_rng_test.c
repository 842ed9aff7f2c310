/* Goal: the generator is xoshiro256** seeded by splitmix64, bit for bit, and the draws made from
 * it stay in their ranges, reach both ends and are even.
 * Method: the published first outputs of both algorithms; ranges at the edges of the types; counts
 * over many draws from fixed seeds, with wide margins. */
#include "support.h"

#include "base/rng.h"

static void test_published_outputs(void **state) {
    (void)state;
    static const uint64_t want[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    struct sl_rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) assert_true(sl_rng_next(&r) == want[i]);
    /* splitmix64 from 1234567. */
    sl_rng_init(&r, 1234567);
    assert_true(r.s[0] == UINT64_C(6457827717110365317));
    assert_true(r.s[1] == UINT64_C(3203168211198807973));
    assert_true(r.s[2] == UINT64_C(9817491932198370423));
    assert_true(r.s[3] == UINT64_C(4593380528125082431));
}

static void test_seeds_repeat_and_differ(void **state) {
    (void)state;
    struct sl_rng a;
    struct sl_rng b;
    struct sl_rng c;
    sl_rng_init(&a, 42);
    sl_rng_init(&b, 42);
    sl_rng_init(&c, 43);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t draw = sl_rng_next(&a);
        assert_true(draw == sl_rng_next(&b));
        same += draw == sl_rng_next(&c);
    }
    assert_int_equal(same, 0);
    sl_rng_init(&a, 0);
    assert_true(sl_rng_next(&a) != sl_rng_next(&a));
}

static void test_below_is_even(void **state) {
    (void)state;
    struct sl_rng r;
    sl_rng_init(&r, 7);
    int counts[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t v = sl_rng_below(&r, 10);
        assert_true(v < 10);
        counts[v]++;
    }
    for (int i = 0; i < 10; i++) assert_in_range(counts[i], 9500, 10500);
    for (int i = 0; i < 100; i++) assert_int_equal(sl_rng_below(&r, 1), 0);

    /* Where a plain remainder would favour the lower half two to one. */
    const uint64_t n = UINT64_C(3) << 62;
    int low = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t v = sl_rng_below(&r, n);
        assert_true(v < n);
        low += v < n / 2;
    }
    assert_in_range(low, 4700, 5300);
}

static void test_range_includes_both_ends(void **state) {
    (void)state;
    struct sl_rng r;
    sl_rng_init(&r, 8);
    int seen[5] = {0};
    for (int i = 0; i < 1000; i++) {
        int64_t v = sl_rng_range(&r, -2, 2);
        assert_true(v >= -2 && v <= 2);
        seen[v + 2]++;
    }
    for (int i = 0; i < 5; i++) assert_true(seen[i] > 100);
    assert_true(sl_rng_range(&r, 9, 9) == 9);
    assert_true(sl_rng_range(&r, INT64_MIN, INT64_MIN) == INT64_MIN);
    assert_true(sl_rng_range(&r, INT64_MAX, INT64_MAX) == INT64_MAX);
    int negative = 0;
    for (int i = 0; i < 1000; i++) negative += sl_rng_range(&r, INT64_MIN, INT64_MAX) < 0;
    assert_in_range(negative, 400, 600);
    for (int i = 0; i < 1000; i++) assert_true(sl_rng_range(&r, INT64_MIN + 1, -1) < 0);
}

static void test_chance(void **state) {
    (void)state;
    struct sl_rng r;
    sl_rng_init(&r, 9);
    int hits = 0;
    for (int i = 0; i < 10000; i++) {
        hits += sl_rng_chance(&r, 1, 4);
        assert_false(sl_rng_chance(&r, 0, 4));
        assert_true(sl_rng_chance(&r, 4, 4));
    }
    assert_in_range(hits, 2300, 2700);
}

static void test_jitter_is_a_fifth_both_ways(void **state) {
    (void)state;
    struct sl_rng r;
    sl_rng_init(&r, 10);
    int64_t least = INT64_MAX;
    int64_t most = 0;
    int64_t sum = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t v = sl_rng_jitter(&r, 1000);
        if (v < least) least = v;
        if (v > most) most = v;
        sum += v;
    }
    assert_int_equal(least, 800);
    assert_int_equal(most, 1200);
    assert_in_range(sum / 20000, 990, 1010);
    assert_int_equal(sl_rng_jitter(&r, 0), 0);
    assert_int_equal(sl_rng_jitter(&r, 4), 4);
    assert_int_equal(sl_rng_jitter(&r, -5), -5);
    for (int i = 0; i < 1000; i++)
        assert_true(sl_rng_jitter(&r, INT64_MAX) >= INT64_MAX - INT64_MAX / 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_outputs),
        cmocka_unit_test(test_seeds_repeat_and_differ),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_range_includes_both_ends),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_jitter_is_a_fifth_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
