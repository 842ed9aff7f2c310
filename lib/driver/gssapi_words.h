/* What Kerberos says when it fails, and what to do about it. */
#ifndef SL_DRIVER_GSSAPI_WORDS_H
#define SL_DRIVER_GSSAPI_WORDS_H

#include <stdbool.h>

#include "base/text.h"

/* Puts the reason that is in a text of cyrus-sasl or of GSSAPI, with advice where it is known. by_keytab: the
 * ticket was to be had by one. Returns UNREACHABLE when no KDC answers, else AUTH. */
int sl_gssapi_words_tell(const char *text, bool by_keytab, struct sl_text *why);

#endif
