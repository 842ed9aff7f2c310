/* Goal: what is set of sasl.* becomes the settings that were meant, also out of a line of JAAS; what
 * contradicts itself is told by the name of the property, and no secret gets into what is told.
 * Method: settings resolved and looked at; lines of JAAS right, odd and broken. */
#include "support.h"

#include "api/config.h"
#include "api/properties.h"
#include "driver/gssapi.h"
#include "driver/oidc.h"
#include "sluice/sluice.h"

#define CANARY "c4n4ry"

static sluice_config *make_config(const char *const *settings) {
    sluice_config *config = sluice_config_create();
    assert_non_null(config);
    sluice_config_set(config, "bootstrap.servers", "localhost:9092");
    for (; settings[0] != NULL; settings += 2) sluice_config_set(config, settings[0], settings[1]);
    return config;
}

/* What the settings come to; freed by the caller. */
static struct sl_settings resolve(const char *const *settings) {
    struct sl_settings out;
    sluice_config *config = make_config(settings);
    int rv = sl_config_resolve(config, SLUICE_ADMIN, sl_alloc_default(), &out);
    if (rv != 0) fail_msg("%d: %s", rv, sluice_config_message(config));
    sluice_config_free(config);
    return out;
}

static void expect_mistake(const char *want, const char *const *settings) {
    char text[16384];
    sluice_config *config = make_config(settings);
    assert_int_equal(sluice_config_check(config, SLUICE_ADMIN), SLUICE_ERR_CONFIG);
    if (strstr(sluice_config_message(config), want) == NULL)
        fail_msg("\"%s\" does not say %s", sluice_config_message(config), want);
    assert_null(strstr(sluice_config_message(config), CANARY));
    assert_true(sluice_config_text(config, SLUICE_ADMIN, text, sizeof text) > 0);
    assert_null(strstr(text, CANARY));
    sluice_config_free(config);
}

#define WITH(...) ((const char *const[]){__VA_ARGS__, NULL})
#define OVER_SASL "security.protocol", "SASL_SSL", "sasl.mechanism"

static void settings_are_those_that_were_set(void **state) {
    (void)state;
    struct sl_settings s = resolve(WITH("client.id", "x"));
    assert_int_equal(s.sasl_mechanism, SL_SASL_NONE);
    sl_properties_free_texts(&s, sl_alloc_default());
    s = resolve(WITH(OVER_SASL, "SCRAM-SHA-512", "sasl.username", "bob", "sasl.password", CANARY));
    assert_int_equal(s.security, SL_SECURITY_SASL_SSL);
    assert_int_equal(s.sasl_mechanism, SL_SASL_SCRAM_SHA_512);
    assert_string_equal(s.sasl_username, "bob");
    assert_string_equal(s.sasl_password, CANARY);
    sl_properties_free_texts(&s, sl_alloc_default());
    s = resolve(WITH("security.protocol", "sasl_plaintext", "sasl.mechanisms", "OAUTHBEARER",
                     "sasl.oauthbearer.token", "a.b.c", "sasl.oauthbearer.extensions", "a=b"));
    assert_int_equal(s.sasl_mechanism, SL_SASL_OAUTHBEARER);
    assert_string_equal(s.sasl_token, "a.b.c");
    assert_string_equal(s.sasl_extensions, "a=b");
    sl_properties_free_texts(&s, sl_alloc_default());
}

static void expect_jaas(const char *line, const char *user, const char *password, bool by_token) {
    struct sl_settings s = resolve(WITH(OVER_SASL, "SCRAM-SHA-256", "sasl.jaas.config", line));
    assert_string_equal(s.sasl_username, user);
    assert_string_equal(s.sasl_password, password);
    assert_int_equal(s.sasl_by_token, by_token);
    sl_properties_free_texts(&s, sl_alloc_default());
}

static void a_line_of_jaas_says_it_too(void **state) {
    (void)state;
    expect_jaas("org.apache.kafka.common.security.scram.ScramLoginModule required "
                "username=\"bob\" password=\"pencil\";",
                "bob", "pencil", false);
    expect_jaas("  Scram\trequired\n  username = \"b\\\"o\\\\b\"\n  password=pencil  ;  ",
                "b\"o\\b", "pencil", false);
    expect_jaas("Scram required username=\"t\" password=\"h\" tokenauth=\"true\" other=\"x;y\";",
                "t", "h", true);
    /* What is set by itself wins. */
    struct sl_settings s =
        resolve(WITH(OVER_SASL, "PLAIN", "sasl.username", "eve", "sasl.password", "apple",
                     "sasl.jaas.config", "Plain required username=\"bob\" password=\"pencil\";"));
    assert_string_equal(s.sasl_username, "eve");
    assert_string_equal(s.sasl_password, "apple");
    sl_properties_free_texts(&s, sl_alloc_default());
}

