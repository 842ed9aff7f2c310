/* Membership in a consumer group: what is subscribed, being a member (the classic protocol, or
 * KIP-848), what is assigned, and giving it back. The gate applies what comes of it (rebalance.h),
 * the committer (committer.h) writes down how far everything was processed before it goes.
 *
 *   group.c                  what both protocols share: subscription, changes of what is owned,
 *                            polls, closing
 *   group_change.c           what is owned: giving back, taking, losing
 *   group_topics.c           names and patterns, and the topics that they stand for
 *   group_join.c             the classic protocol: joining, heartbeats, leaving
 *   group_join_answers.c     what its answers mean
 *   group_leader.c           a leader's part: sharing the partitions among all members
 *   group_racks.c            … near to them
 *   group_follow.c           KIP-848 */
#ifndef SL_CORE_GROUP_H
#define SL_CORE_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/text.h"
#include "core/calls.h"
#include "core/command.h"
#include "core/offset_list.h"
#include "core/rebalance.h"

struct sl_core;
struct sl_topic;
struct sl_join_group_response;
struct sl_assignor;
struct sl_metadata_topic;
struct sl_metadata_topic_response;
struct sl_pattern;

enum sl_group_state {
    SL_GROUP_IDLE = 1,  /* not subscribed, or the group cannot go on and the application was told */
    SL_GROUP_JOINING,   /* looking for the coordinator, giving back what an eager member has to,
                         * then JoinGroup; KIP-848: the first heartbeat */
    SL_GROUP_ASSIGNING, /* classic, leader: waits for metadata of the members' topics */
    SL_GROUP_SYNCING,   /* classic: SyncGroup is under way */
    SL_GROUP_STABLE,    /* a member that knows its assignment */
    SL_GROUP_AWAY,      /* did not poll for too long, and has left: joins with the next poll */
    SL_GROUP_LEAVING    /* the request that leaves is under way */
};
/* What is being done about the partitions that are owned. */
enum sl_group_change_state {
    SL_CHANGE_NONE = 0,
    SL_CHANGE_ASSIGNING, /* the gate has new ones */
    SL_CHANGE_REVOKING,  /* the gate holds some back until they are given back */
    SL_CHANGE_COMMITTING /* what was processed of them is being committed */
};

/* A topic of the members, and what it was like when its partitions were shared. */
struct sl_group_watch {
    struct sl_topic *topic;
    int32_t partition_count;
    int32_t *replicas;   /* owned: brokers, while they are being shared by racks (group_racks.c) */
    size_t replica_size; /* numbers in there */
    uint64_t print;      /* of the racks in the last answer; 0: not known */
    uint64_t shared_print; /* of those that it was shared by */
};

struct sl_membership {
    struct sl_core *core;
    enum sl_group_state state;
    bool is_consumer; /* the protocol is KIP-848 */
    bool decided;     /* group.protocol=auto has found out which */

    /* subscription */
    char **names; /* owned: as subscribed, patterns too */
    int32_t name_count;
    struct sl_topic **topics; /* what they stand for, by index in metadata */
    int32_t topic_count, topic_cap;
    bool lacks_topics; /* there was no memory for all of them */
    bool has_patterns;
    struct sl_pattern **patterns; /* owned: by name, compiled; NULL: not yet, or none is needed */
    int64_t all_since;            /* all topics have to be asked for since then */
    bool is_changed;              /* the subscription is not what the group knows */

    /* membership */
    char *member_id; /* owned; "" none */
    size_t member_id_size;
    int32_t epoch;         /* generation or member epoch; -1: no member */
    bool wants_join;       /* join, or join again … */
    char why[160];         /* … for this reason */
    bool wants_leave;      /* give everything back and leave */
    bool is_closing;       /* … because the client closes */
    bool is_done;          /* closing: nothing is left to do */
    bool is_finding;       /* waits for the coordinator, whose look-up brings a turn */
    int64_t find_again_at; /* there was no memory for that; SL_NEVER */
    uint32_t attempts;     /* failures in a row, for the back-off */
    int64_t not_before;    /* back-off of joining */
    int64_t heartbeat_at;
    int64_t joining_since; /* a rebalance is under way since; 0: none */
    struct sl_call join;   /* JoinGroup, or the heartbeats of KIP-848 */
    struct sl_call sync;
    struct sl_call heartbeat;
    struct sl_call leave;
    char leaving_id[256]; /* the member id that leaves: there may be another one meanwhile */
    const char *leaving_why;
    int32_t heartbeat_epoch; /* that the heartbeat under way carries */
    int64_t join_sent_at;    /* when JoinGroup left, or -1: it waits for a link … */
    int64_t beat_sent_at;    /* … and a heartbeat, of either protocol */
    int64_t heard_at; /* when that left which the coordinator has answered: it knew us then */
    bool is_doubted;  /* that was too long ago, and the log has been told */

