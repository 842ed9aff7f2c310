/* Errands: what takes longer than a turn may, and is none of core's business: fetching a token, a step
 * of a GSSAPI conversation. Core names the kind and gives bytes; a host does it off the loop, by
 * means of its own, and answers with bytes or an error in words. What the bytes mean is agreed upon by
 * who sends the errand and who runs it.
 *
 * Nothing waits for an errand: whoever sent one may drop it at any time, and an answer that comes later,
 * twice, or to nobody is passed over. It needs no memory to send one. */
#ifndef SL_CORE_ERRAND_H
#define SL_CORE_ERRAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"

struct sl_core;

enum sl_errand_kind {
    SL_ERRAND_NAME = 1, /* a host's own: what a RESOLVE output asks for */
    SL_ERRAND_TOKEN,    /* a token of OAUTHBEARER (login_token.c) */
    SL_ERRAND_GSSAPI    /* a step of a conversation */
};
enum { SL_ERRAND_KINDS = SL_ERRAND_GSSAPI + 1 };

/* What a host keeps from one errand to the next, opaque to core: a conversation that goes on. It has one
 * owner at a time. The host takes it out of the errand when it begins, and puts it back with the answer;
 * core lets it go when nobody will go on. */
struct sl_errand_state {
    /* On any thread; does not block. */
    void (*destroy)(struct sl_errand_state *state);
};
struct sl_errand_answer {
    int rv;                /* 0, or what it failed with */
    const char *text;      /* and in words; "" */
    struct sl_bytes bytes; /* what came of it, which may be something with an error as well */
    struct sl_errand_state **state; /* taken out of there; NULL: there is none */
};
/* Part of whoever sends it, all zero at first. */
struct sl_errand {
    struct sl_list node; /* in one of core's two lists */
    uint64_t serial;     /* 0: not under way */
    enum sl_errand_kind kind;
    uint32_t link;         /* the connection that it is for; 0: none */
    struct sl_bytes input; /* borrowed until the host was told, in the turn in which it was sent */
    struct sl_errand_state *state; /* owned; NULL: none, or the host has it */
    void (*on_answer)(struct sl_core *core, struct sl_errand *errand,
                      const struct sl_errand_answer *answer);
};
struct sl_errands_unit {
    struct sl_list sent; /* struct sl_errand: the host is still to be told of them */
    struct sl_list out;  /* and those that it has */
    uint64_t last_serial;
};

void sl_errand_init_all(struct sl_errands_unit *errands);
/* It must not be under way. kind, link, input and on_answer are set. */
void sl_errand_send(struct sl_core *core, struct sl_errand *errand);
/* Its answer is not wanted any more, if it was under way at all, nor will another follow it. */
void sl_errand_drop(struct sl_errand *errand);
bool sl_errand_is_out(const struct sl_errand *errand);

/* ---- for core.c ---- */

/* The next that the host is to be told of; NULL: none. */
struct sl_errand *sl_errand_next(struct sl_core *core);
void sl_errand_on_answer(struct sl_core *core, uint64_t serial,
                         const struct sl_errand_answer *answer);

#endif
