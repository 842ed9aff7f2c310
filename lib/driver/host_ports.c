/* Listeners and connections of a hosted test broker, and what its machine wants done with them.
 *
 * A connection is named by the machine's link, in tokens too, which is never used again: what the
 * poller says of a connection that was closed in the same turn finds nothing. Tokens of listeners
 * have the highest bit set.
 *
 * A node listens when it is up or frozen. When it is down it has neither listener nor connections,
 * and its port is held (listen.h).
 *
 * A turn takes at most 1 MiB in and out of each connection. Bytes go from the socket straight into
 * the machine's frame, and from its answers, gathered, to the socket. A socket that took less than
 * it was offered is not tried again before it is writable. A listener whose connections cannot be
 * had, because the process is out of descriptors, is left alone for a while: it stays readable, and
 * the loop would spin on it.
 *
 * With TLS a connection is the machine's from the beginning, and nothing comes of it before the
 * handshake is over; one whose handshake does not end is its client's to give up.
 *
 * Not here: who runs the loop and who asks for what (host.c), how sockets work (net.c). */
#include "driver/host_ports.h"

#include <string.h>

#include "base/assert.h"
#include "driver/listen.h"
#include "sluice/error.h"

enum {
    HOST_TURN_BYTES = 1 << 20, /* of one connection, each way */
    HOST_TURN_ACCEPTS = 64,    /* of one listener; arbitrary, so that none starves the others */
    HOST_PIECES = 64,          /* of one gathered send; more is no faster */
    HOST_PAUSE = 100000000,    /* nanoseconds; a client that is kept waiting hardly notices */
    HOST_TEXT = 320
};
#define HOST_LISTENER_BIT 0x80000000u

struct host_conn {
    struct sl_list node; /* of conns */
    uint32_t link;       /* the machine's name for it */
    int32_t node_id;
    int socket;
    bool wants_write; /* the socket took no more; what is left goes when it is writable */
    bool handshaking;
    struct sl_tls_conn *tls; /* owned; NULL: plain */
};

/* ---- connections ---- */

/* tell: the machine does not know of the end yet. */
static void drop_host_conn(struct sl_host_ports *p, struct host_conn *conn, bool abrupt,
                           bool tell) {
    if (tell) sl_broker_on_closed(p->cluster, conn->link);
    sl_tls_close(conn->tls, !abrupt);
    if (abrupt) {
        sl_net_reset(p->net, conn->socket);
    } else {
        sl_net_table.close(p->net, conn->socket);
    }
    (void)sl_map_remove(&p->links, &conn->link, sizeof conn->link);
    sl_list_remove(&conn->node);
    sl_alloc_free(p->alloc, conn, sizeof *conn);
}

static void drop_host_conns(struct sl_host_ports *p, int32_t node_id, bool abrupt) {
    SL_LIST_EACH(it, next, &p->conns) {
        struct host_conn *conn = SL_LIST_OF(it, struct host_conn, node);
        if (conn->node_id == node_id) drop_host_conn(p, conn, abrupt, true);
    }
}

static int open_host_tls(const struct sl_host_ports *p, struct host_conn *conn) {
    char buf[HOST_TEXT];
    struct sl_text news; /* nobody reads what a test broker has to say */
    if (p->tls == NULL) return 0;
    struct sl_tls_pipe pipe = {&sl_net_table, p->net, conn->socket};
    sl_text_init(&news, buf, sizeof buf);
    conn->handshaking = true;
    return sl_tls_open(p->tls, &pipe, NULL, 0, p->alloc, &news, &news, &conn->tls);
}

/* Takes the socket, which is reset when there is no memory for it. */
static void add_host_conn(struct sl_host_ports *p, const struct sl_host_node *node, int socket) {
    struct host_conn *conn = sl_alloc_zero(p->alloc, sizeof *conn);
    if (conn == NULL) goto reset;
    conn->node_id = node->id;
    conn->socket = socket;
    if (open_host_tls(p, conn) != 0) goto free_conn;
    if (sl_broker_on_accepted(p->cluster, node->id, &conn->link) != 0) goto free_conn;
    SL_ASSERT((conn->link & HOST_LISTENER_BIT) == 0);
    if (sl_map_put(&p->links, &conn->link, sizeof conn->link, conn) != 0) goto forget_link;
    if (sl_net_watch(p->net, socket, sl_runtime_token(p->member, conn->link)) != 0) {
        goto remove_link;
    }
    sl_list_push_back(&p->conns, &conn->node);
    return;

remove_link:
    (void)sl_map_remove(&p->links, &conn->link, sizeof conn->link);
forget_link:
    sl_broker_on_closed(p->cluster, conn->link);
free_conn:
    sl_tls_close(conn->tls, false);
    sl_alloc_free(p->alloc, conn, sizeof *conn);
reset:
    sl_net_reset(p->net, socket);
}

