/* The script of faults. A rule is tried on each request in the order the rules were made; the
 * first that matches and has nothing left to skip is the one that happens, so a request meets at
 * most one fault. A rule whose times are used up stays, matching nothing, until it is healed: it
 * may get a hit back (spare).
 *
 * What a fault does is in machine.c (cuts, delays, silence), the handlers (errors), lies.c and
 * damage.c; which requests it is about in touches.c.
 *
 * Not done here: no time; a fault holds until healed or used up. */
#include "broker/faults.h"

#include <string.h>

#include "sluice/error.h"
#include "wire/api.h"

struct sl_faults_rule {
    struct sl_list link;
    struct sl_fault fault; /* skip and times count down */
    int32_t id;
};

void sl_faults_init(struct sl_faults *f, const struct sl_alloc *alloc) {
    f->alloc = alloc;
    f->last_id = 0;
    sl_list_init(&f->rules);
}

void sl_faults_deinit(struct sl_faults *f) { sl_faults_remove(f, 0); }

static bool is_possible_fault(const struct sl_fault *fault) {
    if (fault->kind < SL_FAULT_ERROR || fault->kind > SL_FAULT_THROTTLE) return false;
    if (fault->api != -1 && sl_api_find(fault->api) == NULL) return false;
    /* Without a code a request would be told that all is well, and not be executed. */
    bool has_code = fault->code != 0 && fault->code >= INT16_MIN && fault->code <= INT16_MAX;
    if (fault->kind == SL_FAULT_ERROR && !has_code) return false;
    if (fault->kind == SL_FAULT_HOSTILE &&
        (fault->code < SL_FAULT_HARM_FRAME || fault->code > SL_FAULT_HARM_DRIBBLE)) {
        return false;
    }
    if (fault->kind == SL_FAULT_LIE &&
        (fault->code < SL_FAULT_LIE_ANY || fault->code > SL_FAULT_LIE_INVENT)) {
        return false;
    }
    bool ends = memchr(fault->topic, '\0', sizeof fault->topic) != NULL;
    return ends && fault->delay_ms >= 0 && fault->skip >= 0 && fault->times >= -1;
}

int sl_faults_add(struct sl_faults *f, const struct sl_fault *fault, int32_t *id) {
    if (!is_possible_fault(fault)) return SLUICE_ERR_USAGE;
    struct sl_faults_rule *rule = sl_alloc_zero(f->alloc, sizeof *rule);
    if (rule == NULL) return SLUICE_ERR_NOMEM;
    rule->fault = *fault;
    rule->id = ++f->last_id;
    sl_list_push_back(&f->rules, &rule->link);
    if (id != NULL) *id = rule->id;
    return 0;
}

void sl_faults_remove(struct sl_faults *f, int32_t id) {
    SL_LIST_EACH(it, tmp, &f->rules) {
        struct sl_faults_rule *rule = SL_LIST_OF(it, struct sl_faults_rule, link);
        if (id != 0 && rule->id != id) continue;
        sl_list_remove(it);
        sl_alloc_free(f->alloc, rule, sizeof *rule);
    }
}

bool sl_faults_is_narrow(const struct sl_fault *fault) {
    return fault->topic[0] != '\0' || fault->partition != -1;
}

bool sl_faults_match(struct sl_faults *f, int16_t api, int32_t node, const void *request,
                     bool (*touches)(const void *request, const struct sl_fault *fault),
                     struct sl_fault *out, int32_t *id) {
    SL_LIST_EACH(it, tmp, &f->rules) {
        struct sl_faults_rule *rule = SL_LIST_OF(it, struct sl_faults_rule, link);
        struct sl_fault *fault = &rule->fault;
        if (fault->times == 0 || (fault->api != -1 && fault->api != api)) continue;
        if (fault->node != 0 && fault->node != node) continue;
        if (sl_faults_is_narrow(fault) && (touches == NULL || !touches(request, fault))) continue;
        if (fault->skip > 0) {
            fault->skip--;
            continue;
        }
        if (fault->times > 0) fault->times--;
        *out = *fault;
        *id = rule->id;
        return true;
    }
    return false;
}

void sl_faults_spare(struct sl_faults *f, int32_t id) {
    SL_LIST_EACH(it, tmp, &f->rules) {
        struct sl_faults_rule *rule = SL_LIST_OF(it, struct sl_faults_rule, link);
        if (rule->id == id && rule->fault.times >= 0) rule->fault.times++;
    }
}

bool sl_faults_covers(const struct sl_fault *fault, struct sl_str topic, int32_t partition) {
    if (fault->partition != -1 && fault->partition != partition) return false;
    return fault->topic[0] == '\0' || sl_bytes_str_equal(sl_bytes_str(fault->topic), topic);
}
