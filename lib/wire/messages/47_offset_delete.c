/* Table of OffsetDelete, in wire order. */
#include "wire/messages/47_offset_delete.h"

static const struct sl_field offset_delete_topic_lines[] = {
    FIELD(sl_offset_delete_topic, name, ALWAYS),
    LIST(sl_offset_delete_topic, partitions, int32_t, ALWAYS),
};
static const struct sl_type sl_offset_delete_topic_type =
    TYPE(sl_offset_delete_topic, offset_delete_topic_lines);

static const struct sl_field offset_delete_request_lines[] = {
    FIELD(sl_offset_delete_request, group_id, ALWAYS),
    ARRAY(sl_offset_delete_request, topics, sl_offset_delete_topic, ALWAYS),
};
const struct sl_type sl_offset_delete_request_type =
    TYPE(sl_offset_delete_request, offset_delete_request_lines);

static const struct sl_field offset_delete_partition_response_lines[] = {
    FIELD(sl_offset_delete_partition_response, partition, ALWAYS),
    FIELD(sl_offset_delete_partition_response, error_code, ALWAYS),
};
static const struct sl_type sl_offset_delete_partition_response_type =
    TYPE(sl_offset_delete_partition_response, offset_delete_partition_response_lines);

static const struct sl_field offset_delete_topic_response_lines[] = {
    FIELD(sl_offset_delete_topic_response, name, ALWAYS),
    ARRAY(sl_offset_delete_topic_response, partitions, sl_offset_delete_partition_response, ALWAYS),
};
static const struct sl_type sl_offset_delete_topic_response_type =
    TYPE(sl_offset_delete_topic_response, offset_delete_topic_response_lines);

static const struct sl_field offset_delete_response_lines[] = {
    FIELD(sl_offset_delete_response, error_code, ALWAYS),
    FIELD(sl_offset_delete_response, throttle_ms, ALWAYS),
    ARRAY(sl_offset_delete_response, topics, sl_offset_delete_topic_response, ALWAYS),
};
const struct sl_type sl_offset_delete_response_type =
    TYPE(sl_offset_delete_response, offset_delete_response_lines);
