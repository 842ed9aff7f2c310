/* Chaos; see chaos.h. Each kind of fault has a timer of its own, and a function that makes it
 * happen once. */
#include "sim/chaos.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/host.h"
#include "sim/link.h"
#include "sluice/kafka_errors.h"
#include "wire/api.h"

#define PICK(list) ((list)[sl_rng_below(&c->rng, sizeof(list) / sizeof((list)[0]))])

static int64_t draw_duration(struct chaos *c, int64_t most_ms) {
    /* Short ones are the more frequent. */
    int64_t most = sl_rng_range(&c->rng, 1, most_ms);
    return sl_rng_range(&c->rng, 1, most) * WORLD_MS;
}

static int32_t draw_node(struct chaos *c) {
    return (int32_t)sl_rng_range(&c->rng, 1, c->world->node_count);
}

static struct link *draw_link(struct chaos *c) {
    int32_t count = 0;
    while (link_pick(c->world, 0, 0, count) != NULL) count++;
    if (count == 0) return NULL;
    return link_pick(c->world, 0, 0, (int32_t)sl_rng_below(&c->rng, (uint64_t)count));
}

static struct host *draw_host(struct chaos *c) {
    struct host *found = NULL;
    uint64_t count = 0;
    SL_LIST_EACH(it, tmp, &c->world->hosts) {
        if (sl_rng_below(&c->rng, ++count) == 0) found = SL_LIST_OF(it, struct host, node);
    }
    return found;
}

/* ---- the network ---- */

static void harm_link(struct chaos *c, enum plan_fault fault) {
    struct link *l = draw_link(c);
    if (l == NULL) return;
    enum link_direction direction = sl_rng_chance(&c->rng, 1, 2) ? LINK_TO_BROKER : LINK_TO_CLIENT;
    switch (fault) {
    case PLAN_RESET:
        link_break(l, sl_rng_chance(&c->rng, 1, 2));
        break;
    case PLAN_STALL:
        link_gate(l, direction, draw_duration(c, 20000));
        break;
    case PLAN_HOLE:
        link_gate(l, direction, WORLD_NEVER);
        break;
    case PLAN_DRIBBLE:
        link_dribble(l);
        break;
    case PLAN_CUT:
        link_cut_after(l, direction, sl_rng_range(&c->rng, 0, 3000),
                       sl_rng_chance(&c->rng, 1, 2) ? LINK_FIN : LINK_RESET);
        break;
    default:
        link_half_close(l);
    }
}

static void harm_door(struct chaos *c) {
    int32_t node = draw_node(c);
    c->world->doors[node] =
        (enum world_door)sl_rng_range(&c->rng, WORLD_DOOR_REFUSE, WORLD_DOOR_SLOW);
    world_note(c->world, WORLD_DOOR, node, c->world->doors[node], 0);
    world_set_timer(c->world, &c->nodes[node].timer, c->world->now + draw_duration(c, 4000));
}

static void harm_node(struct chaos *c, enum sl_broker_state state) {
    int32_t node = draw_node(c);
    world_set_node(c->world, node, state);
    world_set_timer(c->world, &c->nodes[node].timer, c->world->now + draw_duration(c, 8000));
}

static void restore_node(struct world *w, struct world_timer *t) {
    struct chaos_end *end = SL_LIST_OF(t, struct chaos_end, timer);
    w->doors[end->index] = WORLD_DOOR_OPEN;
    if (w->states[end->index] != SL_BROKER_UP) world_set_node(w, end->index, SL_BROKER_UP);
    link_knock_again(w, end->index);
}

/* A few records, or everything that it has. */
static void make_lag(struct chaos *c) {
    static const int32_t records[] = {0, 0, 1, 10, 100, 1000000};
    int32_t node = draw_node(c);
    struct sl_broker_lag lag = {PICK(records), PICK(records), PICK(records)};
    world_note(c->world, WORLD_LAG, node, lag.end, lag.told);
    world_broker_begin(c->world);
    sl_broker_set_lag(c->world->broker, node, &lag);
    world_broker_end(c->world);
    world_set_timer(c->world, &c->lags[node].timer, c->world->now + draw_duration(c, 8000));
}

