/* SCRAM as a client (RFC 5802, RFC 7677): what is said and how the answers are judged, as pure
 * functions over texts. The password is not seen here: who drives this makes the two keys of it
 * (login.h) once salt and iterations are known. */
#ifndef SL_CORE_SCRAM_H
#define SL_CORE_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/text.h"

enum {
    SL_SCRAM_NONCE = 24,     /* characters of our nonce: 18 bytes in base64 */
    SL_SCRAM_SALT_MAX = 256, /* Kafka's has 26 bytes or so */
    SL_SCRAM_ITERATIONS_MIN = 4096,
    SL_SCRAM_ITERATIONS_MAX = 1000000 /* half a second of SHA-512 */
};

/* What a password becomes with a salt. Both can stand for the password with this mechanism. */
struct sl_scram_keys {
    uint8_t client[SL_DIGEST_MAX];
    uint8_t server[SL_DIGEST_MAX];
};
struct sl_scram {
    enum sl_digest_kind kind;
    char nonce[SL_SCRAM_NONCE + 1];
    struct sl_writer said; /* owned: what both sides sign, as far as it has been said */
    size_t final_at;       /* where our second message begins in it */
    uint8_t salt[SL_SCRAM_SALT_MAX];
    size_t salt_size;
    uint32_t iterations;
};

/* Begins with a nonce of its own, NUL-terminated, of characters that base64 has. */
void sl_scram_init(struct sl_scram *s, enum sl_digest_kind kind, const char *nonce,
                   const struct sl_alloc *alloc);
void sl_scram_deinit(struct sl_scram *s);
/* The first message. by_token: the user is the id of a delegation token. 0 or NOMEM. */
int sl_scram_first(struct sl_scram *s, const char *user, bool by_token, struct sl_writer *out);
/* Reads the first answer: salt and iterations. 0, NOMEM, or AUTH with the reason in *why. */
int sl_scram_on_first(struct sl_scram *s, struct sl_bytes in, struct sl_text *why);
/* The keys of a password that was stretched with this salt as often as was asked. 0 or NOMEM. */
int sl_scram_make_keys(enum sl_digest_kind kind, const uint8_t *stretched,
                       struct sl_scram_keys *out);
/* The second message: the proof that we know the password. 0 or NOMEM. */
int sl_scram_final(struct sl_scram *s, const struct sl_scram_keys *keys, struct sl_writer *out);
/* Judges the second answer: the proof that the broker knows it. 0, NOMEM, or AUTH. */
int sl_scram_on_final(struct sl_scram *s, const struct sl_scram_keys *keys, struct sl_bytes in,
                      struct sl_text *why);

#endif
