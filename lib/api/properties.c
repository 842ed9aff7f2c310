/* The property table and the parsing of values.
 *
 * Rows name the field that a value goes to by offset and size, so parsing needs no code of its own
 * for any property. Names, meanings and defaults are the Java client's; where a default is ours the
 * text says so. Names of librdkafka are aliases where the meanings agree; names of other clients
 * that mean nothing here have a hint instead, because "did you mean" would mislead.
 *
 * Not here: rules about several properties at once (config.c). */
#include "api/properties.h"

#include <string.h>

#include "record/compress.h"
#include "sluice/error.h"

enum {
    FOR_PRODUCER = 1 << SL_ROLE_PRODUCER,
    FOR_CONSUMER = 1 << SL_ROLE_CONSUMER,
    FOR_ALL = FOR_PRODUCER | FOR_CONSUMER | 1 << SL_ROLE_ADMIN
};

#define PROPERTY_FIELD(field)                         \
    .at = offsetof(struct sl_property_values, field), \
    .size = sizeof(((struct sl_property_values *)0)->field)
#define PROPERTY_NUMBER(low_, high_) \
    .type = SL_PROPERTY_NUMBER, .low = low_, .high = high_, .range = #low_ ".." #high_
#define PROPERTY_BOOL .type = SL_PROPERTY_BOOL, .range = "true|false"
#define PROPERTY_WORDS(first, words) \
    .type = SL_PROPERTY_WORD, .low = (first), .high = (first)-1, .range = words
#define PROPERTY_NUMERALS(first, last, words) \
    .type = SL_PROPERTY_WORD, .low = (first), .high = (last), .range = words
#define PROPERTY_WORD_LIST(first, words) \
    .type = SL_PROPERTY_WORDS, .low = (first), .high = (first)-1, .range = words
/* As long as a text of the protocol may be. */
#define PROPERTY_TEXT \
    .type = SL_PROPERTY_TEXT, .high = 32767, .range = "a text of at most 32767 bytes"
#define PROPERTY_RESET                                                          \
    .type = SL_PROPERTY_RESET, .low = SL_RESET_NONE, .high = SL_RESET_NONE - 1, \
    .range = "none|earliest|latest|by_duration:PnDTnHnMn.nS"
#define PROPERTY_LEVEL .type = SL_PROPERTY_LEVEL, .range = "a number, or default"

