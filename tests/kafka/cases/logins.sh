# Logging in, by each mechanism at once: a producer under load and a group of two, over sessions that
# brokers end after ten seconds. Nothing may be lost, and sessions have to be renewed. Then wrong passwords,
# and a mechanism that is not offered: told at once, in the broker's words.
. "$(dirname "$0")/common.sh"

plain=$bootstrap
bootstrap=$SLUICE_KAFKA_LOGIN
# Proxies of this machine are not for the provider of tokens.
export no_proxy=127.0.0.1

# An unsecured token of bob's, as brokers take it that were told of no other.
part() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }
token=$(printf '{"alg":"none"}' | part).$(printf '{"sub":"bob","iat":1,"exp":4000000000}' | part).

# settings_of WAY: into the array `login`, as names and values with = between. A way is a mechanism, or
# OIDC: tokens that last a quarter of a minute, which the library fetches; with SAFE before it all is under TLS.
settings_of() {
    local provider=$SLUICE_KAFKA_PROVIDER
    login=(security.protocol=SASL_PLAINTEXT)
    case $1 in
        SAFE-*)
            login=(security.protocol=SASL_SSL "ssl.ca.location=$SLUICE_KAFKA_DIR/tls/ca.pem")
            bootstrap=$SLUICE_KAFKA_SAFE
            ;;
    esac
    case $1 in
        SAFE-OIDC)
            bootstrap=$SLUICE_KAFKA_SAFE_OIDC provider=$SLUICE_KAFKA_SAFE_PROVIDER
            login+=("https.ca.location=$SLUICE_KAFKA_DIR/provider/ca.pem")
            ;;
        OIDC) bootstrap=$SLUICE_KAFKA_OIDC ;;
    esac
    case ${1#SAFE-} in
        OIDC)
            login+=(sasl.mechanism=OAUTHBEARER sasl.oauthbearer.method=oidc
                "sasl.oauthbearer.token.endpoint.url=$provider/token" sasl.oauthbearer.client.id=me
                "sasl.oauthbearer.client.secret=s3cret/+ &" sasl.oauthbearer.scope=kafka)
            ;;
        OAUTHBEARER) login+=(sasl.mechanism=OAUTHBEARER "sasl.oauthbearer.token=$token") ;;
        *) login+=("sasl.mechanism=${1#SAFE-}" sasl.username=bob sasl.password=pencil) ;;
    esac
}

# keep WAY: all of it, for LOGINS seconds.
keep() {
    local topic=login-$1 option sets=() options=() a b renewed ended fetched
    settings_of "$1"
    for option in "${login[@]}"; do
        sets+=(--set "$option")
        options+=(-X "$option")
    done
    "$kafka" topic "$topic" 6
    for name in a b; do
        "$BUILD/examples/group" -b "$bootstrap" -g "$topic" -t "$topic" "${options[@]}" \
            -X log.level=debug >"$name.out" 2>"$name.err" &
        if [ $name = a ]; then a=$!; else b=$!; fi
    done
    start_load "$topic" 6 --rate 1000 --sizes small --keys --seed 23 "${sets[@]}" 2>load.err
    sleep "$LOGINS"
    end_load
    verify consume --ledger ledger "${sets[@]}"
    all_is_read() { [ "$(cat a.out b.out | wc -l)" -ge "$("$kafka" count "$topic")" ]; }
    await_that 60 all_is_read || fail "$1: the group has read $(cat a.out b.out | wc -l)"
    kill -TERM "$a" "$b"
    wait "$a" && wait "$b" || fail "$1: a member ended badly: $(tail -n 3 ./*.err)"
    ! grep -hE 'refused|authentication failed|there is no token|not renewed' load.err a.err b.err || fail "$1: see above"
    # The client renews a session half a second before its end at the latest. A broker that stands still
    # for longer reads a request that left in time after the end, and hangs up ("Disconnecting expired
    # channel" in its log at debug level, with a heartbeat or a Produce; seen when brokers are frozen for
    # 1.2 s, and on machines that pause). Nothing is lost by it, but it must not be the rule.
    renewed=$(cat a.err b.err | grep -c 'authenticated anew' || true)
    ended=$(cat a.err b.err | grep -c 'closed the connection' || true)
    case $1 in
        *OIDC)
            fetched=$(cat a.err b.err | grep -c 'a new token' || true)
            [ "$fetched" -ge "$((LOGINS / 15 * 2))" ] || fail "$1: only $fetched tokens were fetched"
            ;;
    esac
    [ "$renewed" -ge "$((LOGINS / 10 * 6))" ] || fail "$1: only $renewed sessions were renewed"
    [ "$ended" -le "$((renewed / 3))" ] || fail "$1: $ended connections ended, $renewed were renewed"
    echo "logins: run=$1 seconds=$LOGINS renewed=$renewed ended=$ended records=$("$kafka" count "$topic")"
}

# refused TEXT NAME=VALUE...: a producer that is told why it cannot log in.
refused() {
    local text=$1 option options=()
    shift
    for option in security.protocol=SASL_PLAINTEXT "$@"; do options+=(-X "$option"); done
    echo line | timeout 8 "$BUILD/examples/producer" -b "$bootstrap" -t login-refused \
        -X delivery.timeout.ms=3000 -X request.timeout.ms=2000 "${options[@]}" >refused.out 2>&1 || true
    grep -q -- "$text" refused.out || fail "no '$text' in: $(cat refused.out)"
    ! grep -q eraser refused.out || fail "the password is in: $(cat refused.out)"
}

for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512 OAUTHBEARER; do
    start_play "$mechanism" keep "$mechanism"
done
await_plays
for way in OIDC SAFE-OIDC ${SOAK:+SAFE-PLAIN SAFE-SCRAM-SHA-256 SAFE-SCRAM-SHA-512}; do
    start_play "$way" keep "$way"
done
await_plays
for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
    refused "authentication failed ($mechanism, user \"bob\"): Authentication failed" \
        "sasl.mechanism=$mechanism" sasl.username=bob sasl.password=eraser
done
refused 'the token is not taken: invalid_' sasl.mechanism=OAUTHBEARER sasl.oauthbearer.token=a.b.c
bootstrap=$SLUICE_KAFKA_OIDC
refused "$SLUICE_KAFKA_PROVIDER/token: HTTP status 401, invalid_client: who are you?" \
    sasl.mechanism=OAUTHBEARER sasl.oauthbearer.method=oidc sasl.oauthbearer.client.id=me \
    "sasl.oauthbearer.token.endpoint.url=$SLUICE_KAFKA_PROVIDER/token" \
    sasl.oauthbearer.client.secret=eraser
refused 'the token is not taken: invalid_' sasl.mechanism=OAUTHBEARER "sasl.oauthbearer.token=$token"
bootstrap=$plain
refused 'check security.protocol' sasl.mechanism=PLAIN sasl.username=bob sasl.password=eraser
