/* Table of JoinGroup, in wire order. */
#include "wire/messages/11_join_group.h"

static const struct sl_field join_group_protocol_lines[] = {
    FIELD(sl_join_group_protocol, name, ALWAYS),
    FIELD(sl_join_group_protocol, metadata, ALWAYS),
};
static const struct sl_type sl_join_group_protocol_type =
    TYPE(sl_join_group_protocol, join_group_protocol_lines);

static const struct sl_field join_group_request_lines[] = {
    FIELD(sl_join_group_request, group_id, ALWAYS),
    FIELD(sl_join_group_request, session_timeout_ms, ALWAYS),
    FIELD(sl_join_group_request, rebalance_timeout_ms, SINCE(1), OTHERWISE(-1)),
    FIELD(sl_join_group_request, member_id, ALWAYS),
    NULLABLE(sl_join_group_request, instance_id, 5, SINCE(5)),
    FIELD(sl_join_group_request, protocol_type, ALWAYS),
    ARRAY(sl_join_group_request, protocols, sl_join_group_protocol, ALWAYS),
    NULLABLE(sl_join_group_request, reason, 8, SINCE(8)),
};
const struct sl_type sl_join_group_request_type =
    TYPE(sl_join_group_request, join_group_request_lines);

static const struct sl_field join_group_member_lines[] = {
    FIELD(sl_join_group_member, member_id, ALWAYS),
    NULLABLE(sl_join_group_member, instance_id, 5, SINCE(5)),
    FIELD(sl_join_group_member, metadata, ALWAYS),
};
static const struct sl_type sl_join_group_member_type =
    TYPE(sl_join_group_member, join_group_member_lines);

static const struct sl_field join_group_response_lines[] = {
    FIELD(sl_join_group_response, throttle_ms, SINCE(2)),
    FIELD(sl_join_group_response, error_code, ALWAYS),
    FIELD(sl_join_group_response, generation, ALWAYS, OTHERWISE(-1)),
    NULLABLE(sl_join_group_response, protocol_type, 7, SINCE(7)),
    NULLABLE(sl_join_group_response, protocol_name, 7, ALWAYS),
    FIELD(sl_join_group_response, leader, ALWAYS),
    FIELD(sl_join_group_response, skip_assignment, SINCE(9)),
    FIELD(sl_join_group_response, member_id, ALWAYS),
    ARRAY(sl_join_group_response, members, sl_join_group_member, ALWAYS),
};
const struct sl_type sl_join_group_response_type =
    TYPE(sl_join_group_response, join_group_response_lines);
