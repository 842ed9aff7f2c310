/* The poller on macOS and the BSDs: kqueue with a timer filter and a pipe for wakes; its
 * descriptor covers sockets, wakes and time.
 *
 * No doze: an event's key would be read while another thread may move it.
 *
 * A kqueue is not inherited by fork, so a child has nothing of it to close but the pipe. The timer
 * is one-shot and relative (the monotonic clock as this folder reads it). */
#include "driver/net_poller.h"

#if defined(SL_NET_HAS_KQUEUE)

#include <string.h>
#include <sys/types.h>

#include <sys/event.h>
#include <sys/time.h>

#include "driver/net.h"
#include "driver/system.h"
#include "sluice/error.h"

enum { KQUEUE_EVENTS_MAX = 128, KQUEUE_TIMER = 1 };

struct sl_kqueue_poller {
    const struct sl_alloc *alloc;
    int kqueue_fd;
    int wake[2];
    int64_t armed;
    /* kevent's udata is a pointer, which may be narrower than a key: keys lie here by fd. */
    uint64_t *keys; /* owned */
    uint32_t cap;
};

static struct sl_kqueue_poller *kqueue_of(struct sl_poller *p) { return (void *)p; }

static void change_kevent(struct sl_kqueue_poller *p, int fd, int filter, int flags) {
    struct kevent change;
    EV_SET(&change, (uintptr_t)fd, (short)filter, (unsigned short)flags, 0, 0, NULL);
    (void)kevent(p->kqueue_fd, &change, 1, NULL, 0, NULL);
}

static void close_kqueue_pipe(struct sl_kqueue_poller *p) {
    for (int i = 0; i < 2; i++) {
        if (p->wake[i] >= 0) sl_net_close_fd(p->wake[i]);
        p->wake[i] = -1;
    }
}

static void abandon_kqueue_poller(struct sl_poller *poller) {
    close_kqueue_pipe(kqueue_of(poller));
    kqueue_of(poller)->kqueue_fd = -1;
}

static void destroy_kqueue_poller(struct sl_poller *poller) {
    struct sl_kqueue_poller *p = kqueue_of(poller);
    close_kqueue_pipe(p);
    if (p->kqueue_fd >= 0) sl_net_close_fd(p->kqueue_fd);
    sl_alloc_free(p->alloc, p->keys, p->cap * sizeof *p->keys);
    sl_alloc_free(p->alloc, p, sizeof *p);
}

static int keep_kqueue_key(struct sl_kqueue_poller *p, int fd, uint64_t key) {
    if ((uint32_t)fd >= p->cap) {
        uint32_t cap = p->cap == 0 ? 64 : p->cap;
        while (cap <= (uint32_t)fd) cap *= 2;
        uint64_t *keys = sl_alloc_resize(p->alloc, p->keys, p->cap, cap, sizeof *keys);
        if (keys == NULL) return SLUICE_ERR_NOMEM;
        p->keys = keys;
        p->cap = cap;
    }
    p->keys[fd] = key;
    return 0;
}

static int add_to_kqueue(struct sl_poller *poller, int fd, uint64_t key, bool write) {
    struct sl_kqueue_poller *p = kqueue_of(poller);
    int rv = keep_kqueue_key(p, fd, key);
    if (rv != 0) return rv;
    change_kevent(p, fd, EVFILT_READ, EV_ADD);
    if (write) change_kevent(p, fd, EVFILT_WRITE, EV_ADD);
    return 0;
}

static int create_kqueue_poller(const struct sl_alloc *alloc, struct sl_poller **out) {
    struct sl_kqueue_poller *p = sl_alloc_zero(alloc, sizeof *p);
    if (p == NULL) return SLUICE_ERR_NOMEM;
    p->alloc = alloc;
    p->armed = SL_NEVER;
    p->wake[0] = p->wake[1] = -1;
    p->kqueue_fd = kqueue();
    int rv = p->kqueue_fd < 0 ? SLUICE_ERR_SYSTEM : sl_net_pipe(p->wake);
    if (rv == 0) rv = add_to_kqueue((void *)p, p->wake[0], 0, false);
    if (rv != 0) {
        destroy_kqueue_poller((void *)p);
        return rv;
    }
    *out = (void *)p;
    return 0;
}

