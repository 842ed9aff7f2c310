/* Record batches of other implementations, byte for byte (timestamp 1700000000000 unless noted).
 * Used by the tests of record/. */
#ifndef SL_TEST_RECORD_GOLDEN_H
#define SL_TEST_RECORD_GOLDEN_H

#include "support.h"

enum { GOLDEN_CAP = 512 }; /* no batch here is larger */
#define GOLDEN_TIME INT64_C(1700000000000)

/* "key" = "value" */
#define GOLDEN_B1                                                                      \
    "000000000000000000000040ffffffff02db5e9cdd0000000000000000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff000000011c000000066b65790a76616c756500"
/* b1 with a flipped bit: the CRC must fail */
#define GOLDEN_B1BAD                                                                   \
    "000000000000000000000040ffffffff02db5e9cdd0000000000000000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff000000011c000000066b65790a76616c756400"
/* producer 4000, sequence 7: (null, "a") and ("k", null, h = "v", n = null) 5 ms later */
#define GOLDEN_B2                                                                      \
    "000000000000000000000048ffffffff02cdb9490b0000000000010000018bcfe568000000018bcf" \
    "e568050000000000000fa0000000000007000000020e000000010261001c000a02026b0104026802" \
    "76026e01"
/* b1 in gzip */
#define GOLDEN_GZ                                                                      \
    "000000000000000000000054ffffffff0294263c540001000000000000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff000000011f8b08000000000002039361606060cb4eade4" \
    "2a4bcc294d65000055dc04540f000000"
/* b1 in snappy, a bare block */
#define GOLDEN_SNRAW                                                                   \
    "000000000000000000000042ffffffff021fba9f450002000000000000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff000000010f381c000000066b65790a76616c756500"
/* b1 in snappy, xerial framing */
#define GOLDEN_SNXER                                                                   \
    "000000000000000000000056ffffffff021e8178b00002000000000000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff0000000182534e41505059000000000100000001000000" \
    "110f381c000000066b65790a76616c756500"
/* b1 in lz4, a stored block */
#define GOLDEN_LZ4                                                                     \
    "00000000000000000000004fffffffff0252cd43460003000000000000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff0000000104224d186040820f0000801c000000066b6579" \
    "0a76616c75650000000000"
/* control record, offset 42 */
#define GOLDEN_ABORT                                                                   \
    "000000000000002a000000420000000902020bc90b0030000000000000018bcfe568000000018bcf" \
    "e568000000000000000fa00000ffffffff000000012000000008000000000c00000000000300"
/* control record, offset 42 */
#define GOLDEN_COMMIT                                                                  \
    "000000000000002a000000420000000902f6351f430030000000000000018bcfe568000000018bcf" \
    "e568000000000000000fa00000ffffffff000000012000000008000000010c00000000000300"
/* compacted to nothing: offsets 10 to 14 */
#define GOLDEN_EMPTY                                                                   \
    "000000000000000a00000031000000010253412ca4000000000004ffffffffffffffff0000018bcf" \
    "e568000000000000000fa000000000000000000000"
/* 20 times "key" = "value value value value", as Java compresses them */
#define GOLDEN_JAVA_GZIP                                                               \
    "000000000000000000000097ffffffff0202ac8b370001000000130000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff000000141f8b08000000000000ff7360606060cb4eadd4" \
    "2b4bcc294d55c020191c18189808296021a4808d90020e420ab80829e021a4808f900201420a8408" \
    "291021a4408c900209420aa408299021a4408e900205420a9408295021a4400daf020038213aa894" \
    "020000"
#define GOLDEN_JAVA_LZ4                                                                \
    "0000000000000000000000bcffffffff0238adcd030003000000130000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff0000001404224d186040827c000000fd0040000000066b" \
    "65792e76616c75652006005f004000000221000d1f0421000d1f0621000d1f0821000d1f0a21000d" \
    "1f0c21000d1f0e21000d1f1021000d1f1221000d1f1421000d1f1621000d1f1821000d1f1a21000d" \
    "1f1c21000d1f1e21000d1f2021000d1f2221000d1f2421000d1f2621000550616c75650000000000"
#define GOLDEN_JAVA_SNAPPY                                                             \
    "0000000000000000000000bdffffffff02e37b05530002000000130000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff0000001482534e41505059000000000100000001000000" \
    "7894053840000000066b65792e76616c7565204206001000400000027e210000047e210000067e21" \
    "0000087e2100000a7e2100000c7e2100000e7e210000107e210000127e210000147e210000167e21" \
    "0000187e2100001a7e2100001c7e2100001e7e210000207e210000227e210000247e210000267221" \
    "00"
#define GOLDEN_JAVA_ZSTD                                                               \
    "00000000000000000000008fffffffff02189b367f0004000000130000018bcfe568000000018bcf" \
    "e56800ffffffffffffffffffffffffffff0000001428b52ffd0058940200640240000000066b6579" \
    "2e76616c75652000400000020406080a0c0e10121416181a1c1e202224261400e016801fc019c005" \
    "e00770067001f8019c015c007e00670017801fc019c005e007704614fe662e75010000"

struct golden {
    const char *name;
    const char *hex;
};
static const struct golden golden_batches[] = {
    {"b1", GOLDEN_B1},
    {"b1bad", GOLDEN_B1BAD},
    {"b2", GOLDEN_B2},
    {"gz", GOLDEN_GZ},
    {"snraw", GOLDEN_SNRAW},
    {"snxer", GOLDEN_SNXER},
    {"lz4", GOLDEN_LZ4},
    {"abort", GOLDEN_ABORT},
    {"commit", GOLDEN_COMMIT},
    {"empty", GOLDEN_EMPTY},
    {"java-gzip", GOLDEN_JAVA_GZIP},
    {"java-lz4", GOLDEN_JAVA_LZ4},
    {"java-snappy", GOLDEN_JAVA_SNAPPY},
    {"java-zstd", GOLDEN_JAVA_ZSTD},
};
enum { GOLDEN_COUNT = sizeof golden_batches / sizeof golden_batches[0] };

#endif
