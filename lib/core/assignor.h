/* Client-side assignment in a classic group: which member gets which partitions. Pure functions of
 * what the group's leader knows; the same input in another order gives the same result.
 *
 *   range               topic by topic, in ranges; near the member's rack where racks are known
 *   roundrobin          all partitions in turn
 *   sticky              as even as possible, and whatever can stay stays
 *   cooperative-sticky  the same, but what another member still has is given to nobody until the
 *                       next round, in which that member has let go of it
 *
 * Balance means: under the sticky ones no partition can be given to another member that is
 * subscribed to it such that the two are nearer to each other in number. With equal subscriptions
 * that is a difference of one. */
#ifndef SL_CORE_ASSIGNOR_H
#define SL_CORE_ASSIGNOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/consumer_protocol.h"

struct sl_assignor_member {
    struct sl_str id;
    struct sl_str instance_id; /* null or empty: a dynamic member */
    struct sl_str rack_id;     /* null or empty: not known */
    struct sl_array topics;    /* of struct sl_str: subscribed */
    struct sl_array owned;     /* of sl_consumer_partitions: what it says it has */
    int32_t generation;        /* in which it got them; -1: not known, counts as the oldest */
};
struct sl_assignor_topic {
    struct sl_str name;
    int32_t partition_count;
    const struct sl_array *racks; /* of each partition its replicas' racks, of struct sl_str;
                                   * NULL: not known */
};
/* A group as its leader knows it. Topics that are not listed, or have no partitions, are nobody's;
 * of what is listed twice the first counts. */
struct sl_assignor_group {
    const struct sl_assignor_member *members;
    const struct sl_assignor_topic *topics;
    int32_t member_count, topic_count;
};

struct sl_assignor;

/* By the name in JoinGroup, or by the name of Java's class for it; NULL: none of ours. */
const struct sl_assignor *sl_assignor_find(struct sl_str name);
/* From 1 on: range, roundrobin, sticky, cooperative-sticky; NULL beyond. */
const struct sl_assignor *sl_assignor_at(int number);
/* The name in JoinGroup. */
const char *sl_assignor_name(const struct sl_assignor *a);
/* It gives partitions to members near their replicas, where racks are known. */
bool sl_assignor_goes_by_racks(const struct sl_assignor *a);
/* Its members keep their partitions while the group is rebalanced. */
bool sl_assignor_is_cooperative(const struct sl_assignor *a);

/* Reads what a member sent in JoinGroup: topics, rack, and what it owns from where this assignor
 * keeps it. id and instance_id are left as they are. 0, SLUICE_ERR_NOMEM or
 * SLUICE_ERR_MALFORMED; user data that makes no sense only loses what was owned. */
int sl_assignor_read_member(const struct sl_assignor *a, struct sl_bytes metadata,
                            struct sl_arena *arena, struct sl_assignor_member *out);
/* Writes what a member sends in JoinGroup; topics and owned as they are to be written, in order.
 * An eager assignor's member has nothing then: owned is what it had, and only sticky tells of it. */
int sl_assignor_write_member(const struct sl_assignor *a, const struct sl_assignor_member *member,
                             struct sl_arena *arena, struct sl_writer *out);

/* Assigns. out has an array of sl_consumer_partitions for each member, in the order of the group's
 * members; topics by name, partitions in order; memory of the arena, which also takes what is
 * needed meanwhile. 0, SLUICE_ERR_NOMEM (also for more than 2^31 - 1 partitions). */
int sl_assignor_assign(const struct sl_assignor *a, const struct sl_assignor_group *group,
                       struct sl_arena *arena, struct sl_array *out);

#endif
