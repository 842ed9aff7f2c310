/* sticky with unequal subscriptions. Partitions of a topic are alike, so it is first decided how
 * many of each topic each member gets, and only then which; whoever keeps some of a topic keeps its
 * own.
 *
 *   1. Everyone has what they own.
 *   2. What is left over goes, topics with the fewest members first, one by one to the member of
 *      the topic with the fewest partitions.
 *   3. While a member has two partitions more than another one of the same topic, one moves: first
 *      only such as were dealt in 2, then any.
 *   4. What somebody lost goes back to them where nothing gets less even by it.
 *
 * A topic whose members did not change since it was looked at is not looked at again. Each move
 * makes the numbers more even, so it ends; how long it may take is bounded nonetheless, since what
 * members say that they own comes from them. What is not even by then stays so.
 *
 * Numbers called k are indexes among a topic's members, m are members. */
#include "base/sort.h"
#include "core/assignor_board.h"
#include "sluice/error.h"

enum {
    UNEVEN_WORK_FLOOR = 50 * 1000 * 1000, /* steps, a fifth of a second or so */
    UNEVEN_WORK_FACTOR = 50, /* steps for each subscription; balancing takes about ten */
    UNEVEN_MOVE_WORK = 8     /* steps that a move counts for: both heaps */
};
/* What may move: what was dealt, anything, or what is not at home back to where it is. */
enum uneven_move { MOVE_DEALT, MOVE_ANY, MOVE_BACK };

struct uneven_topic {
    const struct sl_board_topic *topic;
    int32_t *own;  /* by k: partitions of the topic that the member owns */
    int32_t *held; /* by k: that it gets */
    int32_t left;  /* partitions that nobody owns */
    bool is_dirty; /* the load of a member changed */
};
struct uneven_run {
    struct sl_board *board;
    const struct sl_board_claims *claims;
    struct uneven_topic *topics; /* by the board's numbers */
    int32_t *load;               /* of each member: partitions in all */
    bool *is_changed;            /* of each member: its load changed since topics were marked */
    int32_t *givers;             /* scratch: a heap of k, the most loaded one first */
    int32_t *takers;             /* the same, the least loaded one first */
    int64_t work_left;
};

/* ---- heaps of members ---- */

/* Whether k goes before other: by load, among equals by number. */
static bool goes_before(const struct uneven_run *run, const struct sl_board_topic *t, int32_t k,
                        int32_t other, bool most_first) {
    int32_t a = run->load[t->members[k]];
    int32_t b = run->load[t->members[other]];
    if (a != b) return most_first ? a > b : a < b;
    return k < other;
}

