/* A group of KIP-848, as Kafka's coordinator has it.
 *
 * The group's epoch moves when members come, go or subscribe to something else, and when the topics
 * they subscribe to change. The next heartbeat of anybody makes the targets anew, and from then on
 * each member is brought from what it has to its target, one heartbeat after the other:
 *
 *     STABLE --(target without some it has)--> UNREVOKED --(does not report them any more)--.
 *       ^  \                                                                               |
 *       |   '--(others still have some of it)--> UNRELEASED <------------------------------+
 *       '------------------(they gave them up)-------'  '----------------------------------'
 *
 * In UNREVOKED a member keeps its epoch; in the other two it has the target's. A partition is never
 * told to a member while another has it, or was told to give it up and did not confirm.
 *
 * A request with the previous epoch is let in when all it reports is assigned: the answer that moved
 * the epoch was lost. Epoch 0 of a known member is a client that begins anew, and gets what it had.
 * A static member that left with -2 keeps its partitions until its session ends, for the next one
 * with its instance id.
 *
 * Invariants: partitions of different members don't overlap, assigned or revoking; revoking is empty
 * except in UNREVOKED; target_epoch is at most epoch.
 *
 * Not done here: members of the classic protocol in such a group (group_mixed.c). */
#include "broker/group_consumer.h"

#include <string.h>

#include "base/assert.h"
#include "broker/groups.h"
#include "broker/owned.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

#define CONSUMER_NEVER INT64_MAX

void sl_group_consumer_init(struct sl_group *g) {
    struct sl_consumer *c = &g->consumer;
    memset(c, 0, sizeof *c);
    sl_map_init(&c->members, g->groups->alloc);
    sl_map_init(&c->instances, g->groups->alloc);
}

void sl_group_consumer_deinit(struct sl_group *g) {
    struct sl_consumer *c = &g->consumer;
    struct sl_consumer_member *m;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        sl_group_subscribers_remove(g, m);
    sl_map_deinit(&c->members);
    sl_map_deinit(&c->instances);
}

static void renew_consumer_session(struct sl_group *g, struct sl_consumer_member *m) {
    bool is_classic = m->protocol_count > 0;
    m->expires_at =
        sl_groups_after_ms(g, is_classic ? m->session_ms : g->groups->settings.consumer_session_ms);
}

static void set_consumer_epoch(struct sl_consumer_member *m, int32_t epoch) {
    m->previous_epoch = m->epoch;
    m->epoch = epoch;
}

/* Its partitions are free at once. */
void sl_group_consumer_fence(struct sl_group *g, struct sl_consumer_member *m) {
    sl_group_subscribers_remove(g, m);
    g->consumer.epoch++;
}

/* ---- who asks ---- */

/* What a request must and must not have (Kafka's 42 INVALID_REQUEST). NULL: it is fine. */
static const char *find_heartbeat_flaw(const struct sl_consumer_group_heartbeat_request *r,
                                       bool names_itself) {
    int32_t epoch = r->member_epoch;
    bool needs_id = names_itself || epoch != SL_CONSUMER_GROUP_JOIN;
    if (needs_id && r->member_id.size <= 0) return "MemberId can't be empty.";
    if (r->instance_id.size == 0) return "InstanceId can't be empty.";
    if (r->rack_id.size == 0) return "RackId can't be empty.";
    if (epoch < SL_CONSUMER_GROUP_LEAVE_STATIC) return "MemberEpoch is invalid.";
    if (epoch == SL_CONSUMER_GROUP_LEAVE_STATIC && r->instance_id.size < 0)
        return "InstanceId can't be null.";
    if (epoch != SL_CONSUMER_GROUP_JOIN) return NULL;
    if (r->rebalance_timeout_ms < 0) return "RebalanceTimeoutMs must be provided in first request.";
    if (r->owned.count != 0) return "TopicPartitions must be empty when (re-)joining.";
    if (r->topic_names.count < 0 && r->topic_regex.size < 0)
        return "SubscribedTopicNames or SubscribedTopicRegex must be set in first request.";
    return NULL;
}

