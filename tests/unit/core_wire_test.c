/* Goal: a steady stream of records without key is staged in wire form, and what comes of it is what
 * would have come of it otherwise: every record whole and in order, one outcome each, accounts even,
 * linger kept. Method: staging alone, its chunks decoded; then a whole core with a scripted broker
 * (core_producer.h), the topic unknown, refused, small of limit, memory failing in turn. */
#include "core_wire.h"

static struct prod_request req;

/* ---- staging alone ---- */

static int put_plain(struct wire *f, bool *wake) {
    uint64_t value = f->next;
    struct sl_staging_input in = {.topic = "t",
                                  .value = &value,
                                  .value_size = sizeof value,
                                  .partition = -1,
                                  .flags = SL_STAGED_KEY_NULL};
    return wire_put_input(f, &in, wake);
}

/* Until the record put last went into a wire chunk; that chunk is taken and given back, so the next
 * one begins a new one. */
static void begin_stream(struct wire *f) {
    struct sl_staged staged;
    for (;;) {
        assert_int_equal(put_plain(f, NULL), 0);
        sl_staging_take(f->staging, 1, false, &staged);
        (void)wire_give_back(f, &staged);
        if (staged.left_until != INT64_MAX) return;
        assert_true(f->next < 10000);
    }
}

static void test_chunk_holds_a_batch(void **state) {
    (void)state;
    struct wire f;
    struct sl_staged staged;
    wire_set_up(&f);
    begin_stream(&f);
    uint64_t first = f.next - 1;
    uint32_t records = 1;
    sl_staging_take(f.staging, 1, true, &staged);
    assert_int_equal(staged.records, 1);
    (void)wire_give_back(&f, &staged);
    /* A small one ends the stream: the next records are staged apart again. */
    assert_int_equal(put_plain(&f, NULL), 0);
    sl_staging_take(f.staging, 1, true, &staged);
    assert_false(wire_last_of(&staged)->is_wire);
    (void)wire_give_back(&f, &staged);
    begin_stream(&f);
    first = f.next - 1;
    while (!sl_list_is_empty(&staged.chunks) || records < 500) {
        assert_int_equal(put_plain(&f, NULL), 0);
        records++;
        sl_staging_take(f.staging, 2, false, &staged);
        if (!sl_list_is_empty(&staged.chunks)) break; /* it is full, and another one open */
    }
    assert_int_equal(staged.records, records - 1);
    struct sl_chunk *chunk = wire_last_of(&staged);
    assert_true(chunk->is_wire && staged.chunks.next == staged.chunks.prev);
    assert_int_equal(chunk->count, records - 1);
    const uint8_t *data = (const uint8_t *)chunk->data;
    struct sl_batch_walk walk = {.at = data + SL_STAGING_WIRE_FRONT,
                                 .end = data + chunk->size,
                                 .left = (int32_t)chunk->count,
                                 .last_delta = (int32_t)chunk->count - 1};
    struct sl_record_out r;
    int64_t offset = 0;
    for (; sl_batch_read_next(&walk, &r) == 1; offset++) {
        uint64_t value;
        assert_int_equal(r.value_size, sizeof value);
        memcpy(&value, r.value, sizeof value);
        assert_int_equal(value, first + (uint64_t)offset);
        assert_int_equal(*sl_staging_wire_tag(chunk, (uint32_t)offset), value);
        assert_int_equal(r.offset, offset);
        assert_int_equal(r.timestamp, 0);
        assert_int_equal(r.key_size, -1);
    }
    assert_int_equal(offset, chunk->count);
    size_t bytes = chunk->size - SL_STAGING_WIRE_FRONT;
    assert_int_equal(chunk->charge, bytes + 8 * (size_t)chunk->count);
    assert_true(bytes + 8 * (size_t)chunk->count + 40 > WIRE_BATCH - SL_STAGING_WIRE_FRONT - 40);
    assert_true(chunk->size <= chunk->cap - 8 * chunk->count);
    size_t summed = chunk->summed - SL_STAGING_WIRE_FRONT;
    assert_int_equal(chunk->crc, sl_crc32c(0, data + SL_STAGING_WIRE_FRONT, summed));
    (void)wire_give_back(&f, &staged);
    wire_tear_down(&f);
}

