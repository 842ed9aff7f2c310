/* Goal: bugs that other clients have had in their consumers do not come back here. Each test names
 * its bug: the issue of Apache Kafka's Java client (KAFKA-n), of librdkafka, or the release or change
 * of franz-go that fixed it. Method: the story of the bug on the simulated world; offsets have to
 * follow each other, and the truth compares every record with the log.
 *
 * Elsewhere: corrupt records that were skipped (KAFKA-5211: bad_batch_test; core_fetcher_test:
 * what_came_behind_damage_is_dropped), positions behind compacted batches (KAFKA-5443, KAFKA-5630:
 * core_fetcher_test: the_next_offset_follows_the_header_not_the_records), inner offsets of compacted
 * batches (franz-go 5713ab8c: record_batch_read_test: test_offsets_with_gaps), batches that claim
 * records without bytes (franz-go 0dee723c, 3f3d1b44: record_batch_read_test:
 * test_counts_that_do_not_match), topics made again (KAFKA-12257, KAFKA-13488: topic_recreated_test),
 * fetches without progress that never rest (librdkafka #2118: core_fetch_session_test:
 * answers_without_progress_are_spaced), lists of commits that end in the wrong order (franz-go
 * 769d52d1, also core_committer_test: an_older_commit_never_overtakes), the clock's edges (librdkafka
 * #3034: every start of the simulator's plans). */
#include "scenario.h"

enum { RECORDS = 200, PARTITIONS = 4 };

/* Several batches a partition, and one of them at a time in an answer. */
static const char *const small[] = {"fetch.max.wait.ms",
                                    "100",
                                    "max.partition.fetch.bytes",
                                    "1500",
                                    "request.timeout.ms",
                                    "3000",
                                    "auto.offset.reset",
                                    "latest",
                                    "group.id",
                                    "g",
                                    "auto.commit.interval.ms",
                                    "200",
                                    NULL};

/* RECORDS in each partition of "t", and a consumer of nothing yet. */
static sluice_client *begin(struct story *s, int32_t nodes, int32_t partitions) {
    const char *const settings[] = {"linger.ms", "1", "batch.size", "500", NULL};
    story_begin(s, nodes, partitions);
    sluice_client *p = story_open(s, SLUICE_PRODUCER, settings);
    for (int i = 0; i < RECORDS * partitions; i++) {
        assert_int_equal(story_send(s, p, i % partitions, 100), 0);
        if (i % 10 == 0) story_run(s, 1);
    }
    assert_true(story_await_reports(s, p, (int64_t)RECORDS * partitions, 10000));
    return story_open(s, SLUICE_CONSUMER, small);
}
static void read_on(struct story *s, sluice_client *c, int64_t *next, int64_t count) {
    int64_t to = *next + count;
    assert_int_equal(story_read(s, c, next, count, 30000), 0);
    assert_true(*next >= to);
}
static void read_to_end(struct story *s, sluice_client *c, int64_t *next) {
    read_on(s, c, next, RECORDS - *next);
    assert_int_equal(*next, RECORDS);
}
static struct sl_fault fault_of(enum sl_fault_kind kind, int16_t api, int32_t times) {
    return (struct sl_fault){.kind = kind, .api = api, .partition = -1, .times = times};
}
static int commit_at(sluice_client *c, int64_t offset, sluice_op **op) {
    sluice_offsets *list = sluice_offsets_create();
    (void)sluice_offsets_add(list, "t", 0, offset);
    int rv = sluice_consumer_commit(c, list, 20000, op);
    sluice_offsets_free(list);
    return rv;
}
static int64_t committed(const struct story *s) {
    return sl_broker_committed(s->world->broker, "g", "t", 0);
}

/* All partitions of "t" at once. */
struct reading {
    int64_t next[PARTITIONS];
    int64_t total;
};
static void assign_all(sluice_client *c) {
    sluice_offsets *list = sluice_offsets_create();
    for (int32_t p = 0; p < PARTITIONS; p++) (void)sluice_offsets_add(list, "t", p, 0);
    assert_int_equal(sluice_consumer_assign(c, list), 0);
    sluice_offsets_free(list);
}
/* Until everything was read, in order, or a poll says no, or it takes too long. What poll said. */
static int read_all(struct story *s, sluice_client *c, struct reading *r) {
    int64_t until = story_now_ms(s) + 60000;
    while (r->total < (int64_t)RECORDS * PARTITIONS && story_now_ms(s) < until) {
        sluice_batch *batch;
        sluice_view v;
        int rv = sluice_consumer_poll(c, 1000, &batch);
        if (rv != 0) return rv;
        while (sluice_batch_next(batch, &v, sizeof v) == 1) {
            assert_int_equal(v.offset, r->next[v.partition]);
            r->next[v.partition]++;
            r->total++;
        }
        assert_int_equal(sluice_batch_finish(batch), 0);
    }
    return 0;
}

