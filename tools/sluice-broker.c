/* sluice-broker: the bundled test broker as a program: a Kafka cluster of some nodes in one
 * process, topics and logs in memory.
 *
 * Says where each node listens, one line each, once all of them do; then waits for signals. SIGUSR1
 * prints one line, "written records=COUNT bytes=COUNT requests NAME=COUNT …", of what all nodes
 * did since the start; SIGINT and SIGTERM end it. Exit status: 0, 1 when it could not start, 2 when the command line is wrong.
 *
 * It is a thin shell over driver/host.h: options come from one table that also prints --help. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "broker/broker.h"
#include "driver/host.h"
#include "record/compress.h"
#include "sluice/error.h"
#include "wire/api.h"

enum { NODES_MAX = 100, SETTINGS_MAX = 32, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Everything the command line says. */
struct broker_command {
    struct sl_broker_options broker;
    const char *host;
    int64_t port;                       /* of node 1; 0: free ports */
    const char *release;                /* NULL: the newest */
    const char *racks;                  /* NULL: none */
    const char *tls_cert, *tls_key;     /* NULL: plain */
    const char *tls_ca;                 /* NULL: none */
    const char *tls_client_auth;        /* NULL: none */
    const char *settings[SETTINGS_MAX]; /* "NAME=VALUE" each */
    int setting_count;
    bool help;
};

enum option_kind { OPTION_FLAG = 1, OPTION_NUMBER, OPTION_TEXT };
enum option_id {
    OPTION_PORT = 1,
    OPTION_NODES,
    OPTION_HOST,
    OPTION_PARTITIONS,
    OPTION_NO_AUTO_CREATE,
    OPTION_MEMORY,
    OPTION_RELEASE,
    OPTION_RACKS,
    OPTION_TLS_CERT,
    OPTION_TLS_KEY,
    OPTION_TLS_CA,
    OPTION_TLS_CLIENT_AUTH,
    OPTION_SET,
    OPTION_BENCH,
    OPTION_BENCH_PARTITIONS,
    OPTION_BENCH_RECORD_SIZE,
    OPTION_BENCH_JSON,
    OPTION_BENCH_CODEC,
    OPTION_BENCH_LEVEL,
    OPTION_HELP
};
struct option {
    enum option_id id;
    enum option_kind kind;
    const char *name;
    const char *value; /* what --help calls the value */
    int64_t low, high; /* of a number */
    const char *text;
};

static const struct option options[] = {
    {OPTION_PORT, OPTION_NUMBER, "--port", "PORT", 0, 65535,
     "port of node 1, node N listens at PORT+N-1; 0: free ports (default 9092)"},
    {OPTION_NODES, OPTION_NUMBER, "--nodes", "COUNT", 1, NODES_MAX, "nodes (default 1)"},
    {OPTION_HOST, OPTION_TEXT, "--host", "ADDRESS", 0, 0,
     "numeric address to listen at, also told to clients (default 127.0.0.1)"},
    {OPTION_PARTITIONS, OPTION_NUMBER, "--partitions", "COUNT", 1, 100000,
     "partitions of topics that are created automatically"},
    {OPTION_NO_AUTO_CREATE, OPTION_FLAG, "--no-auto-create", NULL, 0, 0,
     "do not create topics that a client asks for"},
    {OPTION_MEMORY, OPTION_NUMBER, "--memory", "BYTES", 0, INT64_MAX,
     "bytes of all logs, beyond which the oldest batches go; 0: no limit"},
    {OPTION_RELEASE, OPTION_TEXT, "--release", "X.Y", 0, 0,
     "speak the protocol versions of that Kafka release, 2.1 to 4.2"},
    {OPTION_RACKS, OPTION_TEXT, "--racks", "NAME,...", 0, 0,
     "racks of the nodes in turn; leaders send consumers to followers in their client.rack"},
    {OPTION_TLS_CERT, OPTION_TEXT, "--tls-cert", "FILE", 0, 0,
     "listen with TLS: the nodes' certificate and its chain, PEM"},
    {OPTION_TLS_KEY, OPTION_TEXT, "--tls-key", "FILE", 0, 0, "the key of that certificate"},
    {OPTION_TLS_CA, OPTION_TEXT, "--tls-ca", "FILE", 0, 0, "who issues clients' certificates"},
    {OPTION_TLS_CLIENT_AUTH, OPTION_TEXT, "--tls-client-auth", "WORD", 0, 0,
     "certificates of clients: none, requested or required"},
    {OPTION_SET, OPTION_TEXT, "--set", "NAME=VALUE", 0, 0,
     "a setting of the cluster, such as group.initial.rebalance.delay.ms=3000; may be repeated"},
    {OPTION_BENCH, OPTION_FLAG, "--bench", NULL, 0, 0,
     "answer Produce from batch headers alone, Fetch from one prebuilt log"},
    {OPTION_BENCH_PARTITIONS, OPTION_NUMBER, "--bench-partitions", "COUNT", 0, 100000,
     "only the first partitions of a topic have that log; 0: all"},
    {OPTION_BENCH_RECORD_SIZE, OPTION_NUMBER, "--bench-record-size", "BYTES", 0, 1000000,
     "size of a record's value in that log"},
    {OPTION_BENCH_JSON, OPTION_FLAG, "--bench-json", NULL, 0, 0,
     "the values are varied JSON of about that size, not filler"},
    {OPTION_BENCH_CODEC, OPTION_TEXT, "--bench-codec", "NAME", 0, 0,
     "compress that log: none, gzip, snappy, lz4 or zstd"},
    {OPTION_BENCH_LEVEL, OPTION_NUMBER, "--bench-level", "LEVEL", INT32_MIN, INT32_MAX,
     "at that level of the codec, not its default"},
    {OPTION_HELP, OPTION_FLAG, "--help", NULL, 0, 0, "print this and exit"},
};
enum { OPTION_COUNT = sizeof options / sizeof options[0] };

