/* Fetch answers, in two steps.
 *
 * read   the moment an answer is whole: batch headers give each partition's next offset, so that
 *        the next Fetch can leave at once; what belongs to the application becomes slices that
 *        point into the answer's buffer, which is kept.
 * check  a turn later, after that Fetch has left: CRCs (check.crcs), then the slices go to the
 *        gate. What fails stops its partition at the first bad batch; what was received beyond it
 *        is dropped, because it does not go on where the checked part ends.
 *
 * An error is told behind what came before it: sl_fetch_stop and _reset flush first.
 *
 * An answer is hostile input: an entry that was not asked for, or was asked for under another
 * epoch or offset, is ignored, also one that comes twice; batches must rise; an entry left out of a
 * full answer starts the session over, with the data of the others taken. */
#include <string.h>

#include "core/fetch.h"
#include "core/fetch_aborted.h"
#include "core/unit.h"
#include "record/batch_read.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/frame.h"
#include "wire/messages.h"

enum {
    /* Decoded arrays may be larger than what they were decoded from, within reason. */
    FETCH_MEMORY_FACTOR = 8,
    FETCH_MEMORY_MIN = 64 * 1024
};

/* What is being read. */
struct fetch_reading {
    struct sl_fetch_session *session;
    struct sl_fetched *fetched;
    const struct sl_fetch_response *answer;
    const uint8_t *cut_at; /* where the answer was cut, because it is too long; NULL: it is whole */
    uint32_t cut_from;     /* its length */
    bool cut_is_told;      /* the partition that makes it so long has been stopped */
    int64_t *aborted;      /* room for base offsets of batches that are left out */
};

/* ---- batch headers ---- */

/* Where the batches of one partition end that are whole and in order. */
struct batch_run {
    const uint8_t *data;
    size_t size; /* those wholly before the position included: their CRCs count too */
    int64_t next_offset;
    int32_t last_epoch; /* of the record before next_offset, as of that before the position … */
    int64_t epoch_from; /* … and from where on it is that of all */
    int32_t count;
    int32_t batches;  /* from the position on */
    bool is_packed;   /* one of them is compressed */
    int64_t *aborted; /* base offsets of those of them that are left out … */
    int32_t aborted_count;
    int rv;            /* why it ended: 0 (no bytes left), SL_BATCH_CUT, MALFORMED, UNSUPPORTED */
    int64_t failed_at; /* offset that rv is about, as far as it is known */
};

/* undone: the transactions that are left out. */
static void scan_batches(const struct sl_records *records, int64_t offset,
                         struct sl_fetch_aborted *undone, struct batch_run *run) {
    const uint8_t *at = records->data;
    const uint8_t *end = at + (records->size > 0 ? records->size : 0);
    run->data = at;
    run->next_offset = offset;
    run->failed_at = offset;
    while (at < end) {
        struct sl_batch_info info;
        run->rv = sl_batch_read_info(at, (size_t)(end - at), &info);
        if (run->rv == SLUICE_ERR_UNSUPPORTED && info.base_offset > offset)
            run->failed_at = info.base_offset;
        if (run->rv != 0) return;
        if (run->batches > 0 && info.base_offset < run->next_offset) {
            run->rv = SLUICE_ERR_MALFORMED;
            run->failed_at = run->next_offset;
            return;
        }
        int verdict = sl_fetch_aborted_look(undone, at, &info);
        if (verdict < 0) {
            run->rv = verdict;
            run->failed_at = info.base_offset;
            return;
        }
        at += info.size;
        run->size += (size_t)info.size;
        if (run->batches == 0 && info.last_offset < offset) continue; /* brokers may send such */
        run->next_offset = run->failed_at = info.last_offset + 1;
        if (info.leader_epoch != run->last_epoch) run->epoch_from = info.base_offset;
        run->last_epoch = info.leader_epoch;
        run->batches++;
        run->is_packed |= (info.attributes & SL_RECORD_CODEC_MASK) != SL_CODEC_NONE;
        if (verdict == 1)
            run->aborted[run->aborted_count++] = info.base_offset;
        else if ((info.attributes & SL_RECORD_CONTROL) == 0)
            run->count += info.record_count;
    }
}

/* ---- one partition ---- */

