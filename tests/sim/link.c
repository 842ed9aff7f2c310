/* Links between hosts and nodes; see link.h.
 *
 * A pipe is a queue of chunks. A chunk is in the pipe from the sender's write until it is taken:
 * by the broker when its time has come (the pipe's timer), by the client when it reads. The end of
 * a direction is a chunk too, so it arrives in order.
 *
 * Life: CONNECTING, then FAILED or OPEN; ORPHAN once the client has closed it, until what it sent
 * has arrived. A link is destroyed when both ends have let go of it. */
#include "sim/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/host_table.h"
#include "sim/host.h"
#include "sim/mute.h"
#include "sluice/error.h"

enum { LINK_OPEN_MAX = 400, LINK_DELIVERY = 16 * 1024 };

/* ---- pipes ---- */

static void deliver_to_broker(struct world *w, struct world_timer *t);
static void wake_client(struct world *w, struct world_timer *t);

static void init_pipe(struct link_pipe *p, enum link_direction direction) {
    sl_list_init(&p->chunks);
    p->cut_at = -1;
    p->timer.on_due = direction == LINK_TO_BROKER ? deliver_to_broker : wake_client;
}

static void deinit_pipe(struct world *w, struct link_pipe *p) {
    for (struct sl_list *node; (node = sl_list_pop_front(&p->chunks)) != NULL;)
        free(SL_LIST_OF(node, struct link_chunk, node));
    world_stop_timer(w, &p->timer);
}

static struct link_chunk *first_chunk(const struct link_pipe *p) {
    struct sl_list *node = sl_list_peek((struct sl_list *)&p->chunks);
    return node == NULL ? NULL : SL_LIST_OF(node, struct link_chunk, node);
}

static int64_t pipe_due_at(const struct link_pipe *p) {
    const struct link_chunk *chunk = first_chunk(p);
    if (chunk == NULL || p->gate == WORLD_NEVER) return WORLD_NEVER;
    return chunk->at > p->gate ? chunk->at : p->gate;
}

static void arm_pipe(struct world *w, struct link_pipe *p) {
    world_set_timer(w, &p->timer, pipe_due_at(p));
}

static int64_t draw_latency(struct world *w) {
    return sl_rng_range(&w->rng, w->weather.latency_min, w->weather.latency_max);
}

static void append_chunk(struct link *l, struct link_pipe *p, enum link_mark mark, const void *data,
                         size_t size) {
    struct world *w = l->world;
    struct link_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL) abort();
    int64_t at = w->now + draw_latency(w) + (int64_t)size * w->weather.byte_ns;
    *chunk =
        (struct link_chunk){.at = at > p->last_at ? at : p->last_at, .mark = mark, .size = size};
    if (size > 0) memcpy(chunk->data, data, size);
    p->last_at = chunk->at;
    p->pushed += (int64_t)size;
    p->inside += (int64_t)size;
    sl_list_push_back(&p->chunks, &chunk->node);
    arm_pipe(w, p);
}

/* Ends a direction behind what is in it. */
static void end_pipe(struct link *l, struct link_pipe *p, enum link_mark mark) {
    if (p->is_cut) return;
    p->is_cut = true;
    append_chunk(l, p, mark, NULL, 0);
}

static void push_bytes(struct link *l, struct link_pipe *p, const void *data, size_t size) {
    if (p->is_cut) return; /* lost */
    bool ends = p->cut_at >= 0 && p->pushed + (int64_t)size >= p->cut_at;
    if (ends) size = (size_t)(p->cut_at - p->pushed);
    if (size > 0) append_chunk(l, p, LINK_DATA, data, size);
    if (!ends) return;
    world_note(l->world, WORLD_BREAK, l->id, p->cut_mark, p->cut_at);
    end_pipe(l, p, p->cut_mark);
    /* The other side hears of a reset too, and of bytes that cannot be delivered. */
    struct link_pipe *other = &l->pipes[p == &l->pipes[0]];
    if (p->cut_mark == LINK_RESET) end_pipe(l, other, LINK_RESET);
}