static void kerberos_has_settings_of_its_own(void **state) {
    (void)state;
    if (!sl_gssapi_is_built_in()) {
        expect_mistake("this build has no GSSAPI", WITH(OVER_SASL, "GSSAPI"));
        return;
    }
    struct sl_settings s = resolve(WITH(OVER_SASL, "GSSAPI"));
    assert_int_equal(s.sasl_mechanism, SL_SASL_GSSAPI);
    assert_string_equal(s.kerberos_service, "kafka");
    assert_string_equal(s.kerberos_principal, "");
    assert_string_equal(s.kerberos_keytab, "");
    sl_properties_free_texts(&s, sl_alloc_default());
    s = resolve(WITH(OVER_SASL, "GSSAPI", "sasl.jaas.config",
                     "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true "
                     "storeKey=true serviceName=\"events\" keyTab=\"/etc/a b.keytab\" "
                     "principal=\"bob@EXAMPLE.ORG\";"));
    assert_string_equal(s.kerberos_service, "events");
    assert_string_equal(s.kerberos_principal, "bob@EXAMPLE.ORG");
    assert_string_equal(s.kerberos_keytab, "/etc/a b.keytab");
    sl_properties_free_texts(&s, sl_alloc_default());
    s = resolve(WITH(OVER_SASL, "GSSAPI", "sasl.kerberos.service.name", "mine",
                     "sasl.kerberos.keytab", "/k", "sasl.kerberos.principal", "eve",
                     "sasl.jaas.config",
                     "Krb5LoginModule required keyTab=/x principal=bob serviceName=other;"));
    assert_string_equal(s.kerberos_service, "mine");
    assert_string_equal(s.kerberos_principal, "eve");
    assert_string_equal(s.kerberos_keytab, "/k");
    sl_properties_free_texts(&s, sl_alloc_default());
    expect_mistake("sasl.kerberos.service.name: must not be empty",
                   WITH(OVER_SASL, "GSSAPI", "sasl.kerberos.service.name", ""));
    expect_mistake("no program is run",
                   WITH(OVER_SASL, "GSSAPI", "sasl.kerberos.kinit.cmd", "kinit -R"));
    expect_mistake("no program is run",
                   WITH(OVER_SASL, "GSSAPI", "sasl.kerberos.min.time.before.relogin", "1"));
}

