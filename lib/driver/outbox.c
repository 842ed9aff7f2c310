/* The outbox: events, reports, ended operations and the gate behind one mutex.
 *
 * Posting never fails and never waits: everything that carries a final outcome is a node that was
 * allocated when the outcome was promised, and is only linked here. What may be dropped (notices)
 * is bounded; the oldest goes, counted. What is dropped or forgotten is left in the caller's lists
 * and freed after the lock, because the allocator may be the application's.
 *
 * The descriptor is level-triggered: readable exactly while there is something to act on
 * (is_anything_due). It is changed by system calls, so not under the lock: one thread at a time
 * owns the change (signal.busy), and whoever finds it owned leaves a mark; the owner looks again
 * before it lets go. So the last state always wins. Every post writes a byte even when it is
 * raised, so that a reader that swallowed the bytes before is told again.
 *
 * Not here: waiting (client_wait.c), and what the gate decides (core/gate.c). */
#include "driver/outbox.h"

#include <string.h>

#include "driver/net.h"
#include "driver/runtime.h"
#include "sluice/error.h"

int sl_outbox_init(struct sl_outbox *out, const struct sl_settings *settings,
                   const struct sl_alloc *alloc) {
    memset(out, 0, sizeof *out);
    out->alloc = alloc;
    out->state = SL_OUTBOX_OPEN;
    out->settings = settings;
    out->signal.ends[0] = out->signal.ends[1] = -1;
    sl_list_init(&out->deliveries);
    sl_list_init(&out->ended);
    sl_list_init(&out->tickets);
    sl_list_init(&out->notices);
    sl_list_init(&out->topics);
    int rv = sl_inbox_mail_init(&out->mail);
    if (rv != 0) return rv;
    if (settings->role == SL_ROLE_CONSUMER) rv = sl_gate_create(settings, alloc, &out->gate);
    if (rv != 0) sl_inbox_mail_deinit(&out->mail);
    return rv;
}

void sl_outbox_abandon(struct sl_outbox *out) {
    for (int i = 0; i < 2; i++) {
        if (out->signal.ends[i] >= 0) sl_net_close_fd(out->signal.ends[i]);
        out->signal.ends[i] = -1;
    }
}

void sl_outbox_deinit(struct sl_outbox *out) {
    struct sl_events left;
    sl_events_init(&left);
    sl_list_splice_back(&left.deliveries, &out->deliveries);
    sl_list_splice_back(&left.notices, &out->notices);
    sl_list_splice_back(&left.topics, &out->topics);
    sl_events_deinit(&left, out->alloc);
    if (out->gate != NULL) sl_gate_destroy(out->gate);
    sl_outbox_abandon(out);
    sl_inbox_mail_deinit(&out->mail);
}

/* ---- stories ---- */

void sl_outbox_remember(struct sl_outbox *out, int code, const char *text) {
    if (code == 0 || text == NULL || text[0] == '\0') return;
    struct sl_story *place = &out->stories[0];
    for (int i = 0; i < SL_OUTBOX_STORIES; i++) {
        struct sl_story *story = &out->stories[i];
        if (story->code == code) {
            place = story;
            break;
        }
        if (story->serial < place->serial) place = story;
    }
    place->code = code;
    place->serial = ++out->story_serial;
    struct sl_text copy;
    sl_text_init(&copy, place->text, sizeof place->text);
    sl_text_put(&copy, text);
}

const struct sl_story *sl_outbox_story(const struct sl_outbox *out, int code) {
    for (int i = 0; code != 0 && i < SL_OUTBOX_STORIES; i++) {
        if (out->stories[i].code == code) return &out->stories[i];
    }
    return NULL;
}

/* ---- posting ---- */

/* Ops become readable for the application. Forgotten ones stay in the list, to be freed; those
 * that a call waits for are in no list from here on. */
static void post_ended_ops(struct sl_outbox *out, struct sl_list *ops) {
    SL_LIST_EACH(it, tmp, ops) {
        struct sl_op *op = SL_LIST_OF(it, struct sl_op, node);
        op->state = SL_OP_POSTED;
        op->posted = true;
        if (op->code != 0) sl_outbox_remember(out, op->code, op->text);
        if (op->forgotten) continue;
        sl_list_remove(&op->node);
        if (op->ticket) sl_list_push_back(&out->ended, &op->node);
    }
}

