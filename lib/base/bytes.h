/* Byte readers and writers with sticky errors: the first short read or failed growth marks the
 * object failed, later calls are harmless (reads give zeros), and the caller checks once at the
 * end. All fixed-width integers are big-endian, as Kafka has them (protocol guide, "Protocol
 * Primitive Types"). The small hot ones are inline. */
#ifndef SL_BASE_BYTES_H
#define SL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

/* A borrowed text of `size` bytes, not NUL-terminated; size -1 with data NULL: null. */
struct sl_str {
    const char *data;
    int32_t size;
};
/* Borrowed bytes; size -1 with data NULL: null. */
struct sl_bytes {
    const uint8_t *data;
    int32_t size;
};
/* One piece of a gathered output; the shape of struct iovec, which base may not know. */
struct sl_iov {
    const void *data;
    size_t size;
};
/* A Kafka UUID, 16 bytes big-endian; all zero: none. */
struct sl_uuid {
    uint8_t bytes[16];
};

#define SL_STR(literal) ((struct sl_str){(literal), (int32_t)sizeof(literal) - 1})
#define SL_STR_NULL ((struct sl_str){NULL, -1})
#define SL_BYTES_NULL ((struct sl_bytes){NULL, -1})

/* text may be NULL: null. */
struct sl_str sl_bytes_str(const char *text);
/* What a peer calls a text is one: not null, and without a NUL in it. */
bool sl_bytes_str_is_text(struct sl_str text);
bool sl_bytes_str_equal(struct sl_str a, struct sl_str b);
bool sl_bytes_uuid_equal(const struct sl_uuid *a, const struct sl_uuid *b);
bool sl_bytes_uuid_is_zero(const struct sl_uuid *u);

/* ---- loads and stores of big-endian integers, any alignment ---- */
static inline uint16_t sl_bytes_get16(const void *p) {
    const uint8_t *b = p;
    return (uint16_t)((b[0] << 8) | b[1]);
}
static inline uint32_t sl_bytes_get32(const void *p) {
    uint32_t v;
    memcpy(&v, p, 4);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}
static inline uint64_t sl_bytes_get64(const void *p) {
    uint64_t v;
    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}
static inline void sl_bytes_put16(void *p, uint16_t v) {
    uint8_t *b = p;
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}
static inline void sl_bytes_put32(void *p, uint32_t v) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    memcpy(p, &v, 4);
}
static inline void sl_bytes_put64(void *p, uint64_t v) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, 8);
}

/* ---- variable-length integers ---- */
enum { SL_VARINT_MAX = 5, SL_VARLONG_MAX = 10 };
static inline uint32_t sl_bytes_zigzag32(int32_t v) {
    return ((uint32_t)v << 1) ^ (uint32_t)(v >> 31);
}
static inline uint64_t sl_bytes_zigzag64(int64_t v) {
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int32_t sl_bytes_unzigzag32(uint32_t v) {
    return (int32_t)((v >> 1) ^ (0 - (v & 1)));
}
static inline int64_t sl_bytes_unzigzag64(uint64_t v) {
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}
/* Writes v at p, which has room for SL_VARINT_MAX / SL_VARLONG_MAX bytes; returns the length. */
static inline size_t sl_bytes_put_uvarint(uint8_t *p, uint64_t v) {
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}
/* The number of bytes put_uvarint would write. */
static inline size_t sl_bytes_uvarint_len(uint64_t v) {
    unsigned bits = 64U - (unsigned)__builtin_clzll(v | 1);
    return (bits + 6) / 7;
}
/* Reads from [p, end) at most max_bytes (5 or 10). Returns the length, or 0: cut short, too long
 * or overflowing. */
size_t sl_bytes_read_uvarint(const uint8_t *p, const uint8_t *end, size_t max_bytes, uint64_t *out);

/* ---- reader ---- */
struct sl_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};
/* data may be NULL when size is 0. */
void sl_reader_init(struct sl_reader *r, const void *data, size_t size);
/* The rest of a varint longer than one byte; for the inline ones below. */
uint64_t sl_reader_long_uvarint(struct sl_reader *r, size_t max_bytes);

