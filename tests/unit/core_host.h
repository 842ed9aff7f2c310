/* A host for tests of the core: virtual time, connections that are byte queues, and a peer that is
 * scripted. Nothing happens but in host_turn and host_advance. By itself the host resolves every
 * name to one address, accepts every connection, answers ApiVersions with all that the library
 * speaks and Metadata from `nodes` and `topics`; a test switches off or overrides what it is about.
 * Every turn checks all invariants of the core, and that the core does not spin. */
#ifndef SL_TEST_CORE_HOST_H
#define SL_TEST_CORE_HOST_H

#include "support.h"

#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/frame.h"
#include "wire/messages.h"

enum { HOST_CONNS = 400, HOST_NODES = 4, HOST_TOPICS = 6, HOST_REQUESTS = 400 };

struct host;
struct host_conn {
    uint32_t link;
    struct sl_address address;
    char host[64];
    uint16_t port;
    bool open; /* the host has it: not closed by either side */
    bool connected;
    size_t sent_size; /* bytes of `sent` */
    uint8_t *sent;    /* what the core sent and no frame has been taken from yet */
    size_t sent_cap;
};
/* One request that arrived whole. */
struct host_request {
    struct host_conn *conn;
    struct sl_request_header header;
    int64_t at;
    uint8_t *body; /* owned */
    size_t size;
    int index;  /* in host.requests */
    bool taken; /* by the test */
    bool replied;
    bool automatic; /* the host answers it by itself, after those before it */
};
struct host_node {
    int32_t id;
    const char *host;
    int32_t port;
};
struct host_topic {
    const char *name;
    uint8_t id; /* all bytes of the uuid */
    int16_t code;
    int32_t partition_count;
    int32_t leader;
    int32_t leader_epoch;
};
struct host {
    struct test_memory memory;
    struct sl_settings settings;
    struct sl_endpoint seeds[3];
    struct sl_core *core;
    struct sl_events events; /* everything the core has told so far */
    int64_t now;
    struct host_conn conns[HOST_CONNS];
    int conn_count;
    struct host_request requests[HOST_REQUESTS]; /* those not answered at once, in order */
    int request_count;
    int frames; /* requests that arrived, ever */
    int turns;
    int opens, closes;
    uint64_t resolve_serial; /* of the last RESOLVE */
    int resolves;
    int errands;             /* how many were sent; the test answers them */
    struct sl_output errand; /* the last; its input is not valid any more */
    char resolve_host[64];
    bool hold_resolve, hold_open; /* the test answers these itself */
    bool hold_versions, hold_metadata;
    bool deaf;            /* no connection is accepted: all are refused */
    size_t send_cap;      /* bytes that a socket takes at a time; 0: no limit */
    bool again;           /* core had something to do on account of bytes that left */
    int16_t metadata_max; /* highest Metadata version that ApiVersions lists */
    int16_t produce_max;  /* of Produce, 0: the highest there is */
    int16_t offsets_max;  /* of OffsetCommit and OffsetFetch, the same */
    struct host_node nodes[HOST_NODES];
    const char *racks[HOST_NODES]; /* of the nodes; NULL: none */
    int node_count;
    struct host_topic topics[HOST_TOPICS];
    int32_t (*replicas)[2]; /* of each topic's partitions; NULL: none are told */
    int topic_count;
    uint64_t op_id;
    struct sl_list jobs; /* that core has asked for, in order; the test runs them */
};

/* ---- life ---- */

