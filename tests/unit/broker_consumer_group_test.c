/* Groups of KIP-848 at the bundled broker: members by heartbeats alone. Each test plays the members
 * by hand. */
#include "broker_beats.h"

/* ---- one member ---- */

static void test_one_member(void **state) {
    (void)state;
    struct client *c = client_start(1, 4);
    struct client_link *l = client_connect(c, 1);
    struct beat b = beat_join_of("a");
    const struct sl_consumer_group_heartbeat_response *m = beat_expect(c, l, &b, 1, "0 1 2 3");
    assert_int_equal(m->interval_ms, 5000);
    assert_true(sl_bytes_str_equal(m->member_id, SL_STR("a")));
    b = beat_of("a", 1);
    beat_expect(c, l, &b, 1, "-"); /* nothing new */
    beat_own(&b, "0 1 2 3");
    beat_expect(c, l, &b, 1, "-");
    /* A full request is answered in full. */
    b = beat_join_of("a");
    b.epoch = 1;
    beat_own(&b, "0 1 2 3");
    beat_expect(c, l, &b, 1, "0 1 2 3");
    b = beat_of("a", -1);
    assert_int_equal(beat_ask(c, l, &b)->member_epoch, -1);
    b = beat_of("a", 1);
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(c);
}

static void test_version_0_gives_ids(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct beat b = beat_join_of("");
    b.version = 0;
    const struct sl_consumer_group_heartbeat_response *m = beat_expect(c, l, &b, 1, "0");
    assert_int_equal(m->member_id.size, 22);
    b.version = 1;
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REQUEST);
    client_end(c);
}

static void test_flaws(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct beat b = beat_join_of("a");
    b.rebalance_ms = -1;
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REQUEST);
    b = beat_join_of("a");
    b.has_owned = false;
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REQUEST);
    beat_own(&b, "0");
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REQUEST);
    b = beat_join_of("a");
    b.has_names = false;
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REQUEST);
    b = beat_join_of("a");
    b.group = "";
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REQUEST);
    b = beat_join_of("a");
    b.instance = "";
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REQUEST);
    b = beat_of("a", -2);
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
    b = beat_join_of("a");
    b.assignor = "mine";
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_UNSUPPORTED_ASSIGNOR);
    b = beat_join_of("a");
    b.regex = "(";
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REGULAR_EXPRESSION);
    b = beat_of("a", 5);
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
    assert_null(sl_groups_find(&c->broker->groups, SL_STR("g")));
    b = beat_join_of("a");
    beat_expect(c, l, &b, 1, "0"); /* nothing was left of the flawed ones */
    b = beat_of("a", -2);
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REQUEST);
    b = beat_of("a", -3);
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_INVALID_REQUEST);
    client_end(c);
}

/* ---- two members ---- */

/* The second gets its half only when the first has given it up. */
static void test_partitions_change_hands(void **state) {
    (void)state;
    struct client *c = client_start(1, 4);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a"), b = beat_join_of("b");
    beat_expect(c, l, &a, 1, "0 1 2 3");
    beat_expect(c, l, &b, 2, ""); /* the epoch of its target; nothing is free */
    a = beat_of("a", 1);
    beat_expect(c, l, &a, 1, "2 3"); /* to give up 0 and 1, in its old epoch */
    b = beat_of("b", 2);
    beat_expect(c, l, &b, 2, "-");
    beat_own(&a, "0 1 2 3");
    beat_expect(c, l, &a, 1, "-"); /* still has them */
    beat_expect(c, l, &b, 2, "-");
    beat_own(&a, "2 3");
    beat_expect(c, l, &a, 2, "-"); /* given up: the next epoch */
    beat_expect(c, l, &b, 2, "0 1");
    beat_own(&b, "0 1");
    beat_expect(c, l, &b, 2, "-");
    struct sl_group *g = sl_groups_find(&c->broker->groups, SL_STR("g"));
    assert_string_equal(sl_groups_state_text(g), "Stable");
    /* One leaves: the other gets all at once. */
    b = beat_of("b", -1);
    (void)beat_ask(c, l, &b);
    assert_string_equal(sl_groups_state_text(g), "Assigning");
    a = beat_of("a", 2);
    beat_expect(c, l, &a, 3, "0 1 2 3");
    client_end(c);
}

