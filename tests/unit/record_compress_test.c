/* Goal: every framing that known producers write is read, every broken one is an error, output is
 * capped, memory is bounded and its failure is reported; what is written has the form that all
 * clients read.
 * Method: one payload, framed with the codec libraries in every way of the acceptance matrix and
 * then damaged; bombs, counted by the allocator; random round trips over codecs and levels; cuts
 * at every byte; each allocation made to fail once. */
#include "record/compress.h"

#include "record_framings.h"
#include "record_golden.h"

enum { CAP = 1 << 20 };

/* ---- a codec state on a counting allocator ---- */

struct bench {
    struct test_memory memory;
    struct sl_compress *codecs;
    struct sl_writer out;
};

static void bench_init(struct bench *b) {
    test_memory_init(&b->memory);
    assert_int_equal(sl_compress_create(&b->memory.alloc, &b->codecs), 0);
    sl_writer_init(&b->out, &b->memory.alloc);
}

static void bench_deinit(struct bench *b) {
    sl_writer_deinit(&b->out);
    sl_compress_destroy(b->codecs);
    test_memory_check(&b->memory);
}

/* Decodes into an emptied writer. */
static int decode(struct bench *b, int codec, const void *src, size_t size, size_t cap) {
    b->out.size = 0;
    return sl_compress_decode(b->codecs, codec, src, size, cap, &b->out);
}

static bool is_payload(const struct bench *b) {
    return b->out.size == PAYLOAD && memcmp(b->out.data, payload, PAYLOAD) == 0;
}

/* ---- reading ---- */

static void test_acceptance_matrix(void **state) {
    (void)state;
    struct bench b;
    uint8_t *framed = malloc(FRAMED);
    assert_non_null(framed);
    bench_init(&b);
    /* Twice with the same contexts: errors must leave nothing behind. Then with the least room
     * that is enough, and with a byte too little. */
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < FRAMING_COUNT; i++) {
            size_t size = framings[i].build(framed);
            size_t cap = round < 2 ? CAP : round == 2 ? PAYLOAD : PAYLOAD - 1;
            int want = framings[i].rv;
            int rv = decode(&b, framings[i].codec, framed, size, cap);
            if (round == 3) want = rv == SLUICE_ERR_MALFORMED ? want : SLUICE_ERR_TOO_BIG;
            if (rv != want || (rv == 0 && !is_payload(&b)))
                fail_msg("%s: %d instead of %d (round %d)", framings[i].name, rv, want, round);
            if (rv != 0) assert_int_equal(b.out.size, 0);
        }
    }
    bench_deinit(&b);
    free(framed);
}

static void test_output_is_appended(void **state) {
    (void)state;
    struct bench b;
    uint8_t *framed = malloc(FRAMED);
    assert_non_null(framed);
    bench_init(&b);
    for (int i = 0; i < FRAMING_COUNT; i++) {
        size_t size = framings[i].build(framed);
        sl_writer_deinit(&b.out);
        sl_writer_raw(&b.out, "before", 6);
        int rv = sl_compress_decode(b.codecs, framings[i].codec, framed, size, PAYLOAD, &b.out);
        assert_int_equal(rv, framings[i].rv);
        assert_int_equal(b.out.size, rv == 0 ? 6 + PAYLOAD : 6);
        assert_memory_equal(b.out.data, "before", 6);
        if (rv == 0) assert_memory_equal(b.out.data + 6, payload, PAYLOAD);
    }
    bench_deinit(&b);
    free(framed);
}

/* Whatever the cap is, a stream that would go beyond it is too big, and never called broken. */
static void test_any_cap_below_the_size(void **state) {
    (void)state;
    static const size_t caps[] = {0,     1,     2,     100,    4095,   4096,   32767,  32768,
                                  65535, 65536, 65537, 131071, 131072, 131073, 196608, PAYLOAD - 1};
    struct bench b;
    uint8_t *framed = malloc(FRAMED);
    assert_non_null(framed);
    bench_init(&b);
    for (int i = 0; i < FRAMING_COUNT; i++) {
        if (framings[i].rv != 0) continue;
        size_t size = framings[i].build(framed);
        for (size_t k = 0; k < sizeof caps / sizeof caps[0]; k++) {
            sl_writer_deinit(&b.out);
            int rv = decode(&b, framings[i].codec, framed, size, caps[k]);
            if (rv != SLUICE_ERR_TOO_BIG)
                fail_msg("%s, cap %zu: %d", framings[i].name, caps[k], rv);
        }
    }
    bench_deinit(&b);
    free(framed);
}

