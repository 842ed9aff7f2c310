/* Settings that a test changes while the cluster runs. */
#include <string.h>

#include "broker/machine.h"
#include "broker/replicas.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

static bool parse_cluster_number(const char *value, int64_t low, int64_t high, int32_t *out) {
    int64_t number;
    if (!sl_text_parse_i64(value, &number) || number < low || number > high) return false;
    *out = (int32_t)number;
    return true;
}

/* Sessions that there are stay. */
static void set_session_slots(struct sl_sessions *sessions, int32_t slots) {
    bool has_more = sessions->by_id.count > (uint32_t)slots;
    sessions->slots = has_more ? (int32_t)sessions->by_id.count : slots;
}

/* A list with or without "consumer"; "classic" is always there. */
static bool set_group_protocols(struct sl_groups_settings *s, const char *value) {
    bool has_classic = false, has_consumer = false;
    for (const char *at = value;; at++) {
        size_t size = 0;
        while (at[size] != '\0' && at[size] != ',') size++;
        struct sl_str name = {at, (int32_t)size};
        bool is_consumer = sl_bytes_str_equal(name, SL_STR("consumer"));
        if (!is_consumer && !sl_bytes_str_equal(name, SL_STR("classic"))) return false;
        has_consumer |= is_consumer;
        has_classic |= !is_consumer;
        at += size;
        if (*at == '\0') break;
    }
    if (has_classic) s->has_consumer = has_consumer;
    return has_classic;
}

/* Settings of groups that are numbers, by Kafka's names but the last, which is ours. */
static bool set_group_number(struct sl_groups_settings *s, const char *name, const char *value,
                             bool *is_good) {
    const struct {
        const char *name;
        int32_t *value;
        int32_t low;
    } numbers[] = {
        {"group.initial.rebalance.delay.ms", &s->initial_delay_ms, 0},
        {"group.min.session.timeout.ms", &s->session_min_ms, 0},
        {"group.max.session.timeout.ms", &s->session_max_ms, 0},
        {"group.max.size", &s->size_max, 1},
        {"group.consumer.session.timeout.ms", &s->consumer_session_ms, 1},
        {"group.consumer.heartbeat.interval.ms", &s->consumer_heartbeat_ms, 1},
        {"offset.metadata.max.bytes", &s->metadata_max, 0},
        {"group.coordinator.load.ms", &s->load_ms, 0},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(name, numbers[i].name) != 0) continue;
        *is_good = parse_cluster_number(value, numbers[i].low, INT32_MAX, numbers[i].value);
        return true;
    }
    return false;
}

/* Settings of racks and followers. False: it is none of them. */
static bool set_replicas(struct sl_cluster *c, const char *name, const char *value, bool *is_good) {
    static const char by_rack[] = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
    if (strcmp(name, "broker.rack") == 0) {
        *is_good = sl_replicas_set_racks(c, value);
    } else if (strcmp(name, "replica.selector.class") == 0) {
        c->selects_by_rack = strcmp(value, by_rack) == 0;
        *is_good = c->selects_by_rack || value[0] == '\0';
    } else if (strcmp(name, "replica.lag.time.max.ms") == 0) {
        *is_good = parse_cluster_number(value, 1, INT32_MAX, &c->replica_lag_ms);
    } else {
        return false;
    }
    c->changes++;
    return true;
}

/* "host:port,host:port", of the nodes in turn; the last goes for those that are left. */
static bool set_advertised(struct sl_broker_cluster *c, const char *value) {
    char host[sizeof c->cluster.nodes[0].host];
    uint16_t port;
    for (int32_t i = 0; i < c->cluster.node_count; i++) {
        const char *comma = strchr(value, ',');
        size_t size = comma != NULL ? (size_t)(comma - value) : strlen(value);
        if (sl_text_parse_endpoint(value, size, host, sizeof host, &port) != NULL) return false;
        if (sl_broker_advertise(c, c->cluster.nodes[i].id, host, port) != 0) return false;
        if (comma != NULL) value = comma + 1;
    }
    return true;
}

int sl_broker_set(struct sl_broker_cluster *c, const char *name, const char *value) {
    enum { PARTITIONS_MOST = 10000 }; /* arbitrary: enough for any test */
    bool is_good = false;
    if (strcmp(name, "auto.create.topics.enable") == 0) {
        is_good = sl_text_parse_bool(value, &c->options.auto_create);
    } else if (strcmp(name, "num.partitions") == 0) {
        is_good = parse_cluster_number(value, 1, PARTITIONS_MOST, &c->cluster.default_partitions);
    } else if (strcmp(name, "message.max.bytes") == 0) {
        is_good = parse_cluster_number(value, 0, INT32_MAX, &c->options.message_max);
    } else if (strcmp(name, "fetch.session.slots") == 0) {
        is_good = parse_cluster_number(value, 0, INT32_MAX, &c->options.session_slots);
        for (int32_t i = 0; i < c->cluster.node_count; i++)
            set_session_slots(&c->cluster.nodes[i].sessions, c->options.session_slots);
    } else if (strcmp(name, "advertised.listeners") == 0) {
        is_good = set_advertised(c, value);
    } else if (strcmp(name, "group.coordinator.rebalance.protocols") == 0) {
        is_good = set_group_protocols(&c->groups.settings, value);
    } else if (sl_auth_set(&c->auth, name, value, &is_good)) {
        c->cluster.changes++;
    } else if (!set_replicas(&c->cluster, name, value, &is_good)) {
        (void)set_group_number(&c->groups.settings, name, value, &is_good);
    }
    return is_good ? 0 : SLUICE_ERR_CONFIG;
}

int sl_broker_set_topic(struct sl_broker_cluster *c, const char *topic, const char *name,
                        const char *value) {
    struct sl_cluster_topic *found = sl_cluster_find(&c->cluster, sl_bytes_str(topic));
    if (found == NULL) return SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (strcmp(name, "cleanup.policy") != 0) return SLUICE_ERR_CONFIG;
    bool compacted = strcmp(value, "compact") == 0;
    if (!compacted && strcmp(value, "delete") != 0) return SLUICE_ERR_CONFIG;
    found->compacted = compacted;
    return 0;
}
