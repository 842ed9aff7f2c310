/* Fetch sessions (KIP-227): one per broker, one request in flight each.
 *
 * A session starts with a full request (id 0, epoch 0) that lists every partition; the broker
 * answers with an id, or with 0 when it keeps none (then every request is full). From then on a
 * request lists what changed: positions that moved (`changed`), and partitions to forget. What the
 * broker has as it is stands in `settled`. Each position remembers with which offset and epochs
 * the broker was told of it; answers are matched against that.
 *
 * A request reserves its max_bytes in the receiving account before it leaves; without
 * SL_GATE_ROOM_MIN of free room none does. When the application gives memory back then, the turn that
 * takes it in asks again: there is no timer between. What it gives back before is taken in by the next
 * turn, whatever that is for (sl_gate_is_due).
 *
 * A broker that has nothing keeps a request for fetch.max.wait.ms; when all of them have nothing
 * and all that was fetched has been read, for FETCH_IDLE_WAITS times as long, so that an idle
 * consumer hardly wakes. With fetch.min.bytes above 1 it never does: then the wait is what bounds
 * the age of a record. A position that comes to such a session meanwhile ends the connection, as
 * nothing else ends the request.
 *
 * Anything odd (a lost answer, a session error, a missing partition) starts a new session: nothing
 * is lost by it, because positions only move with what was received.
 *
 * Not done here: whether the broker of a position is its leader or a follower (fetch_follower.c). */
#include <string.h>

#include "core/fetch.h"
#include "core/gate.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "wire/messages.h"

enum {
    FETCH_VERSION_BY_ID = 13, /* topics by id from here on (KIP-516) */
    FETCH_SPACING_MS = 50,    /* between requests that bring nothing: at most 20 a second */
    FETCH_IDLE_ANSWERS = 2, /* so many in a row that bring nothing make a session idle; arbitrary */
    FETCH_IDLE_WAITS = 10   /* fetch.max.wait.ms so many times: 5 s by default; arbitrary */
};

/* ---- membership ---- */

static bool has_positions(const struct sl_fetch_session *session) {
    return session->changed.next != &session->changed || session->settled.next != &session->settled;
}

struct sl_fetch_session *sl_fetch_session_open(struct sl_core *core, struct sl_broker *broker) {
    struct sl_fetch_session *session = broker->fetch_session;
    if (session != NULL) return session;
    session = sl_alloc_zero(core->alloc, sizeof *session);
    if (session == NULL) return NULL;
    session->core = core;
    session->broker = broker;
    sl_list_init(&session->changed);
    sl_list_init(&session->settled);
    sl_list_push_back(&core->fetcher.sessions, &session->node);
    broker->fetch_session = session;
    return session;
}

/* A request in flight has been let go of by its link before. */
void sl_fetch_session_free(struct sl_fetch_session *session) {
    struct sl_core *core = session->core;
    SL_ASSERT(!session->in_flight);
    SL_ASSERT(!has_positions(session));
    sl_list_remove(&session->node);
    sl_list_remove(&session->broker->fetch_node);
    session->broker->fetch_session = NULL;
    sl_alloc_free(core->alloc, session->forgotten,
                  (size_t)session->forgotten_cap * sizeof *session->forgotten);
    sl_alloc_free(core->alloc, session, sizeof *session);
}

void sl_fetch_session_restart(struct sl_fetch_session *session) {
    session->epoch = 0; /* the id stays: a full request under it ends what the broker keeps */
    session->dropped = session->in_flight;
    session->core->fetcher.has_newcomers |= session->in_flight;
    session->forgotten_count = 0;
    /* Those without data come first in the full request, for fairness (KIP-74). */
    sl_list_splice_back(&session->settled, &session->changed);
    sl_list_splice_back(&session->changed, &session->settled);
    SL_LIST_EACH(node, next, &session->changed) {
        struct sl_fetch_position *position = SL_LIST_OF(node, struct sl_fetch_position, node);
        position->told = position->heard = false;
    }
}

static void make_ready(struct sl_fetch_session *session) {
    if (session->in_flight || sl_list_is_linked(&session->broker->fetch_node)) return;
    sl_list_push_back(&session->core->fetcher.brokers, &session->broker->fetch_node);
}

/* The broker's session has this partition still: listing it is enough, and forgetting it in the
 * same request would be wrong. True: it was to be forgotten. */
