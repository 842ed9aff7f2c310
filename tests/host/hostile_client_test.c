/* Goal: what tests/scenario/hostile_test.c shows in virtual time holds over sockets: answers that
 * promise gigabytes or come byte by byte end in an error that names the broker, within the caller's
 * deadline and in little memory; a cluster that points elsewhere gets no password sent there.
 * Method: the bundled broker with such faults, with and without a login; a second cluster as the one
 * that is pointed to. What the client takes is counted by an allocator. */
#include "host/tls_pair.h"

#include <stdatomic.h>

#include "sluice/sluice.h"

enum { PATIENCE_MS = 30000, DEADLINE_MS = 300, BEFORE_LOGIN_MOST = 128 * 1024 };

/* ---- memory ---- */

static _Atomic int64_t live, peak;

static void count_bytes(int64_t bytes) {
    int64_t now = atomic_fetch_add(&live, bytes) + bytes, most = atomic_load(&peak);
    while (now > most && !atomic_compare_exchange_weak(&peak, &most, now)) continue;
}

static void *resize(void *user, void *old, size_t old_size, size_t new_size) {
    (void)user;
    count_bytes((int64_t)new_size - (int64_t)old_size);
    if (new_size > 0) return realloc(old, new_size);
    free(old);
    return NULL;
}

/* ---- brokers and clients ---- */

static void set(sluice_testbroker *broker, const char *name, const char *value) {
    assert_int_equal(sluice_testbroker_set(broker, name, value), 0);
}

static sluice_testbroker *start_broker(const char *mechanism) {
    sluice_testbroker *broker;
    assert_int_equal(sluice_testbroker_create(1, NULL, &broker), 0);
    assert_int_equal(sluice_testbroker_topic(broker, "t", 1, 1), 0);
    if (mechanism[0] != '\0') {
        set(broker, "sasl.enabled.mechanisms", mechanism);
        set(broker, "sasl.user", "bob=pencil");
    }
    return broker;
}

static sluice_client *open_client(const char *bootstrap, const char *protocol,
                                  const char *mechanism) {
    const sluice_allocator counted = {.resize = resize};
    sluice_config *config = sluice_config_create();
    sluice_client *client;
    sluice_config_set(config, "bootstrap.servers", bootstrap);
    sluice_config_set(config, "security.protocol", protocol);
    sluice_config_set(config, "log.to", "none");
    sluice_config_set(config, "request.timeout.ms", "500");
    sluice_config_set(config, "socket.connection.setup.timeout.ms", "500");
    if (strstr(protocol, "SSL") != NULL)
        sluice_config_set(config, "ssl.truststore.certificates", root_pem);
    if (mechanism[0] != '\0') {
        sluice_config_set(config, "sasl.mechanism", mechanism);
        sluice_config_set(config, "sasl.username", "bob");
        sluice_config_set(config, "sasl.password", "pencil");
    }
    sluice_config_memory(config, &counted, sizeof counted);
    int rv = sluice_client_open(config, SLUICE_PRODUCER, NULL, &client);
    if (rv != 0) fail_msg("open: %d %s", rv, sluice_config_message(config));
    sluice_config_free(config);
    return client;
}

static void send_one(sluice_client *producer) {
    assert_int_equal(sluice_producer_send(producer, "t", NULL, 0, "v", 1, PATIENCE_MS), 0);
    assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
}

/* ---- setting up ---- */

static void meet_harm(const char *mechanism, const char *api, int harm) {
    const sluice_fault fault = {
        .kind = SLUICE_FAULT_HOSTILE, .api = api, .code = harm, .delay_ms = 100, .times = -1};
    char text[1000];
    sluice_testbroker *broker = start_broker(mechanism);
    assert_int_equal(sluice_testbroker_fault(broker, &fault, sizeof fault, NULL), 0);
    sluice_client *p =
        open_client(sluice_testbroker_bootstrap(broker),
                    mechanism[0] == '\0' ? "PLAINTEXT" : "SASL_PLAINTEXT", mechanism);
    int64_t before = atomic_load(&live);
    atomic_store(&peak, before);
    int rv = sluice_client_ready(p, DEADLINE_MS, NULL);
    if (rv != SLUICE_ERR_UNREACHABLE && rv != SLUICE_ERR_TIMEOUT)
        fail_msg("\"%s\", %s, harm %d: ready says %d", mechanism, api, harm, rv);
    assert_in_range(atomic_load(&peak) - before, 0, BEFORE_LOGIN_MOST);
    (void)sluice_client_explain(p, rv, text, sizeof text);
    if (strstr(text, sluice_testbroker_bootstrap(broker)) == NULL)
        fail_msg("\"%s\" does not name the broker", text);
    assert_int_equal(sluice_testbroker_heal(broker, 0), 0);
    assert_int_equal(sluice_client_ready(p, PATIENCE_MS, NULL), 0);
    send_one(p);
    assert_int_equal(sluice_client_close(p, PATIENCE_MS, NULL), 0);
    sluice_client_free(p);
    sluice_testbroker_free(broker);
}

