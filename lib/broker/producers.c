/* The rules of a partition leader for sequences, exactly as brokers have them:
 *
 *   the epoch is lower than the last one seen           INVALID_PRODUCER_EPOCH
 *   the same epoch, first and last sequence are those
 *     of one of the last five batches                   a duplicate: success, the old offset
 *   the same epoch, follows the last one                append
 *   the same epoch, anything else                       OUT_OF_ORDER_SEQUENCE_NUMBER; this covers
 *                                                       duplicates that left the cache
 *   a higher epoch, sequence 0                          append, the cache starts anew
 *   a higher epoch, anything else                       OUT_OF_ORDER_SEQUENCE_NUMBER
 *   a producer that the partition does not know         append: its batches may have expired
 *
 * A sequence counts records and wraps from 2^31 - 1 to 0.
 *
 * Invariant: the batches of an entry follow each other without a gap.
 *
 * Not done here: entries do not expire, and transactions are not known. */
#include "broker/producers.h"

#include <string.h>

#include "base/bytes.h"
#include "record/batch_write.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

enum { PRODUCER_KEY_SIZE = 8 };

static struct sl_producers_entry *find_producer_entry(const struct sl_producers *p, int64_t id) {
    uint8_t key[PRODUCER_KEY_SIZE];
    sl_bytes_put64(key, (uint64_t)id);
    return sl_map_get(&p->entries, key, sizeof key);
}

void sl_producers_init(struct sl_producers *p, const struct sl_alloc *alloc) {
    p->alloc = alloc;
    sl_map_init(&p->entries, alloc);
}

void sl_producers_deinit(struct sl_producers *p) {
    struct sl_producers_entry *entry;
    for (uint32_t at = 0; (entry = sl_map_next(&p->entries, &at, NULL)) != NULL;) {
        sl_alloc_free(p->alloc, entry, sizeof *entry);
    }
    sl_map_deinit(&p->entries);
}

int sl_producers_judge(const struct sl_producers *p, int64_t id, int16_t epoch, int32_t sequence,
                       int32_t count, int64_t *base_offset) {
    const struct sl_producers_entry *entry = find_producer_entry(p, id);
    if (entry == NULL || entry->batch_count == 0) return 0;
    if (epoch < entry->epoch) return SLUICE_KAFKA_INVALID_PRODUCER_EPOCH;
    if (epoch > entry->epoch) {
        return sequence == 0 ? 0 : SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
    }
    int32_t last = sl_batch_write_sequence(sequence, count - 1);
    for (int32_t i = 0; i < entry->batch_count; i++) {
        const struct sl_producers_batch *batch = &entry->batches[i];
        if (batch->first_sequence == sequence && batch->last_sequence == last) {
            *base_offset = batch->base_offset;
            return SLUICE_KAFKA_DUPLICATE_SEQUENCE_NUMBER;
        }
    }
    int32_t end = entry->batches[entry->batch_count - 1].last_sequence;
    bool follows = sequence == sl_batch_write_sequence(end, 1);
    return follows ? 0 : SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

int sl_producers_reserve(struct sl_producers *p, int64_t id) {
    if (find_producer_entry(p, id) != NULL) return 0;
    struct sl_producers_entry *entry = sl_alloc_zero(p->alloc, sizeof *entry);
    if (entry == NULL) return SLUICE_ERR_NOMEM;
    uint8_t key[PRODUCER_KEY_SIZE];
    sl_bytes_put64(key, (uint64_t)id);
    int rv = sl_map_put(&p->entries, key, sizeof key, entry);
    if (rv != 0) sl_alloc_free(p->alloc, entry, sizeof *entry);
    return rv;
}

bool sl_producers_cut(struct sl_producers *p, int64_t end) {
    struct sl_producers_entry *entry;
    bool is_any = false;
    for (uint32_t at = 0; (entry = sl_map_next(&p->entries, &at, NULL)) != NULL;) {
        int32_t before = entry->batch_count;
        while (entry->batch_count > 0 && entry->batches[entry->batch_count - 1].base_offset >= end)
            entry->batch_count--;
        entry->is_cut = before > 0 && entry->batch_count == 0;
        is_any |= entry->is_cut;
    }
    return is_any;
}

void sl_producers_learn(struct sl_producers *p, int64_t id, int16_t epoch, int32_t sequence,
                        int32_t count, int64_t base_offset) {
    const struct sl_producers_entry *entry = find_producer_entry(p, id);
    if (entry != NULL && entry->is_cut)
        sl_producers_note(p, id, epoch, sequence, count, base_offset);
}

void sl_producers_note(struct sl_producers *p, int64_t id, int16_t epoch, int32_t sequence,
                       int32_t count, int64_t base_offset) {
    struct sl_producers_entry *entry = find_producer_entry(p, id);
    if (epoch != entry->epoch) entry->batch_count = 0;
    if (entry->batch_count == SL_PRODUCERS_CACHED) {
        entry->batch_count--;
        memmove(entry->batches, entry->batches + 1,
                (size_t)entry->batch_count * sizeof entry->batches[0]);
    }
    entry->epoch = epoch;
    entry->batches[entry->batch_count++] = (struct sl_producers_batch){
        .base_offset = base_offset,
        .first_sequence = sequence,
        .last_sequence = sl_batch_write_sequence(sequence, count - 1),
    };
}
