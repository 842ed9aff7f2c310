/* The first messages of PLAIN (RFC 4616) and OAUTHBEARER (RFC 7628), and what a broker has to say
 * against a token. */
#ifndef SL_CORE_SASL_TOKENS_H
#define SL_CORE_SASL_TOKENS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/text.h"

void sl_sasl_tokens_plain(struct sl_writer *out, const char *user, const char *password);
/* principal: whom the token is to be of, or ""; extensions: "name=value,name=value" (KIP-342), or
 * "". Both have been checked. */
void sl_sasl_tokens_bearer(struct sl_writer *out, const char *token, const char *principal,
                           const char *extensions);
/* Whether it can be sent as a token: the characters of RFC 6750, one at least. */
bool sl_sasl_tokens_is_token(const char *text);
/* Whether it can be named as the one whom the token is of. */
bool sl_sasl_tokens_is_principal(const char *text);
/* NULL, or what is wrong with a list of extensions. */
const char *sl_sasl_tokens_check_extensions(const char *text);
/* The answer to a token that is not taken, a JSON object: its "status" and "scope", for people. An
 * answer that is no such object is told as that. */
void sl_sasl_tokens_tell(struct sl_bytes answer, struct sl_text *why);

#endif
