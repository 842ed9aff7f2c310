/* Steps of GSSAPI as errands. */
#ifndef SL_DRIVER_GSSAPI_ERRAND_H
#define SL_DRIVER_GSSAPI_ERRAND_H

#include "driver/errands.h"

struct sl_gssapi_tickets;

/* The errand's first input is the host's name, each later one what the broker said. The answer is a byte, 1
 * where nothing more will be said, and then the message to send. 0: it is taken; NOMEM, SYSTEM,
 * UNSUPPORTED: it is still the caller's. */
int sl_gssapi_errand_start(struct sl_errands *e, struct sl_gssapi_tickets *tickets,
                           const struct sl_host_errand *errand);

#endif
