/* Goal: the assignors keep what they promise for any group: every partition has one owner among
 * those subscribed to it; numbers are even; nobody loses anything without need; the order of the
 * input means nothing; cooperative rounds never give what another member still has, and end. Large
 * groups take no more than a moment, whatever their members say.
 * Method: groups drawn from seeds, with what they own from earlier plans or from thin air, checked
 * against these rules written down a second time; groups of a thousand members against the clock. */
#include "support.h"

#include <time.h>

#include "base/arena.h"
#include "base/rng.h"
#include "core/assignor.h"
#include "sluice/error.h"

enum {
    SEEDS = 3000,
    MEMBERS_CAP = 12,
    TOPICS_CAP = 7,
    PARTITIONS_CAP = 10,
    ROUNDS_CAP = 4,
    NOBODY = -1
};

/* A small group, in a form in which rules are easily stated. */
struct model {
    struct sl_rng rng;
    int members, topics;
    int counts[TOPICS_CAP];
    bool wants[MEMBERS_CAP][TOPICS_CAP];
    bool owns[MEMBERS_CAP][TOPICS_CAP][PARTITIONS_CAP];
    int generations[MEMBERS_CAP];
    int racks[MEMBERS_CAP];                        /* -1: not known */
    unsigned replicas[TOPICS_CAP][PARTITIONS_CAP]; /* bits of racks */
};
/* Who gets what. */
struct plan {
    int owner[TOPICS_CAP][PARTITIONS_CAP];
    int loads[MEMBERS_CAP];
};

static char member_names[MEMBERS_CAP][8];
static char topic_names[TOPICS_CAP][8];
static const char *const rack_names[] = {"a", "b", "c"};

/* ---- groups ---- */

static void draw_model(struct model *m, uint64_t seed) {
    memset(m, 0, sizeof *m);
    sl_rng_init(&m->rng, seed);
    m->members = (int)sl_rng_range(&m->rng, 1, MEMBERS_CAP);
    m->topics = (int)sl_rng_range(&m->rng, 1, TOPICS_CAP);
    bool is_even = sl_rng_chance(&m->rng, 1, 2);
    for (int t = 0; t < m->topics; t++) {
        m->counts[t] = (int)sl_rng_range(&m->rng, 1, PARTITIONS_CAP);
        for (int p = 0; p < m->counts[t]; p++)
            m->replicas[t][p] = 1 + (unsigned)sl_rng_below(&m->rng, 7);
    }
    for (int i = 0; i < m->members; i++) {
        m->generations[i] = -1;
        m->racks[i] = (int)sl_rng_range(&m->rng, -1, 2);
        for (int t = 0; t < m->topics; t++)
            m->wants[i][t] = is_even || sl_rng_chance(&m->rng, 1, 2);
    }
}

/* Claims that are the remains of nothing: of anything, in any generation. */
static void draw_claims(struct model *m) {
    for (int i = 0; i < m->members; i++) {
        m->generations[i] = (int)sl_rng_range(&m->rng, -1, 2);
        for (int t = 0; t < m->topics; t++)
            for (int p = 0; p < m->counts[t]; p++) m->owns[i][t][p] = sl_rng_chance(&m->rng, 1, 4);
    }
}

/* What a member owns, in the form of the input. */
static struct sl_array list_owned(const struct model *m, int i, struct sl_arena *arena) {
    struct sl_consumer_partitions *lists = sl_arena_array(arena, TOPICS_CAP, sizeof *lists);
    for (int t = 0; t < m->topics; t++) {
        int32_t *partitions = sl_arena_array(arena, PARTITIONS_CAP, sizeof *partitions);
        int32_t count = 0;
        for (int p = 0; p < m->counts[t]; p++)
            if (m->owns[i][t][p]) partitions[count++] = p;
        lists[t] =
            (struct sl_consumer_partitions){sl_bytes_str(topic_names[t]), {partitions, count}};
    }
    return (struct sl_array){lists, m->topics};
}

