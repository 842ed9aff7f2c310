/* When to ask for metadata, and for what. What an answer changes is in metadata_update.c.
 *
 * There is one request at a time. It names the topics in `wanted` (new ones, and those of which
 * somebody said that what we know is wrong), or all topics in use when the brokers themselves have
 * to be asked for: at first, when one was lost, and every metadata.max.age.ms. Topics never used
 * are never asked for.
 *
 * A topic that nobody has used for metadata.max.idle.ms is forgotten: it is asked for no more until
 * it is used again (KIP-526), and then at once. What was known of it stays and serves meanwhile;
 * where that is out of date, brokers say so as they do in the moment after any change.
 *
 * A topic that an answer leaves in trouble (unknown, without leaders, left out) goes to `troubled`
 * and is asked for again after a back-off that grows to retry.backoff.max.ms while nothing gets
 * better. Right after its creation a topic being unknown is normal, so this is no error, and goes
 * on for as long as somebody waits for it; whoever waits has a deadline. The same pace holds for
 * refreshes asked for again and again, so no unit can make this one spin.
 *
 * Rebootstrap (KIP-899, KIP-1102): when no request has been answered for
 * metadata.recovery.rebootstrap.trigger.ms since the first unanswered one (not since the last
 * success: an idle client asks nothing and has no outage), or a broker says so.
 *
 * Not done here: objects of topics are never freed, since pointers to them are everywhere. */
#include "core/metadata.h"

#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

static int fill_metadata(struct sl_core *core, struct sl_call *call, int16_t version,
                         struct sl_arena *arena, void *request);
static void on_metadata(struct sl_core *core, struct sl_call *call, int rv, const void *response);

enum { ASK_BY_ID_SINCE = 12 }; /* brokers of versions 10 and 11 do not answer that */

void sl_metadata_init(struct sl_metadata *m, struct sl_core *core) {
    m->core = core;
    sl_map_init(&m->by_name, core->alloc);
    sl_map_init(&m->by_id, core->alloc);
    sl_list_init(&m->wanted);
    sl_list_init(&m->troubled);
    sl_list_init(&m->probes);
    m->trouble_at = m->full_at = m->next_refresh = SL_NEVER;
    m->controller = -1;
    m->call.api = sl_api_find(SL_API_METADATA);
    m->call.broker = SL_BROKER_ANY;
    m->call.deadline = SL_NEVER;
    m->call.fill = fill_metadata;
    m->call.done = on_metadata;
}

static void destroy_topic(struct sl_core *core, struct sl_topic *topic) {
    const struct sl_alloc *alloc = core->alloc;
    for (int32_t i = 0; i < topic->partition_cap; i++) {
        sl_alloc_free(alloc, topic->partitions[i], sizeof *topic->partitions[i]);
    }
    sl_alloc_free(alloc, topic->partitions, (size_t)topic->partition_cap * sizeof(void *));
    if (topic->name != NULL) sl_alloc_free(alloc, topic->name, strlen(topic->name) + 1);
    sl_alloc_free(alloc, topic, sizeof *topic);
}

void sl_metadata_deinit(struct sl_metadata *m) {
    struct sl_core *core = m->core;
    sl_calls_cancel(core, &m->call);
    for (uint32_t i = 0; i < m->topic_count; i++) destroy_topic(core, m->topics[i]);
    sl_alloc_free(core->alloc, m->topics, m->topic_cap * sizeof *m->topics);
    if (m->cluster_id != NULL) {
        sl_alloc_free(core->alloc, m->cluster_id, strlen(m->cluster_id) + 1);
    }
    sl_map_deinit(&m->by_id);
    sl_map_deinit(&m->by_name);
}

/* ---- topics ---- */

static bool grow_topics(struct sl_metadata *m) {
    enum { TOPICS_FIRST = 8 };
    if (m->topic_count < m->topic_cap) return true;
    if (m->topic_cap > UINT32_MAX / 2) return false;
    uint32_t cap = m->topic_cap == 0 ? TOPICS_FIRST : m->topic_cap * 2;
    struct sl_topic **topics =
        sl_alloc_resize(m->core->alloc, m->topics, m->topic_cap, cap, sizeof(struct sl_topic *));
    if (topics == NULL) return false;
    m->topics = topics;
    m->topic_cap = cap;
    return true;
}

