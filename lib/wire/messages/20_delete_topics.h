/* DeleteTopics (key 20). Versions 1 to 6; 4 flexible, 5 error texts, 6 by name or id, which changes
 * the array. */
#ifndef SL_WIRE_MESSAGES_DELETE_TOPICS_H
#define SL_WIRE_MESSAGES_DELETE_TOPICS_H

#include "wire/schema.h"

struct sl_delete_topics_topic {
    struct sl_str name;      /* null: by id */
    struct sl_uuid topic_id; /* zero: by name */
};
struct sl_delete_topics_request {
    struct sl_array topics;      /* of sl_delete_topics_topic; from version 6 on */
    struct sl_array topic_names; /* of struct sl_str; up to version 5 */
    int32_t timeout_ms;
};

struct sl_delete_topics_topic_response {
    struct sl_str name; /* null for an unknown id, from version 6 on */
    struct sl_uuid topic_id;
    int16_t error_code;
    struct sl_str error_message; /* or null */
};
struct sl_delete_topics_response {
    int32_t throttle_ms;
    struct sl_array topics; /* of sl_delete_topics_topic_response */
};

extern const struct sl_type sl_delete_topics_request_type;
extern const struct sl_type sl_delete_topics_response_type;

#endif
