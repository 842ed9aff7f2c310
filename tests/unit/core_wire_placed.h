/* Staging of records with key, for tests: records that their tags and keys say all of, and every chunk that
 * is taken decoded and compared with what was put. */
#ifndef SL_TEST_CORE_WIRE_PLACED_H
#define SL_TEST_CORE_WIRE_PLACED_H

#include "core_wire.h"

#include "core/partitioner.h"

enum {
    PLACED_PARTS = 3,
    PLACED_KEYS = 400,
    PLACED_RECORDS = 60000,
    PLACED_OTHER = PLACED_KEYS,         /* the key of a record that is staged plainly in any case */
    PLACED_CAP = (WIRE_BATCH + 24) & ~7 /* of a chunk */
};
#define PLACED_LINGER (WIRE_LINGER_MS * (int64_t)WIRE_MS)

struct placed {
    struct wire w;
    enum sl_key_hash hash;
    uint32_t pad;                  /* bytes of each value more */
    uint32_t key[PLACED_RECORDS];  /* of each record that was put */
    bool seen[PLACED_RECORDS];     /* it was taken */
    uint64_t last_of[PLACED_KEYS]; /* that was taken, plus 1 */
    uint64_t behind;               /* what comes now has no smaller tag */
    uint64_t highest;              /* that was taken, plus 1 */
    int32_t spread;                /* of the wire chunk before */
    uint32_t wire_chunks, plain;   /* taken so far; plain: records */
    uint32_t chosen_cap;           /* of the last chunk taken that is for no certain partition */
    int64_t now;
};

static inline struct placed *placed_prepare(void) {
    struct placed *f = calloc(1, sizeof *f);
    assert_non_null(f);
    wire_prepare(&f->w);
    f->w.spread = f->spread = PLACED_PARTS;
    f->now = 1;
    return f;
}
static inline struct placed *placed_open(struct placed *f) {
    struct sl_partitioner partitioner;
    sl_partitioner_init(&partitioner, &f->w.settings);
    f->hash = partitioner.hash;
    wire_open(&f->w);
    return f;
}

/* The record of that tag and key. Every part is absent, empty and present in turn. */
static inline void placed_make(const struct placed *f, uint64_t tag, uint32_t key,
                               struct sl_staging_input *in) {
    static uint8_t text[16];
    static uint8_t value[SL_STAGING_LARGE];
    *in = (struct sl_staging_input){.topic = "t", .key = text, .partition = -1};
    memcpy(text, &key, sizeof key);
    if (key > 0) in->key_size = (uint32_t)sizeof key + key % 5;
    memset(value, (int)(tag % 251), sizeof value);
    memcpy(value, &tag, sizeof tag);
    in->value = value;
    in->value_size = (uint32_t)(sizeof tag + f->pad + tag % 30);
    if (f->w.settings.reports == SL_REPORTS_NONE) return;
    if (tag % 7 == 3) {
        in->flags |= SL_STAGED_VALUE_NULL;
        in->value_size = 0;
    }
    if (tag % 5 == 2) {
        in->headers = "\x02h\x02x";
        in->headers_size = 4;
        in->header_count = 1;
    }
}
static inline int32_t placed_partition(const struct placed *f, uint32_t key, int32_t spread) {
    struct sl_staging_input in;
    placed_make(f, 0, key, &in);
    return sl_partitioner_of_key(f->hash, in.key, in.key_size, spread);
}

static inline int placed_try_put(struct placed *f, uint32_t key, bool *wake) {
    struct sl_staging_input in;
    assert_true(f->w.next < PLACED_RECORDS);
    placed_make(f, f->w.next, key, &in);
    f->key[f->w.next] = key;
    return wire_put_input(&f->w, &in, wake);
}
static inline void placed_put(struct placed *f, uint32_t key) {
    assert_int_equal(placed_try_put(f, key, NULL), 0);
}
static inline void placed_put_other(struct placed *f, struct sl_staging_input in) {
    f->key[f->w.next] = PLACED_OTHER;
    assert_int_equal(wire_put_input(&f->w, &in, NULL), 0);
}
/* Some key of the partition, another one each time. */
static inline uint32_t placed_key(const struct placed *f, int32_t partition) {
    uint32_t key = (uint32_t)(f->w.next * 13 % PLACED_KEYS);
    for (int i = 0; i < PLACED_KEYS; i++, key = (key + 1) % PLACED_KEYS)
        if (key > 0 && placed_partition(f, key, f->w.spread) == partition) return key;
    fail_msg("no key for partition %d", partition);
    return 0;
}
static inline void placed_put_to(struct placed *f, int32_t partition) {
    placed_put(f, placed_key(f, partition));
}

static inline void placed_see(struct placed *f, uint64_t tag) {
    assert_true(tag < f->w.next && !f->seen[tag]);
    assert_true(tag >= f->behind);
    f->seen[tag] = true;
    if (tag >= f->highest) f->highest = tag + 1;
    uint32_t key = f->key[tag];
    if (key == PLACED_OTHER) return;
    assert_true(tag >= f->last_of[key]);
    f->last_of[key] = tag + 1;
}

