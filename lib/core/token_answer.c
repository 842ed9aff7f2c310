/* From an answer to a token. Whoever runs the provider, or can write to the file, decides what is in
 * it: sizes are capped, and only what can be sent as a token is one.
 *
 * A lifetime is what expires_in says, and what a JWT says of its own end ("exp", against this machine's
 * clock); the shorter one counts. Where the clock says that a token which the provider has just
 * given is over already, the clock is wrong, and expires_in counts alone. A token that is no JWT, or a
 * JWT that cannot be read, says nothing; only its broker has to understand it.
 *
 * Nothing of a JWT is verified: that is the broker's business, and would need the provider's keys. */
#include "core/token_answer.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "core/sasl_tokens.h"
#include "sluice/error.h"

/* ---- a JWT's own word ---- */

struct token_claims {
    int64_t ends_ms; /* -1: it does not say */
};

static void read_token_claims(const uint8_t *payload, size_t size, struct token_claims *claims,
                              char subject[SL_TOKEN_SUBJECT]) {
    struct sl_json json;
    struct sl_json_member m;
    int64_t seconds;
    sl_json_init(&json, payload, size);
    while (sl_json_next(&json, &m)) {
        if (sl_bytes_str_equal(m.name, SL_STR("exp")) && sl_json_count(&m, &seconds)) {
            enum { MILLISECONDS = 1000 };
            claims->ends_ms =
                seconds < INT64_MAX / MILLISECONDS ? seconds * MILLISECONDS : INT64_MAX;
        } else if (sl_bytes_str_equal(m.name, SL_STR("sub")) && m.kind == SL_JSON_TEXT) {
            struct sl_text text;
            sl_text_init(&text, subject, SL_TOKEN_SUBJECT);
            sl_text_put_len(&text, m.value.data, (size_t)m.value.size);
        }
    }
    if (sl_json_is_whole(&json)) return;
    claims->ends_ms = -1;
    subject[0] = '\0';
}

/* 0 or NOMEM. */
static int read_jwt(const struct sl_alloc *alloc, struct sl_token_answer *out,
                    struct token_claims *claims) {
    const char *start = strchr(out->token, '.');
    const char *end = start == NULL ? NULL : strchr(start + 1, '.');
    claims->ends_ms = -1;
    if (end == NULL || end == start + 1) return 0;
    size_t length = (size_t)(end - start) - 1, size;
    uint8_t *payload = sl_alloc_get(alloc, length);
    if (payload == NULL) return SLUICE_ERR_NOMEM;
    if (sl_base64_decode(start + 1, length, true, payload, length, &size))
        read_token_claims(payload, size, claims, out->subject);
    sl_alloc_wipe(payload, length);
    sl_alloc_free(alloc, payload, length);
    return 0;
}

/* claimed_ms: what was said beside the token, -1: nothing. Takes back the token when it fails. */
static int settle_token_life(int64_t claimed_ms, int64_t wall_ms, const struct sl_alloc *alloc,
                             struct sl_token_answer *out, struct sl_text *why) {
    struct token_claims claims;
    int rv = read_jwt(alloc, out, &claims);
    if (rv != 0) {
        sl_alloc_free_secret(alloc, out->token);
        out->token = NULL;
        sl_text_put(why, "no memory for a token");
        return rv;
    }
    int64_t left_ms = -1;
    if (claims.ends_ms >= 0) left_ms = claims.ends_ms > wall_ms ? claims.ends_ms - wall_ms : 0;
    out->life_ms = claimed_ms;
    bool is_shorter = claimed_ms < 0 || left_ms < claimed_ms;
    if (left_ms >= 0 && is_shorter && (left_ms > 0 || claimed_ms <= 0)) out->life_ms = left_ms;
    return 0;
}

/* ---- a file ---- */

