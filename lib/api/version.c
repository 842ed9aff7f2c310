/* Which version the library is, and what was built in. */
#include "sluice/version.h"

uint32_t sluice_version_number(void) {
    return (uint32_t)SLUICE_VERSION_MAJOR << 24 | (uint32_t)SLUICE_VERSION_MINOR << 16 |
           (uint32_t)SLUICE_VERSION_PATCH << 8;
}

const char *sluice_version_text(void) { return SLUICE_VERSION; }

const char *sluice_version_features(void) { return "gzip snappy lz4 zstd testbroker"; }
