/* Goal: clients log in by every mechanism, keep their sessions alive under load without a hiccup, take
 * changed credentials, and say at once and clearly what is wrong where they cannot; nothing that a
 * broker does in the middle of it makes them wait for ever, or believe it.
 * Method: a cluster that wants a login, with one client or two; lifetimes, refusals, lies and silences
 * one after the other, in virtual time. */
#include "one_failure.h"

#include "sim/provider.h"

static void set(struct story *s, const char *name, const char *value) {
    assert_int_equal(sl_broker_set(s->world->broker, name, value), 0);
}

/* A cluster of three nodes where a user "bob" with the password "pencil" has to log in. */
static void begin(struct story *s, const char *mechanisms) {
    story_begin(s, 3, 3);
    set(s, "sasl.enabled.mechanisms", mechanisms);
    set(s, "sasl.user", "bob=pencil");
}

static sluice_client *open_with(struct story *s, int32_t role, const char *mechanism,
                                const char *password) {
    const char *const settings[] = {"security.protocol",
                                    "SASL_PLAINTEXT",
                                    "sasl.mechanism",
                                    mechanism,
                                    "sasl.username",
                                    "bob",
                                    "sasl.password",
                                    password,
                                    "group.id",
                                    role == SLUICE_CONSUMER ? "g" : NULL,
                                    NULL};
    const char *const short_settings[] = {settings[0], settings[1], settings[2],
                                          settings[3], settings[4], settings[5],
                                          settings[6], settings[7], NULL};
    sluice_client *client =
        story_open(s, role, role == SLUICE_CONSUMER ? settings : short_settings);
    assert_non_null(client);
    return client;
}

static void send_some(struct story *s, sluice_client *p, int count) {
    int64_t before = s->reports;
    for (int i = 0; i < count; i++) assert_int_equal(story_send(s, p, i % 3, 1000), 0);
    assert_true(story_await_reports(s, p, before + count, 20000));
    assert_int_equal(story_outcomes(s, p, SLUICE_WRITTEN), before + count);
}

/* An unsecured token of that user which ends so many seconds from now. */
static const char *make_token(const struct story *s, const char *user, int64_t seconds) {
    static char token[PROVIDER_TOKEN];
    provider_make_token(s->world, user, seconds, token);
    return token;
}

static void every_mechanism_logs_in(void **state) {
    static const char *const names[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct story s;
        int64_t next = 0;
        begin(&s, "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512");
        sluice_client *p = open_with(&s, SLUICE_PRODUCER, names[i], "pencil");
        assert_int_equal(sluice_client_ready(p, 3000, NULL), 0);
        send_some(&s, p, 30);
        sluice_client *c = open_with(&s, SLUICE_CONSUMER, names[i], "pencil");
        assert_int_equal(story_assign(&s, c, 1, SLUICE_OFFSET_EARLIEST), 0);
        assert_int_equal(story_read(&s, c, &next, 10, 5000), 0);
        assert_int_equal(next, 10);
        assert_string_equal(story_end(&s), "");
    }
}

/* What ready comes to, at once; explain has to say it in these words, and never the password. */
static void expect_refusal(struct story *s, sluice_client *client, const char *word,
                           const char *other) {
    char text[1000] = "";
    int64_t began = s->world->now;
    assert_int_equal(sluice_client_ready(client, 20000, NULL), SLUICE_ERR_AUTH);
    assert_true(s->world->now - began < 3000 * WORLD_MS);
    (void)sluice_client_explain(client, SLUICE_ERR_AUTH, text, sizeof text);
    if (strstr(text, word) == NULL) fail_msg("\"%s\" does not say %s", text, word);
    if (strstr(text, other) == NULL) fail_msg("\"%s\" does not say %s", text, other);
    assert_null(strstr(text, "pencil"));
}

static void wrong_credentials_are_told_at_once(void **state) {
    static const char *const names[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct story s;
        sluice_event e = {0};
        begin(&s, names[i]);
        sluice_client *a = open_with(&s, SLUICE_ADMIN, names[i], "pencilx");
        expect_refusal(&s, a, names[i], "user \"bob\"");
        bool is_told = false;
        while (sluice_client_event(a, 0, &e, sizeof e) == 0 && e.kind != 0)
            is_told |= e.kind == SLUICE_EVENT_ERROR && e.code == SLUICE_ERR_AUTH;
        assert_true(is_told);
        /* The right ones are taken as soon as they are there. */
        assert_int_equal(sluice_client_set_login(a, "bob", "pencil"), 0);
        assert_int_equal(sluice_client_ready(a, 3000, NULL), 0);
        assert_string_equal(story_end(&s), "");
    }
}

