#!/bin/sh
# Goal: what `make install` puts into a directory is enough for programs of others, in C99 and C++17,
# shared and static, through pkg-config alone, also when the tree was moved; it has a man page for each
# function, and `make uninstall` leaves nothing behind.
# Method: install below a scratch DESTDIR with a LIBDIR of its own, compile a program there that produces
# and consumes, without the source tree on any path; uninstall, list.
set -u
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
root=$(pwd)
stage=$scratch/stage
passed=0
install_make() {
    make --no-print-directory -C "$root" DESTDIR="$stage" PREFIX=/opt/sluice LIBDIR=/opt/sluice/lib64 \
        "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
}
fail() {
    echo "$*"
    exit 1
}
pass() { passed=$((passed + 1)); }

# The job server of a make above this one is not there for a make below it.
unset MAKEFLAGS MAKELEVEL
install_make install
[ -f "$stage/opt/sluice/include/sluice/sluice.h" ] || fail "no header was installed"
for tool in sluice-broker sluice-config; do
    [ -x "$stage/opt/sluice/bin/$tool" ] || fail "no $tool was installed"
    [ -s "$stage/opt/sluice/share/man/man1/$tool.1" ] || fail "no man page of $tool was installed"
done
pass

while read -r name; do
    page=$stage/opt/sluice/share/man/man3/$name.3
    for section in NAME SYNOPSIS DESCRIPTION ATTRIBUTES; do
        grep -q "^\.SH $section\$" "$page" || fail "$name(3) has no $section"
    done
done <tests/abi/symbols.txt
if command -v groff >/dev/null 2>&1; then
    complaints=$(groff -man -Tutf8 -ww -K utf8 "$stage"/opt/sluice/share/man/man*/* 2>&1 >/dev/null |
        grep -v "can't break line\|cannot adjust line\|cannot break line")
    [ -z "$complaints" ] || fail "man pages: $complaints"
fi
pass

# The tree is where nobody said it would be.
mv "$stage/opt/sluice" "$scratch/moved"
unset PKG_CONFIG_PATH
flags() { PKG_CONFIG_PATH=$scratch/moved/lib64/pkgconfig pkg-config --define-prefix "$@" sluice; }
cp tests/install/roundtrip.c "$scratch/app.c"
cp "$scratch/app.c" "$scratch/app.cpp"
cd "$scratch" || exit 1
version=$(flags --modversion)

if command -v readelf >/dev/null 2>&1 && [ -e moved/lib64/libsluice.so ]; then
    readelf -d moved/lib64/libsluice.so | grep -q 'SONAME.*\[libsluice\.so\.[0-9]*\]' || fail "there is no SONAME"
    readelf --dyn-syms -W moved/lib64/libsluice.so | awk '$7 != "UND" && $5 == "GLOBAL" && $8 !~ /^(sluice_|SLUICE_)/ { print $8 }' |
        grep . && fail "it exports more than the API"
fi

# $1: what to call it; the rest: the compiler's command line.
try() {
    name=$1
    shift
    # shellcheck disable=SC2046  # flags are words
    "$@" -Wall -Wextra -Werror -pedantic -o "$name-shared" $(flags --cflags --libs) ||
        fail "the shared library does not link in $name"
    told=$(LD_LIBRARY_PATH=moved/lib64 "./$name-shared") || fail "the $name program does not run"
    [ "$told" = "$version" ] || fail "the library is version $told, sluice.pc says $version"
    pass
    # shellcheck disable=SC2046
    "$@" -o "$name-static" moved/lib64/libsluice.a $(flags --cflags --libs --static | sed 's/-lsluice//') ||
        fail "the static library does not link in $name"
    [ "$("./$name-static")" = "$version" ] || fail "the static $name program says something else"
    pass
}
try c "${CC:-cc}" -std=c99 app.c
try cxx "${CXX:-c++}" -std=c++17 app.cpp

cd "$root" || exit 1
mv "$scratch/moved" "$stage/opt/sluice"
install_make uninstall
left=$(find "$stage" ! -type d)
[ -z "$left" ] || fail "uninstall left: $left"
pass
echo "$passed passed, 0 failed"
