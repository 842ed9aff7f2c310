/* Clients: opening, closing, and what all roles share. Arguments are checked here; the driver does
 * the rest. */
#include "api/client.h"

#include <string.h>

#include "api/config.h"
#include "api/offsets.h"
#include "api/op.h"
#include "api/properties.h"
#include "core/sasl_tokens.h"
#include "driver/system.h"
#include "sluice/client.h"
#include "sluice/config.h"
#include "sluice/offsets.h"

/* The numbers that the driver knows under names of its own. */
_Static_assert((int)SL_EVENT_OP == SLUICE_EVENT_OP && (int)SL_EVENT_ROOM == SLUICE_EVENT_ROOM &&
                   (int)SL_EVENT_TOKEN == SLUICE_EVENT_TOKEN &&
                   (int)SL_EVENT_CLOSED == SLUICE_EVENT_CLOSED &&
                   (int)SL_NOTICE_BROKER == SLUICE_EVENT_BROKER &&
                   (int)SL_NOTICE_ERROR == SLUICE_EVENT_ERROR &&
                   (int)SL_NOTICE_LOG == SLUICE_EVENT_LOG &&
                   (int)SL_TIMEOUT_DEFAULT == SLUICE_TIMEOUT_DEFAULT,
               "the same numbers on both sides");

/* ---- checks ---- */

int sl_client_expect(const sluice_client *client, int32_t role) {
    int rv = sl_client_check(client);
    if (rv != 0) return rv;
    bool is_right = role == 0 || (int32_t)sl_client_settings(client)->role == role;
    return is_right ? 0 : SLUICE_ERR_USAGE;
}

int sl_client_expect_open(sluice_client *client, int32_t role) {
    int rv = sl_client_expect(client, role);
    return rv != 0 ? rv : sl_client_check_open(client);
}

struct sl_client_state *sl_client_state_of(const sluice_client *client) {
    /* The settings are the first member of what the driver was given, which was not const. */
    return (struct sl_client_state *)(uintptr_t)sl_client_settings(client);
}

static bool is_timeout(int32_t timeout_ms) { return timeout_ms >= SLUICE_TIMEOUT_DEFAULT; }

/* ---- opening ---- */

/* Called by the driver when nothing of the client is left. */
static void free_client_state(struct sl_settings *settings, const struct sl_alloc *alloc) {
    struct sl_client_state *state = (struct sl_client_state *)settings;
    if (state->codecs != NULL) sl_compress_destroy(state->codecs);
    sl_properties_free_texts(settings, alloc);
    sl_alloc_free(alloc, state, sizeof *state);
}

int sluice_client_open(sluice_config *config, int32_t role, sluice_runtime *runtime,
                       sluice_client **out) {
    struct sl_client_options options = {.free_settings = free_client_state, .runtime = runtime};
    char buf[512];
    struct sl_text why;
    if (out == NULL) return SLUICE_ERR_USAGE;
    *out = NULL;
    options.alloc = sl_config_alloc(config);
    struct sl_client_state *state = sl_alloc_zero(&options.alloc, sizeof *state);
    if (state == NULL) return SLUICE_ERR_NOMEM;
    int rv = sl_config_resolve(config, role, &options.alloc, &state->settings);
    if (rv == 0) {
        options.settings = &state->settings;
        options.log_fn = sl_config_log_fn(config, &options.log_user);
        sl_text_init(&why, buf, sizeof buf);
        options.why = &why;
        rv = sl_client_create(&options, out);
        if (rv == SLUICE_ERR_CONFIG) sl_config_refuse(config, buf);
    }
    if (rv != 0) {
        *out = NULL;
        free_client_state(&state->settings, &options.alloc);
    }
    return rv;
}

