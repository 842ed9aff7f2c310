/* Goal: an application gets the metrics of every kind of client, in every kind of runtime, reads
 * them cell by cell or as text, and keeps the table as long as its op.
 * Method: clients on a bundled cluster; numbers that the application knows are compared. */
#include "support.h"

static const char topic[] = "orders";

static sluice_testbroker *make_cluster(void) {
    sluice_testbroker *tb = NULL;
    assert_int_equal(sluice_testbroker_create(1, NULL, &tb), 0);
    assert_int_equal(sluice_testbroker_topic(tb, topic, 2, 1), 0);
    return tb;
}

static const sluice_table *take_snapshot(sluice_client *client, sluice_op **op) {
    MUST(client, sluice_metrics_snapshot(client, 5000, op));
    MUST(client, sluice_op_wait(*op, 5000));
    const sluice_table *t = sluice_op_table(*op, NULL);
    assert_non_null(t);
    assert_ptr_equal(sluice_op_table(*op, "metrics"), t);
    assert_null(sluice_op_table(*op, "others"));
    return t;
}

/* The row of a metric of the whole client. */
static int32_t find_metric(const sluice_table *t, const char *group, const char *name) {
    for (int32_t row = 0; row < sluice_table_rows(t); row++)
        if (strcmp(sluice_table_str(t, row, "group"), group) == 0 &&
            strcmp(sluice_table_str(t, row, "name"), name) == 0)
            return row;
    fail_msg("there is no %s", name);
    return -1;
}

static int64_t read_metric(const sluice_table *t, const char *group, const char *name) {
    return sluice_table_int(t, find_metric(t, group, name), "value", -1);
}

static void a_producer_says_what_it_did(void **unused) {
    enum { COUNT = 200 };
    static const char *const settings[] = {"client.id", "shop", NULL};
    sluice_testbroker *tb = make_cluster();
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    sluice_op *op;
    (void)unused;
    for (int i = 0; i < COUNT; i++)
        MUST(p, sluice_producer_send(p, topic, NULL, 0, "value", 5, 5000));
    MUST(p, sluice_producer_flush(p, 10000, NULL));
    const sluice_table *t = take_snapshot(p, &op);
    assert_int_equal(read_metric(t, "producer-metrics", "record-accept-total"), COUNT);
    assert_int_equal(read_metric(t, "producer-metrics", "record-written-total"), COUNT);
    assert_int_equal(read_metric(t, "producer-metrics", "record-send-total"), COUNT);
    assert_int_equal(read_metric(t, "producer-metrics", "records-queued"), 0);
    assert_int_equal(read_metric(t, "producer-metrics", "buffer-total-bytes"),
                     read_metric(t, "producer-metrics", "buffer-available-bytes"));
    assert_int_equal(read_metric(t, "producer-topic-metrics", "record-send-total"), COUNT);
    assert_true(read_metric(t, "producer-metrics", "io-turn-total") >= 1);
    int32_t row = find_metric(t, "producer-metrics", "request-latency-max");
    assert_string_equal(sluice_table_str(t, row, "type"), "gauge");
    assert_string_equal(sluice_table_str(t, row, "client-id"), "shop");
    assert_null(sluice_table_str(t, row, "topic"));
    assert_true(sluice_table_real(t, row, "value", -1) > 0);
    row = find_metric(t, "producer-topic-metrics", "record-send-total");
    assert_string_equal(sluice_table_str(t, row, "topic"), topic);

    char *text = malloc(256 * 1024);
    assert_non_null(text);
    assert_true(sluice_table_text(t, SLUICE_TEXT_PROMETHEUS, text, 256 * 1024) > 0);
    check_says(text, "# TYPE sluice_producer_record_written_total counter\n"
                     "sluice_producer_record_written_total{client_id=\"shop\"} 200\n");
    check_says(text, "sluice_producer_topic_record_send_total{client_id=\"shop\","
                     "topic=\"orders\"} 200\n");
    assert_true(sluice_table_text(t, SLUICE_TEXT_JSON, text, 256 * 1024) > 0);
    check_says(text, "{\"group\":\"producer-metrics\",\"name\":\"record-written-total\","
                     "\"type\":\"counter\",\"value\":200,\"client-id\":\"shop\"}");
    assert_true(sluice_table_text(t, SLUICE_TEXT_COLUMNS, text, 256 * 1024) > 0);
    check_says(text, "record-written-total");
    free(text);

    /* The table is the op's, whatever becomes of the client. */
    MUST(p, sluice_client_close(p, 10000, NULL));
    sluice_client_free(p);
    assert_int_equal(read_metric(t, "producer-metrics", "record-written-total"), COUNT);
    assert_null(sluice_table_str(t, 0, "no such column"));
    sluice_op_free(op);
    sluice_testbroker_free(tb);
}

