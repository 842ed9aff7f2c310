/* sluice: runtimes, clients and operations: what all roles share. */
#ifndef SLUICE_CLIENT_H
#define SLUICE_CLIENT_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- runtime: who drives. NULL at open gives a client an I/O thread of its own. ---- */

/* Makes a runtime that clients share.
 * kind     SLUICE_RUNTIME_THREAD: one I/O thread, started with the first client;
 *          SLUICE_RUNTIME_DRIVEN: no thread, the application calls sluice_runtime_run.
 * memory_and_log   its allocator is used, and copied; may be NULL.
 * Returns 0 or SLUICE_ERR_NOMEM, SLUICE_ERR_SYSTEM, SLUICE_ERR_UNSUPPORTED (driven, where the
 * system has no descriptor that covers sockets and timers), SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: yours, release it.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_runtime_create(int32_t kind, const sluice_config *memory_and_log,
                                                 sluice_runtime **out);

/* The descriptor of a driven runtime: readable when anything of its clients is due, timers too.
 * Returns the descriptor, or -1 for a runtime with a thread. Do not read, write or close it.
 * Thread: any.  Blocks: no.  Owns: the runtime.  Since: 0.1 */
SLUICE_API int sluice_runtime_fd(const sluice_runtime *runtime);

/* Does what is due for all clients of a driven runtime. A call of a client that waits does so too,
 * on its own thread.
 * timeout_ms   how long to sleep for something to do first.
 * Returns 0 or SLUICE_ERR_BUSY (another thread is doing it just now: nothing is left undone),
 * SLUICE_ERR_FORKED, SLUICE_ERR_USAGE (not driven).
 * Thread: any; one at a time does it.  Blocks: up to timeout_ms.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_runtime_run(sluice_runtime *runtime, int32_t timeout_ms);

/* Lets go of a runtime; it ends with its last client.
 * runtime  may be NULL.
 * Returns nothing.
 * Thread: any.  Blocks: until its thread has ended when no client is left.
 * Owns: takes the runtime.  Since: 0.1 */
SLUICE_API void sluice_runtime_release(sluice_runtime *runtime);

/* ---- client ---- */

/* Opens a client from a list of settings. Mistakes go to the log, a line each.
 * role     SLUICE_PRODUCER, SLUICE_CONSUMER or SLUICE_ADMIN.
 * settings {"name", "value", …, NULL}, copied.
 * Returns 0 or SLUICE_ERR_CONFIG, SLUICE_ERR_NOMEM, SLUICE_ERR_SYSTEM, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no; never touches the network.  Owns: yours, free it.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_client_start(int32_t role, const char *const *settings,
                                               sluice_client **out);

/* Opens a client from a config, which is copied and stays yours.
 * runtime  NULL: an I/O thread of its own.
 * Returns 0 or SLUICE_ERR_CONFIG (sluice_config_message has every mistake), SLUICE_ERR_NOMEM,
 * SLUICE_ERR_SYSTEM, SLUICE_ERR_USAGE.
 * Thread: any, but one at a time with the same config.  Blocks: no; never touches the network.
 * Owns: yours, free it.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_client_open(sluice_config *config, int32_t role,
                                              sluice_runtime *runtime, sluice_client **out);

/* Ends a client: a producer flushes, a consumer stops, connections close. Deaf to interrupts. It
 * returns by its deadline whatever brokers, resolver or log sink do; then the handle is closed in
 * any case, and what is left of a producer's records is dropped and reported. Called again it gives
 * the same answer. Reports can be read after it; the handle still has to be freed.
 * timeout_ms   for all of it together; the I/O thread has 100 ms to answer even with less.
 * op       NULL: waits here; otherwise the ticket, which ends with SLUICE_EVENT_CLOSED.
 * Returns 0 or SLUICE_ERR_NOT_WRITTEN, SLUICE_ERR_MAYBE_WRITTEN (records whose outcome nobody has
 * read did not make it), SLUICE_ERR_TIMEOUT (a consumer could not finish), SLUICE_ERR_FORKED,
 * SLUICE_ERR_NOMEM (no op), SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: up to timeout_ms without op.  Owns: the op is yours.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_client_close(sluice_client *client, int32_t timeout_ms,
                                               sluice_op **op);

/* Frees a client; one that is not closed is closed without waiting, with a warning that says what
 * was dropped. No other call with this handle may be under way. Batches, ops and deliveries of it
 * stay valid.
 * client   may be NULL.
 * Returns nothing.
 * Thread: any.  Blocks: for the loop turn or log call under way.  Owns: takes the client.
 * Since: 0.1 */
