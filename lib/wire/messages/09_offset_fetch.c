/* Table of OffsetFetch, in wire order. Up to version 7 one group is asked for and answered in the
 * message itself; from version 8 on there is a list of groups. The structs of topics and partitions
 * serve both shapes. Version 0, which read from ZooKeeper, is not spoken. */
#include "wire/messages/09_offset_fetch.h"

static const struct sl_field offset_fetch_topic_lines[] = {
    FIELD(sl_offset_fetch_topic, name, UNTIL(9)),
    FIELD(sl_offset_fetch_topic, topic_id, SINCE(10)),
    LIST(sl_offset_fetch_topic, partitions, int32_t, ALWAYS),
};
static const struct sl_type sl_offset_fetch_topic_type =
    TYPE(sl_offset_fetch_topic, offset_fetch_topic_lines);

static const struct sl_field offset_fetch_group_lines[] = {
    FIELD(sl_offset_fetch_group, group_id, ALWAYS),
    NULLABLE(sl_offset_fetch_group, member_id, 9, SINCE(9)),
    FIELD(sl_offset_fetch_group, member_epoch, SINCE(9), OTHERWISE(-1)),
    NULLABLE_ARRAY(sl_offset_fetch_group, topics, sl_offset_fetch_topic, 8, ALWAYS),
};
static const struct sl_type sl_offset_fetch_group_type =
    TYPE(sl_offset_fetch_group, offset_fetch_group_lines);

static const struct sl_field offset_fetch_request_lines[] = {
    FIELD(sl_offset_fetch_request, group_id, UNTIL(7)),
    NULLABLE_ARRAY(sl_offset_fetch_request, topics, sl_offset_fetch_topic, 2, UNTIL(7)),
    ARRAY(sl_offset_fetch_request, groups, sl_offset_fetch_group, SINCE(8)),
    FIELD(sl_offset_fetch_request, require_stable, SINCE(7)),
};
const struct sl_type sl_offset_fetch_request_type =
    TYPE(sl_offset_fetch_request, offset_fetch_request_lines);

static const struct sl_field offset_fetch_partition_response_lines[] = {
    FIELD(sl_offset_fetch_partition_response, partition, ALWAYS),
    FIELD(sl_offset_fetch_partition_response, offset, ALWAYS),
    FIELD(sl_offset_fetch_partition_response, leader_epoch, SINCE(5), OTHERWISE(-1)),
    NULLABLE(sl_offset_fetch_partition_response, metadata, 0, ALWAYS),
    FIELD(sl_offset_fetch_partition_response, error_code, ALWAYS),
};
static const struct sl_type sl_offset_fetch_partition_response_type =
    TYPE(sl_offset_fetch_partition_response, offset_fetch_partition_response_lines);

static const struct sl_field offset_fetch_topic_response_lines[] = {
    FIELD(sl_offset_fetch_topic_response, name, UNTIL(9)),
    FIELD(sl_offset_fetch_topic_response, topic_id, SINCE(10)),
    ARRAY(sl_offset_fetch_topic_response, partitions, sl_offset_fetch_partition_response, ALWAYS),
};
static const struct sl_type sl_offset_fetch_topic_response_type =
    TYPE(sl_offset_fetch_topic_response, offset_fetch_topic_response_lines);

static const struct sl_field offset_fetch_group_response_lines[] = {
    FIELD(sl_offset_fetch_group_response, group_id, ALWAYS),
    ARRAY(sl_offset_fetch_group_response, topics, sl_offset_fetch_topic_response, ALWAYS),
    FIELD(sl_offset_fetch_group_response, error_code, ALWAYS),
};
static const struct sl_type sl_offset_fetch_group_response_type =
    TYPE(sl_offset_fetch_group_response, offset_fetch_group_response_lines);

static const struct sl_field offset_fetch_response_lines[] = {
    FIELD(sl_offset_fetch_response, throttle_ms, SINCE(3)),
    ARRAY(sl_offset_fetch_response, topics, sl_offset_fetch_topic_response, UNTIL(7)),
    FIELD(sl_offset_fetch_response, error_code, BETWEEN(2, 7)),
    ARRAY(sl_offset_fetch_response, groups, sl_offset_fetch_group_response, SINCE(8)),
};
const struct sl_type sl_offset_fetch_response_type =
    TYPE(sl_offset_fetch_response, offset_fetch_response_lines);
