/* One request and its answer: decoded, hit by a fault perhaps, handled, encoded.
 *
 * A handler fills a response and knows nothing of frames, faults of the connection or waiting; it
 * asks sl_machine_forced what a scripted error wants for each topic and partition. A request that
 * waits keeps its exchange: a Fetch is asked again when something changed, and at its time; a
 * JoinGroup or SyncGroup when its group has answered. */
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "broker/machine.h"
#include "broker/replicas.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

enum {
    /* What a request and its response may take in memory: an entry of a few bytes on the wire
     * becomes a struct for the request and one for the response. */
    MACHINE_SWELLING = 16,
    MACHINE_SLACK =
        1024 * 1024 /* for answers that do not depend on the request, such as Metadata */
};

static const struct {
    int16_t key;
    sl_handler_fn handle;
} exchange_handlers[] = {
    {SL_API_PRODUCE, sl_handle_produce},
    {SL_API_FETCH, sl_handle_fetch},
    {SL_API_LIST_OFFSETS, sl_handle_list_offsets},
    {SL_API_METADATA, sl_handle_metadata},
    {SL_API_OFFSET_COMMIT, sl_handle_offset_commit},
    {SL_API_OFFSET_FETCH, sl_handle_offset_fetch},
    {SL_API_FIND_COORDINATOR, sl_handle_find_coordinator},
    {SL_API_JOIN_GROUP, sl_handle_join_group},
    {SL_API_HEARTBEAT, sl_handle_heartbeat},
    {SL_API_LEAVE_GROUP, sl_handle_leave_group},
    {SL_API_SYNC_GROUP, sl_handle_sync_group},
    {SL_API_DESCRIBE_GROUPS, sl_handle_describe_groups},
    {SL_API_LIST_GROUPS, sl_handle_list_groups},
    {SL_API_SASL_HANDSHAKE, sl_handle_sasl_handshake},
    {SL_API_API_VERSIONS, sl_handle_api_versions},
    {SL_API_CREATE_TOPICS, sl_handle_create_topics},
    {SL_API_DELETE_TOPICS, sl_handle_delete_topics},
    {SL_API_INIT_PRODUCER_ID, sl_handle_init_producer_id},
    {SL_API_OFFSET_FOR_LEADER_EPOCH, sl_handle_offset_for_leader_epoch},
    {SL_API_SASL_AUTHENTICATE, sl_handle_sasl_authenticate},
    {SL_API_DELETE_GROUPS, sl_handle_delete_groups},
    {SL_API_OFFSET_DELETE, sl_handle_offset_delete},
    {SL_API_CONSUMER_GROUP_HEARTBEAT, sl_handle_consumer_group_heartbeat},
    {SL_API_CONSUMER_GROUP_DESCRIBE, sl_handle_consumer_group_describe},
};

static sl_handler_fn find_handler(int16_t key) {
    for (size_t i = 0; i < sizeof exchange_handlers / sizeof exchange_handlers[0]; i++)
        if (exchange_handlers[i].key == key) return exchange_handlers[i].handle;
    return NULL;
}

static enum sl_handled call_handler(struct sl_exchange *x) {
    sl_handler_fn handle = find_handler(x->api->key);
    return handle != NULL ? handle(x) : SL_HANDLED_CLOSE;
}

/* ---- for handlers ---- */

bool sl_machine_serves(int16_t key) { return find_handler(key) != NULL; }

void sl_machine_complain(struct sl_broker_cluster *c, const char *format, ...) {
    struct sl_text t;
    va_list args;
    sl_text_init(&t, c->complaint, sizeof c->complaint);
    va_start(args, format);
    sl_text_vprintf(&t, format, args);
    va_end(args);
}

int sl_machine_forced(const struct sl_exchange *x, struct sl_str topic, int32_t partition,
                      bool *execute) {
    *execute = true;
    if (x->fault.kind != SL_FAULT_ERROR) return 0;
    if (!sl_faults_covers(&x->fault, topic, partition)) return 0;
    *execute = x->fault.executed;
    return x->fault.code;
}

