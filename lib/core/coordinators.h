/* One finder of coordinators: (type, key) to broker id, for groups, transactions and share groups
 * alike (FindCoordinator, KIP-699). */
#ifndef SL_CORE_COORDINATORS_H
#define SL_CORE_COORDINATORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

struct sl_core;

enum sl_coordinator_type {
    SL_COORDINATOR_GROUP = 0,
    SL_COORDINATOR_TXN = 1,
    SL_COORDINATOR_SHARE = 2
};

struct sl_coordinators {
    struct sl_core *core;
    struct sl_map known; /* type byte + key → struct sl_coordinator, private to the .c */
};
void sl_coordinators_init(struct sl_coordinators *c, struct sl_core *core);
void sl_coordinators_deinit(struct sl_coordinators *c);
/* The broker id, or -1 while unknown: then it is being looked up, and *rv is 0 or what the last
 * look-up was refused with (GROUP_AUTHORIZATION_FAILED …). */
int32_t sl_coordinators_find(struct sl_core *core, enum sl_coordinator_type type, const char *key,
                             int *rv);
/* NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, a lost link: look up again. */
void sl_coordinators_forget(struct sl_core *core, enum sl_coordinator_type type, const char *key);

#endif
