/* Goal: bugs that other clients have had as members of groups do not come back here. Each test names
 * its bug: the issue of Apache Kafka's Java client (KAFKA-n), of librdkafka, or the release or change
 * of franz-go that fixed it. Method: the story of the bug in a group on the simulated world
 * (group.h); every record is read, and after each poll no partition is with two members.
 *
 * Elsewhere: claims of an earlier generation that made two owners (KAFKA-12984, KAFKA-13419,
 * KAFKA-14639, franz-go d7ae9db9, 3ac2fff1: core_assignor_test: test_generations,
 * test_claimed_twice), assignors that did not end or were unfair (librdkafka #3159, #4252, #4783:
 * core_assignor_random_test), what other members say that makes the leader fail (librdkafka 1.9.0,
 * franz-go 4deed686, 2f6d70e2, 2d65fcb4: core_assignor_test: test_claims_of_nonsense;
 * wire_consumer_protocol_test: test_malformed; their fuzz targets), refusals of an earlier generation
 * taken for those of this one (KAFKA-9823: core_group_classic_test:
 * test_a_late_heartbeat_of_another_generation_is_nothing), topics that metadata does not know yet
 * (franz-go 9b92299f, also core_group_consumer_test:
 * test_a_topic_that_metadata_does_not_know_stays_pending). */
#include "group.h"

static struct sl_fault fault_of(enum sl_fault_kind kind, int16_t api, int32_t times) {
    return (struct sl_fault){.kind = kind, .api = api, .partition = -1, .times = times};
}
static void heal(struct group *g) {
    world_broker_begin(g->s.world);
    sl_broker_heal(g->s.world->broker, 0);
    world_broker_end(g->s.world);
}
static int64_t committed(const struct group *g, int32_t partition) {
    return sl_broker_committed(g->s.world->broker, "g", "t", partition);
}
static int64_t seen(const struct group *g, int16_t api) {
    return sl_broker_seen(g->s.world->broker, api);
}
static int64_t read_in_all(const struct group *g) {
    int64_t count = 0;
    for (int i = 0; i < GROUP_MEMBERS; i++) count += g->read[i];
    return count;
}
static void run_polls(struct group *g, int rounds) {
    for (int i = 0; i < rounds; i++) {
        group_poll_all(g);
        group_check_owners(g);
    }
}

/* librdkafka 1.4.2 (#2782), 1.9.0: what was finished after the partition had gone was committed, and
 * took the new owner back. */
static void play_late_finish(const char *protocol) {
    static const char *const short_hold[] = {"rebalance.hold.ms", "500", "auto.commit.interval.ms",
                                             "100", NULL};
    struct group g;
    sluice_batch *held = NULL;
    sluice_view v;
    int64_t kept[GROUP_PARTITIONS];
    group_begin(&g, 2);
    group_send(&g, 60);
    group_add_with(&g, 0, protocol, "range", short_hold);
    group_await_read(&g, 20000);
    group_send(&g, 60);
    assert_true(story_await_reports(&g.s, g.producer, g.sent, 10000));
    while (held == NULL) assert_int_equal(sluice_consumer_poll(g.members[0], 1000, &held), 0);
    assert_int_equal(sluice_batch_next(held, &v, sizeof v), 1);
    group_add_with(&g, 1, protocol, "range", short_hold);
    sluice_client *late = g.members[0];
    g.members[0] = NULL; /* busy with its batch */
    for (int i = 0; i < 400 && group_owned(&g, 1) < 3; i++) group_poll_all(&g);
    group_send(&g, 60);
    run_polls(&g, 60);
    for (int32_t p = 0; p < GROUP_PARTITIONS; p++) kept[p] = committed(&g, p);
    assert_int_equal(sluice_batch_mark(held, 0, 1), SLUICE_ERR_STALE);
    assert_int_equal(sluice_batch_finish(held), SLUICE_ERR_STALE);
    for (int i = 0; i < 20; i++) {
        story_run(&g.s, 100);
        for (int32_t p = 0; p < GROUP_PARTITIONS; p++) assert_true(committed(&g, p) >= kept[p]);
    }
    g.members[0] = late;
    group_await(&g, 3, 3, 0, 30000);
    group_await_read(&g, 30000);
    group_end(&g);
}