static struct sl_assignor_member make_member(const struct model *m, int i, struct sl_arena *arena) {
    struct sl_str *topics = sl_arena_array(arena, TOPICS_CAP, sizeof *topics);
    int32_t count = 0;
    for (int t = 0; t < m->topics; t++)
        if (m->wants[i][t]) topics[count++] = sl_bytes_str(topic_names[t]);
    return (struct sl_assignor_member){
        .id = sl_bytes_str(member_names[i]),
        .instance_id = i % 4 == 3 ? sl_bytes_str(member_names[i]) : SL_STR_NULL,
        .rack_id = m->racks[i] >= 0 ? sl_bytes_str(rack_names[m->racks[i]]) : SL_STR_NULL,
        .topics = {topics, count},
        .owned = list_owned(m, i, arena),
        .generation = m->generations[i],
    };
}

static struct sl_assignor_topic make_topic(const struct model *m, int t, struct sl_arena *arena) {
    struct sl_array *racks = sl_arena_array(arena, PARTITIONS_CAP, sizeof *racks);
    for (int p = 0; p < m->counts[t]; p++) {
        struct sl_str *names = sl_arena_array(arena, 3, sizeof *names);
        int32_t count = 0;
        for (int r = 0; r < 3; r++)
            if ((m->replicas[t][p] >> r & 1) != 0) names[count++] = sl_bytes_str(rack_names[r]);
        racks[p] = (struct sl_array){names, count};
    }
    return (struct sl_assignor_topic){sl_bytes_str(topic_names[t]), m->counts[t], racks};
}

