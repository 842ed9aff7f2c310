/* ListGroups (key 16): the groups that this broker coordinates. Versions 0 to 5; 3 flexible, 4
 * states and a filter by them, 5 types and a filter by them. */
#ifndef SL_WIRE_MESSAGES_LIST_GROUPS_H
#define SL_WIRE_MESSAGES_LIST_GROUPS_H

#include "wire/schema.h"

struct sl_list_groups_request {
    struct sl_array states; /* of struct sl_str; empty: all */
    struct sl_array types;  /* of struct sl_str, "classic", "consumer"; empty: all */
};

struct sl_list_groups_group {
    struct sl_str group_id;
    struct sl_str protocol_type; /* may be empty */
    struct sl_str state;
    struct sl_str type;
};
struct sl_list_groups_response {
    int32_t throttle_ms;
    int16_t error_code;
    struct sl_array groups; /* of sl_list_groups_group */
};

extern const struct sl_type sl_list_groups_request_type;
extern const struct sl_type sl_list_groups_response_type;

#endif
