/* The test broker: arguments are checked here, then carried to whoever drives the machine
 * (driver/host.h), which runs a small function on it and hands back its code. Nothing is shared
 * with that thread but the arguments, for as long as the call waits. */
#include <string.h>

#include "api/batch_build.h"
#include "api/input.h"
#include "core/partitioner.h"
#include "driver/host.h"
#include "driver/system.h"
#include "record/batch_write.h"
#include "sluice/kafka_errors.h"
#include "sluice/testbroker.h"
#include "wire/api.h"

enum { TESTBROKER_MAGIC = 0x51c07b0b, TESTBROKER_GONE = 0x0bad7b0b };
enum {
    TESTBROKER_NODES_MAX = 100,
    TESTBROKER_READ_BYTES = 16 * 1024 * 1024 /* copied by one read, compressed: arbitrary */
};

struct sluice_testbroker {
    uint32_t magic;
    int32_t node_count;
    struct sl_host *host; /* owned */
};

static bool is_testbroker(const sluice_testbroker *tb) {
    return tb != NULL && tb->magic == TESTBROKER_MAGIC;
}

static bool is_topic(const char *name) { return name != NULL && *name != '\0'; }

/* ---- life ---- */

int sluice_testbroker_create(int32_t brokers, sluice_runtime *runtime, sluice_testbroker **out) {
    struct sl_host_options options = {.alloc = *sl_alloc_default(), .runtime = runtime};
    if (out == NULL) return SLUICE_ERR_USAGE;
    *out = NULL;
    if (brokers < 1 || brokers > TESTBROKER_NODES_MAX) return SLUICE_ERR_USAGE;
    sluice_testbroker *tb = sl_alloc_zero(sl_alloc_default(), sizeof *tb);
    if (tb == NULL) return SLUICE_ERR_NOMEM;
    sl_broker_options_init(&options.broker);
    options.broker.nodes = brokers;
    int rv = sl_host_create(&options, &tb->host);
    if (rv != 0) {
        sl_alloc_free(sl_alloc_default(), tb, sizeof *tb);
        return rv;
    }
    tb->magic = TESTBROKER_MAGIC;
    tb->node_count = brokers;
    *out = tb;
    return 0;
}

void sluice_testbroker_free(sluice_testbroker *testbroker) {
    if (!is_testbroker(testbroker)) return;
    sl_host_free(testbroker->host);
    testbroker->magic = TESTBROKER_GONE;
    sl_alloc_free(sl_alloc_default(), testbroker, sizeof *testbroker);
}

const char *sluice_testbroker_bootstrap(const sluice_testbroker *testbroker) {
    return is_testbroker(testbroker) ? sl_host_bootstrap(testbroker->host) : "";
}

/* ---- settings and topics ---- */

struct set_request {
    const char *name;
    const char *value;
};

static int set_on_cluster(struct sl_broker_cluster *c, void *arg) {
    const struct set_request *r = arg;
    if (strcmp(r->name, "release") == 0)
        return sl_broker_cap_release(c, r->value) == 0 ? 0 : SLUICE_ERR_CONFIG;
    return sl_broker_set(c, r->name, r->value);
}

int sluice_testbroker_set(sluice_testbroker *testbroker, const char *name, const char *value) {
    struct set_request r = {name, value};
    char buf[1]; /* nobody is told more than the code */
    struct sl_text why;
    if (!is_testbroker(testbroker) || name == NULL || value == NULL) return SLUICE_ERR_USAGE;
    if (strncmp(name, "ssl.", 4) == 0) {
        sl_text_init(&why, buf, sizeof buf);
        return sl_host_set_tls(testbroker->host, name, value, &why);
    }
    return sl_host_call(testbroker->host, set_on_cluster, &r);
}

struct topic_request {
    const char *name;
    int32_t partitions;
    int32_t replicas;
};

static int create_on_cluster(struct sl_broker_cluster *c, void *arg) {
    const struct topic_request *r = arg;
    return sl_broker_create_topic(c, r->name, r->partitions, r->replicas);
}

int sluice_testbroker_topic(sluice_testbroker *testbroker, const char *name, int32_t partitions,
                            int32_t replicas) {
    struct topic_request r = {name, partitions, replicas};
    if (!is_testbroker(testbroker) || !is_topic(name)) return SLUICE_ERR_USAGE;
    return sl_host_call(testbroker->host, create_on_cluster, &r);
}

