# Logging in by Kerberos, with and without TLS: a producer under load and a group of two, over sessions that
# brokers end after ten seconds. Nothing may be lost, and sessions have to be renewed; where a keytab is
# given, tickets too, which last for ten seconds, or a minute in a soak. Then what can be wrong, in words.
. "$(dirname "$0")/common.sh"

realm=$SLUICE_KAFKA_REALM
if [ -z "$realm" ]; then
    echo "gssapi: skipped, for no KDC is installed here"
    exit 0
fi
# Long enough for each session to be renewed once.
seconds=$((LOGINS > 60 ? LOGINS : 15))
lifetime=$((LOGINS > 60 ? 60 : 10))
sed "s/ticket_lifetime = .*/ticket_lifetime = $lifetime/" "$realm/krb5.conf" >krb5.conf
export KRB5_CONFIG=$PWD/krb5.conf
KRB5_CONFIG=$realm/krb5.conf kinit -k -t "$realm/client.keytab" -c "FILE:$PWD/ccache" other

# Tickets that somebody has got with a key, so far.
count_tickets() { grep -c "AS_REQ .*ISSUE:.* $1@" "$realm/kdc/log" || true; }

# keep TOPIC NAME=VALUE...: all of it, for so many seconds.
keep() {
    local topic=$1 option sets=() options=() a b renewed ended
    shift
    for option in sasl.mechanism=GSSAPI "$@"; do
        sets+=(--set "$option")
        options+=(-X "$option")
    done
    "$kafka" topic "$topic" 6
    for name in a b; do
        "$BUILD/examples/group" -b "$bootstrap" -g "$topic" -t "$topic" "${options[@]}" \
            -X log.level=debug >"$name.out" 2>"$name.err" &
        if [ $name = a ]; then a=$!; else b=$!; fi
    done
    start_load "$topic" 6 --rate 1000 --sizes small --keys --seed 29 "${sets[@]}" 2>load.err
    sleep "$seconds"
    end_load
    verify consume --ledger ledger "${sets[@]}"
    all_is_read() { [ "$(cat a.out b.out | wc -l)" -ge "$("$kafka" count "$topic")" ]; }
    await_that 60 all_is_read || fail "$topic: the group has read $(cat a.out b.out | wc -l)"
    kill -TERM "$a" "$b"
    wait "$a" && wait "$b" || fail "$topic: a member ended badly: $(tail -n 3 ./*.err)"
    ! grep -hE 'refused|authentication failed|Kerberos' load.err a.err b.err || fail "$topic: see above"
    # On a machine that stands still for half a second a request may come after the end of its session.
    renewed=$(cat a.err b.err | grep -c 'authenticated anew' || true)
    ended=$(cat a.err b.err | grep -c 'closed the connection' || true)
    [ "$renewed" -ge "$((seconds / 10 * 6))" ] || fail "$topic: only $renewed sessions were renewed"
    [ "$ended" -le "$((renewed / 3))" ] || fail "$topic: $ended connections ended, $renewed were renewed"
    echo "gssapi: run=$topic seconds=$seconds renewed=$renewed ended=$ended records=$("$kafka" count "$topic")"
}

keep_by_keytab() {
    local before
    before=$(count_tickets client)
    bootstrap=$SLUICE_KAFKA_LOGIN
    keep gssapi-keytab security.protocol=SASL_PLAINTEXT sasl.kerberos.principal=client \
        "sasl.kerberos.keytab=$realm/client.keytab"
    # Three programs and the one that reads it all, each of which gets its own.
    [ "$(count_tickets client)" -ge "$((before + 4 + seconds / lifetime))" ] ||
        fail "only $(($(count_tickets client) - before)) tickets in $seconds s"
    echo "gssapi: run=tickets lifetime=$lifetime got=$(($(count_tickets client) - before))"
}

keep_by_cache() {
    export KRB5CCNAME=FILE:$SCRATCH/ccache KRB5_CONFIG=$realm/krb5.conf
    bootstrap=$SLUICE_KAFKA_SAFE
    keep gssapi-cache security.protocol=SASL_SSL "ssl.ca.location=$SLUICE_KAFKA_DIR/tls/ca.pem"
}

# refused TEXT NAME=VALUE...: a producer that is told why it cannot log in.
refused() {
    local text=$1 option options=()
    shift
    for option in security.protocol=SASL_PLAINTEXT sasl.mechanism=GSSAPI "$@"; do
        options+=(-X "$option")
    done
    echo line | timeout 8 "$BUILD/examples/producer" -b "$SLUICE_KAFKA_LOGIN" -t gssapi-refused \
        -X delivery.timeout.ms=3000 -X request.timeout.ms=2000 "${options[@]}" >refused.out 2>&1 || true
    grep -q -- "$text" refused.out || fail "no '$text' in: $(cat refused.out)"
}

refuse() {
    refused 'No Kerberos credentials available'
    refused 'stale.keytab does not exist' "sasl.kerberos.keytab=$PWD/stale.keytab"
    refused 'sasl.kerberos.keytab has no key' sasl.kerberos.principal=client \
        "sasl.kerberos.keytab=$realm/stale.keytab"
    refused 'the KDC does not know this service' sasl.kerberos.service.name=nobody \
        "sasl.kerberos.keytab=$realm/client.keytab"
}

start_play keytab keep_by_keytab
start_play cache keep_by_cache
start_play refused refuse
await_plays
