/* SCRAM: messages are made, answers are judged.
 *
 *   n,,n=USER,r=NONCE                          ──▶
 *                                              ◀──  r=NONCE+THEIRS,s=SALT,i=ITERATIONS
 *   c=biws,r=NONCE+THEIRS,p=PROOF              ──▶
 *                                              ◀──  v=SIGNATURE, or e=WHY
 *
 * `said` collects what both sides sign: our first message without its "n,,", theirs, and our second
 * without the proof, with commas between. A broker that does not know the password is refused in any
 * case, because it cannot sign that; so is whoever sits between and changes a byte. What is checked
 * beyond it keeps a dishonest broker from making us work (iterations), from learning the password by
 * cheaper guesses (iterations again), and from replaying (the nonce).
 *
 * Attributes come in their order, each once. One that we do not know stands only behind those that we
 * do, where RFC 5802 lets extensions be; m= is an extension that must be understood, so it is refused.
 *
 * Not done here: SASLprep (Kafka's brokers do none), channel binding (they offer none). */
#include "core/scram.h"

#include <string.h>

#include "base/base64.h"
#include "sluice/error.h"

enum { SCRAM_ANSWER_MAX = 4096 }; /* Kafka's are of a few hundred bytes */

void sl_scram_init(struct sl_scram *s, enum sl_digest_kind kind, const char *nonce,
                   const struct sl_alloc *alloc) {
    struct sl_text text;
    memset(s, 0, sizeof *s);
    s->kind = kind;
    sl_text_init(&text, s->nonce, sizeof s->nonce);
    sl_text_put(&text, nonce);
    sl_writer_init(&s->said, alloc);
}

void sl_scram_deinit(struct sl_scram *s) { sl_writer_deinit(&s->said); }

static void put_scram_text(struct sl_writer *out, const char *text) {
    sl_writer_raw(out, text, strlen(text));
}

/* Comma and equals sign mean something in a message. */
static void put_user_name(struct sl_writer *out, const char *user) {
    for (; *user != '\0'; user++) {
        if (*user == '=')
            put_scram_text(out, "=3D");
        else if (*user == ',')
            put_scram_text(out, "=2C");
        else
            sl_writer_raw(out, user, 1);
    }
}

static int writer_code(const struct sl_writer *a, const struct sl_writer *b) {
    return a->failed || b->failed ? SLUICE_ERR_NOMEM : 0;
}

int sl_scram_first(struct sl_scram *s, const char *user, bool by_token, struct sl_writer *out) {
    put_scram_text(&s->said, "n=");
    put_user_name(&s->said, user);
    put_scram_text(&s->said, ",r=");
    put_scram_text(&s->said, s->nonce);
    if (by_token) put_scram_text(&s->said, ",tokenauth=true");
    put_scram_text(out, "n,,");
    if (!s->said.failed) sl_writer_raw(out, s->said.data, s->said.size);
    return writer_code(&s->said, out);
}

/* ---- answers ---- */

/* The value of the attribute that comes next, which has to be the one asked for; the reader moves
 * behind its comma. False: it is another, or none. */
static bool take_attribute(struct sl_reader *r, char name, struct sl_str *value) {
    if (sl_reader_left(r) < 2 || r->at[0] != (uint8_t)name || r->at[1] != '=') return false;
    r->at += 2;
    const uint8_t *comma = memchr(r->at, ',', sl_reader_left(r));
    const uint8_t *end = comma != NULL ? comma : r->end;
    *value = (struct sl_str){(const char *)r->at, (int32_t)(end - r->at)};
    r->at = comma != NULL ? comma + 1 : end;
    /* A comma with nothing behind it begins an attribute that is not there. */
    return comma == NULL || comma + 1 < r->end;
}

/* The value of an answer that says why not, for people: an answer is a peer's. */
static void tell_refusal(struct sl_text *why, struct sl_str reason) {
    enum { REASON_MAX = 80 };
    sl_text_put(why, "the broker says ");
    for (int32_t i = 0; i < reason.size && i < REASON_MAX; i++) {
        char c = reason.data[i];
        if (c < ' ' || c > '~') c = '?';
        sl_text_put_len(why, &c, 1);
    }
}

static int refuse_answer(struct sl_text *why, const char *reason) {
    sl_text_put(why, reason);
    return SLUICE_ERR_AUTH;
}

/* What every answer has to be before it is looked into: text, and not too long; and it may say why
 * not. 0, or AUTH. */
static int open_answer(struct sl_reader *r, struct sl_bytes in, struct sl_text *why) {
    struct sl_str reason;
    if (in.size < 0 || in.size > SCRAM_ANSWER_MAX)
        return refuse_answer(why, "an answer is missing or far too long");
    sl_reader_init(r, in.data, (size_t)in.size);
    if (memchr(in.data != NULL ? (const char *)in.data : "", '\0', (size_t)in.size) != NULL)
        return refuse_answer(why, "an answer is no text");
    struct sl_reader copy = *r;
    if (take_attribute(&copy, 'm', &reason))
        return refuse_answer(why, "the broker wants an extension that does not exist here");
    copy = *r;
    if (!take_attribute(&copy, 'e', &reason)) return 0;
    tell_refusal(why, reason);
    return SLUICE_ERR_AUTH;
}

/* What may follow the attributes that we know: extensions, each a letter, an equals sign and a value.
 * False: something else, or one that we know a second time. */
