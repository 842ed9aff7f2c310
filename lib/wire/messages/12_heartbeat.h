/* Heartbeat (key 12): says that a member of the classic protocol is alive. Versions 0 to 4; 3 the
 * instance id, 4 flexible. */
#ifndef SL_WIRE_MESSAGES_HEARTBEAT_H
#define SL_WIRE_MESSAGES_HEARTBEAT_H

#include "wire/schema.h"

struct sl_heartbeat_request {
    struct sl_str group_id;
    int32_t generation;
    struct sl_str member_id;
    struct sl_str instance_id; /* or null: a dynamic member */
};
struct sl_heartbeat_response {
    int32_t throttle_ms;
    int16_t error_code;
};

extern const struct sl_type sl_heartbeat_request_type;
extern const struct sl_type sl_heartbeat_response_type;

#endif
