/* The registry of groups, and what is common to both protocols: who coordinates, who may commit,
 * when something is due.
 *
 * A group's coordinator is the leader of its shard (cluster.c). It moves when the node goes down
 * and comes back; then the group goes on from what was saved, as it does when a broker loads a
 * partition of the offsets topic: committed offsets, generations and assignments stay, joins and
 * syncs under way are lost. While the coordinator is frozen, or there is none, nothing happens in the
 * group: no session ends.
 *
 * A group lives until it is deleted, or nothing came of it. */
#include "broker/groups.h"

#include <string.h>

#include "base/assert.h"
#include "broker/owned.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

enum {
    GROUPS_INITIAL_DELAY_MS = 100, /* Kafka's is 3000; tests have no time */
    GROUPS_SESSION_MIN_MS = 6000,  /* Kafka's, as all that follow */
    GROUPS_SESSION_MAX_MS = 1800000,
    GROUPS_METADATA_MAX = 4096,
    GROUPS_CONSUMER_SESSION_MS = 45000,
    GROUPS_CONSUMER_HEARTBEAT_MS = 5000
};

void sl_groups_init(struct sl_groups *s, struct sl_cluster *cluster, const struct sl_alloc *alloc,
                    struct sl_rng *rng) {
    memset(s, 0, sizeof *s);
    s->alloc = alloc;
    s->cluster = cluster;
    s->rng = rng;
    sl_map_init(&s->by_id, alloc);
    s->settings.initial_delay_ms = GROUPS_INITIAL_DELAY_MS;
    s->settings.session_min_ms = GROUPS_SESSION_MIN_MS;
    s->settings.session_max_ms = GROUPS_SESSION_MAX_MS;
    s->settings.size_max = INT32_MAX;
    s->settings.metadata_max = GROUPS_METADATA_MAX;
    s->settings.consumer_session_ms = GROUPS_CONSUMER_SESSION_MS;
    s->settings.consumer_heartbeat_ms = GROUPS_CONSUMER_HEARTBEAT_MS;
    s->settings.has_consumer = true;
}

static void free_broker_group(struct sl_group *g) {
    const struct sl_alloc *alloc = g->groups->alloc;
    sl_group_classic_deinit(g);
    sl_group_consumer_deinit(g);
    sl_group_offsets_deinit(&g->offsets);
    sl_owned_free_text(alloc, &g->id);
    sl_alloc_free(alloc, g, sizeof *g);
}

void sl_groups_deinit(struct sl_groups *s) {
    struct sl_group *g;
    for (uint32_t at = 0; (g = sl_groups_next(s, &at)) != NULL;) free_broker_group(g);
    sl_map_deinit(&s->by_id);
}

/* ---- finding ---- */

static int32_t coordinator_id_of(const struct sl_groups *s, struct sl_str id) {
    const struct sl_cluster_node *node = sl_cluster_coordinator(s->cluster, id);
    return node == NULL ? -1 : node->id;
}

int sl_groups_judge(const struct sl_groups *s, const struct sl_cluster_node *node,
                    struct sl_str id) {
    if (coordinator_id_of(s, id) != node->id) return SLUICE_KAFKA_NOT_COORDINATOR;
    bool is_loading = s->load_until[node->id - 1] > s->now;
    return is_loading ? SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS : 0;
}

struct sl_group *sl_groups_find(const struct sl_groups *s, struct sl_str id) {
    if (id.size < 0) return NULL;
    return sl_map_get(&s->by_id, id.size == 0 ? "" : id.data, (size_t)id.size);
}

struct sl_group *sl_groups_next(const struct sl_groups *s, uint32_t *at) {
    return sl_map_next(&s->by_id, at, NULL);
}

