# Three Kafka nodes on loopback, in a scratch folder. Sourced by kafka.sh.
#
# A cluster is its folder; every function takes it first. The folder holds
#
#   cluster.conf            shell assignments: version, jars, cluster_id, bootstrap, login, tls, mtls,
#                           safe, oidc, safe_oidc, provider, safe_provider, proxied, routes,
#                           realm
#   provider/               of a provider of tokens: what it made, its ports, pid
#   realm/                  a Kerberos realm with its KDC (kdc.sh), where one is installed
#   tls/                    ca.pem, and of the nodes and a client a key and a certificate in one file
#   node-N/server.properties, node-N/data/, node-N/log, node-N/pid     N = 1, 2, 3
#
# Nodes are controllers and brokers at once (KRaft), topics are kept three times and need two
# replicas in sync. Every node runs in a session of its own, so that an interrupt typed at the
# terminal does not reach it, and is only ever signalled through its recorded process id, after a
# check that the process still is that node.

kafka_nodes="1 2 3"

kafka_provider=$(cd "$(dirname "${BASH_SOURCE[0]}")/../host" && pwd)/oidc_server.py

# Seconds until a started cluster must serve, and a node must be gone after SIGTERM.
kafka_serve_limit=90
kafka_stop_limit=6

# kafka_free_ports COUNT: the first of COUNT neighbouring ports that nothing listens on.
#
# They lie below the range that the kernel gives to outgoing connections (from 32768 on), so that
# none of them is taken by a client while the nodes start.
kafka_free_ports() {
    local first port
    while :; do
        first=$((20000 + RANDOM % 12000))
        for ((port = first; port < first + $1; port++)); do
            (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
        done
        echo "$first"
        return 0
    done
}

# kafka_write_properties FOLDER NODE FIRST_PORT: the settings of one node.
kafka_write_properties() {
    local data=$1/node-$2/data port=$(($3 + $2)) control=$(($3 + 3 + $2)) behind=$(($3 + 6 + $2))
    local login=$(($3 + 12 + $2)) modules=org.apache.kafka.common.security
    local gssapi=
    [ -d "$1/realm" ] && gssapi=,GSSAPI
    local tls=$(($3 + 15 + $2)) mtls=$(($3 + 18 + $2)) safe=$(($3 + 21 + $2)) listener
    local oidc=$(($3 + 24 + $2)) safe_oidc=$(($3 + 27 + $2)) provider
    read -r provider _ <"$1/provider/ports"
    cat <<END
node.id=$2
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:$(($3 + 4)),2@127.0.0.1:$(($3 + 5)),3@127.0.0.1:$(($3 + 6))
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT,\
LOGIN:SASL_PLAINTEXT,TLS:SSL,MTLS:SSL,SAFE:SASL_SSL,OIDC:SASL_PLAINTEXT,SAFEOIDC:SASL_SSL
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$control,PROXIED://127.0.0.1:$behind,\
LOGIN://127.0.0.1:$login,TLS://127.0.0.1:$tls,MTLS://127.0.0.1:$mtls,SAFE://127.0.0.1:$safe,\
OIDC://127.0.0.1:$oidc,SAFEOIDC://127.0.0.1:$safe_oidc
# Who comes through the proxy's port is sent to the proxy's ports again.
advertised.listeners=PLAINTEXT://127.0.0.1:$port,PROXIED://127.0.0.1:$(($behind + 3)),\
LOGIN://127.0.0.1:$login,TLS://127.0.0.1:$tls,MTLS://127.0.0.1:$mtls,SAFE://127.0.0.1:$safe,\
OIDC://127.0.0.1:$oidc,SAFEOIDC://127.0.0.1:$safe_oidc
ssl.keystore.type=PEM
ssl.keystore.location=$1/tls/node.pem
ssl.truststore.type=PEM
ssl.truststore.location=$1/tls/ca.pem
listener.name.mtls.ssl.client.auth=required
log.dirs=$data

# Who comes through these listeners has to log in, and to do it again every ten seconds: through the
# first two as bob, with a token that nobody has signed or a ticket, through the others with one of the provider's.
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER$gssapi
connections.max.reauth.ms=10000
$(for listener in login safe; do cat <<LISTENER
listener.name.$listener.plain.sasl.jaas.config=$modules.plain.PlainLoginModule required user_bob="pencil";
listener.name.$listener.scram-sha-256.sasl.jaas.config=$modules.scram.ScramLoginModule required;
listener.name.$listener.scram-sha-512.sasl.jaas.config=$modules.scram.ScramLoginModule required;
listener.name.$listener.oauthbearer.sasl.jaas.config=$modules.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
LISTENER
    # It only accepts, and so asks the KDC for nothing.
    [ -n "$gssapi" ] && cat <<LISTENER
listener.name.$listener.sasl.kerberos.service.name=kafka
listener.name.$listener.gssapi.sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true isInitiator=false keyTab="$1/realm/broker.keytab" principal="kafka/127.0.0.1@SLUICE.TEST";
LISTENER
done)
$(for listener in oidc safeoidc; do cat <<LISTENER
listener.name.$listener.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.$listener.oauthbearer.sasl.server.callback.handler.class=$modules.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.$listener.oauthbearer.sasl.jaas.config=$modules.oauthbearer.OAuthBearerLoginModule required;
listener.name.$listener.sasl.oauthbearer.jwks.endpoint.url=http://127.0.0.1:$provider/jwks
listener.name.$listener.sasl.oauthbearer.expected.audience=kafka
listener.name.$listener.sasl.oauthbearer.expected.issuer=tests
LISTENER
done)

# Consumers that say where they are read from the follower beside them.
broker.rack=rack-$2
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector

# Durability as the tests claim it: three copies, two of them before a write is acknowledged.
num.partitions=6
default.replication.factor=3
min.insync.replicas=2
unclean.leader.election.enable=false
offsets.topic.replication.factor=3
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=4
END
    # A version that does not know a setting only warns, but share groups came with 4.x.
    case $version in
        3.*) ;;
        *)
            echo share.coordinator.state.topic.replication.factor=3
            echo share.coordinator.state.topic.min.isr=2
            ;;
    esac
    cat <<END

