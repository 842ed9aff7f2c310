/* Goal: a steady stream of records with key is staged in wire form, in a chunk for each partition, and
 * what comes of it is what would have come of it otherwise: every record whole, in the partition of its
 * key and in order, one outcome each, accounts even, linger kept. Method: staging alone, every chunk that is
 * taken decoded and compared with what was put; then a whole core with a scripted broker, the topic
 * growing, memory failing in turn. */
#include "core_wire_placed.h"

/* ---- staging alone ---- */

static void test_a_chunk_for_each_partition(void **state) {
    (void)state;
    static const enum sl_partitioner_name partitioners[] = {
        SL_PARTITIONER_MURMUR2_RANDOM, SL_PARTITIONER_CONSISTENT, SL_PARTITIONER_FNV1A_RANDOM,
        SL_PARTITIONER_MURMUR2};
    for (int i = 0; i < 8; i++) {
        struct sl_staged staged;
        struct placed *f = placed_prepare();
        f->w.settings.partitioner = partitioners[i / 2];
        if (i % 2 != 0) f->w.settings.reports = SL_REPORTS_NONE;
        placed_open(f);
        placed_begin(f, 1);
        for (uint32_t k = 0; k < 150; k++) placed_put(f, k);
        placed_take(f, true, &staged);
        assert_int_equal(f->wire_chunks, PLACED_PARTS);
        assert_int_equal(f->plain, 0);
        assert_int_equal(staged.records, 151);
        assert_int_equal(staged.left_until, INT64_MAX);
        bool has[PLACED_PARTS] = {false};
        SL_LIST_EACH(it, tmp, &staged.chunks) {
            const struct sl_chunk *chunk = SL_LIST_OF(it, struct sl_chunk, node);
            assert_int_equal(chunk->spread, PLACED_PARTS);
            assert_false(has[chunk->partition]);
            has[chunk->partition] = true;
        }
        (void)wire_give_back(&f->w, &staged);
        placed_end(f);
    }
}

/* Full ones go and come back, of either size; nothing is allocated for them after a while. */
static void test_chunks_of_two_sizes(void **state) {
    (void)state;
    struct placed *f = placed_prepare();
    f->w.settings.buffer_memory = 64 << 20;
    f->w.settings.batch_size = 300000;
    f->pad = 1000;
    placed_open(f);
    placed_begin(f, 1);
    long calls = 0;
    for (int i = 0; i < 30; i++) {
        for (uint32_t k = 0; k < 200; k++) placed_put(f, k % PLACED_KEYS);
        if (i == 20) calls = f->w.memory.calls;
        (void)placed_turn(f, false);
    }
    assert_int_equal(f->w.memory.calls, calls);
    assert_true(f->wire_chunks > 40 && f->plain == 0);
    for (int i = 0; i < 1000; i++) {
        struct sl_staging_input in;
        placed_make(f, 1, 0, &in);
        in.flags |= SL_STAGED_KEY_NULL;
        placed_put_other(f, in);
        (void)placed_turn(f, false);
    }
    assert_true(f->chosen_cap > 2 * 128 * 1024);
    placed_end(f);
}

/* What cannot be in the batch of its neighbours closes all of them, and lies behind. */
static void test_other_records_end_the_stream(void **state) {
    (void)state;
    static const char large[WIRE_BATCH];
    const struct sl_staging_input others[] = {
        {.topic = "t", .flags = SL_STAGED_KEY_NULL},
        {.topic = "t", .key_size = 1, .partition = 2, .flags = SL_STAGED_PARTITION},
        {.topic = "t", .key_size = 1, .timestamp_ms = 5, .flags = SL_STAGED_TIMESTAMP},
        {.topic = "t", .key_size = 1, .value_size = SL_STAGING_LARGE},
        {.topic = "t", .key_size = sizeof large},
        {.topic = "t", .key_size = 1, .flags = SL_STAGED_WATCHED},
        {.topic = "other", .key_size = 1},
    };
    const size_t count = sizeof others / sizeof others[0];
    for (size_t i = 0; i <= count; i++) {
        struct sl_staged staged;
        struct placed *f = placed_open(placed_prepare());
        placed_begin(f, 0);
        for (int32_t p = 2; p > 0; p--) placed_put_to(f, p);
        placed_put_to(f, 0);
        if (i < count) {
            struct sl_staging_input in = others[i];
            in.key = in.value = large;
            if ((in.flags & SL_STAGED_PARTITION) == 0) in.partition = -1;
            placed_put_other(f, in);
        } else {
            sl_staging_begin(f->w.staging, 7); /* another thread */
        }
        placed_put_to(f, 1);
        placed_take(f, false, &staged);
        assert_int_equal(staged.left_until, INT64_MAX);
        assert_int_equal(f->wire_chunks, PLACED_PARTS);
        assert_int_equal(f->plain, i < count ? 2 : 1);
        assert_false(wire_last_of(&staged)->is_wire);
        (void)wire_give_back(&f->w, &staged);
        placed_end(f);
    }
}

