/* Sockets of the system, as the host table wants them.
 *
 * Every socket is non-blocking and close-on-exec, and never raises SIGPIPE. TCP_NODELAY always:
 * the core gathers what belongs together. Buffers are left to the system unless a setting says
 * otherwise: one that is set is tuned no more.
 *
 * A socket is its descriptor; `sockets`, by descriptor, has whose it is and whether it is ready, and is
 * what a forked child closes. Only the thread that runs the loop calls these functions, wake
 * excepted.
 *
 * Not here: pollers (net_*.c), names (resolve.c), threads for jobs (workers.c), TLS. */
#include "driver/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/text.h"
#include "driver/errands.h"
#include "driver/gssapi.h"
#include "driver/gssapi_errand.h"
#include "driver/net_poller.h"
#include "driver/readiness.h"
#include "driver/system.h"
#include "driver/token.h"
#include "driver/workers.h"
#include "sluice/error.h"

_Static_assert(sizeof(struct sl_iov) == sizeof(struct iovec) &&
                   offsetof(struct sl_iov, data) == offsetof(struct iovec, iov_base) &&
                   offsetof(struct sl_iov, size) == offsetof(struct iovec, iov_len),
               "pieces are handed to the system as they are");

enum {
    NET_JOBS_A_WORKER = 2,   /* one that it works on, and the next */
    NET_JOB_LEAST_US = 100,  /* handing a job over and back costs some 10 us */
    NET_LISTEN_BACKLOG = 512 /* arbitrary: a test may connect hundreds at once */
};
#if defined(MSG_NOSIGNAL)
enum { NET_SEND_FLAGS = MSG_NOSIGNAL };
#else
enum { NET_SEND_FLAGS = 0 }; /* SO_NOSIGPIPE is set instead */
#endif

struct sl_net {
    const struct sl_alloc *alloc;
    const struct sl_poller_table *table;
    struct sl_poller *poller;
    struct sl_errands *errands; /* owned */
    sl_resolve_fn lookup;
    struct sl_gssapi_tickets *tickets; /* owned; NULL: nobody has asked for one */
    struct sl_workers *workers;        /* owned; NULL: none */
    int32_t worker_most;
    struct sl_readiness sockets;
};

/* ---- descriptors ---- */

static int set_descriptor_flags(int fd) {
    int status = fcntl(fd, F_GETFL);
    if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0) return SLUICE_ERR_SYSTEM;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? SLUICE_ERR_SYSTEM : 0;
}

void sl_net_close_fd(int fd) { (void)close(fd); }

int sl_net_copy_fd(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }

static int set_both_ends(int ends[2]) {
    int rv = set_descriptor_flags(ends[0]);
    if (rv == 0) rv = set_descriptor_flags(ends[1]);
    if (rv == 0) return 0;
    sl_net_close_fd(ends[0]);
    sl_net_close_fd(ends[1]);
    ends[0] = ends[1] = -1;
    return rv;
}

int sl_net_pipe(int ends[2]) {
    ends[0] = ends[1] = -1;
#if defined(__linux__)
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0 ? 0 : SLUICE_ERR_SYSTEM;
#else
    return pipe(ends) == 0 ? set_both_ends(ends) : SLUICE_ERR_SYSTEM;
#endif
}

int sl_net_pair(int ends[2]) {
    int type = SOCK_STREAM;
#if defined(SOCK_CLOEXEC)
    type |= SOCK_CLOEXEC;
#endif
    if (socketpair(AF_UNIX, type, 0, ends) != 0) return SLUICE_ERR_SYSTEM;
    return set_both_ends(ends);
}

void sl_net_wake_fd(int fd) {
    static const uint64_t one = 1;
    int saved = errno;
    ssize_t written = write(fd, &one, sizeof one);
    (void)written; /* full: it is awake already */
    errno = saved;
}

void sl_net_drain_fd(int fd) {
    uint8_t bytes[512];
    while (read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes) continue;
}

