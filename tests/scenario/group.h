/* Members of one group in a story: each is polled in turn, and the story looks at who has which
 * partitions of "t", and at what was read. */
#ifndef SCENARIO_GROUP_H
#define SCENARIO_GROUP_H

#include "scenario.h"

#include "broker/broker.h"

enum { GROUP_MEMBERS = 4, GROUP_PARTITIONS = 6, GROUP_NEW = 2 };

struct group {
    struct story s;
    sluice_client *producer;
    sluice_client *members[GROUP_MEMBERS];
    int64_t read[GROUP_MEMBERS];                /* records */
    int64_t seen[GROUP_PARTITIONS + GROUP_NEW]; /* highest offset read, + 1 */
    int64_t total;
    int sent;
};

static inline void group_begin(struct group *g, int32_t nodes) {
    memset(g, 0, sizeof *g);
    story_begin(&g->s, nodes, GROUP_PARTITIONS);
    g->producer = story_open(&g->s, SLUICE_PRODUCER, NULL);
    world_broker_begin(g->s.world);
    assert_int_equal(sl_broker_set(g->s.world->broker, "group.initial.rebalance.delay.ms", "100"),
                     0);
    world_broker_end(g->s.world);
}
static inline void group_end(struct group *g) {
    assert_true(story_await_reports(&g->s, g->producer, g->sent, 30000));
    assert_string_equal(story_end(&g->s), "");
}
/* A member of that protocol, with these settings ({"name", "value", …, NULL}) after the usual ones. */
static inline void group_add_with(struct group *g, int i, const char *protocol,
                                  const char *strategy, const char *const *settings) {
    static const char *const topics[] = {"t"};
    const char *all[32] = {"group.id",
                           "g",
                           "auto.offset.reset",
                           "earliest",
                           "group.protocol",
                           protocol,
                           "partition.assignment.strategy",
                           strategy,
                           "session.timeout.ms",
                           "10000",
                           "max.poll.interval.ms",
                           "60000"};
    for (int k = 12; *settings != NULL; k++) all[k] = *settings++;
    g->members[i] = story_open(&g->s, SLUICE_CONSUMER, all);
    assert_non_null(g->members[i]);
    assert_int_equal(sluice_consumer_subscribe(g->members[i], topics, 1), 0);
}
static inline void group_add(struct group *g, int i, const char *protocol, const char *strategy,
                             const char *instance) {
    const char *const settings[] = {"group.instance.id", instance, NULL};
    group_add_with(g, i, protocol, strategy, settings);
}
static inline void group_take(struct group *g, const sluice_view *v) {
    if (v->offset + 1 > g->seen[v->partition]) {
        g->total += v->offset + 1 - g->seen[v->partition];
        g->seen[v->partition] = v->offset + 1;
    }
}
/* One poll of each member that there is. */
static inline void group_poll_all(struct group *g) {
    for (int i = 0; i < GROUP_MEMBERS; i++) {
        sluice_batch *batch;
        sluice_view v;
        if (g->members[i] == NULL) continue;
        assert_int_equal(sluice_consumer_poll(g->members[i], 50, &batch), 0);
        while (sluice_batch_next(batch, &v, sizeof v) == 1) {
            group_take(g, &v);
            g->read[i]++;
        }
        (void)sluice_batch_finish(batch);
    }
}
static inline int group_owned(struct group *g, int i) {
    return g->members[i] == NULL ? 0 : story_owned(g->members[i]);
}
/* No partition is with two. */
static inline void group_check_owners(struct group *g) {
    int owners[GROUP_PARTITIONS + GROUP_NEW] = {0};
    for (int i = 0; i < GROUP_MEMBERS; i++) {
        sluice_offsets *list;
        sluice_offset o;
        if (g->members[i] == NULL) continue;
        assert_int_equal(sluice_consumer_positions(g->members[i], &list), 0);
        for (int k = 0; sluice_offsets_at(list, k, &o, sizeof o) == 1; k++) owners[o.partition]++;
        sluice_offsets_free(list);
    }
    for (int p = 0; p < GROUP_PARTITIONS + GROUP_NEW; p++) assert_true(owners[p] <= 1);
}
/* Polls until the partitions are shared so, for so long at most. */
static inline void group_await(struct group *g, int a, int b, int c, int32_t timeout_ms) {
    int64_t until = story_now_ms(&g->s) + timeout_ms;
    int want[] = {a, b, c};
    for (;;) {
        group_poll_all(g);
        group_check_owners(g);
        bool there = group_owned(g, 0) == want[0] && group_owned(g, 1) == want[1] &&
                     group_owned(g, 2) == want[2];
        if (there) return;
        if (story_now_ms(&g->s) > until)
            fail_msg("after %d ms: %d %d %d", (int)timeout_ms, group_owned(g, 0), group_owned(g, 1),
                     group_owned(g, 2));
    }
}
static inline void group_send(struct group *g, int count) {
    for (int i = 0; i < count; i++) {
        assert_int_equal(story_send(&g->s, g->producer, g->sent % GROUP_PARTITIONS, 0), 0);
        g->sent++;
    }
}
/* Everything that was sent is read. */
static inline void group_await_read(struct group *g, int32_t timeout_ms) {
    int64_t until = story_now_ms(&g->s) + timeout_ms;
    while (g->total < g->sent && story_now_ms(&g->s) < until) group_poll_all(g);
    assert_int_equal(g->total, g->sent);
}
static inline void group_close_member(struct group *g, int i) {
    assert_int_equal(sluice_client_close(g->members[i], 10000, NULL), 0);
    story_free(&g->s, g->members[i]);
    g->members[i] = NULL;
}
static inline void group_crash_member(struct group *g, int i) {
    story_free(&g->s, g->members[i]); /* without a word to the group */
    g->members[i] = NULL;
}

#endif
