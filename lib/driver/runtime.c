/* Runtimes: the loop that serves members, and who runs it.
 *
 * THREAD: an I/O thread, started with the first member, runs it until the runtime ends. DRIVEN:
 * whoever calls run or waits in a call of a client runs it for that long, a turn at a time; `busy`
 * lets in one, and whoever else waits sleeps until that turn is over, and may be the next. `turns`
 * counts them: who looked for something before a turn that another thread ran looks again before
 * it sleeps. Between turns nobody owns the members' machines.
 *
 *   sleep (poller) ─▶ turn: joiners come in, begin, ready sockets, answers, finish,
 *                     leavers go out ─▶ sleep
 *
 * Members come and go through the mailbox: `joining` and `leaving` are the only things that other
 * threads touch. Who takes a member out waits for the turn under way, or does a turn itself when
 * nobody runs a driven loop.
 *
 * Lifetime: the public handle and every member keep the runtime; the last to go ends the thread
 * and frees it. `turning` is read by a forked child alone, which must not touch machines that were
 * being worked on.
 *
 * Not here: the loop in other hands while the I/O thread sleeps (runtime_lend.c), what a member does in a turn
 * (loop.c, host.c). */
#include "driver/runtime.h"

#include <pthread.h>

#include "base/assert.h"
#include "driver/forked.h"
#include "driver/inbox.h"
#include "driver/net.h"
#include "driver/openssl.h"
#include "driver/runtime_inside.h"
#include "driver/runtime_loop.h"
#include "driver/system.h"
#include "driver/thread.h"
#include "sluice/error.h"

enum { RUNTIME_MAGIC = 0x51c0a0e1 };

/* ---- life ---- */

static int create_runtime(const struct sl_alloc *alloc, struct sluice_runtime **out) {
    int rv = sl_forked_watch();
    if (rv != 0) return rv;
    sl_openssl_start();
    struct sluice_runtime *rt = sl_alloc_zero(alloc, sizeof *rt);
    if (rt == NULL) return SLUICE_ERR_NOMEM;
    rv = sl_inbox_mail_init(&rt->mail);
    if (rv != 0) {
        sl_alloc_free(alloc, rt, sizeof *rt);
        return rv;
    }
    rt->alloc = *alloc;
    rt->fork_generation = sl_forked_generation;
    rt->turns = 1;
    sl_list_init(&rt->joining);
    sl_list_init(&rt->members);
    sl_tls_shelf_init(&rt->tls);
    rt->magic = RUNTIME_MAGIC;
    *out = rt;
    return 0;
}

static void free_runtime(struct sluice_runtime *rt) {
    struct sl_alloc alloc = rt->alloc;
    sl_tls_shelf_deinit(&rt->tls);
    sl_net_destroy(rt->net);
    sl_inbox_mail_deinit(&rt->mail);
    rt->magic = 0;
    sl_alloc_free(&alloc, rt, sizeof *rt);
}

int sl_runtime_create(int32_t kind, const struct sl_alloc *alloc, struct sluice_runtime **out) {
    if (kind != SL_RUNTIME_THREAD && kind != SL_RUNTIME_DRIVEN) return SLUICE_ERR_USAGE;
    struct sluice_runtime *rt;
    int rv = create_runtime(alloc, &rt);
    if (rv != 0) return rv;
    /* One processor has nothing to gain, and a driven loop has no threads. */
    int32_t processors = kind == SL_RUNTIME_THREAD ? sl_system_processors() : 1;
    rv = sl_net_create(SL_NET_BEST, processors > 1 ? processors : 0, &rt->alloc, &rt->net);
    if (rv == 0 && kind == SL_RUNTIME_DRIVEN && sl_net_fd(rt->net) < 0) rv = SLUICE_ERR_UNSUPPORTED;
    if (rv != 0) {
        free_runtime(rt);
        return rv;
    }
    rt->table = &sl_net_table;
    rt->self = rt->net;
    rt->has_thread = kind == SL_RUNTIME_THREAD;
    rt->lends = rt->has_thread && sl_net_can_doze(rt->net);
    *out = rt;
    return 0;
}

