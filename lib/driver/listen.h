/* Keeps the port of a hosted node that is down, so that nobody else gets it meanwhile. */
#ifndef SL_DRIVER_LISTEN_H
#define SL_DRIVER_LISTEN_H

#include <stdint.h>

/* A descriptor bound to that numeric address and port that does not listen, so connections are
 * refused; sl_net_close_fd lets go of the port. Below 0: the system refused. */
int sl_listen_hold(const char *address, uint16_t port);

#endif
