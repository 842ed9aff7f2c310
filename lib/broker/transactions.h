/* What a partition's log knows of transactions: which are open, which were undone (KIP-98). */
#ifndef SL_BROKER_TRANSACTIONS_H
#define SL_BROKER_TRANSACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "record/batch_read.h"

struct sl_transaction {
    int64_t producer_id;
    int64_t first_offset;
    int64_t last_offset; /* of its marker; -1: it is open */
};
struct sl_transactions {
    struct sl_transaction *list; /* owned: those open and those undone, by first offset */
    size_t count;
    size_t cap;
};

void sl_transactions_deinit(struct sl_transactions *t, const struct sl_alloc *alloc);
/* Room for one more. 0 or NOMEM. */
int sl_transactions_reserve(struct sl_transactions *t, const struct sl_alloc *alloc);
/* A batch was appended there, for which there is room: it may begin a transaction. */
void sl_transactions_on_append(struct sl_transactions *t, const struct sl_batch_info *info,
                               int64_t base_offset);
/* The producer's marker was appended there. */
void sl_transactions_end(struct sl_transactions *t, int64_t producer_id, int64_t marker_offset,
                         bool is_committed);
/* What lies before that offset is gone. */
void sl_transactions_trim(struct sl_transactions *t, int64_t start);
/* What lies from that offset on is gone: a transaction that was undone by then is open again, one that
 * was committed stays so. */
void sl_transactions_cut(struct sl_transactions *t, int64_t end);
/* The last stable offset of a log that ends there. */
int64_t sl_transactions_stable(const struct sl_transactions *t, int64_t end);
/* Whether it was undone and has something in [from, to). */
bool sl_transactions_touches(const struct sl_transaction *transaction, int64_t from, int64_t to);

#endif
