/* What the end of a Produce request means for each of its batches.
 *
 *   acknowledged (0), or known already (46)      WRITTEN
 *   too large (10, 18), and several records      in parts, in its place (split.c)
 *   refused, and the same bytes would be again   NOT_WRITTEN; MAYBE_WRITTEN if an earlier attempt
 *                                                is open
 *   not now, not here (leader, replicas)         again, in its place
 *   the broker may or may not have acted         again, and from then on open: REQUEST_TIMED_OUT,
 *                                                NOT_ENOUGH_REPLICAS_AFTER_APPEND, a storage error,
 *                                                NOT_LEADER with acks=all, a lost connection, no
 *                                                word in the answer
 *   an error without a meaning (-1, unknown)     MAYBE_WRITTEN: nobody says that it is not there
 *   sequence refused (45, 47, 59)                again if an earlier batch is still out, else the
 *                                                partition starts over (sequences.c)
 *
 * Answers are not trusted: partitions that were not asked for are passed over, one that is answered
 * twice keeps the first word, and one that is left out counts as an open attempt. */
#include <string.h>

#include "base/ahead.h"
#include "core/delivery.h"
#include "core/produce.h"
#include "core/record_errors.h"
#include "core/sequences.h"
#include "core/split.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/frame.h"
#include "wire/messages.h"

/* Decoded arrays may be larger than what they were decoded from, within reason. */
enum { ANSWER_MEMORY_FACTOR = 8, ANSWER_MEMORY_MIN = 64 * 1024 };
enum { ANSWER_AHEAD = 4 }; /* batches that their memory is asked for before their turn; arbitrary */

enum answer_meaning {
    ANSWER_WRITTEN = 1,
    ANSWER_REFUSED, /* certainly not written, and never will be */
    ANSWER_AGAIN,   /* certainly not written by this attempt */
    ANSWER_OPEN,    /* this attempt may have written it; again */
    ANSWER_UNCLEAR, /* the same, but not again */
    ANSWER_LARGE,   /* certainly not written, not in one batch */
    ANSWER_SEQUENCE /* idempotent: the broker does not take this sequence */
};

static enum answer_meaning interpret_answer(const struct sl_core *core, int code) {
    switch (code) {
    case SLUICE_KAFKA_NONE:
    case SLUICE_KAFKA_DUPLICATE_SEQUENCE_NUMBER:
        return ANSWER_WRITTEN;
    case SLUICE_KAFKA_REQUEST_TIMED_OUT:
    case SLUICE_KAFKA_NETWORK_EXCEPTION:
    case SLUICE_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case SLUICE_KAFKA_KAFKA_STORAGE_ERROR:
        return ANSWER_OPEN;
    case SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER:
        /* A leader that waits for its followers when it is deposed has appended already. */
        return core->settings->acks == -1 ? ANSWER_OPEN : ANSWER_AGAIN;
    case SLUICE_KAFKA_UNKNOWN_SERVER_ERROR:
        return ANSWER_UNCLEAR;
    case SLUICE_KAFKA_MESSAGE_TOO_LARGE:
    case SLUICE_KAFKA_RECORD_LIST_TOO_LARGE:
        return ANSWER_LARGE;
    case SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case SLUICE_KAFKA_INVALID_PRODUCER_EPOCH:
    case SLUICE_KAFKA_UNKNOWN_PRODUCER_ID:
        return core->settings->idempotence ? ANSWER_SEQUENCE : ANSWER_REFUSED;
    default:
        if (sl_errors_is_retriable(code)) return ANSWER_AGAIN;
        return sl_errors_find(code)->code == code ? ANSWER_REFUSED : ANSWER_UNCLEAR;
    }
}

/* ---- one batch ---- */

static void acknowledge_batch(struct sl_core *core, struct sl_batch *batch, int64_t base_offset,
                              int64_t append_ms) {
    struct sl_partition *p = batch->partition;
    sl_sender_detach(batch);
    sl_sequences_on_written(p, batch);
    p->produce.one_at_a_time = batch->serial + (uint64_t)batch->count <= p->produce.careful_until;
    p->produce.not_before = 0;
    if (base_offset >= 0) p->produce.acked_offset = base_offset + batch->count - 1;
    if (batch->reported) {
        sl_batch_destroy(core, batch);
    } else {
        int64_t stamp = append_ms >= 0 ? append_ms : batch->base_timestamp;
        sl_batcher_finish(core, batch, SL_OUTCOME_WRITTEN, 0, base_offset, stamp);
    }
    sl_sender_place(core, p);
}

/* The batch ends here, without having been acknowledged. text: why, or null. */
static void end_refused_batch(struct sl_core *core, struct sl_batch *batch, int code, bool certain,
                              struct sl_str text) {
    struct sl_partition *p = batch->partition;
    sl_sender_detach(batch);
    if (batch->maybe_written) certain = false;
    sl_sequences_on_lost(core, p, batch, certain);
    if (batch->reported) {
        sl_batch_destroy(core, batch);
    } else {
        sl_delivery_explain(core->alloc, batch->delivery, text);
        sl_batcher_finish(core, batch, certain ? SL_OUTCOME_NOT_WRITTEN : SL_OUTCOME_MAYBE_WRITTEN,
                          code, -1, -1);
    }
    sl_sender_place(core, p);
}

