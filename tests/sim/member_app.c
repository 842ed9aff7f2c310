/* Simulated members of one group: they subscribe to the same topics, share what there is, come and
 * go. Of every partition the group as a whole knows which records were handed out and which were
 * processed, by whomever:
 *
 *   I23  a member gets records of partitions that it has, and that no notice has asked it for; and
 *        no partition is with two members, while nothing makes brokers or members believe
 *        otherwise (crew.firm_until);
 *   I24  a record is handed out when all before it are processed, or were handed out to the same
 *        member before it; and never one from before what was committed when the partition came;
 *   I25  once faults stop, every partition has one member, and every record was handed out;
 *   I10  nothing is committed beyond what was processed.
 *
 * Nothing is said of topics that were made again: offsets of the one before it mean nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/workload.h"
#include "sluice/kafka_errors.h"
#include "wire/api.h"

enum { CREW_HANDED = 1, CREW_PROCESSED = 2 };

static const struct plan_crew *crew_of(const struct app *app) { return &app->workload->plan.crew; }
static bool is_plain(const struct workload *load, int32_t topic) {
    return load->truth.topics[topic].life_count == 1 && load->truth.topics[topic].exists;
}
static int64_t committed_of(const struct workload *load, int32_t topic, int32_t partition) {
    return sl_broker_committed(load->world->broker, "crew", load->truth.topics[topic].name,
                               partition);
}
static int32_t count_partitions(const struct workload *load, int32_t topic) {
    const struct truth_topic *t = &load->truth.topics[topic];
    int32_t count = t->life_count == 0 ? 0 : t->lives[t->life_count - 1].partition_count;
    return count < WORKLOAD_CURSORS ? count : WORKLOAD_CURSORS;
}
static struct member_part *find_part(struct app *app, const char *topic, int32_t partition,
                                     int32_t *index) {
    *index = truth_find_topic(&app->workload->truth, topic);
    if (*index < 0 || *index >= crew_of(app)->topics || partition < 0 ||
        partition >= WORKLOAD_CURSORS)
        return NULL;
    return &app->parts[*index][partition];
}

/* ---- what the group has made of a partition ---- */

/* For how long from the beginning (crew.firm_until). A connection that dies in silence can keep a
 * member from the coordinator for longer than the plan lasts. */
static int64_t firm_for(const struct plan *plan) {
    static const enum plan_fault doubts[] = {PLAN_LIE, PLAN_CORRUPT, PLAN_PAUSE, PLAN_MEMORY,
                                             PLAN_TOPIC};
    for (size_t i = 0; i < sizeof doubts / sizeof doubts[0]; i++)
        if (plan->mean[doubts[i]] != 0) return 0;
    /* A member has to hear of a rebalance, and give back what it has, while the group still waits. */
    const struct plan_crew *c = &plan->crew;
    bool is_in_time =
        c->poll_ms - plan_heartbeat_ms(c) >= 2000 && plan->weather.latency_max <= 10 * WORLD_MS;
    if (c->rests > 0 && !is_in_time) return 0;
    if (!plan_has_faults(plan)) return SL_NEVER;
    int64_t least = c->session_ms < c->poll_ms ? c->session_ms : c->poll_ms;
    return least * WORLD_MS > plan->duration ? least * WORLD_MS : 0;
}

static bool is_firm(const struct workload *load) {
    return load->world->now < load->crew.firm_until;
}

void crew_init(struct workload *load) {
    const struct plan_crew *c = &load->plan.crew;
    struct sl_broker_cluster *broker = load->world->broker;
    char text[16];
    int64_t firm = firm_for(&load->plan);
    load->crew.firm_until = firm == SL_NEVER ? SL_NEVER : load->world->now + firm;
    if (c->members == 0) return;
    snprintf(text, sizeof text, "%d", c->delay_ms);
    (void)sl_broker_set(broker, "group.initial.rebalance.delay.ms", text);
    snprintf(text, sizeof text, "%d", c->session_ms);
    (void)sl_broker_set(broker, "group.consumer.session.timeout.ms", text);
    snprintf(text, sizeof text, "%d", plan_heartbeat_ms(c));
    (void)sl_broker_set(broker, "group.consumer.heartbeat.interval.ms", text);
}

