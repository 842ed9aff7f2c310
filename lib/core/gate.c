/* The consumer's delivery gate (gate.h says for whom and under which lock): slices come in from
 * core, go out to the application, and come back.
 *
 * A slice goes from its slot's queue into the application's hands, in offset order. In hand it
 * stays linked in the slot's `hand` list until it is given back and nothing unprocessed lies before
 * it, so the finished prefix is as far as that list is marked without a hole. A slice that is given
 * back unprocessed pins the prefix (`held`): no commit may pass it.
 *
 * The receiving account: a buffer counts from on_fetched until no slice needs its bytes; what the
 * application decompresses counts while it says so (charge). Core hears of both by take_returned.
 *
 * The gate knows nothing of record formats: offsets, bytes and codes are all it sees. */
#include "core/gate.h"

#include "base/assert.h"
#include "base/text.h"
#include "core/gate_slots.h"
#include "sluice/error.h"

/* What came back is much when it is one part in so many of fetch.memory; arbitrary. */
enum { GATE_MUCH_SHARE = 8 };

int sl_gate_create(const struct sl_settings *settings, const struct sl_alloc *alloc,
                   struct sl_gate **out) {
    struct sl_gate *g = sl_alloc_zero(alloc, sizeof *g);
    *out = g;
    if (g == NULL) return SLUICE_ERR_NOMEM;
    g->alloc = alloc;
    g->settings = settings;
    g->trusted_until = INT64_MAX;
    sl_gate_slots_init(g);
    sl_gate_unpack_init(g);
    sl_list_init(&g->orders);
    sl_list_init(&g->buffers);
    sl_list_init(&g->told);
    return 0;
}

void sl_gate_destroy(struct sl_gate *g) {
    struct sl_list *node;
    if (g == NULL) return;
    sl_gate_group_deinit(g);
    sl_gate_slots_deinit(g);
    sl_gate_unpack_deinit(g);
    while ((node = sl_list_pop_front(&g->orders)) != NULL)
        sl_command_destroy(g->alloc, SL_LIST_OF(node, struct sl_command, node));
    while ((node = sl_list_pop_front(&g->buffers)) != NULL)
        sl_buffers_free(g->alloc, SL_LIST_OF(node, struct sl_buffer, node));
    sl_alloc_free(g->alloc, g, sizeof *g);
}

/* ---- looking ---- */

struct sl_gate_slot *sl_gate_current(const struct sl_gate *g, const struct sl_slice *slice) {
    struct sl_gate_slot *slot = g->slots[slice->slot];
    return slot->topic != NULL && slot->epoch == slice->epoch ? slot : NULL;
}

const char *sl_gate_topic(const struct sl_gate *g, uint32_t index, int32_t *partition) {
    SL_ASSERT(index < g->slot_count);
    *partition = g->slots[index]->partition;
    return g->slots[index]->topic != NULL ? g->slots[index]->topic : "";
}

int64_t sl_gate_finished(const struct sl_gate *g, const char *topic, int32_t partition) {
    const struct sl_gate_slot *slot = sl_gate_slots_find(g, topic, partition);
    return slot == NULL ? -1 : slot->progress.finished;
}

/* The next offset to hand out, as applications are told. */
static int64_t told_position(const struct sl_gate_slot *slot) {
    bool is_elsewhere = slot->moved_to >= 0 && sl_list_is_empty(&slot->queue);
    return is_elsewhere ? slot->moved_to : slot->position;
}

int sl_gate_positions(const struct sl_gate *g, struct sl_offsets *out) {
    const struct sl_gate_slot *slot;
    for (uint32_t at = 0; (slot = sl_map_next(&g->assigned, &at, NULL)) != NULL;) {
        struct sl_offset_entry *entry = sl_offset_list_put(out, slot->topic, slot->partition);
        if (entry == NULL) return SLUICE_ERR_NOMEM;
        entry->offset = told_position(slot);
        entry->committed = slot->committed;
        entry->end = g->settings->read_committed ? slot->last_stable : slot->high_watermark;
        entry->paused = slot->paused;
    }
    return 0;
}

