/* What the files tls*.c share. */
#ifndef SL_DRIVER_TLS_INSIDE_H
#define SL_DRIVER_TLS_INSIDE_H

#include <openssl/ssl.h>

#include "base/map.h"
#include "driver/tls.h"

struct sl_tls {
    struct sl_list node; /* of a shelf */
    uint32_t users;      /* clients that took it from there; the shelf's lock */
    struct sl_alloc alloc;
    struct sl_tls_settings settings; /* owned texts; never changed */
    bool is_server;

    /* whoever runs the loop */
    SSL_CTX *ctx; /* owned; connections keep the one that they began with */
    BIO_METHOD *method;
    uint64_t files;         /* a hash of what the files looked like when they were read */
    uint64_t refused_files; /* the same of those that were refused and told of; 0: none */
    struct sl_map sessions; /* SSL_SESSION by "host:port", to be resumed */
};

/* Records that were encrypted and have not left whole. */
enum { SL_TLS_RECORDS = 8 };
struct sl_tls_record {
    size_t end;     /* in out */
    uint32_t plain; /* bytes that it carries */
};

struct sl_tls_conn {
    struct sl_tls *tls;
    SSL_CTX *ctx; /* a reference: of before a reload */
    SSL *ssl;
    struct sl_alloc alloc;
    struct sl_tls_pipe pipe;
    char *host; /* owned, without a dot at its end; NULL: we are the server */
    uint16_t port;
    bool is_open;     /* the handshake is over */
    bool is_readable; /* the socket may have bytes */
    bool is_closed;   /* the peer ended the connection */
    bool is_broken;   /* the socket failed: io_text */
    bool is_asked;    /* the peer wants a certificate of ours */
    bool has_read;    /* bytes of the application came */
    bool has_more;    /* recv stopped because its caller had no more room */

    uint8_t *in; /* owned: received, not yet taken by OpenSSL from in_at on */
    size_t in_cap, in_size, in_at;

    uint8_t *out; /* owned: encrypted, not sent; NULL at first */
    size_t out_cap, out_size, out_at;
    struct sl_tls_record records[SL_TLS_RECORDS];
    uint32_t record_count;
    size_t ahead;     /* plain bytes in records */
    size_t left;      /* plain bytes that have left and were not told of */
    uint8_t *scratch; /* owned: one record, put together from pieces; NULL at first */

    uint8_t first[12]; /* what the peer's first bytes were */
    uint32_t first_size;
    int code;          /* of the last failure, and of the one that recv has still to tell */
    int64_t late;      /* recv: told by the next call, after the bytes before it; 0: nothing */
    char verdict[288]; /* why the peer's certificates were refused; "" they were not */
    char io_text[128];
};

/* ---- tls_load.c ---- */

/* A context of OpenSSL's from settings. 0, CONFIG with *why, NOMEM. */
int sl_tls_load(const struct sl_tls_settings *settings, bool is_server,
                const struct sl_alloc *alloc, struct sl_text *why, SSL_CTX **out);

/* ---- tls_chain.c ---- */

/* What OpenSSL takes at worst for certificates until they are verified. */
enum { SL_TLS_CHAIN_COST_MAX = 78 * 1024 };
struct sl_tls_chain {
    size_t count; /* of certificates */
    size_t cost;  /* bytes of memory */
};
/* list: certificates as in a Certificate message; of TLS 1.3, where each has extensions. */
struct sl_tls_chain sl_tls_chain_weigh(const uint8_t *list, size_t size, bool has_extensions);
/* OpenSSL's message callback: refuses certificates that cost too much, and writes conn->verdict. */
void sl_tls_chain_on_message(int is_sent, int version, int kind, const void *message, size_t size,
                             SSL *ssl, void *arg);

/* ---- tls_store.c ---- */

/* Certificates and a key, from files and texts. */
struct sl_tls_store {
    EVP_PKEY *key;             /* owned; NULL: none */
    STACK_OF(X509) * certs;    /* owned; never NULL once read, in their order */
    STACK_OF(X509_CRL) * crls; /* owned; NULL: none */
};
/* What to read, and how to speak of it. */
struct sl_tls_source {
    const char *property; /* for people */
    const char *path;     /* a file; NULL: text */
    const char *text;
    const char *password; /* "" none */
    const char *password_property;
    bool wants_key;
    bool wants_crls; /* and nothing else */
};
/* PEM, PKCS#12 or one certificate in DER, as the content has it. 0, CONFIG with *why, NOMEM; after
 * an error nothing is to be freed. */
int sl_tls_store_read(const struct sl_tls_source *source, const struct sl_alloc *alloc,
                      struct sl_text *why, struct sl_tls_store *out);
void sl_tls_store_deinit(struct sl_tls_store *store);

/* ---- tls_verdict.c ---- */

/* OpenSSL's verification callback: writes conn->verdict. */
int sl_tls_verdict_on_certificate(int ok, X509_STORE_CTX *store);
/* Why the handshake, or the reading after it, failed; sets conn->code. */
void sl_tls_verdict_tell(struct sl_tls_conn *conn, int ssl_error, struct sl_text *out);

/* ---- tls_context.c ---- */

/* Reads changed files again. *news: why they could not be used, once. */
void sl_tls_reload(struct sl_tls *tls, struct sl_text *news);
/* The session that the connection may begin with, or NULL; the context keeps it. */
SSL_SESSION *sl_tls_find_session(struct sl_tls *tls, const char *host, uint16_t port);
/* NULL session: forgets. Otherwise takes a reference over. */
void sl_tls_keep_session(struct sl_tls *tls, const char *host, uint16_t port, SSL_SESSION *session);

#endif
