/* Staging: records from application threads to the I/O thread, and the sending account.
 *
 * Put is the hottest function of the library: one call a record, under the inbox latch. It copies
 * the record behind the last one in the open chunk and touches nothing else: no clock, no search
 * when the topic is that of the record before, no allocation as long as a chunk is free. Chunks
 * come back last in first out, so that the one filled next is still in a cache.
 *
 * Who sleeps and who is woken. `wake_at` is the number of staged bytes at which the I/O thread
 * wants to be woken; it is changed only under the same mutex as the staged bytes, so no wake-up
 * can get lost, and whoever asks for a wake sets it to AWAKE, so there is one wake a sleep. A
 * thread that is awake is never woken: it swaps again before it sleeps, and sl_staging_sleep
 * refuses when something arrived in between.
 *
 * Two bounds make put say FULL: the budget (used), and the bytes that lie here untaken (staged).
 * `refused` is the most that a refused record needed; room is announced when that much is free.
 * A refusal for want of budget asks core once to end linger (hurry); `told` keeps later refusals
 * quiet until another record was accepted, since only that could linger again.
 *
 * Not here: records staged in wire form (staging_wire.c), the lock and waiting (driver/inbox.c), the
 * tags of reports (they are charged by their owner through sl_staging_charge_unread). */
#include <string.h>

#include "base/ahead.h"
#include "base/hot.h"
#include "core/delivery.h"
#include "core/staging_inside.h"
#include "record/record.h"
#include "sluice/error.h"

enum {
    STAGING_LITTLE = 4 * 1024,  /* arbitrary */
    STAGING_KEPT_CHUNKS = 4,    /* more than can be staged */
    STAGING_STRETCH = 2 * 1024, /* staged for each partition; more changes little */
    STAGING_STRETCH_SHARE = 8,  /* but no more than 1/8 of the budget; arbitrary */
    STAGING_SHRINK = 8,         /* it falls by 1/8 with each take; arbitrary */
    STAGING_TOPIC_MAX = 249,    /* Kafka's own limit of topic names */
    STAGING_SPENT_SHARE = 64,   /* up to 1/64 of the budget lies here as reports that were read;
                               * arbitrary: those of a turn */
    STAGING_REPORT_BYTES = (int)(sizeof(struct sl_delivery) + sizeof(uint64_t))
};

static size_t align_record(size_t size) {
    return (size + SL_STAGING_ALIGN - 1) & ~(size_t)(SL_STAGING_ALIGN - 1);
}

/* ---- chunks ---- */

struct sl_chunk *sl_staging_chunk_create(const struct sl_alloc *alloc, uint32_t cap) {
    struct sl_chunk *chunk = sl_alloc_get(alloc, sizeof *chunk + cap);
    if (chunk == NULL) return NULL;
    memset(chunk, 0, sizeof *chunk);
    chunk->cap = cap;
    return chunk;
}

void sl_staging_chunk_destroy(const struct sl_alloc *alloc, struct sl_chunk *chunk) {
    sl_alloc_free(alloc, chunk, sizeof *chunk + chunk->cap);
}

size_t sl_staging_chunk_bytes(const struct sl_chunk *chunk) {
    return sizeof *chunk + (chunk->lent != NULL ? chunk->size : chunk->cap);
}

struct sl_chunk *sl_staging_value_chunk(const struct sl_staged_record *r) {
    struct sl_chunk *value = NULL;
    if ((r->flags & SL_STAGED_LARGE) != 0) memcpy(&value, r + 1, sizeof value);
    return value;
}

uint32_t sl_staging_run_min(const struct sl_settings *settings) {
    if (settings->reports == SL_REPORTS_NONE) return 0;
    return STAGING_REPORT_BYTES;
}

int32_t sl_staging_batch_limit(const struct sl_settings *settings) {
    if (settings->batch_size < settings->max_request_size) return settings->batch_size;
    return settings->max_request_size;
}

uint32_t sl_staging_wire_charge(const struct sl_settings *settings, size_t bytes) {
    return (uint32_t)(bytes + (settings->reports == SL_REPORTS_NONE ? 0 : sizeof(uint64_t)));
}

