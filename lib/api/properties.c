/* The property table as a whole, and the parsing of values. The rows are in the files
 * properties_SUBJECT.c.
 *
 * Not here: rules about several properties at once (config.c). */
#include "api/properties.h"

#include <string.h>

#include "api/property_rows.h"
#include "record/compress.h"
#include "sluice/error.h"

/* In the order of the manual. */
static const struct sl_property_section *const property_sections[] = {
    &sl_properties_general,  &sl_properties_security, &sl_properties_sasl,
    &sl_properties_producer, &sl_properties_consumer,
};
enum {
    PROPERTY_SECTIONS = (int)(sizeof property_sections / sizeof property_sections[0]),
    PROPERTY_GUESS_MAX = 3 /* edits that still count as a slip of the pen */
};

/* ---- finding ---- */

const struct sl_property *sl_properties_at(int32_t index) {
    for (int i = 0; i < PROPERTY_SECTIONS && index >= 0; i++) {
        const struct sl_property_section *s = property_sections[i];
        if (index < s->rows_count) return &s->rows[index];
        index -= s->rows_count;
    }
    return NULL;
}

const struct sl_property_alias *sl_properties_alias_at(int32_t index) {
    for (int i = 0; i < PROPERTY_SECTIONS && index >= 0; i++) {
        const struct sl_property_section *s = property_sections[i];
        if (index < s->aliases_count) return &s->aliases[index];
        index -= s->aliases_count;
    }
    return NULL;
}

const struct sl_property_word *sl_properties_word_at(int32_t index) {
    for (int i = 0; i < PROPERTY_SECTIONS && index >= 0; i++) {
        const struct sl_property_section *s = property_sections[i];
        if (index < s->words_count) return &s->words[index];
        index -= s->words_count;
    }
    return NULL;
}

const struct sl_property_hint *sl_properties_hint_at(int32_t index) {
    for (int i = 0; i < PROPERTY_SECTIONS && index >= 0; i++) {
        const struct sl_property_section *s = property_sections[i];
        if (index < s->hints_count) return &s->hints[index];
        index -= s->hints_count;
    }
    return NULL;
}

/* Few names begin alike, so most need no call. */
static bool is_same_name(const char *a, const char *b) { return *a == *b && strcmp(a, b) == 0; }

static const struct sl_property *find_property(const char *name) {
    for (int i = 0; i < PROPERTY_SECTIONS; i++) {
        const struct sl_property_section *s = property_sections[i];
        for (int32_t row = 0; row < s->rows_count; row++)
            if (is_same_name(s->rows[row].name, name)) return &s->rows[row];
    }
    return NULL;
}

const struct sl_property *sl_properties_find(const char *name, int64_t *unit) {
    *unit = 1;
    for (int i = 0; i < PROPERTY_SECTIONS; i++) {
        const struct sl_property_section *s = property_sections[i];
        for (int32_t row = 0; row < s->aliases_count; row++) {
            if (!is_same_name(s->aliases[row].name, name)) continue;
            *unit = s->aliases[row].unit;
            return find_property(s->aliases[row].property);
        }
    }
    return find_property(name);
}

static void guess_property(const char *name, const char *candidate, const char **best, int *least) {
    int distance = sl_text_distance(name, candidate, *least);
    if (distance >= *least) return;
    *least = distance;
    *best = candidate;
}

const char *sl_properties_guess(const char *name) {
    const struct sl_property *p;
    const struct sl_property_alias *alias;
    const char *best = NULL;
    /* Of a short name less may be wrong: "acks" is not meant by "size". */
    int least = (int)strlen(name) / 3 + 1;
    if (least == 1) return NULL; /* nothing may be wrong */
    if (least > PROPERTY_GUESS_MAX + 1) least = PROPERTY_GUESS_MAX + 1;
    for (int32_t i = 0; (p = sl_properties_at(i)) != NULL; i++)
        guess_property(name, p->name, &best, &least);
    for (int32_t i = 0; (alias = sl_properties_alias_at(i)) != NULL; i++)
        guess_property(name, alias->name, &best, &least);
    return best;
}

const char *sl_properties_hint(const char *name) {
    const struct sl_property_hint *hint;
    for (int32_t i = 0; (hint = sl_properties_hint_at(i)) != NULL; i++)
        if (*name == *hint->prefix && strncmp(name, hint->prefix, strlen(hint->prefix)) == 0)
            return hint->hint;
    return NULL;
}

/* ---- values ---- */

static void store_property(const struct sl_property *p, struct sl_property_values *values,
                           int64_t number) {
    uint8_t *field = (uint8_t *)values + p->at;
    if (p->size == sizeof(bool)) {
        bool v = number != 0;
        memcpy(field, &v, sizeof v);
    } else if (p->size == sizeof(int16_t)) {
        int16_t v = (int16_t)number;
        memcpy(field, &v, sizeof v);
    } else if (p->size == sizeof(int32_t)) {
        int32_t v = (int32_t)number;
        memcpy(field, &v, sizeof v);
    } else {
        memcpy(field, &number, sizeof number);
    }
}

