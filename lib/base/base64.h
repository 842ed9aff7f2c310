/* Base64 of RFC 4648, strict: one spelling for each content, no blanks, no line breaks. */
#ifndef SL_BASE_BASE64_H
#define SL_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Characters that size bytes become, padding included. */
static inline size_t sl_base64_size(size_t size) { return (size + 2) / 3 * 4; }
/* The plain alphabet, padded. */
void sl_base64_encode(struct sl_writer *out, const void *data, size_t size);
/* The same, or with url the alphabet of URLs without padding (JWT). Puts the bytes into out, of cap
 * bytes, and their number into *size. False: not base64 (bits left over that are not zero are no
 * base64 either), or more than cap. */
bool sl_base64_decode(const char *text, size_t length, bool url, uint8_t *out, size_t cap,
                      size_t *size);

#endif
