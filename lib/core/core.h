/* The client as a machine without I/O: what a host (the driver, the simulator) sees of it.
 *
 * A host repeats turns. A turn is: sl_core_on_time first; then any inputs (staged records,
 * commands, bytes, connections, names resolved, errands done); then sl_core_run once, which acts on all of it;
 * then the host takes the events (for applications) and drains the outputs (for the network), and
 * sleeps until sl_core_deadline, a socket, or a wake-up. Inputs are plain calls and none calls
 * back; outputs wait in a queue. The core never reads a clock, opens a socket, takes a lock or
 * draws entropy; it is driven by one thread. */
#ifndef SL_CORE_CORE_H
#define SL_CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/text.h"
#include "core/buffers.h"
#include "core/command.h"
#include "core/errand.h"
#include "core/job.h"
#include "core/settings.h"
#include "core/staging.h"

struct sl_core;

enum { SL_CORE_KEY = 32 }; /* bytes of sl_core_set_key */

#define SL_NEVER INT64_MAX /* a deadline that does not exist */

/* An IP address and port, as the host resolved it. */
struct sl_address {
    uint8_t ip[16];
    uint8_t ip_size; /* 4 or 16 */
    uint16_t port;
    uint32_t scope; /* of a link-local IPv6 address */
};

/* seed: entropy for jitter, partition choice and session numbers. settings outlive the core. */
int sl_core_create(const struct sl_settings *settings, const struct sl_alloc *alloc, uint64_t seed,
                   struct sl_core **out);
/* Once, before the first turn: the host runs jobs, so many at a time, and thinks that one pays from
 * so many microseconds of work on. Without it core makes none. */
void sl_core_set_jobs(struct sl_core *core, int32_t most, int32_t least_us);
/* Once, before the first turn: entropy of the host, for what nobody may guess. */
void sl_core_set_key(struct sl_core *core, const uint8_t key[SL_CORE_KEY]);
/* Frees everything that core still owns. The host has closed the sockets and given back all jobs;
 * in a forked child those that were out are lost. */
void sl_core_destroy(struct sl_core *core);

/* ---- inputs ---- */

/* Starts a turn, before any other input. now: monotonic nanoseconds, never less than before; wall_ms: Unix milliseconds,
 * for record timestamps only. */
void sl_core_on_time(struct sl_core *core, int64_t now, int64_t wall_ms);
/* Records that applications staged; the chunks belong to core until it gives them back through
 * sl_core_take_events. */
void sl_core_on_staged(struct sl_core *core, struct sl_staged *staged);
/* Asked once in a turn, after the commands that came by themselves. True: core wants to be given a
 * COMMIT of what is finished (sl_gate_collect) in this turn. */
bool sl_core_wants_finished(const struct sl_core *core, bool *everything);
/* Of a consumer: partitions of its group are its own until then, as far as core knows. SL_NEVER:
 * for good. */
int64_t sl_core_trusted_until(const struct sl_core *core);
/* Of a consumer: it asks for less than it could, because the receiving account is used up. */
bool sl_core_is_short(const struct sl_core *core);
/* Takes the command. */
void sl_core_on_command(struct sl_core *core, struct sl_command *command);
/* Receive buffers came back from the application, and its receiving account changed by that many
 * bytes (negative: it took more, by decompressing). */
void sl_core_on_returned(struct sl_core *core, struct sl_list *buffers, int64_t freed);
/* Answer to a RESOLVE output. rv 0 with count ≥ 1, or an error with a text (borrowed). */
void sl_core_on_resolved(struct sl_core *core, uint64_t serial, int rv, const char *text,
                         const struct sl_address *addresses, int32_t count);
/* Answer to an ERRAND output. What it has is borrowed. */
void sl_core_on_errand(struct sl_core *core, uint64_t serial,
                       const struct sl_errand_answer *answer);
