/* Fetch sessions (KIP-227): one per broker, one request in flight each.
 *
 * A session starts with a full request (id 0, epoch 0) that lists every partition; the broker
 * answers with an id, or with 0 when it keeps none (then every request is full). From then on a
 * request lists what changed: positions that moved (`changed`), and partitions to forget. What the
 * broker has as it is stands in `settled`. Each position remembers with which offset and epochs
 * the broker was told of it; answers are matched against that.
 *
 * A request reserves its max_bytes in the receiving account before it leaves; without
 * SL_GATE_ROOM_MIN of free room none does. When the application gives memory back, the turn that
 * takes it in asks again: there is no timer between.
 *
 * Anything odd (a lost answer, a session error, a missing partition) starts a new session: nothing
 * is lost by it, because positions only move with what was received. */
#include <string.h>

#include "core/fetch.h"
#include "core/gate.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "wire/messages.h"

enum { FETCH_VERSION_BY_ID = 13 }; /* topics by id from here on (KIP-516) */

/* ---- membership ---- */

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
    SL_ASSERT(sl_list_is_empty(&session->changed) && sl_list_is_empty(&session->settled));
    sl_list_remove(&session->node);
    sl_list_remove(&session->broker->fetch_node);
    session->broker->fetch_session = NULL;
    sl_alloc_free(core->alloc, session->forgotten,
                  (size_t)session->forgotten_cap * sizeof *session->forgotten);
    sl_alloc_free(core->alloc, session, sizeof *session);
}

void sl_fetch_session_restart(struct sl_fetch_session *session) {
    session->id = 0;
    session->epoch = 0;
    session->forgotten_count = 0;
    SL_LIST_EACH(node, next, &session->settled)
        SL_LIST_OF(node, struct sl_fetch_position, node)->told = false;
    SL_LIST_EACH(node, next, &session->changed)
        SL_LIST_OF(node, struct sl_fetch_position, node)->told = false;
    /* Those without data come first in the full request, for fairness (KIP-74). */
    sl_list_splice_back(&session->settled, &session->changed);
    sl_list_splice_back(&session->changed, &session->settled);
}

static void make_ready(struct sl_fetch_session *session) {
    if (session->in_flight || sl_list_is_linked(&session->broker->fetch_node)) return;
    sl_list_push_back(&session->core->fetcher.brokers, &session->broker->fetch_node);
}

void sl_fetch_session_add(struct sl_fetch_session *session, struct sl_fetch_position *position) {
    position->session = session;
    position->told = false;
    sl_list_push_back(&session->changed, &position->node);
    for (int32_t i = 0; i < session->forgotten_count; i++) {
        const struct sl_fetch_forgotten *f = &session->forgotten[i];
        if (f->topic != position->topic || f->index != position->index) continue;
        if (!sl_bytes_uuid_equal(&f->id, &position->topic->id)) continue;
        /* The broker still has it: listing it is enough, and forgetting it would be wrong. */
        session->forgotten[i] = session->forgotten[--session->forgotten_count];
        break;
    }
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
        .topic = position->topic, .id = position->topic->id, .index = position->index};
    return true;
}

