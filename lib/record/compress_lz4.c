/* lz4 in its frame format. Written: one frame of independent blocks of up to 1 MiB, no checksums,
 * no content size, as Java does but for the block size (64 KiB there; every reader takes up to
 * 4 MiB, and blocks of 1 MiB are a fifth faster and compress better). Linked blocks are no option:
 * Java refuses them.
 *
 * Read: one frame with any flags, linked blocks and checksums included, which are verified. After
 * the frame only zero bytes may follow, which some producers leave there. A second frame is an
 * error like any other byte, as in the other clients: passing over it would lose records.
 *
 * Memory goes through the allocator, which needs functions that lz4 exports since 1.9.4. Decoding
 * takes up to two blocks of the size the frame declares, thus at most 8.2 MiB. */
#define LZ4F_STATIC_LINKING_ONLY
#include <lz4.h>
#include <lz4frame.h>
#include <string.h>

#include "record/compress_codec.h"
#include "sluice/error.h"

_Static_assert(LZ4_VERSION_NUMBER >= 10904, "lz4 1.9.4 is the first with allocators for frames");

enum {
    SL_COMPRESS_LZ4_FAST = 0,    /* the level of the fast compressor; from 3 on it is HC */
    SL_COMPRESS_LZ4_RATIO = 255, /* no input byte gives more output bytes */
    SL_COMPRESS_LZ4_BLOCK_AT = 5 /* place of the byte with the block size, in bits 4 to 6 */
};

static const uint8_t lz4_magic[4] = {0x04, 0x22, 0x4d, 0x18};

struct sl_compress_lz4 {
    LZ4F_cctx *encoder; /* owned; both may be NULL */
    LZ4F_dctx *decoder; /* owned */
};

static struct sl_compress_lz4 *find_lz4_state(struct sl_compress *c) {
    if (c->lz4 == NULL) c->lz4 = sl_alloc_zero(c->alloc, sizeof *c->lz4);
    return c->lz4;
}

static LZ4F_CustomMem use_lz4_memory(struct sl_compress *c) {
    return (LZ4F_CustomMem){
        .customAlloc = sl_compress_get, .customFree = sl_compress_give, .opaqueState = c};
}

static void drop_lz4_state(struct sl_compress *c) {
    if (c->lz4 == NULL) return;
    (void)LZ4F_freeCompressionContext(c->lz4->encoder);
    (void)LZ4F_freeDecompressionContext(c->lz4->decoder);
    sl_alloc_free(c->alloc, c->lz4, sizeof *c->lz4);
    c->lz4 = NULL;
}

static LZ4F_preferences_t choose_lz4_frame(int32_t level) {
    return (LZ4F_preferences_t){
        .frameInfo = {.blockSizeID = LZ4F_max1MB, .blockMode = LZ4F_blockIndependent},
        .compressionLevel = level};
}

static size_t bound_lz4(size_t size) {
    LZ4F_preferences_t preferences = choose_lz4_frame(SL_COMPRESS_LZ4_FAST);
    return LZ4F_compressFrameBound(size, &preferences);
}

static int encode_lz4(struct sl_compress *c, int32_t level, const uint8_t *src, size_t size,
                      uint8_t *out, size_t room, size_t *used) {
    struct sl_compress_lz4 *l = find_lz4_state(c);
    if (l == NULL) return SLUICE_ERR_NOMEM;
    if (l->encoder == NULL)
        l->encoder = LZ4F_createCompressionContext_advanced(use_lz4_memory(c), LZ4F_VERSION);
    if (l->encoder == NULL) return SLUICE_ERR_NOMEM;
    LZ4F_preferences_t preferences = choose_lz4_frame(level);
    *used = LZ4F_compressFrame_usingCDict(l->encoder, out, room, src, size, NULL, &preferences);
    if (!LZ4F_isError(*used)) return 0;
    return c->starved ? SLUICE_ERR_NOMEM : SLUICE_ERR_SYSTEM;
}

static int decode_lz4_frame(struct sl_compress *c, const uint8_t **src, const uint8_t *end,
                            struct sl_compress_sink *sink) {
    size_t hint;
    do {
        size_t written;
        size_t taken = (size_t)(end - *src);
        uint8_t *out = sl_compress_room(sink, &written);
        if (out == NULL) return SLUICE_ERR_NOMEM;
        hint = LZ4F_decompress(c->lz4->decoder, out, &written, *src, &taken, NULL);
        if (LZ4F_isError(hint)) return c->starved ? SLUICE_ERR_NOMEM : SLUICE_ERR_MALFORMED;
        int rv = sl_compress_put(sink, written);
        if (rv != 0) return rv;
        /* Nothing moved although there was room: the frame is cut. */
        if (hint != 0 && written == 0 && taken == 0) return SLUICE_ERR_MALFORMED;
        *src += taken;
    } while (hint != 0);
    return 0;
}

/* A whole block is decoded straight to its place if there is room for the largest that the frame
 * announces. Its claim is believed as far as the input could fill it. */
static void grow_lz4_step(const uint8_t *src, size_t size, struct sl_compress_sink *sink) {
    if (size <= SL_COMPRESS_LZ4_BLOCK_AT) return;
    unsigned id = (src[SL_COMPRESS_LZ4_BLOCK_AT] >> 4) & 7;
    if (id < LZ4F_max64KB) return; /* not valid; will be found out */
    size_t block = (size_t)1 << (8 + 2 * id);
    size_t most = size * SL_COMPRESS_LZ4_RATIO;
    if (block > most) block = most;
    if (sink->step < block) sink->step = block;
}

static int decode_lz4(struct sl_compress *c, const uint8_t *src, size_t size,
                      struct sl_compress_sink *sink) {
    const uint8_t *end = src + size;
    /* lz4 itself would pass over skippable frames, or wait for the rest of a magic number. */
    if (size < sizeof lz4_magic || memcmp(src, lz4_magic, sizeof lz4_magic) != 0)
        return SLUICE_ERR_MALFORMED;
    struct sl_compress_lz4 *l = find_lz4_state(c);
    if (l == NULL) return SLUICE_ERR_NOMEM;
    if (l->decoder == NULL)
        l->decoder = LZ4F_createDecompressionContext_advanced(use_lz4_memory(c), LZ4F_VERSION);
    if (l->decoder == NULL) return SLUICE_ERR_NOMEM;
    grow_lz4_step(src, size, sink);
    int rv = decode_lz4_frame(c, &src, end, sink);
    if (rv != 0) return rv;
    for (; src < end; src++) {
        if (*src != 0) return SLUICE_ERR_MALFORMED;
    }
    return 0;
}

const struct sl_compress_codec sl_compress_lz4_codec = {.name = "lz4",
                                                        .low = 1,
                                                        .high = 17,
                                                        .initial = SL_COMPRESS_LZ4_FAST,
                                                        .bound = bound_lz4,
                                                        .encode = encode_lz4,
                                                        .decode = decode_lz4,
                                                        .drop = drop_lz4_state};
