/* A client for tests of the bundled broker: links to its nodes in virtual time, requests encoded
 * with the wire tables, answers decoded with them. Nothing happens but in client_turn and what
 * calls it; every turn checks all invariants of the machine, and that it does not spin. Requests,
 * answers and what they point to live until client_end. */
#ifndef SL_TEST_BROKER_CLIENT_H
#define SL_TEST_BROKER_CLIENT_H

#include "support.h"

#include "broker/machine.h"
#include "record/batch_read.h"
#include "record/batch_write.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/frame.h"
#include "wire/messages.h"

enum { CLIENT_LINKS = 80, CLIENT_ASKED = 256, CLIENT_BATCH = 8192 };
#define CLIENT_MS INT64_C(1000000)

/* A request that an answer is expected for. */
struct client_asked {
    const struct sl_api *api;
    int16_t version;
    int32_t correlation;
};
struct client_link {
    uint32_t id;
    int32_t node;
    bool open;   /* neither side has closed it */
    bool abrupt; /* how the broker closed it */
    bool stuck;  /* the client reads nothing: answers stay unsent */
    uint8_t *in; /* what the broker sent and was not taken yet */
    size_t size, cap;
    struct client_asked asked[CLIENT_ASKED]; /* in order; [taken, asked_count) have no answer yet */
    int taken, asked_count;
};
struct client {
    struct test_memory memory; /* the broker's */
    struct sl_broker_options options;
    struct sl_broker_cluster *broker;
    struct sl_arena arena; /* the client's own */
    int64_t now;           /* nanoseconds */
    int32_t correlation;
    struct client_link links[CLIENT_LINKS];
    int link_count;
    int32_t state_node; /* of the last STATE output */
    enum sl_broker_state state;
};

/* ---- life ---- */

/* Sets everything up but the broker; the options may still be changed. */
static inline struct client *client_prepare(int32_t nodes) {
    struct client *c = calloc(1, sizeof *c);
    assert_non_null(c);
    test_memory_init(&c->memory);
    sl_broker_options_init(&c->options);
    c->options.nodes = nodes;
    sl_arena_init(&c->arena, sl_alloc_default(), 0);
    c->now = 1000 * CLIENT_MS;
    return c;
}
static inline void client_create(struct client *c) {
    assert_int_equal(sl_broker_create(&c->options, &c->memory.alloc, 7, &c->broker), 0);
    sl_broker_on_time(c->broker, c->now, c->now / CLIENT_MS);
}
/* Nodes, and a topic "t" of that many partitions on them (0: none). */
static inline struct client *client_start(int32_t nodes, int32_t partitions) {
    struct client *c = client_prepare(nodes);
    client_create(c);
    if (partitions > 0)
        assert_int_equal(sl_broker_create_topic(c->broker, "t", partitions, nodes), 0);
    return c;
}
/* Nodes, and "t" of one partition that node 1 alone has. */
static inline struct client *client_start_alone(int32_t nodes) {
    struct client *c = client_start(nodes, 0);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1), 0);
    return c;
}
static inline void client_end(struct client *c) {
    sl_broker_destroy(c->broker);
    test_memory_check(&c->memory);
    for (int i = 0; i < c->link_count; i++) free(c->links[i].in);
    sl_arena_deinit(&c->arena);
    free(c);
}

/* ---- turns ---- */

static inline struct client_link *client_link_of(struct client *c, uint32_t id) {
    for (int i = 0; i < c->link_count; i++)
        if (c->links[i].id == id) return &c->links[i];
    fail_msg("an output names link %u, which the broker never gave", id);
    return NULL;
}

/* Takes up to `most` bytes that the broker wants to send; returns how many. */
static inline size_t client_read(struct client *c, struct client_link *l, size_t most) {
    struct sl_iov pieces[3];
    size_t taken = 0, count;
    while (taken < most && (count = sl_broker_send_pieces(c->broker, l->id, pieces, 3)) > 0) {
        size_t sent = 0;
        for (size_t i = 0; i < count && taken < most; i++) {
            size_t part = pieces[i].size < most - taken ? pieces[i].size : most - taken;
            assert_true(part > 0);
            if (l->cap < l->size + part) {
                l->cap = (l->size + part) * 2;
                l->in = realloc(l->in, l->cap);
                assert_non_null(l->in);
            }
            memcpy(l->in + l->size, pieces[i].data, part);
            l->size += part;
            sent += part;
            taken += part;
        }
        sl_broker_on_sent(c->broker, l->id, sent);
        sl_broker_check(c->broker);
    }
    return taken;
}