/* A leader that was told of a member that is not there gave it partitions, and nobody but the next
 * rebalance finds out. The last lie may be told to who waits for others when faults end. */
void crew_heal(struct workload *load) {
    struct world *w = load->world;
    if (load->plan.crew.members == 0 || load->plan.mean[PLAN_LIE] == 0) return;
    workload_run_until(load, w->now + 20 * WORLD_SECOND);
    world_broker_begin(w);
    (void)sl_broker_rebalance(w->broker, "crew");
    world_broker_end(w);
}

void crew_deinit(struct workload *load) {
    for (int32_t t = 0; t < PLAN_TOPICS; t++)
        for (int32_t p = 0; p < WORKLOAD_CURSORS; p++) free(load->crew.parts[t][p].handed);
}

static void add_bits(struct crew_part *part, int64_t from, int64_t to, uint8_t bits) {
    if (to > part->cap) {
        int64_t cap = 2 * to + 64;
        part->handed = realloc(part->handed, (size_t)cap);
        if (part->handed == NULL) abort();
        memset(part->handed + part->cap, 0, (size_t)(cap - part->cap));
        part->cap = cap;
    }
    for (int64_t i = from < 0 ? 0 : from; i < to; i++) part->handed[i] |= bits;
}

/* Moves both marks as far as they go. */
static void advance(struct workload *load, int32_t topic, int32_t partition) {
    struct crew_part *part = &load->crew.parts[topic][partition];
    const struct truth_log *log = truth_log(&load->truth, topic, partition);
    if (log != NULL && log->start > part->read) part->read = log->start;
    if (log != NULL && log->start > part->processed) part->processed = log->start;
    while (part->read < part->cap && (part->handed[part->read] & CREW_HANDED) != 0) part->read++;
    while (part->processed < part->cap && (part->handed[part->processed] & CREW_PROCESSED) != 0)
        part->processed++;
}

void crew_check_commits(struct workload *load) {
    for (int32_t t = 0; t < load->plan.crew.topics && load->plan.crew.members > 0; t++) {
        for (int32_t p = 0; is_plain(load, t) && p < count_partitions(load, t); p++) {
            int64_t committed = committed_of(load, t, p);
            advance(load, t, p);
            if (committed > load->crew.parts[t][p].processed)
                world_violate(load->world,
                              "I10: the group has committed topic-%d-%d@%" PRId64
                              ", and processed no more than @%" PRId64,
                              t, p, committed, load->crew.parts[t][p].processed);
        }
    }
}

/* ---- who has what ---- */

static void part_came(struct app *app, struct member_part *part, int32_t topic, int32_t partition) {
    *part = (struct member_part){
        .is_mine = true, .floor = committed_of(app->workload, topic, partition), .next = -1};
}

static void forget_parts(struct app *app) { memset(app->parts, 0, sizeof app->parts); }

/* Asks the member which partitions it has. False: it cannot say. */
static bool learn_parts(struct app *app) {
    bool has[PLAN_TOPICS][WORKLOAD_CURSORS] = {{false}};
    sluice_offsets *list;
    sluice_offset o;
    int32_t topic;
    int rv = sluice_consumer_positions(app->client, &list);
    if (rv != 0) {
        if (rv != SLUICE_ERR_NOMEM || !app_may_lack_memory(app)) app_complain(app, "positions", rv);
        return false;
    }
    for (int32_t i = 0; sluice_offsets_at(list, i, &o, sizeof o) == 1; i++) {
        struct member_part *part = find_part(app, o.topic, o.partition, &topic);
        if (part == NULL) {
            world_violate(app->workload->world, "I23: member %d has %s-%d, which nobody asked for",
                          app->id, o.topic, o.partition);
            break;
        }
        has[topic][o.partition] = true;
        if (!part->is_mine) part_came(app, part, topic, o.partition);
    }
    sluice_offsets_free(list);
    for (int32_t t = 0; t < PLAN_TOPICS; t++) {
        for (int32_t p = 0; p < WORKLOAD_CURSORS; p++) {
            if (has[t][p] || !app->parts[t][p].is_mine) continue;
            app->parts[t][p] = (struct member_part){0};
            app->workload->world->hits[HIT_REVOKED]++;
        }
    }
    return true;
}