/* What is uniform keeps what it can: a third member takes from both. */
static void test_uniform_is_sticky(void **state) {
    (void)state;
    struct client *c = client_start(1, 6);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a"), b = beat_join_of("b"), d = beat_join_of("d");
    beat_expect(c, l, &a, 1, "0 1 2 3 4 5");
    beat_expect(c, l, &b, 2, "");
    a = beat_of("a", 1);
    beat_expect(c, l, &a, 1, "3 4 5");
    beat_own(&a, "3 4 5");
    beat_expect(c, l, &a, 2, "-");
    b = beat_of("b", 2);
    beat_expect(c, l, &b, 2, "0 1 2");
    beat_expect(c, l, &d, 3, "");
    a = beat_of("a", 2);
    beat_expect(c, l, &a, 2, "4 5");
    b = beat_of("b", 2);
    beat_expect(c, l, &b, 2, "1 2");
    beat_own(&a, "4 5");
    beat_expect(c, l, &a, 3, "-");
    d = beat_of("d", 3);
    beat_expect(c, l, &d, 3, "3"); /* what is free already */
    beat_own(&b, "1 2");
    beat_expect(c, l, &b, 3, "-");
    beat_expect(c, l, &d, 3, "0 3");
    client_end(c);
}

static void test_range(void **state) {
    (void)state;
    struct client *c = client_start(1, 5);
    struct client_link *l = client_connect(c, 1);
    struct beat b = beat_join_of("b"), a = beat_join_of("a");
    a.assignor = b.assignor = "range";
    beat_expect(c, l, &b, 1, "0 1 2 3 4");
    beat_expect(c, l, &a, 2, "");
    b = beat_of("b", 1);
    beat_expect(c, l, &b, 1, "3 4"); /* the first piece is the longer one, and a's */
    beat_own(&b, "3 4");
    beat_expect(c, l, &b, 2, "-");
    a = beat_of("a", 2);
    beat_expect(c, l, &a, 2, "0 1 2");
    client_end(c);
}

static void test_different_subscriptions(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_create_topic(c->broker, "u", 4, 1), 0);
    struct beat a = beat_join_of("a"), b = beat_join_of("b");
    a.names[1] = "u";
    b.names[0] = "u";
    beat_expect(c, l, &b, 1, "");
    beat_expect(c, l, &a, 2, "0 1"); /* all of t, since the other does not want it */
    struct sl_group *g = sl_groups_find(&c->broker->groups, SL_STR("g"));
    struct sl_consumer_member *m = sl_group_subscribers_find(g, SL_STR("a"));
    assert_int_equal(m->target.count, 3); /* six in all */
    client_end(c);
}

/* ---- epochs ---- */

static void test_epochs(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a"), b = beat_join_of("b");
    beat_expect(c, l, &a, 1, "0 1");
    a = beat_of("a", 2);
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_FENCED_MEMBER_EPOCH);
    beat_expect(c, l, &b, 2, "");
    a = beat_of("a", 1);
    beat_own(&a, "1");
    beat_expect(c, l, &a, 2, "1");
    /* The answer was lost: the old epoch once more, with what it has. */
    beat_expect(c, l, &a, 2, "-");
    a.has_owned = false;
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_FENCED_MEMBER_EPOCH);
    beat_own(&a, "0 1"); /* one of them is not its own */
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_FENCED_MEMBER_EPOCH);
    /* Fenced, it begins anew under its id, and gets what it has. */
    a = beat_join_of("a");
    beat_expect(c, l, &a, 2, "1");
    client_end(c);
}

/* The answer to the join was lost. */
static void test_join_twice(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a");
    beat_expect(c, l, &a, 1, "0 1");
    beat_expect(c, l, &a, 1, "0 1");
    client_end(c);
}

static void test_session(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_set(c->broker, "group.consumer.session.timeout.ms", "9000"), 0);
    assert_int_equal(sl_broker_set(c->broker, "group.consumer.heartbeat.interval.ms", "700"), 0);
    struct beat a = beat_join_of("a"), b = beat_join_of("b");
    assert_int_equal(beat_expect(c, l, &a, 1, "0 1")->interval_ms, 700);
    beat_expect(c, l, &b, 2, "");
    client_advance(c, 8000);
    b = beat_of("b", 2);
    beat_expect(c, l, &b, 2, "-");
    client_advance(c, 1000); /* a is gone, and what it had is free */
    beat_expect(c, l, &b, 3, "0 1");
    a = beat_of("a", 1);
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(c);
}

