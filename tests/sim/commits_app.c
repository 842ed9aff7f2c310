/* What a consumer application in a group believes of its commits (I10): for every partition the
 * prefix that it has finished without a hole, to be compared with what the broker has.
 *
 *   - nothing is ever committed beyond what was finished at some time, or a place that
 *     auto.offset.reset led to from there;
 *   - a commit of all that is finished, and a close, that say 0 have committed it;
 *   - NO_OFFSET is said only when nothing is finished;
 *   - a partition that starts at its committed offset starts there (commits_may_start).
 *
 * The second and third only where an old request cannot arrive after a newer one: what lies in a
 * connection that its client has given up may reach the broker later. */
#include <inttypes.h>
#include <string.h>

#include "sim/workload.h"

static int64_t committed_of(struct app *app, const struct cursor *c) {
    const struct workload *load = app->workload;
    return sl_broker_committed(load->world->broker, app->group, load->truth.topics[c->topic].name,
                               c->partition);
}

/* Of a topic that was made again, and of a log that was cut, offsets mean nothing any more. */
static bool is_compared(const struct app *app, const struct cursor *c) {
    const struct truth_log *log = truth_log(&app->workload->truth, c->topic, c->partition);
    bool is_whole = log == NULL || log->cut_count == 0;
    return app->consumer->in_group && is_whole &&
           app->workload->truth.topics[c->topic].life_count == 1;
}

static bool is_orderly(const struct app *app) {
    static const enum plan_fault disorder[] = {PLAN_STALL, PLAN_HOLE,    PLAN_DRIBBLE, PLAN_FROZEN,
                                               PLAN_LIE,   PLAN_CORRUPT, PLAN_TOPIC};
    for (size_t i = 0; i < sizeof disorder / sizeof disorder[0]; i++)
        if (app->workload->plan.mean[disorder[i]] != 0) return false;
    return true;
}

void commits_begin(struct cursor *c) {
    c->has_finished = c->is_pinned = c->is_unsure = c->is_committed = false;
    c->held_from = c->finished = c->ahead = -1;
    c->put = c->is_known ? c->next : -1;
    c->has_come = false;
    c->led_from = c->led_to = -1;
}

void commits_on_led(struct cursor *c, int64_t to) {
    c->led_from = c->is_known ? c->next : c->put;
    c->led_to = to;
}

static void note_finished(struct app *app, struct cursor *c, int64_t offset) {
    int64_t *most = &app->most[c->topic][c->partition];
    c->finished = offset;
    c->has_finished = true;
    if (offset > *most) *most = offset;
}

void commits_on_processed(struct app *app, sluice_batch *batch) {
    sluice_slice s;
    for (int32_t i = 0; sluice_batch_slice(batch, i, &s, sizeof s) == 1; i++) {
        struct cursor *c = consumer_cursor(app, s.topic, s.partition);
        if (c == NULL || !c->is_known || c->is_pinned) continue;
        if (s.count == 0 || c->next <= s.first_offset) continue;
        if (c->held_from >= 0)
            c->ahead = c->next;
        else
            note_finished(app, c, c->next);
    }
}

void commits_on_held(struct app *app, sluice_batch *batch) {
    sluice_slice s;
    for (int32_t i = 0; sluice_batch_slice(batch, i, &s, sizeof s) == 1; i++) {
        struct cursor *c = consumer_cursor(app, s.topic, s.partition);
        if (c == NULL || s.count == 0 || c->is_pinned) continue;
        if (c->held_from < 0) c->held_from = s.first_offset;
        c->ahead = c->next;
    }
}

void commits_on_given(struct app *app, int rv) {
    for (int32_t i = 0; i < app->cursor_count; i++) {
        struct cursor *c = &app->cursors[i];
        if (c->held_from < 0) continue;
        c->held_from = -1;
        note_finished(app, c, c->ahead);
        c->is_unsure |= rv != 0;
    }
}

void commits_on_freed(struct app *app, sluice_batch *batch) {
    sluice_slice s;
    for (int32_t i = 0; sluice_batch_slice(batch, i, &s, sizeof s) == 1; i++) {
        struct cursor *c = consumer_cursor(app, s.topic, s.partition);
        if (c != NULL && s.count > 0) c->is_pinned = true;
    }
}

/* What lies before the log's start is passed without being finished; by auto.offset.reset=latest all. */
static int64_t with_gap(struct app *app, const struct cursor *c, int64_t offset) {
    const struct truth_log *log = truth_log(&app->workload->truth, c->topic, c->partition);
    if (log == NULL || log->start <= offset) return offset;
    return strcmp(app->consumer->reset, "latest") == 0 ? log->end : log->start;
}

void commits_start(struct app *app, struct cursor *c) {
    c->is_committed = true;
    c->kept = committed_of(app, c);
}

bool commits_may_start(struct app *app, const struct cursor *c, int64_t offset, bool *is_reset) {
    int64_t now = committed_of(app, c);
    int64_t low = c->kept < now ? c->kept : now;
    int64_t high = c->kept > now ? c->kept : now;
    /* Left out of an answer is not committed. */
    bool is_lied_to = app->workload->plan.mean[PLAN_LIE] != 0;
    *is_reset = low < 0 || is_lied_to || with_gap(app, c, low) > low;
    /* The first commit may arrive late, of an application before, when this one has begun. */
    if (low < 0 ? offset != high : offset < low || offset > high) return false;
    app->workload->world->hits[HIT_RESUMED]++;
    return true;
}

