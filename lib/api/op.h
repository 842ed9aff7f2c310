/* Tickets of operations, as applications hold them. */
#ifndef SL_API_OP_H
#define SL_API_OP_H

#include "api/offsets.h"
#include "api/table.h"
#include "core/ops.h"
#include "sluice/types.h"

struct sluice_op {
    uint32_t magic;
    struct sl_op *op;              /* owned */
    const struct sl_alloc *alloc;  /* of the client, whose shell the op holds */
    struct sluice_offsets offsets; /* around the list that the op ends with */
    struct sluice_table table;     /* around its table */
};

/* A ticket without an op yet. 0 or NOMEM. */
int sl_op_ticket_create(const struct sl_alloc *alloc, sluice_op **out);
/* The op was started. */
void sl_op_ticket_bind(sluice_op *ticket, struct sl_op *op);
/* Frees the ticket, not the op. */
void sl_op_ticket_destroy(sluice_op *ticket);

#endif
