/* What a partition remembers of idempotent producers (KIP-98): the epoch and the last five
 * batches of each, by which retries are recognised and gaps refused. */
#ifndef SL_BROKER_PRODUCERS_H
#define SL_BROKER_PRODUCERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/map.h"

enum { SL_PRODUCERS_CACHED = 5 };

struct sl_producers_batch {
    int64_t base_offset;
    int32_t first_sequence;
    int32_t last_sequence;
};
struct sl_producers_entry {
    struct sl_producers_batch batches[SL_PRODUCERS_CACHED]; /* oldest first */
    int32_t batch_count; /* 0: nothing was written yet, any start is fine */
    int16_t epoch;
    bool is_cut; /* nothing is left of it after a cut but what the log has */
};
struct sl_producers {
    const struct sl_alloc *alloc;
    struct sl_map entries; /* producer id, 8 bytes → sl_producers_entry, owned */
};
void sl_producers_init(struct sl_producers *p, const struct sl_alloc *alloc);
void sl_producers_deinit(struct sl_producers *p);

/* What to do with a batch of count records: 0: append it; 46 DUPLICATE_SEQUENCE_NUMBER: it is
 * there already, at *base_offset, which is a success for the producer; 45
 * OUT_OF_ORDER_SEQUENCE_NUMBER; 47 INVALID_PRODUCER_EPOCH. */
int sl_producers_judge(const struct sl_producers *p, int64_t id, int16_t epoch, int32_t sequence,
                       int32_t count, int64_t *base_offset);
/* Makes sure that note cannot fail for this producer. 0 or NOMEM. */
int sl_producers_reserve(struct sl_producers *p, int64_t id);
/* Batches from that offset on are forgotten. True: of some producers that was all; they are learned
 * anew from what the log has left, batch by batch (learn). */
bool sl_producers_cut(struct sl_producers *p, int64_t end);
/* A batch that is in the log, for a producer that is learned anew; others know it. */
void sl_producers_learn(struct sl_producers *p, int64_t id, int16_t epoch, int32_t sequence,
                        int32_t count, int64_t base_offset);
/* Remembers a batch that judge let through and that was appended. */
void sl_producers_note(struct sl_producers *p, int64_t id, int16_t epoch, int32_t sequence,
                       int32_t count, int64_t base_offset);

#endif
