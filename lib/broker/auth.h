/* Authentication at the test broker: who may log in and how, sessions and their ends, and what a
 * dishonest broker does. */
#ifndef SL_BROKER_AUTH_H
#define SL_BROKER_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/list.h"
#include "base/rng.h"

struct sl_machine_link;

enum sl_auth_mechanism {
    SL_AUTH_PLAIN = 1,
    SL_AUTH_SCRAM_SHA_256,
    SL_AUTH_SCRAM_SHA_512,
    SL_AUTH_OAUTHBEARER,
    SL_AUTH_MECHANISMS
};
/* What a dishonest broker says where an honest one would have said something else. */
enum sl_auth_lie {
    SL_AUTH_LIE_NONE = 0,
    SL_AUTH_LIE_ITERATIONS, /* a thousand million of them */
    SL_AUTH_LIE_FEW,        /* one */
    SL_AUTH_LIE_NONCE,      /* one of its own */
    SL_AUTH_LIE_ECHO,       /* the client's nonce with nothing behind it */
    SL_AUTH_LIE_SIGNATURE,  /* a wrong one */
    SL_AUTH_LIE_UNSIGNED,   /* none, but success */
    SL_AUTH_LIE_EXTENSION,  /* one that has to be understood */
    SL_AUTH_LIE_ENDLESS,    /* goes on and on */
    SL_AUTH_LIES
};

/* Judges a token in place of the broker. Puts the user into *user. False: it is not taken. */
typedef bool (*sl_auth_verify_fn)(void *self, struct sl_str token, struct sl_str *user);

/* What SCRAM keeps of a password. */
struct sl_auth_stored {
    int32_t iterations; /* 0: not made yet */
    uint8_t stored[SL_DIGEST_MAX];
    uint8_t server[SL_DIGEST_MAX];
};
struct sl_auth_user {
    struct sl_list node;
    char name[128];
    char secret[512];
    struct sl_auth_stored stored[2]; /* of SCRAM with SHA-256 and SHA-512 */
};
struct sl_auth_settings {
    const struct sl_alloc *alloc;
    uint32_t mechanisms;  /* bit 1 << enum sl_auth_mechanism; 0: nobody has to log in */
    struct sl_list users; /* of struct sl_auth_user, owned */
    int64_t reauth_ms;    /* connections.max.reauth.ms; 0: sessions do not end */
    int32_t failed_ms;    /* connection.failed.authentication.delay.ms */
    int32_t iterations;   /* of SCRAM */
    enum sl_auth_lie lie;
    int64_t expired;          /* connections ended with their session */
    sl_auth_verify_fn verify; /* NULL: unsecured JWTs are taken by their claims */
    void *verify_self;
};

enum sl_auth_state {
    SL_AUTH_NEW = 1,  /* ApiVersions or SaslHandshake may come */
    SL_AUTH_VERSIONS, /* SaslHandshake alone */
    SL_AUTH_TOKENS,   /* SaslAuthenticate alone, … */
    SL_AUTH_RAW,      /* … or tokens in frames without a header, after SaslHandshake 0 */
    SL_AUTH_DONE
};
/* Of one connection. */
struct sl_auth {
    enum sl_auth_state state;
    enum sl_auth_mechanism mechanism;
    int step;              /* tokens of the client so far */
    char user[128];        /* of the session; "" before */
    char candidate[128];   /* who is logging in */
    bool token_is_bad;     /* OAUTHBEARER: it was told, and its 0x01 is awaited */
    int64_t token_ends_ms; /* Unix milliseconds; 0: never */
    int64_t expires_at;    /* monotonic; 0: never */
    int64_t begun_anew_at; /* the last time that it began to authenticate anew; 0: never */
    char nonce[128];       /* SCRAM: both parts */
    struct sl_writer said; /* SCRAM, owned: what both sides sign */
};

void sl_auth_init(struct sl_auth_settings *s, const struct sl_alloc *alloc);
void sl_auth_deinit(struct sl_auth_settings *s);
/* A setting by its name. False: it is none of these. */
bool sl_auth_set(struct sl_auth_settings *s, const char *name, const char *value, bool *is_good);
const char *sl_auth_mechanism_name(enum sl_auth_mechanism mechanism);
struct sl_auth_user *sl_auth_find_user(const struct sl_auth_settings *s, struct sl_str name);

/* For a new connection; NULL where nobody has to log in (*rv 0), or out of memory. */
struct sl_auth *sl_auth_open(const struct sl_auth_settings *s, int *rv);
void sl_auth_close(const struct sl_auth_settings *s, struct sl_auth *auth);
/* Whether a request may be handled now. NULL, or what is wrong: the connection ends then. */
const char *sl_auth_judge(struct sl_machine_link *link, int16_t key);

/* What one token comes to. */
enum sl_auth_verdict {
    SL_AUTH_GOES_ON = 1,
    SL_AUTH_ACCEPTED,
    SL_AUTH_REFUSED /* wrong credentials, or no token of this mechanism */
};
/* Takes a token; *out is the answer, in the arena. lifetime_ms: of the session; 0: no end. */
enum sl_auth_verdict sl_auth_take(struct sl_machine_link *link, struct sl_bytes token,
                                  struct sl_arena *arena, struct sl_bytes *out,
                                  int64_t *lifetime_ms);

/* ---- between the auth_*.c files ---- */

enum sl_auth_verdict sl_auth_scram_take(struct sl_machine_link *link, struct sl_bytes token,
                                        struct sl_writer *out);
/* Reads an unsecured JWT, by the wall clock in milliseconds. False: it is none, or none that is good
 * now. */
bool sl_auth_jwt_read(struct sl_str token, int64_t wall_ms, char *user, size_t cap,
                      int64_t *ends_ms);

#endif
