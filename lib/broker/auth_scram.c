/* SCRAM as a server (RFC 5802), as strict with nonces as Kafka 4.3 is, and its lies. The keys are made
 * of the password when they are first needed, and kept. */
#include <string.h>

#include "base/base64.h"
#include "broker/machine.h"

enum { SCRAM_SALT = 18 };

static void put_text(struct sl_writer *out, const char *text) {
    sl_writer_raw(out, text, strlen(text));
}

/* The attribute at the front, up to a comma or the end. */
static bool cut_attribute(struct sl_str *rest, const char *name, struct sl_str *value) {
    if (rest->size < 2 || memcmp(rest->data, name, 2) != 0) return false;
    int32_t size = 2;
    while (size < rest->size && rest->data[size] != ',') size++;
    *value = (struct sl_str){rest->data + 2, size - 2};
    int32_t skip = size < rest->size ? size + 1 : size;
    rest->data += skip;
    rest->size -= skip;
    return true;
}

/* =3D and =2C back; anything else behind an equals sign is wrong. */
static bool unescape_name(struct sl_str in, char *out, size_t cap) {
    size_t size = 0;
    for (int32_t i = 0; i < in.size; i++) {
        char c = in.data[i];
        if (c == '=') {
            if (i + 2 >= in.size) return false;
            if (memcmp(in.data + i, "=3D", 3) != 0 && memcmp(in.data + i, "=2C", 3) != 0)
                return false;
            c = in.data[i + 1] == '3' ? '=' : ',';
            i += 2;
        }
        if (size + 1 == cap) return false;
        out[size++] = c;
    }
    out[size] = '\0';
    return size > 0;
}

static enum sl_digest_kind scram_kind(const struct sl_auth *auth) {
    return auth->mechanism == SL_AUTH_SCRAM_SHA_256 ? SL_DIGEST_SHA256 : SL_DIGEST_SHA512;
}

/* The same for a user each time, as if it were stored. */
static int salt_of(const struct sl_machine_link *link, uint8_t salt[SL_DIGEST_MAX]) {
    const char *name = link->auth->candidate;
    return sl_digest_hmac(SL_DIGEST_SHA256, link->c->cluster_id, strlen(link->c->cluster_id), name,
                          strlen(name), salt);
}

/* ---- the first message ---- */

static void make_scram_nonce(struct sl_machine_link *link, struct sl_str theirs) {
    struct sl_auth *auth = link->auth;
    enum sl_auth_lie lie = link->c->auth.lie;
    struct sl_text text;
    sl_text_init(&text, auth->nonce, sizeof auth->nonce);
    if (lie != SL_AUTH_LIE_NONCE) sl_text_put_len(&text, theirs.data, (size_t)theirs.size);
    if (lie == SL_AUTH_LIE_ECHO) return;
    /* Also characters that no base64 has: a nonce may be anything that can be printed but commas. */
    sl_text_printf(&text, "%%%016llx)=$", (unsigned long long)sl_rng_next(&link->c->rng));
}

static bool put_server_first(struct sl_machine_link *link, struct sl_writer *out) {
    const struct sl_auth_settings *s = &link->c->auth;
    uint8_t salt[SL_DIGEST_MAX];
    struct sl_text text;
    char buf[32];
    if (salt_of(link, salt) != 0) return false;
    int64_t iterations = s->lie == SL_AUTH_LIE_ITERATIONS ? 1000000000
                         : s->lie == SL_AUTH_LIE_FEW      ? 1
                                                          : s->iterations;
    sl_text_init(&text, buf, sizeof buf);
    sl_text_printf(&text, ",i=%lld", (long long)iterations);
    if (s->lie == SL_AUTH_LIE_EXTENSION) put_text(out, "m=x,");
    put_text(out, "r=");
    put_text(out, link->auth->nonce);
    put_text(out, ",s=");
    sl_base64_encode(out, salt, SCRAM_SALT);
    put_text(out, buf);
    return true;
}

static enum sl_auth_verdict take_first(struct sl_machine_link *link, struct sl_str message,
                                       struct sl_writer *out) {
    struct sl_auth *auth = link->auth;
    struct sl_str rest = message, name, nonce;
    auth->said.size = 0;
    if (rest.size < 3 || memcmp(rest.data, "n,,", 3) != 0) return SL_AUTH_REFUSED;
    rest = (struct sl_str){rest.data + 3, rest.size - 3};
    sl_writer_raw(&auth->said, rest.data, (size_t)rest.size);
    if (!cut_attribute(&rest, "n=", &name) || !cut_attribute(&rest, "r=", &nonce))
        return SL_AUTH_REFUSED;
    if (nonce.size < 8 || nonce.size > 64) return SL_AUTH_REFUSED;
    if (!unescape_name(name, auth->candidate, sizeof auth->candidate)) return SL_AUTH_REFUSED;
    make_scram_nonce(link, nonce);
    if (sl_auth_find_user(&link->c->auth, sl_bytes_str(auth->candidate)) == NULL)
        return SL_AUTH_REFUSED;
    size_t at = out->size;
    if (!put_server_first(link, out) || out->failed) return SL_AUTH_REFUSED;
    sl_writer_raw(&auth->said, ",", 1);
    sl_writer_raw(&auth->said, out->data + at, out->size - at);
    return auth->said.failed ? SL_AUTH_REFUSED : SL_AUTH_GOES_ON;
}

