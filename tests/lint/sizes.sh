#!/bin/sh
# Ceilings: a function has 70 lines, a file 700. Files that are one table are in tables.txt.
# With --report: prints the longest ones instead, and the median and 95th percentile.
sources=$(find lib tools examples -name '*.[ch]' 2>/dev/null | sort)
[ -z "$sources" ] && exit 0
list_functions() {
    # shellcheck disable=SC2086
    awk -f tests/lint/sizes.awk $sources | sort -rn
}
list_files() {
    # shellcheck disable=SC2086
    wc -l $sources | awk '$2 != "total" { print $1, $2 }' | sort -rn
}
if [ "${1:-}" = --report ]; then
    summarise='{ n[NR] = $1; if (NR <= 5) print "  " $0 }
        END { if (NR) printf "  %d %s, median %d lines, 95th percentile %d\n",
                  NR, what, n[int((NR + 1) / 2)], n[int(NR * 0.05) + 1] }'
    echo "longest functions:"
    list_functions | awk -v what=functions "$summarise"
    echo "longest files:"
    list_files | awk -v what=files "$summarise"
    exit 0
fi
{
    list_functions | awk '$1 > 70 { printf "%s:%d: %s has %d lines of 70\n", $2, $3, $4, $1 }'
    list_files | awk '
        FILENAME == "tests/lint/tables.txt" { if (!/^#/ && NF) table[$1] = 1; next }
        $1 > 700 && !($2 in table) { printf "%s:700: %d lines of 700\n", $2, $1 }
    ' tests/lint/tables.txt -
} | awk -v check=sizes -f tests/lint/report.awk
