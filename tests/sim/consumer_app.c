/* A simulated consumer application with partitions assigned by hand. It polls, walks batches whole
 * or in part, gives them back in each way there is, seeks, pauses, holds on to batches, and starts
 * over. Of every partition it knows which record must come next (I8). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/workload.h"

static struct truth_log *log_of(struct app *app, const struct cursor *c) {
    return truth_log(&app->workload->truth, c->topic, c->partition);
}

static const char *topic_of(struct app *app, const struct cursor *c) {
    return app->workload->truth.topics[c->topic].name;
}

static int32_t life_of(struct app *app, const struct cursor *c) {
    return app->workload->truth.topics[c->topic].life_count - 1;
}

static bool is_expected_error(struct app *app, int rv) {
    return rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app);
}

/* ---- where a partition begins ---- */

/* The life of a topic that an offset is in, when there was more than one and nothing was read: the
 * client may not have heard of the new one. */
enum { LIFE_UNSEEN = -1 };

/* It is put somewhere: what comes was fetched after that. */
static void begin_reading(struct app *app, struct cursor *c) {
    const struct truth_log *log = log_of(app, c);
    c->is_read = false;
    c->lineage = log == NULL ? 0 : log->cut_count;
    commits_begin(c);
}

/* The position is a symbol, to be looked up. */
static void forget_position(struct app *app, struct cursor *c, bool is_latest) {
    const struct truth_log *log = log_of(app, c);
    c->is_known = false;
    c->is_latest = is_latest;
    c->life = life_of(app, c) > 0 ? LIFE_UNSEEN : 0;
    c->from = log == NULL ? 0 : is_latest ? log->end : log->start;
    begin_reading(app, c);
}

static void know_position(struct app *app, struct cursor *c, int32_t life, int64_t offset) {
    c->is_known = true;
    if (life != LIFE_UNSEEN)
        c->life = life;
    else if (life_of(app, c) > 0)
        c->life = LIFE_UNSEEN; /* nothing is expected of it then */
    c->next = offset;
}

/* Where to go to from now on: drawn, and remembered. */
static int64_t draw_position(struct app *app, struct cursor *c) {
    const struct truth_log *log = log_of(app, c);
    uint64_t draw = sl_rng_below(&app->workload->rng, 10);
    if (draw < 5 || log == NULL) {
        forget_position(app, c, false);
        return SLUICE_OFFSET_EARLIEST;
    }
    if (draw == 5) {
        forget_position(app, c, true);
        return SLUICE_OFFSET_LATEST;
    }
    int64_t offset = sl_rng_range(&app->workload->rng, log->start, log->end);
    know_position(app, c, LIFE_UNSEEN, offset);
    begin_reading(app, c);
    return offset;
}

/* Where a partition begins that is newly assigned. */
static int64_t draw_start(struct app *app, struct cursor *c) {
    if (!app->consumer->in_group) return draw_position(app, c);
    forget_position(app, c, strcmp(app->consumer->reset, "latest") == 0);
    commits_start(app, c);
    return SLUICE_OFFSET_COMMITTED;
}

static void assign_partitions(struct app *app) {
    struct workload *load = app->workload;
    sluice_offsets *list = sluice_offsets_create();
    app->cursor_count = 0;
    for (int32_t t = 0; t < load->plan.topics; t++) {
        for (int32_t p = 0; p < load->plan.partitions[t]; p++) {
            if (app->cursor_count == WORKLOAD_CURSORS || app_draw(app, 20)) continue;
            struct cursor *c = &app->cursors[app->cursor_count++];
            *c = (struct cursor){.topic = t, .partition = p};
            (void)sluice_offsets_add(list, load->truth.topics[t].name, p, draw_start(app, c));
        }
    }
    int rv = sluice_consumer_assign(app->client, list);
    sluice_offsets_free(list);
    if (rv == 0) return;
    app->cursor_count = 0; /* tried again at the next step */
    if (!is_expected_error(app, rv)) app_complain(app, "assign", rv);
}

