/* Requests of consumer groups for tests of the bundled broker: members that join, sync, send
 * heartbeats, leave and commit, each call one request over the given link. What is not given is what
 * a plain consumer says. */
#ifndef SL_TEST_BROKER_GROUP_CLIENT_H
#define SL_TEST_BROKER_GROUP_CLIENT_H

#include "broker_client.h"

#define GROUP_NONE ((struct sl_str){NULL, -1})

/* ---- offsets ---- */

struct group_commit {
    const char *group;
    const char *topic;
    const char *metadata; /* NULL: null */
    struct sl_str member; /* empty: nobody */
    struct sl_str instance;
    int32_t generation;
    int32_t partition;
    int32_t leader_epoch;
    int64_t offset;
};
static inline struct group_commit group_commit_of(const char *group, int32_t partition,
                                                  int64_t offset) {
    struct group_commit k = {.group = group, .topic = "t", .partition = partition};
    k.member = SL_STR("");
    k.instance = GROUP_NONE;
    k.generation = -1;
    k.leader_epoch = -1;
    k.offset = offset;
    return k;
}
static inline int group_commit(struct client *c, struct client_link *l, int16_t version,
                               const struct group_commit *k) {
    struct sl_offset_commit_request request;
    struct sl_offset_commit_topic t;
    struct sl_offset_commit_partition p;
    const struct sl_type *topic_type = client_item_type(&sl_offset_commit_request_type, "topics");
    sl_codec_defaults(&sl_offset_commit_request_type, &request);
    sl_codec_defaults(topic_type, &t);
    sl_codec_defaults(client_item_type(topic_type, "partitions"), &p);
    p.partition = k->partition;
    p.offset = k->offset;
    p.leader_epoch = k->leader_epoch;
    p.metadata = sl_bytes_str(k->metadata);
    t.name = sl_bytes_str(k->topic);
    t.topic_id = client_topic_id(c, k->topic);
    t.partitions = (struct sl_array){&p, 1};
    request.group_id = sl_bytes_str(k->group);
    request.generation = k->generation;
    request.member_id = k->member;
    request.instance_id = k->instance;
    request.topics = (struct sl_array){&t, 1};
    const struct sl_offset_commit_response *m =
        client_ask(c, l, SL_API_OFFSET_COMMIT, version, &request);
    const struct sl_offset_commit_topic_response *topic = client_item(&m->topics, 0, sizeof *topic);
    const struct sl_offset_commit_partition_response *r =
        client_item(&topic->partitions, 0, sizeof *r);
    assert_int_equal(r->partition, k->partition);
    return r->error_code;
}

/* The offset that group has for a partition of a topic; *code: the partition's, or the group's. */
static inline struct sl_offset_fetch_partition_response
group_fetch(struct client *c, struct client_link *l, int16_t version, const char *group,
            const char *topic, int32_t partition) {
    struct sl_offset_fetch_request request;
    struct sl_offset_fetch_group g;
    struct sl_offset_fetch_topic t;
    struct sl_offset_fetch_partition_response none = {.offset = -99};
    const struct sl_type *type = &sl_offset_fetch_request_type;
    sl_codec_defaults(type, &request);
    sl_codec_defaults(client_item_type(type, "groups"), &g);
    sl_codec_defaults(client_item_type(type, "topics"), &t);
    t.name = sl_bytes_str(topic);
    t.topic_id = client_topic_id(c, topic);
    t.partitions = (struct sl_array){&partition, 1};
    request.group_id = g.group_id = sl_bytes_str(group);
    request.topics = g.topics = (struct sl_array){&t, 1};
    request.groups = (struct sl_array){&g, 1};
    request.require_stable = version >= 7;
    const struct sl_offset_fetch_response *m =
        client_ask(c, l, SL_API_OFFSET_FETCH, version, &request);
    const struct sl_array *topics = &m->topics;
    none.error_code = m->error_code;
    if (version >= 8) {
        const struct sl_offset_fetch_group_response *r = client_item(&m->groups, 0, sizeof *r);
        assert_true(sl_bytes_str_equal(r->group_id, g.group_id));
        topics = &r->topics;
        none.error_code = r->error_code;
    }
    if (none.error_code != 0) {
        assert_int_equal(topics->count, 0);
        return none;
    }
    const struct sl_offset_fetch_topic_response *r = client_item(topics, 0, sizeof *r);
    const struct sl_offset_fetch_partition_response *p = client_item(&r->partitions, 0, sizeof *p);
    assert_int_equal(p->partition, partition);
    return *p;
}

/* ---- joining ---- */

