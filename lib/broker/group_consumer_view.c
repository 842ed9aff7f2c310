/* What administrators and tests see of a group of KIP-848: its state, its members, and that nobody has
 * what another one has. */
#include "base/assert.h"
#include "broker/groups.h"

static bool is_reconciled(const struct sl_group *g, const struct sl_consumer_member *m) {
    return m->state == SL_CONSUMER_STABLE && m->epoch == g->consumer.target_epoch;
}

const char *sl_group_consumer_view_state(const struct sl_group *g) {
    const struct sl_consumer *c = &g->consumer;
    const struct sl_consumer_member *m;
    if (c->members.count == 0) return "Empty";
    if (c->epoch > c->target_epoch) return "Assigning";
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        if (!is_reconciled(g, m)) return "Reconciling";
    return "Stable";
}

/* The same topics as a heartbeat has them, with their names. False: out of memory. */
static bool describe_parts(const struct sl_group *g, const struct sl_parts *parts,
                           struct sl_arena *arena,
                           struct sl_consumer_group_describe_assignment *out) {
    struct sl_array topics;
    if (!sl_group_parts_list(parts, arena, &topics)) return false;
    const struct sl_consumer_group_heartbeat_topic *from = topics.items;
    struct sl_consumer_group_describe_topic *to =
        sl_arena_array(arena, (size_t)topics.count, sizeof *to);
    if (to == NULL) return false;
    out->topics = (struct sl_array){to, topics.count};
    for (int32_t i = 0; i < topics.count; i++) {
        const struct sl_cluster_topic *topic =
            sl_cluster_find_id(g->groups->cluster, &from[i].topic_id);
        to[i].topic_id = from[i].topic_id;
        to[i].name = sl_bytes_str(topic == NULL ? "" : topic->name);
        to[i].partitions = from[i].partitions;
    }
    return true;
}

static struct sl_str or_no_text(struct sl_str text) { return text.size >= 0 ? text : SL_STR(""); }

bool sl_group_consumer_view_describe(const struct sl_group *g, struct sl_arena *arena,
                                     struct sl_consumer_group_describe_group *out) {
    const struct sl_consumer *c = &g->consumer;
    const struct sl_consumer_member *m;
    struct sl_consumer_group_describe_member *item =
        sl_arena_array(arena, (size_t)c->members.count, sizeof *item);
    if (item == NULL) return false;
    out->state = sl_bytes_str(sl_group_consumer_view_state(g));
    out->group_epoch = c->epoch;
    out->assignment_epoch = c->target_epoch;
    out->assignor = sl_bytes_str(sl_group_target_assignor(g));
    out->members = (struct sl_array){item, (int32_t)c->members.count};
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL; item++) {
        item->member_id = m->id;
        item->instance_id = m->instance;
        item->rack_id = m->rack;
        item->member_epoch = m->epoch;
        item->client_id = or_no_text(m->client_id);
        item->client_host = SL_STR("/127.0.0.1");
        item->topic_names = (struct sl_array){m->names, m->name_count};
        item->topic_regex = m->regex_text.size > 0 ? m->regex_text : SL_STR_NULL;
        item->member_type = 1;
        if (!describe_parts(g, &m->assigned, arena, &item->assignment)) return false;
        if (!describe_parts(g, &m->target, arena, &item->target)) return false;
    }
    return true;
}

void sl_group_consumer_view_dump(const struct sl_group *g, struct sl_text *out) {
    static const char *const states[] = {"", "stable", "unrevoked", "unreleased"};
    const struct sl_consumer_member *m;
    sl_text_printf(out, " epoch %d, targets of %d by %s\n", (int)g->consumer.epoch,
                   (int)g->consumer.target_epoch, sl_group_target_assignor(g));
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        sl_text_printf(out, "  member %.*s at %d, %s, %d assigned, %d to give up, %d in all\n",
                       (int)m->id.size, m->id.data, (int)m->epoch, states[m->state],
                       (int)m->assigned.count, (int)m->revoking.count, (int)m->target.count);
}

/* How many members have the partition, or were told to give it up. */
static int count_holders(const struct sl_group *g, const struct sl_part *part) {
    const struct sl_consumer_member *m;
    int count = 0;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        count += sl_group_parts_has(&m->assigned, part) + sl_group_parts_has(&m->revoking, part);
    return count;
}

void sl_group_consumer_view_check(const struct sl_group *g) {
    const struct sl_consumer *c = &g->consumer;
    const struct sl_consumer_member *m;
    uint32_t statics = 0;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;) {
        SL_ASSERT(sl_group_subscribers_find(g, m->id) == m);
        SL_ASSERT(m->instance.size < 0 || sl_group_subscribers_find_static(g, m->instance) == m);
        SL_ASSERT((m->state == SL_CONSUMER_UNREVOKED) == (m->revoke_by != INT64_MAX));
        SL_ASSERT(m->state == SL_CONSUMER_UNREVOKED || m->revoking.count == 0);
        SL_ASSERT(m->epoch <= c->epoch);
        for (int32_t i = 0; i < m->assigned.count; i++)
            SL_ASSERT(count_holders(g, &m->assigned.items[i]) == 1);
        statics += m->instance.size >= 0;
    }
    SL_ASSERT(statics == c->instances.count);
    SL_ASSERT(c->target_epoch <= c->epoch);
    SL_ASSERT(g->due == sl_group_consumer_due(g));
}
