/* A broker machine on real ports: a member of a runtime like a client, and the calls of tests.
 *
 * Calls are closures in a queue under the host's mailbox: the caller waits (or runs a driven
 * runtime) until the loop has run them and acted on what came of it, which is bounded by a turn.
 * The counters that await waits for are looked at after every turn, for all that wait. Calls and
 * awaits lie on their callers' stacks.
 *
 * The loop owns the machine and its ports from join to leave. A host that cannot listen leaves
 * again.
 *
 * Not here: listeners and connections (host_ports.c), what the broker answers (broker/). */
#include "driver/host.h"

#include <string.h>

#include "base/text.h"
#include "driver/forked.h"
#include "driver/host_ports.h"
#include "driver/host_tls.h"
#include "driver/inbox.h"
#include "driver/runtime_inside.h"
#include "sluice/error.h"

enum {
    HOST_NODES_MAX = 100,
    HOST_ENDPOINT_MAX = 72, /* an address, brackets, a port, a comma */
    HOST_MAGIC = 0x51c0b0b0
};

struct host_call {
    struct sl_list link;
    sl_host_fn fn;
    void *arg;
    int rv;
    bool opens; /* a node may have to listen: the answer says whether it could */
    bool done;  /* mailbox: its outputs were acted on too */
};
/* Somebody waits for requests. */
struct host_await {
    struct sl_list link;
    int16_t api;
    int64_t count;
    int64_t seen; /* mailbox: after the last turn */
};
struct sl_host {
    uint32_t magic;
    int fork_generation;
    struct sl_alloc alloc;
    struct sl_member member;
    struct sluice_runtime *runtime;
    const struct sl_host_table *table; /* of the runtime, with its self */
    void *self;

    struct sl_mailbox mail; /* guards the lists; tells when a call is done or an await satisfied */
    struct sl_list calls;   /* struct host_call */
    struct sl_list awaits;  /* struct host_await */

    /* the loop's */
    struct sl_host_ports ports;
    struct sl_host_tls tls;
    struct sl_list ran; /* struct host_call: their outputs are to be acted on */
    bool again;         /* the machine got an input since its last run */
    char bootstrap[HOST_NODES_MAX * HOST_ENDPOINT_MAX];
};

static struct sl_host *host_of(struct sl_member *m) {
    return (struct sl_host *)(void *)((char *)m - offsetof(struct sl_host, member));
}

/* ---- the turn ---- */

static void run_host_calls(struct sl_host *h) {
    sl_inbox_mail_lock(&h->mail);
    sl_list_splice_back(&h->ran, &h->calls);
    sl_inbox_mail_unlock(&h->mail);
    SL_LIST_EACH(it, tmp, &h->ran) {
        struct host_call *call = SL_LIST_OF(it, struct host_call, link);
        call->rv = call->fn(h->ports.cluster, call->arg);
        h->again = true;
    }
}

/* Callers go on only when the outputs of their calls have been acted on. Once a call is done its
 * memory is the caller's again. */
static void tell_host_callers(struct sl_host *h) {
    bool any = false;
    sl_inbox_mail_lock(&h->mail);
    for (struct sl_list *it; (it = sl_list_pop_front(&h->ran)) != NULL; any = true) {
        struct host_call *call = SL_LIST_OF(it, struct host_call, link);
        if (call->opens && h->ports.listen_failed) call->rv = SLUICE_ERR_SYSTEM;
        if (call->opens) h->ports.listen_failed = false;
        call->done = true;
    }
    SL_LIST_EACH(it, tmp, &h->awaits) {
        struct host_await *await = SL_LIST_OF(it, struct host_await, link);
        await->seen = sl_broker_seen(h->ports.cluster, await->api);
        any |= await->seen >= await->count;
    }
    if (any) sl_inbox_mail_tell(&h->mail);
    sl_inbox_mail_unlock(&h->mail);
}

static void begin_host_turn(struct sl_member *m, int64_t now, int64_t wall_ms) {
    struct sl_host *h = host_of(m);
    h->again = false;
    sl_host_ports_on_time(&h->ports, now, wall_ms);
    run_host_calls(h);
}

static void pass_host_ready(struct sl_member *m, uint32_t link, uint32_t what) {
    struct sl_host *h = host_of(m);
    sl_host_ports_on_ready(&h->ports, link, what);
    h->again = true;
}

static void ignore_answer(struct sl_member *m, const struct sl_host_answer *answer) {
    (void)m;
    (void)answer;
}

static void finish_host_turn(struct sl_member *m) {
    struct sl_host *h = host_of(m);
    sl_host_ports_serve(&h->ports);
    h->again = false;
#ifdef SL_CHECKS
    sl_broker_check(h->ports.cluster);
#endif
    tell_host_callers(h);
}