/* clang-format off */
static const struct sl_property property_table[] = {
    /* ---- all roles ---- */
    {.name = "bootstrap.servers", .roles = FOR_ALL,
     .type = SL_PROPERTY_ENDPOINTS, .range = "host:port,...", PROPERTY_FIELD(settings.bootstrap),
     .text = "Where the cluster is first asked for; one broker that answers is enough. IPv6 "
             "addresses are written in brackets."},
    {.name = "client.id", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.client_id),
     .text = "Names this client in the brokers' logs, metrics and quotas."},
    {.name = "security.protocol", .fallback = "PLAINTEXT", .roles = FOR_ALL,
     PROPERTY_WORDS(0, "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL"), PROPERTY_FIELD(security),
     .text = "How connections are protected. This version has PLAINTEXT."},
    {.name = "request.timeout.ms", .fallback = "30000", .roles = FOR_ALL,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.request_timeout_ms),
     .text = "How long a broker may take to answer a request before the connection is given up. A "
             "large answer that is coming has more time."},
    {.name = "default.api.timeout.ms", .fallback = "60000", .roles = FOR_ALL,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.default_api_timeout_ms),
     .text = "The timeout of calls that are made with SLUICE_TIMEOUT_DEFAULT, of whatever role; the "
             "Java client's producer calls it max.block.ms."},
    {.name = "socket.connection.setup.timeout.ms", .fallback = "10000", .roles = FOR_ALL,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.setup_timeout_ms),
     .text = "How long connecting may take; doubles with each failure in a row."},
    {.name = "socket.connection.setup.timeout.max.ms", .fallback = "30000", .roles = FOR_ALL,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.setup_timeout_max_ms),
     .text = "The most that socket.connection.setup.timeout.ms grows to."},
    {.name = "reconnect.backoff.ms", .fallback = "50", .roles = FOR_ALL,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.reconnect_backoff_ms),
     .text = "The wait before a broker is connected to again; doubles with each failure in a row."},
    {.name = "reconnect.backoff.max.ms", .fallback = "1000", .roles = FOR_ALL,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.reconnect_backoff_max_ms),
     .text = "The most that reconnect.backoff.ms grows to."},
    {.name = "retry.backoff.ms", .fallback = "100", .roles = FOR_ALL,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.retry_backoff_ms),
     .text = "The wait before a failed request is sent again; doubles with each failure."},
    {.name = "retry.backoff.max.ms", .fallback = "1000", .roles = FOR_ALL,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.retry_backoff_max_ms),
     .text = "The most that retry.backoff.ms grows to."},
    {.name = "connections.max.idle.ms", .fallback = "540000", .roles = FOR_ALL,
     PROPERTY_NUMBER(-1, 2147483647), PROPERTY_FIELD(settings.connections_max_idle_ms),
     .text = "Connections without traffic for so long are closed; -1: never."},
    {.name = "metadata.max.age.ms", .fallback = "300000", .roles = FOR_ALL,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.metadata_max_age_ms),
     .text = "The layout of the cluster is asked for again after so long, changes or not."},
    {.name = "metadata.max.idle.ms", .fallback = "300000", .roles = FOR_ALL,
     PROPERTY_NUMBER(5000, 2147483647), PROPERTY_FIELD(settings.metadata_max_idle_ms),
     .text = "Topics that nobody has used for so long are not asked for any more until they are "
             "used again."},
    {.name = "metadata.recovery.rebootstrap.trigger.ms", .fallback = "300000", .roles = FOR_ALL,
     PROPERTY_NUMBER(-1, 2147483647), PROPERTY_FIELD(settings.rebootstrap_trigger_ms),
     .text = "When no known broker has answered for so long, bootstrap.servers are asked again; "
             "-1: never."},
    {.name = "send.buffer.bytes", .fallback = "-1", .roles = FOR_ALL,
     PROPERTY_NUMBER(-1, 2147483647), PROPERTY_FIELD(settings.send_buffer_bytes),
     .text = "The system's send buffer of each connection; -1 (ours): as the system tunes it."},
    {.name = "receive.buffer.bytes", .fallback = "-1", .roles = FOR_ALL,
     PROPERTY_NUMBER(-1, 2147483647), PROPERTY_FIELD(settings.receive_buffer_bytes),
     .text = "The system's receive buffer of each connection; -1 (ours): as the system tunes it."},
    {.name = "receive.message.max.bytes", .fallback = "100000000", .roles = FOR_ALL,
     PROPERTY_NUMBER(1000, 2147483647), PROPERTY_FIELD(settings.receive_frame_max),
     .text = "A longer answer of a broker is refused, and its connection closed. A record batch that "
             "makes an answer so long stops its partition with an error."},
    {.name = "allow.auto.create.topics", .fallback = "true", .roles = FOR_ALL, PROPERTY_BOOL,
     PROPERTY_FIELD(settings.auto_create_topics),
     .text = "Topics that do not exist may be created by the broker when they are first used."},
    {.name = "log.to", .fallback = "stderr", .roles = FOR_ALL,
     PROPERTY_WORDS(SL_LOG_TO_STDERR, "stderr|events|none"), PROPERTY_FIELD(settings.log_to),
     .text = "Where log lines go when no log function is given."},
    {.name = "log.level", .fallback = "warning", .roles = FOR_ALL,
     PROPERTY_NUMERALS(3, 7, "error|warning|notice|info|debug"),
     PROPERTY_FIELD(settings.log_level),
     .text = "The least important lines that are logged; syslog's numbers 3 to 7 are fine too."},
    {.name = "fd.events", .fallback = "false", .roles = FOR_ALL, PROPERTY_BOOL,
     PROPERTY_FIELD(settings.fd_events),
     .text = "The client's descriptor turns readable for every event, not only for those that "
             "have to be acted on."},

    /* ---- producers ---- */
    {.name = "acks", .fallback = "all", .roles = FOR_PRODUCER,
     PROPERTY_NUMERALS(-1, 1, "all|0|1"), PROPERTY_FIELD(settings.acks),
     .text = "Who has to have a record before it counts as written: all replicas in sync, the "
             "leader alone (1), or nobody (0)."},
    {.name = "enable.idempotence", .fallback = "true", .roles = FOR_PRODUCER, PROPERTY_BOOL,
     PROPERTY_FIELD(settings.idempotence),
     .text = "Retries neither duplicate records nor change their order. Needs acks=all, retries and "
             "at most 5 requests in flight; while it is not set, acks=0, acks=1 or retries=0 turn "
             "it off."},
    {.name = "delivery.reports", .fallback = "none", .roles = FOR_PRODUCER,
     PROPERTY_WORDS(SL_REPORTS_NONE, "none|failed|all"), PROPERTY_FIELD(settings.reports),
     .text = "Of which records sluice_producer_deliveries tells the outcome."},
    {.name = "linger.ms", .fallback = "5", .roles = FOR_PRODUCER,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.linger_ms),
     .text = "How long a batch waits for more records at most before it is sent. Batches of all "
             "partitions go when the oldest has waited; while its broker is busy a batch goes on "
             "filling."},
    {.name = "batch.size", .fallback = "1000000", .roles = FOR_PRODUCER,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.batch_size),
     .text = "The bytes at which a batch is full, before compression (default ours: batches are "
             "allocated as they fill, so a large limit costs nothing)."},
    {.name = "max.request.size", .fallback = "1048576", .roles = FOR_PRODUCER,
     PROPERTY_NUMBER(1000, 2147483647), PROPERTY_FIELD(settings.max_request_size),
     .text = "A larger record is refused; and about the most that one request carries."},
    {.name = "buffer.memory", .fallback = "67108864", .roles = FOR_PRODUCER,
     PROPERTY_NUMBER(65536, 1099511627776), PROPERTY_FIELD(settings.buffer_memory),
     .text = "The budget of records that have no outcome yet (default ours, 64 MiB)."},
    {.name = "delivery.timeout.ms", .fallback = "120000", .roles = FOR_PRODUCER,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.delivery_timeout_ms),
     .text = "After so long every record has an outcome, retries included. While it is not set, it is "
             "as long at least as linger.ms and request.timeout.ms together."},
    {.name = "retries", .fallback = "2147483647", .roles = FOR_PRODUCER,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.retries),
     .text = "How often a batch is sent again; delivery.timeout.ms is the better limit."},
    {.name = "max.in.flight.requests.per.connection", .fallback = "5", .roles = FOR_PRODUCER,
     PROPERTY_NUMBER(1, 1000), PROPERTY_FIELD(settings.max_in_flight),
     .text = "Produce requests that may wait for their answer on one connection."},
    {.name = "compression.type", .fallback = "none", .roles = FOR_PRODUCER,
     PROPERTY_WORDS(SL_CODEC_NONE, "none|gzip|snappy|lz4|zstd"), PROPERTY_FIELD(settings.codec),
     .text = "How batches are compressed."},
    {.name = "compression.level", .fallback = "default", .roles = FOR_PRODUCER, PROPERTY_LEVEL,
     PROPERTY_FIELD(settings.level),
     .text = "The level of whatever compression.type says; -1 is the codec's default too."},
    {.name = "compression.gzip.level", .fallback = "default", .roles = FOR_PRODUCER, PROPERTY_LEVEL,
     PROPERTY_FIELD(gzip_level),
     .text = "The level when compression.type is gzip: 1 to 9; -1 is the default."},
    {.name = "compression.lz4.level", .fallback = "default", .roles = FOR_PRODUCER, PROPERTY_LEVEL,
     PROPERTY_FIELD(lz4_level),
     .text = "The level when compression.type is lz4: 1 to 17 (KIP-390)."},
    {.name = "compression.zstd.level", .fallback = "default", .roles = FOR_PRODUCER, PROPERTY_LEVEL,
     PROPERTY_FIELD(zstd_level),
     .text = "The level when compression.type is zstd: -131072 to 22."},
    {.name = "partitioner", .fallback = "murmur2_random", .roles = FOR_PRODUCER,
     PROPERTY_WORDS(SL_PARTITIONER_MURMUR2_RANDOM,
                    "murmur2_random|murmur2|consistent_random|consistent|fnv1a_random|fnv1a|"
                    "random|roundrobin"),
     PROPERTY_FIELD(settings.partitioner),
     .text = "Which partition a record goes to that names none: the hash of its key, as the Java "
             "client's default (murmur2), librdkafka's (consistent: CRC-32) or Sarama's (fnv1a). "
             "Records without key stay on one partition for 16 KiB with the names in _random, go "
             "where the empty key goes with those without, and consistent_random counts an empty "
             "key as none. random and roundrobin ignore keys and choose for each record."},
    {.name = "partitioner.ignore.keys", .fallback = "false", .roles = FOR_PRODUCER, PROPERTY_BOOL,
     PROPERTY_FIELD(settings.ignore_keys),
     .text = "Records with a key are placed as if they had none."},
    {.name = "partitioner.adaptive.partitioning.enable", .fallback = "true",
     .roles = FOR_PRODUCER, PROPERTY_BOOL, PROPERTY_FIELD(settings.adaptive_partitioning),
     .text = "Partitions with long queues get fewer of the records without key (KIP-794)."},
    {.name = "partitioner.availability.timeout.ms", .fallback = "0", .roles = FOR_PRODUCER,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.availability_timeout_ms),
     .text = "Partitions whose leader has taken nothing for so long, though something was ready "
             "for it, get no records without key; 0: they do. Only with "
             "partitioner.adaptive.partitioning.enable."},

    /* ---- consumers ---- */
    {.name = "auto.offset.reset", .fallback = "latest", .roles = FOR_CONSUMER,
     PROPERTY_RESET, PROPERTY_FIELD(settings.offset_reset),
     .text = "Where a partition starts that has no position, or one that does not exist any more (a log "
             "that was cut below it is read on from the cut); none: it is an error; by_duration:P1DT12H (ISO 8601): before what was written that long "
             "ago, or at the end when nothing is as new. With latest, partitions that appear while a subscription is on "
             "start at their beginning all the same: nothing is left out unseen. In a group the place is "
             "committed, with enable.auto.commit soon after it is known: a restart goes on there."},
    {.name = "check.crcs", .fallback = "true", .roles = FOR_CONSUMER, PROPERTY_BOOL,
     PROPERTY_FIELD(settings.check_crcs), .text = "The checksum of every batch is verified."},
    {.name = "isolation.level", .fallback = "read_uncommitted", .roles = FOR_CONSUMER,
     PROPERTY_WORDS(0, "read_uncommitted|read_committed"), PROPERTY_FIELD(settings.read_committed),
     .text = "Whether records of transactions that are open or were undone are seen; with "
             "read_committed neither are, and a partition ends before the first open one."},
    {.name = "poll.partitions", .fallback = "many", .roles = FOR_CONSUMER,
     PROPERTY_WORDS(0, "many|one"), PROPERTY_FIELD(settings.poll_one_partition),
     .text = "Of how many partitions one batch has records (ours)."},
    {.name = "poll.ends", .fallback = "false", .roles = FOR_CONSUMER, PROPERTY_BOOL,
     PROPERTY_FIELD(settings.poll_ends),
     .text = "A poll tells that the end of a partition was reached with a slice that has no "
             "records (ours)."},
    {.name = "fetch.min.bytes", .fallback = "1", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.fetch_min_bytes),
     .text = "A broker waits for so many bytes, or fetch.max.wait.ms, before it answers."},
    {.name = "fetch.max.bytes", .fallback = "52428800", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.fetch_max_bytes),
     .text = "About the most that one answer of a broker carries."},
    {.name = "max.partition.fetch.bytes", .fallback = "1048576", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.fetch_partition_bytes),
     .text = "About the most that one answer carries of one partition."},
    {.name = "fetch.max.wait.ms", .fallback = "500", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.fetch_max_wait_ms),
     .text = "The most that a broker waits for fetch.min.bytes; where that is 1 and there has been "
             "nothing to read for a while, ten times as long."},
    {.name = "fetch.memory", .fallback = "134217728", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(1048576, 1099511627776), PROPERTY_FIELD(settings.fetch_memory),
     .text = "The budget of what was received: buffered, and decompressed in batches not given back "
             "(ours, 128 MiB). A poll unpacks an eighth of it and 8 MiB at most, or one batch of the "
             "broker where that is larger; by so much the budget may be exceeded."},
    {.name = "fetch.batch.decoded.max.bytes", .fallback = "134217728", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(1024, 2147483647), PROPERTY_FIELD(settings.batch_decoded_max),
     .text = "A batch of the broker that is larger decompressed is refused (ours, 128 MiB)."},
    {.name = "client.rack", .fallback = "", .roles = FOR_CONSUMER,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.client_rack),
     .text = "Where this client stands, so that it can be sent to a replica nearby."},

    /* ---- groups ---- */
    {.name = "group.id", .fallback = "", .roles = FOR_CONSUMER,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.group_id),
     .text = "The group that shares the partitions of what is subscribed, and whose offsets are "
             "committed."},
    {.name = "enable.auto.commit", .fallback = "true", .roles = FOR_CONSUMER, PROPERTY_BOOL,
     PROPERTY_FIELD(settings.auto_commit),
     .text = "What is finished is committed every auto.commit.interval.ms, when partitions are given "
             "up, and on close. Without group.id it is off."},
    {.name = "auto.commit.interval.ms", .fallback = "5000", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.auto_commit_ms),
     .text = "How often enable.auto.commit looks for what is newly finished, while records are "
             "handed out."},
    {.name = "group.instance.id", .fallback = "", .roles = FOR_CONSUMER,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.group_instance_id),
     .text = "Makes the member a static one: within session.timeout.ms it comes back to the same "
             "partitions without a rebalance. Must be another one in each member."},
    {.name = "group.protocol", .fallback = "auto", .roles = FOR_CONSUMER,
     PROPERTY_WORDS(SL_GROUP_PROTOCOL_AUTO, "auto|classic|consumer"),
     PROPERTY_FIELD(settings.group_protocol),
     .text = "How partitions are shared: by the members (classic), by the brokers (consumer, from "
             "Kafka 4.0 on), or by the brokers where they can (auto, ours)."},
    {.name = "group.remote.assignor", .fallback = "", .roles = FOR_CONSUMER,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.group_remote_assignor),
     .text = "The broker's assignor (uniform, range) of the consumer protocol; empty: its choice."},
    {.name = "group.leave.on.close", .fallback = "auto", .roles = FOR_CONSUMER,
     PROPERTY_WORDS(SL_GROUP_LEAVE_AUTO, "auto|always|never"),
     PROPERTY_FIELD(settings.group_leave),
     .text = "Whether a close tells the group, which then shares the partitions anew at once; else "
             "they wait until the session has timed out. With auto only static members stay."},
    {.name = "partition.assignment.strategy", .fallback = "range,cooperative-sticky",
     .roles = FOR_CONSUMER,
     PROPERTY_WORD_LIST(SL_ASSIGNOR_RANGE, "range|roundrobin|sticky|cooperative-sticky"),
     PROPERTY_FIELD(settings.assignors),
     .text = "The assignors that this member supports in the classic protocol, the preferred one "
             "first. Partitions stay while others move only if all of them are cooperative."},
    {.name = "session.timeout.ms", .fallback = "45000", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.session_timeout_ms),
     .text = "A member that is not heard of for so long is put out of the group (classic). A member "
             "whose coordinator has not answered for so long hands nothing out until it does."},
    {.name = "heartbeat.interval.ms", .fallback = "3000", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.heartbeat_interval_ms),
     .text = "How often a member is heard of (classic); the consumer protocol's brokers say it."},
    {.name = "max.poll.interval.ms", .fallback = "300000", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(1, 2147483647), PROPERTY_FIELD(settings.max_poll_interval_ms),
     .text = "A consumer that does not poll for so long, or a little longer, gives its partitions "
             "to the others, and joins again with its next poll."},
    {.name = "rebalance.notices", .fallback = "false", .roles = FOR_CONSUMER, PROPERTY_BOOL,
     PROPERTY_FIELD(settings.rebalance_notices),
     .text = "Polls tell of partitions that come and go (ours): sluice_consumer_rebalance."},
    {.name = "rebalance.hold.ms", .fallback = "30000", .roles = FOR_CONSUMER,
     PROPERTY_NUMBER(0, 2147483647), PROPERTY_FIELD(settings.rebalance_hold_ms),
     .text = "How long batches that are not given back, or a notice that is not done with, may "
             "keep partitions that are to be given away (ours)."},
};