static inline size_t sl_reader_left(const struct sl_reader *r) { return (size_t)(r->end - r->at); }
/* Marks the reader failed; nothing is left in it. */
static inline void sl_reader_fail(struct sl_reader *r) {
    r->at = r->end;
    r->failed = true;
}
/* The next size bytes, borrowed; NULL and failed when fewer are left. */
static inline const uint8_t *sl_reader_take(struct sl_reader *r, size_t size) {
    if (r->failed || size > sl_reader_left(r)) {
        sl_reader_fail(r);
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += size;
    return p;
}
static inline int8_t sl_reader_i8(struct sl_reader *r) {
    const uint8_t *p = sl_reader_take(r, 1);
    return p == NULL ? 0 : (int8_t)*p;
}
static inline int16_t sl_reader_i16(struct sl_reader *r) {
    const uint8_t *p = sl_reader_take(r, 2);
    return p == NULL ? 0 : (int16_t)sl_bytes_get16(p);
}
static inline int32_t sl_reader_i32(struct sl_reader *r) {
    const uint8_t *p = sl_reader_take(r, 4);
    return p == NULL ? 0 : (int32_t)sl_bytes_get32(p);
}
static inline int64_t sl_reader_i64(struct sl_reader *r) {
    const uint8_t *p = sl_reader_take(r, 8);
    return p == NULL ? 0 : (int64_t)sl_bytes_get64(p);
}
double sl_reader_f64(struct sl_reader *r);
static inline uint32_t sl_reader_uvarint(struct sl_reader *r) {
    if (r->at < r->end && *r->at < 0x80) return *r->at++;
    return (uint32_t)sl_reader_long_uvarint(r, SL_VARINT_MAX);
}
static inline int32_t sl_reader_varint(struct sl_reader *r) {
    return sl_bytes_unzigzag32(sl_reader_uvarint(r));
}
static inline int64_t sl_reader_varlong(struct sl_reader *r) {
    if (r->at < r->end && *r->at < 0x80) return sl_bytes_unzigzag64(*r->at++);
    return sl_bytes_unzigzag64(sl_reader_long_uvarint(r, SL_VARLONG_MAX));
}

/* ---- writer ---- */
struct sl_writer {
    const struct sl_alloc *alloc; /* borrowed; NULL: a fixed buffer that never grows */
    uint8_t *data;                /* owned when alloc is set */
    size_t size;                  /* bytes written */
    size_t cap;
    bool failed;
};
/* Grows through alloc. */
void sl_writer_init(struct sl_writer *w, const struct sl_alloc *alloc);
/* Writes into buf and fails when it is full. */
void sl_writer_init_fixed(struct sl_writer *w, void *buf, size_t cap);
/* Frees what it owns. */
void sl_writer_deinit(struct sl_writer *w);
/* Makes room for size more bytes; false and failed when it cannot. For room below. */
bool sl_writer_grow(struct sl_writer *w, size_t size);
/* Room for size more bytes, contiguous, already counted as written; NULL after a failure. */
static inline uint8_t *sl_writer_room(struct sl_writer *w, size_t size) {
    if ((w->failed || w->data == NULL || size > w->cap - w->size) && !sl_writer_grow(w, size))
        return NULL;
    uint8_t *p = w->data + w->size;
    w->size += size;
    return p;
}
void sl_writer_raw(struct sl_writer *w, const void *data, size_t size);
static inline void sl_writer_i8(struct sl_writer *w, int8_t v) {
    uint8_t *p = sl_writer_room(w, 1);
    if (p != NULL) *p = (uint8_t)v;
}
static inline void sl_writer_i16(struct sl_writer *w, int16_t v) {
    uint8_t *p = sl_writer_room(w, 2);
    if (p != NULL) sl_bytes_put16(p, (uint16_t)v);
}
static inline void sl_writer_i32(struct sl_writer *w, int32_t v) {
    uint8_t *p = sl_writer_room(w, 4);
    if (p != NULL) sl_bytes_put32(p, (uint32_t)v);
}
static inline void sl_writer_i64(struct sl_writer *w, int64_t v) {
    uint8_t *p = sl_writer_room(w, 8);
    if (p != NULL) sl_bytes_put64(p, (uint64_t)v);
}
void sl_writer_f64(struct sl_writer *w, double v);
static inline void sl_writer_uvarint(struct sl_writer *w, uint64_t v) {
    uint8_t *p = sl_writer_room(w, sl_bytes_uvarint_len(v));
    if (p != NULL) (void)sl_bytes_put_uvarint(p, v);
}
static inline void sl_writer_varint(struct sl_writer *w, int32_t v) {
    sl_writer_uvarint(w, sl_bytes_zigzag32(v));
}
static inline void sl_writer_varlong(struct sl_writer *w, int64_t v) {
    sl_writer_uvarint(w, sl_bytes_zigzag64(v));
}
/* Overwrites four bytes written before. */
void sl_writer_patch32(struct sl_writer *w, size_t at, int32_t v);

#endif