static void end_lag(struct world *w, struct world_timer *t) {
    struct chaos_end *end = SL_LIST_OF(t, struct chaos_end, timer);
    world_broker_begin(w);
    sl_broker_set_lag(w->broker, end->index, &(struct sl_broker_lag){0});
    world_broker_end(w);
}

static void harm_names(struct chaos *c) {
    c->world->names = (enum world_names)sl_rng_range(&c->rng, WORLD_NAMES_FAIL, WORLD_NAMES_MANY);
    world_note(c->world, WORLD_NAMES, c->world->names, 0, 0);
    world_set_timer(c->world, &c->names.timer, c->world->now + draw_duration(c, 4000));
}

static void restore_names(struct world *w, struct world_timer *t) {
    (void)t;
    w->names = WORLD_NAMES_FINE;
    host_answer_names(w);
}

/* ---- the cluster ---- */

static int32_t draw_topic(struct chaos *c) {
    return (int32_t)sl_rng_below(&c->rng, (uint64_t)c->plan->topics);
}

static bool has_groups(const struct plan *plan) {
    if (plan->crew.members > 0) return true;
    for (int32_t i = 0; i < plan->consumers; i++)
        if (plan->consumer[i].in_group) return true;
    return false;
}

static void move_coordinator(struct chaos *c) {
    char group[8];
    snprintf(group, sizeof group, "g%d", (int)sl_rng_range(&c->rng, 1, 6));
    if (c->plan->crew.members > 0 && sl_rng_chance(&c->rng, 1, 2))
        snprintf(group, sizeof group, "crew");
    world_broker_begin(c->world);
    (void)sl_broker_move_coordinator(c->world->broker, group, draw_node(c));
    world_broker_end(c->world);
}

static void move_leader(struct chaos *c, bool tell) {
    struct world *w = c->world;
    int32_t topic = draw_topic(c), node = draw_node(c);
    if (has_groups(c->plan)) move_coordinator(c);
    int32_t partition = (int32_t)sl_rng_below(&c->rng, (uint64_t)c->plan->partitions[topic]);
    if (!c->truth->topics[topic].exists) return;
    world_note(w, WORLD_LEADER, partition, node, tell);
    world_broker_begin(w);
    (void)sl_broker_move_leader(w->broker, c->truth->topics[topic].name, partition, node, tell);
    world_broker_end(w);
}

/* Leaders that moved without a word, and that nobody can ask: they are announced. */
static void announce_leaders(struct chaos *c) {
    struct world *w = c->world;
    struct sl_broker_log_view view;
    world_broker_begin(w);
    for (int32_t i = 0; i < c->plan->topics; i++) {
        const char *name = c->truth->topics[i].name;
        for (int32_t p = 0; sl_broker_log(w->broker, name, p, &view) == 0; p++)
            if (view.leader > 0) (void)sl_broker_move_leader(w->broker, name, p, view.leader, true);
    }
    world_broker_end(w);
}

static void trim_log(struct chaos *c) {
    struct world *w = c->world;
    int32_t topic = draw_topic(c);
    int32_t partition = (int32_t)sl_rng_below(&c->rng, (uint64_t)c->plan->partitions[topic]);
    struct truth_log *log = truth_log(c->truth, topic, partition);
    if (log == NULL || log->end == 0) return;
    int64_t to = sl_rng_range(&c->rng, log->start, log->end);
    world_note(w, WORLD_TRIM, partition, to, 0);
    world_broker_begin(w);
    (void)sl_broker_log_trim(w->broker, c->truth->topics[topic].name, partition, to);
    world_broker_end(w);
    log->start = to;
}

