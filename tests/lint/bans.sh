#!/bin/sh
# The ban list (bans.txt), on code without comments and strings; and the marks of unfinished work,
# on all text.
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
find lib tools examples tests -name '*.[ch]' 2>/dev/null | sort |
    xargs awk -f tests/lint/strip.awk >"$scratch/code"
{
    awk -F ' [|] ' '
        FILENAME == "tests/lint/bans.txt" {
            if (/^#/ || NF < 4) next
            bans++
            where[bans] = $1
            but[bans] = $2
            word[bans] = "(^|[^A-Za-z0-9_.>])" $3
            why[bans] = $4
            next
        }
        {
            colon = index($0, ":")
            file = substr($0, 1, colon - 1)
            rest = substr($0, colon + 1)
            code = substr(rest, index(rest, ":") + 1)
            if (code ~ /^[ \t]*#[ \t]*include/) next
            for (i = 1; i <= bans; i++) {
                if (code !~ word[i] || !begins(file, where[i]) || begins(file, but[i])) continue
                print file ":" substr(rest, 1, index(rest, ":") - 1) ": " why[i]
            }
        }
        function begins(path, list,    count, part, j) {
            count = split(list, part, " ")
            for (j = 1; j <= count; j++)
                if (index(path, part[j]) == 1) return 1
            return 0
        }' tests/lint/bans.txt "$scratch/code"
    find lib include tools examples tests bindings mk Makefile .ci -name node_modules -prune -o -type f -print 2>/dev/null |
        grep -E '\.(c|h|cpp|sh|awk|py|js|ts|mk)$|Makefile$|\.ci/' | sort |
        xargs grep -nE '(^|[^A-Za-z0-9_])([T]ODO|[F]IXME|[X]XX|[H]ACK)([^A-Za-z0-9_]|$)' /dev/null |
        sed 's/^\([^:]*:[0-9]*\):.*/\1: a mark of unfinished work/'
} | awk -v check=bans -f tests/lint/report.awk
