/* A snapshot of all metrics: one walk over the list (metrics_list.c), and for each metric over all
 * that it is of, so that the rows of one metric lie together, as text formats want them.
 *
 * It runs on the I/O thread, in one turn, so what it says of core belongs to one moment; that is
 * why it needs no lock and the counters no atomics. What the inbox knows comes with the command,
 * read in the same turn, when all that core gave back before is in it. The positions of a consumer,
 * which are the gate's, are as old as the call.
 *
 * Recent averages without a value have a null there; the row is there all the same, so that a
 * dashboard knows the name. */
#include "core/metrics.h"

#include <stdio.h>
#include <string.h>

#include "core/table.h"
#include "core/unit.h"
#include "sluice/error.h"

/* The columns; those after VALUE say what the metric is of. */
enum {
    METRIC_GROUP = 0,
    METRIC_NAME,
    METRIC_TYPE,
    METRIC_VALUE,
    METRIC_CLIENT,
    METRIC_NODE,
    METRIC_LINK,
    METRIC_API,
    METRIC_TOPIC,
    METRIC_PARTITION,
    METRIC_COLUMNS
};
static const char *const metric_columns[METRIC_COLUMNS] = {
    "group", "name", "type", "value", "client-id", "node-id", "link", "api", "topic", "partition"};

struct metrics_writing {
    struct sl_core *core;
    struct sl_table *table;
    const struct sl_offsets *positions; /* NULL: not a consumer */
    struct sl_metrics_now now;
    const char *client_id; /* kept by the table */
    const char *group;     /* the same */
    const struct sl_metric *metric;
};

bool sl_metrics_is_counter(const struct sl_metric *metric) {
    return metric->kind == SL_METRIC_COUNTER || metric->kind == SL_METRIC_TOTAL;
}

/* ---- values ---- */

static struct sl_cell scale_metric(int64_t number, double unit) {
    if (unit >= 1) return sl_table_int(number);
    return sl_table_real((double)number * unit);
}

static struct sl_cell measure_recent(const struct sl_metric *metric, const struct sl_mean *mean,
                                     int64_t now) {
    struct sl_stats_recent recent = sl_stats_recent(mean, now);
    if (recent.count == 0) return sl_table_text(NULL);
    if (metric->kind == SL_METRIC_MOST) return scale_metric(recent.most, metric->unit);
    return sl_table_real((double)recent.sum / (double)recent.count * metric->unit);
}

static struct sl_cell measure_quantile(const struct sl_metric *metric,
                                       const struct sl_spread *spread, int64_t now) {
    enum { HALF = 500, NEARLY_ALL = 990 };
    int64_t ns =
        sl_stats_quantile(spread, now, metric->kind == SL_METRIC_MEDIAN ? HALF : NEARLY_ALL);
    return ns < 0 ? sl_table_text(NULL) : scale_metric(ns, metric->unit);
}

/* base: the struct that the metric's offset is in. */
static struct sl_cell read_metric(const struct sl_metric *metric, const void *base, int64_t now) {
    const void *at = (const uint8_t *)base + metric->offset;
    int64_t number;
    int32_t small;
    switch (metric->kind) {
    case SL_METRIC_TOTAL:
        return scale_metric(((const struct sl_mean *)at)->sum, metric->unit);
    case SL_METRIC_MEAN:
    case SL_METRIC_MOST:
        return measure_recent(metric, at, now); /* a spread begins with its mean */
    case SL_METRIC_MEDIAN:
    case SL_METRIC_P99:
        return measure_quantile(metric, at, now);
    case SL_METRIC_GAUGE_32:
        memcpy(&small, at, sizeof small);
        return sl_table_int(small);
    case SL_METRIC_COUNTER:
    case SL_METRIC_GAUGE:
    case SL_METRIC_BALANCE:
        break;
    }
    memcpy(&number, at, sizeof number);
    if (number < 0 && metric->kind == SL_METRIC_GAUGE) return sl_table_text(NULL);
    return scale_metric(number, metric->unit);
}

