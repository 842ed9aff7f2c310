/* Goal: which certificates a client takes with default settings, and what it says of the others; the
 * same for its own certificates, in all forms in which they can be given.
 * Method: a hosted broker with a certificate made for each case; a whole client, whose resolver
 * finds every name on this machine. A refusal is awaited as an event, an acceptance as being ready. */
#include "host/tls_support.h"

#include "driver/host.h"
#include "driver/net.h"
#include "driver/runtime_inside.h"
#include "sluice/sluice.h"

enum { PATIENCE_MS = 20000 };

/* ---- the scene ---- */

enum issuer {
    ROOT, /* trusted */
    INTER,
    STRANGER,   /* a root that nobody trusts */
    NO_CA,      /* issued by the root, may issue nothing */
    LATE_CA,    /* has expired */
    SHORT_CA,   /* issued by the root, path length 0 … */
    BELOW_CA,   /* … and this one by it */
    NARROW_CA,  /* for good.test alone */
    EXCLUDE_CA, /* not for bad.test */
    WEAK_CA,    /* RSA, 1024 bits */
    RSA_CA,     /* of which a signature with MD5 can be had */
    ISSUERS,
    SELF
};

struct world {
    struct test_cert issuers[ISSUERS];
    struct test_folder folder;
    struct sl_host *host;
    struct sluice_runtime *runtime;
    uint16_t port;
    char root[PEM_MAX]; /* as PEM */
};
static struct world w;

static void find_everything_here(const char *host, uint16_t port, struct sl_host_answer *out) {
    (void)host;
    out->rv = 0;
    out->count = 1;
    out->addresses[0] = (struct sl_address){.ip = {127, 0, 0, 1}, .ip_size = 4, .port = port};
}

static void make_issuer(enum issuer which, const struct test_spec *spec, int by) {
    w.issuers[which] = test_make_cert(spec, by == SELF ? NULL : &w.issuers[by]);
}

static int make_world(void **state) {
    (void)state;
    make_issuer(ROOT, &(struct test_spec){.cn = "Test Root", .ca = "CA:true"}, SELF);
    make_issuer(INTER, &(struct test_spec){.cn = "Test Intermediate", .ca = "CA:true"}, ROOT);
    make_issuer(STRANGER, &(struct test_spec){.cn = "Somebody's Root", .ca = "CA:true"}, SELF);
    make_issuer(NO_CA, &(struct test_spec){.cn = "No Authority", .ca = "CA:false"}, ROOT);
    make_issuer(
        LATE_CA,
        &(struct test_spec){.cn = "Late Authority", .ca = "CA:true", .from = -9 * DAY, .to = -DAY},
        ROOT);
    make_issuer(SHORT_CA, &(struct test_spec){.cn = "Short", .ca = "CA:true,pathlen:0"}, ROOT);
    make_issuer(BELOW_CA, &(struct test_spec){.cn = "Below", .ca = "CA:true"}, SHORT_CA);
    make_issuer(NARROW_CA,
                &(struct test_spec){
                    .cn = "Narrow", .ca = "CA:true", .constraints = "permitted;DNS:good.test"},
                ROOT);
    make_issuer(EXCLUDE_CA,
                &(struct test_spec){
                    .cn = "Exclude", .ca = "CA:true", .constraints = "excluded;DNS:bad.test"},
                ROOT);
    make_issuer(WEAK_CA,
                &(struct test_spec){.cn = "Weak Authority", .ca = "CA:true", .rsa_bits = 1024},
                ROOT);
    make_issuer(RSA_CA,
                &(struct test_spec){.cn = "RSA Authority", .ca = "CA:true", .rsa_bits = 2048},
                ROOT);
    test_make_folder(&w.folder);
    w.root[0] = '\0';
    test_put_cert(w.root, &w.issuers[ROOT]);
    struct sl_host_options options = {.alloc = *sl_alloc_default()};
    sl_broker_options_init(&options.broker);
    options.broker.nodes = 1;
    assert_int_equal(sl_host_create(&options, &w.host), 0);
    const char *port = strrchr(sl_host_bootstrap(w.host), ':');
    w.port = (uint16_t)strtol(port + 1, NULL, 10);
    assert_int_equal(sl_runtime_create(SL_RUNTIME_THREAD, sl_alloc_default(), &w.runtime), 0);
    sl_net_replace_lookup(sl_runtime_net(w.runtime), find_everything_here);
    return 0;
}

