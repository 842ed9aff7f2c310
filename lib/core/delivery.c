/* Delivery reports.
 *
 * A batch has its report from its first record on, and the room for tags grows before the batch
 * does, so the outcome needs no memory. Records that never reach a batch (their topic cannot be
 * had, the client closes while memory is exhausted) have no report yet: theirs is built where the
 * records lie. Staging makes the first record of every run of one topic big enough for a struct
 * sl_delivery and one tag, and every further one is bigger than a tag:
 *
 *   chunk    [ record A0 ............ ][ A1 ..... ][ A2 ..... ][ record B0 ............ ][ B1 …
 *   becomes  [ delivery A ][t0][t1][t2]                        [ delivery B ][t0][t1]
 *
 * A wire chunk has its tags at its end already, in reverse order, and its front is large enough.
 *
 * Tags are written behind the place from which the next record is read. The reports of one chunk
 * hang on the first by `more` and go with it, so the chunk has one owner. */
#include "core/delivery.h"

#include <stdbool.h>
#include <string.h>

#include "base/ahead.h"
#include "base/assert.h"
#include "sluice/error.h"

enum { DELIVERY_TEXT_MAX = 1000 }; /* arbitrary: brokers say a sentence or two */

static uint64_t *tags_inside(struct sl_delivery *d) { return (uint64_t *)(void *)(d + 1); }

/* They have not outgrown it. */
static bool has_tags_inside(const struct sl_delivery *d) { return d->tag_cap == d->inside; }

/* One with room for so many tags inside. */
static size_t measure_delivery(int32_t inside) {
    return sizeof(struct sl_delivery) + (size_t)inside * sizeof(uint64_t);
}

/* An empty one with room for so many tags inside. */
static void clear_delivery(struct sl_delivery *d, int32_t inside) {
    *d = (struct sl_delivery){.partition = -1,
                              .base_offset = -1,
                              .timestamp_ms = -1,
                              .tags = tags_inside(d),
                              .tag_cap = inside,
                              .inside = inside};
}

int sl_delivery_create(const struct sl_alloc *alloc, int32_t tag_cap, struct sl_delivery **out) {
    struct sl_delivery *d = sl_alloc_get(alloc, measure_delivery(tag_cap));
    if (d == NULL) return SLUICE_ERR_NOMEM;
    clear_delivery(d, tag_cap);
    *out = d;
    return 0;
}

bool sl_delivery_is_plain(const struct sl_delivery *d) {
    return d->chunk == NULL && d->watch == NULL && d->text == NULL && has_tags_inside(d);
}

bool sl_delivery_renew(struct sl_delivery *d, int32_t least, int32_t most) {
    SL_ASSERT(sl_delivery_is_plain(d));
    if (d->inside < least || d->inside > most) return false;
    clear_delivery(d, d->inside);
    return true;
}

int sl_delivery_grow(const struct sl_alloc *alloc, struct sl_delivery *delivery, int32_t tag_cap) {
    SL_ASSERT(delivery->chunk == NULL && tag_cap > delivery->tag_cap);
    bool is_inside = has_tags_inside(delivery);
    uint64_t *tags =
        sl_alloc_resize(alloc, is_inside ? NULL : delivery->tags,
                        is_inside ? 0 : (size_t)delivery->tag_cap, (size_t)tag_cap, sizeof *tags);
    if (tags == NULL) return SLUICE_ERR_NOMEM;
    if (is_inside) memcpy(tags, delivery->tags, (size_t)delivery->tag_cap * sizeof *tags);
    delivery->tags = tags;
    delivery->tag_cap = tag_cap;
    return 0;
}

void sl_delivery_explain(const struct sl_alloc *alloc, struct sl_delivery *delivery,
                         struct sl_str text) {
    if (delivery == NULL || text.data == NULL || text.size <= 0) return;
    if (delivery->text != NULL) return; /* the first word is the most special */
    SL_ASSERT(delivery->chunk == NULL);
    if (text.size > DELIVERY_TEXT_MAX) {
        text.size = DELIVERY_TEXT_MAX; /* a peer's text; not in the middle of a character */
        while (text.size > 0 && ((uint8_t)text.data[text.size] & 0xc0) == 0x80) text.size--;
    }
    char *copy = sl_alloc_get(alloc, (size_t)text.size + 1);
    if (copy == NULL) return;
    memcpy(copy, text.data, (size_t)text.size);
    copy[text.size] = '\0';
    delivery->text = copy;
    delivery->text_bytes = (size_t)text.size + 1;
}

void sl_delivery_destroy(const struct sl_alloc *alloc, struct sl_delivery *delivery) {
    if (delivery == NULL) return;
    sl_alloc_free(alloc, delivery->watch, sizeof *delivery->watch);
    if (delivery->chunk != NULL) {
        sl_staging_chunk_destroy(alloc, delivery->chunk);
        return;
    }
    sl_alloc_free(alloc, delivery->text, delivery->text_bytes);
    if (!has_tags_inside(delivery))
        sl_alloc_free(alloc, delivery->tags, (size_t)delivery->tag_cap * sizeof *delivery->tags);
    sl_alloc_free(alloc, delivery, measure_delivery(delivery->inside));
}

