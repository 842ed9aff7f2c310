/* Fuzzes the reader of record batches with what a broker could send as a partition's records:
 * any number of batches, the last one perhaps cut. The CRC is computed but not demanded, since
 * anyone can compute one.
 *
 * Beside memory errors it looks for lost count: the records given out must be exactly those
 * claimed, or an error must follow; offsets must rise within the batch; all that a record points
 * to must lie inside the records. */
#include <stdlib.h>

#include "record/batch_read.h"

enum { FUZZ_CAP = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds) abort();
}

static void demand_inside(const uint8_t *data, size_t size, const uint8_t *records,
                          size_t records_size) {
    if (data == NULL) return;
    demand(data >= records && size <= records_size);
    demand((size_t)(data - records) <= records_size - size);
}

static void walk_headers(const struct sl_record_out *r) {
    const uint8_t *at = r->headers;
    const uint8_t *end = at + r->headers_size;
    const char *name;
    const uint8_t *value;
    uint32_t name_size;
    int32_t value_size;
    for (int32_t i = 0; i < r->header_count; i++) {
        /* The walk has checked them already. */
        demand(sl_batch_read_user_header(&at, end, &name, &name_size, &value, &value_size) == 1);
        demand_inside((const uint8_t *)name, name_size, r->headers, r->headers_size);
        demand_inside(value, value_size > 0 ? (size_t)value_size : 0, r->headers, r->headers_size);
    }
    demand(sl_batch_read_user_header(&at, end, &name, &name_size, &value, &value_size) == 0);
}

static void walk_records(const struct sl_batch_info *info, const uint8_t *records, size_t size) {
    struct sl_batch_walk walk;
    struct sl_record_out r;
    int32_t seen = 0;
    int64_t last = info->base_offset - 1;
    int rv;
    sl_batch_read_start(&walk, info, records, size);
    while ((rv = sl_batch_read_next(&walk, &r)) == 1) {
        seen++;
        demand(seen <= info->record_count);
        demand(r.offset > last && r.offset <= info->last_offset);
        last = r.offset;
        demand_inside(r.key, r.key_size > 0 ? (size_t)r.key_size : 0, records, size);
        demand_inside(r.value, r.value_size > 0 ? (size_t)r.value_size : 0, records, size);
        demand_inside(r.headers, r.headers_size, records, size);
        walk_headers(&r);
    }
    demand(rv < 0 || seen == info->record_count);
    demand(sl_batch_read_next(&walk, &r) == rv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sl_compress *codecs;
    struct sl_writer scratch;
    struct sl_batch_info info;
    if (sl_compress_create(sl_alloc_default(), &codecs) != 0) abort();
    sl_writer_init(&scratch, sl_alloc_default());
    while (sl_batch_read_info(data, size, &info) == 0) {
        const uint8_t *records;
        size_t records_size;
        demand((size_t)info.size <= size && info.last_offset >= info.base_offset);
        (void)sl_batch_read_check(data, &info);
        scratch.size = 0;
        if (sl_batch_read_records(data, &info, codecs, FUZZ_CAP, &scratch, &records,
                                  &records_size) == 0)
            walk_records(&info, records, records_size);
        data += info.size;
        size -= (size_t)info.size;
    }
    sl_writer_deinit(&scratch);
    sl_compress_destroy(codecs);
    return 0;
}
