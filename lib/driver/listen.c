/* A port that is kept without being listened on.
 *
 * Hosted brokers get their ports from the range that outgoing connections are numbered from too.
 * While a node is down its port could go to any of them: then the node could not come back, and a
 * client that tries the port again and again would one day reach itself (a TCP connection whose
 * two ends are one socket). A socket that is bound and does not listen prevents both, and the
 * system still refuses connections to it.
 *
 * Not here: listening and accepting (net.c). Between the end of one and the beginning of the other
 * the port is free for an instant, because no system lets a listening port be bound twice. */
#include "driver/listen.h"

#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "driver/net.h"

#if defined(SOCK_CLOEXEC)
enum { HELD_SOCKET = SOCK_STREAM | SOCK_CLOEXEC };
#else
enum { HELD_SOCKET = SOCK_STREAM };
#endif

int sl_listen_hold(const char *address, uint16_t port) {
    struct addrinfo hints, *found;
    memset(&hints, 0, sizeof hints);
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(address, service, &hints, &found) != 0) return -1;
    int fd = socket(found->ai_family, HELD_SOCKET, 0);
    if (fd >= 0) {
        int on = 1;
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        /* Connections of the node linger in the system for a while after it went down. */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, found->ai_addr, found->ai_addrlen) != 0) {
            sl_net_close_fd(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}
