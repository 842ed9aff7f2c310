#!/bin/sh
# wire, core and broker call nothing but the sl_ functions of the layers below them and the symbols
# of allowed_symbols.txt: the proof, from the objects, that they see no operating system.
objects=${BUILD:-build}/obj/lib
{
    awk -f mk/layers.awk lib/layers.txt | sed 's/^below_/@/; s/:=/ /'
    awk '!/^#/ && NF { print "+", $1 }' tests/lint/allowed_symbols.txt
    sh tests/lint/objects.sh | xargs nm -A -P -g
} | awk -v root="$objects/" '
    $1 ~ /^@/ {
        folder = substr($1, 2)
        count = split($2, list, ",")
        for (i = 1; i <= count; i++) below[folder, list[i]] = 1
        next
    }
    $1 == "+" {
        glob = $2
        gsub(/\*/, ".*", glob)
        pattern = pattern sep "^" glob "$"
        sep = "|"
        next
    }
    {
        object = $1
        sub(/:$/, "", object)
        split(substr(object, length(root) + 1), path, "/")
        if ($3 != "U") home[$2] = path[1]
        else if (path[1] ~ /^(wire|core|broker)$/) wanted[object SUBSEP $2] = path[1]
    }
    END {
        for (key in wanted) {
            split(key, part, SUBSEP)
            folder = wanted[key]
            symbol = part[2]
            source = "lib/" substr(part[1], length(root) + 1)
            sub(/\.o$/, ".c", source)
            if (symbol ~ pattern) continue
            if (symbol in home && (folder, home[symbol]) in below) continue
            if (symbol in home)
                printf "%s:1: %s uses %s of %s\n", source, folder, symbol, home[symbol]
            else if (symbol ~ /^sl_/)
                printf "%s:1: %s is defined nowhere\n", source, symbol
            else
                printf "%s:1: %s may not use %s\n", source, folder, symbol
        }
    }' | sort | awk -v check=symbols -f tests/lint/report.awk