int sl_runtime_create_on(const struct sl_host_table *table, void *self,
                         const struct sl_alloc *alloc, struct sluice_runtime **out) {
    int rv = create_runtime(alloc, out);
    if (rv != 0) return rv;
    (*out)->table = table;
    (*out)->self = self;
    return 0;
}

int sl_runtime_check(const struct sluice_runtime *rt) {
    if (rt == NULL || rt->magic != RUNTIME_MAGIC) return SLUICE_ERR_USAGE;
    return rt->fork_generation == sl_forked_generation ? 0 : SLUICE_ERR_FORKED;
}

bool sl_runtime_is_driven(const struct sluice_runtime *rt) { return !rt->has_thread; }

int sl_runtime_fd(const struct sluice_runtime *rt) {
    return rt->has_thread || rt->net == NULL ? -1 : sl_net_fd(rt->net);
}

const struct sl_host_table *sl_runtime_table(const struct sluice_runtime *rt, void **self) {
    *self = rt->self;
    return rt->table;
}

struct sl_net *sl_runtime_net(const struct sluice_runtime *rt) {
    return rt->net;
}

void sl_runtime_wake(struct sluice_runtime *rt) { rt->table->wake(rt->self); }

/* Nobody refers to it any more. */
static void end_runtime(struct sluice_runtime *rt) {
    sl_inbox_mail_lock(&rt->mail);
    bool started = rt->started;
    rt->stop = true;
    sl_inbox_mail_unlock(&rt->mail);
    if (started) {
        sl_runtime_wake(rt);
        (void)pthread_join(rt->thread, NULL);
    }
    free_runtime(rt);
}

void sl_runtime_release(struct sluice_runtime *rt) {
    if (rt == NULL || rt->magic != RUNTIME_MAGIC) return;
    if (rt->fork_generation != sl_forked_generation) {
        rt->released = true;
        if (rt->member_count == 0) sl_runtime_abandon(rt);
        return;
    }
    sl_inbox_mail_lock(&rt->mail);
    rt->released = true;
    bool last = rt->member_count == 0;
    sl_inbox_mail_unlock(&rt->mail);
    if (last) end_runtime(rt);
}

/* ---- forked children ---- */

bool sl_runtime_was_turning(const struct sluice_runtime *rt) { return rt->turning; }

/* The thread is the parent's, and so may be what a lock was held for: memory that it owned is left
 * alone, descriptors are closed. */
void sl_runtime_abandon(struct sluice_runtime *rt) {
    struct sl_alloc alloc = rt->alloc;
    rt->magic = 0;
    if (rt->net != NULL) sl_net_abandon(rt->net);
    if (rt->turning) return;
    sl_tls_shelf_deinit(&rt->tls);
    if (rt->net != NULL) sl_net_forget(rt->net);
    sl_alloc_free(&alloc, rt, sizeof *rt);
}

void sl_runtime_abandon_member(struct sl_member *m) {
    struct sluice_runtime *rt = m->runtime;
    if (--rt->member_count == 0 && rt->released) sl_runtime_abandon(rt);
}

/* ---- a turn ---- */

static struct sl_member *find_member(struct sluice_runtime *rt, uint32_t id) {
    SL_LIST_EACH(it, tmp, &rt->members) {
        struct sl_member *m = SL_LIST_OF(it, struct sl_member, node);
        if (m->id == id) return m;
    }
    return NULL;
}

