/* What the rest of api/ needs of a sluice_config: the settings that it stands for. */
#ifndef SL_API_CONFIG_H
#define SL_API_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "core/settings.h"
#include "sluice/types.h"

/* Checks everything for a role and fills the settings, whose texts the caller frees
 * (sl_properties_free_texts). NULL out: only checks. 0, SLUICE_ERR_CONFIG (the message has every
 * mistake), NOMEM, or USAGE (no config, no such role). alloc: what the texts are taken from. */
int sl_config_resolve(sluice_config *config, int32_t role, const struct sl_alloc *alloc,
                      struct sl_settings *out);
/* sluice_config_set of a line of a file; origin: "file:line". */
int sl_config_set_from(sluice_config *config, const char *name, const char *value,
                       const char *origin);
/* What sluice_config_load does with a file that has been read; path: its name, for mistakes. */
int sl_config_load_text(sluice_config *config, const char *text, const char *path);
/* Remembers a mistake that concerns no single property: check and open list it. */
void sl_config_note(sluice_config *config, const char *mistake);
/* After a resolve: makes this the message, for what only opening a client could find. */
void sl_config_refuse(sluice_config *config, const char *mistake);
/* The allocator that clients of this config get, and the log function with its user, or NULL. */
struct sl_alloc sl_config_alloc(const sluice_config *config);
sluice_log_fn sl_config_log_fn(const sluice_config *config, void **user);
/* True: log.to=none is set. For mistakes that are told before there is a client. */
bool sl_config_is_silent(const sluice_config *config);

#endif
