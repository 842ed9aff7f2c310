/* Mailboxes, and the inbox: what applications put in for the I/O thread.
 *
 * A mailbox is a mutex and a condition. It is never held together with another one, nor across a
 * system call, a callback or a decode. */
#ifndef SL_DRIVER_INBOX_H
#define SL_DRIVER_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/command.h"
#include "core/core.h"
#include "core/staging.h"
#include "driver/interrupt.h"
#include "driver/latch.h"

struct sl_mailbox {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int fork_generation; /* in a forked child nothing is destroyed: threads may seem to wait */
};
/* 0 or SYSTEM. */
int sl_inbox_mail_init(struct sl_mailbox *mail);
void sl_inbox_mail_deinit(struct sl_mailbox *mail);
void sl_inbox_mail_lock(struct sl_mailbox *mail);
/* For a forked child: false when some thread of the parent was inside. */
bool sl_inbox_mail_try_lock(struct sl_mailbox *mail);
void sl_inbox_mail_unlock(struct sl_mailbox *mail);
/* Held: waits for a change, until that time (monotonic; SL_NEVER). False: the time has passed.
 * Wakes up for nothing at times. */
bool sl_inbox_mail_wait(struct sl_mailbox *mail, int64_t until);
/* Tells all that wait. */
void sl_inbox_mail_tell(struct sl_mailbox *mail);
/* Not held: tells all that wait, or are about to, of a change outside the mailbox, for which they
 * look once more under the mutex before they sleep. */
void sl_inbox_mail_call(struct sl_mailbox *mail);

/* Under the latch, all of it but the mailbox, whose condition means: there may be room, or another
 * reason to stop waiting for it. The latch may be taken while the mailbox is locked. */
struct sl_inbox {
    struct sl_latch latch;
    struct sl_mailbox mail;
    struct sl_staging *staging; /* owned */
    struct sl_list commands;    /* struct sl_command */
    int64_t accepted;           /* records, ever */
    int64_t unread;             /* bytes that reports nobody has read are charged with */
    uint32_t waiting;           /* threads that wait for room */
    uint64_t news;              /* how often there was a reason to stop waiting */
    uint64_t wakes;             /* how often the I/O thread had to be woken */
    bool poked;                 /* something for the I/O thread lies elsewhere (the gate) */
    bool closed;                /* a CLOSE is in: no more records, no more commands */
    bool refused;               /* somebody who did not wait was refused for want of room */
    bool room_told;             /* … and was told that there is room; the next record clears it */
};
/* What the I/O thread took. */
struct sl_inbox_taken {
    struct sl_staged staged;
    struct sl_list commands;
    bool room; /* the room event is due */
};

/* 0, NOMEM, SYSTEM. */
int sl_inbox_init(struct sl_inbox *in, const struct sl_settings *settings,
                  const struct sl_alloc *alloc);
/* All commands were taken. */
void sl_inbox_deinit(struct sl_inbox *in);

/* ---- applications ---- */

/* How a put may wait for room. */
struct sl_inbox_wait {
    struct sl_interrupt *interrupt;
    uint32_t since; /* the interrupt word when the wait began */
    int64_t until;  /* one wait ends then at the latest; 0: only remember that the caller waits */
};
/* What put found out beside its code. */
struct sl_inbox_put {
    int32_t accepted; /* how many were taken */
    bool wake;        /* the I/O thread sleeps and must be woken, which is to be counted, … */
    bool is_little;   /* … for a matter of microseconds */
    bool room_over;   /* the room that was told of is used: its event is void */
};
/* Stages `count` records. 0, CLOSED, or as sl_staging_put. With wait (else NULL) FULL comes after
 * a wait for room, unless the I/O thread has to be woken or an interrupt came: the caller looks
 * at its deadline and calls again with the rest. */
int sl_inbox_put(struct sl_inbox *in, struct sl_staging_input *records, int32_t count,
                 const struct sl_inbox_wait *wait, struct sl_inbox_put *out);
/* It was woken for what was put. */
void sl_inbox_count_wake(struct sl_inbox *in);
/* 0 with *wake, or CLOSED (the command is still the caller's). close: it is the CLOSE. */
int sl_inbox_post(struct sl_inbox *in, struct sl_command *command, bool close, bool *wake);
/* Something changed that the I/O thread has to look at. True: it must be woken. */
bool sl_inbox_poke(struct sl_inbox *in);
/* What the inbox says of itself, of one moment. */
void sl_inbox_count(struct sl_inbox *in, struct sl_mail_counts *out);
/* For a forked child: false when some thread of the parent was inside. */
bool sl_inbox_is_free(struct sl_inbox *in);
/* Reports worth so many bytes were read. *room: there is room where there was none, which a thread
 * that runs a driven loop has to be told. True: the room event is due. */
bool sl_inbox_read(struct sl_inbox *in, int64_t bytes, bool *room);

/* As sl_staging_spend. */
bool sl_inbox_spend(struct sl_inbox *in, struct sl_list *deliveries, size_t bytes);

/* ---- I/O thread ---- */

/* all: also what could be filled further (sl_staging_take); so it is in any case where there are
 * commands. partitions: that are being filled. */
void sl_inbox_take(struct sl_inbox *in, int64_t now, bool all, uint32_t partitions,
                   struct sl_inbox_taken *out);
/* Chunks and bytes come back; unread: bytes of reports that are about to be posted. True: the
 * room event is due. */
bool sl_inbox_give(struct sl_inbox *in, struct sl_list *chunks, int64_t freed, int64_t unread);
/* False: there is something to do, do not sleep. */
bool sl_inbox_sleep(struct sl_inbox *in, uint32_t wake_at_bytes);

#endif
