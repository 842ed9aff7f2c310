/* Goal: a conversation of GSSAPI ends well with a ticket of a keytab or of a cache, and what is wrong is
 * told in words that help; tickets of keytabs are shared, and renewed before they end.
 * Method: the client's half against cyrus-sasl's own server, with tickets of a real KDC that runs for
 * this test alone (tests/kdc/kdc.sh). Where none is installed, or no plugin, all is skipped. */
#include "host/threads.h"

#include <sasl/sasl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/forked.h"
#include "driver/gssapi.h"
#include "driver/net.h"
#include "driver/system.h"
#include "sluice/error.h"

#define PATIENCE_NS (30 * INT64_C(1000000000))
#define PAUSE_NS INT64_C(20000000)

enum { STEPS_MOST = 10, PATH_MOST = 256 };

struct fixture {
    struct sl_gssapi_tickets *tickets;
    char why[400];
    struct sl_text text;
};

static const char *folder;

static const char *path_of(const char *name) {
    static char paths[4][PATH_MOST];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MOST, "%s/%s", folder, name);
    return path;
}

static void set_cache(const char *name) {
    char value[PATH_MOST + 8];
    snprintf(value, sizeof value, "FILE:%s", path_of(name));
    setenv("KRB5CCNAME", value, 1);
}

/* A command of Kerberos', with the tests' own configuration. */
static void run(const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_int_equal(system(line), 0);
}

static void begin(struct fixture *f) {
    f->tickets = sl_gssapi_tickets_create();
    assert_non_null(f->tickets);
    set_cache("nobody.ccache");
}

static void end(struct fixture *f) { sl_gssapi_tickets_release(f->tickets); }

static const struct sl_gssapi_order *order(const char *host, const char *principal,
                                           const char *keytab) {
    static struct sl_gssapi_order all;
    static char path[PATH_MOST];
    snprintf(path, sizeof path, "%s", path_of(keytab));
    all = (struct sl_gssapi_order){.service = "kafka",
                                   .host = sl_bytes_str(host),
                                   .principal = principal,
                                   .keytab = *keytab != '\0' ? path : ""};
    return &all;
}

/* The conversation with a server of that name, up to its end. user: whom the server took it for. */
static int converse(struct fixture *f, const struct sl_gssapi_order *as, char *user, size_t cap) {
    struct sl_gssapi_talk *talk = sl_gssapi_create(f->tickets, as);
    struct sl_bytes out, in = {(const uint8_t *)"", 0};
    sasl_conn_t *server = NULL;
    const char *said = "";
    unsigned said_size = 0;
    bool is_done = false, is_over = false;
    sl_text_init(&f->text, f->why, sizeof f->why);
    int rv = 0;
    assert_non_null(talk);
    assert_int_equal(sasl_server_new("kafka", "127.0.0.1", NULL, NULL, NULL, NULL, 0, &server),
                     SASL_OK);
    for (int i = 0; rv == 0 && !is_over; i++) {
        assert_true(i < STEPS_MOST);
        assert_false(is_done);
        rv = sl_gssapi_step(talk, in, &out, &is_done, &f->text);
        if (rv != 0) break;
        int code = i == 0 ? sasl_server_start(server, "GSSAPI", (const char *)out.data,
                                              (unsigned)out.size, &said, &said_size)
                          : sasl_server_step(server, (const char *)out.data, (unsigned)out.size,
                                             &said, &said_size);
        if (code != SASL_OK && code != SASL_CONTINUE) fail_msg("%s", sasl_errdetail(server));
        is_over = code == SASL_OK;
        in = (struct sl_bytes){(const uint8_t *)said, (int32_t)said_size};
    }
    if (rv == 0) {
        const void *name = NULL;
        assert_true(is_done);
        assert_int_equal(sasl_getprop(server, SASL_USERNAME, &name), SASL_OK);
        snprintf(user, cap, "%s", (const char *)name);
    }
    sasl_dispose(&server);
    sl_gssapi_destroy(talk);
    return rv;
}

static void expect_user(struct fixture *f, const struct sl_gssapi_order *as, const char *wanted) {
    char user[64];
    int rv = converse(f, as, user, sizeof user);
    if (rv != 0) fail_msg("%s", f->why);
    assert_string_equal(user, wanted);
}

