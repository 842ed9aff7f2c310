/* Heartbeat (key 12), versions 0 to 4: a member is alive, and hears of a rebalance. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

enum sl_handled sl_handle_heartbeat(struct sl_exchange *x) {
    const struct sl_heartbeat_request *r = x->request;
    struct sl_heartbeat_response *m = x->response;
    bool execute;
    int forced = sl_machine_forced(x, SL_STR(""), -1, &execute);
    int code = sl_machine_judge_group(x, r->group_id, false);
    if (code == 0 && execute) {
        struct sl_group *group = sl_groups_find(&x->c->groups, r->group_id);
        code = group == NULL                     ? SLUICE_KAFKA_UNKNOWN_MEMBER_ID
               : group->type == SL_GROUP_CLASSIC ? sl_group_classic_heartbeat(group, r)
                                                 : sl_group_mixed_heartbeat(group, r);
    }
    m->error_code = (int16_t)(forced != 0 ? forced : code);
    return SL_HANDLED;
}
