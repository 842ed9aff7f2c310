/* Fetch (key 1), versions 4 to 18: sessions (KIP-227), long poll, byte limits with at least one
 * batch for the first partition that has data (KIP-74), leader hints (KIP-951). Stored batches are
 * referred to, not copied. Followers serve consumers from version 11 on, and leaders that know a
 * nearer one name it instead of serving (KIP-392). */
#include "broker/machine.h"
#include "broker/replicas.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

enum {
    FETCH_MOST = 55 * 1024 * 1024, /* Kafka's fetch.max.bytes: no answer is asked to be larger */
    FETCH_MILLISECOND = 1000000    /* in nanoseconds */
};

/* What one answer is made of. */
struct fetch_gather {
    struct sl_exchange *x;
    const struct sl_fetch_request *request;
    struct sl_session *session; /* NULL: none */
    bool full;                  /* every partition is told, news or not */
    int64_t bytes;              /* gathered so far */
    int64_t most;               /* that may be gathered */
    bool errors;
    bool hints;
    bool names; /* a follower, which the client is to know at once */
};

static struct sl_cluster_topic *find_fetch_topic(const struct fetch_gather *g, struct sl_str name,
                                                 const struct sl_uuid *id, int *code) {
    return sl_machine_topic(g->x, g->x->header.version >= 13, name, id, code);
}

/* An array in the answer's memory, which is given back when the Fetch has to wait for more. */
static bool take_fetch_array(struct sl_exchange *x, struct sl_array *out, int32_t count,
                             size_t size) {
    out->count = count > 0 ? count : 0;
    out->items = sl_arena_array(&x->answer->memory, (size_t)out->count, size);
    return out->items != NULL;
}

/* Refers to stored batches from offset on and before `end`, within the limits. False: out of memory. */
static bool gather_log(struct fetch_gather *g, const struct sl_log *log, int64_t offset,
                       int64_t end, int32_t limit, struct sl_records *records) {
    struct sl_answer *a = g->x->answer;
    size_t first = a->held_count;
    int64_t left = g->most - g->bytes;
    int64_t part = limit < left ? limit : left;
    records->size = 0;
    for (size_t i = sl_log_find(log, offset); i < log->count; i++) {
        struct sl_log_batch *batch = sl_log_at(log, i);
        if (batch->base_offset >= end) break;
        bool must = g->bytes == 0 && records->size == 0;
        if (!must && records->size + batch->size > part) break;
        if (!sl_machine_hold(g->x, batch)) return false;
        records->size += batch->size;
    }
    records->piece_count = (int32_t)(a->held_count - first);
    records->data = (const uint8_t *)(uintptr_t)first; /* becomes a pointer once all are held */
    g->bytes += records->size;
    return true;
}

/* The same from the endless log of the bench mode. */
static bool gather_bench(struct fetch_gather *g, const struct sl_cluster_partition *p,
                         const struct sl_fetch_partition *asked, struct sl_records *records) {
    int64_t left = g->most - g->bytes;
    int64_t part = asked->partition_max_bytes < left ? asked->partition_max_bytes : left;
    if (asked->fetch_offset == sl_bench_end(g->x->c, p) || (g->bytes > 0 && part <= 0)) return true;
    if (!sl_bench_fetch(g->x, asked->fetch_offset, p->leader_epoch, (int32_t)part, records))
        return false;
    g->bytes += records->size;
    return true;
}

/* Where the log that was read, by the epoch of its last record, parts from this one. 0; or the code
 * when this log knows nothing of it. */
static int find_divergence(const struct sl_cluster_partition *p,
                           const struct sl_fetch_partition *asked, struct sl_fetch_epoch_end *out) {
    struct sl_fetch_epoch_end end;
    if (asked->last_fetched_epoch < 0) return 0;
    sl_log_epoch_end(&p->log, asked->last_fetched_epoch, p->leader_epoch, &end.epoch,
                     &end.end_offset);
    if (end.epoch < 0) return SLUICE_KAFKA_OFFSET_OUT_OF_RANGE;
    if (end.epoch < asked->last_fetched_epoch || end.end_offset < asked->fetch_offset) *out = end;
    return 0;
}