static void free_staged_records(const struct sl_alloc *alloc, struct sl_chunk *chunk) {
    if (chunk->is_wire) return;
    for (uint32_t at = 0; at < chunk->size;) {
        struct sl_staged_record *r = sl_staging_record(chunk, at);
        struct sl_chunk *value = sl_staging_value_chunk(r);
        if (value != NULL) sl_staging_chunk_destroy(alloc, value);
        at += r->size;
    }
}

static void free_chunks(const struct sl_alloc *alloc, struct sl_list *chunks) {
    for (struct sl_list *node; (node = sl_list_pop_front(chunks)) != NULL;)
        sl_staging_chunk_destroy(alloc, SL_LIST_OF(node, struct sl_chunk, node));
}

/* ---- life ---- */

int sl_staging_create(const struct sl_settings *settings, const struct sl_alloc *alloc,
                      struct sl_staging **out) {
    struct sl_staging *s = sl_alloc_zero(alloc, sizeof *s);
    if (s == NULL) return SLUICE_ERR_NOMEM;
    s->settings = settings;
    s->alloc = alloc;
    s->run_min = sl_staging_run_min(settings);
    s->wake_at = SL_STAGING_AWAKE;
    sl_list_init(&s->chunks);
    sl_list_init(&s->free);
    sl_list_init(&s->new_topics);
    sl_list_init(&s->spent);
    sl_partitioner_init(&s->partitioner, settings);
    s->bound = SL_STAGING_BOUND;
    sl_staging_wire_init(s);
    sl_map_init(&s->names, alloc);
    *out = s;
    return 0;
}

void sl_staging_destroy(struct sl_staging *s) {
    if (s == NULL) return;
    SL_LIST_EACH(it, tmp, &s->chunks) {
        free_staged_records(s->alloc, SL_LIST_OF(it, struct sl_chunk, node));
    }
    free_chunks(s->alloc, &s->chunks);
    free_chunks(s->alloc, &s->free);
    sl_staging_wire_deinit(s);
    sl_delivery_destroy_all(s->alloc, &s->spent);
    uint32_t at = 0;
    for (struct sl_staging_topic *t; (t = sl_map_next(&s->names, &at, NULL)) != NULL;)
        sl_alloc_free(s->alloc, t, sizeof *t + t->size + 1);
    sl_map_deinit(&s->names);
    sl_alloc_free(s->alloc, s, sizeof *s);
}

/* ---- application side ---- */

/* What the record takes on the wire at most, as max.request.size means it: uncompressed, with the
 * header of a batch that holds nothing else. */
static uint64_t request_bytes(const struct sl_staging_input *in) {
    return (uint64_t)SL_RECORD_HEADER_SIZE + SL_RECORD_OVERHEAD_MAX + in->key_size +
           in->value_size + in->headers_size;
}

static bool exceeds_limits(const struct sl_staging *s, const struct sl_staging_input *in) {
    return request_bytes(in) > (uint64_t)s->settings->max_request_size;
}

SL_APART int sl_staging_prepare(const struct sl_staging *s, struct sl_staging_input *in) {
    in->large = NULL;
    if (exceeds_limits(s, in)) return SLUICE_ERR_TOO_BIG;
    if (in->value_size < SL_STAGING_LARGE) return 0;
    /* What is compressed is copied all the same, here rather than on the I/O thread; and a job that
     * nobody waits for must not refer to it. */
    bool is_lent = (in->flags & SL_STAGED_BORROWED) != 0 && s->settings->codec == SL_CODEC_NONE;
    in->large = sl_staging_chunk_create(s->alloc, is_lent ? 0 : in->value_size);
    if (in->large == NULL) return SLUICE_ERR_NOMEM;
    if (is_lent)
        in->large->lent = in->value;
    else
        memcpy(in->large->data, in->value, in->value_size);
    in->large->size = in->value_size;
    return 0;
}