/* Up to where may be read; -1: not told. */
static int64_t readable_end(const struct sl_core *core,
                            const struct sl_fetch_partition_response *p) {
    bool is_committed = core->settings->read_committed && p->last_stable_offset >= 0;
    return is_committed ? p->last_stable_offset : p->high_watermark;
}

static void tell_watermark(struct sl_core *core, struct sl_fetch_position *position,
                           const struct sl_fetch_partition_response *p) {
    if (p->high_watermark == position->high_watermark &&
        p->last_stable_offset == position->last_stable)
        return;
    struct sl_slot_news *news = sl_fetcher_tell(core, position->slot, position->epoch);
    if (news == NULL) return; /* the next answer says it again */
    position->high_watermark = p->high_watermark;
    position->last_stable = p->last_stable_offset;
    news->high_watermark = p->high_watermark;
    news->last_stable = p->last_stable_offset;
}

static void add_slice(struct fetch_reading *r, struct sl_fetch_position *position,
                      const struct sl_fetch_partition_response *p, const struct batch_run *run) {
    struct sl_slice *slice = &r->fetched->slices[r->fetched->slice_count++];
    slice->data = run->data;
    slice->size = run->size;
    slice->slot = position->slot;
    slice->epoch = position->epoch;
    slice->moved = position->moved;
    position->moved = false;
    slice->from = position->offset;
    slice->next_offset = run->next_offset;
    slice->high_watermark = position->high_watermark = p->high_watermark;
    slice->last_stable = position->last_stable = p->last_stable_offset;
    slice->end = readable_end(r->session->core, p);
    slice->aborted = run->aborted;
    slice->aborted_count = run->aborted_count;
    r->aborted += run->aborted_count;
    slice->last_epoch = run->last_epoch;
    slice->leader_epoch = position->partition->leader_epoch;
    slice->count = run->count;
    slice->is_packed = run->is_packed;
}

/* The first batch does not fit into what was asked for: ask for more. (Brokers since 0.10.1 send it
 * whole all the same.) */
static void grow_partition_bytes(struct sl_core *core, struct sl_fetch_position *position) {
    const struct sl_settings *settings = core->settings;
    int32_t most = settings->fetch_max_bytes < settings->receive_frame_max
                       ? settings->fetch_max_bytes
                       : settings->receive_frame_max;
    if (position->told_max_bytes >= most) {
        sl_fetch_stop(core, position, SLUICE_ERR_TOO_BIG,
                      "a batch is larger than fetch.max.bytes or receive.message.max.bytes (%d)",
                      (int)most);
    } else if (position->told_max_bytes < position->max_bytes) {
        sl_fetch_retry(core, position, false); /* there was no room for more at the moment */
    } else {
        position->max_bytes = position->max_bytes > most / 2 ? most : position->max_bytes * 2;
        sl_fetch_session_change(position);
    }
}

/* The first batch of a partition, which brokers send whole however large it is (KIP-74), makes the
 * answer longer than what may be received. Nothing but a setting or the application can help it. */
static void stop_at_giant(struct fetch_reading *r, struct sl_fetch_position *position,
                          const struct sl_records *records, const struct sl_batch_info *info) {
    char past[80] = "";
    struct sl_text text;
    sl_text_init(&text, past, sizeof past);
    if (records->size >= SL_RECORD_HEADER_SIZE) {
        uint64_t last_delta = sl_bytes_get32(records->data + SL_RECORD_LAST_DELTA);
        sl_text_printf(&text, ", or seek past it, by its header to %llu",
                       (unsigned long long)((uint64_t)info->base_offset + last_delta + 1));
    }
    r->cut_is_told = true;
    sl_fetch_stop(
        r->session->core, position, SLUICE_ERR_TOO_BIG,
        "a batch of %d bytes does not fit into receive.message.max.bytes (%d): set that to "
        "%u or more%s",
        (int)info->size, (int)r->session->core->settings->receive_frame_max, r->cut_from, past);
}

/* The first batch of the entry ends beyond what is there. */
static void read_cut_batch(struct fetch_reading *r, struct sl_fetch_position *position,
                           const struct sl_records *records) {
    const struct sl_settings *settings = r->session->core->settings;
    struct sl_batch_info info;
    (void)sl_batch_read_info(records->data, (size_t)records->size, &info);
    if (r->cut_at == NULL || records->data + records->size != r->cut_at)
        grow_partition_bytes(r->session->core, position);
    else if (info.size > settings->fetch_max_bytes) /* a smaller one would fit */
        stop_at_giant(r, position, records, &info);
}

