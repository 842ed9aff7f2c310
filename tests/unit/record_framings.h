/* One payload in every framing of the acceptance matrix, right ones and broken ones, made with the
 * codec libraries themselves. Used by record_compress_test. */
#ifndef SL_TEST_RECORD_FRAMINGS_H
#define SL_TEST_RECORD_FRAMINGS_H

#define LZ4F_STATIC_LINKING_ONLY
#define ZSTD_STATIC_LINKING_ONLY
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "record/record.h"
#include "sluice/error.h"
#include "support.h"

enum { PAYLOAD = 200 * 1000, FRAMED = 2 * PAYLOAD };
static uint8_t payload[PAYLOAD];

/* Lines like an application's, different from each other. */
static int fill_payload(void **state) {
    (void)state;
    struct sl_rng rng;
    size_t at = 0;
    sl_rng_init(&rng, 3);
    while (at + 120 < sizeof payload) {
        int n = snprintf((char *)payload + at, 120, "{\"id\":%u,\"name\":\"user-%u\",\"at\":%u}\n",
                         (unsigned)sl_rng_below(&rng, 1000000), (unsigned)sl_rng_below(&rng, 50),
                         (unsigned)sl_rng_below(&rng, 9999));
        at += (size_t)n;
    }
    memset(payload + at, '.', sizeof payload - at);
    return 0;
}

/* ---- framings, each appended to out; the size is returned ---- */

static size_t frame_gzip(uint8_t *out, const uint8_t *src, size_t size, int window, bool named) {
    z_stream z = {0};
    gz_header header = {.time = 12345, .name = (Bytef *)"name", .comment = (Bytef *)"comment"};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    if (named) assert_int_equal(deflateSetHeader(&z, &header), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)src;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = FRAMED;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(deflateEnd(&z), Z_OK);
    return FRAMED - z.avail_out;
}

static size_t gzip_one(uint8_t *out) { return frame_gzip(out, payload, PAYLOAD, 31, false); }
static size_t gzip_named(uint8_t *out) { return frame_gzip(out, payload, PAYLOAD, 31, true); }
static size_t gzip_two(uint8_t *out) {
    size_t n = frame_gzip(out, payload, 70001, 31, false);
    return n + frame_gzip(out + n, payload + 70001, PAYLOAD - 70001, 31, true);
}
static size_t gzip_empty_members(uint8_t *out) {
    size_t n = frame_gzip(out, payload, 0, 31, false);
    n += frame_gzip(out + n, payload, PAYLOAD, 31, false);
    return n + frame_gzip(out + n, payload, 0, 31, false);
}
static size_t gzip_zeros(uint8_t *out) {
    size_t n = gzip_one(out);
    memset(out + n, 0, 100);
    return n + 100;
}
static size_t gzip_junk(uint8_t *out) {
    size_t n = gzip_one(out);
    memset(out + n, 'j', 100);
    return n + 100;
}
static size_t gzip_cut_second(uint8_t *out) {
    size_t n = frame_gzip(out, payload, 70001, 31, false);
    return n + frame_gzip(out + n, payload + 70001, PAYLOAD - 70001, 31, false) - 200;
}
static size_t gzip_wrong_crc(uint8_t *out) {
    size_t n = gzip_one(out);
    out[n - 8] ^= 1;
    return n;
}
static size_t gzip_wrong_length(uint8_t *out) {
    size_t n = gzip_one(out);
    out[n - 4] ^= 1;
    return n;
}
static size_t zlib_header(uint8_t *out) { return frame_gzip(out, payload, PAYLOAD, 15, false); }

