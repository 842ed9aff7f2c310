# Groups of our consumers on real coordinators, in the classic protocol (eager and cooperative) and,
# from 4.0 on, in KIP-848: two members share six partitions while records are written, one leaves,
# one is killed, and a last one goes on from what was committed. Every record must have been printed,
# and without a kill by one member only.
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
await_lines() {
    local want=$1 deadline=$((SECONDS + 60))
    shift
    until [ "$(cat "$@" 2>/dev/null | wc -l)" -ge "$want" ]; do
        [ $SECONDS -lt $deadline ] || {
            tail -n 20 ./*.err
            fail "$(cat "$@" | wc -l) lines of $want after 60 s"
        }
        sleep 0.1
    done
}

# await_text TEXT FILE [COUNT]: until so many lines of it (1) have the text.
await_text() {
    local deadline=$((SECONDS + 60))
    until [ "$(grep -c -- "$1" "$2" 2>/dev/null)" -ge "${3-1}" ]; do
        [ $SECONDS -lt $deadline ] || {
            cat "$2"
            fail "no '$1' in $2 after 60 s"
        }
        sleep 0.1
    done
}

# play NAME [-X name=value]...: in a folder of its own, beside the others.
play() {
    local name=$1 topic=group-$1 a b c
    shift
    mkdir "$name"
    cd "$name" || fail "no folder $name"
    "$kafka" topic "$topic" 6
    : >sent
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
    kill -TERM "$a"
    wait "$a" || fail "a member of $name ended badly: $(tail -n 3 "$name-a.err")"
    send $((2 * each)) "$topic"
    await_lines $((3 * each)) "$name-a.out" "$name-b.out"
    kill -KILL "$b"
    wait "$b" 2>/dev/null || true
    send $((3 * each)) "$topic"
    member "$name-c" "$name" "$topic" "$@"
    c=$pid
    sort -u sent >want
    local deadline=$((SECONDS + 90))
    until cat "$name"-?.out | cut -f 4- | sort -u | cmp -s - want; do
        [ $SECONDS -lt $deadline ] || {
            tail -n 20 "$name-c.err"
            fail "records of $name are missing"
        }
        sleep 0.5
    done
    kill -TERM "$c"
    wait "$c" || fail "the last member of $name ended badly: $(tail -n 3 "$name-c.err")"
    echo "groups: protocol=$name records=$((4 * each)) lines=$(cat "$name"-?.out | wc -l)"
}

play eager -X group.protocol=classic -X partition.assignment.strategy=range &
plays=$!
play cooperative -X group.protocol=classic -X partition.assignment.strategy=cooperative-sticky &
plays="$plays $!"
play auto &
plays="$plays $!"
for one in $plays; do
    wait "$one" || fail "a group has failed"
done
