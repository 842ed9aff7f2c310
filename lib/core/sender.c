/* The sender: which sealed batch goes when, and in what request.
 *
 * A partition with sealed batches is in exactly one place, by what its first batch waits for:
 *
 *   broker.produce_ready   it may be sent to that leader
 *   broker.produce_held    nothing is sealed; the open batch is due, and that leader busy
 *   delayed                its back-off
 *   homeless               a leader
 *   asking                 a producer id
 *   nowhere                answers of batches in flight, or the codec; they place it anew
 *
 * sl_sender_place looks at one partition and puts it where it belongs; whoever changes something
 * that matters calls it. A turn then takes from the ready lists only.
 *
 * One Produce request carries the first batch of each ready partition of a broker, up to
 * max.request.size and what one writev takes; partitions that did not fit stay at the front for
 * the next. Up to max.in.flight requests are under way per connection, so several batches of a
 * partition are too, in different requests. After a retry, a change of leader and under a new
 * identity a partition sends one batch at a time until one succeeds: batches that arrive out of
 * order would only be refused.
 * A batch that goes back keeps its place, by serial, and its bytes.
 *
 * The outcome of a batch without an answer: NOT_WRITTEN when no attempt left it open whether the
 * broker acted, MAYBE_WRITTEN otherwise. In flight it counts as open, because bytes that were
 * handed out may still leave. A batch that ends while in flight stays in the partition's in_flight
 * list, without any further say, until the request lets go of its memory. */
#include "core/sender.h"

#include <string.h>

#include "core/plant.h"
#include "core/produce.h"
#include "core/sequences.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "wire/messages.h"

enum {
    SENDER_RETRY_MS = 10,      /* memory was short; arbitrary */
    SENDER_HOMELESS_LOOKS = 16 /* partitions without leader looked at in a turn; arbitrary */
};

/* ---- life ---- */

void sl_sender_init(struct sl_sender *s, struct sl_core *core) {
    memset(s, 0, sizeof *s);
    s->core = core;
    sl_list_init(&s->brokers);
    sl_list_init(&s->homeless);
    sl_list_init(&s->asking);
    sl_list_init(&s->requests);
    sl_heap_init(&s->delayed, core->alloc);
    sl_arena_init(&s->arena, core->alloc, 0);
}

void sl_sender_deinit(struct sl_sender *s) {
    while (!sl_list_is_empty(&s->requests)) {
        struct sl_produce *produce = SL_LIST_OF(s->requests.next, struct sl_produce, node);
        for (int32_t i = 0; i < produce->count; i++) {
            struct sl_batch *batch = produce->entries[i].batch;
            if (batch == NULL) continue;
            sl_sender_detach(batch);
            /* The others are still the batcher's. */
            if (batch->reported) sl_batch_destroy(s->core, batch);
        }
        sl_produce_destroy(s->core, produce);
    }
    sl_heap_deinit(&s->delayed);
    sl_arena_deinit(&s->arena);
}

/* ---- where a partition waits ---- */

static struct sl_batch *head_of(const struct sl_partition *p) {
    if (sl_list_is_empty(&p->produce.sealed)) return NULL;
    return SL_LIST_OF(p->produce.sealed.next, struct sl_batch, node);
}

/* Whether the first sealed batch may be sent beside what is in flight. */
static bool may_follow(const struct sl_core *core, const struct sl_partition *p,
                       const struct sl_batch *head) {
    const struct sl_partition_produce *pp = &p->produce;
    if (pp->in_flight_count == 0) return true;
    if (pp->one_at_a_time || pp->in_flight_count >= core->settings->max_in_flight) return false;
    /* One that went back waits until those sent after it have come back, too. */
    return SL_LIST_OF(pp->in_flight.prev, struct sl_batch, node)->serial < head->serial;
}

