/* ListOffsets and OffsetForLeaderEpoch at the bundled broker: the ends of a log, the first record
 * of a time, the greatest time, and where leader epochs end; trimmed logs among them. */
#include "broker_client.h"

struct place {
    int code;
    int64_t offset;
    int64_t timestamp;
    int32_t epoch;
};

static struct place ask_offset(struct client *c, struct client_link *l, int16_t version,
                               const char *topic, int32_t partition, int64_t timestamp,
                               int32_t leader_epoch) {
    struct sl_list_offsets_request request;
    struct sl_list_offsets_partition p = {partition, leader_epoch, timestamp};
    struct sl_list_offsets_topic t = {sl_bytes_str(topic), {&p, 1}};
    sl_codec_defaults(&sl_list_offsets_request_type, &request);
    request.replica_id = -1;
    request.topics = (struct sl_array){&t, 1};
    const struct sl_list_offsets_response *m =
        client_ask(c, l, SL_API_LIST_OFFSETS, version, &request);
    const struct sl_list_offsets_topic_response *out = client_item(&m->topics, 0, sizeof *out);
    const struct sl_list_offsets_partition_response *r =
        client_item(&out->partitions, 0, sizeof *r);
    assert_int_equal(r->partition, partition);
    return (struct place){r->error_code, r->offset, r->timestamp, r->leader_epoch};
}

static void expect_offset(struct client *c, struct client_link *l, int64_t asked, int64_t offset,
                          int64_t timestamp) {
    struct place p = ask_offset(c, l, 11, "t", 0, asked, -1);
    assert_int_equal(p.code, 0);
    assert_int_equal(p.offset, offset);
    assert_int_equal(p.timestamp, timestamp);
}

/* Batches of three records, with those times. */
static void append_times(struct client *c, int64_t first, int64_t step) {
    struct client_batch b;
    int64_t offset;
    client_batch_init(&b, 3);
    b.timestamp = first;
    b.step = step;
    client_build(&b);
    assert_int_equal(sl_broker_log_append(c->broker, "t", 0, b.data, b.size, &offset), 0);
}

static void test_ends(void **state) {
    (void)state;
    for (int16_t version = 1; version <= 11; version++) {
        struct client *c = client_start(1, 1);
        struct client_link *l = client_connect(c, 1);
        struct place p = ask_offset(c, l, version, "t", 0, SL_LIST_OFFSETS_LATEST, -1);
        assert_true(p.code == 0 && p.offset == 0 && p.timestamp == -1);
        append_times(c, 1000, 10);
        append_times(c, 2000, 10);
        p = ask_offset(c, l, version, "t", 0, SL_LIST_OFFSETS_EARLIEST, -1);
        assert_true(p.code == 0 && p.offset == 0 && p.timestamp == -1);
        p = ask_offset(c, l, version, "t", 0, SL_LIST_OFFSETS_LATEST, -1);
        assert_true(p.code == 0 && p.offset == 6 && p.timestamp == -1);
        if (version >= 4) assert_int_equal(p.epoch, 0);
        assert_int_equal(sl_broker_log_trim(c->broker, "t", 0, 4), 0);
        p = ask_offset(c, l, version, "t", 0, SL_LIST_OFFSETS_EARLIEST, -1);
        assert_int_equal(p.offset, 4);
        client_end(c);
    }
}

static void test_by_time(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    expect_offset(c, l, 0, -1, -1);
    append_times(c, 1000, 10); /* 1000 1010 1020 */
    append_times(c, 3000, -5); /* 3000 2995 2990 */
    append_times(c, 2000, 10); /* 2000 2010 2020 */
    expect_offset(c, l, 0, 0, 1000);
    expect_offset(c, l, 1000, 0, 1000);
    expect_offset(c, l, 1001, 1, 1010);
    expect_offset(c, l, 1020, 2, 1020);
    expect_offset(c, l, 1021, 3, 3000);
    expect_offset(c, l, 3000, 3, 3000);
    expect_offset(c, l, 3001, -1, -1); /* nothing is that young */
    expect_offset(c, l, SL_LIST_OFFSETS_MAX_TIMESTAMP, 3, 3000);
    /* What lies before the start is not found, inside a batch neither. */
    assert_int_equal(sl_broker_log_trim(c->broker, "t", 0, 4), 0);
    expect_offset(c, l, 0, 4, 2995);
    expect_offset(c, l, 2996, -1, -1);
    assert_int_equal(sl_broker_log_trim(c->broker, "t", 0, 9), 0);
    expect_offset(c, l, 0, -1, -1);
    expect_offset(c, l, SL_LIST_OFFSETS_MAX_TIMESTAMP, -1, -1);
    client_end(c);
}