static int unmake_world(void **state) {
    (void)state;
    sluice_runtime_release(w.runtime);
    sl_host_free(w.host);
    test_remove_folder(&w.folder);
    for (int i = 0; i < ISSUERS; i++) test_free_cert(&w.issuers[i]);
    return 0;
}

static void set_host(const char *name, const char *value) {
    char buf[256];
    struct sl_text why;
    sl_text_init(&why, buf, sizeof buf);
    if (sl_host_set_tls(w.host, name, value, &why) != 0) fail_msg("%s: %s", name, buf);
}

static int advertise(struct sl_broker_cluster *cluster, void *arg) {
    return sl_broker_advertise(cluster, 1, arg, w.port);
}

/* The broker shows this certificate, and behind it those of `chain`, which ends with SELF. */
static void serve(const struct test_cert *leaf, const int *chain) {
    static char pem[PEM_MAX], key[PEM_MAX];
    pem[0] = key[0] = '\0';
    test_put_cert(pem, leaf);
    for (; *chain != SELF; chain++) test_put_cert(pem, &w.issuers[*chain]);
    test_put_key(key, leaf, NULL);
    set_host("ssl.key.pem", "");
    set_host("ssl.certificate.pem", pem);
    set_host("ssl.key.pem", key);
}

/* ---- clients ---- */

struct setting {
    const char *name, *value;
};

static sluice_config *make_config(const char *host, const struct setting *settings) {
    char bootstrap[128];
    sluice_config *config = sluice_config_create();
    snprintf(bootstrap, sizeof bootstrap, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host,
             w.port);
    sluice_config_set(config, "bootstrap.servers", bootstrap);
    sluice_config_set(config, "security.protocol", "SSL");
    sluice_config_set(config, "log.to", "none");
    sluice_config_set(config, "ssl.ca.pem", w.root);
    for (; settings != NULL && settings->name != NULL; settings++)
        sluice_config_set(config, settings->name, settings->value);
    return config;
}

static sluice_client *open_client(const char *host, const struct setting *settings) {
    sluice_client *client;
    sluice_config *config = make_config(host, settings);
    int rv = sluice_client_open(config, SLUICE_PRODUCER, w.runtime, &client);
    if (rv != 0) fail_msg("open: %d %s", rv, sluice_config_message(config));
    sluice_config_free(config);
    return client;
}

static void expect_ready(const char *what, const char *host, const struct setting *settings) {
    char text[512];
    sluice_client *client = open_client(host, settings);
    int rv = sluice_client_ready(client, PATIENCE_MS, NULL);
    (void)sluice_client_explain(client, rv, text, sizeof text);
    if (rv != 0) fail_msg("%s: %d %s", what, rv, text);
    sluice_client_free(client);
}

/* The event, explain and a call that waits all say it. */
static void expect_refused(const char *what, const char *host, const struct setting *settings,
                           const char *why) {
    sluice_client *client = open_client(host, settings);
    sluice_event event;
    sluice_op *op; /* something to connect for */
    char text[512];
    assert_int_equal(sluice_client_ready(client, PATIENCE_MS, &op), 0);
    do {
        assert_int_equal(sluice_client_event(client, PATIENCE_MS, &event, sizeof event), 0);
        if (event.kind == 0) fail_msg("%s: it was not refused", what);
    } while (event.kind != SLUICE_EVENT_BROKER || event.code == 0);
    if (event.code != SLUICE_ERR_TLS || strstr(event.text, why) == NULL)
        fail_msg("%s: %d %s", what, event.code, event.text);
    (void)sluice_client_explain(client, SLUICE_ERR_TLS, text, sizeof text);
    if (strstr(text, why) == NULL) fail_msg("%s: explained as %s", what, text);
    int rv = sluice_client_ready(client, 30, NULL);
    if (rv != SLUICE_ERR_TLS) fail_msg("%s: ready says %d", what, rv);
    sluice_op_free(op);
    sluice_client_free(client);
}

static void expect_no_open(const char *what, const struct setting *settings, const char *why) {
    sluice_client *client;
    sluice_config *config = make_config("127.0.0.1", settings);
    int rv = sluice_client_open(config, SLUICE_PRODUCER, w.runtime, &client);
    const char *message = sluice_config_message(config);
    if (rv != SLUICE_ERR_CONFIG || strstr(message, why) == NULL)
        fail_msg("%s: %d %s", what, rv, message);
    sluice_config_free(config);
}

