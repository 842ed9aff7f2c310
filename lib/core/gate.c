/* The consumer's delivery gate (gate.h says for whom and under which lock).
 *
 * A slot is the place of one assigned partition. Its life:
 *
 *   free ──assign──▶ assigned (epoch e) ──seek, rewind──▶ assigned (epoch e+1) ──assign──▶ free
 *
 * The epoch rises with every change of position that the application asked for. Orders, slices and
 * news carry it; what arrives under an older one is dropped here, whatever core or a broker still
 * had under way. Epochs of a slot never repeat, also when another partition moves in.
 *
 * A slice goes from the slot's queue into the application's hands, in offset order. In hand it
 * stays linked in the slot's `hand` list until it is given back and nothing unprocessed lies before
 * it, so the finished prefix is where the first slice of that list is marked to. A slice that is
 * given back unprocessed pins the prefix (`held`): no commit may pass it.
 *
 * The gate knows nothing of record formats: offsets, bytes and codes are all it sees. */
#include "core/gate.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/text.h"
#include "core/fetcher.h"
#include "sluice/error.h"

enum { SLOT_NAME_MAX = 4 + 256 }; /* bytes of a slot's key: partition and topic name */

struct gate_slot {
    struct sl_list ready; /* gate.ready, while something can be handed out */
    struct sl_list free;  /* gate.free, while topic is NULL */
    struct sl_list queue; /* struct sl_slice, not handed out yet */
    struct sl_list hand;  /* struct sl_slice handed out under this epoch, oldest first */
    char *topic;          /* interned in gate.names; NULL: the slot is free */
    int32_t partition;
    uint32_t index; /* in gate.slots */
    uint32_t epoch;
    int64_t position; /* next offset to hand out; -1: being looked up */
    int64_t finished; /* processed without a hole below this; -1: unknown */
    int64_t held;     /* the prefix may not pass this; INT64_MAX: nothing is held */
    int64_t high_watermark;
    int64_t last_stable;
    bool paused;
    bool stopped; /* what comes is damaged (sl_gate_stop): dropped until the epoch changes */
    bool kept;    /* scratch of assign: the new list has it … */
    bool added;   /* … and it was not assigned before */
};

struct sl_gate {
    const struct sl_alloc *alloc;
    const struct sl_settings *settings;
    struct gate_slot **slots;
    uint32_t slot_count; /* allocated slots; free ones are reused */
    uint32_t slot_cap;
    struct sl_map names;    /* topic name → its interned copy; never shrinks */
    struct sl_map assigned; /* partition and topic → struct gate_slot */
    struct sl_list free;    /* slots that nothing is assigned to */
    struct sl_list ready;   /* slots to take from, in turn */
    struct sl_list orders;  /* struct sl_command for core */
    struct sl_list buffers; /* struct sl_buffer on their way back */
    int64_t used;           /* bytes of the receiving account that are buffered or in hand */
    int64_t in_hand;        /* of these, in the application's hands */
    int64_t freed;          /* change since the last take_returned */
    int left_code;          /* of a finish that nobody may have looked at */
};

int sl_gate_create(const struct sl_settings *settings, const struct sl_alloc *alloc,
                   struct sl_gate **out) {
    struct sl_gate *g = sl_alloc_zero(alloc, sizeof *g);
    *out = g;
    if (g == NULL) return SLUICE_ERR_NOMEM;
    g->alloc = alloc;
    g->settings = settings;
    sl_map_init(&g->names, alloc);
    sl_map_init(&g->assigned, alloc);
    sl_list_init(&g->free);
    sl_list_init(&g->ready);
    sl_list_init(&g->orders);
    sl_list_init(&g->buffers);
    return 0;
}

/* ---- memory of answers ---- */

/* The bytes of a slice are not needed any more; the buffer goes back with the last. */
static void release_slice_bytes(struct sl_gate *g, struct sl_slice *slice) {
    struct sl_fetched *f = slice->owner;
    SL_ASSERT(f->slices_left > 0);
    if (--f->slices_left > 0 || f->buffer == NULL) return;
    sl_list_push_back(&g->buffers, &f->buffer->node);
    f->buffer = NULL;
    g->used -= f->charged;
    g->freed += f->charged;
}

