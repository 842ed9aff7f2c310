/* What is finished, on its way to being committed: the gate's side of commits.
 *
 * A commit says of a partition what its finished prefix is at one moment under the mutex: nothing
 * that was not handed out and finished, nothing behind a hole. A place that auto.offset.reset led
 * to is such a prefix without records (`is_led`). Three ask for it: the application
 * (sl_gate_commit), core when it is time (sl_gate_collect), and an assignment that gives partitions
 * up, whose prefix could not be asked for any more. Each becomes a COMMIT among the orders, so that
 * core hears of commits, assignments and seeks in their sequence.
 *
 * Per slot (struct sl_gate_progress): `told` is what core was given, so that the next tick has only
 * what is new; `kept` is what it says is committed, so that who has to be certain (the application,
 * a close) gets what no one has confirmed. An offset that the application commits by itself
 * (`asked`) is never followed by a lower one that nobody asked for.
 *
 * Not here: requests, retries, and when it is time (core/committer.c). */
#include "base/assert.h"
#include "core/gate_slots.h"
#include "core/plant.h"
#include "sluice/error.h"

/* What a commit takes of a slot. */
enum commit_choice {
    COMMIT_NEW = 1,    /* finished since core was told */
    COMMIT_UNKEPT,     /* not known to be committed */
    COMMIT_UNKEPT_EVEN /* the same, below an offset that the application committed too */
};

static bool is_chosen(const struct sl_gate_slot *slot, enum commit_choice choice) {
    const struct sl_gate_progress *p = &slot->progress;
    if (slot->topic == NULL || p->finished < 0) return false;
    if (p->finished == p->start && !p->is_led) return false;
    if (choice == COMMIT_UNKEPT_EVEN) return p->finished > p->kept;
    return p->finished > p->asked && p->finished > (choice == COMMIT_NEW ? p->told : p->kept);
}

/* Adds the prefix of every chosen slot. gone: only of those that the new assignment has not. */
static int list_finished(const struct sl_gate *g, enum commit_choice choice, bool gone,
                         struct sl_offsets *out) {
    for (uint32_t i = 0; i < g->slot_count; i++) {
        const struct sl_gate_slot *slot = g->slots[i];
        if (!is_chosen(slot, choice) || (gone && slot->kept)) continue;
        struct sl_offset_entry *entry = sl_offset_list_add(out, slot->topic, slot->partition);
        if (entry == NULL) return SLUICE_ERR_NOMEM;
        entry->offset = SL_PLANTED(8) ? slot->position : slot->progress.finished;
        entry->leader_epoch = slot->progress.finished_epoch;
        entry->slot = slot->index;
        entry->slot_epoch = slot->epoch;
    }
    return 0;
}

static int create_commit(struct sl_gate *g, enum sl_commit_source source, struct sl_command **out) {
    int rv = sl_command_create(g->alloc, SL_COMMAND_COMMIT, out);
    if (rv != 0) return rv;
    (*out)->source = source;
    rv = sl_offset_list_create(g->alloc, &(*out)->offsets);
    if (rv == 0) return 0;
    sl_command_destroy(g->alloc, *out);
    *out = NULL;
    return rv;
}

/* Core has it from here on. */
static void note_told(struct sl_gate *g, const struct sl_offsets *list) {
    for (int32_t i = 0; i < list->count; i++) {
        struct sl_gate_progress *p = &g->slots[list->entries[i].slot]->progress;
        if (list->entries[i].offset > p->told) p->told = list->entries[i].offset;
    }
}

/* ---- the application ---- */

/* Records were handed out, and none of them is finished. */
static bool is_nothing_finished(const struct sl_gate *g) {
    bool handed = false;
    for (uint32_t i = 0; i < g->slot_count; i++) {
        const struct sl_gate_slot *slot = g->slots[i];
        if (slot->topic == NULL || slot->progress.start < 0) continue;
        if (slot->progress.finished > slot->progress.start) return false;
        handed |= slot->position > slot->progress.start;
    }
    return handed;
}

/* The leader epoch of the record before an offset that the application names, where it is known. */
static int32_t committed_epoch(const struct sl_gate_slot *slot, int64_t offset) {
    if (offset == slot->progress.finished) return slot->progress.finished_epoch;
    return offset == slot->position ? slot->epoch_before : -1;
}