/* ---- room ---- */

static bool has_room(const struct sl_gate *g) {
    return g->settings->fetch_memory - g->used >= SL_GATE_ROOM_MIN;
}

static bool is_held(const struct sl_gate *g) {
    return g->in_hand > 0 && !has_room(g) && g->ready.next == &g->ready;
}

/* Some partition is not paused, and so waits for data. */
static bool is_fetching(const struct sl_gate *g) {
    const struct sl_gate_slot *slot;
    for (uint32_t at = 0; (slot = sl_map_next(&g->assigned, &at, NULL)) != NULL;)
        if (!slot->paused && !slot->stopped && !slot->revoking) return true;
    return false;
}

/* What a paused partition has buffered goes, to be fetched again later from where it stands. */
static void shed_slot(struct sl_gate *g, struct sl_gate_slot *slot) {
    struct sl_command *order;
    struct sl_gate_progress progress = slot->progress;
    int32_t epoch = slot->epoch_before;
    if (sl_gate_orders_prepare(g, SL_COMMAND_SEEK, &order) != 0) return;
    sl_gate_slots_restart(g, slot, slot->position);
    slot->progress = progress;
    slot->epoch_before = epoch;
    sl_gate_orders_send(g, order, slot, epoch);
}

/* When nothing can be handed out, nothing is in hand, and the account is full all the same, then
 * paused partitions fill it, and the others would never be fetched again. */
static void shed_paused(struct sl_gate *g) {
    if (has_room(g) || g->in_hand > 0 || !sl_list_is_empty(&g->ready) || !is_fetching(g)) return;
    for (uint32_t i = 0; i < g->slot_count && !has_room(g); i++) {
        struct sl_gate_slot *slot = g->slots[i];
        bool sheds = slot->paused && slot->position >= 0 && sl_list_is_empty(&slot->hand);
        if (sheds && !sl_list_is_empty(&slot->queue)) shed_slot(g, slot);
    }
}

/* ---- handing out ---- */

/* An error slice ends the queue of its slot: it is told once. */
static int take_error(struct sl_gate *g, struct sl_gate_slot *slot, struct sl_slice *slice,
                      char *text, size_t cap) {
    int code = slice->code;
    struct sl_text t;
    sl_text_init(&t, text, cap);
    sl_text_printf(&t, "%s-%d", slot->topic, (int)slot->partition);
    if (slice->from >= 0) sl_text_printf(&t, " at offset %lld", (long long)slice->from);
    sl_text_printf(&t, ": %s", slice->text);
    sl_list_remove(&slice->node);
    sl_gate_slots_release_bytes(g, slice);
    sl_gate_slots_release_node(g, slice);
    sl_gate_slots_update(g, slot);
    return code;
}

/* Why the group cannot go on: told once. */
static int take_failure(struct sl_gate *g, char *text, size_t cap) {
    struct sl_rebalance *failure = g->failure;
    int code = failure->code;
    struct sl_text t;
    sl_text_init(&t, text, cap);
    sl_text_put(&t, failure->text);
    g->failure = NULL;
    sl_rebalance_destroy(g->alloc, failure);
    return code;
}

/* Moves the finished prefix over what is processed without a hole. Where nothing is open in hand,
 * that is all before the position: what a reset has jumped over does not come any more. */
static void advance_finished(struct sl_gate *g, struct sl_gate_slot *slot) {
    struct sl_gate_progress *p = &slot->progress;
    SL_LIST_EACH(node, next, &slot->hand) {
        struct sl_slice *slice = SL_LIST_OF(node, struct sl_slice, node);
        bool is_free = slice->marked < p->held;
        int64_t to = is_free ? slice->marked : p->held;
        if (to > p->finished) {
            p->finished = to;
            p->finished_epoch = is_free ? slice->marked_epoch : p->held_epoch;
        }
        if (slice->marked < slice->next_offset) return;
        if (slice->given) sl_gate_slots_release_node(g, slice);
    }
    if (slot->position > p->finished && p->held == INT64_MAX) {
        p->finished = slot->position;
        p->finished_epoch = -1;
    }
}

