/* Goal: every counter moves by exactly what happened, and the table says so; a snapshot that cannot
 * be made says NOMEM and leaves nothing behind.
 * Method: a producer and a consumer with scripted brokers in virtual time (core_producer.h), so that
 * each number is known; the n-th allocation of a snapshot fails, for every n. */
#include "core_producer.h"

#include "core_metrics.h"

static struct prod_request req;

static struct sl_op *ask_metrics(struct host *h, const struct sl_mail_counts *mail) {
    struct sl_op *op = host_op(h, 1000);
    struct sl_command *command = host_command_make(h, SL_COMMAND_METRICS, op, NULL);
    if (mail != NULL) command->mail = *mail;
    sl_core_on_time(h->core, h->now, h->now / 1000000);
    sl_core_on_command(h->core, command);
    assert_int_equal(op->state, SL_OP_ENDED);
    return op;
}
/* The table of now, valid until the next. */
static const struct sl_table *snapshot(struct host *h) {
    struct sl_op *op = ask_metrics(h, NULL);
    assert_int_equal(op->code, 0);
    assert_non_null(op->table);
    assert_string_equal(op->table->name, "metrics");
    return op->table; /* the op lies in the host's events until the end */
}

static struct prod *start_producer(int32_t linger_ms) {
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = linger_ms;
    return prod_open(p);
}

/* The same, that has written a record to partition 0: everything is known. */
static struct prod *start_written(int32_t linger_ms) {
    struct prod *p = start_producer(linger_ms);
    prod_put(p, "t", 0, 1);
    prod_serve_for(p, 100);
    return p;
}

/* Two records linger 5 ms, one goes to another partition; the request takes 40 ms. */
static void test_one_request(void **state) {
    (void)state;
    struct prod *p = start_producer(5);
    const struct sl_table *t = snapshot(p->h);
    expect_metric(t, "producer-metrics", "record-accept-total", 0);
    expect_metric(t, "producer-metrics", "connection-count", 0);
    expect_null(t, "producer-metrics", "record-queue-time-avg");
    expect_null(t, "producer-metrics", "metadata-age");

    prod_put(p, "t", 0, 1);
    prod_put(p, "t", 0, 2);
    prod_put(p, "t", 1, 3);
    prod_turn(p); /* metadata */
    t = snapshot(p->h);
    expect_metric(t, "producer-metrics", "record-accept-total", 3);
    expect_metric(t, "producer-metrics", "records-queued", 3);
    expect_metric(t, "producer-metrics", "record-send-total", 0);
    prod_advance(p, 5);
    prod_answer_id(p, 0, 1000, 0);
    prod_advance(p, 0);
    assert_int_equal(prod_waiting(p), 1);
    t = snapshot(p->h);
    expect_metric(t, "producer-metrics", "record-send-total", 3);
    expect_metric(t, "producer-metrics", "records-queued", 3);
    expect_metric(t, "producer-metrics", "requests-in-flight", 1);
    expect_metric(t, "producer-metrics", "batch-seal-total", 2);
    expect_metric(t, "producer-metrics", "batch-send-total", 2);
    expect_metric_of(t, "producer-partition-metrics", "batches-in-flight", "partition", "0", 1);
    expect_metric_of(t, "producer-partition-metrics", "batches-in-flight", "partition", "1", 1);

    prod_next(p, &req);
    prod_advance(p, 40);
    prod_reply_with(p, &req, 300);
    prod_advance(p, 0);
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    t = snapshot(p->h);
    int64_t bytes = req.parts[0].info.size + req.parts[1].info.size;
    int64_t most = req.parts[0].info.size > req.parts[1].info.size ? req.parts[0].info.size
                                                                   : req.parts[1].info.size;
    expect_metric(t, "producer-metrics", "record-written-total", 3);
    expect_metric(t, "producer-metrics", "record-not-written-total", 0);
    expect_metric(t, "producer-metrics", "records-queued", 0);
    expect_metric(t, "producer-metrics", "requests-in-flight", 0);
    expect_metric(t, "producer-metrics", "byte-total", bytes);
    expect_metric(t, "producer-metrics", "batch-uncompressed-byte-total", bytes);
    expect_metric(t, "producer-metrics", "batch-sealed-byte-total", bytes);
    expect_real(t, "producer-metrics", "batch-size-avg", (double)bytes / 2);
    expect_metric(t, "producer-metrics", "batch-size-max", most);
    expect_real(t, "producer-metrics", "records-per-request-avg", 3);
    expect_real(t, "producer-metrics", "compression-rate-avg", 1);
    expect_real(t, "producer-metrics", "request-latency-avg", 40);
    expect_real(t, "producer-metrics", "request-latency-max", 40);
    expect_real(t, "producer-metrics", "request-latency-p99", 40);
    expect_real(t, "producer-metrics", "produce-throttle-time-avg", 300);
    expect_metric(t, "producer-metrics", "produce-throttle-time-total", 300);
    expect_metric_of(t, "producer-api-metrics", "request-total", "api", "Produce", 1);
    expect_metric_of(t, "producer-api-metrics", "response-total", "api", "Produce", 1);
    expect_real_of(t, "producer-api-metrics", "request-latency-total", "api", "Produce", 40);
    expect_metric_of(t, "producer-api-metrics", "throttle-time-total", "api", "Produce", 300);
    expect_metric_of(t, "producer-topic-metrics", "record-send-total", "topic", "t", 3);
    expect_metric_of(t, "producer-topic-metrics", "byte-total", "topic", "t", bytes);
    expect_metric_of(t, "producer-topic-metrics", "record-error-total", "topic", "t", 0);
    expect_real_of(t, "producer-node-metrics", "request-latency-max", "link", "produce", 40);
    prod_end(p);
}

