/* A JoinGroup or SyncGroup whose answer waits for the others of its group. It is part of the
 * exchange that waits; the member refers to it, and neither outlives the other's knowledge: an
 * exchange that goes is forgotten by the member, a member that goes answers first. */
#ifndef SL_BROKER_GROUP_WAIT_H
#define SL_BROKER_GROUP_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct sl_group_wait {
    struct sl_group_wait **place; /* the member's reference to this; NULL: there is none */
    struct sl_arena *arena;       /* of the answer */
    void *response;               /* to be filled */
    int16_t version;              /* of the request */
    bool done;                    /* the response is filled and may leave */
};

/* From now on *place is this wait. *place is NULL. */
static inline void sl_group_wait_park(struct sl_group_wait *w, struct sl_group_wait **place) {
    *place = w;
    w->place = place;
}
/* Nobody refers to it any more. Harmless when nobody does. */
static inline void sl_group_wait_forget(struct sl_group_wait *w) {
    if (w->place != NULL) *w->place = NULL;
    w->place = NULL;
}
/* Takes it out of its place and says that it is done; NULL: there was none. */
static inline struct sl_group_wait *sl_group_wait_take(struct sl_group_wait **place) {
    struct sl_group_wait *w = *place;
    if (w == NULL) return NULL;
    sl_group_wait_forget(w);
    w->done = true;
    return w;
}

#endif
