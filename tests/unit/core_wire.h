/* What the tests of records in wire form share: staging alone, whose chunks the test gives back by hand
 * as core would, and a whole core whose batches are as small as the chunks are there. */
#ifndef SL_TEST_CORE_WIRE_H
#define SL_TEST_CORE_WIRE_H

#include "core_producer.h"

enum { WIRE_BATCH = 5000, WIRE_LINGER_MS = 20, WIRE_MS = 1000000 };

/* ---- staging alone ---- */

struct wire {
    struct test_memory memory;
    struct sl_settings settings;
    struct sl_staging *staging;
    uint64_t next;  /* tag of the next record */
    int32_t spread; /* partitions that each topic is said to have with the chunks that go back */
};

static inline void wire_prepare(struct wire *f) {
    memset(f, 0, sizeof *f);
    test_memory_init(&f->memory);
    f->settings.role = SL_ROLE_PRODUCER;
    f->settings.reports = SL_REPORTS_ALL;
    f->settings.partitioner = SL_PARTITIONER_MURMUR2_RANDOM;
    f->settings.buffer_memory = 1 << 20;
    f->settings.max_request_size = 1 << 20;
    f->settings.batch_size = WIRE_BATCH;
    f->settings.linger_ms = WIRE_LINGER_MS;
}
static inline void wire_open(struct wire *f) {
    assert_int_equal(sl_staging_create(&f->settings, &f->memory.alloc, &f->staging), 0);
}
static inline void wire_set_up(struct wire *f) {
    wire_prepare(f);
    wire_open(f);
}

/* What core says with the chunk: the topic of its last record. */
static inline uint32_t wire_topic_of(struct sl_chunk *chunk) {
    uint32_t topic = chunk->topic;
    for (uint32_t at = 0; !chunk->is_wire && at < chunk->size;) {
        const struct sl_staged_record *r = sl_staging_record(chunk, at);
        topic = r->topic;
        at += r->size;
    }
    return topic;
}
/* True: someone who was refused has room now. */
static inline bool wire_give_back(struct wire *f, struct sl_staged *staged) {
    int64_t charge = 0;
    struct sl_list back;
    sl_list_init(&back);
    for (struct sl_list *node; (node = sl_list_pop_front(&staged->chunks)) != NULL;) {
        struct sl_chunk *chunk = SL_LIST_OF(node, struct sl_chunk, node);
        struct sl_delivery_sum sum = {0};
        sl_list_init(&sum.values);
        chunk->topic = wire_topic_of(chunk);
        chunk->spread = f->spread;
        sl_delivery_count_chunk(chunk, &sum);
        for (struct sl_list *v; (v = sl_list_pop_front(&sum.values)) != NULL;)
            sl_staging_chunk_destroy(&f->memory.alloc, SL_LIST_OF(v, struct sl_chunk, node));
        charge += sum.charge;
        sl_list_push_back(&back, node);
    }
    return sl_staging_give(f->staging, &back, charge);
}
static inline void wire_tear_down(struct wire *f) {
    struct sl_staged staged;
    sl_staging_take(f->staging, 1, true, &staged);
    (void)wire_give_back(f, &staged);
    assert_int_equal(sl_staging_used(f->staging), 0);
    sl_staging_destroy(f->staging);
    test_memory_check(&f->memory);
}

/* Its tag is the next one. */
static inline int wire_put_input(struct wire *f, struct sl_staging_input *in, bool *wake) {
    bool unused;
    in->tag = f->next;
    int rv = sl_staging_put(f->staging, in, wake == NULL ? &unused : wake);
    if (rv == 0) f->next++;
    return rv;
}
static inline struct sl_chunk *wire_last_of(struct sl_staged *staged) {
    assert_false(sl_list_is_empty(&staged->chunks));
    return SL_LIST_OF(staged->chunks.prev, struct sl_chunk, node);
}

/* ---- with a core ---- */

static inline struct prod *wire_prod(void) {
    struct prod *p = prod_prepare();
    p->h->settings.batch_size = WIRE_BATCH;
    p->h->settings.linger_ms = WIRE_LINGER_MS;
    return p;
}

/* Each record was put once; the logs of the partitions have each once. */
static inline void wire_expect_once(struct prod *p, uint64_t first, uint64_t last) {
    static bool seen[PROD_TAGS];
    memset(seen, 0, sizeof seen);
    uint64_t count = 0;
    for (int i = 0; i < p->log_count; i++) {
        for (int32_t k = 0; k < p->logs[i].count; k++) {
            uint64_t tag = p->logs[i].tags[k];
            if (tag < first || tag > last) continue;
            assert_false(seen[tag]);
            assert_int_equal(p->offset[tag], k);
            assert_int_equal(p->partition[tag], p->logs[i].partition);
            seen[tag] = true;
            count++;
        }
    }
    assert_int_equal(count, last - first + 1);
}
/* And in order. */
static inline void wire_expect_logs(struct prod *p, uint64_t first, uint64_t last) {
    wire_expect_once(p, first, last);
    for (int i = 0; i < p->log_count; i++) {
        uint64_t before = 0;
        for (int32_t k = 0; k < p->logs[i].count; k++) {
            uint64_t tag = p->logs[i].tags[k];
            if (tag < first || tag > last) continue;
            assert_true(tag >= before);
            before = tag;
        }
    }
}

/* A stream of records of "t" while the n-th allocation fails, or all from it on for a while: nothing is
 * lost. False: that many are not made. *next: the tag of the record after the last one. */
static inline bool wire_short_of_memory(struct prod *p, long n, bool for_long,
                                        int (*try_put)(struct prod *p, uint64_t tag),
                                        uint64_t *next) {
    prod_open(p);
    assert_int_equal(try_put(p, 0), 0);
    prod_serve_for(p, 50);
    test_memory_fail_at(&p->h->memory, p->h->memory.calls + n);
    p->h->memory.fail_on = for_long;
    uint64_t tag = 1;
    for (int i = 0; tag < 700 && i < 3000; i++) {
        tag += try_put(p, tag) == 0;
        if (i % 40 == 0) prod_turn(p);
    }
    prod_turn(p);
    test_memory_fail_at(&p->h->memory, 0);
    bool failed = test_memory_has_failed(&p->h->memory);
    prod_serve_for(p, 3000);
    prod_expect(p, 0, tag - 1, SL_OUTCOME_WRITTEN);
    wire_expect_logs(p, 0, tag - 1);
    *next = tag;
    return failed;
}

/* One life after the other with a later failure, until none is reached. */
static inline void wire_fail_each_allocation(bool (*live)(long n, bool for_long)) {
    for (int for_long = 0; for_long < 2; for_long++) {
        long n = 1;
        while (live(n, for_long != 0)) n++;
        assert_true(n > 5);
    }
}

#endif