static void elect_unclean(struct chaos *c) {
    struct world *w = c->world;
    int32_t topic = draw_topic(c), node = draw_node(c);
    int32_t partition = (int32_t)sl_rng_below(&c->rng, (uint64_t)c->plan->partitions[topic]);
    struct truth_log *log = truth_log(c->truth, topic, partition);
    if (log == NULL || log->cut_count == TRUTH_CUTS) return;
    int64_t at = log->end - sl_rng_range(&c->rng, 0, sl_rng_chance(&c->rng, 1, 2) ? 5 : 100);
    if (at < log->start) at = log->start;
    world_note(w, WORLD_UNCLEAN, partition, at, node);
    world_broker_begin(w);
    (void)sl_broker_elect_unclean(w->broker, c->truth->topics[topic].name, partition, node, at,
                                  sl_rng_chance(&c->rng, 1, 2));
    truth_cut(c->truth, topic, partition);
    world_broker_end(w);
}

static void delete_topic(struct chaos *c) {
    struct world *w = c->world;
    int32_t topic = draw_topic(c);
    struct truth_topic *tt = &c->truth->topics[topic];
    if (!tt->exists || tt->life_count >= TRUTH_LIVES - 2) return;
    world_broker_begin(w);
    (void)sl_broker_delete_topic(w->broker, tt->name);
    world_broker_end(w);
    truth_scan(c->truth, true);
    world_set_timer(w, &c->topics[topic].timer, w->now + draw_duration(c, 2000));
}

static void make_topic_again(struct world *w, struct world_timer *t) {
    struct chaos_end *end = SL_LIST_OF(t, struct chaos_end, timer);
    struct chaos *c = end->chaos;
    world_broker_begin(w);
    (void)sl_broker_create_topic(w->broker, c->truth->topics[end->index].name,
                                 c->plan->partitions[end->index], 1);
    world_broker_end(w);
    truth_scan(c->truth, true);
}

/* Codes that a broker may answer with when it has not done what it was asked to. */
static int draw_refusal(struct chaos *c, int16_t api) {
    static const int produce[] = {
        SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,       SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,
        SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION,   SLUICE_KAFKA_LEADER_NOT_AVAILABLE,
        SLUICE_KAFKA_NOT_ENOUGH_REPLICAS,          SLUICE_KAFKA_MESSAGE_TOO_LARGE,
        SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED,   SLUICE_KAFKA_INVALID_RECORD,
        SLUICE_KAFKA_KAFKA_STORAGE_ERROR,          SLUICE_KAFKA_CORRUPT_MESSAGE,
        SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, SLUICE_KAFKA_UNKNOWN_PRODUCER_ID,
        SLUICE_KAFKA_UNKNOWN_SERVER_ERROR};
    static const int fetch[] = {
        SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
        SLUICE_KAFKA_FENCED_LEADER_EPOCH,        SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH,
        SLUICE_KAFKA_OFFSET_NOT_AVAILABLE,       SLUICE_KAFKA_KAFKA_STORAGE_ERROR,
        SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND, SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH,
        SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, SLUICE_KAFKA_UNKNOWN_SERVER_ERROR};
    static const int others[] = {
        SLUICE_KAFKA_LEADER_NOT_AVAILABLE,         SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,
        SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION,   SLUICE_KAFKA_REQUEST_TIMED_OUT,
        SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS, SLUICE_KAFKA_NOT_CONTROLLER,
        SLUICE_KAFKA_UNKNOWN_SERVER_ERROR};
    if (api == SL_API_PRODUCE) return PICK(produce);
    if (api == SL_API_FETCH) return PICK(fetch);
    if (api == SL_API_API_VERSIONS) return SLUICE_KAFKA_UNSUPPORTED_VERSION;
    return PICK(others);
}

/* What a leader may say that has appended, and then lost its office or its followers. With acks=1
 * it does not wait for any, and so cannot lose its office meanwhile. */
