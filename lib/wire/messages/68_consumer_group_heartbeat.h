/* ConsumerGroupHeartbeat (key 68): all that a member of KIP-848 says and hears: it joins, reports,
 * is assigned to, and leaves by heartbeats. Versions 0 and 1, flexible; 1 a regular expression as
 * subscription, and the member makes its id itself. */
#ifndef SL_WIRE_MESSAGES_CONSUMER_GROUP_HEARTBEAT_H
#define SL_WIRE_MESSAGES_CONSUMER_GROUP_HEARTBEAT_H

#include "wire/schema.h"

/* member_epoch of a request */
enum {
    SL_CONSUMER_GROUP_JOIN = 0,
    SL_CONSUMER_GROUP_LEAVE = -1,
    SL_CONSUMER_GROUP_LEAVE_STATIC = -2 /* the instance comes back within the session timeout */
};

struct sl_consumer_group_heartbeat_topic {
    struct sl_uuid topic_id;
    struct sl_array partitions; /* of int32_t */
};
/* What did not change since the last one that was answered may be left out. */
struct sl_consumer_group_heartbeat_request {
    struct sl_str group_id;
    struct sl_str member_id;
    int32_t member_epoch;         /* 0: joins; a member epoch below zero leaves */
    struct sl_str instance_id;    /* or null */
    struct sl_str rack_id;        /* or null */
    int32_t rebalance_timeout_ms; /* -1: as before */
    struct sl_array topic_names;  /* of struct sl_str, or null: as before */
    struct sl_str topic_regex;    /* or null: as before */
    struct sl_str assignor;       /* the broker's by name, or null: as before */
    struct sl_array owned;        /* of sl_consumer_group_heartbeat_topic, or null: as before */
};

struct sl_consumer_group_heartbeat_assignment {
    struct sl_array topics; /* of sl_consumer_group_heartbeat_topic */
};
struct sl_consumer_group_heartbeat_response {
    int32_t throttle_ms;
    int16_t error_code;
    struct sl_str error_message; /* or null */
    struct sl_str member_id;     /* to a member that joins, or null */
    int32_t member_epoch;
    int32_t interval_ms;        /* until the next heartbeat */
    struct sl_array assignment; /* one sl_consumer_group_heartbeat_assignment, or null: as before */
};

extern const struct sl_type sl_consumer_group_heartbeat_request_type;
extern const struct sl_type sl_consumer_group_heartbeat_response_type;

#endif
