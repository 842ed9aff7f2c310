/* Members of the classic protocol in a group of KIP-848, as Kafka's coordinator has them.
 *
 * When the first member of KIP-848 joins a group of consumers of the classic protocol, the group is
 * converted as it stands: who was a member is one of the new kind with what it was assigned, at the
 * epoch of its generation. From then on the coordinator assigns, for all of them, and a classic
 * member's requests are heartbeats in other clothes:
 *
 *   JoinGroup   says what it subscribes to and has, and takes a step towards its target; the answer
 *               comes at once, names no leader, and its generation is the member's epoch
 *   SyncGroup   tells what is assigned to it after that step
 *   Heartbeat   says 27 while a step is to be taken: it joins again
 *   LeaveGroup  fences it
 *
 * A member that was told to join, or to ask for its assignment, and does not, is fenced when its
 * rebalance timeout is over.
 *
 * When the last member of KIP-848 has gone the group is converted back: the members left are in a
 * generation that is the group's epoch of before, and are told to join again. (Kafka's
 * group.consumer.migration.policy "bidirectional", its default.) */
#include <string.h>

#include "broker/groups.h"
#include "broker/owned.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/codec.h"
#include "wire/consumer_protocol.h"

#define MIXED_NEVER INT64_MAX

enum { MIXED_MEMORY_FACTOR = 16, MIXED_MEMORY_MIN = 4096 };

/* ---- what classic members say ---- */

/* Memory for what these bytes hold. */
static void begin_reading(const struct sl_group *g, struct sl_bytes bytes, struct sl_arena *arena) {
    size_t size = bytes.size > 0 ? (size_t)bytes.size : 0;
    sl_arena_init(arena, g->groups->alloc, size * MIXED_MEMORY_FACTOR + MIXED_MEMORY_MIN);
}

/* Partitions by name as a heartbeat has them; topics that there are not are left out. False: out of
 * memory. */
static bool name_by_id(const struct sl_group *g, const struct sl_array *named,
                       struct sl_arena *arena, struct sl_array *out) {
    const struct sl_consumer_partitions *from = named->items;
    struct sl_consumer_group_heartbeat_topic *to =
        sl_arena_array(arena, (size_t)named->count + 1, sizeof *to);
    *out = (struct sl_array){to, 0};
    for (int32_t i = 0; to != NULL && i < named->count; i++) {
        const struct sl_cluster_topic *topic = sl_cluster_find(g->groups->cluster, from[i].topic);
        if (topic == NULL) continue;
        to[out->count].topic_id = topic->id;
        to[out->count++].partitions = from[i].partitions;
    }
    return to != NULL;
}

/* A subscription as a heartbeat says it. 0, NOMEM, or MALFORMED. */
static int read_subscription(const struct sl_group *g, struct sl_bytes metadata,
                             struct sl_arena *arena,
                             struct sl_consumer_group_heartbeat_request *out) {
    struct sl_consumer_subscription s;
    int rv = sl_consumer_protocol_decode_subscription(metadata, arena, &s);
    if (rv != 0) return rv;
    sl_codec_defaults(&sl_consumer_group_heartbeat_request_type, out);
    out->topic_names = s.topics;
    out->topic_regex = out->assignor = SL_STR_NULL;
    out->rack_id = s.rack_id.size > 0 ? s.rack_id : SL_STR_NULL;
    out->instance_id = SL_STR_NULL;
    return name_by_id(g, &s.owned, arena, &out->owned) ? 0 : SLUICE_ERR_NOMEM;
}

/* 0 or NOMEM: it is of the classic protocol from here on. */
static int dress_member(struct sl_group *g, struct sl_consumer_member *m,
                        const struct sl_array *protocols, int32_t session_ms) {
    const struct sl_alloc *alloc = g->groups->alloc;
    struct sl_join_group_protocol *made = sl_group_members_copy_protocols(alloc, protocols);
    if (made == NULL) return SLUICE_ERR_NOMEM;
    sl_group_members_free_protocols(alloc, m->protocols, m->protocol_count);
    m->protocols = made;
    m->protocol_count = protocols->count;
    m->session_ms = session_ms;
    return 0;
}

/* ---- converting ---- */

