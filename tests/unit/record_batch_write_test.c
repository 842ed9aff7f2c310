/* Goal: batches come out byte for byte as Java's builder makes them, sizes are exact, and pieces
 * and whole agree.
 * Method: the golden batches b1 and b2; sizes of fields around every length at which a varint
 * grows; the same record written whole and in parts; batches sealed over any split into pieces;
 * random batches read back by record/batch_read. */
#include "record/batch_write.h"

#include "base/rng.h"
#include "record/batch_read.h"
#include "record_golden.h"

/* A record of texts; NULL is null. */
static struct sl_record_in record_of(const char *key, const char *value) {
    return (struct sl_record_in){
        .key = (const uint8_t *)key,
        .value = (const uint8_t *)value,
        .key_size = key != NULL ? (int32_t)strlen(key) : -1,
        .value_size = value != NULL ? (int32_t)strlen(value) : -1,
    };
}

static void test_golden_one_record(void **state) {
    (void)state;
    uint8_t batch[GOLDEN_CAP];
    struct sl_record_in r = record_of("key", "value");
    size_t size = sl_batch_write_record(batch + SL_RECORD_HEADER_SIZE, &r, 0, 0);
    struct sl_iov records = {batch + SL_RECORD_HEADER_SIZE, size};
    struct sl_batch_summary s = {.base_timestamp = GOLDEN_TIME,
                                 .max_timestamp = GOLDEN_TIME,
                                 .producer_id = -1,
                                 .producer_epoch = -1,
                                 .base_sequence = -1,
                                 .count = 1};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_header(batch, &s, &sum);
    test_hex_equal(batch, SL_RECORD_HEADER_SIZE + size, GOLDEN_B1);
}

/* Builds b2 and returns its size. */
static size_t build_b2(uint8_t *batch) {
    uint8_t headers[40];
    size_t headers_size = sl_batch_write_user_header(headers, "h", 1, "v", 1);
    headers_size += sl_batch_write_user_header(headers + headers_size, "n", 1, NULL, -1);
    uint8_t *p = batch + SL_RECORD_HEADER_SIZE;
    struct sl_record_in first = record_of(NULL, "a");
    struct sl_record_in second = record_of("k", NULL);
    second.headers = headers;
    second.headers_size = (uint32_t)headers_size;
    second.header_count = 2;
    p += sl_batch_write_record(p, &first, 0, 0);
    p += sl_batch_write_record(p, &second, 5, 1);
    size_t size = (size_t)(p - batch);
    struct sl_iov records = {batch + SL_RECORD_HEADER_SIZE, size - SL_RECORD_HEADER_SIZE};
    struct sl_batch_summary s = {.base_timestamp = GOLDEN_TIME,
                                 .max_timestamp = GOLDEN_TIME + 5,
                                 .producer_id = 4000,
                                 .producer_epoch = 0,
                                 .base_sequence = 7,
                                 .count = 2};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_header(batch, &s, &sum);
    return size;
}

static void test_golden_two_records_and_headers(void **state) {
    (void)state;
    uint8_t batch[GOLDEN_CAP];
    size_t size = build_b2(batch);
    test_hex_equal(batch, size, GOLDEN_B2);
}

static void test_any_split_gives_the_same_batch(void **state) {
    (void)state;
    uint8_t batch[GOLDEN_CAP];
    size_t size = build_b2(batch);
    const uint8_t *records = batch + SL_RECORD_HEADER_SIZE;
    size_t records_size = size - SL_RECORD_HEADER_SIZE;
    struct sl_batch_summary s = {.base_timestamp = GOLDEN_TIME,
                                 .max_timestamp = GOLDEN_TIME + 5,
                                 .producer_id = 4000,
                                 .base_sequence = 7,
                                 .count = 2};
    for (size_t cut = 0; cut <= records_size; cut++) {
        struct sl_iov pieces[] = {
            {records, cut}, {records, 0}, {records + cut, records_size - cut}};
        memset(batch, 0xee, SL_RECORD_HEADER_SIZE);
        struct sl_batch_sum sum = sl_batch_write_sum(pieces, 3);
        sl_batch_write_header(batch, &s, &sum);
        test_hex_equal(batch, size, GOLDEN_B2);
    }
}

static void test_identity_is_replaced(void **state) {
    (void)state;
    uint8_t batch[GOLDEN_CAP];
    size_t size = build_b2(batch);
    struct sl_iov records = {batch + SL_RECORD_HEADER_SIZE, size - SL_RECORD_HEADER_SIZE};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_identity(batch, 1234567890123, 9, INT32_MAX, &sum);
    struct sl_batch_info info;
    assert_int_equal(sl_batch_read_info(batch, size, &info), 0);
    assert_int_equal(sl_batch_read_check(batch, &info), 0);
    assert_int_equal(info.producer_id, 1234567890123);
    assert_int_equal(info.producer_epoch, 9);
    assert_int_equal(info.base_sequence, INT32_MAX);
    /* All else stayed: with the old identity the batch is the old one again. */
    sl_batch_write_identity(batch, 4000, 0, 7, &sum);
    test_hex_equal(batch, size, GOLDEN_B2);
}

