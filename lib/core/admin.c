/* Admin operations: one task per op, one call per attempt.
 *
 * An attempt goes to the controller that metadata names, or to anyone. NOT_CONTROLLER, lost
 * connections and other passing errors are tried again with back-off for as long as the op's
 * deadline allows; THROTTLING_QUOTA_EXCEEDED after the time that the broker asks for (KIP-599). An
 * attempt that got no answer may have done the work: when the next one then finds the topic there
 * (or gone), the text says so, because the code alone would mislead.
 *
 * A task owns its op until it ends it, in exactly one of three places: the answer, the deadline,
 * the closing. */
#include "core/admin.h"

#include <inttypes.h>
#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

struct sl_admin_task {
    struct sl_list node;
    struct sl_call call;
    struct sl_op *op;
    char *topic;     /* owned */
    char **settings; /* owned: name, value, … */
    int32_t setting_count;
    int32_t partitions;
    int32_t replicas;
    bool is_delete;
    bool is_unsure; /* an attempt was sent and not answered */
    int last;       /* why the last attempt did not do */
};

enum { DELETE_BY_TOPIC_SINCE = 6, ADMIN_THROTTLE_MAX_MS = 60 * 1000 };

void sl_admin_init(struct sl_admin *a, struct sl_core *core) {
    a->core = core;
    sl_list_init(&a->tasks);
}

static void destroy_admin_task(struct sl_core *core, struct sl_admin_task *task) {
    const struct sl_alloc *alloc = core->alloc;
    sl_calls_cancel(core, &task->call);
    sl_list_remove(&task->node);
    if (task->topic != NULL) sl_alloc_free(alloc, task->topic, strlen(task->topic) + 1);
    for (int32_t i = 0; task->settings != NULL && i < task->setting_count; i++) {
        sl_alloc_free(alloc, task->settings[i], strlen(task->settings[i]) + 1);
    }
    sl_alloc_free(alloc, task->settings, (size_t)task->setting_count * sizeof *task->settings);
    sl_alloc_free(alloc, task, sizeof *task);
}

void sl_admin_deinit(struct sl_admin *a) {
    SL_ASSERT(sl_list_is_empty(&a->tasks)); /* each ends with its op */
}

/* ---- requests ---- */

static int32_t admin_timeout_ms(const struct sl_core *core, const struct sl_admin_task *task) {
    int32_t most = core->settings->request_timeout_ms;
    if (task->op->deadline == SL_NEVER) return most;
    int64_t left_ms = (task->op->deadline - core->now) / SL_MS;
    return left_ms < most ? (int32_t)left_ms : most;
}

static int fill_create_topic(struct sl_core *core, struct sl_call *call, int16_t version,
                             struct sl_arena *arena, void *request) {
    enum { BROKER_DEFAULTS_SINCE = 4 };
    const struct sl_admin_task *task = call->owner;
    bool wants_defaults = task->partitions < 0 || task->replicas < 0;
    if (wants_defaults && version < BROKER_DEFAULTS_SINCE) return SLUICE_ERR_UNSUPPORTED;
    int32_t config_count = task->setting_count / 2;
    struct sl_create_topics_topic *topic = sl_arena_array(arena, 1, sizeof *topic);
    struct sl_create_topics_config *configs =
        sl_arena_array(arena, (size_t)config_count + 1, sizeof *configs);
    if (topic == NULL || configs == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < config_count; i++) {
        configs[i].name = sl_bytes_str(task->settings[2 * i]);
        configs[i].value = sl_bytes_str(task->settings[2 * i + 1]);
    }
    topic->name = sl_bytes_str(task->topic);
    topic->partition_count = task->partitions < 0 ? -1 : task->partitions;
    topic->replication_factor =
        task->replicas < 0 || task->replicas > INT16_MAX ? -1 : (int16_t)task->replicas;
    topic->configs = (struct sl_array){configs, config_count};
    struct sl_create_topics_request *message = request;
    message->topics = (struct sl_array){topic, 1};
    message->timeout_ms = admin_timeout_ms(core, task);
    return 0;
}

