#!/bin/sh
# The shared library exports exactly tests/abi/symbols.txt. With --update, writes that list.
library=$(find "${BUILD:-build}" -maxdepth 1 -type f -name 'libsluice.so.*')
if [ -z "$library" ] || [ ! -e tests/abi/symbols.txt ]; then
    echo "tests/abi/symbols.txt:1: this list and a built shared library are needed"
    exit 1
fi
list_exports() { nm -D --defined-only "$library" | awk '$2 ~ /[TDBRVW]/ { sub(/@.*/, "", $3); print $3 }' | sort; }
if [ "${1:-}" = --update ]; then
    list_exports >tests/abi/symbols.txt
    exit
fi
# Lines "< name": in the list, gone from the library; "> name": new, not in the list.
list_exports | diff tests/abi/symbols.txt - | grep '^[<>]' |
    sed 's/^< /tests\/abi\/symbols.txt:1: no longer exported: /
         s/^> /tests\/abi\/symbols.txt:1: exported and not listed (make abi-update): /' |
    awk -v check=exports -f tests/lint/report.awk
