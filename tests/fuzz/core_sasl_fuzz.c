/* What others say while a client logs in: of a broker SCRAM's two answers and the JSON of a token that is
 * not taken, of a provider of tokens its answer, and a file with one. Nothing of it is believed without
 * the password, nothing makes much work, what is told of it is plain text, and what becomes a token
 * can be sent.
 *
 * Input: a byte that picks first answer, last answer, JSON, a provider's or a file, then the bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/sasl_tokens.h"
#include "core/scram.h"
#include "core/token_answer.h"
#include "sluice/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void require_plain(const char *text) {
    for (; *text != '\0'; text++) require(*text >= ' ' && *text <= '~');
}

/* Whatever is taken as a first answer is within the bounds. */
static void check_first(struct sl_bytes bytes) {
    struct sl_scram scram;
    struct sl_writer out;
    struct sl_text why;
    char buf[200];
    sl_scram_init(&scram, SL_DIGEST_SHA256, "rOprNGfwEbeRWgbNEkqO", sl_alloc_default());
    sl_writer_init(&out, sl_alloc_default());
    sl_text_init(&why, buf, sizeof buf);
    require(sl_scram_first(&scram, "user", false, &out) == 0);
    int rv = sl_scram_on_first(&scram, bytes, &why);
    require(rv == 0 || rv == SLUICE_ERR_AUTH);
    require_plain(buf);
    if (rv == 0) {
        struct sl_scram_keys keys = {0};
        require(scram.iterations >= SL_SCRAM_ITERATIONS_MIN &&
                scram.iterations <= SL_SCRAM_ITERATIONS_MAX);
        require(scram.salt_size >= 8 && scram.salt_size <= sizeof scram.salt);
        out.size = 0;
        require(sl_scram_final(&scram, &keys, &out) == 0);
    } else {
        require(why.size > 0);
    }
    sl_writer_deinit(&out);
    sl_scram_deinit(&scram);
}

/* Nobody guesses the signature under a key that is not theirs. */
static void check_last(struct sl_bytes bytes) {
    struct sl_scram scram;
    struct sl_scram_keys keys = {{1}, {2}};
    struct sl_text why;
    char buf[200];
    sl_scram_init(&scram, SL_DIGEST_SHA512, "rOprNGfwEbeRWgbNEkqO", sl_alloc_default());
    sl_text_init(&why, buf, sizeof buf);
    require(sl_scram_on_final(&scram, &keys, bytes, &why) == SLUICE_ERR_AUTH);
    require_plain(buf);
    sl_scram_deinit(&scram);
}

static void check_json(struct sl_bytes bytes) {
    struct sl_text why;
    char buf[300];
    sl_text_init(&why, buf, sizeof buf);
    sl_sasl_tokens_tell(bytes, &why);
    require(why.size > 0 && why.size < sizeof buf);
    require_plain(buf);
}

static void check_token(struct sl_bytes bytes, bool is_file) {
    struct sl_token_answer out;
    struct sl_text why;
    char buf[300];
    sl_text_init(&why, buf, sizeof buf);
    const struct sl_alloc *alloc = sl_alloc_default();
    int rv = is_file ? sl_token_answer_read_file(bytes, 1700000000000, alloc, &out, &why)
                     : sl_token_answer_read_oidc(bytes, 1700000000000, alloc, &out, &why);
    require(rv == 0 || rv == SLUICE_ERR_AUTH);
    require((out.token != NULL) == (rv == 0) && (why.size > 0) == (rv != 0));
    if (rv == 0) {
        require(sl_sasl_tokens_is_token(out.token) && out.life_ms >= -1);
        require(strlen(out.subject) < sizeof out.subject);
    }
    sl_alloc_free_secret(alloc, out.token);
    require_plain(buf);
    sl_text_init(&why, buf, sizeof buf);
    sl_token_answer_tell(bytes, &why);
    require_plain(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    struct sl_bytes bytes = {data + 1, (int32_t)(size - 1)};
    switch (data[0] % 5) {
    case 0:
        check_first(bytes);
        break;
    case 1:
        check_last(bytes);
        break;
    case 2:
        check_json(bytes);
        break;
    case 3:
        check_token(bytes, false);
        break;
    default:
        check_token(bytes, true);
        break;
    }
    return 0;
}
