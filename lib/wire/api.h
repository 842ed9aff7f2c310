/* The APIs that the library and its test broker speak: key, name, versions, message types. One
 * table; a further API is one line here and one file pair in messages/. */
#ifndef SL_WIRE_API_H
#define SL_WIRE_API_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/schema.h"

enum sl_api_key {
    SL_API_PRODUCE = 0,
    SL_API_FETCH = 1,
    SL_API_LIST_OFFSETS = 2,
    SL_API_METADATA = 3,
    SL_API_OFFSET_COMMIT = 8,
    SL_API_OFFSET_FETCH = 9,
    SL_API_FIND_COORDINATOR = 10,
    SL_API_JOIN_GROUP = 11,
    SL_API_HEARTBEAT = 12,
    SL_API_LEAVE_GROUP = 13,
    SL_API_SYNC_GROUP = 14,
    SL_API_DESCRIBE_GROUPS = 15,
    SL_API_LIST_GROUPS = 16,
    SL_API_SASL_HANDSHAKE = 17,
    SL_API_API_VERSIONS = 18,
    SL_API_CREATE_TOPICS = 19,
    SL_API_DELETE_TOPICS = 20,
    SL_API_INIT_PRODUCER_ID = 22,
    SL_API_OFFSET_FOR_LEADER_EPOCH = 23,
    SL_API_SASL_AUTHENTICATE = 36,
    SL_API_DELETE_GROUPS = 42,
    SL_API_OFFSET_DELETE = 47,
    SL_API_CONSUMER_GROUP_HEARTBEAT = 68,
    SL_API_CONSUMER_GROUP_DESCRIBE = 69,
    SL_API_KEY_LIMIT = 96 /* keys are below; arrays by key have this size */
};

struct sl_api {
    const char *name; /* Kafka's own: "Produce", "InitProducerId" */
    const struct sl_type *request;
    const struct sl_type *response;
    int16_t key;
    int16_t client_min; /* what the client speaks */
    int16_t client_max;
    int16_t broker_min; /* what the test broker serves */
    int16_t broker_max;
    int16_t flexible_since;
};

/* NULL: not an API that we know. */
const struct sl_api *sl_api_find(int16_t key);
/* By name, any case; NULL when unknown. */
const struct sl_api *sl_api_find_name(const char *name);
/* All of them, by rising key; NULL past the last. */
const struct sl_api *sl_api_at(int index);
bool sl_api_is_flexible(const struct sl_api *api, int16_t version);

#endif
