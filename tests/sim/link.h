/* Links: the connections between hosts and nodes. Each direction is a pipe of byte chunks with a
 * time of arrival; faults hold a pipe's gate shut, cut it at a byte, or swallow what enters.
 *
 * What a client sent stays under way when it closes or is reset: it reaches the broker afterwards
 * (a late delivery), unless the link was told to lose it. */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "core/core.h"
#include "sim/world.h"

struct mute;
enum link_direction { LINK_TO_BROKER = 0, LINK_TO_CLIENT };
enum link_mark { LINK_DATA = 0, LINK_FIN, LINK_RESET };
enum link_state { LINK_CONNECTING = 1, LINK_FAILED, LINK_OPEN, LINK_ORPHAN };

struct link_chunk {
    struct sl_list node;
    int64_t at;
    enum link_mark mark;
    size_t size;
    size_t done; /* bytes that were taken */
    uint8_t data[];
};
struct link_pipe {
    struct sl_list chunks;
    int64_t last_at; /* nothing arrives before what was sent earlier */
    int64_t gate;    /* nothing arrives before; WORLD_NEVER: never */
    int64_t pushed;  /* bytes that entered, ever */
    int64_t inside;  /* bytes that have not been taken */
    int64_t cut_at;  /* the byte at which it ends; -1: none */
    enum link_mark cut_mark;
    bool is_cut;   /* what enters is lost */
    bool dribbles; /* one byte at a time */
    struct world_timer timer;
};
enum { LINK_OFFERED_MAX = 16 * 1024 };
struct link {
    struct sl_list node;      /* in the world */
    struct sl_list host_node; /* in the host, while the socket is open */
    struct world *world;
    struct host *host; /* NULL: the client has closed it */
    uint64_t token;
    int32_t id; /* the socket */
    int32_t to; /* node id, or 0 */
    struct world_peer *peer;
    uint32_t broker_link; /* 0: not accepted, or closed */
    enum link_state state;
    bool announces; /* connecting has ended; connect_result was not called yet */
    bool wants_write;
    bool broker_waits; /* the broker has bytes, and there was no room */
    bool was_refused;
    struct world_timer opening;
    struct link_pipe pipes[2];
    /* What the client offered and was not taken: it must offer the same bytes again. */
    uint8_t *offered;
    size_t offered_size;
    void *tap;         /* of the observer */
    struct mute *mute; /* owned by mute.c; NULL: nothing was said yet */
};

/* ---- the client's side: as the host table says ---- */

int link_connect(struct host *h, const struct sl_address *address, uint64_t token, int *socket,
                 char *text, size_t cap);
struct link *link_find(struct host *h, int socket);
int link_connect_result(struct link *l, char *text, size_t cap);
int64_t link_recv(struct link *l, void *buf, size_t size, char *text, size_t cap);
int64_t link_send(struct link *l, const struct sl_iov *pieces, size_t count, char *text,
                  size_t cap);
void link_close(struct link *l);
/* Bits of SL_READY_*. */
uint32_t link_ready(const struct link *l);

/* ---- the broker's side ---- */

void link_on_broker_send(struct world *w, uint32_t broker_link);
void link_on_broker_close(struct world *w, uint32_t broker_link, bool abrupt);
/* What a peer says; mark LINK_FIN or LINK_RESET ends it. */
void link_say(struct link *l, const void *data, size_t size, enum link_mark mark);
void link_destroy_all(struct world *w);

/* ---- faults ---- */

/* Both ends learn that it is over; loses: so is what was under way to the broker. */
void link_break(struct link *l, bool loses);
/* The broker's end closes after what is under way, the other direction stays. */
void link_half_close(struct link *l);
/* Nothing arrives in this direction for so long; WORLD_NEVER: never again. */
void link_gate(struct link *l, enum link_direction direction, int64_t ns);
void link_dribble(struct link *l);
/* The direction ends after so many more bytes. */
void link_cut_after(struct link *l, enum link_direction direction, int64_t bytes,
                    enum link_mark mark);
/* A node can be reached again: connects that were swallowed are tried once more, as TCP does. */
void link_knock_again(struct world *w, int32_t node);
/* Opens the gates that would open some day, and ends dribbling. */
void link_heal_all(struct world *w);
/* The link of a host to a node, in order of age, from index 0; NULL past the last. host, node 0:
 * any. */
struct link *link_pick(struct world *w, int32_t host, int32_t node, int32_t index);

#endif