/* 0 or 110. */
static int judge_consumer_epoch(const struct sl_consumer_member *m, int32_t epoch,
                                const struct sl_array *owned) {
    if (epoch == m->epoch || epoch == SL_CONSUMER_GROUP_JOIN) return 0;
    bool is_late = epoch < m->epoch && epoch == m->previous_epoch;
    bool is_unanswered = is_late && sl_group_parts_all(&m->assigned, owned);
    return is_unanswered ? 0 : SLUICE_KAFKA_FENCED_MEMBER_EPOCH;
}

/* The member who asks, made or renamed when it joins. Kafka's code or NOMEM. */
int sl_group_consumer_admit(struct sl_group *g, const struct sl_consumer_group_heartbeat_request *r,
                            struct sl_str id, struct sl_consumer_member **out) {
    bool joins = r->member_epoch == SL_CONSUMER_GROUP_JOIN;
    bool is_static = r->instance_id.size >= 0;
    struct sl_consumer_member *m = is_static ? sl_group_subscribers_find_static(g, r->instance_id)
                                             : sl_group_subscribers_find(g, id);
    *out = m;
    if (m == NULL) {
        if (!joins) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
        /* An id belongs to one member, whatever its instance is. */
        if (sl_group_subscribers_find(g, id) != NULL) return SLUICE_KAFKA_INVALID_REQUEST;
        if (g->consumer.members.count >= (uint32_t)g->groups->settings.size_max)
            return SLUICE_KAFKA_GROUP_MAX_SIZE_REACHED;
        m = sl_group_subscribers_create(g, id, r->instance_id);
        if (m == NULL) return SLUICE_ERR_NOMEM;
        int rv = sl_group_subscribers_add(g, m);
        if (rv != 0) sl_group_subscribers_destroy(g, m);
        *out = m;
        return rv;
    }
    if (is_static && joins) {
        if (m->epoch != SL_CONSUMER_GROUP_LEAVE_STATIC) return SLUICE_KAFKA_UNRELEASED_INSTANCE_ID;
        const struct sl_consumer_member *other = sl_group_subscribers_find(g, id);
        if (other != NULL && other != m) return SLUICE_KAFKA_INVALID_REQUEST;
        int rv = sl_group_subscribers_rename(g, m, id);
        if (rv == 0) m->epoch = m->previous_epoch = 0;
        return rv;
    }
    if (is_static && !sl_bytes_str_equal(m->id, id)) return SLUICE_KAFKA_FENCED_INSTANCE_ID;
    return judge_consumer_epoch(m, r->member_epoch, &r->owned);
}

/* ---- from what a member has to its target ---- */

bool sl_group_consumer_holds(const struct sl_group *g, const struct sl_part *part) {
    const struct sl_consumer_member *m;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        if (sl_group_parts_has(&m->assigned, part) || sl_group_parts_has(&m->revoking, part))
            return true;
    return false;
}

/* What the next step of a member is made of. */
struct consumer_step {
    struct sl_parts kept;     /* has, and is to have */
    struct sl_parts given_up; /* has, and is not to have */
    struct sl_parts all;      /* kept, and those of the target that nobody has */
    bool has_unreleased;      /* others have some of the target */
};

static void free_consumer_step(const struct sl_alloc *alloc, struct consumer_step *s) {
    sl_group_parts_free(alloc, &s->kept);
    sl_group_parts_free(alloc, &s->given_up);
    sl_group_parts_free(alloc, &s->all);
}