static void print_help(void) {
    printf("Usage: sluice-broker [OPTION]...\n"
           "A Kafka cluster for tests, in one process and in memory. SIGUSR1 prints what it\n"
           "has written, and how many requests of each kind it has handled.\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char left[64];
        struct sl_text text;
        sl_text_init(&text, left, sizeof left);
        sl_text_printf(&text, "%s%s%s", options[i].name, options[i].value == NULL ? "" : " ",
                       options[i].value == NULL ? "" : options[i].value);
        printf("  %-28s %s\n", left, options[i].text);
    }
}

/* ---- the command line ---- */

static const struct option *find_option(const char *name, size_t length) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static void apply_flag(struct broker_command *command, enum option_id id) {
    if (id == OPTION_NO_AUTO_CREATE) command->broker.auto_create = false;
    if (id == OPTION_BENCH) command->broker.bench = true;
    if (id == OPTION_BENCH_JSON) command->broker.bench_json = true;
    if (id == OPTION_HELP) command->help = true;
}

static void apply_number(struct broker_command *command, enum option_id id, int64_t number) {
    if (id == OPTION_PORT) command->port = number;
    if (id == OPTION_NODES) command->broker.nodes = (int32_t)number;
    if (id == OPTION_PARTITIONS) command->broker.default_partitions = (int32_t)number;
    if (id == OPTION_MEMORY) command->broker.memory_max = number;
    if (id == OPTION_BENCH_PARTITIONS) command->broker.bench_partitions = (int32_t)number;
    if (id == OPTION_BENCH_RECORD_SIZE) command->broker.bench_record_size = (int32_t)number;
    if (id == OPTION_BENCH_LEVEL) command->broker.bench_level = (int32_t)number;
}

static bool apply_text(struct broker_command *command, enum option_id id, const char *text) {
    if (id == OPTION_HOST) command->host = text;
    if (id == OPTION_RELEASE) command->release = text;
    if (id == OPTION_RACKS) command->racks = text;
    if (id == OPTION_TLS_CERT) command->tls_cert = text;
    if (id == OPTION_TLS_KEY) command->tls_key = text;
    if (id == OPTION_TLS_CA) command->tls_ca = text;
    if (id == OPTION_TLS_CLIENT_AUTH) command->tls_client_auth = text;
    if (id == OPTION_SET) {
        if (command->setting_count == SETTINGS_MAX) {
            fprintf(stderr, "sluice-broker: --set: more than %d settings\n", SETTINGS_MAX);
            return false;
        }
        command->settings[command->setting_count++] = text;
    }
    if (id == OPTION_BENCH_CODEC) {
        command->broker.bench_codec = sl_compress_find(text);
        if (command->broker.bench_codec < 0) {
            fprintf(stderr, "sluice-broker: --bench-codec: there is no codec '%s'\n", text);
            return false;
        }
    }
    return true;
}

