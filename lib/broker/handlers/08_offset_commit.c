/* OffsetCommit (key 8), versions 2 to 10: how far a group has come; topics by id from version 10 on.
 * Who may commit is the group's affair; topics that do not exist are refused one by one. */
#include "broker/machine.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

struct commit_under_way {
    struct sl_exchange *x;
    struct sl_group *group;
    int code;       /* of the group */
    bool is_judged; /* code and group are known: not before a partition is good */
    bool failed;    /* memory ran out */
};

static int judge_commit_group(struct commit_under_way *u) {
    const struct sl_offset_commit_request *r = u->x->request;
    if (u->is_judged) return u->code;
    u->is_judged = true;
    u->code = sl_machine_judge_group(u->x, r->group_id, true);
    if (u->code == 0)
        u->code =
            sl_groups_admit_commit(&u->x->c->groups, r->group_id, r->member_id, r->instance_id,
                                   r->generation, u->x->header.version, &u->group);
    if (u->code == SLUICE_ERR_NOMEM) u->failed = true;
    return u->code;
}

static int commit_asked_offset(struct commit_under_way *u, const struct sl_cluster_topic *topic,
                               const struct sl_offset_commit_partition *asked) {
    if (sl_cluster_partition(topic, asked->partition) == NULL)
        return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (judge_commit_group(u) != 0) return u->code;
    if (asked->metadata.size > u->x->c->groups.settings.metadata_max)
        return SLUICE_KAFKA_OFFSET_METADATA_TOO_LARGE;
    if (asked->offset < 0)
        sl_machine_complain(u->x->c, "OffsetCommit: offset %lld of %s-%d is below zero",
                            (long long)asked->offset, topic->name, (int)asked->partition);
    struct sl_group_offset offset = {.offset = asked->offset,
                                     .metadata = asked->metadata,
                                     .leader_epoch = asked->leader_epoch,
                                     .partition = asked->partition};
    int rv = sl_group_offsets_put(&u->group->offsets, sl_bytes_str(topic->name), &offset);
    if (rv != 0) u->failed = true;
    return rv;
}

static bool commit_asked_topic(struct commit_under_way *u,
                               const struct sl_offset_commit_topic *asked,
                               struct sl_offset_commit_topic_response *out) {
    struct sl_exchange *x = u->x;
    bool by_id = x->header.version >= 10;
    int unknown;
    const struct sl_cluster_topic *topic =
        sl_machine_topic(x, by_id, asked->name, &asked->topic_id, &unknown);
    struct sl_str name = topic == NULL ? asked->name : sl_bytes_str(topic->name);
    const struct sl_offset_commit_partition *p = asked->partitions.items;
    out->name = asked->name;
    out->topic_id = asked->topic_id;
    if (!sl_machine_array(x, &out->partitions, asked->partitions.count,
                          sizeof(struct sl_offset_commit_partition_response)))
        return false;
    struct sl_offset_commit_partition_response *r = out->partitions.items;
    for (int32_t i = 0; i < asked->partitions.count; i++) {
        bool execute;
        int forced = sl_machine_forced(x, name, p[i].partition, &execute);
        int code = unknown;
        if (code == 0 && execute) code = commit_asked_offset(u, topic, &p[i]);
        r[i].partition = p[i].partition;
        r[i].error_code = (int16_t)(forced != 0 ? forced : code);
    }
    return !u->failed;
}

enum sl_handled sl_handle_offset_commit(struct sl_exchange *x) {
    const struct sl_offset_commit_request *request = x->request;
    struct sl_offset_commit_response *m = x->response;
    struct commit_under_way u = {.x = x};
    if (!sl_machine_array(x, &m->topics, request->topics.count,
                          sizeof(struct sl_offset_commit_topic_response)))
        return SL_HANDLED_CLOSE;
    const struct sl_offset_commit_topic *topics = request->topics.items;
    struct sl_offset_commit_topic_response *out = m->topics.items;
    bool done = true;
    for (int32_t i = 0; i < request->topics.count && done; i++)
        done = commit_asked_topic(&u, &topics[i], &out[i]);
    if (u.group != NULL) sl_groups_tidy(u.group); /* made, and then nothing was committed */
    return done ? SL_HANDLED : SL_HANDLED_CLOSE;
}
