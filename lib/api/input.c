/* Checks and copies in what a record carries beside key and value. Whatever is wrong here is the
 * caller's mistake, told before anything was accepted. */
#include "api/input.h"

#include <string.h>

#include "base/bytes.h"
#include "record/batch_read.h"
#include "sluice/error.h"

int sl_input_fill(struct sl_staging_input *out, const char *topic, const void *key, size_t key_size,
                  const void *value, size_t value_size) {
    if (topic == NULL) return SLUICE_ERR_USAGE; /* its length is looked at where it is new */
    if ((key == NULL && key_size > 0) || (value == NULL && value_size > 0)) return SLUICE_ERR_USAGE;
    if (key_size > INT32_MAX || value_size > INT32_MAX) return SLUICE_ERR_TOO_BIG;
    memset(out, 0, sizeof *out);
    out->topic = topic;
    out->key = key;
    out->value = value;
    out->key_size = (uint32_t)key_size;
    out->value_size = (uint32_t)value_size;
    out->partition = -1;
    if (key == NULL) out->flags = SL_STAGED_KEY_NULL;
    return 0;
}

int32_t sl_input_count_headers(const void *headers, size_t size) {
    const uint8_t *at = headers;
    const uint8_t *end = at + size;
    const char *name;
    const uint8_t *value;
    uint32_t name_size;
    int32_t value_size;
    int32_t count = 0;
    int rv = 0;
    if (size == 0) return 0;
    if (headers == NULL) return -1;
    while ((rv = sl_batch_read_user_header(&at, end, &name, &name_size, &value, &value_size)) == 1)
        if (++count > UINT16_MAX) return -1;
    return rv == 0 ? count : -1;
}

/* ---- headers ---- */

static size_t header_name_size(const sluice_header *h) {
    return h->name_size > 0 ? h->name_size : strlen(h->name);
}

static size_t measure_varint(int32_t number) {
    uint8_t scratch[SL_VARINT_MAX];
    return sl_bytes_put_uvarint(scratch, sl_bytes_zigzag32(number));
}

int sl_input_measure_headers(const sluice_header *headers, int32_t count, size_t *size) {
    *size = 0;
    for (int32_t i = 0; i < count; i++) {
        const sluice_header *h = &headers[i];
        if (h->name == NULL || h->value_size < -1) return SLUICE_ERR_USAGE;
        if (h->value == NULL && h->value_size > 0) return SLUICE_ERR_USAGE;
        size_t name_size = header_name_size(h);
        if (name_size > INT32_MAX) return SLUICE_ERR_TOO_BIG;
        *size += measure_varint((int32_t)name_size) + name_size + measure_varint(h->value_size);
        if (h->value_size > 0) *size += (size_t)h->value_size;
        if (*size > INT32_MAX) return SLUICE_ERR_TOO_BIG;
    }
    return 0;
}

uint8_t *sl_input_write_headers(uint8_t *at, const sluice_header *headers, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        const sluice_header *h = &headers[i];
        size_t name_size = header_name_size(h);
        at += sl_bytes_put_uvarint(at, sl_bytes_zigzag32((int32_t)name_size));
        memcpy(at, h->name, name_size);
        at += name_size;
        at += sl_bytes_put_uvarint(at, sl_bytes_zigzag32(h->value_size));
        if (h->value_size <= 0) continue;
        memcpy(at, h->value, (size_t)h->value_size);
        at += h->value_size;
    }
    return at;
}

static int encode_headers(struct sl_input *out, const sluice_record *record,
                          const struct sl_alloc *alloc) {
    size_t size;
    int rv = sl_input_measure_headers(record->headers, record->header_count, &size);
    if (rv != 0) return rv;
    uint8_t *headers = out->small;
    if (size > sizeof out->small) {
        out->headers = headers = sl_alloc_get(alloc, size);
        if (headers == NULL) return SLUICE_ERR_NOMEM;
        out->headers_cap = size;
    }
    uint8_t *end = sl_input_write_headers(headers, record->headers, record->header_count);
    out->input.headers = headers;
    out->input.headers_size = (uint32_t)(end - headers);
    return 0;
}

