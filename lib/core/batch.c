/* The memory of a batch.
 *
 * Records are encoded into a chain of segments, so a batch takes what it needs and no partition
 * ever reserves batch.size. The first segment begins with room for the batch header; a record never
 * spans two segments. A large value stays in the chunk it was staged in: the chunk remembers after
 * which byte of which segment it comes, and sealing cuts the segments there.
 *
 *   segments  [header|rec|rec|rec head^][tail|rec|rec] [rec|rec]
 *   values                      value
 *   pieces    <------------ 1 -------><2><---- 3 -----> <- 4 -->
 *
 * A batch may also begin with a wire chunk: then the chunk is its first segment, with records in it.
 *
 * With a codec all pieces but the header become one compressed piece, and segments and values go
 * back at once. The header is written when the batch is first sent: only then its sequence is
 * known. Without a codec the bytes are summed for the CRC segment by segment, while they are in the
 * cache: a megabyte later they are not (measured with values of 1,000 bytes: a fifth of the CPU).
 *
 * A value may be borrowed: its chunk has no bytes and points to the application's memory. That is
 * the application's again with the report, so the report of a batch that still refers to it, because
 * it ended while a request carries it, is told when the batch is destroyed.
 *
 * Accounting is by memory as allocated. A batch is charged for itself, its report, its segments and
 * its values when it takes them, and the charge of each record goes back when it is encoded.
 * A first segment is as large as the topic's batches usually come to, and smaller when many batches
 * are open, or thousands of partitions would overrun the budget with memory that holds one record
 * each.
 *
 * Invariants: at and end lie in `last`; there is room for the tag of every record before it is
 * encoded and for every piece before it exists, so that sealing and the outcome cannot fail. */
#include "core/batch.h"

#include <string.h>

#include "base/ahead.h"
#include "base/hot.h"
#include "core/delivery.h"
#include "core/pack.h"
#include "core/plant.h"
#include "core/unit.h"
#include "record/crc32c.h"
#include "record/record.h"
#include "sluice/error.h"

enum {
    SEGMENT_LAST_CLASS = SL_BATCH_CLASSES - 1, /* of the smallest */
    SEGMENT_LARGEST = 16 * 1024, /* measured: from 16 KiB on the size makes no difference */
    SEGMENT_SHARE = 8,           /* open batches may hold 1/8 of the budget in first segments */
    BATCH_BLOCK = SL_ALLOC_IS_GUARDED ? 1 : 32, /* 12 KiB; arbitrary */
    SEGMENT_AHEAD = 256,  /* bytes of a segment that are asked for: header and a record */
    TAGS_LEAST = 16,      /* arbitrary: small for batches of a few records */
    TAGS_MOST = 10 * 1024 /* as many as a batch of a megabyte has; beyond they grow */
};

/* Whole lines of a cache. */
#define BATCH_BYTES ((sizeof(struct sl_batch) + SL_AHEAD_LINE - 1) / SL_AHEAD_LINE * SL_AHEAD_LINE)

/* Batches side by side: with 10,000 of them, each between all else that a client allocates, nearly
 * every look at one would be at a page that the processor has to look up anew. */
struct batch_block {
    struct sl_list node;
    uint8_t memory[BATCH_BLOCK * BATCH_BYTES + SL_AHEAD_LINE - 1];
};

/* ---- pool ---- */

void sl_batch_pool_init(struct sl_batch_pool *pool, size_t pooled_max) {
    memset(pool, 0, sizeof *pool);
    sl_list_init(&pool->batches);
    sl_list_init(&pool->blocks);
    sl_list_init(&pool->deliveries);
    pool->pooled_max = pooled_max;
}

static size_t segment_class_bytes(int index) { return (size_t)SEGMENT_LARGEST >> (2 * index); }

static size_t segment_bytes(const struct sl_segment *segment) {
    if (segment->chunk != NULL) return sl_staging_chunk_bytes(segment->chunk);
    return sizeof *segment + segment->cap;
}

/* Puts a block of new batches into the pool. False: out of memory. */
static bool add_batches(struct sl_core *core) {
    struct sl_batch_pool *pool = &core->batcher.pool;
    struct batch_block *block = sl_alloc_get(core->alloc, sizeof *block);
    if (block == NULL) return false;
    sl_list_push_back(&pool->blocks, &block->node);
    uintptr_t at = ((uintptr_t)block->memory + SL_AHEAD_LINE - 1) & ~(uintptr_t)(SL_AHEAD_LINE - 1);
    for (int i = 0; i < BATCH_BLOCK; i++, at += BATCH_BYTES)
        sl_list_push_back(&pool->batches, &((struct sl_batch *)at)->node);
    return true;
}