int sl_net_timeout(int64_t until) {
    if (until == SL_NEVER) return -1;
    if (until <= 0) return 0;
    int64_t left = until - sl_system_now();
    if (left <= 0) return 0;
    int64_t ms = (left + 999999) / 1000000;
    return ms > 3600000 ? 3600000 : (int)ms; /* an hour: waking up for nothing is allowed */
}

void sl_net_raise(int fd) { (void)send(fd, "", 1, NET_SEND_FLAGS); }
void sl_net_clear(int fd) { sl_net_drain_fd(fd); }

/* ---- life ---- */

static void wake_net(void *self) {
    struct sl_net *net = self;
    net->table->wake(net->poller);
}

int sl_net_create(enum sl_net_kind kind, int32_t worker_most, const struct sl_alloc *alloc,
                  struct sl_net **out) {
    struct sl_net *net = sl_alloc_zero(alloc, sizeof *net);
    if (net == NULL) return SLUICE_ERR_NOMEM;
    net->alloc = alloc;
    net->table = &sl_net_poll_table;
#if defined(__linux__)
    if (kind == SL_NET_BEST) net->table = &sl_net_epoll_table;
#elif defined(SL_NET_HAS_KQUEUE)
    if (kind == SL_NET_BEST) net->table = &sl_net_kqueue_table;
#endif
    int rv = net->table->create(alloc, &net->poller);
    if (rv != 0) goto free_net;
    int wake_fd = net->table->share_wake(net->poller);
    rv = wake_fd < 0 ? SLUICE_ERR_SYSTEM : sl_errands_create(wake_fd, &net->errands);
    if (rv != 0) goto destroy_poller;
    net->lookup = sl_resolve_look_up;
    sl_readiness_init(&net->sockets, alloc);
    net->worker_most = worker_most;
    if (worker_most > 0) rv = sl_workers_create(alloc, worker_most, wake_net, net, &net->workers);
    if (rv != 0) goto destroy_errands;
    *out = net;
    return 0;

destroy_errands:
    sl_errands_destroy(net->errands);
destroy_poller:
    net->table->destroy(net->poller);
free_net:
    sl_alloc_free(alloc, net, sizeof *net);
    return rv;
}

static void free_net_memory(struct sl_net *net) {
    sl_readiness_deinit(&net->sockets);
    sl_alloc_free(net->alloc, net, sizeof *net);
}

static void close_sockets(struct sl_net *net) {
    for (int fd = 0; (fd = sl_readiness_next(&net->sockets, fd)) >= 0; fd++) {
        sl_net_close_fd(fd);
        sl_readiness_remove(&net->sockets, fd);
    }
}

void sl_net_destroy(struct sl_net *net) {
    if (net == NULL) return;
    close_sockets(net);
    sl_workers_destroy(net->workers); /* first: they wake the poller */
    sl_errands_destroy(net->errands);
    sl_gssapi_tickets_release(net->tickets);
    net->table->destroy(net->poller);
    free_net_memory(net);
}

void sl_net_abandon(struct sl_net *net) {
    close_sockets(net);
    sl_errands_abandon(net->errands);
    net->table->abandon(net->poller);
}

void sl_net_forget(struct sl_net *net) {
    sl_workers_forget(net->workers);
    sl_errands_forget(net->errands);
    net->table->destroy(net->poller);
    free_net_memory(net);
}

bool sl_net_can_doze(const struct sl_net *net) { return net->table->doze != NULL; }
int sl_net_fd(const struct sl_net *net) { return net->table->fd(net->poller); }
void sl_net_arm(struct sl_net *net, int64_t until) { net->table->arm(net->poller, until); }
struct sl_errands *sl_net_errands(struct sl_net *net) {
    return net->errands;
}
void sl_net_replace_lookup(struct sl_net *net, sl_resolve_fn lookup) { net->lookup = lookup; }

/* ---- sockets ---- */

