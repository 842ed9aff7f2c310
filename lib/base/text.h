/* Bounded text: parse and print numbers, sizes and durations, append to fixed buffers. No locale,
 * no allocation. */
#ifndef SL_BASE_TEXT_H
#define SL_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer that fills up: text beyond cap is dropped but counted, and the buffer is always
 * NUL-terminated when cap > 0. */
struct sl_text {
    char *data;
    size_t cap;
    size_t size; /* the length needed so far, without the NUL */
};
void sl_text_init(struct sl_text *t, char *buf, size_t cap);
void sl_text_put(struct sl_text *t, const char *text);
void sl_text_put_len(struct sl_text *t, const char *text, size_t len);
/* A character of somebody's as a line for people may have it: control characters become \n, \r, \t or
 * \u00XX, as .properties files write them. Returns the length. */
size_t sl_text_escape(char c, char out[8]);
void sl_text_put_escaped(struct sl_text *t, const char *text);
void sl_text_printf(struct sl_text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sl_text_vprintf(struct sl_text *t, const char *format, va_list args);

/* Decimal with optional sign over the whole of text, no blanks. False: malformed or overflow. */
bool sl_text_parse_i64(const char *text, int64_t *out);
/* "true" / "false", any case. */
bool sl_text_parse_bool(const char *text, bool *out);
/* A duration as ISO 8601 has it, days to seconds: PnDTnHnMn.nS, in milliseconds, rounded down. Not
 * below zero, nor above 2^53. */
bool sl_text_parse_duration(const char *text, int64_t *out_ms);
bool sl_text_equal_fold(const char *a, const char *b);
/* Edits (insert, delete, replace, swap of neighbours) between two short texts; gives up above
 * `most` and returns most + 1. For "did you mean". */
int sl_text_distance(const char *a, const char *b, int most);
/* "host:port", "[v6]:port" or "proto://host:port" → host (at most host_cap - 1 bytes, without
 * brackets) and port 1–65535. Returns NULL, or a text that says what is wrong. */
const char *sl_text_parse_endpoint(const char *text, size_t len, char *host, size_t host_cap,
                                   uint16_t *port);
/* 22 characters of URL-safe base64 and a NUL. */
void sl_text_uuid(const uint8_t bytes[16], char out[23]);

#endif