void sl_delivery_destroy_all(const struct sl_alloc *alloc, struct sl_list *deliveries) {
    struct sl_list *node;
    while ((node = sl_list_pop_front(deliveries)) != NULL) {
        sl_ahead_all(SL_LIST_OF(deliveries->next, struct sl_delivery, node),
                     sizeof(struct sl_delivery));
        sl_delivery_destroy(alloc, SL_LIST_OF(node, struct sl_delivery, node));
    }
}

size_t sl_delivery_bytes(const struct sl_delivery *delivery) {
    if (delivery->chunk != NULL) return sl_staging_chunk_bytes(delivery->chunk);
    int32_t outside = has_tags_inside(delivery) ? 0 : delivery->tag_cap;
    return measure_delivery(delivery->inside) + (size_t)outside * sizeof *delivery->tags +
           delivery->text_bytes;
}

static void add_to_sum(struct sl_delivery_sum *sum, const struct sl_staged_record *r) {
    struct sl_chunk *value = sl_staging_value_chunk(r);
    if (value != NULL) sl_list_push_back(&sum->values, &value->node);
    sum->count++;
    sum->charge += r->charge;
}

/* All that is left of a wire chunk. */
static void add_wire_to_sum(struct sl_delivery_sum *sum, struct sl_chunk *chunk) {
    sum->count += chunk->count - chunk->done;
    sum->charge += chunk->charge;
    chunk->walked = chunk->size;
}

void sl_delivery_count_chunk(struct sl_chunk *chunk, struct sl_delivery_sum *sum) {
    if (chunk->is_wire) {
        add_wire_to_sum(sum, chunk);
        return;
    }
    while (chunk->walked < chunk->size) {
        const struct sl_staged_record *r = sl_staging_record(chunk, chunk->walked);
        add_to_sum(sum, r);
        chunk->walked += r->size;
    }
}

/* The report of the run whose memory begins at run_at and whose first record left is at
 * chunk->walked; moves walked past the run. */
static struct sl_delivery *build_run(struct sl_chunk *chunk, uint32_t run_at, int code,
                                     const char *(*topic_of)(void *owner, uint32_t index),
                                     void *owner, struct sl_delivery_sum *sum) {
    struct sl_delivery *d = (struct sl_delivery *)(void *)sl_staging_record(chunk, run_at);
    uint64_t *tags = (uint64_t *)(void *)(d + 1);
    struct sl_delivery report = {.outcome = SL_OUTCOME_NOT_WRITTEN,
                                 .code = code,
                                 .partition = -1,
                                 .base_offset = -1,
                                 .timestamp_ms = -1,
                                 .tags = tags};
    uint32_t topic = sl_staging_record(chunk, chunk->walked)->topic;
    while (chunk->walked < chunk->size) {
        const struct sl_staged_record *r = sl_staging_record(chunk, chunk->walked);
        if (r->topic != topic) break;
        add_to_sum(sum, r);
        uint32_t next = chunk->walked + r->size;
        if ((r->flags & SL_STAGED_WATCHED) != 0)
            report.watch = (struct sl_watch *)(uintptr_t)r->tag;
        uint64_t tag = r->tag; /* read before the store, which may hit the record itself */
        SL_ASSERT((uint8_t *)(tags + report.count + 1) <= (uint8_t *)chunk->data + next);
        tags[report.count++] = tag;
        chunk->walked = next;
    }
    report.topic = topic_of(owner, topic);
    *d = report;
    return d;
}

/* The report of what is left of a wire chunk. */
static struct sl_delivery *build_wire(struct sl_chunk *chunk, int code, const char *topic,
                                      struct sl_delivery_sum *sum) {
    struct sl_delivery *d = (struct sl_delivery *)(void *)chunk->data;
    uint32_t left = chunk->count - chunk->done;
    uint64_t *tags = sl_staging_wire_tag(chunk, chunk->count - 1);
    add_wire_to_sum(sum, chunk);
    for (uint32_t i = 0; i < left / 2; i++) {
        uint64_t tag = tags[i];
        tags[i] = tags[left - 1 - i];
        tags[left - 1 - i] = tag;
    }
    *d = (struct sl_delivery){.outcome = SL_OUTCOME_NOT_WRITTEN,
                              .code = code,
                              .chunk = chunk,
                              .partition = -1,
                              .count = (int32_t)left,
                              .base_offset = -1,
                              .timestamp_ms = -1,
                              .topic = topic,
                              .tags = tags};
    return d;
}

struct sl_delivery *sl_delivery_from_chunk(struct sl_chunk *chunk, int code,
                                           const char *(*topic_of)(void *owner, uint32_t index),
                                           void *owner, struct sl_delivery_sum *sum) {
    struct sl_delivery *head = NULL;
    struct sl_delivery *last = NULL;
    uint32_t run_at = chunk->run_at;
    if (chunk->is_wire) return build_wire(chunk, code, topic_of(owner, chunk->topic), sum);
    while (chunk->walked < chunk->size) {
        /* Only the first run can have been walked in part. */
        if (head != NULL || sl_staging_record(chunk, run_at)->topic !=
                                sl_staging_record(chunk, chunk->walked)->topic)
            run_at = chunk->walked;
        struct sl_delivery *d = build_run(chunk, run_at, code, topic_of, owner, sum);
        if (head == NULL)
            head = d;
        else
            last->more = d;
        last = d;
    }
    if (head != NULL) head->chunk = chunk;
    return head;
}
