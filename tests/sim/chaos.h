/* Chaos: makes the faults of a plan happen, each kind at its own rate, and ends them all. */
#ifndef SIM_CHAOS_H
#define SIM_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/plan.h"
#include "sim/truth.h"
#include "sim/world.h"

struct chaos;
struct chaos_source {
    struct world_timer timer;
    struct chaos *chaos;
    enum plan_fault fault;
};
/* Something that ends by itself. */
struct chaos_end {
    struct world_timer timer;
    struct chaos *chaos;
    int32_t index;
};
enum { CHAOS_HOSTS = 16 };
struct chaos {
    struct world *world;
    const struct plan *plan;
    struct truth *truth;
    struct sl_rng rng;
    struct chaos_source sources[PLAN_FAULT_COUNT];
    struct chaos_end nodes[WORLD_NODES_MAX + 1]; /* state and door back to normal */
    struct chaos_end lags[WORLD_NODES_MAX + 1];
    struct chaos_end names;
    struct chaos_end topics[PLAN_TOPICS]; /* made again */
    struct chaos_end memory;              /* of all hosts */
    int64_t happened[PLAN_FAULT_COUNT];
    bool is_over;
};

void chaos_start(struct chaos *c, struct world *w, const struct plan *plan, struct truth *truth);
/* Ends every fault; what holes have swallowed stays lost. */
void chaos_heal(struct chaos *c);
void chaos_print(const struct chaos *c);

#endif
