/* DeleteTopics (key 20), versions 1 to 6: by name, from version 6 on by name or id. */
#include <string.h>

#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static void delete_asked_topic(struct sl_exchange *x, struct sl_str name, const struct sl_uuid *id,
                               struct sl_delete_topics_topic_response *out) {
    int code;
    bool execute;
    bool by_id = name.size < 0;
    struct sl_cluster_topic *topic = sl_machine_topic(x, by_id, name, id, &code);
    int forced =
        sl_machine_forced(x, topic == NULL ? name : sl_bytes_str(topic->name), -1, &execute);
    out->name = name;
    out->topic_id = *id;
    out->error_code = (int16_t)(forced != 0 ? forced : code);
    out->error_message = out->error_code == 0 ? SL_STR_NULL : SL_STR("the topic was not deleted");
    if (topic == NULL || !execute) return;
    out->topic_id = topic->id;
    if (by_id) { /* the name goes with the topic */
        size_t len = strlen(topic->name);
        out->name = (struct sl_str){sl_arena_text(&x->arena, topic->name, len), (int32_t)len};
    }
    sl_machine_delete_topic(x->c, topic);
}

enum sl_handled sl_handle_delete_topics(struct sl_exchange *x) {
    const struct sl_delete_topics_request *request = x->request;
    struct sl_delete_topics_response *m = x->response;
    static const struct sl_uuid no_id;
    bool structs = x->header.version >= 6;
    int32_t count = structs ? request->topics.count : request->topic_names.count;
    if (!sl_machine_array(x, &m->topics, count, sizeof(struct sl_delete_topics_topic_response)))
        return SL_HANDLED_CLOSE;
    struct sl_delete_topics_topic_response *out = m->topics.items;
    for (int32_t i = 0; i < count; i++) {
        const struct sl_delete_topics_topic *t = request->topics.items;
        if (structs)
            delete_asked_topic(x, t[i].name, &t[i].topic_id, &out[i]);
        else
            delete_asked_topic(x, ((const struct sl_str *)request->topic_names.items)[i], &no_id,
                               &out[i]);
    }
    return x->arena.failed ? SL_HANDLED_CLOSE : SL_HANDLED;
}
