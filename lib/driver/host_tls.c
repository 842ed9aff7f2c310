/* TLS of a hosted test broker: settings by the names that brokers and clients use, and the context
 * that they come to.
 *
 * Connections are under TLS once there is a certificate and its key, and plain again without. Each
 * change makes a new context, and resets the connections that exist; one that cannot be used changes
 * nothing.
 *
 * Not here: connections (host_ports.c), the settings' meaning (tls_load.c). */
#include "driver/host_tls.h"

#include <string.h>

#include "sluice/error.h"

struct host_tls_text {
    const char *name;
    size_t at; /* of the text in struct sl_tls_settings */
};

#define HOST_TLS_TEXT(name_, field) \
    { name_, offsetof(struct sl_tls_settings, field) }
static const struct host_tls_text host_tls_texts[] = {
    HOST_TLS_TEXT("ssl.ca.location", ca_location),
    HOST_TLS_TEXT("ssl.truststore.location", ca_location),
    HOST_TLS_TEXT("ssl.ca.pem", ca_pem),
    HOST_TLS_TEXT("ssl.truststore.password", truststore_password),
    HOST_TLS_TEXT("ssl.certificate.location", certificate_location),
    HOST_TLS_TEXT("ssl.certificate.pem", certificate_pem),
    HOST_TLS_TEXT("ssl.key.location", key_location),
    HOST_TLS_TEXT("ssl.key.pem", key_pem),
    HOST_TLS_TEXT("ssl.key.password", key_password),
    HOST_TLS_TEXT("ssl.keystore.location", keystore_location),
    HOST_TLS_TEXT("ssl.keystore.password", keystore_password),
    HOST_TLS_TEXT("ssl.crl.location", crl_location),
    HOST_TLS_TEXT("ssl.cipher.suites", cipher_suites),
};
enum { HOST_TLS_TEXTS = sizeof host_tls_texts / sizeof host_tls_texts[0] };

void sl_host_tls_init(struct sl_host_tls *t, const struct sl_alloc *alloc) {
    t->alloc = alloc;
    sl_tls_settings_init(&t->settings);
}

void sl_host_tls_deinit(struct sl_host_tls *t) {
    for (int i = 0; t->alloc != NULL && i < HOST_TLS_TEXTS; i++) {
        sl_alloc_free_secret(t->alloc, sl_tls_get_text(&t->settings, host_tls_texts[i].at));
        sl_tls_put_text(&t->settings, host_tls_texts[i].at, NULL);
    }
}

/* ---- values ---- */

static bool set_client_auth(struct sl_tls_settings *s, const char *value) {
    static const char *const words[] = {
        [SL_TLS_AUTH_NONE] = "none",
        [SL_TLS_AUTH_REQUESTED] = "requested",
        [SL_TLS_AUTH_REQUIRED] = "required",
    };
    for (int i = SL_TLS_AUTH_NONE; i <= SL_TLS_AUTH_REQUIRED; i++) {
        if (strcmp(value, words[i]) != 0) continue;
        s->client_auth = (enum sl_tls_client_auth)i;
        return true;
    }
    return false;
}

static bool set_protocols(struct sl_tls_settings *s, const char *value) {
    bool has_old = strcmp(value, "TLSv1.2") == 0, has_new = strcmp(value, "TLSv1.3") == 0;
    if (strcmp(value, "TLSv1.2,TLSv1.3") == 0) has_old = has_new = true;
    s->protocols = (has_old ? SL_TLS_1_2 : 0u) | (has_new ? SL_TLS_1_3 << 4 : 0u);
    return has_old || has_new;
}

/* 0, CONFIG or NOMEM. *old: the text that was there before, to be freed or put back; at < 0: it is
 * none. */
static int change_value(struct sl_host_tls *t, const char *name, const char *value, int *at,
                        char **old) {
    *at = -1;
    if (strcmp(name, "ssl.client.auth") == 0)
        return set_client_auth(&t->settings, value) ? 0 : SLUICE_ERR_CONFIG;
    if (strcmp(name, "ssl.enabled.protocols") == 0)
        return set_protocols(&t->settings, value) ? 0 : SLUICE_ERR_CONFIG;
    for (int i = 0; i < HOST_TLS_TEXTS; i++) {
        if (strcmp(host_tls_texts[i].name, name) != 0) continue;
        char *text = sl_alloc_text(t->alloc, value, strlen(value));
        if (text == NULL) return SLUICE_ERR_NOMEM;
        *at = i;
        *old = sl_tls_get_text(&t->settings, host_tls_texts[i].at);
        sl_tls_put_text(&t->settings, host_tls_texts[i].at, text);
        return 0;
    }
    return SLUICE_ERR_CONFIG;
}

static bool is_given(const char *text) { return text != NULL && text[0] != '\0'; }

static bool is_complete(const struct sl_tls_settings *s) {
    bool has_chain = is_given(s->certificate_location) || is_given(s->certificate_pem);
    bool has_key = is_given(s->key_location) || is_given(s->key_pem);
    return is_given(s->keystore_location) || (has_chain && has_key);
}

int sl_host_tls_set(struct sl_host_tls *t, const char *name, const char *value, struct sl_text *why,
                    struct sl_tls **out) {
    struct sl_tls_settings before = t->settings;
    int at;
    char *old = NULL;
    *out = NULL;
    int rv = change_value(t, name, value, &at, &old);
    if (rv == SLUICE_ERR_CONFIG) sl_text_printf(why, "%s: there is no such setting or value", name);
    if (rv == 0 && is_complete(&t->settings))
        rv = sl_tls_create(&t->settings, true, t->alloc, why, out);
    if (rv == 0) {
        sl_alloc_free_secret(t->alloc, old);
        return 0;
    }
    if (at >= 0)
        sl_alloc_free_secret(t->alloc, sl_tls_get_text(&t->settings, host_tls_texts[at].at));
    t->settings = before;
    return rv;
}
