/* Aborted transactions of a Fetch answer.
 *
 * A broker lists the producer and the first offset of each that has records in what it sends; the
 * end is where an ABORT marker of that producer comes by. A producer has one transaction at a time,
 * so between its first offset and its marker all transactional batches of the producer belong to it.
 *
 *   offset     10      11      12       13        14      15
 *   batch      A       B       A        A abort   B       A           listed: (A, 10)
 *              out             out      control                       B and the second A are read
 *
 * Brokers may list in any order, and one without end is over with the answer: the next answer lists
 * it again. Looking a batch up is a binary search, whatever a peer lists.
 *
 * Not here: control batches, which no reader sees; what the broker holds back behind the first open
 * transaction. */
#include "core/fetch_aborted.h"

#include "base/bytes.h"
#include "base/sort.h"
#include "record/record.h"
#include "sluice/error.h"

enum { MARKER_KEY_SIZE = 4, MARKER_ABORT = 0 };

static int compare_undone(const void *a, const void *b) {
    const struct sl_fetch_aborted_transaction *x = a;
    const struct sl_fetch_aborted_transaction *y = b;
    if (x->producer_id != y->producer_id) return x->producer_id < y->producer_id ? -1 : 1;
    return (x->first_offset > y->first_offset) - (x->first_offset < y->first_offset);
}

int sl_fetch_aborted_begin(struct sl_fetch_aborted *a, struct sl_arena *arena,
                           const struct sl_array *transactions) {
    size_t count = transactions->count > 0 ? (size_t)transactions->count : 0;
    a->count = 0;
    if (count == 0) return 0;
    const void **sorted = sl_arena_array(arena, count * 2, sizeof *sorted);
    a->list = sl_arena_array(arena, count, sizeof *a->list);
    if (sorted == NULL || a->list == NULL) return SLUICE_ERR_NOMEM;
    const struct sl_fetch_aborted_transaction *listed = transactions->items;
    for (size_t i = 0; i < count; i++) sorted[i] = &listed[i];
    sl_sort_pointers(sorted, sorted + count, count, compare_undone);
    for (size_t i = 0; i < count; i++) {
        const struct sl_fetch_aborted_transaction *t = sorted[i];
        a->list[i] = (struct sl_fetch_undone){t->producer_id, t->first_offset, (int32_t)i};
    }
    a->count = (int32_t)count;
    return 0;
}

/* The producer's first transaction; NULL: it has none. */
static struct sl_fetch_undone *find_producer(const struct sl_fetch_aborted *a,
                                             int64_t producer_id) {
    int32_t low = 0;
    int32_t high = a->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (a->list[middle].producer_id < producer_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->count && a->list[low].producer_id == producer_id ? &a->list[low] : NULL;
}

/* Whether the producer's transaction number `at` is undone, and begins no later than that. */
static bool is_undone(const struct sl_fetch_aborted *a, int64_t producer_id, int32_t at,
                      int64_t offset) {
    return at < a->count && a->list[at].producer_id == producer_id &&
           a->list[at].first_offset <= offset;
}

/* What the control batch says: MARKER_ABORT or something else; or MALFORMED. */
static int read_marker(const uint8_t *data, const struct sl_batch_info *info) {
    struct sl_batch_walk walk;
    struct sl_record_out record;
    if ((info->attributes & SL_RECORD_CODEC_MASK) != 0) return SLUICE_ERR_MALFORMED;
    sl_batch_read_start(&walk, info, data + SL_RECORD_HEADER_SIZE,
                        (size_t)info->size - SL_RECORD_HEADER_SIZE);
    int rv = sl_batch_read_next(&walk, &record);
    if (rv != 1 || record.key_size < MARKER_KEY_SIZE) return SLUICE_ERR_MALFORMED;
    return sl_bytes_get16(record.key + 2); /* behind the version */
}

int sl_fetch_aborted_look(struct sl_fetch_aborted *a, const uint8_t *data,
                          const struct sl_batch_info *info) {
    if ((info->attributes & SL_RECORD_TRANSACTIONAL) == 0) return 0;
    struct sl_fetch_undone *first = find_producer(a, info->producer_id);
    if (first == NULL) return 0;
    if (!is_undone(a, info->producer_id, first->current, info->last_offset)) return 0;
    if ((info->attributes & SL_RECORD_CONTROL) == 0) return 1;
    int marker = read_marker(data, info);
    if (marker < 0) return marker;
    while (marker == MARKER_ABORT &&
           is_undone(a, info->producer_id, first->current, info->last_offset))
        first->current++;
    return 0;
}
