/* Offsets by look-up: ListOffsets, one request per leader for all that wait, for resets, symbols,
 * times, and the public resolve. */
#ifndef SL_CORE_OFFSETS_H
#define SL_CORE_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/command.h"

struct sl_core;
struct sl_offset_lookup;
struct sl_topic;

/* The end of a look-up, exactly once unless it is forgotten. rv 0: the offset (≥ 0) and its leader
 * epoch (-1: unknown). Otherwise Kafka's code, or ours, with a text. */
typedef void (*sl_offset_found_fn)(struct sl_core *core, struct sl_offset_lookup *lookup, int rv,
                                   int64_t offset, int32_t leader_epoch, const char *text);

/* One partition's look-up; embedded in whoever asks. Zero at first. */
struct sl_offset_lookup {
    struct sl_list node;    /* waiting, or in a request */
    struct sl_topic *topic; /* NULL: metadata had no memory for it yet */
    const char *name;       /* borrowed from the owner */
    int32_t partition;
    int64_t timestamp; /* as ListOffsets has it: a time or one of its symbols */
    uint32_t attempts;
    int32_t asked_epoch; /* leader epoch that the request went under; -1: unknown */
    bool is_homeless;    /* no leader was known the last time */
    int64_t not_before;
    sl_offset_found_fn on_found;
    void *owner;
};
struct sl_offsets_unit {
    struct sl_core *core;
    struct sl_list waiting;  /* look-ups that are in no request */
    struct sl_list requests; /* private to the .c */
    struct sl_list tasks;    /* OFFSETS ops under way, private to the .c */
    int64_t look_at; /* when to look at the waiting ones; SL_NEVER: when something changes */
};
void sl_offsets_init(struct sl_offsets_unit *u, struct sl_core *core);
void sl_offsets_deinit(struct sl_offsets_unit *u);
/* What ListOffsets is asked for an offset that is a symbol. */
int64_t sl_offsets_timestamp(int64_t offset, int64_t timestamp_ms);
/* Starts a look-up: name, partition, timestamp, on_found and owner are set. */
void sl_offsets_look_up(struct sl_core *core, struct sl_offset_lookup *lookup);
/* Ends it silently; harmless when it is not under way. */
void sl_offsets_forget(struct sl_core *core, struct sl_offset_lookup *lookup);
void sl_offsets_on_command(struct sl_core *core, struct sl_command *command); /* OFFSETS */
/* Metadata has spoken of the topic: look-ups that wait for a leader may have one. */
void sl_offsets_on_topic(struct sl_core *core, struct sl_topic *topic);
/* Metadata: the topic cannot be had; its look-ups end with this code. */
void sl_offsets_on_refused(struct sl_core *core, struct sl_topic *topic, int code);
void sl_offsets_run(struct sl_core *core);
int64_t sl_offsets_deadline(const struct sl_core *core);

#endif
