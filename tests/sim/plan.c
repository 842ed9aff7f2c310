/* Drawing and printing plans; see plan.h. */
#include "sim/plan.h"

#include <inttypes.h>
#include <string.h>

#define PICK(rng, list) ((list)[sl_rng_below((rng), sizeof(list) / sizeof((list)[0]))])

static const struct {
    const char *name;
    const char *text;
} plan_faults[] = {
#define PLAN_FAULT_TEXT(name, text) {#name, text},
    PLAN_FAULTS(PLAN_FAULT_TEXT)
#undef PLAN_FAULT_TEXT
};

static const int64_t plan_means_ms[] = {120, 400, 1500, 1500, 5000, 5000};

static bool draw_percent(struct sl_rng *rng, uint32_t percent) {
    return sl_rng_chance(rng, percent, 100);
}

/* One seed in eight has no fault at all: then everything must go well. */
static void draw_faults(struct plan *plan, struct sl_rng *rng) {
    if (sl_rng_chance(rng, 1, 8)) return;
    uint32_t share = (uint32_t)sl_rng_range(rng, 5, 40);
    for (int i = 0; i <= PLAN_WALL; i++) { /* those behind it are later additions */
        int64_t mean = PICK(rng, plan_means_ms) * WORLD_MS;
        if (i == PLAN_TOPIC || i == PLAN_MEMORY || i == PLAN_TRIM) mean *= 3;
        if (draw_percent(rng, share)) plan->mean[i] = mean;
    }
}

static void draw_clock(struct plan *plan, struct sl_rng *rng) {
    static const int64_t starts[] = {1, WORLD_SECOND, (INT64_C(1) << 31) * WORLD_MS,
                                     (INT64_C(1) << 32) * WORLD_MS, INT64_C(1) << 62};
    static const int64_t seconds[] = {3, 6, 6, 12, 30};
    plan->start = PICK(rng, starts);
    if (plan->start > WORLD_SECOND)
        plan->start -= sl_rng_range(rng, 0, 10 * WORLD_SECOND); /* the edge is met on the way */
    plan->duration = PICK(rng, seconds) * WORLD_SECOND;
}

static void draw_weather(struct plan *plan, struct sl_rng *rng) {
    static const int64_t latencies_us[] = {50, 300, 1000, 1000, 8000, 60000};
    static const int32_t windows[] = {64, 700, 8 * 1024, 64 * 1024, 256 * 1024, 1024 * 1024};
    static const int64_t byte_ns[] = {0, 0, 0, 10, 100, 1000};
    struct world_weather *weather = &plan->weather;
    weather->latency_min = PICK(rng, latencies_us) * 1000;
    weather->latency_max = weather->latency_min * sl_rng_range(rng, 1, 5);
    weather->window = PICK(rng, windows);
    weather->byte_ns = PICK(rng, byte_ns);
    weather->short_percent = draw_percent(rng, 30) ? (int32_t)sl_rng_range(rng, 1, 60) : 0;
    weather->spurious_percent = draw_percent(rng, 20) ? (int32_t)sl_rng_range(rng, 1, 20) : 0;
    weather->jobs = draw_percent(rng, 60) ? (int32_t)sl_rng_range(rng, 1, 6) : 0;
    weather->job_least_us = draw_percent(rng, 70) ? 0 : (int32_t)sl_rng_range(rng, 1, 20);
    weather->resolve_min = 0;
    weather->resolve_max = sl_rng_range(rng, 0, 40) * WORLD_MS;
    /* A narrow window with a long way would need hours for a large batch. */
    if (weather->window < 8 * 1024 && weather->latency_max > 2 * WORLD_MS)
        weather->latency_min = weather->latency_max = WORLD_MS / 2;
}

