/* Regular expressions: the system's own. Their compiled form is the system's memory, not that of the
 * allocator given, as with all that has no hook for one; it is as large as what the application
 * wrote. */
#include "base/pattern.h"

#include <regex.h>
#include <string.h>

#include "sluice/error.h"

struct sl_pattern {
    const struct sl_alloc *alloc;
    regex_t compiled;
};

int sl_pattern_create(const struct sl_alloc *alloc, const char *expression, struct sl_text *why,
                      struct sl_pattern **out) {
    struct sl_pattern *pattern = sl_alloc_zero(alloc, sizeof *pattern);
    if (pattern == NULL) return SLUICE_ERR_NOMEM;
    pattern->alloc = alloc;
    int code = regcomp(&pattern->compiled, expression, REG_EXTENDED | REG_NOSUB);
    if (code == 0) {
        *out = pattern;
        return 0;
    }
    if (why != NULL) {
        char buf[120];
        (void)regerror(code, &pattern->compiled, buf, sizeof buf);
        sl_text_put(why, buf);
    }
    sl_alloc_free(alloc, pattern, sizeof *pattern);
    return code == REG_ESPACE ? SLUICE_ERR_NOMEM : SLUICE_ERR_USAGE;
}

void sl_pattern_destroy(struct sl_pattern *pattern) {
    if (pattern == NULL) return;
    regfree(&pattern->compiled);
    sl_alloc_free(pattern->alloc, pattern, sizeof *pattern);
}

bool sl_pattern_matches(const struct sl_pattern *pattern, const char *text) {
    return regexec(&pattern->compiled, text, 0, NULL, 0) == 0;
}