static void a_broken_line_is_told_without_its_words(void **state) {
    static const char *const lines[] = {
        CANARY,
        "Plain required",
        "Plain required ;x",
        "Plain required password=\"" CANARY "\"",
        "Plain required password=\"" CANARY ";",
        "Plain required password " CANARY ";",
        "Plain required password=;",
        "Plain required =\"" CANARY "\";",
        "Plain required password=\"" CANARY "\"; Plain",
        "Plain\"" CANARY "\" required;",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect_mistake("sasl.jaas.config: is not of the form",
                       WITH(OVER_SASL, "PLAIN", "sasl.jaas.config", lines[i]));
}

static void contradictions_are_told(void **state) {
    (void)state;
    expect_mistake("sasl.mechanism: has to be set", WITH("security.protocol", "SASL_SSL"));
    expect_mistake("sasl.mechanism: means nothing", WITH("sasl.mechanism", "PLAIN"));
    expect_mistake("sasl.mechanism: \"GSSAPY\" is not one of", WITH(OVER_SASL, "GSSAPY"));
    expect_mistake("sasl.username: goes together",
                   WITH(OVER_SASL, "PLAIN", "sasl.password", CANARY));
    expect_mistake("sasl.username: goes together", WITH(OVER_SASL, "PLAIN", "sasl.username", "b"));
    expect_mistake("sasl.oauthbearer.token: has characters",
                   WITH(OVER_SASL, "OAUTHBEARER", "sasl.oauthbearer.token", CANARY " x"));
    expect_mistake("sasl.oauthbearer.extensions: is not",
                   WITH(OVER_SASL, "OAUTHBEARER", "sasl.oauthbearer.extensions", "auth=x"));
    expect_mistake("SLUICE_EVENT_TOKEN", WITH("sasl.oauthbearer.jwt.retriever.class", CANARY));
}

static const char java_oidc[] =
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
    "clientId=\"me\" clientSecret=\"" CANARY "\" scope=\"kafka all\" extension_a=\"b\" "
    "extension_cd='e';";

static void tokens_come_from_where_it_is_said(void **state) {
    (void)state;
    struct sl_settings s = resolve(WITH(OVER_SASL, "OAUTHBEARER"));
    assert_int_equal(s.token.source, SL_TOKEN_ASKED);
    sl_properties_free_texts(&s, sl_alloc_default());
    s = resolve(WITH(OVER_SASL, "OAUTHBEARER", "sasl.oauthbearer.token.file", "/run/token"));
    assert_int_equal(s.token.source, SL_TOKEN_FILE);
    assert_string_equal(s.token.file, "/run/token");
    sl_properties_free_texts(&s, sl_alloc_default());
    s = resolve(
        WITH(OVER_SASL, "OAUTHBEARER", "sasl.oauthbearer.token.endpoint.url", "file:///run/token"));
    assert_int_equal(s.token.source, SL_TOKEN_FILE);
    assert_string_equal(s.token.file, "/run/token");
    assert_string_equal(s.token.url, "");
    sl_properties_free_texts(&s, sl_alloc_default());
}

static void a_provider_is_asked_as_librdkafka_and_java_say(void **state) {
    (void)state;
    if (!sl_oidc_is_there()) skip();
    struct sl_settings s =
        resolve(WITH(OVER_SASL, "OAUTHBEARER", "sasl.oauthbearer.method", "OIDC",
                     "sasl.oauthbearer.token.endpoint.url", "https://idp/token?p=1",
                     "sasl.oauthbearer.client.id", "me", "sasl.oauthbearer.client.secret", CANARY,
                     "sasl.oauthbearer.scope", "kafka", "https.ca.location", "/etc/ca.pem"));
    assert_int_equal(s.token.source, SL_TOKEN_OIDC);
    assert_string_equal(s.token.url, "https://idp/token?p=1");
    assert_string_equal(s.token.client_secret, CANARY);
    assert_string_equal(s.token.ca_location, "/etc/ca.pem");
    assert_false(s.token.urlencode);
    assert_int_equal(s.token.backoff_ms, 100);
    assert_int_equal(s.token.backoff_max_ms, 10000);
    sl_properties_free_texts(&s, sl_alloc_default());
    s = resolve(WITH(OVER_SASL, "OAUTHBEARER", "sasl.oauthbearer.token.endpoint.url",
                     "http://127.0.0.1:1/t", "sasl.jaas.config", java_oidc,
                     "sasl.oauthbearer.header.urlencode", "true"));
    assert_int_equal(s.token.source, SL_TOKEN_OIDC);
    assert_string_equal(s.token.client_id, "me");
    assert_string_equal(s.token.client_secret, CANARY);
    assert_string_equal(s.token.scope, "kafka all");
    assert_string_equal(s.sasl_extensions, "a=b,cd='e'");
    assert_true(s.token.urlencode);
    sl_properties_free_texts(&s, sl_alloc_default());
}

#define OIDC_URL(url)                                                                           \
    OVER_SASL, "OAUTHBEARER", "sasl.oauthbearer.client.credentials.client.id", "me",            \
        "sasl.oauthbearer.client.credentials.client.secret", CANARY, "sasl.oauthbearer.method", \
        "oidc", "sasl.oauthbearer.token.endpoint.url", url

static void sources_that_cannot_be_are_told(void **state) {
    (void)state;
    expect_mistake("sasl.oauthbearer.method: oidc needs", WITH(OIDC_URL("")));
    expect_mistake("endpoint.url: is not of the form", WITH(OIDC_URL("idp/token")));
    expect_mistake("endpoint.url: is not of the form", WITH(OIDC_URL("https://")));
    expect_mistake("endpoint.url: is not of the form", WITH(OIDC_URL("ftp://idp/token")));
    expect_mistake("endpoint.url: has a user in it", WITH(OIDC_URL("https://me:pw@idp/token")));
    expect_mistake("token.file: contradicts",
                   WITH(OIDC_URL("https://idp"), "sasl.oauthbearer.token.file", "/t"));
    expect_mistake("sasl.oauthbearer.token: is set",
                   WITH(OIDC_URL("https://idp"), "sasl.oauthbearer.token", CANARY));
    expect_mistake(
        "endpoint.url: needs sasl.oauthbearer.client.id",
        WITH(OVER_SASL, "OAUTHBEARER", "sasl.oauthbearer.token.endpoint.url", "https://idp"));
    expect_mistake("token.file: needs sasl.mechanism=OAUTHBEARER",
                   WITH(OVER_SASL, "PLAIN", "sasl.oauthbearer.token.file", "/t"));
    expect_mistake("sasl.oauthbearer.method: needs sasl.mechanism=OAUTHBEARER",
                   WITH(OVER_SASL, "PLAIN", "sasl.oauthbearer.method", "oidc"));
    expect_mistake("sasl.login.retry.backoff.max.ms: is less",
                   WITH(OVER_SASL, "OAUTHBEARER", "sasl.login.retry.backoff.ms", "20000"));
    expect_mistake("client_credentials is the one", WITH("sasl.oauthbearer.grant.type", "x"));
    if (!sl_oidc_is_there()) expect_mistake("has no libcurl", WITH(OIDC_URL("https://idp")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_those_that_were_set),
        cmocka_unit_test(a_line_of_jaas_says_it_too),
        cmocka_unit_test(kerberos_has_settings_of_its_own),
        cmocka_unit_test(a_broken_line_is_told_without_its_words),
        cmocka_unit_test(contradictions_are_told),
        cmocka_unit_test(tokens_come_from_where_it_is_said),
        cmocka_unit_test(a_provider_is_asked_as_librdkafka_and_java_say),
        cmocka_unit_test(sources_that_cannot_be_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