int consumer_open(struct app *app) {
    const struct plan_consumer *p = app->consumer;
    sluice_config *config = sluice_config_create();
    app_configure(app, config);
    (void)sluice_config_set(config, "auto.offset.reset", p->reset);
    (void)sluice_config_set(config, "client.rack", p->rack);
    if (p->in_group) {
        (void)sluice_config_set(config, "group.id", app->group);
        (void)sluice_config_set(config, "enable.auto.commit", p->auto_commit ? "true" : "false");
        app_set_number(config, "auto.commit.interval.ms", p->commit_ms);
    }
    (void)sluice_config_set(config, "poll.partitions", p->one_partition ? "one" : "many");
    (void)sluice_config_set(config, "poll.ends", p->ends ? "true" : "false");
    app_set_number(config, "fetch.max.bytes", p->max_bytes);
    app_set_number(config, "max.partition.fetch.bytes", p->partition_bytes);
    app_set_number(config, "fetch.max.wait.ms", p->wait_ms);
    app_set_number(config, "fetch.min.bytes", p->min_bytes);
    app_set_number(config, "fetch.memory", p->memory);
    int rv = sluice_client_open(config, SLUICE_CONSUMER, app->host->runtime, &app->client);
    if (rv != 0 && !is_expected_error(app, rv))
        world_violate(app->workload->world, "a consumer cannot be opened: %s: %s",
                      sluice_error_name(rv), sluice_config_message(config));
    sluice_config_free(config);
    app->cursor_count = 0;
    return rv;
}

/* ---- reading ---- */

struct cursor *consumer_cursor(struct app *app, const char *topic, int32_t partition) {
    int32_t t = truth_find_topic(&app->workload->truth, topic);
    for (int32_t i = 0; i < app->cursor_count; i++)
        if (app->cursors[i].topic == t && app->cursors[i].partition == partition)
            return &app->cursors[i];
    return NULL;
}

/* Who names topics may read the new one before hearing that it is one, and then starts over. */
static bool may_start_over(const struct app *app, const struct cursor *c) {
    return c->life > 0 && app->workload->truth.names_topics;
}

/* The record that came is not the one at c->next. Allowed when the log's start has moved past it,
 * when the topic was made again, and where the position was a symbol. */
static bool may_jump(struct app *app, const struct cursor *c, int64_t offset) {
    const struct truth_log *log = log_of(app, c);
    if (c->life != life_of(app, c) || log == NULL) return true;
    if (may_start_over(app, c)) return true;
    if (c->is_known) return c->next < log->start && offset > c->next;
    if (c->is_committed) {
        bool is_reset;
        if (commits_may_start(app, c, offset, &is_reset)) return true;
        if (!is_reset) return false;
    }
    /* Looked up, and trimmed before it was fetched: auto.offset.reset has the say. */
    bool goes_to_end = log->start > c->from && strcmp(app->consumer->reset, "latest") == 0;
    if (c->is_latest || goes_to_end) return offset >= c->from;
    return offset >= c->from && offset <= log->start;
}

/* A record is at that offset, or the end of the partition. */
static void check_place(struct app *app, struct cursor *c, const char *topic, int64_t offset) {
    struct workload *load = app->workload;
    if (c->is_paused)
        world_violate(load->world, "a record of %s-%d came while it was paused", topic,
                      c->partition);
    if ((!c->is_known || offset != c->next) && !may_jump(app, c, offset)) {
        const struct truth_log *log = log_of(app, c);
        world_violate(load->world,
                      "I8: consumer %d got %s-%d@%" PRId64 " where @%" PRId64
                      " was due (%s, log %" PRId64 "..%" PRId64 ")",
                      app->id, topic, c->partition, offset, c->is_known ? c->next : c->from,
                      c->is_known    ? "known"
                      : c->is_latest ? "latest"
                                     : "earliest",
                      log->start, log->end);
    }
}

/* The newest life of the topic, older than `before`, that has the record at its offset; -1: none. */
static int32_t find_life(const struct truth *truth, const struct cursor *c, int64_t offset,
                         uint64_t id, int32_t before) {
    int32_t life = before - 1;
    while (life >= 0 && !truth_had(truth, c->topic, life, c->partition, offset, id)) life--;
    return life;
}

/* Returns the life of the topic that the record is from; LIFE_UNSEEN when it may be from several: a
 * batch that was out when the topic went may be written to the next one too. */
