/* Goal: fetch sessions follow KIP-227 to the letter, whatever a broker does with them: full, then
 * only what changed and what is to be forgotten; none at all; lost; refused; answers that leave
 * partitions out or name others; and no broker is asked more than twenty times a second for nothing.
 * Method: Fetch requests are taken apart and answered one by one (core_consumer.h). */
#include "core_consumer.h"

static bool has_part(const struct cons_part *parts, int count, int32_t partition, int64_t offset) {
    for (int i = 0; i < count; i++)
        if (parts[i].partition == partition && (offset < 0 || parts[i].offset == offset))
            return true;
    return false;
}

/* ---- the course of a session ---- */

static void full_then_only_what_changed(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 3, 0);
    cons_turn(&c);
    struct cons_fetch fetch = cons_next(&c);
    assert_int_equal(fetch.r.header.version, sl_api_find(SL_API_FETCH)->client_max);
    assert_int_equal(fetch.session_id, 0);
    assert_int_equal(fetch.epoch, 0);
    assert_int_equal(fetch.count, 3);
    assert_int_equal(fetch.min_bytes, 1);
    assert_int_equal(fetch.max_wait_ms, 500);
    assert_int_equal(fetch.max_bytes, 52428800);
    assert_int_equal(fetch.isolation, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fetch.parts[i].id.bytes[3], 1); /* by id */
        assert_int_equal(fetch.parts[i].leader_epoch, 5);
        assert_int_equal(fetch.parts[i].max_bytes, 1048576);
    }
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, 0, 0);
    cons_add_batch(a, 2, 0); /* in another order than asked */
    cons_add(a, 1, 0, 0);
    cons_reply(&c, &fetch, a);
    fetch = cons_next(&c);
    assert_int_equal(fetch.session_id, 77);
    assert_int_equal(fetch.epoch, 1);
    assert_int_equal(fetch.count, 1);
    assert_true(has_part(fetch.parts, fetch.count, 2, 10));
    a = cons_answer(77);
    cons_add_batch(a, 0, 0);
    cons_add_batch(a, 2, 10);
    cons_reply(&c, &fetch, a);
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 2);
    assert_int_equal(fetch.count, 2);
    assert_true(has_part(fetch.parts, fetch.count, 0, 10));
    assert_true(has_part(fetch.parts, fetch.count, 2, 20));
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77)); /* nothing new in time */
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 3);
    assert_int_equal(fetch.count + fetch.forgotten_count, 0);
    cons_expect(&c, 2, 0, 10);
    cons_expect(&c, 0, 0, 10);
    cons_expect(&c, 2, 10, 20);
    cons_expect_nothing(&c);
    cons_expect_whole_account(&c);
    cons_end(&c);
}

static void what_is_not_wanted_is_forgotten_once(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 3);
    struct cons_fetch fetch = cons_next(&c);
    cons_pause(&c, 1, true);
    cons_turn(&c);
    assert_int_equal(cons_waiting(&c), 0); /* one in flight at a time */
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 1, 0); /* comes too late */
    cons_add_batch(a, 0, 0);
    cons_reply(&c, &fetch, a);
    fetch = cons_next(&c);
    assert_int_equal(fetch.count, 1);
    assert_int_equal(fetch.forgotten_count, 1);
    assert_int_equal(fetch.forgotten[0].partition, 1);
    assert_int_equal(fetch.forgotten[0].id.bytes[0], 1);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.forgotten_count, 0);
    cons_pause(&c, 1, false);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.count, 1);
    assert_true(has_part(fetch.parts, fetch.count, 1, 0)); /* where it was */
    cons_expect(&c, 0, 0, 10);
    cons_expect_nothing(&c);
    cons_end(&c);
}

static void without_memory_to_forget_the_session_starts_over(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 2);
    struct cons_fetch fetch = cons_next(&c);
    cons_pause(&c, 1, true);
    test_memory_fail_next(&c.h->memory);
    cons_turn(&c);
    assert_true(test_memory_has_failed(&c.h->memory));
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    assert_int_equal(fetch.count, 1);
    cons_end(&c);
}

