/* Stories; see story.h. */
#include "sim/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char story_broken[sizeof(((struct world *)0)->violation)];

static void on_broker(void *user) { truth_scan(&((struct story *)user)->truth, false); }
static void on_wire(void *user, struct link *link, const void *data, size_t size) {
    tap_on_wire(&((struct story *)user)->tap, link, data, size);
}
static void on_gone(void *user, struct link *link) {
    tap_on_gone(&((struct story *)user)->tap, link);
}

void story_begin_with(struct story *s, const struct sl_broker_options *options,
                      int32_t partitions) {
    *s = (struct story){0};
    if (world_create(options, 1, WORLD_SECOND, &s->world) != 0) abort();
    truth_init(&s->truth, s->world, &s->tap);
    tap_init(&s->tap, s->world);
    s->world->observer = (struct world_observer){
        .user = s, .on_wire = on_wire, .on_gone = on_gone, .on_broker = on_broker};
    (void)truth_add_topic(&s->truth, "t", partitions);
    if (partitions > 0) {
        world_broker_begin(s->world);
        if (sl_broker_create_topic(s->world->broker, "t", partitions, options->nodes) != 0) abort();
        world_broker_end(s->world);
    }
    truth_scan(&s->truth, true);
    if (host_create(s->world, &s->host) != 0) abort();
}

void story_begin(struct story *s, int32_t nodes, int32_t partitions) {
    struct sl_broker_options options;
    sl_broker_options_init(&options);
    options.nodes = nodes;
    options.default_partitions = partitions;
    options.cluster_id = "story";
    story_begin_with(s, &options, partitions);
}

const char *story_end(struct story *s) {
    for (int32_t i = 0; i < s->client_count; i++) sluice_client_free(s->clients[i].client);
    world_run_for(s->world, 60 * WORLD_SECOND); /* what is under way arrives */
    truth_settle(&s->truth);
    host_destroy(s->host);
    snprintf(story_broken, sizeof story_broken, "%s", s->world->violation);
    if (story_broken[0] != '\0') world_print(s->world);
    world_destroy(s->world);
    tap_deinit(&s->tap);
    truth_deinit(&s->truth);
    return story_broken;
}

/* ---- clients ---- */

sluice_client *story_open(struct story *s, int32_t role, const char *const *settings) {
    struct content_profile profile = {.seed = 7, .value_max = 100, .compressible = true};
    sluice_config *config = sluice_config_create();
    sluice_allocator memory = memory_public(&s->host->memory);
    char brokers[200];
    struct story_client *c = &s->clients[s->client_count];
    if (s->client_count == STORY_CLIENTS) abort();
    world_bootstrap(s->world, s->world->node_count, brokers, sizeof brokers);
    (void)sluice_config_set(config, "bootstrap.servers", brokers);
    (void)sluice_config_set(config, "log.to", "none");
    if (role == SLUICE_PRODUCER) (void)sluice_config_set(config, "delivery.reports", "all");
    bool idempotent = true;
    int16_t acks = -1;
    for (; settings != NULL && settings[0] != NULL; settings += 2) {
        (void)sluice_config_set(config, settings[0], settings[1]);
        if (strcmp(settings[0], "enable.idempotence") == 0)
            idempotent = strcmp(settings[1], "true") == 0;
        if (strcmp(settings[0], "acks") == 0 && strcmp(settings[1], "0") == 0) acks = 0;
    }
    sluice_config_memory(config, &memory, sizeof memory);
    int rv = sluice_client_open(config, role, s->host->runtime, &c->client);
    if (rv != 0 && rv != SLUICE_ERR_NOMEM) fprintf(stderr, "%s\n", sluice_config_message(config));
    sluice_config_free(config);
    if (rv != 0) return NULL;
    c->truth = -1;
    if (role == SLUICE_PRODUCER)
        c->truth = truth_add_producer(&s->truth, &profile, s->host->id, acks, idempotent);
    s->client_count++;
    return c->client;
}

static struct story_client *find_client(const struct story *s, const sluice_client *client) {
    for (int32_t i = 0; i < s->client_count; i++)
        if (s->clients[i].client == client) return (struct story_client *)&s->clients[i];
    abort();
}