void sl_staging_tell_size(const struct sl_staging *s, const struct sl_staging_input *in,
                          struct sl_text *out) {
    if (exceeds_limits(s, in))
        sl_text_printf(out, "the record takes %llu bytes of a request; max.request.size is %ld",
                       (unsigned long long)request_bytes(in), (long)s->settings->max_request_size);
    else
        sl_text_printf(out, "the record takes more than all of buffer.memory, which is %lld",
                       (long long)s->settings->buffer_memory);
}

SL_APART void sl_staging_unprepare(const struct sl_staging *s, struct sl_staging_input *in) {
    if (in->large != NULL) sl_staging_chunk_destroy(s->alloc, in->large);
    in->large = NULL;
}

/* The topic of that name. 0, NOMEM, or USAGE: no topic can have the name. */
SL_APART static int intern_staged_topic(struct sl_staging *s, const char *name,
                                        const struct sl_staging_topic **out) {
    size_t size = strlen(name);
    if (size == 0 || size > STAGING_TOPIC_MAX) return SLUICE_ERR_USAGE;
    struct sl_staging_topic *t = sl_map_get(&s->names, name, size);
    *out = t;
    if (t != NULL) return 0;
    t = sl_alloc_zero(s->alloc, sizeof *t + size + 1);
    if (t == NULL) return SLUICE_ERR_NOMEM;
    t->index = s->names.count;
    t->size = (uint32_t)size;
    memcpy(t->name, name, size + 1);
    if (sl_map_put(&s->names, name, size, t) != 0) {
        sl_alloc_free(s->alloc, t, sizeof *t + size + 1);
        return SLUICE_ERR_NOMEM;
    }
    sl_list_push_back(&s->new_topics, &t->node);
    *out = t;
    return 0;
}

/* Makes the last chunk one with room for `size` bytes. 0 or NOMEM. */
SL_APART static int open_chunk(struct sl_staging *s, uint32_t size, bool is_alone) {
    struct sl_chunk *chunk;
    if (is_alone || size > SL_STAGING_CHUNK) {
        chunk = sl_staging_chunk_create(s->alloc, size);
    } else if (s->free_count > 0) {
        chunk = SL_LIST_OF(sl_list_pop_front(&s->free), struct sl_chunk, node);
        s->free_count--;
    } else {
        chunk = sl_staging_chunk_create(s->alloc, SL_STAGING_CHUNK);
    }
    if (chunk == NULL) return SLUICE_ERR_NOMEM;
    sl_list_push_back(&s->chunks, &chunk->node);
    s->open = chunk;
    s->open_topic = UINT32_MAX;
    return 0;
}

/* Whether the I/O thread must be woken; from now on it counts as awake. */
static bool rouse(struct sl_staging *s) {
    if (s->wake_at == SL_STAGING_AWAKE) return false;
    s->wake_at = SL_STAGING_AWAKE;
    return true;
}

SL_APART static int refuse_for_budget(struct sl_staging *s, int64_t charge, bool *wake) {
    if (s->unread + charge > s->settings->buffer_memory) return SLUICE_ERR_UNREAD;
    if (charge > s->refused) s->refused = charge;
    if (!s->told) {
        s->told = true;
        s->hurry = true;
        *wake = rouse(s);
    }
    return SLUICE_ERR_FULL;
}

int sl_staging_check_room(struct sl_staging *s, int64_t charge, bool *wake) {
    if (s->used + charge > s->settings->buffer_memory) return refuse_for_budget(s, charge, wake);
    if (s->staged == 0 || s->staged + (size_t)charge <= s->bound + sl_staging_wire_extra(s))
        return 0;
    s->staging_full = true;
    *wake = rouse(s);
    return SLUICE_ERR_FULL;
}

void sl_staging_account(struct sl_staging *s, uint32_t charge, bool *wake) {
    s->used += charge;
    s->staged += charge;
    s->records++;
    s->told = false;
    if (s->staged >= s->wake_at) *wake = rouse(s);
}

/* ---- records ---- */

