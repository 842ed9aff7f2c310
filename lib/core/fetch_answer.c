/* Fetch answers, in two steps.
 *
 * read   the moment an answer is whole: batch headers give each partition's next offset, so that
 *        the next Fetch can leave at once; what belongs to the application becomes slices that
 *        point into the answer's buffer, which is kept.
 * check  a turn later, after that Fetch has left: CRCs (check.crcs), then the slices go to the
 *        gate. What fails stops its partition at the first bad batch; what was received beyond it
 *        is dropped, because it does not go on where the checked part ends.
 *
 * An answer is hostile input: an entry that was not asked for, or was asked for under another
 * epoch or offset, is ignored; batches must rise; an entry left out of a full answer starts the
 * session over. */
#include <string.h>

#include "core/fetch.h"
#include "core/unit.h"
#include "record/batch_read.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/frame.h"
#include "wire/messages.h"

/* What is being read. */
struct fetch_reading {
    struct sl_fetch_session *session;
    struct sl_fetched *fetched; /* NULL: nothing to hand on */
    const struct sl_fetch_response *answer;
};

/* ---- batch headers ---- */

/* Where the batches of one partition end that are whole and in order. */
struct batch_run {
    const uint8_t *data; /* first batch that is not wholly before the position */
    size_t size;
    int64_t next_offset;
    int32_t last_epoch;
    int32_t count;
    int rv;            /* why it ended: 0 (no bytes left), SL_BATCH_CUT, MALFORMED, UNSUPPORTED */
    int64_t failed_at; /* offset that rv is about, as far as it is known */
};

static void scan_batches(const struct sl_records *records, int64_t offset, struct batch_run *run) {
    const uint8_t *at = records->data;
    const uint8_t *end = at + (records->size > 0 ? records->size : 0);
    *run = (struct batch_run){.data = at, .next_offset = offset, .last_epoch = -1};
    run->failed_at = offset;
    while (at < end) {
        struct sl_batch_info info;
        run->rv = sl_batch_read_info(at, (size_t)(end - at), &info);
        if (run->rv == SLUICE_ERR_UNSUPPORTED && info.base_offset > offset)
            run->failed_at = info.base_offset;
        if (run->rv != 0) return;
        bool is_first = run->size == 0;
        if (is_first && info.last_offset < offset) {
            at += info.size; /* wholly before the position: brokers may send such a batch */
            run->data = at;
            continue;
        }
        if (!is_first && info.base_offset < run->next_offset) {
            run->rv = SLUICE_ERR_MALFORMED;
            run->failed_at = run->next_offset;
            return;
        }
        at += info.size;
        run->size += (size_t)info.size;
        run->next_offset = run->failed_at = info.last_offset + 1;
        run->last_epoch = info.leader_epoch;
        if ((info.attributes & SL_RECORD_CONTROL) == 0) run->count += info.record_count;
    }
}

/* ---- one partition ---- */

static void tell_watermark(struct sl_core *core, struct sl_fetch_position *position,
                           const struct sl_fetch_partition_response *p) {
    if (p->high_watermark == position->high_watermark) return;
    struct sl_slot_news *news = sl_alloc_zero(core->alloc, sizeof *news);
    if (news == NULL) return; /* the next answer says it again */
    position->high_watermark = p->high_watermark;
    news->slot = position->slot;
    news->epoch = position->epoch;
    news->position = -1;
    news->high_watermark = p->high_watermark;
    news->last_stable = p->last_stable_offset;
    sl_list_push_back(&core->events.news, &news->node);
}

static void add_slice(struct fetch_reading *r, struct sl_fetch_position *position,
                      const struct sl_fetch_partition_response *p, const struct batch_run *run) {
    struct sl_slice *slice = &r->fetched->slices[r->fetched->slice_count++];
    slice->data = run->data;
    slice->size = run->size;
    slice->slot = position->slot;
    slice->epoch = position->epoch;
    slice->from = position->offset;
    slice->next_offset = run->next_offset;
    slice->high_watermark = position->high_watermark = p->high_watermark;
    slice->last_stable = p->last_stable_offset;
    slice->last_epoch = run->last_epoch;
    slice->leader_epoch = position->partition->leader_epoch;
    slice->count = run->count;
}

/* The first batch does not fit into what was asked for: ask for more. */
static void grow_partition_bytes(struct sl_core *core, struct sl_fetch_position *position) {
    int32_t most = core->settings->receive_frame_max;
    if (position->max_bytes >= most) {
        sl_fetch_stop(core, position, SLUICE_ERR_TOO_BIG,
                      "a batch is larger than receive.message.max.bytes (%d)", (int)most);
        return;
    }
    position->max_bytes = position->max_bytes > most / 2 ? most : position->max_bytes * 2;
    sl_fetch_session_change(position);
}

