/* zlib's CRC-32, which every build has for gzip anyway.
 *
 * Here and not where it is used, because core names no library but ours. */
#include "record/crc32.h"

#include <zlib.h>

uint32_t sl_crc32(const void *data, uint32_t size) {
    /* zlib takes NULL for a question about the initial value, which is 0 as well. */
    return (uint32_t)crc32(0, data, size);
}
