/* Slices as core makes them of a Fetch answer, for tests: record batches written by
 * record/batch_write, of any codec. */
#ifndef SL_TEST_SLICES_H
#define SL_TEST_SLICES_H

#include "core/command.h"
#include "record/batch_write.h"
#include "record/compress.h"
#include "unit/support.h"

enum { DATA_CAP = 64 * 1024, DECODED_CAP = 1024 * 1024 };

/* The bytes of a Fetch answer's partition under construction. */
struct answer {
    uint8_t data[DATA_CAP];
    size_t size;
    int64_t next;
};

/* Appends a record batch of `count` records from answer->next on, every `step`th offset, with
 * values "value-OFFSET", a key on even offsets and one header on every third. */
static inline void add_batch(struct answer *a, int32_t count, int32_t step, int codec,
                             uint16_t attributes) {
    uint8_t records[DATA_CAP];
    uint8_t header_bytes[64];
    size_t size = 0;
    size_t header_size = sl_batch_write_user_header(header_bytes, "trace", 5, "abc", 3);
    for (int32_t i = 0; i < count; i++) {
        char value[32];
        int64_t offset = a->next + (int64_t)i * step;
        int value_size = snprintf(value, sizeof value, "value-%lld", (long long)offset);
        struct sl_record_in r = {.key = offset % 2 == 0 ? (const uint8_t *)"key" : NULL,
                                 .key_size = offset % 2 == 0 ? 3 : -1,
                                 .value = (const uint8_t *)value,
                                 .value_size = value_size};
        if (offset % 3 == 0) {
            r.headers = header_bytes;
            r.headers_size = (uint32_t)header_size;
            r.header_count = 1;
        }
        size += sl_batch_write_record(records + size, &r, i, i * step);
    }
    struct sl_writer packed;
    sl_writer_init(&packed, sl_alloc_default());
    struct sl_compress *codecs;
    assert_int_equal(sl_compress_create(sl_alloc_default(), &codecs), 0);
    if (codec == SL_CODEC_NONE)
        sl_writer_raw(&packed, records, size);
    else
        assert_int_equal(
            sl_compress_encode(codecs, codec, SL_COMPRESS_LEVEL_DEFAULT, records, size, &packed),
            0);
    sl_compress_destroy(codecs);
    assert_true(a->size + SL_RECORD_HEADER_SIZE + packed.size <= sizeof a->data);
    uint8_t *header = a->data + a->size;
    memcpy(header + SL_RECORD_HEADER_SIZE, packed.data, packed.size);
    struct sl_iov piece = {header + SL_RECORD_HEADER_SIZE, packed.size};
    struct sl_batch_summary s = {.base_timestamp = 1000,
                                 .max_timestamp = 1000 + count,
                                 .producer_id = -1,
                                 .producer_epoch = -1,
                                 .base_sequence = -1,
                                 .count = count,
                                 .attributes = (uint16_t)((uint16_t)codec | attributes)};
    struct sl_batch_sum sum = sl_batch_write_sum(&piece, 1);
    sl_batch_write_header(header, &s, &sum);
    sl_bytes_put64(header, (uint64_t)a->next);
    sl_bytes_put32(header + SL_RECORD_LEADER_EPOCH, 7);
    sl_bytes_put32(header + SL_RECORD_LAST_DELTA, (uint32_t)((count - 1) * step));
    a->size += SL_RECORD_HEADER_SIZE + packed.size;
    a->next += (int64_t)count * step;
    sl_writer_deinit(&packed);
}

static inline struct sl_slice slice_of(const struct answer *a, int64_t from) {
    return (struct sl_slice){.data = a->data,
                             .size = a->size,
                             .from = from,
                             .marked = from,
                             .next_offset = a->next,
                             .high_watermark = a->next,
                             .end = a->next,
                             .leader_epoch = 7};
}

#endif
