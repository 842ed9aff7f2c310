/* One run of a plan: the applications, what they believe, and the phases: faults, healing, the
 * end. Applications call the public functions only, one step at a time, from the top of the
 * schedule; while a call of one of them waits, machines run and the other applications do not. */
#ifndef SIM_WORKLOAD_H
#define SIM_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/chaos.h"
#include "sim/host.h"
#include "sim/plan.h"
#include "sim/provider.h"
#include "sim/tap.h"
#include "sim/truth.h"
#include "sim/world.h"
#include "sluice/sluice.h"

enum { WORKLOAD_APPS = 12, WORKLOAD_CURSORS = 64, WORKLOAD_TICK = WORLD_MS };
enum { MEMBER_MEMORY = 1 << 22 }; /* fetch.memory of a member of a group */

enum app_kind { APP_PRODUCER = 1, APP_CONSUMER, APP_MEMBER };
enum workload_phase { PHASE_FAULTS = 1, PHASE_HEALED, PHASE_END };

/* What a consumer application expects of a partition that it has assigned. */
struct cursor {
    int32_t topic;
    int32_t partition;
    int32_t life;
    bool is_known; /* the next record must be the one at `next` */
    bool is_paused;
    bool is_latest; /* not known: it begins at the end, else at the beginning */
    int64_t next;
    bool is_read;    /* a record came since it was last put somewhere, … */
    int32_t lineage; /* … of the log after so many cuts, at least */
    int64_t from;    /* not known: start, or end, of the log when that was asked for */

    /* in a group */
    bool is_committed; /* not known: it begins where the group has committed, or as above */
    int64_t kept;      /* … which was there, when that was asked for; -1: nothing */
    int64_t finished;  /* without a hole, since it was last put somewhere … */
    int64_t ahead;     /* … and so far once what is held is finished too */
    int64_t held_from; /* first offset of what is held of it; -1: nothing is */
    bool has_finished; /* something is */
    bool is_pinned;    /* a batch of it was freed: what comes behind is not finished */
    bool is_unsure;    /* a call failed that may or may not have finished something */
    int64_t put;       /* where it was put, by number; -1: by a symbol */
    bool has_come;     /* something of it was handed out since then */
    int64_t led_from;  /* auto.offset.reset has led it, the last time, from here … */
    int64_t led_to;    /* … to here */
};
/* What a member of the group knows of a partition. */
struct member_part {
    bool is_mine;
    bool is_leaving; /* a notice has asked for it */
    int64_t floor;   /* committed when it came */
    int64_t next;    /* behind what was handed out since then; -1: nothing was */
    int64_t reach;   /* … of the batch that is being walked */
};
/* What all members together have made of a partition. */
struct crew_part {
    uint8_t *handed; /* owned, by offset: 1 handed out, 2 processed */
    int64_t cap;
    int64_t read;      /* everything before was handed out to somebody … */
    int64_t processed; /* … and was processed; or it is before the log's start */
};
struct crew {
    struct crew_part parts[PLAN_TOPICS][WORKLOAD_CURSORS];
    /* Until then nothing in the plan makes brokers believe that a member is gone while it is there,
     * or clients believe what is not so. 0: it may at any time. */
    int64_t firm_until;
    bool has_told; /* HIT_SHARED was counted */
};
struct workload;
struct app {
    struct workload *workload;
    enum app_kind kind;
    int32_t id;
    struct host *host;
    bool owns_host;
    sluice_client *client; /* NULL: not open at the moment */
    int64_t next_at;
    int64_t call_at;    /* a call that waits began … */
    int64_t call_until; /* … and must be over by */
    bool is_done;       /* closed for good */
    int64_t steps;

    const struct plan_producer *producer;
    int32_t truth; /* index of the present producer in the truth */
    int64_t sent;
    bool reports_failed;
    sluice_op *op; /* a ticket under way, or NULL */

    const struct plan_consumer *consumer;
    struct cursor cursors[WORKLOAD_CURSORS];
    int32_t cursor_count;
    sluice_batch *held;
    bool sought;     /* since `held` was taken: it may be stale */
    bool owes_seek;  /* a partition waits for one, and there was no memory for it */
    int64_t records; /* read */
    char group[8];
    int64_t most[PLAN_TOPICS][WORKLOAD_CURSORS]; /* finished ever, by topic and partition; -1 */

    int32_t member; /* its number in the group, from 0 */
    bool has_subscribed;
    bool was_here;
    int64_t rest; /* ns that it stays away after this step */
    sluice_rebalance *notice;
    struct member_part parts[PLAN_TOPICS][WORKLOAD_CURSORS];
};
struct workload {
    struct plan plan;
    struct world *world;
    struct truth truth;
    struct tap tap;
    struct chaos chaos;
    struct provider provider; /* of tokens */
    struct sl_rng rng;        /* of the applications */
    struct app apps[WORKLOAD_APPS];
    int32_t app_count;
    struct crew crew;
    enum workload_phase phase;
    int64_t heal_at;
};

