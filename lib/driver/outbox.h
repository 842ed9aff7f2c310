/* The outbox: what the I/O thread has for applications, and the consumer's gate. */
#ifndef SL_DRIVER_OUTBOX_H
#define SL_DRIVER_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "core/command.h"
#include "core/gate.h"
#include "core/settings.h"
#include "driver/client.h"
#include "driver/inbox.h"

enum {
    SL_OUTBOX_NOTICES = 256, /* arbitrary: the ring of events that may be dropped */
    SL_OUTBOX_STORIES = 32   /* arbitrary: codes that explain knows a story of */
};
enum sl_outbox_state {
    SL_OUTBOX_OPEN = 1,
    SL_OUTBOX_CLOSING, /* a close has begun: new waits end with CLOSED */
    SL_OUTBOX_CLOSED   /* the last event was posted */
};
/* The latest story behind a code. */
struct sl_story {
    int code; /* 0: none */
    uint64_t serial;
    char text[416];
};
/* The descriptor of a client: one end of a pair of sockets, raised by a byte from the other. */
struct sl_outbox_signal {
    int ends[2]; /* the application's, ours; -1: not made yet */
    bool raised; /* bytes may lie in the application's end */
    bool busy;   /* some thread is changing it, and will look again before it stops */
    bool again;  /* something new came meanwhile */
};

/* All under the mailbox's mutex; its condition means: anything changed. */
struct sl_outbox {
    struct sl_mailbox mail;
    const struct sl_alloc *alloc;       /* borrowed */
    const struct sl_settings *settings; /* borrowed */
    struct sluice_runtime *runtime;     /* borrowed */
    uint32_t
        away; /* threads that wait by watching it (sl_runtime_watch), or have just ended that */
    struct sl_gate *gate;      /* owned; NULL: not a consumer */
    struct sl_list deliveries; /* struct sl_delivery nobody has taken */
    int64_t unread;            /* bytes they are charged with in the inbox */
    struct sl_list ended;      /* struct sl_op: tickets whose end nobody has seen */
    struct sl_list tickets;    /* struct sl_op: of close, that end when the client is closed */
    struct sl_list notices;    /* struct sl_notice, oldest first */
    int32_t notice_count;
    int32_t dropped;       /* notices since the last one that was taken */
    struct sl_list topics; /* struct sl_topic_news: partition counts, last used first */
    int64_t written;       /* records decided, ever */
    int64_t not_written;
    int64_t maybe_written;
    struct sl_story stories[SL_OUTBOX_STORIES];
    uint64_t story_serial;
    enum sl_outbox_state state;
    int close_code;   /* with CLOSED, or given up */
    bool given_up;    /* a close returned by its deadline without the I/O thread's help */
    bool closed_told; /* the CLOSED event was taken */
    bool room;        /* there is room after FULL, and nobody has used it or was told */
    bool token;       /* core wants a token, and nobody was told */
    bool polling;     /* a poll is under way */
    uint32_t holders; /* the handle, and objects in the application's hands */
    uint64_t last_op; /* id of the op made last */
    struct sl_outbox_signal signal;
};

/* 0, NOMEM, SYSTEM. */
int sl_outbox_init(struct sl_outbox *out, const struct sl_settings *settings,
                   const struct sl_alloc *alloc);
/* Frees what nobody took. */
void sl_outbox_deinit(struct sl_outbox *out);
/* In a forked child, where a lock may be held for ever: only closes the descriptors. */
void sl_outbox_abandon(struct sl_outbox *out);

static inline void sl_outbox_lock(struct sl_outbox *out) { sl_inbox_mail_lock(&out->mail); }
static inline void sl_outbox_unlock(struct sl_outbox *out) { sl_inbox_mail_unlock(&out->mail); }

/* ---- I/O thread ---- */

/* What is posted in one turn beside the events. */
struct sl_outbox_post {
    struct sl_events *events; /* lists are taken; what is left in them is to be freed */
    int64_t unread;           /* bytes the deliveries were charged with */
    bool room;
    bool has_trust;        /* of a consumer: it has changed, to: */
    int64_t trusted_until; /* sl_core_trusted_until */
    bool has_short;        /* of a consumer: it has changed, to: */
    bool is_short;         /* sl_core_is_short */
    bool closed;           /* nothing will follow */
    int code;   /* with closed: core's result: 0, TIMEOUT (the deadline passed first), … */
    bool again; /* out: the gate has something for core, which must not sleep before */
};
void sl_outbox_post(struct sl_outbox *out, struct sl_outbox_post *post);
/* What the gate has for the I/O thread. */
struct sl_outbox_orders {
    struct sl_list commands; /* struct sl_command for core */
    struct sl_list buffers;  /* struct sl_buffer that came back … */
    int64_t freed; /* … and by how much the receiving account changed (sl_gate_take_returned) */
    struct sl_list jobs; /* struct sl_job for the host */
};
void sl_outbox_take_orders(struct sl_outbox *out, struct sl_outbox_orders *orders);
/* A job of the gate comes back. */
void sl_outbox_give_job(struct sl_outbox *out, struct sl_job *job);
/* The same orders, and behind them a COMMIT of what is finished (sl_gate_collect). */
void sl_outbox_take_finished(struct sl_outbox *out, bool everything, struct sl_list *commands);

/* ---- applications ---- */

/* Held, to begin with. What ends a change of what there is to take: unlocks, and where the
 * descriptor was made, makes it match, with system calls. */
void sl_outbox_unlock_and_signal(struct sl_outbox *out);
/* The same where something was put in: all that wait are told, before any system call. */
void sl_outbox_unlock_and_tell(struct sl_outbox *out);
/* Not held. Has all that wait look again. */
void sl_outbox_call(struct sl_outbox *out);
/* The application's end of the descriptor, made when needed, or SYSTEM. */
int sl_outbox_fd(struct sl_outbox *out);
/* Held. Keeps a story for explain. */
void sl_outbox_remember(struct sl_outbox *out, int code, const char *text);
/* Held. NULL: none. */
const struct sl_story *sl_outbox_story(const struct sl_outbox *out, int code);
/* Held. Takes the next event. True: *event is filled (time_ms 0: the caller stamps it), and
 * *garbage is a notice to be freed after the lock, or NULL. */
bool sl_outbox_take_event(struct sl_outbox *out, struct sl_client_event *event,
                          struct sl_notice **garbage);
/* Held. What is known of a topic, or NULL. */
const struct sl_topic_news *sl_outbox_topic(struct sl_outbox *out, const char *topic);
/* Held. The news say that a topic is being looked up. They are taken, unless more is known: false. */
bool sl_outbox_remember_look_up(struct sl_outbox *out, struct sl_topic_news *news);
/* Held. What a close answers by what is known now; code: core's result. */
int sl_outbox_verdict(const struct sl_outbox *out, int code);

#endif