static void test_cut_at_every_byte(void **state) {
    (void)state;
    struct bench b;
    struct sl_writer packed;
    bench_init(&b);
    sl_writer_init(&packed, &b.memory.alloc);
    for (int codec = SL_CODEC_GZIP; codec < SL_CODEC_COUNT; codec++) {
        packed.size = 0;
        assert_int_equal(
            sl_compress_encode(b.codecs, codec, SL_COMPRESS_LEVEL_DEFAULT, payload, 2000, &packed),
            0);
        for (size_t cut = 0; cut < packed.size; cut++) {
            uint8_t *part = malloc(cut > 0 ? cut : 1);
            assert_non_null(part);
            memcpy(part, packed.data, cut);
            assert_int_equal(decode(&b, codec, part, cut, CAP), SLUICE_ERR_MALFORMED);
            free(part);
        }
        assert_int_equal(decode(&b, codec, packed.data, packed.size, CAP), 0);
        assert_int_equal(b.out.size, 2000);
    }
    sl_writer_deinit(&packed);
    bench_deinit(&b);
}

static void test_random_damage(void **state) {
    (void)state;
    struct bench b;
    struct sl_writer packed;
    struct sl_rng rng;
    sl_rng_init(&rng, 11);
    bench_init(&b);
    sl_writer_init(&packed, &b.memory.alloc);
    for (int codec = SL_CODEC_GZIP; codec < SL_CODEC_COUNT; codec++) {
        packed.size = 0;
        assert_int_equal(
            sl_compress_encode(b.codecs, codec, SL_COMPRESS_LEVEL_DEFAULT, payload, 2000, &packed),
            0);
        for (int round = 0; round < 1500; round++) {
            size_t at = (size_t)sl_rng_below(&rng, packed.size);
            uint8_t old = packed.data[at];
            packed.data[at] = (uint8_t)sl_rng_next(&rng);
            int rv = decode(&b, codec, packed.data, packed.size, 4000);
            assert_true(rv == 0 || rv == SLUICE_ERR_MALFORMED || rv == SLUICE_ERR_TOO_BIG);
            assert_true(b.out.size <= 4000);
            packed.data[at] = old;
        }
    }
    sl_writer_deinit(&packed);
    bench_deinit(&b);
}

/* ---- bombs ---- */

static void check_bomb(struct bench *b, int codec, const void *src, size_t size, int rv,
                       size_t most) {
    sl_writer_deinit(&b->out);
    b->memory.peak_bytes = 0;
    assert_int_equal(decode(b, codec, src, size, CAP), rv);
    if (b->memory.peak_bytes > most)
        fail_msg("codec %d took %zu bytes, at most %zu", codec, b->memory.peak_bytes, most);
}

static void test_bombs_are_capped(void **state) {
    (void)state;
    enum { BOMB = 64 << 20, CONTEXTS = 300 * 1024, BLOCKS = (1 << 20) + (1 << 17) + (1 << 20) };
    struct bench b;
    struct sl_writer packed;
    uint8_t *zeros = calloc(1, BOMB);
    assert_non_null(zeros);
    for (int codec = SL_CODEC_NONE; codec < SL_CODEC_COUNT; codec++) {
        bench_init(&b);
        sl_writer_init(&packed, sl_alloc_default());
        assert_int_equal(
            sl_compress_encode(b.codecs, codec, SL_COMPRESS_LEVEL_DEFAULT, zeros, BOMB, &packed),
            0);
        sl_compress_destroy(b.codecs); /* without the encoder's memory */
        assert_int_equal(sl_compress_create(&b.memory.alloc, &b.codecs), 0);
        check_bomb(&b, codec, packed.data, packed.size, SLUICE_ERR_TOO_BIG,
                   2 * CAP + CONTEXTS + (codec == SL_CODEC_LZ4 ? BLOCKS : 0));
        sl_writer_deinit(&packed);
        bench_deinit(&b);
    }
    free(zeros);
}

