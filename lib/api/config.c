/* Settings as the application gives them, and what they come to for one role.
 *
 * A config keeps names and values as text, in the order in which they were first set, and parses
 * them again at every check: one way from text to settings, whoever asks. Setting a property again
 * replaces its value, so a mistake in it can be mended; names that nobody knows stay and are told
 * by every check. Mistakes are collected, never stopped at: a person who opens a client sees all of
 * them at once.
 *
 * Values of secret properties never reach a message or the dump, and are wiped before their memory
 * goes back. Memory of the config itself is the C library's; sluice_config_memory is for clients.
 *
 * Not here: what a property means (properties.c), files (config_file.c). */
#include "api/config.h"

#include <stdio.h>
#include <string.h>

#include "api/config_sasl.h"
#include "api/properties.h"
#include "base/bytes.h"
#include "base/map.h"
#include "record/compress.h"
#include "sluice/config.h"

enum { CONFIG_MAGIC = 0x51c0cf16, CONFIG_GONE = 0x0badcf16 };
enum { CONFIG_LINE_MAX = 512 }; /* of one mistake */

struct config_entry {
    const struct sl_property *property; /* NULL: nobody knows the name */
    char *name;                         /* owned, as it was set */
    char *value;                        /* owned */
    char *origin;                       /* owned: "file:line"; NULL: set by a call */
    int64_t unit;                       /* what the value is multiplied with */
};

struct sluice_config {
    uint32_t magic;
    struct config_entry *entries; /* owned */
    int32_t count;
    int32_t cap;
    struct sl_map places;     /* of entries: by name, the property's where there is one */
    int failed;               /* NOMEM: a set could not be remembered */
    struct sl_writer notes;   /* lines for every check: files not read, a bad allocator */
    struct sl_writer message; /* lines of the last check, NUL behind */
    struct sl_alloc alloc;    /* of clients */
    sluice_log_fn log_fn;
    void *log_user;
};

static bool is_config(const sluice_config *config) {
    return config != NULL && config->magic == CONFIG_MAGIC;
}

/* ---- life ---- */

sluice_config *sluice_config_create(void) {
    sluice_config *config = sl_alloc_zero(sl_alloc_default(), sizeof *config);
    if (config == NULL) return NULL;
    config->magic = CONFIG_MAGIC;
    config->alloc = *sl_alloc_default();
    sl_map_init(&config->places, sl_alloc_default());
    sl_writer_init(&config->notes, sl_alloc_default());
    sl_writer_init(&config->message, sl_alloc_default());
    return config;
}

static void free_config_text(char *text) {
    if (text != NULL) sl_alloc_free(sl_alloc_default(), text, strlen(text) + 1);
}

static void deinit_config_entry(struct config_entry *entry) {
    free_config_text(entry->name);
    free_config_text(entry->origin);
    sl_alloc_free_secret(sl_alloc_default(), entry->value);
}

void sluice_config_free(sluice_config *config) {
    if (!is_config(config)) return;
    for (int32_t i = 0; i < config->count; i++) deinit_config_entry(&config->entries[i]);
    sl_alloc_free(sl_alloc_default(), config->entries,
                  (size_t)config->cap * sizeof *config->entries);
    sl_map_deinit(&config->places);
    sl_writer_deinit(&config->notes);
    sl_writer_deinit(&config->message);
    config->magic = CONFIG_GONE;
    sl_alloc_free(sl_alloc_default(), config, sizeof *config);
}

/* ---- messages ---- */

static void put_line(struct sl_writer *w, const char *line) {
    char piece[8];
    if (w->size > 0) sl_writer_raw(w, "\n", 1);
    for (; *line != '\0'; line++) sl_writer_raw(w, piece, sl_text_escape(*line, piece));
}

void sl_config_note(sluice_config *config, const char *mistake) {
    if (!is_config(config)) return;
    put_line(&config->notes, mistake);
    if (config->notes.failed) config->failed = SLUICE_ERR_NOMEM;
}

/* Begins a mistake about an entry: where it was set, and its name. */
static void begin_entry_line(struct sl_text *line, char *buf, const struct config_entry *entry) {
    sl_text_init(line, buf, CONFIG_LINE_MAX);
    if (entry->origin != NULL) sl_text_printf(line, "%s: ", entry->origin);
    sl_text_printf(line, "%s", entry->name);
    bool is_alias = entry->property != NULL && strcmp(entry->name, entry->property->name) != 0;
    if (is_alias) sl_text_printf(line, " (%s)", entry->property->name);
    sl_text_put(line, ": ");
}

