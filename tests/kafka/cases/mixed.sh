# Classic groups of three clients: a member of ours, kcat (of librdkafka) and Kafka's own console
# consumer share six partitions while records are written, and leave one by one until ours has all.
# Who joins first leads the group, so in one play ours computes what the others have, in the others
# theirs what ours has. All records must be printed, each by one member only.
. "$(dirname "$0")/common.sh"

use_newest_librdkafka
echo "mixed with $(kcat -V | sed -n 's/.*\(librdkafka [0-9.]*\).*/\1/p')"

# start CLIENT [STRATEGIES]: a member in the background; its lines have partition and offset.
start() {
    local setting=partition.assignment.strategy
    case $1 in
        ours)
            "$BUILD/examples/group" -b "$bootstrap" -g "$group" -t "$group" -X client.id=ours \
                -X log.level=info -X group.protocol=classic ${2+-X "$setting=$2"} >ours 2>ours.err &
            ;;
        kcat)
            kcat -b "$bootstrap" -u -f '%p\t%o\t%s\n' -X client.id=kcat -X auto.offset.reset=earliest \
                ${2+-X "$setting=$2"} -G "$group" "$group" >kcat 2>kcat.err &
            ;;
        java)
            "$kafka" member "$group" "$group" client.id=java ${2+"$setting=$2"} >java 2>java.err &
            ;;
    esac
    pids[$1]=$!
}

# places CLIENT...: the partition and offset of every line that they printed.
places() { sed 's/Partition://; s/Offset://; s/^mixed[^\t]*\t//' "$@" | cut -f 1,2; }

# send: some more lines.
send() {
    make_lines "$sent" 60 0 >lines
    sent=$((sent + 60))
    producer -t "$group" -X partitioner=random lines
}

all_are_printed() { [ "$(places ours kcat java | wc -l)" -ge "$sent" ]; }

# shared_by CLIENT...: each of them has printed something since `begin_share`.
begin_share() { for one in ours kcat java; do wc -l <"$one" >"$one.before"; done; }
shared_by() {
    local one
    send
    await_that 30 all_are_printed || fail "$group: $(places ours kcat java | wc -l) lines of $sent: $(tail -n 5 ./*.err)"
    for one in "$@"; do [ "$(wc -l <"$one")" -gt "$(cat "$one.before")" ] || return 1; done
}
share() {
    begin_share
    await_that 60 shared_by "$@" || fail "not all of $* have partitions: $(tail -n 5 ./*.err)"
}
leave() {
    kill -TERM "${pids[$1]}"
    # Java's consumer says in its status that it was a signal.
    wait "${pids[$1]}" || [ "$1" = java ]
}

# play JOIN LEAVE STRATEGY [CLIENT=STRATEGIES]...: in which order they join, and leave; ours is the last.
# STRATEGY is what the group must agree on.
play() {
    local group=mixed-${PWD##*/} sent=0 one first=${1%% *} join=$1 leaves=$2 strategy=$3
    local -A pids strategies
    shift 3
    for one in "$@"; do strategies[${one%%=*}]=${one#*=}; done
    "$kafka" topic "$group" 6
    touch ours kcat java
    for one in $join; do
        start "$one" ${strategies[$one]+"${strategies[$one]}"}
        share "$one"
    done
    share $join
    grep -q "leader $first-.* for group $group for .* group has 3 members" \
        "$SLUICE_KAFKA_DIR"/node-*/log || fail "$first does not lead"
    for one in $leaves; do
        leave "$one"
        join=${join/$one/}
        share $join
    done
    leave ours || fail "our member ended badly: $(tail -n 5 ours.err)"
    # A leader's log says what the group has agreed on; else kcat, which offers one strategy only, is
    # in the group.
    [ "$first" != ours ] || grep -q "for 3 members .* by $strategy\$" ours.err ||
        fail "the group did not agree on $strategy"
    # A cooperative consumer of Java does not commit what it hands out while a rebalance is under way.
    places ours kcat $([ "$strategy" = cooperative-sticky ] || echo java) | sort | uniq -d >twice
    [ ! -s twice ] || fail "$(wc -l <twice) records of $group were printed twice"
    echo "mixed: run=${PWD##*/} records=$sent ours=$(wc -l <ours) kcat=$(wc -l <kcat) java=$(wc -l <java)"
}

sticky=org.apache.kafka.clients.consumer.CooperativeStickyAssignor
# With the strategies that each client offers by itself.
start_play ours play "ours kcat java" "kcat java" range
start_play kcat play "kcat java ours" "java kcat" range
start_play java play "java ours kcat" "java kcat" range
# Partitions stay while others move; in the second play ours and Java's give everything back first.
start_play sticky-ours play "ours java kcat" "kcat java" cooperative-sticky \
    ours=cooperative-sticky kcat=cooperative-sticky java=$sticky
start_play sticky-java play "java ours kcat" "kcat java" cooperative-sticky kcat=cooperative-sticky
await_plays