static void test_sequences_wrap_to_zero(void **state) {
    (void)state;
    assert_int_equal(sl_batch_write_sequence(0, 0), 0);
    assert_int_equal(sl_batch_write_sequence(0, 5), 5);
    assert_int_equal(sl_batch_write_sequence(INT32_MAX, 1), 0);
    assert_int_equal(sl_batch_write_sequence(INT32_MAX - 1, 2), 0);
    assert_int_equal(sl_batch_write_sequence(INT32_MAX - 4, 10), 5);
    assert_int_equal(sl_batch_write_sequence(INT32_MAX - 5, 5), INT32_MAX);
    assert_int_equal(sl_batch_write_sequence(INT32_MAX, INT32_MAX), INT32_MAX - 1);
}

/* Writes r whole, in parts, and as a batch that is read back; all must agree with its size. */
static void check_record(const struct sl_record_in *r, int64_t timestamp_delta, int32_t delta) {
    size_t bytes = (size_t)(r->key_size > 0 ? r->key_size : 0) +
                   (size_t)(r->value_size > 0 ? r->value_size : 0) + r->headers_size;
    size_t room = bytes + SL_RECORD_OVERHEAD_MAX;
    uint8_t *whole = malloc(room);
    uint8_t *parts = malloc(room);
    assert_non_null(whole);
    assert_non_null(parts);
    size_t size = sl_batch_write_size(r, timestamp_delta, delta);
    assert_true(size <= room);
    memset(whole, 0xee, room);
    assert_int_equal(sl_batch_write_record(whole, r, timestamp_delta, delta), size);
    for (size_t i = size; i < room; i++) assert_int_equal(whole[i], 0xee);

    size_t at = sl_batch_write_head(parts, r, timestamp_delta, delta);
    if (r->value_size > 0) {
        memcpy(parts + at, r->value, (size_t)r->value_size);
        at += (size_t)r->value_size;
    }
    at += sl_batch_write_tail(parts + at, r);
    assert_int_equal(at, size);
    assert_memory_equal(whole, parts, size);

    struct sl_batch_info info = {
        .base_timestamp = GOLDEN_TIME, .record_count = 1, .last_offset = INT32_MAX};
    struct sl_batch_walk walk;
    struct sl_record_out got;
    sl_batch_read_start(&walk, &info, whole, size);
    assert_int_equal(sl_batch_read_next(&walk, &got), 1);
    assert_int_equal(got.offset, delta);
    assert_int_equal(got.timestamp, GOLDEN_TIME + timestamp_delta);
    assert_int_equal(got.key_size, r->key_size);
    assert_int_equal(got.value_size, r->value_size);
    assert_int_equal(got.header_count, r->header_count);
    assert_int_equal(got.headers_size, r->headers_size);
    if (r->key_size > 0) assert_memory_equal(got.key, r->key, (size_t)r->key_size);
    if (r->value_size > 0) assert_memory_equal(got.value, r->value, (size_t)r->value_size);
    if (r->headers_size > 0) assert_memory_equal(got.headers, r->headers, r->headers_size);
    assert_int_equal(sl_batch_read_next(&walk, &got), 0);
    free(whole);
    free(parts);
}

static void test_sizes_around_varint_limits(void **state) {
    (void)state;
    static const int32_t sizes[] = {-1,   0,    1,    2,    49,      50,      51,      56,     57,
                                    58,   62,   63,   64,   65,      8169,    8180,    8190,   8191,
                                    8192, 8193, 8200, 9000, 1048560, 1048575, 1048576, 1048577};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    uint8_t *bytes = malloc(1048577);
    assert_non_null(bytes);
    for (size_t i = 0; i < 1048577; i++) bytes[i] = (uint8_t)(i * 31);
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < COUNT; k++) {
            if (sizes[i] > 10000 && sizes[k] > 64) continue; /* enough of the big ones */
            struct sl_record_in r = {
                .key = bytes, .value = bytes, .key_size = sizes[k], .value_size = sizes[i]};
            check_record(&r, 0, 0);
        }
    }
    free(bytes);
}

