/* The whole machine: inputs to units, the order of a turn, outputs, closing. No policy is here.
 *
 * A turn: inputs change state and mark what has become possible; sl_core_run first looks at what
 * time has brought (connections, ops), then lets every unit act once in an order in which each
 * one's results are the next one's input (metadata, producer id, batcher, sender, offsets, group,
 * committer, committed, fetcher, calls), then tidies up.
 *
 *   OPEN ── CLOSE ──▶ CLOSING ── all is decided, or the deadline ──▶ CLOSED
 *
 * While CLOSING a producer sends what it has, without linger, and a consumer commits what is
 * finished and leaves its group, fetching no more; other roles have nothing to wait for. The step to
 * CLOSED happens within one turn and needs no memory: connections end and their
 * requests with them, records that are left get their outcome, calls and ops end. From then on
 * nothing starts: a late command ends with CLOSED, late records with NOT_WRITTEN. */
#include "core/core.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"

static bool is_producer(const struct sl_core *core) {
    return core->settings->role == SL_ROLE_PRODUCER;
}
static bool is_consumer(const struct sl_core *core) {
    return core->settings->role == SL_ROLE_CONSUMER;
}
/* A close stops it: nobody can poll any more. */
static bool fetches_now(const struct sl_core *core) {
    return is_consumer(core) && core->state == SL_CORE_OPEN;
}

/* ---- life ---- */

/* What the pool of receive buffers may keep: a consumer's are large and always in motion. */
static size_t pool_size(const struct sl_settings *settings) {
    enum { SMALL = 1024 * 1024, SHARE = 2 };
    if (settings->role != SL_ROLE_CONSUMER || settings->fetch_memory / SHARE < SMALL) return SMALL;
    return (size_t)(settings->fetch_memory / SHARE);
}

static void deinit_units(struct sl_core *core) {
    if (is_consumer(core)) {
        sl_group_deinit(&core->group);
        sl_fetcher_deinit(&core->fetcher);
        sl_committed_deinit(&core->committed);
        sl_committer_deinit(&core->committer);
    }
    sl_offsets_deinit(&core->offsets);
    if (is_producer(core)) {
        sl_sender_deinit(&core->sender);
        sl_batcher_deinit(&core->batcher);
        sl_producer_id_deinit(&core->producer_id);
    }
    sl_admin_deinit(&core->admin);
    sl_coordinators_deinit(&core->coordinators);
    sl_metadata_deinit(&core->metadata);
    sl_calls_deinit(&core->calls);
    sl_brokers_deinit(&core->brokers);
    sl_login_deinit(&core->login);
    sl_link_deinit_all(&core->links);
    sl_ops_deinit(&core->ops);
    sl_events_deinit(&core->events, core->alloc);
    sl_buffers_deinit(&core->buffers);
}

static int init_units(struct sl_core *core, uint64_t seed) {
    sl_events_init(&core->events);
    sl_list_init(&core->outputs);
    sl_list_init(&core->closers);
    sl_buffers_init(&core->buffers, core->alloc, pool_size(core->settings));
    sl_ops_init(&core->ops, core);
    sl_link_init_all(&core->links, core);
    sl_errand_init_all(&core->errands);
    sl_calls_init(&core->calls, core);
    sl_metadata_init(&core->metadata, core);
    sl_coordinators_init(&core->coordinators, core);
    sl_offsets_init(&core->offsets, core);
    sl_admin_init(&core->admin, core);
    int rv = sl_brokers_init(&core->brokers, core);
    int login_rv = sl_login_init(&core->login, core, seed);
    if (rv == 0) rv = login_rv;
    if (is_producer(core)) {
        sl_producer_id_init(&core->producer_id, core);
        int batcher_rv = sl_batcher_init(&core->batcher, core);
        if (rv == 0) rv = batcher_rv;
        sl_sender_init(&core->sender, core);
    }
    if (is_consumer(core)) {
        sl_committer_init(&core->committer, core);
        sl_committed_init(&core->committed, core);
        int fetcher_rv = sl_fetcher_init(&core->fetcher, core);
        if (rv == 0) rv = fetcher_rv;
        int group_rv = sl_group_init(&core->group, core);
        if (rv == 0) rv = group_rv;
    }
    return rv;
}

