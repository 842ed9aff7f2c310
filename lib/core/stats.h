/* What is counted, from the start of a client: per API, per connection, per topic, and as a whole.
 * Read by dump and by metrics.c, which also says what each number means.
 *
 * Nothing here happens once a record: the functions are called once a batch, a request, an answer
 * or a turn, add to fixed places and allocate nothing. Counters only rise; averages and the like
 * are of the last 30 to 60 seconds, because an average since the start tells nothing of now. */
#ifndef SL_CORE_STATS_H
#define SL_CORE_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "wire/api.h"

struct sl_batch;
struct sl_core;
struct sl_link;
struct sl_request;

enum { SL_STATS_BUCKETS = 96 };

/* Values noted in one span of 30 seconds. */
struct sl_stats_window {
    int64_t span; /* which, counted from time 0 */
    int64_t count;
    int64_t sum;
    int64_t most;
};
/* Numbers of one kind. `windows` has the span under way and the one before; what lies there from
 * earlier is overwritten when its turn comes, so nothing has to be tidied by a timer. */
struct sl_mean {
    int64_t count; /* ever */
    int64_t sum;   /* ever */
    struct sl_stats_window windows[2];
};
/* Durations, with how they are spread: four buckets a doubling from 16 us on, so a quantile is
 * exact to a fifth. */
struct sl_spread {
    struct sl_mean mean;
    uint32_t buckets[2][SL_STATS_BUCKETS]; /* beside mean.windows */
};
struct sl_api_counts {
    uint64_t requests, responses, errors, retries;
    struct sl_mean latency;  /* ns from queueing to the whole answer */
    struct sl_mean throttle; /* ms that brokers asked for; 0 for answers that asked for none */
};
/* Of a consumer's group. */
struct sl_group_counts {
    uint64_t rebalances;       /* assignments that were applied */
    uint64_t lost;             /* memberships */
    uint64_t heartbeats;       /* that were answered well */
    struct sl_spread duration; /* ns from the first reason to join to the assignment applied */
};
/* Of one topic that is produced to. */
struct sl_topic_counts {
    uint64_t records_sent, records_retried, records_failed;
    uint64_t bytes_sent;
};
struct sl_stats {
    struct sl_api_counts apis[SL_API_KEY_LIMIT];
    uint64_t turns;
    /* connections */
    uint64_t connects, closes, failures, timeouts;
    uint64_t requests, responses, bytes_out, bytes_in;
    /* producing: what a retry sends again counts again in what was sent */
    uint64_t records_sent, bytes_sent, batches_sent;
    uint64_t records_retried, records_expired;
    uint64_t records_written, records_not_written, records_maybe_written;
    uint64_t batches_sealed, batches_split;
    uint64_t bytes_uncompressed;   /* of sealed batches, before and … */
    uint64_t bytes_sealed;         /* … after compression */
    struct sl_mean batch_size;     /* bytes as sent */
    struct sl_mean packing;        /* millionths: compressed by uncompressed size */
    struct sl_mean request_size;   /* records a Produce request */
    struct sl_spread queue_time;   /* ns from the first record of a batch to its first sending */
    struct sl_spread decide_time;  /* ns from there to its outcome */
    struct sl_spread produce_time; /* ns a Produce request took */
    /* consuming */
    uint64_t records_fetched, bytes_fetched, batches_fetched;
    struct sl_mean answer_bytes;   /* record bytes of a Fetch answer */
    struct sl_mean answer_records; /* records of it */
    struct sl_group_counts group;
    struct sl_spread fetch_time; /* ns a Fetch took, with what the broker waited for data */
    uint64_t commits;            /* OffsetCommit requests that were taken whole, … */
    uint64_t commit_failures;    /* … and attempts that failed, wholly or for some partition */
    struct sl_mean commit_time;  /* ns one took that was taken whole */
};

/* What the windows hold at a time. */
struct sl_stats_recent {
    int64_t count;
    int64_t sum;
    int64_t most;
};

void sl_stats_add(struct sl_mean *mean, int64_t now, int64_t value);
void sl_stats_add_time(struct sl_spread *spread, int64_t now, int64_t ns);
struct sl_stats_recent sl_stats_recent(const struct sl_mean *mean, int64_t now);
/* The duration in ns that `part` of 1,000 of the recent ones do not exceed, rounded up to the end
 * of its bucket; -1: there are none. */
int64_t sl_stats_quantile(const struct sl_spread *spread, int64_t now, int part);

/* ---- what units tell ---- */

/* A turn begins to act. */
void sl_stats_on_turn(struct sl_core *core);
/* A request was queued; it was answered; it ended without an answer. */
void sl_stats_on_request(struct sl_link *link, const struct sl_request *request);
void sl_stats_on_answer(struct sl_link *link, const struct sl_request *request);
void sl_stats_on_unanswered(struct sl_core *core, const struct sl_request *request);
/* An answer was read: what it asked the client to wait, 0 mostly. */
void sl_stats_on_throttle(struct sl_core *core, int16_t api_key, int32_t throttle_ms);
/* The link is about to be in another state (enum sl_link_state): a connection comes or goes. */
void sl_stats_on_link_state(struct sl_link *link, int next);
/* A connection, or the attempt at one, failed. */
void sl_stats_on_link_failure(struct sl_link *link);
void sl_stats_on_request_timeout(struct sl_link *link);
void sl_stats_on_bytes_out(struct sl_link *link, size_t size);
void sl_stats_on_bytes_in(struct sl_link *link, size_t size);
/* uncompressed: its size before compression. */
void sl_stats_on_sealed(struct sl_core *core, const struct sl_batch *batch, size_t uncompressed);
/* A batch that was too large goes on in parts, each of which is sealed. */
void sl_stats_on_split(struct sl_core *core);
/* A batch is in a request, for the first time or again. */
void sl_stats_on_batch_sent(struct sl_core *core, const struct sl_batch *batch);
/* A Produce request with so many records leaves. */
void sl_stats_on_produce(struct sl_core *core, int64_t records);
void sl_stats_on_retry(struct sl_core *core, const struct sl_batch *batch);
/* A batch has its outcome (enum sl_outcome). */
void sl_stats_on_decided(struct sl_core *core, const struct sl_batch *batch, int outcome);
/* Records have theirs, in a batch or without ever having been in one. */
void sl_stats_on_outcome(struct sl_core *core, int64_t records, int outcome);
/* Records are about to get theirs because delivery.timeout.ms has passed. */
void sl_stats_on_expired(struct sl_core *core, int64_t records);
/* A Fetch answer was read. */
void sl_stats_on_fetched(struct sl_core *core, uint64_t records, uint64_t bytes);

/* An OffsetCommit has its answer, or none: 0, or what (one of) its offsets failed with. */
void sl_stats_on_commit(struct sl_core *core, int64_t ns, int code);

#endif
