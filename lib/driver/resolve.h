/* Name resolution off the loop: numeric addresses at once, names on a short-lived thread each. */
#ifndef SL_DRIVER_RESOLVE_H
#define SL_DRIVER_RESOLVE_H

#include <stdint.h>

#include "driver/host_table.h"

enum {
    SL_RESOLVE_MOST = 8
}; /* lookups under way; more only pile up behind a resolver that hangs */

struct sl_resolver;
/* Fills rv, text, count and addresses. Blocks as long as it likes. */
typedef void (*sl_resolve_fn)(const char *host, uint16_t port, struct sl_resolved *out);

/* wake_fd is taken, also on failure: what is written to when an answer is there. 0, NOMEM,
 * SYSTEM. */
int sl_resolve_create(int wake_fd, struct sl_resolver **out);
/* Never waits: lookups under way answer nobody, and free what is theirs. */
void sl_resolve_destroy(struct sl_resolver *r);
/* Forked child: closes the descriptor. */
void sl_resolve_abandon(struct sl_resolver *r);
/* Then: frees it, unless a lookup was under way. */
void sl_resolve_forget(struct sl_resolver *r);
/* The function that looks names up, in place of the system's; for tests, before the first. */
void sl_resolve_replace(struct sl_resolver *r, sl_resolve_fn fn);
/* 0, NOMEM, SYSTEM (no thread, or too many lookups under way). */
int sl_resolve_start(struct sl_resolver *r, uint64_t client, uint64_t serial, const char *host,
                     uint16_t port);
/* An answer, or NULL. */
struct sl_resolved *sl_resolve_take(struct sl_resolver *r);
void sl_resolve_free(struct sl_resolved *answer);

#endif
