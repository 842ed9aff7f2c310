/* Goal: fixed buffers are never overrun, always terminated and count what did not fit; parsers
 * take whole texts only and say what is wrong.
 * Method: the same appends into buffers of every size; tables of accepted and refused texts. */
#include "support.h"

#include "base/rng.h"
#include "base/text.h"

/* ---- buffers ---- */

static void append_sample(struct sl_text *t) {
    sl_text_put(t, "abc");
    sl_text_printf(t, "-%d/%s-", 42, "xyz");
    sl_text_put_len(t, "defgh", 2);
    sl_text_put(t, "");
    sl_text_put_len(t, NULL, 0);
}

static void test_buffers_of_every_size(void **state) {
    (void)state;
    static const char want[] = "abc-42/xyz-de";
    const size_t len = sizeof want - 1;
    for (size_t cap = 0; cap <= len + 2; cap++) {
        char *buf = malloc(cap + 1); /* exact, so that a sanitizer sees an overrun */
        assert_non_null(buf);
        memset(buf, '#', cap + 1);
        struct sl_text t;
        sl_text_init(&t, buf, cap);
        append_sample(&t);
        assert_int_equal(t.size, len);
        size_t kept = cap == 0 ? 0 : (len < cap - 1 ? len : cap - 1);
        assert_memory_equal(buf, want, kept);
        if (cap > 0) assert_int_equal(buf[kept], '\0');
        assert_int_equal(buf[cap], '#');
        free(buf);
    }
    struct sl_text t;
    sl_text_init(&t, NULL, 0);
    append_sample(&t);
    assert_int_equal(t.size, len);
}

static void test_init_terminates(void **state) {
    (void)state;
    char buf[4] = "zzz";
    struct sl_text t;
    sl_text_init(&t, buf, sizeof buf);
    assert_string_equal(buf, "");
    assert_int_equal(t.size, 0);
}

/* ---- numbers and words ---- */

static void test_control_characters_are_escaped(void **state) {
    char buf[64];
    struct sl_text t;
    (void)state;
    sl_text_init(&t, buf, sizeof buf);
    sl_text_put_escaped(&t, "a\nb\rc\td\x1b[1m\x7f\\ \xc3\xa4");
    assert_string_equal(buf, "a\\nb\\rc\\td\\u001b[1m\\u007f\\ \xc3\xa4");
    assert_int_equal(t.size, strlen(buf));
}

static void test_parse_i64(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"+7", 7},
        {"-1", -1},
        {"007", 7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"0000000000000000000000012", 12},
    };
    static const char *const bad[] = {
        "",
        "-",
        "+",
        "--1",
        "+-1",
        " 1",
        "1 ",
        "1a",
        "0x",
        "1.0",
        "1e3",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999",
        "18446744073709551617",
        "\xd9\xa1",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t value = 99;
        assert_true(sl_text_parse_i64(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 99;
        assert_false(sl_text_parse_i64(bad[i], &value));
        assert_int_equal(value, 99);
    }
}

static void test_parse_duration(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"P2D", 172800000},         {"PT15M", 900000},
                {"PT10H", 36000000},        {"P2DT3H4M", 183840000},
                {"PT20.345S", 20345},       {"PT0.0009S", 0},
                {"P1DT2H3M4.5S", 93784500}, {"PT0S", 0},
                {"PT1H0.5S", 3600500},      {"PT9007199254S", 9007199254000}};
    static const char *const bad[] = {"",
                                      "P",
                                      "PT",
                                      "1D",
                                      "P1",
                                      "P1H",
                                      "PT1D",
                                      "P-1D",
                                      "PT1M1H",
                                      "PT1H1H",
                                      "PT1.5H",
                                      "P1D2H",
                                      "P1DT",
                                      "PT1S ",
                                      "p1d",
                                      "P1W",
                                      "PT.5S",
                                      "PT1H2",
                                      "-PT1H",
                                      "PT99999999999999S",
                                      "P104249991374D",
                                      "PT1TS"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        if (!sl_text_parse_duration(good[i].text, &ms)) fail_msg("%s is refused", good[i].text);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms;
        if (sl_text_parse_duration(bad[i], &ms)) fail_msg("%s is taken", bad[i]);
    }
}

static void test_parse_bool(void **state) {
    (void)state;
    bool value = false;
    assert_true(sl_text_parse_bool("true", &value));
    assert_true(value);
    assert_true(sl_text_parse_bool("False", &value));
    assert_false(value);
    assert_true(sl_text_parse_bool("TRUE", &value));
    assert_true(value);
    static const char *const bad[] = {"", "1", "yes", "tru", "truee", " true", "true "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(sl_text_parse_bool(bad[i], &value));
        assert_true(value);
    }
}

