/* Headers of a record in the format's own bytes, without the count: varint length and name, varint
 * length and value, each. Bytes that break the format read as "no such header". */
#include <string.h>

#include "api/input.h"
#include "record/batch_read.h"
#include "sluice/consumer.h"
#include "sluice/producer.h"

/* Reads the header at *at and moves on: 1, or 0 at the end and for malformed bytes. */
static int read_raw_header(const uint8_t **at, const uint8_t *end, sluice_header *out) {
    const uint8_t *value;
    int rv =
        sl_batch_read_user_header(at, end, &out->name, &out->name_size, &value, &out->value_size);
    out->value = value;
    /* A size of 0 says that the name is terminated, and the record's own bytes are not. */
    if (rv == 1 && out->name_size == 0) out->name = "";
    return rv == 1;
}

int sluice_headers_read(const void *headers, size_t headers_size, int32_t index,
                        sluice_header *out) {
    const uint8_t *at = headers;
    sluice_header found;
    if (headers == NULL || index < 0 || out == NULL) return 0;
    const uint8_t *end = at + headers_size;
    for (int32_t i = 0; i <= index; i++)
        if (!read_raw_header(&at, end, &found)) return 0;
    *out = found;
    return 1;
}

int sluice_headers_find(const void *headers, size_t headers_size, const char *name,
                        sluice_header *out) {
    const uint8_t *at = headers;
    sluice_header header;
    int found = 0;
    if (headers == NULL || name == NULL || out == NULL) return 0;
    const uint8_t *end = at + headers_size;
    size_t size = strlen(name);
    while (read_raw_header(&at, end, &header)) {
        if (header.name_size != size || memcmp(header.name, name, size) != 0) continue;
        *out = header;
        found = 1;
    }
    return found;
}

int64_t sluice_headers_write(const sluice_header *headers, int32_t count, void *buf, size_t cap) {
    size_t size;
    if (count < 0 || (headers == NULL && count > 0)) return SLUICE_ERR_USAGE;
    if (buf == NULL && cap > 0) return SLUICE_ERR_USAGE;
    int rv = sl_input_measure_headers(headers, count, &size);
    if (rv != 0) return rv;
    if (size > 0 && size <= cap) (void)sl_input_write_headers(buf, headers, count);
    return (int64_t)size;
}
