/* Goal: members of a group share what they read, whoever comes, goes, or is lost: every partition
 * has one reader, and none stays without.
 * Method: real clients on the simulated broker in virtual time; each is polled in turn, and the story
 * looks at who has what, and at what each one reads. */
#include "scenario.h"

#include "broker/broker.h"

enum { MEMBERS = 4, PARTITIONS = 6, NEW = 2 };

struct group {
    struct story s;
    sluice_client *producer;
    sluice_client *members[MEMBERS];
    int64_t read[MEMBERS];          /* records */
    int64_t seen[PARTITIONS + NEW]; /* highest offset read, + 1 */
    int64_t total;
    int sent;
};

/* ---- the group ---- */

static void begin(struct group *g, int32_t nodes) {
    memset(g, 0, sizeof *g);
    story_begin(&g->s, nodes, PARTITIONS);
    g->producer = story_open(&g->s, SLUICE_PRODUCER, NULL);
    world_broker_begin(g->s.world);
    assert_int_equal(sl_broker_set(g->s.world->broker, "group.initial.rebalance.delay.ms", "100"),
                     0);
    world_broker_end(g->s.world);
}
static void end(struct group *g) {
    assert_true(story_await_reports(&g->s, g->producer, g->sent, 30000));
    assert_string_equal(story_end(&g->s), "");
}
/* A member with these settings beside the usual ones. */
static void add(struct group *g, int i, const char *protocol, const char *strategy,
                const char *instance) {
    static const char *const topics[] = {"t"};
    const char *const settings[] = {"group.id",
                                    "g",
                                    "auto.offset.reset",
                                    "earliest",
                                    "group.protocol",
                                    protocol,
                                    "partition.assignment.strategy",
                                    strategy,
                                    "group.instance.id",
                                    instance,
                                    "session.timeout.ms",
                                    "10000",
                                    "max.poll.interval.ms",
                                    "60000",
                                    NULL};
    g->members[i] = story_open(&g->s, SLUICE_CONSUMER, settings);
    assert_non_null(g->members[i]);
    assert_int_equal(sluice_consumer_subscribe(g->members[i], topics, 1), 0);
}
static void take(struct group *g, int i, const sluice_view *v) {
    (void)i;
    if (v->offset + 1 > g->seen[v->partition]) {
        g->total += v->offset + 1 - g->seen[v->partition];
        g->seen[v->partition] = v->offset + 1;
    }
}
/* One poll of each member that there is. */
static void poll_all(struct group *g) {
    for (int i = 0; i < MEMBERS; i++) {
        sluice_batch *batch;
        sluice_view v;
        if (g->members[i] == NULL) continue;
        assert_int_equal(sluice_consumer_poll(g->members[i], 50, &batch), 0);
        while (sluice_batch_next(batch, &v, sizeof v) == 1) {
            take(g, i, &v);
            g->read[i]++;
        }
        (void)sluice_batch_finish(batch);
    }
}
static int owned(struct group *g, int i) {
    sluice_offsets *list;
    sluice_offset o;
    int count = 0;
    if (g->members[i] == NULL) return 0;
    assert_int_equal(sluice_consumer_positions(g->members[i], &list), 0);
    while (sluice_offsets_at(list, count, &o, sizeof o) == 1) count++;
    sluice_offsets_free(list);
    return count;
}
/* No partition is with two. */
static void check_owners(struct group *g) {
    int owners[PARTITIONS + NEW] = {0};
    for (int i = 0; i < MEMBERS; i++) {
        sluice_offsets *list;
        sluice_offset o;
        if (g->members[i] == NULL) continue;
        assert_int_equal(sluice_consumer_positions(g->members[i], &list), 0);
        for (int k = 0; sluice_offsets_at(list, k, &o, sizeof o) == 1; k++) owners[o.partition]++;
        sluice_offsets_free(list);
    }
    for (int p = 0; p < PARTITIONS + NEW; p++) assert_true(owners[p] <= 1);
}
/* Polls until the partitions are shared so, for so long at most. */
static void await(struct group *g, int a, int b, int c, int32_t timeout_ms) {
    int64_t until = story_now_ms(&g->s) + timeout_ms;
    int want[] = {a, b, c};
    for (;;) {
        poll_all(g);
        check_owners(g);
        bool there = owned(g, 0) == want[0] && owned(g, 1) == want[1] && owned(g, 2) == want[2];
        if (there) return;
        if (story_now_ms(&g->s) > until)
            fail_msg("after %d ms: %d %d %d", (int)timeout_ms, owned(g, 0), owned(g, 1),
                     owned(g, 2));
    }
}
static void send(struct group *g, int count) {
    for (int i = 0; i < count; i++) {
        assert_int_equal(story_send(&g->s, g->producer, g->sent % PARTITIONS, 0), 0);
        g->sent++;
    }
}
/* Everything that was sent is read. */
static void await_read(struct group *g, int32_t timeout_ms) {
    int64_t until = story_now_ms(&g->s) + timeout_ms;
    while (g->total < g->sent && story_now_ms(&g->s) < until) poll_all(g);
    assert_int_equal(g->total, g->sent);
}
static void close_member(struct group *g, int i) {
    assert_int_equal(sluice_client_close(g->members[i], 10000, NULL), 0);
    story_free(&g->s, g->members[i]);
    g->members[i] = NULL;
}
static void crash_member(struct group *g, int i) {
    story_free(&g->s, g->members[i]); /* without a word to the group */
    g->members[i] = NULL;
}