/* Joiners come in; those that leave are moved to *leaving. False: the loop is to stop. */
static bool take_changes(struct sluice_runtime *rt, struct sl_list *leaving) {
    sl_inbox_mail_lock(&rt->mail);
    sl_list_splice_back(&rt->members, &rt->joining);
    SL_LIST_EACH(it, tmp, &rt->members) {
        if (!SL_LIST_OF(it, struct sl_member, node)->leaving) continue;
        sl_list_remove(it);
        sl_list_push_back(leaving, it);
    }
    if (rt->stray_count > 0) rt->table->settle(rt->self, rt->strays, rt->stray_count);
    rt->stray_count = 0;
    rt->changed = false;
    bool stop = rt->stop;
    sl_inbox_mail_unlock(&rt->mail);
    return !stop;
}

static void end_members(struct sluice_runtime *rt, struct sl_list *leaving, int64_t now,
                        int64_t wall_ms) {
    for (struct sl_list *node; (node = sl_list_pop_front(leaving)) != NULL;) {
        struct sl_member *m = SL_LIST_OF(node, struct sl_member, node);
        m->table->end(m, now, wall_ms);
        sl_inbox_mail_lock(&rt->mail);
        m->left = true;
        sl_inbox_mail_tell(&rt->mail); /* under the lock: the member goes as soon as it is seen */
        sl_inbox_mail_unlock(&rt->mail);
    }
}

static void pass_ready(struct sluice_runtime *rt, const struct sl_ready *ready, int count) {
    struct sl_member *m = NULL;
    for (int i = 0; i < count; i++) {
        uint32_t id = (uint32_t)(ready[i].token >> 32);
        if (m == NULL || m->id != id) m = find_member(rt, id);
        if (m != NULL) m->table->on_ready(m, (uint32_t)ready[i].token, ready[i].what);
    }
}

/* Of resolves and errands; those for who is gone are dropped. */
static void pass_answers(struct sluice_runtime *rt) {
    for (struct sl_host_answer *a; (a = rt->table->take_answer(rt->self)) != NULL;) {
        struct sl_member *m = find_member(rt, (uint32_t)a->client);
        if (m != NULL) m->table->on_answer(m, a);
        rt->table->free_answer(rt->self, a);
    }
}

void sl_runtime_serve_members(struct sluice_runtime *rt, const struct sl_ready *ready, int count,
                              int64_t now, int64_t wall_ms) {
    SL_LIST_EACH(it, tmp, &rt->members) {
        struct sl_member *m = SL_LIST_OF(it, struct sl_member, node);
        m->table->begin(m, now, wall_ms);
    }
    pass_ready(rt, ready, count);
    pass_answers(rt);
    SL_LIST_EACH(it, tmp, &rt->members) {
        struct sl_member *m = SL_LIST_OF(it, struct sl_member, node);
        m->table->finish(m);
    }
}

/* False: the loop is to stop. */
static bool run_turn(struct sluice_runtime *rt, const struct sl_ready *ready, int count) {
    struct sl_list leaving;
    sl_list_init(&leaving);
    rt->turning = true;
    bool go_on = take_changes(rt, &leaving);
    int64_t now = rt->table->now(rt->self);
    int64_t wall_ms = rt->table->wall_ms(rt->self);
    sl_runtime_serve_members(rt, ready, count, now, wall_ms);
    end_members(rt, &leaving, now, wall_ms);
    rt->turning = false;
    return go_on;
}

void sl_runtime_ask_to_sleep(struct sluice_runtime *rt, int64_t *until) {
    int64_t now = rt->table->now(rt->self);
    if (rt->table->has_ready != NULL && rt->table->has_ready(rt->self)) *until = 0;
    SL_LIST_EACH(it, tmp, &rt->members) {
        struct sl_member *m = SL_LIST_OF(it, struct sl_member, node);
        if (*until > 0 && m->table->sleep(m, now, until)) continue;
        *until = 0;
        return;
    }
}

/* ---- who runs ---- */

bool sl_runtime_enter(struct sluice_runtime *rt) {
    if (rt->busy) return false;
    rt->busy = true;
    rt->driver = pthread_self();
    return true;
}

