/* ConsumerGroupDescribe (key 69), versions 0 and 1: state and members of groups of KIP-848. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static bool describe_consumer_group(struct sl_exchange *x, struct sl_str id,
                                    struct sl_consumer_group_describe_group *out) {
    bool execute;
    int forced = sl_machine_forced(x, SL_STR(""), -1, &execute);
    int code = forced != 0 ? forced : sl_machine_judge_group(x, id, false);
    if (code == 0 && !x->c->groups.settings.has_consumer) code = SLUICE_KAFKA_UNSUPPORTED_VERSION;
    const struct sl_group *group = sl_groups_find(&x->c->groups, id);
    bool is_there = group != NULL && group->type == SL_GROUP_CONSUMER;
    out->group_id = id;
    out->error_message = SL_STR_NULL;
    out->authorized_operations = INT32_MIN;
    if (code == 0 && is_there) return sl_group_consumer_view_describe(group, &x->arena, out);
    out->error_code = (int16_t)(code != 0 ? code : SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
    out->error_message = SL_STR("there is no such group of KIP-848 here");
    return true;
}

enum sl_handled sl_handle_consumer_group_describe(struct sl_exchange *x) {
    const struct sl_consumer_group_describe_request *request = x->request;
    struct sl_consumer_group_describe_response *m = x->response;
    if (!sl_machine_array(x, &m->groups, request->group_ids.count,
                          sizeof(struct sl_consumer_group_describe_group)))
        return SL_HANDLED_CLOSE;
    struct sl_consumer_group_describe_group *out = m->groups.items;
    for (int32_t i = 0; i < request->group_ids.count; i++)
        if (!describe_consumer_group(x, ((const struct sl_str *)request->group_ids.items)[i],
                                     &out[i]))
            return SL_HANDLED_CLOSE;
    return SL_HANDLED;
}
