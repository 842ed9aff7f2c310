/* Fetch at the bundled broker: what is served and how much of it, the long poll, leader epochs and
 * hints. Sessions are in broker_session_test.c, Fetches that wait while others act in
 * broker_waiting_test.c. */
#include "broker_client.h"

static int32_t batch_size(const struct client *c, int64_t offset) {
    const uint8_t *data;
    size_t size;
    assert_int_equal(sl_broker_log_batch(c->broker, "t", 0, offset, &data, &size), 0);
    return (int32_t)size;
}

/* ---- what is served ---- */

static void test_every_version_serves(void **state) {
    (void)state;
    for (int16_t version = 4; version <= 18; version++) {
        struct client *c = client_start(1, 1);
        struct client_link *l = client_connect(c, 1);
        client_append(c, "t", 0, 3);
        client_append(c, "t", 0, 2);
        struct client_fetch f = client_fetch_one(version, "t", 0, 0);
        const struct sl_fetch_response *m = client_fetch(c, l, &f);
        const struct sl_fetch_partition_response *p = client_fetched(m, 0);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->session_id, 0);
        assert_int_equal(p->error_code, 0);
        assert_int_equal(p->high_watermark, 5);
        assert_int_equal(p->last_stable_offset, 5);
        assert_int_equal(p->log_start_offset, version < 5 ? -1 : 0);
        assert_int_equal(p->preferred_read_replica, -1);
        assert_int_equal(p->current_leader.leader_id, -1);
        assert_int_equal(p->diverging_epoch.epoch, -1);
        assert_int_equal(client_count_batches(p), 2);
        client_end(c);
    }
}

/* Whole batches: the one that holds the offset comes first. */
static void test_from_the_middle_of_a_batch(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_batch_info info;
    client_append(c, "t", 0, 3);
    client_append(c, "t", 0, 3);
    struct client_fetch f = client_fetch_one(13, "t", 0, 0);
    f.parts[0].offset = 4;
    const struct sl_fetch_partition_response *p = client_fetched(client_fetch(c, l, &f), 0);
    assert_int_equal(client_count_batches(p), 1);
    assert_int_equal(sl_batch_read_info(p->records.data, (size_t)p->records.size, &info), 0);
    assert_int_equal(info.base_offset, 3);
    client_end(c);
}

/* The bench mode's endless log is that of the first partitions; the others stay empty. */
static void test_bench_log_of_some_partitions(void **state) {
    (void)state;
    struct client *c = client_prepare(1);
    c->options.bench = true;
    c->options.bench_record_size = 100;
    c->options.bench_partitions = 1;
    client_create(c);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 2, 1), 0);
    struct client_link *l = client_connect(c, 1);
    for (int32_t partition = 0; partition < 2; partition++) {
        struct client_fetch f = client_fetch_one(13, "t", partition, 0);
        const struct sl_fetch_partition_response *p = client_fetched(client_fetch(c, l, &f), 0);
        assert_int_equal(p->error_code, 0);
        assert_int_equal(p->high_watermark > 0, partition == 0);
        assert_int_equal(client_count_batches(p) > 0, partition == 0);
    }
    client_end(c);
}

