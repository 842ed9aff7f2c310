/* Metadata (key 3), versions 0 to 13: brokers, topics by name or id, auto-creation. Leaders are
 * told as Metadata believes them (a move that was not told shows the old one). */
#include <string.h>

#include "broker/machine.h"
#include "broker/replicas.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static bool fill_metadata_brokers(struct sl_exchange *x, struct sl_metadata_response *m) {
    struct sl_cluster *cluster = &x->c->cluster;
    int32_t count = 0;
    if (!sl_machine_array(x, &m->brokers, cluster->node_count, sizeof(struct sl_metadata_broker)))
        return false;
    struct sl_metadata_broker *brokers = m->brokers.items;
    for (int32_t i = 0; i < cluster->node_count; i++) {
        struct sl_cluster_node *node = &cluster->nodes[i];
        if (!sl_cluster_is_alive(cluster, node->id)) continue;
        brokers[count++] = (struct sl_metadata_broker){node->id, sl_bytes_str(node->host),
                                                       (int32_t)node->port, sl_replicas_rack(node)};
    }
    m->brokers.count = count;
    return true;
}

static bool fill_metadata_nodes(struct sl_exchange *x, const struct sl_cluster_topic *topic,
                                struct sl_cluster_partition *p,
                                struct sl_metadata_partition_response *out) {
    int32_t alive = 0, gone = 0;
    size_t size = sizeof(int32_t);
    if (!sl_machine_array(x, &out->isr_nodes, topic->replica_count, size)) return false;
    if (!sl_machine_array(x, &out->offline_replicas, topic->replica_count, size)) return false;
    out->replica_nodes = (struct sl_array){p->replicas, topic->replica_count};
    for (int32_t i = 0; i < topic->replica_count; i++) {
        if (sl_cluster_is_alive(&x->c->cluster, p->replicas[i]))
            ((int32_t *)out->isr_nodes.items)[alive++] = p->replicas[i];
        else
            ((int32_t *)out->offline_replicas.items)[gone++] = p->replicas[i];
    }
    out->isr_nodes.count = alive;
    out->offline_replicas.count = gone;
    return true;
}

/* A scripted error takes the partitions away, unless it is one that follows the deed. */
static bool fill_metadata_topic(struct sl_exchange *x, const struct sl_cluster_topic *topic,
                                struct sl_metadata_topic_response *out) {
    bool execute;
    out->name = sl_bytes_str(topic->name);
    out->topic_id = topic->id;
    out->error_code = (int16_t)sl_machine_forced(x, out->name, -1, &execute);
    if (!execute) return true;
    if (!sl_machine_array(x, &out->partitions, topic->partition_count,
                          sizeof(struct sl_metadata_partition_response)))
        return false;
    struct sl_metadata_partition_response *p = out->partitions.items;
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct sl_cluster_partition *partition = &topic->partitions[i];
        p[i].partition = i;
        p[i].leader_id = partition->told_leader;
        p[i].leader_epoch = partition->told_epoch;
        p[i].error_code = partition->told_leader < 0 ? SLUICE_KAFKA_LEADER_NOT_AVAILABLE : 0;
        if (!fill_metadata_nodes(x, topic, partition, &p[i])) return false;
    }
    return true;
}

/* Finds the topic or creates it. False: out of memory. */
static bool answer_metadata_topic(struct sl_exchange *x, const struct sl_metadata_topic *asked,
                                  bool create, struct sl_metadata_topic_response *out) {
    int code;
    bool execute;
    bool by_id = x->header.version >= 12 && !sl_bytes_uuid_is_zero(&asked->topic_id);
    struct sl_cluster_topic *topic =
        sl_machine_topic(x, by_id, asked->name, &asked->topic_id, &code);
    int forced = sl_machine_forced(x, asked->name, -1, &execute);
    if (topic == NULL && !by_id && execute && create && x->c->options.auto_create) {
        code = sl_cluster_create_topic(&x->c->cluster, asked->name, -1, -1, &topic);
        if (code == SLUICE_ERR_NOMEM) return false;
    } else if (topic == NULL && !by_id && !sl_cluster_is_name(asked->name)) {
        code = SLUICE_KAFKA_INVALID_TOPIC_EXCEPTION;
    }
    if (topic != NULL) return fill_metadata_topic(x, topic, out);
    if (forced != 0) code = forced;
    out->error_code = (int16_t)code;
    out->name = by_id ? SL_STR_NULL : asked->name;
    out->topic_id = asked->topic_id;
    return true;
}

