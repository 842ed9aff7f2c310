/* Membership by KIP-848: what heartbeats say and when, reconciling, fencing, falling back. */
#include "core_group.h"

struct beat {
    struct host_request r;
    char member_id[64];
    int32_t epoch, rebalance_ms;
    int names; /* -1: not told */
    char regex[64];
    bool has_regex;
    int owned; /* partitions; -1: not told */
    bool has_instance;
};
static struct beat next_beat(struct cons *c) {
    struct beat out;
    memset(&out, 0, sizeof out);
    out.r = host_next_request(c->h, SL_API_CONSUMER_GROUP_HEARTBEAT);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_consumer_group_heartbeat_request *m = host_decode(&out.r, &arena);
    grp_text(out.member_id, sizeof out.member_id, m->member_id);
    grp_text(out.regex, sizeof out.regex, m->topic_regex);
    out.has_regex = m->topic_regex.size >= 0;
    out.epoch = m->member_epoch;
    out.rebalance_ms = m->rebalance_timeout_ms;
    out.names = m->topic_names.count;
    out.owned = m->owned.count < 0 ? -1 : 0;
    out.has_instance = m->instance_id.size >= 0;
    const struct sl_consumer_group_heartbeat_topic *owned = m->owned.items;
    for (int32_t i = 0; i < m->owned.count; i++) out.owned += owned[i].partitions.count;
    sl_arena_deinit(&arena);
    return out;
}
/* Partitions first … first+count-1 of the topic with that id; count -1: nothing new. */
static void reply_beat(struct cons *c, const struct beat *beat, int32_t epoch, uint8_t id,
                       int32_t first, int32_t count) {
    struct sl_consumer_group_heartbeat_response m;
    struct sl_consumer_group_heartbeat_topic topic;
    struct sl_consumer_group_heartbeat_assignment assignment;
    int32_t numbers[16];
    sl_codec_defaults(&sl_consumer_group_heartbeat_response_type, &m);
    m.member_epoch = epoch;
    m.interval_ms = 5000;
    m.member_id = sl_bytes_str(beat->member_id);
    for (int32_t i = 0; i < count; i++) numbers[i] = first + i;
    memset(topic.topic_id.bytes, id, sizeof topic.topic_id.bytes);
    topic.partitions = (struct sl_array){numbers, count};
    assignment.topics = (struct sl_array){&topic, count > 0 ? 1 : 0};
    m.assignment = count < 0 ? (struct sl_array){NULL, -1} : (struct sl_array){&assignment, 1};
    host_reply(c->h, &beat->r, &m);
    cons_turn(c);
}
static void refuse_beat(struct cons *c, const struct beat *beat, int16_t code) {
    struct sl_consumer_group_heartbeat_response m;
    sl_codec_defaults(&sl_consumer_group_heartbeat_response_type, &m);
    m.error_code = code;
    host_reply(c->h, &beat->r, &m);
    cons_turn(c);
}
static int beats(const struct cons *c) { return grp_waiting(c, SL_API_CONSUMER_GROUP_HEARTBEAT); }
static void prepare(struct cons *c) {
    grp_prepare(c);
    c->h->settings.group_protocol = SL_GROUP_PROTOCOL_CONSUMER;
}
/* A member at epoch 1 with all three partitions, acknowledged at epoch 1. */
static void settle(struct cons *c) {
    struct beat beat = next_beat(c);
    reply_beat(c, &beat, 1, 1, 0, 3);
    beat = next_beat(c);
    assert_int_equal(beat.owned, 3);
    reply_beat(c, &beat, 1, 1, 0, -1);
    grp_find_starts(c);
}

static void test_joins_and_says_only_what_changed(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    grp_start(&c);
    struct beat beat = next_beat(&c);
    assert_int_equal(strlen(beat.member_id), 22);
    assert_int_equal(beat.epoch, 0);
    assert_int_equal(beat.rebalance_ms, 300000);
    assert_int_equal(beat.names, 1);
    assert_int_equal(beat.owned, 0); /* empty, not absent */
    reply_beat(&c, &beat, 1, 1, 0, 3);
    assert_int_equal(grp_owned(&c), 3);
    beat = next_beat(&c); /* acknowledged at once */
    assert_int_equal(beat.epoch, 1);
    assert_int_equal(beat.names, -1);
    assert_int_equal(beat.rebalance_ms, -1);
    assert_int_equal(beat.owned, 3);
    reply_beat(&c, &beat, 2, 1, 0, -1);
    assert_int_equal(beats(&c), 0);
    cons_advance(&c, 5000);
    beat = next_beat(&c);
    assert_int_equal(beat.epoch, 2);
    assert_int_equal(beat.owned, -1);
    assert_int_equal(beat.names, -1);
    reply_beat(&c, &beat, 2, 1, 0, -1);
    cons_end(&c);
}

