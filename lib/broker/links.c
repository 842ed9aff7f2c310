/* Connections of the test broker: bytes into frames, answers into bytes.
 *
 * A link handles one request at a time and answers in order, as Kafka does. Frames lie in one
 * buffer, which grows with the bytes that came and never beyond the largest frame. What comes stays
 * there while a Fetch waits for data, an answer is held back, many answers are unsent, or the node
 * is frozen; a client that goes on sending until the buffer is full is cut off. */
#include <string.h>

#include "base/assert.h"
#include "broker/machine.h"
#include "sluice/error.h"

enum {
    LINK_ROOM = 64 * 1024,               /* the first buffer; arbitrary */
    LINK_ANSWERS = 64,                   /* unsent ones, beyond which requests wait; arbitrary */
    LINK_FRAME_BEFORE_LOGIN = 512 * 1024 /* Kafka's sasl.server.max.receive.size */
};

struct sl_answer *sl_links_answer_create(const struct sl_alloc *alloc) {
    struct sl_answer *answer = sl_alloc_zero(alloc, sizeof *answer);
    if (answer == NULL) return NULL;
    sl_writer_init(&answer->head, alloc);
    sl_arena_init(&answer->memory, alloc, 0);
    return answer;
}

void sl_links_answer_destroy(const struct sl_alloc *alloc, struct sl_answer *answer) {
    if (answer == NULL) return;
    sl_list_remove(&answer->node);
    for (size_t i = 0; i < answer->held_count; i++) sl_log_release(alloc, answer->held[i]);
    sl_alloc_free(alloc, answer->held, answer->held_cap * sizeof *answer->held);
    sl_alloc_free(alloc, answer->splices, answer->splice_cap * sizeof *answer->splices);
    sl_writer_deinit(&answer->head);
    sl_arena_deinit(&answer->memory);
    sl_alloc_free(alloc, answer, sizeof *answer);
}

void sl_links_put_answer(struct sl_machine_link *link, struct sl_answer *answer) {
    sl_list_push_back(&link->answers, &answer->node);
    link->answer_count++;
    sl_links_want_output(link);
}

struct sl_answer *sl_links_delayed(const struct sl_machine_link *link) {
    if (sl_list_is_empty(&link->answers)) return NULL;
    struct sl_answer *last = SL_LIST_OF(link->answers.prev, struct sl_answer, node);
    return last->due != 0 ? last : NULL;
}

/* ---- life ---- */

int sl_broker_on_accepted(struct sl_broker_cluster *c, int32_t node, uint32_t *out) {
    const struct sl_cluster_node *self = sl_cluster_node(&c->cluster, node);
    if (self == NULL) return SLUICE_ERR_USAGE;
    if (self->state == SL_BROKER_DOWN) return SLUICE_ERR_UNREACHABLE;
    struct sl_machine_link *link = sl_alloc_zero(c->alloc, sizeof *link);
    if (link == NULL) return SLUICE_ERR_NOMEM;
    link->c = c;
    link->id = c->last_link + 1;
    link->node_id = node;
    int rv;
    link->auth = sl_auth_open(&c->auth, &rv);
    if (rv != 0) {
        sl_alloc_free(c->alloc, link, sizeof *link);
        return rv;
    }
    if (sl_map_put(&c->by_id, &link->id, sizeof link->id, link) != 0) {
        sl_auth_close(&c->auth, link->auth);
        sl_alloc_free(c->alloc, link, sizeof *link);
        return SLUICE_ERR_NOMEM;
    }
    c->last_link++;
    sl_list_init(&link->answers);
    sl_list_push_back(&c->links, &link->node);
    *out = link->id;
    return 0;
}

static void drop_answers(struct sl_machine_link *link) {
    struct sl_broker_cluster *c = link->c;
    SL_LIST_EACH(node, next, &link->answers)
        sl_links_answer_destroy(c->alloc, SL_LIST_OF(node, struct sl_answer, node));
    link->answer_count = 0;
    if (link->waiting != NULL) sl_machine_drop(link->waiting);
}

