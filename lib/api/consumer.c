/* Consuming: positions are the gate's (core/gate.h), under the outbox mutex; polling takes slices
 * from it and makes a batch of them here, on the application's thread.
 *
 * A damaged record batch in the middle of what a poll took: all before it is handed out, slices
 * behind it go back into their queues, the partition stops, and the next poll tells it. Without
 * memory everything goes back, so nothing is lost. A slice that would unpack to more than one poll
 * may is split, and its rest goes back as well. */
#include <string.h>

#include "api/batch_build.h"
#include "api/client.h"
#include "api/offsets.h"
#include "core/core.h"
#include "sluice/consumer.h"

enum {
    POLL_BYTES = 1024 * 1024, /* of slices, compressed: one poll's work is bounded; arbitrary */
    /* Decompressed bytes after which a poll takes no further record batch: they are charged only
     * once they exist. So much, and a part of the budget. Arbitrary. */
    POLL_UNPACKED_BYTES = 8 * 1024 * 1024,
    POLL_UNPACKED_PARTS = 8
};

/* ---- positions ---- */

static int check_consumer_list(sluice_client *consumer, const sluice_offsets *offsets) {
    int rv = sl_client_expect_open(consumer, SLUICE_CONSUMER);
    return rv != 0 || offsets == NULL ? rv : sl_offsets_check(offsets);
}

int sluice_consumer_assign(sluice_client *consumer, const sluice_offsets *offsets) {
    int rv = check_consumer_list(consumer, offsets);
    if (rv != 0) return rv;
    return sl_client_assign(consumer, offsets == NULL ? NULL : sl_offsets_list(offsets));
}

int sluice_consumer_seek(sluice_client *consumer, const sluice_offsets *offsets) {
    int rv = check_consumer_list(consumer, offsets);
    if (rv != 0) return rv;
    return offsets == NULL ? SLUICE_ERR_USAGE : sl_client_seek(consumer, sl_offsets_list(offsets));
}

static int pause_partitions(sluice_client *consumer, const sluice_offsets *offsets, bool paused) {
    int rv = check_consumer_list(consumer, offsets);
    if (rv != 0) return rv;
    return sl_client_pause(consumer, offsets == NULL ? NULL : sl_offsets_list(offsets), paused);
}

int sluice_consumer_pause(sluice_client *consumer, const sluice_offsets *offsets) {
    return pause_partitions(consumer, offsets, true);
}

int sluice_consumer_resume(sluice_client *consumer, const sluice_offsets *offsets) {
    return pause_partitions(consumer, offsets, false);
}

int sluice_consumer_positions(sluice_client *consumer, sluice_offsets **out) {
    struct sl_offsets *list;
    if (out == NULL) return SLUICE_ERR_USAGE;
    *out = NULL;
    int rv = sl_client_expect_open(consumer, SLUICE_CONSUMER);
    if (rv != 0) return rv;
    rv = sl_offset_list_create(sl_alloc_default(), &list);
    if (rv != 0) return rv;
    rv = sl_client_positions(consumer, list);
    if (rv == 0) {
        *out = sl_offsets_wrap(list);
        if (*out == NULL) rv = SLUICE_ERR_NOMEM;
    }
    if (rv != 0) sl_offset_list_destroy(list);
    return rv;
}

/* ---- commits ---- */

/* A copy of what the application wants committed: numbers, of which an empty list has none. */
static int copy_commit_list(const sluice_offsets *offsets, const struct sl_alloc *alloc,
                            struct sl_offsets **out) {
    const struct sl_offsets *list = sl_offsets_list(offsets);
    for (int32_t i = 0; i < list->count; i++)
        if (list->entries[i].offset < 0) return SLUICE_ERR_USAGE;
    return sl_offset_list_copy(list, alloc, out);
}

int sluice_consumer_commit(sluice_client *consumer, const sluice_offsets *offsets,
                           int32_t timeout_ms, sluice_op **op) {
    struct sl_command *command;
    if (op != NULL) *op = NULL;
    int rv = check_consumer_list(consumer, offsets);
    if (rv != 0) return rv;
    const struct sl_alloc *alloc = sl_client_alloc(consumer);
    rv = sl_command_create(alloc, SL_COMMAND_COMMIT, &command);
    if (rv != 0) return rv;
    if (offsets != NULL) rv = copy_commit_list(offsets, alloc, &command->offsets);
    if (rv != 0) {
        sl_command_destroy(alloc, command);
        return rv;
    }
    return sl_client_run(consumer, command, timeout_ms, op, NULL);
}

/* ---- polling ---- */

/* Back into the queues, the last one first, as the gate wants it; a stale one is just given. */
static void put_back_slices(sluice_client *c, struct sl_slice **slices, int32_t count) {
    for (int32_t i = count - 1; i >= 0; i--)
        if (sl_client_untake(c, slices[i], slices[i]->from) != 0) sl_client_give(c, &slices[i], 1);
}

/* Keeps the story for explain and the code for the next poll, and stops the partition. */
static void report_damage(sluice_client *c, const struct sl_batch_part *part, int code,
                          const struct sl_batch_damage *damage) {
    char buf[256];
    struct sl_text text;
    /* A seek that came between has the last word. */
    if (sl_client_stop(c, part->slice, damage->offset) != 0) return;
    sl_text_init(&text, buf, sizeof buf);
    sl_text_printf(&text, "%.100s-%d at offset %lld: %s", part->topic, (int)part->partition,
                   (long long)damage->offset, damage->what);
    sl_client_remember(c, code, buf);
    sl_client_state_of(c)->code = code;
}

