/* The life of a client: making, closing, freeing, forks, and the count of what keeps its shell.
 *
 *   open ── close begins ──▶ closing ── core is done, or has the deadline ──▶ closed ── free ──▶
 *   shell, until the last batch, op and set of deliveries is given back
 *
 * A close needs no memory: its command and op are reserved when the client is made. It returns by
 * its deadline whatever the loop is doing: when the loop is stuck (a log sink that blocks), the
 * answer is what can be known without it, and stays the answer.
 *
 * Free takes the client out of its runtime, which is a turn in which everything gets its end; from
 * then on nobody but holders of the shell touches it.
 *
 * In a forked child no lock is taken that a thread of the parent may have held: descriptors are
 * closed, and memory is freed only if nobody was inside.
 *
 * Not here: waiting (client_wait.c), operations, the gate, events. */
#include "driver/client.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "driver/forked.h"
#include "driver/runtime_inside.h"
#include "driver/shell.h"
#include "driver/system.h"
#include "sluice/error.h"

enum { CLIENT_MAGIC = 0x51c0c11e, CLIENT_GONE = 0x0badc11e };

/* ---- checks ---- */

static bool is_forked_client(const struct sluice_client *c) {
    return c->fork_generation != sl_forked_generation;
}

int sl_client_check(const struct sluice_client *c) {
    if (c == NULL || c->magic != CLIENT_MAGIC) return SLUICE_ERR_USAGE;
    return is_forked_client(c) ? SLUICE_ERR_FORKED : 0;
}

int sl_client_check_open(struct sluice_client *c) {
    int rv = sl_client_check(c);
    if (rv != 0) return rv;
    sl_outbox_lock(&c->outbox);
    bool open = c->outbox.state == SL_OUTBOX_OPEN;
    sl_outbox_unlock(&c->outbox);
    return open ? 0 : SLUICE_ERR_CLOSED;
}

const struct sl_settings *sl_client_settings(const struct sluice_client *c) { return c->settings; }
const struct sl_alloc *sl_client_alloc(const struct sluice_client *c) { return &c->alloc; }

/* ---- making ---- */

/* What nobody may guess is drawn where it is needed. */
static int give_core_a_key(struct sluice_client *c) {
    uint8_t key[SL_CORE_KEY];
    int rv = c->host->entropy(c->host_self, key, sizeof key);
    if (rv == 0) sl_core_set_key(c->core, key);
    sl_alloc_wipe(key, sizeof key);
    return rv;
}

static int create_client_core(struct sluice_client *c) {
    uint64_t seed;
    int rv = c->host->entropy(c->host_self, &seed, sizeof seed);
    if (rv == 0) rv = sl_core_create(c->settings, &c->alloc, seed, &c->core);
    if (rv == 0 && c->settings->sasl_mechanism != SL_SASL_NONE) rv = give_core_a_key(c);
    if (rv != 0) return rv;
    int32_t least_us = 0;
    int32_t most = c->host->jobs(c->host_self, &least_us);
    if (most > 0) sl_core_set_jobs(c->core, most, least_us);
    if (c->outbox.gate != NULL) sl_gate_set_jobs(c->outbox.gate, most, least_us);
    return 0;
}

static int reserve_close(struct sluice_client *c) {
    int rv = sl_op_create(&c->alloc, 0, SL_NEVER, &c->close_op);
    if (rv == 0) rv = sl_command_create(&c->alloc, SL_COMMAND_CLOSE, &c->close_command);
    if (rv == 0) c->close_op->shell = c;
    return rv;
}

/* The runtime that was given, or one of its own. */
static int find_runtime(struct sluice_client *c, struct sluice_runtime *given) {
    int rv = given == NULL ? sl_runtime_create(SL_RUNTIME_THREAD, &c->alloc, &c->runtime)
                           : sl_runtime_check(given);
    if (rv != 0) return rv;
    if (given != NULL) c->runtime = given;
    c->host = sl_runtime_table(c->runtime, &c->host_self);
    return 0;
}

/* Said once, because it is easily left behind by a test. */
static void warn_of_trust(struct sluice_client *c) {
    if (c->tls == NULL) return;
    if (!c->settings->tls.verify)
        sl_core_on_news(c->core, SL_LOG_WARNING,
                        "enable.ssl.certificate.verification=false: any certificate will do, and "
                        "whoever is on the way can read and change everything");
    else if (c->settings->tls.verify_no_name)
        sl_core_on_news(c->core, SL_LOG_WARNING,
                        "ssl.endpoint.identification.algorithm=none: whoever has a certificate of "
                        "the same authority can pass for a broker");
}

