/* One partition's log in memory.
 *
 * Batches are separate blocks behind an array of pointers, sorted by offset, so a lookup is a
 * binary search and the front can go without moving the rest: `first` walks forward and the
 * array is shifted only when its end is reached. A batch is one allocation, header and bytes.
 *
 * Who owns a batch: the log has one hold on it and each answer being sent has another. Trimming
 * gives up the log's; the bytes go with the last. Bytes handed to a host therefore stay put.
 *
 * An append is all or nothing: index, epoch history and batch have their memory before anything
 * changes. The epoch history has an entry for an epoch only once a batch was written under it,
 * as Kafka's has in effect, so a change of leader needs no memory.
 *
 * Invariants: start <= end; batches do not overlap and rise; the last one ends at end - 1 unless
 * records are only counted (bench mode); store->bytes is the sum over all logs.
 *
 * Not done here: no validation (handlers/00_produce.c), no sequences (producers.c), no compaction.
 */
#include "broker/log.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "record/batch_write.h"
#include "record/record.h"
#include "sluice/error.h"

enum {
    LOG_INDEX_FIRST = 8, /* arbitrary */
    LOG_EPOCHS_FIRST = 4,
    LOG_MARKER_MOST = SL_RECORD_HEADER_SIZE + SL_RECORD_OVERHEAD_MAX + 10
};

void sl_log_store_init(struct sl_log_store *s, const struct sl_alloc *alloc, int64_t bytes_max) {
    s->alloc = alloc;
    sl_list_init(&s->by_age);
    s->bytes = 0;
    s->bytes_max = bytes_max;
}

void sl_log_init(struct sl_log *log, struct sl_log_store *store) {
    memset(log, 0, sizeof *log);
    log->store = store;
}

/* ---- holds ---- */

void sl_log_hold(struct sl_log_batch *batch) { batch->holds++; }

void sl_log_release(const struct sl_alloc *alloc, struct sl_log_batch *batch) {
    SL_ASSERT(batch->holds > 0);
    if (--batch->holds > 0) return;
    SL_ASSERT(batch->log == NULL);
    sl_alloc_free(alloc, batch, sizeof *batch + (size_t)batch->size);
}

/* Takes the first batch out of the log. */
static void drop_first_batch(struct sl_log *log) {
    struct sl_log_batch *batch = log->batches[log->first];
    log->first++;
    log->count--;
    if (log->count == 0) log->first = 0;
    log->store->bytes -= batch->size;
    sl_list_remove(&batch->age);
    batch->log = NULL;
    sl_log_release(log->store->alloc, batch);
}

/* Takes the last batch out of the log. */
static void drop_last_batch(struct sl_log *log) {
    struct sl_log_batch *batch = log->batches[log->first + --log->count];
    if (log->count == 0) log->first = 0;
    log->store->bytes -= batch->size;
    sl_list_remove(&batch->age);
    batch->log = NULL;
    sl_log_release(log->store->alloc, batch);
}

void sl_log_deinit(struct sl_log *log) {
    while (log->count > 0) drop_first_batch(log);
    const struct sl_alloc *alloc = log->store->alloc;
    sl_alloc_free(alloc, log->batches, log->cap * sizeof *log->batches);
    sl_alloc_free(alloc, log->epochs, log->epoch_cap * sizeof *log->epochs);
    sl_transactions_deinit(&log->transactions, alloc);
}

void sl_log_on_moved(struct sl_log *log) {
    for (size_t i = 0; i < log->count; i++) log->batches[log->first + i]->log = log;
}

/* ---- appending ---- */

/* Room for one more pointer behind the last. */
static int reserve_log_index(struct sl_log *log) {
    if (log->first + log->count < log->cap) return 0;
    if (log->first > log->cap / 2) {
        memmove(log->batches, log->batches + log->first, log->count * sizeof *log->batches);
        log->first = 0;
        return 0;
    }
    size_t cap = log->cap == 0 ? LOG_INDEX_FIRST : log->cap * 2;
    struct sl_log_batch **batches =
        sl_alloc_resize(log->store->alloc, log->batches, log->cap, cap, sizeof *batches);
    if (batches == NULL) return SLUICE_ERR_NOMEM;
    log->batches = batches;
    log->cap = cap;
    return 0;
}