static void test_a_late_finish_commits_nothing(void **state) {
    (void)state;
    play_late_finish("classic");
    play_late_finish("consumer");
}

/* librdkafka 2.10.0 (#4059, #4908): a commit was refused with ILLEGAL_GENERATION in the middle of a
 * cooperative rebalance, and the member dropped what it had. */
static void test_a_refused_commit_keeps_partitions(void **state) {
    static const char *const ticks[] = {"auto.commit.interval.ms", "50", NULL};
    struct group g;
    struct sl_fault refused = fault_of(SL_FAULT_ERROR, SL_API_OFFSET_COMMIT, -1);
    (void)state;
    refused.code = SLUICE_KAFKA_ILLEGAL_GENERATION;
    group_begin(&g, 2);
    group_send(&g, 60);
    group_add_with(&g, 0, "classic", "cooperative-sticky", ticks);
    group_await(&g, 6, 0, 0, 20000);
    story_fault(&g.s, &refused);
    group_add_with(&g, 1, "classic", "cooperative-sticky", ticks);
    for (int i = 0; i < 100; i++) {
        group_send(&g, 6);
        run_polls(&g, 1);
        assert_true(group_owned(&g, 0) >= 3);
    }
    heal(&g);
    group_await(&g, 3, 3, 0, 20000);
    group_await_read(&g, 20000);
    group_end(&g);
}

/* librdkafka 1.5.2 (#2933): a commit that failed in a rebalance left the group as it was for ever.
 * KAFKA-14024: the commit before it joins was tried again until the member was thrown out. */
static void test_no_refused_commit_stops_a_rebalance(void **state) {
    static const int codes[] = {SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS,
                                SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE,
                                SLUICE_KAFKA_NOT_COORDINATOR,
                                SLUICE_KAFKA_ILLEGAL_GENERATION,
                                SLUICE_KAFKA_REBALANCE_IN_PROGRESS,
                                SLUICE_KAFKA_REQUEST_TIMED_OUT,
                                SLUICE_KAFKA_OFFSET_METADATA_TOO_LARGE,
                                SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED,
                                SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct group g;
        struct sl_fault refused = fault_of(SL_FAULT_ERROR, SL_API_OFFSET_COMMIT, -1);
        refused.code = codes[i];
        group_begin(&g, 2);
        group_send(&g, 60);
        group_add(&g, 0, "classic", "range", "");
        group_await(&g, 6, 0, 0, 20000);
        group_await_read(&g, 20000);
        story_fault(&g.s, &refused);
        group_add(&g, 1, "classic", "range", "");
        group_await(&g, 3, 3, 0, 45000); /* the coordinator waits for 60 s */
        heal(&g);
        group_send(&g, 60);
        group_await_read(&g, 20000);
        group_end(&g);
    }
}

static bool is_in(const sluice_offsets *list, int32_t partition) {
    sluice_offset o;
    for (int32_t i = 0; sluice_offsets_at(list, i, &o, sizeof o) == 1; i++)
        if (o.partition == partition) return true;
    return false;
}

/* A poll of member 0, which is told of rebalances; gone: nothing of these is handed out. */
static sluice_rebalance *poll_told(struct group *g, const sluice_offsets *gone) {
    sluice_batch *batch;
    sluice_rebalance *r = NULL;
    sluice_view v;
    int rv = sluice_consumer_poll(g->members[0], 50, &batch);
    if (rv == SLUICE_NOTICE_REBALANCE) {
        assert_int_equal(sluice_consumer_rebalance(g->members[0], &r), 0);
        return r;
    }
    assert_int_equal(rv, 0);
    while (sluice_batch_next(batch, &v, sizeof v) == 1) {
        assert_false(gone != NULL && is_in(gone, v.partition));
        group_take(g, &v);
        g->read[0]++;
    }
    assert_int_equal(sluice_batch_finish(batch), 0);
    return NULL;
}