static void shuffle(struct sl_rng *rng, int *order, int count) {
    for (int i = 0; i < count; i++) order[i] = i;
    for (int i = count - 1; rng != NULL && i > 0; i--) {
        int k = (int)sl_rng_below(rng, (uint64_t)i + 1);
        int swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
}

static void note_plan(const struct sl_array *lists, int member, struct plan *out) {
    const struct sl_consumer_partitions *list = lists->items;
    for (int32_t i = 0; i < lists->count; i++) {
        const int32_t *partitions = list[i].partitions.items;
        int t = (int)strtol(list[i].topic.data + 1, NULL, 10);
        assert_true(list[i].partitions.count > 0);
        assert_true(i == 0 || strcmp(list[i - 1].topic.data, list[i].topic.data) < 0);
        for (int32_t k = 0; k < list[i].partitions.count; k++) {
            assert_true(k == 0 || partitions[k] > partitions[k - 1]);
            assert_int_equal(out->owner[t][partitions[k]], NOBODY); /* nobody has it already */
            out->owner[t][partitions[k]] = member;
            out->loads[member]++;
        }
    }
}

/* Assigns, with the input in another order if there is a generator. */
static void assign(const struct model *m, int number, struct sl_rng *rng, struct plan *out) {
    struct sl_assignor_member members[MEMBERS_CAP];
    struct sl_assignor_topic topics[TOPICS_CAP];
    struct sl_array lists[MEMBERS_CAP];
    int member_order[MEMBERS_CAP];
    int topic_order[TOPICS_CAP];
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    shuffle(rng, member_order, m->members);
    shuffle(rng, topic_order, m->topics);
    for (int i = 0; i < m->members; i++) members[i] = make_member(m, member_order[i], &arena);
    for (int t = 0; t < m->topics; t++) topics[t] = make_topic(m, topic_order[t], &arena);
    const struct sl_assignor_group group = {members, topics, m->members, m->topics};
    assert_int_equal(sl_assignor_assign(sl_assignor_at(number), &group, &arena, lists), 0);
    memset(out, 0, sizeof *out);
    for (int t = 0; t < TOPICS_CAP; t++)
        for (int p = 0; p < PARTITIONS_CAP; p++) out->owner[t][p] = NOBODY;
    for (int i = 0; i < m->members; i++) note_plan(&lists[i], member_order[i], out);
    sl_arena_deinit(&arena);
}

/* ---- rules ---- */

enum { RANGE = 1, ROUNDROBIN, STICKY, COOPERATIVE };

/* Who is believed to own a partition, by the rules for claims; *claimed: whether anybody says so. */
static int believed_owner(const struct model *m, int t, int p, bool *claimed) {
    int best = -2;
    int owner = NOBODY;
    for (int i = 0; i < m->members; i++) {
        if (!m->owns[i][t][p]) continue;
        if (m->generations[i] == best) owner = NOBODY;
        if (m->generations[i] > best) {
            best = m->generations[i];
            owner = i;
        }
    }
    *claimed = best > -2;
    return owner;
}

static bool is_wanted(const struct model *m, int t) {
    for (int i = 0; i < m->members; i++)
        if (m->wants[i][t]) return true;
    return false;
}

static void check_owners(const struct model *m, const struct plan *plan, int number) {
    for (int t = 0; t < m->topics; t++) {
        for (int p = 0; p < m->counts[t]; p++) {
            int owner = plan->owner[t][p];
            bool claimed;
            int believed = believed_owner(m, t, p, &claimed);
            if (owner != NOBODY) assert_true(m->wants[owner][t]);
            if (number != COOPERATIVE) assert_true((owner != NOBODY) == is_wanted(m, t));
            if (number != COOPERATIVE) continue;
            /* Only what somebody claims is withheld, and only from others. */
            if (owner == NOBODY) assert_true(claimed || !is_wanted(m, t));
            if (owner != NOBODY && claimed) assert_int_equal(owner, believed);
        }
    }
}

/* No partition could go to somebody with two partitions less. */
static void check_balance(const struct model *m, const struct plan *plan) {
    for (int t = 0; t < m->topics; t++)
        for (int p = 0; p < m->counts[t]; p++)
            for (int i = 0; plan->owner[t][p] != NOBODY && i < m->members; i++)
                if (m->wants[i][t])
                    assert_true(plan->loads[plan->owner[t][p]] <= plan->loads[i] + 1);
}

/* What is lost could not stay: going back to whom it was from would be less even. */
static void check_stickiness(const struct model *m, const struct plan *plan) {
    for (int t = 0; t < m->topics; t++) {
        for (int p = 0; p < m->counts[t]; p++) {
            bool claimed;
            int before = believed_owner(m, t, p, &claimed);
            int now = plan->owner[t][p];
            if (before == NOBODY || !m->wants[before][t] || now == before) continue;
            assert_true(plan->loads[now] <= plan->loads[before]);
        }
    }
}

static void check_range(const struct model *m, const struct plan *plan) {
    for (int t = 0; t < m->topics; t++) {
        int loads[MEMBERS_CAP] = {0};
        int members = 0;
        int longer = 0;
        for (int i = 0; i < m->members; i++) members += m->wants[i][t];
        for (int p = 0; p < m->counts[t]; p++)
            if (plan->owner[t][p] != NOBODY) loads[plan->owner[t][p]]++;
        for (int i = 0; members > 0 && i < m->members; i++) {
            if (!m->wants[i][t]) continue;
            assert_in_range(loads[i], m->counts[t] / members, m->counts[t] / members + 1);
            longer += loads[i] > m->counts[t] / members;
        }
        if (members > 0) assert_int_equal(longer, m->counts[t] % members);
    }
}

static void check_plan(const struct model *m, int number, struct plan *plan) {
    struct plan again;
    struct sl_rng rng;
    sl_rng_init(&rng, (uint64_t)m->members);
    assign(m, number, NULL, plan);
    check_owners(m, plan, number);
    if (number == RANGE) check_range(m, plan);
    if (number == STICKY) check_balance(m, plan);
    if (number == STICKY) check_stickiness(m, plan);
    for (int i = 0; i < 3; i++) {
        assign(m, number, &rng, &again);
        assert_memory_equal(&again, plan, sizeof again);
    }
}

/* The plan becomes what the members own. */
static void take_plan(struct model *m, const struct plan *plan, int generation) {
    memset(m->owns, 0, sizeof m->owns);
    for (int i = 0; i < m->members; i++) m->generations[i] = generation;
    for (int t = 0; t < m->topics; t++)
        for (int p = 0; p < m->counts[t]; p++)
            if (plan->owner[t][p] != NOBODY) m->owns[plan->owner[t][p]][t][p] = true;
}

/* ---- tests ---- */

static void each_model(void (*check)(struct model *m)) {
    for (int i = 0; i < MEMBERS_CAP; i++)
        snprintf(member_names[i], sizeof member_names[i], "m%02d", i);
    for (int t = 0; t < TOPICS_CAP; t++) snprintf(topic_names[t], sizeof topic_names[t], "t%d", t);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct model m;
        draw_model(&m, seed);
        check(&m);
    }
}