/* Versions 10 and 11 carry ids and null names, but brokers do not take them before version 12. */
static bool is_too_early(const struct sl_exchange *x) {
    const struct sl_metadata_request *request = x->request;
    const struct sl_metadata_topic *asked = request->topics.items;
    bool is_early = false;
    if (x->header.version < 10 || x->header.version >= 12) return false;
    for (int32_t i = 0; i < request->topics.count; i++)
        is_early |= asked[i].name.size < 0 || !sl_bytes_uuid_is_zero(&asked[i].topic_id);
    return is_early;
}

/* Every topic has the code. False: out of memory. */
static bool refuse_metadata(struct sl_exchange *x, struct sl_metadata_response *m, int code) {
    const struct sl_metadata_request *request = x->request;
    const struct sl_metadata_topic *asked = request->topics.items;
    if (!sl_machine_array(x, &m->topics, request->topics.count,
                          sizeof(struct sl_metadata_topic_response)))
        return false;
    struct sl_metadata_topic_response *out = m->topics.items;
    for (int32_t i = 0; i < m->topics.count; i++) {
        out[i].error_code = (int16_t)code;
        out[i].name = asked[i].name.size < 0 ? SL_STR("") : asked[i].name;
        out[i].authorized_operations = INT32_MIN;
    }
    return true;
}

enum sl_handled sl_handle_metadata(struct sl_exchange *x) {
    const struct sl_metadata_request *request = x->request;
    struct sl_metadata_response *m = x->response;
    struct sl_cluster *cluster = &x->c->cluster;
    bool all = request->topics.count < 0 || (x->header.version == 0 && request->topics.count == 0);
    int32_t count = all ? (int32_t)cluster->by_name.count : request->topics.count;
    if (x->header.version >= 13 && x->fault.kind == SL_FAULT_ERROR &&
        x->fault.code == SLUICE_KAFKA_REBOOTSTRAP_REQUIRED) {
        m->error_code = (int16_t)x->fault.code; /* only the answer as a whole can have it */
        return SL_HANDLED;
    }
    if (is_too_early(x)) {
        sl_machine_complain(x->c, "Metadata: a topic id or null name before version 12");
        bool ok = refuse_metadata(x, m, SLUICE_KAFKA_INVALID_REQUEST);
        return ok ? SL_HANDLED : SL_HANDLED_CLOSE;
    }
    if (!fill_metadata_brokers(x, m)) return SL_HANDLED_CLOSE;
    m->cluster_id = sl_bytes_str(x->c->cluster_id);
    m->controller_id = sl_cluster_controller(cluster);
    if (!sl_machine_array(x, &m->topics, count, sizeof(struct sl_metadata_topic_response)))
        return SL_HANDLED_CLOSE;
    struct sl_metadata_topic_response *out = m->topics.items;
    const struct sl_metadata_topic *asked = request->topics.items;
    uint32_t at = 0;
    for (int32_t i = 0; i < count; i++) {
        out[i].authorized_operations = INT32_MIN;
        bool ok =
            all ? fill_metadata_topic(x, sl_map_next(&cluster->by_name, &at, NULL), &out[i])
                : answer_metadata_topic(x, &asked[i], request->allow_auto_topic_creation, &out[i]);
        if (!ok) return SL_HANDLED_CLOSE;
    }
    return SL_HANDLED;
}
