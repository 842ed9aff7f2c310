/* CRC-32C, the checksum of record batches.
 *
 * Three forms compute the same function:
 * - a table form (eight bytes a step, "slicing"), everywhere;
 * - x86-64 with SSE4.2 and PCLMULQDQ: the crc32 instruction takes three cycles but one can start
 *   each cycle, so three stretches of the data are summed side by side and joined by carry-less
 *   multiplication with x^(bits to the right) mod P;
 * - ARM64 with the CRC extension, one word at a time.
 * A fourth, for longer data on newer x86-64, is in crc32c_wide.c.
 *
 * Which one runs is decided at each call by a load of what the compiler's runtime found out about
 * the processor before main; there is no state of ours, hence nothing to lock. This layer may not
 * ask the operating system, and gcc 12 and clang 14 offer no __builtin_cpu_supports on ARM64.
 * There the CRC form is used if the target promises it (-march=armv8-a+crc and newer, all of
 * Apple's), or, with glibc, if the runtime's flag for LSE atomics is set: those came with ARMv8.1,
 * which made the CRC extension mandatory. Other ARM64 builds use the table.
 *
 * All functions below sl_crc32c work on the inverted sum, as the instructions do. Bits are
 * reflected: the highest bit of a sum is the coefficient of x^0. */
#include "record/crc32c.h"

#include <stdbool.h>
#include <string.h>

#include "record/crc32c_wide.h"

/* Row k of the table is the sum of one byte followed by k zero bytes. Sums are linear, so a row
 * is spanned by the entries of the eight single bits, which are all that is written down. */
#define SL_CRC32C_1(i, a, b, c, d, e, f, g, h)                                           \
    (((i)&1 ? (a) : 0U) ^ ((i)&2 ? (b) : 0U) ^ ((i)&4 ? (c) : 0U) ^ ((i)&8 ? (d) : 0U) ^ \
     ((i)&16 ? (e) : 0U) ^ ((i)&32 ? (f) : 0U) ^ ((i)&64 ? (g) : 0U) ^ ((i)&128 ? (h) : 0U))
#define SL_CRC32C_4(i, ...)                                         \
    SL_CRC32C_1(i, __VA_ARGS__), SL_CRC32C_1((i) + 1, __VA_ARGS__), \
        SL_CRC32C_1((i) + 2, __VA_ARGS__), SL_CRC32C_1((i) + 3, __VA_ARGS__)
#define SL_CRC32C_16(i, ...)                                        \
    SL_CRC32C_4(i, __VA_ARGS__), SL_CRC32C_4((i) + 4, __VA_ARGS__), \
        SL_CRC32C_4((i) + 8, __VA_ARGS__), SL_CRC32C_4((i) + 12, __VA_ARGS__)
#define SL_CRC32C_64(i, ...)                                           \
    SL_CRC32C_16(i, __VA_ARGS__), SL_CRC32C_16((i) + 16, __VA_ARGS__), \
        SL_CRC32C_16((i) + 32, __VA_ARGS__), SL_CRC32C_16((i) + 48, __VA_ARGS__)
#define SL_CRC32C_ROW(...)                                                 \
    {                                                                      \
        SL_CRC32C_64(0, __VA_ARGS__), SL_CRC32C_64(64, __VA_ARGS__),       \
            SL_CRC32C_64(128, __VA_ARGS__), SL_CRC32C_64(192, __VA_ARGS__) \
    }

static const uint32_t crc32c_rows[8][256] = {
    SL_CRC32C_ROW(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede,
                  0x417b1dbc, 0x82f63b78),
    SL_CRC32C_ROW(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302,
                  0xff17c604, 0xfbc3faf9),
    SL_CRC32C_ROW(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14,
                  0xc76580d9, 0x8b277743),
    SL_CRC32C_ROW(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b,
                  0xaba65fe7, 0x52a0c93f),
    SL_CRC32C_ROW(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557,
                  0x37516aae, 0x6ea2d55c),
    SL_CRC32C_ROW(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d,
                  0x0e045beb, 0x1c08b7d6),
    SL_CRC32C_ROW(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd,
                  0x7ab7077a, 0xf56e0ef4),
    SL_CRC32C_ROW(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599,
                  0x1a00cb32, 0x34019664),
};

