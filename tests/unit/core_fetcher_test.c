/* Goal: every assigned partition is fetched from the right place, for ever: positions follow the
 * application's orders and what was received, nothing else; auto.offset.reset is applied in its two
 * cases only; an error is told once, behind the data before it; leaders are followed; and nothing
 * is asked in a hot loop.
 * Method: a consumer against a scripted broker, request by request (core_consumer.h). */
#include "core_consumer.h"

static void open_with(struct cons *c, int32_t count) {
    cons_start(c);
    cons_assign(c, count, 0);
    cons_turn(c);
    cons_open_session(c, count, 0, 77);
}
static void reply_batch(struct cons *c, int32_t partition, int64_t base) {
    struct cons_fetch fetch = cons_next(c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, partition, base);
    cons_reply(c, &fetch, a);
}
static void reply_code(struct cons *c, int32_t partition, int16_t code) {
    struct cons_fetch fetch = cons_next(c);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, partition, code, -1);
    cons_reply(c, &fetch, a);
}
static void found_one(struct cons *c, int16_t code, int64_t offset) {
    struct cons_lookup lookup = cons_next_lookup(c);
    assert_int_equal(lookup.count, 1);
    cons_reply_lookup(c, &lookup, &(struct cons_found){code, offset, false});
}

/* ---- where to begin ---- */

static void symbols_are_looked_up(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    struct sl_offsets *list = cons_list(&c, "t", 0, SL_OFFSET_LATEST);
    sl_offset_list_put(list, "t", 1)->offset = SL_OFFSET_COMMITTED; /* by auto.offset.reset */
    struct sl_offset_entry *timed = sl_offset_list_put(list, "t", 2);
    timed->offset = SL_OFFSET_AT_TIME;
    timed->timestamp_ms = 12345;
    assert_int_equal(sl_gate_assign(c.gate, list), 0);
    sl_offset_list_destroy(list);
    assert_int_equal(cons_position(&c, 0), -1);
    cons_turn(&c);
    assert_int_equal(cons_waiting(&c), 0);
    struct cons_lookup lookup = cons_next_lookup(&c);
    assert_int_equal(lookup.count, 3);
    assert_int_equal(lookup.parts[0].offset, SL_LIST_OFFSETS_LATEST);
    assert_int_equal(lookup.parts[1].offset, SL_LIST_OFFSETS_EARLIEST);
    assert_int_equal(lookup.parts[2].offset, 12345);
    const struct cons_found found[] = {{0, 500, 0}, {0, 3, 0}, {0, -1, 0}};
    cons_reply_lookup(&c, &lookup, found);
    assert_int_equal(cons_position(&c, 0), 500);
    assert_int_equal(cons_position(&c, 1), 3);
    assert_int_equal(cons_position(&c, 2), -1);
    assert_true(host_was_told(c.h, "t-0 starts at offset 500 (the end"));
    found_one(&c, 0, 700); /* nothing is that young: the end */
    assert_int_equal(cons_position(&c, 2), 700);
    cons_end(&c);
}

static void without_a_policy_there_is_no_beginning(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->settings.offset_reset = SL_RESET_NONE;
    cons_create(&c);
    cons_assign(&c, 2, SL_OFFSET_COMMITTED);
    cons_turn(&c);
    assert_int_equal(cons_waiting_lookups(&c), 0);
    cons_expect_error(&c, SLUICE_ERR_NO_OFFSET);
    assert_non_null(strstr(cons_text, "t-0: there is no committed offset"));
    cons_expect_error(&c, SLUICE_ERR_NO_OFFSET);
    cons_expect_nothing(&c);
    cons_seek(&c, 1, 30);
    cons_turn(&c);
    cons_open_session(&c, 1, 30, 77);
    reply_batch(&c, 1, 30);
    cons_expect(&c, 1, 30, 40);
    /* An explicit symbol is no matter of policy. */
    cons_seek(&c, 0, SL_OFFSET_EARLIEST);
    cons_turn(&c);
    found_one(&c, 0, 8);
    assert_int_equal(cons_position(&c, 0), 8);
    cons_end(&c);
}

