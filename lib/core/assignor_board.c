/* The group as numbers, and the plan as lists.
 *
 * Partitions are numbered through: topics by name, in each its partitions in order. So a walk over
 * the plan meets what a member gets in the order in which it is written. A topic that nobody is
 * subscribed to has no numbers.
 *
 * Costs: sorting members and topics, then one look-up in a hash map for each subscription and each
 * owned topic; nothing here is members times partitions.
 *
 * Not here: any decision about who gets what (assignor_*.c). */
#include "core/assignor_board.h"

#include <string.h>

#include "base/sort.h"
#include "sluice/error.h"

/* ---- orders ---- */

/* As Java orders texts, as long as they are ASCII. Null is empty. */
static int compare_str(struct sl_str a, struct sl_str b) {
    int32_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.data, b.data, (size_t)size) : 0;
    if (order != 0) return order;
    return (a.size > b.size) - (a.size < b.size);
}

static int compare_topics(const void *a, const void *b) {
    const struct sl_assignor_topic *x = a;
    const struct sl_assignor_topic *y = b;
    return compare_str(x->name, y->name);
}

static int compare_ids(const void *a, const void *b) {
    const struct sl_assignor_member *x = a;
    const struct sl_assignor_member *y = b;
    return compare_str(x->id, y->id);
}

static int compare_static_first(const void *a, const void *b) {
    const struct sl_assignor_member *x = a;
    const struct sl_assignor_member *y = b;
    bool x_static = x->instance_id.size > 0;
    bool y_static = y->instance_id.size > 0;
    if (x_static != y_static) return x_static ? -1 : 1;
    int order = x_static ? compare_str(x->instance_id, y->instance_id) : 0;
    return order != 0 ? order : compare_ids(x, y);
}

/* Pointers to count items of size bytes each, sorted; NULL: out of memory. */
static const void **sort_items(struct sl_arena *arena, const void *items, int32_t count,
                               size_t size, sl_sort_compare *compare) {
    const void **sorted = sl_arena_array(arena, (size_t)count, sizeof *sorted);
    const void **scratch = sl_arena_array(arena, (size_t)count, sizeof *scratch);
    if (sorted == NULL || scratch == NULL) return NULL;
    for (int32_t i = 0; i < count; i++) sorted[i] = (const char *)items + (size_t)i * size;
    sl_sort_pointers(sorted, scratch, (size_t)count, compare);
    return sorted;
}

/* ---- topics and members ---- */

static int add_topics(struct sl_board *b) {
    const struct sl_assignor_group *group = b->group;
    b->topics = sl_arena_array(b->arena, (size_t)group->topic_count, sizeof *b->topics);
    const void **sorted = sort_items(b->arena, group->topics, group->topic_count,
                                     sizeof *group->topics, compare_topics);
    if (b->topics == NULL || sorted == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < group->topic_count; i++) {
        const struct sl_assignor_topic *input = sorted[i];
        if (input->partition_count <= 0 || input->name.size < 0) continue;
        if (b->topic_count > 0 &&
            compare_str(b->topics[b->topic_count - 1].input->name, input->name) == 0)
            continue;
        struct sl_board_topic *t = &b->topics[b->topic_count];
        t->input = input;
        int rv = sl_map_put(&b->topic_map, input->name.data, (size_t)input->name.size, t);
        if (rv != 0) return rv;
        b->topic_count++;
    }
    return 0;
}

static int add_members(struct sl_board *b, bool static_first) {
    const struct sl_assignor_group *group = b->group;
    b->members = sl_arena_array(b->arena, (size_t)group->member_count, sizeof *b->members);
    const void **sorted =
        sort_items(b->arena, group->members, group->member_count, sizeof *group->members,
                   static_first ? compare_static_first : compare_ids);
    if (b->members == NULL || sorted == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t m = 0; m < group->member_count; m++) b->members[m].input = sorted[m];
    b->member_count = group->member_count;
    return 0;
}

/* ---- subscriptions ---- */

static struct sl_board_topic *find_board_topic(const struct sl_board *b, struct sl_str name) {
    return name.size < 0 ? NULL : sl_map_get(&b->topic_map, name.data, (size_t)name.size);
}