/* The node of a slice is not needed any more; the answer goes with the last. */
static void release_slice_node(struct sl_gate *g, struct sl_slice *slice) {
    struct sl_fetched *f = slice->owner;
    sl_list_remove(&slice->node);
    SL_ASSERT(f->nodes_left > 0);
    if (--f->nodes_left > 0) return;
    SL_ASSERT(f->buffer == NULL);
    sl_alloc_free(g->alloc, f, f->size);
}

static void drop_buffered_slices(struct sl_gate *g, struct gate_slot *slot) {
    struct sl_list *node;
    while ((node = sl_list_pop_front(&slot->queue)) != NULL) {
        struct sl_slice *slice = SL_LIST_OF(node, struct sl_slice, node);
        release_slice_bytes(g, slice);
        release_slice_node(g, slice);
    }
    sl_list_remove(&slot->ready);
}

/* Slices in hand stop counting for this slot; they stay readable, and mark says STALE. */
static void let_go_of_hand(struct sl_gate *g, struct gate_slot *slot) {
    struct sl_list *node;
    while ((node = sl_list_pop_front(&slot->hand)) != NULL) {
        struct sl_slice *slice = SL_LIST_OF(node, struct sl_slice, node);
        if (slice->given) release_slice_node(g, slice);
    }
}

void sl_gate_destroy(struct sl_gate *g) {
    if (g == NULL) return;
    for (uint32_t i = 0; i < g->slot_count; i++) {
        drop_buffered_slices(g, g->slots[i]);
        let_go_of_hand(g, g->slots[i]);
        sl_alloc_free(g->alloc, g->slots[i], sizeof *g->slots[i]);
    }
    sl_alloc_free(g->alloc, g->slots, g->slot_cap * sizeof *g->slots);
    SL_LIST_EACH(node, next, &g->orders)
        sl_command_destroy(g->alloc, SL_LIST_OF(node, struct sl_command, node));
    SL_LIST_EACH(node, next, &g->buffers)
        sl_buffers_free(g->alloc, SL_LIST_OF(node, struct sl_buffer, node));
    const struct sl_map_entry *entry;
    for (uint32_t at = 0; sl_map_next(&g->names, &at, &entry) != NULL;)
        sl_alloc_free(g->alloc, entry->value, entry->key_size + 1U);
    sl_map_deinit(&g->names);
    sl_map_deinit(&g->assigned);
    sl_alloc_free(g->alloc, g, sizeof *g);
}

/* ---- slots ---- */

static size_t write_slot_key(uint8_t key[SLOT_NAME_MAX], const char *topic, int32_t partition) {
    size_t len = strlen(topic);
    if (len > SLOT_NAME_MAX - 4) return 0; /* no topic has such a name */
    sl_bytes_put32(key, (uint32_t)partition);
    memcpy(key + 4, topic, len);
    return 4 + len;
}

static struct gate_slot *find_slot(const struct sl_gate *g, const char *topic, int32_t partition) {
    uint8_t key[SLOT_NAME_MAX];
    size_t size = write_slot_key(key, topic, partition);
    return size == 0 ? NULL : sl_map_get(&g->assigned, key, size);
}

static char *intern_topic(struct sl_gate *g, const char *topic) {
    size_t len = strlen(topic);
    char *name = sl_map_get(&g->names, topic, len);
    if (name != NULL) return name;
    name = sl_alloc_text(g->alloc, topic, len);
    if (name == NULL) return NULL;
    if (sl_map_put(&g->names, topic, len, name) == 0) return name;
    sl_alloc_free(g->alloc, name, len + 1);
    return NULL;
}

/* Makes sure that `count` slots exist, so that assigning cannot fail half-way. */
static int reserve_slots(struct sl_gate *g, uint32_t count) {
    if (count > g->slot_cap) {
        uint32_t cap = g->slot_cap * 2 > count ? g->slot_cap * 2 : count;
        struct gate_slot **slots =
            sl_alloc_resize(g->alloc, g->slots, g->slot_cap, cap, sizeof *slots);
        if (slots == NULL) return SLUICE_ERR_NOMEM;
        g->slots = slots;
        g->slot_cap = cap;
    }
    while (g->slot_count < count) {
        struct gate_slot *slot = sl_alloc_zero(g->alloc, sizeof *slot);
        if (slot == NULL) return SLUICE_ERR_NOMEM;
        sl_list_init(&slot->ready);
        sl_list_init(&slot->queue);
        sl_list_init(&slot->hand);
        slot->index = g->slot_count;
        g->slots[g->slot_count++] = slot;
        sl_list_push_back(&g->free, &slot->free);
    }
    return 0;
}

