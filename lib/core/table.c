/* Tables: cells in one block that doubles, texts in an arena. Adding is sticky: a table that ran
 * out of memory says so once, to whoever finishes it.
 *
 * Not here: reading by applications, and text forms (api/table.c). */
#include "core/table.h"

#include <string.h>

#include "sluice/error.h"

int sl_table_create(const struct sl_alloc *alloc, const char *name, const char *const *columns,
                    int32_t column_count, struct sl_table **out) {
    struct sl_table *table = sl_alloc_zero(alloc, sizeof *table);
    if (table == NULL) return SLUICE_ERR_NOMEM;
    table->alloc = alloc;
    table->name = name;
    table->columns = columns;
    table->column_count = column_count;
    sl_arena_init(&table->texts, alloc, 0);
    *out = table;
    return 0;
}

static size_t count_cells(const struct sl_table *table, int32_t rows) {
    return (size_t)rows * (size_t)table->column_count;
}

void sl_table_destroy(struct sl_table *table) {
    if (table == NULL) return;
    sl_arena_deinit(&table->texts);
    sl_alloc_free(table->alloc, table->cells,
                  count_cells(table, table->row_cap) * sizeof *table->cells);
    sl_alloc_free(table->alloc, table, sizeof *table);
}

static bool grow_table(struct sl_table *table) {
    enum { TABLE_FIRST_ROWS = 64 };
    if (table->row_cap > INT32_MAX / 2) return false;
    int32_t cap = table->row_cap == 0 ? TABLE_FIRST_ROWS : table->row_cap * 2;
    struct sl_cell *cells =
        sl_alloc_resize(table->alloc, table->cells, count_cells(table, table->row_cap),
                        count_cells(table, cap), sizeof *cells);
    if (cells == NULL) return false;
    table->cells = cells;
    table->row_cap = cap;
    return true;
}

struct sl_cell *sl_table_add(struct sl_table *table) {
    if (table->row_count == table->row_cap && !grow_table(table)) {
        table->failed = true;
        return NULL;
    }
    struct sl_cell *row = table->cells + count_cells(table, table->row_count++);
    memset(row, 0, count_cells(table, 1) * sizeof *row);
    return row;
}

const char *sl_table_keep(struct sl_table *table, const char *text) {
    const char *kept = sl_arena_text(&table->texts, text, strlen(text));
    if (kept == NULL) table->failed = true;
    return kept;
}

int32_t sl_table_find(const struct sl_table *table, const char *column) {
    for (int32_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i], column) == 0) return i;
    return -1;
}

const struct sl_cell *sl_table_cell(const struct sl_table *table, int32_t row, int32_t column) {
    if (row < 0 || row >= table->row_count || column < 0 || column >= table->column_count)
        return NULL;
    return table->cells + count_cells(table, row) + column;
}
