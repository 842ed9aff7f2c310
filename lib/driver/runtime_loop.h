/* struct sluice_runtime itself, for the files that make one up: runtime.c and runtime_lend.c. */
#ifndef SL_DRIVER_RUNTIME_LOOP_H
#define SL_DRIVER_RUNTIME_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "driver/host_table.h"
#include "driver/inbox.h"
#include "driver/runtime.h"
#include "driver/tls.h"

/* Sockets served in one turn; the rest are ready in the next. */
enum { SL_RUNTIME_READY_MAX = 128 };

struct sluice_runtime {
    uint32_t magic;
    int fork_generation;
    struct sl_alloc alloc;
    const struct sl_host_table *table;
    void *self;
    struct sl_net *net; /* owned; NULL: another host */
    bool has_thread;    /* kind THREAD */
    bool lends;         /* it does so while it sleeps */

    struct sl_mailbox mail; /* guards what follows */
    struct sl_tls_shelf tls;
    struct sl_list joining; /* struct sl_member */
    uint32_t member_count;  /* joined and not left */
    uint32_t last_id;
    bool released;    /* the public handle is gone */
    bool starting;    /* some thread is starting the thread */
    bool started;     /* the thread runs */
    bool stop;        /* the thread is to end */
    bool changed;     /* members have come or are to go */
    bool busy;        /* some thread runs the loop … */
    pthread_t driver; /* … this one … */
    bool in_callback; /* … and is in a function of the application's */
    uint64_t turns;   /* how often a driven loop was left, and 1 */
    pthread_t thread;

    /* the mailbox, runtime_lend.c */
    bool is_asleep;      /* the I/O thread sleeps, and lends the loop meanwhile … */
    int64_t quiet_since; /* … and nobody has run a turn since */
    int64_t event_at;    /* when one who slept took events last, … */
    int64_t event_gap;   /* … and how long that takes of late, on average */
    bool is_wanted;  /* it is to have the next turn: something is left that nobody else may do */
    bool is_watched; /* another thread sleeps in the poller as well … */
    bool is_called;  /* … and is to look what has become of what it waits for */
    bool is_awaited; /* who watched has events, and waits for who borrowed the loop */
    int stray_count; /* events that one took who did not get the loop */
    struct sl_ready strays[SL_RUNTIME_READY_MAX];

    /* whoever runs the loop */
    struct sl_list members;
    int64_t doze_until; /* what the host's timer is set to while the I/O thread sleeps */
    bool turning;
    struct sl_ready ready[SL_RUNTIME_READY_MAX];
};

/* ---- runtime.c ---- */

/* Held. The caller runs the loop from now on. False: another thread does. */
bool sl_runtime_enter(struct sluice_runtime *rt);
/* A turn of all members, for whoever runs the loop: what is ready, what was answered. */
void sl_runtime_serve_members(struct sluice_runtime *rt, const struct sl_ready *ready, int count,
                              int64_t now, int64_t wall_ms);
/* When the loop may sleep until: *until is lowered to the members' deadlines, to 0 when one has
 * work or a socket is still ready. */
void sl_runtime_ask_to_sleep(struct sluice_runtime *rt, int64_t *until);

/* ---- runtime_lend.c ---- */

/* The I/O thread, which runs the loop, sleeps until then at the latest, and has the loop again afterwards. Returns
 * how many sockets are ready, in rt->ready. */
int sl_runtime_lend(struct sluice_runtime *rt, int64_t until);

#endif
