/* The one request that is under way, and what its answer means for the tasks in it.
 *
 * It names topics by id where the broker has that (version 10) and metadata knows the ids of all;
 * otherwise by name, as for topics that were never used here. An id that the broker does not know is
 * of a topic that was made anew, or is too new for it: metadata is asked, and then it again. */
#include "core/committer.h"

#include <string.h>

#include "core/group.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

enum { COMMIT_BY_ID_SINCE = 10 };

/* What the answer for an offset means. */
enum commit_verdict {
    COMMIT_DONE = 1,
    COMMIT_AGAIN,     /* this partition, in a while */
    COMMIT_ALL_AGAIN, /* the coordinator is not ready, or memory was short */
    COMMIT_ELSEWHERE, /* the same, and another broker may be it */
    COMMIT_REFUSED
};

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

static void take_commit_answer(struct sl_core *core, const struct sl_offset_commit_response *m) {
    struct sl_committer *c = &core->committer;
    bool by_id = c->call.version >= COMMIT_BY_ID_SINCE;
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_offset_commit_topic_response *topic =
            (const struct sl_offset_commit_topic_response *)m->topics.items + t;
        const struct sl_offset_commit_partition_response *p = topic->partitions.items;
        struct sl_str name =
            by_id ? sl_partition_index_name(&c->merge.index, &topic->topic_id) : topic->name;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            int code = sl_calls_code(p[i].error_code);
            sl_commits_merge_answer(&c->merge, name, p[i].partition, code);
            if (code == SLUICE_KAFKA_UNKNOWN_TOPIC_ID) sl_metadata_doubt_id(core, name);
        }
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
        if (sl_committer_is_membership(value->code)) refused = value->code;
        if (value->code != 0 || value->entry->slot_epoch == 0) continue;
        struct sl_slot_news *news =
            sl_fetcher_tell(core, value->entry->slot, value->entry->slot_epoch);
        if (news == NULL)
            sl_committer_collect_again(core);
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
        sl_committer_end(core, SL_LIST_OF(node, struct sl_commit_task, node));
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
    if (rv == 0) take_commit_answer(core, response);
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
    int rv = sl_commits_merge(&c->merge, &c->sent);
    if (rv == 0 && version >= COMMIT_BY_ID_SINCE) rv = sl_metadata_identify(core, &c->merge.index);
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

/* Metadata knows the ids of all topics in the request. */
static bool are_commits_identified(const struct sl_core *core) {
    const char *last = "";
    SL_LIST_EACH(node, next, &core->committer.sent) {
        const struct sl_commit_task *task = SL_LIST_OF(node, const struct sl_commit_task, node);
        for (int32_t i = 0; i < task->list->count; i++) {
            const char *topic = task->list->entries[i].topic;
            bool is_same = strcmp(topic, last) == 0; /* they mostly come topic by topic */
            if (!is_same && sl_metadata_id(core, topic) == NULL) return false;
            last = topic;
        }
    }
    return true;
}

void sl_committer_send(struct sl_core *core) {
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
            sl_committer_end_undecided(core, SL_LIST_OF(node, struct sl_commit_task, node), rv);
    }
    if (broker < 0) return;
    SL_LIST_EACH(node, next, &c->waiting)
        SL_LIST_OF(node, struct sl_commit_task, node)->is_sent = true;
    sl_list_splice_back(&c->sent, &c->waiting);
    c->call.broker = broker;
    c->call.purpose = SL_PURPOSE_COORDINATOR;
    c->call.deadline = SL_NEVER;
    c->call.version_low = c->call.api->client_min;
    c->call.version_high =
        are_commits_identified(core) ? c->call.api->client_max : COMMIT_BY_ID_SINCE - 1;
    c->call.fill = fill_commit;
    c->call.done = on_commit_answered;
    sl_calls_start(core, &c->call);
}
