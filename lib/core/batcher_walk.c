/* Records into batches: the walk over what was taken from staging.
 *
 * Each record is partitioned and encoded once, in place, into the open batch of its partition, or
 * put into its topic's waiting list. A wire chunk becomes a batch of its own, if it is large enough
 * and the topic takes batches of its size; else its records are encoded anew. The walk looks a topic
 * up once a run of records of it, and a batch's limits once a record; everything else happens once a
 * batch.
 *
 * When memory is short the walk stops at the record at hand, which stays where it is, and goes on
 * from there in a later turn; linger ends for what is open, because outcomes free memory. Nothing
 * is lost, nothing overtakes. */
#include "core/batcher.h"

#include "base/ahead.h"
#include "base/hot.h"
#include "core/delivery.h"
#include "core/plant.h"
#include "core/unit.h"
#include "record/batch_read.h"
#include "record/batch_write.h"
#include "record/record.h"
#include "sluice/kafka_errors.h"

enum {
    BATCHER_RETRY_MS = 10, /* memory was short; arbitrary */
    WALK_AHEAD = 8,        /* records dealt with while the memory for another one is fetched */
    WALK_ROOM = 256,       /* bytes of a record's room that are asked for at most; arbitrary */
    WALK_STEPS = 64        /* at least the records looked at and not dealt with: four times
                            * WALK_AHEAD, and one */
};

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

/* Makes it the open batch of its partition. */
static void enter_open(struct sl_core *core, struct sl_batch *batch, const struct sl_chunk *from) {
    struct sl_batcher *b = &core->batcher;
    struct sl_partition *p = batch->partition;
    if (!p->produce.is_set_up) set_up_partition(p);
    bool has_waited = from->since != 0;
    int64_t since = has_waited ? from->since : core->now;
    batch->generation = from->generation;
    batch->deadline = since + core->settings->delivery_timeout_ms * SL_MS;
    p->produce.open = batch;
    sl_metadata_use(core, p->topic);
    b->open_count++;
    batch->opened_at = core->now;
    sl_list_push_back(has_waited ? &b->overdue : &b->lingering, &batch->linger);
    /* Nearly always the last; what has waited is sorted in. */
    struct sl_list *at = &b->expiry;
    while (at->prev != &b->expiry &&
           SL_LIST_OF(at->prev, struct sl_batch, expiry)->deadline > batch->deadline)
        at = at->prev;
    sl_list_insert_before(at, &batch->expiry);
}

/* NULL: out of memory. */
static struct sl_batch *open_batch(struct sl_core *core, struct sl_partition *p,
                                   const struct sl_chunk *from, size_t room) {
    struct sl_batch *batch = sl_batch_create(core, p, room, core->batcher.open_count);
    if (batch != NULL) enter_open(core, batch, from);
    return batch;
}

/* Where the parts of a record lie, and where it goes. */
struct walk_body {
    const uint8_t *headers;
    const uint8_t *key;
    const uint8_t *value;           /* unless it is … */
    struct sl_chunk *large;         /* … a large one, or NULL */
    bool is_keyless;                /* the partition is the batcher's choice, else it is … */
    struct sl_partition *partition; /* … this one; NULL: there is no such partition */
};

/* The partition that records without key go to now. */
SL_APART static int32_t choose_keyless(struct sl_core *core, struct sl_batching *t) {
    if (t->sticky < 0 || t->sticky >= t->topic->partition_count) {
        t->sticky = sl_partitioner_choose(core, &t->load, t->topic);
        t->sticky_bytes = 0;
    }
    return t->sticky;
}

/* Where the topic has the partition that a record names, or its key does; NULL: there is no such
 * partition. */
static struct sl_partition **place_of_record(const struct sl_core *core,
                                             const struct sl_topic *topic,
                                             const struct sl_staged_record *r, const uint8_t *key) {
    int32_t index = r->partition;
    if ((r->flags & SL_STAGED_PARTITION) == 0)
        index = sl_partitioner_of_key(core->batcher.partitioner.hash, key, r->key_size,
                                      topic->partition_count);
    return index >= 0 && index < topic->partition_count ? &topic->partitions[index] : NULL;
}