/* Who does not give up what it should within its rebalance timeout is out, although it lives. */
static void test_rebalance_timeout(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a"), b = beat_join_of("b");
    beat_expect(c, l, &a, 1, "0 1");
    beat_expect(c, l, &b, 2, "");
    a = beat_of("a", 1);
    beat_expect(c, l, &a, 1, "1");
    beat_own(&a, "0 1");
    for (int i = 0; i < 3; i++) {
        client_advance(c, 9999);
        beat_expect(c, l, &a, 1, "-");
    }
    client_advance(c, 3);
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    b = beat_of("b", 2);
    beat_expect(c, l, &b, 3, "0 1");
    client_end(c);
}

static void test_rebalance_on_demand(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a");
    beat_expect(c, l, &a, 1, "0 1");
    assert_int_equal(sl_broker_rebalance(c->broker, "g"), 0);
    a = beat_of("a", 1);
    beat_own(&a, "0 1");
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_FENCED_MEMBER_EPOCH);
    a = beat_join_of("a");
    beat_expect(c, l, &a, 2, "0 1");
    client_end(c);
}

/* ---- topics ---- */

static void test_topics_come_and_go(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a");
    beat_expect(c, l, &a, 1, ""); /* there is no such topic */
    assert_int_equal(sl_broker_create_topic(c->broker, "other", 2, 1), 0);
    a = beat_of("a", 1);
    beat_expect(c, l, &a, 1, "-");
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 2, 1), 0);
    beat_expect(c, l, &a, 2, "0 1");
    assert_int_equal(sl_broker_delete_topic(c->broker, "t"), 0);
    a = beat_of("a", 2);
    beat_expect(c, l, &a, 2, ""); /* to be given up */
    a.has_owned = true;
    beat_expect(c, l, &a, 3, "-");
    client_end(c);
}

static void test_subscription_changes(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a");
    beat_expect(c, l, &a, 1, "0 1");
    a = beat_of("a", 1);
    a.has_names = true; /* of nothing */
    beat_own(&a, "");
    beat_expect(c, l, &a, 2, "");
    a = beat_of("a", 2);
    a.has_names = true;
    a.names[0] = "t";
    beat_expect(c, l, &a, 3, "0 1");
    client_end(c);
}

static void test_regex(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a");
    a.has_names = false;
    a.names[0] = NULL;
    a.regex = "t|x.*";
    beat_expect(c, l, &a, 1, "0 1");
    assert_int_equal(sl_broker_create_topic(c->broker, "y", 2, 1), 0);
    a = beat_of("a", 1);
    beat_expect(c, l, &a, 1, "-");
    assert_int_equal(sl_broker_create_topic(c->broker, "xyz", 2, 1), 0);
    const struct sl_consumer_group_heartbeat_response *m = beat_ask(c, l, &a);
    const struct sl_consumer_group_heartbeat_assignment *given = m->assignment.items;
    assert_int_equal(m->member_epoch, 2);
    assert_int_equal(given->topics.count, 2);
    a.epoch = 2;
    a.regex = ""; /* it is taken back */
    beat_own(&a, "");
    m = beat_ask(c, l, &a);
    given = m->assignment.items;
    assert_int_equal(m->member_epoch, 3);
    assert_int_equal(given->topics.count, 0);
    client_end(c);
}

/* ---- static members ---- */

static void test_static_member(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a"), b = beat_join_of("b"), again = beat_join_of("a2");
    a.instance = again.instance = "one";
    b.instance = "two";
    beat_expect(c, l, &a, 1, "0 1");
    beat_expect(c, l, &b, 2, "");
    a = beat_of("a", 1);
    a.instance = "one";
    beat_own(&a, "1");
    beat_expect(c, l, &a, 2, "1");
    b = beat_of("b", 2);
    b.instance = "two";
    beat_expect(c, l, &b, 2, "0");
    /* It is not free while it is in use. */
    assert_int_equal(beat_refusal(c, l, &again), SLUICE_KAFKA_UNRELEASED_INSTANCE_ID);
    struct beat gone = beat_of("a", -2);
    gone.instance = "one";
    assert_int_equal(beat_ask(c, l, &gone)->member_epoch, -2);
    beat_expect(c, l, &b, 2, "-"); /* nobody else notices */
    beat_expect(c, l, &again, 2, "1");
    a.epoch = 2;
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_FENCED_INSTANCE_ID);
    gone.epoch = -1;
    assert_int_equal(beat_refusal(c, l, &gone), SLUICE_KAFKA_FENCED_INSTANCE_ID);
    a.instance = "none";
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    /* It leaves and nobody comes: the others get what it had when its session ends. */
    gone = beat_of("a2", -2);
    gone.instance = "one";
    (void)beat_ask(c, l, &gone);
    client_advance(c, 44000);
    beat_expect(c, l, &b, 2, "-");
    client_advance(c, 1000);
    beat_expect(c, l, &b, 3, "0 1");
    client_end(c);
}

