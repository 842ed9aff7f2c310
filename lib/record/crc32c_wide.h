/* CRC-32C in the widest registers that x86-64 has: between crc32c.c and crc32c_wide.c. */
#ifndef SL_RECORD_CRC32C_WIDE_H
#define SL_RECORD_CRC32C_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From so many bytes on it is faster (measured). */
enum { SL_CRC32C_WIDE_LEAST = 512 };

/* The processor can do it. Always false but on x86-64. */
bool sl_crc32c_wide_is_there(void);
/* Continues an inverted sum over as many whole blocks as there are in size, at least
 * SL_CRC32C_WIDE_LEAST bytes; *done: how many bytes that was. */
uint32_t sl_crc32c_wide_add(uint32_t sum, const uint8_t *p, size_t size, size_t *done);

#endif
