#!/bin/sh
# The text of the product speaks of the product: no paths of one machine, no hosts that packages
# came from, nothing about how the work on it is organised.
paths='(^|[^A-Za-z0-9_.$}/-])/(work|root|home/[a-z]+)(/|[^A-Za-z0-9_/-]|$)'
hosts='(pypi|pythonhosted|npmjs|maven\.org|maven\.apache|golang\.org/dl|debian\.org|ubuntu\.com)'
people='(sub-?agent|assistant|helper engineer|session limit|as an? (AI|language model))'
{ git ls-files -co --exclude-standard 2>/dev/null || find . -type f; } | sed 's|^\./||' |
    grep -vE '^(build/|\.git/|LICENSE$|tests/lint/(wording|selftest)\.sh$|tests/fuzz/corpus/|tests/golden/)' |
    sort | while read -r file; do [ -f "$file" ] && printf '%s\n' "$file"; done |
    xargs grep -nIEi "$paths|$hosts|$people" /dev/null |
    sed 's/^\([^:]*:[0-9]*\):\(.*\)/\1: not for the text of a product: \2/' |
    awk -v check=wording -f tests/lint/report.awk
