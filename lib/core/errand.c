/* Sending errands and finding who waits for an answer.
 *
 *   idle ── send ──▶ sent ── the host is told ──▶ out ── answer ──▶ idle
 *                     └───────── drop ────────────┴────────────────▶ idle
 *
 * Serials are not used again, so an answer reaches who asked, or nobody. An errand is idle before its
 * answer is passed on: who gets it may send it anew at once.
 *
 * Not done here: deadlines. Who sends an errand knows how long it will wait. */
#include "core/errand.h"

#include "base/assert.h"
#include "core/unit.h"

void sl_errand_init_all(struct sl_errands_unit *errands) {
    sl_list_init(&errands->sent);
    sl_list_init(&errands->out);
}

bool sl_errand_is_out(const struct sl_errand *errand) { return errand->serial != 0; }

void sl_errand_send(struct sl_core *core, struct sl_errand *errand) {
    struct sl_errands_unit *errands = &core->errands;
    SL_ASSERT(!sl_errand_is_out(errand) && errand->on_answer != NULL);
    errand->serial = ++errands->last_serial;
    sl_list_init(&errand->node);
    sl_list_push_back(&errands->sent, &errand->node);
}

static void put_errand_to_rest(struct sl_errand *errand) {
    sl_list_remove(&errand->node);
    errand->serial = 0;
}

void sl_errand_drop(struct sl_errand *errand) {
    if (sl_errand_is_out(errand)) put_errand_to_rest(errand);
    if (errand->state != NULL) errand->state->destroy(errand->state);
    errand->state = NULL;
}

struct sl_errand *sl_errand_next(struct sl_core *core) {
    struct sl_list *node = sl_list_pop_front(&core->errands.sent);
    if (node == NULL) return NULL;
    sl_list_push_back(&core->errands.out, node);
    return SL_LIST_OF(node, struct sl_errand, node);
}

void sl_errand_on_answer(struct sl_core *core, uint64_t serial,
                         const struct sl_errand_answer *answer) {
    SL_LIST_EACH(node, tmp, &core->errands.out) {
        struct sl_errand *errand = SL_LIST_OF(node, struct sl_errand, node);
        if (errand->serial != serial) continue;
        put_errand_to_rest(errand);
        if (answer->state != NULL && *answer->state != NULL) {
            SL_ASSERT(errand->state == NULL);
            errand->state = *answer->state;
            *answer->state = NULL;
        }
        errand->on_answer(core, errand, answer);
        return;
    }
}
