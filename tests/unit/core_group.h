/* A member of a group for tests: a consumer (core_consumer.h) whose coordinator is broker 1, and
 * whose requests the test answers. */
#ifndef SL_TEST_CORE_GROUP_H
#define SL_TEST_CORE_GROUP_H

#include "core_consumer.h"

#include "core/rebalance.h"
#include "sluice/kafka_errors.h"
#include "wire/consumer_protocol.h"

/* ---- life ---- */

static inline void grp_prepare(struct cons *c) {
    cons_prepare(c);
    c->h->settings.group_id = (char *)(uintptr_t) "g";
}
static inline int grp_subscribe(struct cons *c, const char *first, const char *second) {
    const char *names[2] = {first, second};
    return sl_gate_subscribe(c->gate, names, first == NULL ? 0 : second == NULL ? 1 : 2);
}
/* FindCoordinator is answered with that broker, as often as it was asked. */
static inline void grp_find(struct cons *c, int32_t broker) {
    cons_turn(c);
    while (host_count_requests(c->h, SL_API_FIND_COORDINATOR) > 0) {
        struct host_request r = host_next_request(c->h, SL_API_FIND_COORDINATOR);
        struct sl_find_coordinator_result result;
        struct sl_find_coordinator_response m;
        sl_codec_defaults(&sl_find_coordinator_response_type, &m);
        memset(&result, 0, sizeof result);
        result.key = SL_STR("g");
        result.node_id = broker;
        result.host = broker == 1 ? SL_STR("b1") : SL_STR("b2");
        result.port = 9092;
        m.coordinators = (struct sl_array){&result, 1};
        host_reply(c->h, &r, &m);
        cons_turn(c);
    }
}
/* Subscribed to "t", with the first JoinGroup waiting. */
static inline void grp_start(struct cons *c) {
    cons_create(c);
    assert_int_equal(grp_subscribe(c, "t", NULL), 0);
    grp_find(c, 1);
}
static inline struct sl_membership *grp_of(const struct cons *c) { return &c->h->core->group; }
static inline int grp_waiting(const struct cons *c, int16_t key) {
    return host_count_requests(c->h, key);
}

/* ---- JoinGroup ---- */

struct grp_join {
    struct host_request r;
    char member_id[64];
    char instance_id[64]; /* "" none */
    char reason[160];
    int32_t session_ms, rebalance_ms;
    int protocols;
    char protocol[4][32];
    int owned[4];          /* partitions that the subscription claims */
    int32_t generation[4]; /* and in which generation */
    int topics[4];
    uint8_t metadata[4][512];
    int32_t metadata_size[4];
};
static inline void grp_text(char *out, size_t cap, struct sl_str text) {
    size_t size = text.size < 0 ? 0 : (size_t)text.size;
    assert_true(size < cap);
    if (size > 0) memcpy(out, text.data, size);
    out[size] = '\0';
}
static inline struct grp_join grp_next_join(struct cons *c) {
    struct grp_join out;
    memset(&out, 0, sizeof out);
    out.r = host_next_request(c->h, SL_API_JOIN_GROUP);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_join_group_request *m = host_decode(&out.r, &arena);
    assert_true(sl_bytes_str_equal(m->group_id, SL_STR("g")));
    assert_true(sl_bytes_str_equal(m->protocol_type, SL_STR("consumer")));
    grp_text(out.member_id, sizeof out.member_id, m->member_id);
    grp_text(out.instance_id, sizeof out.instance_id, m->instance_id);
    grp_text(out.reason, sizeof out.reason, m->reason);
    out.session_ms = m->session_timeout_ms;
    out.rebalance_ms = m->rebalance_timeout_ms;
    out.protocols = m->protocols.count;
    const struct sl_join_group_protocol *protocols = m->protocols.items;
    for (int i = 0; i < out.protocols; i++) {
        struct sl_consumer_subscription s;
        grp_text(out.protocol[i], sizeof out.protocol[i], protocols[i].name);
        out.metadata_size[i] = protocols[i].metadata.size;
        assert_true(protocols[i].metadata.size < 512);
        memcpy(out.metadata[i], protocols[i].metadata.data, (size_t)protocols[i].metadata.size);
        assert_int_equal(
            sl_consumer_protocol_decode_subscription(protocols[i].metadata, &arena, &s), 0);
        out.topics[i] = s.topics.count;
        out.generation[i] = s.generation;
        const struct sl_consumer_partitions *owned = s.owned.items;
        for (int32_t t = 0; t < s.owned.count; t++) out.owned[i] += owned[t].partitions.count;
    }
    sl_arena_deinit(&arena);
    return out;
}
static const char *grp_others[] = {"other-1", "other-2", "other-3"};
/* The answer: generation, who leads, and for the leader this member and `others`, which are
 * subscribed to the same. */