/* What lingered, and what waited for its answer, is told in time; later it is forgotten. */
static void test_times(void **state) {
    (void)state;
    struct prod *p = start_written(5);
    p->h->now += 120 * SL_MS * 1000;
    prod_turn(p);
    expect_null(snapshot(p->h), "producer-metrics", "record-queue-time-avg");
    prod_put(p, "t", 0, 2);
    prod_advance(p, 5);
    prod_next(p, &req);
    prod_advance(p, 30);
    prod_reply(p, &req);
    const struct sl_table *t = snapshot(p->h);
    expect_real(t, "producer-metrics", "record-queue-time-avg", 5);
    expect_real(t, "producer-metrics", "record-queue-time-max", 5);
    expect_real(t, "producer-metrics", "record-delivery-time-avg", 35);
    expect_real(t, "producer-metrics", "record-delivery-time-p50", 35);
    expect_real(t, "producer-metrics", "request-latency-p50", 30);
    prod_advance(p, 60000);
    t = snapshot(p->h);
    expect_null(t, "producer-metrics", "record-queue-time-avg");
    expect_null(t, "producer-metrics", "request-latency-p99");
    expect_metric(t, "producer-metrics", "record-written-total", 2); /* counters stay */
    prod_end(p);
}

static void test_retry_refusal_and_expiry(void **state) {
    (void)state;
    struct prod *p = start_written(0);
    p->h->settings.delivery_timeout_ms = 5000;
    prod_put(p, "t", 0, 2);
    prod_turn(p);
    prod_answer(p, &req, SLUICE_KAFKA_NOT_ENOUGH_REPLICAS, -1);
    const struct sl_table *t = snapshot(p->h);
    expect_metric(t, "producer-metrics", "record-retry-total", 1);
    expect_metric_of(t, "producer-api-metrics", "request-retry-total", "api", "Produce", 1);
    expect_metric_of(t, "producer-partition-metrics", "batches-queued", "partition", "0", 1);
    prod_serve_for(p, 200);
    t = snapshot(p->h);
    expect_metric(t, "producer-metrics", "record-written-total", 2);
    expect_metric(t, "producer-metrics", "record-send-total", 3); /* the retry counts again */
    expect_metric(t, "producer-metrics", "batch-seal-total", 2);

    prod_put(p, "t", 0, 3);
    prod_turn(p);
    prod_answer(p, &req, SLUICE_KAFKA_MESSAGE_TOO_LARGE, -1);
    prod_put(p, "t", 1, 4);
    prod_put(p, "t", 1, 5);
    prod_turn(p);
    prod_next(p, &req); /* never answered */
    prod_advance(p, 5000);
    t = snapshot(p->h);
    expect_metric(t, "producer-metrics", "record-not-written-total", 1);
    expect_metric(t, "producer-metrics", "record-maybe-written-total", 2);
    expect_metric(t, "producer-metrics", "record-expired-total", 2);
    expect_metric_of(t, "producer-topic-metrics", "record-error-total", "topic", "t", 3);
    prod_end(p);
}