/* The position is behind everything that may be read. */
static bool is_at_end(const struct sl_core *core, const struct sl_fetch_partition_response *p,
                      int64_t offset) {
    int64_t end = readable_end(core, p);
    return end >= 0 && offset >= end;
}

static void move_position(struct fetch_reading *r, struct sl_fetch_position *position,
                          const struct batch_run *run) {
    struct sl_core *core = r->session->core;
    sl_trace_add(&core->trace, SL_TRACE_FETCHED, core->now, position->index, run->next_offset);
    position->offset = run->next_offset;
    sl_validate_on_moved(position, run->last_epoch, run->epoch_from);
    position->records += (uint64_t)run->count;
    position->bytes += run->size;
    position->answers++;
    core->stats.records_fetched += (uint64_t)run->count;
    core->stats.bytes_fetched += run->size;
    core->stats.batches_fetched += (uint64_t)run->batches;
    r->session->has_moved = true;
    sl_fetch_session_change(position);
}

/* Batches came, all of them before the position: an index is wrong, or a header was damaged on the
 * way. Asked again at once, the same would come at the speed of the network. */
static void wait_for_progress(struct sl_core *core, struct sl_fetch_position *position) {
    if (position->attempts == 0)
        sl_core_log(core, SL_LOG_WARNING,
                    "broker %d answers with batches before offset %lld, which was asked for, of %s "
                    "partition %d: asking again",
                    (int)position->session->broker->id, (long long)position->offset,
                    position->topic->name, (int)position->index);
    if (!sl_fetch_follower_fail(core, position, "there is no progress"))
        sl_fetch_retry(core, position, false);
}

static void read_batches(struct fetch_reading *r, struct sl_fetch_position *position,
                         const struct sl_fetch_partition_response *p) {
    struct sl_core *core = r->session->core;
    struct batch_run run = {.last_epoch = position->last_epoch,
                            .epoch_from = position->epoch_from,
                            .aborted = r->aborted};
    struct sl_fetch_aborted undone = {.count = 0};
    if (core->settings->read_committed &&
        sl_fetch_aborted_begin(&undone, &core->fetcher.arena, &p->aborted_transactions) != 0) {
        sl_fetch_retry(core, position, false);
        return;
    }
    scan_batches(&p->records, position->offset, &undone, &run);
    bool moves = run.next_offset > position->offset;
    bool is_stuck = !moves && run.rv == 0 && p->records.size > 0;
    if (!is_stuck) position->attempts = 0;
    bool ends = core->settings->poll_ends && is_at_end(core, p, run.next_offset);
    if (!moves) run.size = 0;
    if (moves || (ends && !position->at_end)) add_slice(r, position, p, &run);
    position->at_end = ends;
    if (moves) {
        move_position(r, position, &run);
        return; /* what ended the run comes first next time, and is told then */
    }
    if (run.rv == SLUICE_ERR_UNSUPPORTED)
        sl_fetch_stop(core, position, run.rv,
                      "message format 0 or 1 at offset %lld, from before Kafka 0.11: not readable; "
                      "seek past it",
                      (long long)run.failed_at);
    else if (run.rv == SLUICE_ERR_MALFORMED &&
             sl_fetch_follower_fail(core, position, "a record batch is corrupt"))
        return; /* the leader's may be whole */
    else if (run.rv == SLUICE_ERR_MALFORMED)
        sl_fetch_stop(core, position, run.rv, "a corrupt record batch: seek past it to go on");
    else if (run.rv == SL_BATCH_CUT)
        read_cut_batch(r, position, &p->records);
    else if (is_stuck)
        wait_for_progress(core, position);
    else
        tell_watermark(core, position, p);
}

