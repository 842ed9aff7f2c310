#!/bin/sh
# The entry of `make bench`: sluice beside librdkafka, against the same bundled broker process, in
# interleaved runs, each client in a process of its own.
#
#   tests/bench/run.sh [CASE ...]    only these cases (default: CASES, or all that are supported)
#   CASES="produce-100 consume-100"  the same by name
#   RUNS=5                           rounds: runs per client and case
#   BENCH_SECONDS=2.5 BENCH_WARMUP=1 measured time and warm-up of a run
#   LIBRDKAFKA=path                  another librdkafka than the newest packaged one, under TLS too
#   SLUICE_LIBRARY=path              another library than build/libsluice.so
#   PEER_PROPERTIES SLUICE_PROPERTIES  "name=value …", set last, to try other settings
#   BENCH_PORT=n                     first port of the broker
#
# A round is a run of each client in each case, so that what is compared, also between cases, was
# measured over the same time: machines change their speed by half within minutes.
#
# Prints a line per case, then whether each bar of tests/bench/targets.txt holds, which changes
# nothing about the exit status; writes build/bench.json and a picture of the ratios,
# build/bench.svg. build/bench/ keeps every run and every log. A case fails if the broker did not
# get exactly the records that a client says it sent.
# Packaged librdkafkas carry an OpenSSL of their own. Cases under TLS would compare two OpenSSLs, so
# there the peer is one that was built from source with sluice's, which is the broker's as well.
# The system's TCP congestion control is cubic meanwhile, where this may be set, and what it was
# before afterwards: both clients and the broker live under the same one.
set -eu
cd "$(dirname "$0")/../.."

