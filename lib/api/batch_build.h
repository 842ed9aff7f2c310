/* A batch as applications hold it: slices of partitions, cut into the broker's record batches,
 * decompressed where need be, each ready to be walked. */
#ifndef SL_API_BATCH_BUILD_H
#define SL_API_BATCH_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/text.h"
#include "core/command.h"
#include "record/batch_read.h"
#include "sluice/types.h"

/* One record batch of the broker. */
struct sl_batch_piece {
    struct sl_batch_walk walk; /* at the first record that is handed out; its pointers are set last,
                                * because the scratch they point into grows meanwhile */
    const uint8_t *records;    /* NULL: in the scratch … */
    size_t scratch_at;         /* … from here on */
    size_t size;
    size_t skipped;       /* bytes of records before the slice's start */
    int64_t first_offset; /* of the first record handed out */
    int32_t first_index;  /* that record's place in its part */
    int32_t count;        /* records handed out */
    int32_t leader_epoch;
    bool dense; /* no offset is missing, so the n-th record's is known without a walk */
};

/* One slice. Immutable once built, but for `handed`, which belongs to the thread that walks. */
struct sl_batch_part {
    struct sl_slice
        *slice;        /* the gate's, in hand; NULL once it was given back, and without a client */
    const char *topic; /* lives as long as the client's shell */
    int32_t partition;
    int32_t first_piece;
    int32_t piece_count;
    size_t scratch_at; /* where the scratch stood before it */
    size_t taken;  /* bytes of the slice that are in: less than all of it, the part ends there */
    int32_t count; /* records */
    int64_t from;  /* nothing below was asked for */
    int64_t first_offset;
    int64_t next_offset; /* of the partition, after this part */
    int64_t high_watermark;
    int32_t leader_epoch;
    bool at_end;
    int32_t handed; /* records handed out, from the start; noted when the walk leaves the part */
};

struct sluice_batch {
    uint32_t magic;
    sluice_client *client; /* its shell is held; NULL: a test broker's batch */
    const struct sl_alloc *alloc;
    struct sl_writer scratch;      /* owned: decompressed records */
    size_t scratch_most;           /* with so much of them no further record batch is added */
    int64_t charged;               /* bytes that the gate counts for them */
    struct sl_batch_piece *pieces; /* owned */
    int32_t piece_count;
    int32_t piece_cap;
    int32_t count;  /* records */
    int walk_error; /* MALFORMED: the walk ended there */
    int pack_error; /* TOO_BIG: of the last pack */
    int32_t part;   /* where the walk is … */
    int32_t piece;  /* … and in which piece of the batch; piece_count: at the end */
    int32_t index;  /* of the next record in its part */
    struct sl_batch_walk walk;
    uint8_t *owned; /* bytes of a test broker's batch, or NULL */
    size_t owned_size;
    int32_t part_cap;
    int32_t part_count;
    struct sl_batch_part parts[];
};

/* Where the building of a part came upon something bad. */
struct sl_batch_damage {
    int64_t offset; /* the first record that cannot be had */
    const char *what;
};

enum { SL_BATCH_MAGIC = 0x51c0ba7c, SL_BATCH_GONE = 0x0badba7c };
enum { SL_BATCH_PARTS_MAX = 64 }; /* slices that one poll takes: arbitrary */

/* An empty batch with room for so many parts. 0 or NOMEM. */
int sl_batch_build_create(const struct sl_alloc *alloc, int32_t part_cap, sluice_batch **out);
/* Frees the memory, nothing else. */
void sl_batch_build_destroy(sluice_batch *batch);
/* Adds a slice, or its beginning where scratch_most is reached (part.taken says). cap: of one record
 * batch decompressed. 0; NOMEM: the batch is as before; MALFORMED, TOO_BIG or UNSUPPORTED: what comes
 * before *damage is in, the part ends there. *codecs is made when it is needed first. */
int sl_batch_build_add(sluice_batch *batch, struct sl_slice *slice, const char *topic,
                       int32_t partition, struct sl_compress **codecs, size_t cap,
                       struct sl_batch_damage *damage);
/* Takes the last part out again. */
void sl_batch_build_undo(sluice_batch *batch);
/* After the last part: the batch can be walked. */
void sl_batch_build_end(sluice_batch *batch);
/* Puts the walk at the first record. */
void sl_batch_build_rewind(sluice_batch *batch);
/* Notes in the part under way how far the walk has come. */
void sl_batch_build_note(sluice_batch *batch);
/* The offset after the first `count` records of a part. Any thread. */
int64_t sl_batch_build_offset(const sluice_batch *batch, const struct sl_batch_part *part,
                              int32_t count, int32_t *leader_epoch);

#endif
