/* Records as applications describe them, turned into what staging takes. */
#ifndef SL_API_INPUT_H
#define SL_API_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "core/staging.h"
#include "sluice/types.h"

enum { SL_INPUT_HEADERS = 512 }; /* bytes of headers encoded without an allocation */

/* A record on its way in. */
struct sl_input {
    struct sl_staging_input input;
    uint8_t *headers; /* owned when they are longer than `small`, else NULL */
    size_t headers_cap;
    uint8_t small[SL_INPUT_HEADERS];
};

/* Checks a record and points *out at it; headers are encoded. 0, USAGE, TOO_BIG or NOMEM. After 0
 * deinit frees what was encoded. */
int sl_input_init(struct sl_input *out, const sluice_record *record, const struct sl_alloc *alloc);
void sl_input_deinit(struct sl_input *in, const struct sl_alloc *alloc);
/* Fills an input from what every way of sending has. 0, USAGE or TOO_BIG. */
int sl_input_fill(struct sl_staging_input *out, const char *topic, const void *key, size_t key_size,
                  const void *value, size_t value_size);
/* Bytes of headers in wire form. 0, USAGE or TOO_BIG. */
int sl_input_measure_headers(const sluice_header *headers, int32_t count, size_t *size);
/* Writes so many; returns the place behind them. */
uint8_t *sl_input_write_headers(uint8_t *at, const sluice_header *headers, int32_t count);
/* Headers in wire form: how many they are, or -1: malformed, or more than a record may have. */
int32_t sl_input_count_headers(const void *headers, size_t size);

#endif