static void test_equal_fold(void **state) {
    (void)state;
    assert_true(sl_text_equal_fold("", ""));
    assert_true(sl_text_equal_fold("Sasl_SSL", "sASL_ssl"));
    assert_false(sl_text_equal_fold("a", "ab"));
    assert_false(sl_text_equal_fold("ab", "a"));
    assert_false(sl_text_equal_fold("@", "`")); /* 32 apart, but no letters */
    assert_false(sl_text_equal_fold("[", "{"));
}

static void test_distance(void **state) {
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        int distance;
    } cases[] = {
        {"", "", 0},
        {"linger.ms", "linger.ms", 0},
        {"linger.ms", "linger_ms", 1},
        {"linger.ms", "lingre.ms", 1},
        {"linger.ms", "linger.m", 1},
        {"linger.ms", "llinger.ms", 1},
        {"ab", "ba", 1},
        {"abcd", "badc", 2},
        {"", "abc", 3},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(sl_text_distance(cases[i].a, cases[i].b, 10), cases[i].distance);
        assert_int_equal(sl_text_distance(cases[i].b, cases[i].a, 10), cases[i].distance);
        int most = cases[i].distance - 1;
        if (most >= 0) assert_int_equal(sl_text_distance(cases[i].a, cases[i].b, most), most + 1);
    }
    /* Texts beyond the limit are unlike by definition, and no memory is overrun. */
    char longer[1000];
    memset(longer, 'x', sizeof longer);
    longer[999] = '\0';
    assert_int_equal(sl_text_distance(longer, "x", 3), 4);
    assert_int_equal(sl_text_distance(longer, longer, 3), 4);
    longer[64] = '\0';
    assert_int_equal(sl_text_distance(longer, longer, 3), 0);
    assert_int_equal(sl_text_distance(longer, "", 100), 64);
}

/* The same by definition: the whole matrix, no bounds. */
static int plain_distance(const char *a, const char *b) {
    enum { MOST = 12 };
    int d[MOST + 1][MOST + 1];
    int a_len = (int)strlen(a);
    int b_len = (int)strlen(b);
    for (int i = 0; i <= a_len; i++) {
        for (int j = 0; j <= b_len; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int least = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < least) least = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < least) least = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < least)
                least = d[i - 2][j - 2] + 1;
            d[i][j] = least;
        }
    }
    return d[a_len][b_len];
}

static void draw_word(struct sl_rng *rng, char *out, uint64_t letters) {
    /* B shares its low bits with b, and . with n. */
    static const char alphabet[] = "abB.n_cdefghi";
    int len = (int)sl_rng_below(rng, 13);
    for (int i = 0; i < len; i++) out[i] = alphabet[sl_rng_below(rng, letters)];
    out[len] = '\0';
}

static void test_distance_by_definition(void **state) {
    struct sl_rng rng;
    (void)state;
    sl_rng_init(&rng, 1);
    for (int i = 0; i < 20000; i++) {
        char a[13];
        char b[13];
        uint64_t letters = 2 + sl_rng_below(&rng, 12);
        draw_word(&rng, a, letters);
        draw_word(&rng, b, letters);
        int distance = plain_distance(a, b);
        for (int most = 0; most < 13; most++) {
            int wanted = distance <= most ? distance : most + 1;
            if (sl_text_distance(a, b, most) != wanted)
                fail_msg("\"%s\" and \"%s\" are %d apart, of at most %d", a, b, distance, most);
        }
    }
}

/* ---- endpoints ---- */

static void test_good_endpoints(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } good[] = {
        {"localhost:9092", "localhost", 9092},
        {"10.0.0.1:1", "10.0.0.1", 1},
        {"broker_1.kafka.svc:65535", "broker_1.kafka.svc", 65535},
        {"h:09092", "h", 9092},
        {"[::1]:9092", "::1", 9092},
        {"[fe80::1%eth0]:9093", "fe80::1%eth0", 9093},
        {"PLAINTEXT://kafka:9092", "kafka", 9092},
        {"SASL_SSL://[2001:db8::7]:9094", "2001:db8::7", 9094},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char host[64];
        uint16_t port = 0;
        size_t len = strlen(good[i].text);
        /* An exact copy without a NUL: the parser must not look behind the end. */
        char *text = malloc(len);
        assert_non_null(text);
        memcpy(text, good[i].text, len);
        assert_null(sl_text_parse_endpoint(text, len, host, sizeof host, &port));
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
        free(text);
    }
}

