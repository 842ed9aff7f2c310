/* Nodes, topics and leaders: the truth that all nodes share.
 *
 * Replication is only told, not done: a partition has one log, its replicas are taken to be in
 * sync as long as their node is alive. When a leader's node goes down the next replica that is
 * alive leads, with the next epoch; without one the partition has no leader until a replica comes
 * back. Every change of leader, to none too, has an epoch of its own.
 *
 * An unclean election cuts the log: the replica that leads then is taken to have lagged so far behind.
 *
 * A move that is not told leaves told_leader behind: Metadata of all nodes goes on naming the old
 * leader until a client asks that one for the partition and is refused, or it goes down.
 *
 * Deleting a topic and creating it anew gives another id and epochs from 0.
 *
 * Invariants: a topic is in both maps; leader is -1 or a replica whose node is not down; told is
 * never ahead of the truth, and differs from it only while the node told of is alive; nodes do not
 * come or go.
 *
 * Not done here: what followers have (replicas.c), who is connected (links.c), what requests mean
 * (handlers/). */
#include "broker/cluster.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

enum {
    CLUSTER_PARTITIONS_MAX = 100000, /* of one topic; arbitrary, keeps a typo from eating memory */
    CLUSTER_FIRST_PORT = 9092,       /* when nothing is advertised */
    CLUSTER_REPLICA_LAG_MS = 30000   /* Kafka's replica.lag.time.max.ms */
};

/* ---- coordinators ---- */

/* The hash that Java has for texts, so that the shard is the one of a real cluster. */
static uint32_t shard_of(struct sl_str key) {
    uint32_t hash = 0;
    for (int32_t i = 0; i < key.size; i++) hash = hash * 31 + (uint8_t)key.data[i];
    return (hash & INT32_MAX) % SL_CLUSTER_SHARDS;
}

/* Every shard whose node is down, and every shard that has its first node back, gets the first node
 * alive in its order. */
static void elect_coordinators(struct sl_cluster *c, int32_t changed) {
    for (int32_t shard = 0; shard < SL_CLUSTER_SHARDS; shard++) {
        int32_t preferred = shard % c->node_count + 1;
        bool is_back = preferred == changed && sl_cluster_is_alive(c, preferred);
        if (!is_back && sl_cluster_is_alive(c, c->coordinators[shard])) continue;
        c->coordinators[shard] = -1;
        for (int32_t i = 0; i < c->node_count && c->coordinators[shard] == -1; i++) {
            int32_t id = (shard + i) % c->node_count + 1;
            if (sl_cluster_is_alive(c, id)) c->coordinators[shard] = id;
        }
    }
}

/* ---- nodes ---- */

static void init_cluster_node(struct sl_cluster *c, int32_t index,
                              const struct sl_broker_options *options) {
    struct sl_cluster_node *node = &c->nodes[index];
    node->id = index + 1;
    node->state = SL_BROKER_UP;
    node->away_since = -1;
    snprintf(node->host, sizeof node->host, "127.0.0.1");
    node->port = (uint16_t)(CLUSTER_FIRST_PORT + index);
    for (int key = 0; key < SL_API_KEY_LIMIT && index == 0; key++) {
        const struct sl_api *api = sl_api_find((int16_t)key);
        node->caps[key] = api == NULL ? -1 : api->broker_max;
    }
    if (index > 0) memcpy(node->caps, c->nodes[0].caps, sizeof node->caps);
    sl_sessions_init(&node->sessions, c->alloc, c->rng, options->session_slots);
}

int sl_cluster_init(struct sl_cluster *c, const struct sl_broker_options *options,
                    const struct sl_alloc *alloc, struct sl_rng *rng) {
    if (options->nodes < 1 || options->nodes > SL_CLUSTER_NODES_MAX) return SLUICE_ERR_USAGE;
    memset(c, 0, sizeof *c);
    c->alloc = alloc;
    c->rng = rng;
    c->default_partitions = options->default_partitions;
    c->replica_lag_ms = CLUSTER_REPLICA_LAG_MS;
    sl_log_store_init(&c->store, alloc, options->memory_max);
    sl_map_init(&c->by_name, alloc);
    sl_map_init(&c->by_id, alloc);
    c->nodes = sl_alloc_array(alloc, (size_t)options->nodes, sizeof *c->nodes);
    if (c->nodes == NULL) return SLUICE_ERR_NOMEM;
    c->node_count = options->nodes;
    for (int32_t i = 0; i < c->node_count; i++) init_cluster_node(c, i, options);
    elect_coordinators(c, 0);
    return 0;
}