void sl_links_destroy(struct sl_machine_link *link) {
    struct sl_broker_cluster *c = link->c;
    drop_answers(link);
    sl_list_remove(&link->node);
    sl_list_remove(&link->output);
    sl_map_remove(&c->by_id, &link->id, sizeof link->id);
    sl_alloc_free(c->alloc, link->in, link->in_cap);
    sl_auth_close(&c->auth, link->auth);
    sl_alloc_free(c->alloc, link, sizeof *link);
}

void sl_links_want_output(struct sl_machine_link *link) {
    if (!sl_list_is_linked(&link->output)) sl_list_push_back(&link->c->outputs, &link->output);
}

void sl_links_close(struct sl_machine_link *link, bool abrupt) {
    if (link->wants_close) return;
    drop_answers(link);
    link->wants_close = true;
    link->abrupt = abrupt;
    link->in_size = 0;
    sl_links_want_output(link);
}

static struct sl_machine_link *find_link(const struct sl_broker_cluster *c, uint32_t id) {
    return sl_map_get(&c->by_id, &id, sizeof id);
}

void sl_broker_on_closed(struct sl_broker_cluster *c, uint32_t id) {
    struct sl_machine_link *link = find_link(c, id);
    if (link != NULL) sl_links_destroy(link);
}

/* ---- bytes in ---- */

static bool grow_link_buffer(struct sl_machine_link *link, size_t cap) {
    struct sl_broker_cluster *c = link->c;
    if (cap <= link->in_cap) return true;
    uint8_t *grown = sl_alloc_resize(c->alloc, link->in, link->in_cap, cap, 1);
    if (grown == NULL) return false;
    link->in = grown;
    link->in_cap = cap;
    return true;
}

/* The bytes of the frame at the front, prefix included; 0: not known yet. */
static size_t front_frame(const struct sl_machine_link *link) {
    return link->in_size < SL_FRAME_PREFIX ? 0 : (size_t)sl_bytes_get32(link->in) + SL_FRAME_PREFIX;
}

/* The size that the buffer should have for more to come: it grows by doubling with what came, not
 * at once to what was claimed. 0: it may not grow any more. */
static size_t next_link_cap(const struct sl_machine_link *link, size_t need) {
    size_t most = (size_t)link->c->options.max_frame + SL_FRAME_PREFIX;
    size_t cap = link->in_cap * 2;
    if (cap == 0) return LINK_ROOM;
    if (link->in_size < link->in_cap) return link->in_cap;
    if (link->in_cap >= most) return 0;
    if (need > link->in_cap && need < cap) cap = need;
    return cap < most ? cap : most;
}

uint8_t *sl_broker_receive_room(struct sl_broker_cluster *c, uint32_t id, size_t *size) {
    struct sl_machine_link *link = find_link(c, id);
    *size = 0;
    if (link == NULL || link->wants_close) return NULL;
    size_t need = front_frame(link);
    size_t cap = next_link_cap(link, need);
    if (cap == 0) {
        sl_machine_complain(c, "over %d bytes of requests are waiting", (int)c->options.max_frame);
        sl_links_close(link, false);
        return NULL;
    }
    if (!grow_link_buffer(link, cap)) {
        sl_links_close(link, true);
        return NULL;
    }
    *size = link->in_cap - link->in_size;
    /* Not beyond the frame under way: what follows it would have to be moved to the front. */
    if (need > link->in_size && need - link->in_size < *size) *size = need - link->in_size;
    return link->in + link->in_size;
}

void sl_broker_on_filled(struct sl_broker_cluster *c, uint32_t id, size_t size) {
    struct sl_machine_link *link = find_link(c, id);
    if (link == NULL) return;
    link->in_size += size;
    SL_ASSERT(link->in_size <= link->in_cap);
    if (link->silent) link->in_size = 0;
    sl_links_process(link);
}

void sl_broker_on_received(struct sl_broker_cluster *c, uint32_t id, const void *data,
                           size_t size) {
    const uint8_t *at = data;
    while (size > 0) {
        size_t room;
        uint8_t *to = sl_broker_receive_room(c, id, &room);
        if (to == NULL) return;
        if (room > size) room = size;
        memcpy(to, at, room);
        at += room;
        size -= room;
        sl_broker_on_filled(c, id, room);
    }
}

/* Nothing is put behind an answer that leaves byte by byte. */
static bool is_dribbling(const struct sl_machine_link *link) {
    return link->answer_count > 0 &&
           SL_LIST_OF(link->answers.prev, struct sl_answer, node)->dribble != 0;
}

