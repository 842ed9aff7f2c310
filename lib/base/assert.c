/* The end of the road for a broken internal invariant: say what and where, print the last trace
 * points of this thread's machine, abort.
 *
 * The state that led here is not to be trusted, so nothing is allocated and no lock is taken
 * beyond that of stderr. Entries are printed one by one through a small buffer, because the
 * thread that fails may have little stack left. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/trace.h"

static void print_attached_trace(const struct sl_trace *t) {
    uint64_t first = t->count > SL_TRACE_RING ? t->count - SL_TRACE_RING : 0;
    for (uint64_t i = first; i < t->count; i++) {
        char buf[160]; /* a name, two labels and three numbers of 20 digits fit */
        struct sl_text line;
        sl_text_init(&line, buf, sizeof buf);
        sl_trace_print(&t->ring[i % SL_TRACE_RING], &line);
        (void)fputs(buf, stderr);
    }
}

_Noreturn void sl_assert_fail(const char *expression, const char *file, int line) {
    (void)fprintf(stderr, "sluice: broken invariant: %s (%s:%d)\n", expression, file, line);
    const struct sl_trace *trace = sl_trace_attached();
    if (trace != NULL) print_attached_trace(trace);
    (void)fflush(stderr);
    abort();
}
