/* The batcher: staged records into batches.
 *
 *   staged chunks ─▶ backlog ─▶ (no partitions known) ─▶ waiting list of the topic ─▶ backlog
 *                       │
 *                       └─▶ open batch of the partition ─▶ closed ─▶ sealed: the sender's
 *
 * A batch is closed when it is full; when it has lingered, or linger is ended by a flush, a thread
 * that waits for memory, or closing. One that has lingered while others of its partition still
 * wait to be sent is only marked due: it goes on filling, and is closed when it would be next. So
 * a slow broker gets few large batches, not many small ones.
 *
 * Closed batches are sealed in order, at most CODEC_MS of codec work in a turn; the rest comes in
 * the next turn, which is asked for.
 *
 * Memory may be short at any point. Then the record at hand stays where it is, at the head of the
 * backlog, linger ends for what is open (outcomes free memory), and the walk goes on from there in
 * a later turn: nothing is lost, nothing overtakes.
 *
 * Invariants: a batch holds records of one flush generation; all batches without outcome are in
 * `expiry` by deadline; `lingering` and `overdue`
 * have every open batch that is not due; decided <= accepted, and
 * the difference is exactly what lies in backlog, waiting lists and batches.
 *
 * Not here: memory of batches (batch.c), counting and flushes (outcome.c), order and retries
 * (sender.c, sequences.c). */
#include "core/batcher.h"

#include <string.h>

#include "core/delivery.h"
#include "core/partitioner.h"
#include "core/plant.h"
#include "core/unit.h"
#include "record/batch_write.h"
#include "record/record.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

enum {
    BATCHER_POOL_SHARE = 4,      /* up to 1/4 of the budget stays as warm segments */
    BATCHER_RETRY_MS = 10,       /* memory was short; arbitrary */
    BATCHER_VALUE_PIECES = 2     /* a large value, and the records after it */
};

/* Input that each codec gets through in about a millisecond, by measurement of 100-byte JSON. */
static size_t measure_codec_budget(int codec) {
    switch (codec) {
    case SL_CODEC_GZIP:
        return 32 * 1024;
    case SL_CODEC_ZSTD:
        return 384 * 1024;
    default:
        return 768 * 1024;
    }
}

/* ---- life ---- */

int sl_batcher_init(struct sl_batcher *b, struct sl_core *core) {
    memset(b, 0, sizeof *b);
    b->core = core;
    sl_list_init(&b->backlog);
    sl_list_init(&b->waiting);
    sl_list_init(&b->new_topics);
    sl_list_init(&b->lingering);
    sl_list_init(&b->overdue);
    sl_list_init(&b->closed);
    sl_list_init(&b->expiry);
    sl_list_init(&b->flushes);
    sl_writer_init(&b->scratch, core->alloc);
    sl_batch_pool_init(&b->pool, (size_t)core->settings->buffer_memory / BATCHER_POOL_SHARE);
    if (core->settings->codec == SL_CODEC_NONE) return 0;
    return sl_compress_create(core->alloc, &b->codecs);
}

static void free_chunk_list(struct sl_batcher *b, struct sl_chunk *chunk) {
    struct sl_delivery_sum sum = {0};
    sl_list_init(&sum.values);
    sl_delivery_count_chunk(chunk, &sum);
    for (struct sl_list *node; (node = sl_list_pop_front(&sum.values)) != NULL;)
        sl_staging_chunk_destroy(b->core->alloc, SL_LIST_OF(node, struct sl_chunk, node));
    sl_list_remove(&chunk->node);
    sl_staging_chunk_destroy(b->core->alloc, chunk);
}

