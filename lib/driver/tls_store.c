/* Certificates, keys and revocation lists out of files and texts.
 *
 * What a file is, its content says: PEM, PKCS#12, or one certificate or list in DER. Java's own
 * format is named when it is met, because it is what people have. Files are read whole, up to a
 * limit, and wiped: a key may be in any of them.
 *
 * Not here: what is done with it (tls_load.c). */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <string.h>

#include "driver/tls_inside.h"
#include "sluice/error.h"

enum { TLS_FILE_FIRST = 16 * 1024, TLS_FILE_MAX = 16 * 1024 * 1024 };

/* A file's bytes, or a text's. */
struct tls_bytes {
    uint8_t *data;
    size_t size;
    size_t cap; /* 0: borrowed */
};

/* ---- telling ---- */

static void begin_why(const struct sl_tls_source *source, struct sl_text *why) {
    sl_text_printf(why, "%s: ", source->property);
    if (source->path != NULL) sl_text_printf(why, "%.200s: ", source->path);
}

static int refuse(const struct sl_tls_source *source, struct sl_text *why, const char *reason) {
    begin_why(source, why);
    sl_text_put(why, reason);
    ERR_clear_error();
    return SLUICE_ERR_CONFIG;
}

/* What OpenSSL complains of, as the reason. */
static int refuse_error(const struct sl_tls_source *source, struct sl_text *why,
                        const char *reason) {
    unsigned long error = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(error);
    int code = ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ? SLUICE_ERR_NOMEM : SLUICE_ERR_CONFIG;
    begin_why(source, why);
    sl_text_put(why, reason);
    if (text != NULL) sl_text_printf(why, " (%s)", text);
    ERR_clear_error();
    return code;
}

/* ---- bytes ---- */

static void free_bytes(const struct sl_alloc *alloc, struct tls_bytes *bytes) {
    if (bytes->cap == 0) return;
    sl_alloc_wipe(bytes->data, bytes->cap);
    sl_alloc_free(alloc, bytes->data, bytes->cap);
}

static int grow_bytes(const struct sl_alloc *alloc, struct tls_bytes *bytes) {
    size_t cap = bytes->cap == 0 ? TLS_FILE_FIRST : bytes->cap * 2;
    uint8_t *data = sl_alloc_get(alloc, cap); /* no resize: it might leave a key behind */
    if (data == NULL) return SLUICE_ERR_NOMEM;
    if (bytes->size > 0) memcpy(data, bytes->data, bytes->size);
    free_bytes(alloc, bytes);
    bytes->data = data;
    bytes->cap = cap;
    return 0;
}

static int read_stream(const struct sl_tls_source *source, FILE *file, const struct sl_alloc *alloc,
                       struct sl_text *why, struct tls_bytes *out) {
    for (;;) {
        if (out->size == out->cap && grow_bytes(alloc, out) != 0) return SLUICE_ERR_NOMEM;
        size_t got = fread(out->data + out->size, 1, out->cap - out->size, file);
        if (got == 0) break;
        out->size += got;
        if (out->size > TLS_FILE_MAX) return refuse(source, why, "is larger than 16 MiB");
    }
    if (ferror(file) != 0) return refuse(source, why, "cannot be read");
    return out->size == 0 ? refuse(source, why, "is empty") : 0;
}

static int read_bytes(const struct sl_tls_source *source, const struct sl_alloc *alloc,
                      struct sl_text *why, struct tls_bytes *out) {
    memset(out, 0, sizeof *out);
    if (source->path == NULL) {
        out->data = (uint8_t *)(uintptr_t)source->text;
        out->size = strlen(source->text);
        return 0;
    }
    FILE *file = fopen(source->path, "rb");
    if (file == NULL) {
        const char *reason = errno == ENOENT   ? "no such file"
                             : errno == EACCES ? "may not be read"
                                               : "cannot be opened";
        return refuse(source, why, reason);
    }
    (void)setvbuf(file, NULL, _IONBF, 0); /* a buffer that nobody wipes */
    int rv = read_stream(source, file, alloc, why, out);
    (void)fclose(file);
    if (rv != 0) free_bytes(alloc, out);
    return rv;
}

/* ---- PEM ---- */

struct tls_password {
    const char *text;
    bool is_asked;
};

