/* Goal: what files and providers of tokens say becomes a token with the lifetime that it has, or a
 * reason in plain words. Method: answers right, odd and wrong; JWTs made here; every allocation fails
 * once. */
#include "support.h"

#include "base/base64.h"
#include "core/token_answer.h"
#include "sluice/error.h"

#define NOW_MS INT64_C(1700000000000)

typedef int (*read_fn)(struct sl_bytes content, int64_t wall_ms, const struct sl_alloc *alloc,
                       struct sl_token_answer *out, struct sl_text *why);

/* A JWT with that payload. */
static const char *jwt(const char *payload) {
    static char token[600];
    struct sl_writer text;
    sl_writer_init(&text, sl_alloc_default());
    sl_base64_encode(&text, payload, strlen(payload));
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '+') text.data[i] = '-';
        if (text.data[i] == '/') text.data[i] = '_';
    }
    while (text.data[text.size - 1] == '=') text.size--;
    snprintf(token, sizeof token, "eyJhbGciOiJSUzI1NiJ9.%.*s.c2lnbmF0dXJl", (int)text.size,
             (const char *)text.data);
    sl_writer_deinit(&text);
    return token;
}

static int read_copy(read_fn read, const char *content, size_t size, struct sl_token_answer *out,
                     char *buf, size_t cap) {
    struct sl_text why;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, content, size);
    sl_text_init(&why, buf, cap);
    int rv = read((struct sl_bytes){copy, (int32_t)size}, NOW_MS, sl_alloc_default(), out, &why);
    free(copy);
    return rv;
}

static void expect_token(read_fn read, const char *content, const char *token, int64_t life_ms,
                         const char *subject) {
    struct sl_token_answer out;
    char why[200];
    int rv = read_copy(read, content, strlen(content), &out, why, sizeof why);
    if (rv != 0) fail_msg("%s: %s", content, why);
    assert_string_equal(out.token, token);
    assert_int_equal(out.life_ms, life_ms);
    assert_string_equal(out.subject, subject);
    sl_alloc_free_secret(sl_alloc_default(), out.token);
}

static void expect_reason(read_fn read, const char *content, const char *want) {
    struct sl_token_answer out;
    char why[200];
    assert_int_equal(read_copy(read, content, strlen(content), &out, why, sizeof why),
                     SLUICE_ERR_AUTH);
    assert_string_equal(why, want);
    assert_null(out.token);
}

static void a_file_is_a_token(void **state) {
    (void)state;
    read_fn read = sl_token_answer_read_file;
    char content[700], token[600];
    expect_token(read, "opaque", "opaque", -1, "");
    expect_token(read, " \tb64+/==\r\n\n", "b64+/==", -1, "");
    snprintf(token, sizeof token, "%s", jwt("{\"exp\":1700000030,\"sub\":\"bob\"}"));
    snprintf(content, sizeof content, "%s\n", token);
    expect_token(read, content, token, 30000, "bob");
    snprintf(token, sizeof token, "%s", jwt("{\"sub\":\"bob\",\"exp\":1700000000.9,\"a\":[1]}"));
    expect_token(read, token, token, 0, "bob");
    snprintf(token, sizeof token, "%s", jwt("{\"iat\":1}"));
    expect_token(read, token, token, -1, "");
    /* Neither a payload that is no object nor one that is no base64 says anything. */
    snprintf(token, sizeof token, "%s", jwt("{\"exp\":1700000030,\"sub\":\"bob\""));
    expect_token(read, token, token, -1, "");
    expect_token(read, "a.b+.c", "a.b+.c", -1, "");
    expect_token(read, "a..c", "a..c", -1, "");
    expect_reason(read, "", "it is empty");
    expect_reason(read, " \n\n", "it is empty");
    expect_reason(read, "two words", "what is in it is not a token");
    expect_reason(read, "{\"access_token\":\"t\"}", "what is in it is not a token");
}

static void what_no_token_can_be_is_refused(void **state) {
    struct sl_token_answer out;
    char why[200], *large = malloc(SL_TOKEN_MAX + 1);
    (void)state;
    assert_non_null(large);
    memset(large, 'a', SL_TOKEN_MAX + 1);
    assert_int_equal(
        read_copy(sl_token_answer_read_file, large, SL_TOKEN_MAX + 1, &out, why, sizeof why),
        SLUICE_ERR_AUTH);
    assert_string_equal(why, "it is longer than any token");
    assert_int_equal(
        read_copy(sl_token_answer_read_file, large, SL_TOKEN_MAX, &out, why, sizeof why), 0);
    sl_alloc_free_secret(sl_alloc_default(), out.token);
    free(large);
    assert_int_equal(read_copy(sl_token_answer_read_file, "a\0b", 3, &out, why, sizeof why),
                     SLUICE_ERR_AUTH);
}

