/* Base64 both ways. Decoders that let blanks, missing padding or stray bits pass make two texts out
 * of one content, and a text that was signed is then not the only one that is accepted. */
#include "base/base64.h"

void sl_base64_encode(struct sl_writer *out, const void *data, size_t size) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = data;
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at < 3 ? size - at : 3;
        uint32_t bits = (uint32_t)in[at] << 16;
        if (left > 1) bits |= (uint32_t)in[at + 1] << 8;
        if (left > 2) bits |= in[at + 2];
        char quad[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                        left > 1 ? alphabet[bits >> 6 & 63] : '=',
                        left > 2 ? alphabet[bits & 63] : '='};
        sl_writer_raw(out, quad, sizeof quad);
    }
}

/* The six bits of a character, or -1. */
static int32_t base64_bits(char c, bool url) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == (url ? '-' : '+')) return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

bool sl_base64_decode(const char *text, size_t length, bool url, uint8_t *out, size_t cap,
                      size_t *size) {
    *size = 0;
    if (!url && length % 4 != 0) return false;
    if (!url && length > 0 && text[length - 1] == '=') length -= text[length - 2] == '=' ? 2 : 1;
    if (length % 4 == 1) return false;
    uint32_t bits = 0;
    uint32_t count = 0; /* of bits that are not out yet */
    for (size_t i = 0; i < length; i++) {
        int32_t six = base64_bits(text[i], url);
        if (six < 0) return false;
        bits = bits << 6 | (uint32_t)six;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        if (*size == cap) return false;
        out[(*size)++] = (uint8_t)(bits >> count);
        bits &= (1U << count) - 1;
    }
    return bits == 0;
}
