/* Batches in the application's hands: the walk, what was processed, and giving back.
 *
 * The walk goes part by part, piece by piece; each record is decoded when it is handed out, into
 * the caller's view, which points into the batch. Nothing is allocated and nothing locked. How far a
 * walk has come is noted per part, when it leaves the part, and never shrinks.
 *
 * Giving back says three things to the gate, in this order: to where each slice is processed
 * (mark), what comes again, and that the memory is not needed any more. What comes again goes back
 * into the gate's queue as it is when nothing behind it is in hand, which needs neither memory nor
 * the network; otherwise its partition is rewound.
 *
 * A record that breaks the format ends the walk: its partition stops there until a seek, and both
 * finish and the next poll say so. A record that does not fit pack's buffer ends it as well, but
 * only for that buffer: the record comes again. */
#include <string.h>

#include "api/batch_build.h"
#include "base/ahead.h"
#include "driver/client.h"
#include "sluice/consumer.h"

static bool is_batch(const sluice_batch *batch) {
    return batch != NULL && batch->magic == SL_BATCH_MAGIC;
}

int32_t sluice_batch_count(const sluice_batch *batch) { return is_batch(batch) ? batch->count : 0; }

void sluice_batch_rewind(sluice_batch *batch) {
    if (is_batch(batch) && batch->walk_error == 0) sl_batch_build_rewind(batch);
}

/* ---- the walk ---- */

static int end_walk_badly(sluice_batch *batch) {
    const struct sl_batch_part *part = &batch->parts[batch->part];
    char buf[256];
    struct sl_text text;
    int32_t epoch;
    batch->walk_error = SLUICE_ERR_MALFORMED;
    int64_t offset = sl_batch_build_offset(batch, part, batch->index, &epoch);
    sl_text_init(&text, buf, sizeof buf);
    sl_text_printf(&text, "%.100s-%d at offset %lld: a record is damaged; seek past it to go on",
                   part->topic, (int)part->partition, (long long)offset);
    if (batch->client != NULL) sl_client_remember(batch->client, SLUICE_ERR_MALFORMED, buf);
    return SLUICE_ERR_MALFORMED;
}

/* To the next piece, and its part. False: that was the last. */
static bool enter_next_piece(sluice_batch *batch) {
    if (++batch->piece >= batch->piece_count) return false;
    const struct sl_batch_part *part = &batch->parts[batch->part];
    if (batch->piece >= part->first_piece + part->piece_count) sl_batch_build_note(batch);
    while (batch->piece >= part->first_piece + part->piece_count) {
        part++;
        batch->part++;
        batch->index = 0;
    }
    batch->walk = batch->pieces[batch->piece].walk;
    return true;
}

/* Decodes the next record. 1, 0 at the end, or MALFORMED. */
static inline int decode_next(sluice_batch *batch, struct sl_record_out *record) {
    if (batch->walk_error != 0) return batch->walk_error;
    if (batch->piece >= batch->piece_count) return 0;
    sl_ahead_read(batch->walk.at);
    for (;;) {
        int rv = sl_batch_read_next(&batch->walk, record);
        if (rv == 1) break;
        if (rv < 0) return end_walk_badly(batch);
        if (!enter_next_piece(batch)) return 0;
    }
    batch->index++;
    return 1;
}

/* Volatile, so that each field is loaded as it was stored a moment ago: compilers join the loads of
 * neighbours into wide ones, which have to wait until the stores have left the core (2 ns). */
static inline void fill_view(const sluice_batch *batch, const volatile struct sl_record_out *record,
                             sluice_view *out) {
    const struct sl_batch_part *part = &batch->parts[batch->part];
    out->offset = record->offset;
    out->timestamp_ms = record->timestamp;
    out->topic = part->topic;
    out->key = record->key;
    out->value = record->value;
    int32_t header_count = record->header_count;
    out->headers = header_count > 0 ? record->headers : NULL;
    int32_t key_size = record->key_size;
    int32_t value_size = record->value_size;
    out->key_size = key_size > 0 ? (size_t)key_size : 0;
    out->value_size = value_size > 0 ? (size_t)value_size : 0;
    out->headers_size = record->headers_size;
    out->partition = part->partition;
    out->slice = batch->part;
    out->index = batch->index - 1;
    out->header_count = header_count;
}

int sluice_batch_next(sluice_batch *batch, sluice_view *out, size_t size) {
    struct sl_record_out record;
    if (batch == NULL) return 0;
    if (!is_batch(batch) || out == NULL || size != sizeof *out) return SLUICE_ERR_USAGE;
    int rv = decode_next(batch, &record);
    if (rv == 1) fill_view(batch, &record, out);
    return rv;
}

