/* Setting up, scheduling and judging one run; see workload.h. */
#include "sim/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/oidc.h"
#include "sim/link.h"

static struct workload *current_workload;

struct workload *workload_current(void) {
    return current_workload;
}

/* ---- what applications share ---- */

void app_set_number(sluice_config *config, const char *name, int64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    (void)sluice_config_set(config, name, text);
}

bool app_draw(struct app *app, uint32_t percent) {
    return sl_rng_chance(&app->workload->rng, percent, 100);
}

void app_before(struct app *app, int32_t timeout_ms) {
    struct world *w = app->workload->world;
    app->call_at = w->now;
    app->call_until = w->now + timeout_ms * WORLD_MS;
}

void app_after(struct app *app, const char *call) {
    struct world *w = app->workload->world;
    int64_t until = app->call_until;
    if (app->host->stalled_until > until) until = app->host->stalled_until;
    if (w->now > until + WORKLOAD_TICK)
        world_violate(w, "I20: %s of application %d took %.3f s, and was to take %.3f s", call,
                      app->id, (double)(w->now - app->call_at) / 1e9,
                      (double)(app->call_until - app->call_at) / 1e9);
}

bool app_may_lack_memory(const struct app *app) {
    return app->workload->plan.mean[PLAN_MEMORY] != 0;
}

void app_complain(struct app *app, const char *call, int rv) {
    char text[400] = "";
    if (app->client != NULL) (void)sluice_client_explain(app->client, rv, text, sizeof text);
    world_violate(app->workload->world, "application %d: %s says %d %s: %s", app->id, call, rv,
                  sluice_error_name(rv), text);
}

static void set_token_source(const struct plan *plan, sluice_config *config) {
    /* Without libcurl there is no other source. */
    if (plan->tokens.by_file || !sl_oidc_is_there()) {
        (void)sluice_config_set(config, "sasl.oauthbearer.token.file", "/run/token");
        return;
    }
    (void)sluice_config_set(config, "sasl.oauthbearer.method", "oidc");
    (void)sluice_config_set(config, "sasl.oauthbearer.token.endpoint.url", "https://idp/token");
    (void)sluice_config_set(config, "sasl.oauthbearer.client.id", "me");
    (void)sluice_config_set(config, "sasl.oauthbearer.client.secret", "c4n4ry");
}

void app_configure(struct app *app, sluice_config *config) {
    const struct plan *plan = &app->workload->plan;
    char text[400] = "", brokers[300];
    sluice_allocator memory = memory_public(&app->host->memory);
    world_bootstrap(app->workload->world, plan->bootstrap_count, brokers, sizeof brokers);
    snprintf(text, sizeof text, "%s%s",
             plan->bad_bootstrap ? "nobody:9001,dead-1:9001,hole-1:9001," : "", brokers);
    (void)sluice_config_set(config, "bootstrap.servers", text);
    (void)sluice_config_set(config, "log.to", "none");
    if (plan->login != NULL) {
        (void)sluice_config_set(config, "security.protocol", "SASL_PLAINTEXT");
        (void)sluice_config_set(config, "sasl.mechanism", plan->login);
        if (plan->tokens.life_s > 0) {
            set_token_source(plan, config);
        } else {
            (void)sluice_config_set(config, "sasl.username", "bob");
            (void)sluice_config_set(config, "sasl.password", "pencil");
        }
    }
    sluice_config_memory(config, &memory, sizeof memory);
    const struct {
        const char *name;
        int32_t value;
    } numbers[] = {{"request.timeout.ms", plan->request_timeout_ms},
                   {"retry.backoff.ms", plan->retry_backoff_ms},
                   {"reconnect.backoff.ms", plan->reconnect_backoff_ms},
                   {"socket.connection.setup.timeout.ms", plan->setup_timeout_ms},
                   {"connections.max.idle.ms", plan->idle_ms},
                   {"metadata.max.age.ms", plan->max_age_ms}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(text, sizeof text, "%d", numbers[i].value);
        (void)sluice_config_set(config, numbers[i].name, text);
    }
}

/* ---- setting up ---- */

