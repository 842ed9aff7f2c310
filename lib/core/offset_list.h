/* Lists of (topic, partition, offset): the object behind the public sluice_offsets, used by
 * commands and results. One writer at a time; adding is sticky (a list that ran out of memory is
 * refused whole). */
#ifndef SL_CORE_OFFSET_LIST_H
#define SL_CORE_OFFSET_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

struct sl_offset_entry {
    char *topic;    /* owned */
    char *metadata; /* owned or NULL */
    int64_t offset; /* or a symbol: SLUICE_OFFSET_* */
    int64_t timestamp_ms;
    int64_t committed; /* -1: unknown */
    int64_t end;       /* -1: unknown */
    int32_t partition;
    int32_t leader_epoch; /* -1: unknown */
    int32_t code;
    int32_t paused;
    uint32_t slot;       /* of a commit: the gate's place of the partition … */
    uint32_t slot_epoch; /* … and the epoch it had; 0: it is not assigned */
};
struct sl_offsets {
    const struct sl_alloc *alloc;
    struct sl_offset_entry *entries;
    int32_t count;
    int32_t cap;
    int failed; /* the first error of an add */
};

int sl_offset_list_create(const struct sl_alloc *alloc, struct sl_offsets **out);
void sl_offset_list_destroy(struct sl_offsets *list); /* NULL is fine */
/* The entry of topic and partition, added with unknown values when absent; NULL: out of memory,
 * remembered in failed. */
struct sl_offset_entry *sl_offset_list_put(struct sl_offsets *list, const char *topic,
                                           int32_t partition);
/* Nothing is in it any more. */
void sl_offset_list_clear(struct sl_offsets *list);
/* The same for a partition that the list is known not to have. */
struct sl_offset_entry *sl_offset_list_add(struct sl_offsets *list, const char *topic,
                                           int32_t partition);
struct sl_offset_entry *sl_offset_list_find(const struct sl_offsets *list, const char *topic,
                                            int32_t partition);
int sl_offset_list_copy(const struct sl_offsets *from, const struct sl_alloc *alloc,
                        struct sl_offsets **out);

#endif
