/* What sasl.* means together, and the Java client's JAAS line.
 *
 *   MODULE FLAG name="value" name=value … ;
 *
 * Values may be in quotes, with backslashes before quotes and backslashes. Names that we have no use
 * for are passed over: some are of the module's own kind, and a line that works with Java should work
 * here. Nothing of a line is ever put into a message, for it has a password in it. */
#include "api/config_sasl.h"

#include <stdbool.h>
#include <string.h>

#include "core/sasl_tokens.h"
#include "driver/gssapi.h"
#include "driver/oidc.h"
#include "sluice/error.h"

enum { JAAS_NAME_MAX = 64, JAAS_VALUE_MAX = 4096 };

static bool is_jaas_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static const char *skip_jaas_blanks(const char *at) {
    while (is_jaas_blank(*at)) at++;
    return at;
}

/* Copies one value, with or without quotes. Returns what is behind it, or NULL: it is none, or too
 * long. */
static const char *read_jaas_value(const char *at, char *out) {
    size_t size = 0;
    bool is_quoted = *at == '"';
    if (is_quoted) at++;
    while (*at != '\0' && (is_quoted ? *at != '"' : !is_jaas_blank(*at) && *at != ';')) {
        if (is_quoted && *at == '\\' && at[1] != '\0') at++;
        if (size == JAAS_VALUE_MAX) return NULL;
        out[size++] = *at++;
    }
    out[size] = '\0';
    if (!is_quoted) return size > 0 ? at : NULL;
    return *at == '"' ? at + 1 : NULL;
}

/* Puts a value into a text setting that is not set otherwise. */
static int put_jaas_text(const struct sl_alloc *alloc, const char *value, char **setting) {
    if (*setting != NULL && **setting != '\0') return 0;
    char *copy = sl_alloc_text(alloc, value, strlen(value));
    if (copy == NULL) return SLUICE_ERR_NOMEM;
    sl_alloc_free_secret(alloc, *setting);
    *setting = copy;
    return 0;
}

/* extension_NAME: one more of the list. */
static int put_jaas_extension(struct sl_settings *s, const struct sl_alloc *alloc, const char *name,
                              const char *value) {
    struct sl_writer text;
    const char *before = s->sasl_extensions != NULL ? s->sasl_extensions : "";
    sl_writer_init(&text, alloc);
    sl_writer_raw(&text, before, strlen(before));
    if (before[0] != '\0') sl_writer_raw(&text, ",", 1);
    sl_writer_raw(&text, name, strlen(name));
    sl_writer_raw(&text, "=", 1);
    sl_writer_raw(&text, value, strlen(value));
    char *copy = text.failed ? NULL : sl_alloc_text(alloc, (const char *)text.data, text.size);
    sl_writer_deinit(&text);
    if (copy == NULL) return SLUICE_ERR_NOMEM;
    if (s->sasl_extensions != NULL)
        sl_alloc_free(alloc, s->sasl_extensions, strlen(s->sasl_extensions) + 1);
    s->sasl_extensions = copy;
    return 0;
}

/* Java lets the line say it too, and the property, which has a default here, has to agree with it. */
static int put_service_name(const struct sl_alloc *alloc, const char *value,
                            struct sl_settings *s) {
    if (strcmp(s->kerberos_service, "kafka") != 0) return 0;
    sl_alloc_free_secret(alloc, s->kerberos_service);
    s->kerberos_service = sl_alloc_text(alloc, value, strlen(value));
    return s->kerberos_service == NULL ? SLUICE_ERR_NOMEM : 0;
}

