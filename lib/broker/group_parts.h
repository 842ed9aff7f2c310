/* Sets of partitions, by topic id: what members of KIP-848 have, give up and are to have. Kept as
 * arrays by rising topic id and partition. */
#ifndef SL_BROKER_GROUP_PARTS_H
#define SL_BROKER_GROUP_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "wire/schema.h"

struct sl_part {
    struct sl_uuid topic;
    int32_t partition;
};
/* Zeroed, it is the empty set. */
struct sl_parts {
    struct sl_part *items; /* owned */
    int32_t count;
    int32_t cap;
};
void sl_group_parts_free(const struct sl_alloc *alloc, struct sl_parts *p);
/* Room for count in all. 0 or NOMEM. */
int sl_group_parts_reserve(const struct sl_alloc *alloc, struct sl_parts *p, int32_t count);
/* Behind all others, within what was reserved. */
void sl_group_parts_append(struct sl_parts *p, const struct sl_part *part);
/* In its place; one that is there stays once. Within what was reserved. */
void sl_group_parts_insert(struct sl_parts *p, const struct sl_part *part);
bool sl_group_parts_has(const struct sl_parts *p, const struct sl_part *part);
bool sl_group_parts_equal(const struct sl_parts *a, const struct sl_parts *b);
/* Below zero: a comes before b. */
int sl_group_parts_compare(const struct sl_part *a, const struct sl_part *b);

/* As messages have them: topics (sl_consumer_group_heartbeat_topic), each with its partitions. False:
 * out of memory. */
bool sl_group_parts_list(const struct sl_parts *p, struct sl_arena *arena, struct sl_array *out);
/* Whether one of these topics of a message is in the set, or all are. A null list is in none. */
bool sl_group_parts_any(const struct sl_parts *p, const struct sl_array *topics);
bool sl_group_parts_all(const struct sl_parts *p, const struct sl_array *topics);

#endif
