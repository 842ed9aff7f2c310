#!/bin/sh
# Goal: the programs of README.md are right: they compile without a warning as C and do what it says.
# Method: cut them out, compile them against the headers and the shared library, and run producer and
# consumer against build/sluice-broker.
set -u
build=${BUILD:-build}
scratch=$(mktemp -d) || exit 1
broker=
trap '[ -z "$broker" ] || kill "$broker"; rm -rf "$scratch"' EXIT
fail() {
    echo "$*"
    exit 1
}

awk -v to="$scratch" '/^```c$/ { getline name; sub(/^\/\* /, "", name); sub(/ \*\/$/, "", name)
    out = to "/" name; next } /^```$/ { out = "" } out != "" { print > out }' README.md
for program in produce consume; do
    # shellcheck disable=SC2086
    ${CC:-cc} -std=c99 -Wall -Wextra -Werror ${SANITIZE:+-fsanitize=$SANITIZE} -Iinclude \
        "$scratch/$program.c" -o "$scratch/$program" "$build/libsluice.so" -Wl,-rpath,"$(pwd)/$build" ||
        fail "$program.c of README.md does not compile"
done

port=$((21000 + $$ % 9000))
"$build/sluice-broker" --port $port >"$scratch/broker.log" 2>&1 &
broker=$!
"$scratch/produce" localhost:$port || fail "produce.c of README.md failed"
"$scratch/consume" localhost:$port >"$scratch/read" || fail "consume.c of README.md failed"
[ "$(wc -l <"$scratch/read")" -eq 1000 ] || fail "consume.c read $(wc -l <"$scratch/read") of 1000 records"
grep -qx '999: order 999' "$scratch/read" || fail "the last line is $(tail -n 1 "$scratch/read")"
echo "2 passed, 0 failed"