/* ---- appending ---- */

struct append_request {
    const struct sl_staging_input *input;
    uint8_t *batch; /* a header, and the record */
    size_t size;
};

static int32_t count_partitions(const struct sl_broker_cluster *c, const char *topic) {
    struct sl_broker_log_view view;
    int32_t count = 0;
    while (sl_broker_log(c, topic, count, &view) == 0) count++;
    return count;
}

static int append_to_cluster(struct sl_broker_cluster *c, void *arg) {
    const struct append_request *r = arg;
    const struct sl_staging_input *in = r->input;
    int64_t base_offset;
    int32_t partition = in->partition;
    if ((in->flags & SL_STAGED_PARTITION) == 0) {
        int32_t count = count_partitions(c, in->topic);
        if (count == 0) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        bool has_key = (in->flags & SL_STAGED_KEY_NULL) == 0;
        partition =
            has_key ? sl_partitioner_of_key(SL_KEY_HASH_MURMUR2, in->key, in->key_size, count) : 0;
    }
    return sl_broker_log_append(c, in->topic, partition, r->batch, r->size, &base_offset);
}

/* The input as a record batch of one. NULL: out of memory. */
static uint8_t *encode_single(const struct sl_staging_input *in, size_t *size) {
    struct sl_record_in record = {
        .key = in->key,
        .value = in->value,
        .headers = in->headers,
        .key_size = (in->flags & SL_STAGED_KEY_NULL) != 0 ? -1 : (int32_t)in->key_size,
        .value_size = (in->flags & SL_STAGED_VALUE_NULL) != 0 ? -1 : (int32_t)in->value_size,
        .headers_size = in->headers_size,
        .header_count = in->header_count,
    };
    bool has_time = (in->flags & SL_STAGED_TIMESTAMP) != 0;
    int64_t time = has_time ? in->timestamp_ms : sl_system_wall_ms();
    struct sl_batch_summary summary = {.base_timestamp = time,
                                       .max_timestamp = time,
                                       .producer_id = -1,
                                       .producer_epoch = -1,
                                       .base_sequence = -1,
                                       .count = 1};
    size_t record_size = sl_batch_write_size(&record, 0, 0);
    *size = SL_RECORD_HEADER_SIZE + record_size;
    uint8_t *batch = sl_alloc_get(sl_alloc_default(), *size);
    if (batch == NULL) return NULL;
    struct sl_iov piece = {batch + SL_RECORD_HEADER_SIZE, record_size};
    (void)sl_batch_write_record(batch + SL_RECORD_HEADER_SIZE, &record, 0, 0);
    struct sl_batch_sum sum = sl_batch_write_sum(&piece, 1);
    sl_batch_write_header(batch, &summary, &sum);
    return batch;
}

int sluice_testbroker_append(sluice_testbroker *testbroker, const sluice_record *record,
                             size_t size) {
    struct sl_input in;
    if (!is_testbroker(testbroker) || record == NULL || size != sizeof *record)
        return SLUICE_ERR_USAGE;
    int rv = sl_input_init(&in, record, sl_alloc_default());
    if (rv != 0) return rv;
    struct append_request r = {.input = &in.input};
    r.batch = encode_single(&in.input, &r.size);
    rv = r.batch == NULL ? SLUICE_ERR_NOMEM : sl_host_call(testbroker->host, append_to_cluster, &r);
    sl_alloc_free(sl_alloc_default(), r.batch, r.size);
    sl_input_deinit(&in, sl_alloc_default());
    return rv;
}

/* ---- reading ---- */

struct read_request {
    const char *topic;
    int32_t partition;
    int64_t from;
    int64_t next; /* after what was copied */
    int64_t high_watermark;
    int32_t leader_epoch;
    struct sl_writer copy; /* the topic's name and a NUL, then whole record batches */
};