int32_t sluice_batch_read(sluice_batch *batch, sluice_view *views, size_t size, int32_t cap) {
    struct sl_record_out record;
    int32_t count = 0;
    if (batch == NULL) return 0;
    if (!is_batch(batch) || views == NULL || size != sizeof *views || cap < 1)
        return SLUICE_ERR_USAGE;
    while (count < cap) {
        int rv = decode_next(batch, &record);
        if (rv < 0 && count == 0) return rv;
        if (rv != 1) break;
        fill_view(batch, &record, &views[count++]);
    }
    return count;
}

/* ---- copies ---- */

/* Takes back the last step of the walk, which was at this place of this piece before it. Only what a
 * step changes is kept: to copy a whole walk of which fields were written a moment ago costs more than
 * to decode a record. */
static void step_back(sluice_batch *batch, int32_t piece, const uint8_t *at, int64_t next_delta) {
    batch->index--;
    if (batch->piece != piece) {
        batch->walk = batch->pieces[batch->piece].walk;
        return;
    }
    batch->walk.at = at;
    batch->walk.next_delta = next_delta;
    batch->walk.left++;
}

static int32_t copy_field(uint8_t *data, size_t *at, const void *from, int32_t size) {
    int32_t place = (int32_t)*at;
    if (size < 0) return -1;
    if (size > 0) memcpy(data + *at, from, (size_t)size);
    *at += (size_t)size;
    return place;
}

static void copy_record(const sluice_batch *batch, const volatile struct sl_record_out *record,
                        uint8_t *data, size_t *at, sluice_row *row) {
    row->offset = record->offset;
    row->timestamp_ms = record->timestamp;
    row->headers_size = (int32_t)record->headers_size;
    row->headers_at = copy_field(data, at, record->headers, row->headers_size);
    row->header_count = record->header_count;
    row->key_size = record->key_size;
    row->key_at = copy_field(data, at, record->key, record->key_size);
    row->value_size = record->value_size;
    row->value_at = copy_field(data, at, record->value, record->value_size);
    row->slice = batch->part;
}

static size_t copied_size(const struct sl_record_out *record) {
    return (size_t)record->headers_size + (record->key_size > 0 ? (size_t)record->key_size : 0) +
           (record->value_size > 0 ? (size_t)record->value_size : 0);
}

int32_t sluice_batch_pack(sluice_batch *batch, void *data, size_t cap, sluice_row *rows,
                          int32_t row_cap, size_t *used) {
    struct sl_record_out record;
    int32_t count = 0;
    if (used != NULL) *used = 0;
    if (batch == NULL) return 0;
    if (!is_batch(batch) || (data == NULL && cap > 0) || rows == NULL || row_cap < 1 ||
        used == NULL)
        return SLUICE_ERR_USAGE;
    if (cap > INT32_MAX) cap = INT32_MAX; /* places are 32 bits wide */
    batch->pack_error = 0;
    while (count < row_cap) {
        int32_t piece = batch->piece;
        const uint8_t *at = batch->walk.at;
        int64_t next_delta = batch->walk.next_delta;
        int rv = decode_next(batch, &record);
        if (rv < 0 && count == 0) return rv;
        if (rv != 1) break;
        size_t size = copied_size(&record);
        if (size > cap - *used) {
            step_back(batch, piece, at, next_delta);
            if (count > 0) break;
            *used = size;
            return batch->pack_error = SLUICE_ERR_TOO_BIG;
        }
        copy_record(batch, &record, data, used, &rows[count++]);
    }
    return count;
}

/* ---- slices ---- */

int sluice_batch_slice(const sluice_batch *batch, int32_t index, sluice_slice *out, size_t size) {
    if (batch == NULL) return 0;
    if (!is_batch(batch) || out == NULL || size != sizeof *out || index < 0)
        return SLUICE_ERR_USAGE;
    if (index >= batch->part_count) return 0;
    const struct sl_batch_part *part = &batch->parts[index];
    *out = (sluice_slice){
        .topic = part->topic,
        .partition = part->partition,
        .count = part->count,
        .at_end = part->at_end,
        .leader_epoch = part->leader_epoch,
        .first_offset = part->first_offset,
        .next_offset = part->next_offset,
        .high_watermark = part->high_watermark,
    };
    return 1;
}

int sluice_batch_mark(sluice_batch *batch, int32_t slice, int32_t count) {
    int32_t epoch;
    if (!is_batch(batch) || slice < 0 || slice >= batch->part_count) return SLUICE_ERR_USAGE;
    const struct sl_batch_part *part = &batch->parts[slice];
    if (count < -1 || count > part->count) return SLUICE_ERR_USAGE;
    if (count == -1) count = part->count;
    int64_t offset = sl_batch_build_offset(batch, part, count, &epoch);
    return batch->client == NULL ? 0 : sl_client_mark(batch->client, part->slice, offset, epoch);
}

/* ---- giving back ---- */