/* Every mistake as a line of the log, which is stderr before there is a client. */
static void log_mistakes(const sluice_config *config) {
    char line[512];
    struct sl_text text;
    if (sl_config_is_silent(config)) return;
    for (const char *at = sluice_config_message(config); *at != '\0';) {
        size_t size = strcspn(at, "\n");
        sl_text_init(&text, line, sizeof line);
        sl_text_put_len(&text, at, size);
        sl_system_log(SL_LOG_ERROR, line);
        at += size + (at[size] == '\n');
    }
}

int sluice_client_start(int32_t role, const char *const *settings, sluice_client **out) {
    if (out == NULL) return SLUICE_ERR_USAGE;
    *out = NULL;
    if (settings == NULL) return SLUICE_ERR_USAGE;
    sluice_config *config = sluice_config_create();
    if (config == NULL) return SLUICE_ERR_NOMEM;
    for (; settings[0] != NULL; settings += 2) {
        if (settings[1] == NULL) {
            sl_config_note(config, "the list of settings ends with a name that has no value");
            break;
        }
        (void)sluice_config_set(config, settings[0], settings[1]); /* sticky: open tells */
    }
    int rv = sluice_client_open(config, role, NULL, out);
    if (rv == SLUICE_ERR_CONFIG) log_mistakes(config);
    sluice_config_free(config);
    return rv;
}

/* ---- ending ---- */

int sluice_client_close(sluice_client *client, int32_t timeout_ms, sluice_op **op) {
    sluice_op *ticket;
    struct sl_op *inner;
    if (op != NULL) *op = NULL;
    int rv = sl_client_expect(client, 0);
    if (rv != 0) return rv;
    if (!is_timeout(timeout_ms)) return SLUICE_ERR_USAGE;
    if (op == NULL) return sl_client_close(client, timeout_ms, NULL);
    rv = sl_op_ticket_create(sl_client_alloc(client), &ticket);
    if (rv != 0) return rv;
    rv = sl_client_close(client, timeout_ms, &inner);
    if (rv != 0) {
        sl_op_ticket_destroy(ticket);
        return rv;
    }
    sl_op_ticket_bind(ticket, inner);
    *op = ticket;
    return 0;
}

void sluice_client_free(sluice_client *client) { sl_client_free(client); }

void sluice_client_interrupt(sluice_client *client) {
    if (sl_client_check(client) == 0) sl_client_interrupt(client);
}

/* ---- operations ---- */

/* Waits in place. */
static int ask_and_wait(sluice_client *client, struct sl_command *command, int32_t timeout_ms,
                        struct sl_op **result) {
    struct sl_op *op = NULL;
    int rv = sl_client_ask(client, command, timeout_ms, false, &op);
    if (result != NULL)
        *result = op;
    else
        sl_client_free_op(op);
    return rv;
}

int sl_client_run(sluice_client *client, struct sl_command *command, int32_t timeout_ms,
                  sluice_op **ticket, struct sl_op **result) {
    const struct sl_alloc *alloc = sl_client_alloc(client);
    sluice_op *made;
    struct sl_op *op;
    if (result != NULL) *result = NULL;
    if (!is_timeout(timeout_ms)) {
        sl_command_destroy(alloc, command);
        return SLUICE_ERR_USAGE;
    }
    if (ticket == NULL) return ask_and_wait(client, command, timeout_ms, result);
    int rv = sl_op_ticket_create(alloc, &made);
    if (rv != 0) {
        sl_command_destroy(alloc, command);
        return rv;
    }
    rv = sl_client_ask(client, command, timeout_ms, true, &op);
    if (rv != 0) {
        sl_op_ticket_destroy(made);
        return rv;
    }
    sl_op_ticket_bind(made, op);
    *ticket = made;
    return 0;
}

int sluice_client_ready(sluice_client *client, int32_t timeout_ms, sluice_op **op) {
    struct sl_command *command;
    if (op != NULL) *op = NULL;
    int rv = sl_client_expect_open(client, 0);
    if (rv != 0) return rv;
    rv = sl_command_create(sl_client_alloc(client), SL_COMMAND_READY, &command);
    if (rv != 0) return rv;
    return sl_client_run(client, command, timeout_ms, op, NULL);
}

