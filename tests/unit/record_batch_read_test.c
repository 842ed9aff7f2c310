/* Goal: batches of other implementations are read exactly, and no bytes of a peer get further
 * than an error: what is given out plus an error always accounts for the records claimed.
 * Method: all golden batches, with their content; each of them cut at every byte, as a tail and
 * with its length field made to fit; headers and records with one wrong field each, under a right
 * CRC, since a peer can compute one; random damage. */
#include "record/batch_read.h"

#include "base/rng.h"
#include "record/batch_write.h"
#include "record/crc32c.h"
#include "record_golden.h"
#include "sluice/error.h"

enum { OUTPUT_CAP = 64 * 1024 };

/* A batch in memory of exactly its size, so that a sanitizer sees the first byte beyond. */
struct batch {
    uint8_t *data;
    size_t size;
};

static struct batch take_golden(const char *hex) {
    uint8_t bytes[GOLDEN_CAP];
    struct batch b = {.size = test_hex(hex, bytes, sizeof bytes)};
    b.data = malloc(b.size);
    assert_non_null(b.data);
    memcpy(b.data, bytes, b.size);
    return b;
}

static void set_crc(struct batch *b) {
    uint32_t crc = sl_crc32c(0, b->data + SL_RECORD_ATTRIBUTES, b->size - SL_RECORD_ATTRIBUTES);
    sl_bytes_put32(b->data + SL_RECORD_CRC, crc);
}

/* A batch of plain records given as hex. */
static struct batch take_batch(int32_t count, int32_t last_delta, const char *records) {
    uint8_t bytes[GOLDEN_CAP];
    size_t size = test_hex(records, bytes, sizeof bytes);
    struct batch b = {.data = malloc(SL_RECORD_HEADER_SIZE + size),
                      .size = SL_RECORD_HEADER_SIZE + size};
    assert_non_null(b.data);
    memcpy(b.data + SL_RECORD_HEADER_SIZE, bytes, size);
    struct sl_iov piece = {b.data + SL_RECORD_HEADER_SIZE, size};
    struct sl_batch_summary s = {
        .base_timestamp = GOLDEN_TIME, .max_timestamp = GOLDEN_TIME + 1000, .count = count};
    struct sl_batch_sum sum = sl_batch_write_sum(&piece, 1);
    sl_batch_write_header(b.data, &s, &sum);
    sl_bytes_put32(b.data + SL_RECORD_LAST_DELTA, (uint32_t)last_delta);
    set_crc(&b);
    return b;
}

/* What came of reading a batch from beginning to end. */
struct outcome {
    int rv;       /* the first error, or 0 */
    int seen;     /* records given out */
    int expected; /* records claimed, once the header was fine */
    struct sl_batch_info info;
    struct sl_record_out last;
};

static struct outcome read_batch(const struct batch *b, bool check) {
    struct outcome o = {0};
    struct sl_compress *codecs;
    struct sl_writer scratch;
    struct sl_batch_walk walk;
    const uint8_t *records;
    size_t size;
    o.rv = sl_batch_read_info(b->data, b->size, &o.info);
    if (o.rv != 0) return o;
    o.expected = o.info.record_count;
    if (check) o.rv = sl_batch_read_check(b->data, &o.info);
    if (o.rv != 0) return o;
    assert_int_equal(sl_compress_create(sl_alloc_default(), &codecs), 0);
    sl_writer_init(&scratch, sl_alloc_default());
    o.rv = sl_batch_read_records(b->data, &o.info, codecs, OUTPUT_CAP, &scratch, &records, &size);
    if (o.rv == 0) {
        sl_batch_read_start(&walk, &o.info, records, size);
        struct sl_record_out r;
        while ((o.rv = sl_batch_read_next(&walk, &r)) == 1) {
            o.seen++;
            o.last = r;
        }
        /* The end, good or bad, is the end. */
        assert_int_equal(sl_batch_read_next(&walk, &r), o.rv);
        assert_true(o.seen <= o.expected);
        if (o.rv == 0) assert_int_equal(o.seen, o.expected);
    }
    o.last.key = o.last.value = o.last.headers = NULL; /* scratch goes */
    sl_writer_deinit(&scratch);
    sl_compress_destroy(codecs);
    return o;
}