static const struct sl_property_alias property_aliases[] = {
    {"metadata.broker.list", "bootstrap.servers", 1},
    {"socket.timeout.ms", "request.timeout.ms", 1},
    {"socket.send.buffer.bytes", "send.buffer.bytes", 1},
    {"socket.receive.buffer.bytes", "receive.buffer.bytes", 1},
    {"topic.metadata.refresh.interval.ms", "metadata.max.age.ms", 1},
    {"log_level", "log.level", 1},
    {"queue.buffering.max.ms", "linger.ms", 1},
    {"queue.buffering.max.kbytes", "buffer.memory", 1024},
    {"message.max.bytes", "max.request.size", 1},
    {"message.timeout.ms", "delivery.timeout.ms", 1},
    {"message.send.max.retries", "retries", 1},
    {"request.required.acks", "acks", 1},
    {"compression.codec", "compression.type", 1},
    {"partitioner.class", "partitioner", 1},
    /* A call of a producer has its timeout as an argument. The one that stands for a property is
     * the same for all calls and roles, and a second property for it could only contradict. */
    {"max.block.ms", "default.api.timeout.ms", 1},
    {"max.in.flight", "max.in.flight.requests.per.connection", 1},
    {"fetch.wait.max.ms", "fetch.max.wait.ms", 1},
    {"fetch.message.max.bytes", "max.partition.fetch.bytes", 1},
    {"queued.max.messages.kbytes", "fetch.memory", 1024},
};