static void test_gives_up_before_it_says_so(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    grp_start(&c);
    settle(&c);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 2, 0);
    cons_reply(&c, &fetch, a);
    struct sl_slice *slice = cons_take(&c);
    assert_int_equal(slice->partition, 2);
    cons_advance(&c, 5000);
    struct beat beat = next_beat(&c);
    reply_beat(&c, &beat, 1, 1, 0, 2); /* the last one has to go, and its batch is in hand */
    assert_int_equal(beats(&c), 0);
    cons_advance(&c, 5000);
    beat = next_beat(&c);
    assert_int_equal(beat.owned, -1);
    reply_beat(&c, &beat, 1, 1, 0, -1);
    cons_finish(&c, slice);
    cons_turn(&c);
    beat = next_beat(&c);
    assert_int_equal(beat.owned, 2);
    reply_beat(&c, &beat, 2, 1, 0, -1);
    assert_int_equal(grp_owned(&c), 2);
    cons_end(&c);
}

static void test_says_everything_after_a_failure(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    grp_start(&c);
    settle(&c);
    cons_advance(&c, 5000);
    struct beat beat = next_beat(&c);
    refuse_beat(&c, &beat, SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    cons_advance(&c, 200);
    beat = next_beat(&c);
    assert_int_equal(beat.epoch, 1);
    assert_int_equal(beat.owned, 3);
    assert_int_equal(beat.names, 1);
    reply_beat(&c, &beat, 1, 1, 0, 3);
    assert_int_equal(grp_owned(&c), 3);
    cons_end(&c);
}

static void test_fenced_it_joins_at_once_with_its_id(void **state) {
    static const int16_t codes[] = {SLUICE_KAFKA_FENCED_MEMBER_EPOCH,
                                    SLUICE_KAFKA_UNKNOWN_MEMBER_ID};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct cons c;
        prepare(&c);
        grp_start(&c);
        settle(&c);
        cons_advance(&c, 5000);
        struct beat beat = next_beat(&c);
        char id[64];
        memcpy(id, beat.member_id, sizeof id);
        refuse_beat(&c, &beat, codes[i]);
        assert_int_equal(grp_owned(&c), 0);
        beat = next_beat(&c);
        assert_string_equal(beat.member_id, id);
        assert_int_equal(beat.epoch, 0);
        assert_int_equal(beat.owned, 0);
        cons_end(&c);
    }
}

static void test_a_topic_that_metadata_does_not_know_stays_pending(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    grp_start(&c);
    struct beat beat = next_beat(&c);
    reply_beat(&c, &beat, 1, 2, 0, 3); /* "u", by a pattern for instance */
    cons_advance(&c, 3000);
    assert_int_equal(grp_owned(&c), 3);
    assert_int_equal(c.h->core->metadata.topic_count, 2);
    cons_end(&c);
}

static void test_patterns_are_the_brokers(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    cons_create(&c);
    assert_int_equal(grp_subscribe(&c, "^t", "u"), 0);
    grp_find(&c, 1);
    struct beat beat = next_beat(&c);
    assert_int_equal(beat.names, 1);
    assert_string_equal(beat.regex, ".*(?:^t).*");
    cons_end(&c);
}

static void test_codes_that_end_it(void **state) {
    static const int16_t codes[] = {
        SLUICE_KAFKA_FENCED_INSTANCE_ID, SLUICE_KAFKA_UNSUPPORTED_ASSIGNOR,
        SLUICE_KAFKA_INVALID_REQUEST,    SLUICE_KAFKA_GROUP_MAX_SIZE_REACHED,
        SLUICE_KAFKA_GROUP_ID_NOT_FOUND, SLUICE_KAFKA_UNSUPPORTED_VERSION};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct cons c;
        prepare(&c);
        grp_start(&c);
        struct beat beat = next_beat(&c);
        refuse_beat(&c, &beat, codes[i]);
        cons_expect_error(&c, codes[i]);
        cons_advance(&c, 60000);
        assert_int_equal(beats(&c), 0);
        cons_end(&c);
    }
}

static void test_auto_falls_back_to_classic(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    c.h->settings.group_protocol = SL_GROUP_PROTOCOL_AUTO;
    grp_start(&c);
    struct beat beat = next_beat(&c);
    refuse_beat(&c, &beat, SLUICE_KAFKA_UNSUPPORTED_VERSION);
    grp_settle(&c, 1, 3);
    assert_int_equal(grp_owned(&c), 3);
    cons_end(&c);
}

static void test_leaves(void **state) {
    (void)state;
    for (int is_static = 0; is_static < 2; is_static++) {
        struct cons c;
        prepare(&c);
        if (is_static) c.h->settings.group_instance_id = (char *)(uintptr_t) "i1";
        grp_start(&c);
        settle(&c);
        struct sl_op *op = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 5000);
        cons_turn(&c);
        struct beat beat = next_beat(&c);
        assert_int_equal(beat.epoch, is_static ? -2 : -1);
        reply_beat(&c, &beat, beat.epoch, 1, 0, -1);
        assert_true(sl_core_is_closed(c.h->core));
        assert_int_equal(op->code, 0);
        cons_end(&c);
    }
}

