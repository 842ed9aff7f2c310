/* Committed offsets at the bundled broker: OffsetCommit, OffsetFetch and OffsetDelete in every
 * version, who may commit, and what outlives what. */
#include "broker_group_client.h"

static void test_all_versions(void **state) {
    (void)state;
    struct client *c = client_start(1, 3);
    struct client_link *l = client_connect(c, 1);
    for (int16_t version = 2; version <= 10; version++) {
        struct group_commit k = group_commit_of("g", 1, 40 + version);
        k.metadata = "note";
        k.leader_epoch = version >= 6 ? 7 : -1;
        assert_int_equal(group_commit(c, l, version, &k), 0);
        for (int16_t read = 1; read <= 10; read++) {
            struct sl_offset_fetch_partition_response p = group_fetch(c, l, read, "g", "t", 1);
            assert_int_equal(p.error_code, 0);
            assert_int_equal(p.offset, 40 + version);
            assert_int_equal(p.leader_epoch, read >= 5 && version >= 6 ? 7 : -1);
            assert_true(sl_bytes_str_equal(p.metadata, SL_STR("note")));
            /* Nothing was ever committed there: no error. */
            p = group_fetch(c, l, read, "g", "t", 2);
            assert_int_equal(p.error_code, 0);
            assert_int_equal(p.offset, -1);
            assert_int_equal(p.leader_epoch, -1);
            assert_int_equal(p.metadata.size, 0);
        }
    }
    client_end(c);
}

static void test_unknown_group_and_topic(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    for (int16_t version = 1; version <= 10; version++) {
        assert_int_equal(group_fetch(c, l, version, "nobody", "t", 0).offset, -1);
        struct sl_offset_fetch_partition_response p = group_fetch(c, l, version, "g", "no", 0);
        assert_int_equal(p.offset, -1);
        assert_int_equal(p.error_code, version >= 10 ? SLUICE_KAFKA_UNKNOWN_TOPIC_ID : 0);
    }
    struct group_commit k = group_commit_of("g", 0, 1);
    k.topic = "no";
    assert_int_equal(group_commit(c, l, 9, &k), SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(group_commit(c, l, 10, &k), SLUICE_KAFKA_UNKNOWN_TOPIC_ID);
    k = group_commit_of("g", 1, 1);
    assert_int_equal(group_commit(c, l, 9, &k), SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    /* None of these made a group. */
    assert_null(sl_groups_find(&c->broker->groups, SL_STR("g")));
    client_end(c);
}

static void test_metadata(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    char text[4098];
    memset(text, 'x', sizeof text);
    struct group_commit k = group_commit_of("g", 0, 1);
    k.metadata = text;
    text[4097] = '\0';
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_OFFSET_METADATA_TOO_LARGE);
    assert_int_equal(group_fetch(c, l, 8, "g", "t", 0).offset, -1);
    text[4096] = '\0';
    assert_int_equal(group_commit(c, l, 8, &k), 0);
    assert_int_equal(group_fetch(c, l, 8, "g", "t", 0).metadata.size, 4096);
    k.metadata = NULL;
    k.offset = 2;
    assert_int_equal(group_commit(c, l, 8, &k), 0);
    assert_int_equal(group_fetch(c, l, 8, "g", "t", 0).metadata.size, 0);
    assert_int_equal(group_fetch(c, l, 8, "g", "t", 0).offset, 2);
    client_end(c);
}

/* Several groups at once, and all topics of one. */
static void test_several_groups(void **state) {
    (void)state;
    struct client *c = client_start(1, 3);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_create_topic(c->broker, "u", 1, 1), 0);
    for (int32_t i = 2; i >= 0; i--) {
        struct group_commit k = group_commit_of("a", i, 10 + i);
        assert_int_equal(group_commit(c, l, 9, &k), 0);
    }
    struct group_commit k = group_commit_of("a", 0, 20);
    k.topic = "u";
    assert_int_equal(group_commit(c, l, 9, &k), 0);
    for (int16_t version = 8; version <= 10; version++) {
        struct sl_offset_fetch_request request;
        struct sl_offset_fetch_group g[2];
        const struct sl_type *type = &sl_offset_fetch_request_type;
        sl_codec_defaults(type, &request);
        for (int i = 0; i < 2; i++) {
            sl_codec_defaults(client_item_type(type, "groups"), &g[i]);
            g[i].topics = (struct sl_array){NULL, -1};
        }
        g[0].group_id = SL_STR("b");
        g[1].group_id = SL_STR("a");
        request.groups = (struct sl_array){g, 2};
        const struct sl_offset_fetch_response *m =
            client_ask(c, l, SL_API_OFFSET_FETCH, version, &request);
        const struct sl_offset_fetch_group_response *r = client_item(&m->groups, 1, sizeof *r);
        assert_int_equal(r[-1].topics.count, 0);
        assert_int_equal(r[-1].error_code, 0);
        assert_int_equal(r->topics.count, 2);
        const struct sl_offset_fetch_topic_response *t = client_item(&r->topics, 1, sizeof *t);
        const struct sl_offset_fetch_partition_response *p = t[-1].partitions.items;
        assert_int_equal(t[-1].partitions.count, 3);
        for (int32_t i = 0; i < 3; i++) {
            assert_int_equal(p[i].partition, i);
            assert_int_equal(p[i].offset, 10 + i);
        }
        struct sl_uuid id = client_topic_id(c, "u");
        if (version >= 10) assert_true(sl_bytes_uuid_equal(&t->topic_id, &id));
        if (version < 10) assert_true(sl_bytes_str_equal(t->name, SL_STR("u")));
        assert_int_equal(t->partitions.count, 1);
    }
    client_end(c);
}

