/* What the files of api/ share about clients: the checks that every call begins with, what api
 * keeps with a client, and op tickets. */
#ifndef SL_API_CLIENT_H
#define SL_API_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/command.h"
#include "core/settings.h"
#include "driver/client.h"
#include "record/compress.h"
#include "sluice/types.h"

/* The settings of a client, and beside them what api keeps with it: it lives as long as the shell.
 * All but the settings belongs to the poll under way. */
struct sl_client_state {
    struct sl_settings settings; /* first: the driver knows this much, and never changes it */
    struct sl_compress *codecs;  /* owned; NULL until a batch is compressed */
    int code;                    /* for the next poll to return; its story is remembered */
};

/* 0, USAGE (no client, or not of this role; 0: any), FORKED. */
int sl_client_expect(const sluice_client *client, int32_t role);
/* The same, and CLOSED. */
int sl_client_expect_open(sluice_client *client, int32_t role);
struct sl_client_state *sl_client_state_of(const sluice_client *client);

/* Asks core. The command is taken in any case. ticket NULL: waits, and *result (when result is not
 * NULL) is the ended op if there was one, for sl_client_free_op. */
int sl_client_run(sluice_client *client, struct sl_command *command, int32_t timeout_ms,
                  sluice_op **ticket, struct sl_op **result);

#endif
