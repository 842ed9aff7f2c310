/* What is in a record: all of it follows from the record's number and the profile of who wrote it,
 * so that whoever reads one back can tell every wrong byte. The number itself is in the value, or
 * in a header where the value has no room for it. */
#ifndef SIM_CONTENT_H
#define SIM_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/batch_read.h"
#include "sluice/types.h"

enum { CONTENT_HEADERS = 4, CONTENT_VALUE_MAX = 64 * 1024, CONTENT_KEYS = 24 };

/* Which records a producer writes; percentages. */
struct content_profile {
    uint64_t seed;
    int32_t keyed; /* have a key */
    int32_t explicit_partition;
    int32_t headers;    /* have headers */
    int32_t timestamps; /* bring their own */
    int32_t large;      /* values of up to value_max bytes; others are small */
    int32_t value_max;
    bool compressible;
};
struct content {
    uint64_t id;
    uint8_t key[32];
    int32_t key_size;     /* -1: null */
    int32_t value_size;   /* -1: null */
    int64_t timestamp_ms; /* -1: none of its own */
    bool is_explicit;
    uint32_t partition_draw; /* of an explicit partition, to be taken modulo their number */
    sluice_header headers[CONTENT_HEADERS];
    int32_t header_count;
    uint8_t header_values[CONTENT_HEADERS][16];
    uint8_t value[CONTENT_VALUE_MAX];
};

void content_make(const struct content_profile *profile, uint64_t id, struct content *out);
/* The number in a record that was read, by its value and headers (wire form); 0: there is none. */
uint64_t content_id(const uint8_t *value, int32_t value_size, const uint8_t *headers,
                    size_t headers_size, int32_t header_count);
/* What of a record that was read is not as it was written, in words; NULL: nothing. */
const char *content_compare(const struct content *c, const uint8_t *key, int32_t key_size,
                            const uint8_t *value, int32_t value_size, const uint8_t *headers,
                            size_t headers_size, int32_t header_count, int64_t timestamp_ms);

#endif