/* Numbers of the topics that a member is subscribed to, each once. seen: of each topic the number
 * of the last member that had it, plus one. */
static int resolve_topics(struct sl_board *b, int32_t m, int32_t *seen) {
    struct sl_board_member *member = &b->members[m];
    const struct sl_str *names = member->input->topics.items;
    int32_t count = member->input->topics.count;
    member->topics =
        sl_arena_array(b->arena, count > 0 ? (size_t)count : 0, sizeof *member->topics);
    if (member->topics == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < count; i++) {
        struct sl_board_topic *t = find_board_topic(b, names[i]);
        if (t == NULL) continue;
        int32_t number = (int32_t)(t - b->topics);
        if (seen[number] == m + 1) continue;
        seen[number] = m + 1;
        member->topics[member->topic_count++] = number;
        t->member_count++;
    }
    return 0;
}

/* Both directions of the subscriptions, each in rising order whatever order they were listed in. */
static int add_subscriptions(struct sl_board *b) {
    int32_t *seen = sl_arena_array(b->arena, (size_t)b->topic_count, sizeof *seen);
    if (seen == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t m = 0; m < b->member_count; m++) {
        int rv = resolve_topics(b, m, seen);
        if (rv != 0) return rv;
    }
    for (int32_t i = 0; i < b->topic_count; i++) {
        struct sl_board_topic *t = &b->topics[i];
        t->members = sl_arena_array(b->arena, (size_t)t->member_count, sizeof *t->members);
        if (t->members == NULL) return SLUICE_ERR_NOMEM;
        t->member_count = 0;
    }
    for (int32_t m = 0; m < b->member_count; m++) {
        struct sl_board_member *member = &b->members[m];
        for (int32_t i = 0; i < member->topic_count; i++) {
            struct sl_board_topic *t = &b->topics[member->topics[i]];
            t->members[t->member_count++] = m;
        }
        member->topic_count = 0;
    }
    for (int32_t i = 0; i < b->topic_count; i++) {
        const struct sl_board_topic *t = &b->topics[i];
        for (int32_t k = 0; k < t->member_count; k++) {
            struct sl_board_member *member = &b->members[t->members[k]];
            member->topics[member->topic_count++] = i;
        }
    }
    return 0;
}

static int number_partitions(struct sl_board *b) {
    int64_t count = 0;
    for (int32_t i = 0; i < b->topic_count; i++) {
        struct sl_board_topic *t = &b->topics[i];
        t->first = (int32_t)count;
        t->count = t->member_count > 0 ? t->input->partition_count : 0;
        count += t->count;
        if (count > INT32_MAX) return SLUICE_ERR_NOMEM;
    }
    b->partition_count = (int32_t)count;
    b->owner = sl_arena_array(b->arena, (size_t)count, sizeof *b->owner);
    if (b->owner == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t p = 0; p < b->partition_count; p++) b->owner[p] = SL_BOARD_NOBODY;
    return 0;
}

/* ---- life ---- */

int sl_assignor_board_init(struct sl_board *b, const struct sl_assignor_group *group,
                           bool static_first, struct sl_arena *arena) {
    memset(b, 0, sizeof *b);
    b->arena = arena;
    b->group = group;
    sl_map_init(&b->topic_map, arena->alloc);
    int rv = add_topics(b);
    if (rv == 0) rv = add_members(b, static_first);
    if (rv == 0) rv = add_subscriptions(b);
    return rv != 0 ? rv : number_partitions(b);
}

void sl_assignor_board_deinit(struct sl_board *b) { sl_map_deinit(&b->topic_map); }

bool sl_assignor_board_is_even(const struct sl_board *b) {
    for (int32_t i = 0; i < b->topic_count; i++)
        if (b->topics[i].count > 0 && b->topics[i].member_count < b->member_count) return false;
    return true;
}

/* ---- claims ---- */

static void claim_partition(struct sl_board_claims *claims, int32_t p, int32_t m,
                            int32_t generation) {
    bool is_first = claims->member[p] == SL_BOARD_NOBODY;
    if (is_first || generation > claims->generation[p]) {
        claims->member[p] = m;
        claims->generation[p] = generation;
    } else if (generation == claims->generation[p] && claims->member[p] != m) {
        claims->member[p] = SL_BOARD_SEVERAL;
    }
}

