/* Splitting: a batch that is larger than the broker takes (MESSAGE_TOO_LARGE,
 * RECORD_LIST_TOO_LARGE) goes on as parts of half its size.
 *
 * This is the only place where records that were sent are encoded anew. It may be done because the
 * broker refused the batch and no attempt before is open, so nothing of it is in the log; were it
 * there, parts of other lengths would not be known as what they are. (With an open attempt the
 * batch ends as MAYBE_WRITTEN, produce_answer.c.)
 *
 *   refused  [ r0 r1 r2 r3 r4 ]   serial 70  sequence 20
 *   parts    [ r0 r1 r2 ]         serial 70  sequence 20
 *            [ r3 r4 ]            serial 73  sequence 23
 *
 * Serials and sequences both count records. So the parts have serials of their own between those
 * of their neighbours, however often they are split, and take up exactly the sequences of the
 * whole: batches behind it that were sent already are refused as out of order, and sent again with
 * the bytes they have once the parts are written.
 *
 * The topic learns: no later batch of it is filled beyond the size of such a part. The limit only
 * falls, since the broker's may be anywhere above it, and trying would be refused again and again.
 * It is measured uncompressed, as batches are filled.
 *
 * What was closed before the limit was known may be refused as well. So it goes one batch at a
 * time, parts included: without sequences, a small batch would overtake the large one before it.
 *
 * Everything that needs memory is done before anything changes. For that moment the records are
 * there twice. */
#include "core/split.h"

#include "core/delivery.h"
#include "core/sequences.h"
#include "core/unit.h"
#include "record/batch_read.h"
#include "record/batch_write.h"
#include "sluice/error.h"

struct split {
    struct sl_core *core;
    struct sl_batch *whole;
    struct sl_writer flat;     /* the batch in one piece, if it is not so already */
    struct sl_writer plain;    /* its records decompressed, if they are compressed */
    struct sl_batch_walk walk; /* over the records that are in no part yet */
    struct sl_list parts;      /* struct sl_batch, in order, of no partition's lists yet */
    int32_t taken;             /* records in them */
};

/* ---- the records of the whole ---- */

/* The batch in one piece; NULL: out of memory. */
static const uint8_t *flatten_batch(struct split *split) {
    const struct sl_batch *batch = split->whole;
    if (batch->piece_count == 1) return batch->pieces[0].data;
    for (int32_t i = 0; i < batch->piece_count; i++)
        sl_writer_raw(&split->flat, batch->pieces[i].data, batch->pieces[i].size);
    return split->flat.failed ? NULL : split->flat.data;
}

/* Starts the walk and says how many bytes the batch has uncompressed. 0 or an error. */
static int open_records(struct split *split, size_t *size) {
    const struct sl_batch *batch = split->whole;
    struct sl_batch_info info;
    const uint8_t *records;
    const uint8_t *data = flatten_batch(split);
    if (data == NULL) return SLUICE_ERR_NOMEM;
    int rv = sl_batch_read_info(data, (size_t)batch->size, &info);
    if (rv != 0) return rv;
    struct sl_compress *codecs = NULL;
    if (batch->packed != NULL) {
        rv = sl_compress_create(split->core->alloc, &codecs);
        if (rv != 0) return rv;
    }
    rv = sl_batch_read_records(data, &info, codecs, INT32_MAX, &split->plain, &records, size);
    if (codecs != NULL) sl_compress_destroy(codecs);
    if (rv != 0) return rv;
    sl_batch_read_start(&split->walk, &info, records, *size);
    *size += SL_RECORD_HEADER_SIZE;
    return 0;
}

static struct sl_record_in input_of(const struct sl_record_out *r) {
    return (struct sl_record_in){.key = r->key,
                                 .value = r->value,
                                 .headers = r->headers,
                                 .key_size = r->key_size,
                                 .value_size = r->value_size,
                                 .headers_size = r->headers_size,
                                 .header_count = r->header_count};
}

/* ---- parts ---- */

/* How many of the next records fit into a batch of `limit` bytes, at least one, and how many bytes
 * they take without its header. */
static int32_t measure_part(const struct split *split, size_t limit, size_t *bytes) {
    struct sl_batch_walk walk = split->walk;
    struct sl_record_out r;
    int64_t base = 0;
    int32_t count = 0;
    *bytes = 0;
    while (sl_batch_read_next(&walk, &r) == 1) {
        if (count == 0) base = r.timestamp;
        struct sl_record_in in = input_of(&r);
        size_t size = sl_batch_write_size(&in, r.timestamp - base, count);
        if (count > 0 && SL_RECORD_HEADER_SIZE + *bytes + size > limit) break;
        *bytes += size;
        count++;
    }
    return count;
}