void sl_batcher_deinit(struct sl_batcher *b) {
    struct sl_core *core = b->core;
    while (!sl_list_is_empty(&b->backlog))
        free_chunk_list(b, SL_LIST_OF(b->backlog.next, struct sl_chunk, node));
    for (struct sl_list *age; (age = sl_list_pop_front(&b->waiting)) != NULL;)
        free_chunk_list(b, SL_LIST_OF(age, struct sl_chunk, age));
    for (struct sl_list *node; (node = sl_list_pop_front(&b->expiry)) != NULL;) {
        struct sl_batch *batch = SL_LIST_OF(node, struct sl_batch, expiry);
        if (batch->entry != NULL) sl_sender_detach(batch);
        sl_batch_destroy(core, batch);
    }
    for (uint32_t i = 0; i < b->topic_count; i++)
        sl_alloc_free(core->alloc, b->topics[i], sizeof *b->topics[i]);
    sl_alloc_free(core->alloc, b->topics, b->topic_cap * sizeof(struct sl_batching *));
    sl_outcome_deinit(b);
    sl_batch_pool_deinit(&b->pool, core->alloc);
    sl_writer_deinit(&b->scratch);
    if (b->codecs != NULL) sl_compress_destroy(b->codecs);
}

/* ---- inputs ---- */

void sl_batcher_on_staged(struct sl_core *core, struct sl_staged *staged) {
    struct sl_batcher *b = &core->batcher;
    SL_LIST_EACH(it, tmp, &staged->chunks) {
        struct sl_chunk *chunk = SL_LIST_OF(it, struct sl_chunk, node);
        chunk->generation = b->generation;
        chunk->since = 0;
    }
    sl_list_splice_back(&b->backlog, &staged->chunks);
    sl_list_splice_back(&b->new_topics, &staged->topics);
    b->accepted += staged->records;
    b->hurry = b->hurry || staged->hurry;
}

void sl_batcher_on_partitions(struct sl_core *core, struct sl_topic *topic) {
    if (topic->batching != NULL) sl_waiting_release(core, topic);
}

void sl_batcher_on_refused(struct sl_core *core, struct sl_topic *topic, int code) {
    if (topic->batching != NULL) sl_waiting_fail(core, topic, code);
}

void sl_batcher_give_chunk(struct sl_core *core, struct sl_chunk *chunk) {
    if (chunk->cap == SL_STAGING_CHUNK)
        sl_list_push_back(&core->events.chunks, &chunk->node);
    else
        sl_staging_chunk_destroy(core->alloc, chunk);
}

/* ---- closing and sealing ---- */

/* The partition got its share of records without key: the next go elsewhere (KIP-794). */
static void turn_sticky(struct sl_batch *batch) {
    struct sl_batching *t = batch->partition->topic->batching;
    if (t->sticky != batch->partition->index || t->sticky_bytes < SL_PARTITIONER_STICKY) return;
    t->sticky = -1;
}

static void close_batch(struct sl_core *core, struct sl_batch *batch) {
    struct sl_batcher *b = &core->batcher;
    SL_ASSERT(batch->state == SL_BATCH_OPEN && batch->partition->produce.open == batch);
    sl_list_remove(&batch->linger);
    batch->partition->produce.open = NULL;
    batch->partition->produce.queued++;
    b->open_count--;
    batch->state = SL_BATCH_CLOSED;
    batch->serial = ++b->serial;
    sl_list_push_back(&b->closed, &batch->node);
    turn_sticky(batch);
}

/* Linger is over: closes the batch, or marks it due while others of its partition wait to be
 * sent. */
static void lapse_batch(struct sl_core *core, struct sl_batch *batch) {
    if (batch->partition->produce.queued == 0) {
        close_batch(core, batch);
        return;
    }
    batch->due = true;
    sl_list_remove(&batch->linger);
    turn_sticky(batch);
}

/* At least one batch, if any is closed; more while the codec's time lasts. */
static void seal_closed(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    while (!sl_list_is_empty(&b->closed) && (b->codecs == NULL || b->codec_left > 0)) {
        struct sl_batch *batch =
            SL_LIST_OF(sl_list_pop_front(&b->closed), struct sl_batch, node);
        size_t worked = sl_batch_seal(core, batch);
        b->codec_left -= worked < b->codec_left ? worked : b->codec_left;
        sl_list_push_back(&batch->partition->produce.sealed, &batch->node);
        sl_sender_on_sealed(core, batch->partition);
    }
}

void sl_batcher_on_drained(struct sl_core *core, struct sl_partition *partition) {
    struct sl_batch *open = partition->produce.open;
    if (open == NULL || !open->due || partition->produce.queued > 0) return;
    close_batch(core, open);
    seal_closed(core);
}

