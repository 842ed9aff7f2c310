/* Delivery reports as applications read them. */
#ifndef SL_API_DELIVERIES_H
#define SL_API_DELIVERIES_H

#include "core/command.h"
#include "sluice/types.h"

/* The public form of a report; texts and tags stay the report's. */
void sl_deliveries_fill(const struct sl_delivery *d, sluice_delivery *out);

#endif
