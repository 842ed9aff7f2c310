/* A runtime: one loop over one host table, for any number of members (clients, hosted test
 * brokers). A thread of the library's own runs it, or the application does.
 *
 * Whoever runs the loop at the moment owns the members' machines; the runtime's mailbox is where
 * members come and go. */
#ifndef SL_DRIVER_RUNTIME_H
#define SL_DRIVER_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "driver/host_table.h"
#include "driver/tls.h"

struct sluice_runtime;
struct sl_member;

/* What the loop asks of a member. In a turn: begin of every member, what is ready, what was
 * answered, finish of every member; then sleep, until one of them refuses. */
struct sl_member_table {
    void (*begin)(struct sl_member *m, int64_t now, int64_t wall_ms);
    void (*on_ready)(struct sl_member *m, uint32_t link, uint32_t what);
    void (*on_answer)(struct sl_member *m, const struct sl_host_answer *answer);
    void (*finish)(struct sl_member *m);
    /* The next deadline in *until (only lowered). False: there is work now, do not sleep. */
    bool (*sleep)(struct sl_member *m, int64_t now, int64_t *until);
    /* The last call: the member lets go of its sockets. */
    void (*end)(struct sl_member *m, int64_t now, int64_t wall_ms);
};
struct sl_member {
    struct sl_list node; /* runtime: joining (mailbox) or members (the loop's) */
    const struct sl_member_table *table;
    struct sluice_runtime *runtime; /* set by join */
    uint32_t id;                    /* upper half of its sockets' tokens; set by join */
    bool leaving;                   /* mailbox */
    bool left;                      /* mailbox: end was called, the loop has forgotten it */
    bool is_borrowed; /* in a turn: by who may call no function of the application's */
};
static inline uint64_t sl_runtime_token(const struct sl_member *m, uint32_t link) {
    return (uint64_t)m->id << 32 | link;
}

/* The public numbers. */
enum { SL_RUNTIME_THREAD = 11, SL_RUNTIME_DRIVEN = 12 };
/* kind SL_RUNTIME_THREAD or SL_RUNTIME_DRIVEN, on the system's sockets. 0, NOMEM, SYSTEM,
 * UNSUPPORTED, USAGE. */
int sl_runtime_create(int32_t kind, const struct sl_alloc *alloc, struct sluice_runtime **out);
/* A driven one on another host (the simulator's), which outlives it. */
int sl_runtime_create_on(const struct sl_host_table *table, void *self,
                         const struct sl_alloc *alloc, struct sluice_runtime **out);
/* The public handle goes; the runtime ends with its last member. NULL is fine. */
void sl_runtime_release(struct sluice_runtime *rt);
/* 0, USAGE (NULL), FORKED. */
int sl_runtime_check(const struct sluice_runtime *rt);
bool sl_runtime_is_driven(const struct sluice_runtime *rt);
/* Of a driven runtime; -1: none. */
int sl_runtime_fd(const struct sluice_runtime *rt);
/* sluice_runtime_run: sleeps for up to timeout_ms (-1: no limit), then does what is due. 0, BUSY,
 * FORKED, USAGE. */
int sl_runtime_run(struct sluice_runtime *rt, int32_t timeout_ms);
/* When run is due at the latest, for a host that schedules runtimes itself: a time that has
 * passed means now. Only between runs. */
int64_t sl_runtime_deadline(struct sluice_runtime *rt);

/* ---- for members ---- */

const struct sl_host_table *sl_runtime_table(const struct sluice_runtime *rt, void **self);
/* The context that clients with these settings share, made by the first; settings are copied. 0;
 * CONFIG with the property and the reason in *why; NOMEM. Given back after the member has left the
 * loop, before sl_runtime_leave returns the runtime. */
int sl_runtime_take_tls(struct sluice_runtime *rt, const struct sl_tls_settings *settings,
                        struct sl_text *why, struct sl_tls **out);
void sl_runtime_give_tls(struct sluice_runtime *rt, struct sl_tls *tls);
/* Adds a member, starting the thread with the first one. 0, SYSTEM, FORKED. */
int sl_runtime_join(struct sluice_runtime *rt, struct sl_member *m);
/* Takes a member out: waits for the turn under way (or does a turn itself), until its end was
 * called. The runtime may be gone after it. */
void sl_runtime_leave(struct sl_member *m);
/* The caller runs the loop right now: it is inside a callback, and must not wait. */
bool sl_runtime_is_inside(struct sluice_runtime *rt);
/* For a caller that waits for something a turn brings, in a driven runtime: one sleep, until
 * `until` at the latest, and one turn; while another thread runs the loop, a wait for the end of its
 * turn. *turn, 0 at first, is kept for the next call: without a sleep when a turn has passed since
 * the last one, because the caller may have looked too early. False: the runtime has a thread. */
bool sl_runtime_serve(struct sluice_runtime *rt, int64_t until, uint64_t *turn);
/* For a caller that has put something small in for the member, whose runtime sleeps: a turn of this member by
 * the caller, instead of a wake. False: the thread is not asleep, or has not been for long. No
 * function of the application's is called. */
bool sl_runtime_borrow(struct sluice_runtime *rt, struct sl_member *m);
/* For a caller that waits for something a turn brings, in a runtime whose thread sleeps: it may watch
 * the sockets as well, and run the turn that something comes in by, instead of being woken after it. True: it
 * watches; it looks once more whether it has to wait, … */
bool sl_runtime_watch(struct sluice_runtime *rt);
/* … has sl_runtime_call called by whoever makes it come true, and sleeps here, until `until` at the latest and a
 * turn that calls no function of the application's; or it does not have to. Both end the watch. */
void sl_runtime_serve_watched(struct sluice_runtime *rt, int64_t until);
void sl_runtime_unwatch(struct sluice_runtime *rt);
/* Has the thread that watches, if there is one, look again. */
void sl_runtime_call(struct sluice_runtime *rt);
/* Around a call of a user's function by the loop: who waits for the loop may ask whether it is
 * there. */
void sl_runtime_enter_callback(struct sluice_runtime *rt);
void sl_runtime_leave_callback(struct sluice_runtime *rt);
bool sl_runtime_in_callback(struct sluice_runtime *rt);
void sl_runtime_wake(struct sluice_runtime *rt);

#endif
