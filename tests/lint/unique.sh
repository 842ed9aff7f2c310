#!/bin/sh
# Every file-scope name of lib/ is defined in one file only, static ones and macros too, so that
# all of lib/ can be compiled as one file. Struct, union and enum tags have a space of their own in
# C; a macro meets both. Header guards, and macros that their file undefines again, are exempt.
find lib -name '*.[ch]' | sort >"${TMPDIR:-/tmp}/unique.$$"
trap 'rm -f "${TMPDIR:-/tmp}/unique.$$"' EXIT
{
    xargs grep -nE '^[ \t]*#[ \t]*undef' <"${TMPDIR:-/tmp}/unique.$$" |
        sed 's/^\([^:]*\):[0-9]*:[^u]*undef[ \t]*\([A-Za-z0-9_]*\).*/undef \2 \1 0/'
    ctags -x --languages=C --langmap=C:.c.h --kinds-C=defgstuv --_xformat='%K %N %F %n' \
        -L "${TMPDIR:-/tmp}/unique.$$"
} | awk '
    $1 == "undef" { undefined[$2, $3] = 1; next }
    $2 ~ /^__anon/ || ($1 == "macro" && ($2 ~ /_H$/ || ($2, $3) in undefined)) { next }
    $1 == "macro" { meet("tag", $2, $3, $4); meet("name", $2, $3, $4); next }
    $1 == "struct" || $1 == "union" || $1 == "enum" { meet("tag", $2, $3, $4); next }
    { meet("name", $2, $3, $4) }
    function meet(space, name, file, line) {
        if (!((space, name) in home)) { home[space, name] = file; return }
        if (home[space, name] != file)
            printf "%s:%d: %s is defined in %s too\n", file, line, name, home[space, name]
    }' | sort -u | awk -v check=unique -f tests/lint/report.awk
