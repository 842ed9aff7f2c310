/* Fuzzes the codecs. The first byte of an input picks the codec, the direction and, for encoding,
 * the level; the rest is the data.
 *
 * Decoding: no more than the cap may come out, and nothing after an error. Encoding: within the
 * bound, and decoding gives back the same bytes. */
#include <stdlib.h>

#include "record/compress.h"

enum { FUZZ_CAP = 1 << 20, FUZZ_DIRECTION = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds) abort();
}

static void decode_bytes(struct sl_compress *codecs, int codec, const uint8_t *data, size_t size) {
    struct sl_writer out;
    sl_writer_init(&out, sl_alloc_default());
    int rv = sl_compress_decode(codecs, codec, data, size, FUZZ_CAP, &out);
    demand(out.size <= (rv == 0 ? FUZZ_CAP : 0));
    sl_writer_deinit(&out);
}

static void encode_bytes(struct sl_compress *codecs, int codec, int pick, const uint8_t *data,
                         size_t size) {
    struct sl_writer packed, out;
    int32_t low, high;
    (void)sl_compress_check_level(codec, 0, &low, &high);
    if (codec == SL_CODEC_ZSTD) low = -5; /* the far end is all the same */
    int32_t level = pick == 0 ? SL_COMPRESS_LEVEL_DEFAULT : low + (pick - 1) % (high - low + 1);
    sl_writer_init(&packed, sl_alloc_default());
    sl_writer_init(&out, sl_alloc_default());
    demand(sl_compress_encode(codecs, codec, level, data, size, &packed) == 0);
    demand(packed.size <= sl_compress_bound(codec, size));
    demand(sl_compress_decode(codecs, codec, packed.data, packed.size, size, &out) == 0);
    demand(out.size == size && (size == 0 || memcmp(out.data, data, size) == 0));
    sl_writer_deinit(&packed);
    sl_writer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct sl_compress *codecs; /* kept: contexts must stand what came before */
    if (size == 0) return 0;
    if (codecs == NULL && sl_compress_create(sl_alloc_default(), &codecs) != 0) abort();
    int codec = (data[0] & 7) % SL_CODEC_COUNT;
    if ((data[0] & FUZZ_DIRECTION) != 0) {
        encode_bytes(codecs, codec, data[0] >> 4, data + 1, size - 1);
    } else {
        decode_bytes(codecs, codec, data + 1, size - 1);
    }
    return 0;
}
