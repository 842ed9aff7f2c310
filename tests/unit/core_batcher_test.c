/* Goal: records become batches by the rules of linger, size, key and topic; every accepted record
 * has exactly one outcome, and the memory account is even at the end. Method: a whole core with a
 * scripted broker in virtual time (core_producer.h), every batch decoded as it arrives; every
 * allocation failed in turn. */
#include "core_producer.h"

#include "core/partitioner.h"

static struct prod_request req;

/* A producer whose identity is known and whose link to the broker is open. */
static struct prod *begin_with(struct prod *p) {
    prod_open(p);
    prod_put(p, "t", 0, 0);
    prod_serve_for(p, 10);
    prod_expect(p, 0, 0, SL_OUTCOME_WRITTEN);
    return p;
}
static struct prod *start(void) { return begin_with(prod_prepare()); }

static void test_records_become_one_batch(void **state) {
    (void)state;
    struct prod *p = prod_open(prod_prepare());
    for (uint64_t tag = 1; tag <= 50; tag++) prod_put(p, "t", 1, tag);
    prod_turn(p);
    prod_answer_id(p, 0, 4000, 3);
    /* They have waited for their topic and do not linger on top. */
    assert_int_equal(prod_waiting(p), 1);
    prod_next(p, &req);
    assert_int_equal(req.r.header.version, 13);
    assert_int_equal(req.acks, -1);
    assert_int_equal(req.count, 1);
    const struct prod_part *part = &req.parts[0];
    assert_string_equal(part->topic, "t");
    assert_int_equal(part->partition, 1);
    assert_int_equal(part->info.record_count, 50);
    assert_int_equal(part->info.producer_id, 4000);
    assert_int_equal(part->info.producer_epoch, 3);
    assert_int_equal(part->info.base_sequence, 0);
    assert_int_equal(part->info.base_timestamp, 1000);
    assert_int_equal(part->first_tag, 1);
    assert_int_equal(part->last_tag, 50);
    req.parts[0].base_offset = 700;
    prod_reply(p, &req);
    prod_expect(p, 1, 50, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->offset[1], 700);
    assert_int_equal(p->offset[50], 749);
    assert_int_equal(p->partition[9], 1);
    assert_int_equal(p->written, 50);
    prod_end(p);
}

