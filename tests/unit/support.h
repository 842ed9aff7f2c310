/* What the unit tests share: cmocka with the headers it wants, an allocator that can fail on
 * request and notices misuse, and bytes written as hex. Header-only, so a test needs no extra
 * object; nothing here calls the library.
 *
 * A sweep over every allocation of some code looks like this:
 *
 *     for (long n = 1;; n++) {
 *         struct test_memory memory;
 *         test_memory_init(&memory);
 *         test_memory_fail_at(&memory, n);
 *         int rv = code_under_test(&memory.alloc);
 *         test_memory_check(&memory);             after undoing what succeeded
 *         if (!test_memory_has_failed(&memory)) {
 *             assert_int_equal(rv, 0);
 *             break;                              n is beyond the last allocation
 *         }
 *         assert_int_equal(rv, SLUICE_ERR_NOMEM);
 *     }
 */
#ifndef SL_TEST_SUPPORT_H
#define SL_TEST_SUPPORT_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* ---- an allocator that fails on request ---- */

enum {
    TEST_MEMORY_FRESH = 0xa5,  /* new memory is filled with this: nobody may count on zeros */
    TEST_MEMORY_POISON = 0xdd, /* freed memory is filled with this before it goes back */
    TEST_MEMORY_MAGIC = 0x51c7
};

struct test_memory {
    struct sl_alloc alloc; /* what the code under test gets; its user is this struct */
    long calls;            /* allocations and resizes asked for so far; frees do not count */
    long fail_at;          /* the call, from 1, that fails; 0: none */
    bool fail_on;          /* every call after fail_at fails too */
    long failures;         /* calls that failed */
    size_t live_blocks;
    size_t live_bytes;
    size_t peak_bytes; /* the most live_bytes ever was */
};

/* In front of each block: proves that the size given back is the one that was asked for. */
union test_memory_header {
    struct {
        size_t size;
        size_t magic;
    } block;
    max_align_t align;
};

static inline union test_memory_header *test_memory_header_of(void *block) {
    return (union test_memory_header *)block - 1;
}

static inline void test_memory_release(struct test_memory *m, void *block, size_t size) {
    union test_memory_header *header = test_memory_header_of(block);
    if (header->block.magic != TEST_MEMORY_MAGIC) fail_msg("freed what is not a live block");
    if (header->block.size != size)
        fail_msg("freed with size %zu what was taken with %zu", size, header->block.size);
    m->live_blocks--;
    m->live_bytes -= size;
    header->block.magic = 0;
    memset(block, TEST_MEMORY_POISON, size);
    free(header);
}

/* A resize always moves, so that stale pointers into the old block meet poison. */
static inline void *test_memory_resize(void *user, void *old, size_t old_size, size_t new_size) {
    struct test_memory *m = user;
    if (new_size == 0) {
        if (old != NULL) test_memory_release(m, old, old_size);
        return NULL;
    }
    m->calls++;
    if (m->fail_at > 0 && (m->calls == m->fail_at || (m->fail_on && m->calls > m->fail_at))) {
        m->failures++;
        return NULL;
    }
    if (new_size > SIZE_MAX - sizeof(union test_memory_header)) return NULL;
    union test_memory_header *header = malloc(sizeof *header + new_size);
    if (header == NULL) return NULL;
    header->block.size = new_size;
    header->block.magic = TEST_MEMORY_MAGIC;
    void *block = header + 1;
    memset(block, TEST_MEMORY_FRESH, new_size);
    m->live_blocks++;
    m->live_bytes += new_size;
    if (old != NULL) {
        memcpy(block, old, old_size < new_size ? old_size : new_size);
        test_memory_release(m, old, old_size);
    }
    if (m->live_bytes > m->peak_bytes) m->peak_bytes = m->live_bytes;
    return block;
}

/* Never fails until told to. The struct must not move afterwards. */
static inline void test_memory_init(struct test_memory *m) {
    memset(m, 0, sizeof *m);
    m->alloc.resize = test_memory_resize;
    m->alloc.user = m;
}

/* The n-th call from the beginning (from 1) fails, once. 0: none fails any more. */
static inline void test_memory_fail_at(struct test_memory *m, long n) {
    m->fail_at = n;
    m->fail_on = false;
}

/* The n-th call from the beginning (from 1) and all after it fail. */
static inline void test_memory_fail_from(struct test_memory *m, long n) {
    m->fail_at = n;
    m->fail_on = true;
}

/* The next call, counted from now, fails once. */
static inline void test_memory_fail_next(struct test_memory *m) {
    test_memory_fail_at(m, m->calls + 1);
}

/* Whether a failure was handed out; false ends a sweep. */
static inline bool test_memory_has_failed(const struct test_memory *m) { return m->failures > 0; }

/* Asserts that everything was given back. */
static inline void test_memory_check(const struct test_memory *m) {
    if (m->live_blocks != 0)
        fail_msg("%zu blocks of %zu bytes are still live", m->live_blocks, m->live_bytes);
}

/* ---- bytes as hex ---- */

static inline int test_hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes hex digits into out and returns the number of bytes. Blanks and line ends between
 * bytes are skipped; anything else, or more than cap bytes, fails the test. */
static inline size_t test_hex(const char *hex, uint8_t *out, size_t cap) {
    size_t size = 0;
    for (const char *at = hex; *at != '\0';) {
        if (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') {
            at++;
            continue;
        }
        int high = test_hex_digit(at[0]);
        int low = high < 0 ? -1 : test_hex_digit(at[1]);
        if (low < 0) fail_msg("not hex at \"%.8s\"", at);
        if (size == cap) fail_msg("more than %zu bytes of hex", cap);
        out[size++] = (uint8_t)(high * 16 + low);
        at += 2;
    }
    return size;
}

/* Asserts that data is exactly the bytes that hex spells. The first difference is reported. */
static inline void test_hex_equal(const void *data, size_t size, const char *hex) {
    size_t cap = strlen(hex) / 2 + 1;
    uint8_t *want = malloc(cap);
    assert_non_null(want);
    size_t want_size = test_hex(hex, want, cap);
    size_t same = 0;
    const uint8_t *got = data;
    while (same < size && same < want_size && got[same] == want[same]) same++;
    bool equal = same == size && same == want_size;
    free(want);
    if (!equal) fail_msg("byte %zu differs (%zu bytes, wanted %zu)", same, size, want_size);
}

#endif
