/* When and how offsets are committed.
 *
 *   task: waiting ── coordinator known ──▶ in the request ── answer ──▶ decided, told
 *            ▲                                    │
 *            └────────── try again, in front ◀────┘
 *
 * One request is under way, and what is asked for meanwhile goes together in the next one
 * (commits.c says why in what order). A refusal that passes by itself sends the entry back, until
 * the task's deadline; a refusal for membership's sake ends it, because after a rebalance the
 * partition may be another's; every other one ends it with its name.
 *
 * Ticks: nobody tells core of a finish. While records may be in the application's hands, a deadline
 * stands (collect_at); when it has passed, the host asks the gate in the same turn
 * (sl_core_wants_finished) and the answer comes as a COMMIT. When the gate says that nothing is in
 * hand or queued, no deadline stands until the next records are handed on: an idle consumer is not
 * woken. A place that auto.offset.reset led to is committed by a tick of its own, soon: a restart
 * before that would be led elsewhere, past the records that came in between. One tick's task at a
 * time: what is refused for a partition's own sake is left to the next, so that one partition
 * doesn't keep the others from being committed, nor tasks pile up.
 *
 * Not here: the request (committer_send.c), how tasks end (committer_end.c), what is finished
 * (gate_commit.c), which member asks (group.c). */
#include "core/committer.h"

#include <inttypes.h>

#include "core/group.h"
#include "core/unit.h"
#include "sluice/error.h"

/* After a look that found nothing the next one comes no sooner, however short the interval is: who holds
 * records for long is not to be asked a thousand times a second. */
enum { COMMITTER_LOOK_MS = 10 };
/* Places that were looked up are committed so much later: those that other brokers know come
 * meanwhile, and go in one request. */
enum { COMMITTER_PLACED_MS = 50 };

void sl_committer_init(struct sl_committer *c, struct sl_core *core) {
    c->core = core;
    sl_list_init(&c->waiting);
    sl_list_init(&c->sent);
    sl_commits_merge_init(&c->merge, core->alloc);
    c->collect_at = SL_NEVER;
}

static void drop_tasks(struct sl_core *core, struct sl_list *tasks) {
    SL_LIST_EACH(node, next, tasks)
        sl_commits_destroy(core->alloc, SL_LIST_OF(node, struct sl_commit_task, node));
}

void sl_committer_deinit(struct sl_committer *c) {
    sl_calls_cancel(c->core, &c->call);
    sl_commits_merge_deinit(&c->merge);
    drop_tasks(c->core, &c->waiting);
    drop_tasks(c->core, &c->sent);
}

static bool has_group(const struct sl_core *core) { return core->settings->group_id[0] != '\0'; }

static int64_t tick_ns(const struct sl_core *core) {
    return core->settings->auto_commit_ms * SL_MS;
}

/* When the next tick is due. Failures wait longer, with no setting in a hot loop. */
static int64_t next_tick(const struct sl_core *core) {
    int64_t at = core->now + tick_ns(core);
    return at > core->committer.tick_after ? at : core->committer.tick_after;
}

static void collect_by(struct sl_core *core, int64_t at) {
    if (at < core->committer.collect_at) core->committer.collect_at = at;
}

void sl_committer_collect_again(struct sl_core *core) {
    struct sl_committer *c = &core->committer;
    c->everything = true;
    if (core->settings->auto_commit && !c->is_closing) collect_by(core, next_tick(core));
}

void sl_committer_note_tick_end(struct sl_core *core, int code) {
    struct sl_committer *c = &core->committer;
    const struct sl_settings *settings = core->settings;
    c->is_ticking = false;
    if (code == 0) {
        c->tick_failures = 0;
        /* It waited for this end; the host asks in its next turn. */
        if (c->collect_at <= core->now) c->collect_at = core->now + 1;
        return;
    }
    c->tick_after = core->now + sl_core_backoff(core, settings->retry_backoff_ms,
                                                settings->retry_backoff_max_ms, c->tick_failures);
    if (c->tick_failures < UINT32_MAX) c->tick_failures++;
    if (!c->is_closing && c->collect_at < c->tick_after) c->collect_at = c->tick_after;
}

/* ---- what is asked for ---- */

/* Queues a task, which takes the list. NULL: out of memory. */
static struct sl_commit_task *add_task(struct sl_core *core, enum sl_commit_for for_whom,
                                       struct sl_offsets *list) {
    struct sl_commit_task *task = sl_commits_create(core->alloc, for_whom, list);
    if (task != NULL) sl_list_push_back(&core->committer.waiting, &task->node);
    return task;
}

void sl_committer_on_dropped(struct sl_core *core) { sl_committer_collect_again(core); }

