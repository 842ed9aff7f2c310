# Logging in, by each mechanism at once: a producer under load and a group of two, over sessions that
# brokers end after ten seconds. Nothing may be lost, and sessions have to be renewed; in a soak also under TLS,
# and under TLS alone. Then wrong passwords, and a mechanism that is not offered: told at once, in the
# broker's words.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/sessions.sh"

plain=$bootstrap
bootstrap=$SLUICE_KAFKA_LOGIN
seconds=$LOGINS
# Proxies of this machine are not for the provider of tokens.
export no_proxy=127.0.0.1

# An unsecured token of bob's, as brokers take it that were told of no other.
part() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }
token=$(printf '{"alg":"none"}' | part).$(printf '{"sub":"bob","iat":1,"exp":4000000000}' | part).

# settings_of WAY: into the array `login`, as names and values with = between. A way is a mechanism, or
# OIDC: tokens that last a quarter of a minute, which the library fetches; with SAFE before it all is under TLS.
# TLS and MTLS: nobody logs in, without and with a certificate of the client's.
settings_of() {
    local provider=$SLUICE_KAFKA_PROVIDER files=$SLUICE_KAFKA_DIR/tls
    login=(security.protocol=SASL_PLAINTEXT)
    case $1 in
        SAFE-*)
            login=(security.protocol=SASL_SSL "ssl.ca.location=$files/ca.pem")
            bootstrap=$SLUICE_KAFKA_SAFE
            ;;
    esac
    case $1 in
        SAFE-OIDC)
            bootstrap=$SLUICE_KAFKA_SAFE_OIDC provider=$SLUICE_KAFKA_SAFE_PROVIDER
            login+=("https.ca.location=$SLUICE_KAFKA_DIR/provider/ca.pem")
            ;;
        OIDC) bootstrap=$SLUICE_KAFKA_OIDC ;;
        TLS) bootstrap=$SLUICE_KAFKA_TLS ;;
        MTLS) bootstrap=$SLUICE_KAFKA_MTLS ;;
    esac
    case ${1#SAFE-} in
        OIDC)
            login+=(sasl.mechanism=OAUTHBEARER sasl.oauthbearer.method=oidc
                "sasl.oauthbearer.token.endpoint.url=$provider/token" sasl.oauthbearer.client.id=me
                "sasl.oauthbearer.client.secret=s3cret/+ &" sasl.oauthbearer.scope=kafka)
            ;;
        OAUTHBEARER) login+=(sasl.mechanism=OAUTHBEARER "sasl.oauthbearer.token=$token") ;;
        TLS) login=(security.protocol=SSL "ssl.ca.location=$files/ca.pem") ;;
        MTLS)
            login=(security.protocol=SSL "ssl.ca.location=$files/ca.pem"
                "ssl.keystore.location=$files/client.pem")
            ;;
        *) login+=("sasl.mechanism=${1#SAFE-}" sasl.username=bob sasl.password=pencil) ;;
    esac
}

# keep_by WAY: all of it, for LOGINS seconds.
keep_by() {
    local fetched
    settings_of "$1"
    keep "login-$1" "${login[@]}"
    case $1 in
        *OIDC)
            fetched=$(cat a.err b.err | grep -c 'a new token' || true)
            [ "$fetched" -ge "$((seconds / 15 * 2))" ] || fail "$1: only $fetched tokens were fetched"
            ;;
        TLS | MTLS) return ;;
    esac
    check_renewals
}

for way in PLAIN SCRAM-SHA-256 SCRAM-SHA-512 OAUTHBEARER OIDC SAFE-OIDC SAFE-SCRAM-SHA-256 \
    ${SOAK:+SAFE-PLAIN SAFE-SCRAM-SHA-512 SAFE-OAUTHBEARER TLS MTLS}; do
    start_play "$way" keep_by "$way"
done
await_plays
login=(security.protocol=SASL_PLAINTEXT)
for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
    refused "authentication failed ($mechanism, user \"bob\"): Authentication failed" \
        "${login[@]}" "sasl.mechanism=$mechanism" sasl.username=bob sasl.password=eraser
done
refused 'the token is not taken: invalid_' "${login[@]}" sasl.mechanism=OAUTHBEARER sasl.oauthbearer.token=a.b.c
bootstrap=$SLUICE_KAFKA_OIDC
refused "$SLUICE_KAFKA_PROVIDER/token: HTTP status 401, invalid_client: who are you?" \
    "${login[@]}" sasl.mechanism=OAUTHBEARER sasl.oauthbearer.method=oidc sasl.oauthbearer.client.id=me \
    "sasl.oauthbearer.token.endpoint.url=$SLUICE_KAFKA_PROVIDER/token" \
    sasl.oauthbearer.client.secret=eraser
refused 'the token is not taken: invalid_' "${login[@]}" sasl.mechanism=OAUTHBEARER "sasl.oauthbearer.token=$token"
bootstrap=$plain
refused 'check security.protocol' "${login[@]}" sasl.mechanism=PLAIN sasl.username=bob sasl.password=eraser
