/* Name resolution off the loop: numeric addresses at once, names as errands. */
#ifndef SL_DRIVER_RESOLVE_H
#define SL_DRIVER_RESOLVE_H

#include <stdint.h>

#include "driver/errands.h"

/* Fills rv, text, count and addresses. Blocks as long as it likes. */
typedef void (*sl_resolve_fn)(const char *host, uint16_t port, struct sl_host_answer *out);

/* Asks the system. */
void sl_resolve_look_up(const char *host, uint16_t port, struct sl_host_answer *out);
/* 0, NOMEM, SYSTEM (no thread, or too many lookups under way). */
int sl_resolve_start(struct sl_errands *e, sl_resolve_fn lookup, uint64_t client, uint64_t serial,
                     const char *host, uint16_t port);

#endif
