/* The wire tap: reads what clients send, as it reaches the broker. I7: a batch of a producer id,
 * epoch and base sequence has the same bytes whenever it is sent, if it was written once: otherwise
 * the broker would take the one for the other. (One that was refused for good may give its sequence
 * to another.) I18: no client asks a broker again and again
 * while nothing gets on. */
#ifndef SIM_TAP_H
#define SIM_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"
#include "record/batch_read.h"
#include "sim/world.h"

enum { TAP_HOSTS = 16 };

struct tap_rate {
    int64_t second_at;
    uint64_t progress; /* of the host when the second began */
    int32_t count;
};
struct tap {
    struct world *world;
    struct sl_map batches; /* identity of a batch → struct tap_batch, owned */
    struct sl_map carried; /* hashes of the records of all batches that were sent */
    struct sl_map written; /* the same identity with the hash: those that are in a log */
    struct tap_rate rates[TAP_HOSTS][WORLD_NODES_MAX + 1];
    int32_t rate_max[TAP_HOSTS]; /* requests a second without progress; 0: not looked at */
    uint64_t progress[TAP_HOSTS];
    int64_t requests;
    int64_t retries; /* batches seen again */
};

void tap_init(struct tap *t, struct world *w);
void tap_deinit(struct tap *t);
/* For struct world_observer. */
void tap_on_wire(struct tap *t, struct link *link, const void *data, size_t size);
void tap_on_gone(struct tap *t, struct link *link);
/* A batch was found in a log. */
void tap_written(struct tap *t, int32_t partition, const struct sl_batch_info *info,
                 const uint8_t *data);
/* Something of this host got on. */
void tap_progress(struct tap *t, int32_t host);

#endif