static void a_look_up_that_cannot_be_is_told(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 1, SL_OFFSET_LATEST);
    cons_turn(&c);
    found_one(&c, SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, -1); /* passes */
    cons_advance(&c, 200);
    found_one(&c, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, -1);
    cons_expect_error(&c, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_non_null(strstr(cons_text, "could not be looked up"));
    cons_advance(&c, 10000);
    assert_int_equal(cons_waiting_lookups(&c), 0);
    cons_expect_nothing(&c);
    cons_end(&c);
}

static void a_seek_overtakes_its_look_up(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 1, SL_OFFSET_LATEST);
    cons_turn(&c);
    struct cons_lookup late = cons_next_lookup(&c);
    cons_seek(&c, 0, 5);
    cons_turn(&c);
    cons_reply_lookup(&c, &late, &(struct cons_found){0, 900, false});
    assert_int_equal(cons_position(&c, 0), 5);
    cons_open_session(&c, 1, 5, 77);
    /* And a symbol another symbol. */
    cons_seek(&c, 0, SL_OFFSET_LATEST);
    cons_turn(&c);
    late = cons_next_lookup(&c);
    cons_seek(&c, 0, SL_OFFSET_EARLIEST);
    cons_turn(&c);
    struct cons_lookup lookup = cons_next_lookup(&c);
    assert_int_equal(lookup.parts[0].offset, SL_LIST_OFFSETS_EARLIEST);
    cons_reply_lookup(&c, &late, &(struct cons_found){0, 900, false});
    assert_int_equal(cons_position(&c, 0), -1);
    cons_reply_lookup(&c, &lookup, &(struct cons_found){0, 2, false});
    assert_int_equal(cons_position(&c, 0), 2);
    cons_end(&c);
}

/* ---- out of range ---- */

static void out_of_range_goes_where_the_policy_says(void **state) {
    (void)state;
    const enum sl_reset resets[] = {SL_RESET_EARLIEST, SL_RESET_LATEST, SL_RESET_NONE};
    for (int i = 0; i < 3; i++) {
        struct cons c;
        cons_prepare(&c);
        c.h->settings.offset_reset = resets[i];
        cons_create(&c);
        cons_assign(&c, 2, 100);
        cons_turn(&c);
        cons_open_session(&c, 2, 100, 77);
        reply_batch(&c, 0, 100);
        struct cons_fetch fetch = cons_next(&c);
        struct cons_answer *a = cons_answer(77);
        cons_add(a, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE, -1);
        cons_add_batch(a, 1, 100);
        cons_reply(&c, &fetch, a);
        cons_expect(&c, 0, 100, 110);
        cons_expect(&c, 1, 100, 110); /* the others do not notice */
        if (resets[i] == SL_RESET_NONE) {
            cons_expect_error(&c, SLUICE_ERR_NO_OFFSET);
            assert_non_null(strstr(cons_text, "t-0 at offset 110: the offset is not in the log"));
            assert_int_equal(cons_waiting_lookups(&c), 0);
            cons_end(&c);
            continue;
        }
        struct cons_lookup lookup = cons_next_lookup(&c);
        bool earliest = resets[i] == SL_RESET_EARLIEST;
        assert_int_equal(lookup.parts[0].offset,
                         earliest ? SL_LIST_OFFSETS_EARLIEST : SL_LIST_OFFSETS_LATEST);
        int64_t to = earliest ? 7 : 5000;
        cons_reply_lookup(&c, &lookup, &(struct cons_found){0, to, false});
        assert_int_equal(cons_position(&c, 0), to);
        assert_int_equal(sl_gate_finished(c.gate, "t", 0), earliest ? 7 : 110);
        assert_true(host_was_told(c.h, "t-0 at offset 110: the offset is not in the log"));
        fetch = cons_next(&c);
        cons_advance(&c, 500);
        cons_reply(&c, &fetch, cons_answer(77));
        reply_batch(&c, 0, to);
        cons_expect(&c, 0, to, to + 10);
        assert_int_equal(sl_gate_finished(c.gate, "t", 0), to + 10);
        cons_expect_whole_account(&c);
        cons_end(&c);
    }
}

