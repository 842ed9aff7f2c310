/* Contexts: their settings, sharing, the files behind them, and sessions to be resumed.
 *
 * Files are looked at when a connection begins: a certificate that was renewed is used from the next
 * connection on, and connections that exist keep what they began with. New files that cannot be
 * used change nothing; that is told once for each state of the files, because they are looked at
 * again with every connection.
 *
 * A session belongs to one broker and one context, so it is never resumed under other certificates
 * or by a client that verifies less. It was verified when it began; brokers bound its life by the
 * tickets'.
 *
 * Not here: what the settings mean to OpenSSL (tls_load.c). */
#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>

#include "driver/openssl.h"
#include "driver/tls_inside.h"
#include "sluice/error.h"

enum {
    TLS_SESSIONS_MAX = 1024, /* brokers; arbitrary, a session is some KiB */
    TLS_SESSION_KEY = 272    /* the longest name, and a port */
};

/* ---- settings ---- */

#define TLS_TEXT(field) offsetof(struct sl_tls_settings, field)
static const size_t tls_texts[] = {
    TLS_TEXT(ca_location),
    TLS_TEXT(ca_pem),
    TLS_TEXT(truststore_password),
    TLS_TEXT(certificate_location),
    TLS_TEXT(certificate_pem),
    TLS_TEXT(key_location),
    TLS_TEXT(key_pem),
    TLS_TEXT(key_password),
    TLS_TEXT(keystore_location),
    TLS_TEXT(keystore_password),
    TLS_TEXT(crl_location),
    TLS_TEXT(cipher_suites),
    TLS_TEXT(curves),
    TLS_TEXT(sigalgs),
};
enum { TLS_TEXT_COUNT = sizeof tls_texts / sizeof tls_texts[0] };

char *sl_tls_get_text(const struct sl_tls_settings *s, size_t at) {
    char *text;
    memcpy(&text, (const uint8_t *)s + at, sizeof text);
    return text;
}

void sl_tls_put_text(struct sl_tls_settings *s, size_t at, char *text) {
    memcpy((uint8_t *)s + at, &text, sizeof text);
}

void sl_tls_settings_init(struct sl_tls_settings *settings) {
    memset(settings, 0, sizeof *settings);
    settings->protocols = SL_TLS_1_2 | SL_TLS_1_3 << 4;
    settings->verify = true;
}

static void free_texts(struct sl_tls_settings *s, const struct sl_alloc *alloc) {
    for (size_t i = 0; i < TLS_TEXT_COUNT; i++)
        sl_alloc_free_secret(alloc, sl_tls_get_text(s, tls_texts[i]));
}

