/* The end of OpenSSL in this process, which comes while threads of ours may still use it: exit does not
 * wait for clients that nobody closed. */
#ifndef SL_DRIVER_OPENSSL_H
#define SL_DRIVER_OPENSSL_H

#include <stdbool.h>

/* Before anything of this process's is made with OpenSSL by us. May be called again. */
void sl_openssl_start(void);
/* True: OpenSSL may be used until sl_openssl_leave, by this thread. False: it has ended; nothing of it
 * may be called any more, not even to free. */
bool sl_openssl_enter(void);
void sl_openssl_leave(void);

#endif