struct sl_cluster_topic *sl_machine_topic(const struct sl_exchange *x, bool by_id,
                                          struct sl_str name, const struct sl_uuid *id, int *code) {
    struct sl_cluster_topic *topic =
        by_id ? sl_cluster_find_id(&x->c->cluster, id) : sl_cluster_find(&x->c->cluster, name);
    *code = topic != NULL ? 0
            : by_id       ? SLUICE_KAFKA_UNKNOWN_TOPIC_ID
                          : SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    return topic;
}

int sl_machine_judge_group(const struct sl_exchange *x, struct sl_str id, bool may_be_empty) {
    if (id.size < 0 || (id.size == 0 && !may_be_empty)) return SLUICE_KAFKA_INVALID_GROUP_ID;
    return sl_groups_judge(&x->c->groups, x->self, id);
}

void sl_machine_begin_wait(struct sl_exchange *x) {
    x->begun = true;
    x->until = INT64_MAX;
    x->wait.arena = &x->arena;
    x->wait.response = x->response;
    x->wait.version = x->header.version;
}

void sl_machine_delete_topic(struct sl_broker_cluster *c, struct sl_cluster_topic *topic) {
    sl_groups_on_topic_gone(&c->groups, sl_bytes_str(topic->name));
    sl_cluster_delete_topic(&c->cluster, topic);
}

bool sl_machine_array(struct sl_exchange *x, struct sl_array *out, int32_t count, size_t size) {
    out->count = count > 0 ? count : 0;
    out->items = sl_arena_array(&x->arena, (size_t)out->count, size);
    return !x->arena.failed;
}

bool sl_machine_endpoints(struct sl_exchange *x, struct sl_array *out) {
    struct sl_cluster *cluster = &x->c->cluster;
    int32_t count = 0;
    if (!sl_machine_array(x, out, cluster->node_count, sizeof(struct sl_node_endpoint)))
        return false;
    for (int32_t i = 0; i < cluster->node_count; i++) {
        struct sl_cluster_node *node = &cluster->nodes[i];
        if (!sl_cluster_is_alive(cluster, node->id)) continue;
        ((struct sl_node_endpoint *)out->items)[count++] = (struct sl_node_endpoint){
            node->id, sl_bytes_str(node->host), (int32_t)node->port, sl_replicas_rack(node)};
    }
    out->count = count;
    return true;
}

bool sl_machine_hold(struct sl_exchange *x, struct sl_log_batch *batch) {
    struct sl_answer *a = x->answer;
    if (a->held_count == a->held_cap) {
        size_t cap = a->held_cap == 0 ? 16 : a->held_cap * 2;
        struct sl_log_batch **held =
            sl_alloc_resize(x->c->alloc, a->held, a->held_cap, cap, sizeof *held);
        if (held == NULL) return false;
        a->held = held;
        a->held_cap = cap;
    }
    a->held[a->held_count++] = batch;
    sl_log_hold(batch);
    return true;
}

/* ---- life ---- */

void sl_machine_drop(struct sl_exchange *x) {
    if (x->link->waiting == x) x->link->waiting = NULL;
    sl_group_wait_forget(&x->wait);
    sl_list_remove(&x->node);
    sl_links_answer_destroy(x->c->alloc, x->answer);
    sl_arena_deinit(&x->arena);
    sl_alloc_free(x->c->alloc, x, sizeof *x);
}

static void close_exchange(struct sl_exchange *x, bool abrupt) {
    struct sl_machine_link *link = x->link;
    sl_machine_drop(x);
    sl_links_close(link, abrupt);
}

/* ---- answers ---- */

/* Partitions of a Fetch answer that have records: each is spliced in. */
static size_t count_records(const struct sl_exchange *x) {
    size_t count = 0;
    if (x->api->key != SL_API_FETCH) return 0;
    const struct sl_fetch_response *m = x->response;
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_fetch_topic_response *topic =
            (const struct sl_fetch_topic_response *)m->topics.items + t;
        const struct sl_fetch_partition_response *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++) count += p[i].records.size > 0;
    }
    return count;
}

