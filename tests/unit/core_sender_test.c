/* Goal: batches reach their leader in order and with unchanged bytes whatever goes wrong, and the
 * outcome of every record is the truth. Method: a whole core with a scripted broker in virtual
 * time (core_producer.h); each test plays one story, most of them a bug that other clients had
 * (protocol notes, section 7; the numbers are those of the gotchas). */
#include "core_producer.h"

static struct prod_request req;
static struct prod_request other;

static struct prod *start_with(struct prod *p) {
    prod_open(p);
    prod_put(p, "t", 0, 0);
    prod_put(p, "t", 1, 0);
    prod_put(p, "t", 2, 0);
    prod_serve_for(p, 10);
    assert_int_equal(p->written, 3);
    p->reports[0] = 0;
    return p;
}
/* A producer whose identity is known, whose link is open, and that has written one record to each
 * partition of "t". linger.ms is 0 from here on. */
static struct prod *start(void) {
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 0;
    return start_with(p);
}
/* One record as a batch of its own. */
static void send_one(struct prod *p, int32_t partition, uint64_t tag) {
    prod_put(p, "t", partition, tag);
    prod_turn(p);
}

/* The topic is deleted, and there is another one of its name. */
static void recreate_topic(struct prod *p) {
    p->h->topics[0].id = 99;
    p->h->topics[0].leader_epoch = 0;
}
/* The next request is the first one to that topic, with the first record and a new epoch. */
static void next_to_recreated(struct prod *p) {
    prod_next(p, &req);
    assert_int_equal(req.parts[0].info.producer_epoch, 1);
    assert_int_equal(req.parts[0].topic_id.bytes[0], 99);
    assert_int_equal(req.parts[0].info.base_sequence, 0);
    assert_int_equal(req.parts[0].first_tag, 1);
}

/* ---- several requests under way ---- */

