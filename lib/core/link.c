/* One connection's life: states, opening, failing, timers. What travels over it is in link_send.c
 * and link_receive.c, the ApiVersions exchange in link_negotiate.c.
 *
 *              open               addresses          connected           versions known
 *   IDLE/WAITING ──▶ RESOLVING ──────▶ OPENING ──────▶ NEGOTIATING ──────▶ READY
 *        ▲              │                │  ▲ next        │ (AUTHENTICATING,  │
 *        │              ▼                ▼  │ address     ▼  REAUTHENTICATING)▼
 *        └──────────── fail ◀───────── fail ┘ ◀───────── fail ◀──────────── DRAINING
 *
 * AUTHENTICATING and REAUTHENTICATING are sasl.c's.
 *
 * A failure leads to WAITING and makes the broker back off (brokers.c); an end without an error
 * (idle, drained, closed by a peer of whom nothing was wanted) leads to IDLE.
 *
 * Invariants: id is not 0 exactly while the host has, or is about to be told of, a connection;
 * such a link is in by_id. The queue is empty outside NEGOTIATING to DRAINING. A link in a setup
 * state or with a queue has its timer armed, so nothing waits for ever. While a link fails, its
 * state is final before the first request is told, so a done function may open it again.
 *
 * Not done here: choosing links, back-off, what an answer means. */
#include "core/link.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"

/* ---- states ---- */

#define LINK_TO(state) (1U << (state))
/* An end is possible everywhere: by failure, or quietly. */
#define LINK_TO_END (LINK_TO(SL_LINK_IDLE) | LINK_TO(SL_LINK_WAITING))

static const uint32_t link_moves[] = {
    [SL_LINK_IDLE] = LINK_TO(SL_LINK_RESOLVING) | LINK_TO(SL_LINK_OPENING),
    [SL_LINK_RESOLVING] = LINK_TO(SL_LINK_OPENING) | LINK_TO_END,
    [SL_LINK_OPENING] = LINK_TO(SL_LINK_OPENING) | LINK_TO(SL_LINK_NEGOTIATING) | LINK_TO_END,
    [SL_LINK_NEGOTIATING] = LINK_TO(SL_LINK_AUTHENTICATING) | LINK_TO(SL_LINK_READY) | LINK_TO_END,
    [SL_LINK_AUTHENTICATING] = LINK_TO(SL_LINK_READY) | LINK_TO_END,
    [SL_LINK_READY] = LINK_TO(SL_LINK_REAUTHENTICATING) | LINK_TO(SL_LINK_DRAINING) | LINK_TO_END,
    [SL_LINK_REAUTHENTICATING] = LINK_TO(SL_LINK_READY) | LINK_TO(SL_LINK_DRAINING) | LINK_TO_END,
    [SL_LINK_DRAINING] = LINK_TO_END,
    [SL_LINK_WAITING] =
        LINK_TO(SL_LINK_IDLE) | LINK_TO(SL_LINK_RESOLVING) | LINK_TO(SL_LINK_OPENING),
};

const char *sl_link_state_name(enum sl_link_state state) {
    static const char *const names[] = {
        [SL_LINK_IDLE] = "idle",
        [SL_LINK_RESOLVING] = "resolving",
        [SL_LINK_OPENING] = "opening",
        [SL_LINK_NEGOTIATING] = "negotiating",
        [SL_LINK_AUTHENTICATING] = "authenticating",
        [SL_LINK_READY] = "ready",
        [SL_LINK_REAUTHENTICATING] = "reauthenticating",
        [SL_LINK_DRAINING] = "draining",
        [SL_LINK_WAITING] = "waiting",
    };
    return names[state];
}

const char *sl_link_purpose_name(enum sl_purpose purpose) {
    static const char *const names[SL_PURPOSE_COUNT] = {
        [SL_PURPOSE_CONTROL] = "control", [SL_PURPOSE_PRODUCE] = "produce",
        [SL_PURPOSE_FETCH] = "fetch",     [SL_PURPOSE_COORDINATOR] = "coordinator",
        [SL_PURPOSE_JOIN] = "join",
    };
    return names[purpose];
}

void sl_link_set_state(struct sl_link *link, enum sl_link_state state) {
    SL_ASSERT((link_moves[link->state] & LINK_TO(state)) != 0);
    struct sl_core *core = link->core;
    sl_trace_add(&core->trace, SL_TRACE_LINK_STATE, core->now,
                 (int64_t)link->broker->id * SL_PURPOSE_COUNT + link->purpose, state);
    sl_stats_on_link_state(link, (int)state);
    link->state = state;
}

