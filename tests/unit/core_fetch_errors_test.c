/* Goal: errors of a partition are told or tried again as each deserves, never in a hot loop and never
 * by moving a position; leaders are found wherever they go; closing ends it all.
 * Method: a consumer against a scripted broker, request by request (core_consumer.h). */
#include "core_consumer.h"

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
        cons_open(&c, 1);
        int asked = 0;
        for (int64_t until = c.h->now + 10000 * SL_MS; c.h->now < until; cons_advance(&c, 10)) {
            while (cons_waiting(&c) > 0) {
                asked++;
                cons_reply_code(&c, 0, codes[i]);
            }
        }
        assert_in_range(asked, 8, 30);
        cons_expect_nothing(&c); /* never a reset, never an error (reliability notes 10) */
        assert_int_equal(cons_waiting_lookups(&c), 0);
        while (cons_waiting(&c) == 0) cons_advance(&c, 10);
        cons_reply_batch(&c, 0, 0);
        cons_expect(&c, 0, 0, 10);
        cons_end(&c);
    }
}

/* Partitions that one answer refuses are asked for again in one request, as long as it takes. */
static void what_fails_together_is_asked_for_together(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 3, SL_OFFSET_LATEST);
    cons_turn(&c);
    for (int attempt = 0; attempt < 4; attempt++) {
        struct cons_lookup lookup = cons_next_lookup(&c);
        assert_int_equal(lookup.count, 3);
        struct cons_found found[3] = {{.code = SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER},
                                      {.code = SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER},
                                      {.code = SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER}};
        for (int i = 0; i < 3 && attempt == 3; i++) found[i] = (struct cons_found){.offset = 7};
        cons_reply_lookup(&c, &lookup, found);
        for (int ms = 0; cons_waiting_lookups(&c) + cons_waiting(&c) == 0 && ms < 5000; ms++)
            cons_advance(&c, 1);
    }
    for (int attempt = 0; attempt < 3; attempt++) {
        struct cons_fetch fetch = cons_next(&c);
        assert_int_equal(fetch.count, 3);
        struct cons_answer *a = cons_answer(attempt + 1);
        for (int32_t i = 0; i < 3; i++) cons_add(a, i, SLUICE_KAFKA_KAFKA_STORAGE_ERROR, -1);
        cons_reply(&c, &fetch, a);
        for (int ms = 0; cons_waiting(&c) == 0 && ms < 5000; ms++) cons_advance(&c, 1);
    }
    cons_end(&c);
}

static void what_does_not_pass_is_told_once(void **state) {
    (void)state;
    static const int16_t codes[] = {SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED,
                                    SLUICE_KAFKA_CORRUPT_MESSAGE, SLUICE_KAFKA_UNSUPPORTED_VERSION,
                                    999};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct cons c;
        cons_open(&c, 2);
        cons_reply_code(&c, 0, codes[i]);
        cons_expect_error(&c, codes[i]);
        cons_advance(&c, 100);
        cons_reply_batch(&c, 1, 0);
        cons_expect(&c, 1, 0, 10); /* the others go on */
        cons_expect_nothing(&c);
        cons_seek(&c, 0, 0); /* and told again when it is tried again */
        struct cons_fetch fetch = cons_next(&c);
        cons_advance(&c, 500);
        cons_reply(&c, &fetch, cons_answer(77));
        cons_reply_code(&c, 0, codes[i]);
        cons_expect_error(&c, codes[i]);
        cons_end(&c);
    }
}

/* ---- leaders ---- */

static void hints_are_followed_at_once(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 2);
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
        cons_open(&c, 1);
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
    cons_open(&c, 1);
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
    cons_open(&c, 1);
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
    cons_open(&c, 2);
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
    cons_open(&c, 2);
    cons_reply_batch(&c, 0, 0);
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
    cons_open(&c, 2);
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
        cmocka_unit_test(what_passes_is_tried_again_at_a_bounded_pace),
        cmocka_unit_test(what_fails_together_is_asked_for_together),
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