/* Eight bytes, the first in the lowest bits, on any machine. */
static inline uint64_t load_crc_word(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

uint32_t sl_crc32c_table(uint32_t crc, const void *data, size_t size) {
    const uint8_t *p = data;
    uint32_t sum = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word = load_crc_word(p) ^ sum;
        sum = crc32c_rows[7][word & 0xff] ^ crc32c_rows[6][(word >> 8) & 0xff] ^
              crc32c_rows[5][(word >> 16) & 0xff] ^ crc32c_rows[4][(word >> 24) & 0xff] ^
              crc32c_rows[3][(word >> 32) & 0xff] ^ crc32c_rows[2][(word >> 40) & 0xff] ^
              crc32c_rows[1][(word >> 48) & 0xff] ^ crc32c_rows[0][word >> 56];
    }
    for (; size > 0; size--, p++) sum = (sum >> 8) ^ crc32c_rows[0][(sum ^ *p) & 0xff];
    return ~sum;
}

/* x^(8 2^k) mod P: what a sum is multiplied with to move it over 2^k bytes to its right. */
static const uint32_t crc32c_powers[31] = {
    0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
    0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
    0xfe7740e6, 0xf946610b, 0x3c204f8f, 0x538586e3, 0x59726915, 0x734d5309, 0xbc1ac763, 0x7d0722cc,
    0xd289cabe, 0xe94ca9bc, 0x05b74f3f, 0xa51e1f42, 0x40000000, 0x20000000, 0x08000000,
};

/* The product of two sums mod P. */
static uint32_t multiply_crc_sums(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t bit = 0x80000000U; bit != 0; bit >>= 1) {
        if ((a & bit) != 0) product ^= b;
        b = (b >> 1) ^ ((b & 1) != 0 ? 0x82f63b78U : 0);
    }
    return product;
}

static uint32_t move_crc_by_table(uint32_t sum, size_t size) {
    for (int k = 0; size != 0; size >>= 1, k++)
        if ((size & 1) != 0) sum = multiply_crc_sums(sum, crc32c_powers[k]);
    return sum;
}

#if defined(__x86_64__)

#include <nmmintrin.h>
#include <wmmintrin.h>

#define SL_CRC32C_TARGET __attribute__((target("sse4.2,pclmul")))

/* Lengths of the three stretches, and x^(8 n - 33) mod P for n one and two such lengths: what a
 * sum is multiplied with to move it over the stretches to its right. The product has 63 bits, one
 * less than the 64 the crc32 instruction reduces, and the reduction itself shifts by 32. */
enum { SL_CRC32C_LONG = 2048, SL_CRC32C_SHORT = 128 };
#define SL_CRC32C_LONG_1 0xa51b6135U
#define SL_CRC32C_LONG_2 0x82f89c77U
#define SL_CRC32C_SHORT_1 0x0d3b6092U
#define SL_CRC32C_SHORT_2 0xb9e02b86U

static inline bool has_crc_instructions(void) {
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

SL_CRC32C_TARGET static inline uint32_t shift_crc_sum(uint64_t sum, uint32_t factor) {
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)sum), _mm_cvtsi64_si128(factor), 0);
    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Continues sum over three stretches of the given length. */
SL_CRC32C_TARGET static inline uint32_t sum_crc_stretches(uint32_t sum, const uint8_t *p,
                                                          size_t length, uint32_t factor_1,
                                                          uint32_t factor_2) {
    uint64_t a = sum, b = 0, c = 0;
    for (const uint8_t *end = p + length; p < end; p += 8) {
        a = _mm_crc32_u64(a, load_crc_word(p));
        b = _mm_crc32_u64(b, load_crc_word(p + length));
        c = _mm_crc32_u64(c, load_crc_word(p + 2 * length));
    }
    return shift_crc_sum(a, factor_2) ^ shift_crc_sum(b, factor_1) ^ (uint32_t)c;
}

SL_CRC32C_TARGET static uint32_t sum_crc_by_instruction(uint32_t sum, const uint8_t *p,
                                                        size_t size) {
    for (; size >= 3 * SL_CRC32C_LONG; size -= 3 * SL_CRC32C_LONG, p += 3 * SL_CRC32C_LONG) {
        sum = sum_crc_stretches(sum, p, SL_CRC32C_LONG, SL_CRC32C_LONG_1, SL_CRC32C_LONG_2);
    }
    for (; size >= 3 * SL_CRC32C_SHORT; size -= 3 * SL_CRC32C_SHORT, p += 3 * SL_CRC32C_SHORT) {
        sum = sum_crc_stretches(sum, p, SL_CRC32C_SHORT, SL_CRC32C_SHORT_1, SL_CRC32C_SHORT_2);
    }
    for (; size >= 8; size -= 8, p += 8) sum = (uint32_t)_mm_crc32_u64(sum, load_crc_word(p));
    for (; size > 0; size--, p++) sum = _mm_crc32_u8(sum, *p);
    return sum;
}