/* The copy itself: everything is known to fit. */
static void write_staged(struct sl_staging *s, const struct sl_staging_input *in,
                         const struct sl_staging_topic *topic, uint32_t size, uint32_t charge) {
    struct sl_chunk *chunk = s->open;
    struct sl_staged_record *r = sl_staging_record(chunk, chunk->size);
    r->size = size;
    r->topic = topic->index;
    r->timestamp_ms = in->timestamp_ms;
    r->tag = in->tag;
    r->partition = in->partition;
    r->key_size = in->key_size;
    r->value_size = in->value_size;
    r->headers_size = in->headers_size;
    r->header_count = in->header_count;
    r->flags = in->flags;
    r->charge = charge;
    uint8_t *at = (uint8_t *)(r + 1);
    if (in->large != NULL) {
        r->flags |= SL_STAGED_LARGE;
        memcpy(at, &in->large, sizeof in->large);
        at += sizeof in->large;
    }
    if (in->headers_size > 0) {
        memcpy(at, in->headers, in->headers_size);
        at += in->headers_size;
    }
    if (in->key_size > 0) {
        memcpy(at, in->key, in->key_size);
        at += in->key_size;
    }
    if (in->large == NULL && in->value_size > 0) memcpy(at, in->value, in->value_size);
    chunk->size += size;
    chunk->count++;
    s->open_topic = topic->index;
    sl_ahead_write(r, size); /* else the next lock waits for these stores */
}

void sl_staging_begin(struct sl_staging *s, uintptr_t thread) {
    if (thread == s->thread) return;
    s->thread = thread;
    s->wire.streak = 0;
}

int sl_staging_put(struct sl_staging *s, struct sl_staging_input *in, bool *wake) {
    *wake = false;
    if (exceeds_limits(s, in)) return SLUICE_ERR_TOO_BIG;
    bool is_large = in->value_size >= SL_STAGING_LARGE;
    size_t body = sizeof(struct sl_staged_record) + in->headers_size + in->key_size +
                  (is_large ? sizeof(struct sl_chunk *) : in->value_size);
    const struct sl_staging_topic *topic = s->last;
    if (topic == NULL || strcmp(topic->name, in->topic) != 0) {
        int rv = intern_staged_topic(s, in->topic, &topic);
        if (rv != 0) return rv;
        s->last = topic;
    }
    int32_t partition;
    if (sl_staging_wire_takes(s, in, topic->index, &partition))
        return sl_staging_wire_put(s, in, topic->index, partition, wake);
    bool is_alone = (in->flags & SL_STAGED_WATCHED) != 0;
    uint32_t run_min = is_alone ? STAGING_REPORT_BYTES : s->run_min;
    bool fits = !is_alone && s->open != NULL && s->open->cap - s->open->size >= align_record(body);
    bool starts_run = !fits || s->open_topic != topic->index;
    if (starts_run && body < run_min) body = run_min;
    body = align_record(body);

    int64_t charge = (int64_t)(body + (is_large ? sizeof(struct sl_chunk) + in->value_size : 0) +
                               (s->run_min > 0 ? sizeof(uint64_t) : 0));
    if (charge > s->settings->buffer_memory) return SLUICE_ERR_TOO_BIG;
    int rv = sl_staging_check_room(s, charge, wake);
    if (rv == 0 && (!fits || s->open->cap - s->open->size < body))
        rv = open_chunk(s, (uint32_t)body, is_alone);
    if (rv == 0 && is_large && in->large == NULL) rv = sl_staging_prepare(s, in);
    if (rv != 0) return rv;
    write_staged(s, in, topic, (uint32_t)body, (uint32_t)charge);
    in->large = NULL;
    sl_staging_wire_on_plain(s, (uint32_t)body);
    sl_staging_account(s, (uint32_t)charge, wake);
    if (is_alone) {
        s->open = NULL;
        *wake |= rouse(s);
    }
    return 0;
}

bool sl_staging_wake(struct sl_staging *s) { return rouse(s); }

/* ---- I/O side ---- */

bool sl_staging_is_little(const struct sl_staging *s) { return s->staged <= STAGING_LITTLE; }
bool sl_staging_has_records(const struct sl_staging *s) { return s->records > 0; }