static void test_claimed_sizes_are_not_believed(void **state) {
    (void)state;
    struct bench b;
    uint8_t bytes[64];
    bench_init(&b);
    /* snappy: 2^31 bytes, then 2^20 within the cap, from a few bytes. */
    size_t size = test_hex("8080808008 00 61", bytes, sizeof bytes);
    check_bomb(&b, SL_CODEC_SNAPPY, bytes, size, SLUICE_ERR_MALFORMED, 1024);
    size = test_hex("808040 00 61", bytes, sizeof bytes);
    check_bomb(&b, SL_CODEC_SNAPPY, bytes, size, SLUICE_ERR_MALFORMED, 1024);
    /* zstd: a content size of 2^62 and one stored byte; a window of 2^41 and no size. */
    size = test_hex("28b52ffd e0 0000000000000040 090000 61", bytes, sizeof bytes);
    check_bomb(&b, SL_CODEC_ZSTD, bytes, size, SLUICE_ERR_MALFORMED, 300 * 1024);
    size = test_hex("28b52ffd 00 f8 090000 61", bytes, sizeof bytes);
    check_bomb(&b, SL_CODEC_ZSTD, bytes, size, SLUICE_ERR_MALFORMED, 300 * 1024);
    /* The largest window that is read takes no memory either. */
    size = test_hex("28b52ffd 00 88 090000 61", bytes, sizeof bytes);
    check_bomb(&b, SL_CODEC_ZSTD, bytes, size, 0, 400 * 1024);
    assert_int_equal(b.out.size, 1);
    bench_deinit(&b);
}

/* A run of RLE blocks: 4 bytes make 128 KiB. The cap is met after a few tries, not before. */
static void test_zstd_run_length_bomb(void **state) {
    (void)state;
    enum { BLOCKS = 4096 };
    static uint8_t bytes[6 + 4 * BLOCKS];
    struct bench b;
    bench_init(&b);
    (void)test_hex("28b52ffd 00 58", bytes, sizeof bytes);
    for (size_t i = 0; i < BLOCKS; i++) {
        uint32_t header = (uint32_t)(i == BLOCKS - 1) | 1U << 1 | (128U * 1024) << 3;
        uint8_t *block = bytes + 6 + 4 * i;
        block[0] = (uint8_t)header;
        block[1] = (uint8_t)(header >> 8);
        block[2] = (uint8_t)(header >> 16);
        block[3] = 'x';
    }
    check_bomb(&b, SL_CODEC_ZSTD, bytes, sizeof bytes, SLUICE_ERR_TOO_BIG, 2 * CAP + 300 * 1024);
    /* With the cap far enough it is only data. */
    assert_int_equal(sl_compress_decode(b.codecs, SL_CODEC_ZSTD, bytes, sizeof bytes,
                                        (size_t)BLOCKS * 128 * 1024, &b.out),
                     0);
    assert_int_equal(b.out.size, (size_t)BLOCKS * 128 * 1024);
    bench_deinit(&b);
}

/* ---- writing ---- */

static void pack(struct bench *b, int codec, int32_t level, const void *src, size_t size) {
    b->out.size = 0;
    assert_int_equal(sl_compress_encode(b->codecs, codec, level, src, size, &b->out), 0);
    assert_true(b->out.size <= sl_compress_bound(codec, size));
}