int sl_core_create(const struct sl_settings *settings, const struct sl_alloc *alloc, uint64_t seed,
                   struct sl_core **out) {
    struct sl_core *core = sl_alloc_zero(alloc, sizeof *core);
    if (core == NULL) return SLUICE_ERR_NOMEM;
    core->settings = settings;
    core->alloc = alloc;
    core->state = SL_CORE_OPEN;
    core->close_by = SL_NEVER;
    sl_rng_init(&core->rng, seed);
    sl_trace_init(&core->trace);
    int rv = init_units(core, seed);
    if (rv != 0) {
        deinit_units(core);
        sl_alloc_free(alloc, core, sizeof *core);
        return rv;
    }
    *out = core;
    return 0;
}

static void finish_closing(struct sl_core *core);

void sl_core_destroy(struct sl_core *core) {
    if (core == NULL) return;
    if (core->state != SL_CORE_CLOSED) finish_closing(core);
    deinit_units(core);
    if (sl_trace_attached() == &core->trace) sl_trace_attach(NULL);
    sl_alloc_free(core->alloc, core, sizeof *core);
}

/* ---- closing ---- */

/* Of the op of a CLOSE command: its deadline, or the end of the closing. */
static void end_closer(struct sl_core *core, struct sl_op *op, int code) {
    char buf[SL_OP_TEXT] = "";
    struct sl_text text;
    sl_text_init(&text, buf, sizeof buf);
    if (core->state != SL_CORE_CLOSED) core->close_is_late = true;
    if (is_consumer(core)) sl_committer_tell_close(core, &text);
    if (core->state != SL_CORE_CLOSED && is_producer(core))
        sl_text_printf(&text, "%" PRIu64 " records had no outcome at the deadline",
                       sl_batcher_pending(core));
    (void)code;
    sl_ops_end(&core->ops, op, sl_core_close_code(core), "%s", buf);
}

static void start_closing(struct sl_core *core, struct sl_op *op) {
    if (op != NULL) {
        op->on_over = end_closer;
        sl_list_push_back(&core->closers, &op->node);
    }
    if (core->state == SL_CORE_OPEN) {
        core->state = SL_CORE_CLOSING;
        if (is_consumer(core)) sl_committer_close(core);
        sl_trace_add(&core->trace, SL_TRACE_CLOSING, core->now, SL_CORE_CLOSING, 0);
    }
    if (core->state == SL_CORE_CLOSED && op != NULL) end_closer(core, op, 0);
}

/* Everything gets its end, in this order: requests, by their connections; records; calls; ops. */
static void finish_closing(struct sl_core *core) {
    uint64_t left = is_producer(core) ? sl_batcher_pending(core) : 0;
    sl_trace_add(&core->trace, SL_TRACE_CLOSING, core->now, SL_CORE_CLOSED, (int64_t)left);
    core->state = SL_CORE_CLOSED;
    SL_LIST_EACH(node, tmp, &core->links.all) {
        sl_link_cut(SL_LIST_OF(node, struct sl_link, node), SLUICE_ERR_CLOSED);
    }
    if (is_producer(core)) sl_batcher_abandon(core, SLUICE_ERR_CLOSED);
    sl_calls_close(core);
    sl_ops_close(&core->ops);
    SL_ASSERT(sl_list_is_empty(&core->closers));
}

/* True: the client is closed now. */
static bool run_closing(struct sl_core *core) {
    if (core->state != SL_CORE_CLOSING) return false;
    bool is_done = true;
    if (is_producer(core)) is_done = sl_batcher_pending(core) == 0;
    if (is_consumer(core)) is_done = sl_group_close(core) && sl_committer_is_done(core);
    core->close_is_late |= !is_done && core->close_by <= core->now;
    if (!is_done && !core->close_is_late) return false;
    finish_closing(core);
    return true;
}

