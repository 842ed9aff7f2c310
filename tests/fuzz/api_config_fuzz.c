/* Settings as an operator writes them: a .properties file, and whatever stands in it as a value. It is
 * either taken or refused in words; what is in effect can be printed; and no password is in anything
 * that is shown.
 *
 * Input: a byte that picks the role, then the file. What is beyond INPUT_MAX is left out: one more
 * entry is like the others, and a name that nobody knows costs the most of all. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/config.h"
#include "sluice/config.h"
#include "sluice/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SHOWN_MAX = 64 * 1024, INPUT_MAX = 256 };
/* A password that follows from the input, so that no input has it in itself. */
static char canary[17];
static const char *const secrets[] = {"sasl.password", "ssl.key.password", "ssl.keystore.password",
                                      "sasl.oauthbearer.token"};
static char shown[SHOWN_MAX];

static void require(bool condition) {
    if (!condition) abort();
}

/* Text for people: without bytes that would move a terminal's cursor about. */
static void require_shown(const char *text) {
    require(strstr(text, canary) == NULL);
    for (; *text != '\0'; text++) require((uint8_t)*text >= ' ' || *text == '\n');
}

static void make_canary(const uint8_t *data, size_t size) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ data[i]) * 0x100000001b3u;
    for (size_t i = 0; i < sizeof canary - 1; i++, hash >>= 4)
        canary[i] = "KLMNOPQRSTUVWXYZ"[hash & 15];
}

static void check_role(sluice_config *config, int32_t role) {
    int rv = sluice_config_check(config, role);
    require(rv == 0 || rv == SLUICE_ERR_CONFIG);
    require((rv == 0) == (sluice_config_message(config)[0] == '\0'));
    require_shown(sluice_config_message(config));
    require(sluice_config_text(config, role, shown, sizeof shown) > 0);
    require_shown(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    if (size > INPUT_MAX) size = INPUT_MAX;
    sluice_config *config = sluice_config_create();
    char *text = malloc(size);
    require(config != NULL && text != NULL);
    make_canary(data, size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    int rv = sl_config_load_text(config, text, "file");
    require(rv == 0 || rv == SLUICE_ERR_CONFIG);
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        (void)sluice_config_set(config, secrets[i], canary);
    check_role(config, SLUICE_PRODUCER + data[0] % 3);
    free(text);
    sluice_config_free(config);
    return 0;
}