    /* classic */
    bool is_leader;
    bool is_cooperative;
    bool skip_assignment;
    bool has_racks;                     /* leader: partitions are shared by racks */
    const struct sl_assignor *assignor; /* chosen by the group; NULL: none yet */
    int32_t owned_epoch;                /* generation in which `owned` was assigned; -1: none */
    struct sl_arena members;            /* memory of: */
    struct sl_array member_list;  /* of sl_assignor_member, of the generation being assigned */
    struct sl_array assignments;  /* of sl_sync_group_assignment */
    int64_t assign_since;         /* metadata of before is not enough for unknown topics */
    int64_t assign_by;            /* metadata is waited for no longer */
    struct sl_group_watch *watch; /* of the leader: topics of all members */
    int32_t watch_count;

    /* partitions */
    struct sl_offsets *owned;  /* assigned and applied */
    struct sl_offsets *target; /* owned; assigned and not yet applied; NULL: nothing new */
    enum sl_group_change_state change;
    uint64_t serial;           /* of the last message to the gate */
    uint64_t change_serial;    /* of the message whose answer ends the change */
    struct sl_offsets *had;    /* owned or NULL: what was assigned last, for the assignor sticky */
    struct sl_offsets *moving; /* owned; ASSIGNING: all that will be owned; REVOKING and COMMITTING:
                                * what goes; NULL: no change */
    int32_t commits;           /* commits of partitions that go, under way */
    bool has_lost;             /* what is owned is lost, and the gate has to be told */
    int64_t change_by;         /* REVOKING, ASSIGNING: the application is waited for no longer */
    bool is_released;          /* … and the gate has been told so */
    int64_t change_again_at;   /* without memory for a message: tried again then; SL_NEVER */
    bool has_revoked;          /* for the present target: a cooperative member joins again */

    /* polls */
    int64_t poll_at;      /* when to ask for polls; SL_NEVER */
    bool poll_asked;      /* an answer is awaited */
    uint64_t poll_serial; /* of the question */
    int32_t poll_misses;  /* questions in a row that were answered with no */

    /* KIP-848 */
    struct sl_call beat;
    bool must_tell_all;         /* the next heartbeat says everything */
    uint32_t owned_serial;      /* counts changes of what is owned … */
    uint32_t owned_told;        /* … up to which the broker was told and has answered … */
    uint32_t beat_owned_serial; /* … and which the heartbeat under way tells */
    int32_t beat_interval_ms;   /* that the broker told last */
    uint32_t names_serial;      /* the same of the subscription */
    uint32_t names_told;
    uint32_t beat_names_serial;
    int64_t instance_since;     /* the instance's last life is waited for since; 0: it is not */
    struct sl_arena assigned;   /* memory of: */
    struct sl_array assignment; /* of sl_consumer_group_heartbeat_topic: the broker's target */
    bool has_unknown;           /* topics of it that metadata does not know */
    bool must_resolve;          /* it is to be looked at again */
};

/* What OffsetCommit and OffsetFetch carry; texts live until the next turn. epoch -1 and member_id
 * "": no member. instance_id NULL: none. */
struct sl_group_identity {
    const char *group_id;
    const char *member_id;
    const char *instance_id;
    int32_t epoch;
    bool is_consumer;
};

