/* Tables as text: aligned columns, JSON, and the exposition format of Prometheus.
 *
 * Numbers are written here rather than by printf, whose decimal point is the locale's. A real one
 * has up to six decimals, which is a nanosecond where the unit is a millisecond. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "api/table.h"
#include "core/table.h"
#include "sluice/error.h"

/* ---- cells ---- */

static void put_real(struct sl_text *out, double real) {
    enum { DECIMALS = 6, SCALE = 1000000 };
    const double most = 9e12;             /* times SCALE it is still an int64_t */
    if (!(real > -most && real < most)) { /* also what is no number */
        sl_text_put(out, real >= most ? "9000000000000" : real <= -most ? "-9000000000000" : "0");
        return;
    }
    int64_t scaled = (int64_t)(real * SCALE + (real < 0 ? -0.5 : 0.5));
    uint64_t size = scaled < 0 ? (uint64_t)-scaled : (uint64_t)scaled;
    uint64_t fraction = size % SCALE;
    int decimals = DECIMALS;
    sl_text_printf(out, "%s%" PRIu64, scaled < 0 ? "-" : "", size / SCALE);
    if (fraction == 0) return;
    for (; fraction % 10 == 0; fraction /= 10) decimals--;
    sl_text_printf(out, ".%0*" PRIu64, decimals, fraction);
}

/* nothing: what stands for null. */
static void put_cell(struct sl_text *out, const struct sl_cell *cell, const char *nothing) {
    switch (cell->kind) {
    case SL_CELL_NULL:
        sl_text_put(out, nothing);
        break;
    case SL_CELL_INT:
        sl_text_printf(out, "%" PRId64, cell->as.number);
        break;
    case SL_CELL_REAL:
        put_real(out, cell->as.real);
        break;
    case SL_CELL_TEXT:
        sl_text_put(out, cell->as.text);
        break;
    }
}

/* Between quotes. JSON and Prometheus agree on \" \\ and \n; other control characters have a form
 * in JSON alone, and are no matter of Prometheus. */
static void put_quoted(struct sl_text *out, const char *text, bool is_json) {
    sl_text_put(out, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            sl_text_printf(out, "\\%c", c);
        else if (c == '\n')
            sl_text_put(out, "\\n");
        else if (c < ' ' && is_json)
            sl_text_printf(out, "\\u%04x", c);
        else
            sl_text_put_len(out, text, 1);
    }
    sl_text_put(out, "\"");
}

/* ---- columns ---- */

static size_t measure_column(const struct sl_table *table, int32_t column) {
    size_t most = strlen(table->columns[column]);
    for (int32_t row = 0; row < table->row_count; row++) {
        struct sl_text width;
        sl_text_init(&width, NULL, 0);
        put_cell(&width, sl_table_cell(table, row, column), "-");
        if (width.size > most) most = width.size;
    }
    return most;
}

static void pad_text(struct sl_text *out, size_t begin, size_t width) {
    for (size_t size = out->size - begin; size < width; size++) sl_text_put(out, " ");
}

void sl_table_text_columns(const struct sl_table *table, struct sl_text *out) {
    enum { COLUMNS_MAX = 32, GAP = 2 };
    size_t widths[COLUMNS_MAX];
    int32_t columns = table->column_count < COLUMNS_MAX ? table->column_count : COLUMNS_MAX;
    for (int32_t i = 0; i < columns; i++) widths[i] = measure_column(table, i) + GAP;
    for (int32_t row = -1; row < table->row_count; row++) {
        for (int32_t i = 0; i < columns; i++) {
            size_t begin = out->size;
            if (row < 0)
                sl_text_put(out, table->columns[i]);
            else
                put_cell(out, sl_table_cell(table, row, i), "-");
            if (i + 1 < columns) pad_text(out, begin, widths[i]);
        }
        sl_text_put(out, "\n");
    }
}

/* ---- JSON ---- */

