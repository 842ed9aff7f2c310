/* Bounded text: fixed buffers that count what did not fit, and small parsers for settings.
 *
 * Parsers accept the whole text or nothing, never a prefix, and know ASCII only: the C library's
 * ctype and strto* functions follow the locale of the application, which must not change what
 * "9092" or "TRUE" mean.
 *
 * Invariants of struct sl_text: data[min(size, cap - 1)] is NUL whenever cap > 0, and size counts
 * what an unlimited buffer would hold, so a caller compares size with cap to see truncation.
 *
 * Not done here: no floating point (the decimal point follows the locale), no allocation, no
 * repair of UTF-8 that is cut at the end of a buffer. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* ---- appending ---- */

void sl_text_init(struct sl_text *t, char *buf, size_t cap) {
    t->data = buf;
    t->cap = cap;
    t->size = 0;
    if (cap > 0) buf[0] = '\0';
}

void sl_text_put_len(struct sl_text *t, const char *text, size_t len) {
    if (t->size < t->cap) {
        size_t room = t->cap - 1 - t->size;
        size_t fits = len < room ? len : room;
        if (fits > 0) memcpy(t->data + t->size, text, fits);
        t->data[t->size + fits] = '\0';
    }
    t->size += len;
}

void sl_text_put(struct sl_text *t, const char *text) { sl_text_put_len(t, text, strlen(text)); }