/* A reset has led the slot to where it begins, or begins anew: whoever reads the partition next
 * must not be led elsewhere, past what comes meanwhile. */
static void begin_led(struct sl_gate_slot *slot, int64_t at) {
    sl_gate_slots_begin(slot, at);
    slot->progress.is_led = true;
    slot->progress.told = slot->progress.kept = -1;
}

/* The slot goes on at another place without the application's having asked for it
 * (auto.offset.reset). Backwards, what was processed before says nothing about what comes. */
void sl_gate_move(struct sl_gate *g, struct sl_gate_slot *slot, int64_t to) {
    if (slot->position >= 0 && to < slot->position) {
        sl_gate_slots_let_go(g, slot, slot->hand.next);
        begin_led(slot, to);
    } else if (slot->progress.start < 0 && slot->by_group && to != slot->committed) {
        begin_led(slot, to);
    } else if (slot->progress.start < 0) {
        sl_gate_slots_begin(slot, to);
    }
    slot->position = to;
    slot->epoch_before = -1;
    advance_finished(g, slot);
}

/* Something more is processed. Once all is that lies before the place where core went on, the slot
 * is there: no slice may come that says so. */
static void note_processed(struct sl_gate *g, struct sl_gate_slot *slot) {
    int64_t to = slot->moved_to;
    advance_finished(g, slot);
    /* Stopped, the application has to seek first. */
    if (to < 0 || slot->stopped || !sl_list_is_empty(&slot->queue)) return;
    /* Backwards, what is in hand would become stale in the middle of its being given back. */
    if (to < slot->position && !sl_list_is_empty(&slot->hand)) return;
    slot->moved_to = -1;
    sl_gate_move(g, slot, to);
}

static void hand_out(struct sl_gate *g, struct sl_gate_slot *slot, struct sl_slice *slice) {
    if (slice->from != slot->position) sl_gate_move(g, slot, slice->from);
    sl_list_remove(&slice->node);
    sl_list_push_back(&slot->hand, &slice->node);
    slice->marked = slice->from;
    slice->marked_epoch = -1;
    slice->given = false;
    slice->topic = slot->topic;
    slice->partition = slot->partition;
    slot->position = slice->next_offset;
    slot->epoch_before = slice->last_epoch;
    sl_gate_unpack_on_moved(g, slice, true);
    sl_list_remove(&slot->ready);
    sl_gate_slots_update(g, slot); /* to the back of the turn */
}

/* The first slot that can be taken from at once. */
static struct sl_gate_slot *next_slot(const struct sl_gate *g) {
    if (g->is_doubtful) return NULL;
    for (struct sl_list *node = g->ready.next; node != &g->ready; node = node->next) {
        struct sl_gate_slot *slot = SL_LIST_OF(node, struct sl_gate_slot, ready);
        if (!sl_gate_unpack_is_under_way(slot)) return slot;
    }
    return NULL;
}

/* The slot whose turn it is; with poll.partitions=one the first one's for as long as it lasts. */
static struct sl_gate_slot *choose_slot(const struct sl_gate *g, struct sl_gate_slot *first) {
    if (first == NULL || !g->settings->poll_one_partition) return next_slot(g);
    bool has_more = sl_list_is_linked(&first->ready) && !sl_gate_unpack_is_under_way(first);
    return has_more ? first : NULL;
}

