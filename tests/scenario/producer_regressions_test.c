/* Goal: bugs that other clients have had in their producers do not come back here. Each test names
 * its bug: the issue of Apache Kafka's Java client (KAFKA-n), of librdkafka, or the release of
 * franz-go that fixed it. Method: the story of the bug on the simulated world; the truth compares
 * every report with the logs, the tap every batch with the one of the same sequence before.
 *
 * Elsewhere: buffers used again while a request still carries them (KAFKA-19012, KAFKA-17862,
 * KAFKA-7501: expired_in_write_test), sequences past 2^31 - 1 (KAFKA-7693: core_sender_test:
 * test_sequences_wrap), answers lost after an append (response_lost_test), close against a frozen
 * broker (KAFKA-8061, KAFKA-5503: close_frozen_test), the clock's edges (librdkafka #3034: every
 * start of the simulator's plans). */
#include "scenario.h"

enum { RECORDS = 200 };

static struct sl_fault refuse_produce(int code, int32_t skip, int32_t times) {
    return (struct sl_fault){.kind = SL_FAULT_ERROR,
                             .api = SL_API_PRODUCE,
                             .partition = -1,
                             .code = code,
                             .skip = skip,
                             .times = times};
}

static void send_some(struct story *s, sluice_client *p, int count) {
    for (int i = 0; i < count; i++) {
        assert_int_equal(story_send(s, p, 0, 0), 0);
        if (i % 10 == 9) story_run(s, 1);
    }
}

/* All are written once, and told so. */
static void end_well(struct story *s, sluice_client *p, int64_t records) {
    assert_true(story_await_reports(s, p, records, 60000));
    assert_int_equal(story_outcomes(s, p, SLUICE_WRITTEN), records);
    assert_int_equal(story_log_end(s, 0), records);
    assert_string_equal(story_end(s), "");
}

/* A producer with one batch for every few records; in_flight of them under way. */
static sluice_client *begin_with_flight(struct story *s, int32_t nodes, const char *in_flight) {
    const char *const settings[] = {"linger.ms",
                                    "1",
                                    "batch.size",
                                    "500",
                                    "request.timeout.ms",
                                    "1000",
                                    "max.in.flight.requests.per.connection",
                                    in_flight,
                                    NULL};
    story_begin(s, nodes, 1);
    return story_open(s, SLUICE_PRODUCER, settings);
}

/* librdkafka 1.9.0: metadata said that the topic was gone, the sequences of its partitions were
 * dropped, and the broker took the next records for duplicates. */
static void test_topic_flaps_in_metadata(void **state) {
    struct story s;
    struct sl_fault gone = {.kind = SL_FAULT_ERROR,
                            .api = SL_API_METADATA,
                            .partition = -1,
                            .code = SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                            .times = 3};
    (void)state;
    sluice_client *p = begin_with_flight(&s, 2, "5");
    send_some(&s, p, 50);
    assert_true(story_await_reports(&s, p, 50, 10000));
    story_fault(&s, &gone);
    story_move_leader(&s, 0, 2, true); /* it has to ask */
    send_some(&s, p, RECORDS - 50);
    end_well(&s, p, RECORDS);
}

/* franz-go 1.20.7, #1217: a request that timed out after the append was taken for not written, and
 * its sequence was given to another record, which the broker dropped as a duplicate. */
static void test_timed_out_is_not_unwritten(void **state) {
    struct story s;
    const char *const settings[] = {
        "linger.ms", "0", "request.timeout.ms", "500", "delivery.timeout.ms", "1000", NULL};
    struct sl_fault late = refuse_produce(SLUICE_KAFKA_REQUEST_TIMED_OUT, 0, -1);
    (void)state;
    late.executed = true;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, 1, 5000));
    story_fault(&s, &late);
    assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, 2, 5000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_MAYBE_WRITTEN), 1);
    sl_broker_heal(s.world->broker, 0);
    send_some(&s, p, 20);
    assert_true(story_await_reports(&s, p, 22, 20000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 21);
    assert_int_equal(story_log_end(&s, 0), 22);
    assert_string_equal(story_end(&s), "");
}

/* librdkafka #4953: a batch whose answer was lost was sent again under a new epoch after the leader
 * had moved, and stood in the log twice. */
