# Logging in by Kerberos, with and without TLS: a producer under load and a group of two, over sessions that
# brokers end after ten seconds. Nothing may be lost, and sessions have to be renewed; where a keytab is
# given, tickets too, which last for ten seconds, or a minute in a soak. Then what can be wrong, in words.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/sessions.sh"

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

login=(security.protocol=SASL_PLAINTEXT sasl.mechanism=GSSAPI)
# Tickets that somebody has got with a key, so far.
count_tickets() { grep -c "AS_REQ .*ISSUE:.* $1@" "$realm/kdc/log" || true; }

keep_by_keytab() {
    local before
    before=$(count_tickets client)
    bootstrap=$SLUICE_KAFKA_LOGIN
    keep gssapi-keytab "${login[@]}" sasl.kerberos.principal=client \
        "sasl.kerberos.keytab=$realm/client.keytab"
    check_renewals
    # Three programs and the one that reads it all, each of which gets its own.
    [ "$(count_tickets client)" -ge "$((before + 4 + seconds / lifetime))" ] ||
        fail "only $(($(count_tickets client) - before)) tickets in $seconds s"
    echo "gssapi: run=tickets lifetime=$lifetime got=$(($(count_tickets client) - before))"
}

keep_by_cache() {
    export KRB5CCNAME=FILE:$SCRATCH/ccache KRB5_CONFIG=$realm/krb5.conf
    bootstrap=$SLUICE_KAFKA_SAFE
    keep gssapi-cache "${login[@]}" security.protocol=SASL_SSL \
        "ssl.ca.location=$SLUICE_KAFKA_DIR/tls/ca.pem"
    check_renewals
}

refuse() {
    bootstrap=$SLUICE_KAFKA_LOGIN
    refused 'No Kerberos credentials available' "${login[@]}"
    refused 'stale.keytab does not exist' "${login[@]}" "sasl.kerberos.keytab=$PWD/stale.keytab"
    refused 'sasl.kerberos.keytab has no key' "${login[@]}" sasl.kerberos.principal=client \
        "sasl.kerberos.keytab=$realm/stale.keytab"
    refused 'the KDC does not know this service' "${login[@]}" sasl.kerberos.service.name=nobody \
        "sasl.kerberos.keytab=$realm/client.keytab"
}

start_play keytab keep_by_keytab
start_play cache keep_by_cache
start_play refused refuse
await_plays