void sl_core_abandon(struct sl_core *core) {
    if (core->state != SL_CORE_CLOSED) finish_closing(core);
}

int sl_core_close_code(const struct sl_core *core) {
    if (core->close_is_late) return SLUICE_ERR_TIMEOUT;
    return is_consumer(core) ? core->committer.close_code : 0;
}

bool sl_core_is_closed(const struct sl_core *core) { return core->state == SL_CORE_CLOSED; }

/* ---- inputs ---- */

void sl_core_on_time(struct sl_core *core, int64_t now, int64_t wall_ms) {
    SL_ASSERT(now >= core->now);
    core->now = now;
    core->wall_ms = wall_ms;
    sl_trace_attach(&core->trace);
}

void sl_core_on_staged(struct sl_core *core, struct sl_staged *staged) {
    SL_ASSERT(is_producer(core));
    sl_batcher_on_staged(core, staged);
    if (core->state == SL_CORE_CLOSED) sl_batcher_abandon(core, SLUICE_ERR_CLOSED);
}

static void dump_into(struct sl_core *core, struct sl_command *command) {
    struct sl_text text;
    sl_text_init(&text, command->buf, command->cap);
    sl_core_dump(core, &text);
    if (command->op == NULL) return;
    command->op->number = (int64_t)text.size;
    sl_ops_end(&core->ops, command->op, 0, NULL);
    command->op = NULL;
}

/* The unit that the command is for takes what it keeps out of it. False: not in this role. */
static bool route_command(struct sl_core *core, struct sl_command *command) {
    switch (command->kind) {
    case SL_COMMAND_FLUSH:
    case SL_COMMAND_DISCARD:
    case SL_COMMAND_HURRY:
        if (is_producer(core)) sl_batcher_on_command(core, command);
        return is_producer(core);
    case SL_COMMAND_ASSIGN:
    case SL_COMMAND_SEEK:
    case SL_COMMAND_PAUSE:
        if (is_consumer(core)) sl_fetcher_on_command(core, command);
        return is_consumer(core);
    case SL_COMMAND_REBALANCED:
        sl_fetcher_on_command(core, command);
        sl_group_on_command(core, command);
        return true;
    case SL_COMMAND_SUBSCRIBE:
    case SL_COMMAND_REJOIN:
        if (is_consumer(core)) sl_group_on_command(core, command);
        return is_consumer(core);
    case SL_COMMAND_COMMIT:
    case SL_COMMAND_UNFINISHED:
        if (is_consumer(core)) sl_committer_on_command(core, command);
        return is_consumer(core);
    case SL_COMMAND_OFFSETS:
        sl_offsets_on_command(core, command);
        return true;
    case SL_COMMAND_READY:
    case SL_COMMAND_PARTITIONS:
        sl_metadata_on_command(core, command);
        return true;
    case SL_COMMAND_CREATE_TOPIC:
    case SL_COMMAND_DELETE_TOPIC:
        sl_admin_on_command(core, command);
        return true;
    case SL_COMMAND_DUMP:
        dump_into(core, command);
        return true;
    case SL_COMMAND_METRICS:
        sl_metrics_on_command(core, command);
        return true;
    case SL_COMMAND_SET_LOGIN:
    case SL_COMMAND_SET_TOKEN:
        sl_login_on_command(core, command);
        return true;
    case SL_COMMAND_CLOSE:
        SL_UNREACHABLE();
    }
    return false;
}

/* While closing, only what serves the records and commits that are left. */
static bool is_allowed_now(const struct sl_core *core, enum sl_command_kind kind) {
    if (core->state == SL_CORE_OPEN || kind == SL_COMMAND_DUMP || kind == SL_COMMAND_METRICS)
        return true;
    if (kind == SL_COMMAND_REBALANCED) return core->state == SL_CORE_CLOSING;
    return core->state == SL_CORE_CLOSING &&
           (kind == SL_COMMAND_FLUSH || kind == SL_COMMAND_DISCARD || kind == SL_COMMAND_HURRY ||
            kind == SL_COMMAND_COMMIT || kind == SL_COMMAND_SET_LOGIN ||
            kind == SL_COMMAND_SET_TOKEN);
}

