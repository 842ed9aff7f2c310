/* The test broker as a whole: making it, time, what it wants of its host, and what tests may ask.
 * Requests are in machine.c, connections in links.c, topics and leaders in cluster.c. */
#include "broker/broker.h"

#include <string.h>

#include "base/assert.h"
#include "broker/machine.h"
#include "record/batch_read.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

enum {
    BROKER_FRAME_MAX = 100 * 1024 * 1024, /* Kafka's socket.request.max.bytes */
    BROKER_MESSAGE_MAX = 1048588,         /* Kafka's message.max.bytes */
    BROKER_SESSION_SLOTS = 1000           /* Kafka's max.incremental.fetch.session.cache.slots */
};

void sl_broker_options_init(struct sl_broker_options *o) {
    memset(o, 0, sizeof *o);
    o->nodes = 1;
    o->default_partitions = 1;
    o->auto_create = true;
    o->bench_record_size = 100;
    o->bench_level = SL_COMPRESS_LEVEL_DEFAULT;
    o->max_frame = BROKER_FRAME_MAX;
    o->message_max = BROKER_MESSAGE_MAX;
    o->session_slots = BROKER_SESSION_SLOTS;
    o->cluster_id = "sluice-test-cluster";
}

int sl_broker_create(const struct sl_broker_options *options, const struct sl_alloc *alloc,
                     uint64_t seed, struct sl_broker_cluster **out) {
    struct sl_text id;
    *out = NULL;
    if (options->nodes < 1 || options->nodes > SL_CLUSTER_NODES_MAX) return SLUICE_ERR_USAGE;
    struct sl_broker_cluster *c = sl_alloc_zero(alloc, sizeof *c);
    if (c == NULL) return SLUICE_ERR_NOMEM;
    c->alloc = alloc;
    c->options = *options;
    sl_text_init(&id, c->cluster_id, sizeof c->cluster_id);
    sl_text_put(&id, options->cluster_id == NULL ? "sluice-test-cluster" : options->cluster_id);
    c->options.cluster_id = c->cluster_id;
    sl_rng_init(&c->rng, seed);
    sl_trace_init(&c->trace);
    sl_faults_init(&c->faults, alloc);
    sl_auth_init(&c->auth, alloc);
    sl_map_init(&c->by_id, alloc);
    sl_list_init(&c->links);
    sl_list_init(&c->outputs);
    sl_list_init(&c->waiting);
    int rv = sl_cluster_init(&c->cluster, &c->options, alloc, &c->rng);
    if (rv != 0) goto free_machine;
    sl_groups_init(&c->groups, &c->cluster, alloc, &c->rng);
    rv = sl_compress_create(alloc, &c->codecs);
    if (rv == 0 && options->bench) rv = sl_bench_create(&c->options, alloc, c->codecs, &c->bench);
    if (rv != 0) {
        sl_broker_destroy(c);
        return rv;
    }
    *out = c;
    return 0;
free_machine:
    sl_map_deinit(&c->by_id);
    sl_faults_deinit(&c->faults);
    sl_alloc_free(alloc, c, sizeof *c);
    return rv;
}

void sl_broker_destroy(struct sl_broker_cluster *c) {
    if (c == NULL) return;
    SL_LIST_EACH(node, next, &c->links)
        sl_links_destroy(SL_LIST_OF(node, struct sl_machine_link, node));
    sl_map_deinit(&c->by_id);
    sl_faults_deinit(&c->faults);
    sl_groups_deinit(&c->groups);
    sl_auth_deinit(&c->auth);
    sl_cluster_deinit(&c->cluster);
    sl_compress_destroy(c->codecs);
    sl_bench_destroy(c->bench);
    sl_alloc_free(c->alloc, c, sizeof *c);
}

