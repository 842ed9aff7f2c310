/* sluice: error codes.
 *
 * One integer space: 0 is fine; Kafka's own broker codes keep their numbers (-1 and 1 upwards,
 * named in sluice/kafka_errors.h); the library's own run from -100 downwards. The same codes are
 * used inside the library and at its edge. */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

enum {
    SLUICE_ERR_USAGE = -100,         /* the call itself is wrong: a NULL handle, a swapped enum */
    SLUICE_ERR_NOMEM = -101,         /* an allocation failed; nothing was changed */
    SLUICE_ERR_CONFIG = -102,        /* a setting is wrong; sluice_config_message lists all */
    SLUICE_ERR_CLOSED = -103,        /* the client is closed, or was while the call waited */
    SLUICE_ERR_FORKED = -104,        /* the handle belongs to the parent process */
    SLUICE_ERR_BUSY = -105,          /* another thread is inside a one-thread-at-a-time call */
    SLUICE_ERR_TIMEOUT = -106,       /* the deadline passed */
    SLUICE_ERR_PENDING = -107,       /* not decided yet; ask again */
    SLUICE_ERR_INTERRUPTED = -108,   /* sluice_client_interrupt; nothing lost or undone */
    SLUICE_ERR_FULL = -109,          /* no room in the memory budget; not accepted */
    SLUICE_ERR_UNREAD = -110,        /* no room because delivery reports wait to be read */
    SLUICE_ERR_TOO_BIG = -111,       /* larger than a limit that the message names */
    SLUICE_ERR_NOT_WRITTEN = -112,   /* a record certainly was not written */
    SLUICE_ERR_MAYBE_WRITTEN = -113, /* no one can know whether a record was written */
    SLUICE_ERR_STALE = -114,         /* too late: the partition was revoked or sought away */
    SLUICE_ERR_TXN_ABORTED = -115,   /* the transaction was undone */
    SLUICE_ERR_TXN_STATE = -116,     /* not in this state of the transaction */
    SLUICE_ERR_UNREACHABLE = -117,   /* no broker could be reached */
    SLUICE_ERR_AUTH = -118,          /* authentication failed */
    SLUICE_ERR_TLS = -119,           /* the TLS handshake or a certificate failed */
    SLUICE_ERR_MALFORMED = -120,     /* a peer sent bytes that are not the protocol */
    SLUICE_ERR_NO_OFFSET = -121,     /* there is no offset to commit or to start from */
    SLUICE_ERR_UNSUPPORTED = -122,   /* the broker or this build cannot do it */
    SLUICE_ERR_SYSTEM = -123,        /* the operating system refused */
    SLUICE_ERR_HELD = -124,          /* the application holds the whole receive budget */
    SLUICE_ERR_PARTIAL = -125,       /* some rows succeeded, some did not */
    SLUICE_ERR_TRUNCATED = -126,     /* records that were read are in the log no more */
    SLUICE_NOTICE_REBALANCE = -190   /* not an error: call sluice_consumer_rebalance */
};

/* What to do about a code: sluice_error_class. */
enum {
    SLUICE_CLASS_NOTICE = 41, /* nothing is wrong */
    SLUICE_CLASS_RETRY,       /* the same call may succeed later */
    SLUICE_CLASS_ABORT,       /* abort the transaction, then go on */
    SLUICE_CLASS_DENIED,      /* the user may not: permissions or credentials */
    SLUICE_CLASS_FATAL,       /* this client cannot go on */
    SLUICE_CLASS_USAGE,       /* the program or its settings are wrong */
    SLUICE_CLASS_GONE         /* the thing is closed, fenced or deleted */
};

#endif
