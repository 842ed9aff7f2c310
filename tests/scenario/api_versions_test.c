/* Goal: the client speaks with every release of the broker from 2.1 on, with clusters whose nodes
 * differ, and with nodes that change: ApiVersions falls back where it has to.
 * Method: the cluster pretends to be one release after the other; nodes are capped one by one; the
 * ApiVersions answer is an error, or the connection ends instead of it. Records go in and come out
 * each time. */
#include "scenario.h"

static void pass_records(struct story *s, int count) {
    const char *const settings[] = {"fetch.max.wait.ms", "100", NULL};
    int64_t next = 0;
    sluice_client *p = story_open(s, SLUICE_PRODUCER, NULL);
    for (int i = 0; i < count; i++) assert_int_equal(story_send(s, p, 0, 0), 0);
    assert_true(story_await_reports(s, p, count, 30000));
    assert_int_equal(story_outcomes(s, p, SLUICE_WRITTEN), count);
    sluice_client *c = story_open(s, SLUICE_CONSUMER, settings);
    assert_int_equal(story_assign(s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    assert_int_equal(story_read(s, c, &next, count, 30000), 0);
    assert_int_equal(next, count);
}

static void test_releases(void **state) {
    static const char *const releases[] = {"2.1", "2.4", "2.8", "3.0", "3.5",
                                           "3.9", "4.0", "4.1", "4.2"};
    (void)state;
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++) {
        struct story s;
        story_begin(&s, 2, 1);
        assert_int_equal(sl_broker_cap_release(s.world->broker, releases[i]), 0);
        pass_records(&s, 20);
        assert_string_equal(story_end(&s), "");
    }
}

static void test_mixed_nodes(void **state) {
    struct story s;
    (void)state;
    story_begin(&s, 3, 1);
    assert_int_equal(sl_broker_cap_node_release(s.world->broker, 1, "2.1"), 0);
    assert_int_equal(sl_broker_cap_node_release(s.world->broker, 2, "3.5"), 0);
    for (int32_t node = 1; node <= 3; node++) {
        story_move_leader(&s, 0, node, true);
        sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
        s.reports = 0;
        for (int i = 0; i < 10; i++) assert_int_equal(story_send(&s, p, 0, 0), 0);
        assert_true(story_await_reports(&s, p, 10, 30000));
        assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 10);
    }
    assert_string_equal(story_end(&s), "");
}

/* The leader moves while records flow, from the oldest release to the newest and back. */
static void test_downgrade(void **state) {
    struct story s;
    (void)state;
    story_begin(&s, 2, 1);
    assert_int_equal(sl_broker_cap_node_release(s.world->broker, 1, "2.1"), 0);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(story_send(&s, p, 0, 0), 0);
        if (i % 20 == 0) story_move_leader(&s, 0, 1 + i / 20 % 2, true);
        story_run(&s, 10);
    }
    assert_true(story_await_reports(&s, p, 200, 60000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 200);
    assert_string_equal(story_end(&s), "");
}

static void test_refused_version(void **state) {
    struct sl_fault refused = {.kind = SL_FAULT_ERROR,
                               .api = SL_API_API_VERSIONS,
                               .partition = -1,
                               .times = 3,
                               .code = SLUICE_KAFKA_UNSUPPORTED_VERSION};
    (void)state;
    for (int32_t max = 0; max <= 3; max++) {
        struct story s;
        story_begin(&s, 1, 1);
        assert_int_equal(
            sl_broker_cap_version(s.world->broker, 0, SL_API_API_VERSIONS, (int16_t)max), 0);
        if (max == 3) story_fault(&s, &refused);
        pass_records(&s, 10);
        assert_string_equal(story_end(&s), "");
    }
}

static void test_hang_up(void **state) {
    struct sl_fault cut = {
        .kind = SL_FAULT_CUT_BEFORE, .api = SL_API_API_VERSIONS, .partition = -1, .times = 2};
    struct story s;
    (void)state;
    story_begin(&s, 1, 1);
    story_fault(&s, &cut);
    pass_records(&s, 10);
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_releases), cmocka_unit_test(test_mixed_nodes),
        cmocka_unit_test(test_downgrade), cmocka_unit_test(test_refused_version),
        cmocka_unit_test(test_hang_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
