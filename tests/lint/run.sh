#!/bin/sh
# `make lint`: every check of this folder, on the tree that it is called in. Each is a small script
# that prints "FILE:LINE: what is wrong" and fails; selftest.sh plants a fault for each.
# BUILD names a directory with the objects and the shared library.
set -u
sh tests/run.sh "$@" --group lint --timeout 120 tests/lint/selftest.sh tests/lint/layers.sh \
    tests/lint/sizes.sh tests/lint/symbols.sh tests/lint/exports.sh tests/lint/abi.sh tests/lint/unique.sh \
    tests/lint/bans.sh tests/lint/names.sh tests/lint/format.sh tests/lint/messages.sh \
    tests/lint/docs.sh tests/lint/rules.sh tests/lint/wording.sh tests/lint/ratchet.sh \
    'tests/lint/compile.sh gcc' 'tests/lint/compile.sh clang'