static const struct sl_property_word property_words[] = {
    {"partitioner", "org.apache.kafka.clients.producer.internals.DefaultPartitioner",
     "murmur2_random"},
    {"partitioner", "org.apache.kafka.clients.producer.RoundRobinPartitioner", "roundrobin"},
    {"auto.offset.reset", "smallest", "earliest"},
    {"auto.offset.reset", "beginning", "earliest"},
    {"auto.offset.reset", "largest", "latest"},
    {"auto.offset.reset", "end", "latest"},
    {"auto.offset.reset", "error", "none"},
    {"partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor", "range"},
    {"partition.assignment.strategy", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
     "roundrobin"},
    {"partition.assignment.strategy", "org.apache.kafka.clients.consumer.StickyAssignor", "sticky"},
    {"partition.assignment.strategy",
     "org.apache.kafka.clients.consumer.CooperativeStickyAssignor", "cooperative-sticky"},
};

/* The longest first where one begins another. */
static const struct sl_property_hint property_hints[] = {
    {"sasl.", "this version has no authentication: security.protocol is PLAINTEXT"},
    {"ssl.", "this version has no TLS: security.protocol is PLAINTEXT"},
    {"enable.auto.offset.store", "what sluice_batch_finish or sluice_batch_mark says is finished is "
                                 "committed, and nothing else"},
    {"offset.store.", "offsets are committed to the group's coordinator"},
    {"transaction", "this version has no transactions"},
    {"key.", "keys and values are bytes: serialise them before they are sent"},
    {"value.", "keys and values are bytes: serialise them before they are sent"},
    {"max.poll.records", "a poll returns what has arrived, in one batch; read as much of it as "
                         "you like"},
    {"queue.buffering.max.messages", "records are limited in bytes: buffer.memory"},
    {"batch.num.messages", "batches are limited in bytes: batch.size"},
    {"sticky.partitioning.linger.ms", "records without key change their partition after 16 KiB, "
                                      "whatever the time"},
    {"topic.metadata.propagation.max.ms", "records of a topic that does not exist yet wait for it, "
                                          "up to delivery.timeout.ms"},
    {"delivery.report.only.error", "set delivery.reports to failed, or to all"},
    {"queuing.strategy", "records of a partition are sent in order"},
    {"queue.buffering.backpressure.threshold", "a broker that is behind gets few large batches by "
                                               "itself"},
    {"message.copy.max.bytes", "values from 2 KiB on are not copied again"},
    {"queued.min.messages", "what is fetched ahead is limited in bytes: fetch.memory"},
    {"fetch.queue.backoff.ms", "fetching goes on at once when there is room again"},
    {"debug", "set log.level to debug"},
    {"statistics.interval.ms", "metrics are read when wanted: sluice_metrics_snapshot"},
    {"enable.partition.eof", "the end of a partition is told with poll.ends"},
};
/* clang-format on */

