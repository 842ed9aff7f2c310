/* Properties of consumers and their groups. */
#include "api/property_rows.h"

/* clang-format off */
static const struct sl_property consumer_properties[] = {
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

static const struct sl_property_word consumer_words[] = {
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
static const struct sl_property_hint consumer_hints[] = {
    {"enable.auto.offset.store", "what sluice_batch_finish or sluice_batch_mark says is finished is "
                                 "committed, and nothing else"},
    {"offset.store.", "offsets are committed to the group's coordinator"},
    {"max.poll.records", "a poll returns what has arrived, in one batch; read as much of it as "
                         "you like"},
    {"queued.min.messages", "what is fetched ahead is limited in bytes: fetch.memory"},
    {"fetch.queue.backoff.ms", "fetching goes on at once when there is room again"},
    {"enable.partition.eof", "the end of a partition is told with poll.ends"},
};
/* clang-format on */

const struct sl_property_section sl_properties_consumer = {
    PROPERTY_LIST(rows, consumer_properties),
    PROPERTY_LIST(words, consumer_words),
    PROPERTY_LIST(hints, consumer_hints),
};
