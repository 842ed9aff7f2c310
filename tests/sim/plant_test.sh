#!/bin/sh
# Each planted bug of lib/core/plant.h has to be caught by the simulator within 1,000 seeds; prints
# how many seeds it took. Only the files that have the bugs in them are compiled anew for each: they
# stand before the library when the simulator is linked, so theirs are the functions that count.
# PKG_LIBS: what the library is linked with.
set -u
seeds=1000
build=${BUILD:-build}
out=$build/plants
plants='1:lost-record 2:duplicate 3:reorder 4:false-written 5:buffer-reused'
plants="$plants 6:wrong-tags 7:one-tag 8:early-commit 9:cut-unnoticed 10:unpacked-astray 11:session-outlived"
plants="$plants 12:placed-astray"
sources=$(grep -l 'SL_PLANTED' lib/core/*.c)
objects=$(ls tests/sim/*.c | sed "s|^tests/\(.*\)\.c\$|$build/obj/tests/\1.o|")
flags="-std=c11 ${CFLAGS:--O2} -pthread -fPIC -fvisibility=hidden -Iinclude -Ilib"
passed=0
failed=0

fail() {
    echo "$1"
    failed=$((failed + 1))
}

# try NUMBER NAME
try() {
    mkdir -p "$out/$1"
    planted=
    for source in $sources; do
        object=$out/$1/$(basename "$source" .c).o
        # shellcheck disable=SC2086
        ${CC:-cc} $flags -DSL_PLANT="$1" -c "$source" -o "$object" || return 1
        planted="$planted $object"
    done
    # shellcheck disable=SC2086
    ${CC:-cc} -fno-lto -pthread -Wl,--as-needed -o "$out/$1/sim" $objects $planted "$build/libsluice.a" \
        $PKG_LIBS || return 1
    "$out/$1/sim" --plant --seed 1 --seeds $seeds >"$out/$1/log" 2>&1
    line=$(tail -n 1 "$out/$1/log")
    echo "plant $1 ($2): $(grep -m 1 'violation' "$out/$1/log")"
    case $line in
    *'plant caught'*) echo "plant $1 ($2): $line" ;;
    *) return 1 ;;
    esac
}

if ! make --no-print-directory -s BUILD="$build" "$build/sim/sim" >/dev/null; then
    fail 'the simulator does not build'
    plants=
fi
for plant in $plants; do
    if try "${plant%%:*}" "${plant#*:}"; then
        passed=$((passed + 1))
    else
        fail "plant ${plant%%:*} (${plant#*:}) was not caught in $seeds seeds"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
