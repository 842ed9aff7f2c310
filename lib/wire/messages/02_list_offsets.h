/* ListOffsets (key 2): offsets by time. Versions 1 to 11; 2 isolation level, 4 leader epochs,
 * 6 flexible, 7 to 9 and 11 further special timestamps, 10 a time-out. */
#ifndef SL_WIRE_MESSAGES_LIST_OFFSETS_H
#define SL_WIRE_MESSAGES_LIST_OFFSETS_H

#include "wire/schema.h"

/* timestamp: milliseconds, or one of these */
enum {
    SL_LIST_OFFSETS_LATEST = -1,
    SL_LIST_OFFSETS_EARLIEST = -2,
    SL_LIST_OFFSETS_MAX_TIMESTAMP = -3,   /* of the record with the greatest time: version 7 */
    SL_LIST_OFFSETS_EARLIEST_LOCAL = -4,  /* version 8 */
    SL_LIST_OFFSETS_LATEST_TIERED = -5,   /* version 9 */
    SL_LIST_OFFSETS_EARLIEST_PENDING = -6 /* not uploaded yet: version 11 */
};

struct sl_list_offsets_partition {
    int32_t partition;
    int32_t current_leader_epoch; /* -1: not checked */
    int64_t timestamp;
};
struct sl_list_offsets_topic {
    struct sl_str name;
    struct sl_array partitions; /* of sl_list_offsets_partition */
};
struct sl_list_offsets_request {
    int32_t replica_id;     /* -1: a consumer */
    int8_t isolation_level; /* as in Fetch */
    struct sl_array topics; /* of sl_list_offsets_topic */
    int32_t timeout_ms;     /* for brokers that ask a remote storage */
};

struct sl_list_offsets_partition_response {
    int32_t partition;
    int16_t error_code;
    int64_t timestamp;    /* -1: none */
    int64_t offset;       /* -1: no record is that young */
    int32_t leader_epoch; /* -1: not known */
};
struct sl_list_offsets_topic_response {
    struct sl_str name;
    struct sl_array partitions; /* of sl_list_offsets_partition_response */
};
struct sl_list_offsets_response {
    int32_t throttle_ms;
    struct sl_array topics; /* of sl_list_offsets_topic_response */
};

extern const struct sl_type sl_list_offsets_request_type;
extern const struct sl_type sl_list_offsets_response_type;

#endif