static bool is_blank_byte(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

int sl_token_answer_read_file(struct sl_bytes content, int64_t wall_ms,
                              const struct sl_alloc *alloc, struct sl_token_answer *out,
                              struct sl_text *why) {
    const char *start = (const char *)content.data;
    size_t size = content.size > 0 ? (size_t)content.size : 0;
    memset(out, 0, sizeof *out);
    while (size > 0 && is_blank_byte((uint8_t)start[size - 1])) size--;
    for (; size > 0 && is_blank_byte((uint8_t)*start); size--) start++;
    if (size == 0) {
        sl_text_put(why, "it is empty");
        return SLUICE_ERR_AUTH;
    }
    if (size > SL_TOKEN_MAX) {
        sl_text_put(why, "it is longer than any token");
        return SLUICE_ERR_AUTH;
    }
    out->token = sl_alloc_text(alloc, start, size);
    if (out->token == NULL) {
        sl_text_put(why, "no memory for a token");
        return SLUICE_ERR_NOMEM;
    }
    if (strlen(out->token) != size || !sl_sasl_tokens_is_token(out->token)) {
        sl_alloc_free(alloc, out->token, size + 1);
        out->token = NULL;
        sl_text_put(why, "what is in it is not a token");
        return SLUICE_ERR_AUTH;
    }
    return settle_token_life(-1, wall_ms, alloc, out, why);
}

/* ---- a provider ---- */

struct provider_answer {
    struct sl_str token, second, error, description;
    int64_t expires_s; /* -1: not said */
};

/* False: it is no object. */
static bool read_provider_answer(struct sl_bytes content, struct provider_answer *out) {
    struct sl_json json;
    struct sl_json_member m;
    memset(out, 0, sizeof *out);
    out->expires_s = -1;
    sl_json_init(&json, content.data, content.size > 0 ? (size_t)content.size : 0);
    while (sl_json_next(&json, &m)) {
        bool is_text = m.kind == SL_JSON_TEXT;
        if (sl_bytes_str_equal(m.name, SL_STR("access_token")) && is_text) out->token = m.value;
        if (sl_bytes_str_equal(m.name, SL_STR("id_token")) && is_text) out->second = m.value;
        if (sl_bytes_str_equal(m.name, SL_STR("error")) && is_text) out->error = m.value;
        if (sl_bytes_str_equal(m.name, SL_STR("error_description")) && is_text)
            out->description = m.value;
        if (sl_bytes_str_equal(m.name, SL_STR("expires_in")) && !sl_json_count(&m, &out->expires_s))
            out->expires_s = -1;
    }
    return sl_json_is_whole(&json);
}

static void tell_provider_error(const struct provider_answer *answer, struct sl_text *why) {
    enum { ERROR_MAX = 60, DESCRIPTION_MAX = 120 };
    sl_json_tell(why, answer->error, ERROR_MAX);
    if (answer->description.size <= 0) return;
    sl_text_put(why, ": ");
    sl_json_tell(why, answer->description, DESCRIPTION_MAX);
}

void sl_token_answer_tell(struct sl_bytes content, struct sl_text *why) {
    struct provider_answer answer;
    if (read_provider_answer(content, &answer) && answer.error.size > 0)
        tell_provider_error(&answer, why);
}

/* The token of the answer as a text of its own. 0, NOMEM, or AUTH: it cannot be sent. */
static int copy_provider_token(struct sl_str token, const struct sl_alloc *alloc, char **out) {
    struct sl_writer text;
    sl_writer_init(&text, alloc);
    /* Room for all of it at once, so that it does not move and leave a copy behind. */
    int rv = sl_writer_grow(&text, (size_t)token.size + 1) ? 0 : SLUICE_ERR_NOMEM;
    if (rv == 0 && !sl_json_put_text(&text, token)) rv = SLUICE_ERR_AUTH;
    if (rv == 0) {
        sl_writer_i8(&text, 0);
        if (strlen((const char *)text.data) != text.size - 1 ||
            !sl_sasl_tokens_is_token((const char *)text.data))
            rv = SLUICE_ERR_AUTH;
    }
    if (rv == 0) {
        *out = sl_alloc_text(alloc, (const char *)text.data, text.size - 1);
        if (*out == NULL) rv = SLUICE_ERR_NOMEM;
    }
    if (text.data != NULL) sl_alloc_wipe(text.data, text.cap);
    sl_writer_deinit(&text);
    return rv;
}

int sl_token_answer_read_oidc(struct sl_bytes content, int64_t wall_ms,
                              const struct sl_alloc *alloc, struct sl_token_answer *out,
                              struct sl_text *why) {
    enum { SECONDS_MAX = INT32_MAX, MILLISECONDS = 1000 };
    struct provider_answer answer;
    memset(out, 0, sizeof *out);
    if (!read_provider_answer(content, &answer)) {
        sl_text_put(why, "its answer is not a JSON object");
        return SLUICE_ERR_AUTH;
    }
    struct sl_str token = answer.token.size > 0 ? answer.token : answer.second;
    if (token.size <= 0 && answer.error.size > 0) {
        tell_provider_error(&answer, why);
        return SLUICE_ERR_AUTH;
    }
    if (token.size <= 0) {
        sl_text_put(why, "its answer has no access_token");
        return SLUICE_ERR_AUTH;
    }
    int rv = copy_provider_token(token, alloc, &out->token);
    if (rv != 0) {
        sl_text_put(why, rv == SLUICE_ERR_NOMEM ? "no memory for a token"
                                                : "the access_token of its answer is not a token");
        return rv;
    }
    if (answer.expires_s > SECONDS_MAX) answer.expires_s = SECONDS_MAX;
    int64_t claimed_ms = answer.expires_s < 0 ? -1 : answer.expires_s * MILLISECONDS;
    return settle_token_life(claimed_ms, wall_ms, alloc, out, why);
}