static void on_broker(void *user) { truth_scan(&((struct workload *)user)->truth, false); }
static void on_wire(void *user, struct link *link, const void *data, size_t size) {
    tap_on_wire(&((struct workload *)user)->tap, link, data, size);
}
static void on_gone(void *user, struct link *link) {
    tap_on_gone(&((struct workload *)user)->tap, link);
}

static void make_topics(struct workload *load) {
    struct world *w = load->world;
    const struct plan *plan = &load->plan;
    for (int32_t i = 0; i < plan->topics; i++) {
        char name[16];
        snprintf(name, sizeof name, "topic-%d", i);
        (void)truth_add_topic(&load->truth, name, plan->partitions[i]);
        world_broker_begin(w);
        int rv = sl_broker_create_topic(w->broker, name, plan->partitions[i],
                                        plan->nodes < 3 ? plan->nodes : 3);
        world_broker_end(w);
        if (rv != 0) world_violate(w, "topic %s cannot be created: %d", name, rv);
        load->truth.topics[i].is_compacted = plan->is_compacted[i];
        if (plan->is_compacted[i])
            (void)sl_broker_set_topic(w->broker, name, "cleanup.policy", "compact");
    }
    truth_scan(&load->truth, true);
}

static void want_logins(struct workload *load) {
    char text[32];
    snprintf(text, sizeof text, "%d", load->plan.login_ms);
    (void)sl_broker_set(load->world->broker, "sasl.enabled.mechanisms", load->plan.login);
    (void)sl_broker_set(load->world->broker, "sasl.user", "bob=pencil");
    (void)sl_broker_set(load->world->broker, "connections.max.reauth.ms", text);
    if (load->plan.tokens.life_s == 0) return;
    load->provider = (struct provider){.life_s = load->plan.tokens.life_s,
                                       .delay = load->plan.tokens.delay_ms * WORLD_MS,
                                       .user = "bob",
                                       .changes = load->plan.tokens.changes};
    provider_set(load->world, &load->provider);
}

static int make_world(struct workload *load) {
    const struct plan *plan = &load->plan;
    struct sl_broker_options options;
    sl_broker_options_init(&options);
    options.nodes = plan->nodes;
    options.default_partitions = plan->partitions[0];
    options.auto_create = plan->auto_create;
    options.message_max = plan->message_max;
    options.session_slots = plan->session_slots;
    options.cluster_id = "sim";
    int rv = world_create(&options, plan->seed, plan->start, &load->world);
    if (rv != 0) return rv;
    load->world->weather = plan->weather;
    if (plan->release != NULL) rv = sl_broker_cap_release(load->world->broker, plan->release);
    if (rv != 0) world_violate(load->world, "release %s: %d", plan->release, rv);
    if (plan->racks != NULL) {
        (void)sl_broker_set(load->world->broker, "broker.rack", plan->racks);
        (void)sl_broker_set(load->world->broker, "replica.selector.class",
                            "org.apache.kafka.common.replica.RackAwareReplicaSelector");
    }
    if (plan->login != NULL) want_logins(load);
    return 0;
}

/* What a consumer's lz4 decoder keeps: two blocks of the size that our frames declare. */
static int64_t memory_of_codecs(const struct workload *load) {
    for (int32_t i = 0; i < load->plan.producers; i++)
        if (strcmp(load->plan.producer[i].codec, "lz4") == 0) return 2 * 1152 * 1024;
    return 0;
}

/* I17: what a client may have: its budgets and what connections, brokers and partitions need. */
static int64_t memory_of(const struct workload *load, const struct app *app) {
    int64_t budget = app->kind == APP_PRODUCER   ? app->producer->buffer_memory
                     : app->kind == APP_CONSUMER ? app->consumer->memory
                                                 : MEMBER_MEMORY;
    int64_t partitions = 0;
    for (int32_t i = 0; i < load->plan.topics; i++) partitions += load->plan.partitions[i];
    if (app->kind != APP_PRODUCER) budget += memory_of_codecs(load);
    return budget + budget / 20 + 1536 * 1024 + load->plan.nodes * 64 * 1024 + partitions * 4096;
}

