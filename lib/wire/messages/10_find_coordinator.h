/* FindCoordinator (key 10): the broker for a group or a transactional id. Versions 0 to 6; 1 key
 * type, 3 flexible, 4 several keys at once with another shape of answer, 6 share groups. */
#ifndef SL_WIRE_MESSAGES_FIND_COORDINATOR_H
#define SL_WIRE_MESSAGES_FIND_COORDINATOR_H

#include "wire/schema.h"

/* key_type */
enum {
    SL_FIND_COORDINATOR_GROUP = 0,
    SL_FIND_COORDINATOR_TRANSACTION = 1,
    SL_FIND_COORDINATOR_SHARE = 2
};

struct sl_find_coordinator_request {
    struct sl_str key; /* up to version 3 */
    int8_t key_type;
    struct sl_array keys; /* of struct sl_str; from version 4 on */
};

struct sl_find_coordinator_result {
    struct sl_str key;
    int32_t node_id; /* -1 with an error */
    struct sl_str host;
    int32_t port;
    int16_t error_code;
    struct sl_str error_message; /* or null */
};
struct sl_find_coordinator_response {
    int32_t throttle_ms;
    int16_t error_code;          /* this and the next four: up to version 3 */
    struct sl_str error_message; /* or null */
    int32_t node_id;
    struct sl_str host;
    int32_t port;
    struct sl_array coordinators; /* of sl_find_coordinator_result; from version 4 on */
};

extern const struct sl_type sl_find_coordinator_request_type;
extern const struct sl_type sl_find_coordinator_response_type;

#endif
