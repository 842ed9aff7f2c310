/* Sets of partitions as sorted arrays: they are compared, cut and told whole, and a member has few. */
#include "broker/group_parts.h"

#include <string.h>

#include "base/assert.h"
#include "sluice/error.h"
#include "wire/messages/68_consumer_group_heartbeat.h"

void sl_group_parts_free(const struct sl_alloc *alloc, struct sl_parts *p) {
    sl_alloc_free(alloc, p->items, (size_t)p->cap * sizeof *p->items);
    memset(p, 0, sizeof *p);
}

int sl_group_parts_reserve(const struct sl_alloc *alloc, struct sl_parts *p, int32_t count) {
    if (count <= p->cap) return 0;
    struct sl_part *grown =
        sl_alloc_resize(alloc, p->items, (size_t)p->cap, (size_t)count, sizeof *grown);
    if (grown == NULL) return SLUICE_ERR_NOMEM;
    p->items = grown;
    p->cap = count;
    return 0;
}

int sl_group_parts_compare(const struct sl_part *a, const struct sl_part *b) {
    int order = memcmp(a->topic.bytes, b->topic.bytes, sizeof a->topic.bytes);
    if (order != 0) return order;
    return (a->partition > b->partition) - (a->partition < b->partition);
}

void sl_group_parts_append(struct sl_parts *p, const struct sl_part *part) {
    SL_ASSERT(p->count < p->cap);
    SL_ASSERT(p->count == 0 || sl_group_parts_compare(&p->items[p->count - 1], part) < 0);
    p->items[p->count++] = *part;
}

void sl_group_parts_insert(struct sl_parts *p, const struct sl_part *part) {
    int32_t place = p->count;
    if (sl_group_parts_has(p, part)) return;
    SL_ASSERT(p->count < p->cap);
    for (; place > 0 && sl_group_parts_compare(part, &p->items[place - 1]) < 0; place--)
        p->items[place] = p->items[place - 1];
    p->items[place] = *part;
    p->count++;
}

bool sl_group_parts_has(const struct sl_parts *p, const struct sl_part *part) {
    int32_t low = 0, high = p->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = sl_group_parts_compare(&p->items[middle], part);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool sl_group_parts_equal(const struct sl_parts *a, const struct sl_parts *b) {
    if (a->count != b->count) return false;
    for (int32_t i = 0; i < a->count; i++)
        if (sl_group_parts_compare(&a->items[i], &b->items[i]) != 0) return false;
    return true;
}

static bool begins_topic(const struct sl_parts *p, int32_t index) {
    return index == 0 || !sl_bytes_uuid_equal(&p->items[index - 1].topic, &p->items[index].topic);
}

bool sl_group_parts_list(const struct sl_parts *p, struct sl_arena *arena, struct sl_array *out) {
    int32_t count = 0;
    for (int32_t i = 0; i < p->count; i++) count += begins_topic(p, i);
    struct sl_consumer_group_heartbeat_topic *topic =
        sl_arena_array(arena, (size_t)count, sizeof *topic);
    int32_t *numbers = sl_arena_array(arena, (size_t)p->count, sizeof *numbers);
    if (topic == NULL || numbers == NULL) return false;
    *out = (struct sl_array){topic--, count};
    for (int32_t i = 0; i < p->count; i++) {
        if (begins_topic(p, i)) {
            topic++;
            topic->topic_id = p->items[i].topic;
            topic->partitions = (struct sl_array){numbers + i, 0};
        }
        numbers[i] = p->items[i].partition;
        topic->partitions.count++;
    }
    return true;
}

/* Whether some partition of the message is in the set (wanted), or is not. */
static bool finds_part(const struct sl_parts *p, const struct sl_array *topics, bool wanted) {
    const struct sl_consumer_group_heartbeat_topic *t = topics->items;
    for (int32_t i = 0; i < topics->count; i++) {
        const int32_t *partitions = t[i].partitions.items;
        for (int32_t k = 0; k < t[i].partitions.count; k++) {
            struct sl_part part = {t[i].topic_id, partitions[k]};
            if (sl_group_parts_has(p, &part) == wanted) return true;
        }
    }
    return false;
}

bool sl_group_parts_any(const struct sl_parts *p, const struct sl_array *topics) {
    return finds_part(p, topics, true);
}

bool sl_group_parts_all(const struct sl_parts *p, const struct sl_array *topics) {
    return topics->count >= 0 && !finds_part(p, topics, false);
}
