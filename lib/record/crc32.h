/* CRC-32 (the one of gzip, not that of record batches): a hash of keys that other clients use. */
#ifndef SL_RECORD_CRC32_H
#define SL_RECORD_CRC32_H

#include <stdint.h>

/* Of size bytes; 0 of none. data may be NULL then. */
uint32_t sl_crc32(const void *data, uint32_t size);

#endif