/* Moves the next record into the part, which has room for its bytes. 0 or an error. */
static int move_record(struct split *split, struct sl_batch *part) {
    struct sl_record_out r;
    if (part->count == part->tag_cap && !sl_batch_grow(split->core, part, 0, false))
        return SLUICE_ERR_NOMEM;
    int rv = sl_batch_read_next(&split->walk, &r);
    if (rv != 1) return SLUICE_ERR_MALFORMED;
    struct sl_record_in in = input_of(&r);
    if (part->count == 0) part->base_timestamp = part->max_timestamp = r.timestamp;
    if (r.timestamp > part->max_timestamp) part->max_timestamp = r.timestamp;
    size_t size =
        sl_batch_write_record(part->at, &in, r.timestamp - part->base_timestamp, part->count);
    part->at += size;
    part->size += (int32_t)size;
    if (part->tags != NULL) part->tags[part->count] = split->whole->tags[split->taken];
    part->count++;
    split->taken++;
    return 0;
}

/* Makes the next part, of so many records. 0 or an error. */
static int make_part(struct split *split, int32_t count, size_t bytes) {
    struct sl_core *core = split->core;
    struct sl_batch *whole = split->whole;
    struct sl_batch *part =
        sl_batch_create(core, whole->partition, bytes, core->batcher.open_count);
    if (part == NULL) return SLUICE_ERR_NOMEM;
    sl_list_push_back(&split->parts, &part->node);
    part->serial = whole->serial + (uint64_t)split->taken;
    for (int32_t i = 0; i < count; i++) {
        int rv = move_record(split, part);
        if (rv != 0) return rv;
    }
    part->state = SL_BATCH_CLOSED;
    part->generation = whole->generation;
    part->opened_at = whole->opened_at;
    part->deadline = whole->deadline;
    part->attempts = whole->attempts > 0 ? (uint16_t)(whole->attempts - 1) : 0;
    (void)sl_batch_seal(core, part, false);
    return 0;
}

static int make_parts(struct split *split, size_t limit) {
    while (split->taken < split->whole->count) {
        size_t bytes;
        int32_t count = measure_part(split, limit, &bytes);
        int rv = count > 0 ? make_part(split, count, bytes) : SLUICE_ERR_MALFORMED;
        if (rv != 0) return rv;
    }
    return 0;
}

/* Cannot fail: the parts are where the whole was. */
static void put_parts(struct split *split) {
    struct sl_core *core = split->core;
    struct sl_batch *whole = split->whole;
    struct sl_partition *p = whole->partition;
    bool is_numbered = whole->sequence >= 0 && !sl_sequences_is_stale(p, whole);
    sl_sender_detach(whole);
    for (struct sl_list *node; (node = sl_list_pop_front(&split->parts)) != NULL;) {
        struct sl_batch *part = SL_LIST_OF(node, struct sl_batch, node);
        sl_list_insert_before(&whole->expiry, &part->expiry);
        sl_sender_put_back(p, part);
        if (!is_numbered) continue;
        int32_t before = (int32_t)(part->serial - whole->serial);
        sl_batch_identify(part, whole->producer_id, whole->epoch,
                          sl_batch_write_sequence(whole->sequence, before));
    }
    sl_list_remove(&whole->expiry);
    sl_stats_on_split(core);
    sl_batch_destroy(core, whole);
    p->produce.one_at_a_time = true;
    p->produce.careful_until = core->batcher.serial;
    sl_sender_place(core, p);
}

static void learn_limit(struct sl_core *core, const struct sl_batch *batch, size_t limit) {
    struct sl_batching *t = batch->partition->topic->batching;
    if (t->batch_limit <= limit) return;
    t->batch_limit = limit;
    sl_core_log(core, SL_LOG_NOTICE,
                "%s: the broker takes no batch of %d bytes (max.message.bytes of the topic, "
                "message.max.bytes of the broker): batches are kept to %llu bytes of records",
                t->name, (int)batch->size, (unsigned long long)limit);
}

int sl_split_batch(struct sl_core *core, struct sl_batch *batch) {
    SL_ASSERT(batch->state == SL_BATCH_IN_FLIGHT && !batch->reported && !batch->maybe_written &&
              batch->count > 1);
    struct split split = {.core = core, .whole = batch};
    size_t size = 0;
    sl_list_init(&split.parts);
    sl_writer_init(&split.flat, core->alloc);
    sl_writer_init(&split.plain, core->alloc);
    int rv = open_records(&split, &size);
    if (rv != 0) goto deinit_writers;
    learn_limit(core, batch, size / 2);
    rv = make_parts(&split, size / 2);
    if (rv == 0) {
        sl_trace_add(&core->trace, SL_TRACE_BATCH_SPLIT, core->now, batch->partition->index,
                     batch->count);
        put_parts(&split);
    }
    for (struct sl_list *node; (node = sl_list_pop_front(&split.parts)) != NULL;)
        sl_batch_destroy(core, SL_LIST_OF(node, struct sl_batch, node));

deinit_writers:
    sl_writer_deinit(&split.flat);
    sl_writer_deinit(&split.plain);
    return rv;
}
