/* The tools that jobs are run with. What the jobs are is elsewhere (pack.c). */
#include "core/job.h"

#include "record/compress.h"

int sl_job_tools_init(struct sl_job_tools *tools, const struct sl_alloc *alloc) {
    tools->codecs = NULL;
    sl_writer_init(&tools->input, alloc);
    sl_writer_init(&tools->output, alloc);
    return sl_compress_create(alloc, &tools->codecs);
}

void sl_job_tools_deinit(struct sl_job_tools *tools) {
    sl_compress_destroy(tools->codecs);
    tools->codecs = NULL;
    sl_writer_deinit(&tools->input);
    sl_writer_deinit(&tools->output);
}
