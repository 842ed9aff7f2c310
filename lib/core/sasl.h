/* Authentication of a connection: SaslHandshake and SaslAuthenticate between ApiVersions and the first
 * request, and again before the session ends (KIP-368). */
#ifndef SL_CORE_SASL_H
#define SL_CORE_SASL_H

#include <stdbool.h>

struct sl_link;

/* The versions are known, and the client has to say who it is. */
void sl_sasl_start(struct sl_link *link);
/* auth_at of the link has passed, or its last answer is in while it waits to authenticate anew. */
void sl_sasl_on_time(struct sl_link *link);
/* What it waited for may be there (sl_login_wait). */
void sl_sasl_resume(struct sl_link *link);
/* GSSAPI: the next message is being made by the host. */
bool sl_sasl_waits_for_host(const struct sl_link *link);
/* The connection is no more. */
void sl_sasl_end(struct sl_link *link);

#endif