void story_free(struct story *s, sluice_client *client) {
    struct story_client *c = find_client(s, client);
    sluice_client_free(client);
    c->client = NULL;
}

/* ---- producing ---- */

static int send_value(struct story *s, sluice_client *producer, int32_t partition, int32_t size,
                      int32_t timeout_ms, bool borrows) {
    struct story_client *c = find_client(s, producer);
    uint64_t id = truth_new_record(&s->truth, c->truth, 0, partition);
    /* The profile says how large the next ones are: the content is a matter of the number alone,
     * so a large record is one of a producer all of whose records are. */
    struct truth_producer *p = &s->truth.producers[c->truth];
    if (size > 0 && p->profile.large == 0) {
        p->profile.large = 100;
        p->profile.value_max = size;
    }
    const struct content *content = truth_to_send(&s->truth, id);
    sluice_record r = {.topic = "t", .tag = id};
    r.value = content->value_size < 0 ? NULL : content->value;
    r.value_size = content->value_size < 0 ? 0 : (size_t)content->value_size;
    if (content->value_size < 0) r.set |= SLUICE_SET_TOMBSTONE;
    r.headers = content->header_count > 0 ? content->headers : NULL;
    r.header_count = content->header_count;
    if (partition >= 0) {
        r.set |= SLUICE_SET_PARTITION;
        r.partition = partition;
    }
    if (borrows) r.value = truth_lend(&s->truth, id);
    int rv = borrows ? sluice_producer_send_borrowed(producer, &r, sizeof r, timeout_ms)
                     : sluice_producer_send_record(producer, &r, sizeof r, timeout_ms);
    truth_accepted(&s->truth, id, rv == 0);
    return rv;
}

int story_send_large(struct story *s, sluice_client *producer, int32_t partition, int32_t size,
                     int32_t timeout_ms) {
    return send_value(s, producer, partition, size, timeout_ms, false);
}

int story_send_borrowed(struct story *s, sluice_client *producer, int32_t partition, int32_t size,
                        int32_t timeout_ms) {
    return send_value(s, producer, partition, size, timeout_ms, true);
}

int story_send(struct story *s, sluice_client *producer, int32_t partition, int32_t timeout_ms) {
    return story_send_large(s, producer, partition, 0, timeout_ms);
}

static int take_reports(struct story *s, sluice_client *producer, int32_t timeout_ms) {
    struct story_client *c = find_client(s, producer);
    sluice_deliveries *set;
    sluice_delivery d;
    int rv = sluice_producer_deliveries(producer, timeout_ms, &set);
    if (rv != 0) return rv;
    while (sluice_deliveries_next(set, &d, sizeof d) == 1) {
        for (int32_t i = 0; i < d.count; i++)
            truth_reported(&s->truth, c->truth, d.tags[i], d.outcome, d.code, d.topic, d.partition,
                           d.base_offset < 0 ? -1 : d.base_offset + i);
        s->reports += d.count;
    }
    sluice_deliveries_free(set);
    return 0;
}

bool story_await_reports(struct story *s, sluice_client *producer, int64_t count,
                         int32_t timeout_ms) {
    int64_t until = s->world->now + timeout_ms * WORLD_MS;
    do {
        int64_t left =
            (until - s->world->now + WORLD_MS - 1) / WORLD_MS; /* never 0 before its time */
        int rv = take_reports(s, producer, left > 0 ? (int32_t)left : 0);
        if (rv != 0 && rv != SLUICE_ERR_NOMEM) break; /* memory may be there at the next try */
    } while (s->reports < count && s->world->now < until && !world_is_broken(s->world));
    return s->reports >= count;
}

int64_t story_outcomes(const struct story *s, const sluice_client *producer, int outcome) {
    const struct story_client *c = find_client(s, producer);
    return s->truth.producers[c->truth].outcomes[outcome - SLUICE_WRITTEN];
}

int64_t story_log_end(const struct story *s, int32_t partition) {
    struct sl_broker_log_view view;
    return sl_broker_log(s->world->broker, "t", partition, &view) == 0 ? view.log_end : -1;
}

