#!/bin/sh
# Each test that the table of rules in DESIGN.md names exists: `folder/file_test: name` or
# `file_test: name` (tests/unit), and further names in backticks behind it are of the same file.
[ -e DESIGN.md ] || exit 0
awk '/^\| / {
    rest = $0; file = ""
    while (match(rest, /`[a-z_\/]*_test(: [a-z_0-9]+)?`|`[a-z_0-9]+`/)) {
        word = substr(rest, RSTART + 1, RLENGTH - 2)
        rest = substr(rest, RSTART + RLENGTH)
        name = ""
        if (word ~ /_test(: |$)/) {
            file = word; sub(/: .*/, "", file)
            if (word ~ /: /) { name = word; sub(/.*: /, "", name) }
        } else name = word
        if (file != "") print FNR, file, name
    }
}' DESIGN.md | while read -r line file name; do
    case $file in */*) path=tests/$file.c ;; *) path=tests/unit/$file.c ;; esac
    if [ ! -e "$path" ]; then
        echo "DESIGN.md:$line: there is no $path"
    elif [ -n "$name" ] && ! grep -qw "$name" "$path"; then
        echo "DESIGN.md:$line: $path has no $name"
    fi
done | awk -v check=rules -f tests/lint/report.awk