static void expect_error(struct fixture *f, const struct sl_gssapi_order *as, int wanted,
                         const char *words) {
    char user[64];
    int rv = converse(f, as, user, sizeof user);
    if (strstr(f->why, words) == NULL) fail_msg("no \"%s\" in: %s", words, f->why);
    assert_int_equal(rv, wanted);
}

static void test_a_keytab(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect_user(&f, order("127.0.0.1", "client", "client.keytab"), "client");
    expect_user(&f, order("127.0.0.1", "other@SLUICE.TEST", "client.keytab"), "other");
    expect_user(&f, order("127.0.0.1", "", "client.keytab"), "client");
    assert_int_not_equal(access(path_of("nobody.ccache"), F_OK), 0);
    end(&f);
}

static void test_a_cache(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    set_cache("test.ccache");
    run("kinit -k -t %s client", path_of("client.keytab"));
    expect_user(&f, order("127.0.0.1", "", ""), "client");
    expect_user(&f, order("127.0.0.1", "client", ""), "client");
    expect_error(&f, order("127.0.0.1", "other", ""), SLUICE_ERR_AUTH, "kinit");
    end(&f);
}

static void test_errors(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect_error(&f, order("127.0.0.1", "", ""), SLUICE_ERR_AUTH,
                 "(run kinit, or set sasl.kerberos.keytab)");
    expect_error(&f, order("nowhere", "client", "client.keytab"), SLUICE_ERR_AUTH,
                 "kafka/nowhere@SLUICE.TEST not found in Kerberos database (the KDC does not know");
    expect_error(&f, order("127.0.0.1", "nobody", "client.keytab"), SLUICE_ERR_AUTH,
                 "(sasl.kerberos.keytab has no key of sasl.kerberos.principal");
    expect_error(&f, order("127.0.0.1", "client", "stale.keytab"), SLUICE_ERR_AUTH,
                 "or the KDC has another)");
    expect_error(&f, order("127.0.0.1", "client", "missing.keytab"), SLUICE_ERR_AUTH,
                 "missing.keytab does not exist");
    expect_error(&f, order("127.0.0.1", "a@b@c", "client.keytab"), SLUICE_ERR_AUTH,
                 "Malformed representation of principal");
    end(&f);
}

static void test_an_expired_ticket(void **state) {
    (void)state;
    struct fixture f;
    int64_t until = sl_system_now() + PATIENCE_NS;
    begin(&f);
    set_cache("old.ccache");
    run("kinit -l 1s -k -t %s client", path_of("client.keytab"));
    while (system("klist -s") == 0) {
        assert_true(sl_system_now() < until);
        sl_system_pause(PAUSE_NS);
    }
    expect_error(&f, order("127.0.0.1", "", ""), SLUICE_ERR_AUTH, "(run kinit, or set");
    expect_error(&f, order("127.0.0.1", "client", ""), SLUICE_ERR_AUTH, "(run kinit, or set");
    end(&f);
}

static void test_no_kdc(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    run("sed 's/kdc = .*/kdc = 127.0.0.1:1/' %s >%s", path_of("krb5.conf"), path_of("lost.conf"));
    setenv("KRB5_CONFIG", path_of("lost.conf"), 1);
    expect_error(&f, order("127.0.0.1", "client", "client.keytab"), SLUICE_ERR_UNREACHABLE,
                 "Cannot contact any KDC");
    setenv("KRB5_CONFIG", path_of("krb5.conf"), 1);
    expect_user(&f, order("127.0.0.1", "client", "client.keytab"), "client");
    end(&f);
}

/* How many tickets the KDC has given for themselves, not for a service. */
static int count_logins(void) {
    int count = 0;
    char line[1024];
    FILE *log = fopen(path_of("kdc/log"), "r");
    assert_non_null(log);
    while (fgets(line, sizeof line, log) != NULL)
        count += strstr(line, "AS_REQ") != NULL && strstr(line, ": ISSUE:") != NULL;
    fclose(log);
    return count;
}

