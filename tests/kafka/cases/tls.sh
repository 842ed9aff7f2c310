# TLS to real brokers, with and without a certificate of the client's: records of each codec are
# written and read back by a group of two, over TLS 1.3 and 1.2, and by those who log in under TLS,
# whose sessions end every ten seconds while they are at work. Who has no certificate where one is
# demanded, trusts somebody else, or speaks TLS to the plain port, is told so.
. "$(dirname "$0")/common.sh"

files=$SLUICE_KAFKA_DIR/tls
each=$((RECORDS / 20))

# refused WORDS BOOTSTRAP [-X name=value]...: producing fails, and says these words.
refused() {
    local words=$1 at=$2
    shift 2
    make_lines 0 1 0 >one
    ! "$BUILD/examples/producer" -b "$at" -t tls-refused -X security.protocol=SSL -X log.level=info \
        -X delivery.timeout.ms=1500 -X request.timeout.ms=1000 "$@" one >said 2>&1 ||
        fail "it was not refused: $*"
    grep -q -- "$words" said || fail "refused without '$words': $(cat said)"
}

# round NAME BOOTSTRAP [-X name=value]...: out, and back through two members of a group.
round() {
    local name=$1 at=$2 codec a b
    shift 2
    "$kafka" topic "tls-$name" 6
    set -- -X security.protocol=SSL -X "ssl.ca.location=$files/ca.pem" "$@"
    for member in a b; do
        "$BUILD/examples/group" -b "$at" -g "tls-$name" -t "tls-$name" -v \
            -X auto.offset.reset=earliest "$@" >"$name-$member.out" 2>"$name-$member.err" &
        eval "$member=$!"
    done
    : >sent
    for codec in $codecs; do
        make_lines "$(wc -l <sent)" "$each" 0 >lines
        cat lines >>sent
        "$BUILD/examples/producer" -b "$at" -t "tls-$name" -X partitioner=random \
            -X "compression.type=$codec" "$@" lines || fail "producing with $codec over $name"
    done
    sort -u sent >want
    await_that 60 all_is_printed "$name" || fail "records of $name are missing: $(tail -n 5 "$name"-?.err)"
    kill -TERM "$a" "$b"
    wait "$a" && wait "$b" || fail "a member of $name ended badly: $(tail -n 3 "$name"-?.err)"
    echo "tls: run=$name records=$(wc -l <sent)"
}
all_is_printed() { cat "$1"-?.out | cut -f 4- | sort -u | cmp -s - want; }

# keep MECHANISM: a producer under load, over sessions that brokers end; nothing may be lost, and
# nobody may hear of it.
keep() {
    local topic=tls-load-$1 sets
    sets=(--set security.protocol=SASL_SSL --set "ssl.ca.location=$files/ca.pem"
        --set "sasl.mechanism=$1" --set sasl.username=bob --set sasl.password=pencil)
    bootstrap=$SLUICE_KAFKA_SAFE
    "$kafka" topic "$topic" 6
    start_load "$topic" 6 --rate 1000 --sizes small --keys --seed 29 "${sets[@]}" 2>load.err
    sleep "$LOGINS"
    end_load
    verify consume --ledger ledger "${sets[@]}"
    ! grep -E 'refused|failed|lost|error|closed' load.err || fail "$1: see above"
    echo "tls: run=load-$1 seconds=$LOGINS records=$("$kafka" count "$topic")"
}

mine="-X ssl.keystore.location=$files/client.pem"
start_play tls13 round tls13 "$SLUICE_KAFKA_TLS" -X ssl.enabled.protocols=TLSv1.3
start_play tls12 round tls12 "$SLUICE_KAFKA_TLS" -X ssl.enabled.protocols=TLSv1.2
start_play mtls round mtls "$SLUICE_KAFKA_MTLS" $mine
start_play files round files "$SLUICE_KAFKA_MTLS" -X "ssl.certificate.location=$files/client.crt" \
    -X "ssl.key.location=$files/client.key" -X ssl.enabled.protocols=TLSv1.2
for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
    start_play "$mechanism" round "$mechanism" "$SLUICE_KAFKA_SAFE" -X security.protocol=SASL_SSL \
        -X "sasl.mechanism=$mechanism" -X sasl.username=bob -X sasl.password=pencil
done
await_plays
start_play load keep SCRAM-SHA-256 # by itself: brokers that are late end sessions
await_plays

refused 'uthentication failed' "$SLUICE_KAFKA_SAFE" -X "ssl.ca.location=$files/ca.pem" \
    -X security.protocol=SASL_SSL -X sasl.mechanism=PLAIN -X sasl.username=bob -X sasl.password=no
refused 'demands a client certificate' "$SLUICE_KAFKA_MTLS" -X "ssl.ca.location=$files/ca.pem"
refused 'is unknown' "$SLUICE_KAFKA_TLS"
refused 'security.protocol' "$bootstrap" -X "ssl.ca.location=$files/ca.pem"
refused 'does not belong to the certificate' "$SLUICE_KAFKA_MTLS" \
    -X "ssl.certificate.location=$files/client.crt" -X "ssl.key.location=$files/node.key"
