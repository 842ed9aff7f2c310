#!/bin/sh
# Goal: what `make install` puts into a directory is enough to build a program against, shared and
# static, through pkg-config alone; and `make uninstall` leaves nothing behind.
# Method: install below a scratch DESTDIR with a LIBDIR of its own, compile one of the API's
# examples there without the source tree on any path, look at what it needs, uninstall, list.
set -u
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
root=$(pwd)
stage=$scratch/stage
install_make() {
    make --no-print-directory -C "$root" DESTDIR="$stage" PREFIX=/opt/sluice LIBDIR=/opt/sluice/lib64 \
        "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
}
fail() {
    echo "$*"
    exit 1
}

# The job server of a make above this one is not there for a make below it.
unset MAKEFLAGS MAKELEVEL
install_make install
[ -f "$stage/opt/sluice/include/sluice/sluice.h" ] || fail "no header was installed"
for tool in sluice-broker sluice-config; do
    [ -x "$stage/opt/sluice/bin/$tool" ] || fail "no $tool was installed"
done

cat >"$scratch/app.c" <<'END'
#include <sluice/sluice.h>
#include <stdio.h>
int main(void) { return puts(sluice_version_text()) < 0; }
END
export PKG_CONFIG_PATH="$stage/opt/sluice/lib64/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
# The .pc file names the prefix that it is for; here everything lies below the stage.
flags() { pkg-config --define-variable=prefix="$stage/opt/sluice" \
    --define-variable=libdir="$stage/opt/sluice/lib64" \
    --define-variable=includedir="$stage/opt/sluice/include" "$@" sluice; }
cd "$scratch" || exit 1
compiler=${CC:-cc}

# shellcheck disable=SC2046  # flags are words
$compiler -std=c99 app.c -o shared $(flags --cflags --libs) || fail "the shared library does not link"
version=$(LD_LIBRARY_PATH="$stage/opt/sluice/lib64" ./shared) || fail "the program does not run"
[ "$version" = "$(pkg-config --modversion sluice)" ] ||
    fail "the library is version $version, sluice.pc says $(pkg-config --modversion sluice)"

# shellcheck disable=SC2046
$compiler -std=c99 app.c -o static "$stage/opt/sluice/lib64/libsluice.a" \
    $(flags --cflags --libs --static | sed 's/-lsluice//') || fail "the static library does not link"
[ "$(./static)" = "$version" ] || fail "the static program says something else"

install_make uninstall
left=$(find "$stage" ! -type d)
[ -z "$left" ] || fail "uninstall left: $left"
echo "3 passed, 0 failed"
