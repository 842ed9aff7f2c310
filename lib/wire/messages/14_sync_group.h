/* SyncGroup (key 14): the leader gives every member's assignment, everyone gets their own. Versions
 * 0 to 5; 3 the instance id, 4 flexible, 5 protocol type and name, which have to agree. */
#ifndef SL_WIRE_MESSAGES_SYNC_GROUP_H
#define SL_WIRE_MESSAGES_SYNC_GROUP_H

#include "wire/schema.h"

struct sl_sync_group_assignment {
    struct sl_str member_id;
    struct sl_bytes assignment;
};
struct sl_sync_group_request {
    struct sl_str group_id;
    int32_t generation;
    struct sl_str member_id;
    struct sl_str instance_id;   /* or null: a dynamic member */
    struct sl_str protocol_type; /* or null: not checked */
    struct sl_str protocol_name; /* or null: not checked */
    struct sl_array assignments; /* of sl_sync_group_assignment; the leader's alone */
};

struct sl_sync_group_response {
    int32_t throttle_ms;
    int16_t error_code;
    struct sl_str protocol_type; /* or null */
    struct sl_str protocol_name; /* or null */
    struct sl_bytes assignment;  /* empty with an error */
};

extern const struct sl_type sl_sync_group_request_type;
extern const struct sl_type sl_sync_group_response_type;

#endif
