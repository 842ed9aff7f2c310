/* The poller of last resort: poll(2) over an array, with a pipe for wakes. It has no descriptor
 * that covers sockets and timers, so only a runtime with a thread can use it.
 *
 * The array belongs to the thread that waits; nobody else may add, change or remove. */
#include <poll.h>
#include <string.h>

#include "driver/net.h"
#include "driver/net_poller.h"
#include "driver/system.h"
#include "sluice/error.h"

struct sl_poll_poller {
    const struct sl_alloc *alloc;
    int wake[2];        /* the end that is read is fds[0] */
    struct pollfd *fds; /* owned; cap of them */
    uint64_t *keys;     /* owned; by the same index */
    uint32_t count;
    uint32_t cap;
};

static struct sl_poll_poller *poll_of(struct sl_poller *p) { return (void *)p; }

static void close_poll_poller(struct sl_poller *poller) {
    struct sl_poll_poller *p = poll_of(poller);
    for (int i = 0; i < 2; i++) {
        if (p->wake[i] >= 0) sl_net_close_fd(p->wake[i]);
        p->wake[i] = -1;
    }
}

static void destroy_poll_poller(struct sl_poller *poller) {
    struct sl_poll_poller *p = poll_of(poller);
    close_poll_poller(poller);
    sl_alloc_free(p->alloc, p->fds, p->cap * sizeof *p->fds);
    sl_alloc_free(p->alloc, p->keys, p->cap * sizeof *p->keys);
    sl_alloc_free(p->alloc, p, sizeof *p);
}

static int grow_poll_arrays(struct sl_poll_poller *p) {
    uint32_t cap = p->cap == 0 ? 16 : p->cap * 2;
    struct pollfd *fds = sl_alloc_array(p->alloc, cap, sizeof *fds);
    uint64_t *keys = sl_alloc_array(p->alloc, cap, sizeof *keys);
    if (fds == NULL || keys == NULL) {
        sl_alloc_free(p->alloc, fds, cap * sizeof *fds);
        sl_alloc_free(p->alloc, keys, cap * sizeof *keys);
        return SLUICE_ERR_NOMEM;
    }
    if (p->count > 0) {
        memcpy(fds, p->fds, p->count * sizeof *fds);
        memcpy(keys, p->keys, p->count * sizeof *keys);
    }
    sl_alloc_free(p->alloc, p->fds, p->cap * sizeof *p->fds);
    sl_alloc_free(p->alloc, p->keys, p->cap * sizeof *p->keys);
    p->fds = fds;
    p->keys = keys;
    p->cap = cap;
    return 0;
}

static int add_to_poll(struct sl_poller *poller, int fd, uint64_t key, bool write) {
    struct sl_poll_poller *p = poll_of(poller);
    if (p->count == p->cap) {
        int rv = grow_poll_arrays(p);
        if (rv != 0) return rv;
    }
    p->fds[p->count] = (struct pollfd){.fd = fd, .events = write ? POLLIN | POLLOUT : POLLIN};
    p->keys[p->count++] = key;
    return 0;
}

static int create_poll_poller(const struct sl_alloc *alloc, struct sl_poller **out) {
    struct sl_poll_poller *p = sl_alloc_zero(alloc, sizeof *p);
    if (p == NULL) return SLUICE_ERR_NOMEM;
    p->alloc = alloc;
    int rv = sl_net_pipe(p->wake);
    if (rv == 0) rv = add_to_poll((void *)p, p->wake[0], 0, false);
    if (rv != 0) {
        destroy_poll_poller((void *)p);
        return rv;
    }
    *out = (void *)p;
    return 0;
}

static uint32_t find_in_poll(const struct sl_poll_poller *p, int fd) {
    uint32_t i = 0;
    while (i < p->count && p->fds[i].fd != fd) i++;
    return i;
}

static void change_in_poll(struct sl_poller *poller, int fd, uint64_t key, bool write) {
    struct sl_poll_poller *p = poll_of(poller);
    uint32_t i = find_in_poll(p, fd);
    (void)key;
    if (i < p->count) p->fds[i].events = write ? POLLIN | POLLOUT : POLLIN;
}

static void remove_from_poll(struct sl_poller *poller, int fd) {
    struct sl_poll_poller *p = poll_of(poller);
    uint32_t i = find_in_poll(p, fd);
    if (i == p->count) return;
    p->count--;
    p->fds[i] = p->fds[p->count];
    p->keys[i] = p->keys[p->count];
}

static int wait_in_poll(struct sl_poller *poller, int64_t until, struct sl_ready *ready, int cap) {
    struct sl_poll_poller *p = poll_of(poller);
    int n = poll(p->fds, p->count, sl_net_timeout(until));
    int count = 0;
    if (n <= 0) return 0;
    if (p->fds[0].revents != 0) sl_net_drain_fd(p->wake[0]);
    for (uint32_t i = 1; i < p->count && count < cap; i++) {
        short got = p->fds[i].revents;
        if (got == 0) continue;
        ready[count].token = p->keys[i];
        ready[count].what = 0;
        if ((got & POLLIN) != 0) ready[count].what |= SL_READY_READ;
        if ((got & POLLOUT) != 0) ready[count].what |= SL_READY_WRITE;
        if ((got & (POLLERR | POLLHUP | POLLNVAL)) != 0) ready[count].what |= SL_READY_ERROR;
        count++;
    }
    return count;
}

static void arm_nothing(struct sl_poller *poller, int64_t until) {
    (void)poller;
    (void)until;
}
static int peek_no_fd(const struct sl_poller *poller) {
    (void)poller;
    return -1;
}
static void wake_poll(struct sl_poller *poller) { sl_net_wake_fd(poll_of(poller)->wake[1]); }
static int share_poll_wake(const struct sl_poller *poller) {
    return sl_net_copy_fd(((const struct sl_poll_poller *)(const void *)poller)->wake[1]);
}

const struct sl_poller_table sl_net_poll_table = {
    .create = create_poll_poller,
    .destroy = destroy_poll_poller,
    .abandon = close_poll_poller,
    .add = add_to_poll,
    .change = change_in_poll,
    .remove = remove_from_poll,
    .wait = wait_in_poll,
    .arm = arm_nothing,
    .fd = peek_no_fd,
    .wake = wake_poll,
    .share_wake = share_poll_wake,
};
