/* Who the client says it is. */
#include "api/property_rows.h"

/* clang-format off */
static const struct sl_property sasl_properties[] = {
    {.name = "sasl.mechanism", .fallback = "none", .roles = FOR_ALL,
     PROPERTY_WORDS(SL_SASL_NONE, "none|PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER|GSSAPI"),
     PROPERTY_FIELD(settings.sasl_mechanism),
     .text = "How the client authenticates, with security.protocol SASL_PLAINTEXT or SASL_SSL. "
             "No other mechanism is ever taken in its place. PLAIN and OAUTHBEARER show the secret "
             "to whoever can read the connection."},
    {.name = "sasl.username", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.sasl_username),
     .text = "The user of PLAIN and SCRAM. While it is missing the client waits for "
             "sluice_client_set_login, which also changes it."},
    {.name = "sasl.password", .fallback = "", .roles = FOR_ALL, .secret = true,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.sasl_password),
     .text = "The password of PLAIN and SCRAM."},
    {.name = "sasl.jaas.config", .fallback = "", .roles = FOR_ALL, .secret = true,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.sasl_jaas),
     .text = "The Java client's way to say it: username, password, tokenauth, clientId, clientSecret, "
             "scope, extension_NAME, principal, keyTab and serviceName are taken out of it where "
             "they are not set otherwise; the module's name is not looked at."},
    {.name = "sasl.scram.tokenauth", .fallback = "false", .roles = FOR_ALL,
     PROPERTY_BOOL, PROPERTY_FIELD(settings.sasl_by_token),
     .text = "SCRAM with a delegation token: sasl.username is its id, sasl.password its HMAC."},
    {.name = "sasl.oauthbearer.token", .fallback = "", .roles = FOR_ALL, .secret = true,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.sasl_token),
     .text = "The token of OAUTHBEARER (ours). While it is missing the client waits for "
             "sluice_client_set_token, which also changes it; SLUICE_EVENT_TOKEN asks for it."},
    {.name = "sasl.oauthbearer.token.file", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PATH, PROPERTY_FIELD(settings.token.file),
     .text = "A file with the token of OAUTHBEARER (ours). It is read when the token is needed, again at "
             "four fifths of the lifetime that a JWT names, else every minute, and when a broker does "
             "not take the token."},
    {.name = "sasl.oauthbearer.method", .fallback = "default", .roles = FOR_ALL,
     PROPERTY_WORDS(0, "default|oidc"), PROPERTY_FIELD(settings.token.by_oidc),
     .text = "With oidc tokens are fetched from sasl.oauthbearer.token.endpoint.url, which has to be "
             "set; default means that where it is set, and otherwise that the application gives "
             "tokens."},
    {.name = "sasl.oauthbearer.token.endpoint.url", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.token.url),
     .text = "Where an OIDC provider gives tokens to clients with an id and a secret (client "
             "credentials grant); https, or http where nobody listens. Redirects are not followed; "
             "proxies are those of the environment. file:///PATH is sasl.oauthbearer.token.file."},
    {.name = "sasl.oauthbearer.client.id", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.token.client_id),
     .text = "The client's id at the provider."},
    {.name = "sasl.oauthbearer.client.secret", .fallback = "", .roles = FOR_ALL, .secret = true,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.token.client_secret),
     .text = "The client's secret at the provider."},
    {.name = "sasl.oauthbearer.scope", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.token.scope),
     .text = "What tokens are asked for; empty: what the provider gives by itself."},
    {.name = "sasl.oauthbearer.header.urlencode", .fallback = "false", .roles = FOR_ALL,
     PROPERTY_BOOL, PROPERTY_FIELD(settings.token.urlencode),
     .text = "Whether id and secret are URL-encoded in the Authorization header, as RFC 6749 wants it "
             "and many providers do not (KIP-1025)."},
    {.name = "https.ca.location", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PATH, PROPERTY_FIELD(settings.token.ca_location),
     .text = "Whom to trust as the provider: a file of certificates (PEM) or a directory as OpenSSL's "
             "rehash makes it. Without this and https.ca.pem: whom the system trusts."},
    {.name = "https.ca.pem", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PEM, PROPERTY_FIELD(settings.token.ca_pem),
     .text = "https.ca.location as text; the text comes before the file."},
    {.name = "sasl.login.connect.timeout.ms", .fallback = "10000", .roles = FOR_ALL,
     PROPERTY_NUMBER(1, 600000), PROPERTY_FIELD(settings.token.connect_timeout_ms),
     .text = "How long connecting to the provider may take (ours: Java waits for ever)."},
    {.name = "sasl.login.read.timeout.ms", .fallback = "10000", .roles = FOR_ALL,
     PROPERTY_NUMBER(1, 600000), PROPERTY_FIELD(settings.token.read_timeout_ms),
     .text = "How long its answer may take after that (ours, likewise)."},
    {.name = "sasl.login.retry.backoff.ms", .fallback = "100", .roles = FOR_ALL,
     PROPERTY_NUMBER(0, 300000), PROPERTY_FIELD(settings.token.backoff_ms),
     .text = "The wait before a token is fetched again that could not be had, or that a broker has "
             "refused; it doubles each time."},
    {.name = "sasl.login.retry.backoff.max.ms", .fallback = "10000", .roles = FOR_ALL,
     PROPERTY_NUMBER(0, 300000), PROPERTY_FIELD(settings.token.backoff_max_ms),
     .text = "The longest of those waits."},
    {.name = "sasl.oauthbearer.extensions", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.sasl_extensions),
     .text = "Sent along with every token: name=value,name=value, names of letters alone (KIP-342)."},
    {.name = "sasl.kerberos.service.name", .fallback = "kafka", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.kerberos_service),
     .text = "What brokers are to Kerberos, with GSSAPI: the first part of their principal, "
             "name/host@REALM. The host is what the broker is reached by."},
    {.name = "sasl.kerberos.principal", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.kerberos_principal),
     .text = "As whom the client logs in with GSSAPI, with or without a realm. Empty: as whoever the "
             "first key of the keytab is of, or the ticket in the cache."},
    {.name = "sasl.kerberos.keytab", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PATH, PROPERTY_FIELD(settings.kerberos_keytab),
     .text = "A file with the key of the principal. Tickets are got by it when they are needed, are "
             "kept in memory and renewed; no program is run. Empty: the ticket is in the system's "
             "cache (KRB5CCNAME), and renewed by whoever put it there."},
};

