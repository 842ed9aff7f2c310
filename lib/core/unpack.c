/* Decompressing a slice off the loop and off the application's thread. Only what will be handed out
 * is looked at: no control batches, nothing that is left out as undone, nothing before the start.
 *
 * Not here: which slices are worth it, and when (gate_unpack.c). */
#include "core/unpack.h"

#include <string.h>

#include "core/plant.h"
#include "record/batch_read.h"
#include "record/compress.h"
#include "sluice/error.h"

static struct sl_unpacked_batch *add_unpacked(struct sl_unpack *u) {
    enum { FIRST = 16 };
    if (u->count == u->batch_cap) {
        int32_t cap = u->batch_cap == 0 ? FIRST : u->batch_cap * 2;
        struct sl_unpacked_batch *batches = sl_alloc_resize(
            u->records.alloc, u->batches, (size_t)u->batch_cap, (size_t)cap, sizeof *batches);
        if (batches == NULL) return NULL;
        u->batches = batches;
        u->batch_cap = cap;
    }
    return &u->batches[u->count];
}

/* False: something is in the way, and what follows is left to others. */
static bool unpack_batch(struct sl_unpack *u, struct sl_compress *codecs, const uint8_t *data,
                         const struct sl_batch_info *info) {
    const uint8_t *records;
    struct sl_unpacked_batch *batch = add_unpacked(u);
    if (batch == NULL) return false;
    *batch = (struct sl_unpacked_batch){.data = data, .at = u->records.size};
    int rv = sl_batch_read_records(data, info, codecs, u->cap, &u->records, &records, &batch->size);
    if (rv != 0) return false;
    u->count++;
    return true;
}

static bool is_to_be_unpacked(const struct sl_unpack *u, const struct sl_batch_info *info,
                              int32_t *undone) {
    return (info->attributes & SL_RECORD_CODEC_MASK) != SL_CODEC_NONE &&
           (info->attributes & SL_RECORD_CONTROL) == 0 && info->last_offset >= u->source.from &&
           info->record_count > 0 && !sl_slice_leaves_out(&u->source, info->base_offset, undone);
}

static void run_unpack(struct sl_job *job, struct sl_job_tools *tools) {
    struct sl_unpack *u = SL_LIST_OF(job, struct sl_unpack, job);
    const uint8_t *at = u->source.data;
    size_t left = u->source.size;
    int32_t undone = 0;
    while (left > 0 && u->records.size < u->most) {
        struct sl_batch_info info;
        if (sl_batch_read_info(at, left, &info) != 0) break;
        bool is_wanted = is_to_be_unpacked(u, &info, &undone);
        if (is_wanted && !unpack_batch(u, tools->codecs, at, &info)) break;
        at += info.size;
        left -= (size_t)info.size;
    }
    job->is_done = true;
}

struct sl_unpack *sl_unpack_create(const struct sl_alloc *alloc) {
    struct sl_unpack *u = sl_alloc_zero(alloc, sizeof *u);
    if (u == NULL) return NULL;
    sl_list_init(&u->node);
    sl_writer_init(&u->records, alloc);
    u->job.run = run_unpack;
    return u;
}

void sl_unpack_destroy(const struct sl_alloc *alloc, struct sl_unpack *u) {
    sl_writer_deinit(&u->records);
    sl_alloc_free(alloc, u->batches, (size_t)u->batch_cap * sizeof *u->batches);
    sl_alloc_free(alloc, u, sizeof *u);
}

void sl_unpack_aim(struct sl_unpack *u, const struct sl_slice *slice, size_t cap, size_t most) {
    u->source = *slice;
    u->cap = cap;
    u->most = most;
    u->count = 0;
    u->records.size = 0;
    u->records.failed = false;
    u->job.is_done = false;
}

int64_t sl_unpack_bytes(const struct sl_unpack *u) {
    return (int64_t)(sizeof *u + u->records.cap + (size_t)u->batch_cap * sizeof *u->batches);
}

const uint8_t *sl_unpack_find(const struct sl_unpack *u, const uint8_t *data, size_t *size) {
    int32_t low = 0, high = u == NULL ? 0 : u->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (u->batches[middle].data < data)
            low = middle + 1;
        else
            high = middle;
    }
    if (u == NULL || low == u->count || u->batches[low].data != data) return NULL;
    if (SL_PLANTED(10)) low = u->count - 1 - low;
    *size = u->batches[low].size;
    return u->records.data + u->batches[low].at;
}
