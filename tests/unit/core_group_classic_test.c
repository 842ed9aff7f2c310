/* Membership by the classic protocol: joining, heartbeats, rebalances, what codes mean, leaving. */
#include "core_group.h"

static void test_joins_alone(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    grp_start(&c);
    struct grp_join join = grp_next_join(&c);
    assert_string_equal(join.member_id, "");
    assert_int_equal(join.protocols, 1);
    assert_string_equal(join.protocol[0], "range");
    assert_int_equal(join.topics[0], 1);
    assert_int_equal(join.session_ms, 45000);
    assert_int_equal(join.rebalance_ms, 300000);
    grp_refuse_join(&c, &join, SLUICE_KAFKA_MEMBER_ID_REQUIRED, "m1");
    join = grp_next_join(&c);
    assert_string_equal(join.member_id, "m1");
    grp_reply_join(&c, &join, 1, "m1", "m1", 0);
    struct grp_sync sync = grp_next_sync(&c);
    assert_int_equal(sync.assignments, 1);
    assert_int_equal(sync.partitions[0], 3);
    grp_reply_sync(&c, &sync, 0, 3);
    assert_int_equal(grp_owned(&c), 3);
    struct sl_group_identity identity;
    sl_group_identity(c.h->core, &identity);
    assert_string_equal(identity.member_id, "m1");
    assert_int_equal(identity.epoch, 1);
    grp_no_offsets(&c);
    cons_advance(&c, 3000);
    (void)grp_reply_heartbeat(&c, 0);
    assert_int_equal(grp_waiting(&c, SL_API_HEARTBEAT), 0);
    cons_advance(&c, 3000);
    (void)grp_reply_heartbeat(&c, 0);
    cons_end(&c);
}

static void test_an_eager_member_gives_everything_back(void **state) {
    struct cons c;
    (void)state;
    grp_open(&c, 3);
    grp_rebalance(&c);
    assert_int_equal(grp_owned(&c), 0);
    struct grp_join join = grp_next_join(&c);
    assert_string_equal(join.member_id, "m1");
    assert_int_equal(join.owned[0], 0);
    grp_reply_join(&c, &join, 2, "m1", "other", 0);
    struct grp_sync sync = grp_next_sync(&c);
    assert_int_equal(sync.assignments, 0);
    grp_reply_sync(&c, &sync, 1, 2);
    assert_int_equal(grp_owned(&c), 2);
    cons_end(&c);
}

static void test_batches_in_hand_hold_the_rebalance(void **state) {
    struct cons c;
    (void)state;
    grp_open(&c, 1);
    struct sl_slice *slice = grp_read(&c);
    grp_rebalance(&c);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    cons_advance(&c, 3000); /* held, and alive */
    (void)grp_reply_heartbeat(&c, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    cons_finish(&c, slice);
    cons_turn(&c);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 1);
    cons_end(&c);
}

/* The commit that waits is of t-0, at that offset, by m1 in generation 1, and succeeds. */
static void answer_commit(struct cons *c, int64_t offset) {
    struct host_request r = host_next_request(c->h, SL_API_OFFSET_COMMIT);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_offset_commit_request *m = host_decode(&r, &arena);
    const struct sl_offset_commit_topic *topic = m->topics.items;
    const struct sl_offset_commit_partition *p = topic->partitions.items;
    assert_int_equal(m->generation, 1);
    assert_true(sl_bytes_str_equal(m->member_id, SL_STR("m1")));
    assert_int_equal(p->offset, offset);
    struct sl_offset_commit_partition_response part = {.partition = 0};
    struct sl_offset_commit_topic_response answered = {
        .name = topic->name, .topic_id = topic->topic_id, .partitions = {&part, 1}};
    struct sl_offset_commit_response answer;
    sl_codec_defaults(&sl_offset_commit_response_type, &answer);
    answer.topics = (struct sl_array){&answered, 1};
    host_reply(c->h, &r, &answer);
    sl_arena_deinit(&arena);
    cons_turn(c);
}

/* What is finished is committed first, in the old generation; then the member joins. */
static void test_commits_before_it_joins(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    c.h->settings.auto_commit = true;
    grp_start(&c);
    grp_settle(&c, 1, 1);
    struct sl_slice *slice = grp_read(&c);
    cons_advance(&c, 100);
    answer_commit(&c, 0); /* where it starts */
    cons_advance(&c, 2900);
    (void)grp_reply_heartbeat(&c, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    cons_finish(&c, slice);
    cons_turn(&c);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    answer_commit(&c, 10);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 1);
    cons_end(&c);
}

