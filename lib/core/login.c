/* The client's credentials, and the work that SCRAM asks of their owner.
 *
 * They come from the settings and change by command; who authenticates takes those of that moment,
 * so a change counts for connections from then on and for the next time that one authenticates anew.
 * Where they are missing, no connection is opened (brokers.c asks sl_login_is_there); a token that has
 * expired counts as missing, and with GSSAPI nothing does. A token is asked of the application, or
 * fetched, when there is none, at four fifths of its lifetime, when it has expired, and when a broker
 * does not take it.
 *
 * A password becomes keys by thousands of hashes, as many as the broker asks for. Keys are kept by
 * salt and iterations, so connections to the brokers of a cluster share them; while they are made, a
 * few thousand hashes are done in each turn, a millisecond at most, so that a broker that wants a
 * million of them holds up nobody. What no connection waits for any more is not gone on with.
 *
 * Nonces come out of a key that the host draws and a counter, by HMAC: core draws no entropy.
 *
 * Not done here: what is said over a connection (sasl.c), tokens that the library fetches by itself
 * (login_token.c). */
#include "core/login.h"

#include <string.h>

#include "base/base64.h"
#include "core/unit.h"
#include "sluice/error.h"

enum {
    LOGIN_KEYS_MAX = 8,       /* kept at a time; a cluster has one salt for a user */
    LOGIN_STRETCH_TURN = 2048 /* iterations in a turn: a millisecond of SHA-512 */
};

/* What one password is made into. */
struct sl_login_keys {
    struct sl_list node;
    enum sl_digest_kind kind;
    uint8_t salt[SL_SCRAM_SALT_MAX];
    size_t salt_size;
    uint32_t iterations;
    struct sl_digest_stretch stretch; /* while it is under way */
    bool is_made;
    bool is_wanted; /* by a connection that waits for it */
    struct sl_scram_keys keys;
};