static bool apply_value(struct broker_command *command, const struct option *option,
                        const char *value) {
    if (option->kind == OPTION_TEXT) return apply_text(command, option->id, value);
    int64_t number;
    if (!sl_text_parse_i64(value, &number) || number < option->low || number > option->high) {
        fprintf(stderr, "sluice-broker: %s: '%s' is not a number from %lld to %lld\n", option->name,
                value, (long long)option->low, (long long)option->high);
        return false;
    }
    apply_number(command, option->id, number);
    return true;
}

/* Options are "--name value" or "--name=value". False: a message was printed. */
static bool parse_command(int argc, char **argv, struct broker_command *command) {
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        size_t length = equals == NULL ? strlen(argv[i]) : (size_t)(equals - argv[i]);
        const struct option *option = find_option(argv[i], length);
        if (option == NULL) {
            fprintf(stderr, "sluice-broker: there is no option '%s' (--help lists all)\n", argv[i]);
            return false;
        }
        if (option->kind == OPTION_FLAG) {
            if (equals != NULL) {
                fprintf(stderr, "sluice-broker: %s takes no value\n", option->name);
                return false;
            }
            apply_flag(command, option->id);
            continue;
        }
        const char *value = equals != NULL ? equals + 1 : argv[++i];
        if (value == NULL) {
            fprintf(stderr, "sluice-broker: %s wants a value: %s\n", option->name, option->value);
            return false;
        }
        if (!apply_value(command, option, value)) return false;
    }
    return true;
}

static bool check_command(const struct broker_command *command) {
    const struct sl_broker_options *broker = &command->broker;
    if (command->port != 0 && command->port + broker->nodes - 1 > 65535) {
        fprintf(stderr, "sluice-broker: the ports of %d nodes from %d on end beyond 65535\n",
                (int)broker->nodes, (int)command->port);
        return false;
    }
    int32_t low, high;
    if (sl_compress_check_level(broker->bench_codec, broker->bench_level, &low, &high) != 0) {
        fprintf(stderr, "sluice-broker: --bench-level: %s has levels %d to %d\n",
                sl_compress_name(broker->bench_codec), (int)low, (int)high);
        return false;
    }
    return true;
}

/* ---- running ---- */

static int set_release(struct sl_broker_cluster *cluster, void *arg) {
    return sl_broker_cap_release(cluster, arg);
}

static int set_racks(struct sl_broker_cluster *cluster, void *arg) {
    int rv = sl_broker_set(cluster, "broker.rack", arg);
    if (rv != 0) return rv;
    return sl_broker_set(cluster, "replica.selector.class",
                         "org.apache.kafka.common.replica.RackAwareReplicaSelector");
}

/* arg: "NAME=VALUE". */
static int apply_setting(struct sl_broker_cluster *cluster, void *arg) {
    const char *setting = arg;
    char name[64];
    struct sl_text text;
    size_t length = strcspn(setting, "=");
    if (setting[length] == '\0' || length >= sizeof name) return SLUICE_ERR_CONFIG;
    sl_text_init(&text, name, sizeof name);
    sl_text_put_len(&text, setting, length);
    return sl_broker_set(cluster, name, setting + length + 1);
}

/* False: a message was printed. The key comes last, so that the first context is the right one. */
static bool configure_tls(const struct broker_command *command, struct sl_host *host) {
    const struct {
        const char *name, *value;
    } all[] = {
        {"ssl.ca.location", command->tls_ca},
        {"ssl.client.auth", command->tls_client_auth},
        {"ssl.certificate.location", command->tls_cert},
        {"ssl.key.location", command->tls_key},
    };
    char buf[320];
    struct sl_text why;
    if ((command->tls_cert == NULL) != (command->tls_key == NULL)) {
        fprintf(stderr, "sluice-broker: --tls-cert and --tls-key need each other\n");
        return false;
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].value == NULL) continue;
        sl_text_init(&why, buf, sizeof buf);
        if (sl_host_set_tls(host, all[i].name, all[i].value, &why) == 0) continue;
        fprintf(stderr, "sluice-broker: %s\n", buf);
        return false;
    }
    return true;
}