/* Takes notices into the ring; the oldest that have no room end up in *notices. */
static void post_notices(struct sl_outbox *out, struct sl_list *notices) {
    struct sl_list dropped;
    sl_list_init(&dropped);
    for (struct sl_list *node; (node = sl_list_pop_front(notices)) != NULL;) {
        struct sl_notice *notice = SL_LIST_OF(node, struct sl_notice, node);
        sl_outbox_remember(out, notice->code, notice->text);
        sl_list_push_back(&out->notices, node);
        if (++out->notice_count <= SL_OUTBOX_NOTICES) continue;
        sl_list_push_back(&dropped, sl_list_pop_front(&out->notices));
        out->notice_count--;
        out->dropped++;
    }
    sl_list_splice_back(notices, &dropped);
}

static struct sl_topic_news *find_topic_news(struct sl_outbox *out, const char *name) {
    SL_LIST_EACH(it, tmp, &out->topics) {
        struct sl_topic_news *news = SL_LIST_OF(it, struct sl_topic_news, node);
        if (strcmp(news->name, name) == 0) return news;
    }
    return NULL;
}

/* News of a topic take the place of what was known of it, which ends up in *topics. */
static void post_topics(struct sl_outbox *out, struct sl_list *topics) {
    struct sl_list replaced;
    sl_list_init(&replaced);
    for (struct sl_list *node; (node = sl_list_pop_front(topics)) != NULL;) {
        struct sl_topic_news *news = SL_LIST_OF(node, struct sl_topic_news, node);
        struct sl_topic_news *old = find_topic_news(out, news->name);
        if (old != NULL) {
            sl_list_remove(&old->node);
            sl_list_push_back(&replaced, &old->node);
        }
        sl_list_push_front(&out->topics, node);
    }
    sl_list_splice_back(topics, &replaced);
}

/* The client is closed: nothing follows. Tickets of close end now, all with the same answer;
 * forgotten ones end up in *ops, to be freed. */
static void post_close(struct sl_outbox *out, int code, struct sl_list *ops) {
    out->state = SL_OUTBOX_CLOSED;
    if (!out->given_up) out->close_code = sl_outbox_verdict(out, code);
    for (struct sl_list *node; (node = sl_list_pop_front(&out->tickets)) != NULL;) {
        struct sl_op *op = SL_LIST_OF(node, struct sl_op, node);
        op->code = out->close_code;
        op->posted = true;
        sl_list_push_back(op->forgotten ? ops : &out->ended, &op->node);
    }
}

/* Reports that a call waits for go to it. Where nobody waits any more they are reports like any
 * other, if those are wanted; what is left in *deliveries is to be freed. */
static void post_deliveries(struct sl_outbox *out, struct sl_list *deliveries) {
    struct sl_list wanted;
    sl_list_init(&wanted);
    SL_LIST_EACH(it, tmp, deliveries) {
        struct sl_delivery *d = SL_LIST_OF(it, struct sl_delivery, node);
        struct sl_watch *watch = d->watch;
        bool is_reported =
            out->settings->reports == SL_REPORTS_ALL ||
            (out->settings->reports == SL_REPORTS_FAILED && d->outcome != SL_OUTCOME_WRITTEN);
        if (watch != NULL && watch->given_up && !is_reported) continue;
        sl_list_remove(it);
        if (watch != NULL && !watch->given_up) {
            watch->delivery = d;
            continue;
        }
        if (watch != NULL) d->tags[0] = watch->tag;
        sl_list_push_back(&wanted, it);
    }
    sl_list_splice_back(&out->deliveries, &wanted);
}

void sl_outbox_post(struct sl_outbox *out, struct sl_outbox_post *post) {
    struct sl_events *e = post->events;
    bool anything =
        post->room || post->has_trust || post->has_short || post->closed || !sl_events_is_empty(e);
    if (!anything) return;
    sl_outbox_lock(out);
    post_deliveries(out, &e->deliveries);
    out->unread += post->unread;
    out->written += e->written;
    out->not_written += e->not_written;
    out->maybe_written += e->maybe_written;
    if (out->gate != NULL) {
        sl_gate_on_news(out->gate, &e->news);
        if (post->has_trust) sl_gate_trust(out->gate, post->trusted_until);
        sl_gate_on_rebalances(out->gate, &e->rebalances);
        if (post->has_short) sl_gate_tell_short(out->gate, post->is_short);
        sl_gate_on_fetched(out->gate, &e->fetched);
        post->again = sl_gate_is_due(out->gate);
    }
    post_ended_ops(out, &e->ops);
    post_notices(out, &e->notices);
    post_topics(out, &e->topics);
    out->room |= post->room;
    out->token |= e->token_wanted;
    if (post->closed) post_close(out, post->code, &e->ops);
    out->signal.again = true;
    sl_outbox_unlock_and_tell(out);
}