static int draw_doubt(struct chaos *c) {
    static const int doubtful[] = {
        SLUICE_KAFKA_REQUEST_TIMED_OUT, SLUICE_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER};
    uint64_t count = sizeof doubtful / sizeof doubtful[0];
    for (int32_t i = 0; i < c->plan->producers; i++)
        if (c->plan->producer[i].acks == 1) count = sizeof doubtful / sizeof doubtful[0] - 1;
    return doubtful[sl_rng_below(&c->rng, count)];
}

static void aim_at_groups(struct chaos *c, struct sl_fault *f) {
    static const int16_t apis[] = {SL_API_OFFSET_COMMIT, SL_API_OFFSET_COMMIT, SL_API_OFFSET_FETCH,
                                   SL_API_FIND_COORDINATOR};
    static const int codes[] = {SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS,
                                SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE,
                                SLUICE_KAFKA_NOT_COORDINATOR,
                                SLUICE_KAFKA_REQUEST_TIMED_OUT,
                                SLUICE_KAFKA_UNSTABLE_OFFSET_COMMIT,
                                SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION};
    f->api = PICK(apis);
    if (f->kind == SL_FAULT_LIE) f->code = 0;
    if (f->kind == SL_FAULT_ERROR) f->code = PICK(codes);
}

static void aim_at_members(struct chaos *c, struct sl_fault *f) {
    static const int16_t apis[] = {SL_API_JOIN_GROUP, SL_API_SYNC_GROUP, SL_API_HEARTBEAT,
                                   SL_API_LEAVE_GROUP, SL_API_CONSUMER_GROUP_HEARTBEAT};
    static const int codes[] = {SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS,
                                SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE,
                                SLUICE_KAFKA_NOT_COORDINATOR, SLUICE_KAFKA_REBALANCE_IN_PROGRESS,
                                SLUICE_KAFKA_UNKNOWN_MEMBER_ID};
    f->api = PICK(apis);
    if (f->kind == SL_FAULT_LIE) f->code = 0;
    if (f->kind == SL_FAULT_ERROR) f->code = PICK(codes);
}

static void harm_requests(struct chaos *c, enum plan_fault fault, enum sl_fault_kind kind) {
    static const int16_t apis[] = {
        SL_API_PRODUCE,     SL_API_PRODUCE,  SL_API_PRODUCE,      SL_API_FETCH,
        SL_API_FETCH,       SL_API_METADATA, SL_API_LIST_OFFSETS, SL_API_INIT_PRODUCER_ID,
        SL_API_API_VERSIONS};
    static const int16_t login_apis[] = {SL_API_SASL_HANDSHAKE, SL_API_SASL_AUTHENTICATE};
    struct sl_fault f = {.kind = kind, .partition = -1, .api = PICK(apis)};
    if (c->plan->mean[PLAN_UNCLEAN] != 0 && sl_rng_chance(&c->rng, 1, 5))
        f.api = SL_API_OFFSET_FOR_LEADER_EPOCH;
    f.times = (int32_t)sl_rng_range(&c->rng, 1, 3);
    f.skip = (int32_t)sl_rng_below(&c->rng, 4);
    f.node = sl_rng_chance(&c->rng, 1, 2) ? draw_node(c) : 0;
    if (kind == SL_FAULT_ERROR) f.code = draw_refusal(c, f.api);
    /* An API that is left out there is missing for the life of the connection, faults or not. */
    if (kind == SL_FAULT_LIE && f.api == SL_API_API_VERSIONS) f.code = SL_FAULT_LIE_SHUFFLE;
    if (kind == SL_FAULT_HOSTILE) {
        f.code = (int)sl_rng_range(&c->rng, SL_FAULT_HARM_FRAME, SL_FAULT_HARM_DRIBBLE);
        f.delay_ms = (int32_t)sl_rng_range(&c->rng, 1, 300);
    }
    if (kind == SL_FAULT_DELAY) f.delay_ms = (int32_t)(draw_duration(c, 8000) / WORLD_MS);
    if (kind == SL_FAULT_THROTTLE) f.delay_ms = (int32_t)(draw_duration(c, 3000) / WORLD_MS);
    if (fault != PLAN_EXECUTED && has_groups(c->plan) && sl_rng_chance(&c->rng, 1, 3))
        aim_at_groups(c, &f);
    if (fault != PLAN_EXECUTED && c->plan->crew.members > 0 && sl_rng_chance(&c->rng, 1, 3))
        aim_at_members(c, &f);
    if (fault == PLAN_EXECUTED) {
        f.api = SL_API_PRODUCE;
        f.executed = true;
        f.code = draw_doubt(c);
    }
    if (kind == SL_FAULT_HOSTILE && c->plan->login != NULL && sl_rng_chance(&c->rng, 1, 3))
        f.api = PICK(login_apis);
    world_note(c->world, WORLD_FAULT, f.api, f.kind, f.code);
    (void)sl_broker_fault(c->world->broker, &f, NULL);
}

