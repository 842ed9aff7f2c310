#!/bin/sh
# Goal: the library leaves its tree in the forms that `make help` names.
# Method: the amalgamation is compiled without warnings, as two files with no path to the tree, and its
# program produces and consumes; the source archive is made twice; the Python and the Node package are
# installed into empty folders, from which programs produce and consume.
set -u
build=${BUILD:-build}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
root=$(pwd)
passed=0
fail() {
    echo "$*"
    exit 1
}
pass() { passed=$((passed + 1)); }
unset MAKEFLAGS MAKELEVEL
run_make() { make --no-print-directory -s BUILD="$build" "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }; }

run_make amalgamation
mkdir "$scratch/one"
cp "$build/amalgamation/sluice.c" "$build/amalgamation/sluice.h" "$scratch/one"
sed 's|<sluice/sluice.h>|"sluice.h"|' tests/install/roundtrip.c >"$scratch/one/app.c"
packages=$(sed -n 's/^ \* \(lib.*\) \*\/$/\1/p;3q' "$scratch/one/sluice.c")
[ -n "$packages" ] || fail "sluice.c does not say which packages it needs"
# shellcheck disable=SC2086,SC2046  # flags are words
(cd "$scratch/one" && ${CC:-cc} -std=c11 -O1 -pthread -Wall -Wextra -Werror sluice.c app.c -o app \
    $(pkg-config --cflags --libs $packages)) || fail "the amalgamation does not compile"
[ "$("$scratch/one/app")" = "$(sed -n 's/^VERSION := //p' Makefile)" ] || fail "the amalgamation does not run"
pass

if git rev-parse --verify -q HEAD >/dev/null 2>&1; then
    archive=$build/sluice-$(sed -n 's/^VERSION := //p' Makefile).tar.gz
    run_make dist
    first=$(cksum <"$archive")
    sleep 1.1 # a time of making would show
    run_make dist
    [ "$first" = "$(cksum <"$archive")" ] || fail "the source archive is another one each time"
    gzip -cd "$archive" | tar -tf - | grep -q '/lib/api/producer.c$' || fail "the source archive lacks sources"
    pass
fi

# Installs the wheel $1 below the folder $2, whose program says where its package lies.
try_wheel() {
    # An environment that is marked as the system's allows a prefix of one's own.
    PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet --no-index --no-deps --disable-pip-version-check \
        --root-user-action ignore --prefix "$2" "$1" || fail "$1 cannot be installed"
    site=$(dirname "$(find "$2" -type d -name sluice | head -n 1)")
    cp tests/install/roundtrip.py "$2"
    told=$(cd "$2" && unset SLUICE_LIBRARY && PYTHONPATH=$site python3 -W error roundtrip.py) ||
        fail "the Python package does not run where it was installed"
    [ "$told" = "$site/sluice/__init__.py" ] || fail "Python took another package: $told"
    pass
}
if python3 -c 'import pip, sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    run_make wheel
    try_wheel "$(ls "$build"/wheel/sluice-*.whl)" "$scratch/prefix"
    # With other packages linked in it is for others too; pip takes it where its tag says so.
    if [ -e "$(${CC:-cc} -print-file-name=libssl.a)" ] && [ -e /usr/share/doc/libssl-dev ]; then
        if python3 bindings/python/wheel.py "$build/libsluice.so" "$scratch" --manylinux 2>"$scratch/refused"; then
            fail "a library that wants the system's OpenSSL passed for manylinux"
        fi
        grep -q 'it wants libcrypto' "$scratch/refused" || fail "it was refused for: $(cat "$scratch/refused")"
        # Compiled in the quickest way: which symbols it wants does not depend on that.
        run_make BUILD="$scratch/built" CFLAGS=-O0 LTO=0 manylinux
        try_wheel "$(ls "$scratch"/built/manylinux/sluice-*-manylinux_2_*.whl)" "$scratch/many"
        ldd "$site"/sluice/libsluice.so.0 | grep -E 'ssl|crypto|sasl|snappy|lz4|zstd' && fail "the wheel does not stand alone"
    fi
else
    echo "the Python package is not tried: it needs Python 3.9 with pip"
fi

if [ -d bindings/node/node_modules/koffi ] && command -v npm >/dev/null 2>&1; then
    run_make npm-package
    mkdir -p "$scratch/app/node_modules"
    tar -xzf "$build"/npm/sluice-*.tgz -C "$scratch/app/node_modules"
    mv "$scratch/app/node_modules/package" "$scratch/app/node_modules/sluice"
    cp -R bindings/node/node_modules/koffi bindings/node/node_modules/@koromix "$scratch/app/node_modules"
    cp tests/install/roundtrip.mjs "$scratch/app"
    (cd "$scratch/app" && unset SLUICE_LIBRARY && node roundtrip.mjs) || fail "the Node package does not run where it was unpacked"
    pass
else
    echo "the Node package is not tried: it needs what 'make node-deps' installs"
fi
echo "$passed passed, 0 failed"
