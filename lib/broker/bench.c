/* Bench mode: the test broker as an endless log that costs next to nothing, so that it hides no
 * client's speed. One body of records is built once; every batch that a Fetch gets is a fresh
 * header (base offset and leader epoch lie outside of the CRC) before that same body. Offsets are
 * right and go on for ever. */
#include <string.h>

#include "base/assert.h"
#include "broker/machine.h"
#include "record/batch_write.h"
#include "sluice/error.h"

enum {
    BENCH_BATCH = 100 * 1000,    /* bytes of a batch before compression, about */
    BENCH_HEADER = SL_RECORD_CRC /* what is patched lies before the CRC */
};
#define BENCH_TIME INT64_C(1700000000000)

struct sl_bench {
    const struct sl_alloc *alloc;
    uint8_t *batch; /* owned: header and body as a producer would send them */
    size_t size;
    int32_t count;
};

int64_t sl_bench_end(const struct sl_broker_cluster *c, const struct sl_cluster_partition *p) {
    int32_t most = c->options.bench_partitions;
    return most == 0 || p->index < most ? INT64_C(1) << 40 : 0;
}

/* A value: filler, or JSON that differs from record to record as log lines do. */
static size_t make_bench_value(const struct sl_broker_options *o, int32_t i, uint8_t *out) {
    size_t size = (size_t)o->bench_record_size;
    struct sl_text t;
    if (!o->bench_json) {
        memset(out, 'x', size);
        return size;
    }
    uint32_t mix = (uint32_t)i * 2654435761U;
    sl_text_init(&t, (char *)out, size + 64);
    sl_text_printf(&t,
                   "{\"id\":%u,\"user\":\"u%05u\",\"action\":\"%s\",\"ms\":%u,\"ok\":%s,\"path\":"
                   "\"/v1/items/%u\"}",
                   1000000U + (uint32_t)i, mix % 90001U,
                   mix % 3 == 0   ? "view"
                   : mix % 3 == 1 ? "purchase"
                                  : "search",
                   mix % 977U, mix % 7 == 0 ? "false" : "true", (mix >> 8) % 10007U);
    return t.size < size + 63 ? t.size : size + 63;
}

static int build_bench_records(const struct sl_broker_options *o, struct sl_writer *records,
                               struct sl_writer *value, int32_t *count) {
    uint8_t *room = sl_writer_room(value, (size_t)o->bench_record_size + 64);
    if (room == NULL) return SLUICE_ERR_NOMEM;
    for (*count = 0; records->size < BENCH_BATCH; (*count)++) {
        struct sl_record_in r = {.value = room, .key_size = -1};
        r.value_size = (int32_t)make_bench_value(o, *count, room);
        uint8_t *to = sl_writer_room(records, sl_batch_write_size(&r, 0, *count));
        if (to == NULL) return SLUICE_ERR_NOMEM;
        sl_batch_write_record(to, &r, 0, *count);
    }
    return 0;
}

static int seal_bench_batch(struct sl_bench *b, const struct sl_broker_options *o,
                            struct sl_compress *codecs, const struct sl_writer *records) {
    struct sl_writer body;
    int rv = 0;
    sl_writer_init(&body, b->alloc);
    if (o->bench_codec == SL_CODEC_NONE)
        sl_writer_raw(&body, records->data, records->size);
    else
        rv = sl_compress_encode(codecs, o->bench_codec, o->bench_level, records->data,
                                records->size, &body);
    if (rv == 0 && body.failed) rv = SLUICE_ERR_NOMEM;
    if (rv == 0) b->batch = sl_alloc_get(b->alloc, SL_RECORD_HEADER_SIZE + body.size);
    if (rv == 0 && b->batch == NULL) rv = SLUICE_ERR_NOMEM;
    if (rv == 0) {
        struct sl_batch_summary s = {.base_timestamp = BENCH_TIME,
                                     .max_timestamp = BENCH_TIME,
                                     .producer_id = -1,
                                     .producer_epoch = -1,
                                     .base_sequence = -1,
                                     .count = b->count,
                                     .attributes = (uint16_t)o->bench_codec};
        struct sl_iov piece = {b->batch + SL_RECORD_HEADER_SIZE, body.size};
        b->size = SL_RECORD_HEADER_SIZE + body.size;
        memcpy(b->batch + SL_RECORD_HEADER_SIZE, body.data, body.size);
        struct sl_batch_sum sum = sl_batch_write_sum(&piece, 1);
        sl_batch_write_header(b->batch, &s, &sum);
    }
    sl_writer_deinit(&body);
    return rv;
}

int sl_bench_create(const struct sl_broker_options *options, const struct sl_alloc *alloc,
                    struct sl_compress *codecs, struct sl_bench **out) {
    struct sl_writer records, value;
    struct sl_bench *b = sl_alloc_zero(alloc, sizeof *b);
    if (b == NULL) return SLUICE_ERR_NOMEM;
    b->alloc = alloc;
    sl_writer_init(&records, alloc);
    sl_writer_init(&value, alloc);
    int rv = build_bench_records(options, &records, &value, &b->count);
    if (rv == 0) rv = seal_bench_batch(b, options, codecs, &records);
    sl_writer_deinit(&value);
    sl_writer_deinit(&records);
    if (rv == 0)
        *out = b;
    else
        sl_bench_destroy(b);
    return rv;
}

void sl_bench_destroy(struct sl_bench *b) {
    if (b == NULL) return;
    sl_alloc_free(b->alloc, b->batch, b->size);
    sl_alloc_free(b->alloc, b, sizeof *b);
}

bool sl_bench_fetch(struct sl_exchange *x, int64_t offset, int32_t leader_epoch, int32_t max_bytes,
                    struct sl_records *records) {
    struct sl_bench *b = x->c->bench;
    int32_t batches = max_bytes / (int32_t)b->size;
    if (batches < 1) batches = 1;
    /* The log is one batch again and again: batch k has the offsets [k * count, (k + 1) * count). */
    int64_t base = offset - offset % b->count;
    struct sl_iov *pieces = sl_arena_array(&x->answer->memory, (size_t)batches * 2, sizeof *pieces);
    uint8_t *headers = sl_arena_get(&x->answer->memory, (size_t)batches * BENCH_HEADER);
    if (pieces == NULL || headers == NULL) return false;
    for (int32_t i = 0; i < batches; i++) {
        uint8_t *h = headers + (size_t)i * BENCH_HEADER;
        memcpy(h, b->batch, BENCH_HEADER);
        sl_bytes_put64(h, (uint64_t)(base + (int64_t)i * b->count));
        sl_bytes_put32(h + SL_RECORD_LEADER_EPOCH, (uint32_t)leader_epoch);
        pieces[2 * i] = (struct sl_iov){h, BENCH_HEADER};
        pieces[2 * i + 1] = (struct sl_iov){b->batch + BENCH_HEADER, b->size - BENCH_HEADER};
    }
    records->pieces = pieces;
    records->piece_count = batches * 2;
    records->size = batches * (int32_t)b->size;
    return true;
}
