/* Records staged as they go over the wire.
 *
 * A record of a steady stream is encoded right where the application put it, into a chunk as large as a
 * batch may be, with offset deltas from 0 on and the timestamp delta 0: core fills in the header and
 * sends it. Its bytes are summed for the CRC here as well: they are in this processor's cache, and not in
 * that of the I/O thread (values of 1,000 bytes: a quarter of the CPU).
 *
 *   chosen   the library chooses the partition of a record without key, and may choose the same one for
 *            a whole batch: one chunk is being filled
 *   placed   a record with key has its partition: a chunk for each is being filled. How many the topic
 *            has core says with each chunk that it gives back; one that was filled when there were more is
 *            encoded anew. Not with a codec, which wants larger batches than these.
 *
 * A stream is what has brought `after` bytes in a row (`streak`) of one form, topic and thread; any other
 * record ends it, and closes what is being filled: so chunks lie in the order of their records as far
 * as any two of them have a partition in common.
 *
 * A chunk that is not half full costs core an encoding of each record after all. So takes leave chunks
 * where they are until they are full or have lingered, and the I/O thread is woken for at least one full
 * one. When chunks linger, less than half of what could have been filled shows that the stream
 * is too slow.
 *
 * Not here: accepting, counting and waking (staging.c). */
#include <string.h>

#include "base/ahead.h"
#include "base/hot.h"
#include "core/staging_inside.h"
#include "record/batch_write.h"
#include "record/crc32c.h"
#include "sluice/error.h"

enum {
    WIRE_KEPT_SHARE = 8,   /* up to 1/8 of the budget stays as free chunks: else they would come and
                               * go with page faults */
    WIRE_SHARE = 32,       /* a chunk takes 1/32 of the budget at most; arbitrary */
    WIRE_SPREAD_SHARE = 8, /* and all that are being filled 1/8; arbitrary */
    WIRE_PLACED =
        128 * 1024,     /* for a partition; measured: 32 KiB cost a fifth more, 256 KiB no less */
    WIRE_SUM = 8 * 1024 /* bytes summed at a time: they are in the first cache */
};

/* ---- chunks ---- */

/* Room for batches of so many bytes; 0: it would not pay. */
static uint32_t choose_cap(const struct sl_settings *settings, int64_t most) {
    int64_t limit = sl_staging_batch_limit(settings);
    int64_t share = settings->buffer_memory / WIRE_SHARE;
    if (most > limit) most = limit;
    if (most > share) most = share;
    if (most < SL_STAGING_WIRE_MIN) return 0;
    return (uint32_t)(sizeof(struct sl_segment) + (size_t)most) & ~(uint32_t)(SL_STAGING_ALIGN - 1);
}

void sl_staging_wire_init(struct sl_staging *s) {
    struct sl_staging_wire *w = &s->wire;
    sl_list_init(&w->chosen.list);
    sl_list_init(&w->placed.list);
    if (s->partitioner.forget == 0) w->chosen.cap = choose_cap(s->settings, INT32_MAX);
    if (s->settings->codec == SL_CODEC_NONE) w->placed.cap = choose_cap(s->settings, WIRE_PLACED);
    w->after = w->chosen.cap < SL_STAGING_CHUNK ? w->chosen.cap : SL_STAGING_CHUNK;
}

static void empty_pool(const struct sl_alloc *alloc, struct sl_staging_pool *pool) {
    for (struct sl_list *node; (node = sl_list_pop_front(&pool->list)) != NULL;)
        sl_staging_chunk_destroy(alloc, SL_LIST_OF(node, struct sl_chunk, node));
}

void sl_staging_wire_deinit(struct sl_staging *s) {
    empty_pool(s->alloc, &s->wire.chosen);
    empty_pool(s->alloc, &s->wire.placed);
}

/* Where empty chunks of that size are. */
static struct sl_staging_pool *pool_of(struct sl_staging_wire *w, uint32_t cap) {
    return cap == w->chosen.cap ? &w->chosen : &w->placed;
}

void sl_staging_wire_keep(struct sl_staging *s, struct sl_chunk *chunk) {
    struct sl_staging_wire *w = &s->wire;
    struct sl_staging_pool *pool = pool_of(w, chunk->cap);
    int64_t kept =
        (int64_t)w->chosen.count * w->chosen.cap + (int64_t)w->placed.count * w->placed.cap;
    if (kept >= s->settings->buffer_memory / WIRE_KEPT_SHARE) {
        sl_staging_chunk_destroy(s->alloc, chunk);
        return;
    }
    sl_list_push_front(&pool->list, &chunk->node);
    pool->count++;
}

