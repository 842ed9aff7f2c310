/* Makes a batch out of slices, on the application's thread and outside all locks.
 *
 * A slice is whole record batches of a Fetch answer, whose headers and checksums core has looked
 * at; the first may begin before the offset that was asked for, since brokers serve whole batches.
 * Here they are decompressed into one scratch buffer, and the records before the start are walked
 * over, so that counts are exact and the walk begins at the right record. Control batches (ends of
 * transactions) are left out.
 *
 * Something bad ends its part, not the batch: all before it can be handed out, and the caller stops
 * the partition and tells the error. Memory is different: then nothing of the slice is in.
 *
 * The scratch grows while pieces are added, so pieces hold places in it until the end. */
#include "api/batch_build.h"

#include <string.h>

#include "base/assert.h"
#include "core/unpack.h"
#include "record/record.h"
#include "sluice/error.h"

int sl_batch_build_create(const struct sl_alloc *alloc, int32_t part_cap, sluice_batch **out) {
    size_t size = sizeof **out + (size_t)part_cap * sizeof(struct sl_batch_part);
    sluice_batch *batch = sl_alloc_zero(alloc, size);
    if (batch == NULL) return SLUICE_ERR_NOMEM;
    batch->magic = SL_BATCH_MAGIC;
    batch->alloc = alloc;
    batch->part_cap = part_cap;
    batch->scratch_most = SIZE_MAX;
    sl_writer_init(&batch->scratch, alloc);
    *out = batch;
    return 0;
}

void sl_batch_build_destroy(sluice_batch *batch) {
    const struct sl_alloc *alloc = batch->alloc;
    size_t size = sizeof *batch + (size_t)batch->part_cap * sizeof(struct sl_batch_part);
    batch->magic = SL_BATCH_GONE;
    sl_writer_deinit(&batch->scratch);
    sl_alloc_free(alloc, batch->pieces, (size_t)batch->piece_cap * sizeof *batch->pieces);
    sl_alloc_free(alloc, batch->owned, batch->owned_size);
    sl_alloc_free(alloc, batch, size);
}

/* ---- pieces ---- */

static struct sl_batch_piece *add_batch_piece(sluice_batch *batch) {
    enum { FIRST_PIECES = 8 };
    if (batch->piece_count == batch->piece_cap) {
        int32_t cap = batch->piece_cap == 0 ? FIRST_PIECES : batch->piece_cap * 2;
        struct sl_batch_piece *pieces = sl_alloc_resize(
            batch->alloc, batch->pieces, (size_t)batch->piece_cap, (size_t)cap, sizeof *pieces);
        if (pieces == NULL) return NULL;
        batch->pieces = pieces;
        batch->piece_cap = cap;
    }
    struct sl_batch_piece *piece = &batch->pieces[batch->piece_count];
    memset(piece, 0, sizeof *piece);
    return piece;
}

/* The records of a batch at data, decompressed. 0, NOMEM, MALFORMED or TOO_BIG. */
static int unpack_piece(sluice_batch *batch, struct sl_batch_piece *piece, const uint8_t *data,
                        const struct sl_batch_info *info, struct sl_compress **codecs, size_t cap) {
    const struct sl_slice *slice = batch->parts[batch->part_count].slice;
    bool is_packed = (info->attributes & SL_RECORD_CODEC_MASK) != SL_CODEC_NONE;
    piece->records = sl_unpack_find(slice->unpack, data, &piece->size);
    if (piece->records != NULL) return 0;
    if (is_packed && *codecs == NULL) {
        int rv = sl_compress_create(batch->alloc, codecs);
        if (rv != 0) return rv;
    }
    piece->scratch_at = batch->scratch.size;
    int rv = sl_batch_read_records(data, info, *codecs, cap, &batch->scratch, &piece->records,
                                   &piece->size);
    /* A failed writer stays so; the next attempt starts with what it has. */
    if (rv == SLUICE_ERR_NOMEM) batch->scratch.failed = false;
    if (rv != 0) return rv;
    if (batch->scratch.size > piece->scratch_at) piece->records = NULL;
    return 0;
}

