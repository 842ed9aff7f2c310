/* Tokens that the library fetches by itself: from a file, or from an OIDC provider. */
#ifndef SL_CORE_LOGIN_TOKEN_H
#define SL_CORE_LOGIN_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "core/errand.h"
#include "core/token_answer.h"

struct sl_core;

/* Part of struct sl_login. */
struct sl_login_token {
    struct sl_errand errand; /* the fetch */
    int64_t late_at;         /* then it counts as failed; SL_NEVER: none is under way */
    uint32_t failures;       /* fetches that have failed since the last that did not */
    uint32_t refusals;       /* of fetched tokens by brokers, since the last that was taken */
    bool is_told;            /* the application has heard that there is no token */
    char subject[SL_TOKEN_SUBJECT]; /* whom the token is of, as far as it says */
    char story[240];                /* why the last fetch failed; "": it did not */
};

/* Tokens are fetched; else the application gives them. */
bool sl_login_token_is_fetched(const struct sl_core *core);
/* Begins a fetch, unless one is under way. */
void sl_login_token_fetch(struct sl_core *core);
/* A broker has refused a fetched token, or taken it. */
void sl_login_token_on_refused(struct sl_core *core);
void sl_login_token_on_accepted(struct sl_core *core);
/* Why there is none yet, for people. */
void sl_login_token_tell(const struct sl_core *core, struct sl_text *out);
/* The deadline of a fetch, when it has passed. */
void sl_login_token_run(struct sl_core *core);

#endif
