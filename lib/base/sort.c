/* Merge sort from below: runs of one, two, four … are merged from one array into the other and the
 * arrays change places. The C library's qsort is no choice where input comes from peers: it may take
 * n * n steps, allocate, and order equal items as it likes. */
#include "base/sort.h"

#include <stdbool.h>
#include <string.h>

/* Merges [low, middle) and [middle, high) of from into the same place of to. */
static void merge_runs(const void **from, const void **to, size_t low, size_t middle, size_t high,
                       sl_sort_compare *compare) {
    size_t left = low;
    size_t right = middle;
    for (size_t at = low; at < high; at++) {
        bool take_left = right == high || (left < middle && compare(from[left], from[right]) <= 0);
        to[at] = take_left ? from[left++] : from[right++];
    }
}

void sl_sort_pointers(const void **items, const void **scratch, size_t count,
                      sl_sort_compare *compare) {
    const void **from = items;
    const void **to = scratch;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t middle = count - low > width ? low + width : count;
            size_t high = count - middle > width ? middle + width : count;
            merge_runs(from, to, low, middle, high, compare);
        }
        const void **swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, count * sizeof *items);
}
