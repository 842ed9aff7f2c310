/* Groups without memory: every allocation of a conversation of members fails once, and from some
 * point on all do. All invariants hold at every step, nothing leaks, the worst that happens is the
 * end of a connection; and with memory again the groups go on. */
#include "broker_group_client.h"

enum { TALK_LINKS = 2 };
struct talk {
    struct client *c;
    struct client_link *l[TALK_LINKS];
    struct sl_join_group_response joined[TALK_LINKS];
    struct sl_str names[TALK_LINKS];
    int32_t epochs[TALK_LINKS];
    int closed;
};

/* Takes the answers there are, whatever they say, and connects anew when the link is gone. */
static void hear(struct talk *t) {
    client_turn(t->c);
    for (int i = 0; i < TALK_LINKS; i++) {
        while (client_has_answer(t->l[i])) {
            int16_t key = t->l[i]->asked[t->l[i]->taken].api->key;
            const void *message = client_take(t->c, t->l[i]);
            const struct sl_join_group_response *join = message;
            const struct sl_consumer_group_heartbeat_response *beat = message;
            if (key == SL_API_JOIN_GROUP) t->joined[i] = *join;
            if (key == SL_API_JOIN_GROUP) t->names[i] = join->member_id;
            if (key == SL_API_CONSUMER_GROUP_HEARTBEAT) t->epochs[i] = beat->member_epoch;
        }
        if (t->l[i]->open) continue;
        t->closed++;
        uint32_t id;
        if (sl_broker_on_accepted(t->c->broker, 1, &id) != 0) continue; /* the host resets it */
        t->l[i] = &t->c->links[t->c->link_count++];
        *t->l[i] = (struct client_link){.id = id, .node = 1, .open = true};
    }
}

static void talk_join(struct talk *t, int i, const char *metadata) {
    struct group_join j = group_join_of(9, "g");
    if (!t->l[i]->open) return;
    j.member = t->names[i];
    j.protocols[1] = "sticky";
    j.metadata = metadata;
    group_put_join(t->c, t->l[i], &j);
    hear(t);
}

static void talk_static(struct talk *t, int i) {
    struct group_join j = group_join_of(8, "g");
    if (!t->l[i]->open) return;
    j.instance = SL_STR("s");
    group_put_join(t->c, t->l[i], &j);
    hear(t);
}

static void talk_sync(struct talk *t, int i) {
    static const char *const texts[] = {"one", "two", "three", "four", "five", "six", "seven", "e"};
    if (!t->l[i]->open || t->joined[i].error_code != 0) return;
    group_put_sync(t->c, t->l[i], 5, "g", &t->joined[i], GROUP_NONE, texts);
    hear(t);
}

static void talk(struct talk *t, int i, int16_t key, int16_t version, const void *message) {
    if (!t->l[i]->open) return;
    client_put(t->c, t->l[i], key, version, message);
    hear(t);
}

static void talk_offsets(struct talk *t, int i) {
    struct sl_offset_commit_request commit;
    struct sl_offset_commit_partition p = {0, 5, 1, SL_STR("note")};
    struct sl_offset_commit_topic topic = {SL_STR("t"), {{0}}, {&p, 1}};
    sl_codec_defaults(&sl_offset_commit_request_type, &commit);
    commit.group_id = SL_STR("offsets");
    commit.topics = (struct sl_array){&topic, 1};
    for (int n = 0; n < 6; n++, p.partition++) talk(t, i, SL_API_OFFSET_COMMIT, 8, &commit);
    struct sl_offset_fetch_request fetch;
    sl_codec_defaults(&sl_offset_fetch_request_type, &fetch);
    fetch.group_id = SL_STR("offsets");
    fetch.topics.count = -1;
    talk(t, i, SL_API_OFFSET_FETCH, 7, &fetch);
}

static void talk_admin(struct talk *t, int i, const char *group) {
    struct sl_str id = sl_bytes_str(group);
    struct sl_list_groups_request list;
    struct sl_describe_groups_request describe;
    struct sl_consumer_group_describe_request consumer;
    struct sl_delete_groups_request delete;
    sl_codec_defaults(&sl_list_groups_request_type, &list);
    sl_codec_defaults(&sl_describe_groups_request_type, &describe);
    sl_codec_defaults(&sl_consumer_group_describe_request_type, &consumer);
    sl_codec_defaults(&sl_delete_groups_request_type, &delete);
    describe.group_ids = consumer.group_ids = delete.group_ids = (struct sl_array){&id, 1};
    talk(t, i, SL_API_LIST_GROUPS, 5, &list);
    talk(t, i, SL_API_DESCRIBE_GROUPS, 6, &describe);
    talk(t, i, SL_API_CONSUMER_GROUP_DESCRIBE, 1, &consumer);
    talk(t, i, SL_API_DELETE_GROUPS, 2, &delete);
}

static void talk_beat(struct talk *t, int i, const char *regex, bool is_full) {
    struct sl_consumer_group_heartbeat_request beat;
    struct sl_str names[] = {SL_STR("t"), SL_STR("u")};
    sl_codec_defaults(&sl_consumer_group_heartbeat_request_type, &beat);
    beat.group_id = SL_STR("k");
    beat.member_id = i == 0 ? SL_STR("a") : SL_STR("b");
    beat.member_epoch = t->epochs[i];
    beat.owned.count = -1;
    beat.topic_names.count = -1;
    if (is_full) {
        beat.member_epoch = 0;
        beat.rebalance_timeout_ms = 1000;
        beat.topic_names = (struct sl_array){names, 2};
        beat.assignor = SL_STR("uniform");
        beat.rack_id = SL_STR("rack");
        beat.owned.count = 0;
    }
    beat.topic_regex = sl_bytes_str(regex);
    talk(t, i, SL_API_CONSUMER_GROUP_HEARTBEAT, 1, &beat);
}