static struct app *add_app(struct workload *load, enum app_kind kind, struct host *host) {
    struct app *app = &load->apps[load->app_count++];
    *app = (struct app){.workload = load, .kind = kind, .id = load->app_count};
    app->next_at = load->world->now + sl_rng_range(&load->rng, 0, 20 * WORLD_MS);
    app->host = host;
    if (host == NULL) {
        if (host_create(load->world, &app->host) != 0) abort(); /* nothing fails yet */
        app->owns_host = true;
        /* Short backoffs and waits ask more often by themselves. */
        load->tap.rate_max[app->host->id] = 60 + 4000 / load->plan.retry_backoff_ms;
    }
    return app;
}

static void make_apps(struct workload *load) {
    const struct plan *plan = &load->plan;
    for (int32_t i = 0; i < plan->producers; i++) {
        bool shares = i > 0 && plan->producer[i].shares_host;
        struct app *app = add_app(load, APP_PRODUCER, shares ? load->apps[i - 1].host : NULL);
        app->producer = &plan->producer[i];
        app->host->memory_limit += memory_of(load, app);
    }
    for (int32_t i = 0; i < plan->consumers; i++) {
        bool shares = plan->consumer[i].shares_host;
        struct app *app = add_app(load, APP_CONSUMER, shares ? load->apps[0].host : NULL);
        app->consumer = &plan->consumer[i];
        snprintf(app->group, sizeof app->group, "g%d", (int)(int8_t)app->id);
        for (int32_t t = 0; t < PLAN_TOPICS; t++)
            for (int32_t p = 0; p < WORKLOAD_CURSORS; p++) app->most[t][p] = -1;
        app->host->memory_limit += memory_of(load, app);
    }
    for (int32_t i = 0; i < plan->crew.members; i++) {
        struct app *app = add_app(load, APP_MEMBER, NULL);
        app->member = i;
        app->next_at += sl_rng_range(&load->rng, 0, plan->duration / 2);
        snprintf(app->group, sizeof app->group, "crew");
        app->host->memory_limit += memory_of(load, app);
    }
}

/* ---- scheduling ---- */

static void step_app(struct app *app) {
    struct workload *load = app->workload;
    int64_t pace = app->kind == APP_PRODUCER   ? app->producer->pace_ms
                   : app->kind == APP_CONSUMER ? app->consumer->pace_ms
                                               : load->plan.crew.pace_ms;
    app->steps++;
    if (app->steps % 128 == 0) app_check_metrics(app, false);
    if (app->kind == APP_PRODUCER)
        producer_step(app);
    else if (app->kind == APP_CONSUMER)
        consumer_step(app);
    else
        member_step(app);
    /* Who has nothing more to do does it slowly. */
    if (app->kind == APP_PRODUCER && app->sent >= app->producer->records && pace < 100) pace = 100;
    if (load->phase != PHASE_FAULTS && pace < 20) pace = 20;
    app->next_at = load->world->now + sl_rng_range(&load->rng, 0, 2 * pace * WORLD_MS) + app->rest;
    app->rest = 0;
}

static struct app *find_first_app(struct workload *load) {
    struct app *first = NULL;
    for (int32_t i = 0; i < load->app_count; i++) {
        struct app *app = &load->apps[i];
        int64_t at = app->next_at;
        if (at < app->host->stalled_until) at = app->next_at = app->host->stalled_until;
        if (!app->is_done && (first == NULL || at < first->next_at)) first = app;
    }
    return first;
}

static bool is_settled(struct workload *load) {
    char why[200];
    for (int32_t i = 0; i < load->app_count; i++) {
        struct app *app = &load->apps[i];
        if (app->kind == APP_PRODUCER && !producer_is_settled(app)) return false;
        if (app->kind == APP_CONSUMER && !consumer_is_settled(app, why, sizeof why)) return false;
    }
    return crew_is_settled(load, why, sizeof why);
}