/* What was received before stays, although it is checked later than the error is read. */
static void data_before_an_error_is_not_lost(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 1);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 0, 0);
    cons_send(&c, &fetch, a); /* data; then, within the same turn, the topic is refused */
    sl_fetcher_on_refused(c.h->core, cons_core(&c, 0)->topic,
                          SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    cons_turn(&c);
    cons_expect(&c, 0, 0, 10);
    cons_expect_error(&c, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    cons_expect_nothing(&c);
    cons_expect_whole_account(&c);
    cons_end(&c);
}

/* ---- stale answers ---- */

static void an_answer_of_before_a_seek_is_dropped(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 2);
    struct cons_fetch fetch = cons_next(&c);
    cons_seek(&c, 0, 0); /* to the very offset that was asked for */
    cons_turn(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 0, 0);
    cons_add_batch(a, 1, 0);
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 1, 0, 10);
    cons_expect_nothing(&c);
    reply_batch(&c, 0, 0);
    cons_expect(&c, 0, 0, 10);
    cons_expect_nothing(&c);
    cons_expect_whole_account(&c);
    /* Nor what has arrived and is not checked yet. */
    fetch = cons_next(&c);
    a = cons_answer(77);
    cons_add_batch(a, 0, 10);
    cons_add_batch(a, 1, 10);
    cons_send(&c, &fetch, a);
    cons_seek(&c, 0, 3);
    cons_seek(&c, 1, 10);
    cons_turn(&c);
    cons_expect_nothing(&c);
    cons_expect_whole_account(&c);
    reply_batch(&c, 1, 10);
    cons_expect(&c, 1, 10, 20);
    /* An error of before does not count either. */
    fetch = cons_next(&c);
    cons_seek(&c, 0, 500);
    cons_turn(&c);
    a = cons_answer(77);
    cons_add(a, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE, -1);
    cons_reply(&c, &fetch, a);
    assert_int_equal(cons_waiting_lookups(&c), 0);
    assert_int_equal(cons_position(&c, 0), 500);
    cons_end(&c);
}

static void the_next_fetch_leaves_before_the_answer_is_checked(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 1);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    struct cons_entry *entry = cons_add_batch(a, 0, 0);
    cons_more(entry, 10);
    cons_more(entry, 20);
    entry->data[entry->size - 3] ^= 1; /* in the last batch */
    cons_reply(&c, &fetch, a);
    /* It was on its way before the damage was seen; its answer does not go on from the good part. */
    fetch = cons_next(&c);
    assert_int_equal(fetch.parts[0].offset, 30);
    cons_expect(&c, 0, 0, 20);
    cons_expect_error(&c, SLUICE_ERR_MALFORMED);
    assert_non_null(strstr(cons_text, "t-0 at offset 20: a corrupt record batch"));
    assert_non_null(strstr(cons_text, "by its header to 30"));
    a = cons_answer(77);
    cons_add_batch(a, 0, 30);
    cons_reply(&c, &fetch, a);
    cons_expect_nothing(&c);
    cons_advance(&c, 60000);
    assert_int_equal(cons_waiting(&c), 0); /* no loop over the damage (gotcha 11) */
    cons_expect_nothing(&c);
    cons_seek(&c, 0, 30);
    cons_turn(&c);
    reply_batch(&c, 0, 30);
    cons_expect(&c, 0, 30, 40);
    cons_expect_whole_account(&c);
    cons_end(&c);
}

static void damage_matters_only_when_it_is_looked_for(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->settings.check_crcs = false;
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    cons_open_session(&c, 1, 0, 77);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    struct cons_entry *entry = cons_add_batch(a, 0, 0);
    entry->data[entry->size - 3] ^= 1;
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

/* ---- batches ---- */

static void the_next_offset_follows_the_header_not_the_records(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 1);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    struct cons_entry *entry = cons_add(a, 0, 0, 1000);
    entry->size = cons_batch(entry->data, 0, 3, 9);                  /* a hole at its end */
    entry->size += cons_batch(entry->data + entry->size, 15, 0, 4);  /* compacted to nothing */
    entry->size += cons_batch(entry->data + entry->size, 100, 1, 0); /* a gap before it */
    size_t whole = entry->size;
    entry->size += cons_batch(entry->data + entry->size, 101, 9, 8) - 7; /* cut */
    cons_reply(&c, &fetch, a);
    struct sl_slice *slice = cons_take(&c);
    assert_int_equal(slice->next_offset, 101);
    assert_int_equal(slice->size, whole);
    assert_int_equal(slice->count, 4);
    assert_int_equal(slice->last_epoch, 5);
    cons_finish(&c, slice);
    fetch = cons_next(&c);
    assert_int_equal(fetch.parts[0].offset, 101);
    cons_end(&c);
}

