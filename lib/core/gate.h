/* The consumer's delivery gate: what may be handed out, and to where processing has come. Plain
 * code without a lock: driver/outbox.c calls it under the outbox mutex, which makes that mutex the
 * linearization point of poll, seek, pause, mark, finish and retry: a poll after a seek never
 * returns the old, and a finish after a revocation always says so, without a round trip.
 *
 * Per assigned partition (a slot): its epoch, which every order to core and every slice from it
 * carries; the next offset to hand out; the finished prefix; what is buffered; what is in hand.
 * Orders to core (assign, seek, pause) queue up here, in the order of the calls, and are taken by
 * the I/O thread under the same mutex: whoever makes one wakes it afterwards. */
#ifndef SL_CORE_GATE_H
#define SL_CORE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "core/command.h"
#include "core/job.h"
#include "core/offset_list.h"
#include "core/settings.h"

struct sl_gate;
struct sl_rebalance;

/* No Fetch leaves with less free room than this; a poll then says HELD when the application holds
 * the rest. */
enum { SL_GATE_ROOM_MIN = 64 * 1024 };

int sl_gate_create(const struct sl_settings *settings, const struct sl_alloc *alloc,
                   struct sl_gate **out);
/* Slices in hand must have been given back. */
void sl_gate_destroy(struct sl_gate *g);

/* ---- application side ---- */

/* The whole assignment: partitions that stay keep their slot and pause, and with the symbol COMMITTED
 * their position and buffer. list NULL or empty: nothing. 0, NOMEM (nothing changed), USAGE: the
 * partitions are a group's (sl_gate_subscribe), or BUSY: they are still being given back to it. */
int sl_gate_assign(struct sl_gate *g, const struct sl_offsets *list);
/* New positions; buffered slices are dropped, batches in hand become stale. 0, NOMEM, or
 * SLUICE_ERR_STALE when a partition is not assigned; then nothing changed. */
int sl_gate_seek(struct sl_gate *g, const struct sl_offsets *list);
/* list NULL: all. What is buffered is kept, unless it would keep the other partitions from being
 * fetched; then it is fetched again later. 0, NOMEM or STALE; then nothing changed. */
int sl_gate_pause(struct sl_gate *g, const struct sl_offsets *list, bool paused);
/* Position, committed (-1), end and paused of every assigned partition. 0 or NOMEM. */
int sl_gate_positions(const struct sl_gate *g, struct sl_offsets *out);

/* The time, said before a take: past what is trusted (sl_gate_trust) it hands nothing out. */
void sl_gate_on_time(struct sl_gate *g, int64_t now);
/* Moves slices that may be handed out to out[], fairly over partitions: at most cap of them and
 * about max_bytes, at least one. They count as in hand until given. 0 with *count 0: nothing
 * there. HELD: nothing there, and the application holds the receiving account. The code of an
 * error slice, with its text: that partition waits for a seek. A code that giving a batch
 * back left comes first. */
int sl_gate_take(struct sl_gate *g, size_t max_bytes, struct sl_slice **out, int32_t cap,
                 int32_t *count, char *text, size_t text_cap);
/* A take would return something else than 0 and nothing. */
bool sl_gate_is_ready(const struct sl_gate *g);
/* Of the partition that the slot has now, "" when none; the name lives as long as the gate. A slice
 * that was handed out carries its own, which stays right. */
const char *sl_gate_topic(const struct sl_gate *g, uint32_t slot, int32_t *partition);
/* The records of a slice in hand below `offset` are processed. epoch: leader epoch of the last of
 * them, or -1. 0 or STALE. */
int sl_gate_mark(struct sl_gate *g, struct sl_slice *slice, int64_t offset, int32_t epoch);
/* The records from `offset` on come again (retry, a finish of half a walk): the slice ends there
 * now, those behind it become stale, those before it count on. epoch: leader epoch of the record
 * before, or -1. 0, STALE or NOMEM (then a later call may succeed). */
int sl_gate_rewind(struct sl_gate *g, struct sl_slice *slice, int64_t offset, int32_t epoch);
/* A slice that was handed out last of its slot goes back to the front of the queue, its records
 * below `from` processed, the others to be handed out again. Needs no order and no memory. 0,
 * STALE, or SLUICE_ERR_BUSY: something of the slot behind it was handed out; nothing changed then. */
int sl_gate_untake(struct sl_gate *g, struct sl_slice *slice, int64_t from);
/* A slice that was handed out last of its slot ends after its first `size` bytes now, at `offset`
 * (epoch: leader epoch of the record before); the rest goes back to the front of the queue. 0, STALE,
 * NOMEM or BUSY as for untake; then nothing changed. */
int sl_gate_split(struct sl_gate *g, struct sl_slice *slice, size_t size, int64_t offset,
                  int32_t epoch);
