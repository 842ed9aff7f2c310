/* A step of a conversation as an errand, since the KDC may not answer for minutes.
 *
 *   core ── input, talk ──▶ task ── step, on a thread ──▶ answer: bytes, talk ──▶ core
 *
 * The talk has one owner at a time: core between steps, the task during one. Where nobody wants the answer any
 * more, the talk goes with the task.
 *
 * Not here: what is said (gssapi.c), threads (errands.c). */
#include "driver/gssapi_errand.h"

#include <string.h>

#include "base/alloc.h"
#include "driver/gssapi.h"
#include "sluice/error.h"

struct gssapi_task {
    struct sl_errands_task task;
    struct sl_errand_state *state; /* the talk; taken out with the answer */
    uint8_t *in;                   /* owned; what the broker said */
    size_t in_size;
    uint8_t *out; /* owned; the answer's bytes */
    size_t out_size;
};

static struct gssapi_task *gssapi_of(struct sl_errands_task *task) {
    return (struct gssapi_task *)(void *)((char *)task - offsetof(struct gssapi_task, task));
}

static void free_gssapi_bytes(uint8_t *bytes, size_t size) {
    if (bytes != NULL) sl_alloc_wipe(bytes, size);
    sl_alloc_free(sl_alloc_default(), bytes, size);
}

static void destroy_gssapi_task(struct sl_errands_task *task) {
    struct gssapi_task *g = gssapi_of(task);
    if (g->state != NULL) g->state->destroy(g->state);
    free_gssapi_bytes(g->in, g->in_size);
    free_gssapi_bytes(g->out, g->out_size);
    sl_alloc_free(sl_alloc_default(), g, sizeof *g);
}

static int put_gssapi_answer(struct gssapi_task *g, struct sl_bytes message, bool is_done) {
    g->out_size = (size_t)message.size + 1;
    g->out = sl_alloc_get(sl_alloc_default(), g->out_size);
    if (g->out == NULL) return SLUICE_ERR_NOMEM;
    g->out[0] = is_done;
    if (message.size > 0) memcpy(g->out + 1, message.data, (size_t)message.size);
    g->task.answer.bytes = (struct sl_bytes){g->out, (int32_t)g->out_size};
    return 0;
}

static void run_gssapi_step(struct sl_errands_task *task) {
    struct gssapi_task *g = gssapi_of(task);
    struct sl_text why;
    struct sl_bytes message;
    bool is_done;
    sl_text_init(&why, task->answer.text, sizeof task->answer.text);
    int rv =
        sl_gssapi_step(sl_gssapi_of_state(g->state), (struct sl_bytes){g->in, (int32_t)g->in_size},
                       &message, &is_done, &why);
    if (rv == 0) rv = put_gssapi_answer(g, message, is_done);
    task->answer.rv = rv;
}

/* A talk that begins: what it is to know is taken from the settings. */
static struct sl_errand_state *begin_gssapi_talk(struct sl_gssapi_tickets *tickets,
                                                 const struct sl_host_errand *errand) {
    const struct sl_settings *s = errand->settings;
    const struct sl_gssapi_order order = {
        .service = s->kerberos_service,
        .host = {(const char *)errand->input.data, errand->input.size},
        .principal = s->kerberos_principal,
        .keytab = s->kerberos_keytab,
    };
    return sl_gssapi_state(sl_gssapi_create(tickets, &order));
}

/* *errand->state is not taken yet. */
static int fill_gssapi_task(struct gssapi_task *g, struct sl_gssapi_tickets *tickets,
                            const struct sl_host_errand *errand) {
    if (*errand->state == NULL) {
        g->state = begin_gssapi_talk(tickets, errand);
        return g->state != NULL ? 0 : SLUICE_ERR_NOMEM;
    }
    if (errand->input.size <= 0) return 0;
    g->in = sl_alloc_get(sl_alloc_default(), (size_t)errand->input.size);
    if (g->in == NULL) return SLUICE_ERR_NOMEM;
    g->in_size = (size_t)errand->input.size;
    memcpy(g->in, errand->input.data, g->in_size);
    return 0;
}

int sl_gssapi_errand_start(struct sl_errands *e, struct sl_gssapi_tickets *tickets,
                           const struct sl_host_errand *errand) {
    struct gssapi_task *g = sl_alloc_zero(sl_alloc_default(), sizeof *g);
    if (g == NULL) return SLUICE_ERR_NOMEM;
    g->task.run = run_gssapi_step;
    g->task.destroy = destroy_gssapi_task;
    g->task.answer.kind = SL_ERRAND_GSSAPI;
    g->task.answer.client = errand->client;
    g->task.answer.serial = errand->serial;
    g->task.answer.state = &g->state;
    int rv = fill_gssapi_task(g, tickets, errand);
    bool goes_on = g->state == NULL;
    if (rv == 0 && goes_on) g->state = *errand->state;
    if (rv == 0) rv = sl_errands_start(e, &g->task);
    if (rv != 0) {
        if (goes_on) g->state = NULL;
        destroy_gssapi_task(&g->task);
        return rv;
    }
    *errand->state = NULL;
    return 0;
}
