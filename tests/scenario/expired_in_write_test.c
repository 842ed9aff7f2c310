/* Goal: a batch that expires while a stalled write still refers to its memory gives its outcome at
 * once and its memory only when the write is over (KAFKA-19012: the buffer was used again, and
 * other records went out under the old request).
 * Method: a narrow pipe to the broker stands still in the middle of a batch; the batch expires; new
 * records fill memory; the pipe moves again. The link compares what it is offered with what it was
 * offered before, the tap and the truth read what arrives. */
#include "scenario.h"

static void play(int32_t size, const char *codec, bool ends) {
    struct story s;
    const char *const settings[] = {
        "linger.ms",  "0",    "request.timeout.ms", "3000", "delivery.timeout.ms", "3000",
        "batch.size", "4000", "compression.type",   codec,  "buffer.memory",       "200000",
        NULL};
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    assert_int_equal(story_send_large(&s, p, 0, size, 0), 0);
    assert_true(story_await_reports(&s, p, 1, 10000));
    s.world->weather.window = 700;
    struct link *l;
    for (int32_t i = 0; (l = link_pick(s.world, 0, 1, i)) != NULL; i++)
        link_gate(l, LINK_TO_BROKER, 6 * WORLD_SECOND);
    int64_t sent = 1;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(story_send_large(&s, p, 0, size, 0), 0);
        sent++;
    }
    int64_t began = story_now_ms(&s);
    assert_true(story_await_reports(&s, p, sent, 5000));
    assert_true(story_now_ms(&s) - began <= 3050);
    for (int i = 0; i < 20; i++) {
        if (story_send_large(&s, p, 0, size, 0) == 0) sent++;
    }
    if (ends) {
        assert_int_not_equal(sluice_client_close(p, 100, NULL), SLUICE_ERR_USAGE);
        assert_true(story_await_reports(&s, p, sent, 0));
    } else {
        assert_true(story_await_reports(&s, p, sent, 40000));
    }
    assert_string_equal(story_end(&s), "");
}

static void test_small_records(void **state) {
    (void)state;
    play(900, "none", false);
    play(900, "none", true);
}

/* Large values are sent from where they were staged. */
static void test_large_records(void **state) {
    (void)state;
    play(20000, "none", false);
    play(20000, "none", true);
}

static void test_compressed(void **state) {
    (void)state;
    play(20000, "lz4", false);
    play(20000, "zstd", true);
}

/* A borrowed value is the application's again with its report: that comes when the request is over,
 * not when the record expires. (The truth overwrites the memory then, and would find the bytes
 * elsewhere.) */
static void test_borrowed(void **state) {
    struct story s;
    const char *const settings[] = {"linger.ms",
                                    "0",
                                    "request.timeout.ms",
                                    "2900",
                                    "delivery.timeout.ms",
                                    "3000",
                                    "max.in.flight.requests.per.connection",
                                    "1",
                                    NULL};
    struct sl_fault slow = {.kind = SL_FAULT_DELAY,
                            .api = SL_API_PRODUCE,
                            .partition = -1,
                            .delay_ms = 1500,
                            .times = 1};
    sluice_counts counts;
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, settings);
    assert_int_equal(story_send_borrowed(&s, p, 0, 20000, 0), 0);
    assert_true(story_await_reports(&s, p, 1, 10000));
    story_fault(&s, &slow);
    assert_int_equal(story_send_borrowed(&s, p, 0, 20000, 0), 0);
    story_run(&s, 100);
    assert_int_equal(story_send_borrowed(&s, p, 0, 20000, 0), 0);
    assert_true(story_await_reports(&s, p, 2, 3000));
    s.world->weather.window = 700;
    struct link *l;
    for (int32_t i = 0; (l = link_pick(s.world, 0, 1, i)) != NULL; i++)
        link_gate(l, LINK_TO_BROKER, 20 * WORLD_SECOND);
    assert_false(story_await_reports(&s, p, 3, 1900)); /* 3.4 s: expired, and half sent */
    assert_int_equal(sluice_producer_counts(p, &counts, sizeof counts), 0);
    assert_int_equal(counts.pending, 0);
    assert_int_equal(counts.maybe_written, 1);
    assert_true(story_await_reports(&s, p, 3, 2000)); /* the request has timed out */
    assert_int_equal(story_outcomes(&s, p, SLUICE_MAYBE_WRITTEN), 1);
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_records), cmocka_unit_test(test_large_records),
        cmocka_unit_test(test_compressed), cmocka_unit_test(test_borrowed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
