/* DescribeGroups (key 15): state and members of groups of the classic protocol. Versions 0 to 6; 3
 * authorized operations, 4 the instance id, 5 flexible, 6 error texts and GROUP_ID_NOT_FOUND. */
#ifndef SL_WIRE_MESSAGES_DESCRIBE_GROUPS_H
#define SL_WIRE_MESSAGES_DESCRIBE_GROUPS_H

#include "wire/schema.h"

struct sl_describe_groups_request {
    struct sl_array group_ids; /* of struct sl_str */
    bool include_authorized_operations;
};

struct sl_describe_groups_member {
    struct sl_str member_id;
    struct sl_str instance_id; /* or null: a dynamic member */
    struct sl_str client_id;
    struct sl_str client_host;
    struct sl_bytes metadata;   /* of the protocol in use; empty unless the group is stable */
    struct sl_bytes assignment; /* empty unless the group is stable */
};
struct sl_describe_groups_group {
    int16_t error_code;
    struct sl_str error_message; /* or null */
    struct sl_str group_id;
    struct sl_str state;           /* "Stable", "Empty", "Dead" and so on */
    struct sl_str protocol_type;   /* may be empty */
    struct sl_str protocol;        /* may be empty */
    struct sl_array members;       /* of sl_describe_groups_member */
    int32_t authorized_operations; /* a bit each; INT32_MIN: not told */
};
struct sl_describe_groups_response {
    int32_t throttle_ms;
    struct sl_array groups; /* of sl_describe_groups_group */
};

extern const struct sl_type sl_describe_groups_request_type;
extern const struct sl_type sl_describe_groups_response_type;

#endif
