/* Every invariant of the producer half in one place, asserted after each turn in check builds
 * (check.c). The walk is linear in what exists, and changes nothing. */
#include "core/produce.h"
#include "core/unit.h"

/* One batch among those without outcome. */
static void check_batch(const struct sl_core *core, const struct sl_batch *batch) {
    const struct sl_partition_produce *pp = &batch->partition->produce;
    SL_ASSERT(!batch->reported && batch->count > 0);
    SL_ASSERT(batch->size > 0 && batch->charged > 0);
    /* A record that a call waits for has a report in any case. */
    bool is_watched = batch->delivery != NULL && batch->delivery->watch != NULL;
    SL_ASSERT(is_watched ||
              (batch->delivery != NULL) == (core->settings->reports != SL_REPORTS_NONE));
    SL_ASSERT(batch->delivery == NULL || batch->delivery->tag_cap >= batch->count);
    SL_ASSERT((batch->state == SL_BATCH_OPEN) == (pp->open == batch));
    SL_ASSERT((batch->state == SL_BATCH_IN_FLIGHT) == (batch->entry != NULL));
    SL_ASSERT((batch->state == SL_BATCH_PACKING) == (batch->pack != NULL));
    SL_ASSERT(batch->entry == NULL || batch->entry->batch == batch);
    /* A due batch would otherwise wait for something that never comes. */
    SL_ASSERT(batch->state != SL_BATCH_OPEN || !batch->due || pp->queued > 0 ||
              sl_list_is_linked(&pp->ready));
    SL_ASSERT(!pp->is_held || (pp->open != NULL && pp->open->due && pp->queued == 0));
    SL_ASSERT(batch->sequence < 0 || (batch->headed && core->settings->idempotence));
    SL_ASSERT(batch->attempts > 0 || !batch->maybe_written);
    SL_ASSERT(batch->maybe_written || !batch->maybe_here);
}

static void check_produce_lists(const struct sl_core *core, const struct sl_partition *p) {
    const struct sl_partition_produce *pp = &p->produce;
    int32_t in_flight = 0, sealed = 0;
    bool is_packing = false;
    SL_LIST_EACH(it, tmp, &pp->in_flight) {
        const struct sl_batch *batch = SL_LIST_OF(it, struct sl_batch, node);
        SL_ASSERT(batch->state == SL_BATCH_IN_FLIGHT && batch->partition == p);
        in_flight++;
    }
    uint64_t serial = 0;
    bool is_numbered = true;
    SL_LIST_EACH(it, tmp, &pp->sealed) {
        const struct sl_batch *batch = SL_LIST_OF(it, struct sl_batch, node);
        SL_ASSERT(batch->state == SL_BATCH_SEALED || batch->state == SL_BATCH_PACKING);
        SL_ASSERT(batch->partition == p && batch->serial > serial);
        SL_ASSERT(sealed > 0 || batch->state == SL_BATCH_SEALED || !sl_list_is_linked(&pp->ready));
        SL_ASSERT(is_numbered || batch->sequence < 0);
        is_numbered = batch->sequence >= 0;
        serial = batch->serial;
        is_packing |= sealed++ == 0 && batch->state == SL_BATCH_PACKING;
    }
    SL_ASSERT(pp->in_flight_count == in_flight && pp->queued >= sealed);
    SL_ASSERT(in_flight <= core->settings->max_in_flight);
    /* What can be sent waits for something that is sure to come. */
    bool is_placed = sl_list_is_linked(&pp->ready) || pp->delay.index != SL_HEAP_IDLE;
    SL_ASSERT(sealed == 0 || is_placed || is_packing || in_flight > 0 ||
              core->state == SL_CORE_CLOSED);
}

/* What lies in chunks. */
static uint64_t count_in_chunks(const struct sl_list *chunks) {
    uint64_t count = 0;
    SL_LIST_EACH(it, tmp, chunks) {
        struct sl_chunk *chunk = SL_LIST_OF(it, struct sl_chunk, node);
        SL_ASSERT(!chunk->is_wire || chunk->done <= chunk->count);
        if (chunk->is_wire) {
            count += chunk->count - chunk->done;
            continue;
        }
        for (uint32_t at = chunk->walked; at < chunk->size; count++)
            at += sl_staging_record(chunk, at)->size;
    }
    return count;
}

void sl_check_producer(const struct sl_core *core) {
    const struct sl_batcher *b = &core->batcher;
    uint64_t records = count_in_chunks(&b->backlog);
    uint32_t open = 0;
    int64_t deadline = INT64_MIN;
    SL_LIST_EACH(it, tmp, &b->expiry) {
        const struct sl_batch *batch = SL_LIST_OF(it, struct sl_batch, expiry);
        check_batch(core, batch);
        SL_ASSERT(batch->deadline >= deadline);
        deadline = batch->deadline;
        records += (uint64_t)batch->count;
        open += batch->state == SL_BATCH_OPEN;
    }
    for (uint32_t i = 0; i < b->topic_count; i++) {
        const struct sl_topic *topic = b->topics[i]->topic;
        records += count_in_chunks(&topic->staged);
        for (int32_t k = 0; k < topic->partition_count; k++)
            if (topic->partitions[k]->produce.is_set_up)
                check_produce_lists(core, topic->partitions[k]);
    }
    SL_ASSERT(open == b->open_count);
    SL_ASSERT(b->jobs_out >= 0 && b->jobs_out <= b->jobs_most);
    SL_ASSERT(records == sl_batcher_pending(core));
    const struct sl_stats *s = &core->stats;
    SL_ASSERT(s->records_written + s->records_not_written + s->records_maybe_written == b->decided);
    SL_ASSERT(s->records_expired <= s->records_not_written + s->records_maybe_written);
}
