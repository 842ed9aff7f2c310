/* Table of Metadata, in wire order. A topic list that is null asks for all topics from version 1
 * on; version 0 has no null and asks for all with an empty list. */
#include "wire/messages/03_metadata.h"

static const struct sl_field metadata_topic_lines[] = {
    FIELD(sl_metadata_topic, topic_id, SINCE(10)),
    NULLABLE(sl_metadata_topic, name, 10, ALWAYS),
};
static const struct sl_type sl_metadata_topic_type = TYPE(sl_metadata_topic, metadata_topic_lines);

static const struct sl_field metadata_request_lines[] = {
    NULLABLE_ARRAY(sl_metadata_request, topics, sl_metadata_topic, 1, ALWAYS),
    FIELD(sl_metadata_request, allow_auto_topic_creation, SINCE(4), OTHERWISE(true)),
    FIELD(sl_metadata_request, include_cluster_authorized_operations, BETWEEN(8, 10)),
    FIELD(sl_metadata_request, include_topic_authorized_operations, SINCE(8)),
};
const struct sl_type sl_metadata_request_type = TYPE(sl_metadata_request, metadata_request_lines);

static const struct sl_field metadata_broker_lines[] = {
    FIELD(sl_metadata_broker, node_id, ALWAYS),
    FIELD(sl_metadata_broker, host, ALWAYS),
    FIELD(sl_metadata_broker, port, ALWAYS),
    NULLABLE(sl_metadata_broker, rack, 1, SINCE(1)),
};
static const struct sl_type sl_metadata_broker_type =
    TYPE(sl_metadata_broker, metadata_broker_lines);

static const struct sl_field metadata_partition_response_lines[] = {
    FIELD(sl_metadata_partition_response, error_code, ALWAYS),
    FIELD(sl_metadata_partition_response, partition, ALWAYS),
    FIELD(sl_metadata_partition_response, leader_id, ALWAYS),
    FIELD(sl_metadata_partition_response, leader_epoch, SINCE(7), OTHERWISE(-1)),
    LIST(sl_metadata_partition_response, replica_nodes, int32_t, ALWAYS),
    LIST(sl_metadata_partition_response, isr_nodes, int32_t, ALWAYS),
    LIST(sl_metadata_partition_response, offline_replicas, int32_t, SINCE(5)),
};
static const struct sl_type sl_metadata_partition_response_type =
    TYPE(sl_metadata_partition_response, metadata_partition_response_lines);

static const struct sl_field metadata_topic_response_lines[] = {
    FIELD(sl_metadata_topic_response, error_code, ALWAYS),
    NULLABLE(sl_metadata_topic_response, name, 12, ALWAYS),
    FIELD(sl_metadata_topic_response, topic_id, SINCE(10)),
    FIELD(sl_metadata_topic_response, is_internal, SINCE(1)),
    ARRAY(sl_metadata_topic_response, partitions, sl_metadata_partition_response, ALWAYS),
    FIELD(sl_metadata_topic_response, authorized_operations, SINCE(8), OTHERWISE(INT32_MIN)),
};
static const struct sl_type sl_metadata_topic_response_type =
    TYPE(sl_metadata_topic_response, metadata_topic_response_lines);

static const struct sl_field metadata_response_lines[] = {
    FIELD(sl_metadata_response, throttle_ms, SINCE(3)),
    ARRAY(sl_metadata_response, brokers, sl_metadata_broker, ALWAYS),
    NULLABLE(sl_metadata_response, cluster_id, 2, SINCE(2)),
    FIELD(sl_metadata_response, controller_id, SINCE(1), OTHERWISE(-1)),
    ARRAY(sl_metadata_response, topics, sl_metadata_topic_response, ALWAYS),
    FIELD(sl_metadata_response, cluster_authorized_operations, BETWEEN(8, 10),
          OTHERWISE(INT32_MIN)),
    FIELD(sl_metadata_response, error_code, SINCE(13)),
};
const struct sl_type sl_metadata_response_type =
    TYPE(sl_metadata_response, metadata_response_lines);
