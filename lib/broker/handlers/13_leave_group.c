/* LeaveGroup (key 13), versions 0 to 5: one member, or several from version 3 on, each by its id or
 * its instance. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

enum sl_handled sl_handle_leave_group(struct sl_exchange *x) {
    const struct sl_leave_group_request *r = x->request;
    struct sl_leave_group_response *m = x->response;
    struct sl_leave_group_member one = {.member_id = r->member_id, .instance_id = SL_STR_NULL};
    bool several = x->header.version >= 3;
    int32_t count = several ? r->members.count : 1;
    bool execute;
    int forced = sl_machine_forced(x, SL_STR(""), -1, &execute);
    int code = sl_machine_judge_group(x, r->group_id, false);
    struct sl_group *group = sl_groups_find(&x->c->groups, r->group_id);
    if (code == 0 && group == NULL) code = SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
    if (code == 0 && execute) {
        if (!sl_machine_array(x, &m->members, count, sizeof(struct sl_leave_group_member_response)))
            return SL_HANDLED_CLOSE;
        struct sl_leave_group_member_response *out = m->members.items;
        const struct sl_leave_group_member *leaving = several ? r->members.items : &one;
        if (group->type == SL_GROUP_CLASSIC)
            sl_group_classic_leave(group, leaving, count, out);
        else
            sl_group_mixed_leave(group, leaving, count, out);
        if (!several) code = out->error_code;
    }
    m->error_code = (int16_t)(forced != 0 ? forced : code);
    return SL_HANDLED;
}