/* It has them, and is to keep them: those that there are, and that nobody else has. */
static int give_assigned(struct sl_group *g, struct sl_consumer_member *m,
                         const struct sl_array *topics) {
    const struct sl_cluster_topic *topic;
    const struct sl_consumer_group_heartbeat_topic *given = topics->items;
    int32_t count = 0;
    for (int32_t i = 0; i < topics->count; i++) count += given[i].partitions.count;
    struct sl_parts all = {.items = NULL};
    int rv = sl_group_parts_reserve(g->groups->alloc, &all, count);
    if (rv == 0) rv = sl_group_parts_reserve(g->groups->alloc, &m->target, count);
    for (int32_t i = 0; i < topics->count && rv == 0; i++) {
        const int32_t *items = given[i].partitions.items;
        for (int32_t k = 0; k < given[i].partitions.count; k++) {
            struct sl_part part = {given[i].topic_id, items[k]};
            topic = sl_cluster_find_id(g->groups->cluster, &part.topic);
            bool exists = items[k] >= 0 && items[k] < topic->partition_count;
            if (exists && !sl_group_consumer_holds(g, &part)) sl_group_parts_insert(&all, &part);
        }
    }
    for (int32_t i = 0; i < all.count; i++) sl_group_parts_append(&m->target, &all.items[i]);
    m->assigned = all;
    return rv;
}

/* The member of KIP-848 that a classic one becomes. 0, NOMEM, or MALFORMED. */
static int convert_member(struct sl_group *g, const struct sl_classic_member *from) {
    struct sl_consumer_group_heartbeat_request said;
    struct sl_consumer_assignment has;
    struct sl_array assigned;
    struct sl_arena arena;
    bool changed;
    struct sl_consumer_member *m = sl_group_subscribers_create(g, from->id, from->instance);
    if (m == NULL) return SLUICE_ERR_NOMEM;
    int rv = sl_group_subscribers_add(g, m);
    if (rv != 0) {
        sl_group_subscribers_destroy(g, m);
        return rv;
    }
    struct sl_bytes metadata = from->protocols[0].metadata;
    begin_reading(g, metadata, &arena);
    rv = read_subscription(g, metadata, &arena, &said);
    said.rebalance_timeout_ms = from->rebalance_ms;
    if (rv == 0) rv = sl_group_subscribers_update(g, m, &said, from->client_id, &changed);
    sl_arena_deinit(&arena);
    struct sl_array protocols = {from->protocols, from->protocol_count};
    if (rv == 0) rv = dress_member(g, m, &protocols, from->session_ms);
    if (rv != 0) return rv;
    m->epoch = m->previous_epoch = g->classic.generation;
    m->expires_at = sl_groups_after_ms(g, m->session_ms);
    begin_reading(g, from->assignment, &arena);
    rv = sl_consumer_protocol_decode_assignment(from->assignment, &arena, &has);
    if (rv == 0 && !name_by_id(g, &has.partitions, &arena, &assigned)) rv = SLUICE_ERR_NOMEM;
    if (rv == 0) rv = give_assigned(g, m, &assigned);
    sl_arena_deinit(&arena);
    return rv;
}