static void draw_cluster(struct plan *plan, struct sl_rng *rng) {
    static const int32_t partitions[] = {1, 1, 2, 3, 3, 6, 12, 64};
    static const int32_t slots[] = {1000, 1000, 1000, 1, 0};
    static const char *const releases[] = {NULL, NULL, NULL, "2.1", "2.8", "3.5", "3.9", "4.0"};
    plan->nodes = (int32_t)sl_rng_range(rng, 1, WORLD_NODES_MAX);
    plan->topics = (int32_t)sl_rng_range(rng, 1, PLAN_TOPICS);
    for (int32_t i = 0; i < plan->topics; i++) plan->partitions[i] = PICK(rng, partitions);
    plan->auto_create = draw_percent(rng, 40);
    plan->session_slots = PICK(rng, slots);
    plan->message_max = draw_percent(rng, 10) ? 4000 : 1048588;
    plan->release = PICK(rng, releases);
    plan->bootstrap_count = (int32_t)sl_rng_range(rng, 1, plan->nodes);
    plan->bad_bootstrap = draw_percent(rng, 15);
}

static void draw_profile(const struct plan *plan, struct plan_producer *p, struct sl_rng *rng) {
    static const int32_t shares[] = {0, 0, 30, 100};
    static const int32_t large[] = {0, 0, 2, 10};
    p->profile =
        (struct content_profile){.seed = sl_rng_next(rng),
                                 .keyed = PICK(rng, shares),
                                 .explicit_partition = PICK(rng, shares),
                                 .headers = PICK(rng, shares),
                                 .timestamps = PICK(rng, shares),
                                 .large = PICK(rng, large),
                                 .value_max = (int32_t)sl_rng_range(
                                     rng, 1, draw_percent(rng, 20) ? CONTENT_VALUE_MAX : 5000),
                                 .compressible = draw_percent(rng, 60)};
    if (p->profile.value_max < 8) p->profile.value_max = 8;
    /* Through a narrow window large values take thousands of steps each. */
    if (plan->weather.window < 8 * 1024 && p->profile.value_max > 3000) p->profile.value_max = 3000;
}

static void draw_producer(struct plan *plan, struct plan_producer *p, struct sl_rng *rng) {
    static const int32_t acks[] = {-1, -1, -1, 1, 0};
    static const int32_t in_flight[] = {5, 5, 1, 2, 3};
    static const int32_t lingers[] = {0, 5, 5, 20, 100};
    static const int32_t batches[] = {0, 200, 2000, 16384, 1000000};
    static const int32_t buffers[] = {65536, 200000, 1 << 20, 1 << 26};
    static const int32_t deliveries[] = {3000, 10000, 30000, 120000};
    static const int32_t retries[] = {INT32_MAX, INT32_MAX, INT32_MAX, 0, 2};
    static const char *const codecs[] = {"none", "none", "gzip", "snappy", "lz4", "zstd"};
    static const int32_t paces[] = {1, 5, 20, 100};
    draw_profile(plan, p, rng);
    p->idempotent = draw_percent(rng, 75);
    p->acks = p->idempotent ? -1 : PICK(rng, acks);
    p->in_flight = PICK(rng, in_flight);
    p->linger_ms = PICK(rng, lingers);
    p->batch_size = PICK(rng, batches);
    p->buffer_memory = PICK(rng, buffers);
    p->request_max = draw_percent(rng, 20) ? 3000 : 1048576;
    p->delivery_timeout_ms = PICK(rng, deliveries);
    p->retries = p->idempotent ? INT32_MAX : PICK(rng, retries);
    p->codec = PICK(rng, codecs);
    p->reports = draw_percent(rng, 92) ? "all" : "failed";
    p->records = (int32_t)sl_rng_range(rng, 20, 900);
    p->burst = (int32_t)sl_rng_range(rng, 1, 40);
    p->pace_ms = PICK(rng, paces);
    p->shares_host = draw_percent(rng, 20);
    if (p->delivery_timeout_ms < p->linger_ms + plan->request_timeout_ms)
        p->delivery_timeout_ms = p->linger_ms + plan->request_timeout_ms;
}

static void draw_borrows(struct plan_producer *p, struct sl_rng *rng) {
    static const int32_t shares[] = {0, 0, 0, 50, 100};
    p->borrows = strcmp(p->reports, "all") == 0 ? PICK(rng, shares) : 0;
}

/* What plans got later, by a generator of its own: plans of known seeds stay what they were. */
static void draw_placing(struct plan_producer *p, struct sl_rng *rng) {
    static const char *const partitioners[] = {
        "murmur2_random", "murmur2_random", "murmur2_random", "murmur2", "consistent_random",
        "consistent",     "fnv1a_random",   "fnv1a",          "random",  "roundrobin"};
    p->partitioner = PICK(rng, partitioners);
    p->availability_timeout_ms = draw_percent(rng, 30) ? 200 : 0;
    p->idle_ms = draw_percent(rng, 30) ? 5000 : 300000;
}