/* 0 or NOMEM. */
static int plan_consumer_step(const struct sl_group *g, const struct sl_consumer_member *m,
                              struct consumer_step *s) {
    const struct sl_alloc *alloc = g->groups->alloc;
    const struct sl_parts *has = &m->assigned, *target = &m->target;
    memset(s, 0, sizeof *s);
    int rv = sl_group_parts_reserve(alloc, &s->kept, has->count);
    if (rv == 0) rv = sl_group_parts_reserve(alloc, &s->given_up, has->count);
    if (rv == 0) rv = sl_group_parts_reserve(alloc, &s->all, target->count);
    for (int32_t i = 0; i < has->count && rv == 0; i++) {
        bool is_kept = sl_group_parts_has(target, &has->items[i]);
        sl_group_parts_append(is_kept ? &s->kept : &s->given_up, &has->items[i]);
    }
    for (int32_t i = 0; i < target->count && rv == 0; i++) {
        bool is_kept = sl_group_parts_has(has, &target->items[i]);
        if (is_kept || !sl_group_consumer_holds(g, &target->items[i]))
            sl_group_parts_append(&s->all, &target->items[i]);
        else
            s->has_unreleased = true;
    }
    if (rv != 0) free_consumer_step(alloc, s);
    return rv;
}

static void set_consumer_state(struct sl_group *g, struct sl_consumer_member *m,
                               enum sl_consumer_state state) {
    m->state = state;
    m->revoke_by =
        state == SL_CONSUMER_UNREVOKED ? sl_groups_after_ms(g, m->rebalance_ms) : CONSUMER_NEVER;
}

/* owned: as reported now; null: not reported. 0 or NOMEM. */
static int take_consumer_step(struct sl_group *g, struct sl_consumer_member *m, int32_t epoch,
                              const struct sl_array *owned) {
    struct consumer_step s;
    int rv = plan_consumer_step(g, m, &s);
    if (rv != 0) return rv;
    const struct sl_alloc *alloc = g->groups->alloc;
    bool revokes =
        s.given_up.count > 0 && (owned->count < 0 || sl_group_parts_any(&s.given_up, owned));
    sl_group_parts_free(alloc, &m->assigned);
    sl_group_parts_free(alloc, &m->revoking);
    if (revokes) {
        m->assigned = s.kept;
        m->revoking = s.given_up;
        memset(&s.kept, 0, sizeof s.kept);
        memset(&s.given_up, 0, sizeof s.given_up);
        set_consumer_epoch(m, epoch);
        set_consumer_state(g, m, SL_CONSUMER_UNREVOKED);
    } else {
        m->assigned = s.all;
        memset(&s.all, 0, sizeof s.all);
        set_consumer_epoch(m, g->consumer.target_epoch);
        set_consumer_state(g, m, s.has_unreleased ? SL_CONSUMER_UNRELEASED : SL_CONSUMER_STABLE);
    }
    free_consumer_step(alloc, &s);
    return 0;
}

/* One step, if there is one. 0 or NOMEM. */
static int reconcile_consumer_member(struct sl_group *g, struct sl_consumer_member *m,
                                     const struct sl_array *owned) {
    if (m->state == SL_CONSUMER_STABLE && m->epoch == g->consumer.target_epoch) return 0;
    if (m->state != SL_CONSUMER_UNREVOKED) return take_consumer_step(g, m, m->epoch, owned);
    bool still_has = owned->count < 0 || sl_group_parts_any(&m->revoking, owned);
    if (still_has) return 0;
    /* If a newer target takes more away, it is told so one epoch on. */
    int32_t next = m->epoch < g->consumer.target_epoch ? m->epoch + 1 : m->epoch;
    return take_consumer_step(g, m, next, owned);
}

/* ---- heartbeats ---- */

/* The group's epoch follows its members and topics, and the targets follow the group's epoch. */
static int follow_consumer_changes(struct sl_group *g, bool changed) {
    struct sl_consumer *c = &g->consumer;
    uint64_t topic_changes = g->groups->cluster->topic_changes;
    if (changed || c->topic_changes != topic_changes) {
        uint64_t seen = sl_group_subscribers_topics(g);
        c->topic_changes = topic_changes;
        changed |= seen != c->topics_seen;
        c->topics_seen = seen;
    }
    if (changed || c->epoch == 0) c->epoch++;
    if (c->epoch == c->target_epoch) return 0;
    int rv = sl_group_target_make(g);
    if (rv == 0) c->target_epoch = c->epoch;
    return rv;
}