void sl_batch_pool_deinit(struct sl_batch_pool *pool, const struct sl_alloc *alloc) {
    for (int i = 0; i < SL_BATCH_CLASSES; i++) {
        for (struct sl_segment *s; (s = pool->segments[i]) != NULL;) {
            pool->segments[i] = s->next;
            sl_alloc_free(alloc, s, segment_bytes(s));
        }
    }
    for (struct sl_list *node; (node = sl_list_pop_front(&pool->blocks)) != NULL;)
        sl_alloc_free(alloc, SL_LIST_OF(node, struct batch_block, node),
                      sizeof(struct batch_block));
    sl_delivery_destroy_all(alloc, &pool->deliveries);
}

/* The first class, from `index` on to the larger ones, whose segments hold so many bytes; or the
 * largest. */
static int find_segment_class(int index, size_t bytes) {
    while (index > 0 && segment_class_bytes(index) < bytes) index--;
    return index;
}

/* The class for the first segment of a batch of the topic when so many are open: what its batches
 * usually come to, and no more than the batch's share. Where batch.size is small there are many
 * batches, and none may take more than it needs. */
static int choose_segment_class(const struct sl_core *core, const struct sl_batching *t,
                                uint32_t open_count) {
    size_t share = (size_t)core->settings->buffer_memory / SEGMENT_SHARE / (open_count + 1);
    int32_t size = core->settings->batch_size;
    if (size > t->usual_size) size = t->usual_size;
    int index = find_segment_class(SEGMENT_LAST_CLASS, sizeof(struct sl_segment) + (size_t)size);
    while (index < SEGMENT_LAST_CLASS && segment_class_bytes(index) > share) index++;
    return index;
}

/* NULL: out of memory. */
static struct sl_segment *take_segment(struct sl_core *core, int index, size_t room) {
    struct sl_batch_pool *pool = &core->batcher.pool;
    index = find_segment_class(index, sizeof(struct sl_segment) + room);
    size_t bytes = segment_class_bytes(index);
    struct sl_segment *segment;
    if (bytes < sizeof *segment + room) {
        bytes = sizeof *segment + room;
        segment = sl_alloc_get(core->alloc, bytes);
    } else if (pool->segments[index] != NULL) {
        segment = pool->segments[index];
        pool->segments[index] = segment->next;
        pool->pooled -= bytes;
        if (segment->next != NULL) sl_ahead_all(segment->next, SEGMENT_AHEAD);
    } else {
        segment = sl_alloc_get(core->alloc, bytes);
    }
    if (segment == NULL) return NULL;
    segment->next = NULL;
    segment->chunk = NULL;
    segment->cap = (uint32_t)(bytes - sizeof *segment);
    segment->used = 0;
    return segment;
}

static void give_segment(struct sl_core *core, struct sl_segment *segment) {
    struct sl_batch_pool *pool = &core->batcher.pool;
    if (segment->chunk != NULL) {
        sl_batcher_give_chunk(core, segment->chunk);
        return;
    }
    size_t bytes = segment_bytes(segment);
    for (int i = 0; i < SL_BATCH_CLASSES; i++) {
        if (bytes != segment_class_bytes(i) || pool->pooled + bytes > pool->pooled_max) continue;
        segment->next = pool->segments[i];
        pool->segments[i] = segment;
        pool->pooled += bytes;
        return;
    }
    sl_alloc_free(core->alloc, segment, bytes);
}

static struct sl_batch *take_batch(struct sl_core *core) {
    struct sl_batch_pool *pool = &core->batcher.pool;
    if (sl_list_is_empty(&pool->batches) && !add_batches(core)) return NULL;
    struct sl_batch *batch = SL_LIST_OF(sl_list_pop_front(&pool->batches), struct sl_batch, node);
    if (!sl_list_is_empty(&pool->batches))
        sl_batch_ahead(SL_LIST_OF(pool->batches.next, struct sl_batch, node));
    memset(batch, 0, sizeof *batch);
    return batch;
}

static void give_batch(struct sl_core *core, struct sl_batch *batch) {
    sl_list_push_front(&core->batcher.pool.batches, &batch->node);
}