static void test_tickets_are_shared(void **state) {
    (void)state;
    struct fixture f;
    const struct sl_gssapi_order *as = order("127.0.0.1", "client", "client.keytab");
    struct sl_bytes out;
    bool is_done;
    begin(&f);
    int before = count_logins();
    for (int i = 0; i < 5; i++) expect_user(&f, as, "client");
    assert_int_equal(count_logins(), before + 1);
    /* One that did not come to its end may have had a bad ticket. */
    struct sl_gssapi_talk *talk = sl_gssapi_create(f.tickets, as);
    assert_int_equal(sl_gssapi_step(talk, (struct sl_bytes){0}, &out, &is_done, &f.text), 0);
    assert_false(is_done);
    sl_gssapi_destroy(talk);
    expect_user(&f, as, "client");
    assert_int_equal(count_logins(), before + 2);
    expect_user(&f, as, "client");
    assert_int_equal(count_logins(), before + 2);
    end(&f);
}

static void test_tickets_are_renewed(void **state) {
    (void)state;
    struct fixture f;
    const struct sl_gssapi_order *as = order("127.0.0.1", "client", "client.keytab");
    int64_t until = sl_system_now() + PATIENCE_NS;
    begin(&f);
    run("sed 's/ticket_lifetime = .*/ticket_lifetime = 2/' %s >%s", path_of("krb5.conf"),
        path_of("short.conf"));
    setenv("KRB5_CONFIG", path_of("short.conf"), 1);
    int before = count_logins();
    while (count_logins() < before + 3) {
        assert_true(sl_system_now() < until);
        expect_user(&f, as, "client");
        sl_system_pause(PAUSE_NS);
    }
    setenv("KRB5_CONFIG", path_of("krb5.conf"), 1);
    end(&f);
}

/* ---- as errands ---- */

/* One of several conversations at a time, with a server of its own. */
struct caller {
    sasl_conn_t *server;
    struct sl_errand_state *state; /* ours between errands */
    const char *said;
    unsigned said_size;
    int steps;
    bool is_over;
};
enum { CALLERS = 12 };

static struct sl_settings caller_settings(void) {
    static char path[PATH_MOST];
    snprintf(path, sizeof path, "%s", path_of("client.keytab"));
    return (struct sl_settings){.kerberos_service = (char *)(uintptr_t) "kafka",
                                .kerberos_principal = (char *)(uintptr_t) "client",
                                .kerberos_keytab = path};
}

static int start_step(struct sl_net *net, struct caller *c, uint64_t serial,
                      const struct sl_settings *settings) {
    struct sl_bytes input = {(const uint8_t *)c->said, (int32_t)c->said_size};
    if (c->steps++ == 0) input = (struct sl_bytes){(const uint8_t *)"127.0.0.1", 9};
    struct sl_host_errand errand = {.kind = SL_ERRAND_GSSAPI,
                                    .client = 1,
                                    .serial = serial,
                                    .input = input,
                                    .settings = settings,
                                    .state = &c->state};
    return sl_net_table.start_errand(net, &errand);
}

/* The server's turn. */
static void hear(struct caller *c, const struct sl_host_answer *answer) {
    if (answer->rv != 0) fail_msg("%s", answer->text);
    const char *message = (const char *)answer->bytes.data + 1;
    unsigned size = (unsigned)answer->bytes.size - 1;
    int code = c->steps == 1
                   ? sasl_server_start(c->server, "GSSAPI", message, size, &c->said, &c->said_size)
                   : sasl_server_step(c->server, message, size, &c->said, &c->said_size);
    if (code != SASL_OK && code != SASL_CONTINUE) fail_msg("%s", sasl_errdetail(c->server));
    c->is_over = code == SASL_OK;
    assert_int_equal(answer->bytes.data[0], c->is_over);
    assert_null(c->state);
    c->state = *answer->state;
    *answer->state = NULL;
    assert_non_null(c->state);
}

