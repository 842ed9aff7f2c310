/* Goal: close returns by its deadline in every state, whatever brokers and the resolver do, and
 * leaves nothing behind; what was accepted has its report then.
 * Method: a client is brought some way by running it for a drawn number of milliseconds, the
 * cluster (or the name service) freezes, and close is called with several timeouts. The end of the
 * story checks sockets and memory. */
#include "scenario.h"

static const int32_t timeouts[] = {0, 1, 200, 3000};

static void freeze(struct story *s) {
    for (int32_t node = 1; node <= s->world->node_count; node++)
        world_set_node(s->world, node, SL_BROKER_FROZEN);
}

static void close_within(struct story *s, sluice_client *client, int32_t timeout_ms) {
    int64_t began = s->world->now;
    int rv = sluice_client_close(client, timeout_ms, NULL);
    assert_true(s->world->now - began <= timeout_ms * WORLD_MS + WORLD_MS);
    assert_true(rv == 0 || rv == SLUICE_ERR_NOT_WRITTEN || rv == SLUICE_ERR_MAYBE_WRITTEN ||
                rv == SLUICE_ERR_TIMEOUT);
}

static void play_producer(int64_t before_us, int32_t timeout_ms) {
    struct story s;
    story_begin(&s, 2, 4);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    for (int i = 0; i < 30; i++) assert_int_equal(story_send(&s, p, -1, 0), 0);
    world_run_for(s.world, before_us * 1000);
    freeze(&s);
    for (int i = 0; i < 30; i++) assert_int_equal(story_send(&s, p, -1, 0), 0);
    close_within(&s, p, timeout_ms);
    assert_int_equal(story_send(&s, p, -1, 0), SLUICE_ERR_CLOSED);
    assert_true(story_await_reports(&s, p, 60, 0));
    assert_string_equal(story_end(&s), "");
}

static void test_producer(void **state) {
    (void)state;
    for (int64_t us = 0; us < 20000; us += 600) play_producer(us, timeouts[us / 600 % 4]);
}

static void play_consumer(int64_t before_us, int32_t timeout_ms) {
    struct story s;
    const char *const settings[] = {"auto.offset.reset", "earliest", NULL};
    story_begin(&s, 2, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    for (int i = 0; i < 30; i++) assert_int_equal(story_send(&s, p, 0, 0), 0);
    assert_true(story_await_reports(&s, p, 30, 10000));
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, settings);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    world_run_for(s.world, before_us * 1000);
    freeze(&s);
    close_within(&s, c, timeout_ms);
    sluice_batch *batch;
    assert_int_equal(sluice_consumer_poll(c, 1000, &batch), SLUICE_ERR_CLOSED);
    assert_string_equal(story_end(&s), "");
}

static void test_consumer(void **state) {
    (void)state;
    for (int64_t us = 0; us < 20000; us += 600) play_consumer(us, timeouts[us / 600 % 4]);
}

/* A ticket that waits for the frozen cluster ends too. */
static void test_ticket(void **state) {
    (void)state;
    for (int64_t us = 0; us < 8000; us += 500) {
        struct story s;
        sluice_op *op;
        story_begin(&s, 1, 1);
        sluice_client *a = story_open(&s, SLUICE_ADMIN, NULL);
        world_run_for(s.world, us * 1000);
        assert_int_equal(sluice_admin_create_topic(a, "n", 1, 1, NULL, 60000, &op), 0);
        world_run_for(s.world, us * 500);
        freeze(&s);
        assert_true(sluice_op_wait(op, 10) == SLUICE_ERR_PENDING || us > 1000);
        close_within(&s, a, 100);
        assert_int_not_equal(sluice_op_wait(op, 0), SLUICE_ERR_PENDING);
        sluice_op_free(op);
        assert_string_equal(story_end(&s), "");
    }
}

/* Closing with a ticket does not wait, and ends by its deadline all the same. */
static void test_close_ticket(void **state) {
    struct story s;
    sluice_op *op;
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    assert_int_equal(story_send(&s, p, 0, 0), 0);
    story_run(&s, 2);
    freeze(&s);
    int64_t began = story_now_ms(&s);
    assert_int_equal(sluice_client_close(p, 500, &op), 0);
    assert_int_equal(story_now_ms(&s), began);
    int rv = sluice_op_wait(op, 5000);
    assert_true(rv == SLUICE_ERR_NOT_WRITTEN || rv == SLUICE_ERR_MAYBE_WRITTEN);
    assert_true(story_now_ms(&s) - began <= 501);
    assert_true(story_await_reports(&s, p, 1, 0));
    sluice_op_free(op);
    assert_string_equal(story_end(&s), "");
}

static void test_names_hang(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct story s;
        story_begin(&s, 2, 1);
        s.world->names = WORLD_NAMES_HANG;
        sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
        assert_int_equal(story_send(&s, p, 0, 0), 0);
        story_run(&s, 50);
        close_within(&s, p, timeouts[i]);
        assert_true(story_await_reports(&s, p, 1, 0));
        assert_int_equal(story_outcomes(&s, p, SLUICE_NOT_WRITTEN), 1);
        assert_string_equal(story_end(&s), "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_producer), cmocka_unit_test(test_consumer),
        cmocka_unit_test(test_ticket), cmocka_unit_test(test_close_ticket),
        cmocka_unit_test(test_names_hang)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
