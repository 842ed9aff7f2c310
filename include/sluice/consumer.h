/* sluice: consuming records.
 *
 * A poll returns a batch: parts (slices) of one or many partitions, whose records are read in
 * place. A batch stays valid until it is given back, through seek, rebalance and close, and counts
 * in the receive budget until then. Giving it back says what was processed: finish (all that was
 * handed out), retry (only what was marked), or free (nothing is said). */
#ifndef SLUICE_CONSUMER_H
#define SLUICE_CONSUMER_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Assigns partitions by hand, in place of what was assigned. A partition that stays keeps its
 * buffer and, unless an offset is given for it, its position. Offsets may be symbols:
 * SLUICE_OFFSET_COMMITTED keeps the position of a partition that stays, and starts a new one where its
 * group has committed it, or by auto.offset.reset without such an offset or without group.id. What
 * is finished of partitions that are given up is committed, with enable.auto.commit. Topics need not exist yet.
 * offsets  copied; NULL or empty: nothing is assigned.
 * Returns 0 or SLUICE_ERR_NOMEM (nothing changed), SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED,
 * SLUICE_ERR_USAGE (a list that ran out of memory, no consumer, a subscription), SLUICE_ERR_BUSY
 * (partitions of the group that was just left are still being given back).
 * Thread: any.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_consumer_assign(sluice_client *consumer,
                                                  const sluice_offsets *offsets);

/* Reads topics together with the group (group.id): the partitions of all of them are shared among its
 * members, and the library applies what that gives. Replaces the topics of before; partitions that
 * stay keep their buffer. Topics need not exist yet. A partition without a committed offset starts by
 * auto.offset.reset; one that appears while the subscription is on starts at its beginning instead of
 * by latest, so nothing that was written before this member noticed is left out.
 * topics   names; "^…" is a regular expression that topics are found by, "!^…" one of topics to
 *          leave out: POSIX extended where members share the partitions (group.protocol classic),
 *          RE2 where brokers do (consumer; those have no "!^…").
 * count    0: leaves the group.
 * Returns 0 or SLUICE_ERR_USAGE (no group.id; partitions are assigned by hand: assign nothing first;
 * an empty or NULL name), SLUICE_ERR_NOMEM, SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED. What the group
 * refuses is told by a poll.
 * Thread: any.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_consumer_subscribe(sluice_client *consumer,
                                                     const char *const *topics, int32_t count);

/* Asks the group for a rebalance (classic; where brokers share the partitions it has no effect).
 * reason   for the broker's log; may be NULL.
 * Returns 0 or SLUICE_ERR_USAGE (no subscription), SLUICE_ERR_NOMEM, SLUICE_ERR_CLOSED,
 * SLUICE_ERR_FORKED.
 * Thread: any.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API int sluice_consumer_rejoin(sluice_client *consumer, const char *reason);

/* Takes the records that have arrived, decompressed.
 * timeout_ms   for the first of them.
 * out      NULL: none by then. NULL is an empty batch to all calls below.
 * Returns 0, SLUICE_ERR_HELD (nothing there, and batches not given back hold the whole receive
 * budget), or an error of one partition, once, which then waits for a seek: SLUICE_ERR_MALFORMED
 * (a corrupt batch), SLUICE_ERR_UNSUPPORTED (message format 0 or 1), SLUICE_ERR_TOO_BIG (over
 * fetch.batch.decoded.max.bytes or receive.message.max.bytes), SLUICE_ERR_NO_OFFSET
 * (auto.offset.reset=none), SLUICE_ERR_TRUNCATED (the same; the log was cut by an unclean election,
 * and records that were read are gone from it: the partition's position is the place from which on
 * they are, so seeking there reads what took their place), Kafka's codes (29 not allowed …);
 * sluice_client_explain names partition and offset. SLUICE_NOTICE_REBALANCE (rebalance.notices):
 * partitions came or went, sluice_consumer_rebalance says which. Kafka's codes of a group that
 * cannot go on (another member has the same group.instance.id: 82 …): subscribe again.
 * SLUICE_ERR_INTERRUPTED, SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED, SLUICE_ERR_NOMEM (nothing lost),
 * SLUICE_ERR_BUSY, SLUICE_ERR_USAGE.
 * Thread: one at a time.  Blocks: up to timeout_ms; decompresses.  Owns: yours, give it back.
 * Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_consumer_poll(sluice_client *consumer, int32_t timeout_ms,
                                                sluice_batch **out);

/* Every assigned partition with its position (the next offset to hand out), committed offset, end
 * (lag is end - offset) and whether it is paused, as known here.
 * Returns 0 or SLUICE_ERR_NOMEM, SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: yours, free it.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_consumer_positions(sluice_client *consumer, sluice_offsets **out);

/* Moves positions at once: the next poll returns nothing older. Symbols are looked up. Batches of
 * these partitions still in hand become stale: readable, but finishing them says so.
 * offsets  assigned partitions and where to go, copied.
 * Returns 0 or SLUICE_ERR_STALE (a partition is not assigned; nothing changed), SLUICE_ERR_NOMEM
 * (nothing changed), SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_consumer_seek(sluice_client *consumer,
                                                const sluice_offsets *offsets);

/* Stops handing out records of these partitions; what is buffered is kept.
 * offsets  which; NULL: all that are assigned.
 * Returns 0 or SLUICE_ERR_STALE (one is not assigned; nothing changed), SLUICE_ERR_NOMEM,
 * SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API int sluice_consumer_pause(sluice_client *consumer, const sluice_offsets *offsets);

/* Undoes sluice_consumer_pause.
 * offsets  which; NULL: all that are assigned.
 * Returns as sluice_consumer_pause.
 * Thread: any.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API int sluice_consumer_resume(sluice_client *consumer, const sluice_offsets *offsets);

/* Commits offsets for the group: where whoever reads a partition next begins. Commits happen in the
 * order of the calls, those of enable.auto.commit among them.
 * offsets  of each partition the next to read (sluice_offsets_after), copied; they may be of
 *          partitions that are not assigned. NULL: all that is finished and not known to be
 *          committed, up to the first record of each partition that is not finished; where
 *          auto.offset.reset led to a place behind which nothing is finished, that place.
 * timeout_ms   for the operation; meanwhile what can pass is tried again.
 * Returns 0, SLUICE_ERR_NO_OFFSET (offsets NULL: records were handed out and none is finished, and
 * there is no such place), SLUICE_ERR_CONFIG (group.id is not set), or the code of the first offset
 * that was refused: Kafka's (12 metadata too long, 22, 25 and 27 the group is being rebalanced, 28,
 * 29 and 30 not allowed …); the list of the op has the code of each. SLUICE_ERR_TIMEOUT (it may
 * have been committed), SLUICE_ERR_INTERRUPTED, SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED,
 * SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE (a failed list, a symbol in it).
 * Thread: any.  Blocks: up to timeout_ms without op.  Owns: the op is yours.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_consumer_commit(sluice_client *consumer,
                                                  const sluice_offsets *offsets, int32_t timeout_ms,
                                                  sluice_op **op);

/* ---- batch: a walk goes slice by slice, in offset order ---- */

