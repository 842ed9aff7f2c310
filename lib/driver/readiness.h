/* What is known of the sockets of a host: whose they are, and which of them are ready.
 *
 * A poller tells when a socket becomes ready, once or again and again; a read or a write that moves less than
 * it could says that it no longer is. In between it is ready, and reported in every turn: so the loop
 * sees readiness as level-triggered whatever the poller does, and may leave bytes for the next turn. */
#ifndef SL_DRIVER_READINESS_H
#define SL_DRIVER_READINESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "driver/host_table.h"

/* Beside SL_READY_*, from pollers only: the peer sends no more, so that a read that is short is no sign of
 * the end of what there is. */
enum { SL_READY_ENDED = 8 };

struct sl_watched; /* a descriptor's */
struct sl_readiness {
    const struct sl_alloc *alloc; /* borrowed */
    struct sl_watched *watched;   /* owned; by descriptor */
    uint32_t cap;                 /* a power of two, or 0 */
    int *ring;                    /* owned, as large: descriptors of which something is known … */
    uint32_t first;               /* … from this place on, … */
    uint32_t count;               /* … so many */
    uint32_t last_serial;
};

void sl_readiness_init(struct sl_readiness *r, const struct sl_alloc *alloc);
void sl_readiness_deinit(struct sl_readiness *r);
/* Begins to watch; token is what reports say. *key is what the poller is to say, never below 2^32: events
 * of what was watched under this descriptor before have another one. 0 or NOMEM. */
int sl_readiness_add(struct sl_readiness *r, int fd, uint64_t token, bool write, uint64_t *key);
void sl_readiness_remove(struct sl_readiness *r, int fd);
/* Whether it is watched. */
bool sl_readiness_has(const struct sl_readiness *r, int fd);
/* The first watched descriptor from fd on; below 0: there is none. */
int sl_readiness_next(const struct sl_readiness *r, int fd);
/* True: that is a change, for the poller under *key. */
bool sl_readiness_want_write(struct sl_readiness *r, int fd, bool wanted, uint64_t *key);
/* The poller says so. */
void sl_readiness_note(struct sl_readiness *r, const struct sl_ready *event);
/* A read, or a write, of `size` bytes moved `moved`: below 0, it could not. Of what is not watched they
 * say nothing. */
void sl_readiness_on_read(struct sl_readiness *r, int fd, int64_t moved, size_t size);
void sl_readiness_on_written(struct sl_readiness *r, int fd, int64_t moved, size_t size);
/* Whether anything would be reported. */
bool sl_readiness_any(struct sl_readiness *r);
/* Reports who is ready, those first that have waited longest. */
int sl_readiness_report(struct sl_readiness *r, struct sl_ready *ready, int cap);

#endif
