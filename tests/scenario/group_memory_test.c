/* Goal: every allocation of a member may fail: nothing crashes or leaks, the group comes to rest with
 * every partition read by somebody, and closes in time.
 * Method: two members share a topic and leave it, once to count the allocations of their host, then
 * once for each of them, failing that one; in the classic protocol, eager and cooperative, and in
 * KIP-848. */
#include "one_failure.h"

enum { PARTITIONS = 2, RECORDS = 8 };

static const char *const topic_names[] = {"t"};

static sluice_client *join(struct story *s, const char *protocol, const char *strategy) {
    const char *const settings[] = {"group.id",
                                    "g",
                                    "auto.offset.reset",
                                    "earliest",
                                    "group.protocol",
                                    protocol,
                                    "partition.assignment.strategy",
                                    strategy,
                                    "session.timeout.ms",
                                    "6000",
                                    "heartbeat.interval.ms",
                                    "500",
                                    NULL};
    sluice_client *c = NULL;
    for (int i = 0; i < 20 && c == NULL; i++) c = story_open(s, SLUICE_CONSUMER, settings);
    assert_non_null(c);
    int rv = SLUICE_ERR_NOMEM;
    for (int i = 0; i < 20 && rv == SLUICE_ERR_NOMEM; i++)
        rv = sluice_consumer_subscribe(c, topic_names, 1);
    assert_int_equal(rv, 0);
    return c;
}

/* Reads what there is; *count: new offsets. */
static void read_some(sluice_client *c, int64_t seen[PARTITIONS]) {
    sluice_batch *batch;
    sluice_view v;
    int rv = sluice_consumer_poll(c, 20, &batch);
    assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM);
    while (sluice_batch_next(batch, &v, sizeof v) == 1)
        if (v.offset >= seen[v.partition]) seen[v.partition] = v.offset + 1;
    rv = sluice_batch_finish(batch);
    assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM || rv == SLUICE_ERR_STALE);
}

static uint64_t play(const char *protocol, const char *strategy, uint64_t fail_at) {
    struct story s;
    int64_t seen[PARTITIONS] = {0};
    story_begin(&s, 1, PARTITIONS);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    for (int i = 0; i < RECORDS; i++) assert_int_equal(story_send(&s, p, i % PARTITIONS, 100), 0);
    assert_true(story_await_reports(&s, p, RECORDS, 60000));
    uint64_t before = s.host->memory.calls;
    s.host->memory.fail_at = fail_at == 0 ? 0 : before + fail_at;
    sluice_client *a = join(&s, protocol, strategy);
    sluice_client *b = join(&s, protocol, strategy);
    int64_t until = story_now_ms(&s) + 60000;
    bool done = false;
    while (!done && story_now_ms(&s) < until) {
        read_some(a, seen);
        read_some(b, seen);
        done = story_owned(a) == 1 && story_owned(b) == 1 && seen[0] == RECORDS / 2 &&
               seen[1] == RECORDS / 2;
    }
    if (!done)
        fail_msg("allocation %llu: %d and %d partitions, %lld and %lld read",
                 (unsigned long long)fail_at, story_owned(a), story_owned(b), (long long)seen[0],
                 (long long)seen[1]);
    int rv = sluice_client_close(a, 10000, NULL);
    assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM);
    rv = sluice_client_close(b, 10000, NULL);
    assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM);
    uint64_t calls = s.host->memory.calls - before;
    one_failure_end_story(&s, fail_at);
    return calls;
}

static void sweep(const char *protocol, const char *strategy) {
    uint64_t calls = play(protocol, strategy, 0);
    assert_true(calls > 100);
    for (uint64_t k = 1; k <= calls; k++) (void)play(protocol, strategy, k);
}

static void test_eager(void **state) {
    (void)state;
    sweep("classic", "range");
}

static void test_cooperative(void **state) {
    (void)state;
    sweep("classic", "cooperative-sticky");
}

static void test_kip848(void **state) {
    (void)state;
    sweep("consumer", "range");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_eager),
                                       cmocka_unit_test(test_cooperative),
                                       cmocka_unit_test(test_kip848)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
