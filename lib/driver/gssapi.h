/* Logging in by Kerberos: conversations of cyrus-sasl, in steps that block. Errands make them
 * (gssapi_errand.c); nothing here touches a client. */
#ifndef SL_DRIVER_GSSAPI_H
#define SL_DRIVER_GSSAPI_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/errand.h"

struct sl_gssapi_tickets;
struct sl_gssapi_talk;

/* Whom to talk to, and as whom. */
struct sl_gssapi_order {
    const char *service;   /* sasl.kerberos.service.name */
    struct sl_str host;    /* the broker, as the client calls it */
    const char *principal; /* "": whose ticket or key comes first */
    const char *keytab;    /* "": the ticket is in the cache of the system */
};

/* False: the library was built without, and steps fail with UNSUPPORTED. */
bool sl_gssapi_is_built_in(void);

/* What keytabs were good for: shared by the clients of a runtime and by what outlives them, so it is
 * counted. NULL: no memory. */
struct sl_gssapi_tickets *sl_gssapi_tickets_create(void);
struct sl_gssapi_tickets *sl_gssapi_tickets_share(struct sl_gssapi_tickets *tickets);
/* NULL is fine. */
void sl_gssapi_tickets_release(struct sl_gssapi_tickets *tickets);

/* Copies the order; nothing is asked yet. NULL: no memory. */
struct sl_gssapi_talk *sl_gssapi_create(struct sl_gssapi_tickets *tickets,
                                        const struct sl_gssapi_order *order);
/* Does not block; in a forked child it frees nothing. NULL is fine. */
void sl_gssapi_destroy(struct sl_gssapi_talk *talk);
/* The next message, as long as it takes. in: what the broker said; nothing at first. *out is valid until
 * the next call. *is_done: nothing more will be said. AUTH, UNREACHABLE (no KDC answers), UNSUPPORTED
 * or NOMEM with *why in words; then it is only destroyed. */
int sl_gssapi_step(struct sl_gssapi_talk *talk, struct sl_bytes in, struct sl_bytes *out,
                   bool *is_done, struct sl_text *why);
/* A talk as what is kept between errands, and back; NULL stays NULL. */
struct sl_errand_state *sl_gssapi_state(struct sl_gssapi_talk *talk);
struct sl_gssapi_talk *sl_gssapi_of_state(struct sl_errand_state *state);

#endif
