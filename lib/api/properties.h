/* The one table of properties, in sections by subject (property_rows.h). It drives parsing, ranges, "did you mean", the roles, the dump of
 * effective settings and the manual; a new property is one row here and one field of struct
 * sl_settings. */
#ifndef SL_API_PROPERTIES_H
#define SL_API_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/text.h"
#include "core/settings.h"

/* What sluice_property.type says. */
enum sl_property_type {
    SL_PROPERTY_BOOL = 1, /* true or false */
    SL_PROPERTY_NUMBER,   /* a whole number from `low` to `high` */
    SL_PROPERTY_WORD,     /* one of the words of `range` */
    SL_PROPERTY_WORDS,    /* some of them in order, with commas: four bits each, the first lowest */
    SL_PROPERTY_TEXT,     /* anything of up to `high` bytes */
    SL_PROPERTY_ENDPOINTS, /* host:port,host:port … */
    SL_PROPERTY_RESET,     /* one of the words of `range`, or by_duration: and how long */
    SL_PROPERTY_LEVEL      /* a number, or "default": SL_COMPRESS_LEVEL_DEFAULT */
};

/* What the properties are parsed into: the settings, and what becomes one of them later. */
struct sl_property_values {
    struct sl_settings settings;
    int32_t gzip_level; /* of that codec alone, in place of settings.level */
    int32_t lz4_level;
    int32_t zstd_level;
};

struct sl_property {
    const char *name;
    const char *fallback; /* the default, as text; NULL: none, it has to be set */
    const char *range;    /* for people; for words: they themselves, with | between them */
    const char *text;     /* a sentence for the manual */
    int64_t low;          /* of numbers; of words: the value of the first, the rest count up */
    int64_t high;         /* of words with numerals: the value of the last; else low - 1; of texts:
                             the most bytes */
    size_t at;            /* of the field in struct sl_property_values … */
    size_t size;          /* … and its size */
    enum sl_property_type type;
    int32_t roles; /* bit 1 << role */
    bool secret;   /* never shown */
};

/* A name of librdkafka's with the same meaning. */
struct sl_property_alias {
    const char *name;
    const char *property;
    int64_t unit; /* its numbers count so many of the property's */
};

/* Another client's word for a value. */
struct sl_property_word {
    const char *property;
    const char *word;
    const char *means;
};
/* Names that begin so are known elsewhere, but not here. */
struct sl_property_hint {
    const char *prefix;
    const char *hint;
};

/* The rows of each table; NULL past the last. */
const struct sl_property *sl_properties_at(int32_t index);
const struct sl_property_alias *sl_properties_alias_at(int32_t index);
const struct sl_property_word *sl_properties_word_at(int32_t index);
const struct sl_property_hint *sl_properties_hint_at(int32_t index);
/* By name or alias, exactly; NULL when unknown. *unit: what the value is multiplied with. */
const struct sl_property *sl_properties_find(const char *name, int64_t *unit);
/* The name that was probably meant, or NULL. */
const char *sl_properties_guess(const char *name);
/* Why a name that other clients know is none here, or NULL. */
const char *sl_properties_hint(const char *name);
/* Checks a value and puts it into *values; NULL values: only checks. Texts are taken from alloc
 * and have to be freed with the values. 0, SLUICE_ERR_CONFIG with what is wrong in *why, or
 * NOMEM. */
int sl_properties_parse(const struct sl_property *p, const char *value, int64_t unit,
                        struct sl_property_values *values, const struct sl_alloc *alloc,
                        struct sl_text *why);
/* The value of anything but texts and endpoints as a number: words by their place, true is 1.
 * False: it has none, or it is out of range. */
bool sl_properties_number(const struct sl_property *p, const char *value, int64_t unit,
                          int64_t *out);
/* Frees the texts of settings, not the struct. */
void sl_properties_free_texts(struct sl_settings *settings, const struct sl_alloc *alloc);

#endif
