#!/bin/sh
# Goal: another client finds a Kafka broker in build/sluice-broker. Method: kcat produces, consumes,
# lists and seeks by time against it, reads what our example producer wrote, and the other way
# round. Every comparison is of whole files.
. tests/check.sh
set -e

# Starts the broker on a port that is free: tries a few, because another process may take one
# between the choice and the listen.
start_broker() {
    for try in 1 2 3 4 5; do
        port=$((20000 + ($$ * 7 + try * 131) % 20000))
        "$BUILD/sluice-broker" --port "$port" --nodes 3 >"$scratch/broker.out" 2>"$scratch/broker.err" &
        pid=$!
        for _ in $(seq 1 200); do
            if kcat -b "127.0.0.1:$port" -L -m 2 >"$scratch/list" 2>/dev/null; then return 0; fi
            kill -0 "$pid" 2>/dev/null || break
        done
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        pid=
    done
    echo "the broker does not start:"
    cat "$scratch/broker.err"
    return 1
}

start_broker
b=127.0.0.1:$port
seq -f 'line %.0f of some text that compresses, compresses' 1 2000 >"$scratch/lines"

check 'three brokers are listed' grep -q ' 3 brokers:' "$scratch/list"

for codec in none gzip snappy lz4 zstd; do
    kcat -b $b -P -t "kcat-$codec" -p 0 -z "$codec" <"$scratch/lines"
    kcat -b $b -C -t "kcat-$codec" -p 0 -o beginning -e -q >"$scratch/back"
    check "kcat writes and reads, $codec" cmp -s "$scratch/lines" "$scratch/back"
    "$BUILD/examples/consumer" -b $b -t "kcat-$codec" -p 0 -o beginning -e >"$scratch/back" 2>"$scratch/err"
    check "kcat writes, our consumer reads, $codec" cmp -s "$scratch/lines" "$scratch/back"
    "$BUILD/examples/producer" -b $b -t "ours-$codec" -p 0 -z "$codec" "$scratch/lines" 2>"$scratch/err"
    kcat -b $b -C -t "ours-$codec" -p 0 -o beginning -e -q >"$scratch/back"
    check "our producer writes, kcat reads, $codec" cmp -s "$scratch/lines" "$scratch/back"
done

# Keys, headers and null values pass unchanged.
printf 'k1:v1\nk2:v2\n' | kcat -b $b -P -t keyed -p 0 -K : -H trace=42
kcat -b $b -C -t keyed -p 0 -o beginning -e -q -f '%k=%s [%h]\n' >"$scratch/back"
printf 'k1=v1 [trace=42]\nk2=v2 [trace=42]\n' >"$scratch/want"
check 'keys and headers, kcat to kcat' cmp -s "$scratch/want" "$scratch/back"
"$BUILD/examples/consumer" -b $b -t keyed -p 0 -o beginning -e -f '%k=%v %o\n' >"$scratch/back" 2>"$scratch/err"
printf 'k1=v1 0\nk2=v2 1\n' >"$scratch/want"
check 'keys, kcat to our consumer' cmp -s "$scratch/want" "$scratch/back"

# The same key lands in the same partition as with the Java client (murmur2).
kcat -b $b -L -t spread >/dev/null
printf 'foo:1\nkafka:2\nabcd:3\n' | "$BUILD/examples/producer" -b $b -t spread -k : 2>"$scratch/err"
printf 'foo:1\nkafka:2\nabcd:3\n' | kcat -b $b -P -t spread2 -K : -X topic.partitioner=murmur2
kcat -b $b -C -t spread -o beginning -e -q -f '%k %p\n' | sort >"$scratch/back"
kcat -b $b -C -t spread2 -o beginning -e -q -f '%k %p\n' | sort >"$scratch/want"
check 'keys choose the partitions that murmur2 chooses in kcat' cmp -s "$scratch/want" "$scratch/back"

# Look-ups by time and by offset; -o s@T starts at the first record at or after T.
kcat -b $b -C -t kcat-none -p 0 -o beginning -c 1 -q -f '%T\n' >"$scratch/first"
first=$(cat "$scratch/first")
check 'kcat looks offsets up by time' test "$(kcat -b $b -Q -t "kcat-none:0:$first" 2>/dev/null |
    sed -n 's/.*offset \([0-9]*\).*/\1/p')" = 0
kcat -b $b -C -t kcat-none -p 0 -o "s@$first" -e -q >"$scratch/back"
check 'kcat reads from a time on' cmp -s "$scratch/lines" "$scratch/back"
kcat -b $b -C -t kcat-none -p 0 -o 1995 -e -q >"$scratch/back"
tail -n 5 "$scratch/lines" >"$scratch/want"
check 'kcat reads from an offset on' cmp -s "$scratch/want" "$scratch/back"
kcat -b $b -C -t kcat-none -p 0 -o -3 -e -q >"$scratch/back"
tail -n 3 "$scratch/lines" >"$scratch/want"
check 'kcat reads the last three' cmp -s "$scratch/want" "$scratch/back"

end_checks