enum {
    PROPERTY_COUNT = (int)(sizeof property_table / sizeof property_table[0]),
    PROPERTY_ALIAS_COUNT = (int)(sizeof property_aliases / sizeof property_aliases[0]),
    PROPERTY_WORD_COUNT = (int)(sizeof property_words / sizeof property_words[0]),
    PROPERTY_HINT_COUNT = (int)(sizeof property_hints / sizeof property_hints[0]),
    PROPERTY_GUESS_MAX = 3 /* edits that still count as a slip of the pen */
};

/* ---- finding ---- */

const struct sl_property *sl_properties_at(int32_t index) {
    return index >= 0 && index < PROPERTY_COUNT ? &property_table[index] : NULL;
}

const struct sl_property_alias *sl_properties_alias_at(int32_t index) {
    return index >= 0 && index < PROPERTY_ALIAS_COUNT ? &property_aliases[index] : NULL;
}

const struct sl_property_word *sl_properties_word_at(int32_t index) {
    return index >= 0 && index < PROPERTY_WORD_COUNT ? &property_words[index] : NULL;
}

const struct sl_property_hint *sl_properties_hint_at(int32_t index) {
    return index >= 0 && index < PROPERTY_HINT_COUNT ? &property_hints[index] : NULL;
}

static const struct sl_property *find_property(const char *name) {
    for (int i = 0; i < PROPERTY_COUNT; i++)
        if (strcmp(property_table[i].name, name) == 0) return &property_table[i];
    return NULL;
}