static bool unforget(struct sl_fetch_session *session, const struct sl_fetch_position *position) {
    for (int32_t i = 0; i < session->forgotten_count; i++) {
        const struct sl_fetch_forgotten *f = &session->forgotten[i];
        if (f->topic != position->topic || f->index != position->index) continue;
        if (session->by_id && !sl_bytes_uuid_equal(&f->id, &position->topic->id)) continue;
        session->forgotten[i] = session->forgotten[--session->forgotten_count];
        return true;
    }
    return false;
}

void sl_fetch_session_rest(struct sl_fetch_session *session,
                           const struct sl_fetch_position *position) {
    if (position->near.rest_until > session->no_rack_until)
        session->no_rack_until = position->near.rest_until;
}

void sl_fetch_session_add(struct sl_fetch_session *session, struct sl_fetch_position *position) {
    position->session = session;
    position->told = false;
    session->core->fetcher.has_newcomers |= session->in_flight;
    session->is_follower |= position->near.until != 0;
    sl_fetch_session_rest(session, position);
    sl_list_push_back(&session->changed, &position->node);
    bool is_known = unforget(session, position);
    /* Of what it has already the broker tells only changes; that the end is reached is none. */
    if (is_known && session->core->settings->poll_ends && !position->at_end)
        sl_fetch_session_restart(session);
    make_ready(session);
}

/* Notes that the broker's session still has this partition. False: out of memory. */
static bool remember_forgotten(struct sl_fetch_session *session,
                               const struct sl_fetch_position *position) {
    if (session->forgotten_count == session->forgotten_cap) {
        int32_t cap = session->forgotten_cap == 0 ? 16 : session->forgotten_cap * 2;
        struct sl_fetch_forgotten *grown =
            sl_alloc_resize(session->core->alloc, session->forgotten,
                            (size_t)session->forgotten_cap, (size_t)cap, sizeof *grown);
        if (grown == NULL) return false;
        session->forgotten = grown;
        session->forgotten_cap = cap;
    }
    session->forgotten[session->forgotten_count++] = (struct sl_fetch_forgotten){
        .topic = position->topic, .id = position->told_id, .index = position->index};
    return true;
}

void sl_fetch_session_remove(struct sl_fetch_position *position) {
    struct sl_fetch_session *session = position->session;
    bool known = position->told;
    sl_list_remove(&position->node);
    position->session = NULL;
    position->told = position->heard = false;
    if (known && !remember_forgotten(session, position)) sl_fetch_session_restart(session);
    if (!has_positions(session)) sl_list_remove(&session->broker->fetch_node);
}

void sl_fetch_session_change(struct sl_fetch_position *position) {
    sl_list_remove(&position->node);
    sl_list_push_back(&position->session->changed, &position->node);
}

/* ---- requests ---- */

struct fetch_builder {
    struct sl_arena *arena;
    struct sl_fetch_topic *topics;
    struct sl_fetch_partition *partitions;
    const struct sl_topic *last;
    int32_t topic_count;
    int32_t count;
    int32_t max_bytes; /* of the whole request */
};

static int32_t count_list(struct sl_list *list) {
    int32_t count = 0;
    SL_LIST_EACH(node, next, list) count++;
    return count;
}

static void build_partition(struct fetch_builder *b, struct sl_fetch_position *position) {
    struct sl_fetch_partition *p = &b->partitions[b->count];
    if (position->topic != b->last) {
        b->last = position->topic;
        b->topics[b->topic_count].name = b->last->name_str;
        b->topics[b->topic_count].topic_id = b->last->id;
        b->topics[b->topic_count++].partitions = (struct sl_array){p, 0};
    }
    b->topics[b->topic_count - 1].partitions.count++;
    b->count++;
    p->partition = position->index;
    p->current_leader_epoch = position->partition->leader_epoch;
    p->fetch_offset = position->offset;
    /* As every client does: a new leader is asked before (validate.c), and a follower that lags behind
     * would take what it has not got yet for cut. */
    p->last_fetched_epoch = -1;
    p->log_start_offset = -1;
    position->told_max_bytes =
        position->max_bytes < b->max_bytes ? position->max_bytes : b->max_bytes;
    p->partition_max_bytes = position->told_max_bytes;
    p->high_watermark = INT64_MAX;
}

static struct sl_array build_forgotten(struct sl_fetch_session *session, struct sl_arena *arena) {
    size_t count = (size_t)session->forgotten_count;
    struct sl_fetch_forgotten_topic *topics = sl_arena_array(arena, count, sizeof *topics);
    int32_t *indexes = sl_arena_array(arena, count, sizeof *indexes);
    if (arena->failed) return (struct sl_array){NULL, 0};
    for (int32_t i = 0; i < session->forgotten_count; i++) {
        const struct sl_fetch_forgotten *f = &session->forgotten[i];
        indexes[i] = f->index;
        topics[i].name = f->topic->name_str;
        topics[i].topic_id = f->id;
        topics[i].partitions = (struct sl_array){&indexes[i], 1};
    }
    return (struct sl_array){topics, session->forgotten_count};
}