/* To the broker's ready or held partitions. */
static void join_broker(struct sl_core *core, struct sl_partition *p, struct sl_broker *broker,
                        struct sl_list *list) {
    sl_list_push_back(list, &p->produce.ready);
    if (!sl_list_is_linked(&broker->produce_node))
        sl_list_push_back(&core->sender.brokers, &broker->produce_node);
}

/* Another request may be queued. acks=0 has no answers to count: one is handed out at a time. */
static bool may_queue(const struct sl_core *core, const struct sl_link *link) {
    if (!sl_link_is_ready(link)) return false;
    if (core->settings->acks == 0) return link->unsent == &link->queue;
    return link->in_flight < (uint32_t)core->settings->max_in_flight;
}

bool sl_sender_hold(struct sl_core *core, struct sl_partition *p) {
    /* Compression takes its time, in which other requests are answered. */
    if (core->settings->codec != SL_CODEC_NONE) return false;
    struct sl_broker *broker = p->leader >= 0 ? sl_brokers_find(core, p->leader) : NULL;
    const struct sl_link *link = broker == NULL ? NULL : broker->links[SL_PURPOSE_PRODUCE];
    if (link == NULL || !sl_link_is_ready(link) || may_queue(core, link)) return false;
    SL_ASSERT(!sl_list_is_linked(&p->produce.ready));
    p->produce.is_held = true;
    join_broker(core, p, broker, &broker->produce_held);
    return true;
}

void sl_sender_place(struct sl_core *core, struct sl_partition *p) {
    struct sl_sender *s = &core->sender;
    struct sl_partition_produce *pp = &p->produce;
    if (!pp->is_set_up) return;
    sl_list_remove(&pp->ready);
    pp->is_held = false;
    sl_heap_remove(&s->delayed, &pp->delay);
    sl_sequences_settle(core, p);
    const struct sl_batch *head = head_of(p);
    if (head == NULL) {
        sl_batcher_on_drained(core, p);
        return;
    }
    if (head->state == SL_BATCH_PACKING || !may_follow(core, p, head)) return;
    if (core->settings->idempotence && head->sequence < 0 && !sl_sequences_may_assign(core, p)) {
        if (core->producer_id.state != SL_PRODUCER_ID_KNOWN)
            sl_list_push_back(&s->asking, &pp->ready);
        return;
    }
    struct sl_broker *broker = p->leader >= 0 ? sl_brokers_find(core, p->leader) : NULL;
    if (broker == NULL) {
        sl_list_push_back(&s->homeless, &pp->ready);
        sl_metadata_refresh(core, p->topic);
        return;
    }
    /* Without memory for the timer it is tried at once; the memory is short everywhere then. */
    if (pp->not_before > core->now && sl_heap_set(&s->delayed, &pp->delay, pp->not_before) == 0)
        return;
    join_broker(core, p, broker, &broker->produce_ready);
}

void sl_sender_on_sealed(struct sl_core *core, struct sl_partition *partition) {
    /* Already waiting for something: a batch more behind the first changes nothing. */
    if (sl_list_is_linked(&partition->produce.ready) && !partition->produce.is_held) return;
    sl_sender_place(core, partition);
}

void sl_sender_on_leader(struct sl_core *core, struct sl_partition *partition, int32_t old_leader) {
    struct sl_partition_produce *pp = &partition->produce;
    (void)old_leader;
    if (!pp->is_set_up) return;
    if (pp->in_flight_count > 0) pp->one_at_a_time = true;
    pp->not_before = 0;
    sl_sender_place(core, partition);
}

void sl_sender_on_recreated(struct sl_core *core, struct sl_topic *topic) {
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct sl_partition *p = topic->partitions[i];
        if (!p->produce.is_set_up) continue;
        sl_sequences_on_recreated(core, p);
        sl_sender_place(core, p);
    }
}