/* ---- offsets, other protocols, describing ---- */

static void test_offsets(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a");
    struct group_commit k = group_commit_of("g", 0, 5);
    beat_expect(c, l, &a, 1, "0 1");
    assert_int_equal(group_commit(c, l, 9, &k), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    k.member = SL_STR("a");
    k.generation = 1;
    assert_int_equal(group_commit(c, l, 9, &k), 0);
    assert_int_equal(group_commit(c, l, 10, &k), 0);
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_UNSUPPORTED_VERSION);
    k.generation = 0;
    assert_int_equal(group_commit(c, l, 9, &k), SLUICE_KAFKA_STALE_MEMBER_EPOCH);
    k.generation = 2;
    assert_int_equal(group_commit(c, l, 9, &k), SLUICE_KAFKA_STALE_MEMBER_EPOCH);
    /* Who reads says whether it is a member. */
    struct sl_offset_fetch_request request;
    struct sl_offset_fetch_group g;
    sl_codec_defaults(&sl_offset_fetch_request_type, &request);
    sl_codec_defaults(client_item_type(&sl_offset_fetch_request_type, "groups"), &g);
    g.group_id = SL_STR("g");
    g.topics.count = -1;
    request.groups = (struct sl_array){&g, 1};
    static const struct {
        const char *member;
        int32_t epoch;
        int code;
    } cases[] = {{NULL, -1, 0},
                 {"a", 1, 0},
                 {"a", 0, SLUICE_KAFKA_STALE_MEMBER_EPOCH},
                 {"b", 1, SLUICE_KAFKA_UNKNOWN_MEMBER_ID}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        g.member_id = sl_bytes_str(cases[i].member);
        g.member_epoch = cases[i].epoch;
        const struct sl_offset_fetch_response *m =
            client_ask(c, l, SL_API_OFFSET_FETCH, 9, &request);
        const struct sl_offset_fetch_group_response *r = client_item(&m->groups, 0, sizeof *r);
        assert_int_equal(r->error_code, cases[i].code);
        assert_int_equal(r->topics.count, cases[i].code == 0 ? 1 : 0);
    }
    client_end(c);
}

/* Offsets of topics that somebody subscribes to are not deleted. */
static void test_offset_delete(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_create_topic(c->broker, "u", 1, 1), 0);
    struct beat a = beat_join_of("a");
    beat_expect(c, l, &a, 1, "0 1");
    int32_t partition = 0;
    struct sl_offset_delete_request request;
    struct sl_offset_delete_topic topics[2] = {{SL_STR("t"), {&partition, 1}},
                                               {SL_STR("u"), {&partition, 1}}};
    sl_codec_defaults(&sl_offset_delete_request_type, &request);
    request.group_id = SL_STR("g");
    request.topics = (struct sl_array){topics, 2};
    const struct sl_offset_delete_response *m = client_ask(c, l, SL_API_OFFSET_DELETE, 0, &request);
    const struct sl_offset_delete_topic_response *t = client_item(&m->topics, 1, sizeof *t);
    const struct sl_offset_delete_partition_response *p = t[-1].partitions.items;
    assert_int_equal(m->error_code, 0);
    assert_int_equal(p->error_code, SLUICE_KAFKA_GROUP_SUBSCRIBED_TO_TOPIC);
    p = t->partitions.items;
    assert_int_equal(p->error_code, 0);
    client_end(c);
}

static void test_full_group(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a"), b = beat_join_of("b");
    assert_int_equal(sl_broker_set(c->broker, "group.max.size", "1"), 0);
    beat_expect(c, l, &a, 1, "0 1");
    assert_int_equal(beat_refusal(c, l, &b), SLUICE_KAFKA_GROUP_MAX_SIZE_REACHED);
    beat_expect(c, l, &a, 1, "0 1");
    client_end(c);
}