/* A single record, or one that may be there already, cannot be made smaller. */
static void take_too_large(struct sl_core *core, struct sl_batch *batch, int code) {
    char buf[200];
    struct sl_text text;
    sl_text_init(&text, buf, sizeof buf);
    if (batch->count > 1 && !batch->maybe_written && !batch->reported) {
        int rv = sl_split_batch(core, batch);
        if (rv == 0) return;
        sl_text_printf(&text, "too large for the broker in one batch, and no memory to split it");
        code = rv;
    } else {
        sl_text_printf(&text,
                       "%s of %d bytes is larger than the broker takes: max.message.bytes of the "
                       "topic, message.max.bytes of the broker%s",
                       batch->count == 1 ? "a record" : "a batch", (int)batch->size,
                       code == SLUICE_KAFKA_RECORD_LIST_TOO_LARGE ? ", segment.bytes" : "");
    }
    end_refused_batch(core, batch, code, true, sl_bytes_str(buf));
}

/* Nobody can make it better by trying again. */
static void take_refusal(struct sl_core *core, struct sl_batch *batch, bool certain,
                         const struct sl_produce_partition_response *answer) {
    int outcome =
        certain && !batch->maybe_written ? SL_OUTCOME_NOT_WRITTEN : SL_OUTCOME_MAYBE_WRITTEN;
    if (!batch->reported) sl_record_errors_tell(core, batch, outcome, answer);
    end_refused_batch(core, batch, answer->error_code, certain, answer->error_message);
}

static void retry_refused_sequence(struct sl_core *core, struct sl_batch *batch,
                                   const struct sl_produce_partition_response *answer) {
    struct sl_partition *p = batch->partition;
    int code = answer->error_code;
    /* A broker that lost the id to retention says where its log starts; without that it only lacks
     * the news yet (KIP-360). */
    bool must_wait = code == SLUICE_KAFKA_UNKNOWN_PRODUCER_ID && answer->log_start_offset < 0;
    bool starts_over = code == SLUICE_KAFKA_INVALID_PRODUCER_EPOCH ||
                       (!must_wait && sl_sequences_is_first(p, batch));
    if (starts_over && !batch->reported && !sl_sequences_is_stale(p, batch))
        sl_sequences_restart(core, p, code);
    sl_sender_retry(core, batch, code, false, starts_over || must_wait);
}

/* True: the partition is known to be led by another broker now, which may be asked at once. */
static bool take_leader_hint(struct sl_core *core, struct sl_partition *p,
                             const struct sl_produce_partition_response *answer) {
    int code = answer->error_code;
    if (code != SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER && code != SLUICE_KAFKA_FENCED_LEADER_EPOCH)
        return false;
    const struct sl_leader_hint *hint = &answer->current_leader;
    if (hint->leader_id < 0 || hint->leader_epoch < 0) return false;
    return sl_metadata_hint(core, p, hint->leader_id, hint->leader_epoch);
}

/* What the broker says of the batch, without what no broker may say: our own codes, and offsets
 * beyond the last that a record can have. */
static struct sl_produce_partition_response
check_partition_answer(const struct sl_batch *batch,
                       const struct sl_produce_partition_response *said) {
    struct sl_produce_partition_response answer = *said;
    answer.error_code = (int16_t)sl_calls_code(said->error_code);
    if (said->base_offset > INT64_MAX - batch->count) answer.base_offset = -1;
    return answer;
}

static void take_partition_answer(struct sl_core *core, struct sl_batch *batch,
                                  const struct sl_produce_partition_response *answer) {
    struct sl_partition *p = batch->partition;
    int code = answer->error_code;
    enum answer_meaning meaning = interpret_answer(core, code);
    bool has_hint = take_leader_hint(core, p, answer);
    if (!has_hint && sl_errors_is_stale(code)) sl_metadata_refresh(core, p->topic);
    switch (meaning) {
    case ANSWER_WRITTEN:
        /* The broker that says "known already" does not say where. */
        acknowledge_batch(core, batch, code == 0 ? answer->base_offset : -1, answer->log_append_ms);
        break;
    case ANSWER_REFUSED:
    case ANSWER_UNCLEAR:
        take_refusal(core, batch, meaning == ANSWER_REFUSED, answer);
        break;
    case ANSWER_LARGE:
        take_too_large(core, batch, code);
        break;
    case ANSWER_AGAIN:
    case ANSWER_OPEN:
        sl_sender_retry(core, batch, code, meaning == ANSWER_OPEN, !has_hint);
        break;
    case ANSWER_SEQUENCE:
        retry_refused_sequence(core, batch, answer);
        break;
    }
}

/* ---- the answer as a whole ---- */