peer_package=2.16.1 # of confluent-kafka; carries librdkafka 2.16.0, the newest
peer_sources=1.10.1 # of @confluentinc/kafka-javascript; carries those of librdkafka 2.15.1, the newest
topic=bench
targets=tests/bench/targets.txt
build=${BUILD:-build}
work=$build/bench
runs=${RUNS:-5}
[ $# = 0 ] || CASES=$*
first_port=${BENCH_PORT:-$((20000 + $$ % 10000))}
congestion_file=/proc/sys/net/ipv4/tcp_congestion_control
congestion_before=
broker=
watcher=
failed=

say() { echo "bench: $*"; }
die() {
    echo "bench: $*" >&2
    exit 1
}

stop_broker() {
    [ -n "$broker" ] || return 0
    kill -CONT "$broker" 2>/dev/null || true # a client may have stopped it, and then broken
    kill "$broker" 2>/dev/null || true
    wait "$broker" 2>/dev/null || true
    broker=
}

clean_up() {
    stop_broker
    [ -z "$congestion_before" ] || echo "$congestion_before" >"$congestion_file" || true
}

# ---- the peer ---------------------------------------------------------------------------------

# Sets peer_library to the full path of a librdkafka, installing the package into a cache outside
# the tree if need be. The package is chosen by name and version, nothing else is looked up.
find_peer() {
    if [ -n "${LIBRDKAFKA:-}" ]; then
        [ -f "$LIBRDKAFKA" ] || die "LIBRDKAFKA=$LIBRDKAFKA: no such file"
        peer_library=$(cd "$(dirname "$LIBRDKAFKA")" && pwd)/$(basename "$LIBRDKAFKA")
        return
    fi
    folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/peer/confluent-kafka-$peer_package
    if [ ! -d "$folder" ]; then
        rm -rf "$folder.part"
        mkdir -p "$(dirname "$folder")"
        PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check \
            --no-deps --only-binary :all: --target "$folder.part" \
            "confluent-kafka==$peer_package" ||
            die "the peer is missing: python3 with pip installs confluent-kafka" \
                "$peer_package, or LIBRDKAFKA= names a library file"
        mv "$folder.part" "$folder"
    fi
    peer_library=$(find "$folder/confluent_kafka.libs" -name 'librdkafka-*.so.1' | head -n 1)
    [ -n "$peer_library" ] || die "no librdkafka-*.so.1 under $folder: remove it and try again"
}

# The libcrypto that a library is linked with; nothing where it carries its own.
crypto_of() { ldd "$1" | awk '$1 ~ /^libcrypto[.]so/ { print $3 }'; }

# Builds the peer from the package's sources, with the system's OpenSSL, in the folder $1.
build_tls_peer() {
    command -v npm >/dev/null || die "npm fetches the peer for TLS: install it, or set LIBRDKAFKA"
    say "building the peer with sluice's OpenSSL, once"
    rm -rf "$1.part"
    mkdir -p "$1.part"
    (
        cd "$1.part" &&
            npm pack --silent "@confluentinc/kafka-javascript@$peer_sources" >/dev/null &&
            tar xzf ./*.tgz && cd package/deps/librdkafka &&
            ./configure --disable-gssapi --disable-curl && make -j"$(getconf _NPROCESSORS_ONLN)" libs
    ) >"$work/tls-peer.log" 2>&1 || die "the peer was not built: $work/tls-peer.log"
    mv "$1.part" "$1"
}

# Builds the client of the cases under TLS, once in a run, and says what it has.
need_tls_peer() {
    [ -z "${tls_peer_library:-}" ] || return 0
    tls_peer_library=$peer_library
    if [ -z "${LIBRDKAFKA:-}" ] && [ "$(crypto_of "$peer_library")" != "$(crypto_of "$library")" ]; then
        folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/peer/kafka-javascript-$peer_sources
        [ -d "$folder" ] || build_tls_peer "$folder"
        tls_peer_library=$folder/package/deps/librdkafka/src/librdkafka.so.1
    fi
    build_peer "$tls_peer_library" "$work/peer-tls"
    crypto=$(crypto_of "$tls_peer_library")
    say "under TLS: peer librdkafka $("$work/peer-tls" version) ($tls_peer_library);" \
        "sluice's OpenSSL is $(crypto_of "$library"), the peer's ${crypto:-one of its own}"
}

find_header() {
    for include in $(pkg-config --variable=includedir rdkafka 2>/dev/null) /usr/include \
        /usr/local/include; do
        [ ! -f "$include/librdkafka/rdkafka.h" ] || return 0
    done
    return 1
}

# Sets include to the folder that has librdkafka/rdkafka.h.
need_header() {
    ! find_header || return 0
    sh mk/deps.sh bench || exit 1
    find_header || die "librdkafka/rdkafka.h is missing: install librdkafka's development package"
}

# build_peer LIBRARY PROGRAM
build_peer() {
    ${CC:-cc} $flags -I"$include" $client tests/bench/peer.c "$1" "$rpath,$(dirname "$1")" -o "$2"
}

build_clients() {
    library=${SLUICE_LIBRARY:-$build/libsluice.so}
    [ -f "$library" ] || die "$library is missing: run make first"
    [ -x "$build/sluice-broker" ] || die "build/sluice-broker is missing: run make first"
    library=$(cd "$(dirname "$library")" && pwd)/$(basename "$library")
    flags="-std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra"
    # The older kind of rpath also serves what the libraries themselves depend on.
    rpath="-Wl,--disable-new-dtags,-rpath"
    shared="tests/bench/bench.c tests/bench/cases.c tests/bench/process.c"
    client="$shared tests/bench/runs.c -pthread"
    build_peer "$peer_library" "$work/peer"
    ${CC:-cc} $flags -Iinclude $client tests/bench/ours.c "$library" \
        "$rpath,$(dirname "$library")" -o "$work/sluice"
    ${CC:-cc} $flags -I"$include" $shared tests/bench/peer_prepare.c "$peer_library" \
        "$rpath,$(dirname "$peer_library")" -o "$work/prepare"
    # Its CRC-32C is the library's own, and so are its codecs.
    ${CC:-cc} $flags -Iinclude -Ilib $shared tests/bench/floor.c -pthread "$build/libsluice.a" \
        -lsnappy -llz4 -lzstd -lz -o "$work/floor"
    "$work/prepare" list >"$work/cases"
}

# ---- congestion control -----------------------------------------------------------------------

set_congestion() {
    [ -r "$congestion_file" ] || return 0
    now=$(cat "$congestion_file")
    [ "$now" != cubic ] || return 0
    if (echo cubic >"$congestion_file") 2>/dev/null; then
        congestion_before=$now
    else
        say "congestion control stays $now: cubic may not be set here"
    fi
}

# What the broker's connections use, as the kernel tells while a client is at work.
watch_broker() {
    if ! command -v ss >/dev/null; then
        echo "unknown (no ss)" >"$work/congestion"
        return 0
    fi
    (
        sleep 1.5 # after the first client has connected, before it ends
        ss -Htin "( sport >= :$port and sport < :$((port + nodes)) )" | awk '
            { for (i = 2; i <= NF; i++) if ($i ~ /^wscale:/) name[$(i - 1)] = 1 }
            END { for (n in name) { printf "%s%s", sep, n; sep = "," } print sep ? "" : "unknown" }'
    ) >"$work/congestion" &
    watcher=$!
}

# Says which congestion control ran at each end in a case, whenever that is news.
report_congestion() {
    [ -z "$watcher" ] || wait "$watcher" || true
    watcher=
    ends=$(awk '
        { for (i = 1; i <= NF; i++) { split($i, part, "="); field[part[1]] = part[2] } }
        !((field["client"], field["congestion"]) in seen) {
            seen[field["client"], field["congestion"]] = 1
            ends[field["client"]] = ends[field["client"]] sep[field["client"]] field["congestion"]
            sep[field["client"]] = ","
        }
        END { printf "sluice=%s peer=%s", ends["sluice"], ends["peer"] }' "$work/$1.runs")
    ends="$ends broker=$(cat "$work/congestion")"
    [ "$ends" = "${last_ends:-}" ] || say "congestion control: $ends"
    last_ends=$ends
}

# ---- cases ------------------------------------------------------------------------------------

# case_field CASE N: the Nth word of the case's line (name, nodes, "floor" or "-"); 4: the rest, what
# the broker needs, where WORK is the folder of this run's files.
case_field() {
    awk -v name="$1" -v n="$2" -v work="$work" '
        $1 != name { next }
        n < 4 { print $n }
        n == 4 { $1 = $2 = $3 = ""; gsub("WORK", work); print }' "$work/cases"
}

is_tls_case() {
    case $(case_field "$1" 4) in
    *--tls-cert*) return 0 ;;
    esac
    return 1
}

# The properties of a case under TLS, the same for both clients; nothing for others.
tls_properties() {
    ! is_tls_case "$1" || echo "security.protocol=ssl ssl.ca.location=$work/tls.pem"
}

# The program of a client for a case.
program_of() {
    if [ "$2" = peer ] && is_tls_case "$1"; then echo "$work/peer-tls"; else echo "$work/$2"; fi
}

# A certificate of this run's own, which is also who is trusted.
make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench \
        -addext 'subjectAltName=IP:127.0.0.1' -keyout "$work/tls.key" -out "$work/tls.pem" \
        2>"$work/tls.log" || die "openssl made no certificate: $(tail -n 1 "$work/tls.log")"
}

# The first option of the case that this broker doesn't know, if any.
missing_option() {
    for word in $(case_field "$1" 4); do
        case $word in
        --*) grep -q -e "$word" "$work/broker-help" || { echo "$word" && return; } ;;
        esac
    done
}

# A broker of its own for each run of a case.
start_broker() {
    "$build/sluice-broker" --port "$port" $(case_field "$1" 4) >>"$work/$1.broker.log" 2>&1 &
    broker=$!
    prepared=$("$work/prepare" prepare "127.0.0.1:$port" $topic "$1" \
        $(tls_properties "$1") 2>>"$work/$1.log") || return 1
    [ "${prepared##*leaders=}" = "$nodes" ] || {
        echo "the topics are not spread over $nodes nodes: $prepared" >>"$work/$1.log"
        return 1
    }
}

# Sets counts to "records bytes Produce-requests", what the broker had of each by now.
count_written() {
    lines=$(grep -c '^written ' "$work/$1.broker.log" || true)
    kill -USR1 "$broker"
    for _ in $(seq 500); do
        [ "$(grep -c '^written ' "$work/$1.broker.log")" = "$lines" ] || break
        sleep 0.01
    done
    counts=$(sed -n 's/^written records=\([0-9]*\) bytes=\([0-9]*\) .* Produce=\([0-9]*\) .*/\1 \2 \3/p' \
        "$work/$1.broker.log" | tail -n 1)
}

# run_client CASE CLIENT PROPERTIES: one process, one more line in CASE.runs. Beside what the client
# prints it has what the broker saw of the run: requests, and bytes of batches a record.
run_client() {
    count_written "$1"
    before=$counts
    line=$(BENCH_BROKER_PID=$broker timeout 180 "$(program_of "$1" "$2")" run "127.0.0.1:$port" $topic "$1" \
        $(tls_properties "$1") $3 \
        2>>"$work/$1.log") || return 1
    case $line in
    *" sent=0 "*) ;;
    *)
        count_written "$1"
        line="$line $(echo "$before $counts" |
            awk '{ printf "arrived=%d requests=%d", $4 - $1, $6 - $3
                   if ($4 > $1) printf " wire_bytes=%.2f", ($5 - $2) / ($4 - $1) }')"
        echo "$line" | awk '
            { for (i = 1; i <= NF; i++) { split($i, part, "="); field[part[1]] = part[2] } }
            END { exit field["sent"] != field["arrived"] }' || {
            echo "$2 sent other records than the broker got: $line" >>"$work/$1.log"
            return 1
        }
        ;;
    esac
    echo "client=$2 $line" >>"$work/$1.runs"
}

