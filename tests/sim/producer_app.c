/* A simulated producer application. It sends records that say who they are, reads reports, and
 * flushes, discards, dumps, asks for topics, closes and starts over at moments that are drawn. The
 * truth keeps what was promised of each record. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/workload.h"

static struct truth_placing find_placing(const char *partitioner) {
    static const struct {
        const char *name;
        struct truth_placing placing;
    } list[] = {
        {"murmur2_random", {TRUTH_MURMUR2, 0, false}},  {"murmur2", {TRUTH_MURMUR2, 0, true}},
        {"consistent_random", {TRUTH_CRC32, 1, false}}, {"consistent", {TRUTH_CRC32, 0, true}},
        {"fnv1a_random", {TRUTH_FNV1A, 0, false}},      {"fnv1a", {TRUTH_FNV1A, 0, true}},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (strcmp(list[i].name, partitioner) == 0) return list[i].placing;
    return (struct truth_placing){.hash = TRUTH_NO_HASH};
}

int producer_open(struct app *app) {
    const struct plan_producer *p = app->producer;
    struct truth *truth = &app->workload->truth;
    sluice_config *config = sluice_config_create();
    app_configure(app, config);
    app_set_number(config, "acks", p->acks);
    (void)sluice_config_set(config, "enable.idempotence", p->idempotent ? "true" : "false");
    (void)sluice_config_set(config, "delivery.reports", p->reports);
    (void)sluice_config_set(config, "compression.type", p->codec);
    (void)sluice_config_set(config, "partitioner", p->partitioner);
    app_set_number(config, "partitioner.availability.timeout.ms", p->availability_timeout_ms);
    app_set_number(config, "metadata.max.idle.ms", p->idle_ms);
    app_set_number(config, "linger.ms", p->linger_ms);
    app_set_number(config, "batch.size", p->batch_size);
    app_set_number(config, "buffer.memory", p->buffer_memory);
    app_set_number(config, "max.request.size", p->request_max);
    app_set_number(config, "delivery.timeout.ms", p->delivery_timeout_ms);
    app_set_number(config, "retries", p->retries);
    app_set_number(config, "max.in.flight.requests.per.connection", p->in_flight);
    int rv = sluice_client_open(config, SLUICE_PRODUCER, app->host->runtime, &app->client);
    if (rv != 0 && !(rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app))) {
        const char *message = sluice_config_message(config);
        world_violate(app->workload->world, "a producer cannot be opened: %s: %s",
                      sluice_error_name(rv), message);
    }
    sluice_config_free(config);
    if (rv != 0) return rv;
    app->reports_failed = strcmp(p->reports, "failed") == 0;
    app->truth =
        truth_add_producer(truth, &p->profile, app->host->id, (int16_t)p->acks, p->idempotent);
    if (app->truth < 0) abort(); /* restarts are limited */
    truth->producers[app->truth].placing = find_placing(p->partitioner);
    return 0;
}

/* ---- reports ---- */

static void take_report(struct app *app, const sluice_delivery *d) {
    struct world *w = app->workload->world;
    struct truth *truth = &app->workload->truth;
    if (d->count <= 0 || d->tags == NULL) {
        world_violate(w, "a report is about %d records, and has %s tags", d->count,
                      d->tags == NULL ? "no" : "its");
        return;
    }
    world_note(w, WORLD_REPORT, app->id, d->outcome, d->count);
    tap_progress(&app->workload->tap, app->host->id);
    for (int32_t i = 0; i < d->count; i++) {
        truth_reported(truth, app->truth, d->tags[i], d->outcome, d->code, d->topic, d->partition,
                       d->base_offset < 0 ? -1 : d->base_offset + i);
        truth_told(truth, d->tags[i], d->outcome, d->code, d->text);
    }
}

