/* Goal: who reads a partition next begins where the group has committed: after a close exactly
 * there, after a crash at most at what was finished, so that records may come again but none is
 * left out. A commit is done when its call says so, whatever happens to coordinator and answers.
 * Method: two consumers one after the other in a group, partitions assigned by hand; the broker's
 * own committed offsets are compared with what the first one had finished. */
#include "scenario.h"

enum { RECORDS = 300 };

static const char *const in_group[] = {"group.id",
                                       "g",
                                       "auto.offset.reset",
                                       "earliest",
                                       "fetch.max.wait.ms",
                                       "100",
                                       "max.partition.fetch.bytes",
                                       "2000",
                                       NULL};
static const char *const by_hand[] = {"group.id",
                                      "g",
                                      "auto.offset.reset",
                                      "earliest",
                                      "fetch.max.wait.ms",
                                      "100",
                                      "enable.auto.commit",
                                      "false",
                                      "max.partition.fetch.bytes",
                                      "2000",
                                      NULL};

static int64_t committed(const struct story *s) {
    return sl_broker_committed(s->world->broker, "g", "t", 0);
}

static void fill(struct story *s) {
    const char *const settings[] = {"linger.ms", "1", "batch.size", "500", NULL};
    sluice_client *p = story_open(s, SLUICE_PRODUCER, settings);
    for (int i = 0; i < RECORDS; i++) {
        int rv = story_send(s, p, 0, 100);
        assert_int_equal(rv, 0);
        if (i % 10 == 0) story_run(s, 1);
    }
    assert_true(story_await_reports(s, p, RECORDS, 10000));
}
static sluice_client *open_reader(struct story *s, const char *const *settings) {
    sluice_client *c = story_open(s, SLUICE_CONSUMER, settings);
    assert_non_null(c);
    int rv = story_assign(s, c, 0, SLUICE_OFFSET_COMMITTED);
    assert_int_equal(rv, 0);
    return c;
}
static void read_some(struct story *s, sluice_client *c, int64_t *next, int64_t count) {
    int rv = story_read(s, c, next, count, 10000);
    assert_int_equal(rv, 0);
}
static int commit_at(sluice_client *c, int64_t offset, int32_t timeout_ms) {
    sluice_offsets *list = sluice_offsets_create();
    (void)sluice_offsets_add(list, "t", 0, offset);
    int rv = sluice_consumer_commit(c, list, timeout_ms, NULL);
    sluice_offsets_free(list);
    return rv;
}
/* A new reader begins at `from` and comes to the end. */
static void expect_rest(struct story *s, int64_t from) {
    sluice_client *c = open_reader(s, in_group);
    read_some(s, c, &from, RECORDS - from);
    assert_int_equal(from, RECORDS);
}

static void test_close_and_resume(void **state) {
    (void)state;
    for (int is_auto = 0; is_auto < 2; is_auto++) {
        struct story s;
        int64_t next = 0;
        story_begin(&s, 3, 1);
        fill(&s);
        sluice_client *c = open_reader(&s, is_auto ? in_group : by_hand);
        read_some(&s, c, &next, 100);
        assert_true(next < RECORDS);
        assert_int_equal(committed(&s), -1);
        if (!is_auto) {
            int rv = sluice_consumer_commit(c, NULL, 5000, NULL);
            assert_int_equal(rv, 0);
            assert_int_equal(committed(&s), next);
        }
        int rv = sluice_client_close(c, 5000, NULL);
        assert_int_equal(rv, 0);
        assert_int_equal(committed(&s), next);
        expect_rest(&s, next);
        assert_string_equal(story_end(&s), "");
    }
}

/* Gone without a close, between finish and commit. */
static void test_crash(void **state) {
    struct story s;
    int64_t next = 0;
    (void)state;
    story_begin(&s, 3, 1);
    fill(&s);
    sluice_client *c = open_reader(&s, in_group);
    read_some(&s, c, &next, 50);
    int rv = sluice_consumer_commit(c, NULL, 5000, NULL);
    assert_int_equal(rv, 0);
    int64_t kept = next;
    read_some(&s, c, &next, 50);
    story_free(&s, c);
    story_run(&s, 6000);
    assert_int_equal(committed(&s), kept);
    expect_rest(&s, kept); /* those between came twice */
    assert_string_equal(story_end(&s), "");
}