/* ---- consuming ---- */

int story_assign(struct story *s, sluice_client *consumer, int32_t partition, int64_t offset) {
    sluice_offsets *list = sluice_offsets_create();
    (void)s;
    (void)sluice_offsets_add(list, "t", partition, offset);
    int rv = sluice_consumer_assign(consumer, list);
    sluice_offsets_free(list);
    return rv;
}

int story_seek(struct story *s, sluice_client *consumer, int32_t partition, int64_t offset) {
    sluice_offsets *list = sluice_offsets_create();
    (void)s;
    (void)sluice_offsets_add(list, "t", partition, offset);
    int rv = sluice_consumer_seek(consumer, list);
    sluice_offsets_free(list);
    return rv;
}

static void take_record(struct story *s, const sluice_view *v, int64_t *next) {
    int32_t size = v->value == NULL ? -1 : (int32_t)v->value_size;
    int32_t life = s->truth.topics[0].life_count - 1;
    uint64_t id = content_id(v->value, size, v->headers, v->headers_size, v->header_count);
    if (v->offset != *next)
        world_violate(s->world, "offset %lld came where %lld was due", (long long)v->offset,
                      (long long)*next);
    if (truth_at(&s->truth, 0, life, v->partition, v->offset) != id)
        world_violate(s->world, "offset %lld holds something else", (long long)v->offset);
    *next = v->offset + 1;
}

int story_read(struct story *s, sluice_client *consumer, int64_t *next, int64_t count,
               int32_t timeout_ms) {
    int64_t until = s->world->now + timeout_ms * WORLD_MS, to = *next + count;
    int rv = 0;
    do {
        sluice_batch *batch;
        sluice_view v;
        int64_t left =
            (until - s->world->now + WORLD_MS - 1) / WORLD_MS; /* never 0 before its time */
        rv = sluice_consumer_poll(consumer, left > 0 ? (int32_t)left : 0, &batch);
        if (rv != 0) break;
        while (sluice_batch_next(batch, &v, sizeof v) == 1) take_record(s, &v, next);
        rv = sluice_batch_finish(batch);
    } while (rv == 0 && *next < to && s->world->now < until && !world_is_broken(s->world));
    return rv;
}

/* ---- the world ---- */

int story_owned(sluice_client *consumer) {
    sluice_offsets *list;
    sluice_offset o;
    int count = 0;
    if (sluice_consumer_positions(consumer, &list) != 0) return -1;
    while (sluice_offsets_at(list, count, &o, sizeof o) == 1) count++;
    sluice_offsets_free(list);
    return count;
}

void story_fault(struct story *s, const struct sl_fault *fault) {
    if (sl_broker_fault(s->world->broker, fault, NULL) != 0) abort();
}

void story_move_leader(struct story *s, int32_t partition, int32_t node, bool tell) {
    world_broker_begin(s->world);
    if (sl_broker_move_leader(s->world->broker, "t", partition, node, tell) != 0) abort();
    world_broker_end(s->world);
}

void story_elect_unclean(struct story *s, int32_t partition, int32_t node, int64_t offset) {
    world_broker_begin(s->world);
    if (sl_broker_elect_unclean(s->world->broker, "t", partition, node, offset, true) != 0) abort();
    truth_cut(&s->truth, 0, partition);
    world_broker_end(s->world);
}

void story_make_topic_again(struct story *s, int32_t partitions) {
    world_broker_begin(s->world);
    if (sl_broker_set(s->world->broker, "auto.create.topics.enable", "false") != 0) abort();
    if (sl_broker_delete_topic(s->world->broker, "t") != 0) abort();
    world_broker_end(s->world);
    truth_scan(&s->truth, true);
    story_run(s, 300);
    world_broker_begin(s->world);
    if (sl_broker_create_topic(s->world->broker, "t", partitions, 1) != 0) abort();
    world_broker_end(s->world);
    truth_scan(&s->truth, true);
}

void story_run(struct story *s, int64_t ms) { world_run_for(s->world, ms * WORLD_MS); }

int64_t story_now_ms(const struct story *s) { return s->world->now / WORLD_MS; }