/* librdkafka 1.8.0, 2.2.0 (#4294), 2.3.0 (#4447): an error that passes was taken for a position that
 * does not exist, and auto.offset.reset jumped to the end. */
static void test_what_passes_does_not_reset(void **state) {
    static const int codes[] = {
        SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, SLUICE_KAFKA_LEADER_NOT_AVAILABLE,
        SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,     SLUICE_KAFKA_REQUEST_TIMED_OUT,
        SLUICE_KAFKA_REPLICA_NOT_AVAILABLE,      SLUICE_KAFKA_KAFKA_STORAGE_ERROR,
        SLUICE_KAFKA_FENCED_LEADER_EPOCH,        SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH,
        SLUICE_KAFKA_OFFSET_NOT_AVAILABLE,       SLUICE_KAFKA_UNKNOWN_TOPIC_ID};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct story s;
        struct sl_fault refused = fault_of(SL_FAULT_ERROR, SL_API_FETCH, 3);
        int64_t next = 20;
        sluice_client *c = begin(&s, 2, 1);
        refused.code = codes[i];
        assert_int_equal(story_assign(&s, c, 0, next), 0);
        read_on(&s, c, &next, 10);
        story_fault(&s, &refused);
        read_on(&s, c, &next, RECORDS / 2 - next);
        refused.api = SL_API_LIST_OFFSETS;
        story_fault(&s, &refused);
        next = 0;
        assert_int_equal(story_seek(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
        read_to_end(&s, c, &next);
        assert_string_equal(story_end(&s), "");
    }
}

/* The same of one that does not pass: it is told, and the position stays. librdkafka #4447. */
static void test_what_does_not_pass_does_not_reset(void **state) {
    struct story s;
    struct sl_fault refused = fault_of(SL_FAULT_ERROR, SL_API_FETCH, 1);
    int64_t next = 0;
    int rv = 0;
    (void)state;
    sluice_client *c = begin(&s, 2, 1);
    refused.code = SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED;
    assert_int_equal(story_assign(&s, c, 0, 0), 0);
    read_on(&s, c, &next, 10);
    story_fault(&s, &refused);
    for (int i = 0; rv == 0 && i < RECORDS; i++) rv = story_read(&s, c, &next, 1, 1000);
    assert_int_equal(rv, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_true(next < RECORDS);
    assert_int_equal(story_seek(&s, c, 0, next), 0);
    read_to_end(&s, c, &next);
    assert_string_equal(story_end(&s), "");
}

/* franz-go (9ab9e312, bbc88fe2): answers that left a partition out, or had it twice, ended it. */
static void test_odd_answers_end_no_partition(void **state) {
    static const int lies[] = {SL_FAULT_LIE_OMIT, SL_FAULT_LIE_DUPLICATE, SL_FAULT_LIE_SHUFFLE,
                               SL_FAULT_LIE_INVENT};
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct story s;
        struct reading r = {.total = 0};
        struct sl_fault lie = fault_of(SL_FAULT_LIE, SL_API_FETCH, 12);
        lie.code = lies[i];
        sluice_client *c = begin(&s, 1, PARTITIONS);
        story_fault(&s, &lie);
        assign_all(c);
        assert_int_equal(read_all(&s, c, &r), 0);
        assert_int_equal(r.total, (int64_t)RECORDS * PARTITIONS);
        assert_string_equal(story_end(&s), "");
    }
}

/* franz-go (799ec8c4): a partition that metadata had left out failed at once, or was never read. */
static void test_metadata_that_lacks_partitions(void **state) {
    struct story s;
    struct reading r = {.total = 0};
    struct sl_fault omit = fault_of(SL_FAULT_LIE, SL_API_METADATA, 5);
    (void)state;
    omit.code = SL_FAULT_LIE_OMIT;
    sluice_client *c = begin(&s, 3, PARTITIONS);
    story_fault(&s, &omit);
    assign_all(c);
    assert_int_equal(read_all(&s, c, &r), 0);
    assert_int_equal(r.total, (int64_t)RECORDS * PARTITIONS);
    assert_string_equal(story_end(&s), "");
}

/* librdkafka #4844: many records were taken in one call, an error came among them, and what stood
 * before it, or in other partitions, was left out. */
static void test_an_error_takes_no_records_along(void **state) {
    struct story s;
    struct reading r = {.total = 0};
    struct sl_fault refused = fault_of(SL_FAULT_ERROR, SL_API_FETCH, 1);
    (void)state;
    sluice_client *c = begin(&s, 1, PARTITIONS);
    refused.code = SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED;
    refused.partition = 2;
    refused.skip = 1;
    snprintf(refused.topic, sizeof refused.topic, "t");
    story_fault(&s, &refused);
    assign_all(c);
    story_run(&s, 1000); /* all that there is room for is here */
    assert_int_equal(read_all(&s, c, &r), SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(story_seek(&s, c, 2, r.next[2]), 0);
    assert_int_equal(read_all(&s, c, &r), 0);
    assert_int_equal(r.total, (int64_t)RECORDS * PARTITIONS);
    assert_string_equal(story_end(&s), "");
}

/* KAFKA-2942, KAFKA-18641: what had been fetched ahead was committed before anybody had seen it. */
static void test_prefetched_is_not_committed(void **state) {
    struct story s;
    sluice_batch *batch = NULL;
    sluice_view v;
    int64_t next = 0;
    (void)state;
    sluice_client *c = begin(&s, 1, 1);
    assert_int_equal(story_assign(&s, c, 0, 0), 0);
    read_on(&s, c, &next, 1);
    story_run(&s, 3000); /* the rest is here by now */
    assert_true(next < RECORDS);
    assert_int_equal(committed(&s), next);
    int64_t finished = next;
    assert_int_equal(sluice_consumer_poll(c, 1000, &batch), 0); /* one of several is processed */
    assert_int_equal(sluice_batch_next(batch, &v, sizeof v), 1);
    assert_true(sluice_batch_count(batch) > 1);
    assert_int_equal(sluice_batch_mark(batch, 0, 1), 0);
    finished++;
    story_run(&s, 3000);
    assert_int_equal(committed(&s), finished);
    story_free(&s, c); /* and it is gone */
    sluice_batch_free(batch);
    story_run(&s, 1000);
    assert_int_equal(committed(&s), finished);
    c = story_open(&s, SLUICE_CONSUMER, small);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_COMMITTED), 0);
    next = finished;
    read_to_end(&s, c, &next);
    assert_string_equal(story_end(&s), "");
}

