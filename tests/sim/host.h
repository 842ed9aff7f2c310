/* A host: a place where one driven runtime and its clients live. It implements the host table over
 * virtual time, and it is where time can stand still for them (a stalled thread), where names are
 * looked up, and whose memory runs out. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "driver/host_table.h"
#include "driver/runtime.h"
#include "sim/memory.h"
#include "sim/world.h"

struct host {
    struct sl_list node; /* in the world */
    struct world *world;
    int32_t id; /* from 1 */
    struct memory memory;
    struct sl_alloc alloc; /* of memory */
    struct sluice_runtime *runtime;
    struct sl_list links;   /* open sockets: struct link, host_node */
    struct sl_list errands; /* of core, and lookups: under way or answered */
    struct sl_list jobs;    /* of core, under way or done */
    bool is_running;        /* its runtime runs, or waits in a call */
    bool is_woken;
    int64_t stalled_until; /* it does not run before */
    /* The runtime's deadline holds from one run to the next: what an application puts in meanwhile
     * wakes the runtime if it matters. */
    int64_t deadline;
    bool knows_deadline;
    int64_t memory_limit; /* I17: the most that may be live; 0: not looked at */
    /* I18: turns that nothing but the clock had asked for. */
    int64_t turns;
    bool acted;             /* the turn before sent something, or began to connect */
    int64_t idle_turns_now; /* … at this very time */
    int64_t idle_turns_at;
    int64_t idle_turns_second;
    int64_t idle_second_at;
};

/* The host with its runtime. 0 or what sl_runtime_create_on says (the memory may fail). */
int host_create(struct world *w, struct host **out);
/* Releases the runtime. Clients are gone already. Violates if anything is left open or allocated. */
void host_destroy(struct host *h);
/* When it has to run: now or before for at once, WORLD_NEVER while it waits in a call. */
int64_t host_due_at(struct host *h);
/* One turn of its runtime. */
void host_run(struct host *h);
/* Looks at what must hold after every turn. */
void host_check(struct host *h);
/* The name service works again: what hung is answered after all. */
void host_answer_names(struct world *w);
/* Its I/O stands still for so long. */
void host_stall(struct host *h, int64_t ns);

#endif
