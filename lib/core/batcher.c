/* The batcher: staged records into batches.
 *
 *   staged chunks ─▶ backlog ─▶ (no partitions known) ─▶ waiting list of the topic ─▶ backlog
 *                       │
 *                       └─▶ open batch of the partition ─▶ closed ─▶ sealed: the sender's
 *
 * A batch is closed when it is full; when it has lingered, or linger is ended by a flush, a thread
 * that waits for memory, or closing. The linger of the oldest ends that of all: partitions that
 * would come one by one make one request a broker together. A batch that has lingered while others
 * of its partition still wait to be sent, or while its leader has as many requests as it may have,
 * is only marked due: it goes on filling, and is closed when it would be next. So a slow broker gets
 * few large batches, not many small ones.
 *
 * Closed batches are sealed in order. Where the host runs jobs, large ones are compressed off the
 * loop (pack.c): they take their place in the partition at once, and nothing behind them is sent
 * before them. Of the others about a millisecond of codec work is done in a turn; the rest comes in
 * the next turn, which is asked for.
 *
 * Invariants: a batch holds records of one flush generation; all batches without outcome are in
 * `expiry` by deadline; `lingering` and `overdue` have every open batch that is not due;
 * decided <= accepted, and the difference is exactly what lies in backlog, waiting lists and
 * batches.
 *
 * Not here: encoding (batcher_walk.c), memory of batches (batch.c), counting and flushes
 * (outcome.c), order and retries (sender.c, sequences.c). */
#include "core/batcher.h"

#include <string.h>

#include "base/ahead.h"
#include "base/hot.h"
#include "core/delivery.h"
#include "core/pack.h"
#include "core/plant.h"
#include "core/unit.h"
#include "record/record.h"
#include "sluice/error.h"

