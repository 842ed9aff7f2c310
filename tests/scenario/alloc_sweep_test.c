/* Goal: every allocation may fail: nothing crashes or leaks, what was accepted has its one true
 * report, what was refused is not written, and after the failure the client works again.
 * Method: a story of producing and consuming is run once to count its allocations (so is one with a
 * log that is cut, and one of reading from a follower); then once for each of them, failing that one; then failing for 20 ms from there on. For a producer also failing
 * for ever: then calls say so, a close returns in time, and the reports, read once there is memory
 * for reading them, are all there. */
#include "scenario.h"

enum { RECORDS = 12 };

struct sweep {
    void (*tell)(struct story *s, const struct sweep *sweep); /* what is played */
    const char *codec;
    int32_t nodes;
    uint64_t fail_at; /* 0: nothing fails */
    bool persists;
    uint64_t calls; /* out */
};

static void recover(struct world *w, struct world_timer *t) {
    (void)t;
    SL_LIST_EACH(it, tmp, &w->hosts) {
        SL_LIST_OF(it, struct host, node)->memory.fails = false;
    }
}

struct starving {
    struct world_timer timer;
    struct story *story;
    const struct sweep *sweep;
};

/* Looks every 100 us whether the moment has come. */
static void starve(struct world *w, struct world_timer *t) {
    struct starving *starving = SL_LIST_OF(t, struct starving, timer);
    struct memory *m = &starving->story->host->memory;
    if (m->calls < starving->sweep->fail_at) {
        world_set_timer(w, t, w->now + WORLD_MS / 10);
        return;
    }
    m->fails = true;
    t->on_due = recover;
    world_set_timer(w, t, w->now + 20 * WORLD_MS);
}

/* Keeps on trying while memory is short, for 20 attempts. */
static sluice_client *open_stubbornly(struct story *s, int32_t role, const char *const *settings) {
    sluice_client *c = NULL;
    for (int i = 0; i < 20 && c == NULL; i++) {
        c = story_open(s, role, settings);
        if (c == NULL) story_run(s, 10);
    }
    assert_non_null(c);
    return c;
}

/* To so many partitions in turn; all have their reports in the end. */
static void produce(struct story *s, sluice_client *p, int32_t partitions) {
    int64_t before = s->reports;
    for (int sent = 0, tries = 0; sent < RECORDS; tries++) {
        int rv = story_send(s, p, sent % partitions, 100);
        assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM);
        sent += rv == 0;
        if (rv != 0) story_run(s, 5);
        assert_true(tries < 10 * RECORDS);
    }
    assert_true(story_await_reports(s, p, before + RECORDS, 60000));
}

static void begin_at(struct story *s, sluice_client *c, int64_t from) {
    int rv = SLUICE_ERR_NOMEM;
    for (int i = 0; i < 20 && rv == SLUICE_ERR_NOMEM; i++) {
        rv = story_assign(s, c, 0, from);
        if (rv != 0) story_run(s, 5);
    }
    assert_int_equal(rv, 0);
}

/* From `next` to the end of the log. */
static void read_on(struct story *s, sluice_client *c, int64_t next) {
    for (int i = 0; i < 40 && next < story_log_end(s, 0); i++) {
        int rv = story_read(s, c, &next, 100, 500);
        assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM);
    }
    assert_int_equal(next, story_log_end(s, 0));
}

/* What is finished is committed: by a call, that may say that there was no memory, and by the close
 * that follows. */
static void commit(struct story *s, sluice_client *c) {
    int rv = SLUICE_ERR_NOMEM;
    for (int i = 0; i < 20 && rv == SLUICE_ERR_NOMEM; i++) {
        rv = sluice_consumer_commit(c, NULL, 5000, NULL);
        if (rv != 0) story_run(s, 5);
    }
    assert_int_equal(rv, 0);
    assert_int_equal(sl_broker_committed(s->world->broker, "g", "t", 0), story_log_end(s, 0));
}

static void close_in_time(sluice_client *client) {
    int rv = sluice_client_close(client, 1000, NULL);
    assert_int_equal(rv, 0);
}

