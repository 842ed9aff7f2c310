/* Asking for memory before it is needed. A staged record is written by one processor and read by
 * another, and so is a fetched one; each waits for the other's cache unless it asks a few records ahead
 * (measured: a tenth of the CPU of a produced record, and of one that is read). Any address may be
 * given. */
#ifndef SL_BASE_AHEAD_H
#define SL_BASE_AHEAD_H

#include <stddef.h>
#include <stdint.h>

enum {
    SL_AHEAD_LINE = 64,    /* bytes of a cache line; a wrong guess costs time only */
    SL_AHEAD_BYTES = 1024, /* how far ahead; twice as far costs records of 100 bytes a tenth more */
    SL_AHEAD_LINES = 3,    /* what a record of 100 bytes takes with its header */
    SL_AHEAD_MOST = 32     /* lines of one record; arbitrary */
};

/* The line at this address will be read or written. */
static inline void sl_ahead_line(const void *at) {
    __builtin_prefetch(at);
    /* Else a compiler drops calls of functions that do nothing but ask. */
    __asm__ volatile("" : : "r"(at));
}

/* So many bytes will be. */
static inline void sl_ahead_all(const void *at, size_t size) {
    for (size_t i = 0; i < size; i += SL_AHEAD_LINE) sl_ahead_line((const uint8_t *)at + i);
}

/* What lies ahead will be read. */
static inline void sl_ahead_read(const void *now) {
    const uint8_t *at = (const uint8_t *)now + SL_AHEAD_BYTES;
    for (size_t i = 0; i < SL_AHEAD_LINES; i++) __builtin_prefetch(at + i * SL_AHEAD_LINE);
}

/* The line at this address will be written. Any address may be given. */
static inline void sl_ahead_own(const uint8_t *at) {
#if defined(__x86_64__)
    /* What compilers give without leave for more only reads; this does nothing where it is not
     * known. */
    __asm__ volatile("prefetchw %0" : : "m"(*at));
#else
    __builtin_prefetch(at, 1);
#endif
}

/* So many bytes have been written here, and as many will be ahead. Larger records pass over a line sooner: for
 * those of 1,000 bytes twice as far, and all their lines, save a tenth. */
static inline void sl_ahead_write(const void *now, size_t size) {
    const uint8_t *at = (const uint8_t *)now + SL_AHEAD_BYTES;
    if (size <= (size_t)SL_AHEAD_LINES * SL_AHEAD_LINE) {
        for (size_t i = 0; i < SL_AHEAD_LINES; i++) sl_ahead_own(at + i * SL_AHEAD_LINE);
        return;
    }
    size_t lines = size / SL_AHEAD_LINE + 1;
    if (lines > SL_AHEAD_MOST) lines = SL_AHEAD_MOST;
    for (size_t i = 0; i < lines; i++) sl_ahead_own(at + SL_AHEAD_BYTES + i * SL_AHEAD_LINE);
}

#endif
