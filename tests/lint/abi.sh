#!/bin/sh
# bindings/abi.json and what is generated from it are what the public headers say, and the compiler
# agrees with every number and prototype in it; and programs built with the last release, which is
# tests/abi/release.json, find all they know. Nothing is checked where there is no Python 3.9.
[ -e bindings/abi.py ] || exit 0
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || exit 0
{
    python3 bindings/abi.py --check
    [ ! -e tests/abi/release.json ] || python3 bindings/abi.py --since tests/abi/release.json
    # Where sizes differ from those of LP64 the numbers are not for this platform.
    if [ "$(getconf LONG_BIT 2>/dev/null)" = 64 ]; then
        python3 bindings/abi.py --asserts | ${CC:-cc} -std=c11 -Wall -Werror -Iinclude -fsyntax-only -xc - 2>&1 |
            sed -n 's/^<stdin>:[0-9]*:[0-9]*: error: /bindings\/abi.json:1: /p'
    fi
} | awk -v check=abi -f tests/lint/report.awk
