/* Kafka's error codes as data: name, text and what to do about each (protocol notes 3.2). */
#ifndef SL_WIRE_ERRORS_H
#define SL_WIRE_ERRORS_H

#include <stdbool.h>

struct sl_error {
    int code;
    const char *name; /* TOPIC_ALREADY_EXISTS */
    const char *text; /* a sentence */
    int error_class;  /* SLUICE_CLASS_*: of sluice/error.h */
    bool retriable;   /* in general; callers with their own rules come first */
    bool refresh;     /* metadata is out of date */
};

/* Never NULL: an unknown code gives an entry named UNKNOWN_CODE, not retriable. Knows Kafka's
 * codes and the library's own. */
const struct sl_error *sl_errors_find(int code);
bool sl_errors_is_retriable(int code);
bool sl_errors_is_stale(int code);

#endif