/* Many small records in a row that leave their partition to the library. */
static void draw_stream(const struct plan *plan, struct plan_producer *p, struct sl_rng *rng) {
    p->topic = -1;
    if (!draw_percent(rng, 20)) return;
    p->topic = (int32_t)sl_rng_below(rng, (uint64_t)plan->topics);
    p->profile.keyed = p->profile.explicit_partition = p->profile.timestamps = p->profile.large = 0;
    p->profile.value_max = (int32_t)sl_rng_range(rng, 8, 600);
    if (!draw_percent(rng, 50)) return;
    p->batch_size = (int32_t)sl_rng_range(rng, 5000, 16384);
    p->buffer_memory = 1 << 20;
    p->burst = (int32_t)sl_rng_range(rng, 20, 200);
    p->records += 1000;
}

/* Half of the streams have keys: they fill a batch for each partition. Drawn by a generator of its own, as
 * above. */
static void draw_keys_of_streams(struct plan *plan) {
    struct sl_rng rng;
    sl_rng_init(&rng, plan->seed ^ 0x6b657973);
    for (int32_t i = 0; i < plan->producers; i++) {
        struct plan_producer *p = &plan->producer[i];
        if (p->topic < 0 || !draw_percent(&rng, 50)) continue;
        p->profile.keyed = 100;
        p->codec = "none";
        if (p->records < 1000) continue;
        p->batch_size = (int32_t)sl_rng_range(&rng, 5000, 10000);
        p->burst = (int32_t)sl_rng_range(&rng, 100, 400);
        p->records += 1500;
    }
}

static void draw_later_additions(struct plan *plan) {
    struct sl_rng rng;
    sl_rng_init(&rng, plan->seed ^ 0x6c61746572);
    if (plan_has_faults(plan) && draw_percent(&rng, 20))
        plan->mean[PLAN_THROTTLE] = PICK(&rng, plan_means_ms) * WORLD_MS;
    for (int32_t i = 0; i < plan->producers; i++) draw_placing(&plan->producer[i], &rng);
    for (int32_t i = 0; i < plan->producers; i++) draw_stream(plan, &plan->producer[i], &rng);
    draw_keys_of_streams(plan);
    /* A topic made again would be as any other. */
    if (plan->mean[PLAN_TOPIC] == 0 && draw_percent(&rng, 15))
        plan->is_compacted[sl_rng_below(&rng, (uint64_t)plan->topics)] = true;
}

static bool has_consumer_protocol(const struct plan *plan) {
    return plan->release == NULL || strcmp(plan->release, "4.0") == 0;
}

/* Static members came with 2.3. */
static bool knows_static(const struct plan *plan) {
    return plan->release == NULL || strcmp(plan->release, "2.1") != 0;
}

static void draw_strategies(struct plan_crew *crew, struct sl_rng *rng) {
    static const char *const alike[] = {"range", "roundrobin", "sticky", "cooperative-sticky",
                                        "cooperative-sticky"};
    static const char *const mixed[] = {"range,roundrobin", "roundrobin", "roundrobin,sticky"};
    const char *strategy = PICK(rng, alike);
    bool is_mixed = draw_percent(rng, 20);
    for (int32_t i = 0; i < PLAN_MEMBERS; i++)
        crew->strategy[i] = is_mixed ? PICK(rng, mixed) : strategy;
}

