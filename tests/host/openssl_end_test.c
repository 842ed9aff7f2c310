/* Goal: a process may end, and OpenSSL with it, while clients that nobody closed work under TLS, and
 * clients may be closed after that: nothing crashes and every call returns.
 * Method: programs of their own, which are this one with a word. "ended": the application's OpenSSL ends
 * under a producer and a broker at work. "late": an atexit function, which runs after OpenSSL's own,
 * still sends and closes. */
#include "host/tls_pair.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "sluice/sluice.h"

enum { ENOUGH_MS = 20000 };

static sluice_runtime *runtime;
static sluice_testbroker *broker;
static sluice_client *producer;

/* In the programs there is no cmocka. */
static void need(bool what, const char *words) {
    if (what) return;
    fprintf(stderr, "failed: %s\n", words);
    _exit(1);
}

static void open_all(void) {
    sluice_config *config = sluice_config_create();
    (void)make_certs(NULL);
    need(sluice_testbroker_create(1, NULL, &broker) == 0, "broker");
    need(sluice_testbroker_set(broker, "ssl.certificate.pem", leaf_pem) == 0, "certificate");
    need(sluice_testbroker_set(broker, "ssl.key.pem", leaf_key) == 0, "key");
    sluice_config_set(config, "bootstrap.servers", sluice_testbroker_bootstrap(broker));
    sluice_config_set(config, "security.protocol", "SSL");
    sluice_config_set(config, "ssl.truststore.certificates", root_pem);
    sluice_config_set(config, "log.to", "none");
    sluice_config_set(config, "delivery.timeout.ms", "2000");
    sluice_config_set(config, "request.timeout.ms", "1000");
    need(sluice_client_open(config, SLUICE_PRODUCER, runtime, &producer) == 0,
         sluice_config_message(config));
    sluice_config_free(config);
}

static int send_some(void) {
    static const char value[50000];
    for (int i = 0; i < 40; i++) {
        int rv = sluice_producer_send(producer, "t", NULL, 0, value, sizeof value, ENOUGH_MS);
        if (rv != 0) return rv;
    }
    return 0;
}

static void end_under_clients(void) {
    need(OPENSSL_init_crypto(0, NULL) == 1, "OpenSSL");
    open_all();
    need(send_some() == 0, "send");
    need(sluice_producer_flush(producer, ENOUGH_MS, NULL) == 0, "flush");
    need(send_some() == 0, "send again");
    OPENSSL_cleanup();
    need(send_some() == 0, "send without OpenSSL");
    int rv = sluice_producer_flush(producer, ENOUGH_MS, NULL);
    need(rv == SLUICE_ERR_NOT_WRITTEN || rv == SLUICE_ERR_MAYBE_WRITTEN, "flush without OpenSSL");
    need(sluice_client_close(producer, ENOUGH_MS, NULL) == rv, "close without OpenSSL");
    sluice_testbroker_free(broker);
    _exit(0);
}

static void close_late(void) {
    need(send_some() == 0, "send late");
    need(sluice_producer_flush(producer, ENOUGH_MS, NULL) == 0, "flush late");
    need(sluice_client_close(producer, ENOUGH_MS, NULL) == 0, "close late");
    sluice_testbroker_free(broker);
    _exit(0);
}

static const char *self;

static void expect_end(const char *word) {
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(self, self, word, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s: status %#x", word, (unsigned)status);
}

static void openssl_ends_under_clients(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) expect_end("ended");
}

static void clients_may_outlive_exit(void **state) {
    (void)state;
    expect_end("late");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_ends_under_clients),
        cmocka_unit_test(clients_may_outlive_exit),
    };
    self = argv[0];
    if (argc == 2 && strcmp(argv[1], "ended") == 0) end_under_clients();
    if (argc == 2 && strcmp(argv[1], "late") == 0) {
        need(atexit(close_late) == 0, "atexit");
        /* Before the certificates: the library is the first to use OpenSSL. */
        need(sluice_runtime_create(SLUICE_RUNTIME_THREAD, NULL, &runtime) == 0, "runtime");
        open_all();
        need(send_some() == 0, "send");
        exit(2); /* the function says 0 */
    }
    return cmocka_run_group_tests_name("host_openssl_end", tests, NULL, NULL);
}