int sl_group_init(struct sl_membership *g, struct sl_core *core);
void sl_group_deinit(struct sl_membership *g);
/* SUBSCRIBE, REJOIN, REBALANCED. */
void sl_group_on_command(struct sl_core *core, struct sl_command *command);
/* Metadata has spoken of the topic. */
void sl_group_on_topic(struct sl_core *core, struct sl_topic *topic);
/* Whether the topic is subscribed, or its partitions are shared here. */
bool sl_group_uses(const struct sl_core *core, const struct sl_topic *topic);
void sl_group_mark_topics(struct sl_core *core);
/* The partition is the group's to share, and appeared while the subscription was on. */
bool sl_group_saw_new(const struct sl_core *core, const struct sl_topic *topic, int32_t partition);
/* The client closes: what is finished is committed, then the member leaves. True: that is done. */
bool sl_group_close(struct sl_core *core);
/* Until then the coordinator keeps what is owned for this member; SL_NEVER: it is none. */
int64_t sl_group_trusted_until(const struct sl_core *core);
void sl_group_run(struct sl_core *core);
int64_t sl_group_deadline(const struct sl_core *core);
void sl_group_check(const struct sl_core *core);
const char *sl_group_state_name(enum sl_group_state state);
void sl_group_dump(const struct sl_core *core, struct sl_text *out);

/* ---- for the committer ---- */

void sl_group_identity(const struct sl_core *core, struct sl_group_identity *out);
/* An offset request with that epoch was refused for membership's sake (22, 25, 27, 82, 110, 113). */
void sl_group_on_refused(struct sl_core *core, int code, int32_t epoch);
/* LeaveGroup is done, or was not needed. */
void sl_group_on_left(struct sl_core *core);
/* The commit that was asked for before partitions go has ended, one way or the other. */
void sl_group_on_committed(struct sl_core *core);

/* ---- between the group_*.c files ---- */