int sl_group_mixed_convert(struct sl_group *g) {
    const struct sl_classic *c = &g->classic;
    struct sl_classic_member *m;
    int rv = 0;
    bool is_known = sl_bytes_str_equal(c->protocol_type, SL_STR("consumer"));
    if (!is_known || c->members.count == 0) return SLUICE_KAFKA_GROUP_ID_NOT_FOUND;
    for (uint32_t at = 0; rv == 0 && (m = sl_group_members_next(g, &at)) != NULL;)
        rv = convert_member(g, m);
    if (rv != 0) {
        sl_group_consumer_deinit(g);
        sl_group_consumer_init(g);
        return rv == SLUICE_ERR_NOMEM ? rv : SLUICE_KAFKA_GROUP_ID_NOT_FOUND;
    }
    g->consumer.epoch = g->consumer.target_epoch = c->generation;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        sl_group_answers_refuse(m, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    sl_group_classic_deinit(g);
    sl_group_classic_init(g);
    g->type = SL_GROUP_CONSUMER;
    sl_groups_schedule(g);
    return 0;
}

/* ---- who asks ---- */

static bool is_dressed(const struct sl_consumer_member *m) { return m->protocol_count > 0; }

/* Whom a request of the classic protocol is about: 0, 25 or 82. */
static int find_mixed_member(const struct sl_group *g, struct sl_str id, struct sl_str instance,
                             struct sl_consumer_member **out) {
    struct sl_consumer_member *m = instance.size >= 0
                                       ? sl_group_subscribers_find_static(g, instance)
                                       : sl_group_subscribers_find(g, id);
    *out = m;
    if (m == NULL || !is_dressed(m)) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
    return sl_bytes_str_equal(m->id, id) ? 0 : SLUICE_KAFKA_FENCED_INSTANCE_ID;
}

/* Some of its target has become free, and nothing of it is with others any more. */
static bool is_target_free(const struct sl_group *g, const struct sl_consumer_member *m) {
    for (int32_t i = 0; i < m->target.count; i++)
        if (!sl_group_parts_has(&m->assigned, &m->target.items[i]) &&
            sl_group_consumer_holds(g, &m->target.items[i]))
            return false;
    return true;
}

/* ---- JoinGroup ---- */

static int join_as_mixed(struct sl_group *g, const struct sl_join_group_request *r,
                         struct sl_str id, struct sl_str client_id, struct sl_group_wait *w,
                         struct sl_consumer_group_heartbeat_request *said) {
    struct sl_consumer_group_heartbeat_response step;
    struct sl_join_group_response *out = w->response;
    struct sl_consumer_member *m = r->instance_id.size >= 0
                                       ? sl_group_subscribers_find_static(g, r->instance_id)
                                       : sl_group_subscribers_find(g, id);
    bool is_known = m != NULL && sl_bytes_str_equal(m->id, id);
    /* Who comes with another id takes the place of a static member, and what it had. */
    if (m != NULL && !is_known) m->epoch = m->previous_epoch = SL_CONSUMER_GROUP_LEAVE_STATIC;
    said->member_id = id;
    said->instance_id = r->instance_id;
    said->member_epoch = is_known ? m->epoch : SL_CONSUMER_GROUP_JOIN;
    said->rebalance_timeout_ms = w->version >= 1 ? r->rebalance_timeout_ms : r->session_timeout_ms;
    int rv = sl_group_consumer_admit(g, said, id, &m);
    if (rv == 0) rv = dress_member(g, m, &r->protocols, r->session_timeout_ms);
    if (rv == 0) rv = sl_group_consumer_go_on(g, m, said, client_id, w->arena, &step);
    if (rv != 0 && rv != SLUICE_ERR_NOMEM) {
        sl_group_answers_refuse_join(w, rv, id);
        return 0;
    }
    if (rv != 0) return rv;
    m->answer_by = sl_groups_after_ms(g, m->rebalance_ms);
    out->generation = m->epoch;
    out->protocol_type = SL_STR("consumer");
    out->protocol_name = sl_group_answers_keep(w->arena, m->protocols[0].name);
    out->leader = SL_STR("");
    out->member_id = sl_group_answers_keep(w->arena, m->id);
    w->done = true;
    return 0;
}

int sl_group_mixed_join(struct sl_group *g, const struct sl_join_group_request *r,
                        struct sl_str client_id, struct sl_group_wait *w) {
    const struct sl_join_group_protocol *protocols = r->protocols.items;
    struct sl_consumer_group_heartbeat_request said;
    struct sl_str id = r->member_id;
    bool is_consumer = sl_bytes_str_equal(r->protocol_type, SL_STR("consumer"));
    int rv = SLUICE_ERR_MALFORMED;
    if (is_consumer && r->protocols.count > 0)
        rv = read_subscription(g, protocols[0].metadata, w->arena, &said);
    if (rv == SLUICE_ERR_NOMEM) return rv;
    if (rv != 0) {
        sl_group_answers_refuse_join(w, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL, id);
        return 0;
    }
    if (id.size <= 0) {
        id = sl_group_members_name(g, w->arena, client_id, r->instance_id);
        if (id.size < 0) return SLUICE_ERR_NOMEM;
        if (r->instance_id.size < 0 && w->version >= 4) {
            sl_group_answers_refuse_join(w, SLUICE_KAFKA_MEMBER_ID_REQUIRED, id);
            return 0;
        }
    } else if (r->instance_id.size >= 0) {
        struct sl_consumer_member *m;
        int code = find_mixed_member(g, id, r->instance_id, &m);
        if (code != 0) {
            sl_group_answers_refuse_join(w, code, id);
            return 0;
        }
    }
    rv = join_as_mixed(g, r, id, client_id, w, &said);
    sl_group_mixed_settle(g, g->consumer.epoch); /* it may have replaced the last of KIP-848 */
    sl_groups_schedule(g);
    return rv;
}

/* ---- SyncGroup ---- */

static int judge_mixed_sync(const struct sl_group *g, const struct sl_sync_group_request *r,
                            struct sl_consumer_member **m) {
    int code = find_mixed_member(g, r->member_id, r->instance_id, m);
    if (code != 0) return code;
    if (r->generation != (*m)->epoch) return SLUICE_KAFKA_ILLEGAL_GENERATION;
    if (r->protocol_name.size >= 0 &&
        !sl_bytes_str_equal(r->protocol_name, (*m)->protocols[0].name))
        return SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    /* In UNREVOKED it has joined already, and gives partitions up first. */
    bool is_behind = g->consumer.epoch > (*m)->epoch && (*m)->state != SL_CONSUMER_UNREVOKED;
    return is_behind ? SLUICE_KAFKA_REBALANCE_IN_PROGRESS : 0;
}

/* False: out of memory. */
static bool write_assigned(const struct sl_group *g, const struct sl_consumer_member *m,
                           struct sl_arena *arena, struct sl_bytes *out) {
    struct sl_consumer_assignment assignment = {.user_data = SL_BYTES_NULL};
    struct sl_array by_id;
    struct sl_writer writer;
    if (!sl_group_parts_list(&m->assigned, arena, &by_id)) return false;
    const struct sl_consumer_group_heartbeat_topic *from = by_id.items;
    struct sl_consumer_partitions *to = sl_arena_array(arena, (size_t)by_id.count + 1, sizeof *to);
    if (to == NULL) return false;
    for (int32_t i = 0; i < by_id.count; i++) {
        const struct sl_cluster_topic *topic =
            sl_cluster_find_id(g->groups->cluster, &from[i].topic_id);
        if (topic == NULL) continue; /* it has gone since */
        to[assignment.partitions.count].topic = sl_bytes_str(topic->name);
        to[assignment.partitions.count++].partitions = from[i].partitions;
    }
    assignment.partitions.items = to;
    sl_writer_init(&writer, g->groups->alloc);
    bool is_written = sl_consumer_protocol_encode_assignment(&writer, &assignment) == 0;
    struct sl_str copy = SL_STR_NULL;
    if (is_written)
        copy = sl_group_answers_keep(
            arena, (struct sl_str){(const char *)writer.data, (int32_t)writer.size});
    sl_writer_deinit(&writer);
    *out = (struct sl_bytes){(const uint8_t *)copy.data, copy.size};
    return is_written && copy.data != NULL;
}

int sl_group_mixed_sync(struct sl_group *g, const struct sl_sync_group_request *r,
                        struct sl_group_wait *w) {
    struct sl_sync_group_response *out = w->response;
    struct sl_consumer_member *m;
    int code = judge_mixed_sync(g, r, &m);
    if (code != 0) {
        sl_group_answers_refuse_sync(w, code);
        return 0;
    }
    if (!write_assigned(g, m, w->arena, &out->assignment)) return SLUICE_ERR_NOMEM;
    out->protocol_type = SL_STR("consumer");
    out->protocol_name = sl_group_answers_keep(w->arena, m->protocols[0].name);
    m->answer_by = MIXED_NEVER;
    m->expires_at = sl_groups_after_ms(g, m->session_ms);
    w->done = true;
    sl_groups_schedule(g);
    return 0;
}

/* ---- Heartbeat, LeaveGroup, OffsetCommit ---- */

int sl_group_mixed_heartbeat(struct sl_group *g, const struct sl_heartbeat_request *r) {
    struct sl_consumer_member *m;
    int code = find_mixed_member(g, r->member_id, r->instance_id, &m);
    if (code != 0) return code;
    if (r->generation != m->epoch) return SLUICE_KAFKA_ILLEGAL_GENERATION;
    m->expires_at = sl_groups_after_ms(g, m->session_ms);
    bool joins = m->epoch < g->consumer.epoch || m->state == SL_CONSUMER_UNREVOKED ||
                 (m->state == SL_CONSUMER_UNRELEASED && is_target_free(g, m));
    if (joins && m->answer_by == MIXED_NEVER) m->answer_by = sl_groups_after_ms(g, m->rebalance_ms);
    sl_groups_schedule(g);
    return joins ? SLUICE_KAFKA_REBALANCE_IN_PROGRESS : 0;
}

static int leave_mixed_group(struct sl_group *g, const struct sl_leave_group_member *leaving) {
    struct sl_consumer_member *m;
    struct sl_str id = leaving->member_id;
    /* A static member may be named by its instance alone. */
    if (leaving->instance_id.size >= 0 && id.size <= 0) {
        m = sl_group_subscribers_find_static(g, leaving->instance_id);
        if (m != NULL) id = m->id;
    }
    int code = find_mixed_member(g, id, leaving->instance_id, &m);
    if (code == 0) sl_group_consumer_fence(g, m);
    return code;
}

void sl_group_mixed_leave(struct sl_group *g, const struct sl_leave_group_member *leaving,
                          int32_t count, struct sl_leave_group_member_response *out) {
    for (int32_t i = 0; i < count; i++) {
        out[i].member_id = leaving[i].member_id;
        out[i].instance_id = leaving[i].instance_id;
        out[i].error_code = (int16_t)leave_mixed_group(g, &leaving[i]);
    }
    sl_groups_schedule(g);
}

int sl_group_mixed_commit(const struct sl_group *g, struct sl_str member_id, struct sl_str instance,
                          int32_t generation) {
    struct sl_consumer_member *m;
    int code = find_mixed_member(g, member_id, instance, &m);
    if (code != 0) return code;
    return generation == m->epoch ? 0 : SLUICE_KAFKA_ILLEGAL_GENERATION;
}

/* ---- converting back ---- */

/* The classic member that it becomes again, with what it was assigned. 0 or NOMEM. */
static int restore_member(struct sl_group *g, const struct sl_consumer_member *from) {
    struct sl_join_group_request said;
    struct sl_bytes assignment;
    struct sl_arena arena;
    sl_codec_defaults(&sl_join_group_request_type, &said);
    said.instance_id = from->instance;
    said.session_timeout_ms = from->session_ms;
    said.rebalance_timeout_ms = from->rebalance_ms;
    said.protocols = (struct sl_array){from->protocols, from->protocol_count};
    struct sl_classic_member *m = sl_group_members_create(g, &said, from->id, from->client_id);
    if (m == NULL) return SLUICE_ERR_NOMEM;
    int rv = sl_group_members_add(g, m);
    if (rv != 0) {
        sl_group_members_destroy(g, m);
        return rv;
    }
    sl_arena_init(&arena, g->groups->alloc, 0);
    m->is_saved = write_assigned(g, from, &arena, &assignment) &&
                  sl_owned_bytes(g->groups->alloc, assignment, &m->assignment);
    sl_arena_deinit(&arena);
    return m->is_saved ? 0 : SLUICE_ERR_NOMEM;
}

static bool is_left_to_classic_members(const struct sl_group *g) {
    const struct sl_consumer_member *m;
    for (uint32_t at = 0; (m = sl_group_subscribers_next(g, &at)) != NULL;)
        if (!is_dressed(m)) return false;
    return g->consumer.members.count > 0;
}

void sl_group_mixed_settle(struct sl_group *g, int32_t generation) {
    const struct sl_alloc *alloc = g->groups->alloc;
    struct sl_classic *c = &g->classic;
    const struct sl_consumer_member *m;
    int rv = 0;
    if (!is_left_to_classic_members(g)) return;
    for (uint32_t at = 0; rv == 0 && (m = sl_group_subscribers_next(g, &at)) != NULL;)
        rv = restore_member(g, m);
    struct sl_str protocol = sl_group_members_vote(g); /* null: they have none in common */
    bool is_restored = rv == 0 && protocol.size >= 0 &&
                       sl_owned_text(alloc, protocol, &c->saved_protocol) &&
                       sl_owned_text(alloc, SL_STR("consumer"), &c->protocol_type);
    if (!is_restored) {
        sl_group_classic_deinit(g);
        sl_group_classic_init(g);
        return;
    }
    c->saved_generation = generation;
    sl_group_consumer_deinit(g);
    sl_group_consumer_init(g);
    g->type = SL_GROUP_CLASSIC;
    sl_group_classic_reload(g, 0); /* as a coordinator that takes over: nothing waits */
    (void)sl_group_classic_rebalance(g);
}