struct sl_cluster_node *sl_cluster_node(const struct sl_cluster *c, int32_t id) {
    return id >= 1 && id <= c->node_count ? &c->nodes[id - 1] : NULL;
}

bool sl_cluster_is_alive(const struct sl_cluster *c, int32_t id) {
    const struct sl_cluster_node *node = sl_cluster_node(c, id);
    return node != NULL && node->state != SL_BROKER_DOWN;
}

int32_t sl_cluster_controller(const struct sl_cluster *c) {
    for (int32_t id = 1; id <= c->node_count; id++) {
        if (sl_cluster_is_alive(c, id)) return id;
    }
    return -1;
}

struct sl_cluster_node *sl_cluster_coordinator(const struct sl_cluster *c, struct sl_str key) {
    return sl_cluster_node(c, c->coordinators[shard_of(key)]);
}

int sl_cluster_move_coordinator(struct sl_cluster *c, struct sl_str key, int32_t node) {
    if (sl_cluster_node(c, node) == NULL) return SLUICE_ERR_USAGE;
    if (!sl_cluster_is_alive(c, node)) return SLUICE_KAFKA_REPLICA_NOT_AVAILABLE;
    c->coordinators[shard_of(key)] = node;
    return 0;
}

/* ---- leaders ---- */

static void tell_partition_leader(struct sl_cluster_partition *p) {
    p->told_leader = p->leader;
    p->told_epoch = p->leader_epoch;
}

/* A leader that is not alive cannot be asked, so nobody would ever learn of its successor. */
static void set_partition_leader(struct sl_cluster *c, struct sl_cluster_partition *p,
                                 int32_t leader, bool tell) {
    p->leader = leader;
    p->leader_epoch++;
    c->changes++;
    if (tell || !sl_cluster_is_alive(c, p->told_leader)) tell_partition_leader(p);
}

/* Gives the partition a leader that is alive, or none, if its own is not. */
static void elect_partition_leader(struct sl_cluster *c, struct sl_cluster_partition *p) {
    if (sl_cluster_is_alive(c, p->leader)) {
        if (!sl_cluster_is_alive(c, p->told_leader)) tell_partition_leader(p);
        return;
    }
    for (int32_t i = 0; i < p->topic->replica_count; i++) {
        if (sl_cluster_is_alive(c, p->replicas[i])) {
            set_partition_leader(c, p, p->replicas[i], true);
            return;
        }
    }
    if (p->leader != -1) set_partition_leader(c, p, -1, true);
}

void sl_cluster_set_state(struct sl_cluster *c, struct sl_cluster_node *node,
                          enum sl_broker_state state) {
    bool was_down = node->state == SL_BROKER_DOWN;
    node->state = state;
    c->changes++;
    if (state == SL_BROKER_DOWN) sl_sessions_deinit(&node->sessions);
    elect_coordinators(c, was_down ? node->id : 0);
    struct sl_cluster_topic *topic;
    for (uint32_t at = 0; (topic = sl_map_next(&c->by_name, &at, NULL)) != NULL;) {
        for (int32_t i = 0; i < topic->partition_count; i++) {
            elect_partition_leader(c, &topic->partitions[i]);
        }
    }
}

int sl_cluster_move(struct sl_cluster *c, struct sl_cluster_partition *p, int32_t node, bool tell) {
    if (sl_cluster_node(c, node) == NULL) return SLUICE_ERR_USAGE;
    if (!sl_cluster_is_alive(c, node)) return SLUICE_KAFKA_REPLICA_NOT_AVAILABLE;
    int32_t place = 0;
    while (place < p->topic->replica_count && p->replicas[place] != node) place++;
    /* A node that has no replica gets the one of the present leader. */
    if (place == p->topic->replica_count) {
        for (place = 0; place < p->topic->replica_count - 1; place++) {
            if (p->replicas[place] == p->leader) break;
        }
        p->replicas[place] = node;
    }
    set_partition_leader(c, p, node, tell);
    return 0;
}

/* Producers know of nothing that is gone. */
static void cut_producers(struct sl_cluster_partition *p) {
    if (!sl_producers_cut(&p->producers, p->log.end)) return;
    for (size_t i = 0; i < p->log.count; i++) {
        const struct sl_log_batch *batch = sl_log_at(&p->log, i);
        struct sl_batch_info info;
        if (sl_batch_read_info(batch->data, (size_t)batch->size, &info) != 0) continue;
        if (info.base_sequence < 0) continue;
        sl_producers_learn(&p->producers, info.producer_id, info.producer_epoch, info.base_sequence,
                           info.record_count, info.base_offset);
    }
}

