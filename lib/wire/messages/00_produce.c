/* Table of Produce, in wire order. Versions 0 to 2 took old message sets and are not spoken; the
 * lines start where version 3 does. */
#include "wire/messages/00_produce.h"

static const struct sl_field produce_partition_lines[] = {
    FIELD(sl_produce_partition, partition, ALWAYS),
    NULLABLE(sl_produce_partition, records, 0, ALWAYS),
};
static const struct sl_type sl_produce_partition_type =
    TYPE(sl_produce_partition, produce_partition_lines);

static const struct sl_field produce_topic_lines[] = {
    FIELD(sl_produce_topic, name, UNTIL(12)),
    FIELD(sl_produce_topic, topic_id, SINCE(13)),
    ARRAY(sl_produce_topic, partitions, sl_produce_partition, ALWAYS),
};
static const struct sl_type sl_produce_topic_type = TYPE(sl_produce_topic, produce_topic_lines);

static const struct sl_field produce_request_lines[] = {
    NULLABLE(sl_produce_request, transactional_id, 3, SINCE(3)),
    FIELD(sl_produce_request, acks, ALWAYS),
    FIELD(sl_produce_request, timeout_ms, ALWAYS),
    ARRAY(sl_produce_request, topics, sl_produce_topic, ALWAYS),
};
const struct sl_type sl_produce_request_type = TYPE(sl_produce_request, produce_request_lines);

static const struct sl_field produce_record_error_lines[] = {
    FIELD(sl_produce_record_error, batch_index, ALWAYS),
    NULLABLE(sl_produce_record_error, message, 8, ALWAYS),
};
static const struct sl_type sl_produce_record_error_type =
    TYPE(sl_produce_record_error, produce_record_error_lines);

static const struct sl_field produce_partition_response_lines[] = {
    FIELD(sl_produce_partition_response, partition, ALWAYS),
    FIELD(sl_produce_partition_response, error_code, ALWAYS),
    FIELD(sl_produce_partition_response, base_offset, ALWAYS),
    FIELD(sl_produce_partition_response, log_append_ms, SINCE(2), OTHERWISE(-1)),
    FIELD(sl_produce_partition_response, log_start_offset, SINCE(5), OTHERWISE(-1)),
    ARRAY(sl_produce_partition_response, record_errors, sl_produce_record_error, SINCE(8)),
    NULLABLE(sl_produce_partition_response, error_message, 8, SINCE(8)),
    STRUCT(sl_produce_partition_response, current_leader, sl_leader_hint, TAGGED(0, 10)),
};
static const struct sl_type sl_produce_partition_response_type =
    TYPE(sl_produce_partition_response, produce_partition_response_lines);

static const struct sl_field produce_topic_response_lines[] = {
    FIELD(sl_produce_topic_response, name, UNTIL(12)),
    FIELD(sl_produce_topic_response, topic_id, SINCE(13)),
    ARRAY(sl_produce_topic_response, partitions, sl_produce_partition_response, ALWAYS),
};
static const struct sl_type sl_produce_topic_response_type =
    TYPE(sl_produce_topic_response, produce_topic_response_lines);

static const struct sl_field produce_response_lines[] = {
    ARRAY(sl_produce_response, topics, sl_produce_topic_response, ALWAYS),
    FIELD(sl_produce_response, throttle_ms, SINCE(1)),
    ARRAY(sl_produce_response, node_endpoints, sl_node_endpoint, TAGGED(0, 10)),
};
const struct sl_type sl_produce_response_type = TYPE(sl_produce_response, produce_response_lines);
