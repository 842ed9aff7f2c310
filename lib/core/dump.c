/* The state of a client as text, for people: settings without secrets, brokers and their links,
 * topics, operations, counters. One line per thing, indented below its owner; times are relative
 * to now. The format may change with any release. */
#include <inttypes.h>

#include "core/unit.h"

/* Milliseconds from now, or "-" for never. */
static void dump_time(const struct sl_core *core, struct sl_text *out, const char *name,
                      int64_t at) {
    if (at == SL_NEVER || at == 0) {
        sl_text_printf(out, " %s=-", name);
    } else {
        sl_text_printf(out, " %s=%+" PRId64 "ms", name, (at - core->now) / SL_MS);
    }
}

static void dump_settings(const struct sl_settings *s, struct sl_text *out) {
    static const char *const roles[] = {[SL_ROLE_PRODUCER] = "producer",
                                        [SL_ROLE_CONSUMER] = "consumer",
                                        [SL_ROLE_ADMIN] = "admin"};
    sl_text_printf(out, "settings role=%s client.id=%s request.timeout.ms=%" PRId32 " bootstrap=",
                   roles[s->role], s->client_id != NULL ? s->client_id : "", s->request_timeout_ms);
    for (int32_t i = 0; i < s->bootstrap_count; i++) {
        sl_text_printf(out, "%s%s:%u", i > 0 ? "," : "", s->bootstrap[i].host,
                       s->bootstrap[i].port);
    }
    sl_text_put(out, "\n");
}

static void dump_link(const struct sl_core *core, const struct sl_link *link, struct sl_text *out) {
    const struct sl_link_counts *c = &link->counts;
    sl_text_printf(out, "  link %s %s id=%" PRIu32 " in_flight=%" PRIu32,
                   sl_link_purpose_name(link->purpose), sl_link_state_name(link->state), link->id,
                   link->in_flight);
    dump_time(core, out, "muted", link->muted_until);
    dump_time(core, out, "timer", link->timer.index != SL_HEAP_IDLE ? link->timer.at : SL_NEVER);
    sl_text_printf(out,
                   " requests=%" PRIu64 " responses=%" PRIu64 " out=%" PRIu64 "B in=%" PRIu64
                   "B opens=%" PRIu64 " failures=%" PRIu64 " timeouts=%" PRIu64 "\n",
                   c->requests, c->responses, c->bytes_out, c->bytes_in, c->opens, c->failures,
                   c->timeouts);
}

static void dump_brokers(const struct sl_core *core, struct sl_text *out) {
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        const struct sl_broker *broker = SL_LIST_OF(node, const struct sl_broker, node);
        sl_text_printf(out, "broker %" PRId32 " %s:%u%s failures=%" PRIu32, broker->id,
                       broker->host, broker->port, broker->gone ? " gone" : "", broker->failures);
        dump_time(core, out, "retry",
                  sl_brokers_is_backing_off(broker) ? broker->retry_at : SL_NEVER);
        sl_text_printf(out, "%s%s\n", broker->story[0] != '\0' ? " last: " : "", broker->story);
        for (int i = 0; i < SL_PURPOSE_COUNT; i++) {
            if (broker->links[i] != NULL) dump_link(core, broker->links[i], out);
        }
    }
}

static void dump_produce(const struct sl_partition *partition, struct sl_text *out) {
    const struct sl_partition_produce *p = &partition->produce;
    if (!p->is_set_up) return;
    sl_text_printf(out,
                   " queued=%" PRId32 " in_flight=%" PRId32 " sequence=%" PRId32 " epoch=%d%s%s",
                   p->queued, p->in_flight_count, p->next_sequence, p->epoch,
                   p->one_at_a_time ? " one-at-a-time" : "", p->unresolved ? " unresolved" : "");
}

static void dump_fetch(const struct sl_core *core, const struct sl_partition *partition,
                       struct sl_text *out) {
    static const char *const states[] = {[SL_FETCH_LOOKING] = "looking",
                                         [SL_FETCH_RUNNING] = "running",
                                         [SL_FETCH_STOPPED] = "stopped"};
    const struct sl_fetch_position *f = partition->fetch;
    if (f == NULL || core->settings->role != SL_ROLE_CONSUMER) return;
    sl_text_printf(
        out, " fetch=%s%s offset=%" PRId64 " high_watermark=%" PRId64 " records=%" PRIu64,
        states[f->state], f->paused ? " paused" : "", f->offset, f->high_watermark, f->records);
}