int32_t consumer_check_content(struct app *app, const struct cursor *c, const sluice_view *v) {
    struct truth *truth = &app->workload->truth;
    int32_t size = v->value == NULL ? -1 : (int32_t)v->value_size;
    uint64_t id = content_id(v->value, size, v->headers, v->headers_size, v->header_count);
    int32_t life = find_life(truth, c, v->offset, id, truth->topics[c->topic].life_count);
    if (life < 0 || id == 0) {
        world_violate(truth->world, "%s-%d@%" PRId64 " is not what consumer %d got (%" PRIx64 ")",
                      v->topic, v->partition, v->offset, app->id, id);
        return 0;
    }
    const char *wrong = content_compare(
        truth_content(truth, id), v->key, v->key == NULL ? -1 : (int32_t)v->key_size, v->value,
        size, v->headers, v->headers_size, v->header_count, v->timestamp_ms);
    if (wrong != NULL)
        world_violate(truth->world, "%s-%d@%" PRId64 " came with %s", v->topic, v->partition,
                      v->offset, wrong);
    return find_life(truth, c, v->offset, id, life) >= 0 ? LIFE_UNSEEN : life;
}

/* The lineage that a reader is in who goes back to where a log was cut; or `lineage`. */
static int32_t find_return(const struct truth_log *log, const struct cursor *c, int64_t offset,
                           uint64_t id, int32_t lineage) {
    for (int32_t i = lineage; i <= log->cut_count; i++)
        if (truth_lowest_cut(log, c->lineage, i) == offset && truth_was_at(log, i, offset) == id)
            return i;
    return lineage;
}

/* The same record may have come to the same place again, behind a cut: then nobody can tell in which
 * lineage its reader is. */
static bool is_ambiguous(const struct truth_log *log, int32_t lineage, int64_t offset,
                         uint64_t id) {
    for (int32_t i = lineage + 1; i <= log->cut_count; i++)
        if (truth_lowest_cut(log, lineage, i) <= offset && truth_was_at(log, i, offset) == id)
            return true;
    return false;
}

/* Where a log was cut (I26): who has read of what is gone goes back to there, and with
 * auto.offset.reset=none only by a seek; and nobody gets what was before a cut after what is behind
 * it. Where nothing was read since it was put there, nothing is known of what was before; and where
 * the log's start has passed all that was read, its leader may have had no trace of the cut either:
 * then it goes on behind that. */
static void follow_cuts(struct app *app, struct cursor *c, const sluice_view *v) {
    struct world *w = app->workload->world;
    const struct truth_log *log = log_of(app, c);
    int32_t size = v->value == NULL ? -1 : (int32_t)v->value_size;
    bool was_read = c->is_read && c->is_known;
    c->is_read = true;
    if (log == NULL || log->cut_count == 0) return;
    uint64_t id = content_id(v->value, size, v->headers, v->headers_size, v->header_count);
    int32_t lineage = truth_lineage(log, c->lineage, v->offset, id);
    if (lineage < 0) {
        world_violate(w,
                      "I26: consumer %d got %s-%d@%" PRId64 " of before a cut after what is behind",
                      app->id, v->topic, v->partition, v->offset);
        return;
    }
    if (was_read && v->offset < c->next) lineage = find_return(log, c, v->offset, id, lineage);
    int64_t cut = truth_lowest_cut(log, c->lineage, lineage);
    c->lineage = lineage;
    c->is_read = !is_ambiguous(log, lineage, v->offset, id);
    if (!was_read) know_position(app, c, LIFE_UNSEEN, v->offset);
    if (cut >= c->next || !was_read) return;
    bool is_told = strcmp(app->consumer->reset, "none") != 0;
    bool is_there = v->offset == cut || (cut < log->start && v->offset >= log->start);
    bool has_trace = log->start < c->next || v->offset < c->next;
    if (has_trace && (!is_told || !is_there))
        world_violate(w,
                      "I26: consumer %d has read %s-%d up to @%" PRId64
                      ", which was cut at @%" PRId64 ", and went on at @%" PRId64 "%s",
                      app->id, v->topic, v->partition, c->next, cut, v->offset,
                      is_told ? "" : " untold");
    if (has_trace) w->hits[HIT_NOTICED]++;
    c->next = v->offset;
}