/* The leader epoch of the last record below the offset, or -1. */
static int32_t epoch_before(const sluice_batch *batch, const struct sl_batch_part *part,
                            int64_t offset) {
    int32_t epoch = -1;
    for (int32_t i = 0; i < part->piece_count; i++) {
        const struct sl_batch_piece *piece = &batch->pieces[part->first_piece + i];
        if (piece->first_offset >= offset) break;
        epoch = piece->leader_epoch;
    }
    return epoch;
}

/* Some of its records come again: those from the slice's mark on. Nothing of a partition that the
 * walk stopped does: it waits for a seek. */
static bool is_put_back(const sluice_batch *batch, const struct sl_batch_part *part) {
    if (part->slice == NULL || part->slice->marked >= part->next_offset) return false;
    return batch->walk_error == 0 || part->slice->slot != batch->parts[batch->part].slice->slot;
}

/* The ends of slots go back into their queues first, last slice first; what has something behind it
 * in hand is rewound, first slice first, because that takes in all behind it. */
static void put_back_unmarked(sluice_batch *batch) {
    for (int32_t i = batch->part_count - 1; i >= 0; i--) {
        struct sl_batch_part *part = &batch->parts[i];
        if (is_put_back(batch, part) &&
            sl_client_untake(batch->client, part->slice, part->slice->marked) == 0)
            part->slice = NULL;
    }
    for (int32_t i = 0; i < batch->part_count; i++) {
        struct sl_batch_part *part = &batch->parts[i];
        if (!is_put_back(batch, part)) continue;
        int64_t marked = part->slice->marked;
        int rv =
            sl_client_rewind(batch->client, part->slice, marked, epoch_before(batch, part, marked));
        /* Without memory the records stay out, and no commit passes them; the next poll says so. */
        if (rv == SLUICE_ERR_NOMEM) sl_client_leave_code(batch->client, rv);
    }
}

/* The end of a batch: its memory goes, and what is still in hand of its slices. */
static void give_handed_batch(sluice_batch *batch) {
    sluice_client *client = batch->client;
    if (client == NULL) {
        sl_batch_build_destroy(batch);
        return;
    }
    struct sl_slice *slices[SL_BATCH_PARTS_MAX];
    int32_t count = 0;
    for (int32_t i = 0; i < batch->part_count; i++)
        if (batch->parts[i].slice != NULL) slices[count++] = batch->parts[i].slice;
    if (count > 0) sl_client_give(client, slices, count);
    if (batch->charged > 0) sl_client_charge(client, -batch->charged);
    sl_batch_build_destroy(batch);
    sl_client_drop(client);
}

/* The offset after the records of a part that were handed out. */
static int64_t handed_end(const sluice_batch *batch, const struct sl_batch_part *part,
                          int32_t *epoch) {
    return sl_batch_build_offset(batch, part, part->handed, epoch);
}

/* The partition ends where the walk did; unless it is stale, then it goes on elsewhere. */
static void stop_damaged_part(sluice_batch *batch) {
    int32_t epoch;
    struct sl_batch_part *part = &batch->parts[batch->part];
    int64_t end = handed_end(batch, part, &epoch);
    if (sl_client_stop(batch->client, part->slice, end) == 0) part->next_offset = end;
}

int sluice_batch_finish(sluice_batch *batch) {
    int rv = 0;
    if (batch == NULL) return 0;
    if (!is_batch(batch)) return SLUICE_ERR_USAGE;
    sl_batch_build_note(batch);
    if (batch->client == NULL) {
        rv = batch->walk_error != 0 ? batch->walk_error : batch->pack_error;
        give_handed_batch(batch);
        return rv;
    }
    for (int32_t i = 0; i < batch->part_count; i++) {
        const struct sl_batch_part *part = &batch->parts[i];
        int32_t epoch;
        int64_t end = handed_end(batch, part, &epoch);
        int code = sl_client_mark(batch->client, part->slice, end, epoch);
        if (code != 0) rv = code;
    }
    if (batch->walk_error != 0) rv = batch->walk_error;
    /* Damage has stopped the partition, and who walks to a 0 has not noticed; who is late need not
     * do anything. */
    if (batch->walk_error != 0) {
        sl_client_leave_code(batch->client, batch->walk_error);
        stop_damaged_part(batch);
    }
    if (rv == 0) rv = batch->pack_error;
    put_back_unmarked(batch);
    give_handed_batch(batch);
    return rv;
}

int sluice_batch_retry(sluice_batch *batch) {
    int rv = 0;
    if (batch == NULL) return 0;
    if (!is_batch(batch)) return SLUICE_ERR_USAGE;
    if (batch->client != NULL) {
        for (int32_t i = 0; i < batch->part_count; i++) {
            struct sl_slice *slice = batch->parts[i].slice;
            int code = sl_client_mark(batch->client, slice, slice->marked, -1);
            if (code != 0) rv = code;
        }
        put_back_unmarked(batch);
    }
    give_handed_batch(batch);
    return rv;
}

void sluice_batch_free(sluice_batch *batch) {
    if (is_batch(batch)) give_handed_batch(batch);
}
