/* Asking an OIDC provider for a token: the client credentials grant (RFC 6749, 4.4; KIP-768), over
 * libcurl where the library was built with it. */
#ifndef SL_DRIVER_OIDC_H
#define SL_DRIVER_OIDC_H

#include <stdbool.h>

#include "base/bytes.h"
#include "core/settings.h"
#include "driver/host_table.h"

/* False: this build has no libcurl, and every fetch comes to UNSUPPORTED. */
bool sl_oidc_is_there(void);
/* Blocks for as long as the settings let it. Fills rv and text of the answer, and puts into out what the
 * provider says, which may be an error of its own. */
void sl_oidc_fetch(const struct sl_token_settings *settings, struct sl_writer *out,
                   struct sl_host_answer *answer);

/* The value of the Authorization header. urlencode: both parts are encoded first (KIP-1025). */
void sl_oidc_put_basic(struct sl_writer *out, const char *id, const char *secret, bool urlencode);
/* As a form has it (RFC 6749, appendix B). */
void sl_oidc_put_form(struct sl_writer *out, const char *text);

#endif
