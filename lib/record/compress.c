/* The codec table, and what all codecs need: allocation by size, and the capped output.
 *
 * Encoding takes room for the worst case at the end of the writer, so that every codec runs in
 * one shot. Decoding never takes memory because a size field says so: room grows with what was
 * really produced, or within what the compressed bytes can expand to by the rules of the format
 * (lz4 at most 255 bytes a byte, snappy 22, ...), and never beyond the caller's cap.
 *
 * A failed call leaves the writer at the length it had (though marked failed when memory ran out)
 * and drops the codec's contexts, so the next call starts afresh.
 *
 * Not done here: streams. A batch is compressed and decompressed whole. */
#include "record/compress_codec.h"

#include <string.h>

#include "sluice/error.h"

/* No batch is longer than its 32-bit length field can say. */
#define SL_COMPRESS_SIZE_MAX ((size_t)INT32_MAX)

enum {
    SL_COMPRESS_STEP = 16 * 1024, /* first growth of a decoder's output, at least */
    SL_COMPRESS_RATIO = 4         /* usual expansion, for the first guess */
};

/* Kept before each block, because codecs do not say a block's size when they free it. */
union sl_compress_block {
    size_t size; /* with this header */
    max_align_t align;
};

static size_t bound_plain(size_t size) { return size; }

static int encode_plain(struct sl_compress *c, int32_t level, const uint8_t *src, size_t size,
                        uint8_t *out, size_t room, size_t *used) {
    (void)c, (void)level, (void)room;
    if (size > 0) memcpy(out, src, size);
    *used = size;
    return 0;
}

static int decode_plain(struct sl_compress *c, const uint8_t *src, size_t size,
                        struct sl_compress_sink *sink) {
    (void)c;
    while (size > 0) {
        size_t room;
        uint8_t *out = sl_compress_room(sink, &room);
        if (out == NULL) return SLUICE_ERR_NOMEM;
        if (room > size) room = size;
        memcpy(out, src, room);
        int rv = sl_compress_put(sink, room);
        if (rv != 0) return rv;
        src += room;
        size -= room;
    }
    return 0;
}

static const struct sl_compress_codec compress_plain_codec = {
    .name = "none", .bound = bound_plain, .encode = encode_plain, .decode = decode_plain};

static const struct sl_compress_codec *const compress_codecs[SL_CODEC_COUNT] = {
    [SL_CODEC_NONE] = &compress_plain_codec,       [SL_CODEC_GZIP] = &sl_compress_gzip_codec,
    [SL_CODEC_SNAPPY] = &sl_compress_snappy_codec, [SL_CODEC_LZ4] = &sl_compress_lz4_codec,
    [SL_CODEC_ZSTD] = &sl_compress_zstd_codec,
};

static const struct sl_compress_codec *find_compress_codec(int codec) {
    return codec >= 0 && codec < SL_CODEC_COUNT ? compress_codecs[codec] : NULL;
}

int sl_compress_create(const struct sl_alloc *alloc, struct sl_compress **out) {
    struct sl_compress *c = sl_alloc_zero(alloc, sizeof *c);
    if (c == NULL) return SLUICE_ERR_NOMEM;
    c->alloc = alloc;
    *out = c;
    return 0;
}

void sl_compress_destroy(struct sl_compress *c) {
    if (c == NULL) return;
    for (int i = 0; i < SL_CODEC_COUNT; i++) {
        if (compress_codecs[i]->drop != NULL) compress_codecs[i]->drop(c);
    }
    sl_alloc_free(c->alloc, c, sizeof *c);
}

const char *sl_compress_name(int codec) {
    const struct sl_compress_codec *found = find_compress_codec(codec);
    return found != NULL ? found->name : NULL;
}

int sl_compress_find(const char *name) {
    for (int i = 0; i < SL_CODEC_COUNT; i++) {
        if (strcmp(compress_codecs[i]->name, name) == 0) return i;
    }
    return -1;
}