static void play_hold_that_ends(int32_t hold_ms, int32_t poll_ms, int32_t held_ms) {
    struct cons c;
    grp_prepare(&c);
    c.h->settings.rebalance_hold_ms = hold_ms;
    c.h->settings.max_poll_interval_ms = poll_ms;
    grp_start(&c);
    grp_settle(&c, 1, 1);
    struct sl_slice *slice = grp_read(&c);
    grp_rebalance(&c);
    cons_advance(&c, held_ms - 1);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    cons_advance(&c, 1);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 1);
    assert_true(host_was_told(c.h, "rebalance.hold.ms"));
    assert_int_equal(sl_gate_mark(c.gate, slice, 5, -1), SLUICE_ERR_STALE);
    sl_gate_give(c.gate, slice);
    cons_end(&c);
}

static void test_a_hold_ends(void **state) {
    (void)state;
    play_hold_that_ends(5000, 300000, 5000);
    /* The group began to wait as long as a heartbeat ago, and goes on without us after 5000 ms. */
    play_hold_that_ends(5000, 5000, 1500);
}

static void test_a_cooperative_member_keeps_what_stays(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    c.h->settings.assignors = SL_ASSIGNOR_COOPERATIVE_STICKY;
    grp_start(&c);
    grp_settle(&c, 1, 3);
    grp_rebalance(&c);
    assert_int_equal(grp_owned(&c), 3);
    struct grp_join join = grp_next_join(&c);
    assert_int_equal(join.owned[0], 3);
    assert_int_equal(join.generation[0], 1);
    grp_reply_join(&c, &join, 2, "m1", "other", 0);
    struct grp_sync sync = grp_next_sync(&c);
    grp_reply_sync(&c, &sync, 0, 2);
    assert_int_equal(grp_owned(&c), 2);
    /* One was given back: another round, so that somebody gets it. */
    join = grp_next_join(&c);
    assert_int_equal(join.owned[0], 2);
    assert_int_equal(join.generation[0], 2);
    grp_reply_join(&c, &join, 3, "m1", "other", 0);
    sync = grp_next_sync(&c);
    grp_reply_sync(&c, &sync, 0, 2);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    assert_int_equal(grp_of(&c)->state, SL_GROUP_STABLE);
    cons_end(&c);
}

static void test_who_is_unknown_loses_everything(void **state) {
    static const struct {
        int16_t code;
        const char *id;
    } cases[] = {{SLUICE_KAFKA_UNKNOWN_MEMBER_ID, ""}, {SLUICE_KAFKA_ILLEGAL_GENERATION, "m1"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct cons c;
        grp_prepare(&c);
        c.h->settings.assignors = SL_ASSIGNOR_COOPERATIVE_STICKY;
        grp_start(&c);
        grp_settle(&c, 1, 3);
        cons_advance(&c, 3000);
        (void)grp_reply_heartbeat(&c, cases[i].code);
        assert_int_equal(grp_owned(&c), 0);
        cons_advance(&c, 200);
        struct grp_join join = grp_next_join(&c);
        assert_string_equal(join.member_id, cases[i].id);
        assert_int_equal(join.owned[0], 0);
        cons_end(&c);
    }
}

static void test_a_fenced_instance_ends_it(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    c.h->settings.group_instance_id = (char *)(uintptr_t) "i1";
    grp_start(&c);
    struct grp_join join = grp_next_join(&c);
    assert_string_equal(join.instance_id, "i1");
    grp_reply_join(&c, &join, 1, "m1", "m1", 0);
    struct grp_sync sync = grp_next_sync(&c);
    grp_reply_sync(&c, &sync, 0, 3);
    grp_no_offsets(&c);
    cons_advance(&c, 3000);
    (void)grp_reply_heartbeat(&c, SLUICE_KAFKA_FENCED_INSTANCE_ID);
    assert_int_equal(grp_owned(&c), 0);
    cons_expect_error(&c, SLUICE_KAFKA_FENCED_INSTANCE_ID);
    cons_advance(&c, 10000);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    cons_end(&c);
}

static void test_codes_of_join(void **state) {
    static const int16_t passing[] = {
        SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS, SLUICE_KAFKA_REBALANCE_IN_PROGRESS,
        SLUICE_KAFKA_NOT_COORDINATOR, SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE,
        SLUICE_KAFKA_UNKNOWN_MEMBER_ID};
    static const int16_t lasting[] = {
        SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL, SLUICE_KAFKA_INVALID_GROUP_ID,
        SLUICE_KAFKA_INVALID_SESSION_TIMEOUT, SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED,
        SLUICE_KAFKA_GROUP_MAX_SIZE_REACHED};
    (void)state;
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        struct cons c;
        grp_prepare(&c);
        grp_start(&c);
        struct grp_join join = grp_next_join(&c);
        grp_refuse_join(&c, &join, passing[i], "");
        cons_advance(&c, 500);
        grp_find(&c, 2);
        cons_advance(&c, 500);
        grp_settle(&c, 4, 3);
        cons_end(&c);
    }
    for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
        struct cons c;
        grp_prepare(&c);
        grp_start(&c);
        struct grp_join join = grp_next_join(&c);
        grp_refuse_join(&c, &join, lasting[i], "");
        cons_expect_error(&c, lasting[i]);
        cons_advance(&c, 60000);
        assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
        cons_end(&c);
    }
}

