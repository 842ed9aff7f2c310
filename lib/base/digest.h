/* Hashes and what is built of them, as SCRAM (RFC 5802) needs them: a thin wrapper over libcrypto,
 * which has its own allocator: what fails in here failed for want of its memory. */
#ifndef SL_BASE_DIGEST_H
#define SL_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sl_digest_kind { SL_DIGEST_SHA256 = 1, SL_DIGEST_SHA512 };
enum { SL_DIGEST_MAX = 64 }; /* bytes of the longest */

/* Bytes of a hash. */
size_t sl_digest_size(enum sl_digest_kind kind);
/* out has room for one hash. 0 or NOMEM. */
int sl_digest_hash(enum sl_digest_kind kind, const void *data, size_t size, uint8_t *out);
int sl_digest_hmac(enum sl_digest_kind kind, const void *key, size_t key_size, const void *data,
                   size_t size, uint8_t *out);
/* Takes as long for every content of that size. */
bool sl_digest_equal(const void *a, const void *b, size_t size);

/* A key, hashed into the beginnings of both halves of an HMAC, and a hash to work with: libcrypto's. */
struct evp_md_ctx_st;
struct sl_digest_hmac {
    struct evp_md_ctx_st *inner, *outer, *work; /* owned */
};

/* PBKDF2 with HMAC (RFC 8018), for one block of output, in as many steps as the caller likes. */
struct sl_digest_stretch {
    struct sl_digest_hmac hmac; /* owned; the password is its key */
    enum sl_digest_kind kind;
    uint32_t left;                /* iterations still to do */
    uint8_t last[SL_DIGEST_MAX];  /* the last HMAC */
    uint8_t block[SL_DIGEST_MAX]; /* what they add up to: the result once none is left */
};
/* The first iteration is done at once; iterations > 0. 0 or NOMEM: then there is nothing to deinit. */
int sl_digest_stretch_init(struct sl_digest_stretch *s, enum sl_digest_kind kind,
                           const void *password, size_t password_size, const void *salt,
                           size_t salt_size, uint32_t iterations);
/* Up to most iterations. 0 or NOMEM. */
int sl_digest_stretch_run(struct sl_digest_stretch *s, uint32_t most);
/* Wipes it. */
void sl_digest_stretch_deinit(struct sl_digest_stretch *s);

#endif