static inline int client_drain(struct client *c) {
    struct sl_broker_output out;
    int count = 0;
    for (; sl_broker_next_output(c->broker, &out); count++) {
        if (out.kind == SL_BROKER_STATE) {
            c->state_node = out.node;
            c->state = out.state;
            continue;
        }
        struct client_link *l = client_link_of(c, out.link);
        assert_true(l->open);
        assert_int_equal(l->node, out.node);
        if (out.kind == SL_BROKER_SEND && !l->stuck) (void)client_read(c, l, SIZE_MAX);
        if (out.kind != SL_BROKER_CLOSE) continue;
        l->open = false;
        l->abrupt = out.abrupt;
    }
    return count;
}

/* Until the broker has nothing more to do now. */
static inline void client_turn(struct client *c) {
    int rounds = 0;
    do {
        if (++rounds > 100) fail_msg("the broker spins");
        sl_broker_on_time(c->broker, c->now, c->now / CLIENT_MS);
        sl_broker_run(c->broker);
        sl_broker_check(c->broker);
    } while (client_drain(c) > 0 || sl_broker_deadline(c->broker) <= c->now);
}

/* Lets time pass, deadline by deadline. */
static inline void client_advance(struct client *c, int64_t ms) {
    int64_t end = c->now + ms * CLIENT_MS;
    client_turn(c);
    while (sl_broker_deadline(c->broker) <= end) {
        c->now = sl_broker_deadline(c->broker);
        client_turn(c);
    }
    c->now = end;
    client_turn(c);
}

/* ---- links ---- */

static inline struct client_link *client_connect(struct client *c, int32_t node) {
    assert_true(c->link_count < CLIENT_LINKS);
    struct client_link *l = &c->links[c->link_count++];
    assert_int_equal(sl_broker_on_accepted(c->broker, node, &l->id), 0);
    l->node = node;
    l->open = true;
    return l;
}
/* The client closes it. */
static inline void client_close(struct client *c, struct client_link *l) {
    l->open = false;
    sl_broker_on_closed(c->broker, l->id);
    client_turn(c);
}
static inline void client_feed(struct client *c, struct client_link *l, const void *data,
                               size_t size) {
    sl_broker_on_received(c->broker, l->id, data, size);
    sl_broker_check(c->broker);
}

/* ---- requests ---- */

/* The type of the items of an array field. */
static inline const struct sl_type *client_item_type(const struct sl_type *type, const char *name) {
    for (uint16_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0) return type->fields[i].item;
    fail_msg("%s has no field %s", type->name, name);
    return NULL;
}

/* The frame of a request, in the arena. */
static inline uint8_t *client_frame(struct client *c, int16_t key, int16_t version,
                                    int32_t correlation, const void *message, size_t *size) {
    struct sl_writer w;
    struct sl_encoder e = {.out = &w};
    sl_writer_init(&w, sl_alloc_default());
    assert_int_equal(sl_frame_encode_request(&e, sl_api_find(key), version, correlation,
                                             SL_STR("test"), message),
                     0);
    uint8_t *frame = sl_arena_get(&c->arena, w.size);
    assert_non_null(frame);
    memcpy(frame, w.data, w.size);
    *size = w.size;
    sl_writer_deinit(&w);
    return frame;
}
/* Remembers that an answer is to come; returns the correlation id for its request. */
static inline int32_t client_expect(struct client *c, struct client_link *l, int16_t key,
                                    int16_t version) {
    assert_true(l->asked_count < CLIENT_ASKED);
    l->asked[l->asked_count++] = (struct client_asked){sl_api_find(key), version, ++c->correlation};
    return c->correlation;
}
/* Feeds a request, and lets nothing else happen. */
static inline void client_put(struct client *c, struct client_link *l, int16_t key, int16_t version,
                              const void *message) {
    size_t size;
    int32_t correlation = client_expect(c, l, key, version);
    const uint8_t *frame = client_frame(c, key, version, correlation, message, &size);
    client_feed(c, l, frame, size);
}
static inline void client_send(struct client *c, struct client_link *l, int16_t key,
                               int16_t version, const void *message) {
    client_put(c, l, key, version, message);
    client_turn(c);
}

/* ---- answers ---- */

static inline bool client_has_answer(const struct client_link *l) {
    return l->size >= SL_FRAME_PREFIX && l->size >= SL_FRAME_PREFIX + sl_bytes_get32(l->in);
}
/* Decodes the next answer, which has to be that of the oldest request, and returns what the
 * decoder says; *out is the message. */
