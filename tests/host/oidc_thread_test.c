/* Goal: when a provider was asked over TLS, nothing of OpenSSL is left to the end of the thread that did it:
 * nobody waits for that thread, so it may end while the process does, and OpenSSL's own end came first.
 * Method: fetches from a broker, which speaks TLS and then no HTTP, on a thread each, with what OpenSSL
 * takes and frees counted by thread. */
#include "host/tls_pair.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>

#include "driver/oidc.h"
#include "sluice/sluice.h"

static _Thread_local int held; /* pieces of memory that this thread took and did not free */

static void *count_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    held++;
    return malloc(size);
}
static void *count_realloc(void *p, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    if (p == NULL) held++;
    return realloc(p, size);
}
static void count_free(void *p, const char *file, int line) {
    (void)file;
    (void)line;
    if (p != NULL) held--;
    free(p);
}

struct fetch {
    char url[64];
    struct sl_host_answer answer;
    int held;
};

static void *run_fetch(void *arg) {
    struct fetch *f = arg;
    char none[] = "", some[] = "some";
    struct sl_token_settings settings = {.source = SL_TOKEN_OIDC,
                                         .file = none,
                                         .url = f->url,
                                         .client_id = some,
                                         .client_secret = some,
                                         .scope = none,
                                         .ca_location = none,
                                         .ca_pem = root_pem,
                                         .connect_timeout_ms = 20000,
                                         .read_timeout_ms = 20000};
    struct sl_writer out;
    sl_oidc_fetch(&settings, &out, &f->answer);
    f->held = held;
    sl_writer_deinit(&out);
    return NULL;
}

static void a_thread_keeps_nothing(void **state) {
    sluice_testbroker *broker;
    (void)state;
    if (!sl_oidc_is_there()) {
        print_message("this build has no libcurl\n");
        return;
    }
    assert_int_equal(sluice_testbroker_create(1, NULL, &broker), 0);
    assert_int_equal(sluice_testbroker_set(broker, "ssl.certificate.pem", leaf_pem), 0);
    assert_int_equal(sluice_testbroker_set(broker, "ssl.key.pem", leaf_key), 0);
    /* What the first keeps is the process's. */
    for (int i = 0; i < 3; i++) {
        struct fetch f = {0};
        pthread_t thread;
        snprintf(f.url, sizeof f.url, "https://%s/", sluice_testbroker_bootstrap(broker));
        assert_int_equal(pthread_create(&thread, NULL, run_fetch, &f), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        /* A handshake was made and the certificate believed: what fails is the request. */
        assert_int_equal(f.answer.rv, SLUICE_ERR_UNREACHABLE);
        if (i > 0 && f.held != 0) fail_msg("%d: %d (%s)", i, f.held, f.answer.text);
    }
    sluice_testbroker_free(broker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thread_keeps_nothing, make_certs, free_certs),
    };
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1) return 1;
    (void)setenv("no_proxy", "127.0.0.1", 1);
    return cmocka_run_group_tests_name("host_oidc_thread", tests, NULL, NULL);
}