static void check_outcome(struct batch *b, int rv, int seen) {
    struct outcome o = read_batch(b, true);
    assert_int_equal(o.rv, rv);
    assert_int_equal(o.seen, seen);
    free(b->data);
}

/* ---- golden batches ---- */

static void test_golden_header_fields(void **state) {
    (void)state;
    struct batch b = take_golden(GOLDEN_B2);
    struct sl_batch_info info;
    assert_int_equal(sl_batch_read_info(b.data, b.size, &info), 0);
    assert_int_equal(info.base_offset, 0);
    assert_int_equal(info.last_offset, 1);
    assert_int_equal(info.base_timestamp, GOLDEN_TIME);
    assert_int_equal(info.max_timestamp, GOLDEN_TIME + 5);
    assert_int_equal(info.producer_id, 4000);
    assert_int_equal(info.producer_epoch, 0);
    assert_int_equal(info.base_sequence, 7);
    assert_int_equal(info.leader_epoch, -1);
    assert_int_equal(info.record_count, 2);
    assert_int_equal(info.size, b.size);
    assert_int_equal(info.crc, 0xcdb9490b);
    assert_int_equal(info.attributes, 0);
    assert_int_equal(info.magic, 2);
    assert_int_equal(sl_batch_read_check(b.data, &info), 0);
    free(b.data);
}

static void check_text(const uint8_t *data, int32_t size, const char *text) {
    assert_int_equal(size, strlen(text));
    assert_memory_equal(data, text, strlen(text));
}

static void test_golden_records_and_headers(void **state) {
    (void)state;
    struct batch b = take_golden(GOLDEN_B2);
    struct sl_batch_info info;
    struct sl_batch_walk walk;
    struct sl_record_out r;
    assert_int_equal(sl_batch_read_info(b.data, b.size, &info), 0);
    sl_batch_read_start(&walk, &info, b.data + SL_RECORD_HEADER_SIZE,
                        b.size - SL_RECORD_HEADER_SIZE);
    assert_int_equal(sl_batch_read_next(&walk, &r), 1);
    assert_null(r.key);
    assert_int_equal(r.key_size, -1);
    check_text(r.value, r.value_size, "a");
    assert_int_equal(r.header_count, 0);
    assert_int_equal(r.timestamp, GOLDEN_TIME);
    assert_int_equal(sl_batch_read_next(&walk, &r), 1);
    check_text(r.key, r.key_size, "k");
    assert_null(r.value);
    assert_int_equal(r.value_size, -1);
    assert_int_equal(r.timestamp, GOLDEN_TIME + 5);
    assert_int_equal(r.offset, 1);
    assert_int_equal(r.header_count, 2);

    const uint8_t *at = r.headers;
    const uint8_t *end = r.headers + r.headers_size;
    const char *name;
    const uint8_t *value;
    uint32_t name_size;
    int32_t value_size;
    assert_int_equal(sl_batch_read_user_header(&at, end, &name, &name_size, &value, &value_size),
                     1);
    check_text((const uint8_t *)name, (int32_t)name_size, "h");
    check_text(value, value_size, "v");
    assert_int_equal(sl_batch_read_user_header(&at, end, &name, &name_size, &value, &value_size),
                     1);
    check_text((const uint8_t *)name, (int32_t)name_size, "n");
    assert_null(value);
    assert_int_equal(value_size, -1);
    assert_int_equal(sl_batch_read_user_header(&at, end, &name, &name_size, &value, &value_size),
                     0);
    assert_int_equal(sl_batch_read_next(&walk, &r), 0);
    free(b.data);
}

