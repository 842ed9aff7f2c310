/* Encodes records and the header of their batch (protocol guide, "Record Batch").
 *
 * sl_batch_write_record runs once for each record of a producer and is the hottest function of
 * the library. A record begins with the length of what follows, as a varint, so its size must be
 * known before its first byte can be placed; it is computed from the fields once and never again.
 * Nearly all varints of a record take one or two bytes, which are written without a loop.
 *
 * The callers keep records within the limits of the format: no more than 2^31 - 1 bytes in a
 * batch, offset deltas not negative, sizes -1 or more. Nothing here can fail. */
#include "record/batch_write.h"

#include <string.h>

#include "record/crc32c.h"

/* What batchLength counts of the header. */
enum { SL_BATCH_WRITE_COUNTED = SL_RECORD_HEADER_SIZE - SL_RECORD_LENGTH_OVERHEAD };
enum {
    BATCH_WRITE_FIELDS = 6, /* the least that is not key, value and headers: six fields of a byte */
    BATCH_WRITE_ONE = 64,   /* a record's length takes one byte below, … */
    BATCH_WRITE_TWO = 8192  /* … and two below this */
};

static inline uint8_t *put_record_uvarint(uint8_t *p, uint64_t v) {
    if (v < 0x80) {
        *p = (uint8_t)v;
        return p + 1;
    }
    if (v < 0x4000) {
        p[0] = (uint8_t)(v | 0x80);
        p[1] = (uint8_t)(v >> 7);
        return p + 2;
    }
    return p + sl_bytes_put_uvarint(p, v);
}

static inline uint8_t *put_record_varint(uint8_t *p, int32_t v) {
    return put_record_uvarint(p, sl_bytes_zigzag32(v));
}

/* sl_bytes_uvarint_len, for numbers that are nearly always small. */
static inline size_t measure_record_uvarint(uint64_t v) {
    if (v < 0x80) return 1;
    if (v < 0x4000) return 2;
    return sl_bytes_uvarint_len(v);
}

static inline size_t measure_record_varint(int32_t v) {
    return measure_record_uvarint(sl_bytes_zigzag32(v));
}

/* The size of a key or value with its length. */
static inline size_t measure_record_field(int32_t size) {
    size_t bytes = size > 0 ? (size_t)size : 0;
    return measure_record_varint(size) + bytes;
}

static inline uint8_t *put_record_bytes(uint8_t *p, const uint8_t *data, int32_t size) {
    if (size <= 0) return p;
    memcpy(p, data, (size_t)size);
    return p + size;
}

/* The size of a record without its length: what the length says. */
static inline size_t measure_record_body(const struct sl_record_in *r, int64_t timestamp_delta,
                                         int32_t offset_delta) {
    return 1 + measure_record_uvarint(sl_bytes_zigzag64(timestamp_delta)) +
           measure_record_varint(offset_delta) + measure_record_field(r->key_size) +
           measure_record_field(r->value_size) + measure_record_varint(r->header_count) +
           r->headers_size;
}

static inline uint8_t *put_record_length(uint8_t *p, const struct sl_record_in *r,
                                         int64_t timestamp_delta, int32_t offset_delta) {
    return put_record_varint(p, (int32_t)measure_record_body(r, timestamp_delta, offset_delta));
}

/* All between the record's length and the value's bytes. */
__attribute__((always_inline)) static inline uint8_t *
put_record_fields(uint8_t *p, const struct sl_record_in *r, int64_t timestamp_delta,
                  int32_t offset_delta) {
    *p++ = 0; /* attributes: none are defined */
    p = put_record_uvarint(p, sl_bytes_zigzag64(timestamp_delta));
    p = put_record_varint(p, offset_delta);
    p = put_record_varint(p, r->key_size);
    p = put_record_bytes(p, r->key, r->key_size);
    return put_record_varint(p, r->value_size);
}

/* All after the value's bytes. */
static inline uint8_t *put_record_tail(uint8_t *p, const struct sl_record_in *r) {
    if (r->header_count == 0) {
        *p = 0;
        return p + 1;
    }
    p = put_record_varint(p, r->header_count);
    memcpy(p, r->headers, r->headers_size);
    return p + r->headers_size;
}

size_t sl_batch_write_size(const struct sl_record_in *r, int64_t timestamp_delta,
                           int32_t offset_delta) {
    size_t body = measure_record_body(r, timestamp_delta, offset_delta);
    return sl_bytes_uvarint_len(body << 1) + body; /* zigzag doubles what is not negative */
}

/* The bytes of the record's length, where the sizes of key, value and headers alone decide it; else 0. */
static inline size_t find_length_bytes(const struct sl_record_in *r) {
    size_t bytes = (size_t)(r->key_size > 0 ? r->key_size : 0) +
                   (size_t)(r->value_size > 0 ? r->value_size : 0) + r->headers_size;
    if (bytes + SL_RECORD_OVERHEAD_MAX < BATCH_WRITE_ONE) return 1;
    if (bytes + BATCH_WRITE_FIELDS >= BATCH_WRITE_ONE &&
        bytes + SL_RECORD_OVERHEAD_MAX < BATCH_WRITE_TWO)
        return 2;
    return 0;
}

