/* One client's part in a turn of the loop: between its mailboxes, its core and the host's sockets.
 *
 *   begin    time, interrupts; jobs that have ended; what applications put in: orders of the gate,
 *            records, commands
 *   ready    connects that ended, steps of TLS, bytes in, room for bytes out
 *   finish   core runs once; its events go to the outbox, its outputs to the host
 *   sleep    refused while core has had an input that it has not acted on, and while something
 *            came into the inbox
 *   end      the handle is being freed: everything gets its end, sockets close
 *
 * A turn is bounded: a connection moves about 1 MiB each way, then it is the next one's turn; it
 * stays ready. Under TLS bytes may be left of which the socket shows nothing: `unread` keeps the loop
 * from sleeping until they have been read. Log lines are written last, after all outcomes were posted, because a log sink may
 * block; notices, which may be dropped, wait for that.
 *
 * The wake rule (measured: a wake costs as much as staging 500 records): a thread that is awake is
 * never woken. When it sleeps until a time that is no later than linger.ms from now, records that
 * come meanwhile would linger anyway, and only a full chunk is worth a wake.
 *
 * Not here: who runs the turn (runtime.c), policy of any kind (core). */
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "base/trace.h"
#include "core/delivery.h"
#include "core/gate.h"
#include "driver/shell.h"
#include "driver/system.h"
#include "sluice/error.h"

enum {
    LOOP_BYTES_MAX = 1024 * 1024, /* a connection in a turn, each way */
    LOOP_PIECES_MAX = 256,        /* handed to one send; a system takes 1,024 */
    LOOP_TEXT = 320               /* why a connection failed */
};

static struct sluice_client *client_of(struct sl_member *m) {
    return (struct sluice_client *)(void *)((char *)m - offsetof(struct sluice_client, member));
}

/* ---- inputs ---- */

static void take_interrupts(struct sluice_client *c) {
    uint32_t word = sl_interrupt_peek(&c->interrupt);
    if (word == c->interrupt_seen) return;
    c->interrupt_seen = word;
    sl_inbox_mail_call(&c->inbox.mail);
    sl_outbox_call(&c->outbox);
}

static void pass_commands(struct sluice_client *c, struct sl_list *commands) {
    for (struct sl_list *node; (node = sl_list_pop_front(commands)) != NULL;) {
        struct sl_command *command = SL_LIST_OF(node, struct sl_command, node);
        if (command->kind == SL_COMMAND_METRICS) sl_inbox_count(&c->inbox, &command->mail);
        sl_core_on_command(c->core, command);
    }
}

/* What the application has finished, when core wants to commit it: read here, in the turn in which
 * core asks, so that no finish has to wake anybody. */
static void pass_finished(struct sluice_client *c) {
    struct sl_list commands;
    bool everything;
    if (!sl_core_wants_finished(c->core, &everything)) return;
    sl_outbox_take_finished(&c->outbox, everything, &commands);
    pass_commands(c, &commands);
}

static void take_jobs(struct sluice_client *c, bool is_last) {
    struct sl_job *job;
    while (c->jobs_out > 0 &&
           (job = c->host->take_job(c->host_self, c->member.id, is_last)) != NULL) {
        c->jobs_out--;
        if (c->outbox.gate != NULL)
            sl_outbox_give_job(&c->outbox, job);
        else
            sl_core_on_job(c->core, job);
        c->again = true;
    }
}

static void start_job(struct sluice_client *c, struct sl_job *job) {
    job->member = c->member.id;
    c->jobs_out++;
    c->host->start_job(c->host_self, job);
}

/* What the gate has for core and for the host. */
static void take_orders(struct sluice_client *c) {
    struct sl_outbox_orders orders;
    sl_outbox_take_orders(&c->outbox, &orders);
    if (orders.freed != 0 || !sl_list_is_empty(&orders.buffers))
        sl_core_on_returned(c->core, &orders.buffers, orders.freed);
    pass_commands(c, &orders.commands);
    for (struct sl_list *node; (node = sl_list_pop_front(&orders.jobs)) != NULL;)
        start_job(c, SL_LIST_OF(node, struct sl_job, node));
}