size_t sl_text_escape(char c, char out[8]) {
    static const char hex[] = "0123456789abcdef";
    const uint8_t byte = (uint8_t)c;
    if (byte >= ' ' && byte != 0x7f) {
        out[0] = c;
        return 1;
    }
    out[0] = '\\';
    out[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : 'u';
    if (out[1] != 'u') return 2;
    memcpy(out + 2, "00", 2);
    out[4] = hex[byte >> 4];
    out[5] = hex[byte & 15];
    return 6;
}

void sl_text_put_escaped(struct sl_text *t, const char *text) {
    char piece[8];
    for (; *text != '\0'; text++) sl_text_put_len(t, piece, sl_text_escape(*text, piece));
}

void sl_text_vprintf(struct sl_text *t, const char *format, va_list args) {
    size_t room = t->size < t->cap ? t->cap - t->size : 0;
    int len = vsnprintf(room > 0 ? t->data + t->size : NULL, room, format, args);
    if (len > 0) t->size += (size_t)len;
}

void sl_text_printf(struct sl_text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    sl_text_vprintf(t, format, args);
    va_end(args);
}

/* ---- numbers and words ---- */

bool sl_text_parse_i64(const char *text, int64_t *out) {
    bool negative = *text == '-';
    if (*text == '-' || *text == '+') text++;
    if (*text == '\0') return false;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value = 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (limit - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

/* A whole number at *text, moved behind it. False: there is none, or it is too large. */
static bool parse_digits(const char **text, int64_t most, int64_t *out) {
    const char *at = *text;
    for (*out = 0; *at >= '0' && *at <= '9'; at++) {
        *out = *out * 10 + (*at - '0');
        if (*out > most) return false;
    }
    bool is_any = at != *text;
    *text = at;
    return is_any;
}

/* Thousandths at *text, moved behind all digits. */
static int64_t parse_thousandths(const char **text) {
    int64_t value = 0;
    int64_t weight = 100;
    for (; **text >= '0' && **text <= '9'; ++*text, weight /= 10) value += (**text - '0') * weight;
    return value;
}

bool sl_text_parse_duration(const char *text, int64_t *out_ms) {
    /* Each at most once and in this order; T comes before the first of a day's parts. */
    static const char letters[] = "DTHMS";
    static const int64_t units[] = {86400000, 0, 3600000, 60000, 1000};
    const int64_t most = INT64_C(1) << 53;
    const char *next = letters;
    int64_t sum = 0;
    if (*text++ != 'P' || *text == '\0') return false;
    while (*text != '\0') {
        int64_t number;
        int64_t part = 0;
        if (*text == 'T' && next <= letters + 1) {
            next = letters + 2;
            text++;
        }
        if (!parse_digits(&text, most / 1000, &number)) return false;
        bool has_part = *text == '.';
        if (has_part) {
            text++;
            part = parse_thousandths(&text);
        }
        const char *letter = *text == '\0' || *text == 'T' ? NULL : strchr(next, *text);
        /* Without T there are days alone. */
        if (letter == NULL || (next < letters + 2 && *letter != 'D')) return false;
        if (has_part && *letter != 'S') return false;
        if (number > (most - sum - part) / units[letter - letters]) return false;
        sum += number * units[letter - letters] + part;
        next = letter + 1;
        text++;
    }
    *out_ms = sum;
    return true;
}

static char fold_ascii_case(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

bool sl_text_equal_fold(const char *a, const char *b) {
    while (*a != '\0' && fold_ascii_case(*a) == fold_ascii_case(*b)) {
        a++;
        b++;
    }
    return fold_ascii_case(*a) == fold_ascii_case(*b);
}

bool sl_text_parse_bool(const char *text, bool *out) {
    bool is_true = sl_text_equal_fold(text, "true");
    if (!is_true && !sl_text_equal_fold(text, "false")) return false;
    *out = is_true;
    return true;
}

/* Names of settings are shorter; longer texts count as unlike. */
enum { TEXT_DISTANCE_MAX = 64 };

static int least_of_three(int a, int b, int c) {
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* By their low five bits, so that some share one. */
static uint32_t set_of_letters(const char *text) {
    uint32_t set = 0;
    for (; *text != '\0'; text++) set |= (uint32_t)1 << (*text & 31);
    return set;
}

/* Fewer edits cannot do: each takes away one letter and brings one in, at most. */
static int least_distance(const char *a, const char *b) {
    uint32_t in_a = set_of_letters(a);
    uint32_t in_b = set_of_letters(b);
    int gone = 0;
    int come = 0;
    for (uint32_t left = in_a & ~in_b; left != 0; left &= left - 1) gone++;
    for (uint32_t left = in_b & ~in_a; left != 0; left &= left - 1) come++;
    return gone > come ? gone : come;
}

/* The optimal string alignment distance, row by row: row[j] is the distance of the first i
 * characters of a and the first j of b; a swap looks two rows back. */
int sl_text_distance(const char *a, const char *b, int most) {
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    size_t longer = a_len > b_len ? a_len - b_len : b_len - a_len;
    if (a_len > TEXT_DISTANCE_MAX || b_len > TEXT_DISTANCE_MAX) return most + 1;
    if (most < 0 || longer > (size_t)most || least_distance(a, b) > most) return most + 1;
    /* Only cells near the diagonal can be at most so much; those beside them count as more. */
    size_t band = most < TEXT_DISTANCE_MAX ? (size_t)most : TEXT_DISTANCE_MAX;
    int rows[3][TEXT_DISTANCE_MAX + 1];
    int *above2 = rows[0];
    int *above = rows[1];
    int *row = rows[2];
    int least_above = 0;
    for (size_t j = 0; j <= b_len; j++) row[j] = (int)j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t first = i > band ? i - band : 1;
        size_t last = b_len < i + band ? b_len : i + band;
        int *oldest = above2;
        above2 = above;
        above = row;
        row = oldest;
        row[first - 1] = first == 1 ? (int)i : most + 1;
        if (last < b_len) row[last + 1] = most + 1;
        int least = row[first - 1];
        for (size_t j = first; j <= last; j++) {
            int replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = least_of_three(above[j] + 1, row[j - 1] + 1, replaced);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
            if (row[j] < least) least = row[j];
        }
        /* A swap reaches back over one row, no edit over two. */
        if (least > most && least_above > most) return most + 1;
        least_above = least;
    }
    return row[b_len] > most ? most + 1 : row[b_len];
}

/* ---- endpoints ---- */

/* Characters that no host name or address has, but that slips of the pen bring in. */
static bool is_host_char(char c) {
    unsigned char u = (unsigned char)c;
    return u > ' ' && u != 0x7f && strchr("/[]@,;\"'", c) == NULL;
}

/* Listener names as brokers print them: PLAINTEXT, SASL_SSL, and the like. */
static bool is_proto_char(char c) {
    c = fold_ascii_case(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
           c == '+';
}

/* Steps over "proto://" if it is there. False: it is there and malformed. */
static bool skip_endpoint_proto(const char **text, const char *end) {
    const char *at = *text;
    while (at < end && is_proto_char(*at)) at++;
    if (end - at < 3 || memcmp(at, "://", 3) != 0) return true;
    if (at == *text) return false;
    *text = at + 3;
    return true;
}

static bool parse_endpoint_port(const char *text, const char *end, uint16_t *port) {
    if (end - text < 1 || end - text > 5) return false;
    uint32_t value = 0;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9') return false;
        value = value * 10 + (uint32_t)(*text - '0');
    }
    if (value < 1 || value > 65535) return false;
    *port = (uint16_t)value;
    return true;
}

/* Finds the host in [text, end) and moves *at behind it. Returns NULL or what is wrong. */
static const char *find_endpoint_host(const char *text, const char *end, const char **host,
                                      const char **host_end, const char **at) {
    if (text < end && *text == '[') {
        *host = text + 1;
        *host_end = memchr(text, ']', (size_t)(end - text));
        if (*host_end == NULL) return "the ] after the IPv6 address is missing";
        if (memchr(*host, ':', (size_t)(*host_end - *host)) == NULL)
            return "brackets are for IPv6 addresses only";
        *at = *host_end + 1;
        return NULL;
    }
    const char *colon = text < end ? memchr(text, ':', (size_t)(end - text)) : NULL;
    *host = text;
    *host_end = *at = colon == NULL ? end : colon;
    if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL)
        return "an IPv6 address needs brackets, as in [::1]:9092";
    return NULL;
}

const char *sl_text_parse_endpoint(const char *text, size_t len, char *host, size_t host_cap,
                                   uint16_t *port) {
    const char *end = text + len;
    const char *from;
    const char *to;
    const char *at;
    if (!skip_endpoint_proto(&text, end)) return "the protocol before :// is missing";
    const char *wrong = find_endpoint_host(text, end, &from, &to, &at);
    if (wrong != NULL) return wrong;
    if (from == to) return "the host is missing";
    for (const char *c = from; c < to; c++)
        if (!is_host_char(*c)) return "the host has a character that no host name has";
    if ((size_t)(to - from) >= host_cap) return "the host is too long";
    if (at == end) return "the port is missing, as in host:9092";
    uint16_t number;
    if (*at != ':' || !parse_endpoint_port(at + 1, end, &number))
        return "the port is not a number from 1 to 65535";
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    *port = number;
    return NULL;
}

/* ---- UUIDs ---- */

void sl_text_uuid(const uint8_t bytes[16], char out[23]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0; /* the low `held` bits wait to be written */
    unsigned held = 0;
    char *at = out;
    for (int i = 0; i < 16; i++) {
        bits = bits << 8 | bytes[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            *at++ = digits[bits >> held & 63];
        }
    }
    /* 128 = 21 * 6 + 2: the last digit holds two bits, on its left. */
    *at++ = digits[bits << (6 - held) & 63];
    *at = '\0';
}
