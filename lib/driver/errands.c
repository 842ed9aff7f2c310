/* Errands: a detached thread for each, answered through a block that belongs to the process.
 *
 *   start ─▶ waiting ─▶ running (at most 8 of a kind) ─▶ answered ─▶ taken ─▶ free
 *                 └────────── the owner is gone ──────────▶ freed where they are
 *
 * What blocks (getaddrinfo, a provider that says nothing) cannot be stopped, so nothing may wait for
 * it and it may touch nothing that goes away: the block (a mailbox, the answers, a descriptor to wake
 * with) is counted by its owner and by every thread, and goes with the last. Its memory and that of
 * the tasks comes from the C library, because they may outlive the application's allocator. The one
 * lock is the block's own.
 *
 * A kind that hangs holds up no other. A thread that has ended its errand goes on with one of the
 * same kind that waits, so whatever waits has a thread that will come to it.
 *
 * A forked child has none of the threads: it closes its copy of the descriptor and leaves alone what
 * they were working on.
 *
 * Not here: what an errand does (resolve.c, token.c). */
#include "driver/errands.h"

#include "base/alloc.h"
#include "driver/inbox.h"
#include "driver/net.h"
#include "driver/net_poller.h"
#include "driver/thread.h"
#include "sluice/error.h"

/* Answers or tasks that wait, oldest first. */
struct errand_queue {
    struct sl_host_answer *first;
    struct sl_host_answer **last;
    int count;
};
struct sl_errands {
    struct sl_mailbox mail; /* guards all */
    struct errand_queue answers;
    struct errand_queue waiting[SL_ERRAND_KINDS];
    int running[SL_ERRAND_KINDS];
    int threads; /* the sum of those */
    int wake_fd;
    bool closed; /* the owner is gone */
};

_Static_assert(offsetof(struct sl_errands_task, answer) == 0, "an answer is its task's beginning");

static struct sl_errands_task *task_of(struct sl_host_answer *answer) {
    return (struct sl_errands_task *)(void *)answer;
}

void sl_errands_free(struct sl_host_answer *answer) {
    struct sl_errands_task *task = task_of(answer);
    task->destroy(task);
}

/* ---- queues ---- */

static void init_errand_queue(struct errand_queue *q) {
    q->first = NULL;
    q->last = &q->first;
    q->count = 0;
}

static void queue_errand(struct errand_queue *q, struct sl_errands_task *task) {
    task->answer.next = NULL;
    *q->last = &task->answer;
    q->last = &task->answer.next;
    q->count++;
}

/* NULL: there is none. */
static struct sl_errands_task *unqueue_errand(struct errand_queue *q) {
    struct sl_host_answer *answer = q->first;
    if (answer == NULL) return NULL;
    q->first = answer->next;
    if (q->first == NULL) q->last = &q->first;
    q->count--;
    return task_of(answer);
}

static void free_errand_queue(struct errand_queue *q) {
    for (struct sl_errands_task *task; (task = unqueue_errand(q)) != NULL;) task->destroy(task);
}

/* ---- the block ---- */

static void free_errands_block(struct sl_errands *e) {
    free_errand_queue(&e->answers);
    for (int kind = 0; kind < SL_ERRAND_KINDS; kind++) free_errand_queue(&e->waiting[kind]);
    if (e->wake_fd >= 0) sl_net_close_fd(e->wake_fd);
    sl_inbox_mail_deinit(&e->mail);
    sl_alloc_free(sl_alloc_default(), e, sizeof *e);
}

int sl_errands_create(int wake_fd, struct sl_errands **out) {
    struct sl_errands *e = sl_alloc_zero(sl_alloc_default(), sizeof *e);
    int rv = e == NULL ? SLUICE_ERR_NOMEM : sl_inbox_mail_init(&e->mail);
    if (rv != 0) {
        sl_alloc_free(sl_alloc_default(), e, sizeof *e);
        sl_net_close_fd(wake_fd);
        return rv;
    }
    init_errand_queue(&e->answers);
    for (int kind = 0; kind < SL_ERRAND_KINDS; kind++) init_errand_queue(&e->waiting[kind]);
    e->wake_fd = wake_fd;
    *out = e;
    return 0;
}

