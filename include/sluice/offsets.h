/* sluice: lists of (topic, partition, next offset to read). Adding is sticky: a list that ran out
 * of memory is refused whole by whoever gets it. */
#ifndef SLUICE_OFFSETS_H
#define SLUICE_OFFSETS_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes an empty list.
 * Returns the list, or NULL without memory; NULL is accepted everywhere as a failed list.
 * Thread: any.  Blocks: no.  Owns: yours, free it.  Since: 0.1 */
SLUICE_API sluice_offsets *sluice_offsets_create(void);

/* Frees a list.
 * offsets  may be NULL.
 * Returns nothing.
 * Thread: any.  Blocks: no.  Owns: takes the list.  Since: 0.1 */
SLUICE_API void sluice_offsets_free(sluice_offsets *offsets);

/* Adds an entry, or replaces the one of the same topic and partition.
 * offset   the next to read, or SLUICE_OFFSET_LATEST, _EARLIEST, _COMMITTED.
 * Returns 0 or SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE (no topic, a negative partition, a number that
 * is no offset); remembered.
 * Thread: one at a time.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API int sluice_offsets_add(sluice_offsets *offsets, const char *topic, int32_t partition,
                                  int64_t offset);

/* Adds or replaces an entry with epoch, metadata and time (SLUICE_OFFSET_AT_TIME).
 * entry, size  copied, and sizeof it; committed, end, code and paused are ignored. leader_epoch
 *          counts only when it is above 0.
 * Returns as sluice_offsets_add.
 * Thread: one at a time.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API int sluice_offsets_put(sluice_offsets *offsets, const sluice_offset *entry, size_t size);

/* Says that a record is processed: its offset + 1.
 * view, size   as the walk gave it, and sizeof it.
 * Returns as sluice_offsets_add.
 * Thread: one at a time.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API int sluice_offsets_after(sluice_offsets *offsets, const sluice_view *view, size_t size);

/* Reads one entry.
 * index    from 0, in the order of adding.
 * out, size  the struct to fill and sizeof it.
 * Returns 1, 0 past the last (and of a list that is NULL), or SLUICE_ERR_USAGE (another size, an index
 * below 0).
 * Thread: any, while nobody writes.  Blocks: no.  Owns: texts belong to the list.  Since: 0.1 */
SLUICE_API int sluice_offsets_at(const sluice_offsets *offsets, int32_t index, sluice_offset *out,
                                 size_t size);

/* Turns symbols and times into offsets by asking the leaders, and SLUICE_OFFSET_COMMITTED by asking
 * the coordinator of the consumer's group. Entries that failed carry their code, among them
 * SLUICE_ERR_NO_OFFSET (nothing is committed) and SLUICE_ERR_CONFIG (no group.id).
 * offsets  without op filled in place; with op copied, and the result is the op's list.
 * Returns 0, SLUICE_ERR_PARTIAL (some entries have a code), or SLUICE_ERR_TIMEOUT,
 * SLUICE_ERR_CLOSED, SLUICE_ERR_INTERRUPTED, SLUICE_ERR_FORKED, SLUICE_ERR_NOMEM,
 * SLUICE_ERR_USAGE (a failed list).
 * Thread: any.  Blocks: up to timeout_ms without op.  Owns: the op is yours.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_offsets_resolve(sluice_client *client, sluice_offsets *offsets,
                                                  int32_t timeout_ms, sluice_op **op);

#ifdef __cplusplus
}
#endif

#endif
