/* Logging in at the test broker, by the rules of Kafka's.
 *
 *   NEW ── ApiVersions ──▶ VERSIONS ── SaslHandshake ──▶ TOKENS ── the last token ──▶ DONE
 *                                                          ▲                          │
 *                                                          └── SaslHandshake, anew ───┘
 *
 * Whatever else comes in a state ends the connection. A session that has ended takes SaslHandshake
 * alone; it may begin anew once in a second, and keeps its user and mechanism (KIP-368). A refusal is
 * told late, so that guessing is slow, and ends the connection.
 *
 * Nothing of it is shared with the client but hashes and base64: what one side gets wrong the other
 * finds. */
#include "broker/auth.h"

#include <string.h>

#include "broker/machine.h"
#include "sluice/error.h"

enum {
    AUTH_FAILED_MS = 100,  /* Kafka's default */
    AUTH_ITERATIONS = 4096 /* the same */
};
#define AUTH_MILLISECOND INT64_C(1000000)

static const char *const auth_mechanism_names[SL_AUTH_MECHANISMS] = {
    [SL_AUTH_PLAIN] = "PLAIN",
    [SL_AUTH_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [SL_AUTH_SCRAM_SHA_512] = "SCRAM-SHA-512",
    [SL_AUTH_OAUTHBEARER] = "OAUTHBEARER",
};

const char *sl_auth_mechanism_name(enum sl_auth_mechanism mechanism) {
    return auth_mechanism_names[mechanism];
}

/* ---- settings ---- */

void sl_auth_init(struct sl_auth_settings *s, const struct sl_alloc *alloc) {
    memset(s, 0, sizeof *s);
    s->alloc = alloc;
    sl_list_init(&s->users);
    s->failed_ms = AUTH_FAILED_MS;
    s->iterations = AUTH_ITERATIONS;
}

static void destroy_auth_user(struct sl_auth_settings *s, struct sl_auth_user *user) {
    sl_list_remove(&user->node);
    sl_alloc_wipe(user, sizeof *user);
    sl_alloc_free(s->alloc, user, sizeof *user);
}

void sl_auth_deinit(struct sl_auth_settings *s) {
    SL_LIST_EACH(node, next, &s->users)
        destroy_auth_user(s, SL_LIST_OF(node, struct sl_auth_user, node));
}

struct sl_auth_user *sl_auth_find_user(const struct sl_auth_settings *s, struct sl_str name) {
    SL_LIST_EACH(node, next, (struct sl_list *)&s->users) {
        struct sl_auth_user *user = SL_LIST_OF(node, struct sl_auth_user, node);
        if (sl_bytes_str_equal(sl_bytes_str(user->name), name)) return user;
    }
    return NULL;
}

/* "name=password" adds or changes a user, "name=" removes it. */
static bool set_auth_user(struct sl_auth_settings *s, const char *value) {
    const char *sign = strchr(value, '=');
    struct sl_text text;
    if (sign == NULL || sign == value) return false;
    struct sl_str name = {value, (int32_t)(sign - value)};
    struct sl_auth_user *user = sl_auth_find_user(s, name);
    if ((size_t)name.size >= sizeof user->name || strlen(sign + 1) >= sizeof user->secret)
        return false;
    if (sign[1] == '\0') {
        if (user != NULL) destroy_auth_user(s, user);
        return true;
    }
    if (user == NULL) {
        user = sl_alloc_zero(s->alloc, sizeof *user);
        if (user == NULL) return false;
        sl_list_push_back(&s->users, &user->node);
    }
    memset(user->stored, 0, sizeof user->stored);
    sl_text_init(&text, user->name, sizeof user->name);
    sl_text_put_len(&text, name.data, (size_t)name.size);
    sl_text_init(&text, user->secret, sizeof user->secret);
    sl_text_put(&text, sign + 1);
    return true;
}

/* The number of the mechanism that is named, 0: none. */
static int find_auth_mechanism(struct sl_str name) {
    for (int i = 1; i < SL_AUTH_MECHANISMS; i++)
        if (sl_bytes_str_equal(sl_bytes_str(auth_mechanism_names[i]), name)) return i;
    return 0;
}

static bool set_auth_mechanisms(struct sl_auth_settings *s, const char *value) {
    uint32_t mechanisms = 0;
    while (*value != '\0') {
        size_t size = 0;
        while (value[size] != '\0' && value[size] != ',') size++;
        int mechanism = find_auth_mechanism((struct sl_str){value, (int32_t)size});
        if (mechanism == 0) return false;
        mechanisms |= 1U << mechanism;
        value += size;
        if (*value == ',') value++;
    }
    s->mechanisms = mechanisms;
    return true;
}

static bool set_auth_lie(struct sl_auth_settings *s, const char *value) {
    static const char *const names[SL_AUTH_LIES] = {
        [SL_AUTH_LIE_NONE] = "",
        [SL_AUTH_LIE_ITERATIONS] = "iterations",
        [SL_AUTH_LIE_FEW] = "few",
        [SL_AUTH_LIE_NONCE] = "nonce",
        [SL_AUTH_LIE_ECHO] = "echo",
        [SL_AUTH_LIE_SIGNATURE] = "signature",
        [SL_AUTH_LIE_UNSIGNED] = "unsigned",
        [SL_AUTH_LIE_EXTENSION] = "extension",
        [SL_AUTH_LIE_ENDLESS] = "endless",
    };
    for (int i = 0; i < SL_AUTH_LIES; i++) {
        if (strcmp(names[i], value) != 0) continue;
        s->lie = (enum sl_auth_lie)i;
        return true;
    }
    return false;
}

static bool parse_auth_number(const char *value, int64_t low, int64_t *out) {
    int64_t number;
    if (!sl_text_parse_i64(value, &number) || number < low || number > INT32_MAX) return false;
    *out = number;
    return true;
}

bool sl_auth_set(struct sl_auth_settings *s, const char *name, const char *value, bool *is_good) {
    int64_t number = 0;
    if (strcmp(name, "sasl.enabled.mechanisms") == 0) {
        *is_good = set_auth_mechanisms(s, value);
    } else if (strcmp(name, "sasl.user") == 0) {
        *is_good = set_auth_user(s, value);
    } else if (strcmp(name, "sasl.lie") == 0) {
        *is_good = set_auth_lie(s, value);
    } else if (strcmp(name, "connections.max.reauth.ms") == 0) {
        *is_good = parse_auth_number(value, 0, &s->reauth_ms);
    } else if (strcmp(name, "connection.failed.authentication.delay.ms") == 0) {
        *is_good = parse_auth_number(value, 0, &number);
        if (*is_good) s->failed_ms = (int32_t)number;
    } else if (strcmp(name, "sasl.scram.iterations") == 0) {
        *is_good = parse_auth_number(value, 1, &number);
        if (*is_good) s->iterations = (int32_t)number;
    } else {
        return false;
    }
    return true;
}

/* ---- connections ---- */

struct sl_auth *sl_auth_open(const struct sl_auth_settings *s, int *rv) {
    *rv = 0;
    if (s->mechanisms == 0) return NULL;
    struct sl_auth *auth = sl_alloc_zero(s->alloc, sizeof *auth);
    if (auth == NULL) {
        *rv = SLUICE_ERR_NOMEM;
        return NULL;
    }
    auth->state = SL_AUTH_NEW;
    sl_writer_init(&auth->said, s->alloc);
    return auth;
}

void sl_auth_close(const struct sl_auth_settings *s, struct sl_auth *auth) {
    if (auth == NULL) return;
    sl_writer_deinit(&auth->said);
    sl_alloc_free(s->alloc, auth, sizeof *auth);
}

const char *sl_auth_judge(struct sl_machine_link *link, int16_t key) {
    struct sl_auth *auth = link->auth;
    if (auth == NULL) return NULL;
    switch (auth->state) {
    case SL_AUTH_NEW:
        if (key == SL_API_API_VERSIONS) return NULL;
        return key == SL_API_SASL_HANDSHAKE ? NULL : "before authentication";
    case SL_AUTH_VERSIONS:
        return key == SL_API_SASL_HANDSHAKE ? NULL : "before authentication";
    case SL_AUTH_TOKENS:
        return key == SL_API_SASL_AUTHENTICATE ? NULL : "in the middle of authentication";
    case SL_AUTH_RAW: /* no request comes then */
    case SL_AUTH_DONE:
        break;
    }
    bool has_expired = auth->expires_at != 0 && link->c->now > auth->expires_at;
    if (!has_expired || key == SL_API_SASL_HANDSHAKE) return NULL;
    link->c->auth.expired++;
    return "after the session has ended";
}

/* ---- tokens ---- */

static bool copy_auth_name(char *out, size_t cap, struct sl_str name) {
    struct sl_text text;
    sl_text_init(&text, out, cap);
    sl_text_put_len(&text, name.data, (size_t)name.size);
    return name.size > 0 && (size_t)name.size < cap;
}

/* authzid NUL user NUL password */
static enum sl_auth_verdict take_plain(struct sl_machine_link *link, struct sl_bytes token) {
    struct sl_str parts[3];
    const char *at = (const char *)token.data;
    const char *end = at + token.size;
    for (int i = 0; i < 3; i++) {
        const char *stop = i < 2 ? memchr(at, 0, (size_t)(end - at)) : end;
        if (stop == NULL) return SL_AUTH_REFUSED;
        parts[i] = (struct sl_str){at, (int32_t)(stop - at)};
        at = stop + 1;
    }
    const struct sl_auth_user *user = sl_auth_find_user(&link->c->auth, parts[1]);
    bool is_self = parts[0].size == 0 || sl_bytes_str_equal(parts[0], parts[1]);
    if (user == NULL || !is_self || !sl_bytes_str_equal(sl_bytes_str(user->secret), parts[2]))
        return SL_AUTH_REFUSED;
    return copy_auth_name(link->auth->candidate, sizeof link->auth->candidate, parts[1])
               ? SL_AUTH_ACCEPTED
               : SL_AUTH_REFUSED;
}

/* The token and whom it is said to be of, out of "n,[a=user],^Aauth=Bearer TOKEN^A…^A^A". */
static bool read_bearer(struct sl_bytes message, struct sl_str *token, struct sl_str *user) {
    static const char before[] = "\001auth=Bearer ";
    struct sl_str all = {(const char *)message.data, message.size};
    const char *end = all.data + all.size;
    if (all.size < 4 || memcmp(all.data, "n,", 2) != 0) return false;
    const char *comma = memchr(all.data + 2, ',', (size_t)all.size - 2);
    if (comma == NULL || end[-1] != 1 || end[-2] != 1) return false;
    *user = (struct sl_str){all.data + 2, (int32_t)(comma - all.data - 2)};
    if (user->size > 0) {
        if (user->size < 3 || memcmp(user->data, "a=", 2) != 0) return false;
        *user = (struct sl_str){user->data + 2, user->size - 2};
    }
    const char *at = comma + 1;
    if ((size_t)(end - at) < sizeof before || memcmp(at, before, sizeof before - 1) != 0)
        return false;
    at += sizeof before - 1;
    const char *stop = memchr(at, 1, (size_t)(end - at));
    if (stop == NULL) return false;
    *token = (struct sl_str){at, (int32_t)(stop - at)};
    return true;
}

static bool verify_bearer(struct sl_machine_link *link, struct sl_bytes message) {
    const struct sl_auth_settings *s = &link->c->auth;
    struct sl_auth *auth = link->auth;
    struct sl_str token, claimed, user;
    auth->token_ends_ms = 0;
    if (!read_bearer(message, &token, &claimed)) return false;
    if (s->verify != NULL) {
        if (!s->verify(s->verify_self, token, &user)) return false;
        if (!copy_auth_name(auth->candidate, sizeof auth->candidate, user)) return false;
    } else if (!sl_auth_jwt_read(token, link->c->wall_ms, auth->candidate, sizeof auth->candidate,
                                 &auth->token_ends_ms)) {
        return false;
    }
    return claimed.size == 0 || sl_bytes_str_equal(sl_bytes_str(auth->candidate), claimed);
}

static enum sl_auth_verdict take_bearer(struct sl_machine_link *link, struct sl_bytes message,
                                        struct sl_writer *out) {
    static const char refusal[] = "{\"status\":\"invalid_token\",\"scope\":\"test\"}";
    struct sl_auth *auth = link->auth;
    if (auth->token_is_bad) return SL_AUTH_REFUSED;
    if (verify_bearer(link, message)) return SL_AUTH_ACCEPTED;
    auth->token_is_bad = true;
    sl_writer_raw(out, refusal, sizeof refusal - 1);
    return SL_AUTH_GOES_ON;
}

static enum sl_auth_verdict dispatch_token(struct sl_machine_link *link, struct sl_bytes token,
                                           struct sl_writer *out) {
    struct sl_auth *auth = link->auth;
    if (token.size < 0) return SL_AUTH_REFUSED;
    auth->step++;
    if (link->c->auth.lie == SL_AUTH_LIE_ENDLESS && auth->mechanism != SL_AUTH_SCRAM_SHA_256 &&
        auth->mechanism != SL_AUTH_SCRAM_SHA_512) {
        sl_writer_raw(out, "and then?", 9);
        return SL_AUTH_GOES_ON;
    }
    switch (auth->mechanism) {
    case SL_AUTH_PLAIN:
        return take_plain(link, token);
    case SL_AUTH_OAUTHBEARER:
        return take_bearer(link, token, out);
    case SL_AUTH_SCRAM_SHA_256:
    case SL_AUTH_SCRAM_SHA_512:
        return sl_auth_scram_take(link, token, out);
    case SL_AUTH_MECHANISMS:
        break;
    }
    return SL_AUTH_REFUSED;
}

/* The session begins, or goes on. Milliseconds until its end; 0: none. */
static int64_t grant_session(struct sl_machine_link *link) {
    struct sl_auth *auth = link->auth;
    int64_t lifetime_ms = link->c->auth.reauth_ms;
    if (auth->token_ends_ms > 0) {
        int64_t left_ms = auth->token_ends_ms - link->c->wall_ms;
        if (lifetime_ms == 0 || left_ms < lifetime_ms) lifetime_ms = left_ms;
    }
    /* A release that cannot tell of it does not do it either. */
    const struct sl_cluster_node *self = sl_cluster_node(&link->c->cluster, link->node_id);
    if (self->caps[SL_API_SASL_AUTHENTICATE] < 1) lifetime_ms = 0;
    auth->state = SL_AUTH_DONE;
    auth->expires_at = lifetime_ms == 0 ? 0 : link->c->now + lifetime_ms * AUTH_MILLISECOND;
    memcpy(auth->user, auth->candidate, sizeof auth->user);
    return lifetime_ms;
}

enum sl_auth_verdict sl_auth_take(struct sl_machine_link *link, struct sl_bytes token,
                                  struct sl_arena *arena, struct sl_bytes *out,
                                  int64_t *lifetime_ms) {
    struct sl_auth *auth = link->auth;
    struct sl_writer text;
    *lifetime_ms = 0;
    *out = (struct sl_bytes){(const uint8_t *)"", 0};
    sl_writer_init(&text, link->c->alloc);
    enum sl_auth_verdict verdict = dispatch_token(link, token, &text);
    if (text.size > 0 && !text.failed) {
        uint8_t *copy = sl_arena_get(arena, text.size);
        if (copy != NULL) {
            memcpy(copy, text.data, text.size);
            *out = (struct sl_bytes){copy, (int32_t)text.size};
        }
    }
    if (text.failed || arena->failed) verdict = SL_AUTH_REFUSED;
    sl_writer_deinit(&text);
    /* A session is one user's. */
    if (verdict == SL_AUTH_ACCEPTED && auth->user[0] != '\0' &&
        strcmp(auth->user, auth->candidate) != 0)
        verdict = SL_AUTH_REFUSED;
    if (verdict == SL_AUTH_ACCEPTED) *lifetime_ms = grant_session(link);
    return verdict;
}
