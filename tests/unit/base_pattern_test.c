/* Regular expressions. */
#include "support.h"

#include "base/pattern.h"
#include "sluice/error.h"

static void test_matches(void **state) {
    struct test_memory memory;
    struct sl_pattern *p;
    (void)state;
    test_memory_init(&memory);
    assert_int_equal(sl_pattern_create(&memory.alloc, "^orders-(eu|us)$", NULL, &p), 0);
    assert_true(sl_pattern_matches(p, "orders-eu"));
    assert_false(sl_pattern_matches(p, "orders-eu-1"));
    assert_false(sl_pattern_matches(p, "my-orders-eu"));
    sl_pattern_destroy(p);
    sl_pattern_destroy(NULL);
    test_memory_check(&memory);
}

static void test_what_is_none_says_why(void **state) {
    struct test_memory memory;
    struct sl_pattern *p;
    struct sl_text why;
    char buf[120];
    (void)state;
    test_memory_init(&memory);
    sl_text_init(&why, buf, sizeof buf);
    assert_int_equal(sl_pattern_create(&memory.alloc, "(a", &why, &p), SLUICE_ERR_USAGE);
    assert_true(why.size > 0);
    test_memory_fail_at(&memory, memory.calls + 1);
    assert_int_equal(sl_pattern_create(&memory.alloc, "a", NULL, &p), SLUICE_ERR_NOMEM);
    test_memory_check(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matches),
                                       cmocka_unit_test(test_what_is_none_says_why)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
