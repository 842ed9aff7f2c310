/* The consumer's calls: each is the gate's function under the outbox mutex, which makes that mutex
 * the linearization point, and then a poke, so that the I/O thread takes the orders and the memory
 * that came back. The rules are in core/gate.c.
 *
 * After the client was freed (core is gone) batches still come back; nobody takes their buffers
 * then, so they are freed here. In a forked child no lock is taken. */
#include "core/rebalance.h"
#include "driver/forked.h"
#include "driver/shell.h"
#include "sluice/error.h"

static bool is_gate_forked(const struct sluice_client *c) {
    return c->fork_generation != sl_forked_generation;
}

/* Held. What is in hand has a client that goes on: 0, or CLOSED. */
static int check_open_hand(const struct sluice_client *c) {
    return c->outbox.state == SL_OUTBOX_OPEN ? 0 : SLUICE_ERR_CLOSED;
}

/* Held. True: there is a loop to be poked, and free waits until end_gate_change has. Batches may
 * be given back by any thread while another one frees the client. */
static bool claim_poke(struct sluice_client *c) {
    bool alive = c->outbox.state != SL_OUTBOX_CLOSED && !c->freeing;
    c->pokers += alive;
    return alive;
}

/* Held, to begin with. Unlocks after a change of the gate, and pokes the loop if that is due. */
static void end_claimed_change(struct sluice_client *c, bool is_due, bool claimed) {
    sl_outbox_unlock_and_signal(&c->outbox);
    if (!claimed) return;
    if (is_due) sl_client_poke(c);
    sl_outbox_lock(&c->outbox);
    bool last = --c->pokers == 0 && c->freeing;
    if (last) sl_inbox_mail_tell(&c->outbox.mail);
    sl_outbox_unlock(&c->outbox);
}

static void end_gate_change(struct sluice_client *c, int rv, bool claimed) {
    end_claimed_change(c, rv == 0, claimed);
}

/* Where memory came back: an idle loop need not know before core has a use for it. */
static void end_gate_return(struct sluice_client *c, bool claimed) {
    end_claimed_change(c, claimed && sl_gate_is_due(c->outbox.gate), claimed);
}

int sl_client_assign(struct sluice_client *c, const struct sl_offsets *list) {
    sl_outbox_lock(&c->outbox);
    bool alive = claim_poke(c);
    int rv = alive ? sl_gate_assign(c->outbox.gate, list) : SLUICE_ERR_CLOSED;
    end_gate_change(c, rv, alive);
    return rv;
}

int sl_client_seek(struct sluice_client *c, const struct sl_offsets *list) {
    sl_outbox_lock(&c->outbox);
    bool alive = claim_poke(c);
    int rv = alive ? sl_gate_seek(c->outbox.gate, list) : SLUICE_ERR_CLOSED;
    end_gate_change(c, rv, alive);
    return rv;
}

int sl_client_pause(struct sluice_client *c, const struct sl_offsets *list, bool paused) {
    sl_outbox_lock(&c->outbox);
    bool alive = claim_poke(c);
    int rv = alive ? sl_gate_pause(c->outbox.gate, list, paused) : SLUICE_ERR_CLOSED;
    end_gate_change(c, rv, alive);
    return rv;
}

int sl_client_positions(struct sluice_client *c, struct sl_offsets *out) {
    sl_outbox_lock(&c->outbox);
    int rv = sl_gate_positions(c->outbox.gate, out);
    sl_outbox_unlock(&c->outbox);
    return rv;
}

int sl_client_poll_begin(struct sluice_client *c) {
    sl_outbox_lock(&c->outbox);
    bool busy = c->outbox.polling;
    c->outbox.polling = true;
    bool has_order = !busy && sl_gate_poll_begin(c->outbox.gate);
    end_gate_change(c, 0, has_order && claim_poke(c));
    return busy ? SLUICE_ERR_BUSY : 0;
}

void sl_client_poll_end(struct sluice_client *c) {
    sl_outbox_lock(&c->outbox);
    c->outbox.polling = false;
    sl_gate_poll_end(c->outbox.gate);
    sl_outbox_unlock(&c->outbox);
}

/* ---- groups ---- */

