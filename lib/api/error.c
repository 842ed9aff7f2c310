/* Names, texts and classes of codes. The table is wire/errors.c's, which serves both ends of the
 * protocol; here the library's own codes get the names that the public header gives them. */
#include "sluice/config.h"
#include "wire/errors.h"

#define OWN_ERROR_NAME(name) [SLUICE_ERR_USAGE - SLUICE_ERR_##name] = "SLUICE_ERR_" #name

static const char *const own_error_names[] = {
    OWN_ERROR_NAME(USAGE),       OWN_ERROR_NAME(NOMEM),         OWN_ERROR_NAME(CONFIG),
    OWN_ERROR_NAME(CLOSED),      OWN_ERROR_NAME(FORKED),        OWN_ERROR_NAME(BUSY),
    OWN_ERROR_NAME(TIMEOUT),     OWN_ERROR_NAME(PENDING),       OWN_ERROR_NAME(INTERRUPTED),
    OWN_ERROR_NAME(FULL),        OWN_ERROR_NAME(UNREAD),        OWN_ERROR_NAME(TOO_BIG),
    OWN_ERROR_NAME(NOT_WRITTEN), OWN_ERROR_NAME(MAYBE_WRITTEN), OWN_ERROR_NAME(STALE),
    OWN_ERROR_NAME(TXN_ABORTED), OWN_ERROR_NAME(TXN_STATE),     OWN_ERROR_NAME(UNREACHABLE),
    OWN_ERROR_NAME(AUTH),        OWN_ERROR_NAME(TLS),           OWN_ERROR_NAME(MALFORMED),
    OWN_ERROR_NAME(NO_OFFSET),   OWN_ERROR_NAME(UNSUPPORTED),   OWN_ERROR_NAME(SYSTEM),
    OWN_ERROR_NAME(HELD),        OWN_ERROR_NAME(PARTIAL),
};

const char *sluice_error_name(int code) {
    enum { COUNT = (int)(sizeof own_error_names / sizeof own_error_names[0]) };
    if (code == SLUICE_NOTICE_REBALANCE) return "SLUICE_NOTICE_REBALANCE";
    if (code <= SLUICE_ERR_USAGE && code > SLUICE_ERR_USAGE - COUNT)
        return own_error_names[SLUICE_ERR_USAGE - code];
    return sl_errors_find(code)->name;
}

const char *sluice_error_text(int code) { return sl_errors_find(code)->text; }

int32_t sluice_error_class(int code) { return sl_errors_find(code)->error_class; }