static void take_inputs(struct sluice_client *c, int64_t now, int64_t wall_ms, bool all) {
    struct sl_inbox_taken taken;
    c->again = false;
    sl_core_on_time(c->core, now, wall_ms);
    take_interrupts(c);
    take_jobs(c, false);
    sl_inbox_take(&c->inbox, now, all, sl_core_filling(c->core), &taken);
    take_orders(c);
    if (c->settings->role == SL_ROLE_PRODUCER) sl_core_on_staged(c->core, &taken.staged);
    pass_commands(c, &taken.commands);
    pass_finished(c);
    c->room |= taken.room;
}

/* ---- sockets ---- */

static void drop_link_socket(struct sluice_client *c, uint32_t link) {
    struct sl_socket *s = sl_sockets_find(&c->sockets, link);
    if (s == NULL) return;
    sl_tls_close(s->tls, true);
    c->host->close(c->host_self, s->fd);
    sl_sockets_remove(&c->sockets, link);
}

static void fail_link_socket(struct sluice_client *c, uint32_t link, int rv, const char *text) {
    drop_link_socket(c, link);
    sl_core_on_closed(c->core, link, rv, text);
    c->again = true;
}

/* The code of what recv, send or the handshake came to. */
static int fault_of(const struct sl_socket *s, int64_t result) {
    return s->tls != NULL && result == SL_IO_FAILED ? sl_tls_code(s->tls) : SLUICE_ERR_UNREACHABLE;
}

static void fail_moving(struct sluice_client *c, const struct sl_socket *s, int64_t result,
                        const char *text) {
    fail_link_socket(c, s->link, fault_of(s, result),
                     result == SL_IO_CLOSED ? "the peer closed the connection" : text);
}

static bool is_blocked(const struct sl_socket *s) {
    return s->tls != NULL && sl_tls_is_blocked(s->tls);
}

static void note_unread(struct sluice_client *c, const struct sl_socket *s) {
    c->unread |= s->tls != NULL && sl_tls_is_pending(s->tls);
}

static void step_handshake(struct sluice_client *c, struct sl_socket *s) {
    char text[LOOP_TEXT] = "";
    int rv = sl_tls_handshake(s->tls, text, sizeof text);
    if (rv != 0 && rv != SL_IO_AGAIN) {
        fail_moving(c, s, rv, text);
        return;
    }
    c->host->want_write(c->host_self, s->fd, is_blocked(s));
    if (rv != 0) return;
    s->handshaking = false;
    note_unread(c, s);
    sl_core_on_opened(c->core, s->link);
    c->again = true;
}

static void finish_connect(struct sluice_client *c, struct sl_socket *s) {
    char text[LOOP_TEXT] = "";
    int rv = c->host->connect_result(c->host_self, s->fd, text, sizeof text);
    if (rv != 0) {
        fail_link_socket(c, s->link, rv, text);
        return;
    }
    s->connecting = false;
    if (s->tls != NULL) {
        s->handshaking = true;
        step_handshake(c, s);
        return;
    }
    c->host->want_write(c->host_self, s->fd, false);
    sl_core_on_opened(c->core, s->link);
    c->again = true;
}

static void receive_from_link(struct sluice_client *c, const struct sl_socket *s) {
    char text[LOOP_TEXT] = "";
    size_t moved = 0;
    while (moved < LOOP_BYTES_MAX) {
        size_t size;
        uint8_t *room = sl_core_receive_room(c->core, s->link, &size);
        if (size == 0) break;
        if (size > LOOP_BYTES_MAX) size = LOOP_BYTES_MAX;
        int64_t got = s->tls != NULL
                          ? sl_tls_recv(s->tls, room, size, text, sizeof text)
                          : c->host->recv(c->host_self, s->fd, room, size, text, sizeof text);
        if (got == SL_IO_AGAIN) break;
        if (got < 0) {
            fail_moving(c, s, got, text);
            return;
        }
        sl_core_on_received(c->core, s->link, (size_t)got);
        c->again = true;
        moved += (size_t)got;
        if ((size_t)got < size) break; /* drained; when not, it is ready in the next turn */
    }
    note_unread(c, s);
    if (is_blocked(s)) c->host->want_write(c->host_self, s->fd, true);
}

