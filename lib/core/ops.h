/* Tickets of operations. An op is made by the call that asks, travels to core inside its command,
 * is ended there exactly once, and is posted to the outbox, whose mutex guards `state` from then
 * on. Everything that the end needs is reserved when the op is made, so ending cannot fail. */
#ifndef SL_CORE_OPS_H
#define SL_CORE_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/heap.h"
#include "base/list.h"

struct sl_core;
struct sl_offsets;
struct sl_table;

enum sl_op_state {
    SL_OP_PENDING = 1, /* core owns it */
    SL_OP_ENDED,       /* core has decided; on its way to the outbox */
    SL_OP_POSTED,      /* the application sees the end; it owns the op */
    SL_OP_FORGOTTEN    /* the application freed it while pending: the outbox frees it */
};
enum { SL_OP_TEXT = 320 };

struct sl_op {
    struct sl_list node;       /* core: the list of the unit that keeps it; then the events list */
    struct sl_heap_node timer; /* core: its deadline */
    uint64_t id;
    int64_t deadline; /* monotonic; SL_NEVER: none */
    enum sl_op_state state;
    bool posted;    /* outbox mutex: the end may be read */
    bool forgotten; /* outbox mutex */
    bool ticket;    /* driver: in the application's hands; its end is an event */
    /* Core, set by the unit that keeps the op: called once when its deadline has passed (TIMEOUT)
     * or the client closes (CLOSED). The unit lets go of it and ends it, with that code or a
     * better one, saying what it waited for. NULL: core ends it with that code. */
    void (*on_over)(struct sl_core *core, struct sl_op *op, int code);
    void *owner; /* core: of that unit */
    int code;
    int64_t number;             /* a result that is one number (partition count) */
    struct sl_offsets *offsets; /* owned; a result that is a list, or NULL */
    struct sl_table *table;     /* owned; a result that is a table, or NULL */
    void *shell;                /* driver: the client it was made with */
    char text[SL_OP_TEXT];      /* prose of the outcome, or "" */
};

int sl_op_create(const struct sl_alloc *alloc, uint64_t id, int64_t deadline, struct sl_op **out);
void sl_op_destroy(const struct sl_alloc *alloc, struct sl_op *op); /* NULL is fine */

/* ---- inside core ---- */
struct sl_ops {
    struct sl_core *core;
    struct sl_heap timers; /* every pending op, those without a deadline at SL_NEVER */
};
void sl_ops_init(struct sl_ops *ops, struct sl_core *core);
void sl_ops_deinit(struct sl_ops *ops);
/* Core takes the op and arms its deadline; on NOMEM the op is ended with it. core.c does this for
 * the op of every command before a unit sees it. */
int sl_ops_start(struct sl_ops *ops, struct sl_op *op);
/* Ends it: text may be NULL. Unlinks it from whatever list of its kind it is in. */
void sl_ops_end(struct sl_ops *ops, struct sl_op *op, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Ends every op whose deadline has passed, by its on_over. */
void sl_ops_run(struct sl_ops *ops);
/* The client closes: ends every op that is left, by its on_over. */
void sl_ops_close(struct sl_ops *ops);
int64_t sl_ops_deadline(const struct sl_ops *ops);

#endif