static int build_fetch(struct sl_fetch_session *session, int32_t max_bytes,
                       struct sl_fetch_request *m) {
    struct sl_core *core = session->core;
    const struct sl_settings *settings = core->settings;
    struct fetch_builder b = {.arena = &core->fetcher.arena, .max_bytes = max_bytes};
    size_t count = (size_t)count_list(&session->changed);
    sl_arena_reset(b.arena);
    b.topics = sl_arena_array(b.arena, count, sizeof *b.topics);
    b.partitions = sl_arena_array(b.arena, count, sizeof *b.partitions);
    if (b.arena->failed) return SLUICE_ERR_NOMEM;
    SL_LIST_EACH(node, next, &session->changed)
        build_partition(&b, SL_LIST_OF(node, struct sl_fetch_position, node));
    sl_codec_defaults(&sl_fetch_request_type, m);
    m->replica_id = -1;
    m->replica_state = (struct sl_fetch_replica_state){-1, -1};
    m->max_wait_ms = session->wait_ms;
    m->min_bytes = settings->fetch_min_bytes;
    m->max_bytes = max_bytes;
    m->isolation_level =
        settings->read_committed ? SL_FETCH_READ_COMMITTED : SL_FETCH_READ_UNCOMMITTED;
    m->session_id = session->id;
    m->session_epoch = session->epoch;
    m->topics = (struct sl_array){b.topics, b.topic_count};
    m->forgotten_topics = build_forgotten(session, b.arena);
    /* Who knows our rack may name a follower in place of records. */
    bool has_rack = core->now >= session->no_rack_until;
    m->rack_id = has_rack ? sl_bytes_str(settings->client_rack) : SL_STR("");
    return b.arena->failed ? SLUICE_ERR_NOMEM : 0;
}

static bool have_ids(const struct sl_fetch_session *session) {
    SL_LIST_EACH(node, next, (struct sl_list *)&session->changed) {
        const struct sl_fetch_position *p = SL_LIST_OF(node, struct sl_fetch_position, node);
        if (sl_bytes_uuid_is_zero(&p->topic->id)) return false;
    }
    return true;
}

/* The version for this request; a session stays with names or ids, and starts over when it has to
 * change. -1: the broker has none in our range. */
static int16_t choose_fetch_version(struct sl_fetch_session *session, struct sl_link *link) {
    const struct sl_api *api = sl_api_find(SL_API_FETCH);
    int16_t by_id = sl_link_version(link, api, FETCH_VERSION_BY_ID, api->client_max);
    int16_t by_name = sl_link_version(link, api, api->client_min, FETCH_VERSION_BY_ID - 1);
    bool may_go_on = session->by_id ? by_id >= 0 && have_ids(session) : by_name >= 0;
    if (session->epoch > 0 && !may_go_on) sl_fetch_session_restart(session);
    /* A full request lists all positions in `changed`. */
    if (session->epoch == 0) session->by_id = by_id >= 0 && have_ids(session);
    return session->by_id ? by_id : by_name;
}

static void on_fetch_done(struct sl_core *core, struct sl_request *request, int rv,
                          struct sl_response *resp);

/* The broker knows of all positions now, as they are. */
static void settle_positions(struct sl_fetch_session *session) {
    session->full = session->epoch == 0;
    session->dropped = false;
    SL_LIST_EACH(node, next, &session->changed) {
        struct sl_fetch_position *position = SL_LIST_OF(node, struct sl_fetch_position, node);
        position->told = true;
        position->told_epoch = position->epoch;
        position->told_offset = position->offset;
        position->told_id = position->topic->id;
    }
    sl_list_splice_back(&session->settled, &session->changed);
    session->forgotten_count = 0;
}

static int32_t choose_wait_ms(const struct sl_fetch_session *session) {
    const struct sl_settings *settings = session->core->settings;
    bool is_idle = session->idle >= FETCH_IDLE_ANSWERS && settings->fetch_min_bytes <= 1 &&
                   session->core->fetcher.free_bytes == settings->fetch_memory;
    int64_t long_ms = (int64_t)settings->fetch_max_wait_ms * FETCH_IDLE_WAITS;
    if (!is_idle || long_ms > settings->request_timeout_ms) return settings->fetch_max_wait_ms;
    return (int32_t)long_ms;
}

