/* Table of OffsetForLeaderEpoch, in wire order. The default of the replica id is the protocol's own
 * and means a debugging replica: consumers have to set -1. */
#include "wire/messages/23_offset_for_leader_epoch.h"

static const struct sl_field offset_for_leader_epoch_partition_lines[] = {
    FIELD(sl_offset_for_leader_epoch_partition, partition, ALWAYS),
    FIELD(sl_offset_for_leader_epoch_partition, current_leader_epoch, SINCE(2), OTHERWISE(-1)),
    FIELD(sl_offset_for_leader_epoch_partition, leader_epoch, ALWAYS),
};
static const struct sl_type sl_offset_for_leader_epoch_partition_type =
    TYPE(sl_offset_for_leader_epoch_partition, offset_for_leader_epoch_partition_lines);

static const struct sl_field offset_for_leader_epoch_topic_lines[] = {
    FIELD(sl_offset_for_leader_epoch_topic, name, ALWAYS),
    ARRAY(sl_offset_for_leader_epoch_topic, partitions, sl_offset_for_leader_epoch_partition,
          ALWAYS),
};
static const struct sl_type sl_offset_for_leader_epoch_topic_type =
    TYPE(sl_offset_for_leader_epoch_topic, offset_for_leader_epoch_topic_lines);

static const struct sl_field offset_for_leader_epoch_request_lines[] = {
    FIELD(sl_offset_for_leader_epoch_request, replica_id, SINCE(3), OTHERWISE(-2)),
    ARRAY(sl_offset_for_leader_epoch_request, topics, sl_offset_for_leader_epoch_topic, ALWAYS),
};
const struct sl_type sl_offset_for_leader_epoch_request_type =
    TYPE(sl_offset_for_leader_epoch_request, offset_for_leader_epoch_request_lines);

static const struct sl_field offset_for_leader_epoch_partition_response_lines[] = {
    FIELD(sl_offset_for_leader_epoch_partition_response, error_code, ALWAYS),
    FIELD(sl_offset_for_leader_epoch_partition_response, partition, ALWAYS),
    FIELD(sl_offset_for_leader_epoch_partition_response, leader_epoch, SINCE(1), OTHERWISE(-1)),
    FIELD(sl_offset_for_leader_epoch_partition_response, end_offset, ALWAYS, OTHERWISE(-1)),
};
static const struct sl_type sl_offset_for_leader_epoch_partition_response_type =
    TYPE(sl_offset_for_leader_epoch_partition_response,
         offset_for_leader_epoch_partition_response_lines);

static const struct sl_field offset_for_leader_epoch_topic_response_lines[] = {
    FIELD(sl_offset_for_leader_epoch_topic_response, name, ALWAYS),
    ARRAY(sl_offset_for_leader_epoch_topic_response, partitions,
          sl_offset_for_leader_epoch_partition_response, ALWAYS),
};
static const struct sl_type sl_offset_for_leader_epoch_topic_response_type =
    TYPE(sl_offset_for_leader_epoch_topic_response, offset_for_leader_epoch_topic_response_lines);

static const struct sl_field offset_for_leader_epoch_response_lines[] = {
    FIELD(sl_offset_for_leader_epoch_response, throttle_ms, SINCE(2)),
    ARRAY(sl_offset_for_leader_epoch_response, topics, sl_offset_for_leader_epoch_topic_response,
          ALWAYS),
};
const struct sl_type sl_offset_for_leader_epoch_response_type =
    TYPE(sl_offset_for_leader_epoch_response, offset_for_leader_epoch_response_lines);
