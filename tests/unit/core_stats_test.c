/* Goal: recent values are those of the last 30 to 60 seconds whatever the rhythm they come in, and
 * a quantile is never below the true one, nor above it by more than a bucket.
 * Method: values are noted at chosen times and read back; random durations are compared with a
 * sorted copy. */
#include "core/stats.h"

#include "base/rng.h"
#include "unit/support.h"

#define SECOND INT64_C(1000000000)

static void expect_recent(const struct sl_mean *mean, int64_t now, int64_t count, int64_t sum,
                          int64_t most) {
    struct sl_stats_recent recent = sl_stats_recent(mean, now);
    assert_int_equal(recent.count, count);
    assert_int_equal(recent.sum, sum);
    assert_int_equal(recent.most, most);
}

static void test_values_age(void **state) {
    struct sl_mean mean = {0};
    (void)state;
    expect_recent(&mean, 0, 0, 0, 0);
    sl_stats_add(&mean, 0, 5);
    sl_stats_add(&mean, 29 * SECOND, 7);
    expect_recent(&mean, 29 * SECOND, 2, 12, 7);
    sl_stats_add(&mean, 30 * SECOND, 1); /* the next span */
    expect_recent(&mean, 59 * SECOND, 3, 13, 7);
    expect_recent(&mean, 60 * SECOND, 1, 1, 1); /* the first span is over, though nothing came */
    sl_stats_add(&mean, 61 * SECOND, 2);        /* takes its place */
    expect_recent(&mean, 61 * SECOND, 2, 3, 2);
    expect_recent(&mean, 3600 * SECOND, 0, 0, 0);
    assert_int_equal(mean.count, 4);
    assert_int_equal(mean.sum, 15);
}

static void test_spreads_age(void **state) {
    struct sl_spread spread = {0};
    (void)state;
    assert_int_equal(sl_stats_quantile(&spread, 0, 500), -1);
    sl_stats_add_time(&spread, 0, SECOND);
    sl_stats_add_time(&spread, 0, SECOND);
    sl_stats_add_time(&spread, 30 * SECOND, 1000);
    assert_int_equal(sl_stats_quantile(&spread, 30 * SECOND, 500), SECOND);
    assert_int_equal(sl_stats_quantile(&spread, 60 * SECOND, 500), 1000); /* never above the most */
    sl_stats_add_time(&spread, 61 * SECOND, 3000);
    assert_int_equal(sl_stats_quantile(&spread, 61 * SECOND, 990), 3000);
    assert_int_equal(sl_stats_quantile(&spread, 120 * SECOND, 990), -1);
}

/* Durations of every size, those beyond the last bucket too. */
static void test_ends_of_buckets(void **state) {
    static const int64_t durations[] = {
        -1,           0,       1,      3999,         4000,         15999999,
        16000,        1000000, SECOND, 134 * SECOND, 135 * SECOND, 3600 * SECOND,
        INT64_MAX / 4};
    (void)state;
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        struct sl_spread spread = {0};
        sl_stats_add_time(&spread, 0, durations[i]);
        sl_stats_add_time(&spread, 0, durations[i] > 0 ? durations[i] * 2 : 100);
        int64_t median = sl_stats_quantile(&spread, 0, 500);
        assert_true(median >= durations[i]);
        assert_int_equal(sl_stats_quantile(&spread, 0, 1000),
                         durations[i] > 0 ? durations[i] * 2 : 100);
    }
}

static int compare_times(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void test_quantiles_of_random_durations(void **state) {
    enum { TIMES = 2000 };
    static int64_t times[TIMES];
    static const int parts[] = {1, 100, 500, 900, 990, 999};
    struct sl_rng rng;
    (void)state;
    sl_rng_init(&rng, 7);
    for (int round = 0; round < 20; round++) {
        struct sl_spread spread = {0};
        for (int i = 0; i < TIMES; i++) {
            times[i] = sl_rng_range(&rng, 0, INT64_C(1) << sl_rng_range(&rng, 10, 36));
            sl_stats_add_time(&spread, 0, times[i]);
        }
        qsort(times, TIMES, sizeof times[0], compare_times);
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
            int64_t exact = times[(TIMES * parts[k] + 999) / 1000 - 1];
            int64_t told = sl_stats_quantile(&spread, 0, parts[k]);
            assert_true(told >= exact);
            assert_true(told <= exact + exact / 4 + 4000);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values_age),
                                       cmocka_unit_test(test_spreads_age),
                                       cmocka_unit_test(test_ends_of_buckets),
                                       cmocka_unit_test(test_quantiles_of_random_durations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
