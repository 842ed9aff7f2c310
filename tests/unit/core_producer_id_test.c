/* Goal: an identity is asked for when there is a first record, again after every failure that may
 * pass, and never after a refusal that only a person can cure; a bump raises the epoch or takes a
 * new id. Method: a whole core with a scripted broker (core_producer.h). */
#include "core_producer.h"

static struct prod_request req;

static const struct sl_init_producer_id_request *decode_id_request(const struct host_request *r,
                                                                   struct sl_arena *arena) {
    return host_decode(r, arena);
}

/* Takes the oldest InitProducerId, checks what it holds, and answers. */
static void answer_checked(struct prod *p, int64_t held_id, int16_t held_epoch, int16_t code,
                           int64_t id, int16_t epoch) {
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    struct host_request r = host_next_request(p->h, SL_API_INIT_PRODUCER_ID);
    const struct sl_init_producer_id_request *message = decode_id_request(&r, &arena);
    assert_int_equal(message->transactional_id.size, -1);
    assert_int_equal(message->transaction_timeout_ms, INT32_MAX);
    assert_int_equal(message->producer_id, held_id);
    assert_int_equal(message->producer_epoch, held_epoch);
    struct sl_init_producer_id_response answer;
    sl_codec_defaults(&sl_init_producer_id_response_type, &answer);
    answer.error_code = code;
    answer.producer_id = id;
    answer.producer_epoch = epoch;
    host_reply(p->h, &r, &answer);
    sl_arena_deinit(&arena);
    prod_turn(p);
}

static int waiting_ids(const struct prod *p) {
    return host_count_requests(p->h, SL_API_INIT_PRODUCER_ID);
}

static void test_asked_for_with_the_first_record(void **state) {
    (void)state;
    struct prod *p = prod_open(prod_prepare());
    prod_advance(p, 1000);
    assert_int_equal(waiting_ids(p), 0);
    prod_put(p, "t", 0, 1);
    prod_turn(p);
    assert_int_equal(waiting_ids(p), 1);
    prod_advance(p, 100);
    assert_int_equal(prod_waiting(p), 0); /* nothing goes out without */
    answer_checked(p, -1, -1, 0, 77, 3);
    assert_int_equal(prod_waiting(p), 1);
    prod_answer(p, &req, 0, 0);
    assert_int_equal(req.parts[0].info.producer_id, 77);
    assert_int_equal(req.parts[0].info.producer_epoch, 3);
    assert_int_equal(req.parts[0].info.base_sequence, 0);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

static void test_passing_failures_are_asked_again(void **state) {
    (void)state;
    static const int16_t codes[] = {
        SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS, SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE,
        SLUICE_KAFKA_REQUEST_TIMED_OUT, SLUICE_KAFKA_UNKNOWN_SERVER_ERROR,
        /* Ours, which no broker may say and mean. */
        SLUICE_ERR_CLOSED, SLUICE_ERR_UNSUPPORTED};
    struct prod *p = prod_open(prod_prepare());
    prod_put(p, "t", 0, 1);
    prod_turn(p);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_int_equal(waiting_ids(p), 1);
        answer_checked(p, -1, -1, codes[i], -1, -1);
        assert_int_equal(waiting_ids(p), 0); /* backs off */
        prod_advance(p, 1500);
    }
    /* An identity that cannot be is no identity. */
    answer_checked(p, -1, -1, 0, -5, 0);
    prod_advance(p, 1500);
    answer_checked(p, -1, -1, 0, 5, 0);
    prod_serve_for(p, 10);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

static void test_lost_connection_is_asked_again(void **state) {
    (void)state;
    struct prod *p = prod_open(prod_prepare());
    prod_put(p, "t", 0, 1);
    prod_turn(p);
    struct host_request r = host_next_request(p->h, SL_API_INIT_PRODUCER_ID);
    host_cut(p->h, r.conn, "reset by peer");
    prod_advance(p, 3000);
    assert_int_equal(waiting_ids(p), 1);
    answer_checked(p, -1, -1, 0, 5, 0);
    prod_serve_for(p, 10);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Who may not write at all hears it with every record, at once. */
static void test_refusal_ends_records(void **state) {
    (void)state;
    struct prod *p = prod_open(prod_prepare());
    prod_put(p, "t", 0, 1);
    prod_put(p, "t", 1, 2);
    prod_turn(p);
    answer_checked(p, -1, -1, SLUICE_KAFKA_CLUSTER_AUTHORIZATION_FAILED, -1, -1);
    prod_expect(p, 1, 2, SL_OUTCOME_NOT_WRITTEN);
    assert_int_equal(p->code[1], SLUICE_KAFKA_CLUSTER_AUTHORIZATION_FAILED);
    assert_true(host_was_told(p->h, "no producer id can be had"));
    prod_put(p, "t", 2, 3);
    prod_advance(p, 10);
    prod_expect(p, 3, 3, SL_OUTCOME_NOT_WRITTEN);
    assert_int_equal(waiting_ids(p), 0);
    prod_end(p);
}

/* A bump names what is held; a broker that refuses that gets asked for a new id. */
static void test_bump(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 0;
    prod_open(p);
    prod_put(p, "t", 0, 1);
    prod_turn(p);
    answer_checked(p, -1, -1, 0, 77, 3);
    prod_answer(p, &req, SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    answer_checked(p, 77, 3, SLUICE_KAFKA_INVALID_PRODUCER_EPOCH, -1, -1);
    prod_advance(p, 1500);
    answer_checked(p, -1, -1, 0, 78, 0);
    prod_advance(p, 500);
    prod_answer(p, &req, 0, 0);
    assert_int_equal(req.parts[0].info.producer_id, 78);
    assert_int_equal(req.parts[0].info.producer_epoch, 0);
    assert_int_equal(req.parts[0].info.base_sequence, 0);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* The last epoch can't rise: a new id. */
static void test_bump_of_the_last_epoch(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 0;
    prod_open(p);
    prod_put(p, "t", 0, 1);
    prod_turn(p);
    answer_checked(p, -1, -1, 0, 77, INT16_MAX);
    prod_answer(p, &req, SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    answer_checked(p, -1, -1, 0, 78, 0);
    prod_serve_for(p, 500);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

static void test_not_asked_without_idempotence(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.idempotence = false;
    prod_open(p);
    prod_put(p, "t", 0, 1);
    prod_advance(p, 10);
    assert_int_equal(waiting_ids(p), 0);
    prod_answer(p, &req, 0, 0);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked_for_with_the_first_record),
        cmocka_unit_test(test_passing_failures_are_asked_again),
        cmocka_unit_test(test_lost_connection_is_asked_again),
        cmocka_unit_test(test_refusal_ends_records),
        cmocka_unit_test(test_bump),
        cmocka_unit_test(test_bump_of_the_last_epoch),
        cmocka_unit_test(test_not_asked_without_idempotence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