static inline int client_decode(struct client *c, struct client_link *l, void **out) {
    assert_true(client_has_answer(l));
    assert_true(l->taken < l->asked_count);
    const struct client_asked *asked = &l->asked[l->taken++];
    size_t size = sl_bytes_get32(l->in);
    uint8_t *frame = sl_arena_get(&c->arena, size);
    assert_non_null(frame);
    memcpy(frame, l->in + SL_FRAME_PREFIX, size);
    l->size -= SL_FRAME_PREFIX + size;
    memmove(l->in, l->in + SL_FRAME_PREFIX + size, l->size);
    struct sl_reader r;
    int32_t correlation;
    sl_reader_init(&r, frame, size);
    assert_int_equal(sl_frame_decode_response_header(&r, asked->api, asked->version, &correlation),
                     0);
    assert_int_equal(correlation, asked->correlation);
    *out = sl_arena_get(&c->arena, asked->api->response->size);
    return sl_frame_decode_response(&r, &c->arena, asked->api, asked->version, *out);
}
static inline void *client_take(struct client *c, struct client_link *l) {
    void *message;
    assert_int_equal(client_decode(c, l, &message), 0);
    return message;
}
static inline void *client_ask(struct client *c, struct client_link *l, int16_t key,
                               int16_t version, const void *message) {
    client_send(c, l, key, version, message);
    if (!client_has_answer(l)) fail_msg("no answer: %s", sl_broker_complaint(c->broker));
    return client_take(c, l);
}
/* The item at index of an array that is that long at least. */
static inline const void *client_item(const struct sl_array *array, int32_t index, size_t size) {
    assert_in_range(index, 0, array->count - 1);
    return (const char *)array->items + (size_t)index * size;
}

/* ---- topics ---- */

static inline struct sl_uuid client_topic_id(const struct client *c, const char *topic) {
    const struct sl_cluster_topic *t = sl_cluster_find(&c->broker->cluster, sl_bytes_str(topic));
    struct sl_uuid none = {{0}};
    return t == NULL ? none : t->id;
}
static inline struct sl_broker_log_view client_log(const struct client *c, const char *topic,
                                                   int32_t partition) {
    struct sl_broker_log_view view;
    assert_int_equal(sl_broker_log(c->broker, topic, partition, &view), 0);
    return view;
}

/* ---- batches ---- */

/* What a batch is made of; client_build fills data and size. */
struct client_batch {
    int32_t count;       /* of records */
    int32_t value_size;  /* of each */
    int64_t timestamp;   /* of the first record */
    int64_t step;        /* from record to record */
    int64_t producer_id; /* -1: none */
    int16_t epoch;       /* -1: none */
    int32_t sequence;    /* -1: none */
    uint16_t attributes; /* as given; records are never compressed */
    uint8_t data[CLIENT_BATCH];
    size_t size;
};
static inline void client_batch_init(struct client_batch *b, int32_t count) {
    memset(b, 0, sizeof *b);
    b->count = count;
    b->value_size = 10;
    b->timestamp = 1000;
    b->step = 1;
    b->producer_id = -1;
    b->epoch = -1;
    b->sequence = -1;
}
static inline void client_build(struct client_batch *b) {
    static const uint8_t filler[CLIENT_BATCH];
    int64_t max = b->timestamp;
    b->size = SL_RECORD_HEADER_SIZE;
    for (int32_t i = 0; i < b->count; i++) {
        struct sl_record_in r = {.key_size = -1, .value = filler, .value_size = b->value_size};
        int64_t delta = i * b->step;
        if (b->timestamp + delta > max) max = b->timestamp + delta;
        assert_true(b->size + sl_batch_write_size(&r, delta, i) <= sizeof b->data);
        b->size += sl_batch_write_record(b->data + b->size, &r, delta, i);
    }
    struct sl_batch_summary s = {.base_timestamp = b->timestamp,
                                 .max_timestamp = max,
                                 .producer_id = b->producer_id,
                                 .producer_epoch = b->epoch,
                                 .base_sequence = b->sequence,
                                 .count = b->count,
                                 .attributes = b->attributes};
    struct sl_iov records = {b->data + SL_RECORD_HEADER_SIZE, b->size - SL_RECORD_HEADER_SIZE};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_header(b->data, &s, &sum);
}
/* Appends a plain batch of count records behind the broker's back; returns its base offset. */
static inline int64_t client_append(struct client *c, const char *topic, int32_t partition,
                                    int32_t count) {
    struct client_batch b;
    int64_t offset;
    client_batch_init(&b, count);
    client_build(&b);
    assert_int_equal(sl_broker_log_append(c->broker, topic, partition, b.data, b.size, &offset), 0);
    return offset;
}

