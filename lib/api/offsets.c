/* Lists of (topic, partition, offset), as applications hold them. Adding is sticky: what went
 * wrong first is what everyone who gets the list answers. Their memory is the C library's, since
 * they belong to no client. */
#include "api/offsets.h"

#include <string.h>

#include "core/command.h"
#include "sluice/error.h"
#include "sluice/offsets.h"

enum { OFFSETS_MAGIC = 0x51c0ff5e, OFFSETS_GONE = 0x0badff5e };
enum { OFFSETS_TOPIC_MAX = 249 }; /* Kafka's own limit of topic names */

sluice_offsets *sl_offsets_wrap(struct sl_offsets *list) {
    sluice_offsets *offsets = sl_alloc_zero(sl_alloc_default(), sizeof *offsets);
    if (offsets == NULL) return NULL;
    offsets->magic = OFFSETS_MAGIC;
    offsets->own = list;
    offsets->at = &offsets->own;
    return offsets;
}

void sl_offsets_init_result(sluice_offsets *offsets, struct sl_offsets *const *at) {
    *offsets = (sluice_offsets){.magic = OFFSETS_MAGIC, .at = at};
}

sluice_offsets *sluice_offsets_create(void) {
    struct sl_offsets *list;
    if (sl_offset_list_create(sl_alloc_default(), &list) != 0) return NULL;
    sluice_offsets *offsets = sl_offsets_wrap(list);
    if (offsets == NULL) sl_offset_list_destroy(list);
    return offsets;
}

static bool is_offsets(const sluice_offsets *offsets) {
    return offsets != NULL && offsets->magic == OFFSETS_MAGIC;
}

void sluice_offsets_free(sluice_offsets *offsets) {
    if (!is_offsets(offsets)) return;
    sl_offset_list_destroy(offsets->own);
    offsets->magic = OFFSETS_GONE;
    sl_alloc_free(sl_alloc_default(), offsets, sizeof *offsets);
}

int sl_offsets_check(const sluice_offsets *offsets) {
    if (!is_offsets(offsets)) return SLUICE_ERR_USAGE;
    return offsets->failed != 0 ? offsets->failed : sl_offsets_list(offsets)->failed;
}

static int fail_offsets(sluice_offsets *offsets, int code) {
    if (offsets->failed == 0) offsets->failed = code;
    return code;
}

static bool is_topic_name(const char *topic) {
    return topic != NULL && *topic != '\0' && strlen(topic) <= OFFSETS_TOPIC_MAX;
}

static bool is_offset(int64_t offset) {
    return offset >= 0 || offset == SL_OFFSET_LATEST || offset == SL_OFFSET_EARLIEST ||
           offset == SL_OFFSET_COMMITTED || offset == SL_OFFSET_AT_TIME;
}

/* Puts an entry with its numbers, without metadata. */
static int put_offset(sluice_offsets *offsets, const sluice_offset *from,
                      struct sl_offset_entry **out) {
    if (!is_offsets(offsets)) return SLUICE_ERR_USAGE;
    if (!is_topic_name(from->topic) || from->partition < 0 || !is_offset(from->offset))
        return fail_offsets(offsets, SLUICE_ERR_USAGE);
    struct sl_offset_entry *entry = sl_offset_list_put(offsets->own, from->topic, from->partition);
    if (entry == NULL) return fail_offsets(offsets, SLUICE_ERR_NOMEM);
    if (entry->metadata != NULL)
        sl_alloc_free(offsets->own->alloc, entry->metadata, strlen(entry->metadata) + 1);
    entry->metadata = NULL;
    entry->offset = from->offset;
    entry->timestamp_ms = from->timestamp_ms;
    entry->leader_epoch = from->leader_epoch > 0 ? from->leader_epoch : -1;
    entry->code = 0;
    *out = entry;
    return 0;
}

int sluice_offsets_add(sluice_offsets *offsets, const char *topic, int32_t partition,
                       int64_t offset) {
    struct sl_offset_entry *entry;
    sluice_offset from = {.topic = topic, .partition = partition, .offset = offset};
    if (offset == SL_OFFSET_AT_TIME && is_offsets(offsets))
        return fail_offsets(offsets, SLUICE_ERR_USAGE); /* the time is missing */
    return put_offset(offsets, &from, &entry);
}

int sluice_offsets_put(sluice_offsets *offsets, const sluice_offset *from, size_t size) {
    struct sl_offset_entry *entry;
    if (!is_offsets(offsets)) return SLUICE_ERR_USAGE;
    if (from == NULL || size != sizeof *from) return fail_offsets(offsets, SLUICE_ERR_USAGE);
    int rv = put_offset(offsets, from, &entry);
    if (rv != 0 || from->metadata == NULL) return rv;
    entry->metadata = sl_alloc_text(offsets->own->alloc, from->metadata, strlen(from->metadata));
    return entry->metadata == NULL ? fail_offsets(offsets, SLUICE_ERR_NOMEM) : 0;
}

int sluice_offsets_after(sluice_offsets *offsets, const sluice_view *view, size_t size) {
    struct sl_offset_entry *entry;
    if (!is_offsets(offsets)) return SLUICE_ERR_USAGE;
    if (view == NULL || size != sizeof *view || view->offset == INT64_MAX)
        return fail_offsets(offsets, SLUICE_ERR_USAGE);
    sluice_offset from = {
        .topic = view->topic, .partition = view->partition, .offset = view->offset + 1};
    return put_offset(offsets, &from, &entry);
}

void sl_offsets_fill(const struct sl_offset_entry *entry, sluice_offset *out) {
    *out = (sluice_offset){
        .topic = entry->topic,
        .metadata = entry->metadata,
        .offset = entry->offset,
        .timestamp_ms = entry->timestamp_ms,
        .committed = entry->committed,
        .end = entry->end,
        .partition = entry->partition,
        .leader_epoch = entry->leader_epoch,
        .code = entry->code,
        .paused = entry->paused,
    };
}

int sluice_offsets_at(const sluice_offsets *offsets, int32_t index, sluice_offset *out,
                      size_t size) {
    if (offsets == NULL) return 0;
    if (!is_offsets(offsets) || out == NULL || size != sizeof *out || index < 0)
        return SLUICE_ERR_USAGE;
    const struct sl_offsets *list = sl_offsets_list(offsets);
    if (index >= list->count) return 0;
    sl_offsets_fill(&list->entries[index], out);
    return 1;
}
