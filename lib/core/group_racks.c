/* Where the replicas of partitions are, for a leader that shares them near to their readers
 * (KIP-881).
 *
 * Nobody else needs that, so metadata does not keep it. A leader whose members told racks, under an
 * assignor that goes by them, asks for the topics of all members once more when it is to share them,
 * keeps the replicas of that answer until they are shared, and after that one number for each topic
 * (`print`): when metadata speaks of the topic again and the number is another one, replicas have
 * moved to other racks, and the leader joins again.
 *
 * A broker that is not in the answer has no rack that we know of. Such an answer gives no number, so
 * that a broker that is away for a while moves no partitions. */
#include <string.h>

#include "core/assignor.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "wire/messages.h"

enum { RACK_REPLICAS_MAX = 100 }; /* of a partition, more are not looked at; arbitrary */

void sl_group_racks_begin(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    const struct sl_assignor_member *members = g->member_list.items;
    g->has_racks = false;
    for (int32_t i = 0; sl_assignor_goes_by_racks(g->assignor) && i < g->member_list.count; i++)
        g->has_racks |= members[i].rack_id.size > 0;
    for (int32_t i = 0; g->has_racks && i < g->watch_count; i++)
        sl_metadata_ask(core, g->watch[i].topic);
}

void sl_group_racks_forget(struct sl_core *core, struct sl_group_watch *watch) {
    sl_alloc_free(core->alloc, watch->replicas, watch->replica_size * sizeof *watch->replicas);
    watch->replicas = NULL;
    watch->replica_size = 0;
}

/* ---- an answer ---- */

static int32_t count_replicas(const struct sl_metadata_partition_response *p) {
    int32_t count = p->replica_nodes.count;
    return count < 0 ? 0 : count < RACK_REPLICAS_MAX ? count : RACK_REPLICAS_MAX;
}

/* "" when it has none. NULL: the broker is not known. */
static const char *rack_of(struct sl_core *core, int32_t node) {
    const struct sl_broker *broker = sl_brokers_find(core, node);
    if (broker == NULL) return NULL;
    return broker->rack == NULL ? "" : broker->rack;
}

/* FNV-1a of the partition's number and a rack. */
static uint64_t hash_rack(int32_t partition, const char *rack) {
    const uint64_t prime = UINT64_C(1099511628211);
    uint64_t hash = (UINT64_C(14695981039346656037) ^ (uint64_t)partition) * prime;
    for (; *rack != '\0'; rack++) hash = (hash ^ (uint8_t)*rack) * prime;
    return hash;
}

/* False: some replica's broker is not known. The order of replicas is none of racks, and a second
 * one in the same rack brings nothing, so each rack counts once and in no order. */
static bool add_racks(struct sl_core *core, const struct sl_metadata_partition_response *p,
                      uint64_t *print) {
    const int32_t *nodes = p->replica_nodes.items;
    const char *racks[RACK_REPLICAS_MAX];
    int32_t count = count_replicas(p);
    for (int32_t i = 0; i < count; i++) {
        bool is_new = true;
        racks[i] = rack_of(core, nodes[i]);
        if (racks[i] == NULL) return false;
        for (int32_t k = 0; k < i; k++) is_new &= strcmp(racks[k], racks[i]) != 0;
        if (is_new) *print += hash_rack(p->partition, racks[i]);
    }
    return true;
}

static uint64_t print_racks(struct sl_core *core, const struct sl_metadata_topic_response *answer) {
    const struct sl_metadata_partition_response *p = answer->partitions.items;
    uint64_t print = 0;
    for (int32_t i = 0; i < answer->partitions.count; i++)
        if (!add_racks(core, &p[i], &print)) return 0;
    return print;
}

/* First where each partition's replicas begin, then the replicas. Without memory they count as
 * unknown. */
static void keep_replicas(struct sl_core *core, struct sl_group_watch *watch,
                          const struct sl_metadata_topic_response *answer) {
    const struct sl_metadata_partition_response *p = answer->partitions.items;
    int32_t count = answer->partitions.count;
    size_t size = (size_t)count + 1;
    for (int32_t i = 0; i < count; i++) size += (size_t)count_replicas(&p[i]);
    sl_group_racks_forget(core, watch);
    watch->replicas =
        size > INT32_MAX ? NULL : sl_alloc_array(core->alloc, size, sizeof *watch->replicas);
    if (watch->replicas == NULL) return;
    watch->replica_size = size;
    int32_t *starts = watch->replicas;
    for (int32_t i = 0; i < count; i++) starts[p[i].partition + 1] = count_replicas(&p[i]);
    starts[0] = count + 1;
    for (int32_t i = 0; i < count; i++) starts[i + 1] += starts[i];
    for (int32_t i = 0; i < count; i++) {
        size_t bytes = (size_t)count_replicas(&p[i]) * sizeof(int32_t);
        if (bytes > 0) memcpy(starts + starts[p[i].partition], p[i].replica_nodes.items, bytes);
    }
}

void sl_group_racks_on_answer(struct sl_core *core, const struct sl_topic *topic,
                              const struct sl_metadata_topic_response *answer) {
    struct sl_membership *g = &core->group;
    for (int32_t i = 0; g->has_racks && i < g->watch_count; i++) {
        struct sl_group_watch *watch = &g->watch[i];
        if (watch->topic != topic) continue;
        watch->print = print_racks(core, answer);
        if (g->state == SL_GROUP_ASSIGNING)
            keep_replicas(core, watch, answer);
        else if (watch->shared_print == 0)
            watch->shared_print = watch->print;
        return;
    }
}

bool sl_group_racks_are_other(const struct sl_group_watch *watch) {
    return watch->print != 0 && watch->shared_print != 0 && watch->print != watch->shared_print;
}

/* ---- sharing ---- */

bool sl_group_racks_is_awaited(const struct sl_membership *g, const struct sl_group_watch *watch) {
    return g->has_racks && !g->skip_assignment && watch->replicas == NULL &&
           watch->topic->updated_at < g->assign_since;
}

int sl_group_racks_list(struct sl_core *core, const struct sl_group_watch *watch,
                        struct sl_arena *arena, const struct sl_array **out) {
    const int32_t *starts = watch->replicas;
    int32_t count = watch->topic->partition_count;
    *out = NULL;
    if (starts == NULL || starts[0] != count + 1) return 0;
    struct sl_array *lists = sl_arena_array(arena, (size_t)count, sizeof *lists);
    struct sl_str *racks = sl_arena_array(arena, watch->replica_size, sizeof *racks);
    if (lists == NULL || racks == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < count; i++) {
        lists[i] = (struct sl_array){racks + starts[i], starts[i + 1] - starts[i]};
        for (int32_t at = starts[i]; at < starts[i + 1]; at++) {
            const char *rack = rack_of(core, starts[at]);
            racks[at] = rack == NULL ? SL_STR_NULL : sl_bytes_str(rack);
        }
    }
    *out = lists;
    return 0;
}

void sl_group_racks_end(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    for (int32_t i = 0; i < g->watch_count; i++) {
        g->watch[i].shared_print = g->watch[i].print;
        sl_group_racks_forget(core, &g->watch[i]);
    }
}
