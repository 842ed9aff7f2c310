/* What went wrong with TLS, in words: which certificate, and why; or what the peer said or did
 * instead of a handshake.
 *
 * Texts of the peer (subjects, names, its first bytes) are shown escaped and cut.
 *
 * Not here: deciding. OpenSSL does that; the one exception is a missing revocation list of an
 * issuer, which is let pass (tls_load.c). */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "driver/tls_inside.h"
#include "sluice/error.h"

enum { TLS_NAMES_MAX = 3 /* of a certificate, told when none of them is right */ };

/* ---- pieces ---- */

/* Bytes of the peer's: printable ones as they are. */
static void put_safe(struct sl_text *out, const void *data, size_t size, size_t most) {
    const uint8_t *at = data;
    for (size_t i = 0; i < size && i < most; i++) {
        char one[2] = {(char)(at[i] >= 32 && at[i] < 127 && at[i] != '"' ? at[i] : '?'), '\0'};
        sl_text_put(out, one);
    }
    if (size > most) sl_text_put(out, "...");
}

static void put_name(struct sl_text *out, const X509_NAME *name) {
    char *data = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return;
    (void)X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
    long size = BIO_get_mem_data(bio, &data);
    sl_text_put(out, "\"");
    if (size > 0) put_safe(out, data, (size_t)size, 80);
    sl_text_put(out, "\"");
    BIO_free(bio);
}

static void put_time(struct sl_text *out, const ASN1_TIME *when) {
    struct tm t;
    if (when == NULL || ASN1_TIME_to_tm(when, &t) != 1) {
        sl_text_put(out, "an unreadable time");
        return;
    }
    sl_text_printf(out, "%04d-%02d-%02d %02d:%02d:%02d UTC", t.tm_year + 1900, t.tm_mon + 1,
                   t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
}

static void put_ip(struct sl_text *out, const ASN1_OCTET_STRING *address) {
    const uint8_t *ip = ASN1_STRING_get0_data(address);
    int size = ASN1_STRING_length(address);
    if (size == 4) {
        sl_text_printf(out, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
        return;
    }
    for (int i = 0; i + 1 < size && size == 16; i += 2)
        sl_text_printf(out, "%s%x", i > 0 ? ":" : "", (unsigned)(ip[i] << 8 | ip[i + 1]));
}

/* Whom the certificate is for. */
static void put_names(struct sl_text *out, X509 *cert) {
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int shown = 0, all = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
        if (++all > TLS_NAMES_MAX) continue;
        sl_text_put(out, shown++ > 0 ? ", " : "");
        if (name->type == GEN_IPADD)
            put_ip(out, name->d.iPAddress);
        else
            put_safe(out, ASN1_STRING_get0_data(name->d.dNSName),
                     (size_t)ASN1_STRING_length(name->d.dNSName), 60);
    }
    if (all > TLS_NAMES_MAX) sl_text_printf(out, " and %d more", all - TLS_NAMES_MAX);
    if (all == 0)
        sl_text_put(out, "nobody (it has no subject alternative name; a CN is not enough)");
    GENERAL_NAMES_free(names);
}

static void put_key(struct sl_text *out, X509 *cert) {
    EVP_PKEY *key = X509_get0_pubkey(cert);
    if (key == NULL) return;
    sl_text_printf(out, " (%s, %d bits)", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
}

/* ---- certificates ---- */

/* What is wrong with a certificate, where a sentence of ours says more than OpenSSL's. */
static const char *explain_certificate(int error) {
    switch (error) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "it is self-signed, and not among the trusted ones (ssl.ca.location)";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "this root is not among the trusted ones (ssl.ca.location)";
    case X509_V_ERR_CERT_REVOKED:
        return "it was revoked";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return "ssl.crl.location has no revocation list of its issuer";
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return "the revocation list of its issuer has expired";
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return "the revocation list of its issuer is not valid yet";
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return "it is signed with a digest that is too weak";
    case X509_V_ERR_INVALID_CA:
        return "it is not that of a certificate authority, and may issue none";
    case X509_V_ERR_INVALID_PURPOSE:
        return "its extended key usage does not allow this use";
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        return "the chain below it is longer than it allows";
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
        return "name constraints of an issuer do not allow its names";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "its signature is wrong";
    default:
        return X509_verify_cert_error_string(error);
    }
}

static void put_fault(struct sl_text *out, const struct sl_tls_conn *conn, int error, X509 *cert) {
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        sl_text_put(out, "it has expired, at ");
        put_time(out, X509_get0_notAfter(cert));
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        sl_text_put(out, "it is not valid before ");
        put_time(out, X509_get0_notBefore(cert));
        return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        sl_text_put(out, "it is for ");
        put_names(out, cert);
        sl_text_printf(out, ", not for %.100s", conn->host == NULL ? "" : conn->host);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        sl_text_put(out, "its issuer ");
        put_name(out, X509_get_issuer_name(cert));
        sl_text_put(out, " is unknown: neither among the trusted ones (ssl.ca.location) nor sent");
        return;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        sl_text_put(out, "its key is too weak");
        put_key(out, cert);
        return;
    default:
        sl_text_put(out, explain_certificate(error));
        return;
    }
}

