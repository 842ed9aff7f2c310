/* A client as applications hold it: mailboxes around the core, and every call that may wait. The
 * api layer checks and copies arguments and then calls what is here.
 *
 * The memory of struct sluice_client outlives sl_client_free while batches, ops or deliveries of it
 * exist (hold and drop count them): then it is a shell of mailboxes, allocator, settings and
 * topic names; core, sockets and runtime are gone.
 *
 * timeout_ms everywhere: 0 does not wait, -1 waits without limit, -2 is default.api.timeout.ms.
 * Calls that wait return SLUICE_ERR_INTERRUPTED, SLUICE_ERR_FORKED, and SLUICE_ERR_USAGE when
 * called from inside a callback on the thread that runs the client. */
#ifndef SL_DRIVER_CLIENT_H
#define SL_DRIVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/text.h"
#include "core/command.h"
#include "core/offset_list.h"
#include "core/ops.h"
#include "core/settings.h"
#include "core/staging.h"

struct sluice_client;
struct sluice_runtime;

enum { SL_TIMEOUT_DEFAULT = -2 };

/* A log line without a newline, as the public sluice_log_fn has it. */
typedef void (*sl_log_fn)(void *user, int32_t level, const char *line);

struct sl_client_options {
    struct sl_settings *settings; /* taken when create succeeds */
    /* Frees them, with the client's copy of alloc; called when the shell goes. */
    void (*free_settings)(struct sl_settings *settings, const struct sl_alloc *alloc);
    struct sl_alloc alloc;          /* copied */
    struct sluice_runtime *runtime; /* NULL: an I/O thread of its own */
    sl_log_fn log_fn;               /* NULL: as settings->log_to says */
    void *log_user;
    struct sl_text *why; /* says what is wrong with CONFIG */
};

/* ---- life ---- */

/* 0, NOMEM, SYSTEM, FORKED (the runtime is the parent's), CONFIG (a file that the settings name). */
int sl_client_create(const struct sl_client_options *options, struct sluice_client **out);
/* What every call asks first: 0, FORKED, or USAGE for NULL and for a handle that was freed. */
int sl_client_check(const struct sluice_client *c);
/* As sl_client_check, and CLOSED once a close has begun. */
int sl_client_check_open(struct sluice_client *c);
const struct sl_settings *sl_client_settings(const struct sluice_client *c);
/* The allocator of everything that belongs to this client; lives as long as the shell. */
const struct sl_alloc *sl_client_alloc(const struct sluice_client *c);
/* Monotonic nanoseconds when a timeout that starts now ends; SL_NEVER for -1, 0 for 0. */
int64_t sl_client_deadline(const struct sluice_client *c, int32_t timeout_ms);

/* sluice_client_close. *ticket (when not NULL) is made, and the call returns at once. */
int sl_client_close(struct sluice_client *c, int32_t timeout_ms, struct sl_op **ticket);
/* sluice_client_free: NULL is fine; from inside a callback of the client it does nothing. */
void sl_client_free(struct sluice_client *c);
/* Signal-safe. */
void sl_client_interrupt(struct sluice_client *c);

/* An object handed to the application keeps the shell: hold when it is made, drop when it goes
 * (last of all: the shell may go with it). */
void sl_client_hold(struct sluice_client *c);
void sl_client_drop(struct sluice_client *c);

/* ---- producing ---- */

/* Stages one record. Reads no clock unless it has to wait. 0, FULL, UNREAD, TOO_BIG, NOMEM,
 * CLOSED. */
int sl_client_stage(struct sluice_client *c, struct sl_staging_input *in, int32_t timeout_ms);
/* The same for many under one lock (64 or so a call are enough); *accepted counts the prefix that
 * was taken, error or not. */
int sl_client_stage_many(struct sluice_client *c, struct sl_staging_input *in, int32_t count,
                         int64_t deadline, int32_t *accepted);
/* Stages one record and waits for its outcome. 0: *out is the report, to be destroyed by the caller
 * (sl_delivery_destroy). TIMEOUT, also after an interrupt: it is accepted and undecided, its report
 * will follow.
 * Else as sl_client_stage. */
int sl_client_write(struct sluice_client *c, struct sl_staging_input *in, int32_t timeout_ms,
                    struct sl_delivery **out);
/* Moves all reports (struct sl_delivery, given back with sl_client_give_deliveries) into *out, which is
 * initialised here. Waits for the first. 0 (perhaps with none), or CLOSED: closed and none left.
 * Their topic names live as long as the shell. */
int sl_client_take_deliveries(struct sluice_client *c, int32_t timeout_ms, struct sl_list *out);
/* Frees reports, or has them used again. Right also when the client is gone. */
void sl_client_give_deliveries(struct sluice_client *c, struct sl_list *deliveries);
/* Records since the client was made. */
struct sl_client_counts {
    int64_t pending; /* accepted and not decided */
    int64_t pending_bytes;
    int64_t written;
    int64_t not_written;
    int64_t maybe_written;
};
void sl_client_counts(struct sluice_client *c, struct sl_client_counts *out);

/* ---- operations ---- */

/* Posts a command, which is taken in any case: a COMMIT by way of the gate, which gives one without
 * offsets all that is finished at this moment; everything else by the inbox. 0, CLOSED, or NOMEM
 * (COMMIT alone), then its op is destroyed with it. */