static size_t pipe_room(const struct link *l, const struct link_pipe *p) {
    int64_t room = l->world->weather.window - p->inside;
    return room > 0 ? (size_t)room : 0;
}

static void drop_chunk(struct link_pipe *p, struct link_chunk *chunk) {
    sl_list_remove(&chunk->node);
    p->inside -= (int64_t)(chunk->size - chunk->done);
    free(chunk);
}

/* ---- life ---- */

static void destroy_link(struct link *l) {
    struct world *w = l->world;
    if (w->observer.on_gone != NULL) w->observer.on_gone(w->observer.user, l);
    mute_on_gone(l);
    world_stop_timer(w, &l->opening);
    deinit_pipe(w, &l->pipes[0]);
    deinit_pipe(w, &l->pipes[1]);
    sl_list_remove(&l->node);
    sl_list_remove(&l->host_node);
    free(l->offered);
    free(l);
}

void link_destroy_all(struct world *w) {
    SL_LIST_EACH(it, tmp, &w->links) {
        destroy_link(SL_LIST_OF(it, struct link, node));
    }
}

static bool is_gone(const struct link *l) {
    if (l->host != NULL || l->broker_link != 0) return false;
    return l->state != LINK_ORPHAN || first_chunk(&l->pipes[LINK_TO_BROKER]) == NULL ||
           l->pipes[LINK_TO_BROKER].gate == WORLD_NEVER;
}

/* The broker's end is over. */
static void close_broker_end(struct link *l) {
    struct world *w = l->world;
    uint32_t id = l->broker_link;
    if (id == 0) return;
    l->broker_link = 0;
    world_note(w, WORLD_CLOSED, l->id, LINK_TO_CLIENT, 0);
    world_broker_begin(w);
    sl_broker_on_closed(w->broker, id);
    world_broker_end(w);
}

/* ---- connecting ---- */

static void accept_link(struct link *l) {
    struct world *w = l->world;
    l->state = LINK_OPEN;
    l->announces = true;
    if (l->peer != NULL) return;
    world_broker_begin(w);
    int rv = sl_broker_on_accepted(w->broker, l->to, &l->broker_link);
    if (rv != 0) {
        l->broker_link = 0;
        l->state = LINK_FAILED;
    }
    world_broker_end(w);
}

static void finish_opening(struct world *w, struct world_timer *t) {
    struct link *l = SL_LIST_OF(t, struct link, opening);
    bool refuses = l->peer != NULL ? l->peer->refuses
                                   : l->to == 0 || w->states[l->to] == SL_BROKER_DOWN ||
                                         w->doors[l->to] == WORLD_DOOR_REFUSE;
    if (refuses) {
        l->state = LINK_FAILED;
        l->was_refused = l->announces = true;
    } else {
        accept_link(l);
    }
    world_note(w, WORLD_CONNECTED, l->id, l->host->id, l->state);
}

/* 10.0.0.n is node n, 10.0.1.n peer n; 10.0.9.x is nobody who answers; others refuse. */
static void find_target(struct world *w, struct link *l, const struct sl_address *a) {
    bool is_ours = a->ip_size == 4 && a->ip[0] == 10 && a->ip[1] == 0;
    if (is_ours && a->ip[2] == 0 && a->ip[3] >= 1 && a->ip[3] <= w->node_count &&
        a->port == WORLD_PORT + a->ip[3])
        l->to = a->ip[3];
    if (is_ours && a->ip[2] == 1 && a->ip[3] >= 1 && a->ip[3] <= 4)
        l->peer = w->peers[a->ip[3] - 1];
}