static void take_record(struct app *app, const sluice_view *v) {
    struct cursor *c = consumer_cursor(app, v->topic, v->partition);
    if (c == NULL) {
        world_violate(app->workload->world, "a record of %s-%d came, which is not assigned",
                      v->topic, v->partition);
        return;
    }
    follow_cuts(app, c, v);
    check_place(app, c, v->topic, v->offset);
    if (!c->is_known || v->offset != c->next) commits_on_led(c, v->offset);
    c->has_come = true;
    int32_t life = consumer_check_content(app, c, v);
    know_position(app, c, life, v->offset + 1);
    world_note(app->workload->world, WORLD_READ, app->id, v->partition, v->offset);
    app->records++;
}

/* The log was cut since the last record that was read of it; or before, and nothing was read since
 * the cursor was put there: what was committed may have been beyond the cut. */
static bool is_cut_since(struct app *app, const struct cursor *c) {
    const struct truth_log *log = log_of(app, c);
    return log != NULL && log->cut_count > (c->is_read ? c->lineage : 0);
}

/* A slice that was not walked, or is empty, may be the first from where a reset has led. */
static void note_start(struct app *app, struct cursor *c, const sluice_slice *s) {
    if (c->is_known && c->next >= s->first_offset) return;
    /* Only records tell how a cut was followed. */
    if (!is_cut_since(app, c)) check_place(app, c, s->topic, s->first_offset);
    commits_on_led(c, s->first_offset);
    c->has_come |= s->count > 0;
}

/* What was not walked of a batch is skipped by free, and by mark. */
static void skip_slices(struct app *app, sluice_batch *batch) {
    sluice_slice s;
    for (int32_t i = 0; sluice_batch_slice(batch, i, &s, sizeof s) == 1; i++) {
        struct cursor *c = consumer_cursor(app, s.topic, s.partition);
        if (c == NULL || (s.count == 0 && !c->is_known)) continue;
        note_start(app, c, &s);
        /* Behind a cut it may end where the one of before did. */
        bool is_walked = c->is_known && c->next == s.next_offset && !is_cut_since(app, c);
        if (is_walked) continue;
        know_position(app, c, LIFE_UNSEEN, s.next_offset);
        c->is_read = false; /* not of what comes next */
    }
}

bool consumer_walk(struct app *app, sluice_batch *batch, int64_t most,
                   void (*take)(struct app *app, const sluice_view *view)) {
    sluice_view views[8];
    while (most > 0 && !world_is_broken(app->workload->world)) {
        int32_t cap = most < 8 ? (int32_t)most : 8;
        int32_t n = sluice_batch_read(batch, views, sizeof views[0], cap);
        if (n < 0) return false;
        if (n == 0) break;
        for (int32_t i = 0; i < n; i++) take(app, &views[i]);
        most -= n;
    }
    return true;
}

enum { GIVE_FINISH = 1, GIVE_RETRY, GIVE_FREE, GIVE_LATER };

static void note_give(struct app *app, int how, int64_t count) {
    world_note(app->workload->world, WORLD_GIVE, app->id, how, count);
}

/* Says that the first part of each slice is processed; the rest comes again. A partition may have
 * several slices: those behind one that is not marked whole stay unmarked, so that what comes next
 * is one record, not several pieces. */
static int retry_batch(struct app *app, sluice_batch *batch) {
    sluice_slice s;
    struct sl_rng *rng = &app->workload->rng;
    bool is_cut[WORKLOAD_CURSORS] = {false};
    for (int32_t i = 0; sluice_batch_slice(batch, i, &s, sizeof s) == 1; i++) {
        struct cursor *c = consumer_cursor(app, s.topic, s.partition);
        if (s.count == 0 || c == NULL || is_cut[c - app->cursors]) continue;
        note_start(app, c, &s);
        int32_t count = (int32_t)sl_rng_below(rng, (uint64_t)s.count + 1);
        int rv = sluice_batch_mark(batch, i, count == s.count ? -1 : count);
        if (rv != 0) app_complain(app, "mark", rv);
        /* Offsets in these logs have no gaps. */
        int64_t next = count == s.count ? s.next_offset : s.first_offset + count;
        know_position(app, c, LIFE_UNSEEN, next);
        c->is_read = false;
        is_cut[c - app->cursors] = count < s.count;
    }
    commits_on_processed(app, batch);
    return sluice_batch_retry(batch);
}