static void send_to_link(struct sluice_client *c, const struct sl_socket *s) {
    struct sl_iov pieces[LOOP_PIECES_MAX];
    char text[LOOP_TEXT] = "";
    size_t moved = 0;
    bool more = true;
    while (more && moved < LOOP_BYTES_MAX) {
        size_t count = sl_core_send_pieces(c->core, s->link, pieces, LOOP_PIECES_MAX);
        size_t offered = 0;
        for (size_t i = 0; i < count; i++) offered += pieces[i].size;
        if (offered == 0 && !is_blocked(s)) {
            c->host->want_write(c->host_self, s->fd, false);
            return;
        }
        int64_t sent = s->tls != NULL
                           ? sl_tls_send(s->tls, pieces, count, text, sizeof text)
                           : c->host->send(c->host_self, s->fd, pieces, count, text, sizeof text);
        if (sent < 0 && sent != SL_IO_AGAIN) {
            fail_moving(c, s, sent, text);
            return;
        }
        if (sent > 0) {
            c->again |= sl_core_on_sent(c->core, s->link, (size_t)sent);
            moved += (size_t)sent;
        }
        more = sent == (int64_t)offered;
    }
    c->host->want_write(c->host_self, s->fd, true);
}

static void on_client_ready(struct sl_member *m, uint32_t link, uint32_t what) {
    struct sluice_client *c = client_of(m);
    struct sl_socket *s = sl_sockets_find(&c->sockets, link);
    if (s == NULL) return;
    if (s->connecting) {
        if ((what & (SL_READY_WRITE | SL_READY_ERROR)) != 0) finish_connect(c, s);
        return;
    }
    if (s->handshaking) {
        step_handshake(c, s);
        return;
    }
    if ((what & (SL_READY_READ | SL_READY_ERROR)) != 0) receive_from_link(c, s);
    if ((what & SL_READY_WRITE) == 0) return;
    s = sl_sockets_find(&c->sockets, link); /* gone when receiving failed */
    if (s != NULL) send_to_link(c, s);
}

/* What TLS has of connections whose sockets are quiet. */
static void receive_unread(struct sluice_client *c) {
    if (!c->unread) return;
    c->unread = false;
    for (uint32_t i = 0; i < c->sockets.count;) {
        const struct sl_socket *s = &c->sockets.list[i];
        uint32_t link = s->link;
        if (s->tls != NULL && !s->connecting && !s->handshaking && sl_tls_is_pending(s->tls))
            receive_from_link(c, s);
        if (i < c->sockets.count && c->sockets.list[i].link == link) i++;
    }
}

static void begin_client_turn(struct sl_member *m, int64_t now, int64_t wall_ms) {
    struct sluice_client *c = client_of(m);
    take_inputs(c, now, wall_ms, false);
    receive_unread(c);
}

static void on_client_answer(struct sl_member *m, const struct sl_host_answer *answer) {
    struct sluice_client *c = client_of(m);
    c->again = true;
    if (answer->kind == SL_ERRAND_NAME) {
        sl_core_on_resolved(c->core, answer->serial, answer->rv, answer->text, answer->addresses,
                            answer->count);
        return;
    }
    struct sl_errand_answer told = {answer->rv, answer->text, answer->bytes, answer->state};
    sl_core_on_errand(c->core, answer->serial, &told);
}

/* ---- outputs ---- */

/* *tls stays NULL where connections are plain. */
static int open_tls(struct sluice_client *c, const struct sl_output *out, int fd,
                    struct sl_text *why, struct sl_tls_conn **tls) {
    char buf[LOOP_TEXT];
    struct sl_text news;
    if (c->tls == NULL) return 0;
    struct sl_tls_pipe pipe = {c->host, c->host_self, fd};
    sl_text_init(&news, buf, sizeof buf);
    int rv = sl_tls_open(c->tls, &pipe, out->host, out->port, &c->alloc, &news, why, tls);
    if (news.size > 0) sl_core_on_news(c->core, SL_LOG_WARNING, buf);
    return rv;
}