static void test_codes_of_sync(void **state) {
    static const int16_t codes[] = {SLUICE_KAFKA_REBALANCE_IN_PROGRESS,
                                    SLUICE_KAFKA_UNKNOWN_MEMBER_ID, SLUICE_KAFKA_ILLEGAL_GENERATION,
                                    SLUICE_KAFKA_NOT_COORDINATOR};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct cons c;
        grp_prepare(&c);
        grp_start(&c);
        struct grp_join join = grp_next_join(&c);
        grp_reply_join(&c, &join, 1, "m1", "m1", 0);
        struct grp_sync sync = grp_next_sync(&c);
        grp_refuse_sync(&c, &sync, codes[i]);
        cons_advance(&c, 500);
        grp_find(&c, 1);
        cons_advance(&c, 500);
        grp_settle(&c, 2, 3);
        assert_int_equal(grp_owned(&c), 3);
        cons_end(&c);
    }
}

static void test_leaves_on_close(void **state) {
    struct cons c;
    (void)state;
    grp_open(&c, 3);
    struct sl_op *op = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 5000);
    cons_turn(&c);
    assert_int_equal(op->state, SL_OP_PENDING);
    grp_reply_leave(&c);
    assert_true(sl_core_is_closed(c.h->core));
    assert_int_equal(op->code, 0);
    cons_end(&c);
}

static void test_a_close_does_not_wait_for_ever(void **state) {
    struct cons c;
    (void)state;
    grp_open(&c, 3);
    struct sl_op *op = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 5000);
    cons_turn(&c);
    cons_advance(&c, 4999);
    assert_false(sl_core_is_closed(c.h->core));
    cons_advance(&c, 1);
    assert_true(sl_core_is_closed(c.h->core));
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    cons_end(&c);
}

static void test_static_members_stay_on_close(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    c.h->settings.group_instance_id = (char *)(uintptr_t) "i1";
    grp_start(&c);
    grp_settle(&c, 1, 3);
    (void)host_ask(c.h, SL_COMMAND_CLOSE, NULL, 5000);
    cons_turn(&c);
    assert_int_equal(grp_waiting(&c, SL_API_LEAVE_GROUP), 0);
    assert_true(sl_core_is_closed(c.h->core));
    cons_end(&c);
}

static void test_unsubscribe_leaves_and_subscribe_joins_again(void **state) {
    struct cons c;
    (void)state;
    grp_open(&c, 3);
    assert_int_equal(grp_subscribe(&c, NULL, NULL), 0);
    assert_int_equal(grp_subscribe(&c, "u", NULL), 0);
    cons_turn(&c);
    assert_int_equal(grp_owned(&c), 0);
    grp_reply_leave(&c);
    struct grp_join join = grp_next_join(&c);
    assert_string_equal(join.member_id, "");
    cons_end(&c);
}

static void test_no_polls_and_it_goes_away(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    c.h->settings.max_poll_interval_ms = 20000;
    grp_start(&c);
    grp_settle(&c, 1, 3);
    for (int i = 0; i < 5; i++) {
        grp_poll(&c);
        grp_beat(&c, 10000);
    }
    assert_int_equal(grp_owned(&c), 3);
    grp_beat(&c, 16000);
    assert_int_equal(grp_of(&c)->state, SL_GROUP_AWAY);
    assert_int_equal(grp_owned(&c), 0);
    assert_true(host_was_told(c.h, "max.poll.interval.ms"));
    grp_reply_leave(&c);
    cons_advance(&c, 60000);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    grp_poll(&c);
    grp_settle(&c, 3, 3);
    assert_int_equal(grp_owned(&c), 3);
    cons_end(&c);
}

