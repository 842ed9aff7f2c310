/* Lists of (topic, partition, offset): one growing array, texts owned entry by entry.
 *
 * Lists are as long as an assignment, so a linear search is enough; the partition is compared
 * first, which settles nearly every entry without touching its text. An add that finds no memory
 * marks the whole list failed, and whoever gets the list refuses it. */
#include "core/offset_list.h"

#include <string.h>

#include "sluice/error.h"

int sl_offset_list_create(const struct sl_alloc *alloc, struct sl_offsets **out) {
    struct sl_offsets *list = sl_alloc_zero(alloc, sizeof *list);
    if (list == NULL) return SLUICE_ERR_NOMEM;
    list->alloc = alloc;
    *out = list;
    return 0;
}

static void free_offset_text(const struct sl_alloc *alloc, char *text) {
    if (text != NULL) sl_alloc_free(alloc, text, strlen(text) + 1);
}

void sl_offset_list_clear(struct sl_offsets *list) {
    for (int32_t i = 0; i < list->count; i++) {
        free_offset_text(list->alloc, list->entries[i].topic);
        free_offset_text(list->alloc, list->entries[i].metadata);
    }
    list->count = 0;
}

void sl_offset_list_destroy(struct sl_offsets *list) {
    if (list == NULL) return;
    sl_offset_list_clear(list);
    sl_alloc_free(list->alloc, list->entries, (size_t)list->cap * sizeof *list->entries);
    sl_alloc_free(list->alloc, list, sizeof *list);
}

struct sl_offset_entry *sl_offset_list_find(const struct sl_offsets *list, const char *topic,
                                            int32_t partition) {
    for (int32_t i = 0; i < list->count; i++) {
        struct sl_offset_entry *entry = &list->entries[i];
        if (entry->partition == partition && strcmp(entry->topic, topic) == 0) return entry;
    }
    return NULL;
}

/* Room for one more. */
static bool grow_offset_list(struct sl_offsets *list) {
    enum { OFFSETS_FIRST = 8 };
    if (list->count < list->cap) return true;
    if (list->cap > INT32_MAX / 2) return false;
    int32_t cap = list->cap == 0 ? OFFSETS_FIRST : list->cap * 2;
    struct sl_offset_entry *entries = sl_alloc_resize(list->alloc, list->entries, (size_t)list->cap,
                                                      (size_t)cap, sizeof *entries);
    if (entries == NULL) return false;
    list->entries = entries;
    list->cap = cap;
    return true;
}

struct sl_offset_entry *sl_offset_list_put(struct sl_offsets *list, const char *topic,
                                           int32_t partition) {
    struct sl_offset_entry *entry = sl_offset_list_find(list, topic, partition);
    return entry != NULL ? entry : sl_offset_list_add(list, topic, partition);
}

struct sl_offset_entry *sl_offset_list_add(struct sl_offsets *list, const char *topic,
                                           int32_t partition) {
    char *copy = sl_alloc_text(list->alloc, topic, strlen(topic));
    if (copy == NULL || !grow_offset_list(list)) {
        free_offset_text(list->alloc, copy);
        if (list->failed == 0) list->failed = SLUICE_ERR_NOMEM;
        return NULL;
    }
    struct sl_offset_entry *entry = &list->entries[list->count++];
    *entry = (struct sl_offset_entry){.topic = copy,
                                      .offset = -1,
                                      .timestamp_ms = -1,
                                      .committed = -1,
                                      .end = -1,
                                      .partition = partition,
                                      .leader_epoch = -1};
    return entry;
}

int sl_offset_list_copy(const struct sl_offsets *from, const struct sl_alloc *alloc,
                        struct sl_offsets **out) {
    if (from->failed != 0) return from->failed;
    struct sl_offsets *list;
    int rv = sl_offset_list_create(alloc, &list);
    if (rv != 0) return rv;
    for (int32_t i = 0; i < from->count; i++) {
        const struct sl_offset_entry *source = &from->entries[i];
        struct sl_offset_entry *entry = sl_offset_list_add(list, source->topic, source->partition);
        if (entry == NULL) goto destroy_list;
        char *topic = entry->topic;
        *entry = *source;
        entry->topic = topic;
        if (source->metadata == NULL) continue;
        entry->metadata = sl_alloc_text(alloc, source->metadata, strlen(source->metadata));
        if (entry->metadata == NULL) goto destroy_list;
    }
    *out = list;
    return 0;

destroy_list:
    sl_offset_list_destroy(list);
    return SLUICE_ERR_NOMEM;
}
