/* The ports of a hosted test broker: its machine, listeners and connections, as the loop sees
 * them. Only host.c uses it. */
#ifndef SL_DRIVER_HOST_PORTS_H
#define SL_DRIVER_HOST_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "broker/broker.h"
#include "driver/host.h"
#include "driver/net.h"
#include "driver/runtime.h"
#include "driver/tls.h"

struct sl_host_node {
    int32_t id;
    uint16_t port; /* 0 until it listened for the first time, if any port will do */
    int listener;  /* a socket of the net; -1: does not listen */
    bool paused;   /* the listener is not watched: what is there cannot be accepted now */
    int held;      /* a descriptor that keeps the port meanwhile; -1: none */
};
/* Between init and deinit all of it belongs to the loop. */
struct sl_host_ports {
    const struct sl_alloc *alloc;
    const struct sl_member *member;    /* whose tokens they are */
    struct sl_net *net;                /* borrowed from the runtime */
    char *address;                     /* owned; numeric */
    bool cubic;                        /* of listeners, and so of their connections */
    struct sl_broker_cluster *cluster; /* owned */
    struct sl_host_node *nodes;        /* owned; [id - 1] */
    int32_t node_count;
    struct sl_map links;  /* of the connections by link */
    struct sl_list conns; /* the same, owned */
    int64_t now;          /* of the turn */
    int64_t resume_at;    /* when paused listeners are watched again; SL_NEVER: none is paused */
    bool listen_failed;   /* a node could not come up; whoever asks clears it */
    struct sl_tls *tls;   /* owned: of new connections; NULL: they are plain */
    bool unread;          /* a connection has bytes that its socket does not show */
};

/* Makes the machine; nothing is open yet. 0, NOMEM, or what entropy and sl_broker_create say. After
 * an error deinit tidies up as well. */
int sl_host_ports_init(struct sl_host_ports *p, const struct sl_host_options *options,
                       const struct sl_alloc *alloc, const struct sl_member *member,
                       struct sl_net *net);
/* No socket is open: after close, or in a forked child. */
void sl_host_ports_deinit(struct sl_host_ports *p);

/* ---- on the loop ---- */

/* All nodes listen and are advertised. 0, SYSTEM, NOMEM, USAGE. */
int sl_host_ports_open(struct sl_host_ports *p);
/* Begins a turn, of the machine too. */
void sl_host_ports_on_time(struct sl_host_ports *p, int64_t now, int64_t wall_ms);
/* When the next turn is due at the latest. */
int64_t sl_host_ports_deadline(const struct sl_host_ports *p);
void sl_host_ports_on_ready(struct sl_host_ports *p, uint32_t link, uint32_t what);
/* Of connections from now on; NULL: plain. Those that exist are reset. Takes the context. */
void sl_host_ports_set_tls(struct sl_host_ports *p, struct sl_tls *tls);
/* Lets the machine answer what is due, and carries its outputs out. */
void sl_host_ports_serve(struct sl_host_ports *p);
void sl_host_ports_close(struct sl_host_ports *p);

/* In a forked child: lets go of the ports that are held outside of the net. */
void sl_host_ports_abandon(struct sl_host_ports *p);

#endif
