/* The idempotent identity: producer id and epoch, epoch bumps (KIP-98, KIP-360). */
#ifndef SL_CORE_PRODUCER_ID_H
#define SL_CORE_PRODUCER_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "core/calls.h"

enum sl_producer_id_state {
    SL_PRODUCER_ID_NONE = 1, /* not asked yet */
    SL_PRODUCER_ID_ASKING,
    SL_PRODUCER_ID_KNOWN,
    SL_PRODUCER_ID_BUMPING, /* the epoch has to rise before the next new sequence */
    SL_PRODUCER_ID_FAILED   /* refused for good: code says why */
};
struct sl_producer_id {
    struct sl_core *core;
    struct sl_call call;
    enum sl_producer_id_state state;
    int64_t id;    /* -1: none */
    int16_t epoch; /* -1: none */
    int code;
};
void sl_producer_id_init(struct sl_producer_id *p, struct sl_core *core);
void sl_producer_id_deinit(struct sl_producer_id *p);
/* True when sequences may be given; otherwise asks for an identity. */
bool sl_producer_id_is_known(struct sl_core *core);
/* The epoch must rise: after an unresolved batch, OUT_OF_ORDER_SEQUENCE at the head and so on. */
void sl_producer_id_bump(struct sl_core *core, const char *why);
/* Asks for the first identity as soon as there is a record. */
void sl_producer_id_run(struct sl_core *core);

#endif