/* ---- clients ---- */

static void starve_host(struct chaos *c) {
    struct host *h = draw_host(c);
    if (h == NULL) return;
    if (sl_rng_chance(&c->rng, 2, 3)) {
        int64_t after = sl_rng_range(&c->rng, 1, 150);
        h->memory.fail_at = h->memory.calls + (uint64_t)after;
        world_note(c->world, WORLD_STARVE, h->id, after, 0);
        return;
    }
    h->memory.fails = true;
    world_note(c->world, WORLD_STARVE, h->id, 0, 0);
    world_set_timer(c->world, &c->memory.timer, c->world->now + draw_duration(c, 600));
}

static void feed_hosts(struct world *w, struct world_timer *t) {
    (void)t;
    SL_LIST_EACH(it, tmp, &w->hosts) {
        SL_LIST_OF(it, struct host, node)->memory.fails = false;
    }
}

static void happen(struct chaos *c, enum plan_fault fault) {
    struct host *h;
    switch (fault) {
    case PLAN_RESET:
    case PLAN_STALL:
    case PLAN_HOLE:
    case PLAN_DRIBBLE:
    case PLAN_CUT:
    case PLAN_HALF:
        harm_link(c, fault);
        break;
    case PLAN_DOOR:
        harm_door(c);
        break;
    case PLAN_DOWN:
        harm_node(c, SL_BROKER_DOWN);
        break;
    case PLAN_FROZEN:
        harm_node(c, SL_BROKER_FROZEN);
        break;
    case PLAN_LEADER:
    case PLAN_QUIET_LEADER:
        move_leader(c, fault == PLAN_LEADER);
        break;
    case PLAN_ERROR:
    case PLAN_EXECUTED:
        harm_requests(c, fault, SL_FAULT_ERROR);
        break;
    case PLAN_SILENT:
        harm_requests(c, fault, SL_FAULT_SILENT);
        break;
    case PLAN_BEFORE:
        harm_requests(c, fault, SL_FAULT_CUT_BEFORE);
        break;
    case PLAN_AFTER:
        harm_requests(c, fault, SL_FAULT_CUT_AFTER);
        break;
    case PLAN_DELAY:
        harm_requests(c, fault, SL_FAULT_DELAY);
        break;
    case PLAN_CORRUPT:
        harm_requests(c, fault, SL_FAULT_CORRUPT);
        break;
    case PLAN_HOSTILE:
        harm_requests(c, fault, SL_FAULT_HOSTILE);
        break;
    case PLAN_LIE:
        harm_requests(c, fault, SL_FAULT_LIE);
        break;
    case PLAN_MEMORY:
        starve_host(c);
        break;
    case PLAN_NAMES:
        harm_names(c);
        break;
    case PLAN_PAUSE:
        h = draw_host(c);
        if (h != NULL) host_stall(h, draw_duration(c, 5000));
        break;
    case PLAN_TRIM:
        trim_log(c);
        break;
    case PLAN_TOPIC:
        delete_topic(c);
        break;
    case PLAN_WALL:
        c->world->wall_ms += sl_rng_range(&c->rng, -86400000, 86400000);
        break;
    case PLAN_THROTTLE:
        harm_requests(c, fault, SL_FAULT_THROTTLE);
        break;
    case PLAN_LAG:
        make_lag(c);
        break;
    case PLAN_UNCLEAN:
        elect_unclean(c);
        break;
    case PLAN_FAULT_COUNT:
        break;
    }
}

