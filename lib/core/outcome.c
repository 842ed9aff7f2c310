/* Outcomes: what is counted and told when records are decided, and flushes, which wait for that.
 *
 * Every accepted record passes sl_outcome_count exactly once. Outcomes come out of order across
 * partitions, so a flush can't wait for a number to be reached: it begins a new generation, and
 * waits until all records of the generations up to its own are decided. A batch belongs to one
 * generation, so this costs one look at each pending flush per batch.
 *
 * A record that was not written is told by the flushes that wait for it; when none does, by the
 * next one. A certain loss is told before an uncertain one. */
#include "base/hot.h"
#include "core/delivery.h"
#include "core/unit.h"
#include "sluice/error.h"

struct sl_flush {
    struct sl_list node;
    struct sl_op *op;
    uint64_t generation; /* the last one that it waits for */
    uint64_t left;       /* records of it and those before without outcome */
    int lost;            /* 0, or what it ends with */
};

static int worse_loss(int a, int b) {
    if (a == SLUICE_ERR_NOT_WRITTEN || b == SLUICE_ERR_NOT_WRITTEN) return SLUICE_ERR_NOT_WRITTEN;
    return a != 0 ? a : b;
}

/* How many are left, and what is known of brokers that fail. */
static void end_unfinished(struct sl_core *core, struct sl_op *op, int code, uint64_t left) {
    char buf[SL_OP_TEXT - 64];
    struct sl_text story;
    sl_text_init(&story, buf, sizeof buf);
    sl_brokers_tell(core, &story);
    sl_ops_end(&core->ops, op, code, "%llu records have no outcome yet%s%s",
               (unsigned long long)left, story.size > 0 ? ": " : "", buf);
}

static void end_flush(struct sl_core *core, struct sl_flush *flush, int code) {
    struct sl_op *op = flush->op;
    uint64_t left = flush->left;
    sl_list_remove(&flush->node);
    sl_alloc_free(core->alloc, flush, sizeof *flush);
    if (code == 0)
        sl_ops_end(&core->ops, op, 0, NULL);
    else if (left > 0)
        end_unfinished(core, op, code, left);
    else
        sl_ops_end(&core->ops, op, code, "some records were not written, or may not have been");
}

/* The op's deadline has passed, or the client closes: the records go on. */
static void end_flush_early(struct sl_core *core, struct sl_op *op, int code) {
    struct sl_flush *flush = op->owner;
    /* What is known for certain is said rather than that time is up; what is not said now is for
     * the next one. */
    if (flush->lost == SLUICE_ERR_NOT_WRITTEN)
        code = flush->lost;
    else
        core->batcher.lost = worse_loss(core->batcher.lost, flush->lost);
    end_flush(core, flush, code);
}

void sl_outcome_on_flush(struct sl_core *core, struct sl_op *op) {
    struct sl_batcher *b = &core->batcher;
    int lost = b->lost;
    if (sl_batcher_pending(core) == 0) {
        b->lost = 0;
        sl_ops_end(&core->ops, op, lost, lost == 0 ? NULL : "records before were not written");
        return;
    }
    struct sl_flush *flush = sl_alloc_zero(core->alloc, sizeof *flush);
    if (flush == NULL) {
        sl_ops_end(&core->ops, op, SLUICE_ERR_NOMEM, "no memory to wait for the records");
        return;
    }
    b->lost = 0;
    flush->op = op;
    flush->lost = lost;
    flush->generation = b->generation++;
    flush->left = sl_batcher_pending(core);
    op->owner = flush;
    op->on_over = end_flush_early;
    sl_list_push_back(&b->flushes, &flush->node);
}

void sl_outcome_deinit(struct sl_batcher *b) {
    for (struct sl_list *node; (node = sl_list_pop_front(&b->flushes)) != NULL;)
        sl_alloc_free(b->core->alloc, SL_LIST_OF(node, struct sl_flush, node),
                      sizeof(struct sl_flush));
}