static size_t most_unpacked(const struct sl_settings *settings) {
    int64_t part = settings->fetch_memory / POLL_UNPACKED_PARTS;
    return part < POLL_UNPACKED_BYTES ? (size_t)part : POLL_UNPACKED_BYTES;
}

/* What the last part leaves of its slice goes back. False: out of memory, and the part is out. */
static bool split_slice(sluice_client *c, sluice_batch *batch, const struct sl_batch_part *part) {
    int32_t epoch;
    int64_t next = sl_batch_build_offset(batch, part, part->count, &epoch);
    int rv = sl_client_split(c, part->slice, part->taken, next, epoch);
    if (rv == 0 || rv == SLUICE_ERR_STALE || rv == SLUICE_ERR_CLOSED) return true;
    sl_batch_build_undo(batch);
    return false;
}

/* Adds slices to the batch for as long as they are good and there is room for them; the others go
 * back. Returns how many it keeps; 0: out of memory. */
static int32_t add_slices(sluice_client *c, sluice_batch *batch, struct sl_slice **slices,
                          int32_t count) {
    struct sl_client_state *state = sl_client_state_of(c);
    size_t cap = (size_t)state->settings.batch_decoded_max;
    int32_t kept = 0;
    batch->scratch_most = most_unpacked(&state->settings);
    while (kept < count && batch->scratch.size < batch->scratch_most) {
        struct sl_slice *slice = slices[kept];
        struct sl_batch_damage damage;
        int32_t partition;
        const char *topic = sl_client_slot_topic(c, slice->slot, &partition);
        int rv = sl_batch_build_add(batch, slice, topic, partition, &state->codecs, cap, &damage);
        if (rv == SLUICE_ERR_NOMEM) break;
        kept++;
        const struct sl_batch_part *part = &batch->parts[kept - 1];
        if (rv == 0 && part->taken == slice->size) continue;
        put_back_slices(c, slices + kept, count - kept);
        if (rv != 0)
            report_damage(c, part, rv, &damage);
        else if (!split_slice(c, batch, part))
            put_back_slices(c, slices + --kept, 1);
        return kept;
    }
    put_back_slices(c, slices + kept, count - kept);
    return kept;
}

static int build_batch(sluice_client *c, struct sl_slice **slices, int32_t count,
                       sluice_batch **out) {
    sluice_batch *batch;
    int rv = sl_batch_build_create(sl_client_alloc(c), count, &batch);
    if (rv != 0) {
        put_back_slices(c, slices, count);
        return rv;
    }
    if (add_slices(c, batch, slices, count) == 0) {
        sl_batch_build_destroy(batch);
        return SLUICE_ERR_NOMEM;
    }
    sl_batch_build_end(batch);
    batch->charged = (int64_t)batch->scratch.cap;
    if (batch->charged > 0) sl_client_charge(c, batch->charged);
    batch->client = c;
    sl_client_hold(c);
    *out = batch;
    return 0;
}

/* What is left of a timeout whose end is at `deadline`. */
static int32_t left_of_timeout(const sluice_client *c, int64_t deadline) {
    enum { MS = 1000000 };
    if (deadline == SL_NEVER) return -1;
    int64_t now = sl_client_deadline(c, 1) - MS;
    return deadline <= now ? 0 : (int32_t)((deadline - now + MS - 1) / MS);
}

/* Nothing to hand out: control batches, or records that compaction removed. */
static void skip_empty(sluice_batch *batch) {
    for (int32_t i = 0; i < batch->part_count; i++) {
        const struct sl_batch_part *part = &batch->parts[i];
        /* Stale: the same. */
        (void)sl_client_mark(batch->client, part->slice, part->next_offset,
                             part->slice->last_epoch);
    }
    sluice_batch_free(batch);
}

/* One take. 0 with *out NULL and *again: what came had nothing to hand out. */
static int poll_once(sluice_client *c, int32_t timeout_ms, sluice_batch **out, bool *again) {
    struct sl_slice *slices[SL_BATCH_PARTS_MAX];
    struct sl_client_state *state = sl_client_state_of(c);
    sluice_batch *batch;
    char text[512] = "";
    int32_t count = 0;
    *again = false;
    if (state->code != 0) {
        int code = state->code;
        state->code = 0;
        return code;
    }
    int rv = sl_client_take_slices(c, timeout_ms, POLL_BYTES, slices, SL_BATCH_PARTS_MAX, &count,
                                   text, sizeof text);
    if (rv != 0 && text[0] != '\0') sl_client_remember(c, rv, text);
    if (rv != 0 || count == 0) return rv;
    rv = build_batch(c, slices, count, &batch);
    if (rv != 0) return rv;
    if (batch->count > 0 || state->settings.poll_ends) {
        *out = batch;
        return 0;
    }
    skip_empty(batch);
    *again = true;
    return 0;
}

int sluice_consumer_poll(sluice_client *consumer, int32_t timeout_ms, sluice_batch **out) {
    if (out == NULL) return SLUICE_ERR_USAGE;
    *out = NULL;
    int rv = sl_client_expect_open(consumer, SLUICE_CONSUMER);
    if (rv != 0) return rv;
    if (timeout_ms < SLUICE_TIMEOUT_DEFAULT) return SLUICE_ERR_USAGE;
    rv = sl_client_poll_begin(consumer);
    if (rv != 0) return rv;
    int64_t deadline = sl_client_deadline(consumer, timeout_ms);
    bool again = true;
    while (rv == 0 && again) {
        rv = poll_once(consumer, timeout_ms, out, &again);
        if (again) timeout_ms = left_of_timeout(consumer, deadline);
    }
    sl_client_poll_end(consumer);
    return rv;
}