static void open_link_socket(struct sluice_client *c, const struct sl_output *out) {
    char text[LOOP_TEXT] = "";
    struct sl_tls_conn *tls = NULL;
    struct sl_text why;
    int fd = -1;
    sl_text_init(&why, text, sizeof text);
    int rv = sl_sockets_reserve(&c->sockets);
    if (rv == 0) {
        rv = c->host->connect(c->host_self, &out->address, sl_runtime_token(&c->member, out->link),
                              c->settings->send_buffer_bytes, c->settings->receive_buffer_bytes,
                              &fd, text, sizeof text);
    }
    if (rv == 0) {
        rv = open_tls(c, out, fd, &why, &tls);
        if (rv != 0) c->host->close(c->host_self, fd);
    }
    if (rv == 0) {
        sl_sockets_put(&c->sockets, out->link, fd, true);
        sl_sockets_find(&c->sockets, out->link)->tls = tls;
        return;
    }
    sl_core_on_closed(c->core, out->link, rv, text);
    c->again = true;
}

static void start_resolve(struct sluice_client *c, const struct sl_output *out) {
    int rv = c->host->resolve(c->host_self, c->member.id, out->serial, out->host, out->port);
    if (rv == 0) return;
    sl_core_on_resolved(c->core, out->serial, rv, "the lookup could not be started", NULL, 0);
    c->again = true;
}

static void start_errand(struct sluice_client *c, const struct sl_output *out) {
    struct sl_host_errand errand = {out->errand, c->member.id, out->serial,    out->link,
                                    out->input,  c->settings,  out->kept_state};
    int rv = c->host->start_errand(c->host_self, &errand);
    if (rv == 0) return;
    struct sl_errand_answer answer = {.rv = rv, .text = "it could not be started"};
    sl_core_on_errand(c->core, out->serial, &answer);
    c->again = true;
}

static void pass_outputs(struct sluice_client *c) {
    struct sl_output out;
    while (sl_core_next_output(c->core, &out)) {
        struct sl_socket *s;
        switch (out.kind) {
        case SL_OUTPUT_RESOLVE:
            start_resolve(c, &out);
            break;
        case SL_OUTPUT_OPEN:
            open_link_socket(c, &out);
            break;
        case SL_OUTPUT_SEND:
            s = sl_sockets_find(&c->sockets, out.link);
            if (s != NULL && !s->connecting && !s->handshaking) send_to_link(c, s);
            break;
        case SL_OUTPUT_CLOSE:
            drop_link_socket(c, out.link);
            break;
        case SL_OUTPUT_JOB:
            start_job(c, out.job);
            break;
        case SL_OUTPUT_ERRAND:
            start_errand(c, &out);
            break;
        }
    }
}

/* ---- events ---- */

static void write_log_line(struct sluice_client *c, const struct sl_notice *notice) {
    sl_runtime_enter_callback(c->runtime);
    if (c->log_fn != NULL)
        c->log_fn(c->log_user, notice->level, notice->text);
    else
        sl_system_log(notice->level, notice->text);
    sl_runtime_leave_callback(c->runtime);
}

/* Writes what goes to the log; leaves in *notices what goes to the event ring. */
static void write_log(struct sluice_client *c, struct sl_list *notices, int64_t wall_ms) {
    bool sink = c->log_fn != NULL || c->settings->log_to == SL_LOG_TO_STDERR;
    bool ring = c->log_fn == NULL && c->settings->log_to == SL_LOG_TO_EVENTS;
    SL_LIST_EACH(it, tmp, notices) {
        struct sl_notice *notice = SL_LIST_OF(it, struct sl_notice, node);
        bool wanted = notice->level <= c->settings->log_level;
        notice->time_ms = wall_ms;
        if (sink && wanted) write_log_line(c, notice);
        if (notice->kind != SL_NOTICE_LOG || (ring && wanted)) continue;
        sl_list_remove(it);
        sl_alloc_free(&c->alloc, notice, sizeof *notice);
    }
}

