/* Look-ups of offsets (ListOffsets). A look-up waits until its topic has a leader and its back-off
 * is over; then one request per leader takes all that wait for it:
 *
 *   waiting ──leader known──▶ in a request ──answer──▶ found (on_found), or back to waiting
 *
 * Retriable errors, an entry that the answer left out and an offset that cannot be (negative) send
 * a look-up back to waiting; only what a retry cannot mend ends it. A time later than every record
 * (answer -1) becomes a look-up of the end: that is where the first such record will be. Tasks are
 * OFFSETS operations: a list whose symbols become numbers, one look-up an entry.
 *
 * Two look-ups of one partition never share a request (brokers refuse duplicates): a request
 * belongs to one owner, all positions together or one task. */
#include "core/offsets.h"

#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

struct offset_task {
    struct sl_list node;
    struct sl_core *core;
    struct sl_op *op;                      /* owned until ended */
    struct sl_offsets *list;               /* owned until it becomes the op's */
    struct sl_offset_lookup *lookups;      /* owned: one an entry, at the same index */
    struct sl_committed_lookup *committed; /* owned, the same; NULL: the list has no such symbol */
    int32_t lookup_count;
    int32_t left;   /* look-ups not ended */
    int32_t failed; /* entries with a code */
};
struct offset_request {
    struct sl_list node;
    struct sl_call call;
    struct sl_list lookups;   /* struct sl_offset_lookup that it asks for */
    struct offset_task *task; /* whose look-ups these are; NULL: of positions */
};

void sl_offsets_init(struct sl_offsets_unit *u, struct sl_core *core) {
    u->core = core;
    sl_list_init(&u->waiting);
    sl_list_init(&u->requests);
    sl_list_init(&u->tasks);
    u->look_at = SL_NEVER;
}

static void free_offset_request(struct sl_core *core, struct offset_request *request) {
    sl_list_remove(&request->node);
    sl_alloc_free(core->alloc, request, sizeof *request);
}

static void free_offset_task(struct offset_task *task) {
    const struct sl_alloc *alloc = task->core->alloc;
    sl_list_remove(&task->node);
    for (int32_t i = 0; i < task->lookup_count; i++)
        sl_offsets_forget(task->core, &task->lookups[i]);
    for (int32_t i = 0; task->committed != NULL && i < task->lookup_count; i++)
        sl_committed_forget(task->core, &task->committed[i]);
    sl_alloc_free(alloc, task->lookups, (size_t)task->lookup_count * sizeof *task->lookups);
    sl_alloc_free(alloc, task->committed, (size_t)task->lookup_count * sizeof *task->committed);
    sl_offset_list_destroy(task->list);
    sl_alloc_free(alloc, task, sizeof *task);
}

void sl_offsets_deinit(struct sl_offsets_unit *u) {
    SL_LIST_EACH(node, next, &u->requests) {
        struct offset_request *request = SL_LIST_OF(node, struct offset_request, node);
        sl_calls_cancel(u->core, &request->call);
        while (sl_list_pop_front(&request->lookups) != NULL) {
        }
        free_offset_request(u->core, request);
    }
    while (sl_list_pop_front(&u->waiting) != NULL) {
    }
    SL_LIST_EACH(node, next, &u->tasks)
        free_offset_task(SL_LIST_OF(node, struct offset_task, node));
}

/* ---- look-ups ---- */

static void await_offset(struct sl_core *core, struct sl_offset_lookup *lookup) {
    sl_list_remove(&lookup->node);
    sl_list_push_back(&core->offsets.waiting, &lookup->node);
    if (lookup->not_before < core->offsets.look_at) core->offsets.look_at = lookup->not_before;
}

int64_t sl_offsets_timestamp(int64_t offset, int64_t timestamp_ms) {
    if (offset != SL_OFFSET_AT_TIME) return offset;
    return timestamp_ms >= 0 ? timestamp_ms : 0; /* below are the symbols of ListOffsets */
}

void sl_offsets_look_up(struct sl_core *core, struct sl_offset_lookup *lookup) {
    lookup->attempts = 0;
    lookup->is_homeless = false;
    lookup->not_before = core->now;
    await_offset(core, lookup);
}

void sl_offsets_forget(struct sl_core *core, struct sl_offset_lookup *lookup) {
    (void)core;
    sl_list_remove(&lookup->node);
}

