/* Builds a record batch v2. The records are written by the caller's batcher into segments with
 * sl_batch_write_record; when the batch is sealed, the header is filled from a summary and the
 * CRC is taken over header and segments. Nothing here allocates. */
#ifndef SL_RECORD_BATCH_WRITE_H
#define SL_RECORD_BATCH_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "record/record.h"

/* One record to encode. Headers are in wire form without their count. size -1: null. */
struct sl_record_in {
    const uint8_t *key;
    const uint8_t *value;
    const uint8_t *headers;
    int32_t key_size;
    int32_t value_size;
    uint32_t headers_size;
    int32_t header_count;
};
/* What the header of a batch says. */
struct sl_batch_summary {
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t producer_id;    /* -1: none */
    int16_t producer_epoch; /* -1: none */
    int32_t base_sequence;  /* -1: none */
    int32_t count;
    uint16_t attributes; /* codec and transactional bit */
};

/* Exact size of the record on the wire. */
size_t sl_batch_write_size(const struct sl_record_in *r, int64_t timestamp_delta,
                           int32_t offset_delta);
/* Writes the record at out, which has room for its size; returns that size. */
size_t sl_batch_write_record(uint8_t *out, const struct sl_record_in *r, int64_t timestamp_delta,
                             int32_t offset_delta);
/* The same without the value's bytes, which follow from elsewhere (a record that is sent from
 * where it was staged): writes up to and including the value's length. When the record has
 * headers they follow the value: sl_batch_write_tail writes them. Returns the bytes written. */
size_t sl_batch_write_head(uint8_t *out, const struct sl_record_in *r, int64_t timestamp_delta,
                           int32_t offset_delta);
size_t sl_batch_write_tail(uint8_t *out, const struct sl_record_in *r);
/* What the header has to say of the bytes of the records. */
struct sl_batch_sum {
    size_t size;
    uint32_t crc; /* CRC-32C of them alone */
};
struct sl_batch_sum sl_batch_write_sum(const struct sl_iov *records, size_t record_pieces);
/* Fills the 61 bytes at header, its CRC included. */
void sl_batch_write_header(uint8_t *header, const struct sl_batch_summary *s,
                           const struct sl_batch_sum *records);
/* Replaces producer id, epoch and base sequence of a sealed batch and sets its CRC anew; for a
 * batch that was certainly not written yet (epoch bump). Other bytes stay. */
void sl_batch_write_identity(uint8_t *header, int64_t producer_id, int16_t producer_epoch,
                             int32_t base_sequence, const struct sl_batch_sum *records);
/* One header (name, value) in wire form; out has room for 10 + both sizes. value_size -1: null. */
size_t sl_batch_write_user_header(uint8_t *out, const char *name, uint32_t name_size,
                                  const void *value, int32_t value_size);
/* The sequence n records after base: wraps past 2^31 - 1 to 0 (KIP-98). */
int32_t sl_batch_write_sequence(int32_t base, int32_t n);

#endif