const struct sl_property *sl_properties_find(const char *name, int64_t *unit) {
    *unit = 1;
    for (int i = 0; i < PROPERTY_ALIAS_COUNT; i++) {
        if (strcmp(property_aliases[i].name, name) != 0) continue;
        *unit = property_aliases[i].unit;
        return find_property(property_aliases[i].property);
    }
    return find_property(name);
}

static void guess_property(const char *name, const char *candidate, const char **best, int *least) {
    int distance = sl_text_distance(name, candidate, *least);
    if (distance >= *least) return;
    *least = distance;
    *best = candidate;
}

const char *sl_properties_guess(const char *name) {
    const char *best = NULL;
    /* Of a short name less may be wrong: "acks" is not meant by "size". */
    int least = (int)strlen(name) / 3 + 1;
    if (least > PROPERTY_GUESS_MAX + 1) least = PROPERTY_GUESS_MAX + 1;
    for (int i = 0; i < PROPERTY_COUNT; i++)
        guess_property(name, property_table[i].name, &best, &least);
    for (int i = 0; i < PROPERTY_ALIAS_COUNT; i++)
        guess_property(name, property_aliases[i].name, &best, &least);
    return best;
}

const char *sl_properties_hint(const char *name) {
    for (int i = 0; i < PROPERTY_HINT_COUNT; i++) {
        size_t size = strlen(property_hints[i].prefix);
        if (strncmp(name, property_hints[i].prefix, size) == 0) return property_hints[i].hint;
    }
    return NULL;
}

/* ---- values ---- */

static void store_property(const struct sl_property *p, struct sl_property_values *values,
                           int64_t number) {
    uint8_t *field = (uint8_t *)values + p->at;
    if (p->size == sizeof(bool)) {
        bool v = number != 0;
        memcpy(field, &v, sizeof v);
    } else if (p->size == sizeof(int16_t)) {
        int16_t v = (int16_t)number;
        memcpy(field, &v, sizeof v);
    } else if (p->size == sizeof(int32_t)) {
        int32_t v = (int32_t)number;
        memcpy(field, &v, sizeof v);
    } else {
        memcpy(field, &number, sizeof number);
    }
}

