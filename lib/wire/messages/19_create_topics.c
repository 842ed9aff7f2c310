/* Table of CreateTopics, in wire order. */
#include "wire/messages/19_create_topics.h"

static const struct sl_field create_topics_assignment_lines[] = {
    FIELD(sl_create_topics_assignment, partition, ALWAYS),
    LIST(sl_create_topics_assignment, broker_ids, int32_t, ALWAYS),
};
static const struct sl_type sl_create_topics_assignment_type =
    TYPE(sl_create_topics_assignment, create_topics_assignment_lines);

static const struct sl_field create_topics_config_lines[] = {
    FIELD(sl_create_topics_config, name, ALWAYS),
    NULLABLE(sl_create_topics_config, value, 0, ALWAYS),
};
static const struct sl_type sl_create_topics_config_type =
    TYPE(sl_create_topics_config, create_topics_config_lines);

static const struct sl_field create_topics_topic_lines[] = {
    FIELD(sl_create_topics_topic, name, ALWAYS),
    FIELD(sl_create_topics_topic, partition_count, ALWAYS),
    FIELD(sl_create_topics_topic, replication_factor, ALWAYS),
    ARRAY(sl_create_topics_topic, assignments, sl_create_topics_assignment, ALWAYS),
    ARRAY(sl_create_topics_topic, configs, sl_create_topics_config, ALWAYS),
};
static const struct sl_type sl_create_topics_topic_type =
    TYPE(sl_create_topics_topic, create_topics_topic_lines);

static const struct sl_field create_topics_request_lines[] = {
    ARRAY(sl_create_topics_request, topics, sl_create_topics_topic, ALWAYS),
    FIELD(sl_create_topics_request, timeout_ms, ALWAYS, OTHERWISE(60000)),
    FIELD(sl_create_topics_request, validate_only, SINCE(1)),
};
const struct sl_type sl_create_topics_request_type =
    TYPE(sl_create_topics_request, create_topics_request_lines);

static const struct sl_field create_topics_config_response_lines[] = {
    FIELD(sl_create_topics_config_response, name, ALWAYS),
    NULLABLE(sl_create_topics_config_response, value, 5, ALWAYS),
    FIELD(sl_create_topics_config_response, read_only, ALWAYS),
    FIELD(sl_create_topics_config_response, config_source, ALWAYS, OTHERWISE(-1)),
    FIELD(sl_create_topics_config_response, is_sensitive, ALWAYS),
};
static const struct sl_type sl_create_topics_config_response_type =
    TYPE(sl_create_topics_config_response, create_topics_config_response_lines);

static const struct sl_field create_topics_topic_response_lines[] = {
    FIELD(sl_create_topics_topic_response, name, ALWAYS),
    FIELD(sl_create_topics_topic_response, topic_id, SINCE(7)),
    FIELD(sl_create_topics_topic_response, error_code, ALWAYS),
    NULLABLE(sl_create_topics_topic_response, error_message, 0, SINCE(1)),
    FIELD(sl_create_topics_topic_response, topic_config_error_code, TAGGED(0, 5)),
    FIELD(sl_create_topics_topic_response, partition_count, SINCE(5), OTHERWISE(-1)),
    FIELD(sl_create_topics_topic_response, replication_factor, SINCE(5), OTHERWISE(-1)),
    NULLABLE_ARRAY(sl_create_topics_topic_response, configs, sl_create_topics_config_response, 5,
                   SINCE(5)),
};
static const struct sl_type sl_create_topics_topic_response_type =
    TYPE(sl_create_topics_topic_response, create_topics_topic_response_lines);

static const struct sl_field create_topics_response_lines[] = {
    FIELD(sl_create_topics_response, throttle_ms, SINCE(2)),
    ARRAY(sl_create_topics_response, topics, sl_create_topics_topic_response, ALWAYS),
};
const struct sl_type sl_create_topics_response_type =
    TYPE(sl_create_topics_response, create_topics_response_lines);
