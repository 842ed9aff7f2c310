/* The assignors of KIP-848 that the coordinator has: who is to have which partition.
 *
 * uniform  keeps what members had in the last target, gives what is free to whoever has the least,
 *          and then moves from those who have the most until nobody has two more than another who
 *          subscribes to the same. Where subscriptions differ it moves what it can one by one, and
 *          may miss a balance that only an exchange would reach.
 * range    cuts each topic in even pieces, in the order of member ids (of instance ids for static
 *          members); the first pieces are the longer ones. Nothing is kept for its own sake.
 *
 * All is computed aside first, so that a lack of memory changes nothing. */
#include <string.h>

#include "broker/groups.h"
#include "broker/owned.h"
#include "sluice/error.h"

static const char *const target_assignors[] = {"uniform", "range"};
enum { TARGET_ASSIGNORS = 2 };

struct target_topic {
    const struct sl_cluster_topic *topic;
    int32_t first; /* the index of its first partition among all */
};
struct target_plan {
    struct sl_arena arena;
    struct sl_consumer_member **members; /* by rising name */
    struct target_topic *topics;         /* that somebody subscribes to, by rising id */
    bool *wants;                         /* [topic * members + member] */
    int32_t *owners;                     /* of each partition: the index of a member; -1: none */
    int32_t *topic_of;                   /* of each partition */
    int32_t *loads;                      /* of each member */
    int32_t member_count, topic_count, part_count;
};

bool sl_group_target_knows(struct sl_str assignor) {
    for (int i = 0; i < TARGET_ASSIGNORS; i++)
        if (sl_bytes_str_equal(assignor, sl_bytes_str(target_assignors[i]))) return true;
    return false;
}

const char *sl_group_target_assignor(const struct sl_group *g) {
    const struct sl_consumer_member *m;
    int32_t votes[TARGET_ASSIGNORS] = {0};
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        for (int i = 0; i < TARGET_ASSIGNORS; i++)
            votes[i] += sl_bytes_str_equal(m->assignor, sl_bytes_str(target_assignors[i]));
    return votes[1] > votes[0] ? target_assignors[1] : target_assignors[0];
}

/* ---- who and what ---- */

static int compare_texts(struct sl_str a, struct sl_str b) {
    size_t least = (size_t)(a.size < b.size ? a.size : b.size);
    int order = least == 0 ? 0 : memcmp(a.data, b.data, least);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Static members come first, by instance; the others by id. */
static int compare_subscribers(const struct sl_consumer_member *a,
                               const struct sl_consumer_member *b) {
    if ((a->instance.size >= 0) != (b->instance.size >= 0)) return a->instance.size >= 0 ? -1 : 1;
    return a->instance.size >= 0 ? compare_texts(a->instance, b->instance)
                                 : compare_texts(a->id, b->id);
}

static void collect_subscribers(const struct sl_group *g, struct target_plan *plan) {
    struct sl_consumer_member *m;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;) {
        int32_t place = plan->member_count++;
        while (place > 0 && compare_subscribers(m, plan->members[place - 1]) < 0) {
            plan->members[place] = plan->members[place - 1];
            place--;
        }
        plan->members[place] = m;
    }
}

static bool does_anyone_want(const struct target_plan *plan, struct sl_str topic) {
    for (int32_t i = 0; i < plan->member_count; i++)
        if (sl_group_subscribers_wants(plan->members[i], topic)) return true;
    return false;
}

static void collect_wanted_topics(const struct sl_group *g, struct target_plan *plan) {
    const struct sl_cluster_topic *topic;
    for (uint32_t at = 0; (topic = sl_map_next(&g->groups->cluster->by_name, &at, NULL)) != NULL;) {
        if (!does_anyone_want(plan, sl_bytes_str(topic->name))) continue;
        int32_t place = plan->topic_count++;
        while (place > 0 && memcmp(topic->id.bytes, plan->topics[place - 1].topic->id.bytes,
                                   sizeof topic->id.bytes) < 0) {
            plan->topics[place] = plan->topics[place - 1];
            place--;
        }
        plan->topics[place].topic = topic;
        plan->part_count += topic->partition_count;
    }
}

/* False: out of memory. */
static bool begin_plan(const struct sl_group *g, struct target_plan *plan) {
    struct sl_arena *arena = &plan->arena;
    size_t members = g->consumer.members.count, topics = g->groups->cluster->by_name.count;
    sl_arena_init(arena, g->groups->alloc, 0);
    plan->members = sl_arena_array(arena, members, sizeof(struct sl_consumer_member *));
    plan->topics = sl_arena_array(arena, topics, sizeof *plan->topics);
    plan->loads = sl_arena_array(arena, members, sizeof *plan->loads);
    if (arena->failed) return false;
    collect_subscribers(g, plan);
    collect_wanted_topics(g, plan);
    plan->wants = sl_arena_array(arena, (size_t)plan->topic_count * members, sizeof *plan->wants);
    plan->owners = sl_arena_array(arena, (size_t)plan->part_count, sizeof *plan->owners);
    plan->topic_of = sl_arena_array(arena, (size_t)plan->part_count, sizeof *plan->topic_of);
    if (arena->failed) return false;
    int32_t part = 0;
    for (int32_t t = 0; t < plan->topic_count; t++) {
        const struct sl_cluster_topic *topic = plan->topics[t].topic;
        plan->topics[t].first = part;
        for (int32_t i = 0; i < topic->partition_count; i++, part++) {
            plan->owners[part] = -1;
            plan->topic_of[part] = t;
        }
        for (int32_t m = 0; m < plan->member_count; m++)
            plan->wants[t * plan->member_count + m] =
                sl_group_subscribers_wants(plan->members[m], sl_bytes_str(topic->name));
    }
    return true;
}

