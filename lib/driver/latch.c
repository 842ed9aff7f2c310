/* Waiting for a latch: first awake, as long as a holder that runs can be expected to take, then
 * asleep for times that double. */
#include "driver/latch.h"

#include "driver/system.h"

enum {
    LATCH_LOOKS = 200,             /* a microsecond or some */
    LATCH_SLEEP_LEAST = 20 * 1000, /* nanoseconds; arbitrary, a few switches of threads */
    LATCH_SLEEP_MOST = 1000 * 1000 /* the most that a record waits longer than it has to */
};

/* Lets the processor's other thread go on. */
static inline void pause_latch(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool look_at_latch(struct sl_latch *latch) {
    for (int i = 0; i < LATCH_LOOKS; i++) {
        if (sl_latch_seems_free(latch) && sl_latch_try(latch)) return true;
        pause_latch();
    }
    return false;
}

void sl_latch_wait(struct sl_latch *latch) {
    for (int64_t sleep = LATCH_SLEEP_LEAST; !look_at_latch(latch);) {
        sl_system_pause(sleep);
        if (sleep < LATCH_SLEEP_MOST) sleep *= 2;
    }
}