static void test_no_copy_under_a_new_epoch(void **state) {
    struct story s;
    struct sl_fault cut = {
        .kind = SL_FAULT_CUT_AFTER, .api = SL_API_PRODUCE, .partition = -1, .times = 1};
    struct sl_fault order = refuse_produce(SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, 2, 1);
    (void)state;
    sluice_client *p = begin_with_flight(&s, 3, "5");
    send_some(&s, p, 50);
    assert_true(story_await_reports(&s, p, 50, 10000));
    story_fault(&s, &cut);
    story_fault(&s, &order);
    send_some(&s, p, 20);
    story_move_leader(&s, 0, 2, false);
    send_some(&s, p, 80);
    assert_true(story_await_reports(&s, p, 150, 60000));
    assert_true(story_log_end(&s, 0) <= 150); /* no record twice: what is open may be missing */
    assert_string_equal(story_end(&s), "");
}

/* librdkafka 2.5.0, #4736: a retried batch had other records than before, so that the broker could
 * not know it again. More records wait each time. */
static void test_retried_batches_do_not_grow(void **state) {
    struct story s;
    struct sl_fault silent = {
        .kind = SL_FAULT_SILENT, .api = SL_API_PRODUCE, .partition = -1, .skip = 1, .times = 3};
    (void)state;
    sluice_client *p = begin_with_flight(&s, 1, "5");
    story_fault(&s, &silent);
    for (int i = 0; i < 10; i++) {
        send_some(&s, p, RECORDS / 10);
        story_run(&s, 300);
    }
    end_well(&s, p, RECORDS);
}

/* librdkafka 2.3.0, #4438: a batch that was stored already was fatal on its retry. */
static void test_known_already_is_written(void **state) {
    struct story s;
    struct sl_fault known = refuse_produce(SLUICE_KAFKA_DUPLICATE_SEQUENCE_NUMBER, 3, 4);
    (void)state;
    known.executed = true;
    sluice_client *p = begin_with_flight(&s, 1, "5");
    story_fault(&s, &known);
    send_some(&s, p, RECORDS);
    end_well(&s, p, RECORDS);
}

/* KAFKA-3197, librdkafka #1092: two batches were ready, the first was refused, and the second
 * overtook it although one request was allowed at a time. */
static void test_one_in_flight_keeps_order(void **state) {
    struct story s;
    const char *const settings[] = {"linger.ms",
                                    "1",
                                    "batch.size",
                                    "300",
                                    "enable.idempotence",
                                    "false",
                                    "max.in.flight.requests.per.connection",
                                    "1",
                                    NULL};
    struct sl_fault busy = refuse_produce(SLUICE_KAFKA_NOT_ENOUGH_REPLICAS, 2, 5);
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    story_fault(&s, &busy);
    send_some(&s, p, RECORDS);
    end_well(&s, p, RECORDS);
}

/* KAFKA-5494, KAFKA-12152: with five batches under way, errors in the middle gave the wrong
 * sequences to those behind. */
static void test_five_in_flight_and_errors(void **state) {
    static const int codes[] = {
        SLUICE_KAFKA_NOT_ENOUGH_REPLICAS, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,
        SLUICE_KAFKA_KAFKA_STORAGE_ERROR, SLUICE_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND};
    struct story s;
    (void)state;
    for (int32_t skip = 0; skip < 6; skip++) {
        sluice_client *p = begin_with_flight(&s, 1, "5");
        for (int i = 0; i < 4; i++) {
            struct sl_fault f = refuse_produce(codes[i], skip + 3 * i, 1 + (skip + i) % 3);
            f.executed = codes[i] == SLUICE_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
            story_fault(&s, &f);
        }
        send_some(&s, p, RECORDS);
        end_well(&s, p, RECORDS);
    }
}

/* KAFKA-13794: an epoch that rose because of one partition was not used for the idle ones. */
static void test_idle_partition_takes_the_new_epoch(void **state) {
    struct story s;
    const char *const settings[] = {"linger.ms", "0", NULL};
    struct sl_fault order = refuse_produce(SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, 0, 1);
    (void)state;
    story_begin(&s, 1, 2);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    for (int32_t i = 0; i < 2; i++) assert_int_equal(story_send(&s, p, i, 0), 0);
    assert_true(story_await_reports(&s, p, 2, 5000));
    story_fault(&s, &order);
    assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, 3, 5000));
    for (int32_t i = 0; i < 2; i++) assert_int_equal(story_send(&s, p, i, 0), 0);
    assert_true(story_await_reports(&s, p, 5, 5000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 5);
    assert_string_equal(story_end(&s), "");
}

