/* Byte readers and writers: what is not inline in bytes.h.
 *
 * A reader borrows its input and walks it once. The first read beyond the end marks it failed and
 * moves it to the end, so that loops over "bytes left" stop too; from then on takes give NULL and
 * numbers are 0. A writer appends to a buffer that it either owns and grows, doubling, or was
 * lent and never grows; the first write that does not fit marks it failed, and what was written
 * before stays as it was. Callers encode or decode a whole message and look at `failed` once.
 *
 * Varints: 7 bits a byte, low group first; the last byte may not carry bits beyond 32 (or 64), and
 * there is none after the fifth (or tenth). Longer forms of a small number within that length are
 * read as that number, as other clients and brokers do; they are never written.
 *
 * Not done here: length-prefixed texts and arrays have two encodings that depend on the version
 * of the message, so they belong to the wire layer. */
#include "base/bytes.h"

#include "base/assert.h"

enum { WRITER_CAP_FIRST = 64 }; /* a request header with its client id fits */

/* ---- texts and ids ---- */

struct sl_str sl_bytes_str(const char *text) {
    if (text == NULL) return SL_STR_NULL;
    size_t len = strlen(text);
    SL_ASSERT(len <= INT32_MAX);
    return (struct sl_str){text, (int32_t)len};
}

bool sl_bytes_str_is_text(struct sl_str text) {
    if (text.size <= 0) return text.size == 0;
    return memchr(text.data, '\0', (size_t)text.size) == NULL;
}

bool sl_bytes_str_equal(struct sl_str a, struct sl_str b) {
    if (a.size != b.size) return false;
    return a.size <= 0 || memcmp(a.data, b.data, (size_t)a.size) == 0;
}

bool sl_bytes_uuid_equal(const struct sl_uuid *a, const struct sl_uuid *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool sl_bytes_uuid_is_zero(const struct sl_uuid *u) {
    return sl_bytes_get64(u->bytes) == 0 && sl_bytes_get64(u->bytes + 8) == 0;
}

/* ---- varints ---- */

size_t sl_bytes_read_uvarint(const uint8_t *p, const uint8_t *end, size_t max_bytes,
                             uint64_t *out) {
    SL_ASSERT(max_bytes == SL_VARINT_MAX || max_bytes == SL_VARLONG_MAX);
    uint8_t last_most = max_bytes == SL_VARINT_MAX ? 0x0f : 0x01;
    uint64_t value = 0;
    *out = 0;
    for (size_t n = 0; n < max_bytes && p + n < end; n++) {
        if (n == max_bytes - 1 && p[n] > last_most) return 0;
        value |= (uint64_t)(p[n] & 0x7f) << (7 * n);
        if (p[n] < 0x80) {
            *out = value;
            return n + 1;
        }
    }
    return 0;
}

/* ---- reader ---- */

void sl_reader_init(struct sl_reader *r, const void *data, size_t size) {
    /* Nothing at all still needs an address: NULL is what a failed take returns. */
    static const uint8_t nothing[1];
    SL_ASSERT(data != NULL || size == 0);
    r->at = data != NULL ? data : nothing;
    r->end = r->at + size;
    r->failed = false;
}

uint64_t sl_reader_long_uvarint(struct sl_reader *r, size_t max_bytes) {
    uint64_t value;
    size_t len = r->failed ? 0 : sl_bytes_read_uvarint(r->at, r->end, max_bytes, &value);
    if (len == 0) {
        sl_reader_fail(r);
        return 0;
    }
    r->at += len;
    return value;
}

double sl_reader_f64(struct sl_reader *r) {
    uint64_t bits = (uint64_t)sl_reader_i64(r);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- writer ---- */

void sl_writer_init(struct sl_writer *w, const struct sl_alloc *alloc) {
    memset(w, 0, sizeof *w);
    w->alloc = alloc;
}

void sl_writer_init_fixed(struct sl_writer *w, void *buf, size_t cap) {
    memset(w, 0, sizeof *w);
    w->data = buf;
    w->cap = cap;
}

void sl_writer_deinit(struct sl_writer *w) {
    if (w->alloc != NULL) sl_alloc_free(w->alloc, w->data, w->cap);
    sl_writer_init(w, w->alloc);
}

/* The new capacity for `need` bytes in all. */
static size_t pick_writer_cap(size_t cap, size_t need) {
    if (cap == 0) cap = WRITER_CAP_FIRST;
    while (cap < need) {
        if (cap > SIZE_MAX / 2) return need;
        cap *= 2;
    }
    return cap;
}

bool sl_writer_grow(struct sl_writer *w, size_t size) {
    if (w->failed) return false;
    if (w->alloc != NULL && size <= SIZE_MAX - w->size) {
        size_t cap = pick_writer_cap(w->cap, w->size + size);
        uint8_t *data = sl_alloc_resize(w->alloc, w->data, w->cap, cap, 1);
        if (data != NULL) {
            w->data = data;
            w->cap = cap;
            return true;
        }
    }
    w->failed = true;
    return false;
}

void sl_writer_raw(struct sl_writer *w, const void *data, size_t size) {
    if (size == 0) return;
    uint8_t *to = sl_writer_room(w, size);
    if (to != NULL) memcpy(to, data, size);
}

void sl_writer_f64(struct sl_writer *w, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    sl_writer_i64(w, (int64_t)bits);
}

void sl_writer_patch32(struct sl_writer *w, size_t at, int32_t v) {
    if (w->failed) return;
    SL_ASSERT(w->size >= 4 && at <= w->size - 4);
    sl_bytes_put32(w->data + at, (uint32_t)v);
}
