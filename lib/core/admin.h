/* Admin operations: create and delete topics. They go to the controller when it is known (brokers
 * with KRaft forward, so any broker will do; older ones answer NOT_CONTROLLER). */
#ifndef SL_CORE_ADMIN_H
#define SL_CORE_ADMIN_H

#include <stdint.h>

#include "base/list.h"
#include "core/command.h"

struct sl_core;

struct sl_admin {
    struct sl_core *core;
    struct sl_list tasks; /* under way, private to the .c */
};
void sl_admin_init(struct sl_admin *a, struct sl_core *core);
void sl_admin_deinit(struct sl_admin *a);
void sl_admin_on_command(struct sl_core *core, struct sl_command *command);

#endif
