/* Goal: a consumer reads everything whatever becomes of its fetch sessions: refused for want of
 * slots, forgotten by the node, taken over, or answered with an error.
 * Method: several partitions, records written while reading, and the session errors of KIP-227. */
#include "scenario.h"

enum { PARTITIONS = 6, RECORDS = 120 };

static void read_all(struct story *s, const struct sl_fault *fault) {
    const char *const settings[] = {"fetch.max.wait.ms", "100", "auto.offset.reset", "earliest",
                                    NULL};
    int64_t next[PARTITIONS] = {0}, total = 0;
    sluice_offsets *list = sluice_offsets_create();
    sluice_client *p = story_open(s, SLUICE_PRODUCER, NULL);
    sluice_client *c = story_open(s, SLUICE_CONSUMER, settings);
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(sluice_offsets_add(list, "t", i, SLUICE_OFFSET_EARLIEST), 0);
    assert_int_equal(sluice_consumer_assign(c, list), 0);
    sluice_offsets_free(list);
    for (int round = 0; round < 200 && total < RECORDS; round++) {
        sluice_batch *batch;
        sluice_view v;
        if (round < RECORDS) assert_int_equal(story_send(s, p, round % PARTITIONS, 0), 0);
        if (round == 20 && fault != NULL) story_fault(s, fault);
        assert_int_equal(sluice_consumer_poll(c, round < RECORDS ? 20 : 300, &batch), 0);
        while (sluice_batch_next(batch, &v, sizeof v) == 1) {
            assert_int_equal(v.offset, next[v.partition]);
            next[v.partition]++;
            total++;
        }
        assert_int_equal(sluice_batch_finish(batch), 0);
    }
    assert_int_equal(total, RECORDS);
    assert_true(story_await_reports(s, p, RECORDS, 10000));
}

static void play(int32_t slots, int code) {
    struct story s;
    struct sl_broker_options options;
    struct sl_fault fault = {
        .kind = SL_FAULT_ERROR, .api = SL_API_FETCH, .partition = -1, .times = 3, .code = code};
    sl_broker_options_init(&options);
    options.nodes = 2;
    options.session_slots = slots;
    options.cluster_id = "story";
    story_begin_with(&s, &options, PARTITIONS);
    read_all(&s, code == 0 ? NULL : &fault);
    assert_string_equal(story_end(&s), "");
}

static void test_slots(void **state) {
    (void)state;
    play(1000, 0);
    play(0, 0);
    play(1, 0);
}

static void test_errors(void **state) {
    (void)state;
    play(1000, SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    play(1000, SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH);
    play(0, SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
}

/* A node that restarts has forgotten its sessions. */
static void test_restart(void **state) {
    struct story s;
    const char *const settings[] = {"fetch.max.wait.ms", "100", NULL};
    int64_t next = 0;
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, settings);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    for (int round = 1; round <= 5; round++) {
        for (int i = 0; i < 10; i++) assert_int_equal(story_send(&s, p, 0, 0), 0);
        assert_int_equal(story_read(&s, c, &next, 10 * round - next, 20000), 0);
        assert_int_equal(next, 10 * round);
        world_set_node(s.world, 1, SL_BROKER_DOWN);
        story_run(&s, 50);
        world_set_node(s.world, 1, SL_BROKER_UP);
    }
    assert_true(story_await_reports(&s, p, 50, 20000));
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slots), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
