/* Offsets that the group has committed, by look-up (OffsetFetch): for partitions that start there,
 * and for the public resolve. */
#ifndef SL_CORE_COMMITTED_H
#define SL_CORE_COMMITTED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "core/calls.h"
#include "core/partition_index.h"

struct sl_core;
struct sl_committed_lookup;

struct sl_committed_offset {
    int64_t offset;         /* -1: none is committed */
    int32_t leader_epoch;   /* -1: unknown */
    struct sl_str metadata; /* borrowed; or null */
    int code;               /* Kafka's, or ours */
};
/* The end of a look-up, exactly once unless it is forgotten. With a code there is no offset. */
typedef void (*sl_committed_found_fn)(struct sl_core *core, struct sl_committed_lookup *lookup,
                                      const struct sl_committed_offset *found);

/* One partition's look-up; embedded in whoever asks. Zero at first. */
struct sl_committed_lookup {
    struct sl_list node; /* waiting, or in the request */
    const char *name;    /* borrowed from the owner */
    int32_t partition;
    int32_t at; /* number in the request's index */
    int why;    /* what the last attempt came to */
    sl_committed_found_fn on_found;
    void *owner;
};
struct sl_committed {
    struct sl_core *core;
    struct sl_list waiting;            /* struct sl_committed_lookup */
    struct sl_list asked;              /* those of the request under way */
    struct sl_partition_index index;   /* its partitions */
    struct sl_committed_offset *found; /* owned: by number in the index */
    int32_t found_cap;
    struct sl_call call;
    int32_t asked_epoch; /* of the group, in the request */
};
void sl_committed_init(struct sl_committed *c, struct sl_core *core);
void sl_committed_deinit(struct sl_committed *c);
/* Starts a look-up: name, partition, on_found and owner are set. The client has a group. */
void sl_committed_look_up(struct sl_core *core, struct sl_committed_lookup *lookup);
/* Ends it silently; harmless when it is not under way. */
void sl_committed_forget(struct sl_core *core, struct sl_committed_lookup *lookup);
void sl_committed_run(struct sl_core *core);
int64_t sl_committed_deadline(const struct sl_core *core);

#endif