/* ---- the broker's certificate ---- */

struct broker_case {
    const char *what;
    const char *host; /* as the client knows the broker */
    struct test_spec leaf;
    int by;          /* who issued it */
    int chain[3];    /* what is sent behind it; SELF ends it */
    const char *why; /* NULL: it is taken */
};

#define HERE "IP:127.0.0.1"
#define CHAIN(...) \
    { __VA_ARGS__, SELF }
#define ALONE \
    { SELF }
static const struct broker_case broker_cases[] = {
    {"an address", "127.0.0.1", {.cn = "b", .san = HERE}, ROOT, ALONE, NULL},
    {"a name", "b1.good.test", {.cn = "b", .san = "DNS:b1.good.test"}, ROOT, ALONE, NULL},
    {"a name of several",
     "b2.good.test",
     {.cn = "b", .san = "DNS:b1.good.test,DNS:b2.good.test"},
     ROOT,
     ALONE,
     NULL},
    {"case does not count",
     "B1.Good.Test",
     {.cn = "b", .san = "DNS:b1.good.test"},
     ROOT,
     ALONE,
     NULL},
    {"a dot at the end",
     "b1.good.test.",
     {.cn = "b", .san = "DNS:b1.good.test"},
     ROOT,
     ALONE,
     NULL},
    {"a wildcard", "b7.good.test", {.cn = "b", .san = "DNS:*.good.test"}, ROOT, ALONE, NULL},
    {"an intermediate", "127.0.0.1", {.cn = "b", .san = HERE}, INTER, CHAIN(INTER), NULL},
    {"allowed by constraints",
     "b.good.test",
     {.cn = "b", .san = "DNS:b.good.test"},
     NARROW_CA,
     CHAIN(NARROW_CA),
     NULL},
    {"RSA, 2048 bits", "127.0.0.1", {.cn = "b", .san = HERE, .rsa_bits = 2048}, ROOT, ALONE, NULL},
    {"for servers and clients",
     "127.0.0.1",
     {.cn = "b", .san = HERE, .eku = "serverAuth,clientAuth"},
     ROOT,
     ALONE,
     NULL},

    {"expired",
     "127.0.0.1",
     {.cn = "b", .san = HERE, .from = -9 * DAY, .to = -DAY},
     ROOT,
     ALONE,
     "it has expired, at 20"},
    {"not yet valid",
     "127.0.0.1",
     {.cn = "b", .san = HERE, .from = DAY},
     ROOT,
     ALONE,
     "it is not valid before 20"},
    {"wrong name",
     "b1.good.test",
     {.cn = "b", .san = "DNS:b2.good.test,DNS:b3.good.test"},
     ROOT,
     ALONE,
     "it is for b2.good.test, b3.good.test, not for b1.good.test"},
    {"wrong address",
     "127.0.0.1",
     {.cn = "b", .san = "IP:127.0.0.2"},
     ROOT,
     ALONE,
     "it is for 127.0.0.2, not for 127.0.0.1"},
    {"an address as a name",
     "127.0.0.1",
     {.cn = "b", .san = "DNS:127.0.0.1"},
     ROOT,
     ALONE,
     "not for 127.0.0.1"},
    {"a wildcard that is too deep",
     "a.b.good.test",
     {.cn = "b", .san = "DNS:*.good.test"},
     ROOT,
     ALONE,
     "not for a.b.good.test"},
    {"a wildcard is not its domain",
     "good.test",
     {.cn = "b", .san = "DNS:*.good.test"},
     ROOT,
     ALONE,
     "not for good.test"},
    {"a wildcard in a label",
     "b7.good.test",
     {.cn = "b", .san = "DNS:b*.good.test"},
     ROOT,
     ALONE,
     "not for b7.good.test"},
    {"CN only",
     "b1.good.test",
     {.cn = "b1.good.test"},
     ROOT,
     ALONE,
     "it is for nobody (it has no subject alternative name"},
    {"self-signed", "127.0.0.1", {.cn = "b", .san = HERE}, SELF, ALONE, "it is self-signed"},
    {"a strange root",
     "127.0.0.1",
     {.cn = "b", .san = HERE},
     STRANGER,
     ALONE,
     "its issuer \"CN=Somebody's Root\" is unknown"},
    {"a strange root that is sent",
     "127.0.0.1",
     {.cn = "b", .san = HERE},
     STRANGER,
     CHAIN(STRANGER),
     "\"CN=Somebody's Root\" is refused: this root is not among the trusted"},
    {"no intermediate",
     "127.0.0.1",
     {.cn = "b", .san = HERE},
     INTER,
     ALONE,
     "its issuer \"CN=Test Intermediate\" is unknown"},
    {"an intermediate that has expired",
     "127.0.0.1",
     {.cn = "b", .san = HERE},
     LATE_CA,
     CHAIN(LATE_CA),
     "the issuing certificate \"CN=Late Authority\" is refused: it has expired"},
    {"an issuer that is none",
     "127.0.0.1",
     {.cn = "b", .san = HERE},
     NO_CA,
     CHAIN(NO_CA),
     "it is not that of a certificate authority"},
    {"path length",
     "127.0.0.1",
     {.cn = "b", .san = HERE},
     BELOW_CA,
     CHAIN(BELOW_CA, SHORT_CA),
     "the chain below it is longer"},
    {"forbidden by constraints",
     "b.bad.test",
     {.cn = "b", .san = "DNS:b.bad.test"},
     NARROW_CA,
     CHAIN(NARROW_CA),
     "name constraints"},
    {"excluded by constraints",
     "b.bad.test",
     {.cn = "b", .san = "DNS:b.bad.test"},
     EXCLUDE_CA,
     CHAIN(EXCLUDE_CA),
     "name constraints"},
    {"for clients only",
     "127.0.0.1",
     {.cn = "b", .san = HERE, .eku = "clientAuth"},
     ROOT,
     ALONE,
     "its extended key usage does not allow this use"},
    {"a weak key",
     "127.0.0.1",
     {.cn = "b", .san = HERE, .rsa_bits = 1024},
     ROOT,
     ALONE,
     "its key is too weak (RSA, 1024 bits)"},
    {"an issuer's weak key",
     "127.0.0.1",
     {.cn = "b", .san = HERE},
     WEAK_CA,
     CHAIN(WEAK_CA),
     "\"CN=Weak Authority\" is refused: its key is too weak"},
    {"signed with SHA-1",
     "127.0.0.1",
     {.cn = "b", .san = HERE, .digest = "SHA1"},
     ROOT,
     ALONE,
     "a digest that is too weak"},
    {"signed with MD5",
     "127.0.0.1",
     {.cn = "b", .san = HERE, .digest = "MD5"},
     RSA_CA,
     CHAIN(RSA_CA),
     "a digest that is too weak"},
};

