/* The host table over virtual time; see host.h. */
#include "sim/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/link.h"
#include "sluice/client.h"
#include "sluice/error.h"

/* I18: a host may run so often without having been asked to, at one instant and in one second. */
enum { HOST_IDLE_TURNS_NOW = 40, HOST_IDLE_TURNS_SECOND = 1200 };

/* A name that is looked up, or an errand of core; under way, or done. */
struct errand {
    struct sl_list node;
    struct host *host;
    struct world_timer timer;
    struct sl_host_answer answer;
    bool is_done;
    bool is_taken;
};

/* A job of core, run late and out of order. */
struct host_job {
    struct sl_list node;
    struct host *host;
    struct world_timer timer;
    struct sl_job *job;
    bool is_due;
};

/* ---- clock and entropy ---- */

static int64_t host_now(void *self) { return ((struct host *)self)->world->now; }
static int64_t host_wall_ms(void *self) { return world_wall_ms(((struct host *)self)->world); }

static int host_entropy(void *self, void *buf, size_t size) {
    struct host *h = self;
    uint8_t *out = buf;
    for (size_t i = 0; i < size; i++) out[i] = (uint8_t)sl_rng_next(&h->world->rng);
    return 0;
}

/* ---- sockets ---- */

static int host_connect(void *self, const struct sl_address *address, uint64_t token,
                        int32_t send_buffer, int32_t receive_buffer, int *socket, char *text,
                        size_t cap) {
    (void)send_buffer;
    (void)receive_buffer;
    ((struct host *)self)->acted = true;
    return link_connect(self, address, token, socket, text, cap);
}

static struct link *need_link(struct host *h, int socket) {
    struct link *l = link_find(h, socket);
    if (l == NULL) {
        world_violate(h->world, "host %d uses socket %d, which is not open", h->id, socket);
    }
    return l;
}

static int host_connect_result(void *self, int socket, char *text, size_t cap) {
    struct link *l = need_link(self, socket);
    return l == NULL ? SLUICE_ERR_SYSTEM : link_connect_result(l, text, cap);
}

static int64_t host_recv(void *self, int socket, void *buf, size_t size, char *text, size_t cap) {
    struct link *l = need_link(self, socket);
    return l == NULL ? SL_IO_FAILED : link_recv(l, buf, size, text, cap);
}

static int64_t host_send(void *self, int socket, const struct sl_iov *pieces, size_t count,
                         char *text, size_t cap) {
    struct host *h = self;
    struct link *l = need_link(h, socket);
    int64_t sent = l == NULL ? SL_IO_FAILED : link_send(l, pieces, count, text, cap);
    if (sent > 0) h->acted = true;
    return sent;
}

static void host_want_write(void *self, int socket, bool wanted) {
    struct link *l = need_link(self, socket);
    if (l != NULL) l->wants_write = wanted;
}

static void host_close(void *self, int socket) {
    struct link *l = need_link(self, socket);
    if (l != NULL) link_close(l);
}

/* ---- names and errands ---- */

static void put_address(struct sl_host_answer *r, int third, int fourth, uint16_t port) {
    struct sl_address *a = &r->addresses[r->count++];
    *a = (struct sl_address){
        .ip = {10, 0, (uint8_t)third, (uint8_t)fourth}, .ip_size = 4, .port = port};
}

/* broker-N is 10.0.0.N, peer-N 10.0.1.N, hole-N 10.0.9.N (nobody answers), dead-N 10.0.8.N (all is
 * refused); numbers are themselves. */
static bool look_up(struct sl_host_answer *r, const char *name, uint16_t port) {
    static const struct {
        const char *format;
        int third;
    } kinds[] = {{"broker-%d%n", 0}, {"peer-%d%n", 1}, {"hole-%d%n", 9}, {"dead-%d%n", 8}};
    int a, b, n, size = 0;
    if (sscanf(name, "10.0.%d.%d%n", &a, &b, &size) == 2 && name[size] == '\0') {
        put_address(r, a, b, port);
        return true;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        if (sscanf(name, kinds[i].format, &n, &size) != 1 || name[size] != '\0') continue;
#pragma GCC diagnostic pop
        put_address(r, kinds[i].third, n, port);
        return true;
    }
    return false;
}

