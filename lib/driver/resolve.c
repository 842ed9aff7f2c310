/* Name resolution: getaddrinfo on a detached thread per lookup, answered through a block that
 * belongs to the process.
 *
 * getaddrinfo may hang for minutes and cannot be stopped, so nothing may wait for it and it may
 * touch nothing that goes away: the block (a mailbox, the answers, a descriptor to wake with) is
 * counted by the resolver and by every lookup under way, and goes with the last. Its memory and
 * that of the answers comes from the C library, because a lookup may outlive the application's
 * allocator. The one lock it takes is the block's own.
 *
 * Not here: which address to try, and caching (core/brokers.c). */
#include "driver/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/text.h"
#include "driver/inbox.h"
#include "driver/net.h"
#include "driver/net_poller.h"
#include "driver/thread.h"
#include "sluice/error.h"

enum { RESOLVE_HOST_MAX = 256 };

struct sl_resolver {
    struct sl_mailbox mail;
    struct sl_resolved *first; /* answers, oldest first */
    struct sl_resolved **last;
    int wake_fd;
    int under_way;
    bool closed; /* the resolver's owner is gone */
    sl_resolve_fn lookup;
};
struct resolve_job {
    struct sl_resolver *resolver;
    struct sl_resolved *answer;
    uint16_t port;
    char host[RESOLVE_HOST_MAX];
};

/* ---- the lookup itself ---- */

static bool put_address(struct sl_resolved *out, const struct addrinfo *info) {
    struct sl_address *a = &out->addresses[out->count];
    memset(a, 0, sizeof *a);
    if (info->ai_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, info->ai_addr, sizeof in);
        memcpy(a->ip, &in.sin_addr, 4);
        a->ip_size = 4;
        a->port = ntohs(in.sin_port);
    } else if (info->ai_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, info->ai_addr, sizeof in);
        memcpy(a->ip, &in.sin6_addr, 16);
        a->ip_size = 16;
        a->port = ntohs(in.sin6_port);
        a->scope = in.sin6_scope_id;
    } else {
        return false;
    }
    return true;
}

static int ask_system(const char *host, uint16_t port, int flags, struct sl_resolved *out) {
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    int rv = getaddrinfo(host, service, &hints, &list);
    if (rv != 0) return rv;
    int32_t cap = (int32_t)(sizeof out->addresses / sizeof out->addresses[0]);
    for (const struct addrinfo *at = list; at != NULL && out->count < cap; at = at->ai_next)
        out->count += put_address(out, at);
    freeaddrinfo(list);
    return out->count > 0 ? 0 : EAI_NONAME;
}

static void look_up_name(const char *host, uint16_t port, struct sl_resolved *out) {
    int rv = ask_system(host, port, 0, out);
    if (rv == 0) return;
    struct sl_text text;
    sl_text_init(&text, out->text, sizeof out->text);
    sl_text_printf(&text, "%s", gai_strerror(rv));
    out->rv = SLUICE_ERR_UNREACHABLE;
}

/* ---- the block ---- */

static void free_resolver_block(struct sl_resolver *r) {
    for (struct sl_resolved *answer; (answer = sl_resolve_take(r)) != NULL;)
        sl_resolve_free(answer);
    if (r->wake_fd >= 0) sl_net_close_fd(r->wake_fd);
    sl_inbox_mail_deinit(&r->mail);
    sl_alloc_free(sl_alloc_default(), r, sizeof *r);
}

int sl_resolve_create(int wake_fd, struct sl_resolver **out) {
    struct sl_resolver *r = sl_alloc_zero(sl_alloc_default(), sizeof *r);
    int rv = r == NULL ? SLUICE_ERR_NOMEM : sl_inbox_mail_init(&r->mail);
    if (rv != 0) {
        sl_alloc_free(sl_alloc_default(), r, sizeof *r);
        sl_net_close_fd(wake_fd);
        return rv;
    }
    r->last = &r->first;
    r->wake_fd = wake_fd;
    r->lookup = look_up_name;
    *out = r;
    return 0;
}

void sl_resolve_destroy(struct sl_resolver *r) {
    if (r == NULL) return;
    sl_inbox_mail_lock(&r->mail);
    r->closed = true;
    bool last = r->under_way == 0;
    sl_inbox_mail_unlock(&r->mail);
    if (last) free_resolver_block(r);
}

