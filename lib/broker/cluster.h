/* The cluster that the nodes of the test broker agree on: nodes, topics, leaders. */
#ifndef SL_BROKER_CLUSTER_H
#define SL_BROKER_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "broker/broker.h"
#include "broker/log.h"
#include "broker/producers.h"
#include "broker/sessions.h"
#include "wire/api.h"

enum {
    SL_CLUSTER_NODES_MAX = 100,
    SL_CLUSTER_HOST_CAP = 256,
    SL_CLUSTER_RACK_CAP = 64,
    SL_CLUSTER_NAME_MAX = 249,
    SL_CLUSTER_SHARDS = 50 /* partitions of Kafka's topic of committed offsets */
};

struct sl_cluster_node {
    int32_t id;
    enum sl_broker_state state;
    bool news;                      /* the host must be told of the state */
    char host[SL_CLUSTER_HOST_CAP]; /* as advertised */
    uint16_t port;
    char rack[SL_CLUSTER_RACK_CAP]; /* "": none */
    struct sl_broker_lag lag;       /* as a follower */
    int64_t away_since;             /* nanoseconds: it is not up since then; -1: it is */
    int16_t caps[SL_API_KEY_LIMIT]; /* highest version of each API; -1: not offered */
    struct sl_sessions sessions;
};

struct sl_cluster_topic;
struct sl_cluster_partition {
    struct sl_cluster_topic *topic;
    struct sl_log log;
    struct sl_producers producers;
    int32_t *replicas; /* node ids, the preferred leader first; in the topic's block */
    int32_t index;
    int32_t leader; /* -1: none */
    int32_t leader_epoch;
    /* What Metadata says and the old leader believes; differs after a move that was not told. */
    int32_t told_leader;
    int32_t told_epoch;
};
struct sl_cluster_topic {
    char name[SL_CLUSTER_NAME_MAX + 1];
    struct sl_uuid id;
    struct sl_cluster_partition *partitions; /* owned */
    int32_t *replicas;                       /* owned: of all partitions */
    int32_t partition_count;
    int32_t replica_count;
    bool compacted; /* takes no record without a key */
};

struct sl_cluster {
    const struct sl_alloc *alloc;
    struct sl_rng *rng; /* of the machine */
    struct sl_log_store store;
    struct sl_cluster_node *nodes; /* owned; [id - 1] */
    int32_t node_count;
    int32_t default_partitions;
    int32_t replica_lag_ms; /* for so long leaders count a node as in sync that is away */
    bool selects_by_rack;   /* leaders name followers in the reader's rack */
    struct sl_map by_name;  /* of sl_cluster_topic, owned */
    struct sl_map by_id;    /* the same */
    uint64_t changes;       /* moves whenever a waiting Fetch may have to be looked at */
    uint64_t topic_changes; /* moves whenever a topic comes, grows or goes */
    /* The coordinating node of each shard of groups and transactional ids; -1: none. */
    int32_t coordinators[SL_CLUSTER_SHARDS];
};
int sl_cluster_init(struct sl_cluster *c, const struct sl_broker_options *options,
                    const struct sl_alloc *alloc, struct sl_rng *rng);
void sl_cluster_deinit(struct sl_cluster *c);

/* NULL: no such node. */
struct sl_cluster_node *sl_cluster_node(const struct sl_cluster *c, int32_t id);
/* A node that clients may be sent to: up or frozen. */
bool sl_cluster_is_alive(const struct sl_cluster *c, int32_t id);
/* The node for a group or transaction; NULL: no node is alive. A hash of the name picks a shard, as
 * Kafka picks a partition of its topic of offsets, and the shard's leader is the coordinator: it
 * moves when its node goes down, and back when the node comes again. */
struct sl_cluster_node *sl_cluster_coordinator(const struct sl_cluster *c, struct sl_str key);
/* Makes a node the coordinator of the key's shard, until it goes down. 0, or USAGE / 9 when there is
 * no such node or it is not alive. */
int sl_cluster_move_coordinator(struct sl_cluster *c, struct sl_str key, int32_t node);
/* The least id alive, -1 without any. */
int32_t sl_cluster_controller(const struct sl_cluster *c);
/* Sets the state, and elects leaders where the change needs it. */
void sl_cluster_set_state(struct sl_cluster *c, struct sl_cluster_node *node,
                          enum sl_broker_state state);

bool sl_cluster_is_name(struct sl_str name);
/* The code that creating such a topic would answer: 0, 36, 17, 37, 38. */
int sl_cluster_judge_topic(const struct sl_cluster *c, struct sl_str name, int32_t partitions,
                           int32_t replicas);
/* 0, the codes of judge_topic, or NOMEM. out may be NULL. */
int sl_cluster_create_topic(struct sl_cluster *c, struct sl_str name, int32_t partitions,
                            int32_t replicas, struct sl_cluster_topic **out);
void sl_cluster_delete_topic(struct sl_cluster *c, struct sl_cluster_topic *topic);
/* Adds partitions until there are so many: 0, NOMEM, or 37 INVALID_PARTITIONS when there would not
 * be more than before. */
int sl_cluster_grow_topic(struct sl_cluster *c, struct sl_cluster_topic *topic, int32_t partitions);
/* NULL when absent, all four. */
struct sl_cluster_topic *sl_cluster_find(const struct sl_cluster *c, struct sl_str name);
struct sl_cluster_topic *sl_cluster_find_id(const struct sl_cluster *c, const struct sl_uuid *id);
struct sl_cluster_partition *sl_cluster_partition(const struct sl_cluster_topic *topic,
                                                  int32_t index);
struct sl_cluster_partition *sl_cluster_find_partition(const struct sl_cluster *c,
                                                       const char *topic, int32_t index);

/* 0, or 3 / USAGE when there is no such node. */
int sl_cluster_move(struct sl_cluster *c, struct sl_cluster_partition *p, int32_t node, bool tell);
/* An unclean election: a replica that lags behind leads, under the next epoch. What lies from that
 * offset on is gone, and what was known of producers by it. Returns as move. */
int sl_cluster_elect_unclean(struct sl_cluster *c, struct sl_cluster_partition *p, int32_t node,
                             int64_t offset, bool tell);
/* Whether a node may serve the partition to a client that believes in this leader epoch (-1: did
 * not say): 0, 6 NOT_LEADER, 74 FENCED, 75 UNKNOWN_LEADER_EPOCH. A leader that was deposed without
 * a word learns of it here, and with it Metadata. */
int sl_cluster_judge_leader(struct sl_cluster *c, struct sl_cluster_partition *p,
                            const struct sl_cluster_node *node, int32_t client_epoch);
void sl_cluster_check(const struct sl_cluster *c);

#endif