/* The number of records in a batch.
 * Returns the number; 0 for NULL.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int32_t sluice_batch_count(const sluice_batch *batch);

/* Starts the walk over. What was handed out before stays handed out.
 * Returns nothing.
 * Thread: one at a time.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API void sluice_batch_rewind(sluice_batch *batch);

/* Hands out the next record.
 * out, size  the struct to fill and sizeof it.
 * Returns 1, 0 at the end, or SLUICE_ERR_MALFORMED (a record that breaks the format: finish and
 * the next poll say so too), SLUICE_ERR_USAGE.
 * Thread: one at a time.  Blocks: no.  Owns: out points into the batch.  Since: 0.1 */
SLUICE_API int sluice_batch_next(sluice_batch *batch, sluice_view *out, size_t size);

/* Hands out the next records, many in one call.
 * views, size  an array of cap elements, and the size of one.
 * Returns how many (0 at the end), or as sluice_batch_next.
 * Thread: one at a time.  Blocks: no.  Owns: views point into the batch.  Since: 0.1 */
SLUICE_API int32_t sluice_batch_read(sluice_batch *batch, sluice_view *views, size_t size,
                                     int32_t cap);

/* Hands out the next records as copies: bytes into data, places into rows. For FFI.
 * data, cap  the buffer, which must hold at least one record.
 * rows, row_cap  an array.
 * used     bytes of data filled; with TOO_BIG the bytes that the next record needs: call again with
 *          so many, or finish the batch, and the record comes again.
 * Returns how many (0 at the end), or SLUICE_ERR_TOO_BIG, or as sluice_batch_next.
 * Thread: one at a time.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int32_t sluice_batch_pack(sluice_batch *batch, void *data, size_t cap, sluice_row *rows,
                                     int32_t row_cap, size_t *used);

/* Describes one partition's part of the batch.
 * index    from 0, as sluice_view.slice counts.
 * out, size  the struct to fill and sizeof it.
 * Returns 1, 0 past the last, or SLUICE_ERR_USAGE (another size, an index below 0).
 * Thread: any.  Blocks: no.  Owns: out->topic belongs to the batch.  Since: 0.1 */
