/* The loop in other hands, while the I/O thread sleeps.
 *
 * Borrowing: a thread that has put something small in, after a while in which nothing happened, runs a turn of
 * that member itself. A wake would cost it as much, and the record another wait for a processor. Who
 * sends more than now and then wakes the I/O thread instead, and goes on meanwhile.
 *
 * Watching: a thread that waits for what comes in sleeps in the poller as well. An event wakes one thread,
 * the one that came last: the one that waits, which runs the turn, and has what it waited for without
 * being woken for it. While it is busy with that, the I/O thread is there for what comes next; so the
 * loop does not have to change hands. Where one event follows the other nobody watches: the I/O thread reads
 * on while the application works, each with what is in its own processor's cache.
 *
 * What both leave to the I/O thread: functions of the application's (log lines), members that come and go, and
 * work that is not done after a few turns. It is wanted then: nobody else has a turn before it.
 *
 * No event is lost: who took some and does not get the loop leaves them as strays to whoever has it.
 * No call is lost: an event that was meant for the thread that watches may wake the I/O thread, which then
 * calls once more, and gives it the time to hear that before it sleeps again. */
#include <string.h>

#include "driver/runtime_loop.h"

enum {
    LEND_TURNS_MAX = 4, /* that one who watches runs in a row: what came takes two */
    LEND_HEARD_NS =
        1000000, /* to hear a call, before the I/O thread sleeps nevertheless; arbitrary */
    /* Of sleep, before it may be borrowed, and between events, before it is watched; arbitrary: some turns. */
    LEND_QUIET_NS = 200000,
    LEND_GAP_MAX_NS = 2000000, /* a longer time between events counts as this one, … */
    LEND_GAP_SHARE = 4,        /* … and each as one part in so many of the average; arbitrary */
};

/* Held, on the I/O thread. A call for the thread that watches may have been taken by this one: it is made
 * once more. */
static bool pass_call_on(struct sluice_runtime *rt) {
    if (!rt->is_watched || !rt->is_called) return false;
    sl_inbox_mail_unlock(&rt->mail);
    sl_runtime_wake(rt);
    sl_inbox_mail_lock(&rt->mail);
    return true;
}

/* Held. Somebody who slept has taken events. */
static void note_events(struct sluice_runtime *rt, int64_t now) {
    int64_t gap = now - rt->event_at;
    if (gap > LEND_GAP_MAX_NS) gap = LEND_GAP_MAX_NS;
    rt->event_gap += (gap - rt->event_gap) / LEND_GAP_SHARE;
    rt->event_at = now;
}

int sl_runtime_lend(struct sluice_runtime *rt, int64_t until) {
    rt->table->arm(rt->self, until);
    rt->doze_until = until;
    int64_t now = rt->table->now(rt->self);
    sl_inbox_mail_lock(&rt->mail);
    /* It would be taken again. */
    if (pass_call_on(rt)) (void)sl_inbox_mail_wait(&rt->mail, now + LEND_HEARD_NS);
    if (rt->stray_count > 0) {
        sl_inbox_mail_unlock(&rt->mail);
        return 0;
    }
    rt->busy = false;
    rt->is_asleep = true;
    rt->quiet_since = now;
    sl_inbox_mail_unlock(&rt->mail);
    int count = rt->table->doze(rt->self, SL_NEVER, rt->ready, SL_RUNTIME_READY_MAX);
    now = rt->table->now(rt->self);
    sl_inbox_mail_lock(&rt->mail);
    note_events(rt, now);
    rt->is_asleep = rt->is_wanted = false;
    (void)pass_call_on(rt);
    while (!sl_runtime_enter(rt)) (void)sl_inbox_mail_wait(&rt->mail, SL_NEVER);
    sl_inbox_mail_unlock(&rt->mail);
    rt->table->settle(rt->self, rt->ready, count);
    return rt->table->report(rt->self, rt->ready, SL_RUNTIME_READY_MAX);
}

/* Not held. The caller has the loop, because it was quiet. */
static bool borrow_loop(struct sluice_runtime *rt, int64_t now) {
    sl_inbox_mail_lock(&rt->mail);
    bool is_quiet =
        rt->is_asleep && !rt->is_wanted && !rt->changed && now - rt->quiet_since >= LEND_QUIET_NS;
    bool is_mine = is_quiet && sl_runtime_enter(rt);
    sl_inbox_mail_unlock(&rt->mail);
    return is_mine;
}

/* Who borrowed the loop leaves it; the I/O thread sleeps until `until`, or is to have a turn at once. */
static void return_loop(struct sluice_runtime *rt, int64_t until, bool is_done) {
    if (is_done) {
        rt->table->arm(rt->self, until);
        rt->doze_until = until;
    }
    int64_t now = rt->table->now(rt->self);
    sl_inbox_mail_lock(&rt->mail);
    rt->busy = false;
    rt->quiet_since = now;
    bool wake = !is_done && rt->is_asleep;
    rt->is_wanted |= wake;
    if (!rt->is_asleep || rt->is_awaited) sl_inbox_mail_tell(&rt->mail);
    rt->is_awaited = false;
    sl_inbox_mail_unlock(&rt->mail);
    if (wake) sl_runtime_wake(rt);
}

