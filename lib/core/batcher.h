/* Staged records into batches: partition each record, encode it once, in place, into the open
 * batch of its partition; seal what is full, has lingered, or is wanted now. */
#ifndef SL_CORE_BATCHER_H
#define SL_CORE_BATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "core/batch.h"
#include "core/command.h"
#include "core/job.h"
#include "core/partition.h"
#include "core/partitioner.h"
#include "core/stats.h"
#include "record/compress.h"

struct sl_core;
struct sl_topic;
struct sl_staged;

/* What the batcher knows of a topic that records were staged for. */
struct sl_batching {
    const char *name; /* interned by staging, lives as long as the client's shell */
    struct sl_topic *topic;
    size_t batch_limit; /* bytes a batch is filled to: by the settings, or by what a broker refused
                         * (split.c) */
    int32_t sticky;     /* partition of key-less records; -1: to be chosen */
    int64_t sticky_bytes;            /* that went there since */
    int32_t usual_count;             /* records of the largest of the batches closed last, … */
    int32_t usual_size;              /* … and bytes */
    struct sl_partitioner_load load; /* by which it is chosen */
    struct sl_topic_counts counts;
    uint64_t request;     /* sender: serial of the request being built that it was seen in … */
    int32_t request_slot; /* … and its place there */
};
struct sl_batcher {
    struct sl_core *core;
    struct sl_list backlog;      /* struct sl_chunk taken and not yet dealt with, in order */
    struct sl_list waiting;      /* struct sl_chunk.age: records that wait for partitions, by age */
    struct sl_list new_topics;   /* struct sl_staging_topic not yet in `topics` */
    struct sl_batching **topics; /* owned; by staging's index */
    uint32_t topic_count, topic_cap;
    struct sl_list
        lingering;          /* open batches, oldest first: equal linger keeps deadlines in order */
    struct sl_list overdue; /* open batches whose records have waited for their topic: no linger */
    struct sl_list closed;  /* batches that wait to be sealed, in order */
    struct sl_list expiry;  /* batches without outcome, by deadline */
    struct sl_list flushes; /* struct sl_flush, oldest first */
    struct sl_batch_pool pool;
    struct sl_partitioner partitioner;
    struct sl_job_tools tools; /* for what is compressed here; unused without compression */
    size_t codec_left;         /* bytes that may still be compressed in this turn */
    struct sl_list jobs;       /* struct sl_job.node: for the host to take */
    int32_t jobs_out;          /* jobs made and not come back */
    int32_t jobs_most;         /* that may be out at once; 0: everything is done here */
    size_t job_least;          /* bytes of a batch from which a job pays */
    bool stalled;              /* the next batch waits until a job comes back */
    uint64_t generation;       /* of flushes: counts FLUSH commands */
    uint64_t serial;           /* records in the batches closed so far */
    uint64_t accepted;         /* records taken from staging, ever */
    uint64_t decided;          /* records with an outcome, ever */
    int64_t left_until;        /* staging has something then that it did not give yet; or never */
    int64_t retry_at;          /* memory was short: try again then; 0: it was not */
    uint32_t open_count;       /* open batches */
    int lost;                  /* worst outcome that no flush has told yet: 0 or a code */
    bool hurry;                /* linger ends in this turn */
};

int sl_batcher_init(struct sl_batcher *b, struct sl_core *core);
void sl_batcher_deinit(struct sl_batcher *b);
void sl_batcher_on_staged(struct sl_core *core, struct sl_staged *staged);
void sl_batcher_on_command(struct sl_core *core,
                           struct sl_command *command); /* FLUSH, DISCARD, HURRY */
