/* Runtimes: who drives. The driver has them; here arguments are checked. */
#include "driver/runtime.h"

#include "api/config.h"
#include "sluice/client.h"

_Static_assert((int)SL_RUNTIME_THREAD == SLUICE_RUNTIME_THREAD &&
                   (int)SL_RUNTIME_DRIVEN == SLUICE_RUNTIME_DRIVEN,
               "the same numbers on both sides");

int sluice_runtime_create(int32_t kind, const sluice_config *memory_and_log, sluice_runtime **out) {
    if (out == NULL) return SLUICE_ERR_USAGE;
    *out = NULL;
    if (kind != SLUICE_RUNTIME_THREAD && kind != SLUICE_RUNTIME_DRIVEN) return SLUICE_ERR_USAGE;
    struct sl_alloc alloc = sl_config_alloc(memory_and_log);
    return sl_runtime_create(kind, &alloc, out);
}

int sluice_runtime_fd(const sluice_runtime *runtime) {
    return sl_runtime_check(runtime) == 0 ? sl_runtime_fd(runtime) : -1;
}

int sluice_runtime_run(sluice_runtime *runtime, int32_t timeout_ms) {
    int rv = sl_runtime_check(runtime);
    if (rv != 0) return rv;
    if (!sl_runtime_is_driven(runtime) || timeout_ms < -1) return SLUICE_ERR_USAGE;
    return sl_runtime_run(runtime, timeout_ms);
}

void sluice_runtime_release(sluice_runtime *runtime) { sl_runtime_release(runtime); }
