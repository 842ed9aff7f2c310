/* Waiting: for something in the outbox, and for room in the inbox.
 *
 * In a runtime with a thread a waiting call sleeps on a condition. In a driven one it runs the loop
 * itself, or sleeps until the turn that another thread runs is over, and looks again. So whoever
 * makes something come true outside a turn has to wake the loop. Inside a callback of the loop
 * nothing may wait.
 *
 * An interrupt is looked for under the mutex that goes with the condition; the loop, woken by it,
 * takes the same mutex before it tells, so none is missed. An interrupt that came before counts
 * only for a call that really has to wait; one that finds itself done leaves it to the next.
 *
 * A call whose outcome core decides is patient. Core gets a deadline a little before the caller's
 * (sl_client_core_deadline), so that on another thread it can say how things ended in time; and a
 * call with hardly any timeout gives the loop a moment to answer at all, but not while the loop is
 * stuck in a function of the application's. */
#include "base/assert.h"
#include "base/hot.h"
#include "driver/shell.h"
#include "sluice/error.h"

enum {
    WAIT_PATIENCE_MS = 100, /* what a patient call takes at least; a turn takes a millisecond */
    WAIT_MARGIN_MS = 250,   /* the most that core's deadline is earlier: machines pause for 150 */
    WAIT_MARGIN_SHARE = 4,  /* of a short timeout it is one part in so many; arbitrary */
    WAIT_SLICE_MS = 10,     /* how often a patient call looks whether the loop is stuck */
    WAIT_MILLISECOND = 1000000 /* in nanoseconds */
};

int64_t sl_client_deadline(const struct sluice_client *c, int32_t timeout_ms) {
    if (timeout_ms == SL_TIMEOUT_DEFAULT) timeout_ms = c->settings->default_api_timeout_ms;
    if (timeout_ms < 0) return SL_NEVER;
    if (timeout_ms == 0) return 0;
    return c->host->now(c->host_self) + (int64_t)timeout_ms * WAIT_MILLISECOND;
}

static int64_t read_host_clock(struct sluice_client *c) { return c->host->now(c->host_self); }

int64_t sl_client_core_deadline(struct sluice_client *c, int64_t deadline) {
    if (deadline == 0 || deadline == SL_NEVER || sl_runtime_is_driven(c->runtime)) return deadline;
    int64_t margin = (deadline - read_host_clock(c)) / WAIT_MARGIN_SHARE;
    if (margin > (int64_t)WAIT_MARGIN_MS * WAIT_MILLISECOND)
        margin = (int64_t)WAIT_MARGIN_MS * WAIT_MILLISECOND;
    return margin > 0 ? deadline - margin : deadline;
}

/* Where a wait stands. */
struct wait_state {
    int64_t until;  /* the next look at the clock */
    int64_t latest; /* when patience ends; 0: it has not begun */
    uint64_t turn;  /* the last one of a driven loop that was looked after */
    uint32_t since;
    bool begun;
};

/* Not held. 0 or USAGE. */
static int begin_wait(struct sluice_client *c, struct wait_state *state) {
    if (sl_runtime_is_inside(c->runtime)) return SLUICE_ERR_USAGE;
    state->since = sl_interrupt_begin(&c->interrupt);
    state->begun = true;
    return 0;
}

/* Not held. False: the deadline has passed, patience too. */
static bool may_wait_longer(struct sluice_client *c, const struct sl_shell_wait *wait,
                            struct wait_state *state) {
    state->until = wait->deadline;
    if (wait->deadline == SL_NEVER) return true;
    int64_t now = read_host_clock(c);
    if (state->latest == 0) state->latest = now + (int64_t)WAIT_PATIENCE_MS * WAIT_MILLISECOND;
    if (now < wait->deadline) return true;
    if (!wait->patient || now >= state->latest) return false;
    state->until = now + (int64_t)WAIT_SLICE_MS * WAIT_MILLISECOND;
    return !sl_runtime_in_callback(c->runtime);
}

/* An interrupt is to be answered. It is not taken by this. */
static bool is_interrupted(struct sluice_client *c, const struct sl_shell_wait *wait,
                           const struct wait_state *state) {
    return state->begun && !wait->deaf && sl_interrupt_peek(&c->interrupt) != state->since;
}

/* Not held. Waits where the loop sleeps, and runs the turn that comes. False: it cannot. */
static bool watch_loop(struct sluice_client *c, const struct sl_shell_wait *wait,
                       const struct wait_state *state) {
    if (!sl_runtime_watch(c->runtime)) return false;
    sl_outbox_lock(&c->outbox);
    bool waits = !wait->done(c, wait->arg) && !is_interrupted(c, wait, state);
    c->outbox.away += waits;
    sl_outbox_unlock(&c->outbox);
    if (!waits) {
        sl_runtime_unwatch(c->runtime);
        return true;
    }
    sl_runtime_serve_watched(c->runtime, state->until);
    sl_outbox_lock(&c->outbox);
    c->outbox.away--;
    sl_outbox_unlock(&c->outbox);
    return true;
}

