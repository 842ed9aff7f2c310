#!/bin/sh
# Goal: another client finds a Kafka broker in build/sluice-broker. Method: kcat produces, consumes,
# lists and seeks by time against it, reads what our example producer wrote, and the other way
# round; and it forms consumer groups of one and two members, eager and cooperative. Every
# comparison is of whole files.
. tests/check.sh
set -e

# Starts the broker on a port that is free: tries a few, because another process may take one
# between the choice and the listen.
start_broker() { # OPTION...: of the broker; kcat_options has kcat's
    for try in 1 2 3 4 5; do
        port=$((20000 + ($$ * 7 + try * 131) % 20000))
        "$BUILD/sluice-broker" --port "$port" --nodes 3 --partitions 4 "$@" \
            >"$scratch/broker.out" 2>"$scratch/broker.err" &
        pid=$!
        for _ in $(seq 1 200); do
            # shellcheck disable=SC2086
            if kcat -b "127.0.0.1:$port" ${kcat_options:-} -L -m 2 >"$scratch/list" 2>/dev/null; then return 0; fi
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

fails() { ! "$@" >"$scratch/out" 2>&1; }

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

# ---- consumer groups ----

# Waits until a command succeeds, up to about 20 s.
await() {
    for _ in $(seq 1 200); do
        if "$@" 2>/dev/null; then return 0; fi
        sleep 0.1
    done
    return 1
}
# Lines from to, a quarter to each partition.
write_lines() { # topic from to
    for p in 0 1 2 3; do
        seq -f 'line %.0f' "$(($2 + p))" 4 "$3" | kcat -b $b -P -t "$1" -p $p
    done
}
want_lines() { seq -f 'line %.0f' "$1" "$2" | sort >"$scratch/want"; } # from to

kcat -b $b -L -t alone >/dev/null
write_lines alone 1 400
kcat -b $b -G alone -X auto.offset.reset=earliest -c 400 -q alone >"$scratch/back" 2>"$scratch/err"
want_lines 1 400
sort "$scratch/back" >"$scratch/sorted"
check 'a group of one reads all' cmp -s "$scratch/want" "$scratch/sorted"
write_lines alone 401 440
kcat -b $b -G alone -X auto.offset.reset=earliest -c 40 -q alone >"$scratch/back" 2>"$scratch/err"
want_lines 401 440
sort "$scratch/back" >"$scratch/sorted"
check 'it goes on where it had committed' cmp -s "$scratch/want" "$scratch/sorted"

start_member() { # name topic strategy
    : >"$scratch/$1" # here: in the background it could be after the first look at what was before
    : >"$scratch/$1.err"
    timeout 60 kcat -b $b -G "two-$3" -u -X auto.offset.reset=earliest -X session.timeout.ms=6000 \
        -X heartbeat.interval.ms=300 -X "partition.assignment.strategy=$3" "$2" \
        >"$scratch/$1" 2>"$scratch/$1.err" &
}
is_assigned() { grep -Eq 'assign(ed|ment).*: .*\[' "$scratch/$1.err"; }
have_read() { [ "$(cat "$scratch/one" "$scratch/two" | sort -u | wc -l)" -ge "$1" ]; }
have_both_read() { [ -s "$scratch/two" ] && have_read "$1"; }
for strategy in range cooperative-sticky; do
    topic="shared-$strategy"
    : >"$scratch/two"
    kcat -b $b -L -t "$topic" >/dev/null
    write_lines "$topic" 1 400
    start_member one "$topic" $strategy
    one=$!
    check "$strategy: the first member gets partitions" await is_assigned one
    check "$strategy: it reads everything" await have_read 400
    start_member two "$topic" $strategy
    two=$!
    check "$strategy: the second member gets some of them" await is_assigned two
    write_lines "$topic" 401 800
    check "$strategy: both read what comes" await have_both_read 800
    kill -INT "$two"
    wait "$two" || true
    write_lines "$topic" 801 1200
    check "$strategy: one leaves, the other reads everything" await have_read 1200
    kill -INT "$one"
    wait "$one" || true
    want_lines 1 1200
    cat "$scratch/one" "$scratch/two" | sort -u >"$scratch/sorted"
    check "$strategy: nothing was left out" cmp -s "$scratch/want" "$scratch/sorted"
done

# Under TLS, where everybody shows a certificate; both clients take the same options.
kill "$pid"
wait "$pid" || true
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=all \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$scratch/tls.key" -out "$scratch/tls.pem" 2>"$scratch/err"
kcat_options="-X security.protocol=SSL -X ssl.ca.location=$scratch/tls.pem
    -X ssl.certificate.location=$scratch/tls.pem -X ssl.key.location=$scratch/tls.key"
start_broker --tls-cert "$scratch/tls.pem" --tls-key "$scratch/tls.key" --tls-ca "$scratch/tls.pem" \
    --tls-client-auth required
b=127.0.0.1:$port
# shellcheck disable=SC2086
{
    kcat -b $b -P -t kcat-tls -p 0 -z lz4 $kcat_options <"$scratch/lines"
    "$BUILD/examples/consumer" -b $b -t kcat-tls -p 0 -o beginning -e $kcat_options >"$scratch/back" 2>"$scratch/err"
    check "kcat writes, our consumer reads, TLS" cmp -s "$scratch/lines" "$scratch/back"
    "$BUILD/examples/producer" -b $b -t ours-tls -p 0 -z lz4 $kcat_options "$scratch/lines" 2>"$scratch/err"
    kcat -b $b -C -t ours-tls -p 0 -o beginning -e -q $kcat_options >"$scratch/back"
    check "our producer writes, kcat reads, TLS" cmp -s "$scratch/lines" "$scratch/back"
}
check "who shows none gets nothing" \
    fails kcat -b $b -L -m 2 -X security.protocol=SSL -X ssl.ca.location="$scratch/tls.pem"

end_checks