static const char *translate_word(const struct sl_property *p, const char *value) {
    const struct sl_property_word *word;
    for (int32_t i = 0; (word = sl_properties_word_at(i)) != NULL; i++)
        if (is_same_name(word->property, p->name) && sl_text_equal_fold(word->word, value))
            return word->means;
    return value;
}

/* The value of a word: words are numbered from p->low in the order of p->range. */
static bool parse_property_word(const struct sl_property *p, const char *value, int64_t *out) {
    int64_t number = p->low;
    value = translate_word(p, value);
    for (const char *word = p->range;; number++) {
        size_t size = strcspn(word, "|");
        char text[24];
        if (size < sizeof text) {
            memcpy(text, word, size);
            text[size] = '\0';
            if (sl_text_equal_fold(text, value)) {
                *out = number;
                return true;
            }
        }
        if (word[size] == '\0') break;
        word += size + 1;
    }
    return sl_text_parse_i64(value, out) && *out >= p->low && *out <= p->high;
}

static bool parse_property_words(const struct sl_property *p, const char *value, int64_t *out) {
    enum { WORD_BITS = 4, WORDS_MAX = 4, WORD_TEXT = 96 };
    uint32_t all = 0;
    int count = 0;
    for (const char *at = value; *at != '\0';) {
        char word[WORD_TEXT];
        int64_t number;
        while (*at == ' ') at++;
        size_t size = strcspn(at, ",");
        size_t trimmed = size;
        while (trimmed > 0 && at[trimmed - 1] == ' ') trimmed--;
        if (trimmed >= sizeof word || count == WORDS_MAX) return false;
        memcpy(word, at, trimmed);
        word[trimmed] = '\0';
        if (!parse_property_word(p, word, &number)) return false;
        for (int i = 0; i < count; i++)
            if ((all >> (WORD_BITS * i) & 15) == (uint32_t)number) return false;
        all |= (uint32_t)number << (WORD_BITS * count++);
        at += size;
        if (*at == ',') at++;
    }
    *out = all;
    return count > 0;
}

static bool parse_property_reset(const struct sl_property *p, const char *value, int64_t *out) {
    static const char prefix[] = "by_duration:";
    size_t size = sizeof prefix - 1;
    if (strncmp(value, prefix, size) == 0) return sl_text_parse_duration(value + size, out);
    return parse_property_word(p, value, out);
}

static bool parse_property_level(const char *value, int64_t *out) {
    if (strcmp(value, "default") == 0) {
        *out = SL_COMPRESS_LEVEL_DEFAULT;
        return true;
    }
    return sl_text_parse_i64(value, out) && *out > INT32_MIN && *out <= INT32_MAX;
}

static bool parse_property_number(const struct sl_property *p, const char *value, int64_t unit,
                                  int64_t *out) {
    int64_t number;
    if (!sl_text_parse_i64(value, &number)) return false;
    /* Multiplied only when that cannot overflow; anything larger is out of range as it is. */
    if (number > p->high / unit || number < -(INT64_MAX / unit)) return false;
    *out = number * unit;
    return *out >= p->low;
}

bool sl_properties_number(const struct sl_property *p, const char *value, int64_t unit,
                          int64_t *out) {
    bool flag = false;
    switch (p->type) {
    case SL_PROPERTY_BOOL:
        if (!sl_text_parse_bool(value, &flag)) return false;
        *out = flag;
        return true;
    case SL_PROPERTY_NUMBER:
        return parse_property_number(p, value, unit, out);
    case SL_PROPERTY_WORD:
        return parse_property_word(p, value, out);
    case SL_PROPERTY_WORDS:
        return parse_property_words(p, value, out);
    case SL_PROPERTY_RESET:
        return parse_property_reset(p, value, out);
    case SL_PROPERTY_LEVEL:
        return parse_property_level(value, out);
    case SL_PROPERTY_TEXT:
    case SL_PROPERTY_ENDPOINTS:
        break;
    }
    return false;
}

static int parse_property_scalar(const struct sl_property *p, const char *value, int64_t unit,
                                 struct sl_property_values *values, struct sl_text *why) {
    int64_t number;
    if (sl_properties_number(p, value, unit, &number)) {
        if (values != NULL) store_property(p, values, number);
        return 0;
    }
    /* A value may be long, or a secret that slipped in here; the name is enough to find it. */
    sl_text_printf(why, "\"%.60s\" is not one of %s", p->secret ? "****" : value, p->range);
    if (unit != 1) sl_text_printf(why, " (counted in units of %lld)", (long long)unit);
    return SLUICE_ERR_CONFIG;
}

