/* sluice: metrics: what a client has done and how it is, in numbers. METRICS.md lists them. */
#ifndef SLUICE_METRICS_H
#define SLUICE_METRICS_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes a snapshot of all metrics: a table "metrics" with the columns group, name, type ("counter"
 * only rises, "gauge"), value, and what the metric is of: client-id, node-id, link, api, topic,
 * partition; the rows of one metric follow each other. Groups and names are the Java client's where
 * it has the same thing. A value is an integer, or real (averages, times in milliseconds), or null
 * when there is none yet. Taking it costs
 * the I/O thread some ten microseconds, with 10,000 partitions a quarter of a millisecond, and
 * nothing is counted once a record: once a second is not too often.
 * timeout_ms   of the operation, which needs a turn of the loop, no broker.
 * op       must not be NULL: the table is the op's (sluice_op_table).
 * Returns 0 or SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED, SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE. The op
 * ends with 0, SLUICE_ERR_TIMEOUT, SLUICE_ERR_CLOSED or SLUICE_ERR_NOMEM.
 * Thread: any.  Blocks: no; sluice_op_wait does, for as long as it is told.  Owns: the op is yours.
 * Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_metrics_snapshot(sluice_client *client, int32_t timeout_ms,
                                                   sluice_op **op);

#ifdef __cplusplus
}
#endif

#endif