static int encode_answer(struct sl_exchange *x) {
    struct sl_answer *a = x->answer;
    size_t wanted = count_records(x);
    struct sl_encoder e = {.out = &a->head};
    if (wanted > 0) {
        a->splices = sl_alloc_array(x->c->alloc, wanted, sizeof *a->splices);
        if (a->splices == NULL) return SLUICE_ERR_NOMEM;
        a->splice_cap = wanted;
        e.splices = a->splices;
        e.splice_cap = wanted;
    }
    int rv =
        sl_frame_encode_response(&e, x->api, x->header.version, x->header.correlation, x->response);
    a->splice_count = e.splice_count;
    a->size = a->head.size + e.splice_bytes;
    return rv;
}

/* The faults that take the answer away, whether there is one or not. */
static bool lose_answer(struct sl_exchange *x) {
    if (x->fault.kind == SL_FAULT_CUT_AFTER) {
        close_exchange(x, true);
        return true;
    }
    if (x->fault.kind != SL_FAULT_SILENT) return false;
    x->link->silent = true;
    sl_machine_drop(x);
    return true;
}

/* Nearly every answer has its throttle time at the top level. False: this one has none. */
static bool throttle_client(struct sl_exchange *x) {
    const struct sl_type *type = x->api->response;
    for (uint16_t i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (strcmp(f->name, "throttle_ms") != 0 || !sl_schema_has(f, x->header.version)) continue;
        memcpy((char *)x->response + f->offset, &x->fault.delay_ms, sizeof x->fault.delay_ms);
        x->link->muted_until = x->c->now + (int64_t)x->fault.delay_ms * SL_MACHINE_MILLISECOND;
        return true;
    }
    return false;
}

/* Lies and damage. A fault that finds nothing to spoil in this answer waits for the next one. */
static int encode_spoiled(struct sl_exchange *x) {
    bool is_spoiled = true;
    bool is_fetch = x->api->key == SL_API_FETCH;
    if (x->fault.kind == SL_FAULT_LIE) is_spoiled = sl_lies_tell(x, x->api->response, x->response);
    if (x->fault.kind == SL_FAULT_CORRUPT && is_fetch) is_spoiled = sl_damage_records(x);
    if (x->fault.kind == SL_FAULT_THROTTLE) is_spoiled = throttle_client(x);
    int rv = x->arena.failed || x->answer->memory.failed ? SLUICE_ERR_NOMEM : encode_answer(x);
    if (rv != 0) return rv;
    if (x->fault.kind == SL_FAULT_CORRUPT && !is_fetch) is_spoiled = sl_damage_end(x);
    if (x->fault.kind == SL_FAULT_HOSTILE) is_spoiled = sl_damage_harm(x);
    if (!is_spoiled) sl_faults_spare(&x->c->faults, x->fault_id);
    return 0;
}

static void send_answer(struct sl_exchange *x) {
    if (lose_answer(x)) return;
    if (encode_spoiled(x) != 0) {
        close_exchange(x, true);
        return;
    }
    struct sl_answer *a = x->answer;
    x->answer = NULL;
    if (x->fault.kind == SL_FAULT_DELAY)
        a->due = x->c->now + (int64_t)x->fault.delay_ms * SL_MACHINE_MILLISECOND;
    if (x->link->is_leaving && x->c->auth.failed_ms > 0)
        a->due = x->c->now + (int64_t)x->c->auth.failed_ms * SL_MACHINE_MILLISECOND;
    sl_links_put_answer(x->link, a);
    sl_machine_drop(x);
}

