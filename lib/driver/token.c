/* The errand that fetches a token: a file is read here, a provider is asked by oidc.c.
 *
 * It may outlive its client, so it has a copy of what the settings say. That and what came back are
 * secrets: both are wiped when the block goes, wherever that is.
 *
 * Not here: what the bytes mean (core/token_answer.c), when to fetch (core/login_token.c). */
#include "driver/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/token_answer.h"
#include "driver/oidc.h"
#include "driver/system.h"
#include "sluice/error.h"

struct token_task {
    struct sl_errands_task task;
    struct sl_token_settings settings; /* its texts are owned */
    struct sl_writer content;          /* the answer's bytes */
};

static struct token_task *token_of(struct sl_errands_task *task) {
    return (struct token_task *)(void *)((char *)task - offsetof(struct token_task, task));
}

/* ---- a file ---- */

/* 0 or an errno. One byte more than a token may have is read, so that what is too long is seen. */
static int read_descriptor(int fd, struct sl_writer *out) {
    char part[4096];
    int error = 0;
    for (bool more = true; more;) {
        ssize_t got = read(fd, part, sizeof part);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) error = errno;
        more = got > 0 && out->size <= SL_TOKEN_MAX;
        if (got > 0) sl_writer_raw(out, part, (size_t)got);
    }
    sl_alloc_wipe(part, sizeof part);
    return error;
}

static void read_token_file(struct token_task *t) {
    struct sl_host_answer *answer = &t->task.answer;
    /* Its final size at once: growing would leave copies behind. */
    if (!sl_writer_grow(&t->content, SL_TOKEN_MAX + 2 * 4096)) {
        answer->rv = SLUICE_ERR_NOMEM;
        return;
    }
    int fd = open(t->settings.file, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? errno : read_descriptor(fd, &t->content);
    if (fd >= 0) (void)close(fd);
    if (error == 0) return;
    answer->rv = SLUICE_ERR_AUTH;
    sl_system_put_error(answer->text, sizeof answer->text, error);
}

/* ---- the errand ---- */

static void run_token_task(struct sl_errands_task *task) {
    struct token_task *t = token_of(task);
    if (t->settings.source == SL_TOKEN_FILE)
        read_token_file(t);
    else
        sl_oidc_fetch(&t->settings, &t->content, &task->answer);
    if (task->answer.rv == 0 && t->content.failed) task->answer.rv = SLUICE_ERR_NOMEM;
    task->answer.bytes = (struct sl_bytes){t->content.data, (int32_t)t->content.size};
}

static void destroy_token_task(struct sl_errands_task *task) {
    struct token_task *t = token_of(task);
    struct sl_token_settings *s = &t->settings;
    char *texts[] = {s->file,  s->url,         s->client_id, s->client_secret,
                     s->scope, s->ca_location, s->ca_pem};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        sl_alloc_free_secret(sl_alloc_default(), texts[i]);
    if (t->content.data != NULL) sl_alloc_wipe(t->content.data, t->content.cap);
    sl_writer_deinit(&t->content);
    sl_alloc_free(sl_alloc_default(), t, sizeof *t);
}

/* Replaces every text by a copy. 0 or NOMEM: what could not be copied is NULL. */
static int copy_token_texts(struct sl_token_settings *s) {
    char **texts[] = {&s->file,  &s->url,         &s->client_id, &s->client_secret,
                      &s->scope, &s->ca_location, &s->ca_pem};
    int rv = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = *texts[i] == NULL ? "" : *texts[i];
        *texts[i] = sl_alloc_text(sl_alloc_default(), text, strlen(text));
        if (*texts[i] == NULL) rv = SLUICE_ERR_NOMEM;
    }
    return rv;
}

int sl_token_start(struct sl_errands *e, const struct sl_host_errand *errand) {
    struct token_task *t = sl_alloc_zero(sl_alloc_default(), sizeof *t);
    if (t == NULL) return SLUICE_ERR_NOMEM;
    t->task.run = run_token_task;
    t->task.destroy = destroy_token_task;
    t->task.answer.kind = errand->kind;
    t->task.answer.client = errand->client;
    t->task.answer.serial = errand->serial;
    t->settings = errand->settings->token;
    sl_writer_init(&t->content, sl_alloc_default());
    int rv = copy_token_texts(&t->settings);
    if (rv == 0) rv = sl_errands_start(e, &t->task);
    if (rv != 0) destroy_token_task(&t->task);
    return rv;
}