void workload_run_until(struct workload *load, int64_t until) {
    struct world *w = load->world;
    while (w->now < until && !world_is_broken(w)) {
        struct app *app = find_first_app(load);
        if (app != NULL && app->next_at <= w->now) {
            step_app(app);
            continue;
        }
        (void)world_step(w, NULL, app != NULL && app->next_at < until ? app->next_at : until);
    }
}

/* Moves whenever some record is decided or read. */
static int64_t count_progress(const struct workload *load) {
    int64_t count = 0;
    for (int32_t i = 0; i < load->truth.producer_count; i++)
        count += load->truth.producers[i].accepted - load->truth.producers[i].undecided;
    for (int32_t i = 0; i < load->app_count; i++) count += load->apps[i].records;
    return count;
}

/* I15: with the faults over, all comes to rest; and until then something gets on in any time that
 * is twice the longest timeout. (Who asked for one batch a Fetch over a long way has to wait.) */
static void run_until_settled(struct workload *load) {
    struct world *w = load->world;
    int64_t patience = 2 * plan_longest(&load->plan) + 10 * WORLD_SECOND;
    int64_t progress = -1, until = w->now;
    while (!world_is_broken(w) && !is_settled(load)) {
        if (count_progress(load) != progress) until = w->now + patience;
        progress = count_progress(load);
        if (w->now >= until) return;
        workload_run_until(load, w->now + 20 * WORLD_MS);
    }
}

static void complain_of_unsettled(struct workload *load) {
    char why[200];
    for (int32_t i = 0; i < load->app_count; i++) {
        struct app *app = &load->apps[i];
        if (app->kind == APP_PRODUCER && !producer_is_settled(app))
            world_violate(load->world, "I15: producer %d still has %" PRId64 " records undecided",
                          app->id, load->truth.producers[app->truth].undecided);
        if (app->kind == APP_CONSUMER && !consumer_is_settled(app, why, sizeof why))
            world_violate(load->world, "I15: consumer %d has not come to the end: %s", app->id,
                          why);
    }
    if (!crew_is_settled(load, why, sizeof why))
        world_violate(load->world, "I25: the group has not come to rest: %s", why);
}

/* ---- the end ---- */

static void end_apps(struct workload *load) {
    static const int32_t timeouts[] = {0, 1, 50, 1000, 30000};
    for (int32_t i = 0; i < load->app_count && !world_is_broken(load->world); i++) {
        struct app *app = &load->apps[i];
        app_check_metrics(app, true);
        int32_t timeout_ms = timeouts[sl_rng_below(&load->rng, 5)];
        if (app->kind == APP_PRODUCER)
            producer_end(app, timeout_ms);
        else if (app->kind == APP_CONSUMER)
            consumer_end(app, timeout_ms);
        else
            member_end(app, timeout_ms);
        app->is_done = true;
    }
}

static void print_dumps(struct workload *load) {
    static char buf[60000];
    struct sl_text text;
    for (int32_t i = 0; i < load->app_count; i++) {
        struct app *app = &load->apps[i];
        if (app->client == NULL) continue;
        printf("---- application %d (%s on host %d) ----\n", app->id,
               app->kind == APP_PRODUCER   ? "producer"
               : app->kind == APP_CONSUMER ? "consumer"
                                           : "member",
               app->host->id);
        if (sluice_client_dump(app->client, buf, sizeof buf, 50) > 0) puts(buf);
    }
    sl_text_init(&text, buf, sizeof buf);
    sl_broker_dump(load->world->broker, &text);
    printf("---- broker ----\n%s\n", buf);
}

static void sum_up(struct workload *load, struct workload_result *out) {
    *out = (struct workload_result){.simulated = load->world->now - load->world->start,
                                    .is_broken = world_is_broken(load->world),
                                    .retries = load->tap.retries,
                                    .requests = load->tap.requests};
    out->hash = load->world->hash ^ sl_broker_trace_hash(load->world->broker);
    for (int32_t i = 0; i < load->truth.producer_count; i++) {
        const struct truth_producer *p = &load->truth.producers[i];
        out->written += p->outcomes[0];
        out->not_written += p->outcomes[1];
        out->maybe += p->outcomes[2];
    }
    load->world->hits[HIT_TOKEN] += load->provider.given;
    for (int32_t i = 0; i < load->app_count; i++) out->consumed += load->apps[i].records;
    memcpy(out->hits, load->world->hits, sizeof out->hits);
}

