/* Reading one JSON object. Its shape is a peer's: every byte is looked at once, nothing is allocated,
 * and nesting is counted, not followed, up to a depth that nobody has who means well.
 *
 *   BEGIN ── { ──▶ INSIDE ── } and nothing behind it ──▶ END
 *     └───────────────┴──── anything else ────────────▶ BROKEN
 *
 * Not here: what is in nested values, and numbers other than counts. */
#include "base/json.h"

enum { JSON_DEPTH_MAX = 64 };

void sl_json_init(struct sl_json *j, const void *data, size_t size) {
    sl_reader_init(&j->r, data, size);
    j->state = SL_JSON_BEGIN;
}

bool sl_json_is_whole(const struct sl_json *j) { return j->state == SL_JSON_END; }

static void skip_json_blanks(struct sl_reader *r) {
    while (sl_reader_left(r) > 0 &&
           (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* The sign that comes next, behind blanks; false: another. */
static bool take_json_sign(struct sl_reader *r, char sign) {
    skip_json_blanks(r);
    if (sl_reader_left(r) == 0 || *r->at != (uint8_t)sign) return false;
    r->at++;
    return true;
}

static bool take_json_text(struct sl_reader *r, struct sl_str *out) {
    if (!take_json_sign(r, '"')) return false;
    const uint8_t *start = r->at;
    while (sl_reader_left(r) > 0 && *r->at != '"') {
        if (*r->at == '\\') r->at++;
        if (sl_reader_left(r) > 0) r->at++;
    }
    if (sl_reader_left(r) == 0) return false;
    *out = (struct sl_str){(const char *)start, (int32_t)(r->at - start)};
    r->at++;
    return true;
}

static bool is_word_byte(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' ||
           c == 'E';
}

/* A number, true, false or null: which, its first byte says. */
static bool take_json_word(struct sl_reader *r) {
    const uint8_t *start = r->at;
    while (sl_reader_left(r) > 0 && is_word_byte(*r->at)) r->at++;
    return r->at > start;
}

/* Everything up to the bracket that closes the one which comes next. */
static bool skip_json_nested(struct sl_reader *r) {
    struct sl_str text;
    int depth = 0;
    do {
        skip_json_blanks(r);
        if (sl_reader_left(r) == 0) return false;
        uint8_t c = *r->at;
        if (c == '"') {
            if (!take_json_text(r, &text)) return false;
            continue;
        }
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        if (depth > JSON_DEPTH_MAX) return false;
        r->at++;
    } while (depth > 0);
    return true;
}

static bool take_json_value(struct sl_reader *r, struct sl_json_member *out) {
    skip_json_blanks(r);
    if (sl_reader_left(r) == 0) return false;
    const uint8_t *start = r->at;
    bool is_good = false;
    if (*start == '"') {
        out->kind = SL_JSON_TEXT;
        return take_json_text(r, &out->value);
    }
    if (*start == '{' || *start == '[') {
        out->kind = SL_JSON_OTHER;
        is_good = skip_json_nested(r);
    } else {
        bool is_number = *start == '-' || (*start >= '0' && *start <= '9');
        out->kind = is_number ? SL_JSON_NUMBER : SL_JSON_OTHER;
        is_good = take_json_word(r);
    }
    out->value = (struct sl_str){(const char *)start, (int32_t)(r->at - start)};
    return is_good;
}

/* The closing bracket has to be the last that there is. */
static void end_json(struct sl_json *j) {
    bool is_closed = take_json_sign(&j->r, '}');
    skip_json_blanks(&j->r);
    j->state = is_closed && sl_reader_left(&j->r) == 0 ? SL_JSON_END : SL_JSON_BROKEN;
}

bool sl_json_next(struct sl_json *j, struct sl_json_member *out) {
    bool is_first = j->state == SL_JSON_BEGIN;
    if (is_first) {
        if (!take_json_sign(&j->r, '{')) {
            j->state = SL_JSON_BROKEN;
            return false;
        }
        j->state = SL_JSON_INSIDE;
        skip_json_blanks(&j->r);
        is_first = sl_reader_left(&j->r) > 0 && *j->r.at != '}';
    }
    if (j->state != SL_JSON_INSIDE) return false;
    if (!is_first && !take_json_sign(&j->r, ',')) {
        end_json(j);
        return false;
    }
    if (take_json_text(&j->r, &out->name) && take_json_sign(&j->r, ':') &&
        take_json_value(&j->r, out))
        return true;
    j->state = SL_JSON_BROKEN;
    return false;
}

/* ---- values ---- */

static int32_t hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character of four digits, or -1: none of ASCII's that can be seen. */
static int32_t plain_unicode(const char *digits, int32_t left) {
    int32_t code = 0;
    if (left < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int32_t digit = hex_digit(digits[i]);
        if (digit < 0) return -1;
        code = code * 16 + digit;
    }
    return code >= ' ' && code <= '~' ? code : -1;
}

bool sl_json_put_text(struct sl_writer *out, struct sl_str value) {
    for (int32_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c == '\\') {
            if (++i == value.size) return false;
            c = value.data[i];
            if (c == 'u') {
                int32_t code = plain_unicode(value.data + i + 1, value.size - i - 1);
                if (code < 0) return false;
                c = (char)code;
                i += 4;
            } else if (c != '"' && c != '\\' && c != '/') {
                return false;
            }
        }
        sl_writer_i8(out, (int8_t)c);
    }
    return !out->failed;
}

void sl_json_tell(struct sl_text *out, struct sl_str value, int32_t most) {
    for (int32_t i = 0; i < value.size && i < most; i++) {
        char c = value.data[i];
        if (c < ' ' || c > '~') c = '?';
        sl_text_put_len(out, &c, 1);
    }
}

bool sl_json_count(const struct sl_json_member *m, int64_t *out) {
    const int64_t most = INT64_C(1) << 53;
    int64_t count = 0;
    int32_t i = 0;
    if (m->kind == SL_JSON_OTHER) return false;
    for (; i < m->value.size && m->value.data[i] >= '0' && m->value.data[i] <= '9'; i++) {
        count = count * 10 + (m->value.data[i] - '0');
        if (count > most) count = most;
    }
    if (i == 0) return false;
    if (i < m->value.size && m->value.data[i] == '.')
        for (i++; i < m->value.size && m->value.data[i] >= '0' && m->value.data[i] <= '9';) i++;
    *out = count;
    return i == m->value.size;
}