void sl_sender_on_broker_gone(struct sl_core *core, struct sl_broker *broker) {
    sl_list_splice_back(&broker->produce_ready, &broker->produce_held);
    for (struct sl_list *node; (node = sl_list_pop_front(&broker->produce_ready)) != NULL;) {
        SL_LIST_OF(node, struct sl_partition, produce.ready)->produce.is_held = false;
        sl_list_push_back(&core->sender.homeless, node);
    }
    sl_list_remove(&broker->produce_node);
}

void sl_sender_on_identity(struct sl_core *core) {
    struct sl_list asking;
    sl_list_init(&asking);
    sl_list_splice_back(&asking, &core->sender.asking);
    for (struct sl_list *node; (node = sl_list_peek(&asking)) != NULL;)
        sl_sender_place(core, SL_LIST_OF(node, struct sl_partition, produce.ready));
}

/* ---- outcomes without an answer, and retries ---- */

void sl_sender_give_up(struct sl_core *core, struct sl_batch *batch, int code) {
    struct sl_partition *p = batch->partition;
    bool certain = batch->state != SL_BATCH_IN_FLIGHT && !batch->maybe_written;
    if (batch->state != SL_BATCH_IN_FLIGHT) sl_batcher_withdraw(core, batch);
    sl_sequences_on_lost(core, p, batch, certain);
    int outcome = certain ? SL_OUTCOME_NOT_WRITTEN : SL_OUTCOME_MAYBE_WRITTEN;
    if (SL_PLANTED(4)) {
        outcome = SL_OUTCOME_WRITTEN;
        code = 0;
    }
    sl_batcher_finish(core, batch, outcome, code, -1, -1);
    sl_sender_place(core, p);
}

void sl_sender_detach(struct sl_batch *batch) {
    SL_ASSERT(batch->state == SL_BATCH_IN_FLIGHT && batch->entry != NULL);
    sl_list_remove(&batch->node);
    batch->partition->produce.in_flight_count--;
    batch->entry->batch = NULL;
    batch->entry = NULL;
}

void sl_sender_put_back(struct sl_partition *p, struct sl_batch *batch) {
    struct sl_list *at = p->produce.sealed.next;
    while (at != &p->produce.sealed &&
           (SL_LIST_OF(at, struct sl_batch, node)->serial < batch->serial || SL_PLANTED(3)))
        at = at->next;
    sl_list_insert_before(at, &batch->node);
    batch->state = SL_BATCH_SEALED;
    p->produce.queued++;
}

void sl_sender_retry(struct sl_core *core, struct sl_batch *batch, int code, bool maybe,
                     bool wait) {
    struct sl_partition *p = batch->partition;
    struct sl_partition_produce *pp = &p->produce;
    const struct sl_settings *settings = core->settings;
    bool is_elsewhere =
        !batch->named && !sl_bytes_uuid_equal(&batch->entry->topic_id, &p->topic->id);
    sl_sender_detach(batch);
    sl_trace_add(&core->trace, SL_TRACE_BATCH_RETRY, core->now, p->index, code);
    sl_stats_on_retry(core, batch);
    pp->one_at_a_time = true;
    if (batch->reported) {
        sl_batch_destroy(core, batch);
        sl_sender_place(core, p);
        return;
    }
    if (SL_PLANTED(1)) {
        sl_batcher_finish(core, batch, SL_OUTCOME_WRITTEN, 0, -1, -1);
        return;
    }
    sl_sender_put_back(p, batch);
    if (maybe && SL_PLANTED(2))
        batch->sequence = -1;
    else if (maybe)
        batch->maybe_written = batch->maybe_here = true;
    /* All its attempts were before the topic was made again. */
    if (is_elsewhere) batch->maybe_here = false;
    bool is_stale = sl_sequences_is_stale(p, batch);
    if (batch->attempts > settings->retries || (is_stale && batch->maybe_here)) {
        sl_sender_give_up(core, batch, code);
        return;
    }
    if (is_stale) batch->sequence = -1;
    if (wait) {
        int64_t at = sl_core_retry_at(core, batch->attempts - 1U);
        if (at > pp->not_before) pp->not_before = at;
    }
    sl_sender_place(core, p);
}

