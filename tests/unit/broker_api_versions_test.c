/* ApiVersions at the bundled broker (KIP-35, KIP-511): the ranges of a node, versions that it does
 * not have, the name of the client's software, and nodes that pretend to be older releases. */
#include "broker_client.h"

static struct sl_api_versions_request named(const char *name, const char *version) {
    struct sl_api_versions_request request;
    sl_codec_defaults(&sl_api_versions_request_type, &request);
    request.client_software_name = sl_bytes_str(name);
    request.client_software_version = sl_bytes_str(version);
    return request;
}

static const struct sl_api_versions_response *ask(struct client *c, struct client_link *l,
                                                  int16_t version) {
    struct sl_api_versions_request request = named("test", "1.0");
    return client_ask(c, l, SL_API_API_VERSIONS, version, &request);
}

/* The highest version of an API that is listed; -1: it is not. */
static int listed_max(const struct sl_api_versions_response *m, int16_t key) {
    const struct sl_api_versions_range *ranges = m->api_keys.items;
    for (int32_t i = 0; i < m->api_keys.count; i++)
        if (ranges[i].api_key == key) return ranges[i].max_version;
    return -1;
}

static void test_every_version_lists_all(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    int count = 0;
    for (int i = 0; sl_api_at(i) != NULL; i++) count += sl_machine_serves(sl_api_at(i)->key);
    for (int16_t version = 0; version <= 4; version++) {
        const struct sl_api_versions_response *m = ask(c, l, version);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->api_keys.count, count);
        assert_int_equal(m->finalized_features_epoch, -1);
        for (int i = 0; i < count; i++) {
            const struct sl_api_versions_range *r = client_item(&m->api_keys, i, sizeof *r);
            const struct sl_api *api = sl_api_find(r->api_key);
            assert_int_equal(r->min_version, api->broker_min);
            assert_int_equal(r->max_version, api->broker_max);
        }
    }
    client_end(c);
}

/* Error 35 comes in version 0 and lists the range of this API alone; the connection stays. */
static void test_unknown_version_is_answered_in_version_0(void **state) {
    (void)state;
    static const char answer[] = "00000010 00000009 0023 00000001 0012 0000 0004";
    static const char *const requests[] = {
        "0000000a 0012 0005 00000009 ffff", /* a version that is not known here yet */
        "0000000e 0012 7fff 00000009 ffffffff ffff",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct client *c = client_start(1, 0);
        struct client_link *l = client_connect(c, 1);
        uint8_t bytes[64];
        client_feed(c, l, bytes, test_hex(requests[i], bytes, sizeof bytes));
        client_turn(c);
        test_hex_equal(l->in, l->size, answer);
        l->size = 0;
        assert_true(l->open);
        assert_int_equal(ask(c, l, 4)->error_code, 0);
        client_end(c);
    }
}

static void test_capped_version(void **state) {
    (void)state;
    struct client *c = client_start(2, 0);
    struct client_link *l = client_connect(c, 1);
    struct client_link *other = client_connect(c, 2);
    assert_int_equal(sl_broker_cap_version(c->broker, 1, SL_API_API_VERSIONS, 2), 0);
    const struct sl_api_versions_response *m = ask(c, l, 4);
    assert_int_equal(m->error_code, SLUICE_KAFKA_UNSUPPORTED_VERSION);
    assert_int_equal(m->api_keys.count, 1);
    assert_int_equal(listed_max(m, SL_API_API_VERSIONS), 2);
    assert_int_equal(ask(c, l, 2)->error_code, 0);
    assert_int_equal(ask(c, other, 4)->error_code, 0); /* the other node is as it was */
    client_end(c);
}