/* How long the answer may take. */
static int32_t fetch_timeout_ms(const struct sl_fetch_session *session) {
    int64_t ms = (int64_t)session->core->settings->request_timeout_ms + session->wait_ms;
    return ms > INT32_MAX ? INT32_MAX : (int32_t)ms;
}

static void send_fetch(struct sl_fetch_session *session, struct sl_link *link, int32_t max_bytes) {
    struct sl_core *core = session->core;
    struct sl_fetch_request m;
    int16_t version = choose_fetch_version(session, link);
    if (version < 0) {
        sl_link_fail(link, SLUICE_ERR_UNSUPPORTED,
                     "the broker has no version of Fetch that we speak");
        return;
    }
    memset(&session->request, 0, sizeof session->request);
    session->wait_ms = choose_wait_ms(session);
    int rv = build_fetch(session, max_bytes, &m);
    if (rv == 0)
        rv = sl_link_encode(link, &session->request, sl_api_find(SL_API_FETCH), version, &m, NULL,
                            0);
    if (rv != 0) { /* short of memory: nothing has been said, so nothing changed */
        sl_link_discard(&session->request);
        session->not_before = core->now + sl_core_backoff(core, 100, 1000, session->attempts++);
        return;
    }
    sl_trace_add(&core->trace, SL_TRACE_FETCH_SENT, core->now, session->broker->id,
                 count_list(&session->changed));
    settle_positions(session);
    session->in_flight = true;
    session->reserved = max_bytes;
    core->fetcher.reserved += max_bytes;
    session->request.on_done = on_fetch_done;
    sl_list_remove(&session->broker->fetch_node);
    sl_link_send(link, &session->request, fetch_timeout_ms(session));
}

/* An answer that moves nothing comes after fetch.max.wait.ms, or because something was changed
 * meanwhile. From a broker that does not wait (or has not to) it would come in a tight loop. */
static void space_requests(struct sl_fetch_session *session) {
    int64_t at = session->request.queued_at + FETCH_SPACING_MS * SL_MS;
    if (!session->has_moved && at > session->not_before) session->not_before = at;
}

static void count_idleness(struct sl_fetch_session *session) {
    int64_t over_at = session->request.queued_at + session->wait_ms * SL_MS;
    bool is_idle = !session->has_moved && session->core->now >= over_at;
    session->idle = is_idle ? session->idle + (session->idle < FETCH_IDLE_ANSWERS) : 0;
}

static void on_fetch_done(struct sl_core *core, struct sl_request *request, int rv,
                          struct sl_response *resp) {
    struct sl_fetch_session *session = SL_LIST_OF(request, struct sl_fetch_session, request);
    core->fetcher.reserved -= session->reserved;
    session->reserved = 0;
    session->has_moved = false;
    if (rv == 0) {
        sl_fetch_answer_read(session, resp);
        space_requests(session);
        count_idleness(session);
    } else {
        session->idle = 0;
        sl_fetch_session_restart(session);
        struct sl_list *first = sl_list_peek(&session->changed);
        if (first != NULL && rv != SLUICE_ERR_CLOSED)
            sl_metadata_refresh(core, SL_LIST_OF(first, struct sl_fetch_position, node)->topic);
    }
    session->in_flight = false;
    if (has_positions(session)) make_ready(session);
}

/* ---- turns ---- */

static int32_t count_active_sessions(const struct sl_core *core) {
    int32_t count = 0;
    SL_LIST_EACH(node, next, &core->fetcher.sessions)
        count += has_positions(SL_LIST_OF(node, const struct sl_fetch_session, node));
    return count;
}

/* How much the next request may ask for: of the free room a fair part, and never so much that the
 * long polls of the other brokers would have to wait for it. 0: wait. */
static int32_t grant_room(const struct sl_core *core, int32_t waiting, int32_t active) {
    const struct sl_fetcher *f = &core->fetcher;
    int64_t room = f->free_bytes - f->reserved;
    if (room < SL_GATE_ROOM_MIN) return 0;
    int64_t part = room / waiting;
    int64_t share = core->settings->fetch_memory / active;
    if (part > share) part = share;
    if (part < SL_GATE_ROOM_MIN) part = SL_GATE_ROOM_MIN;
    if (part > core->settings->fetch_max_bytes) part = core->settings->fetch_max_bytes;
    return (int32_t)part;
}