static void free_close_parts(struct sluice_client *c) {
    sl_command_destroy(&c->alloc, c->close_command);
    sl_op_destroy(&c->alloc, c->close_op);
}

int sl_client_create(const struct sl_client_options *options, struct sluice_client **out) {
    int rv = sl_forked_watch();
    if (rv != 0) return rv;
    struct sluice_client *c = sl_alloc_zero(&options->alloc, sizeof *c);
    if (c == NULL) return SLUICE_ERR_NOMEM;
    c->alloc = options->alloc;
    c->settings = options->settings;
    c->free_settings = options->free_settings;
    c->log_fn = options->log_fn;
    c->log_user = options->log_user;
    c->fork_generation = sl_forked_generation;
    c->member.table = &sl_loop_member_table;
    sl_sockets_init(&c->sockets, &c->alloc);
    sl_list_init(&c->notices);
    rv = sl_inbox_init(&c->inbox, c->settings, &c->alloc);
    if (rv != 0) goto free_client;
    rv = sl_outbox_init(&c->outbox, c->settings, &c->alloc);
    if (rv != 0) goto deinit_inbox;
    rv = reserve_close(c);
    if (rv != 0) goto free_close;
    rv = find_runtime(c, options->runtime);
    if (rv != 0) goto free_close;
    c->outbox.runtime = c->runtime;
    if ((c->settings->security & SL_SECURITY_SSL) != 0)
        rv = sl_runtime_take_tls(c->runtime, &c->settings->tls, options->why, &c->tls);
    if (rv != 0) goto release_runtime;
    rv = create_client_core(c);
    if (rv != 0) goto give_tls;
    warn_of_trust(c);
    c->outbox.holders = 1;
    rv = sl_runtime_join(c->runtime, &c->member);
    if (rv != 0) goto destroy_core;
    if (options->runtime == NULL) sl_runtime_release(c->runtime); /* the member keeps it */
    c->magic = CLIENT_MAGIC;
    *out = c;
    return 0;

destroy_core:
    sl_core_destroy(c->core);
give_tls:
    sl_runtime_give_tls(c->runtime, c->tls);
release_runtime:
    if (options->runtime == NULL) sl_runtime_release(c->runtime);
free_close:
    free_close_parts(c);
    sl_outbox_deinit(&c->outbox);
deinit_inbox:
    sl_inbox_deinit(&c->inbox);
free_client:
    sl_alloc_free(&options->alloc, c, sizeof *c);
    return rv;
}

/* ---- the shell ---- */

/* Nothing of the client is left in anyone's hands. */
static void destroy_shell(struct sluice_client *c) {
    struct sl_alloc alloc = c->alloc;
    free_close_parts(c);
    sl_op_destroy(&alloc, c->dump.op);
    sl_alloc_free(&alloc, c->dump.buf, c->dump.cap);
    sl_outbox_deinit(&c->outbox);
    sl_inbox_deinit(&c->inbox);
    c->free_settings(c->settings, &alloc);
    c->magic = 0;
    sl_alloc_free(&alloc, c, sizeof *c);
}

void sl_client_hold(struct sluice_client *c) {
    if (is_forked_client(c)) {
        c->outbox.holders++;
        return;
    }
    sl_outbox_lock(&c->outbox);
    c->outbox.holders++;
    sl_outbox_unlock(&c->outbox);
}

/* In a child: were application threads of the parent inside, or was a turn under way? Then what
 * they worked on is left alone. */
static bool is_safe_in_child(struct sluice_client *c) {
    if (!sl_inbox_is_free(&c->inbox)) return false;
    if (!sl_inbox_mail_try_lock(&c->outbox.mail)) return false;
    sl_inbox_mail_unlock(&c->outbox.mail);
    return true;
}

void sl_client_drop(struct sluice_client *c) {
    if (is_forked_client(c)) {
        if (--c->outbox.holders > 0 || c->abandoned) return;
        destroy_shell(c);
        return;
    }
    sl_outbox_lock(&c->outbox);
    bool last = --c->outbox.holders == 0;
    sl_outbox_unlock(&c->outbox);
    if (last) destroy_shell(c);
}

