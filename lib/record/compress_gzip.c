/* gzip: one member without name or time is written. Read are any number of members, as Java
 * does: a producer that flushes writes several, and a reader that stops after the first loses
 * records in silence. What follows the last member and does not begin like another is ignored.
 * zlib checks every member's CRC-32 and length.
 *
 * The two zlib streams are kept: their windows and hash tables cost more to make than a small
 * batch costs to compress. */
#include <zlib.h>

#include "record/compress_codec.h"
#include "sluice/error.h"

/* Window size for zlib: 2^15, and 16 for the gzip wrapper. */
enum { SL_COMPRESS_GZIP_WINDOW = 15 + 16, SL_COMPRESS_GZIP_MEMORY = 8 };

struct sl_compress_gzip {
    z_stream deflate;
    z_stream inflate;
    int32_t deflate_level; /* 1 to 9, or zlib's own -1; 0: deflate is not made yet */
    bool can_inflate;      /* inflate is made */
};

static void *get_gzip_memory(void *opaque, unsigned count, unsigned size) {
    return sl_compress_get(opaque, (size_t)count * size);
}

static struct sl_compress_gzip *find_gzip_state(struct sl_compress *c) {
    if (c->gzip != NULL) return c->gzip;
    struct sl_compress_gzip *g = sl_alloc_zero(c->alloc, sizeof *g);
    if (g == NULL) return NULL;
    g->deflate.zalloc = g->inflate.zalloc = get_gzip_memory;
    g->deflate.zfree = g->inflate.zfree = sl_compress_give;
    g->deflate.opaque = g->inflate.opaque = c;
    c->gzip = g;
    return g;
}

static void drop_gzip_state(struct sl_compress *c) {
    struct sl_compress_gzip *g = c->gzip;
    if (g == NULL) return;
    if (g->deflate_level != 0) deflateEnd(&g->deflate);
    if (g->can_inflate) inflateEnd(&g->inflate);
    sl_alloc_free(c->alloc, g, sizeof *g);
    c->gzip = NULL;
}

/* compressBound counts zlib's 6 bytes of wrapping, where gzip has 18. */
static size_t bound_gzip(size_t size) { return compressBound(size) + 12; }

/* Makes the deflate stream ready for a new member. A change of level makes a new stream, since
 * levels differ in their tables; an owner usually has one level. */
static int prepare_deflate(struct sl_compress *c, struct sl_compress_gzip *g, int32_t level) {
    if (g->deflate_level == level) return deflateReset(&g->deflate) == Z_OK ? 0 : SLUICE_ERR_SYSTEM;
    if (g->deflate_level != 0) deflateEnd(&g->deflate);
    g->deflate_level = 0;
    int zv = deflateInit2(&g->deflate, level, Z_DEFLATED, SL_COMPRESS_GZIP_WINDOW,
                          SL_COMPRESS_GZIP_MEMORY, Z_DEFAULT_STRATEGY);
    if (zv != Z_OK) return c->starved ? SLUICE_ERR_NOMEM : SLUICE_ERR_SYSTEM;
    g->deflate_level = level;
    return 0;
}

static int encode_gzip(struct sl_compress *c, int32_t level, const uint8_t *src, size_t size,
                       uint8_t *out, size_t room, size_t *used) {
    struct sl_compress_gzip *g = find_gzip_state(c);
    if (g == NULL) return SLUICE_ERR_NOMEM;
    int rv = prepare_deflate(c, g, level);
    if (rv != 0) return rv;
    g->deflate.next_in = (z_const Bytef *)src;
    g->deflate.avail_in = (uInt)size;
    g->deflate.next_out = out;
    g->deflate.avail_out = (uInt)room;
    if (deflate(&g->deflate, Z_FINISH) != Z_STREAM_END) return SLUICE_ERR_SYSTEM;
    *used = room - g->deflate.avail_out;
    return 0;
}

/* The next member of src; moves it on. */
static int decode_gzip_member(struct sl_compress *c, z_stream *z, struct sl_compress_sink *sink) {
    for (;;) {
        size_t room;
        z->next_out = sl_compress_room(sink, &room);
        if (z->next_out == NULL) return SLUICE_ERR_NOMEM;
        if (room > UINT32_MAX) room = UINT32_MAX;
        z->avail_out = (uInt)room;
        int zv = inflate(z, Z_NO_FLUSH);
        int rv = sl_compress_put(sink, room - z->avail_out);
        if (rv != 0) return rv;
        if (zv == Z_STREAM_END) return 0;
        if (zv == Z_MEM_ERROR && c->starved) return SLUICE_ERR_NOMEM;
        /* Z_BUF_ERROR: no progress with room to write, so the input has ended too early. */
        if (zv != Z_OK) return SLUICE_ERR_MALFORMED;
    }
}

static int decode_gzip(struct sl_compress *c, const uint8_t *src, size_t size,
                       struct sl_compress_sink *sink) {
    struct sl_compress_gzip *g = find_gzip_state(c);
    if (g == NULL) return SLUICE_ERR_NOMEM;
    z_stream *z = &g->inflate;
    if (!g->can_inflate) {
        if (inflateInit2(z, SL_COMPRESS_GZIP_WINDOW) != Z_OK) return SLUICE_ERR_NOMEM;
        g->can_inflate = true;
    }
    z->next_in = (z_const Bytef *)src;
    z->avail_in = (uInt)size;
    do {
        if (inflateReset(z) != Z_OK) return SLUICE_ERR_MALFORMED;
        int rv = decode_gzip_member(c, z, sink);
        if (rv != 0) return rv;
    } while (z->avail_in >= 2 && z->next_in[0] == 0x1f && z->next_in[1] == 0x8b);
    return 0;
}

const struct sl_compress_codec sl_compress_gzip_codec = {.name = "gzip",
                                                         .low = 1,
                                                         .high = 9,
                                                         .initial = Z_DEFAULT_COMPRESSION,
                                                         .bound = bound_gzip,
                                                         .encode = encode_gzip,
                                                         .decode = decode_gzip,
                                                         .drop = drop_gzip_state};