static void read_partition_error(struct fetch_reading *r, struct sl_fetch_position *position,
                                 const struct sl_fetch_partition_response *p, int code) {
    struct sl_core *core = r->session->core;
    struct sl_partition *partition = position->partition;
    sl_trace_add(&core->trace, SL_TRACE_FETCH_ERROR, core->now, position->index, code);
    if ((code == SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER || code == SLUICE_KAFKA_FENCED_LEADER_EPOCH) &&
        sl_metadata_hint(core, partition, p->current_leader.leader_id,
                         p->current_leader.leader_epoch)) {
        /* on_leader has placed it anew. One hint after another leads nowhere: not at once then. */
        if (position->attempts++ > 0) sl_fetch_retry(core, position, false);
        return;
    }
    if (sl_fetch_follower_fail(core, position, sl_errors_find(code)->name)) {
        if (sl_errors_is_stale(code)) sl_metadata_refresh(core, position->topic);
        return;
    }
    if (code == SLUICE_KAFKA_OFFSET_OUT_OF_RANGE) {
        sl_fetch_reset(core, position, SLUICE_ERR_NO_OFFSET, "the offset is not in the log");
        return;
    }
    if (sl_errors_is_stale(code) || sl_errors_is_retriable(code) ||
        code == SLUICE_KAFKA_UNKNOWN_SERVER_ERROR) {
        if (code == SLUICE_KAFKA_CORRUPT_MESSAGE)
            sl_fetch_stop(core, position, code, "the broker says that its log is corrupt here");
        else
            sl_fetch_retry(core, position, sl_errors_is_stale(code));
        return;
    }
    sl_fetch_stop(core, position, code, "%s", sl_errors_find(code)->text);
}

/* The position that an entry of the answer is about, if it is still the one that was asked for. */
static struct sl_fetch_position *match_position(struct fetch_reading *r, struct sl_topic *topic,
                                                int32_t index) {
    if (topic == NULL || index < 0 || index >= topic->partition_count) return NULL;
    struct sl_fetch_position *position = topic->partitions[index]->fetch;
    if (position == NULL || position->session != r->session || !position->told) return NULL;
    position->heard = r->session->full;
    if (position->told_epoch != position->epoch || position->told_offset != position->offset)
        return NULL;
    return position->state == SL_FETCH_RUNNING ? position : NULL;
}

static struct sl_topic *find_answer_topic(struct sl_core *core,
                                          const struct sl_fetch_session *session,
                                          const struct sl_fetch_topic_response *t) {
    if (session->by_id) return sl_metadata_find_id(core, &t->topic_id);
    if (t->name.size <= 0) return NULL;
    return sl_map_get(&core->metadata.by_name, t->name.data, (size_t)t->name.size);
}

/* How many entries have something to hand on, at most. ends: those without records count too. */
static int32_t count_slices(const struct sl_fetch_response *m, bool ends) {
    int32_t count = 0;
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_fetch_topic_response *topic =
            (const struct sl_fetch_topic_response *)m->topics.items + t;
        const struct sl_fetch_partition_response *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++)
            if (p[i].records.size > 0 || ends) count++;
    }
    return count;
}

/* As many as there are by their lengths. */
static int32_t count_batches(const struct sl_records *records) {
    const uint8_t *at = records->data;
    int32_t left = records->size;
    int32_t count = 0;
    while (left >= SL_RECORD_HEADER_SIZE) {
        int32_t size = (int32_t)sl_bytes_get32(at + SL_RECORD_LENGTH);
        if (size < 0 || size > left - SL_RECORD_LENGTH_OVERHEAD) break;
        at += SL_RECORD_LENGTH_OVERHEAD + size;
        left -= SL_RECORD_LENGTH_OVERHEAD + size;
        count++;
    }
    return count;
}

/* How many batches may be left out of what the answer has, at most. */
static int32_t count_undone(const struct sl_core *core, const struct sl_fetch_response *m) {
    int32_t count = 0;
    for (int32_t t = 0; core->settings->read_committed && t < m->topics.count; t++) {
        const struct sl_fetch_topic_response *topic =
            (const struct sl_fetch_topic_response *)m->topics.items + t;
        const struct sl_fetch_partition_response *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++)
            if (p[i].aborted_transactions.count > 0) count += count_batches(&p[i].records);
    }
    return count;
}

/* One that was served. */
static void read_partition(struct fetch_reading *r, struct sl_fetch_position *position,
                           const struct sl_fetch_partition_response *p) {
    struct sl_fetch_partition_response answer = *p;
    sl_fetch_follower_hear(position, &answer);
    read_batches(r, position, &answer);
    if (position->session == r->session)
        sl_fetch_follower_take(r->session->core, position, p->preferred_read_replica);
}

