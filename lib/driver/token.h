/* Fetching a token, as an errand. */
#ifndef SL_DRIVER_TOKEN_H
#define SL_DRIVER_TOKEN_H

#include "driver/errands.h"

/* As the settings of the client say, of which a copy is taken. The answer's bytes are what the file
 * holds or the provider says. 0, NOMEM, SYSTEM. */
int sl_token_start(struct sl_errands *e, const struct sl_host_errand *errand);

#endif