static uint64_t listener_token(const struct sl_host_ports *p, const struct sl_host_node *node) {
    return sl_runtime_token(p->member, HOST_LISTENER_BIT | (uint32_t)(node->id - 1));
}

static void pause_listener(struct sl_host_ports *p, struct sl_host_node *node) {
    sl_net_unwatch(p->net, node->listener);
    node->paused = true;
    p->resume_at = p->now + HOST_PAUSE;
}

static void resume_listeners(struct sl_host_ports *p) {
    p->resume_at = SL_NEVER;
    for (int32_t i = 0; i < p->node_count; i++) {
        struct sl_host_node *node = &p->nodes[i];
        if (!node->paused) continue;
        node->paused = sl_net_watch(p->net, node->listener, listener_token(p, node)) != 0;
        if (node->paused) p->resume_at = p->now + HOST_PAUSE;
    }
}

static void accept_host_conns(struct sl_host_ports *p, struct sl_host_node *node) {
    for (int i = 0; i < HOST_TURN_ACCEPTS && node->listener >= 0; i++) {
        int socket = sl_net_accept(p->net, node->listener);
        if (socket == SL_NET_FULL) pause_listener(p, node);
        if (socket < 0) return;
        add_host_conn(p, node, socket);
    }
}

static void want_host_write(struct sl_host_ports *p, struct host_conn *conn, bool wanted) {
    if (conn->wants_write == wanted) return;
    conn->wants_write = wanted;
    sl_net_table.want_write(p->net, conn->socket, wanted);
}

static bool is_host_blocked(const struct host_conn *conn) {
    return conn->tls != NULL && sl_tls_is_blocked(conn->tls);
}

static void note_host_unread(struct sl_host_ports *p, const struct host_conn *conn) {
    p->unread |= conn->tls != NULL && sl_tls_is_pending(conn->tls);
}

static void step_host_handshake(struct sl_host_ports *p, struct host_conn *conn) {
    char text[HOST_TEXT];
    int rv = sl_tls_handshake(conn->tls, text, sizeof text);
    if (rv != 0 && rv != SL_IO_AGAIN) {
        drop_host_conn(p, conn, false, true);
        return;
    }
    want_host_write(p, conn, is_host_blocked(conn));
    if (rv != 0) return;
    conn->handshaking = false;
    note_host_unread(p, conn);
}

static void receive_host_bytes(struct sl_host_ports *p, struct host_conn *conn) {
    char text[HOST_TEXT];
    size_t left = HOST_TURN_BYTES;
    while (left > 0) {
        size_t size;
        uint8_t *room = sl_broker_receive_room(p->cluster, conn->link, &size);
        if (room == NULL) return; /* the machine asks for its end */
        if (size > left) size = left;
        int64_t got = conn->tls != NULL
                          ? sl_tls_recv(conn->tls, room, size, text, sizeof text)
                          : sl_net_table.recv(p->net, conn->socket, room, size, text, sizeof text);
        if (got == SL_IO_AGAIN) break;
        if (got < 0) {
            drop_host_conn(p, conn, false, true);
            return;
        }
        sl_broker_on_filled(p->cluster, conn->link, (size_t)got);
        if ((size_t)got < size) break;
        left -= size;
    }
    note_host_unread(p, conn);
    if (is_host_blocked(conn)) want_host_write(p, conn, true);
}

