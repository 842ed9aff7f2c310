/* One batch of one partition: the memory its records are encoded into, and what is made of it when
 * it is sealed. Filling it is batcher.c's, sending it sender.c's. */
#ifndef SL_CORE_BATCH_H
#define SL_CORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ahead.h"
#include "base/bytes.h"
#include "base/list.h"
#include "core/partition.h"
#include "core/staging.h"
#include "record/batch_write.h"

struct sl_core;
struct sl_delivery;
struct sl_pack;
struct sl_produce_entry;

enum {
    SL_BATCH_PIECES = 400,   /* a batch closes at so many: a request has at most 900 in all */
    SL_BATCH_CLASSES = 3,    /* segments of 16, 4 and 1 KiB */
    SL_BATCH_VALUE_CUTS = 2, /* pieces more by a large value: itself, and the records after it */
    SL_BATCH_OWN_PIECES = 2  /* kept in the batch itself: small batches have one */
};

/* What batches are made of, kept for reuse: last in, first out, so that it is warm. */
struct sl_batch_pool {
    struct sl_segment *segments[SL_BATCH_CLASSES];
    struct sl_list batches;    /* never freed before the end */
    struct sl_list blocks;     /* struct batch_block, owned: what they lie in */
    struct sl_list deliveries; /* plain ones */
    size_t pooled;             /* bytes lying here */
    size_t pooled_max;         /* what comes back beyond it is freed */
};

enum sl_batch_state {
    SL_BATCH_OPEN = 1, /* records are encoded into it */
    SL_BATCH_CLOSED,   /* complete, waits for the codec */
    SL_BATCH_PACKING,  /* compressed off the loop; it has its place among the sealed already */
    SL_BATCH_SEALED,   /* may be sent */
    SL_BATCH_IN_FLIGHT /* a request refers to it */
};
/* From its first record to its outcome. Its bytes are sealed once and never rebuilt; only the
 * identity in the header may be set anew, while certainly unwritten. */
struct sl_batch {
    /* All that a record needs of it, in one line of a cache. */
    uint8_t *at;         /* where the next record goes */
    uint8_t *end;        /* of the segment */
    uint64_t *tags;      /* of the delivery; NULL without reports */
    int32_t count;       /* records */
    int32_t tag_cap;     /* room for tags; INT32_MAX without reports */
    int32_t size;        /* bytes of the batch, header included */
    int32_t cuts;        /* pieces that it may come to: its segments, and two for a large value */
    uint64_t generation; /* of flushes: all its records belong to it */
    int64_t base_timestamp;
    int64_t max_timestamp;

    enum sl_batch_state state;
    struct sl_delivery *delivery; /* owned until the outcome; owns the tags. NULL: no reports */
    struct sl_list node;          /* batcher: closed; partition: sealed or in_flight; the pool */
    struct sl_list linger;        /* batcher: lingering or overdue, while open and not due */
    struct sl_list expiry;        /* batcher: all that have no outcome, by deadline */
    struct sl_partition *partition;
    struct sl_segment *segments; /* owned, in order */
    struct sl_segment *last;
    struct sl_list
        values; /* owned struct sl_chunk: large values sent from where they were staged */
    struct sl_iov *pieces; /* the sealed bytes in order, header first: own_pieces, or owned */
    int32_t piece_cap;
    int32_t piece_count;
    struct sl_iov own_pieces[SL_BATCH_OWN_PIECES];
    uint8_t *packed; /* owned: header and compressed records instead of segments, or NULL */
    size_t packed_cap;
    uint16_t attributes; /* the codec */
    int64_t charged;     /* bytes of the sending account that go back with it */
    int64_t opened_at;
    int64_t deadline;    /* delivery.timeout.ms after the oldest record was taken */
    uint64_t serial;     /* number of its first record in the order of closing: retries go back to
                          * their place by it */
    int64_t producer_id; /* with sequence: the identity that its header names */
    int32_t sequence;    /* -1: none yet */
    int16_t epoch;
    uint16_t attempts;              /* times sent */
    struct sl_batch_sum sum;        /* of the records' bytes: once sealed, of all … */
    const uint8_t *summed;          /* … and until then without a codec up to here in `last` */
    bool due;                       /* open: has lingered; closed as soon as it could be sent */
    bool headed;                    /* the header has been written */
    bool maybe_written;             /* an attempt ended without an answer */
    bool maybe_here;                /* … and not in an earlier topic of that name */
    bool named;                     /* a request named its topic, instead of giving the id */
    bool borrows;                   /* its pieces are partly the application's memory */
    bool reported;                  /* has its outcome while a request still refers to it */
    struct sl_pack *pack;           /* PACKING: the job, which refers to the bytes; else NULL */
    struct sl_produce_entry *entry; /* in flight: its line in the request; else NULL */
};

/* The batch will be looked at soon. Any address may be given. */
static inline void sl_batch_ahead(const struct sl_batch *batch) {
    sl_ahead_all(batch, sizeof *batch);
}

void sl_batch_pool_init(struct sl_batch_pool *pool, size_t pooled_max);
void sl_batch_pool_deinit(struct sl_batch_pool *pool, const struct sl_alloc *alloc);

/* Reports that were read, of so many bytes in all. Takes them. */
void sl_batch_take_spent(struct sl_core *core, struct sl_list *deliveries, size_t bytes);
/* An empty open batch with room for a record of `room` bytes. NULL: out of memory. */
struct sl_batch *sl_batch_create(struct sl_core *core, struct sl_partition *partition, size_t room,
                                 uint32_t open_count);
/* The same of the records of a wire chunk, all of them, where they lie. Takes the chunk, which is in
 * no list. */
struct sl_batch *sl_batch_adopt(struct sl_core *core, struct sl_partition *partition,
                                struct sl_chunk *chunk);
/* Room for another record of `room` bytes, and for a large value when has_value. False: out of
 * memory, the batch is as before. */
bool sl_batch_grow(struct sl_core *core, struct sl_batch *batch, size_t room, bool has_value);
/* At batch->at comes the value in this chunk, which is the batch's now. */
void sl_batch_put_value(struct sl_core *core, struct sl_batch *batch, struct sl_chunk *value);
/* Makes the pieces and compresses if there is a codec (when it has no memory for that or gains
 * nothing the batch goes uncompressed); cannot fail. With is_job the batch is PACKING after it if
 * there is memory for the job, which is batch->pack. Returns the bytes that the codec worked on. */
size_t sl_batch_seal(struct sl_core *core, struct sl_batch *batch, bool is_job);
/* The job has come back: the batch is SEALED. Takes the job. */
void sl_batch_on_packed(struct sl_core *core, struct sl_batch *batch);
/* Writes the header of a sealed batch, or sets another identity and sequence in it. -1, -1, -1
 * without idempotence. */
void sl_batch_identify(struct sl_batch *batch, int64_t producer_id, int16_t epoch,
                       int32_t sequence);
/* Gives back what records lie in. */
void sl_batch_free_records(struct sl_core *core, struct sl_segment *segments,
                           struct sl_list *values);
/* Everything back to pool and budget; it is in no list any more. */
void sl_batch_destroy(struct sl_core *core, struct sl_batch *batch);

#endif
