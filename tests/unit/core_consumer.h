/* A consumer for tests: a gate, the whole core, and a scripted host (core_host.h) whose Fetch and
 * ListOffsets answers are the test's, one by one, or a broker's that keeps logs and strict fetch
 * sessions (cons_serve). The gate and all invariants are checked after every step. */
#ifndef SL_TEST_CORE_CONSUMER_H
#define SL_TEST_CORE_CONSUMER_H

#include "core_host.h"

#include "core/fetch.h"
#include "core/gate.h"
#include "record/batch_read.h"
#include "record/batch_write.h"
#include "record/crc32c.h"

enum { CONS_PARTS = 24, CONS_SLICES = 64, CONS_BATCH = 4096, CONS_NODES = 4 };

struct cons {
    struct host *h;
    struct sl_gate *gate;
    bool broken_memory; /* an allocation may fail: calls may say NOMEM */
};

/* ---- life ---- */

/* A client that is not created yet: topics "t" (id 1) and "u" (id 2) with three partitions each,
 * led by broker 1. */
static inline void cons_prepare(struct cons *c) {
    c->h = malloc(sizeof *c->h);
    assert_non_null(c->h);
    c->broken_memory = false;
    c->gate = NULL;
    host_prepare(c->h, SL_ROLE_CONSUMER);
    c->h->settings.offset_reset = SL_RESET_EARLIEST;
    c->h->nodes[1] = (struct host_node){2, "b2", 9092};
    c->h->node_count = 2;
    c->h->topics[0] = (struct host_topic){"t", 1, 0, 3, 1, 5};
    c->h->topics[1] = (struct host_topic){"u", 2, 0, 3, 1, 5};
    c->h->topic_count = 2;
}
static inline void cons_create(struct cons *c) {
    assert_int_equal(host_create(c->h), 0);
    assert_int_equal(sl_gate_create(&c->h->settings, &c->h->memory.alloc, &c->gate), 0);
}
static inline void cons_start(struct cons *c) {
    cons_prepare(c);
    cons_create(c);
}
static inline void cons_end(struct cons *c) {
    sl_gate_destroy(c->gate);
    host_end(c->h);
}

/* ---- turns ---- */

/* What is finished, when core wants to commit it. */
static inline void cons_pass_finished(struct cons *c) {
    struct sl_list commits;
    bool everything;
    sl_core_on_time(c->h->core, c->h->now, c->h->now / SL_MS);
    if (!sl_core_wants_finished(c->h->core, &everything)) return;
    sl_list_init(&commits);
    sl_gate_collect(c->gate, everything);
    sl_gate_take_orders(c->gate, &commits);
    for (struct sl_list *node; (node = sl_list_pop_front(&commits)) != NULL;)
        sl_core_on_command(c->h->core, SL_LIST_OF(node, struct sl_command, node));
}
/* Orders and returned memory to the core, news and slices to the gate, until nothing moves. */
static inline void cons_turn(struct cons *c) {
    struct host *h = c->h;
    for (bool more = true; more;) {
        struct sl_list orders, buffers;
        int64_t freed;
        sl_list_init(&orders);
        sl_list_init(&buffers);
        sl_gate_take_orders(c->gate, &orders);
        sl_gate_take_returned(c->gate, &buffers, &freed);
        more = !sl_list_is_empty(&orders) || freed != 0;
        for (struct sl_list *node; (node = sl_list_pop_front(&orders)) != NULL;)
            sl_core_on_command(h->core, SL_LIST_OF(node, struct sl_command, node));
        sl_core_on_returned(h->core, &buffers, freed);
        cons_pass_finished(c);
        host_turn(h);
        more = more || !sl_list_is_empty(&h->events.fetched);
        more = more || !sl_list_is_empty(&h->events.rebalances);
        sl_gate_on_news(c->gate, &h->events.news);
        sl_gate_trust(c->gate, sl_core_trusted_until(h->core));
        sl_gate_on_rebalances(c->gate, &h->events.rebalances);
        sl_gate_on_fetched(c->gate, &h->events.fetched);
        sl_gate_check(c->gate);
    }
}
static inline void cons_advance(struct cons *c, int64_t ms) {
    int64_t end = c->h->now + ms * SL_MS;
    cons_turn(c);
    while (sl_core_deadline(c->h->core) <= end) {
        c->h->now = sl_core_deadline(c->h->core);
        cons_turn(c);
    }
    c->h->now = end;
    cons_turn(c);
}
/* Requests that were answered are forgotten: the host has room for so many only. The copy of one
 * that waits is told its new place by cons_find. */
