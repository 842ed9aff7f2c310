/* What all assignors work on: the group with names resolved to numbers, and the plan. Members,
 * topics and partitions are numbered; every order that decides anything is fixed here, so that the
 * order of the input decides nothing. */
#ifndef SL_CORE_ASSIGNOR_BOARD_H
#define SL_CORE_ASSIGNOR_BOARD_H

#include "base/map.h"
#include "core/assignor.h"

enum {
    SL_BOARD_NOBODY = -1,
    SL_BOARD_SEVERAL = -2 /* of claims: two members of the same generation */
};

struct sl_board_topic {
    const struct sl_assignor_topic *input;
    int32_t first;    /* number of its partition 0 */
    int32_t count;    /* partitions; 0 when nobody is subscribed */
    int32_t *members; /* numbers of the subscribed ones, rising */
    int32_t member_count;
};
struct sl_board_member {
    const struct sl_assignor_member *input;
    int32_t *topics; /* numbers of the subscribed ones that exist, rising */
    int32_t topic_count;
};
struct sl_board {
    struct sl_arena *arena; /* of everything here but topic_map */
    const struct sl_assignor_group *group;
    struct sl_board_topic *topics;   /* by name */
    struct sl_board_member *members; /* by id, or those with an instance id before the others */
    struct sl_map topic_map;         /* by name */
    int32_t topic_count, member_count, partition_count;
    int32_t *owner; /* the plan: of each partition a member's number, or SL_BOARD_NOBODY */
};
/* Who says that they own what. The latest generation is believed; where two members of the same
 * one say it, neither is. */
struct sl_board_claims {
    int32_t *member; /* of each partition: SL_BOARD_NOBODY, SL_BOARD_SEVERAL, or who */
    int32_t *generation;
};

/* Members with an instance id go first where static_first. 0 or SLUICE_ERR_NOMEM; deinit either
 * way. */
int sl_assignor_board_init(struct sl_board *b, const struct sl_assignor_group *group,
                           bool static_first, struct sl_arena *arena);
void sl_assignor_board_deinit(struct sl_board *b);
/* Whether all members are subscribed to the same of the topics that exist. */
bool sl_assignor_board_is_even(const struct sl_board *b);
/* Index of the first of the topic's members whose number is at least m; their count: none. */
int32_t sl_assignor_board_search(const struct sl_board_topic *t, int32_t m);
int sl_assignor_board_claims(const struct sl_board *b, struct sl_board_claims *out);
/* Writes the plan as sl_assignor_assign gives it. */
int sl_assignor_board_finish(const struct sl_board *b, struct sl_array *out);

/* The assignors: fill in owner. 0 or SLUICE_ERR_NOMEM. */
int sl_assignor_range(struct sl_board *b);
int sl_assignor_ring(struct sl_board *b);
/* Equal subscriptions, and others. */
int sl_assignor_sticky_even(struct sl_board *b, const struct sl_board_claims *claims);
int sl_assignor_sticky_uneven(struct sl_board *b, const struct sl_board_claims *claims);

#endif
