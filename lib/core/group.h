/* The consumer group that a client is in: what offset requests carry of it. Without membership
 * (partitions are assigned by hand) that is the group's name alone. */
#ifndef SL_CORE_GROUP_H
#define SL_CORE_GROUP_H

#include <stdbool.h>
#include <stdint.h>

struct sl_core;

/* Texts live until the next turn. */
struct sl_group_identity {
    const char *group_id;    /* "" none */
    const char *member_id;   /* "" not a member */
    const char *instance_id; /* NULL: none */
    int32_t epoch;           /* generation or member epoch; -1: not a member */
    bool is_consumer;        /* the protocol is KIP-848 */
};
void sl_group_identity(const struct sl_core *core, struct sl_group_identity *out);
/* An offset request with that epoch was refused for membership's sake (22, 25, 27, 82, 110, 113). */
void sl_group_on_refused(struct sl_core *core, int code, int32_t epoch);
/* What sl_committer_commit was given has its end, one way or the other. */
void sl_group_on_committed(struct sl_core *core);

#endif