static void change_in_kqueue(struct sl_poller *poller, int fd, uint64_t key, bool write) {
    (void)key;
    change_kevent(kqueue_of(poller), fd, EVFILT_WRITE, write ? EV_ADD : EV_DELETE);
}

/* Closing a descriptor takes its filters out; they go earlier so that no event is left behind. */
static void remove_from_kqueue(struct sl_poller *poller, int fd) {
    change_kevent(kqueue_of(poller), fd, EVFILT_READ, EV_DELETE);
    change_kevent(kqueue_of(poller), fd, EVFILT_WRITE, EV_DELETE);
}

static void arm_kqueue_timer(struct sl_poller *poller, int64_t until) {
    struct sl_kqueue_poller *p = kqueue_of(poller);
    struct kevent change;
    if (until == p->armed) return;
    p->armed = until;
    if (until == SL_NEVER) {
        EV_SET(&change, KQUEUE_TIMER, EVFILT_TIMER, EV_DELETE, 0, 0, NULL);
    } else {
        int64_t left = until - sl_system_now();
        int64_t ms = left <= 0 ? 0 : (left + 999999) / 1000000;
        EV_SET(&change, KQUEUE_TIMER, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, (intptr_t)ms, NULL);
    }
    (void)kevent(p->kqueue_fd, &change, 1, NULL, 0, NULL);
}

static bool put_kqueue_event(struct sl_kqueue_poller *p, const struct kevent *event,
                             struct sl_ready *ready) {
    if (event->filter == EVFILT_TIMER) {
        p->armed = SL_NEVER;
        return false;
    }
    if ((int)event->ident == p->wake[0]) {
        sl_net_drain_fd(p->wake[0]);
        return false;
    }
    ready->token = p->keys[event->ident];
    ready->what = event->filter == EVFILT_WRITE ? SL_READY_WRITE : SL_READY_READ;
    return true;
}

static int wait_in_kqueue(struct sl_poller *poller, int64_t until, struct sl_ready *ready,
                          int cap) {
    struct sl_kqueue_poller *p = kqueue_of(poller);
    struct kevent events[KQUEUE_EVENTS_MAX];
    static const struct timespec no_time = {0, 0};
    bool look = until <= 0;
    if (!look) arm_kqueue_timer(poller, until);
    int most = cap < KQUEUE_EVENTS_MAX ? cap : KQUEUE_EVENTS_MAX;
    int n = kevent(p->kqueue_fd, NULL, 0, events, most, look ? &no_time : NULL);
    int count = 0;
    for (int i = 0; i < n; i++) count += put_kqueue_event(p, &events[i], &ready[count]);
    return count;
}

static int peek_kqueue_fd(const struct sl_poller *poller) {
    return ((const struct sl_kqueue_poller *)(const void *)poller)->kqueue_fd;
}
static void wake_kqueue(struct sl_poller *poller) { sl_net_wake_fd(kqueue_of(poller)->wake[1]); }
static int share_kqueue_wake(const struct sl_poller *poller) {
    return sl_net_copy_fd(((const struct sl_kqueue_poller *)(const void *)poller)->wake[1]);
}

const struct sl_poller_table sl_net_kqueue_table = {
    .create = create_kqueue_poller,
    .destroy = destroy_kqueue_poller,
    .abandon = abandon_kqueue_poller,
    .add = add_to_kqueue,
    .change = change_in_kqueue,
    .remove = remove_from_kqueue,
    .wait = wait_in_kqueue,
    .arm = arm_kqueue_timer,
    .fd = peek_kqueue_fd,
    .wake = wake_kqueue,
    .share_wake = share_kqueue_wake,
};

#endif
