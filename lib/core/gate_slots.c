/* Slots, and the memory of what lies in them.
 *
 *   free ──assign──▶ assigned (epoch e) ──seek, rewind──▶ assigned (epoch e+1) ──assign──▶ free
 *
 * The epoch rises with every change of position that the application asked for. Orders, slices and
 * news carry it; what arrives under an older one is dropped, whatever core or a broker still had
 * under way. Epochs of a slot never repeat, also when another partition moves in.
 *
 * A fetched answer is one block with its slices and one buffer with their bytes. The buffer goes
 * back when nobody needs bytes of it any more; the block when no slice of it is linked or in hand,
 * which may be later: a slice that was given back stays linked until the prefix has passed it. */
#include "core/gate_slots.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "sluice/error.h"

enum { SLOT_NAME_MAX = 4 + 256 }; /* bytes of a slot's key: partition and topic name */

void sl_gate_slots_init(struct sl_gate *g) {
    sl_map_init(&g->names, g->alloc);
    sl_map_init(&g->assigned, g->alloc);
    sl_list_init(&g->free);
    sl_list_init(&g->ready);
}

void sl_gate_slots_deinit(struct sl_gate *g) {
    const struct sl_map_entry *entry;
    for (uint32_t i = 0; i < g->slot_count; i++) {
        struct sl_gate_slot *slot = g->slots[i];
        sl_gate_slots_drop_buffered(g, slot);
        sl_gate_slots_let_go(g, slot, slot->hand.next);
        sl_alloc_free(g->alloc, slot, sizeof *slot);
    }
    sl_alloc_free(g->alloc, g->slots, g->slot_cap * sizeof *g->slots);
    for (uint32_t at = 0; sl_map_next(&g->names, &at, &entry) != NULL;)
        sl_alloc_free(g->alloc, entry->value, entry->key_size + 1U);
    sl_map_deinit(&g->names);
    sl_map_deinit(&g->assigned);
}

/* ---- memory of answers ---- */

static void release_answer_bytes(struct sl_gate *g, struct sl_fetched *f) {
    SL_ASSERT(f->slices_left > 0);
    if (--f->slices_left > 0 || f->buffer == NULL) return;
    sl_list_push_back(&g->buffers, &f->buffer->node);
    f->buffer = NULL;
    g->used -= f->charged;
    g->freed += f->charged;
}

static void release_answer_node(struct sl_gate *g, struct sl_fetched *f) {
    SL_ASSERT(f->nodes_left > 0);
    if (--f->nodes_left > 0) return;
    SL_ASSERT(f->buffer == NULL);
    sl_alloc_free(g->alloc, f, f->size);
}

void sl_gate_slots_hold_answer(struct sl_fetched *f) {
    f->slices_left++;
    f->nodes_left++;
}

void sl_gate_slots_release_answer(struct sl_gate *g, struct sl_fetched *f) {
    release_answer_bytes(g, f);
    release_answer_node(g, f);
}

void sl_gate_slots_release_bytes(struct sl_gate *g, struct sl_slice *slice) {
    sl_gate_unpack_drop(g, slice);
    release_answer_bytes(g, slice->owner);
}

void sl_gate_slots_release_node(struct sl_gate *g, struct sl_slice *slice) {
    struct sl_fetched *f = slice->owner;
    sl_list_remove(&slice->node);
    if (slice->is_apart) sl_alloc_free(g->alloc, slice, sizeof *slice);
    release_answer_node(g, f);
}

void sl_gate_slots_drop_buffered(struct sl_gate *g, struct sl_gate_slot *slot) {
    struct sl_list *node;
    while ((node = sl_list_pop_front(&slot->queue)) != NULL) {
        struct sl_slice *slice = SL_LIST_OF(node, struct sl_slice, node);
        sl_gate_slots_release_bytes(g, slice);
        sl_gate_slots_release_node(g, slice);
    }
    sl_list_remove(&slot->ready);
}

void sl_gate_slots_let_go(struct sl_gate *g, struct sl_gate_slot *slot, struct sl_list *first) {
    while (first != &slot->hand) {
        struct sl_slice *slice = SL_LIST_OF(first, struct sl_slice, node);
        first = first->next;
        sl_list_remove(&slice->node);
        slice->epoch = slot->epoch - 1; /* an epoch that does not come back */
        if (slice->given) sl_gate_slots_release_node(g, slice);
    }
}