bool sl_link_is_opening(const struct sl_link *link) {
    return link->state >= SL_LINK_RESOLVING && link->state <= SL_LINK_AUTHENTICATING;
}

bool sl_link_is_up(const struct sl_link *link) {
    return link->state == SL_LINK_READY || link->state == SL_LINK_REAUTHENTICATING;
}

bool sl_link_is_ready(const struct sl_link *link) {
    return link->state == SL_LINK_READY && link->muted_until <= link->core->now;
}

bool sl_link_is_at_rest(const struct sl_link *link) {
    return (link->state == SL_LINK_IDLE || link->state == SL_LINK_WAITING) && link->closing_id == 0;
}

/* ---- the set of links ---- */

void sl_link_init_all(struct sl_links *links, struct sl_core *core) {
    links->core = core;
    sl_list_init(&links->all);
    sl_heap_init(&links->timers, core->alloc);
    sl_map_init(&links->by_id, core->alloc);
}

void sl_link_deinit_all(struct sl_links *links) {
    SL_ASSERT(sl_list_is_empty(&links->all));
    sl_buffers_give(&links->core->buffers, links->spare);
    sl_map_deinit(&links->by_id);
    sl_heap_deinit(&links->timers);
}

struct sl_link *sl_link_create(struct sl_broker *broker, enum sl_purpose purpose) {
    struct sl_core *core = broker->core;
    /* Room for every timer that there can be: arming never fails. */
    if (sl_heap_reserve(&core->links.timers, core->links.count + 1) != 0) return NULL;
    struct sl_link *link = sl_alloc_zero(core->alloc, sizeof *link);
    if (link == NULL) return NULL;
    link->core = core;
    link->broker = broker;
    link->purpose = purpose;
    link->state = SL_LINK_IDLE;
    link->auth_at = SL_NEVER;
    sl_list_init(&link->login_node);
    sl_list_init(&link->queue);
    link->unsent = &link->queue;
    sl_list_push_back(&core->links.all, &link->node);
    core->links.count++;
    return link;
}

void sl_link_destroy(struct sl_link *link) {
    SL_ASSERT(sl_link_is_at_rest(link) && link->id == 0 && sl_list_is_empty(&link->queue));
    struct sl_core *core = link->core;
    sl_heap_remove(&core->links.timers, &link->timer);
    sl_list_remove(&link->output);
    sl_list_remove(&link->node);
    core->links.count--;
    sl_alloc_free(core->alloc, link, sizeof *link);
}

struct sl_link *sl_link_find(const struct sl_core *core, uint32_t id) {
    return sl_map_get(&core->links.by_id, &id, sizeof id);
}

void sl_link_want_output(struct sl_link *link) {
    if (!sl_list_is_linked(&link->output)) {
        sl_list_push_back(&link->core->outputs, &link->output);
    }
}

/* ---- timers ---- */

static int64_t setup_timeout_ns(struct sl_link *link) {
    const struct sl_settings *settings = link->core->settings;
    int64_t ms = settings->setup_timeout_ms;
    for (uint32_t i = 0; i < link->broker->failures && ms < settings->setup_timeout_max_ms; i++) {
        ms *= 2;
    }
    if (ms > settings->setup_timeout_max_ms) ms = settings->setup_timeout_max_ms;
    return sl_rng_jitter(&link->core->rng, ms * SL_MS);
}

/* When an idle connection is closed, or SL_NEVER. */
static int64_t idle_deadline(const struct sl_link *link) {
    int32_t idle_ms = link->core->settings->connections_max_idle_ms;
    return idle_ms < 0 ? SL_NEVER : link->last_used + idle_ms * SL_MS;
}

void sl_link_arm(struct sl_link *link) {
    int64_t at = SL_NEVER;
    if (sl_link_is_opening(link)) {
        at = link->setup_deadline;
        if (link->muted_until != 0 && link->muted_until < at) at = link->muted_until;
    } else if (link->state != SL_LINK_IDLE && link->state != SL_LINK_WAITING) {
        at = sl_list_is_empty(&link->queue) ? idle_deadline(link) : link->request_deadline;
        if (link->muted_until != 0 && link->muted_until < at) at = link->muted_until;
        if (sl_link_is_up(link) && link->auth_at < at) at = link->auth_at;
    }
    struct sl_heap *timers = &link->core->links.timers;
    if (at == SL_NEVER) {
        sl_heap_remove(timers, &link->timer);
        return;
    }
    int rv = sl_heap_set(timers, &link->timer, at);
    SL_ASSERT(rv == 0);
}

