/* LeaveGroup (key 13): members go, or are sent away by an administrator. Versions 0 to 5; 3 several
 * members, each by its id or its instance id, 4 flexible, 5 a reason. */
#ifndef SL_WIRE_MESSAGES_LEAVE_GROUP_H
#define SL_WIRE_MESSAGES_LEAVE_GROUP_H

#include "wire/schema.h"

struct sl_leave_group_member {
    struct sl_str member_id;   /* may be empty with an instance id */
    struct sl_str instance_id; /* or null: a dynamic member */
    struct sl_str reason;      /* for the broker's log, or null */
};
struct sl_leave_group_request {
    struct sl_str group_id;
    struct sl_str member_id; /* up to version 2 */
    struct sl_array members; /* of sl_leave_group_member; from version 3 on */
};

struct sl_leave_group_member_response {
    struct sl_str member_id;
    struct sl_str instance_id; /* or null: a dynamic member */
    int16_t error_code;
};
struct sl_leave_group_response {
    int32_t throttle_ms;
    int16_t error_code;
    struct sl_array members; /* of sl_leave_group_member_response */
};

extern const struct sl_type sl_leave_group_request_type;
extern const struct sl_type sl_leave_group_response_type;

#endif