static void converse_classic(struct talk *t) {
    for (int i = 0; i < TALK_LINKS; i++) {
        talk_join(t, i, "some");
        talk_join(t, i, "some");
    }
    client_advance(t->c, 300);
    hear(t);
    talk_sync(t, 1);
    talk_sync(t, 0);
    talk_join(t, 0, "else");
    talk_join(t, 1, "else");
    talk_sync(t, 1);
    talk_sync(t, 0);
    talk_static(t, 1);
    talk_join(t, 0, "else");
    hear(t);
    talk_sync(t, 0);
    talk_sync(t, 1);
    talk_static(t, 1);
    (void)sl_broker_rebalance(t->c->broker, "g");
    client_advance(t->c, 15000);
    hear(t);
}

static void converse_consumer(struct talk *t) {
    talk_beat(t, 0, "t|u.*", true);
    talk_beat(t, 1, NULL, true);
    (void)sl_broker_create_topic(t->c->broker, "u", 3, 1);
    for (int n = 0; n < 3; n++) {
        talk_beat(t, 0, NULL, false);
        talk_beat(t, 1, NULL, false);
    }
    talk_beat(t, 0, "[u-v]{2,3}", false);
    (void)sl_broker_delete_topic(t->c->broker, "u");
    client_advance(t->c, 50000);
    hear(t);
}

/* A member of the classic protocol, and one of KIP-848 that takes the group along, and leaves. */
static void converse_mixed(struct talk *t) {
    /* Version 1, topic "t", no user data, nothing owned. */
    static const uint8_t wants_t[] = {0, 1, 0, 0, 0, 1, 0, 1, 't', 255, 255, 255, 255, 0, 0, 0, 0};
    struct group_join j = group_join_of(9, "k");
    struct sl_heartbeat_request beat;
    j.packed = (struct sl_bytes){wants_t, (int32_t)sizeof wants_t};
    for (int n = 0; n < 6; n++) {
        if (!t->l[0]->open) continue;
        j.member = t->names[0];
        group_put_join(t->c, t->l[0], &j);
        client_advance(t->c, 200);
        hear(t);
        struct sl_sync_group_request sync;
        sl_codec_defaults(&sl_sync_group_request_type, &sync);
        sync.group_id = SL_STR("k");
        sync.generation = t->joined[0].generation;
        sync.member_id = t->names[0];
        sync.instance_id = GROUP_NONE;
        talk(t, 0, SL_API_SYNC_GROUP, 4, &sync);
        talk_beat(t, 1, NULL, n == 1);
        sl_codec_defaults(&sl_heartbeat_request_type, &beat);
        beat.group_id = SL_STR("k");
        beat.generation = t->joined[0].generation;
        beat.member_id = t->names[0];
        beat.instance_id = GROUP_NONE;
        talk(t, 0, SL_API_HEARTBEAT, 4, &beat);
    }
    t->epochs[1] = SL_CONSUMER_GROUP_LEAVE; /* and the group goes back */
    talk_beat(t, 1, NULL, false);
    talk(t, 0, SL_API_HEARTBEAT, 4, &beat);
    client_advance(t->c, 400000);
    hear(t);
}

/* The n-th allocation fails, or with `on` all from there. Returns whether one did. */
static bool converse(long n, bool on, int *closed) {
    struct talk t = {.c = client_start(1, 8)};
    for (int i = 0; i < TALK_LINKS; i++) {
        t.l[i] = client_connect(t.c, 1);
        t.names[i] = SL_STR("");
    }
    long begin = t.c->memory.calls;
    if (on)
        test_memory_fail_from(&t.c->memory, begin + n);
    else
        test_memory_fail_at(&t.c->memory, begin + n);
    converse_classic(&t);
    talk_offsets(&t, 0);
    talk_admin(&t, 1, "g");
    converse_consumer(&t);
    talk_admin(&t, 0, "k");
    for (int i = 0; i < TALK_LINKS; i++) t.names[i] = SL_STR("");
    converse_mixed(&t);
    bool failed = test_memory_has_failed(&t.c->memory);
    test_memory_fail_at(&t.c->memory, 0);
    *closed = t.closed;
    /* With memory again, groups are as ever. */
    client_advance(t.c, 400000);
    struct client_link *l = client_connect(t.c, 1);
    struct group_join j = group_join_of(3, "g");
    group_put_join(t.c, l, &j);
    client_advance(t.c, 1000);
    const struct sl_join_group_response *m = client_take(t.c, l);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->members.count, 1);
    struct group_commit k = group_commit_of("offsets", 0, 7);
    assert_int_equal(group_commit(t.c, l, 8, &k), 0);
    assert_int_equal(group_fetch(t.c, l, 8, "offsets", "t", 0).offset, 7);
    client_end(t.c);
    return failed;
}

static void test_every_allocation_fails_once(void **state) {
    (void)state;
    int closed;
    long n = 1;
    for (; converse(n, false, &closed); n++) assert_true(closed <= 3);
    if (n <= 300) fail_msg("only %ld allocations", n);
    assert_int_equal(closed, 0);
}

static void test_memory_runs_out(void **state) {
    (void)state;
    int closed;
    for (long n = 1; converse(n, true, &closed); n += 3) continue;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
