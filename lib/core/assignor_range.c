/* range: each topic for itself. Its members in order get ranges of its partitions in order; when
 * they don't come out even, the first ones get one more. So partitions of the same number of topics
 * with the same number of partitions go together ("co-partitioned"), which joins rely on.
 *
 * With racks (KIP-881) the numbers stay and what is near goes first: before the ranges are dealt,
 * members get partitions that have a replica in their rack, up to what is theirs anyway. That is
 * done when some topic has a rack in common with a member, and partitions that differ in racks;
 * where every partition is in every rack there is nothing to gain. Topics with the same members and
 * the same number of partitions are matched together, partition by partition, so that they stay
 * co-partitioned. A member whose rack is not known takes any partition.
 *
 * Racks are numbered; the racks of a partition are a set of bits, so that asking is cheap. */
#include <string.h>

#include "base/sort.h"
#include "core/assignor_board.h"
#include "sluice/error.h"

enum { RACK_ANY = -1, RACK_NONE = -2, RACK_WORD_BITS = 64 };

/* Where a topic stands while it is dealt. */
struct range_topic {
    const struct sl_board_topic *topic;
    int32_t base;   /* partitions that each member gets */
    int32_t extra;  /* members that may still get one more */
    int32_t *taken; /* by index among the topic's members: what they have */
    bool is_uneven; /* racks decide something here */
};
struct range_run {
    struct sl_board *board;
    struct range_topic *topics; /* by the board's numbers */
    struct sl_map rack_map;     /* name to int32_t, its number */
    int32_t rack_count;
    int32_t rack_words;   /* of a set of racks */
    uint64_t *racks;      /* a set for each partition */
    int32_t *member_rack; /* a number, RACK_ANY: not known, RACK_NONE: no partition is there */
    int32_t *cursors;     /* by rack + 1: of a topic, what lies before is taken or elsewhere */
    uint64_t *set;        /* scratch */
};

/* ---- dealing ---- */

/* How many more the member at index k may have. */
static int32_t room_of(const struct range_topic *r, int32_t k) {
    int32_t most = r->base + (r->extra > 0 ? 1 : 0);
    return most > r->taken[k] ? most - r->taken[k] : 0;
}

static void take_partitions(struct range_topic *r, int32_t k, int32_t count) {
    r->taken[k] += count;
    if (count > 0 && r->taken[k] > r->base) r->extra--;
}

/* The rest of a topic, or all of it. */
static void deal_ranges(const struct range_run *run, struct range_topic *r) {
    const struct sl_board_topic *t = r->topic;
    int32_t *owner = run->board->owner + t->first;
    int32_t p = 0;
    for (int32_t k = 0; k < t->member_count; k++) {
        int32_t room = room_of(r, k);
        int32_t count = 0;
        for (; p < t->count && count < room; p++) {
            if (owner[p] != SL_BOARD_NOBODY) continue;
            owner[p] = t->members[k];
            count++;
        }
        take_partitions(r, k, count);
    }
}

static int start_topics(struct range_run *run) {
    struct sl_board *b = run->board;
    run->topics = sl_arena_array(b->arena, (size_t)b->topic_count, sizeof *run->topics);
    if (run->topics == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < b->topic_count; i++) {
        const struct sl_board_topic *t = &b->topics[i];
        struct range_topic *r = &run->topics[i];
        r->topic = t;
        r->taken = sl_arena_array(b->arena, (size_t)t->member_count, sizeof *r->taken);
        if (r->taken == NULL) return SLUICE_ERR_NOMEM;
        if (t->member_count == 0) continue;
        r->base = t->count / t->member_count;
        r->extra = t->count % t->member_count;
    }
    return 0;
}

/* ---- racks as numbers ---- */

static bool has_bit(const uint64_t *set, int32_t number) {
    return (set[number / RACK_WORD_BITS] >> (number % RACK_WORD_BITS) & 1) != 0;
}

static uint64_t *racks_of(const struct range_run *run, int32_t p) {
    return run->racks + (size_t)p * (size_t)run->rack_words;
}

static bool is_same_set(const struct range_run *run, const uint64_t *a, const uint64_t *b) {
    return memcmp(a, b, (size_t)run->rack_words * sizeof *a) == 0;
}

