/* What the application changes and core is told of: assign, seek, pause.
 *
 * An order says what is, not what to do: slot, epoch, place, whether it is paused. Core cannot
 * refuse one, so all that it needs memory for comes along; a call that finds no memory changes
 * nothing. Orders reach core in the order of the calls. */
#include <string.h>

#include "base/assert.h"
#include "core/fetcher.h"
#include "core/gate_slots.h"
#include "sluice/error.h"

/* ---- orders ---- */

static int create_order(struct sl_gate *g, enum sl_command_kind kind, int32_t count,
                        struct sl_command **out) {
    int rv = sl_command_create(g->alloc, kind, out);
    if (rv != 0) return rv;
    if (count == 0) return 0;
    (*out)->slots = sl_alloc_array(g->alloc, (size_t)count, sizeof(struct sl_slot_order));
    if ((*out)->slots != NULL) {
        (*out)->slot_count = count;
        return 0;
    }
    sl_command_destroy(g->alloc, *out);
    *out = NULL;
    return SLUICE_ERR_NOMEM;
}

static void fill_order(struct sl_slot_order *o, const struct sl_gate_slot *slot,
                       const struct sl_offset_entry *entry) {
    o->slot = slot->index;
    o->epoch = slot->epoch;
    o->partition = slot->partition;
    o->paused = slot->paused || slot->stopped ||
                slot->revoking; /* what is dropped here need not be fetched */
    o->offset_epoch = entry == NULL ? -1 : entry->leader_epoch;
    o->timestamp_ms = entry == NULL ? 0 : entry->timestamp_ms;
    o->offset = entry == NULL ? slot->position : entry->offset;
}

int sl_gate_orders_prepare(struct sl_gate *g, enum sl_command_kind kind, struct sl_command **out) {
    return create_order(g, kind, 1, out);
}

void sl_gate_orders_send(struct sl_gate *g, struct sl_command *order,
                         const struct sl_gate_slot *slot, int32_t leader_epoch) {
    fill_order(&order->slots[0], slot, NULL);
    order->slots[0].offset_epoch = leader_epoch;
    sl_list_push_back(&g->orders, &order->node);
}

/* Every entry names an assigned partition. */
static bool are_assigned(const struct sl_gate *g, const struct sl_offsets *list) {
    for (int32_t i = 0; i < list->count; i++) {
        const struct sl_offset_entry *entry = &list->entries[i];
        if (sl_gate_slots_find(g, entry->topic, entry->partition) == NULL) return false;
    }
    return true;
}

/* ---- assign ---- */

static int equip_order(struct sl_gate *g, struct sl_slot_order *order,
                       const struct sl_gate_slot *slot) {
    order->topic = sl_alloc_text(g->alloc, slot->topic, strlen(slot->topic));
    if (order->topic == NULL) return SLUICE_ERR_NOMEM;
    if (!slot->added) return 0;
    order->position = sl_alloc_zero(g->alloc, sizeof *order->position);
    return order->position == NULL ? SLUICE_ERR_NOMEM : 0;
}

/* Finds or fills a slot for every entry and copies the names into the order. What is new is marked
 * `added`, what the list has `kept`; on failure undo_assignment takes the former back. */
static int plan_assignment(struct sl_gate *g, const struct sl_offsets *list,
                           struct sl_command *order) {
    int rv = sl_gate_slots_reserve(g, g->assigned.count + (uint32_t)order->slot_count);
    if (rv != 0) return rv;
    for (int32_t i = 0; i < order->slot_count; i++) {
        const struct sl_offset_entry *entry = &list->entries[i];
        struct sl_gate_slot *slot = sl_gate_slots_find(g, entry->topic, entry->partition);
        if (slot == NULL) {
            rv = sl_gate_slots_fill(g, entry->topic, entry->partition, &slot);
            if (rv != 0) return rv;
            slot->added = true;
        }
        slot->kept = true;
        rv = equip_order(g, &order->slots[i], slot);
        if (rv != 0) return rv;
    }
    order->table = sl_alloc_array(g->alloc, g->slot_count + 1U, sizeof *order->table);
    if (order->table == NULL) return SLUICE_ERR_NOMEM;
    order->table_size = g->slot_count + 1U;
    return 0;
}

static void undo_assignment(struct sl_gate *g) {
    for (uint32_t i = 0; i < g->slot_count; i++)
        if (g->slots[i]->added) sl_gate_slots_empty(g, g->slots[i]);
}

static void apply_assignment(struct sl_gate *g, const struct sl_offsets *list,
                             struct sl_command *order) {
    for (uint32_t i = 0; i < g->slot_count; i++)
        if (g->slots[i]->topic != NULL && !g->slots[i]->kept) sl_gate_slots_empty(g, g->slots[i]);
    for (int32_t i = 0; i < order->slot_count; i++) {
        const struct sl_offset_entry *entry = &list->entries[i];
        struct sl_gate_slot *slot = sl_gate_slots_find(g, entry->topic, entry->partition);
        bool moves = slot->added || entry->offset != SL_OFFSET_COMMITTED;
        if (moves) sl_gate_slots_restart(g, slot, entry->offset);
        fill_order(&order->slots[i], slot, moves ? entry : NULL);
    }
}

int sl_gate_assign(struct sl_gate *g, const struct sl_offsets *list) {
    if (g->subscribed) return SLUICE_ERR_USAGE;
    return g->leaving ? SLUICE_ERR_BUSY : sl_gate_orders_assign(g, list);
}

