/* .properties files: one "name=value" a line, as the Java client's tools read them.
 *
 *   # or ! first      a comment
 *   name=value        also "name:value" and "name value"; blanks around name and separator go
 *   \ at the end      the next line goes on, without its leading blanks
 *   \n \t \r \f       a control character; \uXXXX a UTF-16 unit; \ and any other: that character
 *
 * A mistake carries the line on which its entry began. The file is read whole, up to a megabyte:
 * whatever is larger is not a configuration. Surrogate pairs are not joined, since no property has
 * a use for them. */
#include "api/config.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/text.h"
#include "sluice/config.h"

enum { CONFIG_FILE_MAX = 1024 * 1024, CONFIG_FILE_STEP = 4096, CONFIG_ORIGIN_MAX = 256 };

struct config_reader {
    const char *at; /* in the file's text, NUL at the end */
    int line;
    struct sl_writer name; /* of the entry, NUL at the end */
    struct sl_writer value;
};

static bool is_config_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }
static bool is_line_end(char c) { return c == '\n' || c == '\r' || c == '\0'; }

static void skip_config_blanks(struct config_reader *r) {
    while (is_config_blank(*r->at)) r->at++;
}

/* Steps over one line end: \n, \r or \r\n. */
static void skip_line_end(struct config_reader *r) {
    if (*r->at == '\0') return;
    if (r->at[0] == '\r' && r->at[1] == '\n') r->at++;
    r->at++;
    r->line++;
}

static void put_config_unit(struct sl_writer *out, unsigned unit) {
    if (unit < 0x80) {
        sl_writer_i8(out, (int8_t)unit);
    } else if (unit < 0x800) {
        sl_writer_i8(out, (int8_t)(0xc0 | unit >> 6));
        sl_writer_i8(out, (int8_t)(0x80 | (unit & 0x3f)));
    } else {
        sl_writer_i8(out, (int8_t)(0xe0 | unit >> 12));
        sl_writer_i8(out, (int8_t)(0x80 | (unit >> 6 & 0x3f)));
        sl_writer_i8(out, (int8_t)(0x80 | (unit & 0x3f)));
    }
}

static int config_hex_digit(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)((found - digits) & 15);
}

/* The escape whose backslash was stepped over. */
static void read_config_escape(struct config_reader *r, struct sl_writer *out) {
    static const char letters[] = "ntrf";
    static const char controls[] = "\n\t\r\f";
    if (*r->at == '\0') return;
    if (is_line_end(*r->at)) {
        skip_line_end(r);
        skip_config_blanks(r);
        return;
    }
    char c = *r->at++;
    if (c == 'u') {
        unsigned unit = 0;
        int digits = 0;
        for (int digit; digits < 4 && (digit = config_hex_digit(*r->at)) >= 0; digits++) {
            unit = unit << 4 | (unsigned)digit;
            r->at++;
        }
        put_config_unit(out, digits == 4 && unit != 0 ? unit : 'u');
        return;
    }
    const char *letter = strchr(letters, c);
    sl_writer_i8(out, (int8_t)(letter == NULL ? c : controls[letter - letters]));
}

/* Copies up to the end of the line, or of the name when it is one. */
static void read_config_part(struct config_reader *r, struct sl_writer *out, bool is_name) {
    out->size = 0;
    while (!is_line_end(*r->at)) {
        if (is_name && (*r->at == '=' || *r->at == ':' || is_config_blank(*r->at))) break;
        char c = *r->at++;
        if (c == '\\')
            read_config_escape(r, out);
        else
            sl_writer_i8(out, (int8_t)c);
    }
    sl_writer_i8(out, 0);
}

/* The next entry; false at the end of the file. *line: where it began. */
static bool next_config_entry(struct config_reader *r, int *line) {
    for (;;) {
        skip_config_blanks(r);
        if (*r->at == '\0') return false;
        if (*r->at != '#' && *r->at != '!' && !is_line_end(*r->at)) break;
        while (!is_line_end(*r->at)) r->at++;
        skip_line_end(r);
    }
    *line = r->line;
    read_config_part(r, &r->name, true);
    skip_config_blanks(r);
    if (*r->at == '=' || *r->at == ':') r->at++;
    skip_config_blanks(r);
    read_config_part(r, &r->value, false);
    return true;
}

/* The whole file and a NUL. 0, SYSTEM or NOMEM. */
static int read_config_file(const char *path, struct sl_writer *out) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return SLUICE_ERR_SYSTEM;
    int rv = 0;
    for (size_t got = 1; rv == 0 && got > 0;) {
        uint8_t *room = sl_writer_room(out, CONFIG_FILE_STEP);
        if (room == NULL) {
            rv = SLUICE_ERR_NOMEM;
            break;
        }
        got = fread(room, 1, CONFIG_FILE_STEP, file);
        out->size -= CONFIG_FILE_STEP - got;
        if (out->size > CONFIG_FILE_MAX || ferror(file)) rv = SLUICE_ERR_SYSTEM;
    }
    (void)fclose(file); /* it was only read */
    sl_writer_i8(out, 0);
    return rv == 0 && out->failed ? SLUICE_ERR_NOMEM : rv;
}

static int set_config_entries(sluice_config *config, struct config_reader *r, const char *path) {
    char origin[CONFIG_ORIGIN_MAX];
    struct sl_text t;
    int worst = 0;
    int line;
    while (next_config_entry(r, &line)) {
        if (r->name.failed || r->value.failed) return SLUICE_ERR_NOMEM;
        sl_text_init(&t, origin, sizeof origin);
        sl_text_printf(&t, "%.200s:%d", path, line);
        int rv = sl_config_set_from(config, (const char *)r->name.data, (const char *)r->value.data,
                                    origin);
        if (rv == SLUICE_ERR_NOMEM) return rv;
        if (rv != 0) worst = rv;
    }
    return worst;
}

int sl_config_load_text(sluice_config *config, const char *text, const char *path) {
    struct config_reader r = {.at = text, .line = 1};
    sl_writer_init(&r.name, sl_alloc_default());
    sl_writer_init(&r.value, sl_alloc_default());
    int rv = set_config_entries(config, &r, path);
    sl_writer_deinit(&r.name);
    sl_writer_deinit(&r.value);
    return rv;
}

int sluice_config_load(sluice_config *config, const char *path) {
    char note[CONFIG_ORIGIN_MAX + 64];
    struct sl_text t;
    struct sl_writer text;
    if (config == NULL || path == NULL) return SLUICE_ERR_USAGE;
    sl_writer_init(&text, sl_alloc_default());
    int rv = read_config_file(path, &text);
    if (rv == 0) {
        rv = sl_config_load_text(config, (const char *)text.data, path);
    } else if (rv == SLUICE_ERR_SYSTEM) {
        sl_text_init(&t, note, sizeof note);
        sl_text_printf(&t, "%.200s: cannot be read, or is larger than a megabyte", path);
        sl_config_note(config, note);
    }
    sl_writer_deinit(&text);
    return rv;
}