static void check_owners(struct workload *load) {
    int32_t owners[PLAN_TOPICS][WORKLOAD_CURSORS] = {{0}};
    for (int32_t i = 0; i < load->app_count && is_firm(load); i++) {
        struct app *app = &load->apps[i];
        if (app->kind != APP_MEMBER || app->client == NULL || !learn_parts(app)) continue;
        for (int32_t t = 0; t < PLAN_TOPICS; t++) {
            for (int32_t p = 0; p < WORKLOAD_CURSORS; p++) {
                if (!app->parts[t][p].is_mine) continue;
                if (owners[t][p] != 0)
                    world_violate(load->world, "I23: members %d and %d both have topic-%d-%d",
                                  owners[t][p], app->id, t, p);
                owners[t][p] = app->id;
            }
        }
    }
}

/* ---- opening ---- */

static const char *protocol_of(const struct app *app) {
    const struct plan_crew *p = crew_of(app);
    if (!p->is_mixed) return p->protocol;
    return app->member % 2 == 0 ? "classic" : "consumer";
}

static int open_member(struct app *app) {
    const struct plan_crew *p = crew_of(app);
    sluice_config *config = sluice_config_create();
    char instance[16];
    app_configure(app, config);
    snprintf(instance, sizeof instance, "i%d", app->member);
    (void)sluice_config_set(config, "group.id", app->group);
    (void)sluice_config_set(config, "client.rack", p->rack[app->member]);
    (void)sluice_config_set(config, "group.protocol", protocol_of(app));
    (void)sluice_config_set(config, "partition.assignment.strategy", p->strategy[app->member]);
    if (p->is_static) (void)sluice_config_set(config, "group.instance.id", instance);
    (void)sluice_config_set(config, "auto.offset.reset", "earliest");
    (void)sluice_config_set(config, "enable.auto.commit", p->auto_commit ? "true" : "false");
    (void)sluice_config_set(config, "rebalance.notices", p->is_told ? "true" : "false");
    app_set_number(config, "auto.commit.interval.ms", p->commit_ms);
    app_set_number(config, "rebalance.hold.ms", p->hold_ms);
    app_set_number(config, "session.timeout.ms", p->session_ms);
    app_set_number(config, "heartbeat.interval.ms", plan_heartbeat_ms(p));
    app_set_number(config, "max.poll.interval.ms", p->poll_ms);
    app_set_number(config, "fetch.memory", MEMBER_MEMORY);
    int rv = sluice_client_open(config, SLUICE_CONSUMER, app->host->runtime, &app->client);
    if (rv != 0 && !(rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app)))
        world_violate(app->workload->world, "a member cannot be opened: %s: %s",
                      sluice_error_name(rv), sluice_config_message(config));
    sluice_config_free(config);
    if (rv == 0 && app->was_here) {
        app->workload->world->hits[HIT_RETURNED]++;
        if (p->is_static) app->workload->world->hits[HIT_STATIC]++;
    }
    app->was_here |= rv == 0;
    return rv;
}

static void subscribe(struct app *app) {
    const char *names[PLAN_TOPICS];
    for (int32_t t = 0; t < crew_of(app)->topics; t++)
        names[t] = app->workload->truth.topics[t].name;
    int rv = sluice_consumer_subscribe(app->client, names, crew_of(app)->topics);
    app->has_subscribed = rv == 0;
    if (rv != 0 && !(rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app)))
        app_complain(app, "subscribe", rv);
}

/* ---- reading ---- */

