/* Builds one Produce request: the first batch of each ready partition of a broker.
 *
 * Batches are referred to, not copied: the encoded frame has a splice where each belongs. Topics
 * are grouped, because the message wants each once. By topic id from version 13 on if every topic
 * in the request has one, by name otherwise: some clusters know ids of some topics only.
 *
 * Memory is taken before anything changes, except that batches may have got their sequence, which
 * they keep. */
#include "core/produce.h"

#include "core/sequences.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "wire/messages.h"

enum { PRODUCE_LAST_BY_NAME = 12 };

static size_t measure_produce(int32_t count) {
    return sizeof(struct sl_produce) +
           (size_t)count * (sizeof(struct sl_produce_entry) + sizeof(struct sl_splice));
}

void sl_produce_destroy(struct sl_core *core, struct sl_produce *produce) {
    sl_list_remove(&produce->node);
    sl_alloc_free(core->alloc, produce, measure_produce(produce->count));
}

static struct sl_batch *head_to_send(const struct sl_partition *p) {
    return SL_LIST_OF(p->produce.sealed.next, struct sl_batch, node);
}

/* The first batch of the broker's second ready partition is asked for, and the third partition. */
static void look_behind(const struct sl_broker *broker, const struct sl_list *first) {
    if (first->next == &broker->produce_ready) return;
    const struct sl_list *third = first->next->next;
    sl_batch_ahead(head_to_send(SL_LIST_OF(first->next, struct sl_partition, produce.ready)));
    if (third != &broker->produce_ready)
        sl_partition_ahead(SL_LIST_OF(third, struct sl_partition, produce.ready));
}

/* Takes partitions off the broker's list, as many as one request holds, and numbers their first
 * batches. Returns how many. */
static int32_t pick_partitions(struct sl_core *core, struct sl_broker *broker) {
    struct sl_sender *s = &core->sender;
    int64_t bytes = 0;
    int32_t pieces = 0;
    int32_t count = 0;
    while (count < SL_SENDER_PARTITIONS && !sl_list_is_empty(&broker->produce_ready)) {
        struct sl_list *node = broker->produce_ready.next;
        struct sl_partition *p = SL_LIST_OF(node, struct sl_partition, produce.ready);
        struct sl_batch *head = head_to_send(p);
        look_behind(broker, node);
        SL_ASSERT(head->state == SL_BATCH_SEALED);
        /* What made it ready may have changed since, an identity for one. */
        if (core->settings->idempotence && head->sequence < 0 &&
            !sl_sequences_may_assign(core, p)) {
            sl_sender_place(core, p);
            continue;
        }
        bytes += head->size;
        pieces += head->piece_count + 1;
        if (count > 0 && (bytes > core->settings->max_request_size || pieces > SL_SENDER_PIECES))
            break;
        sl_list_remove(node);
        sl_sequences_assign(core, head);
        s->picked[count++] = p;
    }
    return count;
}

/* Groups the picked partitions by topic. 0 or NOMEM. */
static int fill_produce_message(struct sl_core *core, int32_t count,
                                struct sl_produce_request *message) {
    struct sl_sender *s = &core->sender;
    struct sl_produce_topic *topics = sl_arena_array(&s->arena, (size_t)count, sizeof *topics);
    struct sl_produce_partition *parts = sl_arena_array(&s->arena, (size_t)count, sizeof *parts);
    if (topics == NULL || parts == NULL) return SLUICE_ERR_NOMEM;
    int32_t topic_count = 0;
    s->serial++;
    for (int32_t i = 0; i < count; i++) {
        const struct sl_topic *topic = s->picked[i]->topic;
        struct sl_batching *t = topic->batching;
        if (t->request != s->serial) {
            t->request = s->serial;
            t->request_slot = topic_count;
            topics[topic_count].name = topic->name_str;
            topics[topic_count].topic_id = topic->id;
            topic_count++;
        }
        topics[t->request_slot].partitions.count++;
    }
    struct sl_produce_partition *next = parts;
    for (int32_t i = 0; i < topic_count; i++) {
        topics[i].partitions.items = next;
        next += topics[i].partitions.count;
        topics[i].partitions.count = 0;
    }
    for (int32_t i = 0; i < count; i++) {
        const struct sl_partition *p = s->picked[i];
        const struct sl_batching *t = p->topic->batching;
        struct sl_array *array = &topics[t->request_slot].partitions;
        struct sl_produce_partition *part =
            (struct sl_produce_partition *)array->items + array->count++;
        const struct sl_batch *batch = head_to_send(p);
        part->partition = p->index;
        part->records = (struct sl_records){
            .pieces = batch->pieces, .piece_count = batch->piece_count, .size = batch->size};
    }
    message->topics = (struct sl_array){topics, topic_count};
    return 0;
}

