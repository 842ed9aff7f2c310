/* The offsets that one group has committed. */
#ifndef SL_BROKER_GROUP_OFFSETS_H
#define SL_BROKER_GROUP_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"

struct sl_group_offset {
    int64_t offset;
    struct sl_str metadata; /* owned; may be null */
    int32_t leader_epoch;   /* -1: was not given */
    int32_t partition;
};
/* The offsets of one topic, by rising partition. */
struct sl_group_offset_topic {
    struct sl_str name; /* owned */
    struct sl_group_offset *items;
    int32_t count;
    int32_t cap;
};
struct sl_group_offsets {
    const struct sl_alloc *alloc;
    struct sl_map topics; /* by name, of struct sl_group_offset_topic, owned; none is empty */
};
void sl_group_offsets_init(struct sl_group_offsets *o, const struct sl_alloc *alloc);
void sl_group_offsets_deinit(struct sl_group_offsets *o);

/* Copies what is given over what there is. 0 or NOMEM, then nothing changed. */
int sl_group_offsets_put(struct sl_group_offsets *o, struct sl_str topic,
                         const struct sl_group_offset *offset);
/* NULL: none is committed. */
const struct sl_group_offset *sl_group_offsets_find(const struct sl_group_offsets *o,
                                                    struct sl_str topic, int32_t partition);
/* Harmless when there is none. */
void sl_group_offsets_remove(struct sl_group_offsets *o, struct sl_str topic, int32_t partition);
void sl_group_offsets_remove_topic(struct sl_group_offsets *o, struct sl_str topic);
void sl_group_offsets_check(const struct sl_group_offsets *o);

#endif
