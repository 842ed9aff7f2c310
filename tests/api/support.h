/* What the tests of the public API share: cmocka with the headers it wants, and the public header,
 * which is all that an application sees. */
#ifndef SLUICE_API_SUPPORT_H
#define SLUICE_API_SUPPORT_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/sluice.h>

/* Asserts that a call went well, and says in words what went wrong. */
#define MUST(client, call) check_code((client), (call), #call, __LINE__)

static inline void check_code(const sluice_client *client, int rv, const char *call, int line) {
    char text[512];
    if (rv == 0) return;
    sluice_client_explain(client, rv, text, sizeof text);
    fail_msg("line %d: %s: %s (%s)", line, call, sluice_error_name(rv), text);
}

/* Asserts that the text has the words in it. */
static inline void check_says(const char *text, const char *words) {
    if (strstr(text, words) == NULL) fail_msg("\"%s\" does not say \"%s\"", text, words);
}

/* A client of the role on the test broker, with the settings {name, value, …, NULL} or NULL. */
static inline sluice_client *open_client(const sluice_testbroker *tb, int32_t role,
                                         sluice_runtime *runtime, const char *const *settings) {
    sluice_client *client = NULL;
    sluice_config *config = sluice_config_create();
    sluice_config_set(config, "bootstrap.servers", sluice_testbroker_bootstrap(tb));
    for (; settings != NULL && settings[0] != NULL; settings += 2)
        sluice_config_set(config, settings[0], settings[1]);
    int rv = sluice_client_open(config, role, runtime, &client);
    if (rv != 0) fail_msg("open: %s", sluice_config_message(config));
    sluice_config_free(config);
    return client;
}

#endif
