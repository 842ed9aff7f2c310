/* Reading a table of metrics in tests: a value by group, name and what it is of. */
#ifndef SL_TEST_CORE_METRICS_H
#define SL_TEST_CORE_METRICS_H

#include "core/table.h"

/* What stands in a cell, as a text; "" for null. */
static inline const char *metric_cell(const struct sl_table *t, int32_t row, const char *column,
                                      char buf[64]) {
    const struct sl_cell *cell = sl_table_cell(t, row, sl_table_find(t, column));
    assert_non_null(cell);
    buf[0] = '\0';
    if (cell->kind == SL_CELL_TEXT) return cell->as.text;
    if (cell->kind == SL_CELL_INT) (void)snprintf(buf, 64, "%lld", (long long)cell->as.number);
    if (cell->kind == SL_CELL_REAL) (void)snprintf(buf, 64, "%.6f", cell->as.real);
    return buf;
}
/* The row of the metric whose column (NULL: any) has this text; there must be exactly one. */
static inline int32_t metric_row(const struct sl_table *t, const char *group, const char *name,
                                 const char *column, const char *text) {
    int32_t found = -1;
    char buf[64];
    for (int32_t row = 0; row < t->row_count; row++) {
        if (strcmp(metric_cell(t, row, "group", buf), group) != 0) continue;
        if (strcmp(metric_cell(t, row, "name", buf), name) != 0) continue;
        if (column != NULL && strcmp(metric_cell(t, row, column, buf), text) != 0) continue;
        if (found >= 0) fail_msg("%s %s is there twice", group, name);
        found = row;
    }
    if (found < 0) fail_msg("%s %s of %s is not there", group, name, text != NULL ? text : "all");
    return found;
}
static inline const struct sl_cell *metric_value(const struct sl_table *t, const char *group,
                                                 const char *name, const char *column,
                                                 const char *text) {
    int32_t row = metric_row(t, group, name, column, text);
    return sl_table_cell(t, row, sl_table_find(t, "value"));
}
static inline void expect_metric_of(const struct sl_table *t, const char *group, const char *name,
                                    const char *column, const char *text, int64_t value) {
    const struct sl_cell *cell = metric_value(t, group, name, column, text);
    if (cell->kind != SL_CELL_INT) fail_msg("%s is no integer", name);
    if (cell->as.number != value)
        fail_msg("%s is %lld, not %lld", name, (long long)cell->as.number, (long long)value);
}
static inline void expect_real_of(const struct sl_table *t, const char *group, const char *name,
                                  const char *column, const char *text, double value) {
    const struct sl_cell *cell = metric_value(t, group, name, column, text);
    if (cell->kind != SL_CELL_REAL) fail_msg("%s is no real number", name);
    double away = cell->as.real - value;
    if (away < -1e-6 || away > 1e-6) fail_msg("%s is %f, not %f", name, cell->as.real, value);
}
static inline void expect_metric(const struct sl_table *t, const char *group, const char *name,
                                 int64_t value) {
    expect_metric_of(t, group, name, NULL, NULL, value);
}
static inline void expect_real(const struct sl_table *t, const char *group, const char *name,
                               double value) {
    expect_real_of(t, group, name, NULL, NULL, value);
}
static inline void expect_null(const struct sl_table *t, const char *group, const char *name) {
    assert_int_equal(metric_value(t, group, name, NULL, NULL)->kind, SL_CELL_NULL);
}

#endif
