/* Operations: commands to core, and waiting for their end.
 *
 * An op belongs to core until it is posted; then to whoever asked. A call that stops waiting
 * earlier marks the op as forgotten, and it is freed where it would have been posted. A ticket is
 * an op in the application's hands: it holds the shell, its end is an event, and it is right after
 * the client was freed (everything was posted then).
 *
 * Not here: what operations do (core). */
#include <string.h>

#include "base/assert.h"
#include "driver/forked.h"
#include "driver/shell.h"
#include "sluice/error.h"

static void destroy_command(struct sluice_client *c, struct sl_command *command) {
    struct sl_op *op = command->op;
    sl_command_destroy(&c->alloc, command);
    sl_op_destroy(&c->alloc, op);
}

int sl_client_post(struct sluice_client *c, struct sl_command *command) {
    bool wake = false;
    int rv = command->kind == SL_COMMAND_COMMIT ? sl_client_order_commit(c, command)
                                                : sl_inbox_post(&c->inbox, command, false, &wake);
    if (rv != 0) destroy_command(c, command);
    if (wake) sl_runtime_wake(c->runtime);
    return rv;
}

/* Makes the op of a command. */
static int give_command_op(struct sluice_client *c, struct sl_command *command, int64_t deadline,
                           bool ticket) {
    int rv = sl_op_create(&c->alloc, 0, deadline, &command->op);
    if (rv != 0) {
        command->op = NULL;
        destroy_command(c, command);
        return rv;
    }
    command->op->shell = c;
    command->op->ticket = ticket;
    sl_outbox_lock(&c->outbox);
    command->op->id = ++c->outbox.last_op;
    c->outbox.holders += ticket;
    sl_outbox_unlock(&c->outbox);
    return 0;
}

/* Waits for an op that no ticket stands for. *op is NULL after when it has not ended. */
static int wait_for_own_op(struct sluice_client *c, struct sl_op **op, int64_t deadline) {
    struct sl_shell_wait wait = {
        .done = sl_client_is_posted, .arg = *op, .deadline = deadline, .patient = true};
    sl_outbox_lock(&c->outbox);
    int rv = sl_client_await(c, &wait);
    if (rv == 0) {
        rv = (*op)->code;
    } else {
        (*op)->forgotten = true;
        *op = NULL;
        if (rv == SLUICE_ERR_PENDING) rv = SLUICE_ERR_TIMEOUT;
    }
    sl_outbox_unlock(&c->outbox);
    return rv;
}

int sl_client_ask(struct sluice_client *c, struct sl_command *command, int32_t timeout_ms,
                  bool ticket, struct sl_op **op) {
    struct sl_op *own;
    *(op != NULL ? op : &own) = NULL;
    int64_t deadline = sl_client_deadline(c, timeout_ms);
    int64_t core_deadline = ticket ? deadline : sl_client_core_deadline(c, deadline);
    int rv = give_command_op(c, command, core_deadline, ticket);
    if (rv != 0) return rv;
    own = command->op;
    rv = sl_client_post(c, command);
    if (rv != 0) {
        if (ticket) sl_client_drop(c);
        return rv;
    }
    if (!ticket) rv = wait_for_own_op(c, &own, deadline);
    if (op != NULL)
        *op = own;
    else
        sl_client_free_op(own);
    return rv;
}

int sl_client_wait_op(struct sl_op *op, int32_t timeout_ms) {
    struct sluice_client *c = op->shell;
    if (c->fork_generation != sl_forked_generation) return SLUICE_ERR_FORKED;
    struct sl_shell_wait wait = {.done = sl_client_is_posted,
                                 .arg = op,
                                 .deadline =
                                     timeout_ms == 0 ? 0 : sl_client_deadline(c, timeout_ms)};
    sl_outbox_lock(&c->outbox);
    int rv = sl_client_await(c, &wait);
    bool seen = rv == 0 && sl_list_is_linked(&op->node);
    if (rv == 0) rv = op->code;
    if (seen) sl_list_remove(&op->node);
    sl_outbox_unlock_and_signal(&c->outbox);
    return rv;
}

bool sl_client_op_is_ended(struct sl_op *op) {
    struct sluice_client *c = op->shell;
    if (c->fork_generation != sl_forked_generation) return op->posted;
    sl_outbox_lock(&c->outbox);
    bool ended = op->posted;
    sl_outbox_unlock(&c->outbox);
    return ended;
}

/* The parent's threads are not here: no lock. What core had not ended stays. */
static void free_op_in_child(struct sluice_client *c, struct sl_op *op) {
    bool ticket = op->ticket;
    if (!op->posted) {
        op->forgotten = true;
    } else if (!c->abandoned) {
        sl_list_remove(&op->node);
        sl_op_destroy(&c->alloc, op);
    }
    if (ticket) sl_client_drop(c);
}