static inline void placed_check_record(struct placed *f, const struct sl_chunk *chunk, uint64_t tag,
                                       const struct sl_record_out *r) {
    struct sl_staging_input in;
    uint32_t key = f->key[tag];
    assert_int_not_equal(key, PLACED_OTHER);
    placed_make(f, tag, key, &in);
    assert_int_equal(r->timestamp, 0);
    assert_int_equal(r->key_size, in.key_size);
    assert_memory_equal(r->key, in.key, in.key_size);
    assert_int_equal(r->value_size,
                     (in.flags & SL_STAGED_VALUE_NULL) != 0 ? -1 : (int32_t)in.value_size);
    if (r->value_size > 0) assert_memory_equal(r->value, in.value, in.value_size);
    assert_int_equal(r->header_count, in.header_count);
    if (r->header_count > 0) assert_memory_equal(r->headers, in.headers, in.headers_size);
    assert_int_equal(chunk->partition, placed_partition(f, key, chunk->spread));
}

static inline void placed_check_wire(struct placed *f, struct sl_chunk *chunk) {
    const uint8_t *data = (const uint8_t *)chunk->data;
    bool has_tags = f->w.settings.reports != SL_REPORTS_NONE;
    if (chunk->spread != f->spread) f->behind = f->highest; /* no partition in common */
    f->spread = chunk->spread;
    f->wire_chunks++;
    if (chunk->partition < 0) f->chosen_cap = chunk->cap;
    struct sl_batch_walk walk = {.at = data + SL_STAGING_WIRE_FRONT,
                                 .end = data + chunk->size,
                                 .left = (int32_t)chunk->count,
                                 .last_delta = (int32_t)chunk->count - 1};
    struct sl_record_out r;
    uint32_t index = 0;
    for (; sl_batch_read_next(&walk, &r) == 1; index++) {
        uint64_t tag;
        if (has_tags)
            tag = *sl_staging_wire_tag(chunk, index);
        else
            memcpy(&tag, r.value, sizeof tag);
        placed_see(f, tag);
        assert_int_equal(r.offset, index);
        if (chunk->partition >= 0) placed_check_record(f, chunk, tag, &r);
    }
    assert_true(index > 0 && walk.at == walk.end);
    assert_int_equal(index, chunk->count);
    size_t tags = has_tags ? 8 * (size_t)chunk->count : 0;
    assert_int_equal(chunk->charge, chunk->size - SL_STAGING_WIRE_FRONT + tags);
    assert_true(chunk->size + tags <= chunk->cap);
    assert_true(chunk->summed <= chunk->size);
    assert_int_equal(chunk->crc, sl_crc32c(0, data + SL_STAGING_WIRE_FRONT,
                                           chunk->summed - SL_STAGING_WIRE_FRONT));
}

/* What is taken now, compared with what was put. Records staged plainly have all before them in front, and
 * all after them behind. */
static inline void placed_take(struct placed *f, bool all, struct sl_staged *staged) {
    uint32_t records = 0;
    sl_staging_take(f->w.staging, f->now, all, staged);
    SL_LIST_EACH(it, tmp, &staged->chunks) {
        struct sl_chunk *chunk = SL_LIST_OF(it, struct sl_chunk, node);
        records += chunk->count;
        if (chunk->is_wire) placed_check_wire(f, chunk);
        for (uint32_t at = 0; !chunk->is_wire && at < chunk->size;) {
            const struct sl_staged_record *r = sl_staging_record(chunk, at);
            uint64_t tag = r->tag;
            assert_true(tag >= f->highest);
            placed_see(f, tag);
            f->behind = f->highest;
            f->plain++;
            at += r->size;
        }
    }
    assert_int_equal(staged->records, records);
}
/* The same, and it goes back at once. Returns how many records that were. */
static inline uint32_t placed_turn(struct placed *f, bool all) {
    struct sl_staged staged;
    placed_take(f, all, &staged);
    (void)wire_give_back(&f->w, &staged);
    return staged.records;
}
static inline void placed_end(struct placed *f) {
    (void)placed_turn(f, true);
    for (uint64_t tag = 0; tag < f->w.next; tag++) assert_true(f->seen[tag]);
    wire_tear_down(&f->w);
    free(f);
}

/* Until the record put last lies in the wire chunk of a partition, and has been left there by a take. */
static inline void placed_begin(struct placed *f, int32_t partition) {
    struct sl_staged staged;
    do {
        placed_put_to(f, partition);
        placed_take(f, false, &staged);
        (void)wire_give_back(&f->w, &staged);
        assert_int_equal(f->wire_chunks, 0);
    } while (staged.left_until == INT64_MAX);
    f->plain = 0;
}
/* Whether a stream comes to wire chunks with these settings and that topic. */
static inline bool placed_can_begin(struct placed *f) {
    for (int i = 0; i < 500; i++) {
        placed_put(f, (uint32_t)i % PLACED_KEYS);
        if (i % 20 == 0) (void)placed_turn(f, false);
    }
    (void)placed_turn(f, true);
    return f->wire_chunks > 0;
}

#endif