/* Each special time has the version it came with; before it, and for others, a broker says 35. */
static void test_special_times_and_versions(void **state) {
    (void)state;
    static const struct {
        int64_t timestamp;
        int16_t since;
        int64_t offset;
    } cases[] = {
        {SL_LIST_OFFSETS_LATEST, 1, 3},
        {SL_LIST_OFFSETS_EARLIEST, 1, 0},
        {SL_LIST_OFFSETS_MAX_TIMESTAMP, 7, 2},
        {SL_LIST_OFFSETS_EARLIEST_LOCAL, 8, 0},
        {SL_LIST_OFFSETS_LATEST_TIERED, 9, -1}, /* nothing is tiered */
        {SL_LIST_OFFSETS_EARLIEST_PENDING, 11, -1},
        {-7, 12, -1},
        {INT64_MIN, 12, -1},
    };
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    append_times(c, 1000, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int16_t version = 1; version <= 11; version++) {
            struct place p = ask_offset(c, l, version, "t", 0, cases[i].timestamp, -1);
            bool known = version >= cases[i].since;
            assert_int_equal(p.code, known ? 0 : SLUICE_KAFKA_UNSUPPORTED_VERSION);
            assert_int_equal(p.offset, known ? cases[i].offset : -1);
        }
    }
    client_end(c);
}

static void test_errors(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 1);
    struct client_link *other = client_connect(c, 2);
    assert_int_equal(ask_offset(c, l, 11, "missing", 0, -1, -1).code,
                     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(ask_offset(c, l, 11, "t", 1, -1, -1).code,
                     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    struct place p = ask_offset(c, other, 11, "t", 0, -1, -1);
    assert_int_equal(p.code, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER);
    assert_int_equal(p.offset, -1);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    assert_int_equal(ask_offset(c, other, 11, "t", 0, -1, 1).code, 0);
    assert_int_equal(ask_offset(c, other, 11, "t", 0, -1, 0).code,
                     SLUICE_KAFKA_FENCED_LEADER_EPOCH);
    assert_int_equal(ask_offset(c, other, 11, "t", 0, -1, 2).code,
                     SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH);
    client_end(c);
}

/* ---- OffsetForLeaderEpoch (KIP-320) ---- */

static struct place ask_epoch(struct client *c, struct client_link *l, int16_t version,
                              int32_t partition, int32_t current, int32_t epoch) {
    struct sl_offset_for_leader_epoch_request request;
    struct sl_offset_for_leader_epoch_partition p = {partition, current, epoch};
    struct sl_offset_for_leader_epoch_topic t = {SL_STR("t"), {&p, 1}};
    sl_codec_defaults(&sl_offset_for_leader_epoch_request_type, &request);
    request.replica_id = -1;
    request.topics = (struct sl_array){&t, 1};
    const struct sl_offset_for_leader_epoch_response *m =
        client_ask(c, l, SL_API_OFFSET_FOR_LEADER_EPOCH, version, &request);
    const struct sl_offset_for_leader_epoch_topic_response *out =
        client_item(&m->topics, 0, sizeof *out);
    const struct sl_offset_for_leader_epoch_partition_response *r =
        client_item(&out->partitions, 0, sizeof *r);
    return (struct place){r->error_code, r->end_offset, -1, r->leader_epoch};
}

static void test_ends_of_epochs(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 1);
    append_times(c, 1, 1); /* epoch 0: 0 to 2 */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
        assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 1, true), 0);
        append_times(c, 1, 1); /* epoch 2: 3 to 5, epoch 4: 6 to 8 */
    }
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 1, true), 0);
    static const struct {
        int32_t asked, epoch;
        int64_t end;
    } cases[] = {{0, 0, 3}, {1, 0, 3}, {2, 2, 6},   {3, 2, 6},   {4, 4, 9},
                 {5, 4, 9}, {6, 6, 9}, {7, -1, -1}, {-1, -1, -1}};
    for (int16_t version = 2; version <= 4; version++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct place p = ask_epoch(c, l, version, 0, -1, cases[i].asked);
            assert_int_equal(p.code, 0);
            assert_int_equal(p.epoch, cases[i].epoch);
            assert_int_equal(p.offset, cases[i].end);
        }
    }
    /* Records say under which epoch they were written. */
    assert_int_equal(ask_offset(c, l, 11, "t", 0, SL_LIST_OFFSETS_EARLIEST, -1).epoch, 0);
    assert_int_equal(sl_broker_log_trim(c->broker, "t", 0, 4), 0);
    assert_int_equal(ask_offset(c, l, 11, "t", 0, SL_LIST_OFFSETS_EARLIEST, -1).epoch, 2);
    client_end(c);
}

static void test_errors_of_epochs(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 1);
    struct client_link *other = client_connect(c, 2);
    assert_int_equal(ask_epoch(c, l, 4, 1, -1, 0).code, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(ask_epoch(c, other, 4, 0, -1, 0).code, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER);
    assert_int_equal(ask_epoch(c, l, 4, 0, 1, 0).code, SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    assert_int_equal(ask_epoch(c, other, 4, 0, 0, 0).code, SLUICE_KAFKA_FENCED_LEADER_EPOCH);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_by_time),
        cmocka_unit_test(test_special_times_and_versions),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_ends_of_epochs),
        cmocka_unit_test(test_errors_of_epochs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
