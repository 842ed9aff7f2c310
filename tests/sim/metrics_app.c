/* What a client's metrics say must agree with itself at any time, and with the truth when nothing
 * is under way (I21). */
#include <inttypes.h>
#include <string.h>

#include "sim/workload.h"

/* The value of a metric, summed over all that it is of; -1: there is none. */
static int64_t sum_metric(const sluice_table *t, const char *group, const char *name) {
    int64_t sum = -1;
    for (int32_t row = 0; row < sluice_table_rows(t); row++) {
        if (strcmp(sluice_table_str(t, row, "name"), name) != 0) continue;
        if (strcmp(sluice_table_str(t, row, "group"), group) != 0) continue;
        int64_t value = sluice_table_int(t, row, "value", -1);
        sum = sum < 0 ? value : sum + value;
    }
    return sum;
}

static void expect_value(struct app *app, const sluice_table *t, const char *group,
                         const char *name, int64_t value) {
    int64_t told = sum_metric(t, group, name);
    if (told != value)
        world_violate(app->workload->world,
                      "I21: %s of application %d is %" PRId64 ", and should be %" PRId64, name,
                      app->id, told, value);
}

static void check_records(struct app *app, const sluice_table *t) {
    static const char group[] = "producer-metrics";
    int64_t decided = sum_metric(t, group, "record-written-total") +
                      sum_metric(t, group, "record-not-written-total") +
                      sum_metric(t, group, "record-maybe-written-total");
    int64_t sent = sum_metric(t, group, "record-send-total");
    expect_value(app, t, group, "record-accept-total",
                 decided + sum_metric(t, group, "records-queued"));
    /* No record is written that was not sent; there is no such topic before a record of it. */
    if (sent < sum_metric(t, group, "record-written-total"))
        world_violate(app->workload->world, "I21: more records of application %d written than sent",
                      app->id);
    int64_t by_topic = sum_metric(t, "producer-topic-metrics", "record-send-total");
    expect_value(app, t, group, "record-send-total", by_topic < 0 ? 0 : by_topic);
}

static void check_rest(struct app *app, const sluice_table *t) {
    static const char group[] = "producer-metrics";
    const struct truth_producer *p = &app->workload->truth.producers[app->truth];
    sluice_counts c;
    if (sluice_producer_counts(app->client, &c, sizeof c) != 0) return;
    expect_value(app, t, group, "record-accept-total", p->accepted);
    expect_value(app, t, group, "record-written-total", c.written);
    expect_value(app, t, group, "record-not-written-total", c.not_written);
    expect_value(app, t, group, "record-maybe-written-total", c.maybe_written);
    expect_value(app, t, group, "records-queued", 0);
    /* All that was lent is back: of records, unless they expired and a request or a job still has
     * their batch (of a partition that may be gone by now, so batches in flight do not tell); of
     * reports, unless they are read at leisure. */
    int64_t unread = sum_metric(t, group, "buffer-unread-bytes");
    if (!app->reports_failed) expect_value(app, t, group, "buffer-unread-bytes", 0);
    int64_t *hits = app->workload->world->hits;
    if (sum_metric(t, group, "requests-in-flight") == 0 &&
        sum_metric(t, group, "compression-jobs") == 0) {
        expect_value(app, t, group, "buffer-available-bytes",
                     app->producer->buffer_memory - unread);
        hits[HIT_WHOLE]++;
    }
    hits[HIT_SPLIT] += sum_metric(t, group, "batch-split-total");
    if (sum_metric(t, "producer-partition-metrics", "batches-queued") > 0)
        world_violate(app->workload->world, "I21: application %d has no record and still batches",
                      app->id);
}

/* The positions as the application sees them, in short. */
struct sights {
    int64_t lag_most; /* -1: not known of any */
    int32_t count;    /* -1: it could not look */
};

static struct sights look_at_positions(struct app *app) {
    struct sights seen = {.lag_most = -1, .count = -1};
    sluice_offsets *list;
    sluice_offset o;
    if (sluice_consumer_positions(app->client, &list) != 0) return seen;
    for (seen.count = 0; sluice_offsets_at(list, seen.count, &o, sizeof o) == 1; seen.count++) {
        int64_t lag = o.offset < 0 || o.end < 0 ? -1 : o.end > o.offset ? o.end - o.offset : 0;
        if (lag > seen.lag_most) seen.lag_most = lag;
    }
    sluice_offsets_free(list);
    return seen;
}

/* The snapshot is of a moment between two looks, and an answer may have come between them. */
static void check_positions(struct app *app, const sluice_table *t, struct sights before) {
    struct sights after = look_at_positions(app);
    if (after.count < 0 || before.count != after.count || before.lag_most != after.lag_most) return;
    expect_value(app, t, "consumer-fetch-manager-metrics", "records-lag-max", after.lag_most);
    expect_value(app, t, "consumer-fetch-manager-metrics", "assigned-partitions", after.count);
    app->workload->world->hits[HIT_LAG]++;
}

static void count_near(struct app *app, const sluice_table *t) {
    for (int32_t row = 0; row < sluice_table_rows(t); row++)
        if (strcmp(sluice_table_str(t, row, "name"), "preferred-read-replica") == 0 &&
            sluice_table_int(t, row, "value", -1) >= 0)
            app->workload->world->hits[HIT_NEAR]++;
}

static void check_connections(struct app *app, const sluice_table *t) {
    const char *group = app->kind == APP_PRODUCER ? "producer-metrics" : "consumer-metrics";
    expect_value(app, t, group, "connection-count",
                 sum_metric(t, group, "connection-creation-total") -
                     sum_metric(t, group, "connection-close-total"));
    if (sum_metric(t, group, "request-total") < sum_metric(t, group, "response-total"))
        world_violate(app->workload->world,
                      "I21: application %d got more answers than it asked for", app->id);
}

void app_check_metrics(struct app *app, bool is_at_rest) {
    enum { PATIENCE_MS = 1000 };
    sluice_op *op;
    struct sights before = {.count = -1};
    if (app->client == NULL) return;
    if (app->kind == APP_CONSUMER && is_at_rest) before = look_at_positions(app);
    int rv = sluice_metrics_snapshot(app->client, PATIENCE_MS, &op);
    if (rv == 0) {
        app_before(app, PATIENCE_MS);
        rv = sluice_op_wait(op, PATIENCE_MS);
        app_after(app, "metrics");
    }
    const sluice_table *t = rv == 0 ? sluice_op_table(op, "metrics") : NULL;
    if (t != NULL) {
        check_connections(app, t);
        count_near(app, t);
        if (app->kind == APP_PRODUCER) check_records(app, t);
        if (app->kind == APP_PRODUCER && is_at_rest) check_rest(app, t);
        if (app->kind == APP_CONSUMER && is_at_rest) check_positions(app, t, before);
    } else if (!(rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app))) {
        app_complain(app, "metrics", rv);
    }
    sluice_op_free(op);
}