static void run_broker_case(const struct broker_case *c, const struct setting *settings) {
    struct test_cert leaf = test_make_cert(&c->leaf, c->by == SELF ? NULL : &w.issuers[c->by]);
    serve(&leaf, c->chain);
    assert_int_equal(sl_host_call(w.host, advertise, (void *)(uintptr_t)c->host), 0);
    if (c->why == NULL)
        expect_ready(c->what, c->host, settings);
    else
        expect_refused(c->what, c->host, settings, c->why);
    test_free_cert(&leaf);
}

static void test_certificates_of_brokers(void **state) {
    static const char *const versions[] = {"TLSv1.3", "TLSv1.2"};
    (void)state;
    set_host("ssl.cipher.suites", "DEFAULT@SECLEVEL=0"); /* it shows weak ones, too */
    for (int v = 0; v < 2; v++) {
        struct setting settings[] = {{"ssl.enabled.protocols", versions[v]}, {NULL, NULL}};
        for (size_t i = 0; i < sizeof broker_cases / sizeof broker_cases[0]; i++)
            run_broker_case(&broker_cases[i], v == 0 ? NULL : settings);
    }
    set_host("ssl.key.pem", "");
    set_host("ssl.cipher.suites", "");
}

/* A NUL in a name ends nothing. */
static void test_a_name_with_a_nul(void **state) {
    (void)state;
    struct test_spec spec = {.cn = "b", .san = "DNS:b1.good.testX.evil.test"};
    struct test_cert leaf = test_make_cert(&spec, &w.issuers[ROOT]);
    int at = X509_get_ext_by_NID(leaf.cert, NID_subject_alt_name, -1);
    ASN1_OCTET_STRING *names = X509_EXTENSION_get_data(X509_get_ext(leaf.cert, at));
    uint8_t *x = memchr(ASN1_STRING_get0_data(names), 'X', (size_t)ASN1_STRING_length(names));
    assert_non_null(x);
    *x = '\0';
    assert_true(X509_sign(leaf.cert, w.issuers[ROOT].key, EVP_sha256()) > 0);
    serve(&leaf, (const int[])ALONE);
    assert_int_equal(sl_host_call(w.host, advertise, "b1.good.test"), 0);
    expect_refused("a NUL", "b1.good.test", NULL, "b1.good.test?.evil.test, not for b1.good.test");
    test_free_cert(&leaf);
}