bool sl_runtime_borrow(struct sluice_runtime *rt, struct sl_member *m) {
    if (!rt->lends) return false;
    int64_t now = rt->table->now(rt->self);
    if (!borrow_loop(rt, now)) return false;
    rt->turning = true;
    m->is_borrowed = true;
    m->table->begin(m, now, rt->table->wall_ms(rt->self));
    m->table->finish(m);
    m->is_borrowed = false;
    rt->turning = false;
    int64_t until = rt->doze_until;
    bool is_done =
        m->table->sleep(m, rt->table->now(rt->self), &until) && !rt->table->has_ready(rt->self);
    return_loop(rt, until, is_done);
    return true;
}

/* ---- who watches ---- */

bool sl_runtime_watch(struct sluice_runtime *rt) {
    if (!rt->lends) return false;
    sl_inbox_mail_lock(&rt->mail);
    bool may = rt->is_asleep && !rt->is_wanted && !rt->is_watched && rt->stray_count == 0 &&
               rt->event_gap >= LEND_QUIET_NS;
    rt->is_watched |= may;
    sl_inbox_mail_unlock(&rt->mail);
    return may;
}

/* Held. */
static void end_watch(struct sluice_runtime *rt) {
    if (rt->is_called) sl_inbox_mail_tell(&rt->mail);
    rt->is_watched = rt->is_called = false;
}

void sl_runtime_unwatch(struct sluice_runtime *rt) {
    sl_inbox_mail_lock(&rt->mail);
    end_watch(rt);
    sl_inbox_mail_unlock(&rt->mail);
}

/* Held. The events are kept for whoever runs the loop. */
static void keep_strays(struct sluice_runtime *rt, const struct sl_ready *events, int count) {
    memcpy(rt->strays, events, (size_t)count * sizeof *events);
    rt->stray_count = count;
    rt->is_wanted |= rt->is_asleep;
}

/* Held. The caller has the loop, for which it has events. Who borrowed it gives it back before the I/O thread could
 * be there; where that one is up, or is to have the next turn, it takes them. */
static bool enter_next(struct sluice_runtime *rt) {
    while (!sl_runtime_enter(rt)) {
        if (!rt->is_asleep || rt->is_wanted) return false;
        rt->is_awaited = true;
        (void)sl_inbox_mail_wait(&rt->mail, SL_NEVER);
    }
    return true;
}

/* The caller's turn of all members. */
static void run_borrowed_turn(struct sluice_runtime *rt) {
    struct sl_ready ready[SL_RUNTIME_READY_MAX];
    SL_LIST_EACH(it, tmp, &rt->members) SL_LIST_OF(it, struct sl_member, node)->is_borrowed = true;
    int count = rt->table->report(rt->self, ready, SL_RUNTIME_READY_MAX);
    rt->turning = true;
    sl_runtime_serve_members(rt, ready, count, rt->table->now(rt->self),
                             rt->table->wall_ms(rt->self));
    rt->turning = false;
    SL_LIST_EACH(it, tmp, &rt->members) SL_LIST_OF(it, struct sl_member, node)->is_borrowed = false;
}

void sl_runtime_serve_watched(struct sluice_runtime *rt, int64_t until) {
    struct sl_ready events[SL_RUNTIME_READY_MAX];
    int count = rt->table->doze(rt->self, until, events, SL_RUNTIME_READY_MAX);
    int64_t now = rt->table->now(rt->self);
    sl_inbox_mail_lock(&rt->mail);
    if (count > 0) note_events(rt, now);
    end_watch(rt);
    bool is_mine = count > 0 && enter_next(rt);
    if (count > 0 && !is_mine) keep_strays(rt, events, count);
    bool wake = rt->is_wanted && !is_mine;
    bool is_fit = !rt->changed;
    sl_inbox_mail_unlock(&rt->mail);
    if (wake) sl_runtime_wake(rt);
    if (!is_mine) return;
    rt->table->settle(rt->self, events, count);
    until = 0;
    for (int turns = 0; is_fit && until == 0 && turns < LEND_TURNS_MAX; turns++) {
        run_borrowed_turn(rt);
        until = SL_NEVER;
        sl_runtime_ask_to_sleep(rt, &until);
    }
    return_loop(rt, until, until > 0);
}

void sl_runtime_call(struct sluice_runtime *rt) {
    sl_inbox_mail_lock(&rt->mail);
    bool calls = rt->is_watched && !rt->is_called;
    rt->is_called |= rt->is_watched;
    sl_inbox_mail_unlock(&rt->mail);
    if (calls) sl_runtime_wake(rt);
}
