/* Partitions by name and number, each with a place, and by topic, as requests list them. */
#ifndef SL_CORE_PARTITION_INDEX_H
#define SL_CORE_PARTITION_INDEX_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/map.h"

/* A topic, and where its partitions stand when all are listed topic by topic. */
struct sl_partition_group {
    char *name; /* owned: whoever asked may be gone before the answer comes */
    size_t name_size;
    int32_t count;     /* partitions of it */
    int32_t first;     /* place of the first, by sl_partition_index_order */
    struct sl_uuid id; /* by sl_partition_index_identify */
};
struct sl_partition_entry {
    struct sl_partition_group *group;
    int32_t partition;
    int32_t place; /* in the list that goes topic by topic */
};
struct sl_partition_index {
    const struct sl_alloc *alloc;
    struct sl_map by_name;              /* partition and topic → struct sl_partition_entry */
    struct sl_map by_topic;             /* name → struct sl_partition_group */
    struct sl_map by_id;                /* the same, where they have ids */
    struct sl_partition_entry *entries; /* owned */
    struct sl_partition_group *groups;  /* owned */
    int32_t count;
    int32_t group_count;
    int32_t cap; /* of both arrays */
};

void sl_partition_index_init(struct sl_partition_index *index, const struct sl_alloc *alloc);
/* Empties it. */
void sl_partition_index_deinit(struct sl_partition_index *index);
/* Empties it and makes room for so many. 0 or NOMEM. */
int sl_partition_index_reserve(struct sl_partition_index *index, int64_t most);
/* *at: the number of the partition, a new one or the one it had. The name is copied. 0, NOMEM, or
 * USAGE: no topic has such a name. */
int sl_partition_index_add(struct sl_partition_index *index, const char *topic, int32_t partition,
                           int32_t *at);
/* Where requests name topics by id: the group of that number has this one. 0 or NOMEM. */
int sl_partition_index_identify(struct sl_partition_index *index, int32_t group,
                                const struct sl_uuid *id);
/* The topic that has the id here, whatever metadata has learned since; null: none. */
struct sl_str sl_partition_index_name(const struct sl_partition_index *index,
                                      const struct sl_uuid *id);
/* The number, or -1. */
int32_t sl_partition_index_find(const struct sl_partition_index *index, struct sl_str topic,
                                int32_t partition);
/* Gives every partition its place in the list that goes topic by topic. */
void sl_partition_index_order(struct sl_partition_index *index);

#endif
