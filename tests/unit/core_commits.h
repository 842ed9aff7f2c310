/* A consumer with a group (core_consumer.h), whose FindCoordinator, OffsetCommit and OffsetFetch are
 * answered by the test. */
#ifndef SL_TEST_CORE_COMMITS_H
#define SL_TEST_CORE_COMMITS_H

#include "core_consumer.h"

/* Partitions 0 … count-1 of "t" in group "g", coordinated by broker 2; at offset 0 with the Fetch
 * session 77 open. */
static inline void group_prepare(struct cons *c, bool auto_commit) {
    cons_prepare(c);
    c->h->settings.group_id = (char *)(uintptr_t) "g";
    c->h->settings.auto_commit = auto_commit;
}
static inline void group_start(struct cons *c, int32_t count) {
    cons_create(c);
    cons_assign(c, count, 0);
    cons_turn(c);
    cons_open_session(c, count, 0, 77);
}
static inline void group_open(struct cons *c, int32_t count, bool auto_commit) {
    group_prepare(c, auto_commit);
    group_start(c, count);
}

/* ---- FindCoordinator ---- */

static inline void group_answer_find(struct cons *c, int16_t code, int32_t node) {
    struct host_request r = host_next_request(c->h, SL_API_FIND_COORDINATOR);
    struct sl_find_coordinator_result result = {.key = sl_bytes_str("g"),
                                                .node_id = node,
                                                .host = sl_bytes_str(node == 2 ? "b2" : "b1"),
                                                .port = 9092,
                                                .error_code = code,
                                                .error_message = SL_STR_NULL};
    struct sl_find_coordinator_response m;
    sl_codec_defaults(&sl_find_coordinator_response_type, &m);
    m.coordinators = (struct sl_array){&result, 1};
    host_reply(c->h, &r, &m);
    cons_turn(c);
}
static inline void group_found(struct cons *c) { group_answer_find(c, 0, 2); }
static inline int group_finds(const struct cons *c) {
    return host_count_requests(c->h, SL_API_FIND_COORDINATOR);
}

/* ---- OffsetCommit ---- */

/* The topic that a request names, by name or by id. */
static inline void group_topic_name(const struct cons *c, char out[32], struct sl_str name,
                                    const struct sl_uuid *id) {
    for (int i = 0; i < c->h->topic_count && name.size <= 0; i++)
        if (c->h->topics[i].id == id->bytes[0]) name = sl_bytes_str(c->h->topics[i].name);
    cons_name(out, name);
}
static inline struct sl_uuid group_topic_id(const struct cons *c, const char *name) {
    struct sl_uuid id = {{0}};
    const struct host_topic *topic = host_find_topic(c->h, sl_bytes_str(name));
    if (topic != NULL) memset(id.bytes, topic->id, sizeof id.bytes);
    return id;
}

