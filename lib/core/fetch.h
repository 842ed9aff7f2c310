/* What the files of the fetcher share: the session with one broker, and who does what.
 *
 *   fetcher.c        positions: commands, where each position belongs, back-off, errors
 *   fetch_session.c  requests: what to ask a broker for, within which room
 *   fetch_answer.c   answers: headers at once, checks a turn later, slices for the gate
 *   fetch_follower.c from which broker: the leader, or a follower that is near (KIP-392)
 *   fetch_aborted.c  read_committed: batches of transactions that were undone
 *   validate.c       logs that were cut: a new leader is asked before it is fetched from */
#ifndef SL_CORE_FETCH_H
#define SL_CORE_FETCH_H

#include "core/fetcher.h"
#include "core/link.h"

struct sl_fetch_partition_response;

/* A partition that the broker's session has and that is not asked for any more. */
struct sl_fetch_forgotten {
    struct sl_topic *topic;
    struct sl_uuid id;
    int32_t index;
};
/* The session with one broker (KIP-227). */
struct sl_fetch_session {
    struct sl_list node; /* fetcher.sessions */
    struct sl_core *core;
    struct sl_broker *broker;
    struct sl_request request;
    bool in_flight;
    bool by_id;         /* topics are named by id (version 13 and later) */
    bool full;          /* the request in flight lists everything */
    bool dropped;       /* the session was started over since it left: its answer says nothing */
    bool is_follower;   /* its broker is one to some position, or has been */
    bool has_moved;     /* the answer being read has moved some position */
    int32_t idle;       /* answers in a row that brought nothing until their time was over */
    int32_t wait_ms;    /* how long the broker may take for the request in flight */
    int32_t id;         /* 0: none; with epoch 0: the one that the next request ends */
    int32_t epoch;      /* of the next request; 0: full, asks for a session */
    int32_t reserved;   /* max_bytes of the request in flight */
    int64_t not_before; /* back-off after an error of the whole session, or for want of progress */
    int64_t no_rack_until; /* some position must be sent to no follower before (fetch_follower.c) */
    uint32_t attempts;
    struct sl_list changed; /* positions to tell the broker of; node of sl_fetch_position */
    struct sl_list settled; /* positions that its session has as they are */
    struct sl_fetch_forgotten *forgotten; /* owned */
    int32_t forgotten_count;
    int32_t forgotten_cap;
};

/* ---- fetcher.c ---- */

/* Takes a position out of wherever it is. */
void sl_fetch_displace(struct sl_core *core, struct sl_fetch_position *position);
/* Puts a position where its state says that it belongs. */
void sl_fetch_place(struct sl_core *core, struct sl_fetch_position *position);
/* In no list: looked at again at fetcher.homeless_at, and when metadata has news. */
void sl_fetch_await_leader(struct sl_core *core, struct sl_fetch_position *position);
/* An error that a retry may mend: back off and try again; stale: metadata is asked again too. */
void sl_fetch_retry(struct sl_core *core, struct sl_fetch_position *position, bool stale);
/* An error that the application has to know: tells it once, behind all that was fetched before, and
 * stops; when memory is too short to tell, the position is fetched again instead. */