void sl_batch_take_spent(struct sl_core *core, struct sl_list *deliveries, size_t bytes) {
    struct sl_batch_pool *pool = &core->batcher.pool;
    if (pool->pooled + bytes > pool->pooled_max) {
        sl_delivery_destroy_all(core->alloc, deliveries);
        return;
    }
    /* Last in, first out. */
    sl_list_splice_back(deliveries, &pool->deliveries);
    sl_list_splice_back(&pool->deliveries, deliveries);
    pool->pooled += bytes;
}

static void give_delivery(struct sl_core *core, struct sl_delivery *delivery) {
    struct sl_batch_pool *pool = &core->batcher.pool;
    if (delivery == NULL) return;
    size_t bytes = sl_delivery_bytes(delivery);
    if (!sl_delivery_is_plain(delivery) || pool->pooled + bytes > pool->pooled_max) {
        sl_delivery_destroy(core->alloc, delivery);
        return;
    }
    sl_list_push_front(&pool->deliveries, &delivery->node);
    pool->pooled += bytes;
}

/* With room for `least` tags, and twice the usual number at most. NULL: out of memory. */
static struct sl_delivery *take_delivery(struct sl_core *core, int32_t least, int32_t usual) {
    struct sl_batch_pool *pool = &core->batcher.pool;
    struct sl_delivery *delivery;
    for (struct sl_list *node; (node = sl_list_pop_front(&pool->deliveries)) != NULL;) {
        delivery = SL_LIST_OF(node, struct sl_delivery, node);
        sl_ahead_all(SL_LIST_OF(pool->deliveries.next, struct sl_delivery, node), sizeof *delivery);
        pool->pooled -= sl_delivery_bytes(delivery);
        if (sl_delivery_renew(delivery, least, 2 * usual)) return delivery;
        sl_delivery_destroy(core->alloc, delivery);
    }
    return sl_delivery_create(core->alloc, usual, &delivery) == 0 ? delivery : NULL;
}

/* ---- growth ---- */

static void charge_batch(struct sl_core *core, struct sl_batch *batch, int64_t bytes) {
    batch->charged += bytes;
    core->events.freed_bytes -= bytes;
}

/* Takes what was written since the last time into the sum. */
static void sum_written(struct sl_batch *batch) {
    size_t size = (size_t)(batch->at - batch->summed);
    batch->sum.crc = sl_crc32c(batch->sum.crc, batch->summed, size);
    batch->sum.size += size;
    batch->summed = batch->at;
}

static void add_segment(struct sl_core *core, struct sl_batch *batch, struct sl_segment *segment) {
    if (batch->last == NULL) {
        batch->segments = segment;
    } else {
        if (core->settings->codec == SL_CODEC_NONE) sum_written(batch);
        batch->last->used = (uint32_t)(batch->at - batch->last->data);
        batch->last->next = segment;
    }
    batch->last = segment;
    batch->cuts++;
    batch->at = segment->data;
    batch->summed = batch->at;
    batch->end = segment->data + segment->cap;
    charge_batch(core, batch, (int64_t)segment_bytes(segment));
}

/* An open batch without a segment, with room for so many tags as take_delivery has it. NULL: out of
 * memory. */
static struct sl_batch *begin_batch(struct sl_core *core, struct sl_partition *partition,
                                    int32_t least_tags, int32_t usual_tags) {
    struct sl_batch *batch = take_batch(core);
    if (batch == NULL) return NULL;
    batch->tag_cap = INT32_MAX;
    if (core->settings->reports != SL_REPORTS_NONE) {
        batch->delivery = take_delivery(core, least_tags, usual_tags);
        if (batch->delivery == NULL) {
            give_batch(core, batch);
            return NULL;
        }
        batch->tags = batch->delivery->tags;
        batch->tag_cap = batch->delivery->tag_cap;
        charge_batch(core, batch, (int64_t)sl_delivery_bytes(batch->delivery));
    }
    sl_list_init(&batch->values);
    batch->partition = partition;
    batch->state = SL_BATCH_OPEN;
    batch->pieces = batch->own_pieces;
    batch->piece_cap = SL_BATCH_OWN_PIECES;
    batch->sequence = -1;
    batch->producer_id = -1;
    batch->epoch = -1;
    charge_batch(core, batch, (int64_t)BATCH_BYTES);
    return batch;
}