static void a_consumer_says_how_far_it_is_behind(void **unused) {
    enum { COUNT = 30 };
    sluice_testbroker *tb = make_cluster();
    sluice_record r = {0};
    sluice_runtime *rt;
    sluice_batch *b = NULL;
    sluice_view v;
    sluice_op *op;
    (void)unused;
    r.topic = topic;
    r.set = SLUICE_SET_PARTITION;
    r.value = "value";
    r.value_size = 5;
    for (int i = 0; i < COUNT; i++) assert_int_equal(sluice_testbroker_append(tb, &r, sizeof r), 0);
    /* Driven: the waiting calls run the loop. */
    assert_int_equal(sluice_runtime_create(SLUICE_RUNTIME_DRIVEN, NULL, &rt), 0);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, rt, NULL);
    sluice_offsets *from = sluice_offsets_create();
    sluice_offsets_add(from, topic, 0, SLUICE_OFFSET_EARLIEST);
    MUST(c, sluice_consumer_assign(c, from));
    sluice_offsets_free(from);
    const sluice_table *t = take_snapshot(c, &op);
    int32_t row = find_metric(t, "consumer-fetch-manager-metrics", "records-lag-max");
    assert_int_equal(sluice_table_int(t, row, "value", -7), -7); /* null: nothing is known yet */
    sluice_op_free(op);
    for (int count = 0; count < COUNT;) {
        MUST(c, sluice_consumer_poll(c, 5000, &b));
        assert_non_null(b);
        while (sluice_batch_next(b, &v, sizeof v) == 1) count++;
        MUST(c, sluice_batch_finish(b));
    }
    t = take_snapshot(c, &op);
    assert_int_equal(read_metric(t, "consumer-fetch-manager-metrics", "records-lag"), 0);
    assert_int_equal(read_metric(t, "consumer-fetch-manager-metrics", "records-consumed-total"),
                     COUNT);
    assert_int_equal(read_metric(t, "consumer-fetch-manager-metrics", "assigned-partitions"), 1);
    sluice_op_free(op);
    MUST(c, sluice_client_close(c, 5000, NULL));
    sluice_client_free(c);
    sluice_runtime_release(rt);
    sluice_testbroker_free(tb);
}

/* An admin client has the groups that all have, and no broker is needed for any of it. */
static void no_broker_is_needed(void **unused) {
    static const char *const settings[] = {"bootstrap.servers", "127.0.0.1:1", "log.to", "none",
                                           NULL};
    sluice_client *a;
    sluice_op *op;
    (void)unused;
    assert_int_equal(sluice_client_start(SLUICE_ADMIN, settings, &a), 0);
    const sluice_table *t = take_snapshot(a, &op);
    assert_int_equal(read_metric(t, "admin-client-metrics", "connection-count"), 0);
    sluice_op_free(op);
    MUST(a, sluice_client_close(a, 1000, NULL));
    sluice_client_free(a);
}

static void wrong_calls_are_told(void **unused) {
    static const char *const settings[] = {"bootstrap.servers", "127.0.0.1:1", "log.to", "none",
                                           NULL};
    sluice_client *p;
    sluice_op *op;
    char text[512];
    (void)unused;
    assert_int_equal(sluice_client_start(SLUICE_PRODUCER, settings, &p), 0);
    assert_int_equal(sluice_metrics_snapshot(NULL, 0, &op), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_metrics_snapshot(p, 0, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_metrics_snapshot(p, -3, &op), SLUICE_ERR_USAGE);
    assert_null(op);
    assert_null(sluice_op_table(NULL, NULL));
    const sluice_table *t = take_snapshot(p, &op);
    /* A column that there is not looks like a null, and leaves a story. */
    assert_int_equal(sluice_table_int(t, 0, "vaule", 5), 5);
    assert_true(sluice_client_explain(p, SLUICE_ERR_USAGE, text, sizeof text) > 0);
    check_says(text, "\"metrics\" has no column \"vaule\"");
    check_says(text, "value, client-id");
    sluice_op_free(op);
    MUST(p, sluice_client_close(p, 1000, NULL));
    assert_int_equal(sluice_metrics_snapshot(p, 0, &op), SLUICE_ERR_CLOSED);
    sluice_client_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_producer_says_what_it_did),
                                       cmocka_unit_test(a_consumer_says_how_far_it_is_behind),
                                       cmocka_unit_test(no_broker_is_needed),
                                       cmocka_unit_test(wrong_calls_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