/* Posts new credentials. Both texts are copied; user NULL: "". */
static int change_login(sluice_client *client, enum sl_command_kind kind, const char *user,
                        const char *secret, int64_t lifetime_ms) {
    struct sl_command *command;
    const struct sl_alloc *alloc = sl_client_alloc(client);
    int rv = sl_command_create(alloc, kind, &command);
    if (rv != 0) return rv;
    if (user == NULL) user = "";
    command->user = sl_alloc_text(alloc, user, strlen(user));
    command->secret = sl_alloc_text(alloc, secret, strlen(secret));
    command->lifetime_ms = lifetime_ms;
    if (command->user == NULL || command->secret == NULL) {
        sl_command_destroy(alloc, command);
        return SLUICE_ERR_NOMEM;
    }
    return sl_client_post(client, command);
}

/* The client authenticates with a token, or with a user's password. */
static bool logs_in_by(const sluice_client *client, bool by_token) {
    enum sl_sasl_mechanism mechanism = sl_client_settings(client)->sasl_mechanism;
    if (mechanism == SL_SASL_NONE || mechanism == SL_SASL_GSSAPI) return false;
    return (mechanism == SL_SASL_OAUTHBEARER) == by_token;
}

int sluice_client_set_login(sluice_client *client, const char *user, const char *secret) {
    int rv = sl_client_expect_open(client, 0);
    if (rv != 0) return rv;
    if (user == NULL || *user == '\0' || secret == NULL || *secret == '\0') return SLUICE_ERR_USAGE;
    if (!logs_in_by(client, false)) return SLUICE_ERR_USAGE;
    return change_login(client, SL_COMMAND_SET_LOGIN, user, secret, -1);
}

int sluice_client_set_token(sluice_client *client, const char *token, int64_t lifetime_ms,
                            const char *principal) {
    int rv = sl_client_expect_open(client, 0);
    if (rv != 0) return rv;
    if (token == NULL || !sl_sasl_tokens_is_token(token) || lifetime_ms < -1)
        return SLUICE_ERR_USAGE;
    if (principal != NULL && !sl_sasl_tokens_is_principal(principal)) return SLUICE_ERR_USAGE;
    if (!logs_in_by(client, true)) return SLUICE_ERR_USAGE;
    return change_login(client, SL_COMMAND_SET_TOKEN, principal, token, lifetime_ms);
}

int sluice_client_partitions(sluice_client *client, const char *topic, int32_t timeout_ms,
                             int32_t *count) {
    struct sl_command *command;
    struct sl_op *op;
    int rv = sl_client_expect_open(client, 0);
    if (rv != 0) return rv;
    if (topic == NULL || *topic == '\0' || count == NULL) return SLUICE_ERR_USAGE;
    if (!is_timeout(timeout_ms)) return SLUICE_ERR_USAGE;
    int32_t known = sl_client_cached_partitions(client, topic);
    if (known > 0) {
        *count = known;
        return 0;
    }
    if (known == 0 && timeout_ms == 0) return SLUICE_ERR_PENDING;
    const struct sl_alloc *alloc = sl_client_alloc(client);
    rv = sl_command_create(alloc, SL_COMMAND_PARTITIONS, &command);
    if (rv != 0) return rv;
    command->topic = sl_alloc_text(alloc, topic, strlen(topic));
    if (command->topic == NULL) {
        sl_command_destroy(alloc, command);
        return SLUICE_ERR_NOMEM;
    }
    if (timeout_ms == 0) {
        /* Asked for and forgotten: the answer goes to the cache. */
        int64_t until = sl_client_deadline(client, SLUICE_TIMEOUT_DEFAULT);
        rv = sl_client_ask(client, command, SLUICE_TIMEOUT_DEFAULT, true, &op);
        if (rv != 0) return rv;
        sl_client_free_op(op);
        sl_client_remember_look_up(client, topic, until);
        return SLUICE_ERR_PENDING;
    }
    rv = sl_client_run(client, command, timeout_ms, NULL, &op);
    if (rv == 0) *count = (int32_t)op->number;
    sl_client_free_op(op);
    return rv;
}