static void test_deltas_of_any_width(void **state) {
    (void)state;
    static const int64_t times[] = {0,
                                    1,
                                    -1,
                                    63,
                                    64,
                                    -64,
                                    -65,
                                    8191,
                                    8192,
                                    INT64_C(60) * 86400 * 1000, /* 60 days later */
                                    INT64_C(-60) * 86400 * 1000,
                                    INT32_MAX,
                                    INT32_MIN,
                                    INT64_C(1) << 40,
                                    -GOLDEN_TIME,
                                    -GOLDEN_TIME - 1, /* no timestamp at all */
                                    INT64_MAX - GOLDEN_TIME,
                                    INT64_MIN + 1};
    static const int32_t deltas[] = {0, 1, 63, 64, 8191, 8192, 1048575, 1048576, INT32_MAX};
    struct sl_record_in r = record_of("key", "value");
    for (size_t t = 0; t < sizeof times / sizeof times[0]; t++) {
        for (size_t d = 0; d < sizeof deltas / sizeof deltas[0]; d++)
            check_record(&r, times[t], deltas[d]);
    }
}

/* The length takes a byte more somewhere among these, and where depends on the other fields. */
static void test_lengths_of_one_byte_and_two(void **state) {
    (void)state;
    static const struct { int32_t first, last; } ranges[] = {{0, 80}, {8100, 8200}};
    static uint8_t bytes[8200];
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        for (int32_t size = ranges[i].first; size <= ranges[i].last; size++) {
            struct sl_record_in r = {.value = bytes, .key_size = -1, .value_size = size};
            check_record(&r, 0, 0);
            check_record(&r, 0, 8192);
            check_record(&r, -GOLDEN_TIME, INT32_MAX);
        }
    }
}

static void test_headers_of_any_count(void **state) {
    (void)state;
    static uint8_t headers[200 * 40];
    struct sl_record_in r = record_of("key", "value");
    r.headers = headers;
    for (int32_t n = 0; n <= 200; n++) {
        check_record(&r, n, n);
        r.headers_size += (uint32_t)sl_batch_write_user_header(
            headers + r.headers_size, "name", (uint32_t)n % 5, "the value of it", n % 17 - 1);
        r.header_count++;
    }
}

static void test_random_batches_read_back(void **state) {
    (void)state;
    enum { ROOM = 64 * 1024, MOST = 200 };
    struct sl_rng rng;
    sl_rng_init(&rng, 42);
    uint8_t *batch = malloc(ROOM);
    assert_non_null(batch);
    uint8_t bytes[128];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)sl_rng_next(&rng);
    for (int round = 0; round < 300; round++) {
        int32_t count = (int32_t)sl_rng_range(&rng, 1, MOST);
        struct sl_record_in in[MOST];
        int64_t times[MOST];
        size_t at = SL_RECORD_HEADER_SIZE;
        for (int32_t i = 0; i < count; i++) {
            in[i] = (struct sl_record_in){.key = bytes,
                                          .value = bytes,
                                          .key_size = (int32_t)sl_rng_range(&rng, -1, 100),
                                          .value_size = (int32_t)sl_rng_range(&rng, -1, 128)};
            times[i] = sl_rng_range(&rng, -100000, 100000);
            at += sl_batch_write_record(batch + at, &in[i], times[i], i);
        }
        struct sl_iov records = {batch + SL_RECORD_HEADER_SIZE, at - SL_RECORD_HEADER_SIZE};
        struct sl_batch_summary s = {.base_timestamp = GOLDEN_TIME, .count = count};
        struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
        sl_batch_write_header(batch, &s, &sum);
        struct sl_batch_info info;
        struct sl_batch_walk walk;
        struct sl_record_out r;
        assert_int_equal(sl_batch_read_info(batch, at, &info), 0);
        assert_int_equal(sl_batch_read_check(batch, &info), 0);
        assert_int_equal(info.record_count, count);
        assert_int_equal(info.last_offset, count - 1);
        sl_batch_read_start(&walk, &info, records.data, records.size);
        for (int32_t i = 0; i < count; i++) {
            assert_int_equal(sl_batch_read_next(&walk, &r), 1);
            assert_int_equal(r.offset, i);
            assert_int_equal(r.timestamp, GOLDEN_TIME + times[i]);
            assert_int_equal(r.key_size, in[i].key_size);
            assert_int_equal(r.value_size, in[i].value_size);
        }
        assert_int_equal(sl_batch_read_next(&walk, &r), 0);
    }
    free(batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_one_record),
        cmocka_unit_test(test_golden_two_records_and_headers),
        cmocka_unit_test(test_any_split_gives_the_same_batch),
        cmocka_unit_test(test_identity_is_replaced),
        cmocka_unit_test(test_sequences_wrap_to_zero),
        cmocka_unit_test(test_sizes_around_varint_limits),
        cmocka_unit_test(test_deltas_of_any_width),
        cmocka_unit_test(test_lengths_of_one_byte_and_two),
        cmocka_unit_test(test_headers_of_any_count),
        cmocka_unit_test(test_random_batches_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