const char *sluice_config_message(const sluice_config *config) {
    if (!is_config(config)) return "there is no config: it could not be made, or was freed";
    return config->message.size > 0 ? (const char *)config->message.data : "";
}

/* ---- setting ---- */

/* What an entry is found by. An alias is no name of its own. */
static const char *config_key(const struct sl_property *property, const char *name) {
    return property != NULL ? property->name : name;
}

/* The entry of a property, or of an unknown name; NULL: not set. By a map, because a file that is
 * no configuration has as many names as words. */
static struct config_entry *find_config_entry(const sluice_config *config,
                                              const struct sl_property *property,
                                              const char *name) {
    const char *key = config_key(property, name);
    uintptr_t place = (uintptr_t)sl_map_get(&config->places, key, strlen(key));
    return place == 0 ? NULL : &config->entries[place - 1];
}

/* 0 or NOMEM, which it cannot be for an entry that has a place already. */
static int put_config_place(sluice_config *config, int32_t index) {
    const struct config_entry *entry = &config->entries[index];
    const char *key = config_key(entry->property, entry->name);
    return sl_map_put(&config->places, key, strlen(key), (void *)((uintptr_t)index + 1));
}

static void remove_config_entry(sluice_config *config, struct config_entry *entry) {
    const char *key = config_key(entry->property, entry->name);
    int32_t first = (int32_t)(entry - config->entries);
    sl_map_remove(&config->places, key, strlen(key));
    deinit_config_entry(entry);
    struct config_entry *end = config->entries + --config->count;
    memmove(entry, entry + 1, (size_t)(end - entry) * sizeof *entry);
    for (int32_t i = first; i < config->count; i++) (void)put_config_place(config, i);
}

/* Takes over what is made. 0 or NOMEM: then it is still the caller's. */
static int add_config_entry(sluice_config *config, const struct config_entry *made) {
    enum { FIRST_ENTRIES = 16 };
    if (config->count == config->cap) {
        int32_t cap = config->cap == 0 ? FIRST_ENTRIES : config->cap * 2;
        struct config_entry *entries = sl_alloc_resize(
            sl_alloc_default(), config->entries, (size_t)config->cap, (size_t)cap, sizeof *entries);
        if (entries == NULL) return SLUICE_ERR_NOMEM;
        config->entries = entries;
        config->cap = cap;
    }
    config->entries[config->count] = *made;
    int rv = put_config_place(config, config->count);
    if (rv == 0) config->count++;
    return rv;
}

static char *copy_config_text(const char *text) {
    return text == NULL ? NULL : sl_alloc_text(sl_alloc_default(), text, strlen(text));
}

/* Puts name and value into the place of what was set before. 0 or NOMEM: then nothing changed. */
static int keep_config_entry(sluice_config *config, const struct config_entry *made) {
    struct config_entry *entry = find_config_entry(config, made->property, made->name);
    if (entry == NULL) return add_config_entry(config, made);
    deinit_config_entry(entry);
    *entry = *made;
    return 0;
}

static int set_config_value(sluice_config *config, const char *name, const char *value,
                            const char *origin) {
    struct config_entry made = {.name = copy_config_text(name),
                                .value = copy_config_text(value),
                                .origin = copy_config_text(origin)};
    made.property = sl_properties_find(name, &made.unit);
    bool is_copied =
        made.name != NULL && made.value != NULL && (origin == NULL || made.origin != NULL);
    if (!is_copied || keep_config_entry(config, &made) != 0) {
        deinit_config_entry(&made);
        config->failed = SLUICE_ERR_NOMEM;
        return SLUICE_ERR_NOMEM;
    }
    if (made.property == NULL) return SLUICE_ERR_CONFIG;
    struct sl_text nothing;
    sl_text_init(&nothing, NULL, 0);
    return sl_properties_parse(made.property, value, made.unit, NULL, NULL, &nothing);
}

int sl_config_set_from(sluice_config *config, const char *name, const char *value,
                       const char *origin) {
    return is_config(config) ? set_config_value(config, name, value, origin) : SLUICE_ERR_USAGE;
}