static int read_from_cluster(struct sl_broker_cluster *c, void *arg) {
    struct read_request *r = arg;
    struct sl_broker_log_view view;
    int rv = sl_broker_log(c, r->topic, r->partition, &view);
    if (rv != 0) return rv;
    r->next = r->from;
    r->high_watermark = view.high_watermark;
    r->leader_epoch = view.leader_epoch;
    while (r->copy.size < TESTBROKER_READ_BYTES && !r->copy.failed) {
        struct sl_batch_info info;
        const uint8_t *data;
        size_t size;
        rv = sl_broker_log_batch(c, r->topic, r->partition, r->next, &data, &size);
        if (rv == SLUICE_ERR_NO_OFFSET) break;
        if (rv == 0) rv = sl_batch_read_info(data, size, &info);
        if (rv != 0) return rv;
        sl_writer_raw(&r->copy, data, size);
        r->next = info.last_offset + 1;
    }
    return r->copy.failed ? SLUICE_ERR_NOMEM : 0;
}

/* Makes a batch of the copy, which it takes. */
static int build_stored(struct read_request *r, sluice_batch **out) {
    sluice_batch *batch;
    struct sl_compress *codecs = NULL;
    struct sl_batch_damage damage;
    int rv = sl_batch_build_create(sl_alloc_default(), 1, &batch);
    if (rv != 0) return rv;
    size_t name_size = strlen(r->topic) + 1;
    batch->owned = r->copy.data;
    batch->owned_size = r->copy.cap;
    r->copy.data = NULL;
    struct sl_slice slice = {
        .data = batch->owned + name_size,
        .size = r->copy.size - name_size,
        .from = r->from,
        .next_offset = r->next,
        .high_watermark = r->high_watermark,
        .end = r->high_watermark,
        .leader_epoch = r->leader_epoch,
    };
    rv = sl_batch_build_add(batch, &slice, (const char *)batch->owned, r->partition, &codecs,
                            INT32_MAX, &damage);
    if (codecs != NULL) sl_compress_destroy(codecs);
    if (rv != 0) {
        sl_batch_build_destroy(batch);
        return rv;
    }
    batch->parts[0].slice = NULL;
    sl_batch_build_end(batch);
    *out = batch;
    return 0;
}

int sluice_testbroker_read(sluice_testbroker *testbroker, const char *topic, int32_t partition,
                           int64_t from, sluice_batch **out) {
    if (out == NULL) return SLUICE_ERR_USAGE;
    *out = NULL;
    if (!is_testbroker(testbroker) || !is_topic(topic) || partition < 0 || from < 0)
        return SLUICE_ERR_USAGE;
    struct read_request r = {.topic = topic, .partition = partition, .from = from};
    sl_writer_init(&r.copy, sl_alloc_default());
    sl_writer_raw(&r.copy, topic, strlen(topic) + 1);
    int rv = sl_host_call(testbroker->host, read_from_cluster, &r);
    if (rv == 0 && r.next > from) rv = build_stored(&r, out);
    if (r.copy.data != NULL) sl_writer_deinit(&r.copy);
    return rv;
}

/* ---- faults ---- */

struct fault_request {
    struct sl_fault fault;
    int32_t id;
};

static int fault_on_cluster(struct sl_broker_cluster *c, void *arg) {
    struct fault_request *r = arg;
    return sl_broker_fault(c, &r->fault, &r->id);
}

/* The key of an API's name, -1 for NULL. False: there is no such API. */
static bool find_api_key(const char *name, int16_t *key) {
    *key = -1;
    if (name == NULL) return true;
    const struct sl_api *api = sl_api_find_name(name);
    if (api != NULL) *key = api->key;
    return api != NULL;
}

static bool is_fault(const sluice_testbroker *tb, const sluice_fault *f) {
    bool has_partition = (f->set & SLUICE_SET_PARTITION) != 0;
    if (f->kind < SLUICE_FAULT_ERROR || f->kind > SLUICE_FAULT_HOSTILE) return false;
    if ((f->set & ~(uint32_t)SLUICE_SET_PARTITION) != 0) return false;
    if (has_partition ? f->partition < 0 : f->partition != 0) return false;
    if (f->broker < 0 || f->broker > tb->node_count) return false;
    return f->delay_ms >= 0 && f->skip >= 0 && f->times >= -1;
}