static bool may_host_sleep(struct sl_member *m, int64_t now, int64_t *until) {
    struct sl_host *h = host_of(m);
    int64_t deadline = sl_host_ports_deadline(&h->ports);
    if (h->again || deadline <= now) return false;
    sl_inbox_mail_lock(&h->mail);
    bool none = sl_list_is_empty(&h->calls);
    sl_inbox_mail_unlock(&h->mail);
    if (deadline < *until) *until = deadline;
    return none;
}

static void end_host(struct sl_member *m, int64_t now, int64_t wall_ms) {
    struct sl_host *h = host_of(m);
    begin_host_turn(m, now, wall_ms);
    sl_host_ports_close(&h->ports);
    tell_host_callers(h);
}

static const struct sl_member_table host_member_table = {
    .begin = begin_host_turn,
    .on_ready = pass_host_ready,
    .on_answer = ignore_answer,
    .finish = finish_host_turn,
    .sleep = may_host_sleep,
    .end = end_host,
};

/* ---- calls ---- */

int sl_host_check(const struct sl_host *h) {
    if (h == NULL || h->magic != HOST_MAGIC) return SLUICE_ERR_USAGE;
    return h->fork_generation == sl_forked_generation ? 0 : SLUICE_ERR_FORKED;
}

const struct sl_alloc *sl_host_alloc(const struct sl_host *h) { return &h->alloc; }
const char *sl_host_bootstrap(const struct sl_host *h) { return h->bootstrap; }

/* Held, before and after; what is waited for has not come. Lets the loop go on, until that time or
 * something was told. *turn: as sl_runtime_serve keeps it. */
static void wait_for_host_turn(struct sl_host *h, int64_t until, uint64_t *turn) {
    if (!sl_runtime_is_driven(h->runtime)) {
        (void)sl_inbox_mail_wait(&h->mail, until);
        return;
    }
    sl_inbox_mail_unlock(&h->mail);
    (void)sl_runtime_serve(h->runtime, until, turn);
    sl_inbox_mail_lock(&h->mail);
}

static int call_host(struct sl_host *h, struct host_call *call) {
    uint64_t turn = 0;
    int rv = sl_host_check(h);
    if (rv != 0) return rv;
    if (sl_runtime_is_inside(h->runtime)) return SLUICE_ERR_BUSY;
    sl_inbox_mail_lock(&h->mail);
    sl_list_push_back(&h->calls, &call->link);
    sl_inbox_mail_unlock(&h->mail);
    sl_runtime_wake(h->runtime);
    sl_inbox_mail_lock(&h->mail);
    while (!call->done) wait_for_host_turn(h, SL_NEVER, &turn);
    sl_inbox_mail_unlock(&h->mail);
    return call->rv;
}

int sl_host_call(struct sl_host *h, sl_host_fn fn, void *arg) {
    struct host_call call = {.fn = fn, .arg = arg};
    return call_host(h, &call);
}

struct host_state_change {
    int32_t node;
    enum sl_broker_state state;
};

static int set_node_state(struct sl_broker_cluster *cluster, void *arg) {
    const struct host_state_change *change = arg;
    sl_broker_set_state(cluster, change->node, change->state);
    return 0;
}

int sl_host_set_state(struct sl_host *h, int32_t node, enum sl_broker_state state) {
    int rv = sl_host_check(h);
    if (rv != 0) return rv;
    if (node < 1 || node > h->ports.node_count) return SLUICE_ERR_USAGE;
    struct host_state_change change = {node, state};
    struct host_call call = {.fn = set_node_state, .arg = &change, .opens = true};
    return call_host(h, &call);
}

struct host_tls_change {
    struct sl_host *host;
    const char *name;
    const char *value;
    struct sl_text *why;
};

static int change_host_tls(struct sl_broker_cluster *cluster, void *arg) {
    const struct host_tls_change *change = arg;
    struct sl_tls *tls;
    (void)cluster;
    int rv = sl_host_tls_set(&change->host->tls, change->name, change->value, change->why, &tls);
    if (rv == 0) sl_host_ports_set_tls(&change->host->ports, tls);
    return rv;
}

int sl_host_set_tls(struct sl_host *h, const char *name, const char *value, struct sl_text *why) {
    struct host_tls_change change = {h, name, value, why};
    return sl_host_call(h, change_host_tls, &change);
}

static int do_nothing_to_cluster(struct sl_broker_cluster *cluster, void *arg) {
    (void)cluster;
    (void)arg;
    return 0;
}

int sl_host_await(struct sl_host *h, int16_t api, int64_t count, int32_t timeout_ms,
                  int64_t *seen) {
    int rv = sl_host_check(h);
    if (rv != 0) return rv;
    if (sl_runtime_is_inside(h->runtime)) return SLUICE_ERR_BUSY;
    int64_t until =
        timeout_ms < 0 ? SL_NEVER : h->table->now(h->self) + (int64_t)timeout_ms * 1000000;
    struct host_await await = {.api = api, .count = count};
    uint64_t turn = 0;
    sl_inbox_mail_lock(&h->mail);
    sl_list_push_back(&h->awaits, &await.link);
    sl_inbox_mail_unlock(&h->mail);
    rv = sl_host_call(h, do_nothing_to_cluster, NULL); /* a turn that counts what came before */
    sl_inbox_mail_lock(&h->mail);
    while (rv == 0 && await.seen < count) {
        if (until != SL_NEVER && h->table->now(h->self) >= until)
            rv = SLUICE_ERR_TIMEOUT;
        else
            wait_for_host_turn(h, until, &turn);
    }
    sl_list_remove(&await.link);
    sl_inbox_mail_unlock(&h->mail);
    if (seen != NULL) *seen = await.seen;
    return rv;
}