/* Whether the batch can take another record of so many bytes by its limits, memory apart. */
static bool is_within_limits(const struct sl_batching *t, const struct sl_batch *batch,
                             const struct sl_chunk *from, size_t bytes) {
    return batch->generation == from->generation && (size_t)batch->size + bytes <= t->batch_limit &&
           batch->cuts + SL_BATCH_VALUE_CUTS <= SL_BATCH_PIECES;
}

/* The batch, or a new one of the partition when it is NULL, with room for the record. NULL: out of
 * memory. */
SL_APART static struct sl_batch *make_room(struct sl_core *core, struct sl_partition *p,
                                           struct sl_batch *batch, const struct sl_chunk *from,
                                           size_t room, bool has_value) {
    bool is_new = batch == NULL;
    if (is_new) batch = open_batch(core, p, from, room);
    if (batch == NULL || sl_batch_grow(core, batch, room, has_value)) return batch;
    if (is_new) {
        sl_batcher_withdraw(core, batch);
        sl_list_remove(&batch->expiry);
        sl_batch_destroy(core, batch);
    }
    return NULL;
}

static void write_record(struct sl_core *core, struct sl_batch *batch,
                         const struct sl_staged_record *r, const struct walk_body *body) {
    struct sl_record_in in = {
        .key = body->key,
        .value = body->value,
        .headers = body->headers,
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
    if (body->large == NULL) {
        batch->at += sl_batch_write_record(start, &in, delta, index);
        batch->size += (int32_t)(batch->at - start);
        core->events.freed_bytes += r->charge;
    } else {
        batch->at += sl_batch_write_head(start, &in, delta, index);
        sl_batch_put_value(core, batch, body->large);
        batch->at += sl_batch_write_tail(batch->at, &in);
        batch->size += (int32_t)(batch->at - start) + (int32_t)body->large->size;
        core->events.freed_bytes += r->charge;
    }
    if (batch->tags != NULL) batch->tags[index] = r->tag;
    batch->count = index + 1;
}

/* A call waits for this record: its batch is complete with it, and has a report in any case. False:
 * out of memory, and the batch is gone. */
SL_APART static bool watch_batch(struct sl_core *core, struct sl_batch *batch,
                                 const struct sl_staged_record *r) {
    if (batch->delivery == NULL && sl_delivery_create(core->alloc, 1, &batch->delivery) != 0) {
        sl_batcher_withdraw(core, batch);
        sl_list_remove(&batch->expiry);
        sl_batch_destroy(core, batch);
        return false;
    }
    batch->tags = batch->delivery->tags;
    batch->delivery->watch = (struct sl_watch *)(uintptr_t)r->tag;
    return true;
}

/* False: out of memory, the record is where it was. */
static bool encode_record(struct sl_core *core, struct sl_batching *t, const struct sl_chunk *from,
                          const struct sl_staged_record *r, const struct walk_body *body) {
    const struct sl_chunk *value = body->large;
    uint32_t value_bytes = value != NULL ? value->size : 0;
    bool is_watched = (r->flags & SL_STAGED_WATCHED) != 0;
    size_t room = (size_t)SL_RECORD_OVERHEAD_MAX + r->headers_size + r->key_size +
                  (value != NULL ? 0 : r->value_size);
    for (;;) {
        struct sl_partition *p =
            body->is_keyless ? t->topic->partitions[choose_keyless(core, t)] : body->partition;
        if (p == NULL)
            return sl_outcome_fail_record(core, r, r->partition, from->generation,
                                          SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION) == 0;
        struct sl_batch *batch = p->produce.open;
        if (batch != NULL &&
            (is_watched || !is_within_limits(t, batch, from, room + value_bytes))) {
            sl_batcher_close(core, batch);
            batch = NULL;
            /* Its closing may have turned the choice for records without key. */
            if (body->is_keyless && t->sticky < 0) continue;
        }
        if (batch == NULL || value != NULL || batch->count == batch->tag_cap ||
            (size_t)(batch->end - batch->at) < room) {
            batch = make_room(core, p, batch, from, room, value != NULL);
            if (batch == NULL) return false;
        }
        if (is_watched && !watch_batch(core, batch, r)) return false;
        int32_t before = batch->size;
        write_record(core, batch, r, body);
        if (body->is_keyless) {
            t->sticky_bytes += batch->size - before;
            t->sticky |= core->batcher.partitioner.forget;
        }
        if (is_watched) sl_batcher_close(core, batch);
        return true;
    }
}

/* ---- wire chunks ---- */

/* The partition that all records of the chunk were staged for, also when the topic has more by now, as
 * with the Java client: encoded anew, records that were put by turns into two chunks would come into a new
 * partition in another order. NULL: they were for none, or the topic has fewer. */
static struct sl_partition *place_of_chunk(const struct sl_batching *t,
                                           const struct sl_chunk *chunk) {
    if (chunk->partition < 0 || chunk->spread > t->topic->partition_count) return NULL;
    int32_t index = chunk->partition + (SL_PLANTED(12) ? 1 : 0);
    return t->topic->partitions[index % chunk->spread];
}

/* The whole chunk as one batch, which is complete then. False: out of memory, nothing happened. */
static bool adopt_chunk(struct sl_core *core, struct sl_batching *t, struct sl_chunk *chunk) {
    struct sl_partition *p;
    for (;;) {
        p = place_of_chunk(t, chunk);
        if (p == NULL) p = t->topic->partitions[choose_keyless(core, t)];
        if (p->produce.open == NULL) break;
        sl_batcher_close(core, p->produce.open); /* may turn the choice */
    }
    struct sl_batch *batch = sl_batch_adopt(core, p, chunk);
    if (batch == NULL) return false;
    sl_list_remove(&chunk->node);
    enter_open(core, batch, chunk);
    if (chunk->partition < 0) t->sticky_bytes += batch->size;
    sl_batcher_close(core, batch);
    return true;
}

/* False: out of memory; chunk->walked and done say how far it came. */
static bool encode_wire(struct sl_core *core, struct sl_batching *t, struct sl_chunk *chunk) {
    uint8_t *data = (uint8_t *)chunk->data;
    while (chunk->done < chunk->count) {
        struct sl_batch_walk walk = {.at = data + chunk->walked,
                                     .end = data + chunk->size,
                                     .next_delta = chunk->done,
                                     .left = (int32_t)(chunk->count - chunk->done),
                                     .last_delta = (int32_t)chunk->count - 1};
        struct sl_record_out out;
        int rv = sl_batch_read_next(&walk, &out);
        SL_ASSERT(rv == 1);
        uint32_t end = (uint32_t)(walk.at - data);
        struct sl_staged_record r = {
            .topic = chunk->topic,
            .partition = -1,
            .key_size = out.key_size > 0 ? (uint32_t)out.key_size : 0,
            .value_size = out.value_size > 0 ? (uint32_t)out.value_size : 0,
            .headers_size = out.headers_size,
            .header_count = (uint16_t)out.header_count,
            .flags = (uint16_t)((out.key_size < 0 ? SL_STAGED_KEY_NULL : 0) |
                                (out.value_size < 0 ? SL_STAGED_VALUE_NULL : 0)),
            .charge = sl_staging_wire_charge(core->settings, end - chunk->walked)};
        if (core->settings->reports != SL_REPORTS_NONE)
            r.tag = *sl_staging_wire_tag(chunk, SL_PLANTED(7) ? 0 : chunk->done);
        struct walk_body body = {.headers = out.headers,
                                 .key = out.key,
                                 .value = out.value,
                                 .is_keyless = chunk->partition < 0,
                                 .partition = place_of_chunk(t, chunk)};
        if (!body.is_keyless && body.partition == NULL) {
            struct sl_partition **place = place_of_record(core, t->topic, &r, out.key);
            if (place != NULL) body.partition = *place;
        }
        if (!encode_record(core, t, chunk, &r, &body)) return false;
        chunk->walked = end;
        chunk->charge -= r.charge;
        chunk->done++;
    }
    core->events.freed_bytes += chunk->charge;
    sl_list_remove(&chunk->node);
    sl_batcher_give_chunk(core, chunk);
    return true;
}

/* Takes the chunk. False: out of memory, it is still in the backlog. */
static bool walk_wire_chunk(struct sl_core *core, struct sl_chunk *chunk) {
    struct sl_batching *t = core->batcher.topics[chunk->topic];
    size_t size = chunk->size - sizeof(struct sl_segment);
    if (t->topic->partition_count == 0) {
        sl_waiting_put_chunk(core, t, chunk);
        return true;
    }
    bool is_placed = chunk->partition < 0 || place_of_chunk(t, chunk) != NULL;
    if (is_placed && chunk->done == 0 && chunk->size >= chunk->cap / 2 && size <= t->batch_limit)
        return adopt_chunk(core, t, chunk);
    return encode_wire(core, t, chunk);
}

/* ---- the walk over what was taken ---- */

/* Gives the topics that staging has interned since a place in `topics`. False: out of memory. */
static bool adopt_topics(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    while (!sl_list_is_empty(&b->new_topics)) {
        struct sl_staging_topic *name =
            SL_LIST_OF(b->new_topics.next, struct sl_staging_topic, node);
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
        t->batch_limit = (size_t)sl_staging_batch_limit(core->settings);
        if (topic->staged.next == NULL) sl_list_init(&topic->staged);
        topic->batching = t;
        b->topics[b->topic_count++] = t;
        sl_list_remove(&name->node);
    }
    return true;
}

/* A record that is looked at before its turn. */
struct walk_step {
    const struct sl_staged_record *record;
    struct sl_batching *t;
    struct walk_body body;
    struct sl_partition **place; /* where body.partition is to be found, or NULL */
    bool starts_run;
};

static void plan_step(const struct sl_core *core, struct walk_step *step) {
    const struct sl_staged_record *r = step->record;
    const struct sl_topic *topic = step->t->topic;
    struct walk_body *body = &step->body;
    body->large = sl_staging_value_chunk(r);
    body->headers = (const uint8_t *)(r + 1) + (body->large != NULL ? sizeof body->large : 0);
    body->key = body->headers + r->headers_size;
    body->value = body->key + r->key_size;
    body->is_keyless = sl_partitioner_is_keyless(&core->batcher.partitioner, r->flags, r->key_size);
    body->partition = NULL;
    step->place = NULL;
    if (!body->is_keyless && topic->partition_count > 0)
        step->place = place_of_record(core, topic, r, body->key);
}

/* Plans the record at that byte of the chunk, the one after a record of `topic`. */
static void plan_record(const struct sl_core *core, struct sl_chunk *chunk, uint32_t at,
                        uint32_t topic, struct walk_step *step) {
    const struct sl_staged_record *r = sl_staging_record(chunk, at);
    sl_ahead_read(r);
    step->record = r;
    step->starts_run = r->topic != topic;
    step->t = core->batcher.topics[r->topic];
    plan_step(core, step);
    if (step->place != NULL) sl_ahead_line(step->place);
}

static void ask_for_partition(struct walk_step *step) {
    if (step->place == NULL) return;
    step->body.partition = *step->place;
    sl_ahead_line(&step->body.partition->produce.open);
}

/* The open batch that the record goes to as things are; NULL: none, or nobody knows before its turn. */
static const struct sl_batch *planned_batch(const struct walk_step *step) {
    return step->body.partition != NULL ? step->body.partition->produce.open : NULL;
}

static void ask_for_batch(const struct walk_step *step) {
    const struct sl_batch *batch = planned_batch(step);
    if (batch != NULL)
        sl_ahead_line(&batch->at);
    else if (step->body.partition != NULL)
        sl_partition_ahead(step->body.partition); /* one will be opened */
}

static void ask_for_room(const struct walk_step *step) {
    const struct sl_batch *batch = planned_batch(step);
    if (batch == NULL) return;
    uint32_t bytes = step->record->size < WALK_ROOM ? step->record->size : WALK_ROOM;
    sl_ahead_all(batch->at, bytes);
    if (batch->tags != NULL) sl_ahead_line(&batch->tags[batch->count]);
}

/* False: out of memory, nothing happened. */
static bool take_step(struct sl_core *core, struct sl_chunk *chunk, const struct walk_step *step) {
    if (step->starts_run) chunk->run_at = chunk->walked;
    bool is_done = step->t->topic->partition_count > 0
                       ? encode_record(core, step->t, chunk, step->record, &step->body)
                       : sl_waiting_put(core, step->t, chunk, step->record);
    if (is_done) chunk->walked += step->record->size;
    return is_done;
}

/* Takes the chunk. False: out of memory, it is still in the backlog; chunk->walked says how far it
 * came.
 *
 * With many partitions what a record needs is in no cache: the topic's table leads to the partition,
 * that to the batch, and that to the room that is written to. So each of these is asked for some
 * records before it is looked at (10,000 partitions: a third of the CPU). */
SL_HOT static bool walk_chunk(struct sl_core *core, struct sl_chunk *chunk) {
    struct walk_step steps[WALK_STEPS];
    uint32_t at = chunk->walked;
    uint32_t topic =
        at > chunk->run_at ? sl_staging_record(chunk, chunk->run_at)->topic : UINT32_MAX;
    uint32_t planned = 0;
    for (uint32_t i = 0; chunk->walked < chunk->size; i++) {
        if (at < chunk->size) {
            struct walk_step *step = &steps[planned++ % WALK_STEPS];
            plan_record(core, chunk, at, topic, step);
            topic = step->record->topic;
            at += step->record->size;
        }
        if (i >= WALK_AHEAD && i - WALK_AHEAD < planned)
            ask_for_partition(&steps[(i - WALK_AHEAD) % WALK_STEPS]);
        if (i >= 2 * WALK_AHEAD && i - 2 * WALK_AHEAD < planned)
            ask_for_batch(&steps[(i - 2 * WALK_AHEAD) % WALK_STEPS]);
        if (i >= 3 * WALK_AHEAD && i - 3 * WALK_AHEAD < planned)
            ask_for_room(&steps[(i - 3 * WALK_AHEAD) % WALK_STEPS]);
        if (i >= 4 * WALK_AHEAD &&
            !take_step(core, chunk, &steps[(i - 4 * WALK_AHEAD) % WALK_STEPS]))
            return false;
    }
    chunk->topic = topic;
    sl_list_remove(&chunk->node);
    sl_batcher_give_chunk(core, chunk);
    return true;
}

void sl_batcher_walk(struct sl_core *core) {
    struct sl_batcher *b = &core->batcher;
    b->retry_at = 0;
    if (sl_list_is_empty(&b->backlog) && sl_list_is_empty(&b->new_topics)) return;
    bool is_done = adopt_topics(core);
    while (is_done && !sl_list_is_empty(&b->backlog)) {
        struct sl_chunk *chunk = SL_LIST_OF(b->backlog.next, struct sl_chunk, node);
        is_done = chunk->is_wire ? walk_wire_chunk(core, chunk) : walk_chunk(core, chunk);
    }
    if (is_done) return;
    b->retry_at = core->now + BATCHER_RETRY_MS * SL_MS;
    b->hurry = true;
}
