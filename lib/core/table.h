/* Tables: rows of named columns, made once and then only read. What an operation answers with that
 * is neither a number nor a list of offsets. */
#ifndef SL_CORE_TABLE_H
#define SL_CORE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"

enum sl_cell_kind { SL_CELL_NULL = 0, SL_CELL_INT, SL_CELL_REAL, SL_CELL_TEXT };
struct sl_cell {
    enum sl_cell_kind kind;
    union {
        int64_t number;
        double real;
        const char *text; /* static, or kept by the table */
    } as;
};
struct sl_table {
    const struct sl_alloc *alloc;
    const char *name;
    const char *const *columns; /* borrowed: static */
    int32_t column_count;
    int32_t row_count;
    int32_t row_cap;
    bool failed;           /* memory was short: rows are missing */
    struct sl_cell *cells; /* owned: row_cap rows of column_count */
    struct sl_arena texts;
};

/* name, columns: static. 0 or NOMEM. */
int sl_table_create(const struct sl_alloc *alloc, const char *name, const char *const *columns,
                    int32_t column_count, struct sl_table **out);
/* NULL is fine. */
void sl_table_destroy(struct sl_table *table);
/* A new last row of nulls, valid until the next is added. NULL: out of memory, remembered. */
struct sl_cell *sl_table_add(struct sl_table *table);
/* A copy of the text that lives as long as the table. NULL: out of memory, remembered. */
const char *sl_table_keep(struct sl_table *table, const char *text);
/* The place of a column, -1: there is none. */
int32_t sl_table_find(const struct sl_table *table, const char *column);
/* NULL: there is no such row or column. */
const struct sl_cell *sl_table_cell(const struct sl_table *table, int32_t row, int32_t column);

static inline struct sl_cell sl_table_int(int64_t number) {
    return (struct sl_cell){.kind = SL_CELL_INT, .as.number = number};
}
static inline struct sl_cell sl_table_real(double real) {
    return (struct sl_cell){.kind = SL_CELL_REAL, .as.real = real};
}
/* NULL: a null cell. */
static inline struct sl_cell sl_table_text(const char *text) {
    return (struct sl_cell){.kind = text != NULL ? SL_CELL_TEXT : SL_CELL_NULL, .as.text = text};
}

#endif