/* Members of a group. */
static void draw_members(struct plan *plan, struct sl_rng *rng) {
    static const char *const protocols[] = {"classic", "classic", "consumer", "auto"};
    static const int32_t sessions[] = {6000, 10000, 45000, 45000};
    static const int32_t intervals[] = {1, 100, 1000, 5000};
    static const int32_t shares[] = {0, 1, 5, 20};
    static const int32_t leaves[] = {0, 2, 5, 20};
    static const int32_t holds[] = {0, 500, 3000, 30000};
    static const int32_t paces[] = {5, 20, 50, 200};
    struct plan_crew *crew = &plan->crew;
    crew->members = (int32_t)sl_rng_range(rng, 1, PLAN_MEMBERS);
    crew->topics = (int32_t)sl_rng_range(rng, 1, plan->topics);
    crew->protocol = PICK(rng, protocols);
    if (strcmp(crew->protocol, "consumer") == 0 && !has_consumer_protocol(plan))
        crew->protocol = "classic";
    draw_strategies(crew, rng);
    crew->is_static = draw_percent(rng, 25) && knows_static(plan);
    crew->is_told = draw_percent(rng, 30);
    crew->auto_commit = draw_percent(rng, 75);
    crew->commit_ms = PICK(rng, intervals);
    crew->commits = PICK(rng, shares);
    crew->holds = PICK(rng, shares);
    crew->leaves = PICK(rng, leaves);
    crew->rests = draw_percent(rng, 25) ? 4 : 0;
    crew->session_ms = PICK(rng, sessions);
    crew->poll_ms = crew->rests > 0 ? (int32_t)sl_rng_range(rng, 2000, 6000) : 300000;
    crew->hold_ms = PICK(rng, holds);
    crew->delay_ms = draw_percent(rng, 80) ? 100 : 3000;
    crew->pace_ms = PICK(rng, paces);
}

/* A quarter of the plans have a group, and some of the others one that is never at rest, so that
 * what is rare elsewhere comes often enough: members that are told that they lost what they had
 * because they did not poll, or static ones that come back. */
static void draw_crew(struct plan *plan) {
    struct plan_crew *crew = &plan->crew;
    struct sl_rng rng;
    sl_rng_init(&rng, plan->seed ^ 0x63726577);
    if (draw_percent(&rng, 25)) {
        draw_members(plan, &rng);
        return;
    }
    sl_rng_init(&rng, plan->seed ^ 0x756e72657374);
    if (!draw_percent(&rng, 12)) return;
    draw_members(plan, &rng);
    crew->is_mixed = has_consumer_protocol(plan) && draw_percent(&rng, 60);
    if (knows_static(plan) && draw_percent(&rng, 50)) {
        crew->is_static = true;
        crew->leaves = 12;
        return;
    }
    crew->is_told = true;
    crew->rests = 15;
    crew->poll_ms = (int32_t)sl_rng_range(&rng, 2000, 6000);
}

/* Half of the consumers are in a group, and every other one of them never seeks, so that what was
 * finished is one run of records. */
static void draw_groups(struct plan *plan) {
    static const int32_t intervals[] = {1, 100, 1000, 5000};
    static const int32_t shares[] = {0, 1, 5, 20};
    struct sl_rng rng;
    sl_rng_init(&rng, plan->seed ^ 0x67726f7570);
    for (int32_t i = 0; i < plan->consumers; i++) {
        struct plan_consumer *c = &plan->consumer[i];
        c->in_group = draw_percent(&rng, 50);
        c->auto_commit = draw_percent(&rng, 70);
        c->commit_ms = PICK(&rng, intervals);
        c->commits = PICK(&rng, shares);
        if (c->in_group && draw_percent(&rng, 50)) c->seeks = 0;
        if (c->in_group && draw_percent(&rng, 50)) plan->restarts = 1;
    }
}

/* A third of the clusters have racks, and then most readers stand in one of them. */
static void draw_racks(struct plan *plan) {
    static const char *const clusters[] = {"a,b,c", "a,b,c", "a,b", "a,b,b", "a,,b"};
    static const char *const readers[] = {"a", "b", "b", "c", "c", "nowhere", ""};
    struct sl_rng rng;
    sl_rng_init(&rng, plan->seed ^ 0x7261636b73);
    for (int32_t i = 0; i < PLAN_CONSUMERS; i++) plan->consumer[i].rack = "";
    for (int32_t i = 0; i < PLAN_MEMBERS; i++) plan->crew.rack[i] = "";
    if (plan->nodes == 1 || !draw_percent(&rng, 33)) return;
    plan->racks = PICK(&rng, clusters);
    for (int32_t i = 0; i < PLAN_CONSUMERS; i++) plan->consumer[i].rack = PICK(&rng, readers);
    for (int32_t i = 0; i < PLAN_MEMBERS; i++) plan->crew.rack[i] = PICK(&rng, readers);
    if (plan_has_faults(plan) && draw_percent(&rng, 50))
        plan->mean[PLAN_LAG] = PICK(&rng, plan_means_ms) * WORLD_MS;
}