static inline void cons_compact(struct cons *c) {
    struct host *h = c->h;
    int kept = 0;
    for (int i = 0; i < h->request_count; i++) {
        struct host_request *r = &h->requests[i];
        if (r->replied || !r->conn->open) {
            free(r->body);
            continue;
        }
        r->index = kept;
        h->requests[kept++] = *r;
    }
    h->request_count = kept;
}
static inline void cons_find(const struct cons *c, struct host_request *r) {
    for (int i = 0; i < c->h->request_count; i++) {
        const struct host_request *other = &c->h->requests[i];
        if (other->conn == r->conn && other->header.correlation == r->header.correlation)
            r->index = i;
    }
}

/* ---- what the application does ---- */

static inline struct sl_offsets *cons_list(const struct cons *c, const char *topic,
                                           int32_t partition, int64_t offset) {
    struct sl_offsets *list;
    (void)c;
    assert_int_equal(sl_offset_list_create(sl_alloc_default(), &list), 0);
    sl_offset_list_put(list, topic, partition)->offset = offset;
    return list;
}
/* Partitions 0 … count-1 of "t" at that offset. */
static inline void cons_assign(struct cons *c, int32_t count, int64_t offset) {
    struct sl_offsets *list = cons_list(c, "t", 0, offset);
    for (int32_t i = 1; i < count; i++) sl_offset_list_put(list, "t", i)->offset = offset;
    int rv = sl_gate_assign(c->gate, count == 0 ? NULL : list);
    if (!c->broken_memory) assert_int_equal(rv, 0);
    sl_offset_list_destroy(list);
}
static inline int cons_seek(struct cons *c, int32_t partition, int64_t offset) {
    struct sl_offsets *list = cons_list(c, "t", partition, offset);
    int rv = sl_gate_seek(c->gate, list);
    sl_offset_list_destroy(list);
    return rv;
}
static inline int cons_pause(struct cons *c, int32_t partition, bool paused) {
    struct sl_offsets *list = cons_list(c, "t", partition, 0);
    int rv = sl_gate_pause(c->gate, list, paused);
    sl_offset_list_destroy(list);
    return rv;
}
/* The next slice; NULL: none. *code: what take said, with the text in cons_text. */
static char cons_text[512];
static inline struct sl_slice *cons_take_code(struct cons *c, int *code) {
    struct sl_slice *slice = NULL;
    int32_t count;
    cons_text[0] = '\0';
    sl_gate_on_time(c->gate, c->h->now);
    *code = sl_gate_take(c->gate, 1, &slice, 1, &count, cons_text, sizeof cons_text);
    sl_gate_check(c->gate);
    return count == 1 ? slice : NULL;
}
static inline struct sl_slice *cons_take(struct cons *c) {
    int code;
    struct sl_slice *slice = cons_take_code(c, &code);
    if (code != 0) fail_msg("take said %d: %s", code, cons_text);
    return slice;
}
/* Processed, and given back. */
static inline void cons_finish(struct cons *c, struct sl_slice *slice) {
    assert_int_equal(sl_gate_mark(c->gate, slice, slice->next_offset, slice->last_epoch), 0);
    sl_gate_give(c->gate, slice);
    sl_gate_check(c->gate);
}
/* One slice from … to next of that partition comes, and is finished. */
static inline void cons_expect(struct cons *c, int32_t partition, int64_t from, int64_t next) {
    struct sl_slice *slice = cons_take(c);
    assert_non_null(slice);
    assert_int_equal(slice->partition, partition);
    assert_int_equal(slice->from, from);
    assert_int_equal(slice->next_offset, next);
    cons_finish(c, slice);
}
static inline void cons_expect_nothing(struct cons *c) { assert_null(cons_take(c)); }
/* The code of an error slice. */
static inline void cons_expect_error(struct cons *c, int code) {
    int got;
    assert_null(cons_take_code(c, &got));
    assert_int_equal(got, code);
}
static inline int64_t cons_position(const struct cons *c, int32_t partition) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(sl_alloc_default(), &list), 0);
    assert_int_equal(sl_gate_positions(c->gate, list), 0);
    const struct sl_offset_entry *entry = sl_offset_list_find(list, "t", partition);
    int64_t offset = entry == NULL ? -2 : entry->offset;
    sl_offset_list_destroy(list);
    return offset;
}
static inline struct sl_fetch_position *cons_core(const struct cons *c, int32_t partition) {
    const struct sl_fetcher *f = &c->h->core->fetcher;
    for (uint32_t i = 0; i < f->slot_count; i++)
        if (f->slots[i] != NULL && f->slots[i]->index == partition &&
            strcmp(f->slots[i]->name, "t") == 0)
            return f->slots[i];
    fail_msg("core has no position of t-%d", (int)partition);
    return NULL;
}
/* All is given back: the receiving account is whole again. */
static inline void cons_expect_whole_account(struct cons *c) {
    cons_turn(c);
    assert_int_equal(c->h->core->fetcher.free_bytes, c->h->settings.fetch_memory);
}

