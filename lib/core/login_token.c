/* When tokens are fetched, and what becomes of each.
 *
 *   nothing ── asked ──▶ fetching ── a token ──▶ resting ── at 80 % of its lifetime ──▶ fetching
 *                          │  ▲
 *                   failed ▼  │ after sasl.login.retry.backoff.ms, doubled up to .max.ms
 *                        waiting
 *
 * A fetch is an errand (errand.h): what it talks to may be slow, silent or gone, and no client waits
 * for it. One is out at a time; one that has not come back long after its own deadlines counts as
 * failed and is sent anew. While a token that is still good is there, a failure is a warning; when there is
 * none, the application hears of it once, and calls that wait for a broker end at once when the
 * source has refused.
 *
 * A file that has not changed is no new token, and is looked at again within a minute. A token of
 * somebody else ("sub") makes connections anew, as a session keeps its user (KIP-368). A source whose
 * tokens brokers do not take is asked again at growing intervals, not as fast as it answers.
 *
 * Not here: what an answer looks like (token_answer.c), files and HTTP (a host's). */
#include "core/login_token.h"

#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"

enum {
    TOKEN_LOOK_LEAST_MS = 1000,     /* however short a lifetime is */
    TOKEN_LOOK_MOST_MS = 60 * 1000, /* at a file without an end, and at one that has not changed */
    TOKEN_GRACE_MS = 10 * 1000      /* beyond the deadlines that a fetch has itself */
};

bool sl_login_token_is_fetched(const struct sl_core *core) {
    return core->settings->sasl_mechanism == SL_SASL_OAUTHBEARER &&
           core->settings->token.source != SL_TOKEN_ASKED;
}

static const char *token_source_name(const struct sl_core *core) {
    const struct sl_token_settings *settings = &core->settings->token;
    return settings->source == SL_TOKEN_FILE ? settings->file : settings->url;
}

static int64_t token_backoff(struct sl_core *core, uint32_t count) {
    const struct sl_token_settings *settings = &core->settings->token;
    return sl_core_backoff(core, settings->backoff_ms, settings->backoff_max_ms, count);
}

/* ---- a token is there ---- */

static int64_t clamp_look(int64_t ms) {
    if (ms < TOKEN_LOOK_LEAST_MS) return TOKEN_LOOK_LEAST_MS;
    return ms > TOKEN_LOOK_MOST_MS ? TOKEN_LOOK_MOST_MS : ms;
}

/* is_same: the source had nothing new. */
static void plan_next_fetch(struct sl_core *core, int64_t life_ms, bool is_same) {
    struct sl_login *login = &core->login;
    int64_t wait_ms = life_ms / 5 * 4;
    login->until = login->ask_at = SL_NEVER;
    if (life_ms >= 0) {
        if (is_same) wait_ms = clamp_look(life_ms / 5);
        if (wait_ms < TOKEN_LOOK_LEAST_MS) wait_ms = TOKEN_LOOK_LEAST_MS;
        login->until = core->now + life_ms * SL_MS;
        login->ask_at = core->now + wait_ms * SL_MS;
    } else if (core->settings->token.source == SL_TOKEN_FILE) {
        login->ask_at = core->now + TOKEN_LOOK_MOST_MS * SL_MS;
    }
    /* Whether a new one is taken will be seen; fetched again before, no broker would get to it. */
    if (!is_same || !login->is_refused) return;
    int64_t soon = core->now + token_backoff(core, login->token.refusals);
    if (soon < login->ask_at) login->ask_at = soon;
}

/* Takes the token of the answer. 0 or NOMEM. */
static int put_fetched_token(struct sl_core *core, struct sl_token_answer *answer) {
    struct sl_login *login = &core->login;
    bool was_there = login->secret != NULL, was_refused = login->is_refused;
    bool is_other = strcmp(login->token.subject, answer->subject) != 0;
    char *user = sl_alloc_text(core->alloc, "", 0);
    if (user == NULL) return SLUICE_ERR_NOMEM;
    sl_login_put(core, user, answer->token);
    answer->token = NULL;
    memcpy(login->token.subject, answer->subject, sizeof answer->subject);
    if (was_there && is_other) login->identity++;
    /* The application has heard it; the next one may be refused just so. */
    login->is_refused = was_refused && login->token.refusals > 0;
    sl_brokers_forgive(core);
    return 0;
}