static int parse_property_text(const struct sl_property *p, const char *value,
                               struct sl_property_values *values, const struct sl_alloc *alloc,
                               struct sl_text *why) {
    size_t size = strlen(value);
    if (size > (size_t)p->high) {
        sl_text_printf(why, "%zu bytes are not %s", size, p->range);
        return SLUICE_ERR_CONFIG;
    }
    if (values == NULL) return 0;
    char *text = sl_alloc_text(alloc, value, size);
    if (text == NULL) return SLUICE_ERR_NOMEM;
    memcpy((uint8_t *)values + p->at, &text, sizeof text);
    return 0;
}

/* ---- endpoints ---- */

enum { ENDPOINT_HOST_MAX = 256 };

/* The next piece of a list between commas, without blanks around it; false at the end. */
static bool next_endpoint(const char **at, const char **piece, size_t *size) {
    while (**at == ',' || **at == ' ' || **at == '\t') (*at)++;
    if (**at == '\0') return false;
    *piece = *at;
    *size = strcspn(*at, ",");
    *at += *size;
    while (*size > 0 && ((*piece)[*size - 1] == ' ' || (*piece)[*size - 1] == '\t')) (*size)--;
    return true;
}

static int count_endpoints(const char *value, int32_t *count, struct sl_text *why) {
    char host[ENDPOINT_HOST_MAX];
    const char *piece;
    size_t size;
    uint16_t port;
    *count = 0;
    for (const char *at = value; next_endpoint(&at, &piece, &size); (*count)++) {
        const char *wrong = sl_text_parse_endpoint(piece, size, host, sizeof host, &port);
        if (wrong == NULL) continue;
        sl_text_printf(why, "\"%.*s\": %s", size < 80 ? (int)size : 80, piece, wrong);
        return SLUICE_ERR_CONFIG;
    }
    if (*count > 0) return 0;
    sl_text_put(why, "names no broker");
    return SLUICE_ERR_CONFIG;
}

static int parse_endpoints(const char *value, struct sl_settings *settings,
                           const struct sl_alloc *alloc, struct sl_text *why) {
    char host[ENDPOINT_HOST_MAX];
    const char *piece;
    size_t size;
    int32_t count;
    int rv = count_endpoints(value, &count, why);
    if (rv != 0 || settings == NULL) return rv;
    settings->bootstrap = sl_alloc_array(alloc, (size_t)count, sizeof *settings->bootstrap);
    if (settings->bootstrap == NULL) return SLUICE_ERR_NOMEM;
    settings->bootstrap_count = count;
    struct sl_endpoint *e = settings->bootstrap;
    for (const char *at = value; next_endpoint(&at, &piece, &size); e++) {
        (void)sl_text_parse_endpoint(piece, size, host, sizeof host, &e->port); /* counted above */
        e->host = sl_alloc_text(alloc, host, strlen(host));
        if (e->host == NULL) return SLUICE_ERR_NOMEM;
    }
    return 0;
}

int sl_properties_parse(const struct sl_property *p, const char *value, int64_t unit,
                        struct sl_property_values *values, const struct sl_alloc *alloc,
                        struct sl_text *why) {
    switch (p->type) {
    case SL_PROPERTY_TEXT:
        return parse_property_text(p, value, values, alloc, why);
    case SL_PROPERTY_ENDPOINTS:
        return parse_endpoints(value, values == NULL ? NULL : &values->settings, alloc, why);
    case SL_PROPERTY_BOOL:
    case SL_PROPERTY_NUMBER:
    case SL_PROPERTY_WORD:
    case SL_PROPERTY_WORDS:
    case SL_PROPERTY_RESET:
    case SL_PROPERTY_LEVEL:
        break;
    }
    return parse_property_scalar(p, value, unit, values, why);
}

static void free_settings_text(const struct sl_alloc *alloc, char *text) {
    if (text != NULL) sl_alloc_free(alloc, text, strlen(text) + 1);
}

void sl_properties_free_texts(struct sl_settings *settings, const struct sl_alloc *alloc) {
    const struct sl_property *p;
    for (int32_t i = 0; (p = sl_properties_at(i)) != NULL; i++) {
        if (p->type != SL_PROPERTY_TEXT) continue;
        uint8_t *field =
            (uint8_t *)settings + p->at - offsetof(struct sl_property_values, settings);
        char *text;
        memcpy(&text, field, sizeof text);
        if (p->secret)
            sl_alloc_free_secret(alloc, text);
        else
            free_settings_text(alloc, text);
        memset(field, 0, sizeof text);
    }
    for (int32_t i = 0; i < settings->bootstrap_count; i++)
        free_settings_text(alloc, settings->bootstrap[i].host);
    sl_alloc_free(alloc, settings->bootstrap,
                  (size_t)settings->bootstrap_count * sizeof *settings->bootstrap);
    settings->bootstrap = NULL;
    settings->bootstrap_count = 0;
}
