# TLS to real brokers, with and without a certificate of the client's: records of each codec are
# written and read back by a group of two, over TLS 1.3 and 1.2, and by those who log in under TLS. Who has
# no certificate where one is demanded, trusts somebody else, or speaks TLS to the plain port, is told so.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/sessions.sh"

files=$SLUICE_KAFKA_DIR/tls
each=$((RECORDS / 20))

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

plain=$bootstrap
trust="ssl.ca.location=$files/ca.pem"
bootstrap=$SLUICE_KAFKA_SAFE
refused 'uthentication failed' "$trust" security.protocol=SASL_SSL sasl.mechanism=PLAIN \
    sasl.username=bob sasl.password=eraser
bootstrap=$SLUICE_KAFKA_MTLS
refused 'demands a client certificate' "$trust" security.protocol=SSL
refused 'does not belong to the certificate' security.protocol=SSL \
    "ssl.certificate.location=$files/client.crt" "ssl.key.location=$files/node.key"
bootstrap=$SLUICE_KAFKA_TLS
refused 'is unknown' security.protocol=SSL
bootstrap=$plain
refused 'security.protocol' "$trust" security.protocol=SSL
