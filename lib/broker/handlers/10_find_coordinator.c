/* FindCoordinator (key 10), versions 0 to 6: one key, or several from version 4 on; share groups from
 * version 6 on. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static void answer_coordinator(struct sl_exchange *x, struct sl_str key,
                               struct sl_find_coordinator_result *out) {
    bool execute;
    const struct sl_cluster_node *node = sl_cluster_coordinator(&x->c->cluster, key);
    int code = sl_machine_forced(x, SL_STR(""), -1, &execute);
    int8_t type = ((const struct sl_find_coordinator_request *)x->request)->key_type;
    bool is_type = type == SL_FIND_COORDINATOR_GROUP || type == SL_FIND_COORDINATOR_TRANSACTION ||
                   (type == SL_FIND_COORDINATOR_SHARE && x->header.version >= 6);
    if (code == 0 && !is_type) code = SLUICE_KAFKA_INVALID_REQUEST;
    if (code == 0 && node == NULL) code = SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE;
    out->key = key;
    out->error_code = (int16_t)code;
    out->error_message = SL_STR_NULL;
    out->node_id = code == 0 ? node->id : -1;
    out->host = sl_bytes_str(code == 0 ? node->host : "");
    out->port = code == 0 ? (int32_t)node->port : -1;
}

enum sl_handled sl_handle_find_coordinator(struct sl_exchange *x) {
    const struct sl_find_coordinator_request *request = x->request;
    struct sl_find_coordinator_response *m = x->response;
    struct sl_find_coordinator_result one;
    if (x->header.version < 4) {
        answer_coordinator(x, request->key, &one);
        m->error_code = one.error_code;
        m->error_message = SL_STR_NULL;
        m->node_id = one.node_id;
        m->host = one.host;
        m->port = one.port;
        return SL_HANDLED;
    }
    if (!sl_machine_array(x, &m->coordinators, request->keys.count, sizeof one))
        return SL_HANDLED_CLOSE;
    for (int32_t i = 0; i < request->keys.count; i++)
        answer_coordinator(x, ((const struct sl_str *)request->keys.items)[i],
                           (struct sl_find_coordinator_result *)m->coordinators.items + i);
    return SL_HANDLED;
}
