/* Table of FindCoordinator, in wire order. Up to version 3 one key is asked for and answered in the
 * message itself; from version 4 on there is a list of keys and a list of answers. */
#include "wire/messages/10_find_coordinator.h"

static const struct sl_field find_coordinator_request_lines[] = {
    FIELD(sl_find_coordinator_request, key, UNTIL(3)),
    FIELD(sl_find_coordinator_request, key_type, SINCE(1)),
    LIST(sl_find_coordinator_request, keys, struct sl_str, SINCE(4)),
};
const struct sl_type sl_find_coordinator_request_type =
    TYPE(sl_find_coordinator_request, find_coordinator_request_lines);

static const struct sl_field find_coordinator_result_lines[] = {
    FIELD(sl_find_coordinator_result, key, ALWAYS),
    FIELD(sl_find_coordinator_result, node_id, ALWAYS),
    FIELD(sl_find_coordinator_result, host, ALWAYS),
    FIELD(sl_find_coordinator_result, port, ALWAYS),
    FIELD(sl_find_coordinator_result, error_code, ALWAYS),
    NULLABLE(sl_find_coordinator_result, error_message, 4, ALWAYS),
};
static const struct sl_type sl_find_coordinator_result_type =
    TYPE(sl_find_coordinator_result, find_coordinator_result_lines);

static const struct sl_field find_coordinator_response_lines[] = {
    FIELD(sl_find_coordinator_response, throttle_ms, SINCE(1)),
    FIELD(sl_find_coordinator_response, error_code, UNTIL(3)),
    NULLABLE(sl_find_coordinator_response, error_message, 1, BETWEEN(1, 3)),
    FIELD(sl_find_coordinator_response, node_id, UNTIL(3)),
    FIELD(sl_find_coordinator_response, host, UNTIL(3)),
    FIELD(sl_find_coordinator_response, port, UNTIL(3)),
    ARRAY(sl_find_coordinator_response, coordinators, sl_find_coordinator_result, SINCE(4)),
};
const struct sl_type sl_find_coordinator_response_type =
    TYPE(sl_find_coordinator_response, find_coordinator_response_lines);
