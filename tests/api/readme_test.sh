#!/bin/sh
# Goal: the programs of README.md are right: they compile without a warning as C and do what it says.
# Method: cut them out, compile them against the headers and the shared library, and run producer and
# consumer against build/sluice-broker. The commands about groups run as they stand, on another port.
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

port=$((port + 1))
{
    echo 'trap "kill \$! 2>/dev/null" EXIT'
    awk '/^## /{ here = /Consumer groups/ } /^```$/ { inside = 0 } inside { print }
        here && /^```sh$/ { inside = 1 }' README.md | sed "s|build/|$build/|; s/9092/$port/"
} >"$scratch/groups.sh"
sh -e "$scratch/groups.sh" >"$scratch/told" || fail "the commands about groups failed"
[ "$(grep -cx 'every service got every order once' "$scratch/told")" -eq 2 ] ||
    fail "orders of README.md: $(cat "$scratch/told")"
grep 'records of before$' "$scratch/told" | grep -qv '; 0 records' &&
    fail "a service of README.md got orders again: $(cat "$scratch/told")"
grep "^orders$(printf '\t')" "$scratch/told" >"$scratch/read"
[ "$(wc -l <"$scratch/read")" -eq 12 ] && [ "$(sort -u "$scratch/read" | wc -l)" -eq 12 ] ||
    fail "the members of README.md did not read 12 orders once each: $(cat "$scratch/read")"
echo "4 passed, 0 failed"