/* ---- closing ---- */

static bool is_closed_or_given_up(struct sluice_client *c, void *arg) {
    (void)arg;
    return c->outbox.state == SL_OUTBOX_CLOSED || c->outbox.given_up;
}

/* The first close: reserved command and op go to core. */
static void start_close(struct sluice_client *c, int64_t deadline) {
    bool wake;
    struct sl_command *command = c->close_command;
    c->close_command = NULL;
    c->close_op->deadline = deadline;
    command->op = c->close_op;
    int rv = sl_inbox_post(&c->inbox, command, true, &wake);
    SL_ASSERT(rv == 0);
    if (wake) sl_runtime_wake(c->runtime);
    sl_outbox_call(&c->outbox); /* who waits for something else sees CLOSED */
}

/* Held. True: this call is the first, and has to start it. */
static bool note_close(struct sluice_client *c) {
    if (c->outbox.state != SL_OUTBOX_OPEN) return false;
    c->outbox.state = SL_OUTBOX_CLOSING;
    return true;
}

/* The loop did not answer in time: what can be said without it, for good. Records without outcome
 * may or may not be written. */
static int give_up_close(struct sluice_client *c) {
    struct sl_client_counts counts;
    sl_client_counts(c, &counts);
    sl_outbox_lock(&c->outbox);
    if (!is_closed_or_given_up(c, NULL)) {
        c->outbox.given_up = true;
        c->outbox.close_code = sl_outbox_verdict(&c->outbox, SLUICE_ERR_TIMEOUT);
        if (c->outbox.close_code == 0 && counts.pending > 0)
            c->outbox.close_code = SLUICE_ERR_MAYBE_WRITTEN;
    }
    int code = c->outbox.close_code;
    sl_outbox_unlock(&c->outbox);
    sl_outbox_call(&c->outbox);
    sl_runtime_wake(c->runtime);
    return code;
}

static int wait_for_close(struct sluice_client *c, int64_t deadline, bool first) {
    struct sl_shell_wait wait = {
        .done = is_closed_or_given_up, .deadline = deadline, .deaf = true, .patient = true};
    sl_outbox_lock(&c->outbox);
    int rv = sl_client_await(c, &wait);
    int code = c->outbox.close_code;
    sl_outbox_unlock(&c->outbox);
    if (rv == 0) return code;
    if (rv == SLUICE_ERR_USAGE) return rv;
    return first ? give_up_close(c) : SLUICE_ERR_TIMEOUT;
}

/* A ticket that ends when the client is closed. */
static int make_close_ticket(struct sluice_client *c, struct sl_op **ticket) {
    int rv = sl_op_create(&c->alloc, 0, SL_NEVER, ticket);
    if (rv != 0) return rv;
    struct sl_op *op = *ticket;
    op->shell = c;
    op->ticket = true;
    sl_outbox_lock(&c->outbox);
    op->id = ++c->outbox.last_op;
    c->outbox.holders++;
    bool closed = is_closed_or_given_up(c, NULL);
    if (closed) {
        op->code = c->outbox.close_code;
        op->posted = true;
    }
    sl_list_push_back(closed ? &c->outbox.ended : &c->outbox.tickets, &op->node);
    sl_outbox_unlock_and_signal(&c->outbox);
    return 0;
}

int sl_client_close(struct sluice_client *c, int32_t timeout_ms, struct sl_op **ticket) {
    if (ticket == NULL && sl_runtime_is_inside(c->runtime)) return SLUICE_ERR_USAGE;
    if (ticket != NULL) {
        int rv = make_close_ticket(c, ticket);
        if (rv != 0) return rv;
    }
    int64_t deadline = sl_client_deadline(c, timeout_ms);
    sl_outbox_lock(&c->outbox);
    bool first = note_close(c);
    sl_outbox_unlock(&c->outbox);
    if (first) start_close(c, ticket != NULL ? deadline : sl_client_core_deadline(c, deadline));
    return ticket != NULL ? 0 : wait_for_close(c, deadline, first);
}

void sl_client_interrupt(struct sluice_client *c) {
    sl_interrupt_raise(&c->interrupt);
    sl_runtime_wake(c->runtime);
}

/* ---- freeing ---- */