size_t sl_batch_write_record(uint8_t *out, const struct sl_record_in *r, int64_t timestamp_delta,
                             int32_t offset_delta) {
    size_t length = find_length_bytes(r);
    uint8_t *body = out + length;
    if (length == 0) body = put_record_length(out, r, timestamp_delta, offset_delta);
    uint8_t *p = put_record_fields(body, r, timestamp_delta, offset_delta);
    p = put_record_tail(put_record_bytes(p, r->value, r->value_size), r);
    if (length != 0) {
        /* Its length is known now, without having been measured before. */
        size_t twice = (size_t)(p - body) << 1;
        out[0] = (uint8_t)(length == 1 ? twice : twice | 0x80);
        if (length == 2) out[1] = (uint8_t)(twice >> 7);
    }
    return (size_t)(p - out);
}

size_t sl_batch_write_head(uint8_t *out, const struct sl_record_in *r, int64_t timestamp_delta,
                           int32_t offset_delta) {
    uint8_t *body = put_record_length(out, r, timestamp_delta, offset_delta);
    return (size_t)(put_record_fields(body, r, timestamp_delta, offset_delta) - out);
}

size_t sl_batch_write_tail(uint8_t *out, const struct sl_record_in *r) {
    return (size_t)(put_record_tail(out, r) - out);
}

struct sl_batch_sum sl_batch_write_sum(const struct sl_iov *records, size_t record_pieces) {
    struct sl_batch_sum sum = {0, 0};
    for (size_t i = 0; i < record_pieces; i++) {
        sum.size += records[i].size;
        sum.crc = sl_crc32c(sum.crc, records[i].data, records[i].size);
    }
    return sum;
}

static void set_batch_crc(uint8_t *header, const struct sl_batch_sum *records) {
    uint32_t crc =
        sl_crc32c(0, header + SL_RECORD_ATTRIBUTES, SL_RECORD_HEADER_SIZE - SL_RECORD_ATTRIBUTES);
    sl_bytes_put32(header + SL_RECORD_CRC, sl_crc32c_join(crc, records->crc, records->size));
}

static void put_batch_identity(uint8_t *header, int64_t producer_id, int16_t producer_epoch,
                               int32_t base_sequence) {
    sl_bytes_put64(header + SL_RECORD_PRODUCER_ID, (uint64_t)producer_id);
    sl_bytes_put16(header + SL_RECORD_PRODUCER_EPOCH, (uint16_t)producer_epoch);
    sl_bytes_put32(header + SL_RECORD_BASE_SEQUENCE, (uint32_t)base_sequence);
}

void sl_batch_write_header(uint8_t *header, const struct sl_batch_summary *s,
                           const struct sl_batch_sum *records) {
    sl_bytes_put64(header + SL_RECORD_BASE_OFFSET, 0); /* the broker gives offsets */
    sl_bytes_put32(header + SL_RECORD_LENGTH, (uint32_t)(SL_BATCH_WRITE_COUNTED + records->size));
    sl_bytes_put32(header + SL_RECORD_LEADER_EPOCH, UINT32_MAX); /* -1: the broker's to fill */
    header[SL_RECORD_MAGIC] = 2;
    sl_bytes_put16(header + SL_RECORD_ATTRIBUTES, s->attributes);
    sl_bytes_put32(header + SL_RECORD_LAST_DELTA, (uint32_t)s->count - 1);
    sl_bytes_put64(header + SL_RECORD_BASE_TIME, (uint64_t)s->base_timestamp);
    sl_bytes_put64(header + SL_RECORD_MAX_TIME, (uint64_t)s->max_timestamp);
    put_batch_identity(header, s->producer_id, s->producer_epoch, s->base_sequence);
    sl_bytes_put32(header + SL_RECORD_COUNT, (uint32_t)s->count);
    set_batch_crc(header, records);
}

void sl_batch_write_identity(uint8_t *header, int64_t producer_id, int16_t producer_epoch,
                             int32_t base_sequence, const struct sl_batch_sum *records) {
    put_batch_identity(header, producer_id, producer_epoch, base_sequence);
    set_batch_crc(header, records);
}

size_t sl_batch_write_user_header(uint8_t *out, const char *name, uint32_t name_size,
                                  const void *value, int32_t value_size) {
    uint8_t *p = put_record_varint(out, (int32_t)name_size);
    p = put_record_bytes(p, (const uint8_t *)name, (int32_t)name_size);
    p = put_record_varint(p, value_size);
    return (size_t)(put_record_bytes(p, value, value_size) - out);
}

int32_t sl_batch_write_sequence(int32_t base, int32_t n) {
    if (n > INT32_MAX - base) return n - (INT32_MAX - base) - 1;
    return base + n;
}
