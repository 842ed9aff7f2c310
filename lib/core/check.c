/* Every invariant of the network half in one place, asserted after each turn in check builds. The
 * walk is linear in what exists, and changes nothing. */
#include "core/unit.h"

static void check_queue(const struct sl_link *link) {
    uint32_t expecting = 0;
    bool is_unsent = false;
    SL_LIST_EACH(node, tmp, &link->queue) {
        const struct sl_request *request = SL_LIST_OF(node, const struct sl_request, node);
        SL_ASSERT(node->next->prev == node && node->prev->next == node);
        if (node == link->unsent) is_unsent = true;
        /* Sent whole ones first, then at most one sent in part. */
        SL_ASSERT(request->sent_whole == !is_unsent);
        SL_ASSERT(request->sent_whole == (request->sent == request->size));
        SL_ASSERT(request->sent == 0 || request->sent_whole || node == link->unsent);
        SL_ASSERT(request->api != NULL && request->on_done != NULL);
        SL_ASSERT(request->deadline >= link->request_deadline);
        SL_ASSERT(!(request->no_response && request->sent_whole));
        if (!request->no_response) expecting++;
    }
    SL_ASSERT(is_unsent || link->unsent == &link->queue);
    SL_ASSERT(link->in_flight == expecting);
}

static void check_link(const struct sl_core *core, const struct sl_link *link) {
    bool is_up = link->state >= SL_LINK_NEGOTIATING && link->state <= SL_LINK_DRAINING;
    bool is_setting_up = sl_link_is_opening(link);
    SL_ASSERT(link->core == core && link->broker->links[link->purpose] == link);
    SL_ASSERT((link->id != 0) == (is_up || link->state == SL_LINK_OPENING));
    SL_ASSERT(link->id == 0 || sl_link_find(core, link->id) == link);
    SL_ASSERT(is_up || sl_list_is_empty(&link->queue));
    SL_ASSERT(link->state != SL_LINK_DRAINING || !sl_list_is_empty(&link->queue));
    SL_ASSERT(link->in == NULL || (is_up && link->in->size > 0 && link->in->size <= link->in->cap));
    SL_ASSERT(link->in_need == 0 || link->in != NULL);
    SL_ASSERT(!link->wants_open || link->state == SL_LINK_OPENING);
    bool wants_output = link->wants_open || link->wants_send || link->closing_id != 0;
    SL_ASSERT(!wants_output || sl_list_is_linked(&link->output));
    /* Nothing waits without a timer. */
    bool is_waited_for = is_setting_up || !sl_list_is_empty(&link->queue);
    SL_ASSERT(!is_waited_for || link->timer.index != SL_HEAP_IDLE);
    SL_ASSERT(link->state != SL_LINK_RESOLVING || link->broker->resolve_serial != 0);
    check_queue(link);
}

static void check_links(const struct sl_core *core) {
    uint32_t count = 0, connections = 0;
    SL_LIST_EACH(node, tmp, &core->links.all) {
        const struct sl_link *link = SL_LIST_OF(node, const struct sl_link, node);
        check_link(core, link);
        count++;
        connections += link->id != 0;
        if (core->state == SL_CORE_CLOSED) SL_ASSERT(link->id == 0);
    }
    SL_ASSERT(count == core->links.count && connections == core->links.by_id.count);
    SL_ASSERT(core->links.timers.count <= count && core->links.timers.cap >= count);
    SL_ASSERT(core->links.spare == NULL || core->links.spare->size == 0);
}

static void check_brokers(const struct sl_core *core) {
    int32_t known = 0, gone = 0;
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        const struct sl_broker *broker = SL_LIST_OF(node, const struct sl_broker, node);
        SL_ASSERT(broker->core == core && broker->host != NULL && broker->port != 0);
        SL_ASSERT(broker->address_count <= SL_BROKER_ADDRESSES && broker->address_next >= 0);
        SL_ASSERT((broker->failures == 0) == (broker->retry_at == 0));
        SL_ASSERT(!sl_list_is_linked(&broker->resolve_node) || broker->resolve_serial != 0);
        const void *found = sl_map_get(&core->brokers.by_id, &broker->id, sizeof broker->id);
        SL_ASSERT((found == broker) == (broker->id >= 0 && !broker->gone));
        known += broker->id >= 0 && !broker->gone;
        gone += broker->gone;
    }
    SL_ASSERT(known == core->brokers.known && gone == core->brokers.gone);
    for (int i = 0; i < SL_BROKERS_RECENT; i++) {
        const struct sl_broker *recent = core->brokers.recent[i];
        SL_ASSERT(recent == NULL || (recent->id % SL_BROKERS_RECENT == i && !recent->gone));
    }
}

