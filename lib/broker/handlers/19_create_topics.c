/* CreateTopics (key 19), versions 2 to 7. Assignments by hand are read for their number only; the
 * settings of topics are accepted and not kept. */
#include "broker/machine.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static const char *explain_refusal(int code) {
    switch (code) {
    case SLUICE_KAFKA_TOPIC_ALREADY_EXISTS:
        return "the topic exists already";
    case SLUICE_KAFKA_INVALID_TOPIC_EXCEPTION:
        return "the name is not a legal topic name";
    case SLUICE_KAFKA_INVALID_PARTITIONS:
        return "the number of partitions must be above 0";
    case SLUICE_KAFKA_INVALID_REPLICATION_FACTOR:
        return "the replication factor must be above 0 and at most the number of brokers";
    default:
        return "the topic was not created";
    }
}

static bool create_asked_topic(struct sl_exchange *x, const struct sl_create_topics_topic *asked,
                               bool validate, struct sl_create_topics_topic_response *out) {
    struct sl_cluster *cluster = &x->c->cluster;
    struct sl_cluster_topic *topic = NULL;
    bool execute;
    int32_t partitions =
        asked->assignments.count > 0 ? asked->assignments.count : asked->partition_count;
    int forced = sl_machine_forced(x, asked->name, -1, &execute);
    int code = 0;
    if (execute && validate)
        code = sl_cluster_judge_topic(cluster, asked->name, partitions, asked->replication_factor);
    else if (execute)
        code = sl_cluster_create_topic(cluster, asked->name, partitions, asked->replication_factor,
                                       &topic);
    if (code == SLUICE_ERR_NOMEM) return false;
    if (forced != 0) code = forced;
    out->name = asked->name;
    out->error_code = (int16_t)code;
    out->error_message = code == 0 ? SL_STR_NULL : sl_bytes_str(explain_refusal(code));
    out->partition_count = topic == NULL ? -1 : topic->partition_count;
    out->replication_factor = topic == NULL ? -1 : (int16_t)topic->replica_count;
    out->configs = (struct sl_array){NULL, code == 0 ? 0 : -1};
    if (topic != NULL) out->topic_id = topic->id;
    return true;
}

enum sl_handled sl_handle_create_topics(struct sl_exchange *x) {
    const struct sl_create_topics_request *request = x->request;
    struct sl_create_topics_response *m = x->response;
    int32_t count = request->topics.count;
    if (!sl_machine_array(x, &m->topics, count, sizeof(struct sl_create_topics_topic_response)))
        return SL_HANDLED_CLOSE;
    for (int32_t i = 0; i < count; i++)
        if (!create_asked_topic(x, (const struct sl_create_topics_topic *)request->topics.items + i,
                                request->validate_only,
                                (struct sl_create_topics_topic_response *)m->topics.items + i))
            return SL_HANDLED_CLOSE;
    return SL_HANDLED;
}