struct workload_result {
    uint64_t hash;
    int64_t simulated; /* ns */
    int64_t written, not_written, maybe, consumed, retries, requests;
    int64_t hits[HIT_COUNT];
    bool is_broken;
};

/* How much is printed: a violation in a line; with its events and dumps; every event. */
enum workload_talk { WORKLOAD_QUIET = 1, WORKLOAD_TELLS, WORKLOAD_ECHOES };

/* Runs the whole plan. */
void workload_run(const struct plan *plan, enum workload_talk talk, struct workload_result *out);
/* The run under way, for whoever is told of a crash; NULL: none. */
struct workload *workload_current(void);

/* ---- between the files of the workload ---- */

/* Applications and machines, until then. */
void workload_run_until(struct workload *load, int64_t until);
/* A call that may wait is about to be made; afterwards app_after checks that it kept its timeout
 * (I20). */
void app_before(struct app *app, int32_t timeout_ms);
void app_after(struct app *app, const char *call);
/* True: a call may say NOMEM, for allocations do fail in this plan. */
bool app_may_lack_memory(const struct app *app);
/* What plan and cluster demand of every client. */
void app_configure(struct app *app, sluice_config *config);
void app_set_number(sluice_config *config, const char *name, int64_t value);
bool app_draw(struct app *app, uint32_t percent);
/* Takes a snapshot of the metrics and compares (I21); at rest: nothing is under way. */
void app_check_metrics(struct app *app, bool is_at_rest);
/* Violates, naming application and call. */
void app_complain(struct app *app, const char *call, int rv);

int producer_open(struct app *app);
void producer_step(struct app *app);
/* Every record has its outcome, and they have been read. */
bool producer_is_settled(struct app *app);
/* Closes and frees. */
void producer_end(struct app *app, int32_t timeout_ms);
/* The client goes without close; what it had is abandoned. */
void producer_drop(struct app *app);

int consumer_open(struct app *app);
void consumer_step(struct app *app);
/* Everything was read; why: what was not. */
bool consumer_is_settled(struct app *app, char *why, size_t cap);
struct cursor *consumer_cursor(struct app *app, const char *topic, int32_t partition);
void consumer_end(struct app *app, int32_t timeout_ms);
void consumer_drop(struct app *app);

/* Compares a record that was read with what was written. */
int32_t consumer_check_content(struct app *app, const struct cursor *c, const sluice_view *v);
/* Walks at most `most` records. False: the walk met an error. */
bool consumer_walk(struct app *app, sluice_batch *batch, int64_t most,
                   void (*take)(struct app *app, const sluice_view *view));

/* A poll may say that of a partition, where things go wrong. */
bool consumer_may_be_told(const struct app *app, int rv);

/* member_app.c: members of one group. */

void crew_init(struct workload *load);
void crew_deinit(struct workload *load);
/* Faults are over: runs on for a while. */
void crew_heal(struct workload *load);
/* Every partition has one member, and has been read to its end; why: which one is not. */
bool crew_is_settled(struct workload *load, char *why, size_t cap);
/* Nothing is committed beyond what was processed (I10). */
void crew_check_commits(struct workload *load);
void member_step(struct app *app);
void member_end(struct app *app, int32_t timeout_ms);

/* commits_app.c: what a consumer in a group knows of its commits. */

/* The partition is put somewhere. */
void commits_begin(struct cursor *c);
/* It is about to be put elsewhere, or its client goes: a commit of where it was led to may be under
 * way. */
void commits_on_end(struct app *app, const struct cursor *c);
/* It goes on at another place than was due. */
void commits_on_led(struct cursor *c, int64_t to);
/* The batch is about to be given back, processed as far as its partitions' cursors say. */
void commits_on_processed(struct app *app, sluice_batch *batch);
/* It is kept for later, walked whole; that one was finished. */
void commits_on_held(struct app *app, sluice_batch *batch);
void commits_on_given(struct app *app, int rv);
/* It is about to be freed. */
void commits_on_freed(struct app *app, sluice_batch *batch);
/* The partition begins where the group has committed. */
void commits_start(struct app *app, struct cursor *c);
/* Whether it may have begun there; *is_reset: auto.offset.reset may have had the say. */
bool commits_may_start(struct app *app, const struct cursor *c, int64_t offset, bool *is_reset);
/* Commits now and then, and compares. */
void commits_step(struct app *app);
void commits_on_closed(struct app *app, int rv);

#endif