/* A commit that is refused while the member leaves asks for a heartbeat that is never sent: nothing
 * may be due because of it, or the loop would spin. */
static void test_nothing_is_due_once_it_leaves(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    grp_start(&c);
    settle(&c);
    (void)host_ask(c.h, SL_COMMAND_CLOSE, NULL, 5000);
    cons_turn(&c);
    struct beat beat = next_beat(&c);
    assert_int_equal(beat.epoch, -1);
    assert_int_equal(grp_of(&c)->state, SL_GROUP_LEAVING);
    sl_group_on_refused(c.h->core, SLUICE_KAFKA_STALE_MEMBER_EPOCH, grp_of(&c)->epoch);
    cons_turn(&c);
    assert_true(sl_group_deadline(c.h->core) > c.h->core->now);
    reply_beat(&c, &beat, beat.epoch, 1, 0, -1);
    assert_true(sl_core_is_closed(c.h->core));
    cons_end(&c);
}

/* It does not hear how long a session lasts there: nine intervals, as by the brokers' defaults, and
 * no longer than its own setting. */
static void test_who_stood_still_waits_for_an_answer(void **state) {
    static const struct {
        int32_t session_ms;
        int64_t pause_ms;
        bool goes_on;
    } cases[] = {
        {60000, 44000, true}, {60000, 46000, false}, {10000, 9000, true}, {10000, 11000, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cons c;
        (void)state;
        prepare(&c);
        c.h->settings.session_timeout_ms = cases[i].session_ms;
        grp_start(&c);
        settle(&c);
        cons_reply_batch(&c, 0, 0);
        c.h->now += cases[i].pause_ms * SL_MS;
        if (!cases[i].goes_on) {
            cons_expect_nothing(&c);
            cons_turn(&c);
            struct beat beat = next_beat(&c);
            cons_expect_nothing(&c);
            reply_beat(&c, &beat, 1, 1, 0, -1);
        }
        cons_expect(&c, 0, 0, 10);
        cons_end(&c);
    }
}

/* While a close waits for a commit the member is one still, and heard of. */
static void test_a_close_that_commits_goes_on_beating(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    grp_start(&c);
    settle(&c);
    struct sl_op *op = host_op(c.h, 60000);
    struct sl_command *command = host_command_make(c.h, SL_COMMAND_COMMIT, op, NULL);
    struct sl_offsets *list = cons_list(&c, "t", 0, 7);
    assert_int_equal(sl_offset_list_copy(list, &c.h->memory.alloc, &command->offsets), 0);
    sl_offset_list_destroy(list);
    assert_int_equal(sl_gate_commit(c.gate, command), 0);
    cons_turn(&c);
    assert_int_equal(grp_waiting(&c, SL_API_OFFSET_COMMIT), 1);
    (void)host_ask(c.h, SL_COMMAND_CLOSE, NULL, 20000);
    cons_turn(&c);
    cons_advance(&c, 10000);
    struct beat beat = next_beat(&c);
    assert_true(beat.epoch > 0);
    assert_true(sl_group_deadline(c.h->core) > c.h->core->now);
    assert_int_equal(grp_waiting(&c, SL_API_OFFSET_COMMIT), 1);
    cons_advance(&c, 10000);
    assert_true(sl_core_is_closed(c.h->core));
    cons_end(&c);
}

static void test_no_polls_and_it_goes_away(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    c.h->settings.max_poll_interval_ms = 20000;
    grp_start(&c);
    settle(&c);
    cons_advance(&c, 4000);
    for (int i = 0; i < 5; i++) {
        cons_advance(&c, 5000);
        struct beat beat = next_beat(&c);
        if (beat.epoch == -1) {
            assert_int_equal(grp_owned(&c), 0);
            cons_advance(&c, 10000);
            assert_int_equal(beats(&c), 0);
            grp_poll(&c);
            reply_beat(&c, &beat, -1, 1, 0, -1);
            beat = next_beat(&c);
            assert_int_equal(beat.epoch, 0);
            cons_end(&c);
            return;
        }
        reply_beat(&c, &beat, 1, 1, 0, -1);
    }
    fail_msg("it has not gone");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins_and_says_only_what_changed),
        cmocka_unit_test(test_gives_up_before_it_says_so),
        cmocka_unit_test(test_says_everything_after_a_failure),
        cmocka_unit_test(test_fenced_it_joins_at_once_with_its_id),
        cmocka_unit_test(test_a_topic_that_metadata_does_not_know_stays_pending),
        cmocka_unit_test(test_patterns_are_the_brokers),
        cmocka_unit_test(test_codes_that_end_it),
        cmocka_unit_test(test_auto_falls_back_to_classic),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_nothing_is_due_once_it_leaves),
        cmocka_unit_test(test_who_stood_still_waits_for_an_answer),
        cmocka_unit_test(test_a_close_that_commits_goes_on_beating),
        cmocka_unit_test(test_no_polls_and_it_goes_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
