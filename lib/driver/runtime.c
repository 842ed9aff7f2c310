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
 * While the I/O thread sleeps it lends the loop: a thread that has put something small in, after a while in
 * which nothing happened, runs a turn of that member itself (borrow). A wake would cost it as much, and the
 * record another wait for a processor. The I/O thread takes nothing from the poller before the loop
 * is its own again. Whoever sends more than now and then wakes it instead, and goes on meanwhile.
 *
 * Members come and go through the mailbox: `joining` and `leaving` are the only things that other
 * threads touch. Who takes a member out waits for the turn under way, or does a turn itself when
 * nobody runs a driven loop.
 *
 * Lifetime: the public handle and every member keep the runtime; the last to go ends the thread
 * and frees it. `turning` is read by a forked child alone, which must not touch machines that were
 * being worked on.
 *
 * Not here: what a member does in a turn (loop.c, host.c). */
#include "driver/runtime.h"

#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "driver/forked.h"
#include "driver/inbox.h"
#include "driver/net.h"
#include "driver/openssl.h"
#include "driver/runtime_inside.h"
#include "driver/system.h"
#include "driver/thread.h"
#include "sluice/error.h"

enum {
    RUNTIME_MAGIC = 0x51c0a0e1,
    RUNTIME_READY_MAX = 128,  /* sockets served in one turn; the rest are ready in the next */
    RUNTIME_TURNS_MAX = 4,    /* that one who watches runs in a row: what came takes two */
    RUNTIME_QUIET_NS = 200000 /* of sleep, before it may be borrowed; arbitrary: some turns */
};

struct sluice_runtime {
    uint32_t magic;
    int fork_generation;
    struct sl_alloc alloc;
    const struct sl_host_table *table;
    void *self;
    struct sl_net *net; /* owned; NULL: another host */
    bool has_thread;    /* kind THREAD */
    bool lends;         /* it does so while it sleeps */

    struct sl_mailbox mail; /* guards what follows */
    struct sl_tls_shelf tls;
    struct sl_list joining; /* struct sl_member */
    uint32_t member_count;  /* joined and not left */
    uint32_t last_id;
    bool released;       /* the public handle is gone */
    bool starting;       /* some thread is starting the thread */
    bool started;        /* the thread runs */
    bool stop;           /* the thread is to end */
    bool busy;           /* some thread runs the loop */
    bool changed;        /* members have come or are to go */
    bool is_asleep;      /* the I/O thread sleeps, and lends the loop meanwhile … */
    int64_t quiet_since; /* … and nobody has run a turn since */
    bool is_wanted;  /* it is to have the next turn: something is left that nobody else may do */
    bool is_watched; /* another thread sleeps in the poller as well … */
    bool is_called;  /* … and is to look what has become of what it waits for */
    int stray_count; /* events that one took who did not get the loop */
    struct sl_ready strays[RUNTIME_READY_MAX];
    bool in_callback; /* … and is in a function of the application's */
    uint64_t turns;   /* how often a driven loop was left, and 1 */
    pthread_t driver; /* with busy: who runs the loop */
    pthread_t thread;

    /* whoever runs the loop */
    struct sl_list members;
    int64_t doze_until; /* what the host's timer is set to while the I/O thread sleeps */
    bool turning;
    struct sl_ready ready[RUNTIME_READY_MAX];
};

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

static void serve_members(struct sluice_runtime *rt, const struct sl_ready *ready, int count,
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
    serve_members(rt, ready, count, now, wall_ms);
    end_members(rt, &leaving, now, wall_ms);
    rt->turning = false;
    return go_on;
}

/* When the loop may sleep until: *until is lowered to the members' deadlines, to 0 when one has
 * work. */
