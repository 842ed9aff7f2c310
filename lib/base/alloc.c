/* The allocator seam over one resize function, and the C library's allocator behind it.
 *
 * This file is the only one in the library that calls realloc and free. Everything else receives
 * a struct sl_alloc, so that an application can supply its own memory and a test can make any
 * single allocation fail.
 *
 * Invariants: a size that reaches the allocator is never 0 unless the call is a free, and a
 * product of count and size has been checked for overflow. A size of 0 from a caller is a bug on
 * our side (callers skip empty arrays), because NULL could then mean success or failure.
 *
 * Not done here: no accounting and no limits; budgets are kept by those who know what the memory
 * is for. */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static void *resize_with_libc(void *user, void *old, size_t old_size, size_t new_size) {
    (void)user;
    (void)old_size;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, new_size);
}

static const struct sl_alloc libc_alloc = {resize_with_libc, NULL};

const struct sl_alloc *sl_alloc_default(void) { return &libc_alloc; }

void *sl_alloc_get(const struct sl_alloc *a, size_t size) {
    SL_ASSERT(size > 0);
    return a->resize(a->user, NULL, 0, size);
}

void *sl_alloc_zero(const struct sl_alloc *a, size_t size) {
    void *block = sl_alloc_get(a, size);
    if (block != NULL) memset(block, 0, size);
    return block;
}

void *sl_alloc_array(const struct sl_alloc *a, size_t count, size_t size) {
    SL_ASSERT(count > 0 && size > 0);
    if (count > SIZE_MAX / size) return NULL;
    return sl_alloc_zero(a, count * size);
}

void *sl_alloc_resize(const struct sl_alloc *a, void *old, size_t old_count, size_t new_count,
                      size_t size) {
    SL_ASSERT(new_count > 0 && size > 0);
    SL_ASSERT((old == NULL) == (old_count == 0));
    if (new_count > SIZE_MAX / size) return NULL;
    return a->resize(a->user, old, old_count * size, new_count * size);
}

void sl_alloc_free(const struct sl_alloc *a, void *old, size_t size) {
    if (old != NULL) (void)a->resize(a->user, old, size, 0);
}

/* Volatile, so that the compiler does not leave out stores to memory that is freed next. */
void sl_alloc_wipe(void *secret, size_t size) {
    volatile uint8_t *at = secret;
    for (size_t i = 0; i < size; i++) at[i] = 0;
}

void sl_alloc_free_secret(const struct sl_alloc *a, char *text) {
    if (text == NULL) return;
    size_t size = strlen(text) + 1;
    sl_alloc_wipe(text, size);
    sl_alloc_free(a, text, size);
}

char *sl_alloc_text(const struct sl_alloc *a, const char *text, size_t len) {
    if (len == SIZE_MAX) return NULL;
    char *copy = sl_alloc_get(a, len + 1);
    if (copy == NULL) return NULL;
    if (len > 0) memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}
