/* Table of DeleteGroups, in wire order. Version 3 (Kafka 4.4) is in the table and not in the range of
 * api.c: it has not met a real broker yet. */
#include "wire/messages/42_delete_groups.h"

static const struct sl_field delete_groups_request_lines[] = {
    LIST(sl_delete_groups_request, group_ids, struct sl_str, ALWAYS),
};
const struct sl_type sl_delete_groups_request_type =
    TYPE(sl_delete_groups_request, delete_groups_request_lines);

static const struct sl_field delete_groups_result_lines[] = {
    FIELD(sl_delete_groups_result, group_id, ALWAYS),
    FIELD(sl_delete_groups_result, error_code, ALWAYS),
    NULLABLE(sl_delete_groups_result, error_message, 3, SINCE(3)),
};
static const struct sl_type sl_delete_groups_result_type =
    TYPE(sl_delete_groups_result, delete_groups_result_lines);

static const struct sl_field delete_groups_response_lines[] = {
    FIELD(sl_delete_groups_response, throttle_ms, ALWAYS),
    ARRAY(sl_delete_groups_response, results, sl_delete_groups_result, ALWAYS),
};
const struct sl_type sl_delete_groups_response_type =
    TYPE(sl_delete_groups_response, delete_groups_response_lines);