/* ---- what is played ---- */

static void tell_all(struct story *s, const struct sweep *sweep) {
    const char *const of_producer[] = {"linger.ms", "1", "compression.type", sweep->codec, NULL};
    const char *const of_consumer[] = {"fetch.max.wait.ms", "100",      "group.id", "g",
                                       "auto.offset.reset", "earliest", NULL};
    sluice_client *p = open_stubbornly(s, SLUICE_PRODUCER, of_producer);
    produce(s, p, 2);
    sluice_client *c = open_stubbornly(s, SLUICE_CONSUMER, of_consumer);
    begin_at(s, c, SLUICE_OFFSET_COMMITTED);
    read_on(s, c, 0);
    commit(s, c);
    close_in_time(p);
    close_in_time(c);
}

/* What was read is cut from the log, and other records come in its place. */
static void tell_of_a_cut(struct story *s, const struct sweep *sweep) {
    const char *const of_producer[] = {"linger.ms", "0", NULL};
    const char *const of_consumer[] = {"fetch.max.wait.ms", "100", "auto.offset.reset", "earliest",
                                       NULL};
    (void)sweep;
    sluice_client *p = open_stubbornly(s, SLUICE_PRODUCER, of_producer);
    produce(s, p, 1);
    sluice_client *c = open_stubbornly(s, SLUICE_CONSUMER, of_consumer);
    begin_at(s, c, 0);
    read_on(s, c, 0);
    story_elect_unclean(s, 0, 2, RECORDS / 2);
    int64_t end = story_log_end(s, 0);
    produce(s, p, 1);
    read_on(s, c, end);
    close_in_time(p);
    close_in_time(c);
}

/* The leader sends the reader to a follower in its rack, who dies. */
static void tell_of_a_follower(struct story *s, const struct sweep *sweep) {
    const char *const of_producer[] = {"linger.ms", "0", NULL};
    const char *const of_consumer[] = {"client.rack",
                                       "b",
                                       "fetch.max.wait.ms",
                                       "100",
                                       "request.timeout.ms",
                                       "2000",
                                       "metadata.max.age.ms",
                                       "1000",
                                       NULL};
    struct sl_broker_cluster *cluster = s->world->broker;
    assert_int_equal(sl_broker_set(cluster, "broker.rack", "a,b,c"), 0);
    assert_int_equal(sl_broker_set(cluster, "replica.selector.class",
                                   "org.apache.kafka.common.replica.RackAwareReplicaSelector"),
                     0);
    sluice_client *p = open_stubbornly(s, SLUICE_PRODUCER, of_producer);
    produce(s, p, 1);
    sluice_client *c = open_stubbornly(s, SLUICE_CONSUMER, of_consumer);
    begin_at(s, c, 0);
    read_on(s, c, 0);
    produce(s, p, 1);
    read_on(s, c, RECORDS);
    if (sweep->fail_at == 0) assert_int_equal(scenario_metric(c, "preferred-read-replica"), 2);
    world_set_node(s->world, 2, SL_BROKER_DOWN);
    produce(s, p, 1);
    read_on(s, c, 2 * RECORDS);
    close_in_time(p);
    close_in_time(c);
}

static void play(struct sweep *sweep) {
    struct story s;
    story_begin(&s, sweep->nodes, 2);
    struct starving starving = {.timer.on_due = starve, .story = &s, .sweep = sweep};
    if (sweep->persists)
        world_set_timer(s.world, &starving.timer, s.world->now);
    else
        s.host->memory.fail_at = sweep->fail_at;
    sweep->tell(&s, sweep);
    sweep->calls = s.host->memory.calls;
    world_stop_timer(s.world, &starving.timer);
    recover(s.world, &starving.timer);
    const char *broken = story_end(&s);
    if (broken[0] != '\0')
        fail_msg("with allocation %llu %s: %s", (unsigned long long)sweep->fail_at,
                 sweep->persists ? "and those after it failing" : "failing", broken);
}