static void give_held(struct app *app) {
    if (app->held == NULL) return;
    note_give(app, GIVE_FINISH, -1);
    int rv = sluice_batch_finish(app->held);
    app->held = NULL;
    commits_on_given(app, rv);
    /* Positions move by themselves when a log's start or a topic does. */
    const int64_t *mean = app->workload->plan.mean;
    bool may_be_late =
        app->sought || mean[PLAN_TRIM] != 0 || mean[PLAN_TOPIC] != 0 || mean[PLAN_UNCLEAN] != 0;
    if (rv != 0 && !(rv == SLUICE_ERR_STALE && may_be_late)) app_complain(app, "finish", rv);
}

/* After an error of a partition, which waits for a seek then: nobody tells which one it was. */
static void seek_all(struct app *app) {
    sluice_offsets *list = sluice_offsets_create();
    for (int32_t i = 0; i < app->cursor_count; i++) {
        struct cursor *c = &app->cursors[i];
        bool is_gone = c->life != life_of(app, c);
        commits_on_end(app, c);
        const struct truth_log *log = log_of(app, c);
        if (c->is_known && log != NULL && c->next < log->start) is_gone = true;
        if (c->is_known && log != NULL && log->cut_count > 0 && c->next > log->end) is_gone = true;
        if (is_gone) forget_position(app, c, false);
        int64_t symbol = c->is_latest ? SLUICE_OFFSET_LATEST : SLUICE_OFFSET_EARLIEST;
        (void)sluice_offsets_add(list, topic_of(app, c), c->partition,
                                 c->is_known ? c->next : symbol);
        begin_reading(app, c);
        if (!c->is_known) forget_position(app, c, c->is_latest);
    }
    int rv = sluice_consumer_seek(app->client, list);
    sluice_offsets_free(list);
    app->sought = true;
    app->owes_seek = rv != 0;
    if (rv != 0 && !is_expected_error(app, rv)) app_complain(app, "seek", rv);
}

/* A log was cut, of which it has read what is gone: positions say which, and where to go on. */
static void return_to_cuts(struct app *app) {
    sluice_offsets *list;
    sluice_offset o;
    /* By name a topic that was made again is one whose log was cut. */
    bool is_true = app->workload->plan.mean[PLAN_TOPIC] != 0;
    if (sluice_consumer_positions(app->client, &list) != 0) return;
    for (int32_t i = 0; sluice_offsets_at(list, i, &o, sizeof o) == 1; i++) {
        struct cursor *c = consumer_cursor(app, o.topic, o.partition);
        const struct truth_log *log = c == NULL ? NULL : log_of(app, c);
        if (log == NULL || log->cut_count == 0) continue;
        is_true |= !c->is_read;
        if (o.offset < 0 || (c->is_known && o.offset >= c->next)) continue;
        for (int32_t k = c->lineage; k <= log->cut_count; k++)
            is_true |= truth_lowest_cut(log, c->lineage, k) == o.offset;
        know_position(app, c, LIFE_UNSEEN, o.offset);
        app->workload->world->hits[HIT_NOTICED]++;
    }
    sluice_offsets_free(list);
    if (!is_true)
        world_violate(app->workload->world, "I26: consumer %d was told of a cut that was not made",
                      app->id);
}