static void finish_errand(struct world *w, struct world_timer *t) {
    struct errand *k = SL_LIST_OF(t, struct errand, timer);
    (void)w;
    k->is_done = true;
    k->host->is_woken = true;
}

static int host_resolve(void *self, uint64_t client, uint64_t serial, const char *name,
                        uint16_t port) {
    struct host *h = self;
    struct world *w = h->world;
    struct errand *k = calloc(1, sizeof *k);
    if (k == NULL) abort();
    k->host = h;
    k->timer.on_due = finish_errand;
    k->answer.kind = SL_ERRAND_NAME;
    k->answer.client = client;
    k->answer.serial = serial;
    sl_list_push_back(&h->errands, &k->node);
    if (w->names == WORLD_NAMES_MANY) {
        put_address(&k->answer, 8, 1, port); /* an address where nobody listens comes first */
        put_address(&k->answer, 9, 1, port);
    }
    if (w->names == WORLD_NAMES_FAIL || !look_up(&k->answer, name, port)) {
        k->answer.count = 0;
        k->answer.rv = SLUICE_ERR_UNREACHABLE;
        snprintf(k->answer.text, sizeof k->answer.text, "no such name: %s", name);
    }
    if (w->names == WORLD_NAMES_HANG) return 0;
    int64_t delay = sl_rng_range(&w->rng, w->weather.resolve_min, w->weather.resolve_max);
    world_set_timer(w, &k->timer, w->now + delay);
    return 0;
}

static int host_start_errand(void *self, const struct sl_host_errand *asked) {
    struct host *h = self;
    struct world *w = h->world;
    if (w->on_errand == NULL) return SLUICE_ERR_UNSUPPORTED;
    struct errand *k = calloc(1, sizeof *k);
    if (k == NULL) abort();
    k->host = h;
    k->timer.on_due = finish_errand;
    k->answer.kind = asked->kind;
    k->answer.client = asked->client;
    k->answer.serial = asked->serial;
    sl_list_push_back(&h->errands, &k->node);
    int64_t delay = w->on_errand(w, asked, &k->answer);
    world_note(w, WORLD_ERRAND, h->id, asked->kind, delay);
    if (delay != WORLD_NEVER) world_set_timer(w, &k->timer, w->now + delay);
    return 0;
}

void host_answer_names(struct world *w) {
    SL_LIST_EACH(it, tmp, &w->hosts) {
        struct host *h = SL_LIST_OF(it, struct host, node);
        SL_LIST_EACH(at, next, &h->errands) {
            struct errand *k = SL_LIST_OF(at, struct errand, node);
            if (!k->is_done && k->timer.node.index == SL_HEAP_IDLE &&
                k->answer.kind == SL_ERRAND_NAME)
                world_set_timer(w, &k->timer, w->now + sl_rng_range(&w->rng, 0, WORLD_SECOND));
        }
    }
}

static struct sl_host_answer *host_take_answer(void *self) {
    struct host *h = self;
    SL_LIST_EACH(it, tmp, &h->errands) {
        struct errand *k = SL_LIST_OF(it, struct errand, node);
        if (!k->is_done || k->is_taken) continue;
        k->is_taken = true;
        return &k->answer;
    }
    return NULL;
}

static void free_errand(struct errand *k) {
    world_stop_timer(k->host->world, &k->timer);
    sl_list_remove(&k->node);
    free((void *)(uintptr_t)k->answer.bytes.data);
    free(k);
}

static void host_free_answer(void *self, struct sl_host_answer *answer) {
    (void)self;
    free_errand(SL_LIST_OF(answer, struct errand, answer));
}

/* ---- jobs ---- */

static int32_t host_jobs(void *self, int32_t *least_us) {
    const struct world *w = ((struct host *)self)->world;
    *least_us = w->weather.job_least_us;
    return w->weather.jobs;
}