/* I27: sessions are renewed in time, so no broker has to end one. Where requests are late on their way,
 * through no fault of the client's, one may end. */
static void check_sessions(struct workload *load) {
    enum { ROOMY_MS = 10000, ROOMY_TOKEN_S = 60 };
    if (load->plan.tokens.life_s > 0 && load->plan.tokens.life_s < ROOMY_TOKEN_S) return;
    int64_t expired = sl_broker_expired_sessions(load->world->broker);
    if (expired == 0 || plan_has_faults(&load->plan) || load->plan.login_ms < ROOMY_MS) return;
    world_violate(load->world, "I27: %" PRId64 " requests came after the end of their sessions",
                  expired);
}

static void run_phases(struct workload *load) {
    struct world *w = load->world;
    load->phase = PHASE_FAULTS;
    chaos_start(&load->chaos, w, &load->plan, &load->truth);
    workload_run_until(load, w->now + load->plan.duration);
    if (world_is_broken(w)) return;
    load->phase = PHASE_HEALED;
    world_note(w, WORLD_PHASE, load->phase, 0, 0);
    load->heal_at = w->now;
    chaos_heal(&load->chaos);
    load->provider.mood = PROVIDER_FINE;
    load->provider.changes = 0;
    crew_heal(load);
    run_until_settled(load);
    if (!world_is_broken(w) && !is_settled(load)) complain_of_unsettled(load);
    if (world_is_broken(w)) return;
    load->phase = PHASE_END;
    world_note(w, WORLD_PHASE, load->phase, 0, 0);
    end_apps(load);
    world_run_for(w, 30 * WORLD_SECOND); /* what is still under way arrives */
    if (!world_is_broken(w)) truth_settle(&load->truth);
    check_sessions(load);
    crew_check_commits(load);
}

static bool is_release(const struct plan *plan, const char *release) {
    return plan->release != NULL && strcmp(plan->release, release) == 0;
}

void workload_run(const struct plan *plan, enum workload_talk talk, struct workload_result *out) {
    struct workload *load = calloc(1, sizeof *load);
    if (load == NULL) abort();
    load->plan = *plan;
    sl_rng_init(&load->rng, plan->seed ^ 0x617070);
    if (make_world(load) != 0) abort();
    current_workload = load;
    load->world->echoes = talk == WORKLOAD_ECHOES;
    truth_init(&load->truth, load->world, &load->tap);
    load->truth.names_topics = plan->release != NULL;
    load->truth.is_lied_to = plan->mean[PLAN_LIE] != 0;
    load->truth.is_strict = plan->mean[PLAN_ERROR] == 0;
    load->truth.names_records = plan->mean[PLAN_MEMORY] == 0 && !is_release(plan, "2.1");
    tap_init(&load->tap, load->world);
    load->world->observer = (struct world_observer){
        .user = load, .on_wire = on_wire, .on_gone = on_gone, .on_broker = on_broker};
    make_topics(load);
    crew_init(load);
    make_apps(load);
    run_phases(load);
    if (world_is_broken(load->world)) {
        sum_up(load, out);
        if (talk != WORKLOAD_QUIET) {
            world_print(load->world);
            print_dumps(load);
            chaos_print(&load->chaos);
        }
        /* Clients are left as they are: the process is about to end. */
        printf("sim: violation: %s\n", load->world->violation);
        current_workload = NULL;
        return;
    }
    for (int32_t i = 0; i < load->app_count; i++)
        if (load->apps[i].owns_host) host_destroy(load->apps[i].host);
    sum_up(load, out);
    if (out->is_broken) printf("sim: violation: %s\n", load->world->violation);
    world_destroy(load->world);
    tap_deinit(&load->tap);
    crew_deinit(load);
    truth_deinit(&load->truth);
    current_workload = NULL;
    free(load);
}