static int reserve_log_epoch(struct sl_log *log) {
    if (log->epoch_count < log->epoch_cap) return 0;
    size_t cap = log->epoch_cap == 0 ? LOG_EPOCHS_FIRST : log->epoch_cap * 2;
    struct sl_log_epoch *epochs =
        sl_alloc_resize(log->store->alloc, log->epochs, log->epoch_cap, cap, sizeof *epochs);
    if (epochs == NULL) return SLUICE_ERR_NOMEM;
    log->epochs = epochs;
    log->epoch_cap = cap;
    return 0;
}

static void note_log_epoch(struct sl_log *log, int32_t epoch, int64_t offset) {
    if (log->epoch_count > 0 && log->epochs[log->epoch_count - 1].epoch >= epoch) return;
    log->epochs[log->epoch_count++] = (struct sl_log_epoch){offset, epoch};
}

/* The oldest batches of the cluster go; `newest` stays whatever its size. */
static void evict_old_batches(struct sl_log_store *store, const struct sl_log_batch *newest) {
    while (store->bytes_max > 0 && store->bytes > store->bytes_max) {
        struct sl_log_batch *oldest =
            SL_LIST_OF(sl_list_peek(&store->by_age), struct sl_log_batch, age);
        if (oldest == newest) return;
        struct sl_log *log = oldest->log;
        SL_ASSERT(log->batches[log->first] == oldest);
        sl_log_trim(log, oldest->last_offset + 1);
    }
}

int sl_log_append(struct sl_log *log, const void *data, const struct sl_batch_info *info,
                  int32_t leader_epoch, int64_t *base_offset) {
    struct sl_log_store *store = log->store;
    if (reserve_log_index(log) != 0 || reserve_log_epoch(log) != 0 ||
        sl_transactions_reserve(&log->transactions, store->alloc) != 0)
        return SLUICE_ERR_NOMEM;
    size_t size = (size_t)info->size;
    struct sl_log_batch *batch = sl_alloc_get(store->alloc, sizeof *batch + size);
    if (batch == NULL) return SLUICE_ERR_NOMEM;

    batch->log = log;
    batch->base_offset = log->end;
    batch->last_offset = log->end + (info->last_offset - info->base_offset);
    batch->max_timestamp = info->max_timestamp;
    batch->leader_epoch = leader_epoch;
    batch->size = info->size;
    batch->holds = 1;
    memcpy(batch->data, data, size);
    sl_bytes_put64(batch->data + SL_RECORD_BASE_OFFSET, (uint64_t)batch->base_offset);
    sl_bytes_put32(batch->data + SL_RECORD_LEADER_EPOCH, (uint32_t)leader_epoch);

    log->batches[log->first + log->count++] = batch;
    note_log_epoch(log, leader_epoch, log->end);
    sl_transactions_on_append(&log->transactions, info, batch->base_offset);
    log->end = batch->last_offset + 1;
    store->bytes += batch->size;
    batch->age = (struct sl_list){NULL, NULL};
    sl_list_push_back(&store->by_age, &batch->age);
    *base_offset = batch->base_offset;
    evict_old_batches(store, batch);
    return 0;
}

/* The batch that ends a transaction: one record, whose key says how. */
static size_t build_marker(uint8_t *out, int64_t producer_id, int16_t producer_epoch,
                           bool is_committed, int64_t time_ms) {
    const uint8_t key[] = {0, 0, 0, is_committed}; /* version, type */
    const uint8_t value[] = {0, 0, 0, 0, 0, 0};    /* version, epoch of the coordinator */
    struct sl_record_in r = {
        .key = key, .key_size = sizeof key, .value = value, .value_size = sizeof value};
    struct sl_batch_summary summary = {
        .base_timestamp = time_ms,
        .max_timestamp = time_ms,
        .producer_id = producer_id,
        .producer_epoch = producer_epoch,
        .base_sequence = -1,
        .count = 1,
        .attributes = SL_RECORD_TRANSACTIONAL | SL_RECORD_CONTROL,
    };
    size_t size = sl_batch_write_record(out + SL_RECORD_HEADER_SIZE, &r, 0, 0);
    struct sl_iov records = {out + SL_RECORD_HEADER_SIZE, size};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_header(out, &summary, &sum);
    return SL_RECORD_HEADER_SIZE + size;
}

