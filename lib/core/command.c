/* Commands and events as objects: making, moving, freeing. What they mean is their units'
 * business. */
#include "core/command.h"

#include <string.h>

#include "base/assert.h"
#include "core/delivery.h"
#include "core/fetcher.h"
#include "core/rebalance.h"
#include "core/staging.h"
#include "sluice/error.h"

int sl_command_create(const struct sl_alloc *alloc, enum sl_command_kind kind,
                      struct sl_command **out) {
    struct sl_command *command = sl_alloc_zero(alloc, sizeof *command);
    if (command == NULL) return SLUICE_ERR_NOMEM;
    sl_list_init(&command->node);
    command->kind = kind;
    *out = command;
    return 0;
}

static void free_command_text(const struct sl_alloc *alloc, char *text) {
    if (text != NULL) sl_alloc_free(alloc, text, strlen(text) + 1);
}

void sl_command_destroy(const struct sl_alloc *alloc, struct sl_command *command) {
    if (command == NULL) return;
    SL_ASSERT(!sl_list_is_linked(&command->node));
    free_command_text(alloc, command->topic);
    free_command_text(alloc, command->user);
    sl_alloc_free_secret(alloc, command->secret);
    sl_offset_list_destroy(command->offsets);
    for (int32_t i = 0; command->slots != NULL && i < command->slot_count; i++) {
        free_command_text(alloc, command->slots[i].topic);
        sl_alloc_free(alloc, command->slots[i].position, sizeof(struct sl_fetch_position));
    }
    sl_alloc_free(alloc, command->slots, (size_t)command->slot_count * sizeof *command->slots);
    sl_alloc_free(alloc, command->table, command->table_size * sizeof *command->table);
    for (int32_t i = 0; command->settings != NULL && i < command->setting_count; i++) {
        free_command_text(alloc, command->settings[i]);
    }
    sl_alloc_free(alloc, command->settings,
                  (size_t)command->setting_count * sizeof *command->settings);
    sl_alloc_free(alloc, command, sizeof *command);
}

void sl_events_init(struct sl_events *e) {
    memset(e, 0, sizeof *e);
    sl_list_init(&e->deliveries);
    sl_list_init(&e->fetched);
    sl_list_init(&e->news);
    sl_list_init(&e->ops);
    sl_list_init(&e->notices);
    sl_list_init(&e->topics);
    sl_list_init(&e->rebalances);
    sl_list_init(&e->chunks);
}

bool sl_events_is_empty(const struct sl_events *e) {
    return sl_list_is_empty(&e->deliveries) && sl_list_is_empty(&e->fetched) &&
           sl_list_is_empty(&e->news) && sl_list_is_empty(&e->ops) &&
           sl_list_is_empty(&e->notices) && sl_list_is_empty(&e->topics) &&
           sl_list_is_empty(&e->rebalances) && sl_list_is_empty(&e->chunks) && !e->token_wanted &&
           e->freed_bytes == 0 && e->written == 0 && e->not_written == 0 && e->maybe_written == 0;
}

void sl_events_move(struct sl_events *to, struct sl_events *from) {
    sl_list_splice_back(&to->deliveries, &from->deliveries);
    sl_list_splice_back(&to->fetched, &from->fetched);
    sl_list_splice_back(&to->news, &from->news);
    sl_list_splice_back(&to->ops, &from->ops);
    sl_list_splice_back(&to->notices, &from->notices);
    sl_list_splice_back(&to->topics, &from->topics);
    sl_list_splice_back(&to->rebalances, &from->rebalances);
    sl_list_splice_back(&to->chunks, &from->chunks);
    to->freed_bytes += from->freed_bytes;
    to->written += from->written;
    to->not_written += from->not_written;
    to->maybe_written += from->maybe_written;
    to->notice_count += from->notice_count;
    to->token_wanted |= from->token_wanted;
    from->freed_bytes = from->written = from->not_written = from->maybe_written = 0;
    from->notice_count = 0;
    from->token_wanted = false;
}

static void free_event_fetched(const struct sl_alloc *alloc, struct sl_list *node) {
    struct sl_fetched *fetched = SL_LIST_OF(node, struct sl_fetched, node);
    sl_buffers_free(alloc, fetched->buffer);
    sl_alloc_free(alloc, fetched, fetched->size);
}

void sl_events_deinit(struct sl_events *e, const struct sl_alloc *alloc) {
    struct sl_list *node;
    sl_delivery_destroy_all(alloc, &e->deliveries);
    while ((node = sl_list_pop_front(&e->fetched)) != NULL) free_event_fetched(alloc, node);
    while ((node = sl_list_pop_front(&e->news)) != NULL) {
        struct sl_slot_news *news = SL_LIST_OF(node, struct sl_slot_news, node);
        sl_alloc_free(alloc, news, sizeof *news);
    }
    while ((node = sl_list_pop_front(&e->ops)) != NULL) {
        sl_op_destroy(alloc, SL_LIST_OF(node, struct sl_op, node));
    }
    while ((node = sl_list_pop_front(&e->notices)) != NULL) {
        struct sl_notice *notice = SL_LIST_OF(node, struct sl_notice, node);
        sl_alloc_free(alloc, notice, sizeof *notice);
    }
    while ((node = sl_list_pop_front(&e->topics)) != NULL) {
        struct sl_topic_news *topic = SL_LIST_OF(node, struct sl_topic_news, node);
        sl_alloc_free(alloc, topic, sizeof *topic + strlen(topic->name) + 1);
    }
    while ((node = sl_list_pop_front(&e->rebalances)) != NULL) {
        sl_rebalance_destroy(alloc, SL_LIST_OF(node, struct sl_rebalance, node));
    }
    while ((node = sl_list_pop_front(&e->chunks)) != NULL) {
        sl_staging_chunk_destroy(alloc, SL_LIST_OF(node, struct sl_chunk, node));
    }
}