static bool have_topic_ids(const struct sl_produce_request *message) {
    const struct sl_produce_topic *topics = message->topics.items;
    for (int32_t i = 0; i < message->topics.count; i++)
        if (sl_bytes_uuid_is_zero(&topics[i].topic_id)) return false;
    return true;
}

/* Encodes the request. 0, NOMEM or UNSUPPORTED. */
static int encode_produce(struct sl_core *core, struct sl_link *link, struct sl_produce *produce) {
    const struct sl_api *api = sl_api_find(SL_API_PRODUCE);
    struct sl_produce_request message;
    sl_codec_defaults(&sl_produce_request_type, &message);
    message.transactional_id = SL_STR_NULL;
    message.acks = core->settings->acks;
    message.timeout_ms = core->settings->request_timeout_ms;
    int rv = fill_produce_message(core, produce->count, &message);
    if (rv != 0) return rv;
    int16_t high = have_topic_ids(&message) ? api->client_max : (int16_t)PRODUCE_LAST_BY_NAME;
    int16_t version = sl_link_version(link, api, api->client_min, high);
    if (version < 0) return SLUICE_ERR_UNSUPPORTED;
    return sl_link_encode(link, &produce->request, api, version, &message, produce->splices,
                          (size_t)produce->count);
}

/* The batches are in the request from here on. */
static void commit_produce(struct sl_core *core, struct sl_produce *produce) {
    int64_t records = 0;
    for (int32_t i = 0; i < produce->count; i++) {
        struct sl_partition *p = core->sender.picked[i];
        struct sl_produce_entry *entry = &produce->entries[i];
        struct sl_batch *batch = head_to_send(p);
        sl_list_remove(&batch->node);
        sl_list_push_back(&p->produce.in_flight, &batch->node);
        p->produce.queued--;
        p->produce.in_flight_count++;
        batch->state = SL_BATCH_IN_FLIGHT;
        if (batch->attempts < UINT16_MAX) batch->attempts++;
        if (produce->request.version <= PRODUCE_LAST_BY_NAME) batch->named = true;
        batch->entry = entry;
        *entry =
            (struct sl_produce_entry){.partition = p, .batch = batch, .topic_id = p->topic->id};
        sl_stats_on_batch_sent(core, batch);
        records += batch->count;
        sl_trace_add(&core->trace, SL_TRACE_BATCH_SENT, core->now, p->index, batch->sequence);
    }
    sl_stats_on_produce(core, records);
}

static void place_picked(struct sl_core *core, int32_t count) {
    for (int32_t i = 0; i < count; i++) sl_sender_place(core, core->sender.picked[i]);
}

int sl_produce_send(struct sl_core *core, struct sl_broker *broker, struct sl_link *link) {
    struct sl_sender *s = &core->sender;
    int32_t count = pick_partitions(core, broker);
    if (count == 0) return 0;
    int rv = SLUICE_ERR_NOMEM;
    struct sl_produce *produce = sl_alloc_zero(core->alloc, measure_produce(count));
    if (produce == NULL) goto place_back;
    produce->count = count;
    produce->splices = (struct sl_splice *)(void *)(produce->entries + count);
    rv = encode_produce(core, link, produce);
    sl_arena_reset(&s->arena);
    if (rv != 0) goto free_produce;
    commit_produce(core, produce);
    produce->request.no_response = core->settings->acks == 0;
    produce->request.on_done = sl_produce_answer_done;
    sl_list_push_back(&s->requests, &produce->node);
    sl_link_send(link, &produce->request, core->settings->request_timeout_ms);
    place_picked(core, count);
    return 0;

free_produce:
    sl_alloc_free(core->alloc, produce, measure_produce(count));
place_back:
    if (rv != SLUICE_ERR_UNSUPPORTED) {
        place_picked(core, count);
        return rv;
    }
    for (int32_t i = 0; i < count; i++) sl_sender_give_up(core, head_to_send(s->picked[i]), rv);
    return 0;
}