void sl_fetch_session_remove(struct sl_fetch_position *position) {
    struct sl_fetch_session *session = position->session;
    bool known = position->told && session->epoch > 0;
    sl_list_remove(&position->node);
    position->session = NULL;
    position->told = false;
    if (known && !remember_forgotten(session, position)) sl_fetch_session_restart(session);
    if (sl_list_is_empty(&session->changed) && sl_list_is_empty(&session->settled))
        sl_list_remove(&session->broker->fetch_node);
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

static void build_partition(struct fetch_builder *b, const struct sl_fetch_position *position) {
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
    p->last_fetched_epoch = -1; /* as every client does: brokers then never answer "diverged" */
    p->log_start_offset = -1;
    p->partition_max_bytes =
        position->max_bytes < b->max_bytes ? position->max_bytes : b->max_bytes;
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
    m->max_wait_ms = settings->fetch_max_wait_ms;
    m->min_bytes = settings->fetch_min_bytes;
    m->max_bytes = max_bytes;
    m->isolation_level =
        settings->read_committed ? SL_FETCH_READ_COMMITTED : SL_FETCH_READ_UNCOMMITTED;
    m->session_id = session->id;
    m->session_epoch = session->epoch;
    m->topics = (struct sl_array){b.topics, b.topic_count};
    m->forgotten_topics = build_forgotten(session, b.arena);
    m->rack_id = sl_bytes_str(settings->client_rack == NULL ? "" : settings->client_rack);
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
    bool ids = have_ids(session);
    if (session->epoch > 0 && session->by_id && !ids) sl_fetch_session_restart(session);
    if (session->epoch == 0) {
        ids = have_ids(session); /* of all positions, once the session starts over */
        session->by_id =
            ids && sl_link_version(link, api, FETCH_VERSION_BY_ID, api->client_max) >= 0;
    }
    return session->by_id ? sl_link_version(link, api, FETCH_VERSION_BY_ID, api->client_max)
                          : sl_link_version(link, api, api->client_min, FETCH_VERSION_BY_ID - 1);
}

static void on_fetch_done(struct sl_core *core, struct sl_request *request, int rv,
                          struct sl_response *resp);

/* The broker knows of all positions now, as they are. */
static void settle_positions(struct sl_fetch_session *session) {
    session->told_count = 0;
    session->full = session->epoch == 0;
    SL_LIST_EACH(node, next, &session->changed) {
        struct sl_fetch_position *position = SL_LIST_OF(node, struct sl_fetch_position, node);
        position->told = true;
        position->told_epoch = position->epoch;
        position->told_offset = position->offset;
        session->told_count++;
    }
    sl_list_splice_back(&session->settled, &session->changed);
    session->forgotten_count = 0;
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
    int rv = build_fetch(session, max_bytes, &m);
    if (rv == 0)
        rv = sl_link_encode(link, &session->request, sl_api_find(SL_API_FETCH), version, &m, NULL,
                            0);
    if (rv != 0) { /* short of memory: nothing has been said, so nothing changed */
        sl_link_discard(&session->request);
        session->not_before = core->now + sl_core_backoff(core, 100, 1000, session->attempts++);
        return;
    }
    settle_positions(session);
    session->in_flight = true;
    session->reserved = max_bytes;
    core->fetcher.reserved += max_bytes;
    session->request.on_done = on_fetch_done;
    sl_list_remove(&session->broker->fetch_node);
    sl_trace_add(&core->trace, SL_TRACE_FETCH_SENT, core->now, session->broker->id,
                 session->told_count);
    sl_link_send(link, &session->request,
                 core->settings->request_timeout_ms + core->settings->fetch_max_wait_ms);
}

static void on_fetch_done(struct sl_core *core, struct sl_request *request, int rv,
                          struct sl_response *resp) {
    struct sl_fetch_session *session = SL_LIST_OF(request, struct sl_fetch_session, request);
    session->in_flight = false;
    core->fetcher.reserved -= session->reserved;
    session->reserved = 0;
    if (rv == 0) {
        sl_fetch_answer_read(session, resp);
    } else {
        sl_fetch_session_restart(session);
        struct sl_list *first = sl_list_peek(&session->changed);
        if (first != NULL && rv != SLUICE_ERR_CLOSED)
            sl_metadata_refresh(core, SL_LIST_OF(first, struct sl_fetch_position, node)->topic);
    }
    if (!sl_list_is_empty(&session->changed) || !sl_list_is_empty(&session->settled))
        make_ready(session);
}

/* ---- turns ---- */

/* How much the next request may ask for: a fair part of the free room. 0: wait. */
static int32_t grant_room(const struct sl_core *core, int32_t waiting) {
    const struct sl_fetcher *f = &core->fetcher;
    int64_t room = f->free_bytes - f->reserved;
    if (room < SL_GATE_ROOM_MIN) return 0;
    int64_t part = room / waiting;
    if (part < SL_GATE_ROOM_MIN) part = SL_GATE_ROOM_MIN;
    if (part > core->settings->fetch_max_bytes) part = core->settings->fetch_max_bytes;
    return (int32_t)part;
}

static void try_session(struct sl_fetch_session *session, int32_t waiting) {
    struct sl_core *core = session->core;
    if (session->not_before > core->now) return;
    int32_t room = grant_room(core, waiting);
    if (room == 0) return;
    struct sl_link *link = sl_brokers_link(session->broker, SL_PURPOSE_FETCH);
    if (link != NULL && sl_link_is_ready(link)) {
        send_fetch(session, link, room);
    } else if (link == NULL && sl_brokers_is_backing_off(session->broker)) {
        /* The broker may be gone for good: leaders may have moved. Rate-limited there. */
        struct sl_list *first = sl_list_peek(&session->changed);
        if (first == NULL) first = sl_list_peek(&session->settled);
        if (first != NULL)
            sl_metadata_refresh(core, SL_LIST_OF(first, struct sl_fetch_position, node)->topic);
    }
}

void sl_fetch_session_run(struct sl_core *core) {
    int32_t waiting = count_list(&core->fetcher.brokers);
    SL_LIST_EACH(node, next, &core->fetcher.brokers) {
        struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, fetch_node);
        try_session(broker->fetch_session, waiting > 0 ? waiting : 1);
        waiting--;
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
