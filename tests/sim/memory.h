/* The memory of one simulated host: an allocator that counts, fails on demand, and makes misuse
 * visible. New memory is filled with one byte and freed memory with another; freed blocks wait in
 * a queue before they go back, and a block that was written meanwhile is a violation. A resize
 * always moves. So a read of freed memory gives the same wrong bytes in every run of a seed. */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "sluice/types.h"

struct memory_block;
struct memory {
    int64_t live; /* bytes handed out and not given back */
    int64_t peak;
    int64_t blocks;              /* the same, counted */
    uint64_t calls;              /* calls that could have failed, ever */
    uint64_t failures;           /* calls that did */
    uint64_t fail_at;            /* the call with this number fails; 0: none */
    uint64_t fail_from;          /* those from this one on fail; 0: none */
    bool fails;                  /* every call fails */
    bool keeps_nothing;          /* freed blocks go back at once (leak checkers see more then) */
    struct memory_block *oldest; /* freed blocks, waiting */
    struct memory_block *newest;
    int64_t waiting;    /* bytes of them */
    const char *damage; /* the first misuse that was seen; NULL: none */
};

/* A call may fail soon. */
bool memory_is_short(const struct memory *m);
void memory_init(struct memory *m);
/* Frees the waiting blocks, looking at each. What is still live stays, and is the caller's to
 * complain about. */
void memory_deinit(struct memory *m);
sluice_allocator memory_public(struct memory *m);
struct sl_alloc memory_internal(struct memory *m);

#endif
