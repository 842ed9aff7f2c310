/* DeleteGroups (key 42): only groups without members. Versions 0 to 3; 2 flexible, 3 error texts. */
#ifndef SL_WIRE_MESSAGES_DELETE_GROUPS_H
#define SL_WIRE_MESSAGES_DELETE_GROUPS_H

#include "wire/schema.h"

struct sl_delete_groups_request {
    struct sl_array group_ids; /* of struct sl_str */
};

struct sl_delete_groups_result {
    struct sl_str group_id;
    int16_t error_code;
    struct sl_str error_message; /* or null */
};
struct sl_delete_groups_response {
    int32_t throttle_ms;
    struct sl_array results; /* of sl_delete_groups_result */
};

extern const struct sl_type sl_delete_groups_request_type;
extern const struct sl_type sl_delete_groups_response_type;

#endif