static void send_host_bytes(struct sl_host_ports *p, struct host_conn *conn) {
    char text[HOST_TEXT];
    struct sl_iov pieces[HOST_PIECES];
    for (size_t done = 0; done < HOST_TURN_BYTES;) {
        size_t count = sl_broker_send_pieces(p->cluster, conn->link, pieces, HOST_PIECES);
        if (count == 0 && !is_host_blocked(conn)) {
            want_host_write(p, conn, false);
            return;
        }
        size_t size = 0;
        for (size_t i = 0; i < count; i++) size += pieces[i].size;
        int64_t sent = conn->tls != NULL ? sl_tls_send(conn->tls, pieces, count, text, sizeof text)
                                         : sl_net_table.send(p->net, conn->socket, pieces, count,
                                                             text, sizeof text);
        if (sent == SL_IO_AGAIN) break;
        if (sent < 0) {
            drop_host_conn(p, conn, false, true);
            return;
        }
        sl_broker_on_sent(p->cluster, conn->link, (size_t)sent);
        if ((size_t)sent < size) break; /* the socket is full: asking again would only say so */
        done += size;
    }
    want_host_write(p, conn, true);
}

/* What TLS has of connections whose sockets are quiet. */
static void receive_host_unread(struct sl_host_ports *p) {
    if (!p->unread) return;
    p->unread = false;
    SL_LIST_EACH(it, next, &p->conns) {
        struct host_conn *conn = SL_LIST_OF(it, struct host_conn, node);
        if (conn->tls != NULL && !conn->handshaking && sl_tls_is_pending(conn->tls))
            receive_host_bytes(p, conn);
    }
}

/* ---- nodes ---- */

static int start_host_node(struct sl_host_ports *p, struct sl_host_node *node) {
    if (node->listener >= 0) return 0;
    if (node->held >= 0) sl_net_close_fd(node->held);
    node->held = -1;
    char text[160];
    int rv = sl_net_listen(p->net, p->address, &node->port, listener_token(p, node), p->cubic,
                           &node->listener, text, sizeof text);
    if (rv != 0) node->listener = -1;
    return rv;
}

static void close_listener(struct sl_host_ports *p, struct sl_host_node *node) {
    sl_net_table.close(p->net, node->listener);
    node->listener = -1;
    node->paused = false;
}

/* With resets, as after a crash; they also leave nothing behind that would keep the port busy. */
static void stop_host_node(struct sl_host_ports *p, struct sl_host_node *node) {
    drop_host_conns(p, node->id, true);
    if (node->listener < 0) return;
    close_listener(p, node);
    node->held = sl_listen_hold(p->address, node->port);
}

static void change_host_node(struct sl_host_ports *p, int32_t id, enum sl_broker_state state) {
    struct sl_host_node *node = &p->nodes[id - 1];
    if (state == SL_BROKER_DOWN) {
        stop_host_node(p, node);
    } else if (start_host_node(p, node) != 0) {
        /* Its port is lost: the machine must not send clients there. */
        p->listen_failed = true;
        sl_broker_set_state(p->cluster, id, SL_BROKER_DOWN);
    }
}

/* ---- the machine ---- */

static struct host_conn *find_host_conn(const struct sl_host_ports *p, uint32_t link) {
    return sl_map_get(&p->links, &link, sizeof link);
}

void sl_host_ports_serve(struct sl_host_ports *p) {
    struct sl_broker_output out;
    sl_broker_run(p->cluster);
    while (sl_broker_next_output(p->cluster, &out)) {
        if (out.kind == SL_BROKER_STATE) {
            change_host_node(p, out.node, out.state);
            continue;
        }
        struct host_conn *conn = find_host_conn(p, out.link);
        if (conn == NULL) continue; /* closed after the machine had said this */
        if (out.kind == SL_BROKER_CLOSE) {
            drop_host_conn(p, conn, out.abrupt, false);
        } else if (!conn->wants_write && !conn->handshaking) {
            send_host_bytes(p, conn);
        }
    }
}

void sl_host_ports_on_time(struct sl_host_ports *p, int64_t now, int64_t wall_ms) {
    p->now = now;
    sl_broker_on_time(p->cluster, now, wall_ms);
    if (now >= p->resume_at) resume_listeners(p);
    receive_host_unread(p);
}

int64_t sl_host_ports_deadline(const struct sl_host_ports *p) {
    int64_t deadline = p->unread ? 0 : sl_broker_deadline(p->cluster);
    return deadline < p->resume_at ? deadline : p->resume_at;
}

