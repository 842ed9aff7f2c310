/* The poller on Linux: epoll with an eventfd for wakes and a timerfd, so that one descriptor
 * covers sockets, wakes and time, and an application's own loop can watch it.
 *
 * Everything is edge-triggered, so that one event wakes one thread: of several in epoll_wait that is the
 * one that came last. Neither eventfd nor timerfd is ever read: each write and each expiry is an event.
 *
 * System calls are spared. The timer stays armed between waits and is set again only for an earlier time; one
 * that fires too early costs a turn in which nothing is due, and is set again then. (With a request
 * in flight and without, the time goes to and fro between its timeout and the next refresh.)
 *
 * In a forked child the epoll instance is the parent's as well: abandon closes our
 * descriptors and takes nothing out of it. */
#include "driver/net_poller.h"

#if defined(__linux__)

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "driver/net.h"
#include "driver/readiness.h"
#include "sluice/error.h"

/* Tokens that no socket has: a member's id is never 0. */
enum { EPOLL_TOKEN_WAKE = 1, EPOLL_TOKEN_TIMER = 2, EPOLL_EVENTS_MAX = 128 };

struct sl_epoll_poller {
    const struct sl_alloc *alloc;
    int epoll_fd;
    int wake_fd;
    int timer_fd;
    int64_t armed; /* when the timer expires; SL_NEVER: it is not set */
};

static struct sl_epoll_poller *epoll_of(struct sl_poller *p) { return (void *)p; }

static int watch_epoll_fd(struct sl_epoll_poller *p, int op, int fd, uint64_t token,
                          uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(p->epoll_fd, op, fd, &event) == 0 ? 0 : SLUICE_ERR_SYSTEM;
}

static void close_epoll_poller(struct sl_poller *poller) {
    struct sl_epoll_poller *p = epoll_of(poller);
    if (p->timer_fd >= 0) sl_net_close_fd(p->timer_fd);
    if (p->wake_fd >= 0) sl_net_close_fd(p->wake_fd);
    if (p->epoll_fd >= 0) sl_net_close_fd(p->epoll_fd);
    p->timer_fd = p->wake_fd = p->epoll_fd = -1;
}

static void destroy_epoll_poller(struct sl_poller *poller) {
    struct sl_epoll_poller *p = epoll_of(poller);
    close_epoll_poller(poller);
    sl_alloc_free(p->alloc, p, sizeof *p);
}

static int create_epoll_poller(const struct sl_alloc *alloc, struct sl_poller **out) {
    struct sl_epoll_poller *p = sl_alloc_zero(alloc, sizeof *p);
    if (p == NULL) return SLUICE_ERR_NOMEM;
    p->alloc = alloc;
    p->armed = SL_NEVER;
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int rv = p->epoll_fd < 0 || p->wake_fd < 0 || p->timer_fd < 0 ? SLUICE_ERR_SYSTEM : 0;
    if (rv == 0)
        rv = watch_epoll_fd(p, EPOLL_CTL_ADD, p->wake_fd, EPOLL_TOKEN_WAKE, EPOLLIN | EPOLLET);
    if (rv == 0)
        rv = watch_epoll_fd(p, EPOLL_CTL_ADD, p->timer_fd, EPOLL_TOKEN_TIMER, EPOLLIN | EPOLLET);
    if (rv != 0) {
        destroy_epoll_poller((void *)p);
        return rv;
    }
    *out = (void *)p;
    return 0;
}

static uint32_t events_for(bool write) {
    return EPOLLET | EPOLLIN | EPOLLRDHUP | (write ? (uint32_t)EPOLLOUT : 0);
}

static int add_to_epoll(struct sl_poller *poller, int fd, uint64_t key, bool write) {
    return watch_epoll_fd(epoll_of(poller), EPOLL_CTL_ADD, fd, key, events_for(write));
}

static void change_in_epoll(struct sl_poller *poller, int fd, uint64_t key, bool write) {
    (void)watch_epoll_fd(epoll_of(poller), EPOLL_CTL_MOD, fd, key, events_for(write));
}

static void remove_from_epoll(struct sl_poller *poller, int fd) {
    (void)watch_epoll_fd(epoll_of(poller), EPOLL_CTL_DEL, fd, 0, 0);
}

static void arm_epoll_timer(struct sl_poller *poller, int64_t until) {
    struct sl_epoll_poller *p = epoll_of(poller);
    if (until >= p->armed) return;
    int64_t at = until < 1 ? 1 : until;
    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000)}};
    p->armed = timerfd_settime(p->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0 ? until : SL_NEVER;
}

static void put_epoll_event(const struct epoll_event *event, struct sl_ready *out) {
    out->token = event->data.u64;
    out->what = 0;
    if ((event->events & EPOLLIN) != 0) out->what |= SL_READY_READ;
    if ((event->events & EPOLLOUT) != 0) out->what |= SL_READY_WRITE;
    if ((event->events & (EPOLLERR | EPOLLHUP)) != 0) out->what |= SL_READY_ERROR;
    if ((event->events & (EPOLLRDHUP | EPOLLHUP)) != 0) out->what |= SL_READY_ENDED;
}

/* timeout_ms as epoll_wait has it. */
static int take_epoll_events(const struct sl_epoll_poller *p, int timeout_ms, struct sl_ready *out,
                             int cap) {
    struct epoll_event events[EPOLL_EVENTS_MAX];
    int most = cap < EPOLL_EVENTS_MAX ? cap : EPOLL_EVENTS_MAX;
    int count = epoll_wait(p->epoll_fd, events, most, timeout_ms);
    for (int i = 0; i < count; i++) put_epoll_event(&events[i], &out[i]);
    return count < 0 ? 0 : count;
}

static int wait_in_epoll(struct sl_poller *poller, int64_t until, struct sl_ready *ready, int cap) {
    struct sl_epoll_poller *p = epoll_of(poller);
    /* A time that has passed only looks, and leaves the timer as it is. */
    bool look = until <= 0;
    if (!look) arm_epoll_timer(poller, until);
    return take_epoll_events(p, look ? 0 : -1, ready, cap);
}

static bool settle_epoll_event(struct sl_poller *poller, const struct sl_ready *event) {
    if (event->token == EPOLL_TOKEN_TIMER) epoll_of(poller)->armed = SL_NEVER;
    return event->token != EPOLL_TOKEN_TIMER && event->token != EPOLL_TOKEN_WAKE;
}

static int doze_in_epoll(struct sl_poller *poller, int64_t until, struct sl_ready *events,
                         int cap) {
    return take_epoll_events(epoll_of(poller), sl_net_timeout(until), events, cap);
}

static int peek_epoll_fd(const struct sl_poller *poller) {
    return ((const struct sl_epoll_poller *)(const void *)poller)->epoll_fd;
}
static void wake_epoll(struct sl_poller *poller) { sl_net_wake_fd(epoll_of(poller)->wake_fd); }
static int share_epoll_wake(const struct sl_poller *poller) {
    return sl_net_copy_fd(((const struct sl_epoll_poller *)(const void *)poller)->wake_fd);
}

const struct sl_poller_table sl_net_epoll_table = {
    .create = create_epoll_poller,
    .destroy = destroy_epoll_poller,
    .abandon = close_epoll_poller,
    .add = add_to_epoll,
    .change = change_in_epoll,
    .remove = remove_from_epoll,
    .wait = wait_in_epoll,
    .settle = settle_epoll_event,
    .arm = arm_epoll_timer,
    .doze = doze_in_epoll,
    .fd = peek_epoll_fd,
    .wake = wake_epoll,
    .share_wake = share_epoll_wake,
};

#endif