static void a_batch_that_begins_before_is_taken_from_the_middle(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 1, 25);
    cons_turn(&c);
    cons_open_session(&c, 1, 25, 77);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    struct cons_entry *entry = cons_add_batch(a, 0, 0);
    cons_more(entry, 10);
    size_t before = entry->size;
    cons_more(entry, 20);
    size_t last = entry->size - before;
    cons_reply(&c, &fetch, a);
    struct sl_slice *slice = cons_take(&c);
    assert_int_equal(slice->from, 25);
    assert_int_equal(slice->next_offset, 30);
    assert_int_equal(slice->size, last); /* those wholly before it are left out */
    cons_finish(&c, slice);
    cons_end(&c);
}

static void batches_that_do_not_rise_are_malformed(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 1);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    struct cons_entry *entry = cons_add_batch(a, 0, 10);
    cons_more(entry, 15);
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 0, 20); /* what is good is good */
    fetch = cons_next(&c);
    a = cons_answer(77);
    entry = cons_add_batch(a, 0, 20);
    memset(entry->data + SL_RECORD_LENGTH, 0xff, 4);
    cons_reply(&c, &fetch, a);
    cons_expect_error(&c, SLUICE_ERR_MALFORMED);
    cons_advance(&c, 10000);
    assert_int_equal(cons_waiting(&c), 0);
    cons_end(&c);
}

static void old_formats_are_told(void **state) {
    (void)state;
    for (uint8_t magic = 0; magic < 2; magic++) {
        struct cons c;
        open_with(&c, 1);
        struct cons_fetch fetch = cons_next(&c);
        struct cons_answer *a = cons_answer(77);
        struct cons_entry *entry = cons_add_batch(a, 0, 5);
        entry->data[SL_RECORD_MAGIC] = magic;
        cons_reply(&c, &fetch, a);
        cons_expect_error(&c, SLUICE_ERR_UNSUPPORTED);
        assert_non_null(strstr(cons_text, "message format 0 or 1 at offset 5"));
        cons_seek(&c, 0, 40);
        cons_advance(&c, 50);
        reply_batch(&c, 0, 40);
        cons_expect(&c, 0, 40, 50);
        cons_end(&c);
    }
}

