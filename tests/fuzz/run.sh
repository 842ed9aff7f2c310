#!/bin/sh
# Runs fuzz targets one after the other: `make fuzz` calls it with the programs built.
#
#   BUILD=dir TIME=seconds RUNS=inputs sh tests/fuzz/run.sh TARGET...
#
# New inputs go to BUILD/fuzz/corpus/TARGET, beside the committed ones of tests/fuzz/corpus/TARGET;
# an input that crashes goes to BUILD/fuzz/crash-…, to be committed there once it is mended.
# BUILD/fuzz/ledger.txt gets a line for each run: when, target, inputs run, seconds, edges covered,
# result. Ends with "N passed, N failed".
set -u
build=${BUILD:-build}
passed=0
failed=0
[ $# -gt 0 ] || { echo "no fuzz targets"; exit 1; }
for target in "$@"; do
    found=$build/fuzz/corpus/$target
    mkdir -p "$found"
    committed=
    [ -d "tests/fuzz/corpus/$target" ] && committed=tests/fuzz/corpus/$target
    log=$build/fuzz/$target.log
    began=$(date +%s)
    # shellcheck disable=SC2086  # committed may be nothing
    "$build/fuzz/$target" -max_total_time="${TIME:-30}" -runs="${RUNS:--1}" -timeout=10 \
        -rss_limit_mb=2048 -malloc_limit_mb=512 -print_final_stats=1 \
        -artifact_prefix="$build/fuzz/crash-$target-" "$found" $committed >"$log" 2>&1
    code=$?
    inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    result=ok
    if [ $code -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        result=FAIL
        tail -n 40 "$log"
    fi
    printf '%s  %-28s %10s inputs %5d s %6s edges  %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$target" \
        "${inputs:-0}" "$(($(date +%s) - began))" "${edges:-0}" "$result" |
        tee -a "$build/fuzz/ledger.txt"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
