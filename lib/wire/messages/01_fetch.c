/* Table of Fetch, in wire order. What only replicas send is here too: a consumer says -1 in some of
 * it, and a tag is only read as what it is when the table knows it. */
#include "wire/messages/01_fetch.h"

static const struct sl_field fetch_replica_state_lines[] = {
    FIELD(sl_fetch_replica_state, replica_id, ALWAYS, OTHERWISE(-1)),
    FIELD(sl_fetch_replica_state, replica_epoch, ALWAYS, OTHERWISE(-1)),
};
static const struct sl_type sl_fetch_replica_state_type =
    TYPE(sl_fetch_replica_state, fetch_replica_state_lines);

static const struct sl_field fetch_partition_lines[] = {
    FIELD(sl_fetch_partition, partition, ALWAYS),
    FIELD(sl_fetch_partition, current_leader_epoch, SINCE(9), OTHERWISE(-1)),
    FIELD(sl_fetch_partition, fetch_offset, ALWAYS),
    FIELD(sl_fetch_partition, last_fetched_epoch, SINCE(12), OTHERWISE(-1)),
    FIELD(sl_fetch_partition, log_start_offset, SINCE(5), OTHERWISE(-1)),
    FIELD(sl_fetch_partition, partition_max_bytes, ALWAYS),
    FIELD(sl_fetch_partition, replica_directory_id, TAGGED(0, 17)),
    FIELD(sl_fetch_partition, high_watermark, TAGGED(1, 18), OTHERWISE(INT64_MAX)),
};
static const struct sl_type sl_fetch_partition_type =
    TYPE(sl_fetch_partition, fetch_partition_lines);

static const struct sl_field fetch_topic_lines[] = {
    FIELD(sl_fetch_topic, name, UNTIL(12)),
    FIELD(sl_fetch_topic, topic_id, SINCE(13)),
    ARRAY(sl_fetch_topic, partitions, sl_fetch_partition, ALWAYS),
};
static const struct sl_type sl_fetch_topic_type = TYPE(sl_fetch_topic, fetch_topic_lines);

static const struct sl_field fetch_forgotten_topic_lines[] = {
    FIELD(sl_fetch_forgotten_topic, name, UNTIL(12)),
    FIELD(sl_fetch_forgotten_topic, topic_id, SINCE(13)),
    LIST(sl_fetch_forgotten_topic, partitions, int32_t, ALWAYS),
};
static const struct sl_type sl_fetch_forgotten_topic_type =
    TYPE(sl_fetch_forgotten_topic, fetch_forgotten_topic_lines);

static const struct sl_field fetch_request_lines[] = {
    NULLABLE(sl_fetch_request, cluster_id, 12, TAGGED(0, 12)),
    FIELD(sl_fetch_request, replica_id, UNTIL(14), OTHERWISE(-1)),
    STRUCT(sl_fetch_request, replica_state, sl_fetch_replica_state, TAGGED(1, 15)),
    FIELD(sl_fetch_request, max_wait_ms, ALWAYS),
    FIELD(sl_fetch_request, min_bytes, ALWAYS),
    FIELD(sl_fetch_request, max_bytes, SINCE(3), OTHERWISE(INT32_MAX)),
    FIELD(sl_fetch_request, isolation_level, SINCE(4)),
    FIELD(sl_fetch_request, session_id, SINCE(7)),
    FIELD(sl_fetch_request, session_epoch, SINCE(7), OTHERWISE(-1)),
    ARRAY(sl_fetch_request, topics, sl_fetch_topic, ALWAYS),
    ARRAY(sl_fetch_request, forgotten_topics, sl_fetch_forgotten_topic, SINCE(7)),
    FIELD(sl_fetch_request, rack_id, SINCE(11)),
};
const struct sl_type sl_fetch_request_type = TYPE(sl_fetch_request, fetch_request_lines);

static const struct sl_field fetch_epoch_end_lines[] = {
    FIELD(sl_fetch_epoch_end, epoch, ALWAYS, OTHERWISE(-1)),
    FIELD(sl_fetch_epoch_end, end_offset, ALWAYS, OTHERWISE(-1)),
};
static const struct sl_type sl_fetch_epoch_end_type =
    TYPE(sl_fetch_epoch_end, fetch_epoch_end_lines);

static const struct sl_field fetch_snapshot_id_lines[] = {
    FIELD(sl_fetch_snapshot_id, end_offset, ALWAYS, OTHERWISE(-1)),
    FIELD(sl_fetch_snapshot_id, epoch, ALWAYS, OTHERWISE(-1)),
};
static const struct sl_type sl_fetch_snapshot_id_type =
    TYPE(sl_fetch_snapshot_id, fetch_snapshot_id_lines);

static const struct sl_field fetch_aborted_transaction_lines[] = {
    FIELD(sl_fetch_aborted_transaction, producer_id, ALWAYS),
    FIELD(sl_fetch_aborted_transaction, first_offset, ALWAYS),
};
static const struct sl_type sl_fetch_aborted_transaction_type =
    TYPE(sl_fetch_aborted_transaction, fetch_aborted_transaction_lines);

static const struct sl_field fetch_partition_response_lines[] = {
    FIELD(sl_fetch_partition_response, partition, ALWAYS),
    FIELD(sl_fetch_partition_response, error_code, ALWAYS),
    FIELD(sl_fetch_partition_response, high_watermark, ALWAYS),
    FIELD(sl_fetch_partition_response, last_stable_offset, SINCE(4), OTHERWISE(-1)),
    FIELD(sl_fetch_partition_response, log_start_offset, SINCE(5), OTHERWISE(-1)),
    STRUCT(sl_fetch_partition_response, diverging_epoch, sl_fetch_epoch_end, TAGGED(0, 12)),
    STRUCT(sl_fetch_partition_response, current_leader, sl_leader_hint, TAGGED(1, 12)),
    STRUCT(sl_fetch_partition_response, snapshot_id, sl_fetch_snapshot_id, TAGGED(2, 12)),
    NULLABLE_ARRAY(sl_fetch_partition_response, aborted_transactions, sl_fetch_aborted_transaction,
                   4, SINCE(4)),
    FIELD(sl_fetch_partition_response, preferred_read_replica, SINCE(11), OTHERWISE(-1)),
    NULLABLE(sl_fetch_partition_response, records, 0, ALWAYS),
};
static const struct sl_type sl_fetch_partition_response_type =
    TYPE(sl_fetch_partition_response, fetch_partition_response_lines);

static const struct sl_field fetch_topic_response_lines[] = {
    FIELD(sl_fetch_topic_response, name, UNTIL(12)),
    FIELD(sl_fetch_topic_response, topic_id, SINCE(13)),
    ARRAY(sl_fetch_topic_response, partitions, sl_fetch_partition_response, ALWAYS),
};
static const struct sl_type sl_fetch_topic_response_type =
    TYPE(sl_fetch_topic_response, fetch_topic_response_lines);

static const struct sl_field fetch_response_lines[] = {
    FIELD(sl_fetch_response, throttle_ms, SINCE(1)),
    FIELD(sl_fetch_response, error_code, SINCE(7)),
    FIELD(sl_fetch_response, session_id, SINCE(7)),
    ARRAY(sl_fetch_response, topics, sl_fetch_topic_response, ALWAYS),
    ARRAY(sl_fetch_response, node_endpoints, sl_node_endpoint, TAGGED(0, 16)),
};
const struct sl_type sl_fetch_response_type = TYPE(sl_fetch_response, fetch_response_lines);