static void no_other_mechanism_is_taken(void **state) {
    struct story s;
    (void)state;
    begin(&s, "PLAIN,OAUTHBEARER");
    sluice_client *a = open_with(&s, SLUICE_ADMIN, "SCRAM-SHA-512", "pencil");
    expect_refusal(&s, a, "SCRAM-SHA-512", "PLAIN, OAUTHBEARER");
    assert_int_equal(sl_broker_seen(s.world->broker, SL_API_SASL_AUTHENTICATE), 0);
    assert_string_equal(story_end(&s), "");
    begin(&s, "");
    a = open_with(&s, SLUICE_ADMIN, "PLAIN", "pencil");
    expect_refusal(&s, a, "PLAIN", "check security.protocol");
    assert_string_equal(story_end(&s), "");
}

static void a_dishonest_broker_is_not_believed(void **state) {
    static const struct {
        const char *lie, *mechanism, *word;
    } lies[] = {
        {"iterations", "SCRAM-SHA-256", "more iterations than"},
        {"few", "SCRAM-SHA-512", "fewer iterations than"},
        {"nonce", "SCRAM-SHA-256", "nonce"},
        {"echo", "SCRAM-SHA-256", "nonce"},
        {"signature", "SCRAM-SHA-512", "could not prove"},
        {"unsigned", "SCRAM-SHA-256", "not of the form v="},
        {"extension", "SCRAM-SHA-256", "extension"},
        {"endless", "PLAIN", "where none belongs"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct story s;
        begin(&s, lies[i].mechanism);
        set(&s, "sasl.lie", lies[i].lie);
        int64_t before = s.host->memory.live;
        sluice_client *a = open_with(&s, SLUICE_ADMIN, lies[i].mechanism, "pencil");
        expect_refusal(&s, a, lies[i].mechanism, lies[i].word);
        assert_true(s.host->memory.peak - before < 512 * 1024);
        assert_string_equal(story_end(&s), "");
    }
}

/* The connections that a client has made so far. */
static int64_t count_connections(sluice_client *client) {
    return scenario_metric(client, "connection-creation-total");
}

/* Sessions of a second, ten minutes long: nothing is lost, no connection ends. */
static void sessions_are_renewed_under_load(void **state) {
    static const char *const names[] = {"PLAIN", "SCRAM-SHA-256"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;
        int64_t next = 0, connections = 0;
        begin(&s, names[i]);
        set(&s, "connections.max.reauth.ms", "1000");
        sluice_client *p = open_with(&s, SLUICE_PRODUCER, names[i], "pencil");
        sluice_client *c = open_with(&s, SLUICE_CONSUMER, names[i], "pencil");
        assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
        for (int round = 0; round < 3000; round++) {
            for (int k = 0; k < 3; k++) assert_int_equal(story_send(&s, p, k, 1000), 0);
            story_run(&s, 200);
            if (round == 20) connections = count_connections(p);
            if (round % 50 != 0) continue;
            assert_int_equal(story_read(&s, c, &next, round + 1 - next, 5000), 0);
        }
        assert_true(story_await_reports(&s, p, 9000, 10000));
        assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 9000);
        assert_int_equal(count_connections(p), connections);
        assert_true(sl_broker_seen(s.world->broker, SL_API_SASL_HANDSHAKE) > 2000);
        assert_string_equal(sl_broker_complaint(s.world->broker), "");
        assert_string_equal(story_end(&s), "");
    }
}