# A killed node is declared dead after four seconds, not nine, and a new controller is found soon.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
controller.quorum.fetch.timeout.ms=2000
replica.lag.time.max.ms=10000

# A member that is not heard of is soon put out of its group: in the classic protocol it asks for its
# time itself, in KIP-848 it has this one.
group.min.session.timeout.ms=2000
group.consumer.min.session.timeout.ms=2000
group.consumer.session.timeout.ms=5000
group.consumer.min.heartbeat.interval.ms=1000
group.consumer.heartbeat.interval.ms=1000

# What a deleted topic held stays on disk for the audit. It also takes the topic's settings with it,
# so this is one of the broker.
log.segment.delete.delay.ms=86400000

# Small and quick to start, for a machine with two cores.
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=20000000
END
}

# kafka_make_realm FOLDER PORT: for GSSAPI; nothing where no KDC is installed.
kafka_make_realm() {
    if [ -n "$(kdc_missing)" ]; then
        echo "kafka: no GSSAPI, for this machine lacks $(kdc_missing)" >&2
        return 0
    fi
    mkdir "$1/realm" && (kdc_create "$1/realm" "$2" && kdc_start "$1/realm" "$2")
}

# kafka_write_certificates FOLDER: an authority, and what it issued for the nodes and for a client.
kafka_write_certificates() {
    local tls=$1/tls who
    mkdir "$tls"
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
            -subj "/CN=Kafka's Authority" -keyout "$tls/ca.key" -out "$tls/ca.pem" &&
            for who in node client; do
                openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$who" \
                    -keyout "$tls/$who.key" -out "$tls/$who.csr" &&
                    echo subjectAltName=IP:127.0.0.1 |
                    openssl x509 -req -in "$tls/$who.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" \
                        -CAcreateserial -days 2 -extfile /dev/stdin -out "$tls/$who.crt" &&
                    cat "$tls/$who.key" "$tls/$who.crt" >"$tls/$who.pem" || return 1
            done
    } 2>"$tls/log" || {
        echo "kafka: no certificates could be made; see $tls/log" >&2
        return 1
    }
}

# kafka_start_provider FOLDER: a provider of tokens that last a quarter of a minute, for as long as the
# cluster is there: brokers ask it for its keys.
kafka_start_provider() {
    local home=$1/provider deadline=$((SECONDS + kafka_serve_limit))
    mkdir "$home"
    # As with the nodes, which see.
    setsid sh -c 'echo $$ >"$1"; shift; exec "$@" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-' \
        sh "$home/pid" python3 "$kafka_provider" "$home" 15 </dev/null >"$home/ports" 2>"$home/log" &
    disown
    until [ -s "$home/ports" ]; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "kafka: the provider of tokens does not serve; see $home/log" >&2
            return 1
        fi
        sleep 0.1
    done
}

# kafka_stop_provider FOLDER
kafka_stop_provider() {
    local pid
    pid=$(cat "$1/provider/pid" 2>/dev/null) || return 0
    case $(ps -o args= -p "$pid" 2>/dev/null) in *"$1/provider"*) kill "$pid" ;; esac
}

# kafka_java HEAP ARGUMENT...: becomes a Java program on the jars of the cluster.
kafka_java() {
    local heap=$1
    shift
    exec java "-Xmx$heap" -XX:+ExitOnOutOfMemoryError -cp "$jars/*" "$@"
}

