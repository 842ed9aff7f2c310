/* Unsecured JWTs, as Kafka's brokers take them where nothing else was configured (KIP-255): three parts
 * with dots between, the first two JSON in base64, the third empty. The algorithm has to be "none",
 * "sub" names the user, "exp" and perhaps "iat" are in seconds. For tests alone: anybody can make
 * one. */
#include <string.h>

#include "base/base64.h"
#include "broker/machine.h"

enum { JWT_PART_MAX = 2048 };

static void skip_blanks(struct sl_reader *r) {
    while (sl_reader_left(r) > 0 && (*r->at == ' ' || (*r->at >= '\t' && *r->at <= '\r'))) r->at++;
}

static bool take_sign(struct sl_reader *r, char sign) {
    skip_blanks(r);
    if (sl_reader_left(r) == 0 || *r->at != (uint8_t)sign) return false;
    r->at++;
    return true;
}

/* A text in quotes without escapes. */
static bool take_text(struct sl_reader *r, struct sl_str *out) {
    if (!take_sign(r, '"')) return false;
    const uint8_t *end = memchr(r->at, '"', sl_reader_left(r));
    if (end == NULL || memchr(r->at, '\\', (size_t)(end - r->at)) != NULL) return false;
    *out = (struct sl_str){(const char *)r->at, (int32_t)(end - r->at)};
    r->at = end + 1;
    return true;
}

/* Seconds, perhaps with a fraction, which is dropped. */
static bool take_seconds(struct sl_reader *r, int64_t *out_ms) {
    int64_t seconds = 0;
    int digits = 0;
    skip_blanks(r);
    for (; sl_reader_left(r) > 0 && *r->at >= '0' && *r->at <= '9' && digits < 12; digits++)
        seconds = seconds * 10 + (*r->at++ - '0');
    if (digits == 0) return false;
    if (sl_reader_left(r) > 0 && *r->at == '.') {
        r->at++;
        while (sl_reader_left(r) > 0 && *r->at >= '0' && *r->at <= '9') r->at++;
    }
    *out_ms = seconds * 1000;
    return true;
}

/* What is looked for in both objects. */
struct jwt_claims {
    struct sl_str algorithm, subject;
    int64_t expires_ms, issued_ms;
};

static bool take_claim(struct sl_reader *r, struct jwt_claims *out) {
    struct sl_str name, other;
    if (!take_text(r, &name) || !take_sign(r, ':')) return false;
    if (sl_bytes_str_equal(name, SL_STR("exp"))) return take_seconds(r, &out->expires_ms);
    if (sl_bytes_str_equal(name, SL_STR("iat"))) return take_seconds(r, &out->issued_ms);
    if (sl_bytes_str_equal(name, SL_STR("alg"))) return take_text(r, &out->algorithm);
    if (sl_bytes_str_equal(name, SL_STR("sub"))) return take_text(r, &out->subject);
    int64_t number;
    skip_blanks(r);
    return sl_reader_left(r) > 0 && *r->at == '"' ? take_text(r, &other) : take_seconds(r, &number);
}

static bool read_object(const uint8_t *data, size_t size, struct jwt_claims *out) {
    struct sl_reader r;
    sl_reader_init(&r, data, size);
    if (!take_sign(&r, '{')) return false;
    do {
        if (!take_claim(&r, out)) return false;
    } while (take_sign(&r, ','));
    return take_sign(&r, '}') && sl_reader_left(&r) == 0;
}

/* One part, up to its dot; moves behind it. */
static bool take_part(struct sl_str *rest, uint8_t *out, size_t *size) {
    const char *dot = memchr(rest->data, '.', (size_t)rest->size);
    if (dot == NULL) return false;
    size_t length = (size_t)(dot - rest->data);
    if (!sl_base64_decode(rest->data, length, true, out, JWT_PART_MAX, size)) return false;
    *rest = (struct sl_str){dot + 1, rest->size - (int32_t)length - 1};
    return true;
}

bool sl_auth_jwt_read(struct sl_str token, int64_t wall_ms, char *user, size_t cap,
                      int64_t *ends_ms) {
    uint8_t header[JWT_PART_MAX], body[JWT_PART_MAX];
    struct jwt_claims claims = {0};
    size_t header_size, body_size;
    struct sl_text text;
    if (!take_part(&token, header, &header_size) || !take_part(&token, body, &body_size) ||
        token.size != 0)
        return false;
    if (!read_object(header, header_size, &claims) || !read_object(body, body_size, &claims))
        return false;
    if (!sl_bytes_str_equal(claims.algorithm, SL_STR("none"))) return false;
    if (claims.expires_ms <= wall_ms || claims.issued_ms > wall_ms) return false;
    if (claims.subject.size < 1 || (size_t)claims.subject.size >= cap) return false;
    sl_text_init(&text, user, cap);
    sl_text_put_len(&text, claims.subject.data, (size_t)claims.subject.size);
    *ends_ms = claims.expires_ms;
    return true;
}
