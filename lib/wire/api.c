/* The table of APIs. The ranges are the numbers that decide what we can talk to, so they are here
 * and nowhere else:
 *
 * client  what the client offers to send. The floor is what Kafka 2.1 has, or Kafka 4.0 still
 *         accepts; the ceiling is the newest version whose meaning the client implements.
 * broker  what the test broker serves: also the older versions that other clients send.
 *
 * ApiVersions 5 and DeleteGroups 3 (Kafka 4.4) are described by their message tables but in
 * neither range yet. Every range lies within what the message tables describe. */
#include "wire/api.h"

#include "base/text.h"
#include "wire/messages.h"

enum { NEVER = INT16_MAX }; /* an API without a flexible version */

/* clang-format off */
#define API(key_, name_, tag_, client_min_, client_max_, broker_min_, broker_max_, flexible_) \
    {.name = (name_), .key = (key_), .flexible_since = (flexible_),                           \
     .request = &sl_##tag_##_request_type, .response = &sl_##tag_##_response_type,            \
     .client_min = (client_min_), .client_max = (client_max_),                                \
     .broker_min = (broker_min_), .broker_max = (broker_max_)}

/* By rising key.                                                        client  broker  flexible */
static const struct sl_api api_table[] = {
    API(SL_API_PRODUCE,          "Produce",         produce,              7, 13,  3, 13,  9),
    API(SL_API_FETCH,            "Fetch",           fetch,               10, 18,  4, 18, 12),
    API(SL_API_LIST_OFFSETS,     "ListOffsets",     list_offsets,         4, 11,  1, 11,  6),
    API(SL_API_METADATA,         "Metadata",        metadata,             7, 13,  0, 13,  9),
    API(SL_API_OFFSET_COMMIT,    "OffsetCommit",    offset_commit,        6, 10,  2, 10,  8),
    API(SL_API_OFFSET_FETCH,     "OffsetFetch",     offset_fetch,         5, 10,  1, 10,  6),
    API(SL_API_FIND_COORDINATOR, "FindCoordinator", find_coordinator,     2,  6,  0,  6,  3),
    API(SL_API_JOIN_GROUP,       "JoinGroup",       join_group,           3,  9,  0,  9,  6),
    API(SL_API_HEARTBEAT,        "Heartbeat",       heartbeat,            2,  4,  0,  4,  4),
    API(SL_API_LEAVE_GROUP,      "LeaveGroup",      leave_group,          2,  5,  0,  5,  4),
    API(SL_API_SYNC_GROUP,       "SyncGroup",       sync_group,           2,  5,  0,  5,  4),
    API(SL_API_DESCRIBE_GROUPS,  "DescribeGroups",  describe_groups,      2,  6,  0,  6,  5),
    API(SL_API_LIST_GROUPS,      "ListGroups",      list_groups,          2,  5,  0,  5,  3),
    API(SL_API_SASL_HANDSHAKE,   "SaslHandshake",   sasl_handshake,       1,  1,  0,  1, NEVER),
    API(SL_API_API_VERSIONS,     "ApiVersions",     api_versions,         0,  4,  0,  4,  3),
    API(SL_API_CREATE_TOPICS,    "CreateTopics",    create_topics,        3,  7,  2,  7,  5),
    API(SL_API_DELETE_TOPICS,    "DeleteTopics",    delete_topics,        3,  6,  1,  6,  4),
    API(SL_API_INIT_PRODUCER_ID, "InitProducerId",  init_producer_id,     1,  5,  0,  5,  2),
    API(SL_API_OFFSET_FOR_LEADER_EPOCH, "OffsetForLeaderEpoch", offset_for_leader_epoch,
                                                                          2,  4,  2,  4,  4),
    API(SL_API_SASL_AUTHENTICATE, "SaslAuthenticate", sasl_authenticate,   0,  2,  0,  2,  2),
    API(SL_API_DELETE_GROUPS,    "DeleteGroups",    delete_groups,        1,  2,  0,  2,  2),
    API(SL_API_OFFSET_DELETE,    "OffsetDelete",    offset_delete,        0,  0,  0,  0, NEVER),
    API(SL_API_CONSUMER_GROUP_HEARTBEAT, "ConsumerGroupHeartbeat", consumer_group_heartbeat,
                                                                          1,  1,  0,  1,  0),
    API(SL_API_CONSUMER_GROUP_DESCRIBE, "ConsumerGroupDescribe", consumer_group_describe,
                                                                          0,  1,  0,  1,  0),
};
/* clang-format on */

enum { API_COUNT = sizeof(api_table) / sizeof(api_table[0]) };

const struct sl_api *sl_api_find(int16_t key) {
    for (int i = 0; i < API_COUNT; i++) {
        if (api_table[i].key == key) return &api_table[i];
    }
    return NULL;
}

const struct sl_api *sl_api_find_name(const char *name) {
    for (int i = 0; i < API_COUNT; i++) {
        if (sl_text_equal_fold(api_table[i].name, name)) return &api_table[i];
    }
    return NULL;
}

const struct sl_api *sl_api_at(int index) {
    return index >= 0 && index < API_COUNT ? &api_table[index] : NULL;
}

bool sl_api_is_flexible(const struct sl_api *api, int16_t version) {
    return version >= api->flexible_since;
}