static void check_golden_records(const char *hex, int32_t count, const char *value) {
    struct batch b = take_golden(hex);
    struct sl_batch_info info;
    struct sl_compress *codecs;
    struct sl_writer scratch;
    const uint8_t *records;
    size_t size;
    assert_int_equal(sl_compress_create(sl_alloc_default(), &codecs), 0);
    sl_writer_init(&scratch, sl_alloc_default());
    sl_writer_raw(&scratch, "before", 6); /* output is appended */
    assert_int_equal(sl_batch_read_info(b.data, b.size, &info), 0);
    assert_int_equal(sl_batch_read_check(b.data, &info), 0);
    assert_int_equal(
        sl_batch_read_records(b.data, &info, codecs, OUTPUT_CAP, &scratch, &records, &size), 0);
    struct sl_batch_walk walk;
    struct sl_record_out r;
    sl_batch_read_start(&walk, &info, records, size);
    for (int32_t i = 0; i < count; i++) {
        assert_int_equal(sl_batch_read_next(&walk, &r), 1);
        check_text(r.key, r.key_size, "key");
        check_text(r.value, r.value_size, value);
        assert_int_equal(r.offset, i);
        assert_int_equal(r.timestamp, GOLDEN_TIME);
    }
    assert_int_equal(sl_batch_read_next(&walk, &r), 0);
    assert_memory_equal(scratch.data, "before", 6);
    sl_writer_deinit(&scratch);
    sl_compress_destroy(codecs);
    free(b.data);
}

static void test_golden_compressed_batches(void **state) {
    (void)state;
    check_golden_records(GOLDEN_B1, 1, "value");
    check_golden_records(GOLDEN_GZ, 1, "value");
    check_golden_records(GOLDEN_SNRAW, 1, "value");
    check_golden_records(GOLDEN_SNXER, 1, "value");
    check_golden_records(GOLDEN_LZ4, 1, "value");
    check_golden_records(GOLDEN_JAVA_GZIP, 20, "value value value value");
    check_golden_records(GOLDEN_JAVA_LZ4, 20, "value value value value");
    check_golden_records(GOLDEN_JAVA_SNAPPY, 20, "value value value value");
    check_golden_records(GOLDEN_JAVA_ZSTD, 20, "value value value value");
}

static void test_golden_flipped_bit_fails_the_crc(void **state) {
    (void)state;
    struct batch b = take_golden(GOLDEN_B1BAD);
    check_outcome(&b, SLUICE_ERR_MALFORMED, 0);
}

static void check_golden_marker(const char *hex, uint16_t type) {
    struct batch b = take_golden(hex);
    struct sl_batch_info info;
    struct sl_batch_walk walk;
    struct sl_record_out r;
    assert_int_equal(sl_batch_read_info(b.data, b.size, &info), 0);
    assert_int_equal(sl_batch_read_check(b.data, &info), 0);
    assert_int_equal(info.attributes, SL_RECORD_CONTROL | SL_RECORD_TRANSACTIONAL);
    assert_int_equal(info.base_offset, 42);
    assert_int_equal(info.last_offset, 42);
    assert_int_equal(info.leader_epoch, 9);
    sl_batch_read_start(&walk, &info, b.data + SL_RECORD_HEADER_SIZE,
                        b.size - SL_RECORD_HEADER_SIZE);
    assert_int_equal(sl_batch_read_next(&walk, &r), 1);
    assert_int_equal(r.offset, 42);
    assert_int_equal(r.key_size, 4);
    assert_int_equal(sl_bytes_get16(r.key), 0);
    assert_int_equal(sl_bytes_get16(r.key + 2), type);
    assert_int_equal(r.value_size, 6);
    assert_int_equal(sl_bytes_get32(r.value + 2), 3);
    assert_int_equal(sl_batch_read_next(&walk, &r), 0);
    free(b.data);
}

static void test_golden_transaction_markers(void **state) {
    (void)state;
    check_golden_marker(GOLDEN_ABORT, 0);
    check_golden_marker(GOLDEN_COMMIT, 1);
}

static void test_golden_compacted_to_nothing(void **state) {
    (void)state;
    struct batch b = take_golden(GOLDEN_EMPTY);
    struct outcome o = read_batch(&b, true);
    assert_int_equal(o.rv, 0);
    assert_int_equal(o.seen, 0);
    assert_int_equal(o.info.base_offset, 10);
    assert_int_equal(o.info.last_offset, 14);
    /* Nothing compressed is not a broken stream. */
    for (uint16_t codec = 1; codec < SL_CODEC_COUNT; codec++) {
        sl_bytes_put16(b.data + SL_RECORD_ATTRIBUTES, codec);
        set_crc(&b);
        o = read_batch(&b, true);
        assert_int_equal(o.rv, 0);
    }
    free(b.data);
}

