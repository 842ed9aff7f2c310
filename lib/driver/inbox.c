/* The inbox: staging and commands behind one latch, and the mailbox that everything else in this
 * folder locks with.
 *
 * Put is the hot path: one latch, one copy (core/staging.c). Whether the I/O thread has to be woken
 * is decided under the same latch as the staged bytes; the wake itself is a system call, and is left
 * to the caller, after it.
 *
 * No wake-up is lost: the I/O thread sleeps only after sl_inbox_sleep has looked, under the latch,
 * for records, commands and pokes. A poke covers what lies under another mutex (orders in the
 * gate): who puts something there pokes afterwards, and the I/O thread forgets pokes before it
 * looks there.
 *
 * Room: a thread that waits for it sleeps on the mailbox's condition, after it has looked, with the
 * mailbox locked, whether news came since it was refused (`news`, under the latch); who has news for
 * it counts them first and then locks the mailbox to tell. A thread that does not wait is told once
 * by the room event, which the next record that is accepted makes void.
 *
 * Not here: deadlines of waiting calls, interrupts, pumping (client_wait.c). */
#include "driver/inbox.h"

#include <errno.h>
#include <time.h>

#include "base/assert.h"
#include "base/hot.h"
#include "driver/forked.h"
#include "driver/system.h"
#include "sluice/error.h"

/* ---- mailbox ---- */

static int init_monotonic_condition(pthread_cond_t *cond) {
#if defined(__APPLE__)
    return pthread_cond_init(cond, NULL);
#else
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return -1;
    int rv = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (rv == 0) rv = pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return rv;
#endif
}

int sl_inbox_mail_init(struct sl_mailbox *mail) {
    if (pthread_mutex_init(&mail->mutex, NULL) != 0) return SLUICE_ERR_SYSTEM;
    if (init_monotonic_condition(&mail->changed) != 0) {
        (void)pthread_mutex_destroy(&mail->mutex);
        return SLUICE_ERR_SYSTEM;
    }
    mail->fork_generation = sl_forked_generation;
    return 0;
}

void sl_inbox_mail_deinit(struct sl_mailbox *mail) {
    if (mail->fork_generation != sl_forked_generation) return;
    (void)pthread_cond_destroy(&mail->changed);
    (void)pthread_mutex_destroy(&mail->mutex);
}

void sl_inbox_mail_lock(struct sl_mailbox *mail) {
    int rv = pthread_mutex_lock(&mail->mutex);
    SL_ASSERT(rv == 0);
}

bool sl_inbox_mail_try_lock(struct sl_mailbox *mail) {
    return pthread_mutex_trylock(&mail->mutex) == 0;
}

void sl_inbox_mail_unlock(struct sl_mailbox *mail) {
    int rv = pthread_mutex_unlock(&mail->mutex);
    SL_ASSERT(rv == 0);
}

bool sl_inbox_mail_wait(struct sl_mailbox *mail, int64_t until) {
    if (until == SL_NEVER) {
        (void)pthread_cond_wait(&mail->changed, &mail->mutex);
        return true;
    }
    if (until < 0) until = 0;
#if defined(__APPLE__)
    int64_t left = until - sl_system_now();
    if (left <= 0) return false;
    struct timespec time = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    return pthread_cond_timedwait_relative_np(&mail->changed, &mail->mutex, &time) != ETIMEDOUT;
#else
    struct timespec time = {.tv_sec = (time_t)(until / 1000000000),
                            .tv_nsec = (long)(until % 1000000000)};
    return pthread_cond_timedwait(&mail->changed, &mail->mutex, &time) != ETIMEDOUT;
#endif
}

void sl_inbox_mail_tell(struct sl_mailbox *mail) { (void)pthread_cond_broadcast(&mail->changed); }

void sl_inbox_mail_call(struct sl_mailbox *mail) {
    sl_inbox_mail_lock(mail);
    sl_inbox_mail_unlock(mail);
    sl_inbox_mail_tell(mail);
}

/* ---- inbox ---- */

int sl_inbox_init(struct sl_inbox *in, const struct sl_settings *settings,
                  const struct sl_alloc *alloc) {
    int rv = sl_inbox_mail_init(&in->mail);
    if (rv != 0) return rv;
    sl_latch_init(&in->latch);
    sl_list_init(&in->commands);
    rv = sl_staging_create(settings, alloc, &in->staging);
    if (rv != 0) sl_inbox_mail_deinit(&in->mail);
    return rv;
}

void sl_inbox_deinit(struct sl_inbox *in) {
    SL_ASSERT(sl_list_is_empty(&in->commands));
    sl_staging_destroy(in->staging);
    sl_inbox_mail_deinit(&in->mail);
}

/* Not held. One wait for room, by a thread that counts as waiting since `news` was read. Interrupts
 * and news are looked at under the mutex, where they are told. */
SL_APART static void wait_for_inbox_room(struct sl_inbox *in, const struct sl_inbox_wait *wait,
                                         uint64_t news) {
    sl_inbox_mail_lock(&in->mail);
    sl_latch_lock(&in->latch);
    bool has_news = in->news != news;
    sl_latch_unlock(&in->latch);
    if (!has_news && sl_interrupt_peek(wait->interrupt) == wait->since)
        (void)sl_inbox_mail_wait(&in->mail, wait->until);
    sl_inbox_mail_unlock(&in->mail);
    sl_latch_lock(&in->latch);
    in->waiting--;
    sl_latch_unlock(&in->latch);
}

