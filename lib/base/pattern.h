/* Regular expressions of the POSIX extended kind. */
#ifndef SL_BASE_PATTERN_H
#define SL_BASE_PATTERN_H

#include <stdbool.h>

#include "base/alloc.h"
#include "base/text.h"

struct sl_pattern;

/* 0, NOMEM, or USAGE: it is none; *why says what is wrong (NULL: nobody wants to know). */
int sl_pattern_create(const struct sl_alloc *alloc, const char *expression, struct sl_text *why,
                      struct sl_pattern **out);
void sl_pattern_destroy(struct sl_pattern *pattern); /* NULL is fine */
/* Whether it is found anywhere in the text: "^a" finds texts that begin with a. */
bool sl_pattern_matches(const struct sl_pattern *pattern, const char *text);

#endif