static int copy_settings(const struct sl_tls_settings *from, const struct sl_alloc *alloc,
                         struct sl_tls_settings *to) {
    *to = *from;
    for (size_t i = 0; i < TLS_TEXT_COUNT; i++) sl_tls_put_text(to, tls_texts[i], NULL);
    for (size_t i = 0; i < TLS_TEXT_COUNT; i++) {
        const char *text = sl_tls_get_text(from, tls_texts[i]);
        char *copy =
            sl_alloc_text(alloc, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
        if (copy == NULL) {
            free_texts(to, alloc);
            return SLUICE_ERR_NOMEM;
        }
        sl_tls_put_text(to, tls_texts[i], copy);
    }
    return 0;
}

static bool is_equal(const struct sl_tls_settings *a, const struct sl_tls_settings *b) {
    for (size_t i = 0; i < TLS_TEXT_COUNT; i++) {
        const char *left = sl_tls_get_text(a, tls_texts[i]),
                   *right = sl_tls_get_text(b, tls_texts[i]);
        if (strcmp(left == NULL ? "" : left, right == NULL ? "" : right) != 0) return false;
    }
    return a->protocols == b->protocols && a->verify == b->verify &&
           a->verify_no_name == b->verify_no_name && a->client_auth == b->client_auth;
}

/* ---- files ---- */

static uint64_t mix_number(uint64_t hash, uint64_t number) {
    return (hash ^ number) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

/* What all files look like now: never 0. */
static uint64_t look_at_files(const struct sl_tls_settings *s) {
    const char *const paths[] = {s->ca_location, s->certificate_location, s->key_location,
                                 s->keystore_location, s->crl_location};
    uint64_t hash = 1;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct stat what;
        if (paths[i] == NULL || paths[i][0] == '\0') continue;
        hash = mix_number(hash, i + 1);
        if (stat(paths[i], &what) != 0) continue;
#if defined(__APPLE__)
        hash = mix_number(hash, (uint64_t)what.st_mtimespec.tv_nsec);
#else
        hash = mix_number(hash, (uint64_t)what.st_mtim.tv_nsec);
#endif
        hash = mix_number(hash, (uint64_t)what.st_mtime);
        hash = mix_number(hash, (uint64_t)what.st_size);
        hash = mix_number(hash, (uint64_t)what.st_ino);
    }
    return hash == 0 ? 1 : hash;
}

static void drop_sessions(struct sl_tls *tls) {
    SSL_SESSION *session;
    for (uint32_t at = 0; (session = sl_map_next(&tls->sessions, &at, NULL)) != NULL;)
        SSL_SESSION_free(session);
    sl_map_deinit(&tls->sessions);
    sl_map_init(&tls->sessions, &tls->alloc);
}

void sl_tls_reload(struct sl_tls *tls, struct sl_text *news) {
    uint64_t files = look_at_files(&tls->settings);
    char buf[320];
    struct sl_text why;
    SSL_CTX *ctx;
    if (files == tls->files || files == tls->refused_files) return;
    sl_text_init(&why, buf, sizeof buf);
    int rv = sl_tls_load(&tls->settings, tls->is_server, &tls->alloc, &why, &ctx);
    if (rv == SLUICE_ERR_NOMEM) return; /* the next connection tries it again */
    if (rv != 0) {
        tls->refused_files = files;
        sl_text_printf(
            news, "files for TLS have changed and cannot be used, the earlier ones stay: %s", buf);
        return;
    }
    drop_sessions(tls);
    SSL_CTX_free(tls->ctx);
    tls->ctx = ctx;
    tls->files = files;
    tls->refused_files = 0;
}

/* ---- sessions ---- */

static size_t put_session_key(char *key, const char *host, uint16_t port) {
    struct sl_text text;
    sl_text_init(&text, key, TLS_SESSION_KEY);
    sl_text_printf(&text, "%s:%u", host, (unsigned)port);
    return text.size < TLS_SESSION_KEY ? text.size : TLS_SESSION_KEY - 1;
}

SSL_SESSION *sl_tls_find_session(struct sl_tls *tls, const char *host, uint16_t port) {
    char key[TLS_SESSION_KEY];
    return sl_map_get(&tls->sessions, key, put_session_key(key, host, port));
}

void sl_tls_keep_session(struct sl_tls *tls, const char *host, uint16_t port,
                         SSL_SESSION *session) {
    char key[TLS_SESSION_KEY];
    size_t size = put_session_key(key, host, port);
    SSL_SESSION_free(sl_map_remove(&tls->sessions, key, size));
    if (session == NULL) return;
    if (tls->sessions.count >= TLS_SESSIONS_MAX) drop_sessions(tls);
    if (sl_map_put(&tls->sessions, key, size, session) != 0) SSL_SESSION_free(session);
}

/* ---- life ---- */

int sl_tls_create(const struct sl_tls_settings *settings, bool is_server,
                  const struct sl_alloc *alloc, struct sl_text *why, struct sl_tls **out) {
    struct sl_tls *tls = sl_alloc_zero(alloc, sizeof *tls);
    if (tls == NULL) return SLUICE_ERR_NOMEM;
    tls->alloc = *alloc;
    tls->is_server = is_server;
    tls->users = 1;
    sl_list_init(&tls->node);
    sl_map_init(&tls->sessions, &tls->alloc);
    int rv = copy_settings(settings, alloc, &tls->settings);
    if (rv != 0) goto free_tls;
    /* Before they are read: what changes meanwhile is noticed later. */
    tls->files = look_at_files(settings);
    if (sl_openssl_enter()) {
        rv = sl_tls_load(settings, is_server, alloc, why, &tls->ctx);
        sl_openssl_leave();
    } else {
        sl_text_put(why, "OpenSSL has ended with the process");
        rv = SLUICE_ERR_CONFIG;
    }
    if (rv != 0) goto free_settings;
    *out = tls;
    return 0;

free_settings:
    free_texts(&tls->settings, alloc);
free_tls:
    sl_alloc_free(alloc, tls, sizeof *tls);
    return rv;
}

void sl_tls_destroy(struct sl_tls *tls) {
    if (tls == NULL) return;
    struct sl_alloc alloc = tls->alloc;
    if (sl_openssl_enter()) {
        drop_sessions(tls);
        SSL_CTX_free(tls->ctx);
        BIO_meth_free(tls->method);
        sl_openssl_leave();
    }
    sl_map_deinit(&tls->sessions);
    sl_list_remove(&tls->node);
    free_texts(&tls->settings, &alloc);
    sl_alloc_free(&alloc, tls, sizeof *tls);
}

/* ---- sharing ---- */

void sl_tls_shelf_init(struct sl_tls_shelf *shelf) { sl_list_init(&shelf->list); }

void sl_tls_shelf_deinit(struct sl_tls_shelf *shelf) {
    SL_LIST_EACH(it, tmp, &shelf->list) sl_tls_destroy(SL_LIST_OF(it, struct sl_tls, node));
}

struct sl_tls *sl_tls_shelf_take(struct sl_tls_shelf *shelf,
                                 const struct sl_tls_settings *settings) {
    SL_LIST_EACH(it, tmp, &shelf->list) {
        struct sl_tls *tls = SL_LIST_OF(it, struct sl_tls, node);
        if (!is_equal(&tls->settings, settings)) continue;
        tls->users++;
        return tls;
    }
    return NULL;
}

void sl_tls_shelf_put(struct sl_tls_shelf *shelf, struct sl_tls *tls) {
    SL_LIST_EACH(it, tmp, &shelf->list) {
        struct sl_tls *other = SL_LIST_OF(it, struct sl_tls, node);
        if (other->users == 0) sl_tls_destroy(other);
    }
    sl_list_push_back(&shelf->list, &tls->node);
}

void sl_tls_shelf_give(struct sl_tls *tls) { tls->users--; }
