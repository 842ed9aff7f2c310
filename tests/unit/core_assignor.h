/* What the tests of the assignors share: groups made from texts, and plans as texts. Header-only,
 * like support.h. */
#ifndef SL_TEST_CORE_ASSIGNOR_H
#define SL_TEST_CORE_ASSIGNOR_H

#include "support.h"

#include "base/arena.h"
#include "base/text.h"
#include "core/assignor.h"
#include "sluice/error.h"

enum { GROUP_CAP = 64, PLAN_TEXT_CAP = 4096, LISTED_CAP = 64 };

/* A group under construction. All texts it is given have to outlive it. */
struct group {
    struct sl_arena arena;
    struct sl_assignor_member members[GROUP_CAP];
    struct sl_assignor_topic topics[GROUP_CAP];
    struct sl_array plan[GROUP_CAP];
    int32_t member_count, topic_count;
    char text[PLAN_TEXT_CAP];
};

static inline struct group *group_start(void) {
    struct group *g = calloc(1, sizeof *g);
    assert_non_null(g);
    sl_arena_init(&g->arena, sl_alloc_default(), 0);
    return g;
}

static inline void group_end(struct group *g) {
    sl_arena_deinit(&g->arena);
    free(g);
}

static inline struct sl_assignor_topic *group_topic(struct group *g, const char *name,
                                                    int32_t partition_count) {
    assert_true(g->topic_count < GROUP_CAP);
    struct sl_assignor_topic *t = &g->topics[g->topic_count++];
    *t = (struct sl_assignor_topic){sl_bytes_str(name), partition_count, NULL};
    return t;
}

/* Words of a text that are separated by blanks, as an array of struct sl_str. */
static inline struct sl_array group_words(struct group *g, const char *text) {
    struct sl_str *words = sl_arena_array(&g->arena, LISTED_CAP, sizeof *words);
    int32_t count = 0;
    assert_non_null(words);
    for (const char *at = text; *at != '\0';) {
        size_t size = strcspn(at, " ");
        assert_true(size > 0 && count < LISTED_CAP);
        words[count++] = (struct sl_str){at, (int32_t)size};
        at += size;
        at += strspn(at, " ");
    }
    return (struct sl_array){words, count};
}

/* Racks of the replicas of a topic's partitions: "a b, b c" are two partitions. */
static inline void group_racks(struct group *g, struct sl_assignor_topic *t, const char *text) {
    struct sl_array *racks = sl_arena_array(&g->arena, (size_t)t->partition_count, sizeof *racks);
    assert_non_null(racks);
    int32_t p = 0;
    for (const char *at = text; p < t->partition_count; p++) {
        size_t size = strcspn(at, ",");
        racks[p] = group_words(g, sl_arena_text(&g->arena, at, size));
        at += size;
        at += strspn(at, ", ");
    }
    t->racks = racks;
}

static inline struct sl_assignor_member *group_member(struct group *g, const char *id,
                                                      const char *topics) {
    assert_true(g->member_count < GROUP_CAP);
    struct sl_assignor_member *m = &g->members[g->member_count++];
    *m = (struct sl_assignor_member){.id = sl_bytes_str(id),
                                     .instance_id = SL_STR_NULL,
                                     .rack_id = SL_STR_NULL,
                                     .topics = group_words(g, topics),
                                     .generation = -1};
    return m;
}

/* What the member says that it owns: "t0 0 1 2, t1 4". */
static inline void group_owned(struct group *g, struct sl_assignor_member *m, int32_t generation,
                               const char *text) {
    struct sl_consumer_partitions *owned = sl_arena_array(&g->arena, LISTED_CAP, sizeof *owned);
    int32_t count = 0;
    assert_non_null(owned);
    for (const char *at = text; *at != '\0'; count++) {
        size_t size = strcspn(at, ",");
        struct sl_array words = group_words(g, sl_arena_text(&g->arena, at, size));
        const struct sl_str *word = words.items;
        int32_t *partitions = sl_arena_array(&g->arena, LISTED_CAP, sizeof *partitions);
        assert_true(words.count > 0 && count < LISTED_CAP && partitions != NULL);
        for (int32_t i = 1; i < words.count; i++)
            partitions[i - 1] = (int32_t)strtol(word[i].data, NULL, 10);
        owned[count] = (struct sl_consumer_partitions){word[0], {partitions, words.count - 1}};
        at += size;
        at += strspn(at, ", ");
    }
    m->owned = (struct sl_array){owned, count};
    m->generation = generation;
}

static inline int group_assign(struct group *g, const char *assignor) {
    const struct sl_assignor_group group = {g->members, g->topics, g->member_count, g->topic_count};
    const struct sl_assignor *a = sl_assignor_find(sl_bytes_str(assignor));
    assert_non_null(a);
    return sl_assignor_assign(a, &group, &g->arena, g->plan);
}

/* "c0 t0 0 1, t1 2; c1 t0 2": the members in the order in which they were added. */
static inline const char *group_plan(struct group *g) {
    struct sl_text text;
    sl_text_init(&text, g->text, sizeof g->text);
    for (int32_t m = 0; m < g->member_count; m++) {
        const struct sl_consumer_partitions *lists = g->plan[m].items;
        if (m > 0) sl_text_put(&text, "; ");
        sl_text_put_len(&text, g->members[m].id.data, (size_t)g->members[m].id.size);
        for (int32_t i = 0; i < g->plan[m].count; i++) {
            sl_text_put(&text, i > 0 ? ", " : " ");
            sl_text_put_len(&text, lists[i].topic.data, (size_t)lists[i].topic.size);
            for (int32_t k = 0; k < lists[i].partitions.count; k++)
                sl_text_printf(&text, " %d", ((const int32_t *)lists[i].partitions.items)[k]);
        }
    }
    assert_true(text.size < text.cap);
    return g->text;
}

static inline void group_expect(struct group *g, const char *assignor, const char *plan) {
    assert_int_equal(group_assign(g, assignor), 0);
    if (strcmp(group_plan(g), plan) != 0)
        fail_msg("%s gives\n  %s\ninstead of\n  %s", assignor, g->text, plan);
}

#endif
