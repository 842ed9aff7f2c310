/* The open sockets of a member by the ids that its machine knows them by. Ids mostly rise, so
 * the table is a sorted array. */
#ifndef SL_DRIVER_SOCKETS_H
#define SL_DRIVER_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

struct sl_tls_conn;

struct sl_socket {
    uint32_t link;
    int fd;                  /* as the host table has it */
    bool connecting;         /* not connected yet */
    bool handshaking;        /* connected, and TLS is not open yet */
    struct sl_tls_conn *tls; /* owned by who put the socket in; NULL: plain */
};
struct sl_sockets {
    const struct sl_alloc *alloc;
    struct sl_socket *list; /* owned; by rising link */
    uint32_t count;
    uint32_t cap;
};

void sl_sockets_init(struct sl_sockets *s, const struct sl_alloc *alloc);
void sl_sockets_deinit(struct sl_sockets *s);
/* Makes room for one more, so that the next put cannot fail. 0 or NOMEM. */
int sl_sockets_reserve(struct sl_sockets *s);
/* link is in the table no more than once. */
void sl_sockets_put(struct sl_sockets *s, uint32_t link, int fd, bool connecting);
/* NULL: unknown. Valid until the next put or remove. */
struct sl_socket *sl_sockets_find(struct sl_sockets *s, uint32_t link);
void sl_sockets_remove(struct sl_sockets *s, uint32_t link);

#endif