/* ---- the turn ---- */

static void fail_asking(struct sl_core *core) {
    while (!sl_list_is_empty(&core->sender.asking)) {
        struct sl_list *node = core->sender.asking.next;
        struct sl_partition *p = SL_LIST_OF(node, struct sl_partition, produce.ready);
        sl_sender_give_up(core, head_of(p), core->producer_id.code);
    }
}

/* Looks again at some of those without a leader: their broker may be known by now, and metadata
 * must go on asking. */
static void look_at_homeless(struct sl_core *core) {
    struct sl_list looked;
    sl_list_init(&looked);
    for (int i = 0; i < SENDER_HOMELESS_LOOKS; i++) {
        struct sl_list *node = sl_list_pop_front(&core->sender.homeless);
        if (node == NULL) break;
        sl_list_push_back(&looked, node);
    }
    for (struct sl_list *node; (node = sl_list_peek(&looked)) != NULL;)
        sl_sender_place(core, SL_LIST_OF(node, struct sl_partition, produce.ready));
}

static void run_delayed(struct sl_core *core) {
    struct sl_heap_node *node;
    while ((node = sl_heap_peek(&core->sender.delayed)) != NULL && node->at <= core->now)
        sl_sender_place(core, SL_LIST_OF(node, struct sl_partition, produce.delay));
}

static bool has_sender_work(const struct sl_broker *broker) {
    return !sl_list_is_empty(&broker->produce_ready) || !sl_list_is_empty(&broker->produce_held);
}

/* There is room for a request: as many of the held batches are closed as fit into it. */
static void close_held(struct sl_core *core, struct sl_broker *broker) {
    int64_t left = core->settings->max_request_size;
    for (int32_t i = 0; i < SL_SENDER_PARTITIONS && left > 0; i++) {
        struct sl_list *node = sl_list_peek(&broker->produce_held);
        if (node == NULL) return;
        struct sl_partition *p = SL_LIST_OF(node, struct sl_partition, produce.ready);
        left -= p->produce.open->size;
        sl_sender_place(core, p);
    }
}

/* Sends what the broker's partitions have, as far as its link takes requests. */
static void send_to_broker(struct sl_core *core, struct sl_broker *broker) {
    struct sl_link *link = sl_brokers_link(broker, SL_PURPOSE_PRODUCE);
    while (link != NULL && may_queue(core, link)) {
        close_held(core, broker);
        if (sl_list_is_empty(&broker->produce_ready)) return;
        if (sl_produce_send(core, broker, link) != 0) {
            core->sender.retry_at = core->now + SENDER_RETRY_MS * SL_MS;
            return;
        }
        broker->stuck_since = 0;
    }
}

void sl_sender_run(struct sl_core *core) {
    struct sl_sender *s = &core->sender;
    s->retry_at = 0;
    run_delayed(core);
    look_at_homeless(core);
    if (core->producer_id.state == SL_PRODUCER_ID_FAILED) fail_asking(core);
    SL_LIST_EACH(it, tmp, &s->brokers) {
        struct sl_broker *broker = SL_LIST_OF(it, struct sl_broker, produce_node);
        if (has_sender_work(broker)) send_to_broker(core, broker);
        if (!has_sender_work(broker)) {
            sl_list_remove(&broker->produce_node);
            broker->stuck_since = 0;
        } else if (broker->stuck_since == 0) {
            broker->stuck_since = core->now;
        }
    }
}

int64_t sl_sender_deadline(const struct sl_core *core) {
    const struct sl_sender *s = &core->sender;
    const struct sl_heap_node *node = sl_heap_peek(&s->delayed);
    int64_t deadline = node != NULL ? node->at : SL_NEVER;
    return s->retry_at != 0 && s->retry_at < deadline ? s->retry_at : deadline;
}