static void check_fresh(struct model *m) {
    struct plan plan;
    for (int number = RANGE; number <= COOPERATIVE; number++) check_plan(m, number, &plan);
}

static void test_fresh_groups(void **state) {
    (void)state;
    each_model(check_fresh);
}

static void check_claims(struct model *m) {
    struct plan plan;
    draw_claims(m);
    check_plan(m, STICKY, &plan);
    check_plan(m, COOPERATIVE, &plan);
}

static void test_claims_from_thin_air(void **state) {
    (void)state;
    each_model(check_claims);
}

/* What is even stays as it is. */
static void check_stays(struct model *m) {
    struct plan before;
    struct plan after;
    assign(m, STICKY, NULL, &before);
    take_plan(m, &before, 1);
    for (int number = STICKY; number <= COOPERATIVE; number++) {
        assign(m, number, NULL, &after);
        assert_memory_equal(&after, &before, sizeof after);
    }
}

static void test_nothing_changes_for_nothing(void **state) {
    (void)state;
    each_model(check_stays);
}

static bool is_even(const struct model *m) {
    for (int i = 0; i < m->members; i++)
        if (memcmp(m->wants[i], m->wants[0], sizeof m->wants[0]) != 0) return false;
    return true;
}

/* Partitions that went from one member of both plans to another. */
static int count_moves(const struct model *m, const struct plan *before, const struct plan *after) {
    int moves = 0;
    for (int t = 0; t < m->topics; t++)
        for (int p = 0; p < m->counts[t]; p++)
            moves += before->owner[t][p] < m->members && after->owner[t][p] != before->owner[t][p];
    return moves;
}

/* With equal subscriptions: when a member goes only its partitions move, and when one comes only
 * it gets any. */
static void check_comings_and_goings(struct model *m) {
    struct plan all;
    struct plan fewer;
    struct plan back;
    if (!is_even(m) || m->members < 2) return;
    assign(m, STICKY, NULL, &all);
    take_plan(m, &all, 1);
    m->members--;
    check_plan(m, STICKY, &fewer);
    assert_int_equal(count_moves(m, &all, &fewer), 0);
    take_plan(m, &fewer, 2);
    m->members++;
    check_plan(m, STICKY, &back);
    assert_int_equal(count_moves(m, &fewer, &back), back.loads[m->members - 1]);
}

static void test_only_what_has_to_move(void **state) {
    (void)state;
    each_model(check_comings_and_goings);
}

/* A member comes or goes, or a subscription changes, and all join until nothing changes. */
static void check_rounds(struct model *m) {
    struct plan plan;
    struct plan last;
    int rounds = 0;
    assign(m, COOPERATIVE, NULL, &plan);
    take_plan(m, &plan, 1);
    int i = (int)sl_rng_below(&m->rng, (uint64_t)m->members);
    if (sl_rng_chance(&m->rng, 1, 2)) m->members -= m->members > 1;
    for (int t = 0; t < m->topics; t++) {
        m->wants[i][t] = sl_rng_chance(&m->rng, 1, 2);
        /* Cooperative members give back what they don't want before they join. */
        if (!m->wants[i][t]) memset(m->owns[i][t], 0, sizeof m->owns[i][t]);
    }
    do {
        last = plan;
        check_plan(m, COOPERATIVE, &plan);
        take_plan(m, &plan, 2 + rounds);
        rounds++;
        assert_true(rounds <= ROUNDS_CAP);
    } while (memcmp(&last, &plan, sizeof plan) != 0);
    check_balance(m, &plan);
    for (int t = 0; t < m->topics; t++)
        for (int p = 0; p < m->counts[t]; p++)
            assert_true((plan.owner[t][p] != NOBODY) == is_wanted(m, t));
}