static void dump_topics(const struct sl_core *core, struct sl_text *out) {
    const struct sl_metadata *m = &core->metadata;
    sl_text_printf(out, "metadata cluster=%s controller=%" PRId32 " attempts=%" PRIu32,
                   m->cluster_id != NULL ? m->cluster_id : "-", m->controller, m->call.attempts);
    dump_time(core, out, "refresh", m->next_refresh);
    dump_time(core, out, "outage", m->outage_since);
    sl_text_put(out, "\n");
    for (uint32_t i = 0; i < m->topic_count; i++) {
        const struct sl_topic *topic = m->topics[i];
        char id[23];
        sl_text_uuid(topic->id.bytes, id);
        sl_text_printf(out,
                       "topic %s id=%s partitions=%" PRId32 " code=%d generation=%" PRIu32 "\n",
                       topic->name, id, topic->partition_count, topic->code, topic->generation);
        for (int32_t k = 0; k < topic->partition_count; k++) {
            const struct sl_partition *partition = topic->partitions[k];
            sl_text_printf(out,
                           "  partition %" PRId32 " leader=%" PRId32 " epoch=%" PRId32 " code=%d",
                           k, partition->leader, partition->leader_epoch, partition->code);
            dump_produce(partition, out);
            dump_fetch(core, partition, out);
            sl_text_put(out, "\n");
        }
    }
}

static void dump_ops(const struct sl_core *core, struct sl_text *out) {
    for (uint32_t i = 0; i < core->ops.timers.count; i++) {
        const struct sl_op *op = SL_LIST_OF(core->ops.timers.nodes[i], const struct sl_op, timer);
        sl_text_printf(out, "op %" PRIu64, op->id);
        dump_time(core, out, "deadline", op->deadline);
        sl_text_put(out, "\n");
    }
}

static void dump_counters(const struct sl_core *core, struct sl_text *out) {
    for (int i = 0; sl_api_at(i) != NULL; i++) {
        const struct sl_api *api = sl_api_at(i);
        const struct sl_api_counts *c = &core->stats.apis[api->key];
        if (c->requests == 0) continue;
        struct sl_stats_recent latency = sl_stats_recent(&c->latency, core->now);
        sl_text_printf(out,
                       "api %s requests=%" PRIu64 " responses=%" PRIu64 " errors=%" PRIu64
                       " retries=%" PRIu64 " latency_mean=%" PRId64 "us latency_max=%" PRId64
                       "us throttle=%" PRId64 "ms\n",
                       api->name, c->requests, c->responses, c->errors, c->retries,
                       latency.count > 0 ? latency.sum / latency.count / 1000 : 0,
                       latency.most / 1000, c->throttle.sum);
    }
    const struct sl_stats *s = &core->stats;
    sl_text_printf(out,
                   "sent records=%" PRIu64 " bytes=%" PRIu64 " batches=%" PRIu64
                   "\nfetched records=%" PRIu64 " bytes=%" PRIu64 " batches=%" PRIu64 "\n",
                   s->records_sent, s->bytes_sent, s->batches_sent, s->records_fetched,
                   s->bytes_fetched, s->batches_fetched);
}

void sl_core_dump(const struct sl_core *core, struct sl_text *out) {
    static const char *const states[] = {
        [SL_CORE_OPEN] = "open", [SL_CORE_CLOSING] = "closing", [SL_CORE_CLOSED] = "closed"};
    sl_text_printf(out, "client %s%s", states[core->state],
                   core->brokers.bootstrapping ? " bootstrapping" : "");
    dump_time(core, out, "deadline", sl_core_deadline(core));
    sl_text_put(out, "\n");
    dump_settings(core->settings, out);
    dump_brokers(core, out);
    dump_topics(core, out);
    if (core->settings->role == SL_ROLE_PRODUCER) {
        sl_text_printf(out, "producer pending=%" PRIu64 " accepted=%" PRIu64 "\n",
                       sl_batcher_pending(core), core->batcher.accepted);
    }
    if (core->settings->role == SL_ROLE_CONSUMER) {
        sl_fetcher_dump(core, out);
        sl_group_dump(core, out);
        sl_committer_dump(core, out);
    }
    dump_ops(core, out);
    dump_counters(core, out);
}