int sluice_config_set(sluice_config *config, const char *name, const char *value) {
    if (!is_config(config) || name == NULL) return SLUICE_ERR_USAGE;
    if (value != NULL) return set_config_value(config, name, value, NULL);
    int64_t unit;
    const struct sl_property *property = sl_properties_find(name, &unit);
    struct config_entry *entry = find_config_entry(config, property, name);
    if (entry != NULL) remove_config_entry(config, entry);
    return property == NULL ? SLUICE_ERR_CONFIG : 0;
}

void sluice_config_log(sluice_config *config, sluice_log_fn fn, void *user) {
    if (!is_config(config)) return;
    config->log_fn = fn;
    config->log_user = user;
}

void sluice_config_memory(sluice_config *config, const sluice_allocator *memory, size_t size) {
    if (!is_config(config)) return;
    if (memory == NULL) {
        config->alloc = *sl_alloc_default();
    } else if (size != sizeof *memory || memory->resize == NULL) {
        sl_config_note(config, "sluice_config_memory: the size is not sizeof(sluice_allocator), or "
                               "it has no function");
    } else {
        config->alloc = (struct sl_alloc){.resize = memory->resize, .user = memory->user};
    }
}

struct sl_alloc sl_config_alloc(const sluice_config *config) {
    return is_config(config) ? config->alloc : *sl_alloc_default();
}

sluice_log_fn sl_config_log_fn(const sluice_config *config, void **user) {
    *user = config->log_user;
    return config->log_fn;
}

bool sl_config_is_silent(const sluice_config *config) {
    int64_t unit;
    if (!is_config(config)) return false;
    const struct config_entry *entry =
        find_config_entry(config, sl_properties_find("log.to", &unit), "log.to");
    return entry != NULL && strcmp(entry->value, "none") == 0;
}

/* ---- checking ---- */

static const char *role_name(int32_t role) {
    switch (role) {
    case SL_ROLE_PRODUCER:
        return "a producer";
    case SL_ROLE_CONSUMER:
        return "a consumer";
    default:
        return "an admin client";
    }
}

static bool is_role(int32_t role) {
    return role == SL_ROLE_PRODUCER || role == SL_ROLE_CONSUMER || role == SL_ROLE_ADMIN;
}

static void explain_unknown_name(struct sl_text *line, const char *name) {
    const char *hint = sl_properties_hint(name);
    const char *meant = sl_properties_guess(name);
    if (hint != NULL)
        sl_text_put(line, hint);
    else if (meant != NULL)
        sl_text_printf(line, "no such property; did you mean %s?", meant);
    else
        sl_text_put(line, "no such property");
}

/* Parses one entry into *values. 0 (a mistake too: it is in the message) or NOMEM. */
static int check_entry(sluice_config *config, const struct config_entry *entry, int32_t role,
                       struct sl_property_values *values, const struct sl_alloc *alloc) {
    char buf[CONFIG_LINE_MAX];
    struct sl_text line;
    const struct sl_property *p = entry->property;
    begin_entry_line(&line, buf, entry);
    if (p == NULL) {
        explain_unknown_name(&line, entry->name);
    } else if ((p->roles & 1 << role) == 0) {
        bool is_producers = (p->roles & 1 << SL_ROLE_PRODUCER) != 0;
        sl_text_printf(&line, "%s has no such property; it is for %s", role_name(role),
                       is_producers ? "producers" : "consumers");
    } else {
        int rv = sl_properties_parse(p, entry->value, entry->unit, values, alloc, &line);
        if (rv != SLUICE_ERR_CONFIG) return rv;
    }
    put_line(&config->message, buf);
    return 0;
}

/* ---- defaults ---- */

/* What holds while a property is not set. */
struct config_default {
    const char *value; /* NULL: it has to be set */
    const char *why;
    char buf[24]; /* of a value that follows from others */
};

/* The number that is set, or the default where none is or it is wrong (which check tells). */
static int64_t number_of(const sluice_config *config, const char *name) {
    int64_t unit;
    int64_t number = 0;
    const struct sl_property *p = sl_properties_find(name, &unit);
    const struct config_entry *entry = find_config_entry(config, p, name);
    if (entry != NULL && sl_properties_number(p, entry->value, entry->unit, &number)) return number;
    (void)sl_properties_number(p, p->fallback, 1, &number); /* every default is right */
    return number;
}

static bool is_text_set(const sluice_config *config, const char *name) {
    int64_t unit;
    const struct config_entry *entry =
        find_config_entry(config, sl_properties_find(name, &unit), name);
    return entry != NULL && entry->value[0] != '\0';
}

static void default_to_false(struct config_default *out, const char *why) {
    out->value = "false";
    out->why = why;
}

