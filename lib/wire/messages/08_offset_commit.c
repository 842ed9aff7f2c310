/* Table of OffsetCommit, in wire order. Versions 0 and 1, with a timestamp per partition, are not
 * spoken. */
#include "wire/messages/08_offset_commit.h"

static const struct sl_field offset_commit_partition_lines[] = {
    FIELD(sl_offset_commit_partition, partition, ALWAYS),
    FIELD(sl_offset_commit_partition, offset, ALWAYS),
    FIELD(sl_offset_commit_partition, leader_epoch, SINCE(6), OTHERWISE(-1)),
    NULLABLE(sl_offset_commit_partition, metadata, 0, ALWAYS),
};
static const struct sl_type sl_offset_commit_partition_type =
    TYPE(sl_offset_commit_partition, offset_commit_partition_lines);

static const struct sl_field offset_commit_topic_lines[] = {
    FIELD(sl_offset_commit_topic, name, UNTIL(9)),
    FIELD(sl_offset_commit_topic, topic_id, SINCE(10)),
    ARRAY(sl_offset_commit_topic, partitions, sl_offset_commit_partition, ALWAYS),
};
static const struct sl_type sl_offset_commit_topic_type =
    TYPE(sl_offset_commit_topic, offset_commit_topic_lines);

static const struct sl_field offset_commit_request_lines[] = {
    FIELD(sl_offset_commit_request, group_id, ALWAYS),
    FIELD(sl_offset_commit_request, generation, SINCE(1), OTHERWISE(-1)),
    FIELD(sl_offset_commit_request, member_id, SINCE(1)),
    NULLABLE(sl_offset_commit_request, instance_id, 7, SINCE(7)),
    FIELD(sl_offset_commit_request, retention_ms, BETWEEN(2, 4), OTHERWISE(-1)),
    ARRAY(sl_offset_commit_request, topics, sl_offset_commit_topic, ALWAYS),
};
const struct sl_type sl_offset_commit_request_type =
    TYPE(sl_offset_commit_request, offset_commit_request_lines);

static const struct sl_field offset_commit_partition_response_lines[] = {
    FIELD(sl_offset_commit_partition_response, partition, ALWAYS),
    FIELD(sl_offset_commit_partition_response, error_code, ALWAYS),
};
static const struct sl_type sl_offset_commit_partition_response_type =
    TYPE(sl_offset_commit_partition_response, offset_commit_partition_response_lines);

static const struct sl_field offset_commit_topic_response_lines[] = {
    FIELD(sl_offset_commit_topic_response, name, UNTIL(9)),
    FIELD(sl_offset_commit_topic_response, topic_id, SINCE(10)),
    ARRAY(sl_offset_commit_topic_response, partitions, sl_offset_commit_partition_response, ALWAYS),
};
static const struct sl_type sl_offset_commit_topic_response_type =
    TYPE(sl_offset_commit_topic_response, offset_commit_topic_response_lines);

static const struct sl_field offset_commit_response_lines[] = {
    FIELD(sl_offset_commit_response, throttle_ms, SINCE(3)),
    ARRAY(sl_offset_commit_response, topics, sl_offset_commit_topic_response, ALWAYS),
};
const struct sl_type sl_offset_commit_response_type =
    TYPE(sl_offset_commit_response, offset_commit_response_lines);