static void forgotten_and_wanted_again_is_only_listed(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 2);
    struct cons_fetch fetch = cons_next(&c);
    cons_seek(&c, 0, 40);
    cons_turn(&c);
    cons_pause(&c, 1, true);
    cons_turn(&c);
    cons_pause(&c, 1, false);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 2);
    assert_int_equal(fetch.forgotten_count, 0);
    assert_true(has_part(fetch.parts, fetch.count, 0, 40));
    assert_true(has_part(fetch.parts, fetch.count, 1, 0));
    cons_end(&c);
}

/* Paused while the request that begins the session is under way: the broker gets to know it. */
static void what_the_first_request_listed_is_forgotten_too(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 2, 0);
    cons_turn(&c);
    struct cons_fetch fetch = cons_next(&c);
    cons_pause(&c, 1, true);
    cons_advance(&c, 100);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, 0, 0);
    cons_add_batch(a, 1, 0);
    cons_reply(&c, &fetch, a);
    cons_expect_nothing(&c);
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 1);
    assert_int_equal(fetch.count, 0);
    assert_int_equal(fetch.forgotten_count, 1);
    cons_end(&c);
}

static void a_session_without_partitions_asks_nothing(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 2);
    struct cons_fetch fetch = cons_next(&c);
    cons_assign(&c, 0, 0);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    int frames = c.h->frames;
    cons_advance(&c, 60000);
    assert_int_equal(cons_waiting(&c), 0);
    assert_int_equal(c.h->frames, frames);
    cons_assign(&c, 1, 30);
    cons_turn(&c);
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 2);
    assert_int_equal(fetch.forgotten_count, 1);
    assert_int_equal(fetch.forgotten[0].partition, 1);
    assert_true(has_part(fetch.parts, fetch.count, 0, 30));
    cons_end(&c);
}

static void epochs_wrap_to_one(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 1);
    struct sl_fetch_session *session = cons_core(&c, 0)->session;
    struct cons_fetch fetch = cons_next(&c);
    session->epoch = INT32_MAX;
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 1);
    cons_end(&c);
}

/* ---- brokers that keep none, or lose it ---- */

static void without_sessions_every_request_is_full(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 2, 0);
    cons_turn(&c);
    for (int64_t at = 0; at < 30; at += 10) {
        struct cons_fetch fetch = cons_next(&c);
        assert_int_equal(fetch.session_id, 0);
        assert_int_equal(fetch.epoch, 0);
        assert_int_equal(fetch.count, 2);
        assert_int_equal(fetch.forgotten_count, 0);
        /* What had no data comes first (KIP-74). */
        if (at > 0) assert_int_equal(fetch.parts[0].partition, 1);
        assert_true(has_part(fetch.parts, 2, 0, at));
        struct cons_answer *a = cons_answer(0);
        cons_add_batch(a, 0, at);
        cons_add(a, 1, 0, 0);
        cons_reply(&c, &fetch, a);
        cons_expect(&c, 0, at, at + 10);
    }
    /* Paused: it is just not listed. */
    struct cons_fetch fetch = cons_next(&c);
    cons_pause(&c, 1, true);
    cons_advance(&c, 500);
    struct cons_answer *a = cons_answer(0);
    cons_add(a, 0, 0, 0);
    cons_add(a, 1, 0, 0);
    cons_reply(&c, &fetch, a);
    fetch = cons_next(&c);
    assert_int_equal(fetch.count, 1);
    assert_int_equal(fetch.forgotten_count, 0);
    cons_end(&c);
}