static void end_job(struct world *w, struct world_timer *t) {
    struct host_job *k = SL_LIST_OF(t, struct host_job, timer);
    struct sl_job_tools tools;
    k->is_due = true;
    k->host->is_woken = true;
    world_note(w, WORLD_JOB, k->host->id, 0, 0);
    /* A worker that cannot be had hands it back as it was. */
    if (sl_job_tools_init(&tools, sl_alloc_default()) != 0) abort();
    if (!sl_rng_chance(&w->rng, 1, 20)) {
        k->job->run(k->job, &tools);
        w->hits[HIT_JOB]++;
    }
    sl_job_tools_deinit(&tools);
}

static void host_start_job(void *self, struct sl_job *job) {
    struct host *h = self;
    struct host_job *k = calloc(1, sizeof *k);
    if (k == NULL) abort();
    k->host = h;
    k->job = job;
    k->timer.on_due = end_job;
    sl_list_push_back(&h->jobs, &k->node);
    int64_t most = sl_rng_chance(&h->world->rng, 1, 30) ? 3 * WORLD_SECOND : 20 * WORLD_MS;
    world_set_timer(h->world, &k->timer, h->world->now + sl_rng_range(&h->world->rng, 0, most));
}

static struct sl_job *host_take_job(void *self, uint64_t member, bool is_last) {
    struct host *h = self;
    SL_LIST_EACH(it, tmp, &h->jobs) {
        struct host_job *k = SL_LIST_OF(it, struct host_job, node);
        struct sl_job *job = k->job;
        if (job->member != member || !(k->is_due || is_last)) continue;
        world_stop_timer(h->world, &k->timer);
        sl_list_remove(&k->node);
        free(k);
        return job;
    }
    return NULL;
}

static bool has_answer(struct host *h) {
    SL_LIST_EACH(it, tmp, &h->jobs) {
        if (SL_LIST_OF(it, struct host_job, node)->is_due) return true;
    }
    SL_LIST_EACH(it, tmp, &h->errands) {
        const struct errand *k = SL_LIST_OF(it, struct errand, node);
        if (k->is_done && !k->is_taken) return true;
    }
    return false;
}

/* ---- waiting ---- */

static bool is_any_ready(struct host *h) {
    SL_LIST_EACH(it, tmp, &h->links) {
        if (link_ready(SL_LIST_OF(it, struct link, host_node)) != 0) return true;
    }
    return false;
}

static int collect_ready(struct host *h, struct sl_ready *ready, int cap) {
    struct world *w = h->world;
    int count = 0;
    SL_LIST_EACH(it, tmp, &h->links) {
        struct link *l = SL_LIST_OF(it, struct link, host_node);
        uint32_t what = link_ready(l);
        if (what == 0 && l->state == LINK_OPEN &&
            sl_rng_chance(&w->rng, (uint32_t)w->weather.spurious_percent, 100))
            what = sl_rng_chance(&w->rng, 1, 2) ? SL_READY_READ : SL_READY_WRITE;
        if (what == 0 || count == cap) continue;
        ready[count++] = (struct sl_ready){.token = l->token, .what = what};
    }
    return count;
}

/* I18: a turn that only the clock had asked for must be due to a deadline, and those are rare. */
static void count_idle_turn(struct host *h) {
    struct world *w = h->world;
    if (h->idle_turns_at != w->now) h->idle_turns_now = 0;
    h->idle_turns_at = w->now;
    if (w->now - h->idle_second_at >= WORLD_SECOND) {
        h->idle_second_at = w->now;
        h->idle_turns_second = 0;
    }
    if (++h->idle_turns_now > HOST_IDLE_TURNS_NOW)
        world_violate(w, "I18: host %d spins: %d turns at one instant, and nothing happens", h->id,
                      HOST_IDLE_TURNS_NOW);
    if (++h->idle_turns_second > HOST_IDLE_TURNS_SECOND)
        world_violate(w, "I18: host %d spins: %d turns in a second, and nothing happens", h->id,
                      HOST_IDLE_TURNS_SECOND);
}

