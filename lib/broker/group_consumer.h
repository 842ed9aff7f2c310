/* A group of KIP-848: the coordinator assigns, members reconcile by heartbeats. */
#ifndef SL_BROKER_GROUP_CONSUMER_H
#define SL_BROKER_GROUP_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/text.h"
#include "broker/group_parts.h"
#include "broker/group_regex.h"
#include "broker/group_wait.h"
#include "wire/messages/11_join_group.h"
#include "wire/messages/12_heartbeat.h"
#include "wire/messages/13_leave_group.h"
#include "wire/messages/14_sync_group.h"
#include "wire/messages/68_consumer_group_heartbeat.h"
#include "wire/messages/69_consumer_group_describe.h"

struct sl_cluster_topic;
struct sl_group;

enum sl_consumer_state {
    SL_CONSUMER_STABLE = 1, /* it has what it was told */
    SL_CONSUMER_UNREVOKED,  /* it has to give partitions up first, and keeps its epoch till then */
    SL_CONSUMER_UNRELEASED  /* it is in the target's epoch; others still have some of its target */
};
struct sl_consumer_member {
    struct sl_str id;             /* owned, as all texts here */
    struct sl_str instance;       /* null: a dynamic member */
    struct sl_str client_id;      /* may be null */
    struct sl_str rack;           /* may be null */
    struct sl_str assignor;       /* null: any */
    struct sl_str regex_text;     /* null: none */
    struct sl_group_regex *regex; /* owned; NULL: none */
    struct sl_str *names;         /* owned: topics it subscribes to by name */
    int32_t name_count;
    int32_t epoch; /* SL_CONSUMER_GROUP_LEAVE_STATIC: it left and may come back */
    int32_t previous_epoch;
    int32_t rebalance_ms;
    enum sl_consumer_state state;
    struct sl_parts assigned; /* what it was told to have */
    struct sl_parts revoking; /* what it was told to give up, and may still have */
    struct sl_parts target;
    int64_t expires_at; /* nanoseconds */
    int64_t revoke_by;  /* in UNREVOKED; INT64_MAX otherwise */

    /* of the classic protocol: group_mixed.c */
    struct sl_join_group_protocol *protocols; /* owned: what it offered; NULL: it is of KIP-848 */
    int32_t protocol_count;
    int32_t session_ms;
    int64_t answer_by; /* it has to join, or to ask for its assignment; INT64_MAX: neither */
};
struct sl_consumer {
    int32_t epoch;           /* of the group: moves with members and topics */
    int32_t target_epoch;    /* of the group when the targets were made */
    struct sl_map members;   /* by id, owned */
    struct sl_map instances; /* the static ones, by instance id */
    uint64_t topic_changes;  /* of the cluster, when the topics were looked at last */
    uint64_t topics_seen;    /* a hash of those subscribed to and their partitions */
};
void sl_group_consumer_init(struct sl_group *g);
void sl_group_consumer_deinit(struct sl_group *g);

/* Joins, goes on or leaves. Kafka's code, or NOMEM; with 0 the response is filled. */
int sl_group_consumer_heartbeat(struct sl_group *g,
                                const struct sl_consumer_group_heartbeat_request *r,
                                struct sl_str client_id, int16_t version, struct sl_arena *arena,
                                struct sl_consumer_group_heartbeat_response *out);
/* Whether these may commit, or fetch what was committed. */
int sl_group_consumer_commit(const struct sl_group *g, struct sl_str member_id,
                             struct sl_str instance, int32_t epoch, int16_t version);
int sl_group_consumer_fetch(const struct sl_group *g, struct sl_str member_id, int32_t epoch);
bool sl_group_consumer_subscribes(const struct sl_group *g, struct sl_str topic);

/* All members are fenced, and have to rejoin. False: there are none. */
bool sl_group_consumer_rebalance(struct sl_group *g);
/* Another coordinator: sessions begin anew. */
void sl_group_consumer_reload(struct sl_group *g);
int64_t sl_group_consumer_due(const struct sl_group *g);
void sl_group_consumer_on_time(struct sl_group *g);

/* ---- for group_mixed.c ---- */

/* The member who asks, made or renamed when it joins. Kafka's code or NOMEM. */
int sl_group_consumer_admit(struct sl_group *g, const struct sl_consumer_group_heartbeat_request *r,
                            struct sl_str id, struct sl_consumer_member **out);
