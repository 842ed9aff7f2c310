/* DescribeGroups (key 15), versions 0 to 6: state and members of groups of the classic protocol. One
 * that does not exist is dead, and from version 6 on an error. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static bool describe_asked_group(struct sl_exchange *x, struct sl_str id,
                                 struct sl_describe_groups_group *out) {
    bool execute;
    int forced = sl_machine_forced(x, SL_STR(""), -1, &execute);
    int code = forced != 0 ? forced : sl_machine_judge_group(x, id, true);
    const struct sl_group *group = sl_groups_find(&x->c->groups, id);
    out->group_id = id;
    out->error_code = (int16_t)code;
    out->error_message = SL_STR_NULL;
    out->authorized_operations = INT32_MIN;
    if (code != 0) return true;
    if (group != NULL && group->type == SL_GROUP_CLASSIC)
        return sl_group_view_describe(group, &x->arena, out);
    out->state = SL_STR("Dead");
    if (x->header.version < 6) return true;
    out->error_code = SLUICE_KAFKA_GROUP_ID_NOT_FOUND;
    out->error_message = SL_STR("there is no such group of the classic protocol");
    return true;
}

enum sl_handled sl_handle_describe_groups(struct sl_exchange *x) {
    const struct sl_describe_groups_request *request = x->request;
    struct sl_describe_groups_response *m = x->response;
    if (!sl_machine_array(x, &m->groups, request->group_ids.count,
                          sizeof(struct sl_describe_groups_group)))
        return SL_HANDLED_CLOSE;
    struct sl_describe_groups_group *out = m->groups.items;
    for (int32_t i = 0; i < request->group_ids.count; i++)
        if (!describe_asked_group(x, ((const struct sl_str *)request->group_ids.items)[i], &out[i]))
            return SL_HANDLED_CLOSE;
    return SL_HANDLED;
}
