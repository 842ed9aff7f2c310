#!/bin/sh
# Goal: the program sluice-broker says where it listens once it does, counts requests, ends cleanly
# when asked to, and refuses a wrong command line with a message.
# Method: starts it on free ports behind a fifo and waits for its lines, then for its end.
. tests/check.sh
broker=$BUILD/sluice-broker

# start OPTION...: lines come on descriptor 3.
start() {
    rm -f "$scratch/lines"
    mkfifo "$scratch/lines"
    "$broker" "$@" >"$scratch/lines" 2>"$scratch/errors" &
    pid=$!
    exec 3<"$scratch/lines"
}
# stop SIGNAL: sets status.
stop() {
    kill -"$1" "$pid"
    wait "$pid"
    status=$?
    pid=
    exec 3<&-
}
next_line_is() { read -r line <&3 && expr "$line" : "$1\$" >/dev/null; }
refuses() { # TEXT OPTION...: status 2, and a message with that text
    text=$1
    shift
    "$broker" "$@" >"$scratch/out" 2>"$scratch/errors"
    [ $? = 2 ] && grep -q -e "$text" "$scratch/errors" && [ ! -s "$scratch/out" ]
}

for signal in TERM INT; do
    start --port 0 --nodes 2
    check "node 1 listens" next_line_is 'listening on 127\.0\.0\.1:[0-9]* (node 1)'
    port=$(expr "$line" : '.*:\([0-9]*\) ')
    check "node 2 listens" next_line_is 'listening on 127\.0\.0\.1:[0-9]* (node 2)'
    stop $signal
    check "it ends by $signal with 0" [ "$status" = 0 ]
done

# The port is known to be free now; equals signs are fine, too.
start --port="$port" --release 3.9 --racks=east,west --set group.max.size=7 --bench --bench-record-size 100 --bench-codec=lz4 --bench-json
check "it listens on the port that was asked for" \
    next_line_is "listening on 127\\.0\\.0\\.1:$port (node 1)"
"$broker" --port "$port" >"$scratch/out" 2>&1
check "a port that is taken is a failure" [ $? = 1 ]
check "… and is named" grep -q "$port" "$scratch/out"
kill -USR1 "$pid"
check "it has handled nothing" \
    next_line_is 'written records=0 bytes=0 requests Produce=0 Fetch=0 .*Metadata=0 .*'
if command -v kcat >/dev/null; then
    echo record | kcat -q -P -b "127.0.0.1:$port" -t topic >"$scratch/out" 2>&1
    kill -USR1 "$pid"
    check "it counts what was written, and requests by API" next_line_is \
        'written records=1 bytes=[1-9][0-9]* requests Produce=1 Fetch=0 .*Metadata=[1-9].*'
fi
stop TERM
check "it ends with 0" [ "$status" = 0 ]

check "--help ends with 0" "$broker" --help >"$scratch/help"
for option in --port --nodes --host --partitions --no-auto-create --memory --release --racks --tls-cert --tls-key \
    --tls-ca --tls-client-auth --set --bench \
    --bench-record-size --bench-json --bench-codec --bench-level --help; do
    check "--help lists $option" grep -q -e "^  $option " "$scratch/help"
done

check "an option that does not exist" refuses "'--prot'" --prot 9092
check "a word" refuses "'9092'" 9092
check "a missing value" refuses 'PORT' --port
check "not a number" refuses "'x'" --port x
check "a number out of range" refuses '1 to 100' --nodes 101
check "ports beyond the last" refuses '65535' --port 65535 --nodes 2
check "a flag with a value" refuses 'takes no value' --bench=1
check "a codec that does not exist" refuses "'lzma'" --bench-codec lzma
check "a level that the codec lacks" refuses 'levels' --bench-codec gzip --bench-level 99
check "a release that does not exist" refuses "'9.9'" --port 0 --release 9.9
check "a rack whose name is too long" refuses '--racks' --port 0 --racks "$(printf '%064d' 0)"
check "a setting that does not exist" refuses "'colour=red'" --port 0 --set colour=red
check "a setting without a value" refuses "'group.max.size'" --port 0 --set group.max.size
check "a certificate without its key" refuses 'need each other' --port 0 --tls-cert x.pem
check "a certificate that is not there" refuses 'ssl.certificate.location: x.pem: no such file' --port 0 \
    --tls-cert x.pem --tls-key x.key
check "a word for certificates of clients" refuses 'ssl.client.auth' --port 0 --tls-client-auth maybe
check "a name for a host" refuses "'localhost'" --port 0 --host localhost

end_checks