void sl_client_free_op(struct sl_op *op) {
    if (op == NULL) return;
    struct sluice_client *c = op->shell;
    if (c->fork_generation != sl_forked_generation) {
        free_op_in_child(c, op);
        return;
    }
    bool ticket = op->ticket;
    sl_outbox_lock(&c->outbox);
    bool posted = op->posted;
    if (posted && sl_list_is_linked(&op->node)) sl_list_remove(&op->node);
    if (!posted) op->forgotten = true;
    sl_outbox_unlock_and_signal(&c->outbox);
    if (posted) sl_op_destroy(&c->alloc, op);
    if (ticket) sl_client_drop(c);
}

/* ---- metrics ---- */

int sl_client_ask_metrics(struct sluice_client *c, struct sl_command **out) {
    struct sl_command *command;
    int rv = sl_command_create(&c->alloc, SL_COMMAND_METRICS, &command);
    if (rv != 0) return rv;
    if (c->settings->role == SL_ROLE_CONSUMER) {
        rv = sl_offset_list_create(&c->alloc, &command->offsets);
        if (rv == 0) rv = sl_client_positions(c, command->offsets);
    }
    if (rv != 0) {
        sl_command_destroy(&c->alloc, command);
        return rv;
    }
    *out = command;
    return 0;
}

/* ---- dump ---- */

enum { DUMP_FIRST_CAP = 64 * 1024 };

/* Held. False: another call is at it, or core still writes for one that did not wait. */
static bool claim_dump(struct sluice_client *c) {
    struct sl_shell_dump *dump = &c->dump;
    if (dump->busy || (dump->op != NULL && !dump->op->posted)) return false;
    dump->busy = true;
    return true;
}

static int grow_dump(struct sluice_client *c, size_t cap) {
    struct sl_shell_dump *dump = &c->dump;
    sl_op_destroy(&c->alloc, dump->op);
    dump->op = NULL;
    if (cap <= dump->cap) return 0;
    sl_alloc_free(&c->alloc, dump->buf, dump->cap);
    dump->cap = 0;
    dump->buf = sl_alloc_get(&c->alloc, cap);
    if (dump->buf == NULL) return SLUICE_ERR_NOMEM;
    dump->cap = cap;
    return 0;
}

/* Asks core once. 0: dump.op has ended, number is the length of the text. */
static int ask_for_dump(struct sluice_client *c, int64_t deadline) {
    struct sl_command *command;
    int rv = sl_command_create(&c->alloc, SL_COMMAND_DUMP, &command);
    if (rv != 0) return rv;
    command->buf = c->dump.buf;
    command->cap = c->dump.cap;
    rv = give_command_op(c, command, deadline, false);
    if (rv != 0) return rv;
    struct sl_op *op = command->op;
    rv = sl_client_post(c, command);
    if (rv != 0) return rv;
    struct sl_shell_wait wait = {.done = sl_client_is_posted, .arg = op, .deadline = deadline};
    sl_outbox_lock(&c->outbox);
    c->dump.op = op;
    rv = sl_client_await(c, &wait);
    sl_outbox_unlock(&c->outbox);
    return rv != 0 ? rv : op->code;
}

static void dump_mailboxes(struct sluice_client *c, struct sl_text *out) {
    struct sl_client_counts counts;
    sl_client_counts(c, &counts);
    sl_outbox_lock(&c->outbox);
    int state = (int)c->outbox.state;
    int32_t notices = c->outbox.notice_count;
    int64_t unread = c->outbox.unread;
    uint32_t holders = c->outbox.holders;
    sl_outbox_unlock(&c->outbox);
    sl_text_printf(out,
                   "mailboxes state=%d pending=%lld pending_bytes=%lld written=%lld "
                   "not_written=%lld maybe_written=%lld unread=%lldB notices=%d holders=%u\n",
                   state, (long long)counts.pending, (long long)counts.pending_bytes,
                   (long long)counts.written, (long long)counts.not_written,
                   (long long)counts.maybe_written, (long long)unread, (int)notices, holders);
}

int sl_client_dump(struct sluice_client *c, int32_t timeout_ms, struct sl_text *out) {
    int64_t deadline = sl_client_deadline(c, timeout_ms);
    sl_outbox_lock(&c->outbox);
    bool claimed = claim_dump(c);
    sl_outbox_unlock(&c->outbox);
    int rv = claimed ? grow_dump(c, DUMP_FIRST_CAP) : SLUICE_ERR_PENDING;
    if (rv == 0) rv = ask_for_dump(c, deadline);
    while (rv == 0 && (size_t)c->dump.op->number >= c->dump.cap) {
        rv = grow_dump(c, (size_t)c->dump.op->number * 2);
        if (rv == 0) rv = ask_for_dump(c, deadline);
    }
    if (rv == 0) sl_text_put_len(out, c->dump.buf, (size_t)c->dump.op->number);
    sl_outbox_lock(&c->outbox);
    if (claimed) c->dump.busy = false;
    sl_outbox_unlock(&c->outbox);
    dump_mailboxes(c, out);
    return rv == SLUICE_ERR_NOMEM ? rv : 0;
}
