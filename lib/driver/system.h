/* The clock, entropy and size of the system: the only file that asks for them. */
#ifndef SL_DRIVER_SYSTEM_H
#define SL_DRIVER_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic nanoseconds. */
int64_t sl_system_now(void);
/* Unix milliseconds. */
int64_t sl_system_wall_ms(void);
/* Sleeps for about so many nanoseconds, less than a second. */
void sl_system_pause(int64_t nanoseconds);
/* Fills buf with entropy. 0 or SLUICE_ERR_SYSTEM. */
int sl_system_entropy(void *buf, size_t size);
/* Processors that this process may run on, at least 1. */
int32_t sl_system_processors(void);
/* One line to stderr, level as syslog has it. May block for as long as stderr does. */
void sl_system_log(int level, const char *line);
/* What an errno means, in words. */
void sl_system_put_error(char *text, size_t cap, int error);

#endif