/* Records that wait for their topic expire without ever having been in a batch. */
static void test_expiry_without_a_batch(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.delivery_timeout_ms = 1000;
    p->h->topics[0].code = SLUICE_KAFKA_LEADER_NOT_AVAILABLE;
    p->h->topics[0].partition_count = 0;
    prod_open(p);
    prod_put(p, "t", -1, 1);
    prod_put(p, "t", -1, 2);
    prod_advance(p, 1500);
    prod_expect(p, 1, 2, SL_OUTCOME_NOT_WRITTEN);
    const struct sl_table *t = snapshot(p->h);
    expect_metric(t, "producer-metrics", "record-expired-total", 2);
    expect_metric(t, "producer-metrics", "record-not-written-total", 2);
    expect_metric(t, "producer-metrics", "batch-seal-total", 0);
    prod_end(p);
}

static void test_connections(void **state) {
    (void)state;
    struct prod *p = start_written(0);
    const struct sl_table *t = snapshot(p->h);
    uint64_t opened = p->h->core->stats.connects;
    assert_true(opened >= 1);
    expect_metric(t, "producer-metrics", "connection-creation-total", (int64_t)opened);
    expect_metric_of(t, "producer-node-metrics", "connection-creation-total", "link", "produce", 1);
    uint64_t closed = p->h->core->stats.closes;
    expect_metric(t, "producer-metrics", "connection-count", (int64_t)(opened - closed));
    prod_cut(p, 1);
    prod_turn(p);
    t = snapshot(p->h);
    expect_metric(t, "producer-metrics", "connection-close-total", (int64_t)closed + 1);
    expect_metric(t, "producer-metrics", "connection-count", (int64_t)(opened - closed) - 1);
    prod_put(p, "t", 0, 2);
    prod_serve_for(p, 2000);
    t = snapshot(p->h);
    expect_metric_of(t, "producer-node-metrics", "connection-creation-total", "link", "produce", 2);
    uint64_t in = 0, out = 0, requests = 0;
    SL_LIST_EACH(node, tmp, &p->h->core->links.all) {
        const struct sl_link *link = SL_LIST_OF(node, const struct sl_link, node);
        in += link->counts.bytes_in;
        out += link->counts.bytes_out;
        requests += link->counts.requests;
    }
    /* Links of seeds may be gone by now: the whole is never less than its parts. */
    assert_true(p->h->core->stats.bytes_in >= in && in > 0);
    assert_true(p->h->core->stats.bytes_out >= out && out > 0);
    assert_true(p->h->core->stats.requests >= requests && requests > 0);
    prod_end(p);
}

static void test_request_timeout(void **state) {
    (void)state;
    struct prod *p = start_written(0);
    p->h->settings.request_timeout_ms = 1000;
    prod_put(p, "t", 0, 2);
    prod_turn(p);
    prod_next(p, &req);
    prod_advance(p, 1000);
    const struct sl_table *t = snapshot(p->h);
    expect_metric(t, "producer-metrics", "request-timeout-total", 1);
    expect_metric(t, "producer-metrics", "connection-failure-total", 1);
    expect_metric_of(t, "producer-api-metrics", "request-error-total", "api", "Produce", 1);
    expect_metric(t, "producer-metrics", "record-retry-total", 1);
    prod_end(p);
}

static void test_mailboxes(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.buffer_memory = 1000000;
    prod_open(p);
    struct sl_mail_counts mail = {.used = 300000, .unread = 1000, .waiting = 2, .wakes = 17};
    const struct sl_table *t = ask_metrics(p->h, &mail)->table;
    expect_metric(t, "producer-metrics", "buffer-total-bytes", 1000000);
    expect_metric(t, "producer-metrics", "buffer-available-bytes", 700000);
    expect_metric(t, "producer-metrics", "buffer-unread-bytes", 1000);
    expect_metric(t, "producer-metrics", "waiting-threads", 2);
    expect_metric(t, "producer-metrics", "io-wake-total", 17);
    mail.used = 1100000;
    t = ask_metrics(p->h, &mail)->table;
    expect_metric(t, "producer-metrics", "buffer-available-bytes", -100000);
    prod_end(p);
}

