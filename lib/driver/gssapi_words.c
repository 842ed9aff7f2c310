/* Kerberos fails in words of its own, wrapped by GSSAPI and once more by cyrus-sasl:
 *
 *   SASL(-1): generic failure: GSSAPI Error: Unspecified GSS failure.  Minor code may provide more
 *   information (Ticket expired)
 *
 * What is in the last brackets is the reason; a text without these wrappings is one itself. Cyrus has no code for it, only this text, so advice is found
 * by phrases of MIT's library. In another language, or of another library, it stays without advice. */
#include "driver/gssapi_words.h"

#include <string.h>

#include "sluice/error.h"

struct gssapi_phrase {
    const char *phrase;
    const char *advice;
};

static const char no_ticket[] = "run kinit, or set sasl.kerberos.keytab";
static const char no_key[] =
    "sasl.kerberos.keytab has no key of sasl.kerberos.principal, or the KDC has another";

/* In what library calls fail when there is no ticket to begin with. */
static const struct gssapi_phrase gssapi_absences[] = {
    {"No Kerberos credentials available", no_ticket},
    {"No credentials cache found", no_ticket},
    {"Can't find client principal", no_ticket},
    {"icket expired", no_ticket},
    {"have expired", no_ticket},
    {"has expired", no_ticket},
};
static const struct gssapi_phrase gssapi_refusals[] = {
    {"Clock skew too great", "the clocks of this machine, the KDC and the broker have to agree"},
    {"Server ",
     "the KDC does not know this service: check sasl.kerberos.service.name, and the name "
     "that the broker is reached by"},
    {"Client ", "the KDC does not know this user: check sasl.kerberos.principal"},
    {"Decrypt integrity check failed", no_key},
    {"Preauthentication failed", no_key},
    {"Password incorrect", no_key},
};
static const struct gssapi_phrase gssapi_silences[] = {
    {"Cannot contact any KDC", "is it up, and is it the one in krb5.conf?"},
    {"Cannot find KDC", "krb5.conf has to name one"},
    {"Cannot resolve network address", "is the name in krb5.conf right?"},
};

/* NULL: the text has none of them. */
static const char *find_advice(const char *text, const struct gssapi_phrase *phrases,
                               size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strstr(text, phrases[i].phrase) != NULL) return phrases[i].advice;
    return NULL;
}

/* The innermost reason: what the bracket that closes the text has in it, or, where that is "Success",
 * what is before it. */
static const char *find_reason(const char *text, size_t *size) {
    static const char before[] = "GSSAPI Error: ", nothing[] = "(Success)";
    const char *start = strstr(text, before);
    int depth = 0;
    if (start != NULL) text = start + sizeof before - 1;
    *size = strlen(text);
    if (start == NULL || text[*size - 1] != ')') return text;
    for (size_t at = *size; at > 0; at--) {
        if (text[at - 1] == ')') depth++;
        if (text[at - 1] != '(' || --depth > 0) continue;
        bool is_empty = strcmp(text + at - 1, nothing) == 0;
        *size = is_empty ? at - 1 : *size - at - 1;
        while (is_empty && *size > 0 && text[*size - 1] == ' ') --*size;
        return is_empty ? text : text + at;
    }
    return text;
}

int sl_gssapi_words_tell(const char *text, bool by_keytab, struct sl_text *why) {
    enum { ABSENCES = sizeof gssapi_absences / sizeof gssapi_absences[0] };
    enum { REFUSALS = sizeof gssapi_refusals / sizeof gssapi_refusals[0] };
    enum { SILENCES = sizeof gssapi_silences / sizeof gssapi_silences[0] };
    size_t size;
    const char *reason = find_reason(text, &size);
    for (size_t i = 0; i < size; i++) { /* names in it may be a peer's */
        char c = reason[i] < ' ' || reason[i] > '~' ? '?' : reason[i];
        sl_text_put_len(why, &c, 1);
    }
    const char *silence = find_advice(reason, gssapi_silences, SILENCES);
    const char *advice = silence;
    if (advice == NULL) advice = find_advice(reason, gssapi_refusals, REFUSALS);
    if (advice == NULL) {
        advice = find_advice(reason, gssapi_absences, ABSENCES);
        if (advice != NULL && by_keytab) advice = no_key;
    }
    if (advice != NULL) sl_text_printf(why, " (%s)", advice);
    return silence != NULL ? SLUICE_ERR_UNREACHABLE : SLUICE_ERR_AUTH;
}
