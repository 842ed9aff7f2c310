/* The host of a test broker: runs a broker machine on real loopback ports, as a member of a
 * runtime. Calls from other threads are a bounded hand-shake with whoever runs the loop; with a
 * driven runtime the call does what is due itself. */
#ifndef SL_DRIVER_HOST_H
#define SL_DRIVER_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/text.h"
#include "broker/broker.h"

struct sl_host;
struct sluice_runtime;

struct sl_host_options {
    struct sl_broker_options broker; /* broker.nodes: how many listeners */
    struct sl_alloc alloc;           /* copied */
    struct sluice_runtime *runtime;  /* NULL: a thread of its own */
    const char *address;             /* numeric, to listen on; NULL: 127.0.0.1 */
    const uint16_t *ports;           /* of each node, 0: any; NULL: any for all */
    bool cubic; /* asks for TCP congestion control cubic, where the system lets it */
};

/* 0, NOMEM, SYSTEM (a port is taken), USAGE (nodes below 1 or above 100, a bad address). */
int sl_host_create(const struct sl_host_options *options, struct sl_host **out);
/* Ends all connections. NULL is fine. */
void sl_host_free(struct sl_host *host);
/* "127.0.0.1:port,…", as long as the host. */
const char *sl_host_bootstrap(const struct sl_host *host);
/* 0, FORKED, USAGE (NULL). */
int sl_host_check(const struct sl_host *host);
const struct sl_alloc *sl_host_alloc(const struct sl_host *host);

/* Calls fn with the machine on the thread that runs it, and returns what fn returned; waits for
 * the turn under way. BUSY: inside a callback of the loop; FORKED. fn must not wait. Node states
 * that it sets are real (listening or not) when this returns. */
typedef int (*sl_host_fn)(struct sl_broker_cluster *cluster, void *arg);
int sl_host_call(struct sl_host *host, sl_host_fn fn, void *arg);
/* sl_host_call of sl_broker_set_state, and SYSTEM when the node cannot listen again. */
int sl_host_set_state(struct sl_host *host, int32_t node, enum sl_broker_state state);
/* Sets one of TLS by the name that brokers have for it: ssl.certificate.location, .pem,
 * ssl.key.location, .pem, .password, ssl.keystore.location, .password, ssl.ca.location, .pem,
 * ssl.crl.location, ssl.cipher.suites, ssl.client.auth (none, requested, required),
 * ssl.enabled.protocols. With a certificate and its key connections are under TLS; those that exist
 * are reset. 0, CONFIG with *why, NOMEM. */
int sl_host_set_tls(struct sl_host *host, const char *name, const char *value, struct sl_text *why);
/* Waits until `count` requests of an API (-1: all) were handled. *seen may be NULL. 0, TIMEOUT. */
int sl_host_await(struct sl_host *host, int16_t api, int64_t count, int32_t timeout_ms,
                  int64_t *seen);

#endif
