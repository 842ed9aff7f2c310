/* Table of DescribeGroups, in wire order. */
#include "wire/messages/15_describe_groups.h"

static const struct sl_field describe_groups_request_lines[] = {
    LIST(sl_describe_groups_request, group_ids, struct sl_str, ALWAYS),
    FIELD(sl_describe_groups_request, include_authorized_operations, SINCE(3)),
};
const struct sl_type sl_describe_groups_request_type =
    TYPE(sl_describe_groups_request, describe_groups_request_lines);

static const struct sl_field describe_groups_member_lines[] = {
    FIELD(sl_describe_groups_member, member_id, ALWAYS),
    NULLABLE(sl_describe_groups_member, instance_id, 4, SINCE(4)),
    FIELD(sl_describe_groups_member, client_id, ALWAYS),
    FIELD(sl_describe_groups_member, client_host, ALWAYS),
    FIELD(sl_describe_groups_member, metadata, ALWAYS),
    FIELD(sl_describe_groups_member, assignment, ALWAYS),
};
static const struct sl_type sl_describe_groups_member_type =
    TYPE(sl_describe_groups_member, describe_groups_member_lines);

static const struct sl_field describe_groups_group_lines[] = {
    FIELD(sl_describe_groups_group, error_code, ALWAYS),
    NULLABLE(sl_describe_groups_group, error_message, 6, SINCE(6)),
    FIELD(sl_describe_groups_group, group_id, ALWAYS),
    FIELD(sl_describe_groups_group, state, ALWAYS),
    FIELD(sl_describe_groups_group, protocol_type, ALWAYS),
    FIELD(sl_describe_groups_group, protocol, ALWAYS),
    ARRAY(sl_describe_groups_group, members, sl_describe_groups_member, ALWAYS),
    FIELD(sl_describe_groups_group, authorized_operations, SINCE(3), OTHERWISE(INT32_MIN)),
};
static const struct sl_type sl_describe_groups_group_type =
    TYPE(sl_describe_groups_group, describe_groups_group_lines);

static const struct sl_field describe_groups_response_lines[] = {
    FIELD(sl_describe_groups_response, throttle_ms, SINCE(1)),
    ARRAY(sl_describe_groups_response, groups, sl_describe_groups_group, ALWAYS),
};
const struct sl_type sl_describe_groups_response_type =
    TYPE(sl_describe_groups_response, describe_groups_response_lines);