static int give_password(char *buf, int size, int writing, void *arg) {
    struct tls_password *password = arg;
    (void)writing;
    password->is_asked = true;
    size_t length = strlen(password->text);
    if (length == 0 || length > (size_t)size) return -1;
    memcpy(buf, password->text, length);
    return (int)length;
}

static BIO *open_text(const struct tls_bytes *bytes) {
    ERR_clear_error();
    return BIO_new_mem_buf(bytes->data, (int)bytes->size);
}

/* The end of a PEM text is told as an error. */
static bool is_pem_over(void) {
    unsigned long error = ERR_peek_last_error();
    bool over = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (over) ERR_clear_error();
    return over;
}

static int read_pem_certs(const struct sl_tls_source *source, const struct tls_bytes *bytes,
                          struct sl_text *why, struct sl_tls_store *out) {
    BIO *bio = open_text(bytes);
    if (bio == NULL) return SLUICE_ERR_NOMEM;
    X509 *cert;
    int rv = 0;
    while (rv == 0 && (cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_push(out->certs, cert) > 0) continue;
        X509_free(cert);
        rv = SLUICE_ERR_NOMEM;
    }
    BIO_free(bio);
    if (rv == 0 && !is_pem_over())
        rv = refuse_error(source, why, "has a certificate that cannot be read");
    return rv;
}

static int read_pem_crls(const struct sl_tls_source *source, const struct tls_bytes *bytes,
                         struct sl_text *why, struct sl_tls_store *out) {
    BIO *bio = open_text(bytes);
    if (bio == NULL) return SLUICE_ERR_NOMEM;
    X509_CRL *crl;
    int rv = 0;
    while (rv == 0 && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_CRL_push(out->crls, crl) > 0) continue;
        X509_CRL_free(crl);
        rv = SLUICE_ERR_NOMEM;
    }
    BIO_free(bio);
    if (rv == 0 && !is_pem_over())
        rv = refuse_error(source, why, "has a revocation list that cannot be read");
    return rv;
}

static int read_pem_key(const struct sl_tls_source *source, const struct tls_bytes *bytes,
                        struct sl_text *why, struct sl_tls_store *out) {
    struct tls_password password = {.text = source->password};
    BIO *bio = open_text(bytes);
    if (bio == NULL) return SLUICE_ERR_NOMEM;
    out->key = PEM_read_bio_PrivateKey(bio, NULL, give_password, &password);
    BIO_free(bio);
    if (out->key != NULL) {
        ERR_clear_error();
        return 0;
    }
    if (password.is_asked) {
        begin_why(source, why);
        sl_text_printf(why,
                       source->password[0] == '\0' ? "the key is encrypted: set %s"
                                                   : "%s does not decrypt the key",
                       source->password_property);
        ERR_clear_error();
        return SLUICE_ERR_CONFIG;
    }
    return is_pem_over() ? refuse(source, why, "has no private key in it")
                         : refuse_error(source, why, "the private key cannot be read");
}

static int read_pem(const struct sl_tls_source *source, const struct tls_bytes *bytes,
                    struct sl_text *why, struct sl_tls_store *out) {
    if (source->wants_crls) return read_pem_crls(source, bytes, why, out);
    int rv = read_pem_certs(source, bytes, why, out);
    if (rv == 0 && source->wants_key) rv = read_pem_key(source, bytes, why, out);
    return rv;
}

/* ---- DER ---- */

/* Certificates beside the first, which is that of the key. */
static int take_chain(STACK_OF(X509) * chain, X509 *first, struct sl_tls_store *out) {
    int rv = 0;
    if (first != NULL && sk_X509_push(out->certs, first) <= 0) {
        X509_free(first);
        rv = SLUICE_ERR_NOMEM;
    }
    while (rv == 0 && sk_X509_num(chain) > 0) {
        X509 *cert = sk_X509_shift(chain);
        if (sk_X509_push(out->certs, cert) > 0) continue;
        X509_free(cert);
        rv = SLUICE_ERR_NOMEM;
    }
    sk_X509_pop_free(chain, X509_free);
    return rv;
}