int sl_cluster_elect_unclean(struct sl_cluster *c, struct sl_cluster_partition *p, int32_t node,
                             int64_t offset, bool tell) {
    int rv = sl_cluster_move(c, p, node, tell);
    if (rv != 0) return rv;
    sl_log_cut(&p->log, offset);
    cut_producers(p);
    return 0;
}

int sl_cluster_judge_leader(struct sl_cluster *c, struct sl_cluster_partition *p,
                            const struct sl_cluster_node *node, int32_t client_epoch) {
    bool is_leader = p->leader == node->id;
    /* Also one that was deposed and leads again by now. */
    if (p->told_leader == node->id && p->told_epoch != p->leader_epoch) {
        tell_partition_leader(p);
        c->changes++;
    }
    if (client_epoch >= 0 && client_epoch < p->leader_epoch) {
        return SLUICE_KAFKA_FENCED_LEADER_EPOCH;
    }
    if (client_epoch > p->leader_epoch) return SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH;
    return is_leader ? 0 : SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER;
}

/* ---- topics ---- */

bool sl_cluster_is_name(struct sl_str name) {
    if (name.size < 1 || name.size > SL_CLUSTER_NAME_MAX) return false;
    bool only_dots = true;
    for (int32_t i = 0; i < name.size; i++) {
        char at = name.data[i];
        bool fine = (at >= 'a' && at <= 'z') || (at >= 'A' && at <= 'Z') ||
                    (at >= '0' && at <= '9') || at == '.' || at == '_' || at == '-';
        if (!fine) return false;
        if (at != '.') only_dots = false;
    }
    return !only_dots || name.size > 2;
}

/* -1 stands for the cluster's own (KIP-464): three replicas, or as many as there are nodes. */
static void resolve_defaults(const struct sl_cluster *c, int32_t *partitions, int32_t *replicas) {
    if (*partitions == -1) *partitions = c->default_partitions;
    if (*replicas == -1) *replicas = c->node_count < 3 ? c->node_count : 3;
}

int sl_cluster_judge_topic(const struct sl_cluster *c, struct sl_str name, int32_t partitions,
                           int32_t replicas) {
    if (!sl_cluster_is_name(name)) return SLUICE_KAFKA_INVALID_TOPIC_EXCEPTION;
    if (sl_cluster_find(c, name) != NULL) return SLUICE_KAFKA_TOPIC_ALREADY_EXISTS;
    resolve_defaults(c, &partitions, &replicas);
    if (partitions < 1 || partitions > CLUSTER_PARTITIONS_MAX) {
        return SLUICE_KAFKA_INVALID_PARTITIONS;
    }
    if (replicas < 1 || replicas > c->node_count) return SLUICE_KAFKA_INVALID_REPLICATION_FACTOR;
    return 0;
}

static void draw_topic_id(struct sl_cluster *c, struct sl_uuid *id) {
    do {
        sl_bytes_put64(id->bytes, sl_rng_next(c->rng));
        sl_bytes_put64(id->bytes + 8, sl_rng_next(c->rng));
    } while (sl_bytes_uuid_is_zero(id) || sl_cluster_find_id(c, id) != NULL);
}

/* Replicas go round the nodes, and the first partition's leader is the first node: a topic of as
 * many partitions as nodes has a leader on each. */
static void place_partition(struct sl_cluster *c, struct sl_cluster_topic *topic, int32_t index) {
    struct sl_cluster_partition *p = &topic->partitions[index];
    p->topic = topic;
    p->index = index;
    sl_log_init(&p->log, &c->store);
    sl_producers_init(&p->producers, c->alloc);
    p->replicas = topic->replicas + (size_t)index * (size_t)topic->replica_count;
    for (int32_t i = 0; i < topic->replica_count; i++) {
        p->replicas[i] = (index + i) % c->node_count + 1;
    }
    p->leader = -1;
    for (int32_t i = topic->replica_count - 1; i >= 0; i--) {
        if (sl_cluster_is_alive(c, p->replicas[i])) p->leader = p->replicas[i];
    }
    p->told_leader = p->leader;
}