static int leave_consumer_group(struct sl_group *g,
                                const struct sl_consumer_group_heartbeat_request *r,
                                struct sl_consumer_group_heartbeat_response *out) {
    struct sl_consumer_member *m = r->instance_id.size >= 0
                                       ? sl_group_subscribers_find_static(g, r->instance_id)
                                       : sl_group_subscribers_find(g, r->member_id);
    if (m == NULL) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
    if (!sl_bytes_str_equal(m->id, r->member_id)) return SLUICE_KAFKA_FENCED_INSTANCE_ID;
    out->member_id = r->member_id;
    out->member_epoch = r->member_epoch;
    if (r->member_epoch == SL_CONSUMER_GROUP_LEAVE) {
        sl_group_consumer_fence(g, m);
        return 0;
    }
    m->epoch = m->previous_epoch = SL_CONSUMER_GROUP_LEAVE_STATIC;
    sl_group_parts_free(g->groups->alloc, &m->revoking);
    set_consumer_state(g, m, SL_CONSUMER_STABLE);
    renew_consumer_session(g, m);
    return 0;
}

/* The assignment of an answer: one item. False: out of memory. */
static bool tell_consumer_assignment(const struct sl_consumer_member *m, struct sl_arena *arena,
                                     struct sl_consumer_group_heartbeat_response *out) {
    struct sl_consumer_group_heartbeat_assignment *a = sl_arena_get(arena, sizeof *a);
    if (a == NULL || !sl_group_parts_list(&m->assigned, arena, &a->topics)) return false;
    out->assignment = (struct sl_array){a, 1};
    return true;
}

int sl_group_consumer_go_on(struct sl_group *g, struct sl_consumer_member *m,
                            const struct sl_consumer_group_heartbeat_request *r,
                            struct sl_str client_id, struct sl_arena *arena,
                            struct sl_consumer_group_heartbeat_response *out) {
    bool is_full = r->member_epoch == SL_CONSUMER_GROUP_JOIN ||
                   (r->rebalance_timeout_ms >= 0 && r->owned.count >= 0 &&
                    (r->topic_names.count >= 0 || r->topic_regex.size >= 0));
    bool changed;
    int32_t before = m->assigned.count;
    struct sl_parts had = {0};
    int rv = sl_group_subscribers_update(g, m, r, client_id, &changed);
    if (rv == 0) rv = follow_consumer_changes(g, changed);
    if (rv == 0) rv = sl_group_parts_reserve(g->groups->alloc, &had, before);
    if (rv != 0) return rv;
    for (int32_t i = 0; i < before; i++) sl_group_parts_append(&had, &m->assigned.items[i]);
    rv = reconcile_consumer_member(g, m, &r->owned);
    bool is_news = !sl_group_parts_equal(&had, &m->assigned);
    sl_group_parts_free(g->groups->alloc, &had);
    if (rv != 0) return rv;
    renew_consumer_session(g, m);
    out->member_id = m->id;
    out->member_epoch = m->epoch;
    out->interval_ms = g->groups->settings.consumer_heartbeat_ms;
    if (!is_full && !is_news) return 0;
    return tell_consumer_assignment(m, arena, out) ? 0 : SLUICE_ERR_NOMEM;
}

/* Up to version 0 the coordinator makes the id. */
static struct sl_str name_consumer_member(struct sl_group *g, struct sl_arena *arena) {
    uint8_t bytes[16];
    char text[23];
    sl_bytes_put64(bytes, sl_rng_next(g->groups->rng));
    sl_bytes_put64(bytes + 8, sl_rng_next(g->groups->rng));
    sl_text_uuid(bytes, text);
    const char *copy = sl_arena_text(arena, text, sizeof text - 1);
    return copy == NULL ? SL_STR_NULL : sl_bytes_str(copy);
}