/* Logs that are cut, for readers by hand: what members of a group make together, and topics made again,
 * are judged by offsets alone. Brokers of 2.1 cannot be asked. */
static void draw_unclean(struct plan *plan) {
    struct sl_rng rng;
    sl_rng_init(&rng, plan->seed ^ 0x756e636c65616e);
    bool may_be = plan_has_faults(plan) && plan->consumers > 0 && plan->crew.members == 0 &&
                  (plan->release == NULL || strcmp(plan->release, "2.1") != 0);
    if (!may_be || !draw_percent(&rng, 20)) return;
    plan->mean[PLAN_UNCLEAN] = 2 * PICK(&rng, plan_means_ms) * WORLD_MS;
    plan->mean[PLAN_TOPIC] = 0;
}

static void draw_hostility(struct plan *plan) {
    struct sl_rng rng;
    sl_rng_init(&rng, plan->seed ^ 0x686f7374696c65);
    if (plan_has_faults(plan) && draw_percent(&rng, 20))
        plan->mean[PLAN_HOSTILE] = PICK(&rng, plan_means_ms) * WORLD_MS;
}

/* In a tenth of the others, with a token that is fetched. */
static void draw_tokens(struct plan *plan) {
    static const int32_t lives[] = {3, 10, 60, 60}, delays[] = {1, 50, 300};
    static const int32_t sessions[] = {0, 4000, 10000, 10000};
    struct sl_rng rng;
    sl_rng_init(&rng, plan->seed ^ 0x746f6b656e);
    if (plan->login != NULL || !draw_percent(&rng, 10)) return;
    plan->login = "OAUTHBEARER";
    plan->login_ms = PICK(&rng, sessions);
    plan->tokens = (struct plan_tokens){.by_file = draw_percent(&rng, 50),
                                        .life_s = PICK(&rng, lives),
                                        .delay_ms = PICK(&rng, delays),
                                        .changes = plan_has_faults(plan) ? 20 : 0};
}

