/* Goal: every code has its own row with Kafka's name, a sentence, and the right advice.
 * Method: all codes walked; the sets of retriable and of stale codes compared with lists taken
 * from the protocol notes; spot checks of names, classes, and of codes that nobody has. */
#include "support.h"

#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"

enum { KAFKA_FIRST = -1, KAFKA_LAST = 134, OWN_FIRST = -100, OWN_LAST = -126 };

static bool is_listed(int code, const int *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (list[i] == code) return true;
    }
    return false;
}

static void check_row(int code) {
    const struct sl_error *e = sl_errors_find(code);
    assert_non_null(e);
    assert_int_equal(e->code, code);
    assert_true(strlen(e->name) > 0);
    assert_int_equal(strspn(e->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(e->name));
    /* A sentence: a capital letter, a full stop, and not a novel. */
    size_t len = strlen(e->text);
    assert_in_range(len, 8, 120);
    assert_true(e->text[0] >= 'A' && e->text[0] <= 'Z');
    assert_int_equal(e->text[len - 1], '.');
    assert_in_range(e->error_class, SLUICE_CLASS_NOTICE, SLUICE_CLASS_GONE);
    /* What may be repeated as it is also may succeed later; stale metadata can be refreshed. */
    if (e->retriable) assert_int_equal(e->error_class, SLUICE_CLASS_RETRY);
    if (e->refresh) assert_true(e->retriable);
    assert_int_equal(sl_errors_is_retriable(code), e->retriable);
    assert_int_equal(sl_errors_is_stale(code), e->refresh);
}

static void test_every_code(void **state) {
    (void)state;
    for (int code = KAFKA_FIRST; code <= KAFKA_LAST; code++) check_row(code);
    for (int code = OWN_FIRST; code >= OWN_LAST; code--) check_row(code);
    check_row(SLUICE_NOTICE_REBALANCE);
}

static void test_names_and_texts_are_unique(void **state) {
    (void)state;
    for (int a = OWN_LAST; a <= KAFKA_LAST; a++) {
        if (a > OWN_FIRST && a < KAFKA_FIRST) continue;
        for (int b = a + 1; b <= KAFKA_LAST; b++) {
            if (b > OWN_FIRST && b < KAFKA_FIRST) continue;
            assert_string_not_equal(sl_errors_find(a)->name, sl_errors_find(b)->name);
            assert_string_not_equal(sl_errors_find(a)->text, sl_errors_find(b)->text);
        }
    }
}

static void test_advice(void **state) {
    (void)state;
    static const int retriable[] = {2,  3,  5,  6,  7,  9,  13, 14, 15, 16, 19,  20,  41,  56, 70,
                                    71, 72, 74, 75, 78, 80, 83, 84, 88, 89, 100, 103, 106, 133};
    /* 75 is the broker's lag as a rule; but a topic that was made again counts its epochs anew, and
     * only metadata tells that. */
    static const int stale[] = {3, 5, 6, 9, 13, 56, 72, 74, 75, 80, 83, 84, 100, 103};
    for (int code = KAFKA_FIRST; code <= KAFKA_LAST; code++) {
        assert_int_equal(sl_errors_is_retriable(code),
                         is_listed(code, retriable, sizeof retriable / sizeof *retriable));
        assert_int_equal(sl_errors_is_stale(code),
                         is_listed(code, stale, sizeof stale / sizeof *stale));
    }
}

static void test_names(void **state) {
    (void)state;
    static const struct {
        int code;
        const char *name;
        int error_class;
    } samples[] = {
        {-1, "UNKNOWN_SERVER_ERROR", SLUICE_CLASS_FATAL},
        {0, "NONE", SLUICE_CLASS_NOTICE},
        {1, "OFFSET_OUT_OF_RANGE", SLUICE_CLASS_USAGE},
        {3, "UNKNOWN_TOPIC_OR_PARTITION", SLUICE_CLASS_RETRY},
        {6, "NOT_LEADER_OR_FOLLOWER", SLUICE_CLASS_RETRY},
        {17, "INVALID_TOPIC_EXCEPTION", SLUICE_CLASS_USAGE},
        {29, "TOPIC_AUTHORIZATION_FAILED", SLUICE_CLASS_DENIED},
        {36, "TOPIC_ALREADY_EXISTS", SLUICE_CLASS_USAGE},
        {58, "SASL_AUTHENTICATION_FAILED", SLUICE_CLASS_DENIED},
        {90, "PRODUCER_FENCED", SLUICE_CLASS_GONE},
        {100, "UNKNOWN_TOPIC_ID", SLUICE_CLASS_RETRY},
        {120, "TRANSACTION_ABORTABLE", SLUICE_CLASS_ABORT},
        {129, "REBOOTSTRAP_REQUIRED", SLUICE_CLASS_RETRY},
        {134, "GROUP_DELETION_FAILED", SLUICE_CLASS_FATAL},
        {SLUICE_ERR_USAGE, "USAGE", SLUICE_CLASS_USAGE},
        {SLUICE_ERR_TIMEOUT, "TIMEOUT", SLUICE_CLASS_RETRY},
        {SLUICE_ERR_MAYBE_WRITTEN, "MAYBE_WRITTEN", SLUICE_CLASS_RETRY},
        {SLUICE_ERR_TXN_ABORTED, "TXN_ABORTED", SLUICE_CLASS_ABORT},
        {SLUICE_ERR_AUTH, "AUTH", SLUICE_CLASS_DENIED},
        {SLUICE_ERR_PARTIAL, "PARTIAL", SLUICE_CLASS_RETRY},
        {SLUICE_ERR_TRUNCATED, "TRUNCATED", SLUICE_CLASS_USAGE},
        {SLUICE_NOTICE_REBALANCE, "REBALANCE", SLUICE_CLASS_NOTICE},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sl_error *e = sl_errors_find(samples[i].code);
        assert_string_equal(e->name, samples[i].name);
        assert_int_equal(e->error_class, samples[i].error_class);
    }
}

static void test_unknown_codes(void **state) {
    (void)state;
    static const int unknown[] = {INT32_MIN, -1000, -191,           -189, OWN_LAST - 1,
                                  -99,       -2,    KAFKA_LAST + 1, 1000, INT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        const struct sl_error *e = sl_errors_find(unknown[i]);
        assert_non_null(e);
        assert_string_equal(e->name, "UNKNOWN_CODE");
        assert_false(e->retriable);
        assert_false(e->refresh);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code),    cmocka_unit_test(test_names_and_texts_are_unique),
        cmocka_unit_test(test_advice),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unknown_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
