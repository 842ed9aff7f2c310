/* Validates and walks record batches. All input is hostile: every length is checked against the
 * bytes that are left, and the number of records must match the header exactly. */
#ifndef SL_RECORD_BATCH_READ_H
#define SL_RECORD_BATCH_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "record/compress.h"
#include "record/record.h"

/* A batch header, decoded. */
struct sl_batch_info {
    int64_t base_offset;
    int64_t last_offset; /* base_offset + last offset delta: the next to fetch is one more */
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t producer_id;
    int32_t base_sequence;
    int32_t leader_epoch;
    int32_t record_count;
    int32_t size; /* of the whole batch, header included */
    uint32_t crc;
    uint16_t attributes;
    int16_t producer_epoch;
    int8_t magic;
};

/* Results of sl_batch_read_info beside 0: */
enum { SL_BATCH_CUT = 1 }; /* fewer bytes than the batch claims: the tail of a Fetch answer */

/* Decodes the header of the batch at data. 0, SL_BATCH_CUT, SLUICE_ERR_MALFORMED (a length or
 * count that cannot be), or SLUICE_ERR_UNSUPPORTED for magic 0 and 1, with base_offset, magic and
 * size set. Does not look at the records. */
int sl_batch_read_info(const void *data, size_t size, struct sl_batch_info *out);
/* Checks the CRC of a whole batch: 0 or SLUICE_ERR_MALFORMED. */
int sl_batch_read_check(const void *data, const struct sl_batch_info *info);

/* One record, pointing into the batch. size -1: null. headers: wire form without the count. */
struct sl_record_out {
    const uint8_t *key;
    const uint8_t *value;
    const uint8_t *headers;
    int32_t key_size;
    int32_t value_size;
    uint32_t headers_size;
    int32_t header_count;
    int64_t offset;
    int64_t timestamp;
};
/* A walk over the (decompressed) records of one batch. */
struct sl_batch_walk {
    const uint8_t *at;
    const uint8_t *end;
    int64_t base_offset;
    int64_t base_timestamp;
    int64_t append_timestamp; /* all records have it when log_append */
    int64_t next_delta;       /* the least offset delta the next record may have */
    int32_t left;             /* records still to come */
    int32_t last_delta;       /* no record may lie beyond it */
    bool log_append;
    bool failed; /* a malformed record ended the walk */
};
/* records: what follows the header, decompressed. */
void sl_batch_read_start(struct sl_batch_walk *w, const struct sl_batch_info *info,
                         const void *records, size_t size);
/* Decompresses if need be: *out and *out_size give the records, either inside data or appended to
 * scratch. 0, NOMEM, MALFORMED, TOO_BIG (over cap). */
int sl_batch_read_records(const void *data, const struct sl_batch_info *info,
                          struct sl_compress *codecs, size_t cap, struct sl_writer *scratch,
                          const uint8_t **out, size_t *out_size);
/* 1: *r is the next record; 0: the end, all records seen and no byte left over;
 * SLUICE_ERR_MALFORMED otherwise, and from then on. Offsets must rise; header fields are checked
 * (names not null). */
int sl_batch_read_next(struct sl_batch_walk *w, struct sl_record_out *r);
/* The header at *at (moved past it): 1, 0 at the end, MALFORMED. value_size -1: null. */
int sl_batch_read_user_header(const uint8_t **at, const uint8_t *end, const char **name,
                              uint32_t *name_size, const uint8_t **value, int32_t *value_size);

#endif
