/* snappy: written as one bare block, which every client reads. Read are bare blocks and the
 * framing of Java's xerial library: a header of 16 bytes (magic, version, oldest compatible
 * version; both are ignored) and then blocks, each after its length in 32 bits. The header may
 * come again between blocks, where appended streams meet; no length looks like its magic, since
 * that would be negative, and no bare block does, since its first element would copy from before
 * the start.
 *
 * A block says how long its output is. The format bounds what that can be: an element of three
 * bytes gives at most 64. A longer claim is a lie and costs no memory.
 *
 * snappy takes its working memory with operator new and lets the failure terminate the process.
 * We cannot pass our allocator, so before compressing we take as much as it will and give it back:
 * where the allocator stands for the same heap this turns nearly every such death into an error.
 * What remains is another thread taking the memory in between, and an allocator with a heap of
 * its own. Decompressing takes no memory. */
#include <snappy-c.h>
#include <string.h>

#include "record/compress_codec.h"
#include "sluice/error.h"

enum {
    /* More than the 64 KiB of input, its compressed form of 75 KiB and the hash table of up to
     * 64 KiB that snappy allocates as one piece. */
    SL_COMPRESS_SNAPPY_MEMORY = 256 * 1024,
    SL_COMPRESS_SNAPPY_RATIO = 22,
    SL_COMPRESS_XERIAL_SIZE = 16
};

static const uint8_t xerial_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static int encode_snappy(struct sl_compress *c, int32_t level, const uint8_t *src, size_t size,
                         uint8_t *out, size_t room, size_t *used) {
    (void)level;
    void *probe = sl_compress_get(c, SL_COMPRESS_SNAPPY_MEMORY);
    if (probe == NULL) return SLUICE_ERR_NOMEM;
    sl_compress_give(c, probe);
    *used = room;
    snappy_status status = snappy_compress((const char *)src, size, (char *)out, used);
    return status == SNAPPY_OK ? 0 : SLUICE_ERR_SYSTEM;
}

static int decode_snappy_block(const uint8_t *src, size_t size, struct sl_compress_sink *sink) {
    size_t length;
    if (snappy_uncompressed_length((const char *)src, size, &length) != SNAPPY_OK)
        return SLUICE_ERR_MALFORMED;
    if (length / SL_COMPRESS_SNAPPY_RATIO > size) return SLUICE_ERR_MALFORMED;
    if (length > sl_compress_left(sink)) return SLUICE_ERR_TOO_BIG;
    uint8_t *out = sl_compress_claim(sink, length);
    if (out == NULL) return SLUICE_ERR_NOMEM;
    if (snappy_uncompress((const char *)src, size, (char *)out, &length) != SNAPPY_OK)
        return SLUICE_ERR_MALFORMED;
    return sl_compress_put(sink, length);
}

static bool has_xerial_magic(const uint8_t *src, size_t size) {
    return size >= sizeof xerial_magic && memcmp(src, xerial_magic, sizeof xerial_magic) == 0;
}

static int decode_xerial(const uint8_t *src, size_t size, struct sl_compress_sink *sink) {
    const uint8_t *end = src + size;
    while (src < end) {
        size_t left = (size_t)(end - src);
        if (has_xerial_magic(src, left)) {
            if (left < SL_COMPRESS_XERIAL_SIZE) return SLUICE_ERR_MALFORMED;
            src += SL_COMPRESS_XERIAL_SIZE;
            continue;
        }
        if (left < 4) return SLUICE_ERR_MALFORMED;
        uint32_t length = sl_bytes_get32(src);
        if (length > left - 4) return SLUICE_ERR_MALFORMED;
        int rv = decode_snappy_block(src + 4, length, sink);
        if (rv != 0) return rv;
        src += 4 + length;
    }
    return 0;
}

static int decode_snappy(struct sl_compress *c, const uint8_t *src, size_t size,
                         struct sl_compress_sink *sink) {
    (void)c;
    if (has_xerial_magic(src, size)) return decode_xerial(src, size, sink);
    return decode_snappy_block(src, size, sink);
}

const struct sl_compress_codec sl_compress_snappy_codec = {.name = "snappy",
                                                           .bound = snappy_max_compressed_length,
                                                           .encode = encode_snappy,
                                                           .decode = decode_snappy};