static void read_partitions(struct fetch_reading *r) {
    struct sl_core *core = r->session->core;
    const struct sl_fetch_response *m = r->answer;
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_fetch_topic_response *entry =
            (const struct sl_fetch_topic_response *)m->topics.items + t;
        struct sl_topic *topic = find_answer_topic(core, r->session, entry);
        const struct sl_fetch_partition_response *p = entry->partitions.items;
        for (int32_t i = 0; i < entry->partitions.count; i++) {
            struct sl_fetch_position *position = match_position(r, topic, p[i].partition);
            if (position == NULL) continue;
            int code = sl_calls_code(p[i].error_code);
            const struct sl_fetch_epoch_end *end = &p[i].diverging_epoch;
            bool diverges = code == 0 && end->epoch >= 0 && end->end_offset >= 0;
            if (code != 0)
                read_partition_error(r, position, &p[i], code);
            else if (!diverges || !sl_validate_judge(core, position, end->epoch, end->end_offset))
                read_partition(r, position, &p[i]);
        }
    }
}

/* ---- a whole answer ---- */

static void back_session_off(struct sl_fetch_session *session) {
    struct sl_core *core = session->core;
    sl_fetch_session_restart(session);
    sl_fetch_follower_leave(session, "a Fetch was not answered well");
    session->not_before =
        core->now + sl_core_backoff(core, core->settings->retry_backoff_ms,
                                    core->settings->retry_backoff_max_ms, session->attempts++);
}

static void on_session_error(struct sl_fetch_session *session, int code) {
    struct sl_core *core = session->core;
    bool refused = code == SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND ||
                   code == SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH;
    if (code == SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND) session->id = 0;
    if (refused && session->attempts == 0) {
        session->attempts = 1; /* once at once: brokers forget idle sessions */
        sl_fetch_session_restart(session);
        return;
    }
    bool is_passing = refused || sl_errors_is_retriable(code) || sl_errors_is_stale(code);
    sl_core_log(core, is_passing || session->attempts > 0 ? SL_LOG_DEBUG : SL_LOG_WARNING,
                "broker %d refuses a Fetch: %s", (int)session->broker->id,
                sl_errors_find(code)->name);
    if (sl_errors_is_stale(code)) sl_metadata_refresh(core, NULL);
    back_session_off(session);
}

/* Positions of the session that the answer should have spoken of and did not; clears the note. */
static int32_t count_unheard(struct sl_fetch_session *session) {
    struct sl_list *lists[] = {&session->changed, &session->settled};
    int32_t count = 0;
    for (int i = 0; i < 2; i++) {
        SL_LIST_EACH(node, next, lists[i]) {
            struct sl_fetch_position *position = SL_LIST_OF(node, struct sl_fetch_position, node);
            if (position->told && !position->heard) count++;
            position->heard = false;
        }
    }
    return count;
}

/* A full answer has been read: it begins a session, or there is none. False: back off. */
static bool begin_session(struct sl_fetch_session *session, const struct sl_fetch_response *m) {
    int32_t unheard = count_unheard(session);
    bool is_throttled = m->throttle_ms > 0 && m->topics.count == 0;
    session->id = m->session_id > 0 ? m->session_id : 0;
    if (session->id == 0 || unheard > 0) {
        sl_fetch_session_restart(session); /* without a session every request is a full one */
    } else {
        session->epoch = 1;
    }
    if (unheard == 0 || is_throttled) return true;
    sl_core_log(session->core, SL_LOG_WARNING,
                "broker %d left %d partitions out of its answer: asking anew",
                (int)session->broker->id, (int)unheard);
    return session->has_moved;
}

/* The session goes on as the broker says. False: back off. */
static bool follow_session(struct sl_fetch_session *session, const struct sl_fetch_response *m) {
    if (session->dropped) return true;
    if (session->full) return begin_session(session, m);
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
    if (m->session_id == session->id) return true;
    sl_fetch_session_restart(session);
    return session->has_moved;
}

/* Of an answer that was cut the session is over with its link. */
static bool follow_answer(struct fetch_reading *r) {
    if (r->cut_at == NULL) return follow_session(r->session, r->answer);
    (void)count_unheard(r->session);
    sl_fetch_session_restart(r->session);
    return r->cut_is_told || r->session->has_moved;
}