/* Answer to an OPEN output: connected, and protected where the settings want it. */
void sl_core_on_opened(struct sl_core *core, uint32_t link);
/* The host has something to say to people, as a line of the log. */
void sl_core_on_news(struct sl_core *core, int level, const char *text);
/* The connection failed or ended; no more inputs for this link. rv SLUICE_ERR_UNREACHABLE (refused,
 * timed out, closed by the peer), SLUICE_ERR_SYSTEM, SLUICE_ERR_TLS; text says it in words. */
void sl_core_on_closed(struct sl_core *core, uint32_t link, int rv, const char *text);
/* A job comes back: run, or as it was. */
void sl_core_on_job(struct sl_core *core, struct sl_job *job);
/* Where the next bytes of this link belong; *size 0: the link takes nothing now. Valid until the
 * next input. */
uint8_t *sl_core_receive_room(struct sl_core *core, uint32_t link, size_t *size);
/* That many bytes were put there. May be called again with new room in the same turn. */
void sl_core_on_received(struct sl_core *core, uint32_t link, size_t size);
/* Up to cap pieces of what waits to be sent; returns their number, 0 when nothing may leave now.
 * The host offers them to its socket before its next input (any of which may end the link) and
 * reports what that took; what was not taken is offered again by the next call, from the same
 * place in memory. */
size_t sl_core_send_pieces(struct sl_core *core, uint32_t link, struct sl_iov *pieces, size_t cap);
/* True: core has something to do on account of it. It has nothing while an answer is awaited, and a
 * host need not run it then. */
bool sl_core_on_sent(struct sl_core *core, uint32_t link, size_t size);
/* Acts on everything that came in and on the deadlines that have passed. */
void sl_core_run(struct sl_core *core);

/* ---- outputs ---- */

enum sl_output_kind {
    SL_OUTPUT_RESOLVE = 1, /* look host up; answer with on_resolved(serial) */
    SL_OUTPUT_OPEN,        /* connect link to address; answer with on_opened or on_closed */
    SL_OUTPUT_SEND,        /* link has bytes: write until they are gone or the socket is full */
    SL_OUTPUT_CLOSE,       /* close link; core has forgotten it, there is no answer */
    SL_OUTPUT_JOB,         /* run the job off the loop; answer with on_job */
    SL_OUTPUT_ERRAND       /* do the errand off the loop; answer with on_errand(serial) */
};
struct sl_output {
    enum sl_output_kind kind;
    uint32_t link; /* OPEN, SEND, CLOSE, ERRAND (0: none); ids are not reused */
    uint64_t serial;
    const char *host; /* RESOLVE, OPEN (the broker's name): valid until the next input */
    uint16_t port;
    struct sl_address address; /* OPEN */
    struct sl_job *job;        /* JOB: the host's until on_job */
    enum sl_errand_kind errand;
    struct sl_bytes input;               /* ERRAND: valid until the next input, like … */
    struct sl_errand_state **kept_state; /* … where to take out what the host kept, if anything */
};
/* The next output, false when there is none. */
bool sl_core_next_output(struct sl_core *core, struct sl_output *out);
/* Moves out what applications are to be told. */
void sl_core_take_events(struct sl_core *core, struct sl_events *out);
/* When sl_core_run wants to be called next, or SL_NEVER. A time that has passed means now. */
int64_t sl_core_deadline(const struct sl_core *core);
/* So many partitions have a batch that records are put into. */
uint32_t sl_core_filling(const struct sl_core *core);
/* True once a CLOSE command is done with: nothing is left to wait for. */
bool sl_core_is_closed(const struct sl_core *core);
/* What the closing came to: 0, TIMEOUT when something was left at the deadline, or the code that a
 * last commit was refused with. */
int sl_core_close_code(const struct sl_core *core);
/* Closes at once, whatever is left: every record, call and op gets its end, as events. Needs no
 * memory. For a host that goes away. */
void sl_core_abandon(struct sl_core *core);

/* ---- looking inside ---- */
void sl_core_dump(const struct sl_core *core, struct sl_text *out);
/* Every invariant in one place; asserts. After each turn in check builds. */
void sl_core_check(const struct sl_core *core);
uint64_t sl_core_trace_hash(const struct sl_core *core);

#endif