/* What turning checks off comes to, and nothing more. */
static void test_less_verification(void **state) {
    (void)state;
    static const struct setting no_name[] = {{"ssl.endpoint.identification.algorithm", "none"},
                                             {NULL, NULL}};
    static const struct setting java_no_name[] = {{"ssl.endpoint.identification.algorithm", ""},
                                                  {NULL, NULL}};
    static const struct setting nothing[] = {{"enable.ssl.certificate.verification", "false"},
                                             {NULL, NULL}};
    struct broker_case wrong_name = {"no name", "127.0.0.1", {.cn = "b", .san = "DNS:x.test"},
                                     ROOT,      ALONE,       NULL};
    struct broker_case wrong_root = {"strange", "127.0.0.1", {.cn = "b", .san = HERE},
                                     STRANGER,  ALONE,       "is unknown"};
    run_broker_case(&wrong_name, no_name);
    run_broker_case(&wrong_name, java_no_name);
    run_broker_case(&wrong_root, no_name);
    wrong_root.why = NULL;
    run_broker_case(&wrong_root, nothing);
}

/* ---- revocation ---- */

static void test_revocation(void **state) {
    (void)state;
    static char pem[PEM_MAX];
    char path[128];
    struct test_spec spec = {.cn = "b", .san = HERE};
    struct test_cert leaf = test_make_cert(&spec, &w.issuers[INTER]);
    struct setting settings[] = {{"ssl.crl.location", path}, {NULL, NULL}};
    assert_int_equal(sl_host_call(w.host, advertise, "127.0.0.1"), 0);
    serve(&leaf, (const int[])CHAIN(INTER));

    pem[0] = '\0';
    snprintf(path, sizeof path, "%s", test_file_in(&w.folder, "good.crl"));
    test_put_crl(pem, &w.issuers[INTER], NULL, DAY);
    test_write_text(path, pem);
    expect_ready("not revoked", "127.0.0.1", settings); /* the root needs no list */

    pem[0] = '\0';
    snprintf(path, sizeof path, "%s", test_file_in(&w.folder, "bad.crl"));
    test_put_crl(pem, &w.issuers[INTER], &leaf, DAY);
    test_write_text(path, pem);
    expect_refused("revoked", "127.0.0.1", settings, "\"CN=b\" is refused: it was revoked");

    pem[0] = '\0';
    snprintf(path, sizeof path, "%s", test_file_in(&w.folder, "late.crl"));
    test_put_crl(pem, &w.issuers[INTER], NULL, -DAY);
    test_write_text(path, pem);
    expect_refused("an old list", "127.0.0.1", settings,
                   "the revocation list of its issuer has expired");

    pem[0] = '\0';
    snprintf(path, sizeof path, "%s", test_file_in(&w.folder, "other.crl"));
    test_put_crl(pem, &w.issuers[STRANGER], NULL, DAY);
    test_write_text(path, pem);
    expect_refused("no list", "127.0.0.1", settings, "ssl.crl.location has no revocation list");

    /* The intermediate itself. */
    pem[0] = '\0';
    snprintf(path, sizeof path, "%s", test_file_in(&w.folder, "both.crl"));
    test_put_crl(pem, &w.issuers[INTER], NULL, DAY);
    test_put_crl(pem, &w.issuers[ROOT], &w.issuers[INTER], DAY);
    test_write_text(path, pem);
    expect_refused("a revoked issuer", "127.0.0.1", settings,
                   "\"CN=Test Intermediate\" is refused: it was revoked");
    test_free_cert(&leaf);
}

/* ---- the client's certificate ---- */

static void serve_good(void) {
    struct test_spec spec = {.cn = "b", .san = HERE};
    struct test_cert leaf = test_make_cert(&spec, &w.issuers[ROOT]);
    assert_int_equal(sl_host_call(w.host, advertise, "127.0.0.1"), 0);
    serve(&leaf, (const int[])ALONE);
    test_free_cert(&leaf);
}