static void test_written_framing(void **state) {
    (void)state;
    enum { DEFAULT = SL_COMPRESS_LEVEL_DEFAULT, MORE = 3 << 20 };
    struct bench b;
    size_t length;
    uint8_t *zeros = calloc(1, MORE);
    assert_non_null(zeros);
    bench_init(&b);
    pack(&b, SL_CODEC_GZIP, DEFAULT, payload, PAYLOAD);
    assert_memory_equal(b.out.data, "\x1f\x8b\x08\0\0\0\0\0", 8); /* no name, no time */
    pack(&b, SL_CODEC_SNAPPY, DEFAULT, payload, PAYLOAD);
    assert_int_equal(snappy_uncompressed_length((const char *)b.out.data, b.out.size, &length),
                     SNAPPY_OK);
    assert_int_equal(length, PAYLOAD);
    for (int round = 0; round < 2; round++) { /* independent blocks, no sums, no size */
        pack(&b, SL_CODEC_LZ4, DEFAULT, round == 0 ? payload : zeros, round == 0 ? PAYLOAD : MORE);
        assert_memory_equal(b.out.data, "\x04\x22\x4d\x18\x60", 5);
        assert_int_equal(b.out.data[5], round == 0 ? 0x50 : 0x60); /* 256 KB, 1 MB */
        assert_memory_equal(b.out.data + b.out.size - 4, "\0\0\0\0", 4);
    }
    pack(&b, SL_CODEC_LZ4, DEFAULT, "value", 5);
    assert_int_equal(b.out.data[5], 0x40);
    pack(&b, SL_CODEC_ZSTD, DEFAULT, payload, PAYLOAD);
    assert_int_equal(ZSTD_getFrameContentSize(b.out.data, b.out.size), PAYLOAD);
    assert_int_equal(ZSTD_findFrameCompressedSize(b.out.data, b.out.size), b.out.size);
    assert_int_equal(b.out.data[4] & 4, 0); /* no checksum */
    bench_deinit(&b);
    free(zeros);
}

/* Levels 1 to 3 have smaller tables here than in zstd. Records like each other take no more room for it, and
 * where the level's own tables are better they are used. */
static void test_zstd_sizes(void **state) {
    (void)state;
    static const int32_t levels[] = {-5, 1, 2, 3, 5, 12};
    static const size_t sizes[] = {1000, 100 * 1000, PAYLOAD};
    struct bench b;
    uint8_t *own = malloc(ZSTD_COMPRESSBOUND(PAYLOAD));
    assert_non_null(own);
    bench_init(&b);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
            bool is_smaller = sizes[j] == PAYLOAD && levels[i] >= 1 && levels[i] <= 3;
            size_t used =
                ZSTD_compress(own, ZSTD_COMPRESSBOUND(PAYLOAD), payload, sizes[j], levels[i]);
            assert_false(ZSTD_isError(used));
            pack(&b, SL_CODEC_ZSTD, levels[i], payload, sizes[j]);
            assert_true(b.out.size <= used + used / 100);
            if (is_smaller) continue;
            assert_int_equal(b.out.size, used);
            assert_memory_equal(b.out.data, own, used);
        }
    }
    bench_deinit(&b);
    free(own);
}

/* Java's and our form of the same records hold the same bytes. */
static void test_golden_bytes(void **state) {
    (void)state;
    static const struct {
        int codec;
        const char *hex;
    } golden[] = {{SL_CODEC_GZIP, GOLDEN_GZ},
                  {SL_CODEC_SNAPPY, GOLDEN_SNRAW},
                  {SL_CODEC_SNAPPY, GOLDEN_SNXER},
                  {SL_CODEC_LZ4, GOLDEN_LZ4}};
    uint8_t plain[GOLDEN_CAP], packed[GOLDEN_CAP];
    size_t plain_size = test_hex(GOLDEN_B1, plain, sizeof plain) - SL_RECORD_HEADER_SIZE;
    struct bench b;
    bench_init(&b);
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        size_t size = test_hex(golden[i].hex, packed, sizeof packed) - SL_RECORD_HEADER_SIZE;
        assert_int_equal(
            decode(&b, golden[i].codec, packed + SL_RECORD_HEADER_SIZE, size, plain_size), 0);
        assert_int_equal(b.out.size, plain_size);
        assert_memory_equal(b.out.data, plain + SL_RECORD_HEADER_SIZE, plain_size);
    }
    /* lz4 and bare snappy leave no choice here: ours are the golden bytes. */
    pack(&b, SL_CODEC_LZ4, SL_COMPRESS_LEVEL_DEFAULT, plain + SL_RECORD_HEADER_SIZE, plain_size);
    test_hex_equal(b.out.data, b.out.size, &GOLDEN_LZ4[2 * SL_RECORD_HEADER_SIZE]);
    pack(&b, SL_CODEC_SNAPPY, SL_COMPRESS_LEVEL_DEFAULT, plain + SL_RECORD_HEADER_SIZE, plain_size);
    test_hex_equal(b.out.data, b.out.size, &GOLDEN_SNRAW[2 * SL_RECORD_HEADER_SIZE]);
    bench_deinit(&b);
}