static void a_lost_session_starts_over(void **state) {
    (void)state;
    static const struct {
        int16_t code;
        int32_t id; /* of the request after it */
    } cases[] = {
        {SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND, 0},
        {SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH, 77}, /* ended by the full request */
    };
    for (int i = 0; i < 2; i++) {
        struct cons c;
        cons_open(&c, 2);
        struct cons_fetch fetch = cons_next(&c);
        struct cons_answer *a = cons_answer(0);
        a->code = cases[i].code;
        cons_advance(&c, 60);
        cons_reply(&c, &fetch, a);
        fetch = cons_next(&c); /* the first time at once */
        assert_int_equal(fetch.session_id, cases[i].id);
        assert_int_equal(fetch.epoch, 0);
        assert_int_equal(fetch.count, 2);
        /* Time and again: at a bounded pace. */
        int64_t began = c.h->now;
        for (int n = 0; n < 5; n++) {
            a = cons_answer(0);
            a->code = cases[i].code;
            cons_reply(&c, &fetch, a);
            assert_int_equal(cons_waiting(&c), 0);
            while (cons_waiting(&c) == 0) cons_advance(&c, 10);
            fetch = cons_next(&c);
        }
        assert_true(c.h->now - began > 1000 * SL_MS);
        a = cons_answer(78);
        cons_add(a, 0, 0, 0);
        cons_add_batch(a, 1, 0);
        cons_reply(&c, &fetch, a);
        fetch = cons_next(&c);
        assert_int_equal(fetch.session_id, 78);
        assert_int_equal(fetch.epoch, 1);
        cons_expect(&c, 1, 0, 10);
        cons_end(&c);
    }
}

static void errors_of_a_whole_answer_back_off(void **state) {
    (void)state;
    static const int16_t codes[] = {SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, SLUICE_KAFKA_INVALID_REQUEST,
                                    SLUICE_KAFKA_FETCH_SESSION_TOPIC_ID_ERROR,
                                    SLUICE_KAFKA_UNKNOWN_TOPIC_ID, -300};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct cons c;
        cons_open(&c, 1);
        int asked = 0;
        for (int64_t until = c.h->now + 10000 * SL_MS; c.h->now < until; cons_advance(&c, 10)) {
            while (cons_waiting(&c) > 0) {
                struct cons_fetch fetch = cons_next(&c);
                struct cons_answer *a = cons_answer(77);
                a->code = codes[i];
                asked++;
                cons_reply(&c, &fetch, a);
            }
        }
        assert_in_range(asked, 5, 25);
        cons_expect_nothing(&c); /* no position is moved or stopped by it */
        assert_int_equal(cons_core(&c, 0)->state, SL_FETCH_RUNNING);
        cons_end(&c);
    }
}

static void another_session_id_is_not_followed(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 1);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(99);
    cons_add_batch(a, 0, 0);
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 0, 10); /* data is data */
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    a = cons_answer(99);
    cons_reply(&c, &fetch, a); /* and a full answer that lacks it */
    assert_int_equal(cons_waiting(&c), 0);
    cons_advance(&c, 300);
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    cons_end(&c);
}

static void a_lost_connection_loses_nothing(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 2);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 0, 0);
    cons_reply(&c, &fetch, a);
    fetch = cons_next(&c);
    host_cut(c.h, fetch.r.conn, "reset");
    cons_turn(&c);
    assert_int_equal(c.h->core->fetcher.reserved, 0);
    cons_advance(&c, 2000);
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    assert_true(has_part(fetch.parts, fetch.count, 0, 10));
    assert_true(has_part(fetch.parts, fetch.count, 1, 0));
    cons_expect(&c, 0, 0, 10);
    /* Silence ends in the same way. */
    cons_advance(&c, 31000);
    assert_false(fetch.r.conn->open);
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    cons_end(&c);
}

/* ---- answers that are odd ---- */

static void an_omitted_partition_is_asked_anew_and_the_others_go_on(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 2, 0);
    cons_turn(&c);
    for (int64_t at = 0; at < 50; at += 10) {
        struct cons_fetch fetch = cons_next(&c);
        assert_int_equal(fetch.epoch, 0);
        assert_int_equal(fetch.count, 2);
        struct cons_answer *a = cons_answer(77);
        cons_add_batch(a, 0, at);
        cons_add_batch(a, 0, at); /* twice, which does not make up for the other */
        cons_reply(&c, &fetch, a);
        cons_expect(&c, 0, at, at + 10);
        cons_expect_nothing(&c);
    }
    assert_true(host_was_told(c.h, "left 1 partitions out of its answer"));
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 0, 50);
    cons_add_batch(a, 1, 0);
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 50, 60);
    cons_expect(&c, 1, 0, 10);
    assert_int_equal(cons_next(&c).epoch, 1);
    cons_end(&c);
}

