/* Reading tables. Nothing here fails for what an application asks: what is not there is null. A
 * column that does not exist is a mistake in the program, though, and would look like a null for
 * ever; so it leaves a story. */
#include "api/table.h"

#include "core/table.h"
#include "driver/client.h"
#include "sluice/table.h"

enum { TABLE_MAGIC = 0x51c07ab1 };

void sl_table_init_result(sluice_table *table, struct sl_table *const *at,
                          struct sluice_client *told) {
    *table = (sluice_table){.magic = TABLE_MAGIC, .at = at, .told = told};
}

static const struct sl_table *table_of(const sluice_table *table) {
    return table != NULL && table->magic == TABLE_MAGIC ? *table->at : NULL;
}

int32_t sluice_table_rows(const sluice_table *table) {
    const struct sl_table *t = table_of(table);
    return t != NULL ? t->row_count : 0;
}

const char *sluice_table_column(const sluice_table *table, int32_t index) {
    const struct sl_table *t = table_of(table);
    return t != NULL && index >= 0 && index < t->column_count ? t->columns[index] : NULL;
}

static void tell_columns(const sluice_table *table, const char *column) {
    const struct sl_table *t = *table->at;
    char story[320];
    struct sl_text text;
    if (table->told == NULL || sl_client_check(table->told) != 0) return;
    sl_text_init(&text, story, sizeof story);
    sl_text_printf(&text, "the table \"%s\" has no column \"%s\"; it has", t->name, column);
    for (int32_t i = 0; i < t->column_count; i++)
        sl_text_printf(&text, "%s %s", i > 0 ? "," : "", t->columns[i]);
    sl_client_remember(table->told, SLUICE_ERR_USAGE, story);
}

/* NULL: there is no such cell. */
static const struct sl_cell *find_cell(const sluice_table *table, int32_t row, const char *column) {
    const struct sl_table *t = table_of(table);
    if (t == NULL || column == NULL) return NULL;
    int32_t index = sl_table_find(t, column);
    if (index < 0) tell_columns(table, column);
    return sl_table_cell(t, row, index);
}

const char *sluice_table_str(const sluice_table *table, int32_t row, const char *column) {
    const struct sl_cell *cell = find_cell(table, row, column);
    return cell != NULL && cell->kind == SL_CELL_TEXT ? cell->as.text : NULL;
}

int64_t sluice_table_int(const sluice_table *table, int32_t row, const char *column,
                         int64_t otherwise) {
    const struct sl_cell *cell = find_cell(table, row, column);
    if (cell == NULL) return otherwise;
    if (cell->kind == SL_CELL_INT) return cell->as.number;
    return cell->kind == SL_CELL_REAL ? (int64_t)cell->as.real : otherwise;
}

double sluice_table_real(const sluice_table *table, int32_t row, const char *column,
                         double otherwise) {
    const struct sl_cell *cell = find_cell(table, row, column);
    if (cell == NULL) return otherwise;
    if (cell->kind == SL_CELL_REAL) return cell->as.real;
    return cell->kind == SL_CELL_INT ? (double)cell->as.number : otherwise;
}

int64_t sluice_table_text(const sluice_table *table, int32_t format, char *buf, size_t cap) {
    const struct sl_table *t = table_of(table);
    struct sl_text text;
    int rv = 0;
    if (t == NULL || (buf == NULL && cap > 0)) return SLUICE_ERR_USAGE;
    sl_text_init(&text, buf, cap);
    switch (format) {
    case SLUICE_TEXT_COLUMNS:
        sl_table_text_columns(t, &text);
        break;
    case SLUICE_TEXT_JSON:
        sl_table_text_json(t, &text);
        break;
    case SLUICE_TEXT_PROMETHEUS:
        rv = sl_table_text_prometheus(t, &text);
        break;
    default:
        rv = SLUICE_ERR_USAGE;
    }
    return rv != 0 ? rv : (int64_t)text.size;
}