/* Calls what(run, p, name) for the rack of each replica of each partition, until it fails. */
static int each_rack(struct range_run *run,
                     int (*what)(struct range_run *run, int32_t p, struct sl_str name)) {
    for (int32_t i = 0; i < run->board->topic_count; i++) {
        const struct sl_board_topic *t = &run->board->topics[i];
        for (int32_t p = 0; t->input->racks != NULL && p < t->count; p++) {
            const struct sl_str *names = t->input->racks[p].items;
            for (int32_t k = 0; k < t->input->racks[p].count; k++) {
                int rv = names[k].size > 0 ? what(run, t->first + p, names[k]) : 0;
                if (rv != 0) return rv;
            }
        }
    }
    return 0;
}

static int number_rack(struct range_run *run, int32_t p, struct sl_str name) {
    (void)p;
    if (sl_map_get(&run->rack_map, name.data, (size_t)name.size) != NULL) return 0;
    int32_t *number = sl_arena_get(run->board->arena, sizeof *number);
    if (number == NULL) return SLUICE_ERR_NOMEM;
    *number = run->rack_count++;
    return sl_map_put(&run->rack_map, name.data, (size_t)name.size, number);
}

static int set_rack(struct range_run *run, int32_t p, struct sl_str name) {
    int32_t number = *(int32_t *)sl_map_get(&run->rack_map, name.data, (size_t)name.size);
    racks_of(run, p)[number / RACK_WORD_BITS] |= (uint64_t)1 << (number % RACK_WORD_BITS);
    return 0;
}

static int number_member_racks(struct range_run *run) {
    struct sl_board *b = run->board;
    run->member_rack = sl_arena_array(b->arena, (size_t)b->member_count, sizeof *run->member_rack);
    if (run->member_rack == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t m = 0; m < b->member_count; m++) {
        struct sl_str name = b->members[m].input->rack_id;
        const int32_t *number =
            name.size > 0 ? sl_map_get(&run->rack_map, name.data, (size_t)name.size) : NULL;
        run->member_rack[m] = number != NULL ? *number : name.size > 0 ? RACK_NONE : RACK_ANY;
    }
    return 0;
}

static int number_racks(struct range_run *run) {
    struct sl_board *b = run->board;
    int rv = each_rack(run, number_rack);
    if (rv == 0) rv = number_member_racks(run);
    if (rv != 0) return rv;
    run->rack_words = run->rack_count / RACK_WORD_BITS + 1;
    size_t words = (size_t)run->rack_words;
    run->racks = sl_arena_array(b->arena, (size_t)b->partition_count, words * sizeof *run->racks);
    run->set = sl_arena_array(b->arena, words, sizeof *run->set);
    run->cursors = sl_arena_array(b->arena, (size_t)run->rack_count + 1, sizeof *run->cursors);
    if (run->racks == NULL || run->set == NULL || run->cursors == NULL) return SLUICE_ERR_NOMEM;
    return each_rack(run, set_rack);
}

/* ---- whether racks decide anything ---- */

static void look_at_topic(struct range_run *run, struct range_topic *r) {
    const struct sl_board_topic *t = r->topic;
    bool is_met = false;
    bool is_uneven = false;
    memset(run->set, 0, (size_t)run->rack_words * sizeof *run->set);
    for (int32_t p = t->first; p < t->first + t->count; p++)
        for (int32_t w = 0; w < run->rack_words; w++) run->set[w] |= racks_of(run, p)[w];
    for (int32_t k = 0; k < t->member_count; k++) {
        int32_t rack = run->member_rack[t->members[k]];
        is_met = is_met || (rack >= 0 && has_bit(run->set, rack));
    }
    for (int32_t p = t->first; is_met && !is_uneven && p < t->first + t->count; p++)
        is_uneven = !is_same_set(run, run->set, racks_of(run, p));
    r->is_uneven = is_uneven;
}

/* ---- matching ---- */

/* A topic that is matched alone: each member in order takes what is in its rack. */
static void match_topic(const struct range_run *run, struct range_topic *r) {
    const struct sl_board_topic *t = r->topic;
    int32_t *owner = run->board->owner + t->first;
    memset(run->cursors, 0, ((size_t)run->rack_count + 1) * sizeof *run->cursors);
    for (int32_t k = 0; k < t->member_count; k++) {
        int32_t rack = run->member_rack[t->members[k]];
        if (rack == RACK_NONE) continue;
        int32_t room = room_of(r, k);
        int32_t count = 0;
        int32_t *p = &run->cursors[rack + 1];
        for (; *p < t->count && count < room; ++*p) {
            if (owner[*p] != SL_BOARD_NOBODY) continue;
            if (rack != RACK_ANY && !has_bit(racks_of(run, t->first + *p), rack)) continue;
            owner[*p] = t->members[k];
            count++;
        }
        take_partitions(r, k, count);
    }
}