static int watch_socket(struct sl_net *net, int fd, uint64_t token, bool write) {
    uint64_t key;
    int rv = sl_readiness_add(&net->sockets, fd, token, write, &key);
    if (rv != 0) return rv;
    rv = net->table->add(net->poller, fd, key, write);
    if (rv != 0) sl_readiness_remove(&net->sockets, fd);
    return rv;
}

static void set_socket_option(int fd, int level, int name, int value) {
    /* An option is an improvement; a system that refuses one is no reason to fail. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

static int open_tcp_socket(int family) {
#if defined(SOCK_CLOEXEC)
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd >= 0 && set_descriptor_flags(fd) != 0) {
        sl_net_close_fd(fd);
        fd = -1;
    }
#endif
    return fd;
}

static void set_stream_options(int fd) {
    set_socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
#if defined(SO_NOSIGPIPE)
    set_socket_option(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}

static socklen_t fill_socket_address(struct sockaddr_storage *out, const struct sl_address *a) {
    memset(out, 0, sizeof *out);
    if (a->ip_size == 4) {
        struct sockaddr_in *in = (void *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(a->port);
        memcpy(&in->sin_addr, a->ip, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (void *)out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(a->port);
    in6->sin6_scope_id = a->scope;
    memcpy(&in6->sin6_addr, a->ip, 16);
    return sizeof *in6;
}

static int connect_socket(void *self, const struct sl_address *address, uint64_t token,
                          int32_t send_buffer, int32_t receive_buffer, int *out, char *text,
                          size_t cap) {
    struct sl_net *net = self;
    struct sockaddr_storage storage;
    socklen_t size = fill_socket_address(&storage, address);
    int fd = open_tcp_socket(storage.ss_family);
    if (fd < 0) {
        sl_system_put_error(text, cap, errno);
        return SLUICE_ERR_SYSTEM;
    }
    set_stream_options(fd);
    if (send_buffer > 0) set_socket_option(fd, SOL_SOCKET, SO_SNDBUF, send_buffer);
    if (receive_buffer > 0) set_socket_option(fd, SOL_SOCKET, SO_RCVBUF, receive_buffer);
    int rv = connect(fd, (const struct sockaddr *)&storage, size);
    if (rv != 0 && errno != EINPROGRESS && errno != EINTR) {
        sl_system_put_error(text, cap, errno);
        sl_net_close_fd(fd);
        return SLUICE_ERR_UNREACHABLE;
    }
    rv = watch_socket(net, fd, token, true);
    if (rv != 0) {
        sl_system_put_error(text, cap, rv == SLUICE_ERR_NOMEM ? ENOMEM : EMFILE);
        sl_net_close_fd(fd);
        return rv;
    }
    *out = fd;
    return 0;
}

static int get_connect_result(void *self, int fd, char *text, size_t cap) {
    int error = 0;
    socklen_t size = sizeof error;
    (void)self;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0) return 0;
    sl_system_put_error(text, cap, error);
    return SLUICE_ERR_UNREACHABLE;
}

static int64_t translate_io_error(int error, char *text, size_t cap) {
    if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return SL_IO_AGAIN;
    sl_system_put_error(text, cap, error);
    return SL_IO_FAILED;
}

static int64_t receive_bytes(void *self, int fd, void *buf, size_t size, char *text, size_t cap) {
    struct sl_net *net = self;
    ssize_t got = recv(fd, buf, size, 0);
    if (got >= 0 || errno != EINTR) sl_readiness_on_read(&net->sockets, fd, got, size);
    if (got > 0) return got;
    return got == 0 ? SL_IO_CLOSED : translate_io_error(errno, text, cap);
}

static int64_t send_pieces(void *self, int fd, const struct sl_iov *pieces, size_t count,
                           char *text, size_t cap) {
    struct sl_net *net = self;
    struct msghdr message;
    size_t size = 0;
    memset(&message, 0, sizeof message);
    message.msg_iov = (struct iovec *)(uintptr_t)pieces;
    message.msg_iovlen = count;
    for (size_t i = 0; i < count; i++) size += pieces[i].size;
    ssize_t sent = sendmsg(fd, &message, NET_SEND_FLAGS);
    if (sent >= 0 || errno != EINTR) sl_readiness_on_written(&net->sockets, fd, sent, size);
    return sent >= 0 ? sent : translate_io_error(errno, text, cap);
}

static void want_socket_write(void *self, int fd, bool wanted) {
    struct sl_net *net = self;
    uint64_t key;
    if (sl_readiness_want_write(&net->sockets, fd, wanted, &key))
        net->table->change(net->poller, fd, key, wanted);
}

void sl_net_unwatch(struct sl_net *net, int fd) {
    if (!sl_readiness_has(&net->sockets, fd)) return;
    sl_readiness_remove(&net->sockets, fd);
    net->table->remove(net->poller, fd);
}

static void close_socket(void *self, int fd) {
    sl_net_unwatch(self, fd);
    sl_net_close_fd(fd);
}

/* ---- servers ---- */

static int parse_listen_address(const char *text, uint16_t port, struct sl_address *out) {
    memset(out, 0, sizeof *out);
    out->port = port;
    out->ip_size = 4;
    if (inet_pton(AF_INET, text, out->ip) == 1) return 0;
    out->ip_size = 16;
    return inet_pton(AF_INET6, text, out->ip) == 1 ? 0 : SLUICE_ERR_USAGE;
}

static uint16_t peek_bound_port(int fd) {
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) return 0;
    return bound.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)(void *)&bound)->sin_port)
                                      : ntohs(((struct sockaddr_in6 *)(void *)&bound)->sin6_port);
}

