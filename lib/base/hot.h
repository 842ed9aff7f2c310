/* What compilers are told of the hottest paths. A produced record passes eight functions of five files, and a
 * fifth of its instructions were the calls between them; a field of a message passed five. */
#ifndef SL_BASE_HOT_H
#define SL_BASE_HOT_H

/* What the function calls is compiled into it, and what that calls. */
#define SL_HOT __attribute__((flatten))
/* It stays out of such a function: it is needed rarely. */
#define SL_APART __attribute__((noinline))

#endif