int sl_client_await(struct sluice_client *c, const struct sl_shell_wait *given) {
    struct sl_shell_wait wait = *given;
    struct wait_state state = {.begun = false};
    while (!wait.done(c, wait.arg)) {
        if (wait.deadline == 0 && !wait.patient) return SLUICE_ERR_PENDING;
        if (state.begun && !wait.deaf && sl_interrupt_came(&c->interrupt, state.since))
            return SLUICE_ERR_INTERRUPTED;
        sl_outbox_unlock(&c->outbox);
        int rv = state.begun ? 0 : begin_wait(c, &state);
        bool goes_on = rv == 0 && !is_interrupted(c, &wait, &state);
        if (goes_on && wait.deadline == 0) wait.deadline = read_host_clock(c);
        if (goes_on && !may_wait_longer(c, &wait, &state)) rv = SLUICE_ERR_PENDING;
        bool served = goes_on && rv == 0 &&
                      (sl_runtime_serve(c->runtime, state.until, &state.turn) ||
                       watch_loop(c, &wait, &state));
        sl_outbox_lock(&c->outbox);
        if (wait.done(c, wait.arg)) break;
        if (rv != 0) return rv;
        if (!served && !is_interrupted(c, &wait, &state))
            (void)sl_inbox_mail_wait(&c->outbox.mail, state.until);
    }
    return 0;
}

bool sl_client_is_posted(struct sluice_client *c, void *op) {
    (void)c;
    return ((struct sl_op *)op)->posted;
}

void sl_client_poke(struct sluice_client *c) {
    if (sl_inbox_poke(&c->inbox)) sl_runtime_wake(c->runtime);
}

/* ---- room ---- */

/* The I/O thread sleeps, and has something to do. */
SL_APART static void wake_or_borrow(struct sluice_client *c, bool is_little) {
    if (is_little && sl_runtime_borrow(c->runtime, &c->member)) return;
    sl_inbox_count_wake(&c->inbox);
    sl_runtime_wake(c->runtime);
}

/* The event has been told, and there is no room any more. */
SL_APART static void end_room_event(struct sluice_client *c) {
    sl_outbox_lock(&c->outbox);
    c->outbox.room = false;
    sl_outbox_unlock_and_signal(&c->outbox);
}

/* One attempt, with all that has to be done after the lock. */
static int put_records(struct sluice_client *c, struct sl_staging_input *records, int32_t count,
                       const struct sl_inbox_wait *wait, int32_t *accepted) {
    struct sl_inbox_put put;
    int rv = sl_inbox_put(&c->inbox, records, count, wait, &put);
    if (put.wake) wake_or_borrow(c, put.is_little);
    if (put.room_over) end_room_event(c);
    *accepted += put.accepted;
    return rv;
}

/* FULL was the answer, and the caller has time. */
SL_APART static int put_with_patience(struct sluice_client *c, struct sl_staging_input *records,
                                      int32_t count, int64_t deadline, int32_t *accepted) {
    struct wait_state state = {.begun = false};
    int rv = begin_wait(c, &state);
    if (rv != 0) return rv;
    do {
        struct sl_inbox_wait wait = {.interrupt = &c->interrupt, .since = state.since};
        if (sl_interrupt_came(&c->interrupt, state.since)) return SLUICE_ERR_INTERRUPTED;
        bool late = deadline != SL_NEVER && read_host_clock(c) >= deadline;
        bool served = !late && sl_runtime_serve(c->runtime, deadline, &state.turn);
        if (!late && !served) wait.until = deadline;
        rv = put_records(c, records + *accepted, count - *accepted, &wait, accepted);
        if (rv == SLUICE_ERR_FULL && late) return rv;
    } while (rv == SLUICE_ERR_FULL);
    return rv;
}

static int stage_records(struct sluice_client *c, struct sl_staging_input *records, int32_t count,
                         bool waits, int32_t *accepted) {
    struct sl_inbox_wait wait = {.interrupt = &c->interrupt};
    *accepted = 0;
    return put_records(c, records, count, waits ? &wait : NULL, accepted);
}

/* Keeps for explain which limit the record is above. */
SL_APART static void remember_size(struct sluice_client *c, const struct sl_staging_input *in) {
    char buf[160];
    struct sl_text text;
    sl_text_init(&text, buf, sizeof buf);
    sl_staging_tell_size(c->inbox.staging, in, &text);
    sl_client_remember(c, SLUICE_ERR_TOO_BIG, buf);
}

int sl_client_stage(struct sluice_client *c, struct sl_staging_input *in, int32_t timeout_ms) {
    int32_t accepted;
    int rv = 0;
    in->large = NULL;
    if (in->value_size >= SL_STAGING_LARGE) rv = sl_staging_prepare(c->inbox.staging, in);
    if (rv == 0) rv = stage_records(c, in, 1, timeout_ms != 0, &accepted);
    if (rv == SLUICE_ERR_FULL && timeout_ms != 0)
        rv = put_with_patience(c, in, 1, sl_client_deadline(c, timeout_ms), &accepted);
    if (rv == SLUICE_ERR_TOO_BIG) remember_size(c, in);
    if (rv != 0) sl_staging_unprepare(c->inbox.staging, in);
    return rv;
}

int sl_client_stage_many(struct sluice_client *c, struct sl_staging_input *in, int32_t count,
                         int64_t deadline, int32_t *accepted) {
    int rv = 0;
    int32_t prepared = 0;
    *accepted = 0;
    for (; prepared < count; prepared++) {
        in[prepared].large = NULL;
        if (in[prepared].value_size < SL_STAGING_LARGE) continue;
        rv = sl_staging_prepare(c->inbox.staging, &in[prepared]);
        if (rv != 0) break; /* those before it go in; then this is the answer */
    }
    int put_rv = stage_records(c, in, prepared, deadline != 0, accepted);
    if (put_rv == SLUICE_ERR_FULL && deadline != 0)
        put_rv = put_with_patience(c, in, prepared, deadline, accepted);
    for (int32_t i = *accepted; i < prepared; i++) sl_staging_unprepare(c->inbox.staging, &in[i]);
    if (put_rv != 0) rv = put_rv;
    if (rv == SLUICE_ERR_TOO_BIG) remember_size(c, &in[*accepted]);
    return rv;
}