static void post_notices_last(struct sluice_client *c) {
    if (sl_list_is_empty(&c->notices)) return;
    if (c->member.is_borrowed) {
        c->again = true; /* the I/O thread writes them */
        return;
    }
    struct sl_events events;
    sl_events_init(&events);
    write_log(c, &c->notices, c->host->wall_ms(c->host_self));
    sl_list_splice_back(&events.notices, &c->notices);
    struct sl_outbox_post post = {.events = &events};
    sl_outbox_post(&c->outbox, &post);
    sl_events_deinit(&events, &c->alloc);
}

static void post_client_events(struct sluice_client *c) {
    struct sl_events events;
    int64_t unread = 0;
    sl_core_take_events(c->core, &events);
    sl_list_splice_back(&c->notices, &events.notices);
    SL_LIST_EACH(it, tmp, &events.deliveries) {
        const struct sl_delivery *d = SL_LIST_OF(it, struct sl_delivery, node);
        if (d->watch == NULL) unread += (int64_t)sl_delivery_bytes(d);
    }
    if (!sl_list_is_empty(&events.chunks) || events.freed_bytes != 0 || unread != 0)
        c->room |= sl_inbox_give(&c->inbox, &events.chunks, events.freed_bytes, unread);
    events.freed_bytes = 0;
    bool closed = sl_core_is_closed(c->core) && !c->closed_posted;
    int64_t trusted_until = sl_core_trusted_until(c->core);
    bool is_short = sl_core_is_short(c->core);
    struct sl_outbox_post post = {.events = &events,
                                  .unread = unread,
                                  .room = c->room,
                                  .has_trust = trusted_until != c->trusted_until,
                                  .trusted_until = trusted_until,
                                  .has_short = is_short != c->is_short,
                                  .is_short = is_short,
                                  .closed = closed,
                                  .code = closed ? sl_core_close_code(c->core) : 0};
    sl_outbox_post(&c->outbox, &post);
    c->again |= post.again;
    c->trusted_until = trusted_until;
    c->is_short = is_short;
    c->room = false;
    c->closed_posted |= closed;
    sl_events_deinit(&events, &c->alloc);
    post_notices_last(c);
}

static void check_client(struct sluice_client *c) {
#ifdef SL_CHECKS
    sl_core_check(c->core);
    if (c->outbox.gate == NULL) return;
    sl_outbox_lock(&c->outbox);
    sl_gate_check(c->outbox.gate);
    sl_outbox_unlock(&c->outbox);
#else
    (void)c;
#endif
}

static void finish_client_turn(struct sl_member *m) {
    struct sluice_client *c = client_of(m);
    sl_core_run(c->core);
    c->again = false;
    pass_outputs(c);
    post_client_events(c);
    check_client(c);
    sl_trace_attach(NULL);
}

static bool let_client_sleep(struct sl_member *m, int64_t now, int64_t *until) {
    struct sluice_client *c = client_of(m);
    int64_t deadline = sl_core_deadline(c->core);
    if (c->again || c->unread || deadline <= now) return false;
    if (sl_interrupt_peek(&c->interrupt) != c->interrupt_seen) return false;
    bool lingers = c->settings->role == SL_ROLE_PRODUCER && deadline != SL_NEVER &&
                   deadline - now <= (int64_t)c->settings->linger_ms * 1000000;
    if (!sl_inbox_sleep(&c->inbox, lingers ? SL_STAGING_CHUNK : 1)) return false;
    if (deadline < *until) *until = deadline;
    return true;
}

static void end_client(struct sl_member *m, int64_t now, int64_t wall_ms) {
    struct sluice_client *c = client_of(m);
    take_inputs(c, now, wall_ms, true);
    sl_core_run(c->core);
    sl_core_abandon(c->core);
    take_jobs(c, true);
    post_client_events(c);
    while (c->sockets.count > 0) drop_link_socket(c, c->sockets.list[0].link);
    sl_runtime_give_tls(c->runtime, c->tls);
    c->tls = NULL;
    sl_trace_attach(NULL);
}

const struct sl_member_table sl_loop_member_table = {
    .begin = begin_client_turn,
    .on_ready = on_client_ready,
    .on_answer = on_client_answer,
    .finish = finish_client_turn,
    .sleep = let_client_sleep,
    .end = end_client,
};
