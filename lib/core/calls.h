/* Control requests that are not on a hot path: one call goes to one kind of place, waits for a
 * link, is encoded in the version the link allows, and comes back decoded. What an error code in
 * the answer means, and whether to ask again, is the asking unit's business; calls only retry
 * what never left. */
#ifndef SL_CORE_CALLS_H
#define SL_CORE_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "core/link.h"

struct sl_call;
struct sl_call_ticket;
/* Fills the request (defaults are set) for this version; memory from the arena or the owner's.
 * 0 or an error that ends the call. */
typedef int (*sl_call_fill_fn)(struct sl_core *core, struct sl_call *call, int16_t version,
                               struct sl_arena *arena, void *request);
/* The end of a call, exactly once. rv 0: response is decoded, valid during the call. Otherwise
 * NULL: TIMEOUT (its deadline, or request.timeout.ms once sent), UNREACHABLE (sent, then the link
 * was lost: the broker may have acted; or the broker asked for is unknown or could not be
 * connected to: nothing was sent), UNSUPPORTED (the broker has no version in range), MALFORMED,
 * NOMEM, CLOSED. The call is idle again and may be started anew from inside (after a failure with
 * sl_calls_back_off, or the core would spin). */
typedef void (*sl_call_done_fn)(struct sl_core *core, struct sl_call *call, int rv,
                                const void *response);

/* Embedded in its owner; zero at first. */
struct sl_call {
    struct sl_list node;           /* in waiting or sent */
    struct sl_call_ticket *ticket; /* the request under way, private to calls.c; NULL: waiting */
    const struct sl_api *api;
    int32_t broker;          /* id, or SL_BROKER_ANY */
    enum sl_purpose purpose; /* CONTROL by default */
    int16_t version_low;     /* narrows the range; 0 and 0: the table's */
    int16_t version_high;
    int16_t version;    /* the one used, for the done function */
    int32_t asked;      /* id of the broker that was asked */
    int64_t not_before; /* back-off; 0: at once */
    int64_t deadline;   /* SL_NEVER: none; timeout_ms counts from sending besides */
    int32_t timeout_ms; /* how long an answer may take; 0: request.timeout.ms */
    bool quiet;         /* that the broker has no version in range is no news */
    uint32_t attempts;  /* the owner's, for its back-off: 0 again after a success */
    bool active;
    bool left;   /* the last request left whole: the broker may have acted on it */
    bool looked; /* waits for a link, which will bring a turn by itself */
    sl_call_fill_fn fill;
    sl_call_done_fn done;
    void *owner;
};
struct sl_calls {
    struct sl_core *core;
    struct sl_list waiting; /* for a link or their time */
    struct sl_list sent;
    struct sl_arena asking; /* memory of the request being filled */
};

void sl_calls_init(struct sl_calls *calls, struct sl_core *core);
/* Nothing is under way any more. */
void sl_calls_deinit(struct sl_calls *calls);
/* The client closes: ends every call with CLOSED. From then on nothing starts. */
void sl_calls_close(struct sl_core *core);
/* api, fill, done, owner, broker and deadline are set. Must be idle. Once the client is closed it
 * stays idle, and done is not called. */
void sl_calls_start(struct sl_core *core, struct sl_call *call);
/* Ends it silently: done is not called, a late answer is dropped. Harmless on an idle one. */
void sl_calls_cancel(struct sl_core *core, struct sl_call *call);
/* The back-off of KIP-580 for the call's attempts so far: sets not_before and counts one more. */
void sl_calls_back_off(struct sl_core *core, struct sl_call *call);
/* An error code that a peer sent: what no broker may say (our own codes among them) is -1. */
static inline int sl_calls_code(int16_t code) { return code < -1 ? -1 : code; }
void sl_calls_run(struct sl_core *core);
int64_t sl_calls_deadline(const struct sl_core *core);

#endif