enum { GROUP_PROTOCOLS = 2 };
struct group_join {
    int16_t version;
    const char *group;
    struct sl_str member; /* empty: none yet */
    struct sl_str instance;
    const char *type;
    int32_t session_ms, rebalance_ms;
    const char *protocols[GROUP_PROTOCOLS]; /* NULL: no more */
    const char *metadata;                   /* of each … */
    struct sl_bytes packed;                 /* … unless these are given */
};
static inline struct group_join group_join_of(int16_t version, const char *group) {
    struct group_join j = {.version = version, .group = group, .type = "consumer"};
    j.member = SL_STR("");
    j.instance = GROUP_NONE;
    j.session_ms = 10000;
    j.rebalance_ms = 20000;
    j.protocols[0] = "range";
    j.metadata = "some";
    j.packed = SL_BYTES_NULL;
    return j;
}
static inline struct sl_bytes group_bytes(const char *text) {
    return (struct sl_bytes){(const uint8_t *)text, (int32_t)strlen(text)};
}
/* Without a turn. */
static inline void group_put_join(struct client *c, struct client_link *l,
                                  const struct group_join *j) {
    struct sl_join_group_request request;
    struct sl_join_group_protocol protocols[GROUP_PROTOCOLS];
    int32_t count = 0;
    sl_codec_defaults(&sl_join_group_request_type, &request);
    for (; count < GROUP_PROTOCOLS && j->protocols[count] != NULL; count++)
        protocols[count] = (struct sl_join_group_protocol){
            sl_bytes_str(j->protocols[count]),
            j->packed.size >= 0 ? j->packed : group_bytes(j->metadata)};
    request.group_id = sl_bytes_str(j->group);
    request.session_timeout_ms = j->session_ms;
    request.rebalance_timeout_ms = j->rebalance_ms;
    request.member_id = j->member;
    request.instance_id = j->instance;
    request.protocol_type = sl_bytes_str(j->type);
    request.protocols = (struct sl_array){protocols, count};
    client_put(c, l, SL_API_JOIN_GROUP, j->version, &request);
}
static inline const struct sl_join_group_response *
group_join(struct client *c, struct client_link *l, const struct group_join *j) {
    group_put_join(c, l, j);
    client_turn(c);
    return client_take(c, l);
}
/* The id that a dynamic member is given first; from version 4 on. */
static inline struct sl_str group_name(struct client *c, struct client_link *l,
                                       const struct group_join *j) {
    const struct sl_join_group_response *m = group_join(c, l, j);
    assert_int_equal(m->error_code, SLUICE_KAFKA_MEMBER_ID_REQUIRED);
    assert_true(m->member_id.size > 0);
    return m->member_id;
}
/* A member that has an id asks to join, and waits. */
static inline struct sl_str group_begin_join(struct client *c, struct client_link *l,
                                             struct group_join *j) {
    j->member = group_name(c, l, j);
    group_put_join(c, l, j);
    client_turn(c);
    return j->member;
}

/* ---- syncing ---- */

enum { GROUP_MEMBERS = 8 };
/* Everyone in members is assigned what stands in texts. Without a turn. */
static inline void group_put_sync(struct client *c, struct client_link *l, int16_t version,
                                  const char *group, const struct sl_join_group_response *joined,
                                  struct sl_str instance, const char *const *texts) {
    struct sl_sync_group_request request;
    struct sl_sync_group_assignment given[GROUP_MEMBERS];
    const struct sl_join_group_member *members = joined->members.items;
    sl_codec_defaults(&sl_sync_group_request_type, &request);
    for (int32_t i = 0; i < joined->members.count; i++)
        given[i] = (struct sl_sync_group_assignment){members[i].member_id, group_bytes(texts[i])};
    request.group_id = sl_bytes_str(group);
    request.generation = joined->generation;
    request.member_id = joined->member_id;
    request.instance_id = instance;
    request.assignments = (struct sl_array){given, joined->members.count};
    client_put(c, l, SL_API_SYNC_GROUP, version, &request);
}
static inline const struct sl_sync_group_response *
group_sync(struct client *c, struct client_link *l, int16_t version, const char *group,
           const struct sl_join_group_response *joined, const char *const *texts) {
    group_put_sync(c, l, version, group, joined, GROUP_NONE, texts);
    client_turn(c);
    return client_take(c, l);
}

/* ---- the rest ---- */

static inline int group_heartbeat(struct client *c, struct client_link *l, int16_t version,
                                  const char *group, struct sl_str member, struct sl_str instance,
                                  int32_t generation) {
    struct sl_heartbeat_request request;
    sl_codec_defaults(&sl_heartbeat_request_type, &request);
    request.group_id = sl_bytes_str(group);
    request.generation = generation;
    request.member_id = member;
    request.instance_id = instance;
    const struct sl_heartbeat_response *m = client_ask(c, l, SL_API_HEARTBEAT, version, &request);
    return m->error_code;
}

/* The member's code, or that of the whole answer. */
static inline int group_leave(struct client *c, struct client_link *l, int16_t version,
                              const char *group, struct sl_str member, struct sl_str instance) {
    struct sl_leave_group_request request;
    struct sl_leave_group_member one = {member, instance, GROUP_NONE};
    sl_codec_defaults(&sl_leave_group_request_type, &request);
    if (version >= 5) one.reason = SL_STR("it is time");
    request.group_id = sl_bytes_str(group);
    request.member_id = member;
    request.members = (struct sl_array){&one, 1};
    const struct sl_leave_group_response *m =
        client_ask(c, l, SL_API_LEAVE_GROUP, version, &request);
    if (version < 3 || m->error_code != 0) return m->error_code;
    const struct sl_leave_group_member_response *r = client_item(&m->members, 0, sizeof *r);
    assert_true(sl_bytes_str_equal(r->member_id, member));
    return r->error_code;
}

/* A stable group of one dynamic member; *joined is its generation. */
static inline void group_settle_one(struct client *c, struct client_link *l, struct group_join *j,
                                    struct sl_join_group_response *joined) {
    static const char *const assigned[] = {"all"};
    (void)group_begin_join(c, l, j);
    client_advance(c, 200);
    *joined = *(const struct sl_join_group_response *)client_take(c, l);
    assert_int_equal(joined->error_code, 0);
    const struct sl_sync_group_response *m =
        group_sync(c, l, j->version >= 7 ? 5 : 2, j->group, joined, assigned);
    assert_int_equal(m->error_code, 0);
}

#endif