/* ---- cut batches ---- */

static void test_cut_tail_of_every_length(void **state) {
    (void)state;
    for (int i = 0; i < GOLDEN_COUNT; i++) {
        struct batch b = take_golden(golden_batches[i].hex);
        for (size_t size = 0; size < b.size; size++) {
            struct sl_batch_info info;
            uint8_t *cut = malloc(size > 0 ? size : 1);
            assert_non_null(cut);
            memcpy(cut, b.data, size);
            assert_int_equal(sl_batch_read_info(cut, size, &info), SL_BATCH_CUT);
            free(cut);
        }
        free(b.data);
    }
}

static void test_cut_records_under_a_right_header(void **state) {
    (void)state;
    for (int i = 0; i < GOLDEN_COUNT; i++) {
        struct batch whole = take_golden(golden_batches[i].hex);
        for (size_t size = SL_RECORD_HEADER_SIZE; size < whole.size; size++) {
            struct batch b = {.data = malloc(size), .size = size};
            assert_non_null(b.data);
            memcpy(b.data, whole.data, size);
            sl_bytes_put32(b.data + SL_RECORD_LENGTH, (uint32_t)(size - SL_RECORD_LENGTH_OVERHEAD));
            set_crc(&b);
            struct outcome o = read_batch(&b, true);
            assert_int_equal(o.rv, SLUICE_ERR_MALFORMED);
            free(b.data);
        }
        free(whole.data);
    }
}

static void test_whole_batch_in_a_longer_answer(void **state) {
    (void)state;
    uint8_t bytes[2 * GOLDEN_CAP];
    struct sl_batch_info info;
    size_t size = test_hex(GOLDEN_B1, bytes, sizeof bytes);
    memset(bytes + size, 0xff, 100);
    assert_int_equal(sl_batch_read_info(bytes, size + 100, &info), 0);
    assert_int_equal(info.size, size);
    assert_int_equal(sl_batch_read_check(bytes, &info), 0);
}

/* ---- headers with a wrong field ---- */

static int info_of(const struct batch *b) {
    struct sl_batch_info info;
    return sl_batch_read_info(b->data, b->size, &info);
}

static void test_old_formats_are_named(void **state) {
    (void)state;
    struct batch b = take_golden(GOLDEN_ABORT);
    for (uint8_t magic = 0; magic < 2; magic++) {
        struct sl_batch_info info;
        b.data[SL_RECORD_MAGIC] = magic;
        assert_int_equal(sl_batch_read_info(b.data, b.size, &info), SLUICE_ERR_UNSUPPORTED);
        assert_int_equal(info.base_offset, 42);
        assert_int_equal(info.magic, magic);
        assert_int_equal(info.size, b.size);
        /* Known as soon as the magic byte is there. */
        assert_int_equal(sl_batch_read_info(b.data, 17, &info), SLUICE_ERR_UNSUPPORTED);
    }
    b.data[SL_RECORD_MAGIC] = 3;
    assert_int_equal(info_of(&b), SLUICE_ERR_MALFORMED);
    b.data[SL_RECORD_MAGIC] = 0xff;
    assert_int_equal(info_of(&b), SLUICE_ERR_MALFORMED);
    free(b.data);
}

static void test_impossible_header_fields(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint32_t value;
    } wrong[] = {
        {SL_RECORD_LENGTH, 0},
        {SL_RECORD_LENGTH, 13},
        {SL_RECORD_LENGTH, 48},
        {SL_RECORD_LENGTH, UINT32_MAX},
        {SL_RECORD_LENGTH, 0x80000000},
        {SL_RECORD_LENGTH, INT32_MAX},
        {SL_RECORD_LENGTH, INT32_MAX - 11},
        {SL_RECORD_COUNT, UINT32_MAX},
        {SL_RECORD_COUNT, 0x80000000},
        {SL_RECORD_COUNT, INT32_MAX},
        {SL_RECORD_COUNT, 2}, /* but last delta 0 */
        {SL_RECORD_LAST_DELTA, UINT32_MAX},
        {SL_RECORD_BASE_OFFSET, 0x80000000}, /* negative */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct batch b = take_golden(GOLDEN_B1);
        sl_bytes_put32(b.data + wrong[i].at, wrong[i].value);
        assert_int_equal(info_of(&b), SLUICE_ERR_MALFORMED);
        free(b.data);
    }
}

