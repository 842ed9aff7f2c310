/* Committed offsets of a group: by topic, then by partition.
 *
 * They go by the name of the topic, as in Kafka: whoever deletes a topic removes its offsets, so
 * that one made later under the same name begins without any. They know nothing of members; who may
 * commit is judged before (groups.c).
 *
 * Not done here: offsets do not expire, and none is pending in a transaction. */
#include "broker/group_offsets.h"

#include <string.h>

#include "base/assert.h"
#include "broker/owned.h"
#include "sluice/error.h"

enum { GROUP_OFFSETS_FIRST = 4 }; /* room of a topic; arbitrary */

void sl_group_offsets_init(struct sl_group_offsets *o, const struct sl_alloc *alloc) {
    o->alloc = alloc;
    sl_map_init(&o->topics, alloc);
}

static void free_offset_topic(const struct sl_alloc *alloc, struct sl_group_offset_topic *t) {
    for (int32_t i = 0; i < t->count; i++) sl_owned_free_text(alloc, &t->items[i].metadata);
    sl_alloc_free(alloc, t->items, (size_t)t->cap * sizeof *t->items);
    sl_owned_free_text(alloc, &t->name);
    sl_alloc_free(alloc, t, sizeof *t);
}

void sl_group_offsets_deinit(struct sl_group_offsets *o) {
    struct sl_group_offset_topic *t;
    for (uint32_t at = 0; (t = sl_map_next(&o->topics, &at, NULL)) != NULL;)
        free_offset_topic(o->alloc, t);
    sl_map_deinit(&o->topics);
}

static struct sl_group_offset_topic *find_offset_topic(const struct sl_group_offsets *o,
                                                       struct sl_str topic) {
    return topic.size <= 0 ? NULL : sl_map_get(&o->topics, topic.data, (size_t)topic.size);
}

/* The place of a partition, or of the next one. */
static int32_t place_of_offset(const struct sl_group_offset_topic *t, int32_t partition) {
    int32_t low = 0, high = t->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (t->items[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct sl_group_offset_topic *add_offset_topic(struct sl_group_offsets *o,
                                                      struct sl_str topic) {
    struct sl_group_offset_topic *t = sl_alloc_zero(o->alloc, sizeof *t);
    if (t == NULL) return NULL;
    bool has_name = sl_owned_text(o->alloc, topic, &t->name);
    t->items = sl_alloc_array(o->alloc, GROUP_OFFSETS_FIRST, sizeof *t->items);
    t->cap = t->items == NULL ? 0 : GROUP_OFFSETS_FIRST;
    if (t->cap > 0 && has_name && sl_map_put(&o->topics, topic.data, (size_t)topic.size, t) == 0)
        return t;
    free_offset_topic(o->alloc, t);
    return NULL;
}

static bool grow_offset_topic(struct sl_group_offsets *o, struct sl_group_offset_topic *t) {
    if (t->count < t->cap) return true;
    struct sl_group_offset *grown =
        sl_alloc_resize(o->alloc, t->items, (size_t)t->cap, (size_t)t->cap * 2, sizeof *grown);
    if (grown == NULL) return false;
    t->items = grown;
    t->cap *= 2;
    return true;
}

int sl_group_offsets_put(struct sl_group_offsets *o, struct sl_str topic,
                         const struct sl_group_offset *offset) {
    struct sl_group_offset made = *offset;
    if (!sl_owned_text(o->alloc, offset->metadata, &made.metadata)) return SLUICE_ERR_NOMEM;
    struct sl_group_offset_topic *t = find_offset_topic(o, topic);
    bool is_new = t == NULL;
    if (is_new) t = add_offset_topic(o, topic);
    if (t == NULL) goto free_metadata;
    int32_t place = place_of_offset(t, made.partition);
    if (place < t->count && t->items[place].partition == made.partition) {
        sl_owned_free_text(o->alloc, &t->items[place].metadata);
    } else {
        if (!grow_offset_topic(o, t)) goto free_metadata; /* a new topic has room */
        memmove(t->items + place + 1, t->items + place,
                (size_t)(t->count - place) * sizeof *t->items);
        t->count++;
    }
    t->items[place] = made;
    return 0;

free_metadata:
    sl_owned_free_text(o->alloc, &made.metadata);
    return SLUICE_ERR_NOMEM;
}

const struct sl_group_offset *sl_group_offsets_find(const struct sl_group_offsets *o,
                                                    struct sl_str topic, int32_t partition) {
    const struct sl_group_offset_topic *t = find_offset_topic(o, topic);
    if (t == NULL) return NULL;
    int32_t place = place_of_offset(t, partition);
    bool is_there = place < t->count && t->items[place].partition == partition;
    return is_there ? &t->items[place] : NULL;
}

void sl_group_offsets_remove_topic(struct sl_group_offsets *o, struct sl_str topic) {
    struct sl_group_offset_topic *t = find_offset_topic(o, topic);
    if (t == NULL) return;
    sl_map_remove(&o->topics, topic.data, (size_t)topic.size);
    free_offset_topic(o->alloc, t);
}

void sl_group_offsets_remove(struct sl_group_offsets *o, struct sl_str topic, int32_t partition) {
    struct sl_group_offset_topic *t = find_offset_topic(o, topic);
    if (t == NULL || sl_group_offsets_find(o, topic, partition) == NULL) return;
    int32_t place = place_of_offset(t, partition);
    sl_owned_free_text(o->alloc, &t->items[place].metadata);
    t->count--;
    memmove(t->items + place, t->items + place + 1, (size_t)(t->count - place) * sizeof *t->items);
    if (t->count == 0) sl_group_offsets_remove_topic(o, topic);
}

void sl_group_offsets_check(const struct sl_group_offsets *o) {
    const struct sl_group_offset_topic *t;
    for (uint32_t at = 0; (t = sl_map_next(&o->topics, &at, NULL)) != NULL;) {
        SL_ASSERT(find_offset_topic(o, t->name) == t);
        SL_ASSERT(t->count > 0 && t->count <= t->cap);
        for (int32_t i = 1; i < t->count; i++)
            SL_ASSERT(t->items[i - 1].partition < t->items[i].partition);
    }
}