int link_connect(struct host *h, const struct sl_address *address, uint64_t token, int *socket,
                 char *text, size_t cap) {
    struct world *w = h->world;
    int count = 0;
    SL_LIST_EACH(it, tmp, &h->links) count++;
    if (count >= LINK_OPEN_MAX) {
        world_violate(w, "host %d has %d sockets open", h->id, count);
        snprintf(text, cap, "too many open sockets");
        return SLUICE_ERR_SYSTEM;
    }
    struct link *l = calloc(1, sizeof *l);
    if (l == NULL) abort();
    l->world = w;
    l->host = h;
    l->token = token;
    l->id = ++w->last_link;
    l->state = LINK_CONNECTING;
    l->opening.on_due = finish_opening;
    init_pipe(&l->pipes[LINK_TO_BROKER], LINK_TO_BROKER);
    init_pipe(&l->pipes[LINK_TO_CLIENT], LINK_TO_CLIENT);
    sl_list_push_back(&w->links, &l->node);
    sl_list_push_back(&h->links, &l->host_node);
    find_target(w, l, address);
    world_note(w, WORLD_CONNECT, l->id, h->id, l->to);
    *socket = l->id;
    enum world_door door = w->doors[l->to];
    bool is_hole = address->ip[2] == 9 || (l->to != 0 && door == WORLD_DOOR_HOLE);
    int64_t at = w->now + 2 * draw_latency(w);
    if (l->to != 0 && door == WORLD_DOOR_SLOW) at += sl_rng_range(&w->rng, 0, 8 * WORLD_SECOND);
    if (!is_hole) world_set_timer(w, &l->opening, at);
    return 0;
}

struct link *link_find(struct host *h, int socket) {
    SL_LIST_EACH(it, tmp, &h->links) {
        struct link *l = SL_LIST_OF(it, struct link, host_node);
        if (l->id == socket) return l;
    }
    return NULL;
}

int link_connect_result(struct link *l, char *text, size_t cap) {
    if (!l->announces) world_violate(l->world, "link %d is asked how connecting went", l->id);
    l->announces = false;
    if (l->state == LINK_OPEN) return 0;
    snprintf(text, cap, "%s", l->was_refused ? "connection refused" : "connection lost");
    return SLUICE_ERR_UNREACHABLE;
}

uint32_t link_ready(const struct link *l) {
    if (l->announces) return SL_READY_WRITE;
    if (l->state != LINK_OPEN) return 0;
    uint32_t what = 0;
    if (pipe_due_at(&l->pipes[LINK_TO_CLIENT]) <= l->world->now) {
        what |= SL_READY_READ;
        if (first_chunk(&l->pipes[LINK_TO_CLIENT])->mark == LINK_RESET) what |= SL_READY_ERROR;
    }
    if (l->wants_write && pipe_room(l, &l->pipes[LINK_TO_BROKER]) > 0) what |= SL_READY_WRITE;
    return what;
}

/* ---- the client reads and writes ---- */

static void pump_broker(struct link *l);

static size_t draw_size(struct link *l, struct link_pipe *p, size_t most) {
    struct world *w = l->world;
    if (p->dribbles) return 1;
    if (most > 1 && sl_rng_chance(&w->rng, (uint32_t)w->weather.short_percent, 100))
        return (size_t)sl_rng_range(&w->rng, 1, sl_rng_chance(&w->rng, 1, 4) ? 1 : (int64_t)most);
    return most;
}

static size_t take_arrived(struct link *l, struct link_pipe *p, uint8_t *buf, size_t size) {
    size_t taken = 0;
    while (taken < size && pipe_due_at(p) <= l->world->now) {
        struct link_chunk *chunk = first_chunk(p);
        if (chunk->mark != LINK_DATA) break;
        size_t n = chunk->size - chunk->done;
        if (n > size - taken) n = size - taken;
        memcpy(buf + taken, chunk->data + chunk->done, n);
        chunk->done += n;
        p->inside -= (int64_t)n;
        taken += n;
        if (chunk->done == chunk->size) drop_chunk(p, chunk);
    }
    return taken;
}

