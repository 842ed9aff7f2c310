/* Worker threads and their queue, behind one mutex.
 *
 *   start ─▶ queued ─▶ (a worker runs it) ─▶ ended ─▶ take
 *
 * The first job starts the first thread, and a job that finds no thread idle starts another while
 * there are fewer than `most`. A thread that has had nothing to do for ten seconds goes away, so
 * a client that stops compressing is back at one thread. What a codec needs (contexts, a scratch
 * buffer) is a thread's own and goes with it.
 *
 * Workers take no other lock, call nothing of the application's but its allocator, and touch
 * nothing but the job. The wake is a system call and is made after the mutex is given back; who
 * runs the loop looks for ended jobs after any wake.
 *
 * Not here: what a job does (core/pack.c), and whether one pays (core/batcher.c). */
#include "driver/workers.h"

#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "driver/inbox.h"
#include "driver/system.h"
#include "driver/thread.h"
#include "sluice/error.h"

#define WORKERS_IDLE_NS INT64_C(10000000000) /* a thread without work goes away after that */
enum { WORKERS_MOST = 4 };

struct sl_workers {
    struct sl_alloc alloc;
    void (*wake)(void *self);
    void *self;
    int32_t most;

    struct sl_mailbox mail; /* guards what follows */
    struct sl_list queued;  /* struct sl_job, in order */
    struct sl_list running;
    struct sl_list ended;
    pthread_t threads[WORKERS_MOST];
    bool is_started[WORKERS_MOST]; /* the thread has to be joined */
    bool is_over[WORKERS_MOST];    /* … and has ended by itself */
    int32_t alive;
    int32_t idle; /* of them, waiting for a job */
    bool stop;
};
struct worker_start {
    struct sl_workers *workers;
    int32_t index;
};

/* ---- a worker ---- */

static void run_one_job(struct sl_workers *w, struct sl_job_tools *tools) {
    struct sl_job *job = SL_LIST_OF(sl_list_pop_front(&w->queued), struct sl_job, node);
    sl_list_push_back(&w->running, &job->node);
    sl_inbox_mail_unlock(&w->mail);
    if (tools->codecs != NULL) job->run(job, tools);
    sl_inbox_mail_lock(&w->mail);
    sl_list_remove(&job->node);
    sl_list_push_back(&w->ended, &job->node);
    sl_inbox_mail_tell(&w->mail); /* whoever waits for the last ones */
    sl_inbox_mail_unlock(&w->mail);
    w->wake(w->self);
    sl_inbox_mail_lock(&w->mail);
}

/* Held. False: the thread is to end. */
static bool wait_for_job(struct sl_workers *w) {
    int64_t until = sl_system_now() + WORKERS_IDLE_NS;
    w->idle++;
    while (sl_list_is_empty(&w->queued) && !w->stop)
        if (!sl_inbox_mail_wait(&w->mail, until)) break;
    w->idle--;
    return !sl_list_is_empty(&w->queued);
}

static void *run_worker(void *arg) {
    struct worker_start start = *(struct worker_start *)arg;
    struct sl_workers *w = start.workers;
    struct sl_job_tools tools;
    sl_alloc_free(&w->alloc, arg, sizeof start);
    (void)sl_job_tools_init(&tools, &w->alloc); /* without memory jobs come back as they were */
    sl_inbox_mail_lock(&w->mail);
    while (wait_for_job(w)) run_one_job(w, &tools);
    /* Before the lock is given back: a job that comes now needs another thread. */
    w->alive--;
    w->is_over[start.index] = true;
    sl_inbox_mail_unlock(&w->mail);
    sl_job_tools_deinit(&tools);
    return NULL;
}

/* ---- life ---- */