static void test_bad_endpoints_say_why(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *word; /* the complaint contains it */
    } bad[] = {
        {"", "host"},
        {"kafka", "port is missing"},
        {"[::1]", "port is missing"},
        {":9092", "host"},
        {"kafka:", "port"},
        {"kafka:0", "port"},
        {"kafka:65536", "port"},
        {"kafka:123456", "port"},
        {"kafka:+9092", "port"},
        {"kafka:-1", "port"},
        {"kafka:9092 ", "port"},
        {"kafka:9092/", "port"},
        {"kafka:9o92", "port"},
        {"[::1]9092", "port"},
        {"[::1", "]"},
        {"[kafka]:9092", "brackets"},
        {"[]:9092", "brackets"},
        {"::1:9092", "brackets"},
        {"kafka:9092:9093", "brackets"},
        {"://kafka:9092", "protocol"},
        {"PLAINTEXT://", "host"},
        {"PLAINTEXT://:9092", "host"},
        {" kafka:9092", "character"},
        {"ka fka:9092", "character"},
        {"user@kafka:9092", "character"},
        {"a,b:9092", "character"},
        {"kafka\n:9092", "character"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char host[64] = "kept";
        uint16_t port = 7;
        const char *wrong =
            sl_text_parse_endpoint(bad[i].text, strlen(bad[i].text), host, sizeof host, &port);
        assert_non_null(wrong);
        if (strstr(wrong, bad[i].word) == NULL) fail_msg("\"%s\": %s", bad[i].text, wrong);
        assert_string_equal(host, "kept");
        assert_int_equal(port, 7);
    }
    char host[6];
    uint16_t port;
    assert_null(sl_text_parse_endpoint("kafka:1", 7, host, sizeof host, &port));
    assert_non_null(sl_text_parse_endpoint("kafkas:1", 8, host, sizeof host, &port));
    assert_non_null(sl_text_parse_endpoint("k\0k:1", 5, host, sizeof host, &port));
}

/* Every prefix and every text of one changed byte: no overrun, and a host only when it is good. */
static void test_damaged_endpoints(void **state) {
    (void)state;
    static const char sample[] = "SSL://[2001:db8::7]:9094";
    for (size_t len = 0; len < sizeof sample; len++) {
        for (int byte = 0; byte < 256; byte++) {
            char *text = malloc(len + 1);
            assert_non_null(text);
            memcpy(text, sample, len);
            if (len > 0) text[len / 2] = (char)byte;
            char host[12];
            uint16_t port = 0;
            if (sl_text_parse_endpoint(text, len, host, sizeof host, &port) == NULL) {
                assert_true(strlen(host) > 0 && strlen(host) < sizeof host);
                assert_true(port > 0);
            }
            free(text);
        }
    }
}

/* ---- UUIDs ---- */

static void test_uuid_text(void **state) {
    (void)state;
    static const struct {
        const char *hex;
        const char *text;
    } cases[] = {
        {"0102030405060708090a0b0c0d0e0f10", "AQIDBAUGBwgJCgsMDQ4PEA"},
        {"00000000000000000000000000000000", "AAAAAAAAAAAAAAAAAAAAAA"},
        {"00000000000000000000000000000001", "AAAAAAAAAAAAAAAAAAAAAQ"},
        {"ffffffffffffffffffffffffffffffff", "_____________________w"},
        {"fbefbefbefbefbefbefbefbefbefbefb", "----------------------"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[16];
        char text[23];
        assert_int_equal(test_hex(cases[i].hex, bytes, sizeof bytes), 16);
        sl_text_uuid(bytes, text);
        if (i < 4)
            assert_string_equal(text, cases[i].text);
        else
            assert_memory_equal(text, cases[i].text, 21); /* the last digit has two bits only */
        assert_int_equal(strlen(text), 22);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffers_of_every_size),
        cmocka_unit_test(test_init_terminates),
        cmocka_unit_test(test_control_characters_are_escaped),
        cmocka_unit_test(test_parse_i64),
        cmocka_unit_test(test_parse_duration),
        cmocka_unit_test(test_parse_bool),
        cmocka_unit_test(test_equal_fold),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_distance_by_definition),
        cmocka_unit_test(test_good_endpoints),
        cmocka_unit_test(test_bad_endpoints_say_why),
        cmocka_unit_test(test_damaged_endpoints),
        cmocka_unit_test(test_uuid_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