static void leave_loop(struct sluice_runtime *rt) {
    /* The application's own loop watches the descriptor from here on. */
    if (rt->table->arm != NULL) {
        int64_t until = SL_NEVER;
        sl_runtime_ask_to_sleep(rt, &until);
        rt->table->arm(rt->self, until);
    }
    sl_inbox_mail_lock(&rt->mail);
    rt->busy = false;
    rt->turns++;
    sl_inbox_mail_tell(&rt->mail);
    sl_inbox_mail_unlock(&rt->mail);
}

/* One sleep and one turn. */
static bool run_once(struct sluice_runtime *rt, int64_t until) {
    if (until > 0) sl_runtime_ask_to_sleep(rt, &until);
    int count = until > 0 && rt->lends
                    ? sl_runtime_lend(rt, until)
                    : rt->table->wait(rt->self, until, rt->ready, SL_RUNTIME_READY_MAX);
    return run_turn(rt, rt->ready, count);
}

static void *run_io_thread(void *arg) {
    struct sluice_runtime *rt = arg;
    sl_inbox_mail_lock(&rt->mail);
    bool entered = sl_runtime_enter(rt);
    sl_inbox_mail_unlock(&rt->mail);
    SL_ASSERT(entered);
    while (run_once(rt, SL_NEVER)) continue;
    return NULL;
}

/* One sleep and one turn. False: another thread runs the loop. With turn (else NULL), as in
 * sl_runtime_serve, the end of that one's turn was waited for. */
static bool run_driven_turn(struct sluice_runtime *rt, int64_t until, uint64_t *turn) {
    sl_inbox_mail_lock(&rt->mail);
    bool has_turned = turn != NULL && *turn != rt->turns;
    bool entered = sl_runtime_enter(rt);
    if (!entered && turn != NULL && !has_turned) (void)sl_inbox_mail_wait(&rt->mail, until);
    /* Who is in counts the turn that it is about to end; nobody else ends one meanwhile. */
    if (turn != NULL) *turn = rt->turns + entered;
    sl_inbox_mail_unlock(&rt->mail);
    if (!entered) return false;
    (void)run_once(rt, has_turned ? 0 : until);
    leave_loop(rt);
    return true;
}

bool sl_runtime_serve(struct sluice_runtime *rt, int64_t until, uint64_t *turn) {
    if (rt->has_thread) return false;
    (void)run_driven_turn(rt, until, turn);
    return true;
}

int sl_runtime_run(struct sluice_runtime *rt, int32_t timeout_ms) {
    int64_t until = timeout_ms < 0 ? SL_NEVER : 0;
    if (timeout_ms > 0) until = rt->table->now(rt->self) + (int64_t)timeout_ms * 1000000;
    return run_driven_turn(rt, until, NULL) ? 0 : SLUICE_ERR_BUSY;
}

int64_t sl_runtime_deadline(struct sluice_runtime *rt) {
    int64_t until = SL_NEVER;
    sl_inbox_mail_lock(&rt->mail);
    bool changes = !sl_list_is_empty(&rt->joining);
    sl_inbox_mail_unlock(&rt->mail);
    if (changes) return 0;
    sl_runtime_ask_to_sleep(rt, &until);
    return until;
}

bool sl_runtime_is_inside(struct sluice_runtime *rt) {
    sl_inbox_mail_lock(&rt->mail);
    bool inside = rt->busy && pthread_equal(rt->driver, pthread_self()) != 0;
    sl_inbox_mail_unlock(&rt->mail);
    return inside;
}

void sl_runtime_enter_callback(struct sluice_runtime *rt) {
    sl_inbox_mail_lock(&rt->mail);
    rt->in_callback = true;
    sl_inbox_mail_unlock(&rt->mail);
}

void sl_runtime_leave_callback(struct sluice_runtime *rt) {
    sl_inbox_mail_lock(&rt->mail);
    rt->in_callback = false;
    sl_inbox_mail_unlock(&rt->mail);
}