static inline void host_settings(struct sl_settings *s, enum sl_role role) {
    memset(s, 0, sizeof *s);
    s->role = role;
    s->client_id = (char *)(uintptr_t) "test";
    s->request_timeout_ms = 30000;
    s->default_api_timeout_ms = 60000;
    s->setup_timeout_ms = 10000;
    s->setup_timeout_max_ms = 30000;
    s->reconnect_backoff_ms = 50;
    s->reconnect_backoff_max_ms = 1000;
    s->retry_backoff_ms = 100;
    s->retry_backoff_max_ms = 1000;
    s->connections_max_idle_ms = 540000;
    s->metadata_max_age_ms = 300000;
    s->metadata_max_idle_ms = 300000;
    s->rebootstrap_trigger_ms = 300000;
    s->send_buffer_bytes = s->receive_buffer_bytes = -1;
    s->receive_frame_max = 100000000;
    s->auto_create_topics = true;
    s->acks = -1;
    s->idempotence = true;
    s->reports = SL_REPORTS_ALL;
    s->linger_ms = 5;
    s->batch_size = 16384;
    s->max_request_size = 1048576;
    s->buffer_memory = 33554432;
    s->delivery_timeout_ms = 120000;
    s->retries = INT32_MAX;
    s->max_in_flight = 5;
    s->adaptive_partitioning = true;
    s->offset_reset = SL_RESET_LATEST;
    s->check_crcs = true;
    s->fetch_min_bytes = 1;
    s->fetch_max_bytes = 52428800;
    s->fetch_partition_bytes = 1048576;
    s->fetch_max_wait_ms = 500;
    s->fetch_memory = 67108864;
    s->batch_decoded_max = 67108864;
    s->client_rack = (char *)(uintptr_t) "";
    s->group_id = s->group_instance_id = s->group_remote_assignor = (char *)(uintptr_t) "";
    s->group_protocol = SL_GROUP_PROTOCOL_CLASSIC;
    s->group_leave = SL_GROUP_LEAVE_AUTO;
    s->assignors = SL_ASSIGNOR_RANGE;
    s->session_timeout_ms = 45000;
    s->heartbeat_interval_ms = 3000;
    s->max_poll_interval_ms = 300000;
    s->rebalance_hold_ms = 30000;
    s->auto_commit_ms = 5000;
}

/* Sets everything up but the core. */
static inline void host_prepare(struct host *h, enum sl_role role) {
    memset(h, 0, sizeof *h);
    test_memory_init(&h->memory);
    host_settings(&h->settings, role);
    h->seeds[0] = (struct sl_endpoint){(char *)(uintptr_t) "b1", 9092};
    h->settings.bootstrap = h->seeds;
    h->settings.bootstrap_count = 1;
    h->metadata_max = 13;
    h->nodes[0] = (struct host_node){1, "b1", 9092};
    h->node_count = 1;
    h->now = INT64_C(1000000000);
    sl_events_init(&h->events);
    sl_list_init(&h->jobs);
}

static inline int host_create(struct host *h) {
    int rv = sl_core_create(&h->settings, &h->memory.alloc, 42, &h->core);
    if (rv == 0) sl_core_on_time(h->core, h->now, 0);
    return rv;
}

static inline struct host *host_start(enum sl_role role) {
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, role);
    assert_int_equal(host_create(h), 0);
    return h;
}

/* Frees the core and asserts that nothing leaks. */
static inline void host_end(struct host *h) {
    sl_events_deinit(&h->events, &h->memory.alloc);
    if (h->core != NULL) sl_core_destroy(h->core);
    test_memory_check(&h->memory);
    for (int i = 0; i < h->conn_count; i++) free(h->conns[i].sent);
    for (int i = 0; i < h->request_count; i++) free(h->requests[i].body);
    free(h);
}

/* ---- bytes to the core ---- */

static inline struct host_conn *host_conn_of(struct host *h, uint32_t link) {
    for (int i = 0; i < h->conn_count; i++) {
        if (h->conns[i].link == link) return &h->conns[i];
    }
    fail_msg("no connection %u", link);
    return NULL;
}

/* The newest connection. */
static inline struct host_conn *host_last(struct host *h) {
    assert_true(h->conn_count > 0);
    return &h->conns[h->conn_count - 1];
}

/* Gives the bytes to the core, `step` at a time (0: as many as there is room for). */
static inline void host_feed_by(struct host *h, struct host_conn *conn, const void *data,
                                size_t size, size_t step) {
    const uint8_t *at = data;
    while (size > 0 && conn->open) {
        size_t room;
        uint8_t *p = sl_core_receive_room(h->core, conn->link, &room);
        if (room == 0) return;
        size_t part = room < size ? room : size;
        if (step != 0 && part > step) part = step;
        memcpy(p, at, part);
        sl_core_on_received(h->core, conn->link, part);
        at += part;
        size -= part;
    }
}
static inline void host_feed(struct host *h, struct host_conn *conn, const void *data,
                             size_t size) {
    host_feed_by(h, conn, data, size, 0);
}

