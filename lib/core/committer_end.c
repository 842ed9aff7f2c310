/* How tasks end: who is told, and in which words.
 *
 * An op gets the list with the code of each entry, and prose. The log hears of what nobody asked for,
 * once until something else goes wrong or commits succeed again; of a rebalance the group tells by
 * itself. What the close of the client could not commit is kept until that is told. */
#include <inttypes.h>

#include "core/committer.h"
#include "core/group.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"

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

bool sl_committer_is_membership(int code) {
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

void sl_committer_end(struct sl_core *core, struct sl_commit_task *task) {
    struct sl_committer *c = &core->committer;
    enum sl_commit_for for_whom = task->for_whom;
    int code = sl_commits_code(task);
    sl_list_remove(&task->node);
    if (for_whom == SL_COMMIT_FOR_TICK) sl_committer_note_tick_end(core, code);
    if (code != 0) {
        bool is_asked = for_whom == SL_COMMIT_FOR_OP;
        /* Of a rebalance the group tells by itself. */
        if (!is_asked && !sl_committer_is_membership(code)) log_failure(core, task, code);
        /* What a tick left is in the task of the close. */
        if (c->is_closing && !is_asked && for_whom != SL_COMMIT_FOR_TICK)
            note_close_failure(core, task, code);
        sl_committer_collect_again(core);
    }
    end_commit_op(core, task, code);
    sl_commits_destroy(core->alloc, task);
    if (for_whom == SL_COMMIT_FOR_GROUP) sl_group_on_committed(core);
}

void sl_committer_end_undecided(struct sl_core *core, struct sl_commit_task *task, int code) {
    sl_commits_decide_rest(task, code);
    sl_committer_end(core, task);
}

void sl_committer_on_over(struct sl_core *core, struct sl_op *op, int code) {
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
    sl_committer_collect_again(core);
    if (!task->is_sent) sl_commits_destroy(core->alloc, task);
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