SLUICE_API void sluice_client_free(sluice_client *client);

/* Makes waiting calls of this client return SLUICE_ERR_INTERRUPTED; when none waits, the next one
 * to wait does.
 * Returns nothing.
 * Thread: any, also in signal handlers.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API void sluice_client_interrupt(sluice_client *client);

/* A descriptor that is readable while there is something to act on: deliveries, batches, ended
 * ops, room after SLUICE_ERR_FULL; other events only with fd.events=true. Level-triggered; it
 * turns unreadable when all is taken. sluice_client_interrupt does not make it readable: it is for
 * calls that wait, and who waits here has a loop with a way of its own to be woken.
 * Returns the descriptor, or a negative code (SLUICE_ERR_SYSTEM, SLUICE_ERR_FORKED). Do not write to
 * it or close it. Who reads from it makes it unreadable until something new comes: for loops that
 * look by themselves at what they have left.
 * Thread: any.  Blocks: no.  Owns: the client.  Since: 0.1 */
SLUICE_API int sluice_client_fd(sluice_client *client);

/* Takes the next event. Reading events is never a duty: the ring drops its oldest and counts.
 * out, size  the struct to fill and sizeof it; kind 0: none.
 * Returns 0 or SLUICE_ERR_INTERRUPTED, SLUICE_ERR_CLOSED (nothing is left), SLUICE_ERR_FORKED,
 * SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: up to timeout_ms.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_client_event(sluice_client *client, int32_t timeout_ms,
                                               sluice_event *out, size_t size);

/* The latest story behind a code: which broker, topic or setting, why, and what to do.
 * client   NULL: the code's general text (for a client that never opened).
 * buf, cap where the text goes; always terminated when cap > 0.
 * Returns the length of the whole text.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int64_t sluice_client_explain(const sluice_client *client, int code, char *buf,
                                         size_t cap);

/* The readable state of a client: brokers, connections, topics, partitions, operations, counters.
 * On timeout (the I/O thread is stuck) what the mailboxes know. No secrets.
 * buf, cap where the text goes; always terminated when cap > 0.
 * Returns the length of the whole text, or a negative code (SLUICE_ERR_NOMEM, SLUICE_ERR_FORKED,
 * SLUICE_ERR_USAGE).
 * Thread: any.  Blocks: up to timeout_ms.  Owns: nothing.  Since: 0.1 */
SLUICE_API int64_t sluice_client_dump(sluice_client *client, char *buf, size_t cap,
                                      int32_t timeout_ms);