int sl_gate_take(struct sl_gate *g, size_t max_bytes, struct sl_slice **out, int32_t cap,
                 int32_t *count, char *text, size_t text_cap) {
    size_t bytes = 0;
    struct sl_gate_slot *slot = NULL;
    *count = 0;
    if (g->failure != NULL) return take_failure(g, text, text_cap);
    if (sl_gate_has_notice(g)) return SLUICE_NOTICE_REBALANCE;
    if (g->left_code != 0) {
        int code = g->left_code;
        g->left_code = 0;
        return code;
    }
    while (*count < cap && (*count == 0 || bytes < max_bytes)) {
        slot = choose_slot(g, slot);
        if (slot == NULL) break;
        struct sl_slice *slice = SL_LIST_OF(sl_list_peek(&slot->queue), struct sl_slice, node);
        if (slice->code != 0) {
            if (*count > 0) break;
            return take_error(g, slot, slice, text, text_cap);
        }
        /* By the next poll a worker may have done it. */
        if (*count > 0 && out[0]->unpack != NULL && slice->is_packed && slice->unpack == NULL)
            break;
        /* It would make stale what this batch has of its slot, before anybody has seen it. */
        if (*count > 0 && slice->from < slot->position) break;
        hand_out(g, slot, slice);
        bytes += slice->size;
        out[(*count)++] = slice;
    }
    if (*count > 0) return 0;
    shed_paused(g);
    return is_held(g) ? SLUICE_ERR_HELD : 0;
}

bool sl_gate_is_ready(const struct sl_gate *g) {
    bool is_told = g->left_code != 0 || g->failure != NULL || sl_gate_has_notice(g);
    return is_told || next_slot(g) != NULL || is_held(g);
}

/* ---- marks and giving back ---- */

int sl_gate_mark(struct sl_gate *g, struct sl_slice *slice, int64_t offset, int32_t epoch) {
    struct sl_gate_slot *slot = sl_gate_current(g, slice);
    if (slot == NULL) return SLUICE_ERR_STALE;
    SL_ASSERT(!slice->given && offset <= slice->next_offset);
    if (offset > slice->marked) {
        slice->marked = offset;
        slice->marked_epoch = epoch;
    }
    note_processed(g, slot);
    return 0;
}

/* What lies behind the slice waits in the queue, or has still to come: it was not handed out, or
 * was untaken too. */
static bool is_next_behind(struct sl_gate_slot *slot, const struct sl_slice *slice) {
    struct sl_list *node = sl_list_peek(&slot->queue);
    if (slot->position == slice->next_offset) return true;
    return node != NULL && SL_LIST_OF(node, struct sl_slice, node)->moved;
}

int sl_gate_untake(struct sl_gate *g, struct sl_slice *slice, int64_t from) {
    struct sl_gate_slot *slot = sl_gate_current(g, slice);
    if (slot == NULL) return SLUICE_ERR_STALE;
    if (slot->hand.prev != &slice->node || !is_next_behind(slot, slice)) return SLUICE_ERR_BUSY;
    SL_ASSERT(!slice->given && from <= slice->next_offset);
    if (from > slice->marked) {
        slice->marked = from;
        slice->marked_epoch = -1;
    }
    advance_finished(g, slot);
    sl_list_remove(&slice->node);
    sl_list_push_front(&slot->queue, &slice->node);
    if (from > slice->from) {
        slice->from = from;
        slice->moved = true;
    }
    slot->position = slice->from;
    slot->epoch_before = -1;
    sl_gate_unpack_on_moved(g, slice, false);
    sl_gate_slots_update(g, slot);
    if (slot->revoking) sl_gate_group_on_given(g, slot);
    return 0;
}

int sl_gate_split(struct sl_gate *g, struct sl_slice *slice, size_t size, int64_t offset,
                  int32_t epoch) {
    struct sl_gate_slot *slot = sl_gate_current(g, slice);
    if (slot == NULL) return SLUICE_ERR_STALE;
    if (slot->hand.prev != &slice->node || !is_next_behind(slot, slice)) return SLUICE_ERR_BUSY;
    SL_ASSERT(!slice->given && size < slice->size);
    SL_ASSERT(offset >= slice->marked && offset <= slice->next_offset);
    struct sl_slice *rest = sl_alloc_get(g->alloc, sizeof *rest);
    if (rest == NULL) return SLUICE_ERR_NOMEM;
    *rest = *slice;
    rest->is_apart = true;
    rest->unpack = NULL;
    rest->moved = false;
    rest->data += size;
    rest->size -= size;
    rest->from = offset;
    rest->owner->slices_left++;
    rest->owner->nodes_left++;
    slice->size = size;
    slice->next_offset = slot->position = offset;
    slice->last_epoch = slot->epoch_before = epoch;
    g->in_hand -= (int64_t)rest->size;
    sl_list_init(&rest->node);
    sl_list_push_front(&slot->queue, &rest->node);
    sl_gate_slots_update(g, slot);
    return 0;
}