static void test_the_leader_waits_for_metadata_of_others_topics(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    cons_create(&c);
    assert_int_equal(grp_subscribe(&c, "u", NULL), 0);
    grp_find(&c, 1);
    struct grp_join join = grp_next_join(&c);
    c.h->hold_metadata = true;
    grp_reply_join(&c, &join, 1, "m1", "m1", 1); /* the other one reads "t" */
    assert_int_equal(grp_of(&c)->state, SL_GROUP_ASSIGNING);
    assert_int_equal(grp_waiting(&c, SL_API_SYNC_GROUP), 0);
    c.h->hold_metadata = false;
    struct host_request r = host_next_request(c.h, SL_API_METADATA);
    host_answer_metadata(c.h, &r);
    cons_turn(&c);
    struct grp_sync sync = grp_next_sync(&c);
    assert_int_equal(sync.assignments, 2);
    assert_int_equal(sync.partitions[0], 3);
    assert_int_equal(sync.partitions[1], 3);
    cons_end(&c);
}

static void test_new_partitions_make_the_leader_join_again(void **state) {
    struct cons c;
    (void)state;
    grp_open(&c, 3);
    grp_find_starts(&c);
    c.h->topics[0].partition_count = 5;
    sl_metadata_refresh(c.h->core, c.h->core->metadata.topics[0]);
    cons_advance(&c, 3000);
    struct grp_join join = grp_next_join(&c);
    assert_non_null(strstr(join.reason, "partitions"));
    grp_reply_join(&c, &join, 2, "m1", "m1", 0);
    struct grp_sync sync = grp_next_sync(&c);
    assert_int_equal(sync.partitions[0], 5);
    cons_end(&c);
}

/* What metadata says while the group is being rebalanced is not forgotten. */
static void test_partitions_that_come_while_it_syncs(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    grp_start(&c);
    cons_advance(&c, 3000);
    struct grp_join join = grp_next_join(&c);
    grp_reply_join(&c, &join, 1, "m1", "m1", 0);
    struct grp_sync sync = grp_next_sync(&c);
    assert_int_equal(sync.partitions[0], 3);
    c.h->topics[0].partition_count = 5;
    sl_metadata_refresh(c.h->core, NULL);
    cons_turn(&c);
    assert_int_equal(c.h->core->metadata.topics[0]->partition_count, 5);
    grp_reply_sync(&c, &sync, 0, 3);
    join = grp_next_join(&c);
    grp_reply_join(&c, &join, 2, "m1", "m1", 0);
    assert_int_equal(grp_next_sync(&c).partitions[0], 5);
    cons_end(&c);
}

static void test_topics_that_come_while_it_syncs(void **state) {
    static const char *const names[] = {"^t", "^x"};
    struct cons c;
    (void)state;
    grp_prepare(&c);
    cons_create(&c);
    assert_int_equal(sl_gate_subscribe(c.gate, names, 2), 0);
    cons_advance(&c, 3000);
    grp_find(&c, 1);
    struct grp_join join = grp_next_join(&c);
    assert_int_equal(join.topics[0], 1);
    grp_reply_join(&c, &join, 1, "m1", "m1", 0);
    struct grp_sync sync = grp_next_sync(&c);
    cons_advance(&c, 2500);
    c.h->topics[2] = (struct host_topic){"x", 4, 0, 2, 1, 5};
    c.h->topic_count = 3;
    sl_metadata_refresh(c.h->core, NULL);
    cons_turn(&c);
    grp_reply_sync(&c, &sync, 0, 3);
    join = grp_next_join(&c);
    assert_int_equal(join.topics[0], 2);
    cons_end(&c);
}

/* Whoever is listed twice has one share all the same. */
static void test_a_member_that_is_listed_twice(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    grp_start(&c);
    struct grp_join join = grp_next_join(&c);
    grp_others[1] = grp_others[0];
    grp_reply_join(&c, &join, 1, "m1", "m1", 2);
    grp_others[1] = "other-2";
    struct grp_sync sync = grp_next_sync(&c);
    assert_int_equal(sync.assignments, 2);
    assert_int_equal(sync.partitions[0] + sync.partitions[1], 3);
    cons_end(&c);
}