static void put_json_row(const struct sl_table *table, int32_t row, struct sl_text *out) {
    const char *between = "";
    sl_text_put(out, "{");
    for (int32_t i = 0; i < table->column_count; i++) {
        const struct sl_cell *cell = sl_table_cell(table, row, i);
        if (cell->kind == SL_CELL_NULL) continue;
        sl_text_put(out, between);
        between = ",";
        put_quoted(out, table->columns[i], true);
        sl_text_put(out, ":");
        if (cell->kind == SL_CELL_TEXT)
            put_quoted(out, cell->as.text, true);
        else
            put_cell(out, cell, "null");
    }
    sl_text_put(out, "}");
}

void sl_table_text_json(const struct sl_table *table, struct sl_text *out) {
    sl_text_put(out, "[");
    for (int32_t row = 0; row < table->row_count; row++) {
        if (row > 0) sl_text_put(out, ",\n");
        put_json_row(table, row, out);
    }
    sl_text_put(out, "]\n");
}

/* ---- Prometheus ---- */

/* The columns that make a table one of metrics. */
struct metric_places {
    int32_t group, name, type, value;
};

/* Names may have letters, digits and underscores. */
static void put_label_name(struct sl_text *out, const char *name, size_t size) {
    for (size_t i = 0; i < size; i++) sl_text_put_len(out, name[i] == '-' ? "_" : name + i, 1);
}

static void put_metric_name(struct sl_text *out, const char *group, const char *name) {
    static const char ending[] = "-metrics";
    size_t size = strlen(group);
    size_t cut = sizeof ending - 1;
    if (size > cut && strcmp(group + size - cut, ending) == 0) size -= cut;
    sl_text_put(out, "sluice_");
    put_label_name(out, group, size);
    sl_text_put(out, "_");
    put_label_name(out, name, strlen(name));
}

static bool is_label(const struct metric_places *at, int32_t column) {
    return column != at->group && column != at->name && column != at->type && column != at->value;
}

static void put_labels(const struct sl_table *table, int32_t row, const struct metric_places *at,
                       struct sl_text *out) {
    const char *between = "{";
    for (int32_t i = 0; i < table->column_count; i++) {
        const struct sl_cell *cell = sl_table_cell(table, row, i);
        if (!is_label(at, i) || cell->kind == SL_CELL_NULL) continue;
        sl_text_put(out, between);
        between = ",";
        put_label_name(out, table->columns[i], strlen(table->columns[i]));
        sl_text_put(out, "=");
        if (cell->kind == SL_CELL_TEXT) {
            put_quoted(out, cell->as.text, false);
        } else {
            sl_text_put(out, "\"");
            put_cell(out, cell, "");
            sl_text_put(out, "\"");
        }
    }
    if (*between == ',') sl_text_put(out, "}");
}

int sl_table_text_prometheus(const struct sl_table *table, struct sl_text *out) {
    struct metric_places at = {sl_table_find(table, "group"), sl_table_find(table, "name"),
                               sl_table_find(table, "type"), sl_table_find(table, "value")};
    const char *last_group = "", *last_name = "";
    if (at.group < 0 || at.name < 0 || at.type < 0 || at.value < 0) return SLUICE_ERR_USAGE;
    for (int32_t row = 0; row < table->row_count; row++) {
        const struct sl_cell *value = sl_table_cell(table, row, at.value);
        const char *group = sl_table_cell(table, row, at.group)->as.text;
        const char *name = sl_table_cell(table, row, at.name)->as.text;
        if (value->kind == SL_CELL_NULL) continue;
        if (strcmp(group, last_group) != 0 || strcmp(name, last_name) != 0) {
            sl_text_put(out, "# TYPE ");
            put_metric_name(out, group, name);
            sl_text_printf(out, " %s\n", sl_table_cell(table, row, at.type)->as.text);
        }
        last_group = group;
        last_name = name;
        put_metric_name(out, group, name);
        put_labels(table, row, &at, out);
        sl_text_put(out, " ");
        put_cell(out, value, "");
        sl_text_put(out, "\n");
    }
    return 0;
}