static void on_asked(struct sl_core *core, struct sl_command *command) {
    struct sl_op *op = command->op;
    command->op = NULL;
    if (!has_group(core)) {
        sl_ops_end(&core->ops, op, SLUICE_ERR_CONFIG,
                   "group.id is not set, so there is no group to commit offsets for");
    } else if (command->is_nothing_finished) {
        sl_ops_end(&core->ops, op, SLUICE_ERR_NO_OFFSET,
                   "records were handed out, but none is finished: give batches back with "
                   "sluice_batch_finish, or name the offsets");
    } else if (command->offsets->count == 0) {
        sl_ops_end(&core->ops, op, 0, NULL);
    } else {
        struct sl_commit_task *task = add_task(core, SL_COMMIT_FOR_OP, command->offsets);
        if (task == NULL) {
            sl_committer_on_dropped(core);
            sl_ops_end(&core->ops, op, SLUICE_ERR_NOMEM, "no memory to commit");
            return;
        }
        command->offsets = NULL;
        task->op = op;
        op->owner = task;
        op->on_over = sl_committer_on_over;
    }
}

static void on_collected(struct sl_core *core, struct sl_command *command) {
    struct sl_committer *c = &core->committer;
    bool goes_on = command->may_finish_more && !c->is_closing;
    c->collect_at = goes_on ? next_tick(core) : SL_NEVER;
    c->everything = false;
    if (command->offsets->count == 0) {
        if (goes_on && c->collect_at < core->now + COMMITTER_LOOK_MS * SL_MS)
            c->collect_at = core->now + COMMITTER_LOOK_MS * SL_MS;
        return;
    }
    enum sl_commit_for for_whom = c->is_closing ? SL_COMMIT_FOR_CLOSE : SL_COMMIT_FOR_TICK;
    if (add_task(core, for_whom, command->offsets) == NULL) {
        c->everything = true;
        collect_by(core, sl_core_retry_at(core, 0));
        return;
    }
    command->offsets = NULL;
    if (for_whom == SL_COMMIT_FOR_TICK) c->is_ticking = true;
}

/* Nobody can ask the gate for them any more. */
static void on_left(struct sl_core *core, struct sl_command *command) {
    struct sl_commit_task *task = add_task(core, SL_COMMIT_FOR_LEFT, command->offsets);
    if (task == NULL) {
        sl_core_log(core, SL_LOG_WARNING,
                    "no memory to commit %d offsets of partitions that were given up",
                    (int)command->offsets->count);
        return;
    }
    command->offsets = NULL;
    task->deadline = core->now + core->settings->default_api_timeout_ms * SL_MS;
}

void sl_committer_on_command(struct sl_core *core, struct sl_command *command) {
    if (command->kind == SL_COMMAND_UNFINISHED) {
        const struct sl_slot_order *order = &command->slots[0];
        const struct sl_fetch_position *position = core->fetcher.slots[order->slot];
        sl_core_log(core, SL_LOG_WARNING,
                    "%s-%d: records from offset %" PRId64 " on were given back unfinished (by "
                    "sluice_batch_free): no commit passes them, here and wherever it happens again",
                    position->name, (int)position->index, order->offset);
        return;
    }
    switch (command->source) {
    case SL_COMMIT_ASKED:
        on_asked(core, command);
        break;
    case SL_COMMIT_COLLECTED:
        on_collected(core, command);
        break;
    case SL_COMMIT_LEFT:
        on_left(core, command);
        break;
    }
}

int sl_committer_commit(struct sl_core *core, struct sl_offsets *list, int64_t deadline) {
    struct sl_commit_task *task = add_task(core, SL_COMMIT_FOR_GROUP, list);
    if (task == NULL) return SLUICE_ERR_NOMEM;
    task->deadline = deadline;
    return 0;
}

void sl_committer_on_handed(struct sl_core *core) {
    struct sl_committer *c = &core->committer;
    if (c->collect_at != SL_NEVER || !core->settings->auto_commit || c->is_closing) return;
    c->collect_at = next_tick(core);
}

void sl_committer_on_placed(struct sl_core *core) {
    if (!core->settings->auto_commit || core->committer.is_closing) return;
    collect_by(core, core->now + COMMITTER_PLACED_MS * SL_MS);
}

/* One tick at a time: the next waits until what the last one brought is decided. */
static bool may_collect(const struct sl_committer *c) { return !c->is_ticking || c->is_closing; }

bool sl_committer_wants_finished(const struct sl_core *core, bool *everything) {
    const struct sl_committer *c = &core->committer;
    *everything = c->everything || c->is_closing;
    return c->collect_at <= core->now && may_collect(c);
}

