/* Goal: what Kerberos says is told with what to do about it, and no KDC is no refusal.
 * Method: texts of MIT's library as they come, in the wrappings that GSSAPI and cyrus-sasl put around them. */
#include "support.h"

#include "driver/gssapi_words.h"
#include "sluice/error.h"

#define WRAPPED(reason)                                                                          \
    "SASL(-1): generic failure: GSSAPI Error: Unspecified GSS failure.  Minor code may provide " \
    "more information (" reason ")"

static void expect(const char *text, bool by_keytab, int rv, const char *words) {
    char buf[512];
    struct sl_text why;
    sl_text_init(&why, buf, sizeof buf);
    assert_int_equal(sl_gssapi_words_tell(text, by_keytab, &why), rv);
    assert_string_equal(buf, words);
}

static void reasons_are_found_and_explained(void **state) {
    (void)state;
    expect(WRAPPED("Ticket expired"), false, SLUICE_ERR_AUTH,
           "Ticket expired (run kinit, or set sasl.kerberos.keytab)");
    expect("SASL(-1): generic failure: GSSAPI Error: The referenced context has expired (Success)",
           false, SLUICE_ERR_AUTH,
           "The referenced context has expired (run kinit, or set sasl.kerberos.keytab)");
    expect(WRAPPED("No Kerberos credentials available (default cache: FILE:/tmp/krb5cc_0)"), false,
           SLUICE_ERR_AUTH,
           "No Kerberos credentials available (default cache: FILE:/tmp/krb5cc_0) (run kinit, or "
           "set sasl.kerberos.keytab)");
    expect(WRAPPED("Server kafka/a.example@R not found in Kerberos database"), true,
           SLUICE_ERR_AUTH,
           "Server kafka/a.example@R not found in Kerberos database (the KDC does not know this "
           "service: check sasl.kerberos.service.name, and the name that the broker is reached "
           "by)");
    expect("Client 'bob@R' not found in Kerberos database", true, SLUICE_ERR_AUTH,
           "Client 'bob@R' not found in Kerberos database (the KDC does not know this user: check "
           "sasl.kerberos.principal)");
    expect(WRAPPED("Clock skew too great"), false, SLUICE_ERR_AUTH,
           "Clock skew too great (the clocks of this machine, the KDC and the broker have to "
           "agree)");
}

static void a_keytab_needs_other_advice(void **state) {
    static const char advice[] =
        " (sasl.kerberos.keytab has no key of sasl.kerberos.principal, or the KDC has another)";
    static const char *const texts[] = {
        "No credentials cache found",
        "Can't find client principal bob in cache collection",
        "Preauthentication failed",
        "Decrypt integrity check failed",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char want[256];
        snprintf(want, sizeof want, "%s%s", texts[i], advice);
        expect(texts[i], true, SLUICE_ERR_AUTH, want);
    }
}

static void no_kdc_is_no_refusal(void **state) {
    (void)state;
    expect(WRAPPED("Cannot contact any KDC for realm 'R'"), true, SLUICE_ERR_UNREACHABLE,
           "Cannot contact any KDC for realm 'R' (is it up, and is it the one in krb5.conf?)");
    expect("Cannot find KDC for realm \"R\"", false, SLUICE_ERR_UNREACHABLE,
           "Cannot find KDC for realm \"R\" (krb5.conf has to name one)");
}

static void what_is_not_known_is_told_as_it_is(void **state) {
    (void)state;
    expect("", false, SLUICE_ERR_AUTH, "");
    expect(")", false, SLUICE_ERR_AUTH, ")");
    expect("(", false, SLUICE_ERR_AUTH, "(");
    expect("a (b (c) d)", false, SLUICE_ERR_AUTH, "a (b (c) d)");
    expect("GSSAPI Error: a (b (c) d)", false, SLUICE_ERR_AUTH, "b (c) d");
    expect("GSSAPI Error: a)", false, SLUICE_ERR_AUTH, "a)");
    expect("GSSAPI Error: ", false, SLUICE_ERR_AUTH, "");
    expect("etwas anderes", true, SLUICE_ERR_AUTH, "etwas anderes");
    expect("\x1b[31mred\n", false, SLUICE_ERR_AUTH, "?[31mred?");
    expect("GSSAPI Error: (Success)", false, SLUICE_ERR_AUTH, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_are_found_and_explained),
        cmocka_unit_test(a_keytab_needs_other_advice),
        cmocka_unit_test(no_kdc_is_no_refusal),
        cmocka_unit_test(what_is_not_known_is_told_as_it_is),
    };
    return cmocka_run_group_tests_name("driver_gssapi_words", tests, NULL, NULL);
}
