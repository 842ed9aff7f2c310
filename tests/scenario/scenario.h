/* What all stories include: cmocka and the simulated world. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/story.h"
#include "sluice/kafka_errors.h"
#include "wire/api.h"

/* The first value of the metric of that name; -1: there is none. */
static inline int64_t scenario_metric(sluice_client *client, const char *name) {
    sluice_op *op;
    int64_t value = -1;
    assert_int_equal(sluice_metrics_snapshot(client, 1000, &op), 0);
    assert_int_equal(sluice_op_wait(op, 1000), 0);
    const sluice_table *t = sluice_op_table(op, "metrics");
    for (int32_t row = 0; row < sluice_table_rows(t); row++) {
        if (strcmp(sluice_table_str(t, row, "name"), name) != 0) continue;
        value = sluice_table_int(t, row, "value", -1);
        break;
    }
    sluice_op_free(op);
    return value;
}

#endif