void sl_outbox_take_orders(struct sl_outbox *out, struct sl_outbox_orders *orders) {
    sl_list_init(&orders->commands);
    sl_list_init(&orders->buffers);
    sl_list_init(&orders->jobs);
    orders->freed = 0;
    if (out->gate == NULL) return;
    sl_outbox_lock(out);
    sl_gate_take_orders(out->gate, &orders->commands);
    sl_gate_take_returned(out->gate, &orders->buffers, &orders->freed);
    sl_gate_take_jobs(out->gate, &orders->jobs);
    sl_outbox_unlock(out);
}

void sl_outbox_give_job(struct sl_outbox *out, struct sl_job *job) {
    sl_outbox_lock(out);
    sl_gate_on_job(out->gate, job);
    out->signal.again = true;
    sl_outbox_unlock_and_tell(out);
}

void sl_outbox_take_finished(struct sl_outbox *out, bool everything, struct sl_list *commands) {
    sl_list_init(commands);
    sl_outbox_lock(out);
    sl_gate_collect(out->gate, everything);
    sl_gate_take_orders(out->gate, commands);
    sl_outbox_unlock(out);
}

/* ---- the descriptor ---- */

/* Held. There is something that the application has to act on. */
static bool is_anything_due(const struct sl_outbox *out) {
    if (!sl_list_is_empty(&out->deliveries) || !sl_list_is_empty(&out->ended) || out->room ||
        out->token)
        return true;
    if (out->gate != NULL && sl_gate_is_ready(out->gate)) return true;
    if (!out->settings->fd_events) return false;
    return out->notice_count > 0 || (out->state == SL_OUTBOX_CLOSED && !out->closed_told);
}

static void match_descriptor(struct sl_outbox *out) {
    struct sl_outbox_signal *s = &out->signal;
    sl_outbox_lock(out);
    if (s->ends[0] < 0 || s->busy) {
        s->again = s->ends[0] >= 0;
        sl_outbox_unlock(out);
        return;
    }
    s->busy = true;
    for (;;) {
        bool due = is_anything_due(out);
        bool act = due ? s->again || !s->raised : s->raised;
        s->again = false;
        if (!act) break;
        s->raised = due;
        sl_outbox_unlock(out);
        if (due)
            sl_net_raise(s->ends[1]);
        else
            sl_net_clear(s->ends[0]);
        sl_outbox_lock(out);
    }
    s->busy = false;
    sl_outbox_unlock(out);
}

/* Held. Without a descriptor the lock is not taken again, where it would be in the way of those who
 * wake up. */
static bool has_descriptor(const struct sl_outbox *out) { return out->signal.ends[0] >= 0; }

void sl_outbox_unlock_and_signal(struct sl_outbox *out) {
    bool has_fd = has_descriptor(out);
    sl_outbox_unlock(out);
    if (has_fd) match_descriptor(out);
}

/* Held, to begin with. Unlocks, and has all that wait look again. */
static void unlock_and_call(struct sl_outbox *out) {
    bool is_any_away = out->away > 0;
    sl_outbox_unlock(out);
    sl_inbox_mail_tell(&out->mail);
    if (is_any_away) sl_runtime_call(out->runtime);
}

void sl_outbox_call(struct sl_outbox *out) {
    sl_outbox_lock(out);
    unlock_and_call(out);
}

void sl_outbox_unlock_and_tell(struct sl_outbox *out) {
    bool has_fd = has_descriptor(out);
    unlock_and_call(out);
    if (has_fd) match_descriptor(out);
}