static void back_lookup_off(struct sl_core *core, struct sl_offset_lookup *lookup) {
    lookup->not_before = sl_core_retry_at(core, lookup->attempts++);
}

static void retry_lookup(struct sl_core *core, struct sl_offset_lookup *lookup) {
    back_lookup_off(core, lookup);
    await_offset(core, lookup);
}

static void end_lookup(struct sl_core *core, struct sl_offset_lookup *lookup, int rv,
                       int64_t offset, int32_t leader_epoch, const char *text) {
    sl_list_remove(&lookup->node);
    lookup->on_found(core, lookup, rv, offset, leader_epoch, text);
}

/* The partition of a look-up when it and its leader are known. */
static struct sl_partition *find_led_partition(struct sl_core *core,
                                               const struct sl_offset_lookup *lookup) {
    if (lookup->partition >= lookup->topic->partition_count) return NULL;
    struct sl_partition *partition = lookup->topic->partitions[lookup->partition];
    return sl_brokers_find(core, partition->leader) != NULL ? partition : NULL;
}

/* The same; without one metadata is asked again. */
static struct sl_partition *find_lookup_partition(struct sl_core *core,
                                                  struct sl_offset_lookup *lookup) {
    if (lookup->topic == NULL) lookup->topic = sl_metadata_topic(core, lookup->name);
    if (lookup->topic == NULL) return NULL;
    struct sl_partition *partition = find_led_partition(core, lookup);
    lookup->is_homeless = partition == NULL;
    if (partition == NULL) sl_metadata_refresh(core, lookup->topic);
    return partition;
}

/* ---- requests ---- */

static int fill_offset_request(struct sl_core *core, struct sl_call *call, int16_t version,
                               struct sl_arena *arena, void *message) {
    struct offset_request *request = call->owner;
    struct sl_list_offsets_request *m = message;
    int32_t count = 0;
    (void)version;
    SL_LIST_EACH(node, next, &request->lookups) count++;
    if (count == 0) return SLUICE_ERR_STALE; /* forgotten meanwhile */
    struct sl_list_offsets_topic *topics = sl_arena_array(arena, (size_t)count, sizeof *topics);
    struct sl_list_offsets_partition *partitions =
        sl_arena_array(arena, (size_t)count, sizeof *partitions);
    if (arena->failed) return SLUICE_ERR_NOMEM;
    const struct sl_topic *last = NULL;
    int32_t topic_count = 0;
    int32_t i = 0;
    SL_LIST_EACH(node, next, &request->lookups) {
        struct sl_offset_lookup *lookup = SL_LIST_OF(node, struct sl_offset_lookup, node);
        if (lookup->topic != last) {
            topics[topic_count].name = lookup->topic->name_str;
            topics[topic_count++].partitions = (struct sl_array){&partitions[i], 0};
            last = lookup->topic;
        }
        topics[topic_count - 1].partitions.count++;
        partitions[i].partition = lookup->partition;
        partitions[i].timestamp = lookup->timestamp;
        lookup->asked_epoch = lookup->topic->partitions[lookup->partition]->leader_epoch;
        partitions[i++].current_leader_epoch = lookup->asked_epoch;
    }
    m->replica_id = -1;
    m->isolation_level = core->settings->read_committed ? SL_FETCH_READ_COMMITTED : 0;
    m->topics = (struct sl_array){topics, topic_count};
    return 0;
}

/* The answer's entry for a look-up of this request. Answers mostly keep the order that was asked,
 * so the search begins at the front, from where found ones are gone. */
static struct sl_offset_lookup *find_asked_lookup(struct offset_request *request,
                                                  struct sl_str topic, int32_t partition) {
    SL_LIST_EACH(node, next, &request->lookups) {
        struct sl_offset_lookup *lookup = SL_LIST_OF(node, struct sl_offset_lookup, node);
        if (lookup->partition == partition && sl_bytes_str_equal(lookup->topic->name_str, topic))
            return lookup;
    }
    return NULL;
}