/* What is not marked of a slice that comes back is never passed. */
static void hold_prefix(struct sl_gate *g, struct sl_gate_slot *slot, struct sl_slice *slice) {
    struct sl_gate_progress *p = &slot->progress;
    if (slice->marked >= slice->next_offset) return;
    if (slice->marked < p->held) {
        p->held = slice->marked;
        p->held_epoch = slice->marked_epoch;
    }
    slice->marked = slice->next_offset; /* held keeps the prefix from passing */
    sl_gate_commit_warn(g, slot);
}

void sl_gate_give(struct sl_gate *g, struct sl_slice *slice) {
    struct sl_gate_slot *slot = sl_gate_current(g, slice);
    SL_ASSERT(!slice->given);
    g->in_hand -= sl_gate_unpack_weight(slice);
    slice->given = true;
    sl_gate_slots_release_bytes(g, slice);
    if (slot == NULL || slice->from == slice->next_offset) { /* stale, or without records */
        sl_gate_slots_release_node(g, slice);
    } else {
        hold_prefix(g, slot, slice);
        note_processed(g, slot);
    }
    if (slot != NULL && slot->revoking) sl_gate_group_on_given(g, slot);
}

void sl_gate_charge(struct sl_gate *g, int64_t bytes) {
    g->used += bytes;
    g->in_hand += bytes;
    g->freed -= bytes;
}

void sl_gate_leave_code(struct sl_gate *g, int code) { g->left_code = code; }

/* ---- I/O side ---- */

static void queue_slice(struct sl_gate *g, struct sl_slice *slice) {
    struct sl_gate_slot *slot = slice->slot < g->slot_count ? sl_gate_current(g, slice) : NULL;
    if (slot == NULL || slot->stopped || slot->revoking) {
        sl_gate_slots_release_bytes(g, slice);
        sl_gate_slots_release_node(g, slice);
        return;
    }
    if (slice->high_watermark >= 0) slot->high_watermark = slice->high_watermark;
    if (slice->last_stable >= 0) slot->last_stable = slice->last_stable;
    if (slot->position < 0 && slice->from >= 0) sl_gate_move(g, slot, slice->from);
    if (slice->is_cut && !sl_gate_cut(g, slot, slice)) {
        sl_gate_slots_release_bytes(g, slice);
        sl_gate_slots_release_node(g, slice);
        return;
    }
    g->unpacks.is_of_use |= slice->is_packed;
    if (!slice->is_cut) slot->moved_to = -1; /* if it goes on elsewhere, this one begins there */
    sl_list_push_back(&slot->queue, &slice->node);
    sl_gate_slots_update(g, slot);
}

void sl_gate_tell_short(struct sl_gate *g, bool is_short) { g->is_short = is_short; }

bool sl_gate_is_due(struct sl_gate *g) {
    bool is_much = g->freed >= g->settings->fetch_memory / GATE_MUCH_SHARE;
    return (g->is_short && g->freed != 0) || is_much || !sl_list_is_empty(&g->orders) ||
           sl_gate_unpack_is_wanted(g);
}

void sl_gate_on_fetched(struct sl_gate *g, struct sl_list *fetched) {
    struct sl_list *node;
    while ((node = sl_list_pop_front(fetched)) != NULL) {
        struct sl_fetched *f = SL_LIST_OF(node, struct sl_fetched, node);
        int32_t count = f->slice_count; /* f goes with its last slice */
        g->used += f->charged;
        f->slices_left = f->nodes_left = count;
        for (int32_t i = 0; i < count; i++) {
            f->slices[i].owner = f;
            queue_slice(g, &f->slices[i]);
        }
    }
    shed_paused(g);
}