static void test_five_in_flight_then_no_more(void **state) {
    (void)state;
    struct prod *p = start();
    for (uint64_t tag = 1; tag <= 8; tag++) send_one(p, 0, tag);
    assert_int_equal(prod_waiting(p), 5);
    for (int32_t i = 0; i < 5; i++) {
        prod_next(p, &req);
        assert_int_equal(req.parts[0].first_tag, i + 1);
        assert_int_equal(req.parts[0].info.base_sequence, i + 1);
        prod_reply(p, &req);
    }
    prod_serve(p);
    prod_expect(p, 1, 8, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* All ready partitions of a broker go in one request, grouped by topic. */
static void test_one_request_for_all_partitions(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 5;
    p->h->topics[1] = (struct host_topic){.name = "u", .id = 9, .partition_count = 20, .leader = 1};
    p->h->topic_count = 2;
    start_with(p);
    prod_put(p, "u", 0, 0);
    prod_serve_for(p, 10);
    for (uint64_t tag = 1; tag <= 23; tag++)
        prod_put(p, tag % 8 == 0 ? "t" : "u", (int32_t)tag % 8 == 0 ? 1 : (int32_t)tag % 20, tag);
    prod_advance(p, 5);
    assert_int_equal(prod_waiting(p), 1);
    prod_next(p, &req);
    for (int32_t i = 0; i < req.count; i++)
        for (int32_t k = i + 2; k < req.count; k++)
            if (strcmp(req.parts[i].topic, req.parts[k].topic) == 0)
                assert_string_equal(req.parts[i].topic, req.parts[k - 1].topic);
    prod_reply(p, &req);
    prod_expect(p, 1, 23, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* max.request.size bounds a request; those left over go first next time. */
static void test_request_size_is_bounded(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 5;
    start_with(p);
    p->plain_values = true;
    p->h->settings.max_request_size = 3000;
    uint8_t value[1200] = {0};
    for (int32_t i = 0; i < 3; i++) {
        struct sl_staging_input in = {.topic = "t",
                                      .value = value,
                                      .value_size = sizeof value,
                                      .tag = (uint64_t)i + 1,
                                      .partition = i,
                                      .flags = SL_STAGED_PARTITION | SL_STAGED_KEY_NULL};
        assert_int_equal(prod_put_input(p, &in), 0);
    }
    prod_advance(p, 5);
    assert_int_equal(prod_waiting(p), 2);
    prod_next(p, &req);
    assert_int_equal(req.count, 2);
    prod_next(p, &other);
    assert_int_equal(other.count, 1);
    prod_reply(p, &req);
    prod_reply(p, &other);
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* By id when every topic has one, by name when one has not (4). */
static void test_zero_topic_id_falls_back_to_names(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 5;
    p->h->topics[1] = (struct host_topic){.name = "old", .partition_count = 1, .leader = 1};
    p->h->topic_count = 2;
    start_with(p);
    prod_put(p, "old", 0, 1);
    prod_serve_for(p, 10);
    prod_put(p, "t", 0, 2);
    prod_put(p, "old", 0, 3);
    prod_advance(p, 5);
    prod_next(p, &req);
    assert_int_equal(req.r.header.version, 12);
    prod_reply(p, &req);
    prod_put(p, "t", 0, 4);
    prod_advance(p, 5);
    prod_next(p, &req);
    assert_int_equal(req.r.header.version, 13);
    prod_reply(p, &req);
    prod_expect(p, 1, 4, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* ---- retries ---- */

/* A refused batch and those behind it come again in order, one at a time until one succeeds. */
static void test_retry_keeps_order_and_bytes(void **state) {
    (void)state;
    struct prod *p = start();
    for (uint64_t tag = 1; tag <= 3; tag++) send_one(p, 0, tag);
    uint32_t bytes[3];
    for (int i = 0; i < 3; i++) {
        prod_next(p, &req);
        bytes[i] = req.parts[0].bytes_crc;
        req.parts[0].code =
            i == 0 ? SLUICE_KAFKA_NOT_ENOUGH_REPLICAS : SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
        prod_reply(p, &req);
    }
    send_one(p, 0, 4); /* must not overtake */
    prod_advance(p, 79);
    assert_int_equal(prod_waiting(p), 0); /* backs off 100 ms, less a fifth at most */
    prod_advance(p, 60);
    assert_int_equal(prod_waiting(p), 1);
    for (int i = 0; i < 3; i++) {
        prod_next(p, &req);
        assert_int_equal(req.parts[0].info.base_sequence, 1 + i);
        assert_int_equal(req.parts[0].bytes_crc, bytes[i]);
        if (i == 0) assert_int_equal(prod_waiting(p), 0);
        prod_reply(p, &req);
    }
    prod_serve(p);
    prod_expect(p, 1, 4, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->h->core->producer_id.epoch, 0); /* no bump was needed */
    prod_end(p);
}

/* The connection is lost after the broker has acted: identical bytes come again, and a duplicate
 * is a success without an offset (16, 17, 21). */
static void test_lost_answer_resends_the_same_bytes(void **state) {
    (void)state;
    struct prod *p = start();
    send_one(p, 1, 1);
    prod_next(p, &req);
    prod_cut(p, 1);
    prod_advance(p, 2000);
    assert_int_equal(prod_waiting(p), 1);
    prod_next(p, &other);
    assert_int_equal(other.parts[0].bytes_crc, req.parts[0].bytes_crc);
    other.parts[0].code = SLUICE_KAFKA_DUPLICATE_SEQUENCE_NUMBER;
    prod_reply(p, &other);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->offset[1], -1);
    prod_end(p);
}

/* A request of which the broker got only a part leaves its batches certainly unwritten. */
static void test_half_sent_request_is_certainly_unwritten(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.delivery_timeout_ms = 1000;
    p->h->send_cap = 20;
    prod_put(p, "t", 0, 1);
    prod_take(p);
    sl_core_run(p->h->core);
    struct sl_output output;
    assert_true(sl_core_next_output(p->h->core, &output));
    assert_int_equal(output.kind, SL_OUTPUT_SEND);
    host_send(p->h, host_conn_of(p->h, output.link)); /* 20 bytes leave */
    p->h->send_cap = 0;
    p->h->deaf = true;
    prod_cut(p, 1);
    prod_advance(p, 1000);
    prod_expect(p, 1, 1, SL_OUTCOME_NOT_WRITTEN);
    assert_int_equal(p->code[1], SLUICE_ERR_TIMEOUT);
    /* Its sequence is used again: there is no hole, and no bump. */
    p->h->deaf = false;
    prod_advance(p, 2000);
    send_one(p, 0, 2);
    prod_next(p, &req);
    assert_int_equal(req.parts[0].info.base_sequence, 1);
    prod_reply(p, &req);
    prod_expect(p, 2, 2, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

static void test_retries_are_counted(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.idempotence = false;
    p->h->settings.retries = 2;
    p->h->settings.linger_ms = 0;
    start_with(p);
    send_one(p, 0, 1);
    for (int i = 0; i < 3; i++) {
        prod_advance(p, 1000);
        assert_int_equal(prod_waiting(p), 1);
        prod_answer(p, &req, SLUICE_KAFKA_NOT_ENOUGH_REPLICAS, -1);
        assert_int_equal(req.parts[0].info.producer_id, -1);
        assert_int_equal(req.parts[0].info.base_sequence, -1);
    }
    prod_expect(p, 1, 1, SL_OUTCOME_NOT_WRITTEN);
    assert_int_equal(p->code[1], SLUICE_KAFKA_NOT_ENOUGH_REPLICAS);
    prod_end(p);
}

/* A refused batch waits retry.backoff.ms, doubled with each failure, give or take a fifth, and never
 * more than retry.backoff.max.ms (KIP-580). */
static void test_retries_back_off(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 0;
    start_with(p);
    send_one(p, 0, 1);
    prod_turn(p);
    int64_t term = 100;
    for (int i = 0; i < 7; i++) {
        assert_int_equal(prod_waiting(p), 1);
        prod_answer(p, &req, SLUICE_KAFKA_NOT_ENOUGH_REPLICAS, -1);
        int64_t waited = 0;
        for (; prod_waiting(p) == 0 && waited < 5000; waited++) prod_advance(p, 1);
        int64_t most = term * 12 / 10 < 1000 ? term * 12 / 10 : 1000;
        assert_in_range(waited, term * 8 / 10, most + 1); /* a step of the clock late */
        term = term * 2 < 1000 ? term * 2 : 1000;
    }
    prod_answer(p, &req, 0, 1);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Partitions that one answer refuses wait for the same time, and make one request again. */
static void test_refused_together_come_again_together(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 5;
    start_with(p);
    for (int32_t i = 0; i < 3; i++) prod_put(p, "t", i, (uint64_t)i + 1);
    prod_advance(p, 5);
    for (int attempt = 0; attempt < 4; attempt++) {
        assert_int_equal(prod_waiting(p), 1);
        prod_next(p, &req);
        assert_int_equal(req.count, 3);
        for (int32_t i = 0; i < 3; i++) req.parts[i].code = SLUICE_KAFKA_NOT_ENOUGH_REPLICAS;
        prod_reply(p, &req);
        for (int ms = 0; prod_waiting(p) == 0 && ms < 5000; ms++) prod_advance(p, 1);
    }
    prod_next(p, &req);
    assert_int_equal(req.count, 3);
    prod_reply(p, &req);
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* ---- answers that are not what they should be ---- */

/* Left out, asked by nobody, twice, out of order (19 of the mined bugs; 50). */
static void test_answer_with_wrong_partitions(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 5;
    start_with(p);
    for (int32_t i = 0; i < 3; i++) prod_put(p, "t", i, (uint64_t)i + 1);
    prod_advance(p, 5);
    prod_next(p, &req);
    assert_int_equal(req.count, 3);
    other = req;
    /* Partition 2 first; 1 twice with different words; 0 not at all; 77 was never asked for. */
    other.count = 5;
    other.parts[0] = req.parts[2];
    other.parts[1] = req.parts[1];
    other.parts[1].base_offset = 11;
    other.parts[2] = req.parts[1];
    other.parts[2].code = SLUICE_KAFKA_INVALID_RECORD;
    other.parts[3] = req.parts[0];
    other.parts[3].omit = true;
    other.parts[4] = req.parts[1];
    other.parts[4].partition = 77;
    prod_reply(p, &other);
    prod_expect(p, 2, 3, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->offset[2], 11);
    prod_expect_none(p, 1, 1);
    prod_advance(p, 1000);
    prod_next(p, &other);
    assert_int_equal(other.count, 1);
    assert_int_equal(other.parts[0].bytes_crc, req.parts[0].bytes_crc);
    prod_reply(p, &other);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* An answer that can't be read leaves everything in it open, and costs the connection. */
static void test_garbage_answer_is_no_outcome(void **state) {
    (void)state;
    struct prod *p = start();
    send_one(p, 0, 1);
    send_one(p, 0, 2);
    prod_next(p, &req);
    uint8_t frame[9] = {0, 0, 0, 5};
    sl_bytes_put32(frame + 4, (uint32_t)req.r.header.correlation);
    host_feed(p->h, req.r.conn, frame, sizeof frame);
    for (int i = 0; i < p->h->request_count; i++) p->h->requests[i].taken = true;
    prod_turn(p);
    prod_expect_none(p, 1, 2);
    prod_advance(p, 2000);
    prod_next(p, &other);
    assert_int_equal(other.parts[0].bytes_crc, req.parts[0].bytes_crc);
    prod_reply(p, &other);
    prod_serve(p);
    prod_expect(p, 1, 2, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

struct code_story {
    int16_t code;
    int outcome; /* 0: again, and the answer is open or not as the next field says */
    bool open;
};
/* Every code by itself: the outcome, or a retry; and what a retry that then expires amounts to. */
static void test_meaning_of_codes(void **state) {
    (void)state;
    static const struct code_story stories[] = {
        {SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, SL_OUTCOME_MAYBE_WRITTEN, true},
        {999, SL_OUTCOME_MAYBE_WRITTEN, true},
        {SLUICE_KAFKA_CORRUPT_MESSAGE, 0, false},
        {SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, 0, false},
        {SLUICE_KAFKA_LEADER_NOT_AVAILABLE, 0, false},
        {SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, 0, true},
        {SLUICE_KAFKA_REQUEST_TIMED_OUT, 0, true},
        {SLUICE_KAFKA_MESSAGE_TOO_LARGE, SL_OUTCOME_NOT_WRITTEN, false},
        {SLUICE_KAFKA_NOT_ENOUGH_REPLICAS, 0, false},
        {SLUICE_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND, 0, true},
        {SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, SL_OUTCOME_NOT_WRITTEN, false},
        {SLUICE_KAFKA_INVALID_TIMESTAMP, SL_OUTCOME_NOT_WRITTEN, false},
        {SLUICE_KAFKA_KAFKA_STORAGE_ERROR, 0, true},
        {SLUICE_KAFKA_FENCED_LEADER_EPOCH, 0, false},
        {SLUICE_KAFKA_INVALID_RECORD, SL_OUTCOME_NOT_WRITTEN, false},
        {SLUICE_KAFKA_UNKNOWN_TOPIC_ID, 0, false},
        {SLUICE_KAFKA_POLICY_VIOLATION, SL_OUTCOME_NOT_WRITTEN, false},
    };
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        const struct code_story *story = &stories[i];
        struct prod *p = start();
        p->h->settings.delivery_timeout_ms = 5000;
        send_one(p, 0, 1);
        prod_answer(p, &req, story->code, -1);
        if (story->outcome != 0) {
            prod_expect(p, 1, 1, story->outcome);
            assert_int_equal(p->code[1], story->code);
        } else {
            prod_expect_none(p, 1, 1);
            /* Nobody can be reached any more, so the batch expires where it is. */
            p->h->deaf = true;
            prod_cut(p, 1);
            prod_advance(p, 5000);
            prod_expect(p, 1, 1, story->open ? SL_OUTCOME_MAYBE_WRITTEN : SL_OUTCOME_NOT_WRITTEN);
        }
        prod_end(p);
    }
}

/* A code of ours in an answer means as little as any other unknown one. */
static void test_our_own_codes_mean_nothing(void **state) {
    (void)state;
    struct prod *p = start();
    send_one(p, 0, 1);
    prod_answer(p, &req, SLUICE_ERR_NOT_WRITTEN, -1);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    assert_int_equal(p->code[1], SLUICE_KAFKA_UNKNOWN_SERVER_ERROR);
    prod_end(p);
}

/* Records have offsets up to the last but one number: a place beyond is not told. */
static void test_impossible_offsets_are_not_told(void **state) {
    (void)state;
    struct prod *p = start();
    send_one(p, 0, 1);
    prod_answer(p, &req, 0, INT64_MAX);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->offset[1], -1);
    send_one(p, 0, 2);
    prod_answer(p, &req, 0, INT64_MAX - 1);
    assert_true(p->offset[2] == INT64_MAX - 1);
    prod_end(p);
}

/* ---- leaders ---- */

/* The leader moves with batches in flight: one at a time until the new one has taken one (18). */
static void test_leader_moves_with_batches_in_flight(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 0;
    p->h->nodes[1] = (struct host_node){2, "b2", 9092};
    p->h->node_count = 2;
    start_with(p);
    for (uint64_t tag = 1; tag <= 4; tag++) send_one(p, 0, tag);
    p->h->topics[0].leader = 2;
    p->h->topics[0].leader_epoch = 6;
    prod_answer(p, &req, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1);
    prod_advance(p, 300);
    assert_int_equal(prod_waiting(p), 3); /* those still at the old leader */
    for (int i = 0; i < 3; i++) prod_answer(p, &req, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1);
    prod_advance(p, 1500);
    assert_int_equal(prod_waiting(p), 1);
    prod_next(p, &req);
    assert_int_equal(req.parts[0].first_tag, 1);
    assert_string_equal(req.r.conn->host, "b2");
    prod_reply(p, &req);
    assert_int_equal(prod_waiting(p), 3); /* and now the rest, pipelined */
    prod_serve(p);
    prod_expect(p, 1, 4, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->h->core->producer_id.epoch, 0);
    prod_end(p);
}

/* KIP-951: the answer names the new leader; the batch goes there without a back-off. */
static void test_leader_hint_is_followed_at_once(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 0;
    p->h->nodes[1] = (struct host_node){2, "b2", 9092};
    p->h->node_count = 2;
    start_with(p);
    send_one(p, 0, 1);
    prod_next(p, &req);
    req.parts[0].code = SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER;
    req.parts[0].hint = (struct sl_leader_hint){2, 6};
    p->h->topics[0].leader = 2;
    p->h->topics[0].leader_epoch = 6;
    prod_reply(p, &req);
    assert_int_equal(prod_waiting(p), 1); /* no time has passed */
    prod_next(p, &req);
    assert_string_equal(req.r.conn->host, "b2");
    prod_reply(p, &req);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    /* Without a hint the defaults must not be taken for broker 0 (7). */
    send_one(p, 0, 2);
    prod_answer(p, &req, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1);
    prod_serve_for(p, 500);
    prod_expect(p, 2, 2, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Without a leader batches wait, and metadata goes on asking. */
static void test_partition_without_leader_waits(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->topics[0].leader = -1;
    p->h->topics[0].leader_epoch = 6;
    send_one(p, 0, 1);
    prod_answer(p, &req, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1);
    prod_advance(p, 300);
    /* It may have gone to the old leader once more before metadata told. */
    while (prod_waiting(p) > 0) prod_answer(p, &req, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1);
    prod_advance(p, 20000);
    assert_int_equal(prod_waiting(p), 0);
    prod_expect_none(p, 1, 1);
    p->h->topics[0].leader = 1;
    p->h->topics[0].leader_epoch = 7;
    prod_serve_for(p, 3000);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* ---- delivery timeout ---- */

/* Expired in flight: the outcome comes at once, the memory only when the request is over, and the
 * bytes stay what they were (19). */
static void test_expired_in_flight_keeps_its_memory(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.delivery_timeout_ms = 3000;
    send_one(p, 0, 1);
    prod_next(p, &req);
    int64_t used = sl_staging_used(p->staging);
    assert_true(used > 0);
    prod_advance(p, 3000);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    assert_int_equal(p->code[1], SLUICE_ERR_TIMEOUT);
    assert_true(sl_staging_used(p->staging) > 0);
    /* New records don't get that memory, nor a sequence while the fate is open. */
    send_one(p, 0, 2);
    assert_int_equal(prod_waiting(p), 0);
    prod_reply(p, &req); /* the late answer: it was written after all */
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    assert_int_equal(prod_waiting(p), 1);
    prod_next(p, &req);
    assert_int_equal(req.parts[0].info.base_sequence, 2);
    assert_int_equal(req.parts[0].first_tag, 2);
    prod_reply(p, &req);
    prod_expect(p, 2, 2, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->h->core->producer_id.epoch, 0);
    prod_end(p);
}

/* While only part of it has left, the bytes that follow are those of the expired batch. */
static void test_expired_while_half_sent_sends_its_own_bytes(void **state) {
    (void)state;
    struct prod *p = start();
    p->plain_values = true;
    p->h->settings.delivery_timeout_ms = 1000;
    static uint8_t value[1500];
    memset(value, 'x', sizeof value);
    struct sl_staging_input in = {.topic = "t",
                                  .value = value,
                                  .value_size = sizeof value,
                                  .tag = 1,
                                  .flags = SL_STAGED_PARTITION | SL_STAGED_KEY_NULL};
    assert_int_equal(prod_put_input(p, &in), 0);
    prod_take(p);
    sl_core_run(p->h->core);
    struct sl_output output;
    assert_true(sl_core_next_output(p->h->core, &output));
    p->h->send_cap = 300;
    host_send(p->h, host_conn_of(p->h, output.link));
    /* The socket is full; 1 s later the batch is over, and others are made meanwhile. */
    p->h->send_cap = 0;
    p->h->now += 1000 * SL_MS;
    for (uint64_t tag = 2; tag <= 5; tag++) {
        memset(value, 'y', sizeof value);
        in.tag = tag;
        in.partition = 1;
        assert_int_equal(prod_put_input(p, &in), 0);
        prod_take(p);
        sl_core_run(p->h->core);
        struct sl_events events;
        sl_core_take_events(p->h->core, &events);
        sl_events_move(&p->h->events, &events);
        prod_collect(p);
    }
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_turn(p);
    host_send(p->h, host_conn_of(p->h, output.link));
    prod_next(p, &req); /* its CRC is checked there */
    assert_int_equal(req.parts[0].partition, 0);
    prod_reply(p, &req);
    prod_serve(p);
    prod_expect(p, 2, 5, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* An expired batch that never left frees its place; nothing sent, nothing to doubt. */
static void test_expired_unsent_is_not_written(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.delivery_timeout_ms = 2000;
    p->h->settings.max_in_flight = 1;
    send_one(p, 0, 1);
    prod_advance(p, 10);
    send_one(p, 0, 2);
    prod_next(p, &req);
    prod_advance(p, 2100);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_expect(p, 2, 2, SL_OUTCOME_NOT_WRITTEN);
    prod_reply(p, &req);
    send_one(p, 0, 3);
    prod_serve(p);
    prod_expect(p, 3, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* ---- unresolved sequences and epoch bumps ---- */

/* A batch in flight expires, its fate stays unknown: a later one that the broker takes proves that
 * it was written; no bump. */
static void test_later_ack_resolves(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.delivery_timeout_ms = 3000;
    send_one(p, 0, 1);
    prod_advance(p, 500);
    send_one(p, 0, 2);
    prod_next(p, &req);
    prod_next(p, &other);
    prod_cut(p, 1);
    prod_advance(p, 2500);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_expect_none(p, 2, 2);
    /* The first has come again meanwhile, without an answer; now the second. */
    while (prod_waiting(p) > 0) prod_next(p, &req);
    prod_cut(p, 1);
    send_one(p, 0, 3);
    p->h->settings.delivery_timeout_ms = 120000;
    for (int i = 0; i < 20 && prod_waiting(p) == 0; i++) prod_advance(p, 20);
    if (prod_waiting(p) > 0) {
        prod_next(p, &req);
        assert_int_equal(req.parts[0].bytes_crc, other.parts[0].bytes_crc);
        prod_reply(p, &req);
        prod_expect(p, 2, 2, SL_OUTCOME_WRITTEN);
    }
    prod_serve(p);
    prod_expect(p, 3, 3, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->h->core->producer_id.epoch, 0);
    prod_end(p);
}

/* No later one is out: the epoch rises before anything new gets a sequence, and it starts at 0. */
static void test_unresolved_bumps_the_epoch(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->settings.delivery_timeout_ms = 3000;
    send_one(p, 0, 1);
    prod_next(p, &req);
    int64_t id = req.parts[0].info.producer_id;
    prod_cut(p, 1);
    p->h->deaf = true;
    prod_advance(p, 3000);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    p->h->deaf = false;
    p->h->settings.delivery_timeout_ms = 120000;
    send_one(p, 0, 2);
    prod_advance(p, 2000);
    assert_int_equal(prod_waiting(p), 0);
    assert_int_equal(host_count_requests(p->h, SL_API_INIT_PRODUCER_ID), 1);
    prod_answer_id(p, 0, id, 1);
    prod_advance(p, 1000);
    prod_next(p, &req);
    assert_int_equal(req.parts[0].info.producer_id, id);
    assert_int_equal(req.parts[0].info.producer_epoch, 1);
    assert_int_equal(req.parts[0].info.base_sequence, 0);
    prod_reply(p, &req);
    prod_expect(p, 2, 2, SL_OUTCOME_WRITTEN);
    /* Another partition had nothing out: it counts anew under the new epoch as well. */
    send_one(p, 1, 3);
    prod_next(p, &req);
    assert_int_equal(req.parts[0].info.producer_epoch, 1);
    assert_int_equal(req.parts[0].info.base_sequence, 0);
    prod_reply(p, &req);
    prod_end(p);
}

/* The first batch out is refused for its sequence: bump, number anew, send again. What is in
 * flight in other partitions finishes under its old epoch, with its old bytes. */
static void test_refused_head_bumps_and_renumbers(void **state) {
    (void)state;
    static const int16_t codes[] = {SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER,
                                    SLUICE_KAFKA_UNKNOWN_PRODUCER_ID,
                                    SLUICE_KAFKA_INVALID_PRODUCER_EPOCH};
    for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
        struct prod *p = start();
        for (uint64_t tag = 1; tag <= 3; tag++) send_one(p, 0, tag);
        send_one(p, 1, 10);
        int64_t id = 0;
        for (int i = 0; i < 3; i++) {
            prod_next(p, &req);
            id = req.parts[0].info.producer_id;
            req.parts[0].code = i == 0 ? codes[c] : SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
            req.parts[0].log_start = 0;
            prod_reply(p, &req);
        }
        prod_next(p, &other); /* partition 1 is answered when the new epoch is known already */
        prod_answer_id(p, 0, id, 1);
        other.parts[0].code = SLUICE_KAFKA_REQUEST_TIMED_OUT;
        prod_reply(p, &other);
        prod_advance(p, 1500);
        uint64_t next = 1;
        while (prod_waiting(p) > 0) {
            prod_next(p, &req);
            for (int32_t i = 0; i < req.count; i++) {
                const struct prod_part *part = &req.parts[i];
                if (part->partition == 1) {
                    assert_int_equal(part->info.producer_epoch, 0);
                    assert_int_equal(part->bytes_crc, other.parts[0].bytes_crc);
                    continue;
                }
                assert_int_equal(part->info.producer_epoch, 1);
                assert_int_equal(part->info.base_sequence, next - 1);
                assert_int_equal(part->first_tag, next);
                next++;
            }
            prod_reply(p, &req);
        }
        prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
        prod_expect(p, 10, 10, SL_OUTCOME_WRITTEN);
        prod_end(p);
    }
}

/* What may be in the log already is not numbered anew: it could be there twice (25 of the bugs). */
static void test_open_batches_are_not_renumbered(void **state) {
    (void)state;
    struct prod *p = start();
    send_one(p, 0, 1);
    send_one(p, 0, 2);
    prod_next(p, &req);
    int64_t id = req.parts[0].info.producer_id;
    prod_cut(p, 1);
    prod_put(p, "t", 0, 3);
    prod_advance(p, 2000);
    prod_answer(p, &req, SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    prod_answer_id(p, 0, id, 1);
    prod_serve_for(p, 1500);
    prod_expect(p, 1, 2, SL_OUTCOME_MAYBE_WRITTEN);
    prod_expect(p, 3, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* UNKNOWN_PRODUCER_ID without a log start is only news that have not arrived yet. */
static void test_unknown_producer_id_without_log_start_is_retried(void **state) {
    (void)state;
    struct prod *p = start();
    send_one(p, 0, 1);
    prod_next(p, &req);
    req.parts[0].code = SLUICE_KAFKA_UNKNOWN_PRODUCER_ID;
    prod_reply(p, &req);
    prod_advance(p, 1000);
    prod_next(p, &other);
    assert_int_equal(other.parts[0].bytes_crc, req.parts[0].bytes_crc);
    prod_reply(p, &other);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* A batch that is refused for good leaves a hole: those behind it are numbered anew. */
static void test_refused_batch_leaves_no_hole(void **state) {
    (void)state;
    struct prod *p = start();
    send_one(p, 0, 1);
    prod_answer(p, &req, SLUICE_KAFKA_INVALID_RECORD, -1);
    prod_expect(p, 1, 1, SL_OUTCOME_NOT_WRITTEN);
    send_one(p, 0, 2); /* nothing was behind: the number is used again */
    prod_next(p, &req);
    assert_int_equal(req.parts[0].info.base_sequence, 1);
    prod_reply(p, &req);
    send_one(p, 0, 3);
    send_one(p, 0, 4);
    prod_answer(p, &req, SLUICE_KAFKA_INVALID_RECORD, -1);
    prod_answer(p, &req, SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    prod_serve_for(p, 1500);
    prod_expect(p, 3, 3, SL_OUTCOME_NOT_WRITTEN);
    prod_expect(p, 4, 4, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Sequences wrap past 2^31 - 1 to 0 (8). */
static void test_sequences_wrap(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->core->metadata.topics[0]->partitions[0]->produce.next_sequence = INT32_MAX - 1;
    static const int32_t want[] = {INT32_MAX - 1, 2, 3};
    static const int counts[] = {4, 1, 1};
    uint64_t tag = 1;
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < counts[i]; k++) prod_put(p, "t", 0, tag++);
        prod_turn(p);
        prod_next(p, &req);
        assert_int_equal(req.parts[0].info.base_sequence, want[i]);
        prod_reply(p, &req);
    }
    prod_end(p);
}

/* The topic is created anew: sequences start over, under the same identity (5). */
static void test_recreated_topic_starts_over(void **state) {
    (void)state;
    struct prod *p = start();
    for (uint64_t tag = 1; tag <= 3; tag++) send_one(p, 0, tag);
    recreate_topic(p);
    for (int i = 0; i < 3; i++) prod_answer(p, &req, SLUICE_KAFKA_UNKNOWN_TOPIC_ID, -1);
    int64_t id = req.parts[0].info.producer_id;
    prod_advance(p, 500);
    while (prod_waiting(p) > 0) { /* sent before metadata told */
        prod_next(p, &req);
        assert_int_equal(req.parts[0].topic_id.bytes[0], 7);
        req.parts[0].code = SLUICE_KAFKA_UNKNOWN_TOPIC_ID;
        prod_reply(p, &req);
        prod_advance(p, 500);
    }
    /* A new epoch first: a request that is still under way must not pass for one to the new log. */
    prod_answer_id(p, 0, id, 1);
    prod_advance(p, 500);
    next_to_recreated(p);
    prod_reply(p, &req);
    prod_serve_for(p, 100);
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Three batches are out when the topic is deleted: its leader had appended them, and answers that it
 * is deposed. The third answer comes only once the new topic is known. */
static void recreate_under_open_attempts(struct prod *p) {
    for (uint64_t tag = 1; tag <= 3; tag++) send_one(p, 0, tag);
    recreate_topic(p);
    for (int i = 0; i < 2; i++) prod_answer(p, &req, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1);
    prod_advance(p, 500);
    prod_answer(p, &req, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1);
    int64_t id = req.parts[0].info.producer_id;
    prod_advance(p, 500);
    prod_answer_id(p, 0, id, 1);
    prod_advance(p, 500);
}

/* What was sent to the old topic by its id cannot be in the new one, whatever became of it. */
static void test_recreated_topic_gets_open_batches(void **state) {
    (void)state;
    struct prod *p = start();
    recreate_under_open_attempts(p);
    prod_expect_none(p, 1, 3);
    next_to_recreated(p);
    prod_reply(p, &req);
    prod_serve_for(p, 1000);
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Such a batch may still be in the old topic, for those who read it there: if it cannot be written
 * to the new one, it is maybe written. */
static void test_recreated_topic_keeps_outcomes_true(void **state) {
    (void)state;
    struct prod *p = start();
    recreate_under_open_attempts(p);
    prod_answer(p, &req, SLUICE_KAFKA_INVALID_RECORD, -1);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_end(p);
}

/* A request that names the topic may have reached the new one. */
static void test_recreated_topic_may_have_named_batches(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->produce_max = 12;
    p->h->settings.linger_ms = 0;
    start_with(p);
    recreate_under_open_attempts(p);
    prod_expect(p, 1, 3, SL_OUTCOME_MAYBE_WRITTEN);
    prod_end(p);
}

/* ---- acks ---- */

static void test_acks_0_is_written_when_it_has_left(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.acks = 0;
    p->h->settings.idempotence = false;
    p->h->settings.linger_ms = 0;
    prod_open(p);
    prod_put(p, "t", 0, 1);
    prod_advance(p, 10);
    prod_next(p, &req);
    assert_int_equal(req.acks, 0);
    p->h->requests[req.r.index].replied = true;
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->offset[1], -1);
    prod_end(p);
}

/* Nobody says that requests arrive: a broker that gets nothing else answers again, as far as anybody
 * can tell, when a connection to it has lasted. */
static void test_acks_0_ends_the_back_off(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.acks = 0;
    p->h->settings.idempotence = false;
    p->h->settings.linger_ms = 0;
    prod_open(p);
    prod_put(p, "t", 0, 1);
    prod_advance(p, 10);
    prod_next(p, &req);
    p->h->requests[req.r.index].replied = true;
    struct sl_broker *broker = sl_brokers_find(p->h->core, 1);
    sl_brokers_on_failure(broker, SLUICE_ERR_UNREACHABLE, "refused");
    send_one(p, 0, 2);
    prod_next(p, &req);
    p->h->requests[req.r.index].replied = true;
    assert_int_equal(broker->failures, 1);
    prod_advance(p, 1000);
    assert_int_equal(broker->failures, 1);
    send_one(p, 0, 3);
    prod_next(p, &req);
    p->h->requests[req.r.index].replied = true;
    prod_expect(p, 1, 3, SL_OUTCOME_WRITTEN);
    assert_int_equal(broker->failures, 0);
    prod_end(p);
}

static void test_acks_1_without_idempotence(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.acks = 1;
    p->h->settings.idempotence = false;
    p->h->settings.linger_ms = 0;
    prod_open(p);
    prod_put(p, "t", 0, 1);
    prod_advance(p, 10);
    assert_int_equal(host_count_requests(p->h, SL_API_INIT_PRODUCER_ID), 0);
    prod_next(p, &req);
    assert_int_equal(req.acks, 1);
    assert_int_equal(req.parts[0].info.producer_id, -1);
    req.parts[0].base_offset = 5;
    prod_reply(p, &req);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->offset[1], 5);
    prod_end(p);
}

/* ---- throttling ---- */

static void test_throttle_mutes_the_link(void **state) {
    (void)state;
    struct prod *p = start();
    send_one(p, 0, 1);
    prod_next(p, &req);
    prod_reply_with(p, &req, 2000);
    prod_turn(p);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    send_one(p, 0, 2);
    prod_advance(p, 1999);
    assert_int_equal(prod_waiting(p), 0);
    prod_advance(p, 1);
    assert_int_equal(prod_waiting(p), 1);
    prod_serve(p);
    prod_end(p);
}

/* ---- chance ---- */

/* Many small stories from a seeded generator: errors, cuts and leader changes while records are
 * produced; the broker keeps a log, as idempotence has it. Nothing may be lost, duplicated or out
 * of order, and every outcome must be true. */
static void run_chance(uint64_t seed) {
    static const int16_t errors[] = {SLUICE_KAFKA_NOT_ENOUGH_REPLICAS,
                                     SLUICE_KAFKA_REQUEST_TIMED_OUT,
                                     SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER};
    struct sl_rng rng;
    sl_rng_init(&rng, seed);
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = (int32_t)sl_rng_below(&rng, 3) * 3;
    p->h->settings.batch_size = 300;
    p->h->settings.delivery_timeout_ms = sl_rng_chance(&rng, 1, 3) ? 800 : 120000;
    prod_open(p);
    uint64_t tag = 0;
    for (int step = 0; step < 150; step++) {
        for (uint64_t n = sl_rng_below(&rng, 6); n > 0; n--, tag++)
            prod_put(p, "t", (int32_t)(tag % 2), tag);
        prod_advance(p, (int64_t)sl_rng_below(&rng, 12));
        if (host_count_requests(p->h, SL_API_INIT_PRODUCER_ID) > 0)
            prod_answer_id(p, 0, p->next_id++, 0);
        if (prod_waiting(p) == 0) continue;
        uint64_t dice = sl_rng_below(&rng, 10);
        if (dice == 0) {
            prod_next(p, &req); /* acts, then the connection is lost */
            for (int32_t i = 0; i < req.count; i++) prod_append(p, &req.parts[i], &req.r);
            prod_cut(p, 1);
            for (int i = 0; i < p->h->request_count; i++) p->h->requests[i].replied = true;
        } else if (dice < 4) {
            prod_next(p, &req);
            for (int32_t i = 0; i < req.count; i++) {
                int16_t code = errors[sl_rng_below(&rng, 3)];
                bool acts = code == SLUICE_KAFKA_REQUEST_TIMED_OUT && sl_rng_chance(&rng, 1, 2);
                if (acts) prod_append(p, &req.parts[i], &req.r);
                req.parts[i].code = code;
            }
            prod_reply(p, &req);
        } else if (dice < 9) {
            prod_next(p, &req);
            for (int32_t i = 0; i < req.count; i++) prod_append(p, &req.parts[i], &req.r);
            prod_reply(p, &req);
        }
        prod_forget_requests(p);
    }
    prod_serve_for(p, 4000);
    assert_int_equal(sl_batcher_pending(p->h->core), 0);
    int in_log[PROD_TAGS] = {0};
    for (int i = 0; i < p->log_count; i++) {
        for (int32_t k = 0; k < p->logs[i].count; k++) {
            in_log[p->logs[i].tags[k]]++;
            if (k > 0 && p->logs[i].tags[k] <= p->logs[i].tags[k - 1])
                fail_msg("seed %d: %d after %d", (int)seed, (int)p->logs[i].tags[k],
                         (int)p->logs[i].tags[k - 1]);
        }
    }
    for (uint64_t i = 0; i < tag; i++) {
        assert_int_equal(p->reports[i], 1);
        if (in_log[i] > 1) fail_msg("seed %d: record %d twice", (int)seed, (int)i);
        bool is_true = p->outcome[i] == SL_OUTCOME_MAYBE_WRITTEN ||
                       (p->outcome[i] == SL_OUTCOME_WRITTEN) == (in_log[i] == 1);
        if (!is_true)
            fail_msg("seed %d: record %d has outcome %d, log %d", (int)seed, (int)i, p->outcome[i],
                     in_log[i]);
    }
    prod_end(p);
}
static void test_outcomes_are_true_under_chance(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) run_chance(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_five_in_flight_then_no_more),
        cmocka_unit_test(test_one_request_for_all_partitions),
        cmocka_unit_test(test_request_size_is_bounded),
        cmocka_unit_test(test_zero_topic_id_falls_back_to_names),
        cmocka_unit_test(test_retry_keeps_order_and_bytes),
        cmocka_unit_test(test_lost_answer_resends_the_same_bytes),
        cmocka_unit_test(test_half_sent_request_is_certainly_unwritten),
        cmocka_unit_test(test_retries_are_counted),
        cmocka_unit_test(test_retries_back_off),
        cmocka_unit_test(test_refused_together_come_again_together),
        cmocka_unit_test(test_answer_with_wrong_partitions),
        cmocka_unit_test(test_garbage_answer_is_no_outcome),
        cmocka_unit_test(test_meaning_of_codes),
        cmocka_unit_test(test_our_own_codes_mean_nothing),
        cmocka_unit_test(test_impossible_offsets_are_not_told),
        cmocka_unit_test(test_leader_moves_with_batches_in_flight),
        cmocka_unit_test(test_leader_hint_is_followed_at_once),
        cmocka_unit_test(test_partition_without_leader_waits),
        cmocka_unit_test(test_expired_in_flight_keeps_its_memory),
        cmocka_unit_test(test_expired_while_half_sent_sends_its_own_bytes),
        cmocka_unit_test(test_expired_unsent_is_not_written),
        cmocka_unit_test(test_later_ack_resolves),
        cmocka_unit_test(test_unresolved_bumps_the_epoch),
        cmocka_unit_test(test_refused_head_bumps_and_renumbers),
        cmocka_unit_test(test_open_batches_are_not_renumbered),
        cmocka_unit_test(test_unknown_producer_id_without_log_start_is_retried),
        cmocka_unit_test(test_refused_batch_leaves_no_hole),
        cmocka_unit_test(test_sequences_wrap),
        cmocka_unit_test(test_recreated_topic_starts_over),
        cmocka_unit_test(test_recreated_topic_gets_open_batches),
        cmocka_unit_test(test_recreated_topic_keeps_outcomes_true),
        cmocka_unit_test(test_recreated_topic_may_have_named_batches),
        cmocka_unit_test(test_acks_0_is_written_when_it_has_left),
        cmocka_unit_test(test_acks_0_ends_the_back_off),
        cmocka_unit_test(test_acks_1_without_idempotence),
        cmocka_unit_test(test_throttle_mutes_the_link),
        cmocka_unit_test(test_outcomes_are_true_under_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