int sl_broker_advertise(struct sl_broker_cluster *c, int32_t node, const char *host,
                        uint16_t port) {
    struct sl_cluster_node *n = sl_cluster_node(&c->cluster, node);
    struct sl_text t;
    if (n == NULL || strlen(host) >= sizeof n->host) return SLUICE_ERR_USAGE;
    sl_text_init(&t, n->host, sizeof n->host);
    sl_text_put(&t, host);
    n->port = port;
    return 0;
}

/* ---- turns ---- */

void sl_broker_on_time(struct sl_broker_cluster *c, int64_t now, int64_t wall_ms) {
    SL_ASSERT(now >= c->now);
    c->now = now;
    c->wall_ms = wall_ms;
    sl_groups_on_time(&c->groups, now);
}

/* A link that was answered goes on with what came behind its request. That may add one of its own
 * to the end of the list, close that link, or change what others wait for, which is then due at
 * once; it never takes the request of another link out of the list, where the walk would stumble. */
static void resume_waiting(struct sl_broker_cluster *c) {
    bool changed = c->seen_changes != c->cluster.changes;
    c->seen_changes = c->cluster.changes;
    SL_LIST_EACH(node, next, &c->waiting) {
        struct sl_exchange *x = SL_LIST_OF(node, struct sl_exchange, node);
        struct sl_machine_link *link = x->link;
        if (x->self->state != SL_BROKER_UP) continue;
        if (!changed && !x->wait.done && x->until > c->now) continue;
        sl_machine_resume(x);
        if (link->waiting == NULL) sl_links_process(link);
    }
}

/* When the first of the answers that are held back becomes due, or a throttle ends. */
static int64_t next_answer_due(const struct sl_broker_cluster *c) {
    int64_t due = INT64_MAX;
    SL_LIST_EACH(node, next, (struct sl_list *)&c->links) {
        const struct sl_machine_link *link = SL_LIST_OF(node, struct sl_machine_link, node);
        const struct sl_answer *a = sl_links_delayed(link);
        if (a != NULL && a->due < due) due = a->due;
        if (link->muted_until != 0 && link->muted_until < due) due = link->muted_until;
    }
    return due;
}

void sl_broker_run(struct sl_broker_cluster *c) {
    sl_groups_run(&c->groups);
    resume_waiting(c);
    SL_LIST_EACH(node, next, &c->links) {
        struct sl_machine_link *link = SL_LIST_OF(node, struct sl_machine_link, node);
        struct sl_answer *a = sl_links_delayed(link);
        bool is_due = a != NULL && a->due <= c->now;
        bool is_heard = link->muted_until != 0 && link->muted_until <= c->now;
        if (!is_due && !is_heard) continue;
        if (is_heard) link->muted_until = 0;
        if (is_due) a->due = 0;
        if (is_due) sl_links_want_output(link);
        sl_links_process(link); /* what came behind it had to wait */
    }
}

int64_t sl_broker_deadline(const struct sl_broker_cluster *c) {
    int64_t at = next_answer_due(c);
    int64_t groups_at = sl_groups_deadline(&c->groups);
    if (groups_at < at) at = groups_at;
    SL_LIST_EACH(node, next, (struct sl_list *)&c->waiting) {
        const struct sl_exchange *x = SL_LIST_OF(node, struct sl_exchange, node);
        if (x->self->state != SL_BROKER_UP) continue;
        if (x->wait.done || c->seen_changes != c->cluster.changes) return c->now;
        if (x->until < at) at = x->until;
    }
    return at;
}

static bool next_state_news(struct sl_broker_cluster *c, struct sl_broker_output *out) {
    for (int32_t i = 0; i < c->cluster.node_count; i++) {
        struct sl_cluster_node *node = &c->cluster.nodes[i];
        if (!node->news) continue;
        node->news = false;
        out->kind = SL_BROKER_STATE;
        out->node = node->id;
        out->state = node->state;
        return true;
    }
    return false;
}