int sl_log_end_transaction(struct sl_log *log, int64_t producer_id, int16_t producer_epoch,
                           bool is_committed, int32_t leader_epoch, int64_t time_ms) {
    uint8_t marker[LOG_MARKER_MOST];
    struct sl_batch_info info;
    int64_t offset;
    size_t size = build_marker(marker, producer_id, producer_epoch, is_committed, time_ms);
    int rv = sl_batch_read_info(marker, size, &info);
    SL_ASSERT(rv == 0);
    rv = sl_log_append(log, marker, &info, leader_epoch, &offset);
    if (rv == 0) sl_transactions_end(&log->transactions, producer_id, offset, is_committed);
    return rv;
}

int64_t sl_log_stable(const struct sl_log *log) {
    return sl_transactions_stable(&log->transactions, log->end);
}

int64_t sl_log_advance(struct sl_log *log, int32_t count) {
    int64_t base = log->end;
    log->end += count;
    return base;
}

/* Epochs whose batches went are forgotten; the first that is left begins at the start. */
static void trim_log_epochs(struct sl_log *log) {
    size_t gone = log->count == 0 ? log->epoch_count : 0;
    while (gone + 1 < log->epoch_count && log->epochs[gone + 1].start_offset <= log->start) gone++;
    if (gone > 0) {
        log->epoch_count -= gone;
        memmove(log->epochs, log->epochs + gone, log->epoch_count * sizeof *log->epochs);
    }
    if (log->epoch_count > 0 && log->epochs[0].start_offset < log->start)
        log->epochs[0].start_offset = log->start;
}

void sl_log_trim(struct sl_log *log, int64_t start) {
    SL_ASSERT(start <= log->end);
    if (start <= log->start) return;
    log->start = start;
    while (log->count > 0 && log->batches[log->first]->last_offset < start) drop_first_batch(log);
    trim_log_epochs(log);
    sl_transactions_trim(&log->transactions, start);
}

void sl_log_cut(struct sl_log *log, int64_t offset) {
    while (log->count > 0 && sl_log_at(log, log->count - 1)->last_offset >= offset) {
        int64_t base = sl_log_at(log, log->count - 1)->base_offset;
        log->end = base > log->start ? base : log->start;
        drop_last_batch(log);
    }
    while (log->epoch_count > 0 && log->epochs[log->epoch_count - 1].start_offset >= log->end)
        log->epoch_count--;
    sl_transactions_cut(&log->transactions, log->end);
}

/* ---- reading ---- */

size_t sl_log_find(const struct sl_log *log, int64_t offset) {
    size_t low = 0;
    size_t high = log->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->batches[log->first + middle]->last_offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct sl_log_batch *sl_log_at(const struct sl_log *log, size_t index) {
    SL_ASSERT(index < log->count);
    return log->batches[log->first + index];
}

int32_t sl_log_epoch_of(const struct sl_log *log, int64_t offset) {
    int32_t epoch = -1;
    for (size_t i = 0; i < log->epoch_count && log->epochs[i].start_offset <= offset; i++) {
        epoch = log->epochs[i].epoch;
    }
    return epoch;
}

void sl_log_epoch_end(const struct sl_log *log, int32_t asked, int32_t current, int32_t *epoch,
                      int64_t *end_offset) {
    *epoch = -1;
    *end_offset = -1;
    if (asked < 0 || asked > current) return;
    if (asked == current) {
        *epoch = asked;
        *end_offset = log->end;
        return;
    }
    size_t next = 0; /* the first epoch above the one asked for */
    while (next < log->epoch_count && log->epochs[next].epoch <= asked) next++;
    *epoch = next > 0 ? log->epochs[next - 1].epoch : asked;
    *end_offset = next < log->epoch_count ? log->epochs[next].start_offset : log->end;
}

/* ---- invariants ---- */

void sl_log_check(const struct sl_log *log) {
    SL_ASSERT(log->start <= log->end && log->first + log->count <= log->cap);
    int64_t offset = -1;
    for (size_t i = 0; i < log->count; i++) {
        const struct sl_log_batch *batch = sl_log_at(log, i);
        SL_ASSERT(batch->log == log && batch->holds > 0);
        SL_ASSERT(batch->base_offset > offset && batch->last_offset >= batch->base_offset);
        SL_ASSERT(batch->last_offset >= log->start);
        offset = batch->last_offset;
    }
    SL_ASSERT(log->count == 0 || offset + 1 == log->end);
    for (size_t i = 1; i < log->epoch_count; i++) {
        SL_ASSERT(log->epochs[i].epoch > log->epochs[i - 1].epoch);
        SL_ASSERT(log->epochs[i].start_offset > log->epochs[i - 1].start_offset);
    }
}
