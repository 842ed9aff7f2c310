/* FindCoordinator at the bundled broker: one key or several, of each type, and who answers for it
 * as nodes go. */
#include "broker_client.h"

static const struct sl_find_coordinator_response *
find_one(struct client *c, struct client_link *l, int16_t version, const char *key, int8_t type) {
    struct sl_find_coordinator_request request;
    sl_codec_defaults(&sl_find_coordinator_request_type, &request);
    request.key = sl_bytes_str(key);
    request.key_type = type;
    return client_ask(c, l, SL_API_FIND_COORDINATOR, version, &request);
}

static const struct sl_find_coordinator_response *find_many(struct client *c, struct client_link *l,
                                                            int16_t version, struct sl_str *keys,
                                                            int32_t count, int8_t type) {
    struct sl_find_coordinator_request request;
    sl_codec_defaults(&sl_find_coordinator_request_type, &request);
    request.keys = (struct sl_array){keys, count};
    request.key_type = type;
    return client_ask(c, l, SL_API_FIND_COORDINATOR, version, &request);
}

static void test_one_key(void **state) {
    (void)state;
    struct client *c = client_start(3, 0);
    struct client_link *l = client_connect(c, 1);
    for (int32_t id = 1; id <= 3; id++)
        assert_int_equal(sl_broker_advertise(c->broker, id, "host", (uint16_t)(100 + id)), 0);
    int32_t before = 0;
    for (int16_t version = 0; version <= 3; version++) {
        const struct sl_find_coordinator_response *m =
            find_one(c, l, version, "group", SL_FIND_COORDINATOR_GROUP);
        assert_int_equal(m->error_code, 0);
        assert_in_range(m->node_id, 1, 3);
        assert_true(sl_bytes_str_equal(m->host, SL_STR("host")));
        assert_int_equal(m->port, 100 + m->node_id);
        if (before != 0) assert_int_equal(m->node_id, before); /* always the same */
        before = m->node_id;
    }
    client_end(c);
}

static void test_several_keys(void **state) {
    (void)state;
    struct client *c = client_start(3, 0);
    struct client_link *l = client_connect(c, 1);
    struct client_link *other = client_connect(c, 2);
    struct sl_str keys[] = {SL_STR("a"), SL_STR("b"), SL_STR("c"), SL_STR("a")};
    for (int16_t version = 4; version <= 6; version++) {
        const struct sl_find_coordinator_response *m = find_many(c, l, version, keys, 4, 0);
        const struct sl_find_coordinator_response *same = find_many(c, other, version, keys, 4, 0);
        assert_int_equal(m->coordinators.count, 4);
        const struct sl_find_coordinator_result *r = m->coordinators.items;
        const struct sl_find_coordinator_result *s = same->coordinators.items;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(r[i].error_code, 0);
            assert_true(sl_bytes_str_equal(r[i].key, keys[i]));
            assert_int_equal(r[i].node_id, s[i].node_id); /* all nodes agree */
            assert_int_equal(r[i].error_message.size, -1);
        }
        assert_int_equal(r[0].node_id, r[3].node_id);
        assert_int_equal(find_many(c, l, version, keys, 0, 0)->coordinators.count, 0);
    }
    client_end(c);
}

static void test_types(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    struct sl_str key = SL_STR("k");
    assert_int_equal(find_one(c, l, 3, "k", SL_FIND_COORDINATOR_TRANSACTION)->error_code, 0);
    assert_int_equal(find_one(c, l, 3, "k", 7)->error_code, SLUICE_KAFKA_INVALID_REQUEST);
    assert_int_equal(find_one(c, l, 3, "k", -1)->error_code, SLUICE_KAFKA_INVALID_REQUEST);
    /* Share groups came with version 6. */
    for (int16_t version = 4; version <= 6; version++) {
        const struct sl_find_coordinator_response *m =
            find_many(c, l, version, &key, 1, SL_FIND_COORDINATOR_SHARE);
        const struct sl_find_coordinator_result *r = client_item(&m->coordinators, 0, sizeof *r);
        assert_int_equal(r->error_code, version < 6 ? SLUICE_KAFKA_INVALID_REQUEST : 0);
        assert_int_equal(r->node_id, version < 6 ? -1 : 1);
    }
    client_end(c);
}

/* A node that is down answers for nobody; the others take its keys. */
static void test_nodes_go(void **state) {
    (void)state;
    struct client *c = client_start(2, 0);
    struct client_link *l = client_connect(c, 2);
    bool was_first = false;
    for (char ch = 'a'; ch <= 'j'; ch++) {
        char key[2] = {ch, 0};
        was_first |= find_one(c, l, 3, key, 0)->node_id == 1;
    }
    assert_true(was_first);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    client_turn(c);
    for (char ch = 'a'; ch <= 'j'; ch++) {
        char key[2] = {ch, 0};
        assert_int_equal(find_one(c, l, 3, key, 0)->node_id, 2);
    }
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_key),
        cmocka_unit_test(test_several_keys),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_nodes_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
