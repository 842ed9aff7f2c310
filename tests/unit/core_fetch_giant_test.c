/* Goal: a first batch larger than receive.message.max.bytes, which brokers send whole all the same
 * (KIP-74), stops its partition with an error that says what to do; the others go on, nobody asks
 * for it again and again.
 * Method: a consumer against a scripted broker (core_consumer.h) with a small limit; the beginning of
 * answers decoded by itself, cut at every byte. */
#include "core_consumer.h"

#include "wire/frame.h"

enum { LIMIT = 3000, GIANT = 300 /* records of it: more bytes than the limit */ };

static void open_limited(struct cons *c, int32_t count) {
    cons_prepare(c);
    c->h->settings.receive_frame_max = LIMIT;
    c->h->settings.fetch_max_bytes = LIMIT / 2;
    c->h->settings.fetch_partition_bytes = LIMIT / 3;
    cons_create(c);
    cons_assign(c, count, 0);
    cons_turn(c);
}
static struct cons_entry *add_giant(struct cons_answer *a, int32_t partition, int64_t base) {
    struct cons_entry *entry = cons_add(a, partition, 0, 1000);
    entry->size = cons_batch(entry->data, base, GIANT, GIANT - 1);
    assert_true(entry->size > LIMIT);
    return entry;
}
/* The next Fetch, over a new connection after a moment. */
static struct cons_fetch next_fetch(struct cons *c) {
    for (int ms = 0; cons_waiting(c) == 0 && ms < 5000; ms++) cons_advance(c, 1);
    return cons_next(c);
}
static void expect_giant(struct cons *c, int32_t partition) {
    char who[32];
    cons_expect_error(c, SLUICE_ERR_TOO_BIG);
    snprintf(who, sizeof who, "t-%d at offset 0", (int)partition);
    if (strstr(cons_text, who) == NULL || strstr(cons_text, "max.bytes (3000)") == NULL ||
        strstr(cons_text, "to 300") == NULL)
        fail_msg("it says: %s", cons_text);
}

static void the_partition_stops_and_the_others_go_on(void **state) {
    (void)state;
    struct cons c;
    open_limited(&c, 3);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 0, 0);
    add_giant(a, 1, 0);
    cons_add(a, 2, 0, 1000);
    cons_reply(&c, &fetch, a);
    expect_giant(&c, 1);
    cons_advance(&c, 1);
    cons_expect(&c, 0, 0, 10); /* what came before it counts */
    fetch = next_fetch(&c);
    assert_int_equal(fetch.epoch, 0);
    assert_int_equal(fetch.count, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fetch.parts[i].offset, fetch.parts[i].partition == 0 ? 10 : 0);
    a = cons_answer(78);
    cons_add(a, 0, 0, 1000);
    cons_add_batch(a, 2, 0);
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 2, 0, 10);
    cons_expect_nothing(&c); /* told once */
    assert_int_equal(cons_seek(&c, 1, GIANT), 0);
    cons_turn(&c);
    for (int i = 0; i < 2; i++) { /* one has left already, without it */
        fetch = next_fetch(&c);
        a = cons_answer(78);
        if (i == 1) cons_add_batch(a, 1, GIANT);
        cons_reply(&c, &fetch, a);
    }
    cons_expect(&c, 1, GIANT, GIANT + 10);
    cons_end(&c);
}

static void each_of_several_is_told(void **state) {
    (void)state;
    struct cons c;
    open_limited(&c, 3);
    for (int32_t i = 0; i < 3; i++) {
        struct cons_fetch fetch = next_fetch(&c);
        assert_int_equal(fetch.count, 3 - i);
        struct cons_answer *a = cons_answer(77);
        add_giant(a, fetch.parts[0].partition, 0);
        cons_reply(&c, &fetch, a);
        expect_giant(&c, fetch.parts[0].partition);
    }
    cons_advance(&c, 10000);
    assert_int_equal(cons_waiting(&c), 0);
    cons_end(&c);
}

