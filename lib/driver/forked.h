/* Fork detection: a process-wide number that every fork changes in the child, compared before any
 * lock is touched (a lock may be held for ever in a child). Asking for the process id instead
 * would cost a system call a record. */
#ifndef SL_DRIVER_FORKED_H
#define SL_DRIVER_FORKED_H

/* Written by the child of a fork alone, which has one thread then. */
extern int sl_forked_generation;

/* Before the first handle is made: has the number kept. 0 or SLUICE_ERR_SYSTEM. */
int sl_forked_watch(void);

#endif