struct group_part {
    char topic[32];
    int32_t partition;
    int64_t offset;
    int32_t leader_epoch;
    char metadata[32];
};
struct group_commit {
    struct host_request r;
    struct group_part parts[CONS_PARTS];
    int count;
    int topics;
};
static inline struct group_commit group_next_commit(struct cons *c) {
    struct group_commit out = {.r = host_next_request(c->h, SL_API_OFFSET_COMMIT)};
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_offset_commit_request *m = host_decode(&out.r, &arena);
    assert_true(sl_bytes_str_equal(m->group_id, SL_STR("g")));
    assert_int_equal(m->generation, -1);
    assert_int_equal(m->member_id.size, 0);
    assert_int_equal(m->instance_id.size, -1);
    out.topics = m->topics.count;
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_offset_commit_topic *topic =
            (const struct sl_offset_commit_topic *)m->topics.items + t;
        const struct sl_offset_commit_partition *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            assert_true(out.count < CONS_PARTS);
            struct group_part *part = &out.parts[out.count++];
            group_topic_name(c, part->topic, topic->name, &topic->topic_id);
            cons_name(part->metadata, p[i].metadata);
            part->partition = p[i].partition;
            part->offset = p[i].offset;
            part->leader_epoch = p[i].leader_epoch;
        }
    }
    sl_arena_deinit(&arena);
    return out;
}
static inline int group_commits(const struct cons *c) {
    return host_count_requests(c->h, SL_API_OFFSET_COMMIT);
}
enum { GROUP_OMIT = INT16_MIN }; /* in place of a code: the answer leaves the partition out */
/* The i-th partition asked for gets codes[i], in another order than asked. */
static inline void group_reply_codes(struct cons *c, const struct group_commit *commit,
                                     const int16_t *codes) {
    static struct sl_offset_commit_topic_response topics[CONS_PARTS];
    static struct sl_offset_commit_partition_response parts[CONS_PARTS];
    struct sl_offset_commit_response m;
    int32_t count = 0;
    sl_codec_defaults(&sl_offset_commit_response_type, &m);
    for (int i = commit->count - 1; i >= 0; i--) {
        if (codes[i] == GROUP_OMIT) continue;
        topics[count].name = sl_bytes_str(commit->parts[i].topic);
        topics[count].topic_id = group_topic_id(c, commit->parts[i].topic);
        topics[count].partitions = (struct sl_array){&parts[count], 1};
        parts[count] =
            (struct sl_offset_commit_partition_response){commit->parts[i].partition, codes[i]};
        count++;
    }
    m.topics = (struct sl_array){topics, count};
    host_reply(c->h, &commit->r, &m);
    cons_turn(c);
}
static inline void group_reply(struct cons *c, const struct group_commit *commit, int16_t code) {
    int16_t codes[CONS_PARTS];
    for (int i = 0; i < commit->count; i++) codes[i] = code;
    group_reply_codes(c, commit, codes);
}
/* The request that waits is of one partition of "t", and gets that code. */
static inline void group_answer(struct cons *c, int32_t partition, int64_t offset, int16_t code) {
    struct group_commit commit = group_next_commit(c);
    assert_int_equal(commit.count, 1);
    assert_string_equal(commit.parts[0].topic, "t");
    assert_int_equal(commit.parts[0].partition, partition);
    assert_int_equal(commit.parts[0].offset, offset);
    group_reply(c, &commit, code);
}

/* ---- what the application does ---- */

/* A commit of that list (taken), or of all that is finished. */
static inline struct sl_op *group_commit_list(struct cons *c, struct sl_offsets *list,
                                              int64_t timeout_ms) {
    struct sl_op *op = host_op(c->h, timeout_ms);
    struct sl_command *command = host_command_make(c->h, SL_COMMAND_COMMIT, op, NULL);
    if (list != NULL) {
        int rv = sl_offset_list_copy(list, &c->h->memory.alloc, &command->offsets);
        assert_int_equal(rv, 0);
        sl_offset_list_destroy(list);
    }
    assert_int_equal(sl_gate_commit(c->gate, command), 0);
    cons_turn(c);
    return op;
}
static inline struct sl_op *group_commit_finished(struct cons *c, int64_t timeout_ms) {
    return group_commit_list(c, NULL, timeout_ms);
}
static inline struct sl_op *group_commit_one(struct cons *c, int32_t partition, int64_t offset,
                                             int64_t timeout_ms) {
    return group_commit_list(c, cons_list(c, "t", partition, offset), timeout_ms);
}
static inline void group_expect_op(const struct sl_op *op, int code, const char *text) {
    assert_int_equal(op->state, SL_OP_ENDED);
    if (op->code != code) fail_msg("the op ended with %d: %s", op->code, op->text);
    if (strstr(op->text, text) == NULL) fail_msg("the op says: %s", op->text);
}
/* A commit of all that is finished is of that offset of one partition of "t", and succeeds. */
static inline void group_expect_committing(struct cons *c, int32_t partition, int64_t offset) {
    struct sl_op *op = group_commit_finished(c, 10000);
    if (group_finds(c) > 0) group_found(c);
    group_answer(c, partition, offset, 0);
    group_expect_op(op, 0, "");
}
static inline int64_t group_committed(const struct cons *c, int32_t partition) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(sl_alloc_default(), &list), 0);
    assert_int_equal(sl_gate_positions(c->gate, list), 0);
    const struct sl_offset_entry *entry = sl_offset_list_find(list, "t", partition);
    int64_t offset = entry == NULL ? -2 : entry->committed;
    sl_offset_list_destroy(list);
    return offset;
}
/* A batch of ten records at `base` comes, and is handed out. */
static inline struct sl_slice *group_read(struct cons *c, int32_t partition, int64_t base) {
    cons_compact(c);
    cons_reply_batch(c, partition, base);
    struct sl_slice *slice = cons_take(c);
    assert_non_null(slice);
    assert_int_equal(slice->partition, partition);
    assert_int_equal(slice->from, base);
    return slice;
}
static inline void group_process(struct cons *c, int32_t partition, int64_t base) {
    cons_finish(c, group_read(c, partition, base));
}

