/* Assertions in two tiers, about our own state only: never about what a peer, the user or the
 * allocator did (those are errors, DESIGN.md "Errors").
 *
 * SL_ASSERT       always on: a broken internal invariant dumps the trace ring and aborts.
 * SL_CHECK        on in check builds (-DSL_CHECKS=1): may be expensive.
 * SL_UNREACHABLE  a branch that our own state machine cannot take. */
#ifndef SL_BASE_ASSERT_H
#define SL_BASE_ASSERT_H

#include "base/hot.h"

/* Prints the expression and place, writes the trace ring of this thread (sl_trace_dump) to
 * stderr, and aborts. */
_Noreturn SL_APART void sl_assert_fail(const char *expression, const char *file, int line);

#define SL_ASSERT(e) ((e) ? (void)0 : sl_assert_fail(#e, __FILE__, __LINE__))
#define SL_UNREACHABLE() sl_assert_fail("unreachable", __FILE__, __LINE__)
#ifdef SL_CHECKS
#define SL_CHECK(e) SL_ASSERT(e)
#else
#define SL_CHECK(e) ((void)sizeof(e))
#endif

#endif
