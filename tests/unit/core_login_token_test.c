/* Goal: a source of tokens is asked when it is of use, one fetch at a time, and no more often.
 * Method: a core whose fetches the test answers, in virtual time. */
#include "core_host.h"

static struct host *start(enum sl_token_source source) {
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, SL_ROLE_ADMIN);
    h->settings.security = SL_SECURITY_SASL_SSL;
    h->settings.sasl_mechanism = SL_SASL_OAUTHBEARER;
    h->settings.token = (struct sl_token_settings){.source = source,
                                                   .file = (char *)(uintptr_t) "/run/token",
                                                   .url = (char *)(uintptr_t) "https://idp",
                                                   .connect_timeout_ms = 5000,
                                                   .read_timeout_ms = 5000,
                                                   .backoff_ms = 100,
                                                   .backoff_max_ms = 10000};
    h->deaf = true; /* brokers are no part of this */
    assert_int_equal(host_create(h), 0);
    host_turn(h);
    assert_int_equal(h->errands, 1);
    assert_int_equal(h->errand.errand, SL_ERRAND_TOKEN);
    return h;
}

static void answer(struct host *h, int rv, const char *bytes) {
    struct sl_errand_answer told = {
        .rv = rv, .text = "words", .bytes = {(const uint8_t *)bytes, (int32_t)strlen(bytes)}};
    sl_core_on_errand(h->core, h->errand.serial, &told);
    host_turn(h);
}

/* So long nothing is fetched, and a tenth of a second later something is. */
static void expect_rest(struct host *h, int64_t ms) {
    int errands = h->errands;
    host_advance(h, ms - 50);
    assert_int_equal(h->errands, errands);
    host_advance(h, 100);
    assert_int_equal(h->errands, errands + 1);
}

static void a_file_without_an_end_is_read_every_minute(void **state) {
    (void)state;
    struct host *h = start(SL_TOKEN_FILE);
    answer(h, 0, "opaque\n");
    assert_string_equal(h->core->login.secret, "opaque");
    for (int i = 0; i < 3; i++) {
        expect_rest(h, 60000);
        answer(h, 0, i < 2 ? "opaque\n" : "another\n");
    }
    assert_string_equal(h->core->login.secret, "another");
    host_end(h);
}

static void a_provider_is_asked_at_four_fifths(void **state) {
    (void)state;
    struct host *h = start(SL_TOKEN_OIDC);
    answer(h, 0, "{\"access_token\":\"a\",\"expires_in\":100}");
    expect_rest(h, 80000);
    answer(h, 0, "{\"access_token\":\"b\",\"expires_in\":10}");
    expect_rest(h, 8000);
    /* The same again: between a second and a minute, a fifth of what is left. */
    answer(h, 0, "{\"access_token\":\"b\",\"expires_in\":20}");
    expect_rest(h, 4000);
    answer(h, 0, "{\"access_token\":\"b\",\"expires_in\":2}");
    expect_rest(h, 1000);
    answer(h, 0, "{\"access_token\":\"b\",\"expires_in\":10000}");
    expect_rest(h, 60000);
    /* However short a lifetime is, a second. */
    answer(h, 0, "{\"access_token\":\"c\",\"expires_in\":1}");
    expect_rest(h, 1000);
    /* One without an end is good until a broker says otherwise. */
    answer(h, 0, "{\"access_token\":\"d\"}");
    int errands = h->errands;
    host_advance(h, 24 * 3600 * 1000);
    assert_int_equal(h->errands, errands);
    assert_string_equal(h->core->login.secret, "d");
    host_end(h);
}

static void one_fetch_is_out_at_a_time(void **state) {
    (void)state;
    struct host *h = start(SL_TOKEN_OIDC);
    uint64_t serial = h->errand.serial;
    host_advance(h, 19900);
    assert_int_equal(h->errands, 1);
    /* Its own deadlines, and ten seconds. */
    host_advance(h, 400);
    assert_int_equal(h->errands, 2);
    struct sl_errand_answer late = {.text = "",
                                    .bytes = {(const uint8_t *)"{\"access_token\":\"a\"}", 20}};
    sl_core_on_errand(h->core, serial, &late);
    host_turn(h);
    assert_null(h->core->login.secret);
    answer(h, 0, "{\"access_token\":\"b\"}");
    assert_string_equal(h->core->login.secret, "b");
    host_end(h);
}

/* A token that is good stays in use, whatever its source says meanwhile, until it ends. */
static void a_failure_takes_nothing_away(void **state) {
    (void)state;
    struct host *h = start(SL_TOKEN_OIDC);
    answer(h, 0, "{\"access_token\":\"a\",\"expires_in\":100}");
    expect_rest(h, 80000);
    static const int codes[] = {SLUICE_ERR_AUTH, SLUICE_ERR_UNREACHABLE, SLUICE_ERR_NOMEM};
    for (int i = 0; i < 3; i++) {
        answer(h, codes[i], "");
        assert_true(sl_login_is_there(h->core));
        assert_false(h->core->login.is_refused);
        assert_string_equal(h->core->login.token.story, "https://idp: words");
        int errands = h->errands;
        for (int k = 0; k < 60 && h->errands == errands; k++) host_advance(h, 10);
        assert_int_equal(h->errands, errands + 1);
    }
    host_advance(h, 19900);
    assert_false(sl_login_is_there(h->core));
    host_end(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_an_end_is_read_every_minute),
        cmocka_unit_test(a_provider_is_asked_at_four_fifths),
        cmocka_unit_test(one_fetch_is_out_at_a_time),
        cmocka_unit_test(a_failure_takes_nothing_away),
    };
    return cmocka_run_group_tests_name("core_login_token", tests, NULL, NULL);
}