/* ---- records into batches ---- */

static void set_up_partition(struct sl_partition *p) {
    struct sl_partition_produce *pp = &p->produce;
    sl_list_init(&pp->sealed);
    sl_list_init(&pp->in_flight);
    sl_list_init(&pp->ready);
    pp->producer_id = -1;
    pp->epoch = -1;
    pp->acked_offset = -1;
    pp->is_set_up = true;
}

/* NULL: out of memory. */
static struct sl_batch *open_batch(struct sl_core *core, struct sl_partition *p,
                                   const struct sl_chunk *from, size_t room) {
    struct sl_batcher *b = &core->batcher;
    if (!p->produce.is_set_up) set_up_partition(p);
    struct sl_batch *batch = sl_batch_create(core, p, room, b->open_count);
    if (batch == NULL) return NULL;
    bool has_waited = from->since != 0;
    int64_t since = has_waited ? from->since : core->now;
    batch->generation = from->generation;
    batch->deadline = since + core->settings->delivery_timeout_ms * SL_MS;
    p->produce.open = batch;
    b->open_count++;
    batch->opened_at = core->now;
    sl_list_push_back(has_waited ? &b->overdue : &b->lingering, &batch->linger);
    /* Nearly always the last; what has waited is sorted in. */
    struct sl_list *at = &b->expiry;
    while (at->prev != &b->expiry &&
           SL_LIST_OF(at->prev, struct sl_batch, expiry)->deadline > batch->deadline)
        at = at->prev;
    sl_list_insert_before(at, &batch->expiry);
    return batch;
}

/* The record's partition, -1: there is no such partition. */
static int32_t choose_partition(struct sl_core *core, struct sl_batching *t,
                                const struct sl_staged_record *r, const uint8_t *key) {
    struct sl_topic *topic = t->topic;
    if ((r->flags & SL_STAGED_PARTITION) != 0)
        return r->partition >= 0 && r->partition < topic->partition_count ? r->partition : -1;
    if ((r->flags & SL_STAGED_KEY_NULL) == 0)
        return sl_partitioner_of_key(key, r->key_size, topic->partition_count);
    if (t->sticky < 0 || t->sticky >= topic->partition_count) {
        t->sticky = sl_partitioner_sticky(&core->rng, topic);
        t->sticky_bytes = 0;
    }
    return t->sticky;
}

static bool is_sticky(const struct sl_staged_record *r) {
    return (r->flags & (SL_STAGED_PARTITION | SL_STAGED_KEY_NULL)) == SL_STAGED_KEY_NULL;
}

/* Whether the batch can take another record of so many bytes by its limits, memory apart. */
static bool is_within_limits(const struct sl_core *core, const struct sl_batch *batch,
                             const struct sl_chunk *from, size_t bytes) {
    const struct sl_settings *s = core->settings;
    size_t limit = (size_t)(s->batch_size < s->max_request_size ? s->batch_size
                                                                : s->max_request_size);
    return batch->generation == from->generation && (size_t)batch->size + bytes <= limit &&
           batch->segment_count + BATCHER_VALUE_PIECES * (batch->value_count + 1) <=
               SL_BATCH_PIECES;
}

/* The open batch is in no list and of no partition any more. */
static void detach_open(struct sl_core *core, struct sl_batch *batch) {
    sl_list_remove(&batch->linger);
    batch->partition->produce.open = NULL;
    core->batcher.open_count--;
}

/* The batch, or a new one of the partition when it is NULL, with room for the record. NULL: out of
 * memory. */
static struct sl_batch *make_room(struct sl_core *core, struct sl_partition *p,
                                  struct sl_batch *batch, const struct sl_chunk *from, size_t room,
                                  bool has_value) {
    bool is_new = batch == NULL;
    if (is_new) batch = open_batch(core, p, from, room);
    if (batch == NULL || sl_batch_grow(core, batch, room, has_value)) return batch;
    if (is_new) {
        detach_open(core, batch);
        sl_list_remove(&batch->expiry);
        sl_batch_destroy(core, batch);
    }
    return NULL;
}

