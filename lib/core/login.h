/* Who the client is to its brokers: the credentials as they are now, what SCRAM makes of them, and
 * how it went. Connections take from here what they authenticate with (sasl.c). */
#ifndef SL_CORE_LOGIN_H
#define SL_CORE_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/text.h"
#include "core/core.h"
#include "core/login_token.h"
#include "core/scram.h"
#include "core/settings.h"

struct sl_core;
struct sl_broker;
struct sl_link;
struct sl_command;

struct sl_login {
    struct sl_core *core;
    bool is_wanted; /* security.protocol has SASL */
    /* Owned; NULL: not known. With a token, user is whom it is to be of, or "". */
    char *user;
    char *secret;   /* the password, or the token */
    int64_t until;  /* the token is good before; SL_NEVER: nobody said */
    int64_t ask_at; /* when a token is asked for or fetched; SL_NEVER: that has been done */
    struct sl_login_token token; /* of use when tokens are fetched */
    uint32_t serial;             /* rises with each change */
    uint32_t identity;   /* rises with each change of the user: a session keeps to one (KIP-368) */
    bool is_refused;     /* a broker has refused it, and none has taken it since */
    struct sl_list keys; /* of struct sl_login_keys: what the password was or is being made into */
    int32_t key_count;
    struct sl_list waiting; /* of struct sl_link: for keys, or for credentials to go on with */
    uint8_t nonce_key[SL_CORE_KEY]; /* what nonces are made of, … */
    uint64_t nonces;                /* … and how many were */
};

/* Copies what the settings say. 0 or NOMEM. */
int sl_login_init(struct sl_login *login, struct sl_core *core, uint64_t seed);
/* Wipes it. */
void sl_login_deinit(struct sl_login *login);
const char *sl_login_mechanism_name(enum sl_sasl_mechanism mechanism);

/* There is something to authenticate with, or no need to. */
bool sl_login_is_there(const struct sl_core *core);
/* From now on the client is who these say. Takes both texts, which may be NULL. */
void sl_login_put(struct sl_core *core, char *user, char *secret);
/* SET_LOGIN and SET_TOKEN; what the command has is taken. */
void sl_login_on_command(struct sl_core *core, struct sl_command *command);
/* The keys that this conversation needs. NULL with *rv 0: they are being made; the link waits
 * (sl_login_wait) and asks again. Else *rv is NOMEM. Valid during the call. */
const struct sl_scram_keys *sl_login_take_keys(struct sl_core *core, const struct sl_scram *scram,
                                               int *rv);
/* sl_sasl_resume follows, in every turn. */
void sl_login_wait(struct sl_link *link);
/* A nonce that was never used before. */
int sl_login_make_nonce(struct sl_core *core, char out[SL_SCRAM_NONCE + 1]);
/* A broker says that these are no credentials; the story names it. */
void sl_login_on_refused(struct sl_core *core, const struct sl_broker *broker, uint32_t serial,
                         const char *story);
void sl_login_on_accepted(struct sl_core *core, uint32_t serial);
/* What is missing, for people; "" when nothing is. */
void sl_login_tell(const struct sl_core *core, struct sl_text *out);

/* ---- for core.c ---- */

void sl_login_run(struct sl_core *core);
int64_t sl_login_deadline(const struct sl_core *core);

#endif