static void take_offset_answer(struct sl_core *core, struct sl_offset_lookup *lookup,
                               const struct sl_list_offsets_partition_response *p) {
    int code = sl_calls_code(p->error_code);
    if (code == 0 && p->offset >= 0) {
        end_lookup(core, lookup, 0, p->offset, p->leader_epoch, NULL);
    } else if (code == 0 && p->offset == -1 && lookup->timestamp != SL_LIST_OFFSETS_LATEST &&
               lookup->timestamp != SL_LIST_OFFSETS_EARLIEST) {
        lookup->timestamp = SL_LIST_OFFSETS_LATEST;
        await_offset(core, lookup);
    } else if (code == 0 || sl_errors_is_retriable(code) || sl_errors_is_stale(code) ||
               code == SLUICE_KAFKA_UNKNOWN_SERVER_ERROR) {
        if (code != 0 && sl_errors_is_stale(code)) sl_metadata_refresh(core, lookup->topic);
        retry_lookup(core, lookup);
    } else {
        end_lookup(core, lookup, code, -1, -1, sl_errors_find(code)->text);
    }
}

static void on_offsets_answered(struct sl_core *core, struct sl_call *call, int rv,
                                const void *response) {
    struct offset_request *request = call->owner;
    const struct sl_list_offsets_response *m = response;
    for (int32_t t = 0; rv == 0 && t < m->topics.count; t++) {
        const struct sl_list_offsets_topic_response *topic =
            (const struct sl_list_offsets_topic_response *)m->topics.items + t;
        const struct sl_list_offsets_partition_response *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            struct sl_offset_lookup *lookup =
                find_asked_lookup(request, topic->name, p[i].partition);
            if (lookup != NULL) take_offset_answer(core, lookup, &p[i]);
        }
    }
    struct sl_list *node; /* no answer for these */
    while ((node = sl_list_peek(&request->lookups)) != NULL) {
        struct sl_offset_lookup *lookup = SL_LIST_OF(node, struct sl_offset_lookup, node);
        if (rv == SLUICE_ERR_CLOSED) { /* the ops end with that after the calls */
            await_offset(core, lookup);
            continue;
        }
        if (rv == SLUICE_ERR_UNSUPPORTED) {
            end_lookup(core, lookup, rv, -1, -1, sl_errors_find(rv)->text);
            continue;
        }
        if (rv == SLUICE_ERR_UNREACHABLE || rv == SLUICE_ERR_TIMEOUT)
            sl_metadata_refresh(core, lookup->topic);
        retry_lookup(core, lookup);
    }
    free_offset_request(core, request);
}

/* The request of this turn for a leader and owner, made when there is none. NULL: out of memory. */
static struct offset_request *open_offset_request(struct sl_core *core, struct sl_list *opened,
                                                  int32_t broker, struct offset_task *task) {
    SL_LIST_EACH(node, next, opened) {
        struct offset_request *request = SL_LIST_OF(node, struct offset_request, node);
        if (request->call.broker == broker && request->task == task) return request;
    }
    struct offset_request *request = sl_alloc_zero(core->alloc, sizeof *request);
    if (request == NULL) return NULL;
    sl_list_init(&request->lookups);
    request->task = task;
    request->call.api = sl_api_find(SL_API_LIST_OFFSETS);
    request->call.broker = broker;
    request->call.deadline = SL_NEVER;
    request->call.fill = fill_offset_request;
    request->call.done = on_offsets_answered;
    request->call.owner = request;
    sl_list_push_back(opened, &request->node);
    return request;
}

void sl_offsets_run(struct sl_core *core) {
    struct sl_offsets_unit *u = &core->offsets;
    struct sl_list opened;
    if (core->now < u->look_at) return;
    u->look_at = SL_NEVER;
    sl_list_init(&opened);
    SL_LIST_EACH(node, next, &u->waiting) {
        struct sl_offset_lookup *lookup = SL_LIST_OF(node, struct sl_offset_lookup, node);
        struct sl_partition *partition = NULL;
        struct offset_request *request = NULL;
        if (lookup->not_before <= core->now) {
            partition = find_lookup_partition(core, lookup);
            if (partition != NULL)
                request = open_offset_request(core, &opened, partition->leader, lookup->owner);
            /* Metadata says when it knows more; short memory says nothing. */
            if (request == NULL) back_lookup_off(core, lookup);
        }
        if (request != NULL) {
            sl_list_remove(&lookup->node);
            sl_list_push_back(&request->lookups, &lookup->node);
        } else if (lookup->not_before < u->look_at) {
            u->look_at = lookup->not_before;
        }
    }
    SL_LIST_EACH(node, next, &opened) {
        struct offset_request *request = SL_LIST_OF(node, struct offset_request, node);
        sl_list_remove(&request->node);
        sl_list_push_back(&u->requests, &request->node);
        sl_calls_start(core, &request->call);
    }
}

