/* OffsetForLeaderEpoch (key 23): where an epoch ends in the leader's log; finds truncation.
 * Versions 2 to 4; 3 replica id, 4 flexible. */
#ifndef SL_WIRE_MESSAGES_OFFSET_FOR_LEADER_EPOCH_H
#define SL_WIRE_MESSAGES_OFFSET_FOR_LEADER_EPOCH_H

#include "wire/schema.h"

struct sl_offset_for_leader_epoch_partition {
    int32_t partition;
    int32_t current_leader_epoch; /* -1: not checked */
    int32_t leader_epoch;         /* the one whose end is asked for */
};
struct sl_offset_for_leader_epoch_topic {
    struct sl_str name;
    struct sl_array partitions; /* of sl_offset_for_leader_epoch_partition */
};
struct sl_offset_for_leader_epoch_request {
    int32_t replica_id;     /* consumers set -1; the default -2 is a debugging replica */
    struct sl_array topics; /* of sl_offset_for_leader_epoch_topic */
};

struct sl_offset_for_leader_epoch_partition_response {
    int16_t error_code;
    int32_t partition;
    int32_t leader_epoch; /* the greatest not above the one asked for; -1: none */
    int64_t end_offset;   /* -1: none */
};
struct sl_offset_for_leader_epoch_topic_response {
    struct sl_str name;
    struct sl_array partitions; /* of sl_offset_for_leader_epoch_partition_response */
};
struct sl_offset_for_leader_epoch_response {
    int32_t throttle_ms;
    struct sl_array topics; /* of sl_offset_for_leader_epoch_topic_response */
};

extern const struct sl_type sl_offset_for_leader_epoch_request_type;
extern const struct sl_type sl_offset_for_leader_epoch_response_type;

#endif