bool sl_core_wants_finished(const struct sl_core *core, bool *everything) {
    *everything = false;
    return is_consumer(core) && core->state != SL_CORE_CLOSED &&
           sl_committer_wants_finished(core, everything);
}

int64_t sl_core_trusted_until(const struct sl_core *core) {
    return is_consumer(core) ? sl_group_trusted_until(core) : SL_NEVER;
}

bool sl_core_is_short(const struct sl_core *core) {
    return is_consumer(core) && core->fetcher.is_short;
}

void sl_core_on_command(struct sl_core *core, struct sl_command *command) {
    struct sl_op *op = command->op;
    sl_trace_add(&core->trace, SL_TRACE_COMMAND, core->now, command->kind,
                 op != NULL ? (int64_t)op->id : 0);
    if (command->kind == SL_COMMAND_CLOSE && op != NULL && op->deadline < core->close_by)
        core->close_by = op->deadline;
    bool is_started = op == NULL || sl_ops_start(&core->ops, op) == 0;
    if (command->kind == SL_COMMAND_CLOSE) {
        /* Without memory for it the op has ended already; the closing goes on. */
        start_closing(core, is_started ? op : NULL);
    } else if (!is_started && command->kind == SL_COMMAND_COMMIT) {
        sl_committer_on_dropped(core);
    } else if (is_started && !is_allowed_now(core, command->kind)) {
        if (op != NULL) sl_ops_end(&core->ops, op, SLUICE_ERR_CLOSED, "the client is closed");
    } else if (is_started && !route_command(core, command)) {
        if (op != NULL) {
            sl_ops_end(&core->ops, op, SLUICE_ERR_USAGE, "not a call for a client of this role");
        }
    }
    sl_command_destroy(core->alloc, command);
}

void sl_core_on_returned(struct sl_core *core, struct sl_list *buffers, int64_t freed_bytes) {
    struct sl_list *node;
    while ((node = sl_list_pop_front(buffers)) != NULL) {
        sl_buffers_give(&core->buffers, SL_LIST_OF(node, struct sl_buffer, node));
    }
    if (is_consumer(core) && freed_bytes != 0) sl_fetcher_on_returned(core, freed_bytes);
}

void sl_core_on_resolved(struct sl_core *core, uint64_t serial, int rv, const char *text,
                         const struct sl_address *addresses, int32_t count) {
    sl_brokers_on_resolved(core, serial, rv, text, addresses, count);
}

void sl_core_on_errand(struct sl_core *core, uint64_t serial,
                       const struct sl_errand_answer *answer) {
    if (core->state != SL_CORE_CLOSED) sl_errand_on_answer(core, serial, answer);
}

void sl_core_set_jobs(struct sl_core *core, int32_t most, int32_t least_us) {
    if (is_producer(core)) sl_batcher_set_jobs(core, most, least_us);
}

void sl_core_set_key(struct sl_core *core, const uint8_t key[SL_CORE_KEY]) {
    memcpy(core->login.nonce_key, key, SL_CORE_KEY);
}

void sl_core_on_job(struct sl_core *core, struct sl_job *job) { sl_batcher_on_job(core, job); }

/* What the host still says of a connection that core has given up is dropped. */
void sl_core_on_opened(struct sl_core *core, uint32_t id) {
    struct sl_link *link = sl_link_find(core, id);
    if (link != NULL) sl_link_on_opened(link);
}

void sl_core_on_news(struct sl_core *core, int level, const char *text) {
    sl_core_log(core, level, "%s", text);
}

void sl_core_on_closed(struct sl_core *core, uint32_t id, int rv, const char *text) {
    struct sl_link *link = sl_link_find(core, id);
    if (link != NULL) sl_link_on_closed(link, rv, text);
}

uint8_t *sl_core_receive_room(struct sl_core *core, uint32_t id, size_t *size) {
    struct sl_link *link = sl_link_find(core, id);
    *size = 0;
    return link == NULL ? NULL : sl_link_receive_room(link, size);
}