static void setting_up_is_bounded(void **state) {
    (void)state;
    for (int harm = SLUICE_HARM_FRAME; harm <= SLUICE_HARM_DRIBBLE; harm++) {
        meet_harm("", "ApiVersions", harm);
        meet_harm("", "Metadata", harm);
        meet_harm("SCRAM-SHA-256", "SaslHandshake", harm);
        if (harm != SLUICE_HARM_COUNT) meet_harm("PLAIN", "SaslAuthenticate", harm);
    }
}

static void nothing_is_lost_by_it(void **state) {
    (void)state;
    for (int harm = SLUICE_HARM_FRAME; harm <= SLUICE_HARM_DRIBBLE; harm++) {
        const sluice_fault fault = {.kind = SLUICE_FAULT_HOSTILE,
                                    .api = "Produce",
                                    .code = harm,
                                    .delay_ms = 100,
                                    .times = 2};
        sluice_testbroker *broker = start_broker("");
        sluice_batch *stored;
        assert_int_equal(sluice_testbroker_fault(broker, &fault, sizeof fault, NULL), 0);
        sluice_client *p = open_client(sluice_testbroker_bootstrap(broker), "PLAINTEXT", "");
        for (int i = 0; i < 3; i++) send_one(p);
        assert_int_equal(sluice_testbroker_read(broker, "t", 0, 2, &stored), 0);
        assert_int_equal(sluice_batch_count(stored), 1);
        sluice_batch_free(stored);
        sluice_client_free(p);
        sluice_testbroker_free(broker);
    }
}

/* ---- pointed elsewhere ---- */

/* The cluster says that its brokers are where somebody else listens, who has no certificate that the
 * client trusts. */
static void a_redirect_gets_no_password(void **state) {
    (void)state;
    static char thief_pem[PEM_MAX], thief_key[PEM_MAX];
    char text[1000];
    int64_t seen = -1;
    struct test_cert own =
        test_make_cert(&(struct test_spec){.cn = "thief", .san = "IP:127.0.0.1"}, NULL);
    test_put_cert(thief_pem, &own);
    test_put_key(thief_key, &own, NULL);
    sluice_testbroker *broker = start_broker("PLAIN"), *thief = start_broker("PLAIN");
    set(broker, "ssl.certificate.pem", leaf_pem);
    set(broker, "ssl.key.pem", leaf_key);
    set(thief, "ssl.certificate.pem", thief_pem);
    set(thief, "ssl.key.pem", thief_key);
    set(broker, "advertised.listeners", sluice_testbroker_bootstrap(thief));
    sluice_client *p = open_client(sluice_testbroker_bootstrap(broker), "SASL_SSL", "PLAIN");
    assert_int_equal(sluice_producer_send(p, "t", NULL, 0, "v", 1, PATIENCE_MS), 0);
    int rv = sluice_producer_flush(p, 1000, NULL);
    assert_int_not_equal(rv, 0);
    (void)sluice_client_explain(p, rv, text, sizeof text);
    if (strstr(text, sluice_testbroker_bootstrap(thief)) == NULL)
        fail_msg("\"%s\" does not name who was pointed to", text);
    assert_int_equal(sluice_testbroker_await(thief, NULL, 0, 0, &seen), 0);
    assert_int_equal(seen, 0);
    set(broker, "advertised.listeners", sluice_testbroker_bootstrap(broker));
    assert_int_equal(sluice_producer_flush(p, PATIENCE_MS, NULL), 0);
    assert_int_equal(sluice_client_close(p, PATIENCE_MS, NULL), 0);
    sluice_client_free(p);
    sluice_testbroker_free(broker);
    sluice_testbroker_free(thief);
    test_free_cert(&own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_up_is_bounded),
        cmocka_unit_test(nothing_is_lost_by_it),
        cmocka_unit_test(a_redirect_gets_no_password),
    };
    return cmocka_run_group_tests_name("host_hostile_client", tests, make_certs, free_certs);
}
