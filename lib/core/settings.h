/* The validated, immutable configuration of one client. api/config.c fills it from the property
 * table; nothing changes it once the client exists. All texts are owned by the settings object,
 * durations are milliseconds unless the name says otherwise, -1 where a property allows "none". */
#ifndef SL_CORE_SETTINGS_H
#define SL_CORE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

enum sl_role { SL_ROLE_PRODUCER = 1, SL_ROLE_CONSUMER, SL_ROLE_ADMIN }; /* as SLUICE_PRODUCER … */
/* security.protocol: bit 0 TLS, bit 1 SASL */
enum sl_security {
    SL_SECURITY_PLAINTEXT,
    SL_SECURITY_SSL,
    SL_SECURITY_SASL_PLAINTEXT,
    SL_SECURITY_SASL_SSL
};
/* sasl.mechanism */
enum sl_sasl_mechanism {
    SL_SASL_NONE = 0, /* nobody logs in */
    SL_SASL_PLAIN,
    SL_SASL_SCRAM_SHA_256,
    SL_SASL_SCRAM_SHA_512,
    SL_SASL_OAUTHBEARER,
    SL_SASL_GSSAPI
};
/* Where tokens of OAUTHBEARER come from. */
enum sl_token_source {
    SL_TOKEN_ASKED = 0, /* the application gives them */
    SL_TOKEN_FILE,
    SL_TOKEN_OIDC
};
enum sl_reports { SL_REPORTS_NONE = 1, SL_REPORTS_FAILED, SL_REPORTS_ALL };
/* Where log lines go that no log function takes. */
enum sl_log_to { SL_LOG_TO_STDERR = 1, SL_LOG_TO_EVENTS, SL_LOG_TO_NONE };
/* Values of auto.offset.reset that are no duration. */
enum sl_reset { SL_RESET_NONE = -3, SL_RESET_EARLIEST, SL_RESET_LATEST };

enum sl_group_protocol {
    SL_GROUP_PROTOCOL_AUTO = 1, /* consumer where the coordinator has it, else classic */
    SL_GROUP_PROTOCOL_CLASSIC,
    SL_GROUP_PROTOCOL_CONSUMER /* KIP-848 */
};
enum sl_group_leave {
    SL_GROUP_LEAVE_AUTO = 1, /* dynamic members leave, static ones stay */
    SL_GROUP_LEAVE_ALWAYS,
    SL_GROUP_LEAVE_NEVER
};
enum sl_assignor_name {
    SL_ASSIGNOR_RANGE = 1,
    SL_ASSIGNOR_ROUNDROBIN,
    SL_ASSIGNOR_STICKY,
    SL_ASSIGNOR_COOPERATIVE_STICKY
};

/* partitioner.c says what each does. */
enum sl_partitioner_name {
    SL_PARTITIONER_MURMUR2_RANDOM, /* the default, as of a struct that is all zero */
    SL_PARTITIONER_MURMUR2,
    SL_PARTITIONER_CONSISTENT_RANDOM,
    SL_PARTITIONER_CONSISTENT,
    SL_PARTITIONER_FNV1A_RANDOM,
    SL_PARTITIONER_FNV1A,
    SL_PARTITIONER_RANDOM,
    SL_PARTITIONER_ROUNDROBIN
};

/* Versions of ssl.enabled.protocols. */
enum sl_tls_protocol { SL_TLS_1_2 = 1, SL_TLS_1_3 };
/* What a server wants of its clients (ssl.client.auth). */
enum sl_tls_client_auth { SL_TLS_AUTH_NONE, SL_TLS_AUTH_REQUESTED, SL_TLS_AUTH_REQUIRED };

/* How TLS is spoken, by a client or a test broker. Texts are "" where nothing was said; the names
 * are those of the properties. Core looks at none of it. */
struct sl_tls_settings {
    char *ca_location;          /* a file or a directory; "" and no ca_pem: the system's own */
    char *ca_pem;               /* certificates as text */
    char *truststore_password;  /* of ca_location, where that is PKCS#12 */
    char *certificate_location; /* our own chain, our certificate first */
    char *certificate_pem;
    char *key_location;
    char *key_pem;           /* secret */
    char *key_password;      /* secret */
    char *keystore_location; /* chain and key in one file: PKCS#12 or PEM */
    char *keystore_password; /* secret */
    char *crl_location;
    char *cipher_suites;
    char *curves;
    char *sigalgs;
    uint32_t protocols;                  /* enum sl_tls_protocol, four bits each */
    bool verify;                         /* enable.ssl.certificate.verification */
    bool verify_no_name;                 /* ssl.endpoint.identification.algorithm=none */
    enum sl_tls_client_auth client_auth; /* servers alone */
};