/* What cannot be in the batch of its neighbours goes into a chunk of the other kind, behind them. */
static void test_other_records_end_the_stream(void **state) {
    (void)state;
    static const char large[SL_STAGING_LARGE];
    const struct sl_staging_input others[] = {
        {.topic = "t", .key = "k", .key_size = 1, .partition = -1},
        {.topic = "t", .partition = 2, .flags = SL_STAGED_KEY_NULL | SL_STAGED_PARTITION},
        {.topic = "t",
         .timestamp_ms = 5,
         .partition = -1,
         .flags = SL_STAGED_KEY_NULL | SL_STAGED_TIMESTAMP},
        {.topic = "other", .partition = -1, .flags = SL_STAGED_KEY_NULL},
        {.topic = "t",
         .value = large,
         .value_size = sizeof large,
         .partition = -1,
         .flags = SL_STAGED_KEY_NULL},
        {.topic = "t", .partition = -1, .flags = SL_STAGED_KEY_NULL | SL_STAGED_WATCHED},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct wire f;
        struct sl_staged staged;
        wire_set_up(&f);
        begin_stream(&f);
        struct sl_staging_input in = others[i];
        assert_int_equal(wire_put_input(&f, &in, NULL), 0);
        assert_int_equal(put_plain(&f, NULL), 0);
        sl_staging_take(f.staging, 1, false, &staged);
        assert_int_equal(staged.left_until, INT64_MAX);
        struct sl_chunk *chunk = SL_LIST_OF(staged.chunks.next, struct sl_chunk, node);
        assert_true(chunk->is_wire);
        assert_int_equal(chunk->count, 1);
        assert_int_equal(*sl_staging_wire_tag(chunk, 0), f.next - 3);
        chunk = SL_LIST_OF(chunk->node.next, struct sl_chunk, node);
        assert_false(chunk->is_wire);
        assert_int_equal(sl_staging_record(chunk, 0)->tag, f.next - 2);
        assert_false(wire_last_of(&staged)->is_wire);
        (void)wire_give_back(&f, &staged);
        wire_tear_down(&f);
    }
}

/* Threads that take turns end it too, and a thread that comes alone begins another. */
static void test_other_threads_end_the_stream(void **state) {
    (void)state;
    struct wire f;
    struct sl_staged staged;
    wire_set_up(&f);
    begin_stream(&f);
    for (uintptr_t i = 0; i < 1000; i++) {
        sl_staging_begin(f.staging, 1 + i % 2);
        assert_int_equal(put_plain(&f, NULL), 0);
    }
    sl_staging_take(f.staging, 1, true, &staged);
    SL_LIST_EACH(it, tmp, &staged.chunks) {
        const struct sl_chunk *chunk = SL_LIST_OF(it, struct sl_chunk, node);
        assert_int_equal(chunk->is_wire, chunk->count == 1);
    }
    (void)wire_give_back(&f, &staged);
    begin_stream(&f);
    wire_tear_down(&f);
}

/* Null and empty values, headers, keys that count for nothing: all are kept apart. */
static void test_parts_of_a_record(void **state) {
    (void)state;
    struct wire f;
    struct sl_staged staged;
    wire_set_up(&f);
    f.settings.ignore_keys = true;
    sl_staging_destroy(f.staging);
    assert_int_equal(sl_staging_create(&f.settings, &f.memory.alloc, &f.staging), 0);
    begin_stream(&f);
    struct sl_staging_input records[] = {
        {.topic = "t", .key = "key", .key_size = 3, .value = "v", .value_size = 1},
        {.topic = "t", .key = "", .flags = SL_STAGED_VALUE_NULL},
        {.topic = "t",
         .value = "",
         .headers = "\x02h\x02x",
         .headers_size = 4,
         .header_count = 1,
         .flags = SL_STAGED_KEY_NULL},
    };
    for (int i = 0; i < 3; i++) assert_int_equal(wire_put_input(&f, &records[i], NULL), 0);
    sl_staging_take(f.staging, 1, true, &staged);
    struct sl_chunk *chunk = wire_last_of(&staged);
    assert_true(chunk->is_wire);
    assert_int_equal(chunk->count, 4);
    const uint8_t *data = (const uint8_t *)chunk->data;
    struct sl_batch_walk walk = {
        .at = data + SL_STAGING_WIRE_FRONT, .end = data + chunk->size, .left = 4, .last_delta = 3};
    struct sl_record_out r;
    assert_int_equal(sl_batch_read_next(&walk, &r), 1);
    assert_int_equal(sl_batch_read_next(&walk, &r), 1);
    assert_int_equal(r.key_size, 3);
    assert_memory_equal(r.key, "key", 3);
    assert_memory_equal(r.value, "v", 1);
    assert_int_equal(sl_batch_read_next(&walk, &r), 1);
    assert_int_equal(r.key_size, 0);
    assert_int_equal(r.value_size, -1);
    assert_int_equal(sl_batch_read_next(&walk, &r), 1);
    assert_int_equal(r.key_size, -1);
    assert_int_equal(r.value_size, 0);
    assert_int_equal(r.header_count, 1);
    assert_memory_equal(r.headers, "\x02h\x02x", 4);
    (void)wire_give_back(&f, &staged);
    wire_tear_down(&f);
}

