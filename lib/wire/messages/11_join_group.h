/* JoinGroup (key 11): enters a group of the classic protocol or its next generation. Versions 0 to
 * 9; 1 rebalance timeout, 4 MEMBER_ID_REQUIRED, 5 the instance id, 6 flexible, 7 the protocol type
 * comes back, 8 a reason, 9 the leader may be told not to assign. */
#ifndef SL_WIRE_MESSAGES_JOIN_GROUP_H
#define SL_WIRE_MESSAGES_JOIN_GROUP_H

#include "wire/schema.h"

struct sl_join_group_protocol {
    struct sl_str name;       /* of the assignor */
    struct sl_bytes metadata; /* the member's subscription, for consumers */
};
struct sl_join_group_request {
    struct sl_str group_id;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms; /* before version 1 the session timeout counts */
    struct sl_str member_id;      /* empty: none yet */
    struct sl_str instance_id;    /* or null: a dynamic member */
    struct sl_str protocol_type;  /* "consumer" */
    struct sl_array protocols;    /* of sl_join_group_protocol, the best first */
    struct sl_str reason;         /* for the broker's log, or null */
};

struct sl_join_group_member {
    struct sl_str member_id;
    struct sl_str instance_id; /* or null: a dynamic member */
    struct sl_bytes metadata;  /* of the protocol chosen */
};
struct sl_join_group_response {
    int32_t throttle_ms;
    int16_t error_code;
    int32_t generation;
    struct sl_str protocol_type; /* or null */
    struct sl_str protocol_name; /* chosen; null with an error, from version 7 on */
    struct sl_str leader;        /* its member id */
    bool skip_assignment;        /* the leader must not assign: everyone keeps what they have */
    struct sl_str member_id;
    struct sl_array members; /* of sl_join_group_member; empty for all but the leader */
};

extern const struct sl_type sl_join_group_request_type;
extern const struct sl_type sl_join_group_response_type;

#endif