static int read_pkcs12(const struct sl_tls_source *source, const struct tls_bytes *bytes,
                       struct sl_text *why, struct sl_tls_store *out) {
    const unsigned char *at = bytes->data;
    STACK_OF(X509) *chain = NULL;
    X509 *first = NULL;
    ERR_clear_error();
    PKCS12 *file = d2i_PKCS12(NULL, &at, (long)bytes->size);
    if (file == NULL) return refuse_error(source, why, "is neither PEM nor PKCS#12");
    bool parsed = PKCS12_parse(file, source->password, &out->key, &first, &chain) == 1;
    PKCS12_free(file);
    if (!parsed) {
        bool is_locked = ERR_GET_REASON(ERR_peek_last_error()) == PKCS12_R_MAC_VERIFY_FAILURE;
        if (!is_locked) return refuse_error(source, why, "this PKCS#12 file cannot be read");
        begin_why(source, why);
        sl_text_printf(why,
                       source->password[0] == '\0' ? "the file is encrypted: set %s"
                                                   : "%s does not decrypt the file",
                       source->password_property);
        ERR_clear_error();
        return SLUICE_ERR_CONFIG;
    }
    return take_chain(chain, first, out);
}

static int read_der(const struct sl_tls_source *source, const struct tls_bytes *bytes,
                    struct sl_text *why, struct sl_tls_store *out) {
    const unsigned char *at = bytes->data;
    if (source->wants_crls) {
        X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)bytes->size);
        if (crl == NULL) return refuse_error(source, why, "is no revocation list");
        if (sk_X509_CRL_push(out->crls, crl) > 0) return 0;
        X509_CRL_free(crl);
        return SLUICE_ERR_NOMEM;
    }
    X509 *cert = source->wants_key ? NULL : d2i_X509(NULL, &at, (long)bytes->size);
    if (cert == NULL) return read_pkcs12(source, bytes, why, out);
    if (sk_X509_push(out->certs, cert) > 0) return 0;
    X509_free(cert);
    return SLUICE_ERR_NOMEM;
}

/* ---- any ---- */

static bool is_begun_by(const struct tls_bytes *bytes, const char *begin, size_t size) {
    return bytes->size >= size && memcmp(bytes->data, begin, size) == 0;
}

static int read_any(const struct sl_tls_source *source, const struct tls_bytes *bytes,
                    struct sl_text *why, struct sl_tls_store *out) {
    if (is_begun_by(bytes, "\xfe\xed\xfe\xed", 4))
        return refuse(source, why,
                      "is a Java key store (JKS): convert it to PKCS#12 with "
                      "keytool -importkeystore -deststoretype PKCS12");
    /* Both forms of DER begin with a long SEQUENCE, which no text does. */
    return is_begun_by(bytes, "\x30\x82", 2) || is_begun_by(bytes, "\x30\x83", 2)
               ? read_der(source, bytes, why, out)
               : read_pem(source, bytes, why, out);
}

void sl_tls_store_deinit(struct sl_tls_store *store) {
    EVP_PKEY_free(store->key);
    sk_X509_pop_free(store->certs, X509_free);
    sk_X509_CRL_pop_free(store->crls, X509_CRL_free);
    memset(store, 0, sizeof *store);
}

static int check_store(const struct sl_tls_source *source, struct sl_text *why,
                       const struct sl_tls_store *store) {
    if (source->wants_crls)
        return sk_X509_CRL_num(store->crls) > 0
                   ? 0
                   : refuse(source, why, "has no revocation list in it");
    if (source->wants_key && store->key == NULL)
        return refuse(source, why, "has no private key in it");
    return 0;
}

int sl_tls_store_read(const struct sl_tls_source *source, const struct sl_alloc *alloc,
                      struct sl_text *why, struct sl_tls_store *out) {
    struct tls_bytes bytes;
    memset(out, 0, sizeof *out);
    out->certs = sk_X509_new_null();
    if (source->wants_crls) out->crls = sk_X509_CRL_new_null();
    int rv = SLUICE_ERR_NOMEM;
    if (out->certs == NULL || (source->wants_crls && out->crls == NULL)) goto deinit_store;
    rv = read_bytes(source, alloc, why, &bytes);
    if (rv != 0) goto deinit_store;
    rv = read_any(source, &bytes, why, out);
    free_bytes(alloc, &bytes);
    if (rv == 0) rv = check_store(source, why, out);
    if (rv == 0) return 0;

deinit_store:
    sl_tls_store_deinit(out);
    return rv;
}