/* A chunk that is being filled stays for linger.ms, and no wake-up is lost meanwhile. */
static void test_open_chunk_lingers(void **state) {
    (void)state;
    struct wire f;
    struct sl_staged staged;
    const int64_t linger = WIRE_LINGER_MS * (int64_t)WIRE_MS;
    bool wake;
    wire_set_up(&f);
    begin_stream(&f);
    sl_staging_take(f.staging, 1, true, &staged); /* ended: begin anew */
    (void)wire_give_back(&f, &staged);
    begin_stream(&f); /* takes at 1 */
    sl_staging_take(f.staging, 700, false, &staged);
    assert_int_equal(staged.records, 0);
    assert_int_equal(staged.left_until, 1 + linger);
    assert_true(sl_staging_has_records(f.staging));
    assert_true(sl_staging_sleep(f.staging, 1));
    assert_int_equal(put_plain(&f, &wake), 0);
    assert_false(wake); /* it is awaited already */
    sl_staging_take(f.staging, linger, false, &staged);
    assert_int_equal(staged.records, 0);
    sl_staging_take(f.staging, linger + 1, false, &staged);
    assert_int_equal(staged.records, 2);
    assert_true(staged.hurry); /* linger is over for all that is open */
    assert_int_equal(staged.left_until, INT64_MAX);
    (void)wire_give_back(&f, &staged);
    assert_true(sl_staging_sleep(f.staging, 1));
    assert_int_equal(put_plain(&f, &wake), 0);
    assert_true(wake);
    wire_tear_down(&f);
}

/* One that came after the take has no time set yet; two full ones wake. */
static void test_sleep_with_open_chunk(void **state) {
    (void)state;
    struct wire f;
    struct sl_staged staged;
    bool wake = false;
    wire_set_up(&f);
    begin_stream(&f);
    uint32_t chunks = 0;
    for (int64_t now = 2; chunks < 1; now++) {
        assert_int_equal(put_plain(&f, &wake), 0);
        sl_staging_take(f.staging, now, false, &staged);
        if (!sl_list_is_empty(&staged.chunks)) chunks++;
        (void)wire_give_back(&f, &staged);
    }
    assert_true(sl_staging_sleep(f.staging, 1));
    size_t bytes = 0;
    while (!wake) {
        assert_int_equal(put_plain(&f, &wake), 0);
        bytes += 20;
        assert_true(bytes < 4 * (size_t)WIRE_BATCH);
    }
    assert_true(bytes > (size_t)WIRE_BATCH);
    /* The chunk that is open now was opened since the last take. */
    assert_false(sl_staging_sleep(f.staging, 1));
    sl_staging_take(f.staging, 50, false, &staged);
    assert_int_equal(staged.left_until, 50 + WIRE_LINGER_MS * (int64_t)WIRE_MS);
    (void)wire_give_back(&f, &staged);
    assert_true(sl_staging_sleep(f.staging, 1));
    wire_tear_down(&f);
}

/* Someone without room gets what can be had. */
static void test_refused_records_take_the_open_chunk(void **state) {
    (void)state;
    struct wire f;
    struct sl_staged staged;
    bool wake;
    wire_set_up(&f);
    begin_stream(&f);
    for (int i = 0; i < 4; i++) assert_int_equal(put_plain(&f, NULL), 0);
    f.settings.buffer_memory = sl_staging_used(f.staging) + 10;
    assert_int_equal(put_plain(&f, &wake), SLUICE_ERR_FULL);
    sl_staging_take(f.staging, 2, false, &staged);
    assert_int_equal(staged.records, 5);
    assert_true(staged.hurry);
    f.settings.buffer_memory = 1 << 20;
    (void)wire_give_back(&f, &staged);
    wire_tear_down(&f);
}

