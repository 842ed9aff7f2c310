/* Pretending to be a release of Kafka: the highest version of each API that it had, as
 * ApiVersions would say; -1: it did not have the API. */
#include <string.h>

#include "broker/machine.h"
#include "sluice/error.h"

enum { RELEASES_COUNT = 10, RELEASES_APIS = 24 };

static const char *const release_names[RELEASES_COUNT] = {"2.1", "2.4", "2.8", "3.0", "3.5",
                                                          "3.7", "3.9", "4.0", "4.1", "4.2"};
static const struct {
    int16_t key;
    int16_t max[RELEASES_COUNT];
} release_versions[RELEASES_APIS] = {
    {SL_API_PRODUCE, {7, 8, 9, 9, 9, 10, 11, 12, 13, 13}},
    {SL_API_FETCH, {10, 11, 12, 12, 15, 16, 17, 17, 18, 18}},
    {SL_API_LIST_OFFSETS, {4, 5, 6, 7, 8, 8, 9, 10, 10, 11}},
    {SL_API_METADATA, {7, 9, 11, 11, 12, 12, 12, 13, 13, 13}},
    {SL_API_OFFSET_COMMIT, {6, 8, 8, 8, 8, 9, 9, 9, 10, 10}},
    {SL_API_OFFSET_FETCH, {5, 6, 7, 8, 8, 9, 9, 9, 10, 10}},
    {SL_API_FIND_COORDINATOR, {2, 3, 3, 4, 4, 4, 6, 6, 6, 6}},
    {SL_API_JOIN_GROUP, {3, 6, 7, 7, 9, 9, 9, 9, 9, 9}},
    {SL_API_HEARTBEAT, {2, 4, 4, 4, 4, 4, 4, 4, 4, 4}},
    {SL_API_LEAVE_GROUP, {2, 4, 4, 4, 5, 5, 5, 5, 5, 5}},
    {SL_API_SYNC_GROUP, {2, 4, 5, 5, 5, 5, 5, 5, 5, 5}},
    {SL_API_DESCRIBE_GROUPS, {2, 5, 5, 5, 5, 5, 5, 6, 6, 6}},
    {SL_API_LIST_GROUPS, {2, 3, 4, 4, 4, 4, 5, 5, 5, 5}},
    {SL_API_SASL_HANDSHAKE, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
    {SL_API_API_VERSIONS, {2, 3, 3, 3, 3, 3, 4, 4, 4, 4}},
    {SL_API_CREATE_TOPICS, {3, 5, 7, 7, 7, 7, 7, 7, 7, 7}},
    {SL_API_DELETE_TOPICS, {3, 4, 6, 6, 6, 6, 6, 6, 6, 6}},
    {SL_API_INIT_PRODUCER_ID, {1, 2, 4, 4, 4, 4, 5, 5, 5, 5}},
    {SL_API_OFFSET_FOR_LEADER_EPOCH, {2, 3, 4, 4, 4, 4, 4, 4, 4, 4}},
    {SL_API_SASL_AUTHENTICATE, {0, 1, 2, 2, 2, 2, 2, 2, 2, 2}},
    {SL_API_DELETE_GROUPS, {1, 2, 2, 2, 2, 2, 2, 2, 2, 2}},
    {SL_API_OFFSET_DELETE, {-1, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {SL_API_CONSUMER_GROUP_HEARTBEAT, {-1, -1, -1, -1, -1, 0, 0, 1, 1, 1}},
    {SL_API_CONSUMER_GROUP_DESCRIBE, {-1, -1, -1, -1, -1, -1, 0, 1, 1, 1}},
};

int sl_broker_cap_version(struct sl_broker_cluster *c, int32_t node, int16_t api, int16_t max) {
    if (sl_api_find(api) == NULL || node < 0 || node > c->cluster.node_count)
        return SLUICE_ERR_USAGE;
    for (int32_t i = 0; i < c->cluster.node_count; i++)
        if (node == 0 || node == c->cluster.nodes[i].id) c->cluster.nodes[i].caps[api] = max;
    return 0;
}

int sl_broker_cap_node_release(struct sl_broker_cluster *c, int32_t node, const char *release) {
    for (int r = 0; r < RELEASES_COUNT; r++) {
        if (strcmp(release, release_names[r]) != 0) continue;
        for (int i = 0; i < RELEASES_APIS; i++) {
            int rv =
                sl_broker_cap_version(c, node, release_versions[i].key, release_versions[i].max[r]);
            if (rv != 0) return rv;
        }
        return 0;
    }
    return SLUICE_ERR_CONFIG;
}

int sl_broker_cap_release(struct sl_broker_cluster *c, const char *release) {
    return sl_broker_cap_node_release(c, 0, release);
}
