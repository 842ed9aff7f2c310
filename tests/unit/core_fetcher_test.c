/* Goal: every assigned partition is fetched from the right place, for ever: positions follow the
 * application's orders and what was received, nothing else; auto.offset.reset is applied in its two
 * cases only; what is damaged is told once, behind the data before it.
 * Method: a consumer against a scripted broker, request by request (core_consumer.h). */
#include "core_consumer.h"

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
    cons_found_one(&c, 0, 700); /* nothing is that young: the end */
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
    cons_reply_batch(&c, 1, 30);
    cons_expect(&c, 1, 30, 40);
    /* An explicit symbol is no matter of policy. */
    cons_seek(&c, 0, SL_OFFSET_EARLIEST);
    cons_turn(&c);
    cons_found_one(&c, 0, 8);
    assert_int_equal(cons_position(&c, 0), 8);
    cons_end(&c);
}

static void a_look_up_that_cannot_be_is_told(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 1, SL_OFFSET_LATEST);
    cons_turn(&c);
    cons_found_one(&c, SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, -1); /* passes */
    cons_advance(&c, 200);
    cons_found_one(&c, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, -1);
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

/* A position that was looked up is told, also when there is no memory for the news at first: no
 * record may ever come that would say it. */
static void a_found_position_is_told_without_memory(void **state) {
    (void)state;
    bool has_failed = true;
    for (long n = 1; has_failed; n++) {
        struct cons c;
        cons_start(&c);
        cons_assign(&c, 1, SL_OFFSET_LATEST);
        cons_turn(&c);
        struct cons_lookup lookup = cons_next_lookup(&c);
        test_memory_fail_at(&c.h->memory, c.h->memory.calls + n);
        cons_reply_lookup(&c, &lookup, &(struct cons_found){0, 5000, false});
        has_failed = test_memory_has_failed(&c.h->memory);
        test_memory_fail_at(&c.h->memory, 0);
        for (int i = 0; i < 20; i++) {
            cons_advance(&c, 100);
            if (cons_waiting_lookups(&c) == 0) continue;
            lookup = cons_next_lookup(&c);
            cons_reply_lookup(&c, &lookup, &(struct cons_found){0, 5000, false});
        }
        assert_int_equal(cons_position(&c, 0), 5000);
        cons_end(&c);
        assert_true(n < 100);
    }
}

/* auto.offset.reset=by_duration (KIP-1106): what was written since then, by now; where nothing was,
 * the end. */
static void a_reset_by_duration_looks_the_time_up(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->settings.offset_reset = 500;
    cons_create(&c);
    cons_assign(&c, 1, 100);
    cons_turn(&c);
    cons_open_session(&c, 1, 100, 77);
    cons_reply_code(&c, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    struct cons_lookup lookup = cons_next_lookup(&c);
    assert_int_equal(lookup.parts[0].offset, c.h->core->wall_ms - 500);
    cons_reply_lookup(&c, &lookup, &(struct cons_found){0, -1, false});
    lookup = cons_next_lookup(&c);
    assert_int_equal(lookup.parts[0].offset, SL_LIST_OFFSETS_LATEST);
    cons_reply_lookup(&c, &lookup, &(struct cons_found){0, 500, false});
    assert_int_equal(cons_position(&c, 0), 500);
    assert_true(host_was_told(c.h, "going to the time by auto.offset.reset"));
    cons_end(&c);
}

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
        cons_reply_batch(&c, 0, 100);
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
        assert_int_equal(sl_gate_finished(c.gate, "t", 0), to);
        assert_true(host_was_told(c.h, "t-0 at offset 110: the offset is not in the log"));
        fetch = cons_next(&c);
        cons_advance(&c, 500);
        cons_reply(&c, &fetch, cons_answer(77));
        cons_reply_batch(&c, 0, to);
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
    cons_open(&c, 1);
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
    cons_open(&c, 2);
    struct cons_fetch fetch = cons_next(&c);
    cons_seek(&c, 0, 0); /* to the very offset that was asked for */
    cons_turn(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 0, 0);
    cons_add_batch(a, 1, 0);
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 1, 0, 10);
    cons_expect_nothing(&c);
    cons_reply_batch(&c, 0, 0);
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
    cons_reply_batch(&c, 1, 10);
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
    cons_open(&c, 1);
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
    cons_reply_batch(&c, 0, 30);
    cons_expect(&c, 0, 30, 40);
    cons_expect_whole_account(&c);
    cons_end(&c);
}

/* auto.offset.reset leads back, and the first that comes from there is damaged: the error is told
 * there, behind what is still to be handed out. */
