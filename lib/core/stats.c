/* Counting: what each event adds to, and what the windows say of the recent past.
 *
 * A window is a span of 30 seconds by number; a value goes to the slot of its span, odd or even,
 * which is cleared when it still has an older one. A reader takes the slots of the present span
 * and the one before. So time passes without anybody's doing, and noting a value costs a division.
 *
 * Buckets of durations: four of 4 us below 16 us, then four a doubling up to 134 s; longer ones are
 * counted in the last, and their true length is known by the maximum alone.
 *
 * Not here: names and meanings (metrics.c). */
#include "core/stats.h"

#include <string.h>

#include "core/produce.h"
#include "core/unit.h"

enum {
    STATS_SPAN_S = 30,      /* as the Java client's two windows of 30 s */
    STATS_LINEAR = 16,      /* us: below, buckets are of equal width */
    STATS_LINEAR_SHIFT = 2, /* four of 4 us */
    STATS_MILLION = 1000000
};

/* ---- means and spreads ---- */

static int64_t stats_span(int64_t now) { return now / (STATS_SPAN_S * INT64_C(1000000000)); }

void sl_stats_add(struct sl_mean *mean, int64_t now, int64_t value) {
    int64_t span = stats_span(now);
    struct sl_stats_window *window = &mean->windows[span & 1];
    if (window->span != span) *window = (struct sl_stats_window){.span = span};
    window->count++;
    window->sum += value;
    if (value > window->most) window->most = value;
    mean->count++;
    mean->sum += value;
}

static int find_bucket(int64_t ns) {
    uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    if (us < STATS_LINEAR) return (int)(us >> STATS_LINEAR_SHIFT);
    int shift = 61 - __builtin_clzll(us); /* leaves 4 to 7: the doubling's quarter */
    int bucket = 4 * (shift - STATS_LINEAR_SHIFT + 1) + (int)(us >> shift) - 4;
    return bucket < SL_STATS_BUCKETS ? bucket : SL_STATS_BUCKETS - 1;
}

/* The first duration beyond the bucket, in ns. */
static int64_t bucket_end(int bucket) {
    if (bucket < 4) return INT64_C(1000) * ((bucket + 1) << STATS_LINEAR_SHIFT);
    int shift = bucket / 4 - 1 + STATS_LINEAR_SHIFT;
    return INT64_C(1000) * ((INT64_C(5) + bucket % 4) << shift);
}

void sl_stats_add_time(struct sl_spread *spread, int64_t now, int64_t ns) {
    int64_t span = stats_span(now);
    uint32_t *buckets = spread->buckets[span & 1];
    if (spread->mean.windows[span & 1].span != span) memset(buckets, 0, sizeof spread->buckets[0]);
    buckets[find_bucket(ns)]++;
    sl_stats_add(&spread->mean, now, ns);
}

static bool is_recent(const struct sl_stats_window *window, int64_t now) {
    return window->count > 0 && window->span >= stats_span(now) - 1;
}

struct sl_stats_recent sl_stats_recent(const struct sl_mean *mean, int64_t now) {
    struct sl_stats_recent out = {0};
    for (int i = 0; i < 2; i++) {
        const struct sl_stats_window *window = &mean->windows[i];
        if (!is_recent(window, now)) continue;
        out.count += window->count;
        out.sum += window->sum;
        if (window->most > out.most) out.most = window->most;
    }
    return out;
}

int64_t sl_stats_quantile(const struct sl_spread *spread, int64_t now, int part) {
    struct sl_stats_recent recent = sl_stats_recent(&spread->mean, now);
    if (recent.count == 0) return -1;
    int64_t seen = 0;
    for (int bucket = 0; bucket < SL_STATS_BUCKETS - 1; bucket++) {
        for (int i = 0; i < 2; i++)
            if (is_recent(&spread->mean.windows[i], now)) seen += spread->buckets[i][bucket];
        if (seen * 1000 >= recent.count * part)
            return bucket_end(bucket) < recent.most ? bucket_end(bucket) : recent.most;
    }
    return recent.most;
}

/* ---- connections and requests ---- */

void sl_stats_on_turn(struct sl_core *core) { core->stats.turns++; }

static bool is_connected_in(int state) {
    return state >= SL_LINK_NEGOTIATING && state <= SL_LINK_DRAINING;
}

void sl_stats_on_link_state(struct sl_link *link, int next) {
    bool was_connected = is_connected_in((int)link->state);
    if (was_connected == is_connected_in(next)) return;
    if (was_connected) {
        link->core->stats.closes++;
    } else {
        link->core->stats.connects++;
        link->counts.connects++;
    }
}

void sl_stats_on_link_failure(struct sl_link *link) {
    link->core->stats.failures++;
    link->counts.failures++;
}

void sl_stats_on_request_timeout(struct sl_link *link) {
    link->core->stats.timeouts++;
    link->counts.timeouts++;
}