/* ---- OffsetFetch ---- */

struct group_lookup {
    struct host_request r;
    struct group_part parts[CONS_PARTS];
    int count;
};
static inline struct group_lookup group_next_lookup(struct cons *c) {
    struct group_lookup out = {.r = host_next_request(c->h, SL_API_OFFSET_FETCH)};
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_offset_fetch_request *m = host_decode(&out.r, &arena);
    assert_true(m->require_stable);
    assert_int_equal(m->groups.count, 1);
    const struct sl_offset_fetch_group *group = m->groups.items;
    assert_true(sl_bytes_str_equal(group->group_id, SL_STR("g")));
    assert_int_equal(group->member_epoch, -1);
    assert_int_equal(group->member_id.size, -1);
    for (int32_t t = 0; t < group->topics.count; t++) {
        const struct sl_offset_fetch_topic *topic =
            (const struct sl_offset_fetch_topic *)group->topics.items + t;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            assert_true(out.count < CONS_PARTS);
            struct group_part *part = &out.parts[out.count++];
            group_topic_name(c, part->topic, topic->name, &topic->topic_id);
            part->partition = ((const int32_t *)topic->partitions.items)[i];
        }
    }
    sl_arena_deinit(&arena);
    return out;
}
static inline int group_lookups(const struct cons *c) {
    return host_count_requests(c->h, SL_API_OFFSET_FETCH);
}
struct group_found {
    int16_t code; /* or GROUP_OMIT */
    int64_t offset;
};
static inline void group_reply_lookup(struct cons *c, const struct group_lookup *lookup,
                                      int16_t code, const struct group_found *found) {
    static struct sl_offset_fetch_topic_response topics[CONS_PARTS];
    static struct sl_offset_fetch_partition_response parts[CONS_PARTS];
    struct sl_offset_fetch_response m;
    int32_t count = 0;
    sl_codec_defaults(&sl_offset_fetch_response_type, &m);
    for (int i = lookup->count - 1; code == 0 && i >= 0; i--) {
        if (found[i].code == GROUP_OMIT) continue;
        topics[count].name = sl_bytes_str(lookup->parts[i].topic);
        topics[count].topic_id = group_topic_id(c, lookup->parts[i].topic);
        topics[count].partitions = (struct sl_array){&parts[count], 1};
        parts[count] = (struct sl_offset_fetch_partition_response){
            .partition = lookup->parts[i].partition,
            .offset = found[i].code == 0 ? found[i].offset : -1,
            .leader_epoch = 5,
            .metadata = SL_STR("note"),
            .error_code = found[i].code};
        count++;
    }
    struct sl_offset_fetch_group_response group = {
        .group_id = SL_STR("g"), .topics = {topics, count}, .error_code = code};
    m.groups = (struct sl_array){&group, 1};
    host_reply(c->h, &lookup->r, &m);
    cons_turn(c);
}
static inline void group_found_one(struct cons *c, int16_t code, int64_t offset) {
    struct group_lookup lookup = group_next_lookup(c);
    assert_int_equal(lookup.count, 1);
    group_reply_lookup(c, &lookup, 0, &(struct group_found){code, offset});
}

#endif
