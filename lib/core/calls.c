/* Control requests: waiting for a link, encoding, coming back decoded.
 *
 *   idle ── start ──▶ waiting ── a ready link ──▶ sent ── answer, failure ──▶ idle, done(…)
 *                        ▲                          │
 *                        └── the link was lost before the frame had left ──┘
 *
 * A request under way belongs to a ticket, not to the call, so that a cancelled call may be freed
 * while its answer is still to come: the ticket stays in the link's queue, and drops it.
 *
 * A call to any broker waits for as long as its deadline allows. One to a certain broker ends with
 * UNREACHABLE once that broker is unknown or backs off, because its owner has to find out who does
 * the work now; waiting here would only hide that.
 *
 * Not done here: retries after an error code, back-off by itself. */
#include "core/calls.h"

#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "wire/errors.h"
#include "wire/frame.h"

struct sl_call_ticket {
    struct sl_request request;
    struct sl_call *call; /* NULL: cancelled */
};

void sl_calls_init(struct sl_calls *calls, struct sl_core *core) {
    calls->core = core;
    sl_list_init(&calls->waiting);
    sl_list_init(&calls->sent);
    sl_arena_init(&calls->asking, core->alloc, 0);
}

void sl_calls_deinit(struct sl_calls *calls) {
    SL_ASSERT(sl_list_is_empty(&calls->waiting) && sl_list_is_empty(&calls->sent));
    sl_arena_deinit(&calls->asking);
}

static void make_call_wait(struct sl_core *core, struct sl_call *call) {
    call->looked = false;
    sl_list_push_back(&core->calls.waiting, &call->node);
}

void sl_calls_start(struct sl_core *core, struct sl_call *call) {
    SL_ASSERT(!call->active && call->api != NULL && call->fill != NULL && call->done != NULL);
    if (core->state == SL_CORE_CLOSED) return;
    call->active = true;
    call->left = false;
    call->ticket = NULL;
    make_call_wait(core, call);
}

void sl_calls_cancel(struct sl_core *core, struct sl_call *call) {
    (void)core;
    if (!call->active) return;
    sl_list_remove(&call->node);
    if (call->ticket != NULL) call->ticket->call = NULL;
    call->ticket = NULL;
    call->active = false;
}

void sl_calls_back_off(struct sl_core *core, struct sl_call *call) {
    const struct sl_settings *settings = core->settings;
    call->not_before = core->now + sl_core_backoff(core, settings->retry_backoff_ms,
                                                   settings->retry_backoff_max_ms, call->attempts);
    if (call->attempts < UINT32_MAX) call->attempts++;
    core->stats.apis[call->api->key].retries++;
}

static void end_call(struct sl_core *core, struct sl_call *call, int rv, const void *response) {
    sl_calls_cancel(core, call);
    call->done(core, call, rv, response);
}

void sl_calls_close(struct sl_core *core) {
    SL_ASSERT(core->state == SL_CORE_CLOSED);
    struct sl_list *lists[] = {&core->calls.sent, &core->calls.waiting};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct sl_list *node;
        while ((node = sl_list_peek(lists[i])) != NULL) {
            end_call(core, SL_LIST_OF(node, struct sl_call, node), SLUICE_ERR_CLOSED, NULL);
        }
    }
}

/* ---- answers ---- */

/* The throttle time of an answer, which nearly every API has at its top level. */
static int32_t answer_throttle_ms(const struct sl_type *type, const void *message) {
    for (uint16_t i = 0; i < type->field_count; i++) {
        const struct sl_field *field = &type->fields[i];
        if (strcmp(field->name, "throttle_ms") != 0 || field->kind != SL_KIND_I32) continue;
        int32_t throttle_ms;
        memcpy(&throttle_ms, (const uint8_t *)message + field->offset, sizeof throttle_ms);
        return throttle_ms;
    }
    return 0;
}