void sl_core_on_received(struct sl_core *core, uint32_t id, size_t size) {
    struct sl_link *link = sl_link_find(core, id);
    if (link != NULL) sl_link_on_received(link, size);
}

size_t sl_core_send_pieces(struct sl_core *core, uint32_t id, struct sl_iov *pieces, size_t cap) {
    const struct sl_link *link = sl_link_find(core, id);
    return link == NULL ? 0 : sl_link_send_pieces(link, pieces, cap);
}

bool sl_core_on_sent(struct sl_core *core, uint32_t id, size_t size) {
    struct sl_link *link = sl_link_find(core, id);
    return link != NULL && sl_link_on_sent(link, size);
}

/* ---- a turn ---- */

static void run_units(struct sl_core *core) {
    sl_metadata_run(core);
    if (is_producer(core)) {
        if (core->state == SL_CORE_CLOSING) core->batcher.hurry = true;
        sl_producer_id_run(core);
        sl_batcher_run(core);
        sl_sender_run(core);
    }
    sl_offsets_run(core);
    if (is_consumer(core)) {
        sl_group_run(core);
        sl_committer_run(core);
        sl_committed_run(core);
    }
    if (fetches_now(core)) sl_fetcher_run(core);
    sl_calls_run(core);
}

void sl_core_run(struct sl_core *core) {
    if (core->state == SL_CORE_CLOSED) return;
    sl_stats_on_turn(core);
    if (core->brokers.wake_at <= core->now) core->brokers.wake_at = SL_NEVER;
    sl_link_run_timers(core);
    /* Before the deadlines: closing with nothing left to do is in time even with none left. */
    if (run_closing(core)) return;
    sl_ops_run(&core->ops);
    if (run_closing(core)) return;
    sl_login_run(core);
    run_units(core);
    if (run_closing(core)) return;
    sl_brokers_run(core);
}

static void lower_deadline(int64_t *at, int64_t other) {
    if (other < *at) *at = other;
}

uint32_t sl_core_filling(const struct sl_core *core) { return core->batcher.open_count; }

int64_t sl_core_deadline(const struct sl_core *core) {
    int64_t at = SL_NEVER;
    if (core->state == SL_CORE_CLOSED) return at;
    const struct sl_heap_node *link = sl_heap_peek(&core->links.timers);
    if (link != NULL) at = link->at;
    if (core->state == SL_CORE_CLOSING) lower_deadline(&at, core->close_by);
    lower_deadline(&at, sl_brokers_deadline(core));
    lower_deadline(&at, sl_login_deadline(core));
    lower_deadline(&at, sl_ops_deadline(&core->ops));
    lower_deadline(&at, sl_metadata_deadline(core));
    lower_deadline(&at, sl_calls_deadline(core));
    if (is_producer(core)) {
        lower_deadline(&at, sl_batcher_deadline(core));
        lower_deadline(&at, sl_sender_deadline(core));
    }
    lower_deadline(&at, sl_offsets_deadline(core));
    if (is_consumer(core)) {
        lower_deadline(&at, sl_group_deadline(core));
        lower_deadline(&at, sl_committer_deadline(core));
        lower_deadline(&at, sl_committed_deadline(core));
    }
    if (fetches_now(core)) lower_deadline(&at, sl_fetcher_deadline(core));
    return at;
}

/* ---- outputs ---- */

/* What the host is to do next for the link; false: nothing any more. */
static bool next_link_output(struct sl_link *link, struct sl_output *out) {
    if (link->closing_id != 0) {
        out->kind = SL_OUTPUT_CLOSE;
        out->link = link->closing_id;
        link->closing_id = 0;
        return true;
    }
    if (link->wants_open) {
        out->kind = SL_OUTPUT_OPEN;
        out->link = link->id;
        out->address = link->broker->addresses[link->address];
        out->host = link->broker->host;
        out->port = link->broker->port;
        link->wants_open = false;
        return true;
    }
    if (link->wants_send) {
        out->kind = SL_OUTPUT_SEND;
        out->link = link->id;
        link->wants_send = false;
        return true;
    }
    return false;
}