static size_t frame_lz4(uint8_t *out, const uint8_t *src, size_t size, LZ4F_frameInfo_t info) {
    LZ4F_preferences_t preferences = {.frameInfo = info};
    if (info.contentSize != 0) preferences.frameInfo.contentSize = size;
    size_t n = LZ4F_compressFrame(out, FRAMED, src, size, &preferences);
    assert_false(LZ4F_isError(n));
    return n;
}
static size_t lz4_flags(uint8_t *out, LZ4F_blockSizeID_t block, bool linked, bool content_sum,
                        bool block_sum, bool with_size) {
    return frame_lz4(
        out, payload, PAYLOAD,
        (LZ4F_frameInfo_t){.blockSizeID = block,
                           .blockMode = linked ? LZ4F_blockLinked : LZ4F_blockIndependent,
                           .contentChecksumFlag =
                               content_sum ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum,
                           .blockChecksumFlag =
                               block_sum ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum,
                           .contentSize = with_size});
}
static size_t lz4_plain(uint8_t *out) {
    return lz4_flags(out, LZ4F_max64KB, false, false, false, false);
}
static size_t lz4_content_sum(uint8_t *out) {
    return lz4_flags(out, LZ4F_max64KB, false, true, false, false);
}
static size_t lz4_with_size(uint8_t *out) {
    return lz4_flags(out, LZ4F_max64KB, false, false, false, true);
}
static size_t lz4_block_sums(uint8_t *out) {
    return lz4_flags(out, LZ4F_max64KB, false, false, true, false);
}
static size_t lz4_all_flags(uint8_t *out) {
    return lz4_flags(out, LZ4F_max256KB, true, true, true, true);
}
static size_t lz4_big_blocks(uint8_t *out) {
    /* LZ4F_compressFrame picks smaller blocks for small data; the stream functions do not. */
    LZ4F_cctx *cctx;
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max4MB, .blockMode = LZ4F_blockIndependent}};
    assert_int_equal(LZ4F_createCompressionContext(&cctx, LZ4F_VERSION), 0);
    size_t n = LZ4F_compressBegin(cctx, out, FRAMED, &preferences);
    size_t bound = LZ4F_compressBound(PAYLOAD, &preferences);
    uint8_t *room = malloc(bound);
    assert_non_null(room);
    size_t used = LZ4F_compressUpdate(cctx, room, bound, payload, PAYLOAD, NULL);
    assert_int_equal(used, 0); /* buffered: less than a block */
    used = LZ4F_compressEnd(cctx, room, bound, NULL);
    assert_false(LZ4F_isError(used));
    memcpy(out + n, room, used);
    free(room);
    LZ4F_freeCompressionContext(cctx);
    assert_int_equal(out[5], 0x70);
    return n + used;
}
static size_t lz4_linked(uint8_t *out) {
    return lz4_flags(out, LZ4F_max64KB, true, false, false, false);
}
static size_t lz4_two(uint8_t *out) {
    LZ4F_frameInfo_t info = {.blockMode = LZ4F_blockIndependent};
    size_t n = frame_lz4(out, payload, 70001, info);
    return n + frame_lz4(out + n, payload + 70001, PAYLOAD - 70001, info);
}
static size_t lz4_zeros(uint8_t *out) {
    size_t n = lz4_plain(out);
    memset(out + n, 0, 100);
    return n + 100;
}
static size_t lz4_junk(uint8_t *out) {
    size_t n = lz4_zeros(out);
    out[n - 1] = 'j';
    return n;
}
static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
static size_t lz4_skippable(uint8_t *out) {
    memcpy(out, skippable, sizeof skippable);
    return sizeof skippable + lz4_plain(out + sizeof skippable);
}
static size_t lz4_wrong_header_sum(uint8_t *out) {
    size_t n = lz4_plain(out);
    out[6] ^= 1;
    return n;
}
static size_t lz4_wrong_content_sum(uint8_t *out) {
    size_t n = lz4_content_sum(out);
    out[n - 1] ^= 1;
    return n;
}
static size_t lz4_wrong_block_sum(uint8_t *out) {
    size_t n = lz4_block_sums(out);
    out[n - 5] ^= 1; /* just before the end mark */
    return n;
}