/* Decodes the answer, and keeps what it says of the connection. 0, NOMEM or MALFORMED. */
static int read_answer(struct sl_core *core, const struct sl_api *api, int16_t version,
                       struct sl_response *resp, struct sl_arena *arena, void **message) {
    *message = sl_arena_get(arena, api->response->size);
    int rv = *message == NULL
                 ? SLUICE_ERR_NOMEM
                 : sl_frame_decode_response(&resp->body, arena, api, version, *message);
    if (rv == SLUICE_ERR_MALFORMED) {
        sl_link_fail(resp->link, rv, "its answer to %s could not be read", api->name);
    } else if (rv == 0) {
        int32_t throttle_ms = answer_throttle_ms(api->response, *message);
        sl_stats_on_throttle(core, api->key, throttle_ms);
        sl_link_throttle(resp->link, throttle_ms);
    }
    return rv;
}

/* Ends the call with the answer. NULL: it was cancelled, and the connection may have to wait all the
 * same. */
static void end_answered_call(struct sl_core *core, struct sl_call *call, const struct sl_api *api,
                              int16_t version, struct sl_response *resp) {
    /* Decoded arrays may be larger than what they were decoded from, within reason. */
    enum { MEMORY_FACTOR = 8, MEMORY_MIN = 64 * 1024 };
    struct sl_arena arena;
    void *message;
    sl_arena_init(&arena, core->alloc, sl_reader_left(&resp->body) * MEMORY_FACTOR + MEMORY_MIN);
    int rv = read_answer(core, api, version, resp, &arena, &message);
    if (call != NULL) end_call(core, call, rv, rv == 0 ? message : NULL);
    sl_arena_deinit(&arena);
}

static void on_call_request_done(struct sl_core *core, struct sl_request *request, int rv,
                                 struct sl_response *resp) {
    struct sl_call_ticket *ticket = SL_LIST_OF(request, struct sl_call_ticket, request);
    struct sl_call *call = ticket->call;
    const struct sl_api *api = request->api;
    int16_t version = request->version;
    bool sent_whole = request->sent_whole;
    sl_alloc_free(core->alloc, ticket, sizeof *ticket);
    if (call != NULL) {
        call->ticket = NULL;
        call->left = sent_whole;
    }
    if (rv == 0) {
        end_answered_call(core, call, api, version, resp);
    } else if (call == NULL) {
        return;
    } else if (!sent_whole && rv != SLUICE_ERR_CLOSED) {
        sl_list_remove(&call->node);
        make_call_wait(core, call); /* nobody has seen it */
    } else {
        end_call(core, call, rv, NULL);
    }
}

/* ---- asking ---- */

/* How long the answer may take. */
static int32_t call_timeout_ms(const struct sl_core *core, const struct sl_call *call) {
    int32_t most = call->timeout_ms > 0 ? call->timeout_ms : core->settings->request_timeout_ms;
    if (call->deadline == SL_NEVER) return most;
    int64_t left_ms = (call->deadline - core->now) / SL_MS + 1;
    return left_ms < most ? (int32_t)left_ms : most;
}

