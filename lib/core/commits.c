/* Commit tasks, and their merge into one request.
 *
 * One request is under way at a time, and later tasks wait; then all of them go together, each
 * partition with the offset of its last task. So an older offset never arrives behind a newer one,
 * and whoever asked earlier has what was asked for once the later offset is kept: it stands for
 * both. An entry that has to be asked for again goes before those that came later, with the same
 * effect. */
#include "core/commits.h"

#include "base/assert.h"
#include "sluice/error.h"
#include "wire/messages.h"

/* ---- tasks ---- */

struct sl_commit_task *sl_commits_create(const struct sl_alloc *alloc, enum sl_commit_for for_whom,
                                         struct sl_offsets *list) {
    struct sl_commit_task *task = sl_alloc_zero(alloc, sizeof *task);
    if (task == NULL) return NULL;
    if (list->count > 0) {
        task->at = sl_alloc_array(alloc, (size_t)list->count, sizeof *task->at);
        if (task->at == NULL) {
            sl_alloc_free(alloc, task, sizeof *task);
            return NULL;
        }
    }
    sl_list_init(&task->node);
    task->for_whom = for_whom;
    task->list = list;
    task->open = task->count = list->count;
    task->deadline = INT64_MAX;
    for (int32_t i = 0; i < list->count; i++) list->entries[i].code = SLUICE_ERR_PENDING;
    return task;
}

void sl_commits_destroy(const struct sl_alloc *alloc, struct sl_commit_task *task) {
    SL_ASSERT(task->op == NULL);
    sl_list_remove(&task->node);
    sl_alloc_free(alloc, task->at, (size_t)task->count * sizeof *task->at);
    sl_offset_list_destroy(task->list);
    sl_alloc_free(alloc, task, sizeof *task);
}

void sl_commits_decide(struct sl_commit_task *task, struct sl_offset_entry *entry, int code) {
    SL_ASSERT(entry->code == SLUICE_ERR_PENDING && code != SLUICE_ERR_PENDING);
    entry->code = code;
    task->open--;
    task->failed += code != 0;
}

void sl_commits_decide_rest(struct sl_commit_task *task, int code) {
    for (int32_t i = 0; i < task->list->count; i++) {
        struct sl_offset_entry *entry = &task->list->entries[i];
        if (entry->code == SLUICE_ERR_PENDING) sl_commits_decide(task, entry, code);
    }
}

const struct sl_offset_entry *sl_commits_find(const struct sl_commit_task *task, int code) {
    for (int32_t i = 0; i < task->list->count; i++)
        if (task->list->entries[i].code == code) return &task->list->entries[i];
    return NULL;
}

int sl_commits_code(const struct sl_commit_task *task) {
    for (int32_t i = 0; i < task->list->count; i++)
        if (task->list->entries[i].code != 0) return task->list->entries[i].code;
    return 0;
}

/* ---- merging ---- */

void sl_commits_merge_init(struct sl_commit_merge *merge, const struct sl_alloc *alloc) {
    sl_partition_index_init(&merge->index, alloc);
    merge->values = NULL;
    merge->cap = 0;
}

void sl_commits_merge_deinit(struct sl_commit_merge *merge) {
    sl_alloc_free(merge->index.alloc, merge->values, (size_t)merge->cap * sizeof *merge->values);
    merge->values = NULL;
    merge->cap = 0;
    sl_partition_index_deinit(&merge->index);
}

static int reserve_merge(struct sl_commit_merge *merge, struct sl_list *tasks) {
    int64_t most = 0;
    SL_LIST_EACH(node, next, tasks) most += SL_LIST_OF(node, struct sl_commit_task, node)->open;
    int rv = sl_partition_index_reserve(&merge->index, most);
    if (rv != 0 || most == 0) return rv;
    merge->values = sl_alloc_array(merge->index.alloc, (size_t)most, sizeof *merge->values);
    if (merge->values == NULL) return SLUICE_ERR_NOMEM;
    merge->cap = (int32_t)most;
    return 0;
}

static int merge_entry(struct sl_commit_merge *merge, const struct sl_offset_entry *entry,
                       int32_t *at) {
    int rv = sl_partition_index_add(&merge->index, entry->topic, entry->partition, at);
    if (rv != 0) return rv;
    merge->values[*at] = (struct sl_commit_value){.entry = entry, .code = SLUICE_ERR_PENDING};
    return 0;
}

int sl_commits_merge(struct sl_commit_merge *merge, struct sl_list *tasks) {
    sl_commits_merge_deinit(merge);
    int rv = reserve_merge(merge, tasks);
    SL_LIST_EACH(node, next, tasks) {
        struct sl_commit_task *task = SL_LIST_OF(node, struct sl_commit_task, node);
        for (int32_t i = 0; rv == 0 && i < task->list->count; i++) {
            const struct sl_offset_entry *entry = &task->list->entries[i];
            if (entry->code == SLUICE_ERR_PENDING) rv = merge_entry(merge, entry, &task->at[i]);
        }
    }
    return rv;
}

/* ---- the request, and its answer ---- */

struct sl_array sl_commits_merge_topics(struct sl_commit_merge *merge, struct sl_arena *arena) {
    struct sl_partition_index *index = &merge->index;
    struct sl_offset_commit_topic *topics =
        sl_arena_array(arena, (size_t)index->group_count, sizeof *topics);
    struct sl_offset_commit_partition *partitions =
        sl_arena_array(arena, (size_t)index->count, sizeof *partitions);
    if (topics == NULL || partitions == NULL) return (struct sl_array){NULL, 0};
    sl_partition_index_order(index);
    for (int32_t i = 0; i < index->group_count; i++) {
        const struct sl_partition_group *group = &index->groups[i];
        topics[i].name = sl_bytes_str(group->name);
        topics[i].topic_id = group->id;
        topics[i].partitions = (struct sl_array){&partitions[group->first], group->count};
    }
    for (int32_t i = 0; i < index->count; i++) {
        const struct sl_offset_entry *entry = merge->values[i].entry;
        partitions[index->entries[i].place] = (struct sl_offset_commit_partition){
            .partition = entry->partition,
            .offset = entry->offset,
            .leader_epoch = entry->leader_epoch,
            .metadata = entry->metadata == NULL ? SL_STR("") : sl_bytes_str(entry->metadata)};
    }
    return (struct sl_array){topics, index->group_count};
}

void sl_commits_merge_answer(struct sl_commit_merge *merge, struct sl_str topic, int32_t partition,
                             int code) {
    int32_t at = sl_partition_index_find(&merge->index, topic, partition);
    if (at >= 0) merge->values[at].code = code;
}

int sl_commits_merge_code(const struct sl_commit_merge *merge, const struct sl_commit_task *task,
                          int32_t index) {
    return merge->values[task->at[index]].code;
}
