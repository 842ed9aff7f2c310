/* The allocator seam: every byte the library takes goes through a struct sl_alloc. Any call may
 * fail and returns NULL; sizes are given back on free, so an allocator needs no headers. */
#ifndef SL_BASE_ALLOC_H
#define SL_BASE_ALLOC_H

#include <stddef.h>

/* 1: built with AddressSanitizer, which notices an overrun only when each piece has a block of its own. Who
 * puts several into one block does so with 0 alone. */
#if defined(__SANITIZE_ADDRESS__)
#define SL_ALLOC_IS_GUARDED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SL_ALLOC_IS_GUARDED 1
#endif
#endif
#ifndef SL_ALLOC_IS_GUARDED
#define SL_ALLOC_IS_GUARDED 0
#endif

/* One function does all: old NULL allocates, new_size 0 frees and returns NULL, otherwise the
 * block is resized and on failure stays as it was. Same shape as the public sluice_allocator. */
struct sl_alloc {
    void *(*resize)(void *user, void *old, size_t old_size, size_t new_size);
    void *user;
};

/* The C library's allocator. */
const struct sl_alloc *sl_alloc_default(void);

/* size bytes, not initialised. size must be > 0. */
void *sl_alloc_get(const struct sl_alloc *a, size_t size);
/* size bytes of zeros. */
void *sl_alloc_zero(const struct sl_alloc *a, size_t size);
/* count * size bytes of zeros, both > 0; NULL when the product overflows too. */
void *sl_alloc_array(const struct sl_alloc *a, size_t count, size_t size);
/* Resizes an array from old_count to new_count (> 0) elements; the new part is not initialised.
 * old NULL with old_count 0 allocates. On failure or overflow returns NULL and old stays valid. */
void *sl_alloc_resize(const struct sl_alloc *a, void *old, size_t old_count, size_t new_count,
                      size_t size);
/* Frees; old may be NULL. size is what it was allocated with. */
void sl_alloc_free(const struct sl_alloc *a, void *old, size_t size);
/* Clears memory that held a secret, however soon it is freed. */
void sl_alloc_wipe(void *secret, size_t size);
/* Clears and frees a NUL-terminated text; it may be NULL. */
void sl_alloc_free_secret(const struct sl_alloc *a, char *text);
/* A NUL-terminated copy of len bytes; free with size len + 1. */
char *sl_alloc_text(const struct sl_alloc *a, const char *text, size_t len);

#endif