/* Full chunks go, those that are being filled stay. */
static void test_full_chunks_go(void **state) {
    (void)state;
    struct sl_staged staged;
    struct placed *f = placed_open(placed_prepare());
    placed_begin(f, 0);
    for (int32_t p = 1; p < PLACED_PARTS; p++) placed_put_to(f, p);
    uint32_t records = 2;
    do {
        placed_put_to(f, 0);
        records++;
        f->now++;
        placed_take(f, false, &staged);
    } while (sl_list_is_empty(&staged.chunks));
    const struct sl_chunk *chunk = wire_last_of(&staged);
    assert_true(chunk->partition == 0 && staged.chunks.next == staged.chunks.prev);
    assert_true(chunk->size + 8 * chunk->count + SL_RECORD_OVERHEAD_MAX + 60 > PLACED_CAP);
    assert_false(staged.hurry);
    assert_int_equal(chunk->count, records - 2);
    (void)wire_give_back(&f->w, &staged);
    /* The two of the cold partitions; and the new one, which lingers from this take on. */
    int64_t until = f->now + PLACED_LINGER;
    f->now = until - 1;
    assert_int_equal(placed_turn(f, false), 2);
    f->now = until;
    assert_int_equal(placed_turn(f, false), 1);
    placed_end(f);
}

/* Each lingers by itself, from the first take that left it on. */
static void test_each_chunk_lingers(void **state) {
    (void)state;
    struct sl_staged staged;
    struct placed *f = placed_open(placed_prepare());
    const int64_t left[PLACED_PARTS] = {1, 1 + 5 * (int64_t)WIRE_MS, 1 + 9 * (int64_t)WIRE_MS};
    placed_begin(f, 0);
    for (int32_t p = 1; p < PLACED_PARTS; p++) {
        placed_put_to(f, p);
        f->now = left[p];
        placed_take(f, false, &staged);
        assert_int_equal(staged.records, 0);
        assert_int_equal(staged.left_until, left[0] + PLACED_LINGER);
    }
    for (int32_t p = 0; p < PLACED_PARTS; p++) {
        f->now = left[p] + PLACED_LINGER - 1;
        placed_take(f, false, &staged);
        assert_true(staged.records == 0 && !staged.hurry);
        assert_int_equal(staged.left_until, left[p] + PLACED_LINGER);
        f->now++;
        placed_take(f, false, &staged);
        assert_int_equal(staged.records, 1);
        assert_int_equal(wire_last_of(&staged)->partition, p);
        assert_true(staged.hurry);
        assert_int_equal(staged.left_until, p < 2 ? left[p + 1] + PLACED_LINGER : INT64_MAX);
        (void)wire_give_back(&f->w, &staged);
    }
    /* A record in linger.ms is too slow a stream. */
    placed_put_to(f, 1);
    (void)placed_turn(f, false);
    assert_int_equal(f->plain, 1);
    placed_end(f);
}

/* Partitions that get little, each at its time, do not end a stream that fills another one. */
static void test_cold_partition(void **state) {
    (void)state;
    struct placed *f = placed_open(placed_prepare());
    placed_begin(f, 0);
    for (int i = 0; i < 40; i++) {
        if (i % 4 < 2) placed_put_to(f, 1 + i % 4);
        for (int k = 0; k < 120; k++) placed_put_to(f, 0);
        f->now += PLACED_LINGER / 4;
        (void)placed_turn(f, false);
    }
    assert_int_equal(f->plain, 0);
    assert_true(f->wire_chunks > 40);
    for (int i = 0; i < 12 && f->plain == 0; i++) {
        for (int32_t p = 0; p < PLACED_PARTS; p++) placed_put_to(f, p);
        f->now += PLACED_LINGER / 4;
        (void)placed_turn(f, false);
    }
    assert_int_not_equal(f->plain, 0);
    placed_end(f);
}

/* A chunk that came after the last take has no time set; else one full chunk at least is worth a wake,
 * however the records are spread. */