struct sl_group *sl_groups_get(struct sl_groups *s, struct sl_str id) {
    struct sl_group *g = sl_groups_find(s, id);
    if (g != NULL) return g;
    g = sl_alloc_zero(s->alloc, sizeof *g);
    if (g == NULL) return NULL;
    g->groups = s;
    g->type = SL_GROUP_CLASSIC;
    g->node = coordinator_id_of(s, id);
    g->due = INT64_MAX;
    sl_group_offsets_init(&g->offsets, s->alloc);
    sl_group_classic_init(g);
    sl_group_consumer_init(g);
    bool has_id = sl_owned_text(s->alloc, id, &g->id);
    if (has_id && sl_map_put(&s->by_id, g->id.data, (size_t)g->id.size, g) == 0) return g;
    free_broker_group(g);
    return NULL;
}

void sl_groups_remove(struct sl_group *g) {
    sl_map_remove(&g->groups->by_id, g->id.data, (size_t)g->id.size);
    free_broker_group(g);
}

bool sl_groups_become(struct sl_group *g, enum sl_group_type type) {
    if (g->type == type) return true;
    if (!sl_groups_is_empty(g)) return false;
    sl_group_classic_deinit(g);
    sl_group_classic_init(g);
    sl_group_consumer_deinit(g);
    sl_group_consumer_init(g);
    g->type = type;
    sl_groups_schedule(g);
    return true;
}

void sl_groups_tidy(struct sl_group *g) {
    const struct sl_classic *c = &g->classic;
    bool is_used = c->generation > 0 || c->members.count > 0 || c->pending.count > 0 ||
                   g->consumer.epoch > 0 || g->offsets.topics.count > 0;
    if (!is_used) sl_groups_remove(g);
}

/* ---- what is common to both protocols ---- */

static bool is_consumer_group(const struct sl_group *g) { return g->type == SL_GROUP_CONSUMER; }

const char *sl_groups_type_text(const struct sl_group *g) {
    return is_consumer_group(g) ? "consumer" : "classic";
}

const char *sl_groups_state_text(const struct sl_group *g) {
    return is_consumer_group(g) ? sl_group_consumer_view_state(g) : sl_group_view_state(g);
}

bool sl_groups_is_empty(const struct sl_group *g) {
    return is_consumer_group(g) ? g->consumer.members.count == 0
                                : g->classic.state == SL_CLASSIC_EMPTY;
}

struct sl_str sl_groups_protocol_type(const struct sl_group *g) {
    if (is_consumer_group(g)) return SL_STR("consumer");
    return g->classic.protocol_type.size >= 0 ? g->classic.protocol_type : SL_STR("");
}

bool sl_groups_subscribes(const struct sl_group *g, struct sl_str topic) {
    return is_consumer_group(g) ? sl_group_consumer_subscribes(g, topic)
                                : sl_group_view_subscribes(g, topic);
}

int sl_groups_admit_fetch(const struct sl_group *g, struct sl_str member_id, int32_t epoch) {
    return is_consumer_group(g) ? sl_group_consumer_fetch(g, member_id, epoch) : 0;
}

int sl_groups_admit_commit(struct sl_groups *s, struct sl_str id, struct sl_str member_id,
                           struct sl_str instance, int32_t generation, int16_t version,
                           struct sl_group **out) {
    *out = sl_groups_find(s, id);
    if (*out == NULL) {
        if (generation >= 0)
            return version >= 9 ? SLUICE_KAFKA_GROUP_ID_NOT_FOUND : SLUICE_KAFKA_ILLEGAL_GENERATION;
        *out = sl_groups_get(s, id);
        if (*out == NULL) return SLUICE_ERR_NOMEM;
    }
    if (is_consumer_group(*out))
        return sl_group_consumer_commit(*out, member_id, instance, generation, version);
    return sl_group_classic_commit(*out, member_id, instance, generation);
}

/* ---- coordinators and topics ---- */

/* A node that has not been this group's coordinator loads what was saved. */
static void move_group_to(struct sl_group *g, int32_t node) {
    struct sl_groups *s = g->groups;
    g->node = node;
    if (is_consumer_group(g))
        sl_group_consumer_reload(g);
    else
        sl_group_classic_reload(g, SLUICE_KAFKA_NOT_COORDINATOR);
    if (node > 0 && s->settings.load_ms > 0)
        s->load_until[node - 1] = s->now + s->settings.load_ms * SL_GROUPS_MS;
}

