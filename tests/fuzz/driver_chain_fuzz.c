/* A peer's certificates before OpenSSL sees them: whatever is weighed as light enough costs OpenSSL no more
 * than that, parsed and looked at as it does before it verifies.
 *
 * Input: a byte whose lowest bit is TLS 1.3, then the list of a Certificate message without its
 * length. */
#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "driver/tls_inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Beside what is weighed: OpenSSL's search for who decodes a key, which goes again. */
enum { DECODER = 24 * 1024, CERTS_MAX = 64 };

/* OpenSSL's memory, counted: pieces of powers of two, used again. A tenth of the time that the
 * sanitizer's takes; nothing of ours lies in it. */
enum { CLASSES = 24, LEAST = 32, SLAB = 1 << 20 };
union piece {
    struct {
        size_t size;
        union piece *next;
    } head;
    max_align_t align;
};
static union piece *spare[CLASSES];
static uint8_t *slab;
static size_t slab_left;
static size_t held, peak;

static int class_of(size_t size) {
    int index = 0;
    while (index < CLASSES - 1 && (size_t)LEAST << index < size) index++;
    return index;
}

static union piece *take_piece(int index) {
    size_t bytes = sizeof(union piece) + ((size_t)LEAST << index);
    union piece *piece = spare[index];
    if (piece != NULL) {
        spare[index] = piece->head.next;
        return piece;
    }
    if (bytes > SLAB) return malloc(bytes);
    if (slab_left < bytes) {
        slab = malloc(SLAB);
        slab_left = slab == NULL ? 0 : SLAB;
    }
    if (slab_left < bytes) return NULL;
    slab_left -= bytes;
    return (union piece *)(void *)(slab + slab_left);
}

static void *get(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    union piece *piece = take_piece(class_of(size));
    if (piece == NULL) return NULL;
    piece->head.size = size;
    held += size;
    if (held > peak) peak = held;
    return piece + 1;
}

static void give(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    if (block == NULL) return;
    union piece *piece = (union piece *)block - 1;
    int index = class_of(piece->head.size);
    held -= piece->head.size;
    piece->head.next = spare[index];
    spare[index] = piece;
}

static void *resize(void *block, size_t size, const char *file, int line) {
    if (size == 0) {
        give(block, file, line);
        return NULL;
    }
    void *more = get(size, file, line);
    if (block == NULL || more == NULL) return more;
    size_t before = ((union piece *)block - 1)->head.size;
    memcpy(more, block, before < size ? before : size);
    give(block, file, line);
    return more;
}

static void require(bool condition) {
    if (!condition) abort();
}

/* What OpenSSL holds of the list's certificates, and at most held meanwhile. */
static void parse_all(const uint8_t *at, const uint8_t *end, bool is_13) {
    X509 *certs[CERTS_MAX];
    int count = 0;
    while (end - at >= 3 && count < CERTS_MAX) {
        long size = (long)(at[0] << 16 | at[1] << 8 | at[2]);
        const uint8_t *der = at + 3;
        if (end - der < size) break;
        certs[count] = d2i_X509(NULL, &der, size);
        if (certs[count] == NULL) break;
        (void)X509_check_purpose(certs[count], -1, 0);
        count++;
        at += 3 + size;
        if (!is_13) continue;
        if (end - at < 2 || end - at - 2 < (at[0] << 8 | at[1])) break;
        at += 2 + (at[0] << 8 | at[1]);
    }
    GENERAL_NAMES *names =
        count > 0 ? X509_get_ext_d2i(certs[0], NID_subject_alt_name, NULL, NULL) : NULL;
    GENERAL_NAMES_free(names);
    while (count > 0) X509_free(certs[--count]);
}

/* Before OpenSSL takes the first piece. */
static void count_memory(void) {
    static bool is_counted;
    if (!is_counted) require(CRYPTO_set_mem_functions(get, resize, give) == 1);
    is_counted = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    count_memory();
    if (size < 1) return 0;
    bool is_13 = (data[0] & 1) != 0;
    struct sl_tls_chain chain = sl_tls_chain_weigh(data + 1, size - 1, is_13);
    require(chain.count <= size && chain.cost >= chain.count);
    if (chain.cost > SL_TLS_CHAIN_COST_MAX) return 0;
    /* What stays of the first time is OpenSSL's: names of objects. */
    for (int i = 0; i < 2; i++) {
        size_t before = held;
        peak = held;
        parse_all(data + 1, data + size, is_13);
        if (peak - before <= chain.cost + DECODER) return 0;
    }
    abort();
}
