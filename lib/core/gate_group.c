/* The gate's side of a group: partitions come and go by what the group says (rebalance.h).
 *
 *   ASSIGNED   without notices applied at once; with them when the application is done, at the
 *              places it names. At RELEASE the notice is withdrawn, and nothing is applied
 *   REVOKING   held back at once: from here on no poll returns anything of these partitions, and
 *              what is buffered of them is dropped. They go when no batch of theirs is in hand,
 *              with notices when the application says that it is done, and in any case at RELEASE
 *   LOST       gone at once, and with them whatever was to be told
 *
 * A partition that goes takes its batches in hand with it: they stay readable, and finishing them
 * says STALE. Up to then a finish counts, and the answer to the group carries what is to be
 * committed of each partition: as far as it was finished, if that is the library's business.
 *
 * A process that stood still for longer than a session may have lost everything, and nobody could
 * tell it: whoever takes slices says the time, and past what core knew to be true nothing goes out
 * until it knows more.
 *
 * Not here: deadlines (the group has a clock, the gate has none), commits. */
#include <string.h>

#include "base/assert.h"
#include "core/gate_slots.h"
#include "sluice/error.h"

/* ---- answers ---- */

static void give_answer(struct sl_gate *g, struct sl_rebalance *r, int code) {
    struct sl_command *answer = r->answer;
    if (answer == NULL) return;
    r->answer = NULL;
    answer->code = code;
    sl_list_push_back(&g->orders, &answer->node);
}

/* Takes the partitions away and answers with how far each was finished. */
static void release_slots(struct sl_gate *g, struct sl_rebalance *r) {
    SL_ASSERT(r->answer != NULL && r->answer->slot_count == r->offsets->count);
    for (int32_t i = 0; i < r->offsets->count; i++) {
        const struct sl_offset_entry *entry = &r->offsets->entries[i];
        struct sl_slot_order *order = &r->answer->slots[i];
        struct sl_gate_slot *slot = sl_gate_slots_find(g, entry->topic, entry->partition);
        order->slot = slot == NULL ? UINT32_MAX : slot->index;
        order->partition = entry->partition;
        order->offset = slot == NULL ? -1 : sl_gate_commit_of(g, slot, &order->offset_epoch);
        if (slot != NULL) sl_gate_slots_empty(g, slot);
    }
    if (g->assigned.count == 0) g->leaving = false;
    give_answer(g, r, 0);
}

/* ---- assigned ---- */

/* Entries of `start` say where to begin with what is new. */
static void apply_start(struct sl_rebalance *r, const struct sl_offsets *start) {
    for (int32_t i = 0; i < r->offsets->count; i++) {
        const struct sl_offset_entry *added = &r->offsets->entries[i];
        const struct sl_offset_entry *from =
            sl_offset_list_find(start, added->topic, added->partition);
        struct sl_offset_entry *to = sl_offset_list_find(r->whole, added->topic, added->partition);
        if (from == NULL || to == NULL) continue;
        to->offset = from->offset;
        to->leader_epoch = from->leader_epoch;
        to->timestamp_ms = from->timestamp_ms;
    }
}

static int apply_assigned(struct sl_gate *g, struct sl_rebalance *r) {
    int rv = sl_gate_orders_assign(g, r->whole);
    give_answer(g, r, rv);
    return rv;
}

/* ---- revoking ---- */

static void hold_slots_back(struct sl_gate *g, const struct sl_rebalance *r) {
    for (int32_t i = 0; i < r->offsets->count; i++) {
        const struct sl_offset_entry *entry = &r->offsets->entries[i];
        struct sl_gate_slot *slot = sl_gate_slots_find(g, entry->topic, entry->partition);
        if (slot == NULL) continue;
        slot->revoking = true;
        sl_gate_slots_drop_buffered(g, slot);
    }
}

static bool is_slot_in_hand(const struct sl_gate_slot *slot) {
    SL_LIST_EACH(node, next, &slot->hand)
        if (!SL_LIST_OF(node, const struct sl_slice, node)->given) return true;
    return false;
}

static bool is_anything_in_hand(const struct sl_gate *g, const struct sl_rebalance *r) {
    for (int32_t i = 0; i < r->offsets->count; i++) {
        const struct sl_offset_entry *entry = &r->offsets->entries[i];
        const struct sl_gate_slot *slot = sl_gate_slots_find(g, entry->topic, entry->partition);
        if (slot != NULL && is_slot_in_hand(slot)) return true;
    }
    return false;
}