/* The code for a partition, topic NULL: there is none, and topic_code says how. *has: what this
 * node can serve of it. */
static int judge_fetch(struct fetch_gather *g, const struct sl_cluster_topic *topic, int topic_code,
                       struct sl_cluster_partition *p, const struct sl_fetch_partition *asked,
                       struct sl_replica_view *has, struct sl_fetch_epoch_end *diverging) {
    struct sl_exchange *x = g->x;
    if (topic == NULL) return topic_code;
    if (p == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    int code = sl_cluster_judge_leader(&x->c->cluster, p, x->self, asked->current_leader_epoch);
    if (code == SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER && x->header.version >= 11 &&
        sl_replicas_follows(p, x->self))
        code = 0;
    if (code != 0) return code;
    sl_replicas_view(p, x->self, x->c->bench != NULL ? sl_bench_end(x->c, p) : p->log.end, has);
    code = find_divergence(p, asked, diverging);
    if (code != 0 || diverging->end_offset >= 0) return code;
    bool is_inside = asked->fetch_offset >= has->start && asked->fetch_offset <= has->end;
    return is_inside ? 0 : SLUICE_KAFKA_OFFSET_OUT_OF_RANGE;
}

/* What a partition says when it has neither data nor offsets. */
static void clear_fetch_partition(struct sl_fetch_partition_response *out, int32_t partition,
                                  int code) {
    *out = (struct sl_fetch_partition_response){
        .partition = partition,
        .error_code = (int16_t)code,
        .high_watermark = -1,
        .last_stable_offset = -1,
        .log_start_offset = -1,
        .diverging_epoch = {-1, -1},
        .current_leader = {-1, -1},
        .snapshot_id = {-1, -1},
        .preferred_read_replica = -1,
    };
}

/* Those that a reader from `from` on has to know. False: out of memory. */
static bool list_undone(struct fetch_gather *g, const struct sl_log *log, int64_t from, int64_t to,
                        struct sl_array *out) {
    const struct sl_transactions *t = &log->transactions;
    struct sl_fetch_aborted_transaction *list;
    if (!take_fetch_array(g->x, out, (int32_t)t->count, sizeof *list)) return false;
    list = out->items;
    out->count = 0;
    for (size_t i = 0; i < t->count; i++)
        if (sl_transactions_touches(&t->list[i], from, to))
            list[out->count++] = (struct sl_fetch_aborted_transaction){t->list[i].producer_id,
                                                                       t->list[i].first_offset};
    return true;
}

/* True: the client is to ask a follower that is nearer to it. */
static bool name_follower(struct fetch_gather *g, const struct sl_cluster_partition *p,
                          const struct sl_fetch_partition *asked,
                          struct sl_fetch_partition_response *out) {
    struct sl_exchange *x = g->x;
    if (x->header.version < 11 || p->leader != x->self->id) return false;
    out->preferred_read_replica =
        sl_replicas_pick(&x->c->cluster, p, g->request->rack_id, asked->fetch_offset, x->c->now);
    if (out->preferred_read_replica < 0) return false;
    g->names = true;
    return true;
}

static bool gather_partition(struct fetch_gather *g, struct sl_cluster_topic *topic,
                             struct sl_str name, int topic_code,
                             const struct sl_fetch_partition *asked,
                             struct sl_fetch_partition_response *out) {
    bool execute;
    struct sl_cluster_partition *p = sl_cluster_partition(topic, asked->partition);
    int forced = sl_machine_forced(g->x, topic == NULL ? name : sl_bytes_str(topic->name),
                                   asked->partition, &execute);
    struct sl_replica_view has;
    struct sl_fetch_epoch_end diverging = {-1, -1};
    int code = judge_fetch(g, topic, topic_code, p, asked, &has, &diverging);
    if (forced != 0) code = forced;
    clear_fetch_partition(out, asked->partition, code);
    if (code != 0) {
        g->errors = true;
        bool is_moved =
            code == SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER || code == SLUICE_KAFKA_FENCED_LEADER_EPOCH;
        if (p != NULL && p->leader >= 0 && is_moved) {
            out->current_leader = (struct sl_leader_hint){p->leader, p->leader_epoch};
            g->hints = true;
        }
        return true;
    }
    out->diverging_epoch = diverging;
    out->log_start_offset = has.start;
    out->high_watermark = out->last_stable_offset = has.high_watermark;
    if (diverging.end_offset >= 0) {
        g->errors = true; /* no data, and no reason to wait */
        return true;
    }
    if (name_follower(g, p, asked, out)) return true;
    if (g->x->c->bench != NULL) return gather_bench(g, p, asked, &out->records);
    bool is_committed = g->request->isolation_level == SL_FETCH_READ_COMMITTED;
    out->last_stable_offset = has.stable;
    int64_t end = is_committed ? has.stable : has.high_watermark;
    if (!gather_log(g, &p->log, asked->fetch_offset, end, asked->partition_max_bytes,
                    &out->records))
        return false;
    return !is_committed ||
           list_undone(g, &p->log, asked->fetch_offset, end, &out->aborted_transactions);
}

/* ---- without a session: the request's own list ---- */

static bool gather_list(struct fetch_gather *g, struct sl_fetch_response *m) {
    struct sl_exchange *x = g->x;
    if (!take_fetch_array(x, &m->topics, g->request->topics.count,
                          sizeof(struct sl_fetch_topic_response)))
        return false;
    for (int32_t t = 0; t < g->request->topics.count; t++) {
        const struct sl_fetch_topic *asked =
            (const struct sl_fetch_topic *)g->request->topics.items + t;
        struct sl_fetch_topic_response *out = (struct sl_fetch_topic_response *)m->topics.items + t;
        int code;
        struct sl_cluster_topic *topic = find_fetch_topic(g, asked->name, &asked->topic_id, &code);
        out->name = asked->name;
        out->topic_id = asked->topic_id;
        if (!take_fetch_array(x, &out->partitions, asked->partitions.count,
                              sizeof(struct sl_fetch_partition_response)))
            return false;
        const struct sl_fetch_partition *p = asked->partitions.items;
        struct sl_fetch_partition_response *r = out->partitions.items;
        for (int32_t i = 0; i < asked->partitions.count; i++)
            if (!gather_partition(g, topic, asked->name, code, &p[i], &r[i])) return false;
    }
    return true;
}

/* ---- with a session: what it remembers ---- */

/* Whether an incremental answer has to name the partition. */
static bool has_news(const struct sl_session_partition *sp,
                     const struct sl_fetch_partition_response *r) {
    return r->records.size > 0 || r->error_code != 0 || sp->told_error ||
           r->diverging_epoch.end_offset >= 0 || r->high_watermark != sp->told_high_watermark ||
           r->log_start_offset != sp->told_log_start || r->preferred_read_replica >= 0;
}

static bool gather_session(struct fetch_gather *g, struct sl_fetch_response *m) {
    struct sl_exchange *x = g->x;
    int32_t count = (int32_t)g->session->by_key.count, told = 0;
    struct sl_array parts;
    if (!take_fetch_array(x, &m->topics, count, sizeof(struct sl_fetch_topic_response)))
        return false;
    if (!take_fetch_array(x, &parts, count, sizeof(struct sl_fetch_partition_response)))
        return false;
    SL_LIST_EACH(node, next, &g->session->order) {
        struct sl_session_partition *sp = SL_LIST_OF(node, struct sl_session_partition, order);
        struct sl_fetch_partition_response *r =
            (struct sl_fetch_partition_response *)parts.items + told;
        int code;
        struct sl_cluster_topic *topic = find_fetch_topic(g, sp->name, &sp->topic_id, &code);
        if (!gather_partition(g, topic, sp->name, code, &sp->asked, r)) return false;
        if (!g->full && !has_news(sp, r)) continue;
        struct sl_fetch_topic_response *out =
            (struct sl_fetch_topic_response *)m->topics.items + told++;
        out->name = sp->name;
        out->topic_id = sp->topic_id;
        out->partitions = (struct sl_array){r, 1};
    }
    m->topics.count = told;
    return true;
}

/* The answer leaves: the session remembers what was told, and who had data goes to the back. */
static void settle_session(struct fetch_gather *g, const struct sl_fetch_response *m) {
    const struct sl_fetch_topic_response *out = m->topics.items;
    int32_t at = 0;
    SL_LIST_EACH(node, next, &g->session->order) {
        struct sl_session_partition *sp = SL_LIST_OF(node, struct sl_session_partition, order);
        if (at == m->topics.count) break;
        const struct sl_fetch_partition_response *r = out[at].partitions.items;
        bool same = r->partition == sp->asked.partition &&
                    sl_bytes_uuid_equal(&out[at].topic_id, &sp->topic_id) &&
                    sl_bytes_str_equal(out[at].name, sp->name);
        if (!same) continue;
        at++;
        sp->told_error = r->error_code != 0;
        sp->told_high_watermark = r->high_watermark;
        sp->told_log_start = r->log_start_offset;
        if (r->records.size > 0) sl_sessions_rotate(g->session, sp);
    }
}

/* Adds and changes what the request lists. 0 or NOMEM. */
static int put_session_topics(struct sl_exchange *x, struct sl_session *session, bool full) {
    const struct sl_fetch_request *request = x->request;
    const struct sl_fetch_topic *topics = request->topics.items;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct sl_fetch_partition *p = topics[t].partitions.items;
        for (int32_t i = 0; i < topics[t].partitions.count; i++) {
            enum sl_session_change change;
            int rv = sl_sessions_put(&x->self->sessions, session, &topics[t], &p[i], &change);
            if (rv != 0) return rv;
            if (!full && change == SL_SESSION_SAME)
                sl_machine_complain(x->c, "Fetch: partition %d is listed without a change",
                                    (int)p[i].partition);
        }
    }
    return 0;
}