int64_t link_recv(struct link *l, void *buf, size_t size, char *text, size_t cap) {
    struct world *w = l->world;
    struct link_pipe *p = &l->pipes[LINK_TO_CLIENT];
    if (size == 0) world_violate(w, "link %d is read with no room", l->id);
    if (l->state != LINK_OPEN || pipe_due_at(p) > w->now) return SL_IO_AGAIN;
    enum link_mark mark = first_chunk(p)->mark;
    if (mark != LINK_DATA) {
        snprintf(text, cap, "%s", mark == LINK_FIN ? "closed by the peer" : "connection reset");
        return mark == LINK_FIN ? SL_IO_CLOSED : SL_IO_FAILED;
    }
    size_t taken = take_arrived(l, p, buf, draw_size(l, p, size));
    world_note(w, WORLD_GOT, l->id, (int64_t)taken, (int64_t)world_hash_bytes(0, buf, taken));
    if (l->peer == NULL) mute_on_heard(l, buf, taken);
    if (p->dribbles && first_chunk(p) != NULL) { /* the next byte comes a little later */
        int64_t next = w->now + WORLD_MS / 4;
        if (first_chunk(p)->at < next) first_chunk(p)->at = next;
    }
    arm_pipe(w, p);
    if (l->broker_waits) pump_broker(l);
    return (int64_t)taken;
}

/* What was offered before and not taken must be offered again, unchanged. */
static void check_offer(struct link *l, const struct sl_iov *pieces, size_t count) {
    size_t at = 0;
    for (size_t i = 0; i < count && at < l->offered_size; i++) {
        size_t n = pieces[i].size;
        if (n > l->offered_size - at) n = l->offered_size - at;
        if (memcmp(l->offered + at, pieces[i].data, n) != 0) {
            world_violate(l->world, "host %d: bytes that were being sent on link %d have changed",
                          l->host->id, l->id);
            return;
        }
        at += n;
    }
}

static void remember_offer(struct link *l, const struct sl_iov *pieces, size_t count,
                           size_t taken) {
    if (l->offered == NULL) l->offered = malloc(LINK_OFFERED_MAX);
    if (l->offered == NULL) abort();
    size_t skip = taken;
    l->offered_size = 0;
    for (size_t i = 0; i < count && l->offered_size < LINK_OFFERED_MAX; i++) {
        size_t from = skip < pieces[i].size ? skip : pieces[i].size;
        size_t n = pieces[i].size - from;
        skip -= from;
        if (n > LINK_OFFERED_MAX - l->offered_size) n = LINK_OFFERED_MAX - l->offered_size;
        memcpy(l->offered + l->offered_size, (const uint8_t *)pieces[i].data + from, n);
        l->offered_size += n;
    }
}

static uint64_t push_pieces(struct link *l, const struct sl_iov *pieces, size_t count,
                            size_t most) {
    uint64_t hash = 0;
    for (size_t i = 0; i < count && most > 0; i++) {
        size_t n = pieces[i].size < most ? pieces[i].size : most;
        if (n > 0 && l->peer == NULL) mute_on_said(l, pieces[i].data, n);
        if (n > 0) push_bytes(l, &l->pipes[LINK_TO_BROKER], pieces[i].data, n);
        hash = world_hash_bytes(hash, pieces[i].data, n);
        most -= n;
    }
    return hash;
}

int64_t link_send(struct link *l, const struct sl_iov *pieces, size_t count, char *text,
                  size_t cap) {
    struct world *w = l->world;
    struct link_pipe *in = &l->pipes[LINK_TO_CLIENT];
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += pieces[i].size;
    if (total == 0) world_violate(w, "link %d is written with no bytes", l->id);
    check_offer(l, pieces, count);
    if (l->state != LINK_OPEN) return SL_IO_AGAIN;
    if (pipe_due_at(in) <= w->now && first_chunk(in)->mark == LINK_RESET) {
        snprintf(text, cap, "connection reset");
        return SL_IO_FAILED;
    }
    size_t room = pipe_room(l, &l->pipes[LINK_TO_BROKER]);
    if (room > total) room = total;
    size_t taken = room == 0 ? 0 : draw_size(l, &l->pipes[LINK_TO_BROKER], room);
    uint64_t hash = push_pieces(l, pieces, count, taken);
    remember_offer(l, pieces, count, taken);
    if (taken == 0) return SL_IO_AGAIN;
    world_note(w, WORLD_SENT, l->id, (int64_t)taken, (int64_t)hash);
    return (int64_t)taken;
}