run_floor() {
    line=$("$work/floor" run - - "$1" 2>>"$work/$1.log") || return 1
    echo "client=floor $line" >>"$work/$1.runs"
}

# run_pair CASE ROUND: a run of each client, by turns one or the other first.
run_pair() {
    if [ $(($2 % 2)) = 1 ]; then
        run_client "$1" sluice "${SLUICE_PROPERTIES:-}" || return 1
        run_client "$1" peer "${PEER_PROPERTIES:-}" || return 1
    else
        run_client "$1" peer "${PEER_PROPERTIES:-}" || return 1
        run_client "$1" sluice "${SLUICE_PROPERTIES:-}" || return 1
    fi
    [ "$(case_field "$1" 3)" != floor ] || run_floor "$1"
}

has_failed() {
    case " $failed " in
    *" $1 "*) return 0 ;;
    esac
    return 1
}

# measure_case CASE ROUND: a case that fails has no further rounds.
measure_case() {
    nodes=$(case_field "$1" 2)
    ! is_tls_case "$1" || need_tls_peer
    [ "$2" != 1 ] || watch_broker
    if start_broker "$1" && run_pair "$1" "$2"; then
        [ "$2" != 1 ] || report_congestion "$1"
    else
        why=$(tail -n 1 "$work/$1.log" | sed "s/^bench: //")
        say "$1 FAILED: $why (logs: $work/$1.log, $work/$1.broker.log)"
        failed="$failed $1"
    fi
    stop_broker
}