void sl_outcome_count(struct sl_core *core, int64_t count, uint64_t generation, int outcome) {
    struct sl_batcher *b = &core->batcher;
    int lost = 0;
    switch (outcome) {
    case SL_OUTCOME_WRITTEN:
        core->events.written += count;
        break;
    case SL_OUTCOME_NOT_WRITTEN:
        core->events.not_written += count;
        lost = SLUICE_ERR_NOT_WRITTEN;
        break;
    default:
        core->events.maybe_written += count;
        lost = SLUICE_ERR_MAYBE_WRITTEN;
    }
    b->decided += (uint64_t)count;
    sl_stats_on_outcome(core, count, outcome);
    SL_ASSERT(b->decided <= b->accepted);
    bool is_told = false;
    SL_LIST_EACH(it, tmp, &b->flushes) {
        struct sl_flush *flush = SL_LIST_OF(it, struct sl_flush, node);
        if (flush->generation < generation) continue;
        flush->lost = worse_loss(flush->lost, lost);
        is_told = true;
        SL_ASSERT(flush->left >= (uint64_t)count);
        flush->left -= (uint64_t)count;
        if (flush->left == 0) end_flush(core, flush, flush->lost);
    }
    if (!is_told) b->lost = worse_loss(b->lost, lost);
}

const char *sl_outcome_topic_name(void *batcher, uint32_t index) {
    struct sl_batcher *b = batcher;
    if (index < b->topic_count) return b->topics[index]->name;
    SL_LIST_EACH(it, tmp, &b->new_topics) {
        const struct sl_staging_topic *t = SL_LIST_OF(it, struct sl_staging_topic, node);
        if (t->index == index) return t->name;
    }
    SL_UNREACHABLE();
}

/* Its one record has a call waiting for it. */
static bool is_watched_chunk(struct sl_chunk *chunk) {
    return !chunk->is_wire && chunk->walked < chunk->size &&
           (sl_staging_record(chunk, chunk->walked)->flags & SL_STAGED_WATCHED) != 0;
}

void sl_outcome_fail_chunk(struct sl_core *core, struct sl_chunk *chunk, int code) {
    struct sl_delivery_sum sum = {0};
    sl_list_init(&sum.values);
    uint64_t generation = chunk->generation;
    struct sl_delivery *d = NULL;
    if (core->settings->reports == SL_REPORTS_NONE && !is_watched_chunk(chunk))
        sl_delivery_count_chunk(chunk, &sum);
    else
        d = sl_delivery_from_chunk(chunk, code, sl_outcome_topic_name, &core->batcher, &sum);
    if (d != NULL)
        sl_list_push_back(&core->events.deliveries, &d->node);
    else
        sl_batcher_give_chunk(core, chunk);
    for (struct sl_list *node; (node = sl_list_pop_front(&sum.values)) != NULL;)
        sl_staging_chunk_destroy(core->alloc, SL_LIST_OF(node, struct sl_chunk, node));
    core->events.freed_bytes += sum.charge;
    sl_outcome_count(core, sum.count, generation, SL_OUTCOME_NOT_WRITTEN);
}

SL_APART int sl_outcome_fail_record(struct sl_core *core, const struct sl_staged_record *r,
                                    int32_t partition, uint64_t generation, int code) {
    bool is_watched = (r->flags & SL_STAGED_WATCHED) != 0;
    if (core->settings->reports != SL_REPORTS_NONE || is_watched) {
        struct sl_delivery *d;
        int rv = sl_delivery_create(core->alloc, 1, &d);
        if (rv != 0) return rv;
        d->outcome = SL_OUTCOME_NOT_WRITTEN;
        d->code = code;
        d->partition = partition;
        d->count = 1;
        d->tags[0] = r->tag;
        if (is_watched) d->watch = (struct sl_watch *)(uintptr_t)r->tag;
        d->topic = sl_outcome_topic_name(&core->batcher, r->topic);
        sl_list_push_back(&core->events.deliveries, &d->node);
    }
    struct sl_chunk *value = sl_staging_value_chunk(r);
    if (value != NULL) sl_staging_chunk_destroy(core->alloc, value);
    core->events.freed_bytes += r->charge;
    sl_outcome_count(core, 1, generation, SL_OUTCOME_NOT_WRITTEN);
    return 0;
}
