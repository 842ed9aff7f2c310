/* The regular expressions of subscriptions: what matches a whole name, what is refused, and that no
 * pattern takes long. */
#include "support.h"

#include "broker/group_regex.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

static int compile(struct test_memory *m, const char *pattern, struct sl_group_regex **out) {
    return sl_group_regex_create(&m->alloc, sl_bytes_str(pattern), out);
}

static bool matches(const char *pattern, const char *text) {
    struct test_memory m;
    struct sl_group_regex *regex;
    test_memory_init(&m);
    assert_int_equal(compile(&m, pattern, &regex), 0);
    bool result = sl_group_regex_matches(regex, sl_bytes_str(text));
    sl_group_regex_destroy(&m.alloc, regex);
    test_memory_check(&m);
    return result;
}

static void test_matches(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *yes, *no;
    } cases[] = {
        {"abc", "abc", "abcd"},
        {"abc", "abc", "xabc"},
        {".*", "", "a\nb"},
        {"a.c", "abc", "ac"},
        {"a*b", "b", "a"},
        {"a*b", "aaab", "aaa"},
        {"a+b", "aab", "b"},
        {"colou?r", "color", "colouur"},
        {"a|bc|d", "bc", "abc"},
        {"(a|b)*c", "ababc", "abab"},
        {"x(a|b)", "xb", "a"},
        {"(?:ab)+", "abab", "aba"},
        {"[a-c]+", "abcba", "abd"},
        {"[^a-c]+", "xyz", "xaz"},
        {"[]a]+", "]a", "b"},
        {"[a-]+", "a-a", "b"},
        {"\\d+", "0123", "12a"},
        {"\\D\\w\\W\\s\\S", "xa- y", "1a- y"},
        {"a\\.b", "a.b", "axb"},
        {"[\\d.]+", "1.2", "1,2"},
        {"a{3}", "aaa", "aa"},
        {"a{2,}", "aaaaa", "a"},
        {"a{1,3}b", "aaab", "aaaab"},
        {"a{0,2}", "", "aaa"},
        {"(ab){0,1}c", "c", "ababc"},
        {"(a{2}){2}", "aaaa", "aaa"},
        {"(a+)?b", "b", "c"},
        {"(a|b){2}", "ba", "a"},
        {"a{0}b", "b", "ab"},
        {"a{x", "a{x", "a"},
        {"a*?b+?", "aabb", "aa"},
        {"^orders-.*$", "orders-7", "my-orders-7"},
        {"(^a|b)c", "bc", "c"},
        {"a$b", "", "ab"},
        {"(a|)b", "b", "c"},
        {"payments\\.(eu|us)\\.[0-9]{2}", "payments.eu.07", "payments.eu.7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool is_none = strcmp(cases[i].pattern, "a$b") == 0; /* nothing matches it */
        if (matches(cases[i].pattern, cases[i].yes) == is_none)
            fail_msg("%s and %s", cases[i].pattern, cases[i].yes);
        if (matches(cases[i].pattern, cases[i].no))
            fail_msg("%s matches %s", cases[i].pattern, cases[i].no);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "",    "(",     ")",     "a)",      "(a",     "[",           "[a",      "*a",    "+",
        "?",   "a**",   "a+*",   "a{2}{3}", "a{3,2}", "a{2",         "a{1000}", "\\",    "\\b",
        "\\1", "[z-a]", "[\\q]", "(?i)a",   "(?=a)",  "[[:alpha:]]", "[a-\\d]", "(a|*)",
    };
    struct test_memory m;
    test_memory_init(&m);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct sl_group_regex *regex;
        int rv = compile(&m, patterns[i], &regex);
        if (rv != SLUICE_KAFKA_INVALID_REGULAR_EXPRESSION) fail_msg("%s: %d", patterns[i], rv);
        assert_null(regex);
    }
    test_memory_check(&m);
}

/* What would take for ever when one way after the other is tried. */
static void test_no_pattern_takes_long(void **state) {
    (void)state;
    char text[250];
    memset(text, 'a', sizeof text);
    text[249] = '\0';
    assert_false(matches("(a*)*(a*)*(a*)*b", text));
    assert_false(matches("(a|a|aa)+b", text));
    assert_true(matches("a{0,249}", text));
    assert_false(matches("a{0,248}", text));
    assert_true(matches("((a{0,30}){0,10}){1}", text));
    struct test_memory m;
    struct sl_group_regex *regex;
    test_memory_init(&m);
    assert_int_equal(compile(&m, "((a{250}){250}){250}", &regex),
                     SLUICE_KAFKA_INVALID_REGULAR_EXPRESSION);
    char deep[300];
    memset(deep, '(', 150);
    memset(deep + 150, ')', 149);
    deep[299] = '\0';
    assert_int_equal(compile(&m, deep, &regex), SLUICE_KAFKA_INVALID_REGULAR_EXPRESSION);
    test_memory_check(&m);
}

static void test_memory_runs_out(void **state) {
    (void)state;
    for (long n = 1;; n++) {
        struct test_memory m;
        struct sl_group_regex *regex;
        test_memory_init(&m);
        test_memory_fail_at(&m, n);
        int rv = compile(&m, "a(b|c)*", &regex);
        sl_group_regex_destroy(&m.alloc, regex);
        test_memory_check(&m);
        if (!test_memory_has_failed(&m)) {
            assert_int_equal(rv, 0);
            break;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_pattern_takes_long),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
