/* Partition logs of the test broker: batches kept as they came, base offset and leader epoch
 * patched in (both lie outside the CRC), so that a Fetch can send the stored bytes as they are. */
#ifndef SL_BROKER_LOG_H
#define SL_BROKER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "broker/transactions.h"
#include "record/batch_read.h"

struct sl_log;

/* A stored batch. It leaves its log by trimming or deletion, but its memory stays until the last
 * answer that refers to it has been sent. */
struct sl_log_batch {
    struct sl_list age; /* in the store's by_age while a log has it */
    struct sl_log *log; /* NULL: only answers still refer to it */
    int64_t base_offset;
    int64_t last_offset;
    int64_t max_timestamp;
    int32_t leader_epoch;
    int32_t size;
    int32_t holds; /* one of the log, one for each answer */
    uint8_t data[];
};

/* What all logs of a cluster share: the limit on memory. */
struct sl_log_store {
    const struct sl_alloc *alloc;
    struct sl_list by_age; /* every batch of every log, oldest first */
    int64_t bytes;         /* of the batches in logs */
    int64_t bytes_max;     /* beyond it the oldest go; 0: no limit */
};
void sl_log_store_init(struct sl_log_store *s, const struct sl_alloc *alloc, int64_t bytes_max);

/* Where the batches of a leader epoch begin. */
struct sl_log_epoch {
    int64_t start_offset;
    int32_t epoch;
};

struct sl_log {
    struct sl_log_store *store;
    struct sl_log_batch **batches; /* by rising offset; the live ones are [first, first + count) */
    size_t first;
    size_t count;
    size_t cap;
    int64_t start; /* the first offset that may be read */
    int64_t end;   /* the offset that the next record gets; also the high watermark: replicas share
                      the log, so what is appended is replicated */
    struct sl_log_epoch *epochs; /* by rising epoch and offset; only those that have batches */
    size_t epoch_count;
    size_t epoch_cap;
    struct sl_transactions transactions;
};
void sl_log_init(struct sl_log *log, struct sl_log_store *store);
void sl_log_deinit(struct sl_log *log);
/* The log was copied to this place in memory, and the old one is forgotten. */
void sl_log_on_moved(struct sl_log *log);

/* Copies the batch of info->size bytes to the end of the log. 0 with *base_offset, or NOMEM and
 * nothing changed. */
int sl_log_append(struct sl_log *log, const void *data, const struct sl_batch_info *info,
                  int32_t leader_epoch, int64_t *base_offset);
/* Counts records that are not kept (bench mode); returns the offset of the first. */
int64_t sl_log_advance(struct sl_log *log, int32_t count);
/* Ends the producer's transaction, if it has one open here, with a marker of that time. 0 or NOMEM and
 * nothing changed. */
int sl_log_end_transaction(struct sl_log *log, int64_t producer_id, int16_t producer_epoch,
                           bool is_committed, int32_t leader_epoch, int64_t time_ms);
/* Where a reader of committed records has to stop. */
int64_t sl_log_stable(const struct sl_log *log);
/* Moves the start; batches that lie wholly before it go. start is within the log. */
void sl_log_trim(struct sl_log *log, int64_t start);
/* The end moves back: the batch that holds that offset, and all behind it, go with what is known of
 * them. */
void sl_log_cut(struct sl_log *log, int64_t offset);
/* The index of the batch that holds offset, or of the next one after; count at the end. */
size_t sl_log_find(const struct sl_log *log, int64_t offset);
struct sl_log_batch *sl_log_at(const struct sl_log *log, size_t index);
/* The leader epoch under which the record at offset was written, -1 when that is not known. */
int32_t sl_log_epoch_of(const struct sl_log *log, int64_t offset);
/* Answers OffsetForLeaderEpoch: the greatest epoch not above `asked` and where it ends; both -1
 * when the log does not go back that far or forward to it. current: the leader's own. */
void sl_log_epoch_end(const struct sl_log *log, int32_t asked, int32_t current, int32_t *epoch,
                      int64_t *end_offset);

void sl_log_hold(struct sl_log_batch *batch);
void sl_log_release(const struct sl_alloc *alloc, struct sl_log_batch *batch);
void sl_log_check(const struct sl_log *log);

#endif
