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
 * woken. One tick's task at a time: what is refused for a partition's own sake is left to the next,
 * so that one partition doesn't keep the others from being committed, nor tasks pile up.
 *
 * Not here: what is finished (gate_commit.c), which member asks (group.c). */
#include "core/committer.h"

#include <inttypes.h>

#include "core/group.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

/* What the answer for an offset means. */
enum commit_verdict {
    COMMIT_DONE = 1,
    COMMIT_AGAIN,     /* this partition, in a while */
    COMMIT_ALL_AGAIN, /* the coordinator is not ready, or memory was short */
    COMMIT_ELSEWHERE, /* the same, and another broker may be it */
    COMMIT_REFUSED
};

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

/* The next tick has everything again that is not known to be committed, as far as it is assigned. */
static void collect_again(struct sl_core *core) {
    struct sl_committer *c = &core->committer;
    c->everything = true;
    if (core->settings->auto_commit && !c->is_closing) collect_by(core, next_tick(core));
}

static void note_tick_end(struct sl_core *core, int code) {
    struct sl_committer *c = &core->committer;
    const struct sl_settings *settings = core->settings;
    c->is_ticking = false;
    if (code == 0) {
        c->tick_failures = 0;
        return;
    }
    c->tick_after = core->now + sl_core_backoff(core, settings->retry_backoff_ms,
                                                settings->retry_backoff_max_ms, c->tick_failures);
    if (c->tick_failures < UINT32_MAX) c->tick_failures++;
    if (!c->is_closing && c->collect_at < c->tick_after) c->collect_at = c->tick_after;
}

/* ---- the ends of tasks ---- */

static void put_entry(struct sl_text *t, const struct sl_offset_entry *entry) {
    sl_text_printf(t, "%.120s-%d at offset %" PRId64, entry->topic, (int)entry->partition,
                   entry->offset);
}

/* What was not committed, and why. */
static void describe_task(struct sl_text *t, const struct sl_core *core,
                          const struct sl_commit_task *task, int code) {
    const struct sl_offset_entry *entry = sl_commits_find(task, code);
    const struct sl_error *error = sl_errors_find(code);
    if (entry != NULL) put_entry(t, entry);
    if (task->failed > 1) sl_text_printf(t, " and %d others", (int)task->failed - 1);
    sl_text_printf(t, ": not committed for group %.80s: %s, %s", core->settings->group_id,
                   error->name, error->text);
    if (code < 0 && task->why != 0 && task->why != code)
        sl_text_printf(t, " (the last attempt: %s)", sl_errors_find(task->why)->name);
}

static bool is_membership(int code) {
    return code == SLUICE_KAFKA_ILLEGAL_GENERATION || code == SLUICE_KAFKA_UNKNOWN_MEMBER_ID ||
           code == SLUICE_KAFKA_REBALANCE_IN_PROGRESS || code == SLUICE_KAFKA_FENCED_INSTANCE_ID ||
           code == SLUICE_KAFKA_FENCED_MEMBER_EPOCH || code == SLUICE_KAFKA_STALE_MEMBER_EPOCH;
}

/* Said once until something else goes wrong, or commits succeed again. */
static void log_failure(struct sl_core *core, const struct sl_commit_task *task, int code) {
    struct sl_committer *c = &core->committer;
    char buf[SL_OP_TEXT];
    struct sl_text text;
    if (c->told == code) return;
    c->told = code;
    sl_text_init(&text, buf, sizeof buf);
    describe_task(&text, core, task, code);
    sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_WARNING, code, -1, "%s", buf);
}

static void end_commit_op(struct sl_core *core, struct sl_commit_task *task, int code) {
    struct sl_op *op = task->op;
    char buf[SL_OP_TEXT] = "";
    struct sl_text text;
    if (op == NULL) return;
    sl_text_init(&text, buf, sizeof buf);
    if (code != 0) describe_task(&text, core, task, code);
    task->op = NULL;
    op->offsets = task->list;
    task->list = NULL;
    sl_ops_end(&core->ops, op, code, "%s", buf);
}

static void note_close_failure(struct sl_core *core, const struct sl_commit_task *task, int code) {
    struct sl_committer *c = &core->committer;
    struct sl_text text;
    if (c->close_code != 0) return;
    c->close_code = code;
    sl_text_init(&text, c->close_text, sizeof c->close_text);
    describe_task(&text, core, task, code);
}