enum {
    BATCHER_POOL_SHARE = 4,    /* up to 1/4 of the budget stays as warm segments and batches */
    BATCHER_FORGETS_COUNT = 4, /* a large batch counts a quarter less with each that is closed after
                                * it; arbitrary */
    BATCHER_FORGETS_SIZE = 64, /* likewise its bytes; slowly, for a segment that is too small costs
                                * more than one that is too large */
    BATCHER_AHEAD = 512        /* bytes of records that are asked for before they are sealed */
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
    b->left_until = SL_NEVER;
    sl_list_init(&b->backlog);
    sl_list_init(&b->waiting);
    sl_list_init(&b->new_topics);
    sl_list_init(&b->lingering);
    sl_list_init(&b->overdue);
    sl_list_init(&b->closed);
    sl_list_init(&b->expiry);
    sl_list_init(&b->flushes);
    sl_list_init(&b->jobs);
    sl_partitioner_init(&b->partitioner, core->settings);
    sl_batch_pool_init(&b->pool, (size_t)core->settings->buffer_memory / BATCHER_POOL_SHARE);
    if (core->settings->codec == SL_CODEC_NONE) return 0;
    return sl_job_tools_init(&b->tools, core->alloc);
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

/* Jobs that nobody has taken yet go back as they are. */
static void recall_jobs(struct sl_core *core) {
    for (struct sl_list *node; (node = sl_list_pop_front(&core->batcher.jobs)) != NULL;)
        sl_batcher_on_job(core, SL_LIST_OF(node, struct sl_job, node));
}

void sl_batcher_deinit(struct sl_batcher *b) {
    struct sl_core *core = b->core;
    recall_jobs(core);
    while (!sl_list_is_empty(&b->backlog))
        free_chunk_list(b, SL_LIST_OF(b->backlog.next, struct sl_chunk, node));
    for (struct sl_list *age; (age = sl_list_pop_front(&b->waiting)) != NULL;)
        free_chunk_list(b, SL_LIST_OF(age, struct sl_chunk, age));
    for (struct sl_list *node; (node = sl_list_pop_front(&b->expiry)) != NULL;) {
        struct sl_batch *batch = SL_LIST_OF(node, struct sl_batch, expiry);
        if (batch->entry != NULL) sl_sender_detach(batch);
        sl_batch_destroy(core, batch);
    }
    for (uint32_t i = 0; i < b->topic_count; i++) {
        sl_partitioner_load_deinit(&b->topics[i]->load, core->alloc);
        sl_alloc_free(core->alloc, b->topics[i], sizeof *b->topics[i]);
    }
    sl_alloc_free(core->alloc, b->topics, b->topic_cap * sizeof(struct sl_batching *));
    sl_outcome_deinit(b);
    sl_batch_pool_deinit(&b->pool, core->alloc);
    sl_job_tools_deinit(&b->tools);
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
    b->left_until = staged->left_until;
    sl_batch_take_spent(core, &staged->spent, staged->spent_bytes);
}

void sl_batcher_on_partitions(struct sl_core *core, struct sl_topic *topic) {
    struct sl_batching *t = topic->batching;
    if (t == NULL) return;
    t->sticky = -1; /* where the empty key goes depends on their number */
    sl_waiting_release(core, topic);
}

void sl_batcher_on_refused(struct sl_core *core, struct sl_topic *topic, int code) {
    if (topic->batching != NULL) sl_waiting_fail(core, topic, code);
}

SL_APART void sl_batcher_give_chunk(struct sl_core *core, struct sl_chunk *chunk) {
    const struct sl_batcher *b = &core->batcher;
    chunk->spread =
        chunk->topic < b->topic_count ? b->topics[chunk->topic]->topic->partition_count : 0;
    if (chunk->is_wire || chunk->cap == SL_STAGING_CHUNK)
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

/* The largest of the last values, with one more; each takes its part off those before. */
static int32_t remember_most(int32_t most, int32_t value, int32_t part) {
    most -= most / part;
    return value > most ? value : most;
}

SL_APART void sl_batcher_close(struct sl_core *core, struct sl_batch *batch) {
    struct sl_batcher *b = &core->batcher;
    SL_ASSERT(batch->state == SL_BATCH_OPEN && batch->partition->produce.open == batch);
    sl_list_remove(&batch->linger);
    batch->partition->produce.open = NULL;
    batch->partition->produce.queued++;
    b->open_count--;
    batch->state = SL_BATCH_CLOSED;
    batch->serial = b->serial + 1;
    b->serial += (uint64_t)batch->count;
    sl_list_push_back(&b->closed, &batch->node);
    struct sl_batching *t = batch->partition->topic->batching;
    t->usual_count = remember_most(t->usual_count, batch->count, BATCHER_FORGETS_COUNT);
    t->usual_size = remember_most(t->usual_size, batch->size, BATCHER_FORGETS_SIZE);
    turn_sticky(batch);
}

/* Linger is over: closes the batch, or marks it due while it could not be sent. */
static void lapse_batch(struct sl_core *core, struct sl_batch *batch) {
    if (batch->partition->produce.queued == 0 && !sl_sender_hold(core, batch->partition)) {
        sl_batcher_close(core, batch);
        return;
    }
    batch->due = true;
    sl_list_remove(&batch->linger);
    turn_sticky(batch);
}

/* The batch has its place in its partition. */
static void enter_partition(struct sl_core *core, struct sl_batch *batch) {
    sl_list_push_back(&batch->partition->produce.sealed, &batch->node);
    sl_sender_on_sealed(core, batch->partition);
}

/* Seals the first closed batch. False: no more in this turn. */
static bool seal_first(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    struct sl_batch *batch = SL_LIST_OF(b->closed.next, struct sl_batch, node);
    bool is_job =
        b->tools.codecs != NULL && b->jobs_most > 0 && (size_t)batch->size >= b->job_least;
    b->stalled = is_job && b->jobs_out == b->jobs_most;
    if (b->stalled || (b->tools.codecs != NULL && !is_job && b->codec_left == 0)) return false;
    sl_list_remove(&batch->node);
    size_t worked = sl_batch_seal(core, batch, is_job);
    b->codec_left -= worked < b->codec_left ? worked : b->codec_left;
    if (batch->pack != NULL) {
        sl_list_push_back(&b->jobs, &batch->pack->job.node);
        b->jobs_out++;
    }
    enter_partition(core, batch);
    return true;
}

/* What sealing the second closed batch needs is asked for, and the third itself. */
static void look_behind_first(const struct sl_batcher *b) {
    const struct sl_list *second = b->closed.next->next;
    if (second == &b->closed) return;
    const struct sl_batch *batch = SL_LIST_OF(second, struct sl_batch, node);
    sl_partition_ahead(batch->partition);
    sl_ahead_all(batch->segments->data, BATCHER_AHEAD);
    if (second->next != &b->closed) sl_batch_ahead(SL_LIST_OF(second->next, struct sl_batch, node));
}

static void seal_closed(struct sl_core *core) {
    const struct sl_batcher *b = &core->batcher;
    do {
        if (sl_list_is_empty(&b->closed)) return;
        look_behind_first(b);
    } while (seal_first(core));
}

void sl_batcher_set_jobs(struct sl_core *core, int32_t most, int32_t least_us) {
    struct sl_batcher *b = &core->batcher;
    b->jobs_most = most;
    b->job_least = measure_codec_budget(core->settings->codec) / 1000 * (size_t)least_us;
}

struct sl_job *sl_batcher_next_job(struct sl_core *core) {
    struct sl_list *node = sl_list_pop_front(&core->batcher.jobs);
    return node == NULL ? NULL : SL_LIST_OF(node, struct sl_job, node);
}

void sl_batcher_on_job(struct sl_core *core, struct sl_job *job) {
    struct sl_pack *pack = SL_LIST_OF(job, struct sl_pack, job);
    struct sl_batch *batch = pack->batch;
    core->batcher.jobs_out--;
    core->batcher.stalled = false;
    if (batch == NULL) {
        sl_pack_destroy(core, pack);
        return;
    }
    struct sl_partition *p = batch->partition;
    sl_batch_on_packed(core, batch);
    sl_sender_on_sealed(core, p);
}

void sl_batcher_on_drained(struct sl_core *core, struct sl_partition *partition) {
    struct sl_batch *open = partition->produce.open;
    if (open == NULL || !open->due || partition->produce.queued > 0) return;
    if (sl_sender_hold(core, partition)) return;
    sl_batcher_close(core, open);
    seal_closed(core);
}

/* ---- the turn ---- */

/* As look_behind_first, of those that linger. */
static void look_behind_oldest(const struct sl_batcher *b) {
    const struct sl_list *second = b->lingering.next->next;
    if (second == &b->lingering) return;
    sl_partition_ahead(SL_LIST_OF(second, struct sl_batch, linger)->partition);
    if (second->next != &b->lingering)
        sl_batch_ahead(SL_LIST_OF(second->next, struct sl_batch, linger));
}

static void run_linger(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    int64_t linger = core->settings->linger_ms * SL_MS;
    while (!sl_list_is_empty(&b->overdue))
        lapse_batch(core, SL_LIST_OF(b->overdue.next, struct sl_batch, linger));
    struct sl_list *oldest = sl_list_peek(&b->lingering);
    bool is_over =
        b->hurry || (oldest != NULL &&
                     SL_LIST_OF(oldest, struct sl_batch, linger)->opened_at + linger <= core->now);
    while (is_over && !sl_list_is_empty(&b->lingering)) {
        look_behind_oldest(b);
        lapse_batch(core, SL_LIST_OF(b->lingering.next, struct sl_batch, linger));
    }
    b->hurry = false;
}

static void run_expiry(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    while (!sl_list_is_empty(&b->expiry)) {
        struct sl_batch *batch = SL_LIST_OF(b->expiry.next, struct sl_batch, expiry);
        if (batch->deadline > core->now) break;
        sl_stats_on_expired(core, batch->count);
        sl_sender_give_up(core, batch, SLUICE_ERR_TIMEOUT);
    }
}

void sl_batcher_run(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    if (b->tools.codecs != NULL) b->codec_left = measure_codec_budget(core->settings->codec);
    if (b->left_until <= core->now) b->left_until = SL_NEVER; /* the host has taken it, or will */
    run_expiry(core);
    sl_waiting_expire(core);
    sl_batcher_walk(core);
    run_linger(core);
    seal_closed(core);
}

int64_t sl_batcher_deadline(const struct sl_core *core) {
    const struct sl_batcher *b = &core->batcher;
    if ((!sl_list_is_empty(&b->closed) && !b->stalled) || b->hurry) return core->now;
    int64_t deadline = sl_waiting_deadline(core);
    if (b->left_until < deadline) deadline = b->left_until;
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

/* The open batch is in no list and of no partition any more. */
static void detach_open(struct sl_core *core, struct sl_batch *batch) {
    sl_list_remove(&batch->linger);
    batch->partition->produce.open = NULL;
    core->batcher.open_count--;
}

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
    is_told = is_told || (d != NULL && d->watch != NULL);
    if (d != NULL && is_told && batch->count > d->told_apart) {
        const struct sl_batching *t = batch->partition->topic->batching;
        d->outcome = outcome;
        d->code = code;
        d->partition = batch->partition->index;
        d->count = batch->count - d->told_apart;
        d->base_offset = base_offset;
        d->timestamp_ms = timestamp_ms;
        d->topic = t->name;
        if (batch->entry == NULL || !batch->borrows) {
            batch->delivery = NULL;
            sl_list_push_back(&core->events.deliveries, &d->node);
        }
    }
    sl_trace_add(&core->trace, SL_TRACE_BATCH_DONE, core->now, batch->partition->index, outcome);
    sl_stats_on_decided(core, batch, outcome);
    sl_outcome_count(core, batch->count, batch->generation, outcome);
    if (batch->entry == NULL) {
        sl_batch_destroy(core, batch);
        return;
    }
    if (!SL_PLANTED(5)) return; /* its memory goes when the request lets go of it */
    sl_sender_detach(batch);
    sl_batch_destroy(core, batch);
}