static void a_first_batch_that_is_cut_is_asked_for_in_full(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->settings.fetch_partition_bytes = 100000;
    c.h->settings.fetch_max_bytes = 350000;
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    cons_open_session(&c, 1, 0, 77);
    const int32_t asked[] = {200000, 350000};
    for (int i = 0; i <= 2; i++) {
        struct cons_fetch fetch = cons_next(&c);
        if (i > 0) assert_int_equal(fetch.parts[0].max_bytes, asked[i - 1]);
        struct cons_answer *a = cons_answer(77);
        cons_add_batch(a, 0, 0)->size -= 1;
        cons_advance(&c, 60);
        cons_reply(&c, &fetch, a);
    }
    cons_expect_error(&c, SLUICE_ERR_TOO_BIG);
    assert_non_null(strstr(cons_text, "fetch.max.bytes"));
    cons_seek(&c, 0, 0);
    cons_turn(&c);
    reply_batch(&c, 0, 0);
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

static void for_want_of_room_a_cut_batch_waits(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->settings.fetch_memory = 100000; /* less than a partition may send */
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    cons_open_session(&c, 1, 0, 77);
    int asked = 0;
    for (int64_t until = c.h->now + 10000 * SL_MS; c.h->now < until; cons_advance(&c, 10)) {
        while (cons_waiting(&c) > 0) {
            struct cons_fetch fetch = cons_next(&c);
            struct cons_answer *a = cons_answer(77);
            cons_add_batch(a, 0, 0)->size -= 1;
            asked++;
            cons_reply(&c, &fetch, a);
        }
    }
    assert_in_range(asked, 5, 100);
    cons_expect_nothing(&c); /* and is no error */
    cons_end(&c);
}

/* ---- errors of a partition ---- */

static void what_passes_is_tried_again_at_a_bounded_pace(void **state) {
    (void)state;
    static const int16_t codes[] = {
        SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, SLUICE_KAFKA_LEADER_NOT_AVAILABLE,
        SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,     SLUICE_KAFKA_REPLICA_NOT_AVAILABLE,
        SLUICE_KAFKA_KAFKA_STORAGE_ERROR,        SLUICE_KAFKA_FENCED_LEADER_EPOCH,
        SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH,       SLUICE_KAFKA_OFFSET_NOT_AVAILABLE,
        SLUICE_KAFKA_UNKNOWN_TOPIC_ID,           SLUICE_KAFKA_INCONSISTENT_TOPIC_ID,
        SLUICE_KAFKA_UNKNOWN_SERVER_ERROR,       SLUICE_KAFKA_REQUEST_TIMED_OUT,
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct cons c;
        open_with(&c, 1);
        int asked = 0;
        for (int64_t until = c.h->now + 10000 * SL_MS; c.h->now < until; cons_advance(&c, 10)) {
            while (cons_waiting(&c) > 0) {
                asked++;
                reply_code(&c, 0, codes[i]);
            }
        }
        assert_in_range(asked, 8, 30);
        cons_expect_nothing(&c); /* never a reset, never an error (reliability notes 10) */
        assert_int_equal(cons_waiting_lookups(&c), 0);
        while (cons_waiting(&c) == 0) cons_advance(&c, 10);
        reply_batch(&c, 0, 0);
        cons_expect(&c, 0, 0, 10);
        cons_end(&c);
    }
}

static void what_does_not_pass_is_told_once(void **state) {
    (void)state;
    static const int16_t codes[] = {SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED,
                                    SLUICE_KAFKA_CORRUPT_MESSAGE, SLUICE_KAFKA_UNSUPPORTED_VERSION,
                                    999};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct cons c;
        open_with(&c, 2);
        reply_code(&c, 0, codes[i]);
        cons_expect_error(&c, codes[i]);
        cons_advance(&c, 100);
        reply_batch(&c, 1, 0);
        cons_expect(&c, 1, 0, 10); /* the others go on */
        cons_expect_nothing(&c);
        cons_seek(&c, 0, 0); /* and told again when it is tried again */
        struct cons_fetch fetch = cons_next(&c);
        cons_advance(&c, 500);
        cons_reply(&c, &fetch, cons_answer(77));
        reply_code(&c, 0, codes[i]);
        cons_expect_error(&c, codes[i]);
        cons_end(&c);
    }
}

/* ---- leaders ---- */

static void hints_are_followed_at_once(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 2);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1)->hint = (struct sl_leader_hint){2, 6};
    cons_reply(&c, &fetch, a);
    struct cons_fetch other = cons_next(&c);
    assert_string_equal(other.r.conn->host, "b2");
    assert_int_equal(other.parts[0].partition, 0);
    assert_int_equal(other.parts[0].leader_epoch, 6);
    cons_advance(&c, 50);
    fetch = cons_next(&c);
    assert_string_equal(fetch.r.conn->host, "b1");
    assert_int_equal(fetch.forgotten_count, 1);
    a = cons_answer(5);
    cons_add_batch(a, 0, 0);
    cons_reply(&c, &other, a);
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

static void a_hint_that_tells_nothing_is_none(void **state) {
    (void)state;
    static const struct sl_leader_hint hints[] = {{-1, -1}, {2, 5}, {2, -1}, {0, 0}, {9, 8}};
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        struct cons c;
        open_with(&c, 1);
        struct cons_fetch fetch = cons_next(&c);
        struct cons_answer *a = cons_answer(77);
        cons_add(a, 0, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1)->hint = hints[i];
        cons_reply(&c, &fetch, a);
        assert_int_equal(cons_waiting(&c), 0); /* waits for metadata and its back-off */
        cons_advance(&c, 1000);
        fetch = cons_next(&c);
        assert_string_equal(fetch.r.conn->host, "b1");
        cons_end(&c);
    }
}