bool sl_runtime_in_callback(struct sluice_runtime *rt) {
    sl_inbox_mail_lock(&rt->mail);
    bool in_callback = rt->in_callback;
    sl_inbox_mail_unlock(&rt->mail);
    return in_callback;
}

/* ---- TLS ---- */

int sl_runtime_take_tls(struct sluice_runtime *rt, const struct sl_tls_settings *settings,
                        struct sl_text *why, struct sl_tls **out) {
    sl_inbox_mail_lock(&rt->mail);
    *out = sl_tls_shelf_take(&rt->tls, settings);
    sl_inbox_mail_unlock(&rt->mail);
    if (*out != NULL) return 0;
    /* Files are not read under a lock: two that come at once make one each. */
    int rv = sl_tls_create(settings, false, &rt->alloc, why, out);
    if (rv != 0) return rv;
    sl_inbox_mail_lock(&rt->mail);
    sl_tls_shelf_put(&rt->tls, *out);
    sl_inbox_mail_unlock(&rt->mail);
    return 0;
}

void sl_runtime_give_tls(struct sluice_runtime *rt, struct sl_tls *tls) {
    if (tls == NULL) return;
    sl_inbox_mail_lock(&rt->mail);
    sl_tls_shelf_give(tls);
    sl_inbox_mail_unlock(&rt->mail);
}

/* ---- members ---- */

/* Starts the thread unless it runs, or another joiner's attempt succeeds. 0 or SYSTEM. */
static int start_io_thread(struct sluice_runtime *rt) {
    if (!rt->has_thread) return 0;
    sl_inbox_mail_lock(&rt->mail);
    while (rt->starting) (void)sl_inbox_mail_wait(&rt->mail, SL_NEVER);
    bool start = !rt->started;
    rt->starting = start;
    sl_inbox_mail_unlock(&rt->mail);
    if (!start) return 0;
    int rv = sl_thread_start("sluice-io", run_io_thread, rt, true, &rt->thread);
    sl_inbox_mail_lock(&rt->mail);
    rt->started = rv == 0;
    rt->starting = false;
    sl_inbox_mail_tell(&rt->mail);
    sl_inbox_mail_unlock(&rt->mail);
    return rv;
}

int sl_runtime_join(struct sluice_runtime *rt, struct sl_member *m) {
    int rv = sl_runtime_check(rt);
    if (rv == 0) rv = start_io_thread(rt);
    if (rv != 0) return rv;
    m->runtime = rt;
    m->leaving = m->left = false;
    sl_inbox_mail_lock(&rt->mail);
    rt->member_count++;
    m->id = ++rt->last_id;
    sl_list_push_back(&rt->joining, &m->node);
    rt->changed = true;
    sl_inbox_mail_unlock(&rt->mail);
    sl_runtime_wake(rt);
    return 0;
}

/* A turn by this thread, or a wait for the end of another thread's. */
static void help_leaving(struct sluice_runtime *rt, const struct sl_member *m) {
    if (!rt->has_thread && run_driven_turn(rt, 0, NULL)) return;
    sl_inbox_mail_lock(&rt->mail);
    if (!m->left && (rt->has_thread || rt->busy)) (void)sl_inbox_mail_wait(&rt->mail, SL_NEVER);
    sl_inbox_mail_unlock(&rt->mail);
}

void sl_runtime_leave(struct sl_member *m) {
    struct sluice_runtime *rt = m->runtime;
    sl_inbox_mail_lock(&rt->mail);
    m->leaving = true;
    rt->changed = true;
    sl_inbox_mail_unlock(&rt->mail);
    sl_runtime_wake(rt);
    for (bool left = false; !left;) {
        help_leaving(rt, m);
        sl_inbox_mail_lock(&rt->mail);
        left = m->left;
        sl_inbox_mail_unlock(&rt->mail);
    }
    sl_inbox_mail_lock(&rt->mail);
    bool last = --rt->member_count == 0 && rt->released;
    sl_inbox_mail_unlock(&rt->mail);
    if (last) end_runtime(rt);
}
