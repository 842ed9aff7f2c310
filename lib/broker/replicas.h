/* Followers of the test broker: where the nodes are, what each has of a partition, and which of them
 * a leader names to a reader (KIP-392). */
#ifndef SL_BROKER_REPLICAS_H
#define SL_BROKER_REPLICAS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/cluster.h"

/* What a node can serve of a partition. */
struct sl_replica_view {
    int64_t start;
    int64_t end;            /* beyond it there is nothing; … */
    int64_t high_watermark; /* … only what is before this is given */
    int64_t stable;         /* the same to a reader of committed records */
};
/* end: of the partition. The leader has all of it, a follower what its node does not lag behind, in
 * whole batches. */
void sl_replicas_view(const struct sl_cluster_partition *p, const struct sl_cluster_node *node,
                      int64_t end, struct sl_replica_view *out);
/* The node has a replica and does not lead. */
bool sl_replicas_follows(const struct sl_cluster_partition *p, const struct sl_cluster_node *node);
/* The follower that the leader names to a reader in that rack at that offset; -1: none, it serves
 * the reader itself. */
int32_t sl_replicas_pick(const struct sl_cluster *c, const struct sl_cluster_partition *p,
                         struct sl_str rack, int64_t offset, int64_t now);
/* "a,b,…": racks of the nodes, in turn; an empty one is none. False: one is too long. */
bool sl_replicas_set_racks(struct sl_cluster *c, const char *list);
/* The node's rack; null: none. */
struct sl_str sl_replicas_rack(const struct sl_cluster_node *node);

#endif