static void an_empty_full_answer_with_a_throttle_is_no_omission(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 2, 0);
    cons_turn(&c);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(0);
    a->throttle_ms = 2000;
    cons_reply(&c, &fetch, a);
    cons_advance(&c, 1999);
    assert_int_equal(cons_waiting(&c), 0);
    cons_advance(&c, 2);
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    assert_int_equal(fetch.count, 2);
    assert_false(host_was_told(c.h, "out of its answer"));
    cons_end(&c);
}

static void entries_that_nobody_asked_for_are_ignored(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 1);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 2, 0);  /* not assigned */
    cons_add_batch(a, 99, 0); /* does not exist */
    cons_add_batch(a, -1, 0);
    cons_add_batch(a, 0, 0)->id = 66; /* another topic */
    cons_add(a, 1, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE, -1);
    cons_reply(&c, &fetch, a);
    cons_expect_nothing(&c);
    assert_int_equal(cons_core(&c, 0)->offset, 0);
    cons_expect_whole_account(&c);
    cons_end(&c);
}

static void a_malformed_answer_ends_the_connection(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 1);
    struct cons_fetch fetch = cons_next(&c);
    uint8_t frame[16] = {0, 0, 0, 12};
    sl_bytes_put32(frame + 4, (uint32_t)fetch.r.header.correlation);
    memset(frame + 8, 0xff, 8);
    c.h->requests[fetch.r.index].replied = true;
    host_feed(c.h, fetch.r.conn, frame, sizeof frame);
    cons_turn(&c);
    assert_false(fetch.r.conn->open);
    cons_advance(&c, 2000);
    assert_int_equal(cons_next(&c).epoch, 0);
    cons_end(&c);
}

/* A broker that does not wait: no hot loop, neither with sessions nor without. */
static void answers_without_progress_are_spaced(void **state) {
    (void)state;
    for (int32_t id = 0; id < 78; id += 77) {
        struct cons c;
        cons_start(&c);
        cons_assign(&c, 1, 50);
        cons_turn(&c);
        int asked = 0;
        for (int64_t until = c.h->now + 5000 * SL_MS; c.h->now < until; cons_advance(&c, 1)) {
            while (cons_waiting(&c) > 0) {
                struct cons_fetch fetch = cons_next(&c);
                struct cons_answer *a = cons_answer(id);
                struct cons_entry *entry = cons_add_batch(a, 0, 10); /* wholly before it */
                if (asked % 2 == 0) entry->size = 0;
                asked++;
                cons_reply(&c, &fetch, a);
            }
            cons_compact(&c);
        }
        assert_in_range(asked, 50, 101);
        cons_end(&c);
    }
}

/* ---- names and ids ---- */

static void names_where_there_are_no_ids(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->topics[0].id = 0; /* brokers in a roll, clones (gotcha 4) */
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    struct cons_fetch fetch = cons_next(&c);
    assert_int_equal(fetch.r.header.version, 12);
    assert_string_equal(fetch.parts[0].topic, "t");
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 0, 0);
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 0, 10);
    /* A topic with an id in the same session goes by name as well. */
    struct sl_offsets *list = cons_list(&c, "t", 0, SL_OFFSET_COMMITTED);
    sl_offset_list_put(list, "u", 2)->offset = 5;
    assert_int_equal(sl_gate_assign(c.gate, list), 0);
    sl_offset_list_destroy(list);
    fetch = cons_next(&c);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.r.header.version, 12);
    assert_string_equal(fetch.parts[0].topic, "u");
    a = cons_answer(77);
    cons_add_batch(a, 2, 0)->topic = "u";
    cons_reply(&c, &fetch, a);
    struct sl_slice *slice = cons_take(&c);
    assert_string_equal(slice->topic, "u");
    assert_int_equal(slice->from, 5); /* in the middle of a batch */
    cons_finish(&c, slice);
    cons_end(&c);
}

static void a_topic_without_an_id_ends_a_session_by_id(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->topics[1].id = 0;
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    cons_open_session(&c, 1, 0, 77);
    struct sl_offsets *list = cons_list(&c, "t", 0, SL_OFFSET_COMMITTED);
    sl_offset_list_put(list, "u", 2)->offset = 5;
    assert_int_equal(sl_gate_assign(c.gate, list), 0);
    sl_offset_list_destroy(list);
    struct cons_fetch fetch = cons_next(&c);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.r.header.version, 12);
    assert_int_equal(fetch.session_id, 77); /* which ends */
    assert_int_equal(fetch.epoch, 0);
    assert_int_equal(fetch.count, 2);
    cons_end(&c);
}

