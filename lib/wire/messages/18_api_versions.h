/* ApiVersions (key 18): what a broker can do; the first request on every connection. Versions 0 to
 * 5; 3 flexible with the client's name and features in tags, 5 the broker that the client means
 * to reach. A broker that lacks our version answers error 35 with a version 0 body. */
#ifndef SL_WIRE_MESSAGES_API_VERSIONS_H
#define SL_WIRE_MESSAGES_API_VERSIONS_H

#include "wire/schema.h"

struct sl_api_versions_request {
    struct sl_str client_software_name; /* [a-zA-Z0-9.-], starts and ends with a letter or digit */
    struct sl_str client_software_version;
    struct sl_str cluster_id; /* or null: not known */
    int32_t node_id;          /* -1: not known */
};

struct sl_api_versions_range {
    int16_t api_key;
    int16_t min_version;
    int16_t max_version;
};
struct sl_api_versions_feature {
    struct sl_str name;
    int16_t min_version;
    int16_t max_version;
};
struct sl_api_versions_finalized {
    struct sl_str name;
    int16_t max_version_level;
    int16_t min_version_level;
};
struct sl_api_versions_response {
    int16_t error_code;
    struct sl_array api_keys; /* of sl_api_versions_range */
    int32_t throttle_ms;
    struct sl_array supported_features; /* of sl_api_versions_feature */
    int64_t finalized_features_epoch;   /* -1: not known, and the next list means nothing */
    struct sl_array finalized_features; /* of sl_api_versions_finalized */
};

extern const struct sl_type sl_api_versions_request_type;
extern const struct sl_type sl_api_versions_response_type;

#endif