/* Two brokers that send us to and fro, with ever higher epochs. */
static void hints_in_a_circle_are_not_hot(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 1);
    int asked = 0;
    int32_t epoch = 6;
    for (int64_t until = c.h->now + 10000 * SL_MS; c.h->now < until; cons_advance(&c, 5)) {
        while (cons_waiting(&c) > 0) {
            struct cons_fetch fetch = cons_next(&c);
            struct cons_answer *a = cons_answer(77);
            bool is_first = strcmp(fetch.r.conn->host, "b1") == 0;
            cons_add(a, 0, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1)->hint =
                (struct sl_leader_hint){is_first ? 2 : 1, epoch++};
            asked++;
            cons_reply(&c, &fetch, a);
        }
    }
    assert_in_range(asked, 5, 60);
    cons_end(&c);
}

static void a_hint_may_bring_its_broker_along(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 1);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, SLUICE_KAFKA_FENCED_LEADER_EPOCH, -1)->hint = (struct sl_leader_hint){3, 6};
    a->endpoints[0] = (struct sl_node_endpoint){
        .node_id = 3, .host = SL_STR("b3"), .port = 9092, .rack = SL_STR_NULL};
    a->endpoint_count = 1;
    c.h->nodes[2] = (struct host_node){3, "b3", 9092};
    c.h->node_count = 3;
    c.h->topics[0].leader = 3;
    c.h->topics[0].leader_epoch = 6;
    cons_reply(&c, &fetch, a);
    fetch = cons_next(&c);
    assert_string_equal(fetch.r.conn->host, "b3");
    cons_end(&c);
}

static void leaders_come_and_go(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->topics[0].leader = -1;
    c.h->settings.metadata_max_age_ms = 5000;
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_advance(&c, 3000);
    assert_int_equal(cons_waiting(&c), 0);
    c.h->topics[0].leader = 1;
    cons_advance(&c, 1300);
    cons_open_session(&c, 1, 0, 77);
    /* The broker leaves the cluster for a while, and comes back as it was. */
    struct cons_fetch fetch = cons_next(&c);
    c.h->nodes[0] = (struct host_node){7, "b7", 9092};
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    cons_advance(&c, 5500);
    if (fetch.r.conn->open) cons_reply(&c, &fetch, cons_answer(77));
    cons_advance(&c, 20000);
    assert_int_equal(cons_waiting(&c), 0);
    c.h->nodes[0] = (struct host_node){1, "b1", 9092};
    cons_advance(&c, 5500);
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    struct cons_answer *a = cons_answer(78);
    cons_add_batch(a, 0, 0);
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

static void a_partition_that_is_not_there_yet_is_waited_for(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    struct sl_offsets *list = cons_list(&c, "t", 3, 0);
    assert_int_equal(sl_gate_assign(c.gate, list), 0);
    sl_offset_list_destroy(list);
    int frames = c.h->frames;
    cons_advance(&c, 10000);
    assert_true(c.h->frames - frames < 25);
    assert_true(host_was_told(c.h, "t-3 is assigned, but the topic has 3 partitions"));
    c.h->topics[0].partition_count = 4;
    cons_advance(&c, 2500);
    cons_open_session(&c, 1, 0, 77);
    cons_end(&c);
}

static void a_refused_topic_is_told_and_can_be_tried_again(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->topics[0].code = SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED;
    c.h->topics[0].partition_count = 0;
    cons_create(&c);
    const int64_t offsets[] = {0, SL_OFFSET_LATEST};
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            cons_assign(&c, 1, 0);
        else
            assert_int_equal(cons_seek(&c, 0, offsets[i]), 0);
        cons_advance(&c, 1300);
        cons_expect_error(&c, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
        int frames = c.h->frames;
        cons_advance(&c, 60000);
        assert_int_equal(c.h->frames, frames);
        cons_expect_nothing(&c);
    }
    c.h->topics[0].code = 0;
    c.h->topics[0].partition_count = 3;
    assert_int_equal(cons_seek(&c, 0, 4), 0);
    cons_advance(&c, 1300);
    cons_open_session(&c, 1, 4, 77);
    cons_end(&c);
}

static void a_broker_that_is_down_is_not_hammered(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 2);
    struct cons_fetch fetch = cons_next(&c);
    c.h->deaf = true;
    for (int i = 0; i < c.h->conn_count; i++)
        if (c.h->conns[i].open) host_cut(c.h, &c.h->conns[i], "reset");
    (void)fetch;
    int opens = c.h->opens;
    cons_advance(&c, 20000);
    assert_true(c.h->opens - opens < 120);
    c.h->deaf = false;
    cons_advance(&c, 3000);
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    assert_int_equal(fetch.count, 2);
    cons_end(&c);
}