/* Free without close: what happened to the records is said once. */
static void warn_of_dropped(struct sluice_client *c, const struct sl_client_counts *before) {
    char line[160];
    struct sl_text text;
    if (c->settings->log_level < SL_LOG_WARNING) return;
    sl_text_init(&text, line, sizeof line);
    sl_text_printf(&text,
                   "client \"%s\" was freed without a close: %" PRId64
                   " records had no outcome and were dropped",
                   c->settings->client_id, before->pending);
    if (c->log_fn != NULL)
        c->log_fn(c->log_user, SL_LOG_WARNING, line);
    else if (c->settings->log_to == SL_LOG_TO_STDERR)
        sl_system_log(SL_LOG_WARNING, line);
}

/* Commands that core never saw: their ops end here. */
static void settle_commands_in_child(struct sluice_client *c) {
    struct sl_list commands;
    sl_list_init(&commands);
    sl_list_splice_back(&commands, &c->inbox.commands);
    if (c->outbox.gate != NULL) sl_gate_take_orders(c->outbox.gate, &commands);
    for (struct sl_list *node; (node = sl_list_pop_front(&commands)) != NULL;) {
        struct sl_command *command = SL_LIST_OF(node, struct sl_command, node);
        struct sl_op *op = command->op;
        sl_command_destroy(&c->alloc, command);
        if (op == NULL) continue;
        op->code = SLUICE_ERR_FORKED;
        op->posted = true;
        if (op->forgotten) sl_op_destroy(&c->alloc, op);
    }
}

/* The end of everything that core still has, in a child where nothing else runs. */
static void settle_in_child(struct sluice_client *c) {
    struct sl_events events;
    settle_commands_in_child(c);
    sl_core_abandon(c->core);
    sl_core_take_events(c->core, &events);
    sl_list_splice_back(&events.notices, &c->notices);
    SL_LIST_EACH(it, tmp, &events.ops) {
        struct sl_op *op = SL_LIST_OF(it, struct sl_op, node);
        op->posted = true;
        if (!op->forgotten) sl_list_remove(it);
    }
    sl_events_deinit(&events, &c->alloc);
    sl_core_destroy(c->core);
    c->core = NULL;
    /* The connections are the parent's: nothing is said on them. */
    for (uint32_t i = 0; i < c->sockets.count; i++) sl_tls_close(c->sockets.list[i].tls, false);
    sl_sockets_deinit(&c->sockets);
}

static void free_in_child(struct sluice_client *c) {
    bool safe = is_safe_in_child(c) && !sl_runtime_was_turning(c->runtime);
    c->magic = CLIENT_GONE;
    sl_outbox_abandon(&c->outbox);
    if (safe)
        settle_in_child(c);
    else
        c->abandoned = true;
    sl_runtime_abandon_member(&c->member);
    sl_client_drop(c);
}

void sl_client_free(struct sluice_client *c) {
    int rv = sl_client_check(c);
    if (rv == SLUICE_ERR_FORKED) free_in_child(c);
    if (rv != 0 || sl_runtime_is_inside(c->runtime)) return;
    struct sl_client_counts before;
    sl_client_counts(c, &before);
    sl_outbox_lock(&c->outbox);
    bool first = note_close(c);
    c->freeing = true;
    while (c->pokers > 0) (void)sl_inbox_mail_wait(&c->outbox.mail, SL_NEVER);
    sl_outbox_unlock(&c->outbox);
    if (first) start_close(c, 0);
    c->magic = CLIENT_GONE;
    sl_runtime_leave(&c->member);
    if (first) warn_of_dropped(c, &before);
    sl_core_destroy(c->core);
    c->core = NULL;
    sl_sockets_deinit(&c->sockets);
    sl_client_drop(c);
}

/* ---- counts ---- */

void sl_client_counts(struct sluice_client *c, struct sl_client_counts *out) {
    struct sl_mail_counts mail;
    /* Decided first: a record accepted in between is pending, never missing. */
    sl_outbox_lock(&c->outbox);
    out->written = c->outbox.written;
    out->not_written = c->outbox.not_written;
    out->maybe_written = c->outbox.maybe_written;
    sl_outbox_unlock(&c->outbox);
    sl_inbox_count(&c->inbox, &mail);
    out->pending_bytes = mail.used - mail.unread;
    out->pending = mail.accepted - out->written - out->not_written - out->maybe_written;
    if (out->pending_bytes < 0) out->pending_bytes = 0;
}
