/* The other end of the wire: what a client hears, and what it says after that. I22: who is told to
 * wait (throttle_time_ms of any answer, KIP-219) begins no request on that connection before. */
#ifndef SIM_MUTE_H
#define SIM_MUTE_H

#include <stddef.h>

struct link;

/* Bytes left the client, came to it, and no more will. */
void mute_on_said(struct link *link, const void *data, size_t size);
void mute_on_heard(struct link *link, const void *data, size_t size);
void mute_on_gone(struct link *link);

#endif
