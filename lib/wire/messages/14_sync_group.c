/* Table of SyncGroup, in wire order. */
#include "wire/messages/14_sync_group.h"

static const struct sl_field sync_group_assignment_lines[] = {
    FIELD(sl_sync_group_assignment, member_id, ALWAYS),
    FIELD(sl_sync_group_assignment, assignment, ALWAYS),
};
static const struct sl_type sl_sync_group_assignment_type =
    TYPE(sl_sync_group_assignment, sync_group_assignment_lines);

static const struct sl_field sync_group_request_lines[] = {
    FIELD(sl_sync_group_request, group_id, ALWAYS),
    FIELD(sl_sync_group_request, generation, ALWAYS),
    FIELD(sl_sync_group_request, member_id, ALWAYS),
    NULLABLE(sl_sync_group_request, instance_id, 3, SINCE(3)),
    NULLABLE(sl_sync_group_request, protocol_type, 5, SINCE(5)),
    NULLABLE(sl_sync_group_request, protocol_name, 5, SINCE(5)),
    ARRAY(sl_sync_group_request, assignments, sl_sync_group_assignment, ALWAYS),
};
const struct sl_type sl_sync_group_request_type =
    TYPE(sl_sync_group_request, sync_group_request_lines);

static const struct sl_field sync_group_response_lines[] = {
    FIELD(sl_sync_group_response, throttle_ms, SINCE(1)),
    FIELD(sl_sync_group_response, error_code, ALWAYS),
    NULLABLE(sl_sync_group_response, protocol_type, 5, SINCE(5)),
    NULLABLE(sl_sync_group_response, protocol_name, 5, SINCE(5)),
    FIELD(sl_sync_group_response, assignment, ALWAYS),
};
const struct sl_type sl_sync_group_response_type =
    TYPE(sl_sync_group_response, sync_group_response_lines);
