/* JoinGroup (key 11), versions 0 to 9: the answer waits until the group begins a generation. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static int judge_join_request(struct sl_exchange *x, bool *execute) {
    const struct sl_join_group_request *r = x->request;
    const struct sl_groups_settings *settings = &x->c->groups.settings;
    int forced = sl_machine_forced(x, SL_STR(""), -1, execute);
    if (forced != 0 && !*execute) return forced;
    int code = sl_machine_judge_group(x, r->group_id, false);
    if (code != 0) return code;
    if (r->session_timeout_ms < settings->session_min_ms ||
        r->session_timeout_ms > settings->session_max_ms)
        return SLUICE_KAFKA_INVALID_SESSION_TIMEOUT;
    bool is_there = sl_groups_find(&x->c->groups, r->group_id) != NULL;
    return is_there || r->member_id.size <= 0 ? 0 : SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
}

/* The answer is there; a scripted error may stand over it. */
static enum sl_handled end_join_wait(struct sl_exchange *x) {
    bool execute;
    int forced = sl_machine_forced(x, SL_STR(""), -1, &execute);
    if (forced != 0)
        sl_group_answers_refuse_join(&x->wait, forced,
                                     ((struct sl_join_group_response *)x->response)->member_id);
    return SL_HANDLED;
}

enum sl_handled sl_handle_join_group(struct sl_exchange *x) {
    const struct sl_join_group_request *r = x->request;
    bool execute;
    if (x->begun) return x->wait.done ? end_join_wait(x) : SL_HANDLED_LATER;
    sl_machine_begin_wait(x);
    int code = judge_join_request(x, &execute);
    if (code != 0) {
        sl_group_answers_refuse_join(&x->wait, code, r->member_id);
        return SL_HANDLED;
    }
    struct sl_group *group = sl_groups_get(&x->c->groups, r->group_id);
    if (group == NULL) return SL_HANDLED_CLOSE;
    bool is_classic = sl_groups_become(group, SL_GROUP_CLASSIC);
    int rv = is_classic ? sl_group_entry_join(group, r, x->header.client_id, &x->wait)
                        : sl_group_mixed_join(group, r, x->header.client_id, &x->wait);
    sl_groups_tidy(group);
    if (rv != 0) return SL_HANDLED_CLOSE;
    return x->wait.done ? end_join_wait(x) : SL_HANDLED_LATER;
}
