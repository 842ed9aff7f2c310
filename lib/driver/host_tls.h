/* The TLS settings of a hosted test broker. Only host.c uses it. */
#ifndef SL_DRIVER_HOST_TLS_H
#define SL_DRIVER_HOST_TLS_H

#include "base/alloc.h"
#include "base/text.h"
#include "driver/tls.h"

struct sl_host_tls {
    const struct sl_alloc *alloc;
    struct sl_tls_settings settings; /* owned texts, NULL where not set */
};

void sl_host_tls_init(struct sl_host_tls *t, const struct sl_alloc *alloc);
/* Also of one that is all zero. */
void sl_host_tls_deinit(struct sl_host_tls *t);
/* Sets one; *out: the context that they come to now, or NULL: plain. 0; CONFIG with *why or NOMEM,
 * then nothing has changed. */
int sl_host_tls_set(struct sl_host_tls *t, const char *name, const char *value, struct sl_text *why,
                    struct sl_tls **out);

#endif
