/* What compress.c and the codecs share: the table's row, the state a struct sl_compress keeps, and
 * the sink that decoders write to. Private to record/. */
#ifndef SL_RECORD_COMPRESS_CODEC_H
#define SL_RECORD_COMPRESS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "record/compress.h"

/* Contexts are made at first use, and dropped when a call fails: no codec's state is trusted
 * after an error. */
struct sl_compress {
    const struct sl_alloc *alloc;  /* borrowed */
    struct sl_compress_gzip *gzip; /* owned; these three may be NULL */
    struct sl_compress_lz4 *lz4;   /* owned */
    struct sl_compress_zstd *zstd; /* owned */
    bool starved;                  /* a codec was refused memory in this call */
};

/* Where decoded bytes go: the end of a writer, up to a cap. */
struct sl_compress_sink {
    struct sl_writer *out;
    size_t start;  /* out->size before the first byte */
    size_t cap;    /* most bytes to append */
    size_t step;   /* least bytes to grow by, unless the cap is nearer */
    uint8_t spare; /* the room beyond the cap */
};
/* Bytes that may still come. */
static inline size_t sl_compress_left(const struct sl_compress_sink *sink) {
    return sink->cap - (sink->out->size - sink->start);
}
/* Room for a stream: at least one byte, growing with what was put before. NULL: out of memory.
 * When the cap is reached this is the spare byte, so that a stream that ends there can be told
 * from one that does not: putting that byte is the overflow. */
uint8_t *sl_compress_room(struct sl_compress_sink *sink, size_t *size);
/* Room for size bytes at once, size <= sl_compress_left. NULL: out of memory. */
uint8_t *sl_compress_claim(struct sl_compress_sink *sink, size_t size);
/* Counts bytes written to the last room. 0, or SLUICE_ERR_TOO_BIG. */
int sl_compress_put(struct sl_compress_sink *sink, size_t size);

/* Allocation for the codecs, which free without sizes; opaque is the struct sl_compress. */
void *sl_compress_get(void *opaque, size_t size);
void sl_compress_give(void *opaque, void *block);

/* One codec. encode gets room for bound(size) bytes and returns what it used through *used;
 * both return 0, NOMEM, SYSTEM (encode), MALFORMED or TOO_BIG (decode). */
struct sl_compress_codec {
    const char *name;
    int32_t low; /* levels; low == high: none */
    int32_t high;
    int32_t initial; /* the level of SL_COMPRESS_LEVEL_DEFAULT */
    size_t (*bound)(size_t size);
    int (*encode)(struct sl_compress *c, int32_t level, const uint8_t *src, size_t size,
                  uint8_t *out, size_t room, size_t *used);
    int (*decode)(struct sl_compress *c, const uint8_t *src, size_t size,
                  struct sl_compress_sink *sink);
    void (*drop)(struct sl_compress *c); /* frees the codec's state, NULL: it has none */
};
extern const struct sl_compress_codec sl_compress_gzip_codec;
extern const struct sl_compress_codec sl_compress_snappy_codec;
extern const struct sl_compress_codec sl_compress_lz4_codec;
extern const struct sl_compress_codec sl_compress_zstd_codec;

#endif
