/* A context of OpenSSL's from settings: whom to trust, who we are, what is spoken.
 *
 * The defaults are the safe ones: TLS 1.2 and 1.3, chains and names verified, keys and digests of
 * at least 112 bits (OpenSSL's level 2, which a cipher string may lower: @SECLEVEL=1). A certificate
 * that is trusted by itself need not be a root. Names are those of the subject alternative names
 * alone, as RFC 9525 wants it. A revocation list is needed for the peer's own certificate once
 * ssl.crl.location is set; those of its issuers are used where they are there.
 *
 * Not here: files (tls_store.c), when they are read again (tls_context.c). */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#include "driver/tls_inside.h"
#include "sluice/error.h"

enum {
    TLS_LEVEL = 2,
    /* Of a peer's chain in bytes; OpenSSL's own limit is 100 KiB. Four certificates with RSA keys of
     * 4,096 bits are 8 KiB. What is in them is weighed as well (tls_chain.c). */
    TLS_CHAIN_MAX = 16 * 1024,
    TLS_LIST_MAX = 2048 /* of a list of ciphers */
};

struct tls_loading {
    const struct sl_tls_settings *settings;
    bool is_server;
    const struct sl_alloc *alloc;
    struct sl_text *why;
    SSL_CTX *ctx;
};

static bool is_said(const char *text) { return text != NULL && text[0] != '\0'; }
static const char *text_of(const char *text) { return text == NULL ? "" : text; }

/* The property and what OpenSSL says of it. */
static int blame(const struct tls_loading *l, const char *property, const char *what) {
    unsigned long error = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(error);
    bool is_memory = ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    sl_text_printf(l->why, "%s: %s", property, what);
    if (text != NULL) sl_text_printf(l->why, " (%s)", text);
    ERR_clear_error();
    return is_memory ? SLUICE_ERR_NOMEM : SLUICE_ERR_CONFIG;
}

/* ---- whom to trust ---- */

/* Adds all certificates, as those to be trusted. */
static int trust_certs(const struct tls_loading *l, const char *property, STACK_OF(X509) * certs) {
    X509_STORE *store = SSL_CTX_get_cert_store(l->ctx);
    if (sk_X509_num(certs) == 0) return blame(l, property, "has no certificate in it");
    for (int i = 0; i < sk_X509_num(certs); i++) {
        X509 *cert = sk_X509_value(certs, i);
        if (X509_STORE_add_cert(store, cert) != 1)
            return blame(l, property, "a certificate cannot be used");
        if (l->is_server && SSL_CTX_add_client_CA(l->ctx, cert) != 1)
            return blame(l, property, "a certificate cannot be used");
    }
    return 0;
}

static int trust_source(const struct tls_loading *l, const struct sl_tls_source *source) {
    struct sl_tls_store store;
    int rv = sl_tls_store_read(source, l->alloc, l->why, &store);
    if (rv != 0) return rv;
    rv = trust_certs(l, source->property, store.certs);
    sl_tls_store_deinit(&store);
    return rv;
}

static int trust_location(const struct tls_loading *l) {
    const struct sl_tls_settings *s = l->settings;
    struct stat what;
    if (stat(s->ca_location, &what) == 0 && S_ISDIR(what.st_mode)) {
        if (SSL_CTX_load_verify_dir(l->ctx, s->ca_location) == 1) return 0;
        return blame(l, "ssl.ca.location", "the directory cannot be used");
    }
    struct sl_tls_source source = {.property = "ssl.ca.location",
                                   .path = s->ca_location,
                                   .password = text_of(s->truststore_password),
                                   .password_property = "ssl.truststore.password"};
    return trust_source(l, &source);
}