static void read_endpoints(struct sl_core *core, const struct sl_fetch_response *m) {
    const struct sl_node_endpoint *e = m->node_endpoints.items;
    for (int32_t i = 0; i < m->node_endpoints.count; i++)
        sl_metadata_endpoint(core, e[i].node_id, e[i].host, e[i].port, e[i].rack);
}

static struct sl_fetched *make_fetched(struct sl_core *core, int32_t slices, int32_t undone) {
    size_t size = sizeof(struct sl_fetched) + (size_t)slices * sizeof(struct sl_slice) +
                  (size_t)undone * sizeof(int64_t);
    struct sl_fetched *fetched = sl_alloc_zero(core->alloc, size);
    if (fetched != NULL) fetched->size = size;
    return fetched;
}

/* The answer's slices keep its buffer; without slices it stays the link's. */
static void keep_answer(struct sl_core *core, struct sl_fetched *fetched,
                        struct sl_response *resp) {
    if (fetched->slice_count == 0) {
        sl_alloc_free(core->alloc, fetched, fetched->size);
        return;
    }
    fetched->buffer = resp->buffer;
    resp->buffer = NULL;
    fetched->charged = (int64_t)fetched->buffer->cap;
    core->fetcher.free_bytes -= fetched->charged;
    sl_list_push_back(&core->fetcher.arrived, &fetched->node);
}

void sl_fetch_answer_read(struct sl_fetch_session *session, struct sl_response *resp) {
    struct sl_core *core = session->core;
    struct sl_arena *arena = &core->fetcher.arena;
    struct sl_fetch_response m;
    const struct sl_api *api = sl_api_find(SL_API_FETCH);
    int16_t version = session->request.version;
    sl_arena_reset(arena);
    arena->limit = sl_reader_left(&resp->body) * FETCH_MEMORY_FACTOR + FETCH_MEMORY_MIN;
    const uint8_t *end = resp->body.end;
    int rv = resp->cut_from > 0 ? sl_frame_decode_cut(&resp->body, arena, api, version, &m)
                                : sl_frame_decode_response(&resp->body, arena, api, version, &m);
    arena->limit = 0;
    if (rv != 0) {
        back_session_off(session);
        if (rv == SLUICE_ERR_MALFORMED && resp->cut_from == 0)
            sl_link_fail(resp->link, rv, "a malformed answer to Fetch");
        return;
    }
    sl_stats_on_throttle(core, SL_API_FETCH, m.throttle_ms);
    sl_link_throttle(resp->link, m.throttle_ms);
    if (m.error_code != 0) {
        on_session_error(session, sl_calls_code(m.error_code));
        return;
    }
    struct fetch_reading r = {.session = session,
                              .answer = &m,
                              .cut_at = resp->cut_from > 0 ? end : NULL,
                              .cut_from = resp->cut_from};
    int32_t slices = count_slices(&m, core->settings->poll_ends);
    r.fetched = make_fetched(core, slices, count_undone(core, &m));
    if (r.fetched == NULL) { /* positions have not moved: the same comes again */
        back_session_off(session);
        return;
    }
    r.aborted = (int64_t *)(void *)(r.fetched->slices + slices);
    read_endpoints(core, &m);
    uint64_t records = core->stats.records_fetched;
    uint64_t bytes = core->stats.bytes_fetched;
    read_partitions(&r);
    sl_stats_on_fetched(core, core->stats.records_fetched - records,
                        core->stats.bytes_fetched - bytes);
    keep_answer(core, r.fetched, resp);
    if (follow_answer(&r))
        session->attempts = 0;
    else
        back_session_off(session);
}

/* ---- checks ---- */