static const uint8_t *piece_records(const sluice_batch *batch, const struct sl_batch_piece *piece) {
    return piece->records != NULL ? piece->records : batch->scratch.data + piece->scratch_at;
}

/* Starts the piece's walk at the first record from `from` on. 0 or MALFORMED. */
static int position_piece(const sluice_batch *batch, struct sl_batch_piece *piece,
                          const struct sl_batch_info *info, int64_t from) {
    const uint8_t *records = piece_records(batch, piece);
    struct sl_batch_walk walk;
    struct sl_record_out record;
    sl_batch_read_start(&walk, info, records, piece->size);
    piece->walk = walk;
    piece->dense = info->last_offset - info->base_offset + 1 == info->record_count;
    piece->leader_epoch = info->leader_epoch;
    piece->first_offset = info->base_offset;
    if (info->base_offset >= from && piece->dense) {
        piece->count = walk.left;
        return walk.failed ? SLUICE_ERR_MALFORMED : 0;
    }
    /* Without its first records, or with holes: look for the record that is the first to be seen. */
    for (;;) {
        int rv = sl_batch_read_next(&walk, &record);
        if (rv < 0) return rv;
        if (rv == 1 && record.offset < from) {
            piece->walk = walk;
            continue;
        }
        piece->first_offset = rv == 1 ? record.offset : info->last_offset + 1;
        break;
    }
    piece->count = piece->walk.left;
    piece->skipped = (size_t)(piece->walk.at - records);
    return 0;
}

static const char *damage_text(int code) {
    switch (code) {
    case SLUICE_ERR_TOO_BIG:
        return "a record batch is larger than fetch.batch.decoded.max.bytes when decompressed";
    case SLUICE_ERR_UNSUPPORTED:
        return "the record batch has message format 0 or 1, which is not read; seek past it";
    default:
        return "a record batch is damaged: its records cannot be decoded";
    }
}

/* Adds the record batch at data. 0, NOMEM, or what is wrong with it. */
static int add_record_batch(sluice_batch *batch, struct sl_batch_part *part, const uint8_t *data,
                            const struct sl_batch_info *info, int64_t from,
                            struct sl_compress **codecs, size_t cap) {
    bool is_control = (info->attributes & SL_RECORD_CONTROL) != 0;
    if (is_control || info->last_offset < from || info->record_count == 0) return 0;
    struct sl_batch_piece *piece = add_batch_piece(batch);
    if (piece == NULL) return SLUICE_ERR_NOMEM;
    size_t scratch_size = batch->scratch.size;
    int rv = unpack_piece(batch, piece, data, info, codecs, cap);
    if (rv == 0) rv = position_piece(batch, piece, info, from);
    if (rv == 0 && piece->count > INT32_MAX - batch->count) rv = SLUICE_ERR_TOO_BIG;
    if (rv != 0 || piece->count == 0) {
        batch->scratch.size = scratch_size;
        return rv;
    }
    piece->first_index = part->count;
    part->count += piece->count;
    batch->count += piece->count;
    batch->piece_count++;
    return 0;
}

/* ---- parts ---- */

static void fill_part(sluice_batch *batch, struct sl_batch_part *part, struct sl_slice *slice,
                      const char *topic, int32_t partition) {
    *part = (struct sl_batch_part){
        .slice = slice,
        .topic = topic,
        .partition = partition,
        .from = slice->from,
        .first_piece = batch->piece_count,
        .scratch_at = batch->scratch.size,
        .next_offset = slice->next_offset,
        .high_watermark = slice->high_watermark,
        .leader_epoch = slice->leader_epoch,
        .at_end = slice->end >= 0 && slice->next_offset >= slice->end,
    };
}

static void drop_part(sluice_batch *batch, const struct sl_batch_part *part) {
    batch->scratch.size = part->scratch_at;
    batch->piece_count = part->first_piece;
    batch->count -= part->count;
}

void sl_batch_build_undo(sluice_batch *batch) {
    SL_ASSERT(batch->part_count > 0);
    drop_part(batch, &batch->parts[--batch->part_count]);
}