static void check_place(struct app *app, const sluice_view *v, int32_t topic,
                        const struct member_part *part) {
    struct workload *load = app->workload;
    struct crew_part *all = &load->crew.parts[topic][v->partition];
    const enum plan_fault doubts[] = {PLAN_LIE, PLAN_CORRUPT};
    for (size_t i = 0; i < sizeof doubts / sizeof doubts[0]; i++)
        if (load->plan.mean[doubts[i]] != 0) return;
    advance(load, topic, v->partition);
    if (v->offset > part->next && v->offset > all->processed)
        world_violate(load->world,
                      "I24: member %d got topic-%d-%d@%" PRId64 " after @%" PRId64
                      ", and the group has processed no more than @%" PRId64,
                      app->id, topic, v->partition, v->offset, part->next, all->processed);
    if (is_firm(load) && v->offset < part->floor)
        world_violate(load->world,
                      "I24: member %d got topic-%d-%d@%" PRId64 ", and @%" PRId64
                      " was committed when it came",
                      app->id, topic, v->partition, v->offset, part->floor);
}

static void take_record(struct app *app, const sluice_view *v) {
    int32_t topic;
    struct member_part *part = find_part(app, v->topic, v->partition, &topic);
    if (part == NULL) return; /* complained of before the walk */
    struct cursor place = {.topic = topic, .partition = v->partition};
    (void)consumer_check_content(app, &place, v);
    if (is_plain(app->workload, topic)) check_place(app, v, topic, part);
    part->next = part->reach = v->offset + 1;
    add_bits(&app->workload->crew.parts[topic][v->partition], v->offset, v->offset + 1,
             CREW_HANDED);
    world_note(app->workload->world, WORLD_READ, app->id, v->partition, v->offset);
    app->records++;
}

/* Everything in the batch is of partitions that it has, and may have. */
static void check_slices(struct app *app, sluice_batch *batch) {
    sluice_slice s;
    int32_t topic;
    bool knows = learn_parts(app);
    for (int32_t i = 0; sluice_batch_slice(batch, i, &s, sizeof s) == 1; i++) {
        struct member_part *part = find_part(app, s.topic, s.partition, &topic);
        if (part != NULL) part->reach = -1;
        if (part != NULL && (part->is_mine || !knows) && !part->is_leaving) continue;
        world_violate(app->workload->world,
                      "I23: member %d got records of %s-%d, which it does not have (%d)", app->id,
                      s.topic, s.partition, part != NULL && part->is_leaving);
    }
}

/* What was walked of the batch, or all of it, is processed: before the library is told. */
static void note_processed(struct app *app, sluice_batch *batch, bool is_whole) {
    sluice_slice s;
    int32_t topic;
    for (int32_t i = 0; sluice_batch_slice(batch, i, &s, sizeof s) == 1; i++) {
        const struct member_part *part = find_part(app, s.topic, s.partition, &topic);
        if (part == NULL || s.count == 0) continue;
        int64_t to = is_whole || part->reach > s.next_offset ? s.next_offset : part->reach;
        add_bits(&app->workload->crew.parts[topic][s.partition], s.first_offset, to,
                 CREW_PROCESSED);
    }
}

/* Partitions may go at any time, and nobody can tell who was late. */
static void judge_given(struct app *app, int rv) {
    if (rv != 0 && rv != SLUICE_ERR_STALE && !(rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app)))
        app_complain(app, "finish", rv);
}

static void give_held(struct app *app) {
    if (app->held == NULL) return;
    note_processed(app, app->held, true);
    int rv = sluice_batch_finish(app->held);
    app->held = NULL;
    judge_given(app, rv);
}

/* Every partition goes on where it is, and the group is asked for again: nobody tells which of them
 * it was. What is before is not waited for any more. */
static void recover(struct app *app) {
    sluice_offsets *list, *seeks = sluice_offsets_create();
    sluice_offset o;
    int32_t topic;
    give_held(app);
    app->has_subscribed = false;
    if (sluice_consumer_positions(app->client, &list) != 0) list = NULL;
    for (int32_t i = 0; list != NULL && sluice_offsets_at(list, i, &o, sizeof o) == 1; i++) {
        if (find_part(app, o.topic, o.partition, &topic) == NULL) continue;
        int64_t to = o.offset >= 0 ? o.offset : SLUICE_OFFSET_EARLIEST;
        add_bits(&app->workload->crew.parts[topic][o.partition], 0, to, CREW_PROCESSED);
        app->parts[topic][o.partition].floor = -1;
        (void)sluice_offsets_add(seeks, o.topic, o.partition, to);
    }
    int rv = sluice_consumer_seek(app->client, seeks);
    app->owes_seek = rv == SLUICE_ERR_NOMEM;
    if (rv != 0 && rv != SLUICE_ERR_STALE && !(rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app)))
        app_complain(app, "seek", rv);
    sluice_offsets_free(list);
    sluice_offsets_free(seeks);
}

