/* Goal: clients that fetch their tokens log in as soon as there is one and keep their sessions alive
 * under load; a source that is late, silent, wrong or gone holds up nothing that can go on without,
 * is told of once and clearly, and is asked again at growing intervals.
 * Method: a cluster that wants tokens, and a provider in one mood after the other, in virtual time. */
#include "one_failure.h"

#include "sim/provider.h"

#define FILE_SOURCE "sasl.oauthbearer.token.file", "/run/token"
#define OIDC_SOURCE                                                                           \
    "sasl.oauthbearer.token.endpoint.url", "https://idp/token", "sasl.oauthbearer.client.id", \
        "me", "sasl.oauthbearer.client.secret", "c4n4ry"

static struct provider provider;

static void set(struct story *s, const char *name, const char *value) {
    assert_int_equal(sl_broker_set(s->world->broker, name, value), 0);
}

/* A cluster that wants tokens, and a provider that gives them for so many seconds. */
static void begin(struct story *s, int64_t life_s) {
    story_begin(s, 3, 3);
    set(s, "sasl.enabled.mechanisms", "OAUTHBEARER");
    provider = (struct provider){.life_s = life_s, .user = "bob", .delay = 20 * WORLD_MS};
    provider_set(s->world, &provider);
}

static bool has_oidc(void) {
    sluice_config *config = sluice_config_create();
    const char *const settings[] = {
        "bootstrap.servers", "a:1",         "security.protocol", "SASL_SSL",
        "sasl.mechanism",    "OAUTHBEARER", OIDC_SOURCE};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i += 2)
        (void)sluice_config_set(config, settings[i], settings[i + 1]);
    bool is_there = sluice_config_check(config, SLUICE_ADMIN) == 0;
    sluice_config_free(config);
    return is_there;
}

static sluice_client *open_client(struct story *s, int32_t role, bool by_file) {
    const char *const file[] = {"security.protocol", "SASL_PLAINTEXT", "sasl.mechanism",
                                "OAUTHBEARER",       FILE_SOURCE,      NULL};
    const char *const oidc[] = {"security.protocol", "SASL_PLAINTEXT", "sasl.mechanism",
                                "OAUTHBEARER",       OIDC_SOURCE,      NULL};
    sluice_client *client = story_open(s, role, by_file || !has_oidc() ? file : oidc);
    assert_non_null(client);
    return client;
}

static void send_some(struct story *s, sluice_client *p, int count) {
    int64_t before = s->reports;
    for (int i = 0; i < count; i++) assert_int_equal(story_send(s, p, i % 3, 1000), 0);
    assert_true(story_await_reports(s, p, before + count, 60000));
    assert_int_equal(story_outcomes(s, p, SLUICE_WRITTEN), before + count);
}

/* How many events of an error came with that code; other codes fail. */
static int count_errors(sluice_client *client, int code) {
    sluice_event e = {0};
    int count = 0;
    while (sluice_client_event(client, 0, &e, sizeof e) == 0 && e.kind != 0) {
        if (e.kind != SLUICE_EVENT_ERROR) continue;
        if (e.code != code) fail_msg("error %d: %s", e.code, e.text);
        count++;
    }
    return count;
}

static void expect_explanation(sluice_client *client, int code, const char *word) {
    char text[1000] = "";
    (void)sluice_client_explain(client, code, text, sizeof text);
    if (strstr(text, word) == NULL) fail_msg("\"%s\" does not say %s", text, word);
    assert_null(strstr(text, "c4n4ry"));
}

/* The connections that a client has made so far. */
static int64_t count_connections(sluice_client *client) {
    return scenario_metric(client, "connection-creation-total");
}

static void end(struct story *s) { assert_string_equal(story_end(s), ""); }

static void a_late_token_is_waited_for(void **state) {
    (void)state;
    for (int by_file = 0; by_file < 2; by_file++) {
        struct story s;
        begin(&s, 60);
        provider.delay = 3 * WORLD_SECOND;
        sluice_client *p = open_client(&s, SLUICE_PRODUCER, by_file);
        assert_int_equal(sluice_client_ready(p, 1000, NULL), SLUICE_ERR_UNREACHABLE);
        expect_explanation(p, SLUICE_ERR_UNREACHABLE, "waiting for a token of ");
        assert_int_equal(sluice_client_ready(p, 3000, NULL), 0);
        send_some(&s, p, 9);
        assert_int_equal(provider.asked, 1);
        assert_int_equal(count_errors(p, 0), 0);
        end(&s);
    }
}