static void update_ready(struct sl_gate *g, struct gate_slot *slot) {
    bool wanted = slot->topic != NULL && !slot->paused && !sl_list_is_empty(&slot->queue);
    if (!wanted)
        sl_list_remove(&slot->ready);
    else if (!sl_list_is_linked(&slot->ready))
        sl_list_push_back(&g->ready, &slot->ready);
}

/* A new epoch at a new place: nothing of before counts any more. offset below 0: a symbol. */
static void restart_slot(struct sl_gate *g, struct gate_slot *slot, int64_t offset) {
    drop_buffered_slices(g, slot);
    let_go_of_hand(g, slot);
    slot->epoch++;
    slot->stopped = false;
    slot->position = offset >= 0 ? offset : -1;
    slot->finished = slot->position;
    slot->held = INT64_MAX;
}

static void free_slot(struct sl_gate *g, struct gate_slot *slot) {
    uint8_t key[SLOT_NAME_MAX];
    restart_slot(g, slot, -1);
    sl_map_remove(&g->assigned, key, write_slot_key(key, slot->topic, slot->partition));
    slot->topic = NULL;
    sl_list_push_back(&g->free, &slot->free);
}

/* A slot for a partition that is new; slots are reserved. 0, NOMEM or USAGE (no such name). */
static int fill_slot(struct sl_gate *g, const char *topic, int32_t partition,
                     struct gate_slot **out) {
    uint8_t key[SLOT_NAME_MAX];
    size_t size = write_slot_key(key, topic, partition);
    if (size == 0) return SLUICE_ERR_USAGE;
    struct gate_slot *slot = SL_LIST_OF(sl_list_peek(&g->free), struct gate_slot, free);
    char *name = intern_topic(g, topic);
    if (name == NULL) return SLUICE_ERR_NOMEM;
    int rv = sl_map_put(&g->assigned, key, size, slot);
    if (rv != 0) return rv;
    sl_list_remove(&slot->free);
    slot->topic = name;
    slot->partition = partition;
    slot->paused = false;
    slot->high_watermark = slot->last_stable = -1;
    *out = slot;
    return 0;
}

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

static void fill_order(struct sl_slot_order *o, const struct gate_slot *slot,
                       const struct sl_offset_entry *entry) {
    o->slot = slot->index;
    o->epoch = slot->epoch;
    o->partition = slot->partition;
    o->paused = slot->paused;
    o->offset_epoch = entry == NULL ? -1 : entry->leader_epoch;
    o->timestamp_ms = entry == NULL ? 0 : entry->timestamp_ms;
    o->offset = entry == NULL ? slot->position : entry->offset;
}

/* Every entry names an assigned partition. */
static bool are_assigned(const struct sl_gate *g, const struct sl_offsets *list) {
    for (int32_t i = 0; i < list->count; i++)
        if (find_slot(g, list->entries[i].topic, list->entries[i].partition) == NULL) return false;
    return true;
}