/* ---- the proof ---- */

/* Makes them of the password. */
static bool make_server_keys(const struct sl_machine_link *link, const struct sl_auth_user *user,
                             struct sl_auth_stored *out) {
    enum sl_digest_kind kind = scram_kind(link->auth);
    struct sl_digest_stretch stretch;
    uint8_t salt[SL_DIGEST_MAX], client[SL_DIGEST_MAX];
    size_t size = sl_digest_size(kind);
    if (salt_of(link, salt) != 0) return false;
    if (sl_digest_stretch_init(&stretch, kind, user->secret, strlen(user->secret), salt, SCRAM_SALT,
                               (uint32_t)link->c->auth.iterations) != 0)
        return false;
    bool is_good = sl_digest_stretch_run(&stretch, UINT32_MAX) == 0 &&
                   sl_digest_hmac(kind, stretch.block, size, "Client Key", 10, client) == 0 &&
                   sl_digest_hmac(kind, stretch.block, size, "Server Key", 10, out->server) == 0 &&
                   sl_digest_hash(kind, client, size, out->stored) == 0;
    sl_digest_stretch_deinit(&stretch);
    out->iterations = is_good ? link->c->auth.iterations : 0;
    return is_good;
}

/* What is stored of who is logging in, NULL: nobody is known by that name, or it cannot be made. */
static const struct sl_auth_stored *stored_keys(struct sl_machine_link *link) {
    struct sl_auth_user *user =
        sl_auth_find_user(&link->c->auth, sl_bytes_str(link->auth->candidate));
    if (user == NULL) return NULL;
    struct sl_auth_stored *keys = &user->stored[scram_kind(link->auth) == SL_DIGEST_SHA256 ? 0 : 1];
    if (keys->iterations == link->c->auth.iterations) return keys;
    return make_server_keys(link, user, keys) ? keys : NULL;
}

/* The proof, turned back into the client's key, has to hash to what is stored. */
static bool is_proof_right(const struct sl_auth *auth, const struct sl_auth_stored *keys,
                           struct sl_str text) {
    enum sl_digest_kind kind = scram_kind(auth);
    uint8_t proof[SL_DIGEST_MAX], signature[SL_DIGEST_MAX], hash[SL_DIGEST_MAX];
    size_t size = sl_digest_size(kind), got;
    if (!sl_base64_decode(text.data, (size_t)text.size, false, proof, sizeof proof, &got) ||
        got != size)
        return false;
    if (sl_digest_hmac(kind, keys->stored, size, auth->said.data, auth->said.size, signature) != 0)
        return false;
    for (size_t i = 0; i < size; i++) proof[i] ^= signature[i];
    return sl_digest_hash(kind, proof, size, hash) == 0 &&
           sl_digest_equal(hash, keys->stored, size);
}

static void put_signature(struct sl_machine_link *link, const struct sl_auth_stored *keys,
                          struct sl_writer *out) {
    enum sl_digest_kind kind = scram_kind(link->auth);
    enum sl_auth_lie lie = link->c->auth.lie;
    uint8_t signature[SL_DIGEST_MAX] = {0};
    size_t size = sl_digest_size(kind);
    (void)sl_digest_hmac(kind, keys->server, size, link->auth->said.data, link->auth->said.size,
                         signature); /* zeros are refused by the client */
    if (lie == SL_AUTH_LIE_SIGNATURE) signature[size - 1] ^= 1;
    if (lie == SL_AUTH_LIE_UNSIGNED) return;
    put_text(out, "v=");
    sl_base64_encode(out, signature, size);
}

static enum sl_auth_verdict take_proof(struct sl_machine_link *link, struct sl_str message,
                                       struct sl_writer *out) {
    struct sl_auth *auth = link->auth;
    struct sl_str rest = message, binding, nonce, proof;
    if (!cut_attribute(&rest, "c=", &binding) || !cut_attribute(&rest, "r=", &nonce))
        return SL_AUTH_REFUSED;
    int32_t signed_size = message.size - rest.size - 1; /* without the comma before the proof */
    if (!cut_attribute(&rest, "p=", &proof) || rest.size != 0) return SL_AUTH_REFUSED;
    if (!sl_bytes_str_equal(binding, SL_STR("biws"))) return SL_AUTH_REFUSED;
    if (!sl_bytes_str_equal(nonce, sl_bytes_str(auth->nonce))) return SL_AUTH_REFUSED;
    sl_writer_raw(&auth->said, ",", 1);
    sl_writer_raw(&auth->said, message.data, (size_t)signed_size);
    const struct sl_auth_stored *keys = auth->said.failed ? NULL : stored_keys(link);
    bool is_right = keys != NULL && is_proof_right(auth, keys, proof);
    if (is_right) put_signature(link, keys, out);
    return is_right ? SL_AUTH_ACCEPTED : SL_AUTH_REFUSED;
}

enum sl_auth_verdict sl_auth_scram_take(struct sl_machine_link *link, struct sl_bytes token,
                                        struct sl_writer *out) {
    struct sl_str message = {(const char *)token.data, token.size};
    if (link->auth->step == 1) return take_first(link, message, out);
    if (link->auth->step == 2) return take_proof(link, message, out);
    return SL_AUTH_REFUSED;
}
