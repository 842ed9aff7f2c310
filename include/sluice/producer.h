/* sluice: producing records.
 *
 * Every accepted record has exactly one outcome: written, not written, or maybe written. With
 * delivery.reports=all each is reported, a report a batch with the records' tags; with failed only
 * what was not written; with none (the default) flush and close say whether all went well. */
#ifndef SLUICE_PRODUCER_H
#define SLUICE_PRODUCER_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Queues one record for sending; key and value are copied, the tag is 0. Records of one thread to
 * one partition keep their order.
 * topic    copied.
 * key      key_size bytes; NULL: none. A key chooses the partition (murmur2, as Java).
 * value    value_size bytes; NULL with 0: empty (a tombstone needs sluice_producer_send_record).
 * timeout_ms   for room in buffer.memory.
 * Returns 0 or SLUICE_ERR_FULL (no room by then), SLUICE_ERR_UNREAD (room is held by reports that
 * wait to be read), SLUICE_ERR_TOO_BIG, SLUICE_ERR_NOMEM, SLUICE_ERR_CLOSED,
 * SLUICE_ERR_INTERRUPTED, SLUICE_ERR_FORKED, SLUICE_ERR_USAGE; then the record was not accepted.
 * Thread: any.  Blocks: up to timeout_ms.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_producer_send(sluice_client *producer, const char *topic,
                                                const void *key, size_t key_size, const void *value,
                                                size_t value_size, int32_t timeout_ms);

/* Queues one record with headers, partition, timestamp, tag, or as a tombstone (KIP-82, KIP-32).
 * record, size   copied with all it points to, and sizeof it.
 * timeout_ms   for room in buffer.memory.
 * Returns as sluice_producer_send; SLUICE_ERR_USAGE too for a field without its `set` bit, or a
 * header without a name.
 * Thread: any.  Blocks: up to timeout_ms.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_producer_send_record(sluice_client *producer,
                                                       const sluice_record *record, size_t size,
                                                       int32_t timeout_ms);

/* Queues one record and sends its value from where it lies, without a copy: for values of many
 * kilobytes. The value's memory must stay as it is until its report is read (by
 * sluice_deliveries_next), or sluice_client_free has returned. All else is copied, and so are small
 * values and those that are compressed; the rule is the same for them.
 * A record that has its outcome while its bytes are still on their way out is reported when they
 * are not needed any more; flush does not wait for that.
 * record, size   as sluice_producer_send_record.
 * timeout_ms   for room in buffer.memory: the value counts as if it were copied.
 * Returns as sluice_producer_send_record; SLUICE_ERR_USAGE too unless delivery.reports=all. After
 * an error the memory is yours at once.
 * Thread: any.  Blocks: up to timeout_ms.  Owns: borrows record->value.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_producer_send_borrowed(sluice_client *producer,
                                                         const sluice_record *record, size_t size,
                                                         int32_t timeout_ms);

/* Queues many records of one topic in one call.
 * packed, size   copied, and sizeof it.
 * next     where to begin; moved past what was accepted, error or not. Call again to go on.
 * timeout_ms   for room in buffer.memory, for the whole call.
 * Returns 0 (all accepted) or as sluice_producer_send; the code is about record *next.
 * Thread: any.  Blocks: up to timeout_ms.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_producer_send_packed(sluice_client *producer,
                                                       const sluice_packed *packed, size_t size,
                                                       int32_t *next, int32_t timeout_ms);

/* Sends one record without linger and waits for its outcome. No report follows, unless the wait
 * ended too early, by its time or by sluice_client_interrupt (SLUICE_ERR_TIMEOUT).
 * record, size   as sluice_producer_send_record.
 * timeout_ms   for room and outcome together.
 * out, out_size  the outcome and sizeof it; out may be NULL. out->tags and text are
 *          NULL; sluice_client_explain has the text.
 * Returns 0 (written) or SLUICE_ERR_NOT_WRITTEN, SLUICE_ERR_MAYBE_WRITTEN (do not just send it
 * again; out->code says why), SLUICE_ERR_TIMEOUT (accepted and undecided: its report follows), or as
 * sluice_producer_send (not accepted).
 * Thread: any.  Blocks: up to timeout_ms.  Owns: out->topic lives as long as the client.
 * Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_producer_write(sluice_client *producer,
                                                 const sluice_record *record, size_t size,
                                                 int32_t timeout_ms, sluice_delivery *out,
                                                 size_t out_size);

/* Sends all that is queued without linger and waits for the outcomes. Never waits for reports to
 * be read.
 * timeout_ms   for the outcomes; records that have none by then go on. 0 only ends linger.
 * op       NULL: waits here; otherwise the ticket.
 * Returns 0 (every record since the client's last flush is written) or SLUICE_ERR_NOT_WRITTEN,
 * SLUICE_ERR_MAYBE_WRITTEN (some record since then did not make it), SLUICE_ERR_TIMEOUT,
 * SLUICE_ERR_CLOSED, SLUICE_ERR_INTERRUPTED, SLUICE_ERR_FORKED, SLUICE_ERR_NOMEM,
 * SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: up to timeout_ms without op.  Owns: the op is yours.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_producer_flush(sluice_client *producer, int32_t timeout_ms,
                                                 sluice_op **op);

/* Drops what was never sent: those records become NOT_WRITTEN. What is in flight goes on.
 * Returns 0 or SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED, SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_producer_discard(sluice_client *producer);

/* How many records were accepted, and what became of them, since the client was opened.
 * out, size  the struct to fill and sizeof it.
 * Returns 0 or SLUICE_ERR_FORKED, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_producer_counts(sluice_client *producer, sluice_counts *out, size_t size);

/* The partition that the Java client's default partitioner gives a key (murmur2).
 * key      key_size bytes.
 * partitions   how many the topic has, at least 1.
 * Returns the partition, or SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int32_t sluice_producer_partition(const void *key, size_t key_size, int32_t partitions);

/* Writes headers in wire form, as packed records and sluice_record.raw_headers take them and views have
 * them.
 * headers, count  any number of them.
 * buf, cap   where they go; nothing is written when they need more.
 * Returns the bytes that they need, or SLUICE_ERR_TOO_BIG, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int64_t sluice_headers_write(const sluice_header *headers, int32_t count, void *buf,
                                        size_t cap);

/* Takes all delivery reports so far. Goes on after close, until none is left.
 * timeout_ms   for the first one.
 * out      NULL: none.
 * Returns 0 or SLUICE_ERR_CLOSED (closed and nothing is left), SLUICE_ERR_INTERRUPTED,
 * SLUICE_ERR_FORKED, SLUICE_ERR_USAGE (delivery.reports=none, not a producer).
 * Thread: any.  Blocks: up to timeout_ms.  Owns: yours, free it.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_producer_deliveries(sluice_client *producer, int32_t timeout_ms,
                                                      sluice_deliveries **out);

/* Reads the next report: the outcome of one batch.
 * deliveries   may be NULL: none.
 * out, size  the struct to fill and sizeof it.
 * Returns 1, 0 at the end, or SLUICE_ERR_USAGE.
 * Thread: one at a time.  Blocks: no.  Owns: texts and tags belong to the set.  Since: 0.1 */
SLUICE_API int sluice_deliveries_next(sluice_deliveries *deliveries, sluice_delivery *out,
                                      size_t size);

/* Frees a set of reports.
 * deliveries   may be NULL.
 * Returns nothing.
 * Thread: any.  Blocks: no.  Owns: takes the set.  Since: 0.1 */
SLUICE_API void sluice_deliveries_free(sluice_deliveries *deliveries);

#ifdef __cplusplus
}
#endif

#endif
