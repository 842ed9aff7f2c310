/* Table of ConsumerGroupDescribe, in wire order. */
#include "wire/messages/69_consumer_group_describe.h"

static const struct sl_field consumer_group_describe_request_lines[] = {
    LIST(sl_consumer_group_describe_request, group_ids, struct sl_str, ALWAYS),
    FIELD(sl_consumer_group_describe_request, include_authorized_operations, ALWAYS),
};
const struct sl_type sl_consumer_group_describe_request_type =
    TYPE(sl_consumer_group_describe_request, consumer_group_describe_request_lines);

static const struct sl_field consumer_group_describe_topic_lines[] = {
    FIELD(sl_consumer_group_describe_topic, topic_id, ALWAYS),
    FIELD(sl_consumer_group_describe_topic, name, ALWAYS),
    LIST(sl_consumer_group_describe_topic, partitions, int32_t, ALWAYS),
};
static const struct sl_type sl_consumer_group_describe_topic_type =
    TYPE(sl_consumer_group_describe_topic, consumer_group_describe_topic_lines);

static const struct sl_field consumer_group_describe_assignment_lines[] = {
    ARRAY(sl_consumer_group_describe_assignment, topics, sl_consumer_group_describe_topic, ALWAYS),
};
static const struct sl_type sl_consumer_group_describe_assignment_type =
    TYPE(sl_consumer_group_describe_assignment, consumer_group_describe_assignment_lines);

static const struct sl_field consumer_group_describe_member_lines[] = {
    FIELD(sl_consumer_group_describe_member, member_id, ALWAYS),
    NULLABLE(sl_consumer_group_describe_member, instance_id, 0, ALWAYS),
    NULLABLE(sl_consumer_group_describe_member, rack_id, 0, ALWAYS),
    FIELD(sl_consumer_group_describe_member, member_epoch, ALWAYS),
    FIELD(sl_consumer_group_describe_member, client_id, ALWAYS),
    FIELD(sl_consumer_group_describe_member, client_host, ALWAYS),
    LIST(sl_consumer_group_describe_member, topic_names, struct sl_str, ALWAYS),
    NULLABLE(sl_consumer_group_describe_member, topic_regex, 0, ALWAYS),
    STRUCT(sl_consumer_group_describe_member, assignment, sl_consumer_group_describe_assignment,
           ALWAYS),
    STRUCT(sl_consumer_group_describe_member, target, sl_consumer_group_describe_assignment,
           ALWAYS),
    FIELD(sl_consumer_group_describe_member, member_type, SINCE(1), OTHERWISE(-1)),
};
static const struct sl_type sl_consumer_group_describe_member_type =
    TYPE(sl_consumer_group_describe_member, consumer_group_describe_member_lines);

static const struct sl_field consumer_group_describe_group_lines[] = {
    FIELD(sl_consumer_group_describe_group, error_code, ALWAYS),
    NULLABLE(sl_consumer_group_describe_group, error_message, 0, ALWAYS),
    FIELD(sl_consumer_group_describe_group, group_id, ALWAYS),
    FIELD(sl_consumer_group_describe_group, state, ALWAYS),
    FIELD(sl_consumer_group_describe_group, group_epoch, ALWAYS),
    FIELD(sl_consumer_group_describe_group, assignment_epoch, ALWAYS),
    FIELD(sl_consumer_group_describe_group, assignor, ALWAYS),
    ARRAY(sl_consumer_group_describe_group, members, sl_consumer_group_describe_member, ALWAYS),
    FIELD(sl_consumer_group_describe_group, authorized_operations, ALWAYS, OTHERWISE(INT32_MIN)),
};
static const struct sl_type sl_consumer_group_describe_group_type =
    TYPE(sl_consumer_group_describe_group, consumer_group_describe_group_lines);

static const struct sl_field consumer_group_describe_response_lines[] = {
    FIELD(sl_consumer_group_describe_response, throttle_ms, ALWAYS),
    ARRAY(sl_consumer_group_describe_response, groups, sl_consumer_group_describe_group, ALWAYS),
};
const struct sl_type sl_consumer_group_describe_response_type =
    TYPE(sl_consumer_group_describe_response, consumer_group_describe_response_lines);