/* Tokens of ten seconds, sessions of five, for ten minutes. */
static void tokens_are_renewed_under_load(void **state) {
    (void)state;
    for (int by_file = 0; by_file < 2; by_file++) {
        struct story s;
        int64_t connections = 0, next = 0;
        begin(&s, 10);
        set(&s, "connections.max.reauth.ms", "5000");
        sluice_client *p = open_client(&s, SLUICE_PRODUCER, by_file);
        sluice_client *c = open_client(&s, SLUICE_CONSUMER, by_file);
        assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
        for (int round = 0; round < 3000; round++) {
            for (int k = 0; k < 3; k++) assert_int_equal(story_send(&s, p, k, 1000), 0);
            story_run(&s, 200);
            if (round == 50) connections = count_connections(p);
            if (round % 50 == 0)
                assert_int_equal(story_read(&s, c, &next, round + 1 - next, 5000), 0);
        }
        assert_true(story_await_reports(&s, p, 9000, 10000));
        assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 9000);
        assert_int_equal(count_connections(p), connections);
        /* Two clients, a token each eight seconds. */
        assert_in_range(provider.asked, 140, 170);
        assert_int_equal(count_errors(p, 0) + count_errors(c, 0), 0);
        assert_string_equal(sl_broker_complaint(s.world->broker), "");
        end(&s);
    }
}

static void what_cannot_be_reached_is_tried_again(void **state) {
    struct story s;
    (void)state;
    begin(&s, 60);
    provider.mood = PROVIDER_DOWN;
    sluice_client *p = open_client(&s, SLUICE_PRODUCER, false);
    assert_int_equal(sluice_client_ready(p, 60000, NULL), SLUICE_ERR_UNREACHABLE);
    expect_explanation(p, SLUICE_ERR_UNREACHABLE, "there is no token: ");
    expect_explanation(p, SLUICE_ERR_UNREACHABLE, "connection refused");
    /* 100 ms, doubled up to ten seconds. */
    assert_in_range(provider.asked, 9, 16);
    assert_int_equal(count_errors(p, SLUICE_ERR_UNREACHABLE), 1);
    provider.mood = PROVIDER_FINE;
    assert_int_equal(sluice_client_ready(p, 13000, NULL), 0);
    send_some(&s, p, 9);
    end(&s);
}

static void a_silent_source_is_given_up(void **state) {
    struct story s;
    (void)state;
    begin(&s, 60);
    provider.mood = PROVIDER_SILENT;
    sluice_client *p = open_client(&s, SLUICE_PRODUCER, false);
    assert_int_equal(sluice_client_ready(p, 25000, NULL), SLUICE_ERR_UNREACHABLE);
    assert_int_equal(provider.asked, 1);
    provider.mood = PROVIDER_FINE;
    assert_int_equal(sluice_client_ready(p, 10000, NULL), 0);
    assert_int_equal(provider.asked, 2);
    send_some(&s, p, 9);
    assert_int_equal(count_errors(p, SLUICE_ERR_UNREACHABLE), 1);
    end(&s);
}

