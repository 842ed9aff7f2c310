/* A group of the classic protocol: members that join, vote for a protocol, are told their leader,
 * and get from it what they are assigned. */
#ifndef SL_BROKER_GROUP_CLASSIC_H
#define SL_BROKER_GROUP_CLASSIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/map.h"
#include "base/text.h"
#include "broker/group_wait.h"
#include "wire/messages/11_join_group.h"
#include "wire/messages/12_heartbeat.h"
#include "wire/messages/13_leave_group.h"
#include "wire/messages/14_sync_group.h"
#include "wire/messages/15_describe_groups.h"

struct sl_group;

/* A group that is dead is not in the registry. */
enum sl_classic_state {
    SL_CLASSIC_EMPTY = 1,
    SL_CLASSIC_PREPARING,  /* waits for its members to join */
    SL_CLASSIC_COMPLETING, /* waits for the leader's assignments */
    SL_CLASSIC_STABLE
};

struct sl_classic_member {
    struct sl_str id;                         /* owned */
    struct sl_str instance;                   /* owned; null: a dynamic member */
    struct sl_str client_id;                  /* owned; may be null */
    struct sl_join_group_protocol *protocols; /* owned, with what is in them; the best first */
    int32_t protocol_count;
    struct sl_bytes assignment; /* owned; null: none */
    struct sl_group_wait *join; /* the JoinGroup that waits; NULL: none, or its link went */
    struct sl_group_wait *sync; /* the same of SyncGroup */
    int64_t expires_at;         /* nanoseconds; holds while it waits for no answer */
    int32_t session_ms;
    int32_t rebalance_ms;
    bool is_new;     /* it never ended a join: it may go while it waits */
    bool is_joining; /* its JoinGroup is to be answered */
    bool is_syncing; /* its SyncGroup is to be answered */
    bool owes_sync;  /* it has not asked for its assignment in this generation */
    bool is_saved;   /* a coordinator that takes over knows it … */
    struct sl_join_group_protocol *saved; /* … with these, owned; NULL: with what it has now */
    int32_t saved_count;
};
/* An id that was given out and has not been used. */
struct sl_classic_pending {
    int64_t expires_at;
};

struct sl_classic {
    enum sl_classic_state state;
    int32_t generation;
    struct sl_str protocol_type; /* owned; null: nobody ever joined */
    struct sl_str protocol;      /* owned: what was voted for; null: none */
    struct sl_classic_member *leader;
    struct sl_map members;        /* by id, owned */
    struct sl_map instances;      /* the static ones, by instance id */
    struct sl_map pending;        /* of struct sl_classic_pending by member id, owned */
    int64_t join_at;              /* when joining ends; INT64_MAX: not joining */
    int64_t sync_at;              /* when asking for assignments ends; INT64_MAX: everyone has */
    bool is_initial;              /* joining began in an empty group: it takes its delay */
    bool has_newcomers;           /* someone joined since that delay began */
    int64_t initial_left;         /* nanoseconds by which newcomers may still prolong it */
    int32_t saved_generation;     /* of a coordinator that takes over */
    struct sl_str saved_protocol; /* owned */
};
void sl_group_classic_init(struct sl_group *g);
void sl_group_classic_deinit(struct sl_group *g);

/* Each takes what came and fills the response of w, at once (w->done) or when the others have come.
 * 0 or NOMEM, then there is no answer. */
int sl_group_classic_sync(struct sl_group *g, const struct sl_sync_group_request *r,
                          struct sl_group_wait *w);
/* Kafka's code. */
int sl_group_classic_heartbeat(struct sl_group *g, const struct sl_heartbeat_request *r);
/* Members go, each with a code of its own. */
void sl_group_classic_leave(struct sl_group *g, const struct sl_leave_group_member *leaving,
                            int32_t count, struct sl_leave_group_member_response *out);
/* Whether these may commit: generation -1 and an empty id are nobody. A commit keeps a session. */
int sl_group_classic_commit(struct sl_group *g, struct sl_str member_id, struct sl_str instance,
                            int32_t generation);

/* All members have to rejoin. False: there are none. */
bool sl_group_classic_rebalance(struct sl_group *g);
/* The coordinator is another: what was saved is what it knows. Answers that wait get code. */
void sl_group_classic_reload(struct sl_group *g, int code);
/* INT64_MAX: nothing is due by itself. */
int64_t sl_group_classic_due(const struct sl_group *g);
void sl_group_classic_on_time(struct sl_group *g);
void sl_group_classic_check(const struct sl_group *g);

/* ---- for group_entry.c ---- */

/* A generation is to end: everybody has to join, or those that have are enough. */
void sl_group_classic_prepare(struct sl_group *g);
/* Its session begins anew. */
void sl_group_classic_renew(struct sl_group *g, struct sl_classic_member *m);
/* It is out, and what it waits for is answered so. */
void sl_group_classic_expel(struct sl_group *g, struct sl_classic_member *m);
/* After members have gone, or only ids that were given out. */
void sl_group_classic_settle(struct sl_group *g, bool is_member);
/* Who says to be a member: 0, 25 or 82. */
int sl_group_classic_judge(const struct sl_group *g, struct sl_str id, struct sl_str instance);