/* The revocation is over. What the application has still to be told of it stays to be told. */
static void end_revocation(struct sl_gate *g) {
    struct sl_rebalance *r = g->revocation;
    g->revocation = NULL;
    release_slots(g, r);
    if (r->done || !sl_list_is_linked(&r->node)) {
        sl_list_remove(&r->node);
        sl_rebalance_destroy(g->alloc, r);
    }
}

static void try_to_end_revocation(struct sl_gate *g) {
    struct sl_rebalance *r = g->revocation;
    bool waits = sl_list_is_linked(&r->node) ? !r->done : is_anything_in_hand(g, r);
    if (!waits || r->hurries) end_revocation(g);
}

void sl_gate_group_on_given(struct sl_gate *g, const struct sl_gate_slot *slot) {
    if (g->revocation == NULL || is_slot_in_hand(slot)) return;
    try_to_end_revocation(g);
}

/* ---- whether they are still ours ---- */

void sl_gate_trust(struct sl_gate *g, int64_t until) {
    if (until > g->trusted_until) g->is_doubtful = false;
    g->trusted_until = until;
}

void sl_gate_on_time(struct sl_gate *g, int64_t now) { g->is_doubtful = now >= g->trusted_until; }

/* ---- messages from the group ---- */

/* Nothing that was under way counts any more; what it would have answered is not wanted. */
static void drop_told(struct sl_gate *g) {
    struct sl_list *node;
    struct sl_rebalance *held = g->revocation;
    g->revocation = NULL;
    if (held != NULL && !sl_list_is_linked(&held->node)) sl_rebalance_destroy(g->alloc, held);
    while ((node = sl_list_pop_front(&g->told)) != NULL)
        sl_rebalance_destroy(g->alloc, SL_LIST_OF(node, struct sl_rebalance, node));
}

/* True: the message is kept, to be told. */
static bool on_partitions(struct sl_gate *g, struct sl_rebalance *r) {
    bool is_told = g->settings->rebalance_notices && r->offsets->count > 0 && !r->hurries;
    switch (r->kind) {
    case SL_REBALANCE_ASSIGNED:
        if (!is_told) (void)apply_assigned(g, r);
        break;
    case SL_REBALANCE_REVOKING:
        hold_slots_back(g, r);
        SL_ASSERT(g->revocation == NULL);
        g->revocation = r;
        break;
    default:
        drop_told(g);
        release_slots(g, r);
        break;
    }
    if (is_told) sl_list_push_back(&g->told, &r->node);
    if (r->kind != SL_REBALANCE_REVOKING) return is_told;
    try_to_end_revocation(g);
    return true;
}

/* True: kept until there is a poll. */
static bool on_poll_question(struct sl_gate *g, struct sl_rebalance *r) {
    bool polled = g->polled || g->polling;
    g->polled = false;
    if (!polled && r->waits) {
        sl_rebalance_destroy(g->alloc, g->question);
        g->question = r;
        return true;
    }
    give_answer(g, r, polled);
    return false;
}

/* What has that serial is waited for no longer. */
static void release(struct sl_gate *g, uint64_t serial) {
    if (g->revocation != NULL && g->revocation->serial == serial) {
        end_revocation(g);
        return;
    }
    SL_LIST_EACH(node, next, &g->told) {
        struct sl_rebalance *r = SL_LIST_OF(node, struct sl_rebalance, node);
        if (r->kind != SL_REBALANCE_ASSIGNED || r->serial != serial) continue;
        give_answer(g, r, SLUICE_ERR_STALE);
        sl_list_remove(&r->node);
        sl_rebalance_destroy(g->alloc, r);
    }
}

void sl_gate_on_rebalances(struct sl_gate *g, struct sl_list *rebalances) {
    struct sl_list *node;
    while ((node = sl_list_pop_front(rebalances)) != NULL) {
        struct sl_rebalance *r = SL_LIST_OF(node, struct sl_rebalance, node);
        bool kept = false;
        switch (r->kind) {
        case SL_REBALANCE_ASSIGNED:
        case SL_REBALANCE_REVOKING:
        case SL_REBALANCE_LOST:
            kept = on_partitions(g, r);
            break;
        case SL_REBALANCE_RELEASE:
            release(g, r->serial);
            break;
        case SL_REBALANCE_POLLED:
            kept = on_poll_question(g, r);
            break;
        case SL_REBALANCE_FAILED:
            sl_rebalance_destroy(g->alloc, g->failure);
            g->failure = r;
            kept = true;
            break;
        }
        if (!kept) sl_rebalance_destroy(g->alloc, r);
    }
}