static inline void grp_reply_join(struct cons *c, const struct grp_join *join, int32_t generation,
                                  const char *id, const char *leader, int others) {
    struct sl_join_group_response m;
    struct sl_join_group_member members[4];
    uint8_t empty[512];
    struct sl_writer writer;
    struct sl_str topic = SL_STR("t");
    struct sl_consumer_subscription s = {.topics = {&topic, 1},
                                         .user_data = SL_BYTES_NULL,
                                         .owned = {NULL, 0},
                                         .generation = -1,
                                         .rack_id = SL_STR_NULL};
    sl_writer_init_fixed(&writer, empty, sizeof empty);
    assert_int_equal(sl_consumer_protocol_encode_subscription(&writer, &s), 0);
    sl_codec_defaults(&sl_join_group_response_type, &m);
    m.generation = generation;
    m.protocol_type = SL_STR("consumer");
    m.protocol_name = sl_bytes_str(join->protocol[0]);
    m.leader = sl_bytes_str(leader);
    m.member_id = sl_bytes_str(id);
    memset(members, 0, sizeof members);
    members[0].member_id = m.member_id;
    members[0].instance_id = SL_STR_NULL;
    members[0].metadata = (struct sl_bytes){join->metadata[0], join->metadata_size[0]};
    for (int i = 0; i < others; i++) {
        members[i + 1].member_id = sl_bytes_str(grp_others[i]);
        members[i + 1].instance_id = SL_STR_NULL;
        members[i + 1].metadata = (struct sl_bytes){empty, (int32_t)writer.size};
    }
    bool leads = strcmp(id, leader) == 0;
    m.members = (struct sl_array){members, leads ? others + 1 : 0};
    host_reply(c->h, &join->r, &m);
    cons_turn(c);
}
static inline void grp_refuse_join(struct cons *c, const struct grp_join *join, int16_t code,
                                   const char *id) {
    struct sl_join_group_response m;
    sl_codec_defaults(&sl_join_group_response_type, &m);
    m.error_code = code;
    m.member_id = sl_bytes_str(id);
    m.generation = -1;
    host_reply(c->h, &join->r, &m);
    cons_turn(c);
}

/* ---- SyncGroup ---- */

struct grp_sync {
    struct host_request r;
    int32_t generation;
    char member_id[64];
    int assignments;
    int partitions[4];   /* of each assignment */
    uint32_t numbers[4]; /* which, a bit each */
};
static inline struct grp_sync grp_next_sync(struct cons *c) {
    struct grp_sync out;
    memset(&out, 0, sizeof out);
    out.r = host_next_request(c->h, SL_API_SYNC_GROUP);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_sync_group_request *m = host_decode(&out.r, &arena);
    out.generation = m->generation;
    grp_text(out.member_id, sizeof out.member_id, m->member_id);
    out.assignments = m->assignments.count;
    const struct sl_sync_group_assignment *all = m->assignments.items;
    for (int i = 0; i < out.assignments; i++) {
        struct sl_consumer_assignment a;
        assert_int_equal(sl_consumer_protocol_decode_assignment(all[i].assignment, &arena, &a), 0);
        const struct sl_consumer_partitions *p = a.partitions.items;
        for (int32_t t = 0; t < a.partitions.count; t++) {
            const int32_t *numbers = p[t].partitions.items;
            out.partitions[i] += p[t].partitions.count;
            for (int32_t k = 0; k < p[t].partitions.count; k++)
                out.numbers[i] |= UINT32_C(1) << numbers[k];
        }
    }
    sl_arena_deinit(&arena);
    return out;
}
/* Partitions first … first+count-1 of "t" are this member's. */
static inline void grp_reply_sync(struct cons *c, const struct grp_sync *sync, int32_t first,
                                  int32_t count) {
    struct sl_sync_group_response m;
    uint8_t bytes[512];
    int32_t numbers[16];
    struct sl_writer writer;
    for (int32_t i = 0; i < count; i++) numbers[i] = first + i;
    struct sl_consumer_partitions topic = {SL_STR("t"), {numbers, count}};
    struct sl_consumer_assignment a = {{&topic, count > 0 ? 1 : 0}, SL_BYTES_NULL};
    sl_writer_init_fixed(&writer, bytes, sizeof bytes);
    assert_int_equal(sl_consumer_protocol_encode_assignment(&writer, &a), 0);
    sl_codec_defaults(&sl_sync_group_response_type, &m);
    m.assignment = (struct sl_bytes){bytes, (int32_t)writer.size};
    host_reply(c->h, &sync->r, &m);
    cons_turn(c);
}
static inline void grp_refuse_sync(struct cons *c, const struct grp_sync *sync, int16_t code) {
    struct sl_sync_group_response m;
    sl_codec_defaults(&sl_sync_group_response_type, &m);
    m.error_code = code;
    m.assignment = (struct sl_bytes){(const uint8_t *)"", 0};
    host_reply(c->h, &sync->r, &m);
    cons_turn(c);
}

