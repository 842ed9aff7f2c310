/* The metrics: an operation whose result is a table, made by core (core/metrics.c). */
#include "sluice/metrics.h"

#include "api/client.h"

int sluice_metrics_snapshot(sluice_client *client, int32_t timeout_ms, sluice_op **op) {
    struct sl_command *command;
    if (op == NULL) return SLUICE_ERR_USAGE;
    *op = NULL;
    int rv = sl_client_expect_open(client, 0);
    if (rv == 0) rv = sl_client_ask_metrics(client, &command);
    if (rv != 0) return rv;
    return sl_client_run(client, command, timeout_ms, op, NULL);
}