/* Where systems keep what they trust, besides where this OpenSSL was built to look. */
static int trust_system(const struct tls_loading *l) {
    static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
        "/etc/ssl/ca-bundle.pem",             /* SUSE */
        "/etc/ssl/cert.pem",                  /* BSD, macOS */
    };
    struct stat what;
    if (l->is_server) return 0; /* nobody is trusted unless it is said */
    (void)SSL_CTX_set_default_verify_paths(l->ctx);
    ERR_clear_error();
    if (stat(X509_get_default_cert_file(), &what) == 0) return 0;
    for (size_t i = 0; i < sizeof bundles / sizeof bundles[0]; i++) {
        if (stat(bundles[i], &what) != 0) continue;
        if (SSL_CTX_load_verify_file(l->ctx, bundles[i]) == 1) break;
    }
    ERR_clear_error();
    return 0;
}

static int load_trust(const struct tls_loading *l) {
    const struct sl_tls_settings *s = l->settings;
    int rv = 0;
    if (!is_said(s->ca_location) && !is_said(s->ca_pem)) return trust_system(l);
    if (is_said(s->ca_location)) rv = trust_location(l);
    if (rv == 0 && is_said(s->ca_pem)) {
        struct sl_tls_source source = {.property = "ssl.ca.pem", .text = s->ca_pem, .password = ""};
        rv = trust_source(l, &source);
    }
    return rv;
}