/* By name it is the same to the broker: forgetting the old would forget the new. */
static void by_name_a_topic_created_anew_is_listed_alone(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->topics[1].id = 0; /* so that the session goes by name */
    cons_create(&c);
    struct sl_offsets *list = cons_list(&c, "t", 0, 0);
    sl_offset_list_put(list, "u", 1)->offset = 0;
    assert_int_equal(sl_gate_assign(c.gate, list), 0);
    sl_offset_list_destroy(list);
    cons_turn(&c);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, 0, 0);
    cons_add(a, 1, 0, 0)->topic = "u";
    cons_advance(&c, 6000);
    cons_reply(&c, &fetch, a);
    c.h->topics[0] = (struct host_topic){"t", 9, 0, 3, 1, 0};
    sl_metadata_refresh(c.h->core, cons_core(&c, 0)->topic);
    cons_turn(&c);
    cons_found_one(&c, 0, 3);
    fetch = cons_next(&c);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 2);
    assert_int_equal(fetch.forgotten_count, 0);
    assert_true(has_part(fetch.parts, fetch.count, 0, 3));
    cons_end(&c);
}

/* The re-creation is noticed by an error of the broker, or by metadata while a request is under
 * way. */
static void a_topic_created_anew_is_another_topic(void **state) {
    (void)state;
    for (int by_metadata = 0; by_metadata < 2; by_metadata++) {
        struct cons c;
        cons_open(&c, 2);
        c.h->topics[0] = (struct host_topic){"t", 9, 0, 3, 1, 0};
        cons_advance(&c, 6000);
        struct cons_fetch fetch = cons_next(&c);
        struct cons_answer *a = cons_answer(77);
        if (by_metadata == 1) {
            sl_metadata_refresh(c.h->core, cons_core(&c, 0)->topic);
            cons_turn(&c);
        } else {
            cons_add(a, 0, SLUICE_KAFKA_UNKNOWN_TOPIC_ID, -1);
            cons_add(a, 1, SLUICE_KAFKA_UNKNOWN_TOPIC_ID, -1);
            a->entries[0].id = a->entries[1].id = 1; /* as it was asked for */
        }
        cons_reply(&c, &fetch, a);
        cons_advance(&c, 3000);
        assert_true(host_was_told(c.h, "deleted and created anew"));
        struct cons_lookup lookup = cons_next_lookup(&c); /* reset by auto.offset.reset */
        assert_int_equal(lookup.count, 2);
        assert_int_equal(lookup.parts[0].offset, SL_LIST_OFFSETS_EARLIEST);
        const struct cons_found found[] = {{0, 3, 0}, {0, 4, 0}};
        cons_reply_lookup(&c, &lookup, found);
        cons_advance(&c, 100);
        fetch = cons_next(&c);
        assert_int_equal(fetch.forgotten_count, 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(fetch.forgotten[i].id.bytes[0], 1); /* the broker knows the old one */
            assert_int_equal(fetch.parts[i].id.bytes[0], 9);
            assert_int_equal(fetch.parts[i].leader_epoch, 0);
        }
        assert_true(has_part(fetch.parts, fetch.count, 0, 3));
        assert_true(has_part(fetch.parts, fetch.count, 1, 4));
        cons_end(&c);
    }
}

/* ---- nothing to read ---- */

/* Answers so many requests with nothing, each after all of its time; the one after them. */
static struct cons_fetch stay_idle(struct cons *c, int answers) {
    struct cons_fetch fetch = cons_next(c);
    for (int i = 0; i < answers; i++) {
        cons_advance(c, fetch.max_wait_ms);
        cons_reply(c, &fetch, cons_answer(77));
        fetch = cons_next(c);
    }
    return fetch;
}

