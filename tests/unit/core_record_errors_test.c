/* Goal: when a broker names the records because of which it refused a batch (KIP-467), those have
 * reports of their own with its words, and every record still has exactly one. Method: a whole core
 * with a scripted broker in virtual time (core_producer.h). */
#include "core_producer.h"

static struct prod_request req;

/* The records 1 to `last` are in flight as one batch, taken into req. */
static struct prod *start(enum sl_reports reports, uint64_t last) {
    struct prod *p = prod_prepare();
    p->h->settings.linger_ms = 5;
    p->h->settings.reports = reports;
    prod_open(p);
    prod_put(p, "t", 0, 0);
    prod_serve_for(p, 10);
    p->told = 0;
    for (uint64_t tag = 1; tag <= last; tag++) prod_put(p, "t", 0, tag);
    prod_advance(p, 5);
    prod_next(p, &req);
    assert_int_equal(req.parts[0].info.record_count, (int32_t)last);
    req.parts[0].code = SLUICE_KAFKA_INVALID_RECORD;
    req.parts[0].message = "some records were rejected";
    return p;
}
static void name_record(int32_t index, const char *text) {
    struct prod_part *part = &req.parts[0];
    part->errors[part->error_count++] =
        (struct sl_produce_record_error){index, text != NULL ? sl_bytes_str(text) : SL_STR_NULL};
}
static void expect_all_refused(struct prod *p, uint64_t last) {
    prod_expect(p, 1, last, SL_OUTCOME_NOT_WRITTEN);
    for (uint64_t tag = 1; tag <= last; tag++)
        assert_int_equal(p->code[tag], SLUICE_KAFKA_INVALID_RECORD);
    assert_int_equal(p->not_written, last);
}

static void test_named_records_have_their_own_reports(void **state) {
    (void)state;
    struct prod *p = start(SL_REPORTS_ALL, 6);
    name_record(1, "no key");
    name_record(4, NULL);
    prod_reply(p, &req);
    expect_all_refused(p, 6);
    assert_int_equal(p->told, 3);
    assert_string_equal(p->texts[2], "no key");
    assert_string_equal(p->texts[5], "some records were rejected");
    static const int others[] = {1, 3, 4, 6};
    for (int i = 0; i < 4; i++) assert_non_null(strstr(p->texts[others[i]], "dropped because"));
    prod_put(p, "t", 0, 7); /* the sequences have no hole */
    prod_serve_for(p, 100);
    prod_expect(p, 7, 7, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Then there is no report for the others. */
static void test_all_records_named(void **state) {
    (void)state;
    struct prod *p = start(SL_REPORTS_ALL, 2);
    name_record(1, "b");
    name_record(0, "a");
    prod_reply(p, &req);
    expect_all_refused(p, 2);
    assert_int_equal(p->told, 2);
    assert_string_equal(p->texts[1], "a");
    assert_string_equal(p->texts[2], "b");
    prod_end(p);
}

static void test_places_that_cannot_be(void **state) {
    (void)state;
    struct prod *p = start(SL_REPORTS_ALL, 3);
    name_record(-1, "before");
    name_record(3, "behind");
    name_record(2, "right");
    name_record(2, "again");
    prod_reply(p, &req);
    expect_all_refused(p, 3);
    assert_int_equal(p->told, 2);
    assert_string_equal(p->texts[3], "right");
    prod_end(p);
}

static void test_one_record_in_the_batch(void **state) {
    (void)state;
    struct prod *p = start(SL_REPORTS_FAILED, 1);
    name_record(0, "no key");
    prod_reply(p, &req);
    expect_all_refused(p, 1);
    assert_int_equal(p->told, 1);
    assert_string_equal(p->texts[1], "no key");
    prod_end(p);
}

/* Without places the batch has one report, with the broker's words. */
static void test_a_text_for_the_batch(void **state) {
    (void)state;
    struct prod *p = start(SL_REPORTS_ALL, 3);
    prod_reply(p, &req);
    expect_all_refused(p, 3);
    assert_int_equal(p->told, 1);
    assert_string_equal(p->texts[2], "some records were rejected");
    prod_end(p);
}

/* A peer does not say how much memory a report takes. */
static void test_long_text_is_cut(void **state) {
    (void)state;
    struct sl_delivery *d;
    char text[3000];
    for (size_t i = 0; i < sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 3);
    assert_int_equal(sl_delivery_create(sl_alloc_default(), 1, &d), 0);
    sl_delivery_explain(sl_alloc_default(), d, (struct sl_str){text, sizeof text});
    assert_int_equal(strlen(d->text), 999);
    sl_delivery_explain(sl_alloc_default(), d, SL_STR("another"));
    assert_int_equal(strlen(d->text), 999);
    sl_delivery_destroy(sl_alloc_default(), d);
}

static void test_nobody_wants_reports(void **state) {
    (void)state;
    struct prod *p = start(SL_REPORTS_NONE, 3);
    name_record(1, "no key");
    prod_reply(p, &req);
    assert_int_equal(p->told, 0);
    assert_int_equal(p->not_written, 3);
    prod_end(p);
}

/* What may have been written by an earlier attempt is told so, named or not. */
static void test_an_open_attempt_stays_open(void **state) {
    (void)state;
    struct prod *p = start(SL_REPORTS_ALL, 3);
    req.parts[0].code = SLUICE_KAFKA_REQUEST_TIMED_OUT;
    prod_reply(p, &req);
    prod_advance(p, 500);
    prod_next(p, &req);
    req.parts[0].code = SLUICE_KAFKA_INVALID_RECORD;
    name_record(1, "no key");
    prod_reply(p, &req);
    prod_expect(p, 1, 3, SL_OUTCOME_MAYBE_WRITTEN);
    prod_end(p);
}

/* Every allocation failing in turn: fewer reports, the same outcomes. */
static void test_without_memory(void **state) {
    (void)state;
    bool has_failed = true;
    for (long n = 1; has_failed; n++) {
        struct prod *p = start(SL_REPORTS_ALL, 6);
        name_record(1, "no key");
        name_record(3, "no value");
        prod_reply_with(p, &req, 0);
        test_memory_fail_from(&p->h->memory, p->h->memory.calls + n);
        prod_turn(p);
        has_failed = test_memory_has_failed(&p->h->memory);
        test_memory_fail_at(&p->h->memory, 0);
        for (int i = 0; i < 20 && p->reports[1] == 0; i++) {
            prod_advance(p, 200); /* the answer could not be decoded: the batch goes again */
            if (prod_waiting(p) == 0) continue;
            prod_next(p, &req);
            req.parts[0].code = SLUICE_KAFKA_INVALID_RECORD;
            prod_reply(p, &req);
        }
        for (uint64_t tag = 1; tag <= 6; tag++) {
            assert_int_equal(p->reports[tag], 1);
            assert_int_equal(p->outcome[tag], p->outcome[1]);
        }
        prod_end(p);
        assert_true(n < 200);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_records_have_their_own_reports),
        cmocka_unit_test(test_all_records_named),
        cmocka_unit_test(test_places_that_cannot_be),
        cmocka_unit_test(test_one_record_in_the_batch),
        cmocka_unit_test(test_a_text_for_the_batch),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_nobody_wants_reports),
        cmocka_unit_test(test_an_open_attempt_stays_open),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
