#!/bin/sh
# The ratchet only turns one way: no more lines than its ceiling, and the ceiling is no higher than
# in any commit that touched the file.
list=tests/lint/ratchet.txt
ceiling=$(awk '$1 == "ceiling" { print $2 }' $list)
lines=$(awk '!/^#/ && NF && $1 != "ceiling"' $list | wc -l)
if [ "$lines" -gt "${ceiling:-0}" ]; then
    echo "$list: $lines lines, its ceiling is $ceiling"
    exit 1
fi
for commit in $(git log --format=%H -- $list 2>/dev/null); do
    before=$(git show "$commit:$list" 2>/dev/null | awk '$1 == "ceiling" { print $2 }')
    if [ -n "$before" ] && [ "$ceiling" -gt "$before" ]; then
        echo "$list: its ceiling was $before in commit $commit, and is $ceiling now"
        exit 1
    fi
done