static void write_record(struct sl_core *core, struct sl_batch *batch,
                         const struct sl_staged_record *r, const uint8_t *body,
                         struct sl_chunk *value) {
    const uint8_t *key = body + r->headers_size;
    struct sl_record_in in = {
        .key = key,
        .value = key + r->key_size,
        .headers = body,
        .key_size = (r->flags & SL_STAGED_KEY_NULL) != 0 ? -1 : (int32_t)r->key_size,
        .value_size = (r->flags & SL_STAGED_VALUE_NULL) != 0 ? -1 : (int32_t)r->value_size,
        .headers_size = r->headers_size,
        .header_count = r->header_count,
    };
    int64_t stamp = (r->flags & SL_STAGED_TIMESTAMP) != 0 ? r->timestamp_ms : core->wall_ms;
    int32_t index = batch->count;
    if (index == 0) batch->base_timestamp = batch->max_timestamp = stamp;
    if (stamp > batch->max_timestamp) batch->max_timestamp = stamp;
    int64_t delta = stamp - batch->base_timestamp;
    uint8_t *start = batch->at;
    if (value == NULL) {
        batch->at += sl_batch_write_record(start, &in, delta, index);
        batch->size += (int32_t)(batch->at - start);
        core->events.freed_bytes += r->charge;
    } else {
        batch->at += sl_batch_write_head(start, &in, delta, index);
        sl_batch_put_value(core, batch, value);
        batch->at += sl_batch_write_tail(batch->at, &in);
        batch->size += (int32_t)(batch->at - start) + (int32_t)value->size;
        core->events.freed_bytes += r->charge;
    }
    if (batch->delivery != NULL) batch->delivery->tags[index] = r->tag;
    batch->count = index + 1;
}

/* False: out of memory, the record is where it was. */
static bool encode_record(struct sl_core *core, struct sl_batching *t, const struct sl_chunk *from,
                          const struct sl_staged_record *r) {
    struct sl_chunk *value = sl_staging_value_chunk(r);
    const uint8_t *body = (const uint8_t *)(r + 1) + (value != NULL ? sizeof value : 0);
    const uint8_t *key = body + r->headers_size;
    uint32_t value_bytes = value != NULL ? value->size : 0;
    size_t room = (size_t)SL_RECORD_OVERHEAD_MAX + r->headers_size + r->key_size +
                  (value != NULL ? 0 : r->value_size);
    for (;;) {
        int32_t index = choose_partition(core, t, r, key);
        if (index < 0)
            return sl_outcome_fail_record(core, r, r->partition, from->generation,
                                          SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION) == 0;
        struct sl_partition *p = t->topic->partitions[index];
        struct sl_batch *batch = p->produce.open;
        if (batch != NULL && !is_within_limits(core, batch, from, room + value_bytes)) {
            close_batch(core, batch);
            batch = NULL;
            /* Its closing may have turned the choice for records without key. */
            if (is_sticky(r) && t->sticky < 0) continue;
        }
        if (batch == NULL || value != NULL || batch->count == batch->tag_cap ||
            (size_t)(batch->end - batch->at) < room) {
            batch = make_room(core, p, batch, from, room, value != NULL);
            if (batch == NULL) return false;
        }
        int32_t before = batch->size;
        write_record(core, batch, r, body, value);
        if (is_sticky(r)) t->sticky_bytes += batch->size - before;
        return true;
    }
}

/* ---- the walk over what was taken ---- */

/* Gives the topics that staging has interned since a place in `topics`. False: out of memory. */
static bool adopt_topics(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    while (!sl_list_is_empty(&b->new_topics)) {
        struct sl_staging_topic *name = SL_LIST_OF(b->new_topics.next, struct sl_staging_topic, node);
        SL_ASSERT(name->index == b->topic_count);
        if (b->topic_count == b->topic_cap) {
            uint32_t cap = b->topic_cap == 0 ? 16 : b->topic_cap * 2;
            struct sl_batching **topics =
                sl_alloc_resize(core->alloc, b->topics, b->topic_cap, cap, sizeof *topics);
            if (topics == NULL) return false;
            b->topics = topics;
            b->topic_cap = cap;
        }
        struct sl_topic *topic = sl_metadata_topic(core, name->name);
        if (topic == NULL) return false;
        struct sl_batching *t = sl_alloc_zero(core->alloc, sizeof *t);
        if (t == NULL) return false;
        t->name = name->name;
        t->topic = topic;
        t->sticky = -1;
        if (topic->staged.next == NULL) sl_list_init(&topic->staged);
        topic->batching = t;
        b->topics[b->topic_count++] = t;
        sl_list_remove(&name->node);
    }
    return true;
}

