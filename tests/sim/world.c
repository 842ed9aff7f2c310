/* Clock, timers, scheduling, and the broker cluster's side of the world; see world.h. */
#include "sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/host.h"
#include "sim/link.h"

static const struct {
    const char *name;
    const char *fields[3];
} world_event_names[] = {
#define WORLD_EVENT_NAME(name, a, b, c) {#name, {a, b, c}},
    WORLD_EVENTS(WORLD_EVENT_NAME)
#undef WORLD_EVENT_NAME
};

uint64_t world_hash_bytes(uint64_t hash, const void *data, size_t size) {
    const uint8_t *at = data;
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (; size > 0; at++, size--) hash = (hash ^ *at) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 29);
}

/* ---- telling ---- */

void world_violate(struct world *w, const char *format, ...) {
    if (w->violation[0] != '\0') return;
    int n = snprintf(w->violation, sizeof w->violation, "[%.6f s] ",
                     (double)(w->now - w->start) / (double)WORLD_SECOND);
    va_list args;
    va_start(args, format);
    vsnprintf(w->violation + n, sizeof w->violation - (size_t)n, format, args);
    va_end(args);
}

bool world_is_broken(const struct world *w) { return w->violation[0] != '\0'; }

static void print_entry(const struct world *w, const struct world_entry *e) {
    int64_t values[] = {e->a, e->b, e->c};
    printf("%12.6f %-10s", (double)(e->at - w->start) / (double)WORLD_SECOND,
           world_event_names[e->event].name);
    for (int k = 0; k < 3; k++) {
        const char *field = world_event_names[e->event].fields[k];
        if (field[0] == '\0') continue;
        if (strcmp(field, "hash") == 0)
            printf(" %s=%08" PRIx32, field, (uint32_t)values[k]);
        else
            printf(" %s=%" PRId64, field, values[k]);
    }
    putchar('\n');
}

void world_note(struct world *w, enum world_event event, int64_t a, int64_t b, int64_t c) {
    int64_t words[] = {w->now, event, a, b, c};
    struct world_entry *e = &w->ring[w->events++ % WORLD_RING];
    w->hash = world_hash_bytes(w->hash, words, sizeof words);
    *e = (struct world_entry){.at = w->now, .event = event, .a = a, .b = b, .c = c};
    if (w->echoes) print_entry(w, e);
}

void world_print(const struct world *w) {
    uint64_t first = w->events > WORLD_RING ? w->events - WORLD_RING : 0;
    for (uint64_t i = first; i < w->events; i++) print_entry(w, &w->ring[i % WORLD_RING]);
}

/* ---- life ---- */

int world_create(const struct sl_broker_options *options, uint64_t seed, int64_t start,
                 struct world **out) {
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL) abort();
    sl_rng_init(&w->rng, seed);
    w->start = w->now = start;
    w->wall_ms = INT64_C(1700000000000);
    w->node_count = options->nodes;
    w->weather = (struct world_weather){.latency_min = WORLD_MS / 5,
                                        .latency_max = WORLD_MS,
                                        .window = 256 * 1024,
                                        .resolve_min = WORLD_MS,
                                        .resolve_max = 5 * WORLD_MS};
    sl_heap_init(&w->timers, sl_alloc_default());
    sl_list_init(&w->hosts);
    sl_list_init(&w->links);
    int rv = sl_broker_create(options, sl_alloc_default(), seed ^ 0x62726f6b6572, &w->broker);
    if (rv != 0) {
        free(w);
        return rv;
    }
    world_broker_begin(w);
    for (int32_t node = 1; node <= w->node_count; node++) {
        char name[32];
        snprintf(name, sizeof name, "broker-%d", node);
        w->states[node] = SL_BROKER_UP;
        rv = sl_broker_advertise(w->broker, node, name, (uint16_t)(WORLD_PORT + node));
        if (rv != 0) world_violate(w, "the cluster cannot be advertised: %d", rv);
    }
    world_broker_end(w);
    *out = w;
    return 0;
}

void world_destroy(struct world *w) {
    link_destroy_all(w);
    sl_broker_destroy(w->broker);
    sl_heap_deinit(&w->timers);
    free(w);
}

void world_bootstrap(const struct world *w, int32_t count, char *buf, size_t cap) {
    size_t size = 0;
    buf[0] = '\0';
    for (int32_t node = 1; node <= count && node <= w->node_count && size < cap; node++)
        size += (size_t)snprintf(buf + size, cap - size, "%sbroker-%d:%d", node > 1 ? "," : "",
                                 node, WORLD_PORT + node);
}