/* ---- stories ---- */

static void play_coming_and_going(const char *protocol, const char *strategy) {
    struct group g;
    begin(&g, 3);
    send(&g, 60);
    add(&g, 0, protocol, strategy, "");
    await(&g, 6, 0, 0, 10000);
    await_read(&g, 10000);
    add(&g, 1, protocol, strategy, "");
    await(&g, 3, 3, 0, 30000);
    send(&g, 60);
    await_read(&g, 10000);
    assert_true(g.read[1] >= 30);
    add(&g, 2, protocol, strategy, "");
    await(&g, 2, 2, 2, 30000);
    send(&g, 60);
    await_read(&g, 10000);
    close_member(&g, 0);
    await(&g, 0, 3, 3, 30000);
    crash_member(&g, 1);
    await(&g, 0, 0, 6, 60000);
    send(&g, 60);
    await_read(&g, 10000);
    close_member(&g, 2);
    end(&g);
}

static void test_eager(void **state) {
    (void)state;
    play_coming_and_going("classic", "range");
}

static void test_cooperative(void **state) {
    (void)state;
    play_coming_and_going("classic", "cooperative-sticky");
}

static void test_kip848(void **state) {
    (void)state;
    play_coming_and_going("consumer", "range");
    play_coming_and_going("auto", "range");
}

/* A static member that comes back in time has its partitions, and nobody else notices. */
static void play_static(const char *protocol) {
    struct group g;
    begin(&g, 3);
    add(&g, 0, protocol, "range", "i0");
    add(&g, 1, protocol, "range", "i1");
    await(&g, 3, 3, 0, 30000);
    int64_t joins = sl_broker_seen(g.s.world->broker, SL_API_JOIN_GROUP);
    close_member(&g, 1);
    add(&g, 1, protocol, "range", "i1");
    await(&g, 3, 3, 0, 5000);
    if (joins > 0)
        assert_int_equal(sl_broker_seen(g.s.world->broker, SL_API_JOIN_GROUP), joins + 1);
    /* Not in time, its partitions go to the other one. */
    close_member(&g, 1);
    await(&g, 6, 0, 0, 60000);
    end(&g);
}

static void test_static_members_come_back(void **state) {
    (void)state;
    play_static("classic");
    play_static("consumer");
}

