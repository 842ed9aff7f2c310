/* Open and undone transactions of one partition.
 *
 * A producer has one open transaction at a time. One that commits is forgotten; one that is undone
 * stays until the log is trimmed beyond its marker, as Kafka's transaction index does. There are few:
 * everything is a walk.
 *
 * Not here: who may write in which transaction, and coordinators. */
#include "broker/transactions.h"

#include <string.h>

#include "record/record.h"
#include "sluice/error.h"

enum { TRANSACTIONS_FIRST = 4 /* arbitrary */ };

void sl_transactions_deinit(struct sl_transactions *t, const struct sl_alloc *alloc) {
    sl_alloc_free(alloc, t->list, t->cap * sizeof *t->list);
}

int sl_transactions_reserve(struct sl_transactions *t, const struct sl_alloc *alloc) {
    if (t->count < t->cap) return 0;
    size_t cap = t->cap == 0 ? TRANSACTIONS_FIRST : t->cap * 2;
    struct sl_transaction *list = sl_alloc_resize(alloc, t->list, t->cap, cap, sizeof *list);
    if (list == NULL) return SLUICE_ERR_NOMEM;
    t->list = list;
    t->cap = cap;
    return 0;
}

/* Its place in the list; count: it has none open. */
static size_t find_open_transaction(const struct sl_transactions *t, int64_t producer_id) {
    size_t i = 0;
    while (i < t->count && (t->list[i].producer_id != producer_id || t->list[i].last_offset >= 0))
        i++;
    return i;
}

static void drop_transaction(struct sl_transactions *t, size_t at) {
    t->count--;
    memmove(&t->list[at], &t->list[at + 1], (t->count - at) * sizeof *t->list);
}

void sl_transactions_on_append(struct sl_transactions *t, const struct sl_batch_info *info,
                               int64_t base_offset) {
    bool is_part = (info->attributes & SL_RECORD_TRANSACTIONAL) != 0 &&
                   (info->attributes & SL_RECORD_CONTROL) == 0;
    if (!is_part || find_open_transaction(t, info->producer_id) < t->count) return;
    t->list[t->count++] = (struct sl_transaction){info->producer_id, base_offset, -1};
}

void sl_transactions_end(struct sl_transactions *t, int64_t producer_id, int64_t marker_offset,
                         bool is_committed) {
    size_t at = find_open_transaction(t, producer_id);
    if (at == t->count) return;
    if (is_committed)
        drop_transaction(t, at);
    else
        t->list[at].last_offset = marker_offset;
}

void sl_transactions_trim(struct sl_transactions *t, int64_t start) {
    for (size_t i = t->count; i > 0; i--) {
        const struct sl_transaction *it = &t->list[i - 1];
        if (it->last_offset >= 0 && it->last_offset < start) drop_transaction(t, i - 1);
    }
}

void sl_transactions_cut(struct sl_transactions *t, int64_t end) {
    for (size_t i = t->count; i > 0; i--) {
        if (t->list[i - 1].last_offset >= end) t->list[i - 1].last_offset = -1;
        if (t->list[i - 1].first_offset >= end) drop_transaction(t, i - 1);
    }
}

int64_t sl_transactions_stable(const struct sl_transactions *t, int64_t end) {
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].last_offset < 0) return t->list[i].first_offset;
    return end;
}

bool sl_transactions_touches(const struct sl_transaction *transaction, int64_t from, int64_t to) {
    return transaction->last_offset >= from && transaction->first_offset < to;
}