void sl_gate_on_news(struct sl_gate *g, struct sl_list *news) {
    struct sl_list *node;
    while ((node = sl_list_pop_front(news)) != NULL) {
        struct sl_slot_news *n = SL_LIST_OF(node, struct sl_slot_news, node);
        struct sl_gate_slot *slot = n->slot < g->slot_count ? g->slots[n->slot] : NULL;
        if (slot != NULL && slot->topic != NULL) sl_gate_commit_news(slot, n);
        if (slot != NULL && slot->topic != NULL && slot->epoch == n->epoch && !slot->stopped) {
            /* With slices before it in the queue, the one that begins there says it in time; when
             * none comes, it is the position once the queue is empty. */
            if (n->position >= 0) slot->moved_to = n->position;
            if (n->position >= 0 && sl_list_is_empty(&slot->queue))
                sl_gate_move(g, slot, n->position);
            if (n->high_watermark >= 0) slot->high_watermark = n->high_watermark;
            if (n->last_stable >= 0) slot->last_stable = n->last_stable;
        }
        sl_alloc_free(g->alloc, n, sizeof *n);
    }
}

void sl_gate_take_orders(struct sl_gate *g, struct sl_list *commands) {
    sl_list_splice_back(commands, &g->orders);
}

void sl_gate_take_returned(struct sl_gate *g, struct sl_list *buffers, int64_t *freed) {
    sl_list_splice_back(buffers, &g->buffers);
    *freed = g->freed;
    g->freed = 0;
}

/* ---- invariants ---- */

static void check_queued_slices(const struct sl_gate_slot *slot) {
    int64_t at = slot->position;
    SL_LIST_EACH(node, next, &slot->queue) {
        const struct sl_slice *slice = SL_LIST_OF(node, struct sl_slice, node);
        SL_ASSERT(slice->epoch == slot->epoch && slice->slot == slot->index);
        SL_ASSERT(slice->from <= slice->next_offset);
        /* No record is left out: each slice begins where the one before ends. */
        bool is_elsewhere = slice->moved || (slice->code != 0 && slice->from < 0);
        SL_ASSERT(slice->from == at || is_elsewhere);
        at = slice->next_offset;
    }
}

static void check_hand(const struct sl_gate_slot *slot) {
    bool is_first = true;
    SL_LIST_EACH(node, next, &slot->hand) {
        const struct sl_slice *slice = SL_LIST_OF(node, struct sl_slice, node);
        SL_ASSERT(slice->epoch == slot->epoch && slice->slot == slot->index);
        SL_ASSERT(slice->code == 0 && slice->from <= slice->marked);
        SL_ASSERT(slice->marked <= slice->next_offset && slice->next_offset <= slot->position);
        SL_ASSERT(!slice->given || slice->marked == slice->next_offset);
        SL_ASSERT(!is_first || !slice->given);
        is_first = false;
    }
}

static void check_progress(const struct sl_gate_slot *slot) {
    const struct sl_gate_progress *p = &slot->progress;
    SL_ASSERT(p->finished <= slot->position && p->finished <= p->held);
    SL_ASSERT(p->finished >= p->start && (p->told >= p->start || p->is_led) &&
              p->kept <= p->finished);
    SL_ASSERT(p->since <= slot->epoch && slot->assigned_epoch <= slot->epoch);
}

void sl_gate_check(const struct sl_gate *g) {
    uint32_t assigned = 0;
    sl_gate_unpack_check(g);
    SL_ASSERT(g->used >= 0 && g->in_hand >= 0);
    for (uint32_t i = 0; i < g->slot_count; i++) {
        const struct sl_gate_slot *slot = g->slots[i];
        SL_ASSERT(slot->index == i && sl_list_is_linked(&slot->free) == (slot->topic == NULL));
        bool takeable = slot->topic != NULL && !slot->paused && !slot->revoking &&
                        !sl_list_is_empty(&slot->queue);
        SL_ASSERT(sl_list_is_linked(&slot->ready) == takeable);
        if (slot->topic == NULL) {
            SL_ASSERT(sl_list_is_empty(&slot->queue) && sl_list_is_empty(&slot->hand));
            continue;
        }
        assigned++;
        check_progress(slot);
        check_queued_slices(slot);
        check_hand(slot);
    }
    SL_ASSERT(assigned == g->assigned.count);
}