/* ---- the end ---- */

static void closing_drops_what_is_under_way(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 2);
    reply_batch(&c, 0, 0);
    cons_seek(&c, 1, SL_OFFSET_LATEST);
    cons_turn(&c);
    struct sl_op *close = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 1000);
    cons_turn(&c);
    assert_int_equal(close->code, 0);
    cons_expect(&c, 0, 0, 10); /* what came can be had; no look-up is told to have failed */
    cons_expect_nothing(&c);
    cons_seek(&c, 0, 0); /* orders come too late, and do no harm */
    cons_turn(&c);
    cons_end(&c);
}

static void a_dump_tells_positions_and_sessions(void **state) {
    (void)state;
    struct cons c;
    open_with(&c, 2);
    cons_pause(&c, 1, true);
    cons_turn(&c);
    static char buf[16384];
    struct sl_text text;
    sl_text_init(&text, buf, sizeof buf);
    sl_core_dump(c.h->core, &text);
    assert_non_null(strstr(buf, "session broker=1 id=77 epoch=1 by-id in-flight"));
    assert_non_null(strstr(buf, "position t-0 running offset=0"));
    assert_non_null(strstr(buf, "position t-1 running paused"));
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_are_looked_up),
        cmocka_unit_test(without_a_policy_there_is_no_beginning),
        cmocka_unit_test(a_look_up_that_cannot_be_is_told),
        cmocka_unit_test(a_seek_overtakes_its_look_up),
        cmocka_unit_test(out_of_range_goes_where_the_policy_says),
        cmocka_unit_test(data_before_an_error_is_not_lost),
        cmocka_unit_test(an_answer_of_before_a_seek_is_dropped),
        cmocka_unit_test(the_next_fetch_leaves_before_the_answer_is_checked),
        cmocka_unit_test(damage_matters_only_when_it_is_looked_for),
        cmocka_unit_test(the_next_offset_follows_the_header_not_the_records),
        cmocka_unit_test(a_batch_that_begins_before_is_taken_from_the_middle),
        cmocka_unit_test(batches_that_do_not_rise_are_malformed),
        cmocka_unit_test(old_formats_are_told),
        cmocka_unit_test(a_first_batch_that_is_cut_is_asked_for_in_full),
        cmocka_unit_test(for_want_of_room_a_cut_batch_waits),
        cmocka_unit_test(what_passes_is_tried_again_at_a_bounded_pace),
        cmocka_unit_test(what_does_not_pass_is_told_once),
        cmocka_unit_test(hints_are_followed_at_once),
        cmocka_unit_test(a_hint_that_tells_nothing_is_none),
        cmocka_unit_test(hints_in_a_circle_are_not_hot),
        cmocka_unit_test(a_hint_may_bring_its_broker_along),
        cmocka_unit_test(leaders_come_and_go),
        cmocka_unit_test(a_partition_that_is_not_there_yet_is_waited_for),
        cmocka_unit_test(a_refused_topic_is_told_and_can_be_tried_again),
        cmocka_unit_test(a_broker_that_is_down_is_not_hammered),
        cmocka_unit_test(closing_drops_what_is_under_way),
        cmocka_unit_test(a_dump_tells_positions_and_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
