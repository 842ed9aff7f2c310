/* What a poller has to do; one file each: net_epoll.c, net_kqueue.c, net_poll.c. Descriptors are
 * watched for reading always and for writing when asked. An event says what became ready, or still is: it
 * may come once only (readiness.h keeps it). */
#ifndef SL_DRIVER_NET_POLLER_H
#define SL_DRIVER_NET_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "driver/host_table.h"

struct sl_poller;

struct sl_poller_table {
    /* 0, NOMEM, SYSTEM. */
    int (*create)(const struct sl_alloc *alloc, struct sl_poller **out);
    void (*destroy)(struct sl_poller *p);
    /* Forked child: closes its descriptors, changes nothing that the parent shares. */
    void (*abandon)(struct sl_poller *p);
    /* key: what events of it say as their token; 2^32 at least. 0, NOMEM, SYSTEM. */
    int (*add)(struct sl_poller *p, int fd, uint64_t key, bool write);
    void (*change)(struct sl_poller *p, int fd, uint64_t key, bool write);
    /* Before the descriptor is closed. */
    void (*remove)(struct sl_poller *p, int fd);
    /* As wait of the host table, arming included; for each event settle is called. */
    int (*wait)(struct sl_poller *p, int64_t until, struct sl_ready *events, int cap);
    /* False: it was no socket's. NULL: wait gives none but sockets'. */
    bool (*settle)(struct sl_poller *p, const struct sl_ready *event);
    /* Without waiting: fd turns readable at that time. */
    void (*arm)(struct sl_poller *p, int64_t until);
    /* As doze of the host table; NULL: it cannot be used by another thread meanwhile. */
    int (*doze)(struct sl_poller *p, int64_t until, struct sl_ready *events, int cap);
    int (*fd)(const struct sl_poller *p); /* -1: none */
    void (*wake)(struct sl_poller *p);    /* any thread, signal-safe */
    /* A descriptor of its own that wakes it when sl_net_wake_fd is called, also after the poller
     * is gone; the caller closes it. Below 0: the system refused. */
    int (*share_wake)(const struct sl_poller *p);
};

extern const struct sl_poller_table sl_net_poll_table;
#if defined(__linux__)
extern const struct sl_poller_table sl_net_epoll_table;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)
#define SL_NET_HAS_KQUEUE 1
extern const struct sl_poller_table sl_net_kqueue_table;
#endif

/* Milliseconds for poll and its like, rounded up so that the time has passed when it returns. */
int sl_net_timeout(int64_t until);
/* Writes what wakes: eight bytes, which an eventfd wants and a pipe takes. Keeps errno. */
void sl_net_wake_fd(int fd);
/* Reads it all, eventfd or pipe. */
void sl_net_drain_fd(int fd);
/* A pipe, both ends non-blocking and close-on-exec. 0 or SYSTEM. */
int sl_net_pipe(int ends[2]);
/* A non-blocking, close-on-exec copy; below 0: refused. */
int sl_net_copy_fd(int fd);

#endif