static struct sl_topic *add_topic(struct sl_core *core, const char *name) {
    struct sl_metadata *m = &core->metadata;
    if (!grow_topics(m)) return NULL;
    struct sl_topic *topic = sl_alloc_zero(core->alloc, sizeof *topic);
    if (topic == NULL) return NULL;
    size_t size = strlen(name);
    topic->name = sl_alloc_text(core->alloc, name, size);
    if (topic->name == NULL) goto destroy_topic;
    if (sl_map_put(&m->by_name, name, size, topic) != 0) goto destroy_topic;
    topic->name_str = sl_bytes_str(topic->name);
    topic->index = m->topic_count;
    topic->first_count = -1;
    topic->unknown_since = topic->used_at = core->now;
    sl_list_init(&topic->staged);
    m->topics[m->topic_count++] = topic;
    sl_list_push_back(&m->wanted, &topic->wait_node);
    return topic;

destroy_topic:
    destroy_topic(core, topic);
    return NULL;
}

struct sl_topic *sl_metadata_topic(struct sl_core *core, const char *name) {
    struct sl_topic *topic = sl_map_get(&core->metadata.by_name, name, strlen(name));
    if (topic == NULL) return add_topic(core, name);
    sl_metadata_use(core, topic);
    if (topic->partition_count == 0) sl_metadata_refresh(core, topic);
    return topic;
}

struct sl_topic *sl_metadata_found(struct sl_core *core, struct sl_str name) {
    char *copy = sl_alloc_text(core->alloc, name.data, (size_t)name.size);
    if (copy == NULL) return NULL;
    struct sl_topic *topic = add_topic(core, copy);
    sl_alloc_free(core->alloc, copy, (size_t)name.size + 1);
    if (topic == NULL) return NULL;
    sl_list_remove(&topic->wait_node);
    topic->asked = true;
    return topic;
}

void sl_metadata_use(struct sl_core *core, struct sl_topic *topic) {
    topic->used_at = core->now;
    if (!topic->forgotten) return;
    topic->forgotten = false;
    sl_metadata_refresh(core, topic);
}

struct sl_topic *sl_metadata_find_id(struct sl_core *core, const struct sl_uuid *id) {
    if (sl_bytes_uuid_is_zero(id)) return NULL;
    return sl_map_get(&core->metadata.by_id, id->bytes, sizeof id->bytes);
}

const struct sl_uuid *sl_metadata_id(const struct sl_core *core, const char *name) {
    const struct sl_topic *topic = sl_map_get(&core->metadata.by_name, name, strlen(name));
    bool is_known = topic != NULL && topic->code == 0 && !sl_bytes_uuid_is_zero(&topic->id);
    return is_known ? &topic->id : NULL;
}

int sl_metadata_identify(const struct sl_core *core, struct sl_partition_index *index) {
    int rv = 0;
    for (int32_t i = 0; rv == 0 && i < index->group_count; i++) {
        const struct sl_uuid *id = sl_metadata_id(core, index->groups[i].name);
        rv = id == NULL ? SLUICE_ERR_NOMEM : sl_partition_index_identify(index, i, id);
    }
    return rv;
}

void sl_metadata_doubt_id(struct sl_core *core, struct sl_str name) {
    struct sl_topic *topic =
        name.size <= 0 ? NULL : sl_map_get(&core->metadata.by_name, name.data, (size_t)name.size);
    if (topic != NULL) sl_metadata_refresh(core, topic);
}

/* ---- what to ask for, and when ---- */

static int64_t metadata_backoff(struct sl_core *core, uint32_t rounds) {
    const struct sl_settings *settings = core->settings;
    return sl_core_backoff(core, settings->retry_backoff_ms, settings->retry_backoff_max_ms,
                           rounds);
}

/* A refresh that is asked for so soon after the last one did not help: it has to wait. */
static bool is_same_trouble(const struct sl_core *core, int64_t updated_at) {
    int64_t calm = 2 * (int64_t)core->settings->retry_backoff_max_ms * SL_MS;
    return updated_at != 0 && core->now - updated_at < calm;
}

void sl_metadata_trouble(struct sl_core *core, struct sl_topic *topic) {
    struct sl_metadata *m = &core->metadata;
    if (sl_list_is_linked(&topic->wait_node)) return;
    sl_list_push_back(&m->troubled, &topic->wait_node);
    if (m->trouble_at != SL_NEVER) return;
    m->trouble_at = core->now + metadata_backoff(core, m->trouble_rounds);
    m->trouble_rounds++;
}

static void refresh_brokers(struct sl_core *core) {
    struct sl_metadata *m = &core->metadata;
    if (m->full_wanted || m->full_at != SL_NEVER || m->full_asked) return;
    if (is_same_trouble(core, m->full_updated_at)) {
        m->full_at = core->now + metadata_backoff(core, m->full_rounds);
        m->full_rounds++;
        return;
    }
    m->full_rounds = 0;
    m->full_wanted = true;
}