static void test_out_of_range(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    client_append(c, "t", 0, 3);
    client_append(c, "t", 0, 3);
    assert_int_equal(sl_broker_log_trim(c->broker, "t", 0, 4), 0);
    static const struct {
        int64_t offset;
        int code;
    } cases[] = {{3, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE},
                 {4, 0},
                 {6, 0},
                 {7, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE},
                 {-1, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client_fetch f = client_fetch_one(13, "t", 0, 0);
        f.parts[0].offset = cases[i].offset;
        const struct sl_fetch_partition_response *p = client_fetched(client_fetch(c, l, &f), 0);
        assert_int_equal(p->error_code, cases[i].code);
        assert_int_equal(p->high_watermark, cases[i].code == 0 ? 6 : -1);
        assert_int_equal(p->log_start_offset, cases[i].code == 0 ? 4 : -1);
    }
    client_end(c);
}

static void test_unknown_topics_and_partitions(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct client_fetch f = client_fetch_one(12, "missing", 0, 10000);
    /* An error is answered at once, whatever the request would wait for. */
    assert_int_equal(client_fetched(client_fetch(c, l, &f), 0)->error_code,
                     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    f.version = 13;
    f.parts[0].id.bytes[3] = 7;
    assert_int_equal(client_fetched(client_fetch(c, l, &f), 0)->error_code,
                     SLUICE_KAFKA_UNKNOWN_TOPIC_ID);
    f = client_fetch_one(13, "t", 1, 10000);
    assert_int_equal(client_fetched(client_fetch(c, l, &f), 0)->error_code,
                     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    client_end(c);
}

/* ---- how much (KIP-74) ---- */

static void test_byte_limits(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    for (int i = 0; i < 3; i++) client_append(c, "t", 0, 2);
    for (int i = 0; i < 3; i++) client_append(c, "t", 1, 2);
    int32_t size = batch_size(c, 0);
    static const struct {
        int most, part; /* in batches, and a byte less: */
        bool less;
        int first, second; /* batches of the two partitions */
    } cases[] = {
        {100, 100, false, 3, 3},
        {2, 100, false, 2, 0},
        {2, 100, true, 1, 0},
        {4, 100, false, 3, 1},
        {100, 2, false, 2, 2},
        {100, 2, true, 1, 1},
        /* One batch at least, of the first partition that has any, however small the limits. */
        {100, 1, true, 1, 0},
        {1, 100, true, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client_fetch f = client_fetch_one(13, "t", 0, 0);
        f.count = 2;
        f.parts[1] = (struct client_part){.topic = "t", .partition = 1};
        f.max_bytes = cases[i].most * size - cases[i].less;
        f.parts[0].max_bytes = f.parts[1].max_bytes = cases[i].part * size - cases[i].less;
        const struct sl_fetch_response *m = client_fetch(c, l, &f);
        assert_int_equal(client_count_batches(client_fetched(m, 0)), cases[i].first);
        assert_int_equal(client_count_batches(client_fetched(m, 1)), cases[i].second);
    }
    /* The first that has data is the second one listed when the other is read to its end. */
    struct client_fetch f = client_fetch_one(13, "t", 0, 0);
    f.count = 2;
    f.parts[0].offset = 6;
    f.parts[1] = (struct client_part){.topic = "t", .partition = 1};
    f.max_bytes = 1;
    const struct sl_fetch_response *m = client_fetch(c, l, &f);
    assert_int_equal(client_count_batches(client_fetched(m, 0)), 0);
    assert_int_equal(client_count_batches(client_fetched(m, 1)), 1);
    client_end(c);
}

/* ---- the long poll ---- */

static void test_waits_for_max_wait(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct client_fetch f = client_fetch_one(13, "t", 0, 500);
    client_put_fetch(c, l, &f);
    client_turn(c);
    assert_true(sl_broker_deadline(c->broker) == c->now + 500 * CLIENT_MS);
    client_advance(c, 499);
    assert_false(client_has_answer(l));
    client_advance(c, 1);
    const struct sl_fetch_partition_response *p = client_fetched(client_take(c, l), 0);
    assert_int_equal(p->error_code, 0);
    assert_int_equal(p->records.size, 0);
    assert_int_equal(p->high_watermark, 0);
    client_end(c);
}

static void test_no_wait(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct client_fetch f = client_fetch_one(13, "t", 0, 0);
    assert_int_equal(client_fetched(client_fetch(c, l, &f), 0)->records.size, 0);
    f.wait_ms = -5;
    assert_int_equal(client_fetched(client_fetch(c, l, &f), 0)->records.size, 0);
    f.wait_ms = 10000;
    f.min_bytes = 0;
    assert_int_equal(client_fetched(client_fetch(c, l, &f), 0)->records.size, 0);
    client_end(c);
}

static void test_waits_for_min_bytes(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    client_append(c, "t", 0, 1);
    struct client_fetch f = client_fetch_one(13, "t", 0, 1000);
    f.count = 2;
    f.parts[1] = (struct client_part){.topic = "t", .partition = 1};
    f.min_bytes = 3 * batch_size(c, 0);
    client_put_fetch(c, l, &f);
    client_turn(c);
    client_append(c, "t", 1, 1);
    client_advance(c, 100);
    assert_false(client_has_answer(l));
    client_append(c, "t", 0, 1); /* the bytes of all partitions count */
    client_turn(c);
    const struct sl_fetch_response *m = client_take(c, l);
    assert_int_equal(client_count_batches(client_fetched(m, 0)), 2);
    assert_int_equal(client_count_batches(client_fetched(m, 1)), 1);
    /* What is not enough is answered when the time is over. */
    f.min_bytes = 1 << 20;
    client_put_fetch(c, l, &f);
    client_advance(c, 999);
    assert_false(client_has_answer(l));
    client_advance(c, 1);
    assert_int_equal(client_count_batches(client_fetched(client_take(c, l), 0)), 2);
    client_end(c);
}

/* Other appends pass it by. */
static void test_others_do_not_wake_it(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct client_fetch f = client_fetch_one(13, "t", 0, 1000);
    client_put_fetch(c, l, &f);
    client_turn(c);
    client_append(c, "t", 1, 1);
    client_advance(c, 10);
    assert_false(client_has_answer(l));
    client_end(c);
}

static void test_errors_end_the_wait(void **state) {
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct client *c = client_start_alone(2);
        struct client_link *l = client_connect(c, 1);
        client_append(c, "t", 0, 2);
        struct client_fetch f = client_fetch_one(13, "t", 0, 10000);
        f.parts[0].offset = 2;
        if (what == 1) {
            f.parts[0].offset = 1;
            f.min_bytes = 100000;
        }
        client_put_fetch(c, l, &f);
        client_advance(c, 10);
        assert_false(client_has_answer(l));
        if (what == 0)
            assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
        else if (what == 1)
            assert_int_equal(sl_broker_log_trim(c->broker, "t", 0, 2), 0);
        else
            assert_int_equal(sl_broker_delete_topic(c->broker, "t"), 0);
        client_turn(c);
        static const int codes[] = {SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,
                                    SLUICE_KAFKA_OFFSET_OUT_OF_RANGE,
                                    SLUICE_KAFKA_UNKNOWN_TOPIC_ID};
        assert_int_equal(client_fetched(client_take(c, l), 0)->error_code, codes[what]);
        client_end(c);
    }
}

/* ---- leaders ---- */

static void test_leader_epochs(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 1, true), 0);
    static const struct {
        int32_t epoch;
        int code;
    } cases[] = {{-1, 0},
                 {0, SLUICE_KAFKA_FENCED_LEADER_EPOCH}, /* 0 is an epoch, not "unknown" */
                 {1, SLUICE_KAFKA_FENCED_LEADER_EPOCH},
                 {2, 0},
                 {3, SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client_fetch f = client_fetch_one(13, "t", 0, 0);
        f.parts[0].knows_epoch = true;
        f.parts[0].leader_epoch = cases[i].epoch;
        const struct sl_fetch_partition_response *p = client_fetched(client_fetch(c, l, &f), 0);
        assert_int_equal(p->error_code, cases[i].code);
        bool hinted = cases[i].code == SLUICE_KAFKA_FENCED_LEADER_EPOCH;
        assert_int_equal(p->current_leader.leader_id, hinted ? 1 : -1);
        assert_int_equal(p->current_leader.leader_epoch, hinted ? 2 : -1);
    }
    client_end(c);
}

/* KIP-595: who says under which epoch it has read is told where that log parts from this one. */
static void test_diverging_logs(void **state) {
    (void)state;
    static const struct {
        int64_t offset;
        int32_t last_epoch, code, epoch;
        int64_t end;
    } cases[] = {
        {4, 0, 0, -1, -1},  /* all there */
        {6, 0, 0, 0, 4},    /* it ends before */
        {9, 0, 0, 0, 4},    /* even where there is nothing at all */
        {5, 1, 0, 0, 4},    /* it never had that epoch */
        {7, 2, 0, -1, -1},  /* its own */
        {5, -1, 0, -1, -1}, /* nobody asks */
        {5, 9, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE, -1, -1},
    };
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 1);
    client_append(c, "t", 0, 4);
    client_append(c, "t", 0, 3);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    client_append(c, "t", 0, 3);
    /* Of epochs 0 and 1, which end at 7 and 10, the new leader has the first batch. */
    assert_int_equal(sl_broker_elect_unclean(c->broker, "t", 0, 1, 5, true), 0);
    client_append(c, "t", 0, 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client_fetch f = client_fetch_one(13, "t", 0, 10000);
        f.parts[0].offset = cases[i].offset;
        f.parts[0].knows_last = cases[i].last_epoch >= 0;
        f.parts[0].last_epoch = cases[i].last_epoch;
        if (cases[i].offset >= 7 && cases[i].last_epoch == 2) f.wait_ms = 0;
        const struct sl_fetch_partition_response *p = client_fetched(client_fetch(c, l, &f), 0);
        assert_int_equal(p->error_code, cases[i].code);
        assert_int_equal(p->diverging_epoch.epoch, cases[i].epoch);
        assert_int_equal(p->diverging_epoch.end_offset, cases[i].end);
        if (cases[i].end >= 0) assert_int_equal(p->records.size, 0);
    }
    client_end(c);
}

static void test_unclean_elections(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct sl_broker_log_view view;
    client_append(c, "t", 0, 4);
    assert_int_equal(sl_broker_elect_unclean(c->broker, "x", 0, 1, 0, true),
                     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(sl_broker_elect_unclean(c->broker, "t", 0, 2, 5, true),
                     SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    assert_int_equal(sl_broker_elect_unclean(c->broker, "t", 0, 9, 2, true), SLUICE_ERR_USAGE);
    assert_int_equal(sl_broker_log(c->broker, "t", 0, &view), 0);
    assert_int_equal(view.log_end, 4); /* nothing has changed */
    assert_int_equal(view.leader_epoch, 0);
    assert_int_equal(sl_broker_elect_unclean(c->broker, "t", 0, 2, 4, true), 0); /* it had all */
    assert_int_equal(sl_broker_elect_unclean(c->broker, "t", 0, 2, 0, true), 0);
    assert_int_equal(sl_broker_log(c->broker, "t", 0, &view), 0);
    assert_int_equal(view.log_end, 0);
    assert_int_equal(view.leader, 2);
    assert_int_equal(view.leader_epoch, 2);
    client_end(c);
}

/* KIP-951: the leader from version 12 on, where it listens from version 16 on. */
static void test_not_leader_hints(void **state) {
    (void)state;
    struct client *c = client_start_alone(2);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    for (int16_t version = 11; version <= 18; version++) {
        struct client_fetch f = client_fetch_one(version, "t", 0, 1000);
        const struct sl_fetch_response *m = client_fetch(c, l, &f);
        const struct sl_fetch_partition_response *p = client_fetched(m, 0);
        assert_int_equal(p->error_code, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER);
        assert_int_equal(p->current_leader.leader_id, version < 12 ? -1 : 2);
        assert_int_equal(p->current_leader.leader_epoch, version < 12 ? -1 : 1);
        assert_int_equal(m->node_endpoints.count, version < 16 ? 0 : 2);
    }
    client_end(c);
}

/* Behind a move that was not told, the old leader refuses, and from then on all know. */
static void test_untold_move_is_learned_by_asking(void **state) {
    (void)state;
    struct client *c = client_start_alone(2);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, false), 0);
    const struct sl_metadata_topic_response *t =
        client_described(client_metadata(c, l, 12, "t", false), 0);
    assert_int_equal(client_described_partition(t, 0)->leader_id, 1);
    assert_int_equal(client_described_partition(t, 0)->leader_epoch, 0);
    struct client_fetch f = client_fetch_one(13, "t", 0, 1000);
    assert_int_equal(client_fetched(client_fetch(c, l, &f), 0)->error_code,
                     SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER);
    t = client_described(client_metadata(c, l, 12, "t", false), 0);
    assert_int_equal(client_described_partition(t, 0)->leader_id, 2);
    assert_int_equal(client_described_partition(t, 0)->leader_epoch, 1);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version_serves),
        cmocka_unit_test(test_from_the_middle_of_a_batch),
        cmocka_unit_test(test_bench_log_of_some_partitions),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_unknown_topics_and_partitions),
        cmocka_unit_test(test_byte_limits),
        cmocka_unit_test(test_waits_for_max_wait),
        cmocka_unit_test(test_no_wait),
        cmocka_unit_test(test_waits_for_min_bytes),
        cmocka_unit_test(test_others_do_not_wake_it),
        cmocka_unit_test(test_errors_end_the_wait),
        cmocka_unit_test(test_leader_epochs),
        cmocka_unit_test(test_diverging_logs),
        cmocka_unit_test(test_unclean_elections),
        cmocka_unit_test(test_not_leader_hints),
        cmocka_unit_test(test_untold_move_is_learned_by_asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