static void with_nothing_to_read_brokers_are_asked_rarely(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 2);
    struct cons_fetch fetch = stay_idle(&c, 1);
    assert_int_equal(fetch.max_wait_ms, 500);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = stay_idle(&c, 3);
    assert_int_equal(fetch.max_wait_ms, 5000);
    /* Records: the next request is of the usual kind, and so are all while they are not read. */
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, 0, 0);
    cons_reply(&c, &fetch, a);
    fetch = stay_idle(&c, 4);
    assert_int_equal(fetch.max_wait_ms, 500);
    cons_expect(&c, 0, 0, 10);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.max_wait_ms, 5000);
    cons_end(&c);
}

/* An answer before its time says that something changed, or that the broker does not wait. */
static void an_early_answer_is_no_idleness(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 2);
    for (int i = 0; i < 10; i++) {
        struct cons_fetch fetch = cons_next(&c);
        assert_int_equal(fetch.max_wait_ms, 500);
        cons_advance(&c, 499);
        cons_reply(&c, &fetch, cons_answer(77));
    }
    cons_end(&c);
}

static void where_the_wait_gathers_bytes_it_stays(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->settings.fetch_min_bytes = 2;
    cons_create(&c);
    cons_assign(&c, 2, 0);
    cons_turn(&c);
    cons_open_session(&c, 2, 0, 77);
    struct cons_fetch fetch = stay_idle(&c, 5);
    assert_int_equal(fetch.max_wait_ms, 500);
    cons_end(&c);
}

/* Nobody waits for a request that is kept for long: it goes with its connection. */
static void a_newcomer_ends_a_long_wait(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 2);
    cons_pause(&c, 1, true);
    struct cons_fetch fetch = stay_idle(&c, 3);
    assert_int_equal(fetch.max_wait_ms, 5000);
    cons_pause(&c, 1, false);
    cons_turn(&c);
    cons_advance(&c, 1); /* the new connection */
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    assert_int_equal(fetch.session_id, 77); /* which ends it at the broker */
    assert_int_equal(fetch.count, 2);
    assert_int_equal(fetch.max_wait_ms, 500);
    /* One that is kept for the usual time is waited for. */
    cons_pause(&c, 1, true);
    cons_turn(&c);
    cons_pause(&c, 1, false);
    cons_turn(&c);
    cons_advance(&c, 1);
    assert_int_equal(cons_waiting(&c), 0);
    struct cons_answer *a = cons_answer(78);
    cons_add(a, 0, 0, 0);
    cons_add(a, 1, 0, 0);
    cons_reply(&c, &fetch, a);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_then_only_what_changed),
        cmocka_unit_test(with_nothing_to_read_brokers_are_asked_rarely),
        cmocka_unit_test(an_early_answer_is_no_idleness),
        cmocka_unit_test(where_the_wait_gathers_bytes_it_stays),
        cmocka_unit_test(a_newcomer_ends_a_long_wait),
        cmocka_unit_test(what_is_not_wanted_is_forgotten_once),
        cmocka_unit_test(without_memory_to_forget_the_session_starts_over),
        cmocka_unit_test(forgotten_and_wanted_again_is_only_listed),
        cmocka_unit_test(what_the_first_request_listed_is_forgotten_too),
        cmocka_unit_test(a_session_without_partitions_asks_nothing),
        cmocka_unit_test(epochs_wrap_to_one),
        cmocka_unit_test(without_sessions_every_request_is_full),
        cmocka_unit_test(a_lost_session_starts_over),
        cmocka_unit_test(errors_of_a_whole_answer_back_off),
        cmocka_unit_test(another_session_id_is_not_followed),
        cmocka_unit_test(a_lost_connection_loses_nothing),
        cmocka_unit_test(an_omitted_partition_is_asked_anew_and_the_others_go_on),
        cmocka_unit_test(an_empty_full_answer_with_a_throttle_is_no_omission),
        cmocka_unit_test(entries_that_nobody_asked_for_are_ignored),
        cmocka_unit_test(a_malformed_answer_ends_the_connection),
        cmocka_unit_test(answers_without_progress_are_spaced),
        cmocka_unit_test(names_where_there_are_no_ids),
        cmocka_unit_test(a_topic_without_an_id_ends_a_session_by_id),
        cmocka_unit_test(a_topic_created_anew_is_another_topic),
        cmocka_unit_test(by_name_a_topic_created_anew_is_listed_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