static void check_client(const char *what, const struct test_spec *spec, int by,
                         const char *version, const char *why) {
    static char pem[PEM_MAX], key[PEM_MAX];
    struct test_cert me = test_make_cert(spec, by == SELF ? NULL : &w.issuers[by]);
    struct setting settings[] = {{"ssl.certificate.pem", pem},
                                 {"ssl.key.pem", key},
                                 {"ssl.enabled.protocols", version},
                                 {NULL, NULL}};
    pem[0] = key[0] = '\0';
    test_put_cert(pem, &me);
    if (by == INTER) test_put_cert(pem, &w.issuers[INTER]);
    test_put_key(key, &me, NULL);
    if (why == NULL)
        expect_ready(what, "127.0.0.1", settings);
    else
        expect_refused(what, "127.0.0.1", settings, why);
    test_free_cert(&me);
}

static void test_certificates_of_clients(void **state) {
    static const char *const versions[] = {"TLSv1.2", "TLSv1.3"};
    (void)state;
    serve_good();
    set_host("ssl.ca.pem", w.root);
    set_host("ssl.client.auth", "required");
    for (int v = 0; v < 2; v++) {
        struct setting only[] = {{"ssl.enabled.protocols", versions[v]}, {NULL, NULL}};
        expect_refused("none", "127.0.0.1", only, "the peer demands a client certificate");
        check_client("right", &(struct test_spec){.cn = "me"}, ROOT, versions[v], NULL);
        check_client("right, with a chain", &(struct test_spec){.cn = "me", .eku = "clientAuth"},
                     INTER, versions[v], NULL);
        check_client("a stranger", &(struct test_spec){.cn = "me"}, STRANGER, versions[v],
                     "it does not know the issuer of our certificate");
        check_client("expired", &(struct test_spec){.cn = "me", .from = -9 * DAY, .to = -DAY}, ROOT,
                     versions[v], "it says that our certificate has expired");
        check_client("for servers", &(struct test_spec){.cn = "me", .eku = "serverAuth"}, ROOT,
                     versions[v], "the peer ended TLS");
    }
    set_host("ssl.client.auth", "requested");
    expect_ready("none, but asked", "127.0.0.1", NULL);
    check_client("right, asked", &(struct test_spec){.cn = "me"}, ROOT, "TLSv1.3", NULL);
    set_host("ssl.client.auth", "required"); /* for the next test */
}

static void write_parts(const struct test_cert *me, const char *cert, const char *key,
                        const char *password) {
    static char pem[PEM_MAX];
    pem[0] = '\0';
    if (cert != NULL) test_put_cert(pem, me);
    if (cert != NULL && key != NULL) test_write_text(cert, pem);
    if (cert != NULL && key != NULL) pem[0] = '\0';
    if (key != NULL || password == NULL) test_put_key(pem, me, password);
    test_write_text(key != NULL ? key : cert, pem);
}