int sl_client_post(struct sluice_client *c, struct sl_command *command);
/* Makes an op with that timeout for the command and posts both (the command is taken in any case).
 * ticket true: *op is the ticket, which holds the shell, ends in an event, and goes with
 * sl_client_free_op. ticket false: waits; when it returns 0 or the op's code, and op is not NULL,
 * *op is the ended op, to be read and given to sl_client_free_op; else *op is NULL. 0, the op's
 * code, NOMEM, CLOSED. */
int sl_client_ask(struct sluice_client *c, struct sl_command *command, int32_t timeout_ms,
                  bool ticket, struct sl_op **op);
/* A command that asks for the metrics, with the positions of a consumer as they are now. 0 or
 * NOMEM. */
int sl_client_ask_metrics(struct sluice_client *c, struct sl_command **out);
/* sluice_op_wait: the code of a ticket, or PENDING. Right also when the client is gone. */
int sl_client_wait_op(struct sl_op *op, int32_t timeout_ms);
/* True: a ticket has ended, and its code, text and results may be read. */
bool sl_client_op_is_ended(struct sl_op *op);
/* Forgets a ticket, or frees what a waiting ask gave. NULL is fine. */
void sl_client_free_op(struct sl_op *op);

/* ---- consuming: the gate under the outbox mutex, then a poke to the I/O thread ---- */

int sl_client_assign(struct sluice_client *c, const struct sl_offsets *list);
int sl_client_seek(struct sluice_client *c, const struct sl_offsets *list);
int sl_client_pause(struct sluice_client *c, const struct sl_offsets *list, bool paused);
int sl_client_positions(struct sluice_client *c, struct sl_offsets *out);
/* A poll is between begin and end, one at a time: 0 or BUSY. */
int sl_client_poll_begin(struct sluice_client *c);
void sl_client_poll_end(struct sluice_client *c);
/* Groups: sl_gate_subscribe and so on. */
int sl_client_subscribe(struct sluice_client *c, const char *const *topics, int32_t count);
int sl_client_rejoin(struct sluice_client *c, const char *reason);
/* A rebalance that the application takes; offsets is the caller's. 0, STALE (there is none), or
 * NOMEM. */
struct sl_client_notice {
    int kind; /* enum sl_rebalance_kind */
    uint64_t serial;
    int64_t hold_until; /* monotonic; 0: nothing is held */
    struct sl_offsets *offsets;
};
int sl_client_take_notice(struct sluice_client *c, struct sl_client_notice *out);
/* Right also when the client is gone. 0, NOMEM, STALE, CLOSED. */
int sl_client_end_notice(struct sluice_client *c, uint64_t serial, const struct sl_offsets *start);
/* sl_gate_take, waiting for the first slice. 0 with *count 0: none by then. */
int sl_client_take_slices(struct sluice_client *c, int32_t timeout_ms, size_t max_bytes,
                          struct sl_slice **out, int32_t cap, int32_t *count, char *text,
                          size_t text_cap);
/* These are right also when the client is gone. */
const char *sl_client_slot_topic(struct sluice_client *c, uint32_t slot, int32_t *partition);
int sl_client_mark(struct sluice_client *c, struct sl_slice *slice, int64_t offset, int32_t epoch);
int sl_client_rewind(struct sluice_client *c, struct sl_slice *slice, int64_t offset,
                     int32_t epoch);
int sl_client_untake(struct sluice_client *c, struct sl_slice *slice, int64_t from);
int sl_client_split(struct sluice_client *c, struct sl_slice *slice, size_t size, int64_t offset,
                    int32_t epoch);
int sl_client_stop(struct sluice_client *c, struct sl_slice *slice, int64_t offset);
/* Gives many slices back at once; the caller forgets them. */
void sl_client_give(struct sluice_client *c, struct sl_slice *const *slices, int32_t count);
void sl_client_charge(struct sluice_client *c, int64_t bytes);
void sl_client_leave_code(struct sluice_client *c, int code);

/* ---- being told ---- */

/* Kinds of events; those of notices (core/command.h) are kinds too. The numbers are the public
 * ones. */
enum sl_event_kind {
    SL_EVENT_OP = 51,
    SL_EVENT_ROOM = 52,
    SL_EVENT_TOKEN = 55,
    SL_EVENT_CLOSED = 57
};
struct sl_client_event {
    uint64_t op;     /* its id */
    int64_t time_ms; /* Unix milliseconds */
    int kind;
    int code;          /* of a log line: its level */
    int32_t broker;    /* -1: none */
    int32_t partition; /* -1: none */
    int32_t count;     /* events dropped before this one */
    char text[416];
};

/* sluice_client_fd: the descriptor, made by the first call, or SYSTEM. */
int sl_client_fd(struct sluice_client *c);
/* sluice_client_event; out->kind 0: none by then. 0 or CLOSED. */
int sl_client_event(struct sluice_client *c, int32_t timeout_ms, struct sl_client_event *out);
/* Keeps a story for explain. */
void sl_client_remember(struct sluice_client *c, int code, const char *text);
/* The latest story behind a code into out; false: there is none. */
bool sl_client_explain(struct sluice_client *c, int code, struct sl_text *out);
/* The partition count of a topic that core has told of; 0: it is being looked up; or -1. */
int32_t sl_client_cached_partitions(struct sluice_client *c, const char *topic);
/* The partition count is being looked up until that time, though nobody waits for it. Forgotten when
 * memory is short: then it may be looked up twice. */
void sl_client_remember_look_up(struct sluice_client *c, const char *topic, int64_t until);
/* The state as text; by the deadline at the latest, then what the mailboxes know. 0 or NOMEM,
 * FORKED. */
int sl_client_dump(struct sluice_client *c, int32_t timeout_ms, struct sl_text *out);

#endif
