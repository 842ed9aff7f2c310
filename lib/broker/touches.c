/* Which requests a narrow fault is about. Nearly every request with topics has the same shape: an
 * array `topics` of structs with `name`, `topic_id` or both, and perhaps an array `partitions` of
 * numbers or of structs with `partition`; it may stand in an array `groups`. So one walk over the
 * field tables serves all APIs, those to come included. Two are looked at beyond that: a Fetch with a session means the partitions that the
 * session goes on with too, and Metadata of all topics means every topic.
 *
 * A fault for a partition is not about requests that name no partitions; a fault for a topic is
 * not about requests without topics. */
#include <string.h>

#include "broker/machine.h"
#include "wire/messages.h"

static const struct sl_field *find_named_field(const struct sl_type *type, const char *name,
                                               int kind) {
    for (uint16_t i = 0; i < type->field_count; i++)
        if (type->fields[i].kind == kind && strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static const void *member_at(const void *message, const struct sl_field *f) {
    return (const char *)message + f->offset;
}

/* The name of a topic that goes by name or, when it has none, by id; null when the id is unknown. */
static struct sl_str resolve_topic_name(const struct sl_exchange *x, struct sl_str name,
                                        const struct sl_uuid *id) {
    if (name.size > 0 || id == NULL) return name;
    const struct sl_cluster_topic *topic = sl_cluster_find_id(&x->c->cluster, id);
    return topic == NULL ? SL_STR_NULL : sl_bytes_str(topic->name);
}

static bool touches_topic(const struct sl_exchange *x, const struct sl_fault *fault,
                          const struct sl_type *type, const void *topic) {
    const struct sl_field *name_field = find_named_field(type, "name", SL_KIND_STR);
    const struct sl_field *id_field = find_named_field(type, "topic_id", SL_KIND_UUID);
    const struct sl_field *list = find_named_field(type, "partitions", SL_KIND_ARRAY);
    if (name_field == NULL) return false;
    struct sl_str name = *(const struct sl_str *)member_at(topic, name_field);
    name = resolve_topic_name(x, name, id_field == NULL ? NULL : member_at(topic, id_field));
    if (list == NULL) return sl_faults_covers(fault, name, -1);
    bool is_plain = list->item == NULL;
    const struct sl_field *number =
        is_plain ? NULL : find_named_field(list->item, "partition", SL_KIND_I32);
    if (number == NULL && list->item_kind != SL_KIND_I32) return false;
    size_t size = is_plain ? sizeof(int32_t) : list->item->size;
    size_t offset = is_plain ? 0 : number->offset;
    const struct sl_array *partitions = member_at(topic, list);
    for (int32_t i = 0; i < partitions->count; i++) {
        const char *item = (const char *)partitions->items + (size_t)i * size;
        int32_t partition;
        memcpy(&partition, item + offset, sizeof partition);
        if (sl_faults_covers(fault, name, partition)) return true;
    }
    return false;
}

/* Of the array `topics` of a message or of one of its groups. */
static bool touches_topics(const struct sl_exchange *x, const struct sl_fault *fault,
                           const struct sl_type *type, const void *message) {
    const struct sl_field *list = find_named_field(type, "topics", SL_KIND_ARRAY);
    if (list == NULL || list->item == NULL) return false;
    const struct sl_array *topics = member_at(message, list);
    for (int32_t i = 0; i < topics->count; i++)
        if (touches_topic(x, fault, list->item,
                          (const char *)topics->items + (size_t)i * list->item->size))
            return true;
    return false;
}

static bool touches_groups(const struct sl_exchange *x, const struct sl_fault *fault) {
    const struct sl_field *list = find_named_field(x->api->request, "groups", SL_KIND_ARRAY);
    if (list == NULL || list->item == NULL) return false;
    const struct sl_array *groups = member_at(x->request, list);
    for (int32_t i = 0; i < groups->count; i++)
        if (touches_topics(x, fault, list->item,
                           (const char *)groups->items + (size_t)i * list->item->size))
            return true;
    return false;
}

/* Whether the request takes a partition out of its session. */
static bool is_forgotten(const struct sl_exchange *x, const struct sl_session *session,
                         const struct sl_session_partition *p) {
    const struct sl_fetch_request *request = x->request;
    const struct sl_fetch_forgotten_topic *topics = request->forgotten_topics.items;
    for (int32_t t = 0; t < request->forgotten_topics.count; t++) {
        const int32_t *partitions = topics[t].partitions.items;
        bool same = session->by_id ? sl_bytes_uuid_equal(&topics[t].topic_id, &p->topic_id)
                                   : sl_bytes_str_equal(topics[t].name, p->name);
        for (int32_t i = 0; same && i < topics[t].partitions.count; i++)
            if (partitions[i] == p->asked.partition) return true;
    }
    return false;
}

static bool touches_session(const struct sl_exchange *x, const struct sl_fault *fault) {
    const struct sl_fetch_request *request = x->request;
    if (request->session_epoch <= 0) return false;
    struct sl_session *session = sl_sessions_find(&x->self->sessions, request->session_id);
    if (session == NULL) return false;
    SL_LIST_EACH(node, next, &session->order) {
        const struct sl_session_partition *p = SL_LIST_OF(node, struct sl_session_partition, order);
        struct sl_str name = resolve_topic_name(x, p->name, session->by_id ? &p->topic_id : NULL);
        if (!sl_faults_covers(fault, name, p->asked.partition)) continue;
        if (!is_forgotten(x, session, p)) return true;
    }
    return false;
}

bool sl_touches_fault(const void *exchange, const struct sl_fault *fault) {
    const struct sl_exchange *x = exchange;
    const struct sl_type *type = x->api->request;
    const struct sl_field *list = find_named_field(type, "topics", SL_KIND_ARRAY);
    const struct sl_field *names = find_named_field(type, "topic_names", SL_KIND_ARRAY);
    if (list != NULL && x->api->key == SL_API_METADATA) {
        int32_t count = ((const struct sl_array *)member_at(x->request, list))->count;
        bool is_all = count < 0 || (x->header.version == 0 && count == 0);
        if (is_all) return fault->partition == -1;
    }
    if (touches_topics(x, fault, type, x->request) || touches_groups(x, fault)) return true;
    const struct sl_array *texts = names == NULL ? NULL : member_at(x->request, names);
    for (int32_t i = 0; texts != NULL && i < texts->count; i++)
        if (sl_faults_covers(fault, ((const struct sl_str *)texts->items)[i], -1)) return true;
    return x->api->key == SL_API_FETCH && touches_session(x, fault);
}