static int load_crls(const struct tls_loading *l) {
    struct sl_tls_source source = {.property = "ssl.crl.location",
                                   .path = l->settings->crl_location,
                                   .password = "",
                                   .wants_crls = true};
    struct sl_tls_store store;
    X509_STORE *trusted = SSL_CTX_get_cert_store(l->ctx);
    if (!is_said(source.path)) return 0;
    int rv = sl_tls_store_read(&source, l->alloc, l->why, &store);
    if (rv != 0) return rv;
    for (int i = 0; rv == 0 && i < sk_X509_CRL_num(store.crls); i++) {
        if (X509_STORE_add_crl(trusted, sk_X509_CRL_value(store.crls, i)) != 1)
            rv = blame(l, source.property, "a revocation list cannot be used");
    }
    sl_tls_store_deinit(&store);
    if (rv == 0)
        (void)X509_STORE_set_flags(trusted, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return rv;
}

/* ---- who we are ---- */

/* property: of the chain; key_property: of the key. */
static int use_identity(const struct tls_loading *l, const char *property, STACK_OF(X509) * certs,
                        const char *key_property, EVP_PKEY *key) {
    if (sk_X509_num(certs) == 0) return blame(l, property, "has no certificate in it");
    if (SSL_CTX_use_certificate(l->ctx, sk_X509_value(certs, 0)) != 1)
        return blame(l, property, "the certificate cannot be used");
    for (int i = 1; i < sk_X509_num(certs); i++) {
        if (SSL_CTX_add1_chain_cert(l->ctx, sk_X509_value(certs, i)) != 1)
            return blame(l, property, "a certificate of the chain cannot be used");
    }
    if (SSL_CTX_use_PrivateKey(l->ctx, key) == 1 && SSL_CTX_check_private_key(l->ctx) == 1)
        return 0;
    ERR_clear_error();
    sl_text_printf(l->why, "%s: the key does not belong to the certificate", key_property);
    return SLUICE_ERR_CONFIG;
}

static int load_keystore(const struct tls_loading *l) {
    const struct sl_tls_settings *s = l->settings;
    bool is_other = !is_said(s->keystore_password);
    struct sl_tls_source source = {.property = "ssl.keystore.location",
                                   .path = s->keystore_location,
                                   .password =
                                       text_of(is_other ? s->key_password : s->keystore_password),
                                   .password_property = "ssl.keystore.password",
                                   .wants_key = true};
    struct sl_tls_store store;
    int rv = sl_tls_store_read(&source, l->alloc, l->why, &store);
    if (rv != 0) return rv;
    rv = use_identity(l, source.property, store.certs, source.property, store.key);
    sl_tls_store_deinit(&store);
    return rv;
}

/* A file or a text; the text comes first, as what is nearer to the program. */
static struct sl_tls_source choose_source(const char *text, const char *text_property,
                                          const char *path, const char *path_property) {
    bool has_text = is_said(text);
    return (struct sl_tls_source){.property = has_text ? text_property : path_property,
                                  .text = has_text ? text : NULL,
                                  .path = has_text ? NULL : path,
                                  .password = ""};
}

static int load_pair(const struct tls_loading *l) {
    const struct sl_tls_settings *s = l->settings;
    struct sl_tls_source chain = choose_source(s->certificate_pem, "ssl.certificate.pem",
                                               s->certificate_location, "ssl.certificate.location");
    struct sl_tls_source key =
        choose_source(s->key_pem, "ssl.key.pem", s->key_location, "ssl.key.location");
    struct sl_tls_store chain_store, key_store;
    key.password = text_of(s->key_password);
    key.password_property = "ssl.key.password";
    key.wants_key = true;
    int rv = sl_tls_store_read(&chain, l->alloc, l->why, &chain_store);
    if (rv != 0) return rv;
    rv = sl_tls_store_read(&key, l->alloc, l->why, &key_store);
    if (rv == 0) {
        rv = use_identity(l, chain.property, chain_store.certs, key.property, key_store.key);
        sl_tls_store_deinit(&key_store);
    }
    sl_tls_store_deinit(&chain_store);
    return rv;
}

static int load_identity(const struct tls_loading *l) {
    const struct sl_tls_settings *s = l->settings;
    bool has_chain = is_said(s->certificate_location) || is_said(s->certificate_pem);
    bool has_key = is_said(s->key_location) || is_said(s->key_pem);
    if (is_said(s->keystore_location)) {
        if (!has_chain && !has_key) return load_keystore(l);
        sl_text_put(l->why, "ssl.keystore.location: the certificate or its key is also given in "
                            "another way");
        return SLUICE_ERR_CONFIG;
    }
    if (has_chain && has_key) return load_pair(l);
    if (!has_chain && !has_key) return 0;
    sl_text_put(l->why, has_key ? "ssl.key.location: needs ssl.certificate.location as well"
                                : "ssl.certificate.location: needs ssl.key.location as well");
    return SLUICE_ERR_CONFIG;
}

/* ---- what is spoken ---- */

static int set_versions(const struct tls_loading *l) {
    bool has_old = false, has_new = false;
    for (uint32_t all = l->settings->protocols; all != 0; all >>= 4) {
        has_old |= (all & 15) == SL_TLS_1_2;
        has_new |= (all & 15) == SL_TLS_1_3;
    }
    bool is_set =
        SSL_CTX_set_min_proto_version(l->ctx, has_old ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(l->ctx, has_new ? TLS1_3_VERSION : TLS1_2_VERSION) == 1;
    return is_set ? 0 : blame(l, "ssl.enabled.protocols", "OpenSSL refuses them");
}

/* Suites of TLS 1.3 name no key exchange. */
static bool is_suite_of_13(const char *name) {
    return strncmp(name, "TLS_", 4) == 0 && strstr(name, "_WITH_") == NULL;
}

/* Names of IANA, which Java uses, or of OpenSSL. Those of TLS 1.3 go to one list, all others to the
 * other; a list without names stays as it is. */
static int set_ciphers(const struct tls_loading *l) {
    char old_list[TLS_LIST_MAX], new_list[TLS_LIST_MAX], name[128];
    struct sl_text old_text, new_text;
    const char *all = text_of(l->settings->cipher_suites);
    sl_text_init(&old_text, old_list, sizeof old_list);
    sl_text_init(&new_text, new_list, sizeof new_list);
    for (const char *at = all; *at != '\0';) {
        size_t size = strcspn(at, ",: ");
        struct sl_text copy;
        sl_text_init(&copy, name, sizeof name);
        sl_text_put_len(&copy, at, size);
        at += size + (at[size] != '\0');
        if (size == 0) continue;
        bool is_new = is_suite_of_13(name);
        const char *known =
            strncmp(name, "TLS_", 4) == 0 && !is_new ? OPENSSL_cipher_name(name) : name;
        struct sl_text *list = is_new ? &new_text : &old_text;
        sl_text_printf(list, "%s%s", list->size > 0 ? ":" : "", known);
    }
    bool is_set = old_text.size < sizeof old_list && new_text.size < sizeof new_list;
    if (is_set && old_text.size > 0) is_set = SSL_CTX_set_cipher_list(l->ctx, old_list) == 1;
    if (is_set && new_text.size > 0) is_set = SSL_CTX_set_ciphersuites(l->ctx, new_list) == 1;
    return is_set ? 0 : blame(l, "ssl.cipher.suites", "OpenSSL knows none of them");
}

static int set_lists(const struct tls_loading *l) {
    const struct sl_tls_settings *s = l->settings;
    if (is_said(s->curves) && SSL_CTX_set1_curves_list(l->ctx, s->curves) != 1)
        return blame(l, "ssl.curves.list", "OpenSSL does not know them");
    if (is_said(s->sigalgs) && SSL_CTX_set1_sigalgs_list(l->ctx, s->sigalgs) != 1)
        return blame(l, "ssl.sigalgs.list", "OpenSSL does not know them");
    return 0;
}

static int note_request(SSL *ssl, void *arg) {
    struct sl_tls_conn *conn = SSL_get_app_data(ssl);
    (void)arg;
    conn->is_asked = true;
    return 1;
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session) {
    struct sl_tls_conn *conn = SSL_get_app_data(ssl);
    /* After a reload this one was made under other certificates. */
    if (conn->ctx != conn->tls->ctx) return 0;
    sl_tls_keep_session(conn->tls, conn->host, conn->port, session);
    return 1;
}

static void set_verification(const struct tls_loading *l) {
    int mode = SSL_VERIFY_NONE;
    if (!l->is_server && l->settings->verify) mode = SSL_VERIFY_PEER;
    if (l->is_server && l->settings->client_auth != SL_TLS_AUTH_NONE) mode = SSL_VERIFY_PEER;
    if (l->is_server && l->settings->client_auth == SL_TLS_AUTH_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(l->ctx, mode,
                       mode == SSL_VERIFY_NONE ? NULL : sl_tls_verdict_on_certificate);
    X509_STORE *store = SSL_CTX_get_cert_store(l->ctx);
    (void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
}

static void set_basics(const struct tls_loading *l) {
    (void)SSL_CTX_set_options(l->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(l->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY |
                                       SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_cert_list(l->ctx, TLS_CHAIN_MAX);
    SSL_CTX_set_msg_callback(l->ctx, sl_tls_chain_on_message);
#ifdef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
    (void)SSL_CTX_set_options(l->ctx, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION); /* weighed nowhere */
#endif
    if (SSL_CTX_get_security_level(l->ctx) < TLS_LEVEL)
        SSL_CTX_set_security_level(l->ctx, TLS_LEVEL);
    if (l->is_server) {
        static const unsigned char id[] = "sluice";
        (void)SSL_CTX_set_session_id_context(l->ctx, id, sizeof id - 1);
        return;
    }
    (void)SSL_CTX_set_session_cache_mode(l->ctx,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(l->ctx, keep_ticket);
    SSL_CTX_set_cert_cb(l->ctx, note_request, NULL);
}

int sl_tls_load(const struct sl_tls_settings *settings, bool is_server,
                const struct sl_alloc *alloc, struct sl_text *why, SSL_CTX **out) {
    struct tls_loading l = {settings, is_server, alloc, why, NULL};
    ERR_clear_error();
    l.ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (l.ctx == NULL) {
        ERR_clear_error();
        return SLUICE_ERR_NOMEM;
    }
    set_basics(&l);
    set_verification(&l);
    int rv = set_versions(&l);
    if (rv == 0) rv = set_ciphers(&l);
    if (rv == 0) rv = set_lists(&l);
    if (rv == 0) rv = load_trust(&l);
    if (rv == 0) rv = load_crls(&l);
    if (rv == 0) rv = load_identity(&l);
    if (rv != 0) {
        SSL_CTX_free(l.ctx);
        return rv;
    }
    *out = l.ctx;
    return 0;
}