/* Takes what the member says, and a step towards its target. 0, Kafka's code, or NOMEM. */
int sl_group_consumer_go_on(struct sl_group *g, struct sl_consumer_member *m,
                            const struct sl_consumer_group_heartbeat_request *r,
                            struct sl_str client_id, struct sl_arena *arena,
                            struct sl_consumer_group_heartbeat_response *out);
/* Some member has it, or may still have it. */
bool sl_group_consumer_holds(const struct sl_group *g, const struct sl_part *part);
/* Its partitions are free at once. */
void sl_group_consumer_fence(struct sl_group *g, struct sl_consumer_member *m);

/* ---- members of the classic protocol: group_mixed.c ---- */

/* A group of consumers of the classic protocol becomes one of KIP-848 with all its members. 0, 69
 * (it cannot), or NOMEM. */
int sl_group_mixed_convert(struct sl_group *g);
/* To be called when members may have gone: a group in which only members of the classic protocol
 * are left becomes one of that protocol, in this generation. Without memory it stays what it is. */
void sl_group_mixed_settle(struct sl_group *g, int32_t generation);
/* As those of sl_group_classic_…, of a group of KIP-848. */
int sl_group_mixed_join(struct sl_group *g, const struct sl_join_group_request *r,
                        struct sl_str client_id, struct sl_group_wait *w);
int sl_group_mixed_sync(struct sl_group *g, const struct sl_sync_group_request *r,
                        struct sl_group_wait *w);
int sl_group_mixed_heartbeat(struct sl_group *g, const struct sl_heartbeat_request *r);
void sl_group_mixed_leave(struct sl_group *g, const struct sl_leave_group_member *leaving,
                          int32_t count, struct sl_leave_group_member_response *out);
int sl_group_mixed_commit(const struct sl_group *g, struct sl_str member_id, struct sl_str instance,
                          int32_t generation);

/* ---- what is seen of it: group_consumer_view.c ---- */

const char *sl_group_consumer_view_state(const struct sl_group *g);
/* What it points to lives as long as the group is not changed. False: out of memory. */
bool sl_group_consumer_view_describe(const struct sl_group *g, struct sl_arena *arena,
                                     struct sl_consumer_group_describe_group *out);
void sl_group_consumer_view_dump(const struct sl_group *g, struct sl_text *out);
void sl_group_consumer_view_check(const struct sl_group *g);

/* ---- members: group_subscribers.c ---- */

/* A member of nobody's yet; NULL: out of memory. */
struct sl_consumer_member *sl_group_subscribers_create(struct sl_group *g, struct sl_str id,
                                                       struct sl_str instance);
void sl_group_subscribers_destroy(struct sl_group *g, struct sl_consumer_member *m);
/* 0 or NOMEM. */
int sl_group_subscribers_add(struct sl_group *g, struct sl_consumer_member *m);
void sl_group_subscribers_remove(struct sl_group *g, struct sl_consumer_member *m);
/* A static member comes back under another id. 0 or NOMEM. */
int sl_group_subscribers_rename(struct sl_group *g, struct sl_consumer_member *m, struct sl_str id);
/* Takes over what the request says anew. 0, 128 or NOMEM; *changed: what it subscribes to. */
int sl_group_subscribers_update(struct sl_group *g, struct sl_consumer_member *m,
                                const struct sl_consumer_group_heartbeat_request *r,
                                struct sl_str client_id, bool *changed);
/* NULL: there is none. */
struct sl_consumer_member *sl_group_subscribers_find(const struct sl_group *g, struct sl_str id);
struct sl_consumer_member *sl_group_subscribers_find_static(const struct sl_group *g,
                                                            struct sl_str instance);
struct sl_consumer_member *sl_group_subscribers_next(const struct sl_group *g, uint32_t *at);
bool sl_group_subscribers_wants(const struct sl_consumer_member *m, struct sl_str topic);
/* What the group's members subscribe to, as a number that changes with it. */
uint64_t sl_group_subscribers_topics(const struct sl_group *g);

/* ---- assigning: group_target.c ---- */

bool sl_group_target_knows(struct sl_str assignor);
/* The assignor that most members want; the first of all when they do not care. */
const char *sl_group_target_assignor(const struct sl_group *g);
/* Makes the targets of all members anew. 0 or NOMEM, then they are as before. */
int sl_group_target_make(struct sl_group *g);

#endif