/* ---- Produce ---- */

/* Encodes a Produce of one batch and feeds it, without a turn. */
static inline void client_put_produce(struct client *c, struct client_link *l, int16_t version,
                                      int16_t acks, const char *topic, int32_t partition,
                                      const struct client_batch *b) {
    struct sl_produce_request request;
    struct sl_produce_topic t;
    struct sl_produce_partition p;
    const struct sl_type *topic_type = client_item_type(&sl_produce_request_type, "topics");
    sl_codec_defaults(&sl_produce_request_type, &request);
    sl_codec_defaults(topic_type, &t);
    sl_codec_defaults(client_item_type(topic_type, "partitions"), &p);
    p.partition = partition;
    p.records = (struct sl_records){.data = b->data, .size = (int32_t)b->size};
    t.name = sl_bytes_str(topic);
    t.topic_id = client_topic_id(c, topic);
    t.partitions = (struct sl_array){&p, 1};
    request.acks = acks;
    request.timeout_ms = 1000;
    request.topics = (struct sl_array){&t, 1};
    if (acks != 0) {
        client_put(c, l, SL_API_PRODUCE, version, &request);
        return;
    }
    size_t size;
    uint8_t *frame = client_frame(c, SL_API_PRODUCE, version, ++c->correlation, &request, &size);
    client_feed(c, l, frame, size);
}
static inline const struct sl_produce_partition_response *
client_produced(const struct sl_produce_response *m) {
    const struct sl_produce_topic_response *t =
        client_item(&m->topics, 0, sizeof(struct sl_produce_topic_response));
    return client_item(&t->partitions, 0, sizeof(struct sl_produce_partition_response));
}
static inline const struct sl_produce_partition_response *
client_produce(struct client *c, struct client_link *l, int16_t version, const char *topic,
               int32_t partition, const struct client_batch *b) {
    client_put_produce(c, l, version, -1, topic, partition, b);
    client_turn(c);
    return client_produced(client_take(c, l));
}

/* ---- Fetch ---- */