static void damage_where_a_reset_leads_to(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 1, 50);
    cons_turn(&c);
    cons_open_session(&c, 1, 50, 77);
    cons_reply_batch(&c, 0, 50);
    cons_reply_code(&c, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    cons_found_one(&c, 0, 7);
    cons_advance(&c, 100);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    struct cons_entry *entry = cons_add_batch(a, 0, 7);
    entry->data[entry->size - 3] ^= 1;
    cons_reply(&c, &fetch, a);
    cons_advance(&c, 1);
    cons_expect(&c, 0, 50, 60);
    cons_expect_error(&c, SLUICE_ERR_MALFORMED);
    assert_non_null(strstr(cons_text, "t-0 at offset 7"));
    cons_end(&c);
}

/* An answer may come before the one before it is checked. */
static void what_came_behind_damage_is_dropped(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 2);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    struct cons_entry *entry = cons_add_batch(a, 0, 0);
    entry->data[entry->size - 3] ^= 1;
    cons_send(&c, &fetch, a);
    sl_core_on_time(c.h->core, c.h->now, 0);
    sl_core_run(c.h->core); /* the next Fetch leaves, and no more */
    (void)host_drain(c.h);
    fetch = cons_next(&c);
    assert_int_equal(fetch.parts[0].offset, 10);
    a = cons_answer(77);
    cons_add_batch(a, 0, 10);
    cons_add_batch(a, 1, 0);
    cons_send(&c, &fetch, a);
    cons_turn(&c);
    cons_expect_error(&c, SLUICE_ERR_MALFORMED);
    cons_expect(&c, 1, 0, 10);
    cons_expect_nothing(&c);
    assert_int_equal(cons_position(&c, 0), 0);
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
    cons_open(&c, 1);
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
    cons_more(entry, 20);
    cons_reply(&c, &fetch, a);
    struct sl_slice *slice = cons_take(&c);
    assert_int_equal(slice->from, 25);
    assert_int_equal(slice->next_offset, 30);
    assert_int_equal(slice->count, 10);
    cons_finish(&c, slice);
    cons_end(&c);
}

/* A damaged header makes the batch at the position look like one before it: what follows must not
 * be taken as if nothing were missing. */
static void a_batch_that_seems_to_lie_before_is_checked_too(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 1, 5);
    cons_turn(&c);
    cons_open_session(&c, 1, 5, 77);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    struct cons_entry *entry = cons_add_batch(a, 0, 0);
    entry->data[SL_RECORD_LAST_DELTA + 3] = 1; /* was 9 */
    entry->data[SL_RECORD_COUNT + 3] = 2;
    cons_more(entry, 10);
    cons_reply(&c, &fetch, a);
    cons_expect_error(&c, SLUICE_ERR_MALFORMED);
    assert_non_null(strstr(cons_text, "at offset 5"));
    assert_non_null(strstr(cons_text, "header to 6"));
    cons_expect_nothing(&c);
    cons_end(&c);
}

static void batches_that_do_not_rise_are_malformed(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 1);
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
        cons_open(&c, 1);
        struct cons_fetch fetch = cons_next(&c);
        struct cons_answer *a = cons_answer(77);
        struct cons_entry *entry = cons_add_batch(a, 0, 5);
        entry->data[SL_RECORD_MAGIC] = magic;
        cons_reply(&c, &fetch, a);
        cons_expect_error(&c, SLUICE_ERR_UNSUPPORTED);
        assert_non_null(strstr(cons_text, "message format 0 or 1 at offset 5"));
        cons_seek(&c, 0, 40);
        cons_advance(&c, 50);
        cons_reply_batch(&c, 0, 40);
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
    cons_reply_batch(&c, 0, 0);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_are_looked_up),
        cmocka_unit_test(without_a_policy_there_is_no_beginning),
        cmocka_unit_test(a_look_up_that_cannot_be_is_told),
        cmocka_unit_test(a_seek_overtakes_its_look_up),
        cmocka_unit_test(a_found_position_is_told_without_memory),
        cmocka_unit_test(a_reset_by_duration_looks_the_time_up),
        cmocka_unit_test(out_of_range_goes_where_the_policy_says),
        cmocka_unit_test(data_before_an_error_is_not_lost),
        cmocka_unit_test(an_answer_of_before_a_seek_is_dropped),
        cmocka_unit_test(the_next_fetch_leaves_before_the_answer_is_checked),
        cmocka_unit_test(damage_where_a_reset_leads_to),
        cmocka_unit_test(what_came_behind_damage_is_dropped),
        cmocka_unit_test(damage_matters_only_when_it_is_looked_for),
        cmocka_unit_test(the_next_offset_follows_the_header_not_the_records),
        cmocka_unit_test(a_batch_that_begins_before_is_taken_from_the_middle),
        cmocka_unit_test(a_batch_that_seems_to_lie_before_is_checked_too),
        cmocka_unit_test(batches_that_do_not_rise_are_malformed),
        cmocka_unit_test(old_formats_are_told),
        cmocka_unit_test(a_first_batch_that_is_cut_is_asked_for_in_full),
        cmocka_unit_test(for_want_of_room_a_cut_batch_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
