/* Validates batches that came from a peer and walks their records.
 *
 * Everything is checked against the bytes that are there, and nothing is allocated or skipped on
 * the word of a field: a batch that claims n records has to deliver n, with rising offsets up to
 * the last one its header names, and not a byte more. The walk never ends quietly in the middle:
 * sl_batch_read_next says either "all seen" or MALFORMED, so records given out and an error
 * always account for the number claimed.
 *
 * Lengths are checked outermost first. A record's length is tested against the batch, then each
 * field against the record's end, so that a wrong field can never reach into the next record.
 * Comparisons are of sizes that are left, not of pointers beyond the end.
 *
 * sl_batch_read_next runs once for each record of a consumer: varints of one and two bytes, which
 * is nearly all, are read in line.
 *
 * Not done here: what control records mean, which transactions were aborted, and old formats. */
#include "record/batch_read.h"

#include "record/crc32c.h"
#include "sluice/error.h"

enum {
    /* The smallest record: length, attributes, two deltas, two lengths, header count. */
    SL_BATCH_READ_LEAST = 7,
    /* The smallest batchLength of any format: an empty message of magic 0. */
    SL_BATCH_READ_LEAST_LENGTH = 14,
    SL_BATCH_READ_HEADER_LENGTH = SL_RECORD_HEADER_SIZE - SL_RECORD_LENGTH_OVERHEAD
};

/* ---- the header ---- */

static bool can_hold_records(int32_t count, size_t size) {
    return count >= 0 && (size_t)count <= size / SL_BATCH_READ_LEAST;
}

/* Reads the fields that only magic 2 has. */
static void read_batch_fields(const uint8_t *p, struct sl_batch_info *out) {
    out->leader_epoch = (int32_t)sl_bytes_get32(p + SL_RECORD_LEADER_EPOCH);
    out->crc = sl_bytes_get32(p + SL_RECORD_CRC);
    out->attributes = sl_bytes_get16(p + SL_RECORD_ATTRIBUTES);
    out->base_timestamp = (int64_t)sl_bytes_get64(p + SL_RECORD_BASE_TIME);
    out->max_timestamp = (int64_t)sl_bytes_get64(p + SL_RECORD_MAX_TIME);
    out->producer_id = (int64_t)sl_bytes_get64(p + SL_RECORD_PRODUCER_ID);
    out->producer_epoch = (int16_t)sl_bytes_get16(p + SL_RECORD_PRODUCER_EPOCH);
    out->base_sequence = (int32_t)sl_bytes_get32(p + SL_RECORD_BASE_SEQUENCE);
    out->record_count = (int32_t)sl_bytes_get32(p + SL_RECORD_COUNT);
}

int sl_batch_read_info(const void *data, size_t size, struct sl_batch_info *out) {
    const uint8_t *p = data;
    *out = (struct sl_batch_info){0};
    if (size < SL_RECORD_LENGTH_OVERHEAD) return SL_BATCH_CUT;
    int32_t length = (int32_t)sl_bytes_get32(p + SL_RECORD_LENGTH);
    if (length < SL_BATCH_READ_LEAST_LENGTH) return SLUICE_ERR_MALFORMED;
    if (length > INT32_MAX - SL_RECORD_LENGTH_OVERHEAD) return SLUICE_ERR_MALFORMED;
    if (size <= SL_RECORD_MAGIC) return SL_BATCH_CUT;
    out->base_offset = (int64_t)sl_bytes_get64(p + SL_RECORD_BASE_OFFSET);
    out->size = length + SL_RECORD_LENGTH_OVERHEAD;
    out->magic = (int8_t)p[SL_RECORD_MAGIC];
    if (out->magic == 0 || out->magic == 1) return SLUICE_ERR_UNSUPPORTED;
    if (out->magic != 2 || length < SL_BATCH_READ_HEADER_LENGTH) return SLUICE_ERR_MALFORMED;
    if (size < (size_t)out->size) return SL_BATCH_CUT;

    read_batch_fields(p, out);
    int32_t last_delta = (int32_t)sl_bytes_get32(p + SL_RECORD_LAST_DELTA);
    if (out->base_offset < 0 || last_delta < 0) return SLUICE_ERR_MALFORMED;
    /* The offset after the last one must exist too, since it is fetched next. */
    if (out->base_offset >= INT64_MAX - last_delta) return SLUICE_ERR_MALFORMED;
    out->last_offset = out->base_offset + last_delta;
    if (out->record_count < 0 || out->record_count - 1 > last_delta) return SLUICE_ERR_MALFORMED;
    bool plain = (out->attributes & SL_RECORD_CODEC_MASK) == SL_CODEC_NONE;
    size_t records_size = (size_t)out->size - SL_RECORD_HEADER_SIZE;
    if (plain && !can_hold_records(out->record_count, records_size)) return SLUICE_ERR_MALFORMED;
    return 0;
}

int sl_batch_read_check(const void *data, const struct sl_batch_info *info) {
    uint32_t crc = sl_crc32c(0, (const uint8_t *)data + SL_RECORD_ATTRIBUTES,
                             (size_t)info->size - SL_RECORD_ATTRIBUTES);
    return crc == info->crc ? 0 : SLUICE_ERR_MALFORMED;
}

int sl_batch_read_records(const void *data, const struct sl_batch_info *info,
                          struct sl_compress *codecs, size_t cap, struct sl_writer *scratch,
                          const uint8_t **out, size_t *out_size) {
    const uint8_t *records = (const uint8_t *)data + SL_RECORD_HEADER_SIZE;
    size_t size = (size_t)info->size - SL_RECORD_HEADER_SIZE;
    int codec = info->attributes & SL_RECORD_CODEC_MASK;
    *out = records;
    *out_size = size;
    /* Compaction may leave a batch without records, then there is nothing compressed either. */
    if (codec == SL_CODEC_NONE || (size == 0 && info->record_count == 0)) return 0;
    size_t start = scratch->size;
    int rv = sl_compress_decode(codecs, codec, records, size, cap, scratch);
    if (rv != 0) return rv;
    *out_size = scratch->size - start;
    if (*out_size > 0) *out = scratch->data + start;
    return 0;
}

