/* Writing one record and waiting for its outcome.
 *
 * The record carries the address of a watch in place of its tag. Core gives it a batch to itself,
 * which does not linger, and a report whatever delivery.reports says; the outbox hands that report
 * to the watch. When the call stops waiting the watch stays with the record, and its report is one
 * like any other, with the tag that the application gave. Whatever ends the wait then, the answer is
 * TIMEOUT: every other error says that the record was not accepted and may be sent again. */
#include "driver/shell.h"
#include "sluice/error.h"

static bool is_watch_told(struct sluice_client *c, void *arg) {
    const struct sl_watch *watch = arg;
    (void)c;
    return watch->delivery != NULL;
}

int sl_client_write(struct sluice_client *c, struct sl_staging_input *in, int32_t timeout_ms,
                    struct sl_delivery **out) {
    int32_t accepted = 0;
    if (sl_runtime_is_inside(c->runtime)) return SLUICE_ERR_USAGE;
    int64_t deadline = sl_client_deadline(c, timeout_ms);
    struct sl_watch *watch = sl_alloc_zero(&c->alloc, sizeof *watch);
    if (watch == NULL) return SLUICE_ERR_NOMEM;
    watch->tag = in->tag;
    in->tag = (uint64_t)(uintptr_t)watch;
    in->flags |= SL_STAGED_WATCHED;
    int rv = sl_client_stage_many(c, in, 1, deadline, &accepted);
    if (rv != 0) {
        sl_alloc_free(&c->alloc, watch, sizeof *watch);
        return rv;
    }
    struct sl_shell_wait wait = {.done = is_watch_told, .arg = watch, .deadline = deadline};
    sl_outbox_lock(&c->outbox);
    rv = sl_client_await(c, &wait);
    if (rv == 0)
        *out = watch->delivery;
    else
        watch->given_up = true;
    sl_outbox_unlock(&c->outbox);
    return rv == 0 ? 0 : SLUICE_ERR_TIMEOUT;
}