static const char *translate_word(const struct sl_property *p, const char *value) {
    for (int i = 0; i < PROPERTY_WORD_COUNT; i++)
        if (strcmp(property_words[i].property, p->name) == 0 &&
            sl_text_equal_fold(property_words[i].word, value))
            return property_words[i].means;
    return value;
}

/* The value of a word: words are numbered from p->low in the order of p->range. */
static bool parse_property_word(const struct sl_property *p, const char *value, int64_t *out) {
    int64_t number = p->low;
    value = translate_word(p, value);
    for (const char *word = p->range;; number++) {
        size_t size = strcspn(word, "|");
        char text[24];
        if (size < sizeof text) {
            memcpy(text, word, size);
            text[size] = '\0';
            if (sl_text_equal_fold(text, value)) {
                *out = number;
                return true;
            }
        }
        if (word[size] == '\0') break;
        word += size + 1;
    }
    return sl_text_parse_i64(value, out) && *out >= p->low && *out <= p->high;
}

static bool parse_property_words(const struct sl_property *p, const char *value, int64_t *out) {
    enum { WORD_BITS = 4, WORDS_MAX = 4, WORD_TEXT = 96 };
    uint32_t all = 0;
    int count = 0;
    for (const char *at = value; *at != '\0';) {
        char word[WORD_TEXT];
        int64_t number;
        while (*at == ' ') at++;
        size_t size = strcspn(at, ",");
        size_t trimmed = size;
        while (trimmed > 0 && at[trimmed - 1] == ' ') trimmed--;
        if (trimmed >= sizeof word || count == WORDS_MAX) return false;
        memcpy(word, at, trimmed);
        word[trimmed] = '\0';
        if (!parse_property_word(p, word, &number)) return false;
        for (int i = 0; i < count; i++)
            if ((all >> (WORD_BITS * i) & 15) == (uint32_t)number) return false;
        all |= (uint32_t)number << (WORD_BITS * count++);
        at += size;
        if (*at == ',') at++;
    }
    *out = all;
    return count > 0;
}

static bool parse_property_reset(const struct sl_property *p, const char *value, int64_t *out) {
    static const char prefix[] = "by_duration:";
    size_t size = sizeof prefix - 1;
    if (strncmp(value, prefix, size) == 0) return sl_text_parse_duration(value + size, out);
    return parse_property_word(p, value, out);
}

static bool parse_property_level(const char *value, int64_t *out) {
    if (strcmp(value, "default") == 0) {
        *out = SL_COMPRESS_LEVEL_DEFAULT;
        return true;
    }
    return sl_text_parse_i64(value, out) && *out > INT32_MIN && *out <= INT32_MAX;
}

static bool parse_property_number(const struct sl_property *p, const char *value, int64_t unit,
                                  int64_t *out) {
    int64_t number;
    if (!sl_text_parse_i64(value, &number)) return false;
    /* Multiplied only when that cannot overflow; anything larger is out of range as it is. */
    if (number > p->high / unit || number < -(INT64_MAX / unit)) return false;
    *out = number * unit;
    return *out >= p->low;
}

bool sl_properties_number(const struct sl_property *p, const char *value, int64_t unit,
                          int64_t *out) {
    bool flag = false;
    switch (p->type) {
    case SL_PROPERTY_BOOL:
        if (!sl_text_parse_bool(value, &flag)) return false;
        *out = flag;
        return true;
    case SL_PROPERTY_NUMBER:
        return parse_property_number(p, value, unit, out);
    case SL_PROPERTY_WORD:
        return parse_property_word(p, value, out);
    case SL_PROPERTY_WORDS:
        return parse_property_words(p, value, out);
    case SL_PROPERTY_RESET:
        return parse_property_reset(p, value, out);
    case SL_PROPERTY_LEVEL:
        return parse_property_level(value, out);
    case SL_PROPERTY_TEXT:
    case SL_PROPERTY_ENDPOINTS:
        break;
    }
    return false;
}

static int parse_property_scalar(const struct sl_property *p, const char *value, int64_t unit,
                                 struct sl_property_values *values, struct sl_text *why) {
    int64_t number;
    if (sl_properties_number(p, value, unit, &number)) {
        if (values != NULL) store_property(p, values, number);
        return 0;
    }
    /* A value may be long, or a secret that slipped in here; the name is enough to find it. */
    sl_text_printf(why, "\"%.60s\" is not one of %s", p->secret ? "****" : value, p->range);
    if (unit != 1) sl_text_printf(why, " (counted in units of %lld)", (long long)unit);
    return SLUICE_ERR_CONFIG;
}

