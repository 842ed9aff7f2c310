/* What is to be committed: tasks, and the one request that tasks become together. */
#ifndef SL_CORE_COMMITS_H
#define SL_CORE_COMMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/list.h"
#include "core/offset_list.h"
#include "core/ops.h"
#include "core/partition_index.h"

/* Who is told how a task ended. */
enum sl_commit_for {
    SL_COMMIT_FOR_OP = 1, /* its op */
    SL_COMMIT_FOR_TICK,   /* nobody: the next tick takes up what did not succeed */
    SL_COMMIT_FOR_LEFT,   /* nobody, and nobody takes it up: the partitions are not assigned */
    SL_COMMIT_FOR_GROUP,  /* membership, which gives the partitions away then */
    SL_COMMIT_FOR_CLOSE   /* the close of the client */
};
/* Offsets that belong together because one asked for them. An entry's code is PENDING until it is
 * decided. */
struct sl_commit_task {
    struct sl_list node; /* waiting, or in the request */
    enum sl_commit_for for_whom;
    bool is_sent;            /* it is in the request */
    struct sl_op *op;        /* owned until it is ended; NULL: nobody waits any more */
    struct sl_offsets *list; /* owned; NULL: the op has it */
    int32_t count;           /* of its entries */
    int32_t *at;             /* owned: by entry, its number in the merge */
    int32_t open;            /* entries that are not decided */
    int32_t failed;          /* entries that were refused */
    int64_t deadline;        /* of one without op; SL_NEVER: none */
    int why;                 /* what the last attempt came to: why it still waits */
};
/* Takes the list. NULL: out of memory, and the list is still the caller's. */
struct sl_commit_task *sl_commits_create(const struct sl_alloc *alloc, enum sl_commit_for for_whom,
                                         struct sl_offsets *list);
/* Its op has ended, or is another's. */
void sl_commits_destroy(const struct sl_alloc *alloc, struct sl_commit_task *task);
/* Decides one entry. */
void sl_commits_decide(struct sl_commit_task *task, struct sl_offset_entry *entry, int code);
/* Decides all that are open. */
void sl_commits_decide_rest(struct sl_commit_task *task, int code);
/* The first entry with that code (PENDING: open); NULL: none. */
const struct sl_offset_entry *sl_commits_find(const struct sl_commit_task *task, int code);
/* The code of the first entry that was refused; 0: none was. */
int sl_commits_code(const struct sl_commit_task *task);

/* The offsets of one request: of each partition what the last task says. */
struct sl_commit_merge {
    struct sl_partition_index index;
    struct sl_commit_value *values; /* owned: by number in the index */
    int32_t cap;
};
struct sl_commit_value {
    const struct sl_offset_entry *entry; /* borrowed from its task */
    int code;                            /* of the answer; PENDING: it has none */
};
void sl_commits_merge_init(struct sl_commit_merge *merge, const struct sl_alloc *alloc);
/* Empties it. */
void sl_commits_merge_deinit(struct sl_commit_merge *merge);
/* Empties the merge and fills it with the open entries of these tasks, in order. 0 or NOMEM. */
int sl_commits_merge(struct sl_commit_merge *merge, struct sl_list *tasks);
/* The topics of the request, of struct sl_offset_commit_topic; memory of the arena, which may have
 * failed. */
struct sl_array sl_commits_merge_topics(struct sl_commit_merge *merge, struct sl_arena *arena);
/* The answer for one partition; of one that was not asked for it is dropped. */
void sl_commits_merge_answer(struct sl_commit_merge *merge, struct sl_str topic, int32_t partition,
                             int code);
/* The code of a task's entry, by its place in the task. */
int sl_commits_merge_code(const struct sl_commit_merge *merge, const struct sl_commit_task *task,
                          int32_t index);

#endif