static void ask_members_to_sleep(struct sluice_runtime *rt, int64_t *until) {
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

/* Held. The caller runs the loop from now on. False: another thread does. */
static bool enter_loop(struct sluice_runtime *rt) {
    if (rt->busy) return false;
    rt->busy = true;
    rt->driver = pthread_self();
    return true;
}

static void leave_loop(struct sluice_runtime *rt) {
    /* The application's own loop watches the descriptor from here on. */
    if (rt->table->arm != NULL) {
        int64_t until = SL_NEVER;
        ask_members_to_sleep(rt, &until);
        rt->table->arm(rt->self, until);
    }
    sl_inbox_mail_lock(&rt->mail);
    rt->busy = false;
    rt->turns++;
    sl_inbox_mail_tell(&rt->mail);
    sl_inbox_mail_unlock(&rt->mail);
}

/* Held, on the I/O thread. A call for the thread that watches was taken by this one: it is made once more, and
 * waited for, because this thread would take it again. */
static void pass_call_on(struct sluice_runtime *rt) {
    if (!rt->is_watched || !rt->is_called) return;
    sl_inbox_mail_unlock(&rt->mail);
    sl_runtime_wake(rt);
    sl_inbox_mail_lock(&rt->mail);
    while (rt->is_watched && rt->is_called) (void)sl_inbox_mail_wait(&rt->mail, SL_NEVER);
}

/* The I/O thread sleeps, and has the loop again afterwards. Returns how many sockets are ready. */
static int lend_loop(struct sluice_runtime *rt, int64_t until) {
    rt->table->arm(rt->self, until);
    rt->doze_until = until;
    int64_t now = rt->table->now(rt->self);
    sl_inbox_mail_lock(&rt->mail);
    pass_call_on(rt);
    if (rt->stray_count > 0) {
        sl_inbox_mail_unlock(&rt->mail);
        return 0;
    }
    rt->busy = false;
    rt->is_asleep = true;
    rt->quiet_since = now;
    sl_inbox_mail_unlock(&rt->mail);
    int count = rt->table->doze(rt->self, SL_NEVER, rt->ready, RUNTIME_READY_MAX);
    sl_inbox_mail_lock(&rt->mail);
    rt->is_asleep = rt->is_wanted = false;
    while (!enter_loop(rt)) (void)sl_inbox_mail_wait(&rt->mail, SL_NEVER);
    sl_inbox_mail_unlock(&rt->mail);
    rt->table->settle(rt->self, rt->ready, count);
    return rt->table->report(rt->self, rt->ready, RUNTIME_READY_MAX);
}

/* One sleep and one turn. */
static bool run_once(struct sluice_runtime *rt, int64_t until) {
    if (until > 0) ask_members_to_sleep(rt, &until);
    int count = until > 0 && rt->lends
                    ? lend_loop(rt, until)
                    : rt->table->wait(rt->self, until, rt->ready, RUNTIME_READY_MAX);
    return run_turn(rt, rt->ready, count);
}

static void *run_io_thread(void *arg) {
    struct sluice_runtime *rt = arg;
    sl_inbox_mail_lock(&rt->mail);
    bool entered = enter_loop(rt);
    sl_inbox_mail_unlock(&rt->mail);
    SL_ASSERT(entered);
    while (run_once(rt, SL_NEVER)) continue;
    return NULL;
}

/* Not held. The caller has the loop, because it was quiet. */
static bool borrow_loop(struct sluice_runtime *rt, int64_t now) {
    sl_inbox_mail_lock(&rt->mail);
    bool is_quiet = rt->is_asleep && !rt->is_wanted && !rt->changed &&
                    now - rt->quiet_since >= RUNTIME_QUIET_NS;
    bool is_mine = is_quiet && enter_loop(rt);
    sl_inbox_mail_unlock(&rt->mail);
    return is_mine;
}

/* Who borrowed the loop leaves it; the I/O thread sleeps until `until`, or is to have a turn at once. */
static void return_loop(struct sluice_runtime *rt, int64_t until, bool is_done) {
    if (is_done) {
        rt->table->arm(rt->self, until);
        rt->doze_until = until;
    }
    int64_t now = rt->table->now(rt->self);
    sl_inbox_mail_lock(&rt->mail);
    rt->busy = false;
    rt->quiet_since = now;
    bool wake = !is_done && rt->is_asleep;
    rt->is_wanted |= wake;
    if (!rt->is_asleep) sl_inbox_mail_tell(&rt->mail);
    sl_inbox_mail_unlock(&rt->mail);
    if (wake) sl_runtime_wake(rt);
}

bool sl_runtime_borrow(struct sluice_runtime *rt, struct sl_member *m) {
    if (!rt->lends) return false;
    int64_t now = rt->table->now(rt->self);
    if (!borrow_loop(rt, now)) return false;
    rt->turning = true;
    m->is_borrowed = true;
    m->table->begin(m, now, rt->table->wall_ms(rt->self));
    m->table->finish(m);
    m->is_borrowed = false;
    rt->turning = false;
    int64_t until = rt->doze_until;
    bool sleeps = m->table->sleep(m, rt->table->now(rt->self), &until);
    return_loop(rt, until, sleeps);
    return true;
}

/* ---- who watches ---- */

bool sl_runtime_watch(struct sluice_runtime *rt) {
    if (!rt->lends) return false;
    sl_inbox_mail_lock(&rt->mail);
    bool may = rt->is_asleep && !rt->is_wanted && !rt->is_watched && rt->stray_count == 0;
    rt->is_watched |= may;
    sl_inbox_mail_unlock(&rt->mail);
    return may;
}

/* Held. */
static void end_watch(struct sluice_runtime *rt) {
    if (rt->is_called) sl_inbox_mail_tell(&rt->mail);
    rt->is_watched = rt->is_called = false;
}

void sl_runtime_unwatch(struct sluice_runtime *rt) {
    sl_inbox_mail_lock(&rt->mail);
    end_watch(rt);
    sl_inbox_mail_unlock(&rt->mail);
}

/* Held. The events are kept for whoever runs the loop. */
static void keep_strays(struct sluice_runtime *rt, const struct sl_ready *events, int count) {
    memcpy(rt->strays, events, (size_t)count * sizeof *events);
    rt->stray_count = count;
    rt->is_wanted |= rt->is_asleep;
}

/* The caller's turn of all members. */
static void run_borrowed_turn(struct sluice_runtime *rt, struct sl_ready *events, int count) {
    SL_LIST_EACH(it, tmp, &rt->members) SL_LIST_OF(it, struct sl_member, node)->is_borrowed = true;
    count = rt->table->report(rt->self, events, count);
    rt->turning = true;
    serve_members(rt, events, count, rt->table->now(rt->self), rt->table->wall_ms(rt->self));
    rt->turning = false;
    SL_LIST_EACH(it, tmp, &rt->members) SL_LIST_OF(it, struct sl_member, node)->is_borrowed = false;
}

void sl_runtime_serve_watched(struct sluice_runtime *rt, int64_t until) {
    struct sl_ready events[RUNTIME_READY_MAX];
    int count = rt->table->doze(rt->self, until, events, RUNTIME_READY_MAX);
    sl_inbox_mail_lock(&rt->mail);
    end_watch(rt);
    bool is_mine = count > 0 && enter_loop(rt);
    if (count > 0 && !is_mine) keep_strays(rt, events, count);
    bool wake = rt->is_wanted && !is_mine;
    bool is_fit = !rt->changed;
    sl_inbox_mail_unlock(&rt->mail);
    if (wake) sl_runtime_wake(rt);
    if (!is_mine) return;
    rt->table->settle(rt->self, events, count);
    until = 0;
    for (int turns = 0; is_fit && until == 0 && turns < RUNTIME_TURNS_MAX; turns++) {
        run_borrowed_turn(rt, events, RUNTIME_READY_MAX);
        until = SL_NEVER;
        ask_members_to_sleep(rt, &until);
    }
    return_loop(rt, until, until > 0);
}

void sl_runtime_call(struct sluice_runtime *rt) {
    sl_inbox_mail_lock(&rt->mail);
    bool calls = rt->is_watched && !rt->is_called;
    rt->is_called |= rt->is_watched;
    sl_inbox_mail_unlock(&rt->mail);
    if (calls) sl_runtime_wake(rt);
}

/* One sleep and one turn. False: another thread runs the loop. With turn (else NULL), as in
 * sl_runtime_serve, the end of that one's turn was waited for. */
static bool run_driven_turn(struct sluice_runtime *rt, int64_t until, uint64_t *turn) {
    sl_inbox_mail_lock(&rt->mail);
    bool has_turned = turn != NULL && *turn != rt->turns;
    bool entered = enter_loop(rt);
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
    ask_members_to_sleep(rt, &until);
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