static const struct sl_property_alias sasl_aliases[] = {
    {"sasl.mechanisms", "sasl.mechanism", 1},
    {"sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id", 1},
    {"sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret", 1},
};

/* The longest first where one begins another. */
static const struct sl_property_hint sasl_hints[] = {
    {"sasl.login.refresh.", "a token is asked for or fetched at four fifths of its lifetime"},
    {"sasl.login.", "set sasl.oauthbearer.method=oidc, or answer SLUICE_EVENT_TOKEN"},
    {"sasl.oauthbearer.grant.type", "client_credentials is the one that is spoken"},
    {"sasl.oauthbearer.assertion.", "a client proves itself by its secret; else answer SLUICE_EVENT_TOKEN"},
    {"sasl.oauthbearer.sub.claim.name", "whom a token is of, its broker finds out"},
    {"sasl.oauthbearer.", "set sasl.oauthbearer.method=oidc, or answer SLUICE_EVENT_TOKEN"},
    {"enable.sasl.oauthbearer.unsecure.jwt", "give such a token with sasl.oauthbearer.token"},
    {"sasl.kerberos.", "no program is run: tickets are got by sasl.kerberos.keytab, when they are needed"},
};
/* clang-format on */

const struct sl_property_section sl_properties_sasl = {
    PROPERTY_LIST(rows, sasl_properties),
    PROPERTY_LIST(aliases, sasl_aliases),
    PROPERTY_LIST(hints, sasl_hints),
};