static bool is_batch_full(const sluice_batch *batch, const struct sl_batch_part *part) {
    return batch->scratch.size >= batch->scratch_most && batch->scratch.size > part->scratch_at;
}

int sl_batch_build_add(sluice_batch *batch, struct sl_slice *slice, const char *topic,
                       int32_t partition, struct sl_compress **codecs, size_t cap,
                       struct sl_batch_damage *damage) {
    SL_ASSERT(batch->part_count < batch->part_cap);
    struct sl_batch_part *part = &batch->parts[batch->part_count];
    const uint8_t *at = slice->data;
    size_t left = slice->size;
    int32_t undone = 0;
    int rv = 0;
    fill_part(batch, part, slice, topic, partition);
    damage->offset = slice->from;
    while (left > 0 && !is_batch_full(batch, part)) {
        struct sl_batch_info info;
        rv = sl_batch_read_info(at, left, &info);
        if (rv == SL_BATCH_CUT) rv = SLUICE_ERR_MALFORMED; /* core cuts slices at batches */
        if (rv == 0 && !sl_slice_leaves_out(slice, info.base_offset, &undone))
            rv = add_record_batch(batch, part, at, &info, slice->from, codecs, cap);
        if (rv != 0) break;
        at += info.size;
        left -= (size_t)info.size;
        if (info.last_offset >= damage->offset) damage->offset = info.last_offset + 1;
    }
    if (rv == SLUICE_ERR_NOMEM) {
        drop_part(batch, part);
        return rv;
    }
    part->piece_count = batch->piece_count - part->first_piece;
    part->taken = slice->size - left;
    if (rv != 0) damage->what = damage_text(rv);
    if (left > 0) {
        part->next_offset = damage->offset;
        part->at_end = false;
    }
    bool is_empty = part->piece_count == 0;
    part->first_offset =
        is_empty ? part->next_offset : batch->pieces[part->first_piece].first_offset;
    batch->part_count++;
    return rv;
}

void sl_batch_build_end(sluice_batch *batch) {
    for (int32_t i = 0; i < batch->piece_count; i++) {
        struct sl_batch_piece *piece = &batch->pieces[i];
        const uint8_t *records = piece_records(batch, piece);
        piece->walk.at = records + piece->skipped;
        piece->walk.end = records + piece->size;
    }
    sl_batch_build_rewind(batch);
}

void sl_batch_build_note(sluice_batch *batch) {
    if (batch->part >= batch->part_count) return;
    struct sl_batch_part *part = &batch->parts[batch->part];
    if (batch->index > part->handed) part->handed = batch->index;
}

void sl_batch_build_rewind(sluice_batch *batch) {
    sl_batch_build_note(batch);
    batch->part = 0;
    batch->piece = 0;
    batch->index = 0;
    if (batch->piece_count == 0) return;
    while (batch->parts[batch->part].piece_count == 0) batch->part++;
    batch->walk = batch->pieces[0].walk;
}

int64_t sl_batch_build_offset(const sluice_batch *batch, const struct sl_batch_part *part,
                              int32_t count, int32_t *leader_epoch) {
    *leader_epoch = -1;
    if (count == 0 && part->count > 0) return part->from;
    const struct sl_batch_piece *piece = NULL;
    for (int32_t i = 0; i < part->piece_count; i++) {
        const struct sl_batch_piece *candidate = &batch->pieces[part->first_piece + i];
        if (candidate->first_index >= count) break;
        piece = candidate;
    }
    if (piece != NULL) *leader_epoch = piece->leader_epoch;
    if (piece == NULL || count >= part->count) return part->next_offset;
    int32_t within = count - piece->first_index;
    if (piece->dense) return piece->first_offset + within;
    struct sl_batch_walk walk = piece->walk;
    struct sl_record_out record = {0};
    for (int32_t i = 0; i < within; i++)
        if (sl_batch_read_next(&walk, &record) != 1) return piece->first_offset;
    return record.offset + 1;
}