/* A chunk larger than all that may be staged can be filled all the same. */
static void test_batches_larger_than_the_bound(void **state) {
    (void)state;
    static const uint8_t value[SL_STAGING_LARGE - 1];
    struct sl_staged staged;
    struct wire f;
    wire_prepare(&f);
    f.settings.buffer_memory = 1 << 30;
    f.settings.batch_size = f.settings.max_request_size = 3 * SL_STAGING_BOUND;
    wire_open(&f);
    struct sl_staging_input in = {.topic = "t",
                                  .value = value,
                                  .value_size = sizeof value,
                                  .partition = -1,
                                  .flags = SL_STAGED_KEY_NULL};
    uint32_t full = 0;
    while (full < 2) {
        if (wire_put_input(&f, &in, NULL) == 0) continue;
        sl_staging_take(f.staging, 1, false, &staged);
        full += !sl_list_is_empty(&staged.chunks) && wire_last_of(&staged)->is_wire;
        assert_true(staged.room);
        assert_int_equal(wire_put_input(&f, &in, NULL), 0);
        (void)wire_give_back(&f, &staged);
    }
    wire_tear_down(&f);
}

static void test_settings_without_wire_chunks(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct wire f;
        struct sl_staged staged;
        wire_set_up(&f);
        sl_staging_destroy(f.staging);
        if (kind == 0) f.settings.partitioner = SL_PARTITIONER_RANDOM;
        if (kind == 1) f.settings.partitioner = SL_PARTITIONER_ROUNDROBIN;
        if (kind == 2) f.settings.batch_size = SL_STAGING_WIRE_MIN - 1;
        if (kind == 3) f.settings.buffer_memory = 100000;
        assert_int_equal(sl_staging_create(&f.settings, &f.memory.alloc, &f.staging), 0);
        for (int i = 0; i < 500; i++) assert_int_equal(put_plain(&f, NULL), 0);
        sl_staging_take(f.staging, 1, false, &staged);
        assert_int_equal(staged.records, 500);
        SL_LIST_EACH(it, tmp, &staged.chunks) {
            assert_false(SL_LIST_OF(it, struct sl_chunk, node)->is_wire);
        }
        (void)wire_give_back(&f, &staged);
        wire_tear_down(&f);
    }
}

static void test_no_memory_for_a_chunk(void **state) {
    (void)state;
    struct wire f;
    wire_set_up(&f);
    begin_stream(&f);
    int rv = 0;
    while (rv == 0) {
        test_memory_fail_next(&f.memory);
        rv = put_plain(&f, NULL);
    }
    assert_int_equal(rv, SLUICE_ERR_NOMEM);
    test_memory_fail_at(&f.memory, 0);
    assert_int_equal(put_plain(&f, NULL), 0);
    wire_tear_down(&f);
}

static const char *name_of_topic(void *owner, uint32_t index) {
    assert_null(owner);
    assert_int_equal(index, 0);
    return "t";
}

/* The report of what is left of a chunk needs no memory. */
static void test_reports_in_place(void **state) {
    (void)state;
    for (uint32_t done = 0; done < 4; done++) {
        struct wire f;
        struct sl_staged staged;
        wire_set_up(&f);
        begin_stream(&f);
        uint64_t first = f.next - 1;
        for (int i = 0; i < 4; i++) assert_int_equal(put_plain(&f, NULL), 0);
        sl_staging_take(f.staging, 1, true, &staged);
        struct sl_chunk *chunk = wire_last_of(&staged);
        sl_list_remove(&chunk->node);
        int64_t charge = chunk->charge;
        chunk->done = done; /* their charge is given back at once here */
        struct sl_delivery_sum sum = {0};
        sl_list_init(&sum.values);
        test_memory_fail_from(&f.memory, 1);
        struct sl_delivery *d = sl_delivery_from_chunk(chunk, -7, name_of_topic, NULL, &sum);
        test_memory_fail_at(&f.memory, 0);
        assert_int_equal(sum.count, 5 - done);
        assert_int_equal(sum.charge, charge);
        assert_int_equal(d->count, 5 - done);
        assert_int_equal(d->code, -7);
        assert_int_equal(d->outcome, SL_OUTCOME_NOT_WRITTEN);
        assert_string_equal(d->topic, "t");
        assert_null(d->more);
        for (int32_t i = 0; i < d->count; i++)
            assert_int_equal(d->tags[i], first + done + (uint64_t)i);
        sl_delivery_destroy(&f.memory.alloc, d);
        struct sl_list none;
        sl_list_init(&none);
        (void)sl_staging_give(f.staging, &none, charge);
        wire_tear_down(&f);
    }
}