static void test_sleep_and_wake(void **state) {
    (void)state;
    for (int32_t hot = 1; hot <= PLACED_PARTS; hot++) {
        struct placed *f = placed_open(placed_prepare());
        bool wake = false;
        placed_begin(f, 0);
        assert_true(sl_staging_sleep(f->w.staging, 1));
        assert_true(sl_staging_wake(f->w.staging));
        for (int32_t p = 1; p < PLACED_PARTS; p++) {
            placed_put_to(f, p);
            assert_false(sl_staging_sleep(f->w.staging, 1));
            assert_false(sl_staging_sleep(f->w.staging, SL_STAGING_CHUNK));
            assert_int_equal(placed_turn(f, false), 0);
            assert_true(sl_staging_sleep(f->w.staging, 1));
            assert_true(sl_staging_wake(f->w.staging));
        }
        assert_true(sl_staging_sleep(f->w.staging, 1));
        int64_t before = 0;
        for (int32_t i = 0; !wake; i++) {
            before = sl_staging_used(f->w.staging);
            assert_int_equal(placed_try_put(f, placed_key(f, i % hot), &wake), 0);
        }
        int64_t at = (PLACED_PARTS + 1) * PLACED_CAP;
        assert_true(before < at && sl_staging_used(f->w.staging) >= at);
        assert_true(placed_turn(f, false) > 50);
        assert_true(sl_staging_sleep(f->w.staging, 1));
        placed_end(f);
    }
}

static void test_settings_and_topics_without(void **state) {
    (void)state;
    for (int kind = 0; kind < 10; kind++) {
        struct placed *f = placed_prepare();
        bool is_placed = kind < 4;
        f->w.settings.buffer_memory = 8 << 20;
        if (kind == 0) f->w.spread = 32;
        if (kind == 1) f->w.spread = 1;
        if (kind == 2 || kind == 8) {
            f->w.spread = 5;
            f->w.settings.buffer_memory = 5 * 8 * PLACED_CAP - (kind == 8 ? 1 : 0);
        }
        if (kind == 3) f->w.settings.partitioner = SL_PARTITIONER_CONSISTENT_RANDOM;
        if (kind == 4) f->w.settings.codec = SL_CODEC_LZ4;
        if (kind == 5) f->w.spread = 33;
        if (kind == 6) f->w.spread = 0;
        if (kind == 7) f->w.settings.batch_size = SL_STAGING_WIRE_MIN - 1;
        if (kind == 9) f->w.settings.partitioner = SL_PARTITIONER_RANDOM;
        placed_open(f);
        assert_int_equal(placed_can_begin(f), is_placed);
        placed_end(f);
    }
}

/* What is known of another topic says nothing of this one. */
static void test_spread_of_another_topic(void **state) {
    (void)state;
    struct sl_staged staged, held;
    struct placed *f = placed_open(placed_prepare());
    placed_put(f, 1);
    placed_take(f, false, &held);
    placed_put_other(f, (struct sl_staging_input){.topic = "other", .partition = -1});
    (void)placed_turn(f, false);
    for (uint32_t i = 0; i < 500; i++) placed_put(f, i % PLACED_KEYS);
    placed_take(f, true, &staged);
    assert_true(f->wire_chunks == 0 && f->plain == 502);
    (void)wire_give_back(&f->w, &held);
    placed_put(f, 1);
    assert_int_equal(placed_turn(f, true), 1);
    assert_int_equal(f->wire_chunks, 1);
    (void)wire_give_back(&f->w, &staged);
    placed_end(f);
}

/* The topic has another number of partitions: what was begun says the old one, and is closed. */
static void test_another_spread(void **state) {
    (void)state;
    static const int32_t spreads[] = {5, 2, 1, 33, 0};
    for (size_t i = 0; i < sizeof spreads / sizeof spreads[0]; i++) {
        struct sl_staged old, staged;
        struct placed *f = placed_open(placed_prepare());
        placed_begin(f, 0);
        for (uint32_t k = 0; k < 250; k++) placed_put(f, k);
        placed_take(f, true, &old);
        for (uint32_t k = 0; k < 250; k++) placed_put(f, k);
        placed_take(f, true, &staged);
        for (uint32_t k = 0; k < 50; k++) placed_put(f, k);
        (void)wire_give_back(&f->w, &old);
        f->w.spread = spreads[i];
        (void)wire_give_back(&f->w, &staged);
        for (uint32_t k = 0; k < 50; k++) placed_put(f, k);
        placed_take(f, true, &staged);
        bool is_wire = spreads[i] > 0 && spreads[i] <= 32;
        assert_int_equal(f->plain, is_wire ? 0 : 50);
        assert_int_equal(f->wire_chunks, 3 * PLACED_PARTS + (is_wire ? spreads[i] : 0));
        if (is_wire) assert_int_equal(wire_last_of(&staged)->spread, spreads[i]);
        (void)wire_give_back(&f->w, &staged);
        placed_end(f);
    }
}