static int retry_batch(struct app *app, sluice_batch *batch) {
    sluice_slice s;
    int32_t topic;
    bool is_cut[PLAN_TOPICS][WORKLOAD_CURSORS] = {{false}};
    for (int32_t i = 0; sluice_batch_slice(batch, i, &s, sizeof s) == 1; i++) {
        if (find_part(app, s.topic, s.partition, &topic) == NULL || s.count == 0) continue;
        if (is_cut[topic][s.partition]) continue;
        int32_t count = (int32_t)sl_rng_below(&app->workload->rng, (uint64_t)s.count + 1);
        /* Offsets in these logs have no gaps. */
        add_bits(&app->workload->crew.parts[topic][s.partition], s.first_offset,
                 count == s.count ? s.next_offset : s.first_offset + count, CREW_PROCESSED);
        int rv = sluice_batch_mark(batch, i, count == s.count ? -1 : count);
        if (rv != 0) judge_given(app, rv);
        is_cut[topic][s.partition] = count < s.count;
    }
    return sluice_batch_retry(batch);
}

static void take_batch(struct app *app, sluice_batch *batch) {
    struct workload *load = app->workload;
    bool is_calm = load->phase != PHASE_FAULTS;
    check_slices(app, batch);
    int64_t count = sluice_batch_count(batch);
    bool is_whole = is_calm || app->held != NULL || app_draw(app, 85);
    bool is_retried = !is_whole && app_draw(app, 50);
    int64_t most = is_whole || is_retried ? INT64_MAX : sl_rng_range(&load->rng, 0, count);
    if (!consumer_walk(app, batch, most, take_record)) {
        judge_given(app, sluice_batch_retry(batch));
        recover(app);
        return;
    }
    if (is_whole && !is_calm && app->held == NULL && app_draw(app, (uint32_t)crew_of(app)->holds)) {
        app->held = batch;
        return;
    }
    if (is_retried) {
        judge_given(app, retry_batch(app, batch));
        return;
    }
    note_processed(app, batch, is_whole);
    judge_given(app, sluice_batch_finish(batch));
}

/* ---- notices ---- */

static void end_notice(struct app *app) {
    if (app->notice == NULL) return;
    sluice_rebalance_info info = {0};
    (void)sluice_rebalance_read(app->notice, &info, sizeof info);
    if (info.kind == SLUICE_REBALANCE_REVOKING && app_draw(app, 80)) give_held(app);
    int rv = sluice_rebalance_done(app->notice, NULL);
    app->notice = NULL;
    if (rv != 0 && rv != SLUICE_ERR_STALE && !(rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app)))
        app_complain(app, "done", rv);
}

static void take_notice(struct app *app) {
    struct world *w = app->workload->world;
    sluice_rebalance_info info = {0};
    sluice_offset o;
    int32_t topic;
    end_notice(app);
    int rv = sluice_consumer_rebalance(app->client, &app->notice);
    if (rv != 0) app->notice = NULL;
    if (rv == SLUICE_ERR_STALE || (rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app))) return;
    if (rv == 0) rv = sluice_rebalance_read(app->notice, &info, sizeof info);
    if (rv != 0) {
        app_complain(app, "rebalance", rv);
        return;
    }
    const sluice_offsets *list = sluice_rebalance_offsets(app->notice);
    for (int32_t i = 0; sluice_offsets_at(list, i, &o, sizeof o) == 1; i++) {
        struct member_part *part = find_part(app, o.topic, o.partition, &topic);
        if (part == NULL) continue;
        part->is_leaving = info.kind != SLUICE_REBALANCE_ASSIGNED;
        if (info.kind == SLUICE_REBALANCE_REVOKING) w->hits[HIT_GIVEN]++;
        if (info.kind == SLUICE_REBALANCE_LOST) w->hits[HIT_LOST]++;
    }
    if (app->workload->phase != PHASE_FAULTS || app_draw(app, 80)) end_notice(app);
}