/* Core cannot refuse an order: what it needs memory for comes along. */
static int equip_order(struct sl_gate *g, struct sl_slot_order *order,
                       const struct gate_slot *slot) {
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
    int rv = reserve_slots(g, g->assigned.count + (uint32_t)order->slot_count);
    if (rv != 0) return rv;
    for (int32_t i = 0; i < order->slot_count; i++) {
        const struct sl_offset_entry *entry = &list->entries[i];
        struct gate_slot *slot = find_slot(g, entry->topic, entry->partition);
        if (slot == NULL) {
            rv = fill_slot(g, entry->topic, entry->partition, &slot);
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
        if (g->slots[i]->added) free_slot(g, g->slots[i]);
}

int sl_gate_assign(struct sl_gate *g, const struct sl_offsets *list) {
    int32_t count = list == NULL ? 0 : list->count;
    struct sl_command *order;
    int rv = create_order(g, SL_COMMAND_ASSIGN, count, &order);
    if (rv != 0) return rv;
    for (uint32_t i = 0; i < g->slot_count; i++) g->slots[i]->kept = g->slots[i]->added = false;
    rv = plan_assignment(g, list, order);
    if (rv != 0) {
        undo_assignment(g);
        sl_command_destroy(g->alloc, order);
        return rv;
    }
    for (uint32_t i = 0; i < g->slot_count; i++)
        if (g->slots[i]->topic != NULL && !g->slots[i]->kept) free_slot(g, g->slots[i]);
    for (int32_t i = 0; i < count; i++) {
        const struct sl_offset_entry *entry = &list->entries[i];
        struct gate_slot *slot = find_slot(g, entry->topic, entry->partition);
        bool moves = slot->added || entry->offset != SL_OFFSET_COMMITTED;
        if (moves) restart_slot(g, slot, entry->offset);
        fill_order(&order->slots[i], slot, moves ? entry : NULL);
    }
    sl_list_push_back(&g->orders, &order->node);
    return 0;
}

int sl_gate_seek(struct sl_gate *g, const struct sl_offsets *list) {
    struct sl_command *order;
    if (!are_assigned(g, list)) return SLUICE_ERR_STALE;
    if (list->count == 0) return 0;
    int rv = create_order(g, SL_COMMAND_SEEK, list->count, &order);
    if (rv != 0) return rv;
    for (int32_t i = 0; i < list->count; i++) {
        const struct sl_offset_entry *entry = &list->entries[i];
        struct gate_slot *slot = find_slot(g, entry->topic, entry->partition);
        restart_slot(g, slot, entry->offset);
        fill_order(&order->slots[i], slot, entry);
    }
    sl_list_push_back(&g->orders, &order->node);
    return 0;
}

static void pause_slot(struct sl_gate *g, struct gate_slot *slot, bool paused,
                       struct sl_slot_order *order) {
    slot->paused = paused;
    update_ready(g, slot);
    fill_order(order, slot, NULL);
}

int sl_gate_pause(struct sl_gate *g, const struct sl_offsets *list, bool paused) {
    struct sl_command *order;
    if (list != NULL && !are_assigned(g, list)) return SLUICE_ERR_STALE;
    int32_t count = list == NULL ? (int32_t)g->assigned.count : list->count;
    if (count == 0) return 0;
    int rv = create_order(g, SL_COMMAND_PAUSE, count, &order);
    if (rv != 0) return rv;
    struct gate_slot *slot;
    uint32_t at = 0;
    for (int32_t i = 0; i < count; i++) {
        if (list == NULL)
            slot = sl_map_next(&g->assigned, &at, NULL);
        else
            slot = find_slot(g, list->entries[i].topic, list->entries[i].partition);
        pause_slot(g, slot, paused, &order->slots[i]);
    }
    sl_list_push_back(&g->orders, &order->node);
    return 0;
}

int sl_gate_positions(const struct sl_gate *g, struct sl_offsets *out) {
    const struct gate_slot *slot;
    for (uint32_t at = 0; (slot = sl_map_next(&g->assigned, &at, NULL)) != NULL;) {
        struct sl_offset_entry *entry = sl_offset_list_put(out, slot->topic, slot->partition);
        if (entry == NULL) return SLUICE_ERR_NOMEM;
        entry->offset = slot->position;
        entry->end = g->settings->read_committed ? slot->last_stable : slot->high_watermark;
        entry->paused = slot->paused;
    }
    return 0;
}

/* ---- handing out and giving back ---- */

/* An error slice ends the queue of its slot: it is told once. */
static int take_error(struct sl_gate *g, struct gate_slot *slot, struct sl_slice *slice, char *text,
                      size_t cap) {
    int code = slice->code;
    struct sl_text t;
    sl_text_init(&t, text, cap);
    sl_text_printf(&t, "%s-%d at offset %lld: %s", slot->topic, (int)slot->partition,
                   (long long)slice->from, slice->text);
    sl_list_remove(&slice->node);
    release_slice_bytes(g, slice);
    release_slice_node(g, slice);
    update_ready(g, slot);
    return code;
}

static void hand_out(struct sl_gate *g, struct gate_slot *slot, struct sl_slice *slice) {
    sl_list_remove(&slice->node);
    sl_list_push_back(&slot->hand, &slice->node);
    slice->marked = slice->from;
    slice->given = false;
    slot->position = slice->next_offset;
    g->in_hand += (int64_t)slice->size;
    sl_list_remove(&slot->ready);
    update_ready(g, slot); /* to the back of the turn */
}

static bool is_held(const struct sl_gate *g) {
    return g->in_hand > 0 && g->settings->fetch_memory - g->used < SL_GATE_ROOM_MIN;
}

int sl_gate_take(struct sl_gate *g, size_t max_bytes, struct sl_slice **out, int32_t cap,
                 int32_t *count, char *text, size_t text_cap) {
    size_t bytes = 0;
    struct gate_slot *first = NULL;
    *count = 0;
    if (g->left_code != 0) {
        int code = g->left_code;
        g->left_code = 0;
        return code;
    }
    while (*count < cap && (*count == 0 || bytes < max_bytes)) {
        struct sl_list *node = sl_list_peek(&g->ready);
        if (node == NULL) break;
        struct gate_slot *slot = SL_LIST_OF(node, struct gate_slot, ready);
        if (first == NULL) first = slot;
        if (g->settings->poll_one_partition && slot != first) break;
        struct sl_slice *slice = SL_LIST_OF(sl_list_peek(&slot->queue), struct sl_slice, node);
        if (slice->code != 0) {
            if (*count > 0) break;
            return take_error(g, slot, slice, text, text_cap);
        }
        hand_out(g, slot, slice);
        bytes += slice->size;
        out[(*count)++] = slice;
    }
    if (*count == 0 && is_held(g)) return SLUICE_ERR_HELD;
    return 0;
}

bool sl_gate_is_ready(const struct sl_gate *g) {
    return g->left_code != 0 || g->ready.next != &g->ready || is_held(g);
}

const char *sl_gate_topic(const struct sl_gate *g, uint32_t index, int32_t *partition) {
    SL_ASSERT(index < g->slot_count);
    *partition = g->slots[index]->partition;
    return g->slots[index]->topic;
}

/* The slot of a slice in hand, or NULL: it was sought, revoked or assigned anew since. */
static struct gate_slot *current_slot(const struct sl_gate *g, const struct sl_slice *slice) {
    struct gate_slot *slot = g->slots[slice->slot];
    return slot->topic != NULL && slot->epoch == slice->epoch ? slot : NULL;
}

/* Moves the finished prefix over slices that are processed whole. */
static void advance_finished(struct sl_gate *g, struct gate_slot *slot) {
    struct sl_list *node;
    while ((node = sl_list_peek(&slot->hand)) != NULL) {
        struct sl_slice *slice = SL_LIST_OF(node, struct sl_slice, node);
        int64_t to = slice->marked < slot->held ? slice->marked : slot->held;
        if (to > slot->finished) slot->finished = to;
        if (slice->marked < slice->next_offset || !slice->given) break;
        release_slice_node(g, slice);
    }
}

int sl_gate_mark(struct sl_gate *g, struct sl_slice *slice, int64_t offset) {
    struct gate_slot *slot = current_slot(g, slice);
    if (slot == NULL) return SLUICE_ERR_STALE;
    SL_ASSERT(!slice->given && offset <= slice->next_offset);
    if (offset > slice->marked) slice->marked = offset;
    advance_finished(g, slot);
    return 0;
}

int sl_gate_rewind(struct sl_gate *g, struct sl_slice *slice, int64_t offset, int32_t epoch) {
    struct gate_slot *slot = current_slot(g, slice);
    struct sl_command *order;
    if (slot == NULL) return SLUICE_ERR_STALE;
    int rv = create_order(g, SL_COMMAND_SEEK, 1, &order);
    if (rv != 0) return rv;
    int64_t finished = slot->finished;
    restart_slot(g, slot, offset);
    /* Going back does not undo what was processed before the first hole. */
    slot->finished = finished < offset ? finished : offset;
    fill_order(&order->slots[0], slot, NULL);
    order->slots[0].offset_epoch = epoch;
    sl_list_push_back(&g->orders, &order->node);
    return 0;
}

int sl_gate_untake(struct sl_gate *g, struct sl_slice *slice, int64_t from) {
    struct gate_slot *slot = current_slot(g, slice);
    if (slot == NULL) return SLUICE_ERR_STALE;
    if (slot->hand.prev != &slice->node) return SLUICE_ERR_BUSY;
    SL_ASSERT(!slice->given && from <= slice->next_offset);
    if (from > slice->marked) slice->marked = from;
    advance_finished(g, slot);
    sl_list_remove(&slice->node);
    sl_list_push_front(&slot->queue, &slice->node);
    if (from > slice->from) slice->from = from;
    slot->position = slice->from;
    g->in_hand -= (int64_t)slice->size;
    update_ready(g, slot);
    return 0;
}

int sl_gate_stop(struct sl_gate *g, struct sl_slice *slice, int64_t offset) {
    struct gate_slot *slot = current_slot(g, slice);
    if (slot == NULL) return SLUICE_ERR_STALE;
    SL_ASSERT(!slice->given && offset <= slice->next_offset);
    drop_buffered_slices(g, slot);
    slice->next_offset = offset;
    slot->position = offset;
    slot->stopped = true;
    /* Slices behind it may be in hand already; what is processed of them is no reason to pass. */
    if (offset < slot->held) slot->held = offset;
    return 0;
}

void sl_gate_give(struct sl_gate *g, struct sl_slice *slice) {
    struct gate_slot *slot = current_slot(g, slice);
    SL_ASSERT(!slice->given);
    g->in_hand -= (int64_t)slice->size;
    slice->given = true;
    release_slice_bytes(g, slice);
    if (slot == NULL) {
        release_slice_node(g, slice);
        return;
    }
    if (slice->marked < slice->next_offset) {
        if (slice->marked < slot->held) slot->held = slice->marked;
        slice->marked = slice->next_offset; /* held keeps the prefix from passing */
    }
    advance_finished(g, slot);
}

void sl_gate_charge(struct sl_gate *g, int64_t bytes) {
    g->used += bytes;
    g->in_hand += bytes;
    g->freed -= bytes;
}

void sl_gate_leave_code(struct sl_gate *g, int code) { g->left_code = code; }

int64_t sl_gate_finished(const struct sl_gate *g, const char *topic, int32_t partition) {
    const struct gate_slot *slot = find_slot(g, topic, partition);
    return slot == NULL ? -1 : slot->finished;
}

/* ---- I/O side ---- */

bool sl_gate_on_fetched(struct sl_gate *g, struct sl_list *fetched) {
    struct sl_list *node;
    bool news = false;
    while ((node = sl_list_pop_front(fetched)) != NULL) {
        struct sl_fetched *f = SL_LIST_OF(node, struct sl_fetched, node);
        int32_t count = f->slice_count; /* f goes with its last slice */
        g->used += f->charged;
        f->slices_left = f->nodes_left = count;
        for (int32_t i = 0; i < count; i++) {
            struct sl_slice *slice = &f->slices[i];
            struct gate_slot *slot = slice->slot < g->slot_count ? current_slot(g, slice) : NULL;
            slice->owner = f;
            if (slot == NULL || slot->stopped) {
                release_slice_bytes(g, slice);
                release_slice_node(g, slice);
                continue;
            }
            if (slice->high_watermark >= 0) slot->high_watermark = slice->high_watermark;
            if (slice->last_stable >= 0) slot->last_stable = slice->last_stable;
            sl_list_push_back(&slot->queue, &slice->node);
            update_ready(g, slot);
            news = news || !slot->paused;
        }
    }
    return news;
}

void sl_gate_on_news(struct sl_gate *g, struct sl_list *news) {
    struct sl_list *node;
    while ((node = sl_list_pop_front(news)) != NULL) {
        struct sl_slot_news *n = SL_LIST_OF(node, struct sl_slot_news, node);
        struct gate_slot *slot = n->slot < g->slot_count ? g->slots[n->slot] : NULL;
        if (slot != NULL && slot->topic != NULL && slot->epoch == n->epoch) {
            if (n->position >= 0) {
                slot->position = n->position;
                if (slot->finished < 0) slot->finished = n->position;
            }
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

void sl_gate_check(const struct sl_gate *g) {
    SL_ASSERT(g->used >= 0 && g->in_hand >= 0);
    for (uint32_t i = 0; i < g->slot_count; i++) {
        const struct gate_slot *slot = g->slots[i];
        int64_t at = -1;
        if (slot->topic == NULL) {
            SL_ASSERT(sl_list_is_empty(&slot->queue) && sl_list_is_empty(&slot->hand));
            SL_ASSERT(!sl_list_is_linked(&slot->ready));
            continue;
        }
        bool takeable = !slot->paused && !sl_list_is_empty(&slot->queue);
        SL_ASSERT(sl_list_is_linked(&slot->ready) == takeable);
        SL_ASSERT(slot->finished <= slot->position || slot->position < 0);
        SL_LIST_EACH(node, next, &slot->queue) {
            const struct sl_slice *slice = SL_LIST_OF(node, struct sl_slice, node);
            SL_ASSERT(slice->epoch == slot->epoch && slice->slot == i);
            SL_ASSERT(slice->from >= at && slice->from >= slot->position);
            at = slice->next_offset;
        }
    }
}