static void read_batches(struct fetch_reading *r, struct sl_fetch_position *position,
                         const struct sl_fetch_partition_response *p) {
    struct sl_core *core = r->session->core;
    struct batch_run run;
    scan_batches(&p->records, position->offset, &run);
    position->attempts = 0;
    bool moves = run.next_offset > position->offset;
    bool ends =
        core->settings->poll_ends && run.next_offset >= p->high_watermark && p->high_watermark >= 0;
    if (moves || (ends && !position->at_end)) add_slice(r, position, p, &run);
    position->at_end = ends;
    if (moves) {
        sl_trace_add(&core->trace, SL_TRACE_FETCHED, core->now, position->index, run.next_offset);
        position->offset = run.next_offset;
        position->last_epoch = run.last_epoch;
        position->records += (uint64_t)run.count;
        position->bytes += run.size;
        position->answers++;
        core->stats.records_fetched += (uint64_t)run.count;
        core->stats.bytes_fetched += run.size;
        sl_fetch_session_change(position);
        return; /* what ended the run comes first next time, and is told then */
    }
    if (run.rv == SLUICE_ERR_UNSUPPORTED)
        sl_fetch_stop(core, position, run.rv,
                      "message format 0 or 1 at offset %lld, from before Kafka 0.11: not readable; "
                      "seek past it",
                      (long long)run.failed_at);
    else if (run.rv == SLUICE_ERR_MALFORMED)
        sl_fetch_stop(core, position, run.rv, "a corrupt record batch: seek past it to go on");
    else if (run.rv == SL_BATCH_CUT)
        grow_partition_bytes(core, position);
    else
        tell_watermark(core, position, p);
}

static void read_partition_error(struct fetch_reading *r, struct sl_fetch_position *position,
                                 const struct sl_fetch_partition_response *p, int code) {
    struct sl_core *core = r->session->core;
    struct sl_partition *partition = position->partition;
    sl_trace_add(&core->trace, SL_TRACE_FETCH_ERROR, core->now, position->index, code);
    if (code == SLUICE_KAFKA_OFFSET_OUT_OF_RANGE) {
        sl_fetch_reset(core, position, "the offset is not in the log");
        return;
    }
    if (code == SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER || code == SLUICE_KAFKA_FENCED_LEADER_EPOCH) {
        if (sl_metadata_hint(core, partition, p->current_leader.leader_id,
                             p->current_leader.leader_epoch))
            return; /* on_leader has placed it anew */
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

/* Counts the entries; *data: those with something to hand on, at most. */
static int32_t count_answer(const struct sl_fetch_response *m, int32_t *data, bool ends) {
    int32_t count = 0;
    *data = 0;
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_fetch_topic_response *topic =
            (const struct sl_fetch_topic_response *)m->topics.items + t;
        const struct sl_fetch_partition_response *p = topic->partitions.items;
        count += topic->partitions.count;
        for (int32_t i = 0; i < topic->partitions.count; i++)
            if (p[i].records.size > 0 || ends) (*data)++;
    }
    return count;
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
            if (code != 0)
                read_partition_error(r, position, &p[i], code);
            else
                read_batches(r, position, &p[i]);
        }
    }
}

/* ---- a whole answer ---- */

static void back_session_off(struct sl_fetch_session *session) {
    struct sl_core *core = session->core;
    sl_fetch_session_restart(session);
    session->not_before =
        core->now + sl_core_backoff(core, core->settings->retry_backoff_ms,
                                    core->settings->retry_backoff_max_ms, session->attempts++);
}

static void on_session_error(struct sl_fetch_session *session, int code) {
    struct sl_core *core = session->core;
    bool refused = code == SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND ||
                   code == SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH;
    if (refused && session->attempts == 0) {
        session->attempts = 1; /* once at once: brokers forget idle sessions */
        sl_fetch_session_restart(session);
        return;
    }
    sl_core_log(core, SL_LOG_DEBUG, "broker %d refuses a Fetch: %s", (int)session->broker->id,
                sl_errors_find(code)->name);
    if (sl_errors_is_stale(code)) sl_metadata_refresh(core, NULL);
    back_session_off(session);
}

/* The session goes on as the broker says. False: it has to start over. */
static bool follow_session(struct sl_fetch_session *session, const struct sl_fetch_response *m,
                           int32_t entries) {
    if (session->full && entries < session->told_count) {
        sl_core_log(session->core, SL_LOG_WARNING,
                    "broker %d left %d of %d partitions out of its answer: asking anew",
                    (int)session->broker->id, (int)(session->told_count - entries),
                    (int)session->told_count);
        return false;
    }
    if (m->session_id <= 0) {
        sl_fetch_session_restart(session); /* it keeps none: every request is a full one */
        return true;
    }
    if (session->full) {
        session->id = m->session_id;
        session->epoch = 1;
        return true;
    }
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
    return m->session_id == session->id;
}