/* KAFKA-14196: what was being revoked was still handed out while the commit before it was under way,
 * and read again by its next owner. */
static void play_slow_commit(const char *protocol, const char *strategy) {
    static const char *const told[] = {"auto.commit.interval.ms", "600000", "rebalance.notices",
                                       "true", NULL};
    static const char *const no_ticks[] = {"auto.commit.interval.ms", "600000", NULL};
    struct group g;
    struct sl_fault slow = fault_of(SL_FAULT_DELAY, SL_API_OFFSET_COMMIT, -1);
    sluice_rebalance_info info = {0};
    sluice_rebalance *r;
    slow.delay_ms = 1500;
    group_begin(&g, 2);
    group_send(&g, 60);
    group_add_with(&g, 0, protocol, strategy, told);
    for (int i = 0; i < 400 && g.total < g.sent; i++)
        (void)sluice_rebalance_done(poll_told(&g, NULL), NULL);
    assert_int_equal(g.total, g.sent);
    story_fault(&g.s, &slow);
    group_add_with(&g, 1, protocol, strategy, no_ticks);
    for (r = NULL; r == NULL;) {
        sluice_batch *batch;
        assert_int_equal(sluice_consumer_poll(g.members[1], 0, &batch), 0);
        assert_null(batch);
        r = poll_told(&g, NULL);
    }
    assert_int_equal(sluice_rebalance_read(r, &info, sizeof info), 0);
    assert_int_equal(info.kind, SLUICE_REBALANCE_REVOKING);
    for (int i = 0; i < 40; i++) {
        group_send(&g, 6);
        assert_null(poll_told(&g, sluice_rebalance_offsets(r)));
    }
    assert_int_equal(sluice_rebalance_done(r, NULL), 0);
    int64_t until = story_now_ms(&g.s) + 30000;
    while (g.total < g.sent && story_now_ms(&g.s) < until) {
        sluice_client *first = g.members[0];
        g.members[0] = NULL;
        group_poll_all(&g);
        g.members[0] = first;
        (void)sluice_rebalance_done(poll_told(&g, NULL), NULL);
        group_check_owners(&g);
    }
    assert_int_equal(group_owned(&g, 0), 3);
    assert_int_equal(read_in_all(&g), g.sent); /* none of them twice */
    group_end(&g);
}

static void test_nothing_is_read_while_it_is_given_back(void **state) {
    (void)state;
    play_slow_commit("classic", "range");
    play_slow_commit("classic", "cooperative-sticky");
    play_slow_commit("consumer", "range");
}

/* KAFKA-13126: the longest max.poll.interval.ms made the timeout of JoinGroup overflow, and the member
 * joined again and again. */
static void test_the_longest_poll_interval(void **state) {
    static const char *const longest[] = {"max.poll.interval.ms", "2147483647", NULL};
    struct group g;
    (void)state;
    group_begin(&g, 2);
    world_broker_begin(g.s.world);
    assert_int_equal(sl_broker_set(g.s.world->broker, "group.initial.rebalance.delay.ms", "40000"),
                     0);
    world_broker_end(g.s.world);
    group_send(&g, 60);
    group_add_with(&g, 0, "classic", "range", longest);
    group_add_with(&g, 1, "classic", "range", longest);
    group_await(&g, 3, 3, 0, 130000);
    assert_int_equal(seen(&g, SL_API_JOIN_GROUP), 4); /* each one for its id, and to join */
    group_await_read(&g, 20000);
    group_end(&g);
}

/* franz-go (8e7cfc60, 1.21.6): a member of KIP-848 that was fenced while it had partitions never came
 * to rest again. */
