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
 * Wire chunks. The library chooses the partition of a record without key, and may choose the same
 * one for a whole batch. So once SL_STAGING_CHUNK bytes of such records of one topic have come in a
 * row (`streak`) from one thread, the next ones are encoded right here, into a chunk as large as a batch may be,
 * with offset deltas from 0 on and the timestamp delta 0: core fills in the header and sends it.
 * Their bytes are summed for the CRC here as well: they are in this processor's cache, and not in
 * that of the I/O thread (values of 1,000 bytes: a quarter of the CPU).
 * A chunk that is not half full costs core an encoding of each record after all, so the I/O thread
 * leaves it open until it is full or has lingered, and is woken for two full ones at a time.
 *
 * Two bounds make put say FULL: the budget (used), and the bytes that lie here untaken (staged).
 * `refused` is the most that a refused record needed; room is announced when that much is free.
 * A refusal for want of budget asks core once to end linger (hurry); `told` keeps later refusals
 * quiet until another record was accepted, since only that could linger again.
 *
 * Not here: the lock and waiting (driver/inbox.c), the tags of reports (they are charged by their
 * owner through sl_staging_charge_unread). */
#include "core/staging.h"

#include <string.h>

#include "base/ahead.h"
#include "core/delivery.h"
#include "core/partitioner.h"
#include "record/batch_write.h"
#include "record/crc32c.h"
#include "record/record.h"
#include "sluice/error.h"

enum {
    STAGING_KEPT_CHUNKS = 4,    /* more than can be staged */
    STAGING_STRETCH = 2 * 1024, /* staged for each partition; more changes little */
    STAGING_STRETCH_SHARE = 8,  /* but no more than 1/8 of the budget; arbitrary */
    STAGING_SHRINK = 8,         /* it falls by 1/8 with each take; arbitrary */
    STAGING_ALIGN = 8,
    STAGING_TOPIC_MAX = 249,  /* Kafka's own limit of topic names */
    STAGING_KEPT_SHARE = 8,   /* up to 1/8 of the budget stays as free wire chunks: else they would
                              * come and go with page faults */
    STAGING_SPENT_SHARE = 64, /* up to 1/64 of the budget lies here as reports that were read;
                               * arbitrary: those of a turn */
    STAGING_WIRE_SHARE = 32,  /* a wire chunk takes 1/32 of the budget at most; arbitrary */
    STAGING_WIRE_SUM = 8 * 1024, /* bytes summed at a time: they are in the first cache */
    STAGING_WIRE_WAKE = 2,       /* full wire chunks that the I/O thread is woken for */
    STAGING_REPORT_BYTES = (int)(sizeof(struct sl_delivery) + sizeof(uint64_t))
};

struct sl_staging {
    const struct sl_settings *settings; /* borrowed */
    const struct sl_alloc *alloc;       /* borrowed */
    struct sl_chunk *open;              /* the last of staged, or NULL: what records are added to */
    uint32_t open_topic;                /* of the last record in open */
    uint32_t run_min;                   /* least size of the first record of a run */
    struct sl_partitioner partitioner;  /* which records have no key */
    uint32_t wire_cap;   /* bytes at data of wire chunks; 0: there are none with these settings */
    uint32_t streak;     /* bytes of records in a row that could have been staged in wire form */
    uint32_t wire_after; /* from so many on they are */
    uintptr_t thread;    /* that put last */
    int64_t left_since;  /* `open`, a wire chunk, was left in a take then; 0: it was not yet */
    const struct sl_staging_topic *last; /* of the record before, or NULL */
    size_t staged;                       /* bytes in the chunks below … */
    size_t bound;                        /* … and how many there may be */
    uint32_t records;                    /* and records */
    uint32_t wake_at;                    /* SL_STAGING_AWAKE: the I/O thread is awake */
    bool hurry;                          /* for the next take */
    bool told;             /* core was asked to hurry since the last accepted record */
    bool staging_full;     /* someone was refused for want of staging room */
    struct sl_list chunks; /* staged, in order */
    struct sl_list free;   /* empty ones of ordinary size, last in first out */
    uint32_t free_count;
    struct sl_list free_wire; /* the same of wire chunks */
    uint32_t free_wire_count;
    int64_t used;        /* bytes charged, reports included */
    int64_t unread;      /* part of used: reports nobody has read */
    int64_t refused;     /* the most that a record refused for want of budget needed; 0: none was */
    struct sl_map names; /* name → struct sl_staging_topic, owned */
    struct sl_list new_topics; /* not yet told to core */
    struct sl_list spent;      /* struct sl_delivery on their way back to core */
    size_t spent_bytes;
};