void sl_metadata_refresh(struct sl_core *core, struct sl_topic *topic) {
    struct sl_metadata *m = &core->metadata;
    if (topic == NULL) {
        refresh_brokers(core);
        return;
    }
    if (topic->asked || sl_list_is_linked(&topic->wait_node)) return;
    if (is_same_trouble(core, topic->updated_at)) {
        sl_metadata_trouble(core, topic);
        return;
    }
    if (sl_list_is_empty(&m->troubled)) m->trouble_rounds = 0;
    sl_list_push_back(&m->wanted, &topic->wait_node);
}

void sl_metadata_ask(struct sl_core *core, struct sl_topic *topic) {
    sl_metadata_use(core, topic);
    if (topic->asked) return;
    sl_list_remove(&topic->wait_node);
    sl_list_push_back(&core->metadata.wanted, &topic->wait_node);
}

/* Whether a consumer is assigned the topic, or somebody looks an offset of it up. */
static bool is_topic_consumed(const struct sl_core *core, const struct sl_topic *topic) {
    for (uint32_t i = 0; i < core->fetcher.slot_count; i++) {
        const struct sl_fetch_position *position = core->fetcher.slots[i];
        if (position != NULL && position->topic == topic) return true;
    }
    SL_LIST_EACH(node, tmp, &core->offsets.waiting) {
        if (SL_LIST_OF(node, struct sl_offset_lookup, node)->topic == topic) return true;
    }
    return sl_group_uses(core, topic);
}

/* Whether anybody waits for a topic that is unknown. */
static bool is_topic_missed(const struct sl_core *core, const struct sl_topic *topic) {
    if (!sl_list_is_empty(&topic->staged)) return true;
    SL_LIST_EACH(node, tmp, &core->metadata.probes) {
        if (SL_LIST_OF(node, struct sl_op, node)->owner == topic) return true;
    }
    return is_topic_consumed(core, topic);
}

/* Marks the topics of all partitions that are assigned or have batches. By owner and not by topic,
 * so that the cost is that of a list and not that of a list for each topic. */
static void mark_topics_in_use(struct sl_core *core) {
    for (uint32_t i = 0; i < core->fetcher.slot_count; i++) {
        const struct sl_fetch_position *position = core->fetcher.slots[i];
        if (position != NULL) position->topic->used_at = core->now;
    }
    sl_group_mark_topics(core);
    if (core->settings->role != SL_ROLE_PRODUCER) return;
    SL_LIST_EACH(node, tmp, &core->batcher.expiry) {
        SL_LIST_OF(node, struct sl_batch, expiry)->partition->topic->used_at = core->now;
    }
}

/* Whether the topic is out of use, now that those in use are marked; then it is forgotten. */
static bool forget_idle_topic(struct sl_core *core, struct sl_topic *topic) {
    int64_t idle = core->settings->metadata_max_idle_ms * SL_MS;
    if (core->now - topic->used_at < idle || is_topic_missed(core, topic)) return false;
    topic->forgotten = true;
    sl_list_remove(&topic->wait_node);
    return true;
}

static void run_trouble(struct sl_core *core) {
    struct sl_metadata *m = &core->metadata;
    if (m->trouble_at > core->now) return;
    m->trouble_at = SL_NEVER;
    mark_topics_in_use(core);
    SL_LIST_EACH(node, tmp, &m->troubled) {
        struct sl_topic *topic = SL_LIST_OF(node, struct sl_topic, wait_node);
        sl_list_remove(node);
        bool is_wanted = topic->partition_count > 0 ? !forget_idle_topic(core, topic)
                                                    : is_topic_missed(core, topic);
        if (is_wanted) sl_list_push_back(&m->wanted, node);
    }
}

/* ---- the request ---- */

static void list_asked_topic(struct sl_metadata_topic *items, int32_t *count,
                             struct sl_topic *topic) {
    items[*count].topic_id = (struct sl_uuid){{0}};
    items[*count].name = topic->name_str;
    (*count)++;
    topic->asked = true;
    sl_list_remove(&topic->wait_node);
}

/* The request has come to nothing: all that it asked for is wanted still. */
static void want_again(struct sl_core *core) {
    struct sl_metadata *m = &core->metadata;
    for (uint32_t i = 0; i < m->topic_count; i++) {
        struct sl_topic *topic = m->topics[i];
        if (!topic->asked) continue;
        topic->asked = false;
        sl_list_remove(&topic->wait_node);
        sl_list_push_back(&m->wanted, &topic->wait_node);
    }
    m->full_wanted = m->full_wanted || m->full_asked;
    m->full_asked = false;
}