/* Compression: sizes before and after. */
static void test_compression(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 5;
    p->h->settings.codec = SL_CODEC_LZ4;
    p->plain_values = true;
    prod_open(p);
    uint8_t value[1500] = {0};
    struct sl_staging_input in = {.topic = "t",
                                  .value = value,
                                  .value_size = sizeof value,
                                  .tag = 1,
                                  .flags = SL_STAGED_PARTITION | SL_STAGED_KEY_NULL};
    assert_int_equal(prod_put_input(p, &in), 0);
    prod_serve_for(p, 100);
    const struct sl_stats *s = &p->h->core->stats;
    assert_int_equal(s->batches_sealed, 1);
    assert_true(s->bytes_uncompressed > 1500 && s->bytes_sealed < 200);
    assert_int_equal(s->bytes_sealed, s->bytes_sent);
    expect_real(snapshot(p->h), "producer-metrics", "compression-rate-avg",
                (double)((int64_t)s->bytes_sealed * 1000000 / (int64_t)s->bytes_uncompressed) /
                    1e6);
    prod_end(p);
}

/* All that names a row, its value left out. */
static void name_row(const struct sl_table *t, int32_t row, int32_t columns, char out[512]) {
    char buf[64];
    size_t size = 0;
    for (int32_t i = 0; i < columns; i++)
        if (strcmp(t->columns[i], "value") != 0)
            size += (size_t)snprintf(out + size, 512 - size, "%s|",
                                     metric_cell(t, row, t->columns[i], buf));
    assert_true(size < 512);
}

/* Rows of one metric lie together, and none is there twice: text formats need both. */
static void test_rows_are_grouped(void **state) {
    (void)state;
    struct prod *p = start_producer(0);
    for (int32_t i = 0; i < 3; i++) prod_put(p, "t", i, (uint64_t)i);
    prod_serve_for(p, 100);
    const struct sl_table *t = snapshot(p->h);
    char row_name[512], other[512], metric[512], before[512];
    assert_true(t->row_count > 80);
    for (int32_t row = 1; row < t->row_count; row++) {
        name_row(t, row, t->column_count, row_name);
        name_row(t, row, 2, metric);
        name_row(t, row - 1, 2, before);
        bool is_new = strcmp(metric, before) != 0;
        for (int32_t i = 0; i < row; i++) {
            name_row(t, i, t->column_count, other);
            assert_string_not_equal(other, row_name);
            name_row(t, i, 2, other);
            if (is_new) assert_string_not_equal(other, metric);
        }
    }
    prod_end(p);
}

static void test_no_memory(void **state) {
    (void)state;
    struct prod *p = start_written(0);
    int failures = 0;
    for (int n = 1; n < 100; n++) {
        struct sl_op *op = host_op(p->h, 1000);
        struct sl_command *command = host_command_make(p->h, SL_COMMAND_METRICS, op, NULL);
        test_memory_fail_at(&p->h->memory, p->h->memory.calls + n);
        sl_core_on_command(p->h->core, command);
        test_memory_fail_at(&p->h->memory, 0);
        assert_int_equal(op->state, SL_OP_ENDED);
        if (op->code == 0) {
            assert_non_null(op->table);
            assert_true(failures >= 4);
            prod_end(p);
            return;
        }
        assert_int_equal(op->code, SLUICE_ERR_NOMEM);
        assert_null(op->table);
        failures++;
    }
    fail_msg("it never succeeds");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_request),
                                       cmocka_unit_test(test_times),
                                       cmocka_unit_test(test_retry_refusal_and_expiry),
                                       cmocka_unit_test(test_expiry_without_a_batch),
                                       cmocka_unit_test(test_connections),
                                       cmocka_unit_test(test_request_timeout),
                                       cmocka_unit_test(test_mailboxes),
                                       cmocka_unit_test(test_compression),
                                       cmocka_unit_test(test_rows_are_grouped),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