/* Flush, hurry, a waiter for memory: each ends linger at once. */
static void test_linger_ends_early(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.linger_ms = 60000;
    prod_put(p, "t", 0, 1);
    prod_turn(p);
    assert_int_equal(prod_waiting(p), 0);
    prod_command(p, SL_COMMAND_HURRY);
    prod_turn(p);
    assert_int_equal(prod_waiting(p), 1);
    prod_answer(p, &req, 0, 1);
    prod_put(p, "t", 0, 2);
    struct sl_op *op = prod_flush(p, 1000);
    prod_turn(p);
    assert_int_equal(op->state, SL_OP_PENDING);
    prod_answer(p, &req, 0, 2);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, 0);
    p->h->settings.buffer_memory = sl_staging_used(p->staging) + 150;
    prod_put(p, "t", 0, 3);
    prod_turn(p);
    assert_int_equal(prod_try_put(p, "t", 0, 4), SLUICE_ERR_FULL);
    prod_turn(p);
    assert_int_equal(prod_waiting(p), 1);
    prod_answer(p, &req, 0, 3);
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* batch.size closes batches; none is larger, order goes on from one to the next. */
static void test_full_batches_are_sent_without_linger(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.batch_size = 1000;
    begin_with(p);
    p->h->settings.linger_ms = 60000;
    for (uint64_t tag = 1; tag <= 200; tag++) prod_put(p, "t", 2, tag);
    prod_turn(p);
    uint64_t next = 1;
    while (prod_waiting(p) > 0) {
        prod_next(p, &req);
        assert_int_equal(req.count, 1);
        assert_true(req.parts[0].info.size <= 1000);
        assert_true(req.parts[0].info.size > 900);
        assert_int_equal(req.parts[0].first_tag, next);
        next = req.parts[0].last_tag + 1;
        prod_reply(p, &req);
    }
    assert_true(next > 150); /* the last ones linger */
    (void)prod_flush(p, -1);
    prod_serve(p);
    prod_expect(p, 1, 200, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

static void test_key_decides(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.linger_ms = 0;
    for (uint64_t tag = 1; tag <= 30; tag++) {
        char key[16];
        struct sl_staging_input in = {
            .topic = "t", .key = key, .value = &tag, .value_size = sizeof tag, .tag = tag};
        in.key_size = (uint32_t)snprintf(key, sizeof key, "key-%d", (int)tag);
        assert_int_equal(prod_put_input(p, &in), 0);
    }
    prod_serve(p);
    prod_expect(p, 1, 30, SL_OUTCOME_WRITTEN);
    for (int tag = 1; tag <= 30; tag++) {
        char key[16];
        int size = snprintf(key, sizeof key, "key-%d", tag);
        assert_int_equal(p->partition[tag],
                         sl_partitioner_of_key(SL_KEY_HASH_MURMUR2, key, (uint32_t)size, 3));
    }
    prod_end(p);
}

/* Records without key stay together for 16 KiB, then turn at the end of a batch. */
static void test_sticky_choice_turns_after_16_kib(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.linger_ms = 0;
    uint8_t value[1000] = {0};
    int turns = 0;
    int32_t before = -1;
    for (uint64_t tag = 1; tag <= 400; tag++) {
        memcpy(value, &tag, sizeof tag);
        struct sl_staging_input in = {.topic = "t",
                                      .value = value,
                                      .value_size = sizeof value,
                                      .tag = tag,
                                      .flags = SL_STAGED_KEY_NULL};
        assert_int_equal(prod_put_input(p, &in), 0);
        prod_serve(p);
        prod_expect(p, tag, tag, SL_OUTCOME_WRITTEN);
        turns += p->partition[tag] != before;
        before = p->partition[tag];
    }
    /* 400 kB make 24 choices at most, a third of which chooses the same again. */
    assert_in_range(turns, 8, 25);
    prod_end(p);
}

/* Sends `count` records whose key is the given one (NULL: none) and awaits them; tags from first. */
static void send_keyed(struct prod *p, const char *key, uint64_t first, uint64_t count) {
    for (uint64_t tag = first; tag < first + count; tag++) {
        struct sl_staging_input in = {.topic = "t",
                                      .key = key,
                                      .key_size = key == NULL ? 0 : (uint32_t)strlen(key),
                                      .value = &tag,
                                      .value_size = sizeof tag,
                                      .tag = tag,
                                      .flags = key == NULL ? SL_STAGED_KEY_NULL : 0};
        assert_int_equal(prod_put_input(p, &in), 0);
    }
    prod_serve_for(p, 20);
    prod_expect(p, first, first + count - 1, SL_OUTCOME_WRITTEN);
}

static struct prod *start_with(enum sl_partitioner_name name, bool ignore_keys) {
    struct prod *p = prod_prepare();
    p->h->settings.partitioner = name;
    p->h->settings.ignore_keys = ignore_keys;
    return prod_open(p);
}

/* One choice a record, whether or not a batch is full, and batches fill nonetheless. */
static void test_round_robin_counts_records(void **state) {
    (void)state;
    struct prod *p = start_with(SL_PARTITIONER_ROUNDROBIN, false);
    p->h->settings.batch_size = 200;
    send_keyed(p, "key", 1, 300);
    for (uint64_t tag = 2; tag <= 300; tag++)
        assert_int_equal(p->partition[tag], (p->partition[tag - 1] + 1) % 3);
    /* A partition that the record names takes no turn. */
    prod_put(p, "t", 2, 301);
    prod_serve_for(p, 20);
    assert_int_equal(p->partition[301], 2);
    send_keyed(p, NULL, 302, 1);
    assert_int_equal(p->partition[302], (p->partition[300] + 1) % 3);
    prod_end(p);
}

static void test_random_draws_for_each_record(void **state) {
    int counts[3] = {0};
    int turns = 0;
    (void)state;
    struct prod *p = start_with(SL_PARTITIONER_RANDOM, false);
    send_keyed(p, "key", 1, 900);
    for (uint64_t tag = 1; tag <= 900; tag++) {
        counts[p->partition[tag]]++;
        turns += tag > 1 && p->partition[tag] != p->partition[tag - 1];
    }
    for (int i = 0; i < 3; i++) assert_in_range(counts[i], 240, 360);
    assert_in_range(turns, 540, 660);
    prod_end(p);
}

/* What each does with keys, empty keys and none. */
static void test_partitioners_place_as_their_models(void **state) {
    enum { STICKY = -1 };
    static const struct {
        enum sl_partitioner_name name;
        bool ignore_keys;
        int32_t of_foobar, of_empty, of_null; /* of 3 partitions, STICKY: all on one */
    } cases[] = {
        {SL_PARTITIONER_MURMUR2_RANDOM, false, 0x50e47bbe % 3, 0x106e08d9 % 3, STICKY},
        {SL_PARTITIONER_MURMUR2, false, 0x50e47bbe % 3, 0x106e08d9 % 3, 0x106e08d9 % 3},
        {SL_PARTITIONER_CONSISTENT_RANDOM, false, 0x9ef61f95 % 3, STICKY, STICKY},
        {SL_PARTITIONER_CONSISTENT, false, 0x9ef61f95 % 3, 0, 0},
        {SL_PARTITIONER_FNV1A_RANDOM, false, 0x40630698 % 3, 0x7ee3623b % 3, STICKY},
        {SL_PARTITIONER_FNV1A, false, 0x40630698 % 3, 0x7ee3623b % 3, 0x7ee3623b % 3},
        {SL_PARTITIONER_MURMUR2_RANDOM, true, STICKY, STICKY, STICKY},
    };
    static const char *const keys[] = {"foobar", "", NULL};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct prod *p = start_with(cases[i].name, cases[i].ignore_keys);
        const int32_t wanted[] = {cases[i].of_foobar, cases[i].of_empty, cases[i].of_null};
        int32_t sticky = -1;
        for (uint64_t key = 0; key < 3; key++) {
            send_keyed(p, keys[key], 1 + key * 10, 10);
            for (uint64_t tag = 1 + key * 10; tag <= 10 + key * 10; tag++) {
                if (wanted[key] == STICKY && sticky < 0) sticky = p->partition[tag];
                assert_int_equal(p->partition[tag], wanted[key] == STICKY ? sticky : wanted[key]);
            }
        }
        prod_end(p);
    }
}

/* Where the empty key goes depends on how many partitions there are. */
static void test_fixed_choice_follows_growth(void **state) {
    (void)state;
    struct prod *p = start_with(SL_PARTITIONER_MURMUR2, false);
    send_keyed(p, NULL, 1, 5);
    assert_int_equal(p->partition[5], 0x106e08d9 % 3);
    p->h->topics[0].partition_count = 7;
    host_advance(p->h, 5000);
    sl_metadata_refresh(p->h->core, sl_map_get(&p->h->core->metadata.by_name, "t", strlen("t")));
    host_advance(p->h, 50);
    send_keyed(p, NULL, 6, 5);
    assert_int_equal(p->partition[10], 0x106e08d9 % 7);
    prod_end(p);
}

/* With partitioner.availability.timeout.ms, records without key avoid a broker that has taken
 * nothing for so long, until it takes again; without, it gets its share. */
static void avoid_stuck_broker(int32_t timeout_ms, bool is_avoided) {
    struct prod *p = prod_prepare();
    p->h->settings.availability_timeout_ms = timeout_ms;
    p->h->settings.max_in_flight = 1;
    prod_open(p);
    prod_put(p, "t", 0, 1);
    prod_serve_for(p, 20);
    struct sl_topic *topic = sl_map_get(&p->h->core->metadata.by_name, "t", strlen("t"));
    struct sl_broker *broker = sl_brokers_find(p->h->core, 1);
    assert_int_equal(broker->stuck_since, 0);
    /* One request is under way and not answered; the next batch has to wait. */
    prod_put(p, "t", 0, 2);
    prod_advance(p, 10);
    assert_int_equal(broker->stuck_since, 0);
    prod_put(p, "t", 1, 3);
    prod_advance(p, 10);
    assert_int_not_equal(broker->stuck_since, 0);
    prod_advance(p, 1000);
    topic->partitions[2]->leader = 9; /* somebody else's */
    int elsewhere = 0;
    struct sl_partitioner_load load = {0};
    for (int i = 0; i < 100; i++) elsewhere += sl_partitioner_choose(p->h->core, &load, topic) == 2;
    sl_partitioner_load_deinit(&load, p->h->core->alloc);
    assert_int_equal(elsewhere == 100, is_avoided);
    topic->partitions[2]->leader = 1;
    prod_serve_for(p, 100);
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    assert_int_equal(broker->stuck_since, 0);
    prod_end(p);
}
static void test_stuck_brokers_are_avoided(void **state) {
    (void)state;
    avoid_stuck_broker(500, true);
    avoid_stuck_broker(2000, false);
    avoid_stuck_broker(0, false);
}

/* What the record says about key, value, headers and time is what arrives. */
static void test_all_parts_of_a_record_arrive(void **state) {
    (void)state;
    struct prod *p = start();
    p->plain_values = true;
    uint8_t headers[64];
    size_t size = sl_batch_write_user_header(headers, "h", 1, "x", 1);
    size += sl_batch_write_user_header(headers + size, "h", 1, NULL, -1);
    struct sl_staging_input in = {.topic = "t",
                                  .key = "",
                                  .headers = headers,
                                  .headers_size = (uint32_t)size,
                                  .header_count = 2,
                                  .timestamp_ms = 5000000000000,
                                  .tag = 1,
                                  .flags = SL_STAGED_PARTITION | SL_STAGED_TIMESTAMP |
                                           SL_STAGED_VALUE_NULL};
    assert_int_equal(prod_put_input(p, &in), 0);
    struct sl_staging_input plain = {.topic = "t",
                                     .value = "v",
                                     .value_size = 1,
                                     .tag = 2,
                                     .flags = SL_STAGED_KEY_NULL | SL_STAGED_PARTITION};
    assert_int_equal(prod_put_input(p, &plain), 0);
    prod_advance(p, 5);
    struct host_request r = host_next_request(p->h, SL_API_PRODUCE);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_produce_request *message = host_decode(&r, &arena);
    const struct sl_produce_topic *topic = message->topics.items;
    const struct sl_records *records =
        &((const struct sl_produce_partition *)topic->partitions.items)->records;
    struct sl_batch_info info;
    assert_int_equal(sl_batch_read_info(records->data, (size_t)records->size, &info), 0);
    assert_int_equal(info.base_timestamp, 5000000000000);
    assert_int_equal(info.max_timestamp, 5000000000000);
    struct sl_batch_walk walk;
    sl_batch_read_start(&walk, &info, records->data + SL_RECORD_HEADER_SIZE,
                        (size_t)records->size - SL_RECORD_HEADER_SIZE);
    struct sl_record_out out;
    assert_int_equal(sl_batch_read_next(&walk, &out), 1);
    assert_int_equal(out.key_size, 0);
    assert_int_equal(out.value_size, -1);
    assert_int_equal(out.header_count, 2);
    assert_memory_equal(out.headers, headers, size);
    assert_int_equal(sl_batch_read_next(&walk, &out), 1);
    assert_int_equal(out.key_size, -1);
    assert_int_equal(out.value_size, 1);
    assert_int_equal(out.timestamp, p->h->now / 1000000 - 5); /* stamped when taken */
    assert_int_equal(sl_batch_read_next(&walk, &out), 0);
    sl_arena_deinit(&arena);
    prod_end(p);
}

/* Values from 2 KiB on are sent from where they lie; batches stay within the pieces of a request;
 * with each codec the same records come out. */
static void test_large_values_with_every_codec(void **state) {
    (void)state;
    static uint8_t value[40000];
    for (int codec = SL_CODEC_NONE; codec < SL_CODEC_COUNT; codec++) {
        struct prod *p = prod_prepare();
        p->h->settings.codec = codec;
        p->h->settings.level = SL_COMPRESS_LEVEL_DEFAULT;
        p->h->settings.batch_size = 1000000;
        prod_open(p);
        enum { COUNT = 700 };
        for (uint64_t tag = 0; tag < COUNT; tag++) {
            for (size_t i = 0; i < sizeof value; i++) value[i] = (uint8_t)(i * tag >> 5);
            memcpy(value, &tag, sizeof tag);
            struct sl_staging_input in = {.topic = "t",
                                          .value = value,
                                          .tag = tag,
                                          .flags = SL_STAGED_KEY_NULL | SL_STAGED_PARTITION};
            in.value_size = tag % 50 == 0 ? sizeof value : tag % 3 == 0 ? 100 : 2048;
            assert_int_equal(prod_put_input(p, &in), 0);
        }
        prod_turn(p);
        prod_answer_id(p, 0, 1, 0);
        uint64_t next = 0;
        for (int i = 0; next < COUNT; i++) {
            assert_true(i < 200);
            prod_advance(p, 5);
            if (prod_waiting(p) == 0) continue;
            prod_next(p, &req);
            assert_int_equal(req.parts[0].first_tag, next);
            next = req.parts[0].last_tag + 1;
            prod_reply(p, &req);
        }
        prod_expect(p, 0, COUNT - 1, SL_OUTCOME_WRITTEN);
        prod_end(p);
    }
}

/* What does not shrink is sent as it is. */
static void test_incompressible_batch_goes_uncompressed(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.codec = SL_CODEC_LZ4;
    p->h->settings.level = SL_COMPRESS_LEVEL_DEFAULT;
    prod_open(p);
    prod_put(p, "t", 0, 1);
    prod_turn(p);
    prod_answer_id(p, 0, 1, 0);
    prod_advance(p, 5);
    struct host_request r = host_next_request(p->h, SL_API_PRODUCE);
    req.r = r;
    prod_decode(p, &req);
    assert_true(req.parts[0].info.attributes == 0);
    prod_reply(p, &req);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* ---- topics that are not known ---- */

/* An unknown topic holds up no other; when it is known, order is kept and nothing lingers. */
/* A topic with batches is in use however long they take; one without is forgotten, and asked for
 * with its next record, which does not wait for that. */
static void test_idle_topics_are_forgotten(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.metadata_max_age_ms = 20000;
    p->h->settings.metadata_max_idle_ms = 5000;
    prod_open(p);
    prod_put(p, "t", 0, 1);
    prod_serve_for(p, 10);
    const struct sl_topic *topic = sl_map_get(&p->h->core->metadata.by_name, "t", strlen("t"));
    prod_put(p, "t", 0, 2);
    prod_advance(p, 10);
    assert_int_equal(prod_waiting(p), 1); /* and is not answered */
    prod_advance(p, 21000);
    assert_false(topic->forgotten);
    prod_serve(p);
    prod_advance(p, 21000);
    assert_true(topic->forgotten);
    int64_t updated_at = topic->updated_at;
    prod_put(p, "t", 0, 3);
    prod_advance(p, 5);
    assert_false(topic->forgotten);
    assert_int_equal(prod_waiting(p), 1);
    prod_serve(p);
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    assert_true(topic->updated_at > updated_at);
    prod_end(p);
}

static void test_unknown_topic_waits_alone(void **state) {
    (void)state;
    struct prod *p = start();
    for (uint64_t tag = 1; tag <= 100; tag += 2) {
        prod_put(p, "late", 0, tag);
        prod_put(p, "t", 0, tag + 1);
        if (tag % 20 == 1) prod_serve_for(p, 300);
    }
    prod_serve_for(p, 20);
    for (uint64_t tag = 1; tag <= 100; tag += 2) {
        prod_expect_none(p, tag, tag);
        prod_expect(p, tag + 1, tag + 1, SL_OUTCOME_WRITTEN);
    }
    p->h->topics[1] =
        (struct host_topic){.name = "late", .id = 8, .partition_count = 1, .leader = 1};
    p->h->topic_count = 2;
    prod_serve_for(p, 2000);
    prod_expect(p, 1, 100, SL_OUTCOME_WRITTEN);
    const struct prod_log *log = prod_log(p, "late", 0);
    assert_int_equal(log->count, 50);
    for (int i = 0; i < 50; i++) assert_int_equal(log->tags[i], 2 * i + 1);
    prod_end(p);
}

/* A record that is taken in the turn in which the partitions become known comes behind those that
 * have waited for them. */
static void test_what_waited_goes_first(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->hold_metadata = true;
    p->h->topics[1] =
        (struct host_topic){.name = "late", .id = 8, .partition_count = 1, .leader = 1};
    p->h->topic_count = 2;
    prod_put(p, "late", 0, 1);
    prod_advance(p, 200);
    struct host_request r = host_next_request(p->h, SL_API_METADATA);
    p->h->hold_metadata = false;
    prod_put(p, "late", 0, 2);
    prod_take(p);
    host_answer_metadata(p->h, &r);
    prod_serve_for(p, 200);
    prod_expect(p, 1, 2, SL_OUTCOME_WRITTEN);
    const struct prod_log *log = prod_log(p, "late", 0);
    assert_int_equal(log->tags[0], 1);
    assert_int_equal(log->tags[1], 2);
    prod_end(p);
}

static void test_refused_topic_ends_what_waits(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->topics[1] =
        (struct host_topic){.name = "secret", .code = SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED};
    p->h->topic_count = 2;
    for (uint64_t tag = 1; tag <= 20; tag++) prod_put(p, "secret", -1, tag);
    prod_serve_for(p, 1000);
    prod_expect(p, 1, 20, SL_OUTCOME_NOT_WRITTEN);
    for (int tag = 1; tag <= 20; tag++)
        assert_int_equal(p->code[tag], SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(p->not_written, 20);
    /* The application may try again, and the topic is asked for again. */
    p->h->topics[1] =
        (struct host_topic){.name = "secret", .id = 8, .partition_count = 1, .leader = 1};
    prod_put(p, "secret", -1, 21);
    prod_serve_for(p, 2000);
    prod_expect(p, 21, 21, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

static void test_waiting_records_expire(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.delivery_timeout_ms = 10000;
    prod_put(p, "nowhere", -1, 1);
    prod_advance(p, 6000);
    prod_put(p, "nowhere", -1, 2);
    prod_advance(p, 3990);
    prod_expect_none(p, 1, 2);
    prod_advance(p, 10);
    prod_expect(p, 1, 1, SL_OUTCOME_NOT_WRITTEN);
    assert_int_equal(p->code[1], SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    prod_expect_none(p, 2, 2);
    prod_advance(p, 6000);
    prod_expect(p, 2, 2, SL_OUTCOME_NOT_WRITTEN);
    prod_end(p);
}

static void test_partition_that_does_not_exist(void **state) {
    (void)state;
    struct prod *p = start();
    prod_put(p, "t", 2, 1);
    prod_put(p, "t", 3, 2);
    prod_put(p, "t", 1, 3);
    prod_serve_for(p, 10);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_expect(p, 2, 2, SL_OUTCOME_NOT_WRITTEN);
    assert_int_equal(p->code[2], SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(p->partition[2], 3);
    prod_expect(p, 3, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* ---- a slow broker gets large batches ---- */

static void test_due_batch_grows_while_others_wait(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.max_in_flight = 1;
    for (uint64_t tag = 1; tag <= 100; tag++) {
        prod_put(p, "t", 0, tag);
        prod_advance(p, 6); /* each lingers by itself */
    }
    int32_t sizes[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(prod_waiting(p), 1);
        prod_next(p, &req);
        sizes[i] = req.parts[0].info.record_count;
        prod_reply(p, &req);
    }
    assert_int_equal(sizes[0], 1);
    assert_int_equal(sizes[1], 99);
    prod_expect(p, 1, 100, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* With a codec the batch behind is closed and compressed while it waits; the next grows. */
static void test_due_batch_grows_behind_a_closed_one(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.max_in_flight = 1;
    p->h->settings.codec = SL_CODEC_LZ4;
    begin_with(p);
    for (uint64_t tag = 1; tag <= 100; tag++) {
        prod_put(p, "t", 0, tag);
        prod_advance(p, 6);
    }
    const int32_t expected[] = {1, 1, 98};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(prod_waiting(p), 1);
        prod_next(p, &req);
        assert_int_equal(req.parts[0].info.record_count, expected[i]);
        prod_reply(p, &req);
    }
    prod_expect(p, 1, 100, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* What lapses while the leader is busy goes in one request, whichever partition it is of. */
static void test_held_partitions_share_a_request(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.max_in_flight = 1;
    prod_put(p, "t", 0, 1);
    prod_advance(p, 6);
    for (uint64_t tag = 2; tag <= 31; tag++) {
        prod_put(p, "t", (int32_t)(tag % 3), tag);
        prod_advance(p, 6);
    }
    prod_next(p, &req);
    assert_int_equal(req.count, 1);
    prod_reply(p, &req);
    prod_next(p, &req);
    assert_int_equal(req.count, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(req.parts[i].info.record_count, 10);
    prod_reply(p, &req);
    prod_expect(p, 1, 31, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* A held batch that expires waits for no request any more. */
static void test_held_batch_expires(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.max_in_flight = 1;
    p->h->settings.delivery_timeout_ms = 100;
    prod_put(p, "t", 0, 1);
    prod_advance(p, 6);
    prod_put(p, "t", 1, 2);
    prod_advance(p, 6);
    prod_expect_none(p, 1, 2);
    prod_advance(p, 100);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_expect(p, 2, 2, SL_OUTCOME_NOT_WRITTEN);
    prod_next(p, &req);
    assert_int_equal(prod_waiting(p), 0);
    prod_reply(p, &req);
    assert_int_equal(prod_waiting(p), 0);
    prod_end(p);
}

/* Partitions whose records come one after the other make one request, not one each. */
static void test_linger_ends_for_all_at_once(void **state) {
    (void)state;
    struct prod *p = start();
    for (uint64_t tag = 1; tag <= 3; tag++) {
        prod_put(p, "t", (int32_t)tag - 1, tag);
        prod_advance(p, 1);
    }
    prod_advance(p, 3);
    assert_int_equal(prod_waiting(p), 1);
    prod_next(p, &req);
    assert_int_equal(req.count, 3);
    prod_reply(p, &req);
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* ---- flush ---- */

/* A flush waits for what was accepted before it, not for what comes after. */
static void test_flush_waits_for_its_own_records(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.linger_ms = 60000;
    prod_put(p, "t", 0, 1);
    prod_put(p, "t", 1, 2);
    struct sl_op *first = prod_flush(p, -1);
    prod_put(p, "t", 0, 3);
    prod_turn(p);
    struct sl_op *second = prod_flush(p, -1);
    prod_turn(p);
    prod_next(p, &req);
    assert_int_equal(req.count, 2); /* 1 and 2 */
    prod_reply(p, &req);
    assert_int_equal(first->state, SL_OP_ENDED);
    assert_int_equal(second->state, SL_OP_PENDING);
    prod_answer(p, &req, 0, 1);
    assert_int_equal(second->state, SL_OP_ENDED);
    assert_int_equal(second->code, 0);
    prod_end(p);
}

static void test_flush_tells_losses_once(void **state) {
    (void)state;
    struct prod *p = start();
    prod_put(p, "t", 0, 1);
    prod_advance(p, 5);
    prod_answer(p, &req, SLUICE_KAFKA_INVALID_RECORD, -1);
    prod_expect(p, 1, 1, SL_OUTCOME_NOT_WRITTEN);
    struct sl_op *op = prod_flush(p, -1); /* nothing is pending; the loss was before */
    assert_int_equal(op->code, SLUICE_ERR_NOT_WRITTEN);
    op = prod_flush(p, -1);
    assert_int_equal(op->code, 0);
    prod_put(p, "t", 0, 2);
    op = prod_flush(p, -1);
    prod_turn(p);
    prod_answer(p, &req, SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, -1);
    assert_int_equal(op->code, SLUICE_ERR_MAYBE_WRITTEN);
    prod_expect(p, 2, 2, SL_OUTCOME_MAYBE_WRITTEN);
    prod_end(p);
}

static void test_flush_that_times_out_leaves_records_going(void **state) {
    (void)state;
    struct prod *p = start();
    prod_put(p, "t", 0, 1);
    struct sl_op *op = prod_flush(p, 100);
    prod_advance(p, 99);
    assert_int_equal(op->state, SL_OP_PENDING);
    prod_advance(p, 1);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    prod_expect_none(p, 1, 1);
    prod_serve(p);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* What a flush that ran out of time had learnt and did not say is told by the next one. */
static void test_flush_that_times_out_swallows_no_loss(void **state) {
    (void)state;
    struct prod *p = start();
    prod_put(p, "t", 0, 1);
    prod_advance(p, 5);
    assert_int_equal(prod_waiting(p), 1);
    prod_put(p, "t", 1, 2);
    struct sl_op *op = prod_flush(p, 100);
    prod_turn(p);
    prod_answer(p, &req, SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, -1);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_expect_none(p, 2, 2);
    prod_advance(p, 100);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    prod_serve(p);
    prod_expect(p, 2, 2, SL_OUTCOME_WRITTEN);
    op = prod_flush(p, -1);
    assert_int_equal(op->code, SLUICE_ERR_MAYBE_WRITTEN);
    prod_end(p);
}

/* ---- the end ---- */

static void test_discard_keeps_what_was_sent(void **state) {
    (void)state;
    struct prod *p = start();
    prod_put(p, "t", 0, 1);
    prod_advance(p, 5);
    assert_int_equal(prod_waiting(p), 1);
    prod_put(p, "t", 0, 2);
    prod_put(p, "nowhere", 0, 3);
    prod_turn(p);
    prod_put(p, "t", 1, 4);
    prod_command(p, SL_COMMAND_DISCARD);
    prod_turn(p);
    prod_expect_none(p, 1, 1);
    prod_expect(p, 2, 4, SL_OUTCOME_NOT_WRITTEN);
    prod_answer(p, &req, 0, 1);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    /* Nothing is stuck: sequences go on. */
    prod_put(p, "t", 0, 5);
    prod_serve_for(p, 10);
    prod_expect(p, 5, 5, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Closing ends linger and waits; at its deadline everything left is told. */
static void test_close_tells_everything(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.linger_ms = 60000;
    prod_put(p, "t", 0, 1);
    prod_turn(p);
    prod_put(p, "nowhere", 0, 2);
    prod_put(p, "t", 1, 3);
    prod_take(p);
    struct sl_op *op = host_ask(p->h, SL_COMMAND_CLOSE, NULL, 1000);
    prod_turn(p);
    prod_next(p, &req);
    assert_int_equal(req.count, 2);
    req.parts[1].omit = true;
    prod_reply(p, &req);
    prod_put(p, "t", 2, 4);
    prod_advance(p, 1000);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    assert_true(sl_core_is_closed(p->h->core));
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_expect(p, 2, 2, SL_OUTCOME_NOT_WRITTEN);
    prod_expect(p, 3, 4, SL_OUTCOME_MAYBE_WRITTEN); /* both were sent, neither was answered */
    /* Records that were staged in the meantime have their outcome too. */
    prod_put(p, "t", 0, 5);
    prod_put(p, "t-never-heard-of", 0, 6);
    prod_turn(p);
    prod_expect(p, 5, 6, SL_OUTCOME_NOT_WRITTEN);
    prod_end(p);
}

/* Without reports nothing is kept for them, and the counts are right all the same. */
static void test_reports_none_and_failed(void **state) {
    (void)state;
    for (int reports = SL_REPORTS_NONE; reports <= SL_REPORTS_FAILED; reports++) {
        struct prod *p = prod_prepare();
        p->h->settings.reports = (enum sl_reports)reports;
        prod_open(p);
        prod_put(p, "t", 0, 1);
        prod_put(p, "t", 1, 2);
        prod_put(p, "t", 9, 3);
        prod_turn(p);
        prod_answer_id(p, 0, 1, 0);
        prod_advance(p, 5);
        prod_next(p, &req);
        req.parts[1].code = SLUICE_KAFKA_INVALID_RECORD;
        prod_reply(p, &req);
        assert_int_equal(p->written, 1);
        assert_int_equal(p->not_written, 2);
        int told = p->reports[1] + p->reports[2] + p->reports[3];
        assert_int_equal(told, reports == SL_REPORTS_NONE ? 0 : 2);
        assert_int_equal(p->reports[1], 0);
        prod_end(p);
    }
}

/* A report that the application has read is that of a later batch, without what it said. */
static void test_read_reports_are_used_again(void **state) {
    (void)state;
    struct prod *p = prod_open(prod_prepare());
    p->spends = true;
    prod_put(p, "t", 1, 1);
    prod_put(p, "t", 1, 2);
    prod_turn(p);
    prod_answer_id(p, 0, 4000, 3);
    prod_next(p, &req);
    req.parts[0].base_offset = 700;
    prod_reply(p, &req);
    prod_expect(p, 1, 2, SL_OUTCOME_WRITTEN);
    const struct sl_delivery *first = p->read;
    assert_non_null(first);
    prod_put(p, "t", 2, 3);
    prod_turn(p);
    prod_advance(p, 5);
    prod_next(p, &req);
    req.parts[0].code = SLUICE_KAFKA_INVALID_RECORD;
    prod_reply(p, &req);
    assert_ptr_equal(p->read, first);
    prod_expect(p, 3, 3, SL_OUTCOME_NOT_WRITTEN);
    assert_int_equal(p->told, 2);
    assert_int_equal(p->partition[3], 2);
    assert_int_equal(p->offset[3], -1);
    prod_end(p);
}

/* ---- memory ---- */

/* The account follows the memory: with many open batches it shows what they hold. */
static void test_account_covers_what_is_allocated(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->topics[0].partition_count = 64;
    p->h->settings.linger_ms = 1000;
    p->h->settings.buffer_memory = 8 << 20;
    prod_open(p);
    prod_put(p, "t", 0, 0);
    prod_serve_for(p, 1100);
    size_t before = p->h->memory.live_bytes;
    for (uint64_t tag = 1; tag < 64; tag++) prod_put(p, "t", (int32_t)tag, tag);
    prod_turn(p);
    int64_t held = (int64_t)p->h->memory.live_bytes - (int64_t)before;
    assert_in_range(sl_staging_used(p->staging), held - held / 10 - 20000,
                    held + held / 10 + 20000);
    prod_end(p);
}

/* A batch takes the memory that its topic's batches usually fill: three of one record each no page
 * of their own, and one record after a batch of 40 KB the largest segment. */
static void test_segments_are_as_large_as_usual(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.linger_ms = 60000;
    int64_t before = sl_staging_used(p->staging);
    for (int32_t i = 0; i < 3; i++) prod_put(p, "t", i, 1 + (uint64_t)i);
    prod_turn(p);
    assert_true(sl_staging_used(p->staging) - before < 3 * 4096);
    for (uint64_t tag = 4; tag <= 2000; tag++) prod_put(p, "t", 0, tag);
    (void)prod_flush(p, -1);
    prod_serve(p);
    prod_expect(p, 1, 2000, SL_OUTCOME_WRITTEN);
    before = sl_staging_used(p->staging);
    prod_put(p, "t", 1, 2001);
    prod_turn(p);
    assert_true(sl_staging_used(p->staging) - before >= 16 * 1024);
    prod_end(p);
}

/* Records of two topics in turn, over so many partitions that the walk looks at many batches ahead;
 * an allocation fails, or none when n is 0. True: one did. */
static bool spread_records(long n) {
    enum { PARTITIONS = 70, RECORDS = 3000 };
    struct prod *p = prod_prepare();
    p->h->topics[0].partition_count = PARTITIONS;
    p->h->topics[1] = (struct host_topic){
        .name = "u", .id = 8, .partition_count = PARTITIONS, .leader = 1, .leader_epoch = 5};
    p->h->topic_count = 2;
    prod_open(p);
    prod_put(p, "t", 0, 0);
    prod_put(p, "u", 0, 1);
    prod_serve_for(p, 20);
    if (n > 0) test_memory_fail_at(&p->h->memory, p->h->memory.calls + n);
    uint64_t accepted = 2;
    for (uint64_t tag = 2; tag < RECORDS; tag++) {
        const char *topic = tag / 3 % 2 == 0 ? "t" : "u";
        if (prod_try_put(p, topic, (int32_t)(tag * 37 % PARTITIONS), accepted) == 0) accepted++;
        if (tag % 1000 == 999) prod_turn(p);
    }
    prod_serve_for(p, 200);
    assert_in_range(accepted, RECORDS - 1, RECORDS);
    prod_expect(p, 0, accepted - 1, SL_OUTCOME_WRITTEN);
    int64_t written = 0;
    for (int i = 0; i < p->log_count; i++) {
        written += p->logs[i].count;
        for (int32_t k = 1; k < p->logs[i].count; k++)
            assert_true(p->logs[i].tags[k] > p->logs[i].tags[k - 1]);
    }
    assert_int_equal(written, accepted);
    assert_int_equal(p->log_count, 2 * PARTITIONS);
    bool has_failed = n > 0 && test_memory_has_failed(&p->h->memory);
    prod_end(p);
    return has_failed;
}

static void test_many_partitions_keep_order(void **state) {
    (void)state;
    assert_false(spread_records(0));
    long n = 1;
    while (spread_records(n)) n += 7;
    assert_true(n > 140);
}

/* Each allocation fails once: nothing is lost, nothing is written twice, order is kept. */
static void sweep_memory(bool from_then_on) {
    for (long n = 1;; n++) {
        struct prod *p = prod_prepare();
        p->h->settings.batch_size = 600;
        test_memory_fail_at(&p->h->memory, n);
        p->h->memory.fail_on = from_then_on;
        if (prod_try_open(p) != 0) {
            assert_true(test_memory_has_failed(&p->h->memory));
            sl_staging_destroy(p->staging);
            p->staging = NULL;
            test_memory_check(&p->h->memory);
            prod_end(p);
            continue;
        }
        uint64_t tags = 0;
        int accepted[100] = {0};
        for (; tags < 90; tags++) {
            int rv = prod_try_put(p, tags % 10 == 9 ? "late" : "t", 0, tags);
            accepted[tags] = rv == 0;
            assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM);
            if (tags % 30 == 29) prod_serve_for(p, 20);
        }
        if (from_then_on) test_memory_fail_at(&p->h->memory, 0);
        p->h->topics[1] =
            (struct host_topic){.name = "late", .id = 8, .partition_count = 1, .leader = 1};
        p->h->topic_count = 2;
        prod_serve_for(p, 3000);
        assert_int_equal(sl_batcher_pending(p->h->core), 0);
        for (uint64_t tag = 0; tag < tags; tag++) {
            assert_int_equal(p->reports[tag], accepted[tag]);
            if (accepted[tag]) assert_int_equal(p->outcome[tag], SL_OUTCOME_WRITTEN);
        }
        for (int i = 0; i < p->log_count; i++)
            for (int32_t k = 1; k < p->logs[i].count; k++)
                assert_true(p->logs[i].tags[k] > p->logs[i].tags[k - 1]);
        bool is_over = !test_memory_has_failed(&p->h->memory);
        prod_end(p);
        if (is_over) break;
    }
}
static void test_every_allocation_may_fail(void **state) {
    (void)state;
    sweep_memory(false);
}
static void test_memory_may_stay_short_for_a_while(void **state) {
    (void)state;
    sweep_memory(true);
}

/* Memory is gone for good, from any point on, when the client closes: every record is reported all
 * the same. */
static void test_close_needs_no_memory(void **state) {
    (void)state;
    for (long n = 1;; n++) {
        struct prod *p = start();
        struct sl_op *warm = prod_flush(p, 10); /* the heap of deadlines has its room */
        assert_int_equal(warm->code, 0);
        enum { COUNT = 60 };
        for (uint64_t tag = 1; tag <= COUNT; tag++)
            prod_put(p, tag % 7 < 2 ? "a" : tag % 7 < 5 ? "t" : "nowhere", (int32_t)tag % 3, tag);
        struct sl_op *op = host_op(p->h, 100);
        struct sl_command *close = host_command_make(p->h, SL_COMMAND_CLOSE, op, NULL);
        test_memory_fail_from(&p->h->memory, p->h->memory.calls + n);
        prod_take(p);
        sl_core_on_command(p->h->core, close);
        /* Not host_advance: out of memory, a turn may leave more to the next one than it likes. */
        for (int i = 0; i <= 100; i++, p->h->now += SL_MS) {
            sl_core_on_time(p->h->core, p->h->now, p->h->now / SL_MS);
            sl_core_run(p->h->core);
            (void)host_drain(p->h);
            prod_collect(p);
        }
        assert_true(sl_core_is_closed(p->h->core));
        assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
        for (int tag = 1; tag <= COUNT; tag++) {
            assert_int_equal(p->reports[tag], 1);
            assert_true(p->outcome[tag] != SL_OUTCOME_WRITTEN);
            if (tag % 7 < 2 || tag % 7 >= 5)
                assert_int_equal(p->outcome[tag], SL_OUTCOME_NOT_WRITTEN);
        }
        bool is_over = !test_memory_has_failed(&p->h->memory);
        test_memory_fail_at(&p->h->memory, 0);
        prod_end(p);
        if (is_over) break;
    }
}

/* The deadline of a close needs no memory: it holds although its op could not have a timer. So many
 * ops are started before that the array of timers is full in one of the rounds. */
static void test_close_without_a_timer_ends_in_time(void **state) {
    (void)state;
    int hits = 0;
    for (int before = 0; before < 40; before++) {
        struct prod *p = prod_prepare();
        p->h->deaf = true;
        prod_open(p);
        for (uint64_t tag = 1; tag <= 10; tag++) prod_put(p, "t", 0, tag);
        prod_advance(p, 20);
        for (int i = 0; i < before; i++) (void)prod_flush(p, 60000);
        struct sl_op *op = host_op(p->h, 500);
        struct sl_command *command = host_command_make(p->h, SL_COMMAND_CLOSE, op, NULL);
        test_memory_fail_next(&p->h->memory);
        sl_core_on_command(p->h->core, command);
        test_memory_fail_at(&p->h->memory, 0);
        hits += op->code == SLUICE_ERR_NOMEM;
        prod_advance(p, 499);
        assert_false(sl_core_is_closed(p->h->core));
        prod_advance(p, 1);
        assert_true(sl_core_is_closed(p->h->core));
        prod_expect(p, 1, 10, SL_OUTCOME_NOT_WRITTEN);
        prod_end(p);
    }
    assert_true(hits > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_become_one_batch),
        cmocka_unit_test(test_linger_ends_early),
        cmocka_unit_test(test_full_batches_are_sent_without_linger),
        cmocka_unit_test(test_key_decides),
        cmocka_unit_test(test_sticky_choice_turns_after_16_kib),
        cmocka_unit_test(test_round_robin_counts_records),
        cmocka_unit_test(test_random_draws_for_each_record),
        cmocka_unit_test(test_partitioners_place_as_their_models),
        cmocka_unit_test(test_fixed_choice_follows_growth),
        cmocka_unit_test(test_stuck_brokers_are_avoided),
        cmocka_unit_test(test_all_parts_of_a_record_arrive),
        cmocka_unit_test(test_large_values_with_every_codec),
        cmocka_unit_test(test_incompressible_batch_goes_uncompressed),
        cmocka_unit_test(test_idle_topics_are_forgotten),
        cmocka_unit_test(test_unknown_topic_waits_alone),
        cmocka_unit_test(test_what_waited_goes_first),
        cmocka_unit_test(test_refused_topic_ends_what_waits),
        cmocka_unit_test(test_waiting_records_expire),
        cmocka_unit_test(test_partition_that_does_not_exist),
        cmocka_unit_test(test_due_batch_grows_while_others_wait),
        cmocka_unit_test(test_due_batch_grows_behind_a_closed_one),
        cmocka_unit_test(test_held_partitions_share_a_request),
        cmocka_unit_test(test_held_batch_expires),
        cmocka_unit_test(test_linger_ends_for_all_at_once),
        cmocka_unit_test(test_flush_waits_for_its_own_records),
        cmocka_unit_test(test_flush_tells_losses_once),
        cmocka_unit_test(test_flush_that_times_out_leaves_records_going),
        cmocka_unit_test(test_flush_that_times_out_swallows_no_loss),
        cmocka_unit_test(test_discard_keeps_what_was_sent),
        cmocka_unit_test(test_close_tells_everything),
        cmocka_unit_test(test_reports_none_and_failed),
        cmocka_unit_test(test_read_reports_are_used_again),
        cmocka_unit_test(test_account_covers_what_is_allocated),
        cmocka_unit_test(test_segments_are_as_large_as_usual),
        cmocka_unit_test(test_many_partitions_keep_order),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_memory_may_stay_short_for_a_while),
        cmocka_unit_test(test_close_needs_no_memory),
        cmocka_unit_test(test_close_without_a_timer_ends_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
