/* Groups of the classic protocol at the bundled broker: joining and its delays, the vote, leaders,
 * assignments, sessions, generations. Each test plays the members by hand; time is virtual. */
#include "broker_group_client.h"

static const char *const assigned[] = {"one", "two", "three", "four"};

static struct sl_classic *classic_of(struct client *c, const char *group) {
    struct sl_group *g = sl_groups_find(&c->broker->groups, sl_bytes_str(group));
    assert_non_null(g);
    return &g->classic;
}

/* Two members in one stable generation; the first leads. */
struct pair {
    struct client *c;
    struct client_link *l[2];
    struct group_join j[2];
    struct sl_join_group_response joined[2];
};

static void sync_pair(struct pair *p, const char *group) {
    for (int i = 1; i >= 0; i--)
        group_put_sync(p->c, p->l[i], 3, group, &p->joined[i], p->j[i].instance, assigned);
    client_turn(p->c);
    for (int i = 0; i < 2; i++) {
        const struct sl_sync_group_response *m = client_take(p->c, p->l[i]);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->assignment.size, 3);
        assert_memory_equal(m->assignment.data, assigned[i], 3);
    }
}

static void take_pair(struct pair *p) {
    for (int i = 0; i < 2; i++) {
        p->joined[i] = *(const struct sl_join_group_response *)client_take(p->c, p->l[i]);
        assert_int_equal(p->joined[i].error_code, 0);
        assert_true(sl_bytes_str_equal(p->joined[i].leader, p->joined[0].member_id));
    }
}

/* The second one subscribes to something else, and its join waits for the first. */
static void unsettle(struct pair *p) {
    p->j[1].metadata = "else";
    group_put_join(p->c, p->l[1], &p->j[1]);
    client_turn(p->c);
}

/* Both join again. */
static void rejoin_pair(struct pair *p) {
    for (int i = 0; i < 2; i++) group_put_join(p->c, p->l[i], &p->j[i]);
    client_turn(p->c);
}

/* The one that the other's join waits for joins as well: the second generation. */
static void end_rebalance(struct pair *p, int last) {
    group_put_join(p->c, p->l[last], &p->j[last]);
    client_turn(p->c);
    take_pair(p);
    assert_int_equal(p->joined[0].generation, 2);
    sync_pair(p, "g");
}

/* The coordinator goes and comes back; both connect anew. */
static void restart_node(struct pair *p) {
    sl_broker_set_state(p->c->broker, 1, SL_BROKER_DOWN);
    client_turn(p->c);
    sl_broker_set_state(p->c->broker, 1, SL_BROKER_UP);
    for (int i = 0; i < 2; i++) p->l[i] = client_connect(p->c, 1);
}

static void start_pair(struct pair *p, const char *first, const char *second) {
    memset(p, 0, sizeof *p);
    p->c = client_start(1, 1);
    for (int i = 0; i < 2; i++) {
        const char *instance = i == 0 ? first : second;
        p->l[i] = client_connect(p->c, 1);
        p->j[i] = group_join_of(9, "g");
        p->j[i].instance = sl_bytes_str(instance);
        if (instance == NULL)
            (void)group_begin_join(p->c, p->l[i], &p->j[i]);
        else
            group_put_join(p->c, p->l[i], &p->j[i]);
    }
    client_advance(p->c, 300);
    take_pair(p);
    sync_pair(p, "g");
}

static int beat(struct pair *p, int i) {
    return group_heartbeat(p->c, p->l[i], 4, "g", p->joined[i].member_id, p->j[i].instance,
                           p->joined[i].generation);
}

/* ---- the first generation ---- */

static void test_every_version(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    for (int16_t version = 0; version <= 9; version++) {
        char group[] = {'g', (char)('0' + version), 0};
        struct group_join j = group_join_of(version, group);
        if (version >= 4)
            (void)group_begin_join(c, l, &j);
        else
            group_put_join(c, l, &j);
        client_advance(c, 99);
        assert_false(client_has_answer(l)); /* others may come */
        client_advance(c, 1);
        const struct sl_join_group_response *m = client_take(c, l);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->generation, 1);
        assert_true(sl_bytes_str_equal(m->protocol_name, SL_STR("range")));
        assert_true(sl_bytes_str_equal(m->leader, m->member_id));
        if (version >= 7) assert_true(sl_bytes_str_equal(m->protocol_type, SL_STR("consumer")));
        const struct sl_join_group_member *one = client_item(&m->members, 0, sizeof *one);
        assert_int_equal(m->members.count, 1);
        assert_true(sl_bytes_str_equal(one->member_id, m->member_id));
        assert_int_equal(one->metadata.size, 4);
        assert_memory_equal(one->metadata.data, "some", 4);
        int16_t sync = version > 5 ? 5 : version;
        const struct sl_sync_group_response *s = group_sync(c, l, sync, group, m, assigned);
        assert_int_equal(s->error_code, 0);
        assert_int_equal(s->assignment.size, 3);
        int16_t beat_version = version > 4 ? 4 : version;
        assert_int_equal(group_heartbeat(c, l, beat_version, group, m->member_id, GROUP_NONE, 1),
                         0);
        int16_t leave = version > 5 ? 5 : version;
        assert_int_equal(group_leave(c, l, leave, group, m->member_id, GROUP_NONE), 0);
        assert_int_equal(classic_of(c, group)->state, SL_CLASSIC_EMPTY);
        assert_int_equal(classic_of(c, group)->generation, 2);
    }
    client_end(c);
}