void sl_group_set_state(struct sl_core *core, enum sl_group_state state);
/* Join, or join again, after the back-off when delayed. */
void sl_group_want_join(struct sl_core *core, bool delayed, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Joins again when topics are not what they were when the group was joined, or its partitions shared;
 * while that is under way it waits. */
void sl_group_look_at_topics(struct sl_core *core);
/* Membership is lost: partitions go at once, nothing is committed. */
void sl_group_lose(struct sl_core *core, const char *why);
/* The group cannot go on: partitions go, and the next poll says so. */
void sl_group_fail(struct sl_core *core, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The assignment that came; taken. */
void sl_group_take_target(struct sl_core *core, struct sl_offsets *target);
/* Gives back what is owned and not in `keep` (NULL: everything). True: nothing is left to give back;
 * false: it is under way. */
bool sl_group_give_back(struct sl_core *core, const struct sl_offsets *keep);
/* The member id; 0 or NOMEM. */
int sl_group_set_member_id(struct sl_core *core, struct sl_str id);
/* No longer a member: epoch -1, calls cancelled. */
void sl_group_reset(struct sl_core *core);
/* The broker to ask, or -1: it is being looked for, or the group has failed. */
int32_t sl_group_find_coordinator(struct sl_core *core);
void sl_group_forget_coordinator(struct sl_core *core);
/* Whether the answer says that the coordinator is another one, or not ready; then it is forgotten or
 * left, and the caller tries again later. */
bool sl_group_is_elsewhere(struct sl_core *core, int code);
/* The coordinator has answered as to a member what left at that time. */
void sl_group_on_heard(struct sl_core *core, int64_t sent_at);
/* The wait after a failure. */
void sl_group_back_off(struct sl_core *core);
struct sl_str sl_group_instance(const struct sl_core *core);

/* group_change.c */
/* A message to the gate, with room for so many partitions in its answer (-1: none is wanted). NULL:
 * out of memory. */
struct sl_rebalance *sl_group_change_message(struct sl_core *core, enum sl_rebalance_kind kind,
                                             int32_t slots);
void sl_group_change_send(struct sl_core *core, struct sl_rebalance *message);
/* Everything that is owned goes at once. */
void sl_group_change_lose(struct sl_core *core);
/* The group waits for what is under way: the application has no more time for it than for giving
 * partitions back; none when the client closes. */
void sl_group_change_hasten(struct sl_core *core);
/* A step towards the target. */
void sl_group_change_pursue(struct sl_core *core);
void sl_group_change_on_answer(struct sl_core *core, const struct sl_command *answer);
/* Deadlines, and what there was no memory for. */
void sl_group_change_run(struct sl_core *core);

/* group_topics.c. A name that begins with ^ or !^ is a pattern. */
bool sl_group_topics_is_pattern(const char *name);
/* Takes the names. */
void sl_group_topics_subscribe(struct sl_core *core, struct sl_command *command);
void sl_group_topics_deinit(struct sl_membership *g);
/* Looks for what the names stand for. True: topics are other ones than before. */
bool sl_group_topics_update(struct sl_core *core);
bool sl_group_topics_has(const struct sl_membership *g, const char *topic);
/* Metadata has spoken of the topic: it is known from now on with how many partitions it began. */
void sl_group_topics_see(struct sl_core *core, struct sl_topic *topic);
/* Nothing that the subscription needs is missing: patterns have been looked for. */
bool sl_group_topics_is_ready(struct sl_core *core);
/* Metadata is to ask for all topics, and keep this one if it wants it. */
bool sl_group_topics_wants_all(const struct sl_core *core);
bool sl_group_topics_wants(const struct sl_core *core, struct sl_str topic);
/* Some pattern says what not to read: brokers cannot do that. */
bool sl_group_topics_has_exclusion(const struct sl_membership *g);

/* group_join.c */
void sl_group_join_init(struct sl_membership *g);
void sl_group_join_run(struct sl_core *core);
void sl_group_join_leave(struct sl_core *core, const char *why);
void sl_group_join_sync(struct sl_core *core);
/* group_join_answers.c */
void sl_group_join_on_joined(struct sl_core *core, struct sl_call *call, int rv,
                             const void *response);
void sl_group_join_on_synced(struct sl_core *core, struct sl_call *call, int rv,
                             const void *response);
void sl_group_join_on_heartbeat(struct sl_core *core, struct sl_call *call, int rv,
                                const void *response);
/* group_leader.c */
/* What this member says of itself to that assignor, in the arena. */
int sl_group_leader_subscription(struct sl_core *core, const struct sl_assignor *assignor,
                                 struct sl_arena *arena, struct sl_bytes *out);
/* What SyncGroup gave; *out is the caller's. 0, NOMEM, MALFORMED. */
int sl_group_leader_read_assignment(struct sl_core *core, struct sl_bytes bytes,
                                    struct sl_offsets **out);
/* Keeps what the other members say. */
int sl_group_leader_take(struct sl_core *core, const struct sl_join_group_response *answer);
/* Shares the partitions once metadata is there. True: assignments are ready. */
bool sl_group_leader_assign(struct sl_core *core);
/* What the members said is not needed any more; their topics are watched on. */
void sl_group_leader_release(struct sl_core *core);
/* No leader any more. */
void sl_group_leader_forget(struct sl_core *core);
/* Some topic of the members has another number of partitions than when they were shared, or has them
 * in other racks. */
bool sl_group_leader_is_outdated(const struct sl_core *core);
/* group_racks.c */
/* The members are known: asks for what sharing needs. */
void sl_group_racks_begin(struct sl_core *core);
/* Metadata lists each partition of the topic once. */
void sl_group_racks_on_answer(struct sl_core *core, const struct sl_topic *topic,
                              const struct sl_metadata_topic_response *answer);
/* Whether sharing waits for an answer about this one. */
bool sl_group_racks_is_awaited(const struct sl_membership *g, const struct sl_group_watch *watch);
/* Of each partition the racks, borrowed from the brokers; NULL: not known. 0 or NOMEM. */
int sl_group_racks_list(struct sl_core *core, const struct sl_group_watch *watch,
                        struct sl_arena *arena, const struct sl_array **out);
/* The partitions are shared. */
void sl_group_racks_end(struct sl_core *core);
/* Its replicas are in other racks than when they were shared. */
bool sl_group_racks_are_other(const struct sl_group_watch *watch);
void sl_group_racks_forget(struct sl_core *core, struct sl_group_watch *watch);
/* group_follow.c */
void sl_group_follow_init(struct sl_membership *g);
void sl_group_follow_run(struct sl_core *core);
void sl_group_follow_leave(struct sl_core *core, const char *why);
/* Assigned topics that metadata knows by no name yet: what to ask for (out NULL: only counts). */
int32_t sl_group_follow_list_unknown(struct sl_core *core, struct sl_metadata_topic *out);
bool sl_group_follow_wants_id(const struct sl_core *core, const struct sl_uuid *id);

#endif