/* ---- Heartbeat, LeaveGroup ---- */

static inline struct host_request grp_reply_heartbeat(struct cons *c, int16_t code) {
    struct host_request r = host_next_request(c->h, SL_API_HEARTBEAT);
    struct sl_heartbeat_response m;
    sl_codec_defaults(&sl_heartbeat_response_type, &m);
    m.error_code = code;
    host_reply(c->h, &r, &m);
    cons_turn(c);
    return r;
}
static inline void grp_reply_leave(struct cons *c) {
    struct host_request r = host_next_request(c->h, SL_API_LEAVE_GROUP);
    struct sl_leave_group_response m;
    sl_codec_defaults(&sl_leave_group_response_type, &m);
    host_reply(c->h, &r, &m);
    cons_turn(c);
}

/* ---- where to begin ---- */

/* The group has committed nothing: what an answer leaves out is so. */
static inline void grp_no_offsets(struct cons *c) {
    while (grp_waiting(c, SL_API_OFFSET_FETCH) > 0) {
        struct host_request r = host_next_request(c->h, SL_API_OFFSET_FETCH);
        struct sl_offset_fetch_group_response group = {.group_id = SL_STR("g")};
        struct sl_offset_fetch_response m;
        sl_codec_defaults(&sl_offset_fetch_response_type, &m);
        m.groups = (struct sl_array){&group, 1};
        host_reply(c->h, &r, &m);
        cons_turn(c);
    }
}
/* And all start at 0. */
static inline void grp_find_starts(struct cons *c) {
    static const struct cons_found found[CONS_PARTS];
    grp_no_offsets(c);
    while (cons_waiting_lookups(c) > 0) {
        struct cons_lookup lookup = cons_next_lookup(c);
        cons_reply_lookup(c, &lookup, found);
    }
}

/* ---- scenes ---- */

/* JoinGroup and SyncGroup that wait are answered: generation, all alone, partitions 0 … count-1. */
static inline void grp_settle(struct cons *c, int32_t generation, int32_t count) {
    struct grp_join join = grp_next_join(c);
    grp_reply_join(c, &join, generation, "m1", "m1", 0);
    struct grp_sync sync = grp_next_sync(c);
    assert_int_equal(sync.generation, generation);
    assert_string_equal(sync.member_id, "m1");
    grp_reply_sync(c, &sync, 0, count);
    assert_int_equal(grp_of(c)->state, SL_GROUP_STABLE);
    grp_no_offsets(c);
}
/* A member in generation 1, all alone, with partitions 0 … count-1. */
static inline void grp_open(struct cons *c, int32_t count) {
    grp_prepare(c);
    grp_start(c);
    grp_settle(c, 1, count);
}
/* t-0 begins at 0, and its first batch is handed out. */
static inline struct sl_slice *grp_read(struct cons *c) {
    grp_find_starts(c);
    cons_reply_batch(c, 0, 0);
    struct sl_slice *slice = cons_take(c);
    assert_non_null(slice);
    return slice;
}
/* The next heartbeat hears that the group is rebalanced. */
static inline void grp_rebalance(struct cons *c) {
    cons_advance(c, 3000);
    (void)grp_reply_heartbeat(c, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
}
/* How many partitions the gate has. */
static inline int32_t grp_owned(const struct cons *c) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(sl_alloc_default(), &list), 0);
    assert_int_equal(sl_gate_positions(c->gate, list), 0);
    int32_t count = list->count;
    sl_offset_list_destroy(list);
    return count;
}
/* The application polls, and takes nothing. */
static inline void grp_poll(struct cons *c) {
    (void)sl_gate_poll_begin(c->gate);
    sl_gate_poll_end(c->gate);
    cons_turn(c);
}
/* Time passes, and heartbeats are answered. */
static inline void grp_beat(struct cons *c, int64_t ms) {
    for (int64_t passed = 0; passed < ms; passed += 1000) {
        cons_advance(c, 1000);
        while (grp_waiting(c, SL_API_HEARTBEAT) > 0) (void)grp_reply_heartbeat(c, 0);
        cons_compact(c);
    }
}

#endif
