/* What only the files of this folder ask of a runtime: its sockets, and what a forked child does
 * with it. */
#ifndef SL_DRIVER_RUNTIME_INSIDE_H
#define SL_DRIVER_RUNTIME_INSIDE_H

#include <stdbool.h>

#include "driver/net.h"
#include "driver/runtime.h"

/* NULL: a runtime on another host. */
struct sl_net *sl_runtime_net(const struct sluice_runtime *rt);

/* Forked children only. A turn was under way when the process forked: the members' machines may
 * be in the middle of anything. */
bool sl_runtime_was_turning(const struct sluice_runtime *rt);
/* A member goes: no lock, no thread, no bytes to anyone. */
void sl_runtime_abandon_member(struct sl_member *m);
/* Closes the descriptors and frees what nobody was working on. */
void sl_runtime_abandon(struct sluice_runtime *rt);

#endif
