/* Name resolution: getaddrinfo as an errand, for it may hang for minutes.
 *
 * Not here: which address to try, and caching (core/brokers.c); threads (errands.c). */
#include "driver/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/text.h"
#include "sluice/error.h"

enum { RESOLVE_HOST_MAX = 256 };

struct resolve_task {
    struct sl_errands_task task;
    sl_resolve_fn lookup;
    uint16_t port;
    char host[RESOLVE_HOST_MAX];
};

/* ---- the lookup itself ---- */

static bool put_address(struct sl_host_answer *out, const struct addrinfo *info) {
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

static int ask_system(const char *host, uint16_t port, int flags, struct sl_host_answer *out) {
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

void sl_resolve_look_up(const char *host, uint16_t port, struct sl_host_answer *out) {
    int rv = ask_system(host, port, 0, out);
    if (rv == 0) return;
    struct sl_text text;
    sl_text_init(&text, out->text, sizeof out->text);
    sl_text_printf(&text, "%s", gai_strerror(rv));
    out->rv = SLUICE_ERR_UNREACHABLE;
}

/* ---- the errand ---- */

static struct resolve_task *resolve_of(struct sl_errands_task *task) {
    return (struct resolve_task *)(void *)((char *)task - offsetof(struct resolve_task, task));
}

static void run_lookup(struct sl_errands_task *task) {
    struct resolve_task *r = resolve_of(task);
    r->lookup(r->host, r->port, &task->answer);
}

static void destroy_lookup(struct sl_errands_task *task) {
    struct resolve_task *r = resolve_of(task);
    sl_alloc_free(sl_alloc_default(), r, sizeof *r);
}

int sl_resolve_start(struct sl_errands *e, sl_resolve_fn lookup, uint64_t client, uint64_t serial,
                     const char *host, uint16_t port) {
    struct resolve_task *r = sl_alloc_zero(sl_alloc_default(), sizeof *r);
    struct sl_text name;
    if (r == NULL) return SLUICE_ERR_NOMEM;
    r->task.run = run_lookup;
    r->task.destroy = destroy_lookup;
    r->task.answer.kind = SL_ERRAND_NAME;
    r->task.answer.client = client;
    r->task.answer.serial = serial;
    if (ask_system(host, port, AI_NUMERICHOST, &r->task.answer) == 0) {
        sl_errands_put(e, &r->task);
        return 0;
    }
    sl_text_init(&name, r->host, sizeof r->host);
    sl_text_put(&name, host);
    r->lookup = lookup;
    r->port = port;
    int rv = sl_errands_start(e, &r->task);
    if (rv != 0) destroy_lookup(&r->task);
    return rv;
}
