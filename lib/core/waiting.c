/* Records whose topic has no known partitions yet.
 *
 * They are copied out of the staging chunk, so that a chunk full of other records is not held by
 * one of an unknown topic, into chunks of their topic: small at first, doubling as they fill up,
 * because a program may name thousands of topics. Order within the topic is the order of taking. When the
 * partitions are known the chunks go back to the front of the backlog, before anything taken
 * later; when the topic is refused, or delivery.timeout.ms passes, they become reports where they
 * lie, which needs no memory.
 *
 * All waiting chunks are also in one list by age, so that expiry looks at its head only. A chunk
 * takes records for WAITING_SPAN at most and expires as a whole with its oldest. */
#include <string.h>

#include "base/hot.h"
#include "core/unit.h"
#include "sluice/error.h"

enum {
    WAITING_FIRST = 1024, /* arbitrary: a few records */
    WAITING_SPAN_MS = 250 /* arbitrary: well below any sensible delivery.timeout.ms */
};

static struct sl_chunk *last_waiting(struct sl_topic *topic) {
    if (sl_list_is_empty(&topic->staged)) return NULL;
    return SL_LIST_OF(topic->staged.prev, struct sl_chunk, node);
}

static void enter_waiting(struct sl_core *core, struct sl_topic *topic, struct sl_chunk *chunk) {
    sl_list_push_back(&topic->staged, &chunk->node);
    /* Nearly always the youngest; what waits a second time is sorted in. */
    struct sl_list *at = &core->batcher.waiting;
    while (at->prev != &core->batcher.waiting &&
           SL_LIST_OF(at->prev, struct sl_chunk, age)->since > chunk->since)
        at = at->prev;
    sl_list_insert_before(at, &chunk->age);
}

/* The chunk that the record goes into; NULL: out of memory. */
static struct sl_chunk *open_waiting(struct sl_core *core, struct sl_topic *topic,
                                     const struct sl_chunk *from, int64_t since, uint32_t size,
                                     bool is_alone) {
    struct sl_chunk *last = last_waiting(topic);
    uint32_t cap = WAITING_FIRST;
    if (is_alone) {
        cap = size; /* nothing will fit behind it */
    } else if (last != NULL) {
        bool is_recent = since - last->since < WAITING_SPAN_MS * SL_MS;
        if (is_recent && !last->is_wire && last->generation == from->generation &&
            last->cap - last->size >= size)
            return last;
        /* Doubled when the last one is full; for a trickle as much as the last one needed. */
        bool is_full = last->cap - last->size < size;
        while (cap < SL_STAGING_CHUNK / 2 && cap < (is_full ? last->cap * 2 : last->size)) cap *= 2;
    }
    struct sl_chunk *chunk = sl_staging_chunk_create(core->alloc, cap < size ? size : cap);
    if (chunk == NULL) return NULL;
    chunk->since = since;
    chunk->generation = from->generation;
    enter_waiting(core, topic, chunk);
    return chunk;
}

SL_APART bool sl_waiting_put(struct sl_core *core, struct sl_batching *t,
                             const struct sl_chunk *from, const struct sl_staged_record *r) {
    bool is_first = sl_list_is_empty(&t->topic->staged);
    /* Any record may come to lie first in a chunk, and is then the first of a run. */
    uint32_t size = (sl_staging_run_min(core->settings) + 7) & ~7U;
    if (size < r->size) size = r->size;
    int64_t since = from->since != 0 ? from->since : core->now;
    struct sl_chunk *chunk =
        open_waiting(core, t->topic, from, since, size, (r->flags & SL_STAGED_WATCHED) != 0);
    if (chunk == NULL) return false;
    if (chunk->size > 0) size = r->size;
    struct sl_staged_record *copy = sl_staging_record(chunk, chunk->size);
    memcpy(copy, r, r->size);
    copy->size = size;
    chunk->size += size;
    chunk->count++;
    /* Also asks for a topic that was refused before: the application has not given up on it. */
    if (is_first) (void)sl_metadata_topic(core, t->name);
    return true;
}

void sl_waiting_put_chunk(struct sl_core *core, struct sl_batching *t, struct sl_chunk *chunk) {
    bool is_first = sl_list_is_empty(&t->topic->staged);
    if (chunk->since == 0) {
        /* From here on it counts for the memory that it takes. */
        uint32_t bytes = (uint32_t)sl_staging_chunk_bytes(chunk);
        core->events.freed_bytes -= (int64_t)bytes - chunk->charge;
        chunk->charge = bytes;
        chunk->since = core->now;
    }
    sl_list_remove(&chunk->node);
    enter_waiting(core, t->topic, chunk);
    if (is_first) (void)sl_metadata_topic(core, t->name);
}

void sl_waiting_release(struct sl_core *core, struct sl_topic *topic) {
    SL_LIST_EACH(it, tmp, &topic->staged) {
        sl_list_remove(&SL_LIST_OF(it, struct sl_chunk, node)->age);
    }
    struct sl_list *backlog = &core->batcher.backlog;
    sl_list_splice_back(&topic->staged, backlog);
    sl_list_splice_back(backlog, &topic->staged);
}

static void fail_waiting(struct sl_core *core, struct sl_chunk *chunk, int code) {
    sl_list_remove(&chunk->node);
    sl_list_remove(&chunk->age);
    sl_outcome_fail_chunk(core, chunk, code);
}

void sl_waiting_fail(struct sl_core *core, struct sl_topic *topic, int code) {
    SL_LIST_EACH(it, tmp, &topic->staged) {
        fail_waiting(core, SL_LIST_OF(it, struct sl_chunk, node), code);
    }
}

static struct sl_chunk *oldest_waiting(const struct sl_batcher *b) {
    if (sl_list_is_empty(&b->waiting)) return NULL;
    return SL_LIST_OF(b->waiting.next, struct sl_chunk, age);
}

int64_t sl_waiting_deadline(const struct sl_core *core) {
    const struct sl_chunk *chunk = oldest_waiting(&core->batcher);
    if (chunk == NULL) return SL_NEVER;
    return chunk->since + core->settings->delivery_timeout_ms * SL_MS;
}

void sl_waiting_expire(struct sl_core *core) {
    while (sl_waiting_deadline(core) <= core->now) {
        struct sl_chunk *chunk = oldest_waiting(&core->batcher);
        uint32_t index = sl_staging_topic_at(chunk, chunk->walked);
        /* What the brokers said of the topic explains more than the time that passed. */
        int code = core->batcher.topics[index]->topic->code;
        uint64_t decided = core->batcher.decided;
        fail_waiting(core, chunk, code != 0 ? code : SLUICE_ERR_TIMEOUT);
        sl_stats_on_expired(core, (int64_t)(core->batcher.decided - decided));
    }
}

void sl_waiting_fail_all(struct sl_core *core, int code) {
    for (struct sl_chunk *chunk; (chunk = oldest_waiting(&core->batcher)) != NULL;)
        fail_waiting(core, chunk, code);
}