static bool are_extensions(struct sl_reader *r, const char *known) {
    struct sl_str value;
    while (sl_reader_left(r) > 0) {
        char name = (char)r->at[0];
        bool is_letter = (name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z');
        if (!is_letter || name == 'm' || strchr(known, name) != NULL) return false;
        if (!take_attribute(r, name, &value)) return false;
    }
    return true;
}

/* Our nonce and something behind it, in the characters that a nonce may have. */
static bool is_nonce_ours(const struct sl_scram *s, struct sl_str nonce) {
    size_t ours = strlen(s->nonce);
    if (nonce.size < 0 || (size_t)nonce.size <= ours) return false;
    if (memcmp(nonce.data, s->nonce, ours) != 0) return false;
    for (int32_t i = 0; i < nonce.size; i++)
        if (nonce.data[i] < '!' || nonce.data[i] > '~') return false;
    return true;
}

/* Decimal digits alone, no zero in front; too large is a number too. False: no number. */
static bool read_iterations(struct sl_str text, uint32_t *out) {
    uint64_t number = 0;
    if (text.size < 1 || text.data[0] == '0') return false;
    for (int32_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        if (number <= UINT32_MAX) number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    return true;
}

static int read_salt(struct sl_scram *s, struct sl_str text, struct sl_text *why) {
    enum { SALT_MIN = 8 };
    if (!sl_base64_decode(text.data, (size_t)text.size, false, s->salt, sizeof s->salt,
                          &s->salt_size))
        return refuse_answer(why, "the salt is no base64, or too long");
    return s->salt_size < SALT_MIN ? refuse_answer(why, "the salt is too short") : 0;
}

int sl_scram_on_first(struct sl_scram *s, struct sl_bytes in, struct sl_text *why) {
    struct sl_reader r;
    struct sl_str nonce, salt, iterations;
    int rv = open_answer(&r, in, why);
    if (rv != 0) return rv;
    if (!take_attribute(&r, 'r', &nonce) || !take_attribute(&r, 's', &salt) ||
        !take_attribute(&r, 'i', &iterations) || !are_extensions(&r, "nrsiepvc"))
        return refuse_answer(why, "the first answer is not of the form r=,s=,i=");
    if (!is_nonce_ours(s, nonce))
        return refuse_answer(why, "the broker's nonce does not begin with ours and go on");
    rv = read_salt(s, salt, why);
    if (rv != 0) return rv;
    if (!read_iterations(iterations, &s->iterations))
        return refuse_answer(why, "the number of iterations is no number");
    if (s->iterations < SL_SCRAM_ITERATIONS_MIN)
        return refuse_answer(why, "fewer iterations than 4096 would give the password away");
    if (s->iterations > SL_SCRAM_ITERATIONS_MAX)
        return refuse_answer(why, "more iterations than 1000000 are an attack, not a login");
    put_scram_text(&s->said, ",");
    sl_writer_raw(&s->said, in.data, (size_t)in.size);
    s->final_at = s->said.size + 1;
    put_scram_text(&s->said, ",c=biws,r=");
    sl_writer_raw(&s->said, nonce.data, (size_t)nonce.size);
    return s->said.failed ? SLUICE_ERR_NOMEM : 0;
}

/* ---- proofs ---- */

int sl_scram_make_keys(enum sl_digest_kind kind, const uint8_t *stretched,
                       struct sl_scram_keys *out) {
    size_t size = sl_digest_size(kind);
    int rv = sl_digest_hmac(kind, stretched, size, "Client Key", 10, out->client);
    return rv != 0 ? rv : sl_digest_hmac(kind, stretched, size, "Server Key", 10, out->server);
}

int sl_scram_final(struct sl_scram *s, const struct sl_scram_keys *keys, struct sl_writer *out) {
    uint8_t stored[SL_DIGEST_MAX], proof[SL_DIGEST_MAX];
    size_t size = sl_digest_size(s->kind);
    int rv = sl_digest_hash(s->kind, keys->client, size, stored);
    if (rv == 0) rv = sl_digest_hmac(s->kind, stored, size, s->said.data, s->said.size, proof);
    if (rv != 0) return rv;
    for (size_t i = 0; i < size; i++) proof[i] ^= keys->client[i];
    sl_writer_raw(out, s->said.data + s->final_at, s->said.size - s->final_at);
    put_scram_text(out, ",p=");
    sl_base64_encode(out, proof, size);
    sl_alloc_wipe(stored, sizeof stored);
    sl_alloc_wipe(proof, sizeof proof);
    return writer_code(&s->said, out);
}

int sl_scram_on_final(struct sl_scram *s, const struct sl_scram_keys *keys, struct sl_bytes in,
                      struct sl_text *why) {
    uint8_t signature[SL_DIGEST_MAX], theirs[SL_DIGEST_MAX];
    struct sl_reader r;
    struct sl_str text;
    size_t size = sl_digest_size(s->kind), got;
    int rv = open_answer(&r, in, why);
    if (rv != 0) return rv;
    if (!take_attribute(&r, 'v', &text) || !are_extensions(&r, "nrsiepvc"))
        return refuse_answer(why, "the last answer is not of the form v=");
    if (!sl_base64_decode(text.data, (size_t)text.size, false, theirs, sizeof theirs, &got) ||
        got != size)
        return refuse_answer(why, "the broker's signature is none");
    rv = sl_digest_hmac(s->kind, keys->server, size, s->said.data, s->said.size, signature);
    if (rv == 0 && !sl_digest_equal(signature, theirs, size))
        rv = refuse_answer(why, "the broker could not prove that it knows the password");
    sl_alloc_wipe(signature, sizeof signature);
    return rv;
}