/* Probes the cluster: resolves, connects, authenticates, learns the brokers.
 * Returns 0 or SLUICE_ERR_UNREACHABLE (by the deadline; explain says who refused and how often),
 * SLUICE_ERR_AUTH (at once: no broker takes the credentials),
 * SLUICE_ERR_CLOSED, SLUICE_ERR_INTERRUPTED, SLUICE_ERR_FORKED, SLUICE_ERR_NOMEM,
 * SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: up to timeout_ms without op.  Owns: the op is yours.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_client_ready(sluice_client *client, int32_t timeout_ms,
                                               sluice_op **op);

/* How many partitions a topic has.
 * timeout_ms   0: from the cache; if it is not there PENDING is returned, and it is asked for, unless
 *          that is so already since less than default.api.timeout.ms.
 * count    filled on success.
 * Returns 0 or SLUICE_ERR_PENDING, SLUICE_ERR_TIMEOUT, SLUICE_ERR_UNREACHABLE (no broker was reached
 * by the deadline), Kafka's code of the topic (3 unknown, 17 invalid name, 29 not allowed),
 * SLUICE_ERR_CLOSED, SLUICE_ERR_INTERRUPTED, SLUICE_ERR_FORKED,
 * SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: up to timeout_ms.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_client_partitions(sluice_client *client, const char *topic,
                                                    int32_t timeout_ms, int32_t *count);

/* Changes the user and password of PLAIN and SCRAM. They count for connections from now on, and for
 * the next time that one authenticates anew; a connection whose session is another user's is closed
 * then, once what is in flight is answered.
 * user, secret   NUL-terminated, not empty, copied; the copy of the secret is wiped.
 * Returns 0 or SLUICE_ERR_USAGE (also when the client has no such mechanism), SLUICE_ERR_CLOSED,
 * SLUICE_ERR_FORKED, SLUICE_ERR_NOMEM.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_client_set_login(sluice_client *client, const char *user, const char *secret);

/* Gives the client a token for OAUTHBEARER. SLUICE_EVENT_TOKEN asks for one: when there is none, at
 * four fifths of its lifetime, when it has expired, and when a broker does not take it; that event is
 * never dropped. Where the library fetches tokens by itself (sasl.oauthbearer.token.file, …method=oidc)
 * nobody is asked, and what is given counts until the next is fetched. Without a token that is good
 * no connection is opened. It counts for connections from now on, and for the next time that one
 * authenticates anew.
 * token        NUL-terminated, of the characters that tokens have (RFC 6750), copied and wiped.
 * lifetime_ms  for how long from now it is good; -1: without end, or unknown.
 * principal    whom brokers must find in it, copied; NULL: they need not look.
 * Returns 0 or SLUICE_ERR_USAGE (also when the client has another mechanism), SLUICE_ERR_CLOSED,
 * SLUICE_ERR_FORKED, SLUICE_ERR_NOMEM.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_client_set_token(sluice_client *client, const char *token,
                                       int64_t lifetime_ms, const char *principal);

/* ---- operations ---- */

/* Waits for an operation. May be asked again; the operation's own deadline is not moved.
 * Returns the outcome, or SLUICE_ERR_PENDING (timeout_ms passed first), SLUICE_ERR_INTERRUPTED,
 * SLUICE_ERR_FORKED, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: up to timeout_ms.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_op_wait(sluice_op *op, int32_t timeout_ms);

/* The number by which sluice_event.op names this operation.
 * Returns the number; 0 for NULL.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API uint64_t sluice_op_id(const sluice_op *op);

/* Prose of the outcome: what failed, where, and what to do.
 * op       may be NULL.
 * Returns a text, "" while pending or when there is nothing to say.
 * Thread: any.  Blocks: no.  Owns: the op.  Since: 0.1 */
SLUICE_API const char *sluice_op_message(const sluice_op *op);

/* The list that an operation resulted in.
 * Returns the list, or NULL: not ended, failed, or a result of another kind.
 * Thread: any.  Blocks: no.  Owns: the op.  Since: 0.1 */
SLUICE_API const sluice_offsets *sluice_op_offsets(const sluice_op *op);

/* A table that an operation resulted in.
 * name     which, where there are several; NULL: the first.
 * Returns the table, or NULL: not ended, failed, or no table of that name.
 * Thread: any.  Blocks: no.  Owns: the op.  Since: 0.1 */
SLUICE_API const sluice_table *sluice_op_table(const sluice_op *op, const char *name);

/* Forgets an operation; what it asked for is not undone.
 * op       may be NULL.
 * Returns nothing.
 * Thread: any.  Blocks: no.  Owns: takes the op.  Since: 0.1 */
SLUICE_API void sluice_op_free(sluice_op *op);

#ifdef __cplusplus
}
#endif

#endif