bool sl_broker_next_output(struct sl_broker_cluster *c, struct sl_broker_output *out) {
    memset(out, 0, sizeof *out);
    if (next_state_news(c, out)) return true;
    struct sl_list *node = sl_list_pop_front(&c->outputs);
    if (node == NULL) return false;
    struct sl_machine_link *link = SL_LIST_OF(node, struct sl_machine_link, output);
    out->link = link->id;
    out->node = link->node_id;
    if (link->wants_close) {
        out->kind = SL_BROKER_CLOSE;
        out->abrupt = link->abrupt;
        sl_links_destroy(link);
        return true;
    }
    out->kind = SL_BROKER_SEND;
    return true;
}

/* ---- the test's side ---- */

int sl_broker_create_topic(struct sl_broker_cluster *c, const char *name, int32_t partitions,
                           int32_t replicas) {
    return sl_cluster_create_topic(&c->cluster, sl_bytes_str(name), partitions, replicas, NULL);
}

int sl_broker_delete_topic(struct sl_broker_cluster *c, const char *name) {
    struct sl_cluster_topic *topic = sl_cluster_find(&c->cluster, sl_bytes_str(name));
    if (topic == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    sl_machine_delete_topic(c, topic);
    return 0;
}

int sl_broker_grow_topic(struct sl_broker_cluster *c, const char *name, int32_t partitions) {
    struct sl_cluster_topic *topic = sl_cluster_find(&c->cluster, sl_bytes_str(name));
    if (topic == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    return sl_cluster_grow_topic(&c->cluster, topic, partitions);
}

void sl_broker_set_state(struct sl_broker_cluster *c, int32_t id, enum sl_broker_state state) {
    struct sl_cluster_node *node = sl_cluster_node(&c->cluster, id);
    if (node == NULL || node->state == state) return;
    if (state == SL_BROKER_UP)
        node->away_since = -1;
    else if (node->away_since < 0)
        node->away_since = c->now;
    sl_cluster_set_state(&c->cluster, node, state);
    sl_groups_on_coordinators(&c->groups, state == SL_BROKER_DOWN ? id : -1);
    node->news = true;
    SL_LIST_EACH(at, next, &c->links) {
        struct sl_machine_link *link = SL_LIST_OF(at, struct sl_machine_link, node);
        if (link->node_id != id) continue;
        if (state == SL_BROKER_DOWN) sl_links_close(link, true);
        if (state != SL_BROKER_UP) continue;
        sl_links_process(link);
        if (!sl_list_is_empty(&link->answers)) sl_links_want_output(link);
    }
    if (state == SL_BROKER_UP) c->cluster.changes++; /* what waited at a frozen node is looked at */
}

void sl_broker_set_lag(struct sl_broker_cluster *c, int32_t id, const struct sl_broker_lag *lag) {
    struct sl_cluster_node *node = sl_cluster_node(&c->cluster, id);
    if (node == NULL) return;
    node->lag = *lag;
    c->cluster.changes++;
}

int sl_broker_move_leader(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                          int32_t node, bool tell) {
    struct sl_cluster_partition *p = sl_cluster_find_partition(&c->cluster, topic, partition);
    if (p == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    return sl_cluster_move(&c->cluster, p, node, tell);
}

int sl_broker_elect_unclean(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                            int32_t node, int64_t offset, bool tell) {
    struct sl_cluster_partition *p = sl_cluster_find_partition(&c->cluster, topic, partition);
    if (p == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (offset < p->log.start || offset > p->log.end) return SLUICE_KAFKA_OFFSET_OUT_OF_RANGE;
    return sl_cluster_elect_unclean(&c->cluster, p, node, offset, tell);
}

int sl_broker_move_coordinator(struct sl_broker_cluster *c, const char *key, int32_t node) {
    int rv = sl_cluster_move_coordinator(&c->cluster, sl_bytes_str(key), node);
    if (rv == 0) sl_groups_on_coordinators(&c->groups, -1);
    return rv;
}

int sl_broker_rebalance(struct sl_broker_cluster *c, const char *group) {
    return sl_groups_rebalance(&c->groups, sl_bytes_str(group));
}

int sl_broker_fault(struct sl_broker_cluster *c, const struct sl_fault *fault, int32_t *id) {
    return sl_faults_add(&c->faults, fault, id);
}

void sl_broker_heal(struct sl_broker_cluster *c, int32_t id) { sl_faults_remove(&c->faults, id); }

int64_t sl_broker_seen(const struct sl_broker_cluster *c, int16_t api) {
    int64_t sum = 0;
    if (api >= 0) return api < SL_API_KEY_LIMIT ? c->seen[api] : 0;
    for (int i = 0; i < SL_API_KEY_LIMIT; i++) sum += c->seen[i];
    return sum;
}

int64_t sl_broker_expired_sessions(const struct sl_broker_cluster *c) { return c->auth.expired; }

void sl_broker_written(const struct sl_broker_cluster *c, int64_t *records, int64_t *bytes) {
    *records = c->written_records;
    *bytes = c->written_bytes;
}

int64_t sl_broker_committed(const struct sl_broker_cluster *c, const char *group, const char *topic,
                            int32_t partition) {
    const struct sl_group *g = sl_groups_find(&c->groups, sl_bytes_str(group));
    const struct sl_group_offset *at =
        g == NULL ? NULL : sl_group_offsets_find(&g->offsets, sl_bytes_str(topic), partition);
    return at == NULL ? -1 : at->offset;
}

const char *sl_broker_complaint(const struct sl_broker_cluster *c) { return c->complaint; }

/* ---- the truth ---- */

int sl_broker_log(const struct sl_broker_cluster *c, const char *topic, int32_t partition,
                  struct sl_broker_log_view *out) {
    const struct sl_cluster_partition *p = sl_cluster_find_partition(&c->cluster, topic, partition);
    memset(out, 0, sizeof *out);
    if (p == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    out->log_start = p->log.start;
    out->log_end = out->high_watermark = p->log.end;
    out->leader = p->leader;
    out->leader_epoch = p->leader_epoch;
    out->batch_count = (int32_t)p->log.count;
    return 0;
}

int sl_broker_log_batch(const struct sl_broker_cluster *c, const char *topic, int32_t partition,
                        int64_t offset, const uint8_t **data, size_t *size) {
    const struct sl_cluster_partition *p = sl_cluster_find_partition(&c->cluster, topic, partition);
    if (p == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    size_t index = sl_log_find(&p->log, offset);
    if (index >= p->log.count) return SLUICE_ERR_NO_OFFSET;
    const struct sl_log_batch *batch = sl_log_at(&p->log, index);
    *data = batch->data;
    *size = (size_t)batch->size;
    return 0;
}

int sl_broker_log_append(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                         const void *batch, size_t size, int64_t *base_offset) {
    struct sl_cluster_partition *p = sl_cluster_find_partition(&c->cluster, topic, partition);
    struct sl_batch_info info;
    if (p == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    int rv = sl_batch_read_info(batch, size, &info);
    if (rv == SLUICE_ERR_UNSUPPORTED) { /* an old message: one record to this log, as it is */
        info.last_offset = info.base_offset;
        info.max_timestamp = -1;
        info.record_count = 1;
        rv = 0;
    }
    if (rv != 0 || (size_t)info.size != size) return SLUICE_ERR_MALFORMED;
    rv = sl_log_append(&p->log, batch, &info, p->leader_epoch, base_offset);
    if (rv == 0) c->cluster.changes++;
    return rv;
}

int sl_broker_end_transaction(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                              int64_t producer_id, int16_t producer_epoch, bool is_committed) {
    struct sl_cluster_partition *p = sl_cluster_find_partition(&c->cluster, topic, partition);
    if (p == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    int rv = sl_log_end_transaction(&p->log, producer_id, producer_epoch, is_committed,
                                    p->leader_epoch, c->wall_ms);
    if (rv == 0) c->cluster.changes++;
    return rv;
}

int sl_broker_log_trim(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                       int64_t log_start) {
    struct sl_cluster_partition *p = sl_cluster_find_partition(&c->cluster, topic, partition);
    if (p == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (log_start < p->log.start || log_start > p->log.end) return SLUICE_KAFKA_OFFSET_OUT_OF_RANGE;
    sl_log_trim(&p->log, log_start);
    c->cluster.changes++;
    return 0;
}

/* ---- looking inside ---- */

void sl_broker_dump(const struct sl_broker_cluster *c, struct sl_text *out) {
    uint32_t at = 0;
    const struct sl_cluster_topic *topic;
    sl_text_printf(out, "cluster %s, %d nodes\n", c->cluster_id, (int)c->cluster.node_count);
    for (int32_t i = 0; i < c->cluster.node_count; i++)
        sl_text_printf(out, "node %d at %s:%d, %s\n", (int)c->cluster.nodes[i].id,
                       c->cluster.nodes[i].host, (int)c->cluster.nodes[i].port,
                       c->cluster.nodes[i].state == SL_BROKER_UP     ? "up"
                       : c->cluster.nodes[i].state == SL_BROKER_DOWN ? "down"
                                                                     : "frozen");
    while ((topic = sl_map_next(&c->cluster.by_name, &at, NULL)) != NULL)
        for (int32_t i = 0; i < topic->partition_count; i++) {
            const struct sl_cluster_partition *p = &topic->partitions[i];
            sl_text_printf(out, "%s-%d leader %d epoch %d offsets %lld to %lld in %zu batches\n",
                           topic->name, (int)i, (int)p->leader, (int)p->leader_epoch,
                           (long long)p->log.start, (long long)p->log.end, p->log.count);
        }
    SL_LIST_EACH(node, next, (struct sl_list *)&c->links) {
        struct sl_machine_link *link = SL_LIST_OF(node, struct sl_machine_link, node);
        sl_text_printf(out, "link %u to node %d: %zu bytes in%s%s\n", link->id, (int)link->node_id,
                       link->in_size, link->waiting != NULL ? ", a request waits" : "",
                       sl_list_is_empty(&link->answers) ? "" : ", answers to send");
    }
    sl_groups_dump(&c->groups, out);
    if (c->complaint[0] != 0) sl_text_printf(out, "last complaint: %s\n", c->complaint);
    sl_trace_dump(&c->trace, out);
}

static void check_link_answers(struct sl_machine_link *link) {
    int32_t count = 0;
    SL_LIST_EACH(node, next, &link->answers) {
        const struct sl_answer *a = SL_LIST_OF(node, struct sl_answer, node);
        size_t size = a->head.size;
        for (size_t i = 0; i < a->splice_count; i++) size += (size_t)a->splices[i].size;
        SL_ASSERT(a->size == size && a->sent < a->size);
        SL_ASSERT(a->due == 0 || next == &link->answers);
        for (size_t i = 0; i < a->held_count; i++) SL_ASSERT(a->held[i]->holds > 0);
        count++;
    }
    SL_ASSERT(count == link->answer_count);
    SL_ASSERT(!link->wants_close || (count == 0 && link->waiting == NULL));
}

void sl_broker_check(const struct sl_broker_cluster *c) {
    uint32_t count = 0;
    sl_cluster_check(&c->cluster);
    sl_groups_check(&c->groups);
    SL_LIST_EACH(node, next, (struct sl_list *)&c->links) {
        struct sl_machine_link *link = SL_LIST_OF(node, struct sl_machine_link, node);
        count++;
        SL_ASSERT(sl_map_get(&c->by_id, &link->id, sizeof link->id) == link);
        SL_ASSERT(link->in_size <= link->in_cap);
        SL_ASSERT(link->waiting == NULL || link->waiting->link == link);
        SL_ASSERT(link->wants_close ||
                  sl_cluster_node(&c->cluster, link->node_id)->state != SL_BROKER_DOWN);
        check_link_answers(link);
    }
    SL_ASSERT(count == c->by_id.count);
}

uint64_t sl_broker_trace_hash(const struct sl_broker_cluster *c) { return c->trace.hash; }
