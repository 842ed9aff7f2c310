/* The idempotent identity: a producer id and an epoch from InitProducerId.
 *
 *   NONE ──is_known──▶ ASKING ──answer──▶ KNOWN ──bump──▶ BUMPING ──answer──▶ KNOWN
 *                        └─refused for good─▶ FAILED ◀───────┘
 *
 * A bump names the identity held so far, and the broker raises its epoch (KIP-360, version 3);
 * older brokers give a new id, which serves as well, and so does a new id once the epoch is used
 * up. An answer that is lost costs nothing: identities are only numbers until they are used.
 *
 * Everything that another attempt might cure is asked again, with back-off and without end: batches
 * have their own deadline. Only refusals that a person has to cure end in FAILED, for the life of
 * the client. Who wants an identity asks is_known; when that changes the sender is told. */
#include "core/producer_id.h"

#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

void sl_producer_id_init(struct sl_producer_id *p, struct sl_core *core) {
    memset(p, 0, sizeof *p);
    p->core = core;
    p->state = SL_PRODUCER_ID_NONE;
    p->id = -1;
    p->epoch = -1;
}

void sl_producer_id_deinit(struct sl_producer_id *p) {
    if (p->call.active) sl_calls_cancel(p->core, &p->call);
}

static void set_identity_state(struct sl_producer_id *p, enum sl_producer_id_state state) {
    p->state = state;
    sl_trace_add(&p->core->trace, SL_TRACE_PRODUCER_ID, p->core->now, p->id, p->epoch);
}

static int fill_identity_request(struct sl_core *core, struct sl_call *call, int16_t version,
                                 struct sl_arena *arena, void *request) {
    (void)call;
    (void)arena;
    struct sl_init_producer_id_request *message = request;
    const struct sl_producer_id *p = &core->producer_id;
    message->transactional_id = SL_STR_NULL;
    message->transaction_timeout_ms = INT32_MAX;
    bool can_rise = version >= 3 && p->id >= 0 && p->epoch < INT16_MAX;
    message->producer_id = can_rise ? p->id : -1;
    message->producer_epoch = can_rise ? p->epoch : (int16_t)-1;
    return 0;
}

/* Nothing but a person's action would change the answer. */
static bool is_refused_for_good(int code) {
    if (code == SLUICE_ERR_UNSUPPORTED) return true;
    if (code < 0) return false; /* our own: lost, late, out of memory; and Kafka's "unknown" */
    int error_class = sl_errors_find(code)->error_class;
    return error_class == SLUICE_CLASS_DENIED || error_class == SLUICE_CLASS_USAGE;
}

static void on_identity_answer(struct sl_core *core, struct sl_call *call, int rv,
                               const void *response) {
    struct sl_producer_id *p = &core->producer_id;
    const struct sl_init_producer_id_response *message = response;
    int code = rv != 0 ? rv : sl_calls_code(message->error_code);
    if (rv == SLUICE_ERR_CLOSED) return;
    if (code == 0 && (message->producer_id < 0 || message->producer_epoch < 0))
        code = SLUICE_ERR_MALFORMED;
    if (code == 0) {
        p->id = message->producer_id;
        p->epoch = message->producer_epoch;
        call->attempts = 0;
        set_identity_state(p, SL_PRODUCER_ID_KNOWN);
        sl_sender_on_identity(core);
        return;
    }
    if (is_refused_for_good(code)) {
        p->code = code;
        set_identity_state(p, SL_PRODUCER_ID_FAILED);
        sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_ERROR, code, call->asked,
                       "no producer id can be had: %s", sl_errors_find(code)->text);
        sl_sender_on_identity(core);
        return;
    }
    /* Whatever a broker has against the identity held so far, a new one is free of it. */
    if (code > 0 && !sl_errors_is_retriable(code)) {
        p->id = -1;
        p->epoch = -1;
    }
    sl_calls_back_off(core, call);
    sl_calls_start(core, call);
}

static void ask_identity(struct sl_core *core) {
    struct sl_call *call = &core->producer_id.call;
    if (call->active) return;
    call->api = sl_api_find(SL_API_INIT_PRODUCER_ID);
    call->broker = SL_BROKER_ANY;
    call->purpose = SL_PURPOSE_CONTROL;
    call->deadline = SL_NEVER;
    call->not_before = 0;
    call->fill = fill_identity_request;
    call->done = on_identity_answer;
    sl_calls_start(core, call);
}

bool sl_producer_id_is_known(struct sl_core *core) {
    struct sl_producer_id *p = &core->producer_id;
    if (p->state == SL_PRODUCER_ID_NONE) {
        set_identity_state(p, SL_PRODUCER_ID_ASKING);
        ask_identity(core);
    }
    return p->state == SL_PRODUCER_ID_KNOWN;
}

void sl_producer_id_bump(struct sl_core *core, const char *why) {
    struct sl_producer_id *p = &core->producer_id;
    if (p->state != SL_PRODUCER_ID_KNOWN) return;
    sl_core_log(core, SL_LOG_INFO, "the producer epoch rises: %s", why);
    set_identity_state(p, SL_PRODUCER_ID_BUMPING);
    ask_identity(core);
}

/* Nothing is asked before the first record, but then at once rather than when a batch is sealed. */
void sl_producer_id_run(struct sl_core *core) {
    if (core->settings->idempotence && core->batcher.accepted > 0)
        (void)sl_producer_id_is_known(core);
}
