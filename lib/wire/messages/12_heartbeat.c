/* Table of Heartbeat, in wire order. */
#include "wire/messages/12_heartbeat.h"

static const struct sl_field heartbeat_request_lines[] = {
    FIELD(sl_heartbeat_request, group_id, ALWAYS),
    FIELD(sl_heartbeat_request, generation, ALWAYS),
    FIELD(sl_heartbeat_request, member_id, ALWAYS),
    NULLABLE(sl_heartbeat_request, instance_id, 3, SINCE(3)),
};
const struct sl_type sl_heartbeat_request_type =
    TYPE(sl_heartbeat_request, heartbeat_request_lines);

static const struct sl_field heartbeat_response_lines[] = {
    FIELD(sl_heartbeat_response, throttle_ms, SINCE(1)),
    FIELD(sl_heartbeat_response, error_code, ALWAYS),
};
const struct sl_type sl_heartbeat_response_type =
    TYPE(sl_heartbeat_response, heartbeat_response_lines);
