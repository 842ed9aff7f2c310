/* OffsetDelete (key 47): forgets offsets that a group has committed. Version 0 alone, never flexible. */
#ifndef SL_WIRE_MESSAGES_OFFSET_DELETE_H
#define SL_WIRE_MESSAGES_OFFSET_DELETE_H

#include "wire/schema.h"

struct sl_offset_delete_topic {
    struct sl_str name;
    struct sl_array partitions; /* of int32_t */
};
struct sl_offset_delete_request {
    struct sl_str group_id;
    struct sl_array topics; /* of sl_offset_delete_topic */
};

struct sl_offset_delete_partition_response {
    int32_t partition;
    int16_t error_code;
};
struct sl_offset_delete_topic_response {
    struct sl_str name;
    struct sl_array partitions; /* of sl_offset_delete_partition_response */
};
struct sl_offset_delete_response {
    int16_t error_code;
    int32_t throttle_ms;
    struct sl_array topics; /* of sl_offset_delete_topic_response */
};

extern const struct sl_type sl_offset_delete_request_type;
extern const struct sl_type sl_offset_delete_response_type;

#endif