/* The request whose deadline comes first; the queue is not empty. */
static struct sl_request *most_urgent_request(struct sl_link *link) {
    struct sl_request *first = NULL;
    SL_LIST_EACH(node, tmp, &link->queue) {
        struct sl_request *request = SL_LIST_OF(node, struct sl_request, node);
        if (first == NULL || request->deadline < first->deadline) first = request;
    }
    return first;
}

static void close_link_quietly(struct sl_link *link);

static void run_setup_timer(struct sl_link *link) {
    static const char *const waited_for[] = {
        [SL_LINK_RESOLVING] = "the name was not resolved",
        [SL_LINK_OPENING] = "the connection was not accepted",
        [SL_LINK_NEGOTIATING] = "connected, but ApiVersions was not answered",
        [SL_LINK_AUTHENTICATING] = "connected, but authentication did not end",
    };
    if (link->setup_deadline > link->core->now) {
        sl_link_arm(link);
        return;
    }
    sl_stats_on_request_timeout(link);
    if (sl_sasl_waits_for_host(link)) {
        sl_link_fail(link, SLUICE_ERR_TIMEOUT, "connected, but Kerberos did not answer in time");
        return;
    }
    bool is_tls = (link->core->settings->security & SL_SECURITY_SSL) != 0;
    sl_link_fail(link, SLUICE_ERR_TIMEOUT, "%s%s in time", waited_for[link->state],
                 is_tls && link->state == SL_LINK_OPENING ? ", or TLS not agreed on," : "");
}

/* A large answer may take longer to come over a slow line than a broker may to begin with it: asked
 * for again it would only begin anew, for ever. It gets more time when a good part of it came in
 * the last; so no peer can hold a request for more than so many times. */
static bool is_answer_coming(struct sl_link *link) {
    enum { PARTS = 16, LEAST = 1024 }; /* arbitrary; small answers get no such time */
    size_t here = link->in == NULL ? 0 : link->in->size;
    size_t part = link->in_need / PARTS > LEAST ? link->in_need / PARTS : LEAST;
    if (link->in_need == 0 || here < link->in_seen + part) return false;
    link->in_seen = here;
    return true;
}

static void give_more_time(struct sl_link *link) {
    int64_t longer = link->core->settings->request_timeout_ms * SL_MS;
    SL_LIST_EACH(node, tmp, &link->queue) {
        SL_LIST_OF(node, struct sl_request, node)->deadline += longer;
    }
    link->request_deadline += longer;
    sl_link_arm(link);
}

static void run_request_timer(struct sl_link *link) {
    struct sl_request *first = most_urgent_request(link);
    link->request_deadline = first->deadline;
    if (first->deadline > link->core->now) {
        sl_link_arm(link);
        return;
    }
    if (is_answer_coming(link)) {
        give_more_time(link);
        return;
    }
    sl_stats_on_request_timeout(link);
    sl_link_fail(link, SLUICE_ERR_TIMEOUT, "%s was not answered within %" PRId64 " ms",
                 first->api->name, (first->deadline - first->queued_at) / SL_MS);
}

static void run_link_timer(struct sl_link *link) {
    if (link->muted_until != 0 && link->muted_until <= link->core->now) {
        link->muted_until = 0;
        link->wants_send = link->unsent != &link->queue;
        if (link->wants_send) sl_link_want_output(link);
    }
    if (sl_link_is_opening(link)) {
        run_setup_timer(link);
    } else if (sl_link_is_up(link) && link->auth_at <= link->core->now) {
        sl_sasl_on_time(link);
    } else if (!sl_list_is_empty(&link->queue)) {
        run_request_timer(link);
    } else if (idle_deadline(link) <= link->core->now) {
        close_link_quietly(link);
    } else {
        sl_link_arm(link);
    }
}

void sl_link_run_timers(struct sl_core *core) {
    struct sl_heap_node *node;
    while ((node = sl_heap_peek(&core->links.timers)) != NULL && node->at <= core->now) {
        sl_heap_remove(&core->links.timers, node);
        run_link_timer(SL_LIST_OF(node, struct sl_link, timer));
    }
}

/* ---- opening ---- */

/* A new id for a new connection. 0 or NOMEM. */
static int register_connection(struct sl_link *link) {
    struct sl_links *links = &link->core->links;
    uint32_t id = links->last_id + 1;
    if (id == 0) id = 1;
    int rv = sl_map_put(&links->by_id, &id, sizeof id, link);
    if (rv != 0) return rv;
    links->last_id = link->id = id;
    return 0;
}

