/* Goal: the members of an object are found whatever stands beside them, and nothing else is taken for an
 * object. Method: objects whole, odd, cut at every byte and random, each in memory of its own. */
#include "support.h"

#include "base/json.h"
#include "base/rng.h"

/* Every member as "name=kind:value;", and "." when it was whole. */
static void list(const void *data, size_t size, char *buf, size_t cap) {
    struct sl_json json;
    struct sl_json_member m;
    struct sl_text text;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0) memcpy(copy, data, size);
    sl_text_init(&text, buf, cap);
    sl_json_init(&json, copy, size);
    while (sl_json_next(&json, &m))
        sl_text_printf(&text, "%.*s=%d:%.*s;", (int)m.name.size, m.name.data, (int)m.kind,
                       (int)m.value.size, m.value.data);
    assert_false(sl_json_next(&json, &m));
    if (sl_json_is_whole(&json)) sl_text_put(&text, ".");
    free(copy);
}

static void expect_list(const char *object, const char *want) {
    char buf[400];
    list(object, strlen(object), buf, sizeof buf);
    assert_string_equal(buf, want);
}

static void members_are_found(void **state) {
    (void)state;
    expect_list("{}", ".");
    expect_list(" {\t}\r\n", ".");
    expect_list("{\"a\":\"b\"}", "a=1:b;.");
    expect_list("{ \"a\" : 12.5e3 , \"b\":-1,\"c\":true,\"d\":null }",
                "a=2:12.5e3;b=2:-1;c=3:true;d=3:null;.");
    expect_list("{\"a\":{\"x\":[1,{\"y\":\"}\"}]},\"b\":[\"]\\\"\"],\"c\":\"\"}",
                "a=3:{\"x\":[1,{\"y\":\"}\"}]};b=3:[\"]\\\"\"];c=1:;.");
    expect_list("{\"a\":\"\\\"\\\\\"}", "a=1:\\\"\\\\;.");
}

static void nothing_else_is_an_object(void **state) {
    char deep[400];
    (void)state;
    static const char *const wrong[] = {
        "",
        "{",
        "}",
        "[]",
        "\"a\"",
        "{}x",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":1 2}",
        "{\"a\":\"b}",
        "{\"a\":[}",
        "{\"a\":{\"b\"",
        "{\"a\":\"\\",
        "{\"a\":!}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char buf[400];
        list(wrong[i], strlen(wrong[i]), buf, sizeof buf);
        size_t size = strlen(buf);
        if (size > 0 && buf[size - 1] == '.') fail_msg("%s is taken for an object", wrong[i]);
    }
    snprintf(deep, sizeof deep, "{\"a\":%.*s", 300,
             "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
    expect_list(deep, "");
}

static void cut_and_random_ones_end(void **state) {
    static const char whole[] = "{\"a\" : {\"b\":[1,\"x\\\"\"]}, \"c\":\"\\u0041\", \"d\":12 }";
    static const char letters[] = "{}[]\":,\\ a1";
    char buf[400];
    struct sl_rng rng;
    (void)state;
    for (size_t size = 0; size < strlen(whole); size++) {
        list(whole, size, buf, sizeof buf);
        assert_true(buf[0] == '\0' || buf[strlen(buf) - 1] != '.');
    }
    sl_rng_init(&rng, 1);
    for (int i = 0; i < 20000; i++) {
        uint8_t noise[40];
        size_t size = (size_t)sl_rng_below(&rng, sizeof noise);
        for (size_t k = 0; k < size; k++)
            noise[k] = (uint8_t)letters[sl_rng_below(&rng, sizeof letters - 1)];
        list(noise, size, buf, sizeof buf);
    }
}

static void expect_text(const char *value, const char *want) {
    struct sl_writer out;
    sl_writer_init(&out, sl_alloc_default());
    bool is_good = sl_json_put_text(&out, sl_bytes_str(value));
    assert_int_equal(is_good, want != NULL);
    if (want != NULL) {
        assert_int_equal(out.size, strlen(want));
        assert_memory_equal(out.data, want, out.size);
    }
    sl_writer_deinit(&out);
}

static void texts_lose_their_escapes(void **state) {
    (void)state;
    expect_text("plain", "plain");
    expect_text("a\\/b\\\\c\\\"", "a/b\\c\"");
    expect_text("\\u0041\\u007E\\u002f", "A~/");
    expect_text("\\", NULL);
    expect_text("\\n", NULL);
    expect_text("\\u004", NULL);
    expect_text("\\u00g1", NULL);
    expect_text("\\u0000", NULL);
    expect_text("\\u20ac", NULL);
}

static void expect_count(enum sl_json_kind kind, const char *value, int64_t want) {
    struct sl_json_member m = {.value = sl_bytes_str(value), .kind = kind};
    int64_t count = -1;
    bool is_count = sl_json_count(&m, &count);
    assert_int_equal(is_count, want >= 0);
    if (want >= 0) assert_int_equal(count, want);
}

static void counts_are_read(void **state) {
    (void)state;
    expect_count(SL_JSON_NUMBER, "0", 0);
    expect_count(SL_JSON_NUMBER, "3600", 3600);
    expect_count(SL_JSON_TEXT, "3600", 3600);
    expect_count(SL_JSON_NUMBER, "12.75", 12);
    expect_count(SL_JSON_NUMBER, "99999999999999999999999", INT64_C(1) << 53);
    expect_count(SL_JSON_NUMBER, "-1", -1);
    expect_count(SL_JSON_NUMBER, "1e3", -1);
    expect_count(SL_JSON_TEXT, "", -1);
    expect_count(SL_JSON_TEXT, "1 ", -1);
    expect_count(SL_JSON_OTHER, "1", -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found),       cmocka_unit_test(nothing_else_is_an_object),
        cmocka_unit_test(cut_and_random_ones_end), cmocka_unit_test(texts_lose_their_escapes),
        cmocka_unit_test(counts_are_read),
    };
    return cmocka_run_group_tests_name("base_json", tests, NULL, NULL);
}