/* ---- a step ---- */

static void poll_once(struct app *app, int32_t timeout_ms) {
    struct workload *load = app->workload;
    sluice_batch *batch;
    app_before(app, timeout_ms);
    int rv = sluice_consumer_poll(app->client, timeout_ms, &batch);
    app_after(app, "poll");
    if (rv == 0 && batch == NULL) return;
    world_note(load->world, WORLD_POLL, app->id, rv, rv == 0 ? sluice_batch_count(batch) : 0);
    if (rv == 0) {
        tap_progress(&load->tap, app->host->id);
        take_batch(app, batch);
        return;
    }
    if (rv == SLUICE_NOTICE_REBALANCE && crew_of(app)->is_told) {
        take_notice(app);
        return;
    }
    if (rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app)) return;
    if (rv == SLUICE_ERR_HELD && app->held != NULL) return;
    if (!consumer_may_be_told(app, rv))
        app_complain(app, "poll", rv);
    else
        recover(app);
}

static bool is_group_code(int rv) {
    return rv == SLUICE_KAFKA_ILLEGAL_GENERATION || rv == SLUICE_KAFKA_UNKNOWN_MEMBER_ID ||
           rv == SLUICE_KAFKA_REBALANCE_IN_PROGRESS || rv == SLUICE_KAFKA_STALE_MEMBER_EPOCH;
}

static void commit(struct app *app) {
    bool is_short = app_draw(app, 50);
    int32_t timeout_ms = is_short ? 200 : 5000;
    app_before(app, timeout_ms);
    int rv = sluice_consumer_commit(app->client, NULL, timeout_ms, NULL);
    app_after(app, "commit");
    world_note(app->workload->world, WORLD_APP, app->id, 3, rv);
    if (rv == 0 || rv == SLUICE_ERR_NO_OFFSET || rv == SLUICE_ERR_TIMEOUT || is_group_code(rv))
        return;
    if (rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app)) return;
    if (rv < 0 || !plan_has_faults(&app->workload->plan)) app_complain(app, "commit", rv);
}

static void free_member(struct app *app) {
    if (app->notice != NULL) (void)sluice_rebalance_done(app->notice, NULL);
    app->notice = NULL;
    bool batch_first = app_draw(app, 50);
    if (batch_first) sluice_batch_free(app->held);
    sluice_client_free(app->client);
    if (!batch_first) sluice_batch_free(app->held);
    app->held = NULL;
    app->client = NULL;
    app->has_subscribed = app->owes_seek = false;
    forget_parts(app);
}

void member_end(struct app *app, int32_t timeout_ms) {
    if (app->client == NULL) return;
    app_before(app, timeout_ms);
    int rv = sluice_client_close(app->client, timeout_ms, NULL);
    app_after(app, "close");
    world_note(app->workload->world, WORLD_APP, app->id, 1, rv);
    bool is_refused = rv > 0 && (plan_has_faults(&app->workload->plan) || is_group_code(rv));
    if (rv != 0 && rv != SLUICE_ERR_TIMEOUT && !is_refused) app_complain(app, "close", rv);
    free_member(app);
}

/* It goes, with or without a word, and is away for a while; or it stays and does not poll. */
static void wander(struct app *app) {
    struct workload *load = app->workload;
    const struct plan_crew *p = crew_of(app);
    if (sl_rng_chance(&load->rng, (uint32_t)p->rests, 1000)) {
        app->rest = sl_rng_range(&load->rng, p->poll_ms, 2 * p->poll_ms) * WORLD_MS;
        load->world->hits[HIT_RESTED]++;
        return;
    }
    if (!sl_rng_chance(&load->rng, (uint32_t)p->leaves, 1000)) return;
    app->rest = sl_rng_range(&load->rng, 0, 3000) * WORLD_MS;
    if (app_draw(app, 60)) {
        member_end(app, (int32_t)sl_rng_below(&load->rng, 2000));
        return;
    }
    world_note(load->world, WORLD_APP, app->id, 2, 0);
    load->world->hits[HIT_CRASHED]++;
    free_member(app);
}