/* The time that linger and one request take, where that is more than usual. */
static void lengthen_delivery(const sluice_config *config, const struct sl_property *p,
                              struct config_default *out) {
    int64_t least = number_of(config, "linger.ms") + number_of(config, "request.timeout.ms");
    int64_t usual = 0;
    struct sl_text t;
    (void)sl_properties_number(p, p->fallback, 1, &usual); /* every default is right */
    if (least <= usual) return;
    sl_text_init(&t, out->buf, sizeof out->buf);
    sl_text_printf(&t, "%lld", (long long)(least < p->high ? least : p->high));
    out->value = out->buf;
    out->why = "because of linger.ms and request.timeout.ms";
}

/* Defaults that give way to what was set beside them, as the Java client's do: set on purpose, the
 * same values are a mistake. A property is known by the field that it fills. */
static void find_default(const sluice_config *config, const struct sl_property *p,
                         struct config_default *out) {
    out->value = p->fallback;
    out->why = "default";
    switch (p->at) {
    case offsetof(struct sl_property_values, settings.idempotence):
        if (number_of(config, "acks") != -1 || number_of(config, "retries") == 0)
            default_to_false(out, "because of acks or retries");
        break;
    case offsetof(struct sl_property_values, settings.auto_commit):
        if (!is_text_set(config, "group.id")) default_to_false(out, "because there is no group.id");
        break;
    case offsetof(struct sl_property_values, settings.delivery_timeout_ms):
        lengthen_delivery(config, p, out);
        break;
    default:
        break;
    }
}

/* Puts in the default of every property of the role that is not set. 0 or NOMEM. */
static int fill_defaults(sluice_config *config, int32_t role, struct sl_property_values *values,
                         const struct sl_alloc *alloc) {
    const struct sl_property *p;
    for (int32_t i = 0; (p = sl_properties_at(i)) != NULL; i++) {
        if ((p->roles & 1 << role) == 0 || find_config_entry(config, p, p->name) != NULL) continue;
        char buf[CONFIG_LINE_MAX];
        struct config_default found;
        struct sl_text line;
        sl_text_init(&line, buf, sizeof buf);
        find_default(config, p, &found);
        if (found.value == NULL) {
            sl_text_printf(&line, "%s: has to be set, to %s", p->name, p->range);
            put_line(&config->message, buf);
            continue;
        }
        int rv = sl_properties_parse(p, found.value, 1, values, alloc, &line);
        if (rv != 0) return rv;
    }
    return 0;
}

/* ---- rules about several properties ---- */

static void check_idempotence(struct sl_writer *message, const struct sl_settings *s) {
    if (!s->idempotence) return;
    if (s->acks != -1)
        put_line(message, "acks: enable.idempotence=true needs acks=all, because a record that one "
                          "broker has may be lost and sent again");
    if (s->retries == 0)
        put_line(message, "retries: enable.idempotence=true needs more than 0, because it is about "
                          "retries");
    if (s->max_in_flight > 5)
        put_line(message, "max.in.flight.requests.per.connection: enable.idempotence needs 5 or "
                          "less, because brokers remember five batches; set one of the two");
}

static void check_level(struct sl_writer *message, const char *name, int codec, int32_t level) {
    char line[160];
    struct sl_text t;
    int32_t low;
    int32_t high;
    if (codec == SL_CODEC_NONE || level == SL_COMPRESS_LEVEL_DEFAULT ||
        sl_compress_check_level(codec, level, &low, &high) == 0)
        return;
    sl_text_init(&t, line, sizeof line);
    if (low == high)
        sl_text_printf(&t, "%s: %s has no levels", name, sl_compress_name(codec));
    else
        sl_text_printf(&t, "%s: %ld is not one of %s, which has %ld..%ld", name, (long)level,
                       sl_compress_name(codec), (long)low, (long)high);
    put_line(message, line);
}

/* The level of the codec in use; what concerns the others is checked nonetheless. */
static void settle_level(struct sl_writer *message, struct sl_property_values *values) {
    struct sl_settings *s = &values->settings;
    int32_t own = SL_COMPRESS_LEVEL_DEFAULT;
    check_level(message, "compression.gzip.level", SL_CODEC_GZIP, values->gzip_level);
    check_level(message, "compression.lz4.level", SL_CODEC_LZ4, values->lz4_level);
    check_level(message, "compression.zstd.level", SL_CODEC_ZSTD, values->zstd_level);
    if (s->codec == SL_CODEC_GZIP) own = values->gzip_level;
    if (s->codec == SL_CODEC_LZ4) own = values->lz4_level;
    if (s->codec == SL_CODEC_ZSTD) own = values->zstd_level;
    if (own == SL_COMPRESS_LEVEL_DEFAULT && s->level == -1) s->level = SL_COMPRESS_LEVEL_DEFAULT;
    if (own == SL_COMPRESS_LEVEL_DEFAULT)
        check_level(message, "compression.level", s->codec, s->level);
    else
        s->level = own;
}

