/* CreateTopics (key 19). Versions 2 to 7; 4 the broker's defaults by -1, 5 flexible and the
 * configuration comes back, 6 may answer THROTTLING_QUOTA_EXCEEDED, 7 the topic's id. */
#ifndef SL_WIRE_MESSAGES_CREATE_TOPICS_H
#define SL_WIRE_MESSAGES_CREATE_TOPICS_H

#include "wire/schema.h"

struct sl_create_topics_assignment {
    int32_t partition;
    struct sl_array broker_ids; /* of int32_t */
};
struct sl_create_topics_config {
    struct sl_str name;
    struct sl_str value; /* or null */
};
struct sl_create_topics_topic {
    struct sl_str name;
    int32_t partition_count;     /* -1: the broker's default, or assignments are given */
    int16_t replication_factor;  /* the same */
    struct sl_array assignments; /* of sl_create_topics_assignment */
    struct sl_array configs;     /* of sl_create_topics_config */
};
struct sl_create_topics_request {
    struct sl_array topics; /* of sl_create_topics_topic */
    int32_t timeout_ms;
    bool validate_only;
};

struct sl_create_topics_config_response {
    struct sl_str name;
    struct sl_str value; /* or null */
    bool read_only;
    int8_t config_source; /* -1: not known */
    bool is_sensitive;
};
struct sl_create_topics_topic_response {
    struct sl_str name;
    struct sl_uuid topic_id;
    int16_t error_code;
    struct sl_str error_message;     /* or null */
    int16_t topic_config_error_code; /* why configs are missing */
    int32_t partition_count;         /* -1: not told */
    int16_t replication_factor;      /* -1: not told */
    struct sl_array configs;         /* of sl_create_topics_config_response, or null */
};
struct sl_create_topics_response {
    int32_t throttle_ms;
    struct sl_array topics; /* of sl_create_topics_topic_response */
};

extern const struct sl_type sl_create_topics_request_type;
extern const struct sl_type sl_create_topics_response_type;

#endif