int sl_tls_verdict_on_certificate(int ok, X509_STORE_CTX *store) {
    int error = X509_STORE_CTX_get_error(store);
    int depth = X509_STORE_CTX_get_error_depth(store);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct sl_tls_conn *conn = ssl == NULL ? NULL : SSL_get_app_data(ssl);
    if (ok == 1 || conn == NULL) return ok;
    if (error == X509_V_ERR_UNABLE_TO_GET_CRL && depth > 0) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    struct sl_text out;
    sl_text_init(&out, conn->verdict, sizeof conn->verdict);
    sl_text_printf(&out, "the %s certificate ", depth == 0 ? "peer's" : "issuing");
    if (cert != NULL) put_name(&out, X509_get_subject_name(cert));
    sl_text_put(&out, " is refused: ");
    if (cert == NULL)
        sl_text_put(&out, X509_verify_cert_error_string(error));
    else
        put_fault(&out, conn, error, cert);
    return 0;
}

/* ---- the peer's alerts ---- */

/* What the peer's alert means here. NULL: nothing in particular. */
static const char *explain_alert(int alert) {
    switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
        return "it found no cipher, curve or kind of certificate in common";
    case SSL_AD_PROTOCOL_VERSION:
        return "no version in common (ssl.enabled.protocols)";
    case SSL_AD_INSUFFICIENT_SECURITY:
        return "it wants stronger ciphers (ssl.cipher.suites)";
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
        return "it refuses our certificate";
    case SSL_AD_CERTIFICATE_REVOKED:
        return "it says that our certificate was revoked";
    case SSL_AD_CERTIFICATE_EXPIRED:
        return "it says that our certificate has expired";
    case SSL_AD_UNKNOWN_CA:
        return "it does not know the issuer of our certificate";
    case SSL_AD_ACCESS_DENIED:
        return "it denies access to our certificate";
    case SSL_AD_UNRECOGNIZED_NAME:
        return "it is not responsible for the name that we asked for";
    default:
        return NULL;
    }
}

static bool is_demand(const struct sl_tls_conn *conn, int alert) {
    bool has_none = conn->is_asked && SSL_get_certificate(conn->ssl) == NULL;
    return alert == SSL_AD_CERTIFICATE_REQUIRED ||
           (has_none && (alert == SSL_AD_HANDSHAKE_FAILURE || alert == SSL_AD_BAD_CERTIFICATE));
}

static const char demand_text[] =
    "the peer demands a client certificate, and there is none (ssl.certificate.location or "
    "ssl.keystore.location)";

/* The alert behind an error of OpenSSL's; -1: it is none. */
static int alert_of(unsigned long error) {
    int reason = ERR_GET_REASON(error);
    if (ERR_GET_LIB(error) != ERR_LIB_SSL || reason < SSL_AD_REASON_OFFSET) return -1;
    return reason - SSL_AD_REASON_OFFSET;
}

static void tell_error(struct sl_tls_conn *conn, unsigned long error, struct sl_text *out) {
    int alert = alert_of(error);
    const char *text = ERR_reason_error_string(error);
    if (alert >= 0 && is_demand(conn, alert)) {
        sl_text_put(out, demand_text);
        return;
    }
    if (alert >= 0) {
        const char *meaning = explain_alert(alert);
        sl_text_put(out, "the peer ended TLS");
        if (meaning != NULL) sl_text_printf(out, ": %s", meaning);
        sl_text_printf(out, " (alert %d, %s)", alert, SSL_alert_desc_string_long(alert));
        return;
    }
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) {
        conn->code = SLUICE_ERR_NOMEM;
        sl_text_put(out, "no memory for TLS");
        return;
    }
    sl_text_printf(out, conn->is_open ? "TLS failed: %s" : "the TLS handshake failed: %s",
                   text == NULL ? "no reason is known" : text);
}

/* ---- all ---- */

/* A record of TLS begins with its kind, a version of 3.x, and not with letters. */
static bool is_plain_text(const struct sl_tls_conn *conn) {
    if (conn->is_open || conn->first_size == 0) return false;
    if (conn->first[0] < SSL3_RT_CHANGE_CIPHER_SPEC || conn->first[0] > SSL3_RT_APPLICATION_DATA)
        return true;
    return conn->first_size > 1 && conn->first[1] != SSL3_VERSION_MAJOR;
}

void sl_tls_verdict_tell(struct sl_tls_conn *conn, int ssl_error, struct sl_text *out) {
    unsigned long error = ERR_peek_error();
    conn->code = SLUICE_ERR_TLS;
    if (conn->verdict[0] != '\0') {
        sl_text_put(out, conn->verdict);
    } else if (is_plain_text(conn)) {
        sl_text_put(out, "the peer does not speak TLS: it sent \"");
        put_safe(out, conn->first, conn->first_size, sizeof conn->first);
        sl_text_put(out, "\"; check the port and security.protocol");
    } else if (ssl_error == SSL_ERROR_SSL && error != 0 &&
               (!conn->is_closed || alert_of(error) >= 0)) {
        tell_error(conn, error, out);
    } else if (conn->is_broken) {
        if (conn->is_open) conn->code = SLUICE_ERR_UNREACHABLE;
        sl_text_printf(out, "%s%s", conn->io_text,
                       conn->is_open ? "" : " during the TLS handshake");
    } else if (conn->is_open) {
        sl_text_put(out,
                    "the peer closed the connection after it had asked for a client certificate "
                    "and got none (ssl.certificate.location or ssl.keystore.location)");
    } else {
        sl_text_put(out,
                    "the peer closed the connection during the TLS handshake (is the port meant "
                    "for another security.protocol?)");
    }
}