/* Where the application's own offsets belong. */
static void place_offsets(struct sl_gate *g, struct sl_offsets *list) {
    for (int32_t i = 0; i < list->count; i++) {
        struct sl_offset_entry *entry = &list->entries[i];
        struct sl_gate_slot *slot = sl_gate_slots_find(g, entry->topic, entry->partition);
        entry->slot_epoch = 0;
        if (slot == NULL) continue;
        struct sl_gate_progress *p = &slot->progress;
        entry->slot = slot->index;
        entry->slot_epoch = slot->epoch;
        p->asked = entry->offset;
        if (entry->leader_epoch < 0) entry->leader_epoch = committed_epoch(slot, entry->offset);
        if (p->finished > p->told) p->told = p->finished;
    }
}

int sl_gate_commit(struct sl_gate *g, struct sl_command *command) {
    command->source = SL_COMMIT_ASKED;
    if (command->offsets != NULL) {
        place_offsets(g, command->offsets);
    } else {
        int rv = sl_offset_list_create(g->alloc, &command->offsets);
        if (rv == 0) rv = list_finished(g, COMMIT_UNKEPT_EVEN, false, command->offsets);
        if (rv != 0) return rv;
        note_told(g, command->offsets);
        command->is_nothing_finished = command->offsets->count == 0 && is_nothing_finished(g);
    }
    sl_list_push_back(&g->orders, &command->node);
    return 0;
}

/* ---- core ---- */

/* Something may be finished later without a word to core. */
static bool may_finish_more(const struct sl_gate *g) {
    for (uint32_t i = 0; i < g->slot_count; i++) {
        const struct sl_gate_slot *slot = g->slots[i];
        if (!sl_list_is_empty(&slot->queue) || !sl_list_is_empty(&slot->hand)) return true;
    }
    return false;
}

void sl_gate_collect(struct sl_gate *g, bool everything) {
    struct sl_command *command;
    if (create_commit(g, SL_COMMIT_COLLECTED, &command) != 0) return;
    enum commit_choice choice = everything ? COMMIT_UNKEPT : COMMIT_NEW;
    if (list_finished(g, choice, false, command->offsets) != 0) {
        sl_command_destroy(g->alloc, command);
        return;
    }
    note_told(g, command->offsets);
    command->may_finish_more = may_finish_more(g);
    sl_list_push_back(&g->orders, &command->node);
}

void sl_gate_commit_news(struct sl_gate_slot *slot, const struct sl_slot_news *news) {
    struct sl_gate_progress *p = &slot->progress;
    if (news->committed < 0 || news->epoch < slot->assigned_epoch) return;
    slot->committed = news->committed;
    if (news->epoch < p->since) return;
    p->kept = news->committed < p->finished ? news->committed : p->finished;
}

/* ---- the gate's own ---- */

int sl_gate_commit_left(struct sl_gate *g, struct sl_command **out) {
    *out = NULL;
    if (!g->settings->auto_commit) return 0;
    int rv = create_commit(g, SL_COMMIT_LEFT, out);
    if (rv == 0) rv = list_finished(g, COMMIT_UNKEPT, true, (*out)->offsets);
    if (rv == 0 && (*out)->offsets->count > 0) return 0;
    if (*out != NULL) sl_command_destroy(g->alloc, *out);
    *out = NULL;
    return rv;
}

int64_t sl_gate_commit_of(const struct sl_gate *g, const struct sl_gate_slot *slot,
                          int32_t *epoch) {
    *epoch = slot->progress.finished_epoch;
    if (!g->settings->auto_commit || !is_chosen(slot, COMMIT_UNKEPT)) return -1;
    return slot->progress.finished;
}

void sl_gate_commit_warn(struct sl_gate *g, const struct sl_gate_slot *slot) {
    struct sl_command *order;
    if (g->told_unfinished || !g->settings->auto_commit) return;
    if (sl_gate_orders_prepare(g, SL_COMMAND_UNFINISHED, &order) != 0) return;
    g->told_unfinished = true;
    sl_gate_orders_send(g, order, slot, -1);
    order->slots[0].offset = slot->progress.held;
}