/* Two with the same instance: the older one is told, and stops. */
static void test_the_older_of_two_instances_is_fenced(void **state) {
    struct group g;
    sluice_batch *batch;
    (void)state;
    begin(&g, 3);
    add(&g, 0, "classic", "range", "i0");
    await(&g, 6, 0, 0, 30000);
    sluice_client *older = g.members[0];
    g.members[0] = NULL;
    add(&g, 1, "classic", "range", "i0");
    await(&g, 0, 6, 0, 30000);
    assert_int_equal(sluice_consumer_poll(older, 10000, &batch), SLUICE_KAFKA_FENCED_INSTANCE_ID);
    assert_int_equal(sluice_consumer_poll(older, 0, &batch), 0);
    g.members[0] = older;
    assert_int_equal(owned(&g, 0), 0);
    end(&g);
}

/* One that does not poll loses its partitions to those that do, and has some again once it does. */
static void play_no_polls(const char *protocol) {
    struct group g;
    begin(&g, 3);
    add(&g, 0, protocol, "cooperative-sticky", "");
    add(&g, 1, protocol, "cooperative-sticky", "");
    await(&g, 3, 3, 0, 30000);
    sluice_client *lazy = g.members[1];
    g.members[1] = NULL;
    await(&g, 6, 0, 0, 90000);
    g.members[1] = lazy;
    await(&g, 3, 3, 0, 30000);
    send(&g, 60);
    await_read(&g, 10000);
    end(&g);
}

static void test_no_polls(void **state) {
    (void)state;
    play_no_polls("classic");
    play_no_polls("consumer");
}

/* Batches in hand keep their partitions until they are given back; then the others have them. */
static void play_hold(const char *protocol) {
    struct group g;
    sluice_batch *held = NULL;
    sluice_view v;
    begin(&g, 3);
    send(&g, 60);
    add(&g, 0, protocol, "range", "");
    await(&g, 6, 0, 0, 30000);
    send(&g, 60);
    while (held == NULL) assert_int_equal(sluice_consumer_poll(g.members[0], 1000, &held), 0);
    while (sluice_batch_next(held, &v, sizeof v) == 1) take(&g, 0, &v);
    add(&g, 1, protocol, "range", "");
    for (int i = 0; i < 100; i++) {
        poll_all(&g);
        check_owners(&g);
        assert_true(owned(&g, 0) >= 1);
    }
    assert_int_equal(sluice_batch_finish(held), 0);
    await(&g, 3, 3, 0, 20000);
    await_read(&g, 10000);
    end(&g);
}

static void test_a_batch_in_hand_holds(void **state) {
    (void)state;
    play_hold("classic");
    play_hold("consumer");
}

static void test_a_leaked_batch_does_not_stall_the_group(void **state) {
    struct group g;
    sluice_batch *held = NULL;
    sluice_view v;
    (void)state;
    begin(&g, 3);
    send(&g, 60);
    add(&g, 0, "classic", "range", "");
    while (held == NULL) assert_int_equal(sluice_consumer_poll(g.members[0], 1000, &held), 0);
    assert_int_equal(sluice_batch_next(held, &v, sizeof v), 1);
    add(&g, 1, "classic", "range", "");
    await(&g, 3, 3, 0, 60000);
    assert_int_equal(sluice_batch_mark(held, 0, 1), SLUICE_ERR_STALE);
    assert_int_equal(sluice_batch_finish(held), SLUICE_ERR_STALE);
    assert_int_equal(sluice_consumer_poll(g.members[0], 0, &held), SLUICE_ERR_STALE);
    await_read(&g, 30000);
    end(&g);
}