static int put_jaas_option(struct sl_settings *s, const struct sl_alloc *alloc, const char *name,
                           const char *value) {
    if (strcmp(name, "username") == 0) return put_jaas_text(alloc, value, &s->sasl_username);
    if (strcmp(name, "password") == 0) return put_jaas_text(alloc, value, &s->sasl_password);
    if (strcmp(name, "clientId") == 0) return put_jaas_text(alloc, value, &s->token.client_id);
    if (strcmp(name, "clientSecret") == 0)
        return put_jaas_text(alloc, value, &s->token.client_secret);
    if (strcmp(name, "scope") == 0) return put_jaas_text(alloc, value, &s->token.scope);
    if (strncmp(name, "extension_", 10) == 0) return put_jaas_extension(s, alloc, name + 10, value);
    if (strcmp(name, "principal") == 0) return put_jaas_text(alloc, value, &s->kerberos_principal);
    if (strcmp(name, "keyTab") == 0) return put_jaas_text(alloc, value, &s->kerberos_keytab);
    if (strcmp(name, "serviceName") == 0) return put_service_name(alloc, value, s);
    if (strcmp(name, "tokenauth") == 0) s->sasl_by_token |= sl_text_equal_fold(value, "true");
    return 0;
}

/* The options behind the module and its flag. 0, NOMEM, or CONFIG: it is no such line. */
static int read_jaas_options(struct sl_settings *s, const struct sl_alloc *alloc, const char *at) {
    char name[JAAS_NAME_MAX];
    char value[JAAS_VALUE_MAX + 1];
    int rv = 0;
    while (rv == 0 && *at != '\0' && *at != ';') {
        struct sl_text text;
        size_t size = strcspn(at, "= \t\r\n;");
        const char *sign = skip_jaas_blanks(at + size);
        if (size == 0 || *sign != '=') return SLUICE_ERR_CONFIG;
        sl_text_init(&text, name, sizeof name);
        sl_text_put_len(&text, at, size);
        at = read_jaas_value(skip_jaas_blanks(sign + 1), value);
        if (at == NULL) rv = SLUICE_ERR_CONFIG;
        if (rv == 0) rv = put_jaas_option(s, alloc, name, value);
        if (rv == 0) at = skip_jaas_blanks(at);
    }
    sl_alloc_wipe(value, sizeof value);
    if (rv != 0) return rv;
    return *at == ';' && *skip_jaas_blanks(at + 1) == '\0' ? 0 : SLUICE_ERR_CONFIG;
}

static int read_jaas(struct sl_settings *s, const struct sl_alloc *alloc) {
    const char *at = skip_jaas_blanks(s->sasl_jaas);
    if (*at == '\0') return 0;
    for (int word = 0; word < 2; word++) { /* the module, the flag */
        size_t size = strcspn(at, "= \t\r\n;\"");
        if (size == 0 || !is_jaas_blank(at[size])) return SLUICE_ERR_CONFIG;
        at = skip_jaas_blanks(at + size);
    }
    return read_jaas_options(s, alloc, at);
}

/* ---- tokens ---- */

/* Java names a file so; takes it as one. 0 or NOMEM. */
static int settle_token_file(struct sl_token_settings *t, const struct sl_alloc *alloc) {
    static const char scheme[] = "file://";
    size_t size = sizeof scheme - 1;
    if (strncmp(t->url, scheme, size) != 0 || t->url[size] != '/' || t->file[0] != '\0') return 0;
    char *file = sl_alloc_text(alloc, t->url + size, strlen(t->url) - size);
    char *url = sl_alloc_text(alloc, "", 0);
    if (file == NULL || url == NULL) {
        sl_alloc_free_secret(alloc, file);
        sl_alloc_free_secret(alloc, url);
        return SLUICE_ERR_NOMEM;
    }
    sl_alloc_free(alloc, t->file, strlen(t->file) + 1);
    sl_alloc_free(alloc, t->url, strlen(t->url) + 1);
    t->file = file;
    t->url = url;
    return 0;
}