/* All its entries are decided. */
static void end_task(struct sl_core *core, struct sl_commit_task *task) {
    struct sl_committer *c = &core->committer;
    enum sl_commit_for for_whom = task->for_whom;
    int code = sl_commits_code(task);
    sl_list_remove(&task->node);
    if (for_whom == SL_COMMIT_FOR_TICK) note_tick_end(core, code);
    if (code != 0) {
        bool is_asked = for_whom == SL_COMMIT_FOR_OP;
        /* Of a rebalance the group tells by itself. */
        if (!is_asked && !is_membership(code)) log_failure(core, task, code);
        /* What a tick left is in the task of the close. */
        if (c->is_closing && !is_asked && for_whom != SL_COMMIT_FOR_TICK)
            note_close_failure(core, task, code);
        collect_again(core);
    }
    end_commit_op(core, task, code);
    sl_commits_destroy(core->alloc, task);
    if (for_whom == SL_COMMIT_FOR_GROUP) sl_group_on_committed(core);
}

static void end_undecided(struct sl_core *core, struct sl_commit_task *task, int code) {
    sl_commits_decide_rest(task, code);
    end_task(core, task);
}

/* The deadline of an op, or the end of the client. A request that has left goes on for others. */
static void on_commit_over(struct sl_core *core, struct sl_op *op, int code) {
    struct sl_commit_task *task = op->owner;
    char buf[SL_OP_TEXT];
    struct sl_text text;
    sl_text_init(&text, buf, sizeof buf);
    const struct sl_offset_entry *entry = sl_commits_find(task, SLUICE_ERR_PENDING);
    sl_text_printf(&text, "%d of %d offsets are not known to be committed for group %.80s%s: ",
                   (int)task->open, (int)task->list->count, core->settings->group_id,
                   code == SLUICE_ERR_TIMEOUT ? " in time" : "");
    put_entry(&text, entry);
    if (task->why != 0) sl_text_printf(&text, ", %s", sl_errors_find(task->why)->name);
    task->op = NULL;
    sl_ops_end(&core->ops, op, code, "%s", buf);
    collect_again(core);
    if (!task->is_sent) sl_commits_destroy(core->alloc, task);
}

/* ---- the answer ---- */

static enum commit_verdict judge_commit(int code) {
    switch (code) {
    case 0:
        return COMMIT_DONE;
    case SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS:
    case SLUICE_ERR_NOMEM: /* for the request, or its answer */
        return COMMIT_ALL_AGAIN;
    case SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE:
    case SLUICE_KAFKA_NOT_COORDINATOR:
    case SLUICE_ERR_UNREACHABLE:
    case SLUICE_ERR_TIMEOUT:
    case SLUICE_ERR_MALFORMED:
        return COMMIT_ELSEWHERE;
    case SLUICE_ERR_PENDING: /* the answer left it out */
    case SLUICE_KAFKA_STALE_MEMBER_EPOCH:
        return COMMIT_AGAIN;
    case SLUICE_KAFKA_REBALANCE_IN_PROGRESS:
        return COMMIT_REFUSED;
    default:
        return sl_errors_is_retriable(code) && code > 0 ? COMMIT_AGAIN : COMMIT_REFUSED;
    }
}

/* Whether the task asks again for an entry with that verdict. */
static bool may_ask_again(const struct sl_core *core, const struct sl_commit_task *task,
                          enum commit_verdict verdict) {
    if (task->for_whom == SL_COMMIT_FOR_OP) return task->op != NULL;
    if (task->deadline <= core->now) return false;
    return task->for_whom != SL_COMMIT_FOR_TICK || verdict != COMMIT_AGAIN;
}

/* The codes of the answer, or of its absence, for one task. */
static void judge_task(struct sl_core *core, struct sl_commit_task *task, int rv) {
    for (int32_t i = 0; i < task->list->count; i++) {
        struct sl_offset_entry *entry = &task->list->entries[i];
        if (entry->code != SLUICE_ERR_PENDING) continue;
        int code = rv != 0 ? rv : sl_commits_merge_code(&core->committer.merge, task, i);
        enum commit_verdict verdict = judge_commit(code);
        if (verdict == COMMIT_DONE || verdict == COMMIT_REFUSED) {
            sl_commits_decide(task, entry, code);
        } else if (may_ask_again(core, task, verdict)) {
            task->why = code;
        } else {
            sl_commits_decide(task, entry,
                              code == SLUICE_ERR_PENDING ? SLUICE_ERR_MALFORMED : code);
        }
    }
}

