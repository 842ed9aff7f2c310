/* PLAIN and OAUTHBEARER: one message says all.
 *
 * A broker that takes a token answers nothing; one that does not answers with a JSON object, which we
 * answer with a single 0x01, as RFC 7628 has it, and only then does the broker fail the exchange. Of
 * the object two members are of interest, texts at the top level. */
#include "core/sasl_tokens.h"

#include <string.h>

#include "base/json.h"

enum { BEARER_END = 1 }; /* what parts the pieces of the message */

static void put_token_text(struct sl_writer *out, const char *text) {
    sl_writer_raw(out, text, strlen(text));
}

void sl_sasl_tokens_plain(struct sl_writer *out, const char *user, const char *password) {
    sl_writer_i8(out, 0); /* whom to act for: oneself */
    put_token_text(out, user);
    sl_writer_i8(out, 0);
    put_token_text(out, password);
}

static size_t size_to_comma(const char *text) {
    size_t size = 0;
    while (text[size] != '\0' && text[size] != ',') size++;
    return size;
}

void sl_sasl_tokens_bearer(struct sl_writer *out, const char *token, const char *principal,
                           const char *extensions) {
    put_token_text(out, "n,");
    if (principal[0] != '\0') put_token_text(out, "a=");
    put_token_text(out, principal);
    put_token_text(out, ",");
    sl_writer_i8(out, BEARER_END);
    put_token_text(out, "auth=Bearer ");
    put_token_text(out, token);
    sl_writer_i8(out, BEARER_END);
    while (*extensions != '\0') {
        size_t size = size_to_comma(extensions);
        sl_writer_raw(out, extensions, size);
        sl_writer_i8(out, BEARER_END);
        extensions += size;
        if (*extensions == ',') extensions++;
    }
    sl_writer_i8(out, BEARER_END);
}

static bool is_token_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool sl_sasl_tokens_is_token(const char *text) {
    size_t size = 0;
    while (is_token_letter(text[size]) || (text[size] >= '0' && text[size] <= '9') ||
           (text[size] != '\0' && strchr("-._~+/", text[size]) != NULL))
        size++;
    if (size == 0) return false;
    while (text[size] == '=') size++;
    return text[size] == '\0';
}

bool sl_sasl_tokens_is_principal(const char *text) {
    for (; *text != '\0'; text++)
        if (*text == ',' || *text == '=' || (*text >= '\0' && *text < ' ')) return false;
    return true;
}

const char *sl_sasl_tokens_check_extensions(const char *text) {
    while (*text != '\0') {
        size_t name = 0;
        while (is_token_letter(text[name])) name++;
        if (name == 0 || text[name] != '=')
            return "an extension is name=value, the name of letters";
        if (name == 4 && memcmp(text, "auth", 4) == 0) return "auth is the token's own name";
        size_t size = size_to_comma(text);
        if (size == name + 1) return "an extension has no value";
        for (size_t i = name + 1; i < size; i++) {
            bool is_blank = text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r' &&
                                               text[i] != '\v' && text[i] != '\f');
            if (!is_blank && (text[i] < '!' || text[i] > '~'))
                return "the value of an extension has to be of plain characters";
        }
        text += size;
        if (*text == ',' && *++text == '\0') return "the list of extensions ends with a comma";
    }
    return NULL;
}

/* ---- the object that says why not ---- */

void sl_sasl_tokens_tell(struct sl_bytes answer, struct sl_text *why) {
    enum { MEMBER_MAX = 80 };
    struct sl_json json;
    struct sl_json_member m;
    struct sl_str status = {0}, scope = {0};
    sl_json_init(&json, answer.data, answer.size > 0 ? (size_t)answer.size : 0);
    while (sl_json_next(&json, &m)) {
        if (m.kind != SL_JSON_TEXT) continue;
        if (status.data == NULL && sl_bytes_str_equal(m.name, SL_STR("status"))) status = m.value;
        if (scope.data == NULL && sl_bytes_str_equal(m.name, SL_STR("scope"))) scope = m.value;
    }
    if (status.data != NULL) {
        sl_text_put(why, "the token is not taken: ");
        sl_json_tell(why, status, MEMBER_MAX);
    } else {
        sl_text_put(why, "the token is not taken, and the broker gave no reason");
    }
    if (scope.data == NULL) return;
    sl_text_put(why, ", scope ");
    sl_json_tell(why, scope, MEMBER_MAX);
}