SLUICE_API int sluice_batch_slice(const sluice_batch *batch, int32_t index, sluice_slice *out,
                                  size_t size);

/* Says that the first records of a slice are processed.
 * slice    as sluice_view.slice.
 * count    records from the slice's start (sluice_view.index + 1); -1: all of it.
 * Returns 0 or SLUICE_ERR_STALE (the partition was sought or taken away), SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_batch_mark(sluice_batch *batch, int32_t slice, int32_t count);

/* Gives a batch back: what the walk handed out is processed, the rest comes again.
 * batch    may be NULL.
 * Returns 0 or SLUICE_ERR_STALE (some partition was sought or taken away: nothing is to be done
 * about it, its records come again to whoever has it), or the error that ended the walk, which the
 * next poll returns too.
 * Thread: any.  Blocks: no.  Owns: takes the batch.  Since: 0.1 */
SLUICE_API int sluice_batch_finish(sluice_batch *batch);

/* Gives a batch back: what is not marked comes again.
 * batch    may be NULL.
 * Returns 0 or SLUICE_ERR_STALE.
 * Thread: any.  Blocks: no.  Owns: takes the batch.  Since: 0.1 */
SLUICE_API int sluice_batch_retry(sluice_batch *batch);

/* Gives a batch back and says nothing of processing: no commit ever passes what it held.
 * batch    may be NULL.
 * Returns nothing.
 * Thread: any.  Blocks: no.  Owns: takes the batch.  Since: 0.1 */
SLUICE_API void sluice_batch_free(sluice_batch *batch);

/* Reads one header of a record by its place.
 * headers, headers_size   as a view or a row has them.
 * out      filled; points into headers.
 * Returns 1, or 0 past the last or when the bytes are malformed.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_headers_read(const void *headers, size_t headers_size, int32_t index,
                                   sluice_header *out);

/* Finds the last header of a name.
 * Returns 1, or 0 when there is none.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_headers_find(const void *headers, size_t headers_size, const char *name,
                                   sluice_header *out);

/* ---- rebalance: with rebalance.notices the application is told of partitions that come and go; without
 * it, batches not given back hold a revocation, for rebalance.hold.ms at most ---- */

/* Takes the rebalance that a poll spoke of. Nothing of partitions that are being given away is returned
 * by polls any more; those that came are not read before sluice_rebalance_done, and there is time for
 * that until the group has partitions to take back: from then on rebalance.hold.ms, as for a
 * revocation. A close waits for neither. What comes again is told again.
 * out      NULL when there is none.
 * Returns 0 or SLUICE_ERR_STALE (there is none, or it is over), SLUICE_ERR_NOMEM, SLUICE_ERR_CLOSED,
 * SLUICE_ERR_FORKED, SLUICE_ERR_USAGE.
 * Thread: one at a time.  Blocks: no.  Owns: yours, give it to sluice_rebalance_done.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_consumer_rebalance(sluice_client *consumer,
                                                     sluice_rebalance **out);

/* Says what a rebalance is about.
 * out, size  the struct to fill and sizeof it.
 * Returns 0 or SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_rebalance_read(const sluice_rebalance *rebalance, sluice_rebalance_info *out,
                                     size_t size);

/* The partitions that a rebalance is about.
 * Returns the list, or NULL for NULL.
 * Thread: any.  Blocks: no.  Owns: belongs to the rebalance.  Since: 0.1 */
SLUICE_API const sluice_offsets *sluice_rebalance_offsets(const sluice_rebalance *rebalance);

/* Goes on: partitions that came are read, partitions that are being given away are gone, and batches of
 * theirs still in hand are stale.
 * rebalance  may be NULL.
 * start    where to begin with partitions that came; others, and NULL: at their committed offsets.
 * Returns 0 or SLUICE_ERR_STALE (too late: others may own the partitions), SLUICE_ERR_NOMEM (it will be
 * told again), SLUICE_ERR_CLOSED, SLUICE_ERR_FORKED, SLUICE_ERR_USAGE (start ran out of memory).
 * Thread: any.  Blocks: no.  Owns: takes the rebalance; copies start.  Since: 0.1 */
SLUICE_API int sluice_rebalance_done(sluice_rebalance *rebalance, const sluice_offsets *start);

#ifdef __cplusplus
}
#endif

#endif