void sl_errands_destroy(struct sl_errands *e) {
    if (e == NULL) return;
    sl_inbox_mail_lock(&e->mail);
    e->closed = true;
    bool last = e->threads == 0;
    sl_inbox_mail_unlock(&e->mail);
    if (last) free_errands_block(e);
}

void sl_errands_abandon(struct sl_errands *e) {
    sl_net_close_fd(e->wake_fd);
    e->wake_fd = -1;
}

void sl_errands_forget(struct sl_errands *e) {
    if (e->threads == 0) free_errands_block(e);
}

/* ---- threads ---- */

/* The task is done. Returns what this thread goes on with, or NULL: it is not counted any more, and
 * the block may be gone. The wake is a system call and not made under the lock, so the count that
 * keeps the block is lowered after it. */
static struct sl_errands_task *finish_errand(struct sl_errands *e, struct sl_errands_task *task) {
    enum sl_errand_kind kind = task->answer.kind;
    sl_inbox_mail_lock(&e->mail);
    bool taken = !e->closed;
    if (taken) queue_errand(&e->answers, task);
    sl_inbox_mail_unlock(&e->mail);
    if (taken)
        sl_net_wake_fd(e->wake_fd);
    else
        task->destroy(task);
    sl_inbox_mail_lock(&e->mail);
    struct sl_errands_task *next = e->closed ? NULL : unqueue_errand(&e->waiting[kind]);
    if (next == NULL) {
        e->running[kind]--;
        e->threads--;
    }
    bool last = e->threads == 0 && e->closed;
    sl_inbox_mail_unlock(&e->mail);
    if (last) free_errands_block(e);
    return next;
}

static void *run_errands(void *arg) {
    struct sl_errands_task *task = arg;
    struct sl_errands *e = task->board;
    while (task != NULL) {
        task->run(task);
        task = finish_errand(e, task);
    }
    return NULL;
}

enum errand_place { ERRAND_RUNS = 1, ERRAND_WAITS, ERRAND_REFUSED };

static enum errand_place place_errand(struct sl_errands *e, struct sl_errands_task *task) {
    enum sl_errand_kind kind = task->answer.kind;
    enum errand_place place = ERRAND_REFUSED;
    sl_inbox_mail_lock(&e->mail);
    if (e->running[kind] < SL_ERRANDS_MOST) {
        place = ERRAND_RUNS;
        e->running[kind]++;
        e->threads++;
    } else if (e->waiting[kind].count < SL_ERRANDS_WAITING) {
        place = ERRAND_WAITS;
        queue_errand(&e->waiting[kind], task);
    }
    sl_inbox_mail_unlock(&e->mail);
    return place;
}

/* Only the loop starts errands, so none can have come to wait for the thread that there is not. */
static int start_errand_thread(struct sl_errands *e, struct sl_errands_task *task) {
    pthread_t thread;
    int rv = sl_thread_start("sluice-errand", run_errands, task, false, &thread);
    if (rv == 0) return 0;
    sl_inbox_mail_lock(&e->mail);
    e->running[task->answer.kind]--;
    e->threads--;
    sl_inbox_mail_unlock(&e->mail);
    return rv;
}

int sl_errands_start(struct sl_errands *e, struct sl_errands_task *task) {
    task->board = e;
    switch (place_errand(e, task)) {
    case ERRAND_RUNS:
        return start_errand_thread(e, task);
    case ERRAND_WAITS:
        return 0;
    case ERRAND_REFUSED:
        break;
    }
    return SLUICE_ERR_SYSTEM;
}

void sl_errands_put(struct sl_errands *e, struct sl_errands_task *task) {
    sl_inbox_mail_lock(&e->mail);
    queue_errand(&e->answers, task);
    sl_inbox_mail_unlock(&e->mail);
    sl_net_wake_fd(e->wake_fd);
}

struct sl_host_answer *sl_errands_take(struct sl_errands *e) {
    sl_inbox_mail_lock(&e->mail);
    struct sl_errands_task *task = unqueue_errand(&e->answers);
    sl_inbox_mail_unlock(&e->mail);
    return task == NULL ? NULL : &task->answer;
}