void sl_gate_group_deinit(struct sl_gate *g) {
    drop_told(g);
    sl_rebalance_destroy(g->alloc, g->question);
    sl_rebalance_destroy(g->alloc, g->failure);
}

/* ---- the application ---- */

static int send_group_order(struct sl_gate *g, struct sl_command *order) {
    sl_list_push_back(&g->orders, &order->node);
    return 0;
}

int sl_gate_subscribe(struct sl_gate *g, const char *const *topics, int32_t count) {
    struct sl_command *order;
    if (!g->subscribed && !g->leaving && g->assigned.count > 0) return SLUICE_ERR_USAGE;
    if (!g->subscribed && count == 0) return 0;
    int rv = sl_command_create(g->alloc, SL_COMMAND_SUBSCRIBE, &order);
    if (rv != 0) return rv;
    if (count > 0) {
        order->settings = sl_alloc_array(g->alloc, (size_t)count, sizeof(char *));
        if (order->settings == NULL) goto destroy_order;
        order->setting_count = count;
    }
    for (int32_t i = 0; i < count; i++) {
        order->settings[i] = sl_alloc_text(g->alloc, topics[i], strlen(topics[i]));
        if (order->settings[i] == NULL) goto destroy_order;
    }
    g->subscribed = count > 0;
    g->leaving = count == 0 && g->assigned.count > 0;
    g->polled = true; /* whoever subscribes is alive */
    return send_group_order(g, order);

destroy_order:
    sl_command_destroy(g->alloc, order);
    return SLUICE_ERR_NOMEM;
}

int sl_gate_rejoin(struct sl_gate *g, const char *reason) {
    struct sl_command *order;
    if (!g->subscribed) return SLUICE_ERR_USAGE;
    int rv = sl_command_create(g->alloc, SL_COMMAND_REJOIN, &order);
    if (rv != 0) return rv;
    if (reason != NULL) order->topic = sl_alloc_text(g->alloc, reason, strlen(reason));
    return send_group_order(g, order);
}

bool sl_gate_poll_begin(struct sl_gate *g) {
    struct sl_rebalance *question = g->question;
    g->polling = g->polled = true;
    if (question == NULL) return false;
    g->question = NULL;
    give_answer(g, question, 1);
    sl_rebalance_destroy(g->alloc, question);
    return true;
}

void sl_gate_poll_end(struct sl_gate *g) { g->polling = false; }

/* The first that is to be told, or has been and is not done with. */
static struct sl_rebalance *first_told(const struct sl_gate *g) {
    struct sl_list *node = g->told.next;
    return node == &g->told ? NULL : SL_LIST_OF(node, struct sl_rebalance, node);
}

const struct sl_rebalance *sl_gate_peek_notice(const struct sl_gate *g) {
    const struct sl_rebalance *r = first_told(g);
    return r == NULL || r->taken ? NULL : r;
}

bool sl_gate_has_notice(const struct sl_gate *g) { return sl_gate_peek_notice(g) != NULL; }

void sl_gate_take_notice(struct sl_gate *g) { first_told(g)->taken = true; }

int sl_gate_end_notice(struct sl_gate *g, uint64_t serial, const struct sl_offsets *start) {
    struct sl_rebalance *r = first_told(g);
    int rv = 0;
    if (r == NULL || !r->taken || r->serial != serial) return SLUICE_ERR_STALE;
    r->done = true;
    if (r->kind == SL_REBALANCE_REVOKING && g->revocation == r) {
        end_revocation(g);
        return 0;
    }
    sl_list_remove(&r->node);
    if (r->kind == SL_REBALANCE_REVOKING) rv = SLUICE_ERR_STALE;
    if (r->kind == SL_REBALANCE_ASSIGNED) {
        if (start != NULL) apply_start(r, start);
        rv = apply_assigned(g, r);
    }
    sl_rebalance_destroy(g->alloc, r);
    return rv;
}