static void forget_session_topics(struct sl_exchange *x, struct sl_session *session) {
    const struct sl_fetch_request *request = x->request;
    const struct sl_fetch_forgotten_topic *topics = request->forgotten_topics.items;
    for (int32_t t = 0; t < request->forgotten_topics.count; t++) {
        const int32_t *partitions = topics[t].partitions.items;
        for (int32_t i = 0; i < topics[t].partitions.count; i++)
            if (!sl_sessions_forget(&x->self->sessions, session, topics[t].name,
                                    &topics[t].topic_id, partitions[i]))
                sl_machine_complain(x->c, "Fetch: forgotten partition %d is not in the session",
                                    (int)partitions[i]);
    }
}

/* Applies the request to its session. 0, a code for the whole answer, or NOMEM. */
static int update_session(struct sl_exchange *x, struct sl_session **out, bool *full) {
    const struct sl_fetch_request *request = x->request;
    struct sl_sessions *sessions = &x->self->sessions;
    bool by_id = x->header.version >= 13;
    *out = NULL;
    *full = true;
    if (x->header.version < 7) return 0;
    struct sl_session *session = sl_sessions_find(sessions, request->session_id);
    if (request->session_epoch <= 0) {
        if (session != NULL) sl_sessions_close(sessions, session);
        if (request->session_epoch < 0) return 0;
        int rv = sl_sessions_open(sessions, by_id, x->c->now, &session);
        if (rv != 0 || session == NULL) return rv;
    } else {
        if (session == NULL) return SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND;
        if (session->epoch != request->session_epoch)
            return SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH;
        if (session->by_id != by_id) return SLUICE_KAFKA_FETCH_SESSION_TOPIC_ID_ERROR;
        sl_sessions_use(session, x->c->now);
        *full = false;
    }
    int rv = put_session_topics(x, session, *full);
    if (rv != 0) return rv;
    forget_session_topics(x, session);
    *out = session;
    return 0;
}