/* The record is refused, and the chunks of other partitions take theirs. */
static void test_no_memory_for_a_chunk(void **state) {
    (void)state;
    struct placed *f = placed_open(placed_prepare());
    placed_begin(f, 0);
    test_memory_fail_from(&f->w.memory, 1);
    for (int i = 0; i < 100; i++) {
        int64_t used = sl_staging_used(f->w.staging);
        assert_int_equal(placed_try_put(f, placed_key(f, 1 + i % 2), NULL), SLUICE_ERR_NOMEM);
        assert_int_equal(sl_staging_used(f->w.staging), used);
        placed_put_to(f, 0);
    }
    int rv = 0; /* the same when it is full */
    while (rv == 0) rv = placed_try_put(f, placed_key(f, 0), NULL);
    assert_int_equal(rv, SLUICE_ERR_NOMEM);
    (void)placed_turn(f, false);
    assert_int_equal(f->wire_chunks, 1);
    test_memory_fail_at(&f->w.memory, 0);
    for (uint32_t k = 0; k < 100; k++) placed_put(f, k);
    (void)placed_turn(f, true);
    assert_int_equal(f->plain, 0);
    placed_end(f);
}

/* Someone without room in the budget gets what can be had, and is told of it. */
static void test_full_budget_takes_all(void **state) {
    (void)state;
    struct sl_staged staged;
    struct placed *f = placed_prepare();
    bool wake = false;
    f->w.settings.buffer_memory = 5 * 8 * PLACED_CAP;
    placed_open(f);
    placed_begin(f, 0);
    assert_true(sl_staging_sleep(f->w.staging, 1));
    while (!wake) assert_int_equal(placed_try_put(f, placed_key(f, 1), &wake), 0);
    int rv = 0;
    for (uint32_t k = 0; rv == 0; k++) rv = placed_try_put(f, k % PLACED_KEYS, NULL);
    assert_int_equal(rv, SLUICE_ERR_FULL);
    placed_take(f, false, &staged);
    assert_true(staged.hurry && staged.left_until == INT64_MAX);
    assert_false(sl_staging_has_records(f->w.staging));
    assert_true(wire_give_back(&f->w, &staged));
    assert_int_equal(f->plain, 0);
    placed_put(f, 1);
    placed_end(f);
}

/* Without room in staging full chunks are taken, and there is room again: those that are being filled
 * have theirs apart. */
static void test_full_staging(void **state) {
    (void)state;
    struct sl_staged staged;
    struct placed *f = placed_prepare();
    f->w.settings.buffer_memory = 64 << 20;
    f->w.settings.batch_size = 1 << 20;
    f->pad = 1900;
    placed_open(f);
    placed_begin(f, 0);
    int rv = 0;
    for (uint32_t k = 1; rv == 0; k++) rv = placed_try_put(f, k % PLACED_KEYS, NULL);
    assert_int_equal(rv, SLUICE_ERR_FULL);
    assert_true(sl_staging_used(f->w.staging) > SL_STAGING_BOUND + 2 * 128 * 1024);
    placed_take(f, false, &staged);
    assert_true(staged.room && !staged.hurry && staged.left_until != INT64_MAX);
    assert_true(f->wire_chunks > 20);
    placed_put(f, 1);
    (void)wire_give_back(&f->w, &staged);
    placed_end(f);
}

/* A record that is refused changes nothing of when the I/O thread is woken for those that are being
 * filled. */
static void test_refused_record_of_another_form(void **state) {
    (void)state;
    static const uint8_t value[17 << 20];
    bool wake = false;
    struct placed *f = placed_prepare();
    f->w.settings.buffer_memory = 16 << 20;
    f->w.settings.max_request_size = 32 << 20;
    f->w.settings.batch_size = 500000;
    f->pad = 1000;
    placed_open(f);
    placed_begin(f, 0);
    struct sl_staging_input in = {
        .topic = "t", .value = value, .value_size = sizeof value, .partition = -1};
    assert_int_equal(wire_put_input(&f->w, &in, NULL), SLUICE_ERR_TOO_BIG);
    assert_true(sl_staging_sleep(f->w.staging, 1));
    while (!wake) assert_int_equal(placed_try_put(f, placed_key(f, 0), &wake), 0);
    assert_true(sl_staging_used(f->w.staging) < (PLACED_PARTS + 2) * 128 * 1024);
    placed_end(f);
}

