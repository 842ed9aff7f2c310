/* OffsetCommit (key 8): keeps offsets for a group. Versions 2 to 10; 5 without a retention time, 6
 * leader epochs, 7 the instance id, 8 flexible, 9 members of KIP-848, 10 topic ids. */
#ifndef SL_WIRE_MESSAGES_OFFSET_COMMIT_H
#define SL_WIRE_MESSAGES_OFFSET_COMMIT_H

#include "wire/schema.h"

struct sl_offset_commit_partition {
    int32_t partition;
    int64_t offset;         /* of the next record to read */
    int32_t leader_epoch;   /* of the last record read; -1: not known */
    struct sl_str metadata; /* the application's, or null */
};
struct sl_offset_commit_topic {
    struct sl_str name;         /* up to version 9 */
    struct sl_uuid topic_id;    /* from version 10 on */
    struct sl_array partitions; /* of sl_offset_commit_partition */
};
struct sl_offset_commit_request {
    struct sl_str group_id;
    int32_t generation;        /* or the member epoch of KIP-848; -1: not a member */
    struct sl_str member_id;   /* empty: not a member */
    struct sl_str instance_id; /* or null: a dynamic member */
    int64_t retention_ms;      /* -1: the broker's */
    struct sl_array topics;    /* of sl_offset_commit_topic */
};

struct sl_offset_commit_partition_response {
    int32_t partition;
    int16_t error_code;
};
struct sl_offset_commit_topic_response {
    struct sl_str name;         /* up to version 9 */
    struct sl_uuid topic_id;    /* from version 10 on */
    struct sl_array partitions; /* of sl_offset_commit_partition_response */
};
struct sl_offset_commit_response {
    int32_t throttle_ms;
    struct sl_array topics; /* of sl_offset_commit_topic_response */
};

extern const struct sl_type sl_offset_commit_request_type;
extern const struct sl_type sl_offset_commit_response_type;

#endif
