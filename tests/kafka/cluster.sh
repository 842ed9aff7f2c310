# Three Kafka nodes on loopback, in a scratch folder. Sourced by kafka.sh.
#
# A cluster is its folder; every function takes it first. The folder holds
#
#   cluster.conf            shell assignments: version, jars, cluster_id, bootstrap, proxied, routes
#   node-N/server.properties, node-N/data/, node-N/log, node-N/pid     N = 1, 2, 3
#
# Nodes are controllers and brokers at once (KRaft), topics are kept three times and need two
# replicas in sync. Every node runs in a session of its own, so that an interrupt typed at the
# terminal does not reach it, and is only ever signalled through its recorded process id, after a
# check that the process still is that node.

kafka_nodes="1 2 3"

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
    cat <<END
node.id=$2
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:$(($3 + 4)),2@127.0.0.1:$(($3 + 5)),3@127.0.0.1:$(($3 + 6))
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$control,PROXIED://127.0.0.1:$behind
# Who comes through the proxy's port is sent to the proxy's ports again.
advertised.listeners=PLAINTEXT://127.0.0.1:$port,PROXIED://127.0.0.1:$(($behind + 3))
log.dirs=$data

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

# kafka_java HEAP ARGUMENT...: becomes a Java program on the jars of the cluster.
kafka_java() {
    local heap=$1
    shift
    exec java "-Xmx$heap" -XX:+ExitOnOutOfMemoryError -cp "$jars/*" "$@"
}

# kafka_create FOLDER VERSION: writes and formats a cluster that is not yet running.
kafka_create() {
    local folder=$1 version=$2 jars=$kafka_cache/kafka-$2 first node cluster_id formats=()
    first=$(kafka_free_ports 13) || return 1
    # 16 random bytes in URL-safe base64 without padding: what Kafka's own tool would draw.
    cluster_id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
    # A leading dash would look like an option to the tool.
    cluster_id=k${cluster_id#?}
    {
        echo "version=$version"
        echo "jars=$jars"
        echo "cluster_id=$cluster_id"
        echo "bootstrap=127.0.0.1:$((first + 1)),127.0.0.1:$((first + 2)),127.0.0.1:$((first + 3))"
        # The same brokers through a proxy, for one that listens as `routes` says: FROM:TO ports.
        echo "proxied=127.0.0.1:$((first + 10)),127.0.0.1:$((first + 11)),127.0.0.1:$((first + 12))"
        echo "routes='$((first + 10)):$((first + 7)) $((first + 11)):$((first + 8))" \
            "$((first + 12)):$((first + 9))'"
    } >"$folder/cluster.conf"
    for node in $kafka_nodes; do
        mkdir -p "$folder/node-$node/data"
        kafka_write_properties "$folder" "$node" "$first" >"$folder/node-$node/server.properties"
        (kafka_java 128m kafka.tools.StorageTool format -t "$cluster_id" \
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
        sh "$home/pid" java -Xms512m -Xmx512m -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError \
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

# kafka_restart FOLDER NODE: starts a node that was killed, and waits until it serves.
kafka_restart() {
    kafka_start_node "$1" "$2" && kafka_await_brokers "$1" 3
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
        [ -z "$left" ] && return 0
        if [ "$SECONDS" -ge "$deadline" ]; then
            for node in $left; do
                kafka_signal "$1" "$node" KILL 2>/dev/null
            done
        fi
        sleep 0.2
    done
}