/* In a quarter of the clusters one has to log in with a password, mostly for a while alone. */
static void draw_logins(struct plan *plan) {
    static const char *const mechanisms[] = {"PLAIN", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    static const int32_t lifetimes[] = {0, 1000, 4000, 10000, 10000};
    struct sl_rng rng;
    sl_rng_init(&rng, plan->seed ^ 0x6c6f67696e);
    if (!draw_percent(&rng, 25)) return;
    plan->login = PICK(&rng, mechanisms);
    plan->login_ms = PICK(&rng, lifetimes);
}

/* A connection that comes to its end before a login of five rounds can is none that anything rests on. */
static void leave_time_for_logins(struct plan *plan) {
    enum { ROUNDS = 5 };
    int64_t login_ms = 2 * ROUNDS * plan->weather.latency_max / WORLD_MS + 100;
    if (plan->login != NULL && plan->setup_timeout_ms < login_ms)
        plan->setup_timeout_ms = (int32_t)login_ms;
}

static void draw_consumer(struct plan_consumer *c, struct sl_rng *rng) {
    static const char *const resets[] = {"earliest", "earliest", "latest", "none"};
    static const int32_t sizes[] = {1, 1000, 20000, 1048576};
    static const int32_t waits[] = {100, 300, 500, 2000};
    static const int32_t paces[] = {1, 10, 50, 300};
    static const int32_t shares[] = {0, 0, 3, 15};
    c->reset = PICK(rng, resets);
    c->max_bytes = PICK(rng, sizes);
    c->partition_bytes = PICK(rng, sizes);
    c->wait_ms = PICK(rng, waits);
    c->min_bytes = draw_percent(rng, 20) ? 4000 : 1;
    /* More than an answer may carry would make every Fetch wait to its end. */
    if (c->min_bytes > c->max_bytes || c->min_bytes > c->partition_bytes) c->min_bytes = 1;
    c->memory = draw_percent(rng, 30) ? 1 << 20 : 1 << 24;
    c->pace_ms = PICK(rng, paces);
    c->seeks = PICK(rng, shares);
    c->pauses = PICK(rng, shares);
    c->holds = PICK(rng, shares);
    c->one_partition = draw_percent(rng, 20);
    c->ends = draw_percent(rng, 30);
    c->shares_host = draw_percent(rng, 15);
}

void plan_draw(struct plan *plan, uint64_t seed) {
    static const int32_t requests[] = {800, 2000, 5000, 30000};
    static const int32_t backoffs[] = {50, 100, 100, 300};
    static const int32_t idles[] = {-1, 540000, 540000, 1500};
    static const int32_t ages[] = {300000, 300000, 2000};
    static const int32_t small[] = {700, 4000, 20000, 100000}; /* batches are split */
    struct sl_rng rng;
    sl_rng_init(&rng, seed * UINT64_C(0x9e3779b97f4a7c15) + 1);
    *plan = (struct plan){.seed = seed};
    draw_faults(plan, &rng);
    draw_clock(plan, &rng);
    draw_weather(plan, &rng);
    draw_cluster(plan, &rng);
    plan->request_timeout_ms = PICK(&rng, requests);
    plan->retry_backoff_ms = PICK(&rng, backoffs);
    plan->reconnect_backoff_ms = PICK(&rng, backoffs);
    plan->setup_timeout_ms = PICK(&rng, requests);
    plan->idle_ms = PICK(&rng, idles);
    plan->max_age_ms = PICK(&rng, ages);
    plan->restarts = draw_percent(&rng, 25) ? 1 : 0;
    plan->producers = (int32_t)sl_rng_range(&rng, 1, PLAN_PRODUCERS);
    plan->consumers = (int32_t)sl_rng_range(&rng, 0, PLAN_CONSUMERS);
    for (int32_t i = 0; i < plan->producers; i++) draw_producer(plan, &plan->producer[i], &rng);
    for (int32_t i = 0; i < plan->consumers; i++) draw_consumer(&plan->consumer[i], &rng);
    for (int32_t i = 0; i < plan->producers; i++) draw_borrows(&plan->producer[i], &rng);
    if (draw_percent(&rng, 15)) plan->message_max = PICK(&rng, small);
    draw_later_additions(plan);
    draw_groups(plan);
    draw_crew(plan);
    draw_racks(plan);
    draw_unclean(plan);
    draw_logins(plan);
    draw_hostility(plan);
    draw_tokens(plan);
    leave_time_for_logins(plan);
}

int32_t plan_heartbeat_ms(const struct plan_crew *crew) {
    return crew->session_ms < 10000 ? 500 : 3000;
}

bool plan_has_faults(const struct plan *plan) {
    for (int i = 0; i < PLAN_FAULT_COUNT; i++)
        if (plan->mean[i] != 0) return true;
    return false;
}

int64_t plan_longest(const struct plan *plan) {
    int64_t longest = 30000; /* socket.connection.setup.timeout.max.ms, its default */
    if (plan->request_timeout_ms > longest) longest = plan->request_timeout_ms;
    for (int32_t i = 0; i < plan->producers; i++)
        if (plan->producer[i].delivery_timeout_ms > longest)
            longest = plan->producer[i].delivery_timeout_ms;
    if (plan->crew.session_ms > longest) longest = plan->crew.session_ms;
    if (plan->crew.poll_ms > longest) longest = plan->crew.poll_ms;
    return longest * WORLD_MS;
}

static void print_producer(const struct plan_producer *p, FILE *out) {
    fprintf(
        out,
        "  producer acks=%d idempotence=%d in.flight=%d linger=%d batch=%d buffer=%d request=%d "
        "delivery=%d retries=%d codec=%s reports=%s records=%d burst=%d pace=%d shares=%d "
        "value=%d keyed=%d%% explicit=%d%% headers=%d%% large=%d%% borrows=%d%% "
        "partitioner=%s availability=%d idle=%d\n",
        p->acks, p->idempotent, p->in_flight, p->linger_ms, p->batch_size, p->buffer_memory,
        p->request_max, p->delivery_timeout_ms, p->retries, p->codec, p->reports, p->records,
        p->burst, p->pace_ms, p->shares_host, p->profile.value_max, p->profile.keyed,
        p->profile.explicit_partition, p->profile.headers, p->profile.large, p->borrows,
        p->partitioner, p->availability_timeout_ms, p->idle_ms);
}

static void print_crew(const struct plan_crew *c, FILE *out) {
    if (c->members == 0) return;
    fprintf(out,
            "  members=%d topics=%d protocol=%s static=%d told=%d auto=%d/%d commits=%d%% "
            "holds=%d%% leaves=%d rests=%d session=%d poll=%d hold=%d delay=%d pace=%d\n",
            c->members, c->topics, c->is_mixed ? "mixed" : c->protocol, c->is_static, c->is_told,
            c->auto_commit, c->commit_ms, c->commits, c->holds, c->leaves, c->rests, c->session_ms,
            c->poll_ms, c->hold_ms, c->delay_ms, c->pace_ms);
    for (int32_t i = 0; i < c->members; i++)
        fprintf(out, "    rack=%s strategy=%s\n", c->rack[i], c->strategy[i]);
}

void plan_print(const struct plan *plan, FILE *out) {
    fprintf(out, "  nodes=%d racks=%s login=%s/%d tokens=%s/%d/%d/%d%% topics=", plan->nodes,
            plan->racks == NULL ? "none" : plan->racks, plan->login == NULL ? "none" : plan->login,
            plan->login_ms, plan->tokens.by_file ? "file" : "oidc", plan->tokens.life_s,
            plan->tokens.delay_ms, plan->tokens.changes);
    for (int32_t i = 0; i < plan->topics; i++)
        fprintf(out, "%s%d%s", i > 0 ? "," : "", plan->partitions[i],
                plan->is_compacted[i] ? "(compacted)" : "");
    fprintf(out,
            " auto.create=%d sessions=%d message.max=%d release=%s bootstrap=%d%s start=%" PRId64
            " seconds=%" PRId64 "\n",
            plan->auto_create, plan->session_slots, plan->message_max,
            plan->release == NULL ? "newest" : plan->release, plan->bootstrap_count,
            plan->bad_bootstrap ? "+bad" : "", plan->start, plan->duration / WORLD_SECOND);
    fprintf(out,
            "  latency=%" PRId64 "..%" PRId64 "us window=%d byte=%" PRId64
            "ns short=%d%% spurious=%d%% jobs=%d from %d us\n",
            plan->weather.latency_min / 1000, plan->weather.latency_max / 1000,
            plan->weather.window, plan->weather.byte_ns, plan->weather.short_percent,
            plan->weather.spurious_percent, plan->weather.jobs, plan->weather.job_least_us);
    fprintf(out,
            "  request.timeout=%d retry.backoff=%d reconnect.backoff=%d setup.timeout=%d idle=%d "
            "max.age=%d restarts=%d%%\n",
            plan->request_timeout_ms, plan->retry_backoff_ms, plan->reconnect_backoff_ms,
            plan->setup_timeout_ms, plan->idle_ms, plan->max_age_ms, plan->restarts);
    for (int32_t i = 0; i < plan->producers; i++) print_producer(&plan->producer[i], out);
    for (int32_t i = 0; i < plan->consumers; i++) {
        const struct plan_consumer *c = &plan->consumer[i];
        fprintf(out,
                "  consumer rack=%s reset=%s max=%d partition=%d wait=%d min=%d memory=%d pace=%d "
                "seeks=%d%% pauses=%d%% holds=%d%% one=%d ends=%d shares=%d group=%d auto=%d/%d "
                "commits=%d%%\n",
                c->rack, c->reset, c->max_bytes, c->partition_bytes, c->wait_ms, c->min_bytes,
                c->memory, c->pace_ms, c->seeks, c->pauses, c->holds, c->one_partition, c->ends,
                c->shares_host, c->in_group, c->auto_commit, c->commit_ms, c->commits);
    }
    print_crew(&plan->crew, out);
    for (int i = 0; i < PLAN_FAULT_COUNT; i++)
        if (plan->mean[i] != 0)
            fprintf(out, "  every %6" PRId64 " ms %s: %s\n", plan->mean[i] / WORLD_MS,
                    plan_faults[i].name, plan_faults[i].text);
}
