/* Where clients of the simulated world get their tokens: a file, or an OIDC provider, in whatever mood
 * it is. It answers errands of core. */
#ifndef SIM_PROVIDER_H
#define SIM_PROVIDER_H

#include <stddef.h>
#include <stdint.h>

#include "sim/world.h"

enum { PROVIDER_TOKEN = 600 };

enum provider_mood {
    PROVIDER_FINE = 0,
    PROVIDER_DOWN,     /* cannot be reached */
    PROVIDER_REFUSES,  /* the client's secret is wrong, or the file is not there */
    PROVIDER_SILENT,   /* never answers */
    PROVIDER_NONSENSE, /* what it answers is no token */
    PROVIDER_FORGES,   /* brokers do not take what it gives */
    PROVIDER_SLEEPS,   /* gives the same token as the last time */
    PROVIDER_MOODS
};

struct provider {
    enum provider_mood mood;
    int64_t delay;    /* ns until it answers */
    int64_t life_s;   /* of its tokens; 0: they are opaque, and say nothing of it */
    const char *user; /* whose they are */
    int32_t changes;  /* of 100 errands that find it in another mood, drawn anew */
    int64_t asked;    /* errands so far */
    int64_t given;    /* tokens */
    char last[PROVIDER_TOKEN];
};

/* Has the clients of the world come to it, until it is NULL. */
void provider_set(struct world *w, struct provider *p);
/* An unsecured JWT of that user which ends so many seconds from now. */
void provider_make_token(const struct world *w, const char *user, int64_t seconds,
                         char out[PROVIDER_TOKEN]);

#endif