/* ---- batches ---- */

/* A record batch at `base` of `count` records, whose last offset is base + last_delta. Returns its
 * size. */
static inline size_t cons_batch(uint8_t *out, int64_t base, int32_t count, int32_t last_delta) {
    enum { TIME = 1700000000 };
    uint8_t *at = out + SL_RECORD_HEADER_SIZE;
    for (int32_t i = 0; i < count; i++) {
        struct sl_record_in r = {
            .value = (const uint8_t *)"value", .key_size = -1, .value_size = 5};
        at += sl_batch_write_record(at, &r, 0, i);
    }
    struct sl_batch_summary s = {.base_timestamp = TIME,
                                 .max_timestamp = TIME,
                                 .producer_id = -1,
                                 .producer_epoch = -1,
                                 .base_sequence = -1,
                                 .count = count > 0 ? count : 1};
    struct sl_iov records = {out + SL_RECORD_HEADER_SIZE,
                             (size_t)(at - out) - SL_RECORD_HEADER_SIZE};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_header(out, &s, &sum);
    /* What a broker changes: offset, leader epoch; and compaction the counts. */
    sl_bytes_put64(out + SL_RECORD_BASE_OFFSET, (uint64_t)base);
    sl_bytes_put32(out + SL_RECORD_LEADER_EPOCH, 5);
    sl_bytes_put32(out + SL_RECORD_LAST_DELTA, (uint32_t)last_delta);
    sl_bytes_put32(out + SL_RECORD_COUNT, (uint32_t)count);
    uint32_t crc =
        sl_crc32c(0, out + SL_RECORD_ATTRIBUTES, (size_t)(at - out) - SL_RECORD_ATTRIBUTES);
    sl_bytes_put32(out + SL_RECORD_CRC, crc);
    return (size_t)(at - out);
}

/* ---- Fetch, one by one ---- */

struct cons_part {
    char topic[32];
    struct sl_uuid id;
    int32_t partition;
    int32_t leader_epoch;
    int64_t offset;
    int32_t max_bytes;
};
struct cons_fetch {
    struct host_request r;
    int32_t session_id, epoch, max_bytes, min_bytes, max_wait_ms;
    int8_t isolation;
    char rack[32];
    struct cons_part parts[CONS_PARTS];
    int count;
    struct cons_part forgotten[CONS_PARTS];
    int forgotten_count;
};
static inline void cons_name(char out[32], struct sl_str name) {
    out[0] = '\0';
    if (name.size <= 0) return; /* by id */
    assert_true(name.size < 32);
    memcpy(out, name.data, (size_t)name.size);
    out[name.size] = '\0';
}
static inline void cons_decode_fetch(const struct host_request *r, struct cons_fetch *out) {
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_fetch_request *m = host_decode(r, &arena);
    memset(out, 0, sizeof *out);
    out->r = *r;
    out->session_id = m->session_id;
    out->epoch = m->session_epoch;
    out->max_bytes = m->max_bytes;
    out->min_bytes = m->min_bytes;
    out->max_wait_ms = m->max_wait_ms;
    out->isolation = m->isolation_level;
    cons_name(out->rack, m->rack_id);
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_fetch_topic *topic = (const struct sl_fetch_topic *)m->topics.items + t;
        const struct sl_fetch_partition *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            assert_true(out->count < CONS_PARTS);
            struct cons_part *part = &out->parts[out->count++];
            cons_name(part->topic, topic->name);
            part->id = topic->topic_id;
            part->partition = p[i].partition;
            part->leader_epoch = p[i].current_leader_epoch;
            part->offset = p[i].fetch_offset;
            part->max_bytes = p[i].partition_max_bytes;
            assert_true(part->max_bytes > 0 && part->max_bytes <= m->max_bytes);
        }
    }
    for (int32_t t = 0; t < m->forgotten_topics.count; t++) {
        const struct sl_fetch_forgotten_topic *topic =
            (const struct sl_fetch_forgotten_topic *)m->forgotten_topics.items + t;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            assert_true(out->forgotten_count < CONS_PARTS);
            struct cons_part *part = &out->forgotten[out->forgotten_count++];
            cons_name(part->topic, topic->name);
            part->id = topic->topic_id;
            part->partition = ((const int32_t *)topic->partitions.items)[i];
        }
    }
    sl_arena_deinit(&arena);
}
/* The Fetch that waits for an answer. */
static inline struct cons_fetch cons_next(struct cons *c) {
    struct cons_fetch fetch;
    struct host_request r = host_next_request(c->h, SL_API_FETCH);
    cons_decode_fetch(&r, &fetch);
    return fetch;
}
static inline int cons_waiting(const struct cons *c) {
    return host_count_requests(c->h, SL_API_FETCH);
}

