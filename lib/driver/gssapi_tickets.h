/* Tickets of Kerberos, for conversations of gssapi.c alone. All functions may be called on any thread. */
#ifndef SL_DRIVER_GSSAPI_TICKETS_H
#define SL_DRIVER_GSSAPI_TICKETS_H

#include <stdbool.h>

#include "base/text.h"

struct sl_gssapi_tickets;
struct sl_gssapi_ticket;

/* Once, when the plugins of cyrus-sasl are loaded. */
void sl_gssapi_tickets_prepare(void);
/* A ticket of this principal, or of any (""), by a key of the keytab or from the system's cache (""). Asks
 * the KDC where none is at hand. *out NULL: the system's Kerberos is not one that we know, and
 * cyrus-sasl has to find any ticket by itself. AUTH, UNREACHABLE, UNSUPPORTED or NOMEM with *why in words. */
int sl_gssapi_tickets_take(struct sl_gssapi_tickets *tickets, const char *principal,
                           const char *keytab, struct sl_gssapi_ticket **out, struct sl_text *why);
/* What SASL_GSS_CREDS takes. */
void *sl_gssapi_tickets_credential(const struct sl_gssapi_ticket *ticket);
/* Gives it back. was_good false: the next who wants one gets a new one, if there is any. NULL is fine. */
void sl_gssapi_tickets_give_back(struct sl_gssapi_tickets *tickets, struct sl_gssapi_ticket *ticket,
                                 bool was_good);

#endif