/* Answers that come late are answers, not messages of the exchange. */
static void what_is_in_flight_is_answered_first(void **state) {
    struct sl_fault late = {.kind = SL_FAULT_DELAY,
                            .api = SL_API_PRODUCE,
                            .partition = -1,
                            .times = -1,
                            .delay_ms = 60};
    struct story s;
    (void)state;
    begin(&s, "SCRAM-SHA-256");
    set(&s, "connections.max.reauth.ms", "8000");
    story_fault(&s, &late);
    sluice_client *p = open_with(&s, SLUICE_PRODUCER, "SCRAM-SHA-256", "pencil");
    assert_int_equal(sluice_client_ready(p, 3000, NULL), 0);
    int64_t connections = count_connections(p);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(story_send(&s, p, 0, 1000), 0);
        story_run(&s, 20);
        if (i == 50) connections = count_connections(p);
    }
    assert_true(story_await_reports(&s, p, 3000, 20000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 3000);
    assert_int_equal(count_connections(p), connections);
    assert_true(sl_broker_seen(s.world->broker, SL_API_SASL_HANDSHAKE) > 8);
    assert_string_equal(sl_broker_complaint(s.world->broker), "");
    assert_string_equal(story_end(&s), "");
}

static void changed_credentials_count_from_then_on(void **state) {
    struct story s;
    (void)state;
    begin(&s, "SCRAM-SHA-256");
    set(&s, "connections.max.reauth.ms", "5000");
    sluice_client *p = open_with(&s, SLUICE_PRODUCER, "SCRAM-SHA-256", "pencil");
    send_some(&s, p, 9);
    /* The same user: the connections stay. */
    int64_t connections = count_connections(p);
    set(&s, "sasl.user", "bob=eraser");
    assert_int_equal(sluice_client_set_login(p, "bob", "eraser"), 0);
    story_run(&s, 10000);
    send_some(&s, p, 9);
    assert_int_equal(count_connections(p), connections);
    /* Another: they are made anew, and nothing is lost. */
    set(&s, "sasl.user", "eve=apple");
    assert_int_equal(sluice_client_set_login(p, "eve", "apple"), 0);
    for (int i = 0; i < 40; i++) {
        send_some(&s, p, 9);
        story_run(&s, 300);
    }
    set(&s, "sasl.user", "bob=");
    send_some(&s, p, 9);
    assert_true(count_connections(p) > connections);
    assert_string_equal(sl_broker_complaint(s.world->broker), "");
    assert_string_equal(story_end(&s), "");
}

static sluice_client *open_bearer(struct story *s, int32_t role, const char *token) {
    const char *const settings[] = {"security.protocol",
                                    "SASL_PLAINTEXT",
                                    "sasl.mechanism",
                                    "OAUTHBEARER",
                                    "sasl.oauthbearer.token",
                                    token,
                                    NULL};
    sluice_client *client = story_open(s, role, settings);
    assert_non_null(client);
    return client;
}

/* Waits for the event that asks for a token. */
static bool is_token_wanted(sluice_client *client, int32_t timeout_ms) {
    sluice_event e = {0};
    while (sluice_client_event(client, timeout_ms, &e, sizeof e) == 0 && e.kind != 0)
        if (e.kind == SLUICE_EVENT_TOKEN) return true;
    return false;
}

static void tokens_are_asked_for_in_time(void **state) {
    struct story s;
    char text[400];
    (void)state;
    begin(&s, "OAUTHBEARER");
    sluice_client *p = open_bearer(&s, SLUICE_PRODUCER, "");
    assert_true(is_token_wanted(p, 1000));
    assert_int_equal(sluice_client_ready(p, 1000, NULL), SLUICE_ERR_UNREACHABLE);
    (void)sluice_client_explain(p, SLUICE_ERR_UNREACHABLE, text, sizeof text);
    assert_non_null(strstr(text, "waiting for a token"));
    assert_int_equal(sluice_client_set_token(p, make_token(&s, "bob", 10), 10000, NULL), 0);
    assert_int_equal(sluice_client_ready(p, 3000, NULL), 0);
    int64_t connections = -1;
    for (int i = 0; i < 20; i++) {
        send_some(&s, p, 9);
        if (i == 0) connections = count_connections(p);
        int64_t began = s.world->now;
        assert_true(is_token_wanted(p, 9000));
        assert_true(s.world->now - began < 8200 * WORLD_MS);
        assert_int_equal(sluice_client_set_token(p, make_token(&s, "bob", 10), 10000, "bob"), 0);
    }
    send_some(&s, p, 9);
    assert_true(connections > 0);
    assert_string_equal(sl_broker_complaint(s.world->broker), "");
    assert_string_equal(story_end(&s), "");
}

