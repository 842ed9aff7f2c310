/* Certificates for tests of TLS, made as they are needed: keys, chains, revocation lists, PKCS#12.
 * Header-only; needs libcrypto, and cmocka's assertions. */
#ifndef SL_TEST_TLS_SUPPORT_H
#define SL_TEST_TLS_SUPPORT_H

#include "unit/support.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

enum { DAY = 86400, PEM_MAX = 64 * 1024 };

struct test_cert {
    X509 *cert;
    EVP_PKEY *key;
};
/* What a certificate says; texts as in OpenSSL's configuration files, NULL: without. */
struct test_spec {
    const char *cn;
    const char *san;         /* "DNS:a,IP:127.0.0.1" */
    const char *eku;         /* "serverAuth" */
    const char *ca;          /* "CA:true,pathlen:0" */
    const char *constraints; /* "permitted;DNS:good.test" */
    const char *digest;      /* NULL: SHA256 */
    int rsa_bits;            /* 0: an EC key, P-256 */
    long from, to;           /* seconds from now; to 0: in ten days */
};

static inline EVP_PKEY *test_make_key(int rsa_bits) {
    EVP_PKEY *key = rsa_bits == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen((unsigned)rsa_bits);
    assert_non_null(key);
    return key;
}

static inline void test_add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    if (value == NULL) return;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, (char *)(uintptr_t)value);
    if (extension == NULL) fail_msg("the extension %s cannot be made", value);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: self-signed. */
static inline struct test_cert test_make_cert(const struct test_spec *spec,
                                              const struct test_cert *issuer) {
    static long serial = 1000;
    struct test_cert c = {X509_new(), test_make_key(spec->rsa_bits)};
    X509 *by = issuer == NULL ? c.cert : issuer->cert;
    EVP_PKEY *with = issuer == NULL ? c.key : issuer->key;
    const char *digest = spec->digest == NULL ? "SHA256" : spec->digest;
    X509_set_version(c.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c.cert), spec->from != 0 ? spec->from : -DAY);
    X509_gmtime_adj(X509_getm_notAfter(c.cert), spec->to != 0 ? spec->to : 10 * DAY);
    X509_set_pubkey(c.cert, c.key);
    X509_NAME *name = X509_get_subject_name(c.cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)spec->cn, -1, -1,
                               0);
    X509_set_issuer_name(c.cert, X509_get_subject_name(by));
    test_add_extension(c.cert, by, NID_basic_constraints, spec->ca);
    if (spec->ca != NULL && strncmp(spec->ca, "CA:true", 7) == 0)
        test_add_extension(c.cert, by, NID_key_usage, "critical,keyCertSign,cRLSign");
    test_add_extension(c.cert, by, NID_subject_alt_name, spec->san);
    test_add_extension(c.cert, by, NID_ext_key_usage, spec->eku);
    test_add_extension(c.cert, by, NID_name_constraints, spec->constraints);
    assert_true(X509_sign(c.cert, with, EVP_get_digestbyname(digest)) > 0);
    return c;
}

static inline void test_free_cert(struct test_cert *c) {
    X509_free(c->cert);
    EVP_PKEY_free(c->key);
    memset(c, 0, sizeof *c);
}

/* ---- as text ---- */

static inline void test_take_text(BIO *bio, char *out) {
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    assert_true(size > 0 && size < PEM_MAX);
    memcpy(out, data, (size_t)size);
    out[size] = '\0';
    BIO_free(bio);
}

/* Appends to a text of PEM_MAX bytes. */
static inline void test_put_cert(char *pem, const struct test_cert *c) {
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, c->cert), 1);
    test_take_text(bio, pem + strlen(pem));
}

/* password NULL: not encrypted. */
static inline void test_put_key(char *pem, const struct test_cert *c, const char *password) {
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = password == NULL ? NULL : EVP_aes_128_cbc();
    int size = password == NULL ? 0 : (int)strlen(password);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, c->key, cipher, (char *)(uintptr_t)password,
                                                   size, NULL, NULL),
                     1);
    test_take_text(bio, pem + strlen(pem));
}

/* A revocation list of the issuer; revoked may be NULL. to: seconds from now. */
static inline void test_put_crl(char *pem, const struct test_cert *issuer,
                                const struct test_cert *revoked, long to) {
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *when = ASN1_TIME_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert));
    X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(when, -2 * DAY));
    X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(when, to));
    if (revoked != NULL) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->cert));
        X509_REVOKED_set_revocationDate(entry, X509_gmtime_adj(when, -DAY));
        X509_CRL_add0_revoked(crl, entry);
    }
    X509_CRL_sort(crl);
    assert_true(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509_CRL(bio, crl), 1);
    test_take_text(bio, pem + strlen(pem));
    ASN1_TIME_free(when);
    X509_CRL_free(crl);
}

/* ---- as files ---- */

/* A folder of the test's own, and a file in it. */
struct test_folder {
    char path[64];
    char file[128]; /* of the last call */
};

static inline void test_make_folder(struct test_folder *f) {
    snprintf(f->path, sizeof f->path, "/tmp/sluice-tls-XXXXXX");
    assert_non_null(mkdtemp(f->path));
}

static inline const char *test_file_in(struct test_folder *f, const char *name) {
    snprintf(f->file, sizeof f->file, "%s/%s", f->path, name);
    return f->file;
}

static inline void test_write_file(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void test_write_text(const char *path, const char *text) {
    test_write_file(path, text, strlen(text));
}

static inline void test_write_pkcs12(const char *path, const struct test_cert *c,
                                     const struct test_cert *issuer, const char *password) {
    STACK_OF(X509) *chain = sk_X509_new_null();
    if (issuer != NULL) sk_X509_push(chain, issuer->cert);
    PKCS12 *file = PKCS12_create(password, "me", c == NULL ? NULL : c->key,
                                 c == NULL ? NULL : c->cert, chain, 0, 0, 0, 0, 0);
    FILE *out = fopen(path, "wb");
    assert_non_null(file);
    assert_non_null(out);
    assert_int_equal(i2d_PKCS12_fp(out, file), 1);
    assert_int_equal(fclose(out), 0);
    PKCS12_free(file);
    sk_X509_free(chain);
}

static inline void test_remove_folder(const struct test_folder *f) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", f->path);
    assert_int_equal(system(command), 0);
}

#endif