/* A row of the metric at hand, to be told what it is of; NULL: out of memory. */
static struct sl_cell *add_metric(struct metrics_writing *w, const void *base) {
    struct sl_cell *row = sl_table_add(w->table);
    if (row == NULL) return NULL;
    row[METRIC_GROUP] = sl_table_text(w->group);
    row[METRIC_NAME] = sl_table_text(w->metric->name);
    row[METRIC_TYPE] = sl_table_text(sl_metrics_is_counter(w->metric) ? "counter" : "gauge");
    row[METRIC_VALUE] = read_metric(w->metric, base, w->core->now);
    row[METRIC_CLIENT] = sl_table_text(w->client_id);
    return row;
}

/* ---- what metrics are of ---- */

static void write_api_rows(struct metrics_writing *w) {
    const struct sl_api *api;
    for (int i = 0; (api = sl_api_at(i)) != NULL; i++) {
        const struct sl_api_counts *counts = &w->core->stats.apis[api->key];
        if (counts->requests == 0) continue;
        struct sl_cell *row = add_metric(w, counts);
        if (row == NULL) return;
        row[METRIC_API] = sl_table_text(api->name);
    }
}

static void write_link_rows(struct metrics_writing *w) {
    SL_LIST_EACH(it, tmp, &w->core->brokers.all) {
        const struct sl_broker *broker = SL_LIST_OF(it, const struct sl_broker, node);
        for (int i = 0; i < SL_PURPOSE_COUNT && broker->id >= 0; i++) {
            if (broker->links[i] == NULL) continue;
            struct sl_cell *row = add_metric(w, broker->links[i]);
            if (row == NULL) return;
            row[METRIC_NODE] = sl_table_int(broker->id);
            row[METRIC_LINK] = sl_table_text(sl_link_purpose_name((enum sl_purpose)i));
        }
    }
}

static void write_partition_rows(struct metrics_writing *w, const struct sl_topic *topic) {
    const char *name = NULL;
    for (int32_t i = 0; i < topic->partition_count; i++) {
        const struct sl_partition *p = topic->partitions[i];
        if (!p->produce.is_set_up) continue;
        if (name == NULL) name = sl_table_keep(w->table, topic->name);
        struct sl_cell *row = add_metric(w, &p->produce);
        if (row == NULL || name == NULL) return;
        row[METRIC_TOPIC] = sl_table_text(name);
        row[METRIC_PARTITION] = sl_table_int(p->index);
    }
}

static void write_topic_row(struct metrics_writing *w, const struct sl_topic *topic) {
    const struct sl_batching *batching = topic->batching;
    struct sl_cell *row = add_metric(w, &batching->counts);
    if (row != NULL) row[METRIC_TOPIC] = sl_table_text(sl_table_keep(w->table, topic->name));
}

static void write_produced_rows(struct metrics_writing *w, enum sl_metric_subject subject) {
    const struct sl_metadata *m = &w->core->metadata;
    for (uint32_t i = 0; i < m->topic_count; i++) {
        if (m->topics[i]->batching == NULL) continue;
        if (subject == SL_METRIC_OF_TOPIC)
            write_topic_row(w, m->topics[i]);
        else
            write_partition_rows(w, m->topics[i]);
    }
}

static int64_t measure_lag(const struct sl_offset_entry *entry) {
    if (entry->offset < 0 || entry->end < 0) return -1;
    return entry->end > entry->offset ? entry->end - entry->offset : 0;
}

static int64_t find_replica(const struct sl_core *core, const struct sl_offset_entry *entry) {
    const struct sl_topic *topic =
        sl_map_get(&core->metadata.by_name, entry->topic, strlen(entry->topic));
    if (topic == NULL || entry->partition >= topic->partition_count) return -1;
    const struct sl_fetch_position *position = topic->partitions[entry->partition]->fetch;
    return position == NULL || position->near.until == 0 ? -1 : position->near.node;
}

static void write_position_rows(struct metrics_writing *w) {
    for (int32_t i = 0; w->positions != NULL && i < w->positions->count; i++) {
        const struct sl_offset_entry *entry = &w->positions->entries[i];
        struct sl_metrics_position position = {.lag = measure_lag(entry),
                                               .replica = find_replica(w->core, entry)};
        struct sl_cell *row = add_metric(w, &position);
        if (row == NULL) return;
        row[METRIC_TOPIC] = sl_table_text(sl_table_keep(w->table, entry->topic));
        row[METRIC_PARTITION] = sl_table_int(entry->partition);
    }
}

