/* How connections are protected. */
#include "api/property_rows.h"

/* clang-format off */
static const struct sl_property security_properties[] = {
    {.name = "security.protocol", .fallback = "PLAINTEXT", .roles = FOR_ALL,
     PROPERTY_WORDS(SL_SECURITY_PLAINTEXT, "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL"), PROPERTY_FIELD(settings.security),
     .text = "How connections are protected: SSL is TLS, and with SASL the client logs in (sasl.mechanism)."},
    {.name = "ssl.ca.location", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PATH, PROPERTY_FIELD(settings.tls.ca_location),
     .text = "Whom to trust: a file of certificates (PEM, PKCS#12, DER), or a directory as OpenSSL's "
             "rehash makes it. Without this and ssl.ca.pem: whom the system trusts. Files are read "
             "when the client is opened, and again for new connections when they have changed."},
    {.name = "ssl.ca.pem", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PEM, PROPERTY_FIELD(settings.tls.ca_pem),
     .text = "Whom to trust, as text; together with ssl.ca.location both count."},
    {.name = "ssl.truststore.password", .fallback = "", .roles = FOR_ALL, .secret = true,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.tls.truststore_password),
     .text = "Of ssl.ca.location, where that is PKCS#12."},
    {.name = "ssl.certificate.location", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PATH, PROPERTY_FIELD(settings.tls.certificate_location),
     .text = "This client's certificate, behind it those of its issuers, for brokers that want one."},
    {.name = "ssl.certificate.pem", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PEM, PROPERTY_FIELD(settings.tls.certificate_pem),
     .text = "ssl.certificate.location as text."},
    {.name = "ssl.key.location", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PATH, PROPERTY_FIELD(settings.tls.key_location),
     .text = "The private key of ssl.certificate.location."},
    {.name = "ssl.key.pem", .fallback = "", .roles = FOR_ALL, .secret = true,
     PROPERTY_PEM, PROPERTY_FIELD(settings.tls.key_pem),
     .text = "ssl.key.location as text; the text comes before the file."},
    {.name = "ssl.key.password", .fallback = "", .roles = FOR_ALL, .secret = true,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.tls.key_password),
     .text = "Of the private key, where it is encrypted."},
    {.name = "ssl.keystore.location", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PATH, PROPERTY_FIELD(settings.tls.keystore_location),
     .text = "Certificate, issuers and private key in one file, PKCS#12 or PEM; instead of "
             "ssl.certificate.location and ssl.key.location."},
    {.name = "ssl.keystore.password", .fallback = "", .roles = FOR_ALL, .secret = true,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.tls.keystore_password),
     .text = "Of ssl.keystore.location; while it is not set, ssl.key.password is."},
    {.name = "ssl.crl.location", .fallback = "", .roles = FOR_ALL,
     PROPERTY_PATH, PROPERTY_FIELD(settings.tls.crl_location),
     .text = "A file of revocation lists (PEM or DER). With it a broker is refused whose certificate "
             "was revoked, or of whose issuer there is no list."},
    {.name = "ssl.endpoint.identification.algorithm", .fallback = "https", .roles = FOR_ALL,
     PROPERTY_WORDS(0, "https|none"), PROPERTY_FIELD(settings.tls.verify_no_name),
     .text = "Whether a broker's certificate has to be for the name or address that it was reached "
             "by; with none a broker can pass for another."},
    {.name = "enable.ssl.certificate.verification", .fallback = "true", .roles = FOR_ALL,
     PROPERTY_BOOL, PROPERTY_FIELD(settings.tls.verify),
     .text = "With false any certificate will do, and anybody on the way can read and change "
             "everything."},
    {.name = "ssl.enabled.protocols", .fallback = "TLSv1.2,TLSv1.3", .roles = FOR_ALL,
     PROPERTY_WORD_LIST(SL_TLS_1_2, "TLSv1.2|TLSv1.3"), PROPERTY_FIELD(settings.tls.protocols),
     .text = "The versions of TLS that are spoken; the highest that both sides have is used."},
    {.name = "ssl.cipher.suites", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.tls.cipher_suites),
     .text = "Suites by the names of IANA (Java's) or of OpenSSL, the preferred first. Those of TLS "
             "1.3 limit that version, all others TLS 1.2; empty: OpenSSL's choice."},
    {.name = "ssl.curves.list", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.tls.curves),
     .text = "Groups of the key exchange by OpenSSL's names; empty: OpenSSL's choice."},
    {.name = "ssl.sigalgs.list", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.tls.sigalgs),
     .text = "Signatures that are accepted, by OpenSSL's names; empty: OpenSSL's choice."},
};

static const struct sl_property_alias security_aliases[] = {
    {"ssl.truststore.location", "ssl.ca.location", 1},
    {"ssl.truststore.certificates", "ssl.ca.pem", 1},
    {"ssl.keystore.certificate.chain", "ssl.certificate.pem", 1},
    {"ssl.keystore.key", "ssl.key.pem", 1},
};

static const struct sl_property_word security_words[] = {
    /* Java's way to say none. */
    {"ssl.endpoint.identification.algorithm", "", "none"},
};

/* The longest first where one begins another. */
static const struct sl_property_hint security_hints[] = {
    {"ssl.protocol", "set ssl.enabled.protocols"},
    {"ssl.truststore.type", "what a file is, its content says"},
    {"ssl.keystore.type", "what a file is, its content says"},
    {"ssl.provider", "TLS is OpenSSL's, as the system configures it"},
    {"ssl.engine.", "engines of OpenSSL are not loaded"},
    {"ssl.ca.certificate.stores", "set ssl.ca.location, or leave it out for the system's"},
};
/* clang-format on */

const struct sl_property_section sl_properties_security = {
    PROPERTY_LIST(rows, security_properties),
    PROPERTY_LIST(aliases, security_aliases),
    PROPERTY_LIST(words, security_words),
    PROPERTY_LIST(hints, security_hints),
};