/* Whoever refuses is told of at once, in its words. */
static void a_refusal_is_told_at_once(void **state) {
    static const struct {
        enum provider_mood mood;
        bool by_file;
        const char *word;
    } cases[] = {
        {PROVIDER_REFUSES, true, "/run/token: No such file or directory"},
        {PROVIDER_REFUSES, false, "https://idp/token: HTTP status 401, invalid_client"},
        {PROVIDER_NONSENSE, true, "/run/token: what is in it is not a token"},
        {PROVIDER_NONSENSE, false, "https://idp/token: its answer is not a JSON object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct story s;
        if (!cases[i].by_file && !has_oidc()) continue;
        begin(&s, 60);
        provider.mood = cases[i].mood;
        sluice_client *p = open_client(&s, SLUICE_PRODUCER, cases[i].by_file);
        int64_t began = s.world->now;
        assert_int_equal(sluice_client_ready(p, 20000, NULL), SLUICE_ERR_AUTH);
        assert_true(s.world->now - began < 1000 * WORLD_MS);
        expect_explanation(p, SLUICE_ERR_AUTH, cases[i].word);
        story_run(&s, 30000);
        assert_int_equal(count_errors(p, SLUICE_ERR_AUTH), 1);
        assert_in_range(provider.asked, 6, 14);
        provider.mood = PROVIDER_FINE;
        story_run(&s, 13000);
        assert_int_equal(sluice_client_ready(p, 1000, NULL), 0);
        send_some(&s, p, 9);
        end(&s);
    }
}

/* While the token is good nothing is felt of a source that is not; when it has ended, what was sent
 * waits for the next one. */
static void a_token_ends_while_its_source_is_away(void **state) {
    struct story s;
    (void)state;
    begin(&s, 10);
    set(&s, "connections.max.reauth.ms", "3000");
    sluice_client *p = open_client(&s, SLUICE_PRODUCER, false);
    send_some(&s, p, 9);
    provider.mood = PROVIDER_DOWN;
    for (int i = 0; i < 4; i++) {
        story_run(&s, 2000);
        send_some(&s, p, 3);
    }
    assert_int_equal(count_errors(p, SLUICE_ERR_UNREACHABLE), 0);
    int64_t before = s.reports;
    story_run(&s, 6000);
    for (int i = 0; i < 9; i++) assert_int_equal(story_send(&s, p, i % 3, 1000), 0);
    story_run(&s, 20000);
    assert_int_equal(s.reports, before);
    assert_int_equal(count_errors(p, SLUICE_ERR_UNREACHABLE), 1);
    provider.mood = PROVIDER_FINE;
    assert_true(story_await_reports(&s, p, before + 9, 15000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), before + 9);
    end(&s);
}

static void a_close_waits_for_no_token(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;
        begin(&s, 60);
        provider.mood = i == 0 ? PROVIDER_SILENT : PROVIDER_FINE;
        provider.delay = WORLD_SECOND;
        sluice_client *c = open_client(&s, SLUICE_CONSUMER, true);
        story_run(&s, 100);
        int64_t began = s.world->now;
        assert_int_equal(sluice_client_close(c, 5000, NULL), 0);
        assert_true(s.world->now - began < 100 * WORLD_MS);
        story_run(&s, 3000); /* the answer comes to nobody */
        assert_int_equal(provider.asked, 1);
        end(&s);
    }
}

/* A provider whose tokens nobody takes is not asked as fast as it answers, and is told of once. */
static void refused_tokens_slow_it_down(void **state) {
    struct story s;
    (void)state;
    begin(&s, 60);
    provider.mood = PROVIDER_FORGES;
    sluice_client *p = open_client(&s, SLUICE_PRODUCER, false);
    assert_int_equal(sluice_client_ready(p, 20000, NULL), SLUICE_ERR_AUTH);
    expect_explanation(p, SLUICE_ERR_AUTH, "the token is not taken: invalid_");
    story_run(&s, 60000);
    assert_in_range(provider.asked, 8, 18);
    assert_int_equal(count_errors(p, SLUICE_ERR_AUTH), 1);
    provider.mood = PROVIDER_FINE;
    story_run(&s, 13000);
    assert_int_equal(sluice_client_ready(p, 3000, NULL), 0);
    send_some(&s, p, 9);
    end(&s);
}

/* A new token is given the time to be tried, however slow brokers are. */
static void a_new_token_is_tried_before_the_next(void **state) {
    struct sl_fault slow = {.kind = SL_FAULT_DELAY,
                            .api = SL_API_SASL_HANDSHAKE,
                            .partition = -1,
                            .times = -1,
                            .delay_ms = 700};
    struct story s;
    (void)state;
    begin(&s, 60);
    provider.mood = PROVIDER_FORGES;
    story_fault(&s, &slow);
    sluice_client *p = open_client(&s, SLUICE_PRODUCER, false);
    assert_int_equal(sluice_client_ready(p, 20000, NULL), SLUICE_ERR_AUTH);
    provider.mood = PROVIDER_FINE;
    int64_t given = provider.given;
    story_run(&s, 10000);
    assert_int_equal(sluice_client_ready(p, 1000, NULL), 0);
    assert_int_equal(provider.given, given + 1);
    send_some(&s, p, 9);
    end(&s);
}

