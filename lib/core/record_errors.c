/* Errors per record (Produce from version 8 on, KIP-467).
 *
 * A broker takes a batch whole or not at all. When single records are the reason it names them, by
 * their places in the batch, with a text each. Nothing of the batch is written then, and sending
 * the others again is the application's decision: it learns here which ones are worth it.
 *
 *   batch    tags  7 8 9      answer: record 1, "no key, and the topic is compacted"
 *   reports  8: INVALID_RECORD, with that text
 *            7 9: INVALID_RECORD, "dropped because …"
 *
 * Answers are not trusted: places outside of the batch, and a place named twice, are passed over.
 * Outcomes are counted for the batch as a whole, in sl_batcher_finish. */
#include "core/record_errors.h"

#include "core/delivery.h"
#include "core/unit.h"
#include "wire/messages.h"

static bool is_marked(const uint8_t *marks, int32_t at) {
    return (marks[at / 8] & 1U << at % 8) != 0;
}

/* The report of one record. False: out of memory. */
static bool tell_one(struct sl_core *core, const struct sl_batch *batch, int outcome,
                     const struct sl_produce_partition_response *answer,
                     const struct sl_produce_record_error *error) {
    const struct sl_batching *t = batch->partition->topic->batching;
    struct sl_delivery *d;
    if (sl_delivery_create(core->alloc, 1, &d) != 0) return false;
    d->outcome = outcome;
    d->code = answer->error_code;
    d->partition = batch->partition->index;
    d->count = 1;
    d->tags[0] = batch->delivery->tags[error->batch_index];
    d->topic = t->name;
    sl_delivery_explain(core->alloc, d,
                        error->message.size > 0 ? error->message : answer->error_message);
    sl_list_push_back(&core->events.deliveries, &d->node);
    return true;
}

/* Leaves the tags of those that were not named, in order. */
static void close_ranks(struct sl_batch *batch, const uint8_t *marks) {
    uint64_t *tags = batch->delivery->tags;
    int32_t kept = 0;
    for (int32_t i = 0; i < batch->count; i++)
        if (!is_marked(marks, i)) tags[kept++] = tags[i];
    batch->delivery->told_apart = batch->count - kept;
}

void sl_record_errors_tell(struct sl_core *core, struct sl_batch *batch, int outcome,
                           const struct sl_produce_partition_response *answer) {
    const struct sl_produce_record_error *errors = answer->record_errors.items;
    int32_t count = answer->record_errors.count;
    if (batch->delivery == NULL || count == 0) return;
    if (batch->count == 1) {
        sl_delivery_explain(core->alloc, batch->delivery, errors[0].message);
        return;
    }
    size_t bytes = ((size_t)batch->count + 7) / 8;
    uint8_t *marks = sl_alloc_zero(core->alloc, bytes);
    if (marks == NULL) return;
    for (int32_t i = 0; i < count; i++) {
        int32_t at = errors[i].batch_index;
        if (at < 0 || at >= batch->count || is_marked(marks, at)) continue;
        if (!tell_one(core, batch, outcome, answer, &errors[i])) break;
        marks[at / 8] |= (uint8_t)(1U << at % 8);
    }
    close_ranks(batch, marks);
    sl_alloc_free(core->alloc, marks, bytes);
    if (batch->delivery->told_apart > 0)
        sl_delivery_explain(core->alloc, batch->delivery,
                            SL_STR("dropped because another record in its batch was invalid"));
}
