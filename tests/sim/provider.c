/* Tokens for the simulated world; see provider.h. */
#include "sim/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "driver/host_table.h"
#include "sluice/error.h"

void provider_make_token(const struct world *w, const char *user, int64_t seconds,
                         char out[PROVIDER_TOKEN]) {
    char body[200];
    struct sl_writer text;
    int64_t now = world_wall_ms(w) / 1000;
    snprintf(body, sizeof body, "{\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"%lld\"}", user,
             (long long)now, (long long)(now + seconds), (long long)world_wall_ms(w));
    sl_writer_init(&text, sl_alloc_default());
    sl_base64_encode(&text, body, strlen(body));
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '+') text.data[i] = '-';
        if (text.data[i] == '/') text.data[i] = '_';
    }
    while (text.size > 0 && text.data[text.size - 1] == '=') text.size--;
    snprintf(out, PROVIDER_TOKEN, "eyJhbGciOiJub25lIn0.%.*s.", (int)text.size,
             (const char *)text.data);
    sl_writer_deinit(&text);
}

static void make_next_token(struct world *w, struct provider *p) {
    if (p->mood == PROVIDER_FORGES)
        snprintf(p->last, sizeof p->last, "forged.token.%lld", (long long)p->asked);
    else if (p->life_s == 0)
        snprintf(p->last, sizeof p->last, "opaque-%lld", (long long)p->asked);
    else if (p->mood != PROVIDER_SLEEPS || p->last[0] == '\0')
        provider_make_token(w, p->user, p->life_s, p->last);
}

static void put_answer(struct sl_host_answer *answer, const char *text) {
    size_t size = strlen(text);
    uint8_t *copy = malloc(size + 1);
    if (copy == NULL) abort();
    memcpy(copy, text, size + 1);
    answer->bytes = (struct sl_bytes){copy, (int32_t)size};
}

static void give_token(struct world *w, struct provider *p, bool is_file,
                       struct sl_host_answer *answer) {
    char text[PROVIDER_TOKEN + 100];
    make_next_token(w, p);
    p->given++;
    if (is_file)
        snprintf(text, sizeof text, "%s\n", p->last);
    else if (p->life_s > 0 && p->mood != PROVIDER_SLEEPS)
        snprintf(text, sizeof text, "{\"access_token\":\"%s\",\"expires_in\":%lld}", p->last,
                 (long long)p->life_s);
    else
        snprintf(text, sizeof text, "{\"access_token\":\"%s\"}", p->last);
    put_answer(answer, text);
}

static void refuse(bool is_file, struct sl_host_answer *answer) {
    answer->rv = SLUICE_ERR_AUTH;
    snprintf(answer->text, sizeof answer->text, "%s",
             is_file ? "No such file or directory" : "HTTP status 401");
    if (!is_file) put_answer(answer, "{\"error\":\"invalid_client\"}");
}

static int64_t serve_errand(struct world *w, const struct sl_host_errand *errand,
                            struct sl_host_answer *answer) {
    struct provider *p = w->errand_user;
    bool is_file = errand->settings->token.source == SL_TOKEN_FILE;
    p->asked++;
    if (p->changes > 0 && sl_rng_chance(&w->rng, (uint32_t)p->changes, 100))
        p->mood = (enum provider_mood)sl_rng_below(&w->rng, PROVIDER_MOODS);
    switch (p->mood) {
    case PROVIDER_DOWN:
        answer->rv = SLUICE_ERR_UNREACHABLE;
        snprintf(answer->text, sizeof answer->text, "connection refused");
        break;
    case PROVIDER_REFUSES:
        refuse(is_file, answer);
        break;
    case PROVIDER_SILENT:
        return WORLD_NEVER;
    case PROVIDER_NONSENSE:
        put_answer(answer, "<html>\001 no {token}");
        break;
    case PROVIDER_FINE:
    case PROVIDER_FORGES:
    case PROVIDER_SLEEPS:
    case PROVIDER_MOODS:
        give_token(w, p, is_file, answer);
        break;
    }
    return p->delay;
}

void provider_set(struct world *w, struct provider *p) {
    w->on_errand = p != NULL ? serve_errand : NULL;
    w->errand_user = p;
}