static void check_topic(const struct sl_core *core, const struct sl_topic *topic) {
    const struct sl_metadata *m = &core->metadata;
    SL_ASSERT(m->topics[topic->index] == topic);
    SL_ASSERT(topic->partition_count >= 0 && topic->partition_count <= topic->partition_cap);
    SL_ASSERT(sl_bytes_uuid_is_zero(&topic->id) || topic->partition_count > 0);
    SL_ASSERT(!topic->asked || m->call.active);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        const struct sl_partition *partition = topic->partitions[i];
        SL_ASSERT(partition->topic == topic && partition->index == i);
        SL_ASSERT(partition->leader >= -1 && partition->leader_epoch >= -1);
    }
}

static void check_metadata(const struct sl_core *core) {
    const struct sl_metadata *m = &core->metadata;
    SL_ASSERT(m->by_name.count == m->topic_count && m->topic_count <= m->topic_cap);
    for (uint32_t i = 0; i < m->topic_count; i++) check_topic(core, m->topics[i]);
    if (core->state == SL_CORE_CLOSED) return;
    SL_ASSERT(sl_list_is_empty(&m->troubled) || m->trouble_at != SL_NEVER || m->call.active);
}

static void check_calls(const struct sl_core *core) {
    SL_LIST_EACH(node, tmp, &core->calls.waiting) {
        const struct sl_call *call = SL_LIST_OF(node, const struct sl_call, node);
        SL_ASSERT(call->active && call->ticket == NULL);
    }
    SL_LIST_EACH(node, tmp, &core->calls.sent) {
        const struct sl_call *call = SL_LIST_OF(node, const struct sl_call, node);
        SL_ASSERT(call->active && call->ticket != NULL);
    }
}

static void check_ops(const struct sl_core *core) {
    for (uint32_t i = 0; i < core->ops.timers.count; i++) {
        const struct sl_op *op = SL_LIST_OF(core->ops.timers.nodes[i], const struct sl_op, timer);
        SL_ASSERT(op->state == SL_OP_PENDING && op->timer.index == i + 1);
    }
    SL_ASSERT(core->state != SL_CORE_CLOSED || core->ops.timers.count == 0);
    SL_ASSERT((core->state == SL_CORE_CLOSING) || sl_list_is_empty(&core->closers));
}

/* Errands are in one list each, and a fetch of a token that is out has a deadline. */
static void check_errands(const struct sl_core *core) {
    const struct sl_login_token *token = &core->login.token;
    SL_LIST_EACH(node, tmp, (struct sl_list *)&core->errands.out) {
        const struct sl_errand *errand = SL_LIST_OF(node, const struct sl_errand, node);
        SL_ASSERT(errand->serial != 0 && errand->serial <= core->errands.last_serial);
        SL_ASSERT(errand->on_answer != NULL);
    }
    SL_ASSERT(sl_errand_is_out(&token->errand) == sl_list_is_linked(&token->errand.node));
    SL_ASSERT(sl_errand_is_out(&token->errand) == (token->late_at != SL_NEVER));
}

void sl_core_check(const struct sl_core *core) {
    check_links(core);
    check_brokers(core);
    check_metadata(core);
    check_calls(core);
    check_ops(core);
    check_errands(core);
    if (core->settings->role == SL_ROLE_PRODUCER) sl_check_producer(core);
    if (core->settings->role == SL_ROLE_CONSUMER) {
        sl_fetcher_check(core);
        sl_committer_check(core);
        sl_group_check(core);
    }
}
