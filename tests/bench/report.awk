# Tells the figures of figures.awk and whether they hold the bars of targets.txt.
#
#   awk -v name=CASE -f report.awk targets.txt figures    a case: its figures, its bars
#   awk -v as=bars -f report.awk targets.txt figures      how many bars hold, and which do not
#   awk -v as=json -f report.awk targets.txt figures      all cases as a JSON array
#
# A bar whose other side was not measured in this run is neither held nor missed.

FNR == NR {
    if (/^#/ || NF == 0) next
    n = ++bars[$1]
    text = $2
    for (i = 3; i <= NF; i++) text = text " " $i
    bar[$1, n] = text
    next
}

{
    if (!($1 in count)) order[++cases] = $1
    key[$1, ++count[$1]] = $2
    figure[$1, $2] = $3
}

# A decimal number, or a fraction.
function number_of(text,    parts) {
    return split(text, parts, "/") == 2 ? parts[1] / parts[2] : text + 0
}

# What bar n of a case says: sets shown, the figure and the bound in numbers; returns "holds",
# "missed", or "open" when a figure is missing.
function judge(name, n,    words, count, value, bound, other) {
    count = split(bar[name, n], words, " ")
    shown = bar[name, n]
    if (!((name, words[1]) in figure)) return "open"
    value = figure[name, words[1]]
    bound = number_of(words[3])
    if (count == 5) {
        if (split(words[5], other, ".") == 1) {
            other[2] = other[1]
            other[1] = name
        }
        if (!((other[1], other[2]) in figure)) return "open"
        if (words[4] == "over")
            bound += figure[other[1], other[2]]
        else
            bound *= figure[other[1], other[2]]
        if (words[2] == "within") {
            shown = sprintf("%s %.4g within %s times of %.4g", words[1], value, words[3],
                            figure[other[1], other[2]])
            return value <= bound && figure[other[1], other[2]] <= value * number_of(words[3]) \
                ? "holds" : "missed"
        }
    }
    shown = sprintf("%s %.4g %s %.4g", words[1], value, words[2], bound)
    if (words[2] == ">=") return value >= bound ? "holds" : "missed"
    return value <= bound ? "holds" : "missed"
}

function show_case(name,    i, k, n, verdict) {
    printf "bench: %s sluice=%.0f peer=%.0f ratio=%.2f cpu_ns=%.1f/%.1f cpu_ratio=%.3f", name,
           figure[name, "sluice"], figure[name, "peer"], figure[name, "ratio"],
           figure[name, "sluice_cpu_ns"], figure[name, "peer_cpu_ns"], figure[name, "cpu_ratio"]
    if (figure[name, "unit"] != "records/s") printf " unit=%s", figure[name, "unit"]
    if ((name, "floor") in figure)
        printf " floor=%.0f floor_cpu_ns=%.1f", figure[name, "floor"], figure[name, "floor_cpu_ns"]
    for (i = 1; i <= count[name]; i++) {
        k = key[name, i]
        if (k in standard || k ~ /^peer_/) continue
        printf " %s=%.6g", k, figure[name, k]
        if ((name, "peer_" k) in figure) printf "/%.6g", figure[name, "peer_" k]
    }
    printf "\n"
    for (n = 1; n <= bars[name]; n++) {
        verdict = judge(name, n)
        printf "bench:   %s: %s\n", (verdict == "missed" ? "MISSED" : verdict), shown
    }
}

function show_bars(    c, n, name, verdict, total, held, open, missed) {
    for (c = 1; c <= cases; c++) {
        name = order[c]
        for (n = 1; n <= bars[name]; n++) {
            verdict = judge(name, n)
            total++
            if (verdict == "holds") held++
            if (verdict == "open") open++
            if (verdict == "missed") missed = missed "\nbench:   " name ": " shown
        }
    }
    printf "bench: %d of %d bars hold%s%s\n", held, total,
           open ? sprintf(", %d need other cases", open) : "", missed ? "; missed:" missed : ""
}

function put_json(name,    i, k, n, verdict) {
    printf "%s\n  {\"case\": \"%s\"", (written++ ? "," : ""), name
    for (i = 1; i <= count[name]; i++) {
        k = key[name, i]
        if (k == "unit")
            printf ", \"unit\": \"%s\"", figure[name, k]
        else
            printf ", \"%s\": %.10g", k, figure[name, k]
    }
    printf ", \"bars\": ["
    for (n = 1; n <= bars[name]; n++) {
        verdict = judge(name, n)
        printf "%s{\"bar\": \"%s\", \"holds\": %s}", (n > 1 ? ", " : ""), bar[name, n],
               (verdict == "open" ? "null" : verdict == "holds" ? "true" : "false")
    }
    printf "]}"
}

END {
    words = "unit sluice peer ratio sluice_cpu_ns peer_cpu_ns cpu_ratio floor floor_cpu_ns"
    n = split(words, list, " ")
    for (i = 1; i <= n; i++) standard[list[i]] = 1
    if (as == "bars") {
        show_bars()
    } else if (as == "json") {
        printf "["
        for (c = 1; c <= cases; c++) put_json(order[c])
        printf "\n]\n"
    } else if (name in count) {
        show_case(name)
    }
}
