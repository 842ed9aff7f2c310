/* sluice-config: what a client can be told.
 *
 *   sluice-config               the manual of all properties, as Markdown (CONFIGURATION.md)
 *   sluice-config ROLE FILE     what a .properties file comes to for a producer, consumer or admin
 *                               client: every effective setting and whence, or every mistake
 *
 * Exit status: 0, 1 when the file has mistakes, 2 when the command line is wrong.
 *
 * The manual is printed from the table that also parses, so neither can say what the other does
 * not. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/properties.h"
#include "sluice/config.h"

enum { CONFIG_MISTAKES = 1, CONFIG_USAGE = 2 };

static const char *const role_names[] = {
    [SLUICE_PRODUCER] = "producer", [SLUICE_CONSUMER] = "consumer", [SLUICE_ADMIN] = "admin"};
enum { ROLE_COUNT = sizeof role_names / sizeof role_names[0] };

/* ---- the manual ---- */

/* Text of a table's cell: a bar would end it. */
static void print_cell(const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '|') putchar('\\');
        putchar(*text);
    }
}

static void print_code(const char *text) {
    putchar('`');
    print_cell(text);
    putchar('`');
}

static void print_default(const struct sl_property *p) {
    if (p->fallback == NULL)
        printf("has to be set");
    else if (*p->fallback == '\0')
        printf("empty");
    else
        print_code(p->fallback);
}

static void print_range(const struct sl_property *p) {
    if (p->type != SL_PROPERTY_WORD && p->type != SL_PROPERTY_BOOL) {
        print_cell(p->range);
        return;
    }
    for (const char *at = p->range; *at != '\0';) {
        size_t size = strcspn(at, "|");
        printf("`%.*s`", (int)size, at);
        at += size;
        if (*at == '\0') break;
        printf(", ");
        at++;
    }
}

static void print_aliases(const struct sl_property *p) {
    const struct sl_property_alias *alias;
    bool is_first = true;
    for (int32_t i = 0; (alias = sl_properties_alias_at(i)) != NULL; i++) {
        if (strcmp(alias->property, p->name) != 0) continue;
        printf(is_first ? " Also: " : ", ");
        is_first = false;
        print_code(alias->name);
        if (alias->unit != 1) printf(" (in units of %lld)", (long long)alias->unit);
    }
    if (!is_first) putchar('.');
}

/* The properties of exactly those roles. */
static void print_section(const char *title, int32_t roles) {
    const struct sl_property *p;
    printf("\n## %s\n\n| Property | Default | Values | What it does |\n|---|---|---|---|\n", title);
    for (int32_t i = 0; (p = sl_properties_at(i)) != NULL; i++) {
        if (p->roles != roles) continue;
        printf("| ");
        print_code(p->name);
        printf(" | ");
        print_default(p);
        printf(" | ");
        print_range(p);
        printf(" | ");
        print_cell(p->text);
        print_aliases(p);
        printf("%s |\n", p->secret ? " Never shown." : "");
    }
}

static void print_words(void) {
    const struct sl_property_word *word;
    printf("\n## Values of other clients\n\n| Property | Value | Is |\n|---|---|---|\n");
    for (int32_t i = 0; (word = sl_properties_word_at(i)) != NULL; i++) {
        printf("| ");
        print_code(word->property);
        printf(" | ");
        print_code(word->word);
        printf(" | ");
        print_code(word->means);
        printf(" |\n");
    }
}

static void print_hints(void) {
    const struct sl_property_hint *hint;
    printf("\n## Properties of other clients that there are not\n\n"
           "Names that begin so are a mistake like any unknown name, with this explanation.\n\n"
           "| Name | Why |\n|---|---|\n");
    for (int32_t i = 0; (hint = sl_properties_hint_at(i)) != NULL; i++) {
        printf("| ");
        print_code(hint->prefix);
        printf(" | ");
        print_cell(hint->hint);
        printf(" |\n");
    }
}

static void print_manual(void) {
    const int32_t producer = 1 << SLUICE_PRODUCER;
    const int32_t consumer = 1 << SLUICE_CONSUMER;
    const int32_t admin = 1 << SLUICE_ADMIN;
    printf(
        "# The properties of sluice\n\n"
        "<!-- Written by `make docs` from the tables in lib/api/properties_*.c. -->\n\n"
        "Set with `sluice_config_set`, by `sluice_config_load` from a .properties file, or in the "
        "list of\n`sluice_client_start`. Names and defaults are the Java client's unless the text "
        "says \"ours\"; names\nof librdkafka are accepted where they mean the same. Opening a "
        "client lists every mistake at\nonce: unknown names with what was probably meant, "
        "properties of another role, values out of\nrange, and settings that contradict each "
        "other. `sluice_config_text`, or\n`sluice-config ROLE FILE`, shows what is in effect and "
        "whence.\n");
    print_section("All clients", producer | consumer | admin);
    print_section("Producers", producer);
    print_section("Consumers", consumer);
    print_words();
    print_hints();
}

/* ---- a file ---- */

static int find_role(const char *name) {
    for (int role = 1; role < (int)ROLE_COUNT; role++)
        if (strcmp(role_names[role], name) == 0) return role;
    return 0;
}

/* Prints what is in effect. False: out of memory. */
static bool print_effective(const sluice_config *config, int role) {
    int64_t size = sluice_config_text(config, role, NULL, 0);
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    if (text == NULL) return false;
    (void)sluice_config_text(config, role, text, (size_t)size + 1); /* fits */
    fputs(text, stdout);
    free(text);
    return true;
}

static int check_file(int role, const char *path) {
    int status = CONFIG_MISTAKES;
    sluice_config *config = sluice_config_create();
    (void)sluice_config_load(config, path); /* sticky: check tells */
    if (sluice_config_check(config, role) != 0)
        fprintf(stderr, "%s\n", sluice_config_message(config));
    else if (print_effective(config, role))
        status = 0;
    sluice_config_free(config);
    return status;
}

int main(int argc, char **argv) {
    if (argc == 1) {
        print_manual();
        return 0;
    }
    int role = argc == 3 ? find_role(argv[1]) : 0;
    if (role != 0) return check_file(role, argv[2]);
    bool is_help = argc == 2 && strcmp(argv[1], "--help") == 0;
    fprintf(is_help ? stdout : stderr,
            "usage: sluice-config                   the manual of all properties\n"
            "       sluice-config ROLE FILE         what a .properties file comes to for a\n"
            "                                       producer, consumer or admin client\n");
    return is_help ? 0 : CONFIG_USAGE;
}