/* How tokens are fetched. The names are those of the properties; core looks at what is marked so. */
struct sl_token_settings {
    enum sl_token_source source; /* core's; found out from the others */
    bool by_oidc;                /* sasl.oauthbearer.method=oidc */
    char *file;                  /* core's, for people */
    char *url;                   /* core's, for people; nothing secret is in it */
    char *client_id;
    char *client_secret; /* secret */
    char *scope;
    bool urlencode;             /* sasl.oauthbearer.header.urlencode */
    char *ca_location;          /* https.ca.location */
    char *ca_pem;               /* https.ca.pem */
    int32_t connect_timeout_ms; /* core's, like the rest */
    int32_t read_timeout_ms;
    int32_t backoff_ms; /* sasl.login.retry.backoff.ms, doubles per failure … */
    int32_t backoff_max_ms;
};

struct sl_endpoint {
    char *host; /* name or numeric address, without brackets */
    uint16_t port;
};

struct sl_settings {
    enum sl_role role;

    /* all roles */
    char *client_id;
    struct sl_endpoint *bootstrap;
    int32_t bootstrap_count;
    enum sl_security security;
    struct sl_tls_settings tls; /* of use when security has TLS */
    enum sl_sasl_mechanism sasl_mechanism;
    char *sasl_username;      /* these may be "", or NULL in settings made by hand */
    char *sasl_password;      /* secret */
    char *sasl_jaas;          /* sasl.jaas.config, done with; secret */
    char *sasl_token;         /* sasl.oauthbearer.token; secret */
    char *sasl_extensions;    /* sasl.oauthbearer.extensions: "name=value,…", checked */
    char *kerberos_service;   /* sasl.kerberos.service.name */
    char *kerberos_principal; /* "": whoever has the ticket */
    char *kerberos_keytab;    /* "": the ticket is in the system's cache */
    struct sl_token_settings token;
    bool sasl_by_token; /* sasl.scram.tokenauth: the user is the id of a delegation token */
    int32_t request_timeout_ms;
    int32_t default_api_timeout_ms;
    int32_t setup_timeout_ms;     /* socket.connection.setup.timeout.ms, doubles per failure … */
    int32_t setup_timeout_max_ms; /* … up to this */
    int32_t reconnect_backoff_ms;
    int32_t reconnect_backoff_max_ms;
    int32_t retry_backoff_ms;
    int32_t retry_backoff_max_ms;
    int32_t connections_max_idle_ms; /* -1: never */
    int32_t metadata_max_age_ms;
    int32_t metadata_max_idle_ms;
    int32_t rebootstrap_trigger_ms; /* metadata.recovery.rebootstrap.trigger.ms; -1: never */
    int32_t send_buffer_bytes;      /* -1: the system's own */
    int32_t receive_buffer_bytes;
    int32_t receive_frame_max; /* receive.message.max.bytes: a longer answer is refused */
    bool auto_create_topics;   /* allow.auto.create.topics */
    enum sl_log_to log_to;
    int32_t log_level; /* enum sl_log_level: what is more talkative is dropped */
    bool fd_events;    /* fd.events: every event makes the client's descriptor readable */

    /* producer */
    int16_t acks; /* 0, 1, -1 all */
    bool idempotence;
    enum sl_reports reports;
    int32_t linger_ms;
    int32_t batch_size;
    int32_t max_request_size;
    int64_t buffer_memory;
    int32_t delivery_timeout_ms;
    int32_t retries;
    int32_t max_in_flight; /* produce requests per connection, 1–5 with idempotence */
    int codec;             /* enum sl_codec */
    int32_t level;         /* SL_COMPRESS_LEVEL_DEFAULT: the codec's own */
    enum sl_partitioner_name partitioner;
    bool ignore_keys;                /* partitioner.ignore.keys */
    bool adaptive_partitioning;      /* partitioner.adaptive.partitioning.enable */
    int32_t availability_timeout_ms; /* partitioner.availability.timeout.ms; 0: never */

    /* consumer */
    int64_t offset_reset; /* enum sl_reset, or so many milliseconds before now */
    bool check_crcs;
    bool read_committed;
    bool poll_one_partition; /* poll.partitions=one */
    bool poll_ends;          /* poll.ends */
    int32_t fetch_min_bytes;
    int32_t fetch_max_bytes;
    int32_t fetch_partition_bytes; /* max.partition.fetch.bytes */
    int32_t fetch_max_wait_ms;
    int64_t fetch_memory;      /* fetch.memory: the receiving account */
    int32_t batch_decoded_max; /* fetch.batch.decoded.max.bytes: cap of one batch decompressed */
    char *client_rack;         /* "" none */

    /* groups */
    char *group_id;          /* "" none: nothing is committed, and nothing is known as committed */
    bool auto_commit;        /* enable.auto.commit; never without a group */
    int32_t auto_commit_ms;  /* auto.commit.interval.ms */
    char *group_instance_id; /* "" none: a dynamic member */
    enum sl_group_protocol group_protocol;
    char *group_remote_assignor; /* "" the broker's choice */
    uint32_t assignors; /* partition.assignment.strategy: enum sl_assignor_name, four bits each, the
                         * preferred one lowest */
    int32_t session_timeout_ms;
    int32_t heartbeat_interval_ms;
    int32_t max_poll_interval_ms;
    bool rebalance_notices;
    int32_t rebalance_hold_ms;
    enum sl_group_leave group_leave; /* group.leave.on.close */
};

#endif