/* Puts what the op found into the caller's list. 0 or NOMEM: the list is as it was. */
static int take_resolved_list(sluice_offsets *offsets, const struct sl_offsets *found) {
    struct sl_offsets *copy;
    int rv = sl_offset_list_copy(found, offsets->own->alloc, &copy);
    if (rv != 0) return rv;
    sl_offset_list_destroy(offsets->own);
    offsets->own = copy;
    return 0;
}

int sluice_offsets_resolve(sluice_client *client, sluice_offsets *offsets, int32_t timeout_ms,
                           sluice_op **op) {
    struct sl_command *command;
    struct sl_op *ended;
    if (op != NULL) *op = NULL;
    int rv = sl_client_expect_open(client, 0);
    if (rv == 0) rv = sl_offsets_check(offsets);
    if (rv != 0) return rv;
    const struct sl_alloc *alloc = sl_client_alloc(client);
    rv = sl_command_create(alloc, SL_COMMAND_OFFSETS, &command);
    if (rv != 0) return rv;
    rv = sl_offset_list_copy(sl_offsets_list(offsets), alloc, &command->offsets);
    if (rv != 0) {
        sl_command_destroy(alloc, command);
        return rv;
    }
    if (op != NULL) return sl_client_run(client, command, timeout_ms, op, NULL);
    rv = sl_client_run(client, command, timeout_ms, NULL, &ended);
    if (ended != NULL && ended->offsets != NULL) {
        int copied = take_resolved_list(offsets, ended->offsets);
        if (copied != 0) rv = copied;
    }
    sl_client_free_op(ended);
    return rv;
}

/* ---- being told ---- */

int sluice_client_fd(sluice_client *client) {
    int rv = sl_client_expect(client, 0);
    return rv != 0 ? rv : sl_client_fd(client);
}

int sluice_client_event(sluice_client *client, int32_t timeout_ms, sluice_event *out, size_t size) {
    int rv = sl_client_expect(client, 0);
    if (rv != 0) return rv;
    if (out == NULL || size != sizeof *out || !is_timeout(timeout_ms)) return SLUICE_ERR_USAGE;
    memset(out, 0, sizeof *out);
    struct sl_client_event event;
    rv = sl_client_event(client, timeout_ms, &event);
    if (rv != 0 || event.kind == 0) return rv;
    out->op = event.op;
    out->time_ms = event.time_ms;
    out->kind = event.kind;
    out->code = event.code;
    out->broker = event.broker;
    out->partition = event.partition;
    out->count = event.count;
    struct sl_text text;
    sl_text_init(&text, out->text, sizeof out->text);
    sl_text_put(&text, event.text);
    return 0;
}

int64_t sluice_client_explain(const sluice_client *client, int code, char *buf, size_t cap) {
    struct sl_text text;
    sl_text_init(&text, buf, buf == NULL ? 0 : cap);
    /* Stories change under the outbox mutex, also for who only looks. */
    sluice_client *told = (sluice_client *)(uintptr_t)client;
    bool has_story =
        client != NULL && sl_client_check(client) == 0 && sl_client_explain(told, code, &text);
    if (!has_story)
        sl_text_printf(&text, "%s: %s", sluice_error_name(code), sluice_error_text(code));
    return (int64_t)text.size;
}

int64_t sluice_client_dump(sluice_client *client, char *buf, size_t cap, int32_t timeout_ms) {
    struct sl_text text;
    int rv = sl_client_expect(client, 0);
    if (rv != 0) return rv;
    if ((buf == NULL && cap > 0) || !is_timeout(timeout_ms)) return SLUICE_ERR_USAGE;
    sl_text_init(&text, buf, cap);
    rv = sl_client_dump(client, timeout_ms, &text);
    return rv != 0 ? rv : (int64_t)text.size;
}
