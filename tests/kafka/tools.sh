# Kafka's own command line tools, on a cluster of cluster.sh. Sourced by kafka.sh.
#
# Every tool is a Java program that takes one to two seconds to start, so a test should need few of
# them; where kcat can answer (offsets, leaders), it is asked.

# kafka_become FOLDER CLASS ARGUMENT...: becomes a tool; its logging goes to stderr, warnings only.
#
# The heap is small and only the quick compiler is used: a tool lives for seconds.
kafka_become() {
    shift
    kafka_java 384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn "$@"
}

# kafka_tool FOLDER CLASS ARGUMENT...: runs one.
kafka_tool() { (kafka_become "$@"); }

# kafka_topic FOLDER TOPIC PARTITIONS [NAME=VALUE]...: creates a topic, with its own settings, and
# waits until every broker knows it.
#
# The first one after a start may come before the brokers are known to the controller.
kafka_topic() {
    local folder=$1 topic=$2 partitions=$3 deadline=$((SECONDS + 30)) setting text
    local settings=()
    shift 3
    for setting in "$@"; do settings+=(--config "$setting"); done
    until text=$(kafka_tool "$folder" org.apache.kafka.tools.TopicCommand \
        --bootstrap-server "$bootstrap" --create --if-not-exists --topic "$topic" \
        --partitions "$partitions" --replication-factor 3 \
        ${settings[@]+"${settings[@]}"} 2>&1); do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "kafka: topic $topic could not be created: $text" >&2
            return 1
        fi
    done
    kafka_await_sync "$folder" "$topic"
}

# kafka_offsets FOLDER TOPIC: "PARTITION END_OFFSET" per partition, from Kafka's own tool.
kafka_offsets() {
    kafka_tool "$1" org.apache.kafka.tools.GetOffsetShell \
        --bootstrap-server "$bootstrap" --topic "$2" |
        awk -F: '{ print $2, $3 }' | sort -n
}

# kafka_count FOLDER TOPIC: how many records the topic holds (none are ever deleted here).
kafka_count() {
    kafka_offsets "$1" "$2" | awk '{ sum += $2 } END { print sum + 0 }'
}

# kafka_leader FOLDER TOPIC PARTITION: the node that leads it now.
kafka_leader() {
    kcat -L -b "$bootstrap" -t "$2" 2>/dev/null |
        sed -n "s/^ *partition $3, leader \([0-9]*\),.*/\1/p" | grep .
}

# kafka_property_option READER|FORMATTER|CONSUMER: how this version spells the option for properties of
# the reader, the formatter, or the console consumer's client: until 4.2 gave each a name of its own.
kafka_property_option() {
    case $version:$1 in
        [23].*:CONSUMER | 4.[01].*:CONSUMER) echo --consumer-property ;;
        *:CONSUMER) echo --command-property ;;
        [23].* | 4.[01].*) echo --property ;;
        *:READER) echo --reader-property ;;
        *:FORMATTER) echo --formatter-property ;;
    esac
}

# kafka_produce FOLDER TOPIC CODEC [SEPARATOR]: the lines of stdin, by the Java console producer;
# with SEPARATOR every line is key, separator, value.
kafka_produce() {
    local folder=$1 topic=$2 codec=$3 class=org.apache.kafka.tools.ConsoleProducer option keys=()
    if [ $# -gt 3 ]; then
        option=$(kafka_property_option READER)
        keys=("$option" parse.key=true "$option" "key.separator=$4")
    fi
    case $version in [23].*) class=kafka.tools.ConsoleProducer ;; esac
    kafka_tool "$folder" "$class" --bootstrap-server "$bootstrap" \
        --topic "$topic" --compression-codec "$codec" --request-required-acks all \
        ${keys[@]+"${keys[@]}"} >&2
}

# kafka_consume FOLDER TOPIC COUNT [SEPARATOR]: COUNT records from the beginning, by the Java
# console consumer, a line each: "Partition:N", tab, value; with SEPARATOR "Partition:N", separator,
# key, separator, value. Gives up when nothing comes for 20 seconds.
kafka_consume() {
    local folder=$1 topic=$2 count=$3 option keys=()
    option=$(kafka_property_option FORMATTER)
    if [ $# -gt 3 ]; then keys=("$option" print.key=true "$option" "key.separator=$4"); fi
    kafka_tool "$folder" org.apache.kafka.tools.consumer.ConsoleConsumer \
        --bootstrap-server "$bootstrap" --topic "$topic" --from-beginning \
        --max-messages "$count" --timeout-ms 20000 \
        "$option" print.partition=true ${keys[@]+"${keys[@]}"}
}

# kafka_member FOLDER GROUP TOPIC [NAME=VALUE]...: becomes the Java console consumer as a member of a
# group, a line a record: "Partition:N", tab, "Offset:N", tab, value.
kafka_member() {
    local folder=$1 group=$2 topic=$3 option setting settings=()
    shift 3
    option=$(kafka_property_option CONSUMER)
    for setting in "$@"; do settings+=("$option" "$setting"); done
    option=$(kafka_property_option FORMATTER)
    kafka_become "$folder" org.apache.kafka.tools.consumer.ConsoleConsumer \
        --bootstrap-server "$bootstrap" --topic "$topic" --group "$group" --from-beginning \
        "$option" print.partition=true "$option" print.offset=true \
        ${settings[@]+"${settings[@]}"}
}

# kafka_logs FOLDER NODE TOPIC: the log segments that a node has of a topic, in order; first those of
# a deleted topic of that name, oldest first, which are in folders with a longer name.
kafka_logs() {
    local data=$1/node-$2/data
    find "$data" -maxdepth 1 -name "$3-[0-9]*" -printf '%T@ %f\n' | sort -n |
        awk -v prefix="$3-" '{
                name = substr($2, length(prefix) + 1)
                if (name ~ /^[0-9]+\.[0-9a-f]+-delete$/) print $2
                else if (name ~ /^[0-9]+$/) live = live $2 "\n"
            }
            END { printf "%s", live }' |
        while read -r name; do find "$data/$name" -name '*.log' | sort; done
}

# kafka_dump FOLDER NODE TOPIC [ARGUMENT]...: what a node has on disk for all partitions of a topic,
# every record of every segment, as DumpLogSegments prints it.
kafka_dump() {
    local folder=$1 node=$2 topic=$3 class=org.apache.kafka.tools.DumpLogSegments files
    shift 3
    case $version in [23].*) class=kafka.tools.DumpLogSegments ;; esac
    files=$(kafka_logs "$folder" "$node" "$topic" | paste -sd, -)
    if [ -z "$files" ]; then
        echo "kafka: node $node has nothing of topic $topic" >&2
        return 1
    fi
    kafka_tool "$folder" "$class" --deep-iteration --files "$files" "$@"
}

# kafka_delete FOLDER TOPIC: deletes a topic, and does not wait until every broker has done so.
kafka_delete() {
    kafka_tool "$1" org.apache.kafka.tools.TopicCommand --bootstrap-server "$bootstrap" \
        --delete --topic "$2"
}

# kafka_quota FOLDER CLIENT BYTES: what a client of that client.id may produce per second, to each
# broker; 0: as much as it likes.
kafka_quota() {
    local change="--add-config producer_byte_rate=$3"
    [ "$3" = 0 ] && change="--delete-config producer_byte_rate"
    # One word a word.
    kafka_tool "$1" kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter $change \
        --entity-type clients --entity-name "$2"
}