static void sift_down(const struct uneven_run *run, const struct sl_board_topic *t, int32_t *heap,
                      int32_t count, int32_t at, bool most_first) {
    for (;;) {
        int32_t best = at;
        for (int32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (goes_before(run, t, heap[child], heap[best], most_first)) best = child;
        if (best == at) return;
        int32_t swap = heap[at];
        heap[at] = heap[best];
        heap[best] = swap;
        at = best;
    }
}

static void make_heap(const struct uneven_run *run, const struct sl_board_topic *t, int32_t *heap,
                      int32_t count, bool most_first) {
    for (int32_t at = count / 2 - 1; at >= 0; at--) sift_down(run, t, heap, count, at, most_first);
}

/* ---- 1: what is owned ---- */

/* The index of a member among a topic's members; -1: not subscribed. */
static int32_t find_subscriber(const struct sl_board_topic *t, int32_t m) {
    int32_t at = sl_assignor_board_search(t, m);
    return at < t->member_count && t->members[at] == m ? at : -1;
}

static int start_uneven_topic(struct uneven_run *run, int32_t number) {
    struct sl_board *b = run->board;
    const struct sl_board_topic *t = &b->topics[number];
    struct uneven_topic *u = &run->topics[number];
    u->topic = t;
    u->own = sl_arena_array(b->arena, (size_t)t->member_count, sizeof *u->own);
    u->held = sl_arena_array(b->arena, (size_t)t->member_count, sizeof *u->held);
    if (u->own == NULL || u->held == NULL) return SLUICE_ERR_NOMEM;
    u->is_dirty = true;
    for (int32_t p = t->first; p < t->first + t->count; p++) {
        int32_t m = run->claims->member[p];
        int32_t k = m >= 0 ? find_subscriber(t, m) : -1;
        if (k < 0) {
            u->left++;
            continue;
        }
        u->own[k]++;
        u->held[k]++;
        run->load[m]++;
    }
    run->work_left += (int64_t)t->member_count * UNEVEN_WORK_FACTOR;
    return 0;
}

/* ---- 2: what nobody owns ---- */

static int compare_choices(const void *a, const void *b) {
    const struct sl_board_topic *x = ((const struct uneven_topic *)a)->topic;
    const struct sl_board_topic *y = ((const struct uneven_topic *)b)->topic;
    return (x->member_count > y->member_count) - (x->member_count < y->member_count);
}

static void deal_topic(struct uneven_run *run, const struct uneven_topic *u) {
    const struct sl_board_topic *t = u->topic;
    for (int32_t k = 0; k < t->member_count; k++) run->takers[k] = k;
    make_heap(run, t, run->takers, t->member_count, false);
    for (int32_t i = 0; i < u->left; i++) {
        int32_t k = run->takers[0];
        u->held[k]++;
        run->load[t->members[k]]++;
        sift_down(run, t, run->takers, t->member_count, 0, false);
    }
}

static int deal_uneven(struct uneven_run *run) {
    struct sl_board *b = run->board;
    size_t count = (size_t)b->topic_count;
    const void **sorted = sl_arena_array(b->arena, count, sizeof *sorted);
    const void **scratch = sl_arena_array(b->arena, count, sizeof *scratch);
    if (sorted == NULL || scratch == NULL) return SLUICE_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) sorted[i] = &run->topics[i];
    sl_sort_pointers(sorted, scratch, count, compare_choices);
    for (size_t i = 0; i < count; i++) {
        const struct uneven_topic *u = sorted[i];
        if (u->left > 0) deal_topic(run, u);
    }
    return 0;
}

/* ---- 3: moves ---- */

/* Whether the member may give one away. */
static bool can_give(const struct uneven_topic *u, int32_t k, enum uneven_move move) {
    return u->held[k] > (move == MOVE_ANY ? 0 : u->own[k]);
}

static bool can_take(const struct uneven_topic *u, int32_t k, enum uneven_move move) {
    return move != MOVE_BACK || u->held[k] < u->own[k];
}

/* How much more the giver has to have. One that goes back home makes nothing less even at a
 * difference of one: the two change numbers. */
static int32_t least_gap(enum uneven_move move) { return move == MOVE_BACK ? 1 : 2; }

/* Fills both heaps. False: nothing can move, as nearly always. */
static bool gather_movers(struct uneven_run *run, const struct uneven_topic *u,
                          enum uneven_move move, int32_t *giver_count, int32_t *taker_count) {
    const struct sl_board_topic *t = u->topic;
    int32_t least = INT32_MAX;
    int32_t most = -1;
    *giver_count = *taker_count = 0;
    run->work_left -= t->member_count;
    for (int32_t k = 0; k < t->member_count; k++) {
        int32_t load = run->load[t->members[k]];
        if (can_take(u, k, move)) {
            run->takers[(*taker_count)++] = k;
            if (load < least) least = load;
        }
        if (can_give(u, k, move)) {
            run->givers[(*giver_count)++] = k;
            if (load > most) most = load;
        }
    }
    return *giver_count > 0 && *taker_count > 0 && most >= least + least_gap(move);
}

static void move_one(struct uneven_run *run, const struct uneven_topic *u, int32_t from,
                     int32_t to) {
    int32_t giver = u->topic->members[from];
    int32_t taker = u->topic->members[to];
    u->held[from]--;
    u->held[to]++;
    run->load[giver]--;
    run->load[taker]++;
    run->is_changed[giver] = run->is_changed[taker] = true;
    run->work_left -= UNEVEN_MOVE_WORK;
}

/* Moves from the most to the least loaded while that helps. A giver's new load is not put right
 * among the takers, nor a taker's among the givers: a topic in which something moved is marked with
 * all others of these members, and looked at again. */