static void a_token_that_is_not_taken_is_told_with_the_reason(void **state) {
    struct story s;
    (void)state;
    begin(&s, "OAUTHBEARER");
    sluice_client *a = open_bearer(&s, SLUICE_ADMIN, "not.a.token");
    expect_refusal(&s, a, "OAUTHBEARER", "invalid_token, scope test");
    assert_true(is_token_wanted(a, 1000));
    assert_int_equal(sluice_client_set_token(a, make_token(&s, "bob", 10), 10000, "eve"), 0);
    expect_refusal(&s, a, "OAUTHBEARER", "user \"eve\"");
    assert_int_equal(sluice_client_set_token(a, make_token(&s, "bob", 10), 10000, "bob"), 0);
    assert_int_equal(sluice_client_ready(a, 3000, NULL), 0);
    assert_int_equal(sluice_client_set_token(a, "no\001token", 10000, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_set_token(a, "t", 10000, "a,b"), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_set_login(a, "bob", "pencil"), SLUICE_ERR_USAGE);
    assert_string_equal(story_end(&s), "");
}

static const enum sl_fault_kind broken_kinds[] = {SL_FAULT_SILENT, SL_FAULT_CUT_BEFORE,
                                                  SL_FAULT_CUT_AFTER, SL_FAULT_CORRUPT};

/* Step 0 is the handshake, 1 and 2 are the messages behind it. */
static struct sl_fault break_step(int step, enum sl_fault_kind kind, int32_t times) {
    return (struct sl_fault){.kind = kind,
                             .api = step == 0 ? SL_API_SASL_HANDSHAKE : SL_API_SASL_AUTHENTICATE,
                             .partition = -1,
                             .skip = step == 2,
                             .times = times};
}

/* A broker that falls silent, hangs up or talks nonsense in any step holds nobody up but for the time
 * of setting a connection up, and the next connection does. */
static void a_broken_exchange_is_begun_again(void **state) {
    (void)state;
    for (int step = 0; step < 3; step++) {
        for (size_t i = 0; i < sizeof broken_kinds / sizeof *broken_kinds; i++) {
            struct sl_fault fault = break_step(step, broken_kinds[i], 1);
            struct story s;
            begin(&s, "SCRAM-SHA-256");
            story_fault(&s, &fault);
            sluice_client *a = open_with(&s, SLUICE_ADMIN, "SCRAM-SHA-256", "pencil");
            assert_int_equal(sluice_client_ready(a, 20000, NULL), 0);
            assert_true(story_now_ms(&s) < 16000);
            assert_string_equal(story_end(&s), "");
        }
    }
}

/* The same while a session is renewed: what was to be sent goes over another connection. */
static void a_renewal_that_breaks_loses_nothing(void **state) {
    (void)state;
    for (int step = 0; step < 3; step++) {
        for (size_t i = 0; i < sizeof broken_kinds / sizeof *broken_kinds; i++) {
            struct sl_fault fault = break_step(step, broken_kinds[i], 2);
            struct story s;
            begin(&s, "SCRAM-SHA-512");
            set(&s, "connections.max.reauth.ms", "3000");
            sluice_client *p = open_with(&s, SLUICE_PRODUCER, "SCRAM-SHA-512", "pencil");
            send_some(&s, p, 9);
            story_fault(&s, &fault);
            for (int k = 0; k < 10; k++) {
                send_some(&s, p, 3);
                story_run(&s, 1000);
            }
            assert_string_equal(story_end(&s), "");
        }
    }
}

/* Without a login a cluster that wants one hangs up; nothing of it is an endless loop. */
static void a_client_that_does_not_log_in_is_turned_away(void **state) {
    const char *const settings[] = {NULL};
    struct story s;
    (void)state;
    begin(&s, "PLAIN");
    sluice_client *a = story_open(&s, SLUICE_ADMIN, settings);
    assert_int_equal(sluice_client_ready(a, 3000, NULL), SLUICE_ERR_UNREACHABLE);
    assert_true(sl_broker_seen(s.world->broker, SL_API_METADATA) == 0);
    assert_string_equal(story_end(&s), "");
}

/* ---- memory ---- */

/* A peer whose list of versions is as long as it may be, and which then says nothing more. */
static void answer_at_length(struct world_peer *peer, struct link *link, const void *data,
                             size_t size) {
    enum { RANGES = 4600 }; /* of seven bytes: 32 KiB are the most that is taken */
    struct sl_writer out;
    (void)data;
    (void)size;
    if (peer->user != NULL) return;
    peer->user = peer;
    sl_writer_init(&out, sl_alloc_default());
    sl_writer_i32(&out, 0);
    sl_writer_i32(&out, 1); /* the first request */
    sl_writer_i16(&out, 0);
    sl_writer_uvarint(&out, RANGES + 1);
    for (int i = 0; i < RANGES; i++) {
        sl_writer_i16(&out, (int16_t)(i < 90 ? i : 3));
        sl_writer_i16(&out, 0);
        sl_writer_i16(&out, 1);
        sl_writer_i8(&out, 0);
    }
    sl_writer_i32(&out, 0);
    sl_writer_i8(&out, 0);
    sl_writer_patch32(&out, 0, (int32_t)out.size - 4);
    assert_false(out.failed);
    link_say(link, out.data, out.size, LINK_DATA);
    sl_writer_deinit(&out);
}

/* Whoever has not proved to know the password makes a client take 128 KiB at most. */
static void memory_before_it_is_bounded(void **state) {
    struct story s;
    struct world_peer peer = {.on_bytes = answer_at_length};
    const char *const settings[] = {"bootstrap.servers",
                                    "peer-1:9092",
                                    "security.protocol",
                                    "SASL_PLAINTEXT",
                                    "sasl.mechanism",
                                    "SCRAM-SHA-256",
                                    "sasl.username",
                                    "bob",
                                    "sasl.password",
                                    "pencil",
                                    NULL};
    (void)state;
    story_begin(&s, 1, 1);
    s.world->peers[0] = &peer;
    sluice_client *a = story_open(&s, SLUICE_ADMIN, settings);
    int64_t before = s.host->memory.live;
    s.host->memory.peak = before;
    assert_int_equal(sluice_client_ready(a, 2000, NULL), SLUICE_ERR_UNREACHABLE);
    assert_non_null(peer.user);
    assert_in_range(s.host->memory.peak - before, 1024, 128 * 1024);
    assert_string_equal(story_end(&s), "");
}

/* A login, sessions that are renewed, and a close, with one allocation that fails. */
static uint64_t log_in_with_failure(uint64_t fail_at) {
    const char *const settings[] = {"security.protocol",
                                    "SASL_PLAINTEXT",
                                    "sasl.mechanism",
                                    "SCRAM-SHA-256",
                                    "sasl.username",
                                    "bob",
                                    "sasl.password",
                                    "pencil",
                                    "linger.ms",
                                    "1",
                                    NULL};
    struct one_failure f = {.fail_at = fail_at};
    begin(&f.story, "SCRAM-SHA-256");
    set(&f.story, "connections.max.reauth.ms", "1000");
    one_failure_open(&f, settings);
    for (int i = 0; i < 6; i++) {
        one_failure_send(&f, i % 3);
        story_run(&f.story, 500);
        if (i == 3) one_failure_forgive(sluice_client_set_login(f.producer, "bob", "pencil"));
    }
    return one_failure_end(&f);
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    one_failure_each(log_in_with_failure);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mechanism_logs_in),
        cmocka_unit_test(wrong_credentials_are_told_at_once),
        cmocka_unit_test(no_other_mechanism_is_taken),
        cmocka_unit_test(a_dishonest_broker_is_not_believed),
        cmocka_unit_test(sessions_are_renewed_under_load),
        cmocka_unit_test(what_is_in_flight_is_answered_first),
        cmocka_unit_test(changed_credentials_count_from_then_on),
        cmocka_unit_test(tokens_are_asked_for_in_time),
        cmocka_unit_test(a_token_that_is_not_taken_is_told_with_the_reason),
        cmocka_unit_test(a_broken_exchange_is_begun_again),
        cmocka_unit_test(a_renewal_that_breaks_loses_nothing),
        cmocka_unit_test(a_client_that_does_not_log_in_is_turned_away),
        cmocka_unit_test(memory_before_it_is_bounded),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
