/* Records that the broker names as the reason why it refused their batch (KIP-467). */
#ifndef SL_CORE_RECORD_ERRORS_H
#define SL_CORE_RECORD_ERRORS_H

struct sl_batch;
struct sl_core;
struct sl_produce_partition_response;

/* The undecided batch is about to end with this outcome, for what the answer says. Each record that
 * the answer names gets a report of its own, now, with the broker's words; the report of the
 * others says that it was not their fault. Without memory, or without reports, they all share one
 * report. */
void sl_record_errors_tell(struct sl_core *core, struct sl_batch *batch, int outcome,
                           const struct sl_produce_partition_response *answer);

#endif
