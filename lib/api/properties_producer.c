/* Properties of producers. */
#include "api/property_rows.h"
#include "record/compress.h"

/* clang-format off */
static const struct sl_property producer_properties[] = {
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
};

static const struct sl_property_alias producer_aliases[] = {
    {"queue.buffering.max.ms", "linger.ms", 1},
    {"queue.buffering.max.kbytes", "buffer.memory", 1024},
    {"message.max.bytes", "max.request.size", 1},
    {"message.timeout.ms", "delivery.timeout.ms", 1},
    {"message.send.max.retries", "retries", 1},
    {"request.required.acks", "acks", 1},
    {"compression.codec", "compression.type", 1},
    {"partitioner.class", "partitioner", 1},
};

static const struct sl_property_word producer_words[] = {
    {"partitioner", "org.apache.kafka.clients.producer.internals.DefaultPartitioner",
     "murmur2_random"},
    {"partitioner", "org.apache.kafka.clients.producer.RoundRobinPartitioner", "roundrobin"},
};

/* The longest first where one begins another. */
static const struct sl_property_hint producer_hints[] = {
    {"transaction", "this version has no transactions"},
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
};
/* clang-format on */

const struct sl_property_section sl_properties_producer = {
    PROPERTY_LIST(rows, producer_properties),
    PROPERTY_LIST(aliases, producer_aliases),
    PROPERTY_LIST(words, producer_words),
    PROPERTY_LIST(hints, producer_hints),
};
