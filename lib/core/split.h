/* A batch that the broker refused as too large, made into several that take its place. */
#ifndef SL_CORE_SPLIT_H
#define SL_CORE_SPLIT_H

struct sl_batch;
struct sl_core;

/* The batch is in flight, undecided, of more than one record, and certainly not in the log. On
 * success it is gone, its parts stand where it stood, and its topic's batches are smaller from now
 * on. 0, or an error (NOMEM): then nothing has happened. */
int sl_split_batch(struct sl_core *core, struct sl_batch *batch);

#endif
