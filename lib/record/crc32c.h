/* CRC-32C (Castagnoli), by instruction on x86-64 (SSE4.2, AVX-512) and ARM64 where the processor has
 * it, by table elsewhere; each call looks at what the compiler's runtime found, so nothing is locked. */
#ifndef SL_RECORD_CRC32C_H
#define SL_RECORD_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues a checksum: start with 0; sl_crc32c(sl_crc32c(0, a), b) is that of a followed by b. */
uint32_t sl_crc32c(uint32_t crc, const void *data, size_t size);
/* That of a followed by b, of their own checksums: for bytes that were summed while they were at
 * hand. second_size: of b, at most INT32_MAX. */
uint32_t sl_crc32c_join(uint32_t first, uint32_t second, size_t second_size);
/* The same without the widest registers, for tests and for short data. */
uint32_t sl_crc32c_narrow(uint32_t crc, const void *data, size_t size);
/* The portable forms, for tests and as the fallback. */
uint32_t sl_crc32c_table(uint32_t crc, const void *data, size_t size);
uint32_t sl_crc32c_join_table(uint32_t first, uint32_t second, size_t second_size);

#endif