static void connect_link(struct sl_link *link) {
    sl_link_set_state(link, SL_LINK_OPENING);
    int rv = register_connection(link);
    if (rv != 0) {
        sl_link_fail(link, rv, "no memory for a connection");
        return;
    }
    link->address = link->broker->address_next;
    link->opened_at = link->core->now;
    link->setup_deadline = link->core->now + setup_timeout_ns(link);
    link->counts.opens++;
    link->wants_open = true;
    sl_link_want_output(link);
    sl_link_arm(link);
}

void sl_link_open(struct sl_link *link) {
    SL_ASSERT(link->state == SL_LINK_IDLE || link->state == SL_LINK_WAITING);
    if (link->broker->address_next < link->broker->address_count) {
        connect_link(link);
        return;
    }
    sl_link_set_state(link, SL_LINK_RESOLVING);
    link->opened_at = link->core->now;
    link->setup_deadline = link->core->now + setup_timeout_ns(link);
    sl_link_arm(link);
    sl_brokers_resolve(link->broker);
}

void sl_link_on_addresses(struct sl_link *link) {
    if (link->state == SL_LINK_RESOLVING) connect_link(link);
}

void sl_link_on_opened(struct sl_link *link) {
    if (link->state != SL_LINK_OPENING || link->wants_open) return;
    sl_link_set_state(link, SL_LINK_NEGOTIATING);
    link->setup_deadline = link->core->now + setup_timeout_ns(link);
    link->last_used = link->core->now;
    link->request_deadline = SL_NEVER;
    link->of_use = false;
    sl_link_negotiate(link);
}

/* ---- ending ---- */

/* The connection is no more: forgets all that belonged to it but the queue. */
static void forget_connection(struct sl_link *link) {
    struct sl_core *core = link->core;
    if (link->id != 0) {
        (void)sl_map_remove(&core->links.by_id, &link->id, sizeof link->id);
        /* An OPEN that the host has not seen is taken back; otherwise it has to close. */
        if (!link->wants_open) {
            link->closing_id = link->id;
            sl_link_want_output(link);
        }
    }
    sl_sasl_end(link);
    link->id = 0;
    link->handshake_at = 0;
    link->wants_open = link->wants_send = false;
    link->hung_up = false;
    link->muted_until = 0;
    sl_buffers_give(&core->buffers, link->in);
    link->in = NULL;
    link->in_need = link->in_seen = 0;
    link->in_cut = 0;
    sl_link_arm(link);
}

/* The state of the link is final; each request leaves the queue before it is told. */
static void end_requests(struct sl_link *link, int rv) {
    struct sl_list ended;
    sl_list_init(&ended);
    sl_list_splice_back(&ended, &link->queue);
    link->unsent = &link->queue;
    link->in_flight = 0;
    struct sl_core *core = link->core;
    struct sl_list *node;
    while ((node = sl_list_pop_front(&ended)) != NULL) {
        struct sl_request *request = SL_LIST_OF(node, struct sl_request, node);
        sl_link_discard(request);
        sl_stats_on_unanswered(core, request);
        request->on_done(core, request, rv, NULL);
        if (rv != SLUICE_ERR_CLOSED) rv = SLUICE_ERR_UNREACHABLE;
    }
}

static void close_link_quietly(struct sl_link *link) {
    sl_link_set_state(link, SL_LINK_IDLE);
    forget_connection(link);
}

/* The rest of the addresses are tried at once: one that does not answer is no reason to make the
 * others wait (KIP-302, KIP-602). True: the next one is being tried. */
static bool try_next_address(struct sl_link *link) {
    struct sl_broker *broker = link->broker;
    if (broker->address_next == link->address) broker->address_next++;
    if (broker->address_next >= broker->address_count) return false;
    forget_connection(link);
    connect_link(link);
    return true;
}

/* Which address the next attempt begins with. */
static void choose_address_after(struct sl_link *link, enum sl_link_state failed_in, int rv) {
    struct sl_broker *broker = link->broker;
    if (failed_in >= SL_LINK_READY) {
        broker->address_count = 0; /* the broker may have moved: look its name up again */
    } else if (rv == SLUICE_ERR_TLS ||
               (failed_in >= SL_LINK_NEGOTIATING && !sl_link_negotiate_lower(link))) {
        if (broker->address_next == link->address) broker->address_next++;
    }
}

