/* A log that was cut (core/validate.c), as the gate sees it. What is queued from beyond the cut has
 * never been handed out and is gone from the log, so it is dropped. If that leaves nothing beyond the
 * cut, nobody needs to know of it. Otherwise the application has seen, or is about to see in one piece
 * with what remains, records that are no more: then it is told, behind them.
 *
 * With a code (auto.offset.reset=none) the slot stops until a seek, and its position is the place of
 * the cut meanwhile. Without one the slot goes on there; batches in hand become stale when it does. */
#include "core/gate_slots.h"

/* Slices that begin beyond the cut go. Returns where the queue ends then. */
static int64_t drop_beyond(struct sl_gate *g, struct sl_gate_slot *slot, int64_t offset) {
    while (!sl_list_is_empty(&slot->queue)) {
        struct sl_slice *last = SL_LIST_OF(slot->queue.prev, struct sl_slice, node);
        if (last->from < offset) return last->next_offset;
        sl_gate_slots_release_bytes(g, last);
        sl_gate_slots_release_node(g, last);
    }
    return slot->position;
}

bool sl_gate_cut(struct sl_gate *g, struct sl_gate_slot *slot, const struct sl_slice *cut) {
    struct sl_command *order;
    int64_t end = drop_beyond(g, slot, cut->from);
    sl_gate_slots_update(g, slot);
    if (end <= cut->from) return false;
    slot->moved_to = cut->from;
    if (cut->code == 0) {
        if (sl_list_is_empty(&slot->queue)) sl_gate_move(g, slot, cut->from);
        return false;
    }
    slot->stopped = true;
    /* Without memory for the order core goes on fetching, and on_fetched drops it. */
    if (sl_gate_orders_prepare(g, SL_COMMAND_PAUSE, &order) == 0)
        sl_gate_orders_send(g, order, slot, -1);
    return true;
}