static void sweep_all(struct sweep sweep, uint64_t step) {
    play(&sweep);
    uint64_t calls = sweep.calls;
    assert_true(calls > 100);
    for (uint64_t k = 1; k <= calls; k += step) {
        sweep.fail_at = k;
        play(&sweep);
    }
}

static void test_once(void **state) {
    (void)state;
    sweep_all((struct sweep){.tell = tell_all, .codec = "none", .nodes = 1}, 1);
}

static void test_once_compressed(void **state) {
    static const char *const codecs[] = {"zstd", "lz4", "gzip"};
    (void)state;
    for (int i = 0; i < 3; i++)
        sweep_all((struct sweep){.tell = tell_all, .codec = codecs[i], .nodes = 1}, 1);
}

static void test_for_a_while(void **state) {
    (void)state;
    sweep_all((struct sweep){.tell = tell_all, .codec = "none", .nodes = 1, .persists = true}, 3);
}

static void test_a_cut(void **state) {
    (void)state;
    sweep_all((struct sweep){.tell = tell_of_a_cut, .nodes = 3}, 1);
    sweep_all((struct sweep){.tell = tell_of_a_cut, .nodes = 3, .persists = true}, 7);
}

static void test_a_follower(void **state) {
    (void)state;
    sweep_all((struct sweep){.tell = tell_of_a_follower, .nodes = 3}, 1);
    sweep_all((struct sweep){.tell = tell_of_a_follower, .nodes = 3, .persists = true}, 7);
}

/* False: there was no memory for the client itself. */
static bool produce_without_end(struct story *s, uint64_t from, const char *codec) {
    const char *const settings[] = {"linger.ms",
                                    "1",
                                    "compression.type",
                                    codec,
                                    "retry.backoff.ms",
                                    "10",
                                    "delivery.timeout.ms",
                                    "2000",
                                    "request.timeout.ms",
                                    "500",
                                    NULL};
    int64_t accepted = 0;
    s->host->memory.fail_from = from;
    sluice_client *p = story_open(s, SLUICE_PRODUCER, settings);
    if (p == NULL) return false;
    for (int i = 0; i < 2 * RECORDS; i++) {
        int rv = i % 6 == 5 ? story_send_large(s, p, i % 2, 5000, 10) : story_send(s, p, i % 2, 10);
        assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM);
        accepted += rv == 0;
        if (i % 4 == 3) story_run(s, 20);
    }
    int64_t before = s->world->now;
    int rv = sluice_client_close(p, 3000, NULL);
    assert_in_range(s->world->now - before, 0, 3000 * WORLD_MS);
    assert_true(rv == 0 || rv == SLUICE_ERR_NOT_WRITTEN || rv == SLUICE_ERR_MAYBE_WRITTEN);
    s->host->memory.fail_from = 0;
    assert_true(story_await_reports(s, p, accepted, 0));
    int64_t written = story_outcomes(s, p, SLUICE_WRITTEN);
    int64_t maybe = story_outcomes(s, p, SLUICE_MAYBE_WRITTEN);
    assert_int_equal(rv == 0, written == accepted);
    assert_int_equal(rv == SLUICE_ERR_MAYBE_WRITTEN, maybe > 0 && maybe + written == accepted);
    return true;
}

static void test_for_ever(void **state) {
    (void)state;
    const char *const codecs[] = {"none", "lz4"};
    for (int i = 0; i < 2; i++) {
        uint64_t calls = UINT64_MAX;
        int opened = 0;
        for (uint64_t k = 0; k <= calls; k++) { /* the first run counts */
            struct story s;
            story_begin(&s, 1, 2);
            opened += produce_without_end(&s, k, codecs[i]);
            if (k == 0) calls = s.host->memory.calls;
            const char *broken = story_end(&s);
            if (broken[0] != '\0')
                fail_msg("from allocation %llu on (%s): %s", (unsigned long long)k, codecs[i],
                         broken);
        }
        assert_in_range(opened, 50, calls);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),        cmocka_unit_test(test_once_compressed),
        cmocka_unit_test(test_for_a_while), cmocka_unit_test(test_a_cut),
        cmocka_unit_test(test_a_follower),  cmocka_unit_test(test_for_ever)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