static void test_cooperative_rounds_end(void **state) {
    (void)state;
    each_model(check_rounds);
}

/* Over all groups, members are nearer to what they get than without racks; check_plan has seen that
 * the numbers are the same. */
static void test_racks_bring_nearer(void **state) {
    (void)state;
    int near[2] = {0, 0}; /* without and with */
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct model m;
        draw_model(&m, seed);
        for (int with = 1; with >= 0; with--) {
            struct plan plan;
            struct model blind = m;
            for (int i = 0; with == 0 && i < m.members; i++) blind.racks[i] = -1;
            assign(&blind, RANGE, NULL, &plan);
            for (int t = 0; t < m.topics; t++)
                for (int p = 0; p < m.counts[t]; p++) {
                    int i = plan.owner[t][p];
                    if (i != NOBODY && m.racks[i] >= 0)
                        near[with] += (m.replicas[t][p] >> m.racks[i] & 1) != 0;
                }
        }
    }
    assert_true(near[1] * 100 > near[0] * 115);
}

/* ---- scale ---- */

/* A large group; a name is its number in decimal. */
struct large {
    struct sl_arena arena;
    struct sl_assignor_member *members;
    struct sl_assignor_topic *topics;
    struct sl_array *lists;
    int32_t member_count, topic_count;
};

/* CPU time that an assignment may take. It takes a twentieth of it; members times partitions, or a
 * square of either, would take more, also without a sanitizer. */
enum { LARGE_CPU_SECONDS = 2 };

static struct sl_str number_name(struct large *l, const char *letter, int32_t number) {
    char text[16];
    int size = snprintf(text, sizeof text, "%s%05d", letter, number);
    const char *copy = sl_arena_text(&l->arena, text, (size_t)size);
    return (struct sl_str){copy, size};
}

static void large_start(struct large *l, int32_t members, int32_t topics, int32_t partitions) {
    sl_arena_init(&l->arena, sl_alloc_default(), 0);
    l->members = sl_arena_array(&l->arena, (size_t)members, sizeof *l->members);
    l->topics = sl_arena_array(&l->arena, (size_t)topics, sizeof *l->topics);
    l->lists = sl_arena_array(&l->arena, (size_t)members, sizeof *l->lists);
    l->member_count = members;
    l->topic_count = topics;
    for (int32_t t = 0; t < topics; t++)
        l->topics[t] = (struct sl_assignor_topic){number_name(l, "t", t), partitions, NULL};
    for (int32_t i = 0; i < members; i++) {
        struct sl_str *names = sl_arena_array(&l->arena, (size_t)topics, sizeof *names);
        for (int32_t t = 0; t < topics; t++) names[t] = l->topics[t].name;
        l->members[i] = (struct sl_assignor_member){
            .id = number_name(l, "m", i), .topics = {names, topics}, .generation = -1};
    }
}

/* Each member wants a topic with this chance in 8. */
static void large_thin_out(struct large *l, uint32_t chance) {
    struct sl_rng rng;
    sl_rng_init(&rng, 1);
    for (int32_t i = 0; i < l->member_count; i++) {
        struct sl_array *topics = &l->members[i].topics;
        struct sl_str *names = topics->items;
        int32_t kept = 0;
        for (int32_t t = 0; t < topics->count; t++)
            if (sl_rng_chance(&rng, chance, 8)) names[kept++] = names[t];
        topics->count = kept;
    }
}