void sl_stats_on_bytes_out(struct sl_link *link, size_t size) {
    link->core->stats.bytes_out += size;
    link->counts.bytes_out += size;
}

void sl_stats_on_bytes_in(struct sl_link *link, size_t size) {
    link->core->stats.bytes_in += size;
    link->counts.bytes_in += size;
}

void sl_stats_on_request(struct sl_link *link, const struct sl_request *request) {
    link->core->stats.requests++;
    link->core->stats.apis[request->api->key].requests++;
    link->counts.requests++;
}

void sl_stats_on_answer(struct sl_link *link, const struct sl_request *request) {
    struct sl_stats *stats = &link->core->stats;
    int64_t now = link->core->now;
    int64_t ns = now - request->queued_at;
    stats->responses++;
    stats->apis[request->api->key].responses++;
    link->counts.responses++;
    sl_stats_add(&stats->apis[request->api->key].latency, now, ns);
    sl_stats_add_time(&link->latency, now, ns);
    if (request->api->key == SL_API_PRODUCE) sl_stats_add_time(&stats->produce_time, now, ns);
    if (request->api->key == SL_API_FETCH) sl_stats_add_time(&stats->fetch_time, now, ns);
}

void sl_stats_on_unanswered(struct sl_core *core, const struct sl_request *request) {
    core->stats.apis[request->api->key].errors++;
}

void sl_stats_on_throttle(struct sl_core *core, int16_t api_key, int32_t throttle_ms) {
    sl_stats_add(&core->stats.apis[api_key].throttle, core->now, throttle_ms > 0 ? throttle_ms : 0);
}

/* ---- producing ---- */

static struct sl_topic_counts *topic_counts(const struct sl_batch *batch) {
    struct sl_batching *batching = batch->partition->topic->batching;
    return &batching->counts;
}

void sl_stats_on_sealed(struct sl_core *core, const struct sl_batch *batch, size_t uncompressed) {
    struct sl_stats *stats = &core->stats;
    stats->batches_sealed++;
    stats->bytes_uncompressed += uncompressed;
    stats->bytes_sealed += (uint64_t)batch->size;
    sl_stats_add(&stats->packing, core->now,
                 (int64_t)batch->size * STATS_MILLION / (int64_t)uncompressed);
}

void sl_stats_on_split(struct sl_core *core) { core->stats.batches_split++; }

void sl_stats_on_batch_sent(struct sl_core *core, const struct sl_batch *batch) {
    struct sl_stats *stats = &core->stats;
    struct sl_topic_counts *topic = topic_counts(batch);
    stats->records_sent += (uint64_t)batch->count;
    stats->bytes_sent += (uint64_t)batch->size;
    stats->batches_sent++;
    topic->records_sent += (uint64_t)batch->count;
    topic->bytes_sent += (uint64_t)batch->size;
    sl_stats_add(&stats->batch_size, core->now, batch->size);
    if (batch->attempts == 1)
        sl_stats_add_time(&stats->queue_time, core->now, core->now - batch->opened_at);
}

void sl_stats_on_produce(struct sl_core *core, int64_t records) {
    sl_stats_add(&core->stats.request_size, core->now, records);
}

void sl_stats_on_retry(struct sl_core *core, const struct sl_batch *batch) {
    core->stats.apis[SL_API_PRODUCE].retries++;
    core->stats.records_retried += (uint64_t)batch->count;
    topic_counts(batch)->records_retried += (uint64_t)batch->count;
}

void sl_stats_on_decided(struct sl_core *core, const struct sl_batch *batch, int outcome) {
    sl_stats_add_time(&core->stats.decide_time, core->now, core->now - batch->opened_at);
    if (outcome != SL_OUTCOME_WRITTEN)
        topic_counts(batch)->records_failed += (uint64_t)batch->count;
}

void sl_stats_on_outcome(struct sl_core *core, int64_t records, int outcome) {
    struct sl_stats *stats = &core->stats;
    if (outcome == SL_OUTCOME_WRITTEN)
        stats->records_written += (uint64_t)records;
    else if (outcome == SL_OUTCOME_NOT_WRITTEN)
        stats->records_not_written += (uint64_t)records;
    else
        stats->records_maybe_written += (uint64_t)records;
}

void sl_stats_on_expired(struct sl_core *core, int64_t records) {
    core->stats.records_expired += (uint64_t)records;
}

/* ---- consuming ---- */

void sl_stats_on_fetched(struct sl_core *core, uint64_t records, uint64_t bytes) {
    sl_stats_add(&core->stats.answer_records, core->now, (int64_t)records);
    sl_stats_add(&core->stats.answer_bytes, core->now, (int64_t)bytes);
}

void sl_stats_on_commit(struct sl_core *core, int64_t ns, int code) {
    if (code != 0) {
        core->stats.commit_failures++;
        return;
    }
    core->stats.commits++;
    sl_stats_add(&core->stats.commit_time, core->now, ns);
}