static void test_many_at_a_time(void **state) {
    (void)state;
    struct caller callers[CALLERS] = {0};
    struct sl_settings settings = caller_settings();
    struct sl_ready ready[4];
    struct sl_net *net;
    int64_t until = sl_system_now() + PATIENCE_NS;
    int over = 0, before = count_logins();
    assert_int_equal(sl_net_create(SL_NET_BEST, 0, sl_alloc_default(), &net), 0);
    for (uint64_t i = 0; i < CALLERS; i++) {
        assert_int_equal(
            sasl_server_new("kafka", "127.0.0.1", NULL, NULL, NULL, NULL, 0, &callers[i].server),
            SASL_OK);
        assert_int_equal(start_step(net, &callers[i], i, &settings), 0);
    }
    while (over < CALLERS) {
        struct sl_host_answer *answer = sl_net_table.take_answer(net);
        assert_true(sl_system_now() < until);
        if (answer == NULL) {
            (void)sl_net_table.wait(net, until, ready, 4);
            continue;
        }
        struct caller *c = &callers[answer->serial];
        hear(c, answer);
        if (c->is_over)
            over++;
        else
            assert_int_equal(start_step(net, c, answer->serial, &settings), 0);
        sl_net_table.free_answer(net, answer);
    }
    assert_int_equal(count_logins(), before + 1); /* who came first asked for all */
    for (int i = 0; i < CALLERS; i++) {
        callers[i].state->destroy(callers[i].state);
        sasl_dispose(&callers[i].server);
    }
    sl_net_destroy(net);
}

static void signal_kdc(int number) {
    char line[64];
    FILE *file = fopen(path_of("kdc/pid"), "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(kill((pid_t)strtol(line, NULL, 10), number), 0);
}

/* The KDC says nothing: nobody waits for it, neither who goes away nor a forked child. */
static void test_a_kdc_that_hangs(void **state) {
    (void)state;
    struct caller caller = {0};
    struct sl_settings settings = caller_settings();
    struct sl_net *net;
    int64_t began = sl_system_now();
    int status = -1;
    assert_int_equal(sl_forked_watch(), 0);
    assert_int_equal(sl_net_create(SL_NET_BEST, 0, sl_alloc_default(), &net), 0);
    signal_kdc(SIGSTOP);
    assert_int_equal(start_step(net, &caller, 1, &settings), 0);
    assert_null(caller.state);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sl_net_abandon(net);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_null(sl_net_table.take_answer(net));
    sl_net_destroy(net);
    assert_true(sl_system_now() - began < PATIENCE_NS);
    signal_kdc(SIGCONT);
    /* Errands that answer nobody end before this process does, for the library takes its locks down then. */
    test_await_threads(PATIENCE_NS);
}

/* A child leaves alone what it has of its parent's. */
static void test_a_fork_in_the_middle(void **state) {
    (void)state;
    struct fixture f;
    struct sl_bytes out;
    bool is_done;
    int status = -1;
    begin(&f);
    struct sl_gssapi_talk *talk =
        sl_gssapi_create(f.tickets, order("127.0.0.1", "client", "client.keytab"));
    assert_int_equal(sl_gssapi_step(talk, (struct sl_bytes){0}, &out, &is_done, &f.text), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sl_gssapi_destroy(talk);
        char user[64];
        _exit(converse(&f, order("127.0.0.1", "other", "client.keytab"), user, sizeof user));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    sl_gssapi_destroy(talk);
    end(&f);
}

static bool has_plugin(void) {
    const char **names = sasl_global_listmech();
    for (; names != NULL && *names != NULL; names++)
        if (strcmp(*names, "GSSAPI") == 0) return true;
    return false;
}

int main(int argc, char **argv) {
    (void)argc;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_keytab),
        cmocka_unit_test(test_a_cache),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_an_expired_ticket),
        cmocka_unit_test(test_no_kdc),
        cmocka_unit_test(test_tickets_are_shared),
        cmocka_unit_test(test_tickets_are_renewed),
        cmocka_unit_test(test_many_at_a_time),
        cmocka_unit_test(test_a_fork_in_the_middle),
        cmocka_unit_test(test_a_kdc_that_hangs),
    };
    folder = getenv("SLUICE_KDC_DIR");
    if (folder == NULL) {
        if (system("test -z \"$(bash tests/kdc/kdc.sh missing)\"") != 0) {
            printf("skipped: this machine has no KDC\n");
            return 0;
        }
        execlp("bash", "bash", "tests/kdc/kdc.sh", "run", argv[0], (char *)NULL);
        return 1;
    }
    if (sasl_server_init(NULL, "sluice-test") != SASL_OK) return 1;
    if (!has_plugin()) {
        printf("skipped: cyrus-sasl has no plugin for GSSAPI here\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