/* A new last chunk. NULL: out of memory. */
SL_APART static struct sl_chunk *add_chunk(struct sl_staging *s, uint32_t cap, uint32_t topic,
                                           int32_t partition) {
    struct sl_staging_pool *pool = pool_of(&s->wire, cap);
    struct sl_chunk *chunk;
    if (pool->count > 0) {
        chunk = SL_LIST_OF(sl_list_pop_front(&pool->list), struct sl_chunk, node);
        pool->count--;
    } else {
        chunk = sl_staging_chunk_create(s->alloc, cap);
    }
    if (chunk == NULL) return NULL;
    chunk->is_wire = true;
    chunk->topic = topic;
    chunk->partition = partition;
    chunk->spread = s->wire.spread;
    chunk->size = chunk->walked = SL_STAGING_WIRE_FRONT;
    chunk->charge = chunk->done = chunk->crc = 0;
    chunk->summed = chunk->size;
    sl_list_push_back(&s->chunks, &chunk->node);
    return chunk;
}

/* ---- which records ---- */

/* The most that a record takes of a chunk, its tag included. */
static size_t measure_wire(const struct sl_staging *s, const struct sl_staging_input *in) {
    return sl_staging_wire_charge(s->settings, (size_t)SL_RECORD_OVERHEAD_MAX + in->key_size +
                                                   in->value_size + in->headers_size);
}

static bool fits_into(const struct sl_staging *s, const struct sl_staging_input *in, uint32_t cap) {
    return cap != 0 && measure_wire(s, in) <= cap - SL_STAGING_WIRE_FRONT;
}

/* How the record could be staged, by itself. */
static enum sl_staging_form choose_form(const struct sl_staging *s,
                                        const struct sl_staging_input *in) {
    const struct sl_staging_wire *w = &s->wire;
    if ((in->flags & (SL_STAGED_TIMESTAMP | SL_STAGED_PARTITION | SL_STAGED_WATCHED)) != 0 ||
        in->value_size >= SL_STAGING_LARGE)
        return SL_STAGING_PLAIN;
    if (sl_partitioner_is_keyless(&s->partitioner, in->flags, in->key_size))
        return fits_into(s, in, w->chosen.cap) ? SL_STAGING_CHOSEN : SL_STAGING_PLAIN;
    return fits_into(s, in, w->placed.cap) ? SL_STAGING_PLACED : SL_STAGING_PLAIN;
}

/* Whether a topic of so many partitions may have a chunk for each. */
static bool may_spread(const struct sl_staging *s, int32_t partitions) {
    return partitions > 0 && partitions <= SL_STAGING_SPREAD_MAX &&
           (int64_t)partitions * s->wire.placed.cap <=
               s->settings->buffer_memory / WIRE_SPREAD_SHARE;
}

bool sl_staging_wire_takes(struct sl_staging *s, const struct sl_staging_input *in, uint32_t topic,
                           int32_t *partition) {
    struct sl_staging_wire *w = &s->wire;
    enum sl_staging_form form = choose_form(s, in);
    if (form != w->form || s->open_topic != topic) w->streak = 0;
    w->form = form;
    if (form == SL_STAGING_PLAIN || w->streak < w->after) return false;
    *partition = -1;
    if (form == SL_STAGING_CHOSEN) return true;
    if (w->spread_topic != topic || !may_spread(s, w->spread)) return false;
    *partition = sl_partitioner_of_key(s->partitioner.hash, in->key, in->key_size, w->spread);
    return true;
}

/* ---- putting ---- */

/* Nothing more goes into what is being filled. What a take has left has lingered in part: were it to linger
 * anew in core, it would for twice as long. */
SL_APART static void close_filling(struct sl_staging_wire *w) {
    for (int32_t i = 0; i < w->filling_count; i++)
        w->cut_short |= w->filling[i].chunk != NULL && w->filling[i].left_since != 0;
    memset(w->filling, 0, (size_t)w->filling_count * sizeof w->filling[0]);
    w->filling_count = 0;
}

void sl_staging_wire_on_plain(struct sl_staging *s, uint32_t bytes) {
    struct sl_staging_wire *w = &s->wire;
    if (w->filling_count > 0) close_filling(w);
    if (w->form != SL_STAGING_PLAIN && w->streak < w->after) w->streak += bytes;
}

/* Takes what was written since the last time into the chunk's sum. */
SL_APART static void sum_wire(struct sl_chunk *chunk) {
    const uint8_t *from = (const uint8_t *)chunk->data + chunk->summed;
    chunk->crc = sl_crc32c(chunk->crc, from, chunk->size - chunk->summed);
    chunk->summed = chunk->size;
}