/* Encodes an answer; free() the result. */
static inline uint8_t *host_encode(const struct sl_api *api, int16_t version, int32_t correlation,
                                   const void *message, size_t *size) {
    struct sl_writer writer;
    sl_writer_init(&writer, sl_alloc_default());
    struct sl_encoder encoder = {.out = &writer};
    assert_int_equal(sl_frame_encode_response(&encoder, api, version, correlation, message), 0);
    uint8_t *copy = malloc(writer.size);
    assert_non_null(copy);
    memcpy(copy, writer.data, writer.size);
    *size = writer.size;
    sl_writer_deinit(&writer);
    return copy;
}

static inline void host_reply_as(struct host *h, struct host_conn *conn, int16_t key,
                                 int16_t version, int32_t correlation, const void *message) {
    size_t size;
    uint8_t *frame = host_encode(sl_api_find(key), version, correlation, message, &size);
    host_feed(h, conn, frame, size);
    free(frame);
}
static inline void host_answer(struct host *h, const struct host_request *r);

/* Answers come in order, so those of the host wait for those of the test. */
static inline void host_answer_waiting(struct host *h, const struct host_conn *conn) {
    for (int i = 0; i < h->request_count; i++) {
        struct host_request *r = &h->requests[i];
        if (r->conn != conn || r->replied) continue;
        if (!r->automatic || !conn->open) return;
        r->replied = true;
        host_answer(h, r);
    }
}
static inline void host_reply(struct host *h, const struct host_request *r, const void *message) {
    if (r->index >= 0) h->requests[r->index].replied = true;
    host_reply_as(h, r->conn, r->header.key, r->header.version, r->header.correlation, message);
    if (r->index >= 0 && !r->automatic) host_answer_waiting(h, r->conn);
}

/* The peer ends the connection. */
static inline void host_cut(struct host *h, struct host_conn *conn, const char *text) {
    conn->open = false;
    sl_core_on_closed(h->core, conn->link, SLUICE_ERR_UNREACHABLE, text);
}

/* ---- answers of its own ---- */

static inline void host_answer_versions(struct host *h, const struct host_request *r) {
    struct sl_api_versions_range ranges[32];
    int32_t count = 0;
    for (int i = 0; sl_api_at(i) != NULL; i++) {
        const struct sl_api *api = sl_api_at(i);
        int16_t max = api->key == SL_API_METADATA ? h->metadata_max : api->broker_max;
        if (api->key == SL_API_PRODUCE && h->produce_max != 0) max = h->produce_max;
        bool is_offsets = api->key == SL_API_OFFSET_COMMIT || api->key == SL_API_OFFSET_FETCH;
        if (is_offsets && h->offsets_max != 0) max = h->offsets_max;
        ranges[count++] = (struct sl_api_versions_range){api->key, api->broker_min, max};
    }
    struct sl_api_versions_response answer;
    sl_codec_defaults(&sl_api_versions_response_type, &answer);
    answer.api_keys = (struct sl_array){ranges, count};
    host_reply(h, r, &answer);
}

/* Metadata of one topic; items: room for its partitions. */
static inline void host_describe_topic(const struct host_topic *topic,
                                       struct sl_metadata_topic_response *out,
                                       struct sl_metadata_partition_response *items) {
    memset(out, 0, sizeof *out);
    out->authorized_operations = INT32_MIN;
    out->name = sl_bytes_str(topic->name);
    memset(out->topic_id.bytes, topic->id, sizeof out->topic_id.bytes);
    out->error_code = topic->code;
    for (int32_t i = 0; i < topic->partition_count; i++) {
        memset(&items[i], 0, sizeof items[i]);
        items[i].partition = i;
        items[i].leader_id = topic->leader;
        items[i].leader_epoch = topic->leader_epoch;
        if (topic->leader < 0) items[i].error_code = SLUICE_KAFKA_LEADER_NOT_AVAILABLE;
    }
    out->partitions = (struct sl_array){items, topic->partition_count};
}