int sluice_testbroker_fault(sluice_testbroker *testbroker, const sluice_fault *fault, size_t size,
                            int32_t *id) {
    struct fault_request r = {0};
    if (!is_testbroker(testbroker) || fault == NULL || size != sizeof *fault)
        return SLUICE_ERR_USAGE;
    if (!is_fault(testbroker, fault) || !find_api_key(fault->api, &r.fault.api))
        return SLUICE_ERR_USAGE;
    size_t topic_size = fault->topic == NULL ? 0 : strlen(fault->topic);
    if (topic_size >= sizeof r.fault.topic) return SLUICE_ERR_USAGE;
    if (topic_size > 0) memcpy(r.fault.topic, fault->topic, topic_size);
    r.fault.kind = (enum sl_fault_kind)(fault->kind - SLUICE_FAULT_ERROR + SL_FAULT_ERROR);
    r.fault.node = fault->broker;
    r.fault.partition = (fault->set & SLUICE_SET_PARTITION) != 0 ? fault->partition : -1;
    r.fault.code = fault->code;
    r.fault.delay_ms = fault->delay_ms;
    r.fault.skip = fault->skip;
    r.fault.times = fault->times == 0 ? 1 : fault->times;
    int rv = sl_host_call(testbroker->host, fault_on_cluster, &r);
    if (rv == 0 && id != NULL) *id = r.id;
    return rv;
}

static int heal_on_cluster(struct sl_broker_cluster *c, void *arg) {
    const int32_t *id = arg;
    sl_broker_heal(c, *id);
    return 0;
}

int sluice_testbroker_heal(sluice_testbroker *testbroker, int32_t id) {
    if (!is_testbroker(testbroker) || id < 0) return SLUICE_ERR_USAGE;
    return sl_host_call(testbroker->host, heal_on_cluster, &id);
}

/* ---- nodes and leaders ---- */

int sluice_testbroker_broker(sluice_testbroker *testbroker, int32_t id, int32_t state) {
    if (!is_testbroker(testbroker) || id < 1 || id > testbroker->node_count)
        return SLUICE_ERR_USAGE;
    if (state < SLUICE_BROKER_UP || state > SLUICE_BROKER_FROZEN) return SLUICE_ERR_USAGE;
    return sl_host_set_state(testbroker->host, id,
                             (enum sl_broker_state)(state - SLUICE_BROKER_UP + SL_BROKER_UP));
}

struct move_request {
    const char *name;
    int32_t partition;
    int32_t node;
};

static int move_leader_on_cluster(struct sl_broker_cluster *c, void *arg) {
    const struct move_request *r = arg;
    return sl_broker_move_leader(c, r->name, r->partition, r->node, true);
}

static int move_coordinator_on_cluster(struct sl_broker_cluster *c, void *arg) {
    const struct move_request *r = arg;
    return sl_broker_move_coordinator(c, r->name, r->node);
}

int sluice_testbroker_move(sluice_testbroker *testbroker, int32_t what, const char *name,
                           int32_t partition, int32_t broker) {
    bool is_leader = what == SLUICE_MOVE_LEADER, is_coordinator = what == SLUICE_MOVE_COORDINATOR;
    if (!is_testbroker(testbroker) || !(is_leader || is_coordinator) || !is_topic(name) ||
        partition < 0 || (is_coordinator && partition != 0) || broker < 1 ||
        broker > testbroker->node_count)
        return SLUICE_ERR_USAGE;
    struct move_request r = {.name = name, .partition = partition, .node = broker};
    return sl_host_call(testbroker->host,
                        is_leader ? move_leader_on_cluster : move_coordinator_on_cluster, &r);
}

static int rebalance_on_cluster(struct sl_broker_cluster *c, void *arg) {
    const char *const *group = arg;
    return sl_broker_rebalance(c, *group);
}

int sluice_testbroker_rebalance(sluice_testbroker *testbroker, const char *group) {
    if (!is_testbroker(testbroker) || group == NULL) return SLUICE_ERR_USAGE;
    return sl_host_call(testbroker->host, rebalance_on_cluster, &group);
}

int sluice_testbroker_await(sluice_testbroker *testbroker, const char *api, int64_t count,
                            int32_t timeout_ms, int64_t *seen) {
    int16_t key;
    if (!is_testbroker(testbroker) || count < 0 || timeout_ms < -1 || !find_api_key(api, &key))
        return SLUICE_ERR_USAGE;
    return sl_host_await(testbroker->host, key, count, timeout_ms, seen);
}