int sl_gate_orders_assign(struct sl_gate *g, const struct sl_offsets *list) {
    int32_t count = list == NULL ? 0 : list->count;
    struct sl_command *order;
    int rv = create_order(g, SL_COMMAND_ASSIGN, count, &order);
    if (rv != 0) return rv;
    for (uint32_t i = 0; i < g->slot_count; i++) g->slots[i]->kept = g->slots[i]->added = false;
    struct sl_command *left = NULL;
    rv = plan_assignment(g, list, order);
    if (rv == 0) rv = sl_gate_commit_left(g, &left);
    if (rv != 0) {
        undo_assignment(g);
        sl_command_destroy(g->alloc, order);
        return rv;
    }
    apply_assignment(g, list, order);
    if (left != NULL) sl_list_push_back(&g->orders, &left->node);
    sl_list_push_back(&g->orders, &order->node);
    return 0;
}

/* ---- seek and pause ---- */

int sl_gate_seek(struct sl_gate *g, const struct sl_offsets *list) {
    struct sl_command *order;
    if (!are_assigned(g, list)) return SLUICE_ERR_STALE;
    if (list->count == 0) return 0;
    int rv = create_order(g, SL_COMMAND_SEEK, list->count, &order);
    if (rv != 0) return rv;
    for (int32_t i = 0; i < list->count; i++) {
        const struct sl_offset_entry *entry = &list->entries[i];
        struct sl_gate_slot *slot = sl_gate_slots_find(g, entry->topic, entry->partition);
        sl_gate_slots_restart(g, slot, entry->offset);
        fill_order(&order->slots[i], slot, entry);
    }
    sl_list_push_back(&g->orders, &order->node);
    return 0;
}

static void pause_slot(struct sl_gate *g, struct sl_gate_slot *slot, bool paused,
                       struct sl_slot_order *order) {
    slot->paused = paused;
    sl_gate_slots_update(g, slot);
    fill_order(order, slot, NULL);
}

int sl_gate_pause(struct sl_gate *g, const struct sl_offsets *list, bool paused) {
    struct sl_command *order;
    if (list != NULL && !are_assigned(g, list)) return SLUICE_ERR_STALE;
    int32_t count = list == NULL ? (int32_t)g->assigned.count : list->count;
    if (count == 0) return 0;
    int rv = create_order(g, SL_COMMAND_PAUSE, count, &order);
    if (rv != 0) return rv;
    struct sl_gate_slot *slot;
    uint32_t at = 0;
    for (int32_t i = 0; i < count; i++) {
        if (list == NULL)
            slot = sl_map_next(&g->assigned, &at, NULL);
        else
            slot = sl_gate_slots_find(g, list->entries[i].topic, list->entries[i].partition);
        pause_slot(g, slot, paused, &order->slots[i]);
    }
    sl_list_push_back(&g->orders, &order->node);
    return 0;
}

/* A slice of the hand list ends at `offset` now: what lies behind it is not handed out any more. */
static void end_slice_at(struct sl_gate *g, struct sl_gate_slot *slot, struct sl_slice *slice,
                         int64_t offset) {
    sl_gate_slots_drop_buffered(g, slot);
    sl_gate_slots_let_go(g, slot, slice->node.next);
    slice->next_offset = offset;
    if (slice->marked > offset) slice->marked = offset;
    slot->position = offset;
    slot->epoch_before = -1;
    slot->moved_to = -1;
    struct sl_gate_progress *p = &slot->progress;
    if (p->finished > offset) {
        p->finished = offset;
        p->finished_epoch = -1;
    }
    if (p->held >= offset) p->held = INT64_MAX; /* what was behind it */
}

int sl_gate_rewind(struct sl_gate *g, struct sl_slice *slice, int64_t offset, int32_t epoch) {
    struct sl_gate_slot *slot = sl_gate_current(g, slice);
    struct sl_command *order;
    if (slot == NULL) return SLUICE_ERR_STALE;
    SL_ASSERT(!slice->given && offset >= slice->from && offset <= slice->next_offset);
    int rv = sl_gate_orders_prepare(g, SL_COMMAND_SEEK, &order);
    if (rv != 0) return rv;
    end_slice_at(g, slot, slice, offset);
    slot->stopped = false;
    slot->epoch++;
    /* Slices before it count on: their records do not come again. */
    SL_LIST_EACH(node, next, &slot->hand)
        SL_LIST_OF(node, struct sl_slice, node)->epoch = slot->epoch;
    sl_gate_orders_send(g, order, slot, epoch);
    return 0;
}

int sl_gate_stop(struct sl_gate *g, struct sl_slice *slice, int64_t offset) {
    struct sl_gate_slot *slot = sl_gate_current(g, slice);
    struct sl_command *order;
    if (slot == NULL) return SLUICE_ERR_STALE;
    SL_ASSERT(!slice->given && offset >= slice->from && offset <= slice->next_offset);
    end_slice_at(g, slot, slice, offset);
    slot->stopped = true;
    /* Without memory for the order core goes on fetching, and on_fetched drops it. */
    if (sl_gate_orders_prepare(g, SL_COMMAND_PAUSE, &order) == 0)
        sl_gate_orders_send(g, order, slot, -1);
    return 0;
}