static int host_wait(void *self, int64_t until, struct sl_ready *ready, int cap) {
    struct host *h = self;
    struct world *w = h->world;
    bool is_scheduled = h->is_running, may_sleep = until > w->now;
    h->is_running = true;
    while (w->now < h->stalled_until && !world_is_broken(w))
        (void)world_step(w, h, h->stalled_until);
    while (!h->is_woken && !is_any_ready(h) && !has_answer(h) && w->now < until) {
        if (!world_step(w, h, until) && world_is_broken(w)) break;
    }
    h->is_running = is_scheduled;
    bool was_asked = h->is_woken || has_answer(h) || is_any_ready(h);
    h->turns++;
    /* A call that does not wait may look as often as the application likes. */
    bool is_idle = !was_asked && !h->acted && (is_scheduled || may_sleep);
    h->acted = false;
    if (is_idle && !world_is_broken(w)) count_idle_turn(h);
    h->is_woken = false;
    h->knows_deadline = false;
    int count = collect_ready(h, ready, cap);
    world_note(w, WORLD_RUN, h->id, count, 0);
    host_check(h);
    return count;
}

static void host_wake(void *self) { ((struct host *)self)->is_woken = true; }

static const struct sl_host_table host_table = {
    .now = host_now,
    .wall_ms = host_wall_ms,
    .entropy = host_entropy,
    .connect = host_connect,
    .connect_result = host_connect_result,
    .recv = host_recv,
    .send = host_send,
    .want_write = host_want_write,
    .close = host_close,
    .resolve = host_resolve,
    .start_errand = host_start_errand,
    .take_answer = host_take_answer,
    .free_answer = host_free_answer,
    .jobs = host_jobs,
    .start_job = host_start_job,
    .take_job = host_take_job,
    .wait = host_wait,
    .wake = host_wake,
};

/* ---- for the world ---- */

int host_create(struct world *w, struct host **out) {
    struct host *h = calloc(1, sizeof *h);
    if (h == NULL) abort();
    h->world = w;
    h->id = ++w->host_count;
    memory_init(&h->memory);
    h->alloc = memory_internal(&h->memory);
    sl_list_init(&h->links);
    sl_list_init(&h->errands);
    sl_list_init(&h->jobs);
    int rv = sl_runtime_create_on(&host_table, h, &h->alloc, &h->runtime);
    if (rv != 0) {
        free(h);
        return rv;
    }
    sl_list_push_back(&w->hosts, &h->node);
    *out = h;
    return 0;
}

void host_destroy(struct host *h) {
    struct world *w = h->world;
    sluice_runtime_release(h->runtime);
    SL_LIST_EACH(it, tmp, &h->errands) {
        free_errand(SL_LIST_OF(it, struct errand, node));
    }
    SL_LIST_EACH(link, next, &h->links) {
        struct link *l = SL_LIST_OF(link, struct link, host_node);
        world_violate(w, "I16: host %d is gone and left socket %d open", h->id, l->id);
        link_close(l);
    }
    if (h->memory.live != 0 || h->memory.blocks != 0) {
        world_violate(w, "host %d is gone and left %lld bytes in %lld blocks", h->id,
                      (long long)h->memory.live, (long long)h->memory.blocks);
    }
    memory_deinit(&h->memory);
    host_check(h);
    sl_list_remove(&h->node);
    free(h);
}

int64_t host_due_at(struct host *h) {
    struct world *w = h->world;
    int64_t at = w->now;
    if (h->is_running) return WORLD_NEVER;
    if (!h->is_woken && !has_answer(h) && !is_any_ready(h)) {
        if (!h->knows_deadline) h->deadline = sl_runtime_deadline(h->runtime);
        h->knows_deadline = true;
        at = h->deadline;
    }
    return at < h->stalled_until ? h->stalled_until : at;
}

void host_run(struct host *h) {
    h->is_running = true;
    int rv = sluice_runtime_run(h->runtime, 0);
    h->is_running = false;
    if (rv != 0) world_violate(h->world, "host %d cannot run: %d", h->id, rv);
}

void host_check(struct host *h) {
    struct world *w = h->world;
    if (h->memory.damage != NULL) world_violate(w, "host %d: %s", h->id, h->memory.damage);
    if (h->memory_limit > 0 && h->memory.live > h->memory_limit) {
        world_violate(w, "I17: host %d has %lld bytes, and may have %lld", h->id,
                      (long long)h->memory.live, (long long)h->memory_limit);
    }
}

void host_stall(struct host *h, int64_t ns) {
    world_note(h->world, WORLD_STALL, h->id, ns / WORLD_MS, 0);
    h->stalled_until = h->world->now + ns;
}