static void check_delivery_timeout(struct sl_writer *message, const struct sl_settings *s) {
    char line[200];
    struct sl_text t;
    if (s->delivery_timeout_ms == INT32_MAX ||
        (int64_t)s->linger_ms + s->request_timeout_ms <= s->delivery_timeout_ms)
        return;
    sl_text_init(&t, line, sizeof line);
    sl_text_printf(&t,
                   "delivery.timeout.ms: %ld is less than linger.ms (%ld) and request.timeout.ms "
                   "(%ld) together",
                   (long)s->delivery_timeout_ms, (long)s->linger_ms, (long)s->request_timeout_ms);
    put_line(message, line);
}

static void check_partitioner(struct sl_writer *message, const struct sl_settings *s) {
    bool is_fixed = s->partitioner == SL_PARTITIONER_MURMUR2 ||
                    s->partitioner == SL_PARTITIONER_CONSISTENT ||
                    s->partitioner == SL_PARTITIONER_FNV1A;
    if (s->ignore_keys && is_fixed)
        put_line(message, "partitioner.ignore.keys: with this partitioner all records would go to "
                          "one partition; take the one whose name ends in _random");
}

static void check_consumer(struct sl_writer *message, const struct sl_settings *s) {
    enum { FETCH_OVERHEAD = 64 * 1024 }; /* of an answer beside its records, generously */
    if (s->auto_commit && s->group_id[0] == '\0')
        put_line(message, "enable.auto.commit: needs group.id, the group to commit for");
    if ((int64_t)s->fetch_max_bytes + FETCH_OVERHEAD > s->receive_frame_max)
        put_line(message, "fetch.max.bytes: an answer of that size is longer than "
                          "receive.message.max.bytes allows");
}

static void check_group(struct sl_writer *message, const struct sl_settings *s) {
    if (s->group_id[0] == '\0' && s->group_instance_id[0] != '\0')
        put_line(message, "group.instance.id: means nothing without group.id");
    if (s->heartbeat_interval_ms >= s->session_timeout_ms)
        put_line(message, "heartbeat.interval.ms: has to be less than session.timeout.ms");
}

/* Rules about several properties at once; only looked at when each by itself is right. */
static void check_together(struct sl_writer *message, struct sl_property_values *values) {
    const struct sl_settings *s = &values->settings;
    if (s->reconnect_backoff_max_ms < s->reconnect_backoff_ms)
        put_line(message, "reconnect.backoff.max.ms: is less than reconnect.backoff.ms");
    if (s->retry_backoff_max_ms < s->retry_backoff_ms)
        put_line(message, "retry.backoff.max.ms: is less than retry.backoff.ms");
    if (s->setup_timeout_max_ms < s->setup_timeout_ms)
        put_line(message, "socket.connection.setup.timeout.max.ms: is less than "
                          "socket.connection.setup.timeout.ms");
    if (s->role == SL_ROLE_CONSUMER) check_consumer(message, s);
    if (s->role == SL_ROLE_CONSUMER) check_group(message, s);
    if (s->role != SL_ROLE_PRODUCER) return;
    check_idempotence(message, s);
    settle_level(message, values);
    check_partitioner(message, s);
    check_delivery_timeout(message, s);
}

/* 0 (look at the message) or NOMEM. */
static int settle_sasl(sluice_config *config, struct sl_property_values *values,
                       const struct sl_alloc *alloc) {
    char line[CONFIG_LINE_MAX];
    struct sl_text why;
    sl_text_init(&why, line, sizeof line);
    int rv = sl_config_sasl_settle(&values->settings, alloc, &why);
    if (rv == SLUICE_ERR_CONFIG) put_line(&config->message, line);
    return rv == SLUICE_ERR_NOMEM ? rv : 0;
}