/* Members of a new group meet in its first generation; each that comes prolongs the delay, up to the
 * rebalance timeout. */
static void test_initial_delay(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct group_join j[4];
    struct client_link *l[4];
    assert_int_equal(sl_broker_set(c->broker, "group.initial.rebalance.delay.ms", "1000"), 0);
    for (int i = 0; i < 4; i++) {
        l[i] = client_connect(c, 1);
        j[i] = group_join_of(5, "g");
        j[i].rebalance_ms = 2500;
        (void)group_begin_join(c, l[i], &j[i]);
        client_advance(c, 700);
        if (i == 3) break;
        for (int k = 0; k <= i; k++) assert_false(client_has_answer(l[k]));
    }
    /* 2.5 s after the first, although the last came shortly before. */
    for (int i = 0; i < 4; i++) {
        const struct sl_join_group_response *m = client_take(c, l[i]);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->generation, 1);
        assert_int_equal(m->members.count, i == 0 ? 4 : 0);
    }
    client_end(c);
}

static void test_ids_are_given_out(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    struct group_join j = group_join_of(4, "g");
    struct sl_str id = group_name(c, l, &j);
    assert_memory_equal(id.data, "test-", 5); /* begins with the client's own */
    assert_int_equal(id.size, 5 + 36);
    /* Who does not come back is forgotten. */
    client_advance(c, 10001);
    j.member = id;
    assert_int_equal(group_join(c, l, &j)->error_code, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    assert_null(sl_groups_find(&c->broker->groups, SL_STR("g")));
    j.member = SL_STR("made up");
    assert_int_equal(group_join(c, l, &j)->error_code, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(c);
}

/* A group waits for those whom it gave an id, as it does for members. */
static void test_pending_ids_hold_a_join_up(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    struct client_link *third = client_connect(p.c, 1);
    struct group_join j = group_join_of(9, "g");
    struct sl_str id = group_name(p.c, third, &j);
    assert_int_equal(beat(&p, 0), 0); /* an id alone moves nobody */
    p.j[0].metadata = "else";
    rejoin_pair(&p);
    assert_false(client_has_answer(p.l[0]) || client_has_answer(p.l[1]));
    assert_int_equal(group_leave(p.c, third, 3, "g", id, GROUP_NONE), 0);
    take_pair(&p);
    assert_int_equal(p.joined[0].generation, 2);
    client_end(p.c);
}

static void test_what_is_refused(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    struct client_link *l = client_connect(p.c, 1);
    struct group_join j = group_join_of(9, "g");
    j.session_ms = 5999;
    assert_int_equal(group_join(p.c, l, &j)->error_code, SLUICE_KAFKA_INVALID_SESSION_TIMEOUT);
    j.session_ms = 1800001;
    assert_int_equal(group_join(p.c, l, &j)->error_code, SLUICE_KAFKA_INVALID_SESSION_TIMEOUT);
    j = group_join_of(9, "g");
    j.protocols[0] = "other";
    const struct sl_join_group_response *m = group_join(p.c, l, &j);
    assert_int_equal(m->error_code, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    assert_int_equal(m->protocol_name.size, -1);
    j.version = 6;
    assert_int_equal(group_join(p.c, l, &j)->protocol_name.size, 0);
    j = group_join_of(9, "g");
    j.type = "connect";
    assert_int_equal(group_join(p.c, l, &j)->error_code, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    j = group_join_of(9, "h");
    j.protocols[0] = NULL;
    assert_int_equal(group_join(p.c, l, &j)->error_code, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    j = group_join_of(9, "h");
    j.type = "";
    assert_int_equal(group_join(p.c, l, &j)->error_code, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    assert_null(sl_groups_find(&p.c->broker->groups, SL_STR("h")));
    assert_int_equal(sl_broker_set(p.c->broker, "group.max.size", "2"), 0);
    j = group_join_of(9, "g");
    assert_int_equal(group_join(p.c, l, &j)->error_code, SLUICE_KAFKA_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(beat(&p, 0), 0); /* none of them disturbed the group */
    client_end(p.c);
}

/* ---- the vote and the leader ---- */

/* Three members join a new group, and offer these. */
static struct client *let_vote(const char *const offers[3][2], struct client_link *l[3]) {
    struct client *c = client_start(1, 0);
    for (int i = 0; i < 3; i++) {
        l[i] = client_connect(c, 1);
        struct group_join j = group_join_of(3, "g");
        memcpy(j.protocols, offers[i], sizeof j.protocols);
        group_put_join(c, l[i], &j);
    }
    client_advance(c, 300);
    return c;
}

static void test_vote(void **state) {
    (void)state;
    static const char *const offers[3][2] = {{"b", "a"}, {"a", "b"}, {"a", "c"}};
    struct client_link *l[3];
    struct client *c = let_vote(offers, l);
    for (int i = 0; i < 3; i++) {
        const struct sl_join_group_response *m = client_take(c, l[i]);
        assert_int_equal(m->error_code, 0);
        assert_true(sl_bytes_str_equal(m->protocol_name, SL_STR("a"))); /* c lacks all, b one */
    }
    client_end(c);
}

static void test_most_votes_win(void **state) {
    (void)state;
    static const char *const offers[3][2] = {{"a", "b"}, {"b", "a"}, {"b", "a"}};
    struct client_link *l[3];
    struct client *c = let_vote(offers, l);
    const struct sl_join_group_response *m = client_take(c, l[0]);
    assert_true(sl_bytes_str_equal(m->protocol_name, SL_STR("b")));
    client_end(c);
}

static void test_another_leads_when_the_leader_goes(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    assert_int_equal(group_leave(p.c, p.l[0], 3, "g", p.joined[0].member_id, GROUP_NONE), 0);
    assert_int_equal(beat(&p, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    const struct sl_join_group_response *m = group_join(p.c, p.l[1], &p.j[1]);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->generation, 2);
    assert_true(sl_bytes_str_equal(m->leader, p.joined[1].member_id));
    assert_int_equal(m->members.count, 1);
    client_end(p.c);
}

/* Who does not join within the rebalance timeout is out, the leader too. */
static void test_rebalance_timeout(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    unsettle(&p);
    for (int i = 0; i < 3; i++) { /* it lives, but does not join */
        client_advance(p.c, 5000);
        assert_int_equal(beat(&p, 0), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    }
    client_advance(p.c, 4999);
    assert_false(client_has_answer(p.l[1]));
    client_advance(p.c, 1);
    const struct sl_join_group_response *m = client_take(p.c, p.l[1]);
    assert_int_equal(m->error_code, 0);
    assert_true(sl_bytes_str_equal(m->leader, p.joined[1].member_id));
    assert_int_equal(beat(&p, 0), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(p.c);
}

/* ---- joining anew ---- */

static void test_who_joins_a_stable_group_again(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    /* A follower with nothing new hears the generation once more. */
    const struct sl_join_group_response *m = group_join(p.c, p.l[1], &p.j[1]);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->generation, 1);
    assert_int_equal(m->members.count, 0);
    assert_int_equal(beat(&p, 0), 0);
    /* The leader wants a rebalance. */
    group_put_join(p.c, p.l[0], &p.j[0]);
    client_turn(p.c);
    assert_false(client_has_answer(p.l[0]));
    assert_int_equal(beat(&p, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    end_rebalance(&p, 1);
    /* So does a follower with other metadata. */
    unsettle(&p);
    assert_int_equal(beat(&p, 0), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    client_end(p.c);
}

static void test_who_joins_between_join_and_sync(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    rejoin_pair(&p);
    for (int i = 0; i < 2; i++) (void)client_take(p.c, p.l[i]);
    /* The leader did not hear the answer, perhaps. */
    const struct sl_join_group_response *m = group_join(p.c, p.l[0], &p.j[0]);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->generation, 2);
    assert_int_equal(m->members.count, 2); /* the leader gets the members again */
    assert_int_equal(classic_of(p.c, "g")->state, SL_CLASSIC_COMPLETING);
    /* Other metadata begins a rebalance, and who waits in SyncGroup hears of it. */
    group_put_sync(p.c, p.l[1], 3, "g", &p.joined[1], GROUP_NONE, assigned);
    client_turn(p.c);
    assert_int_equal(((const struct sl_sync_group_response *)client_take(p.c, p.l[1]))->error_code,
                     SLUICE_KAFKA_ILLEGAL_GENERATION);
    p.joined[1].generation = 2;
    group_put_sync(p.c, p.l[1], 3, "g", &p.joined[1], GROUP_NONE, assigned);
    client_turn(p.c);
    assert_false(client_has_answer(p.l[1]));
    p.j[0].metadata = "else";
    group_put_join(p.c, p.l[0], &p.j[0]);
    client_turn(p.c);
    assert_int_equal(((const struct sl_sync_group_response *)client_take(p.c, p.l[1]))->error_code,
                     SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    client_end(p.c);
}

/* ---- syncing ---- */

static void test_sync_rules(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    struct sl_sync_group_request request;
    sl_codec_defaults(&sl_sync_group_request_type, &request);
    request.group_id = SL_STR("g");
    request.member_id = p.joined[0].member_id;
    request.generation = p.joined[0].generation;
    request.protocol_type = SL_STR("consumer");
    request.protocol_name = SL_STR("range");
    const struct sl_sync_group_response *m =
        client_ask(p.c, p.l[0], SL_API_SYNC_GROUP, 5, &request);
    assert_int_equal(m->error_code, 0); /* what it has, once more */
    assert_memory_equal(m->assignment.data, "one", 3);
    assert_true(sl_bytes_str_equal(m->protocol_name, SL_STR("range")));
    request.protocol_name = SL_STR("sticky");
    m = client_ask(p.c, p.l[0], SL_API_SYNC_GROUP, 5, &request);
    assert_int_equal(m->error_code, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    assert_int_equal(m->assignment.size, 0);
    request.protocol_name = SL_STR("range");
    request.protocol_type = SL_STR("connect");
    m = client_ask(p.c, p.l[0], SL_API_SYNC_GROUP, 5, &request);
    assert_int_equal(m->error_code, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    request.generation++;
    m = client_ask(p.c, p.l[0], SL_API_SYNC_GROUP, 4, &request);
    assert_int_equal(m->error_code, SLUICE_KAFKA_ILLEGAL_GENERATION);
    request.member_id = SL_STR("nobody");
    m = client_ask(p.c, p.l[0], SL_API_SYNC_GROUP, 4, &request);
    assert_int_equal(m->error_code, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    request.group_id = SL_STR("no group");
    m = client_ask(p.c, p.l[0], SL_API_SYNC_GROUP, 4, &request);
    assert_int_equal(m->error_code, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    /* While others join. */
    group_put_join(p.c, p.l[0], &p.j[0]);
    client_turn(p.c);
    request.group_id = SL_STR("g");
    request.member_id = p.joined[1].member_id;
    request.generation = p.joined[1].generation;
    m = client_ask(p.c, p.l[1], SL_API_SYNC_GROUP, 4, &request);
    assert_int_equal(m->error_code, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    client_end(p.c);
}

/* A leader that never assigns is out after the rebalance timeout, if it does not ask at all. */
static void test_who_never_syncs(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l[2];
    struct sl_join_group_response joined[2];
    for (int i = 0; i < 2; i++) {
        struct group_join j = group_join_of(3, "g");
        l[i] = client_connect(c, 1);
        group_put_join(c, l[i], &j);
    }
    client_advance(c, 200);
    for (int i = 0; i < 2; i++)
        joined[i] = *(const struct sl_join_group_response *)client_take(c, l[i]);
    group_put_sync(c, l[1], 3, "g", &joined[1], GROUP_NONE, assigned);
    for (int i = 0; i < 3; i++) { /* the leader lives all the while */
        client_advance(c, 6000);
        assert_int_equal(group_heartbeat(c, l[0], 4, "g", joined[0].member_id, GROUP_NONE, 1), 0);
    }
    client_advance(c, 2000);
    const struct sl_sync_group_response *m = client_take(c, l[1]);
    assert_int_equal(m->error_code, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    assert_int_equal(group_heartbeat(c, l[0], 4, "g", joined[0].member_id, GROUP_NONE, 1),
                     SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(c);
}

/* ---- sessions ---- */

static void test_session_ends(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    client_advance(p.c, 9000);
    assert_int_equal(beat(&p, 1), 0);
    client_advance(p.c, 999);
    assert_int_equal(beat(&p, 1), 0);
    client_advance(p.c, 1); /* the first was not heard of for ten seconds */
    assert_int_equal(beat(&p, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    assert_int_equal(beat(&p, 0), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_advance(p.c, 30000);
    assert_int_equal(classic_of(p.c, "g")->state, SL_CLASSIC_EMPTY);
    client_end(p.c);
}

static void test_heartbeat_rules(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    p.joined[0].generation++;
    assert_int_equal(beat(&p, 0), SLUICE_KAFKA_ILLEGAL_GENERATION);
    p.joined[0].generation -= 2;
    assert_int_equal(beat(&p, 0), SLUICE_KAFKA_ILLEGAL_GENERATION);
    assert_int_equal(group_heartbeat(p.c, p.l[0], 4, "g", SL_STR("nobody"), GROUP_NONE, 1),
                     SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(group_heartbeat(p.c, p.l[0], 4, "none", SL_STR("nobody"), GROUP_NONE, 1),
                     SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(p.c);
}

/* A member that waits for others cannot be heard of, and is not expired. */
static void test_no_session_ends_while_joining(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    unsettle(&p);
    for (int i = 0; i < 3; i++) {
        client_advance(p.c, 6000);
        assert_int_equal(beat(&p, 0), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    }
    assert_false(client_has_answer(p.l[1]));
    group_put_join(p.c, p.l[0], &p.j[0]);
    client_turn(p.c);
    take_pair(&p);
    client_end(p.c);
}

/* The link of a join that waits goes: the member stays a member until its session ends. */
static void test_link_goes_while_joining(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    unsettle(&p);
    client_close(p.c, p.l[1]);
    const struct sl_join_group_response *m = group_join(p.c, p.l[0], &p.j[0]);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->members.count, 2);
    p.joined[0] = *m;
    (void)group_sync(p.c, p.l[0], 3, "g", m, assigned);
    client_advance(p.c, 9999);
    assert_int_equal(beat(&p, 0), 0);
    client_advance(p.c, 1);
    assert_int_equal(beat(&p, 0), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    client_end(p.c);
}

/* It joins again over another link: the first one's answer is not awaited any more. */
static void test_joins_over_two_links(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    struct client_link *again = client_connect(p.c, 1);
    unsettle(&p);
    group_put_join(p.c, again, &p.j[1]);
    client_turn(p.c);
    const struct sl_join_group_response *m = client_take(p.c, p.l[1]);
    assert_int_equal(m->error_code, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    assert_false(client_has_answer(again));
    group_put_join(p.c, p.l[0], &p.j[0]);
    client_turn(p.c);
    m = client_take(p.c, again);
    assert_int_equal(m->error_code, 0);
    client_end(p.c);
}

/* A new member whose client has gone for good. */
static void test_newcomer_that_went(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    struct client_link *third = client_connect(p.c, 1);
    struct group_join j = group_join_of(3, "g");
    p.j[0].rebalance_ms = 24 * 3600 * 1000;
    group_put_join(p.c, p.l[0], &p.j[0]);
    group_put_join(p.c, third, &j);
    client_turn(p.c);
    client_close(p.c, third);
    for (int i = 0; i < 5 * 60 / 5; i++) { /* the second is slow to join */
        assert_int_equal(classic_of(p.c, "g")->members.count, 3);
        assert_int_equal(beat(&p, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
        client_advance(p.c, 5000);
    }
    assert_int_equal(classic_of(p.c, "g")->members.count, 2);
    group_put_join(p.c, p.l[1], &p.j[1]);
    client_turn(p.c);
    take_pair(&p);
    assert_int_equal(p.joined[0].members.count, 2);
    client_end(p.c);
}

/* ---- leaving ---- */

static void test_leave_rules(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, "s");
    assert_int_equal(group_leave(p.c, p.l[0], 3, "none", SL_STR("m"), GROUP_NONE),
                     SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(group_leave(p.c, p.l[0], 3, "g", SL_STR("m"), GROUP_NONE),
                     SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(group_leave(p.c, p.l[0], 3, "g", SL_STR("m"), SL_STR("s")),
                     SLUICE_KAFKA_FENCED_INSTANCE_ID);
    assert_int_equal(group_leave(p.c, p.l[0], 3, "g", SL_STR(""), SL_STR("no")),
                     SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(beat(&p, 0), 0);
    /* Several at once, one of them by its instance. */
    struct sl_leave_group_request request;
    struct sl_leave_group_member members[3] = {
        {p.joined[0].member_id, GROUP_NONE, SL_STR("done")},
        {SL_STR("nobody"), GROUP_NONE, GROUP_NONE},
        {SL_STR(""), SL_STR("s"), SL_STR("sent away")},
    };
    sl_codec_defaults(&sl_leave_group_request_type, &request);
    request.group_id = SL_STR("g");
    request.members = (struct sl_array){members, 3};
    const struct sl_leave_group_response *m =
        client_ask(p.c, p.l[0], SL_API_LEAVE_GROUP, 5, &request);
    const struct sl_leave_group_member_response *r = client_item(&m->members, 2, sizeof *r);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(r[-2].error_code, 0);
    assert_int_equal(r[-1].error_code, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(r[0].error_code, 0);
    assert_int_equal(classic_of(p.c, "g")->state, SL_CLASSIC_EMPTY);
    assert_int_equal(classic_of(p.c, "g")->generation, 2);
    client_end(p.c);
}

static void test_who_waits_is_sent_away(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    unsettle(&p);
    assert_int_equal(group_leave(p.c, p.l[0], 3, "g", p.joined[1].member_id, GROUP_NONE), 0);
    const struct sl_join_group_response *m = client_take(p.c, p.l[1]);
    assert_int_equal(m->error_code, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(p.c);
}

/* ---- static members ---- */

/* Back within the session, with the protocol that the group has: nobody else notices, and who had
 * the id is fenced. */
static void test_static_member_comes_back(void **state) {
    (void)state;
    for (int16_t version = 8; version <= 9; version++) {
        struct pair p;
        start_pair(&p, "s0", "s1");
        client_close(p.c, p.l[0]);
        struct client_link *l = client_connect(p.c, 1);
        struct group_join j = p.j[0];
        j.version = version;
        const struct sl_join_group_response *m = group_join(p.c, l, &j);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->generation, 1);
        assert_false(sl_bytes_str_equal(m->member_id, p.joined[0].member_id));
        assert_memory_equal(m->member_id.data, "s0-", 3);
        /* The leader is told to assign nothing, or does not hear that it leads. */
        bool leads = sl_bytes_str_equal(m->leader, m->member_id);
        assert_int_equal(leads, version >= 9);
        assert_int_equal(m->skip_assignment, version >= 9);
        assert_int_equal(m->members.count, version >= 9 ? 2 : 0);
        assert_int_equal(beat(&p, 1), 0);
        const struct sl_sync_group_response *s = NULL;
        struct sl_join_group_response none = *m;
        none.members.count = 0;
        group_put_sync(p.c, l, 3, "g", &none, SL_STR("s0"), assigned);
        client_turn(p.c);
        s = client_take(p.c, l);
        assert_int_equal(s->error_code, 0);
        assert_memory_equal(s->assignment.data, "one", 3); /* what it had */
        assert_int_equal(group_heartbeat(p.c, l, 4, "g", p.joined[0].member_id, SL_STR("s0"), 1),
                         SLUICE_KAFKA_FENCED_INSTANCE_ID);
        j.member = p.joined[0].member_id;
        assert_int_equal(group_join(p.c, l, &j)->error_code, SLUICE_KAFKA_FENCED_INSTANCE_ID);
        struct group_commit k = group_commit_of("g", 0, 1);
        k.member = p.joined[0].member_id;
        k.instance = SL_STR("s0");
        k.generation = 1;
        assert_int_equal(group_commit(p.c, l, 8, &k), SLUICE_KAFKA_FENCED_INSTANCE_ID);
        client_end(p.c);
    }
}

/* Its protocol would change: everyone joins anew. */
static void test_static_member_with_another_protocol(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    struct group_join j = group_join_of(9, "g");
    j.instance = SL_STR("s");
    j.protocols[1] = "sticky";
    group_put_join(c, l, &j);
    client_advance(c, 200);
    struct sl_join_group_response m = *(const struct sl_join_group_response *)client_take(c, l);
    assert_true(sl_bytes_str_equal(m.protocol_name, SL_STR("range")));
    group_put_sync(c, l, 3, "g", &m, SL_STR("s"), assigned);
    client_turn(c);
    (void)client_take(c, l);
    j.protocols[0] = "sticky";
    j.protocols[1] = NULL;
    m = *group_join(c, l, &j);
    assert_int_equal(m.error_code, 0);
    assert_int_equal(m.generation, 2);
    assert_false(m.skip_assignment);
    assert_true(sl_bytes_str_equal(m.protocol_name, SL_STR("sticky")));
    client_end(c);
}

/* Two processes with one instance id, while the group is joining. */
static void test_static_member_is_fenced_while_it_waits(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *first = client_connect(c, 1), *second = client_connect(c, 1);
    struct group_join j = group_join_of(9, "g");
    j.instance = SL_STR("s");
    group_put_join(c, first, &j);
    client_turn(c);
    group_put_join(c, second, &j);
    client_turn(c);
    const struct sl_join_group_response *m = client_take(c, first);
    assert_int_equal(m->error_code, SLUICE_KAFKA_FENCED_INSTANCE_ID);
    client_advance(c, 300);
    m = client_take(c, second);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->members.count, 1);
    client_end(c);
}

/* A static member that does not join in time stays; only the end of its session takes it out. */
static void test_static_member_outlives_a_rebalance(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, "s");
    group_put_join(p.c, p.l[0], &p.j[0]);
    client_advance(p.c, 9000);
    assert_int_equal(beat(&p, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    client_advance(p.c, 9000);
    assert_int_equal(beat(&p, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    client_advance(p.c, 2000);
    const struct sl_join_group_response *m = client_take(p.c, p.l[0]);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->members.count, 2);
    p.joined[1].generation = 2;
    assert_int_equal(beat(&p, 1), 0);
    client_end(p.c);
}

/* A static leader that does not come: somebody who did leads. */
static void test_absent_static_leader(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, "s", NULL);
    unsettle(&p);
    for (int i = 0; i < 3; i++) {
        client_advance(p.c, 6000);
        assert_int_equal(beat(&p, 0), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    }
    client_advance(p.c, 2000);
    const struct sl_join_group_response *m = client_take(p.c, p.l[1]);
    assert_int_equal(m->error_code, 0);
    assert_true(sl_bytes_str_equal(m->leader, m->member_id));
    assert_int_equal(m->members.count, 2);
    /* Who is left out of the leader's assignments has none. */
    p.joined[1] = *m;
    p.joined[1].members.count = 0;
    m = NULL;
    const struct sl_sync_group_response *s =
        group_sync(p.c, p.l[1], 3, "g", &p.joined[1], assigned);
    assert_int_equal(s->error_code, 0);
    assert_int_equal(s->assignment.size, 0);
    client_end(p.c);
}

/* Nobody joins, and nobody is out: static members stay, and the group waits on. */
static void test_nobody_joins(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, "s", "u");
    assert_int_equal(sl_broker_rebalance(p.c->broker, "g"), 0);
    for (int i = 0; i < 10; i++) {
        client_advance(p.c, 5000);
        for (int k = 0; k < 2; k++)
            assert_int_equal(beat(&p, k), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    }
    for (int i = 0; i < 2; i++) {
        p.j[i].member = p.joined[i].member_id;
        group_put_join(p.c, p.l[i], &p.j[i]);
    }
    client_turn(p.c);
    take_pair(&p);
    assert_int_equal(p.joined[0].generation, 2);
    client_end(p.c);
}

/* ---- coordinators ---- */

static void test_coordinator_moves(void **state) {
    (void)state;
    struct client *c = client_start(2, 0);
    int32_t home = sl_cluster_coordinator(&c->broker->cluster, SL_STR("g"))->id;
    struct client_link *l = client_connect(c, home);
    struct group_join j = group_join_of(9, "g"), second = group_join_of(9, "g");
    struct sl_join_group_response joined;
    group_settle_one(c, l, &j, &joined);
    struct client_link *other = client_connect(c, home);
    (void)group_begin_join(c, other, &second);
    /* The new coordinator knows the last generation that was assigned. */
    sl_broker_set_state(c->broker, home, SL_BROKER_DOWN);
    client_turn(c);
    assert_false(l->open || other->open);
    l = client_connect(c, 3 - home);
    assert_int_equal(group_heartbeat(c, l, 4, "g", joined.member_id, GROUP_NONE, 1), 0);
    second.member = SL_STR("unsaved");
    assert_int_equal(group_join(c, l, &second)->error_code, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    /* The old one comes back; who waits at the other hears of it. */
    j.metadata = "else";
    other = client_connect(c, 3 - home);
    second.member = SL_STR("");
    (void)group_begin_join(c, other, &second);
    sl_broker_set_state(c->broker, home, SL_BROKER_UP);
    client_turn(c);
    const struct sl_join_group_response *m = client_take(c, other);
    assert_int_equal(m->error_code, SLUICE_KAFKA_NOT_COORDINATOR);
    assert_int_equal(group_heartbeat(c, l, 4, "g", joined.member_id, GROUP_NONE, 1),
                     SLUICE_KAFKA_NOT_COORDINATOR);
    l = client_connect(c, home);
    assert_int_equal(group_heartbeat(c, l, 4, "g", joined.member_id, GROUP_NONE, 1), 0);
    /* Its session began anew with each coordinator, and ends. */
    client_advance(c, 10001);
    assert_int_equal(group_heartbeat(c, l, 4, "g", joined.member_id, GROUP_NONE, 1),
                     SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(c);
}

/* What a member said after the generation was saved is news to the next coordinator, and a reason to
 * rebalance, also when it is said again. */
static void test_metadata_is_as_it_was_saved(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    for (int round = 0; round < 2; round++) {
        unsettle(&p);
        restart_node(&p);
        assert_int_equal(beat(&p, 0), 0);
        assert_int_equal(beat(&p, 1), 0);
    }
    unsettle(&p);
    assert_false(client_has_answer(p.l[1]));
    assert_int_equal(beat(&p, 0), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    end_rebalance(&p, 0);
    /* Now it is saved. */
    restart_node(&p);
    assert_int_equal(group_join(p.c, p.l[1], &p.j[1])->generation, 2);
    assert_int_equal(beat(&p, 0), 0);
    client_end(p.c);
}

static void test_loading_takes_its_time(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    struct group_join j = group_join_of(9, "g");
    struct sl_join_group_response joined;
    assert_int_equal(sl_broker_set(c->broker, "group.coordinator.load.ms", "500"), 0);
    group_settle_one(c, l, &j, &joined);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    client_advance(c, 20000); /* longer than its session: nobody counts */
    sl_broker_set_state(c->broker, 1, SL_BROKER_UP);
    l = client_connect(c, 1);
    assert_int_equal(group_heartbeat(c, l, 4, "g", joined.member_id, GROUP_NONE, 1),
                     SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    client_advance(c, 500);
    assert_int_equal(group_heartbeat(c, l, 4, "g", joined.member_id, GROUP_NONE, 1), 0);
    client_end(c);
}

/* Nothing ends at a node that is frozen, and what it was sent counts when it goes on. */
static void test_frozen_coordinator(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    struct group_join j = group_join_of(9, "g");
    struct sl_join_group_response joined;
    struct sl_heartbeat_request request;
    group_settle_one(c, l, &j, &joined);
    sl_broker_set_state(c->broker, 1, SL_BROKER_FROZEN);
    sl_codec_defaults(&sl_heartbeat_request_type, &request);
    request.group_id = SL_STR("g");
    request.member_id = joined.member_id;
    request.generation = 1;
    client_send(c, l, SL_API_HEARTBEAT, 4, &request);
    client_advance(c, 60000);
    sl_broker_set_state(c->broker, 1, SL_BROKER_UP);
    client_turn(c);
    assert_int_equal(((const struct sl_heartbeat_response *)client_take(c, l))->error_code, 0);
    client_advance(c, 10001);
    assert_int_equal(classic_of(c, "g")->members.count, 0);
    client_end(c);
}

/* ---- from outside ---- */

static void test_rebalance_on_demand(void **state) {
    (void)state;
    struct pair p;
    start_pair(&p, NULL, NULL);
    assert_int_equal(sl_broker_rebalance(p.c->broker, "none"), SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
    assert_int_equal(sl_broker_rebalance(p.c->broker, "g"), 0);
    assert_int_equal(beat(&p, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    rejoin_pair(&p);
    take_pair(&p);
    assert_int_equal(p.joined[0].generation, 2);
    client_end(p.c);
}

static void test_faults(void **state) {
    (void)state;
    static const int16_t apis[] = {SL_API_JOIN_GROUP, SL_API_SYNC_GROUP, SL_API_HEARTBEAT,
                                   SL_API_LEAVE_GROUP};
    struct pair p;
    start_pair(&p, NULL, NULL);
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++) {
        struct sl_fault f = client_fault_of(SL_FAULT_ERROR, apis[i]);
        f.code = SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE;
        client_fault(p.c, &f);
    }
    int want = SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE;
    assert_int_equal(beat(&p, 0), want);
    assert_int_equal(group_leave(p.c, p.l[0], 3, "g", p.joined[0].member_id, GROUP_NONE), want);
    assert_int_equal(group_join(p.c, p.l[0], &p.j[0])->error_code, want);
    assert_int_equal(group_sync(p.c, p.l[0], 3, "g", &p.joined[0], assigned)->error_code, want);
    assert_int_equal(beat(&p, 1), 0); /* none of it happened */
    /* Carried out all the same: the join begins a rebalance, its answer is an error at the end. */
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_JOIN_GROUP);
    f.code = SLUICE_KAFKA_REQUEST_TIMED_OUT;
    f.executed = true;
    client_fault(p.c, &f);
    group_put_join(p.c, p.l[0], &p.j[0]);
    client_turn(p.c);
    assert_false(client_has_answer(p.l[0]));
    group_put_join(p.c, p.l[1], &p.j[1]);
    client_turn(p.c);
    assert_int_equal(((const struct sl_join_group_response *)client_take(p.c, p.l[0]))->error_code,
                     SLUICE_KAFKA_REQUEST_TIMED_OUT);
    assert_int_equal(((const struct sl_join_group_response *)client_take(p.c, p.l[1]))->error_code,
                     0);
    /* A join whose answer is lost. */
    f = client_fault_of(SL_FAULT_CUT_AFTER, SL_API_JOIN_GROUP);
    client_fault(p.c, &f);
    struct client_link *l = client_connect(p.c, 1);
    struct group_join j = group_join_of(3, "h");
    group_put_join(p.c, l, &j);
    client_advance(p.c, 200);
    assert_false(l->open);
    assert_int_equal(classic_of(p.c, "h")->members.count, 1);
    client_end(p.c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version),
        cmocka_unit_test(test_initial_delay),
        cmocka_unit_test(test_ids_are_given_out),
        cmocka_unit_test(test_pending_ids_hold_a_join_up),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_vote),
        cmocka_unit_test(test_most_votes_win),
        cmocka_unit_test(test_another_leads_when_the_leader_goes),
        cmocka_unit_test(test_rebalance_timeout),
        cmocka_unit_test(test_who_joins_a_stable_group_again),
        cmocka_unit_test(test_who_joins_between_join_and_sync),
        cmocka_unit_test(test_sync_rules),
        cmocka_unit_test(test_who_never_syncs),
        cmocka_unit_test(test_session_ends),
        cmocka_unit_test(test_heartbeat_rules),
        cmocka_unit_test(test_no_session_ends_while_joining),
        cmocka_unit_test(test_link_goes_while_joining),
        cmocka_unit_test(test_joins_over_two_links),
        cmocka_unit_test(test_newcomer_that_went),
        cmocka_unit_test(test_leave_rules),
        cmocka_unit_test(test_who_waits_is_sent_away),
        cmocka_unit_test(test_static_member_comes_back),
        cmocka_unit_test(test_static_member_with_another_protocol),
        cmocka_unit_test(test_static_member_is_fenced_while_it_waits),
        cmocka_unit_test(test_static_member_outlives_a_rebalance),
        cmocka_unit_test(test_absent_static_leader),
        cmocka_unit_test(test_nobody_joins),
        cmocka_unit_test(test_coordinator_moves),
        cmocka_unit_test(test_metadata_is_as_it_was_saved),
        cmocka_unit_test(test_loading_takes_its_time),
        cmocka_unit_test(test_frozen_coordinator),
        cmocka_unit_test(test_rebalance_on_demand),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