static void free_topic(struct sl_cluster *c, struct sl_cluster_topic *topic) {
    size_t count = (size_t)topic->partition_count;
    for (size_t i = 0; topic->partitions != NULL && i < count; i++) {
        sl_log_deinit(&topic->partitions[i].log);
        sl_producers_deinit(&topic->partitions[i].producers);
    }
    sl_alloc_free(c->alloc, topic->partitions, count * sizeof *topic->partitions);
    sl_alloc_free(c->alloc, topic->replicas,
                  count * (size_t)topic->replica_count * sizeof *topic->replicas);
    sl_alloc_free(c->alloc, topic, sizeof *topic);
}

/* The topic with its partitions, in no map yet. NULL: no memory. */
static struct sl_cluster_topic *make_topic(struct sl_cluster *c, struct sl_str name,
                                           int32_t partitions, int32_t replicas) {
    struct sl_cluster_topic *topic = sl_alloc_zero(c->alloc, sizeof *topic);
    if (topic == NULL) return NULL;
    memcpy(topic->name, name.data, (size_t)name.size);
    topic->partition_count = partitions;
    topic->replica_count = replicas;
    size_t count = (size_t)partitions;
    topic->replicas = sl_alloc_array(c->alloc, count * (size_t)replicas, sizeof *topic->replicas);
    struct sl_cluster_partition *array = sl_alloc_array(c->alloc, count, sizeof *topic->partitions);
    topic->partitions = array;
    if (topic->replicas == NULL || array == NULL) {
        /* Nothing in the partitions needs an end yet. */
        sl_alloc_free(c->alloc, array, count * sizeof *array);
        sl_alloc_free(c->alloc, topic->replicas,
                      count * (size_t)replicas * sizeof *topic->replicas);
        sl_alloc_free(c->alloc, topic, sizeof *topic);
        return NULL;
    }
    for (int32_t i = 0; i < partitions; i++) place_partition(c, topic, i);
    return topic;
}

int sl_cluster_create_topic(struct sl_cluster *c, struct sl_str name, int32_t partitions,
                            int32_t replicas, struct sl_cluster_topic **out) {
    int rv = sl_cluster_judge_topic(c, name, partitions, replicas);
    if (rv != 0) return rv;
    resolve_defaults(c, &partitions, &replicas);
    struct sl_cluster_topic *topic = make_topic(c, name, partitions, replicas);
    if (topic == NULL) return SLUICE_ERR_NOMEM;
    draw_topic_id(c, &topic->id);
    rv = sl_map_put(&c->by_name, name.data, (size_t)name.size, topic);
    if (rv != 0) goto free_topic;
    rv = sl_map_put(&c->by_id, topic->id.bytes, sizeof topic->id.bytes, topic);
    if (rv != 0) goto remove_name;
    c->changes++;
    c->topic_changes++;
    if (out != NULL) *out = topic;
    return 0;

remove_name:
    sl_map_remove(&c->by_name, name.data, (size_t)name.size);
free_topic:
    free_topic(c, topic);
    return rv;
}

void sl_cluster_delete_topic(struct sl_cluster *c, struct sl_cluster_topic *topic) {
    sl_map_remove(&c->by_name, topic->name, strlen(topic->name));
    sl_map_remove(&c->by_id, topic->id.bytes, sizeof topic->id.bytes);
    free_topic(c, topic);
    c->changes++;
    c->topic_changes++;
}

/* Partitions move in memory; nothing but their own batches points to them from one input to the
 * next. */
int sl_cluster_grow_topic(struct sl_cluster *c, struct sl_cluster_topic *topic,
                          int32_t partitions) {
    int32_t before = topic->partition_count;
    if (partitions <= before) return SLUICE_KAFKA_INVALID_PARTITIONS;
    size_t old = (size_t)before, count = (size_t)partitions, each = (size_t)topic->replica_count;
    int32_t *replicas = sl_alloc_array(c->alloc, count * each, sizeof *replicas);
    struct sl_cluster_partition *array = sl_alloc_array(c->alloc, count, sizeof *array);
    if (replicas == NULL || array == NULL) {
        sl_alloc_free(c->alloc, array, count * sizeof *array);
        sl_alloc_free(c->alloc, replicas, count * each * sizeof *replicas);
        return SLUICE_ERR_NOMEM;
    }
    memcpy(array, topic->partitions, old * sizeof *array);
    memcpy(replicas, topic->replicas, old * each * sizeof *replicas);
    sl_alloc_free(c->alloc, topic->partitions, old * sizeof *array);
    sl_alloc_free(c->alloc, topic->replicas, old * each * sizeof *replicas);
    topic->partitions = array;
    topic->replicas = replicas;
    topic->partition_count = partitions;
    for (int32_t i = 0; i < before; i++) {
        array[i].replicas = replicas + (size_t)i * each;
        sl_log_on_moved(&array[i].log);
    }
    for (int32_t i = before; i < partitions; i++) place_partition(c, topic, i);
    c->changes++;
    c->topic_changes++;
    return 0;
}