/* franz-go (6a4deb92): metadata without error and without partitions ended records as written. */
static void test_metadata_that_lacks_the_topic(void **state) {
    struct story s;
    struct sl_fault omit = {.kind = SL_FAULT_LIE,
                            .api = SL_API_METADATA,
                            .partition = -1,
                            .code = SL_FAULT_LIE_OMIT,
                            .times = 6};
    (void)state;
    story_begin(&s, 1, 1);
    story_fault(&s, &omit);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    send_some(&s, p, 30);
    end_well(&s, p, 30);
}

/* KAFKA-10520, KAFKA-13412: one request in flight and a broker that goes away was a deadlock.
 * KAFKA-12870: a flush that had failed made all later batches wait for linger, or none. */
static void test_flush_with_one_in_flight(void **state) {
    struct story s;
    const char *const settings[] = {"linger.ms", "60000", "max.in.flight.requests.per.connection",
                                    "1", NULL};
    struct sl_fault cut = {
        .kind = SL_FAULT_CUT_BEFORE, .api = SL_API_PRODUCE, .partition = -1, .times = 2};
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    story_fault(&s, &cut);
    send_some(&s, p, 20);
    assert_int_equal(sluice_producer_flush(p, 10, NULL), SLUICE_ERR_TIMEOUT);
    assert_int_equal(sluice_producer_flush(p, 20000, NULL), 0);
    send_some(&s, p, 1);
    assert_false(story_await_reports(&s, p, 21, 30000)); /* it lingers */
    int64_t began = story_now_ms(&s);
    assert_int_equal(sluice_producer_flush(p, 20000, NULL), 0);
    assert_true(story_now_ms(&s) - began < 100);
    end_well(&s, p, 21);
}

/* franz-go (2ec5b697, 7bb45911): records sent while the client closed, or was purged, were never
 * reported. */
static void test_discard_and_close_report_everything(void **state) {
    struct story s;
    const char *const settings[] = {"linger.ms", "50", NULL};
    (void)state;
    for (int round = 0; round < 8; round++) {
        story_begin(&s, 1, 1);
        sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
        int64_t sent = 0;
        for (int i = 0; i < 40; i++) {
            sent += story_send(&s, p, 0, 0) == 0;
            if (i % 7 == round) story_run(&s, 13);
            if (i == 20) assert_int_equal(sluice_producer_discard(p), 0);
        }
        assert_int_not_equal(sluice_client_close(p, round * 10, NULL), SLUICE_ERR_USAGE);
        assert_int_equal(story_send(&s, p, 0, 0), SLUICE_ERR_CLOSED);
        assert_true(story_await_reports(&s, p, sent, 0));
        assert_string_equal(story_end(&s), "");
    }
}

/* franz-go 1.17.1, 1.18.0 (68bf53c1): with room for one record, a refused one kept the room; and
 * who waits for room never waits for linger. */
static void test_room_for_one_record(void **state) {
    struct story s;
    const char *const settings[] = {
        "linger.ms",        "60000", "buffer.memory", "65536", "batch.size", "0",
        "max.request.size", "50000", "max.block.ms",  "20000", NULL};
    struct sl_fault bad = refuse_produce(SLUICE_KAFKA_INVALID_RECORD, 0, 3);
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    story_fault(&s, &bad);
    int64_t sent = 0;
    int64_t began = story_now_ms(&s);
    for (int i = 0; i < 12; i++) {
        sent += story_send_large(&s, p, 0, 40000, 5000) == 0;
        (void)story_await_reports(&s, p, sent, 1);
    }
    assert_int_equal(sent, 12);
    assert_true(story_now_ms(&s) - began < 15000);
    assert_int_not_equal(sluice_client_close(p, 20000, NULL), SLUICE_ERR_USAGE);
    assert_true(story_await_reports(&s, p, sent, 0));
    assert_int_equal(story_outcomes(&s, p, SLUICE_NOT_WRITTEN), 3);
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 9);
    assert_string_equal(story_end(&s), "");
}

