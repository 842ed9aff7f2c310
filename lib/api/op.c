/* Tickets: a handle around core's op. The ticket is made before the op is started, so that a
 * started operation always has one. */
#include "api/op.h"

#include <string.h>

#include "core/table.h"
#include "driver/client.h"
#include "sluice/client.h"

enum { OP_MAGIC = 0x51c00709, OP_GONE = 0x0bad0709 };

int sl_op_ticket_create(const struct sl_alloc *alloc, sluice_op **out) {
    sluice_op *ticket = sl_alloc_zero(alloc, sizeof *ticket);
    if (ticket == NULL) return SLUICE_ERR_NOMEM;
    ticket->magic = OP_MAGIC;
    ticket->alloc = alloc;
    *out = ticket;
    return 0;
}

void sl_op_ticket_bind(sluice_op *ticket, struct sl_op *op) {
    ticket->op = op;
    sl_offsets_init_result(&ticket->offsets, &op->offsets);
    sl_table_init_result(&ticket->table, &op->table, op->shell);
}

void sl_op_ticket_destroy(sluice_op *ticket) {
    ticket->magic = OP_GONE;
    sl_alloc_free(ticket->alloc, ticket, sizeof *ticket);
}

static bool is_op(const sluice_op *op) { return op != NULL && op->magic == OP_MAGIC; }

int sluice_op_wait(sluice_op *op, int32_t timeout_ms) {
    if (!is_op(op) || timeout_ms < SLUICE_TIMEOUT_DEFAULT) return SLUICE_ERR_USAGE;
    return sl_client_wait_op(op->op, timeout_ms);
}

uint64_t sluice_op_id(const sluice_op *op) { return is_op(op) ? op->op->id : 0; }

const char *sluice_op_message(const sluice_op *op) {
    return is_op(op) && sl_client_op_is_ended(op->op) ? op->op->text : "";
}

const sluice_offsets *sluice_op_offsets(const sluice_op *op) {
    if (!is_op(op) || !sl_client_op_is_ended(op->op)) return NULL;
    return sl_offsets_list(&op->offsets) == NULL ? NULL : &op->offsets;
}

const sluice_table *sluice_op_table(const sluice_op *op, const char *name) {
    if (!is_op(op) || !sl_client_op_is_ended(op->op) || op->op->table == NULL) return NULL;
    return name == NULL || strcmp(name, op->op->table->name) == 0 ? &op->table : NULL;
}

void sluice_op_free(sluice_op *op) {
    if (!is_op(op)) return;
    struct sl_op *inner = op->op;
    sl_op_ticket_destroy(op); /* first: its allocator is the shell's, which the inner op holds */
    sl_client_free_op(inner);
}
