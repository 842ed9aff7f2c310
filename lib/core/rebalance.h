/* What the group (core/group.h) tells the gate, and is answered: the application's partitions
 * change only here, and in the gate's own calls.
 *
 * The group sends one message at a time that wants an answer, and waits for it; only LOST may
 * overtake, and then what was under way is never answered. The answer is a command made with the
 * message, so that it needs no memory; it comes back among the gate's orders, in their sequence. */
#ifndef SL_CORE_REBALANCE_H
#define SL_CORE_REBALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "core/command.h"
#include "core/offset_list.h"

/* The first three are the public numbers of a rebalance. */
enum sl_rebalance_kind {
    SL_REBALANCE_ASSIGNED = 21, /* whole: everything that is assigned now; offsets: what is new */
    SL_REBALANCE_REVOKING,      /* offsets: held back at once, gone when the application is done */
    SL_REBALANCE_LOST,          /* offsets: gone already, others may own them */
    SL_REBALANCE_RELEASE,       /* what has that serial is waited for no longer */
    SL_REBALANCE_POLLED, /* whether the application has polled since the last such question */
    SL_REBALANCE_FAILED  /* the next poll says code and text */
};
enum { SL_REBALANCE_TEXT = 240 };

struct sl_rebalance {
    struct sl_list node;
    enum sl_rebalance_kind kind;
    uint64_t serial;            /* of the question; RELEASE: of what ends */
    struct sl_offsets *whole;   /* owned or NULL */
    struct sl_offsets *offsets; /* owned or NULL */
    struct sl_command *answer;  /* owned until it is given; NULL: none is wanted */
    int64_t hold_until;         /* REVOKING: monotonic; then RELEASE follows */
    bool waits;                 /* POLLED: answered by the next poll, if there was none */
    bool hurries;               /* REVOKING: nothing holds it, the client closes */
    bool taken;                 /* gate: the application has been told … */
    bool done;                  /* … and has said that it is done */
    int code;
    char text[SL_REBALANCE_TEXT];
};

/* With an answer of the same kind and serial for `slots` partitions; -1: without one. */
int sl_rebalance_create(const struct sl_alloc *alloc, enum sl_rebalance_kind kind, uint64_t serial,
                        int32_t slots, struct sl_rebalance **out);
void sl_rebalance_destroy(const struct sl_alloc *alloc, struct sl_rebalance *r); /* NULL is fine */

#endif