void member_step(struct app *app) {
    struct workload *load = app->workload;
    bool is_calm = load->phase != PHASE_FAULTS;
    if (app->client == NULL && open_member(app) != 0) return;
    if (!app->has_subscribed) subscribe(app);
    if (app->owes_seek) recover(app);
    if (app->held != NULL && (is_calm || app_draw(app, 30))) give_held(app);
    if (app->notice != NULL && (is_calm || app_draw(app, 30))) end_notice(app);
    (void)learn_parts(app);
    uint64_t draw = sl_rng_below(&load->rng, 10);
    poll_once(app, draw < 5 ? 0 : draw < 9 ? 20 : 300);
    if (world_is_broken(load->world)) return;
    if (app->steps % 3 == 0) check_owners(load);
    if (app->steps % 8 == 0) crew_check_commits(load);
    if (is_calm) return;
    if (app_draw(app, (uint32_t)crew_of(app)->commits)) commit(app);
    wander(app);
}

/* ---- the end ---- */

static bool describe_part(struct workload *load, int32_t t, int32_t p, const sluice_offset *o,
                          char *why, size_t cap) {
    const struct truth_log *log = truth_log(&load->truth, t, p);
    advance(load, t, p);
    const struct crew_part *part = &load->crew.parts[t][p];
    if (log == NULL || o->offset != log->end || (is_plain(load, t) && part->read < log->end)) {
        snprintf(why, cap,
                 "topic-%d-%d is at %" PRId64 ", read up to %" PRId64 ", log ends at %" PRId64, t,
                 p, o->offset, part->read, log == NULL ? -1 : log->end);
        return false;
    }
    return true;
}

/* Adds what a member has; false: it has not come to an end. */
static bool count_owned(struct app *app, int32_t (*owners)[WORKLOAD_CURSORS], char *why,
                        size_t cap) {
    sluice_offsets *list;
    sluice_offset o;
    int32_t topic;
    bool is_good = true;
    if (app->client == NULL || app->held != NULL || app->notice != NULL) {
        snprintf(why, cap, "member %d is not at rest", app->id);
        return false;
    }
    if (sluice_consumer_positions(app->client, &list) != 0) return false;
    for (int32_t i = 0; is_good && sluice_offsets_at(list, i, &o, sizeof o) == 1; i++) {
        if (find_part(app, o.topic, o.partition, &topic) == NULL) continue;
        owners[topic][o.partition]++;
        is_good = describe_part(app->workload, topic, o.partition, &o, why, cap);
    }
    sluice_offsets_free(list);
    return is_good;
}

bool crew_is_settled(struct workload *load, char *why, size_t cap) {
    int32_t owners[PLAN_TOPICS][WORKLOAD_CURSORS] = {{0}};
    why[0] = '\0';
    if (load->plan.crew.members == 0) return true;
    for (int32_t i = 0; i < load->app_count; i++)
        if (load->apps[i].kind == APP_MEMBER && !count_owned(&load->apps[i], owners, why, cap))
            return false;
    for (int32_t t = 0; t < load->plan.crew.topics; t++) {
        for (int32_t p = 0; p < count_partitions(load, t); p++) {
            if (owners[t][p] == 1) continue;
            snprintf(why, cap, "topic-%d-%d has %d members", t, p, owners[t][p]);
            return false;
        }
    }
    if (!load->crew.has_told) {
        load->crew.has_told = true;
        load->world->hits[HIT_GROUP]++;
        if (sl_broker_seen(load->world->broker, SL_API_CONSUMER_GROUP_HEARTBEAT) > 0)
            load->world->hits[HIT_SHARED]++;
        if (load->plan.crew.is_mixed && load->plan.crew.members > 1) load->world->hits[HIT_MIXED]++;
    }
    return true;
}