/* ---- with a core ---- */

static void put_stream(struct prod *p, const char *topic, uint64_t first, uint64_t last) {
    for (uint64_t tag = first; tag <= last; tag++) prod_put(p, topic, -1, tag);
}

static void test_stream_is_written(void **state) {
    (void)state;
    static const int codecs[] = {SL_CODEC_NONE, SL_CODEC_LZ4};
    for (int c = 0; c < 2; c++) {
        struct prod *p = wire_prod();
        p->h->settings.codec = codecs[c];
        prod_open(p);
        prod_put(p, "t", -1, 0);
        prod_serve_for(p, 50);
        uint64_t largest = 0;
        for (uint64_t tag = 1; tag < 2000; tag += 100) {
            put_stream(p, "t", tag, tag + 99);
            prod_turn(p);
            while (prod_waiting(p) > 0) {
                prod_next(p, &req);
                for (int32_t i = 0; i < req.count; i++) {
                    if ((uint64_t)req.parts[i].info.record_count > largest)
                        largest = (uint64_t)req.parts[i].info.record_count;
                    assert_true(req.parts[i].info.base_timestamp >= 1000);
                    prod_append(p, &req.parts[i], &req.r);
                }
                prod_reply(p, &req);
            }
            prod_forget_requests(p);
        }
        /* What is staged apart takes 64 bytes a record; a wire chunk holds more of them. */
        assert_true(largest > WIRE_BATCH / 30);
        prod_serve_for(p, 100);
        prod_expect(p, 0, 2000, SL_OUTCOME_WRITTEN);
        wire_expect_logs(p, 0, 2000);
        prod_end(p);
    }
}

/* Puts records until the next ones are staged in wire form, and serves them. Returns the next tag. */
static uint64_t reach_stream(struct prod *p, const char *topic, uint64_t tag) {
    for (;;) {
        struct sl_staged staged;
        prod_put(p, topic, -1, tag++);
        sl_staging_take(p->staging, p->h->now, false, &staged);
        sl_core_on_staged(p->h->core, &staged);
        if (staged.left_until != INT64_MAX) return tag;
        assert_true(tag < PROD_TAGS);
    }
}

/* A chunk with few records joins the batch that is open. */
static void test_small_chunk_joins(void **state) {
    (void)state;
    struct prod *p = prod_open(wire_prod());
    uint64_t next = reach_stream(p, "t", 0);
    prod_serve_for(p, 100);
    next = reach_stream(p, "t", next);
    put_stream(p, "t", next, next + 4);
    struct sl_op *op = prod_flush(p, 1000);
    prod_turn(p);
    assert_int_equal(prod_waiting(p), 1);
    prod_next(p, &req);
    assert_int_equal(req.count, 1);
    assert_int_equal(req.parts[0].last_tag, next + 4);
    assert_true(req.parts[0].first_tag < next - 1);
    prod_append(p, &req.parts[0], &req.r);
    prod_reply(p, &req);
    prod_serve(p);
    assert_int_equal(op->state, SL_OP_ENDED);
    prod_expect(p, 0, next + 4, SL_OUTCOME_WRITTEN);
    wire_expect_logs(p, 0, next + 4);
    prod_end(p);
}