int sl_client_subscribe(struct sluice_client *c, const char *const *topics, int32_t count) {
    sl_outbox_lock(&c->outbox);
    bool alive = claim_poke(c);
    int rv = alive ? sl_gate_subscribe(c->outbox.gate, topics, count) : SLUICE_ERR_CLOSED;
    end_gate_change(c, rv, alive);
    return rv;
}

int sl_client_rejoin(struct sluice_client *c, const char *reason) {
    sl_outbox_lock(&c->outbox);
    bool alive = claim_poke(c);
    int rv = alive ? sl_gate_rejoin(c->outbox.gate, reason) : SLUICE_ERR_CLOSED;
    end_gate_change(c, rv, alive);
    return rv;
}

int sl_client_take_notice(struct sluice_client *c, struct sl_client_notice *out) {
    sl_outbox_lock(&c->outbox);
    const struct sl_rebalance *r = sl_gate_peek_notice(c->outbox.gate);
    int rv = r == NULL ? SLUICE_ERR_STALE : 0;
    if (rv == 0) rv = sl_offset_list_copy(r->offsets, sl_alloc_default(), &out->offsets);
    if (rv == 0) {
        out->kind = (int)r->kind;
        out->serial = r->serial;
        out->hold_until = r->hold_until;
        sl_gate_take_notice(c->outbox.gate);
    }
    sl_outbox_unlock_and_signal(&c->outbox);
    return rv;
}

int sl_client_end_notice(struct sluice_client *c, uint64_t serial, const struct sl_offsets *start) {
    if (is_gate_forked(c)) return SLUICE_ERR_FORKED;
    sl_outbox_lock(&c->outbox);
    int rv = check_open_hand(c);
    bool claimed = rv == 0 && claim_poke(c);
    if (rv == 0) rv = sl_gate_end_notice(c->outbox.gate, serial, start);
    end_gate_change(c, 0, claimed);
    return rv;
}

/* ---- taking ---- */

struct slice_taking {
    size_t max_bytes;
    struct sl_slice **out;
    int32_t cap;
    int32_t *count;
    char *text;
    size_t text_cap;
    int rv;
};

static bool take_slices_now(struct sluice_client *c, void *arg) {
    struct slice_taking *t = arg;
    if (*t->count > 0 || t->rv != 0) return true;
    if (c->outbox.state != SL_OUTBOX_OPEN) {
        t->rv = SLUICE_ERR_CLOSED;
        return true;
    }
    sl_gate_on_time(c->outbox.gate, c->host->now(c->host_self));
    t->rv =
        sl_gate_take(c->outbox.gate, t->max_bytes, t->out, t->cap, t->count, t->text, t->text_cap);
    return *t->count > 0 || t->rv != 0;
}

int sl_client_take_slices(struct sluice_client *c, int32_t timeout_ms, size_t max_bytes,
                          struct sl_slice **out, int32_t cap, int32_t *count, char *text,
                          size_t text_cap) {
    struct slice_taking taking = {max_bytes, out, cap, count, text, text_cap, 0};
    struct sl_shell_wait wait = {
        .done = take_slices_now, .arg = &taking, .deadline = sl_client_deadline(c, timeout_ms)};
    *count = 0;
    if (text_cap > 0) text[0] = '\0';
    sl_outbox_lock(&c->outbox);
    int rv = sl_client_await(c, &wait);
    sl_outbox_unlock_and_signal(&c->outbox);
    if (rv == 0) return taking.rv;
    return rv == SLUICE_ERR_PENDING ? 0 : rv;
}

/* ---- slices in hand, and what is finished of them ---- */

const char *sl_client_slot_topic(struct sluice_client *c, uint32_t slot, int32_t *partition) {
    sl_outbox_lock(&c->outbox);
    const char *topic = sl_gate_topic(c->outbox.gate, slot, partition);
    sl_outbox_unlock(&c->outbox);
    return topic;
}

int sl_client_order_commit(struct sluice_client *c, struct sl_command *command) {
    sl_outbox_lock(&c->outbox);
    int rv = check_open_hand(c);
    bool claimed = rv == 0 && claim_poke(c);
    if (rv == 0) rv = claimed ? sl_gate_commit(c->outbox.gate, command) : SLUICE_ERR_CLOSED;
    end_gate_change(c, rv, claimed);
    return rv;
}

