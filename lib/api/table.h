/* A public table: core's table with a handle around it, inside the ticket of its operation. */
#ifndef SL_API_TABLE_H
#define SL_API_TABLE_H

#include <stdint.h>

#include "base/text.h"
#include "sluice/types.h"

struct sl_table;

struct sluice_table {
    uint32_t magic;
    struct sl_table *const *at; /* the op's; there once it has ended */
    struct sluice_client *told; /* whose stories say of mistakes; NULL: nobody's */
};

/* The handle of the table that an op will have. */
void sl_table_init_result(sluice_table *table, struct sl_table *const *at,
                          struct sluice_client *told);

/* ---- table_text.c ---- */

/* The forms of sluice_table_text. */
void sl_table_text_columns(const struct sl_table *table, struct sl_text *out);
void sl_table_text_json(const struct sl_table *table, struct sl_text *out);
/* 0, or USAGE: it is no table of metrics. */
int sl_table_text_prometheus(const struct sl_table *table, struct sl_text *out);

#endif