/* ---- time ---- */

int64_t world_wall_ms(const struct world *w) { return w->wall_ms + (w->now - w->start) / WORLD_MS; }

void world_set_timer(struct world *w, struct world_timer *t, int64_t at) {
    if (at == WORLD_NEVER)
        sl_heap_remove(&w->timers, &t->node);
    else if (sl_heap_set(&w->timers, &t->node, at) != 0)
        abort();
}

void world_stop_timer(struct world *w, struct world_timer *t) {
    sl_heap_remove(&w->timers, &t->node);
}

/* ---- the broker ---- */

void world_broker_begin(struct world *w) { sl_broker_on_time(w->broker, w->now, world_wall_ms(w)); }

static void take_broker_outputs(struct world *w) {
    struct sl_broker_output out;
    while (sl_broker_next_output(w->broker, &out)) {
        switch (out.kind) {
        case SL_BROKER_SEND:
            link_on_broker_send(w, out.link);
            break;
        case SL_BROKER_CLOSE:
            link_on_broker_close(w, out.link, out.abrupt);
            break;
        case SL_BROKER_STATE:
            w->states[out.node] = out.state;
            world_note(w, WORLD_NODE, out.node, out.state, 0);
        }
    }
}

void world_broker_end(struct world *w) {
    sl_broker_run(w->broker);
    take_broker_outputs(w);
    w->broker_due = false;
#ifdef SL_CHECKS
    sl_broker_check(w->broker);
#endif
    if (w->observer.on_broker != NULL) w->observer.on_broker(w->observer.user);
}

void world_set_node(struct world *w, int32_t node, enum sl_broker_state state) {
    world_broker_begin(w);
    sl_broker_set_state(w->broker, node, state);
    world_broker_end(w);
}

/* ---- scheduling ---- */

static struct host *find_due_host(struct world *w, const struct host *except) {
    struct host *found = NULL;
    uint64_t count = 0;
    SL_LIST_EACH(it, tmp, &w->hosts) {
        struct host *h = SL_LIST_OF(it, struct host, node);
        if (h == except || host_due_at(h) > w->now) continue;
        count++; /* each of those that are due is as likely as the others */
        if (count == 1 || sl_rng_below(&w->rng, count) == 0) found = h;
    }
    return found;
}

static bool run_due(struct world *w, struct host *except) {
    struct sl_heap_node *first = sl_heap_peek(&w->timers);
    struct host *host = find_due_host(w, except);
    bool has_timer = first != NULL && first->at <= w->now;
    if (w->broker_due || sl_broker_deadline(w->broker) <= w->now) {
        world_broker_begin(w);
        world_broker_end(w);
        return true;
    }
    if (has_timer && (host == NULL || sl_rng_chance(&w->rng, 1, 2))) {
        struct world_timer *t = SL_LIST_OF(first, struct world_timer, node);
        sl_heap_remove(&w->timers, first);
        t->on_due(w, t);
        return true;
    }
    if (host == NULL) return false;
    host_run(host);
    return true;
}

bool world_step(struct world *w, struct host *except, int64_t limit) {
    if (world_is_broken(w)) {
        /* Whoever waits must come to an end. */
        if (limit != WORLD_NEVER && limit > w->now) w->now = limit;
        return false;
    }
    if (++w->steps > WORLD_STEPS_MAX) {
        world_violate(w, "the world does not come to rest: %d steps", WORLD_STEPS_MAX);
        return false;
    }
    if (run_due(w, except)) return true;
    int64_t next = limit;
    struct sl_heap_node *first = sl_heap_peek(&w->timers);
    if (first != NULL && first->at < next) next = first->at;
    int64_t broker = sl_broker_deadline(w->broker);
    if (broker < next) next = broker;
    SL_LIST_EACH(it, tmp, &w->hosts) {
        struct host *h = SL_LIST_OF(it, struct host, node);
        if (h == except) continue;
        int64_t at = host_due_at(h);
        if (at < next) next = at;
    }
    if (next == WORLD_NEVER) {
        world_violate(w, "a call waits without limit and nothing can ever happen");
        return false;
    }
    bool is_limit = next == limit;
    if (next > w->now) w->now = next;
    return !is_limit;
}

void world_run_for(struct world *w, int64_t ns) {
    int64_t until = w->now + ns;
    while (w->now < until && !world_is_broken(w)) (void)world_step(w, NULL, until);
}