# measure_round CASES ROUND: a case has the same ports in each round.
measure_round() {
    say "round $2 of $runs"
    port=$first_port
    for name in $1; do
        has_failed "$name" || measure_case "$name" "$2"
        port=$((port + $(case_field "$name" 2)))
    done
}

# report_cases CASES: those that did not fail.
report_cases() {
    for name in $1; do
        has_failed "$name" || cat "$work/$name.runs" >>"$work/runs"
    done
    awk -f tests/bench/figures.awk "$work/runs" >"$work/figures"
    for name in $1; do
        has_failed "$name" || awk -v name="$name" -f tests/bench/report.awk "$targets" "$work/figures"
    done
}

print_header() {
    say "sluice $("$work/sluice" version), peer librdkafka $("$work/peer" version) ($peer_library)"
    say "$(uname -sr), $(getconf _NPROCESSORS_ONLN) cores, load $(cut -d ' ' -f 1 /proc/loadavg)"
    say "one bundled broker process for each pair of runs (3 nodes and --bench, unless the case is about" \
        "others), both clients on it; acks=all, linger.ms=5, batch.size=1000000, 512 MiB of buffer, every record" \
        "reported with its tag, check.crcs=true, one application thread, unless the case says so"
    say "$runs rounds of all cases, a process for each run; figures are medians, each metric by" \
        "itself, ratios are of medians; cpu_ns is CPU of the whole client process per record," \
        "in idle cases per second"
}

[ "$runs" -ge 1 ] 2>/dev/null || die "RUNS=$runs: a number from 1 on is wanted"
mkdir -p "$work"
: >"$work/runs"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
find_peer
need_header
build_clients
make_certificate
"$build/sluice-broker" --help >"$work/broker-help" 2>&1 || true
nobody=$(awk 'FNR == NR { known[$1] = 1; next } !/^#/ && NF && !($1 in known) { print $1 }' \
    "$work/cases" "$targets")
[ -z "$nobody" ] || die "$targets: there is no case" $nobody
set_congestion
print_header
names=
for name in ${CASES:-$(cut -d ' ' -f 1 "$work/cases")}; do
    grep -q "^$name " "$work/cases" || die "no case '$name'; $work/prepare list prints all"
    option=$(missing_option "$name")
    if [ -n "$option" ]; then
        say "$name skipped: this broker has no $option"
        [ -z "${CASES:-}" ] || failed="$failed $name"
        continue
    fi
    : >"$work/$name.runs"
    : >"$work/$name.log"
    : >"$work/$name.broker.log"
    names="$names $name"
done
for round in $(seq "$runs"); do measure_round "$names" "$round"; done
report_cases "$names"
awk -v as=bars -f tests/bench/report.awk "$targets" "$work/figures"
awk -v as=json -f tests/bench/report.awk "$targets" "$work/figures" >"$build/bench.json"
awk -f tests/bench/picture.awk "$targets" "$work/figures" >"$build/bench.svg"
[ -z "$failed" ] || die "failed:$failed"