/* What an answer says of one partition. */
struct cons_entry {
    const char *topic;
    uint8_t id; /* all bytes of it; 0 with a name: looked up in the host's topics */
    int32_t partition;
    int16_t code;
    int64_t high_watermark;
    int64_t last_stable;
    struct sl_leader_hint hint;
    int32_t follower; /* that it names; -1: none */
    struct sl_fetch_epoch_end diverging;
    size_t size;
    uint8_t data[CONS_BATCH];
};
struct cons_answer {
    int32_t session_id;
    int16_t code;
    int32_t throttle_ms;
    struct cons_entry entries[CONS_PARTS];
    int count;
    struct sl_node_endpoint endpoints[2];
    int endpoint_count;
};
static inline struct cons_answer *cons_answer(int32_t session_id) {
    struct cons_answer *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->session_id = session_id;
    return a;
}
/* An entry of "t" without data. */
static inline struct cons_entry *cons_add(struct cons_answer *a, int32_t partition, int16_t code,
                                          int64_t high_watermark) {
    assert_true(a->count < CONS_PARTS);
    struct cons_entry *entry = &a->entries[a->count++];
    entry->topic = "t";
    entry->partition = partition;
    entry->code = code;
    entry->high_watermark = high_watermark;
    entry->last_stable = -1;
    entry->hint = (struct sl_leader_hint){-1, -1};
    entry->follower = -1;
    entry->diverging = (struct sl_fetch_epoch_end){-1, -1};
    return entry;
}
/* With one batch of ten records. */
static inline struct cons_entry *cons_add_batch(struct cons_answer *a, int32_t partition,
                                                int64_t base) {
    struct cons_entry *entry = cons_add(a, partition, 0, 1000);
    entry->size = cons_batch(entry->data, base, 10, 9);
    return entry;
}
static inline void cons_more(struct cons_entry *entry, int64_t base) {
    entry->size += cons_batch(entry->data + entry->size, base, 10, 9);
}
static inline void cons_fill_entry(const struct cons *c, const struct cons_entry *entry,
                                   struct sl_fetch_topic_response *topic,
                                   struct sl_fetch_partition_response *p) {
    const struct host_topic *known = host_find_topic(c->h, sl_bytes_str(entry->topic));
    memset(topic, 0, sizeof *topic);
    memset(p, 0, sizeof *p);
    topic->name = sl_bytes_str(entry->topic);
    memset(topic->topic_id.bytes, entry->id != 0 || known == NULL ? entry->id : known->id, 16);
    topic->partitions = (struct sl_array){p, 1};
    p->partition = entry->partition;
    p->error_code = entry->code;
    p->high_watermark = entry->high_watermark;
    p->last_stable_offset = entry->last_stable;
    p->log_start_offset = -1;
    p->diverging_epoch = entry->diverging;
    p->current_leader = entry->hint;
    p->snapshot_id = (struct sl_fetch_snapshot_id){-1, -1};
    p->aborted_transactions.count = -1;
    p->preferred_read_replica = entry->follower;
    p->records = (struct sl_records){.data = entry->data, .size = (int32_t)entry->size};
}
/* Frees the answer. */
static inline void cons_send(struct cons *c, const struct cons_fetch *fetch,
                             struct cons_answer *a) {
    static struct sl_fetch_topic_response topics[CONS_PARTS];
    static struct sl_fetch_partition_response parts[CONS_PARTS];
    struct sl_fetch_response m;
    sl_codec_defaults(&sl_fetch_response_type, &m);
    for (int i = 0; i < a->count; i++) cons_fill_entry(c, &a->entries[i], &topics[i], &parts[i]);
    m.session_id = a->session_id;
    m.error_code = a->code;
    m.throttle_ms = a->throttle_ms;
    m.topics = (struct sl_array){topics, a->count};
    m.node_endpoints = (struct sl_array){a->endpoints, a->endpoint_count};
    host_reply(c->h, &fetch->r, &m);
    free(a);
}
static inline void cons_reply(struct cons *c, const struct cons_fetch *fetch,
                              struct cons_answer *a) {
    cons_send(c, fetch, a);
    cons_turn(c);
}