static void large_racks(struct large *l) {
    static struct sl_str racks[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"x", 1}, {"y", 1}};
    for (int32_t t = 0; t < l->topic_count; t++) {
        int32_t count = l->topics[t].partition_count;
        struct sl_array *list = sl_arena_array(&l->arena, (size_t)count, sizeof *list);
        for (int32_t p = 0; p < count; p++) list[p] = (struct sl_array){&racks[p % 2], 2};
        l->topics[t].racks = list;
    }
    for (int32_t i = 0; i < l->member_count; i++) l->members[i].rack_id = racks[4 - i % 5];
}

/* The plan becomes what is owned. */
static void large_take_plan(struct large *l, int32_t generation) {
    for (int32_t i = 0; i < l->member_count; i++) {
        l->members[i].owned = l->lists[i];
        l->members[i].generation = generation;
    }
}

static int32_t large_count(const struct large *l, int32_t i) {
    const struct sl_consumer_partitions *list = l->lists[i].items;
    int32_t count = 0;
    for (int32_t k = 0; k < l->lists[i].count; k++) count += list[k].partitions.count;
    return count;
}

/* Assigns within the time, and returns how many partitions were. */
static int32_t large_assign(struct large *l, int number) {
    const struct sl_assignor_group group = {l->members, l->topics, l->member_count, l->topic_count};
    int32_t count = 0;
    clock_t began = clock();
    assert_int_equal(sl_assignor_assign(sl_assignor_at(number), &group, &l->arena, l->lists), 0);
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    if (seconds > LARGE_CPU_SECONDS)
        fail_msg("%s: %d members and %d topics take %.2f s",
                 sl_assignor_name(sl_assignor_at(number)), l->member_count, l->topic_count,
                 seconds);
    for (int32_t i = 0; i < l->member_count; i++) count += large_count(l, i);
    return count;
}

/* 10,000 partitions in all, in several shapes: assigned, and again with what is owned by then. */
static void test_large_groups(void **state) {
    (void)state;
    static const int32_t shapes[][3] = {
        {1000, 10, 1000}, {1000, 1, 10000}, {1000, 1000, 10}, {100, 10000, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int number = RANGE; number <= COOPERATIVE; number++) {
            struct large l;
            large_start(&l, shapes[i][0], shapes[i][1], shapes[i][2]);
            assert_int_equal(large_assign(&l, number), 10000);
            large_take_plan(&l, 1);
            l.member_count--;
            assert_int_equal(large_assign(&l, number), 10000);
            sl_arena_deinit(&l.arena);
        }
    }
}

static void test_large_uneven_groups(void **state) {
    (void)state;
    for (uint32_t chance = 1; chance <= 4; chance += 3) {
        struct large l;
        large_start(&l, 1000, 1000, 10);
        large_thin_out(&l, chance);
        for (int number = RANGE; number <= COOPERATIVE; number++) {
            l.member_count = 1000;
            assert_int_equal(large_assign(&l, number), 10000);
            large_take_plan(&l, number);
            l.member_count = 900;
            assert_int_equal(large_assign(&l, number), 10000);
        }
        sl_arena_deinit(&l.arena);
    }
}

/* The first member that wants a topic says that it owns all of it, so a few own nearly everything
 * and nearly everything has to move. */
