/* How a file of rows of the property table is written: one struct sl_property_section a subject.
 * Only properties.c and the files properties_SUBJECT.c include this.
 *
 * Rows name the field that a value goes to by offset and size, so parsing needs no code of its own
 * for any property. Names, meanings and defaults are the Java client's; where a default is ours the
 * text says so. Names of librdkafka are aliases where the meanings agree; names of other clients
 * that mean nothing here have a hint instead, because "did you mean" would mislead. */
#ifndef SL_API_PROPERTY_ROWS_H
#define SL_API_PROPERTY_ROWS_H

#include <stddef.h>

#include "api/properties.h"

struct sl_property_section {
    const struct sl_property *rows;
    const struct sl_property_alias *aliases;
    const struct sl_property_word *words;
    const struct sl_property_hint *hints; /* the longest first where one begins another */
    int32_t rows_count, aliases_count, words_count, hints_count;
};

extern const struct sl_property_section sl_properties_general; /* of all roles */
extern const struct sl_property_section sl_properties_security;
extern const struct sl_property_section sl_properties_sasl;
extern const struct sl_property_section sl_properties_producer;
extern const struct sl_property_section sl_properties_consumer;

#define PROPERTY_LIST(what, list) \
    .what = (list), .what##_count = (int32_t)(sizeof(list) / sizeof((list)[0]))

enum {
    FOR_PRODUCER = 1 << SL_ROLE_PRODUCER,
    FOR_CONSUMER = 1 << SL_ROLE_CONSUMER,
    FOR_ALL = FOR_PRODUCER | FOR_CONSUMER | 1 << SL_ROLE_ADMIN
};

#define PROPERTY_FIELD(field)                         \
    .at = offsetof(struct sl_property_values, field), \
    .size = sizeof(((struct sl_property_values *)0)->field)
#define PROPERTY_NUMBER(low_, high_) \
    .type = SL_PROPERTY_NUMBER, .low = low_, .high = high_, .range = #low_ ".." #high_
#define PROPERTY_BOOL .type = SL_PROPERTY_BOOL, .range = "true|false"
#define PROPERTY_WORDS(first, words) \
    .type = SL_PROPERTY_WORD, .low = (first), .high = (first)-1, .range = words
#define PROPERTY_NUMERALS(first, last, words) \
    .type = SL_PROPERTY_WORD, .low = (first), .high = (last), .range = words
#define PROPERTY_WORD_LIST(first, words) \
    .type = SL_PROPERTY_WORDS, .low = (first), .high = (first)-1, .range = words
/* As long as a text of the protocol may be. */
#define PROPERTY_TEXT \
    .type = SL_PROPERTY_TEXT, .high = 32767, .range = "a text of at most 32767 bytes"
/* Certificates of a whole system as text are some 200 KiB. */
#define PROPERTY_PEM \
    .type = SL_PROPERTY_TEXT, .high = 1048576, .range = "PEM, at most 1048576 bytes"
#define PROPERTY_PATH .type = SL_PROPERTY_TEXT, .high = 4095, .range = "a path"
#define PROPERTY_RESET                                                          \
    .type = SL_PROPERTY_RESET, .low = SL_RESET_NONE, .high = SL_RESET_NONE - 1, \
    .range = "none|earliest|latest|by_duration:PnDTnHnMn.nS"
#define PROPERTY_LEVEL .type = SL_PROPERTY_LEVEL, .range = "a number, or default"

#endif