/* ---- with a core ---- */

enum { PLACED_CORE_KEYS = 40 };

static uint32_t key_of(uint64_t tag) { return (uint32_t)(tag * 7 % PLACED_CORE_KEYS); }
static int try_put_keyed(struct prod *p, uint64_t tag) {
    return prod_try_put_key(p, "t", key_of(tag), tag);
}
static void put_stream(struct prod *p, uint64_t first, uint64_t last) {
    for (uint64_t tag = first; tag <= last; tag++) assert_int_equal(try_put_keyed(p, tag), 0);
}
/* The records that were written are where their keys belong in a topic of so many partitions, each key's
 * in order. which: those alone; or NULL. */
static void expect_places(const struct prod *p, const bool *which, int32_t partitions) {
    for (int i = 0; i < p->log_count; i++) {
        uint64_t last_of[PLACED_CORE_KEYS] = {0};
        for (int32_t k = 0; k < p->logs[i].count; k++) {
            uint64_t tag = p->logs[i].tags[k];
            uint32_t key = key_of(tag);
            assert_true(tag >= last_of[key]);
            last_of[key] = tag;
            if (which != NULL && !which[tag]) continue;
            assert_int_equal(
                sl_partitioner_of_key(SL_KEY_HASH_MURMUR2, &key, sizeof key, partitions),
                p->logs[i].partition);
        }
    }
}
/* Batches without outcome that are wire chunks. */
static int count_adopted(const struct prod *p) {
    int count = 0;
    SL_LIST_EACH(it, tmp, &p->h->core->batcher.expiry) {
        const struct sl_batch *batch = SL_LIST_OF(it, struct sl_batch, expiry);
        if (batch->segments != NULL && batch->segments->chunk != NULL) count++;
    }
    return count;
}
/* A producer in the middle of a stream, of whose records nothing is left. Returns the next tag. */
static uint64_t begin_stream(struct prod *p) {
    prod_open(p);
    put_stream(p, 0, 0);
    prod_serve_for(p, 50);
    put_stream(p, 1, 200);
    prod_serve_for(p, 100);
    prod_expect(p, 0, 200, SL_OUTCOME_WRITTEN);
    return 201;
}

static void test_stream_is_written(void **state) {
    (void)state;
    struct prod *p = wire_prod();
    uint64_t next = begin_stream(p);
    int adopted = 0;
    for (; next < 3000; next += 100) {
        put_stream(p, next, next + 99);
        prod_turn(p);
        adopted += count_adopted(p);
        prod_serve(p);
        prod_advance(p, 1);
    }
    assert_true(adopted > 10);
    prod_serve_for(p, 100);
    prod_expect(p, 0, next - 1, SL_OUTCOME_WRITTEN);
    wire_expect_logs(p, 0, next - 1);
    expect_places(p, NULL, PLACED_PARTS);
    prod_end(p);
}

/* The topic grows, or is made anew and smaller, while chunks that are large enough to be batches lie in
 * staging. */
static void test_topic_changes(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct prod *p = wire_prod();
        bool is_late[PROD_TAGS];
        p->h->settings.metadata_max_age_ms = 1000;
        p->h->settings.idempotence = kind == 0; /* the test's broker has one log for both topics */
        uint64_t next = begin_stream(p);
        for (int staged = 0; staged < PLACED_PARTS * 120; next += 10) {
            put_stream(p, next, next + 9);
            prod_serve(p);
            staged = 0;
            for (uint64_t tag = 0; tag < PROD_TAGS; tag++) {
                is_late[tag] = p->reports[tag] == 0;
                staged += is_late[tag] && tag <= next + 9;
            }
            assert_true(next < 1500);
        }
        p->h->topics[0].partition_count = kind == 0 ? 5 : 2;
        if (kind == 1) p->h->topics[0].id = 9;
        host_advance(p->h, 2000);
        const struct sl_topic *topic = sl_metadata_topic(p->h->core, "t");
        assert_int_equal(topic->partition_count, p->h->topics[0].partition_count);
        int adopted = 0;
        for (; next < 3000; next += 100) {
            put_stream(p, next, next + 99);
            prod_turn(p);
            adopted += count_adopted(p);
            prod_serve(p);
        }
        assert_true(adopted > 5);
        prod_serve_for(p, 500);
        prod_expect(p, 0, next - 1, SL_OUTCOME_WRITTEN);
        if (kind == 0) {
            /* What was staged before goes where its keys belonged then, and all is in order. */
            wire_expect_logs(p, 0, next - 1);
            for (uint64_t tag = 0; tag < PROD_TAGS; tag++) is_late[tag] = tag > 2000;
        } else {
            wire_expect_once(p, 0, next - 1);
        }
        expect_places(p, is_late, topic->partition_count);
        prod_end(p);
    }
}

