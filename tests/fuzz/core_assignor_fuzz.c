/* Groups whose members send anything: what can be read of them is assigned by every assignor, each
 * partition goes to one member that is subscribed to it, and the memory it takes depends on the
 * input and the number of partitions alone.
 *
 * Input: members one behind the other: a byte of length, then that many bytes of metadata. */
#include <stdint.h>
#include <stdlib.h>

#include "core/assignor.h"
#include "fuzz/pool.h"
#include "sluice/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMBERS_CAP = 12, TOPICS = 3, PARTITIONS = 4, ASSIGNORS = 4, MEMORY_CAP = 4 << 20 };

static void require(bool condition) {
    if (!condition) abort();
}

static bool is_subscribed(const struct sl_assignor_member *m, struct sl_str topic) {
    const struct sl_str *topics = m->topics.items;
    for (int32_t i = 0; i < m->topics.count; i++)
        if (sl_bytes_str_equal(topics[i], topic)) return true;
    return false;
}

static void check_list(const struct sl_assignor_topic *topics,
                       const struct sl_consumer_partitions *list, bool seen[TOPICS][PARTITIONS]) {
    const int32_t *partitions = list->partitions.items;
    for (int t = 0; t < TOPICS; t++) {
        if (!sl_bytes_str_equal(topics[t].name, list->topic)) continue;
        for (int32_t i = 0; i < list->partitions.count; i++) {
            require(partitions[i] >= 0 && partitions[i] < topics[t].partition_count);
            require(!seen[t][partitions[i]]);
            seen[t][partitions[i]] = true;
        }
    }
}

static void check_plan(const struct sl_assignor_group *group, const struct sl_array *plan,
                       bool is_complete) {
    bool seen[TOPICS][PARTITIONS] = {0};
    for (int32_t m = 0; m < group->member_count; m++) {
        const struct sl_consumer_partitions *lists = plan[m].items;
        for (int32_t i = 0; i < plan[m].count; i++) {
            require(is_subscribed(&group->members[m], lists[i].topic));
            check_list(group->topics, &lists[i], seen);
        }
    }
    for (int t = 0; is_complete && t < TOPICS; t++) {
        bool is_wanted = false;
        for (int32_t m = 0; m < group->member_count; m++)
            is_wanted = is_wanted || is_subscribed(&group->members[m], group->topics[t].name);
        for (int p = 0; p < group->topics[t].partition_count; p++) require(seen[t][p] == is_wanted);
    }
}

/* Reads members for one assignor; those that make no sense are left out. */
static int32_t read_members(const struct sl_assignor *a, const uint8_t *data, size_t size,
                            struct sl_arena *arena, struct sl_assignor_member *members) {
    static const char ids[] = "abcdefghijkl";
    int32_t count = 0;
    for (size_t at = 0; at < size && count < MEMBERS_CAP;) {
        size_t length = data[at++];
        if (length > size - at) length = size - at;
        struct sl_bytes metadata = {data + at, (int32_t)length};
        struct sl_assignor_member *m = &members[count];
        *m = (struct sl_assignor_member){.id = {&ids[count], 1}, .instance_id = SL_STR_NULL};
        int rv = sl_assignor_read_member(a, metadata, arena, m);
        require(rv == 0 || rv == SLUICE_ERR_MALFORMED);
        if (rv == 0) count++;
        at += length;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fuzz_pool pool;
    static struct sl_str racks[] = {{"r", 1}, {"s", 1}};
    static struct sl_array replicas[] = {{racks, 1}, {racks + 1, 1}, {racks, 2}, {NULL, 0}};
    static const struct sl_assignor_topic topics[TOPICS] = {
        {{"t", 1}, PARTITIONS, replicas}, {{"u", 1}, PARTITIONS, replicas}, {{"v", 1}, 1, NULL}};
    fuzz_pool_init(&pool, 0);
    for (int number = 1; number <= ASSIGNORS; number++) {
        const struct sl_assignor *a = sl_assignor_at(number);
        struct sl_assignor_member members[MEMBERS_CAP];
        struct sl_array plan[MEMBERS_CAP];
        struct sl_arena arena;
        sl_arena_init(&arena, &pool.alloc, MEMORY_CAP);
        int32_t count = read_members(a, data, size, &arena, members);
        const struct sl_assignor_group group = {members, topics, count, TOPICS};
        require(sl_assignor_assign(a, &group, &arena, plan) == 0);
        check_plan(&group, plan, !sl_assignor_is_cooperative(a));
        sl_arena_deinit(&arena);
        require(pool.bytes == 0);
    }
    return 0;
}