/* ---- life ---- */

static void on_source(struct world *w, struct world_timer *t) {
    struct chaos_source *source = SL_LIST_OF(t, struct chaos_source, timer);
    struct chaos *c = source->chaos;
    if (c->is_over) return;
    c->happened[source->fault]++;
    happen(c, source->fault);
    world_set_timer(w, t, w->now + sl_rng_range(&c->rng, 1, 2 * c->plan->mean[source->fault]));
}

static void init_end(struct chaos *c, struct chaos_end *end, int32_t index,
                     void (*on_due)(struct world *, struct world_timer *)) {
    *end = (struct chaos_end){.timer.on_due = on_due, .chaos = c, .index = index};
}

void chaos_start(struct chaos *c, struct world *w, const struct plan *plan, struct truth *truth) {
    *c = (struct chaos){.world = w, .plan = plan, .truth = truth};
    sl_rng_init(&c->rng, plan->seed ^ 0x6368616f73);
    for (int32_t i = 1; i <= w->node_count; i++) init_end(c, &c->nodes[i], i, restore_node);
    for (int32_t i = 1; i <= w->node_count; i++) init_end(c, &c->lags[i], i, end_lag);
    for (int32_t i = 0; i < plan->topics; i++) init_end(c, &c->topics[i], i, make_topic_again);
    init_end(c, &c->names, 0, restore_names);
    init_end(c, &c->memory, 0, feed_hosts);
    for (int i = 0; i < PLAN_FAULT_COUNT; i++) {
        struct chaos_source *s = &c->sources[i];
        *s = (struct chaos_source){
            .timer.on_due = on_source, .chaos = c, .fault = (enum plan_fault)i};
        if (plan->mean[i] == 0) continue;
        world_set_timer(w, &s->timer, w->now + sl_rng_range(&c->rng, 1, 2 * plan->mean[i]));
    }
}

static void end_now(struct chaos *c, struct chaos_end *end) {
    world_stop_timer(c->world, &end->timer);
    end->timer.on_due(c->world, &end->timer);
}

void chaos_heal(struct chaos *c) {
    struct world *w = c->world;
    world_note(w, WORLD_HEAL, 0, 0, 0);
    c->is_over = true;
    for (int i = 0; i < PLAN_FAULT_COUNT; i++) world_stop_timer(w, &c->sources[i].timer);
    for (int32_t i = 1; i <= w->node_count; i++) end_now(c, &c->nodes[i]);
    for (int32_t i = 1; i <= w->node_count; i++) end_now(c, &c->lags[i]);
    for (int32_t i = 0; i < c->plan->topics; i++) {
        world_stop_timer(w, &c->topics[i].timer);
        if (!c->truth->topics[i].exists) make_topic_again(w, &c->topics[i].timer);
    }
    announce_leaders(c);
    end_now(c, &c->names);
    end_now(c, &c->memory);
    SL_LIST_EACH(it, tmp, &w->hosts) {
        struct host *h = SL_LIST_OF(it, struct host, node);
        h->memory.fail_at = 0;
        h->stalled_until = w->now;
    }
    world_broker_begin(w);
    sl_broker_heal(w->broker, 0);
    world_broker_end(w);
    link_heal_all(w);
}

void chaos_print(const struct chaos *c) {
    printf("  faults that happened:");
    for (int i = 0; i < PLAN_FAULT_COUNT; i++)
        if (c->happened[i] > 0) printf(" %d:%" PRId64, i, c->happened[i]);
    putchar('\n');
}