static void read_endpoints(struct sl_core *core, const struct sl_fetch_response *m) {
    const struct sl_node_endpoint *e = m->node_endpoints.items;
    for (int32_t i = 0; i < m->node_endpoints.count; i++)
        sl_metadata_endpoint(core, e[i].node_id, e[i].host, e[i].port, e[i].rack);
}

static struct sl_fetched *make_fetched(struct sl_core *core, int32_t slices) {
    size_t size = sizeof(struct sl_fetched) + (size_t)slices * sizeof(struct sl_slice);
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
    struct sl_fetch_response m;
    int32_t slices;
    sl_arena_reset(&core->fetcher.arena);
    int rv = sl_frame_decode_response(&resp->body, &core->fetcher.arena, sl_api_find(SL_API_FETCH),
                                      session->request.version, &m);
    if (rv != 0) {
        back_session_off(session);
        if (rv == SLUICE_ERR_MALFORMED) sl_link_fail(resp->link, rv, "a malformed answer to Fetch");
        return;
    }
    sl_link_throttle(resp->link, m.throttle_ms);
    if (m.error_code != 0) {
        on_session_error(session, sl_calls_code(m.error_code));
        return;
    }
    int32_t entries = count_answer(&m, &slices, core->settings->poll_ends);
    struct fetch_reading r = {.session = session, .answer = &m};
    r.fetched = make_fetched(core, slices);
    if (r.fetched == NULL) { /* positions have not moved: the same comes again */
        back_session_off(session);
        return;
    }
    read_endpoints(core, &m);
    if (follow_session(session, &m, entries))
        session->attempts = 0;
    else
        back_session_off(session);
    read_partitions(&r);
    keep_answer(core, r.fetched, resp);
}

/* ---- checks ---- */

/* Cuts a slice before its first corrupt batch. True: there is none. */
static bool check_slice(struct sl_slice *slice) {
    size_t at = 0;
    int32_t count = 0;
    int64_t next = slice->from;
    while (at < slice->size) {
        struct sl_batch_info info;
        int rv = sl_batch_read_info(slice->data + at, slice->size - at, &info);
        SL_ASSERT(rv == 0); /* the headers were read before */
        if (sl_batch_read_check(slice->data + at, &info) != 0) {
            slice->size = at;
            slice->count = count;
            slice->next_offset = info.base_offset > next ? info.base_offset : next;
            return false;
        }
        at += (size_t)info.size;
        if ((info.attributes & SL_RECORD_CONTROL) == 0) count += info.record_count;
        next = info.last_offset + 1;
    }
    return true;
}

/* Keeps the slices that go on where their partition's checked part ends; corrupt partitions are
 * gathered in `failed`. */
static void check_fetched(struct sl_core *core, struct sl_fetched *fetched,
                          struct sl_list *failed) {
    struct sl_fetcher *f = &core->fetcher;
    int32_t kept = 0;
    for (int32_t i = 0; i < fetched->slice_count; i++) {
        struct sl_slice *slice = &fetched->slices[i];
        struct sl_fetch_position *position =
            slice->slot < f->slot_count ? f->slots[slice->slot] : NULL;
        if (position == NULL || position->epoch != slice->epoch) continue;
        if (position->checked != slice->from) continue;
        bool is_empty = slice->size == 0;
        if (core->settings->check_crcs && !check_slice(slice)) {
            position->offset = slice->next_offset;
            sl_fetch_displace(core, position);
            sl_list_push_back(failed, &position->node);
        }
        position->checked = slice->next_offset;
        if (slice->size > 0 || is_empty) fetched->slices[kept++] = *slice;
    }
    fetched->slice_count = kept;
}

void sl_fetch_answer_check(struct sl_core *core) {
    struct sl_fetcher *f = &core->fetcher;
    struct sl_list failed;
    sl_list_init(&failed);
    for (struct sl_list *node; (node = sl_list_pop_front(&f->unchecked)) != NULL;) {
        struct sl_fetched *fetched = SL_LIST_OF(node, struct sl_fetched, node);
        check_fetched(core, fetched, &failed);
        if (fetched->slice_count > 0) {
            sl_list_push_back(&core->events.fetched, &fetched->node);
        } else {
            f->free_bytes += fetched->charged;
            sl_buffers_give(&core->buffers, fetched->buffer);
            sl_alloc_free(core->alloc, fetched, fetched->size);
        }
        for (struct sl_list *n; (n = sl_list_pop_front(&failed)) != NULL;)
            sl_fetch_stop(core, SL_LIST_OF(n, struct sl_fetch_position, node), SLUICE_ERR_MALFORMED,
                          "a corrupt record batch (its checksum is wrong): seek past it to go on");
    }
}