/* ---- the records ---- */

/* Reads an unsigned varint at *at and moves on. False: cut, too long or overflowing. */
static inline bool read_record_uvarint(const uint8_t **at, const uint8_t *end, size_t max_bytes,
                                       uint64_t *out) {
    const uint8_t *p = *at;
    if (end - p >= 2) {
        if (p[0] < 0x80) {
            *out = p[0];
            *at = p + 1;
            return true;
        }
        if (p[1] < 0x80) {
            *out = (p[0] & 0x7fU) | ((uint32_t)p[1] << 7);
            *at = p + 2;
            return true;
        }
    }
    size_t length = sl_bytes_read_uvarint(p, end, max_bytes, out);
    *at = p + length;
    return length > 0;
}

static inline bool read_record_varint(const uint8_t **at, const uint8_t *end, int32_t *out) {
    uint64_t v;
    if (!read_record_uvarint(at, end, SL_VARINT_MAX, &v)) return false;
    *out = (int32_t)((uint32_t)v >> 1) ^ -(int32_t)(v & 1);
    return true;
}

static inline bool read_record_varlong(const uint8_t **at, const uint8_t *end, int64_t *out) {
    uint64_t v;
    if (!read_record_uvarint(at, end, SL_VARLONG_MAX, &v)) return false;
    *out = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
    return true;
}

/* A length and as many bytes; -1 is null. */
static inline bool read_record_bytes(const uint8_t **at, const uint8_t *end, const uint8_t **data,
                                     int32_t *size) {
    int32_t n;
    if (!read_record_varint(at, end, &n)) return false;
    *size = n;
    if (n < 0) {
        *data = NULL;
        return n == -1;
    }
    if (n > end - *at) return false;
    *data = *at;
    *at += n;
    return true;
}

int sl_batch_read_user_header(const uint8_t **at, const uint8_t *end, const char **name,
                              uint32_t *name_size, const uint8_t **value, int32_t *value_size) {
    const uint8_t *name_bytes;
    int32_t size;
    if (*at == end) return 0;
    if (!read_record_bytes(at, end, &name_bytes, &size) || size < 0) return SLUICE_ERR_MALFORMED;
    *name = (const char *)name_bytes;
    *name_size = (uint32_t)size;
    return read_record_bytes(at, end, value, value_size) ? 1 : SLUICE_ERR_MALFORMED;
}

/* Whether [at, end) is exactly count headers; a negative count never is. */
static bool check_user_headers(const uint8_t *at, const uint8_t *end, int32_t count) {
    if (count < 0) return false;
    const char *name;
    const uint8_t *value;
    uint32_t name_size;
    int32_t value_size;
    for (; count > 0; count--) {
        if (sl_batch_read_user_header(&at, end, &name, &name_size, &value, &value_size) != 1)
            return false;
    }
    return at == end;
}

static inline bool read_record(struct sl_batch_walk *w, struct sl_record_out *r) {
    const uint8_t *at = w->at;
    int64_t timestamp_delta;
    int32_t offset_delta;
    int32_t length;
    if (!read_record_varint(&at, w->end, &length)) return false;
    if (length < SL_BATCH_READ_LEAST - 1 || length > w->end - at) return false;
    const uint8_t *end = at + length;
    at++; /* attributes: no bit is defined, and new ones must not break old readers */
    if (!read_record_varlong(&at, end, &timestamp_delta)) return false;
    if (!read_record_varint(&at, end, &offset_delta)) return false;
    if (!read_record_bytes(&at, end, &r->key, &r->key_size)) return false;
    if (!read_record_bytes(&at, end, &r->value, &r->value_size)) return false;
    if (!read_record_varint(&at, end, &r->header_count)) return false;
    r->headers = at;
    r->headers_size = (uint32_t)(end - at);
    if (r->header_count == 0 ? at != end : !check_user_headers(at, end, r->header_count))
        return false;
    if (offset_delta < w->next_delta || offset_delta > w->last_delta) return false;
    w->at = end;
    w->left--;
    w->next_delta = (int64_t)offset_delta + 1;
    r->offset = w->base_offset + offset_delta;
    /* A sum beyond 64 bits wraps: a senseless time, but the record is whole. */
    r->timestamp = w->log_append
                       ? w->append_timestamp
                       : (int64_t)((uint64_t)w->base_timestamp + (uint64_t)timestamp_delta);
    return true;
}

void sl_batch_read_start(struct sl_batch_walk *w, const struct sl_batch_info *info,
                         const void *records, size_t size) {
    *w = (struct sl_batch_walk){
        .at = records,
        .end = (const uint8_t *)records + size,
        .base_offset = info->base_offset,
        .base_timestamp = info->base_timestamp,
        .append_timestamp = info->max_timestamp,
        .left = info->record_count,
        .last_delta = (int32_t)(info->last_offset - info->base_offset),
        .log_append = (info->attributes & SL_RECORD_LOG_APPEND_TIME) != 0,
        .failed = !can_hold_records(info->record_count, size),
    };
}

int sl_batch_read_next(struct sl_batch_walk *w, struct sl_record_out *r) {
    if (!w->failed && w->left > 0 && read_record(w, r)) return 1;
    if (!w->failed && w->left == 0 && w->at == w->end) return 0;
    w->failed = true;
    return SLUICE_ERR_MALFORMED;
}