void sl_groups_on_coordinators(struct sl_groups *s, int32_t down) {
    struct sl_group *g;
    for (uint32_t at = 0; (g = sl_groups_next(s, &at)) != NULL;) {
        int32_t node = coordinator_id_of(s, g->id);
        if (node != g->node || node == down) move_group_to(g, node);
    }
}

void sl_groups_on_topic_gone(struct sl_groups *s, struct sl_str name) {
    struct sl_group *g;
    for (uint32_t at = 0; (g = sl_groups_next(s, &at)) != NULL;)
        sl_group_offsets_remove_topic(&g->offsets, name);
}

int sl_groups_rebalance(struct sl_groups *s, struct sl_str id) {
    struct sl_group *g = sl_groups_find(s, id);
    if (g == NULL) return SLUICE_KAFKA_GROUP_ID_NOT_FOUND;
    bool has_members =
        is_consumer_group(g) ? sl_group_consumer_rebalance(g) : sl_group_classic_rebalance(g);
    return has_members ? 0 : SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
}

/* ---- time ---- */

int64_t sl_groups_after_ms(const struct sl_group *g, int64_t ms) {
    return g->groups->now + ms * SL_GROUPS_MS;
}

void sl_groups_schedule(struct sl_group *g) {
    g->due = is_consumer_group(g) ? sl_group_consumer_due(g) : sl_group_classic_due(g);
}

static bool is_group_at_work(const struct sl_group *g) {
    const struct sl_cluster_node *node = sl_cluster_node(g->groups->cluster, g->node);
    return node != NULL && node->state == SL_BROKER_UP;
}

void sl_groups_on_time(struct sl_groups *s, int64_t now) { s->now = now; }

void sl_groups_run(struct sl_groups *s) {
    struct sl_group *g;
    for (uint32_t at = 0; (g = sl_groups_next(s, &at)) != NULL;) {
        if (g->due > s->now || !is_group_at_work(g)) continue;
        if (is_consumer_group(g))
            sl_group_consumer_on_time(g);
        else
            sl_group_classic_on_time(g);
        sl_groups_tidy(g);
    }
}

int64_t sl_groups_deadline(const struct sl_groups *s) {
    const struct sl_group *g;
    int64_t due = INT64_MAX;
    for (uint32_t at = 0; (g = sl_groups_next(s, &at)) != NULL;)
        if (g->due < due && is_group_at_work(g)) due = g->due;
    return due;
}

/* ---- looking inside ---- */

void sl_groups_dump(const struct sl_groups *s, struct sl_text *out) {
    const struct sl_group *g;
    for (uint32_t at = 0; (g = sl_groups_next(s, &at)) != NULL;) {
        sl_text_printf(out, "group %.*s at node %d, %s, %s,", (int)g->id.size, g->id.data,
                       (int)g->node, sl_groups_type_text(g), sl_groups_state_text(g));
        if (is_consumer_group(g))
            sl_group_consumer_view_dump(g, out);
        else
            sl_group_view_dump(g, out);
        const struct sl_group_offset_topic *t;
        for (uint32_t i = 0; (t = sl_map_next(&g->offsets.topics, &i, NULL)) != NULL;)
            for (int32_t k = 0; k < t->count; k++)
                sl_text_printf(out, "  committed %.*s-%d %lld\n", (int)t->name.size, t->name.data,
                               (int)t->items[k].partition, (long long)t->items[k].offset);
    }
}

void sl_groups_check(const struct sl_groups *s) {
    const struct sl_group *g;
    for (uint32_t at = 0; (g = sl_groups_next(s, &at)) != NULL;) {
        SL_ASSERT(sl_groups_find(s, g->id) == g);
        SL_ASSERT(g->node == coordinator_id_of(s, g->id));
        sl_group_offsets_check(&g->offsets);
        SL_ASSERT(is_consumer_group(g)
                      ? g->classic.members.count == 0 && g->classic.pending.count == 0
                      : g->consumer.members.count == 0);
        if (is_consumer_group(g))
            sl_group_consumer_view_check(g);
        else
            sl_group_classic_check(g);
    }
}
