/* Scripted faults: which request is hit by which, and how often still. */
#ifndef SL_BROKER_FAULTS_H
#define SL_BROKER_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "broker/broker.h"

struct sl_faults {
    const struct sl_alloc *alloc;
    struct sl_list rules; /* of struct sl_faults_rule, in the order they were made */
    int32_t last_id;
};
void sl_faults_init(struct sl_faults *f, const struct sl_alloc *alloc);
void sl_faults_deinit(struct sl_faults *f);
/* 0, NOMEM, or USAGE for a kind, API or text that cannot be. */
int sl_faults_add(struct sl_faults *f, const struct sl_fault *fault, int32_t *id);
/* id 0: all. */
void sl_faults_remove(struct sl_faults *f, int32_t id);

/* The fault that this request meets, counted as a hit and copied to *out; false: none. touches
 * says whether the request has to do with the topic and partition of a fault; NULL: it has no
 * topics. */
bool sl_faults_match(struct sl_faults *f, int16_t api, int32_t node, const void *request,
                     bool (*touches)(const void *request, const struct sl_fault *fault),
                     struct sl_fault *out, int32_t *id);
/* Takes a hit back that could do no harm (a Fetch answer without a batch to corrupt). */
void sl_faults_spare(struct sl_faults *f, int32_t id);
/* Whether the fault is about this topic and partition. */
bool sl_faults_covers(const struct sl_fault *fault, struct sl_str topic, int32_t partition);
/* Whether the fault names a topic or a partition at all. */
bool sl_faults_is_narrow(const struct sl_fault *fault);

#endif
