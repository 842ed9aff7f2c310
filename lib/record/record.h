/* The record batch format v2 (protocol guide, "Record Batch"): layout and limits that writer and
 * reader share. Offsets are from the first byte of the batch. */
#ifndef SL_RECORD_RECORD_H
#define SL_RECORD_RECORD_H

enum {
    SL_RECORD_BASE_OFFSET = 0,
    SL_RECORD_LENGTH = 8,
    SL_RECORD_LEADER_EPOCH = 12,
    SL_RECORD_MAGIC = 16,
    SL_RECORD_CRC = 17,
    SL_RECORD_ATTRIBUTES = 21, /* the CRC covers from here to the end */
    SL_RECORD_LAST_DELTA = 23,
    SL_RECORD_BASE_TIME = 27,
    SL_RECORD_MAX_TIME = 35,
    SL_RECORD_PRODUCER_ID = 43,
    SL_RECORD_PRODUCER_EPOCH = 51,
    SL_RECORD_BASE_SEQUENCE = 53,
    SL_RECORD_COUNT = 57,
    SL_RECORD_HEADER_SIZE = 61,

    SL_RECORD_LENGTH_OVERHEAD = 12, /* bytes that batchLength does not count */
    /* Most bytes one record needs beside key, value and headers: length 5, attributes 1,
     * timestamp delta 10, offset delta 5, key length 5, value length 5, header count 5. */
    SL_RECORD_OVERHEAD_MAX = 36
};

/* Attribute bits. */
enum {
    SL_RECORD_CODEC_MASK = 7,
    SL_RECORD_LOG_APPEND_TIME = 8,
    SL_RECORD_TRANSACTIONAL = 16,
    SL_RECORD_CONTROL = 32
};

enum sl_codec {
    SL_CODEC_NONE = 0,
    SL_CODEC_GZIP,
    SL_CODEC_SNAPPY,
    SL_CODEC_LZ4,
    SL_CODEC_ZSTD,
    SL_CODEC_COUNT
};

#endif
