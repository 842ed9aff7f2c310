#!/bin/sh
# Every C file of ours is as clang-format leaves it.
find lib include tools examples tests bindings -name node_modules -prune -o \
    \( -name '*.[ch]' -o -name '*.cpp' \) -print 2>/dev/null | sort |
    xargs clang-format --dry-run 2>&1 | sed -n 's/^\([^ :]*:[0-9]*\):.*/\1: make format/p' | sort -u |
    awk -F : '!seen[$1]++' | awk -v check=format -f tests/lint/report.awk
