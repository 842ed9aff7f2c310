/* Goal: when a broker appends a batch and its answer is lost, an idempotent producer ends with one
 * copy and says WRITTEN; one without idempotence may write twice, but never says NOT_WRITTEN.
 * Method: the connection is cut after the request was executed; or the answer never comes and the
 * request times out; or the broker says that the followers were not in time. */
#include "scenario.h"

enum { RECORDS = 40 };

static void play(const struct sl_fault *fault, bool idempotent, int64_t most_copies) {
    struct story s;
    const char *const settings[] = {"linger.ms",
                                    "1",
                                    "batch.size",
                                    "400",
                                    "request.timeout.ms",
                                    "1000",
                                    "enable.idempotence",
                                    idempotent ? "true" : "false",
                                    NULL};
    story_begin(&s, 2, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    story_fault(&s, fault);
    for (int i = 0; i < RECORDS; i++) assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, RECORDS, 60000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), RECORDS);
    assert_true(story_log_end(&s, 0) >= RECORDS);
    assert_true(story_log_end(&s, 0) <= most_copies);
    assert_string_equal(story_end(&s), "");
}

static void test_cut_after(void **state) {
    struct sl_fault cut = {
        .kind = SL_FAULT_CUT_AFTER, .api = SL_API_PRODUCE, .partition = -1, .times = 2};
    (void)state;
    play(&cut, true, RECORDS);
    play(&cut, false, 3 * RECORDS);
}

static void test_silent(void **state) {
    struct sl_fault silent = {
        .kind = SL_FAULT_SILENT, .api = SL_API_PRODUCE, .partition = -1, .times = 2};
    (void)state;
    play(&silent, true, RECORDS);
    play(&silent, false, 3 * RECORDS);
}

static void test_doubtful_error(void **state) {
    struct sl_fault late = {.kind = SL_FAULT_ERROR,
                            .api = SL_API_PRODUCE,
                            .partition = -1,
                            .times = 2,
                            .executed = true,
                            .code = SLUICE_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND};
    (void)state;
    play(&late, true, RECORDS);
    late.code = SLUICE_KAFKA_REQUEST_TIMED_OUT;
    play(&late, true, RECORDS);
    play(&late, false, 3 * RECORDS);
}

/* A leader that lost its office while it waited for its followers has appended all the same: when
 * the producer gives up then, nobody knows. */
static void test_doubtful_error_and_expiry(void **state) {
    static const int codes[] = {SLUICE_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                                SLUICE_KAFKA_REQUEST_TIMED_OUT,
                                SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct story s;
        const char *const settings[] = {
            "linger.ms", "0", "request.timeout.ms", "500", "delivery.timeout.ms", "2000", NULL};
        struct sl_fault doubtful = {.kind = SL_FAULT_ERROR,
                                    .api = SL_API_PRODUCE,
                                    .partition = -1,
                                    .times = -1,
                                    .executed = true,
                                    .code = codes[i]};
        story_begin(&s, 1, 1);
        sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
        story_fault(&s, &doubtful);
        assert_int_equal(story_send(&s, p, 0, 0), 0);
        assert_true(story_await_reports(&s, p, 1, 5000));
        assert_int_equal(story_outcomes(&s, p, SLUICE_NOT_WRITTEN), 0);
        assert_string_equal(story_end(&s), "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_after), cmocka_unit_test(test_silent),
        cmocka_unit_test(test_doubtful_error), cmocka_unit_test(test_doubtful_error_and_expiry)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
