/* SyncGroup (key 14), versions 0 to 5: the answer waits for the leader's. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static enum sl_handled end_sync_wait(struct sl_exchange *x) {
    bool execute;
    int forced = sl_machine_forced(x, SL_STR(""), -1, &execute);
    if (forced != 0) sl_group_answers_refuse_sync(&x->wait, forced);
    return SL_HANDLED;
}

enum sl_handled sl_handle_sync_group(struct sl_exchange *x) {
    const struct sl_sync_group_request *r = x->request;
    bool execute;
    if (x->begun) return x->wait.done ? end_sync_wait(x) : SL_HANDLED_LATER;
    sl_machine_begin_wait(x);
    int forced = sl_machine_forced(x, SL_STR(""), -1, &execute);
    int code = execute ? sl_machine_judge_group(x, r->group_id, false) : forced;
    struct sl_group *group = sl_groups_find(&x->c->groups, r->group_id);
    if (code == 0 && group == NULL) code = SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
    if (code != 0) {
        sl_group_answers_refuse_sync(&x->wait, code);
        return SL_HANDLED;
    }
    int rv = group->type == SL_GROUP_CLASSIC ? sl_group_classic_sync(group, r, &x->wait)
                                             : sl_group_mixed_sync(group, r, &x->wait);
    if (rv != 0) return SL_HANDLED_CLOSE;
    return x->wait.done ? end_sync_wait(x) : SL_HANDLED_LATER;
}
