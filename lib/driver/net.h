/* The real host: non-blocking sockets, a poller with a timer, and name resolution. */
#ifndef SL_DRIVER_NET_H
#define SL_DRIVER_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "driver/host_table.h"
#include "driver/resolve.h"

struct sl_net;
struct sl_errands;

enum sl_net_kind {
    SL_NET_BEST = 1, /* what the system has: epoll, kqueue, else poll */
    SL_NET_POLL      /* poll: no descriptor that covers timers */
};

extern const struct sl_host_table sl_net_table; /* its self is a struct sl_net */

/* worker_most: threads for jobs; 0: there are no jobs. 0, NOMEM, SYSTEM. */
int sl_net_create(enum sl_net_kind kind, int32_t worker_most, const struct sl_alloc *alloc,
                  struct sl_net **out);
void sl_net_destroy(struct sl_net *net);
/* In a forked child: closes the descriptors and nothing else. */
void sl_net_abandon(struct sl_net *net);
/* Then, when nobody was working on it in the parent: frees the memory. */
void sl_net_forget(struct sl_net *net);
/* Readable when a socket, the timer or a wake is; -1: this poller has no such thing. */
int sl_net_fd(const struct sl_net *net);
/* Whether its poller has doze of the host table. */
bool sl_net_can_doze(const struct sl_net *net);
/* Has the descriptor turn readable at that time; SL_NEVER: no time. */
void sl_net_arm(struct sl_net *net, int64_t until);
struct sl_errands *sl_net_errands(struct sl_net *net);
/* The function that looks names up, in place of the system's; for tests, before the first. */
void sl_net_replace_lookup(struct sl_net *net, sl_resolve_fn lookup);

/* ---- for hosted brokers ---- */

/* Listens on a numeric address; *port 0 becomes the port that the system chose. 0, SYSTEM with a
 * text, USAGE. */
int sl_net_listen(struct sl_net *net, const char *address, uint16_t *port, uint64_t token,
                  bool cubic, int *socket, char *text, size_t cap);
/* The next connection, not watched yet; SL_NET_NONE; or SL_NET_FULL when there is one that cannot
 * be had for want of descriptors or memory: the listener stays readable. */
enum { SL_NET_NONE = -1, SL_NET_FULL = -2 };
int sl_net_accept(struct sl_net *net, int listener);
/* Watches an accepted socket, or again one that was unwatched. 0 or NOMEM, SYSTEM. */
int sl_net_watch(struct sl_net *net, int socket, uint64_t token);
void sl_net_unwatch(struct sl_net *net, int socket);
/* Closes with a reset instead of the usual end. */
void sl_net_reset(struct sl_net *net, int socket);

/* ---- the pair of sockets behind a client's descriptor ---- */

/* 0 or SYSTEM. */
int sl_net_pair(int ends[2]);
/* Puts a byte into the other end of fd; harmless when it is full. */
void sl_net_raise(int fd);
/* Takes out all bytes. */
void sl_net_clear(int fd);
void sl_net_close_fd(int fd);

#endif
