/* Fetch sessions of one node (KIP-227): what a consumer asked for, remembered between requests,
 * so that a request lists only changes and an answer only news. */
#ifndef SL_BROKER_SESSIONS_H
#define SL_BROKER_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "wire/messages/01_fetch.h"

/* A partition of a session; the key in the map is the topic (id or name) and the partition. */
struct sl_session_partition {
    struct sl_list order; /* in the session; partitions that gave data go to the back */
    struct sl_fetch_partition asked;
    struct sl_uuid topic_id;     /* of sessions by id */
    struct sl_str name;          /* of sessions by name; owned */
    int64_t told_high_watermark; /* -1: nothing was told yet */
    int64_t told_log_start;
    bool told_error; /* the last answer had an error for it */
};
struct sl_session {
    struct sl_map by_key; /* of sl_session_partition, owned */
    struct sl_list order; /* the same, in the order of answers */
    int64_t used_at;      /* nanoseconds */
    int32_t id;
    int32_t epoch; /* of the next request */
    bool by_id;    /* topics are known by their ids (version 13 on) */
};
struct sl_sessions {
    const struct sl_alloc *alloc;
    struct sl_rng *rng;  /* of the machine: session ids */
    struct sl_map by_id; /* of struct sl_session, owned */
    int32_t slots;       /* most sessions at a time */
};
void sl_sessions_init(struct sl_sessions *s, const struct sl_alloc *alloc, struct sl_rng *rng,
                      int32_t slots);
/* Forgets all. Also what a restart does. */
void sl_sessions_deinit(struct sl_sessions *s);

/* A new session whose next epoch is 1. *out NULL with 0: all slots are taken by sessions in use.
 * NOMEM otherwise. */
int sl_sessions_open(struct sl_sessions *s, bool by_id, int64_t now, struct sl_session **out);
void sl_sessions_close(struct sl_sessions *s, struct sl_session *session);
/* NULL: there is none. */
struct sl_session *sl_sessions_find(const struct sl_sessions *s, int32_t id);
/* Counts a request: the epoch moves on, past INT32_MAX to 1. */
void sl_sessions_use(struct sl_session *session, int64_t now);

/* Why strict checking frowns at an entry of an incremental request; none is an error. */
enum sl_session_change { SL_SESSION_ADDED = 1, SL_SESSION_CHANGED, SL_SESSION_SAME };
/* Adds or changes a partition. 0 or NOMEM. */
int sl_sessions_put(struct sl_sessions *s, struct sl_session *session,
                    const struct sl_fetch_topic *topic, const struct sl_fetch_partition *asked,
                    enum sl_session_change *change);
/* False: the session does not have it. */
bool sl_sessions_forget(struct sl_sessions *s, struct sl_session *session, struct sl_str name,
                        const struct sl_uuid *id, int32_t partition);
/* Moves a partition that gave data behind the others. */
void sl_sessions_rotate(struct sl_session *session, struct sl_session_partition *partition);
void sl_sessions_check(const struct sl_sessions *s);

#endif
