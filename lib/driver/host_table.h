/* The host table: everything the loop needs of the outside world, as one table of functions, so
 * that the driver (real sockets, one thread) and the simulator (virtual time, any number of
 * clients in one thread) run the same loop, inbox, outbox and waits.
 *
 * A socket is an int that the host gave; its meaning is the host's. Readiness is level-triggered
 * for reading (always wanted) and for writing when asked for. */
#ifndef SL_DRIVER_HOST_TABLE_H
#define SL_DRIVER_HOST_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "core/core.h"

enum { SL_READY_READ = 1, SL_READY_WRITE = 2, SL_READY_ERROR = 4 };
struct sl_ready {
    uint64_t token; /* as given to connect */
    uint32_t what;
};
/* An errand of core. */
struct sl_host_errand {
    enum sl_errand_kind kind;
    uint64_t client;
    uint64_t serial;
    uint32_t link;
    struct sl_bytes input;              /* borrowed for the call, like … */
    const struct sl_settings *settings; /* … those of the client */
    struct sl_errand_state **state;     /* what was kept for it; who starts it takes it out */
};
/* The answer to a resolve or an errand, queued by the host and taken in a turn. */
struct sl_host_answer {
    struct sl_host_answer *next;
    enum sl_errand_kind kind; /* NAME: of a resolve */
    uint64_t client;          /* as it was given */
    uint64_t serial;
    int rv;
    char text[256];
    struct sl_bytes bytes;          /* of an errand, like … */
    struct sl_errand_state **state; /* … what is kept for the next, NULL or taken out of there */
    int32_t count;                  /* of a resolve, like … */
    struct sl_address addresses[16];
};
enum { SL_IO_AGAIN = -1, SL_IO_CLOSED = -2, SL_IO_FAILED = -3 };

struct sl_host_table {
    int64_t (*now)(void *self);     /* monotonic nanoseconds */
    int64_t (*wall_ms)(void *self); /* Unix milliseconds */
    int (*entropy)(void *self, void *buf, size_t size);

    /* Starts a non-blocking connect. 0 and *socket, or an error with text. The end of connecting
     * shows as SL_READY_WRITE; then connect_result says how it went. */
    int (*connect)(void *self, const struct sl_address *address, uint64_t token,
                   int32_t send_buffer, int32_t receive_buffer, int *socket, char *text,
                   size_t cap);
    int (*connect_result)(void *self, int socket, char *text, size_t cap);
    /* Bytes moved, or SL_IO_AGAIN, SL_IO_CLOSED (the peer ended it), SL_IO_FAILED (with text). */
    int64_t (*recv)(void *self, int socket, void *buf, size_t size, char *text, size_t cap);
    int64_t (*send)(void *self, int socket, const struct sl_iov *pieces, size_t count, char *text,
                    size_t cap);
    void (*want_write)(void *self, int socket, bool wanted);
    void (*close)(void *self, int socket);

    /* Looks a name up off the loop; the answer arrives through take_answer after a wake. 0 or
     * an error at once. */
    int (*resolve)(void *self, uint64_t client, uint64_t serial, const char *host, uint16_t port);
    /* The same for an errand. 0, NOMEM, SYSTEM, UNSUPPORTED. */
    int (*start_errand)(void *self, const struct sl_host_errand *errand);
    /* An answer, or NULL. */
    struct sl_host_answer *(*take_answer)(void *self);
    void (*free_answer)(void *self, struct sl_host_answer *answer);

    /* How many jobs it runs at a time, and from how many microseconds of work on one pays; 0: it
     * runs none, and the next two are never called. */
    int32_t (*jobs)(void *self, int32_t *least_us);
    /* Takes a job whose member is set. A wake follows its end. */
    void (*start_job)(void *self, struct sl_job *job);
    /* A job of the member that has ended; with is_last any, run or not, waiting for those that are
     * being run. NULL: none. */
    struct sl_job *(*take_job)(void *self, uint64_t member, bool is_last);

    /* Sleeps until a socket is ready, wake was called, or `until` (SL_NEVER: no limit; a time
     * that has passed: just look). Returns the number of ready sockets stored. */
    int (*wait)(void *self, int64_t until, struct sl_ready *ready, int cap);
    /* Ends a wait, from any thread or signal handler; one that comes first is not lost. */
    void (*wake)(void *self);
    /* Optional (NULL): has the descriptor that an application's own loop watches turn readable at
     * that time (SL_NEVER: no time; one that has passed: at once). */
    void (*arm)(void *self, int64_t until);
    /* Whether a wait would find a socket ready that was ready before: the loop may not sleep. Optional (NULL:
     * it sees to it itself), like … */
    bool (*has_ready)(void *self);
    /* … sleeping while other threads may call all other functions, and sleep as well: until there is an
     * event, until the time that `arm` was given, or until `until`. Each event wakes one of them, the
     * one that came last (a matter of speed: who finds an event serves it, whoever it is). Returns how many are
     * stored in *events, which are to be settled by … */
    int (*doze)(void *self, int64_t until, struct sl_ready *events, int cap);
    /* … whoever has the loop; then report says which sockets are ready, and returns their number. */
    void (*settle)(void *self, const struct sl_ready *events, int count);
    int (*report)(void *self, struct sl_ready *ready, int cap);
};

#endif
