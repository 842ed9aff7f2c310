/* Table of LeaveGroup, in wire order. Up to version 2 the one member is in the message itself. */
#include "wire/messages/13_leave_group.h"

static const struct sl_field leave_group_member_lines[] = {
    FIELD(sl_leave_group_member, member_id, ALWAYS),
    NULLABLE(sl_leave_group_member, instance_id, 3, SINCE(3)),
    NULLABLE(sl_leave_group_member, reason, 5, SINCE(5)),
};
static const struct sl_type sl_leave_group_member_type =
    TYPE(sl_leave_group_member, leave_group_member_lines);

static const struct sl_field leave_group_request_lines[] = {
    FIELD(sl_leave_group_request, group_id, ALWAYS),
    FIELD(sl_leave_group_request, member_id, UNTIL(2)),
    ARRAY(sl_leave_group_request, members, sl_leave_group_member, SINCE(3)),
};
const struct sl_type sl_leave_group_request_type =
    TYPE(sl_leave_group_request, leave_group_request_lines);

static const struct sl_field leave_group_member_response_lines[] = {
    FIELD(sl_leave_group_member_response, member_id, ALWAYS),
    NULLABLE(sl_leave_group_member_response, instance_id, 3, SINCE(3)),
    FIELD(sl_leave_group_member_response, error_code, ALWAYS),
};
static const struct sl_type sl_leave_group_member_response_type =
    TYPE(sl_leave_group_member_response, leave_group_member_response_lines);

static const struct sl_field leave_group_response_lines[] = {
    FIELD(sl_leave_group_response, throttle_ms, SINCE(1)),
    FIELD(sl_leave_group_response, error_code, ALWAYS),
    ARRAY(sl_leave_group_response, members, sl_leave_group_member_response, SINCE(3)),
};
const struct sl_type sl_leave_group_response_type =
    TYPE(sl_leave_group_response, leave_group_response_lines);