int32_t sl_assignor_board_search(const struct sl_board_topic *t, int32_t m) {
    int32_t low = 0;
    int32_t high = t->member_count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (t->members[middle] < m)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int sl_assignor_board_claims(const struct sl_board *b, struct sl_board_claims *out) {
    size_t count = (size_t)b->partition_count;
    out->member = sl_arena_array(b->arena, count, sizeof *out->member);
    out->generation = sl_arena_array(b->arena, count, sizeof *out->generation);
    if (out->member == NULL || out->generation == NULL) return SLUICE_ERR_NOMEM;
    for (size_t p = 0; p < count; p++) out->member[p] = SL_BOARD_NOBODY;
    for (int32_t m = 0; m < b->member_count; m++) {
        const struct sl_assignor_member *member = b->members[m].input;
        const struct sl_consumer_partitions *owned = member->owned.items;
        int32_t generation = member->generation < 0 ? -1 : member->generation;
        for (int32_t i = 0; i < member->owned.count; i++) {
            const struct sl_board_topic *t = find_board_topic(b, owned[i].topic);
            const int32_t *partitions = owned[i].partitions.items;
            for (int32_t k = 0; t != NULL && k < owned[i].partitions.count; k++)
                if (partitions[k] >= 0 && partitions[k] < t->count)
                    claim_partition(out, t->first + partitions[k], m, generation);
        }
    }
    return 0;
}

/* ---- the plan as lists ---- */

/* How much of the plan is a member's, and where it goes. */
struct board_share {
    struct sl_consumer_partitions *lists;
    int32_t *partitions;
    int32_t list_count, partition_count;
    int32_t last_topic; /* number + 1 of the topic met last */
};

static void count_board_shares(const struct sl_board *b, struct board_share *shares) {
    for (int32_t i = 0; i < b->topic_count; i++) {
        const struct sl_board_topic *t = &b->topics[i];
        for (int32_t p = t->first; p < t->first + t->count; p++) {
            if (b->owner[p] < 0) continue;
            struct board_share *s = &shares[b->owner[p]];
            s->partition_count++;
            s->list_count += s->last_topic != i + 1;
            s->last_topic = i + 1;
        }
    }
}

static int allocate_board_share(struct sl_arena *arena, struct board_share *s) {
    s->lists = sl_arena_array(arena, (size_t)s->list_count, sizeof *s->lists);
    s->partitions = sl_arena_array(arena, (size_t)s->partition_count, sizeof *s->partitions);
    s->list_count = s->last_topic = 0;
    return s->lists == NULL || s->partitions == NULL ? SLUICE_ERR_NOMEM : 0;
}

static void fill_board_shares(const struct sl_board *b, struct board_share *shares) {
    for (int32_t i = 0; i < b->topic_count; i++) {
        const struct sl_board_topic *t = &b->topics[i];
        for (int32_t p = t->first; p < t->first + t->count; p++) {
            if (b->owner[p] < 0) continue;
            struct board_share *s = &shares[b->owner[p]];
            if (s->last_topic != i + 1)
                s->lists[s->list_count++] =
                    (struct sl_consumer_partitions){t->input->name, {s->partitions, 0}};
            s->last_topic = i + 1;
            *s->partitions++ = p - t->first;
            s->lists[s->list_count - 1].partitions.count++;
        }
    }
}

int sl_assignor_board_finish(const struct sl_board *b, struct sl_array *out) {
    struct board_share *shares = sl_arena_array(b->arena, (size_t)b->member_count, sizeof *shares);
    if (shares == NULL) return SLUICE_ERR_NOMEM;
    count_board_shares(b, shares);
    for (int32_t m = 0; m < b->member_count; m++) {
        int rv = allocate_board_share(b->arena, &shares[m]);
        if (rv != 0) return rv;
    }
    fill_board_shares(b, shares);
    for (int32_t m = 0; m < b->member_count; m++)
        out[b->members[m].input - b->group->members] =
            (struct sl_array){shares[m].lists, shares[m].list_count};
    return 0;
}
