/* ConsumerGroupHeartbeat (key 68), versions 0 and 1: joining, going on and leaving by KIP-848. */
#include "broker/machine.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

/* The group that the request is for; NULL with a code. */
static int find_heartbeat_group(struct sl_exchange *x, struct sl_group **out) {
    const struct sl_consumer_group_heartbeat_request *r = x->request;
    struct sl_groups *groups = &x->c->groups;
    if (!groups->settings.has_consumer) return SLUICE_KAFKA_UNSUPPORTED_VERSION;
    if (r->group_id.size <= 0) return SLUICE_KAFKA_INVALID_REQUEST;
    int code = sl_machine_judge_group(x, r->group_id, false);
    if (code != 0) return code;
    bool joins = r->member_epoch == SL_CONSUMER_GROUP_JOIN;
    *out = joins ? sl_groups_get(groups, r->group_id) : sl_groups_find(groups, r->group_id);
    if (*out == NULL) return joins ? SLUICE_ERR_NOMEM : SLUICE_KAFKA_GROUP_ID_NOT_FOUND;
    if (!joins) return (*out)->type == SL_GROUP_CONSUMER ? 0 : SLUICE_KAFKA_GROUP_ID_NOT_FOUND;
    return sl_groups_become(*out, SL_GROUP_CONSUMER) ? 0 : sl_group_mixed_convert(*out);
}

enum sl_handled sl_handle_consumer_group_heartbeat(struct sl_exchange *x) {
    struct sl_consumer_group_heartbeat_response *m = x->response;
    struct sl_group *group = NULL;
    bool execute;
    int forced = sl_machine_forced(x, SL_STR(""), -1, &execute);
    int code = execute ? find_heartbeat_group(x, &group) : forced;
    if (code == 0)
        code = sl_group_consumer_heartbeat(group, x->request, x->header.client_id,
                                           x->header.version, &x->arena, m);
    if (group != NULL) sl_groups_tidy(group);
    if (code == SLUICE_ERR_NOMEM) return SL_HANDLED_CLOSE;
    m->error_code = (int16_t)(forced != 0 ? forced : code);
    if (m->error_code == 0) return SL_HANDLED;
    if (m->error_message.size < 0) m->error_message = SL_STR("the heartbeat was refused");
    m->member_id = SL_STR_NULL;
    m->member_epoch = 0;
    m->interval_ms = 0;
    m->assignment = (struct sl_array){NULL, -1};
    return SL_HANDLED;
}
