#!/usr/bin/env bash
#
# The suite on a real Apache Kafka: `make test-kafka`, and with SOAK=1 `make soak-kafka`.
#
#   tests/kafka/run.sh [VERSION]...      newest and 3.9 unless named; see kafka.sh
#
# For each version a cluster of three nodes is started, every script of cases/ runs on it, a line
# "pass" or "fail" each, and the cluster is stopped. At the end comes a table of what each case came
# to (summary.awk). The last line is "N passed, N failed"; the exit status is 0 only if none failed.
# In the environment:
#
#   BUILD     the folder of the built programs (build)
#   CASES     the cases to run, by name, instead of all
#   RECORDS   records per direction: text and bytes are tried with half of them each (400,000;
#             soak: 4,000,000)
#   KILLS     how many times a leader is killed (2; soak: 24); a quarter as often where it leads
#             a third of 300 partitions
#   ROLLS     how many times all nodes are restarted in turn (1; soak: 2)
#   CUTS      how many connections are cut (100; soak: 1,200)
#   REMAKES   how many times a topic is deleted and made again (3; soak: 10)
#   REBALANCES  how often members of groups join, leave, are killed or frozen, of all groups together
#             (24; soak: 200). The case "rebalances" is of a soak, or is named
#   LOGINS    for how many seconds sessions of ten seconds are kept alive (20; soak: 600)
#   THROTTLE  for how many seconds a quota holds (8; soak: 30)
#   RATE      records per second during such events (20,000; soak: 2,000, for the disk's sake)
#
# A soak of two versions takes 50 minutes on two processors. What takes longest are the kills, a
# quarter of a minute each: KILLS=240 is a soak of hours.
#
# The nodes' data is below $TMPDIR (/tmp): about 1 GB, soak four times that, until each run ends.

set -uo pipefail

script=${BASH_SOURCE[0]}
here=$(cd "$(dirname "$script")" && pwd)
# In the order of their cost, the one that disturbs the brokers last.
all_cases="text-to-java text-from-java bytes bindings transactions commits groups mixed follower \
    kill-leader tls logins gssapi rolling-restart cuts remake-topic throttle wide-topic close-frozen \
    truncation"
# For the sake of time all versions but the first are only tried with these, except in a soak: what
# the others are about does not depend on the version as much.
some_cases="text-to-java bytes commits groups mixed"

# run_child COMMAND...: runs it so that a signal to this shell ends it first. A trap is only run
# once the command in front of the shell has ended, so it runs in the background, waited for.
child=
run_child() {
    local status=0
    "$@" &
    child=$!
    wait "$child" || status=$?
    child=
    return $status
}
give_up() {
    trap '' HUP INT TERM
    [ -n "$child" ] && kill "$child" 2>/dev/null && wait "$child"
    exit 130
}
trap give_up HUP INT TERM

# run_case NAME: one case, its line, and its text if it failed.
run_case() {
    local started=$SECONDS verdict=pass took
    export SCRATCH=$SLUICE_KAFKA_DIR/case-$1
    mkdir -p "$SCRATCH"
    run_child timeout --kill-after=10 "$CASE_LIMIT" bash "$here/cases/$1.sh" \
        >"$SCRATCH/case.log" 2>&1 || verdict=fail
    took=$((SECONDS - started))
    printf '%s  %-6s  %-16s %4d s\n' "$verdict" "$SLUICE_KAFKA_VERSION" "$1" "$took"
    echo "case $SLUICE_KAFKA_VERSION $1 $verdict $took" >>"$RESULTS"
    # A case's figures: names and values after a word that says whose they are.
    grep -E '^[a-z-]+: .*[a-z_]+=[0-9]' "$SCRATCH/case.log" >>"$RESULTS"
    if [ "$verdict" = fail ]; then
        tail -n 40 "$SCRATCH/case.log" | sed 's/^/      /'
        return 1
    fi
    rm -rf "$SCRATCH"
}

# inside: the part that runs in a cluster.
inside() {
    local name status=0
    for name in $CASES; do run_case "$name" || status=1; done
    exit $status
}

if [ "${1-}" = --inside ]; then
    inside
fi

BUILD=${BUILD:-build}
BUILD=$(cd "$BUILD" && pwd) || exit 2
for program in examples/producer examples/consumer kafka/verify kafka/proxy kafka/transactions; do
    if [ ! -x "$BUILD/$program" ]; then
        echo "run.sh: $BUILD/$program is not built; \`make test-kafka\` builds it" >&2
        exit 2
    fi
done
if [ -n "${SOAK-}" ]; then
    RECORDS=${RECORDS:-4000000} KILLS=${KILLS:-24} ROLLS=${ROLLS:-2} CUTS=${CUTS:-1200}
    REMAKES=${REMAKES:-10} REBALANCES=${REBALANCES:-200} THROTTLE=${THROTTLE:-30} LOGINS=${LOGINS:-600}
    RATE=${RATE:-2000} CASE_LIMIT=36000
    all_cases="$all_cases rebalances"
else
    RECORDS=${RECORDS:-400000} KILLS=${KILLS:-2} ROLLS=${ROLLS:-1} CUTS=${CUTS:-100}
    REMAKES=${REMAKES:-3} REBALANCES=${REBALANCES:-24} THROTTLE=${THROTTLE:-8} LOGINS=${LOGINS:-20}
    RATE=${RATE:-20000} CASE_LIMIT=300
fi
# Text and bytes are half each.
RECORDS=$((RECORDS / 2))
RESULTS=$(mktemp) || exit 2
trap 'rm -f "$RESULTS"' EXIT
export BUILD RECORDS KILLS ROLLS CUTS REMAKES REBALANCES THROTTLE LOGINS RATE CASE_LIMIT RESULTS

[ $# -gt 0 ] || set -- newest 3.9
wanted_cases=${CASES-}
export CASES=${wanted_cases:-$all_cases}
for wanted in "$@"; do
    before=$(wc -l <"$RESULTS")
    if ! run_child "$here/kafka.sh" run "$wanted" "$here/run.sh" --inside &&
        [ "$(wc -l <"$RESULTS")" = "$before" ]; then
        echo "fail  $wanted: the cluster did not start, or was ended from outside"
        echo "case $wanted cluster fail 0" >>"$RESULTS"
    fi
    [ -n "${SOAK-}" ] || CASES=${wanted_cases:-$some_cases}
done
awk -f "$here/summary.awk" "$RESULTS"
passed=$(grep -c '^case .* pass ' "$RESULTS")
failed=$(grep -c '^case .* fail ' "$RESULTS")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