static inline const struct host_topic *host_find_topic(const struct host *h, struct sl_str name) {
    for (int i = 0; i < h->topic_count; i++) {
        if (sl_bytes_str_equal(sl_bytes_str(h->topics[i].name), name)) return &h->topics[i];
    }
    return NULL;
}

/* By name, or by id where there is none. */
static inline const struct host_topic *host_find_asked(const struct host *h,
                                                       const struct sl_metadata_topic *asked) {
    if (asked->name.size >= 0) return host_find_topic(h, asked->name);
    for (int i = 0; i < h->topic_count; i++) {
        if (h->topics[i].id == asked->topic_id.bytes[0]) return &h->topics[i];
    }
    return NULL;
}

/* Decodes the body of a request; memory from the arena. */
static inline void *host_decode(const struct host_request *r, struct sl_arena *arena) {
    const struct sl_api *api = sl_api_find(r->header.key);
    struct sl_reader reader;
    sl_reader_init(&reader, r->body, r->size);
    void *message = sl_arena_get(arena, api->request->size);
    assert_non_null(message);
    assert_int_equal(sl_frame_decode_request(&reader, arena, api, r->header.version, message), 0);
    return message;
}

static inline void host_answer_metadata(struct host *h, const struct host_request *r) {
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_metadata_request *request = host_decode(r, &arena);
    const struct sl_metadata_topic *asked = request->topics.items;
    struct sl_metadata_broker brokers[HOST_NODES];
    for (int i = 0; i < h->node_count; i++) {
        memset(&brokers[i], 0, sizeof brokers[i]);
        brokers[i].rack = sl_bytes_str(h->racks[i]);
        brokers[i].node_id = h->nodes[i].id;
        brokers[i].host = sl_bytes_str(h->nodes[i].host);
        brokers[i].port = h->nodes[i].port;
    }
    int32_t count = request->topics.count < 0 ? h->topic_count : request->topics.count;
    struct sl_metadata_topic_response *topics =
        sl_arena_array(&arena, (size_t)count + 1, sizeof *topics);
    for (int32_t i = 0; i < count; i++) {
        bool all = request->topics.count < 0;
        const struct host_topic *topic = all ? &h->topics[i] : host_find_asked(h, &asked[i]);
        struct host_topic unknown = {.code = SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION};
        char name[256] = "";
        if (!all && asked[i].name.size > 0)
            memcpy(name, asked[i].name.data, (size_t)asked[i].name.size);
        char *copy = sl_arena_text(&arena, name, strlen(name));
        unknown.name = copy;
        if (topic == NULL) topic = &unknown;
        struct sl_metadata_partition_response *items =
            sl_arena_array(&arena, (size_t)topic->partition_count + 1, sizeof *items);
        host_describe_topic(topic, &topics[i], items);
        for (int32_t p = 0; h->replicas != NULL && p < topic->partition_count; p++)
            items[p].replica_nodes = (struct sl_array){h->replicas[p], 2};
    }
    struct sl_metadata_response answer;
    sl_codec_defaults(&sl_metadata_response_type, &answer);
    answer.brokers = (struct sl_array){brokers, h->node_count};
    answer.cluster_id = SL_STR("cluster");
    answer.controller_id = h->nodes[0].id;
    answer.topics = (struct sl_array){topics, count};
    host_reply(h, r, &answer);
    sl_arena_deinit(&arena);
}

static inline void host_answer(struct host *h, const struct host_request *r) {
    if (r->header.key == SL_API_API_VERSIONS) {
        host_answer_versions(h, r);
    } else {
        host_answer_metadata(h, r);
    }
}

/* ---- bytes from the core ---- */

static inline void host_take_request(struct host *h, struct host_conn *conn, const uint8_t *frame,
                                     size_t size) {
    struct host_request r = {.conn = conn, .at = h->now, .index = -1};
    struct sl_reader reader;
    sl_reader_init(&reader, frame + SL_FRAME_PREFIX, size - SL_FRAME_PREFIX);
    assert_int_equal(sl_frame_decode_request_header(&reader, &r.header), 0);
    assert_true(sl_bytes_str_equal(r.header.client_id, SL_STR("test")));
    r.size = sl_reader_left(&reader);
    r.body = malloc(r.size + 1);
    assert_non_null(r.body);
    memcpy(r.body, reader.at, r.size);
    h->frames++;
    r.automatic = (r.header.key == SL_API_API_VERSIONS && !h->hold_versions) ||
                  (r.header.key == SL_API_METADATA && !h->hold_metadata);
    bool is_next = true;
    for (int i = 0; i < h->request_count; i++) {
        if (h->requests[i].conn == conn && !h->requests[i].replied) is_next = false;
    }
    if (r.automatic && is_next) {
        host_answer(h, &r);
        free(r.body);
        return;
    }
    assert_true(h->request_count < HOST_REQUESTS);
    r.index = h->request_count;
    r.taken = r.automatic;
    h->requests[h->request_count++] = r;
}