/* Everything into *values, every mistake into the message. 0 (look at the message) or NOMEM. */
static int fill_values(sluice_config *config, int32_t role, struct sl_property_values *values,
                       const struct sl_alloc *alloc) {
    values->settings.role = (enum sl_role)role;
    int rv = fill_defaults(config, role, values, alloc);
    for (int32_t i = 0; rv == 0 && i < config->count; i++)
        rv = check_entry(config, &config->entries[i], role, values, alloc);
    if (rv == 0 && config->message.size == 0) check_together(&config->message, values);
    return rv != 0 || config->message.size > 0 ? rv : settle_sasl(config, values, alloc);
}

int sl_config_resolve(sluice_config *config, int32_t role, const struct sl_alloc *alloc,
                      struct sl_settings *out) {
    if (!is_config(config) || !is_role(role)) return SLUICE_ERR_USAGE;
    struct sl_property_values values = {0};
    config->message.size = 0;
    config->message.failed = false;
    if (config->failed != 0) return config->failed;
    sl_writer_raw(&config->message, config->notes.data, config->notes.size);
    int rv = fill_values(config, role, &values, alloc);
    if (rv == 0 && config->message.failed) rv = SLUICE_ERR_NOMEM;
    if (rv == 0 && config->message.size > 0) rv = SLUICE_ERR_CONFIG;
    if (config->message.size > 0) sl_writer_raw(&config->message, "", 1);
    if (config->message.failed) config->message.size = 0; /* it has no NUL at its end */
    if (rv == 0 && out != NULL)
        *out = values.settings;
    else
        sl_properties_free_texts(&values.settings, alloc);
    return rv;
}

void sl_config_refuse(sluice_config *config, const char *mistake) {
    config->message.size = 0;
    config->message.failed = false;
    put_line(&config->message, mistake);
    sl_writer_raw(&config->message, "", 1);
    if (config->message.failed) config->message.size = 0;
}

int sluice_config_check(sluice_config *config, int32_t role) {
    return sl_config_resolve(config, role, sl_alloc_default(), NULL);
}

/* ---- looking ---- */

/* The value in the property's own unit: "1024" set as kilobytes is 1048576. */
static void put_value(struct sl_text *t, const struct sl_property *p, const char *value,
                      int64_t unit) {
    int64_t number;
    if (value == NULL || *value == '\0') return;
    if (p->secret)
        sl_text_put(t, "****");
    else if (unit != 1 && sl_properties_number(p, value, unit, &number))
        sl_text_printf(t, "%lld", (long long)number);
    else
        sl_text_put_escaped(t, value);
}

/* The line of one property: what holds, and whence. */
static void put_effective(struct sl_text *t, const sluice_config *config,
                          const struct sl_property *p) {
    const struct config_entry *entry = find_config_entry(config, p, p->name);
    struct config_default found;
    sl_text_put(t, p->name);
    sl_text_put(t, "=");
    if (entry == NULL) {
        find_default(config, p, &found);
        put_value(t, p, found.value, 1);
        sl_text_put(t, " (");
        sl_text_put(t, found.why);
        sl_text_put(t, ")\n");
        return;
    }
    put_value(t, p, entry->value, entry->unit);
    sl_text_put(t, " (");
    sl_text_put_escaped(t, entry->origin != NULL ? entry->origin : "set");
    if (strcmp(entry->name, p->name) != 0) sl_text_printf(t, " as %s", entry->name);
    sl_text_put(t, ")\n");
}

int64_t sluice_config_text(const sluice_config *config, int32_t role, char *buf, size_t cap) {
    const struct sl_property *p;
    struct sl_text t;
    if (!is_config(config) || !is_role(role) || (buf == NULL && cap > 0)) return SLUICE_ERR_USAGE;
    sl_text_init(&t, buf, cap);
    for (int32_t i = 0; (p = sl_properties_at(i)) != NULL; i++) {
        if ((p->roles & 1 << role) == 0) continue;
        put_effective(&t, config, p);
    }
    return (int64_t)t.size;
}

int sluice_config_property(int32_t index, sluice_property *out, size_t size) {
    const struct sl_property *p = sl_properties_at(index);
    if (out == NULL || size != sizeof *out || index < 0) return SLUICE_ERR_USAGE;
    if (p == NULL) return 0;
    *out = (sluice_property){
        .name = p->name,
        .fallback = p->fallback == NULL ? "" : p->fallback,
        .range = p->range,
        .text = p->text,
        .type = (int32_t)p->type,
        .roles = p->roles,
        .secret = p->secret,
    };
    return 1;
}