bool sl_core_next_output(struct sl_core *core, struct sl_output *out) {
    memset(out, 0, sizeof *out);
    struct sl_broker *broker = core->state == SL_CORE_CLOSED ? NULL : sl_brokers_next_resolve(core);
    if (broker != NULL) {
        out->kind = SL_OUTPUT_RESOLVE;
        out->serial = broker->resolve_serial;
        out->host = broker->host;
        out->port = broker->port;
        return true;
    }
    struct sl_errand *errand = core->state == SL_CORE_CLOSED ? NULL : sl_errand_next(core);
    if (errand != NULL) {
        out->kind = SL_OUTPUT_ERRAND;
        out->serial = errand->serial;
        out->link = errand->link;
        out->errand = errand->kind;
        out->input = errand->input;
        out->kept_state = &errand->state;
        return true;
    }
    bool makes_jobs = is_producer(core) && core->state != SL_CORE_CLOSED;
    if (makes_jobs && (out->job = sl_batcher_next_job(core)) != NULL) {
        out->kind = SL_OUTPUT_JOB;
        return true;
    }
    struct sl_list *node;
    while ((node = sl_list_peek(&core->outputs)) != NULL) {
        if (next_link_output(SL_LIST_OF(node, struct sl_link, output), out)) return true;
        sl_list_remove(node);
    }
    return false;
}

void sl_core_take_events(struct sl_core *core, struct sl_events *out) {
    sl_events_init(out);
    sl_events_move(out, &core->events);
}

uint64_t sl_core_trace_hash(const struct sl_core *core) { return core->trace.hash; }

/* ---- what units share ---- */

int64_t sl_core_backoff(struct sl_core *core, int32_t first_ms, int32_t most_ms,
                        uint32_t failures) {
    enum { LEAST_MS = 10 };
    int64_t ms = first_ms < LEAST_MS ? LEAST_MS : first_ms;
    for (uint32_t i = 0; i < failures && ms < most_ms; i++) ms *= 2;
    if (ms > most_ms) ms = most_ms;
    /* The limits hold for what comes out, as KIP-580 has it: jitter does not go beyond them. */
    int64_t wait = sl_rng_jitter(&core->rng, ms * SL_MS);
    if (wait > most_ms * SL_MS) wait = most_ms * SL_MS;
    return wait < LEAST_MS * SL_MS ? LEAST_MS * SL_MS : wait;
}

int64_t sl_core_retry_at(struct sl_core *core, uint32_t failures) {
    struct sl_core_retry *last = &core->last_retry;
    if (last->wait == 0 || last->since != core->now || last->failures != failures) {
        last->since = core->now;
        last->failures = failures;
        last->wait = sl_core_backoff(core, core->settings->retry_backoff_ms,
                                     core->settings->retry_backoff_max_ms, failures);
    }
    return core->now + last->wait;
}

static void add_notice(struct sl_core *core, int kind, int level, int code, int32_t broker,
                       const char *format, va_list args) {
    enum { NOTICES_MAX = 64 }; /* in one turn; a flood tells no more than its beginning */
    if (core->events.notice_count >= NOTICES_MAX) return;
    struct sl_notice *notice = sl_alloc_zero(core->alloc, sizeof *notice);
    if (notice == NULL) return;
    notice->kind = kind;
    notice->level = level;
    notice->code = code;
    notice->broker = broker;
    notice->partition = -1;
    struct sl_text text;
    sl_text_init(&text, notice->text, sizeof notice->text);
    sl_text_vprintf(&text, format, args);
    sl_list_push_back(&core->events.notices, &notice->node);
    core->events.notice_count++;
}

void sl_core_notice(struct sl_core *core, int kind, int level, int code, int32_t broker,
                    const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_notice(core, kind, level, code, broker, format, args);
    va_end(args);
}

void sl_core_log(struct sl_core *core, int level, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_notice(core, SL_NOTICE_LOG, level, 0, -1, format, args);
    va_end(args);
}
