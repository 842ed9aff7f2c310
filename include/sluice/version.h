/* sluice: which version this is. The macros are the header's, the functions the library's. */
#ifndef SLUICE_VERSION_H
#define SLUICE_VERSION_H

#include "sluice/types.h"

#define SLUICE_VERSION_MAJOR 0
#define SLUICE_VERSION_MINOR 1
#define SLUICE_VERSION_PATCH 0
#define SLUICE_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version as a number: 0xMMmmpp00.
 * Returns the number.
 * Thread: any, also in signal handlers.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API uint32_t sluice_version_number(void);

/* The library's version as text: "0.1.0".
 * Returns a static text.
 * Thread: any, also in signal handlers.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API const char *sluice_version_text(void);

/* What this build can do: "gzip snappy lz4 zstd …".
 * Returns a static text of words.
 * Thread: any, also in signal handlers.  Blocks: no.  Owns: nothing.  Since: 0.1 */
SLUICE_API const char *sluice_version_features(void);

#ifdef __cplusplus
}
#endif

#endif