static size_t align_record(size_t size) {
    return (size + STAGING_ALIGN - 1) & ~(size_t)(STAGING_ALIGN - 1);
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

/* As large as a batch may get; 0: no record could do without a copy, or it would not pay. */
static uint32_t choose_wire_cap(const struct sl_settings *settings,
                                const struct sl_partitioner *partitioner) {
    int64_t most = sl_staging_batch_limit(settings);
    int64_t share = settings->buffer_memory / STAGING_WIRE_SHARE;
    if (most > share) most = share;
    if (most < SL_STAGING_WIRE_MIN || partitioner->forget != 0) return 0;
    return (uint32_t)(sizeof(struct sl_segment) + (size_t)most) & ~(uint32_t)(STAGING_ALIGN - 1);
}

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
    sl_list_init(&s->free_wire);
    sl_list_init(&s->new_topics);
    sl_list_init(&s->spent);
    sl_partitioner_init(&s->partitioner, settings);
    s->wire_cap = choose_wire_cap(settings, &s->partitioner);
    s->bound = SL_STAGING_BOUND;
    s->wire_after = s->wire_cap < SL_STAGING_CHUNK ? s->wire_cap : SL_STAGING_CHUNK;
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
    free_chunks(s->alloc, &s->free_wire);
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

int sl_staging_prepare(const struct sl_staging *s, struct sl_staging_input *in) {
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

void sl_staging_unprepare(const struct sl_staging *s, struct sl_staging_input *in) {
    if (in->large != NULL) sl_staging_chunk_destroy(s->alloc, in->large);
    in->large = NULL;
}

/* The topic of that name. 0, NOMEM, or USAGE: no topic can have the name. */
static int intern_staged_topic(struct sl_staging *s, const char *name,
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
static int open_chunk(struct sl_staging *s, uint32_t size, bool is_alone) {
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

static int refuse_for_budget(struct sl_staging *s, int64_t charge, bool *wake) {
    if (s->unread + charge > s->settings->buffer_memory) return SLUICE_ERR_UNREAD;
    if (charge > s->refused) s->refused = charge;
    if (!s->told) {
        s->told = true;
        s->hurry = true;
        *wake = rouse(s);
    }
    return SLUICE_ERR_FULL;
}

/* 0, or FULL or UNREAD: there is no room for a charge. */
static int check_staging_room(struct sl_staging *s, int64_t charge, bool *wake) {
    if (s->used + charge > s->settings->buffer_memory) return refuse_for_budget(s, charge, wake);
    if (s->staged == 0 || s->staged + (size_t)charge <= s->bound) return 0;
    s->staging_full = true;
    *wake = rouse(s);
    return SLUICE_ERR_FULL;
}

static void account_staged(struct sl_staging *s, uint32_t charge, bool *wake) {
    s->used += charge;
    s->staged += charge;
    s->records++;
    s->told = false;
    if (s->staged >= s->wake_at) *wake = rouse(s);
}

/* ---- wire chunks ---- */

/* The most that a record takes of a wire chunk, its tag included. */
static size_t measure_wire(const struct sl_staging *s, const struct sl_staging_input *in) {
    return sl_staging_wire_charge(s->settings, (size_t)SL_RECORD_OVERHEAD_MAX + in->key_size +
                                                   in->value_size + in->headers_size);
}

/* Whether the record could go into a wire chunk of its topic. */
static bool is_wire_input(const struct sl_staging *s, const struct sl_staging_input *in) {
    const uint16_t others = SL_STAGED_TIMESTAMP | SL_STAGED_PARTITION | SL_STAGED_WATCHED;
    return s->wire_cap != 0 && (in->flags & others) == 0 && in->value_size < SL_STAGING_LARGE &&
           sl_partitioner_is_keyless(&s->partitioner, in->flags, in->key_size) &&
           measure_wire(s, in) <= s->wire_cap - SL_STAGING_WIRE_FRONT;
}

/* Makes the last chunk a wire chunk of the topic. 0 or NOMEM. */
static int open_wire_chunk(struct sl_staging *s, uint32_t topic) {
    struct sl_chunk *chunk;
    if (s->free_wire_count > 0) {
        chunk = SL_LIST_OF(sl_list_pop_front(&s->free_wire), struct sl_chunk, node);
        s->free_wire_count--;
    } else {
        chunk = sl_staging_chunk_create(s->alloc, s->wire_cap);
    }
    if (chunk == NULL) return SLUICE_ERR_NOMEM;
    chunk->is_wire = true;
    chunk->topic = topic;
    chunk->size = chunk->walked = SL_STAGING_WIRE_FRONT;
    chunk->charge = chunk->done = chunk->crc = 0;
    chunk->summed = chunk->size;
    sl_list_push_back(&s->chunks, &chunk->node);
    s->open = chunk;
    s->open_topic = topic;
    s->left_since = 0;
    return 0;
}

static uint32_t write_wire(struct sl_staging *s, const struct sl_staging_input *in) {
    struct sl_chunk *chunk = s->open;
    struct sl_record_in record = {
        .key = in->key,
        .value = in->value,
        .headers = in->headers,
        .key_size = (in->flags & SL_STAGED_KEY_NULL) != 0 ? -1 : (int32_t)in->key_size,
        .value_size = (in->flags & SL_STAGED_VALUE_NULL) != 0 ? -1 : (int32_t)in->value_size,
        .headers_size = in->headers_size,
        .header_count = in->header_count,
    };
    uint8_t *at = (uint8_t *)chunk->data + chunk->size;
    size_t bytes = sl_batch_write_record(at, &record, 0, (int32_t)chunk->count);
    uint32_t charge = sl_staging_wire_charge(s->settings, bytes);
    if (s->run_min > 0) *sl_staging_wire_tag(chunk, chunk->count) = in->tag;
    chunk->count++;
    chunk->size += (uint32_t)bytes;
    chunk->charge += charge;
    if (chunk->size - chunk->summed >= STAGING_WIRE_SUM && s->settings->codec == SL_CODEC_NONE) {
        const uint8_t *from = (const uint8_t *)chunk->data + chunk->summed;
        chunk->crc = sl_crc32c(chunk->crc, from, chunk->size - chunk->summed);
        chunk->summed = chunk->size;
    }
    sl_ahead_write(at); /* else the next lock waits for these stores */
    return charge;
}

/* As sl_staging_put, of a record that is_wire_input. */
static int put_wire(struct sl_staging *s, const struct sl_staging_input *in, uint32_t topic,
                    bool *wake) {
    size_t most = measure_wire(s, in);
    int rv = check_staging_room(s, (int64_t)most, wake);
    if (rv != 0) return rv;
    const struct sl_chunk *open = s->open;
    bool fits =
        open != NULL && open->is_wire && s->open_topic == topic &&
        open->size + most + (s->run_min > 0 ? open->count * sizeof(uint64_t) : 0) <= open->cap;
    if (!fits) rv = open_wire_chunk(s, topic);
    if (rv != 0) return rv;
    account_staged(s, write_wire(s, in), wake);
    return 0;
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
    sl_ahead_write(r); /* else the next lock waits for these stores */
}

void sl_staging_begin(struct sl_staging *s, uintptr_t thread) {
    if (thread == s->thread) return;
    s->thread = thread;
    s->streak = 0;
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
    bool is_wire = is_wire_input(s, in);
    if (!is_wire || s->open_topic != topic->index) s->streak = 0;
    if (is_wire && s->streak >= s->wire_after) return put_wire(s, in, topic->index, wake);
    bool is_alone = (in->flags & SL_STAGED_WATCHED) != 0;
    uint32_t run_min = is_alone ? STAGING_REPORT_BYTES : s->run_min;
    bool fits = !is_alone && s->open != NULL && !s->open->is_wire &&
                s->open->cap - s->open->size >= align_record(body);
    bool starts_run = !fits || s->open_topic != topic->index;
    if (starts_run && body < run_min) body = run_min;
    body = align_record(body);

    int64_t charge = (int64_t)(body + (is_large ? sizeof(struct sl_chunk) + in->value_size : 0) +
                               (s->run_min > 0 ? sizeof(uint64_t) : 0));
    if (charge > s->settings->buffer_memory) return SLUICE_ERR_TOO_BIG;
    int rv = check_staging_room(s, charge, wake);
    if (rv == 0 && (!fits || s->open->cap - s->open->size < body))
        rv = open_chunk(s, (uint32_t)body, is_alone);
    if (rv == 0 && is_large && in->large == NULL) rv = sl_staging_prepare(s, in);
    if (rv != 0) return rv;
    write_staged(s, in, topic, (uint32_t)body, (uint32_t)charge);
    in->large = NULL;
    if (is_wire) s->streak += (uint32_t)body;
    account_staged(s, (uint32_t)charge, wake);
    if (is_alone) {
        s->open = NULL;
        *wake |= rouse(s);
    }
    return 0;
}

bool sl_staging_wake(struct sl_staging *s) { return rouse(s); }

/* ---- I/O side ---- */

bool sl_staging_has_records(const struct sl_staging *s) { return s->records > 0; }

/* When the open wire chunk, left at left_since, has lingered. */
static int64_t end_of_linger(const struct sl_staging *s) {
    return s->left_since + (int64_t)s->settings->linger_ms * 1000000;
}

/* Whether the open wire chunk stays here for now. */
static bool leave_wire_chunk(struct sl_staging *s, int64_t now, bool all) {
    if (s->open == NULL || !s->open->is_wire || all || s->hurry) return false;
    if (s->left_since == 0) s->left_since = now;
    return now < end_of_linger(s);
}

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
    if (leave_wire_chunk(s, now, all)) {
        sl_list_remove(&s->open->node);
        sl_list_push_back(&s->chunks, &s->open->node);
        s->staged = s->open->charge;
        s->records = s->open->count;
        out->records -= s->open->count;
        out->left_until = end_of_linger(s);
    } else {
        bool is_wire = s->open != NULL && s->open->is_wire;
        out->hurry |= is_wire && !all;
        if (is_wire && s->open->size < s->open->cap / 2) s->streak = 0;
        s->open = NULL;
    }
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
    int64_t kept = (int64_t)s->free_wire_count * s->wire_cap;
    if (chunk->is_wire && kept < s->settings->buffer_memory / STAGING_KEPT_SHARE) {
        sl_list_push_front(&s->free_wire, &chunk->node);
        s->free_wire_count++;
    } else if (!chunk->is_wire && chunk->cap == SL_STAGING_CHUNK &&
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
    if (s->open != NULL && s->open->is_wire) {
        /* It came after the last take, which has to set a time for it. */
        if (s->left_since == 0) return false;
        wake_at_bytes = STAGING_WIRE_WAKE * s->wire_cap;
    }
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