static void test_random_round_trips(void **state) {
    (void)state;
    enum { MOST = 300 * 1024 };
    static const struct {
        int codec;
        int32_t level;
    } kinds[] = {
        {SL_CODEC_NONE, SL_COMPRESS_LEVEL_DEFAULT},
        {SL_CODEC_GZIP, SL_COMPRESS_LEVEL_DEFAULT},
        {SL_CODEC_GZIP, 1},
        {SL_CODEC_GZIP, 9},
        {SL_CODEC_SNAPPY, SL_COMPRESS_LEVEL_DEFAULT},
        {SL_CODEC_LZ4, SL_COMPRESS_LEVEL_DEFAULT},
        {SL_CODEC_LZ4, 1},
        {SL_CODEC_LZ4, 9},
        {SL_CODEC_LZ4, 17},
        {SL_CODEC_ZSTD, SL_COMPRESS_LEVEL_DEFAULT},
        {SL_CODEC_ZSTD, -131072},
        {SL_CODEC_ZSTD, 1},
        {SL_CODEC_ZSTD, 19},
    };
    struct bench b;
    struct sl_writer packed;
    struct sl_rng rng;
    uint8_t *bytes = malloc(MOST);
    assert_non_null(bytes);
    sl_rng_init(&rng, 5);
    bench_init(&b);
    sl_writer_init(&packed, &b.memory.alloc);
    for (int round = 0; round < 12; round++) {
        size_t size = (size_t)sl_rng_below(&rng, round % 2 == 0 ? 3000 : MOST);
        if (round == 0) size = 0;
        uint64_t alphabet = round % 3 == 0 ? 256 : round % 3 == 1 ? 4 : 1;
        for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)sl_rng_below(&rng, alphabet);
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            packed.size = 0;
            assert_int_equal(
                sl_compress_encode(b.codecs, kinds[k].codec, kinds[k].level, bytes, size, &packed),
                0);
            assert_true(packed.size <= sl_compress_bound(kinds[k].codec, size));
            assert_int_equal(decode(&b, kinds[k].codec, packed.data, packed.size, size), 0);
            assert_int_equal(b.out.size, size);
            if (size > 0) assert_memory_equal(b.out.data, bytes, size);
        }
    }
    sl_writer_deinit(&packed);
    bench_deinit(&b);
    free(bytes);
}

static void test_names_and_levels(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int32_t low, high;
    } codecs[] = {
        {"none", 0, 0}, {"gzip", 1, 9}, {"snappy", 0, 0}, {"lz4", 1, 17}, {"zstd", -131072, 22}};
    int32_t low, high;
    for (int codec = 0; codec < SL_CODEC_COUNT; codec++) {
        assert_string_equal(sl_compress_name(codec), codecs[codec].name);
        assert_int_equal(sl_compress_find(codecs[codec].name), codec);
        assert_int_equal(sl_compress_check_level(codec, SL_COMPRESS_LEVEL_DEFAULT, &low, &high), 0);
        assert_int_equal(low, codecs[codec].low);
        assert_int_equal(high, codecs[codec].high);
        assert_int_equal(sl_compress_check_level(codec, low, &low, &high), 0);
        assert_int_equal(sl_compress_check_level(codec, high, &low, &high), 0);
        assert_int_equal(sl_compress_check_level(codec, high + 1, &low, &high), SLUICE_ERR_CONFIG);
        assert_int_equal(sl_compress_check_level(codec, low - 3, &low, &high), SLUICE_ERR_CONFIG);
    }
    assert_null(sl_compress_name(-1));
    assert_null(sl_compress_name(SL_CODEC_COUNT));
    assert_int_equal(sl_compress_find("LZ4"), -1);
    assert_int_equal(sl_compress_find(""), -1);
    assert_int_equal(sl_compress_check_level(7, 1, &low, &high), SLUICE_ERR_CONFIG);
    assert_int_equal(sl_compress_check_level(SL_CODEC_GZIP, -1, &low, &high), 0); /* Java's word */
    assert_int_equal(sl_compress_check_level(SL_CODEC_GZIP, 0, &low, &high), SLUICE_ERR_CONFIG);
    struct bench b;
    bench_init(&b);
    assert_int_equal(sl_compress_encode(b.codecs, SL_CODEC_GZIP, 0, "x", 1, &b.out),
                     SLUICE_ERR_CONFIG);
    assert_int_equal(sl_compress_encode(b.codecs, 7, 1, "x", 1, &b.out), SLUICE_ERR_SYSTEM);
    assert_int_equal(decode(&b, 7, "x", 1, CAP), SLUICE_ERR_MALFORMED);
    bench_deinit(&b);
}