/* Closed by a record of another kind, the chunk has lingered in part when it is taken: the rest is linger.ms
 * in all. */
static void test_linger_of_closed_chunks(void **state) {
    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        struct prod *p = wire_prod();
        uint64_t next = begin_stream(p);
        for (; next < 1001; next += 100) {
            put_stream(p, next, next + 99);
            prod_serve(p);
        }
        host_advance(p->h, WIRE_LINGER_MS);
        prod_serve(p);
        prod_expect(p, 0, next - 1, SL_OUTCOME_WRITTEN);
        put_stream(p, next, next);
        prod_serve(p); /* it is left */
        int64_t until = p->h->now + PLACED_LINGER;
        assert_true(sl_staging_has_records(p->staging));
        host_advance(p->h, WIRE_LINGER_MS / 2);
        if (asked != 0)
            prod_take(p); /* for a command, say */
        else
            prod_put(p, "t", 0, next + 1);
        host_advance(p->h, WIRE_LINGER_MS / 2);
        while (p->reports[next] == 0) {
            prod_serve(p);
            assert_true(p->h->now <= until + 2 * (int64_t)WIRE_MS);
            host_advance(p->h, 1);
        }
        prod_end(p);
    }
}

static bool stream_without_memory(long n, bool for_long) {
    struct prod *p = wire_prod();
    uint64_t next;
    bool failed = wire_short_of_memory(p, n, for_long, try_put_keyed, &next);
    expect_places(p, NULL, PLACED_PARTS);
    prod_end(p);
    return failed;
}
static void test_every_allocation_may_fail(void **state) {
    (void)state;
    wire_fail_each_allocation(stream_without_memory);
}

/* The application discards what is unsent, closes, or closes while no broker answers; with records in
 * staging, in batches and in flight. */
static void test_discard_and_close(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct prod *p = wire_prod();
        p->h->settings.delivery_timeout_ms = 5000;
        p->h->settings.max_in_flight = 1;
        uint64_t next = begin_stream(p);
        for (int i = 0; i < 8; i++, next += 200) {
            put_stream(p, next, next + 199);
            prod_turn(p);
        }
        assert_true(count_adopted(p) > 5 && sl_staging_has_records(p->staging));
        prod_command(p, kind == 0 ? SL_COMMAND_DISCARD : SL_COMMAND_CLOSE);
        if (kind < 2) prod_serve_for(p, 1000);
        prod_advance(p, 10000);
        int counts[3] = {0};
        for (uint64_t tag = 0; tag < next; tag++) {
            assert_int_equal(p->reports[tag], 1);
            counts[p->outcome[tag] - SL_OUTCOME_WRITTEN]++;
        }
        int32_t logged = 0;
        for (int i = 0; i < p->log_count; i++) logged += p->logs[i].count;
        assert_int_equal(counts[0], logged);
        assert_int_equal(counts[2] > 0, kind == 2);
        assert_int_equal(counts[1] > 0, kind != 1);
        prod_end(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chunk_for_each_partition),
        cmocka_unit_test(test_chunks_of_two_sizes),
        cmocka_unit_test(test_other_records_end_the_stream),
        cmocka_unit_test(test_full_chunks_go),
        cmocka_unit_test(test_each_chunk_lingers),
        cmocka_unit_test(test_cold_partition),
        cmocka_unit_test(test_sleep_and_wake),
        cmocka_unit_test(test_settings_and_topics_without),
        cmocka_unit_test(test_spread_of_another_topic),
        cmocka_unit_test(test_another_spread),
        cmocka_unit_test(test_no_memory_for_a_chunk),
        cmocka_unit_test(test_full_budget_takes_all),
        cmocka_unit_test(test_full_staging),
        cmocka_unit_test(test_refused_record_of_another_form),
        cmocka_unit_test(test_stream_is_written),
        cmocka_unit_test(test_linger_of_closed_chunks),
        cmocka_unit_test(test_topic_changes),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_discard_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