/* What lies behind `offset` of a slice in hand turned out to be damaged: the slice ends there, those
 * behind it become stale, and nothing more of its slot is handed out until a seek, or a rewind of a
 * slice before it. 0 or STALE. */
int sl_gate_stop(struct sl_gate *g, struct sl_slice *slice, int64_t offset);
/* A slice is given back; what of it is not marked will never be passed by the finished prefix,
 * unless it was rewound. */
void sl_gate_give(struct sl_gate *g, struct sl_slice *slice);
/* Decompressed bytes that the application holds now (negative: gave back). */
void sl_gate_charge(struct sl_gate *g, int64_t bytes);
/* The next take returns this code: giving a batch back found damage, or no memory for its records
 * to come again, and its result may not be looked at. */
void sl_gate_leave_code(struct sl_gate *g, int code);
/* Processing has come to this offset without a hole: what a commit may say. -1: nowhere yet, or
 * not assigned. */
int64_t sl_gate_finished(const struct sl_gate *g, const char *topic, int32_t partition);

/* A COMMIT of the application: without offsets it gets all that is finished and not known to be
 * committed. 0: taken, it is among the orders. NOMEM: it is still the caller's. */
int sl_gate_commit(struct sl_gate *g, struct sl_command *command);

/* ---- groups (gate_group.c) ---- */

/* Topics and patterns that the group is to read, in place of those before; count 0: leave the
 * group. 0, NOMEM, or USAGE: partitions are assigned by hand. */
int sl_gate_subscribe(struct sl_gate *g, const char *const *topics, int32_t count);
/* Asks for a rebalance; reason may be NULL. 0, NOMEM, or USAGE: no subscription. */
int sl_gate_rejoin(struct sl_gate *g, const char *reason);
/* A poll begins or ends. True: core has an order to take. */
bool sl_gate_poll_begin(struct sl_gate *g);
void sl_gate_poll_end(struct sl_gate *g);
/* There is a rebalance that the application has not been told of (rebalance.notices). */
bool sl_gate_has_notice(const struct sl_gate *g);
/* The rebalance to tell, borrowed until the next call; NULL: none. */
const struct sl_rebalance *sl_gate_peek_notice(const struct sl_gate *g);
/* It counts as told. */
void sl_gate_take_notice(struct sl_gate *g);
/* The application is done with the rebalance of that serial; start: where to begin with what was
 * assigned, or NULL. 0, NOMEM (it will be told again), or STALE: that is over. */
int sl_gate_end_notice(struct sl_gate *g, uint64_t serial, const struct sl_offsets *start);

/* ---- I/O side ---- */

/* The group's partitions are this member's until then, as far as core knows
 * (sl_core_trusted_until). */
void sl_gate_trust(struct sl_gate *g, int64_t until);
/* Takes struct sl_rebalance from the group. */
void sl_gate_on_rebalances(struct sl_gate *g, struct sl_list *rebalances);

/* Whether core waits for what comes back (sl_core_is_short). */
void sl_gate_tell_short(struct sl_gate *g, bool is_short);
/* Core has something to take that it should not have to wait for: orders, jobs, or room, when it is
 * short of it or this is a good part of all. */
bool sl_gate_is_due(struct sl_gate *g);
/* Takes fetched answers; stale slices are dropped here. News are taken before the answers of the same
 * turn. After it core asks sl_gate_is_due, before it sleeps: what was dropped may be all the room there
 * is. */
void sl_gate_on_fetched(struct sl_gate *g, struct sl_list *fetched);
void sl_gate_on_news(struct sl_gate *g, struct sl_list *news);
/* Adds a COMMIT of what is finished to the orders: what core was not told before, or everything that
 * is not known to be committed. Without memory there is none; core asks again. */
void sl_gate_collect(struct sl_gate *g, bool everything);
/* Orders for core, struct sl_command. */
void sl_gate_take_orders(struct sl_gate *g, struct sl_list *commands);
/* Buffers that came back, and by how many bytes the receiving account changed since the last call
 * (negative: the application took more, by decompressing). */
void sl_gate_take_returned(struct sl_gate *g, struct sl_list *buffers, int64_t *freed);
/* The host runs jobs, so many at a time, and thinks that one pays from so many microseconds on. Before
 * anything is fetched. */
void sl_gate_set_jobs(struct sl_gate *g, int32_t most, int32_t least_us);
/* Slices to decompress before they are handed out: struct sl_job, each of which comes back, before
 * the gate is destroyed. */
void sl_gate_take_jobs(struct sl_gate *g, struct sl_list *jobs);
void sl_gate_on_job(struct sl_gate *g, struct sl_job *job);
/* Every invariant; asserts. */
void sl_gate_check(const struct sl_gate *g);

#endif