void sl_staging_take(struct sl_staging *s, int64_t now, bool all, struct sl_staged *out) {
    sl_list_init(&out->chunks);
    sl_list_init(&out->topics);
    sl_list_splice_back(&out->chunks, &s->chunks);
    sl_list_splice_back(&out->topics, &s->new_topics);
    sl_list_init(&out->spent);
    sl_list_splice_back(&out->spent, &s->spent);
    out->spent_bytes = s->spent_bytes;
    s->spent_bytes = 0;
    out->records = s->records;
    out->hurry = s->hurry;
    out->room = s->staging_full;
    out->left_until = INT64_MAX;
    s->staged = 0;
    s->records = 0;
    s->open = NULL;
    sl_staging_wire_leave(s, now, all, out);
    s->hurry = false;
    s->staging_full = false;
    s->wake_at = SL_STAGING_AWAKE;
}

void sl_staging_stretch(struct sl_staging *s, uint32_t partitions) {
    size_t bound = (size_t)partitions * STAGING_STRETCH;
    size_t share = (size_t)s->settings->buffer_memory / STAGING_STRETCH_SHARE;
    if (bound > share) bound = share;
    if (bound > SL_STAGING_BOUND_MOST) bound = SL_STAGING_BOUND_MOST;
    /* Batches are closed in crowds: what was needed a moment ago will be needed again. */
    size_t before = s->bound - s->bound / STAGING_SHRINK;
    if (bound < before) bound = before;
    s->bound = bound > SL_STAGING_BOUND ? bound : SL_STAGING_BOUND;
}

/* A refused record would fit now. */
static bool announce_room(struct sl_staging *s) {
    if (s->refused == 0 || s->used + s->refused > s->settings->buffer_memory) return false;
    s->refused = 0;
    return true;
}

/* An empty chunk comes back. */
static void keep_chunk(struct sl_staging *s, struct sl_chunk *chunk) {
    chunk->size = chunk->count = chunk->walked = chunk->run_at = 0;
    s->wire.spread_topic = chunk->topic;
    s->wire.spread = chunk->spread;
    if (chunk->is_wire) {
        sl_staging_wire_keep(s, chunk);
    } else if (chunk->cap == SL_STAGING_CHUNK &&
               s->free_count < s->bound / SL_STAGING_CHUNK + STAGING_KEPT_CHUNKS) {
        sl_list_push_front(&s->free, &chunk->node);
        s->free_count++;
    } else {
        sl_staging_chunk_destroy(s->alloc, chunk);
    }
}

bool sl_staging_give(struct sl_staging *s, struct sl_list *chunks, int64_t freed_bytes) {
    for (struct sl_list *node; (node = sl_list_pop_front(chunks)) != NULL;) {
        struct sl_chunk *chunk = SL_LIST_OF(node, struct sl_chunk, node);
        keep_chunk(s, chunk);
    }
    s->used -= freed_bytes;
    return announce_room(s);
}

bool sl_staging_sleep(struct sl_staging *s, uint32_t wake_at_bytes) {
    if (wake_at_bytes == SL_STAGING_AWAKE) return true;
    if (!sl_staging_wire_sleep(s, &wake_at_bytes)) return false;
    if (s->hurry || s->staging_full || s->staged >= wake_at_bytes) return false;
    s->wake_at = wake_at_bytes;
    return true;
}

bool sl_staging_spend(struct sl_staging *s, struct sl_list *deliveries, size_t bytes) {
    size_t most = (size_t)s->settings->buffer_memory / STAGING_SPENT_SHARE;
    if (s->spent_bytes + bytes > most) return false;
    s->spent_bytes += bytes;
    sl_list_splice_back(&s->spent, deliveries);
    return true;
}

bool sl_staging_charge_unread(struct sl_staging *s, int64_t bytes) {
    s->used += bytes;
    s->unread += bytes;
    return bytes < 0 && announce_room(s);
}

int64_t sl_staging_used(const struct sl_staging *s) { return s->used; }