static void a_provider_gives_a_token(void **state) {
    (void)state;
    read_fn read = sl_token_answer_read_oidc;
    char content[900], token[600];
    expect_token(read, "{\"access_token\":\"opaque\",\"token_type\":\"Bearer\",\"expires_in\":60}",
                 "opaque", 60000, "");
    expect_token(read, "{\"expires_in\":\"60\",\"access_token\":\"a\\/b\"}", "a/b", 60000, "");
    expect_token(read, "{\"access_token\":\"opaque\"}", "opaque", -1, "");
    expect_token(read, "{\"id_token\":\"opaque\",\"x\":{\"access_token\":\"y\"}}", "opaque", -1,
                 "");
    expect_token(read, "{\"access_token\":\"t\",\"expires_in\":-5}", "t", -1, "");
    expect_token(read, "{\"access_token\":\"t\",\"expires_in\":0}", "t", 0, "");
    expect_token(read, "{\"access_token\":\"t\",\"expires_in\":99999999999999}", "t",
                 INT64_C(2147483647000), "");
    /* The shorter of both counts, … */
    snprintf(token, sizeof token, "%s", jwt("{\"exp\":1700000030,\"sub\":\"bob\"}"));
    snprintf(content, sizeof content, "{\"access_token\":\"%s\",\"expires_in\":20}", token);
    expect_token(read, content, token, 20000, "bob");
    snprintf(content, sizeof content, "{\"access_token\":\"%s\",\"expires_in\":40}", token);
    expect_token(read, content, token, 30000, "bob");
    snprintf(content, sizeof content, "{\"access_token\":\"%s\"}", token);
    expect_token(read, content, token, 30000, "bob");
    /* … unless the clock here must be wrong. */
    snprintf(token, sizeof token, "%s", jwt("{\"exp\":1699990000}"));
    snprintf(content, sizeof content, "{\"access_token\":\"%s\",\"expires_in\":20}", token);
    expect_token(read, content, token, 20000, "");
    snprintf(content, sizeof content, "{\"access_token\":\"%s\"}", token);
    expect_token(read, content, token, 0, "");
}

static void a_provider_says_why_not(void **state) {
    (void)state;
    read_fn read = sl_token_answer_read_oidc;
    char buf[300];
    struct sl_text why;
    expect_reason(read, "", "its answer is not a JSON object");
    expect_reason(read, "<html>", "its answer is not a JSON object");
    expect_reason(read, "{\"access_token\":\"t\"", "its answer is not a JSON object");
    expect_reason(read, "{}", "its answer has no access_token");
    expect_reason(read, "{\"access_token\":5}", "its answer has no access_token");
    expect_reason(read, "{\"access_token\":\"a b\"}",
                  "the access_token of its answer is not a token");
    expect_reason(read, "{\"access_token\":\"a\\u0000b\"}",
                  "the access_token of its answer is not a token");
    expect_reason(read, "{\"error\":\"invalid_scope\",\"error_description\":\"no\x01pe\"}",
                  "invalid_scope: no?pe");
    static const char error[] = "{\"error\":\"invalid_client\",\"error_uri\":\"x\"}";
    sl_text_init(&why, buf, sizeof buf);
    sl_token_answer_tell((struct sl_bytes){(const uint8_t *)error, sizeof error - 1}, &why);
    assert_string_equal(buf, "invalid_client");
    sl_text_init(&why, buf, sizeof buf);
    sl_token_answer_tell((struct sl_bytes){(const uint8_t *)"<html>", 6}, &why);
    assert_string_equal(buf, "");
}

static void any_allocation_may_fail(void **state) {
    char content[900];
    int size =
        snprintf(content, sizeof content, "{\"access_token\":\"%s\"}", jwt("{\"exp\":1700000030}"));
    (void)state;
    for (long n = 1;; n++) {
        struct test_memory memory;
        struct sl_token_answer out;
        struct sl_text why;
        char buf[200];
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        sl_text_init(&why, buf, sizeof buf);
        int rv = sl_token_answer_read_oidc((struct sl_bytes){(const uint8_t *)content, size},
                                           NOW_MS, &memory.alloc, &out, &why);
        sl_alloc_free_secret(&memory.alloc, out.token);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) {
            assert_int_equal(rv, 0);
            break;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
        assert_string_equal(buf, "no memory for a token");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_a_token),
        cmocka_unit_test(what_no_token_can_be_is_refused),
        cmocka_unit_test(a_provider_gives_a_token),
        cmocka_unit_test(a_provider_says_why_not),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("core_token_answer", tests, NULL, NULL);
}