/* librdkafka 1.9.0 (#3471), 2.4.0 (#2593, #4636, #4686): to resume a partition that was not paused
 * went back, and a seek while it was paused was forgotten when it was resumed. */
static void test_resume_goes_nowhere(void **state) {
    struct story s;
    sluice_batch *batch;
    int64_t next = 0;
    (void)state;
    sluice_client *c = begin(&s, 1, 1);
    assert_int_equal(story_assign(&s, c, 0, 0), 0);
    read_on(&s, c, &next, 30);
    assert_int_equal(sluice_consumer_resume(c, NULL), 0);
    read_on(&s, c, &next, 30);
    assert_int_equal(sluice_consumer_pause(c, NULL), 0);
    next = 100;
    assert_int_equal(story_seek(&s, c, 0, next), 0);
    assert_int_equal(sluice_consumer_poll(c, 2000, &batch), 0);
    assert_null(batch);
    assert_int_equal(sluice_consumer_resume(c, NULL), 0);
    read_on(&s, c, &next, 30);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sluice_consumer_pause(c, NULL), 0);
        story_run(&s, 300);
        assert_int_equal(sluice_consumer_resume(c, NULL), 0);
        read_on(&s, c, &next, 10);
    }
    read_to_end(&s, c, &next);
    assert_string_equal(story_end(&s), "");
}

/* librdkafka 2.1.1 (#4261): an answer that came while the leader changed was handed out, and then
 * fetched again. */
static void test_a_late_answer_is_not_read_twice(void **state) {
    struct story s;
    int64_t next = 0;
    (void)state;
    sluice_client *c = begin(&s, 3, 1);
    assert_int_equal(story_assign(&s, c, 0, 0), 0);
    for (int32_t round = 0; round < 9 && next < RECORDS; round++) {
        struct sl_fault late = fault_of(SL_FAULT_DELAY, SL_API_FETCH, 2);
        late.delay_ms = 150;
        story_fault(&s, &late);
        read_on(&s, c, &next, 1);
        story_run(&s, 30);
        story_move_leader(&s, 0, 1 + round % 3, round % 2 == 0);
        if (round % 3 == 0) assert_int_equal(story_seek(&s, c, 0, next), 0);
    }
    read_to_end(&s, c, &next);
    assert_string_equal(story_end(&s), "");
}

/* franz-go (0fec98de): the committed offset came after a seek, and undid it. KAFKA-7703: the same of
 * the end of the log. */