/* ---- memory ---- */

/* One allocation fails, then the same contexts are used again: they must have survived it. */
static void check_failing_allocation(int codec, int32_t level, bool *done, long n) {
    struct test_memory memory;
    struct sl_compress *codecs;
    struct sl_writer packed, out;
    test_memory_init(&memory);
    test_memory_fail_at(&memory, n);
    int rv = sl_compress_create(&memory.alloc, &codecs);
    if (rv != 0) {
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
        test_memory_check(&memory);
        return;
    }
    for (int round = 0; round < 2; round++) {
        long before = memory.failures;
        sl_writer_init(&packed, &memory.alloc);
        sl_writer_init(&out, &memory.alloc);
        rv = sl_compress_encode(codecs, codec, level, payload, PAYLOAD, &packed);
        if (rv == 0) rv = sl_compress_decode(codecs, codec, packed.data, packed.size, CAP, &out);
        /* zstd may do without some of its memory, so a failure need not be an error. */
        if (rv != 0) assert_int_equal(rv, SLUICE_ERR_NOMEM);
        if (rv != 0) assert_true(memory.failures > before);
        if (rv == 0) assert_int_equal(out.size, PAYLOAD);
        if (rv == 0) assert_memory_equal(out.data, payload, PAYLOAD);
        sl_writer_deinit(&packed);
        sl_writer_deinit(&out);
    }
    sl_compress_destroy(codecs);
    test_memory_check(&memory);
    *done = !test_memory_has_failed(&memory);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    for (int codec = SL_CODEC_NONE; codec < SL_CODEC_COUNT; codec++) {
        static const int32_t levels[] = {0, 9, 0, 9, 19};
        for (int round = 0; round < 2; round++) {
            bool done = false;
            long n = 1;
            int32_t level = round == 0 ? SL_COMPRESS_LEVEL_DEFAULT : levels[codec];
            for (; !done; n++) check_failing_allocation(codec, level, &done, n);
            assert_true(n > 3); /* the sweep did sweep */
        }
    }
}

static void test_contexts_are_reused(void **state) {
    (void)state;
    struct bench b;
    struct sl_writer packed;
    bench_init(&b);
    sl_writer_init(&packed, &b.memory.alloc);
    for (int codec = SL_CODEC_NONE; codec < SL_CODEC_COUNT; codec++) {
        long calls = 0;
        for (int round = 0; round < 5; round++) {
            packed.size = 0;
            if (round == 2) calls = b.memory.calls;
            assert_int_equal(sl_compress_encode(b.codecs, codec, SL_COMPRESS_LEVEL_DEFAULT, payload,
                                                PAYLOAD, &packed),
                             0);
            assert_int_equal(decode(&b, codec, packed.data, packed.size, CAP), 0);
        }
        /* From the third round on only snappy's probe is allocated. */
        assert_int_equal(b.memory.calls - calls, codec == SL_CODEC_SNAPPY ? 3 : 0);
    }
    sl_writer_deinit(&packed);
    bench_deinit(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acceptance_matrix),
        cmocka_unit_test(test_output_is_appended),
        cmocka_unit_test(test_any_cap_below_the_size),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_bombs_are_capped),
        cmocka_unit_test(test_claimed_sizes_are_not_believed),
        cmocka_unit_test(test_zstd_run_length_bomb),
        cmocka_unit_test(test_written_framing),
        cmocka_unit_test(test_zstd_sizes),
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_random_round_trips),
        cmocka_unit_test(test_names_and_levels),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_contexts_are_reused),
    };
    return cmocka_run_group_tests(tests, fill_payload, NULL);
}