static inline void host_take_frames(struct host *h, struct host_conn *conn) {
    while (conn->open && conn->sent_size >= SL_FRAME_PREFIX) {
        size_t size = sl_bytes_get32(conn->sent) + SL_FRAME_PREFIX;
        if (conn->sent_size < size) return;
        uint8_t *frame = malloc(size);
        assert_non_null(frame);
        memcpy(frame, conn->sent, size);
        conn->sent_size -= size;
        memmove(conn->sent, conn->sent + size, conn->sent_size);
        host_take_request(h, conn, frame, size);
        free(frame);
    }
}

/* Sends until the core has nothing more or the socket is full. */
static inline void host_send(struct host *h, struct host_conn *conn) {
    size_t left = h->send_cap == 0 ? SIZE_MAX : h->send_cap;
    struct sl_iov pieces[4];
    size_t count;
    while (left > 0 && (count = sl_core_send_pieces(h->core, conn->link, pieces, 4)) > 0) {
        size_t sent = 0;
        for (size_t i = 0; i < count && left > 0; i++) {
            size_t part = pieces[i].size < left ? pieces[i].size : left;
            if (conn->sent_cap < conn->sent_size + part) {
                conn->sent_cap = (conn->sent_size + part) * 2;
                conn->sent = realloc(conn->sent, conn->sent_cap);
                assert_non_null(conn->sent);
            }
            memcpy(conn->sent + conn->sent_size, pieces[i].data, part);
            conn->sent_size += part;
            sent += part;
            left -= part;
        }
        h->again |= sl_core_on_sent(h->core, conn->link, sent);
    }
    host_take_frames(h, conn);
}

/* ---- turns ---- */

static inline void host_resolve(struct host *h, int count) {
    struct sl_address addresses[8];
    memset(addresses, 0, sizeof addresses);
    for (int i = 0; i < count; i++) {
        addresses[i].ip_size = 4;
        addresses[i].ip[0] = 10;
        addresses[i].ip[3] = (uint8_t)(i + 1);
    }
    sl_core_on_resolved(h->core, h->resolve_serial, count > 0 ? 0 : SLUICE_ERR_UNREACHABLE,
                        "no such host", addresses, count);
}

static inline void host_take_open(struct host *h, const struct sl_output *output) {
    assert_true(h->conn_count < HOST_CONNS);
    struct host_conn *conn = &h->conns[h->conn_count++];
    conn->link = output->link;
    conn->address = output->address;
    snprintf(conn->host, sizeof conn->host, "%s", output->host);
    conn->port = output->port;
    conn->open = true;
    h->opens++;
    if (h->deaf) {
        host_cut(h, conn, "connection refused");
    } else if (!h->hold_open) {
        conn->connected = true;
        sl_core_on_opened(h->core, conn->link);
    }
}

/* Drains the outputs. Returns how many there were. */
static inline int host_drain(struct host *h) {
    int count = 0;
    struct sl_output output;
    while (sl_core_next_output(h->core, &output)) {
        count++;
        switch (output.kind) {
        case SL_OUTPUT_RESOLVE:
            h->resolves++;
            h->resolve_serial = output.serial;
            snprintf(h->resolve_host, sizeof h->resolve_host, "%s", output.host);
            if (!h->hold_resolve) host_resolve(h, 1);
            break;
        case SL_OUTPUT_OPEN:
            host_take_open(h, &output);
            break;
        case SL_OUTPUT_SEND:
            host_send(h, host_conn_of(h, output.link));
            break;
        case SL_OUTPUT_ERRAND:
            h->errands++;
            h->errand = output;
            break;
        case SL_OUTPUT_JOB:
            sl_list_push_back(&h->jobs, &output.job->node);
            break;
        case SL_OUTPUT_CLOSE:
            assert_true(host_conn_of(h, output.link)->open);
            host_conn_of(h, output.link)->open = false;
            h->closes++;
            break;
        }
    }
    struct sl_events events;
    sl_core_take_events(h->core, &events);
    sl_events_move(&h->events, &events);
    h->events.notice_count = 0;
    return count;
}

