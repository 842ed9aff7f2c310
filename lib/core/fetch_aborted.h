/* Which batches of a Fetch answer belong to transactions that were undone: what a reader with
 * isolation.level=read_committed leaves out (KIP-98; protocol notes 3.8). */
#ifndef SL_CORE_FETCH_ABORTED_H
#define SL_CORE_FETCH_ABORTED_H

#include <stdint.h>

#include "base/arena.h"
#include "record/batch_read.h"
#include "wire/messages.h"

/* A transaction that was undone. */
struct sl_fetch_undone {
    int64_t producer_id;
    int64_t first_offset;
    int32_t current; /* of a producer's first one: which of them is not over yet */
};
/* Those of one partition's part of an answer, by producer and then by offset. */
struct sl_fetch_aborted {
    struct sl_fetch_undone *list; /* in the arena */
    int32_t count;
};

/* Takes what the broker lists, in any order. 0 or NOMEM. */
int sl_fetch_aborted_begin(struct sl_fetch_aborted *a, struct sl_arena *arena,
                           const struct sl_array *transactions);
/* Looks at the next batch, at data and whole: every batch of the answer comes by here, in order. 1:
 * it belongs to such a transaction; 0; or MALFORMED: it ends one, and says neither how nor why. */
int sl_fetch_aborted_look(struct sl_fetch_aborted *a, const uint8_t *data,
                          const struct sl_batch_info *info);

#endif