/* A fault that does something to the answer waits for a request that gets one. */
static void end_unanswered(struct sl_exchange *x) {
    if (lose_answer(x)) return;
    bool needs_answer = x->fault.kind == SL_FAULT_DELAY || x->fault.kind == SL_FAULT_LIE ||
                        x->fault.kind == SL_FAULT_CORRUPT || x->fault.kind == SL_FAULT_HOSTILE ||
                        x->fault.kind == SL_FAULT_THROTTLE;
    if (needs_answer) sl_faults_spare(&x->c->faults, x->fault_id);
    sl_machine_drop(x);
}

void sl_machine_resume(struct sl_exchange *x) {
    struct sl_machine_link *link = x->link;
    switch (call_handler(x)) {
    case SL_HANDLED:
        send_answer(x);
        return;
    case SL_HANDLED_NOTHING:
        end_unanswered(x);
        return;
    case SL_HANDLED_CLOSE:
        close_exchange(x, true);
        return;
    case SL_HANDLED_LATER:
        break;
    }
    link->waiting = x;
    if (!sl_list_is_linked(&x->node)) sl_list_push_back(&x->c->waiting, &x->node);
}

/* ---- requests ---- */

/* A version of ApiVersions that the node does not have is answered in version 0, with the range of
 * this API alone (KIP-511); any other unknown version or API ends the connection, and so does this
 * one where the node does not have it. */
static void refuse_version(struct sl_exchange *x) {
    struct sl_api_versions_response *m = x->response;
    int16_t most = x->self->caps[SL_API_API_VERSIONS];
    if (x->header.key != SL_API_API_VERSIONS || m == NULL || most < 0) {
        sl_machine_complain(x->c, "API %d version %d is not served", (int)x->header.key,
                            (int)x->header.version);
        close_exchange(x, false);
        return;
    }
    m->error_code = SLUICE_KAFKA_UNSUPPORTED_VERSION;
    if (!sl_machine_array(x, &m->api_keys, 1, sizeof(struct sl_api_versions_range))) {
        close_exchange(x, true);
        return;
    }
    *(struct sl_api_versions_range *)m->api_keys.items =
        (struct sl_api_versions_range){SL_API_API_VERSIONS, 0, most};
    x->header.version = 0;
    send_answer(x);
}

static struct sl_exchange *open_exchange(struct sl_machine_link *link,
                                         struct sl_broker_cluster *c) {
    struct sl_exchange *x = sl_alloc_zero(c->alloc, sizeof *x);
    if (x == NULL) return NULL;
    x->c = c;
    x->link = link;
    x->self = sl_cluster_node(&c->cluster, link->node_id);
    sl_arena_init(&x->arena, c->alloc,
                  (size_t)c->options.max_frame * MACHINE_SWELLING + MACHINE_SLACK);
    x->answer = sl_links_answer_create(c->alloc);
    if (x->answer != NULL) return x;
    sl_machine_drop(x);
    return NULL;
}

/* Whether a request may wait: what it names lies in the frame. */
static bool may_wait(int16_t key) {
    return key == SL_API_FETCH || key == SL_API_JOIN_GROUP || key == SL_API_SYNC_GROUP;
}

/* Kafka reads the fields and lets be what lies behind them, and a client relies on it: librdkafka
 * (2.16, say) reserves four bytes for the count of topics in Metadata. Where it asks for all of them
 * from version 9 on, the count is one byte, a null, and it does not take back the other three. So the
 * fields behind it are read as zeros, and its real ones are left over. */
static int decode_exchange(struct sl_exchange *x, struct sl_reader *r) {
    x->request = sl_arena_get(&x->arena, x->api->request->size);
    if (x->arena.failed) return SLUICE_ERR_NOMEM;
    int rv = sl_frame_decode_request(r, &x->arena, x->api, x->header.version, x->request);
    bool is_whole = rv == SLUICE_ERR_MALFORMED && !r->failed;
    return is_whole ? 0 : rv;
}

