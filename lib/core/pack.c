/* Batches compressed off the loop.
 *
 * A pack refers to the bytes of its batch. The batch stays what it is meanwhile: it has its place in
 * its partition and may expire or be discarded. Then it leaves the bytes to the pack, which gives
 * them back when it returns; the outcome waits for nothing.
 *
 * The codec writes into a buffer that whoever compresses keeps, and what came out is copied into
 * memory of its size: cheaper than touching fresh memory for the worst case each time. When there
 * is none for it, the batch goes uncompressed. */
#include "core/pack.h"

#include <string.h>

#include "core/unit.h"
#include "record/compress.h"
#include "record/record.h"

/* The pieces as one. NULL: out of memory. */
static const void *join_pieces(struct sl_job_tools *tools, const struct sl_iov *pieces,
                               size_t count, size_t *size) {
    struct sl_writer *input = &tools->input;
    *size = pieces[0].size;
    if (count == 1) return pieces[0].data;
    input->size = 0;
    input->failed = false;
    for (size_t i = 0; i < count; i++) sl_writer_raw(input, pieces[i].data, pieces[i].size);
    *size = input->size;
    return input->failed ? NULL : input->data;
}

void sl_pack_pieces(struct sl_job_tools *tools, int codec, int32_t level,
                    const struct sl_iov *pieces, size_t count, const struct sl_alloc *alloc,
                    struct sl_packed *out) {
    struct sl_writer *output = &tools->output;
    size_t size;
    *out = (struct sl_packed){.data = NULL};
    const void *records = join_pieces(tools, pieces, count, &size);
    if (records == NULL) return;
    output->size = 0;
    output->failed = false;
    int rv = sl_compress_encode(tools->codecs, codec, level, records, size, output);
    if (rv != 0 || output->size >= size) return;
    out->data = sl_alloc_get(alloc, SL_RECORD_HEADER_SIZE + output->size);
    if (out->data == NULL) return;
    out->size = SL_RECORD_HEADER_SIZE + output->size;
    memcpy(out->data + SL_RECORD_HEADER_SIZE, output->data, output->size);
    struct sl_iov packed = {output->data, output->size};
    out->sum = sl_batch_write_sum(&packed, 1);
}

static void run_pack(struct sl_job *job, struct sl_job_tools *tools) {
    struct sl_pack *pack = SL_LIST_OF(job, struct sl_pack, job);
    sl_pack_pieces(tools, pack->codec, pack->level, pack->pieces, pack->piece_count, pack->alloc,
                   &pack->packed);
    job->is_done = true;
}

static size_t measure_pack(size_t piece_count) {
    return sizeof(struct sl_pack) + piece_count * sizeof(struct sl_iov);
}

struct sl_pack *sl_pack_create(struct sl_core *core, struct sl_batch *batch) {
    size_t count = (size_t)batch->piece_count;
    struct sl_pack *pack = sl_alloc_zero(core->alloc, measure_pack(count));
    if (pack == NULL) return NULL;
    pack->alloc = core->alloc;
    pack->piece_count = count;
    pack->job.run = run_pack;
    pack->batch = batch;
    pack->codec = core->settings->codec;
    pack->level = core->settings->level;
    sl_list_init(&pack->values);
    for (size_t i = 0; i < count; i++) pack->pieces[i] = batch->pieces[i];
    pack->pieces[0].data = (const uint8_t *)pack->pieces[0].data + SL_RECORD_HEADER_SIZE;
    pack->pieces[0].size -= SL_RECORD_HEADER_SIZE;
    pack->charged = (int64_t)measure_pack(count);
    core->events.freed_bytes -= pack->charged;
    return pack;
}

void sl_pack_adopt(struct sl_pack *pack, struct sl_batch *batch, int64_t bytes) {
    pack->segments = batch->segments;
    batch->segments = batch->last = NULL;
    sl_list_splice_back(&pack->values, &batch->values);
    pack->charged += bytes;
    pack->batch = NULL;
}

void sl_pack_destroy(struct sl_core *core, struct sl_pack *pack) {
    sl_batch_free_records(core, pack->segments, &pack->values);
    sl_alloc_free(pack->alloc, pack->packed.data, pack->packed.size);
    core->events.freed_bytes += pack->charged;
    sl_alloc_free(pack->alloc, pack, measure_pack(pack->piece_count));
}