# kafka_create FOLDER VERSION: writes and formats a cluster that is not yet running.
kafka_create() {
    local folder=$1 version=$2 jars=$kafka_cache/kafka-$2 first node cluster_id formats=()
    local provider safe_provider
    first=$(kafka_free_ports 31) || return 1
    kafka_start_provider "$folder" || return 1
    kafka_write_certificates "$folder" || return 1
    kafka_make_realm "$folder" "$first" || return 1
    read -r provider safe_provider <"$folder/provider/ports"
    # 16 random bytes in URL-safe base64 without padding: what Kafka's own tool would draw.
    cluster_id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
    # A leading dash would look like an option to the tool.
    cluster_id=k${cluster_id#?}
    {
        echo "version=$version"
        echo "jars=$jars"
        echo "cluster_id=$cluster_id"
        # Where there is Kerberos.
        echo "realm=$([ -d "$folder/realm" ] && echo "$folder/realm")"
        echo "bootstrap=127.0.0.1:$((first + 1)),127.0.0.1:$((first + 2)),127.0.0.1:$((first + 3))"
        # Where one has to log in.
        echo "login=127.0.0.1:$((first + 13)),127.0.0.1:$((first + 14)),127.0.0.1:$((first + 15))"
        echo "tls=127.0.0.1:$((first + 16)),127.0.0.1:$((first + 17)),127.0.0.1:$((first + 18))"
        echo "mtls=127.0.0.1:$((first + 19)),127.0.0.1:$((first + 20)),127.0.0.1:$((first + 21))"
        echo "safe=127.0.0.1:$((first + 22)),127.0.0.1:$((first + 23)),127.0.0.1:$((first + 24))"
        # Where one needs a token of the provider, and where that gives them.
        echo "oidc=127.0.0.1:$((first + 25)),127.0.0.1:$((first + 26)),127.0.0.1:$((first + 27))"
        echo "safe_oidc=127.0.0.1:$((first + 28)),127.0.0.1:$((first + 29)),127.0.0.1:$((first + 30))"
        echo "provider=http://127.0.0.1:$provider safe_provider=https://127.0.0.1:$safe_provider"
        # The same brokers through a proxy, for one that listens as `routes` says: FROM:TO ports.
        echo "proxied=127.0.0.1:$((first + 10)),127.0.0.1:$((first + 11)),127.0.0.1:$((first + 12))"
        echo "routes='$((first + 10)):$((first + 7)) $((first + 11)):$((first + 8))" \
            "$((first + 12)):$((first + 9))'"
    } >"$folder/cluster.conf"
    for node in $kafka_nodes; do
        mkdir -p "$folder/node-$node/data"
        kafka_write_properties "$folder" "$node" "$first" >"$folder/node-$node/server.properties"
        (kafka_java 128m kafka.tools.StorageTool format -t "$cluster_id" \
            --add-scram 'SCRAM-SHA-256=[name=bob,password=pencil]' \
            --add-scram 'SCRAM-SHA-512=[name=bob,password=pencil]' \
            -c "$folder/node-$node/server.properties") >"$folder/node-$node/log" 2>&1 &
        formats+=($!)
    done
    for node in "${formats[@]}"; do
        if ! wait "$node"; then
            echo "kafka: a node could not be formatted; see $folder/node-*/log" >&2
            return 1
        fi
    done
}

# kafka_pid FOLDER NODE: the process id of a node that runs, or nothing and false.
kafka_pid() {
    local pid
    pid=$(cat "$1/node-$2/pid" 2>/dev/null) || return 1
    # The process id may have been used again: the command line names the folder of this node.
    case $(ps -o args= -p "$pid" 2>/dev/null) in
        *"$1/node-$2/server.properties"*) echo "$pid" ;;
        *) return 1 ;;
    esac
}

# kafka_signal FOLDER NODE SIGNAL: fails if the node does not run.
kafka_signal() {
    local pid
    if ! pid=$(kafka_pid "$1" "$2"); then
        echo "kafka: node $2 does not run" >&2
        return 1
    fi
    kill "-$3" "$pid"
}

# kafka_start_node FOLDER NODE: starts one node and does not wait for it.
kafka_start_node() {
    local home=$1/node-$2
    if kafka_pid "$1" "$2" >/dev/null; then
        echo "kafka: node $2 already runs" >&2
        return 1
    fi
    # The shell in between writes its own id and then becomes the node. The descriptors above 2 are
    # closed: a pipe of the caller must not stay open for as long as the node lives.
    setsid sh -c 'echo $$ >"$1"; shift; exec "$@" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-' \
        sh "$home/pid" java "-Djava.security.krb5.conf=$1/realm/krb5.conf" \
        -Xms512m -Xmx512m -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError \
        -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls="$(
            sed -n 's/.*jwks.endpoint.url=//p' "$home/server.properties" | head -n 1
        )" \
        -Dorg.slf4j.simpleLogger.showDateTime=true \
        -Dorg.slf4j.simpleLogger.dateTimeFormat="yyyy-MM-dd'T'HH:mm:ss.SSS" \
        -cp "$jars/*" kafka.Kafka "$home/server.properties" </dev/null >>"$home/log" 2>&1 &
    disown
}

# kafka_await_brokers FOLDER COUNT: waits until Metadata lists COUNT brokers.
kafka_await_brokers() {
    local deadline=$((SECONDS + kafka_serve_limit)) node
    until kcat -L -b "$bootstrap" -m 2 2>/dev/null | grep -q "^ $2 brokers:"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "kafka: not $2 brokers after $kafka_serve_limit s; see $1/node-*/log" >&2
            return 1
        fi
        sleep 0.3
    done
}