static size_t frame_zstd(uint8_t *out, const uint8_t *src, size_t size, int checksum, int window,
                         int with_size) {
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    assert_non_null(cctx);
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, checksum);
    if (window != 0) ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, window);
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, with_size);
    ZSTD_inBuffer in = {src, size, 0};
    ZSTD_outBuffer buffer = {out, FRAMED, 0};
    if (with_size) ZSTD_CCtx_setPledgedSrcSize(cctx, size);
    /* Begun before it is known to be all, so the window isn't cut to the size. */
    ZSTD_inBuffer none = {src, 0, 0};
    if (!with_size) ZSTD_compressStream2(cctx, &buffer, &none, ZSTD_e_flush);
    assert_int_equal(ZSTD_compressStream2(cctx, &buffer, &in, ZSTD_e_end), 0);
    ZSTD_freeCCtx(cctx);
    return buffer.pos;
}
static size_t zstd_plain(uint8_t *out) { return frame_zstd(out, payload, PAYLOAD, 0, 0, 1); }
static size_t zstd_no_size(uint8_t *out) { return frame_zstd(out, payload, PAYLOAD, 0, 0, 0); }
static size_t zstd_checksum(uint8_t *out) { return frame_zstd(out, payload, PAYLOAD, 1, 0, 1); }
static size_t zstd_two(uint8_t *out) {
    size_t n = frame_zstd(out, payload, 70001, 0, 0, 1);
    return n + frame_zstd(out + n, payload + 70001, PAYLOAD - 70001, 1, 0, 0);
}
static size_t zstd_skippable(uint8_t *out) {
    memcpy(out, skippable, sizeof skippable);
    size_t n = sizeof skippable + frame_zstd(out + sizeof skippable, payload, 70001, 0, 0, 1);
    memcpy(out + n, skippable, sizeof skippable);
    n += sizeof skippable;
    n += frame_zstd(out + n, payload + 70001, PAYLOAD - 70001, 0, 0, 1);
    memcpy(out + n, skippable, sizeof skippable);
    return n + sizeof skippable;
}
static size_t zstd_long_window(uint8_t *out) {
    size_t n = frame_zstd(out, payload, PAYLOAD, 0, 27, 0);
    ZSTD_frameHeader header;
    assert_int_equal(ZSTD_getFrameHeader(&header, out, n), 0);
    assert_int_equal(header.windowSize, 1 << 27);
    return n;
}
static size_t zstd_zeros(uint8_t *out) {
    size_t n = zstd_plain(out);
    memset(out + n, 0, 100);
    return n + 100;
}
static size_t zstd_wrong_checksum(uint8_t *out) {
    size_t n = zstd_checksum(out);
    out[n - 1] ^= 1;
    return n;
}

static size_t snappy_block(uint8_t *out, const uint8_t *src, size_t size) {
    size_t n = FRAMED;
    assert_int_equal(snappy_compress((const char *)src, size, (char *)out, &n), SNAPPY_OK);
    return n;
}
static size_t snappy_raw(uint8_t *out) { return snappy_block(out, payload, PAYLOAD); }
static size_t xerial_header(uint8_t *out, uint32_t version, uint32_t compatible) {
    memcpy(out, "\x82SNAPPY", 8);
    sl_bytes_put32(out + 8, version);
    sl_bytes_put32(out + 12, compatible);
    return 16;
}
static size_t xerial_block(uint8_t *out, const uint8_t *src, size_t size) {
    size_t n = snappy_block(out + 4, src, size);
    sl_bytes_put32(out, (uint32_t)n);
    return 4 + n;
}
static size_t xerial_with(uint8_t *out, uint32_t version, size_t cut, bool again) {
    size_t n = xerial_header(out, version, version);
    n += xerial_block(out + n, payload, cut);
    if (again) n += xerial_header(out + n, version, version);
    if (cut < PAYLOAD) n += xerial_block(out + n, payload + cut, PAYLOAD - cut);
    return n;
}
static size_t xerial_one(uint8_t *out) { return xerial_with(out, 1, PAYLOAD, false); }
static size_t xerial_two(uint8_t *out) { return xerial_with(out, 1, 32768, false); }
static size_t xerial_version_2(uint8_t *out) { return xerial_with(out, 2, 32768, false); }
static size_t xerial_again(uint8_t *out) { return xerial_with(out, 1, 32768, true); }
static size_t xerial_cut_length(uint8_t *out) {
    size_t n = xerial_one(out);
    memset(out + n, 0, 3);
    return n + 3;
}
static size_t xerial_negative_length(uint8_t *out) {
    size_t n = xerial_one(out);
    memset(out + n, 0xff, 40);
    return n + 40;
}
static size_t xerial_length_zero(uint8_t *out) {
    size_t n = xerial_one(out);
    memset(out + n, 0, 4);
    return n + 4;
}
static size_t snappy_trailing(uint8_t *out) {
    size_t n = snappy_raw(out);
    memset(out + n, 0, 10);
    return n + 10;
}
static size_t snappy_lying(uint8_t *out) {
    size_t n = snappy_raw(out);
    out[0] ^= 0x40; /* in the length: 64 less */
    return n;
}