static int fill_delete_topic(struct sl_core *core, struct sl_call *call, int16_t version,
                             struct sl_arena *arena, void *request) {
    const struct sl_admin_task *task = call->owner;
    struct sl_delete_topics_request *message = request;
    message->timeout_ms = admin_timeout_ms(core, task);
    if (version >= DELETE_BY_TOPIC_SINCE) {
        struct sl_delete_topics_topic *topic = sl_arena_array(arena, 1, sizeof *topic);
        if (topic == NULL) return SLUICE_ERR_NOMEM;
        topic->name = sl_bytes_str(task->topic);
        message->topics = (struct sl_array){topic, 1};
        return 0;
    }
    struct sl_str *name = sl_arena_array(arena, 1, sizeof *name);
    if (name == NULL) return SLUICE_ERR_NOMEM;
    *name = sl_bytes_str(task->topic);
    message->topic_names = (struct sl_array){name, 1};
    return 0;
}

/* ---- answers ---- */

/* What an answer says of our topic. */
struct admin_verdict {
    int code;
    struct sl_str message; /* or null */
    int32_t throttle_ms;
};

static struct admin_verdict read_admin_answer(const struct sl_admin_task *task,
                                              const void *response) {
    struct sl_str name = sl_bytes_str(task->topic);
    struct admin_verdict verdict = {.code = SLUICE_ERR_MALFORMED, .message = SL_STR_NULL};
    if (task->is_delete) {
        const struct sl_delete_topics_response *answer = response;
        const struct sl_delete_topics_topic_response *items = answer->topics.items;
        verdict.throttle_ms = answer->throttle_ms;
        for (int32_t i = 0; i < answer->topics.count; i++) {
            if (!sl_bytes_str_equal(items[i].name, name)) continue;
            verdict.code = sl_calls_code(items[i].error_code);
            verdict.message = items[i].error_message;
        }
        return verdict;
    }
    const struct sl_create_topics_response *answer = response;
    const struct sl_create_topics_topic_response *items = answer->topics.items;
    verdict.throttle_ms = answer->throttle_ms;
    for (int32_t i = 0; i < answer->topics.count; i++) {
        if (!sl_bytes_str_equal(items[i].name, name)) continue;
        verdict.code = sl_calls_code(items[i].error_code);
        verdict.message = items[i].error_message;
    }
    return verdict;
}

static void end_admin_task(struct sl_core *core, struct sl_admin_task *task, int code,
                           struct sl_str message) {
    int already = task->is_delete ? SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION
                                  : SLUICE_KAFKA_TOPIC_ALREADY_EXISTS;
    const char *doubt = task->is_unsure && code == already
                            ? "; an attempt before got no answer and may have done it"
                            : "";
    if (code == 0) {
        sl_ops_end(&core->ops, task->op, 0, NULL);
    } else if (message.size > 0) {
        sl_ops_end(&core->ops, task->op, code, "topic \"%s\": %.*s%s", task->topic,
                   (int)message.size, message.data, doubt);
    } else {
        sl_ops_end(&core->ops, task->op, code, "topic \"%s\": %s%s", task->topic,
                   sl_errors_find(code)->text, doubt);
    }
    destroy_admin_task(core, task);
}

/* The controller, while metadata knows it and it can be reached. */
static int32_t choose_admin_broker(struct sl_core *core) {
    const struct sl_broker *broker = sl_brokers_find(core, core->metadata.controller);
    if (broker == NULL || sl_brokers_is_backing_off(broker)) return SL_BROKER_ANY;
    return broker->id;
}

static void try_admin_task(struct sl_core *core, struct sl_admin_task *task) {
    task->call.broker = choose_admin_broker(core);
    sl_calls_start(core, &task->call);
}

/* Short memory too: an answer that could not be read for want of it leaves the work done, and "no
 * memory" would say that nothing was changed. */
