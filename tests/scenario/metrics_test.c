/* Goal: the numbers of a bad hour are those of the story that is told, one by one.
 * Method: a producer of one partition; an answer is lost, a broker refuses, then is down until
 * records expire; after each the snapshot must say exactly that. */
#include "scenario.h"

static sluice_op *op;

static const sluice_table *take_snapshot(sluice_client *client) {
    sluice_op_free(op);
    assert_int_equal(sluice_metrics_snapshot(client, 1000, &op), 0);
    assert_int_equal(sluice_op_wait(op, 1000), 0);
    return sluice_op_table(op, "metrics");
}

static int64_t read_metric(const sluice_table *t, const char *group, const char *name,
                           const char *api) {
    for (int32_t row = 0; row < sluice_table_rows(t); row++) {
        const char *of = sluice_table_str(t, row, "api");
        if (strcmp(sluice_table_str(t, row, "group"), group) == 0 &&
            strcmp(sluice_table_str(t, row, "name"), name) == 0 &&
            (api == NULL || (of != NULL && strcmp(of, api) == 0)))
            return sluice_table_int(t, row, "value", -1);
    }
    fail_msg("there is no %s", name);
    return -1;
}
static int64_t metric(const sluice_table *t, const char *name) {
    return read_metric(t, "producer-metrics", name, NULL);
}

static void expect_records(const sluice_table *t, int64_t written, int64_t not_written,
                           int64_t maybe_written, int64_t sent) {
    assert_int_equal(metric(t, "record-written-total"), written);
    assert_int_equal(metric(t, "record-not-written-total"), not_written);
    assert_int_equal(metric(t, "record-maybe-written-total"), maybe_written);
    assert_int_equal(metric(t, "record-accept-total"), written + not_written + maybe_written);
    assert_int_equal(metric(t, "records-queued"), 0);
    assert_int_equal(metric(t, "record-send-total"), sent);
    assert_int_equal(metric(t, "buffer-available-bytes"), metric(t, "buffer-total-bytes"));
}

static void test_a_bad_hour(void **state) {
    const char *const settings[] = {
        "linger.ms", "5", "delivery.timeout.ms", "4000", "request.timeout.ms", "1000", NULL};
    struct sl_fault cut = {
        .kind = SL_FAULT_CUT_AFTER, .api = SL_API_PRODUCE, .partition = -1, .times = 1};
    struct sl_fault refused = {.kind = SL_FAULT_ERROR,
                               .api = SL_API_PRODUCE,
                               .partition = -1,
                               .times = 1,
                               .code = SLUICE_KAFKA_INVALID_RECORD};
    struct story s;
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    for (int i = 0; i < 10; i++) assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, 10, 10000));
    const sluice_table *t = take_snapshot(p);
    expect_records(t, 10, 0, 0, 10);
    assert_int_equal(metric(t, "batch-seal-total"), 1);
    assert_int_equal(metric(t, "record-retry-total"), 0);
    int64_t connects = metric(t, "connection-creation-total");
    assert_int_equal(metric(t, "connection-failure-total"), 0);

    /* The answer is lost with the connection: the batch is sent again, and known already. */
    story_fault(&s, &cut);
    for (int i = 0; i < 4; i++) assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, 14, 10000));
    t = take_snapshot(p);
    expect_records(t, 14, 0, 0, 18);
    assert_int_equal(metric(t, "record-retry-total"), 4);
    assert_int_equal(metric(t, "batch-seal-total"), 2);
    assert_int_equal(metric(t, "batch-send-total"), 3);
    assert_int_equal(metric(t, "connection-failure-total"), 1);
    assert_int_equal(metric(t, "connection-creation-total"), connects + 1);
    assert_int_equal(read_metric(t, "producer-api-metrics", "request-total", "Produce"), 3);
    assert_int_equal(read_metric(t, "producer-api-metrics", "response-total", "Produce"), 2);
    assert_int_equal(read_metric(t, "producer-api-metrics", "request-error-total", "Produce"), 1);
    assert_int_equal(story_log_end(&s, 0), 14);

    /* Refused for good. */
    story_fault(&s, &refused);
    for (int i = 0; i < 3; i++) assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, 17, 10000));
    t = take_snapshot(p);
    expect_records(t, 14, 3, 0, 21);
    assert_int_equal(metric(t, "record-expired-total"), 0);
    assert_int_equal(read_metric(t, "producer-topic-metrics", "record-error-total", NULL), 3);

    /* The broker is down: they never leave, and expire. */
    world_set_node(s.world, 1, SL_BROKER_DOWN);
    story_run(&s, 100);
    for (int i = 0; i < 5; i++) assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, 22, 20000));
    t = take_snapshot(p);
    expect_records(t, 14, 8, 0, 21);
    assert_int_equal(metric(t, "record-expired-total"), 5);
    assert_int_equal(metric(t, "connection-count"), 0);
    sluice_op_free(op);
    op = NULL;
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_bad_hour)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
