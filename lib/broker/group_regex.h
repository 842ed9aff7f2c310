/* Regular expressions over topic names, as subscriptions have them: the part of RE2's syntax that
 * people use for names. A name matches when all of it does. */
#ifndef SL_BROKER_GROUP_REGEX_H
#define SL_BROKER_GROUP_REGEX_H

#include <stdbool.h>

#include "base/alloc.h"
#include "base/bytes.h"

struct sl_group_regex;

/* 0, or Kafka's 128 INVALID_REGULAR_EXPRESSION, or NOMEM. */
int sl_group_regex_create(const struct sl_alloc *alloc, struct sl_str pattern,
                          struct sl_group_regex **out);
/* NULL is fine. */
void sl_group_regex_destroy(const struct sl_alloc *alloc, struct sl_group_regex *regex);
bool sl_group_regex_matches(const struct sl_group_regex *regex, struct sl_str text);

#endif
