/* Goal: members of a group share what they read, whoever comes, goes, or is lost: every partition
 * has one reader, and none stays without.
 * Method: real clients on the simulated broker in virtual time; each is polled in turn, and the story
 * looks at who has what, and at what each one reads. */
#include "group.h"

static void play_coming_and_going(const char *protocol, const char *strategy) {
    struct group g;
    group_begin(&g, 3);
    group_send(&g, 60);
    group_add(&g, 0, protocol, strategy, "");
    group_await(&g, 6, 0, 0, 10000);
    group_await_read(&g, 10000);
    group_add(&g, 1, protocol, strategy, "");
    group_await(&g, 3, 3, 0, 30000);
    group_send(&g, 60);
    group_await_read(&g, 10000);
    assert_true(g.read[1] >= 30);
    group_add(&g, 2, protocol, strategy, "");
    group_await(&g, 2, 2, 2, 30000);
    group_send(&g, 60);
    group_await_read(&g, 10000);
    group_close_member(&g, 0);
    group_await(&g, 0, 3, 3, 30000);
    group_crash_member(&g, 1);
    group_await(&g, 0, 0, 6, 60000);
    group_send(&g, 60);
    group_await_read(&g, 10000);
    group_close_member(&g, 2);
    group_end(&g);
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

/* A group of the classic protocol goes over to KIP-848 while it reads: the first member of the new kind
 * takes all along, and those of the old kind go on beside it, come and go. */
static void play_mixed(const char *strategy) {
    struct group g;
    group_begin(&g, 3);
    group_send(&g, 60);
    group_add(&g, 0, "classic", strategy, "");
    group_add(&g, 1, "classic", strategy, "");
    group_await(&g, 3, 3, 0, 30000);
    group_await_read(&g, 10000);
    group_add(&g, 2, "consumer", strategy, "");
    group_send(&g, 60);
    group_await(&g, 2, 2, 2, 60000);
    group_await_read(&g, 10000);
    group_close_member(&g, 0);
    group_await(&g, 0, 3, 3, 60000);
    group_add(&g, 0, "classic", strategy, "");
    group_await(&g, 2, 2, 2, 60000);
    group_send(&g, 60);
    group_await_read(&g, 10000);
    group_crash_member(&g, 1);
    group_await(&g, 3, 0, 3, 60000);
    group_add(&g, 1, "consumer", strategy, "");
    group_await(&g, 2, 2, 2, 60000);
    group_close_member(&g, 0); /* the last of the old kind */
    group_await(&g, 0, 3, 3, 60000);
    group_send(&g, 60);
    group_await_read(&g, 10000);
    group_end(&g);
}

/* The only member of KIP-848 goes, with a word or without: the others go on in the old protocol. */
static void play_back(const char *strategy, bool is_crash) {
    struct group g;
    group_begin(&g, 3);
    group_send(&g, 60);
    group_add(&g, 0, "classic", strategy, "");
    group_add(&g, 1, "classic", strategy, "");
    group_add(&g, 2, "consumer", strategy, "");
    group_await(&g, 2, 2, 2, 60000);
    group_await_read(&g, 10000);
    if (is_crash)
        group_crash_member(&g, 2);
    else
        group_close_member(&g, 2);
    group_await(&g, 3, 3, 0, 90000);
    group_send(&g, 60);
    group_await_read(&g, 10000);
    group_add(&g, 2, "consumer", strategy, "");
    group_await(&g, 2, 2, 2, 60000);
    group_end(&g);
}
static void test_from_kip848_to_classic(void **state) {
    (void)state;
    play_back("range", false);
    play_back("cooperative-sticky", false);
    play_back("cooperative-sticky", true);
}

static void test_from_classic_to_kip848(void **state) {
    (void)state;
    play_mixed("range");
    play_mixed("cooperative-sticky");
    play_mixed("roundrobin");
}

/* A static member that comes back in time has its partitions, and nobody else notices. */
static void play_static(const char *protocol) {
    struct group g;
    group_begin(&g, 3);
    group_add(&g, 0, protocol, "range", "i0");
    group_add(&g, 1, protocol, "range", "i1");
    group_await(&g, 3, 3, 0, 30000);
    int64_t joins = sl_broker_seen(g.s.world->broker, SL_API_JOIN_GROUP);
    group_close_member(&g, 1);
    group_add(&g, 1, protocol, "range", "i1");
    group_await(&g, 3, 3, 0, 5000);
    if (joins > 0)
        assert_int_equal(sl_broker_seen(g.s.world->broker, SL_API_JOIN_GROUP), joins + 1);
    /* Not in time, its partitions go to the other one. */
    group_close_member(&g, 1);
    group_await(&g, 6, 0, 0, 60000);
    group_end(&g);
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
    group_begin(&g, 3);
    group_add(&g, 0, "classic", "range", "i0");
    group_await(&g, 6, 0, 0, 30000);
    sluice_client *older = g.members[0];
    g.members[0] = NULL;
    group_add(&g, 1, "classic", "range", "i0");
    group_await(&g, 0, 6, 0, 30000);
    assert_int_equal(sluice_consumer_poll(older, 10000, &batch), SLUICE_KAFKA_FENCED_INSTANCE_ID);
    assert_int_equal(sluice_consumer_poll(older, 0, &batch), 0);
    g.members[0] = older;
    assert_int_equal(group_owned(&g, 0), 0);
    group_end(&g);
}

/* One that does not poll loses its partitions to those that do, and has some again once it does. */
static void play_no_polls(const char *protocol) {
    struct group g;
    group_begin(&g, 3);
    group_add(&g, 0, protocol, "cooperative-sticky", "");
    group_add(&g, 1, protocol, "cooperative-sticky", "");
    group_await(&g, 3, 3, 0, 30000);
    sluice_client *lazy = g.members[1];
    g.members[1] = NULL;
    group_await(&g, 6, 0, 0, 90000);
    g.members[1] = lazy;
    group_await(&g, 3, 3, 0, 30000);
    group_send(&g, 60);
    group_await_read(&g, 10000);
    group_end(&g);
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
    group_begin(&g, 3);
    group_send(&g, 60);
    group_add(&g, 0, protocol, "range", "");
    group_await(&g, 6, 0, 0, 30000);
    group_send(&g, 60);
    while (held == NULL) assert_int_equal(sluice_consumer_poll(g.members[0], 1000, &held), 0);
    while (sluice_batch_next(held, &v, sizeof v) == 1) group_take(&g, &v);
    group_add(&g, 1, protocol, "range", "");
    for (int i = 0; i < 100; i++) {
        group_poll_all(&g);
        group_check_owners(&g);
        assert_true(group_owned(&g, 0) >= 1);
    }
    assert_int_equal(sluice_batch_finish(held), 0);
    group_await(&g, 3, 3, 0, 20000);
    group_await_read(&g, 10000);
    group_end(&g);
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
    group_begin(&g, 3);
    group_send(&g, 60);
    group_add(&g, 0, "classic", "range", "");
    while (held == NULL) assert_int_equal(sluice_consumer_poll(g.members[0], 1000, &held), 0);
    assert_int_equal(sluice_batch_next(held, &v, sizeof v), 1);
    group_add(&g, 1, "classic", "range", "");
    group_await(&g, 3, 3, 0, 60000);
    assert_int_equal(sluice_batch_mark(held, 0, 1), SLUICE_ERR_STALE);
    assert_int_equal(sluice_batch_finish(held), SLUICE_ERR_STALE);
    group_await_read(&g, 30000);
    group_end(&g);
}

static void play_coordinator(const char *protocol) {
    struct group g;
    group_begin(&g, 3);
    group_add(&g, 0, protocol, "range", "");
    group_add(&g, 1, protocol, "range", "");
    group_await(&g, 3, 3, 0, 30000);
    int64_t joins = sl_broker_seen(g.s.world->broker, SL_API_JOIN_GROUP);
    for (int32_t node = 1; node <= 3; node++) {
        world_broker_begin(g.s.world);
        assert_int_equal(sl_broker_move_coordinator(g.s.world->broker, "g", node), 0);
        world_broker_end(g.s.world);
        group_send(&g, 60);
        group_await_read(&g, 20000);
        group_await(&g, 3, 3, 0, 20000);
    }
    assert_int_equal(sl_broker_seen(g.s.world->broker, SL_API_JOIN_GROUP), joins);
    group_end(&g);
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
    group_begin(&g, 3);
    group_send(&g, 60);
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
    for (int32_t p = 0; p < GROUP_PARTITIONS; p++) sluice_offsets_add(start, "t", p, 9);
    assert_int_equal(sluice_rebalance_done(r, start), 0);
    sluice_offsets_free(start);
    for (int count = 0; count < GROUP_PARTITIONS;) {
        assert_int_equal(sluice_consumer_poll(c, 5000, &batch), 0);
        assert_non_null(batch);
        while (sluice_batch_next(batch, &v, sizeof v) == 1) {
            assert_int_equal(v.offset, 9);
            count++;
        }
        assert_int_equal(sluice_batch_finish(batch), 0);
    }
    group_add(&g, 1, "classic", "range", "");
    while (sluice_consumer_poll(c, 100, &batch) == 0) group_poll_all(&g);
    assert_int_equal(sluice_consumer_rebalance(c, &r), 0);
    assert_int_equal(sluice_rebalance_read(r, &info, sizeof info), 0);
    assert_int_equal(info.kind, SLUICE_REBALANCE_REVOKING);
    assert_true(info.hold_ms > 0 && info.hold_ms <= 5000);
    assert_int_equal(group_owned(&g, 1), 0);
    for (int i = 0; i < 120; i++) group_poll_all(&g); /* longer than it may */
    assert_int_equal(sluice_rebalance_done(r, NULL), SLUICE_ERR_STALE);
    sluice_offsets *list;
    int64_t until = story_now_ms(&g.s) + 30000;
    while (group_owned(&g, 1) != 3 && story_now_ms(&g.s) < until) {
        group_poll_all(&g);
        if (sluice_consumer_poll(c, 10, &batch) == SLUICE_NOTICE_REBALANCE) {
            assert_int_equal(sluice_consumer_rebalance(c, &r), 0);
            assert_int_equal(sluice_rebalance_done(r, NULL), 0);
        }
    }
    assert_int_equal(group_owned(&g, 1), 3);
    assert_int_equal(sluice_consumer_positions(c, &list), 0);
    sluice_offsets_free(list);
    group_end(&g);
}

/* A member that is told of what comes and goes, and does not answer that partitions came. */
static sluice_rebalance *add_silent(struct group *g, const char *protocol, const char *strategy) {
    static const char *const told[] = {"rebalance.notices", "true", "rebalance.hold.ms", "2000",
                                       NULL};
    sluice_rebalance *r;
    sluice_batch *batch;
    group_add_with(g, 0, protocol, strategy, told);
    assert_int_equal(sluice_consumer_poll(g->members[0], 20000, &batch), SLUICE_NOTICE_REBALANCE);
    assert_int_equal(sluice_consumer_rebalance(g->members[0], &r), 0);
    return r;
}

static void play_unanswered(const char *protocol, const char *strategy) {
    struct group g;
    sluice_batch *batch;
    group_begin(&g, 3);
    group_send(&g, 60);
    sluice_rebalance *r = add_silent(&g, protocol, strategy);
    sluice_client *silent = g.members[0];
    g.members[0] = NULL;
    for (int i = 0; i < 40; i++) { /* nobody else waits: it has all the time */
        assert_int_equal(sluice_consumer_poll(silent, 500, &batch), 0);
        assert_null(batch);
    }
    group_add(&g, 1, protocol, strategy, "");
    int64_t until = story_now_ms(&g.s) + 15000; /* a heartbeat each, the hold, and a bit */
    while (group_owned(&g, 1) < 3 && story_now_ms(&g.s) < until) {
        group_poll_all(&g);
        int rv = sluice_consumer_poll(silent, 0, &batch);
        assert_true(rv == 0 || rv == SLUICE_NOTICE_REBALANCE);
        assert_null(batch);
    }
    assert_true(group_owned(&g, 1) >= 3);
    assert_int_equal(sluice_rebalance_done(r, NULL), SLUICE_ERR_STALE);
    while (group_owned(&g, 1) != 3 || g.total < g.sent) { /* told again, and done with it */
        assert_true(story_now_ms(&g.s) < until + 60000);
        if (sluice_consumer_poll(silent, 10, &batch) == SLUICE_NOTICE_REBALANCE) {
            assert_int_equal(sluice_consumer_rebalance(silent, &r), 0);
            assert_int_equal(sluice_rebalance_done(r, NULL), 0);
        }
        sluice_view v;
        while (sluice_batch_next(batch, &v, sizeof v) == 1) group_take(&g, &v);
        assert_int_equal(sluice_batch_finish(batch), 0);
        group_poll_all(&g);
    }
    group_end(&g);
}

static void test_an_unanswered_notice_does_not_stall_the_group(void **state) {
    (void)state;
    play_unanswered("classic", "range");
    play_unanswered("classic", "cooperative-sticky");
    play_unanswered("consumer", "range");
}

/* A close waits for no answer of the application, and the group hears of it. revoking: it holds
 * partitions that are to go, with a notice or with a batch. */
static void play_close_unanswered(const char *protocol, bool revoking, bool has_batch) {
    static const char *const usual[] = {NULL};
    struct group g;
    sluice_batch *batch = NULL, *held = NULL;
    sluice_rebalance *r = NULL;
    group_begin(&g, 3);
    group_send(&g, 60);
    if (has_batch)
        group_add_with(&g, 0, protocol, "range", usual);
    else
        r = add_silent(&g, protocol, "range");
    while (has_batch && held == NULL)
        assert_int_equal(sluice_consumer_poll(g.members[0], 1000, &held), 0);
    if (revoking && !has_batch) assert_int_equal(sluice_rebalance_done(r, NULL), 0);
    sluice_client *silent = g.members[0];
    g.members[0] = NULL;
    if (revoking) {
        group_add(&g, 1, protocol, "range", "");
        bool is_told = false;
        for (int i = 0; i < 140 && !is_told; i++) { /* 7 s: every heartbeat is sooner */
            group_poll_all(&g);
            int rv = has_batch ? 0 : sluice_consumer_poll(silent, 0, &batch);
            is_told = rv == SLUICE_NOTICE_REBALANCE;
            if (!has_batch) assert_int_equal(sluice_batch_finish(batch), 0);
        }
        assert_int_equal(is_told, !has_batch);
    }
    int64_t began = story_now_ms(&g.s);
    assert_int_equal(sluice_client_close(silent, 20000, NULL), 0);
    assert_true(story_now_ms(&g.s) - began < 500);
    if (!revoking) assert_int_equal(sluice_rebalance_done(r, NULL), SLUICE_ERR_CLOSED);
    sluice_batch_free(held);
    story_free(&g.s, silent);
    if (!revoking) group_add(&g, 1, protocol, "range", "");
    group_await(&g, 0, 6, 0, 10000); /* long before its session ends */
    group_end(&g);
}

static void test_a_close_waits_for_no_answer(void **state) {
    static const char *const protocols[] = {"classic", "consumer"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        play_close_unanswered(protocols[i], false, false);
        play_close_unanswered(protocols[i], true, false);
        play_close_unanswered(protocols[i], true, true);
    }
}

static void test_unsubscribe(void **state) {
    struct group g;
    sluice_offsets *list = sluice_offsets_create();
    (void)state;
    group_begin(&g, 3);
    group_add(&g, 0, "classic", "range", "");
    group_add(&g, 1, "classic", "range", "");
    group_await(&g, 3, 3, 0, 30000);
    (void)sluice_offsets_add(list, "t", 0, 0);
    assert_int_equal(sluice_consumer_assign(g.members[0], list), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_subscribe(g.members[0], NULL, 0), 0);
    group_await(&g, 0, 6, 0, 30000);
    assert_int_equal(sluice_consumer_assign(g.members[0], list), 0);
    sluice_offsets_free(list);
    list = sluice_offsets_create();
    assert_int_equal(sluice_consumer_assign(g.members[0], list), 0);
    sluice_offsets_free(list);
    group_end(&g);
}

/* A topic grows while it is subscribed: what is written to the new partitions before anybody in the
 * group has noticed is read, although members begin at the end. */
static void grow(struct group *g) {
    struct sl_broker_cluster *broker = g->s.world->broker;
    const uint8_t *batch;
    size_t size;
    int64_t base;
    world_broker_begin(g->s.world);
    assert_int_equal(sl_broker_grow_topic(broker, "t", GROUP_PARTITIONS + GROUP_NEW), 0);
    assert_int_equal(sl_broker_log_batch(broker, "t", 0, 0, &batch, &size), 0);
    for (int32_t i = 0; i < GROUP_NEW; i++)
        assert_int_equal(
            sl_broker_log_append(broker, "t", GROUP_PARTITIONS + i, batch, size, &base), 0);
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
    group_begin(&g, 3);
    group_send(&g, 1);
    assert_true(story_await_reports(&g.s, g.producer, 1, 30000));
    for (int i = 0; i < 2; i++) {
        g.members[i] = story_open(&g.s, SLUICE_CONSUMER, settings);
        assert_int_equal(sluice_consumer_subscribe(g.members[i], topics, 1), 0);
    }
    group_await(&g, 3, 3, 0, 30000);
    grow(&g);
    group_await(&g, 4, 4, 0, 130000);
    for (int i = 0; i < 100; i++) group_poll_all(&g);
    for (int32_t i = 0; i < GROUP_NEW; i++) assert_true(g.seen[GROUP_PARTITIONS + i] > 0);
    assert_int_equal(g.seen[0], 0); /* what was there before is left out, as it should be */
    group_end(&g);
}

static void test_a_topic_grows(void **state) {
    (void)state;
    play_growing("classic");
    play_growing("consumer");
}

/* Stopped for longer than its session, with records buffered: others may read them now. */
static void play_frozen(const char *protocol) {
    struct group g;
    sluice_batch *batch;
    group_begin(&g, 3);
    group_add(&g, 0, protocol, "range", "");
    group_await(&g, 6, 0, 0, 30000);
    group_send(&g, 60);
    assert_true(story_await_reports(&g.s, g.producer, 60, 30000));
    story_run(&g.s, 500); /* they are fetched */
    host_stall(g.s.host, 50 * WORLD_SECOND);
    story_run(&g.s, 50000);
    assert_int_equal(sluice_consumer_poll(g.members[0], 0, &batch), 0);
    assert_int_equal(sluice_batch_count(batch), 0);
    (void)sluice_batch_finish(batch);
    group_await_read(&g, 30000); /* after it has joined again */
    group_end(&g);
}
static void test_who_was_stopped_hands_out_nothing_old(void **state) {
    (void)state;
    play_frozen("classic");
    play_frozen("consumer");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eager),
        cmocka_unit_test(test_cooperative),
        cmocka_unit_test(test_kip848),
        cmocka_unit_test(test_from_classic_to_kip848),
        cmocka_unit_test(test_from_kip848_to_classic),
        cmocka_unit_test(test_static_members_come_back),
        cmocka_unit_test(test_the_older_of_two_instances_is_fenced),
        cmocka_unit_test(test_no_polls),
        cmocka_unit_test(test_a_batch_in_hand_holds),
        cmocka_unit_test(test_a_leaked_batch_does_not_stall_the_group),
        cmocka_unit_test(test_the_coordinator_goes),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_an_unanswered_notice_does_not_stall_the_group),
        cmocka_unit_test(test_a_close_waits_for_no_answer),
        cmocka_unit_test(test_unsubscribe),
        cmocka_unit_test(test_a_topic_grows),
        cmocka_unit_test(test_who_was_stopped_hands_out_nothing_old)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
