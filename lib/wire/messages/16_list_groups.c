/* Table of ListGroups, in wire order. */
#include "wire/messages/16_list_groups.h"

static const struct sl_field list_groups_request_lines[] = {
    LIST(sl_list_groups_request, states, struct sl_str, SINCE(4)),
    LIST(sl_list_groups_request, types, struct sl_str, SINCE(5)),
};
const struct sl_type sl_list_groups_request_type =
    TYPE(sl_list_groups_request, list_groups_request_lines);

static const struct sl_field list_groups_group_lines[] = {
    FIELD(sl_list_groups_group, group_id, ALWAYS),
    FIELD(sl_list_groups_group, protocol_type, ALWAYS),
    FIELD(sl_list_groups_group, state, SINCE(4)),
    FIELD(sl_list_groups_group, type, SINCE(5)),
};
static const struct sl_type sl_list_groups_group_type =
    TYPE(sl_list_groups_group, list_groups_group_lines);

static const struct sl_field list_groups_response_lines[] = {
    FIELD(sl_list_groups_response, throttle_ms, SINCE(1)),
    FIELD(sl_list_groups_response, error_code, ALWAYS),
    ARRAY(sl_list_groups_response, groups, sl_list_groups_group, ALWAYS),
};
const struct sl_type sl_list_groups_response_type =
    TYPE(sl_list_groups_response, list_groups_response_lines);
