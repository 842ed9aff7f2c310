/* What applications are told: reports, events, stories, the descriptor. All of it lies in the
 * outbox; here it is waited for and taken.
 *
 * What was taken is freed, and the descriptor changed, after the lock. */
#include <string.h>

#include "base/ahead.h"
#include "core/delivery.h"
#include "driver/net.h"
#include "driver/shell.h"
#include "sluice/error.h"

/* ---- reports ---- */

/* There is something to take, or never will be. */
static bool has_deliveries(struct sluice_client *c, void *arg) {
    (void)arg;
    return !sl_list_is_empty(&c->outbox.deliveries) || c->outbox.state == SL_OUTBOX_CLOSED;
}

/* Room was found by the application's own reading: the event is as good as the loop's. */
static void tell_room(struct sluice_client *c) {
    sl_outbox_lock(&c->outbox);
    c->outbox.room = true;
    sl_outbox_unlock_and_tell(&c->outbox);
}

int sl_client_take_deliveries(struct sluice_client *c, int32_t timeout_ms, struct sl_list *out) {
    struct sl_shell_wait wait = {.done = has_deliveries,
                                 .deadline = sl_client_deadline(c, timeout_ms)};
    sl_list_init(out);
    sl_outbox_lock(&c->outbox);
    int rv = sl_client_await(c, &wait);
    bool none = sl_list_is_empty(&c->outbox.deliveries);
    bool closed = c->outbox.state == SL_OUTBOX_CLOSED;
    int64_t unread = c->outbox.unread;
    sl_list_splice_back(out, &c->outbox.deliveries);
    c->outbox.unread = 0;
    sl_outbox_unlock_and_signal(&c->outbox);
    bool room;
    if (sl_inbox_read(&c->inbox, unread, &room)) tell_room(c);
    if (room && sl_runtime_is_driven(c->runtime)) sl_runtime_wake(c->runtime);
    if (!none) return 0;
    if (closed) return SLUICE_ERR_CLOSED;
    return rv == SLUICE_ERR_PENDING ? 0 : rv;
}

void sl_client_give_deliveries(struct sluice_client *c, struct sl_list *deliveries) {
    size_t bytes = 0;
    SL_LIST_EACH(it, tmp, deliveries) {
        struct sl_delivery *d = SL_LIST_OF(it, struct sl_delivery, node);
        sl_ahead_all(SL_LIST_OF(tmp, struct sl_delivery, node), sizeof *d);
        if (sl_delivery_is_plain(d)) {
            bytes += sl_delivery_bytes(d);
            continue;
        }
        sl_list_remove(it);
        sl_delivery_destroy(&c->alloc, d);
    }
    if (sl_list_is_empty(deliveries)) return;
    /* In a forked child the latch may be held for good. */
    if (sl_client_check(c) == 0 && sl_inbox_spend(&c->inbox, deliveries, bytes)) return;
    sl_delivery_destroy_all(&c->alloc, deliveries);
}

/* ---- events ---- */

struct event_taking {
    struct sl_client_event *event;
    struct sl_notice *garbage;
    bool taken;
};

static bool take_next_event(struct sluice_client *c, void *arg) {
    struct event_taking *taking = arg;
    if (!taking->taken)
        taking->taken = sl_outbox_take_event(&c->outbox, taking->event, &taking->garbage);
    return taking->taken || c->outbox.state == SL_OUTBOX_CLOSED;
}

int sl_client_event(struct sluice_client *c, int32_t timeout_ms, struct sl_client_event *out) {
    struct event_taking taking = {out, NULL, false};
    struct sl_shell_wait wait = {
        .done = take_next_event, .arg = &taking, .deadline = sl_client_deadline(c, timeout_ms)};
    sl_outbox_lock(&c->outbox);
    int rv = sl_client_await(c, &wait);
    sl_outbox_unlock_and_signal(&c->outbox);
    if (taking.garbage != NULL) sl_alloc_free(&c->alloc, taking.garbage, sizeof *taking.garbage);
    if (taking.taken) {
        if (out->time_ms == 0) out->time_ms = c->host->wall_ms(c->host_self);
        return 0;
    }
    if (rv == 0) return SLUICE_ERR_CLOSED;
    return rv == SLUICE_ERR_PENDING ? 0 : rv;
}

int sl_client_fd(struct sluice_client *c) { return sl_outbox_fd(&c->outbox); }

/* ---- stories and the cache ---- */

void sl_client_remember(struct sluice_client *c, int code, const char *text) {
    sl_outbox_lock(&c->outbox);
    sl_outbox_remember(&c->outbox, code, text);
    sl_outbox_unlock(&c->outbox);
}

bool sl_client_explain(struct sluice_client *c, int code, struct sl_text *out) {
    sl_outbox_lock(&c->outbox);
    const struct sl_story *story = sl_outbox_story(&c->outbox, code);
    if (story != NULL) sl_text_put(out, story->text);
    sl_outbox_unlock(&c->outbox);
    return story != NULL;
}

int32_t sl_client_cached_partitions(struct sluice_client *c, const char *topic) {
    int32_t count = -1;
    int64_t until = 0;
    sl_outbox_lock(&c->outbox);
    const struct sl_topic_news *news = sl_outbox_topic(&c->outbox, topic);
    if (news != NULL) {
        count = news->partition_count;
        until = news->looked_up_until;
    }
    sl_outbox_unlock(&c->outbox);
    return count == 0 && until <= c->host->now(c->host_self) ? -1 : count;
}

void sl_client_remember_look_up(struct sluice_client *c, const char *topic, int64_t until) {
    size_t size = strlen(topic) + 1;
    struct sl_topic_news *news = sl_alloc_get(&c->alloc, sizeof *news + size);
    if (news == NULL) return;
    sl_list_init(&news->node);
    news->partition_count = 0;
    news->looked_up_until = until;
    memcpy(news->name, topic, size);
    sl_outbox_lock(&c->outbox);
    bool is_taken = sl_outbox_remember_look_up(&c->outbox, news);
    sl_outbox_unlock(&c->outbox);
    if (!is_taken) sl_alloc_free(&c->alloc, news, sizeof *news + size);
}