static int parse_property_text(const struct sl_property *p, const char *value,
                               struct sl_property_values *values, const struct sl_alloc *alloc,
                               struct sl_text *why) {
    size_t size = strlen(value);
    if (size > (size_t)p->high) {
        sl_text_printf(why, "%zu bytes are not %s", size, p->range);
        return SLUICE_ERR_CONFIG;
    }
    if (values == NULL) return 0;
    char *text = sl_alloc_text(alloc, value, size);
    if (text == NULL) return SLUICE_ERR_NOMEM;
    memcpy((uint8_t *)values + p->at, &text, sizeof text);
    return 0;
}

/* ---- endpoints ---- */

enum { ENDPOINT_HOST_MAX = 256 };

/* The next piece of a list between commas, without blanks around it; false at the end. */
static bool next_endpoint(const char **at, const char **piece, size_t *size) {
    while (**at == ',' || **at == ' ' || **at == '\t') (*at)++;
    if (**at == '\0') return false;
    *piece = *at;
    *size = strcspn(*at, ",");
    *at += *size;
    while (*size > 0 && ((*piece)[*size - 1] == ' ' || (*piece)[*size - 1] == '\t')) (*size)--;
    return true;
}

static int count_endpoints(const char *value, int32_t *count, struct sl_text *why) {
    char host[ENDPOINT_HOST_MAX];
    const char *piece;
    size_t size;
    uint16_t port;
    *count = 0;
    for (const char *at = value; next_endpoint(&at, &piece, &size); (*count)++) {
        const char *wrong = sl_text_parse_endpoint(piece, size, host, sizeof host, &port);
        if (wrong == NULL) continue;
        sl_text_printf(why, "\"%.*s\": %s", size < 80 ? (int)size : 80, piece, wrong);
        return SLUICE_ERR_CONFIG;
    }
    if (*count > 0) return 0;
    sl_text_put(why, "names no broker");
    return SLUICE_ERR_CONFIG;
}

static int parse_endpoints(const char *value, struct sl_settings *settings,
                           const struct sl_alloc *alloc, struct sl_text *why) {
    char host[ENDPOINT_HOST_MAX];
    const char *piece;
    size_t size;
    int32_t count;
    int rv = count_endpoints(value, &count, why);
    if (rv != 0 || settings == NULL) return rv;
    settings->bootstrap = sl_alloc_array(alloc, (size_t)count, sizeof *settings->bootstrap);
    if (settings->bootstrap == NULL) return SLUICE_ERR_NOMEM;
    settings->bootstrap_count = count;
    struct sl_endpoint *e = settings->bootstrap;
    for (const char *at = value; next_endpoint(&at, &piece, &size); e++) {
        (void)sl_text_parse_endpoint(piece, size, host, sizeof host, &e->port); /* counted above */
        e->host = sl_alloc_text(alloc, host, strlen(host));
        if (e->host == NULL) return SLUICE_ERR_NOMEM;
    }
    return 0;
}

int sl_properties_parse(const struct sl_property *p, const char *value, int64_t unit,
                        struct sl_property_values *values, const struct sl_alloc *alloc,
                        struct sl_text *why) {
    switch (p->type) {
    case SL_PROPERTY_TEXT:
        return parse_property_text(p, value, values, alloc, why);
    case SL_PROPERTY_ENDPOINTS:
        return parse_endpoints(value, values == NULL ? NULL : &values->settings, alloc, why);
    case SL_PROPERTY_BOOL:
    case SL_PROPERTY_NUMBER:
    case SL_PROPERTY_WORD:
    case SL_PROPERTY_WORDS:
    case SL_PROPERTY_RESET:
    case SL_PROPERTY_LEVEL:
        break;
    }
    return parse_property_scalar(p, value, unit, values, why);
}

static void free_settings_text(const struct sl_alloc *alloc, char *text) {
    if (text != NULL) sl_alloc_free(alloc, text, strlen(text) + 1);
}

void sl_properties_free_texts(struct sl_settings *settings, const struct sl_alloc *alloc) {
    for (int32_t i = 0; i < settings->bootstrap_count; i++)
        free_settings_text(alloc, settings->bootstrap[i].host);
    sl_alloc_free(alloc, settings->bootstrap,
                  (size_t)settings->bootstrap_count * sizeof *settings->bootstrap);
    free_settings_text(alloc, settings->client_id);
    free_settings_text(alloc, settings->client_rack);
    free_settings_text(alloc, settings->group_id);
    free_settings_text(alloc, settings->group_instance_id);
    free_settings_text(alloc, settings->group_remote_assignor);
    settings->bootstrap = NULL;
    settings->bootstrap_count = 0;
    settings->client_id = settings->client_rack = settings->group_id = NULL;
    settings->group_instance_id = settings->group_remote_assignor = NULL;
}