int sl_client_mark(struct sluice_client *c, struct sl_slice *slice, int64_t offset, int32_t epoch) {
    if (is_gate_forked(c)) return SLUICE_ERR_FORKED;
    sl_outbox_lock(&c->outbox);
    int rv = check_open_hand(c);
    if (rv == 0) rv = sl_gate_mark(c->outbox.gate, slice, offset, epoch);
    sl_outbox_unlock(&c->outbox);
    return rv;
}

int sl_client_rewind(struct sluice_client *c, struct sl_slice *slice, int64_t offset,
                     int32_t epoch) {
    if (is_gate_forked(c)) return SLUICE_ERR_FORKED;
    sl_outbox_lock(&c->outbox);
    int rv = check_open_hand(c);
    bool claimed = rv == 0 && claim_poke(c);
    if (rv == 0) rv = sl_gate_rewind(c->outbox.gate, slice, offset, epoch);
    end_gate_change(c, rv, claimed);
    return rv;
}

int sl_client_untake(struct sluice_client *c, struct sl_slice *slice, int64_t from) {
    if (is_gate_forked(c)) return SLUICE_ERR_FORKED;
    sl_outbox_lock(&c->outbox);
    int rv = check_open_hand(c);
    bool claimed = rv == 0 && claim_poke(c);
    if (rv == 0) rv = sl_gate_untake(c->outbox.gate, slice, from);
    end_gate_change(c, rv, claimed);
    sl_outbox_call(&c->outbox);
    return rv;
}

int sl_client_split(struct sluice_client *c, struct sl_slice *slice, size_t size, int64_t offset,
                    int32_t epoch) {
    if (is_gate_forked(c)) return SLUICE_ERR_FORKED;
    sl_outbox_lock(&c->outbox);
    int rv = check_open_hand(c);
    if (rv == 0) rv = sl_gate_split(c->outbox.gate, slice, size, offset, epoch);
    sl_outbox_unlock_and_signal(&c->outbox);
    return rv;
}

int sl_client_stop(struct sluice_client *c, struct sl_slice *slice, int64_t offset) {
    if (is_gate_forked(c)) return SLUICE_ERR_FORKED;
    sl_outbox_lock(&c->outbox);
    int rv = check_open_hand(c);
    bool claimed = rv == 0 && claim_poke(c);
    if (rv == 0) rv = sl_gate_stop(c->outbox.gate, slice, offset);
    end_gate_change(c, rv, claimed);
    return rv;
}

static void give_to_gate(struct sluice_client *c, struct sl_slice *const *slices, int32_t count) {
    for (int32_t i = 0; i < count; i++) sl_gate_give(c->outbox.gate, slices[i]);
}

void sl_client_give(struct sluice_client *c, struct sl_slice *const *slices, int32_t count) {
    struct sl_list buffers;
    int64_t freed;
    if (is_gate_forked(c)) {
        if (!c->abandoned) give_to_gate(c, slices, count);
        return;
    }
    sl_list_init(&buffers);
    sl_outbox_lock(&c->outbox);
    bool alive = claim_poke(c);
    give_to_gate(c, slices, count);
    if (!alive) sl_gate_take_returned(c->outbox.gate, &buffers, &freed);
    end_gate_return(c, alive);
    for (struct sl_list *node; (node = sl_list_pop_front(&buffers)) != NULL;)
        sl_buffers_free(&c->alloc, SL_LIST_OF(node, struct sl_buffer, node));
}

void sl_client_charge(struct sluice_client *c, int64_t bytes) {
    if (is_gate_forked(c)) return;
    sl_outbox_lock(&c->outbox);
    bool claimed = bytes < 0 && claim_poke(c);
    sl_gate_charge(c->outbox.gate, bytes);
    end_gate_return(c, claimed);
}

void sl_client_leave_code(struct sluice_client *c, int code) {
    if (is_gate_forked(c)) return;
    sl_outbox_lock(&c->outbox);
    sl_gate_leave_code(c->outbox.gate, code);
    sl_outbox_unlock_and_signal(&c->outbox);
}