static void prefer_cubic(int fd) {
#if defined(TCP_CONGESTION)
    static const char name[] = "cubic";
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof name - 1);
#else
    (void)fd;
#endif
}

int sl_net_listen(struct sl_net *net, const char *address, uint16_t *port, uint64_t token,
                  bool cubic, int *out, char *text, size_t cap) {
    struct sl_address parsed;
    struct sockaddr_storage storage;
    int rv = parse_listen_address(address, *port, &parsed);
    if (rv != 0) return rv;
    socklen_t size = fill_socket_address(&storage, &parsed);
    int fd = open_tcp_socket(storage.ss_family);
    if (fd < 0) {
        sl_system_put_error(text, cap, errno);
        return SLUICE_ERR_SYSTEM;
    }
    set_socket_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (cubic) prefer_cubic(fd);
    rv = SLUICE_ERR_SYSTEM;
    if (bind(fd, (const struct sockaddr *)&storage, size) != 0) goto close_listener;
    if (listen(fd, NET_LISTEN_BACKLOG) != 0) goto close_listener;
    *port = peek_bound_port(fd);
    rv = watch_socket(net, fd, token, false);
    if (rv != 0) goto close_listener;
    *out = fd;
    return 0;

close_listener:
    sl_system_put_error(text, cap, errno);
    sl_net_close_fd(fd);
    return rv;
}

static bool is_out_of_room(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int sl_net_accept(struct sl_net *net, int listener) {
#if defined(__linux__)
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0 && set_descriptor_flags(fd) != 0) {
        sl_net_close_fd(fd);
        fd = -1;
    }
#endif
    if (fd < 0 && is_out_of_room(errno)) return SL_NET_FULL;
    if (fd < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            sl_readiness_on_read(&net->sockets, listener, -1, 0);
        return SL_NET_NONE;
    }
    set_stream_options(fd);
    return fd;
}

int sl_net_watch(struct sl_net *net, int fd, uint64_t token) {
    return watch_socket(net, fd, token, false);
}

void sl_net_reset(struct sl_net *net, int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close_socket(net, fd);
}

/* ---- the host table ---- */