static void start_exchange(struct sl_exchange *x, struct sl_reader *r) {
    struct sl_broker_cluster *c = x->c;
    const char *wrong = sl_auth_judge(x->link, x->api->key);
    if (wrong != NULL) {
        sl_machine_complain(c, "%s %s", x->api->name, wrong);
        close_exchange(x, false);
        return;
    }
    if (x->link->auth != NULL && x->link->auth->state == SL_AUTH_NEW &&
        x->api->key == SL_API_API_VERSIONS)
        x->link->auth->state = SL_AUTH_VERSIONS;
    int rv = decode_exchange(x, r);
    if (rv != 0) {
        sl_machine_complain(c, "a malformed %s request, version %d", x->api->name,
                            (int)x->header.version);
        close_exchange(x, rv == SLUICE_ERR_NOMEM);
        return;
    }
    c->seen[x->api->key]++;
    sl_trace_add(&c->trace, SL_TRACE_BROKER_REQUEST, c->now, x->api->key, x->header.version);
    if (sl_faults_match(&c->faults, x->api->key, x->self->id, x, sl_touches_fault, &x->fault,
                        &x->fault_id))
        sl_trace_add(&c->trace, SL_TRACE_BROKER_FAULT, c->now, x->api->key, x->fault.kind);
    if (x->fault.kind == SL_FAULT_CUT_BEFORE)
        close_exchange(x, true);
    else
        sl_machine_resume(x);
}

/* After SaslHandshake 0: frames are tokens and nothing else, and a wrong one is answered by nothing but
 * the end of the connection. */
static void take_raw_token(struct sl_machine_link *link, const uint8_t *frame, size_t size) {
    struct sl_broker_cluster *c = link->c;
    struct sl_answer *answer = sl_links_answer_create(c->alloc);
    struct sl_bytes token = {frame, (int32_t)size}, out;
    struct sl_arena arena;
    int64_t lifetime_ms;
    sl_arena_init(&arena, c->alloc, 0);
    enum sl_auth_verdict verdict = sl_auth_take(link, token, &arena, &out, &lifetime_ms);
    if (answer != NULL && verdict != SL_AUTH_REFUSED) {
        sl_writer_i32(&answer->head, out.size);
        sl_writer_raw(&answer->head, out.data, (size_t)out.size);
        answer->size = answer->head.size;
    }
    sl_arena_deinit(&arena);
    if (answer == NULL || answer->head.failed || verdict == SL_AUTH_REFUSED) {
        sl_links_answer_destroy(c->alloc, answer);
        sl_links_close(link, false);
        return;
    }
    sl_links_put_answer(link, answer);
}

void sl_machine_request(struct sl_machine_link *link, const uint8_t *frame, size_t size) {
    struct sl_broker_cluster *c = link->c;
    if (link->auth != NULL && link->auth->state == SL_AUTH_RAW) {
        take_raw_token(link, frame, size);
        return;
    }
    struct sl_exchange *x = open_exchange(link, c);
    struct sl_reader r;
    if (x == NULL) {
        sl_links_close(link, true);
        return;
    }
    sl_reader_init(&r, frame, size);
    int rv = sl_frame_decode_request_header(&r, &x->header);
    x->api = sl_api_find(x->header.key);
    if (x->api != NULL) {
        x->response = sl_arena_get(&x->arena, x->api->response->size);
        if (x->response != NULL) sl_codec_defaults(x->api->response, x->response);
    }
    bool capped = x->api != NULL && x->header.version > x->self->caps[x->header.key];
    if (rv == SLUICE_ERR_UNSUPPORTED || (rv == 0 && capped)) {
        refuse_version(x);
    } else if (rv != 0 || x->api == NULL || x->response == NULL) {
        sl_machine_complain(c, "a malformed request header");
        close_exchange(x, false);
    } else {
        uint8_t *copy = NULL;
        if (may_wait(x->api->key)) {
            size_t at = (size_t)(r.at - frame);
            copy = sl_arena_get(&x->arena, size);
            if (copy == NULL) {
                close_exchange(x, true);
                return;
            }
            memcpy(copy, frame, size);
            sl_reader_init(&r, copy + at, size - at);
        }
        start_exchange(x, &r);
    }
}