static void take_batch(struct app *app, sluice_batch *batch) {
    struct workload *load = app->workload;
    int64_t count = sluice_batch_count(batch);
    bool is_calm = load->phase != PHASE_FAULTS || app->held != NULL;
    int rv = 0;
    if (is_calm || app_draw(app, 80)) {
        if (!consumer_walk(app, batch, INT64_MAX, take_record)) {
            sluice_batch_free(batch);
            seek_all(app);
            return;
        }
        skip_slices(app, batch);
        if (app->held == NULL && !is_calm && app_draw(app, (uint32_t)app->consumer->holds)) {
            note_give(app, GIVE_LATER, count);
            app->held = batch;
            app->sought = false;
            commits_on_held(app, batch);
            return;
        }
        note_give(app, GIVE_FINISH, count);
        commits_on_processed(app, batch);
        rv = sluice_batch_finish(batch);
    } else if (app_draw(app, 40)) {
        int64_t part = sl_rng_range(&load->rng, 0, count);
        note_give(app, GIVE_FINISH, part);
        if (!consumer_walk(app, batch, part, take_record)) {
            sluice_batch_free(batch);
            seek_all(app);
            return;
        }
        commits_on_processed(app, batch);
        rv = sluice_batch_finish(batch);
    } else if (app_draw(app, 50)) {
        note_give(app, GIVE_RETRY, count);
        rv = retry_batch(app, batch);
    } else {
        note_give(app, GIVE_FREE, count);
        skip_slices(app, batch);
        commits_on_freed(app, batch);
        sluice_batch_free(batch);
    }
    if (is_expected_error(app, rv))
        seek_all(app);
    else if (rv != 0)
        app_complain(app, "finish", rv);
}

bool consumer_may_be_told(const struct app *app, int rv) {
    static const int never[] = {SLUICE_ERR_CLOSED,      SLUICE_ERR_USAGE,  SLUICE_ERR_BUSY,
                                SLUICE_ERR_INTERRUPTED, SLUICE_ERR_HELD,   SLUICE_ERR_NOMEM,
                                SLUICE_ERR_STALE,       SLUICE_ERR_TOO_BIG};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (rv == never[i]) return false;
    return plan_has_faults(&app->workload->plan);
}

static void poll_once(struct app *app, int32_t timeout_ms) {
    struct workload *load = app->workload;
    sluice_batch *batch;
    app_before(app, timeout_ms);
    int rv = sluice_consumer_poll(app->client, timeout_ms, &batch);
    app_after(app, "poll");
    if (rv == 0) {
        if (batch == NULL) return;
        tap_progress(&load->tap, app->host->id);
        world_note(load->world, WORLD_POLL, app->id, 0, sluice_batch_count(batch));
        take_batch(app, batch);
        return;
    }
    char text[300];
    world_note(load->world, WORLD_POLL, app->id, rv, 0);
    (void)sluice_client_explain(app->client, rv, text, sizeof text);
    if (rv == SLUICE_ERR_NOMEM && app_may_lack_memory(app)) return;
    if (rv == SLUICE_ERR_HELD && app->held != NULL) return;
    if (rv == SLUICE_ERR_TRUNCATED) return_to_cuts(app);
    bool is_without_offset = rv == SLUICE_ERR_NO_OFFSET && app->consumer->in_group &&
                             strcmp(app->consumer->reset, "none") == 0;
    if (is_without_offset) {
        seek_all(app);
        return;
    }
    if (!consumer_may_be_told(app, rv))
        app_complain(app, "poll", rv);
    else
        seek_all(app);
}

/* ---- other calls ---- */

static struct cursor *draw_cursor(struct app *app) {
    if (app->cursor_count == 0) return NULL;
    return &app->cursors[sl_rng_below(&app->workload->rng, (uint64_t)app->cursor_count)];
}

static void seek_one(struct app *app) {
    struct cursor *c = draw_cursor(app);
    if (c == NULL) return;
    struct cursor before = *c;
    commits_on_end(app, c);
    sluice_offsets *list = sluice_offsets_create();
    (void)sluice_offsets_add(list, topic_of(app, c), c->partition, draw_position(app, c));
    int rv = sluice_consumer_seek(app->client, list);
    sluice_offsets_free(list);
    if (rv != 0) *c = before;
    if (rv == 0) app->sought = true;
    if (rv != 0 && !is_expected_error(app, rv)) app_complain(app, "seek", rv);
}

static void pause_one(struct app *app) {
    struct cursor *c = draw_cursor(app);
    if (c == NULL) return;
    sluice_offsets *list = sluice_offsets_create();
    (void)sluice_offsets_add(list, topic_of(app, c), c->partition, 0);
    int rv = c->is_paused ? sluice_consumer_resume(app->client, list)
                          : sluice_consumer_pause(app->client, list);
    sluice_offsets_free(list);
    if (rv == 0) c->is_paused = !c->is_paused;
    if (rv != 0 && !is_expected_error(app, rv)) app_complain(app, "pause", rv);
}