static void test_fenced_with_partitions(void **state) {
    static const int codes[] = {SLUICE_KAFKA_FENCED_MEMBER_EPOCH, SLUICE_KAFKA_UNKNOWN_MEMBER_ID};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct group g;
        struct sl_fault fenced =
            fault_of(SL_FAULT_ERROR, SL_API_CONSUMER_GROUP_HEARTBEAT, 2 + 2 * i);
        fenced.code = codes[i];
        group_begin(&g, 2);
        group_send(&g, 60);
        group_add(&g, 0, "consumer", "range", "");
        group_add(&g, 1, "consumer", "range", "");
        group_await(&g, 3, 3, 0, 30000);
        group_await_read(&g, 20000);
        int64_t beats = seen(&g, SL_API_CONSUMER_GROUP_HEARTBEAT);
        story_fault(&g.s, &fenced);
        for (int k = 0; k < 400 && seen(&g, SL_API_CONSUMER_GROUP_HEARTBEAT) < beats + 4; k++)
            run_polls(&g, 1);
        group_send(&g, 60);
        group_await_read(&g, 30000);
        group_await(&g, 3, 3, 0, 30000);
        group_end(&g);
    }
}

/* franz-go (9b92299f): the coordinator assigned a topic that metadata did not have yet; it was
 * dropped, and never assigned again. */
static void test_metadata_is_late(void **state) {
    struct group g;
    struct sl_fault unknown = fault_of(SL_FAULT_ERROR, SL_API_METADATA, 8);
    (void)state;
    unknown.code = SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    group_begin(&g, 2);
    group_send(&g, 60);
    assert_true(story_await_reports(&g.s, g.producer, g.sent, 10000));
    story_fault(&g.s, &unknown);
    group_add(&g, 0, "consumer", "range", "");
    group_await(&g, 6, 0, 0, 30000);
    group_await_read(&g, 20000);
    group_end(&g);
}

/* franz-go 1.15.4: a look-up of the coordinator that was cancelled was taken for the end of the
 * client, and the group was left for good. */
static void test_the_coordinator_is_not_found_at_once(void **state) {
    static const struct sl_fault faults[] = {
        {.kind = SL_FAULT_ERROR, .code = SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE, .times = 6},
        {.kind = SL_FAULT_ERROR, .code = SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, .times = 2},
        {.kind = SL_FAULT_CUT_BEFORE, .times = 4},
        {.kind = SL_FAULT_CUT_AFTER, .times = 4},
        {.kind = SL_FAULT_LIE, .code = SL_FAULT_LIE_OMIT, .times = 3},
        {.kind = SL_FAULT_SILENT, .times = 1}};
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct group g;
        struct sl_fault fault = faults[i];
        fault.api = SL_API_FIND_COORDINATOR;
        fault.partition = -1;
        group_begin(&g, 3);
        group_send(&g, 60);
        story_fault(&g.s, &fault);
        group_add(&g, 0, i % 2 == 0 ? "classic" : "consumer", "range", "");
        group_await(&g, 6, 0, 0, 60000);
        group_await_read(&g, 20000);
        story_fault(&g.s, &fault);
        world_broker_begin(g.s.world);
        assert_int_equal(sl_broker_move_coordinator(g.s.world->broker, "g", 1 + (int32_t)i % 3), 0);
        world_broker_end(g.s.world);
        group_send(&g, 60);
        group_await_read(&g, 60000);
        group_await(&g, 6, 0, 0, 60000);
        group_end(&g);
    }
}

/* librdkafka 2.10.0 (#4970): a metadata request to a broker that did not answer kept the search for
 * the coordinator waiting. */
static void test_one_dead_broker_keeps_nobody(void **state) {
    struct group g;
    (void)state;
    for (int32_t node = 1; node <= 3; node++) {
        group_begin(&g, 3);
        world_broker_begin(g.s.world);
        assert_int_equal(sl_broker_move_coordinator(g.s.world->broker, "g", 1 + node % 3), 0);
        world_broker_end(g.s.world);
        world_broker_begin(g.s.world);
        sl_broker_set_state(g.s.world->broker, node, SL_BROKER_FROZEN);
        world_broker_end(g.s.world);
        group_add(&g, 0, "classic", "range", "");
        group_await(&g, 6, 0, 0, 35000);
        world_broker_begin(g.s.world);
        sl_broker_set_state(g.s.world->broker, node, SL_BROKER_UP);
        world_broker_end(g.s.world);
        group_send(&g, 60);
        group_await_read(&g, 60000);
        group_end(&g);
    }
}

