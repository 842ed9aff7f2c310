/* zstd: one frame with its content size is written. Read are any number of frames, skippable ones
 * between them, with or without content size and checksum (which is verified), and of any window.
 *
 * Decoding is always one shot into memory of ours, never zstd's streaming interface: that one
 * takes a buffer as large as the window that a header of six bytes asks for. The size to try comes
 * from the blocks that are really there, but no more than 64 bytes for each byte of input; if
 * that falls short the decoder starts again with four times as much, up to the cap, so that
 * a bomb has to be decoded as far as it goes, and costs at most a third more than that. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "record/compress_codec.h"
#include "sluice/error.h"

enum {
    SL_COMPRESS_ZSTD_RATIO = 64,
    SL_COMPRESS_ZSTD_GROWTH = 4,
    /* The most entries of tables, as logarithms: level 1 has one, levels 3 and 4 have one for long
     * matches and one for short. Four bytes each. */
    SL_COMPRESS_ZSTD_ONLY = 12,
    SL_COMPRESS_ZSTD_LONG = 14,
    SL_COMPRESS_ZSTD_SHORT = 13,
    SL_COMPRESS_ZSTD_SMALL =
        128 * 1024 /* bytes of input up to which a level's own tables are faster */
};

struct sl_compress_zstd {
    ZSTD_CCtx *encoder; /* owned; both may be NULL */
    ZSTD_DCtx *decoder; /* owned */
};

static struct sl_compress_zstd *find_zstd_state(struct sl_compress *c) {
    if (c->zstd == NULL) c->zstd = sl_alloc_zero(c->alloc, sizeof *c->zstd);
    return c->zstd;
}

static ZSTD_customMem use_zstd_memory(struct sl_compress *c) {
    return (ZSTD_customMem){
        .customAlloc = sl_compress_get, .customFree = sl_compress_give, .opaque = c};
}

static void drop_zstd_state(struct sl_compress *c) {
    if (c->zstd == NULL) return;
    ZSTD_freeCCtx(c->zstd->encoder);
    ZSTD_freeDCtx(c->zstd->decoder);
    sl_alloc_free(c->alloc, c->zstd, sizeof *c->zstd);
    c->zstd = NULL;
}

/* Logarithm of the entries of a table that the level would have with so many; 0: as the level has it. */
static int limit_table(unsigned usual, int most) { return usual > (unsigned)most ? most : 0; }

/* Sets the level. Levels 1, 3 and 4 (and 2 up to 256 KiB) look for matches in tables of up to 768 KiB,
 * and wait for a processor's larger caches more than they compute. Batches are made of records that are like
 * each other, and with small tables it is the last such record that is found: measured, records of JSON
 * and of Avro take up to 3 % less room and 10 to 43 % less time; sources and programs, which are not
 * what a batch is made of, take 2 to 5 % more room. Small inputs leave large tables nearly empty, which is
 * faster still. */
static size_t set_zstd_level(ZSTD_CCtx *encoder, int32_t level, size_t size) {
    ZSTD_compressionParameters usual = ZSTD_getCParams(level, size, 0);
    int first = 0; /* as the level has it */
    int second = 0;
    if (size > SL_COMPRESS_ZSTD_SMALL && usual.strategy == ZSTD_dfast) {
        first = limit_table(usual.hashLog, SL_COMPRESS_ZSTD_LONG);
        second = limit_table(usual.chainLog, SL_COMPRESS_ZSTD_SHORT);
    } else if (size > SL_COMPRESS_ZSTD_SMALL && level == 1) {
        first = limit_table(usual.hashLog, SL_COMPRESS_ZSTD_ONLY);
    }
    size_t zv = ZSTD_CCtx_setParameter(encoder, ZSTD_c_compressionLevel, level);
    if (ZSTD_isError(zv)) return zv;
    zv = ZSTD_CCtx_setParameter(encoder, ZSTD_c_hashLog, first);
    if (ZSTD_isError(zv)) return zv;
    return ZSTD_CCtx_setParameter(encoder, ZSTD_c_chainLog, second);
}

static int encode_zstd(struct sl_compress *c, int32_t level, const uint8_t *src, size_t size,
                       uint8_t *out, size_t room, size_t *used) {
    struct sl_compress_zstd *z = find_zstd_state(c);
    if (z == NULL) return SLUICE_ERR_NOMEM;
    if (z->encoder == NULL) z->encoder = ZSTD_createCCtx_advanced(use_zstd_memory(c));
    if (z->encoder == NULL) return SLUICE_ERR_NOMEM;
    size_t zv = set_zstd_level(z->encoder, level, size);
    if (!ZSTD_isError(zv)) zv = ZSTD_compress2(z->encoder, out, room, src, size);
    *used = zv;
    if (!ZSTD_isError(zv)) return 0;
    return c->starved ? SLUICE_ERR_NOMEM : SLUICE_ERR_SYSTEM;
}

/* The room to try first. Room that the writer has anyway costs nothing. */
static size_t guess_zstd_room(size_t size, uint64_t bound, const struct sl_compress_sink *sink) {
    size_t room = size * SL_COMPRESS_ZSTD_RATIO;
    size_t there = sink->out->cap - sink->out->size;
    if (room < sink->step) room = sink->step;
    if (room > bound) room = (size_t)bound;
    if (room < there) room = there;
    return room < sink->cap ? room : sink->cap;
}

static int decode_zstd(struct sl_compress *c, const uint8_t *src, size_t size,
                       struct sl_compress_sink *sink) {
    uint64_t bound = ZSTD_decompressBound(src, size);
    if (bound == ZSTD_CONTENTSIZE_ERROR || size == 0) return SLUICE_ERR_MALFORMED;
    struct sl_compress_zstd *z = find_zstd_state(c);
    if (z == NULL) return SLUICE_ERR_NOMEM;
    if (z->decoder == NULL) z->decoder = ZSTD_createDCtx_advanced(use_zstd_memory(c));
    if (z->decoder == NULL) return SLUICE_ERR_NOMEM;
    size_t room = guess_zstd_room(size, bound, sink);
    for (;;) {
        uint8_t *out = sl_compress_claim(sink, room);
        if (out == NULL) return SLUICE_ERR_NOMEM;
        size_t zv = ZSTD_decompressDCtx(z->decoder, out, room, src, size);
        if (!ZSTD_isError(zv)) return sl_compress_put(sink, zv);
        if (ZSTD_getErrorCode(zv) != ZSTD_error_dstSize_tooSmall)
            return c->starved ? SLUICE_ERR_NOMEM : SLUICE_ERR_MALFORMED;
        if (room == sink->cap) return SLUICE_ERR_TOO_BIG;
        room = room < sink->cap / SL_COMPRESS_ZSTD_GROWTH
                   ? room * SL_COMPRESS_ZSTD_GROWTH + sink->step
                   : sink->cap;
        if (room > sink->cap) room = sink->cap;
    }
}

const struct sl_compress_codec sl_compress_zstd_codec = {.name = "zstd",
                                                         .low = -131072,
                                                         .high = 22,
                                                         .initial = ZSTD_CLEVEL_DEFAULT,
                                                         .bound = ZSTD_compressBound,
                                                         .encode = encode_zstd,
                                                         .decode = decode_zstd,
                                                         .drop = drop_zstd_state};