/* The first, full Fetch of a session lists these partitions of "t" at that offset, and is answered
 * without data under that session id. */
static inline void cons_open_session(struct cons *c, int32_t count, int64_t offset, int32_t id) {
    struct cons_fetch fetch = cons_next(c);
    struct cons_answer *a = cons_answer(id);
    assert_int_equal(fetch.epoch, 0);
    assert_int_equal(fetch.count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(fetch.parts[i].offset, offset);
        cons_add(a, fetch.parts[i].partition, 0, 1000);
    }
    cons_advance(c, 100); /* a broker waits */
    cons_reply(c, &fetch, a);
}

/* ---- common scenes ---- */

/* Partitions 0 … count-1 of "t" assigned at 0, with the session 77 open; the next Fetch waits. */
static inline void cons_open(struct cons *c, int32_t count) {
    cons_start(c);
    cons_assign(c, count, 0);
    cons_turn(c);
    cons_open_session(c, count, 0, 77);
}
/* The Fetch that waits is answered with one batch, or one code. */
static inline void cons_reply_batch(struct cons *c, int32_t partition, int64_t base) {
    struct cons_fetch fetch = cons_next(c);
    struct cons_answer *a = cons_answer(77);
    cons_add_batch(a, partition, base);
    cons_reply(c, &fetch, a);
}
static inline void cons_reply_code(struct cons *c, int32_t partition, int16_t code) {
    struct cons_fetch fetch = cons_next(c);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, partition, code, -1);
    cons_reply(c, &fetch, a);
}

/* ---- ListOffsets ---- */

struct cons_lookup {
    struct host_request r;
    struct cons_part parts[CONS_PARTS]; /* offset: the timestamp */
    int count;
};
static inline struct cons_lookup cons_next_lookup(struct cons *c) {
    struct cons_lookup out = {.r = host_next_request(c->h, SL_API_LIST_OFFSETS)};
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_list_offsets_request *m = host_decode(&out.r, &arena);
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_list_offsets_topic *topic =
            (const struct sl_list_offsets_topic *)m->topics.items + t;
        const struct sl_list_offsets_partition *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            assert_true(out.count < CONS_PARTS);
            struct cons_part *part = &out.parts[out.count++];
            cons_name(part->topic, topic->name);
            part->partition = p[i].partition;
            part->offset = p[i].timestamp;
            part->leader_epoch = p[i].current_leader_epoch;
        }
    }
    sl_arena_deinit(&arena);
    return out;
}
struct cons_found {
    int16_t code;
    int64_t offset;
    bool omit;
};
/* The i-th partition asked for is answered with found[i], in another order than asked. */
static inline struct sl_array
cons_lookup_entries(const struct cons_lookup *lookup, const struct cons_found *found,
                    struct sl_list_offsets_topic_response *topics,
                    struct sl_list_offsets_partition_response *parts) {
    int32_t count = 0;
    for (int i = lookup->count - 1; i >= 0; i--) {
        if (found[i].omit) continue;
        topics[count].name = sl_bytes_str(lookup->parts[i].topic);
        topics[count].partitions = (struct sl_array){&parts[count], 1};
        parts[count] =
            (struct sl_list_offsets_partition_response){.partition = lookup->parts[i].partition,
                                                        .error_code = found[i].code,
                                                        .timestamp = -1,
                                                        .offset = found[i].offset,
                                                        .leader_epoch = -1};
        count++;
    }
    return (struct sl_array){topics, count};
}
static inline void cons_reply_lookup(struct cons *c, const struct cons_lookup *lookup,
                                     const struct cons_found *found) {
    static struct sl_list_offsets_topic_response topics[CONS_PARTS];
    static struct sl_list_offsets_partition_response parts[CONS_PARTS];
    struct sl_list_offsets_response m;
    sl_codec_defaults(&sl_list_offsets_response_type, &m);
    m.topics = cons_lookup_entries(lookup, found, topics, parts);
    host_reply(c->h, &lookup->r, &m);
    cons_turn(c);
}
/* The look-up that waits, of one partition, is answered so. */
static inline void cons_found_one(struct cons *c, int16_t code, int64_t offset) {
    struct cons_lookup lookup = cons_next_lookup(c);
    assert_int_equal(lookup.count, 1);
    cons_reply_lookup(c, &lookup, &(struct cons_found){code, offset, false});
}
static inline int cons_waiting_lookups(const struct cons *c) {
    return host_count_requests(c->h, SL_API_LIST_OFFSETS);
}

#endif