/* ---- comparing ---- */

/* To where auto.offset.reset=latest may have led from where all was finished: what is between was not
 * handed out, and does not come any more. That is the end that the log had then, which nobody tells;
 * where something has come since, its beginning. -1: nowhere. */
static int64_t led_reach(struct app *app, const struct cursor *c) {
    const struct truth_log *log = truth_log(&app->workload->truth, c->topic, c->partition);
    if (log == NULL || strcmp(app->consumer->reset, "latest") != 0) return -1;
    int64_t done = c->has_finished ? c->finished : c->put;
    int64_t from = done >= 0 || !c->is_committed ? done : c->kept;
    bool is_out = from < log->start || app->workload->plan.mean[PLAN_LIE] != 0;
    bool is_open = c->has_come && c->next > done; /* something was handed out and is not finished */
    if (is_open) return c->led_from <= done ? c->led_to : -1;
    return is_out || c->led_to >= 0 ? log->end : -1;
}

void commits_on_end(struct app *app, const struct cursor *c) {
    int64_t *most = &app->most[c->topic][c->partition];
    int64_t reach = led_reach(app, c);
    if (reach > *most) *most = reach;
}

static void check_most(struct app *app) {
    for (int32_t i = 0; i < app->cursor_count; i++) {
        const struct cursor *c = &app->cursors[i];
        int64_t committed = committed_of(app, c);
        int64_t most = with_gap(app, c, app->most[c->topic][c->partition]);
        if (!is_compared(app, c) || committed <= most) continue;
        if (committed <= led_reach(app, c)) {
            app->most[c->topic][c->partition] = committed;
            continue;
        }
        world_violate(app->workload->world,
                      "I10: consumer %d has committed topic-%d-%d@%" PRId64
                      " and finished no more than @%" PRId64,
                      app->id, c->topic, c->partition, committed, most);
    }
}

/* All that is finished is committed. */
static void check_kept(struct app *app, const char *call) {
    for (int32_t i = 0; i < app->cursor_count && is_orderly(app); i++) {
        const struct cursor *c = &app->cursors[i];
        if (!is_compared(app, c) || !c->has_finished || c->is_unsure) continue;
        app->workload->world->hits[HIT_COMMITTED]++;
        int64_t kept = committed_of(app, c);
        bool is_behind = kept > with_gap(app, c, c->finished) && kept > led_reach(app, c);
        if (kept >= c->finished && !is_behind) continue;
        world_violate(app->workload->world,
                      "I10: %s of consumer %d said 0, and topic-%d-%d is committed @%" PRId64
                      ", finished @%" PRId64,
                      call, app->id, c->topic, c->partition, kept, c->finished);
    }
}

static void check_nothing_finished(struct app *app) {
    for (int32_t i = 0; i < app->cursor_count; i++) {
        const struct cursor *c = &app->cursors[i];
        if (is_compared(app, c) && c->has_finished && !c->is_unsure)
            world_violate(app->workload->world,
                          "consumer %d has finished topic-%d-%d@%" PRId64 ", and is told NO_OFFSET",
                          app->id, c->topic, c->partition, c->finished);
    }
}

static bool is_expected_failure(const struct app *app, int rv, bool is_short) {
    if (rv == SLUICE_ERR_NOMEM) return app_may_lack_memory(app);
    if (rv == SLUICE_ERR_TIMEOUT && is_short) return true;
    return plan_has_faults(&app->workload->plan) && (rv >= -1 || rv == SLUICE_ERR_TIMEOUT);
}

/* Nobody waits for it: later ones come while it is under way. */
static void commit_unwatched(struct app *app) {
    sluice_op *op;
    int rv = sluice_consumer_commit(app->client, NULL, 30000, &op);
    if (rv != 0 && !is_expected_failure(app, rv, false)) app_complain(app, "commit", rv);
    if (rv == 0) sluice_op_free(op);
}

void commits_step(struct app *app) {
    struct workload *load = app->workload;
    if (!app->consumer->in_group) return;
    check_most(app);
    if (app->client == NULL || !app_draw(app, (uint32_t)app->consumer->commits)) return;
    if (app_draw(app, 60)) {
        commit_unwatched(app);
        return;
    }
    bool is_short = app_draw(app, 50);
    int32_t timeout_ms = is_short ? 200 : 30000;
    app_before(app, timeout_ms);
    int rv = sluice_consumer_commit(app->client, NULL, timeout_ms, NULL);
    app_after(app, "commit");
    world_note(load->world, WORLD_APP, app->id, 3, rv);
    if (rv == 0)
        check_kept(app, "a commit");
    else if (rv == SLUICE_ERR_NO_OFFSET)
        check_nothing_finished(app);
    else if (!is_expected_failure(app, rv, is_short))
        app_complain(app, "commit", rv);
    check_most(app);
}

void commits_on_closed(struct app *app, int rv) {
    if (!app->consumer->in_group) return;
    check_most(app);
    if (rv == 0 && app->consumer->auto_commit) check_kept(app, "the close");
}
