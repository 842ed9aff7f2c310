#!/bin/sh
# A function of x.c that other files see is named sl_x_…; of x_y.c sl_x_y_… or sl_x_…; of
# messages/NN_x.c sl_x…, of handlers/NN_x.c also sl_handle_…; sluice_ is for api. Data begins with
# sl_. A file whose subject has nouns of its own is in names.txt with them.
objects=${BUILD:-build}/obj/lib
{
    awk '!/^#/ && NF { for (i = 2; i <= NF; i++) print "+", $1, $i }' tests/lint/names.txt
    sh tests/lint/objects.sh | xargs nm -A -P -g --defined-only
} | awk -v root="$objects/" '
    $1 == "+" { noun[$2, $3] = 1; next }
    {
        object = $1
        sub(/:$/, "", object)
        source = substr(object, length(root) + 1)
        sub(/\.o$/, ".c", source)
        base = source
        sub(/.*\//, "", base)
        sub(/\.c$/, "", base)
        sub(/^[0-9][0-9]*_/, "", base)
        first = base
        sub(/_.*/, "", first)
        symbol = $2
        if (symbol ~ /^(__|_fini|_init)/) next
        if (source ~ /^api\// && symbol ~ /^sluice_/) next
        if ($3 == "T" || $3 == "W") {
            if (index(symbol, "sl_" first "_") == 1 || symbol == "sl_" first) next
            split(symbol, word, "_")
            if (("lib/" source, word[2]) in noun) next
            if (source ~ /\/handlers\// && symbol ~ /^sl_handle_/) next
            printf "lib/%s:1: %s should begin with sl_%s_\n", source, symbol, first
        } else if (symbol !~ /^sl_/) {
            printf "lib/%s:1: %s should begin with sl_\n", source, symbol
        }
    }' | awk -v check=names -f tests/lint/report.awk