int sl_outbox_fd(struct sl_outbox *out) {
    sl_outbox_lock(out);
    int fd = out->signal.ends[0];
    sl_outbox_unlock(out);
    if (fd >= 0) return fd;
    int ends[2];
    int rv = sl_net_pair(ends);
    if (rv != 0) return rv;
    sl_outbox_lock(out);
    fd = out->signal.ends[0];
    if (fd < 0) {
        out->signal.ends[0] = fd = ends[0];
        out->signal.ends[1] = ends[1];
        ends[0] = ends[1] = -1;
    }
    sl_outbox_unlock(out);
    if (ends[0] >= 0) { /* another thread was faster */
        sl_net_close_fd(ends[0]);
        sl_net_close_fd(ends[1]);
    }
    match_descriptor(out);
    return fd;
}

/* ---- taking ---- */

static void put_event_text(struct sl_client_event *event, const char *text) {
    struct sl_text copy;
    sl_text_init(&copy, event->text, sizeof event->text);
    sl_text_put(&copy, text);
}

static void fill_op_event(struct sl_client_event *event, const struct sl_op *op) {
    event->kind = SL_EVENT_OP;
    event->op = op->id;
    event->code = op->code;
    put_event_text(event, op->text);
}

static void fill_notice_event(struct sl_outbox *out, struct sl_client_event *event,
                              const struct sl_notice *notice) {
    event->kind = notice->kind;
    event->code = notice->kind == SL_NOTICE_LOG ? notice->level : notice->code;
    event->broker = notice->broker;
    event->partition = notice->partition;
    event->time_ms = notice->time_ms;
    event->count = out->dropped;
    out->dropped = 0;
    put_event_text(event, notice->text);
}

bool sl_outbox_take_event(struct sl_outbox *out, struct sl_client_event *event,
                          struct sl_notice **garbage) {
    memset(event, 0, sizeof *event);
    event->broker = event->partition = -1;
    *garbage = NULL;
    struct sl_list *node = sl_list_pop_front(&out->ended);
    if (node != NULL) {
        fill_op_event(event, SL_LIST_OF(node, struct sl_op, node));
        return true;
    }
    if (out->room) {
        out->room = false;
        event->kind = SL_EVENT_ROOM;
        return true;
    }
    if (out->token) {
        out->token = false;
        event->kind = SL_EVENT_TOKEN;
        return true;
    }
    node = sl_list_pop_front(&out->notices);
    if (node != NULL) {
        out->notice_count--;
        *garbage = SL_LIST_OF(node, struct sl_notice, node);
        fill_notice_event(out, event, *garbage);
        return true;
    }
    if (out->state != SL_OUTBOX_CLOSED || out->closed_told) return false;
    out->closed_told = true;
    event->kind = SL_EVENT_CLOSED;
    event->code = out->close_code;
    return true;
}

const struct sl_topic_news *sl_outbox_topic(struct sl_outbox *out, const char *topic) {
    struct sl_topic_news *news = find_topic_news(out, topic);
    if (news == NULL) return NULL;
    sl_list_remove(&news->node);
    sl_list_push_front(&out->topics, &news->node);
    return news;
}

bool sl_outbox_remember_look_up(struct sl_outbox *out, struct sl_topic_news *news) {
    struct sl_topic_news *known = find_topic_news(out, news->name);
    if (known == NULL) {
        sl_list_push_front(&out->topics, &news->node);
        return true;
    }
    known->looked_up_until = news->looked_up_until;
    return false;
}

/* ---- the answer of a close ---- */

int sl_outbox_verdict(const struct sl_outbox *out, int code) {
    if (out->settings->role != SL_ROLE_PRODUCER) return code;
    if (out->settings->reports == SL_REPORTS_NONE) {
        if (out->not_written > 0) return SLUICE_ERR_NOT_WRITTEN;
        return out->maybe_written > 0 ? SLUICE_ERR_MAYBE_WRITTEN : 0;
    }
    int verdict = 0;
    SL_LIST_EACH(it, tmp, &out->deliveries) {
        for (const struct sl_delivery *d = SL_LIST_OF(it, struct sl_delivery, node); d != NULL;
             d = d->more) {
            if (d->outcome == SL_OUTCOME_NOT_WRITTEN) return SLUICE_ERR_NOT_WRITTEN;
            if (d->outcome == SL_OUTCOME_MAYBE_WRITTEN) verdict = SLUICE_ERR_MAYBE_WRITTEN;
        }
    }
    return verdict;
}
