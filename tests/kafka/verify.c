/* The command line of verify, and what its parts have in common: see verify.h. */
#define _POSIX_C_SOURCE 200809L
#include "verify.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COMPLAINTS_PRINTED = 20 };

static uint64_t complaint_count;

static const char usage_text[] =
    "verify produce      --bootstrap B --topic T --partitions N --count N --ledger FILE [--keys]\n"
    "                    [--sizes mixed|small] [--codec C] [--seed S] [--rate R] [--close-ms MS]\n"
    "                    [--any-outcome] [--samples FILE] [--set NAME=VALUE]...\n"
    "verify consume      --bootstrap B --ledger FILE [--set NAME=VALUE]...\n"
    "verify audit        --ledger FILE [DUMP]...\n"
    "verify member       --bootstrap B --topic T [--close-ms MS] [--set NAME=VALUE]...\n"
    "verify close-frozen --bootstrap B --topic T --partitions N --role producer|consumer\n"
    "                    [--fresh] [--close-ms MS] [--count N] [--ledger FILE] ...\n"
    "\n"
    "produce stops early on SIGTERM: what was accepted by then is written, reported and in the\n"
    "ledger. close-frozen prints \"ready\", waits for a line on stdin, and closes.\n";

void verify_complain(const char *format, ...) {
    va_list arguments;
    if (++complaint_count > COMPLAINTS_PRINTED) return;
    fputs("verify: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    if (complaint_count == COMPLAINTS_PRINTED) fputs("verify: … and more\n", stderr);
}

uint64_t verify_complaints(void) { return complaint_count; }

static int64_t read_clock_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t verify_now_ms(void) { return read_clock_ms(CLOCK_MONOTONIC); }

int64_t verify_calendar_ms(void) { return read_clock_ms(CLOCK_REALTIME); }

void verify_sleep_ms(int64_t ms) {
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    /* A signal ends the sleep early, which is what SIGTERM wants. */
    nanosleep(&time, NULL);
}

sluice_client *verify_open(const struct verify_options *options, int32_t role,
                           const char *const *settings) {
    const char *all[2 * VERIFY_SETTINGS_MAX + 32] = {"bootstrap.servers", options->bootstrap};
    sluice_client *client = NULL;
    size_t n = 2;
    for (size_t i = 0; settings[i] != NULL && n < 30; i++) all[n++] = settings[i];
    for (size_t i = 0; options->settings[i] != NULL; i++) all[n++] = options->settings[i];
    int rv = sluice_client_start(role, all, &client);
    if (rv != 0) {
        fprintf(stderr, "verify: the client did not open: %s\n", sluice_error_text(rv));
        exit(1);
    }
    return client;
}

static void refuse(const char *what) {
    fprintf(stderr, "verify: %s\n\n%s", what, usage_text);
    exit(2);
}

static uint64_t parse_number(const char *text, uint64_t max) {
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || *text == '-' || value > max) {
        refuse("a number is missing or out of range");
    }
    return value;
}

static void add_setting(struct verify_options *options, const char *name, const char *value) {
    if (options->setting_count == VERIFY_SETTINGS_MAX) refuse("too many settings");
    options->settings[2 * options->setting_count] = name;
    options->settings[2 * options->setting_count + 1] = value;
    options->setting_count++;
}

/* Cuts NAME=VALUE of the command line in two, in place. */
static void parse_setting(struct verify_options *options, char *text) {
    char *equals = strchr(text, '=');
    if (equals == NULL) refuse("--set wants NAME=VALUE");
    *equals = '\0';
    add_setting(options, text, equals + 1);
}

static void parse_option(struct verify_options *options, int letter, char *value) {
    switch (letter) {
    case 'b':
        options->bootstrap = value;
        break;
    case 't':
        snprintf(options->plan.topic, sizeof options->plan.topic, "%s", value);
        break;
    case 'p':
        options->plan.partitions = (int32_t)parse_number(value, VERIFY_PARTITIONS_MAX);
        break;
    case 'n':
        options->count = parse_number(value, 1000000000);
        break;
    case 'z':
        options->plan.sizes = strcmp(value, "small") == 0 ? VERIFY_SMALL : VERIFY_MIXED;
        break;
    case 'c':
        add_setting(options, "compression.type", value);
        break;
    case 's':
        options->plan.seed = parse_number(value, UINT64_MAX);
        break;
    case 'k':
        options->plan.keys = true;
        break;
    case 'l':
        options->ledger_path = value;
        break;
    case 'S':
        options->samples_path = value;
        break;
    case 'r':
        options->rate = parse_number(value, 100000000);
        break;
    case 'm':
        options->close_ms = (int32_t)parse_number(value, 3600000);
        break;
    case 'a':
        options->any_outcome = true;
        break;
    case 'R':
        options->role = value;
        break;
    case 'f':
        options->fresh = true;
        break;
    case 'X':
        parse_setting(options, value);
        break;
    default:
        refuse("an option is unknown or lacks its value");
    }
}

int main(int argc, char **argv) {
    static const struct option names[] = {{"bootstrap", required_argument, NULL, 'b'},
                                          {"topic", required_argument, NULL, 't'},
                                          {"partitions", required_argument, NULL, 'p'},
                                          {"count", required_argument, NULL, 'n'},
                                          {"sizes", required_argument, NULL, 'z'},
                                          {"codec", required_argument, NULL, 'c'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"keys", no_argument, NULL, 'k'},
                                          {"ledger", required_argument, NULL, 'l'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"close-ms", required_argument, NULL, 'm'},
                                          {"any-outcome", no_argument, NULL, 'a'},
                                          {"role", required_argument, NULL, 'R'},
                                          {"fresh", no_argument, NULL, 'f'},
                                          {"samples", required_argument, NULL, 'S'},
                                          {"set", required_argument, NULL, 'X'},
                                          {NULL, 0, NULL, 0}};
    static struct verify_options options = {.close_ms = 120000};
    int letter;
    if (argc < 2) refuse("which subcommand?");
    const char *verb = argv[1];
    /* getopt starts behind element 0: the subcommand plays the program's name. */
    while ((letter = getopt_long(argc - 1, argv + 1, "", names, NULL)) != -1) {
        parse_option(&options, letter, optarg);
    }
    char *const *files = argv + 1 + optind;
    if (strcmp(verb, "audit") == 0) {
        if (options.ledger_path == NULL) refuse("audit wants --ledger");
        return verify_audit(&options, files);
    }
    if (*files != NULL) refuse("only audit takes files");
    if (options.bootstrap == NULL) refuse("--bootstrap is missing");
    if (strcmp(verb, "consume") == 0) {
        if (options.ledger_path == NULL) refuse("consume wants --ledger");
        return verify_consume(&options);
    }
    if (strcmp(verb, "member") == 0) {
        if (options.plan.topic[0] == '\0') refuse("member wants --topic");
        return verify_member(&options);
    }
    if (options.plan.topic[0] == '\0' || options.plan.partitions == 0 || options.count == 0) {
        refuse("--topic, --partitions or --count is missing");
    }
    options.plan.first_timestamp_ms = verify_calendar_ms() - 3600000;
    if (strcmp(verb, "produce") == 0) return verify_produce(&options);
    if (strcmp(verb, "close-frozen") == 0 && options.role != NULL) {
        return verify_close_frozen(&options);
    }
    refuse("the subcommand is unknown, or close-frozen lacks its --role");
    return 2;
}
