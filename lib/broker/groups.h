/* The groups of the test broker's cluster: one registry for all nodes, since what a coordinator
 * writes to its topic of offsets survives it. A group is of the classic protocol or of KIP-848, and
 * has committed offsets in both; one that only ever committed is an empty classic group. */
#ifndef SL_BROKER_GROUPS_H
#define SL_BROKER_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/text.h"
#include "broker/cluster.h"
#include "broker/group_classic.h"
#include "broker/group_consumer.h"
#include "broker/group_offsets.h"

#define SL_GROUPS_MS INT64_C(1000000) /* in nanoseconds */

/* By Kafka's names, see sl_broker_set. */
struct sl_groups_settings {
    int32_t initial_delay_ms;
    int32_t session_min_ms;
    int32_t session_max_ms;
    int32_t size_max; /* members of a group */
    int32_t metadata_max;
    int32_t consumer_session_ms;
    int32_t consumer_heartbeat_ms;
    bool has_consumer; /* KIP-848 is offered */
    int32_t load_ms;   /* a node that became coordinator of anything answers 14 that long */
};

enum sl_group_type { SL_GROUP_CLASSIC = 1, SL_GROUP_CONSUMER };

struct sl_groups;
struct sl_group {
    struct sl_groups *groups;
    struct sl_str id; /* owned */
    enum sl_group_type type;
    int32_t node; /* the coordinator; -1: none */
    struct sl_group_offsets offsets;
    struct sl_classic classic; /* without members in the other type, and the other way round */
    struct sl_consumer consumer;
    int64_t due; /* nanoseconds: when something happens by itself; INT64_MAX: never */
};
struct sl_groups {
    const struct sl_alloc *alloc;
    struct sl_cluster *cluster;
    struct sl_rng *rng;  /* of the machine: member ids */
    struct sl_map by_id; /* of struct sl_group, owned */
    int64_t now;         /* nanoseconds */
    struct sl_groups_settings settings;
    int64_t load_until[SL_CLUSTER_NODES_MAX]; /* of node id - 1 */
};
void sl_groups_init(struct sl_groups *s, struct sl_cluster *cluster, const struct sl_alloc *alloc,
                    struct sl_rng *rng);
void sl_groups_deinit(struct sl_groups *s);

/* Whether a node may answer for a group at all: 0, 16 NOT_COORDINATOR, 14
 * COORDINATOR_LOAD_IN_PROGRESS. */
int sl_groups_judge(const struct sl_groups *s, const struct sl_cluster_node *node,
                    struct sl_str id);
/* NULL: there is none. */
struct sl_group *sl_groups_find(const struct sl_groups *s, struct sl_str id);
/* Finds it, or makes an empty one; NULL: out of memory. */
struct sl_group *sl_groups_get(struct sl_groups *s, struct sl_str id);
/* Makes it one of the other type, which only an empty group can become; its offsets stay. False: it
 * has members. */
bool sl_groups_become(struct sl_group *g, enum sl_group_type type);
void sl_groups_remove(struct sl_group *g);
/* Removes a group that nothing came of. */
void sl_groups_tidy(struct sl_group *g);
/* In the order in which they were made; at starts at 0. */
struct sl_group *sl_groups_next(const struct sl_groups *s, uint32_t *at);

/* Whether an OffsetCommit of that version is let in, and the group that it makes where there is
 * none: Kafka's code, or NOMEM. */
int sl_groups_admit_commit(struct sl_groups *s, struct sl_str id, struct sl_str member_id,
                           struct sl_str instance, int32_t generation, int16_t version,
                           struct sl_group **out);
/* The same of an OffsetFetch; the group may be read by anybody who does not say to be a member. */
int sl_groups_admit_fetch(const struct sl_group *g, struct sl_str member_id, int32_t epoch);
/* "consumer", what other members called it, or empty. */
struct sl_str sl_groups_protocol_type(const struct sl_group *g);
/* Whether a member subscribes to the topic, or may. */
bool sl_groups_subscribes(const struct sl_group *g, struct sl_str topic);
const char *sl_groups_type_text(const struct sl_group *g);
const char *sl_groups_state_text(const struct sl_group *g);
bool sl_groups_is_empty(const struct sl_group *g);

/* So many milliseconds from now. */
int64_t sl_groups_after_ms(const struct sl_group *g, int64_t ms);
/* To be called after any change of a group: sets when it is due. */
void sl_groups_schedule(struct sl_group *g);
/* A node came or went, or a coordinator was moved: groups go to theirs. */
void sl_groups_on_coordinators(struct sl_groups *s, int32_t down);
/* The topic is about to go. */
void sl_groups_on_topic_gone(struct sl_groups *s, struct sl_str name);
void sl_groups_on_time(struct sl_groups *s, int64_t now);
/* Does what is due. */
void sl_groups_run(struct sl_groups *s);
int64_t sl_groups_deadline(const struct sl_groups *s);
/* All members of a group have to rejoin: 0, or Kafka's code when there is no such group. */
int sl_groups_rebalance(struct sl_groups *s, struct sl_str id);
void sl_groups_dump(const struct sl_groups *s, struct sl_text *out);
void sl_groups_check(const struct sl_groups *s);

#endif
