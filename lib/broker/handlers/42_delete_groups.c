/* DeleteGroups (key 42), versions 0 to 2: groups without members go, with their offsets. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static int delete_asked_group(struct sl_exchange *x, struct sl_str id) {
    int code = sl_machine_judge_group(x, id, true);
    if (code != 0) return code;
    struct sl_group *group = sl_groups_find(&x->c->groups, id);
    if (group == NULL) return SLUICE_KAFKA_GROUP_ID_NOT_FOUND;
    if (!sl_groups_is_empty(group)) return SLUICE_KAFKA_NON_EMPTY_GROUP;
    sl_groups_remove(group);
    return 0;
}

enum sl_handled sl_handle_delete_groups(struct sl_exchange *x) {
    const struct sl_delete_groups_request *request = x->request;
    struct sl_delete_groups_response *m = x->response;
    if (!sl_machine_array(x, &m->results, request->group_ids.count,
                          sizeof(struct sl_delete_groups_result)))
        return SL_HANDLED_CLOSE;
    struct sl_delete_groups_result *out = m->results.items;
    for (int32_t i = 0; i < request->group_ids.count; i++) {
        bool execute;
        int forced = sl_machine_forced(x, SL_STR(""), -1, &execute);
        out[i].group_id = ((const struct sl_str *)request->group_ids.items)[i];
        int code = execute ? delete_asked_group(x, out[i].group_id) : 0;
        out[i].error_code = (int16_t)(forced != 0 ? forced : code);
        out[i].error_message = SL_STR_NULL;
    }
    return SL_HANDLED;
}
