/* Goal: a producer whose budget is used up says FULL at once, or waits as long as it was told to;
 * room that comes back ends the wait, and is told by an event to who did not wait. Nothing that
 * was refused is ever written.
 * Method: a frozen broker, a small buffer.memory, and the thaw at a known time. */
#include "scenario.h"

static const char *const settings[] = {"buffer.memory", "65536", "linger.ms", "0",
                                       "batch.size",    "2000",  NULL};

static int64_t fill(struct story *s, sluice_client *p) {
    int64_t sent = 0;
    int rv;
    while ((rv = story_send_large(s, p, 0, 900, 0)) == 0) {
        sent++;
        assert_true(sent < 1000);
        story_run(s, 1);
    }
    assert_int_equal(rv, SLUICE_ERR_FULL);
    assert_true(sent > 20);
    return sent;
}

static void thaw(struct world *w, struct world_timer *t) {
    (void)t;
    world_set_node(w, 1, SL_BROKER_UP);
}

static sluice_client *open_frozen(struct story *s, const char *const *with) {
    story_begin(s, 1, 1);
    sluice_client *p = story_open(s, SLUICE_PRODUCER, with);
    assert_int_equal(story_send_large(s, p, 0, 900, 0), 0);
    assert_true(story_await_reports(s, p, 1, 10000));
    world_set_node(s->world, 1, SL_BROKER_FROZEN);
    return p;
}

static void test_wait_ends_with_room(void **state) {
    struct story s;
    struct world_timer timer = {.on_due = thaw};
    (void)state;
    sluice_client *p = open_frozen(&s, settings);
    int64_t sent = 1 + fill(&s, p);
    int64_t began = story_now_ms(&s);
    assert_int_equal(story_send_large(&s, p, 0, 900, 300), SLUICE_ERR_FULL);
    assert_in_range(story_now_ms(&s) - began, 299, 301);
    world_set_timer(s.world, &timer, s.world->now + 500 * WORLD_MS);
    began = story_now_ms(&s);
    assert_int_equal(story_send_large(&s, p, 0, 900, 20000), 0);
    assert_in_range(story_now_ms(&s) - began, 499, 700);
    assert_true(story_await_reports(&s, p, sent + 1, 20000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), sent + 1);
    assert_string_equal(story_end(&s), "");
}

/* SLUICE_TIMEOUT_DEFAULT is max.block.ms, 0 too. */
static void test_default_wait_is_a_property(void **state) {
    static const char *const waits[] = {"0", "300"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;
        const char *const with_wait[] = {
            "buffer.memory", "65536",        "linger.ms", "0", "batch.size",
            "2000",          "max.block.ms", waits[i],    NULL};
        sluice_client *p = open_frozen(&s, with_wait);
        int64_t sent = 1 + fill(&s, p);
        int64_t began = story_now_ms(&s);
        assert_int_equal(story_send_large(&s, p, 0, 900, SLUICE_TIMEOUT_DEFAULT), SLUICE_ERR_FULL);
        assert_in_range(story_now_ms(&s) - began, i == 0 ? 0 : 299, i == 0 ? 0 : 301);
        world_set_node(s.world, 1, SL_BROKER_UP);
        assert_true(story_await_reports(&s, p, sent, 20000));
        assert_string_equal(story_end(&s), "");
    }
}

static void test_room_is_told(void **state) {
    struct story s;
    sluice_event e;
    bool is_told = false;
    (void)state;
    sluice_client *p = open_frozen(&s, settings);
    int64_t sent = 1 + fill(&s, p);
    world_set_node(s.world, 1, SL_BROKER_UP);
    for (int i = 0; i < 100 && !is_told; i++) {
        assert_int_equal(sluice_client_event(p, 100, &e, sizeof e), 0);
        is_told = e.kind == SLUICE_EVENT_ROOM;
    }
    assert_true(is_told);
    assert_int_equal(story_send_large(&s, p, 0, 900, 0), 0);
    assert_true(story_await_reports(&s, p, sent + 1, 20000));
    assert_string_equal(story_end(&s), "");
}

/* Reports that nobody reads hold room too; reading them gives it back. */
static void test_unread_reports(void **state) {
    struct story s;
    int64_t sent = 0;
    int rv = 0;
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    for (int i = 0; i < 100000 && rv == 0; i++) {
        rv = story_send(&s, p, 0, 2000);
        sent += rv == 0;
    }
    assert_int_equal(rv, SLUICE_ERR_UNREAD);
    assert_true(story_await_reports(&s, p, sent, 20000));
    assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, sent + 1, 20000));
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wait_ends_with_room),
                                       cmocka_unit_test(test_default_wait_is_a_property),
                                       cmocka_unit_test(test_room_is_told),
                                       cmocka_unit_test(test_unread_reports)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
