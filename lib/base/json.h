/* The members of a JSON object, one after the other, as peers and files bring it. Values are borrowed
 * as they are written; nothing is kept, and what is nested is passed over. */
#ifndef SL_BASE_JSON_H
#define SL_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/text.h"

enum sl_json_kind {
    SL_JSON_TEXT = 1, /* without its quotes, escapes as they stand */
    SL_JSON_NUMBER,
    SL_JSON_OTHER /* true, false, null, an object, an array */
};
struct sl_json_member {
    struct sl_str name; /* escapes as they stand */
    struct sl_str value;
    enum sl_json_kind kind;
};
enum sl_json_state { SL_JSON_BEGIN = 1, SL_JSON_INSIDE, SL_JSON_END, SL_JSON_BROKEN };
struct sl_json {
    struct sl_reader r;
    enum sl_json_state state;
};

void sl_json_init(struct sl_json *j, const void *data, size_t size);
/* The next member. False: there is none, or what comes is no member. */
bool sl_json_next(struct sl_json *j, struct sl_json_member *out);
/* After that: it was an object, and all of it. */
bool sl_json_is_whole(const struct sl_json *j);
/* A text without its escapes. False: it has a broken one, or one beyond what ASCII can show; or the
 * writer has failed. */
bool sl_json_put_text(struct sl_writer *out, struct sl_str value);
/* A text for people, in plain characters and at most so many. */
void sl_json_tell(struct sl_text *out, struct sl_str value, int32_t most);
/* A number that is not below zero, or a text of one: rounded down, at most 2^53. False: it is none. */
bool sl_json_count(const struct sl_json_member *m, int64_t *out);

#endif
