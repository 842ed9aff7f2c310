/* Work that is better done off the loop. Core makes jobs and gets every one of them back; a host
 * runs them on threads of its own, or in the simulator late and out of order. While it is out a job
 * touches nothing but what it has in itself, and nothing of core touches that. Nothing waits for a
 * job but the end of its client's memory. */
#ifndef SL_CORE_JOB_H
#define SL_CORE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"

struct sl_compress;

/* What whoever runs jobs keeps from one to the next, warm. */
struct sl_job_tools {
    struct sl_compress *codecs; /* owned; NULL: no job can be run */
    struct sl_writer input;     /* what lay in pieces */
    struct sl_writer output;    /* what becomes of it, before its size is known */
};
struct sl_job {
    struct sl_list node; /* the host's, while it has the job */
    uint64_t member;     /* the host's: whom it goes back to */
    /* Does the work, and sets is_done. */
    void (*run)(struct sl_job *job, struct sl_job_tools *tools);
    bool is_done; /* false when it comes back: the host could not run it */
};

/* 0 or NOMEM: then they are as after deinit. */
int sl_job_tools_init(struct sl_job_tools *tools, const struct sl_alloc *alloc);
void sl_job_tools_deinit(struct sl_job_tools *tools);

#endif