/* ---- life ---- */

static void free_host(struct sl_host *h) {
    struct sl_alloc alloc = h->alloc;
    sl_host_ports_deinit(&h->ports);
    sl_host_tls_deinit(&h->tls);
    sl_inbox_mail_deinit(&h->mail);
    h->magic = 0;
    sl_alloc_free(&alloc, h, sizeof *h);
}

/* On the loop, because it is the loop that may touch sockets. */
static int open_host(struct sl_broker_cluster *cluster, void *arg) {
    struct sl_host *h = arg;
    struct sl_text text;
    (void)cluster;
    int rv = sl_host_ports_open(&h->ports);
    if (rv != 0) return rv;
    const char *format = strchr(h->ports.address, ':') != NULL ? "%s[%s]:%u" : "%s%s:%u";
    sl_text_init(&text, h->bootstrap, sizeof h->bootstrap);
    for (int32_t i = 0; i < h->ports.node_count; i++) {
        sl_text_printf(&text, format, i > 0 ? "," : "", h->ports.address,
                       (unsigned)h->ports.nodes[i].port);
    }
    return 0;
}

/* A runtime on the system's sockets: the one given, or one of its own. */
static int find_host_runtime(struct sl_host *h, struct sluice_runtime *given) {
    int rv = given == NULL ? sl_runtime_create(SL_RUNTIME_THREAD, &h->alloc, &h->runtime)
                           : sl_runtime_check(given);
    if (rv != 0) return rv;
    if (given != NULL) h->runtime = given;
    h->table = sl_runtime_table(h->runtime, &h->self);
    return 0;
}

/* Ports and runtime; the loop has the host after it. */
static int start_host_ports(struct sl_host *h, const struct sl_host_options *options) {
    struct sl_net *net = sl_runtime_net(h->runtime);
    if (net == NULL) return SLUICE_ERR_USAGE;
    int rv = sl_host_ports_init(&h->ports, options, &h->alloc, &h->member, net);
    if (rv == 0) rv = sl_runtime_join(h->runtime, &h->member);
    if (rv != 0) sl_host_ports_deinit(&h->ports);
    return rv;
}

int sl_host_create(const struct sl_host_options *options, struct sl_host **out) {
    *out = NULL;
    if (options->broker.nodes < 1 || options->broker.nodes > HOST_NODES_MAX)
        return SLUICE_ERR_USAGE;
    int rv = sl_forked_watch();
    if (rv != 0) return rv;
    struct sl_host *h = sl_alloc_zero(&options->alloc, sizeof *h);
    if (h == NULL) return SLUICE_ERR_NOMEM;
    h->alloc = options->alloc;
    h->fork_generation = sl_forked_generation;
    h->member.table = &host_member_table;
    sl_host_tls_init(&h->tls, &h->alloc);
    sl_list_init(&h->calls);
    sl_list_init(&h->awaits);
    sl_list_init(&h->ran);
    rv = sl_inbox_mail_init(&h->mail);
    if (rv != 0) goto free_memory;
    rv = find_host_runtime(h, options->runtime);
    if (rv != 0) goto deinit_mail;
    rv = start_host_ports(h, options);
    /* The member keeps a runtime of its own from here on; without one it goes. */
    if (options->runtime == NULL) sl_runtime_release(h->runtime);
    if (rv != 0) goto deinit_mail;
    h->magic = HOST_MAGIC;
    rv = sl_host_call(h, open_host, h);
    if (rv != 0) goto leave_runtime;
    *out = h;
    return 0;

leave_runtime:
    sl_runtime_leave(&h->member);
    free_host(h);
    return rv;
deinit_mail:
    sl_inbox_mail_deinit(&h->mail);
free_memory:
    sl_alloc_free(&options->alloc, h, sizeof *h);
    return rv;
}

/* What the parent was working on is left alone. */
static void free_host_in_child(struct sl_host *h) {
    bool safe = !sl_runtime_was_turning(h->runtime);
    h->magic = 0;
    sl_host_ports_abandon(&h->ports);
    sl_runtime_abandon_member(&h->member);
    if (safe) free_host(h);
}

void sl_host_free(struct sl_host *h) {
    int rv = sl_host_check(h);
    if (rv == SLUICE_ERR_FORKED) free_host_in_child(h);
    if (rv != 0 || sl_runtime_is_inside(h->runtime)) return;
    sl_runtime_leave(&h->member);
    free_host(h);
}