/* Reads all reports. What the call said. */
static int take_reports(struct app *app, int32_t timeout_ms) {
    sluice_deliveries *set;
    sluice_delivery d;
    app_before(app, timeout_ms);
    int rv = sluice_producer_deliveries(app->client, timeout_ms, &set);
    app_after(app, "deliveries");
    if (rv == 0)
        while (sluice_deliveries_next(set, &d, sizeof d) == 1) take_report(app, &d);
    sluice_deliveries_free(set);
    bool is_fair = rv == SLUICE_ERR_CLOSED || (rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app));
    if (rv != 0 && !is_fair) app_complain(app, "deliveries", rv);
    return rv;
}

/* With delivery.reports=failed, what is decided and was not reported is written. */
static void infer_written(struct app *app) {
    struct truth_producer *p = &app->workload->truth.producers[app->truth];
    for (int64_t n = 0; n < p->count; n++) {
        struct truth_record *r = &p->records[n];
        if (!r->is_accepted || r->outcome != 0) continue;
        r->outcome = SLUICE_WRITTEN;
        r->reported_partition = r->place.partition;
        p->undecided--;
        p->outcomes[0]++;
    }
}

/* ---- counts ---- */

static void check_counts(struct app *app) {
    struct world *w = app->workload->world;
    const struct truth_producer *p = &app->workload->truth.producers[app->truth];
    sluice_counts c;
    int rv = sluice_producer_counts(app->client, &c, sizeof c);
    if (rv != 0) {
        app_complain(app, "counts", rv);
        return;
    }
    int64_t all = c.pending + c.written + c.not_written + c.maybe_written;
    if (all != p->accepted || c.pending < 0 || c.pending_bytes < 0)
        world_violate(w, "%" PRId64 " records were accepted, and the counts say %" PRId64,
                      p->accepted, all);
    if (!app->reports_failed && c.written < p->outcomes[0])
        world_violate(w, "%" PRId64 " records are reported as written, and %" PRId64 " counted",
                      p->outcomes[0], c.written);
}

/* ---- sending ---- */

static int32_t draw_topic(struct app *app) {
    struct workload *load = app->workload;
    if (app->producer->topic >= 0) return app->producer->topic;
    return (int32_t)sl_rng_below(&load->rng, (uint64_t)load->plan.topics);
}

static int32_t draw_partition(struct app *app, int32_t topic, const struct content *c) {
    if (!c->is_explicit) return -1;
    int32_t count = app->workload->plan.partitions[topic];
    return (int32_t)(c->partition_draw % (uint32_t)count);
}

static bool is_refusal_fair(struct app *app, int rv, const struct content *c) {
    size_t size = (size_t)(c->value_size > 0 ? c->value_size : 0) + 400;
    switch (rv) {
    case SLUICE_ERR_FULL:
    case SLUICE_ERR_UNREAD:
        return true;
    case SLUICE_ERR_NOMEM:
        return app_may_lack_memory(app);
    case SLUICE_ERR_TOO_BIG:
        return size > (size_t)app->producer->request_max ||
               size > (size_t)app->producer->buffer_memory / 2;
    default:
        return false;
    }
}

/* sluice_producer_write waits for its record, and reports it itself. */
static int write_one(struct app *app, const sluice_record *r, uint64_t id, int32_t timeout_ms) {
    struct truth *truth = &app->workload->truth;
    sluice_delivery d = {0};
    app_before(app, timeout_ms);
    int rv = sluice_producer_write(app->client, r, sizeof *r, timeout_ms, &d, sizeof d);
    app_after(app, "write");
    bool is_decided = rv == 0 || rv == SLUICE_ERR_NOT_WRITTEN || rv == SLUICE_ERR_MAYBE_WRITTEN;
    if (!is_decided && rv != SLUICE_ERR_TIMEOUT) return rv;
    truth_accepted(truth, id, true);
    app->workload->world->hits[HIT_AWAITED] += is_decided;
    if (is_decided)
        truth_reported(truth, app->truth, id, d.outcome, d.code, d.topic, d.partition,
                       d.base_offset);
    return 0;
}

