/* Messages between group and gate as objects: making and freeing. */
#include "core/rebalance.h"

#include "base/assert.h"
#include "sluice/error.h"

static int create_answer(const struct sl_alloc *alloc, const struct sl_rebalance *r, int32_t slots,
                         struct sl_command **out) {
    struct sl_command *answer;
    int rv = sl_command_create(alloc, SL_COMMAND_REBALANCED, &answer);
    if (rv != 0) return rv;
    answer->rebalance = (int)r->kind;
    answer->serial = r->serial;
    if (slots > 0) {
        answer->slots = sl_alloc_array(alloc, (size_t)slots, sizeof *answer->slots);
        if (answer->slots == NULL) {
            sl_command_destroy(alloc, answer);
            return SLUICE_ERR_NOMEM;
        }
        answer->slot_count = slots;
    }
    *out = answer;
    return 0;
}

int sl_rebalance_create(const struct sl_alloc *alloc, enum sl_rebalance_kind kind, uint64_t serial,
                        int32_t slots, struct sl_rebalance **out) {
    struct sl_rebalance *r = sl_alloc_zero(alloc, sizeof *r);
    if (r == NULL) return SLUICE_ERR_NOMEM;
    sl_list_init(&r->node);
    r->kind = kind;
    r->serial = serial;
    int rv = slots < 0 ? 0 : create_answer(alloc, r, slots, &r->answer);
    if (rv != 0) {
        sl_rebalance_destroy(alloc, r);
        return rv;
    }
    *out = r;
    return 0;
}

void sl_rebalance_destroy(const struct sl_alloc *alloc, struct sl_rebalance *r) {
    if (r == NULL) return;
    SL_ASSERT(!sl_list_is_linked(&r->node));
    sl_offset_list_destroy(r->whole);
    sl_offset_list_destroy(r->offsets);
    sl_command_destroy(alloc, r->answer);
    sl_alloc_free(alloc, r, sizeof *r);
}
