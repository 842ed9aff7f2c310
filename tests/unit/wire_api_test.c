/* Goal: the table of APIs is complete and its ranges are the ones that were decided.
 * Method: every row against a second list written from Kafka's release notes, look-ups by key and
 * name, and rules that hold for all rows. */
#include "support.h"

#include "wire/api.h"

static const struct {
    int key;
    const char *name;
    int client_min, client_max, broker_min, broker_max, flexible_since;
} expected[] = {
    {0, "Produce", 7, 13, 3, 13, 9},
    {1, "Fetch", 10, 18, 4, 18, 12},
    {2, "ListOffsets", 4, 11, 1, 11, 6},
    {3, "Metadata", 7, 13, 0, 13, 9},
    {8, "OffsetCommit", 6, 10, 2, 10, 8},
    {9, "OffsetFetch", 5, 10, 1, 10, 6},
    {10, "FindCoordinator", 2, 6, 0, 6, 3},
    {11, "JoinGroup", 3, 9, 0, 9, 6},
    {12, "Heartbeat", 2, 4, 0, 4, 4},
    {13, "LeaveGroup", 2, 5, 0, 5, 4},
    {14, "SyncGroup", 2, 5, 0, 5, 4},
    {15, "DescribeGroups", 2, 6, 0, 6, 5},
    {16, "ListGroups", 2, 5, 0, 5, 3},
    {17, "SaslHandshake", 1, 1, 0, 1, 1000},
    {18, "ApiVersions", 0, 4, 0, 4, 3},
    {19, "CreateTopics", 3, 7, 2, 7, 5},
    {20, "DeleteTopics", 3, 6, 1, 6, 4},
    {22, "InitProducerId", 1, 5, 0, 5, 2},
    {23, "OffsetForLeaderEpoch", 2, 4, 2, 4, 4},
    {36, "SaslAuthenticate", 0, 2, 0, 2, 2},
    {42, "DeleteGroups", 1, 2, 0, 2, 2},
    {47, "OffsetDelete", 0, 0, 0, 0, 1000},
    {68, "ConsumerGroupHeartbeat", 1, 1, 0, 1, 0},
    {69, "ConsumerGroupDescribe", 0, 1, 0, 1, 0},
};
enum { EXPECTED_COUNT = sizeof expected / sizeof *expected };

static void test_rows(void **state) {
    (void)state;
    for (int i = 0; i < EXPECTED_COUNT; i++) {
        const struct sl_api *api = sl_api_at(i);
        assert_non_null(api);
        assert_int_equal(api->key, expected[i].key);
        assert_string_equal(api->name, expected[i].name);
        assert_int_equal(api->client_min, expected[i].client_min);
        assert_int_equal(api->client_max, expected[i].client_max);
        assert_int_equal(api->broker_min, expected[i].broker_min);
        assert_int_equal(api->broker_max, expected[i].broker_max);
        for (int16_t version = 0; version <= api->broker_max; version++) {
            assert_int_equal(sl_api_is_flexible(api, version),
                             version >= expected[i].flexible_since);
        }
    }
    assert_null(sl_api_at(EXPECTED_COUNT));
    assert_null(sl_api_at(-1));
}

static void test_rules(void **state) {
    (void)state;
    const struct sl_api *api;
    int16_t last_key = -1;
    for (int i = 0; (api = sl_api_at(i)) != NULL; i++) {
        assert_true(api->key > last_key && api->key < SL_API_KEY_LIMIT);
        last_key = api->key;
        assert_true(api->client_min <= api->client_max);
        /* Our broker serves all that our client sends. */
        assert_true(api->broker_min <= api->client_min && api->client_max <= api->broker_max);
        assert_non_null(api->request);
        assert_non_null(api->response);
        assert_ptr_not_equal(api->request, api->response);
    }
}

static void test_find(void **state) {
    (void)state;
    for (int key = -1; key < SL_API_KEY_LIMIT + 1; key++) {
        const struct sl_api *api = sl_api_find((int16_t)key);
        bool known = false;
        for (int i = 0; i < EXPECTED_COUNT; i++) known = known || expected[i].key == key;
        assert_int_equal(api != NULL, known);
        if (api == NULL) continue;
        assert_int_equal(api->key, key);
        assert_ptr_equal(sl_api_find_name(api->name), api);
    }
    assert_ptr_equal(sl_api_find_name("fetch"), sl_api_find(SL_API_FETCH));
    assert_ptr_equal(sl_api_find_name("INITPRODUCERID"), sl_api_find(SL_API_INIT_PRODUCER_ID));
    assert_null(sl_api_find_name("Fetc"));
    assert_null(sl_api_find_name("Fetches"));
    assert_null(sl_api_find_name(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
