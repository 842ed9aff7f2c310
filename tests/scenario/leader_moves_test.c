/* Goal: a leader that moves while batches are in flight costs nothing but time: every record is
 * written once, in order, and reported so.
 * Method: the producer's answers are delayed so that batches are in flight; the leader moves, once
 * with everybody told, once with the old leader believing that it still leads, once back and forth;
 * the truth (tests/sim/truth.c) compares reports and log. */
#include "scenario.h"

enum { RECORDS = 300 };

static void send_all(struct story *s, sluice_client *p, int from, int to) {
    for (int i = from; i < to; i++) {
        assert_int_equal(story_send(s, p, 0, 0), 0);
        if (i % 10 == 0) story_run(s, 1);
    }
}

static void play(bool tell, bool back, const char *in_flight) {
    struct story s;
    const char *const settings[] = {
        "linger.ms", "1", "batch.size", "500", "max.in.flight.requests.per.connection",
        in_flight,   NULL};
    story_begin(&s, 3, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    send_all(&s, p, 0, 20);
    assert_true(story_await_reports(&s, p, 20, 10000));
    struct sl_fault slow = {.kind = SL_FAULT_DELAY,
                            .api = SL_API_PRODUCE,
                            .partition = -1,
                            .delay_ms = 30,
                            .times = -1};
    story_fault(&s, &slow);
    send_all(&s, p, 20, 120);
    story_move_leader(&s, 0, 2, tell);
    send_all(&s, p, 120, 200);
    story_move_leader(&s, 0, back ? 1 : 3, tell);
    send_all(&s, p, 200, RECORDS);
    assert_true(story_await_reports(&s, p, RECORDS, 60000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), RECORDS);
    assert_int_equal(story_log_end(&s, 0), RECORDS);
    assert_string_equal(story_end(&s), "");
}

static void test_told(void **state) {
    (void)state;
    play(true, false, "5");
    play(true, true, "1");
}

static void test_untold(void **state) {
    (void)state;
    play(false, false, "5");
    play(false, true, "5");
}

/* A consumer follows the leader and misses nothing. */
static void test_consumer_follows(void **state) {
    struct story s;
    const char *const settings[] = {"fetch.max.wait.ms", "100", NULL};
    int64_t next = 0;
    (void)state;
    story_begin(&s, 3, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, settings);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    for (int round = 0; round < 6; round++) {
        send_all(&s, p, 0, 50);
        assert_int_equal(story_read(&s, c, &next, 20, 10000), 0);
        story_move_leader(&s, 0, 1 + round % 3, round % 2 == 0);
    }
    assert_int_equal(story_read(&s, c, &next, 300 - next, 30000), 0);
    assert_int_equal(next, 300);
    assert_true(story_await_reports(&s, p, 300, 30000));
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_told), cmocka_unit_test(test_untold),
                                       cmocka_unit_test(test_consumer_follows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