static bool is_admin_passing(int code) {
    return code == SLUICE_ERR_TIMEOUT || code == SLUICE_ERR_UNREACHABLE ||
           code == SLUICE_ERR_MALFORMED || code == SLUICE_ERR_NOMEM ||
           (code > 0 && sl_errors_is_retriable(code)) || code == SLUICE_KAFKA_NOT_CONTROLLER;
}

static void on_admin_done(struct sl_core *core, struct sl_call *call, int rv,
                          const void *response) {
    struct sl_admin_task *task = call->owner;
    struct admin_verdict verdict = {.code = rv, .message = SL_STR_NULL};
    if (rv == 0) verdict = read_admin_answer(task, response);
    /* Unknown is what deletes a topic twice, not a reason to go on. */
    bool is_final = task->is_delete && verdict.code == SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if ((rv != 0 && call->left) || verdict.code == SLUICE_KAFKA_REQUEST_TIMED_OUT) {
        task->is_unsure = true;
    }
    if (is_final || !is_admin_passing(verdict.code)) {
        if (verdict.code == 0) sl_metadata_refresh(core, NULL);
        end_admin_task(core, task, verdict.code, verdict.message);
        return;
    }
    task->last = verdict.code;
    sl_calls_back_off(core, call);
    if (verdict.code == SLUICE_KAFKA_NOT_CONTROLLER) sl_metadata_refresh(core, NULL);
    if (verdict.code == SLUICE_KAFKA_THROTTLING_QUOTA_EXCEEDED && verdict.throttle_ms > 0) {
        int32_t wait_ms = verdict.throttle_ms < ADMIN_THROTTLE_MAX_MS ? verdict.throttle_ms
                                                                      : ADMIN_THROTTLE_MAX_MS;
        if (core->now + wait_ms * SL_MS > call->not_before) {
            call->not_before = core->now + wait_ms * SL_MS;
        }
    }
    try_admin_task(core, task);
}

/* ---- ops ---- */

static void end_admin_early(struct sl_core *core, struct sl_op *op, int code) {
    struct sl_admin_task *task = op->owner;
    char buf[SL_OP_TEXT - 64];
    struct sl_text story;
    sl_text_init(&story, buf, sizeof buf);
    if (task->call.ticket != NULL || task->is_unsure) {
        sl_text_put(&story, "asked, but not answered: it may have been done");
    } else if (task->last != 0) {
        sl_text_printf(&story, "not done: %s", sl_errors_find(task->last)->name);
    } else {
        sl_text_put(&story, "not asked: no broker reachable: ");
        sl_brokers_tell(core, &story);
        if (code == SLUICE_ERR_TIMEOUT) code = sl_brokers_verdict(core);
    }
    sl_ops_end(&core->ops, op, code, "topic \"%s\": %s", task->topic, buf);
    destroy_admin_task(core, task);
}

void sl_admin_on_command(struct sl_core *core, struct sl_command *command) {
    struct sl_op *op = command->op;
    command->op = NULL;
    struct sl_admin_task *task = sl_alloc_zero(core->alloc, sizeof *task);
    if (task == NULL) {
        sl_ops_end(&core->ops, op, SLUICE_ERR_NOMEM, "no memory for the operation");
        return;
    }
    task->op = op;
    task->is_delete = command->kind == SL_COMMAND_DELETE_TOPIC;
    task->topic = command->topic;
    task->settings = command->settings;
    task->setting_count = command->setting_count;
    task->partitions = command->partitions;
    task->replicas = command->replicas;
    command->topic = NULL;
    command->settings = NULL;
    command->setting_count = 0;
    task->call.api = sl_api_find(task->is_delete ? SL_API_DELETE_TOPICS : SL_API_CREATE_TOPICS);
    task->call.fill = task->is_delete ? fill_delete_topic : fill_create_topic;
    task->call.done = on_admin_done;
    task->call.owner = task;
    task->call.deadline = SL_NEVER; /* the op's is what counts */
    op->on_over = end_admin_early;
    op->owner = task;
    sl_list_push_back(&core->admin.tasks, &task->node);
    try_admin_task(core, task);
}