/* An answer of many batches that is too long breaks the rules: nobody is stopped for it. */
static void a_broker_that_sends_too_much_is_left_alone_for_a_while(void **state) {
    (void)state;
    struct cons c;
    open_limited(&c, 1);
    int asked = 0;
    for (int64_t until = c.h->now + 10000 * SL_MS; c.h->now < until; cons_advance(&c, 10)) {
        while (cons_waiting(&c) > 0) {
            struct cons_fetch fetch = cons_next(&c);
            struct cons_answer *a = cons_answer(77);
            /* Partitions that were not asked for, and then one that was, beyond what is read. */
            for (int32_t k = 5; k < 8; k++) {
                struct cons_entry *entry = cons_add(a, k, 0, 1000);
                entry->size = cons_batch(entry->data, 0, 100, 99);
            }
            cons_add_batch(a, 0, 0);
            cons_reply(&c, &fetch, a);
            asked++;
        }
    }
    assert_in_range(asked, 8, 60);
    cons_expect_nothing(&c);
    cons_end(&c);
}

/* Whatever is there of an answer is read, and never more. */
static void the_beginning_of_an_answer(void **state) {
    (void)state;
    const struct sl_api *api = sl_api_find(SL_API_FETCH);
    static const uint8_t bytes[40] = {1, 2, 3};
    for (int16_t version = api->client_min; version <= api->client_max; version++) {
        struct sl_fetch_partition_response parts[2];
        struct sl_fetch_topic_response topics[2];
        struct sl_fetch_response m;
        struct sl_writer out;
        struct sl_encoder e = {.out = &out};
        memset(topics, 0, sizeof topics);
        memset(parts, 0, sizeof parts);
        for (int i = 0; i < 2; i++) {
            topics[i].name = SL_STR("t");
            topics[i].partitions = (struct sl_array){&parts[i], 1};
            parts[i].partition = 7 + i;
            parts[i].aborted_transactions.count = -1;
            parts[i].records = (struct sl_records){.data = bytes, .size = 10 + 30 * i};
        }
        sl_codec_defaults(&sl_fetch_response_type, &m);
        m.topics = (struct sl_array){topics, 2};
        sl_writer_init(&out, sl_alloc_default());
        assert_int_equal(sl_frame_encode_response(&e, api, version, 1, &m), 0);
        int found = 0;
        for (size_t size = 0; size < out.size - SL_FRAME_PREFIX; size++) {
            struct sl_arena arena;
            struct sl_reader r;
            struct sl_fetch_response got;
            int32_t correlation;
            /* Its own memory, so that reading beyond it is seen. */
            uint8_t *copy = malloc(size + 1);
            memcpy(copy, out.data + SL_FRAME_PREFIX, size);
            sl_arena_init(&arena, sl_alloc_default(), 0);
            sl_reader_init(&r, copy, size);
            (void)sl_frame_decode_response_header(&r, api, version, &correlation);
            int rv = sl_frame_decode_cut(&r, &arena, api, version, &got);
            if (rv == 0) {
                found++;
                const struct sl_fetch_topic_response *last =
                    (const struct sl_fetch_topic_response *)got.topics.items + got.topics.count - 1;
                const struct sl_fetch_partition_response *p = last->partitions.items;
                assert_int_equal(last->partitions.count, 1);
                assert_int_equal(p->partition, 6 + got.topics.count);
                assert_true(p->records.size < parts[got.topics.count - 1].records.size);
                assert_ptr_equal(p->records.data + p->records.size, copy + size);
            } else {
                assert_int_equal(rv, SLUICE_ERR_MALFORMED);
            }
            sl_arena_deinit(&arena);
            free(copy);
        }
        assert_int_equal(found, 10 + 40);
        sl_writer_deinit(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_partition_stops_and_the_others_go_on),
        cmocka_unit_test(each_of_several_is_told),
        cmocka_unit_test(a_broker_that_sends_too_much_is_left_alone_for_a_while),
        cmocka_unit_test(the_beginning_of_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
