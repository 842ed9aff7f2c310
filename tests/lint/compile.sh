#!/bin/sh
# Everything compiles with $1 (gcc, clang) without a warning, and so does every header by itself:
# the public ones as C99 and as C++11.
compiler=$1
plus=$(echo "$compiler" | sed 's/clang/clang++/; s/gcc/g++/')
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
packages=$(${PKG_CONFIG:-pkg-config} --cflags libcrypto libssl libsasl2 zlib snappy liblz4 libzstd cmocka)
strict="-Wall -Wextra -Wconversion -Wshadow -Werror -fsyntax-only -pthread $packages"
c_strict="$strict -Wstrict-prototypes -Wmissing-prototypes"

# What is compiled after a header: not quite nothing, which pedantic compilers refuse.
echo 'typedef int nothing_else;' >"$scratch/nothing.c"

# $1 command line without the file, $2 the kind of input; files are read from standard input.
add_jobs() { sed "s|.*|$1 $2 &|"; }
# What uses the peer needs its header, which only `make bench` and `make test-kafka` ask for.
leave_out_peer() {
    if echo '#include <librdkafka/rdkafka.h>' | "$compiler" -fsyntax-only -x c - 2>/dev/null
    then cat; else grep -v '^tests/bench/peer\|^tests/kafka/transactions'; fi
}
{
    find lib -name '*.c' | grep -v '^lib/driver/' |
        add_jobs "$compiler -std=c11 $c_strict -Iinclude -Ilib"
    find lib/driver -name '*.c' 2>/dev/null |
        add_jobs "$compiler -std=c11 $c_strict -D_GNU_SOURCE -Iinclude -Ilib"
    find tools tests -name '*.c' 2>/dev/null | grep -v '^tests/api/' | leave_out_peer |
        add_jobs "$compiler -std=c11 $c_strict -D_DEFAULT_SOURCE -Iinclude -Ilib -Itests"
    find examples tests/api -name '*.c' 2>/dev/null |
        add_jobs "$compiler -std=c99 -pedantic $c_strict -D_DEFAULT_SOURCE -Iinclude"
    find tests/api -name '*.cpp' 2>/dev/null |
        add_jobs "$plus -std=c++11 -pedantic $strict -Iinclude"
    find lib -name '*.h' |
        add_jobs "$compiler -std=c11 $strict -D_GNU_SOURCE -Iinclude -Ilib -x c -include" |
        sed "s|$| $scratch/nothing.c|"
    find include -name '*.h' |
        add_jobs "$compiler -std=c99 -pedantic $c_strict -Iinclude -x c -include" |
        sed "s|$| $scratch/nothing.c|"
    find include -name '*.h' |
        add_jobs "$plus -std=c++11 -pedantic $strict -Iinclude -x c++ -include" |
        sed "s|$| $scratch/nothing.c|"
} >"$scratch/jobs"
# Two at a time; each writes to a file of its own, so that messages do not mix.
awk -v out="$scratch/out" '{ printf "%s >%s.%d 2>&1 || echo broken >>%s.%d%c", $0, out, NR, out, NR, 0 }' \
    "$scratch/jobs" | xargs -0 -n 1 -P 2 sh -c
cat "$scratch"/out.* 2>/dev/null | sed 's|^\./||' | grep -E '^[^ ]+:[0-9]+:([0-9]+:)? (fatal )?(error|warning)' | sort -u |
    awk -v check="compile-$compiler" -f tests/lint/report.awk || exit 1
! grep -l '^broken$' "$scratch"/out.* >/dev/null 2>&1 || { cat "$scratch"/out.*; exit 1; }