/* Many partitions, in any order; and an offset that no client should send. */
static void test_many_partitions(void **state) {
    (void)state;
    struct client *c = client_start(1, 30);
    struct client_link *l = client_connect(c, 1);
    for (int32_t i = 0; i < 30; i++) {
        struct group_commit k = group_commit_of("g", i * 7 % 30, i);
        assert_int_equal(group_commit(c, l, 9, &k), 0);
    }
    for (int32_t i = 0; i < 30; i++)
        assert_int_equal(group_fetch(c, l, 9, "g", "t", i * 7 % 30).offset, i);
    struct group_commit k = group_commit_of("g", 0, -5);
    assert_string_equal(sl_broker_complaint(c->broker), "");
    assert_int_equal(group_commit(c, l, 9, &k), 0);
    assert_non_null(strstr(sl_broker_complaint(c->broker), "below zero"));
    client_end(c);
}

/* A topic that is made again begins without offsets. */
static void test_topic_goes(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct group_commit k = group_commit_of("g", 0, 5);
    assert_int_equal(group_commit(c, l, 9, &k), 0);
    assert_int_equal(sl_broker_delete_topic(c->broker, "t"), 0);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1), 0);
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 0).offset, -1);
    client_end(c);
}

/* ---- who may commit ---- */

static void test_members_and_others(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct group_join j = group_join_of(9, "g");
    struct sl_join_group_response joined;
    struct group_commit k = group_commit_of("g", 0, 1);
    k.generation = 3;
    k.member = SL_STR("m");
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_ILLEGAL_GENERATION);
    assert_int_equal(group_commit(c, l, 9, &k), SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
    group_settle_one(c, l, &j, &joined);
    /* A group that has members takes nobody's commits. */
    k = group_commit_of("g", 0, 2);
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    k.member = joined.member_id;
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_ILLEGAL_GENERATION);
    k.generation = joined.generation;
    assert_int_equal(group_commit(c, l, 8, &k), 0);
    k.generation++;
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_ILLEGAL_GENERATION);
    k.generation--;
    k.member = SL_STR("other");
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    k.member = joined.member_id;
    k.instance = SL_STR("static");
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(group_fetch(c, l, 8, "g", "t", 0).offset, 2);
    /* Empty again, anybody may. */
    assert_int_equal(group_leave(c, l, 5, "g", joined.member_id, GROUP_NONE), 0);
    k = group_commit_of("g", 0, 9);
    assert_int_equal(group_commit(c, l, 8, &k), 0);
    client_end(c);
}

static void test_commits_in_a_rebalance(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct client_link *other = client_connect(c, 1);
    struct group_join j = group_join_of(9, "g"), second = group_join_of(9, "g");
    struct sl_join_group_response joined;
    group_settle_one(c, l, &j, &joined);
    (void)group_begin_join(c, other, &second);
    /* While others join, what was read may be committed. */
    struct group_commit k = group_commit_of("g", 0, 2);
    k.member = joined.member_id;
    k.generation = joined.generation;
    assert_int_equal(group_commit(c, l, 8, &k), 0);
    group_put_join(c, l, &j);
    client_turn(c);
    const struct sl_join_group_response *m = client_take(c, l);
    assert_int_equal(m->error_code, 0);
    /* Between join and sync a member does not know what it has. */
    k.generation = m->generation;
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    client_end(c);
}

