/* Followers. All replicas of a partition share one log (cluster.c); a follower serves what it would
 * have of it by now, which is everything unless a test makes its node lag (sl_broker_set_lag).
 *
 * The choice is that of Kafka's RackAwareReplicaSelector: a leader in the reader's rack serves it
 * itself; else, of the replicas there that are in sync and have the offset, the one with the most
 * records. A node that is away stays in sync, and is named, for replica.lag.time.max.ms, as with a
 * real leader that has not noticed yet.
 *
 * Not done here: a node that lags does not leave the set of those in sync, and holds no high
 * watermark of its leader back. */
#include "broker/replicas.h"

#include <string.h>

#define REPLICAS_MILLISECOND INT64_C(1000000)

/* Records come in whole batches: where the batch begins that has the offset inside. */
static int64_t align_to_batch(const struct sl_log *log, int64_t offset) {
    size_t index = sl_log_find(log, offset);
    if (index == log->count) return offset;
    int64_t base = sl_log_at(log, index)->base_offset;
    if (base >= offset) return offset;
    return base > log->start ? base : log->start;
}

void sl_replicas_view(const struct sl_cluster_partition *p, const struct sl_cluster_node *node,
                      int64_t end, struct sl_replica_view *out) {
    const struct sl_broker_lag *lag = &node->lag;
    const struct sl_log *log = &p->log;
    *out = (struct sl_replica_view){log->start, end, end, sl_log_stable(log)};
    if (sl_replicas_follows(p, node) && lag->end + lag->told + lag->start > 0) {
        out->end = end - lag->end < log->start ? log->start : align_to_batch(log, end - lag->end);
        out->start = log->start + lag->start > out->end ? out->end : log->start + lag->start;
        int64_t told = out->end - lag->told;
        out->high_watermark = told < out->start ? out->start : align_to_batch(log, told);
    }
    if (out->stable > out->high_watermark) out->stable = out->high_watermark;
}

bool sl_replicas_follows(const struct sl_cluster_partition *p, const struct sl_cluster_node *node) {
    bool is_replica = false;
    for (int32_t i = 0; i < p->topic->replica_count; i++) is_replica |= p->replicas[i] == node->id;
    return is_replica && p->leader != node->id;
}

/* As far as the leader knows. */
static bool is_in_sync(const struct sl_cluster *c, const struct sl_cluster_node *node,
                       int64_t now) {
    return node->away_since < 0 ||
           now - node->away_since < c->replica_lag_ms * REPLICAS_MILLISECOND;
}

int32_t sl_replicas_pick(const struct sl_cluster *c, const struct sl_cluster_partition *p,
                         struct sl_str rack, int64_t offset, int64_t now) {
    const struct sl_cluster_node *leader = sl_cluster_node(c, p->leader);
    int32_t picked = -1;
    int64_t most = -1;
    if (!c->selects_by_rack || rack.size <= 0) return -1;
    if (leader != NULL && sl_bytes_str_equal(sl_replicas_rack(leader), rack)) return -1;
    for (int32_t i = 0; i < p->topic->replica_count; i++) {
        const struct sl_cluster_node *node = sl_cluster_node(c, p->replicas[i]);
        struct sl_replica_view has;
        if (!sl_bytes_str_equal(sl_replicas_rack(node), rack) || !is_in_sync(c, node, now))
            continue;
        sl_replicas_view(p, node, p->log.end, &has);
        if (offset < has.start || offset > has.end || has.end <= most) continue;
        picked = node->id;
        most = has.end;
    }
    return picked;
}

/* The item of the list at *at, which goes to the next; behind the last it begins anew. */
static struct sl_str next_rack(const char *list, const char **at) {
    size_t size = 0;
    while ((*at)[size] != '\0' && (*at)[size] != ',') size++;
    struct sl_str rack = {*at, (int32_t)size};
    *at = (*at)[size] == ',' ? *at + size + 1 : list;
    return rack;
}

bool sl_replicas_set_racks(struct sl_cluster *c, const char *list) {
    const char *at = list;
    for (const char *check = list; check != NULL;) {
        if (next_rack(list, &check).size >= SL_CLUSTER_RACK_CAP) return false;
        if (check == list) check = NULL;
    }
    for (int32_t i = 0; i < c->node_count; i++) {
        struct sl_str rack = next_rack(list, &at);
        memcpy(c->nodes[i].rack, rack.data, (size_t)rack.size);
        c->nodes[i].rack[rack.size] = '\0';
    }
    return true;
}

struct sl_str sl_replicas_rack(const struct sl_cluster_node *node) {
    return node->rack[0] == '\0' ? SL_STR_NULL : sl_bytes_str(node->rack);
}