static void test_last_offset_has_a_successor(void **state) {
    (void)state;
    struct batch b = take_golden(GOLDEN_EMPTY); /* last delta 4 */
    sl_bytes_put64(b.data, INT64_MAX - 5);
    assert_int_equal(info_of(&b), 0);
    sl_bytes_put64(b.data, INT64_MAX - 4);
    assert_int_equal(info_of(&b), SLUICE_ERR_MALFORMED);
    free(b.data);
}

static void test_unknown_codecs(void **state) {
    (void)state;
    for (uint16_t codec = 5; codec < 8; codec++) {
        struct batch b = take_golden(GOLDEN_B1);
        sl_bytes_put16(b.data + SL_RECORD_ATTRIBUTES, codec);
        set_crc(&b);
        check_outcome(&b, SLUICE_ERR_MALFORMED, 0);
    }
}

/* ---- counts and offsets ---- */

static void set_count(struct batch *b, uint32_t count, uint32_t last_delta) {
    sl_bytes_put32(b->data + SL_RECORD_COUNT, count);
    sl_bytes_put32(b->data + SL_RECORD_LAST_DELTA, last_delta);
    set_crc(b);
}

static void test_counts_that_do_not_match(void **state) {
    (void)state;
    static const char *const packed[] = {GOLDEN_JAVA_GZIP, GOLDEN_JAVA_LZ4, GOLDEN_JAVA_SNAPPY,
                                         GOLDEN_JAVA_ZSTD};
    for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++) {
        struct batch b = take_golden(packed[i]);
        set_count(&b, 21, 20); /* all 20 come, and then the error */
        check_outcome(&b, SLUICE_ERR_MALFORMED, 20);
        b = take_golden(packed[i]);
        set_count(&b, 19, 19);
        check_outcome(&b, SLUICE_ERR_MALFORMED, 19);
        b = take_golden(packed[i]);
        set_count(&b, 0, 19);
        check_outcome(&b, SLUICE_ERR_MALFORMED, 0);
        b = take_golden(packed[i]);
        set_count(&b, INT32_MAX, INT32_MAX - 1); /* more than so few bytes can hold */
        check_outcome(&b, SLUICE_ERR_MALFORMED, 0);
    }
    struct batch b = take_golden(GOLDEN_EMPTY); /* records claimed, and no bytes */
    set_count(&b, 3, 4);
    check_outcome(&b, SLUICE_ERR_MALFORMED, 0);
    b = take_golden(GOLDEN_B2);
    set_count(&b, 1, 1);
    check_outcome(&b, SLUICE_ERR_MALFORMED, 1);
}

static void test_offsets_with_gaps(void **state) {
    (void)state;
    /* Compaction left the records 1, 2 and 5 of offsets 0 to 9. */
    struct batch b = take_batch(3, 9, "0c000002010100 0c000004010100 0c00000a010100");
    struct outcome o = read_batch(&b, true);
    assert_int_equal(o.rv, 0);
    assert_int_equal(o.seen, 3);
    assert_int_equal(o.last.offset, 5);
    assert_int_equal(o.info.last_offset, 9);
    free(b.data);
}

