#!/bin/sh
# Goal: another client finds a Kafka broker in build/sluice-broker. Method: kcat produces, consumes,
# lists and seeks by time against it, reads what our example producer wrote, and the other way
# round. Every comparison is of whole files.
set -eu

BUILD=${BUILD:-build}
work=$(mktemp -d)
broker=
failed=0
passed=0

finish() {
    [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
    [ -z "$broker" ] || wait "$broker" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

check() { # name command...
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok    $name"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
    fi
}

# Starts the broker on a port that is free: tries a few, because another process may take one
# between the choice and the listen.
start_broker() {
    for try in 1 2 3 4 5; do
        port=$((20000 + ($$ * 7 + try * 131) % 20000))
        "$BUILD/sluice-broker" --port "$port" --nodes 3 >"$work/broker.out" 2>"$work/broker.err" &
        broker=$!
        for _ in $(seq 1 200); do
            if kcat -b "127.0.0.1:$port" -L -m 2 >"$work/list" 2>/dev/null; then return 0; fi
            kill -0 "$broker" 2>/dev/null || break
        done
        kill "$broker" 2>/dev/null || true
        wait "$broker" 2>/dev/null || true
        broker=
    done
    echo "the broker does not start:"
    cat "$work/broker.err"
    return 1
}

start_broker
b=127.0.0.1:$port
seq -f 'line %.0f of some text that compresses, compresses' 1 2000 >"$work/lines"

check 'three brokers are listed' grep -q ' 3 brokers:' "$work/list"

for codec in none gzip snappy lz4 zstd; do
    kcat -b $b -P -t "kcat-$codec" -p 0 -z "$codec" <"$work/lines"
    kcat -b $b -C -t "kcat-$codec" -p 0 -o beginning -e -q >"$work/back"
    check "kcat writes and reads, $codec" cmp -s "$work/lines" "$work/back"
    "$BUILD/examples/consumer" -b $b -t "kcat-$codec" -p 0 -o beginning -e >"$work/back" 2>"$work/err"
    check "kcat writes, our consumer reads, $codec" cmp -s "$work/lines" "$work/back"
    "$BUILD/examples/producer" -b $b -t "ours-$codec" -p 0 -z "$codec" "$work/lines" 2>"$work/err"
    kcat -b $b -C -t "ours-$codec" -p 0 -o beginning -e -q >"$work/back"
    check "our producer writes, kcat reads, $codec" cmp -s "$work/lines" "$work/back"
done

# Keys, headers and null values pass unchanged.
printf 'k1:v1\nk2:v2\n' | kcat -b $b -P -t keyed -p 0 -K : -H trace=42
kcat -b $b -C -t keyed -p 0 -o beginning -e -q -f '%k=%s [%h]\n' >"$work/back"
printf 'k1=v1 [trace=42]\nk2=v2 [trace=42]\n' >"$work/want"
check 'keys and headers, kcat to kcat' cmp -s "$work/want" "$work/back"
"$BUILD/examples/consumer" -b $b -t keyed -p 0 -o beginning -e -f '%k=%v %o\n' >"$work/back" 2>"$work/err"
printf 'k1=v1 0\nk2=v2 1\n' >"$work/want"
check 'keys, kcat to our consumer' cmp -s "$work/want" "$work/back"

# The same key lands in the same partition as with the Java client (murmur2).
kcat -b $b -L -t spread >/dev/null
printf 'foo:1\nkafka:2\nabcd:3\n' | "$BUILD/examples/producer" -b $b -t spread -k : 2>"$work/err"
printf 'foo:1\nkafka:2\nabcd:3\n' | kcat -b $b -P -t spread2 -K : -X topic.partitioner=murmur2
kcat -b $b -C -t spread -o beginning -e -q -f '%k %p\n' | sort >"$work/back"
kcat -b $b -C -t spread2 -o beginning -e -q -f '%k %p\n' | sort >"$work/want"
check 'keys choose the partitions that murmur2 chooses in kcat' cmp -s "$work/want" "$work/back"

# Look-ups by time and by offset; -o s@T starts at the first record at or after T.
kcat -b $b -C -t kcat-none -p 0 -o beginning -c 1 -q -f '%T\n' >"$work/first"
first=$(cat "$work/first")
check 'kcat looks offsets up by time' test "$(kcat -b $b -Q -t "kcat-none:0:$first" 2>/dev/null |
    sed -n 's/.*offset \([0-9]*\).*/\1/p')" = 0
kcat -b $b -C -t kcat-none -p 0 -o "s@$first" -e -q >"$work/back"
check 'kcat reads from a time on' cmp -s "$work/lines" "$work/back"
kcat -b $b -C -t kcat-none -p 0 -o 1995 -e -q >"$work/back"
tail -n 5 "$work/lines" >"$work/want"
check 'kcat reads from an offset on' cmp -s "$work/want" "$work/back"
kcat -b $b -C -t kcat-none -p 0 -o -3 -e -q >"$work/back"
tail -n 3 "$work/lines" >"$work/want"
check 'kcat reads the last three' cmp -s "$work/want" "$work/back"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