static void write_metric(struct metrics_writing *w, enum sl_metric_subject subject) {
    switch (subject) {
    case SL_METRIC_OF_CLIENT:
        (void)add_metric(w, &w->now);
        break;
    case SL_METRIC_OF_STATS:
        (void)add_metric(w, &w->core->stats);
        break;
    case SL_METRIC_OF_API:
        write_api_rows(w);
        break;
    case SL_METRIC_OF_LINK:
        write_link_rows(w);
        break;
    case SL_METRIC_OF_TOPIC:
    case SL_METRIC_OF_PARTITION:
        write_produced_rows(w, subject);
        break;
    case SL_METRIC_OF_POSITION:
        write_position_rows(w);
        break;
    }
}

/* ---- the present state ---- */

static void gather_positions(struct metrics_writing *w) {
    w->now.lag_most = -1;
    w->now.assigned = w->positions != NULL ? w->positions->count : 0;
    for (int32_t i = 0; i < w->now.assigned; i++) {
        int64_t lag = measure_lag(&w->positions->entries[i]);
        if (lag > w->now.lag_most) w->now.lag_most = lag;
    }
}

static void gather_now(struct metrics_writing *w) {
    const struct sl_core *core = w->core;
    const struct sl_metadata *m = &core->metadata;
    struct sl_metrics_now *now = &w->now;
    now->connections = (int64_t)(core->stats.connects - core->stats.closes);
    SL_LIST_EACH(it, tmp, &core->links.all) {
        now->in_flight += SL_LIST_OF(it, const struct sl_link, node)->in_flight;
    }
    now->metadata_age = m->full_updated_at != 0 ? core->now - m->full_updated_at : -1;
    now->buffer_total = core->settings->buffer_memory;
    now->buffer_free = now->buffer_total - now->mail.used;
    if (core->settings->role == SL_ROLE_PRODUCER) {
        now->accepted = core->batcher.accepted;
        now->queued = (int64_t)sl_batcher_pending(core);
        now->jobs = core->batcher.jobs_out;
    }
    if (core->settings->role == SL_ROLE_CONSUMER) {
        now->receive_total = core->settings->fetch_memory;
        now->receive_free = core->fetcher.free_bytes;
        gather_positions(w);
    }
}

/* ---- the whole ---- */

static void write_metric_set(struct metrics_writing *w, const struct sl_metric_set *set) {
    static const char *const roles[] = {[SL_ROLE_PRODUCER] = "producer",
                                        [SL_ROLE_CONSUMER] = "consumer",
                                        [SL_ROLE_ADMIN] = "admin-client"};
    enum sl_role role = w->core->settings->role;
    char group[64];
    if ((set->roles & 1 << role) == 0) return;
    (void)snprintf(group, sizeof group, "%s-%s", roles[role], set->group);
    w->group = sl_table_keep(w->table, group);
    for (int32_t i = 0; i < set->count && !w->table->failed; i++) {
        w->metric = &set->metrics[i];
        write_metric(w, set->subject);
    }
}

/* 0 or NOMEM. */
static int make_metrics(struct sl_core *core, const struct sl_command *command,
                        struct sl_table **out) {
    struct metrics_writing w = {
        .core = core, .positions = command->offsets, .now.mail = command->mail};
    int rv = sl_table_create(core->alloc, "metrics", metric_columns, METRIC_COLUMNS, &w.table);
    if (rv != 0) return rv;
    const char *client_id = core->settings->client_id;
    w.client_id = sl_table_keep(w.table, client_id != NULL ? client_id : "");
    gather_now(&w);
    const struct sl_metric_set *set;
    for (int i = 0; (set = sl_metrics_set_at(i)) != NULL && !w.table->failed; i++)
        write_metric_set(&w, set);
    if (w.table->failed) {
        sl_table_destroy(w.table);
        return SLUICE_ERR_NOMEM;
    }
    *out = w.table;
    return 0;
}

void sl_metrics_on_command(struct sl_core *core, struct sl_command *command) {
    struct sl_op *op = command->op;
    int rv = make_metrics(core, command, &op->table);
    command->op = NULL;
    sl_ops_end(&core->ops, op, rv, rv == 0 ? NULL : "no memory for the table of metrics");
}