/* ---- JoinGroup: group_entry.c ---- */

/* As sl_group_classic_sync. */
int sl_group_entry_join(struct sl_group *g, const struct sl_join_group_request *r,
                        struct sl_str client_id, struct sl_group_wait *w);

/* ---- what is seen of it: group_view.c ---- */

/* Whether some member subscribes to the topic, as far as the metadata tells. */
bool sl_group_view_subscribes(const struct sl_group *g, struct sl_str topic);
/* State and members; what they point to lives as long as the group is not changed. False: out of
 * memory. */
bool sl_group_view_describe(const struct sl_group *g, struct sl_arena *arena,
                            struct sl_describe_groups_group *out);
const char *sl_group_view_state(const struct sl_group *g);
void sl_group_view_dump(const struct sl_group *g, struct sl_text *out);

/* ---- answers: group_answers.c ---- */

/* A copy that lives as long as the answer. */
struct sl_str sl_group_answers_keep(struct sl_arena *arena, struct sl_str text);
/* Of a JoinGroup: the present generation, with all members for the leader. */
void sl_group_answers_generation(const struct sl_group *g, const struct sl_classic_member *m,
                                 struct sl_group_wait *w);
void sl_group_answers_refuse_join(struct sl_group_wait *w, int code, struct sl_str member_id);
/* Of a SyncGroup. */
void sl_group_answers_assignment(const struct sl_group *g, const struct sl_classic_member *m,
                                 struct sl_group_wait *w);
void sl_group_answers_refuse_sync(struct sl_group_wait *w, int code);
/* The member waits for nothing any more. */
void sl_group_answers_refuse(struct sl_classic_member *m, int code);

/* ---- members: group_members.c ---- */

/* A member with what its request says, of nobody yet; NULL: out of memory. */
struct sl_classic_member *sl_group_members_create(struct sl_group *g,
                                                  const struct sl_join_group_request *r,
                                                  struct sl_str id, struct sl_str client_id);
void sl_group_members_destroy(struct sl_group *g, struct sl_classic_member *m);
/* 0 or NOMEM. The first one leads. */
int sl_group_members_add(struct sl_group *g, struct sl_classic_member *m);
/* Takes it out and frees it; another leads. No answer waits for it. */
void sl_group_members_remove(struct sl_group *g, struct sl_classic_member *m);
/* A static member comes back under another id. 0 or NOMEM. */
int sl_group_members_rename(struct sl_group *g, struct sl_classic_member *m, struct sl_str id);
/* The group is saved with the member as it is now; and the member is again as it was saved. */
void sl_group_members_save(struct sl_group *g, struct sl_classic_member *m);
void sl_group_members_restore(struct sl_group *g, struct sl_classic_member *m);
/* Takes over protocols and timeouts. 0 or NOMEM. */
int sl_group_members_update(struct sl_group *g, struct sl_classic_member *m,
                            const struct sl_join_group_request *r);
/* NULL: there is none. */
struct sl_classic_member *sl_group_members_find(const struct sl_group *g, struct sl_str id);
struct sl_classic_member *sl_group_members_find_static(const struct sl_group *g,
                                                       struct sl_str instance);
struct sl_classic_member *sl_group_members_next(const struct sl_group *g, uint32_t *at);
/* An id for a new member, in the arena: the client's or the instance's with something unique
 * behind. Null: out of memory. */
struct sl_str sl_group_members_name(struct sl_group *g, struct sl_arena *arena,
                                    struct sl_str client_id, struct sl_str instance);
/* Ids that were given out and have not been used. 0 or NOMEM. */
int sl_group_members_give_id(struct sl_group *g, struct sl_str id, int64_t expires_at);
bool sl_group_members_has_id(const struct sl_group *g, struct sl_str id);
void sl_group_members_drop_id(struct sl_group *g, struct sl_str id);
void sl_group_members_drop_ids(struct sl_group *g);
/* True: the time of some was over. */
bool sl_group_members_expire_ids(struct sl_group *g);
/* A copy of what a member offers, at least one; NULL: out of memory. */
struct sl_join_group_protocol *sl_group_members_copy_protocols(const struct sl_alloc *alloc,
                                                               const struct sl_array *from);
void sl_group_members_free_protocols(const struct sl_alloc *alloc,
                                     struct sl_join_group_protocol *protocols, int32_t count);
/* Whether it has the protocols of the request, with the same metadata, in that order. */
bool sl_group_members_is_same(const struct sl_classic_member *m,
                              const struct sl_join_group_request *r);
/* Whether the group can go on with somebody who offers these. */
bool sl_group_members_support(const struct sl_group *g, const struct sl_join_group_request *r);
/* The protocol that all have and most prefer; null without members. */
struct sl_str sl_group_members_vote(const struct sl_group *g);
/* Null: it does not have that protocol. */
struct sl_bytes sl_group_members_metadata(const struct sl_classic_member *m,
                                          struct sl_str protocol);
/* The longest of all. */
int32_t sl_group_members_rebalance_ms(const struct sl_group *g);

#endif
