/* The records of a slice, decompressed before the application asks for them: a job over its bytes.
 *
 * An unpack belongs to the gate, which gives it to a host and gets it back. While it is out, the
 * answer that it reads stays; what it makes is nobody else's. Afterwards it is the slice's, and
 * whoever has the slice reads it. It says what it has, not that it has everything: what is missing,
 * for want of memory or because it is damaged, is decompressed by whoever walks the slice, who then
 * meets what is wrong with it. */
#ifndef SL_CORE_UNPACK_H
#define SL_CORE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "core/command.h"
#include "core/job.h"

struct sl_unpacked_batch {
    const uint8_t *data; /* where the compressed batch begins; they rise */
    size_t at;           /* of its records in `records` */
    size_t size;
};
struct sl_unpack {
    struct sl_job job;
    struct sl_list node;               /* gate: spare */
    struct sl_slice *slice;            /* that has it; NULL: it went while this was out */
    struct sl_fetched *owner;          /* gate: the answer with the bytes, held while it is out */
    struct sl_slice source;            /* a copy: what is to be read, without the gate's parts */
    size_t cap;                        /* of one batch decompressed */
    size_t most;                       /* with so much no further batch is added */
    bool is_out;                       /* a host has it, or is about to */
    bool is_ahead;                     /* gate: its slice has not been handed out */
    int64_t charged;                   /* gate: bytes of the receiving account for `records` */
    struct sl_writer records;          /* owned, kept from one use to the next */
    struct sl_unpacked_batch *batches; /* owned, the same */
    int32_t count;
    int32_t batch_cap;
};

/* NULL: out of memory. alloc is used on whatever thread runs the job. */
struct sl_unpack *sl_unpack_create(const struct sl_alloc *alloc);
/* It is not out. */
void sl_unpack_destroy(const struct sl_alloc *alloc, struct sl_unpack *unpack);
/* Makes it ready to be run over a slice. */
void sl_unpack_aim(struct sl_unpack *unpack, const struct sl_slice *slice, size_t cap, size_t most);
/* What it takes, whoever counts it. */
int64_t sl_unpack_bytes(const struct sl_unpack *unpack);
/* The records of the compressed batch at data, valid as long as the slice has its bytes. NULL: it
 * has none (unpack may be NULL too). */
const uint8_t *sl_unpack_find(const struct sl_unpack *unpack, const uint8_t *data, size_t *size);

#endif