enum { CLIENT_PARTS = 8 };
struct client_part {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int32_t max_bytes; /* 0: 1 MiB */
    bool forget;       /* it leaves the session */
    bool knows_epoch;  /* leader_epoch is the one the client believes in */
    int32_t leader_epoch;
    bool knows_last; /* last_epoch is the one of the record before offset */
    int32_t last_epoch;
    struct sl_uuid id; /* zero: the one that the topic has now */
};
struct client_fetch {
    int16_t version;
    int32_t wait_ms, min_bytes;
    int32_t max_bytes; /* 0: 50 MiB */
    int32_t session_id, session_epoch;
    const char *rack; /* NULL: none */
    int count;
    struct client_part parts[CLIENT_PARTS];
};
/* Without a session, from offset 0 of one partition, waiting for a byte. */
static inline struct client_fetch client_fetch_one(int16_t version, const char *topic,
                                                   int32_t partition, int32_t wait_ms) {
    struct client_fetch f = {.version = version, .wait_ms = wait_ms, .min_bytes = 1};
    f.session_epoch = -1;
    f.count = 1;
    f.parts[0] = (struct client_part){.topic = topic, .partition = partition};
    return f;
}
static inline void client_put_fetch(struct client *c, struct client_link *l,
                                    const struct client_fetch *f) {
    struct sl_fetch_request request;
    struct sl_fetch_topic topics[CLIENT_PARTS];
    struct sl_fetch_partition parts[CLIENT_PARTS];
    struct sl_fetch_forgotten_topic forgotten[CLIENT_PARTS];
    int32_t numbers[CLIENT_PARTS];
    const struct sl_type *type = &sl_fetch_request_type;
    const struct sl_type *topic_type = client_item_type(type, "topics");
    sl_codec_defaults(type, &request);
    request.max_wait_ms = f->wait_ms;
    request.min_bytes = f->min_bytes;
    request.max_bytes = f->max_bytes == 0 ? 50 << 20 : f->max_bytes;
    request.session_id = f->session_id;
    if (f->rack != NULL) request.rack_id = sl_bytes_str(f->rack);
    request.session_epoch = f->session_epoch;
    int32_t listed = 0, gone = 0;
    for (int i = 0; i < f->count; i++) {
        const struct client_part *from = &f->parts[i];
        struct sl_uuid id = from->id;
        if (sl_bytes_uuid_is_zero(&id)) id = client_topic_id(c, from->topic);
        if (from->forget) {
            numbers[gone] = from->partition;
            sl_codec_defaults(client_item_type(type, "forgotten_topics"), &forgotten[gone]);
            forgotten[gone].name = sl_bytes_str(from->topic);
            forgotten[gone].topic_id = id;
            forgotten[gone].partitions = (struct sl_array){&numbers[gone], 1};
            gone++;
            continue;
        }
        struct sl_fetch_partition *p = &parts[listed];
        sl_codec_defaults(client_item_type(topic_type, "partitions"), p);
        p->partition = from->partition;
        p->fetch_offset = from->offset;
        p->partition_max_bytes = from->max_bytes == 0 ? 1 << 20 : from->max_bytes;
        p->current_leader_epoch = from->knows_epoch ? from->leader_epoch : -1;
        p->last_fetched_epoch = from->knows_last ? from->last_epoch : -1;
        sl_codec_defaults(topic_type, &topics[listed]);
        topics[listed].name = sl_bytes_str(from->topic);
        topics[listed].topic_id = id;
        topics[listed].partitions = (struct sl_array){p, 1};
        listed++;
    }
    request.topics = (struct sl_array){topics, listed};
    request.forgotten_topics = (struct sl_array){forgotten, gone};
    client_put(c, l, SL_API_FETCH, f->version, &request);
}
static inline const struct sl_fetch_response *client_fetch(struct client *c, struct client_link *l,
                                                           const struct client_fetch *f) {
    client_put_fetch(c, l, f);
    client_turn(c);
    if (!client_has_answer(l)) fail_msg("no answer: %s", sl_broker_complaint(c->broker));
    return client_take(c, l);
}
/* The index-th partition of an answer: every one stands in a topic entry of its own. */
static inline const struct sl_fetch_partition_response *
client_fetched(const struct sl_fetch_response *m, int32_t index) {
    const struct sl_fetch_topic_response *t =
        client_item(&m->topics, index, sizeof(struct sl_fetch_topic_response));
    assert_int_equal(t->partitions.count, 1);
    return client_item(&t->partitions, 0, sizeof(struct sl_fetch_partition_response));
}
/* Whole batches in what was fetched, each with a right CRC. */
static inline int client_count_batches(const struct sl_fetch_partition_response *p) {
    struct sl_batch_info info;
    int count = 0;
    for (size_t at = 0; p->records.size > 0 && at < (size_t)p->records.size; count++) {
        const uint8_t *data = p->records.data + at;
        assert_int_equal(sl_batch_read_info(data, (size_t)p->records.size - at, &info), 0);
        assert_int_equal(sl_batch_read_check(data, &info), 0);
        at += (size_t)info.size;
    }
    return count;
}

/* ---- Metadata ---- */

/* Of one topic by name; create: it may be made. */
static inline const struct sl_metadata_response *client_metadata(struct client *c,
                                                                 struct client_link *l,
                                                                 int16_t version, const char *topic,
                                                                 bool create) {
    struct sl_metadata_request request;
    struct sl_metadata_topic t;
    sl_codec_defaults(&sl_metadata_request_type, &request);
    sl_codec_defaults(client_item_type(&sl_metadata_request_type, "topics"), &t);
    t.name = sl_bytes_str(topic);
    request.topics = (struct sl_array){&t, 1};
    request.allow_auto_topic_creation = create;
    return client_ask(c, l, SL_API_METADATA, version, &request);
}
static inline const struct sl_metadata_topic_response *
client_described(const struct sl_metadata_response *m, int32_t index) {
    return client_item(&m->topics, index, sizeof(struct sl_metadata_topic_response));
}
static inline const struct sl_metadata_partition_response *
client_described_partition(const struct sl_metadata_topic_response *t, int32_t index) {
    return client_item(&t->partitions, index, sizeof(struct sl_metadata_partition_response));
}

/* ---- faults ---- */

/* A fault of a kind on an API, of every node, topic and partition, that happens once. */
static inline struct sl_fault client_fault_of(enum sl_fault_kind kind, int16_t api) {
    struct sl_fault f;
    memset(&f, 0, sizeof f);
    f.kind = kind;
    f.api = api;
    f.partition = -1;
    f.times = 1;
    return f;
}
static inline int32_t client_fault(struct client *c, const struct sl_fault *fault) {
    int32_t id;
    assert_int_equal(sl_broker_fault(c->broker, fault, &id), 0);
    return id;
}

#endif