static const char *check_oidc(const struct sl_token_settings *t) {
    bool is_web = strncmp(t->url, "https://", 8) == 0 || strncmp(t->url, "http://", 7) == 0;
    const char *rest = is_web ? strstr(t->url, "://") + 3 : t->url;
    if (t->url[0] == '\0')
        return "sasl.oauthbearer.method: oidc needs sasl.oauthbearer.token.endpoint.url";
    if (!is_web || *rest == '\0' || *rest == '/')
        return "sasl.oauthbearer.token.endpoint.url: is not of the form https://host/path, "
               "http://host/path or file:///path";
    /* It is told in messages. */
    if (memchr(rest, '@', strcspn(rest, "/?#")) != NULL)
        return "sasl.oauthbearer.token.endpoint.url: has a user in it; set "
               "sasl.oauthbearer.client.id and sasl.oauthbearer.client.secret";
    if (t->client_id[0] == '\0' || t->client_secret[0] == '\0')
        return "sasl.oauthbearer.token.endpoint.url: needs sasl.oauthbearer.client.id and "
               "sasl.oauthbearer.client.secret";
    if (!sl_oidc_is_there())
        return "sasl.oauthbearer.token.endpoint.url: this build of the library has no libcurl, and "
               "cannot fetch tokens; answer SLUICE_EVENT_TOKEN, or set sasl.oauthbearer.token.file";
    return NULL;
}

/* What is wrong with where tokens come from, or NULL. */
static const char *settle_token_source(struct sl_settings *s) {
    struct sl_token_settings *t = &s->token;
    bool has_file = t->file[0] != '\0', is_fetched = t->by_oidc || t->url[0] != '\0';
    if ((has_file || is_fetched) && s->sasl_mechanism != SL_SASL_OAUTHBEARER)
        return has_file ? "sasl.oauthbearer.token.file: needs sasl.mechanism=OAUTHBEARER"
                        : "sasl.oauthbearer.method: needs sasl.mechanism=OAUTHBEARER";
    if (has_file && is_fetched)
        return "sasl.oauthbearer.token.file: contradicts sasl.oauthbearer.method=oidc";
    if ((has_file || is_fetched) && s->sasl_token[0] != '\0')
        return "sasl.oauthbearer.token: is set, and tokens are to be fetched as well";
    if (t->backoff_max_ms < t->backoff_ms)
        return "sasl.login.retry.backoff.max.ms: is less than sasl.login.retry.backoff.ms";
    if (has_file) t->source = SL_TOKEN_FILE;
    if (is_fetched) t->source = SL_TOKEN_OIDC;
    return is_fetched ? check_oidc(t) : NULL;
}

/* What is wrong with the texts, or NULL. */
static const char *check_sasl_texts(const struct sl_settings *s) {
    bool is_wanted =
        s->security == SL_SECURITY_SASL_PLAINTEXT || s->security == SL_SECURITY_SASL_SSL;
    bool has_mechanism = s->sasl_mechanism != SL_SASL_NONE;
    const char *extensions = sl_sasl_tokens_check_extensions(s->sasl_extensions);
    if (is_wanted && !has_mechanism)
        return "sasl.mechanism: has to be set where security.protocol says SASL";
    if (has_mechanism && !is_wanted)
        return "sasl.mechanism: means nothing unless security.protocol is SASL_PLAINTEXT or "
               "SASL_SSL";
    if (s->sasl_mechanism == SL_SASL_GSSAPI && !sl_gssapi_is_built_in())
        return "sasl.mechanism: this build has no GSSAPI, for it was made without cyrus-sasl";
    if (s->kerberos_service[0] == '\0') return "sasl.kerberos.service.name: must not be empty";
    if ((s->sasl_username[0] == '\0') != (s->sasl_password[0] == '\0'))
        return "sasl.username: goes together with sasl.password";
    if (s->sasl_token[0] != '\0' && !sl_sasl_tokens_is_token(s->sasl_token))
        return "sasl.oauthbearer.token: has characters that no token has";
    if (extensions != NULL) return "sasl.oauthbearer.extensions: is not name=value,name=value";
    return NULL;
}

int sl_config_sasl_settle(struct sl_settings *s, const struct sl_alloc *alloc,
                          struct sl_text *why) {
    int rv = read_jaas(s, alloc);
    if (rv == SLUICE_ERR_CONFIG)
        sl_text_put(why, "sasl.jaas.config: is not of the form MODULE FLAG name=\"value\" ... ;");
    if (rv == 0) rv = settle_token_file(&s->token, alloc);
    if (rv != 0) return rv;
    const char *wrong = check_sasl_texts(s);
    if (wrong == NULL) wrong = settle_token_source(s);
    if (wrong == NULL) return 0;
    sl_text_put(why, wrong);
    return SLUICE_ERR_CONFIG;
}