/* ---- slots by partition ---- */

static size_t write_slot_key(uint8_t key[SLOT_NAME_MAX], const char *topic, int32_t partition) {
    size_t len = strlen(topic);
    if (len > SLOT_NAME_MAX - 4) return 0; /* no topic has such a name */
    sl_bytes_put32(key, (uint32_t)partition);
    memcpy(key + 4, topic, len);
    return 4 + len;
}

struct sl_gate_slot *sl_gate_slots_find(const struct sl_gate *g, const char *topic,
                                        int32_t partition) {
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

int sl_gate_slots_reserve(struct sl_gate *g, uint32_t count) {
    if (count > g->slot_cap) {
        uint32_t cap = g->slot_cap * 2 > count ? g->slot_cap * 2 : count;
        struct sl_gate_slot **slots =
            sl_alloc_resize(g->alloc, g->slots, g->slot_cap, cap, sizeof(struct sl_gate_slot *));
        if (slots == NULL) return SLUICE_ERR_NOMEM;
        g->slots = slots;
        g->slot_cap = cap;
    }
    while (g->slot_count < count) {
        struct sl_gate_slot *slot = sl_alloc_zero(g->alloc, sizeof *slot);
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

int sl_gate_slots_fill(struct sl_gate *g, const char *topic, int32_t partition,
                       struct sl_gate_slot **out) {
    uint8_t key[SLOT_NAME_MAX];
    size_t size = write_slot_key(key, topic, partition);
    if (size == 0) return SLUICE_ERR_USAGE;
    struct sl_list *node = sl_list_peek(&g->free);
    SL_ASSERT(node != NULL);
    struct sl_gate_slot *slot = SL_LIST_OF(node, struct sl_gate_slot, free);
    char *name = intern_topic(g, topic);
    if (name == NULL) return SLUICE_ERR_NOMEM;
    int rv = sl_map_put(&g->assigned, key, size, slot);
    if (rv != 0) return rv;
    sl_list_remove(&slot->free);
    slot->topic = name;
    slot->partition = partition;
    slot->paused = slot->revoking = false;
    slot->assigned_epoch = slot->epoch + 1; /* it has to be put somewhere first */
    slot->committed = -1;
    slot->high_watermark = slot->last_stable = -1;
    *out = slot;
    return 0;
}

void sl_gate_slots_empty(struct sl_gate *g, struct sl_gate_slot *slot) {
    uint8_t key[SLOT_NAME_MAX];
    sl_gate_slots_restart(g, slot, -1);
    sl_map_remove(&g->assigned, key, write_slot_key(key, slot->topic, slot->partition));
    slot->topic = NULL;
    sl_list_push_back(&g->free, &slot->free);
}

void sl_gate_slots_restart(struct sl_gate *g, struct sl_gate_slot *slot, int64_t offset) {
    sl_gate_slots_drop_buffered(g, slot);
    sl_gate_slots_let_go(g, slot, slot->hand.next);
    slot->epoch++;
    slot->stopped = false;
    slot->by_group = offset == SL_OFFSET_COMMITTED;
    slot->position = offset >= 0 ? offset : -1;
    slot->epoch_before = -1;
    slot->moved_to = -1;
    sl_gate_slots_begin(slot, slot->position);
}

void sl_gate_slots_begin(struct sl_gate_slot *slot, int64_t offset) {
    slot->progress = (struct sl_gate_progress){
        .start = offset,
        .finished = offset,
        .held = INT64_MAX,
        .told = offset,
        .asked = -1,
        .kept = offset,
        .finished_epoch = -1,
        .held_epoch = -1,
        .since = slot->epoch,
    };
}

void sl_gate_slots_update(struct sl_gate *g, struct sl_gate_slot *slot) {
    bool wanted =
        slot->topic != NULL && !slot->paused && !slot->revoking && !sl_list_is_empty(&slot->queue);
    if (!wanted)
        sl_list_remove(&slot->ready);
    else if (!sl_list_is_linked(&slot->ready))
        sl_list_push_back(&g->ready, &slot->ready);
}
