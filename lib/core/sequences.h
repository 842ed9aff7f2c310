/* Sequences of an idempotent producer, per partition: who gets which, and what follows when one
 * is lost. */
#ifndef SL_CORE_SEQUENCES_H
#define SL_CORE_SEQUENCES_H

#include <stdbool.h>

struct sl_batch;
struct sl_core;
struct sl_partition;

/* A batch without a sequence is next in the partition: may it get one now? False: the identity is
 * not known yet, or old sequences are still out. */
bool sl_sequences_may_assign(struct sl_core *core, struct sl_partition *p);
/* Makes a sealed batch ready to be sent: gives it its sequence unless it has one. */
void sl_sequences_assign(struct sl_core *core, struct sl_batch *batch);
/* The batch was acknowledged. */
void sl_sequences_on_written(struct sl_partition *p, const struct sl_batch *batch);
/* The batch, which is in no list of the partition unless in flight, ends without being
 * acknowledged; certain: it is certainly not in the log. */
void sl_sequences_on_lost(struct sl_core *core, struct sl_partition *p,
                          const struct sl_batch *batch, bool certain);
/* Once nothing with a sequence is out any more, an unresolved partition goes on under a new
 * epoch. */
void sl_sequences_settle(struct sl_core *core, struct sl_partition *p);
/* The broker refused the sequence of the first batch that is out, or the log is a new one: the
 * epoch rises, and what is certainly not in the log is numbered anew. */
void sl_sequences_restart(struct sl_core *core, struct sl_partition *p, int code);
/* The topic is another one under the same name: its log is a new one. (Without a new epoch a batch
 * that is still under way to the old topic could pass for the first one of the new: requests before
 * version 13 name topics, not ids.) */
void sl_sequences_on_recreated(struct sl_core *core, struct sl_partition *p);
/* The batch has a sequence of an identity that the partition has left behind. */
bool sl_sequences_is_stale(const struct sl_partition *p, const struct sl_batch *batch);
/* No batch before this one is undecided. */
bool sl_sequences_is_first(const struct sl_partition *p, const struct sl_batch *batch);

#endif
