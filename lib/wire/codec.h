/* The one interpreter of the protocol's field tables: encode, decode, defaults, dump, equality. */
#ifndef SL_WIRE_CODEC_H
#define SL_WIRE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/text.h"
#include "wire/schema.h"

/* A place in the encoded bytes where borrowed pieces belong: record batches are never copied. */
struct sl_splice {
    size_t at; /* offset in the writer before which the pieces go */
    const struct sl_iov *pieces;
    int32_t piece_count;
    int32_t size; /* bytes of all pieces */
};
/* Encoder state beside the writer; embedded by the caller. */
struct sl_encoder {
    struct sl_writer *out;
    struct sl_splice *splices; /* the caller's array */
    size_t splice_cap;
    size_t splice_count;
    size_t splice_bytes; /* bytes of all splices; they count in the frame's length */
};

/* Fills in the values that absent fields have (-1 epochs and so on). Nested arrays stay empty.
 * Every message to encode starts here, never with zeros alone. */
void sl_codec_defaults(const struct sl_type *type, void *message);
/* Encodes one message body. Fields that the version lacks are left out; one that is set to
 * something else than its default although the version lacks it is the caller's business. With
 * splice_cap 0 records are copied; those given as `data` always are. 0, NOMEM (writer failed) or
 * USAGE (a null where the version has none, more splices than splice_cap). */
int sl_codec_encode(struct sl_encoder *e, const struct sl_type *type, const void *message,
                    int16_t version, bool flexible);
/* Decodes one body into message (defaults filled in first); texts and bytes point into the input,
 * arrays into the arena. Unknown tags are skipped. 0, NOMEM, or SLUICE_ERR_MALFORMED: short
 * input, a count that the bytes left cannot hold, a bad varint. Bytes left over after the last
 * field are MALFORMED too, but the message is whole then, and the reader has not failed. */
int sl_codec_decode(struct sl_reader *r, struct sl_arena *arena, const struct sl_type *type,
                    void *message, int16_t version, bool flexible);
/* The same for what may have more behind it, which is left in the reader. */
int sl_codec_decode_front(struct sl_reader *r, struct sl_arena *arena, const struct sl_type *type,
                          void *message, int16_t version, bool flexible);
/* Decodes the beginning of a body that ends in the middle of a records field: arrays end with the
 * item that this is in, and that field has the bytes that are there. 0, NOMEM, or MALFORMED when it
 * ends elsewhere. */
int sl_codec_decode_cut(struct sl_reader *r, struct sl_arena *arena, const struct sl_type *type,
                        void *message, int16_t version, bool flexible);
/* One line of text: {field=value, …}; records as their size, at most the caller's buffer. */
void sl_codec_dump(const struct sl_type *type, const void *message, int16_t version,
                   struct sl_text *out);
/* The same content in all fields that the version has, wherever it lies. */
bool sl_codec_equal(const struct sl_type *type, const void *a, const void *b, int16_t version);

/* ---- between the codec's own files ---- */

/* Bytes on the wire of a value of that kind, in any version; 0: that depends on the value. */
size_t sl_codec_fixed_size(int kind);
/* Bytes in memory of one item of an array field. */
size_t sl_codec_item_size(const struct sl_field *f);

#endif