static void count_send(struct app *app, int rv, bool borrows) {
    struct world *w = app->workload->world;
    w->hits[HIT_BORROWED] += rv == 0 && borrows;
    w->hits[HIT_FULL] += rv == SLUICE_ERR_FULL;
    w->hits[HIT_UNREAD] += rv == SLUICE_ERR_UNREAD;
    w->hits[HIT_ROOM] += rv == 0 && w->now > app->call_at;
}

static int send_one(struct app *app, int32_t timeout_ms) {
    struct workload *load = app->workload;
    struct truth *truth = &load->truth;
    int32_t topic = draw_topic(app);
    uint64_t id = truth_new_record(truth, app->truth, topic, -1);
    const struct content *c = truth_to_send(truth, id);
    struct truth_record *known = truth_find(truth, id);
    known->partition = draw_partition(app, topic, c);
    sluice_record r = {.topic = truth->topics[topic].name,
                       .key = c->key_size < 0 ? NULL : c->key,
                       .key_size = c->key_size < 0 ? 0 : (size_t)c->key_size,
                       .value = c->value_size < 0 ? NULL : c->value,
                       .value_size = c->value_size < 0 ? 0 : (size_t)c->value_size,
                       .headers = c->header_count > 0 ? c->headers : NULL,
                       .header_count = c->header_count,
                       .tag = id};
    if (c->value_size < 0) r.set |= SLUICE_SET_TOMBSTONE;
    if (known->partition >= 0) {
        r.set |= SLUICE_SET_PARTITION;
        r.partition = known->partition;
    }
    if (c->timestamp_ms >= 0) {
        r.set |= SLUICE_SET_TIMESTAMP;
        r.timestamp_ms = c->timestamp_ms;
    }
    if (!app->reports_failed && app_draw(app, 1)) {
        int rv = write_one(app, &r, id, (int32_t)sl_rng_below(&load->rng, 3000));
        if (rv != 0 && !is_refusal_fair(app, rv, truth_to_send(truth, id)))
            app_complain(app, "write", rv);
        return rv;
    }
    bool borrows = c->value_size > 0 && app_draw(app, (uint32_t)app->producer->borrows);
    if (borrows) r.value = truth_lend(truth, id);
    app_before(app, timeout_ms);
    int rv = borrows ? sluice_producer_send_borrowed(app->client, &r, sizeof r, timeout_ms)
                     : sluice_producer_send_record(app->client, &r, sizeof r, timeout_ms);
    app_after(app, "send");
    truth_accepted(truth, id, rv == 0);
    count_send(app, rv, borrows);
    if (rv != 0 && !is_refusal_fair(app, rv, truth_to_send(truth, id)))
        app_complain(app, "send", rv);
    return rv;
}

/* Several records of one topic, none with an explicit partition, in one call. */
static void send_packed(struct app *app) {
    enum { PACKED = 16 };
    static uint8_t data[PACKED * CONTENT_VALUE_MAX];
    int32_t keys[PACKED], values[PACKED], next = 0;
    struct workload *load = app->workload;
    struct truth *truth = &load->truth;
    int32_t topic = draw_topic(app);
    size_t size = 0;
    int32_t count = 0;
    uint64_t first = 0;
    while (count < PACKED) {
        uint64_t id = truth_new_record(truth, app->truth, topic, -1);
        const struct content *c = truth_to_send(truth, id);
        if (c->header_count > 0 || c->timestamp_ms >= 0) break; /* stays refused */
        if (count == 0) first = id;
        if (c->key_size > 0) memcpy(data + size, c->key, (size_t)c->key_size);
        size += c->key_size > 0 ? (size_t)c->key_size : 0;
        if (c->value_size > 0) memcpy(data + size, c->value, (size_t)c->value_size);
        size += c->value_size > 0 ? (size_t)c->value_size : 0;
        keys[count] = c->key_size;
        values[count++] = c->value_size;
    }
    if (count == 0) return;
    sluice_packed packed = {.topic = truth->topics[topic].name,
                            .data = data,
                            .data_size = size,
                            .key_sizes = keys,
                            .value_sizes = values,
                            .count = count,
                            .first_tag = first};
    app_before(app, 0);
    int rv = sluice_producer_send_packed(app->client, &packed, sizeof packed, &next, 0);
    app_after(app, "send_packed");
    for (int32_t i = 0; i < next; i++) truth_accepted(truth, first + (uint64_t)i, true);
    app->sent += next;
    load->world->hits[HIT_PACKED] += next;
    if (rv != 0 && !is_refusal_fair(app, rv, truth_to_send(truth, first + (uint64_t)next)))
        app_complain(app, "send_packed", rv);
    if ((rv == 0) != (next == count)) app_complain(app, "send_packed (its count)", next);
}

