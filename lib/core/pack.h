/* A batch that is compressed off the loop: a job over its record bytes. */
#ifndef SL_CORE_PACK_H
#define SL_CORE_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "core/job.h"
#include "record/batch_write.h"

struct sl_core;
struct sl_batch;
struct sl_segment;

/* Compressed records: room for the batch header, then the codec's bytes, in memory of just that
 * size. data NULL: there are none, because memory or the codec failed, or nothing was gained. */
struct sl_packed {
    uint8_t *data;
    size_t size;
    struct sl_batch_sum sum; /* of the bytes behind the header */
};
struct sl_pack {
    struct sl_job job;
    const struct sl_alloc *alloc; /* borrowed; of the client */
    struct sl_batch *batch;       /* core's; NULL: it has ended meanwhile */
    struct sl_segment *segments;  /* owned once the batch has ended; else the batch's */
    struct sl_list values;        /* the same: large values */
    int64_t charged;              /* of the budget, while it is out */
    struct sl_packed packed;      /* the result, owned */
    int codec;
    int32_t level;
    size_t piece_count;
    struct sl_iov pieces[]; /* the records, without the batch header */
};

/* Makes the job for a batch whose pieces are complete. NULL: out of memory. */
struct sl_pack *sl_pack_create(struct sl_core *core, struct sl_batch *batch);
/* Its batch ends before it: the bytes it reads stay with it, and what they cost. */
void sl_pack_adopt(struct sl_pack *pack, struct sl_batch *batch, int64_t bytes);
/* Frees it with all it has, and returns the charge. It is not out any more. */
void sl_pack_destroy(struct sl_core *core, struct sl_pack *pack);
/* Compresses pieces one after the other. */
void sl_pack_pieces(struct sl_job_tools *tools, int codec, int32_t level,
                    const struct sl_iov *pieces, size_t count, const struct sl_alloc *alloc,
                    struct sl_packed *out);

#endif