static void take_commit_answer(struct sl_commit_merge *merge,
                               const struct sl_offset_commit_response *m) {
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_offset_commit_topic_response *topic =
            (const struct sl_offset_commit_topic_response *)m->topics.items + t;
        const struct sl_offset_commit_partition_response *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++)
            sl_commits_merge_answer(merge, topic->name, p[i].partition,
                                    sl_calls_code(p[i].error_code));
    }
}

/* The gate learns what is committed; who is elsewhere, and whether membership is in doubt. */
static void spread_answer(struct sl_core *core, int rv) {
    struct sl_committer *c = &core->committer;
    bool is_elsewhere = judge_commit(rv) == COMMIT_ELSEWHERE;
    int refused = 0;
    int failed = rv;
    for (int32_t i = 0; rv == 0 && i < c->merge.index.count; i++) {
        const struct sl_commit_value *value = &c->merge.values[i];
        if (value->code != 0) failed = value->code;
        is_elsewhere |= judge_commit(value->code) == COMMIT_ELSEWHERE;
        if (is_membership(value->code)) refused = value->code;
        if (value->code != 0 || value->entry->slot_epoch == 0) continue;
        struct sl_slot_news *news =
            sl_fetcher_tell(core, value->entry->slot, value->entry->slot_epoch);
        if (news == NULL)
            collect_again(core);
        else
            news->committed = value->entry->offset;
    }
    if (failed == 0) c->told = 0;
    sl_stats_on_commit(core, core->now - c->sent_at, failed);
    if (is_elsewhere) sl_coordinators_forget(core, SL_COORDINATOR_GROUP, core->settings->group_id);
    if (refused != 0) sl_group_on_refused(core, refused, c->sent_epoch);
}

/* What has open entries goes back to the front; the others end. */
static void settle_sent(struct sl_core *core) {
    struct sl_committer *c = &core->committer;
    struct sl_list again, ended;
    sl_list_init(&again);
    sl_list_init(&ended);
    for (struct sl_list *node; (node = sl_list_pop_front(&c->sent)) != NULL;) {
        struct sl_commit_task *task = SL_LIST_OF(node, struct sl_commit_task, node);
        task->is_sent = false;
        sl_list_push_back(task->open > 0 ? &again : &ended, node);
    }
    if (sl_list_is_empty(&again)) {
        c->call.attempts = 0;
        c->call.not_before = 0;
    } else {
        sl_calls_back_off(core, &c->call);
    }
    sl_list_splice_back(&again, &c->waiting);
    sl_list_splice_back(&c->waiting, &again);
    for (struct sl_list *node; (node = sl_list_peek(&ended)) != NULL;)
        end_task(core, SL_LIST_OF(node, struct sl_commit_task, node));
}

static void on_commit_answered(struct sl_core *core, struct sl_call *call, int rv,
                               const void *response) {
    struct sl_committer *c = &core->committer;
    (void)call;
    if (rv == SLUICE_ERR_CLOSED) { /* the ops end with that after the calls */
        sl_list_splice_back(&c->sent, &c->waiting);
        sl_list_splice_back(&c->waiting, &c->sent);
        SL_LIST_EACH(node, next, &c->waiting)
            SL_LIST_OF(node, struct sl_commit_task, node)->is_sent = false;
        sl_commits_merge_deinit(&c->merge);
        return;
    }
    if (rv == 0) take_commit_answer(&c->merge, response);
    SL_LIST_EACH(node, next, &c->sent)
        judge_task(core, SL_LIST_OF(node, struct sl_commit_task, node), rv);
    spread_answer(core, rv);
    sl_commits_merge_deinit(&c->merge);
    settle_sent(core);
}

/* ---- the request ---- */

static int fill_commit(struct sl_core *core, struct sl_call *call, int16_t version,
                       struct sl_arena *arena, void *message) {
    struct sl_committer *c = &core->committer;
    struct sl_offset_commit_request *m = message;
    struct sl_group_identity who;
    (void)call;
    (void)version;
    int rv = sl_commits_merge(&c->merge, &c->sent);
    if (rv != 0) return rv;
    sl_group_identity(core, &who);
    m->group_id = sl_bytes_str(who.group_id);
    m->member_id = sl_bytes_str(who.member_id);
    m->instance_id = who.instance_id == NULL ? SL_STR_NULL : sl_bytes_str(who.instance_id);
    m->generation = who.epoch;
    m->topics = sl_commits_merge_topics(&c->merge, arena);
    c->sent_epoch = who.epoch;
    c->sent_at = core->now;
    return 0;
}