/* librdkafka 2.4.0 (#4528), #4041, #4884: a close that met a rebalance did not return. */
static void play_close_at(const char *protocol, const char *strategy, int64_t at_ms) {
    struct group g;
    group_begin(&g, 2);
    group_send(&g, 12);
    group_add(&g, 0, protocol, strategy, "");
    group_await(&g, 6, 0, 0, 30000);
    group_add(&g, 1, protocol, strategy, "");
    for (int64_t until = story_now_ms(&g.s) + at_ms; story_now_ms(&g.s) < until;) {
        sluice_batch *batch;
        assert_int_equal(sluice_consumer_poll(g.members[0], 1, &batch), 0);
        sluice_view v;
        while (sluice_batch_next(batch, &v, sizeof v) == 1) group_take(&g, &v);
        assert_int_equal(sluice_batch_finish(batch), 0);
    }
    int64_t began = story_now_ms(&g.s);
    int rv = sluice_client_close(g.members[at_ms % 2], 5000, NULL);
    assert_true(rv == 0 || rv > 0);
    assert_true(story_now_ms(&g.s) - began < 1000);
    story_free(&g.s, g.members[at_ms % 2]);
    g.members[at_ms % 2] = NULL;
    group_await(&g, at_ms % 2 == 0 ? 0 : 6, at_ms % 2 == 0 ? 6 : 0, 0, 30000);
    group_await_read(&g, 20000);
    group_end(&g);
}

static void test_a_close_meets_a_rebalance(void **state) {
    (void)state;
    for (int64_t at = 0; at < 60; at += 3) {
        play_close_at("classic", "range", at);
        play_close_at("classic", "cooperative-sticky", at);
        play_close_at("consumer", "range", at);
    }
    for (int64_t at = 2950; at < 3150; at += 17) { /* when a heartbeat tells the older one */
        play_close_at("classic", "range", at);
        play_close_at("classic", "cooperative-sticky", at);
        play_close_at("consumer", "range", at);
    }
}

/* librdkafka 2.10.1 (#4778, #4964): a topic was made again while a group read it; the new one was not
 * assigned, or the old one's id was used after it had gone. */
static void play_topic_made_again(const char *protocol) {
    static const char *const fresh[] = {"metadata.max.age.ms", "1000", NULL};
    struct group g;
    group_begin(&g, 2);
    group_send(&g, 60);
    group_add_with(&g, 0, protocol, "range", fresh);
    group_await(&g, 6, 0, 0, 30000);
    group_await_read(&g, 20000);
    story_make_topic_again(&g.s, GROUP_PARTITIONS);
    memset(g.seen, 0, sizeof g.seen);
    g.total = 0;
    int before = g.sent;
    group_send(&g, 60);
    int64_t until = story_now_ms(&g.s) + 60000;
    while (g.total < g.sent - before && story_now_ms(&g.s) < until) group_poll_all(&g);
    assert_int_equal(g.total, g.sent - before);
    group_await(&g, 6, 0, 0, 30000);
    group_end(&g);
}

static void test_a_topic_is_made_again(void **state) {
    (void)state;
    play_topic_made_again("classic");
    play_topic_made_again("consumer");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_late_finish_commits_nothing),
        cmocka_unit_test(test_a_refused_commit_keeps_partitions),
        cmocka_unit_test(test_no_refused_commit_stops_a_rebalance),
        cmocka_unit_test(test_nothing_is_read_while_it_is_given_back),
        cmocka_unit_test(test_the_longest_poll_interval),
        cmocka_unit_test(test_fenced_with_partitions),
        cmocka_unit_test(test_metadata_is_late),
        cmocka_unit_test(test_the_coordinator_is_not_found_at_once),
        cmocka_unit_test(test_one_dead_broker_keeps_nobody),
        cmocka_unit_test(test_a_close_meets_a_rebalance),
        cmocka_unit_test(test_a_topic_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