/* x^(8 2^k - 33) mod P, for shift_crc_sum. */
static const uint32_t crc32c_factors[31] = {
    0xbf818109, 0x780d5a4d, 0x05ec76f1, 0x00000001, 0x493c7d27, 0xba4fc28e, 0x9e4addf8, 0x0d3b6092,
    0xb9e02b86, 0xdd7e3b0c, 0x170076fa, 0xa51b6135, 0x82f89c77, 0x54a86326, 0x1dc403cc, 0x5ae703ab,
    0xc5013a36, 0xac2ac6dd, 0x9b4615a9, 0x688d1c61, 0xf6af14e6, 0xb6ffe386, 0xb717425b, 0x478b0d30,
    0x54cc62e5, 0x7b2102ee, 0x8a99adef, 0xa7568c8f, 0xd610d67e, 0x6b086b3f, 0xd94f3c0b,
};

static uint32_t move_crc_by_instruction(uint32_t sum, size_t size) {
    for (int k = 0; size != 0; size >>= 1, k++)
        if ((size & 1) != 0) sum = shift_crc_sum(sum, crc32c_factors[k]);
    return sum;
}

#elif defined(__aarch64__) && (defined(__ARM_FEATURE_CRC32) || defined(__GLIBC__))

#if defined(__ARM_FEATURE_CRC32)
static inline bool has_crc_instructions(void) { return true; }
#else
/* Set by the compiler's support library before main (libgcc since 10, compiler-rt since 12). */
extern _Bool __aarch64_have_lse_atomics __attribute__((visibility("hidden")));
static inline bool has_crc_instructions(void) { return __aarch64_have_lse_atomics; }
#endif

/* The instructions are written out because clang 14 declares their intrinsics only for targets
 * that promise them. */
static inline uint32_t add_crc_word(uint32_t sum, uint64_t word) {
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(sum) : "r"(word));
    return sum;
}
static inline uint32_t add_crc_byte(uint32_t sum, uint32_t byte) {
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(sum) : "r"(byte));
    return sum;
}

static uint32_t sum_crc_by_instruction(uint32_t sum, const uint8_t *p, size_t size) {
    for (; size >= 8; size -= 8, p += 8) sum = add_crc_word(sum, load_crc_word(p));
    for (; size > 0; size--, p++) sum = add_crc_byte(sum, *p);
    return sum;
}
static uint32_t move_crc_by_instruction(uint32_t sum, size_t size) {
    return move_crc_by_table(sum, size);
}

#else

static inline bool has_crc_instructions(void) { return false; }
static uint32_t sum_crc_by_instruction(uint32_t sum, const uint8_t *p, size_t size) {
    return ~sl_crc32c_table(~sum, p, size);
}
static uint32_t move_crc_by_instruction(uint32_t sum, size_t size) {
    return move_crc_by_table(sum, size);
}

#endif

uint32_t sl_crc32c_narrow(uint32_t crc, const void *data, size_t size) {
    if (!has_crc_instructions()) return sl_crc32c_table(crc, data, size);
    return ~sum_crc_by_instruction(~crc, data, size);
}

uint32_t sl_crc32c(uint32_t crc, const void *data, size_t size) {
    size_t done = 0;
    if (size >= SL_CRC32C_WIDE_LEAST && sl_crc32c_wide_is_there())
        crc = ~sl_crc32c_wide_add(~crc, data, size, &done);
    return sl_crc32c_narrow(crc, (const uint8_t *)data + done, size - done);
}

uint32_t sl_crc32c_join_table(uint32_t first, uint32_t second, size_t second_size) {
    return move_crc_by_table(first, second_size) ^ second;
}

uint32_t sl_crc32c_join(uint32_t first, uint32_t second, size_t second_size) {
    if (!has_crc_instructions()) return sl_crc32c_join_table(first, second, second_size);
    return move_crc_by_instruction(first, second_size) ^ second;
}