# kafka_in_sync TOPIC BROKER: whether this broker knows that every partition of the topic has all
# three replicas in sync.
kafka_in_sync() {
    local text
    text=$(kcat -L -b "$2" -m 2 -t "$1" 2>/dev/null | grep '^ *partition ') || return 1
    ! grep -qv 'isrs: [0-9]*,[0-9]*,[0-9]*$' <<<"$text"
}

# kafka_await_sync FOLDER TOPIC: waits until every partition has three replicas in sync, which is
# when another node may be killed without taking the topic below its minimum; and until every
# broker knows it, which for a new topic comes some time after its creation was acknowledged.
kafka_await_sync() {
    local deadline=$((SECONDS + kafka_serve_limit)) broker
    for broker in ${bootstrap//,/ }; do
        until kafka_in_sync "$2" "$broker"; do
            if [ "$SECONDS" -ge "$deadline" ]; then
                echo "kafka: topic $2 is not in sync after $kafka_serve_limit s; $broker says:" >&2
                kcat -L -b "$broker" -m 2 -t "$2" >&2
                return 1
            fi
            sleep 0.3
        done
    done
}

# kafka_start FOLDER: starts all nodes and waits until they serve.
#
# A port that accepts is not yet a cluster that serves: all brokers have to be listed, and then a
# topic with three copies has to come into being.
kafka_start() {
    local node
    for node in $kafka_nodes; do
        kafka_start_node "$1" "$node" || return 1
    done
    kafka_await_brokers "$1" 3 && kafka_topic "$1" sluice-ready 1
}

# kafka_await_node FOLDER NODE: waits until the node itself answers, and lists itself and as many
# others as run: a node that was killed is listed for some seconds more, and may stay away.
kafka_await_node() {
    local deadline=$((SECONDS + kafka_serve_limit)) node running=0 broker text
    for node in $kafka_nodes; do
        kafka_pid "$1" "$node" >/dev/null && running=$((running + 1))
    done
    broker=$(cut -d , -f "$2" <<<"$bootstrap")
    until text=$(kcat -L -b "$broker" -m 2 2>/dev/null) && grep -q "^  broker $2 at" <<<"$text" &&
        [ "$(grep -c '^  broker ' <<<"$text")" -ge "$running" ]; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "kafka: node $2 does not serve after $kafka_serve_limit s; see $1/node-*/log" >&2
            return 1
        fi
        sleep 0.3
    done
}

# kafka_restart FOLDER NODE: starts a node that was stopped or killed, and waits until it serves.
kafka_restart() {
    kafka_start_node "$1" "$2" && kafka_await_node "$1" "$2"
}

# kafka_stop_node FOLDER NODE: stops one node in order (it hands its leaderships over first) and
# waits until it is gone.
kafka_stop_node() {
    local deadline=$((SECONDS + kafka_serve_limit))
    kafka_signal "$1" "$2" TERM || return 1
    while kafka_pid "$1" "$2" >/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "kafka: node $2 did not stop within $kafka_serve_limit s" >&2
            return 1
        fi
        sleep 0.2
    done
}

# kafka_stop FOLDER: ends whatever runs of the cluster. SIGTERM, some seconds, then SIGKILL: the
# last nodes have no quorum left to leave in an orderly way, and nothing is lost by killing them.
kafka_stop() {
    local node deadline=$((SECONDS + kafka_stop_limit)) left
    for node in $kafka_nodes; do
        kafka_signal "$1" "$node" TERM 2>/dev/null
        # A frozen node does not take a signal other than SIGKILL until it goes on.
        kafka_signal "$1" "$node" CONT 2>/dev/null
    done
    while :; do
        left=
        for node in $kafka_nodes; do
            kafka_pid "$1" "$node" >/dev/null && left="$left $node"
        done
        if [ -z "$left" ]; then
            kafka_stop_provider "$1"
            kdc_stop "$1/realm"
            return 0
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            for node in $left; do
                kafka_signal "$1" "$node" KILL 2>/dev/null
            done
        fi
        sleep 0.2
    done
}
