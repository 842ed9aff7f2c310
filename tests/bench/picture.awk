# Draws the ratios of figures.awk as an SVG: how many times better sluice is than the peer, in what
# the case measures and in CPU a record, on a logarithmic scale, with the bars of targets.txt.
#
#   awk -f picture.awk targets.txt figures >bench.svg
#
# What is better when it is small (latency, memory, switches) is turned round, so right is better
# throughout. Longer than the scale is cut at its end, with the number beside it.

BEGIN {
    LABELS = 190   # pixels left of the scale
    SCALE = 620    # its length
    NUMBERS = 90   # right of it
    TOP = 84
    ROW = 34
    THICK = 12     # of a bar
    LEAST = 0.5    # ends of the scale, powers of two
    MOST = 64
}

FNR == NR {
    if (/^#/ || NF != 4) next
    if ($2 == "ratio" && $3 == ">=") mark[$1, "main"] = number_of($4)
    if ($2 == "cpu_ratio" && $3 == "<=") mark[$1, "cpu"] = 1 / number_of($4)
    next
}

$2 == "unit" { order[++cases] = $1 }
{ figure[$1, $2] = $3 }

# A decimal number, or a fraction.
function number_of(text,    parts) {
    return split(text, parts, "/") == 2 ? parts[1] / parts[2] : text + 0
}

function place(times) {
    if (times < LEAST) times = LEAST
    if (times > MOST) times = MOST
    return LABELS + SCALE * log(times / LEAST) / log(MOST / LEAST)
}

function inverse(number) { return number > 0 ? 1 / number : MOST }

function text_at(x, y, class, words) {
    printf "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, class, words
}

function line_at(x, from, to, class) {
    printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x, from, x, to,
           class
}

# A bar from 1 to `times`, its number, and the mark that it has to reach.
function put_bar(name, kind, times, y,    from, to) {
    from = place(times < 1 ? times : 1)
    to = place(times < 1 ? 1 : times)
    printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>\n", from, y,
           to - from, THICK, kind
    if ((name, kind) in mark)
        line_at(place(mark[name, kind]), y - 1, y + THICK + 1,
                times >= mark[name, kind] ? "held" : "missed")
    if ((name, kind) in mark && place(mark[name, kind]) > to) to = place(mark[name, kind])
    text_at(to + 5, y + THICK - 2, "number", sprintf("%.1f×", times))
}

function put_case(name, y,    unit, times) {
    unit = figure[name, "unit"]
    times = unit == "records/s" ? figure[name, "ratio"] : inverse(figure[name, "ratio"])
    text_at(LABELS - 8, y + ROW / 2 + (unit == "records/s" ? 1 : -4), "name", name)
    if (unit != "records/s") text_at(LABELS - 8, y + ROW / 2 + 8, "unit", unit)
    put_bar(name, "main", times, y + 3)
    put_bar(name, "cpu", inverse(figure[name, "cpu_ratio"]), y + 4 + THICK)
}

function put_legend(x, kind, words) {
    printf "<rect x=\"%d\" y=\"46\" width=\"12\" height=\"12\" class=\"%s\"/>\n", x, kind
    text_at(x + 17, 56, "legend", words)
}

END {
    width = LABELS + SCALE + NUMBERS
    bottom = TOP + cases * ROW
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" " \
           "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", width,
           bottom + 16, width, bottom + 16
    print "<style>.back{fill:#fff}.main{fill:#2f6fb0}.cpu{fill:#e09f3e}.title{font-size:16px;" \
          "font-weight:bold}.name{text-anchor:end}.unit,.number,.tick{font-size:10px;fill:#555}" \
          ".unit{text-anchor:end}.tick{text-anchor:middle}.grid{stroke:#ddd}.one{stroke:#333}" \
          ".held{stroke:#222;stroke-width:2}.missed{stroke:#d00;stroke-width:3}</style>"
    printf "<rect width=\"%d\" height=\"%d\" class=\"back\"/>\n", width, bottom + 16
    text_at(12, 26, "title", "sluice beside librdkafka: how many times better")
    put_legend(12, "main", "throughput, or what the unit says")
    put_legend(262, "cpu", "CPU of the client")
    line_at(404, 45, 59, "held")
    text_at(411, 56, "legend", "the bar it has to reach, red: missed")
    for (times = LEAST; times <= MOST; times *= 2) {
        line_at(place(times), TOP - 4, bottom, times == 1 ? "one" : "grid")
        text_at(place(times), TOP - 8, "tick", times "×")
    }
    for (c = 1; c <= cases; c++) put_case(order[c], TOP + (c - 1) * ROW)
    print "</svg>"
}