static void fail_link(struct sl_link *link, int rv, const char *story) {
    enum sl_link_state state = link->state;
    sl_stats_on_link_failure(link);
    sl_trace_add(&link->core->trace, SL_TRACE_LINK_ERROR, link->core->now,
                 (int64_t)link->broker->id * SL_PURPOSE_COUNT + link->purpose, rv);
    /* A verdict of TLS is not covered up by what another address comes to. */
    if (state == SL_LINK_OPENING && rv != SLUICE_ERR_NOMEM && rv != SLUICE_ERR_TLS) {
        sl_core_log(link->core, SL_LOG_DEBUG, "%s:%u (%s): %s", link->broker->host,
                    link->broker->port, sl_link_purpose_name(link->purpose), story);
        if (try_next_address(link)) return;
    }
    choose_address_after(link, state, rv);
    sl_link_set_state(link, SL_LINK_WAITING);
    forget_connection(link);
    sl_brokers_on_failure(link->broker, rv, story);
    end_requests(link, rv);
}

void sl_link_fail(struct sl_link *link, int rv, const char *format, ...) {
    if (link->state == SL_LINK_IDLE || link->state == SL_LINK_WAITING) return;
    char buf[sizeof link->broker->story];
    struct sl_text story;
    sl_text_init(&story, buf, sizeof buf);
    va_list args;
    va_start(args, format);
    sl_text_vprintf(&story, format, args);
    va_end(args);
    fail_link(link, rv, buf);
}

void sl_link_drain(struct sl_link *link) {
    if (link->state == SL_LINK_IDLE || link->state == SL_LINK_DRAINING) return;
    if (link->state == SL_LINK_WAITING) {
        sl_link_set_state(link, SL_LINK_IDLE);
    } else if (link->state >= SL_LINK_READY && !sl_list_is_empty(&link->queue)) {
        sl_link_set_state(link, SL_LINK_DRAINING);
    } else {
        sl_link_cut(link, SLUICE_ERR_CLOSED); /* the queue holds our own negotiation at most */
    }
}

void sl_link_on_answered(struct sl_link *link) {
    if (link->state == SL_LINK_DRAINING && sl_list_is_empty(&link->queue)) {
        close_link_quietly(link);
        return;
    }
    if (link->state == SL_LINK_REAUTHENTICATING && link->sasl == NULL &&
        sl_list_is_empty(&link->queue) && link->auth_at == SL_NEVER &&
        !sl_list_is_linked(&link->login_node)) {
        sl_sasl_on_time(link);
        return;
    }
    sl_link_arm(link);
}

void sl_link_cut(struct sl_link *link, int rv) {
    if (link->state == SL_LINK_IDLE || link->state == SL_LINK_WAITING) return;
    close_link_quietly(link);
    end_requests(link, rv);
}

bool sl_link_has_lasted(const struct sl_link *link) {
    enum { LASTING_MS = 1000 }; /* arbitrary */
    return link->core->now - link->opened_at >= LASTING_MS * SL_MS;
}

void sl_link_note_use(struct sl_link *link) {
    if (link->of_use) return;
    link->of_use = true;
    sl_brokers_on_success(link->broker);
}

/* The peer ended a connection of which nothing was wanted any more: no error (protocol notes 3.1).
 * One that ends before it was of any use is one, or reconnecting would spin. */
static bool is_quiet_end(const struct sl_link *link) {
    return link->state >= SL_LINK_READY && sl_list_is_empty(&link->queue) &&
           (link->of_use || sl_link_has_lasted(link));
}

void sl_link_on_closed(struct sl_link *link, int rv, const char *text) {
    struct sl_core *core = link->core;
    /* The host knows: it is not told to close. */
    (void)sl_map_remove(&core->links.by_id, &link->id, sizeof link->id);
    link->id = 0;
    link->hung_up = rv == SLUICE_ERR_UNREACHABLE;
    if (is_quiet_end(link)) {
        close_link_quietly(link);
        /* To a Produce with acks=0 a broker can say in no other way that it was wrong. */
        if (link->purpose == SL_PURPOSE_PRODUCE && core->settings->acks == 0) {
            sl_metadata_refresh(core, NULL);
        }
    } else if (link->state == SL_LINK_NEGOTIATING && rv != SLUICE_ERR_TLS) {
        sl_link_fail(link, rv,
                     "%s during ApiVersions (is the port meant for another security.protocol?)",
                     text);
    } else if (link->state == SL_LINK_AUTHENTICATING || link->sasl != NULL) {
        sl_link_fail(link, rv, "%s during authentication", text);
    } else {
        sl_link_fail(link, rv, "%s", text);
    }
}
