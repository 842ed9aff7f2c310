/* What a file or a provider of tokens has to say, made into a token and its lifetime. */
#ifndef SL_CORE_TOKEN_ANSWER_H
#define SL_CORE_TOKEN_ANSWER_H

#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/text.h"

enum { SL_TOKEN_SUBJECT = 128, SL_TOKEN_MAX = 64 * 1024 };

struct sl_token_answer {
    char *token;     /* owned: the caller's in the end */
    int64_t life_ms; /* from now on; 0: it has ended, -1: it does not say */
    /* Whom it is of ("sub"), cut; "" when it does not say. To compare, not to be believed. */
    char subject[SL_TOKEN_SUBJECT];
};

/* The content of a file: the token, blanks and line ends around it. wall_ms: Unix milliseconds, which a
 * JWT's end is compared with. 0, NOMEM, or AUTH with what is wrong in *why. */
int sl_token_answer_read_file(struct sl_bytes content, int64_t wall_ms,
                              const struct sl_alloc *alloc, struct sl_token_answer *out,
                              struct sl_text *why);
/* The JSON object of a token endpoint (RFC 6749, 5.1), likewise. */
int sl_token_answer_read_oidc(struct sl_bytes content, int64_t wall_ms,
                              const struct sl_alloc *alloc, struct sl_token_answer *out,
                              struct sl_text *why);
/* What a token endpoint has against it ("error" and "error_description", RFC 6749, 5.2), if it is
 * such an object. */
void sl_token_answer_tell(struct sl_bytes content, struct sl_text *why);

#endif