int sl_inbox_put(struct sl_inbox *in, struct sl_staging_input *records, int32_t count,
                 const struct sl_inbox_wait *wait, struct sl_inbox_put *out) {
    int rv = 0;
    int32_t done = 0;
    bool wake = false;
    bool waits = false;
    sl_latch_lock(&in->latch);
    if (in->closed) rv = SLUICE_ERR_CLOSED;
    sl_staging_begin(in->staging, (uintptr_t)pthread_self());
    while (rv == 0 && done < count) {
        bool wake_for_this;
        rv = sl_staging_put(in->staging, &records[done], &wake_for_this);
        wake |= wake_for_this;
        done += rv == 0;
    }
    in->accepted += done;
    if (rv == SLUICE_ERR_FULL) {
        in->refused |= wait == NULL;
        waits = wait != NULL && wait->until != 0 && !wake && done == 0;
        in->waiting += waits;
    }
    out->room_over = done > 0 && in->room_told;
    if (out->room_over) in->room_told = false;
    uint64_t news = in->news;
    bool is_little = wake && sl_list_is_empty(&in->commands) && sl_staging_is_little(in->staging);
    sl_latch_unlock(&in->latch);
    out->is_little = is_little;
    out->accepted = done;
    out->wake = wake;
    if (waits) wait_for_inbox_room(in, wait, news);
    return rv;
}

void sl_inbox_count_wake(struct sl_inbox *in) {
    sl_latch_lock(&in->latch);
    in->wakes++;
    sl_latch_unlock(&in->latch);
}

int sl_inbox_post(struct sl_inbox *in, struct sl_command *command, bool close, bool *wake) {
    *wake = false;
    sl_latch_lock(&in->latch);
    bool closed = in->closed;
    if (!closed) {
        sl_list_push_back(&in->commands, &command->node);
        in->closed = close;
        in->news += close;
        *wake = sl_staging_wake(in->staging);
        in->wakes += *wake;
    }
    sl_latch_unlock(&in->latch);
    if (closed) return SLUICE_ERR_CLOSED;
    if (close) sl_inbox_mail_call(&in->mail);
    return 0;
}

bool sl_inbox_poke(struct sl_inbox *in) {
    sl_latch_lock(&in->latch);
    in->poked = true;
    bool wake = sl_staging_wake(in->staging);
    in->wakes += wake;
    sl_latch_unlock(&in->latch);
    return wake;
}

void sl_inbox_count(struct sl_inbox *in, struct sl_mail_counts *out) {
    sl_latch_lock(&in->latch);
    out->accepted = in->accepted;
    out->used = sl_staging_used(in->staging);
    out->unread = in->unread;
    out->waiting = in->waiting;
    out->wakes = in->wakes;
    sl_latch_unlock(&in->latch);
}

bool sl_inbox_is_free(struct sl_inbox *in) {
    if (!sl_latch_try(&in->latch)) return false;
    sl_latch_unlock(&in->latch);
    if (!sl_inbox_mail_try_lock(&in->mail)) return false;
    sl_inbox_mail_unlock(&in->mail);
    return true;
}

/* Held. There is room. *due: it is to be told as an event. True: threads wait for it. */
static bool note_inbox_room(struct sl_inbox *in, bool *due) {
    *due = in->refused;
    in->refused = false;
    in->room_told |= *due;
    in->news++;
    return in->waiting > 0;
}

bool sl_inbox_read(struct sl_inbox *in, int64_t bytes, bool *room) {
    bool due = false;
    *room = false;
    if (bytes == 0) return false;
    sl_latch_lock(&in->latch);
    in->unread -= bytes;
    *room = sl_staging_charge_unread(in->staging, -bytes);
    bool waited_for = *room && note_inbox_room(in, &due);
    sl_latch_unlock(&in->latch);
    if (waited_for) sl_inbox_mail_call(&in->mail);
    return due;
}

bool sl_inbox_spend(struct sl_inbox *in, struct sl_list *deliveries, size_t bytes) {
    sl_latch_lock(&in->latch);
    bool is_taken = sl_staging_spend(in->staging, deliveries, bytes);
    sl_latch_unlock(&in->latch);
    return is_taken;
}

void sl_inbox_take(struct sl_inbox *in, int64_t now, bool all, uint32_t partitions,
                   struct sl_inbox_taken *out) {
    sl_list_init(&out->commands);
    out->room = false;
    sl_latch_lock(&in->latch);
    all |= !sl_list_is_empty(&in->commands);
    sl_staging_stretch(in->staging, partitions);
    sl_staging_take(in->staging, now, all, &out->staged);
    sl_list_splice_back(&out->commands, &in->commands);
    in->poked = false;
    bool waited_for = out->staged.room && note_inbox_room(in, &out->room);
    sl_latch_unlock(&in->latch);
    if (waited_for) sl_inbox_mail_call(&in->mail);
}

bool sl_inbox_give(struct sl_inbox *in, struct sl_list *chunks, int64_t freed, int64_t unread) {
    bool due = false;
    sl_latch_lock(&in->latch);
    in->unread += unread;
    if (unread != 0) (void)sl_staging_charge_unread(in->staging, unread);
    bool room = sl_staging_give(in->staging, chunks, freed);
    bool waited_for = room && note_inbox_room(in, &due);
    sl_latch_unlock(&in->latch);
    if (waited_for) sl_inbox_mail_call(&in->mail);
    return due;
}

bool sl_inbox_sleep(struct sl_inbox *in, uint32_t wake_at_bytes) {
    sl_latch_lock(&in->latch);
    bool sleep = !in->poked && sl_list_is_empty(&in->commands) &&
                 sl_staging_sleep(in->staging, wake_at_bytes);
    sl_latch_unlock(&in->latch);
    return sleep;
}