static bool is_answer_for(const struct sl_produce_entry *entry, int16_t version,
                          const struct sl_produce_topic_response *topic, int32_t partition) {
    enum { FIRST_BY_ID = 13 };
    if (entry->partition->index != partition) return false;
    if (version >= FIRST_BY_ID) return sl_bytes_uuid_equal(&entry->topic_id, &topic->topic_id);
    return sl_bytes_str_equal(entry->partition->topic->name_str, topic->name);
}

/* The line that is answered, NULL: none asks for it any more. Brokers keep the order of the
 * request, so looking from *at on nearly always finds it at once. */
static struct sl_produce_entry *match_entry(struct sl_produce *produce, int32_t *at,
                                            const struct sl_produce_topic_response *topic,
                                            int32_t partition) {
    for (int32_t n = 0; n < produce->count; n++) {
        int32_t i = (*at + n) % produce->count;
        struct sl_produce_entry *entry = &produce->entries[i];
        if (!is_answer_for(entry, produce->request.version, topic, partition)) continue;
        *at = i + 1;
        return entry->batch != NULL ? entry : NULL;
    }
    return NULL;
}

/* Asks for what the lines after that one lead to. */
static void look_ahead(const struct sl_produce *produce, int32_t at) {
    if (at + 2 * ANSWER_AHEAD < produce->count) {
        const struct sl_produce_entry *far = &produce->entries[at + 2 * ANSWER_AHEAD];
        sl_partition_ahead(far->partition);
        if (far->batch != NULL) sl_batch_ahead(far->batch);
    }
    if (at + ANSWER_AHEAD < produce->count) {
        const struct sl_batch *near = produce->entries[at + ANSWER_AHEAD].batch;
        if (near == NULL) return;
        sl_ahead_line(near->segments);
        if (near->delivery != NULL) sl_ahead_all(near->delivery, sizeof *near->delivery);
    }
}

static void take_answer(struct sl_core *core, struct sl_produce *produce,
                        const struct sl_produce_response *message) {
    const struct sl_node_endpoint *nodes = message->node_endpoints.items;
    for (int32_t i = 0; i < message->node_endpoints.count; i++)
        sl_metadata_endpoint(core, nodes[i].node_id, nodes[i].host, nodes[i].port, nodes[i].rack);
    const struct sl_produce_topic_response *topics = message->topics.items;
    int32_t at = 0;
    for (int32_t i = 0; i < message->topics.count; i++) {
        const struct sl_produce_partition_response *parts = topics[i].partitions.items;
        for (int32_t j = 0; j < topics[i].partitions.count; j++) {
            look_ahead(produce, at);
            struct sl_produce_entry *entry =
                match_entry(produce, &at, &topics[i], parts[j].partition);
            if (entry == NULL) continue;
            struct sl_produce_partition_response answer =
                check_partition_answer(entry->batch, &parts[j]);
            take_partition_answer(core, entry->batch, &answer);
        }
    }
}

/* Every batch still in the request is tried again. */
static void retry_all(struct sl_core *core, struct sl_produce *produce, int code, bool maybe) {
    for (int32_t i = 0; i < produce->count; i++) {
        struct sl_batch *batch = produce->entries[i].batch;
        if (batch == NULL) continue;
        if (core->state != SL_CORE_CLOSED) sl_metadata_refresh(core, batch->partition->topic);
        sl_sender_retry(core, batch, code, maybe, true);
    }
}

/* acks=0: written as far as anyone will ever know. */
static void acknowledge_all(struct sl_core *core, struct sl_produce *produce) {
    for (int32_t i = 0; i < produce->count; i++) {
        struct sl_batch *batch = produce->entries[i].batch;
        if (batch != NULL) acknowledge_batch(core, batch, -1, -1);
    }
}

void sl_produce_answer_done(struct sl_core *core, struct sl_request *request, int rv,
                            struct sl_response *resp) {
    struct sl_produce *produce = SL_LIST_OF(request, struct sl_produce, request);
    if (rv != 0) {
        retry_all(core, produce, rv, request->sent_whole);
        sl_produce_destroy(core, produce);
        return;
    }
    if (resp == NULL) {
        acknowledge_all(core, produce);
        sl_produce_destroy(core, produce);
        return;
    }
    struct sl_arena arena;
    size_t left = sl_reader_left(&resp->body);
    sl_arena_init(&arena, core->alloc, left * ANSWER_MEMORY_FACTOR + ANSWER_MEMORY_MIN);
    struct sl_produce_response message;
    rv = sl_frame_decode_response(&resp->body, &arena, request->api, request->version, &message);
    if (rv == 0) {
        take_answer(core, produce, &message);
        sl_stats_on_throttle(core, SL_API_PRODUCE, message.throttle_ms);
        if (message.throttle_ms > 0) sl_link_throttle(resp->link, message.throttle_ms);
        rv = SLUICE_KAFKA_UNKNOWN_SERVER_ERROR; /* of those that the answer passed over */
    } else if (rv == SLUICE_ERR_MALFORMED) {
        sl_link_fail(resp->link, rv, "its answer to %s could not be read", request->api->name);
    }
    retry_all(core, produce, rv, true);
    sl_arena_deinit(&arena);
    sl_produce_destroy(core, produce);
}
