/* Goal: a topic that is deleted and made again is another topic: the producer goes on with it, the
 * consumer starts over in it, and nothing of the old one is taken for the new one.
 * Method: records before, the deletion (with and without batches in flight), the new topic with
 * fewer records than the old one had, records after. */
#include "scenario.h"

static void send_all(struct story *s, sluice_client *p, int count) {
    for (int i = 0; i < count; i++) assert_int_equal(story_send(s, p, 0, 0), 0);
}

static void play_producer(bool in_flight) {
    struct story s;
    const char *const settings[] = {"linger.ms", "1", "batch.size", "300", NULL};
    story_begin(&s, 2, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    send_all(&s, p, 60);
    if (in_flight)
        story_run(&s, 3);
    else
        assert_true(story_await_reports(&s, p, 60, 10000));
    story_make_topic_again(&s, 1);
    send_all(&s, p, 20);
    assert_true(story_await_reports(&s, p, 80, 130000));
    if (!in_flight) {
        assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 80);
        assert_int_equal(story_log_end(&s, 0), 20);
    }
    assert_string_equal(story_end(&s), "");
}

static void test_producer(void **state) {
    (void)state;
    play_producer(false);
    play_producer(true);
}

/* KAFKA-12257, KAFKA-13488; librdkafka #4778, #4964: the leader epoch of the new topic is lower than
 * that of the old one, and its metadata was ignored for ever. */
static void test_consumer(void **state) {
    struct story s;
    const char *const settings[] = {"auto.offset.reset",
                                    "earliest",
                                    "fetch.max.wait.ms",
                                    "100",
                                    "metadata.max.age.ms",
                                    "1000",
                                    NULL};
    int64_t next = 0;
    (void)state;
    story_begin(&s, 2, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, settings);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    send_all(&s, p, 60);
    assert_int_equal(story_read(&s, c, &next, 60, 10000), 0);
    assert_int_equal(next, 60);
    for (int32_t node = 2; node >= 1; node--) story_move_leader(&s, 0, node, true);
    story_make_topic_again(&s, 1);
    send_all(&s, p, 20);
    assert_true(story_await_reports(&s, p, 80, 130000));
    next = 0;
    assert_int_equal(story_read(&s, c, &next, 20, 20000), 0);
    assert_int_equal(next, 20);
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_producer),
                                       cmocka_unit_test(test_consumer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
