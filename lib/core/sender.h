/* Sealed batches to leaders: one Produce request per broker with all its ready partitions, retries
 * in order, delivery timeouts, and the three-valued outcome. */
#ifndef SL_CORE_SENDER_H
#define SL_CORE_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/heap.h"
#include "base/list.h"

struct sl_broker;
struct sl_core;
struct sl_batch;
struct sl_partition;
struct sl_topic;

enum {
    SL_SENDER_PIECES = 900,    /* iovecs of a request: one writev takes 1024 */
    SL_SENDER_PARTITIONS = 450 /* of a request: each takes two pieces at least */
};

struct sl_sender {
    struct sl_core *core;
    struct sl_list brokers;  /* those with ready or held partitions: broker.produce_node */
    struct sl_list homeless; /* partitions with sealed batches and no leader: produce.ready */
    struct sl_list asking;   /* those that wait for a producer id: produce.ready */
    struct sl_heap delayed;  /* those in back-off: produce.delay */
    struct sl_list requests; /* struct sl_produce in flight */
    struct sl_arena arena;   /* of the request that is being built */
    struct sl_partition *picked[SL_SENDER_PARTITIONS]; /* for it */
    uint64_t serial;                                   /* of the request being built */
    int64_t retry_at; /* memory was short: try again then; 0: it was not */
};

void sl_sender_init(struct sl_sender *s, struct sl_core *core);
void sl_sender_deinit(struct sl_sender *s);
/* A batch was sealed: it is in partition->produce.sealed. */
void sl_sender_on_sealed(struct sl_core *core, struct sl_partition *partition);
/* Metadata: the leader or its epoch changed; the one before is old_leader (-1: none). */
void sl_sender_on_leader(struct sl_core *core, struct sl_partition *partition, int32_t old_leader);
/* Metadata: the topic was created anew: sequences start over, what is in flight is unresolved. */
void sl_sender_on_recreated(struct sl_core *core, struct sl_topic *topic);
/* A broker is about to be freed: its partitions become homeless. */
void sl_sender_on_broker_gone(struct sl_core *core, struct sl_broker *broker);
/* A new producer id or epoch is known, or none can be had. */
void sl_sender_on_identity(struct sl_core *core);
void sl_sender_run(struct sl_core *core);
int64_t sl_sender_deadline(const struct sl_core *core);

/* ---- between the producer's files ---- */

/* Batcher: the batch gets its outcome now, without (another) answer: expired, discarded, closing.
 * NOT_WRITTEN if that is certain, else MAYBE_WRITTEN. */
void sl_sender_give_up(struct sl_core *core, struct sl_batch *batch, int code);
/* Batcher: the partition's open batch has lingered, and nothing is before it. True: its leader has
 * as many requests as it may have; the batch goes on filling, and the sender has it closed when
 * there is room for a request. */
bool sl_sender_hold(struct sl_core *core, struct sl_partition *partition);
/* Puts the partition into the list that says what it waits for. */
void sl_sender_place(struct sl_core *core, struct sl_partition *partition);
/* The batch leaves the request that referred to it, and the partition's in_flight list. */
void sl_sender_detach(struct sl_batch *batch);
/* Into its place among the sealed ones, by serial: it may be sent (again). */
void sl_sender_put_back(struct sl_partition *partition, struct sl_batch *batch);
/* A batch that an attempt left undecided goes back to its place. maybe: that attempt may have
 * written it. wait: after a back-off. */
void sl_sender_retry(struct sl_core *core, struct sl_batch *batch, int code, bool maybe, bool wait);
#endif