/* The places of held batches become pieces, now that all are known. False: out of memory. */
static bool point_records(struct sl_exchange *x, struct sl_fetch_response *m) {
    struct sl_answer *a = x->answer;
    struct sl_iov *pieces = sl_arena_array(&a->memory, a->held_count, sizeof *pieces);
    if (pieces == NULL) return false;
    for (size_t i = 0; i < a->held_count; i++)
        pieces[i] = (struct sl_iov){a->held[i]->data, (size_t)a->held[i]->size};
    for (int32_t t = 0; t < m->topics.count; t++) {
        struct sl_fetch_topic_response *topic =
            (struct sl_fetch_topic_response *)m->topics.items + t;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            struct sl_records *r =
                &((struct sl_fetch_partition_response *)topic->partitions.items + i)->records;
            if (r->size > 0) r->pieces = pieces + (uintptr_t)r->data;
            r->data = NULL;
        }
    }
    return true;
}

/* What was gathered is not enough yet: let it go. */
static void release_gathered(struct sl_exchange *x) {
    struct sl_answer *a = x->answer;
    for (size_t i = 0; i < a->held_count; i++) sl_log_release(x->c->alloc, a->held[i]);
    a->held_count = 0;
    ((struct sl_fetch_response *)x->response)->topics = (struct sl_array){NULL, 0};
    sl_arena_reset(&a->memory);
}