/* Turns until nothing is left to do now. */
static inline void host_turn(struct host *h) {
    for (int quiet = 0, rounds = 0; quiet < 3; rounds++) {
        if (rounds > 200) fail_msg("the core spins");
        sl_core_on_time(h->core, h->now, h->now / 1000000);
        sl_core_run(h->core);
        h->turns++;
        quiet = host_drain(h) == 0 ? quiet + 1 : 0;
        sl_core_check(h->core);
        if (quiet == 1 && sl_core_deadline(h->core) > h->now) break;
    }
    if (sl_core_deadline(h->core) <= h->now) fail_msg("a deadline that has passed stays");
}

/* Lets time pass, deadline by deadline. */
static inline void host_advance(struct host *h, int64_t ms) {
    int64_t end = h->now + ms * SL_MS;
    host_turn(h);
    while (sl_core_deadline(h->core) <= end) {
        h->now = sl_core_deadline(h->core);
        host_turn(h);
    }
    h->now = end;
    host_turn(h);
}

/* ---- commands and ops ---- */

/* An op with that deadline (ms from now, -1 none). The core owns it from the command on. */
static inline struct sl_op *host_op(struct host *h, int64_t timeout_ms) {
    struct sl_op *op;
    int64_t deadline = timeout_ms < 0 ? SL_NEVER : h->now + timeout_ms * SL_MS;
    assert_int_equal(sl_op_create(&h->memory.alloc, ++h->op_id, deadline, &op), 0);
    return op;
}

static inline struct sl_command *host_command_make(struct host *h, enum sl_command_kind kind,
                                                   struct sl_op *op, const char *topic) {
    struct sl_command *command;
    assert_int_equal(sl_command_create(&h->memory.alloc, kind, &command), 0);
    command->op = op;
    command->partitions = command->replicas = -1;
    if (topic != NULL) command->topic = sl_alloc_text(&h->memory.alloc, topic, strlen(topic));
    return command;
}

/* Posts a command with an op, and returns the op. */
static inline struct sl_op *host_ask(struct host *h, enum sl_command_kind kind, const char *topic,
                                     int64_t timeout_ms) {
    struct sl_op *op = host_op(h, timeout_ms);
    sl_core_on_command(h->core, host_command_make(h, kind, op, topic));
    return op;
}

/* Ready: metadata known, one connection. */
static inline void host_make_ready(struct host *h) {
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 10000);
    host_turn(h);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, 0);
}

/* The oldest request that waits for an answer of the test, taken; its body stays the host's. */
static inline struct host_request host_next_request(struct host *h, int16_t key) {
    for (int i = 0; i < h->request_count; i++) {
        if (h->requests[i].header.key != key || h->requests[i].taken) continue;
        h->requests[i].taken = true;
        return h->requests[i];
    }
    fail_msg("no request with key %d", key);
    return (struct host_request){0};
}
static inline int host_count_requests(const struct host *h, int16_t key) {
    int count = 0;
    for (int i = 0; i < h->request_count; i++) {
        if (h->requests[i].header.key == key && !h->requests[i].taken) count++;
    }
    return count;
}

static inline struct sl_link *host_link(struct host *h, int32_t broker, enum sl_purpose purpose) {
    struct sl_broker *b = sl_brokers_find(h->core, broker);
    assert_non_null(b);
    return b->links[purpose];
}

/* Whether some notice so far contains the text. */
static inline bool host_was_told(const struct host *h, const char *text) {
    SL_LIST_EACH(node, tmp, &h->events.notices) {
        if (strstr(SL_LIST_OF(node, struct sl_notice, node)->text, text) != NULL) return true;
    }
    return false;
}

#endif