static void test_offsets_must_rise_and_end(void **state) {
    (void)state;
    struct batch b = take_batch(2, 9, "0c000002010100 0c000002010100"); /* 1, 1 */
    check_outcome(&b, SLUICE_ERR_MALFORMED, 1);
    b = take_batch(2, 9, "0c000004010100 0c000002010100"); /* 2, 1 */
    check_outcome(&b, SLUICE_ERR_MALFORMED, 1);
    b = take_batch(1, 9, "0c000001010100"); /* -1 */
    check_outcome(&b, SLUICE_ERR_MALFORMED, 0);
    b = take_batch(2, 1, "0c000000010100 0c000004010100"); /* 2, beyond the last */
    check_outcome(&b, SLUICE_ERR_MALFORMED, 1);
    b = take_batch(1, INT32_MAX, "140000feffffff0f010100"); /* the largest delta there is */
    check_outcome(&b, 0, 1);
    b = take_batch(2, INT32_MAX, "140000feffffff0f010100 0c000000010100");
    check_outcome(&b, SLUICE_ERR_MALFORMED, 1);
}

/* ---- records with a wrong field ---- */

static void test_wrong_records(void **state) {
    (void)state;
    static const struct {
        const char *records;
        int rv;
    } cases[] = {
        {"0c000000010100", 0},
        {"0c000000000000", 0},                      /* empty key and value */
        {"0cff0000010100", 0},                      /* attributes are ignored */
        {"8c8000000000010100", 0},                  /* a length of three bytes where one would do */
        {"8c80000000000101", SLUICE_ERR_MALFORMED}, /* and longer than what is left */
        {"8c00000000010100", 0},                    /* a varint longer than it must be */
        {"0e00000000010100", SLUICE_ERR_MALFORMED}, /* overlong field eats the count */
        {"0a0000000101 00", SLUICE_ERR_MALFORMED},  /* length 5: too short */
        {"0d000000010100", SLUICE_ERR_MALFORMED},   /* negative length */
        {"00000000000000", SLUICE_ERR_MALFORMED},   /* length 0 */
        {"0e00000001010000", SLUICE_ERR_MALFORMED}, /* a byte left in the record */
        {"0c000000010100 00", SLUICE_ERR_MALFORMED},          /* a byte left in the batch */
        {"0c000000030100", SLUICE_ERR_MALFORMED},             /* key length -2 */
        {"0c000000010300", SLUICE_ERR_MALFORMED},             /* value length -2 */
        {"0c000000020000", SLUICE_ERR_MALFORMED},             /* key takes the value's place */
        {"0c000000010600", SLUICE_ERR_MALFORMED},             /* value beyond the record */
        {"14000000feffffff0f0100", SLUICE_ERR_MALFORMED},     /* key length 2^31 - 1 */
        {"0c000000010101", SLUICE_ERR_MALFORMED},             /* header count -1 */
        {"0c000000010102", SLUICE_ERR_MALFORMED},             /* header count 1, none there */
        {"14000000 0101 feffffff0f", SLUICE_ERR_MALFORMED},   /* header count 2^31 - 1 */
        {"10000000 0101 02 0000", 0},                         /* header "" = "" */
        {"10000000 0101 02 0001", 0},                         /* header "" = null */
        {"10000000 0101 02 0101", SLUICE_ERR_MALFORMED},      /* header name null */
        {"10000000 0101 02 0003", SLUICE_ERR_MALFORMED},      /* header value length -2 */
        {"10000000 0101 02 0004", SLUICE_ERR_MALFORMED},      /* header value beyond the record */
        {"10000000 0101 02 0400", SLUICE_ERR_MALFORMED},      /* header name beyond the record */
        {"14000000 0101 02 0000 0000", SLUICE_ERR_MALFORMED}, /* one header too many */
        {"14000000 0101 04 0000 0000", 0},
        {"1e00ffffffffffffffffff01 00 0101 00", 0},                    /* time delta of 10 bytes */
        {"1e00ffffffffffffffffff03 00 0101 00", SLUICE_ERR_MALFORMED}, /* over 64 bits */
        {"2000ffffffffffffffffffff01 00 0101 00", SLUICE_ERR_MALFORMED}, /* 11 bytes */
        {"160000 ffffffffff01 010100", SLUICE_ERR_MALFORMED},            /* offset of 6 bytes */
        {"140000 ffffffff1f 010100", SLUICE_ERR_MALFORMED},              /* over 32 bits */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct batch b = take_batch(1, 0, cases[i].records);
        struct outcome o = read_batch(&b, true);
        if (o.rv != cases[i].rv) fail_msg("case %zu: %d instead of %d", i, o.rv, cases[i].rv);
        free(b.data);
    }
}