static void test_large_greed(void **state) {
    (void)state;
    enum { MEMBERS = 1000, TOPICS = 1000, EACH = 10 };
    static int32_t partitions[EACH];
    static bool is_taken[TOPICS];
    for (int32_t p = 0; p < EACH; p++) partitions[p] = p;
    for (uint32_t chance = 1; chance <= 4; chance += 3) {
        struct large l;
        int32_t most = 0;
        large_start(&l, MEMBERS, TOPICS, EACH);
        large_thin_out(&l, chance);
        memset(is_taken, 0, sizeof is_taken);
        for (int32_t i = 0; i < MEMBERS; i++) {
            const struct sl_str *names = l.members[i].topics.items;
            int32_t wanted = l.members[i].topics.count;
            struct sl_consumer_partitions *owned =
                sl_arena_array(&l.arena, (size_t)wanted, sizeof *owned);
            int32_t count = 0;
            for (int32_t k = 0; k < wanted; k++) {
                bool *taken = &is_taken[strtol(names[k].data + 1, NULL, 10)];
                if (!*taken)
                    owned[count++] = (struct sl_consumer_partitions){names[k], {partitions, EACH}};
                *taken = true;
            }
            l.members[i].owned = (struct sl_array){owned, count};
        }
        assert_int_equal(large_assign(&l, STICKY), TOPICS * EACH);
        for (int32_t i = 0; i < MEMBERS; i++)
            if (large_count(&l, i) > most) most = large_count(&l, i);
        assert_in_range(most, TOPICS * EACH / MEMBERS, TOPICS * EACH / MEMBERS + 1);
        sl_arena_deinit(&l.arena);
    }
}

static void test_large_groups_with_racks(void **state) {
    (void)state;
    static const int32_t shapes[][3] = {{1000, 10, 1000}, {1000, 1, 10000}, {1000, 1000, 10}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct large l;
        large_start(&l, shapes[i][0], shapes[i][1], shapes[i][2]);
        large_racks(&l);
        assert_int_equal(large_assign(&l, RANGE), 10000);
        sl_arena_deinit(&l.arena);
    }
}

/* Whether a member got any of a topic. */
static bool large_has(const struct large *l, int32_t i, int32_t t) {
    const struct sl_consumer_partitions *list = l->lists[i].items;
    for (int32_t k = 0; k < l->lists[i].count; k++)
        if (sl_bytes_str_equal(list[k].topic, l->topics[t].name)) return true;
    return false;
}

/* Members in a chain, each with a topic in common with the next, that all own the topic ahead of
 * them. The last one has nothing, so something has to go from hand to hand all the way. */
static void test_long_chain(void **state) {
    (void)state;
    enum { LINKS = 1000, EACH = 10 };
    static int32_t partitions[EACH];
    struct large l;
    large_start(&l, LINKS, LINKS, EACH);
    for (int32_t p = 0; p < EACH; p++) partitions[p] = p;
    for (int32_t i = 0; i < LINKS; i++) {
        struct sl_str *names = l.members[i].topics.items;
        struct sl_consumer_partitions *owned = sl_arena_array(&l.arena, 2, sizeof *owned);
        int32_t count = i + 1 < LINKS ? 2 : 1;
        l.members[i].topics = (struct sl_array){&names[i], count};
        for (int32_t k = 0; k < 2 && i + k < LINKS; k++)
            owned[k] = (struct sl_consumer_partitions){names[i + k], {partitions, EACH}};
        /* The first one also owns the topic that it has for itself. */
        l.members[i].owned = (struct sl_array){i == 0 ? owned : owned + 1, i == 0 ? 2 : count - 1};
    }
    assert_int_equal(large_assign(&l, STICKY), LINKS * EACH);
    for (int32_t i = 0; i + 1 < LINKS; i++) {
        int32_t left = large_count(&l, i);
        int32_t right = large_count(&l, i + 1);
        if (large_has(&l, i, i + 1)) assert_true(left <= right + 1);
        if (large_has(&l, i + 1, i + 1)) assert_true(right <= left + 1);
    }
    assert_true(large_count(&l, LINKS - 1) > 0);
    sl_arena_deinit(&l.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fresh_groups),
        cmocka_unit_test(test_claims_from_thin_air),
        cmocka_unit_test(test_nothing_changes_for_nothing),
        cmocka_unit_test(test_only_what_has_to_move),
        cmocka_unit_test(test_cooperative_rounds_end),
        cmocka_unit_test(test_racks_bring_nearer),
        cmocka_unit_test(test_large_groups),
        cmocka_unit_test(test_large_uneven_groups),
        cmocka_unit_test(test_large_greed),
        cmocka_unit_test(test_large_groups_with_racks),
        cmocka_unit_test(test_long_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
