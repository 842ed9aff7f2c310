/* Tickets of operations inside core.
 *
 * An op is PENDING from sl_ops_start to sl_ops_end and has a node in the heap of deadlines all that
 * time (at SL_NEVER when it has none), so the heap is the list of everything pending: closing
 * walks it. Ending only writes fields and moves the op to the events: no memory, no failure.
 *
 * Not done here: waiting and forgetting, which the outbox does under its mutex. */
#include "core/ops.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "core/table.h"
#include "core/unit.h"
#include "sluice/error.h"

int sl_op_create(const struct sl_alloc *alloc, uint64_t id, int64_t deadline, struct sl_op **out) {
    struct sl_op *op = sl_alloc_zero(alloc, sizeof *op);
    if (op == NULL) return SLUICE_ERR_NOMEM;
    sl_list_init(&op->node);
    op->id = id;
    op->deadline = deadline;
    op->state = SL_OP_PENDING;
    *out = op;
    return 0;
}

void sl_op_destroy(const struct sl_alloc *alloc, struct sl_op *op) {
    if (op == NULL) return;
    sl_offset_list_destroy(op->offsets);
    sl_table_destroy(op->table);
    sl_alloc_free(alloc, op, sizeof *op);
}

void sl_ops_init(struct sl_ops *ops, struct sl_core *core) {
    ops->core = core;
    sl_heap_init(&ops->timers, core->alloc);
}

void sl_ops_deinit(struct sl_ops *ops) {
    SL_ASSERT(sl_heap_peek(&ops->timers) == NULL);
    sl_heap_deinit(&ops->timers);
}

int sl_ops_start(struct sl_ops *ops, struct sl_op *op) {
    SL_ASSERT(op->state == SL_OP_PENDING);
    int rv = sl_heap_set(&ops->timers, &op->timer, op->deadline);
    if (rv != 0) sl_ops_end(ops, op, rv, "no memory to start the operation");
    return rv;
}

void sl_ops_end(struct sl_ops *ops, struct sl_op *op, int code, const char *format, ...) {
    SL_ASSERT(op->state == SL_OP_PENDING);
    struct sl_core *core = ops->core;
    struct sl_text text;
    sl_text_init(&text, op->text, sizeof op->text);
    if (format != NULL) {
        va_list args;
        va_start(args, format);
        sl_text_vprintf(&text, format, args);
        va_end(args);
    }
    sl_heap_remove(&ops->timers, &op->timer);
    sl_list_remove(&op->node);
    op->on_over = NULL;
    op->owner = NULL;
    op->code = code;
    op->state = SL_OP_ENDED;
    sl_trace_add(&core->trace, SL_TRACE_OP_END, core->now, (int64_t)op->id, code);
    sl_list_push_back(&core->events.ops, &op->node);
}

/* The unit that keeps the op ends it, or nobody does and it is ended here. */
static void end_op_over(struct sl_ops *ops, struct sl_op *op, int code) {
    if (op->on_over == NULL) {
        sl_ops_end(ops, op, code,
                   code == SLUICE_ERR_CLOSED ? "the client was closed" : "the deadline passed");
        return;
    }
    op->on_over(ops->core, op, code);
    SL_ASSERT(op->state != SL_OP_PENDING);
}

void sl_ops_run(struct sl_ops *ops) {
    struct sl_heap_node *node;
    while ((node = sl_heap_peek(&ops->timers)) != NULL && node->at <= ops->core->now) {
        end_op_over(ops, SL_LIST_OF(node, struct sl_op, timer), SLUICE_ERR_TIMEOUT);
    }
}

void sl_ops_close(struct sl_ops *ops) {
    struct sl_heap_node *node;
    while ((node = sl_heap_peek(&ops->timers)) != NULL) {
        end_op_over(ops, SL_LIST_OF(node, struct sl_op, timer), SLUICE_ERR_CLOSED);
    }
}

int64_t sl_ops_deadline(const struct sl_ops *ops) {
    const struct sl_heap_node *node = sl_heap_peek(&ops->timers);
    return node == NULL ? SL_NEVER : node->at;
}