static bool move_partitions(struct uneven_run *run, const struct uneven_topic *u,
                            enum uneven_move move) {
    const struct sl_board_topic *t = u->topic;
    bool has_moved = false;
    int32_t givers;
    int32_t takers;
    if (!gather_movers(run, u, move, &givers, &takers)) return false;
    make_heap(run, t, run->givers, givers, true);
    make_heap(run, t, run->takers, takers, false);
    while (givers > 0 && takers > 0 && run->work_left > 0) {
        int32_t from = run->givers[0];
        int32_t to = run->takers[0];
        int32_t gap = run->load[t->members[from]] - run->load[t->members[to]];
        if (gap < least_gap(move)) break;
        move_one(run, u, from, to);
        has_moved = true;
        if (!can_give(u, from, move)) run->givers[0] = run->givers[--givers];
        if (!can_take(u, to, move)) run->takers[0] = run->takers[--takers];
        sift_down(run, t, run->givers, givers, 0, true);
        sift_down(run, t, run->takers, takers, 0, false);
    }
    return has_moved;
}

/* The topics of members whose load changed have to be looked at again. */
static void mark_topics(struct uneven_run *run) {
    for (int32_t m = 0; m < run->board->member_count; m++) {
        const struct sl_board_member *member = &run->board->members[m];
        if (!run->is_changed[m]) continue;
        run->is_changed[m] = false;
        run->work_left -= member->topic_count;
        for (int32_t i = 0; i < member->topic_count; i++)
            run->topics[member->topics[i]].is_dirty = true;
    }
}

/* Whether anything moved. */
static bool move_until_done(struct uneven_run *run, enum uneven_move move) {
    bool has_moved = false;
    bool goes_on = true;
    for (int32_t i = 0; i < run->board->topic_count; i++) run->topics[i].is_dirty = true;
    while (goes_on && run->work_left > 0) {
        goes_on = false;
        for (int32_t i = 0; i < run->board->topic_count; i++) {
            struct uneven_topic *u = &run->topics[i];
            if (!u->is_dirty) continue;
            u->is_dirty = false;
            if (run->work_left > 0 && move_partitions(run, u, move)) goes_on = true;
        }
        has_moved = has_moved || goes_on;
        mark_topics(run);
    }
    return has_moved;
}

/* What went home may have left others less even, and what is made even may have left home: each
 * round makes the numbers more even, or leaves them and brings more home. */
static void balance_uneven(struct uneven_run *run) {
    move_until_done(run, MOVE_DEALT);
    move_until_done(run, MOVE_ANY);
    while (run->work_left > 0 && move_until_done(run, MOVE_BACK)) move_until_done(run, MOVE_ANY);
}

/* ---- which ---- */

/* Gives the members of a topic their own first, the lowest of them, and then the rest in order. */
static void place_topic(struct uneven_run *run, struct uneven_topic *u) {
    const struct sl_board_topic *t = u->topic;
    int32_t *owner = run->board->owner;
    for (int32_t p = t->first; p < t->first + t->count; p++) {
        int32_t m = run->claims->member[p];
        int32_t k = m >= 0 ? find_subscriber(t, m) : -1;
        if (k < 0 || u->held[k] == 0) continue;
        owner[p] = m;
        u->held[k]--;
    }
    int32_t k = 0;
    for (int32_t p = t->first; p < t->first + t->count; p++) {
        if (owner[p] != SL_BOARD_NOBODY) continue;
        while (u->held[k] == 0) k++;
        owner[p] = t->members[k];
        u->held[k]--;
    }
}

int sl_assignor_sticky_uneven(struct sl_board *b, const struct sl_board_claims *claims) {
    size_t members = (size_t)b->member_count;
    struct uneven_run run = {
        .board = b,
        .claims = claims,
        .topics = sl_arena_array(b->arena, (size_t)b->topic_count, sizeof *run.topics),
        .load = sl_arena_array(b->arena, members, sizeof *run.load),
        .is_changed = sl_arena_array(b->arena, members, sizeof *run.is_changed),
        .givers = sl_arena_array(b->arena, members, sizeof *run.givers),
        .takers = sl_arena_array(b->arena, members, sizeof *run.takers),
        .work_left = UNEVEN_WORK_FLOOR,
    };
    if (b->arena->failed) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < b->topic_count; i++) {
        int rv = start_uneven_topic(&run, i);
        if (rv != 0) return rv;
    }
    int rv = deal_uneven(&run);
    if (rv != 0) return rv;
    balance_uneven(&run);
    for (int32_t i = 0; i < b->topic_count; i++)
        if (b->topics[i].count > 0) place_topic(&run, &run.topics[i]);
    return 0;
}