int sl_group_consumer_heartbeat(struct sl_group *g,
                                const struct sl_consumer_group_heartbeat_request *r,
                                struct sl_str client_id, int16_t version, struct sl_arena *arena,
                                struct sl_consumer_group_heartbeat_response *out) {
    struct sl_consumer_member *m;
    const char *flaw = find_heartbeat_flaw(r, version >= 1);
    if (flaw != NULL) {
        out->error_message = sl_bytes_str(flaw);
        return SLUICE_KAFKA_INVALID_REQUEST;
    }
    if (r->assignor.size >= 0 && !sl_group_target_knows(r->assignor))
        return SLUICE_KAFKA_UNSUPPORTED_ASSIGNOR;
    int32_t before = g->consumer.epoch;
    int rv;
    if (r->member_epoch < 0) {
        rv = leave_consumer_group(g, r, out);
    } else {
        struct sl_str id = r->member_id;
        if (id.size <= 0) id = name_consumer_member(g, arena);
        if (id.size <= 0) return SLUICE_ERR_NOMEM;
        bool is_new = sl_group_subscribers_find(g, id) == NULL;
        rv = sl_group_consumer_admit(g, r, id, &m);
        if (rv == 0) rv = sl_group_consumer_go_on(g, m, r, client_id, arena, out);
        /* Who could not even subscribe is no member, and nobody notices unless targets were made. */
        m = is_new && rv != 0 ? sl_group_subscribers_find(g, id) : NULL;
        if (m != NULL) sl_group_subscribers_remove(g, m);
        if (m != NULL && g->consumer.epoch != before) g->consumer.epoch++;
    }
    sl_group_mixed_settle(g, before);
    sl_groups_schedule(g);
    return rv;
}

/* ---- offsets ---- */

int sl_group_consumer_fetch(const struct sl_group *g, struct sl_str member_id, int32_t epoch) {
    if (member_id.size <= 0 && epoch < 0) return 0;
    const struct sl_consumer_member *m = sl_group_subscribers_find(g, member_id);
    if (m == NULL) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
    return epoch == m->epoch ? 0 : SLUICE_KAFKA_STALE_MEMBER_EPOCH;
}

int sl_group_consumer_commit(const struct sl_group *g, struct sl_str member_id,
                             struct sl_str instance, int32_t epoch, int16_t version) {
    if (epoch < 0 && g->consumer.members.count == 0) return 0;
    const struct sl_consumer_member *m = sl_group_subscribers_find(g, member_id);
    bool is_classic = m != NULL && m->protocol_count > 0;
    if (is_classic) return sl_group_mixed_commit(g, member_id, instance, epoch);
    if (m == NULL) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
    if (version < 9) return SLUICE_KAFKA_UNSUPPORTED_VERSION;
    return epoch == m->epoch ? 0 : SLUICE_KAFKA_STALE_MEMBER_EPOCH;
}

bool sl_group_consumer_subscribes(const struct sl_group *g, struct sl_str topic) {
    const struct sl_consumer_member *m;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        if (sl_group_subscribers_wants(m, topic)) return true;
    return false;
}

/* ---- time, and what happens to the group from outside ---- */

int64_t sl_group_consumer_due(const struct sl_group *g) {
    const struct sl_consumer_member *m;
    int64_t due = CONSUMER_NEVER;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;) {
        if (m->expires_at < due) due = m->expires_at;
        if (m->revoke_by < due) due = m->revoke_by;
        if (m->answer_by < due) due = m->answer_by;
    }
    return due;
}

void sl_group_consumer_on_time(struct sl_group *g) {
    int64_t now = g->groups->now;
    int32_t before = g->consumer.epoch;
    struct sl_consumer_member *m;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        if (m->expires_at <= now || m->revoke_by <= now || m->answer_by <= now)
            sl_group_consumer_fence(g, m);
    sl_group_mixed_settle(g, before);
    sl_groups_schedule(g);
}

bool sl_group_consumer_rebalance(struct sl_group *g) {
    struct sl_consumer *c = &g->consumer;
    struct sl_consumer_member *m;
    c->epoch++;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        if (m->epoch >= 0) m->epoch = m->previous_epoch = c->epoch;
    return c->members.count > 0;
}

void sl_group_consumer_reload(struct sl_group *g) {
    struct sl_consumer_member *m;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;) {
        renew_consumer_session(g, m);
        if (m->state == SL_CONSUMER_UNREVOKED) set_consumer_state(g, m, SL_CONSUMER_UNREVOKED);
    }
    sl_groups_schedule(g);
}