static int fill_headers(struct sl_input *out, const sluice_record *record,
                        const struct sl_alloc *alloc) {
    if (record->header_count < 0) return SLUICE_ERR_USAGE;
    if (record->header_count > UINT16_MAX) return SLUICE_ERR_TOO_BIG;
    if (record->raw_headers == NULL) {
        if (record->raw_headers_size > 0) return SLUICE_ERR_USAGE;
        if (record->headers == NULL && record->header_count > 0) return SLUICE_ERR_USAGE;
        if (record->header_count == 0) return 0;
        out->input.header_count = (uint16_t)record->header_count;
        return encode_headers(out, record, alloc);
    }
    if (record->headers != NULL) return SLUICE_ERR_USAGE;
    if (record->raw_headers_size > INT32_MAX) return SLUICE_ERR_TOO_BIG;
    int32_t count = sl_input_count_headers(record->raw_headers, record->raw_headers_size);
    if (count != record->header_count) return SLUICE_ERR_USAGE;
    out->input.headers = record->raw_headers;
    out->input.headers_size = (uint32_t)record->raw_headers_size;
    out->input.header_count = (uint16_t)count;
    return 0;
}

/* ---- records ---- */

/* A field whose bit is missing has to be zero, so that a forgotten bit is told. */
static int fill_optional(struct sl_staging_input *in, const sluice_record *record) {
    const uint32_t all = SLUICE_SET_PARTITION | SLUICE_SET_TIMESTAMP | SLUICE_SET_TOMBSTONE;
    if ((record->set & ~all) != 0 || record->reserved != 0) return SLUICE_ERR_USAGE;
    if ((record->set & SLUICE_SET_PARTITION) != 0) {
        if (record->partition < 0) return SLUICE_ERR_USAGE;
        in->partition = record->partition;
        in->flags |= SL_STAGED_PARTITION;
    } else if (record->partition != 0) {
        return SLUICE_ERR_USAGE;
    }
    if ((record->set & SLUICE_SET_TIMESTAMP) != 0) {
        if (record->timestamp_ms < 0) return SLUICE_ERR_USAGE;
        in->timestamp_ms = record->timestamp_ms;
        in->flags |= SL_STAGED_TIMESTAMP;
    } else if (record->timestamp_ms != 0) {
        return SLUICE_ERR_USAGE;
    }
    if ((record->set & SLUICE_SET_TOMBSTONE) != 0) {
        if (record->value != NULL || record->value_size > 0) return SLUICE_ERR_USAGE;
        in->flags |= SL_STAGED_VALUE_NULL;
    }
    return 0;
}

/* There is nothing beside topic, key, value and tag. */
static inline bool is_bare(const sluice_record *record) {
    uint64_t numbers = record->set | record->reserved | (uint64_t)record->partition |
                       (uint64_t)record->timestamp_ms | (uint64_t)record->header_count |
                       record->raw_headers_size;
    return numbers == 0 && record->headers == NULL && record->raw_headers == NULL;
}

int sl_input_init(struct sl_input *out, const sluice_record *record, const struct sl_alloc *alloc) {
    int rv = sl_input_fill(&out->input, record->topic, record->key, record->key_size, record->value,
                           record->value_size);
    if (rv != 0) return rv;
    out->headers = NULL;
    out->input.tag = record->tag;
    if (is_bare(record)) return 0;
    rv = fill_optional(&out->input, record);
    return rv != 0 ? rv : fill_headers(out, record, alloc);
}

void sl_input_deinit(struct sl_input *in, const struct sl_alloc *alloc) {
    if (in->headers != NULL) sl_alloc_free(alloc, in->headers, in->headers_cap);
}
