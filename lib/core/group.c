/* A group without members: offsets are committed for it by name, as brokers allow while nobody is in
 * it, and nothing that a broker says about membership changes that. */
#include "core/group.h"

#include "core/unit.h"

void sl_group_identity(const struct sl_core *core, struct sl_group_identity *out) {
    *out = (struct sl_group_identity){
        .group_id = core->settings->group_id, .member_id = "", .epoch = -1};
}

void sl_group_on_refused(struct sl_core *core, int code, int32_t epoch) {
    sl_core_log(core, SL_LOG_INFO, "group \"%s\" refuses offsets of epoch %d: %d",
                core->settings->group_id, (int)epoch, code);
}

void sl_group_on_committed(struct sl_core *core) { (void)core; }
