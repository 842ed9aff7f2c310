/* Table of ApiVersions, in wire order. Version 5 (KIP-1242) is in the table and not in the range of
 * api.c: it has not met a real broker yet. Tag 3 of the answer, which only told controllers about
 * a ZooKeeper migration and went with Kafka 4.0, is left out and skipped like any unknown tag. */
#include "wire/messages/18_api_versions.h"

static const struct sl_field api_versions_request_lines[] = {
    FIELD(sl_api_versions_request, client_software_name, SINCE(3)),
    FIELD(sl_api_versions_request, client_software_version, SINCE(3)),
    NULLABLE(sl_api_versions_request, cluster_id, 5, SINCE(5)),
    FIELD(sl_api_versions_request, node_id, SINCE(5), OTHERWISE(-1)),
};
const struct sl_type sl_api_versions_request_type =
    TYPE(sl_api_versions_request, api_versions_request_lines);

static const struct sl_field api_versions_range_lines[] = {
    FIELD(sl_api_versions_range, api_key, ALWAYS),
    FIELD(sl_api_versions_range, min_version, ALWAYS),
    FIELD(sl_api_versions_range, max_version, ALWAYS),
};
static const struct sl_type sl_api_versions_range_type =
    TYPE(sl_api_versions_range, api_versions_range_lines);

static const struct sl_field api_versions_feature_lines[] = {
    FIELD(sl_api_versions_feature, name, ALWAYS),
    FIELD(sl_api_versions_feature, min_version, ALWAYS),
    FIELD(sl_api_versions_feature, max_version, ALWAYS),
};
static const struct sl_type sl_api_versions_feature_type =
    TYPE(sl_api_versions_feature, api_versions_feature_lines);

static const struct sl_field api_versions_finalized_lines[] = {
    FIELD(sl_api_versions_finalized, name, ALWAYS),
    FIELD(sl_api_versions_finalized, max_version_level, ALWAYS),
    FIELD(sl_api_versions_finalized, min_version_level, ALWAYS),
};
static const struct sl_type sl_api_versions_finalized_type =
    TYPE(sl_api_versions_finalized, api_versions_finalized_lines);

static const struct sl_field api_versions_response_lines[] = {
    FIELD(sl_api_versions_response, error_code, ALWAYS),
    ARRAY(sl_api_versions_response, api_keys, sl_api_versions_range, ALWAYS),
    FIELD(sl_api_versions_response, throttle_ms, SINCE(1)),
    ARRAY(sl_api_versions_response, supported_features, sl_api_versions_feature, TAGGED(0, 3)),
    FIELD(sl_api_versions_response, finalized_features_epoch, TAGGED(1, 3), OTHERWISE(-1)),
    ARRAY(sl_api_versions_response, finalized_features, sl_api_versions_finalized, TAGGED(2, 3)),
};
const struct sl_type sl_api_versions_response_type =
    TYPE(sl_api_versions_response, api_versions_response_lines);