struct sl_cluster_topic *sl_cluster_find(const struct sl_cluster *c, struct sl_str name) {
    return name.size < 1 ? NULL : sl_map_get(&c->by_name, name.data, (size_t)name.size);
}

struct sl_cluster_topic *sl_cluster_find_id(const struct sl_cluster *c, const struct sl_uuid *id) {
    return sl_map_get(&c->by_id, id->bytes, sizeof id->bytes);
}

struct sl_cluster_partition *sl_cluster_partition(const struct sl_cluster_topic *topic,
                                                  int32_t index) {
    if (topic == NULL || index < 0 || index >= topic->partition_count) return NULL;
    return &topic->partitions[index];
}

struct sl_cluster_partition *sl_cluster_find_partition(const struct sl_cluster *c,
                                                       const char *topic, int32_t index) {
    return sl_cluster_partition(sl_cluster_find(c, sl_bytes_str(topic)), index);
}

void sl_cluster_deinit(struct sl_cluster *c) {
    struct sl_cluster_topic *topic;
    for (uint32_t at = 0; (topic = sl_map_next(&c->by_name, &at, NULL)) != NULL;) {
        free_topic(c, topic);
    }
    sl_map_deinit(&c->by_name);
    sl_map_deinit(&c->by_id);
    for (int32_t i = 0; i < c->node_count; i++) sl_sessions_deinit(&c->nodes[i].sessions);
    sl_alloc_free(c->alloc, c->nodes, (size_t)c->node_count * sizeof *c->nodes);
}

/* ---- invariants ---- */

static int64_t check_partition(const struct sl_cluster *c, const struct sl_cluster_partition *p) {
    SL_ASSERT(p->leader == -1 || sl_cluster_is_alive(c, p->leader));
    bool is_replica = p->leader == -1;
    for (int32_t i = 0; i < p->topic->replica_count; i++) is_replica |= p->replicas[i] == p->leader;
    SL_ASSERT(is_replica);
    SL_ASSERT(p->told_epoch <= p->leader_epoch);
    SL_ASSERT(p->told_epoch < p->leader_epoch || p->told_leader == p->leader);
    SL_ASSERT(p->told_epoch == p->leader_epoch || sl_cluster_is_alive(c, p->told_leader));
    sl_log_check(&p->log);
    int64_t bytes = 0;
    for (size_t i = 0; i < p->log.count; i++) bytes += sl_log_at(&p->log, i)->size;
    return bytes;
}

/* Nodes are asked once each and not once for each shard: checks run after every input. */
static void check_coordinators(const struct sl_cluster *c) {
    bool alive[SL_CLUSTER_NODES_MAX + 1] = {false}; /* by node id */
    const bool is_any_alive = sl_cluster_controller(c) != -1;
    for (int32_t id = 1; id <= c->node_count; id++) alive[id] = sl_cluster_is_alive(c, id);
    for (int32_t i = 0; i < SL_CLUSTER_SHARDS; i++) {
        int32_t id = c->coordinators[i];
        SL_ASSERT(id == -1 || (id >= 1 && id <= c->node_count));
        SL_ASSERT(id == -1 ? !is_any_alive : alive[id]);
    }
}

void sl_cluster_check(const struct sl_cluster *c) {
    int64_t bytes = 0;
    struct sl_cluster_topic *topic;
    SL_ASSERT(c->by_name.count == c->by_id.count);
    for (uint32_t at = 0; (topic = sl_map_next(&c->by_name, &at, NULL)) != NULL;) {
        SL_ASSERT(sl_cluster_find_id(c, &topic->id) == topic);
        for (int32_t i = 0; i < topic->partition_count; i++) {
            SL_ASSERT(topic->partitions[i].topic == topic && topic->partitions[i].index == i);
            bytes += check_partition(c, &topic->partitions[i]);
        }
    }
    SL_ASSERT(bytes == c->store.bytes);
    check_coordinators(c);
    for (int32_t i = 0; i < c->node_count; i++) sl_sessions_check(&c->nodes[i].sessions);
}