/* False: out of memory; chunk->walked says how far it came. */
static bool walk_chunk(struct sl_core *core, struct sl_chunk *chunk) {
    struct sl_batcher *b = &core->batcher;
    uint32_t at = chunk->walked;
    uint32_t run_at = chunk->run_at;
    uint32_t run_topic = at > run_at ? sl_staging_record(chunk, run_at)->topic : UINT32_MAX;
    struct sl_batching *t = NULL;
    bool is_done = true;
    while (at < chunk->size) {
        const struct sl_staged_record *r = sl_staging_record(chunk, at);
        if (r->topic != run_topic || t == NULL) {
            if (r->topic != run_topic) run_at = at;
            run_topic = r->topic;
            t = b->topics[run_topic];
        }
        is_done = t->topic->partition_count > 0 ? encode_record(core, t, chunk, r)
                                                : sl_waiting_put(core, t, chunk, r);
        if (!is_done) break;
        at += r->size;
    }
    chunk->walked = at;
    chunk->run_at = run_at;
    return is_done;
}

static void walk_backlog(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    b->retry_at = 0;
    if (sl_list_is_empty(&b->backlog) && sl_list_is_empty(&b->new_topics)) return;
    bool is_done = adopt_topics(core);
    while (is_done && !sl_list_is_empty(&b->backlog)) {
        struct sl_chunk *chunk = SL_LIST_OF(b->backlog.next, struct sl_chunk, node);
        is_done = walk_chunk(core, chunk);
        if (!is_done) break;
        sl_list_remove(&chunk->node);
        sl_batcher_give_chunk(core, chunk);
    }
    if (is_done) return;
    b->retry_at = core->now + BATCHER_RETRY_MS * SL_MS;
    b->hurry = true;
}

/* ---- the turn ---- */

static void run_linger(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    int64_t linger = core->settings->linger_ms * SL_MS;
    while (!sl_list_is_empty(&b->overdue))
        lapse_batch(core, SL_LIST_OF(b->overdue.next, struct sl_batch, linger));
    while (!sl_list_is_empty(&b->lingering)) {
        struct sl_batch *batch = SL_LIST_OF(b->lingering.next, struct sl_batch, linger);
        if (!b->hurry && batch->opened_at + linger > core->now) break;
        lapse_batch(core, batch);
    }
    b->hurry = false;
}

static void run_expiry(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    while (!sl_list_is_empty(&b->expiry)) {
        struct sl_batch *batch = SL_LIST_OF(b->expiry.next, struct sl_batch, expiry);
        if (batch->deadline > core->now) break;
        sl_sender_give_up(core, batch, SLUICE_ERR_TIMEOUT);
    }
}

void sl_batcher_run(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    if (b->codecs != NULL) b->codec_left = measure_codec_budget(core->settings->codec);
    run_expiry(core);
    sl_waiting_expire(core);
    walk_backlog(core);
    run_linger(core);
    seal_closed(core);
}

int64_t sl_batcher_deadline(const struct sl_core *core) {
    const struct sl_batcher *b = &core->batcher;
    if (!sl_list_is_empty(&b->closed) || b->hurry) return core->now;
    int64_t deadline = sl_waiting_deadline(core);
    if (!sl_list_is_empty(&b->backlog)) {
        int64_t at = b->retry_at != 0 ? b->retry_at : core->now;
        if (at < deadline) deadline = at;
    }
    if (!sl_list_is_empty(&b->lingering)) {
        int64_t at = SL_LIST_OF(b->lingering.next, struct sl_batch, linger)->opened_at +
                     core->settings->linger_ms * SL_MS;
        if (at < deadline) deadline = at;
    }
    if (!sl_list_is_empty(&b->expiry)) {
        int64_t at = SL_LIST_OF(b->expiry.next, struct sl_batch, expiry)->deadline;
        if (at < deadline) deadline = at;
    }
    return deadline;
}