static int fill_metadata(struct sl_core *core, struct sl_call *call, int16_t version,
                         struct sl_arena *arena, void *request) {
    (void)call;
    struct sl_metadata *m = &core->metadata;
    struct sl_metadata_request *message = request;
    want_again(core); /* calls.c fills anew what was filled before and never left */
    size_t most = 0;
    SL_LIST_EACH(node, tmp, &m->wanted) most++;
    if (m->full_wanted) most = m->topic_count + (size_t)sl_group_follow_list_unknown(core, NULL);
    struct sl_metadata_topic *items = sl_arena_array(arena, most + 1, sizeof *items);
    if (items == NULL) return SLUICE_ERR_NOMEM;
    int32_t count = 0;
    if (m->full_wanted) {
        mark_topics_in_use(core);
        for (uint32_t i = 0; i < m->topic_count; i++) {
            if (!forget_idle_topic(core, m->topics[i]))
                list_asked_topic(items, &count, m->topics[i]);
        }
        m->trouble_at = SL_NEVER; /* those in trouble are asked for with the others */
        if (version >= ASK_BY_ID_SINCE) count += sl_group_follow_list_unknown(core, items + count);
    } else {
        SL_LIST_EACH(node, tmp, &m->wanted) {
            list_asked_topic(items, &count, SL_LIST_OF(node, struct sl_topic, wait_node));
        }
    }
    m->full_asked = m->full_wanted;
    m->all_asked = m->full_asked && sl_group_topics_wants_all(core);
    m->full_wanted = false;
    if (m->full_asked) m->full_at = SL_NEVER;
    message->topics = (struct sl_array){items, m->all_asked ? -1 : count};
    message->allow_auto_topic_creation = core->settings->auto_create_topics;
    return 0;
}

/* Topics of the request that the answer did not speak of: no news is not bad news. */
static void trouble_omitted_topics(struct sl_core *core) {
    struct sl_metadata *m = &core->metadata;
    for (uint32_t i = 0; i < m->topic_count; i++) {
        if (!m->topics[i]->asked) continue;
        m->topics[i]->asked = false;
        sl_metadata_trouble(core, m->topics[i]);
    }
}

static void take_metadata_answer(struct sl_core *core) {
    struct sl_metadata *m = &core->metadata;
    trouble_omitted_topics(core);
    if (sl_list_is_empty(&m->troubled)) m->trouble_rounds = 0;
    if (m->full_asked) m->full_updated_at = core->now;
    if (m->all_asked) m->all_updated_at = core->now;
    m->all_asked = false;
    m->full_asked = false;
    m->known = true;
    m->next_refresh = core->now + core->settings->metadata_max_age_ms * SL_MS;
    m->outage_since = 0;
    m->call.attempts = 0;
    m->call.not_before = 0;
}

static void on_metadata(struct sl_core *core, struct sl_call *call, int rv, const void *response) {
    struct sl_metadata *m = &core->metadata;
    if (rv == 0) rv = sl_metadata_apply(core, response, call->version);
    if (rv == 0) {
        take_metadata_answer(core);
        return;
    }
    want_again(core);
    if (rv == SLUICE_ERR_CLOSED) return;
    sl_core_log(core, SL_LOG_DEBUG, "metadata: %s", sl_errors_find(rv)->name);
    sl_calls_back_off(core, &m->call);
    if (rv == SLUICE_KAFKA_REBOOTSTRAP_REQUIRED) {
        sl_brokers_rebootstrap(core, "a broker asked for it");
    }
}

/* ---- probes: READY and PARTITIONS ---- */

static void end_probe(struct sl_core *core, struct sl_op *op, int code) {
    struct sl_topic *topic = op->owner;
    char buf[SL_OP_TEXT - 64];
    struct sl_text story;
    sl_text_init(&story, buf, sizeof buf);
    if (topic != NULL && topic->code != 0) {
        if (code == SLUICE_ERR_TIMEOUT) code = topic->code;
        sl_ops_end(&core->ops, op, code, "topic \"%s\": %s", topic->name,
                   sl_errors_find(topic->code)->name);
        return;
    }
    sl_brokers_tell(core, &story);
    if (code == SLUICE_ERR_TIMEOUT && !sl_brokers_is_any_ready(core)) {
        sl_ops_end(&core->ops, op, sl_brokers_verdict(core), "no broker reachable: %s",
                   story.size > 0 ? buf : "none has answered so far");
    } else if (code == SLUICE_ERR_TIMEOUT) {
        sl_text_init(&story, buf, sizeof buf);
        sl_brokers_tell_ready(core, &story);
        sl_ops_end(&core->ops, op, code, "no answer about %s%s%s in time from %s",
                   topic != NULL ? "topic \"" : "the cluster", topic != NULL ? topic->name : "",
                   topic != NULL ? "\"" : "", buf);
    } else {
        sl_ops_end(&core->ops, op, code, "%s", sl_errors_find(code)->text);
    }
}