static void send_burst(struct app *app) {
    struct workload *load = app->workload;
    uint64_t count = 1 + sl_rng_below(&load->rng, (uint64_t)app->producer->burst);
    int32_t timeout_ms = app_draw(app, 10) ? (int32_t)sl_rng_below(&load->rng, 200) : 0;
    if (app_draw(app, 10)) send_packed(app);
    while (count-- > 0 && app->sent < app->producer->records) {
        int rv = send_one(app, timeout_ms);
        if (rv == SLUICE_ERR_FULL || rv == SLUICE_ERR_UNREAD || world_is_broken(load->world)) break;
        app->sent++;
    }
}

/* ---- other calls ---- */

static void end_op(struct app *app, int32_t timeout_ms) {
    if (app->op == NULL) return;
    app_before(app, timeout_ms);
    int rv = sluice_op_wait(app->op, timeout_ms);
    app_after(app, "op_wait");
    if (rv == SLUICE_ERR_PENDING) return;
    (void)sluice_op_message(app->op);
    sluice_op_free(app->op);
    app->op = NULL;
}

static void flush(struct app *app) {
    struct workload *load = app->workload;
    int32_t timeout_ms = (int32_t)sl_rng_below(&load->rng, app_draw(app, 80) ? 50 : 4000);
    bool wants_ticket = app->op == NULL && app_draw(app, 50);
    app_before(app, wants_ticket ? 0 : timeout_ms);
    int rv = sluice_producer_flush(app->client, timeout_ms, wants_ticket ? &app->op : NULL);
    app_after(app, "flush");
    switch (rv) {
    case 0:
    case SLUICE_ERR_NOT_WRITTEN:
    case SLUICE_ERR_MAYBE_WRITTEN:
    case SLUICE_ERR_TIMEOUT:
        break;
    case SLUICE_ERR_NOMEM:
        if (app_may_lack_memory(app)) break;
        /* fall through */
    default:
        app_complain(app, "flush", rv);
    }
}

static void dump(struct app *app) {
    char text[2000];
    app_before(app, 20);
    int64_t size = sluice_client_dump(app->client, text, sizeof text, 20);
    app_after(app, "dump");
    if (size == 0 || (size < 0 && !(size == SLUICE_ERR_NOMEM && app_may_lack_memory(app))))
        app_complain(app, "dump", (int)size);
}

/* Topics beside those that records go to, asked for with a ticket that may be forgotten. */
static void ask_for_topic(struct app *app) {
    struct workload *load = app->workload;
    char name[32];
    int rv;
    snprintf(name, sizeof name, "side-%d", (int)sl_rng_below(&load->rng, 3));
    if (app->op != NULL) return;
    if (app_draw(app, 60))
        rv = sluice_admin_create_topic(app->client, name, 2, 1, NULL, 2000, &app->op);
    else
        rv = sluice_admin_delete_topic(app->client, name, 2000, &app->op);
    if (rv != 0 && !(rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app)))
        app_complain(app, "admin", rv);
}