static int take_fetched_token(struct sl_core *core, struct sl_token_answer *answer) {
    struct sl_login *login = &core->login;
    int64_t life_ms = answer->life_ms;
    bool is_same = login->secret != NULL && strcmp(login->secret, answer->token) == 0;
    if (life_ms > INT32_MAX) life_ms = INT32_MAX; /* asked for after 20 days at the latest */
    if (!is_same) {
        int rv = put_fetched_token(core, answer);
        if (rv != 0) return rv;
    }
    if (login->token.is_told || login->token.failures > 0)
        sl_core_log(core, SL_LOG_INFO, "%s: there is a token again", token_source_name(core));
    login->token.failures = 0;
    login->token.is_told = false;
    login->token.story[0] = '\0';
    plan_next_fetch(core, life_ms, is_same);
    sl_core_log(core, SL_LOG_DEBUG, "%s: %s", token_source_name(core),
                is_same ? "the token is the same as before" : "a new token");
    return 0;
}

/* ---- there is none ---- */

static void fail_fetch(struct sl_core *core, int rv, const char *why) {
    struct sl_login *login = &core->login;
    struct sl_login_token *token = &login->token;
    struct sl_text story;
    bool is_there = sl_login_is_there(core);
    bool is_verdict = rv == SLUICE_ERR_AUTH || rv == SLUICE_ERR_UNSUPPORTED;
    sl_text_init(&story, token->story, sizeof token->story);
    sl_text_printf(&story, "%s: %s", token_source_name(core), why);
    login->ask_at = core->now + token_backoff(core, token->failures++);
    if (is_there) {
        if (token->failures == 1)
            sl_core_log(core, SL_LOG_WARNING, "the token is not renewed yet: %s", token->story);
        return;
    }
    if (!token->is_told)
        sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_ERROR,
                       is_verdict ? SLUICE_ERR_AUTH : SLUICE_ERR_UNREACHABLE, -1,
                       "there is no token: %s", token->story);
    token->is_told = true;
    login->is_refused = is_verdict;
    if (is_verdict) sl_metadata_on_refused(core);
}

/* ---- fetching ---- */

static int read_fetched(struct sl_core *core, const struct sl_errand_answer *answer,
                        struct sl_token_answer *out, struct sl_text *why) {
    int rv = answer->rv;
    if (rv != 0) {
        sl_text_put(why, answer->text);
        struct sl_text words;
        char buf[200];
        sl_text_init(&words, buf, sizeof buf);
        sl_token_answer_tell(answer->bytes, &words);
        if (words.size > 0) sl_text_printf(why, ", %s", buf);
        return rv;
    }
    if (core->settings->token.source == SL_TOKEN_FILE)
        rv = sl_token_answer_read_file(answer->bytes, core->wall_ms, core->alloc, out, why);
    else
        rv = sl_token_answer_read_oidc(answer->bytes, core->wall_ms, core->alloc, out, why);
    if (rv != 0 || out->life_ms != 0) return rv;
    sl_text_put(why, "the token has expired already");
    return SLUICE_ERR_AUTH;
}

static void on_fetched(struct sl_core *core, struct sl_errand *errand,
                       const struct sl_errand_answer *answer) {
    struct sl_token_answer token = {0};
    struct sl_text why;
    char buf[200];
    (void)errand;
    core->login.token.late_at = SL_NEVER;
    sl_text_init(&why, buf, sizeof buf);
    int rv = read_fetched(core, answer, &token, &why);
    if (rv == 0) {
        rv = take_fetched_token(core, &token);
        if (rv != 0) sl_text_put(&why, "no memory for a token");
    }
    if (rv != 0) fail_fetch(core, rv, buf);
    sl_alloc_free_secret(core->alloc, token.token);
}

void sl_login_token_fetch(struct sl_core *core) {
    const struct sl_token_settings *settings = &core->settings->token;
    struct sl_login_token *token = &core->login.token;
    if (sl_errand_is_out(&token->errand)) return;
    token->errand.kind = SL_ERRAND_TOKEN;
    token->errand.on_answer = on_fetched;
    token->late_at = core->now + ((int64_t)settings->connect_timeout_ms +
                                  settings->read_timeout_ms + TOKEN_GRACE_MS) *
                                     SL_MS;
    sl_errand_send(core, &token->errand);
}

void sl_login_token_run(struct sl_core *core) {
    struct sl_login_token *token = &core->login.token;
    if (token->late_at > core->now) return;
    token->late_at = SL_NEVER;
    sl_errand_drop(&token->errand);
    fail_fetch(core, SLUICE_ERR_TIMEOUT, "no answer in time");
}

/* ---- what brokers say ---- */

void sl_login_token_on_refused(struct sl_core *core) {
    struct sl_login *login = &core->login;
    int64_t at = core->now + token_backoff(core, login->token.refusals++);
    if (at < login->ask_at) login->ask_at = at;
}

void sl_login_token_on_accepted(struct sl_core *core) { core->login.token.refusals = 0; }

void sl_login_token_tell(const struct sl_core *core, struct sl_text *out) {
    const struct sl_login_token *token = &core->login.token;
    if (token->story[0] != '\0')
        sl_text_printf(out, "there is no token: %s", token->story);
    else
        sl_text_printf(out, "waiting for a token of %s", token_source_name(core));
}
