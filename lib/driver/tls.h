/* TLS as a filter between whoever moves bytes (loop.c, host_ports.c) and the sockets of a host
 * table, for clients and for test brokers.
 *
 * A context (struct sl_tls) is what settings say: who is trusted, what we are, which versions. A
 * connection borrows it. All calls with a connection are made by whoever runs the loop. */
#ifndef SL_DRIVER_TLS_H
#define SL_DRIVER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/text.h"
#include "core/settings.h"
#include "driver/host_table.h"

struct sl_tls;
struct sl_tls_conn;

/* ---- contexts ---- */

/* Reads all files that the settings name, which are copied. 0; CONFIG with the property and the
 * reason in *why; NOMEM. */
int sl_tls_create(const struct sl_tls_settings *settings, bool is_server,
                  const struct sl_alloc *alloc, struct sl_text *why, struct sl_tls **out);
/* No connection is left. NULL is fine. */
void sl_tls_destroy(struct sl_tls *tls);

/* Client contexts that are shared by the settings they were made from. Calls are made under one
 * lock, the runtime's. */
struct sl_tls_shelf {
    struct sl_list list; /* struct sl_tls */
};
void sl_tls_shelf_init(struct sl_tls_shelf *shelf);
void sl_tls_shelf_deinit(struct sl_tls_shelf *shelf);
/* One more user of the context with equal settings; NULL: there is none. */
struct sl_tls *sl_tls_shelf_take(struct sl_tls_shelf *shelf,
                                 const struct sl_tls_settings *settings);
/* Takes a new context, which has one user. Those without any go. */
void sl_tls_shelf_put(struct sl_tls_shelf *shelf, struct sl_tls *tls);
/* One user less. It stays on the shelf, with its sessions, until the next put. */
void sl_tls_shelf_give(struct sl_tls *tls);

/* The settings of a context that is to be made; texts are not copied. */
void sl_tls_settings_init(struct sl_tls_settings *settings);
/* The text of settings that is at this offset of the struct. */
char *sl_tls_get_text(const struct sl_tls_settings *settings, size_t at);
void sl_tls_put_text(struct sl_tls_settings *settings, size_t at, char *text);

/* ---- connections ---- */

/* Where the bytes of a connection go. */
struct sl_tls_pipe {
    const struct sl_host_table *table;
    void *self;
    int socket;
};

/* The beginning of a connection. A client names the peer as it is known (host, port), a server
 * nobody (NULL). Files that have changed since are read again first; when they cannot be used the
 * old ones stay, and *news, empty otherwise, says why, once. 0 or NOMEM, UNREACHABLE with *why. */
int sl_tls_open(struct sl_tls *tls, const struct sl_tls_pipe *pipe, const char *host, uint16_t port,
                const struct sl_alloc *alloc, struct sl_text *news, struct sl_text *why,
                struct sl_tls_conn **out);
/* polite: what waits is sent as far as the socket takes it, then that this is the end. */
void sl_tls_close(struct sl_tls_conn *conn, bool polite);
/* The next step of the handshake: 0 when it is over, SL_IO_AGAIN while it is not, or a failure with
 * text; then sl_tls_code has the code. */
int sl_tls_handshake(struct sl_tls_conn *conn, char *text, size_t cap);
/* As recv of the host table. Fewer bytes than asked for: there are no more now. */
int64_t sl_tls_recv(struct sl_tls_conn *conn, void *buf, size_t size, char *text, size_t cap);
/* As send of the host table, but a byte counts as sent only when the record that it is in has left;
 * what was taken and has not left is skipped when it is offered again. With count 0 it only goes on
 * with what was taken; that may leave, and be told, at any later call. */
int64_t sl_tls_send(struct sl_tls_conn *conn, const struct sl_iov *pieces, size_t count, char *text,
                    size_t cap);
/* What was taken has not left yet: the socket is to be watched for writing. */
bool sl_tls_is_blocked(const struct sl_tls_conn *conn);
/* There is something for recv that the socket does not show. */
bool sl_tls_is_pending(const struct sl_tls_conn *conn);
/* Of the last failure: TLS, UNREACHABLE, NOMEM. */
int sl_tls_code(const struct sl_tls_conn *conn);
/* The handshake took up an earlier session. */
bool sl_tls_is_resumed(const struct sl_tls_conn *conn);

#endif