static void read_events(struct app *app) {
    sluice_event e;
    for (int i = 0; i < 10; i++) {
        int rv = sluice_client_event(app->client, 0, &e, sizeof e);
        if (rv != 0) app_complain(app, "event", rv);
        if (rv != 0 || e.kind == 0) break;
    }
}

void producer_step(struct app *app) {
    struct workload *load = app->workload;
    if (app->client == NULL && producer_open(app) != 0) return;
    if (load->phase == PHASE_FAULTS && app->sent < app->producer->records) send_burst(app);
    if (world_is_broken(load->world)) return;
    if (load->phase == PHASE_HEALED || app_draw(app, 60))
        (void)take_reports(app, app_draw(app, 10) ? 20 : 0);
    if (app_draw(app, 4)) flush(app);
    if (app_draw(app, 10)) check_counts(app);
    if (app_draw(app, 10)) end_op(app, app_draw(app, 20) ? 100 : 0);
    if (app_draw(app, 10)) read_events(app);
    if (load->phase != PHASE_FAULTS) return;
    if (app_draw(app, 1) && app_draw(app, 50)) (void)sluice_producer_discard(app->client);
    if (app_draw(app, 1)) dump(app);
    if (app_draw(app, 1)) ask_for_topic(app);
    bool may_restart = load->plan.restarts > 0 && load->truth.producer_count < TRUTH_PRODUCERS - 3;
    if (!may_restart || !app_draw(app, (uint32_t)load->plan.restarts)) return;
    if (app_draw(app, 70))
        producer_end(app, (int32_t)sl_rng_below(&load->rng, 1500));
    else
        producer_drop(app);
}

bool producer_is_settled(struct app *app) {
    if (app->client == NULL) return true;
    sluice_counts c;
    if (sluice_producer_counts(app->client, &c, sizeof c) != 0) return false;
    if (c.pending > 0) return false;
    return app->reports_failed || app->workload->truth.producers[app->truth].undecided == 0;
}

/* ---- the end ---- */

static void abandon(struct app *app) {
    struct truth_producer *p = &app->workload->truth.producers[app->truth];
    for (int64_t n = 0; n < p->count; n++) {
        if (!p->records[n].is_accepted || p->records[n].outcome != 0) continue;
        p->records[n].outcome = SLUICE_MAYBE_WRITTEN;
        p->undecided--;
    }
}

static void free_client(struct app *app) {
    /* A ticket and its client may go in any order. */
    bool op_first = app_draw(app, 50);
    if (op_first) sluice_op_free(app->op);
    sluice_client_free(app->client);
    if (!op_first) sluice_op_free(app->op);
    app->op = NULL;
    app->client = NULL;
}

void producer_end(struct app *app, int32_t timeout_ms) {
    struct world *w = app->workload->world;
    struct truth_producer *p;
    if (app->client == NULL) return;
    p = &app->workload->truth.producers[app->truth];
    app_before(app, timeout_ms);
    int rv = sluice_client_close(app->client, timeout_ms, NULL);
    app_after(app, "close");
    world_note(w, WORLD_APP, app->id, 1, rv);
    if (rv != 0 && rv != SLUICE_ERR_NOT_WRITTEN && rv != SLUICE_ERR_MAYBE_WRITTEN)
        app_complain(app, "close", rv);
    check_counts(app);
    app->host->memory.fails = false; /* the set of reports itself takes memory */
    for (int i = 0; i < 10000 && (rv = take_reports(app, 0)) != SLUICE_ERR_CLOSED; i++) {
    }
    if (app->reports_failed) infer_written(app);
    if (p->undecided != 0)
        world_violate(w, "I1: close has returned, and %" PRId64 " records have no report",
                      p->undecided);
    free_client(app);
}

void producer_drop(struct app *app) {
    if (app->client == NULL) return;
    world_note(app->workload->world, WORLD_APP, app->id, 2, 0);
    (void)take_reports(app, 0);
    free_client(app);
    abandon(app);
}