void link_close(struct link *l) {
    struct world *w = l->world;
    struct link_pipe *p = &l->pipes[LINK_TO_BROKER];
    world_note(w, WORLD_CLOSED, l->id, LINK_TO_BROKER, 0);
    sl_list_remove(&l->host_node);
    l->host = NULL;
    l->state = LINK_ORPHAN;
    l->announces = false;
    world_stop_timer(w, &l->opening);
    if (l->broker_link != 0) {
        end_pipe(l, p, LINK_FIN);
        /* Behind a gate that never opens the peer is never told; it finds out by itself. */
        if (p->gate == WORLD_NEVER) close_broker_end(l);
    }
    if (is_gone(l)) destroy_link(l);
}

/* ---- the broker reads and writes ---- */

static void wake_client(struct world *w, struct world_timer *t) {
    (void)w;
    (void)t; /* the host looks for itself; the timer only moves the clock */
}

static void feed(struct link *l, const void *data, size_t size) {
    struct world *w = l->world;
    world_note(w, WORLD_ARRIVED, l->id, (int64_t)size, (int64_t)world_hash_bytes(0, data, size));
    if (l->peer != NULL) {
        l->peer->on_bytes(l->peer, l, data, size);
        return;
    }
    if (l->broker_link == 0) return; /* the broker closed it meanwhile */
    if (w->observer.on_wire != NULL) w->observer.on_wire(w->observer.user, l, data, size);
    world_broker_begin(w);
    sl_broker_on_received(w->broker, l->broker_link, data, size);
    world_broker_end(w);
}

static void deliver_to_broker(struct world *w, struct world_timer *t) {
    struct link_pipe *p = SL_LIST_OF(t, struct link_pipe, timer);
    struct link *l = SL_LIST_OF(p, struct link, pipes[LINK_TO_BROKER]);
    struct link_chunk *chunk = first_chunk(p);
    if (chunk->mark != LINK_DATA) {
        drop_chunk(p, chunk);
        close_broker_end(l);
    } else {
        size_t size = chunk->size - chunk->done;
        size_t n = draw_size(l, p, size < LINK_DELIVERY ? size : LINK_DELIVERY);
        uint8_t buf[LINK_DELIVERY];
        n = take_arrived(l, p, buf, n);
        feed(l, buf, n);
        chunk = first_chunk(p);
        if (p->dribbles && chunk != NULL && chunk->at <= w->now) chunk->at = w->now + WORLD_MS / 4;
    }
    arm_pipe(w, p);
    if (is_gone(l)) destroy_link(l);
}

static struct link *find_broker_link(struct world *w, uint32_t id) {
    SL_LIST_EACH(it, tmp, &w->links) {
        struct link *l = SL_LIST_OF(it, struct link, node);
        if (l->broker_link == id) return l;
    }
    return NULL;
}

static void pump_broker(struct link *l) {
    struct world *w = l->world;
    struct link_pipe *p = &l->pipes[LINK_TO_CLIENT];
    struct sl_iov pieces[16];
    size_t count;
    l->broker_waits = false;
    while (l->broker_link != 0 &&
           (count = sl_broker_send_pieces(w->broker, l->broker_link, pieces, 16)) > 0) {
        size_t room = l->host == NULL || p->is_cut ? SIZE_MAX : pipe_room(l, p);
        size_t sent = 0;
        for (size_t i = 0; i < count && room > sent; i++) {
            size_t n = pieces[i].size < room - sent ? pieces[i].size : room - sent;
            if (l->host != NULL) push_bytes(l, p, pieces[i].data, n);
            sent += n;
        }
        if (sent == 0) {
            l->broker_waits = true;
            return;
        }
        sl_broker_on_sent(w->broker, l->broker_link, sent);
        w->broker_due = true;
    }
}

void link_on_broker_send(struct world *w, uint32_t broker_link) {
    struct link *l = find_broker_link(w, broker_link);
    if (l != NULL) pump_broker(l);
}