static void test_ticks(void **state) {
    struct story s;
    int64_t next = 0;
    (void)state;
    story_begin(&s, 3, 1);
    fill(&s);
    sluice_client *c = open_reader(&s, in_group);
    read_some(&s, c, &next, 50);
    int64_t before = sl_broker_seen(s.world->broker, SL_API_OFFSET_COMMIT);
    story_run(&s, 5500);
    assert_int_equal(committed(&s), next);
    story_run(&s, 60000);
    assert_int_equal(sl_broker_seen(s.world->broker, SL_API_OFFSET_COMMIT), before + 1);
    assert_string_equal(story_end(&s), "");
}

/* The coordinator moves, by itself and because its node goes down, while commits are under way. */
static void test_coordinator_moves(void **state) {
    struct story s;
    struct sl_fault slow = {.kind = SL_FAULT_DELAY,
                            .api = SL_API_OFFSET_COMMIT,
                            .partition = -1,
                            .delay_ms = 50,
                            .times = -1};
    (void)state;
    story_begin(&s, 3, 1);
    fill(&s);
    story_fault(&s, &slow);
    sluice_client *c = open_reader(&s, by_hand);
    for (int round = 0; round < 6; round++) {
        sluice_op *op;
        int64_t next = 10 + round;
        sluice_offsets *list = sluice_offsets_create();
        (void)sluice_offsets_add(list, "t", 0, next);
        int rv = sluice_consumer_commit(c, list, 20000, &op);
        assert_int_equal(rv, 0);
        sluice_offsets_free(list);
        story_run(&s, round % 2 * 20);
        world_broker_begin(s.world);
        if (round < 4) {
            rv = sl_broker_move_coordinator(s.world->broker, "g", 1 + round % 3);
            assert_int_equal(rv, 0);
        } else {
            sl_broker_set_state(s.world->broker, round - 3, SL_BROKER_DOWN);
        }
        world_broker_end(s.world);
        rv = sluice_op_wait(op, 20000);
        assert_int_equal(rv, 0);
        sluice_op_free(op);
        assert_int_equal(committed(&s), next);
        if (round < 4) continue;
        world_broker_begin(s.world);
        sl_broker_set_state(s.world->broker, round - 3, SL_BROKER_UP);
        world_broker_end(s.world);
    }
    assert_string_equal(story_end(&s), "");
}

/* Every way in which an answer can be missing or say no for a while. */
static void test_faults(void **state) {
    static const struct sl_fault faults[] = {
        {.kind = SL_FAULT_ERROR, .code = SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS, .times = 3},
        {.kind = SL_FAULT_ERROR, .code = SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE, .times = 2},
        {.kind = SL_FAULT_ERROR, .code = SLUICE_KAFKA_NOT_COORDINATOR, .times = 2},
        {.kind = SL_FAULT_ERROR,
         .code = SLUICE_KAFKA_REQUEST_TIMED_OUT,
         .times = 2,
         .executed = true},
        {.kind = SL_FAULT_CUT_BEFORE, .times = 2},
        {.kind = SL_FAULT_CUT_AFTER, .times = 2},
        {.kind = SL_FAULT_SILENT, .times = 1}};
    struct story s;
    (void)state;
    story_begin(&s, 3, 1);
    fill(&s);
    sluice_client *c = open_reader(&s, by_hand);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct sl_fault fault = faults[i];
        int64_t next = 10 + (int64_t)i;
        int64_t at = next;
        fault.api = SL_API_OFFSET_COMMIT;
        fault.partition = -1;
        story_fault(&s, &fault);
        int rv = commit_at(c, next, 50000);
        assert_int_equal(rv, 0);
        assert_int_equal(committed(&s), next);
        /* And the same of OffsetFetch. */
        fault.api = SL_API_OFFSET_FETCH;
        story_fault(&s, &fault);
        rv = story_assign(&s, c, 0, 0);
        assert_int_equal(rv, 0);
        rv = story_seek(&s, c, 0, SLUICE_OFFSET_COMMITTED);
        assert_int_equal(rv, 0);
        rv = story_read(&s, c, &at, 1, 50000);
        assert_int_equal(rv, 0);
        assert_true(at > next);
    }
    assert_string_equal(story_end(&s), "");
}

