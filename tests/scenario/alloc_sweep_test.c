/* Goal: every allocation may fail: nothing crashes or leaks, what was accepted has its one true
 * report, what was refused is not written, and after the failure the client works again.
 * Method: a story of producing and consuming is run once to count its allocations; then once for
 * each of them, failing that one; then failing for 20 ms from there on. For a producer also failing
 * for ever: then calls say so, a close returns in time, and the reports, read once there is memory
 * for reading them, are all there. */
#include "scenario.h"

enum { RECORDS = 12 };

struct sweep {
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

static void produce(struct story *s, sluice_client *p) {
    for (int sent = 0, tries = 0; sent < RECORDS; tries++) {
        int rv = story_send(s, p, sent % 2, 100);
        assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM);
        sent += rv == 0;
        if (rv != 0) story_run(s, 5);
        assert_true(tries < 10 * RECORDS);
    }
    assert_true(story_await_reports(s, p, RECORDS, 60000));
}

static void consume(struct story *s, sluice_client *c, int64_t from) {
    int64_t next = 0;
    int rv = SLUICE_ERR_NOMEM;
    for (int i = 0; i < 20 && rv == SLUICE_ERR_NOMEM; i++) {
        rv = story_assign(s, c, 0, from);
        if (rv != 0) story_run(s, 5);
    }
    assert_int_equal(rv, 0);
    for (int i = 0; i < 40 && next < story_log_end(s, 0); i++) {
        rv = story_read(s, c, &next, 100, 500);
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

static void play(struct sweep *sweep, const char *codec) {
    struct story s;
    const char *const of_producer[] = {"linger.ms", "1", "compression.type", codec, NULL};
    const char *const of_consumer[] = {"fetch.max.wait.ms", "100",      "group.id", "g",
                                       "auto.offset.reset", "earliest", NULL};
    story_begin(&s, 1, 2);
    struct starving starving = {.timer.on_due = starve, .story = &s, .sweep = sweep};
    if (sweep->persists)
        world_set_timer(s.world, &starving.timer, s.world->now);
    else
        s.host->memory.fail_at = sweep->fail_at;
    sluice_client *p = open_stubbornly(&s, SLUICE_PRODUCER, of_producer);
    produce(&s, p);
    sluice_client *c = open_stubbornly(&s, SLUICE_CONSUMER, of_consumer);
    consume(&s, c, SLUICE_OFFSET_COMMITTED);
    commit(&s, c);
    int rv = sluice_client_close(p, 1000, NULL);
    assert_int_equal(rv, 0);
    rv = sluice_client_close(c, 1000, NULL);
    assert_int_equal(rv, 0);
    sweep->calls = s.host->memory.calls;
    world_stop_timer(s.world, &starving.timer);
    recover(s.world, &starving.timer);
    const char *broken = story_end(&s);
    if (broken[0] != '\0')
        fail_msg("with allocation %llu %s: %s", (unsigned long long)sweep->fail_at,
                 sweep->persists ? "and those after it failing" : "failing", broken);
}

static void sweep_all(const char *codec, bool persists, uint64_t step) {
    struct sweep sweep = {0};
    play(&sweep, codec);
    uint64_t calls = sweep.calls;
    assert_true(calls > 100);
    for (uint64_t k = 1; k <= calls; k += step) {
        sweep = (struct sweep){.fail_at = k, .persists = persists};
        play(&sweep, codec);
    }
}

static void test_once(void **state) {
    (void)state;
    sweep_all("none", false, 1);
}

static void test_once_compressed(void **state) {
    (void)state;
    sweep_all("zstd", false, 1);
    sweep_all("lz4", false, 1);
    sweep_all("gzip", false, 1);
}

static void test_for_a_while(void **state) {
    (void)state;
    sweep_all("none", true, 3);
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
        cmocka_unit_test(test_once), cmocka_unit_test(test_once_compressed),
        cmocka_unit_test(test_for_a_while), cmocka_unit_test(test_for_ever)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