static void test_the_two_protocols(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a");
    struct group_join j = group_join_of(9, "g");
    struct sl_join_group_response joined;
    struct group_commit k = group_commit_of("g", 0, 5);
    assert_int_equal(group_commit(c, l, 9, &k), 0); /* a simple group may become either */
    beat_expect(c, l, &a, 1, "0 1");
    assert_int_equal(group_join(c, l, &j)->error_code, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    assert_int_equal(group_heartbeat(c, l, 4, "g", SL_STR("a"), GROUP_NONE, 1),
                     SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    a = beat_of("a", -1);
    (void)beat_ask(c, l, &a);
    group_settle_one(c, l, &j, &joined); /* empty, it may change */
    a = beat_join_of("a");
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
    assert_int_equal(group_leave(c, l, 5, "g", joined.member_id, GROUP_NONE), 0);
    beat_expect(c, l, &a, 1, "0 1");
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 0).offset, 5); /* offsets stay through it all */
    client_end(c);
}

static void test_not_offered(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    const char *name = "group.coordinator.rebalance.protocols";
    struct beat a = beat_join_of("a");
    assert_int_equal(sl_broker_set(c->broker, name, "classic"), 0);
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_UNSUPPORTED_VERSION);
    assert_int_equal(sl_broker_set(c->broker, name, "consumer"), SLUICE_ERR_CONFIG);
    assert_int_equal(sl_broker_set(c->broker, name, "classic,share"), SLUICE_ERR_CONFIG);
    assert_int_equal(sl_broker_set(c->broker, name, "classic,consumer"), 0);
    beat_expect(c, l, &a, 1, "0 1");
    client_end(c);
}

static const struct sl_consumer_group_describe_group *
describe(struct client *c, struct client_link *l, int16_t version, const char *id) {
    struct sl_consumer_group_describe_request request;
    struct sl_str group = sl_bytes_str(id);
    sl_codec_defaults(&sl_consumer_group_describe_request_type, &request);
    request.group_ids = (struct sl_array){&group, 1};
    const struct sl_consumer_group_describe_response *m =
        client_ask(c, l, SL_API_CONSUMER_GROUP_DESCRIBE, version, &request);
    return client_item(&m->groups, 0, sizeof(struct sl_consumer_group_describe_group));
}

static void test_describe(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct beat a = beat_join_of("a"), b = beat_join_of("b");
    b.instance = "two";
    beat_expect(c, l, &a, 1, "0 1");
    beat_expect(c, l, &b, 2, "");
    for (int16_t version = 0; version <= 1; version++) {
        const struct sl_consumer_group_describe_group *g = describe(c, l, version, "g");
        const struct sl_consumer_group_describe_member *m = client_item(&g->members, 1, sizeof *m);
        assert_int_equal(g->error_code, 0);
        assert_true(sl_bytes_str_equal(g->state, SL_STR("Reconciling")));
        assert_true(sl_bytes_str_equal(g->assignor, SL_STR("uniform")));
        assert_int_equal(g->group_epoch, 2);
        assert_int_equal(g->assignment_epoch, 2);
        assert_true(sl_bytes_str_equal(m->instance_id, SL_STR("two")));
        assert_int_equal(m->member_epoch, 2);
        assert_int_equal(m->assignment.topics.count, 0);
        const struct sl_consumer_group_describe_topic *t =
            client_item(&m->target.topics, 0, sizeof *t);
        assert_true(sl_bytes_str_equal(t->name, SL_STR("t")));
        assert_int_equal(t->partitions.count, 1);
        assert_int_equal(m[-1].assignment.topics.count, 1);
        assert_int_equal(m->topic_names.count, 1);
        if (version >= 1) assert_int_equal(m->member_type, 1);
        g = describe(c, l, version, "none");
        assert_int_equal(g->error_code, SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
    }
    client_end(c);
}

/* All of it is the cluster's: another coordinator goes on, and sessions begin anew. */
static void test_coordinator_moves(void **state) {
    (void)state;
    struct client *c = client_start(2, 2);
    int32_t home = sl_cluster_coordinator(&c->broker->cluster, SL_STR("g"))->id;
    struct client_link *l = client_connect(c, home);
    struct beat a = beat_join_of("a");
    beat_expect(c, l, &a, 1, "0 1");
    client_advance(c, 40000);
    assert_int_equal(sl_broker_move_coordinator(c->broker, "g", 3 - home), 0);
    a = beat_of("a", 1);
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_NOT_COORDINATOR);
    l = client_connect(c, 3 - home);
    client_advance(c, 44000);
    beat_expect(c, l, &a, 1, "-");
    client_advance(c, 45000);
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(c);
}

