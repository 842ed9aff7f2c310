/* OffsetFetch (key 9), versions 1 to 10: what groups have committed. One group up to version 7,
 * several from then on; of given topics or of all; by id from version 10 on. No transactions are
 * open here, so every offset is stable. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static struct sl_str name_of_topic(const struct sl_exchange *x,
                                   const struct sl_offset_fetch_topic *asked, int *unknown) {
    *unknown = 0;
    if (x->header.version < 10) return asked->name; /* not committed is no error, nor is unknown */
    const struct sl_cluster_topic *topic =
        sl_machine_topic(x, true, SL_STR_NULL, &asked->topic_id, unknown);
    return topic == NULL ? SL_STR_NULL : sl_bytes_str(topic->name);
}

/* group NULL: nothing is committed. code: of this partition for another reason. */
static void answer_committed(const struct sl_exchange *x, const struct sl_group *group,
                             struct sl_str name, int32_t partition, int code,
                             struct sl_offset_fetch_partition_response *out) {
    bool execute;
    int forced = sl_machine_forced(x, name, partition, &execute);
    if (forced != 0) code = forced;
    const struct sl_group_offset *at =
        group == NULL || code != 0 ? NULL : sl_group_offsets_find(&group->offsets, name, partition);
    out->partition = partition;
    out->offset = at == NULL ? -1 : at->offset;
    out->leader_epoch = at == NULL ? -1 : at->leader_epoch;
    out->metadata = at == NULL || at->metadata.size < 0 ? SL_STR("") : at->metadata;
    out->error_code = (int16_t)code;
}

static bool answer_asked_offsets(struct sl_exchange *x, const struct sl_group *group, int code,
                                 const struct sl_array *topics, struct sl_array *out) {
    const struct sl_offset_fetch_topic *asked = topics->items;
    if (!sl_machine_array(x, out, topics->count, sizeof(struct sl_offset_fetch_topic_response)))
        return false;
    struct sl_offset_fetch_topic_response *t = out->items;
    for (int32_t i = 0; i < topics->count; i++) {
        int unknown;
        struct sl_str name = name_of_topic(x, &asked[i], &unknown);
        const int32_t *partitions = asked[i].partitions.items;
        t[i].name = asked[i].name;
        t[i].topic_id = asked[i].topic_id;
        if (!sl_machine_array(x, &t[i].partitions, asked[i].partitions.count,
                              sizeof(struct sl_offset_fetch_partition_response)))
            return false;
        struct sl_offset_fetch_partition_response *p = t[i].partitions.items;
        for (int32_t k = 0; k < asked[i].partitions.count; k++)
            answer_committed(x, group, name, partitions[k], code != 0 ? code : unknown, &p[k]);
    }
    return true;
}

static bool answer_all_offsets(struct sl_exchange *x, const struct sl_group *group,
                               struct sl_array *out) {
    const struct sl_group_offset_topic *t;
    int32_t count = group == NULL ? 0 : (int32_t)group->offsets.topics.count, told = 0;
    if (!sl_machine_array(x, out, count, sizeof(struct sl_offset_fetch_topic_response)))
        return false;
    struct sl_offset_fetch_topic_response *r = out->items;
    for (uint32_t at = 0;
         group != NULL && (t = sl_map_next(&group->offsets.topics, &at, NULL)) != NULL; told++) {
        const struct sl_cluster_topic *topic = sl_cluster_find(&x->c->cluster, t->name);
        r[told].name = t->name;
        if (topic != NULL) r[told].topic_id = topic->id;
        if (!sl_machine_array(x, &r[told].partitions, t->count,
                              sizeof(struct sl_offset_fetch_partition_response)))
            return false;
        struct sl_offset_fetch_partition_response *p = r[told].partitions.items;
        for (int32_t i = 0; i < t->count; i++)
            answer_committed(x, group, t->name, t->items[i].partition, 0, &p[i]);
    }
    return true;
}

/* Offsets of one group; *code is the group's. False: out of memory. */
static bool answer_group_offsets(struct sl_exchange *x, const struct sl_offset_fetch_group *asked,
                                 struct sl_array *topics, int16_t *code) {
    bool execute;
    int rv = sl_machine_judge_group(x, asked->group_id, true);
    bool is_narrow = x->fault.kind == SL_FAULT_ERROR && sl_faults_is_narrow(&x->fault);
    /* A scripted 88 is of partitions, as a real one. */
    bool is_inner = is_narrow || x->fault.code == SLUICE_KAFKA_UNSTABLE_OFFSET_COMMIT;
    int forced = is_inner ? 0 : sl_machine_forced(x, SL_STR(""), -1, &execute);
    if (forced != 0) rv = forced;
    const struct sl_group *group = sl_groups_find(&x->c->groups, asked->group_id);
    if (rv == 0 && group != NULL)
        rv = sl_groups_admit_fetch(group, asked->member_id, asked->member_epoch);
    *code = (int16_t)rv;
    if (rv != 0 && x->header.version >= 2) return sl_machine_array(x, topics, 0, 1);
    return asked->topics.count >= 0 ? answer_asked_offsets(x, group, rv, &asked->topics, topics)
                                    : answer_all_offsets(x, group, topics);
}

enum sl_handled sl_handle_offset_fetch(struct sl_exchange *x) {
    const struct sl_offset_fetch_request *request = x->request;
    struct sl_offset_fetch_response *m = x->response;
    if (x->header.version < 8) {
        struct sl_offset_fetch_group one = {.group_id = request->group_id,
                                            .member_id = SL_STR_NULL,
                                            .member_epoch = -1,
                                            .topics = request->topics};
        return answer_group_offsets(x, &one, &m->topics, &m->error_code) ? SL_HANDLED
                                                                         : SL_HANDLED_CLOSE;
    }
    const struct sl_offset_fetch_group *asked = request->groups.items;
    if (!sl_machine_array(x, &m->groups, request->groups.count,
                          sizeof(struct sl_offset_fetch_group_response)))
        return SL_HANDLED_CLOSE;
    struct sl_offset_fetch_group_response *out = m->groups.items;
    for (int32_t i = 0; i < request->groups.count; i++) {
        out[i].group_id = asked[i].group_id;
        if (!answer_group_offsets(x, &asked[i], &out[i].topics, &out[i].error_code))
            return SL_HANDLED_CLOSE;
    }
    return SL_HANDLED;
}
