/* Delivery reports: the memory in which the outcome of records is told to the application. It is
 * reserved before the outcome is known, so telling it cannot fail. */
#ifndef SL_CORE_DELIVERY_H
#define SL_CORE_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "core/command.h"
#include "core/staging.h"

/* With room for tag_cap (> 0) tags. 0 or NOMEM. */
int sl_delivery_create(const struct sl_alloc *alloc, int32_t tag_cap, struct sl_delivery **out);
/* Whether it is worth keeping, to be renewed: nothing hangs on it. */
bool sl_delivery_is_plain(const struct sl_delivery *delivery);
/* Makes a plain one that was read as good as new. False: it has room for fewer than `least` tags or
 * for more than `most`. */
bool sl_delivery_renew(struct sl_delivery *delivery, int32_t least, int32_t most);
/* Room for tag_cap tags in all. 0 or NOMEM (then it is as before). Not for one in a chunk. */
int sl_delivery_grow(const struct sl_alloc *alloc, struct sl_delivery *delivery, int32_t tag_cap);
/* The report says this too, a text of any length or null, unless it has one. Left out when memory is short: it is no
 * part of the outcome. NULL is fine. Not for one in a chunk. */
void sl_delivery_explain(const struct sl_alloc *alloc, struct sl_delivery *delivery,
                         struct sl_str text);
/* Frees it with its tags and all `more` behind it; NULL is fine. */
void sl_delivery_destroy(const struct sl_alloc *alloc, struct sl_delivery *delivery);
/* All of a list, which is empty after. */
void sl_delivery_destroy_all(const struct sl_alloc *alloc, struct sl_list *deliveries);
/* Bytes of memory it takes: what an unread report is charged with. */
size_t sl_delivery_bytes(const struct sl_delivery *delivery);

/* What happened to the records of a chunk, to be counted. */
struct sl_delivery_sum {
    int64_t count;
    int64_t charge;        /* of the records; the budget gets it back */
    struct sl_list values; /* chunks of large values, now nobody's */
};
/* Turns the records of a chunk from chunk->walked on into reports, one a run of equal topics, in
 * the chunk's own memory: NOT_WRITTEN with the code. topic_of names a topic index. The chunk needs
 * runs as staging lays them out. Takes the chunk; NULL: no record was left, the chunk is still the
 * caller's. */
struct sl_delivery *sl_delivery_from_chunk(struct sl_chunk *chunk, int code,
                                           const char *(*topic_of)(void *owner, uint32_t index),
                                           void *owner, struct sl_delivery_sum *sum);
/* Only the sum, when nobody wants reports: the chunk is empty after and stays the caller's. */
void sl_delivery_count_chunk(struct sl_chunk *chunk, struct sl_delivery_sum *sum);

#endif