int64_t sl_offsets_deadline(const struct sl_core *core) { return core->offsets.look_at; }

void sl_offsets_on_topic(struct sl_core *core, struct sl_topic *topic) {
    SL_LIST_EACH(node, next, &core->offsets.waiting) {
        struct sl_offset_lookup *lookup = SL_LIST_OF(node, struct sl_offset_lookup, node);
        if (lookup->topic != topic || !lookup->is_homeless) continue;
        if (find_led_partition(core, lookup) == NULL) continue;
        lookup->not_before = core->now;
        core->offsets.look_at = core->now;
    }
}

/* Ending a look-up may end its task, which forgets others: the walk starts over each time. */
static struct sl_offset_lookup *find_waiting_lookup(struct sl_core *core,
                                                    const struct sl_topic *topic) {
    SL_LIST_EACH(node, next, &core->offsets.waiting) {
        struct sl_offset_lookup *lookup = SL_LIST_OF(node, struct sl_offset_lookup, node);
        if (lookup->topic == topic) return lookup;
    }
    return NULL;
}

void sl_offsets_on_refused(struct sl_core *core, struct sl_topic *topic, int code) {
    struct sl_offset_lookup *lookup;
    while ((lookup = find_waiting_lookup(core, topic)) != NULL)
        end_lookup(core, lookup, code, -1, -1, sl_errors_find(code)->text);
}

/* ---- tasks: the OFFSETS operation ---- */

static void end_offset_task(struct offset_task *task, int code, const char *text) {
    struct sl_op *op = task->op;
    struct sl_core *core = task->core;
    if (code == 0 || code == SLUICE_ERR_PARTIAL) {
        op->offsets = task->list;
        task->list = NULL;
    }
    free_offset_task(task);
    sl_ops_end(&core->ops, op, code, "%s", text);
}

/* An entry that is not decided, and why; -1: none. */
static int32_t find_open_entry(const struct offset_task *task, int *why) {
    for (int32_t i = 0; i < task->lookup_count; i++) {
        const struct sl_offset_lookup *lookup = &task->lookups[i];
        *why = lookup->topic != NULL ? lookup->topic->code : 0;
        if (sl_list_is_linked(&lookup->node)) return i;
        if (task->committed == NULL) continue;
        *why = task->committed[i].why;
        if (sl_list_is_linked(&task->committed[i].node)) return i;
    }
    return -1;
}

static void on_task_over(struct sl_core *core, struct sl_op *op, int code) {
    char text[SL_OP_TEXT];
    struct offset_task *task = op->owner;
    int why = 0;
    (void)core;
    int32_t open = find_open_entry(task, &why);
    const char *topic = open < 0 ? "" : task->list->entries[open].topic;
    int32_t partition = open < 0 ? 0 : task->list->entries[open].partition;
    struct sl_text t;
    sl_text_init(&t, text, sizeof text);
    sl_text_printf(&t, "%d of %d offsets were not found%s, %s-%d among them", (int)task->left,
                   (int)task->list->count, code == SLUICE_ERR_TIMEOUT ? " in time" : "", topic,
                   (int)partition);
    if (why != 0) sl_text_printf(&t, ": %s", sl_errors_find(why)->name);
    end_offset_task(task, code, text);
}

static void decide_task_entry(struct offset_task *task, struct sl_offset_entry *entry, int code,
                              int64_t offset, int32_t leader_epoch) {
    entry->code = code;
    if (code == 0) {
        entry->offset = offset;
        entry->leader_epoch = leader_epoch;
    } else {
        task->failed++;
    }
    if (--task->left > 0) return;
    if (task->failed == 0)
        end_offset_task(task, 0, "");
    else
        end_offset_task(task, SLUICE_ERR_PARTIAL,
                        "some offsets were refused or do not exist; each entry has its code");
}

static void on_task_found(struct sl_core *core, struct sl_offset_lookup *lookup, int rv,
                          int64_t offset, int32_t leader_epoch, const char *text) {
    struct offset_task *task = lookup->owner;
    (void)core;
    (void)text;
    decide_task_entry(task, &task->list->entries[lookup - task->lookups], rv, offset, leader_epoch);
}

