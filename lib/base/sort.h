/* A stable sort of pointers: n log n in every case, so that no input can make it slow. */
#ifndef SL_BASE_SORT_H
#define SL_BASE_SORT_H

#include <stddef.h>

/* Below zero, zero or above: a goes before, with or behind b. */
typedef int sl_sort_compare(const void *a, const void *b);

/* Sorts items; what compares as equal keeps its order. scratch: room for count pointers. */
void sl_sort_pointers(const void **items, const void **scratch, size_t count,
                      sl_sort_compare *compare);

#endif