/* The first segment. */
static void begin_records(struct sl_core *core, struct sl_batch *batch,
                          struct sl_segment *segment) {
    add_segment(core, batch, segment);
    batch->at += SL_RECORD_HEADER_SIZE;
    batch->summed = batch->at;
    batch->size = SL_RECORD_HEADER_SIZE;
}

/* Room for the tags of a batch like those closed last. */
static int32_t guess_tags(const struct sl_batching *t) {
    int32_t count = TAGS_LEAST;
    while (count < t->usual_count && count < TAGS_MOST) count += count / 2;
    return count;
}

struct sl_batch *sl_batch_create(struct sl_core *core, struct sl_partition *partition, size_t room,
                                 uint32_t open_count) {
    const struct sl_batching *t = partition->topic->batching;
    int index = choose_segment_class(core, t, open_count);
    struct sl_segment *segment = take_segment(core, index, SL_RECORD_HEADER_SIZE + room);
    if (segment == NULL) return NULL;
    int32_t tags = guess_tags(t);
    struct sl_batch *batch = begin_batch(core, partition, tags / 2, tags);
    if (batch == NULL)
        give_segment(core, segment);
    else
        begin_records(core, batch, segment);
    return batch;
}

struct sl_batch *sl_batch_adopt(struct sl_core *core, struct sl_partition *partition,
                                struct sl_chunk *chunk) {
    SL_ASSERT(chunk->is_wire && chunk->done == 0 && chunk->count > 0);
    int32_t count = (int32_t)chunk->count;
    struct sl_batch *batch = begin_batch(core, partition, count, count + count / 8);
    if (batch == NULL) return NULL;
    struct sl_segment *segment = (struct sl_segment *)(void *)chunk->data;
    segment->next = NULL;
    segment->chunk = chunk;
    segment->cap = chunk->cap - (uint32_t)sizeof *segment;
    segment->used = 0;
    if (batch->delivery != NULL) {
        for (uint32_t i = 0; i < chunk->count; i++)
            batch->tags[i] = *sl_staging_wire_tag(chunk, SL_PLANTED(6) ? chunk->count - 1 - i : i);
    }
    begin_records(core, batch, segment);
    batch->at += chunk->size - SL_STAGING_WIRE_FRONT;
    batch->summed = (uint8_t *)chunk->data + chunk->summed;
    batch->sum.crc = chunk->crc;
    batch->sum.size = chunk->summed - SL_STAGING_WIRE_FRONT;
    batch->size += (int32_t)(chunk->size - SL_STAGING_WIRE_FRONT);
    batch->count = count;
    batch->base_timestamp = batch->max_timestamp = core->wall_ms;
    core->events.freed_bytes += chunk->charge;
    return batch;
}

/* Room for the pieces of one more segment and one more value. */
static bool reserve_pieces(struct sl_core *core, struct sl_batch *batch) {
    int32_t need = batch->cuts + 1 + SL_BATCH_VALUE_CUTS;
    if (need <= batch->piece_cap) return true;
    int32_t cap = need * 2;
    bool is_own = batch->pieces == batch->own_pieces;
    struct sl_iov *pieces =
        sl_alloc_resize(core->alloc, is_own ? NULL : batch->pieces,
                        is_own ? 0 : (size_t)batch->piece_cap, (size_t)cap, sizeof *pieces);
    if (pieces == NULL) return false;
    charge_batch(core, batch, (int64_t)sizeof *pieces * (cap - (is_own ? 0 : batch->piece_cap)));
    batch->pieces = pieces;
    batch->piece_cap = cap;
    return true;
}

/* What has filled one segment may well fill a larger one. */
static int choose_next_class(const struct sl_segment *last) {
    return find_segment_class(SEGMENT_LAST_CLASS, segment_bytes(last) + 1);
}

bool sl_batch_grow(struct sl_core *core, struct sl_batch *batch, size_t room, bool has_value) {
    if (batch->count == batch->tag_cap) {
        int32_t cap = batch->tag_cap * 2;
        int64_t before = (int64_t)sl_delivery_bytes(batch->delivery);
        if (sl_delivery_grow(core->alloc, batch->delivery, cap) != 0) return false;
        charge_batch(core, batch, (int64_t)sl_delivery_bytes(batch->delivery) - before);
        batch->tags = batch->delivery->tags;
        batch->tag_cap = cap;
    }
    bool has_room = (size_t)(batch->end - batch->at) >= room;
    if (has_room && !has_value) return true;
    if (!reserve_pieces(core, batch)) return false;
    if (has_room) return true;
    struct sl_segment *segment = take_segment(core, choose_next_class(batch->last), room);
    if (segment == NULL) return false;
    add_segment(core, batch, segment);
    return true;
}