static bool is_at_work(struct sl_machine_link *link) {
    struct sl_cluster_node *node = sl_cluster_node(&link->c->cluster, link->node_id);
    return !link->wants_close && !link->is_leaving && link->waiting == NULL && !link->silent &&
           node->state == SL_BROKER_UP && link->answer_count < LINK_ANSWERS &&
           sl_links_delayed(link) == NULL && !is_dribbling(link) && link->muted_until == 0;
}

static bool is_logged_in(const struct sl_machine_link *link) {
    return link->auth == NULL || link->auth->state == SL_AUTH_DONE;
}

void sl_links_process(struct sl_machine_link *link) {
    struct sl_broker_cluster *c = link->c;
    size_t at = 0;
    while (is_at_work(link)) {
        if (link->in_size - at < SL_FRAME_PREFIX) break;
        size_t frame = sl_bytes_get32(link->in + at);
        size_t most = (size_t)c->options.max_frame;
        if (!is_logged_in(link) && most > LINK_FRAME_BEFORE_LOGIN) most = LINK_FRAME_BEFORE_LOGIN;
        if (frame > most) {
            sl_machine_complain(c, "a frame of %zu bytes is over the limit of %zu", frame, most);
            sl_links_close(link, false);
            return;
        }
        if (link->in_size - at - SL_FRAME_PREFIX < frame) break;
        const uint8_t *body = link->in + at + SL_FRAME_PREFIX;
        at += SL_FRAME_PREFIX + frame;
        sl_machine_request(link, body, frame);
        if (link->wants_close) return;
    }
    if (at == 0) return;
    memmove(link->in, link->in + at, link->in_size - at);
    link->in_size -= at;
}

/* ---- bytes out ---- */

size_t sl_broker_send_pieces(struct sl_broker_cluster *c, uint32_t id, struct sl_iov *pieces,
                             size_t cap) {
    struct sl_machine_link *link = find_link(c, id);
    size_t count = 0;
    if (link == NULL || link->wants_close) return 0;
    if (sl_cluster_node(&c->cluster, link->node_id)->state != SL_BROKER_UP) return 0;
    SL_LIST_EACH(node, next, &link->answers) {
        struct sl_answer *a = SL_LIST_OF(node, struct sl_answer, node);
        if (a->due > c->now) break;
        size_t skip = a->sent, head = 0, before = count;
        for (size_t s = 0; s <= a->splice_count && count < cap; s++) {
            size_t upto = s < a->splice_count ? a->splices[s].at : a->head.size;
            size_t part = upto - head;
            if (skip < part)
                pieces[count++] = (struct sl_iov){a->head.data + head + skip, part - skip};
            skip = skip > part ? skip - part : 0;
            head = upto;
            if (s == a->splice_count) break;
            for (int32_t i = 0; i < a->splices[s].piece_count && count < cap; i++) {
                const struct sl_iov *p = &a->splices[s].pieces[i];
                if (skip < p->size)
                    pieces[count++] =
                        (struct sl_iov){(const uint8_t *)p->data + skip, p->size - skip};
                skip = skip > p->size ? skip - p->size : 0;
            }
        }
        if (a->dribble != 0 && count > before) {
            pieces[before].size = 1;
            return before + 1;
        }
        if (count == cap) break;
    }
    return count;
}

void sl_broker_on_sent(struct sl_broker_cluster *c, uint32_t id, size_t size) {
    struct sl_machine_link *link = find_link(c, id);
    if (link == NULL) return;
    SL_LIST_EACH(node, next, &link->answers) {
        struct sl_answer *a = SL_LIST_OF(node, struct sl_answer, node);
        size_t part = a->size - a->sent < size ? a->size - a->sent : size;
        a->sent += part;
        size -= part;
        if (a->sent < a->size) {
            if (a->dribble != 0) a->due = c->now + a->dribble;
            break;
        }
        sl_links_answer_destroy(c->alloc, a);
        link->answer_count--;
        if (size == 0) break;
    }
    if (link->is_leaving && sl_list_is_empty(&link->answers))
        sl_links_close(link, false);
    else
        sl_links_process(link);
}