static void test_refused(void **state) {
    struct story s;
    int64_t next = 0;
    char text[400];
    struct sl_fault no = {.kind = SL_FAULT_ERROR,
                          .api = SL_API_OFFSET_COMMIT,
                          .partition = -1,
                          .code = SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED,
                          .times = -1};
    (void)state;
    story_begin(&s, 1, 1);
    fill(&s);
    sluice_client *c = open_reader(&s, in_group);
    int rv = sluice_consumer_commit(c, NULL, 5000, NULL);
    assert_int_equal(rv, 0); /* nothing was handed out */
    story_fault(&s, &no);
    read_some(&s, c, &next, 20);
    rv = sluice_consumer_commit(c, NULL, 5000, NULL);
    assert_int_equal(rv, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    (void)sluice_client_explain(c, rv, text, sizeof text);
    assert_non_null(strstr(text, "t-0 at offset"));
    rv = sluice_client_close(c, 5000, NULL);
    assert_int_equal(rv, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_string_equal(story_end(&s), "");
}

/* A coordinator that is frozen keeps nobody: the close returns in time, and says so. */
static void test_frozen_close(void **state) {
    struct story s;
    int64_t next = 0;
    (void)state;
    story_begin(&s, 1, 1);
    fill(&s);
    sluice_client *c = open_reader(&s, in_group);
    read_some(&s, c, &next, 20);
    world_broker_begin(s.world);
    sl_broker_set_state(s.world->broker, 1, SL_BROKER_FROZEN);
    world_broker_end(s.world);
    int64_t before = story_now_ms(&s);
    int rv = sluice_client_close(c, 2000, NULL);
    assert_int_equal(rv, SLUICE_ERR_TIMEOUT);
    assert_in_range(story_now_ms(&s) - before, 1000, 2100);
    world_broker_begin(s.world);
    sl_broker_set_state(s.world->broker, 1, SL_BROKER_UP);
    world_broker_end(s.world);
    assert_string_equal(story_end(&s), "");
}

static void test_out_of_range(void **state) {
    struct story s;
    int64_t next = 0;
    (void)state;
    story_begin(&s, 1, 1);
    fill(&s);
    sluice_client *c = open_reader(&s, by_hand);
    read_some(&s, c, &next, 20);
    sluice_offsets *list = sluice_offsets_create();
    sluice_offset entry = {.topic = "t", .offset = 20, .metadata = "by hand"};
    int rv = sluice_offsets_put(list, &entry, sizeof entry);
    assert_int_equal(rv, 0);
    rv = sluice_consumer_commit(c, list, 5000, NULL);
    assert_int_equal(rv, 0);
    rv = sluice_offsets_add(list, "t", 0, SLUICE_OFFSET_COMMITTED);
    assert_int_equal(rv, 0);
    rv = sluice_offsets_resolve(c, list, 5000, NULL);
    assert_int_equal(rv, 0);
    assert_int_equal(sluice_offsets_at(list, 0, &entry, sizeof entry), 1);
    assert_int_equal(entry.offset, 20);
    assert_string_equal(entry.metadata, "by hand");
    sluice_offsets_free(list);
    rv = sluice_client_close(c, 5000, NULL);
    assert_int_equal(rv, 0);
    assert_int_equal(committed(&s), 20);
    world_broker_begin(s.world);
    rv = sl_broker_log_trim(s.world->broker, "t", 0, 50);
    assert_int_equal(rv, 0);
    world_broker_end(s.world);
    expect_rest(&s, 50);
    assert_string_equal(story_end(&s), "");
}

/* auto.offset.reset=latest has put the first reader at the end, and it goes before anything came:
 * what comes then is the second one's. */
static void test_crash_before_the_first_record(void **state) {
    const char *const latest[] = {"group.id", "g", "auto.offset.reset", "latest", NULL};
    const char *const at_once[] = {"linger.ms", "0", NULL};
    struct story s;
    int64_t next = RECORDS;
    (void)state;
    story_begin(&s, 3, 1);
    fill(&s);
    sluice_client *c = open_reader(&s, latest);
    story_run(&s, 1000);
    assert_int_equal(committed(&s), RECORDS);
    story_free(&s, c);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, at_once);
    for (int i = 0; i < 10; i++) {
        int rv = story_send(&s, p, 0, 100);
        assert_int_equal(rv, 0);
    }
    assert_true(story_await_reports(&s, p, RECORDS + 10, 10000));
    c = open_reader(&s, latest);
    read_some(&s, c, &next, 10);
    assert_int_equal(next, RECORDS + 10);
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_and_resume),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_coordinator_moves),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_frozen_close),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_crash_before_the_first_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