static void test_timestamps(void **state) {
    (void)state;
    static const int64_t deltas[] = {
        0, 1, -1, INT64_C(60) * 86400 * 1000, INT64_C(-60) * 86400 * 1000, -GOLDEN_TIME - 1};
    for (size_t i = 0; i < sizeof deltas / sizeof deltas[0]; i++) {
        uint8_t records[64];
        struct sl_record_in in = {.key_size = -1, .value_size = -1};
        size_t size = sl_batch_write_record(records, &in, deltas[i], 0);
        struct sl_batch_info info = {
            .base_timestamp = GOLDEN_TIME, .max_timestamp = GOLDEN_TIME + 777, .record_count = 1};
        struct sl_batch_walk walk;
        struct sl_record_out r;
        sl_batch_read_start(&walk, &info, records, size);
        assert_int_equal(sl_batch_read_next(&walk, &r), 1);
        assert_int_equal(r.timestamp, GOLDEN_TIME + deltas[i]);
        info.attributes = SL_RECORD_LOG_APPEND_TIME; /* then all have the time of the append */
        sl_batch_read_start(&walk, &info, records, size);
        assert_int_equal(sl_batch_read_next(&walk, &r), 1);
        assert_int_equal(r.timestamp, GOLDEN_TIME + 777);
    }
}

/* ---- limits and damage ---- */

static void test_output_cap(void **state) {
    (void)state;
    struct batch b = take_golden(GOLDEN_JAVA_LZ4);
    struct sl_batch_info info;
    struct sl_compress *codecs;
    struct sl_writer scratch;
    const uint8_t *records;
    size_t size;
    assert_int_equal(sl_batch_read_info(b.data, b.size, &info), 0);
    assert_int_equal(sl_compress_create(sl_alloc_default(), &codecs), 0);
    sl_writer_init(&scratch, sl_alloc_default());
    assert_int_equal(sl_batch_read_records(b.data, &info, codecs, 100, &scratch, &records, &size),
                     SLUICE_ERR_TOO_BIG);
    assert_int_equal(scratch.size, 0);
    assert_int_equal(sl_batch_read_records(b.data, &info, codecs, 1000, &scratch, &records, &size),
                     0);
    sl_writer_deinit(&scratch);
    sl_compress_destroy(codecs);
    free(b.data);
}

static void test_random_damage(void **state) {
    (void)state;
    struct sl_rng rng;
    sl_rng_init(&rng, 7);
    for (int round = 0; round < 20000; round++) {
        struct batch b = take_golden(golden_batches[sl_rng_below(&rng, GOLDEN_COUNT)].hex);
        for (uint64_t n = 1 + sl_rng_below(&rng, 4); n > 0; n--) {
            size_t at = (size_t)sl_rng_below(&rng, b.size);
            b.data[at] = (uint8_t)sl_rng_next(&rng);
        }
        (void)read_batch(&b, false); /* asserts that the count is accounted for */
        free(b.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_header_fields),
        cmocka_unit_test(test_golden_records_and_headers),
        cmocka_unit_test(test_golden_compressed_batches),
        cmocka_unit_test(test_golden_flipped_bit_fails_the_crc),
        cmocka_unit_test(test_golden_transaction_markers),
        cmocka_unit_test(test_golden_compacted_to_nothing),
        cmocka_unit_test(test_cut_tail_of_every_length),
        cmocka_unit_test(test_cut_records_under_a_right_header),
        cmocka_unit_test(test_whole_batch_in_a_longer_answer),
        cmocka_unit_test(test_old_formats_are_named),
        cmocka_unit_test(test_impossible_header_fields),
        cmocka_unit_test(test_last_offset_has_a_successor),
        cmocka_unit_test(test_unknown_codecs),
        cmocka_unit_test(test_counts_that_do_not_match),
        cmocka_unit_test(test_offsets_with_gaps),
        cmocka_unit_test(test_offsets_must_rise_and_end),
        cmocka_unit_test(test_wrong_records),
        cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_output_cap),
        cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