void sl_resolve_abandon(struct sl_resolver *r) {
    sl_net_close_fd(r->wake_fd);
    r->wake_fd = -1;
}

void sl_resolve_forget(struct sl_resolver *r) {
    if (r->under_way == 0) free_resolver_block(r);
}

void sl_resolve_replace(struct sl_resolver *r, sl_resolve_fn fn) { r->lookup = fn; }

static void queue_answer(struct sl_resolver *r, struct sl_resolved *answer) {
    answer->next = NULL;
    *r->last = answer;
    r->last = &answer->next;
}

/* A lookup has ended; answer NULL: it never began. The block may go with it, so it is let go of
 * last, after the wake, which is a system call and not made under the lock. */
static void finish_lookup(struct sl_resolver *r, struct sl_resolved *answer) {
    sl_inbox_mail_lock(&r->mail);
    bool taken = !r->closed && answer != NULL;
    if (taken) queue_answer(r, answer);
    sl_inbox_mail_unlock(&r->mail);
    if (taken)
        sl_net_wake_fd(r->wake_fd);
    else
        sl_resolve_free(answer);
    sl_inbox_mail_lock(&r->mail);
    bool last = --r->under_way == 0 && r->closed;
    sl_inbox_mail_unlock(&r->mail);
    if (last) free_resolver_block(r);
}

static void *run_lookup(void *arg) {
    struct resolve_job *job = arg;
    struct sl_resolver *r = job->resolver;
    struct sl_resolved *answer = job->answer;
    r->lookup(job->host, job->port, answer);
    sl_alloc_free(sl_alloc_default(), job, sizeof *job);
    finish_lookup(r, answer);
    return NULL;
}

/* False: as many lookups as are allowed hang already. */
static bool begin_lookup(struct sl_resolver *r) {
    sl_inbox_mail_lock(&r->mail);
    bool free_place = r->under_way < SL_RESOLVE_MOST;
    r->under_way += free_place;
    sl_inbox_mail_unlock(&r->mail);
    return free_place;
}

static int start_lookup_thread(struct sl_resolver *r, struct sl_resolved *answer, const char *host,
                               uint16_t port) {
    struct resolve_job *job = sl_alloc_zero(sl_alloc_default(), sizeof *job);
    if (job == NULL) return SLUICE_ERR_NOMEM;
    struct sl_text name;
    pthread_t thread;
    sl_text_init(&name, job->host, sizeof job->host);
    sl_text_put(&name, host);
    job->resolver = r;
    job->answer = answer;
    job->port = port;
    int rv = begin_lookup(r) ? 0 : SLUICE_ERR_SYSTEM;
    if (rv == 0) {
        rv = sl_thread_start("sluice-dns", run_lookup, job, false, &thread);
        if (rv != 0) finish_lookup(r, NULL);
    }
    if (rv != 0) sl_alloc_free(sl_alloc_default(), job, sizeof *job);
    return rv;
}

int sl_resolve_start(struct sl_resolver *r, uint64_t client, uint64_t serial, const char *host,
                     uint16_t port) {
    struct sl_resolved *answer = sl_alloc_zero(sl_alloc_default(), sizeof *answer);
    if (answer == NULL) return SLUICE_ERR_NOMEM;
    answer->client = client;
    answer->serial = serial;
    if (ask_system(host, port, AI_NUMERICHOST, answer) == 0) {
        sl_inbox_mail_lock(&r->mail);
        queue_answer(r, answer);
        sl_inbox_mail_unlock(&r->mail);
        sl_net_wake_fd(r->wake_fd);
        return 0;
    }
    int rv = start_lookup_thread(r, answer, host, port);
    if (rv != 0) sl_resolve_free(answer);
    return rv;
}

struct sl_resolved *sl_resolve_take(struct sl_resolver *r) {
    sl_inbox_mail_lock(&r->mail);
    struct sl_resolved *answer = r->first;
    if (answer != NULL) {
        r->first = answer->next;
        if (r->first == NULL) r->last = &r->first;
    }
    sl_inbox_mail_unlock(&r->mail);
    return answer;
}

void sl_resolve_free(struct sl_resolved *answer) {
    sl_alloc_free(sl_alloc_default(), answer, sizeof *answer);
}