void sl_host_ports_on_ready(struct sl_host_ports *p, uint32_t link, uint32_t what) {
    if ((link & HOST_LISTENER_BIT) != 0) {
        accept_host_conns(p, &p->nodes[link & ~HOST_LISTENER_BIT]);
        return;
    }
    struct host_conn *conn = find_host_conn(p, link);
    if (conn != NULL && conn->handshaking) {
        step_host_handshake(p, conn);
        return;
    }
    if (conn != NULL && (what & SL_READY_WRITE) != 0 && conn->wants_write) send_host_bytes(p, conn);
    conn = find_host_conn(p, link);
    if (conn != NULL && (what & (SL_READY_READ | SL_READY_ERROR)) != 0) {
        receive_host_bytes(p, conn);
    }
}

/* ---- life ---- */

int sl_host_ports_init(struct sl_host_ports *p, const struct sl_host_options *options,
                       const struct sl_alloc *alloc, const struct sl_member *member,
                       struct sl_net *net) {
    const char *address = options->address == NULL ? "127.0.0.1" : options->address;
    p->alloc = alloc;
    p->member = member;
    p->net = net;
    p->cubic = options->cubic;
    p->cluster = NULL;
    p->listen_failed = false;
    p->tls = NULL;
    p->unread = false;
    p->now = 0;
    p->resume_at = SL_NEVER;
    p->node_count = options->broker.nodes;
    sl_map_init(&p->links, alloc);
    sl_list_init(&p->conns);
    p->address = sl_alloc_text(alloc, address, strlen(address));
    p->nodes = sl_alloc_array(alloc, (size_t)p->node_count, sizeof *p->nodes);
    if (p->address == NULL || p->nodes == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < p->node_count; i++) {
        uint16_t port = options->ports == NULL ? 0 : options->ports[i];
        p->nodes[i] = (struct sl_host_node){.id = i + 1, .port = port, .listener = -1, .held = -1};
    }
    uint64_t seed;
    int rv = sl_net_table.entropy(net, &seed, sizeof seed);
    if (rv != 0) return rv;
    return sl_broker_create(&options->broker, alloc, seed, &p->cluster);
}

void sl_host_ports_deinit(struct sl_host_ports *p) {
    for (struct sl_list *node; (node = sl_list_pop_front(&p->conns)) != NULL;) {
        struct host_conn *conn = SL_LIST_OF(node, struct host_conn, node);
        sl_tls_close(conn->tls, false);
        sl_alloc_free(p->alloc, conn, sizeof *conn);
    }
    sl_tls_destroy(p->tls);
    sl_map_deinit(&p->links);
    if (p->cluster != NULL) sl_broker_destroy(p->cluster);
    sl_alloc_free(p->alloc, p->nodes, (size_t)p->node_count * sizeof *p->nodes);
    if (p->address != NULL) sl_alloc_free(p->alloc, p->address, strlen(p->address) + 1);
}

void sl_host_ports_set_tls(struct sl_host_ports *p, struct sl_tls *tls) {
    for (int32_t i = 0; i < p->node_count; i++) drop_host_conns(p, p->nodes[i].id, true);
    sl_tls_destroy(p->tls);
    p->tls = tls;
    p->unread = false;
}

int sl_host_ports_open(struct sl_host_ports *p) {
    for (int32_t i = 0; i < p->node_count; i++) {
        struct sl_host_node *node = &p->nodes[i];
        int rv = start_host_node(p, node);
        if (rv != 0) return rv;
        rv = sl_broker_advertise(p->cluster, node->id, p->address, node->port);
        if (rv != 0) return rv;
    }
    return 0;
}

void sl_host_ports_close(struct sl_host_ports *p) {
    for (int32_t i = 0; i < p->node_count; i++) {
        struct sl_host_node *node = &p->nodes[i];
        drop_host_conns(p, node->id, false);
        if (node->listener >= 0) close_listener(p, node);
    }
    sl_host_ports_abandon(p);
}

void sl_host_ports_abandon(struct sl_host_ports *p) {
    for (int32_t i = 0; i < p->node_count; i++) {
        if (p->nodes[i].held >= 0) sl_net_close_fd(p->nodes[i].held);
        p->nodes[i].held = -1;
    }
}