/* Metadata: the topic's partition count became known or grew. */
void sl_batcher_on_partitions(struct sl_core *core, struct sl_topic *topic);
/* Metadata: the topic cannot be had; what waits for it ends NOT_WRITTEN with this code. */
void sl_batcher_on_refused(struct sl_core *core, struct sl_topic *topic, int code);
/* Sender: nothing sealed is left of the partition; a batch that has lingered may follow. */
void sl_batcher_on_drained(struct sl_core *core, struct sl_partition *partition);
void sl_batcher_run(struct sl_core *core);
int64_t sl_batcher_deadline(const struct sl_core *core);
/* Records not decided yet. */
uint64_t sl_batcher_pending(const struct sl_core *core);
/* Closing, or its deadline: everything that is left gets its outcome now. */
void sl_batcher_abandon(struct sl_core *core, int code);
/* The end of a batch, which is in none of the partition's lists any more unless a request still
 * refers to it: posts its delivery and frees it, then or when the request lets go of it. */
void sl_batcher_finish(struct sl_core *core, struct sl_batch *batch, int outcome, int code,
                       int64_t base_offset, int64_t timestamp_ms);

/* ---- between the batcher's files ---- */

/* How many jobs may be out at once (0: none are made), and how many microseconds of work make one
 * pay. */
void sl_batcher_set_jobs(struct sl_core *core, int32_t most, int32_t least_us);
/* A job for the host, NULL: none. */
struct sl_job *sl_batcher_next_job(struct sl_core *core);
/* It has come back, done or not. */
void sl_batcher_on_job(struct sl_core *core, struct sl_job *job);
/* An open batch is complete: it waits to be sealed. */
void sl_batcher_close(struct sl_core *core, struct sl_batch *batch);
/* batcher_walk.c: deals with the backlog as far as memory allows. */
void sl_batcher_walk(struct sl_core *core);
/* Takes a batch that no request refers to out of the lists of its partition. */
void sl_batcher_withdraw(struct sl_core *core, struct sl_batch *batch);
/* outcome.c: counts records that have their outcome, for events and flushes. */
void sl_outcome_count(struct sl_core *core, int64_t count, uint64_t generation, int outcome);
/* outcome.c: the records of a chunk from `walked` on end NOT_WRITTEN. Takes the chunk, which is in
 * no list. Needs no memory. */
void sl_outcome_fail_chunk(struct sl_core *core, struct sl_chunk *chunk, int code);
/* outcome.c: one record ends NOT_WRITTEN. 0 or NOMEM: nothing happened. */
int sl_outcome_fail_record(struct sl_core *core, const struct sl_staged_record *r,
                           int32_t partition, uint64_t generation, int code);
/* outcome.c: FLUSH. Takes the op. */
void sl_outcome_on_flush(struct sl_core *core, struct sl_op *op);
void sl_outcome_deinit(struct sl_batcher *b);
/* outcome.c: the name of a topic by staging's index. */
const char *sl_outcome_topic_name(void *batcher, uint32_t index);
/* waiting.c: copies the record into its topic's waiting list. False: out of memory. */
bool sl_waiting_put(struct sl_core *core, struct sl_batching *t, const struct sl_chunk *from,
                    const struct sl_staged_record *r);
/* waiting.c: puts a wire chunk into its topic's waiting list as it is. */
void sl_waiting_put_chunk(struct sl_core *core, struct sl_batching *t, struct sl_chunk *chunk);
/* waiting.c: moves what waits for the topic to the front of the backlog. */
void sl_waiting_release(struct sl_core *core, struct sl_topic *topic);
/* waiting.c: what waits for the topic ends NOT_WRITTEN. */
void sl_waiting_fail(struct sl_core *core, struct sl_topic *topic, int code);
/* waiting.c: ends what has waited for delivery.timeout.ms. */
void sl_waiting_expire(struct sl_core *core);
/* waiting.c: everything that waits ends NOT_WRITTEN. */
void sl_waiting_fail_all(struct sl_core *core, int code);
int64_t sl_waiting_deadline(const struct sl_core *core);
/* check_producer.c: every invariant of the producer half; asserts. */
void sl_check_producer(const struct sl_core *core);
/* A chunk that is walked: back to staging, or freed when of odd size. */
void sl_batcher_give_chunk(struct sl_core *core, struct sl_chunk *chunk);

#endif
