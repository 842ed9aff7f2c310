/* Table of ListOffsets, in wire order. Version 0, with several offsets per partition, is not
 * spoken. The replica id has no default in the protocol; here it is a consumer's. */
#include "wire/messages/02_list_offsets.h"

static const struct sl_field list_offsets_partition_lines[] = {
    FIELD(sl_list_offsets_partition, partition, ALWAYS),
    FIELD(sl_list_offsets_partition, current_leader_epoch, SINCE(4), OTHERWISE(-1)),
    FIELD(sl_list_offsets_partition, timestamp, ALWAYS),
};
static const struct sl_type sl_list_offsets_partition_type =
    TYPE(sl_list_offsets_partition, list_offsets_partition_lines);

static const struct sl_field list_offsets_topic_lines[] = {
    FIELD(sl_list_offsets_topic, name, ALWAYS),
    ARRAY(sl_list_offsets_topic, partitions, sl_list_offsets_partition, ALWAYS),
};
static const struct sl_type sl_list_offsets_topic_type =
    TYPE(sl_list_offsets_topic, list_offsets_topic_lines);

static const struct sl_field list_offsets_request_lines[] = {
    FIELD(sl_list_offsets_request, replica_id, ALWAYS, OTHERWISE(-1)),
    FIELD(sl_list_offsets_request, isolation_level, SINCE(2)),
    ARRAY(sl_list_offsets_request, topics, sl_list_offsets_topic, ALWAYS),
    FIELD(sl_list_offsets_request, timeout_ms, SINCE(10)),
};
const struct sl_type sl_list_offsets_request_type =
    TYPE(sl_list_offsets_request, list_offsets_request_lines);

static const struct sl_field list_offsets_partition_response_lines[] = {
    FIELD(sl_list_offsets_partition_response, partition, ALWAYS),
    FIELD(sl_list_offsets_partition_response, error_code, ALWAYS),
    FIELD(sl_list_offsets_partition_response, timestamp, SINCE(1), OTHERWISE(-1)),
    FIELD(sl_list_offsets_partition_response, offset, SINCE(1), OTHERWISE(-1)),
    FIELD(sl_list_offsets_partition_response, leader_epoch, SINCE(4), OTHERWISE(-1)),
};
static const struct sl_type sl_list_offsets_partition_response_type =
    TYPE(sl_list_offsets_partition_response, list_offsets_partition_response_lines);

static const struct sl_field list_offsets_topic_response_lines[] = {
    FIELD(sl_list_offsets_topic_response, name, ALWAYS),
    ARRAY(sl_list_offsets_topic_response, partitions, sl_list_offsets_partition_response, ALWAYS),
};
static const struct sl_type sl_list_offsets_topic_response_type =
    TYPE(sl_list_offsets_topic_response, list_offsets_topic_response_lines);

static const struct sl_field list_offsets_response_lines[] = {
    FIELD(sl_list_offsets_response, throttle_ms, SINCE(2)),
    ARRAY(sl_list_offsets_response, topics, sl_list_offsets_topic_response, ALWAYS),
};
const struct sl_type sl_list_offsets_response_type =
    TYPE(sl_list_offsets_response, list_offsets_response_lines);
