/* What a peer's certificates would take of memory, told from their bytes before OpenSSL parses them.
 *
 * Its own limit is a number of bytes (tls_load.c), and 16 KiB can be made to take 400: a name of 1,300
 * parts, 5,000 names, 2,000 extensions, 36 small certificates. All of it comes before anything is
 * verified. So the cost is estimated from the bytes, the elements of ASN.1, and the certificates, with
 * weights of what OpenSSL takes at worst; ordinary certificates take half of it. Extensions are
 * counted as what is in them, which OpenSSL parses as soon as it looks at an issuer.
 *
 * OpenSSL shows each message whole before it looks into it, but takes no answer. So the length of
 * the list is broken when it is refused, upon which OpenSSL ends the handshake with an alert.
 *
 * Not here: whether a certificate makes sense. What cannot be read as ASN.1 ends the estimate of its
 * element, as it ends OpenSSL's reading. */
#include <string.h>

#include "driver/tls_inside.h"

enum {
    CHAIN_COST_BYTE = 3,        /* encodings, and what is taken out of them */
    CHAIN_COST_STRING_BYTE = 6, /* more in a name, which is also kept as lower case UTF-8 */
    CHAIN_COST_ELEMENT = 72,    /* of a name's part, which has four: 286 while it is parsed */
    CHAIN_COST_CHOICE = 230, /* of a name in an extension: parsed twice, to keep and to compare */
    CHAIN_COST_CERT = 512,
    CHAIN_DEPTH_MAX = 16, /* of a certificate with names in extensions: 11 */
    DER_CONSTRUCTED = 0x20,
    DER_CLASS = 0xc0,
    DER_CONTEXT = 0x80,
    DER_OCTET_STRING = 0x04,
    DER_STRINGS = 0x0c, /* from here on: UTF8String, PrintableString, T61String, … */
    DER_LONG_TAG = 0x1f,
    DER_INDEFINITE = 0x80 /* a length that DER has not, and OpenSSL takes */
};

/* ---- bytes ---- */

struct span {
    const uint8_t *at, *end;
};

static size_t span_size(const struct span *s) { return (size_t)(s->end - s->at); }

/* What a length of so many bytes announces. False: it is not all there. */
static bool take_span(struct span *s, size_t bytes, struct span *out) {
    size_t size = 0;
    if (span_size(s) < bytes) return false;
    while (bytes-- > 0 && size <= span_size(s)) size = size << 8 | *s->at++;
    if (span_size(s) < size) return false;
    *out = (struct span){s->at, s->at + size};
    s->at += size;
    return true;
}

/* ---- ASN.1 ---- */

/* An element: its tag's first byte, and what is in it. False: there is none, or one that ends nobody
 * knows where. */
static bool take_element(struct span *s, uint8_t *tag, struct span *out) {
    if (span_size(s) < 2) return false;
    *tag = *s->at++;
    if ((*tag & DER_LONG_TAG) == DER_LONG_TAG)
        while (span_size(s) > 1 && (*s->at++ & 0x80) != 0) continue;
    if (span_size(s) < 1 || *s->at == DER_INDEFINITE) return false;
    if (*s->at < 0x80) return take_span(s, 1, out);
    size_t bytes = *s->at++ & 0x7fu;
    return take_span(s, bytes, out);
}

/* What a certificate's elements cost where nobody can tell them apart. */
static size_t weigh_unknown(const struct span *s) { return span_size(s) / 2 * CHAIN_COST_ELEMENT; }

/* All elements, in whatever they lie. */
static size_t weigh_elements(struct span s) {
    struct span levels[CHAIN_DEPTH_MAX], inner;
    size_t cost = 0;
    int depth = 0;
    uint8_t tag;
    levels[0] = s;
    while (depth >= 0) {
        struct span *level = &levels[depth];
        if (!take_element(level, &tag, &inner)) {
            if (span_size(level) > 0 && *level->at == DER_INDEFINITE) cost += weigh_unknown(level);
            depth--;
            continue;
        }
        bool is_choice = (tag & DER_CLASS) == DER_CONTEXT;
        cost += is_choice ? CHAIN_COST_CHOICE : CHAIN_COST_ELEMENT;
        if ((tag & DER_CONSTRUCTED) == 0 && tag != DER_OCTET_STRING) {
            if (tag >= DER_STRINGS && tag <= DER_LONG_TAG)
                cost += CHAIN_COST_STRING_BYTE * span_size(&inner);
        } else if (depth + 1 < CHAIN_DEPTH_MAX) {
            levels[++depth] = inner;
        } else {
            cost += weigh_unknown(&inner);
        }
    }
    return cost;
}

/* ---- the message ---- */

struct sl_tls_chain sl_tls_chain_weigh(const uint8_t *list, size_t size, bool has_extensions) {
    struct span s = {list, list + size}, cert, extensions;
    struct sl_tls_chain chain = {0};
    while (take_span(&s, 3, &cert)) {
        chain.count++;
        chain.cost += CHAIN_COST_CERT + CHAIN_COST_BYTE * span_size(&cert) + weigh_elements(cert);
        if (has_extensions && !take_span(&s, 2, &extensions)) break;
    }
    return chain;
}

/* The list in a Certificate message: RFC 5246 section 7.4.2; RFC 8446 section 4.4.2, where the
 * context of a request comes before it. NULL: the message ends before. */
static const uint8_t *find_list(const uint8_t *message, size_t size, bool is_13) {
    struct span s = {message + SSL3_HM_HEADER_LENGTH, message + size}, context;
    if (is_13 && !take_span(&s, 1, &context)) return NULL;
    return span_size(&s) < 3 ? NULL : s.at;
}

void sl_tls_chain_on_message(int is_sent, int version, int kind, const void *message, size_t size,
                             SSL *ssl, void *arg) {
    struct sl_tls_conn *conn = SSL_get_app_data(ssl);
    (void)arg;
    if (is_sent || kind != SSL3_RT_HANDSHAKE || size < SSL3_HM_HEADER_LENGTH) return;
    if (*(const uint8_t *)message != SSL3_MT_CERTIFICATE) return;
    bool is_13 = version == TLS1_3_VERSION;
    const uint8_t *list = find_list(message, size, is_13);
    if (list == NULL) return;
    size_t rest = size - (size_t)(list + 3 - (const uint8_t *)message);
    struct sl_tls_chain chain = sl_tls_chain_weigh(list + 3, rest, is_13);
    if (chain.cost <= SL_TLS_CHAIN_COST_MAX) return;
    struct sl_text out;
    sl_text_init(&out, conn->verdict, sizeof conn->verdict);
    sl_text_printf(&out,
                   "the peer's certificates are refused unread: %zu in %zu bytes would take some "
                   "%zu KiB before they are verified, %d may be; it needs to send its own and "
                   "those of its issuers alone",
                   chain.count, rest, chain.cost / 1024, SL_TLS_CHAIN_COST_MAX / 1024);
    /* OpenSSL's buffer, const for those who only look. */
    memset((uint8_t *)(uintptr_t)list, 0xff, 3);
}
