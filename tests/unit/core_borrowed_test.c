/* Goal: a borrowed value is sent from where the application has it, counts against the budget, and
 * is reported only when nothing refers to it any more, however its batch ends (KAFKA-19012 is what
 * happens otherwise: other bytes go out under the old request). Method: a whole core with a scripted
 * broker in virtual time (core_producer.h). */
#include "core_producer.h"

#include "core/unit.h"

enum { SIZE = 5000 };

static struct prod_request req;
static uint64_t value[SIZE / sizeof(uint64_t)];

static struct prod *start_with(struct prod *p) {
    p->h->settings.linger_ms = 0;
    p->h->settings.delivery_timeout_ms = 1000;
    prod_open(p);
    prod_put(p, "t", 0, 0);
    prod_serve_for(p, 10);
    assert_int_equal(p->written, 1);
    return p;
}
static struct prod *start(void) { return start_with(prod_prepare()); }

static void lend_value(struct prod *p, uint64_t tag) {
    for (size_t i = 0; i < sizeof value / sizeof value[0]; i++) value[i] = i;
    value[0] = tag;
    struct sl_staging_input in = {.topic = "t",
                                  .value = value,
                                  .value_size = SIZE,
                                  .tag = tag,
                                  .flags = SL_STAGED_PARTITION | SL_STAGED_KEY_NULL |
                                           SL_STAGED_BORROWED};
    assert_int_equal(prod_put_input(p, &in), 0);
}
/* A borrowed value's batch expires while a request with it is under way. */
static void expire_in_flight(struct prod *p) {
    lend_value(p, 1);
    prod_turn(p);
    prod_next(p, &req);
    prod_advance(p, 1001);
    assert_int_equal(p->maybe_written, 1);
}
static const struct sl_batch *batch_in_flight(const struct prod *p) {
    const struct sl_list *list = &p->h->core->metadata.topics[0]->partitions[0]->produce.in_flight;
    assert_false(sl_list_is_empty(list));
    return SL_LIST_OF(list->next, struct sl_batch, node);
}

static void test_sent_from_where_it_lies(void **state) {
    (void)state;
    struct prod *p = start();
    int64_t before = sl_staging_used(p->staging);
    lend_value(p, 1);
    assert_true(sl_staging_used(p->staging) >= before + SIZE);
    prod_turn(p);
    assert_true(sl_staging_used(p->staging) >= before + SIZE);
    bool is_found = false;
    const struct sl_batch *batch = batch_in_flight(p);
    for (int32_t i = 0; i < batch->piece_count; i++)
        is_found = is_found || batch->pieces[i].data == (const uint8_t *)value;
    assert_true(is_found);
    prod_expect_none(p, 1, 1);
    prod_answer(p, &req, 0, 1);
    assert_int_equal(req.parts[0].first_tag, 1);
    prod_expect(p, 1, 1, SL_OUTCOME_WRITTEN);
    assert_int_equal(sl_staging_used(p->staging), before);
    prod_end(p);
}

/* It has its outcome in time, but the report waits for the answer … */
static void test_expired_in_flight_is_reported_after_the_answer(void **state) {
    (void)state;
    struct prod *p = start();
    expire_in_flight(p);
    prod_expect_none(p, 1, 1);
    prod_advance(p, 5000);
    prod_expect_none(p, 1, 1);
    prod_reply(p, &req);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_end(p);
}

/* … or for the end of the connection. */
static void test_expired_in_flight_is_reported_after_the_cut(void **state) {
    (void)state;
    struct prod *p = start();
    expire_in_flight(p);
    prod_expect_none(p, 1, 1);
    prod_cut(p, 1);
    prod_turn(p);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_end(p);
}

/* What is compressed does not refer to the value any more, and what was never sent neither. */
static void test_expired_without_a_reference_is_reported_at_once(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.codec = SL_CODEC_LZ4;
    p->h->settings.level = SL_COMPRESS_LEVEL_DEFAULT;
    start_with(p);
    expire_in_flight(p);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_reply(p, &req);
    assert_int_equal(p->reports[1], 1);
    prod_end(p);

    p = prod_prepare();
    p->h->topics[0].leader = -1;
    p->h->settings.delivery_timeout_ms = 1000;
    prod_open(p);
    lend_value(p, 1);
    prod_advance(p, 2000);
    prod_expect(p, 1, 1, SL_OUTCOME_NOT_WRITTEN);
    prod_end(p);
}

/* Parts have copies: the value is not needed once it is split, and reported all the same. */
static void test_split(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.max_in_flight = 1;
    start_with(p);
    prod_put(p, "t", 0, 1); /* the next two share a batch behind it */
    prod_turn(p);
    lend_value(p, 2);
    prod_put(p, "t", 0, 3);
    prod_turn(p);
    prod_answer(p, &req, 0, 1);
    prod_turn(p);
    prod_next(p, &req);
    assert_int_equal(req.parts[0].info.record_count, 2);
    req.parts[0].code = SLUICE_KAFKA_MESSAGE_TOO_LARGE;
    prod_reply(p, &req);
    prod_answer(p, &req, 0, 2);
    assert_int_equal(req.parts[0].first_tag, 2);
    prod_expect(p, 2, 2, SL_OUTCOME_WRITTEN);
    prod_answer(p, &req, 0, 3);
    prod_expect(p, 3, 3, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Closing closes the connection first: then nothing refers to it. */
static void test_close_reports_it(void **state) {
    (void)state;
    struct prod *p = start();
    lend_value(p, 1);
    prod_turn(p);
    prod_next(p, &req);
    sl_core_abandon(p->h->core);
    struct sl_events events;
    sl_core_take_events(p->h->core, &events);
    sl_events_move(&p->h->events, &events);
    prod_collect(p);
    prod_expect(p, 1, 1, SL_OUTCOME_MAYBE_WRITTEN);
    prod_end(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sent_from_where_it_lies),
        cmocka_unit_test(test_expired_in_flight_is_reported_after_the_answer),
        cmocka_unit_test(test_expired_in_flight_is_reported_after_the_cut),
        cmocka_unit_test(test_expired_without_a_reference_is_reported_at_once),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_close_reports_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