static void resume_all(struct app *app) {
    int rv = sluice_consumer_resume(app->client, NULL);
    if (rv != 0) app_complain(app, "resume", rv);
    for (int32_t i = 0; i < app->cursor_count; i++) app->cursors[i].is_paused = false;
}

void consumer_step(struct app *app) {
    struct workload *load = app->workload;
    if (app->client == NULL && consumer_open(app) != 0) return;
    if (app->cursor_count == 0) assign_partitions(app);
    if (app->held != NULL && (load->phase != PHASE_FAULTS || app_draw(app, 30))) give_held(app);
    if (app->owes_seek) seek_all(app);
    if (load->phase != PHASE_FAULTS) resume_all(app);
    uint64_t draw = sl_rng_below(&load->rng, 10);
    poll_once(app, draw < 5 ? 0 : draw < 9 ? 20 : 300);
    if (load->phase != PHASE_FAULTS || world_is_broken(load->world)) return;
    if (app_draw(app, (uint32_t)app->consumer->seeks)) seek_one(app);
    if (app_draw(app, (uint32_t)app->consumer->pauses)) pause_one(app);
    commits_step(app);
    if (load->plan.restarts == 0 || !app_draw(app, (uint32_t)load->plan.restarts)) return;
    if (app_draw(app, 70))
        consumer_end(app, (int32_t)sl_rng_below(&load->rng, 500));
    else
        consumer_drop(app);
}

/* What is between this position and the end; false: nothing. */
static bool describe_gap(struct app *app, const sluice_offset *o, char *why, size_t cap) {
    const struct cursor *c = consumer_cursor(app, o->topic, o->partition);
    const struct truth_log *log = c == NULL ? NULL : log_of(app, c);
    if (log == NULL) return false;
    /* What it says of its position must be what was read. */
    bool is_due = c->is_known && c->life == life_of(app, c) && c->next >= log->start &&
                  c->lineage == log->cut_count;
    bool is_other = is_due && o->offset != c->next && !may_start_over(app, c);
    if (o->offset == log->end && !is_other) return false;
    snprintf(why, cap, "%s-%d is at %" PRId64 ", read up to %" PRId64 ", log %" PRId64 "..%" PRId64,
             o->topic, o->partition, o->offset, c->is_known ? c->next : -1, log->start, log->end);
    return true;
}

bool consumer_is_settled(struct app *app, char *why, size_t cap) {
    sluice_offsets *list;
    sluice_offset o;
    bool is_settled = true;
    why[0] = '\0';
    if (app->client == NULL) return true;
    if (app->cursor_count == 0 || app->held != NULL) return false;
    if (sluice_consumer_positions(app->client, &list) != 0) return false;
    for (int32_t i = 0; is_settled && sluice_offsets_at(list, i, &o, sizeof o) == 1; i++)
        is_settled = !describe_gap(app, &o, why, cap);
    sluice_offsets_free(list);
    return is_settled;
}

static void free_client(struct app *app) {
    bool batch_first = app_draw(app, 50);
    for (int32_t i = 0; i < app->cursor_count; i++) commits_on_end(app, &app->cursors[i]);
    if (batch_first) sluice_batch_free(app->held);
    sluice_client_free(app->client);
    if (!batch_first) sluice_batch_free(app->held);
    app->held = NULL;
    app->owes_seek = false;
    app->client = NULL;
    app->cursor_count = 0;
}

void consumer_end(struct app *app, int32_t timeout_ms) {
    if (app->client == NULL) return;
    app_before(app, timeout_ms);
    int rv = sluice_client_close(app->client, timeout_ms, NULL);
    app_after(app, "close");
    world_note(app->workload->world, WORLD_APP, app->id, 1, rv);
    bool is_refused = rv > 0 && app->consumer->in_group && plan_has_faults(&app->workload->plan);
    if (rv != 0 && rv != SLUICE_ERR_TIMEOUT && !is_refused) app_complain(app, "close", rv);
    commits_on_closed(app, rv);
    free_client(app);
}

void consumer_drop(struct app *app) {
    if (app->client == NULL) return;
    world_note(app->workload->world, WORLD_APP, app->id, 2, 0);
    free_client(app);
}
