/* Goal: PLAIN and OAUTHBEARER are said as the RFCs say, nothing that would change their meaning gets
 * into them, and a broker's reason is told, whatever it looks like.
 * Method: the messages byte by byte; tokens, principals and extensions right and wrong; JSON objects
 * whole, odd, cut at every byte and random. */
#include "support.h"

#include "base/rng.h"
#include "core/sasl_tokens.h"

static void expect_message(struct sl_writer *out, const char *want, size_t size) {
    assert_false(out->failed);
    assert_int_equal(out->size, size);
    assert_memory_equal(out->data, want, size);
    sl_writer_deinit(out);
}

static void messages_are_those_of_the_rfcs(void **state) {
    struct sl_writer out;
    (void)state;
    sl_writer_init(&out, sl_alloc_default());
    sl_sasl_tokens_plain(&out, "user", "pencil");
    expect_message(&out, "\0user\0pencil", 12);
    sl_writer_init(&out, sl_alloc_default());
    sl_sasl_tokens_bearer(&out, "tok", "", "");
    expect_message(&out, "n,,\1auth=Bearer tok\1\1", 21);
    sl_writer_init(&out, sl_alloc_default());
    sl_sasl_tokens_bearer(&out, "tok", "bob", "a=b,logicalCluster=lkc-1");
    expect_message(&out, "n,a=bob,\1auth=Bearer tok\1a=b\1logicalCluster=lkc-1\1\1", 51);
}

static void only_what_can_be_sent_is_a_token(void **state) {
    static const char *const right[] = {"t", "a.b.c", "AZaz09-._~+/", "abc=", "abc=="};
    static const char *const wrong[] = {"",    "=",     "a b", "a\1b", "a,b",
                                        "a=b", "\"a\"", "a\n", "\xc3"};
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_true(sl_sasl_tokens_is_token(right[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(sl_sasl_tokens_is_token(wrong[i]));
    assert_true(sl_sasl_tokens_is_principal(""));
    assert_true(sl_sasl_tokens_is_principal("bob@example.com"));
    assert_false(sl_sasl_tokens_is_principal("a,b"));
    assert_false(sl_sasl_tokens_is_principal("a=b"));
    assert_false(sl_sasl_tokens_is_principal("a\1"));
}

static void extensions_are_those_of_kip_342(void **state) {
    static const char *const right[] = {"", "a=b", "a=b c,dE=f=g"};
    static const char *const wrong[] = {"a",    "=b",    "a=",     "a=b,",  ",a=b", "a=b,,c=d",
                                        "a1=b", "a=\1b", "auth=x", "a=b\1", "a = b"};
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_null(sl_sasl_tokens_check_extensions(right[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (sl_sasl_tokens_check_extensions(wrong[i]) == NULL) fail_msg("\"%s\" passes", wrong[i]);
}

static void tell(const void *data, size_t size, char *buf, size_t cap) {
    struct sl_text text;
    /* A copy of its own, so that a sanitizer sees the first byte read beyond. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0) memcpy(copy, data, size);
    sl_text_init(&text, buf, cap);
    sl_sasl_tokens_tell((struct sl_bytes){copy, (int32_t)size}, &text);
    free(copy);
}

static void expect_told(const char *answer, const char *want) {
    char buf[300];
    tell(answer, strlen(answer), buf, sizeof buf);
    assert_string_equal(buf, want);
}

static void a_refusal_is_told_in_its_words(void **state) {
    static const char none[] = "the token is not taken, and the broker gave no reason";
    static const char whole[] = " { \"openid-configuration\" : \"https://x\" , \"status\" :\n"
                                "\"invalid_token\", \"scope\":\"a \\\"b\\\"\" } ";
    char buf[300];
    (void)state;
    expect_told("{\"status\":\"invalid_token\"}", "the token is not taken: invalid_token");
    expect_told(whole, "the token is not taken: invalid_token, scope a \\\"b\\\"");
    expect_told("{\"status\":\"a\x01\x7f\xff"
                "b\"}",
                "the token is not taken: a???b");
    expect_told("{\"scope\":\"s\",\"status\":\"a\",\"status\":\"b\",\"scope\":\"t\"}",
                "the token is not taken: a, scope s");
    expect_told("", none);
    expect_told("{}", none);
    expect_told("[]", none);
    expect_told("{\"status\":1}", none);
    expect_told("{\"status\":{\"status\":\"x\"}}", none);
    expect_told("{\"status\" \"x\"}", none);
    expect_told("{\"status\":\"x", none);
    expect_told("{\"status\":\"x\\", none);
    for (size_t size = 0; size < strlen(whole); size++) tell(whole, size, buf, sizeof buf);
    struct sl_rng rng;
    sl_rng_init(&rng, 1);
    for (int i = 0; i < 20000; i++) {
        static const char letters[] = "{}\":,\\ status";
        uint8_t noise[40];
        size_t size = (size_t)sl_rng_below(&rng, sizeof noise);
        for (size_t k = 0; k < size; k++)
            noise[k] = (uint8_t)letters[sl_rng_below(&rng, sizeof letters - 1)];
        tell(noise, size, buf, sizeof buf);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_those_of_the_rfcs),
        cmocka_unit_test(only_what_can_be_sent_is_a_token),
        cmocka_unit_test(extensions_are_those_of_kip_342),
        cmocka_unit_test(a_refusal_is_told_in_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