static bool is_saving(const struct sl_list *tasks) {
    SL_LIST_EACH(node, next, tasks) {
        enum sl_commit_for whom = SL_LIST_OF(node, const struct sl_commit_task, node)->for_whom;
        if (whom == SL_COMMIT_FOR_LEFT || whom == SL_COMMIT_FOR_GROUP) return true;
    }
    return false;
}

bool sl_committer_is_saving(const struct sl_core *core) {
    return is_saving(&core->committer.waiting) || is_saving(&core->committer.sent);
}

/* ---- closing ---- */

void sl_committer_close(struct sl_core *core) {
    struct sl_committer *c = &core->committer;
    c->is_closing = true;
    c->collect_at = core->settings->auto_commit ? core->now : SL_NEVER;
}

bool sl_committer_is_done(const struct sl_core *core) {
    const struct sl_committer *c = &core->committer;
    return c->collect_at == SL_NEVER && sl_list_is_empty(&c->waiting) && sl_list_is_empty(&c->sent);
}

/* ---- turns ---- */

/* A task without op whose time is over. In the request its offsets go on, for nobody. */
static void expire_tasks(struct sl_core *core) {
    struct sl_committer *c = &core->committer;
    struct sl_list over;
    sl_list_init(&over);
    SL_LIST_EACH(node, next, &c->waiting) {
        struct sl_commit_task *task = SL_LIST_OF(node, struct sl_commit_task, node);
        if (task->deadline > core->now) continue;
        sl_list_remove(node);
        sl_list_push_back(&over, node);
    }
    bool is_told = false;
    SL_LIST_EACH(node, next, &c->sent) {
        struct sl_commit_task *task = SL_LIST_OF(node, struct sl_commit_task, node);
        if (task->deadline > core->now || task->for_whom != SL_COMMIT_FOR_GROUP) continue;
        task->for_whom = SL_COMMIT_FOR_LEFT;
        is_told = true;
    }
    for (struct sl_list *node; (node = sl_list_peek(&over)) != NULL;)
        sl_committer_end_undecided(core, SL_LIST_OF(node, struct sl_commit_task, node),
                                   SLUICE_ERR_TIMEOUT);
    if (is_told) sl_group_on_committed(core);
}

void sl_committer_run(struct sl_core *core) {
    struct sl_committer *c = &core->committer;
    expire_tasks(core);
    /* The gate had no memory to answer. */
    if (c->collect_at <= core->now && may_collect(c)) c->collect_at = sl_core_retry_at(core, 0);
    sl_committer_send(core);
}

int64_t sl_committer_deadline(const struct sl_core *core) {
    const struct sl_committer *c = &core->committer;
    int64_t at = may_collect(c) ? c->collect_at : SL_NEVER;
    SL_LIST_EACH(node, next, &c->waiting) {
        const struct sl_commit_task *task = SL_LIST_OF(node, const struct sl_commit_task, node);
        if (task->deadline < at) at = task->deadline;
    }
    SL_LIST_EACH(node, next, &c->sent) {
        const struct sl_commit_task *task = SL_LIST_OF(node, const struct sl_commit_task, node);
        if (task->for_whom == SL_COMMIT_FOR_GROUP && task->deadline < at) at = task->deadline;
    }
    bool backs_off = c->call.not_before > core->now && !c->call.active;
    if (backs_off && !sl_list_is_empty(&c->waiting) && c->call.not_before < at)
        at = c->call.not_before;
    return at;
}

/* ---- looking inside ---- */

static int32_t count_open(const struct sl_list *tasks, bool is_sent) {
    int32_t open = 0;
    SL_LIST_EACH(node, next, tasks) {
        const struct sl_commit_task *task = SL_LIST_OF(node, const struct sl_commit_task, node);
        SL_ASSERT(task->open > 0 && task->is_sent == is_sent);
        SL_ASSERT(task->op == NULL || task->for_whom == SL_COMMIT_FOR_OP);
        open += task->open;
    }
    return open;
}

void sl_committer_check(const struct sl_core *core) {
    const struct sl_committer *c = &core->committer;
    SL_ASSERT((count_open(&c->sent, true) > 0) == c->call.active);
    (void)count_open(&c->waiting, false);
    SL_ASSERT(has_group(core) || sl_list_is_empty(&c->waiting));
}

void sl_committer_dump(const struct sl_core *core, struct sl_text *out) {
    const struct sl_committer *c = &core->committer;
    if (!has_group(core)) return;
    sl_text_printf(out, "commits group=%s sent=%d waiting=%d attempts=%u%s\n",
                   core->settings->group_id, (int)count_open(&c->sent, true),
                   (int)count_open(&c->waiting, false), c->call.attempts,
                   c->is_ticking ? " ticking" : "");
}
