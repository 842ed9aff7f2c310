/* Properties of every role: the cluster, connections, time, the log. */
#include "api/property_rows.h"

/* clang-format off */
static const struct sl_property general_properties[] = {
    {.name = "bootstrap.servers", .roles = FOR_ALL,
     .type = SL_PROPERTY_ENDPOINTS, .range = "host:port,...", PROPERTY_FIELD(settings.bootstrap),
     .text = "Where the cluster is first asked for; one broker that answers is enough. IPv6 "
             "addresses are written in brackets."},
    {.name = "client.id", .fallback = "", .roles = FOR_ALL,
     PROPERTY_TEXT, PROPERTY_FIELD(settings.client_id),
     .text = "Names this client in the brokers' logs, metrics and quotas."},
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
};

static const struct sl_property_alias general_aliases[] = {
    {"metadata.broker.list", "bootstrap.servers", 1},
    {"socket.timeout.ms", "request.timeout.ms", 1},
    {"socket.send.buffer.bytes", "send.buffer.bytes", 1},
    {"socket.receive.buffer.bytes", "receive.buffer.bytes", 1},
    {"topic.metadata.refresh.interval.ms", "metadata.max.age.ms", 1},
    {"log_level", "log.level", 1},
    /* A call of a producer has its timeout as an argument. The one that stands for a property is
     * the same for all calls and roles, and a second property for it could only contradict. */
    {"max.block.ms", "default.api.timeout.ms", 1},
    {"max.in.flight", "max.in.flight.requests.per.connection", 1},
    {"fetch.wait.max.ms", "fetch.max.wait.ms", 1},
    {"fetch.message.max.bytes", "max.partition.fetch.bytes", 1},
    {"queued.max.messages.kbytes", "fetch.memory", 1024},
};

/* The longest first where one begins another. */
static const struct sl_property_hint general_hints[] = {
    {"key.", "keys and values are bytes: serialise them before they are sent"},
    {"value.", "keys and values are bytes: serialise them before they are sent"},
    {"debug", "set log.level to debug"},
    {"statistics.interval.ms", "metrics are read when wanted: sluice_metrics_snapshot"},
};
/* clang-format on */

const struct sl_property_section sl_properties_general = {
    PROPERTY_LIST(rows, general_properties),
    PROPERTY_LIST(aliases, general_aliases),
    PROPERTY_LIST(hints, general_hints),
};