struct framing {
    const char *name;
    int codec;
    size_t (*build)(uint8_t *out);
    int rv;
};
static const struct framing framings[] = {
    {"gzip, one member", SL_CODEC_GZIP, gzip_one, 0},
    {"gzip, name, comment and time", SL_CODEC_GZIP, gzip_named, 0},
    {"gzip, two members", SL_CODEC_GZIP, gzip_two, 0},
    {"gzip, empty members around", SL_CODEC_GZIP, gzip_empty_members, 0},
    {"gzip, zeros after", SL_CODEC_GZIP, gzip_zeros, 0},
    {"gzip, junk after", SL_CODEC_GZIP, gzip_junk, 0},
    {"gzip, second member cut", SL_CODEC_GZIP, gzip_cut_second, SLUICE_ERR_MALFORMED},
    {"gzip, wrong CRC", SL_CODEC_GZIP, gzip_wrong_crc, SLUICE_ERR_MALFORMED},
    {"gzip, wrong length", SL_CODEC_GZIP, gzip_wrong_length, SLUICE_ERR_MALFORMED},
    {"zlib header", SL_CODEC_GZIP, zlib_header, SLUICE_ERR_MALFORMED},
    {"lz4, independent 64 KB", SL_CODEC_LZ4, lz4_plain, 0},
    {"lz4, content checksum", SL_CODEC_LZ4, lz4_content_sum, 0},
    {"lz4, content size", SL_CODEC_LZ4, lz4_with_size, 0},
    {"lz4, block checksums", SL_CODEC_LZ4, lz4_block_sums, 0},
    {"lz4, all flags, linked", SL_CODEC_LZ4, lz4_all_flags, 0},
    {"lz4, 4 MB blocks", SL_CODEC_LZ4, lz4_big_blocks, 0},
    {"lz4, linked blocks", SL_CODEC_LZ4, lz4_linked, 0},
    {"lz4, zeros after", SL_CODEC_LZ4, lz4_zeros, 0},
    {"lz4, junk after", SL_CODEC_LZ4, lz4_junk, SLUICE_ERR_MALFORMED},
    {"lz4, two frames", SL_CODEC_LZ4, lz4_two, SLUICE_ERR_MALFORMED},
    {"lz4, skippable first", SL_CODEC_LZ4, lz4_skippable, SLUICE_ERR_MALFORMED},
    {"lz4, wrong header sum", SL_CODEC_LZ4, lz4_wrong_header_sum, SLUICE_ERR_MALFORMED},
    {"lz4, wrong content sum", SL_CODEC_LZ4, lz4_wrong_content_sum, SLUICE_ERR_MALFORMED},
    {"lz4, wrong block sum", SL_CODEC_LZ4, lz4_wrong_block_sum, SLUICE_ERR_MALFORMED},
    {"zstd, plain", SL_CODEC_ZSTD, zstd_plain, 0},
    {"zstd, no size", SL_CODEC_ZSTD, zstd_no_size, 0},
    {"zstd, checksum", SL_CODEC_ZSTD, zstd_checksum, 0},
    {"zstd, two frames", SL_CODEC_ZSTD, zstd_two, 0},
    {"zstd, skippable frames", SL_CODEC_ZSTD, zstd_skippable, 0},
    {"zstd, window 2^27", SL_CODEC_ZSTD, zstd_long_window, 0},
    {"zstd, zeros after", SL_CODEC_ZSTD, zstd_zeros, SLUICE_ERR_MALFORMED},
    {"zstd, wrong checksum", SL_CODEC_ZSTD, zstd_wrong_checksum, SLUICE_ERR_MALFORMED},
    {"snappy, bare", SL_CODEC_SNAPPY, snappy_raw, 0},
    {"xerial, one block", SL_CODEC_SNAPPY, xerial_one, 0},
    {"xerial, two blocks", SL_CODEC_SNAPPY, xerial_two, 0},
    {"xerial, version 2", SL_CODEC_SNAPPY, xerial_version_2, 0},
    {"xerial, header again", SL_CODEC_SNAPPY, xerial_again, 0},
    {"xerial, length cut", SL_CODEC_SNAPPY, xerial_cut_length, SLUICE_ERR_MALFORMED},
    {"xerial, length negative", SL_CODEC_SNAPPY, xerial_negative_length, SLUICE_ERR_MALFORMED},
    {"xerial, length zero", SL_CODEC_SNAPPY, xerial_length_zero, SLUICE_ERR_MALFORMED},
    {"snappy, bytes after", SL_CODEC_SNAPPY, snappy_trailing, SLUICE_ERR_MALFORMED},
    {"snappy, wrong length", SL_CODEC_SNAPPY, snappy_lying, SLUICE_ERR_MALFORMED},
};
enum { FRAMING_COUNT = sizeof framings / sizeof framings[0] };

#endif