/* A file that is not written anew in time is looked at again, and no more often than is of use. */
static void a_file_that_stays_is_looked_at_again(void **state) {
    struct story s;
    (void)state;
    begin(&s, 100);
    sluice_client *p = open_client(&s, SLUICE_PRODUCER, true);
    send_some(&s, p, 9);
    provider.mood = PROVIDER_SLEEPS;
    story_run(&s, 98000);
    assert_in_range(provider.asked, 4, 20);
    send_some(&s, p, 9);
    provider.mood = PROVIDER_FINE;
    story_run(&s, 10000);
    send_some(&s, p, 9);
    assert_int_equal(count_errors(p, SLUICE_ERR_AUTH), 0);
    end(&s);
}

/* A session keeps its user, so another's token makes connections anew, and nothing is refused. */
static void another_users_token_makes_connections_anew(void **state) {
    struct story s;
    (void)state;
    begin(&s, 10);
    set(&s, "connections.max.reauth.ms", "3000");
    sluice_client *p = open_client(&s, SLUICE_PRODUCER, false);
    send_some(&s, p, 9);
    story_run(&s, 1000);
    int64_t connections = count_connections(p);
    provider.user = "eve";
    for (int i = 0; i < 40; i++) {
        story_run(&s, 500);
        send_some(&s, p, 3);
    }
    assert_true(count_connections(p) > connections);
    assert_int_equal(count_errors(p, 0), 0);
    assert_string_equal(sl_broker_complaint(s.world->broker), "");
    end(&s);
}

/* The application may give one by itself all the same; the next is fetched again. */
static void a_token_that_is_given_counts_until_the_next(void **state) {
    struct story s;
    char token[PROVIDER_TOKEN];
    (void)state;
    begin(&s, 60);
    provider.mood = PROVIDER_SILENT;
    sluice_client *p = open_client(&s, SLUICE_PRODUCER, true);
    provider_make_token(s.world, "bob", 20, token);
    assert_int_equal(sluice_client_set_token(p, token, 20000, NULL), 0);
    assert_int_equal(sluice_client_ready(p, 3000, NULL), 0);
    provider.mood = PROVIDER_FINE;
    story_run(&s, 60000);
    send_some(&s, p, 9);
    assert_true(provider.given > 0);
    end(&s);
}

/* A token that is late, a renewal, a refusal and a close, with one allocation that fails. */
static uint64_t fetch_with_failure(uint64_t fail_at) {
    const char *const settings[] = {"security.protocol",
                                    "SASL_PLAINTEXT",
                                    "sasl.mechanism",
                                    "OAUTHBEARER",
                                    FILE_SOURCE,
                                    "linger.ms",
                                    "1",
                                    NULL};
    struct one_failure f = {.fail_at = fail_at};
    begin(&f.story, 3);
    one_failure_open(&f, settings);
    for (int i = 0; i < 8; i++) {
        one_failure_send(&f, i % 3);
        provider.mood = i == 3 || i == 4 ? PROVIDER_REFUSES : PROVIDER_FINE;
        story_run(&f.story, 700);
    }
    return one_failure_end(&f);
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    one_failure_each(fetch_with_failure);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_token_is_waited_for),
        cmocka_unit_test(tokens_are_renewed_under_load),
        cmocka_unit_test(what_cannot_be_reached_is_tried_again),
        cmocka_unit_test(a_silent_source_is_given_up),
        cmocka_unit_test(a_refusal_is_told_at_once),
        cmocka_unit_test(a_token_ends_while_its_source_is_away),
        cmocka_unit_test(a_close_waits_for_no_token),
        cmocka_unit_test(refused_tokens_slow_it_down),
        cmocka_unit_test(a_new_token_is_tried_before_the_next),
        cmocka_unit_test(a_file_that_stays_is_looked_at_again),
        cmocka_unit_test(another_users_token_makes_connections_anew),
        cmocka_unit_test(a_token_that_is_given_counts_until_the_next),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