SL_APART void sl_batch_put_value(struct sl_core *core, struct sl_batch *batch,
                                 struct sl_chunk *value) {
    if (core->settings->codec == SL_CODEC_NONE) {
        sum_written(batch);
        batch->sum.crc = sl_crc32c(batch->sum.crc, sl_staging_value(value), value->size);
        batch->sum.size += value->size;
    }
    value->segment = batch->last;
    value->segment_at = (uint32_t)(batch->at - batch->last->data);
    sl_list_push_back(&batch->values, &value->node);
    batch->cuts += SL_BATCH_VALUE_CUTS;
    if (value->lent != NULL) batch->borrows = true;
    charge_batch(core, batch, (int64_t)sl_staging_chunk_bytes(value));
}

/* ---- sealing ---- */

static void add_piece(struct sl_batch *batch, const void *data, size_t size) {
    if (size == 0) return;
    SL_ASSERT(batch->piece_count < batch->piece_cap);
    batch->pieces[batch->piece_count++] = (struct sl_iov){data, size};
}

/* Cuts the segments where values belong. */
static void make_pieces(struct sl_batch *batch) {
    batch->last->used = (uint32_t)(batch->at - batch->last->data);
    struct sl_list *value_node = batch->values.next;
    for (struct sl_segment *s = batch->segments; s != NULL; s = s->next) {
        uint32_t from = 0;
        while (value_node != &batch->values) {
            const struct sl_chunk *value = SL_LIST_OF(value_node, struct sl_chunk, node);
            if (value->segment != s) break;
            add_piece(batch, s->data + from, value->segment_at - from);
            add_piece(batch, sl_staging_value(value), value->size);
            from = value->segment_at;
            value_node = value_node->next;
        }
        add_piece(batch, s->data + from, s->used - from);
    }
}

void sl_batch_free_records(struct sl_core *core, struct sl_segment *segments,
                           struct sl_list *values) {
    for (struct sl_segment *s; (s = segments) != NULL;) {
        segments = s->next;
        give_segment(core, s);
    }
    for (struct sl_list *node; (node = sl_list_pop_front(values)) != NULL;)
        sl_staging_chunk_destroy(core->alloc, SL_LIST_OF(node, struct sl_chunk, node));
}

static void free_record_memory(struct sl_core *core, struct sl_batch *batch) {
    sl_batch_free_records(core, batch->segments, &batch->values);
    batch->segments = batch->last = NULL;
}

/* What the records take, as charged. */
static int64_t record_bytes(const struct sl_batch *batch) {
    int64_t bytes = 0;
    for (const struct sl_segment *s = batch->segments; s != NULL; s = s->next)
        bytes += (int64_t)segment_bytes(s);
    SL_LIST_EACH(it, tmp, (struct sl_list *)(uintptr_t)&batch->values) {
        bytes += (int64_t)sl_staging_chunk_bytes(SL_LIST_OF(it, struct sl_chunk, node));
    }
    return bytes;
}

/* The pieces without the header that the first one begins with. */
static struct sl_iov *records_of(struct sl_batch *batch) {
    batch->pieces[0].data = (const uint8_t *)batch->pieces[0].data + SL_RECORD_HEADER_SIZE;
    batch->pieces[0].size -= SL_RECORD_HEADER_SIZE;
    return batch->pieces;
}
static void give_header_back(struct sl_batch *batch) {
    batch->pieces[0].data = (const uint8_t *)batch->pieces[0].data - SL_RECORD_HEADER_SIZE;
    batch->pieces[0].size += SL_RECORD_HEADER_SIZE;
}

static struct sl_batch_sum sum_pieces(struct sl_batch *batch) {
    struct sl_batch_sum sum = sl_batch_write_sum(records_of(batch), (size_t)batch->piece_count);
    give_header_back(batch);
    return sum;
}

/* Puts the compressed form in place of the records, if there is one. Takes it. */
static void take_packed(struct sl_core *core, struct sl_batch *batch, struct sl_packed *packed) {
    if (packed->data == NULL) {
        batch->sum = sum_pieces(batch);
        return;
    }
    charge_batch(core, batch, (int64_t)packed->size - record_bytes(batch));
    free_record_memory(core, batch);
    batch->packed = packed->data;
    batch->packed_cap = packed->size;
    batch->size = (int32_t)packed->size;
    batch->sum = packed->sum;
    batch->attributes = (uint16_t)core->settings->codec;
    batch->piece_count = 0;
    add_piece(batch, packed->data, packed->size);
    packed->data = NULL;
    packed->size = 0;
}

