/* Rules about what a client authenticates with. */
#ifndef SL_API_CONFIG_SASL_H
#define SL_API_CONFIG_SASL_H

#include "base/alloc.h"
#include "base/text.h"
#include "core/settings.h"

/* Takes what sasl.jaas.config has to say, and checks all that concerns SASL. 0; CONFIG, with a line
 * in *why that begins with the property's name; or NOMEM. */
int sl_config_sasl_settle(struct sl_settings *s, const struct sl_alloc *alloc, struct sl_text *why);

#endif