/* The group's offset, with the text that was committed beside it. */
static void on_task_committed(struct sl_core *core, struct sl_committed_lookup *lookup,
                              const struct sl_committed_offset *found) {
    struct offset_task *task = lookup->owner;
    struct sl_offset_entry *entry = &task->list->entries[lookup - task->committed];
    int code = found->code;
    (void)core;
    if (code == 0 && found->offset < 0) code = SLUICE_ERR_NO_OFFSET;
    if (code == 0 && found->metadata.size > 0 && entry->metadata == NULL) {
        entry->metadata = sl_alloc_text(task->list->alloc, (const char *)found->metadata.data,
                                        (size_t)found->metadata.size);
        if (entry->metadata == NULL) code = SLUICE_ERR_NOMEM;
    }
    decide_task_entry(task, entry, code, found->offset, found->leader_epoch);
}

static void start_committed_lookup(struct sl_core *core, struct offset_task *task, int32_t index) {
    struct sl_offset_entry *entry = &task->list->entries[index];
    if (task->committed == NULL) {
        entry->code = SLUICE_ERR_CONFIG;
        task->failed++;
        return;
    }
    struct sl_committed_lookup *lookup = &task->committed[index];
    lookup->name = entry->topic;
    lookup->partition = entry->partition;
    lookup->on_found = on_task_committed;
    lookup->owner = task;
    task->left++;
    sl_committed_look_up(core, lookup);
}

/* Numbers stay as they are; committed offsets belong to groups. */
static void start_task_lookups(struct sl_core *core, struct offset_task *task) {
    for (int32_t i = 0; i < task->list->count; i++) {
        struct sl_offset_entry *entry = &task->list->entries[i];
        struct sl_offset_lookup *lookup = &task->lookups[i];
        if (entry->offset >= 0) continue;
        if (entry->offset == SL_OFFSET_COMMITTED) {
            start_committed_lookup(core, task, i);
            continue;
        }
        lookup->name = entry->topic;
        lookup->partition = entry->partition;
        lookup->timestamp = sl_offsets_timestamp(entry->offset, entry->timestamp_ms);
        lookup->on_found = on_task_found;
        lookup->owner = task;
        task->left++;
        sl_offsets_look_up(core, lookup); /* which ends nothing before the next run */
    }
    if (task->left > 0) return;
    end_offset_task(task, task->failed == 0 ? 0 : SLUICE_ERR_PARTIAL,
                    task->failed == 0 ? "" : "committed offsets need a group.id");
}

/* Only a consumer with a group has committed offsets. */
static bool wants_committed(const struct sl_core *core, const struct sl_offsets *list) {
    if (core->settings->role != SL_ROLE_CONSUMER || core->settings->group_id[0] == '\0')
        return false;
    for (int32_t i = 0; i < list->count; i++)
        if (list->entries[i].offset == SL_OFFSET_COMMITTED) return true;
    return false;
}

/* Memory for the look-ups of a list. NULL: there is none. */
static struct offset_task *create_offset_task(struct sl_core *core, const struct sl_offsets *list) {
    struct offset_task *task = sl_alloc_zero(core->alloc, sizeof *task);
    if (task == NULL) return NULL;
    task->core = core;
    sl_list_init(&task->node);
    if (list->count == 0) return task;
    size_t count = (size_t)list->count;
    task->lookup_count = list->count;
    task->lookups = sl_alloc_array(core->alloc, count, sizeof *task->lookups);
    bool has_all = task->lookups != NULL;
    if (has_all && wants_committed(core, list)) {
        task->committed = sl_alloc_array(core->alloc, count, sizeof *task->committed);
        has_all = task->committed != NULL;
    }
    if (has_all) return task;
    sl_alloc_free(core->alloc, task->lookups, count * sizeof *task->lookups);
    sl_alloc_free(core->alloc, task, sizeof *task);
    return NULL;
}

void sl_offsets_on_command(struct sl_core *core, struct sl_command *command) {
    struct sl_op *op = command->op;
    struct offset_task *task = create_offset_task(core, command->offsets);
    command->op = NULL;
    if (task == NULL) {
        sl_ops_end(&core->ops, op, SLUICE_ERR_NOMEM, "no memory to look up offsets");
        return;
    }
    task->op = op;
    task->list = command->offsets;
    command->offsets = NULL;
    op->owner = task;
    op->on_over = on_task_over;
    sl_list_push_back(&core->offsets.tasks, &task->node);
    start_task_lookups(core, task);
}