static int64_t read_net_clock(void *self) {
    (void)self;
    return sl_system_now();
}
static int64_t read_net_wall(void *self) {
    (void)self;
    return sl_system_wall_ms();
}
static int draw_net_entropy(void *self, void *buf, size_t size) {
    (void)self;
    return sl_system_entropy(buf, size);
}
static int resolve_with_net(void *self, uint64_t client, uint64_t serial, const char *host,
                            uint16_t port) {
    const struct sl_net *net = self;
    return sl_resolve_start(net->errands, net->lookup, client, serial, host, port);
}
static int start_net_gssapi(struct sl_net *net, const struct sl_host_errand *errand) {
    if (net->tickets == NULL) net->tickets = sl_gssapi_tickets_create();
    if (net->tickets == NULL) return SLUICE_ERR_NOMEM;
    return sl_gssapi_errand_start(net->errands, net->tickets, errand);
}
static int start_net_errand(void *self, const struct sl_host_errand *errand) {
    struct sl_net *net = self;
    switch (errand->kind) {
    case SL_ERRAND_TOKEN:
        return sl_token_start(net->errands, errand);
    case SL_ERRAND_GSSAPI:
        return start_net_gssapi(net, errand);
    case SL_ERRAND_NAME:
        break;
    }
    return SLUICE_ERR_UNSUPPORTED;
}
static struct sl_host_answer *take_net_answer(void *self) {
    return sl_errands_take(((struct sl_net *)self)->errands);
}
static void free_net_answer(void *self, struct sl_host_answer *answer) {
    (void)self;
    sl_errands_free(answer);
}
static int32_t count_net_jobs(void *self, int32_t *least_us) {
    *least_us = NET_JOB_LEAST_US;
    return ((struct sl_net *)self)->worker_most * NET_JOBS_A_WORKER;
}
static void start_net_job(void *self, struct sl_job *job) {
    sl_workers_start(((struct sl_net *)self)->workers, job);
}
static struct sl_job *take_net_job(void *self, uint64_t member, bool is_last) {
    return sl_workers_take(((struct sl_net *)self)->workers, member, is_last);
}
static void settle_in_net(void *self, const struct sl_ready *events, int count) {
    struct sl_net *net = self;
    for (int i = 0; i < count; i++)
        if (net->table->settle == NULL || net->table->settle(net->poller, &events[i]))
            sl_readiness_note(&net->sockets, &events[i]);
}
static int report_from_net(void *self, struct sl_ready *ready, int cap) {
    return sl_readiness_report(&((struct sl_net *)self)->sockets, ready, cap);
}
static int wait_in_net(void *self, int64_t until, struct sl_ready *ready, int cap) {
    struct sl_net *net = self;
    if (sl_readiness_any(&net->sockets)) until = 0;
    settle_in_net(net, ready, net->table->wait(net->poller, until, ready, cap));
    return report_from_net(net, ready, cap);
}
static bool has_net_ready(void *self) {
    return sl_readiness_any(&((struct sl_net *)self)->sockets);
}
static void arm_net(void *self, int64_t until) { sl_net_arm(self, until); }
static int doze_in_net(void *self, int64_t until, struct sl_ready *events, int cap) {
    const struct sl_net *net = self;
    return net->table->doze(net->poller, until, events, cap);
}

const struct sl_host_table sl_net_table = {
    .now = read_net_clock,
    .wall_ms = read_net_wall,
    .entropy = draw_net_entropy,
    .connect = connect_socket,
    .connect_result = get_connect_result,
    .recv = receive_bytes,
    .send = send_pieces,
    .want_write = want_socket_write,
    .close = close_socket,
    .resolve = resolve_with_net,
    .start_errand = start_net_errand,
    .take_answer = take_net_answer,
    .free_answer = free_net_answer,
    .jobs = count_net_jobs,
    .start_job = start_net_job,
    .take_job = take_net_job,
    .wait = wait_in_net,
    .wake = wake_net,
    .arm = arm_net,
    .has_ready = has_net_ready,
    .doze = doze_in_net,
    .settle = settle_in_net,
    .report = report_from_net,
};