int sl_compress_check_level(int codec, int32_t level, int32_t *low, int32_t *high) {
    const struct sl_compress_codec *found = find_compress_codec(codec);
    *low = found != NULL ? found->low : 0;
    *high = found != NULL ? found->high : 0;
    if (found == NULL) return SLUICE_ERR_CONFIG;
    if (level == SL_COMPRESS_LEVEL_DEFAULT || level == found->initial) return 0;
    return level >= *low && level <= *high ? 0 : SLUICE_ERR_CONFIG;
}

size_t sl_compress_bound(int codec, size_t size) {
    const struct sl_compress_codec *found = find_compress_codec(codec);
    return found != NULL && size <= SL_COMPRESS_SIZE_MAX ? found->bound(size) : 0;
}

int sl_compress_encode(struct sl_compress *c, int codec, int32_t level, const void *src,
                       size_t size, struct sl_writer *out) {
    const struct sl_compress_codec *found = find_compress_codec(codec);
    int32_t low, high;
    if (found == NULL || size > SL_COMPRESS_SIZE_MAX) return SLUICE_ERR_SYSTEM;
    int rv = sl_compress_check_level(codec, level, &low, &high);
    if (rv != 0) return rv;
    if (level == SL_COMPRESS_LEVEL_DEFAULT) level = found->initial;
    size_t start = out->size;
    size_t bound = found->bound(size);
    size_t used = 0;
    uint8_t *room = sl_writer_room(out, bound);
    if (room == NULL) return SLUICE_ERR_NOMEM;
    c->starved = false;
    rv = found->encode(c, level, src, size, room, bound, &used);
    if (rv != 0 && found->drop != NULL) found->drop(c);
    out->size = start + (rv == 0 ? used : 0);
    return rv;
}

int sl_compress_decode(struct sl_compress *c, int codec, const void *src, size_t size, size_t cap,
                       struct sl_writer *out) {
    const struct sl_compress_codec *found = find_compress_codec(codec);
    if (found == NULL || size > SL_COMPRESS_SIZE_MAX) return SLUICE_ERR_MALFORMED;
    if (out->failed) return SLUICE_ERR_NOMEM;
    struct sl_compress_sink sink = {.out = out, .start = out->size, .cap = cap};
    sink.step = SL_COMPRESS_RATIO * size;
    if (sink.step < SL_COMPRESS_STEP) sink.step = SL_COMPRESS_STEP;
    c->starved = false;
    int rv = found->decode(c, src, size, &sink);
    if (rv == 0) return 0;
    if (found->drop != NULL) found->drop(c);
    out->size = sink.start;
    return rv;
}

uint8_t *sl_compress_claim(struct sl_compress_sink *sink, size_t size) {
    uint8_t *room = sl_writer_room(sink->out, size);
    if (room != NULL) sink->out->size -= size;
    return room;
}

uint8_t *sl_compress_room(struct sl_compress_sink *sink, size_t *size) {
    size_t produced = sink->out->size - sink->start;
    size_t left = sink->cap - produced;
    size_t want = sink->out->cap - sink->out->size; /* what is there already costs nothing */
    if (left == 0) {
        *size = 1;
        return &sink->spare;
    }
    if (want == 0) want = sink->step > produced ? sink->step : produced;
    if (want > left) want = left;
    *size = want;
    return sl_compress_claim(sink, want);
}

int sl_compress_put(struct sl_compress_sink *sink, size_t size) {
    if (size > sl_compress_left(sink)) return SLUICE_ERR_TOO_BIG;
    sink->out->size += size;
    return 0;
}

void *sl_compress_get(void *opaque, size_t size) {
    struct sl_compress *c = opaque;
    union sl_compress_block *block = NULL;
    if (size <= SIZE_MAX - sizeof *block) block = sl_alloc_get(c->alloc, size + sizeof *block);
    if (block == NULL) {
        c->starved = true;
        return NULL;
    }
    block->size = size + sizeof *block;
    return block + 1;
}

void sl_compress_give(void *opaque, void *block) {
    struct sl_compress *c = opaque;
    if (block == NULL) return;
    union sl_compress_block *header = (union sl_compress_block *)block - 1;
    sl_alloc_free(c->alloc, header, header->size);
}
