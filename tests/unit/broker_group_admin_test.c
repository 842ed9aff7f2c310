/* What administrators ask the bundled broker about groups: ListGroups, DescribeGroups, DeleteGroups,
 * in all versions. */
#include "broker_group_client.h"

static const struct sl_list_groups_response *list(struct client *c, struct client_link *l,
                                                  int16_t version, struct sl_str state,
                                                  struct sl_str type) {
    struct sl_list_groups_request request;
    sl_codec_defaults(&sl_list_groups_request_type, &request);
    if (state.size >= 0) request.states = (struct sl_array){&state, 1};
    if (type.size >= 0) request.types = (struct sl_array){&type, 1};
    return client_ask(c, l, SL_API_LIST_GROUPS, version, &request);
}

static const struct sl_describe_groups_group *describe(struct client *c, struct client_link *l,
                                                       int16_t version, const char *group) {
    struct sl_describe_groups_request request;
    struct sl_str id = sl_bytes_str(group);
    sl_codec_defaults(&sl_describe_groups_request_type, &request);
    request.group_ids = (struct sl_array){&id, 1};
    const struct sl_describe_groups_response *m =
        client_ask(c, l, SL_API_DESCRIBE_GROUPS, version, &request);
    const struct sl_describe_groups_group *g = client_item(&m->groups, 0, sizeof *g);
    assert_true(sl_bytes_str_equal(g->group_id, id));
    return g;
}

static int delete_group(struct client *c, struct client_link *l, int16_t version,
                        const char *group) {
    struct sl_delete_groups_request request;
    struct sl_str id = sl_bytes_str(group);
    sl_codec_defaults(&sl_delete_groups_request_type, &request);
    request.group_ids = (struct sl_array){&id, 1};
    const struct sl_delete_groups_response *m =
        client_ask(c, l, SL_API_DELETE_GROUPS, version, &request);
    const struct sl_delete_groups_result *r = client_item(&m->results, 0, sizeof *r);
    assert_true(sl_bytes_str_equal(r->group_id, id));
    return r->error_code;
}

/* A stable group "busy" of one member, and "idle", which only committed. */
static struct client *start_two(struct client_link **l, struct sl_join_group_response *joined) {
    struct client *c = client_start(1, 1);
    struct group_join j = group_join_of(9, "busy");
    struct group_commit k = group_commit_of("idle", 0, 1);
    *l = client_connect(c, 1);
    assert_int_equal(group_commit(c, *l, 9, &k), 0);
    group_settle_one(c, *l, &j, joined);
    return c;
}

static void test_list(void **state) {
    (void)state;
    struct client_link *l;
    struct sl_join_group_response joined;
    struct client *c = start_two(&l, &joined);
    struct sl_str none = GROUP_NONE;
    for (int16_t version = 0; version <= 5; version++) {
        const struct sl_list_groups_response *m = list(c, l, version, none, none);
        const struct sl_list_groups_group *g = client_item(&m->groups, 1, sizeof *g);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->groups.count, 2);
        assert_true(sl_bytes_str_equal(g[-1].group_id, SL_STR("idle")));
        assert_int_equal(g[-1].protocol_type.size, 0);
        assert_true(sl_bytes_str_equal(g->group_id, SL_STR("busy")));
        assert_true(sl_bytes_str_equal(g->protocol_type, SL_STR("consumer")));
        if (version < 4) continue;
        assert_true(sl_bytes_str_equal(g[-1].state, SL_STR("Empty")));
        assert_true(sl_bytes_str_equal(g->state, SL_STR("Stable")));
        m = list(c, l, version, SL_STR("stable"), none);
        assert_int_equal(m->groups.count, 1);
        g = m->groups.items;
        assert_true(sl_bytes_str_equal(g->group_id, SL_STR("busy")));
        assert_int_equal(list(c, l, version, SL_STR("Dead"), none)->groups.count, 0);
        if (version < 5) continue;
        assert_true(sl_bytes_str_equal(g->type, SL_STR("classic")));
        assert_int_equal(list(c, l, version, none, SL_STR("Classic"))->groups.count, 2);
        assert_int_equal(list(c, l, version, none, SL_STR("consumer"))->groups.count, 0);
    }
    client_end(c);
}

/* Each coordinator lists its own. */
static void test_list_of_each_node(void **state) {
    (void)state;
    struct client *c = client_start(3, 1);
    struct client_link *l[3];
    int32_t count = 0;
    for (int32_t i = 0; i < 3; i++) l[i] = client_connect(c, i + 1);
    for (char ch = 'a'; ch < 'k'; ch++) {
        char group[2] = {ch, 0};
        struct group_commit k = group_commit_of(group, 0, 1);
        int32_t home = sl_cluster_coordinator(&c->broker->cluster, sl_bytes_str(group))->id;
        assert_int_equal(group_commit(c, l[home - 1], 9, &k), 0);
    }
    for (int i = 0; i < 3; i++) count += list(c, l[i], 5, GROUP_NONE, GROUP_NONE)->groups.count;
    assert_int_equal(count, 10);
    client_end(c);
}

