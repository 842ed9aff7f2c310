/* One partition of a topic in use: which unit owns which part. Allocated one by one and never
 * moved, so pointers to it are stable; it lives as long as the core. */
#ifndef SL_CORE_PARTITION_H
#define SL_CORE_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ahead.h"
#include "base/heap.h"
#include "base/list.h"

struct sl_topic;
struct sl_batch;
struct sl_fetch_position;

/* batcher and sender. All zero at first (the lists too: they are set up with the first batch). */
struct sl_partition_produce {
    struct sl_batch *open;    /* owned: the batch that records are encoded into, or NULL */
    struct sl_list sealed;    /* struct sl_batch waiting to be sent: those with a sequence first */
    struct sl_list in_flight; /* struct sl_batch in a request, in the order of sending */
    struct sl_list ready;     /* the sender's list that it is in: a broker's, homeless, or asking */
    struct sl_heap_node delay; /* the sender's, while it backs off */
    int64_t not_before;        /* back-off of the head batch; 0: none */
    int64_t producer_id;       /* that next_sequence counts under; -1: none yet, start at 0 */
    int64_t acked_offset;      /* of the last record acknowledged; -1: none */
    uint64_t careful_until;  /* serial up to which batches may be too large for the broker: they go
                                * one at a time; 0: none */
    int32_t next_sequence;   /* for the next batch that gets one */
    int32_t hole;            /* with unresolved: first sequence whose fate is not known */
    int32_t queued;          /* batches closed or in sealed: not in a request */
    int32_t in_flight_count; /* batches in in_flight */
    int16_t epoch;           /* producer epoch that next_sequence counts under */
    bool one_at_a_time;      /* after a retry, a leader or identity change: until a success */
    bool is_held;    /* in the leader's produce_held: the open batch is due, and goes on filling */
    bool is_begun;   /* the leader has a batch under that id and epoch */
    bool unresolved; /* a sequence may be missing at the broker: no new one until that is known */
    bool is_set_up;  /* the lists above are */
};
struct sl_partition {
    struct sl_topic *topic; /* owner */
    int32_t index;
    int32_t leader;       /* broker id, -1: none known */
    int32_t leader_epoch; /* -1: unknown */
    int code;             /* partition-level error of the last metadata */
    struct sl_partition_produce produce;
    struct sl_fetch_position *fetch; /* fetcher's, while assigned; else NULL */
};

/* What a record or a batch needs of it will be looked at soon. */
static inline void sl_partition_ahead(const struct sl_partition *p) {
    sl_ahead_all(p, offsetof(struct sl_partition, fetch));
}

#endif