int sl_workers_create(const struct sl_alloc *alloc, int32_t most, void (*wake)(void *self),
                      void *self, struct sl_workers **out) {
    struct sl_workers *w = sl_alloc_zero(alloc, sizeof *w);
    if (w == NULL) return SLUICE_ERR_NOMEM;
    int rv = sl_inbox_mail_init(&w->mail);
    if (rv != 0) {
        sl_alloc_free(alloc, w, sizeof *w);
        return rv;
    }
    w->alloc = *alloc;
    w->wake = wake;
    w->self = self;
    w->most = most < WORKERS_MOST ? most : WORKERS_MOST;
    sl_list_init(&w->queued);
    sl_list_init(&w->running);
    sl_list_init(&w->ended);
    *out = w;
    return 0;
}

static void free_workers(struct sl_workers *w) {
    struct sl_alloc alloc = w->alloc;
    sl_inbox_mail_deinit(&w->mail);
    sl_alloc_free(&alloc, w, sizeof *w);
}

void sl_workers_destroy(struct sl_workers *w) {
    if (w == NULL) return;
    sl_inbox_mail_lock(&w->mail);
    SL_ASSERT(sl_list_is_empty(&w->queued) && sl_list_is_empty(&w->running) &&
              sl_list_is_empty(&w->ended));
    w->stop = true;
    sl_inbox_mail_tell(&w->mail);
    sl_inbox_mail_unlock(&w->mail);
    for (int32_t i = 0; i < WORKERS_MOST; i++)
        if (w->is_started[i]) (void)pthread_join(w->threads[i], NULL);
    free_workers(w);
}

void sl_workers_forget(struct sl_workers *w) {
    if (w != NULL && w->alive == 0) free_workers(w);
}

/* ---- jobs ---- */

/* Held. Starts a thread in a place where there is none; what ended there by itself is joined: it
 * takes no lock any more. False: there cannot be another. */
static bool start_worker(struct sl_workers *w) {
    int32_t at = 0;
    while (at < w->most && w->is_started[at] && !w->is_over[at]) at++;
    if (at == w->most) return false;
    struct worker_start *start = sl_alloc_zero(&w->alloc, sizeof *start);
    if (start == NULL) return false;
    *start = (struct worker_start){.workers = w, .index = at};
    if (w->is_started[at]) (void)pthread_join(w->threads[at], NULL);
    w->is_over[at] = false;
    w->is_started[at] =
        sl_thread_start("sluice-job", run_worker, start, true, &w->threads[at]) == 0;
    if (!w->is_started[at]) sl_alloc_free(&w->alloc, start, sizeof *start);
    w->alive += w->is_started[at];
    return w->is_started[at];
}

void sl_workers_start(struct sl_workers *w, struct sl_job *job) {
    sl_inbox_mail_lock(&w->mail);
    bool is_lost = w->idle == 0 && !start_worker(w) && w->alive == 0;
    sl_list_push_back(is_lost ? &w->ended : &w->queued, &job->node);
    sl_inbox_mail_tell(&w->mail);
    sl_inbox_mail_unlock(&w->mail);
    if (is_lost) w->wake(w->self);
}

static struct sl_job *find_job_of(struct sl_list *jobs, uint64_t member) {
    SL_LIST_EACH(it, tmp, jobs) {
        struct sl_job *job = SL_LIST_OF(it, struct sl_job, node);
        if (job->member == member) return job;
    }
    return NULL;
}

struct sl_job *sl_workers_take(struct sl_workers *w, uint64_t member, bool is_last) {
    sl_inbox_mail_lock(&w->mail);
    struct sl_job *job = find_job_of(&w->ended, member);
    if (job == NULL && is_last) job = find_job_of(&w->queued, member);
    while (job == NULL && is_last && find_job_of(&w->running, member) != NULL) {
        (void)sl_inbox_mail_wait(&w->mail, SL_NEVER);
        job = find_job_of(&w->ended, member);
    }
    if (job != NULL) sl_list_remove(&job->node);
    sl_inbox_mail_unlock(&w->mail);
    return job;
}