static void test_api_that_a_node_does_not_have(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    struct sl_init_producer_id_request request;
    assert_int_equal(sl_broker_cap_version(c->broker, 0, SL_API_INIT_PRODUCER_ID, -1), 0);
    assert_int_equal(listed_max(ask(c, l, 3), SL_API_INIT_PRODUCER_ID), -1);
    sl_codec_defaults(&sl_init_producer_id_request_type, &request);
    client_send(c, l, SL_API_INIT_PRODUCER_ID, 0, &request);
    assert_false(l->open);
    /* Without ApiVersions itself nobody can say what there is: the connection ends. */
    assert_int_equal(sl_broker_cap_version(c->broker, 0, SL_API_API_VERSIONS, -1), 0);
    l = client_connect(c, 1);
    struct sl_api_versions_request hello = named("test", "1.0");
    client_send(c, l, SL_API_API_VERSIONS, 0, &hello);
    assert_false(l->open);
    assert_int_equal(l->size, 0);
    assert_int_equal(sl_broker_cap_version(c->broker, 0, 99, 1), SLUICE_ERR_USAGE);
    assert_int_equal(sl_broker_cap_version(c->broker, 2, 0, 1), SLUICE_ERR_USAGE);
    client_end(c);
}

static void test_software_names(void **state) {
    (void)state;
    static const struct {
        const char *name, *version;
        int code;
    } cases[] = {
        {"a", "1", 0},
        {"apache-kafka.java", "4.1.0-rc1", 0},
        {"", "1", SLUICE_KAFKA_INVALID_REQUEST},
        {"a", "", SLUICE_KAFKA_INVALID_REQUEST},
        {"-a", "1", SLUICE_KAFKA_INVALID_REQUEST},
        {"a.", "1", SLUICE_KAFKA_INVALID_REQUEST},
        {"a b", "1", SLUICE_KAFKA_INVALID_REQUEST},
        {"a_b", "1", SLUICE_KAFKA_INVALID_REQUEST},
        {"a", "1.0+git", SLUICE_KAFKA_INVALID_REQUEST},
    };
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_api_versions_request request = named(cases[i].name, cases[i].version);
        const struct sl_api_versions_response *m =
            client_ask(c, l, SL_API_API_VERSIONS, 3, &request);
        assert_int_equal(m->error_code, cases[i].code);
    }
    assert_int_equal(ask(c, l, 2)->error_code, 0); /* before version 3 there is no name */
    client_end(c);
}

static void test_releases(void **state) {
    (void)state;
    static const struct {
        const char *release;
        int16_t produce, fetch, metadata, versions, offset_commit, member_heartbeat;
    } cases[] = {{"2.1", 7, 10, 7, 2, 6, -1},  {"2.4", 8, 11, 9, 3, 8, -1},
                 {"2.8", 9, 12, 11, 3, 8, -1}, {"3.7", 10, 16, 12, 3, 9, 0},
                 {"4.0", 12, 17, 13, 4, 9, 1}, {"4.2", 13, 18, 13, 4, 10, 1}};
    struct client *c = client_start(2, 0);
    struct client_link *l = client_connect(c, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(sl_broker_cap_release(c->broker, cases[i].release), 0);
        const struct sl_api_versions_response *m = ask(c, l, 2);
        assert_int_equal(listed_max(m, SL_API_PRODUCE), cases[i].produce);
        assert_int_equal(listed_max(m, SL_API_FETCH), cases[i].fetch);
        assert_int_equal(listed_max(m, SL_API_METADATA), cases[i].metadata);
        assert_int_equal(listed_max(m, SL_API_API_VERSIONS), cases[i].versions);
        const int16_t *caps = c->broker->cluster.nodes[0].caps;
        assert_int_equal(caps[SL_API_OFFSET_COMMIT], cases[i].offset_commit);
        assert_int_equal(caps[SL_API_CONSUMER_GROUP_HEARTBEAT], cases[i].member_heartbeat);
    }
    /* In the middle of an upgrade. */
    assert_int_equal(sl_broker_cap_node_release(c->broker, 1, "2.1"), 0);
    assert_int_equal(listed_max(ask(c, l, 2), SL_API_PRODUCE), 7);
    assert_int_equal(listed_max(ask(c, client_connect(c, 2), 2), SL_API_PRODUCE), 13);
    assert_int_equal(sl_broker_cap_release(c->broker, "1.0"), SLUICE_ERR_CONFIG);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version_lists_all),
        cmocka_unit_test(test_unknown_version_is_answered_in_version_0),
        cmocka_unit_test(test_capped_version),
        cmocka_unit_test(test_api_that_a_node_does_not_have),
        cmocka_unit_test(test_software_names),
        cmocka_unit_test(test_releases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