static bool may_own(const struct target_plan *plan, int32_t member, int32_t part) {
    return plan->wants[plan->topic_of[part] * plan->member_count + member];
}

static void give_part(struct target_plan *plan, int32_t part, int32_t member) {
    if (plan->owners[part] >= 0) plan->loads[plan->owners[part]]--;
    plan->owners[part] = member;
    plan->loads[member]++;
}

/* ---- uniform ---- */

static int32_t find_planned_topic(const struct target_plan *plan, const struct sl_uuid *id) {
    for (int32_t t = 0; t < plan->topic_count; t++)
        if (sl_bytes_uuid_equal(&plan->topics[t].topic->id, id)) return t;
    return -1;
}

static void keep_last_targets(struct target_plan *plan) {
    for (int32_t m = 0; m < plan->member_count; m++) {
        const struct sl_parts *had = &plan->members[m]->target;
        for (int32_t i = 0; i < had->count; i++) {
            int32_t t = find_planned_topic(plan, &had->items[i].topic);
            if (t < 0 || had->items[i].partition >= plan->topics[t].topic->partition_count)
                continue;
            int32_t part = plan->topics[t].first + had->items[i].partition;
            if (plan->owners[part] < 0 && may_own(plan, m, part)) give_part(plan, part, m);
        }
    }
}

/* The member with the least of those who may have it; -1: nobody may. */
static int32_t least_loaded(const struct target_plan *plan, int32_t part) {
    int32_t best = -1;
    for (int32_t m = 0; m < plan->member_count; m++)
        if (may_own(plan, m, part) && (best < 0 || plan->loads[m] < plan->loads[best])) best = m;
    return best;
}

static int32_t greatest_load(const struct target_plan *plan) {
    int32_t most = 0;
    for (int32_t m = 0; m < plan->member_count; m++)
        if (plan->loads[m] > most) most = plan->loads[m];
    return most;
}

/* Moves partitions to members that have at least two less. from_most: only from whoever has the most
 * of all, so that no more are moved than have to be. False: there was nothing to move. */
static bool move_parts(struct target_plan *plan, bool from_most) {
    bool moved = false;
    for (int32_t part = 0; part < plan->part_count; part++) {
        int32_t owner = plan->owners[part];
        if (owner < 0 || (from_most && plan->loads[owner] < greatest_load(plan))) continue;
        int32_t other = least_loaded(plan, part);
        if (plan->loads[other] + 1 >= plan->loads[owner]) continue;
        give_part(plan, part, other);
        moved = true;
    }
    return moved;
}

static void plan_uniform(struct target_plan *plan) {
    keep_last_targets(plan);
    for (int32_t part = 0; part < plan->part_count; part++) {
        int32_t member = plan->owners[part] < 0 ? least_loaded(plan, part) : -1;
        if (member >= 0) give_part(plan, part, member);
    }
    while (move_parts(plan, true)) continue;
    while (move_parts(plan, false)) continue; /* where who has the most cannot give */
}

/* ---- range ---- */

static void plan_range(struct target_plan *plan) {
    for (int32_t t = 0; t < plan->topic_count; t++) {
        int32_t part = plan->topics[t].first, members = 0, nth = 0;
        int32_t count = plan->topics[t].topic->partition_count;
        for (int32_t m = 0; m < plan->member_count; m++) members += may_own(plan, m, part);
        for (int32_t m = 0; m < plan->member_count; m++) {
            if (!may_own(plan, m, plan->topics[t].first)) continue;
            int32_t share = count / members + (nth < count % members);
            for (int32_t i = 0; i < share; i++) give_part(plan, part++, m);
            nth++;
        }
    }
}

/* ---- the targets ---- */

/* Room for every member's first, then nothing can fail. */
static int set_targets(struct sl_group *g, struct target_plan *plan) {
    const struct sl_alloc *alloc = g->groups->alloc;
    struct sl_parts *made = sl_arena_array(&plan->arena, (size_t)plan->member_count, sizeof *made);
    int rv = made == NULL ? SLUICE_ERR_NOMEM : 0;
    for (int32_t m = 0; m < plan->member_count && rv == 0; m++)
        rv = sl_group_parts_reserve(alloc, &made[m], plan->loads[m]);
    for (int32_t m = 0; m < plan->member_count && rv != 0 && made != NULL; m++)
        sl_group_parts_free(alloc, &made[m]);
    if (rv != 0) return rv;
    for (int32_t part = 0; part < plan->part_count; part++) {
        const struct target_topic *t = &plan->topics[plan->topic_of[part]];
        struct sl_part item = {t->topic->id, part - t->first};
        if (plan->owners[part] >= 0) sl_group_parts_append(&made[plan->owners[part]], &item);
    }
    for (int32_t m = 0; m < plan->member_count; m++) {
        sl_group_parts_free(alloc, &plan->members[m]->target);
        plan->members[m]->target = made[m];
    }
    return 0;
}

int sl_group_target_make(struct sl_group *g) {
    struct target_plan plan;
    int rv = SLUICE_ERR_NOMEM;
    memset(&plan, 0, sizeof plan);
    if (begin_plan(g, &plan)) {
        if (strcmp(sl_group_target_assignor(g), "range") == 0)
            plan_range(&plan);
        else
            plan_uniform(&plan);
        rv = set_targets(g, &plan);
    }
    sl_arena_deinit(&plan.arena);
    return rv;
}
