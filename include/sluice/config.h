/* sluice: settings and error texts.
 *
 * A config is sticky: a failed set is remembered, so that opening a client reports every mistake
 * at once. Names are the Java client's or librdkafka's; docs and defaults are in the property
 * table (sluice_config_property), which also prints the manual. */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes an empty config: every property has its default.
 * Returns the config, or NULL without memory; NULL is accepted everywhere and reported by open.
 * Thread: any.  Blocks: no.  Owns: yours, free it.  Since: 0.1 */
SLUICE_API sluice_config *sluice_config_create(void);

/* Frees a config; secrets are wiped. Clients that were opened with it have their own copy.
 * config   may be NULL.
 * Returns nothing.
 * Thread: any.  Blocks: no.  Owns: takes the config.  Since: 0.1 */
SLUICE_API void sluice_config_free(sluice_config *config);

/* Sets one property. An unknown name, or a value that is malformed or out of range, is remembered
 * and listed by the next check or open, with what was probably meant.
 * name     the Java client's name or librdkafka's, copied.
 * value    as text, copied; NULL sets the default again.
 * Returns 0 or SLUICE_ERR_CONFIG, SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE (no config, no name).
 * Thread: one at a time.  Blocks: no.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API int sluice_config_set(sluice_config *config, const char *name, const char *value);

/* Sets every property of a .properties file (name=value lines, # and ! comments, \ continues).
 * Mistakes carry the line number.
 * path     of the file.
 * Returns 0 or SLUICE_ERR_CONFIG, SLUICE_ERR_SYSTEM (cannot be read), SLUICE_ERR_NOMEM.
 * Thread: one at a time.  Blocks: on the file.  Owns: nothing after return.  Since: 0.1 */
SLUICE_API int sluice_config_load(sluice_config *config, const char *path);

/* Says what opening a client of this role would say.
 * role     SLUICE_PRODUCER, SLUICE_CONSUMER or SLUICE_ADMIN.
 * Returns 0 or SLUICE_ERR_CONFIG (sluice_config_message has every mistake), SLUICE_ERR_NOMEM,
 * SLUICE_ERR_USAGE.
 * Thread: one at a time.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_config_check(sluice_config *config, int32_t role);

/* Every mistake of the last check or open, a line each; secrets are masked, control characters
 * written as in .properties files.
 * Returns the text, "" when there was none; valid until the next call with this config.
 * Thread: one at a time.  Blocks: no.  Owns: the config.  Since: 0.1 */
SLUICE_API const char *sluice_config_message(const sluice_config *config);

/* The effective settings of a role, a line each: name=value and whence; secrets masked,
 * control characters written as in .properties files.
 * buf, cap   where the text goes; always terminated when cap > 0.
 * Returns the length of the whole text, or a negative code (SLUICE_ERR_USAGE).
 * Thread: one at a time.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int64_t sluice_config_text(const sluice_config *config, int32_t role, char *buf,
                                      size_t cap);

/* Reads the property table, which is static.
 * index    from 0.
 * out, size  the struct to fill and sizeof it.
 * Returns 1, 0 past the last, or SLUICE_ERR_USAGE (another size, an index below 0).
 * Thread: any.  Blocks: no.  Owns: nothing; texts are static.  Since: 0.1 */
SLUICE_API int sluice_config_property(int32_t index, sluice_property *out, size_t size);

/* Sends log lines to a function instead of stderr. The one callback on a foreign thread.
 * fn       NULL: back to log.to.
 * user     handed to fn.
 * Returns nothing.
 * Thread: one at a time.  Blocks: no.  Owns: user stays yours and outlives the client.  Since: 0.1
 */
SLUICE_API void sluice_config_log(sluice_config *config, sluice_log_fn fn, void *user);

/* Gives the allocator for all memory of clients opened with this config.
 * memory, size   copied, and sizeof it; NULL: the C library's.
 * Returns nothing; a size that is no size of this struct is a mistake that open reports.
 * Thread: one at a time.  Blocks: no.  Owns: user outlives the client.  Since: 0.1 */
SLUICE_API void sluice_config_memory(sluice_config *config, const sluice_allocator *memory,
                                     size_t size);

/* The name of a code: "SLUICE_ERR_TIMEOUT", "TOPIC_ALREADY_EXISTS".
 * Returns a static text; "UNKNOWN_CODE" for a code that nobody defined.
 * Thread: any, also in signal handlers.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API const char *sluice_error_name(int code);

/* What a code means, in a sentence.
 * Returns a static text.
 * Thread: any, also in signal handlers.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API const char *sluice_error_text(int code);

/* What to do about a code.
 * Returns one of SLUICE_CLASS_*; SLUICE_CLASS_NOTICE for 0.
 * Thread: any, also in signal handlers.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API int32_t sluice_error_class(int code);

#ifdef __cplusplus
}
#endif

#endif