/* A commit keeps the session. */
static void test_a_commit_is_a_sign_of_life(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct group_join j = group_join_of(9, "g");
    struct sl_join_group_response joined;
    group_settle_one(c, l, &j, &joined);
    struct group_commit k = group_commit_of("g", 0, 2);
    k.member = joined.member_id;
    k.generation = joined.generation;
    for (int i = 0; i < 4; i++) {
        client_advance(c, 9000);
        assert_int_equal(group_commit(c, l, 8, &k), 0);
    }
    client_advance(c, 10001);
    assert_int_equal(group_commit(c, l, 8, &k), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(c);
}

/* ---- deleting ---- */

static int delete_offset(struct client *c, struct client_link *l, const char *group,
                         const char *topic, int32_t partition) {
    struct sl_offset_delete_request request;
    struct sl_offset_delete_topic t = {sl_bytes_str(topic), {&partition, 1}};
    sl_codec_defaults(&sl_offset_delete_request_type, &request);
    request.group_id = sl_bytes_str(group);
    request.topics = (struct sl_array){&t, 1};
    const struct sl_offset_delete_response *m = client_ask(c, l, SL_API_OFFSET_DELETE, 0, &request);
    if (m->error_code != 0) return m->error_code;
    const struct sl_offset_delete_topic_response *r = client_item(&m->topics, 0, sizeof *r);
    const struct sl_offset_delete_partition_response *p = client_item(&r->partitions, 0, sizeof *p);
    assert_int_equal(p->partition, partition);
    return p->error_code;
}

static void test_offset_delete(void **state) {
    (void)state;
    /* A subscription to "u": version 0, one topic, no user data. */
    static const char subscribed[] = "\0\0\0\0\0\1\0\1u\377\377\377\377";
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_create_topic(c->broker, "u", 1, 1), 0);
    assert_int_equal(delete_offset(c, l, "g", "t", 0), SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
    for (int32_t i = 0; i < 2; i++) {
        struct group_commit k = group_commit_of("g", i, 5);
        assert_int_equal(group_commit(c, l, 9, &k), 0);
    }
    assert_int_equal(delete_offset(c, l, "g", "t", 0), 0);
    assert_int_equal(delete_offset(c, l, "g", "t", 0), 0);
    assert_int_equal(delete_offset(c, l, "g", "t", 7), SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 0).offset, -1);
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 1).offset, 5);
    struct sl_join_group_request request;
    struct sl_join_group_protocol p = {SL_STR("range"),
                                       {(const uint8_t *)subscribed, sizeof subscribed - 1}};
    sl_codec_defaults(&sl_join_group_request_type, &request);
    request.group_id = SL_STR("g");
    request.protocol_type = SL_STR("consumer");
    request.session_timeout_ms = 10000;
    request.protocols = (struct sl_array){&p, 1};
    client_send(c, l, SL_API_JOIN_GROUP, 3, &request);
    client_advance(c, 200);
    const struct sl_join_group_response *m = client_take(c, l);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(delete_offset(c, l, "g", "u", 0), SLUICE_KAFKA_GROUP_SUBSCRIBED_TO_TOPIC);
    assert_int_equal(delete_offset(c, l, "g", "t", 1), 0);
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 1).offset, -1);
    client_end(c);
}

/* ---- coordinators ---- */