/* Fills, encodes and queues the request. 0 or what the call ends with. */
static int ask_over(struct sl_link *link, struct sl_call *call) {
    struct sl_core *core = link->core;
    const struct sl_api *api = call->api;
    bool any_version = call->version_low == 0 && call->version_high == 0;
    call->version = sl_link_version(link, api, any_version ? api->client_min : call->version_low,
                                    any_version ? api->client_max : call->version_high);
    if (call->version < 0) {
        sl_core_log(core, call->quiet ? SL_LOG_DEBUG : SL_LOG_WARNING,
                    "%s:%u has no version of %s that this client speaks", link->broker->host,
                    link->broker->port, api->name);
        return SLUICE_ERR_UNSUPPORTED;
    }
    struct sl_arena *arena = &core->calls.asking;
    sl_arena_reset(arena);
    struct sl_call_ticket *ticket = sl_alloc_zero(core->alloc, sizeof *ticket);
    void *message = sl_arena_get(arena, api->request->size);
    int rv = ticket == NULL || message == NULL ? SLUICE_ERR_NOMEM : 0;
    if (rv == 0) {
        sl_codec_defaults(api->request, message);
        rv = call->fill(core, call, call->version, arena, message);
    }
    if (rv == 0 && arena->failed) rv = SLUICE_ERR_NOMEM;
    if (rv == 0) rv = sl_link_encode(link, &ticket->request, api, call->version, message, NULL, 0);
    if (rv != 0) {
        sl_alloc_free(core->alloc, ticket, sizeof *ticket);
        return rv;
    }
    ticket->call = call;
    ticket->request.on_done = on_call_request_done;
    call->ticket = ticket;
    call->asked = link->broker->id;
    sl_list_push_back(&core->calls.sent, &call->node);
    sl_link_send(link, &ticket->request, call_timeout_ms(core, call));
    return 0;
}

/* A ready link for the call, or NULL with *rv 0 (wait) or what the call ends with. */
static struct sl_link *link_for_call(struct sl_core *core, struct sl_call *call, int *rv) {
    *rv = 0;
    if (call->broker == SL_BROKER_ANY) return sl_brokers_any(core, call->purpose);
    struct sl_broker *broker = sl_brokers_find(core, call->broker);
    struct sl_link *link = broker == NULL ? NULL : sl_brokers_link(broker, call->purpose);
    if (link != NULL) return sl_link_is_ready(link) ? link : NULL;
    if (broker == NULL || sl_brokers_is_backing_off(broker)) *rv = SLUICE_ERR_UNREACHABLE;
    return NULL;
}

/* One waiting call, which is in no list. */
static void run_waiting_call(struct sl_core *core, struct sl_call *call) {
    int rv = call->deadline <= core->now ? SLUICE_ERR_TIMEOUT : 0;
    struct sl_link *link = NULL;
    if (rv == 0 && call->not_before <= core->now) link = link_for_call(core, call, &rv);
    if (link != NULL) {
        rv = ask_over(link, call);
        if (rv == 0) return;
    }
    if (rv != 0) {
        end_call(core, call, rv, NULL);
        return;
    }
    call->looked = call->not_before <= core->now;
    sl_list_push_back(&core->calls.waiting, &call->node);
}

void sl_calls_run(struct sl_core *core) {
    struct sl_calls *calls = &core->calls;
    /* What starts or comes back meanwhile is at the end, and its turn comes next time. */
    struct sl_list mark = {0};
    sl_list_push_back(&calls->waiting, &mark);
    struct sl_list *node;
    while ((node = sl_list_pop_front(&calls->waiting)) != &mark) {
        run_waiting_call(core, SL_LIST_OF(node, struct sl_call, node));
    }
    sl_list_push_back(&calls->sent, &mark);
    while ((node = sl_list_pop_front(&calls->sent)) != &mark) {
        struct sl_call *call = SL_LIST_OF(node, struct sl_call, node);
        if (call->deadline <= core->now) {
            call->left = call->ticket->request.sent_whole;
            end_call(core, call, SLUICE_ERR_TIMEOUT, NULL);
        } else {
            sl_list_push_back(&calls->sent, node);
        }
    }
}

int64_t sl_calls_deadline(const struct sl_core *core) {
    int64_t at = SL_NEVER;
    SL_LIST_EACH(node, tmp, &core->calls.waiting) {
        const struct sl_call *call = SL_LIST_OF(node, const struct sl_call, node);
        if (!call->looked && call->not_before < at) at = call->not_before;
        if (call->deadline < at) at = call->deadline;
    }
    SL_LIST_EACH(node, tmp, &core->calls.sent) {
        const struct sl_call *call = SL_LIST_OF(node, const struct sl_call, node);
        if (call->deadline < at) at = call->deadline;
    }
    return at;
}