const char *sl_login_mechanism_name(enum sl_sasl_mechanism mechanism) {
    static const char *const names[] = {
        [SL_SASL_PLAIN] = "PLAIN",
        [SL_SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
        [SL_SASL_SCRAM_SHA_512] = "SCRAM-SHA-512",
        [SL_SASL_OAUTHBEARER] = "OAUTHBEARER",
        [SL_SASL_GSSAPI] = "GSSAPI",
    };
    return names[mechanism];
}

static bool is_by_token(const struct sl_core *core) {
    return core->settings->sasl_mechanism == SL_SASL_OAUTHBEARER;
}

/* The host knows where tickets are, and asks for them when a connection needs one. */
static bool is_by_ticket(const struct sl_core *core) {
    return core->settings->sasl_mechanism == SL_SASL_GSSAPI;
}

/* ---- keys ---- */

static void destroy_login_keys(struct sl_login *login, struct sl_login_keys *k) {
    sl_list_remove(&k->node);
    login->key_count--;
    if (!k->is_made) sl_digest_stretch_deinit(&k->stretch);
    sl_alloc_wipe(k, sizeof *k);
    sl_alloc_free(login->core->alloc, k, sizeof *k);
}

static void forget_login_keys(struct sl_login *login) {
    SL_LIST_EACH(node, tmp, &login->keys) {
        destroy_login_keys(login, SL_LIST_OF(node, struct sl_login_keys, node));
    }
}

static struct sl_login_keys *find_login_keys(struct sl_login *login, const struct sl_scram *scram) {
    SL_LIST_EACH(node, tmp, &login->keys) {
        struct sl_login_keys *k = SL_LIST_OF(node, struct sl_login_keys, node);
        if (k->kind == scram->kind && k->iterations == scram->iterations &&
            k->salt_size == scram->salt_size && memcmp(k->salt, scram->salt, k->salt_size) == 0)
            return k;
    }
    return NULL;
}

/* Begins to make them; what was used longest ago makes room. NULL: no memory. */
static struct sl_login_keys *start_login_keys(struct sl_login *login,
                                              const struct sl_scram *scram) {
    struct sl_core *core = login->core;
    if (login->key_count == LOGIN_KEYS_MAX)
        destroy_login_keys(login,
                           SL_LIST_OF(sl_list_peek(&login->keys), struct sl_login_keys, node));
    struct sl_login_keys *k = sl_alloc_zero(core->alloc, sizeof *k);
    if (k == NULL) return NULL;
    if (sl_digest_stretch_init(&k->stretch, scram->kind, login->secret, strlen(login->secret),
                               scram->salt, scram->salt_size, scram->iterations) != 0) {
        sl_alloc_free(core->alloc, k, sizeof *k);
        return NULL;
    }
    k->kind = scram->kind;
    k->iterations = scram->iterations;
    k->salt_size = scram->salt_size;
    memcpy(k->salt, scram->salt, k->salt_size);
    sl_list_push_back(&login->keys, &k->node);
    login->key_count++;
    return k;
}

const struct sl_scram_keys *sl_login_take_keys(struct sl_core *core, const struct sl_scram *scram,
                                               int *rv) {
    struct sl_login *login = &core->login;
    struct sl_login_keys *k = find_login_keys(login, scram);
    *rv = 0;
    if (k == NULL) k = start_login_keys(login, scram);
    if (k == NULL) {
        *rv = SLUICE_ERR_NOMEM;
        return NULL;
    }
    k->is_wanted = true;
    sl_list_remove(&k->node);
    sl_list_push_back(&login->keys, &k->node);
    return k->is_made ? &k->keys : NULL;
}

void sl_login_wait(struct sl_link *link) {
    sl_list_remove(&link->login_node);
    sl_list_push_back(&link->core->login.waiting, &link->login_node);
}

/* The next part of the work. True: the keys are made, or cannot be, and then they are gone. */
static bool stretch_login_keys(struct sl_login *login, struct sl_login_keys *k) {
    int rv = sl_digest_stretch_run(&k->stretch, LOGIN_STRETCH_TURN);
    if (rv == 0 && k->stretch.left > 0) return false;
    if (rv == 0) rv = sl_scram_make_keys(k->kind, k->stretch.block, &k->keys);
    if (rv != 0) {
        destroy_login_keys(login, k);
        return true;
    }
    sl_digest_stretch_deinit(&k->stretch);
    k->is_made = true;
    return true;
}

/* Has the connections that wait ask again: for keys, or for credentials. */
static void wake_waiting_links(struct sl_login *login) {
    struct sl_list woken;
    struct sl_list *node;
    sl_list_init(&woken);
    sl_list_splice_back(&woken, &login->waiting);
    while ((node = sl_list_pop_front(&woken)) != NULL)
        sl_sasl_resume(SL_LIST_OF(node, struct sl_link, login_node));
}

/* The next part of what somebody waits for; those say so when they ask. */
static void run_login_keys(struct sl_login *login) {
    bool is_any_made = false;
    SL_LIST_EACH(node, tmp, &login->keys) {
        struct sl_login_keys *k = SL_LIST_OF(node, struct sl_login_keys, node);
        if (k->is_made) continue;
        if (k->is_wanted)
            is_any_made |= stretch_login_keys(login, k);
        else
            destroy_login_keys(login, k);
    }
    if (is_any_made) wake_waiting_links(login);
}

/* ---- life ---- */

void sl_login_put(struct sl_core *core, char *user, char *secret) {
    struct sl_login *login = &core->login;
    const struct sl_alloc *alloc = core->alloc;
    bool is_same = login->user != NULL && user != NULL && strcmp(login->user, user) == 0;
    if (!is_same) login->identity++;
    login->serial++;
    login->is_refused = false;
    forget_login_keys(login);
    if (login->user != NULL) sl_alloc_free(alloc, login->user, strlen(login->user) + 1);
    sl_alloc_free_secret(alloc, login->secret);
    login->user = user;
    login->secret = secret;
}

/* A copy of a setting; NULL when it is not set (or memory is short: *rv). */
static char *copy_login_text(struct sl_core *core, const char *text, int *rv) {
    if (text == NULL) return NULL;
    char *copy = sl_alloc_text(core->alloc, text, strlen(text));
    if (copy == NULL) *rv = SLUICE_ERR_NOMEM;
    return copy;
}

static void warn_of_plain_text(struct sl_core *core) {
    const struct sl_settings *settings = core->settings;
    bool is_open = settings->security == SL_SECURITY_SASL_PLAINTEXT;
    if (is_open && settings->sasl_mechanism == SL_SASL_PLAIN)
        sl_core_log(core, SL_LOG_WARNING,
                    "sasl.mechanism=PLAIN without TLS: whoever sees the traffic has the password; "
                    "use security.protocol=SASL_SSL, or SCRAM");
    if (is_open && settings->sasl_mechanism == SL_SASL_OAUTHBEARER)
        sl_core_log(core, SL_LOG_WARNING,
                    "sasl.mechanism=OAUTHBEARER without TLS: whoever sees the traffic has the "
                    "token; use security.protocol=SASL_SSL");
    const struct sl_token_settings *token = &settings->token;
    if (settings->sasl_mechanism == SL_SASL_OAUTHBEARER && token->source == SL_TOKEN_OIDC &&
        strncmp(token->url, "https:", 6) != 0)
        sl_core_log(core, SL_LOG_WARNING,
                    "%s is asked for tokens without TLS: whoever sees the traffic has the client's "
                    "secret; use https",
                    token->url);
}

int sl_login_init(struct sl_login *login, struct sl_core *core, uint64_t seed) {
    const struct sl_settings *settings = core->settings;
    int rv = 0;
    login->core = core;
    sl_list_init(&login->keys);
    sl_list_init(&login->waiting);
    login->until = login->ask_at = login->token.late_at = SL_NEVER;
    memcpy(login->nonce_key, &seed, sizeof seed); /* until the host draws a better one */
    login->is_wanted = settings->security == SL_SECURITY_SASL_PLAINTEXT ||
                       settings->security == SL_SECURITY_SASL_SSL;
    if (!login->is_wanted) return 0;
    bool by_token = is_by_token(core);
    if (is_by_ticket(core)) {
        login->user = copy_login_text(core, settings->kerberos_principal, &rv);
        return rv;
    }
    const char *user = by_token ? "" : settings->sasl_username;
    const char *secret = by_token ? settings->sasl_token : settings->sasl_password;
    bool is_set = secret != NULL && secret[0] != '\0' && user != NULL;
    if (is_set && !by_token) is_set = user[0] != '\0';
    if (is_set) {
        login->user = copy_login_text(core, user, &rv);
        login->secret = copy_login_text(core, secret, &rv);
    } else if (by_token) {
        login->ask_at = 0;
    }
    if (rv == 0) warn_of_plain_text(core);
    return rv;
}

void sl_login_deinit(struct sl_login *login) {
    sl_errand_drop(&login->token.errand);
    sl_login_put(login->core, NULL, NULL);
    sl_alloc_wipe(login->nonce_key, sizeof login->nonce_key);
}

bool sl_login_is_there(const struct sl_core *core) {
    const struct sl_login *login = &core->login;
    if (!login->is_wanted || is_by_ticket(core)) return true;
    return login->secret != NULL && login->until > core->now;
}

void sl_login_tell(const struct sl_core *core, struct sl_text *out) {
    if (sl_login_is_there(core)) return;
    if (sl_login_token_is_fetched(core))
        sl_login_token_tell(core, out);
    else if (is_by_token(core))
        sl_text_put(out, "waiting for a token: answer SLUICE_EVENT_TOKEN with "
                         "sluice_client_set_token");
    else
        sl_text_put(out, "waiting for a login: set sasl.username and sasl.password, or call "
                         "sluice_client_set_login");
}

int sl_login_make_nonce(struct sl_core *core, char out[SL_SCRAM_NONCE + 1]) {
    enum { NONCE_BYTES = SL_SCRAM_NONCE / 4 * 3 };
    struct sl_login *login = &core->login;
    uint8_t hash[SL_DIGEST_MAX];
    struct sl_writer text;
    login->nonces++;
    int rv = sl_digest_hmac(SL_DIGEST_SHA256, login->nonce_key, sizeof login->nonce_key,
                            &login->nonces, sizeof login->nonces, hash);
    if (rv != 0) return rv;
    sl_writer_init_fixed(&text, out, SL_SCRAM_NONCE);
    sl_base64_encode(&text, hash, NONCE_BYTES);
    out[SL_SCRAM_NONCE] = '\0';
    return 0;
}

/* ---- changes ---- */

void sl_login_on_command(struct sl_core *core, struct sl_command *command) {
    enum { LIFETIME_MAX_MS = INT32_MAX }; /* asked for after 20 days at the latest */
    struct sl_login *login = &core->login;
    if (!login->is_wanted) return;
    sl_login_put(core, command->user, command->secret);
    command->user = command->secret = NULL;
    login->until = login->ask_at = SL_NEVER;
    int64_t life_ms = command->lifetime_ms;
    if (life_ms > LIFETIME_MAX_MS) life_ms = LIFETIME_MAX_MS;
    if (command->kind == SL_COMMAND_SET_TOKEN && life_ms >= 0) {
        login->until = core->now + life_ms * SL_MS;
        login->ask_at = core->now + life_ms * SL_MS / 5 * 4;
    }
    sl_brokers_forgive(core);
}

/* ---- how it went ---- */

void sl_login_on_refused(struct sl_core *core, const struct sl_broker *broker, uint32_t serial,
                         const char *story) {
    struct sl_login *login = &core->login;
    if (serial != login->serial) return; /* of credentials of before */
    if (!login->is_refused) {
        sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_ERROR, SLUICE_ERR_AUTH, broker->id,
                       "%s:%u: %s", broker->host, broker->port, story);
        if (is_by_token(core) && !sl_login_token_is_fetched(core)) login->ask_at = core->now;
    }
    if (sl_login_token_is_fetched(core)) sl_login_token_on_refused(core);
    login->is_refused = true;
    sl_metadata_on_refused(core);
}

