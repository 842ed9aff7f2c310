/* Worker threads of a runtime: they run jobs of core (core/job.h). */
#ifndef SL_DRIVER_WORKERS_H
#define SL_DRIVER_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "core/job.h"

struct sl_workers;

/* At most so many threads; none is started yet. wake(self) tells the loop that a job has ended, on
 * the worker's thread. 0, NOMEM or SYSTEM. */
int sl_workers_create(const struct sl_alloc *alloc, int32_t most, void (*wake)(void *self),
                      void *self, struct sl_workers **out);
/* No job is left in it. Waits for the threads, which have nothing to do. NULL is fine. */
void sl_workers_destroy(struct sl_workers *w);
/* Forked child: the threads are the parent's. Frees what is certainly nobody's. NULL is fine. */
void sl_workers_forget(struct sl_workers *w);
/* Takes a job. One that cannot be run for want of a thread comes back as it is. */
void sl_workers_start(struct sl_workers *w, struct sl_job *job);
/* A job of the member that has ended; with is_last any that is left, run or not, waiting for those
 * that are being run. NULL: none. */
struct sl_job *sl_workers_take(struct sl_workers *w, uint64_t member, bool is_last);

#endif
