/* The codecs of the record format behind one table. Input and output are contiguous. Decoding
 * accepts every framing that known clients write (protocol notes 2.3); output is capped, grown in
 * steps, never trusted from a size field. Memory of zstd and lz4 goes through the allocator; zlib
 * too; snappy takes none of ours (its own working memory is probed first, because it terminates
 * the process when its malloc fails). */
#ifndef SL_RECORD_COMPRESS_H
#define SL_RECORD_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "record/record.h"

/* Reusable state of one thread or owner: contexts of zlib, lz4 and zstd are kept between calls. */
struct sl_compress;

enum { SL_COMPRESS_LEVEL_DEFAULT = INT32_MIN };

int sl_compress_create(const struct sl_alloc *alloc, struct sl_compress **out);
void sl_compress_destroy(struct sl_compress *c);

/* The name as compression.type has it ("none", "gzip", …), NULL for an unknown codec. */
const char *sl_compress_name(int codec);
/* The codec of a name, or -1. */
int sl_compress_find(const char *name);
/* 0, or SLUICE_ERR_CONFIG when the level is out of the codec's range (given in *low, *high). The
 * codec's own default is always fine: gzip -1, lz4 0 (its fast compressor). */
int sl_compress_check_level(int codec, int32_t level, int32_t *low, int32_t *high);

/* The most bytes that size bytes may take compressed; size <= INT32_MAX, as in all of these. */
size_t sl_compress_bound(int codec, size_t size);
/* Appends the compressed form of src to out. 0, NOMEM, SLUICE_ERR_CONFIG (the level) or
 * SLUICE_ERR_SYSTEM (the codec failed). After an error out has the length it had, here and below;
 * after NOMEM it may be marked failed. */
int sl_compress_encode(struct sl_compress *c, int codec, int32_t level, const void *src,
                       size_t size, struct sl_writer *out);
/* Appends the decompressed form to out, at most cap bytes. 0, NOMEM, SLUICE_ERR_MALFORMED, or
 * SLUICE_ERR_TOO_BIG when there is more. out's own room may grow to twice the cap. */
int sl_compress_decode(struct sl_compress *c, int codec, const void *src, size_t size, size_t cap,
                       struct sl_writer *out);

#endif