static enum sl_handled gather_answer(struct sl_exchange *x) {
    struct sl_fetch_response *m = x->response;
    struct fetch_gather g = {.x = x, .request = x->request, .full = x->full};
    g.most = g.request->max_bytes < FETCH_MOST ? g.request->max_bytes : FETCH_MOST;
    g.session = x->session_id == 0 ? NULL : sl_sessions_find(&x->self->sessions, x->session_id);
    if (x->session_id != 0 && g.session == NULL) { /* evicted while it waited */
        m->error_code = SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND;
        return SL_HANDLED;
    }
    bool ok = g.session != NULL ? gather_session(&g, m) : gather_list(&g, m);
    if (!ok) return SL_HANDLED_CLOSE;
    bool enough = g.bytes >= g.request->min_bytes || g.errors || g.names || x->until <= x->c->now;
    if (!enough) {
        release_gathered(x);
        return SL_HANDLED_LATER;
    }
    if (g.hints && x->header.version >= 16 && !sl_machine_endpoints(x, &m->node_endpoints))
        return SL_HANDLED_CLOSE;
    m->session_id = x->session_id;
    if (g.session != NULL) settle_session(&g, m);
    if (x->c->bench == NULL && !point_records(x, m)) return SL_HANDLED_CLOSE;
    return SL_HANDLED;
}

/* A scripted error that only the answer as a whole can have; 0: none. */
static int force_session_error(const struct sl_exchange *x) {
    int code = x->fault.kind == SL_FAULT_ERROR ? x->fault.code : 0;
    bool is_whole = code == SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND ||
                    code == SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH ||
                    code == SLUICE_KAFKA_FETCH_SESSION_TOPIC_ID_ERROR;
    return is_whole && x->header.version >= 7 ? code : 0;
}

enum sl_handled sl_handle_fetch(struct sl_exchange *x) {
    const struct sl_fetch_request *request = x->request;
    struct sl_fetch_response *m = x->response;
    if (!x->begun) {
        struct sl_session *session = NULL;
        int rv = force_session_error(x);
        if (rv == 0) rv = update_session(x, &session, &x->full);
        if (rv == SLUICE_ERR_NOMEM) return SL_HANDLED_CLOSE;
        if (rv != 0) {
            m->error_code = (int16_t)rv;
            return SL_HANDLED;
        }
        x->session_id = session == NULL ? 0 : session->id;
        int64_t wait = request->max_wait_ms > 0 ? request->max_wait_ms : 0;
        x->until = x->c->now + wait * FETCH_MILLISECOND;
        x->begun = true;
    }
    return gather_answer(x);
}