/* All that wait go, once the coordinator is known. */
static void send_waiting(struct sl_core *core) {
    struct sl_committer *c = &core->committer;
    int rv;
    if (c->call.active || sl_list_is_empty(&c->waiting) || c->call.not_before > core->now) return;
    c->call.api = sl_api_find(SL_API_OFFSET_COMMIT);
    int32_t broker =
        sl_coordinators_find(core, SL_COORDINATOR_GROUP, core->settings->group_id, &rv);
    if (broker < 0 && rv == SLUICE_ERR_NOMEM) sl_calls_back_off(core, &c->call);
    if (broker < 0 && rv != 0 && rv != SLUICE_ERR_NOMEM) {
        struct sl_list refused;
        sl_list_init(&refused);
        sl_list_splice_back(&refused, &c->waiting);
        for (struct sl_list *node; (node = sl_list_peek(&refused)) != NULL;)
            end_undecided(core, SL_LIST_OF(node, struct sl_commit_task, node), rv);
    }
    if (broker < 0) return;
    SL_LIST_EACH(node, next, &c->waiting)
        SL_LIST_OF(node, struct sl_commit_task, node)->is_sent = true;
    sl_list_splice_back(&c->sent, &c->waiting);
    c->call.broker = broker;
    c->call.purpose = SL_PURPOSE_COORDINATOR;
    c->call.deadline = SL_NEVER;
    c->call.fill = fill_commit;
    c->call.done = on_commit_answered;
    sl_calls_start(core, &c->call);
}

/* ---- what is asked for ---- */

/* Queues a task, which takes the list. NULL: out of memory. */
static struct sl_commit_task *add_task(struct sl_core *core, enum sl_commit_for for_whom,
                                       struct sl_offsets *list) {
    struct sl_commit_task *task = sl_commits_create(core->alloc, for_whom, list);
    if (task != NULL) sl_list_push_back(&core->committer.waiting, &task->node);
    return task;
}

void sl_committer_on_dropped(struct sl_core *core) { collect_again(core); }

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
        op->on_over = on_commit_over;
    }
}

static void on_collected(struct sl_core *core, struct sl_command *command) {
    struct sl_committer *c = &core->committer;
    bool goes_on = command->may_finish_more && !c->is_closing;
    c->collect_at = goes_on ? next_tick(core) : SL_NEVER;
    c->everything = false;
    if (command->offsets->count == 0) return;
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

bool sl_committer_wants_finished(const struct sl_core *core, bool *everything) {
    const struct sl_committer *c = &core->committer;
    *everything = c->everything || c->is_closing;
    return c->collect_at <= core->now && (!c->is_ticking || c->is_closing);
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

void sl_committer_tell_close(const struct sl_core *core, struct sl_text *text) {
    const struct sl_committer *c = &core->committer;
    const struct sl_list *lists[] = {&c->sent, &c->waiting};
    sl_text_put(text, c->close_text);
    for (size_t i = 0; c->close_code == 0 && i < sizeof lists / sizeof lists[0]; i++) {
        SL_LIST_EACH(node, next, lists[i]) {
            const struct sl_commit_task *task = SL_LIST_OF(node, const struct sl_commit_task, node);
            const struct sl_offset_entry *entry = sl_commits_find(task, SLUICE_ERR_PENDING);
            if (entry == NULL) continue;
            sl_text_printf(text,
                           "%d finished offsets are not known to be committed: ", (int)task->open);
            put_entry(text, entry);
            if (task->why != 0) sl_text_printf(text, ", %s", sl_errors_find(task->why)->name);
            return;
        }
    }
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
        end_undecided(core, SL_LIST_OF(node, struct sl_commit_task, node), SLUICE_ERR_TIMEOUT);
    if (is_told) sl_group_on_committed(core);
}

void sl_committer_run(struct sl_core *core) {
    struct sl_committer *c = &core->committer;
    expire_tasks(core);
    /* The gate had no memory to answer, or the last tick is not decided. */
    if (c->collect_at <= core->now)
        c->collect_at =
            c->is_ticking && !c->is_closing ? next_tick(core) : sl_core_retry_at(core, 0);
    send_waiting(core);
}

int64_t sl_committer_deadline(const struct sl_core *core) {
    const struct sl_committer *c = &core->committer;
    int64_t at = c->collect_at;
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