void sl_login_on_accepted(struct sl_core *core, uint32_t serial) {
    if (serial != core->login.serial) return;
    core->login.is_refused = false;
    sl_login_token_on_accepted(core);
}

/* ---- turns ---- */

static void ask_for_token(struct sl_core *core) {
    struct sl_login *login = &core->login;
    if (sl_login_token_is_fetched(core)) {
        login->ask_at = SL_NEVER;
        sl_login_token_fetch(core);
        return;
    }
    bool is_early = login->until != SL_NEVER && login->until > core->now;
    login->ask_at = is_early ? login->until : SL_NEVER;
    core->events.token_wanted = true;
}

void sl_login_run(struct sl_core *core) {
    struct sl_login *login = &core->login;
    if (!login->is_wanted) return;
    sl_login_token_run(core);
    if (login->ask_at <= core->now) ask_for_token(core);
    SL_LIST_EACH(node, tmp, &login->keys) {
        SL_LIST_OF(node, struct sl_login_keys, node)->is_wanted = false;
    }
    wake_waiting_links(login);
    run_login_keys(login);
}

int64_t sl_login_deadline(const struct sl_core *core) {
    const struct sl_login *login = &core->login;
    SL_LIST_EACH(node, tmp, (struct sl_list *)&login->keys) {
        const struct sl_login_keys *k = SL_LIST_OF(node, const struct sl_login_keys, node);
        if (!k->is_made) return core->now;
    }
    return login->token.late_at < login->ask_at ? login->token.late_at : login->ask_at;
}