void sl_fetch_stop(struct sl_core *core, struct sl_fetch_position *position, int code,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same in the middle of the check, for a position that is in no list. */
void sl_fetch_stop_checked(struct sl_core *core, struct sl_fetch_position *position, int code,
                           const char *text);
/* There is nothing at the offset any more: auto.offset.reset decides; code says why not. */
void sl_fetch_reset(struct sl_core *core, struct sl_fetch_position *position, int code,
                    const char *why);
/* A slice without data on its way to the gate, behind all that is there: it says something of the
 * position. NULL: out of memory. */
struct sl_slice *sl_fetch_tell(struct sl_core *core, const struct sl_fetch_position *position,
                               int code, const char *text);

/* ---- fetch_session.c ---- */

/* The session with a broker, made when there is none. NULL: out of memory. */
struct sl_fetch_session *sl_fetch_session_open(struct sl_core *core, struct sl_broker *broker);
void sl_fetch_session_free(struct sl_fetch_session *session);
/* The position is asked for in this session from now on. */
void sl_fetch_session_add(struct sl_fetch_session *session, struct sl_fetch_position *position);
/* It is not; the broker is told with the next request. */
void sl_fetch_session_remove(struct sl_fetch_position *position);
/* Offset or epochs of a position changed. */
void sl_fetch_session_change(struct sl_fetch_position *position);
/* Until the position has rested, the broker is not told our rack. */
void sl_fetch_session_rest(struct sl_fetch_session *session,
                           const struct sl_fetch_position *position);
/* The broker does not have this session (any more): the next request starts a new one. */
void sl_fetch_session_restart(struct sl_fetch_session *session);
/* Sends what can be sent. */
void sl_fetch_session_run(struct sl_core *core);
int64_t sl_fetch_session_deadline(const struct sl_core *core);
/* Every invariant; asserts. Returns what the requests in flight have reserved. */
int64_t sl_fetch_session_check(const struct sl_core *core);
void sl_fetch_session_dump(const struct sl_core *core, struct sl_text *out);

/* ---- fetch_follower.c ---- */

/* The broker that a running position belongs to: the follower that its leader named, or the leader.
 * NULL: it is not known. */
struct sl_broker *sl_fetch_follower_pick(struct sl_core *core, struct sl_fetch_position *position);
/* The answer that has been read names this follower (-1: none); placed anew when that counts. */
void sl_fetch_follower_take(struct sl_core *core, struct sl_fetch_position *position, int32_t node);
/* The position is to be fetched from its leader when it is placed next. */
void sl_fetch_follower_forget(struct sl_fetch_position *position);
/* Something went wrong: placed at its leader for a while. False: it is fetched from its leader. */
bool sl_fetch_follower_fail(struct sl_core *core, struct sl_fetch_position *position,
                            const char *why);
/* The same for all positions that the session's broker is a follower to. */
void sl_fetch_follower_leave(struct sl_fetch_session *session, const char *why);
/* The same when there is no connection (NULL), or it takes too long to come about. */
void sl_fetch_follower_try(struct sl_fetch_session *session, const struct sl_link *link);
/* Raises the watermarks of a follower's answer to what is known. */
void sl_fetch_follower_hear(const struct sl_fetch_position *position,
                            struct sl_fetch_partition_response *answer);
/* Ends leases whose time is over; asked for at fetcher.leases_at. */
void sl_fetch_follower_run(struct sl_core *core);
void sl_fetch_follower_check(const struct sl_fetch_position *position);

/* ---- validate.c ---- */

void sl_validate_deinit(struct sl_fetcher *f);
/* Whether the leader has to be asked whether its log is the one that was read, first. */
bool sl_validate_is_due(const struct sl_fetch_position *position);
/* Asks; then the position is placed. It is in no list, and its leader is known. */
void sl_validate_begin(struct sl_core *core, struct sl_fetch_position *position);
/* The leader says that of its epochs not above last_epoch the last is this one, and where that ends.
 * False: there is nothing wrong with that. */
bool sl_validate_judge(struct sl_core *core, struct sl_fetch_position *position, int32_t epoch,
                       int64_t end_offset);
/* Records came, and this is the epoch of the last, and where its run begins. */
void sl_validate_on_moved(struct sl_fetch_position *position, int32_t last_epoch,
                          int64_t epoch_from);
void sl_validate_run(struct sl_core *core);
/* Every invariant; asserts. */
void sl_validate_check(const struct sl_core *core);

/* ---- fetch_answer.c ---- */

/* Reads an answer: moves positions, queues the slices to be checked. The buffer is taken when
 * there are any. */
void sl_fetch_answer_read(struct sl_fetch_session *session, struct sl_response *resp);
/* Checks what came in earlier turns and hands it to the gate, up to about so many bytes. */
void sl_fetch_answer_check(struct sl_core *core, size_t most);
/* All that has come, also in this turn: before something is said that comes behind it. */
void sl_fetch_answer_flush(struct sl_core *core);

#endif