void link_on_broker_close(struct world *w, uint32_t broker_link, bool abrupt) {
    struct link *l = find_broker_link(w, broker_link);
    if (l == NULL) return;
    l->broker_link = 0;
    world_note(w, WORLD_CLOSED, l->id, LINK_TO_CLIENT, abrupt);
    if (l->host != NULL) end_pipe(l, &l->pipes[LINK_TO_CLIENT], abrupt ? LINK_RESET : LINK_FIN);
    /* The link itself may be in use further up; whoever is there destroys it, or the client. */
}

void link_say(struct link *l, const void *data, size_t size, enum link_mark mark) {
    struct link_pipe *p = &l->pipes[LINK_TO_CLIENT];
    if (l->host == NULL) return;
    if (size > 0) push_bytes(l, p, data, size);
    if (mark != LINK_DATA) end_pipe(l, p, mark);
}

/* ---- faults ---- */

void link_break(struct link *l, bool loses) {
    struct world *w = l->world;
    if (l->state != LINK_OPEN) return;
    world_note(w, WORLD_BREAK, l->id, loses, 0);
    end_pipe(l, &l->pipes[LINK_TO_CLIENT], LINK_RESET);
    struct link_pipe *p = &l->pipes[LINK_TO_BROKER];
    if (!loses) {
        end_pipe(l, p, LINK_FIN);
        return;
    }
    for (struct link_chunk *chunk; (chunk = first_chunk(p)) != NULL;) drop_chunk(p, chunk);
    arm_pipe(w, p);
    p->is_cut = true;
    close_broker_end(l);
}

void link_half_close(struct link *l) {
    if (l->state != LINK_OPEN) return;
    world_note(l->world, WORLD_BREAK, l->id, 2, 0);
    end_pipe(l, &l->pipes[LINK_TO_CLIENT], LINK_FIN);
}

void link_gate(struct link *l, enum link_direction direction, int64_t ns) {
    struct link_pipe *p = &l->pipes[direction];
    if (p->gate == WORLD_NEVER) return;
    world_note(l->world, WORLD_GATE, l->id, direction, ns == WORLD_NEVER ? -1 : ns / WORLD_MS);
    p->gate = ns == WORLD_NEVER ? WORLD_NEVER : l->world->now + ns;
    arm_pipe(l->world, p);
}

void link_dribble(struct link *l) { l->pipes[0].dribbles = l->pipes[1].dribbles = true; }

void link_cut_after(struct link *l, enum link_direction direction, int64_t bytes,
                    enum link_mark mark) {
    struct link_pipe *p = &l->pipes[direction];
    p->cut_at = p->pushed + bytes;
    p->cut_mark = mark;
}

void link_knock_again(struct world *w, int32_t node) {
    SL_LIST_EACH(it, tmp, &w->links) {
        struct link *l = SL_LIST_OF(it, struct link, node);
        bool is_lost = l->state == LINK_CONNECTING && l->opening.node.index == SL_HEAP_IDLE;
        if (l->to == node && node != 0 && is_lost)
            world_set_timer(w, &l->opening, w->now + sl_rng_range(&w->rng, 0, WORLD_SECOND));
    }
}

void link_heal_all(struct world *w) {
    SL_LIST_EACH(it, tmp, &w->links) {
        struct link *l = SL_LIST_OF(it, struct link, node);
        for (int i = 0; i < 2; i++) {
            struct link_pipe *p = &l->pipes[i];
            p->dribbles = false;
            p->cut_at = -1;
            if (p->gate == WORLD_NEVER) continue;
            p->gate = 0;
            arm_pipe(w, p);
        }
    }
}

struct link *link_pick(struct world *w, int32_t host, int32_t node, int32_t index) {
    SL_LIST_EACH(it, tmp, &w->links) {
        struct link *l = SL_LIST_OF(it, struct link, node);
        if (l->host == NULL || (host != 0 && l->host->id != host)) continue;
        if (node != 0 && l->to != node) continue;
        if (index-- == 0) return l;
    }
    return NULL;
}