static void try_session(struct sl_fetch_session *session, int32_t waiting, int32_t active) {
    struct sl_core *core = session->core;
    if (session->not_before > core->now) return;
    int32_t room = grant_room(core, waiting, active);
    core->fetcher.is_short |= room == 0;
    if (room == 0) return;
    struct sl_link *link = sl_brokers_link(session->broker, SL_PURPOSE_FETCH);
    if (link != NULL && sl_link_is_ready(link)) {
        send_fetch(session, link, room);
        return;
    }
    if (link == NULL && sl_brokers_is_backing_off(session->broker)) {
        /* The broker may be gone for good: leaders may have moved. Rate-limited there. */
        struct sl_list *first = sl_list_peek(&session->changed);
        if (first == NULL) first = sl_list_peek(&session->settled);
        if (first != NULL)
            sl_metadata_refresh(core, SL_LIST_OF(first, struct sl_fetch_position, node)->topic);
    }
    sl_fetch_follower_try(session, link);
}

/* Positions that came while a broker keeps a request for long are not made to wait for it. */
static void end_idle_waits(struct sl_core *core) {
    if (!core->fetcher.has_newcomers) return;
    core->fetcher.has_newcomers = false;
    SL_LIST_EACH(node, next, &core->fetcher.sessions) {
        struct sl_fetch_session *session = SL_LIST_OF(node, struct sl_fetch_session, node);
        bool is_long = session->in_flight && session->wait_ms > core->settings->fetch_max_wait_ms;
        if (!is_long || sl_list_is_empty(&session->changed)) continue;
        sl_link_cut(session->broker->links[SL_PURPOSE_FETCH], SLUICE_ERR_CLOSED);
    }
}

void sl_fetch_session_run(struct sl_core *core) {
    end_idle_waits(core);
    core->fetcher.is_short = false;
    if (sl_list_is_empty(&core->fetcher.brokers)) return;
    int32_t waiting = count_list(&core->fetcher.brokers);
    int32_t active = count_active_sessions(core);
    SL_LIST_EACH(node, next, &core->fetcher.brokers) {
        struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, fetch_node);
        try_session(broker->fetch_session, waiting--, active);
    }
}

int64_t sl_fetch_session_deadline(const struct sl_core *core) {
    int64_t at = SL_NEVER;
    SL_LIST_EACH(node, next, (struct sl_list *)&core->fetcher.brokers) {
        const struct sl_fetch_session *session =
            SL_LIST_OF(node, struct sl_broker, fetch_node)->fetch_session;
        if (session->not_before > core->now && session->not_before < at) at = session->not_before;
    }
    return at;
}

/* ---- looking inside ---- */

/* All positions of a list are the session's. */
static void check_members(const struct sl_fetch_session *session, const struct sl_list *list,
                          bool is_settled) {
    SL_LIST_EACH(node, next, list) {
        const struct sl_fetch_position *position =
            SL_LIST_OF(node, const struct sl_fetch_position, node);
        SL_ASSERT(position->session == session);
        SL_ASSERT(position->told || !is_settled);
        SL_ASSERT(session->epoch > 0 || session->in_flight || !is_settled);
    }
}

int64_t sl_fetch_session_check(const struct sl_core *core) {
    int64_t reserved = 0;
    SL_LIST_EACH(node, next, &core->fetcher.sessions) {
        const struct sl_fetch_session *session =
            SL_LIST_OF(node, const struct sl_fetch_session, node);
        bool is_ready = sl_list_is_linked(&session->broker->fetch_node);
        SL_ASSERT(session->broker->fetch_session == session);
        SL_ASSERT(session->in_flight == (session->reserved > 0));
        SL_ASSERT(is_ready == (!session->in_flight && has_positions(session)));
        check_members(session, &session->changed, false);
        check_members(session, &session->settled, true);
        reserved += session->reserved;
    }
    return reserved;
}

void sl_fetch_session_dump(const struct sl_core *core, struct sl_text *out) {
    SL_LIST_EACH(node, next, &core->fetcher.sessions) {
        struct sl_fetch_session *session = SL_LIST_OF(node, struct sl_fetch_session, node);
        sl_text_printf(out,
                       "session broker=%d id=%d epoch=%d%s%s changed=%d settled=%d forgotten=%d",
                       (int)session->broker->id, (int)session->id, (int)session->epoch,
                       session->by_id ? " by-id" : "", session->in_flight ? " in-flight" : "",
                       (int)count_list(&session->changed), (int)count_list(&session->settled),
                       (int)session->forgotten_count);
        sl_text_printf(out, " reserved=%dB attempts=%u\n", (int)session->reserved,
                       session->attempts);
    }
}
