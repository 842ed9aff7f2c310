# Groups of our consumers on real coordinators, in the classic protocol (eager and cooperative) and,
# from 4.0 on, in KIP-848: two members share six partitions while records are written, one leaves,
# one is killed, and a last one goes on from what was committed. Every record must have been printed,
# and without a kill by one member only. By default the protocol is the new one where brokers have it.
# Beside them, static members go and come back.
. "$(dirname "$0")/common.sh"

each=$((RECORDS / 200))

# member NAME GROUP TOPIC [-X name=value]...: in the background, its lines in NAME.out.
member() {
    local name=$1 group=$2 topic=$3
    shift 3
    "$BUILD/examples/group" -b "$bootstrap" -g "$group" -t "$topic" -v \
        -X session.timeout.ms=10000 -X log.level=info "$@" >"$name.out" 2>"$name.err" &
    pid=$!
}

# send FIRST TOPIC: the next lines.
send() {
    make_lines "$1" "$each" 0 >lines
    cat lines >>sent
    producer -t "$2" -X partitioner=random lines
}

# await_lines COUNT FILE...: until there are so many lines in these files.
has_lines() { [ "$(cat "${@:2}" 2>/dev/null | wc -l)" -ge "$1" ]; }
await_lines() {
    await_that 60 has_lines "$@" ||
        fail "$(cat "${@:2}" | wc -l) lines of $1 after 60 s: $(tail -n 20 ./*.err)"
}

# await_text TEXT FILE: until a line of it has the text.
await_text() {
    await_that 60 grep -qs -- "$1" "$2" || fail "no '$1' in $2 after 60 s: $(cat "$2")"
}

# group_type GROUP: Classic or Consumer, as Kafka's own tool says.
group_type() { group_tool --list --type | awk -v group="$1" '$1 == group { print $2 }'; }

# await_all NAME MEMBER: until every line that was sent is printed, by whoever.
all_is_printed() { cat "$1"-?.out | cut -f 4- | sort -u | cmp -s - want; }
await_all() {
    sort -u sent >want
    await_that 90 all_is_printed "$1" || fail "records of $1 are missing: $(tail -n 20 "$1-$2.err")"
}

# share NAME TYPE [-X name=value]...: members come, leave and are killed. TYPE is what the group must be.
share() {
    local name=$1 type=$2 topic=group-$1 a b c
    shift 2
    "$kafka" topic "$topic" 6
    send 0 "$topic"
    member "$name-a" "$name" "$topic" "$@"
    a=$pid
    await_lines "$each" "$name-a.out"
    member "$name-b" "$name" "$topic" "$@"
    b=$pid
    await_text '^assigned: ' "$name-b.err"
    send "$each" "$topic"
    await_lines $((2 * each)) "$name-a.out" "$name-b.out"
    [ -s "$name-b.out" ] || fail "the second member of $name has read nothing"
    cat "$name-a.out" "$name-b.out" | cut -f 1-3 | sort | uniq -d >twice
    [ ! -s twice ] || fail "$(wc -l <twice) records of $name were read by both members"
    [ "$(group_type "$name")" = "$type" ] || fail "group $name is $(group_type "$name"), not $type"
    kill -TERM "$a"
    wait "$a" || fail "a member of $name ended badly: $(tail -n 3 "$name-a.err")"
    send $((2 * each)) "$topic"
    await_lines $((3 * each)) "$name-a.out" "$name-b.out"
    kill -KILL "$b"
    wait "$b" 2>/dev/null || true
    send $((3 * each)) "$topic"
    member "$name-c" "$name" "$topic" "$@"
    c=$pid
    await_all "$name" c
    kill -TERM "$c"
    wait "$c" || fail "the last member of $name ended badly: $(tail -n 3 "$name-c.err")"
    echo "groups: run=$name records=$((4 * each)) lines=$(cat "$name"-?.out | wc -l)"
}

# stay NAME SIGNALS [-X name=value]...: one of two static members ends by each of the signals in turn and
# comes back within its session: to the same partitions, and the other one hears nothing of it.
stay() {
    local name=$1 signals=$2 topic=group-$1 a b was=b is signal first=0
    shift 2
    "$kafka" topic "$topic" 6
    member "$name-a" "$name" "$topic" -X group.instance.id=a "$@"
    a=$pid
    await_text '^assigned: ' "$name-a.err"
    member "$name-$was" "$name" "$topic" -X group.instance.id=b "$@"
    b=$pid
    await_text '^assigned: ' "$name-$was.err"
    send 0 "$topic"
    await_lines "$each" "$name"-?.out
    cp "$name-a.err" before
    for signal in $signals; do
        kill "-$signal" "$b"
        wait "$b" 2>/dev/null || true
        first=$((first + each))
        send "$first" "$topic"
        is=$(tr bc cd <<<"$was")
        member "$name-$is" "$name" "$topic" -X group.instance.id=b "$@"
        b=$pid
        await_text '^assigned: ' "$name-$is.err"
        [ "$(grep '^assigned: ' "$name-$is.err")" = "$(grep '^assigned: ' "$name-$was.err")" ] ||
            fail "the static member of $name has other partitions after $signal"
        was=$is
    done
    await_all "$name" "$was"
    ! diff before "$name-a.err" | grep -E '^> (assigned|revoking|lost):' ||
        fail "the other member of $name was part of it"
    kill -TERM "$a" "$b"
    wait "$a" && wait "$b" || fail "a member of $name ended badly: $(tail -n 3 ./*.err)"
    echo "groups: run=$name records=$((first + each))"
}

auto=Consumer
case $SLUICE_KAFKA_VERSION in 3.*) auto=Classic ;; esac
start_play eager share eager Classic -X group.protocol=classic -X partition.assignment.strategy=range
start_play cooperative share cooperative Classic -X group.protocol=classic \
    -X partition.assignment.strategy=cooperative-sticky
start_play auto share auto $auto
start_play static stay static "KILL TERM" -X group.protocol=classic
# In KIP-848 nobody gets the partitions of a member that was killed before its session is over.
[ $auto = Classic ] || start_play static-consumer stay static-consumer TERM -X group.protocol=consumer
await_plays
