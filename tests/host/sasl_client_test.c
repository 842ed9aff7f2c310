/* Goal: on real sockets and threads clients log in at the bundled broker and are refused by it, a
 * dishonest one is not believed, and no secret is in anything that a client says, at the most
 * talkative level.
 * Method: the public calls alone; every log line, event, story and dump is kept, and the secrets are
 * looked for in all of it. */
#include "unit/support.h"

#include <pthread.h>

#include "sluice/sluice.h"

enum { PATIENCE_MS = 20000, SAID_MAX = 1 << 20 };
#define CANARY "c4n4ry-secret"
#define WRONG "wr0ng-c4n4ry"

/* All that was said, by whatever thread. */
static pthread_mutex_t said_mutex = PTHREAD_MUTEX_INITIALIZER;
static char said[SAID_MAX];
static size_t said_size;

static void hear(void *user, int32_t level, const char *line) {
    (void)user;
    (void)level;
    size_t size = strlen(line);
    pthread_mutex_lock(&said_mutex);
    if (said_size + size + 2 < sizeof said) {
        memcpy(said + said_size, line, size);
        said_size += size;
        said[said_size++] = '\n';
        said[said_size] = '\0';
    }
    pthread_mutex_unlock(&said_mutex);
}

static void expect_no_secret(void) {
    pthread_mutex_lock(&said_mutex);
    assert_true(said_size > 0 && said_size + 4096 < sizeof said);
    assert_null(strstr(said, CANARY));
    assert_null(strstr(said, WRONG));
    pthread_mutex_unlock(&said_mutex);
}

static sluice_testbroker *start_broker(const char *lie) {
    sluice_testbroker *broker;
    assert_int_equal(sluice_testbroker_create(1, NULL, &broker), 0);
    assert_int_equal(sluice_testbroker_set(broker, "sasl.enabled.mechanisms",
                                           "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"),
                     0);
    assert_int_equal(sluice_testbroker_set(broker, "sasl.user", "bob=" CANARY), 0);
    assert_int_equal(sluice_testbroker_set(broker, "sasl.lie", lie), 0);
    return broker;
}

static sluice_client *open_client(sluice_testbroker *broker, const char *mechanism,
                                  const char *password) {
    char text[16384];
    sluice_client *client;
    sluice_config *config = sluice_config_create();
    sluice_config_set(config, "bootstrap.servers", sluice_testbroker_bootstrap(broker));
    sluice_config_set(config, "security.protocol", "SASL_PLAINTEXT");
    sluice_config_set(config, "sasl.mechanism", mechanism);
    if (strcmp(mechanism, "OAUTHBEARER") == 0) {
        sluice_config_set(config, "sasl.oauthbearer.token", password);
    } else {
        sluice_config_set(config, "sasl.username", "bob");
        sluice_config_set(config, "sasl.password", password);
    }
    sluice_config_set(config, "log.level", "debug");
    sluice_config_log(config, hear, NULL);
    assert_true(sluice_config_text(config, SLUICE_PRODUCER, text, sizeof text) > 0);
    hear(NULL, 7, text);
    assert_int_equal(sluice_client_open(config, SLUICE_PRODUCER, NULL, &client), 0);
    sluice_config_free(config);
    return client;
}

/* All that can be read of a client. */
static void question(sluice_client *client, int rv) {
    static char text[65536];
    sluice_event e;
    while (sluice_client_event(client, 0, &e, sizeof e) == 0 && e.kind != 0) hear(NULL, 7, e.text);
    (void)sluice_client_explain(client, rv, text, sizeof text);
    hear(NULL, 7, text);
    assert_true(sluice_client_dump(client, text, sizeof text, PATIENCE_MS) > 0);
    hear(NULL, 7, text);
}

static void clients_log_in_and_say_no_secret(void **state) {
    static const char *const names[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        sluice_testbroker *broker = start_broker("");
        assert_int_equal(sluice_testbroker_set(broker, "connections.max.reauth.ms", "1000"), 0);
        sluice_client *p = open_client(broker, names[i], CANARY);
        int64_t seen;
        for (int k = 0; k < 100; k++)
            assert_int_equal(sluice_producer_send(p, "t", NULL, 0, "v", 1, PATIENCE_MS), 0);
        assert_int_equal(sluice_producer_flush(p, PATIENCE_MS, NULL), 0);
        /* A session is renewed. */
        assert_int_equal(sluice_testbroker_await(broker, "SaslHandshake", 4, PATIENCE_MS, &seen),
                         0);
        assert_int_equal(sluice_client_set_login(p, "bob", CANARY), 0);
        assert_int_equal(sluice_producer_send(p, "t", NULL, 0, "v", 1, PATIENCE_MS), 0);
        question(p, SLUICE_ERR_AUTH);
        assert_int_equal(sluice_client_close(p, PATIENCE_MS, NULL), 0);
        sluice_client_free(p);
        sluice_testbroker_free(broker);
    }
    expect_no_secret();
}

static void refusals_and_lies_are_told_without_a_secret(void **state) {
    static const struct {
        const char *mechanism, *lie, *word;
    } cases[] = {
        {"PLAIN", "", "invalid credentials"},
        {"SCRAM-SHA-256", "", "invalid credentials"},
        {"OAUTHBEARER", "", "invalid_token"},
        {"SCRAM-SHA-256", "iterations", "more iterations"},
        {"SCRAM-SHA-512", "nonce", "nonce"},
        {"SCRAM-SHA-512", "extension", "extension"},
        {"PLAIN", "endless", "where none belongs"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1000];
        sluice_testbroker *broker = start_broker(cases[i].lie);
        sluice_client *p = open_client(broker, cases[i].mechanism, WRONG);
        assert_int_equal(sluice_client_ready(p, PATIENCE_MS, NULL), SLUICE_ERR_AUTH);
        (void)sluice_client_explain(p, SLUICE_ERR_AUTH, text, sizeof text);
        if (strstr(text, cases[i].word) == NULL) fail_msg("\"%s\": no %s", text, cases[i].word);
        question(p, SLUICE_ERR_AUTH);
        sluice_client_free(p);
        sluice_testbroker_free(broker);
    }
    expect_no_secret();
}

/* One that knows the password, to a broker that only pretends to. */
static void a_broker_that_cannot_sign_is_not_believed(void **state) {
    static const char *const lies[] = {"signature", "unsigned"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        sluice_testbroker *broker = start_broker(lies[i]);
        sluice_client *p = open_client(broker, "SCRAM-SHA-256", CANARY);
        assert_int_equal(sluice_client_ready(p, PATIENCE_MS, NULL), SLUICE_ERR_AUTH);
        question(p, SLUICE_ERR_AUTH);
        sluice_client_free(p);
        sluice_testbroker_free(broker);
    }
    expect_no_secret();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_log_in_and_say_no_secret),
        cmocka_unit_test(refusals_and_lies_are_told_without_a_secret),
        cmocka_unit_test(a_broker_that_cannot_sign_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
