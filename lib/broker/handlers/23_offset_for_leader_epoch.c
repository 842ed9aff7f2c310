/* OffsetForLeaderEpoch (key 23), versions 2 to 4: where an epoch ends in the leader's log. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static void answer_epoch(struct sl_exchange *x, struct sl_cluster_topic *topic, struct sl_str name,
                         int code, const struct sl_offset_for_leader_epoch_partition *asked,
                         struct sl_offset_for_leader_epoch_partition_response *out) {
    out->partition = asked->partition;
    out->leader_epoch = -1;
    out->end_offset = -1;
    bool execute;
    int forced = sl_machine_forced(x, name, asked->partition, &execute);
    struct sl_cluster_partition *p =
        topic == NULL ? NULL : sl_cluster_partition(topic, asked->partition);
    if (p != NULL)
        code = sl_cluster_judge_leader(&x->c->cluster, p, x->self, asked->current_leader_epoch);
    else if (code == 0)
        code = SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (forced != 0) code = forced;
    out->error_code = (int16_t)code;
    if (code == 0)
        sl_log_epoch_end(&p->log, asked->leader_epoch, p->leader_epoch, &out->leader_epoch,
                         &out->end_offset);
}

enum sl_handled sl_handle_offset_for_leader_epoch(struct sl_exchange *x) {
    const struct sl_offset_for_leader_epoch_request *request = x->request;
    struct sl_offset_for_leader_epoch_response *m = x->response;
    if (!sl_machine_array(x, &m->topics, request->topics.count,
                          sizeof(struct sl_offset_for_leader_epoch_topic_response)))
        return SL_HANDLED_CLOSE;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct sl_offset_for_leader_epoch_topic *asked =
            (const struct sl_offset_for_leader_epoch_topic *)request->topics.items + t;
        struct sl_offset_for_leader_epoch_topic_response *out =
            (struct sl_offset_for_leader_epoch_topic_response *)m->topics.items + t;
        int code;
        struct sl_cluster_topic *topic = sl_machine_topic(x, false, asked->name, NULL, &code);
        out->name = asked->name;
        if (!sl_machine_array(x, &out->partitions, asked->partitions.count,
                              sizeof(struct sl_offset_for_leader_epoch_partition_response)))
            return SL_HANDLED_CLOSE;
        const struct sl_offset_for_leader_epoch_partition *p = asked->partitions.items;
        struct sl_offset_for_leader_epoch_partition_response *r = out->partitions.items;
        for (int32_t i = 0; i < asked->partitions.count; i++)
            answer_epoch(x, topic, asked->name, code, &p[i], &r[i]);
    }
    return SL_HANDLED;
}
