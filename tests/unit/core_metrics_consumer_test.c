/* Goal: what a consumer fetched, how far behind it is and what a Fetch takes is told exactly.
 * Method: a consumer with a scripted broker in virtual time (core_consumer.h); positions come from
 * the real gate, as the driver passes them. */
#include "core_consumer.h"

#include "core_metrics.h"

static const char fetch_group[] = "consumer-fetch-manager-metrics";

static const struct sl_table *snapshot(struct cons *c) {
    struct sl_op *op = host_op(c->h, 1000);
    struct sl_command *command = host_command_make(c->h, SL_COMMAND_METRICS, op, NULL);
    assert_int_equal(sl_offset_list_create(&c->h->memory.alloc, &command->offsets), 0);
    assert_int_equal(sl_gate_positions(c->gate, command->offsets), 0);
    sl_core_on_time(c->h->core, c->h->now, c->h->now / 1000000);
    sl_core_on_command(c->h->core, command);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, 0);
    return op->table; /* the op lies in the host's events until the end */
}

static void test_a_fetched_batch(void **state) {
    struct cons c;
    uint8_t batch[1024];
    int64_t size = (int64_t)cons_batch(batch, 0, 10, 9);
    (void)state;
    cons_start(&c);
    const struct sl_table *t = snapshot(&c);
    expect_metric(t, fetch_group, "assigned-partitions", 0);
    expect_null(t, fetch_group, "records-lag-max");
    expect_null(t, fetch_group, "fetch-latency-avg");
    cons_assign(&c, 2, 0);
    cons_turn(&c);
    cons_open_session(&c, 2, 0, 77); /* answered after 100 ms, with high watermark 1000 */
    t = snapshot(&c);
    expect_metric(t, fetch_group, "assigned-partitions", 2);
    expect_metric(t, fetch_group, "fetch-total", 1);
    expect_real(t, fetch_group, "fetch-latency-avg", 100);
    expect_metric_of(t, fetch_group, "records-lag", "partition", "0", 1000);
    expect_metric(t, fetch_group, "records-lag-max", 1000);
    expect_metric(t, fetch_group, "records-consumed-total", 0);

    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    a->throttle_ms = 50;
    cons_add_batch(a, 1, 0);
    cons_advance(&c, 20);
    cons_reply(&c, &fetch, a);
    t = snapshot(&c);
    expect_metric(t, fetch_group, "fetch-total", 2);
    expect_real(t, fetch_group, "fetch-latency-avg", 60);
    expect_real(t, fetch_group, "fetch-latency-max", 100);
    expect_metric(t, fetch_group, "records-consumed-total", 10);
    expect_metric(t, fetch_group, "bytes-consumed-total", size);
    expect_metric(t, fetch_group, "batches-consumed-total", 1);
    expect_real(t, fetch_group, "fetch-size-avg", (double)size / 2);
    expect_metric(t, fetch_group, "fetch-size-max", size);
    expect_real(t, fetch_group, "records-per-request-avg", 5);
    expect_metric(t, fetch_group, "fetch-throttle-time-max", 50);
    expect_metric(t, fetch_group, "fetch-throttle-time-total", 50);
    /* Fetched is not read: the lag is the application's. */
    expect_metric_of(t, fetch_group, "records-lag", "partition", "1", 1000);
    int64_t whole = c.h->settings.fetch_memory;
    expect_metric(t, fetch_group, "fetch-buffer-total-bytes", whole);
    const struct sl_cell *left =
        metric_value(t, fetch_group, "fetch-buffer-available-bytes", NULL, NULL);
    assert_true(left->as.number < whole);
    cons_expect(&c, 1, 0, 10);
    cons_turn(&c);
    t = snapshot(&c);
    expect_metric_of(t, fetch_group, "records-lag", "partition", "1", 990);
    expect_metric_of(t, fetch_group, "records-lag", "partition", "0", 1000);
    expect_metric(t, fetch_group, "fetch-buffer-available-bytes", whole);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_fetched_batch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