/* False: a message was printed. */
static bool configure_broker(const struct broker_command *command, struct sl_host *host) {
    if (command->release != NULL &&
        sl_host_call(host, set_release, (void *)(uintptr_t)command->release) != 0) {
        fprintf(stderr, "sluice-broker: --release: there is no release '%s'\n", command->release);
        return false;
    }
    if (command->racks != NULL &&
        sl_host_call(host, set_racks, (void *)(uintptr_t)command->racks) != 0) {
        fprintf(stderr, "sluice-broker: --racks: a name is too long\n");
        return false;
    }
    if (!configure_tls(command, host)) return false;
    for (int i = 0; i < command->setting_count; i++) {
        void *setting = (void *)(uintptr_t)command->settings[i];
        if (sl_host_call(host, apply_setting, setting) == 0) continue;
        fprintf(stderr, "sluice-broker: --set: there is no setting '%s'\n", command->settings[i]);
        return false;
    }
    return true;
}

/* Sets *status when it fails. */
static struct sl_host *start_broker(const struct broker_command *command, int *status) {
    uint16_t ports[NODES_MAX];
    for (int i = 0; i < NODES_MAX; i++) {
        ports[i] = command->port == 0 ? 0 : (uint16_t)(command->port + i);
    }
    struct sl_host_options host_options = {.broker = command->broker,
                                           .alloc = *sl_alloc_default(),
                                           .address = command->host,
                                           .ports = ports,
                                           .cubic = true};
    struct sl_host *host;
    int rv = sl_host_create(&host_options, &host);
    if (rv != 0) {
        *status = rv == SLUICE_ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
        if (rv == SLUICE_ERR_USAGE) {
            fprintf(stderr, "sluice-broker: --host: '%s' is not a numeric address\n",
                    command->host);
        } else if (rv == SLUICE_ERR_SYSTEM) {
            fprintf(stderr, "sluice-broker: cannot listen at %s from port %d on\n", command->host,
                    (int)command->port);
        } else {
            fprintf(stderr, "sluice-broker: cannot start (code %d)\n", rv);
        }
        return NULL;
    }
    if (configure_broker(command, host)) return host;
    sl_host_free(host);
    *status = EXIT_USAGE;
    return NULL;
}

static void print_nodes(const struct sl_host *host) {
    int node = 1;
    for (const char *at = sl_host_bootstrap(host); *at != '\0'; node++) {
        size_t length = strcspn(at, ",");
        printf("listening on %.*s (node %d)\n", (int)length, at, node);
        at += length;
        if (*at == ',') at++;
    }
    fflush(stdout);
}

struct counts {
    int64_t requests[SL_API_KEY_LIMIT];
    int64_t records, bytes;
};

static int read_counts(struct sl_broker_cluster *cluster, void *arg) {
    struct counts *counts = arg;
    for (int i = 0; sl_api_at(i) != NULL; i++) {
        counts->requests[i] = sl_broker_seen(cluster, sl_api_at(i)->key);
    }
    sl_broker_written(cluster, &counts->records, &counts->bytes);
    return 0;
}

/* Requests of every API, zero or not, so that two lines can be subtracted field by field. */
static void print_counts(struct sl_host *host) {
    struct counts counts;
    if (sl_host_call(host, read_counts, &counts) != 0) return;
    printf("written records=%lld bytes=%lld requests", (long long)counts.records,
           (long long)counts.bytes);
    for (int i = 0; sl_api_at(i) != NULL; i++) {
        printf(" %s=%lld", sl_api_at(i)->name, (long long)counts.requests[i]);
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    struct broker_command command = {.host = "127.0.0.1", .port = 9092};
    sl_broker_options_init(&command.broker);
    command.broker.nodes = 1;
    if (!parse_command(argc, argv, &command)) return EXIT_USAGE;
    if (command.help) {
        print_help();
        return 0;
    }
    if (!check_command(&command)) return EXIT_USAGE;

    /* Before the first thread starts, so that none of them takes the signals. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    int status = 0;
    struct sl_host *host = start_broker(&command, &status);
    if (host == NULL) return status;
    print_nodes(host);
    int signal_number;
    while (sigwait(&signals, &signal_number) == 0 && signal_number == SIGUSR1) print_counts(host);
    sl_host_free(host);
    return 0;
}