/* Offsets outlive a restart and a move of the coordinator; only that one answers. */
static void test_coordinators(void **state) {
    (void)state;
    struct client *c = client_start(3, 1);
    int32_t home = sl_cluster_coordinator(&c->broker->cluster, SL_STR("g"))->id;
    struct client_link *l = client_connect(c, home);
    struct client_link *wrong = client_connect(c, home % 3 + 1);
    struct group_commit k = group_commit_of("g", 0, 5);
    assert_int_equal(group_commit(c, wrong, 9, &k), SLUICE_KAFKA_NOT_COORDINATOR);
    assert_int_equal(group_commit(c, l, 9, &k), 0);
    assert_int_equal(group_fetch(c, wrong, 9, "g", "t", 0).error_code,
                     SLUICE_KAFKA_NOT_COORDINATOR);
    sl_broker_set_state(c->broker, home, SL_BROKER_DOWN);
    client_turn(c);
    int32_t now = sl_cluster_coordinator(&c->broker->cluster, SL_STR("g"))->id;
    assert_int_not_equal(now, home);
    struct client_link *moved = client_connect(c, now);
    assert_int_equal(group_fetch(c, moved, 9, "g", "t", 0).offset, 5);
    k.offset = 6;
    assert_int_equal(group_commit(c, moved, 9, &k), 0);
    sl_broker_set_state(c->broker, home, SL_BROKER_UP);
    client_turn(c);
    assert_int_equal(group_fetch(c, moved, 9, "g", "t", 0).error_code,
                     SLUICE_KAFKA_NOT_COORDINATOR);
    l = client_connect(c, home);
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 0).offset, 6);
    client_end(c);
}

static void test_invalid_group(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct group_join j = group_join_of(4, "");
    assert_int_equal(group_join(c, l, &j)->error_code, SLUICE_KAFKA_INVALID_GROUP_ID);
    assert_int_equal(group_heartbeat(c, l, 4, "", SL_STR("m"), GROUP_NONE, 1),
                     SLUICE_KAFKA_INVALID_GROUP_ID);
    /* Offsets go with the empty name too, as they did before groups had members. */
    struct group_commit k = group_commit_of("", 0, 5);
    assert_int_equal(group_commit(c, l, 9, &k), 0);
    assert_int_equal(group_fetch(c, l, 9, "", "t", 0).offset, 5);
    client_end(c);
}

/* ---- faults ---- */

static void test_faults(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_OFFSET_COMMIT);
    f.code = SLUICE_KAFKA_REQUEST_TIMED_OUT;
    struct group_commit k = group_commit_of("g", 0, 5);
    client_fault(c, &f);
    assert_int_equal(group_commit(c, l, 9, &k), SLUICE_KAFKA_REQUEST_TIMED_OUT);
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 0).offset, -1);
    f.executed = true;
    client_fault(c, &f);
    assert_int_equal(group_commit(c, l, 9, &k), SLUICE_KAFKA_REQUEST_TIMED_OUT);
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 0).offset, 5);
    /* Of one partition. */
    f = client_fault_of(SL_FAULT_ERROR, SL_API_OFFSET_FETCH);
    f.code = SLUICE_KAFKA_UNSTABLE_OFFSET_COMMIT;
    f.partition = 1;
    memcpy(f.topic, "t", 2);
    client_fault(c, &f);
    assert_int_equal(group_fetch(c, l, 7, "g", "t", 0).error_code, 0);
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 1).error_code,
                     SLUICE_KAFKA_UNSTABLE_OFFSET_COMMIT);
    assert_int_equal(group_fetch(c, l, 9, "g", "t", 1).error_code, 0);
    /* Of the group. */
    f = client_fault_of(SL_FAULT_ERROR, SL_API_OFFSET_FETCH);
    f.code = SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
    client_fault(c, &f);
    struct sl_offset_fetch_partition_response p = group_fetch(c, l, 9, "g", "t", 0);
    assert_int_equal(p.error_code, SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    assert_int_equal(p.offset, -99);
    f = client_fault_of(SL_FAULT_CUT_AFTER, SL_API_OFFSET_COMMIT);
    client_fault(c, &f);
    struct client_link *cut = client_connect(c, 1);
    k.offset = 8;
    struct sl_offset_commit_request request;
    sl_codec_defaults(&sl_offset_commit_request_type, &request);
    request.group_id = SL_STR("g");
    client_send(c, cut, SL_API_OFFSET_COMMIT, 9, &request);
    assert_false(cut->open);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_versions),
        cmocka_unit_test(test_unknown_group_and_topic),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_several_groups),
        cmocka_unit_test(test_many_partitions),
        cmocka_unit_test(test_topic_goes),
        cmocka_unit_test(test_members_and_others),
        cmocka_unit_test(test_commits_in_a_rebalance),
        cmocka_unit_test(test_a_commit_is_a_sign_of_life),
        cmocka_unit_test(test_offset_delete),
        cmocka_unit_test(test_coordinators),
        cmocka_unit_test(test_invalid_group),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