/* Cuts a slice before its first corrupt batch. True: there is none. */
static bool check_slice(struct sl_slice *slice, struct sl_batch_info *bad) {
    size_t at = 0;
    int32_t count = 0;
    int32_t undone = 0;
    int64_t next = slice->from;
    while (at < slice->size) {
        int rv = sl_batch_read_info(slice->data + at, slice->size - at, bad);
        SL_ASSERT(rv == 0); /* the headers were read before */
        if (sl_batch_read_check(slice->data + at, bad) != 0) {
            slice->size = at;
            slice->count = count;
            slice->next_offset = bad->base_offset > next ? bad->base_offset : next;
            return false;
        }
        at += (size_t)bad->size;
        if (bad->last_offset < next) continue; /* wholly before the position */
        bool is_seen = (bad->attributes & SL_RECORD_CONTROL) == 0 &&
                       !sl_slice_leaves_out(slice, bad->base_offset, &undone);
        if (is_seen) count += bad->record_count;
        next = bad->last_offset + 1;
    }
    return true;
}

/* The position of a slice that goes on where the partition's checked part ends; NULL: it does not
 * count any more. */
static struct sl_fetch_position *match_slice(const struct sl_core *core,
                                             const struct sl_slice *slice) {
    const struct sl_fetcher *f = &core->fetcher;
    struct sl_fetch_position *position = slice->slot < f->slot_count ? f->slots[slice->slot] : NULL;
    if (position == NULL || position->epoch != slice->epoch) return NULL;
    return position->checked == slice->from ? position : NULL;
}

/* Hands an answer on with the slices that count, or frees it. */
static void pass_fetched(struct sl_core *core, struct sl_fetched *fetched) {
    if (fetched->slice_count > 0) {
        sl_list_push_back(&core->events.fetched, &fetched->node);
        sl_committer_on_handed(core);
        return;
    }
    core->fetcher.free_bytes += fetched->charged;
    sl_buffers_give(&core->buffers, fetched->buffer);
    sl_alloc_free(core->alloc, fetched, fetched->size);
}

/* Keeps the slices that count; partitions with corrupt data are gathered in `corrupt`. */
static void check_fetched(struct sl_core *core, struct sl_fetched *fetched,
                          struct sl_list *corrupt) {
    int32_t kept = 0;
    for (int32_t i = 0; i < fetched->slice_count; i++) {
        struct sl_slice *slice = &fetched->slices[i];
        struct sl_batch_info bad;
        struct sl_fetch_position *position = match_slice(core, slice);
        if (position == NULL) continue;
        bool is_empty = slice->size == 0;
        if (core->settings->check_crcs && !check_slice(slice, &bad)) {
            sl_fetch_displace(core, position);
            position->offset = slice->next_offset;
            position->corrupt_end =
                (bad.last_offset > position->offset ? bad.last_offset : position->offset) + 1;
            sl_list_push_back(corrupt, &position->node);
        }
        position->checked = slice->next_offset;
        if (slice->size > 0 || is_empty)
            fetched->slices[kept++] = *slice;
        else
            position->moved |= slice->moved; /* the error says it in its place */
    }
    fetched->slice_count = kept;
}

static void stop_corrupt(struct sl_core *core, struct sl_fetch_position *position) {
    char buf[128];
    struct sl_text text;
    if (sl_fetch_follower_fail(core, position, "a record batch is corrupt")) return;
    sl_text_init(&text, buf, sizeof buf);
    sl_text_printf(&text,
                   "a corrupt record batch (its checksum is wrong): seek past it to go on, by its "
                   "header to %lld",
                   (long long)position->corrupt_end);
    sl_fetch_stop_checked(core, position, SLUICE_ERR_MALFORMED, buf);
}

static void check_list(struct sl_core *core, struct sl_list *list, size_t most) {
    struct sl_list corrupt;
    struct sl_list *node;
    size_t bytes = 0;
    sl_list_init(&corrupt);
    while (bytes < most && (node = sl_list_pop_front(list)) != NULL) {
        struct sl_fetched *fetched = SL_LIST_OF(node, struct sl_fetched, node);
        bytes += fetched->buffer->size;
        check_fetched(core, fetched, &corrupt);
        pass_fetched(core, fetched);
        while ((node = sl_list_pop_front(&corrupt)) != NULL)
            stop_corrupt(core, SL_LIST_OF(node, struct sl_fetch_position, node));
    }
}

void sl_fetch_answer_check(struct sl_core *core, size_t most) {
    check_list(core, &core->fetcher.unchecked, most);
}

void sl_fetch_answer_flush(struct sl_core *core) {
    check_list(core, &core->fetcher.unchecked, SIZE_MAX);
    check_list(core, &core->fetcher.arrived, SIZE_MAX);
}