/* linger.ms holds for a chunk that staging keeps: not later, and not much sooner. */
static void test_linger_of_an_open_chunk(void **state) {
    (void)state;
    struct prod *p = prod_open(wire_prod());
    uint64_t next = reach_stream(p, "t", 0);
    prod_serve_for(p, 100);
    prod_expect(p, 0, next - 1, SL_OUTCOME_WRITTEN);
    uint64_t first = next;
    next = reach_stream(p, "t", next); /* the last one is left at this moment */
    prod_turn(p);
    int64_t until = sl_core_deadline(p->h->core);
    assert_true(until <= p->h->now + WIRE_LINGER_MS * (int64_t)WIRE_MS);
    while (p->reports[next - 1] == 0) {
        assert_true(p->h->now < until + 10 * (int64_t)WIRE_MS);
        prod_advance(p, 5);
        prod_serve(p);
    }
    prod_expect(p, first, next - 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* The chunk waits for its topic as it is, with all that came before and after it. */
static void test_topic_is_not_known_yet(void **state) {
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        struct prod *p = prod_open(wire_prod());
        p->h->settings.delivery_timeout_ms = 5000;
        p->h->topics[1] = (struct host_topic){.name = "later",
                                              .id = 8,
                                              .code = 3,
                                              .partition_count = 0,
                                              .leader = 1,
                                              .leader_epoch = 5};
        p->h->topic_count = 2;
        for (uint64_t tag = 0; tag < 1500; tag += 50) {
            put_stream(p, "later", tag, tag + 49);
            prod_serve(p);
        }
        prod_serve_for(p, 30);
        prod_expect_none(p, 0, 1499);
        if (refused == 0) {
            p->h->topics[1].code = 0;
            p->h->topics[1].partition_count = 3;
        }
        prod_serve_for(p, refused == 0 ? 3000 : 8000);
        prod_expect(p, 0, 1499, refused == 0 ? SL_OUTCOME_WRITTEN : SL_OUTCOME_NOT_WRITTEN);
        if (refused == 0) wire_expect_logs(p, 0, 1499);
        prod_end(p);
    }
}

/* The broker takes smaller batches than the settings say: what is staged larger is cut. */
static void test_topic_with_a_lower_limit(void **state) {
    (void)state;
    struct prod *p = wire_prod();
    prod_open(p);
    prod_put(p, "t", -1, 0);
    prod_serve_for(p, 50);
    int32_t limit = WIRE_BATCH / 3;
    int refused = 0;
    for (uint64_t tag = 1; tag < 2000; tag += 500) {
        put_stream(p, "t", tag, tag + 499);
        for (int64_t ms = 0; ms < 1000; ms += 10) {
            prod_turn(p);
            while (prod_waiting(p) > 0) {
                prod_next(p, &req);
                for (int32_t i = 0; i < req.count; i++) {
                    if (req.parts[i].info.size > limit) {
                        req.parts[i].code = SLUICE_KAFKA_MESSAGE_TOO_LARGE;
                        refused++;
                    } else {
                        prod_append(p, &req.parts[i], &req.r);
                    }
                }
                prod_reply(p, &req);
            }
            prod_forget_requests(p);
            prod_advance(p, 10);
        }
    }
    prod_serve_for(p, 1000);
    assert_true(refused > 0 && refused < 12);
    prod_expect(p, 0, 2000, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

static int try_put_keyless(struct prod *p, uint64_t tag) { return prod_try_put(p, "t", -1, tag); }

static bool stream_without_memory(long n, bool for_long) {
    struct prod *p = wire_prod();
    uint64_t next;
    bool failed = wire_short_of_memory(p, n, for_long, try_put_keyless, &next);
    prod_end(p);
    return failed;
}
static void test_every_allocation_may_fail(void **state) {
    (void)state;
    wire_fail_each_allocation(stream_without_memory);
}

/* What the core has and cannot encode, or what waits for its topic, ends when it is asked to. */
static void test_discard_and_close(void **state) {
    (void)state;
    for (int closes = 0; closes < 2; closes++) {
        struct prod *p = prod_open(wire_prod());
        p->h->topics[0].partition_count = 0;
        p->h->topics[0].code = 3;
        p->h->settings.delivery_timeout_ms = 5000;
        uint64_t next = reach_stream(p, "t", 0);
        put_stream(p, "t", next, next + 300);
        prod_turn(p);
        prod_command(p, closes != 0 ? SL_COMMAND_CLOSE : SL_COMMAND_DISCARD);
        prod_serve_for(p, closes != 0 ? 6000 : 100);
        prod_expect(p, 0, next + 300, SL_OUTCOME_NOT_WRITTEN);
        prod_end(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk_holds_a_batch),
        cmocka_unit_test(test_other_records_end_the_stream),
        cmocka_unit_test(test_other_threads_end_the_stream),
        cmocka_unit_test(test_parts_of_a_record),
        cmocka_unit_test(test_open_chunk_lingers),
        cmocka_unit_test(test_sleep_with_open_chunk),
        cmocka_unit_test(test_refused_records_take_the_open_chunk),
        cmocka_unit_test(test_batches_larger_than_the_bound),
        cmocka_unit_test(test_settings_without_wire_chunks),
        cmocka_unit_test(test_no_memory_for_a_chunk),
        cmocka_unit_test(test_reports_in_place),
        cmocka_unit_test(test_stream_is_written),
        cmocka_unit_test(test_small_chunk_joins),
        cmocka_unit_test(test_linger_of_an_open_chunk),
        cmocka_unit_test(test_topic_is_not_known_yet),
        cmocka_unit_test(test_topic_with_a_lower_limit),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_discard_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