/* Topics with the same members and number of partitions: a number goes to the first member that
 * has room and whose rack it is in in all of them. left: indexes among the members. */
static void match_together(const struct range_run *run, struct range_topic *const *group,
                           int32_t group_count, int32_t *left) {
    const struct sl_board_topic *t = group[0]->topic;
    int32_t left_count = t->member_count;
    for (int32_t k = 0; k < left_count; k++) left[k] = k;
    for (int32_t p = 0; p < t->count && left_count > 0; p++) {
        memset(run->set, 0xff, (size_t)run->rack_words * sizeof *run->set);
        for (int32_t g = 0; g < group_count; g++)
            for (int32_t w = 0; w < run->rack_words; w++)
                run->set[w] &= racks_of(run, group[g]->topic->first + p)[w];
        int32_t at = 0;
        for (; at < left_count; at++) {
            int32_t rack = run->member_rack[t->members[left[at]]];
            bool is_near = rack == RACK_ANY || (rack >= 0 && has_bit(run->set, rack));
            if (is_near && room_of(group[0], left[at]) > 0) break;
        }
        if (at == left_count) continue;
        int32_t k = left[at];
        for (int32_t g = 0; g < group_count; g++) {
            run->board->owner[group[g]->topic->first + p] = t->members[k];
            take_partitions(group[g], k, 1);
        }
        if (room_of(group[0], k) > 0) continue;
        left_count--;
        memmove(&left[at], &left[at + 1], (size_t)(left_count - at) * sizeof *left);
    }
}

/* By the number of partitions, then by the members: those that go together lie together. */
static int compare_shapes(const void *a, const void *b) {
    const struct sl_board_topic *x = ((const struct range_topic *)a)->topic;
    const struct sl_board_topic *y = ((const struct range_topic *)b)->topic;
    if (x->count != y->count) return x->count < y->count ? -1 : 1;
    if (x->member_count != y->member_count) return x->member_count < y->member_count ? -1 : 1;
    return memcmp(x->members, y->members, (size_t)x->member_count * sizeof *x->members);
}

static int match_racks(const struct range_run *run) {
    struct sl_board *b = run->board;
    size_t count = 0;
    size_t end = 0;
    const void **sorted = sl_arena_array(b->arena, (size_t)b->topic_count, sizeof *sorted);
    const void **scratch = sl_arena_array(b->arena, (size_t)b->topic_count, sizeof *scratch);
    struct range_topic **group = sl_arena_array(b->arena, (size_t)b->topic_count, sizeof *group);
    int32_t *left = sl_arena_array(b->arena, (size_t)b->member_count, sizeof *left);
    if (sorted == NULL || scratch == NULL || group == NULL || left == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < b->topic_count; i++)
        if (b->topics[i].count > 0) sorted[count++] = &run->topics[i];
    sl_sort_pointers(sorted, scratch, count, compare_shapes);
    for (size_t i = 0; i < count; i = end) {
        for (end = i; end < count && compare_shapes(sorted[i], sorted[end]) == 0; end++)
            group[end - i] = &run->topics[(const struct range_topic *)sorted[end] - run->topics];
        if (end - i > 1)
            match_together(run, group, (int32_t)(end - i), left);
        else if (group[0]->is_uneven)
            match_topic(run, group[0]);
    }
    return 0;
}

/* ---- all of it ---- */

/* Whether there can be something to match at all. */
static bool knows_racks(const struct sl_board *b) {
    bool members = false;
    bool topics = false;
    for (int32_t m = 0; m < b->member_count; m++)
        members = members || b->members[m].input->rack_id.size > 0;
    for (int32_t i = 0; i < b->topic_count; i++)
        topics = topics || b->topics[i].input->racks != NULL;
    return members && topics;
}

static int use_racks(struct range_run *run) {
    bool is_uneven = false;
    int rv = number_racks(run);
    if (rv != 0) return rv;
    for (int32_t i = 0; i < run->board->topic_count; i++) {
        look_at_topic(run, &run->topics[i]);
        is_uneven = is_uneven || run->topics[i].is_uneven;
    }
    return is_uneven ? match_racks(run) : 0;
}

int sl_assignor_range(struct sl_board *b) {
    struct range_run run = {.board = b};
    sl_map_init(&run.rack_map, b->arena->alloc);
    int rv = start_topics(&run);
    if (rv == 0 && knows_racks(b)) rv = use_racks(&run);
    for (int32_t i = 0; rv == 0 && i < b->topic_count; i++) deal_ranges(&run, &run.topics[i]);
    sl_map_deinit(&run.rack_map);
    return rv;
}
