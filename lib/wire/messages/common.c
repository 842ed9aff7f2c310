/* Tables of the structs that several APIs carry. Their versions are those of the field that holds
 * them, so their own lines are there always. */
#include "wire/messages/common.h"

static const struct sl_field leader_hint_lines[] = {
    FIELD(sl_leader_hint, leader_id, ALWAYS, OTHERWISE(-1)),
    FIELD(sl_leader_hint, leader_epoch, ALWAYS, OTHERWISE(-1)),
};
const struct sl_type sl_leader_hint_type = TYPE(sl_leader_hint, leader_hint_lines);

static const struct sl_field node_endpoint_lines[] = {
    FIELD(sl_node_endpoint, node_id, ALWAYS),
    FIELD(sl_node_endpoint, host, ALWAYS),
    FIELD(sl_node_endpoint, port, ALWAYS),
    NULLABLE(sl_node_endpoint, rack, 0, ALWAYS),
};
const struct sl_type sl_node_endpoint_type = TYPE(sl_node_endpoint, node_endpoint_lines);
