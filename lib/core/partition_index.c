/* An index of partitions, filled once and then asked: for requests that list partitions topic by
 * topic, whose answers have them in any order. Maps, because assignments have thousands. */
#include "core/partition_index.h"

#include <string.h>

#include "base/assert.h"
#include "sluice/error.h"

enum { PARTITION_KEY_MAX = 4 + 256 }; /* bytes of a key: partition and topic name */

void sl_partition_index_init(struct sl_partition_index *index, const struct sl_alloc *alloc) {
    *index = (struct sl_partition_index){.alloc = alloc};
    sl_map_init(&index->by_name, alloc);
    sl_map_init(&index->by_topic, alloc);
    sl_map_init(&index->by_id, alloc);
}

void sl_partition_index_deinit(struct sl_partition_index *index) {
    sl_map_deinit(&index->by_name);
    sl_map_deinit(&index->by_topic);
    sl_map_deinit(&index->by_id);
    for (int32_t i = 0; i < index->group_count; i++)
        sl_alloc_free(index->alloc, index->groups[i].name, index->groups[i].name_size + 1);
    sl_alloc_free(index->alloc, index->entries, (size_t)index->cap * sizeof *index->entries);
    sl_alloc_free(index->alloc, index->groups, (size_t)index->cap * sizeof *index->groups);
    sl_partition_index_init(index, index->alloc);
}

int sl_partition_index_reserve(struct sl_partition_index *index, int64_t most) {
    sl_partition_index_deinit(index);
    if (most == 0) return 0;
    if (most > INT32_MAX) return SLUICE_ERR_NOMEM;
    index->entries = sl_alloc_array(index->alloc, (size_t)most, sizeof *index->entries);
    index->groups = sl_alloc_array(index->alloc, (size_t)most, sizeof *index->groups);
    index->cap = (int32_t)most; /* freeing NULL is fine */
    if (index->entries != NULL && index->groups != NULL) return 0;
    sl_partition_index_deinit(index);
    return SLUICE_ERR_NOMEM;
}

static size_t write_partition_key(uint8_t key[PARTITION_KEY_MAX], struct sl_str topic,
                                  int32_t partition) {
    if (topic.size < 0 || topic.size > PARTITION_KEY_MAX - 4) return 0;
    sl_bytes_put32(key, (uint32_t)partition);
    memcpy(key + 4, topic.data, (size_t)topic.size);
    return 4 + (size_t)topic.size;
}

static struct sl_partition_group *get_partition_group(struct sl_partition_index *index,
                                                      const char *name) {
    size_t size = strlen(name);
    struct sl_partition_group *group = sl_map_get(&index->by_topic, name, size);
    if (group != NULL) return group;
    group = &index->groups[index->group_count];
    *group = (struct sl_partition_group){.name = sl_alloc_text(index->alloc, name, size),
                                         .name_size = size};
    if (group->name == NULL) return NULL;
    if (sl_map_put(&index->by_topic, name, size, group) != 0) {
        sl_alloc_free(index->alloc, group->name, size + 1);
        return NULL;
    }
    index->group_count++;
    return group;
}

int sl_partition_index_add(struct sl_partition_index *index, const char *topic, int32_t partition,
                           int32_t *at) {
    uint8_t key[PARTITION_KEY_MAX];
    size_t size = write_partition_key(key, sl_bytes_str(topic), partition);
    if (size == 0) return SLUICE_ERR_USAGE;
    struct sl_partition_entry *entry = sl_map_get(&index->by_name, key, size);
    if (entry == NULL) {
        SL_ASSERT(index->count < index->cap);
        struct sl_partition_group *group = get_partition_group(index, topic);
        entry = &index->entries[index->count];
        if (group == NULL || sl_map_put(&index->by_name, key, size, entry) != 0)
            return SLUICE_ERR_NOMEM;
        *entry = (struct sl_partition_entry){.group = group, .partition = partition};
        group->count++;
        index->count++;
    }
    *at = (int32_t)(entry - index->entries);
    return 0;
}

int sl_partition_index_identify(struct sl_partition_index *index, int32_t group,
                                const struct sl_uuid *id) {
    index->groups[group].id = *id;
    return sl_map_put(&index->by_id, id->bytes, sizeof id->bytes, &index->groups[group]);
}

struct sl_str sl_partition_index_name(const struct sl_partition_index *index,
                                      const struct sl_uuid *id) {
    const struct sl_partition_group *group = sl_map_get(&index->by_id, id->bytes, sizeof id->bytes);
    return group == NULL ? SL_STR_NULL : sl_bytes_str(group->name);
}

int32_t sl_partition_index_find(const struct sl_partition_index *index, struct sl_str topic,
                                int32_t partition) {
    uint8_t key[PARTITION_KEY_MAX];
    size_t size = write_partition_key(key, topic, partition);
    const struct sl_partition_entry *entry =
        size == 0 ? NULL : sl_map_get(&index->by_name, key, size);
    return entry == NULL ? -1 : (int32_t)(entry - index->entries);
}

void sl_partition_index_order(struct sl_partition_index *index) {
    int32_t first = 0;
    for (int32_t i = 0; i < index->group_count; i++) {
        index->groups[i].first = first;
        first += index->groups[i].count;
        index->groups[i].count = 0; /* counted again below */
    }
    for (int32_t i = 0; i < index->count; i++) {
        struct sl_partition_group *group = index->entries[i].group;
        index->entries[i].place = group->first + group->count++;
    }
}
