/* Table of ConsumerGroupHeartbeat, in wire order. */
#include "wire/messages/68_consumer_group_heartbeat.h"

static const struct sl_field consumer_group_heartbeat_topic_lines[] = {
    FIELD(sl_consumer_group_heartbeat_topic, topic_id, ALWAYS),
    LIST(sl_consumer_group_heartbeat_topic, partitions, int32_t, ALWAYS),
};
static const struct sl_type sl_consumer_group_heartbeat_topic_type =
    TYPE(sl_consumer_group_heartbeat_topic, consumer_group_heartbeat_topic_lines);

static const struct sl_field consumer_group_heartbeat_request_lines[] = {
    FIELD(sl_consumer_group_heartbeat_request, group_id, ALWAYS),
    FIELD(sl_consumer_group_heartbeat_request, member_id, ALWAYS),
    FIELD(sl_consumer_group_heartbeat_request, member_epoch, ALWAYS),
    NULLABLE(sl_consumer_group_heartbeat_request, instance_id, 0, ALWAYS),
    NULLABLE(sl_consumer_group_heartbeat_request, rack_id, 0, ALWAYS),
    FIELD(sl_consumer_group_heartbeat_request, rebalance_timeout_ms, ALWAYS, OTHERWISE(-1)),
    NULLABLE_LIST(sl_consumer_group_heartbeat_request, topic_names, struct sl_str, 0, ALWAYS,
                  OTHERWISE(-1)),
    NULLABLE(sl_consumer_group_heartbeat_request, topic_regex, 1, SINCE(1)),
    NULLABLE(sl_consumer_group_heartbeat_request, assignor, 0, ALWAYS),
    NULLABLE_ARRAY(sl_consumer_group_heartbeat_request, owned, sl_consumer_group_heartbeat_topic, 0,
                   ALWAYS, OTHERWISE(-1)),
};
const struct sl_type sl_consumer_group_heartbeat_request_type =
    TYPE(sl_consumer_group_heartbeat_request, consumer_group_heartbeat_request_lines);

static const struct sl_field consumer_group_heartbeat_assignment_lines[] = {
    ARRAY(sl_consumer_group_heartbeat_assignment, topics, sl_consumer_group_heartbeat_topic,
          ALWAYS),
};
static const struct sl_type sl_consumer_group_heartbeat_assignment_type =
    TYPE(sl_consumer_group_heartbeat_assignment, consumer_group_heartbeat_assignment_lines);

static const struct sl_field consumer_group_heartbeat_response_lines[] = {
    FIELD(sl_consumer_group_heartbeat_response, throttle_ms, ALWAYS),
    FIELD(sl_consumer_group_heartbeat_response, error_code, ALWAYS),
    NULLABLE(sl_consumer_group_heartbeat_response, error_message, 0, ALWAYS),
    NULLABLE(sl_consumer_group_heartbeat_response, member_id, 0, ALWAYS),
    FIELD(sl_consumer_group_heartbeat_response, member_epoch, ALWAYS),
    FIELD(sl_consumer_group_heartbeat_response, interval_ms, ALWAYS),
    NULLABLE_STRUCT(sl_consumer_group_heartbeat_response, assignment,
                    sl_consumer_group_heartbeat_assignment, ALWAYS),
};
const struct sl_type sl_consumer_group_heartbeat_response_type =
    TYPE(sl_consumer_group_heartbeat_response, consumer_group_heartbeat_response_lines);
