# Turns the lines of runs into figures: the median over a client's runs of one case, each metric by
# itself; a ratio is that of two medians.
#
#   awk -f summary.awk runs              a line per case
#   awk -v json=1 -f summary.awk runs    the same as a JSON array

{
    for (i = 1; i <= NF; i++) {
        at = index($i, "=")
        field[substr($i, 1, at - 1)] = substr($i, at + 1)
    }
    name = field["case"]
    if (!(name in seen)) {
        seen[name] = 1
        order[++cases] = name
    }
    key = name SUBSEP field["client"]
    n = ++runs[key]
    rate[key, n] = field["rate"] + 0
    cpu[key, n] = field["cpu_ns"] + 0
}

function median(values, key,    n, i, j, swap, sorted) {
    n = runs[key]
    for (i = 1; i <= n; i++) sorted[i] = values[key, i]
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && sorted[j - 1] > sorted[j]; j--) {
            swap = sorted[j]
            sorted[j] = sorted[j - 1]
            sorted[j - 1] = swap
        }
    if (n % 2 == 1) return sorted[(n + 1) / 2]
    return (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function report(name,    ours, peer) {
    ours = name SUBSEP "sluice"
    peer = name SUBSEP "peer"
    our_rate = median(rate, ours)
    peer_rate = median(rate, peer)
    our_cpu = median(cpu, ours)
    peer_cpu = median(cpu, peer)
    if (json)
        printf "%s\n  {\"case\": \"%s\", \"sluice\": %.0f, \"peer\": %.0f, \"ratio\": %.3f, " \
               "\"sluice_cpu_ns\": %.2f, \"peer_cpu_ns\": %.2f, \"cpu_ratio\": %.4f}",
               (written++ ? "," : ""), name, our_rate, peer_rate, our_rate / peer_rate,
               our_cpu, peer_cpu, our_cpu / peer_cpu
    else
        printf "bench: %s sluice=%.0f peer=%.0f ratio=%.2f cpu_ns=%.1f/%.1f cpu_ratio=%.3f\n",
               name, our_rate, peer_rate, our_rate / peer_rate, our_cpu, peer_cpu,
               our_cpu / peer_cpu
}

END {
    if (json) printf "["
    for (c = 1; c <= cases; c++) {
        name = order[c]
        if (runs[name, "sluice"] > 0 && runs[name, "peer"] > 0) report(name)
    }
    if (json) printf "\n]\n"
}