static void test_patterns_are_looked_for_here(void **state) {
    static const char *const names[] = {"^t", "^x", "!^tmp"};
    struct cons c;
    (void)state;
    grp_prepare(&c);
    c.h->topics[2] = (struct host_topic){"tmp-1", 3, 0, 3, 1, 5};
    c.h->topic_count = 3;
    cons_create(&c);
    assert_int_equal(sl_gate_subscribe(c.gate, names, 3), 0);
    cons_advance(&c, 3000);
    grp_find(&c, 1);
    struct grp_join join = grp_next_join(&c);
    assert_int_equal(join.topics[0], 1);
    grp_reply_join(&c, &join, 1, "m1", "m1", 0);
    struct grp_sync sync = grp_next_sync(&c);
    assert_int_equal(sync.partitions[0], 3);
    grp_reply_sync(&c, &sync, 0, 3);
    grp_find_starts(&c);
    /* A topic comes that matches. */
    c.h->topics[3] = (struct host_topic){"x", 4, 0, 2, 1, 5};
    c.h->topic_count = 4;
    sl_metadata_refresh(c.h->core, NULL);
    cons_advance(&c, 1000);
    join = grp_next_join(&c);
    assert_int_equal(join.topics[0], 2);
    assert_non_null(strstr(join.reason, "match"));
    cons_end(&c);
}

static void test_a_pattern_that_is_none_is_told(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    cons_create(&c);
    assert_int_equal(grp_subscribe(&c, "^(t", NULL), 0);
    cons_turn(&c);
    cons_expect_error(&c, SLUICE_ERR_USAGE);
    assert_non_null(strstr(cons_text, "^(t"));
    cons_end(&c);
}

static void test_the_coordinator_moves(void **state) {
    struct cons c;
    (void)state;
    grp_open(&c, 3);
    grp_find_starts(&c);
    cons_advance(&c, 3000);
    (void)grp_reply_heartbeat(&c, SLUICE_KAFKA_NOT_COORDINATOR);
    cons_advance(&c, 1000);
    grp_find(&c, 2);
    cons_advance(&c, 1000);
    struct host_request r = grp_reply_heartbeat(&c, 0);
    assert_string_equal(r.conn->host, "b2");
    assert_int_equal(grp_owned(&c), 3);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    cons_end(&c);
}

static void test_join_has_the_rebalance_timeout(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    c.h->settings.max_poll_interval_ms = INT32_MAX;
    grp_start(&c);
    cons_advance(&c, 120000); /* more than request.timeout.ms */
    grp_settle(&c, 1, 3);
    cons_end(&c);
}

static void test_a_late_heartbeat_of_another_generation_is_nothing(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    c.h->settings.assignors = SL_ASSIGNOR_COOPERATIVE_STICKY;
    grp_start(&c);
    grp_settle(&c, 1, 3);
    assert_int_equal(sl_gate_rejoin(c.gate, "test"), 0);
    cons_advance(&c, 0);
    grp_settle(&c, 2, 3);
    sl_group_on_refused(c.h->core, SLUICE_KAFKA_ILLEGAL_GENERATION, 1);
    cons_turn(&c);
    assert_int_equal(grp_owned(&c), 3);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins_alone),
        cmocka_unit_test(test_an_eager_member_gives_everything_back),
        cmocka_unit_test(test_batches_in_hand_hold_the_rebalance),
        cmocka_unit_test(test_commits_before_it_joins),
        cmocka_unit_test(test_a_hold_ends),
        cmocka_unit_test(test_a_cooperative_member_keeps_what_stays),
        cmocka_unit_test(test_who_is_unknown_loses_everything),
        cmocka_unit_test(test_a_fenced_instance_ends_it),
        cmocka_unit_test(test_codes_of_join),
        cmocka_unit_test(test_codes_of_sync),
        cmocka_unit_test(test_leaves_on_close),
        cmocka_unit_test(test_a_close_does_not_wait_for_ever),
        cmocka_unit_test(test_static_members_stay_on_close),
        cmocka_unit_test(test_unsubscribe_leaves_and_subscribe_joins_again),
        cmocka_unit_test(test_no_polls_and_it_goes_away),
        cmocka_unit_test(test_the_leader_waits_for_metadata_of_others_topics),
        cmocka_unit_test(test_new_partitions_make_the_leader_join_again),
        cmocka_unit_test(test_partitions_that_come_while_it_syncs),
        cmocka_unit_test(test_topics_that_come_while_it_syncs),
        cmocka_unit_test(test_a_member_that_is_listed_twice),
        cmocka_unit_test(test_patterns_are_looked_for_here),
        cmocka_unit_test(test_a_pattern_that_is_none_is_told),
        cmocka_unit_test(test_the_coordinator_moves),
        cmocka_unit_test(test_join_has_the_rebalance_timeout),
        cmocka_unit_test(test_a_late_heartbeat_of_another_generation_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
