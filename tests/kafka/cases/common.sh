# What the cases share; each is a script of its own that starts with this file.
#
# From kafka.sh: SLUICE_KAFKA, SLUICE_KAFKA_BOOTSTRAP, SLUICE_KAFKA_VERSION. From run.sh: BUILD, the
# folder of the built programs; SCRATCH, an empty folder that is the case's own and its working
# directory; RECORDS, how many records each way of producing is tried with; KILLS, ROLLS, CUTS and
# REMAKES, how often something is done to the cluster, REBALANCES, to members of groups, THROTTLE and LOGINS,
# for how long, and RATE, records per second meanwhile. A case ends with status 0 or has failed;
# what it prints is shown if it failed, and lines like "kill-leader: kills=3" are its figures.

set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kafka=$SLUICE_KAFKA
bootstrap=$SLUICE_KAFKA_BOOTSTRAP
codecs="none gzip snappy lz4 zstd"
tab=$(printf '\t')
cd "$SCRATCH"

# Processes in the background, which end with the case. Plays are shells that end processes of their
# own: they are asked to, and waited for.
plays=
trap 'if [ -n "$plays" ]; then kill $plays && wait $plays; fi 2>/dev/null
    kill -KILL $(jobs -p) 2>/dev/null || true' EXIT

producer() { "$BUILD/examples/producer" -b "$bootstrap" "$@"; }
consumer() { "$BUILD/examples/consumer" -b "$bootstrap" "$@"; }

# become_verify SUBCOMMAND ARGUMENT...: for a background command that has to be signalled: $! of a
# function that merely called the program would be a shell around it.
become_verify() {
    local verb=$1
    shift
    if [ "$verb" != audit ]; then set -- --bootstrap "$bootstrap" "$@"; fi
    exec "$BUILD/kafka/verify" "$verb" "$@"
}
verify() { (become_verify "$@"); }

fail() {
    echo "failed: $*" >&2
    exit 1
}

# make_lines FIRST COUNT 0|1: numbered lines, keyed or not.
make_lines() {
    awk -v first="$1" -v count="$2" -v keyed="$3" -f "$here/lines.awk"
}

# await_line FILE TEXT PID: until a line TEXT is in FILE, as long as process PID lives.
await_line() {
    until grep -qx "$2" "$1" 2>/dev/null; do
        kill -0 "$3" 2>/dev/null || fail "the process that was to print '$2' ended"
        sleep 0.1
    done
}

# same_lines WANT GOT: the same lines as often, in any order.
same_lines() {
    sort "$1" >want.sorted
    sort "$2" >got.sorted
    cmp want.sorted got.sorted || fail "$2 differs from $1 (first lines: $(
        diff want.sorted got.sorted | cut -c1-100 | head -n 3
    ))"
    rm want.sorted got.sorted
}

# in_order FILE FIELD: within each partition (field 1), the numbers at the start of field FIELD only
# go up. A line without a number, an empty one, is passed over.
in_order() {
    awk -F '\t' -v field="$2" '
        $field !~ /^[0-9]+ / { next }
        {
            number = substr($field, 1, 8) + 0
            if (($1 in last) && number <= last[$1]) {
                print "line " NR ": " number " after " last[$1] " in " $1
                exit 1
            }
            last[$1] = number
        }' "$1" || fail "$1 is out of order"
}

# values_of FILE: a consumed file without its first field, the partition.
values_of() { cut -f 2- "$1"; }

# start_play NAME COMMAND...: a part of the case beside its others, in a folder of its own.
start_play() {
    local name=$1
    shift
    mkdir "$name"
    (
        trap 'kill -KILL $(jobs -p) 2>/dev/null || true' EXIT
        trap 'exit 143' TERM
        cd "$name"
        "$@"
    ) &
    plays="$plays $!"
}

# await_plays: all of them, and none may have failed.
await_plays() {
    local one failed=0
    for one in $plays; do wait "$one" || failed=$((failed + 1)); done
    plays=
    [ "$failed" = 0 ] || fail "$failed of the plays"
}

# await_that SECONDS COMMAND...: until the command succeeds; false when it never did.
await_that() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
}

# use_newest_librdkafka: where the benchmarks have fetched it; else programs have the one that kcat came with.
use_newest_librdkafka() {
    local newest
    newest=$(find "${XDG_CACHE_HOME:-$HOME/.cache}/sluice/peer" -name 'librdkafka-*.so.1' 2>/dev/null |
        sort -V | tail -n 1)
    [ -n "$newest" ] || return 0
    mkdir library
    ln -s "$newest" library/librdkafka.so.1
    export LD_LIBRARY_PATH=$PWD/library
}

# group_tool ARGUMENT...: what Kafka says of groups.
group_tool() {
    "$kafka" tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand \
        --bootstrap-server "$bootstrap" "$@"
}

# start_load TOPIC PARTITIONS ARGUMENT...: verify produce in the background, until end_load; its ledger
# is "ledger".
start_load() {
    local topic=$1 partitions=$2
    shift 2
    become_verify produce --topic "$topic" --partitions "$partitions" --count 100000000 \
        --ledger ledger "$@" >produced &
    load=$!
}

# check_load: what was done to the cluster so far did not end the producer.
check_load() { kill -0 "$load" 2>/dev/null || fail "the producer ended by itself"; }

# end_load: everything that was accepted is written, or it fails.
end_load() {
    check_load
    kill "$load"
    wait "$load" || fail "the producer's own checks"
    cat produced
}

# audit_nodes TOPIC LEDGER: the log of the topic on the disk of each node, against the ledger.
audit_nodes() {
    local node
    "$kafka" await-sync "$1"
    for node in 1 2 3; do
        "$kafka" dump "$node" "$1" | verify audit --ledger "$2"
    done
}

# refuses LEDGER WHAT [FIGURE]: the audit does not pass "spoilt", which is "dump" with something wrong,
# and counts it as that figure.
refuses() {
    if cmp -s dump spoilt; then fail "the dump was not spoilt: $2"; fi
    if verify audit --ledger "$1" spoilt >refused 2>&1; then fail "the audit passed $2"; fi
    grep -q "${3-^audit:}" refused || fail "the audit did not count $2: $(tail -n 1 refused)"
}