static void end_ready_probes(struct sl_core *core) {
    bool is_up = core->metadata.known && sl_brokers_is_any_ready(core);
    bool is_missed = false;
    SL_LIST_EACH(node, tmp, &core->metadata.probes) {
        struct sl_op *op = SL_LIST_OF(node, struct sl_op, node);
        if (op->owner != NULL) continue;
        if (is_up) {
            sl_ops_end(&core->ops, op, 0, NULL);
        } else {
            is_missed = true;
        }
    }
    /* With metadata from before, a connection is all that is missing. */
    if (is_missed && core->metadata.known) (void)sl_brokers_any(core, SL_PURPOSE_CONTROL);
}

void sl_metadata_end_probes(struct sl_core *core, struct sl_topic *topic, int code) {
    SL_LIST_EACH(node, tmp, &core->metadata.probes) {
        struct sl_op *op = SL_LIST_OF(node, struct sl_op, node);
        if (op->owner != topic) continue;
        op->number = topic->partition_count;
        if (code == 0) {
            sl_ops_end(&core->ops, op, 0, NULL);
        } else {
            end_probe(core, op, code);
        }
    }
}

void sl_metadata_on_refused(struct sl_core *core) {
    if (sl_brokers_is_any_ready(core)) return;
    SL_LIST_EACH(node, tmp, &core->metadata.probes) {
        end_probe(core, SL_LIST_OF(node, struct sl_op, node), SLUICE_ERR_TIMEOUT);
    }
}

void sl_metadata_on_command(struct sl_core *core, struct sl_command *command) {
    struct sl_metadata *m = &core->metadata;
    struct sl_op *op = command->op;
    command->op = NULL;
    op->on_over = end_probe;
    if (command->kind == SL_COMMAND_READY) {
        if (!m->known) refresh_brokers(core);
        sl_list_push_back(&m->probes, &op->node);
        return;
    }
    struct sl_topic *topic = sl_metadata_topic(core, command->topic);
    if (topic == NULL) {
        sl_ops_end(&core->ops, op, SLUICE_ERR_NOMEM, "no memory for a topic");
        return;
    }
    op->owner = topic;
    sl_list_push_back(&m->probes, &op->node);
    if (topic->partition_count > 0) sl_metadata_end_probes(core, topic, 0);
}

/* ---- turns ---- */

/* Nobody has answered for too long: everything known may be out of date. */
static void run_outage(struct sl_core *core) {
    struct sl_metadata *m = &core->metadata;
    int32_t trigger_ms = core->settings->rebootstrap_trigger_ms;
    if (m->outage_since == 0 || trigger_ms < 0) return;
    if (core->now - m->outage_since < trigger_ms * SL_MS) return;
    m->outage_since = core->now;
    sl_calls_cancel(core, &m->call);
    want_again(core);
    sl_brokers_rebootstrap(core, "metadata was not answered for too long");
}

void sl_metadata_run(struct sl_core *core) {
    struct sl_metadata *m = &core->metadata;
    if (m->next_refresh <= core->now) {
        m->next_refresh = SL_NEVER; /* until it is answered */
        m->full_wanted = true;
    }
    if (m->full_at <= core->now) {
        m->full_at = SL_NEVER;
        m->full_wanted = true;
    }
    run_trouble(core);
    run_outage(core);
    if (!m->call.active && (m->full_wanted || !sl_list_is_empty(&m->wanted))) {
        if (m->outage_since == 0) m->outage_since = core->now;
        sl_calls_start(core, &m->call);
    }
    end_ready_probes(core);
}

int64_t sl_metadata_deadline(const struct sl_core *core) {
    const struct sl_metadata *m = &core->metadata;
    /* Wanted by a unit whose turn comes after ours. */
    bool is_wanted = m->full_wanted || !sl_list_is_empty(&m->wanted);
    if (is_wanted && !m->call.active) return core->now;
    int64_t at = m->next_refresh;
    if (m->full_at < at) at = m->full_at;
    if (m->trouble_at < at) at = m->trouble_at;
    if (m->outage_since != 0 && core->settings->rebootstrap_trigger_ms >= 0) {
        int64_t trigger_at = m->outage_since + core->settings->rebootstrap_trigger_ms * SL_MS;
        if (trigger_at < at) at = trigger_at;
    }
    return at;
}
