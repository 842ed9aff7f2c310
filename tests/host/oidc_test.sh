#!/bin/sh
# Goal: the library gets its tokens from a file and from a real OIDC provider over http and https, says in
# words what is wrong where it cannot, and shows no secret to anybody.
# Method: a provider of the tests' own, the bundled broker, and the example producer, which sends a line.
. tests/check.sh
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && command -v openssl >/dev/null || {
    echo "skipped: it needs Python 3.9 and openssl"
    exit 0
}
secret='s3cret/+ &'
# Proxies of this machine are not for 127.0.0.1.
no_proxy=127.0.0.1
export no_proxy

mkfifo "$scratch/ports"
python3 tests/host/oidc_server.py "$scratch" 60 >"$scratch/ports" 2>"$scratch/server.err" &
server=$!
read -r http https <"$scratch/ports"
mkfifo "$scratch/lines"
"$BUILD/sluice-broker" --port 0 --set sasl.enabled.mechanisms=OAUTHBEARER \
    >"$scratch/lines" 2>"$scratch/broker.err" &
broker=$!
trap 'kill "$server" "$broker" 2>/dev/null; rm -rf "$scratch"' EXIT
exec 3<"$scratch/lines"
read -r line <&3
port=$(expr "$line" : '.*:\([0-9]*\) ')
check "the provider and the broker listen" test -n "$http" -a -n "$https" -a -n "$port"

# send FILE NAME=VALUE...: a line to the broker; what is said goes to the file.
send() {
    said=$1
    shift
    left=$#
    while [ "$left" -gt 0 ]; do
        option=$1
        shift
        set -- "$@" -X "$option"
        left=$((left - 1))
    done
    echo line | timeout 40 "$BUILD/examples/producer" -b "127.0.0.1:$port" -t t \
        -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=OAUTHBEARER -X log.level=debug \
        -X delivery.timeout.ms=5000 -X request.timeout.ms=3000 -X linger.ms=0 \
        -X sasl.login.connect.timeout.ms=2000 -X sasl.login.read.timeout.ms=1000 \
        "$@" >"$said" 2>&1
}
# oidc URL NAME=VALUE...: runs "$@" with what asks that provider.
oidc() {
    command=$1 said=$2 url=$3
    shift 3
    $command "$said" sasl.oauthbearer.method=oidc "sasl.oauthbearer.token.endpoint.url=$url" \
        sasl.oauthbearer.client.id=me "sasl.oauthbearer.client.secret=$secret" \
        sasl.oauthbearer.scope=unsigned "$@"
}
# sends WHAT NAME=VALUE..., refuses WHAT WORDS NAME=VALUE...: all at the same time, in the background, for
# a refusal takes the time of a delivery; judge looks at how they ended. The same of a provider: asks
# WHAT URL NAME=VALUE..., turns_away WHAT WORDS URL NAME=VALUE...
cases=0
begin_case() { # WHAT WORDS
    cases=$((cases + 1))
    said=$scratch/case-$cases
    echo "$1" >"$said.what"
    echo "$2" >"$said.words"
}
run_case() { { "$@" && echo sent >"$said.end" || echo refused >"$said.end"; } & }
sends() {
    begin_case "$1" ''
    shift
    run_case send "$said" "$@"
}
refuses() {
    begin_case "$1" "$2"
    shift 2
    run_case send "$said" "$@"
}
asks() {
    begin_case "$1" ''
    shift
    run_case oidc send "$said" "$@"
}
turns_away() {
    begin_case "$1" "$2"
    shift 2
    run_case oidc send "$said" "$@"
}
ended_well() { # FILE
    words=$(cat "$1.words")
    if [ -z "$words" ]; then want=sent; else want=refused; fi
    [ "$(cat "$1.end")" = "$want" ] && { [ -z "$words" ] || grep -q -e "$words" "$1"; } && return
    sed 's/^/    /' "$1"
    return 1
}
judge() {
    judged=0
    while [ "$judged" -lt "$cases" ]; do
        judged=$((judged + 1))
        while [ ! -s "$scratch/case-$judged.end" ]; do sleep 0.1; done
        check "$(cat "$scratch/case-$judged.what")" ended_well "$scratch/case-$judged"
    done
}
idp=http://127.0.0.1:$http
safe_idp=https://127.0.0.1:$https

