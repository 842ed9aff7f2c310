/* SHA-2 by way of libcrypto, and HMAC (RFC 2104) and PBKDF2 on top of it.
 *
 * PBKDF2 is done here and not by libcrypto, because a peer chooses how long it takes, and libcrypto's
 * can be neither interrupted nor done in parts. HMAC is two hashes that begin with a block made of the
 * key: those two are taken once for a key, and every HMAC goes on from copies of them. */
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "sluice/error.h"

enum { DIGEST_BLOCK_MAX = 128 }; /* bytes that SHA-512 takes at a time; SHA-256 takes 64 */

size_t sl_digest_size(enum sl_digest_kind kind) { return kind == SL_DIGEST_SHA256 ? 32 : 64; }

static const EVP_MD *digest_of(enum sl_digest_kind kind) {
    return kind == SL_DIGEST_SHA256 ? EVP_sha256() : EVP_sha512();
}

int sl_digest_hash(enum sl_digest_kind kind, const void *data, size_t size, uint8_t *out) {
    return EVP_Digest(data, size, out, NULL, digest_of(kind), NULL) == 1 ? 0 : SLUICE_ERR_NOMEM;
}

bool sl_digest_equal(const void *a, const void *b, size_t size) {
    return CRYPTO_memcmp(a, b, size) == 0;
}

static void close_hmac(struct sl_digest_hmac *h) {
    EVP_MD_CTX_free(h->inner);
    EVP_MD_CTX_free(h->outer);
    EVP_MD_CTX_free(h->work);
}

/* Begins one of the two hashes: the key's block with every byte turned by pad. */
static bool start_half(EVP_MD_CTX *half, const EVP_MD *md, uint8_t *block, size_t size,
                       uint8_t pad) {
    for (size_t i = 0; i < size; i++) block[i] ^= pad;
    bool is_good =
        EVP_DigestInit_ex(half, md, NULL) == 1 && EVP_DigestUpdate(half, block, size) == 1;
    for (size_t i = 0; i < size; i++) block[i] ^= pad;
    return is_good;
}

/* 0 or NOMEM: then there is nothing to close. */
static int open_hmac(struct sl_digest_hmac *h, enum sl_digest_kind kind, const void *key,
                     size_t key_size) {
    uint8_t block[DIGEST_BLOCK_MAX] = {0};
    const EVP_MD *md = digest_of(kind);
    size_t size = sl_digest_size(kind) * 2; /* true of both */
    int rv = 0;
    h->inner = EVP_MD_CTX_new();
    h->outer = EVP_MD_CTX_new();
    h->work = EVP_MD_CTX_new();
    if (key_size > size)
        rv = sl_digest_hash(kind, key, key_size, block);
    else if (key_size > 0)
        memcpy(block, key, key_size);
    if (rv != 0 || h->inner == NULL || h->outer == NULL || h->work == NULL ||
        !start_half(h->inner, md, block, size, 0x36) ||
        !start_half(h->outer, md, block, size, 0x5c)) {
        close_hmac(h);
        rv = SLUICE_ERR_NOMEM;
    }
    sl_alloc_wipe(block, sizeof block);
    return rv;
}

/* The HMAC of two pieces, of which the second may be empty. out may be one of them. */
static int take_hmac(struct sl_digest_hmac *h, size_t hash_size, const void *data, size_t size,
                     const void *more, size_t more_size, uint8_t *out) {
    uint8_t hash[SL_DIGEST_MAX];
    bool is_good = EVP_MD_CTX_copy_ex(h->work, h->inner) == 1 &&
                   EVP_DigestUpdate(h->work, data, size) == 1 &&
                   EVP_DigestUpdate(h->work, more, more_size) == 1 &&
                   EVP_DigestFinal_ex(h->work, hash, NULL) == 1 &&
                   EVP_MD_CTX_copy_ex(h->work, h->outer) == 1 &&
                   EVP_DigestUpdate(h->work, hash, hash_size) == 1 &&
                   EVP_DigestFinal_ex(h->work, out, NULL) == 1;
    return is_good ? 0 : SLUICE_ERR_NOMEM;
}

int sl_digest_hmac(enum sl_digest_kind kind, const void *key, size_t key_size, const void *data,
                   size_t size, uint8_t *out) {
    struct sl_digest_hmac h;
    int rv = open_hmac(&h, kind, key, key_size);
    if (rv != 0) return rv;
    rv = take_hmac(&h, sl_digest_size(kind), data, size, "", 0, out);
    close_hmac(&h);
    return rv;
}

int sl_digest_stretch_init(struct sl_digest_stretch *s, enum sl_digest_kind kind,
                           const void *password, size_t password_size, const void *salt,
                           size_t salt_size, uint32_t iterations) {
    static const uint8_t first_block[4] = {0, 0, 0, 1};
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->left = iterations - 1;
    int rv = open_hmac(&s->hmac, kind, password, password_size);
    if (rv != 0) return rv;
    rv = take_hmac(&s->hmac, sl_digest_size(kind), salt, salt_size, first_block, sizeof first_block,
                   s->last);
    if (rv != 0) sl_digest_stretch_deinit(s);
    memcpy(s->block, s->last, sizeof s->block);
    return rv;
}

int sl_digest_stretch_run(struct sl_digest_stretch *s, uint32_t most) {
    size_t size = sl_digest_size(s->kind);
    for (; s->left > 0 && most > 0; s->left--, most--) {
        int rv = take_hmac(&s->hmac, size, s->last, size, "", 0, s->last);
        if (rv != 0) return rv;
        for (size_t i = 0; i < size; i++) s->block[i] ^= s->last[i];
    }
    return 0;
}

void sl_digest_stretch_deinit(struct sl_digest_stretch *s) {
    close_hmac(&s->hmac);
    sl_alloc_wipe(s, sizeof *s);
}
