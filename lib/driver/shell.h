/* struct sluice_client itself, for the files that make up a client: client*.c and loop.c. */
#ifndef SL_DRIVER_SHELL_H
#define SL_DRIVER_SHELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "core/core.h"
#include "driver/client.h"
#include "driver/inbox.h"
#include "driver/interrupt.h"
#include "driver/outbox.h"
#include "driver/runtime.h"
#include "driver/sockets.h"
#include "driver/tls.h"

/* A dump that core was asked for. Core writes into buf, so it stays until the op has ended, also
 * when the caller has stopped waiting. Guarded by the outbox mutex. */
struct sl_shell_dump {
    bool busy;        /* some call uses it */
    struct sl_op *op; /* owned; NULL: none is under way */
    char *buf;        /* owned; cap bytes */
    size_t cap;
};

struct sluice_client {
    uint32_t magic;
    int fork_generation;
    struct sl_settings *settings; /* owned; freed by free_settings */
    struct sl_inbox inbox;
    struct sl_outbox outbox;
    struct sl_interrupt interrupt;
    const struct sl_host_table *host; /* of the runtime, with its self */
    void *host_self;
    struct sluice_runtime *runtime; /* the member below keeps it */
    struct sl_alloc alloc;
    void (*free_settings)(struct sl_settings *settings, const struct sl_alloc *alloc);
    sl_log_fn log_fn; /* NULL: as the settings say */
    void *log_user;
    struct sl_command *close_command; /* owned until it is posted; reserved for the first close */
    struct sl_op *close_op;           /* owned; travels with it, and comes back when posted */
    struct sl_shell_dump dump;
    uint32_t pokers; /* outbox mutex: threads on their way to wake the runtime */
    bool freeing;    /* outbox mutex: nobody may begin to */

    /* the loop's */
    struct sl_member member;
    struct sl_core *core; /* owned; NULL once the handle is freed */
    struct sl_sockets sockets;
    struct sl_tls *tls;      /* taken from the runtime; NULL: connections are plain */
    bool unread;             /* a connection has bytes that its socket does not show */
    uint32_t interrupt_seen; /* the last interrupt that waiting calls were woken for */
    int32_t jobs_out;        /* jobs that the host has */
    bool again;              /* core got an input since its last run */
    struct sl_list notices;  /* struct sl_notice: not written yet; a borrowed turn leaves them */
    bool room;               /* the room event is due */
    bool closed_posted;      /* the end of the client was posted */
    int64_t trusted_until;   /* the outbox was told that last (sl_core_trusted_until), and … */
    bool is_short;           /* … that (sl_core_is_short) */

    bool abandoned; /* forked child: the parent was working on it, nothing is freed */
};

/* ---- loop.c ---- */

extern const struct sl_member_table sl_loop_member_table;

/* ---- client_gate.c ---- */

/* sl_gate_commit, and the loop looks at it. 0: taken; CLOSED, NOMEM: it is still the caller's. */
int sl_client_order_commit(struct sluice_client *c, struct sl_command *command);

/* ---- client_wait.c ---- */

/* How a call waits. */
struct sl_shell_wait {
    bool (*done)(struct sluice_client *c, void *arg); /* outbox held */
    void *arg;
    int64_t deadline; /* 0: does not wait */
    bool deaf;        /* interrupts do not end it */
    bool patient;     /* core ends it: however short the time, the loop gets a moment to say so */
};
/* What core gets for a call that waits until then: a little earlier, so that how it ended is known
 * in time. */
int64_t sl_client_core_deadline(struct sluice_client *c, int64_t deadline);
/* Outbox held, before and after. 0 once done; PENDING, INTERRUPTED, USAGE (inside a callback). */
int sl_client_await(struct sluice_client *c, const struct sl_shell_wait *wait);
/* Outbox held: the op has been posted. */
bool sl_client_is_posted(struct sluice_client *c, void *op);
/* Has the I/O thread look at what lies in the gate. */
void sl_client_poke(struct sluice_client *c);

#endif
