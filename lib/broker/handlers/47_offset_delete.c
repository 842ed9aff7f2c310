/* OffsetDelete (key 47), version 0: takes committed offsets back, of topics that no member subscribes
 * to; whose metadata cannot be read subscribes to anything. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static int delete_asked_offset(struct sl_exchange *x, struct sl_group *group, struct sl_str name,
                               int32_t partition) {
    const struct sl_cluster_topic *topic = sl_cluster_find(&x->c->cluster, name);
    if (sl_cluster_partition(topic, partition) == NULL)
        return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (sl_groups_subscribes(group, name)) return SLUICE_KAFKA_GROUP_SUBSCRIBED_TO_TOPIC;
    sl_group_offsets_remove(&group->offsets, name, partition);
    return 0;
}

static int judge_offset_delete(struct sl_exchange *x, struct sl_group **group) {
    const struct sl_offset_delete_request *request = x->request;
    int code = sl_machine_judge_group(x, request->group_id, true);
    if (code != 0) return code;
    *group = sl_groups_find(&x->c->groups, request->group_id);
    if (*group == NULL) return SLUICE_KAFKA_GROUP_ID_NOT_FOUND;
    bool is_consumer = sl_bytes_str_equal(sl_groups_protocol_type(*group), SL_STR("consumer"));
    bool is_open = sl_groups_is_empty(*group) || is_consumer;
    return is_open ? 0 : SLUICE_KAFKA_NON_EMPTY_GROUP;
}

enum sl_handled sl_handle_offset_delete(struct sl_exchange *x) {
    const struct sl_offset_delete_request *request = x->request;
    struct sl_offset_delete_response *m = x->response;
    const struct sl_offset_delete_topic *asked = request->topics.items;
    struct sl_group *group = NULL;
    bool execute;
    int code = judge_offset_delete(x, &group);
    int forced =
        sl_faults_is_narrow(&x->fault) ? 0 : sl_machine_forced(x, SL_STR(""), -1, &execute);
    m->error_code = (int16_t)(forced != 0 ? forced : code);
    if (m->error_code != 0) return SL_HANDLED;
    if (!sl_machine_array(x, &m->topics, request->topics.count,
                          sizeof(struct sl_offset_delete_topic_response)))
        return SL_HANDLED_CLOSE;
    struct sl_offset_delete_topic_response *out = m->topics.items;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const int32_t *partitions = asked[t].partitions.items;
        out[t].name = asked[t].name;
        if (!sl_machine_array(x, &out[t].partitions, asked[t].partitions.count,
                              sizeof(struct sl_offset_delete_partition_response)))
            return SL_HANDLED_CLOSE;
        struct sl_offset_delete_partition_response *p = out[t].partitions.items;
        for (int32_t i = 0; i < asked[t].partitions.count; i++) {
            forced = sl_machine_forced(x, asked[t].name, partitions[i], &execute);
            code = execute ? delete_asked_offset(x, group, asked[t].name, partitions[i]) : 0;
            p[i].partition = partitions[i];
            p[i].error_code = (int16_t)(forced != 0 ? forced : code);
        }
    }
    return SL_HANDLED;
}