static void play_coordinator(const char *protocol) {
    struct group g;
    begin(&g, 3);
    add(&g, 0, protocol, "range", "");
    add(&g, 1, protocol, "range", "");
    await(&g, 3, 3, 0, 30000);
    int64_t joins = sl_broker_seen(g.s.world->broker, SL_API_JOIN_GROUP);
    for (int32_t node = 1; node <= 3; node++) {
        world_broker_begin(g.s.world);
        assert_int_equal(sl_broker_move_coordinator(g.s.world->broker, "g", node), 0);
        world_broker_end(g.s.world);
        send(&g, 60);
        await_read(&g, 20000);
        await(&g, 3, 3, 0, 20000);
    }
    assert_int_equal(sl_broker_seen(g.s.world->broker, SL_API_JOIN_GROUP), joins);
    end(&g);
}

static void test_the_coordinator_goes(void **state) {
    (void)state;
    play_coordinator("classic");
    play_coordinator("consumer");
}

/* The application says where to begin, finishes what it has before partitions go, and is too late
 * when it takes too long. */
static void test_notices(void **state) {
    static const char *const topics[] = {"t"};
    static const char *const settings[] = {"group.id",
                                           "g",
                                           "auto.offset.reset",
                                           "earliest",
                                           "group.protocol",
                                           "classic",
                                           "rebalance.notices",
                                           "true",
                                           "rebalance.hold.ms",
                                           "5000",
                                           NULL};
    struct group g;
    sluice_batch *batch;
    sluice_rebalance *r;
    sluice_rebalance_info info;
    sluice_offset o;
    sluice_view v;
    (void)state;
    begin(&g, 3);
    send(&g, 60);
    assert_true(story_await_reports(&g.s, g.producer, 60, 10000));
    sluice_client *c = story_open(&g.s, SLUICE_CONSUMER, settings);
    assert_int_equal(sluice_consumer_subscribe(c, topics, 1), 0);
    assert_int_equal(sluice_consumer_poll(c, 20000, &batch), SLUICE_NOTICE_REBALANCE);
    assert_int_equal(sluice_consumer_rebalance(c, &r), 0);
    assert_int_equal(sluice_rebalance_read(r, &info, sizeof info), 0);
    assert_int_equal(info.kind, SLUICE_REBALANCE_ASSIGNED);
    assert_int_equal(sluice_offsets_at(sluice_rebalance_offsets(r), 5, &o, sizeof o), 1);
    assert_int_equal(sluice_consumer_poll(c, 1000, &batch), 0);
    assert_null(batch); /* nothing is read before the application is done */
    sluice_offsets *start = sluice_offsets_create();
    for (int32_t p = 0; p < PARTITIONS; p++) sluice_offsets_add(start, "t", p, 9);
    assert_int_equal(sluice_rebalance_done(r, start), 0);
    sluice_offsets_free(start);
    for (int count = 0; count < PARTITIONS;) {
        assert_int_equal(sluice_consumer_poll(c, 5000, &batch), 0);
        assert_non_null(batch);
        while (sluice_batch_next(batch, &v, sizeof v) == 1) {
            assert_int_equal(v.offset, 9);
            count++;
        }
        assert_int_equal(sluice_batch_finish(batch), 0);
    }
    add(&g, 1, "classic", "range", "");
    while (sluice_consumer_poll(c, 100, &batch) == 0) poll_all(&g);
    assert_int_equal(sluice_consumer_rebalance(c, &r), 0);
    assert_int_equal(sluice_rebalance_read(r, &info, sizeof info), 0);
    assert_int_equal(info.kind, SLUICE_REBALANCE_REVOKING);
    assert_true(info.hold_ms > 0 && info.hold_ms <= 5000);
    assert_int_equal(owned(&g, 1), 0);
    for (int i = 0; i < 120; i++) poll_all(&g); /* longer than it may */
    assert_int_equal(sluice_rebalance_done(r, NULL), SLUICE_ERR_STALE);
    sluice_offsets *list;
    int64_t until = story_now_ms(&g.s) + 30000;
    while (owned(&g, 1) != 3 && story_now_ms(&g.s) < until) {
        poll_all(&g);
        if (sluice_consumer_poll(c, 10, &batch) == SLUICE_NOTICE_REBALANCE) {
            assert_int_equal(sluice_consumer_rebalance(c, &r), 0);
            assert_int_equal(sluice_rebalance_done(r, NULL), 0);
        }
    }
    assert_int_equal(owned(&g, 1), 3);
    assert_int_equal(sluice_consumer_positions(c, &list), 0);
    sluice_offsets_free(list);
    end(&g);
}