static void compress_batch(struct sl_core *core, struct sl_batch *batch) {
    struct sl_packed packed;
    sl_pack_pieces(&core->batcher.tools, core->settings->codec, core->settings->level,
                   records_of(batch), (size_t)batch->piece_count, core->alloc, &packed);
    give_header_back(batch);
    take_packed(core, batch, &packed);
}

/* uncompressed: the size that the batch had before. */
static void become_sealed(struct sl_core *core, struct sl_batch *batch, size_t uncompressed) {
    batch->state = SL_BATCH_SEALED;
    sl_stats_on_sealed(core, batch, uncompressed);
    sl_trace_add(&core->trace, SL_TRACE_BATCH_SEALED, core->now, batch->partition->index,
                 batch->count);
}

size_t sl_batch_seal(struct sl_core *core, struct sl_batch *batch, bool is_job) {
    SL_ASSERT(batch->state == SL_BATCH_CLOSED && batch->count > 0);
    make_pieces(batch);
    size_t worked = 0;
    size_t uncompressed = (size_t)batch->size;
    if (core->settings->codec != SL_CODEC_NONE) {
        if (is_job) batch->pack = sl_pack_create(core, batch);
        if (batch->pack != NULL) {
            batch->state = SL_BATCH_PACKING;
            return 0;
        }
        worked = uncompressed;
        compress_batch(core, batch);
    } else {
        sum_written(batch);
    }
    become_sealed(core, batch, uncompressed);
    return worked;
}

void sl_batch_on_packed(struct sl_core *core, struct sl_batch *batch) {
    struct sl_pack *pack = batch->pack;
    SL_ASSERT(batch->state == SL_BATCH_PACKING && pack->batch == batch);
    size_t uncompressed = (size_t)batch->size;
    batch->pack = NULL;
    if (!pack->job.is_done)
        compress_batch(core, batch);
    else
        take_packed(core, batch, &pack->packed);
    sl_pack_destroy(core, pack);
    become_sealed(core, batch, uncompressed);
}

void sl_batch_identify(struct sl_batch *batch, int64_t producer_id, int16_t epoch,
                       int32_t sequence) {
    SL_ASSERT(batch->state == SL_BATCH_SEALED && !batch->maybe_here);
    uint8_t *header = batch->packed != NULL ? batch->packed : batch->segments->data;
    SL_ASSERT(header == batch->pieces[0].data);
    SL_ASSERT(batch->sum.size == (size_t)batch->size - SL_RECORD_HEADER_SIZE);
    if (batch->headed) {
        sl_batch_write_identity(header, producer_id, epoch, sequence, &batch->sum);
    } else {
        struct sl_batch_summary summary = {.base_timestamp = batch->base_timestamp,
                                           .max_timestamp = batch->max_timestamp,
                                           .producer_id = producer_id,
                                           .producer_epoch = epoch,
                                           .base_sequence = sequence,
                                           .count = batch->count,
                                           .attributes = batch->attributes};
        sl_batch_write_header(header, &summary, &batch->sum);
        batch->headed = true;
    }
    batch->producer_id = producer_id;
    batch->epoch = epoch;
    batch->sequence = sequence;
}

void sl_batch_destroy(struct sl_core *core, struct sl_batch *batch) {
    SL_ASSERT(batch->entry == NULL);
    if (batch->pack != NULL) {
        int64_t bytes = record_bytes(batch);
        sl_pack_adopt(batch->pack, batch, bytes);
        batch->charged -= bytes;
    }
    free_record_memory(core, batch);
    sl_alloc_free(core->alloc, batch->packed, batch->packed_cap);
    if (batch->pieces != batch->own_pieces)
        sl_alloc_free(core->alloc, batch->pieces, (size_t)batch->piece_cap * sizeof *batch->pieces);
    /* A report that had to wait until nothing refers to the application's memory any more. */
    if (batch->delivery != NULL && batch->delivery->outcome != 0)
        sl_list_push_back(&core->events.deliveries, &batch->delivery->node);
    else
        give_delivery(core, batch->delivery);
    core->events.freed_bytes += batch->charged;
    give_batch(core, batch);
}