uint64_t sl_batcher_pending(const struct sl_core *core) {
    return core->batcher.accepted - core->batcher.decided;
}

/* ---- commands and the end ---- */

void sl_batcher_withdraw(struct sl_core *core, struct sl_batch *batch) {
    if (batch->state == SL_BATCH_OPEN) {
        detach_open(core, batch);
        return;
    }
    SL_ASSERT(batch->state != SL_BATCH_IN_FLIGHT);
    sl_list_remove(&batch->node);
    batch->partition->produce.queued--;
}

static void fail_backlog(struct sl_core *core, int code) {
    struct sl_batcher *b = &core->batcher;
    for (struct sl_list *node; (node = sl_list_pop_front(&b->backlog)) != NULL;)
        sl_outcome_fail_chunk(core, SL_LIST_OF(node, struct sl_chunk, node), code);
    sl_waiting_fail_all(core, code);
}

/* What was never sent, and certainly is not written, ends now. */
static void discard_unsent(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    fail_backlog(core, SLUICE_ERR_NOT_WRITTEN);
    SL_LIST_EACH(it, tmp, &b->expiry) {
        struct sl_batch *batch = SL_LIST_OF(it, struct sl_batch, expiry);
        if (batch->state == SL_BATCH_IN_FLIGHT || batch->maybe_written) continue;
        sl_sender_give_up(core, batch, SLUICE_ERR_NOT_WRITTEN);
    }
}

void sl_batcher_on_command(struct sl_core *core, struct sl_command *command) {
    struct sl_batcher *b = &core->batcher;
    switch (command->kind) {
    case SL_COMMAND_FLUSH:
        b->hurry = true;
        if (command->op == NULL) break;
        sl_outcome_on_flush(core, command->op);
        command->op = NULL;
        break;
    case SL_COMMAND_HURRY:
        b->hurry = true;
        break;
    case SL_COMMAND_DISCARD:
        discard_unsent(core);
        break;
    default:
        SL_UNREACHABLE();
    }
}

void sl_batcher_abandon(struct sl_core *core, int code) {
    struct sl_batcher *b = &core->batcher;
    fail_backlog(core, code);
    while (!sl_list_is_empty(&b->expiry))
        sl_sender_give_up(core, SL_LIST_OF(b->expiry.next, struct sl_batch, expiry), code);
    SL_ASSERT(b->accepted == b->decided);
}

void sl_batcher_finish(struct sl_core *core, struct sl_batch *batch, int outcome, int code,
                       int64_t base_offset, int64_t timestamp_ms) {
    SL_ASSERT(!batch->reported && batch->count > 0);
    sl_list_remove(&batch->expiry);
    batch->reported = true;
    struct sl_delivery *d = batch->delivery;
    bool is_told = core->settings->reports == SL_REPORTS_ALL || outcome != SL_OUTCOME_WRITTEN;
    if (d != NULL && is_told) {
        const struct sl_batching *t = batch->partition->topic->batching;
        d->outcome = outcome;
        d->code = code;
        d->partition = batch->partition->index;
        d->count = batch->count;
        d->base_offset = base_offset;
        d->timestamp_ms = timestamp_ms;
        d->topic = t->name;
        batch->delivery = NULL;
        sl_list_push_back(&core->events.deliveries, &d->node);
    }
    sl_trace_add(&core->trace, SL_TRACE_BATCH_DONE, core->now, batch->partition->index, outcome);
    sl_outcome_count(core, batch->count, batch->generation, outcome);
    if (batch->entry == NULL) {
        sl_batch_destroy(core, batch);
        return;
    }
    if (!SL_PLANTED(5)) return; /* its memory goes when the request lets go of it */
    sl_sender_detach(batch);
    sl_batch_destroy(core, batch);
}