static void test_unsubscribe(void **state) {
    struct group g;
    sluice_offsets *list = sluice_offsets_create();
    (void)state;
    begin(&g, 3);
    add(&g, 0, "classic", "range", "");
    add(&g, 1, "classic", "range", "");
    await(&g, 3, 3, 0, 30000);
    (void)sluice_offsets_add(list, "t", 0, 0);
    assert_int_equal(sluice_consumer_assign(g.members[0], list), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_subscribe(g.members[0], NULL, 0), 0);
    await(&g, 0, 6, 0, 30000);
    assert_int_equal(sluice_consumer_assign(g.members[0], list), 0);
    sluice_offsets_free(list);
    list = sluice_offsets_create();
    assert_int_equal(sluice_consumer_assign(g.members[0], list), 0);
    sluice_offsets_free(list);
    end(&g);
}

/* A topic grows while it is subscribed: what is written to the new partitions before anybody in the
 * group has noticed is read, although members begin at the end. */
static void grow(struct group *g) {
    struct sl_broker_cluster *broker = g->s.world->broker;
    const uint8_t *batch;
    size_t size;
    int64_t base;
    world_broker_begin(g->s.world);
    assert_int_equal(sl_broker_grow_topic(broker, "t", PARTITIONS + NEW), 0);
    assert_int_equal(sl_broker_log_batch(broker, "t", 0, 0, &batch, &size), 0);
    for (int32_t i = 0; i < NEW; i++)
        assert_int_equal(sl_broker_log_append(broker, "t", PARTITIONS + i, batch, size, &base), 0);
    world_broker_end(g->s.world);
}
static void play_growing(const char *protocol) {
    static const char *const topics[] = {"t"};
    const char *const settings[] = {"group.id",
                                    "g",
                                    "auto.offset.reset",
                                    "latest",
                                    "group.protocol",
                                    protocol,
                                    "metadata.max.age.ms",
                                    "60000",
                                    NULL};
    struct group g;
    begin(&g, 3);
    send(&g, 1);
    assert_true(story_await_reports(&g.s, g.producer, 1, 30000));
    for (int i = 0; i < 2; i++) {
        g.members[i] = story_open(&g.s, SLUICE_CONSUMER, settings);
        assert_int_equal(sluice_consumer_subscribe(g.members[i], topics, 1), 0);
    }
    await(&g, 3, 3, 0, 30000);
    grow(&g);
    await(&g, 4, 4, 0, 130000);
    for (int i = 0; i < 100; i++) poll_all(&g);
    for (int32_t i = 0; i < NEW; i++) assert_true(g.seen[PARTITIONS + i] > 0);
    assert_int_equal(g.seen[0], 0); /* what was there before is left out, as it should be */
    end(&g);
}

static void test_a_topic_grows(void **state) {
    (void)state;
    play_growing("classic");
    play_growing("consumer");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eager),
        cmocka_unit_test(test_cooperative),
        cmocka_unit_test(test_kip848),
        cmocka_unit_test(test_static_members_come_back),
        cmocka_unit_test(test_the_older_of_two_instances_is_fenced),
        cmocka_unit_test(test_no_polls),
        cmocka_unit_test(test_a_batch_in_hand_holds),
        cmocka_unit_test(test_a_leaked_batch_does_not_stall_the_group),
        cmocka_unit_test(test_the_coordinator_goes),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_unsubscribe),
        cmocka_unit_test(test_a_topic_grows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