static uint32_t write_wire(struct sl_staging *s, struct sl_chunk *chunk,
                           const struct sl_staging_input *in) {
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
    if (chunk->size - chunk->summed >= WIRE_SUM && s->settings->codec == SL_CODEC_NONE)
        sum_wire(chunk);
    sl_ahead_write(at, bytes); /* else the next lock waits for these stores */
    return charge;
}

static bool has_wire_room(const struct sl_staging *s, const struct sl_chunk *chunk, size_t most) {
    size_t tags = s->run_min > 0 ? chunk->count * sizeof(uint64_t) : 0;
    return chunk->size + most + tags <= chunk->cap;
}

int sl_staging_wire_put(struct sl_staging *s, const struct sl_staging_input *in, uint32_t topic,
                        int32_t partition, bool *wake) {
    struct sl_staging_wire *w = &s->wire;
    size_t most = measure_wire(s, in);
    int rv = sl_staging_check_room(s, (int64_t)most, wake);
    if (rv != 0) return rv;
    int32_t count = partition < 0 ? 1 : w->spread;
    if (w->filling_count != count) {
        close_filling(w);
        w->filling_count = count;
        w->filling_cap = partition < 0 ? w->chosen.cap : w->placed.cap;
        w->written = w->judged_at = 0;
        s->open = NULL;
    }
    struct sl_staging_filling *filling = &w->filling[partition < 0 ? 0 : partition];
    if (filling->chunk == NULL || !has_wire_room(s, filling->chunk, most)) {
        filling->chunk = add_chunk(s, w->filling_cap, topic, partition);
        filling->left_since = 0;
    }
    if (filling->chunk == NULL) return SLUICE_ERR_NOMEM;
    uint32_t charge = write_wire(s, filling->chunk, in);
    w->written += charge;
    sl_staging_account(s, charge, wake);
    return 0;
}

/* ---- the I/O side ---- */

/* What could be filled was not half filled: the stream is too slow. */
static void judge(struct sl_staging_wire *w, int64_t written) {
    if (written < (int64_t)w->filling_count * w->filling_cap / 2) w->streak = 0;
}

/* All that is being filled goes. */
static void take_filling(struct sl_staging *s) {
    struct sl_staging_wire *w = &s->wire;
    int64_t written = 0;
    for (int32_t i = 0; i < w->filling_count; i++)
        if (w->filling[i].chunk != NULL) written += w->filling[i].chunk->size;
    judge(w, written);
    close_filling(w);
}

void sl_staging_wire_leave(struct sl_staging *s, int64_t now, bool all, struct sl_staged *out) {
    struct sl_staging_wire *w = &s->wire;
    int64_t linger = (int64_t)s->settings->linger_ms * 1000000;
    bool has_lingered = false;
    if (all || s->hurry) take_filling(s);
    out->hurry |= w->cut_short;
    w->cut_short = false;
    for (int32_t i = 0; i < w->filling_count; i++) {
        struct sl_staging_filling *filling = &w->filling[i];
        struct sl_chunk *chunk = filling->chunk;
        if (chunk == NULL) continue;
        if (filling->left_since == 0) filling->left_since = now;
        int64_t until = filling->left_since + linger;
        if (now >= until) {
            has_lingered = true;
            filling->chunk = NULL;
            continue;
        }
        sl_list_remove(&chunk->node);
        sl_list_push_back(&s->chunks, &chunk->node);
        s->staged += chunk->charge;
        s->records += chunk->count;
        out->records -= chunk->count;
        if (until < out->left_until) out->left_until = until;
    }
    if (!has_lingered) return;
    out->hurry = true;
    if (now - w->judged_at < linger) return;
    judge(w, w->written);
    w->written = 0;
    w->judged_at = now;
}

size_t sl_staging_wire_extra(const struct sl_staging *s) {
    const struct sl_staging_wire *w = &s->wire;
    /* One of ordinary size fits in, and the bound is where what waits is in a cache still. */
    bool is_much = w->filling_count > 1 || w->filling_cap > SL_STAGING_BOUND / 2;
    return is_much ? (size_t)w->filling_count * w->filling_cap : 0;
}

bool sl_staging_wire_sleep(const struct sl_staging *s, uint32_t *wake_at_bytes) {
    const struct sl_staging_wire *w = &s->wire;
    uint64_t full = ((uint64_t)w->filling_count + 1) * w->filling_cap;
    bool is_filling = false;
    for (int32_t i = 0; i < w->filling_count; i++) {
        const struct sl_staging_filling *filling = &w->filling[i];
        if (filling->chunk == NULL) continue;
        /* It came after the last take, which has to set a time for it. */
        if (filling->left_since == 0) return false;
        is_filling = true;
    }
    if (is_filling)
        *wake_at_bytes = full < SL_STAGING_AWAKE ? (uint32_t)full : SL_STAGING_AWAKE - 1;
    return true;
}