static void test_faults(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_CONSUMER_GROUP_HEARTBEAT);
    struct beat a = beat_join_of("a");
    f.code = SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
    client_fault(c, &f);
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    assert_null(sl_groups_find(&c->broker->groups, SL_STR("g")));
    f.executed = true;
    client_fault(c, &f);
    assert_int_equal(beat_refusal(c, l, &a), SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    beat_expect(c, l, &a, 1, "0 1"); /* it was carried out, and is told again */
    f = client_fault_of(SL_FAULT_ERROR, SL_API_CONSUMER_GROUP_DESCRIBE);
    f.code = SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED;
    client_fault(c, &f);
    assert_int_equal(describe(c, l, 1, "g")->error_code, SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED);
    client_end(c);
}

/* Members come, go, are slow, and report what they have; at the end each partition has one owner and
 * the loads are even. The invariants are checked at every step (no partition has two). */
static void test_by_chance(void **state) {
    (void)state;
    enum { MEMBERS = 6, STEPS = 600 };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct client *c = client_start(1, 9);
        struct client_link *l = client_connect(c, 1);
        struct sl_rng rng;
        char names[MEMBERS][2], has[MEMBERS][64];
        int32_t epochs[MEMBERS] = {0};
        sl_rng_init(&rng, seed);
        memset(has, 0, sizeof has);
        for (int i = 0; i < MEMBERS; i++) memcpy(names[i], (char[]){(char)('a' + i), 0}, 2);
        for (int step = 0; step < STEPS; step++) {
            bool is_end = step > STEPS - 100;
            int i = is_end ? step % MEMBERS : (int)sl_rng_below(&rng, MEMBERS);
            bool leaves = !is_end && epochs[i] > 0 && sl_rng_chance(&rng, 1, 10);
            struct beat b = epochs[i] == 0 ? beat_join_of(names[i]) : beat_of(names[i], epochs[i]);
            if (epochs[i] == 0) has[i][0] = '\0';
            if (leaves) b.epoch = -1;
            if (!leaves && (is_end || sl_rng_chance(&rng, 1, 2))) beat_own(&b, has[i]);
            l->asked_count = l->taken = 0;
            const struct sl_consumer_group_heartbeat_response *m = beat_ask(c, l, &b);
            if (m->error_code != 0) assert_int_equal(m->error_code, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
            epochs[i] = m->error_code != 0 || leaves ? 0 : m->member_epoch;
            if (m->error_code == 0 && m->assignment.count > 0)
                snprintf(has[i], sizeof has[i], "%s", beat_told(c, m));
            if (!is_end) client_advance(c, (int64_t)sl_rng_below(&rng, 5000));
        }
        struct sl_group *g = sl_groups_find(&c->broker->groups, SL_STR("g"));
        assert_string_equal(sl_groups_state_text(g), "Stable");
        struct sl_consumer_member *m;
        int32_t sum = 0;
        for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;) {
            assert_in_range(m->assigned.count, 1, 2);
            assert_true(sl_group_parts_equal(&m->assigned, &m->target));
            sum += m->assigned.count;
        }
        assert_int_equal(sum, 9);
        client_end(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_member),
        cmocka_unit_test(test_version_0_gives_ids),
        cmocka_unit_test(test_flaws),
        cmocka_unit_test(test_partitions_change_hands),
        cmocka_unit_test(test_uniform_is_sticky),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_different_subscriptions),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_join_twice),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_rebalance_timeout),
        cmocka_unit_test(test_rebalance_on_demand),
        cmocka_unit_test(test_topics_come_and_go),
        cmocka_unit_test(test_subscription_changes),
        cmocka_unit_test(test_regex),
        cmocka_unit_test(test_static_member),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_offset_delete),
        cmocka_unit_test(test_full_group),
        cmocka_unit_test(test_the_two_protocols),
        cmocka_unit_test(test_not_offered),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_coordinator_moves),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