static void test_describe(void **state) {
    (void)state;
    struct client_link *l;
    struct sl_join_group_response joined;
    struct client *c = start_two(&l, &joined);
    for (int16_t version = 0; version <= 6; version++) {
        const struct sl_describe_groups_group *g = describe(c, l, version, "busy");
        const struct sl_describe_groups_member *m = client_item(&g->members, 0, sizeof *m);
        assert_int_equal(g->error_code, 0);
        assert_true(sl_bytes_str_equal(g->state, SL_STR("Stable")));
        assert_true(sl_bytes_str_equal(g->protocol_type, SL_STR("consumer")));
        assert_true(sl_bytes_str_equal(g->protocol, SL_STR("range")));
        assert_true(sl_bytes_str_equal(m->member_id, joined.member_id));
        assert_true(sl_bytes_str_equal(m->client_id, SL_STR("test")));
        assert_int_equal(m->instance_id.size, -1);
        assert_memory_equal(m->metadata.data, "some", 4);
        assert_memory_equal(m->assignment.data, "all", 3);
        g = describe(c, l, version, "idle");
        assert_true(sl_bytes_str_equal(g->state, SL_STR("Empty")));
        assert_int_equal(g->members.count, 0);
        g = describe(c, l, version, "none");
        assert_true(sl_bytes_str_equal(g->state, SL_STR("Dead")));
        assert_int_equal(g->error_code, version >= 6 ? SLUICE_KAFKA_GROUP_ID_NOT_FOUND : 0);
    }
    /* While members join there is no protocol, nor what belongs to it. */
    assert_int_equal(sl_broker_rebalance(c->broker, "busy"), 0);
    const struct sl_describe_groups_group *g = describe(c, l, 6, "busy");
    const struct sl_describe_groups_member *m = client_item(&g->members, 0, sizeof *m);
    assert_true(sl_bytes_str_equal(g->state, SL_STR("PreparingRebalance")));
    assert_int_equal(g->protocol.size, 0);
    assert_int_equal(m->metadata.size, 0);
    client_end(c);
}

/* What a dump says of both kinds. */
static void test_dump(void **state) {
    (void)state;
    struct client_link *l;
    struct sl_join_group_response joined;
    struct client *c = start_two(&l, &joined);
    struct sl_consumer_group_heartbeat_request beat;
    struct sl_str name = SL_STR("t");
    char buf[8192];
    struct sl_text text;
    sl_codec_defaults(&sl_consumer_group_heartbeat_request_type, &beat);
    beat.group_id = SL_STR("new");
    beat.member_id = SL_STR("mine");
    beat.rebalance_timeout_ms = 1000;
    beat.topic_names = (struct sl_array){&name, 1};
    beat.owned.count = 0;
    (void)client_ask(c, l, SL_API_CONSUMER_GROUP_HEARTBEAT, 1, &beat);
    sl_text_init(&text, buf, sizeof buf);
    sl_broker_dump(c->broker, &text);
    assert_non_null(strstr(buf, "group busy at node 1, classic, Stable, generation 1"));
    assert_non_null(strstr(buf, ", leads"));
    assert_non_null(strstr(buf, "committed t-0 1"));
    assert_non_null(strstr(buf, "group new at node 1, consumer, Stable, epoch 1"));
    assert_non_null(strstr(buf, "member mine at 1, stable, 1 assigned"));
    client_end(c);
}

static void test_delete(void **state) {
    (void)state;
    struct client_link *l;
    struct sl_join_group_response joined;
    for (int16_t version = 0; version <= 2; version++) {
        struct client *c = start_two(&l, &joined);
        assert_int_equal(delete_group(c, l, version, "none"), SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
        assert_int_equal(delete_group(c, l, version, "busy"), SLUICE_KAFKA_NON_EMPTY_GROUP);
        assert_int_equal(delete_group(c, l, version, "idle"), 0);
        assert_int_equal(group_fetch(c, l, 9, "idle", "t", 0).offset, -1);
        assert_int_equal(delete_group(c, l, version, "idle"), SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
        assert_int_equal(group_leave(c, l, 5, "busy", joined.member_id, GROUP_NONE), 0);
        assert_int_equal(delete_group(c, l, version, "busy"), 0);
        assert_int_equal(list(c, l, 5, GROUP_NONE, GROUP_NONE)->groups.count, 0);
        client_end(c);
    }
}

static void test_coordinator_and_faults(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    int32_t home = sl_cluster_coordinator(&c->broker->cluster, SL_STR("g"))->id;
    struct client_link *wrong = client_connect(c, 3 - home);
    assert_int_equal(describe(c, wrong, 6, "g")->error_code, SLUICE_KAFKA_NOT_COORDINATOR);
    assert_int_equal(delete_group(c, wrong, 2, "g"), SLUICE_KAFKA_NOT_COORDINATOR);
    static const int16_t apis[] = {SL_API_LIST_GROUPS, SL_API_DESCRIBE_GROUPS,
                                   SL_API_DELETE_GROUPS};
    struct client_link *l = client_connect(c, home);
    for (int i = 0; i < 3; i++) {
        struct sl_fault f = client_fault_of(SL_FAULT_ERROR, apis[i]);
        f.code = SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED;
        client_fault(c, &f);
    }
    int want = SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED;
    assert_int_equal(list(c, l, 5, GROUP_NONE, GROUP_NONE)->error_code, want);
    assert_int_equal(describe(c, l, 6, "g")->error_code, want);
    assert_int_equal(delete_group(c, l, 2, "g"), want);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),     cmocka_unit_test(test_list_of_each_node),
        cmocka_unit_test(test_describe), cmocka_unit_test(test_delete),
        cmocka_unit_test(test_dump),     cmocka_unit_test(test_coordinator_and_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