# ---- files ----

refuses "a file that is not there is named" "$scratch/none: No such file or directory" \
    "sasl.oauthbearer.token.file=$scratch/none"
refuses "a folder is no file" "$scratch: Is a directory" "sasl.oauthbearer.token.file=$scratch"
echo "c4n4ry in a file" >"$scratch/words"
refuses "a file without a token is refused" 'what is in it is not a token' \
    "sasl.oauthbearer.token.endpoint.url=file://$scratch/words"
head -c 100000 /dev/zero | tr '\0' a >"$scratch/large"
refuses "a large file is refused" 'it is longer than any token' \
    "sasl.oauthbearer.token.file=$scratch/large"
part() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
printf '%s.%s.\n' "$(printf '{"alg":"none"}' | part)" \
    "$(printf '{"sub":"bob","iat":1,"exp":4000000000}' | part)" >"$scratch/token"
sends "a file with a token is one" "sasl.oauthbearer.token.file=$scratch/token"

# ---- a provider ----

if oidc send "$scratch/first" "$idp/token" sasl.oauthbearer.scope=x || \
    grep -q 'has no libcurl' "$scratch/first"; then
    judge
    echo "a provider is not asked: this build has no libcurl"
    end_checks
    exit
fi
check "a token that the broker does not take is told" \
    grep -q 'the token is not taken: invalid_' "$scratch/first"
check "it is told that http is not safe" grep -q 'is asked for tokens without TLS' "$scratch/first"
asks "a provider gives a token" "$idp/token"
turns_away "id and secret are sent as they are, …" 'invalid_client' \
    "$idp/token" 'sasl.oauthbearer.client.id=me+'
asks "… or URL-encoded" "$idp/token" 'sasl.oauthbearer.client.id=me+' \
    sasl.oauthbearer.header.urlencode=true
turns_away "a wrong secret is told in the provider's words" \
    "$idp/token: HTTP status 401, invalid_client: who are you?" \
    "$idp/token" sasl.oauthbearer.client.secret=c4n4ry
turns_away "no redirect is followed" 'HTTP status 307: it redirects to http://elsewhere' "$idp/moved"
turns_away "a provider may be broken" 'HTTP status 500, server_error' "$idp/broken"
turns_away "or busy" 'HTTP status 429' "$idp/busy"
turns_away "or not be there" 'HTTP status 404' "$idp/nowhere"
turns_away "or speak of something else" 'its answer is not a JSON object' "$idp/html"
turns_away "or for too long" 'its answer is longer than 64 KiB' "$idp/huge"
turns_away "or not at all" 'imed out' "$idp/slow"
turns_away "or have nobody listen" 'onnect' http://127.0.0.1:1/token

# ---- https ----

asks "a provider over https is trusted by its authority" "$safe_idp/token" \
    "https.ca.location=$scratch/ca.pem"
safe=$said
asks "or by its text" "$safe_idp/token" "https.ca.pem=$(cat "$scratch/ca.pem")"
turns_away "and by no other" 'certificate' "$safe_idp/token"
turns_away "a file of authorities that is none is told" 'certificate' "$safe_idp/token" \
    "https.ca.location=$scratch/token"
turns_away "http is not https" "https://127.0.0.1:$http/token: " "https://127.0.0.1:$http/token" \
    "https.ca.location=$scratch/ca.pem"
judge
check "nothing is said against https" sh -c "! grep -q 'is asked for tokens without TLS' '$safe'"

# ---- secrets ----

# The client's own, also in base64 behind its id, and what only a file or a setting has.
check "no secret was shown to anybody" sh -c "! grep -hF -e 's3cret' -e c4n4ry -e bWU6czNj \
    '$scratch'/case-* '$scratch/first'"
check "the provider has nothing to complain of" [ ! -s "$scratch/server.err" ]
end_checks