static void test_a_look_up_does_not_undo_a_seek(void **state) {
    static const int16_t apis[] = {SL_API_OFFSET_FETCH, SL_API_LIST_OFFSETS};
    static const int64_t symbols[] = {SLUICE_OFFSET_COMMITTED, SLUICE_OFFSET_LATEST};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;
        struct sl_fault late = fault_of(SL_FAULT_DELAY, apis[i], 1);
        int64_t next = 50;
        sluice_client *c = begin(&s, 1, 1);
        assert_int_equal(commit_at(c, 10, NULL), 0);
        late.delay_ms = 500;
        story_fault(&s, &late);
        assert_int_equal(story_assign(&s, c, 0, symbols[i]), 0);
        story_run(&s, 100);
        assert_int_equal(story_seek(&s, c, 0, next), 0);
        read_on(&s, c, &next, 10);
        story_run(&s, 1000);
        read_to_end(&s, c, &next);
        assert_string_equal(story_end(&s), "");
    }
}

/* franz-go (769d52d1): of two commits the older one ended last, and the group went back. */
static void test_commits_end_in_their_order(void **state) {
    struct story s;
    sluice_op *first, *second;
    struct sl_fault late = fault_of(SL_FAULT_DELAY, SL_API_OFFSET_COMMIT, 1);
    struct sl_fault lost = fault_of(SL_FAULT_SILENT, SL_API_OFFSET_COMMIT, 1);
    (void)state;
    sluice_client *c = begin(&s, 2, 1);
    late.delay_ms = 700;
    for (int64_t round = 0; round < 2; round++) {
        story_fault(&s, round == 0 ? &late : &lost);
        assert_int_equal(commit_at(c, 20 + round, &first), 0);
        story_run(&s, 5);
        assert_int_equal(commit_at(c, 90 + round, &second), 0);
        assert_int_equal(sluice_op_wait(second, 20000), 0);
        assert_int_equal(sluice_op_wait(first, 20000), 0);
        story_run(&s, 2000);
        assert_int_equal(committed(&s), 90 + round);
        sluice_op_free(first);
        sluice_op_free(second);
    }
    assert_string_equal(story_end(&s), "");
}

/* librdkafka 2.3.0 (#4442): an offset without a leader epoch was not committed when one with an epoch
 * had been before. */
static void test_an_offset_needs_no_epoch(void **state) {
    struct story s;
    int64_t next = 0;
    (void)state;
    sluice_client *c = begin(&s, 2, 1);
    story_move_leader(&s, 0, 2, true);
    assert_int_equal(story_assign(&s, c, 0, 0), 0);
    read_on(&s, c, &next, 20);
    assert_int_equal(sluice_consumer_commit(c, NULL, 5000, NULL), 0);
    assert_int_equal(committed(&s), next);
    assert_int_equal(commit_at(c, next + 7, NULL), 0);
    assert_int_equal(committed(&s), next + 7);
    assert_string_equal(story_end(&s), "");
}

/* franz-go (621b4b14): an answer of ListOffsets that had -1 for the offset made it read from 0. So it
 * is of a time behind all records. */
static void test_no_offset_is_not_the_beginning(void **state) {
    struct story s;
    sluice_offset o = {
        .topic = "t", .offset = SLUICE_OFFSET_AT_TIME, .timestamp_ms = INT64_MAX / 2};
    sluice_offsets *list = sluice_offsets_create();
    (void)state;
    sluice_client *c = begin(&s, 1, 1);
    assert_int_equal(sluice_offsets_put(list, &o, sizeof o), 0);
    assert_int_equal(sluice_offsets_resolve(c, list, 5000, NULL), 0);
    assert_int_equal(sluice_offsets_at(list, 0, &o, sizeof o), 1);
    assert_int_equal(o.offset, RECORDS);
    sluice_offsets_free(list);
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_passes_does_not_reset),
        cmocka_unit_test(test_what_does_not_pass_does_not_reset),
        cmocka_unit_test(test_odd_answers_end_no_partition),
        cmocka_unit_test(test_metadata_that_lacks_partitions),
        cmocka_unit_test(test_an_error_takes_no_records_along),
        cmocka_unit_test(test_prefetched_is_not_committed),
        cmocka_unit_test(test_resume_goes_nowhere),
        cmocka_unit_test(test_a_late_answer_is_not_read_twice),
        cmocka_unit_test(test_a_look_up_does_not_undo_a_seek),
        cmocka_unit_test(test_commits_end_in_their_order),
        cmocka_unit_test(test_an_offset_needs_no_epoch),
        cmocka_unit_test(test_no_offset_is_not_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
