/* sticky with equal subscriptions, where everything follows from two numbers: of P partitions and M
 * members everyone gets P / M, and P % M of them get one more.
 *
 *   1. Members by id keep what they own, up to their number; who owns enough takes one of the
 *      places with one more, as long as there are some. What is kept are the lowest partitions.
 *   2. What is left over, by topic and partition, is dealt one each to the members that have too
 *      few, in order, until they have enough; then one each to those that have exactly enough.
 *
 * That is Java's rule, and gives its assignments. Owned is what the claims say (assignor_board.c). */
#include "base/assert.h"
#include "core/assignor_board.h"
#include "sluice/error.h"

struct even_run {
    struct sl_board *board;
    const struct sl_board_claims *claims;
    int32_t base;     /* partitions that everyone gets */
    int32_t extra;    /* members that may still get one more */
    int32_t *quota;   /* of each member: how many of its own it keeps */
    int32_t *has;     /* of each member */
    int32_t *lacking; /* members with less than base, by id */
    int32_t *enough;  /* members with base that may get one more, in the order in which they do */
    int32_t lacking_count, enough_count;
};

/* How many of their own the members keep, and so who lacks some. */
static void share_quotas(struct even_run *run) {
    const struct sl_board *b = run->board;
    for (int32_t p = 0; p < b->partition_count; p++)
        if (run->claims->member[p] >= 0) run->quota[run->claims->member[p]]++;
    for (int32_t m = 0; m < b->member_count; m++) {
        if (run->quota[m] < run->base) {
            run->lacking[run->lacking_count++] = m;
        } else if (run->quota[m] > run->base && run->extra > 0) {
            run->quota[m] = run->base + 1;
            run->extra--;
        } else {
            run->quota[m] = run->base;
            run->enough[run->enough_count++] = m;
        }
    }
}

/* Gives the members their own. Java sorts what a member owns by partition before topic. */
static int keep_owned(struct even_run *run) {
    const struct sl_board *b = run->board;
    int32_t *topics = sl_arena_array(b->arena, (size_t)b->topic_count, sizeof *topics);
    int32_t count = b->topic_count;
    if (topics == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < count; i++) topics[i] = i;
    for (int32_t number = 0; count > 0; number++) {
        int32_t longer = 0; /* topics with more partitions than that */
        for (int32_t i = 0; i < count; i++) {
            const struct sl_board_topic *t = &b->topics[topics[i]];
            if (number >= t->count) continue;
            topics[longer++] = topics[i];
            int32_t p = t->first + number;
            int32_t m = run->claims->member[p];
            if (m < 0 || run->has[m] == run->quota[m]) continue;
            b->owner[p] = m;
            run->has[m]++;
        }
        count = longer;
    }
    return 0;
}

/* Deals what nobody kept. Members that have enough leave `lacking` at the end of a round, so that
 * a round costs no more than the members in it. */
static void deal_rest(struct even_run *run) {
    const struct sl_board *b = run->board;
    int32_t next_enough = 0;
    int32_t kept = 0; /* of the round's members so far, those that still lack some */
    int32_t at = 0;
    for (int32_t p = 0; p < b->partition_count; p++) {
        if (b->owner[p] != SL_BOARD_NOBODY) continue;
        if (run->lacking_count == 0) {
            SL_ASSERT(next_enough < run->enough_count);
            b->owner[p] = run->enough[next_enough++];
            continue;
        }
        int32_t m = run->lacking[at++];
        b->owner[p] = m;
        run->has[m]++;
        if (run->has[m] == run->base)
            run->enough[run->enough_count++] = m;
        else
            run->lacking[kept++] = m;
        if (at < run->lacking_count) continue;
        run->lacking_count = kept;
        kept = at = 0;
    }
}

int sl_assignor_sticky_even(struct sl_board *b, const struct sl_board_claims *claims) {
    size_t count = (size_t)b->member_count;
    if (b->member_count == 0) return 0;
    struct even_run run = {
        .board = b,
        .claims = claims,
        .base = b->partition_count / b->member_count,
        .extra = b->partition_count % b->member_count,
        .quota = sl_arena_array(b->arena, count, sizeof *run.quota),
        .has = sl_arena_array(b->arena, count, sizeof *run.has),
        .lacking = sl_arena_array(b->arena, count, sizeof *run.lacking),
        .enough = sl_arena_array(b->arena, count, sizeof *run.enough),
    };
    if (b->arena->failed) return SLUICE_ERR_NOMEM;
    share_quotas(&run);
    int rv = keep_owned(&run);
    if (rv != 0) return rv;
    deal_rest(&run);
    return 0;
}