/* KAFKA-3995, KAFKA-5340 and librdkafka, which does not split at all: batches larger than the
 * broker takes, several in flight, compressed or not. */
static void test_batches_too_large_are_split(void **state) {
    static const char *const codecs[] = {"none", "lz4", "zstd"};
    struct story s;
    (void)state;
    for (int c = 0; c < 3; c++) {
        const char *const settings[] = {"linger.ms", "20", "compression.type", codecs[c], NULL};
        struct sl_broker_options options;
        sl_broker_options_init(&options);
        options.nodes = 1;
        options.message_max = 2000;
        story_begin_with(&s, &options, 1);
        sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
        for (int round = 0; round < 5; round++) send_some(&s, p, RECORDS / 5);
        end_well(&s, p, RECORDS);
    }
}

/* KIP-467; librdkafka reads the errors of records and tells nobody. */
static void test_errors_of_records_are_told(void **state) {
    struct story s;
    const char *const settings[] = {"linger.ms", "20", NULL};
    struct sl_fault bad = refuse_produce(SLUICE_KAFKA_INVALID_RECORD, 0, 1);
    sluice_deliveries *set;
    sluice_delivery d;
    int32_t first = 0, last = 0, others = 0;
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    story_fault(&s, &bad);
    for (int i = 0; i < 10; i++) assert_int_equal(story_send(&s, p, 0, 0), 0);
    while (first + last + others < 10) {
        assert_int_equal(sluice_producer_deliveries(p, 10000, &set), 0);
        while (sluice_deliveries_next(set, &d, sizeof d) == 1) {
            assert_int_equal(d.code, SLUICE_KAFKA_INVALID_RECORD);
            assert_non_null(d.text);
            first += strstr(d.text, "the first record") != NULL;
            last += strstr(d.text, "the last record") != NULL;
            if (strstr(d.text, "dropped because") != NULL) others += d.count;
            for (int32_t i = 0; i < d.count; i++)
                truth_reported(&s.truth, 0, d.tags[i], d.outcome, d.code, d.topic, d.partition, -1);
        }
        sluice_deliveries_free(set);
    }
    assert_int_equal(first, 1);
    assert_int_equal(last, 1);
    assert_int_equal(others, 8);
    assert_string_equal(story_end(&s), "");
}

/* KIP-951: a producer went on with the old leader for a back-off and a Metadata round. KIP-516:
 * a topic id that the broker does not know yet ended the records. */
static void test_leader_and_topic_id_are_news(void **state) {
    struct story s;
    struct sl_fault unknown = refuse_produce(SLUICE_KAFKA_UNKNOWN_TOPIC_ID, 1, 3);
    (void)state;
    sluice_client *p = begin_with_flight(&s, 3, "5");
    send_some(&s, p, 50);
    assert_true(story_await_reports(&s, p, 50, 10000));
    story_move_leader(&s, 0, 3, true);
    int64_t began = story_now_ms(&s);
    send_some(&s, p, 1);
    assert_true(story_await_reports(&s, p, 51, 10000));
    assert_true(story_now_ms(&s) - began < 90); /* less than a retry.backoff.ms */
    story_fault(&s, &unknown);
    send_some(&s, p, 100);
    end_well(&s, p, 151);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topic_flaps_in_metadata),
        cmocka_unit_test(test_timed_out_is_not_unwritten),
        cmocka_unit_test(test_no_copy_under_a_new_epoch),
        cmocka_unit_test(test_retried_batches_do_not_grow),
        cmocka_unit_test(test_known_already_is_written),
        cmocka_unit_test(test_one_in_flight_keeps_order),
        cmocka_unit_test(test_five_in_flight_and_errors),
        cmocka_unit_test(test_idle_partition_takes_the_new_epoch),
        cmocka_unit_test(test_metadata_that_lacks_the_topic),
        cmocka_unit_test(test_flush_with_one_in_flight),
        cmocka_unit_test(test_discard_and_close_report_everything),
        cmocka_unit_test(test_room_for_one_record),
        cmocka_unit_test(test_batches_too_large_are_split),
        cmocka_unit_test(test_errors_of_records_are_told),
        cmocka_unit_test(test_leader_and_topic_id_are_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
