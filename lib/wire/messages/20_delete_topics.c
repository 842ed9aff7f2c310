/* Table of DeleteTopics, in wire order. Version 6 has a list of structs where the others have a
 * list of names. */
#include "wire/messages/20_delete_topics.h"

static const struct sl_field delete_topics_topic_lines[] = {
    NULLABLE(sl_delete_topics_topic, name, 6, ALWAYS),
    FIELD(sl_delete_topics_topic, topic_id, ALWAYS),
};
static const struct sl_type sl_delete_topics_topic_type =
    TYPE(sl_delete_topics_topic, delete_topics_topic_lines);

static const struct sl_field delete_topics_request_lines[] = {
    ARRAY(sl_delete_topics_request, topics, sl_delete_topics_topic, SINCE(6)),
    LIST(sl_delete_topics_request, topic_names, struct sl_str, UNTIL(5)),
    FIELD(sl_delete_topics_request, timeout_ms, ALWAYS),
};
const struct sl_type sl_delete_topics_request_type =
    TYPE(sl_delete_topics_request, delete_topics_request_lines);

static const struct sl_field delete_topics_topic_response_lines[] = {
    NULLABLE(sl_delete_topics_topic_response, name, 6, ALWAYS),
    FIELD(sl_delete_topics_topic_response, topic_id, SINCE(6)),
    FIELD(sl_delete_topics_topic_response, error_code, ALWAYS),
    NULLABLE(sl_delete_topics_topic_response, error_message, 5, SINCE(5)),
};
static const struct sl_type sl_delete_topics_topic_response_type =
    TYPE(sl_delete_topics_topic_response, delete_topics_topic_response_lines);

static const struct sl_field delete_topics_response_lines[] = {
    FIELD(sl_delete_topics_response, throttle_ms, SINCE(1)),
    ARRAY(sl_delete_topics_response, topics, sl_delete_topics_topic_response, ALWAYS),
};
const struct sl_type sl_delete_topics_response_type =
    TYPE(sl_delete_topics_response, delete_topics_response_lines);
