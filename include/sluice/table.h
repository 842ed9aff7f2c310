/* sluice: tables: what an operation answers with that is more than a number or a list. A table
 * tells its own columns, never changes, and belongs to its operation (sluice_op_table). Rows count
 * from 0, columns go by name. */
#ifndef SLUICE_TABLE_H
#define SLUICE_TABLE_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many rows a table has.
 * table    may be NULL.
 * Returns the number; 0 for NULL.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int32_t sluice_table_rows(const sluice_table *table);

/* The name of a column.
 * index    from 0.
 * Returns the name, or NULL past the last.
 * Thread: any.  Blocks: no.  Owns: the op.  Since: 0.1 */
SLUICE_API const char *sluice_table_column(const sluice_table *table, int32_t index);

/* The text in a cell. Asking for a column that there is not leaves a story that names those there
 * are (sluice_client_explain with SLUICE_ERR_USAGE); so with the next two calls.
 * Returns the text, or NULL: the cell is null or has a number, or there is no such cell.
 * Thread: any.  Blocks: no.  Owns: the op.  Since: 0.1 */
SLUICE_API const char *sluice_table_str(const sluice_table *table, int32_t row, const char *column);

/* The number in a cell, as an integer; a real one loses its fraction.
 * Returns the number, or `otherwise`: the cell is null or has a text, or there is no such cell.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int64_t sluice_table_int(const sluice_table *table, int32_t row, const char *column,
                                    int64_t otherwise);

/* The number in a cell, as a real one: rates, averages, quotas.
 * Returns the number, or `otherwise`: the cell is null or has a text, or there is no such cell.
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API double sluice_table_real(const sluice_table *table, int32_t row, const char *column,
                                    double otherwise);

/* The whole table as text.
 * format   SLUICE_TEXT_COLUMNS: for people, aligned, a line a row, "-" for null;
 *          SLUICE_TEXT_JSON: an array of objects, in which nulls are left out;
 *          SLUICE_TEXT_PROMETHEUS: the exposition format 0.0.4, of a table of metrics only: a
 *          metric is called sluice_GROUP_NAME (without the group's "-metrics"), its labels are the
 *          columns that say what it is of, and rows without a value are left out.
 * buf, cap where the text goes; always terminated when cap > 0.
 * Returns the length of the whole text, or SLUICE_ERR_USAGE (no such format, or not of this table).
 * Thread: any.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int64_t sluice_table_text(const sluice_table *table, int32_t format, char *buf,
                                     size_t cap);

#ifdef __cplusplus
}
#endif

#endif