static void test_forms_of_certificates(void **state) {
    (void)state;
    struct test_spec spec = {.cn = "me"};
    struct test_cert me = test_make_cert(&spec, &w.issuers[ROOT]);
    struct test_cert other = test_make_cert(&spec, &w.issuers[ROOT]);
    char cert[128], key[128], locked[128], store[128], both[128], wrong[128], trust[128];
    snprintf(cert, sizeof cert, "%s", test_file_in(&w.folder, "me.pem"));
    snprintf(key, sizeof key, "%s", test_file_in(&w.folder, "me.key"));
    snprintf(locked, sizeof locked, "%s", test_file_in(&w.folder, "locked.key"));
    snprintf(store, sizeof store, "%s", test_file_in(&w.folder, "me.p12"));
    snprintf(both, sizeof both, "%s", test_file_in(&w.folder, "both.pem"));
    snprintf(wrong, sizeof wrong, "%s", test_file_in(&w.folder, "other.key"));
    snprintf(trust, sizeof trust, "%s", test_file_in(&w.folder, "trust.p12"));
    write_parts(&me, cert, key, NULL);
    write_parts(&me, NULL, locked, "opensesame");
    write_parts(&me, both, NULL, NULL);
    write_parts(&other, NULL, wrong, NULL);
    test_write_pkcs12(store, &me, &w.issuers[INTER], "opensesame");
    test_write_pkcs12(trust, NULL, &w.issuers[ROOT], "opensesame");

#define SETTINGS(...)               \
    (const struct setting[]) {      \
        __VA_ARGS__, { NULL, NULL } \
    }
    expect_ready("files", "127.0.0.1",
                 SETTINGS({"ssl.certificate.location", cert}, {"ssl.key.location", key}));
    expect_ready("an encrypted key", "127.0.0.1",
                 SETTINGS({"ssl.certificate.location", cert}, {"ssl.key.location", locked},
                          {"ssl.key.password", "opensesame"}));
    expect_ready(
        "PKCS#12", "127.0.0.1",
        SETTINGS({"ssl.keystore.location", store}, {"ssl.keystore.password", "opensesame"}));
    expect_ready("PEM as a key store", "127.0.0.1", SETTINGS({"ssl.keystore.location", both}));
    expect_ready("PKCS#12 as a trust store", "127.0.0.1",
                 SETTINGS({"ssl.keystore.location", both}, {"ssl.ca.pem", ""},
                          {"ssl.truststore.location", trust},
                          {"ssl.truststore.password", "opensesame"}));

    expect_no_open("a wrong password",
                   SETTINGS({"ssl.certificate.location", cert}, {"ssl.key.location", locked},
                            {"ssl.key.password", "closesesame"}),
                   "ssl.key.password does not decrypt the key");
    expect_no_open("no password",
                   SETTINGS({"ssl.certificate.location", cert}, {"ssl.key.location", locked}),
                   "the key is encrypted: set ssl.key.password");
    expect_no_open("a wrong password of PKCS#12",
                   SETTINGS({"ssl.keystore.location", store}, {"ssl.keystore.password", "close"}),
                   "ssl.keystore.password does not decrypt the file");
    expect_no_open("a wrong key",
                   SETTINGS({"ssl.certificate.location", cert}, {"ssl.key.location", wrong}),
                   "ssl.key.location: the key does not belong to the certificate");
    expect_no_open("a key alone", SETTINGS({"ssl.key.location", key}),
                   "ssl.key.location: needs ssl.certificate.location");
    expect_no_open("no such file", SETTINGS({"ssl.ca.location", "/nowhere/ca.pem"}),
                   "ssl.ca.location: /nowhere/ca.pem: no such file");
    expect_no_open("not a certificate", SETTINGS({"ssl.ca.location", key}),
                   "ssl.ca.location: has no certificate in it");
    expect_no_open("a cipher that is none", SETTINGS({"ssl.cipher.suites", "ROT13"}),
                   "ssl.cipher.suites");
    test_write_file(wrong, "\xfe\xed\xfe\xed....", 8);
    expect_no_open("JKS", SETTINGS({"ssl.truststore.location", wrong}), "Java key store");
    test_write_file(wrong, "", 0);
    expect_no_open("empty", SETTINGS({"ssl.ca.location", wrong}), "is empty");
    set_host("ssl.client.auth", "none");
    test_free_cert(&me);
    test_free_cert(&other);
}

/* ---- what is spoken ---- */

static void test_versions_and_ciphers(void **state) {
    (void)state;
    serve_good();
    set_host("ssl.enabled.protocols", "TLSv1.2");
    expect_ready("what both have", "127.0.0.1", NULL);
    expect_refused("no version in common", "127.0.0.1",
                   SETTINGS({"ssl.enabled.protocols", "TLSv1.3"}), "no version in common");
    expect_ready("a suite by Java's name", "127.0.0.1",
                 SETTINGS({"ssl.cipher.suites", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}));
    expect_refused("no suite in common", "127.0.0.1",
                   SETTINGS({"ssl.cipher.suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}),
                   "it found no cipher");
    set_host("ssl.enabled.protocols", "TLSv1.2,TLSv1.3");
    expect_ready("a suite of TLS 1.3", "127.0.0.1",
                 SETTINGS({"ssl.cipher.suites", "TLS_CHACHA20_POLY1305_SHA256"}));
    set_host("ssl.key.pem", ""); /* plain */
    expect_refused("plain text", "127.0.0.1", NULL,
                   "is the port meant for another security.protocol?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates_of_brokers),
        cmocka_unit_test(test_a_name_with_a_nul),
        cmocka_unit_test(test_less_verification),
        cmocka_unit_test(test_revocation),
        cmocka_unit_test(test_certificates_of_clients),
        cmocka_unit_test(test_forms_of_certificates),
        cmocka_unit_test(test_versions_and_ciphers),
    };
    return cmocka_run_group_tests(tests, make_world, unmake_world);
}
